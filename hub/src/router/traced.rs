//! What goes out, as hops: an attempt to forward, a result brought back.

use events::ids::{CaseId, EventId};
use events::trace::{Attribute, Hop, HopKind, SpanId};
use hub_core::plan::Step;

use super::connector::{PublishError, Trace};
use crate::hops::{self, Moment};

/// An attempt. One that failed is made again under the same number, which is then the span's name.
pub(super) fn forwarding(
    step: &Step,
    trace: Option<Trace>,
    answer: &Result<(), PublishError>,
    began: Moment,
) {
    let Some(Trace { own, cause }) = trace else { return };
    let (waiting, sent) = (&step.waiting, answer.is_ok());
    began.tell(|lasted| {
        let span = if sent { own.span } else { hops::unnamed() };
        let hop = Hop::new("forward", HopKind::Producer, (waiting.case, span), cause, lasted)
            .with(Attribute::Province(waiting.province))
            .with(Attribute::Request(waiting.request))
            .with(Attribute::Work(waiting.work.token()))
            .with(Attribute::Attempt(u64::from(step.attempt)));
        if sent { hop } else { hop.failed() }
    });
}

/// A call of a webhook about the event that ended the case.
pub(super) fn feedback(case: CaseId, client: &str, end: EventId, confirmed: bool, began: Moment) {
    began.tell(|lasted| {
        let span = if confirmed { SpanId::feedback(case) } else { hops::unnamed() };
        let cause = SpanId::append(end);
        let hop = Hop::new("feedback", HopKind::Client, (case, span), cause, lasted)
            .with(Attribute::Client(client.to_owned()))
            .with(Attribute::Event(end));
        if confirmed { hop } else { hop.failed() }
    });
}
