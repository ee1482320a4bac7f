//! What the office is told about a file: one line for each record, with what to mend, in Chinese.

use serde::{Deserialize, Serialize};

use super::charset;
use super::record::Manner;
use crate::office::ledger::{self, Ended, Verdict};
use crate::office::sheet::Column;
use crate::office::sheet::answer::Problem;

const fn column(name: &'static str, zh: &'static str) -> Column {
    Column { name, zh, personal: false }
}

const LINE: Column = column("line", "行号");
const ANSWER_ID: Column = column("answer_id", "答复编号");
const STATUS: Column = column("status", "状态");
const CODE: Column = column("code", "代码");
const TEXT: Column = column("text", "说明");
const COLUMNS: [Column; 5] = [LINE, ANSWER_ID, STATUS, CODE, TEXT];

/// One record's fate. Line 0 is the file itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Line {
    pub(super) line: usize,
    pub(super) answer_id: Option<String>,
    pub(super) status: String,
    pub(super) code: Option<String>,
    pub(super) text: String,
}

impl Line {
    /// The whole file was refused.
    pub(super) fn file_refused(problem: &Problem) -> Self {
        Self::refused(0, None, problem)
    }

    pub(super) fn refused(line: usize, answer_id: Option<String>, problem: &Problem) -> Self {
        Self {
            line,
            answer_id,
            status: "refused".to_owned(),
            code: Some(problem.code.to_owned()),
            text: problem.text.clone(),
        }
    }

    pub(super) fn done(line: usize, answer_id: Option<String>, text: impl Into<String>) -> Self {
        Self { line, answer_id, status: "taken".to_owned(), code: None, text: text.into() }
    }

    /// Nothing for what is looked at again.
    pub(super) fn of(line: usize, answer_id: Option<String>, verdict: &Verdict) -> Option<Self> {
        match verdict {
            Verdict::Taken(Some(_)) => Some(Self::done(line, answer_id, "已取走，等待中枢回执")),
            Verdict::Taken(None) => Some(Self::done(line, answer_id, "已取走，不需要向中枢报告")),
            Verdict::Refused(problem) => Some(Self::refused(line, answer_id, problem)),
            Verdict::Later => None,
        }
    }

    /// What the hub said.
    pub(super) fn ended(ended: &Ended) -> Self {
        let (status, text) = match &ended.refusal {
            None => ("recorded", "中枢已记录".to_owned()),
            Some(code) => ("hub-refused", ledger::hub_refusal_text(code)),
        };
        Self {
            line: 0,
            answer_id: Some(ended.answer_id.clone()),
            status: status.to_owned(),
            code: ended.refusal.clone(),
            text,
        }
    }

    pub(super) fn is_taken(&self) -> bool {
        self.status == "taken"
    }
}

/// The receipt as a file. A code of the office that the encoding cannot hold is shown by its number.
pub(super) fn write(lines: &[Line], manner: Manner) -> Vec<u8> {
    let record = |it: &Line| {
        let values = [
            (LINE, (it.line > 0).then(|| it.line.to_string())),
            (ANSWER_ID, it.answer_id.clone()),
            (STATUS, Some(it.status.clone())),
            (CODE, it.code.clone()),
            (TEXT, Some(shown(&it.text, manner))),
        ];
        values.into_iter().filter_map(|(column, value)| Some((column, value?))).collect()
    };
    let records: Vec<Vec<(Column, String)>> = lines.iter().map(record).collect();
    manner
        .write("receipt", &COLUMNS, &records)
        .expect("codes and ids are visible ASCII and every text was made to fit")
}

fn shown(text: &str, manner: Manner) -> String {
    let fits = |it: char| {
        !it.is_control() && charset::encode(&it.to_string(), manner.charset, false).is_some()
    };
    let one = |it: char| if fits(it) { it.to_string() } else { format!("U+{:04X}", u32::from(it)) };
    text.chars().map(one).collect()
}
