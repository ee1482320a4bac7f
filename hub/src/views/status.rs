//! Where every case stands. The first view: the others are told what a case was and what it is now.

use events::case::CaseEvent;
use events::envelope::Recorded;
use events::ids::{CaseId, ProvinceCode, RequestId};
use events::vocabulary::Stage;
use hub_core::calendar::shanghai_date;
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::types::Value;

use crate::views::blame::{Custody, blame};
use crate::views::cells::{listed_cells, struct_cells};
use crate::views::reader::ViewError;
use crate::views::rows::{Blame, CaseRow, CaseStage};
use crate::views::table::{Behind, Row, Table};

/// A row and what only the folds need of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusRow {
    pub(crate) row: CaseRow,
    pub(crate) standing: Standing,
}

/// What the folds must remember of a case from one event to the next. Small, so that it can be copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The position of `CaseSubmitted`: the order of lists.
    pub(crate) submitted_position: u64,
    /// What the province is asked now.
    pub(crate) request: Option<RequestId>,
    /// Where it stood when it was parked.
    pub(crate) parked_from: Option<CaseStage>,
    /// When what is asked now was first handed to the broker.
    pub(crate) work_forwarded_at: Option<Timestamp>,
    /// When the adapter signed for what is asked now.
    pub(crate) work_delivered_at: Option<Timestamp>,
    /// Somebody waits for the adapter's signature.
    pub(crate) waiting: bool,
    pub(crate) acceptance: Ladder,
    pub(crate) completion: Ladder,
}

/// How far one clock's ladder was climbed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ladder {
    /// Whom the breach was counted against, and why.
    pub(crate) overdue: Option<(ProvinceCode, Blame)>,
    pub(crate) urged: bool,
    pub(crate) serious: bool,
}

/// What a case was before an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Before {
    pub(crate) stage: CaseStage,
    pub(crate) province: Option<ProvinceCode>,
    pub(crate) standing: Standing,
}

impl Before {
    /// The applicant owed something, even if an operator had stopped the case meanwhile.
    pub(crate) fn is_awaiting_correction(self) -> bool {
        self.standing.parked_from.unwrap_or(self.stage) == CaseStage::AwaitingCorrection
    }
}

/// One event of one case, with the case before and after it.
pub(crate) struct Change<'a> {
    pub(crate) recorded: &'a Recorded,
    pub(crate) case: CaseId,
    pub(crate) event: &'a CaseEvent,
    pub(crate) before: Option<Before>,
    pub(crate) after: &'a StatusRow,
}

impl Change<'_> {
    /// The Shanghai date of the recording: the one that counts.
    pub(crate) fn recorded_on(&self) -> Date {
        shanghai_date(self.recorded.recorded_at)
    }
}

impl Standing {
    pub(crate) fn ladder(&self, stage: Stage) -> &Ladder {
        match stage {
            Stage::Acceptance => &self.acceptance,
            Stage::Completion => &self.completion,
        }
    }
    fn ladder_mut(&mut self, stage: Stage) -> &mut Ladder {
        match stage {
            Stage::Acceptance => &mut self.acceptance,
            Stage::Completion => &mut self.completion,
        }
    }
}

impl StatusRow {
    /// Who held the case when a clock's day ended; `claimed_on` is the province's word, if it decided.
    pub(crate) fn blame(&self, stage: Stage, due: Date, claimed_on: Option<Date>) -> Blame {
        let standing = &self.standing;
        let accepting = stage == Stage::Acceptance;
        let custody = Custody {
            forwarded_on: standing.work_forwarded_at.map(shanghai_date),
            delivered_on: standing.work_delivered_at.map(shanghai_date),
            awaiting_correction: self.row.stage == CaseStage::AwaitingCorrection,
            parked: self.row.stage == CaseStage::Parked && accepting,
            late_intake: self.row.late_intake && accepting,
            claimed_on,
        };
        blame(due, &custody)
    }

