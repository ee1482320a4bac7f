//! An office's answer, from a row of texts to news. What is wrong with it is named with its column,
//! in Chinese, by a stable code, and never repeats what stood there: it may be somebody's name.

use std::collections::BTreeMap;

use events::case::CaseResult;
use events::ids::CaseId;
use events::report::News;
use events::vocabulary::{Outcome, Reason};
use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use sha2::{Digest as _, Sha256};

use super::{ANSWER, Column};
use crate::office::codes::{AnswerKind, CodeError, Codes, ReasonFor};
use crate::office::hours::shanghai;
use crate::reporter::Item;

/// Longest id that an office may give an answer, in characters.
pub(crate) const ANSWER_ID_CHARS_MAX: usize = 64;
/// Longest number of an acceptance, a decision or a certificate, in characters.
const NUMBER_CHARS_MAX: usize = 64;
/// Most reasons or missing documents in one answer.
const LIST_MAX: usize = 16;

/// Why an answer is not taken. Code and text go back to the office.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// Stable.
    pub(crate) code: &'static str,
    /// For whoever mends it, in Chinese.
    pub(crate) text: String,
}

impl Problem {
    /// One that belongs to no single column.
    pub(crate) fn whole(code: &'static str, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    fn at(code: &'static str, column: &str, text: &str) -> Self {
        let zh = ANSWER.iter().find(|it| it.name == column).map_or(column, |it| it.zh);
        Self { code, text: format!("“{zh}”（{column}）{text}") }
    }
}

/// The columns of an answer that have a value, by their name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AnswerRow(BTreeMap<&'static str, String>);

impl AnswerRow {
    /// Spaces around a value do not count; a value of spaces is none.
    pub(crate) fn set(&mut self, column: &Column, value: &str) {
        let value = value.trim();
        if !value.is_empty() {
            self.0.insert(column.name, value.to_owned());
        }
    }

    /// The office's own id for it.
    pub(crate) fn id(&self) -> Result<&str, Problem> {
        let id = self.want("answer_id")?;
        let plain = id.bytes().all(|it| it.is_ascii_graphic());
        if !plain || id.len() > ANSWER_ID_CHARS_MAX {
            return Err(Problem::at("wrong-value", "answer_id", "须为1至64个可见ASCII字符"));
        }
        if events::personal::has_identity_number(id) {
            return Err(Problem::at(
                "identity-number-in-clear",
                "answer_id",
                "含有公民身份号码，请改用不含个人信息的编号",
            ));
        }
        Ok(id)
    }

    /// The same for the same content, however it came.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        for (name, value) in &self.0 {
            hasher.update(name.as_bytes());
            hasher.update([0x1f]);
            hasher.update(value.as_bytes());
            hasher.update([0x1e]);
        }
        hasher.finalize().into()
    }

    fn get(&self, column: &'static str) -> Option<&str> {
        self.0.get(column).map(String::as_str)
    }

    fn want(&self, column: &'static str) -> Result<&str, Problem> {
        self.get(column).ok_or_else(|| self.missing(column))
    }

    fn number(&self, column: &'static str) -> Result<String, Problem> {
        let text = self.want(column)?;
        if text.chars().count() > NUMBER_CHARS_MAX {
            return Err(Problem::at("wrong-value", column, "超过64个字符"));
        }
        Ok(text.to_owned())
    }

    fn day(&self, column: &'static str) -> Result<Option<Date>, Problem> {
        let Some(text) = self.get(column) else { return Ok(None) };
        let formats = ["%Y-%m-%d", "%Y%m%d", "%Y/%m/%d"];
        let day = formats.iter().find_map(|it| Date::strptime(it, text).ok());
        day.map(Some)
            .ok_or_else(|| Problem::at("wrong-value", column, "不是日期，应为 2026-03-02 的写法"))
    }

    /// With an offset as it stands; without one it is Shanghai's.
    fn moment(&self, column: &'static str) -> Result<Timestamp, Problem> {
        let text = self.want(column)?;
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Ok(moment);
        }
        let formats = ["%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y%m%d%H%M%S"];
        let local = formats.iter().find_map(|it| DateTime::strptime(it, text).ok());
        let moment = local.and_then(|it| it.to_zoned(shanghai()).ok());
        moment.map(|it| it.timestamp()).ok_or_else(|| {
            Problem::at(
                "wrong-value",
                column,
                "不是时间，应为 2026-03-02 09:00:00（北京时间）或带时区的写法",
            )
        })
    }
}

