//! The auditor's walk: event after event, believing nothing but the bytes. Knows no file format.

use ed25519_dalek::VerifyingKey;
use events::proof::Hash;
use events::proof::chain::Link;
use events::proof::note::Checkpoint;
use uuid::Uuid;

use crate::audit::words::Words;

/// A row as it is stored, whatever stores it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    /// A small number for the stream, from 0; the same for the same stream.
    pub(crate) stream_number: usize,
    pub(crate) event_id: Uuid,
    pub(crate) kind: &'a str,
    pub(crate) actor: &'a str,
    pub(crate) link: Link<'a>,
    pub(crate) hash: Hash,
}

/// What has been seen so far: the chain, and what its events say. Each can be walked on a thread of
/// its own; `Walk` takes both steps.
pub(crate) struct Walk {
    pub(crate) chain: Chain,
    pub(crate) words: Words,
}

/// The order of the rows and their hashes.
pub(crate) struct Chain {
    previous: Hash,
    position: u64,
    recorded_at_us: i64,
    epoch: u64,
    event_id: Option<Uuid>,
    versions: Vec<u64>,
    // What came before is not known: versions begin anywhere.
    partial: bool,
}

impl Walk {
    /// Begins before position 1. `signed` are checkpoints from elsewhere; `hub_key` also checks
    /// those that the log carries.
    pub(crate) fn new(hub_key: Option<VerifyingKey>, signed: &[Checkpoint]) -> Self {
        let chain = Chain {
            previous: Hash::ZERO,
            position: 0,
            recorded_at_us: i64::MIN,
            epoch: 0,
            event_id: None,
            versions: Vec::new(),
            partial: false,
        };
        let words = Words::new(hub_key, signed);
        Self { chain, words }
    }

    /// The same, but it begins behind `position`.
    pub(crate) fn behind(mut self, position: u64, previous: Hash) -> Self {
        self.chain.position = position;
        self.chain.previous = previous;
        self.chain.partial = position > 0;
        self.words = self.words.behind(position, previous);
        self
    }

    /// The last position that was found good.
    pub(crate) fn position(&self) -> u64 {
        self.words.position()
    }

    /// The last good position and its hash.
    pub(crate) fn head(&self) -> Option<(u64, Hash)> {
        self.words.head()
    }

    /// One step of both. What is wrong with the row, if anything is.
    pub(crate) fn step(&mut self, row: &Row<'_>) -> Result<(), String> {
        self.chain.step(row)?;
        self.words.step(row)
    }
}

impl Chain {
    /// Where the walk along the chain is.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The last epoch.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many streams have events.
    pub(crate) fn streams(&self) -> usize {
        self.versions.iter().filter(|it| **it > 0).count()
    }

    /// One step. Which rule of order or which hash is broken, if any is.
    pub(crate) fn step(&mut self, row: &Row<'_>) -> Result<(), String> {
        self.order(row)?;
        let link = &row.link;
        if link.previous != self.previous {
            return Err("it does not carry the hash of the event before".to_owned());
        }
        if link.hash() != row.hash {
            return Err("its hash is another one: it was changed".to_owned());
        }
        self.position = link.position;
        self.previous = row.hash;
        self.recorded_at_us = link.recorded_at;
        self.epoch = link.epoch;
        self.event_id = Some(row.event_id);
        Ok(())
    }

    fn order(&mut self, row: &Row<'_>) -> Result<(), String> {
        let link = &row.link;
        let next = self.position + 1;
        if link.position != next {
            return Err(format!("position {next} is missing; {} follows", link.position));
        }
        if link.recorded_at < self.recorded_at_us {
            return Err("it was recorded before the event before it".to_owned());
        }
        if link.epoch < self.epoch {
            return Err("an older epoch wrote it".to_owned());
        }
        if Some(row.event_id) <= self.event_id {
            return Err("its id does not grow".to_owned());
        }
        if row.stream_number >= self.versions.len() {
            self.versions.resize(row.stream_number + 1, 0);
        }
        let version = &mut self.versions[row.stream_number];
        let unknown = self.partial && *version == 0;
        if link.version != *version + 1 && !(unknown && link.version > 0) {
            let found = link.version;
            return Err(format!(
                "version {} of its story is missing; {found} follows",
                *version + 1
            ));
        }
        *version = link.version;
        Ok(())
    }
}
