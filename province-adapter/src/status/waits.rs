//! What waits and what went wrong, by reason: each with a count, an age and one example to look at.

use rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;

use super::seconds;
use crate::outbox::read_id;
use crate::store::StoreError;

/// Reasons that are told in one list.
const REASONS_MAX: usize = 20;

/// What the hub says of each refusal, and what to do about it.
const REFUSALS: &str = include_str!("../../../schemas/refusals-reports.md");

/// Work that could not be handed over for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stuck {
    /// In the connector's words.
    pub reason: String,
    /// How many pieces of work.
    pub count: i64,
    /// How often the oldest was tried.
    pub tries: i64,
    /// Seconds since the oldest met this reason.
    pub since_seconds: i64,
    /// The case of the oldest.
    pub case: String,
}

/// Answers of the office that could not be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trouble {
    /// Where it came from: `table`, `folder`, `http`.
    pub source: String,
    /// Which row, file or case.
    pub about: String,
    /// The code.
    pub code: String,
    /// In words.
    pub text: String,
    /// How often it was seen.
    pub count: i64,
    /// Seconds since it was seen first.
    pub first_seconds: i64,
    /// Seconds since it was seen last.
    pub last_seconds: i64,
}

/// Reports that the hub refused for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The hub's code.
    pub code: String,
    /// How many.
    pub count: i64,
    /// Seconds since the newest.
    pub last_seconds: Option<i64>,
    /// The newest one's case.
    pub case: String,
    /// What it means and what to do, as published.
    pub advice: Option<String>,
}

/// One reason for not believing a message, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Distrusted {
    /// The code.
    pub reason: String,
    /// How often.
    pub count: i64,
}

/// A comparison with the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Compared {
    /// What it was taken for.
    pub occasion: String,
    /// Seconds since it was begun.
    pub begun_seconds: i64,
    /// Seconds since the hub settled it; nothing while it waits for the hub.
    pub settled_seconds: Option<i64>,
    /// How many cases differed; all of them are mended by saying them again.
    pub differences: Option<i64>,
}

/// A month's publicity table (annex 1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatementSeen {
    /// Which month.
    pub month: String,
    /// Seconds since it was stated.
    pub stated_seconds: i64,
    /// Seconds since the hub signed for it; nothing while it waits.
    pub settled_seconds: Option<i64>,
    /// How often it was sent.
    pub attempts: i64,
    /// Where it stands in the hub's log.
    pub position: Option<i64>,
    /// The hub's code, if it refused.
    pub refused: Option<String>,
}

/// One look at the store.
pub(super) struct Look<'a> {
    pub(super) connection: &'a Connection,
    pub(super) now_ms: i64,
}

