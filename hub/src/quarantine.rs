//! Every message that is not understood: kept (sealed), counted, shown; none is dropped, none applied.

mod again;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, TransactionBehavior};

pub use again::{Kept, KeptFilter, KeptGroup};

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
    /// Its headers, sealed by the vault: without them it cannot be taken in again.
    pub headers: Option<Vec<u8>>,
}

impl Stray {
    fn size_bytes(&self) -> usize {
        self.sealed.len() + self.headers.as_ref().map_or(0, Vec::len)
    }
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
CREATE TABLE IF NOT EXISTS numbering (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  last INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS stray_group ON stray (source, reason, at);
INSERT OR IGNORE INTO numbering VALUES (1, (SELECT coalesce(max(id), 0) FROM stray));
";

/// What was added since the first version: name and column.
const ADDED: [(&str, &str); 3] = [
    ("headers", "headers BLOB"),
    ("tries", "tries INTEGER NOT NULL DEFAULT 0"),
    ("tried_by", "tried_by TEXT"),
];

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
        add_missing(&connection).map_err(&failed)?;
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
        let bytes = unsigned(bytes).saturating_add(stray.size_bytes() as u64);
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

    /// One stray with what came, still sealed.
    pub fn one(&self, id: u64) -> Result<Option<Stray>, QuarantineError> {
        let failed = failed("read");
        let connection = self.connection();
        let mut statement = connection
            .prepare_cached(
                "SELECT at, source, subject, reason, sealed, headers FROM stray WHERE id = ?1",
            )
            .map_err(&failed)?;
        let found = statement
            .query_row([i64::try_from(id).unwrap_or(i64::MAX)], read)
            .optional()
            .map_err(&failed)?;
        Ok(found)
    }
}

/// SQLite counts in signed numbers; ours are never below zero.
fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}

fn moment(row: &Row<'_>, at: usize) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(row.get(at)?)
        .map_err(|_| rusqlite::Error::IntegralValueOutOfRange(at, 0))
}

fn read(row: &Row<'_>) -> rusqlite::Result<Stray> {
    Ok(Stray {
        at: moment(row, 0)?,
        source: row.get(1)?,
        subject: row.get(2)?,
        reason: row.get(3)?,
        sealed: row.get(4)?,
        headers: row.get(5)?,
    })
}

/// A file of an earlier version gets the columns that it lacks.
fn add_missing(connection: &Connection) -> rusqlite::Result<()> {
    let mut select = connection.prepare("SELECT name FROM pragma_table_info('stray')")?;
    let there = select.query_map([], |row| row.get::<_, String>(0))?;
    let there: Vec<String> = there.collect::<Result<_, _>>()?;
    for (name, column) in ADDED {
        if !there.iter().any(|it| it == name) {
            connection.execute_batch(&format!("ALTER TABLE stray ADD COLUMN {column}"))?;
        }
    }
    Ok(())
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

/// Under a number that no other ever had: a re-drive names what it lets in by its number.
fn insert(transaction: &Transaction<'_>, stray: &Stray) -> rusqlite::Result<()> {
    let subject: String = stray.subject.chars().take(SUBJECT_CHARACTERS_MAX).collect();
    let number: i64 = transaction
        .prepare_cached("UPDATE numbering SET last = last + 1 RETURNING last")?
        .query_row([], |row| row.get(0))?;
    transaction
        .prepare_cached(
            "INSERT INTO stray (id, at, source, subject, reason, sealed, headers)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            number,
            stray.at.as_microsecond(),
            &stray.source,
            subject,
            &stray.reason,
            &stray.sealed,
            &stray.headers,
        ))?;
    transaction
        .prepare_cached(
            "INSERT INTO held VALUES (?1, 1, ?2, NULL)
             ON CONFLICT (source) DO UPDATE SET rows = rows + 1, bytes = bytes + excluded.bytes",
        )?
        .execute((&stray.source, stray.size_bytes() as i64))?;
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
mod tests;
