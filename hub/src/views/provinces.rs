//! The league table. Every count can be led back to the events behind it; nothing is estimated.

use std::collections::BTreeMap;

use events::case::CaseEvent;
use events::envelope::Actor;
use events::ids::ProvinceCode;
use events::vocabulary::{Outcome, Reason, Stage};
use jiff::Timestamp;
use rusqlite::types::Value;

use crate::views::cells::struct_cells;
use crate::views::reader::ViewError;
use crate::views::rows::{Blame, CaseStage, ProvinceRow};
use crate::views::status::{Change, Judged, Standing};
use crate::views::table::{Behind, Row, Table};

/// What is counted of one province.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    received: u64,
    moved_in: u64,
    open: u64,
    waiting_delivery: u64,
    accepted: u64,
    declined: u64,
    completed_approved: u64,
    completed_denied: u64,
    corrections: u64,
    returned: u64,
    on_time: u64,
    reported_late: u64,
    overdue: u64,
    conflicts: u64,
    /// Decided cases by whole hours from submission to the recorded end.
    hours: BTreeMap<u32, u64>,
    reasons: BTreeMap<Reason, u64>,
    last_heard_at: Option<Timestamp>,
    blame: BTreeMap<Blame, u64>,
}

/// Longer than this is counted as this: the histogram stays small.
const HOURS_MAX: i64 = 24 * 366;
/// How many reasons the table shows.
const TOP_REASONS_MAX: usize = 5;

pub(crate) fn apply(
    table: &mut Table<Tally>,
    behind: Behind<'_>,
    change: &Change<'_>,
) -> Result<(), ViewError> {
    count_held(table, behind, change)?;
    if let Actor::Province(code) = change.recorded.envelope.actor {
        let tally = table.change_or_default(behind, &code)?;
        tally.last_heard_at = Some(change.recorded.recorded_at);
    }
    // A return names the province that had it; everything else is about the one that has it.
    let code = match change.event {
        CaseEvent::CaseReturned(it) => Some(it.province),
        _ => change.after.row.province,
    };
    if let (Some(code), true) = (code, concerns(change.event)) {
        count(table.change_or_default(behind, &code)?, code, change);
    }
    Ok(())
}

/// Whether `count` has anything to do.
fn concerns(event: &CaseEvent) -> bool {
    match event {
        CaseEvent::CaseRouted(_)
        | CaseEvent::CaseReturned(_)
        | CaseEvent::CorrectionRequested(_)
        | CaseEvent::CaseAccepted(_)
        | CaseEvent::CaseDeclined(_)
        | CaseEvent::CaseCompleted(_)
        | CaseEvent::AcceptanceOverdue(_)
        | CaseEvent::CompletionOverdue(_)
        | CaseEvent::ConflictingDecision(_) => true,
        CaseEvent::CaseSubmitted(_)
        | CaseEvent::CaseForwarded(_)
        | CaseEvent::CaseParked(_)
        | CaseEvent::CaseReleased(_)
        | CaseEvent::CaseDelivered(_)
        | CaseEvent::CaseAskedAgain(_)
        | CaseEvent::CorrectionSubmitted(_)
        | CaseEvent::CorrectionLapsed(_)
        | CaseEvent::ClockSuspended(_)
        | CaseEvent::ClockResumed(_)
        | CaseEvent::DueDayRevised(_)
        | CaseEvent::CaseWithdrawn(_)
        | CaseEvent::CaseUrged(_)
        | CaseEvent::SeriouslyOverdue(_)
        | CaseEvent::DeemedAccepted(_)
        | CaseEvent::BreachExplained(_)
        | CaseEvent::CaseNoted(_)
        | CaseEvent::ResultFedBack(_)
        | CaseEvent::CertificateIssued(_)
        | CaseEvent::CaseRated(_)
        | CaseEvent::ComplaintFiled(_)
        | CaseEvent::ComplaintAnswered(_)
        | CaseEvent::CaseArchived(_)
        | CaseEvent::ReportRefused(_) => false,
    }
}

fn count(tally: &mut Tally, code: ProvinceCode, change: &Change<'_>) {
    match change.event {
        // As the reports count: each case is received once, where it was routed first.
        CaseEvent::CaseRouted(_) if change.is_first_route() => tally.received += 1,
        CaseEvent::CaseRouted(_) => tally.moved_in += 1,
        CaseEvent::CaseReturned(it) => {
            tally.returned += 1;
            *tally.reasons.entry(it.reason).or_default() += 1;
        }
        CaseEvent::CorrectionRequested(_) => tally.corrections += 1,
        CaseEvent::CaseAccepted(it) => {
            tally.accepted += 1;
            judge(tally, code, change, Stage::Acceptance, it.decided_at);
        }
        CaseEvent::CaseDeclined(it) => {
            tally.declined += 1;
            *tally.reasons.entry(it.reason).or_default() += 1;
            let accepted = change.after.row.accepted_at.is_some();
            let stage = if accepted { Stage::Completion } else { Stage::Acceptance };
            judge(tally, code, change, stage, it.decided_at);
            tally.add_hours(change);
        }
        CaseEvent::CaseCompleted(it) => {
            match it.outcome {
                Outcome::Approved => tally.completed_approved += 1,
                Outcome::Denied => tally.completed_denied += 1,
            }
            for reason in &it.reasons {
                *tally.reasons.entry(*reason).or_default() += 1;
            }
            judge(tally, code, change, Stage::Completion, it.decided_at);
            tally.add_hours(change);
        }
        CaseEvent::AcceptanceOverdue(_) => breached(tally, change, Stage::Acceptance),
        CaseEvent::CompletionOverdue(_) => breached(tally, change, Stage::Completion),
        CaseEvent::ConflictingDecision(_) => tally.conflicts += 1,
        // `concerns` names every event.
        _ => {}
    }
}

