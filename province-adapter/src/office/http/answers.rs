//! From the office's document to news: the values that the configuration points to, in the office's codes.

use std::collections::BTreeMap;

use events::report::News;
use events::vocabulary::Outcome;
use serde_json::{Map, Value};

use crate::office::codes::{AnswerKind, Codes};
use crate::office::news::{self, Fault, Said};

/// What belongs to `result` in an answer.
const RESULT: [&str; 4] = ["grade", "valid_until", "certificate_id", "next_due"];

/// The values that stand in `document`, by their names. Empty texts are none.
pub(super) fn extract(document: &Value, pointers: &BTreeMap<String, String>) -> Map<String, Value> {
    let mut values = Map::new();
    for (name, pointer) in pointers {
        let found = match document.pointer(pointer) {
            None | Some(Value::Null) => continue,
            Some(Value::String(text)) if text.trim().is_empty() => continue,
            Some(it) => it,
        };
        let value = match (name.as_str(), found) {
            // Offices write lists as one text, too; and a list of one is no list in XML.
            ("missing" | "reasons", Value::String(text)) => text
                .split([',', ';', '，', '；', '、'])
                .map(str::trim)
                .filter(|it| !it.is_empty())
                .collect(),
            ("missing" | "reasons", Value::Number(it)) => Value::Array(vec![it.to_string().into()]),
            (_, it) => it.clone(),
        };
        values.insert(name.clone(), value);
    }
    values
}

/// What the office says, in the order in which it must be told. An office that was asked late tells
/// the end only; what came before is told first where its values stand in the same answer.
pub(super) fn said(values: &Map<String, Value>, codes: &Codes) -> Result<Vec<Said>, Fault> {
    let Some(kind) = values.get("kind") else { return Ok(Vec::new()) };
    let kind = kind.as_str().map_or_else(|| kind.to_string(), str::to_owned);
    let kind = codes.answer_of(&kind).map_err(|it| Fault {
        code: it.code(),
        pointer: "/kind".to_owned(),
        detail: it.to_string(),
    })?;
    let has = |name: &str| values.contains_key(name);
    let mut kinds = Vec::new();
    let ends = matches!(kind, AnswerKind::Completed | AnswerKind::CertificateIssued);
    if ends && has("acceptance_number") {
        kinds.push(AnswerKind::Accepted);
    }
    if kind == AnswerKind::CertificateIssued && has("decision_number") && has("outcome") {
        kinds.push(AnswerKind::Completed);
    }
    kinds.push(kind);
    if kind == AnswerKind::NothingNew {
        return Ok(Vec::new());
    }
    let last = kinds.len() - 1;
    kinds.iter().enumerate().map(|(at, it)| one(values, *it, at == last, codes)).collect()
}

fn one(
    values: &Map<String, Value>,
    kind: AnswerKind,
    is_last: bool,
    codes: &Codes,
) -> Result<Said, Fault> {
    let mut own = Map::new();
    let mut result = Map::new();
    for name in belongs(kind) {
        let Some(value) = values.get(*name) else { continue };
        let into = if kind == AnswerKind::Completed && RESULT.contains(name) {
            &mut result
        } else {
            &mut own
        };
        into.insert((*name).to_owned(), value.clone());
    }
    if !result.is_empty() {
        own.insert("result".to_owned(), Value::Object(result));
    }
    // The moment and the text are those of the newest; of the earlier ones nothing is known.
    for name in ["decided_at", "text"].iter().filter(|_| is_last) {
        own.extend(values.get(*name).map(|it| ((*name).to_owned(), it.clone())));
    }
    news::read_as(kind, own, codes)
}

fn belongs(kind: AnswerKind) -> &'static [&'static str] {
    match kind {
        AnswerKind::Accepted => &["acceptance_number"],
        AnswerKind::Declined => &["reason"],
        AnswerKind::CorrectionRequested => &["missing", "until"],
        AnswerKind::Returned => &["reason", "division", "authority"],
        AnswerKind::Suspended => &["ground"],
        AnswerKind::Resumed | AnswerKind::NothingNew => &[],
        AnswerKind::Completed => &[
            "outcome",
            "decision_number",
            "reasons",
            "grade",
            "valid_until",
            "certificate_id",
            "next_due",
        ],
        AnswerKind::CertificateIssued => &["certificate_id"],
    }
}

/// Nothing of the case can follow that the hub would record.
pub(super) fn is_end(news: &News) -> bool {
    matches!(
        news,
        News::Declined { .. }
            | News::Returned { .. }
            | News::CertificateIssued { .. }
            | News::Completed { outcome: Outcome::Denied, .. }
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn codes() -> Codes {
        let example = include_str!("../../../../deploy/codes.example.toml");
        Codes::parse(example, std::path::Path::new("codes.toml")).unwrap()
    }

    fn tokens(values: Value) -> Result<Vec<&'static str>, &'static str> {
        let Value::Object(map) = values else { panic!("not an object") };
        let said = said(&map, &codes()).map_err(|it| it.code)?;
        Ok(said.iter().map(|it| it.news.as_ref().unwrap().token()).collect())
    }

    #[test]
    fn an_office_that_was_asked_late_is_told_whole() {
        let mut values = json!({"kind": "09", "acceptance_number": "受-1", "outcome": "1",
            "decision_number": "决-1", "certificate_id": "E-1", "grade": "", "decided_at": "2026-03-02T09:00:00+08:00"});
        values.as_object_mut().unwrap().remove("grade");
        assert_eq!(tokens(values.clone()), Ok(vec!["accepted", "completed", "certificate-issued"]));
        values["kind"] = json!("02");
        assert_eq!(
            tokens(values.clone()),
            Ok(vec!["accepted"]),
            "later values may stand there empty or not"
        );
        values["kind"] = json!("01");
        assert_eq!(tokens(values.clone()), Ok(vec![]));
        values["kind"] = json!("77");
        assert_eq!(tokens(values), Err("unknown-local-code"));
        assert_eq!(tokens(json!({})), Ok(vec![]), "an answer may say nothing about the case");
    }

    #[test]
    fn lists_are_read_however_an_office_writes_them() {
        let pointers = BTreeMap::from([("missing".to_owned(), "/m".to_owned())]);
        for (told, expected) in [
            (json!({"m": "CL04，CL06"}), json!(["CL04", "CL06"])),
            (json!({"m": ["CL04"]}), json!(["CL04"])),
            (json!({"m": "CL04"}), json!(["CL04"])),
        ] {
            assert_eq!(extract(&told, &pointers)["missing"], expected);
        }
        assert!(extract(&json!({"m": " "}), &pointers).is_empty());
    }
}