/// What the office says, as news; nothing is guessed. Nothing where it says that there is no news.
pub(crate) fn read(row: &AnswerRow, codes: &Codes) -> Result<Option<Item>, Problem> {
    let case: CaseId = row.want("case_id")?.parse().map_err(|_| {
        Problem::at("wrong-value", "case_id", "不是办件标识，请原样填写收到的办件标识")
    })?;
    let kind = row.code("kind", |it| codes.answer_of(it))?;
    let occurred_at = row.moment("occurred_at")?;
    let Some(news) = news(row, codes, kind)? else { return Ok(None) };
    Ok(Some(Item { case, news, occurred_at, text: row.get("text").map(str::to_owned) }))
}

fn news(row: &AnswerRow, codes: &Codes, kind: AnswerKind) -> Result<Option<News>, Problem> {
    Ok(Some(match kind {
        AnswerKind::NothingNew => return Ok(None),
        AnswerKind::Accepted => {
            News::Accepted { acceptance_number: row.number("acceptance_number")? }
        }
        AnswerKind::Declined => {
            News::Declined { reason: row.one_reason(codes, ReasonFor::Declining)? }
        }
        AnswerKind::Returned => News::Returned {
            reason: row.one_reason(codes, ReasonFor::Returning)?,
            division: match row.get("division") {
                Some(_) => Some(row.code("division", |it| codes.division_of(it))?),
                None => None,
            },
        },
        AnswerKind::CorrectionRequested => News::CorrectionRequested {
            missing: row.codes("missing", |it| codes.material_of(it))?,
            until: row.day("until")?.ok_or_else(|| row.missing("until"))?,
        },
        AnswerKind::Suspended => {
            News::Suspended { ground: row.code("ground", |it| codes.ground_of(it))? }
        }
        AnswerKind::Resumed => News::Resumed,
        AnswerKind::Completed => completed(row, codes)?,
        AnswerKind::CertificateIssued => {
            News::CertificateIssued { certificate_id: row.number("certificate_id")? }
        }
    }))
}

fn completed(row: &AnswerRow, codes: &Codes) -> Result<News, Problem> {
    let outcome = row.code("outcome", |it| codes.outcome_of(it))?;
    let reasons = match row.get("reasons") {
        Some(_) => row.reasons(codes, ReasonFor::Denying)?,
        None if outcome == Outcome::Denied => return Err(row.missing("reasons")),
        None => Vec::new(),
    };
    let grade = match row.get("grade") {
        Some(_) => Some(row.code("grade", |it| codes.grade_of(it))?),
        None => None,
    };
    let certificate_id = match row.get("certificate_id") {
        Some(_) => Some(row.number("certificate_id")?),
        None => None,
    };
    Ok(News::Completed {
        outcome,
        decision_number: row.number("decision_number")?,
        reasons,
        result: CaseResult {
            grade,
            valid_until: row.day("valid_until")?,
            certificate_id,
            next_due: row.day("next_due")?,
        },
    })
}

impl AnswerRow {
    fn missing(&self, column: &str) -> Problem {
        Problem::at("missing-field", column, "没有填写")
    }

    fn code<T>(
        &self,
        column: &'static str,
        of: impl Fn(&str) -> Result<T, CodeError>,
    ) -> Result<T, Problem> {
        of(self.want(column)?).map_err(|it| unknown(column, &it))
    }

    fn codes<T>(
        &self,
        column: &'static str,
        of: impl Fn(&str) -> Result<T, CodeError>,
    ) -> Result<Vec<T>, Problem> {
        let split = self.want(column)?.split([';', '；', ',', '，', '、']).map(str::trim);
        let given: Vec<&str> = split.filter(|it| !it.is_empty()).collect();
        match given.len() {
            0 => return Err(self.missing(column)),
            count if count > LIST_MAX => {
                return Err(Problem::at("wrong-value", column, "超过16项"));
            }
            _ => {}
        }
        given.into_iter().map(|it| of(it).map_err(|it| unknown(column, &it))).collect()
    }

    fn reasons(&self, codes: &Codes, used: ReasonFor) -> Result<Vec<Reason>, Problem> {
        self.codes("reasons", |it| codes.reason_of(used, it))
    }

    fn one_reason(&self, codes: &Codes, used: ReasonFor) -> Result<Reason, Problem> {
        match self.reasons(codes, used)?.as_slice() {
            [one] => Ok(*one),
            _ => Err(Problem::at("wrong-value", "reasons", "此种答复只能有一个原因")),
        }
    }
}

fn unknown(column: &str, error: &CodeError) -> Problem {
    let given = match error {
        CodeError::Local { list, code, .. } => format!("“{code}”不在代码对照表 {list} 中"),
        CodeError::Hub { .. } | CodeError::Contradiction { .. } => "不在代码对照表中".to_owned(),
    };
    Problem::at(error.code(), column, &format!("的代码{given}，请改正代码或补充对照表"))
}
