//! What an event changes. Every event is named, so that a new one does not compile until it is
//! thought about; none is ever refused, because it happened.

use std::collections::BTreeMap;

use events::case::{
    CaseAccepted, CaseCompleted, CaseDelivered, CaseEvent, CaseForwarded, CaseSubmitted,
    ClockResumed, ConflictingDecision, CorrectionRequested, CorrectionSubmitted, DueDayRevised,
    ReportRefused,
};
use events::ids::{ProvinceCode, ReportId, RequestId};
use events::vocabulary::{Counted, DueDay, Stage};
use events::work::WorkKind;
use jiff::Timestamp;

use super::Case;
use super::parts::{Acceptance, CaseStage, Clock, Correction, Decision, Request, Seen, Suspension};
use crate::calendar::shanghai_date;
use crate::refusal::Refusal;

/// The case after `event`. Total: a recorded fact is never refused.
pub(super) fn evolve(state: Option<Case>, event: &CaseEvent) -> Option<Case> {
    match (state, event) {
        (None, CaseEvent::CaseSubmitted(submitted)) => Some(begun(submitted)),
        // Nothing can have happened to a case that was not handed in; `verify` says so, not we.
        (None, _) => None,
        (Some(mut case), event) => {
            change(&mut case, event);
            Some(case)
        }
    }
}

fn begun(it: &CaseSubmitted) -> Case {
    Case {
        number: it.number.clone(),
        client: it.client.clone(),
        client_reference: it.client_reference.clone(),
        item: it.item,
        category: it.category,
        channel: it.channel,
        authority: it.authority.clone(),
        submitted_at: it.submitted_at,
        digest: it.digest,
        late_intake: it.late_intake,
        stage: CaseStage::Submitted,
        requests: Vec::new(),
        returned_by: Vec::new(),
        returned: false,
        parked: None,
        releases: 0,
        acceptance_clock: first_clock(it.submitted_at, it.counted, &it.due),
        completion_clock: None,
        correction: None,
        corrections: Vec::new(),
        answered: false,
        deemed_accepted_since: None,
        acceptance: None,
        suspended: None,
        decision: None,
        reports: BTreeMap::new(),
        report_counts: BTreeMap::new(),
        conflicts: Vec::new(),
        breached: Vec::new(),
        explanations: Vec::new(),
        notes: Vec::new(),
        fed_back: false,
        certificate_id: None,
        rating: None,
        complaints: BTreeMap::new(),
        archived: None,
    }
}

/// Clock 1. Older events do not tell how many days they were given; the date is that of submission.
fn first_clock(submitted_at: Timestamp, counted: Option<Counted>, due: &DueDay) -> Clock {
    let from = counted.map_or_else(|| shanghai_date(submitted_at), |it| it.from);
    Clock::started(Some(from), counted.map(|it| it.working_days), due.clone())
}

