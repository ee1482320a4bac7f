//! What a province gets of a case: read from the story at the moment of sending, never remembered.

use events::case::CaseEvent;
use events::envelope::{Event, Recorded};
use events::ids::{EventId, RequestId};
use events::work::{Work, WorkKind};
use hub_core::case::{Case, evolve};
use hub_core::plan::Waiting;

/// What is handed over, still without its personal part.
#[derive(Debug, PartialEq, Eq)]
pub struct Handover<'a> {
    /// What is said openly.
    pub work: Work,
    /// The sealed parts that belong to it: what the applicant handed in, then what was corrected.
    pub sealed: Vec<SealedPart<'a>>,
}

/// A sealed part and the event that it is bound to.
#[derive(Debug, PartialEq, Eq)]
pub struct SealedPart<'a> {
    /// The event.
    pub event: EventId,
    /// What was sealed for it.
    pub bytes: &'a [u8],
}

/// The log this hub writes, and for which time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The log and its environment.
    pub name: String,
    /// The writer's epoch.
    pub epoch: u64,
}

/// Folds `story` and says what `waiting` hands over; nothing if the log no longer wants it sent:
/// delivered, parked, ended or rerouted since the outbox was read.
pub fn handover<'a>(
    story: &'a [Recorded],
    waiting: &Waiting,
    origin: &Origin,
) -> Option<Handover<'a>> {
    let case = fold(story)?;
    if case.waiting() != Some((waiting.province, waiting.request, waiting.work)) {
        return None;
    }
    let request = case.requests.iter().find(|it| it.id == waiting.request)?;
    let work = Work {
        origin: origin.name.clone(),
        province: waiting.province,
        kind: waiting.work,
        case: waiting.case,
        number: case.number.clone(),
        request: waiting.request,
        digest: request.digest,
        epoch: origin.epoch,
        item: case.item,
        category: case.category,
        channel: case.channel,
        authority: case.authority.clone(),
        submitted_at: case.submitted_at,
        due: case.acceptance_clock.due.clone(),
        next_report_number: Some(case.next_report_number(waiting.province)),
        sealed: None,
    };
    // Whoever lost the first part of the file needs it with the correction.
    let whole = waiting.work == WorkKind::Case || request.again_after.is_some();
    Some(Handover { work, sealed: sealed_parts(story, waiting, whole) })
}

/// The case as its story tells it.
pub fn fold(story: &[Recorded]) -> Option<Case> {
    story.iter().filter_map(case_event).fold(None, evolve)
}

fn case_event(recorded: &Recorded) -> Option<&CaseEvent> {
    match &recorded.envelope.event {
        Event::Case(it) => Some(it),
        _ => None,
    }
}

/// A province that gets the case gets all that the applicant sent so far; one that asked for a
/// correction gets that correction, and again the `whole` file if it lost what it had.
fn sealed_parts<'a>(story: &'a [Recorded], waiting: &Waiting, whole: bool) -> Vec<SealedPart<'a>> {
    let belongs = |event: &CaseEvent| match (waiting.work, event) {
        (WorkKind::Withdrawal, _) => false,
        (_, CaseEvent::CaseSubmitted(_) | CaseEvent::CorrectionSubmitted(_)) if whole => true,
        (_, CaseEvent::CorrectionSubmitted(it)) => it.request == waiting.request,
        _ => false,
    };
    story.iter().filter(|it| case_event(it).is_some_and(belongs)).filter_map(sealed_part).collect()
}

fn sealed_part(recorded: &Recorded) -> Option<SealedPart<'_>> {
    let bytes = recorded.envelope.sealed.as_deref()?;
    Some(SealedPart { event: recorded.envelope.id, bytes })
}

/// The event that asked for `request`: what every attempt to forward it goes back to.
pub fn cause(story: &[Recorded], request: RequestId) -> Option<EventId> {
    let asks = |event: &CaseEvent| match event {
        CaseEvent::CaseRouted(it) => it.request == request,
        CaseEvent::CorrectionSubmitted(it) => it.request == request,
        CaseEvent::CaseWithdrawn(it) => it.request == request,
        _ => false,
    };
    story.iter().find(|it| case_event(it).is_some_and(asks)).map(|it| it.envelope.id)
}
