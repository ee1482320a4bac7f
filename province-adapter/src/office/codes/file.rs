//! The file with the codes: read whole, checked whole, all its problems named together.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use events::personal;
use serde::Deserialize;
use toml::Spanned;

use super::authority::{Authorities, AuthorityRow};
use super::{Codes, List, Table};

/// Larger is not a table of codes.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Longest code of an office, in characters.
const CODE_CHARACTERS_MAX: usize = 64;
/// Longest name of an authority, in characters.
const NAME_CHARACTERS_MAX: usize = 64;
/// Problems that are listed; a file exported wrongly has thousands of the same.
const PROBLEMS_LISTED_MAX: usize = 50;

/// The file cannot be used. The texts are for whoever writes it.
#[derive(Debug, thiserror::Error)]
pub enum CodesError {
    /// It is not there, too large, or not UTF-8.
    #[error("cannot read the codes `{path}`", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It is not TOML, has an unknown table or field, or a value of another type.
    #[error("cannot understand the codes `{path}`", path = path.display())]
    Understand {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: Box<toml::de::Error>,
    },
    /// Everything else, at once.
    #[error("the codes `{path}` have {} problem(s):\n  {}", problems.len(), listed(problems), path = path.display())]
    Problems {
        /// The file.
        path: PathBuf,
        /// One sentence each, with its line.
        problems: Vec<String>,
    },
}

