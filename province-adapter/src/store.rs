//! The adapter's memory: one SQLite file, one writing thread, many askers for one fsync.
//!
//! Whoever writes hands over a closure; the thread runs all that wait, commits once and only then
//! answers. A commit whose outcome is unknown ends the adapter: it reopens and looks.

mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use tokio::sync::{mpsc, oneshot, watch};

use self::writer::{Answer, Job, Outcome, Part};

/// Closures that may wait for the writing thread.
const QUEUE_MAX: usize = 1024;
/// Prepared statements kept: more than the adapter and its office have, so that none is parsed twice.
const STATEMENTS_KEPT_MAX: usize = 64;
/// `SQLITE_IOERR_SHMSIZE`: the journal's index cannot grow, for want of space.
const SHMSIZE: i32 = 4_874;
/// What must fit before a full disk counts as one with space again, in bytes.
const ROOM_PROBE_BYTES: i32 = 256 * 1024;
/// `PRAGMA application_id`: "hpad".
const APPLICATION_ID: i64 = 0x6870_6164;
/// The shape of `schema.sql`.
const SCHEMA_VERSION: i64 = 1;
/// Tables that came later.
const ADDITIONS: &str = include_str!("additions.sql");
/// SQLite before 3.51.3 can lose committed data with two connections (the WAL-reset bug).
const SQLITE_VERSION_MIN: i32 = 3_051_003;

/// The store cannot be opened, asked or trusted.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another adapter holds it, or the lock file cannot be written.
    #[error("cannot lock `{path}`\n(is another adapter running on this store?)", path = path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
    },
    /// SQLite cannot open it.
    #[error("cannot open the store `{path}`", path = path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: rusqlite::Error,
    },
    /// A safety setting reads back different, or the file is somebody else's.
    #[error("the store's {setting} is {found}, not {wanted}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What was read back.
        found: String,
        /// What it must be.
        wanted: String,
    },
    /// A statement failed; its transaction part is undone.
    #[error("cannot carry out a statement in the store")]
    Statement(#[source] rusqlite::Error),
    /// The disk, or the quota, is full. Nothing was written; it goes on by itself when there is space.
    #[error(
        "the disk of the store is full\n(make space; nothing is lost, and nobody needs to restart anything)"
    )]
    Full,
    /// The writing thread ended after a failure that it logged.
    #[error("the store has stopped")]
    Stopped,
}

impl From<rusqlite::Error> for StoreError {
    fn from(source: rusqlite::Error) -> Self {
        if is_full(&source) { Self::Full } else { Self::Statement(source) }
    }
}

/// No space for the file, its journal, or the journal's index. All three are told before a commit counts.
fn is_full(error: &rusqlite::Error) -> bool {
    let rusqlite::Error::SqliteFailure(error, _) = error else { return false };
    error.code == ErrorCode::DiskFull || error.extended_code == SHMSIZE
}

/// What a transaction part may fail with: the writing thread must see when the store itself failed.
pub trait MayBeStoreError: From<StoreError> {
    /// The store's failure, if it is one.
    fn store_error(&self) -> Option<&StoreError>;
}

impl MayBeStoreError for StoreError {
    fn store_error(&self) -> Option<&StoreError> {
        Some(self)
    }
}

/// A handle on the writing thread; cheap to clone.
#[derive(Clone)]
pub struct Store {
    jobs: mpsc::Sender<Job>,
    stopped: watch::Receiver<bool>,
    full: watch::Receiver<bool>,
}

