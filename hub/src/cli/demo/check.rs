//! The demo checks itself: what the national system holds in its hands against what the log says.

use std::collections::{BTreeMap, HashMap};

use events::case::CaseEvent;
use events::envelope::{Event, Position, Recorded};
use events::ids::{CaseId, ProvinceCode, StreamName};
use events::vocabulary::Outcome;
use events::work::SubmissionReceipt;
use jiff::Timestamp;
use serde::Serialize;

use super::calm::Calm;
use crate::log::{ReadError, Readers};

/// Events read at once.
const READ_AT_ONCE: usize = 2_000;

/// What somebody at the desk does about alerts.
const DESK: [&str; 3] =
    ["keeping.alerts-acknowledged.v1", "keeping.alerts-assigned.v1", "case.breach-explained.v1"];

/// Nobody in the province has signed for it yet.
const WAITING: &str = "waiting for delivery";

/// What one case came to.
#[derive(Debug, Default)]
struct Told {
    submitted: Option<(u64, events::proof::Hash)>,
    province: Option<ProvinceCode>,
    /// Since when something lies with us that the province has not signed for.
    waiting_since: Option<Timestamp>,
    submissions: u32,
    acceptances: u32,
    ends: u32,
    end: Option<&'static str>,
    stage: &'static str,
    due: Option<String>,
    overdue: bool,
    conflicts: u32,
}

/// Cases that are open for one reason.
#[derive(Debug, Default, Serialize)]
pub(super) struct Open {
    pub(super) cases: usize,
    pub(super) due_first: String,
    pub(super) due_last: String,
}

impl Open {
    /// `2026-04-03 … 2026-04-09`
    pub(super) fn due_in_words(&self) -> String {
        match self.due_first == self.due_last {
            true => self.due_first.clone(),
            false => format!("{} … {}", self.due_first, self.due_last),
        }
    }
}

/// How often each kind of trouble happened: each of them is a SIGKILL, or a broker that forgets.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(super) struct Kills {
    /// The hub was killed.
    pub(super) hub: u32,
    /// An adapter was killed.
    pub(super) adapter: u32,
    /// The broker was killed and kept its store.
    pub(super) broker: u32,
    /// The broker was killed and lost its store.
    pub(super) wiped: u32,
    /// The broker came back with an older store.
    pub(super) rolled_back: u32,
}

/// The summary; `--json` prints it as it is.
#[derive(Debug, Default, Serialize)]
pub(super) struct Summary {
    pub(super) seed: u64,
    pub(super) broker: String,
    pub(super) provinces: usize,
    pub(super) real_seconds: u64,
    pub(super) told_hours: u64,
    /// Receipts in the hands of the national system, one a case.
    pub(super) acknowledged: usize,
    /// Requests refused as they should be.
    pub(super) refused: u64,
    /// Repetitions answered with the first receipt.
    pub(super) same_again: u64,
    /// Requests sent again because nothing came back.
    pub(super) retried: u64,
    /// What was killed on the way, how often.
    pub(super) kills: Kills,
    /// Answers nobody expected.
    pub(super) surprises: Vec<String>,
    pub(super) approved: usize,
    pub(super) denied: usize,
    pub(super) declined: usize,
    pub(super) withdrawn: usize,
    pub(super) lapsed: usize,
    pub(super) open: usize,
    /// Why open cases are open.
    pub(super) open_because: BTreeMap<String, Open>,
    /// Receipts whose case the log does not have as the receipt says.
    pub(super) lost: usize,
    /// Cases submitted, accepted or ended more than once, and applications recorded twice.
    pub(super) doubled: usize,
    /// Cases whose province was there for long and never got them.
    pub(super) undelivered: usize,
    /// Second, different decisions: kept, never applied.
    pub(super) conflicting_decisions_kept: u32,
    pub(super) breaches: BTreeMap<String, usize>,
    /// What the operator at the desk did about alerts, as the log has it.
    pub(super) desk: BTreeMap<String, usize>,
    pub(super) events: u64,
    /// `ok`, or what is wrong.
    pub(super) verify: String,
    /// `equal`, or which view differs.
    pub(super) replay: String,
}

