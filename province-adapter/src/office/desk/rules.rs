//! What an office may say next, as far as this side can know. The hub decides; but an office hears a
//! no at once here, and from the hub only when nobody looks any more.

use events::ids::RequestId;
use events::report::{News, ReportMessage};
use events::vocabulary::Outcome;
use events::work::Work;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::{Answer, AnswerRefusal};

/// As at the hub: materials in one notice, reasons of one decision, characters of a number.
const MISSING_MAX: usize = 16;
const REASONS_MAX: usize = 16;
const NUMBER_CHARACTERS_MAX: usize = 64;
/// As at the hub: how far an office's clock may run ahead of ours, or behind the applicant's.
const AHEAD_MAX: SignedDuration = SignedDuration::from_mins(10);
const BEHIND_MAX: SignedDuration = SignedDuration::from_mins(5);

/// How far the office has come with a case.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Story {
    withdrawn: bool,
    returned: bool,
    declined: bool,
    accepted: bool,
    suspended: bool,
    completed: Option<Outcome>,
    certificate: bool,
    asked: bool,
}

impl Story {
    /// From the reports in order. What was said about an earlier request of the case still counts,
    /// except that a case which comes back after a return may be answered again.
    pub(super) fn of(reports: &[ReportMessage], newest: RequestId, withdrawn: bool) -> Self {
        let mut story = Self { withdrawn, ..Self::default() };
        for it in reports {
            let current = it.report.request == newest;
            match &it.report.news {
                News::Delivered { .. } => {}
                News::Returned { .. } => story.returned = current,
                News::CorrectionRequested { .. } => story.asked = current,
                News::Accepted { .. } => story.accepted = true,
                News::Declined { .. } => story.declined = true,
                News::Suspended { .. } => story.suspended = true,
                News::Resumed => story.suspended = false,
                News::Completed { outcome, .. } => story.completed = Some(*outcome),
                News::CertificateIssued { .. } => story.certificate = true,
            }
        }
        story
    }

    pub(super) fn check(&self, news: &News) -> Result<(), AnswerRefusal> {
        if matches!(news, News::CertificateIssued { .. }) {
            return self.check_certificate(news);
        }
        if self.completed.is_some() {
            return Err(AnswerRefusal::CaseEnded { how: "completed" });
        }
        if self.declined {
            return Err(AnswerRefusal::CaseEnded { how: "declined" });
        }
        if self.withdrawn {
            return Err(AnswerRefusal::CaseWithdrawn);
        }
        if self.returned {
            return Err(AnswerRefusal::CaseEnded { how: "returned" });
        }
        let no = |why| Err(AnswerRefusal::OutOfOrder { news: news.token(), why });
        match news {
            News::Delivered { .. } => no("the adapter signs for the delivery itself"),
            News::Returned { .. } | News::Declined { .. } | News::CorrectionRequested { .. }
                if self.accepted =>
            {
                no("the case was accepted")
            }
            News::Returned { .. } if self.asked => no("a correction was asked for"),
            News::Accepted { .. } if self.accepted => {
                no("the case was accepted under another number")
            }
            News::Suspended { .. } | News::Resumed | News::Completed { .. } if !self.accepted => {
                no("the case was not accepted")
            }
            News::Suspended { .. } if self.suspended => no("a special procedure is running"),
            News::Completed { .. } if self.suspended => no("a special procedure is running"),
            News::Resumed if !self.suspended => no("no special procedure is running"),
            _ => Ok(()),
        }
    }

    fn check_certificate(&self, news: &News) -> Result<(), AnswerRefusal> {
        let no = |why| Err(AnswerRefusal::OutOfOrder { news: news.token(), why });
        match self.completed {
            None => no("the case was not completed"),
            Some(Outcome::Denied) => no("the case was denied"),
            Some(Outcome::Approved) if self.certificate => no("another certificate was issued"),
            Some(Outcome::Approved) => Ok(()),
        }
    }
}

/// What does not depend on the story.
pub(super) fn check_bounds(
    answer: &Answer,
    work: &Work,
    told: Timestamp,
) -> Result<(), AnswerRefusal> {
    let no = |field, fault| Err(AnswerRefusal::OutOfBounds { field, fault });
    if let Some(at) = answer.decided_at {
        if at.duration_since(told) > AHEAD_MAX {
            return no("decided_at", "lies in the future; are the clocks set?");
        }
        if work.submitted_at.duration_since(at) > BEHIND_MAX {
            return no("decided_at", "lies before the applicant's submission");
        }
    }
    match &answer.news {
        News::CorrectionRequested { missing, until } => {
            if missing.is_empty() || missing.len() > MISSING_MAX {
                return no("missing", "must list 1 to 16 materials: the complete list, once");
            }
            let today = told.to_zoned(TimeZone::fixed(jiff::tz::offset(8))).date();
            if *until < today {
                return no("until", "has passed");
            }
            Ok(())
        }
        News::Accepted { acceptance_number } => number(acceptance_number, "acceptance_number"),
        News::Completed { outcome, decision_number, reasons, result } => {
            number(decision_number, "decision_number")?;
            if reasons.len() > REASONS_MAX {
                return no("reasons", "must list at most 16");
            }
            if *outcome == Outcome::Denied && reasons.is_empty() {
                return no("reasons", "must say why it is denied");
            }
            result.certificate_id.as_ref().map_or(Ok(()), |it| number(it, "certificate_id"))
        }
        News::CertificateIssued { certificate_id } => number(certificate_id, "certificate_id"),
        News::Delivered { .. }
        | News::Returned { .. }
        | News::Declined { .. }
        | News::Suspended { .. }
        | News::Resumed => Ok(()),
    }
}

fn number(text: &str, field: &'static str) -> Result<(), AnswerRefusal> {
    let count = text.chars().take(NUMBER_CHARACTERS_MAX + 1).count();
    if count == 0 || count > NUMBER_CHARACTERS_MAX || text.chars().any(char::is_control) {
        return Err(AnswerRefusal::OutOfBounds {
            field,
            fault: "must have 1 to 64 characters and no control characters",
        });
    }
    Ok(())
}
