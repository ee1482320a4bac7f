//! What each kind of news leads to, by how far the case has come. One decision a stage, for good.

use events::case::{
    CaseAccepted, CaseCompleted, CaseDeclined, CaseDelivered, CaseEvent, CaseParked, CaseReturned,
    CaseRouted, CertificateIssued, ClockResumed, ClockSuspended, CorrectionRequested, ParkReason,
    RouteReason,
};
use events::ids::{DivisionCode, ProvinceCode, RequestId};
use events::report::{News, ReportMessage};
use events::vocabulary::{Counted, DueDay, Outcome, Reason};
use events::work::WorkKind;
use jiff::Timestamp;

use super::Case;
use super::parts::{CaseStage, Decision, Request};
use crate::calendar::shanghai_date;
use crate::deadlines::Rules;
use crate::refusal::Refusal;

/// A refusal here is recorded, not returned: the report's number is used up either way.
pub(super) fn apply(
    case: &Case,
    asked: &Request,
    message: &ReportMessage,
    next_request: RequestId,
    rules: &Rules,
    now: Timestamp,
) -> Result<Vec<CaseEvent>, Refusal> {
    match &message.report.news {
        News::Delivered { work } => delivered(asked, *work, message),
        News::Returned { reason, division } => {
            returned(case, message, *reason, *division, next_request, rules)
        }
        News::CorrectionRequested { .. } => correction_requested(case, message),
        News::Accepted { acceptance_number } => {
            accepted(case, message, acceptance_number, rules, now)
        }
        News::Declined { reason } => declined(case, message, *reason),
        News::Suspended { ground } => {
            may_suspend(case, false)?;
            let from = shanghai_date(now);
            Ok(vec![ClockSuspended { report: message.id, ground: *ground, from }.into()])
        }
        News::Resumed => resumed(case, message, rules, now),
        News::Completed { outcome, decision_number, .. } => {
            completed(case, message, *outcome, decision_number)
        }
        News::CertificateIssued { certificate_id } => {
            certificate_issued(case, message, certificate_id)
        }
    }
}

fn delivered(
    asked: &Request,
    work: WorkKind,
    message: &ReportMessage,
) -> Result<Vec<CaseEvent>, Refusal> {
    // Each request is signed for once; a second signature has nothing left to prove.
    if asked.work != work || (asked.delivered && asked.again_after.is_none()) {
        return Err(Refusal::OutOfOrder);
    }
    Ok(vec![CaseDelivered { report: message.id, work, request: asked.id }.into()])
}

fn returned(
    case: &Case,
    message: &ReportMessage,
    reason: Reason,
    division: Option<DivisionCode>,
    next_request: RequestId,
    rules: &Rules,
) -> Result<Vec<CaseEvent>, Refusal> {
    may_answer(case)?;
    if case.stage != CaseStage::Submitted {
        return Err(Refusal::OutOfOrder);
    }
    let by = message.report.province;
    let returned = CaseReturned { report: message.id, province: by, reason, division };
    let onward = onward(case, by, division, next_request, rules);
    Ok(vec![returned.into(), onward])
}

/// To the province of the division that was named, unless that one has already returned it.
fn onward(
    case: &Case,
    by: ProvinceCode,
    division: Option<DivisionCode>,
    request: RequestId,
    rules: &Rules,
) -> CaseEvent {
    let named = division.and_then(|division| {
        let (province, _) = rules.routes.province_of_division(division).ok()?;
        Some((province, division))
    });
    match named {
        None => CaseParked { reason: ParkReason::ReturnedWithoutSuccessor { by } }.into(),
        Some((province, _)) if province == by || case.returned_by.contains(&province) => {
            CaseParked { reason: ParkReason::ReturnedInCircle { by } }.into()
        }
        Some((province, division)) => {
            let reason = RouteReason::ReturnedTo { by, division };
            CaseRouted { province, reason, request }.into()
        }
    }
}

fn correction_requested(case: &Case, message: &ReportMessage) -> Result<Vec<CaseEvent>, Refusal> {
    may_answer(case)?;
    let News::CorrectionRequested { missing, until } = &message.report.news else {
        return Err(Refusal::OutOfOrder);
    };
    if case.stage == CaseStage::Accepted {
        return Err(Refusal::OutOfOrder);
    }
    let requested = CorrectionRequested {
        report: message.id,
        missing: missing.clone(),
        until: *until,
        // The law allows one notice. A second is kept and shown, because the applicant must see it.
        repeated: case.correction.is_some(),
    };
    Ok(vec![requested.into()])
}

