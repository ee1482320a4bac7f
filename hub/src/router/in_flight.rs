//! What was sent while the view still says "waiting". A courtesy: forgetting it costs a second copy.

use std::collections::HashMap;
use std::time::Duration;

use events::ids::RequestId;
use events::work::WorkKind;
use hub_core::plan::{Step, Waiting};
use tokio::time::Instant;

/// Most attempts that are remembered; beyond it a second copy may go out.
pub const IN_FLIGHT_MAX: usize = 65_536;

/// Attempts that the view may not show yet.
#[derive(Debug)]
pub struct InFlight {
    sent: HashMap<(RequestId, WorkKind), (u32, Instant)>,
    forget_after: Duration,
}

impl InFlight {
    /// Remembers each attempt for `forget_after`, the pace's first wait.
    pub fn new(forget_after: Duration) -> Self {
        Self { sent: HashMap::new(), forget_after }
    }

    /// Whether the attempt that `waiting` asks for is on its way already.
    pub fn has(&self, waiting: &Waiting) -> bool {
        let sent = self.sent.get(&(waiting.request, waiting.work));
        sent.is_some_and(|(attempt, at)| {
            *attempt > waiting.attempts && at.elapsed() < self.forget_after
        })
    }

    /// It is on its way.
    pub fn add(&mut self, step: &Step) {
        if self.sent.len() >= IN_FLIGHT_MAX {
            let forget_after = self.forget_after;
            self.sent.retain(|_, (_, at)| at.elapsed() < forget_after);
        }
        if self.sent.len() < IN_FLIGHT_MAX {
            let waiting = &step.waiting;
            self.sent.insert((waiting.request, waiting.work), (step.attempt, Instant::now()));
        }
    }

    /// It certainly is not.
    pub fn remove(&mut self, step: &Step) {
        self.sent.remove(&(step.waiting.request, step.waiting.work));
    }

    /// Forgets what the outbox no longer shows.
    pub fn keep_only(&mut self, rows: &[Waiting]) {
        if self.sent.len() > rows.len() {
            let waiting: std::collections::HashSet<_> =
                rows.iter().map(|it| (it.request, it.work)).collect();
            self.sent.retain(|it, _| waiting.contains(it));
        }
    }
}