    /// The day that an open case is due on now.
    fn due_now(&self) -> Option<Date> {
        match self.row.stage {
            it if it.has_ended() => None,
            CaseStage::AwaitingCorrection | CaseStage::Suspended => None,
            _ => Some(self.row.completion_due.as_ref().unwrap_or(&self.row.acceptance_due).day),
        }
    }
}

/// Takes one event into account and returns the case as it was; nothing for a case that never began.
pub(crate) fn apply(
    table: &mut Table<StatusRow>,
    behind: Behind<'_>,
    case: CaseId,
    recorded: &Recorded,
    event: &CaseEvent,
) -> Result<Option<Before>, ViewError> {
    if let CaseEvent::CaseSubmitted(it) = event {
        table.put(behind, case, begin(case, recorded, it));
        return Ok(None);
    }
    let Some(status) = table.change(behind, &case)? else {
        return Err(ViewError::UnknownEvent { position: recorded.position });
    };
    let before = Before {
        stage: status.row.stage,
        province: status.row.province,
        standing: status.standing,
    };
    status.row.position = recorded.position;
    evolve(status, recorded.recorded_at, event);
    Ok(Some(before))
}

fn begin(case: CaseId, recorded: &Recorded, it: &events::case::CaseSubmitted) -> StatusRow {
    let row = CaseRow {
        case,
        number: it.number.clone(),
        client: it.client.clone(),
        client_reference: it.client_reference.clone(),
        item: it.item,
        category: it.category,
        channel: it.channel,
        authority_name: it.authority.name.clone(),
        province: None,
        stage: CaseStage::Submitted,
        outcome: None,
        reason: None,
        submitted_at: it.submitted_at,
        recorded_at: recorded.recorded_at,
        forwarded_at: None,
        delivered_at: None,
        accepted_at: None,
        ended_at: None,
        claimed_accepted_at: None,
        claimed_ended_at: None,
        acceptance_due: it.due.clone(),
        completion_due: None,
        attempts: 0,
        acceptance_overdue: false,
        completion_overdue: false,
        urged: false,
        seriously_overdue: false,
        deemed_accepted: false,
        conflicts: 0,
        fed_back: false,
        late_intake: it.late_intake,
        position: recorded.position,
    };
    let submitted_position = recorded.position.0;
    StatusRow { row, standing: Standing { submitted_position, ..Standing::default() } }
}

