//! How an event moves a case. The rules decided what happened; here it is only remembered.

use events::case::{
    CaseAccepted, CaseDelivered, CaseEvent, CaseForwarded, CaseRouted, CorrectionSubmitted,
};
use events::envelope::Recorded;
use events::ids::{CaseId, RequestId};
use events::vocabulary::Stage;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::views::reader::ViewError;
use crate::views::rows::{CaseRow, CaseStage};
use crate::views::status::{Before, Ladder, Standing, StatusRow};
use crate::views::table::{Behind, Table};

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

/// A case as its submission makes it.
pub(crate) fn begin(
    case: CaseId,
    recorded: &Recorded,
    it: &events::case::CaseSubmitted,
) -> StatusRow {
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
pub(crate) fn evolve(status: &mut StatusRow, at: Timestamp, event: &CaseEvent) {
    match event {
        // A second submission of one case is never recorded.
        CaseEvent::CaseSubmitted(_) => {}
        CaseEvent::CaseRouted(it) => status.route(it),
        CaseEvent::CaseForwarded(it) => status.forward(it, at),
        CaseEvent::CaseParked(_) => status.park(),
        CaseEvent::CaseReleased(_) => status.release(),
        CaseEvent::CaseDelivered(it) => status.deliver(it, at),
        CaseEvent::CaseAskedAgain(_) => status.standing.waiting = true,
        CaseEvent::CaseReturned(_) => status.give_back(),
        CaseEvent::CorrectionRequested(_) => status.answered(CaseStage::AwaitingCorrection),
        CaseEvent::CorrectionSubmitted(it) => status.correct(it),
        CaseEvent::CorrectionLapsed(_) => status.end(CaseStage::Lapsed, at, None),
        CaseEvent::CaseAccepted(it) => status.accept(it, at),
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
        // A late fact is part of the story, not of the stage.
        CaseEvent::BreachExplained(_)
        | CaseEvent::CaseNoted(_)
        | CaseEvent::CertificateIssued(_)
        | CaseEvent::CaseRated(_)
        | CaseEvent::ComplaintFiled(_)
        | CaseEvent::ComplaintAnswered(_)
        | CaseEvent::CaseArchived(_)
        | CaseEvent::ReportRefused(_) => {}
    }
}

impl StatusRow {
    fn route(&mut self, it: &CaseRouted) {
        self.row.province = Some(it.province);
        self.standing.first_province.get_or_insert(it.province);
        self.row.forwarded_at = None;
        self.row.delivered_at = None;
        self.row.attempts = 0;
        self.ask(it.request);
    }

    fn forward(&mut self, it: &CaseForwarded, at: Timestamp) {
        self.row.attempts = self.row.attempts.max(it.attempt);
        self.row.forwarded_at.get_or_insert(at);
        if self.standing.request == Some(it.request) {
            self.standing.work_forwarded_at.get_or_insert(at);
        }
    }

    fn park(&mut self) {
        self.standing.parked_from.get_or_insert(self.row.stage);
        self.row.stage = CaseStage::Parked;
    }

    fn release(&mut self) {
        if let Some(stage) = self.standing.parked_from.take() {
            self.row.stage = stage;
        }
    }

    fn deliver(&mut self, it: &CaseDelivered, at: Timestamp) {
        self.row.delivered_at.get_or_insert(at);
        if self.standing.request == Some(it.request) {
            self.signed_for(at);
        }
    }

    fn give_back(&mut self) {
        self.row.province = None;
        self.standing.request = None;
        self.answered(CaseStage::Submitted);
    }

    /// Clock 1 starts again, with a ladder of its own.
    fn correct(&mut self, it: &CorrectionSubmitted) {
        self.row.acceptance_due = it.due.clone();
        self.standing.acceptance = Ladder::default();
        self.ask(it.request);
    }

    fn accept(&mut self, it: &CaseAccepted, at: Timestamp) {
        self.row.accepted_at = Some(at);
        self.row.claimed_accepted_at = Some(it.decided_at);
        self.row.completion_due = Some(it.due.clone());
        self.answered(CaseStage::Accepted);
    }

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
