//! A hop as OpenTelemetry has it. Its names are given, not drawn: they are the same in every program.

use std::time::SystemTime;

use events::trace::{Attribute, Hop, HopKind, SpanId, TraceId};
use opentelemetry::trace::{
    Link, SpanContext, SpanId as OtelSpanId, SpanKind, Status, TraceFlags, TraceId as OtelTraceId,
    TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

/// The span of a hop.
pub(crate) fn of(hop: Hop) -> SpanData {
    let mut attributes = vec![KeyValue::new("case.id", hop.case.to_string())];
    attributes.extend(hop.attributes.iter().map(|it| KeyValue::new(it.name(), value(it))));
    let mut links = SpanLinks::default();
    links.links.extend(hop.link.map(|it| Link::with_context(context(it.trace, it.span, true))));
    SpanData {
        span_context: context(hop.trace(), hop.span, false),
        parent_span_id: hop.parent.map_or(OtelSpanId::INVALID, span_id),
        parent_span_is_remote: hop.parent_is_remote,
        span_kind: kind(hop.kind),
        name: hop.name.into(),
        start_time: SystemTime::from(hop.began),
        end_time: SystemTime::from(hop.ended.max(hop.began)),
        attributes,
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links,
        status: if hop.failed { Status::error("") } else { Status::Unset },
        instrumentation_scope: InstrumentationScope::builder("hub.hops").build(),
    }
}

fn context(trace: TraceId, span: SpanId, is_remote: bool) -> SpanContext {
    let trace = OtelTraceId::from_bytes(trace.to_bytes());
    SpanContext::new(trace, span_id(span), TraceFlags::SAMPLED, is_remote, TraceState::NONE)
}

fn span_id(span: SpanId) -> OtelSpanId {
    OtelSpanId::from_bytes(span.to_bytes())
}

fn kind(kind: HopKind) -> SpanKind {
    match kind {
        HopKind::Server => SpanKind::Server,
        HopKind::Client => SpanKind::Client,
        HopKind::Producer => SpanKind::Producer,
        HopKind::Consumer => SpanKind::Consumer,
        HopKind::Internal => SpanKind::Internal,
    }
}

fn value(attribute: &Attribute) -> Value {
    let number = |it: u64| Value::I64(i64::try_from(it).unwrap_or(i64::MAX));
    match attribute {
        Attribute::Province(it) => it.to_string().into(),
        Attribute::Client(it) => it.clone().into(),
        Attribute::Request(it) => it.to_string().into(),
        Attribute::Report(it) => it.to_string().into(),
        Attribute::Event(it) => it.to_string().into(),
        Attribute::EventType(it)
        | Attribute::Work(it)
        | Attribute::News(it)
        | Attribute::Outcome(it) => (*it).into(),
        Attribute::Position(it) | Attribute::Attempt(it) | Attribute::BatchEvents(it) => {
            number(*it)
        }
    }
}
