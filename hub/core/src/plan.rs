//! What to send now. A plan leaves nothing to decide. Tries are limited in rate, never in number.

use events::ids::{CaseId, ProvinceCode, RequestId};
use events::work::WorkKind;
use jiff::Timestamp;

/// Something a province has not signed for yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The case.
    pub case: CaseId,
    /// To whom.
    pub province: ProvinceCode,
    /// Which request.
    pub request: RequestId,
    /// What.
    pub work: WorkKind,
    /// How often the broker took it.
    pub attempts: u32,
    /// When it took it last.
    pub attempted_at: Option<Timestamp>,
}

/// How long to wait before each further attempt; the last one repeats for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pace {
    /// 5 s, 30 s, 2 min, 10 min, 1 h.
    pub waits_ms: Vec<u64>,
}

impl Default for Pace {
    fn default() -> Self {
        Self { waits_ms: vec![5_000, 30_000, 120_000, 600_000, 3_600_000] }
    }
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// What is sent, and to whom.
    pub waiting: Waiting,
    /// The attempt's number: in the message id, never used twice.
    pub attempt: u32,
}

/// What to send at `now`, oldest first, at most `count_max` steps and, so that one province cannot
/// take all the room, taking turns among provinces. Rows of a `paused` province stay where they are.
pub fn plan(
    waiting: &[Waiting],
    paused: &dyn Fn(ProvinceCode) -> bool,
    now: Timestamp,
    pace: &Pace,
    count_max: usize,
) -> Vec<Step> {
    let _ = (waiting, paused, now, pace, count_max);
    todo!()
}
