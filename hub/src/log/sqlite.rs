//! The log in one SQLite file: write-ahead, fully synchronised, append-only in five layers.
//!
//! 1. Triggers refuse every update and delete.
//! 2. A trigger lets a row in only if it goes on from the last one, in the current epoch.
//! 3. `recursive_triggers`, without which `INSERT OR REPLACE` walks around the first.
//! 4. An authorizer on every connection allows what is needed and nothing else.
//! 5. Against people with the file: the chain, and checkpoints kept elsewhere.
//!
//! The database file is never opened by anything but SQLite in this process: closing such a
//! descriptor would drop SQLite's own locks.

mod append;
mod guard;
mod import;
mod open;
mod read;
mod schema;
mod settings;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::num::NonZeroUsize;
use std::path::PathBuf;

use events::envelope::{Position, Recorded, Version};
use events::ids::StreamName;
use events::proof::Hash;
use lru::LruCache;
use rusqlite::Connection;

use crate::log::batch::Head;
use crate::log::raw::RawBatch;
use crate::log::{Append, AppendError, Conflict, EventLog, ReadError, ReadLog, Readers, SenderKey};

pub(crate) use import::Import;
pub use open::OpenError;
pub(crate) use open::{reader_connection, sync_folder};
pub(crate) use read::{key_seal, stream_name};
pub(crate) use schema::origin;

/// How many streams' ends the writer remembers.
const STREAMS_REMEMBERED_MAX: NonZeroUsize = NonZeroUsize::new(65_536).expect("not zero");

/// The writer. There is one at a time: it holds the lock file for its whole life.
pub struct SqliteLog {
    connection: Connection,
    origin: String,
    epoch: u64,
    head: Head,
    streams: LruCache<StreamName, StreamEnd>,
    unsettled_bytes: u64,
    checkpoint_failure: Option<rusqlite::Error>,
    /// No write has failed. After one nobody knows what the disk holds, and it is not written again.
    sound: bool,
    // Declared last: dropped last, after the connection is closed.
    _lock: File,
}

/// Where a stream is, so that an append need not ask.
#[derive(Debug, Clone, Copy)]
struct StreamEnd {
    stream_ref: i64,
    version: Version,
}

/// A reader: a connection of its own that cannot write.
pub(crate) struct SqliteReader {
    connection: Connection,
    origin: String,
}

impl SqliteLog {
    /// Readers of the log at `path`; each opens the file when it is first needed.
    pub fn readers(path: impl Into<PathBuf>) -> Readers {
        let path = path.into();
        Readers::new(move || {
            let reader = open::reader(&path).map_err(|source| ReadError::Store {
                what: "the log's file",
                source: Box::new(source),
            })?;
            Ok(Box::new(reader))
        })
    }
}

impl Drop for SqliteLog {
    /// Whoever copies `log.db` of a stopped hub has all of it: SQLite itself tidies up only when the
    /// last connection closes, and readers may stay open longer than the writer.
    fn drop(&mut self) {
        if !self.sound || self.checkpoint_failure.is_some() {
            return;
        }
        let moved = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        if let Err(error) = moved {
            tracing::debug!(%error, "the log's write-ahead file stays: it holds the last events");
        }
    }
}

impl EventLog for SqliteLog {
    fn append(
        &mut self,
        batch: Vec<Append>,
    ) -> Result<Vec<Result<Vec<Recorded>, Conflict>>, AppendError> {
        self.append_when(batch, &mut || true)
    }
    fn append_when(
        &mut self,
        batch: Vec<Append>,
        ready: &mut dyn FnMut() -> bool,
    ) -> Result<Vec<Result<Vec<Recorded>, Conflict>>, AppendError> {
        let answer = self.append_batch(batch, ready);
        self.sound &= answer.is_ok();
        answer
    }
    fn epoch(&self) -> u64 {
        self.epoch
    }
    fn rest(&mut self) -> Result<(), AppendError> {
        let settled = self.settle(append::REST_BYTES_MIN);
        self.sound &= settled.is_ok();
        settled
    }
}

impl ReadLog for SqliteLog {
    fn read_stream(&self, stream: &StreamName) -> Result<Vec<Recorded>, ReadError> {
        read::stream(&self.connection, &self.origin, stream)
    }
    fn read_all(&self, after: Position, count_max: usize) -> Result<Vec<Recorded>, ReadError> {
        read::all(&self.connection, &self.origin, after, count_max)
    }
    fn read_raw(&self, after: Position, count_max: usize) -> Result<RawBatch, ReadError> {
        read::raw(&self.connection, &self.origin, after, count_max)
    }
    fn head(&self) -> Result<Option<(Position, Hash)>, ReadError> {
        read::head(&self.connection)
    }
    fn find_key(&self, key: &SenderKey) -> Result<Option<StreamName>, ReadError> {
        read::key(&self.connection, &self.origin, key)
    }
    fn read_keys(
        &self,
        after: Option<&SenderKey>,
        count_max: usize,
    ) -> Result<Vec<(SenderKey, StreamName)>, ReadError> {
        read::keys(&self.connection, &self.origin, after, count_max)
    }
    fn origin(&self) -> &str {
        &self.origin
    }
}

impl ReadLog for SqliteReader {
    fn read_stream(&self, stream: &StreamName) -> Result<Vec<Recorded>, ReadError> {
        read::stream(&self.connection, &self.origin, stream)
    }
    fn read_all(&self, after: Position, count_max: usize) -> Result<Vec<Recorded>, ReadError> {
        read::all(&self.connection, &self.origin, after, count_max)
    }
    fn read_raw(&self, after: Position, count_max: usize) -> Result<RawBatch, ReadError> {
        read::raw(&self.connection, &self.origin, after, count_max)
    }
    fn head(&self) -> Result<Option<(Position, Hash)>, ReadError> {
        read::head(&self.connection)
    }
    fn find_key(&self, key: &SenderKey) -> Result<Option<StreamName>, ReadError> {
        read::key(&self.connection, &self.origin, key)
    }
    fn read_keys(
        &self,
        after: Option<&SenderKey>,
        count_max: usize,
    ) -> Result<Vec<(SenderKey, StreamName)>, ReadError> {
        read::keys(&self.connection, &self.origin, after, count_max)
    }
    fn origin(&self) -> &str {
        &self.origin
    }
}
