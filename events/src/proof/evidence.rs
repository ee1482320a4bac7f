//! Does an event say what the province signed? Without this, whoever keeps the log could write a decision of their own.

use crate::case::CaseEvent;
use crate::ids::ReportId;
use crate::province::{PublicityStated, Sent};
use crate::publicity::StatementMessage;
use crate::report::{News, ReportMessage};

/// Whether a statement of publicity on record is the one that the adapter sent.
pub fn states_the_same(event: &PublicityStated, message: &StatementMessage) -> bool {
    let sent = Sent { stated_at: message.stated_at, message: message.id };
    event.sent == Some(sent)
        && event.by == message.told.adapter
        && event.statement == message.told.statement
}

/// The report that led to it. An event with one needs that report, signed, as its evidence.
pub fn report_of(event: &CaseEvent) -> Option<ReportId> {
    match event {
        CaseEvent::CaseDelivered(it) => Some(it.report),
        CaseEvent::CaseReturned(it) => Some(it.report),
        CaseEvent::CorrectionRequested(it) => Some(it.report),
        CaseEvent::CaseAccepted(it) => Some(it.report),
        CaseEvent::CaseDeclined(it) => Some(it.report),
        CaseEvent::ClockSuspended(it) => Some(it.report),
        CaseEvent::ClockResumed(it) => Some(it.report),
        CaseEvent::CaseCompleted(it) => Some(it.report),
        CaseEvent::CertificateIssued(it) => Some(it.report),
        CaseEvent::ReportRefused(it) => Some(it.report),
        CaseEvent::ConflictingDecision(it) => Some(it.report),
        CaseEvent::CaseSubmitted(_)
        | CaseEvent::CaseRouted(_)
        | CaseEvent::CaseForwarded(_)
        | CaseEvent::CaseParked(_)
        | CaseEvent::CaseReleased(_)
        | CaseEvent::CaseAskedAgain(_)
        | CaseEvent::CorrectionSubmitted(_)
        | CaseEvent::CorrectionLapsed(_)
        | CaseEvent::DueDayRevised(_)
        | CaseEvent::CaseWithdrawn(_)
        | CaseEvent::AcceptanceOverdue(_)
        | CaseEvent::CompletionOverdue(_)
        | CaseEvent::CaseUrged(_)
        | CaseEvent::SeriouslyOverdue(_)
        | CaseEvent::DeemedAccepted(_)
        | CaseEvent::BreachExplained(_)
        | CaseEvent::CaseNoted(_)
        | CaseEvent::ResultFedBack(_)
        | CaseEvent::CaseRated(_)
        | CaseEvent::ComplaintFiled(_)
        | CaseEvent::ComplaintAnswered(_)
        | CaseEvent::CaseArchived(_) => None,
    }
}

/// Whether `event` says no other thing than `message` does.
pub fn says_the_same(event: &CaseEvent, message: &ReportMessage) -> bool {
    report_of(event) == Some(message.id) && same_news(event, message)
}

fn same_news(event: &CaseEvent, message: &ReportMessage) -> bool {
    let (report, at) = (&message.report, message.occurred_at);
    match (event, &report.news) {
        (CaseEvent::CaseDelivered(it), News::Delivered { work }) => {
            it.work == *work && it.request == report.request
        }
        (CaseEvent::CaseReturned(it), News::Returned { reason, division }) => {
            (it.province, it.reason, it.division) == (report.province, *reason, *division)
        }
        (CaseEvent::CorrectionRequested(it), News::CorrectionRequested { missing, until }) => {
            (&it.missing, it.until) == (missing, *until)
        }
        (CaseEvent::CaseAccepted(it), News::Accepted { acceptance_number }) => {
            (&it.acceptance_number, it.decided_at) == (acceptance_number, at)
        }
        (CaseEvent::CaseDeclined(it), News::Declined { reason }) => {
            (it.reason, it.decided_at) == (*reason, at)
        }
        (CaseEvent::ClockSuspended(it), News::Suspended { ground }) => it.ground == *ground,
        (CaseEvent::ClockResumed(_), News::Resumed) => true,
        (
            CaseEvent::CaseCompleted(it),
            News::Completed { outcome, decision_number, reasons, result },
        ) => {
            (it.outcome, it.decided_at) == (*outcome, at)
                && (&it.decision_number, &it.reasons, &it.result)
                    == (decision_number, reasons, result)
        }
        (CaseEvent::CertificateIssued(it), News::CertificateIssued { certificate_id }) => {
            it.certificate_id == *certificate_id
        }
        (CaseEvent::ReportRefused(it), news) => it.kind == news.token(),
        (CaseEvent::ConflictingDecision(it), news) => it.kind == news.token(),
        _ => false,
    }
}