impl Summary {
    /// Whether everything that was promised was kept.
    pub(super) fn holds(&self) -> bool {
        self.lost == 0
            && self.doubled == 0
            && self.undelivered == 0
            && self.surprises.is_empty()
            && self.verify == "ok"
            && self.replay == "equal"
            && self.acknowledged > 0
            && self.acknowledged
                == self.approved
                    + self.denied
                    + self.declined
                    + self.withdrawn
                    + self.lapsed
                    + self.open
    }
}

/// Reads the whole log and settles the account, also for what should have come home in the `calm`.
pub(super) fn settle(
    readers: &Readers,
    receipts: &[(String, SubmissionReceipt)],
    calm: &Calm,
    summary: &mut Summary,
) -> Result<(), ReadError> {
    let mut cases: HashMap<CaseId, Told> = HashMap::new();
    let mut references: HashMap<String, u32> = HashMap::new();
    let mut after = Position(0);
    loop {
        let page = readers.read(|log| log.read_all(after, READ_AT_ONCE))?;
        let Some(last) = page.last() else { break };
        after = last.position;
        for recorded in &page {
            take(recorded, &mut cases, &mut references, summary);
        }
    }
    summary.events = after.0;
    let mut seen: HashMap<CaseId, &SubmissionReceipt> = HashMap::new();
    for (_, receipt) in receipts {
        let told = cases.get(&receipt.case_id);
        let kept = told.is_some_and(|it| it.submitted == Some((receipt.position, receipt.hash)));
        // The same case twice is the same receipt; anything else is one case too many.
        let same = seen.insert(receipt.case_id, receipt).is_none_or(|first| first == receipt);
        summary.lost += usize::from(!kept);
        summary.doubled += usize::from(!same);
    }
    summary.acknowledged = seen.len();
    summary.doubled += references.values().filter(|it| **it > 1).count();
    for told in cases.values() {
        summary.undelivered += usize::from(told.is_undelivered(calm));
        count(told, summary);
    }
    Ok(())
}

fn take(
    recorded: &Recorded,
    cases: &mut HashMap<CaseId, Told>,
    references: &mut HashMap<String, u32>,
    summary: &mut Summary,
) {
    let kind = recorded.envelope.event.kind();
    if DESK.contains(&kind) {
        *summary.desk.entry(kind.to_owned()).or_default() += 1;
    }
    let (StreamName::Case(id), Event::Case(event)) =
        (recorded.envelope.stream, &recorded.envelope.event)
    else {
        return;
    };
    let told = cases.entry(id).or_default();
    match event {
        CaseEvent::CaseSubmitted(it) => {
            told.submitted = Some((recorded.position.0, recorded.hash));
            told.submissions += 1;
            told.stage = WAITING;
            told.due = Some(it.due.day.to_string());
            if let Some(reference) = &it.client_reference {
                *references.entry(reference.clone()).or_default() += 1;
            }
        }
        // Also after a return: the next province may not be on stage, and then it waits here.
        CaseEvent::CaseRouted(it) => {
            told.province = Some(it.province);
            told.waits_since(recorded.recorded_at);
        }
        CaseEvent::CorrectionSubmitted(_) => told.waits_since(recorded.recorded_at),
        CaseEvent::CaseDelivered(_) => {
            told.waiting_since = None;
            if told.stage == WAITING {
                told.stage = "with the office, not yet accepted";
            }
        }
        CaseEvent::CorrectionRequested(_) => told.stage = "waiting for the applicant's correction",
        CaseEvent::CaseAccepted(it) => {
            told.acceptances += 1;
            told.stage = "accepted, not yet decided";
            told.due = Some(it.due.day.to_string());
        }
        CaseEvent::ClockSuspended(_) => told.stage = "in a special procedure",
        CaseEvent::ClockResumed(_) => told.stage = "accepted, not yet decided",
        CaseEvent::CaseParked(_) => told.stage = "parked for an operator",
        CaseEvent::CaseCompleted(it) => {
            let outcome = if it.outcome == Outcome::Approved { "approved" } else { "denied" };
            told.end(outcome);
        }
        CaseEvent::CaseDeclined(_) => told.end("declined"),
        CaseEvent::CaseWithdrawn(_) => told.end("withdrawn"),
        CaseEvent::CorrectionLapsed(_) => told.end("lapsed"),
        CaseEvent::ConflictingDecision(_) => told.conflicts += 1,
        CaseEvent::AcceptanceOverdue(_) | CaseEvent::CompletionOverdue(_) => {
            told.overdue = true;
            *summary.breaches.entry(event.kind().to_owned()).or_default() += 1;
        }
        CaseEvent::CaseUrged(_) | CaseEvent::SeriouslyOverdue(_) | CaseEvent::DeemedAccepted(_) => {
            *summary.breaches.entry(event.kind().to_owned()).or_default() += 1;
        }
        _ => {}
    }
}