/// The row after an event that is not its first.
fn evolve(status: &mut StatusRow, at: Timestamp, event: &CaseEvent) {
    match event {
        // A second submission of one case is never recorded.
        CaseEvent::CaseSubmitted(_) => {}
        CaseEvent::CaseRouted(it) => {
            status.row.province = Some(it.province);
            status.row.forwarded_at = None;
            status.row.delivered_at = None;
            status.row.attempts = 0;
            status.ask(it.request);
        }
        CaseEvent::CaseForwarded(it) => {
            status.row.attempts = status.row.attempts.max(it.attempt);
            status.row.forwarded_at.get_or_insert(at);
            if status.standing.request == Some(it.request) {
                status.standing.work_forwarded_at.get_or_insert(at);
            }
        }
        CaseEvent::CaseParked(_) => {
            status.standing.parked_from.get_or_insert(status.row.stage);
            status.row.stage = CaseStage::Parked;
        }
        CaseEvent::CaseReleased(_) => {
            if let Some(stage) = status.standing.parked_from.take() {
                status.row.stage = stage;
            }
        }
        CaseEvent::CaseDelivered(it) => {
            status.row.delivered_at.get_or_insert(at);
            if status.standing.request == Some(it.request) {
                status.signed_for(at);
            }
        }
        CaseEvent::CaseReturned(_) => {
            status.row.province = None;
            status.standing.request = None;
            status.answered(CaseStage::Submitted);
        }
        CaseEvent::CorrectionRequested(_) => status.answered(CaseStage::AwaitingCorrection),
        CaseEvent::CorrectionSubmitted(it) => {
            status.row.acceptance_due = it.due.clone();
            status.standing.acceptance = Ladder::default();
            status.ask(it.request);
        }
        CaseEvent::CorrectionLapsed(_) => status.end(CaseStage::Lapsed, at, None),
        CaseEvent::CaseAccepted(it) => {
            status.row.accepted_at = Some(at);
            status.row.claimed_accepted_at = Some(it.decided_at);
            status.row.completion_due = Some(it.due.clone());
            status.answered(CaseStage::Accepted);
        }
        CaseEvent::CaseDeclined(it) => {
            status.row.reason = Some(it.reason);
            status.end(CaseStage::Declined, at, Some(it.decided_at));
        }
        CaseEvent::ClockSuspended(_) => status.answered(CaseStage::Suspended),
        CaseEvent::ClockResumed(it) => {
            status.row.completion_due = Some(it.due.clone());
            status.answered(CaseStage::Accepted);
        }
        CaseEvent::DueDayRevised(it) => match it.stage {
            Stage::Acceptance => status.row.acceptance_due = it.due.clone(),
            Stage::Completion => status.row.completion_due = Some(it.due.clone()),
        },
        CaseEvent::CaseCompleted(it) => {
            status.row.outcome = Some(it.outcome);
            status.row.reason = it.reasons.first().copied();
            status.end(CaseStage::Completed, at, Some(it.decided_at));
        }
        CaseEvent::CaseWithdrawn(it) => status.withdraw(it.request, at),
        CaseEvent::AcceptanceOverdue(it) => status.overdue(Stage::Acceptance, it.due),
        CaseEvent::CompletionOverdue(it) => status.overdue(Stage::Completion, it.due),
        CaseEvent::CaseUrged(it) => {
            status.row.urged = true;
            status.standing.ladder_mut(it.stage).urged = true;
        }
        CaseEvent::SeriouslyOverdue(it) => {
            status.row.seriously_overdue = true;
            status.standing.ladder_mut(it.stage).serious = true;
        }
        CaseEvent::DeemedAccepted(_) => status.row.deemed_accepted = true,
        CaseEvent::ConflictingDecision(_) => status.row.conflicts += 1,
        CaseEvent::ResultFedBack(_) => status.row.fed_back = true,
        // They change nothing but the position: a late fact is part of the story, not of the stage.
        CaseEvent::BreachExplained(_)
        | CaseEvent::CertificateIssued(_)
        | CaseEvent::CaseRated(_)
        | CaseEvent::ComplaintFiled(_)
        | CaseEvent::ComplaintAnswered(_)
        | CaseEvent::CaseArchived(_)
        | CaseEvent::ReportRefused(_) => {}
    }
}

impl StatusRow {
    /// Moves to `stage`; a parked case stays parked until it is released or ends.
    fn move_to(&mut self, stage: CaseStage) {
        match &mut self.standing.parked_from {
            Some(from) if !stage.has_ended() => *from = stage,
            from => {
                *from = None;
                self.row.stage = stage;
            }
        }
    }

    /// Something new is asked of the province.
    fn ask(&mut self, request: RequestId) {
        self.standing.request = Some(request);
        self.standing.work_forwarded_at = None;
        self.standing.work_delivered_at = None;
        self.standing.waiting = true;
        self.move_to(CaseStage::Submitted);
    }

    /// The adapter signed for what is asked now.
    fn signed_for(&mut self, at: Timestamp) {
        self.standing.work_delivered_at.get_or_insert(at);
        self.standing.waiting = false;
        let stage = self.standing.parked_from.unwrap_or(self.row.stage);
        // A receipt that comes after the answer moves nothing back.
        if stage == CaseStage::Submitted {
            self.move_to(CaseStage::Delivered);
        }
    }

    /// The province answered: whoever answers has it.
    fn answered(&mut self, stage: CaseStage) {
        self.standing.waiting = false;
        self.move_to(stage);
    }