impl Store {
    /// Opens or creates the file, locks it for this process and starts the writing thread.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        let lock_path = path.with_extension("lock");
        let lock = File::create(&lock_path)
            .ok()
            .filter(|it| it.try_lock().is_ok())
            .ok_or(StoreError::Lock { path: lock_path })?;
        let connection = open_connection(path)?;
        let (jobs, queue) = mpsc::channel(QUEUE_MAX);
        let (stop, stopped) = watch::channel(false);
        let (tell_full, full) = watch::channel(false);
        std::thread::Builder::new()
            .name("adapter-store".to_owned())
            .spawn(move || {
                writer::write_until_closed(&connection, queue, &tell_full);
                drop(connection);
                drop(lock);
                // Nobody listening any more is the ordinary end.
                let _ = stop.send(true);
            })
            .map_err(|_| StoreError::Stopped)?;
        Ok(Self { jobs, stopped, full })
    }

    /// Runs `work` in a transaction part of its own; durable on return. An error undoes the part.
    pub async fn write<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: MayBeStoreError + Send + 'static,
    {
        self.put(work, Part::of).await
    }

    /// Whether so much can be written that a full disk is one no more. Leaves nothing behind.
    pub(crate) async fn has_room(&self) -> bool {
        let probe = |connection: &Connection| -> Result<(), StoreError> {
            connection.execute(
                "INSERT OR REPLACE INTO room VALUES (1, zeroblob(?1))",
                [ROOM_PROBE_BYTES],
            )?;
            connection.execute("UPDATE room SET filler = NULL", [])?;
            Ok(())
        };
        self.put(probe, |_| Part::Room).await.is_ok()
    }

    /// The last that was seen: the disk was full.
    pub(crate) fn is_full(&self) -> bool {
        *self.full.borrow()
    }

    /// Returns when the disk is seen to be full; at once if it is.
    pub(crate) fn becomes_full(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut full = self.full.clone();
        async move {
            if full.wait_for(|it| *it).await.is_err() {
                // The thread has ended: `stopped` tells.
                std::future::pending::<()>().await;
            }
        }
    }

    async fn put<T, E>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static,
        judge: fn(&Result<T, E>) -> Part,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: MayBeStoreError + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = work(connection);
            let part = if result.is_ok() { judge(&result) } else { Part::of(&result) };
            let tell: Answer = Box::new(move |outcome| {
                let result = match outcome {
                    Outcome::Durable => result,
                    Outcome::Full => Err(StoreError::Full.into()),
                    Outcome::Unknown => Err(StoreError::Stopped.into()),
                };
                // The asker may have gone away; what is durable stays so.
                let _ = answer.send(result);
            });
            (part, tell)
        });
        self.jobs.send(job).await.map_err(|_| E::from(StoreError::Stopped))?;
        answered.await.unwrap_or_else(|_| Err(StoreError::Stopped.into()))
    }

    /// Returns when the writing thread has ended. Does not keep it alive.
    pub fn stopped(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stopped = self.stopped.clone();
        async move {
            // An error means that the sender is gone, hence the thread too.
            let _ = stopped.wait_for(|it| *it).await;
        }
    }
}

/// A connection with every safety setting read back.
pub(crate) fn open_connection(path: &Path) -> Result<Connection, StoreError> {
    let opened = |source| StoreError::Open { path: path.to_owned(), source };
    if rusqlite::version_number() < SQLITE_VERSION_MIN {
        return Err(setting("SQLite version", rusqlite::version(), "3.51.3 or newer"));
    }
    let connection = Connection::open(path).map_err(opened)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_KEPT_MAX);
    connection
        .execute_batch(
            "PRAGMA busy_timeout=5000; PRAGMA page_size=8192; PRAGMA foreign_keys=ON;
             PRAGMA recursive_triggers=ON; PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON;
             PRAGMA fullfsync=1; PRAGMA checkpoint_fullfsync=1; PRAGMA synchronous=FULL;
             PRAGMA journal_size_limit=67108864; PRAGMA mmap_size=0;",
        )
        .map_err(opened)?;
    let mode: String =
        connection.query_row("PRAGMA journal_mode=WAL", [], |row| row.get(0)).map_err(opened)?;
    expect_setting("journal_mode", &mode, "wal")?;
    expect_setting("synchronous", &pragma(&connection, "synchronous")?.to_string(), "2")?;
    let application = pragma(&connection, "application_id")?;
    let version = pragma(&connection, "user_version")?;
    if application == 0 && version == 0 {
        create_schema(&connection).map_err(opened)?;
        connection.execute_batch(ADDITIONS).map_err(opened)?;
        return Ok(connection);
    }
    expect_setting("application_id", &application.to_string(), &APPLICATION_ID.to_string())?;
    expect_setting("user_version", &version.to_string(), &SCHEMA_VERSION.to_string())?;
    connection.execute_batch(ADDITIONS).map_err(opened)?;
    crate::inventory::note_older_stories(&connection)?;
    Ok(connection)
}

