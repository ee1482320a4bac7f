//! Every message that is not understood: kept (sealed), counted, shown; none is dropped, none applied.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior};

/// Something that could not be taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// When.
    pub at: Timestamp,
    /// From where: `province:22`, `national:<client>`.
    pub source: String,
    /// The subject or path it came by; never personal data.
    pub subject: String,
    /// The stable reason, e.g. `unreadable`, `wrong-signature`; in `schemas/refusals.md`.
    pub reason: String,
    /// What came, sealed by the vault.
    pub sealed: Vec<u8>,
}

/// Why a stray could not be kept: then the message must not be acknowledged.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} the quarantine")]
pub struct QuarantineError {
    what: &'static str,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// Where strays are kept, and how many.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineConfig {
    /// The file.
    pub path: PathBuf,
    /// Most strays kept of one source.
    pub source_rows_max: u64,
    /// Most sealed bytes kept of one source.
    pub source_bytes_max: u64,
}

impl QuarantineConfig {
    /// 10,000 strays and 64 MiB a source.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), source_rows_max: 10_000, source_bytes_max: 64 * 1024 * 1024 }
    }
}

/// Longest text that is kept of a subject, in characters; it came from outside.
const SUBJECT_CHARACTERS_MAX: usize = 256;
/// How long to wait for another handle's lock, in milliseconds.
const BUSY_WAIT_MS: u64 = 5_000;

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS stray (
  id INTEGER PRIMARY KEY,
  at INTEGER NOT NULL,
  source TEXT NOT NULL,
  subject TEXT NOT NULL,
  reason TEXT NOT NULL,
  sealed BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS tally (
  source TEXT NOT NULL,
  reason TEXT NOT NULL,
  came INTEGER NOT NULL,
  PRIMARY KEY (source, reason)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS held (
  source TEXT PRIMARY KEY,
  rows INTEGER NOT NULL,
  bytes INTEGER NOT NULL,
  full_since INTEGER
) STRICT, WITHOUT ROWID;
";

/// The store of strays: a SQLite file of its own, bounded in rows and bytes a source.
#[derive(Clone)]
pub struct Quarantine {
    connection: Arc<Mutex<Connection>>,
    source_rows_max: u64,
    source_bytes_max: u64,
}

fn failed(what: &'static str) -> impl Fn(rusqlite::Error) -> QuarantineError {
    move |source| QuarantineError { what, source: Box::new(source) }
}

impl Quarantine {
    /// Opens the file, and makes it on first use.
    pub fn open(config: QuarantineConfig) -> Result<Self, QuarantineError> {
        let failed = failed("open");
        let connection = Connection::open(&config.path).map_err(&failed)?;
        connection.busy_timeout(Duration::from_millis(BUSY_WAIT_MS)).map_err(&failed)?;
        let mode: String = connection
            .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
            .map_err(&failed)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(&failed)?;
        connection.pragma_update(None, "trusted_schema", false).map_err(&failed)?;
        let synchronous: i64 = connection
            .pragma_query_value(None, "synchronous", |row| row.get(0))
            .map_err(&failed)?;
        if mode != "wal" || synchronous != 2 {
            return Err(QuarantineError {
                what: "open",
                source: "it cannot be written ahead and fully synchronised".into(),
            });
        }
        connection.execute_batch(SCHEMA).map_err(&failed)?;
        Ok(Self {
            connection: Arc::new(Mutex::new(connection)),
            source_rows_max: config.source_rows_max,
            source_bytes_max: config.source_bytes_max,
        })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps strays durably. Beyond the bound of a source only the count grows, and it is said so.
    pub fn keep(&self, strays: &[Stray]) -> Result<(), QuarantineError> {
        let failed = failed("write to");
        let mut connection = self.connection();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&failed)?;
        let mut newly_full = Vec::new();
        for stray in strays {
            count(&transaction, stray).map_err(&failed)?;
            if self.has_room(&transaction, stray).map_err(&failed)? {
                insert(&transaction, stray).map_err(&failed)?;
            } else if note_full(&transaction, stray).map_err(&failed)? {
                newly_full.push(stray.source.clone());
            }
        }
        transaction.commit().map_err(&failed)?;
        for stray in strays {
            metrics::counter!("hub_quarantined_total", "reason" => stray.reason.clone())
                .increment(1);
        }
        for source in newly_full {
            tracing::warn!(
                source,
                "the quarantine of {source} is full: more strays are only counted"
            );
        }
        Ok(())
    }

    fn has_room(&self, transaction: &Transaction<'_>, stray: &Stray) -> rusqlite::Result<bool> {
        let held: Option<(i64, i64)> = transaction
            .prepare_cached("SELECT rows, bytes FROM held WHERE source = ?1")?
            .query_row([&stray.source], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let (rows, bytes) = held.unwrap_or_default();
        let bytes = unsigned(bytes).saturating_add(stray.sealed.len() as u64);
        Ok(unsigned(rows) < self.source_rows_max && bytes <= self.source_bytes_max)
    }

    /// How many came, by source and reason.
    pub fn counts(&self) -> Result<Vec<(String, String, u64)>, QuarantineError> {
        let failed = failed("count");
        let connection = self.connection();
        let mut statement = connection
            .prepare_cached("SELECT source, reason, came FROM tally ORDER BY source, reason")
            .map_err(&failed)?;
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?, unsigned(row.get(2)?))))
            .map_err(&failed)?;
        rows.collect::<Result<_, _>>().map_err(&failed)
    }

    /// Sources of which no more is kept, and since when.
    pub fn full(&self) -> Result<Vec<(String, Timestamp)>, QuarantineError> {
        let failed = failed("read");
        let connection = self.connection();
        let mut statement = connection
            .prepare_cached(
                "SELECT source, full_since FROM held WHERE full_since IS NOT NULL ORDER BY source",
            )
            .map_err(&failed)?;
        let rows = statement
            .query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?)))
            .map_err(&failed)?;
        let rows: Vec<(String, i64)> = rows.collect::<Result<_, _>>().map_err(&failed)?;
        let moment = |it: i64| Timestamp::from_microsecond(it).unwrap_or(Timestamp::UNIX_EPOCH);
        Ok(rows.into_iter().map(|it| (it.0, moment(it.1))).collect())
    }

    /// The latest, newest first, without what came.
    pub fn latest(&self, count_max: usize) -> Result<Vec<(u64, Stray)>, QuarantineError> {
        let failed = failed("read");
        let connection = self.connection();
        let mut statement = connection
            .prepare_cached(
                "SELECT id, at, source, subject, reason, x'' FROM stray ORDER BY id DESC LIMIT ?1",
            )
            .map_err(&failed)?;
        let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
        let rows = statement.query_map([count_max], read).map_err(&failed)?;
        rows.collect::<Result<_, _>>().map_err(&failed)
    }

    /// One stray with what came, still sealed.
    pub fn one(&self, id: u64) -> Result<Option<Stray>, QuarantineError> {
        let failed = failed("read");
        let connection = self.connection();
        let mut statement = connection
            .prepare_cached(
                "SELECT id, at, source, subject, reason, sealed FROM stray WHERE id = ?1",
            )
            .map_err(&failed)?;
        let found = statement
            .query_row([i64::try_from(id).unwrap_or(i64::MAX)], read)
            .optional()
            .map_err(&failed)?;
        Ok(found.map(|it| it.1))
    }
}

