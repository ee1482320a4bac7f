//! TABLES FOR SPREADSHEETS: the same rows as CSV and as XLSX. The same rows always make the same bytes.

mod csv;
mod xlsx;

use jiff::civil::Date;

pub use xlsx::{MEDIA_TYPE as XLSX_MEDIA_TYPE, SheetError, xlsx};

/// What a spreadsheet of comma-separated values is served as.
pub const CSV_MEDIA_TYPE: &str = "text/csv; charset=utf-8";

/// One cell. A spreadsheet never takes a text for a formula.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cell {
    /// Nothing to say.
    Empty,
    /// Words.
    Text(String),
    /// How many.
    Count(u64),
    /// A part of a whole; of nothing: nothing to say.
    Share {
        /// The part.
        part: u64,
        /// The whole.
        whole: u64,
    },
    /// A number of tenths.
    Tenths(u64),
}

impl Cell {
    /// Words.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A part of `whole` in hundredths of a percent, rounded half up.
    pub fn hundredths(part: u64, whole: u64) -> Option<u64> {
        let scaled = u128::from(part) * 10_000 + u128::from(whole) / 2;
        (whole > 0).then(|| u64::try_from(scaled / u128::from(whole)).unwrap_or(u64::MAX))
    }

    /// As a value for programs: shares as `0.8703`.
    pub fn plain(&self) -> String {
        match self {
            Self::Empty => String::new(),
            Self::Text(text) => text.clone(),
            Self::Count(count) => count.to_string(),
            Self::Share { part, whole } => match Self::hundredths(*part, *whole) {
                None => String::new(),
                Some(it) => format!("{}.{:04}", it / 10_000, it % 10_000),
            },
            Self::Tenths(it) => format!("{}.{}", it / 10, it % 10),
        }
    }

    /// As people read it: counts in groups, shares in percent, `–` for nothing.
    pub fn shown(&self) -> String {
        match self {
            Self::Empty => "–".to_owned(),
            Self::Count(count) => grouped(*count),
            Self::Share { part, whole } => match Self::hundredths(*part, *whole) {
                None => "–".to_owned(),
                Some(it) => format!("{}.{:02}%", it / 100, it % 100),
            },
            other => other.plain(),
        }
    }
}

/// `12,345`
fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// One table with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// At most 31 characters and none of `[]:*?/\`, as spreadsheets demand.
    pub name: String,
    /// The columns' heads.
    pub heads: Vec<String>,
    /// The rows, each as long as the heads.
    pub rows: Vec<Vec<Cell>>,
}

impl Sheet {
    /// With these heads and no row.
    pub fn new<H: Into<String>>(name: &str, heads: impl IntoIterator<Item = H>) -> Self {
        let heads = heads.into_iter().map(Into::into).collect();
        Self { name: name.to_owned(), heads, rows: Vec::new() }
    }

    /// Comma-separated values, RFC 4180, with a byte order mark so that Excel reads UTF-8.
    pub fn csv(&self) -> String {
        csv::csv(self)
    }
}

/// Some tables in one file, with what the file says of itself. It never says when it was made: the
/// same figures are the same bytes on any day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Book {
    /// The file's title.
    pub title: String,
    /// The day that the file gives as its own.
    pub day: Date,
    /// The tables, in order.
    pub sheets: Vec<Sheet>,
}