/// The day ended and nothing was on record: it counts at once, not when the province deigns to answer.
fn breached(tally: &mut Tally, change: &Change<'_>, stage: Stage) {
    if let Some((_, blame)) = change.after.standing.ladder(stage).overdue {
        tally.overdue += 1;
        *tally.blame.entry(blame).or_default() += 1;
    }
}

/// The verdict on a decided clock: each clock is counted once.
fn judge(
    tally: &mut Tally,
    code: ProvinceCode,
    change: &Change<'_>,
    stage: Stage,
    decided_at: Timestamp,
) {
    let before = change.before.map(|it| *it.standing.ladder(stage));
    let judged = change.after.judged(before, code, stage, change.recorded_on(), decided_at);
    match judged {
        None | Some(Judged::Stands) => {}
        Some(Judged::OnTime) => tally.on_time += 1,
        Some(Judged::ReportedLate) => {
            tally.reported_late += 1;
            *tally.blame.entry(Blame::Adapter).or_default() += 1;
        }
        Some(Judged::Overdue(blame)) => {
            tally.overdue += 1;
            *tally.blame.entry(blame).or_default() += 1;
        }
        // It moves from one column to the other.
        Some(Judged::TurnsOutLate(blame)) => {
            tally.overdue = tally.overdue.saturating_sub(1);
            tally.reported_late += 1;
            let counted = tally.blame.entry(blame).or_default();
            *counted = counted.saturating_sub(1);
            *tally.blame.entry(Blame::Adapter).or_default() += 1;
        }
    }
}

/// Whose the case was and is, open and waiting: the difference is counted, whatever the event was.
fn count_held(
    table: &mut Table<Tally>,
    behind: Behind<'_>,
    change: &Change<'_>,
) -> Result<(), ViewError> {
    let held = |province: Option<ProvinceCode>, stage: CaseStage, standing: &Standing| {
        let open = !stage.has_ended();
        province.filter(|_| open).map(|it| (it, standing.waiting))
    };
    let before = change.before.and_then(|it| held(it.province, it.stage, &it.standing));
    let after = &change.after;
    let after = held(after.row.province, after.row.stage, &after.standing);
    if before == after {
        return Ok(());
    }
    if let Some((code, waiting)) = before {
        let tally = table.change_or_default(behind, &code)?;
        tally.open = tally.open.saturating_sub(1);
        tally.waiting_delivery = tally.waiting_delivery.saturating_sub(waiting.into());
    }
    if let Some((code, waiting)) = after {
        let tally = table.change_or_default(behind, &code)?;
        tally.open += 1;
        tally.waiting_delivery += u64::from(waiting);
    }
    Ok(())
}

impl Tally {
    fn add_hours(&mut self, change: &Change<'_>) {
        *self.hours.entry(whole_hours(change)).or_default() += 1;
    }

    /// The row as it is shown.
    pub(crate) fn row(&self, province: ProvinceCode) -> ProvinceRow {
        let mut reasons: Vec<(Reason, u64)> =
            self.reasons.iter().map(|it| (*it.0, *it.1)).collect();
        reasons.sort_by_key(|it| (std::cmp::Reverse(it.1), it.0));
        reasons.truncate(TOP_REASONS_MAX);
        let blame = self.blame.iter().filter(|it| *it.1 > 0).map(|it| (*it.0, *it.1)).collect();
        ProvinceRow {
            province,
            received: self.received,
            moved_in: self.moved_in,
            open: self.open,
            waiting_delivery: self.waiting_delivery,
            accepted: self.accepted,
            declined: self.declined,
            completed_approved: self.completed_approved,
            completed_denied: self.completed_denied,
            corrections: self.corrections,
            returned: self.returned,
            on_time: self.on_time,
            reported_late: self.reported_late,
            overdue: self.overdue,
            conflicts: self.conflicts,
            median_hours: median(&self.hours),
            top_reasons: reasons,
            last_heard_at: self.last_heard_at,
            blame,
        }
    }
}

/// Whole hours from the submission to what has just been recorded.
pub(crate) fn whole_hours(change: &Change<'_>) -> u32 {
    let spent = change.recorded.recorded_at.duration_since(change.after.row.submitted_at);
    spent.as_hours().clamp(0, HOURS_MAX) as u32
}

/// The middle of the hour in which the middle case ended; none of nothing.
pub(crate) fn median(hours: &BTreeMap<u32, u64>) -> Option<f64> {
    let count: u64 = hours.values().sum();
    let mut seen = 0;
    hours.iter().find_map(|(hour, cases)| {
        seen += cases;
        (seen * 2 >= count && count > 0).then(|| f64::from(*hour) + 0.5)
    })
}

struct_cells!(Tally {
    received,
    moved_in,
    open,
    waiting_delivery,
    accepted,
    declined,
    completed_approved,
    completed_denied,
    corrections,
    returned,
    on_time,
    reported_late,
    overdue,
    conflicts,
    hours,
    reasons,
    last_heard_at,
    blame
});

impl Row for Tally {
    type Key = ProvinceCode;
    const NAME: &'static str = "provinces";
    const REVISION: u32 = 2;
    const COLUMNS: &'static [&'static str] = &[];
    const INDEXES: &'static [&'static str] = &[];
    fn columns(&self) -> Vec<Value> {
        vec![]
    }
}
