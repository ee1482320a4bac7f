//! Annex 1 as a spreadsheet saves it: the form's four columns in the form's order, and five more for what the
//! form has in words only. What is wrong is named with its line and column, and never repeats what stood there.

use std::fmt;

use csv::{ReaderBuilder, StringRecord, WriterBuilder};
use events::publicity::{
    ANNEX, FIGURE_MAX, Fulfilment, Month, ROWS, Statement, TEXT_CHARACTERS_MAX,
};

/// A column's name in Chinese and in English; either may stand in the first line.
type Name = (&'static str, &'static str);

/// 序号、工作要求、落实内容、落实情况 are the form's own.
const COLUMNS: [Name; 9] = [
    ("序号", "number"),
    ("工作要求", "requirement"),
    ("落实内容", "content"),
    TEXT,
    FIRST,
    SECOND,
    MONTH,
    SHARE,
    BASE,
];
const TEXT: Name = ("落实情况", "text");
const FIRST: Name = ("数字一", "first");
const SECOND: Name = ("数字二", "second");
const MONTH: Name = ("月份", "month");
const SHARE: Name = ("通知企业占比", "carriers_told_share");
const BASE: Name = ("知识库", "knowledge_base");
/// In which rows the last two columns are filled in, counted from nothing.
const SHARE_ROW: usize = 4;
const BASE_ROW: usize = 6;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Stable.
    pub code: &'static str,
    /// The line on which the row begins.
    pub line: u64,
    column: Option<Name>,
    hint: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, line, column, hint } = self;
        match column {
            Some((zh, en)) => write!(f, "第 {line} 行“{zh}” line {line}, column `{en}`: {code}")?,
            None => write!(f, "第 {line} 行 line {line}: {code}")?,
        }
        write!(f, "\n({hint})")
    }
}

impl std::error::Error for Fault {}

/// A row with the line on which it begins.
struct Row {
    line: u64,
    cells: StringRecord,
}

impl Row {
    fn cell(&self, name: Name) -> &str {
        let at = COLUMNS.iter().position(|it| *it == name);
        at.and_then(|at| self.cells.get(at)).unwrap_or("").trim()
    }

    fn wrong(&self, column: Name, code: &'static str, hint: impl Into<String>) -> Fault {
        Fault { code, line: self.line, column: Some(column), hint: hint.into() }
    }

    /// A whole number; nothing is none.
    fn figure(&self, column: Name) -> Result<u32, Fault> {
        let text = self.cell(column);
        if text.is_empty() {
            return Ok(0);
        }
        let digits = text.bytes().all(|it| it.is_ascii_digit());
        let number = text.parse().ok().filter(|_| digits);
        let hint = format!("须为 0 至 {FIGURE_MAX} 的整数，不带分隔符和单位; a whole number");
        number.ok_or_else(|| self.wrong(column, "wrong-value", hint))
    }

    fn fulfilment(&self) -> Result<Fulfilment, Fault> {
        let text = self.cell(TEXT).to_owned();
        if events::personal::has_identity_number(&text) {
            let hint = "不得填写个人信息; nothing about a person belongs here";
            return Err(self.wrong(TEXT, "identity-number-in-clear", hint));
        }
        Ok(Fulfilment { first: self.figure(FIRST)?, second: self.figure(SECOND)?, text })
    }
}

/// Reads it; what the contract does not allow is refused here already, because here its place is known.
pub fn read(text: &str) -> Result<Statement, Fault> {
    let mut rows = rows(text)?;
    if rows.is_empty() {
        return Err(no_row(1, "没有表头; there is no first line"));
    }
    headed(&rows.remove(0))?;
    numbered(&rows)?;
    let statement = Statement {
        month: month(&rows)?,
        rows: rows.iter().map(Row::fulfilment).collect::<Result<_, _>>()?,
        carriers_told_share: only(&rows, SHARE, SHARE_ROW, share)?.flatten(),
        knowledge_base: only(&rows, BASE, BASE_ROW, base)?.unwrap_or_default(),
    };
    match statement.flaw() {
        Some(pointer) => Err(placed(&rows, &pointer)),
        None => Ok(statement),
    }
}

