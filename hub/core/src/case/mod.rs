//! A case's life: what a command leads to, and what an event changes.
//!
//! Read: the state below and its `parts`, then `decide` here and the commands' files in the order of a life
//! (`submission`, `sending`, `reports`, `news`, `applicant`, `deadlines`, `afterwards`), then `evolve`.

mod afterwards;
mod applicant;
mod deadlines;
mod evolve;
mod news;
pub mod parts;
mod reports;
mod sending;
mod submission;

use std::collections::BTreeMap;

use events::case::{CaseEvent, ParkReason};
use events::ids::{CaseNumber, ProvinceCode, ReportId, RequestId};
use events::proof::Digest;
use events::vocabulary::{Category, Channel, IssuingAuthority, Item, Outcome, Rating, Stage};
use events::work::WorkKind;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};

use self::parts::{Acceptance, CaseStage, Clock, Correction, Decision, Request, Seen, Suspension};
use crate::calendar::shanghai_date;
use crate::command::Command;
use crate::deadlines::Rules;
use crate::refusal::Refusal;

/// How far the clock of a national system may run ahead of the hub's.
pub const NATIONAL_CLOCK_AHEAD_MAX: SignedDuration = SignedDuration::from_mins(5);
/// How long ago an applicant may have submitted what arrives only now.
pub const SUBMITTED_AGO_MAX: SignedDuration = SignedDuration::from_hours(366 * 24);

/// A case as its story tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {
    /// The number a person reads out.
    pub number: CaseNumber,
    /// The national client that handed it in.
    pub client: String,
    /// The national system's own number.
    pub client_reference: Option<String>,
    /// Which item.
    pub item: Item,
    /// Which category.
    pub category: Category,
    /// Where the driver applied.
    pub channel: Channel,
    /// Who issued the certificate.
    pub authority: IssuingAuthority,
    /// When the applicant submitted.
    pub submitted_at: Timestamp,
    /// Fingerprint of the submission.
    pub digest: Digest,
    /// It reached the hub more than a day after the applicant submitted it.
    pub late_intake: bool,
    /// How far it has come.
    pub stage: CaseStage,
    /// Everything that was asked of provinces, the current request last; empty until it is routed.
    pub requests: Vec<Request>,
    /// Who said that it is not theirs, in order.
    pub returned_by: Vec<ProvinceCode>,
    /// The province it is with has said so, and nobody else has it yet.
    pub returned: bool,
    /// Nothing may be sent, and why.
    pub parked: Option<ParkReason>,
    /// How often an operator let it go on.
    pub releases: u32,
    /// Clock 1; it starts again with a correction.
    pub acceptance_clock: Clock,
    /// Clock 2, since acceptance.
    pub completion_clock: Option<Clock>,
    /// The latest notice of missing materials, answered or not.
    pub correction: Option<Correction>,
    /// Fingerprints of the corrections that came, oldest first.
    pub corrections: Vec<Digest>,
    /// The office has said something, not merely its adapter.
    pub answered: bool,
    /// Since when it counts as accepted for want of any answer.
    pub deemed_accepted_since: Option<Date>,
    /// The acceptance (受理).
    pub acceptance: Option<Acceptance>,
    /// Clock 2 stands still.
    pub suspended: Option<Suspension>,
    /// The decision that ended it.
    pub decision: Option<Decision>,
    /// Every report that was recorded or refused, by id.
    pub reports: BTreeMap<ReportId, Seen>,
    /// How many numbered reports each province has given.
    pub report_counts: BTreeMap<ProvinceCode, u64>,
    /// Decisions that contradict the one on record.
    pub conflicts: Vec<ReportId>,
    /// Which clocks were ever overdue.
    pub breached: Vec<Stage>,
    /// Explanations of breaches: clock, person, note.
    pub explanations: Vec<(Stage, String, String)>,
    /// What was written down, and by whom.
    pub notes: Vec<(String, String)>,
    /// The national system has the result.
    pub fed_back: bool,
    /// The certificate that was issued after completion.
    pub certificate_id: Option<String>,
    /// The applicant's rating.
    pub rating: Option<Rating>,
    /// Complaints by their own number, and whether they are answered.
    pub complaints: BTreeMap<String, bool>,
    /// The archive's receipt.
    pub archived: Option<String>,
}

/// What happens because of `command`, or why nothing may.
///
/// An empty list means: all of this is known already. A report that contradicts the story is not an
/// error but news of its own (`ReportRefused`, `ConflictingDecision`); a report that came before its
/// predecessor is `Refusal::ReportTooEarly`, to be held. `now` is the hub's clock.
///
/// What the passing of days has led to comes first: whether the watch has looked yet decides nothing.
/// Those events are the hub's own words (`CaseEvent::is_of_time`), not the commander's.
pub fn decide(
    state: Option<&Case>,
    command: &Command,
    rules: &Rules,
    now: Timestamp,
) -> Result<Vec<CaseEvent>, Refusal> {
    if let Command::Submit(submit) = command {
        return submission::submit(state, submit, rules, now);
    }
    let case = state.ok_or(Refusal::UnknownCase)?;
    if let Command::ObserveDate(today) = command {
        return Ok(deadlines::observe(case, *today, rules));
    }
    let passed = deadlines::observe(case, shanghai_date(now), rules);
    if passed.is_empty() {
        return obey(case, command, rules, now);
    }
    let today = passed.iter().fold(Some(case.clone()), evolve);
    let own = obey(today.as_ref().unwrap_or(case), command, rules, now)?;
    // What changes nothing is no occasion to note anything: the watch will.
    Ok(if own.is_empty() { own } else { passed.into_iter().chain(own).collect() })
}