/// SQLite counts in signed numbers; ours are never below zero.
fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

fn read(row: &Row<'_>) -> rusqlite::Result<(u64, Stray)> {
    let at = Timestamp::from_microsecond(row.get(1)?)
        .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(1, 0))?;
    let stray = Stray {
        at,
        source: row.get(2)?,
        subject: row.get(3)?,
        reason: row.get(4)?,
        sealed: row.get(5)?,
    };
    Ok((unsigned(row.get(0)?), stray))
}

fn count(transaction: &Transaction<'_>, stray: &Stray) -> rusqlite::Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO tally VALUES (?1, ?2, 1)
             ON CONFLICT (source, reason) DO UPDATE SET came = came + 1",
        )?
        .execute((&stray.source, &stray.reason))?;
    Ok(())
}

fn insert(transaction: &Transaction<'_>, stray: &Stray) -> rusqlite::Result<()> {
    let subject: String = stray.subject.chars().take(SUBJECT_CHARACTERS_MAX).collect();
    transaction
        .prepare_cached(
            "INSERT INTO stray (at, source, subject, reason, sealed) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute((
            stray.at.as_microsecond(),
            &stray.source,
            subject,
            &stray.reason,
            &stray.sealed,
        ))?;
    transaction
        .prepare_cached(
            "INSERT INTO held VALUES (?1, 1, ?2, NULL)
             ON CONFLICT (source) DO UPDATE SET rows = rows + 1, bytes = bytes + excluded.bytes",
        )?
        .execute((&stray.source, stray.sealed.len() as i64))?;
    Ok(())
}

