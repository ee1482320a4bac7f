//! The key file: each case's key, wrapped, in a SQLite file of its own. A destroyed key leaves no copy.
//!
//! Rows are only ever appended (an integer key) and all have one size. So SQLite never moves a row to
//! another page, and zeros written over a wrapped key overwrite its only copy in the file; a truncating
//! checkpoint then empties the write-ahead file. The index over cases holds no secret.

use std::path::Path;
use std::time::Duration;

use events::ids::CaseId;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, TransactionBehavior};
use subtle::ConstantTimeEq as _;

use super::VaultError;
use super::wrapping::{WRAPPED_BYTES, WrappingKey};

/// Shape of the file; a program that does not know it must not touch it.
const SHAPE: i64 = 1;
/// How long to wait for another handle's lock, in milliseconds.
const BUSY_WAIT_MS: u64 = 5_000;
/// The write-ahead file is cut back to this many bytes after a checkpoint.
const WAL_BYTES_KEPT_MAX: i64 = 16 * 1024 * 1024;

const SCHEMA: &str = "
CREATE TABLE about (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  shape INTEGER NOT NULL,
  origin TEXT NOT NULL,
  check_value BLOB NOT NULL
) STRICT;
CREATE TABLE case_key (
  number INTEGER PRIMARY KEY,
  case_id BLOB NOT NULL UNIQUE CHECK (length(case_id) = 16),
  wrapped BLOB NOT NULL CHECK (length(wrapped) = 61)
) STRICT;
";

/// What the file knows of a case.
pub(super) enum Found {
    /// Its wrapped key.
    Wrapped(Vec<u8>),
    /// That its key was destroyed.
    Destroyed,
    /// Nothing.
    Nothing,
}

/// One handle on the key file.
pub(super) struct KeyFile {
    connection: Connection,
    /// The write-ahead file may still hold a key that is destroyed.
    stale: bool,
}

/// Turns a failure of the store into the room's error.
fn failed(what: &'static str) -> impl Fn(rusqlite::Error) -> VaultError {
    move |source| VaultError::Store { what, source: Box::new(source) }
}

impl KeyFile {
    /// Opens the file for writing and makes it on first use.
    pub(super) fn open(path: &Path, origin: &str, key: &WrappingKey) -> Result<Self, VaultError> {
        let connection = Connection::open(path).map_err(failed("open"))?;
        let mut file = Self { connection, stale: true };
        file.settle(true)?;
        file.make_on_first_use(origin, key)?;
        file.check(origin, key)?;
        // A crash may have come between a destruction and its checkpoint. A reader that is in the
        // way now is no reason not to start: the next destruction empties it.
        match file.empty_write_ahead() {
            Ok(()) | Err(VaultError::StillRead) => Ok(file),
            Err(error) => Err(error),
        }
    }

