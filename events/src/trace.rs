//! One case, one trace. Every span's name follows from what the log and the store know for ever, so that a
//! restart, another machine or another year goes on in the same trace, and no span need be remembered.
//!
//! W3C trace context: `traceparent` travels in HTTP and NATS headers. It is signed by nobody, so it decides
//! nothing: the trace is the case's own, and only the parent span is read from the header.

mod hop;
mod settings;

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::ids::{CaseId, EventId, ReportId, RequestId};

pub use hop::{Attribute, Hop, HopKind};
pub use settings::{NOT_BUILT, TraceSettings};

/// The name of a trace: of a case's own it is the case id, without its hyphens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceId(
    // Invariant: not 0.
    u128,
);

/// The name of a span within its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SpanId(
    // Invariant: not 0.
    u64,
);

/// Where something belongs: a trace and the span that led to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TraceParent {
    /// The trace.
    pub trace: TraceId,
    /// The span that led to it.
    pub span: SpanId,
}

/// A text that is no `traceparent`; it is ignored, as the standard asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a W3C traceparent")]
pub struct NotATraceParent;

impl TraceId {
    /// The case's own trace. The nil UUID, which no case has, would be no trace.
    pub fn of(case: CaseId) -> Self {
        Self(case.0.as_u128().max(1))
    }

    /// As bytes, highest first.
    pub fn to_bytes(self) -> [u8; 16] {
        self.0.to_be_bytes()
    }
}

impl SpanId {
    /// A span that nobody refers to, named by chance.
    pub fn by_chance(chance: u64) -> Self {
        Self(chance.max(1))
    }

    /// As bytes, highest first.
    pub fn to_bytes(self) -> [u8; 8] {
        self.0.to_be_bytes()
    }

    /// The submission: the trace's first span.
    pub fn intake(case: CaseId) -> Self {
        Self::named("intake", &[case.0], 0)
    }

    /// The intake of what came later: a correction, a withdrawal.
    pub fn later_intake(request: RequestId) -> Self {
        Self::named("later-intake", &[request.0], 0)
    }

    /// The decision that led to events, named by the first of them.
    pub fn decide(first: EventId) -> Self {
        Self::named("decide", &[first.0], 0)
    }

    /// An event made durable.
    pub fn append(event: EventId) -> Self {
        Self::named("append", &[event.0], 0)
    }

    /// An attempt to forward.
    pub fn forward(request: RequestId, attempt: u64) -> Self {
        Self::named("forward", &[request.0], attempt)
    }

    /// The adapter made it durable.
    pub fn take_in(request: RequestId) -> Self {
        Self::named("take-in", &[request.0], 0)
    }

    /// The office took it.
    pub fn office(request: RequestId) -> Self {
        Self::named("office", &[request.0], 0)
    }

    /// An attempt to report.
    pub fn report(report: ReportId, attempt: u64) -> Self {
        Self::named("report", &[report.0], attempt)
    }

    /// The hub took the report.
    pub fn report_intake(report: ReportId) -> Self {
        Self::named("report-intake", &[report.0], 0)
    }

    /// The national system confirmed the result.
    pub fn feedback(case: CaseId) -> Self {
        Self::named("feedback", &[case.0], 0)
    }

    /// The first eight bytes of a hash: as good as chance, and the same every time.
    fn named(hop: &str, ids: &[Uuid], number: u64) -> Self {
        let mut hash = Sha256::new();
        hash.update(b"hub.span.v1\0");
        hash.update(hop);
        hash.update([0]);
        ids.iter().for_each(|it| hash.update(it.as_bytes()));
        hash.update(number.to_be_bytes());
        let [a, b, c, d, e, f, g, h, ..] = <[u8; 32]>::from(hash.finalize());
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]).max(1))
    }
}

impl TraceParent {
    /// In the case's own trace, below `span`.
    pub fn of(case: CaseId, span: SpanId) -> Self {
        Self { trace: TraceId::of(case), span }
    }