fn change(case: &mut Case, event: &CaseEvent) {
    match event {
        // A second beginning would be damage; the first one stands.
        CaseEvent::CaseSubmitted(_) => {}
        CaseEvent::CaseRouted(it) => ask(case, it.request, it.province, WorkKind::Case),
        CaseEvent::CaseForwarded(it) => forwarded(case, it),
        CaseEvent::CaseParked(it) => case.parked = Some(it.reason.clone()),
        CaseEvent::CaseReleased(_) => {
            case.parked = None;
            case.releases += 1;
        }
        CaseEvent::CaseDelivered(it) => delivered(case, it),
        CaseEvent::CaseAskedAgain(it) => {
            request(case, it.request, |it| it.again_after = Some(it.attempts));
        }
        CaseEvent::CaseReturned(it) => {
            answer(case, it.report, "returned");
            case.returned_by.push(it.province);
            case.returned = true;
        }
        CaseEvent::CorrectionRequested(it) => correction_requested(case, it),
        CaseEvent::CorrectionSubmitted(it) => correction_submitted(case, it),
        CaseEvent::CorrectionLapsed(_) => case.stage = CaseStage::CorrectionLapsed,
        CaseEvent::CaseAccepted(it) => accepted(case, it),
        CaseEvent::CaseDeclined(it) => {
            answer(case, it.report, "declined");
            case.stage = CaseStage::Declined;
            case.decision = Some(Decision::Declined { report: it.report, reason: it.reason });
        }
        CaseEvent::ClockSuspended(it) => {
            answer(case, it.report, "suspended");
            case.suspended = Some(Suspension { ground: it.ground, from: it.from });
        }
        CaseEvent::ClockResumed(it) => resumed(case, it),
        CaseEvent::DueDayRevised(it) => due_day_revised(case, it),
        CaseEvent::CaseCompleted(it) => completed(case, it),
        CaseEvent::CaseWithdrawn(it) => withdrawn(case, it.request),
        CaseEvent::AcceptanceOverdue(_) => breached(case, Stage::Acceptance),
        CaseEvent::CompletionOverdue(_) => breached(case, Stage::Completion),
        CaseEvent::CaseUrged(it) => note(case, it.stage, |clock| clock.urged = true),
        CaseEvent::SeriouslyOverdue(it) => {
            note(case, it.stage, |clock| clock.seriously_overdue = true);
        }
        CaseEvent::DeemedAccepted(it) => case.deemed_accepted_since = Some(it.since),
        CaseEvent::BreachExplained(it) => {
            case.explanations.push((it.stage, it.operator.clone(), it.note.clone()));
        }
        CaseEvent::CaseNoted(it) => case.notes.push((it.operator.clone(), it.note.clone())),
        CaseEvent::ResultFedBack(_) => case.fed_back = true,
        CaseEvent::CertificateIssued(it) => {
            count(case, it.report, "certificate-issued");
            case.certificate_id = Some(it.certificate_id.clone());
        }
        CaseEvent::CaseRated(it) => case.rating = Some(it.rating),
        CaseEvent::ComplaintFiled(it) => {
            case.complaints.insert(it.reference.clone(), false);
        }
        CaseEvent::ComplaintAnswered(it) => {
            case.complaints.insert(it.reference.clone(), true);
        }
        CaseEvent::CaseArchived(it) => case.archived = Some(it.reference.clone()),
        CaseEvent::ReportRefused(it) => report_refused(case, it),
        CaseEvent::ConflictingDecision(it) => conflicting(case, it),
    }
}

/// Something new is asked of a province; what was asked before is history.
fn ask(case: &mut Case, id: RequestId, province: ProvinceCode, work: WorkKind) {
    let digest = case.latest_digest();
    let request = Request {
        id,
        province,
        work,
        digest,
        attempts: 0,
        delivered: false,
        answered: false,
        again_after: None,
    };
    case.requests.push(request);
    case.returned = false;
}

fn forwarded(case: &mut Case, it: &CaseForwarded) {
    request(case, it.request, |request| request.attempts = request.attempts.max(it.attempt));
}

fn request(case: &mut Case, id: RequestId, change: impl FnOnce(&mut Request)) {
    if let Some(request) = case.requests.iter_mut().find(|known| known.id == id) {
        change(request);
    }
}

fn delivered(case: &mut Case, it: &CaseDelivered) {
    // The signature for what was asked again may be the old one: it uses up no second number.
    if !case.reports.contains_key(&it.report) {
        count(case, it.report, "delivered");
    }
    request(case, it.request, |request| {
        request.delivered = true;
        request.again_after = None;
    });
}

/// The report is on record and has used up its number.
fn count(case: &mut Case, report: ReportId, kind: &str) {
    remember(case, report, kind, None);
    count_number(case);
}

/// Only the province that has the case reports, so the number is that province's.
fn count_number(case: &mut Case) {
    if let Some(province) = case.province() {
        *case.report_counts.entry(province).or_default() += 1;
    }
}

