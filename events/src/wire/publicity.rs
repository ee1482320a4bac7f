//! Statements of publicity (annex 1) on the wire, as an adapter sends them.

use jiff::Timestamp;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{Read, TYPE_PREFIX, WireError, read, to_bytes};
use crate::publicity::{StatementMessage, Told};

/// The type without its prefix.
const KIND: &str = "publicity.v1";

/// A statement as an adapter sends it; written once, signed as it is for every attempt.
pub fn statement_to_bytes(id: Uuid, stated_at: Timestamp, told: &Told) -> Vec<u8> {
    let data = serde_json::value::to_raw_value(told).expect("plain structs always serialize");
    let province = told.province;
    let (source, subject) = (format!("province:{province}"), format!("province-{province}"));
    to_bytes(id, &source, KIND, &subject, stated_at, None, data)
}

/// Reads a statement, and checks that envelope and data agree. Its bounds are the rules' to judge.
pub fn statement_from_bytes(bytes: &[u8]) -> Result<StatementMessage, WireError> {
    let it: Read<'_, &RawValue> = read(bytes, "statement")?;
    if it.kind.strip_prefix(TYPE_PREFIX) != Some(KIND) {
        return Err(WireError::UnknownKind { kind: it.kind.chars().take(128).collect() });
    }
    let told: Told = serde_json::from_str(it.data.get())
        .map_err(|source| WireError::Unreadable { what: "statement's data", source })?;
    if it.source != format!("province:{}", told.province) {
        return Err(WireError::Contradiction { field: "source" });
    }
    if it.subject != format!("province-{}", told.province) {
        return Err(WireError::Contradiction { field: "subject" });
    }
    Ok(StatementMessage { id: it.id, stated_at: it.time, told })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::ProvinceCode;
    use crate::publicity::{Fulfilment, ROWS, Statement};

    #[test]
    fn a_statement_comes_back_as_it_was_and_speaks_for_one_province_only() {
        let told = Told {
            origin: "hub.test/log".to_owned(),
            province: ProvinceCode::new(22).unwrap(),
            adapter: "jilin-adapter/2.3".to_owned(),
            statement: Statement {
                month: "2026-11".parse().unwrap(),
                rows: vec![Fulfilment::default(); ROWS],
                carriers_told_share: None,
                knowledge_base: true,
            },
        };
        let (id, at) = (Uuid::from_u128(7), "2026-11-20T02:00:00Z".parse().unwrap());
        let bytes = statement_to_bytes(id, at, &told);
        let message = StatementMessage { id, stated_at: at, told };
        assert_eq!(statement_from_bytes(&bytes).unwrap(), message);
        let text = String::from_utf8(bytes).unwrap();
        for (from, to) in [
            ("province:22", "province:23"),
            ("province-22", "province-23"),
            ("publicity.v1", "publicity.v2"),
            ("\"month\":\"2026-11\"", "\"month\":\"2026-13\""),
        ] {
            statement_from_bytes(text.replacen(from, to, 1).as_bytes()).unwrap_err();
        }
    }
}
