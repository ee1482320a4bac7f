//! An office's answer as named values, turned into news in the hub's words. What is wrong is named with
//! its place; nothing is guessed, nothing is left over unread.

use events::case::CaseResult;
use events::ids::{DivisionCode, RequestId};
use events::report::News;
use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::{Map, Value};

use super::codes::{AnswerKind, CodeError, Codes, ReasonFor};

/// Entries of one list; more are refused before they are read.
const LIST_MAX: usize = 64;

/// A value that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pointer}`: {detail}")]
pub(crate) struct Fault {
    /// The stable code.
    pub(crate) code: &'static str,
    /// RFC 6901.
    pub(crate) pointer: String,
    /// What it must be; of values only codes are repeated, shortened.
    pub(crate) detail: String,
}

/// What an office said, before it is an answer to a certain case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    /// Nothing: a state of the office's own.
    pub(crate) news: Option<News>,
    pub(crate) request: Option<RequestId>,
    pub(crate) decided_at: Option<Timestamp>,
    pub(crate) text: Option<String>,
}

/// Named values. Each may be taken once; whatever remains belongs to no answer of the kind.
pub(crate) struct Fields<'a> {
    at: String,
    map: Map<String, Value>,
    codes: &'a Codes,
}

/// Reads an answer whole.
pub(crate) fn read(map: Map<String, Value>, codes: &Codes) -> Result<Said, Fault> {
    let mut fields = Fields { at: String::new(), map, codes };
    let kind = fields.need("kind")?;
    let kind = codes.answer_of(&kind).map_err(|it| fields.code("kind", &it))?;
    read_as(kind, fields.map, codes)
}

/// The same where the kind is known already.
pub(crate) fn read_as(
    kind: AnswerKind,
    map: Map<String, Value>,
    codes: &Codes,
) -> Result<Said, Fault> {
    let mut fields = Fields { at: String::new(), map, codes };
    let request = fields.parsed("request", "must be the `request` of the work")?;
    let decided_at = fields.parsed::<Timestamp>(
        "decided_at",
        "must be a moment of RFC 3339 with an offset, e.g. 2026-03-02T09:00:00+08:00",
    )?;
    let text = fields.text("text")?;
    let news = fields.news(kind)?;
    // An office's own state may come with anything.
    if kind != AnswerKind::NothingNew {
        fields.nothing_left(kind)?;
    }
    Ok(Said { news, request, decided_at, text })
}

