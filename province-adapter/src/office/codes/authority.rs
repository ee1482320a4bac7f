//! Issuing authorities: thousands, renamed and merged, told by the hub with a code, a name or a division.

use std::collections::BTreeMap;

use events::ids::DivisionCode;
use events::vocabulary::IssuingAuthority;

use super::{CodeError, shortened, way_out};

const NAME: &str = "authority";

/// One authority as the office and as the hub have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorityRow {
    /// The office's code.
    pub local: String,
    /// 统一社会信用代码, or the entry of the hub's list.
    pub code: Option<String>,
    /// Its name as certificates have it.
    pub name: Option<String>,
    /// Its division.
    pub division: Option<DivisionCode>,
}

/// The table and its three ways in. No rows and no table are two things.
#[derive(Debug, Clone, Default)]
pub(super) struct Authorities {
    rows: Option<Vec<AuthorityRow>>,
    by_local: BTreeMap<String, usize>,
    by_code: BTreeMap<String, usize>,
    by_name: BTreeMap<String, usize>,
    /// Nothing where two rows have the division: then it does not tell which.
    by_division: BTreeMap<DivisionCode, Option<usize>>,
}

impl Authorities {
    /// Rows whose local codes, codes and names were found to be unique.
    pub(super) fn of(rows: Vec<AuthorityRow>) -> Self {
        let mut it = Self::default();
        for (at, row) in rows.iter().enumerate() {
            it.by_local.insert(row.local.clone(), at);
            it.by_code.extend(row.code.clone().map(|code| (code, at)));
            it.by_name.extend(row.name.clone().map(|name| (name, at)));
            if let Some(division) = row.division {
                let seen = it.by_division.entry(division).or_insert(Some(at));
                *seen = seen.filter(|known| *known == at);
            }
        }
        it.rows = Some(rows);
        it
    }

    pub(super) fn to_office<'a>(
        &'a self,
        told: &'a IssuingAuthority,
    ) -> Result<&'a str, CodeError> {
        let Some(rows) = &self.rows else {
            return Ok(told.code.as_deref().unwrap_or(&told.name));
        };
        let by_code = told.code.as_ref().and_then(|it| self.by_code.get(it));
        let by_name = self.by_name.get(&told.name);
        if let (Some(first), Some(second), Some(code)) = (by_code, by_name, &told.code)
            && first != second
        {
            return Err(CodeError::Contradiction {
                code: shortened(code),
                first: rows[*first].local.clone(),
                second: rows[*second].local.clone(),
            });
        }
        let by_division =
            || told.division.and_then(|it| self.by_division.get(&it)).and_then(Option::as_ref);
        let found = by_code.or(by_name).or_else(by_division);
        found.map(|at| rows[*at].local.as_str()).ok_or_else(|| {
            let given = told.code.as_deref().unwrap_or(&told.name);
            let division = told.division.map(|it| format!(", {it}")).unwrap_or_default();
            let names = self.by_name.iter().map(|(name, at)| (name.as_str(), Some(*at)));
            let known = names.map(|(name, at)| (name, at.map(|it| rows[it].local.as_str())));
            CodeError::Hub {
                list: NAME,
                code: shortened(&format!("{given}{division}")),
                way_out: way_out(&told.name, known),
            }
        })
    }

    pub(super) fn division_of(&self, local: &str) -> Result<DivisionCode, CodeError> {
        let unknown =
            |known: String| CodeError::Local { list: NAME, code: shortened(local), way_out: known };
        let Some(rows) = &self.rows else {
            return local.parse().map_err(|_| {
                unknown(
                    "without a table `authority` it must be a division code of six digits"
                        .to_owned(),
                )
            });
        };
        let Some(at) = self.by_local.get(local) else {
            let known =
                self.by_local.iter().map(|(it, at)| (it.as_str(), rows[*at].name.as_deref()));
            return Err(unknown(way_out(local, known)));
        };
        rows[*at].division.ok_or_else(|| unknown("its row has no `division`".to_owned()))
    }

    pub(super) fn count(&self) -> Option<usize> {
        self.rows.as_ref().map(Vec::len)
    }
}
