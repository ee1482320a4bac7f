//! What a province should hold of a case, by the log; and what follows when it says something else.
//!
//! What is on its way is no difference: a report that the hub has and the adapter still sends, work
//! that nobody has signed for yet. Both are being said again anyway.

use events::case::CaseEvent;
use events::envelope::{Actor, Event, Recorded};
use events::ids::{CaseId, ProvinceCode};
use events::reconcile::{Held, HeldReport, HeldWork, bytes_hash};
use events::wire::report_from_bytes;

use crate::case::{Case, evolve};

/// What must be said again of one case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Difference {
    /// The adapter lacks what it signed for, or has lost count: the hub sends it again.
    pub ask_again: bool,
    /// The hub lacks what it signed for: the adapter sends it again.
    pub report_again: bool,
}

impl Difference {
    /// There is one.
    pub fn any(self) -> bool {
        self.ask_again || self.report_again
    }
}

/// The case and what `province` should hold of it; nothing if there is no story.
pub fn held(id: CaseId, story: &[Recorded], province: ProvinceCode) -> Option<(Case, Held)> {
    let case = story.iter().filter_map(case_event).fold(None, evolve)?;
    let signed = case
        .requests
        .iter()
        .filter(|it| it.province == province && it.delivered && it.again_after.is_none());
    let work = signed.map(|it| HeldWork { request: it.id, kind: it.work }).collect();
    let spoken = story.iter().filter(|it| it.envelope.actor == Actor::Province(province));
    let reports = spoken.filter_map(report).collect();
    let next_number = case.next_report_number(province);
    Some((case, Held { case: id, next_number, work, reports }))
}

fn case_event(recorded: &Recorded) -> Option<&CaseEvent> {
    match &recorded.envelope.event {
        Event::Case(it) => Some(it),
        _ => None,
    }
}

fn report(recorded: &Recorded) -> Option<HeldReport> {
    let evidence = recorded.envelope.evidence.as_ref()?;
    let message = report_from_bytes(&evidence.bytes).ok()?;
    Some(HeldReport { number: message.report.number, hash: bytes_hash(&evidence.bytes) })
}

/// What must be said again, given what the log wants `province` to hold and what its adapter says
/// that it holds; `None`: nothing of this case.
pub fn difference(
    case: &Case,
    province: ProvinceCode,
    ours: &Held,
    theirs: Option<&Held>,
) -> Difference {
    let current = case.request().filter(|it| it.province == province && it.is_held());
    let expected = current.filter(|_| case.is_open() && !case.returned);
    let ask_again = expected.is_some_and(|request| {
        let work = HeldWork { request: request.id, kind: request.work };
        theirs.is_none_or(|it| !it.work.contains(&work) || it.next_number < ours.next_number)
    });
    let known = |it: &HeldReport| ours.reports.iter().any(|known| known.hash == it.hash);
    let report_again = theirs.is_some_and(|it| !it.reports.iter().all(known));
    Difference { ask_again, report_again }
}