/// Rows with anything in them: spreadsheets leave rows of commas behind.
fn rows(text: &str) -> Result<Vec<Row>, Fault> {
    let text = text.replace("\r\n", "\n");
    let mut reader = ReaderBuilder::new();
    let reader = reader.has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut rows = Vec::new();
    for record in reader.into_records() {
        let cells = record.map_err(|it| {
            let line = line(&text, it.position());
            Fault { code: "not-csv", line, column: None, hint: "不是 CSV; not CSV".to_owned() }
        })?;
        let line = line(&text, cells.position());
        if cells.iter().skip(COLUMNS.len()).any(|it| !it.trim().is_empty()) {
            let hint = format!("多于 {} 列; more columns than that", COLUMNS.len());
            return Err(Fault { code: "not-csv", line, column: None, hint });
        }
        if cells.iter().any(|it| !it.trim().is_empty()) {
            rows.push(Row { line, cells });
        }
    }
    Ok(rows)
}

/// The reader's own count stands still at the empty lines before a row.
fn line(text: &str, at: Option<&csv::Position>) -> u64 {
    let begins = at.and_then(|it| usize::try_from(it.byte()).ok()).unwrap_or(0);
    let (before, after) = text.as_bytes().split_at(begins.min(text.len()));
    let ends = before.iter().chain(after.iter().take_while(|it| **it == b'\n'));
    1 + ends.filter(|it| **it == b'\n').count() as u64
}

fn no_row(line: u64, hint: &str) -> Fault {
    Fault { code: "wrong-rows", line, column: None, hint: hint.to_owned() }
}

/// The names, either language, in their order; what stands in brackets after one does not count.
fn headed(row: &Row) -> Result<(), Fault> {
    for (name, at) in COLUMNS.into_iter().zip(0..) {
        let given = row.cells.get(at).unwrap_or("");
        let given = given.split(['(', '（']).next().unwrap_or("").trim();
        if given != name.0 && !given.eq_ignore_ascii_case(name.1) {
            let hint = format!(
                "第 {} 列应为此列; `province-adapter publicity --example --csv` prints the columns",
                at + 1
            );
            return Err(row.wrong(name, "wrong-header", hint));
        }
    }
    Ok(())
}

/// Eight, numbered in the annex's order.
fn numbered(rows: &[Row]) -> Result<(), Fault> {
    for (row, number) in rows.iter().zip(1..) {
        let fits = number <= ROWS && row.cell(COLUMNS[0]).parse() == Ok(number);
        if !fits {
            let hint = "须为附件 1 的八行，序号 1 至 8; the eight rows of annex 1, in order";
            return Err(row.wrong(COLUMNS[0], "wrong-rows", hint));
        }
    }
    match rows.last() {
        Some(_) if rows.len() == ROWS => Ok(()),
        last => {
            let line = last.map_or(1, |it| it.line);
            Err(no_row(
                line,
                "不足八行; fewer than the eight rows of annex 1 (is a quote left open?)",
            ))
        }
    }
}

/// In the first row at least, and wherever else it stands, the same.
fn month(rows: &[Row]) -> Result<Month, Fault> {
    let mut found = None;
    for row in rows {
        let text = row.cell(MONTH);
        if text.is_empty() {
            continue;
        }
        let hint = "须写成 2026-11，各行相同; a month like 2026-11, the same in every row";
        let wrong = || row.wrong(MONTH, "wrong-value", hint);
        let month = month_of(text).ok_or_else(wrong)?;
        if found.is_some_and(|it| it != month) {
            return Err(wrong());
        }
        found = Some(month);
    }
    let hint = "请填写月份; which month is it?";
    found.ok_or_else(|| rows[0].wrong(MONTH, "missing-value", hint))
}

