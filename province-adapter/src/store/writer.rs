//! The writing thread: all that waits in one transaction, with one fsync; nobody is answered before it.
//!
//! A full disk undoes and is told to everybody whose part was in it. Every other failure of a commit, and
//! every failure to read or write, leaves unknown what is on the disk: the thread ends, and the adapter.

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{mpsc, watch};
use tracing::error;

use super::{MayBeStoreError, StoreError, is_full};

/// Closures in one transaction.
const BATCH_MAX: usize = 512;

/// What became of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is on the disk.
    Durable,
    /// Undone, because there is no space.
    Full,
    /// Nobody knows before the store is opened again.
    Unknown,
}

/// How one part of a transaction went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// It stays.
    Kept,
    /// It stays, and shows that there is space again.
    Room,
    /// It is undone; the others stay.
    Undone,
    /// It is undone for want of space.
    Full,
    /// The disk or the file cannot be trusted any more.
    Broken,
}

impl Part {
    pub(super) fn of<T, E: MayBeStoreError>(result: &Result<T, E>) -> Self {
        match result.as_ref().map_err(E::store_error) {
            Ok(_) => Self::Kept,
            Err(Some(StoreError::Full)) => Self::Full,
            Err(Some(StoreError::Statement(source))) if is_broken(source) => {
                error!(error = %source, "the store cannot be read or written");
                Self::Broken
            }
            Err(_) => Self::Undone,
        }
    }
}

fn is_broken(error: &rusqlite::Error) -> bool {
    use ErrorCode::{DatabaseCorrupt, NotADatabase, SystemIoFailure};
    matches!(error.sqlite_error_code(), Some(SystemIoFailure | DatabaseCorrupt | NotADatabase))
}

pub(super) type Answer = Box<dyn FnOnce(Outcome) + Send>;
pub(super) type Job = Box<dyn FnOnce(&Connection) -> (Part, Answer) + Send>;

pub(super) fn write_until_closed(
    connection: &Connection,
    mut queue: mpsc::Receiver<Job>,
    full: &watch::Sender<bool>,
) {
    while let Some(first) = queue.blocking_recv() {
        let mut batch = Batch { answers: Vec::new(), lacked: false, room: false };
        let outcome = match batch.write(connection, first, &mut queue) {
            Ok(()) => Outcome::Durable,
            Err(Some(failure)) if is_full(&failure) && undone(connection) => {
                batch.lacked = true;
                Outcome::Full
            }
            Err(failure) => {
                // The outcome of a failed commit is unknown: nothing may go on from here.
                let failure = failure.map_or_else(String::new, |it| it.to_string());
                error!(error = failure, "the store failed and stops");
                Outcome::Unknown
            }
        };
        if batch.lacked || batch.room {
            full.send_replace(batch.lacked);
        }
        batch.answers.into_iter().for_each(|tell| tell(outcome));
        if outcome == Outcome::Unknown {
            return;
        }
    }
}

/// SQLite may have ended the transaction by itself.
fn undone(connection: &Connection) -> bool {
    connection.is_autocommit() || run(connection, "ROLLBACK").is_ok()
}

struct Batch {
    answers: Vec<Answer>,
    /// Some part found no space.
    lacked: bool,
    /// Some part showed that there is space again.
    room: bool,
}

/// Nothing where a part was told of the failure itself.
type Failure = Option<rusqlite::Error>;

impl Batch {
    /// Everything that waits, in one transaction.
    fn write(
        &mut self,
        connection: &Connection,
        first: Job,
        queue: &mut mpsc::Receiver<Job>,
    ) -> Result<(), Failure> {
        run(connection, "BEGIN IMMEDIATE")?;
        let mut next = Some(first);
        while let Some(job) = next {
            self.write_one(connection, job)?;
            next = if self.answers.len() < BATCH_MAX { queue.try_recv().ok() } else { None };
        }
        Ok(run(connection, "COMMIT")?)
    }

    /// One part; if it fails, the others stay.
    fn write_one(&mut self, connection: &Connection, job: Job) -> Result<(), Failure> {
        run(connection, "SAVEPOINT part")?;
        let (part, tell) = job(connection);
        self.answers.push(tell);
        match part {
            Part::Kept => {}
            Part::Room => self.room = true,
            Part::Broken => return Err(None),
            Part::Full | Part::Undone => {
                self.lacked |= part == Part::Full;
                if connection.is_autocommit() {
                    // For want of space SQLite has undone the others too.
                    return Err(Some(no_space()));
                }
                run(connection, "ROLLBACK TO part")?;
            }
        }
        Ok(run(connection, "RELEASE part")?)
    }
}

fn no_space() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL), None)
}

/// Runs a statement that answers nothing and is needed all the time: it is parsed once.
fn run(connection: &Connection, sql: &'static str) -> Result<(), rusqlite::Error> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}
