//! A case's life: what a command leads to, and what an event changes.

use events::case::CaseEvent;
use jiff::Timestamp;

use crate::command::Command;
use crate::deadlines::Rules;
use crate::refusal::Refusal;

/// A case as its story tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Case {}

/// What happens because of `command`, or why nothing may.
///
/// An empty list means: all of this is known already. A report that contradicts the story is not an
/// error but news of its own (`ReportRefused`, `ConflictingDecision`); a report that came before its
/// predecessor is `Refusal::ReportTooEarly`, to be held. `now` is the hub's clock.
pub fn decide(
    state: Option<&Case>,
    command: &Command,
    rules: &Rules,
    now: Timestamp,
) -> Result<Vec<CaseEvent>, Refusal> {
    let _ = (state, command, rules, now);
    todo!()
}

/// The case after `event`. Total: a recorded fact is never refused.
pub fn evolve(state: Option<Case>, event: &CaseEvent) -> Option<Case> {
    let _ = event;
    state
}
