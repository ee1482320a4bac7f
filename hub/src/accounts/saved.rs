//! Lists that somebody comes back to: a name and the filters of an address. Codes only, so nothing personal is kept.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, params};

use super::{AccountError, Accounts, failed};

/// Most lists that one person keeps.
pub const SAVED_MAX: usize = 20;
/// Longest name, in characters.
pub const SAVED_NAME_CHARACTERS_MAX: usize = 32;
/// Longest address, in bytes: all filters together are shorter.
const SAVED_QUERY_BYTES_MAX: usize = 400;

pub(super) const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS saved (
  account TEXT NOT NULL,
  name TEXT NOT NULL,
  query TEXT NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (account, name)
) STRICT, WITHOUT ROWID;
";

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// What its owner calls it.
    pub name: String,
    /// The filters, as in the list's address.
    pub query: String,
}

impl Accounts {
    /// What `account` keeps, by name.
    pub fn saved(&self, account: &str) -> Result<Vec<Saved>, AccountError> {
        let file = self.file();
        let sql = "SELECT name, query FROM saved WHERE account = ?1 ORDER BY name LIMIT ?2";
        let mut select = file.prepare_cached(sql).map_err(failed("read"))?;
        let limit = i64::try_from(SAVED_MAX).unwrap_or(i64::MAX);
        let read = |row: &rusqlite::Row<'_>| Ok(Saved { name: row.get(0)?, query: row.get(1)? });
        let rows = select.query_map(params![account, limit], read).map_err(failed("read"))?;
        rows.collect::<Result<_, _>>().map_err(failed("read"))
    }

    /// Keeps a list; under a name that is there already, instead of that one.
    pub fn save(&self, account: &str, it: &Saved, at: Timestamp) -> Result<(), AccountError> {
        let length = it.name.trim().chars().count();
        let unfit = !(1..=SAVED_NAME_CHARACTERS_MAX).contains(&length)
            || it.name.chars().any(char::is_control)
            || events::personal::has_identity_number(&it.name);
        if unfit {
            return Err(AccountError::BadDisplay);
        }
        if it.query.len() > SAVED_QUERY_BYTES_MAX {
            return Err(AccountError::BadName);
        }
        let file = self.file();
        let there = "SELECT 1 FROM saved WHERE account = ?1 AND name = ?2";
        let known = file.query_row(there, params![account, it.name], |_| Ok(())).optional();
        let known = known.map_err(failed("read"))?.is_some();
        let count: i64 = file
            .query_row("SELECT count(*) FROM saved WHERE account = ?1", [account], |it| it.get(0))
            .map_err(failed("read"))?;
        if !known && usize::try_from(count).unwrap_or(usize::MAX) >= SAVED_MAX {
            return Err(AccountError::TooMany);
        }
        let sql = "INSERT OR REPLACE INTO saved (account, name, query, at) VALUES (?1, ?2, ?3, ?4)";
        let row = params![account, it.name.trim(), it.query, at.as_millisecond()];
        file.execute(sql, row).map_err(failed("write"))?;
        Ok(())
    }

    /// Forgets one; one that is not there: nothing.
    pub fn forget(&self, account: &str, name: &str) -> Result<(), AccountError> {
        let sql = "DELETE FROM saved WHERE account = ?1 AND name = ?2";
        self.file().execute(sql, params![account, name]).map_err(failed("write"))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(name: &str, query: &str) -> Saved {
        Saved { name: name.into(), query: query.into() }
    }

    #[test]
    fn each_person_keeps_a_bounded_number_and_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let accounts = Accounts::open(&folder.path().join("accounts.db")).unwrap();
        let now = "2026-03-02T00:00:00Z".parse().unwrap();
        for number in 0..SAVED_MAX {
            accounts.save("li", &saved(&format!("list {number:02}"), "only=open"), now).unwrap();
        }
        let one_more = accounts.save("li", &saved("one more", "only=open"), now);
        assert!(matches!(one_more, Err(AccountError::TooMany)));
        accounts.save("li", &saved("list 00", "only=overdue"), now).unwrap();
        assert_eq!(accounts.saved("li").unwrap().len(), SAVED_MAX);
        assert_eq!(accounts.saved("li").unwrap()[0].query, "only=overdue");
        assert_eq!(accounts.saved("wang").unwrap(), vec![]);
        accounts.forget("wang", "list 00").unwrap();
        accounts.forget("li", "list 01").unwrap();
        assert_eq!(accounts.saved("li").unwrap().len(), SAVED_MAX - 1);
        for name in ["", "  ", "a\nb", "11010519491231002X", &"x".repeat(33)] {
            assert!(accounts.save("li", &saved(name, ""), now).is_err(), "{name:?}");
        }
    }
}
