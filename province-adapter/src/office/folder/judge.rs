//! May this file be read, and does it say what it should? Every no has a code and a sentence in
//! Chinese, and none repeats what stood there.

use jiff::civil::Date;

use super::outward::Wanted;
use super::place::Entry;
use super::record::{Record, Unread};
use super::settings::{CompleteWhen, Format};
use crate::office::sheet::ANSWER;
use crate::office::sheet::answer::{AnswerRow, Problem};

/// Longest name of a file, in bytes.
const NAME_BYTES_MAX: usize = 100;

/// By agreement nobody reads these.
pub(super) fn is_being_written(name: &str) -> bool {
    name.starts_with('.') || name.ends_with(".tmp") || name.ends_with(".part")
}

pub(super) fn format_of(name: &str) -> Format {
    if name.ends_with(".csv") { Format::Csv } else { Format::Xml }
}

pub(super) fn short(digest: &[u8; 32]) -> String {
    digest[..8].iter().map(|it| format!("{it:02x}")).collect()
}

pub(super) fn problem_of_entry(entry: &Entry, bytes_max: u64) -> Option<Problem> {
    if !entry.is_file {
        return Some(Problem::whole("not-a-file", "只收普通文件，不收链接、文件夹或管道"));
    }
    let plain = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'_' | b'-');
    let name = entry.name.as_deref().unwrap_or_default();
    let fits = (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain);
    if !fits {
        return Some(Problem::whole(
            "file-name-not-allowed",
            "文件名须为1至100个字符，只用字母、数字、点、下划线和连字符，不得含姓名",
        ));
    }
    if events::personal::has_identity_number(name) {
        return Some(Problem::whole("identity-number-in-clear", "文件名含有公民身份号码，请改名"));
    }
    if !name.ends_with(".xml") && !name.ends_with(".csv") {
        return Some(Problem::whole("file-kind-unknown", "只收 .xml 和 .csv 文件"));
    }
    if entry.bytes > bytes_max {
        return Some(Problem::whole(
            "file-too-large",
            format!("文件超过 {bytes_max} 字节，请分成几个"),
        ));
    }
    None
}

pub(super) fn check_hash(
    when: CompleteWhen,
    hash: Option<&[u8]>,
    digest: &[u8; 32],
) -> Result<(), Unread> {
    let Some(hash) = hash else {
        return if when == CompleteWhen::Hash { Err(Unread::Incomplete) } else { Ok(()) };
    };
    let told = String::from_utf8_lossy(hash);
    // `sha256sum` writes the name behind it.
    let told = told.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
    let found: String = digest.iter().map(|it| format!("{it:02x}")).collect();
    if told == found {
        return Ok(());
    }
    Err(Unread::Refused(Problem::whole("hash-differs", "内容与 .sha256 文件不符，请重新传送")))
}

/// The rows under the columns that we know; a strange column may be a misspelt one.
pub(super) fn rows(records: &[Record]) -> Result<Vec<(usize, AnswerRow)>, Problem> {
    let mut rows = Vec::new();
    for it in records {
        let mut row = AnswerRow::default();
        for (name, value) in &it.fields {
            let known = ANSWER.iter().find(|column| column.name == name || column.zh == name);
            let Some(column) = known else {
                let text = format!("第{}行有不认识的列名", it.line);
                return Err(Problem::whole("unknown-column", text));
            };
            row.set(column, value);
        }
        rows.push((it.line, row));
    }
    Ok(rows)
}

pub(super) fn wanted(it: &Record) -> Result<Wanted, Problem> {
    let wrong = || {
        Problem::whole(
            "wrong-value",
            "每行填写一个“办件标识”（case_id）或一个“日期”（day，如 2026-03-02）",
        )
    };
    let filled: Vec<_> = it.fields.iter().filter(|(_, value)| !value.trim().is_empty()).collect();
    let [(name, value)] = filled.as_slice() else { return Err(wrong()) };
    let value = value.trim();
    match name.as_str() {
        "case_id" | "办件标识" => value.parse().map(Wanted::Case).map_err(|_| wrong()),
        "day" | "日期" => Date::strptime("%Y-%m-%d", value).map(Wanted::Day).map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

pub(super) fn reused() -> Problem {
    Problem::whole("file-name-reused", "同名文件曾以另外的内容收过；没有处理，请换一个文件名")
}

pub(super) fn is_forbidden(error: &std::io::Error) -> bool {
    error.kind() == std::io::ErrorKind::PermissionDenied
}

pub(super) fn unreadable() -> Problem {
    Problem::whole("file-not-readable", "适配器没有读取此文件的权限，请改为同组可读后换名重新放入")
}

pub(super) fn incomplete() -> Problem {
    Problem::whole(
        "file-incomplete",
        "文件没有结束标记或缺少校验文件，已长时间没有变化；请重新传送",
    )
}

pub(super) fn not_taken() -> Problem {
    Problem::whole("work-not-taken", "此办件还有未派出的材料，请收到后再答复")
}

pub(super) fn nothing_to_resend() -> Problem {
    Problem::whole("nothing-to-resend", "没有可以重发的派件")
}
