//! Files of records, read and written: the same columns as XML elements or as lines of CSV, with an
//! end mark and a count, so that half a file is never taken for a whole one.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::escape::escape;
use quick_xml::events::Event;

use super::charset;
use super::settings::{Charset, Format};
use crate::office::sheet::Column;
use crate::office::sheet::answer::Problem;

/// The last line of a CSV file: this, then the number of records before it.
const END: &str = "#END";
/// What a spreadsheet takes for a formula.
const FORMULA: [char; 6] = ['=', '+', '-', '@', '\t', '\r'];

/// A record and the line in which it begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) line: usize,
    /// The column's name or its Chinese heading, and the value.
    pub(super) fields: Vec<(String, String)>,
}

/// Why a file is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unread {
    /// Its end is missing: maybe it is still being written.
    Incomplete,
    /// It will never be readable.
    Refused(Problem),
}

/// How files are written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Manner {
    pub(super) format: Format,
    pub(super) charset: Charset,
    pub(super) formula_safe: bool,
}

/// A value that cannot stand in the file; the column names it, the value stays untold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "column `{column}` has a character that {charset} cannot hold\n(`folder.encoding = \"gb18030\"` holds every character)"
)]
pub(super) struct Unfit {
    pub(super) column: &'static str,
    pub(super) charset: &'static str,
}

impl Manner {
    /// A whole file; `kind` is `work` or `receipt`.
    pub(super) fn write(
        self,
        kind: &str,
        columns: &[Column],
        records: &[Vec<(Column, String)>],
    ) -> Result<Vec<u8>, Unfit> {
        for (column, value) in records.iter().flatten() {
            let fits = charset::encode(value, self.charset, false).is_some();
            if !fits || (self.format == Format::Xml && value.chars().any(is_no_xml)) {
                return Err(Unfit { column: column.name, charset: charset::name(self.charset) });
            }
        }
        let text = match self.format {
            Format::Xml => self.xml(kind, records),
            Format::Csv => self.csv(columns, records),
        };
        charset::encode(&text, self.charset, self.format == Format::Csv)
            .ok_or(Unfit { column: "heading", charset: charset::name(self.charset) })
    }

    fn xml(self, kind: &str, records: &[Vec<(Column, String)>]) -> String {
        let mut text = format!(
            "<?xml version=\"1.0\" encoding=\"{}\"?>\r\n<exchange version=\"1\" kind=\"{kind}\" count=\"{}\">\r\n",
            charset::name(self.charset),
            records.len()
        );
        for record in records {
            text.push_str("  <record>\r\n");
            for (column, value) in record {
                let value = escape(value.as_str());
                text.push_str(&format!("    <{0}>{value}</{0}>\r\n", column.name));
            }
            text.push_str("  </record>\r\n");
        }
        text.push_str("</exchange>\r\n");
        text
    }

    fn csv(self, columns: &[Column], records: &[Vec<(Column, String)>]) -> String {
        let mut lines = vec![columns.iter().map(|it| it.zh.to_owned()).collect::<Vec<_>>()];
        for record in records {
            let value = |column: &Column| {
                let found = record.iter().find(|it| it.0 == *column);
                found.map(|it| self.harmless(&it.1).into_owned()).unwrap_or_default()
            };
            lines.push(columns.iter().map(value).collect());
        }
        lines.push(vec![END.to_owned(), records.len().to_string()]);
        let quoted = |it: &String| format!("\"{}\"", it.replace('"', "\"\""));
        let line = |it: Vec<String>| it.iter().map(quoted).collect::<Vec<_>>().join(",") + "\r\n";
        lines.into_iter().map(line).collect()
    }

    fn harmless(self, value: &str) -> Cow<'_, str> {
        if self.formula_safe && value.starts_with(FORMULA) {
            Cow::Owned(format!("'{value}"))
        } else {
            Cow::Borrowed(value)
        }
    }
}

/// Control characters that no XML 1.0 file can hold, however written.
fn is_no_xml(it: char) -> bool {
    it.is_control() && !matches!(it, '\t' | '\r' | '\n' | '\u{80}'..='\u{9f}')
}

/// All records of a file; `records_max` bounds them.
pub(super) fn read(
    bytes: &[u8],
    format: Format,
    charset: Charset,
    records_max: usize,
) -> Result<Vec<Record>, Unread> {
    let said = if format == Format::Xml { charset::declared(bytes) } else { None };
    let charset = said.unwrap_or(charset);
    let named = charset::name(charset);
    if charset::is_doubtful(bytes, charset) {
        let text =
            format!("内容是UTF-8，却按 {named} 传来；请改正编码，CSV 请加字节顺序标记（BOM）");
        return Err(refused("encoding-doubtful", text));
    }
    let text = charset::decode(bytes, charset).map_err(|line| {
        refused("not-in-this-encoding", format!("第{line}行不是 {named} 编码的文字"))
    })?;
    let (records, counted) = match format {
        Format::Xml => read_xml(&text, records_max)?,
        Format::Csv => read_csv(&text, records_max)?,
    };
    if counted != records.len() {
        return Err(refused(
            "count-differs",
            format!("结束标记写明 {counted} 条，实有 {} 条", records.len()),
        ));
    }
    Ok(records)
}

fn refused(code: &'static str, text: impl Into<String>) -> Unread {
    Unread::Refused(Problem::whole(code, text))
}

fn too_many(records_max: usize) -> Unread {
    refused("too-many-records", format!("超过 {records_max} 条，请分成几个文件"))
}

