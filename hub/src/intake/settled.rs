//! A message of the broker, and what becomes of it there and in the metrics.

use bytes::Bytes;
use events::ids::CaseId;

/// A message of the broker, owned.
#[derive(Debug, Clone)]
pub struct Message {
    /// Where it was published.
    pub subject: String,
    /// Its headers.
    pub headers: Option<async_nats::HeaderMap>,
    /// Whether they are headers at all: a province may store bytes there that no client reads.
    pub headers_readable: bool,
    /// Its exact bytes.
    pub payload: Bytes,
}

/// What becomes of a message at the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is on record, refused for good, or known: acknowledge it.
    Acknowledge,
    /// It can never be taken in and is kept as a stray: never deliver it again.
    Terminate,
    /// Its predecessor is not there yet: keep it at hand, unacknowledged.
    Hold {
        /// For which case.
        case: CaseId,
        /// Its number.
        number: u64,
    },
    /// Nothing can be said about it now: let the broker deliver it again.
    Leave,
}

/// What became of one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settled {
    /// At the broker.
    pub fate: Fate,
    /// In the metrics.
    pub outcome: &'static str,
    /// The case whose story went on, for whose sake reports may be held.
    pub went_on: Option<CaseId>,
}

impl Settled {
    pub(super) const fn of(fate: Fate, outcome: &'static str) -> Self {
        Self { fate, outcome, went_on: None }
    }
    pub(super) const LEFT: Self = Self::of(Fate::Leave, "left");
}
