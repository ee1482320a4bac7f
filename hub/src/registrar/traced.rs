//! Decisions and appends as hops. What led to them follows from the ask; nobody hands it on.

use events::envelope::Recorded;
use events::ids::CaseId;
use events::trace::{Attribute, Hop, HopKind, SpanId};
use hub_core::command::Command;

use super::{Ask, What};
use crate::hops::Moment;

/// When an ask was decided, and when its batch was made durable: from, to.
pub(super) struct Times {
    pub(super) decided: (Moment, Moment),
    pub(super) committed: (Moment, Moment),
    pub(super) batch_events: u64,
}

/// Tells the decision and each event that it led to. Of what belongs to no case nothing is told.
pub(super) fn tell(ask: &Ask, recorded: &[Recorded], times: &Times) {
    let (Some((case, cause)), Some(first)) = (cause(ask), recorded.first()) else { return };
    let decision = SpanId::decide(first.envelope.id);
    times.decided.0.tell_until(times.decided.1, |decided| {
        Hop::new("decide", HopKind::Internal, (case, decision), cause, decided)
    });
    for it in recorded {
        let event = it.envelope.id;
        times.committed.0.tell_until(times.committed.1, |committed| {
            let span = (case, SpanId::append(event));
            Hop::new("append", HopKind::Internal, span, decision, committed)
                .with(Attribute::Event(event))
                .with(Attribute::EventType(it.envelope.event.kind()))
                .with(Attribute::Position(it.position.0))
                .with(Attribute::BatchEvents(times.batch_events))
        });
    }
}

/// The hop that asked. What people and passed days ask for hangs below the submission.
fn cause(ask: &Ask) -> Option<(CaseId, SpanId)> {
    let What::Case { case, command, .. } = &ask.what else { return None };
    let cause = match command {
        Command::Record { message, .. } => SpanId::report_intake(message.id),
        Command::NoteForwarded { request, attempt, .. } => {
            SpanId::forward(*request, u64::from(*attempt))
        }
        Command::SubmitCorrection { request, .. } | Command::Withdraw { request, .. } => {
            SpanId::later_intake(*request)
        }
        Command::ConfirmFeedback { .. } => SpanId::feedback(*case),
        _ => SpanId::intake(*case),
    };
    Some((*case, cause))
}