/// Notes that a source is full; true the first time.
fn note_full(transaction: &Transaction<'_>, stray: &Stray) -> rusqlite::Result<bool> {
    let changed = transaction
        .prepare_cached(
            "INSERT INTO held VALUES (?1, 0, 0, ?2)
             ON CONFLICT (source) DO UPDATE SET full_since = excluded.full_since
             WHERE full_since IS NULL",
        )?
        .execute((&stray.source, stray.at.as_microsecond()))?;
    Ok(changed > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stray(source: &str, reason: &str, bytes: usize) -> Stray {
        Stray {
            at: "2026-03-02T01:00:00Z".parse().unwrap(),
            source: source.to_owned(),
            subject: "hub.v1.report.22.accepted".to_owned(),
            reason: reason.to_owned(),
            sealed: vec![7; bytes],
        }
    }

    fn small(folder: &tempfile::TempDir) -> Quarantine {
        let config = QuarantineConfig {
            source_rows_max: 3,
            source_bytes_max: 100,
            ..QuarantineConfig::new(folder.path().join("quarantine.db"))
        };
        Quarantine::open(config).unwrap()
    }

    #[test]
    fn what_is_kept_is_there_after_a_restart_and_opens_whole() {
        let folder = tempfile::tempdir().unwrap();
        let first = stray("province:22", "unreadable", 10);
        small(&folder).keep(std::slice::from_ref(&first)).unwrap();
        let quarantine = small(&folder);
        let latest = quarantine.latest(10).unwrap();
        assert_eq!(latest, [(1, Stray { sealed: vec![], ..first.clone() })]);
        assert_eq!(quarantine.one(1).unwrap(), Some(first));
        assert_eq!(quarantine.one(2).unwrap(), None);
    }

    #[test]
    fn beyond_its_bound_a_source_is_only_counted_and_others_have_their_own_room() {
        let folder = tempfile::tempdir().unwrap();
        let quarantine = small(&folder);
        let flood: Vec<_> = (0..50).map(|_| stray("province:22", "unreadable", 10)).collect();
        quarantine.keep(&flood).unwrap();
        quarantine.keep(&[stray("province:23", "wrong-signature", 60)]).unwrap();
        // The second would be within the rows, not within the bytes.
        quarantine.keep(&[stray("province:23", "wrong-signature", 60)]).unwrap();
        let kept: Vec<_> =
            quarantine.latest(100).unwrap().into_iter().map(|it| it.1.source).collect();
        assert_eq!(kept, ["province:23", "province:22", "province:22", "province:22"]);
        assert_eq!(
            quarantine.counts().unwrap(),
            [
                ("province:22".to_owned(), "unreadable".to_owned(), 50),
                ("province:23".to_owned(), "wrong-signature".to_owned(), 2),
            ]
        );
    }

    #[test]
    fn a_full_source_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let quarantine = small(&folder);
        let large = stray("province:22", "unreadable", 1_000);
        let mut connection = quarantine.connection();
        let transaction = connection.transaction().unwrap();
        let told: Vec<_> = (0..3).map(|_| note_full(&transaction, &large).unwrap()).collect();
        assert_eq!(told, [true, false, false]);
    }

    #[test]
    fn an_endless_subject_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let quarantine = small(&folder);
        let long = Stray { subject: "字".repeat(10_000), ..stray("national:a", "unreadable", 1) };
        quarantine.keep(&[long]).unwrap();
        let kept = &quarantine.latest(1).unwrap()[0].1;
        assert_eq!(kept.subject.chars().count(), SUBJECT_CHARACTERS_MAX);
    }
}