fn listed(problems: &[String]) -> String {
    let mut text = problems[..problems.len().min(PROBLEMS_LISTED_MAX)].join("\n  ");
    if problems.len() > PROBLEMS_LISTED_MAX {
        text.push_str(&format!("\n  … and {} more", problems.len() - PROBLEMS_LISTED_MAX));
    }
    text
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    local: String,
    hub: String,
    only: Option<Only>,
    /// For the people who keep the file.
    #[serde(rename = "name")]
    _name: Option<String>,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
enum Only {
    FromOffice,
    ToOffice,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuthorityFile {
    local: String,
    code: Option<String>,
    name: Option<String>,
    division: Option<String>,
}

type Rows = Option<Vec<Spanned<Row>>>;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    item: Rows,
    category: Rows,
    channel: Rows,
    work: Rows,
    material: Rows,
    reason: Rows,
    decline_reason: Rows,
    return_reason: Rows,
    denial_reason: Rows,
    ground: Rows,
    outcome: Rows,
    grade: Rows,
    answer: Rows,
    authority: Option<Vec<Spanned<AuthorityFile>>>,
}

impl File {
    fn rows(&mut self, list: List) -> Rows {
        match list {
            List::Item => self.item.take(),
            List::Category => self.category.take(),
            List::Channel => self.channel.take(),
            List::Work => self.work.take(),
            List::Material => self.material.take(),
            List::Reason => self.reason.take(),
            List::DeclineReason => self.decline_reason.take(),
            List::ReturnReason => self.return_reason.take(),
            List::DenialReason => self.denial_reason.take(),
            List::Ground => self.ground.take(),
            List::Outcome => self.outcome.take(),
            List::Grade => self.grade.take(),
            List::Answer => self.answer.take(),
        }
    }
}

pub(super) fn load(path: &Path) -> Result<Codes, CodesError> {
    let read = |source| CodesError::Read { path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(read)?.len();
    if bytes > FILE_BYTES_MAX {
        return Err(read(std::io::Error::other(format!(
            "it has {bytes} bytes; at most {FILE_BYTES_MAX} are read"
        ))));
    }
    let text = std::fs::read_to_string(path).map_err(|source| {
        read(match source.kind() {
            std::io::ErrorKind::InvalidData => {
                std::io::Error::other("it is not UTF-8 (was it saved as GBK?)")
            }
            _ => source,
        })
    })?;
    parse(&text, path)
}

pub(super) fn parse(text: &str, path: &Path) -> Result<Codes, CodesError> {
    // Some editors begin a UTF-8 file with a byte order mark.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut file: File = toml::from_str(text).map_err(|source| CodesError::Understand {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    let mut found = Found { text, problems: Vec::new() };
    let mut codes = Codes::default();
    for list in List::ALL {
        if let Some(rows) = file.rows(list) {
            codes.tables.insert(list, found.table(list, &rows));
        }
    }
    if let Some(rows) = file.authority {
        codes.authorities = found.authorities(rows);
    }
    match found.problems {
        problems if problems.is_empty() => Ok(codes),
        problems => Err(CodesError::Problems { path: path.to_owned(), problems }),
    }
}

/// What is wrong, and the text in which to find the lines.
struct Found<'a> {
    text: &'a str,
    problems: Vec<String>,
}

impl Found<'_> {
    fn line<T>(&self, row: &Spanned<T>) -> usize {
        let before = &self.text.as_bytes()[..row.span().start.min(self.text.len())];
        before.iter().filter(|it| **it == b'\n').count() + 1
    }

    fn say(&mut self, line: usize, list: &str, what: &str) {
        self.problems.push(format!("line {line}, `{list}`: {what}"));
    }

    fn table(&mut self, list: List, rows: &[Spanned<Row>]) -> Table {
        let mut table = Table::default();
        let mut lines: BTreeMap<(bool, String), usize> = BTreeMap::new();
        for row in rows {
            let line = self.line(row);
            let it = row.get_ref();
            self.check_code(line, list.name(), &it.local);
            let Some(hub) = list.hub_code(&it.hub) else {
                let out = super::way_out(&it.hub, list.hub_codes().map(|it| (it, None)));
                self.say(line, list.name(), &format!("the hub has no code `{}` ({out})", it.hub));
                continue;
            };
            if it.only != Some(Only::ToOffice) {
                match lines.insert((true, it.local.clone()), line) {
                    Some(first) => self.say(
                        line,
                        list.name(),
                        &format!("the office's code `{}` stands in line {first} already", it.local),
                    ),
                    None => drop(table.to_hub.insert(it.local.clone(), hub)),
                }
            }
            if list.is_sent() && it.only != Some(Only::FromOffice) {
                match lines.insert((false, hub.to_owned()), line) {
                    Some(first) => self.say(line, list.name(), &format!(
                        "`{hub}` has an office's code in line {first} already (say `only = \"from-office\"` in one of them)"
                    )),
                    None => drop(table.to_office.insert(hub, it.local.clone())),
                }
            }
        }
        self.check_complete(list, &table);
        table
    }

    fn check_complete(&mut self, list: List, table: &Table) {
        let missing: Vec<&str> = list
            .hub_codes()
            .filter(|it| list.is_sent() && !table.to_office.contains_key(it))
            .collect();
        if !missing.is_empty() {
            self.problems.push(format!(
                "`{}`: no code of the office for {}, and the hub may send any of them",
                list.name(),
                missing.join(", ")
            ));
        }
    }

    fn check_code(&mut self, line: usize, list: &str, code: &str) {
        let characters = code.chars().count();
        let fault = if code.trim() != code {
            "a code must not begin or end with a blank"
        } else if characters == 0 || characters > CODE_CHARACTERS_MAX {
            "a code must have 1 to 64 characters"
        } else if code.chars().any(char::is_control) {
            "a code must not have control characters"
        } else if personal::has_identity_number(code) {
            "a code must not be somebody's identity number"
        } else {
            return;
        };
        self.say(line, list, fault);
    }

    fn authorities(&mut self, rows: Vec<Spanned<AuthorityFile>>) -> Authorities {
        const LIST: &str = "authority";
        let mut seen: BTreeMap<(&'static str, String), usize> = BTreeMap::new();
        let mut kept = Vec::new();
        for row in rows {
            let line = self.line(&row);
            let it = row.into_inner();
            self.check_code(line, LIST, &it.local);
            let keys = [
                ("local", Some(&it.local)),
                ("code", it.code.as_ref()),
                ("name", it.name.as_ref()),
            ];
            for (what, value) in keys {
                let Some(value) = value else { continue };
                if value.is_empty() || value.chars().count() > NAME_CHARACTERS_MAX {
                    self.say(line, LIST, &format!("`{what}` must have 1 to 64 characters"));
                }
                if let Some(first) = seen.insert((what, value.clone()), line) {
                    self.say(
                        line,
                        LIST,
                        &format!("`{what}` `{value}` stands in line {first} already"),
                    );
                }
            }
            if it.code.is_none() && it.name.is_none() && it.division.is_none() {
                self.say(line, LIST, "needs a `code`, a `name` or a `division` to be found by");
            }
            let division = match it.division.map(|it| it.parse()).transpose() {
                Ok(division) => division,
                Err(error) => {
                    self.say(line, LIST, &format!("{error}"));
                    None
                }
            };
            kept.push(AuthorityRow { local: it.local, code: it.code, name: it.name, division });
        }
        Authorities::of(kept)
    }
}
