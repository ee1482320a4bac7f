//! Cases by a keyed index of an identity, a certificate or a national system's number. No value is kept, here or in a log line.
//!
//! Not part of what a replay compares: it needs the vault, and a destroyed key empties it.

use events::case::CaseEvent;
use events::envelope::{Event, Recorded};
use events::ids::{CaseId, StreamName};
use events::keeping::KeepingEvent;
use events::proof::Digest;
use rusqlite::types::Value;

use crate::vault::{Opener, VaultError};
use crate::views::cells::{bytes_of, struct_cells};
use crate::views::reader::ViewError;
use crate::views::table::{Behind, Row, Table};

/// The fields that can be looked up: the name in the personal part, and the index's name.
pub(crate) const FIELDS: [(&str, &str); 2] =
    [("identity_number", "identity"), ("certificate_number", "certificate")];

/// The index of the national system's own number for the case, behind those of [`FIELDS`].
pub(crate) const NATIONAL: (u8, &str) = (FIELDS.len() as u8, "national");

/// One index of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Indexed {
    pub(crate) case: CaseId,
    pub(crate) field: String,
    pub(crate) index: Digest,
}

pub(crate) fn apply(
    table: &mut Table<Indexed>,
    behind: Behind<'_>,
    opener: &Opener,
    recorded: &Recorded,
) -> Result<(), ViewError> {
    match (&recorded.envelope.event, recorded.envelope.stream) {
        (Event::Case(CaseEvent::CaseSubmitted(it)), StreamName::Case(case)) => {
            if let Some(reference) = &it.client_reference {
                let (number, field) = (NATIONAL.0, NATIONAL.1.to_owned());
                // Whoever reads it out does not tell capitals.
                let index = opener.blind_index(&field, &reference.to_uppercase());
                table.put(behind, (case, number), Indexed { case, field, index });
            }
            for (number, field, value) in personal_values(opener, case, recorded)? {
                let index = opener.blind_index(&field, &value);
                table.put(behind, (case, number), Indexed { case, field, index });
            }
        }
        (Event::Keeping(KeepingEvent::CaseKeyDestroyed(it)), _) => {
            for number in 0..FIELDS.len() as u8 {
                table.remove(behind, &(it.case, number));
            }
        }
        // Nothing else brings or ends a personal value.
        (Event::Case(_) | Event::Province(_) | Event::Reference(_) | Event::Keeping(_), _) => {}
    }
    Ok(())
}

/// The values to index: field number, field, value. None when nobody can open the seal any more.
fn personal_values(
    opener: &Opener,
    case: CaseId,
    recorded: &Recorded,
) -> Result<Vec<(u8, String, String)>, ViewError> {
    let Some(sealed) = &recorded.envelope.sealed else { return Ok(vec![]) };
    let plain = match opener.open(case, recorded.envelope.id, sealed) {
        Ok(plain) => plain,
        Err(VaultError::NoKey { .. }) => return Ok(vec![]),
        Err(VaultError::DoesNotOpen { .. }) => {
            let position = recorded.position;
            tracing::error!(case.id = %case, event.position = position.0,
                "the sealed part of case {case} does not open: it cannot be looked up");
            return Ok(vec![]);
        }
        // Whether it opens could not be found out: stop rather than lose the row in silence.
        Err(failure) => {
            let source = Box::new(failure);
            return Err(ViewError::Store { what: "open a seal for", view: Indexed::NAME, source });
        }
    };
    let part: serde_json::Value = serde_json::from_slice(&plain).unwrap_or_default();
    let value = |name: &str| part.get("applicant")?.get(name)?.as_str().map(str::to_owned);
    let fields = FIELDS.iter().enumerate();
    Ok(fields
        .filter_map(|(at, (name, field))| Some((at as u8, (*field).to_owned(), value(name)?)))
        .collect())
}

/// The column of an index.
pub(crate) fn index_column(field: &str, index: &Digest) -> Vec<u8> {
    let mut column = bytes_of(index);
    column.extend_from_slice(field.as_bytes());
    column
}

struct_cells!(Indexed { case, field, index });

impl Row for Indexed {
    type Key = (CaseId, u8);
    const NAME: &'static str = "lookup";
    const REVISION: u32 = 2;
    const COLUMNS: &'static [&'static str] = &["blind_index BLOB NOT NULL"];
    const INDEXES: &'static [&'static str] = &["(blind_index)"];
    fn columns(&self) -> Vec<Value> {
        vec![Value::Blob(index_column(&self.field, &self.index))]
    }
}
