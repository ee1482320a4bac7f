//! The hot path: a batch becomes one transaction and one synchronisation.
//!
//! There is no savepoint for each item: every conflict of an item is found before its first row is
//! written, so there is never half an item to undo. Anything else undoes the whole batch.

use std::time::Instant;

use events::envelope::{Recorded, Version};
use events::ids::StreamName;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, OptionalExtension as _, ToSql, params};

use super::{SqliteLog, StreamEnd, read};
use crate::log::batch::{Head, Place, fits};
use crate::log::{Append, AppendError, Conflict, SenderKey};

/// So much is moved from the write-ahead file to the database at the latest, in bytes appended.
const SETTLE_BYTES_MIN: u64 = 16 << 20;
/// So much is worth moving when nobody waits.
pub(super) const REST_BYTES_MIN: u64 = 256 << 10;
/// What a row takes beside its body and its sealed part, roughly.
const ROW_BYTES: u64 = 200;
/// From here on the write-ahead file is worth a warning: some reader reads for too long.
const WAL_PAGES_WARNED: i64 = 8_192;

type Answers = Vec<Result<Vec<Recorded>, Conflict>>;

enum Failure {
    Sqlite(rusqlite::Error),
    Fenced,
    NotReady,
}
impl From<rusqlite::Error> for Failure {
    fn from(it: rusqlite::Error) -> Self {
        Self::Sqlite(it)
    }
}

impl SqliteLog {
    pub(super) fn append_batch(
        &mut self,
        batch: Vec<Append>,
        ready: &mut dyn FnMut() -> bool,
    ) -> Result<Answers, AppendError> {
        if let Some(failure) = self.checkpoint_failure.take() {
            return Err(AppendError::Unknown(Box::new(failure)));
        }
        self.head.check(&batch);
        let mut head = self.head.clone();
        match self.write(&mut head, batch, ready) {
            Ok(answers) => {
                self.head = head;
                // What was committed is committed: a failure here is told to the next append.
                self.checkpoint_failure = self.move_wal(SETTLE_BYTES_MIN).err();
                Ok(answers)
            }
            Err(failure) => {
                // It may hold ends that were just undone.
                self.streams.clear();
                Err(self.undo(failure))
            }
        }
    }

    /// Moves the write-ahead file into the database if `bytes_min` were appended since.
    pub(super) fn settle(&mut self, bytes_min: u64) -> Result<(), AppendError> {
        let failure = self.checkpoint_failure.take().map_or(Ok(()), Err);
        failure
            .and_then(|()| self.move_wal(bytes_min))
            .map_err(|source| AppendError::Unknown(Box::new(source)))
    }

