//! The office's own codes and the hub's, in one table and both directions. What is not in it is
//! named, never guessed: a reason that was nearly right would stand in an applicant's letter.

mod authority;
mod file;
mod list;

use std::collections::BTreeMap;
use std::path::Path;

use events::ids::DivisionCode;
use events::vocabulary::{
    Category, Channel, Grade, IssuingAuthority, Item, Material, Outcome, Reason, SuspensionGround,
};
use events::work::WorkKind;

use authority::Authorities;
pub use authority::AuthorityRow;
pub use file::CodesError;
pub use list::{AnswerKind, List};

/// Known codes that an error names; there may be thousands.
const NAMED_MAX: usize = 16;
/// Characters of an unknown code that an error repeats: it comes from outside and may be anything.
const REPEATED_CHARACTERS_MAX: usize = 32;
/// Below this likeness (0 to 1) a known code is not offered as a way out.
const LIKENESS_MIN: f64 = 0.5;

/// What a reason is given for. An office may have a code list of its own for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReasonFor {
    /// 不予受理
    Declining,
    /// 退回
    Returning,
    /// 不予通过
    Denying,
}

/// A code that stands in no row. Nothing is guessed; the texts say which table and what is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodeError {
    /// The office says something that the table does not know.
    #[error("the office's code `{code}` stands in no row of `{list}`\n({way_out})")]
    Local {
        /// Which table.
        list: &'static str,
        /// The code, shortened.
        code: String,
        /// What is known, and what is nearest.
        way_out: String,
    },
    /// The hub says something that the office has no code for.
    #[error("`{list}` has no code of the office for `{code}`\n({way_out})")]
    Hub {
        /// Which table.
        list: &'static str,
        /// The hub's code.
        code: String,
        /// What is known, and what is nearest.
        way_out: String,
    },
    /// Code and name of one authority lead to two different rows.
    #[error(
        "authority `{code}` is `{first}` by its code and `{second}` by its name\n(mend the two rows of `authority`)"
    )]
    Contradiction {
        /// The hub's code of the authority.
        code: String,
        /// The office's code found by it.
        first: String,
        /// The office's code found by the name.
        second: String,
    },
}

impl CodeError {
    /// The stable code of this refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Local { .. } => "unknown-local-code",
            Self::Hub { .. } => "unknown-hub-code",
            Self::Contradiction { .. } => "authority-contradiction",
        }
    }
}

/// All tables. A table that the file does not have means that the office speaks the hub's codes there.
#[derive(Debug, Clone, Default)]
pub struct Codes {
    tables: BTreeMap<List, Table>,
    authorities: Authorities,
}

#[derive(Debug, Clone, Default)]
struct Table {
    to_hub: BTreeMap<String, &'static str>,
    to_office: BTreeMap<&'static str, String>,
}

impl Codes {
    /// Reads the file; all its problems at once, each with its line.
    pub fn load(path: &Path) -> Result<Self, CodesError> {
        file::load(path)
    }

    /// The same from a text; `path` is only named.
    pub fn parse(text: &str, path: &Path) -> Result<Self, CodesError> {
        file::parse(text, path)
    }

    /// The office's code for one of the hub's, in a list that is sent to it.
    pub fn to_office(&self, list: List, hub: &str) -> Result<&str, CodeError> {
        let own = list.hub_code(hub);
        let found = match (self.tables.get(&list), own) {
            (None, Some(same)) => Some(same),
            (Some(table), Some(hub)) => table.to_office.get(hub).map(String::as_str),
            (_, None) => None,
        };
        found.ok_or_else(|| CodeError::Hub {
            list: list.name(),
            code: shortened(hub),
            way_out: match self.tables.get(&list) {
                None => way_out(hub, list.hub_codes().map(|it| (it, None))),
                Some(it) => {
                    way_out(hub, it.to_office.iter().map(|(hub, it)| (*hub, Some(it.as_str()))))
                }
            },
        })
    }