impl Fields<'_> {
    fn news(&mut self, kind: AnswerKind) -> Result<Option<News>, Fault> {
        Ok(Some(match kind {
            AnswerKind::NothingNew => return Ok(None),
            AnswerKind::Accepted => {
                News::Accepted { acceptance_number: self.need("acceptance_number")? }
            }
            AnswerKind::Declined => {
                let reason = self.need("reason")?;
                let reason = self.codes.reason_of(ReasonFor::Declining, &reason);
                News::Declined { reason: reason.map_err(|it| self.code("reason", &it))? }
            }
            AnswerKind::Returned => {
                let reason = self.need("reason")?;
                let reason = self.codes.reason_of(ReasonFor::Returning, &reason);
                let reason = reason.map_err(|it| self.code("reason", &it))?;
                News::Returned { reason, division: self.division()? }
            }
            AnswerKind::CorrectionRequested => {
                let codes = self.codes;
                let missing = self.list("missing", |it| codes.material_of(it))?;
                let until = self.parsed("until", "must be a day, e.g. 2026-03-20")?;
                let until: Date =
                    until.ok_or_else(|| self.fault("missing-field", "until", "is needed"))?;
                News::CorrectionRequested { missing, until }
            }
            AnswerKind::Suspended => {
                let ground = self.need("ground")?;
                let ground =
                    self.codes.ground_of(&ground).map_err(|it| self.code("ground", &it))?;
                News::Suspended { ground }
            }
            AnswerKind::Resumed => News::Resumed,
            AnswerKind::Completed => self.completed()?,
            AnswerKind::CertificateIssued => {
                News::CertificateIssued { certificate_id: self.need("certificate_id")? }
            }
        }))
    }

    fn completed(&mut self) -> Result<News, Fault> {
        let codes = self.codes;
        let outcome = self.need("outcome")?;
        let outcome = codes.outcome_of(&outcome).map_err(|it| self.code("outcome", &it))?;
        let decision_number = self.need("decision_number")?;
        let reasons = self.list("reasons", |it| codes.reason_of(ReasonFor::Denying, it))?;
        let mut result = self.nested("result")?;
        let grade = result.text("grade")?;
        let grade = grade.map(|it| codes.grade_of(&it).map_err(|no| result.code("grade", &no)));
        let what = CaseResult {
            grade: grade.transpose()?,
            valid_until: result.parsed("valid_until", "must be a day, e.g. 2032-03-20")?,
            certificate_id: result.text("certificate_id")?,
            next_due: result.parsed("next_due", "must be a day, e.g. 2027-03-20")?,
        };
        result.nothing_left(AnswerKind::Completed)?;
        Ok(News::Completed { outcome, decision_number, reasons, result: what })
    }

    /// The file's place: a division, or the office's code of the authority that has it.
    fn division(&mut self) -> Result<Option<DivisionCode>, Fault> {
        let told = self.parsed("division", "must be a division code of six digits")?;
        let Some(authority) = self.text("authority")? else { return Ok(told) };
        let found = self.codes.division_of(&authority).map_err(|it| self.code("authority", &it))?;
        match told {
            Some(told) if told != found => {
                Err(self.fault("contradiction", "division", "is not that of `authority`"))
            }
            _ => Ok(Some(found)),
        }
    }

    /// A text without the blanks around it; an empty one and `null` are none. Numbers count as written.
    fn text(&mut self, name: &str) -> Result<Option<String>, Fault> {
        match self.map.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(it)) if name == "text" => Ok((!it.is_empty()).then_some(it)),
            Some(Value::String(it)) => Ok(Some(it.trim().to_owned()).filter(|it| !it.is_empty())),
            Some(Value::Number(it)) => Ok(Some(it.to_string())),
            Some(_) => Err(self.fault("wrong-type", name, "must be a text")),
        }
    }

    fn need(&mut self, name: &str) -> Result<String, Fault> {
        self.text(name)?.ok_or_else(|| self.fault("missing-field", name, "is needed"))
    }

    fn parsed<T: std::str::FromStr>(&mut self, name: &str, must: &str) -> Result<Option<T>, Fault> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| self.fault("wrong-value", name, must))
    }

    fn list<T>(
        &mut self,
        name: &str,
        of: impl Fn(&str) -> Result<T, CodeError>,
    ) -> Result<Vec<T>, Fault> {
        let entries = match self.map.remove(name) {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(it)) if it.len() <= LIST_MAX => it,
            Some(_) => return Err(self.fault("wrong-type", name, "must be a list of codes")),
        };
        let mut list = Vec::new();
        for (at, entry) in entries.iter().enumerate() {
            let place = format!("{name}/{at}");
            let Some(code) = entry.as_str() else {
                return Err(self.fault("wrong-type", &place, "must be a code, as a text"));
            };
            list.push(of(code).map_err(|it| self.code(&place, &it))?);
        }
        Ok(list)
    }

    fn nested(&mut self, name: &str) -> Result<Self, Fault> {
        let map = match self.map.remove(name) {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(it)) => it,
            Some(_) => return Err(self.fault("wrong-type", name, "must be an object")),
        };
        Ok(Self { at: format!("{}/{name}", self.at), map, codes: self.codes })
    }

    fn nothing_left(&self, kind: AnswerKind) -> Result<(), Fault> {
        let Some(name) = self.map.keys().next() else { return Ok(()) };
        let name: String = name.chars().take(32).collect();
        let detail = format!("does not belong to `{}`", kind.code());
        Err(self.fault("unknown-field", &name, &detail))
    }

    fn fault(&self, code: &'static str, name: &str, detail: &str) -> Fault {
        Fault { code, pointer: format!("{}/{name}", self.at), detail: detail.to_owned() }
    }

    fn code(&self, name: &str, error: &CodeError) -> Fault {
        self.fault(error.code(), name, &error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn codes() -> Codes {
        let example = include_str!("../../../deploy/codes.example.toml");
        Codes::parse(example, std::path::Path::new("codes.toml")).unwrap()
    }

    fn said(value: Value) -> Result<News, (&'static str, String)> {
        let Value::Object(map) = value else { panic!("not an object") };
        let said = read(map, &codes()).map_err(|it| (it.code, it.pointer))?;
        Ok(said.news.unwrap())
    }

    #[test]
    fn every_kind_is_read_in_the_offices_codes_and_said_in_the_hubs() {
        let wire = |value: Value| serde_json::from_value::<News>(value).unwrap();
        #[rustfmt::skip] // a table
        let table = [
            (json!({"kind": "02", "acceptance_number": "受-1"}),
             json!({"kind": "accepted", "acceptance_number": "受-1"})),
            (json!({"kind": "03", "reason": "19"}),
             json!({"kind": "declined", "reason": "over-age"})),
            (json!({"kind": "04", "missing": ["CL04", "CL06"], "until": "2026-03-20"}),
             json!({"kind": "correction-requested", "missing": ["photo", "loss-statement"], "until": "2026-03-20"})),
            (json!({"kind": "05", "reason": "T1", "authority": "3701"}),
             json!({"kind": "returned", "reason": "not-this-authority", "division": "370100"})),
            (json!({"kind": "06", "ground": "2"}),
             json!({"kind": "suspended", "ground": "examination"})),
            (json!({"kind": "07"}),
             json!({"kind": "resumed"})),
            (json!({"kind": "08", "outcome": 1, "decision_number": "决-1", "result": {"grade": "4", "next_due": "2027-03-20"}}),
             json!({"kind": "completed", "outcome": "approved", "decision_number": "决-1", "result": {"grade": "AAA", "next_due": "2027-03-20"}})),
            (json!({"kind": "09", "certificate_id": " C-1 "}),
             json!({"kind": "certificate-issued", "certificate_id": "C-1"})),
        ];
        for (given, expected) in table {
            assert_eq!(said(given.clone()), Ok(wire(expected)), "{given}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place() {
        #[rustfmt::skip] // a table
        let table = [
            (json!({}),                                              "missing-field",      "/kind"),
            (json!({"kind": "accepted"}),                            "unknown-local-code", "/kind"),
            (json!({"kind": "02"}),                                  "missing-field",      "/acceptance_number"),
            (json!({"kind": "02", "acceptance_number": " "}),        "missing-field",      "/acceptance_number"),
            (json!({"kind": "02", "acceptance_number": ["1"]}),      "wrong-type",         "/acceptance_number"),
            (json!({"kind": "02", "acceptance_number": "1", "x": 1}), "unknown-field",     "/x"),
            (json!({"kind": "03", "reason": "T1"}),                  "unknown-local-code", "/reason"),
            (json!({"kind": "04", "missing": ["CL04", "CL6"], "until": "2026-03-20"}), "unknown-local-code", "/missing/1"),
            (json!({"kind": "04", "missing": ["CL04"], "until": "20.3.2026"}), "wrong-value", "/until"),
            (json!({"kind": "04", "missing": "CL04", "until": "2026-03-20"}), "wrong-type", "/missing"),
            (json!({"kind": "05", "reason": "T1", "division": "22"}), "wrong-value",       "/division"),
            (json!({"kind": "05", "reason": "T1", "division": "220100", "authority": "3701"}), "contradiction", "/division"),
            (json!({"kind": "05", "reason": "T1", "authority": "2206"}), "unknown-local-code", "/authority"),
            (json!({"kind": "08", "outcome": "1", "decision_number": "1", "result": {"grad": "4"}}), "unknown-field", "/result/grad"),
            (json!({"kind": "08", "outcome": "1", "decision_number": "1", "result": {"grade": "5"}}), "unknown-local-code", "/result/grade"),
            (json!({"kind": "07", "decided_at": "2026-03-02 09:00"}), "wrong-value",       "/decided_at"),
        ];
        for (given, code, pointer) in table {
            let told = said(given.clone()).unwrap_err();
            assert_eq!(told, (code, pointer.to_owned()), "{given}");
        }
    }

    #[test]
    fn a_state_of_the_offices_own_is_no_news() {
        let Value::Object(map) = json!({"kind": "01", "anything": true}) else { panic!() };
        assert_eq!(read(map, &codes()).unwrap().news, None);
    }

    #[test]
    fn the_text_for_the_applicant_stays_as_it_is() {
        let Value::Object(map) = json!({"kind": "07", "text": " 两行\n文字 "}) else {
            panic!()
        };
        assert_eq!(read(map, &codes()).unwrap().text.as_deref(), Some(" 两行\n文字 "));
    }
}