fn remember(case: &mut Case, report: ReportId, kind: &str, refused: Option<String>) {
    case.reports.insert(report, Seen { kind: kind.to_owned(), refused });
}

/// The office has acted on the current request, so it holds it, whatever its adapter signed.
fn answer(case: &mut Case, report: ReportId, kind: &str) {
    count(case, report, kind);
    case.answered = true;
    if let Some(request) = case.requests.last_mut() {
        request.answered = true;
        request.again_after = None;
    }
}

fn correction_requested(case: &mut Case, it: &CorrectionRequested) {
    answer(case, it.report, "correction-requested");
    case.stage = CaseStage::AwaitingCorrection;
    let notice = Correction { missing: it.missing.clone(), until: it.until, repeated: it.repeated };
    case.correction = Some(notice);
}

fn correction_submitted(case: &mut Case, it: &CorrectionSubmitted) {
    case.stage = CaseStage::Submitted;
    case.corrections.push(it.digest);
    case.acceptance_clock = first_clock(it.submitted_at, it.counted, &it.due);
    if let Some(province) = case.province() {
        ask(case, it.request, province, WorkKind::Correction);
    }
}

fn accepted(case: &mut Case, it: &CaseAccepted) {
    answer(case, it.report, "accepted");
    case.stage = CaseStage::Accepted;
    case.acceptance = Some(Acceptance {
        report: it.report,
        number: it.acceptance_number.clone(),
        decided_at: it.decided_at,
    });
    let from = it.counted.map(|counted| counted.from);
    let days = it.counted.map(|counted| counted.working_days);
    case.completion_clock = Some(Clock::started(from, days, it.due.clone()));
}

fn resumed(case: &mut Case, it: &ClockResumed) {
    answer(case, it.report, "resumed");
    case.suspended = None;
    if let Some(clock) = &mut case.completion_clock {
        clock.due = it.due.clone();
        if let Some(counted) = it.counted {
            clock.counted_from = Some(counted.from);
            clock.working_days = Some(counted.working_days);
        }
    }
}

fn due_day_revised(case: &mut Case, it: &DueDayRevised) {
    let due = it.due.clone();
    note(case, it.stage, |clock| clock.due = due);
}

fn completed(case: &mut Case, it: &CaseCompleted) {
    answer(case, it.report, "completed");
    case.stage = CaseStage::Completed;
    case.decision = Some(Decision::Completed {
        report: it.report,
        outcome: it.outcome,
        number: it.decision_number.clone(),
        result: it.result.clone(),
    });
}

/// The province is told, unless it has handed the case back and nobody else has it.
fn withdrawn(case: &mut Case, request: RequestId) {
    case.stage = CaseStage::Withdrawn;
    if let (Some(province), false) = (case.province(), case.returned) {
        ask(case, request, province, WorkKind::Withdrawal);
    }
}

fn breached(case: &mut Case, stage: Stage) {
    if !case.breached.contains(&stage) {
        case.breached.push(stage);
    }
    note(case, stage, |clock| clock.overdue = true);
}

fn note(case: &mut Case, stage: Stage, change: impl FnOnce(&mut Clock)) {
    match stage {
        Stage::Acceptance => change(&mut case.acceptance_clock),
        Stage::Completion => {
            if let Some(clock) = &mut case.completion_clock {
                change(clock);
            }
        }
    }
}

/// A report with a number that was already given uses up none: the next one is still expected.
fn report_refused(case: &mut Case, it: &ReportRefused) {
    remember(case, it.report, &it.kind, Some(it.code.clone()));
    if it.code != Refusal::NumberReused.code() {
        count_number(case);
    }
}

fn conflicting(case: &mut Case, it: &ConflictingDecision) {
    let code = Refusal::ConflictingDecision.code().to_owned();
    remember(case, it.report, &it.kind, Some(code));
    count_number(case);
    case.conflicts.push(it.report);
}