/// A province may accept while it waits for a correction: the decision is its own.
fn accepted(
    case: &Case,
    message: &ReportMessage,
    number: &str,
    rules: &Rules,
    now: Timestamp,
) -> Result<Vec<CaseEvent>, Refusal> {
    if matches!(case.decision, Some(Decision::Declined { .. })) {
        return Err(Refusal::ConflictingDecision);
    }
    if case.acceptance.as_ref().is_some_and(|it| it.number != number) {
        return Err(Refusal::ConflictingDecision);
    }
    may_answer(case)?;
    if case.stage == CaseStage::Accepted {
        return Err(Refusal::OutOfOrder);
    }
    let from = shanghai_date(now);
    let working_days = rules.standards.completion_working_days;
    let accepted = CaseAccepted {
        report: message.id,
        acceptance_number: number.to_owned(),
        decided_at: message.occurred_at,
        due: rules.calendar.due(from, working_days),
        counted: Some(Counted { from, working_days }),
    };
    Ok(vec![accepted.into()])
}

fn declined(
    case: &Case,
    message: &ReportMessage,
    reason: Reason,
) -> Result<Vec<CaseEvent>, Refusal> {
    let contradicts = match &case.decision {
        Some(Decision::Declined { reason: on_record, .. }) => *on_record != reason,
        Some(Decision::Completed { .. }) => true,
        None => case.acceptance.is_some() && case.is_open(),
    };
    if contradicts {
        return Err(Refusal::ConflictingDecision);
    }
    may_answer(case)?;
    let decided_at = message.occurred_at;
    Ok(vec![CaseDeclined { report: message.id, reason, decided_at }.into()])
}

/// The days from the suspension to today do not count; what was left then is left now. A day that
/// had passed before the suspension stays where it was: the breach happened.
fn resumed(
    case: &Case,
    message: &ReportMessage,
    rules: &Rules,
    now: Timestamp,
) -> Result<Vec<CaseEvent>, Refusal> {
    may_suspend(case, true)?;
    let (due, counted) = due_after_suspension(case, rules, now).ok_or(Refusal::OutOfOrder)?;
    Ok(vec![ClockResumed { report: message.id, due, counted }.into()])
}

fn due_after_suspension(
    case: &Case,
    rules: &Rules,
    now: Timestamp,
) -> Option<(DueDay, Option<Counted>)> {
    let suspension = case.suspended.as_ref()?;
    let clock = case.completion_clock.as_ref()?;
    let last_counted = suspension.from.yesterday().ok()?;
    let passed = clock.overdue || clock.due.day <= last_counted;
    let (Some(from), Some(days), false) = (clock.counted_from, clock.working_days, passed) else {
        return Some((clock.due.clone(), None));
    };
    let used = rules.calendar.working_days_between(from, last_counted);
    // A calendar corrected meanwhile may have used up everything; one day is left to decide.
    let working_days = days.saturating_sub(used).max(1);
    let today = shanghai_date(now);
    let due = rules.calendar.due(today, working_days);
    Some((due, Some(Counted { from: today, working_days })))
}

fn completed(
    case: &Case,
    message: &ReportMessage,
    outcome: Outcome,
    number: &str,
) -> Result<Vec<CaseEvent>, Refusal> {
    let contradicts = match &case.decision {
        Some(Decision::Completed { outcome: known, number: known_number, .. }) => {
            *known != outcome || known_number != number
        }
        Some(Decision::Declined { .. }) => true,
        None => false,
    };
    if contradicts {
        return Err(Refusal::ConflictingDecision);
    }
    may_answer(case)?;
    let News::Completed { reasons, result, .. } = &message.report.news else {
        return Err(Refusal::OutOfOrder);
    };
    if case.stage != CaseStage::Accepted || case.suspended.is_some() {
        return Err(Refusal::OutOfOrder);
    }
    let completed = CaseCompleted {
        report: message.id,
        outcome,
        decision_number: number.to_owned(),
        decided_at: message.occurred_at,
        reasons: reasons.clone(),
        result: result.clone(),
    };
    Ok(vec![completed.into()])
}

fn certificate_issued(
    case: &Case,
    message: &ReportMessage,
    certificate_id: &str,
) -> Result<Vec<CaseEvent>, Refusal> {
    let approved =
        matches!(case.decision, Some(Decision::Completed { outcome: Outcome::Approved, .. }));
    if approved && case.certificate_id.is_none() {
        let certificate_id = certificate_id.to_owned();
        return Ok(vec![CertificateIssued { report: message.id, certificate_id }.into()]);
    }
    let other_end = !case.is_open() && !approved;
    Err(if other_end { Refusal::CaseEnded } else { Refusal::OutOfOrder })
}

/// An office may answer an open case that it has not handed back.
fn may_answer(case: &Case) -> Result<(), Refusal> {
    if !case.is_open() {
        return Err(Refusal::CaseEnded);
    }
    if case.returned { Err(Refusal::OutOfOrder) } else { Ok(()) }
}

fn may_suspend(case: &Case, running: bool) -> Result<(), Refusal> {
    may_answer(case)?;
    let fits = case.stage == CaseStage::Accepted && case.suspended.is_some() == running;
    if fits { Ok(()) } else { Err(Refusal::OutOfOrder) }
}
