//! Where the folders are, what the files look like, and how many and how large they may be.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

/// `[folder]` of the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FolderSettings {
    /// The folder with `out`, `in`, `done`, `refused`, `receipts` and `tmp`: on one local disk.
    pub root: PathBuf,
    /// What the adapter writes; it reads both.
    pub format: Format,
    /// In which characters it writes, and reads where a file does not say.
    pub encoding: Charset,
    /// In CSV, a value that a spreadsheet would compute gets an apostrophe in front.
    pub formula_safe: bool,
    /// When a file in `in` counts as whole.
    pub complete_when: CompleteWhen,
    /// For size and time of a file to stay as they are before it is read.
    pub settle_ms: u64,
    /// After which a file that is not whole is refused.
    pub half_written_after_ms: u64,
    /// Between two looks into `in`.
    pub poll_interval_ms: u64,
    /// Files in one look.
    pub files_at_once_max: u64,
    /// Size of one file.
    pub file_bytes_max: u64,
    /// Records in one file.
    pub records_a_file_max: u64,
    /// Files that wait in `out`; with more, the office is not given more.
    pub out_files_max: u64,
    /// Work that one resend request brings back at most.
    pub resend_works_max: u64,
}

/// How a record is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// One element a column.
    Xml,
    /// One line a record, a Chinese heading, every value in quotes.
    Csv,
}

/// In which characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub enum Charset {
    /// UTF-8; CSV with a byte order mark.
    #[serde(rename = "utf-8")]
    Utf8,
    /// GBK: about 21 000 characters; rare characters of names do not exist in it.
    #[serde(rename = "gbk")]
    Gbk,
    /// GB18030: GBK and everything else.
    #[serde(rename = "gb18030")]
    Gb18030,
}

/// The agreement by which a half-written file is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CompleteWhen {
    /// Its size and time have not changed for a while, and its end mark fits.
    Stable,
    /// As well, `<name>.sha256` stands beside it and fits.
    Hash,
}

impl Default for FolderSettings {
    fn default() -> Self {
        Self {
            root: PathBuf::from("exchange"),
            format: Format::Xml,
            encoding: Charset::Gb18030,
            formula_safe: true,
            complete_when: CompleteWhen::Stable,
            settle_ms: 2_000,
            half_written_after_ms: 600_000,
            poll_interval_ms: 2_000,
            files_at_once_max: 50,
            file_bytes_max: 4 * 1024 * 1024,
            records_a_file_max: 5_000,
            out_files_max: 10_000,
            resend_works_max: 2_000,
        }
    }
}

impl FolderSettings {
    /// Relative paths begin in the folder of the configuration.
    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        self.root = folder.join(self.root);
        self
    }

    /// What is wrong with them, one sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, value, min, max) in [
            ("settle_ms", self.settle_ms, 10, 600_000),
            ("half_written_after_ms", self.half_written_after_ms, 100, 86_400_000),
            ("poll_interval_ms", self.poll_interval_ms, 10, 3_600_000),
            ("files_at_once_max", self.files_at_once_max, 1, 1_000),
            ("file_bytes_max", self.file_bytes_max, 1_024, 64 * 1024 * 1024),
            ("records_a_file_max", self.records_a_file_max, 1, 20_000),
            ("out_files_max", self.out_files_max, 1, 1_000_000),
            ("resend_works_max", self.resend_works_max, 1, 100_000),
        ] {
            if !(min..=max).contains(&value) {
                problems.push(format!(
                    "`folder.{name}` is {value}; it must lie between {min} and {max}"
                ));
            }
        }
        if self.half_written_after_ms <= self.settle_ms {
            problems
                .push("`folder.half_written_after_ms` must be more than `settle_ms`".to_owned());
        }
        problems
    }

    pub(super) fn poll_interval(&self) -> Duration {
        Duration::from_millis(self.poll_interval_ms)
    }
}

impl Format {
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Xml => "xml",
            Self::Csv => "csv",
        }
    }
}