impl Told {
    fn waits_since(&mut self, at: Timestamp) {
        self.stage = WAITING;
        self.waiting_since = Some(at);
    }

    /// Whether it waits for delivery although its province was there long enough.
    fn is_undelivered(&self, calm: &Calm) -> bool {
        match (self.end, self.stage, self.province, self.waiting_since) {
            (None, WAITING, Some(province), Some(since)) => {
                calm.should_have_delivered(province, since)
            }
            _ => false,
        }
    }

    fn end(&mut self, how: &'static str) {
        self.ends += 1;
        self.end = Some(how);
    }
}

fn count(told: &Told, summary: &mut Summary) {
    summary.conflicting_decisions_kept += told.conflicts;
    summary.doubled += usize::from(told.submissions > 1 || told.acceptances > 1 || told.ends > 1);
    match told.end {
        Some("approved") => summary.approved += 1,
        Some("denied") => summary.denied += 1,
        Some("declined") => summary.declined += 1,
        Some("withdrawn") => summary.withdrawn += 1,
        Some(_) => summary.lapsed += 1,
        None => {
            summary.open += 1;
            let late = if told.overdue { ", overdue" } else { "" };
            let open = summary.open_because.entry(format!("{}{late}", told.stage)).or_default();
            open.cases += 1;
            let due = told.due.clone().unwrap_or_default();
            if open.due_first.is_empty() || due < open.due_first {
                open.due_first.clone_from(&due);
            }
            if due > open.due_last {
                open.due_last = due;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use events::time_lapse::TimeLapse;
    use hub_core::command::Command;
    use jiff::SignedDuration;

    use super::*;
    use crate::tests::{Stage, delivered, province};

    const RATE: u32 = 3_600;

    /// The account of a stage whose last trouble was `hours_ago`, of told time, after all it recorded.
    fn account(stage: &Stage, on_stage: &[u8], hours_ago: i64) -> usize {
        let now = stage.clock.now();
        let lapse = TimeLapse { real_start: now, told_start: now, rate: RATE };
        let returned = now + SignedDuration::from_secs(1);
        let end = returned + SignedDuration::from_hours(hours_ago);
        let calm = Calm::new(returned, end, on_stage.iter().map(|it| province(*it)), lapse);
        let mut summary = Summary::default();
        settle(&stage.readers, &[], &calm, &mut summary).unwrap();
        summary.undelivered
    }

    #[tokio::test]
    async fn a_case_never_sent_again_to_a_province_that_came_back_is_no_reason_to_be_open() {
        let stage = Stage::new();
        stage.enroll(22).await;
        stage.enroll(23).await;
        let (forgotten, known) = (stage.submit(1, 22).await, stage.submit(2, 22).await);
        stage.registrar_records(stage.report(known, 1, delivered())).await;
        assert_eq!(account(&stage, &[22, 23], 41), 1, "it waits, and nobody sends it");
        assert_eq!(account(&stage, &[22, 23], 39), 0, "it may still be under way");
        assert_eq!(account(&stage, &[23], 41), 0, "its province was never on stage");
        stage.tell(forgotten, Command::Park { operator: "o".into() }).await;
        assert_eq!(account(&stage, &[22, 23], 41), 0, "an operator holds it");
    }

    #[test]
    fn a_run_that_left_something_undelivered_does_not_hold() {
        let good = || Summary {
            acknowledged: 1,
            open: 1,
            verify: "ok".into(),
            replay: "equal".into(),
            ..Summary::default()
        };
        assert!(good().holds());
        assert!(!Summary { undelivered: 1, ..good() }.holds());
    }
}
