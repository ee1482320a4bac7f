//! What an auditor can have looked at from the console: the signed heads, and the whole log, now.
//!
//! The walk itself lies in a neighbouring room; whoever starts the hub hands it in.

use std::sync::{Arc, Mutex, PoisonError};

use events::proof::Hash;
use jiff::Timestamp;

/// A head that the hub has signed, kept outside of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    pub position: u64,
    pub hash: Hash,
}

/// What a walk over the whole log came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// All of it is as it was recorded and signed.
    pub fine: bool,
    /// How many events were found good.
    pub events: u64,
    /// How many signed heads fitted.
    pub checkpoints: u64,
    /// The first damage, or why there is no verdict.
    pub problem: Option<String>,
}

/// The last walk that was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Walk {
    /// Nobody asked since the hub started.
    #[default]
    Never,
    /// Under way.
    Running { since: Timestamp },
    /// Done.
    Done { at: Timestamp, found: Verified },
}

/// Reads the signed heads: the latest, newest first.
pub type ReadHeads = dyn Fn() -> Result<Vec<SignedHead>, String> + Send + Sync;
/// Walks over the whole log.
pub type VerifyLog = dyn Fn() -> Verified + Send + Sync;

/// The way to both. Copies share.
#[derive(Clone)]
pub struct AuditDesk {
    heads: Arc<ReadHeads>,
    verify: Arc<VerifyLog>,
    last: Arc<Mutex<Walk>>,
}

impl AuditDesk {
    /// Reads heads and verifies as it is told.
    pub fn new(heads: Arc<ReadHeads>, verify: Arc<VerifyLog>) -> Self {
        Self { heads, verify, last: Arc::default() }
    }

    /// The signed heads, read aside.
    pub(crate) async fn heads(&self) -> Result<Vec<SignedHead>, String> {
        let heads = self.heads.clone();
        let read = tokio::task::spawn_blocking(move || heads()).await;
        read.unwrap_or_else(|_| Err("reading died".to_owned()))
    }

    /// The last walk.
    pub(crate) fn last(&self) -> Walk {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Begins a walk, unless one is under way: there is one at a time. Whether it began.
    pub(crate) fn begin(&self, clock: &crate::clock::Clock) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*last, Walk::Running { .. }) {
            return false;
        }
        *last = Walk::Running { since: clock.now() };
        let (own, clock) = (self.clone(), clock.clone());
        tokio::task::spawn_blocking(move || {
            let found = (own.verify)();
            let done = Walk::Done { at: clock.now(), found };
            *own.last.lock().unwrap_or_else(PoisonError::into_inner) = done;
        });
        true
    }
}