    fn end(&mut self, stage: CaseStage, at: Timestamp, claimed_at: Option<Timestamp>) {
        self.row.ended_at = Some(at);
        self.row.claimed_ended_at = claimed_at;
        self.answered(stage);
    }

    fn withdraw(&mut self, request: RequestId, at: Timestamp) {
        self.end(CaseStage::Withdrawn, at, None);
        // Also when no attempt is on record: the note of one may have been lost in a crash.
        self.standing.waiting = self.row.province.is_some();
        self.standing.request = Some(request);
        self.standing.work_forwarded_at = None;
        self.standing.work_delivered_at = None;
    }

    fn overdue(&mut self, stage: Stage, due: Date) {
        let blame = self.blame(stage, due, None);
        let against = self.row.province.map(|it| (it, blame));
        self.standing.ladder_mut(stage).overdue = against;
        match stage {
            Stage::Acceptance => self.row.acceptance_overdue = true,
            Stage::Completion => self.row.completion_overdue = true,
        }
    }
}

listed_cells! {
    CaseStage = CaseStage::ALL;
    Blame = [Blame::Hub, Blame::Transit, Blame::Adapter, Blame::Desk, Blame::Applicant];
}
struct_cells!(Ladder { overdue, urged, serious });
struct_cells!(Standing {
    submitted_position,
    request,
    parked_from,
    work_forwarded_at,
    work_delivered_at,
    waiting,
    acceptance,
    completion,
});
struct_cells!(CaseRow {
    case,
    number,
    client,
    client_reference,
    item,
    category,
    channel,
    authority_name,
    province,
    stage,
    outcome,
    reason,
    submitted_at,
    recorded_at,
    forwarded_at,
    delivered_at,
    accepted_at,
    ended_at,
    claimed_accepted_at,
    claimed_ended_at,
    acceptance_due,
    completion_due,
    attempts,
    acceptance_overdue,
    completion_overdue,
    urged,
    seriously_overdue,
    deemed_accepted,
    conflicts,
    fed_back,
    late_intake,
    position,
});
struct_cells!(StatusRow { row, standing });

/// A date as a number that sorts: 20260213.
pub(crate) fn day_number(day: Date) -> i64 {
    i64::from(day.year()) * 10_000 + i64::from(day.month()) * 100 + i64::from(day.day())
}

impl Row for StatusRow {
    type Key = CaseId;
    const NAME: &'static str = "status";
    const REVISION: u32 = 1;
    const COLUMNS: &'static [&'static str] = &[
        "position INTEGER NOT NULL",
        "number TEXT NOT NULL",
        "province INTEGER",
        "stage TEXT NOT NULL",
        "item TEXT NOT NULL",
        "category TEXT NOT NULL",
        "channel TEXT NOT NULL",
        "client TEXT NOT NULL",
        "open INTEGER NOT NULL",
        "overdue INTEGER NOT NULL",
        "due INTEGER",
    ];
    const INDEXES: &'static [&'static str] = &[
        "(position)",
        "(number)",
        "(province, position)",
        "(province, stage, position)",
        "(client, position)",
        "(position) WHERE open = 1",
        "(position) WHERE overdue = 1",
    ];
    fn columns(&self) -> Vec<Value> {
        let row = &self.row;
        let overdue = row.acceptance_overdue || row.completion_overdue;
        vec![
            Value::Integer(self.standing.submitted_position as i64),
            Value::Text(row.number.as_str().to_owned()),
            row.province.map_or(Value::Null, |it| Value::Integer(it.number().into())),
            Value::Text(row.stage.code().to_owned()),
            Value::Text(row.item.code().to_owned()),
            Value::Text(row.category.code().to_owned()),
            Value::Text(row.channel.code().to_owned()),
            Value::Text(row.client.clone()),
            Value::Integer((!row.stage.has_ended()).into()),
            Value::Integer(overdue.into()),
            self.due_now().map_or(Value::Null, |it| Value::Integer(day_number(it))),
        ]
    }
}