/// A connection that only looks, for `status`.
pub fn open_to_look(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)
        .map_err(|source| StoreError::Open { path: path.to_owned(), source })?;
    connection.execute_batch("PRAGMA busy_timeout=5000; PRAGMA query_only=ON;")?;
    expect_setting(
        "application_id",
        &pragma(&connection, "application_id")?.to_string(),
        &APPLICATION_ID.to_string(),
    )?;
    Ok(connection)
}

fn create_schema(connection: &Connection) -> Result<(), rusqlite::Error> {
    connection.execute_batch(&format!(
        "BEGIN IMMEDIATE; {} PRAGMA application_id={APPLICATION_ID}; PRAGMA user_version={SCHEMA_VERSION}; COMMIT;",
        include_str!("schema.sql")
    ))
}

fn pragma(connection: &Connection, name: &str) -> Result<i64, StoreError> {
    Ok(connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?)
}

fn expect_setting(name: &'static str, found: &str, wanted: &str) -> Result<(), StoreError> {
    if found == wanted { Ok(()) } else { Err(setting(name, found, wanted)) }
}

fn setting(setting: &'static str, found: &str, wanted: &str) -> StoreError {
    StoreError::Setting { setting, found: found.to_owned(), wanted: wanted.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(connection: &Connection) -> Result<i64, StoreError> {
        Ok(connection.query_row("SELECT epoch FROM fence", [], |row| row.get(0))?)
    }

    #[tokio::test]
    async fn a_failed_part_is_undone_and_the_others_stay() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("adapter.db")).unwrap();
        let good = store.write(|it| -> Result<(), StoreError> {
            it.execute("UPDATE fence SET epoch = 7", [])?;
            Ok(())
        });
        let bad = store.write(|it| -> Result<(), StoreError> {
            it.execute("UPDATE fence SET epoch = 8", [])?;
            it.execute("no statement", [])?;
            Ok(())
        });
        let (good, bad) = tokio::join!(good, bad);
        good.unwrap();
        bad.unwrap_err();
        assert_eq!(store.write(epoch).await.unwrap(), 7);
    }

    #[tokio::test]
    async fn a_commit_that_fails_is_told_to_nobody_as_done_and_stops_everything() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("adapter.db");
        let store = Store::open(&path).unwrap();
        // A reference to nothing is found only when the transaction ends: at the commit.
        let spoil = store.write(|it| -> Result<(), StoreError> {
            it.execute_batch("PRAGMA defer_foreign_keys=ON")?;
            it.execute(
                "INSERT INTO work (case_id, request, kind, digest, body, signature, received_at, delivered_by, next_take_at)
                 VALUES (x'01', x'02', 'case', x'03', x'04', '', 0, 999, 0)",
                [],
            )?;
            Ok(())
        });
        assert!(matches!(spoil.await, Err(StoreError::Stopped)));
        store.stopped().await;
        assert!(matches!(store.write(epoch).await, Err(StoreError::Stopped)));
        drop(store);
        let count = "SELECT count(*) FROM work";
        let reopened = Store::open(&path).unwrap();
        let count = reopened.write(move |it| -> Result<i64, StoreError> {
            Ok(it.query_row(count, [], |row| row.get(0))?)
        });
        assert_eq!(count.await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_second_adapter_on_the_same_store_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("adapter.db");
        let _first = Store::open(&path).unwrap();
        assert!(matches!(Store::open(&path), Err(StoreError::Lock { .. })));
    }

    #[test]
    fn somebody_elses_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("other.db");
        Connection::open(&path).unwrap().execute_batch("PRAGMA user_version=9").unwrap();
        assert!(matches!(open_connection(&path), Err(StoreError::Setting { .. })));
    }

    #[test]
    fn every_commit_is_synced_to_the_disk() {
        let folder = tempfile::tempdir().unwrap();
        let connection = open_connection(&folder.path().join("adapter.db")).unwrap();
        assert_eq!(pragma(&connection, "synchronous").unwrap(), 2);
    }
}