/// `2026-11`, and what spreadsheets make of it by themselves.
fn month_of(text: &str) -> Option<Month> {
    let text = text.trim_end_matches('月').replace(['年', '/', '.'], "-");
    let parts: Vec<&str> = text.split('-').collect();
    let (year, month) = match parts[..] {
        [year, month] | [year, month, "1" | "01"] => (year, month),
        _ => return None,
    };
    format!("{year}-{month:0>2}").parse().ok()
}

/// What stands in the one row that has this column.
fn only<T>(
    rows: &[Row],
    column: Name,
    place: usize,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, Fault> {
    let mut found = None;
    for (row, at) in rows.iter().zip(0..) {
        let text = row.cell(column);
        if at == place {
            let hint = "占比如 95.5，知识库填“是”或“否”; a share like 95.5, the base yes or no";
            found = Some(read(text).ok_or_else(|| row.wrong(column, "wrong-value", hint))?);
        } else if !text.is_empty() {
            let hint = format!("只在第 {} 行填写; only row {} has it", place + 1, place + 1);
            return Err(row.wrong(column, "wrong-value", hint));
        }
    }
    Ok(found)
}

/// `95` or `95.5`, with or without a percent sign, in hundredths.
fn share(text: &str) -> Option<Option<u16>> {
    let text = text.trim_end_matches(['%', '％']).trim_end();
    if text.is_empty() {
        return Some(None);
    }
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits =
        |it: &str, most| (1..=most).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_digit());
    if !digits(whole, 3) || !digits(part, 2) {
        return None;
    }
    format!("{whole}{part:0<2}").parse().ok().map(Some)
}

fn base(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "是" | "yes" | "true" => Some(true),
        "" | "否" | "no" | "false" => Some(false),
        _ => None,
    }
}

/// The contract's own no, at its place in the file.
fn placed(rows: &[Row], pointer: &str) -> Fault {
    let mut parts = pointer.rsplit('/');
    let column = match parts.next() {
        Some("first") => FIRST,
        Some("second") => SECOND,
        Some("carriers_told_share") => SHARE,
        _ => TEXT,
    };
    let at = parts.next().and_then(|it| it.parse::<usize>().ok()).unwrap_or(SHARE_ROW);
    let hint = format!(
        "数字至多 {FIGURE_MAX}（第 1 行没有数字二），文字至多 {TEXT_CHARACTERS_MAX} 字，占比至多 100; out of bounds"
    );
    rows[at.min(rows.len() - 1)].wrong(column, "out-of-bounds", hint)
}

/// The same table as the JSON example, with a mark that tells a spreadsheet how it is written.
pub fn example(month: Month) -> String {
    let mut writer = WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    let mut write = |cells: [&str; 9]| {
        writer.write_record(cells).expect("writing into memory does not fail");
    };
    write(COLUMNS.map(|it| if it == SHARE { "通知企业占比（%）" } else { it.0 }));
    let month = month.to_string();
    for (wanted, at) in ANNEX.iter().zip(0..) {
        let asked = match wanted.second.0 {
            "" => format!("{}（数字一：{}）", wanted.content.0, wanted.first.0),
            second => {
                format!("{}（数字一：{}；数字二：{second}）", wanted.content.0, wanted.first.0)
            }
        };
        let second = if wanted.second.0.is_empty() { "" } else { "0" };
        let share = if at == SHARE_ROW { "0" } else { "" };
        let base = if at == BASE_ROW { "否" } else { "" };
        let number = (at + 1).to_string();
        write([&number, wanted.zh, &asked, "", "0", second, &month, share, base]);
    }
    let bytes = writer.into_inner().expect("memory does not fail");
    format!("\u{feff}{}", String::from_utf8(bytes).expect("only text went in"))
}

#[cfg(test)]
mod tests;
