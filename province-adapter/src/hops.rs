//! The hops of a case on this side, told to a collector if there is one: taken in, given to the office,
//! reported. What led to each follows from what the store knows, so nothing is remembered for it.

use std::sync::OnceLock;

use events::report::News;
use events::trace::{Attribute, Hop, HopKind, SpanId};
use events::wire;
use events::work::Work;
use jiff::Timestamp;

use crate::clock::Clock;
use crate::inbox::Letter;
use crate::outbox::Parcel;

/// Where hops go. Set once, at the start.
static OUT: OnceLock<Out> = OnceLock::new();

type Out = Box<dyn Fn(Hop) + Send + Sync>;

/// Tells every hop to `out` from here on. The first one wins.
pub fn tell_to(out: Out) {
    let _already = OUT.set(out);
}

/// Whether anybody wants to hear.
pub(crate) fn are_told() -> bool {
    OUT.get().is_some()
}

/// A moment of the machine, if hops are told at all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(Option<Timestamp>);

impl Moment {
    /// Now.
    pub(crate) fn now(clock: &Clock) -> Self {
        Self(are_told().then(|| clock.real_now()))
    }

    fn tell(self, clock: &Clock, hop: impl FnOnce((Timestamp, Timestamp)) -> Option<Hop>) {
        if let (Some(began), Some(out)) = (self.0, OUT.get())
            && let Some(hop) = hop((began, clock.real_now()))
        {
            out(hop);
        }
    }

    /// Work that arrived: new and durable, or a copy of what is here.
    pub(crate) fn took_in(self, clock: &Clock, letter: &Letter, work: &Work, is_new: bool) {
        self.tell(clock, |lasted| {
            let header = letter.trace.and_then(|it| it.parent_in(work.case));
            let parent = header.unwrap_or(SpanId::intake(work.case));
            let span = if is_new { SpanId::take_in(work.request) } else { unnamed() };
            let outcome = if is_new { "new" } else { "known" };
            let hop = Hop::new("take-in", HopKind::Consumer, (work.case, span), parent, lasted);
            Some(about(hop, work).with(Attribute::Outcome(outcome)))
        });
    }

    /// The office was given work, and has it or not.
    pub(crate) fn given(self, clock: &Clock, work: &Work, is_taken: bool) {
        self.tell(clock, |lasted| {
            let span = if is_taken { SpanId::office(work.request) } else { unnamed() };
            let parent = SpanId::take_in(work.request);
            let hop = Hop::new("office", HopKind::Internal, (work.case, span), parent, lasted);
            let hop = about(hop, work);
            Some(if is_taken { hop } else { hop.failed() })
        });
    }

    /// An attempt to report. Its number is used up, sent or not.
    pub(crate) fn reported(self, clock: &Clock, parcel: &Parcel, is_sent: bool) {
        self.tell(clock, |lasted| {
            // A body that an older version wrote in another way is told by its header alone.
            let told = wire::report_from_bytes(&parcel.body).ok()?.report;
            let parent = match told.news {
                News::Delivered { .. } => SpanId::take_in(told.request),
                _ => SpanId::office(told.request),
            };
            let span = (told.case, SpanId::report(parcel.report, parcel.attempt));
            let hop = Hop::new("report", HopKind::Producer, span, parent, lasted)
                .with(Attribute::Province(told.province))
                .with(Attribute::Report(parcel.report))
                .with(Attribute::News(told.news.token()))
                .with(Attribute::Attempt(parcel.attempt));
            Some(if is_sent { hop } else { hop.failed() })
        });
    }
}

fn about(hop: Hop, work: &Work) -> Hop {
    hop.with(Attribute::Province(work.province))
        .with(Attribute::Request(work.request))
        .with(Attribute::Work(work.kind.token()))
}

fn unnamed() -> SpanId {
    SpanId::by_chance(rand::random())
}
