//! How a case ended, as the national system is told: a fold of the story, the same for every road.

use events::case::CaseEvent;
use events::envelope::{Event, Recorded};
use events::feedback::{ClockVerdict, Ending, Feedback, Timeliness};
use events::ids::{EventId, StreamName};
use events::vocabulary::{DueDay, Outcome};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::calendar::shanghai_date;
use crate::case::{Case, evolve};

/// What is said of the case that `story` tells, and the id of the event that ended it. Nothing while
/// it is open. Told again later it is the same, whatever was added to the story meanwhile. The free
/// text is not here: it is sealed in the event's evidence.
pub fn feedback(origin: &str, story: &[Recorded]) -> Option<(EventId, Feedback)> {
    let at = story.iter().position(|it| case_event(it).is_some_and(|it| ending(it).is_some()))?;
    let story = &story[..=at];
    let case: Case = story.iter().filter_map(case_event).fold(None, evolve)?;
    let (end, event) = (&story[at], case_event(&story[at])?);
    let StreamName::Case(id) = end.envelope.stream else { return None };
    let (decision_number, reasons, result) = match event {
        CaseEvent::CaseCompleted(it) => {
            (Some(it.decision_number.clone()), it.reasons.clone(), it.result.clone())
        }
        CaseEvent::CaseDeclined(it) => (None, vec![it.reason], Default::default()),
        _ => Default::default(),
    };
    let feedback = Feedback {
        origin: origin.to_owned(),
        case: id,
        number: case.number.clone(),
        client_reference: case.client_reference.clone(),
        item: case.item,
        category: case.category,
        province: case.province(),
        ending: ending(event)?,
        acceptance_number: case.acceptance.as_ref().map(|it| it.number.clone()),
        decision_number,
        reasons,
        result,
        acceptance: answered(story).map(|it| verdict(&case.acceptance_clock.due, it)),
        completion: completed(event, end)
            .and_then(|it| Some(verdict(&case.completion_clock.as_ref()?.due, it))),
        recorded_at: end.recorded_at,
        position: end.position.0,
        text: None,
    };
    Some((end.envelope.id, feedback))
}

/// Whether `due` was met. The hub's recording judges; the province's own moment only excuses it.
pub fn timeliness(due: Date, decided_at: Timestamp, recorded_at: Timestamp) -> Timeliness {
    if shanghai_date(recorded_at) <= due {
        Timeliness::OnTime
    } else if shanghai_date(decided_at) <= due {
        Timeliness::ReportedLate
    } else {
        Timeliness::Overdue
    }
}

fn case_event(recorded: &Recorded) -> Option<&CaseEvent> {
    match &recorded.envelope.event {
        Event::Case(it) => Some(it),
        _ => None,
    }
}

fn ending(event: &CaseEvent) -> Option<Ending> {
    match event {
        CaseEvent::CaseCompleted(it) if it.outcome == Outcome::Approved => Some(Ending::Approved),
        CaseEvent::CaseCompleted(_) => Some(Ending::Denied),
        CaseEvent::CaseDeclined(_) => Some(Ending::Declined),
        CaseEvent::CaseWithdrawn(_) => Some(Ending::Withdrawn),
        CaseEvent::CorrectionLapsed(_) => Some(Ending::CorrectionLapsed),
        _ => None,
    }
}

/// When the province says it answered, and when that was recorded.
type Answered = (Timestamp, Timestamp);

fn answered(story: &[Recorded]) -> Option<Answered> {
    story.iter().find_map(|it| match case_event(it)? {
        CaseEvent::CaseAccepted(accepted) => Some((accepted.decided_at, it.recorded_at)),
        CaseEvent::CaseDeclined(declined) => Some((declined.decided_at, it.recorded_at)),
        _ => None,
    })
}

fn completed(event: &CaseEvent, end: &Recorded) -> Option<Answered> {
    match event {
        CaseEvent::CaseCompleted(it) => Some((it.decided_at, end.recorded_at)),
        _ => None,
    }
}

fn verdict(due: &DueDay, (decided_at, recorded_at): Answered) -> ClockVerdict {
    ClockVerdict { due: due.clone(), verdict: timeliness(due.day, decided_at, recorded_at) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn the_recording_judges_and_the_claim_only_excuses() {
        let due = date(2026, 2, 24);
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        // The day ends at 24:00 in Shanghai, which is 16:00 in UTC.
        for (decided, recorded, expected) in [
            ("2026-02-24T15:59:59Z", "2026-02-24T15:59:59Z", Timeliness::OnTime),
            ("2026-02-24T15:00:00Z", "2026-02-24T16:00:00Z", Timeliness::ReportedLate),
            ("2026-02-24T16:00:00Z", "2026-02-24T16:00:01Z", Timeliness::Overdue),
        ] {
            assert_eq!(timeliness(due, at(decided), at(recorded)), expected, "{recorded}");
        }
    }
}
