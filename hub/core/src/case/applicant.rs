//! What the applicant does after submitting: send what was missing, or take it back.

use events::case::{CaseEvent, CaseWithdrawn, CorrectionSubmitted};
use events::ids::RequestId;
use events::proof::Digest;
use events::vocabulary::Counted;
use jiff::Timestamp;

use super::parts::CaseStage;
use super::{Case, NATIONAL_CLOCK_AHEAD_MAX, check_submitted_at};
use crate::calendar::shanghai_date;
use crate::deadlines::Rules;
use crate::refusal::Refusal;

/// Clock 1 starts again in full on the Shanghai date on which the applicant sent the correction.
pub(super) fn submit_correction(
    case: &Case,
    digest: Digest,
    submitted_at: Timestamp,
    request: RequestId,
    rules: &Rules,
    now: Timestamp,
) -> Result<Vec<CaseEvent>, Refusal> {
    if case.corrections.contains(&digest) {
        return Ok(vec![]);
    }
    if !case.is_open() {
        return Err(Refusal::CaseEnded);
    }
    let asked = case.correction.as_ref().filter(|_| case.stage == CaseStage::AwaitingCorrection);
    let notice = asked.ok_or(Refusal::NothingToDo)?;
    check_submitted_at(submitted_at, now)?;
    if submitted_at < case.submitted_at {
        return Err(Refusal::ImpossibleMoment);
    }
    let from = shanghai_date(submitted_at);
    // Whether the watch has looked yet must not decide whether the applicant was in time.
    if from > notice.until {
        return Err(Refusal::CaseEnded);
    }
    let working_days = rules.standards.acceptance_working_days;
    let due = rules.calendar.due(from, working_days);
    let counted = Some(Counted { from, working_days });
    Ok(vec![CorrectionSubmitted { digest, submitted_at, due, counted, request }.into()])
}

pub(super) fn withdraw(
    case: &Case,
    requested_at: Timestamp,
    request: RequestId,
    now: Timestamp,
) -> Result<Vec<CaseEvent>, Refusal> {
    if case.stage == CaseStage::Withdrawn {
        return Ok(vec![]);
    }
    if !case.is_open() {
        return Err(Refusal::CaseEnded);
    }
    let impossible = requested_at < case.submitted_at
        || requested_at.duration_since(now) > NATIONAL_CLOCK_AHEAD_MAX;
    if impossible {
        return Err(Refusal::ImpossibleMoment);
    }
    Ok(vec![CaseWithdrawn { requested_at, request }.into()])
}