    /// Opens the file for reading only.
    pub(super) fn open_to_read(
        path: &Path,
        origin: &str,
        key: &WrappingKey,
    ) -> Result<Self, VaultError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(failed("open"))?;
        let file = Self { connection, stale: false };
        file.settle(false)?;
        file.check(origin, key)?;
        Ok(file)
    }

    /// Sets what safety rests on and reads it back: a setting that did not take is no setting.
    fn settle(&self, writes: bool) -> Result<(), VaultError> {
        let failed = failed("configure");
        let connection = &self.connection;
        connection.busy_timeout(Duration::from_millis(BUSY_WAIT_MS)).map_err(&failed)?;
        let mut wanted: Vec<(&str, i64)> =
            vec![("trusted_schema", 0), ("cell_size_check", 1), ("mmap_size", 0)];
        if writes {
            connection.pragma_update(None, "page_size", 8192).map_err(&failed)?;
            let mode: String = connection
                .pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0))
                .map_err(&failed)?;
            if mode != "wal" {
                return Err(VaultError::Setting { name: "journal_mode" });
            }
            // 2 is FULL: a commit that returned survives a power cut.
            wanted.extend([("synchronous", 2), ("fullfsync", 1), ("checkpoint_fullfsync", 1)]);
            wanted.extend([("secure_delete", 1), ("journal_size_limit", WAL_BYTES_KEPT_MAX)]);
        } else {
            wanted.push(("query_only", 1));
        }
        for (name, value) in wanted {
            // Some pragmas answer with a row and some do not; only the reading back counts.
            let _row = connection.pragma_update_and_check(None, name, value, |_| Ok(()));
            let actual = connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
            match actual.optional().map_err(&failed)? {
                // `mmap_size` answers nothing where memory maps are compiled out.
                None if name == "mmap_size" => {}
                Some(actual) if actual == value => {}
                _ => return Err(VaultError::Setting { name }),
            }
        }
        Ok(())
    }

    fn make_on_first_use(&mut self, origin: &str, key: &WrappingKey) -> Result<(), VaultError> {
        let failed = failed("create");
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&failed)?;
        let exists: bool = transaction
            .query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'about'", [], |row| {
                row.get(0)
            })
            .map_err(&failed)?;
        if !exists {
            transaction.execute_batch(SCHEMA).map_err(&failed)?;
            transaction
                .execute(
                    "INSERT INTO about VALUES (1, ?1, ?2, ?3)",
                    (SHAPE, origin, key.check_value().as_slice()),
                )
                .map_err(&failed)?;
        }
        transaction.commit().map_err(&failed)
    }

    /// Refuses the file of another log and a key that is not the one it was made with.
    fn check(&self, origin: &str, key: &WrappingKey) -> Result<(), VaultError> {
        let (shape, theirs, value): (i64, String, Vec<u8>) = self
            .connection
            .query_row("SELECT shape, origin, check_value FROM about", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .map_err(failed("read"))?;
        if shape != SHAPE {
            return Err(VaultError::Setting { name: "shape" });
        }
        if theirs != origin {
            return Err(VaultError::AnotherLogs { origin: theirs });
        }
        if !bool::from(value.ct_eq(key.check_value().as_slice())) {
            return Err(VaultError::WrongWrappingKey);
        }
        Ok(())
    }

    /// What the file knows of `case`.
    pub(super) fn find(&self, case: CaseId) -> Result<Found, VaultError> {
        let failed = failed("read");
        let mut statement = self
            .connection
            .prepare_cached("SELECT wrapped FROM case_key WHERE case_id = ?1")
            .map_err(&failed)?;
        let wrapped: Option<Vec<u8>> = statement
            .query_row([case.0.as_bytes().as_slice()], |row| row.get(0))
            .optional()
            .map_err(&failed)?;
        Ok(match wrapped {
            None => Found::Nothing,
            Some(wrapped) if wrapped.iter().all(|it| *it == 0) => Found::Destroyed,
            Some(wrapped) => Found::Wrapped(wrapped),
        })
    }

    /// Keeps new keys, all or none, durably.
    pub(super) fn keep(&mut self, keys: &[(CaseId, Vec<u8>)]) -> Result<(), VaultError> {
        let failed = failed("write to");
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&failed)?;
        {
            let mut statement = transaction
                .prepare_cached("INSERT INTO case_key (case_id, wrapped) VALUES (?1, ?2)")
                .map_err(&failed)?;
            for (case, wrapped) in keys {
                statement
                    .execute((case.0.as_bytes().as_slice(), wrapped.as_slice()))
                    .map_err(&failed)?;
            }
        }
        transaction.commit().map_err(&failed)
    }

    /// Writes zeros over a case's key and leaves the row as its tombstone; no copy remains in any
    /// file. A second time nothing is left to do.
    pub(super) fn destroy(&mut self, case: CaseId) -> Result<(), VaultError> {
        if !matches!(self.find(case)?, Found::Destroyed) {
            self.stale = true;
            self.connection
                .execute(
                    "INSERT INTO case_key (case_id, wrapped) VALUES (?1, ?2)
                     ON CONFLICT (case_id) DO UPDATE SET wrapped = excluded.wrapped",
                    (case.0.as_bytes().as_slice(), [0; WRAPPED_BYTES].as_slice()),
                )
                .map_err(failed("destroy a key in"))?;
        }
        if self.stale { self.empty_write_ahead() } else { Ok(()) }
    }

    fn empty_write_ahead(&mut self) -> Result<(), VaultError> {
        let busy: bool = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(failed("empty the write-ahead file of"))?;
        self.stale = busy;
        if busy { Err(VaultError::StillRead) } else { Ok(()) }
    }
}