    /// What a header says, if it says it once and well.
    pub fn read<'a>(mut given: impl Iterator<Item = &'a str>) -> Option<Self> {
        match (given.next(), given.next()) {
            (Some(only), None) => only.parse().ok(),
            _ => None,
        }
    }

    /// The parent span that a message of this case names. Another trace's is nobody's parent here.
    pub fn parent_in(self, case: CaseId) -> Option<SpanId> {
        (self.trace == TraceId::of(case)).then_some(self.span)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for TraceParent {
    /// Always sampled: one case is one trace, and whoever wants fewer drops whole traces at the collector.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{}-{}-01", self.trace, self.span)
    }
}

impl FromStr for TraceParent {
    type Err = NotATraceParent;

    /// Version 00 exactly; of a later version what version 00 knows of it.
    fn from_str(text: &str) -> Result<Self, NotATraceParent> {
        let mut parts = text.split('-');
        let mut next = |length: usize| {
            let part = parts.next().filter(|it| it.len() == length && is_hexadecimal(it));
            part.ok_or(NotATraceParent)
        };
        let (version, trace, span, _flags) = (next(2)?, next(32)?, next(16)?, next(2)?);
        let ends_here = parts.next().is_none();
        if version == "ff" || (version == "00" && !ends_here) {
            return Err(NotATraceParent);
        }
        let trace = u128::from_str_radix(trace, 16).map_err(|_| NotATraceParent)?;
        let span = u64::from_str_radix(span, 16).map_err(|_| NotATraceParent)?;
        if trace == 0 || span == 0 {
            return Err(NotATraceParent);
        }
        Ok(Self { trace: TraceId(trace), span: SpanId(span) })
    }
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|it| it.is_ascii_digit() || (b'a'..=b'f').contains(&it))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    #[test]
    fn what_is_written_is_read_and_what_is_none_is_ignored() {
        let good = format!("00-{TRACE}-{SPAN}-00");
        let read: TraceParent = good.parse().unwrap();
        assert_eq!(read.to_string(), format!("00-{TRACE}-{SPAN}-01"));
        assert_eq!(format!("01-{TRACE}-{SPAN}-01-more").parse(), Ok(read), "a later version");
        for bad in [
            String::new(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
            format!("00-{TRACE}-+{}-01", &SPAN[1..]),
            format!("00-{TRACE}-{SPAN}-1"),
            format!(" 00-{TRACE}-{SPAN}-01"),
            format!("00-{TRACE}-{SPAN}-张三"),
        ] {
            assert_eq!(bad.parse::<TraceParent>(), Err(NotATraceParent), "{bad}");
        }
    }

    #[test]
    fn a_header_that_is_given_twice_is_none() {
        let good = format!("00-{TRACE}-{SPAN}-00");
        assert!(TraceParent::read([good.as_str()].into_iter()).is_some());
        assert!(TraceParent::read([good.as_str(), good.as_str()].into_iter()).is_none());
        assert!(TraceParent::read([].into_iter()).is_none());
    }

    #[test]
    fn a_case_is_one_trace_and_each_hop_has_its_own_span_every_time() {
        let case = CaseId(Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001));
        let request = RequestId(case.0);
        let (event, report) = (EventId(case.0), ReportId(case.0));
        assert_eq!(TraceId::of(case).to_string(), case.0.simple().to_string());
        let spans = || {
            [
                SpanId::intake(case),
                SpanId::later_intake(request),
                SpanId::decide(event),
                SpanId::append(event),
                SpanId::forward(request, 1),
                SpanId::forward(request, 2),
                SpanId::take_in(request),
                SpanId::office(request),
                SpanId::report(report, 1),
                SpanId::report_intake(report),
                SpanId::feedback(case),
            ]
        };
        assert_eq!(spans(), spans());
        let different: std::collections::HashSet<SpanId> = spans().into_iter().collect();
        assert_eq!(different.len(), spans().len(), "even where all ids are the same");
        // Stands in traces that are kept for years: changed, it would cut them in two.
        assert_eq!(SpanId::intake(case).to_string(), "1d15cd87d0a6d6be");
    }

    #[test]
    fn a_header_of_another_trace_has_no_say() {
        let case = CaseId(Uuid::from_u128(7));
        let own = TraceParent::of(case, SpanId::intake(case));
        assert_eq!(own.parent_in(case), Some(SpanId::intake(case)));
        assert_eq!(own.parent_in(CaseId(Uuid::from_u128(8))), None);
    }
}