impl Look<'_> {
    pub(super) fn count(&self, sql: &str) -> Result<i64, StoreError> {
        Ok(self.connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// None where an older version has made the store and this one has not run on it yet.
    pub(super) fn count_if(&self, table: &str, sql: &str) -> Result<i64, StoreError> {
        if self.has(table)? { self.count(sql) } else { Ok(0) }
    }

    pub(super) fn age(&self, sql: &str) -> Result<Option<i64>, StoreError> {
        let at: Option<i64> = self.connection.query_row(sql, [], |row| row.get(0))?;
        Ok(at.map(|it| seconds(self.now_ms, it)))
    }

    fn has(&self, table: &str) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = ?1)";
        Ok(self.connection.query_row(sql, [table], |row| row.get(0))?)
    }

    fn list<T>(
        &self,
        table: &str,
        sql: &str,
        read: impl Fn(&rusqlite::Row<'_>) -> Result<T, rusqlite::Error>,
    ) -> Result<Vec<T>, StoreError> {
        if !self.has(table)? {
            return Ok(Vec::new());
        }
        let mut select = self.connection.prepare(&format!("{sql} LIMIT {REASONS_MAX}"))?;
        Ok(select.query_map([], |row| read(row))?.collect::<Result<_, _>>()?)
    }

    pub(super) fn stuck(&self) -> Result<Vec<Stuck>, StoreError> {
        // With one `min`, SQLite takes the other columns from the row that has it.
        let sql = "SELECT reason, count(*), min(since), take_tries, case_id
             FROM not_taken JOIN work ON work.id = not_taken.work
             WHERE taken_at IS NULL GROUP BY reason ORDER BY min(since)";
        self.list("not_taken", sql, |row| {
            Ok(Stuck {
                reason: row.get(0)?,
                count: row.get(1)?,
                since_seconds: seconds(self.now_ms, row.get(2)?),
                tries: row.get(3)?,
                case: read_id(row, 4)?.to_string(),
            })
        })
    }

    pub(super) fn trouble(&self) -> Result<Vec<Trouble>, StoreError> {
        let sql = "SELECT source, about, code, text, count, first, last FROM trouble
             ORDER BY last DESC";
        self.list("trouble", sql, |row| {
            Ok(Trouble {
                source: row.get(0)?,
                about: row.get(1)?,
                code: row.get(2)?,
                text: row.get(3)?,
                count: row.get(4)?,
                first_seconds: seconds(self.now_ms, row.get(5)?),
                last_seconds: seconds(self.now_ms, row.get(6)?),
            })
        })
    }

    pub(super) fn refused(&self) -> Result<Vec<Refused>, StoreError> {
        let sql = "SELECT refusal, count(*), max(ended_at), case_id FROM report
             WHERE refusal IS NOT NULL AND refusal <> 'renumbered'
             GROUP BY refusal ORDER BY max(ended_at) DESC";
        self.list("report", sql, |row| {
            let code: String = row.get(0)?;
            let last: Option<i64> = row.get(2)?;
            Ok(Refused {
                advice: advice(&code),
                code,
                count: row.get(1)?,
                last_seconds: last.map(|it| seconds(self.now_ms, it)),
                case: read_id(row, 3)?.to_string(),
            })
        })
    }

    pub(super) fn distrusted(&self) -> Result<Vec<Distrusted>, StoreError> {
        let sql = "SELECT reason, count FROM refused_count ORDER BY reason";
        self.list("refused_count", sql, |row| {
            Ok(Distrusted { reason: row.get(0)?, count: row.get(1)? })
        })
    }

    pub(super) fn publicity(&self) -> Result<Vec<StatementSeen>, StoreError> {
        let sql = "SELECT month, created_at, ended_at, attempt, position, refusal FROM statement
             ORDER BY month DESC";
        self.list("statement", sql, |row| {
            let ended: Option<i64> = row.get(2)?;
            Ok(StatementSeen {
                month: row.get(0)?,
                stated_seconds: seconds(self.now_ms, row.get(1)?),
                settled_seconds: ended.map(|it| seconds(self.now_ms, it)),
                attempts: row.get(3)?,
                position: row.get(4)?,
                refused: row.get(5)?,
            })
        })
    }

    pub(super) fn compared(&self) -> Result<Option<Compared>, StoreError> {
        if !self.has("inventory")? {
            return Ok(None);
        }
        let sql = "SELECT occasion, created_at, settled_at, differences FROM inventory
             ORDER BY created_at DESC LIMIT 1";
        let found = self.connection.query_row(sql, [], |row| {
            let settled: Option<i64> = row.get(2)?;
            Ok(Compared {
                occasion: row.get(0)?,
                begun_seconds: seconds(self.now_ms, row.get(1)?),
                settled_seconds: settled.map(|it| seconds(self.now_ms, it)),
                differences: row.get(3)?,
            })
        });
        Ok(found.optional()?)
    }
}

/// The published sentence for a refusal's code.
fn advice(code: &str) -> Option<String> {
    let begins = format!("- `{code}`: ");
    let line = REFUSALS.lines().find_map(|it| it.strip_prefix(&begins))?;
    Some(line.replace('*', ""))
}

#[cfg(test)]
mod tests {
    use super::advice;

    #[test]
    fn a_refusal_is_told_with_what_to_do() {
        let told = advice("revoked-key").unwrap();
        assert!(told.contains("Sign with a key that counts"), "{told}");
        assert_eq!(advice("no such code"), None);
    }
}
