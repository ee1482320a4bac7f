//! What to send now. A plan leaves nothing to decide. Tries are limited in rate, never in number.

use std::collections::VecDeque;

use events::ids::{CaseId, ProvinceCode, RequestId};
use events::work::WorkKind;
use jiff::{SignedDuration, Timestamp};

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

impl Pace {
    /// When to try again after `attempts` tries, the last of them at `attempted_at`. A pace without
    /// waits tries again at once.
    pub fn retry_at(&self, attempts: u32, attempted_at: Timestamp) -> Timestamp {
        let at = (attempts.max(1) - 1) as usize;
        let wait_ms = self.waits_ms.get(at).or(self.waits_ms.last()).copied().unwrap_or(0);
        let wait = SignedDuration::from_millis(i64::try_from(wait_ms).unwrap_or(i64::MAX));
        attempted_at.checked_add(wait).unwrap_or(Timestamp::MAX)
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
    let mut queues: Vec<(ProvinceCode, VecDeque<&Waiting>)> = Vec::new();
    let mut due: Vec<&Waiting> = waiting.iter().filter(|it| is_due(it, now, pace)).collect();
    // What was never tried comes first, then what was tried longest ago; the case ids are UUIDv7
    // and break ties by age. A sorted copy, so that the order of the rows does not matter.
    due.sort_by_key(|it| (it.attempted_at, it.case, it.request, it.work));
    for row in due {
        if paused(row.province) {
            continue;
        }
        match queues.iter_mut().find(|it| it.0 == row.province) {
            Some((_, queue)) => queue.push_back(row),
            None => queues.push((row.province, VecDeque::from([row]))),
        }
    }
    let mut steps = Vec::new();
    while steps.len() < count_max && !queues.is_empty() {
        queues.retain_mut(|(_, queue)| {
            if steps.len() < count_max
                && let Some(row) = queue.pop_front()
            {
                steps.push(Step { waiting: row.clone(), attempt: row.attempts.saturating_add(1) });
            }
            !queue.is_empty()
        });
    }
    steps
}

/// A row is due when it was never tried, or when the wait after its last try is over.
fn is_due(row: &Waiting, now: Timestamp, pace: &Pace) -> bool {
    let Some(attempted_at) = row.attempted_at else { return true };
    pace.retry_at(row.attempts, attempted_at) <= now
}
