//! A log from elsewhere becomes a file: only a new one, under another name until it is whole.
//!
//! The triggers judge each row as they judge an append; the chain is for `verify` to judge.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use events::ids::StreamName;
use events::proof::chain::Link;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::append::StoredName;
use super::open::{OpenError, new_file, place};
use super::read::key_seal;
use super::schema;
use crate::log::SenderKey;
use events::proof::Hash;

/// So many events are written at a time.
const BATCH_EVENTS: u64 = 8_192;

/// A log being made from rows.
pub(crate) struct Import {
    connection: Connection,
    target: PathBuf,
    new: PathBuf,
    origin: String,
    epoch: u64,
    // Bounded by the log's streams: an import runs alone and once.
    streams: HashMap<StreamName, i64>,
    waiting: u64,
}

impl Import {
    /// Begins a log of `origin` at `target`, where there must be none.
    pub(crate) fn begin(target: &Path, origin: &str) -> Result<Self, OpenError> {
        let (connection, new) = new_file(target, origin)?;
        let failed = |source| OpenError::Sqlite { doing: "make", source };
        connection.execute_batch("BEGIN IMMEDIATE").map_err(failed)?;
        Ok(Self {
            connection,
            target: target.to_owned(),
            new,
            origin: origin.to_owned(),
            epoch: 0,
            streams: HashMap::new(),
            waiting: 0,
        })
    }

    /// The next event.
    pub(crate) fn event(
        &mut self,
        stream: StreamName,
        (event_id, kind, actor): (Uuid, &str, &str),
        link: &Link<'_>,
        hash: Hash,
    ) -> rusqlite::Result<()> {
        while self.epoch < link.epoch {
            self.epoch += 1;
            let sql = "INSERT INTO fence (epoch) VALUES (?1)";
            self.connection.prepare_cached(sql)?.execute([self.epoch.cast_signed()])?;
        }
        let stream_ref = match self.streams.get(&stream) {
            Some(known) => *known,
            None => {
                let sql = "INSERT INTO stream (name) VALUES (?1)";
                self.connection.prepare_cached(sql)?.execute([StoredName(&stream)])?;
                let new = self.connection.last_insert_rowid();
                self.streams.insert(stream, new);
                new
            }
        };
        let sql = "INSERT INTO event (position, stream_ref, version, recorded_at, epoch, event_id,
              kind, actor, body, sealed, evidence, evidence_signature, previous_hash, hash)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
        self.connection.prepare_cached(sql)?.execute(params![
            link.position.cast_signed(),
            stream_ref,
            link.version.cast_signed(),
            link.recorded_at,
            link.epoch.cast_signed(),
            event_id.as_bytes().as_slice(),
            kind,
            actor,
            link.body,
            link.sealed,
            link.evidence,
            link.evidence_signature,
            link.previous.0,
            hash.0,
        ])?;
        self.waiting += 1;
        if self.waiting == BATCH_EVENTS {
            self.waiting = 0;
            self.connection.execute_batch("COMMIT; PRAGMA wal_checkpoint; BEGIN IMMEDIATE")?;
        }
        Ok(())
    }

    /// A sender's key; false if there is no such story.
    pub(crate) fn key(&mut self, key: &SenderKey, stream: StreamName) -> rusqlite::Result<bool> {
        let Some(stream_ref) = self.streams.get(&stream) else { return Ok(false) };
        let seal = key_seal(&self.origin, key, &stream.to_string());
        let sql = "INSERT INTO sender_key (key, stream_ref, seal) VALUES (?1, ?2, ?3)";
        self.connection.prepare_cached(sql)?.execute(params![key.0, stream_ref, seal])?;
        Ok(true)
    }

    /// Gives the file its name.
    pub(crate) fn finish(self) -> Result<(), OpenError> {
        let failed = |source| OpenError::Sqlite { doing: "make", source };
        self.connection.execute_batch("COMMIT").map_err(failed)?;
        schema::settle(&self.connection).map_err(failed)?;
        place(self.connection, &self.new, &self.target)
    }
}