fn read_csv(text: &str, records_max: usize) -> Result<(Vec<Record>, usize), Unread> {
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut heading: Option<Vec<String>> = None;
    let mut records = Vec::new();
    for line in reader.records() {
        let line = line.map_err(|_| refused("not-csv", "不是逗号分隔的文件"))?;
        let at = line.position().map_or(0, |it| first_line(text, it));
        if line.get(0) == Some(END) {
            let count = line.get(1).and_then(|it| it.trim().parse().ok());
            let count =
                count.ok_or_else(|| refused("not-csv", format!("第{at}行的条数不是数字")))?;
            // What follows the end was not meant.
            return match reader.records().next() {
                None => Ok((records, count)),
                Some(_) => Err(refused("not-csv", format!("第{at}行结束标记之后还有内容"))),
            };
        }
        let Some(names) = &heading else {
            heading = Some(line.iter().map(|it| it.trim().to_owned()).collect());
            continue;
        };
        if line.len() != names.len() {
            // The last line of half a file is short; with its end mark it is a mistake.
            if !text.contains(END) {
                return Err(Unread::Incomplete);
            }
            let given = line.len();
            return Err(refused(
                "not-csv",
                format!("第{at}行有 {given} 列，标题有 {} 列", names.len()),
            ));
        }
        if records.len() == records_max {
            return Err(too_many(records_max));
        }
        let fields = names.iter().zip(&line).map(|(name, value)| (name.clone(), plain(value)));
        records.push(Record { line: at, fields: fields.collect() });
    }
    Err(Unread::Incomplete)
}

/// Where a record begins for whoever looks at the file: behind the line ends before it.
fn first_line(text: &str, position: &csv::Position) -> usize {
    let before = usize::try_from(position.byte()).unwrap_or(0).min(text.len());
    let ends = text.as_bytes()[before..].iter().take_while(|it| matches!(it, b'\r' | b'\n'));
    let line = usize::try_from(position.line()).unwrap_or(0);
    line + ends.filter(|it| **it == b'\n').count()
}

/// The apostrophe that made a value harmless is taken off again.
fn plain(value: &str) -> String {
    match value.strip_prefix('\'') {
        Some(rest) if rest.starts_with(FORMULA) => rest.to_owned(),
        _ => value.to_owned(),
    }
}

fn read_xml(text: &str, records_max: usize) -> Result<(Vec<Record>, usize), Unread> {
    let mut reading =
        XmlReading { path: Vec::new(), records: Vec::new(), value: String::new(), count: None };
    let mut reader = Reader::from_str(text);
    let (mut counted_to, mut line) = (0, 1);
    loop {
        let before = usize::try_from(reader.buffer_position()).unwrap_or(counted_to);
        line += text.as_bytes()[counted_to..before].iter().filter(|it| **it == b'\n').count();
        counted_to = before;
        let bad = |what: &str| refused("not-xml", format!("第{line}行：{what}"));
        match reader.read_event() {
            // A file that breaks off is not told from one that is wrong until its end is there.
            Err(_) if !text.trim_end().ends_with("</exchange>") => return Err(Unread::Incomplete),
            Err(_) => return Err(bad("不是良构的XML")),
            Ok(Event::Eof) => break,
            Ok(Event::DocType(_)) => return Err(bad("不得有DOCTYPE")),
            Ok(Event::Start(it)) => {
                let name = it.name().as_ref().to_owned();
                let count = it.try_get_attribute("count").ok().flatten();
                let count = count.and_then(|it| it.value.trim().parse().ok());
                reading.open(&name, count, line, records_max, &bad)?;
            }
            Ok(Event::Empty(it)) => {
                let name = it.name().as_ref().to_owned();
                reading.open(&name, None, line, records_max, &bad)?;
                reading.close();
            }
            Ok(Event::End(_)) => reading.close(),
            Ok(Event::Text(it)) => reading.value.push_str(&it.xml10_content()),
            Ok(Event::CData(it)) => reading.value.push_str(&it.xml10_content()),
            Ok(Event::GeneralRef(it)) => {
                let named = format!("&{};", it.xml10_content());
                // Only the five of XML itself and characters by number: nothing is expanded.
                let meant = quick_xml::escape::unescape(&named).map_err(|_| bad("不认识的实体"))?;
                reading.value.push_str(&meant);
            }
            Ok(Event::Comment(_) | Event::Decl(_) | Event::PI(_)) => {}
        }
    }
    if !reading.path.is_empty() || reading.count.is_none() && reading.records.is_empty() {
        return Err(Unread::Incomplete);
    }
    let count = reading.count.ok_or_else(|| refused("not-xml", "exchange 元素缺少 count 条数"))?;
    Ok((reading.records, count))
}

/// exchange / record / column, and nothing else.
struct XmlReading {
    path: Vec<String>,
    records: Vec<Record>,
    value: String,
    count: Option<usize>,
}

impl XmlReading {
    fn open(
        &mut self,
        name: &str,
        count: Option<usize>,
        line: usize,
        records_max: usize,
        bad: &impl Fn(&str) -> Unread,
    ) -> Result<(), Unread> {
        match (self.path.len(), name) {
            (0, "exchange") if self.records.is_empty() => self.count = count,
            (1, "record") => {
                if self.records.len() == records_max {
                    return Err(too_many(records_max));
                }
                self.records.push(Record { line, fields: Vec::new() });
            }
            (2, _) => {}
            _ => return Err(bad("元素应为 exchange、record、列三层")),
        }
        self.value.clear();
        self.path.push(name.to_owned());
        Ok(())
    }

    fn close(&mut self) {
        let name = self.path.pop();
        if let (2, Some(name), Some(record)) = (self.path.len(), name, self.records.last_mut()) {
            record.fields.push((name, std::mem::take(&mut self.value)));
        }
        self.value.clear();
    }
}