    fn write(
        &mut self,
        head: &mut Head,
        batch: Vec<Append>,
        ready: &mut dyn FnMut() -> bool,
    ) -> Result<Answers, Failure> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        let sql = "SELECT coalesce(max(epoch), 0) FROM fence";
        let epoch: i64 = self.connection.prepare_cached(sql)?.query_row([], |row| row.get(0))?;
        if epoch != stored(self.epoch) {
            return Err(Failure::Fenced);
        }
        let mut answers = Vec::with_capacity(batch.len());
        for item in batch {
            answers.push(self.write_item(head, item)?);
        }
        if !ready() {
            return Err(Failure::NotReady);
        }
        let begun = Instant::now();
        self.connection.prepare_cached("COMMIT")?.execute([])?;
        metrics::histogram!("hub_log_fsync_seconds").record(begun.elapsed());
        Ok(answers)
    }

    fn write_item(
        &mut self,
        head: &mut Head,
        item: Append,
    ) -> Result<Result<Vec<Recorded>, Conflict>, Failure> {
        if let Some(stream) = self.used(item.key)? {
            return Ok(Err(Conflict::KeyUsed { stream }));
        }
        let end = self.end_of(&item.stream)?;
        let actual = end.map(|it| it.version);
        if !fits(item.expected, actual) {
            return Ok(Err(Conflict::Version { stream: item.stream, actual }));
        }
        let stream = item.stream.to_string();
        let mut end = match end {
            Some(end) => end,
            None => StreamEnd { stream_ref: self.new_stream(&item.stream)?, version: Version(0) },
        };
        if let Some(key) = item.key {
            self.keep_key(&key, end.stream_ref, &stream)?;
        }
        let mut recorded = Vec::with_capacity(item.events.len());
        for envelope in item.events {
            end.version.0 += 1;
            let place = Place {
                origin: &self.origin,
                stream: &stream,
                version: end.version,
                recorded_at: item.recorded_at,
                epoch: self.epoch,
            };
            let linked = head.link(&place, envelope);
            self.insert(end.stream_ref, &linked)?;
            recorded.push(linked);
        }
        self.streams.put(item.stream, end);
        Ok(Ok(recorded))
    }

    fn used(&self, key: Option<SenderKey>) -> Result<Option<StreamName>, Failure> {
        let Some(SenderKey(key)) = key else { return Ok(None) };
        let sql = "SELECT name FROM sender_key JOIN stream USING (stream_ref) WHERE key = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let name = statement.query_row([key], |row| read::stream_name(row.get_ref(0)?));
        Ok(name.optional()?)
    }

    fn end_of(&mut self, stream: &StreamName) -> Result<Option<StreamEnd>, Failure> {
        if let Some(end) = self.streams.get(stream) {
            return Ok(Some(*end));
        }
        let sql = "SELECT stream_ref, (SELECT max(version) FROM event
                     WHERE event.stream_ref = stream.stream_ref) FROM stream WHERE name = ?1";
        let mut statement = self.connection.prepare_cached(sql)?;
        let end = statement.query_row([StoredName(stream)], |row| {
            let version: i64 = row.get(1)?;
            Ok(StreamEnd { stream_ref: row.get(0)?, version: Version(version.unsigned_abs()) })
        });
        Ok(end.optional()?)
    }

    fn new_stream(&self, stream: &StreamName) -> Result<i64, Failure> {
        let sql = "INSERT INTO stream (name) VALUES (?1)";
        self.connection.prepare_cached(sql)?.execute([StoredName(stream)])?;
        Ok(self.connection.last_insert_rowid())
    }

    fn keep_key(&self, key: &SenderKey, stream_ref: i64, stream: &str) -> Result<(), Failure> {
        let sql = "INSERT INTO sender_key (key, stream_ref, seal) VALUES (?1, ?2, ?3)";
        let seal = read::key_seal(&self.origin, key, stream);
        self.connection.prepare_cached(sql)?.execute(params![key.0, stream_ref, seal])?;
        Ok(())
    }

    fn insert(&mut self, stream_ref: i64, it: &Recorded) -> Result<(), Failure> {
        let sql = "INSERT INTO event (position, stream_ref, version, recorded_at, epoch, event_id,
              kind, actor, body, sealed, evidence, evidence_signature, previous_hash, hash)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
        let envelope = &it.envelope;
        self.connection.prepare_cached(sql)?.execute(params![
            stored(it.position.0),
            stream_ref,
            stored(it.version.0),
            it.recorded_at.as_microsecond(),
            stored(it.epoch),
            envelope.id.0.as_bytes().as_slice(),
            envelope.event.kind(),
            envelope.actor.to_string(),
            it.body,
            envelope.sealed,
            envelope.evidence.as_ref().map(|it| &it.bytes),
            envelope.evidence.as_ref().map(|it| &it.signature),
            it.previous.0,
            it.hash.0,
        ])?;
        self.unsettled_bytes += it.body.len() as u64 + ROW_BYTES;
        Ok(())
    }

    fn undo(&self, failure: Failure) -> AppendError {
        if !self.connection.is_autocommit()
            && let Err(error) = self.connection.execute_batch("ROLLBACK")
        {
            return AppendError::Unknown(Box::new(error));
        }
        match failure {
            Failure::Fenced => AppendError::Fenced { epoch: self.epoch },
            Failure::NotReady => AppendError::NotReady,
            Failure::Sqlite(it) if it.sqlite_error_code() == Some(ErrorCode::DiskFull) => {
                AppendError::Full(Box::new(it))
            }
            Failure::Sqlite(it) => AppendError::Unknown(Box::new(it)),
        }
    }

    fn move_wal(&mut self, bytes_min: u64) -> rusqlite::Result<()> {
        if self.unsettled_bytes < bytes_min {
            return Ok(());
        }
        let mut statement = self.connection.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?;
        let moved = statement.query_row([], |row| Ok((row.get::<_, i64>(1)?, row.get(2)?)));
        let (pages, pages_moved): (i64, i64) = match moved {
            Ok(moved) => moved,
            // There is no room in the database for what the write-ahead file holds: appends will
            // find the same and say so; nothing is lost meanwhile.
            Err(it) if it.sqlite_error_code() == Some(ErrorCode::DiskFull) => return Ok(()),
            Err(it) => return Err(it),
        };
        self.unsettled_bytes = 0;
        if pages - pages_moved > WAL_PAGES_WARNED {
            tracing::warn!(
                wal.pages = pages,
                wal.pages_moved = pages_moved,
                "a long reader keeps the log's write-ahead file from shrinking: {pages} pages"
            );
        }
        Ok(())
    }
}

/// As SQLite stores it. Nine quintillion positions are enough.
fn stored(number: u64) -> i64 {
    i64::try_from(number).expect("positions, versions and epochs grow one by one")
}

/// A stream's name as the table holds it.
pub(super) struct StoredName<'a>(pub(super) &'a StreamName);

impl ToSql for StoredName<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            StreamName::Case(id) => ToSqlOutput::Borrowed(ValueRef::Blob(id.0.as_bytes())),
            other => ToSqlOutput::from(other.to_string()),
        })
    }
}