/// What the command itself leads to, in a story that has come to today.
fn obey(
    case: &Case,
    command: &Command,
    rules: &Rules,
    now: Timestamp,
) -> Result<Vec<CaseEvent>, Refusal> {
    match command {
        Command::Submit(_) => Err(Refusal::CaseExists),
        Command::Record { message, next_request } => {
            reports::record(case, message, *next_request, rules, now)
        }
        Command::NoteForwarded { province, work, request, attempt } => {
            sending::note_forwarded(case, *province, *work, *request, *attempt)
        }
        Command::AskAgain { province, because } => sending::ask_again(case, *province, because),
        Command::Park { operator } => sending::park(case, operator),
        Command::Release { operator, note, route_to, request } => {
            sending::release(case, operator, note, *route_to, *request)
        }
        Command::ObserveDate(today) => Ok(deadlines::observe(case, *today, rules)),
        Command::Revise => Ok(deadlines::revise(case, rules, now)),
        Command::SubmitCorrection { digest, submitted_at, request } => {
            applicant::submit_correction(case, *digest, *submitted_at, *request, rules, now)
        }
        Command::Withdraw { requested_at, request } => {
            applicant::withdraw(case, *requested_at, *request, now)
        }
        Command::ConfirmFeedback { client, way } => afterwards::confirm_feedback(case, client, way),
        Command::ExplainBreach { stage, operator, note } => {
            afterwards::explain_breach(case, *stage, operator, note)
        }
        Command::Note { operator, note } => afterwards::note_down(case, operator, note),
        Command::Rate(rating) => afterwards::rate(case, *rating),
        Command::FileComplaint { reference, channel } => {
            afterwards::file_complaint(case, reference, channel)
        }
        Command::AnswerComplaint { reference } => afterwards::answer_complaint(case, reference),
        Command::Archive { reference } => afterwards::archive(case, reference),
    }
}

/// The case after `event`. Total: a recorded fact is never refused.
pub fn evolve(state: Option<Case>, event: &CaseEvent) -> Option<Case> {
    evolve::evolve(state, event)
}

impl Case {
    /// It has not ended.
    pub fn is_open(&self) -> bool {
        !self.stage.is_end()
    }

    /// How far it has come, in one word: what screens, tables and answers show.
    pub fn stage(&self) -> &'static str {
        match self.stage {
            CaseStage::AwaitingCorrection => "correction-requested",
            CaseStage::Accepted if self.suspended.is_some() => "suspended",
            CaseStage::Accepted => "accepted",
            CaseStage::Completed => match &self.decision {
                Some(Decision::Completed { outcome: Outcome::Denied, .. }) => "denied",
                _ => "approved",
            },
            CaseStage::Declined => "declined",
            CaseStage::Withdrawn => "withdrawn",
            CaseStage::CorrectionLapsed => "correction-lapsed",
            CaseStage::Submitted if self.parked.is_some() => "parked",
            CaseStage::Submitted => match self.request() {
                None => "submitted",
                Some(request) if request.delivered => "delivered",
                Some(request) if request.attempts > 0 => "forwarded",
                Some(_) => "routed",
            },
        }
    }

    /// What was asked last.
    pub fn request(&self) -> Option<&Request> {
        self.requests.last()
    }

    /// Whom it is with.
    pub fn province(&self) -> Option<ProvinceCode> {
        self.request().map(|it| it.province)
    }

    /// The fingerprint of what the applicant sent last.
    pub fn latest_digest(&self) -> Digest {
        self.corrections.last().copied().unwrap_or(self.digest)
    }

    /// The clock that is running, if one is: none while a correction is awaited, while a special
    /// procedure runs, or after the end.
    pub fn running_clock(&self) -> Option<(Stage, &Clock)> {
        match self.stage {
            CaseStage::Submitted => Some((Stage::Acceptance, &self.acceptance_clock)),
            CaseStage::Accepted if self.suspended.is_none() => {
                self.completion_clock.as_ref().map(|it| (Stage::Completion, it))
            }
            _ => None,
        }
    }

    /// What the province still has to sign for; nothing while the case is parked.
    pub fn waiting(&self) -> Option<(ProvinceCode, RequestId, WorkKind)> {
        let request = self.request()?;
        let wanted = self.is_open() || request.work == WorkKind::Withdrawal;
        (wanted && !request.is_held() && self.parked.is_none()).then_some((
            request.province,
            request.id,
            request.work,
        ))
    }

    /// Why a report changed nothing; nothing if it was applied or is not on record.
    pub fn refusal_of(&self, report: ReportId) -> Option<&str> {
        self.reports.get(&report)?.refused.as_deref()
    }

    /// The number that the next report of `province` must have.
    pub fn next_report_number(&self, province: ProvinceCode) -> u64 {
        self.report_counts.get(&province).copied().unwrap_or(0) + 1
    }
}

/// Refuses a moment told by a national system that cannot be, or is too long ago to be acted on.
fn check_submitted_at(submitted_at: Timestamp, now: Timestamp) -> Result<(), Refusal> {
    let ago = now.duration_since(submitted_at);
    if ago < -NATIONAL_CLOCK_AHEAD_MAX {
        return Err(Refusal::SubmittedInFuture);
    }
    if ago > SUBMITTED_AGO_MAX {
        return Err(Refusal::SubmittedTooLongAgo);
    }
    Ok(())
}

/// Refuses a text of no characters, of too many, or with control characters.
fn check_text(text: &str, characters_max: usize, field: &'static str) -> Result<(), Refusal> {
    let count = text.chars().take(characters_max + 1).count();
    if count == 0 || count > characters_max || text.chars().any(char::is_control) {
        return Err(Refusal::OutOfBounds { field });
    }
    Ok(())
}
