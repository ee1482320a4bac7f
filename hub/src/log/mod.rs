//! THE LOG. What is recorded happened. Synchronous, because the store is; it knows no event's meaning.
//!
//! The contract that every store passes is in [`contract`]. Nothing here names SQLite but [`sqlite`].

pub mod contract;
pub mod memory;
pub mod sqlite;

mod batch;
pub mod checkpoint;
pub mod columns;
pub mod raw;

use std::sync::{Arc, Mutex, PoisonError};

use events::envelope::{Envelope, Position, Recorded, Version};
use events::ids::StreamName;
use events::proof::Hash;
use jiff::Timestamp;

use raw::RawBatch;

/// What the next append of a stream builds on. There is deliberately no "any".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// The stream does not exist yet.
    NoStream,
    /// Its last version.
    At(Version),
}

/// The sender's own name for what it sends, hashed: found again for ever, so that nothing is recorded twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SenderKey(pub [u8; 32]);

/// Events that become one story's next versions, whole or not at all.
#[derive(Debug, Clone)]
pub struct Append {
    /// The story.
    pub stream: StreamName,
    /// What it builds on.
    pub expected: Expected,
    /// The hub's clock; the log raises it to the last recorded moment if it lies before.
    pub recorded_at: Timestamp,
    /// At least one.
    pub events: Vec<Envelope>,
    /// The sender's key, if it has one; a second use is a conflict.
    pub key: Option<SenderKey>,
}

/// Why one item of a batch was not appended. The others were.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The stream is not where the asker thought.
    #[error("stream `{stream}` is at another version")]
    Version {
        /// Which.
        stream: StreamName,
        /// Where it is; `None`: it does not exist.
        actual: Option<Version>,
    },
    /// The sender's key was used before.
    #[error("the sender's key is already used in stream `{stream}`")]
    KeyUsed {
        /// Where.
        stream: StreamName,
    },
}

/// Why nothing of a batch can be said to be recorded.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// There is no room: nothing was written; reading goes on; try again later.
    #[error("there is no room to append")]
    Full(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A newer writer has started: this one must stop.
    #[error("epoch {epoch} is over")]
    Fenced {
        /// Ours.
        epoch: u64,
    },
    /// What it rests on is not durable: nothing was written.
    #[error("what the append rests on is not durable")]
    NotReady,
    /// Whether it was written is unknown: stop the process, recover, let the keys decide.
    #[error("the outcome of an append is unknown")]
    Unknown(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store failed.
    #[error("cannot read {what}")]
    Store {
        /// What was read.
        what: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// What is stored at a position cannot be understood or contradicts itself.
    #[error("position {position} is damaged: {why}")]
    Damaged {
        /// Where.
        position: Position,
        /// What is wrong with it.
        why: String,
    },
}

/// Reads. Many at a time, each with its own.
pub trait ReadLog: Send {
    /// A whole story in order; empty if there is none.
    fn read_stream(&self, stream: &StreamName) -> Result<Vec<Recorded>, ReadError>;
    /// At most `count_max` events after `after`, in order.
    fn read_all(&self, after: Position, count_max: usize) -> Result<Vec<Recorded>, ReadError>;
    /// The same events, proven but not yet understood: for whoever reads many on one thread and
    /// understands them on another.
    fn read_raw(&self, after: Position, count_max: usize) -> Result<RawBatch, ReadError> {
        Ok(self.read_all(after, count_max)?.into_iter().collect())
    }
    /// The last position and its hash; nothing in an empty log.
    fn head(&self) -> Result<Option<(Position, Hash)>, ReadError>;
    /// The story in which a sender's key was used.
    fn find_key(&self, key: &SenderKey) -> Result<Option<StreamName>, ReadError>;
    /// At most `count_max` senders' keys after `after`, in their order, and their stories. A log
    /// that cannot list them says so; it never says that there are none.
    fn read_keys(
        &self,
        after: Option<&SenderKey>,
        count_max: usize,
    ) -> Result<Vec<(SenderKey, StreamName)>, ReadError> {
        let _ = (after, count_max);
        Err(ReadError::Store { what: "the keys", source: "this log does not list them".into() })
    }
    /// The log and its environment, covered by every hash.
    fn origin(&self) -> &str;
}

/// Appends. One at a time, guarded by an epoch.
pub trait EventLog: ReadLog {
    /// Each item whole or not at all; all of it durable on return. One fsync for the batch.
    ///
    /// Later items of a batch may build on earlier ones of the same batch.
    fn append(
        &mut self,
        batch: Vec<Append>,
    ) -> Result<Vec<Result<Vec<Recorded>, Conflict>>, AppendError>;
    /// The same, if `ready` says so at the last moment at which nothing is recorded yet. It is asked
    /// once, and may wait for what the batch rests on while the batch is being written. If it says no,
    /// the answer is [`AppendError::NotReady`] and nothing was written.
    fn append_when(
        &mut self,
        batch: Vec<Append>,
        ready: &mut dyn FnMut() -> bool,
    ) -> Result<Vec<Result<Vec<Recorded>, Conflict>>, AppendError> {
        if ready() { self.append(batch) } else { Err(AppendError::NotReady) }
    }
    /// The writer's epoch: one more than the last writer's.
    fn epoch(&self) -> u64;
    /// Tidies up while nobody waits. Need not be called; called often, it costs little.
    fn rest(&mut self) -> Result<(), AppendError> {
        Ok(())
    }
}

/// Readers for whoever wants to read for a moment; kept for the next.
#[derive(Clone)]
pub struct Readers(Arc<ReadersInside>);

type OpenReader = Box<dyn Fn() -> Result<Box<dyn ReadLog>, ReadError> + Send + Sync>;

struct ReadersInside {
    open: OpenReader,
    idle: Mutex<Vec<Box<dyn ReadLog>>>,
}

/// How many idle readers are kept.
const IDLE_READERS_MAX: usize = 8;

impl Readers {
    /// Readers opened by `open` when none is idle.
    pub fn new(
        open: impl Fn() -> Result<Box<dyn ReadLog>, ReadError> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(ReadersInside { open: Box::new(open), idle: Mutex::default() }))
    }

    /// Reads on this thread. Hold the reader briefly: a long reader lets the store grow.
    pub fn read<T>(
        &self,
        what: impl FnOnce(&dyn ReadLog) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reader = match idle {
            Some(reader) => reader,
            None => (self.0.open)()?,
        };
        let answer = what(reader.as_ref());
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_READERS_MAX {
            idle.push(reader);
        }
        answer
    }

    /// Reads on a thread where waiting for the disk harms nobody.
    pub async fn read_aside<T: Send + 'static>(
        &self,
        what: impl FnOnce(&dyn ReadLog) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, ReadError> {
        let readers = self.clone();
        match tokio::task::spawn_blocking(move || readers.read(what)).await {
            Ok(answer) => answer,
            Err(panic) => Err(ReadError::Store { what: "the log, aside", source: Box::new(panic) }),
        }
    }
}