    /// The hub's code for one of the office's. Blanks around it do not count.
    pub fn to_hub(&self, list: List, local: &str) -> Result<&'static str, CodeError> {
        let local = local.trim();
        let found = match self.tables.get(&list) {
            None => list.hub_code(local),
            Some(table) => table.to_hub.get(local).copied(),
        };
        found.ok_or_else(|| CodeError::Local {
            list: list.name(),
            code: shortened(local),
            way_out: match self.tables.get(&list) {
                None => way_out(local, list.hub_codes().map(|it| (it, None))),
                Some(it) => {
                    way_out(local, it.to_hub.iter().map(|(it, hub)| (it.as_str(), Some(*hub))))
                }
            },
        })
    }

    fn own<T>(&self, list: List, local: &str, of: fn(&str) -> Option<T>) -> Result<T, CodeError> {
        Ok(of(self.to_hub(list, local)?).expect("a table holds only codes of its list"))
    }

    /// 事项 as the office has it.
    pub fn item(&self, item: Item) -> Result<&str, CodeError> {
        self.to_office(List::Item, item.code())
    }

    /// 类别 as the office has it.
    pub fn category(&self, category: Category) -> Result<&str, CodeError> {
        self.to_office(List::Category, category.code())
    }

    /// 渠道 as the office has it.
    pub fn channel(&self, channel: Channel) -> Result<&str, CodeError> {
        self.to_office(List::Channel, channel.code())
    }

    /// What is handed over, as the office has it.
    pub fn work(&self, kind: WorkKind) -> Result<&str, CodeError> {
        self.to_office(List::Work, kind.token())
    }

    /// 材料 as the office has it.
    pub fn material(&self, material: Material) -> Result<&str, CodeError> {
        self.to_office(List::Material, material.code())
    }

    /// 材料 as the hub has it.
    pub fn material_of(&self, local: &str) -> Result<Material, CodeError> {
        self.own(List::Material, local, Material::of)
    }

    /// A reason as the hub has it: from the list of this use, else from the common one.
    pub fn reason_of(&self, used: ReasonFor, local: &str) -> Result<Reason, CodeError> {
        let special = match used {
            ReasonFor::Declining => List::DeclineReason,
            ReasonFor::Returning => List::ReturnReason,
            ReasonFor::Denying => List::DenialReason,
        };
        let list = if self.tables.contains_key(&special) { special } else { List::Reason };
        self.own(list, local, Reason::of)
    }

    /// 特别程序 as the hub has it.
    pub fn ground_of(&self, local: &str) -> Result<SuspensionGround, CodeError> {
        self.own(List::Ground, local, SuspensionGround::of)
    }

    /// 办理结果 as the hub has it.
    pub fn outcome_of(&self, local: &str) -> Result<Outcome, CodeError> {
        self.own(List::Outcome, local, Outcome::of)
    }

    /// 考核等级 as the hub has it.
    pub fn grade_of(&self, local: &str) -> Result<Grade, CodeError> {
        self.own(List::Grade, local, Grade::of)
    }

    /// What the office's word for the state of a case says.
    pub fn answer_of(&self, local: &str) -> Result<AnswerKind, CodeError> {
        self.own(List::Answer, local, AnswerKind::of)
    }

    /// The office's code for an authority: by its code, else its name, else its division if only one
    /// row has it. Without a table: the authority's code, or its name where it has none.
    pub fn authority<'a>(&'a self, authority: &'a IssuingAuthority) -> Result<&'a str, CodeError> {
        self.authorities.to_office(authority)
    }

    /// The division of an authority by the office's code; without a table the division code itself.
    pub fn division_of(&self, local: &str) -> Result<DivisionCode, CodeError> {
        self.authorities.division_of(local.trim())
    }

    /// How many rows each table has, for `check`; tables without rows are left out.
    pub fn counts(&self) -> Vec<(&'static str, usize)> {
        let tables = self
            .tables
            .iter()
            .map(|(list, it)| (list.name(), it.to_hub.len().max(it.to_office.len())));
        tables.chain(self.authorities.count().map(|it| ("authority", it))).collect()
    }
}

/// What an error adds: the nearest known code, and the first of all.
fn way_out<'a>(given: &str, known: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> String {
    let known: Vec<_> = known.collect();
    let like = |it: &str| likeness(&given.to_lowercase(), &it.to_lowercase());
    let nearest = known
        .iter()
        .map(|(code, means)| (like(code), code, means))
        .filter(|it| it.0 >= LIKENESS_MIN)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let named: Vec<&str> = known.iter().take(NAMED_MAX).map(|it| it.0).collect();
    let mut text = format!("known: {}", named.join(", "));
    if known.len() > NAMED_MAX {
        text.push_str(&format!(" and {} more", known.len() - NAMED_MAX));
    }
    if let Some((_, code, means)) = nearest {
        let means = means.map(|it| format!(" = {it}")).unwrap_or_default();
        text.push_str(&format!("; nearest: {code}{means}"));
    }
    text
}

/// A name that is a part of the other is like it, however short.
fn likeness(one: &str, other: &str) -> f64 {
    let part = one.chars().count().min(other.chars().count()) > 1
        && (one.contains(other) || other.contains(one));
    let by_letters = strsim::normalized_damerau_levenshtein(one, other);
    if part { by_letters.max(LIKENESS_MIN) } else { by_letters }
}

/// Safe to show: short, on one line, and nobody's identity number.
fn shortened(code: &str) -> String {
    if events::personal::has_identity_number(code) {
        return "(an identity number)".to_owned();
    }
    code.chars()
        .take(REPEATED_CHARACTERS_MAX)
        .map(|it| if it.is_control() { '\u{fffd}' } else { it })
        .collect()
}

#[cfg(test)]
mod tests;
