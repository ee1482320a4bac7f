//! A province reports: is it this province's to say, and does it fit the story?
//!
//! What contradicts the story is recorded as refused and changes nothing else. What nobody could
//! record under this case (another province, a report too early, a request we never made) is an
//! error for the intake to hold or to quarantine.

use events::case::{CaseDelivered, CaseEvent, ConflictingDecision, ReportRefused};
use events::ids::RequestId;
use events::report::{News, ReportMessage};
use events::vocabulary::Reason;
use events::work::WorkKind;
use jiff::{SignedDuration, Timestamp};

use super::parts::Request;
use super::{Case, check_text, news};
use crate::calendar::shanghai_date;
use crate::deadlines::Rules;
use crate::refusal::Refusal;

/// How far a province's clock may run ahead of the hub's.
const PROVINCE_CLOCK_AHEAD_MAX: SignedDuration = SignedDuration::from_mins(10);
/// How far a province's clock may run behind that of the national system.
const PROVINCE_CLOCK_BEHIND_MAX: SignedDuration = SignedDuration::from_mins(5);
/// How many reports one case may have; far above any honest story.
const REPORTS_A_CASE_MAX: usize = 256;
/// How many materials one notice may list.
const MISSING_MAX: usize = 16;
/// How many reasons one decision may give.
const REASONS_MAX: usize = 16;
/// How long a province's own numbers may be.
const NUMBER_CHARACTERS_MAX: usize = 64;

/// The same report again is known, whether it was applied or refused.
pub(super) fn record(
    case: &Case,
    message: &ReportMessage,
    next_request: RequestId,
    rules: &Rules,
    now: Timestamp,
) -> Result<Vec<CaseEvent>, Refusal> {
    if case.reports.contains_key(&message.id) {
        return Ok(signed_again(case, message));
    }
    let report = &message.report;
    if case.province() != Some(report.province) {
        return Err(Refusal::NotYourCase { province: report.province });
    }
    if case.reports.len() >= REPORTS_A_CASE_MAX {
        return Err(Refusal::OutOfBounds { field: "reports" });
    }
    let expected = case.next_report_number(report.province);
    if report.number > expected {
        return Err(Refusal::ReportTooEarly { number: report.number, expected });
    }
    if report.number < expected {
        return Ok(vec![refused(message, &Refusal::NumberReused)]);
    }
    let asked = case.requests.iter().find(|it| it.id == report.request);
    let asked = asked.ok_or(Refusal::StaleRequest)?;
    let judged = check(case, asked, message, now)
        .and_then(|()| news::apply(case, asked, message, next_request, rules, now));
    Ok(judged.unwrap_or_else(|refusal| vec![refused(message, &refusal)]))
}

/// A known report says nothing new, except the signature for work that was asked again and has been
/// sent since: an adapter that does hold it says so with the bytes of the first time. A report that
/// was refused once proves nothing the second time either.
fn signed_again(case: &Case, message: &ReportMessage) -> Vec<CaseEvent> {
    let News::Delivered { work } = message.report.news else { return vec![] };
    if case.reports.get(&message.id).is_none_or(|it| it.refused.is_some()) {
        return vec![];
    }
    let current = case.request().filter(|it| it.id == message.report.request && it.work == work);
    let sent_since = |it: &&Request| it.again_after.is_some_and(|before| it.attempts > before);
    match current.filter(sent_since) {
        Some(it) => vec![CaseDelivered { report: message.id, work, request: it.id }.into()],
        None => vec![],
    }
}

fn refused(message: &ReportMessage, refusal: &Refusal) -> CaseEvent {
    let kind = message.report.news.token().to_owned();
    match refusal {
        Refusal::ConflictingDecision => ConflictingDecision { report: message.id, kind }.into(),
        other => ReportRefused { report: message.id, kind, code: other.code().to_owned() }.into(),
    }
}

/// What does not depend on how far the case has come.
fn check(
    case: &Case,
    asked: &Request,
    message: &ReportMessage,
    now: Timestamp,
) -> Result<(), Refusal> {
    let report = &message.report;
    let current = case.request().is_some_and(|it| it.id == asked.id);
    // The signature for an older request is late, not wrong: the adapter does hold that work.
    let late_signature =
        matches!(report.news, News::Delivered { .. }) && asked.province == report.province;
    if !current && !late_signature {
        // A decision that crossed the applicant's withdrawal is told the real reason.
        return Err(if case.is_open() { Refusal::StaleRequest } else { Refusal::CaseEnded });
    }
    if !digest_fits(case, asked, message) {
        return Err(Refusal::WrongDigest);
    }
    let too_late = message.occurred_at.duration_since(now) > PROVINCE_CLOCK_AHEAD_MAX;
    let too_early =
        case.submitted_at.duration_since(message.occurred_at) > PROVINCE_CLOCK_BEHIND_MAX;
    if too_late || too_early {
        return Err(Refusal::ImpossibleMoment);
    }
    check_bounds(&report.news, now)
}

/// A case that is routed on after a correction may be handed over with either fingerprint, and a
/// withdrawal hands over nothing of the applicant's.
fn digest_fits(case: &Case, asked: &Request, message: &ReportMessage) -> bool {
    let told = message.report.digest;
    match asked.work {
        WorkKind::Correction => told == asked.digest,
        WorkKind::Case | WorkKind::Withdrawal => told == asked.digest || told == case.digest,
    }
}

fn check_bounds(news: &News, now: Timestamp) -> Result<(), Refusal> {
    match news {
        News::Delivered { .. }
        | News::Returned { .. }
        | News::Declined { .. }
        | News::Suspended { .. }
        | News::Resumed => Ok(()),
        News::CorrectionRequested { missing, until } => {
            if missing.is_empty() || missing.len() > MISSING_MAX {
                return Err(Refusal::OutOfBounds { field: "missing" });
            }
            // Nobody can send anything by a day that has passed.
            if *until < shanghai_date(now) {
                return Err(Refusal::OutOfBounds { field: "until" });
            }
            Ok(())
        }
        News::Accepted { acceptance_number } => {
            check_text(acceptance_number, NUMBER_CHARACTERS_MAX, "acceptance_number")
        }
        News::Completed { decision_number, reasons, result, .. } => {
            check_decision(decision_number, reasons, result.certificate_id.as_deref())
        }
        News::CertificateIssued { certificate_id } => {
            check_text(certificate_id, NUMBER_CHARACTERS_MAX, "certificate_id")
        }
    }
}

fn check_decision(
    number: &str,
    reasons: &[Reason],
    certificate_id: Option<&str>,
) -> Result<(), Refusal> {
    check_text(number, NUMBER_CHARACTERS_MAX, "decision_number")?;
    if reasons.len() > REASONS_MAX {
        return Err(Refusal::OutOfBounds { field: "reasons" });
    }
    certificate_id.map_or(Ok(()), |it| check_text(it, NUMBER_CHARACTERS_MAX, "certificate_id"))
}
