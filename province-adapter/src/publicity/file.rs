//! The file in which a clerk fills in annex 1, and an example to begin with.

use std::io::Read as _;
use std::path::Path;

use events::publicity::{ANNEX, Fulfilment, Month, Requirement, Statement};
use serde::{Deserialize, Serialize};

use super::table;

/// Largest file, in bytes: twice what the texts may fill.
pub const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// It is not there, or not to be read.
    #[error("cannot read `{path}`: file-unreadable")]
    Unreadable {
        /// Which.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// No table is so long.
    #[error("`{path}` is larger than {FILE_BYTES_MAX} bytes: file-too-large")]
    TooLarge {
        /// Which.
        path: String,
    },
    /// A spreadsheet's table in another encoding.
    #[error("`{path}` is not UTF-8: not-utf8\n(save it as \"CSV UTF-8\" 请另存为 CSV UTF-8)")]
    NotUtf8 {
        /// Which.
        path: String,
    },
    /// A spreadsheet's table with something wrong in it.
    #[error("`{path}`: {fault}")]
    Table {
        /// Which.
        path: String,
        /// What and where.
        fault: table::Fault,
    },
    /// Another shape.
    #[error(
        "`{path}` is no publicity table: not-a-statement\n(`province-adapter publicity --example` prints one to fill in)"
    )]
    NotAStatement {
        /// Which.
        path: String,
        /// What stands where.
        #[source]
        source: serde_json::Error,
    },
}

/// As a clerk writes it: a row may repeat what is wanted of it, and leave out what is nothing.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    month: Month,
    rows: Vec<Row>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    carriers_told_share: Option<u16>,
    knowledge_base: bool,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    /// For whoever fills it in; not sent.
    #[serde(default)]
    requirement: String,
    #[serde(default)]
    first: u32,
    #[serde(default)]
    second: u32,
    #[serde(default)]
    text: String,
}

/// Reads the table, CSV by its name and otherwise JSON; the bounds are looked at when it is kept.
pub fn read(path: &Path) -> Result<Statement, FileError> {
    let shown = || path.display().to_string();
    let unreadable = |source| FileError::Unreadable { path: shown(), source };
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err(FileError::TooLarge { path: shown() });
    }
    // Editors of that other system put a mark before the text.
    let text = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    let csv = path.extension().is_some_and(|it| it.eq_ignore_ascii_case("csv"));
    if csv {
        let text = std::str::from_utf8(text).map_err(|_| FileError::NotUtf8 { path: shown() })?;
        return table::read(text).map_err(|fault| FileError::Table { path: shown(), fault });
    }
    let table: Table = serde_json::from_slice(text)
        .map_err(|source| FileError::NotAStatement { path: shown(), source })?;
    let row = |it: Row| Fulfilment {
        first: it.first,
        second: it.second,
        text: it.text.replace("\r\n", "\n"),
    };
    Ok(Statement {
        month: table.month,
        rows: table.rows.into_iter().map(row).collect(),
        carriers_told_share: table.carriers_told_share,
        knowledge_base: table.knowledge_base,
    })
}

/// A table for `month` in which nothing was done yet, with what each row asks for.
pub fn example(month: Month) -> String {
    let requirement = |it: &Requirement| match it.second.0 {
        "" => format!("{}：{}（first {}）", it.zh, it.content.0, it.first.0),
        second => format!("{}：{}（first {}，second {second}）", it.zh, it.content.0, it.first.0),
    };
    let row = |it: &Requirement| Row {
        requirement: requirement(it),
        first: 0,
        second: 0,
        text: String::new(),
    };
    let table = Table {
        month,
        rows: ANNEX.iter().map(row).collect(),
        carriers_told_share: Some(0),
        knowledge_base: false,
    };
    let text = serde_json::to_string_pretty(&table).expect("plain structs always serialize");
    format!("{text}\n")
}
