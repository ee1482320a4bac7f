//! CloudEvents 1.0 JSON in and out. The bytes written once are the bytes hashed and signed.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::case::CaseEvent;
use crate::envelope::{Actor, Envelope, Event};
use crate::feedback::Feedback;
use crate::ids::{EventId, ReportId, StreamName};
use crate::keeping::KeepingEvent;
use crate::province::ProvinceEvent;
use crate::reconcile::{Holdings, Inventory, Order};
use crate::reference::ReferenceEvent;
use crate::report::{Report, ReportMessage};
use crate::work::{Receipts, Work};

mod publicity;
mod straight;

pub use publicity::{statement_from_bytes, statement_to_bytes};

/// What every type begins with.
pub const TYPE_PREFIX: &str = "cn.gov.mot.hub.";
/// A message's `Content-Type`.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

/// A message that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Not a CloudEvents envelope, or a field of the wrong shape.
    #[error("cannot read a {what}")]
    Unreadable {
        /// What was expected.
        what: &'static str,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// A type that this program does not know: a newer hub wrote it.
    #[error("unknown type `{kind}`")]
    UnknownKind {
        /// The type.
        kind: String,
    },
    /// Two places of one message contradict each other.
    #[error("`{field}` contradicts the rest of the message")]
    Contradiction {
        /// Which place.
        field: &'static str,
    },
}

#[derive(Serialize)]
struct CloudEvent<'a> {
    specversion: Cow<'a, str>,
    id: Uuid,
    source: Cow<'a, str>,
    #[serde(rename = "type")]
    kind: Cow<'a, str>,
    subject: Cow<'a, str>,
    time: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    causedby: Option<Uuid>,
    datacontenttype: Cow<'a, str>,
    data: &'a RawValue,
}

/// The same when it is read: nothing is copied that stands in the bytes as it is.
#[derive(Deserialize)]
#[serde(bound(deserialize = "D: Deserialize<'de>"))]
struct Read<'a, D> {
    #[serde(borrow)]
    specversion: Cow<'a, str>,
    id: Uuid,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    subject: Cow<'a, str>,
    time: Timestamp,
    #[serde(default)]
    causedby: Option<Uuid>,
    #[serde(borrow, rename = "datacontenttype")]
    _datacontenttype: Cow<'a, str>,
    data: D,
}

impl<'a, D> Read<'a, D> {
    /// The envelope alone, and the data.
    fn split(self) -> (Read<'a, ()>, D) {
        let Self { specversion, id, source, kind, subject, time, causedby, _datacontenttype, data } =
            self;
        let envelope = Read {
            specversion,
            id,
            source,
            kind,
            subject,
            time,
            causedby,
            _datacontenttype,
            data: (),
        };
        (envelope, data)
    }
}

fn to_bytes(
    id: Uuid,
    source: &str,
    kind: &str,
    subject: &str,
    time: Timestamp,
    causedby: Option<Uuid>,
    data: Box<RawValue>,
) -> Vec<u8> {
    let event = CloudEvent {
        specversion: "1.0".into(),
        id,
        source: source.into(),
        kind: format!("{TYPE_PREFIX}{kind}").into(),
        subject: subject.into(),
        time,
        causedby,
        datacontenttype: "application/json".into(),
        data: &data,
    };
    serde_json::to_vec(&event).expect("plain structs with text keys always serialize")
}

fn read<'a, D: Deserialize<'a>>(
    bytes: &'a [u8],
    what: &'static str,
) -> Result<Read<'a, D>, WireError> {
    let event: Read<'a, D> =
        serde_json::from_slice(bytes).map_err(|source| WireError::Unreadable { what, source })?;
    if event.specversion != "1.0" {
        return Err(WireError::Contradiction { field: "specversion" });
    }
    Ok(event)
}

/// The body of an event, as the log stores and hashes it.
pub fn event_to_bytes(envelope: &Envelope) -> Vec<u8> {
    let data = match &envelope.event {
        Event::Case(it) => it.data_to_json(),
        Event::Province(it) => it.data_to_json(),
        Event::Reference(it) => it.data_to_json(),
        Event::Keeping(it) => it.data_to_json(),
    }
    .expect("plain structs with text keys always serialize");
    to_bytes(
        envelope.id.0,
        &envelope.actor.to_string(),
        envelope.event.kind(),
        &envelope.stream.to_string(),
        envelope.occurred_at,
        envelope.caused_by,
        data,
    )
}

/// Reads a body back. The sealed part and the evidence lie beside it and are not set here.
pub fn event_from_bytes(bytes: &[u8]) -> Result<Envelope, WireError> {
    if let Some(envelope) = straight::event(bytes) {
        return Ok(envelope);
    }
    // In another order, or wrong: here somebody finds out what it is.
    let it: Read<'_, &RawValue> = read(bytes, "recorded event")?;
    let stream: StreamName =
        it.subject.parse().map_err(|_| WireError::Contradiction { field: "subject" })?;
    Ok(Envelope {
        id: EventId(it.id),
        stream,
        occurred_at: it.time,
        actor: it.source.parse().map_err(|_| WireError::Contradiction { field: "source" })?,
        caused_by: it.causedby,
        event: event_of(&it.kind, it.data.get(), stream)?,
        sealed: None,
        evidence: None,
    })
}

fn event_of(kind: &str, data: &str, stream: StreamName) -> Result<Event, WireError> {
    let unknown = || WireError::UnknownKind { kind: kind.chars().take(128).collect() };
    let short = kind.strip_prefix(TYPE_PREFIX).ok_or_else(unknown)?;
    let read = match stream {
        StreamName::Case(_) => CaseEvent::from_json(short, data).map(|it| it.map(Event::Case)),
        StreamName::Province(_) => {
            ProvinceEvent::from_json(short, data).map(|it| it.map(Event::Province))
        }
        StreamName::Reference => {
            ReferenceEvent::from_json(short, data).map(|it| it.map(Event::Reference))
        }
        StreamName::Keeping => {
            KeepingEvent::from_json(short, data).map(|it| it.map(Event::Keeping))
        }
    };
    read.ok_or_else(unknown)?
        .map_err(|source| WireError::Unreadable { what: "recorded event's data", source })
}

/// A report as an adapter sends it.
pub fn report_to_bytes(message: &ReportMessage) -> Vec<u8> {
    let report = &message.report;
    let data = serde_json::value::to_raw_value(report).expect("plain structs always serialize");
    let kind = format!("report.{}.v1", report.news.token());
    let source = format!("province:{}", report.province);
    to_bytes(
        message.id.0,
        &source,
        &kind,
        &format!("case-{}", report.case),
        message.occurred_at,
        None,
        data,
    )
}

/// Reads a report and checks that its envelope and its data agree.
pub fn report_from_bytes(bytes: &[u8]) -> Result<ReportMessage, WireError> {
    // Once over the bytes if all is well. If not, the envelope says what is wrong before the data does.
    if str::from_utf8(bytes).is_ok()
        && let Ok(it) = read::<Report>(bytes, "report")
    {
        let (it, report) = it.split();
        return agreeing(&it, report);
    }
    let (it, data) = read::<&RawValue>(bytes, "report")?.split();
    token(&it)?;
    let report = serde_json::from_str(data.get())
        .map_err(|source| WireError::Unreadable { what: "report's data", source })?;
    agreeing(&it, report)
}

/// What the type says the news is.
fn token<'a>(it: &'a Read<'_, ()>) -> Result<&'a str, WireError> {
    it.kind
        .strip_prefix(TYPE_PREFIX)
        .and_then(|it| it.strip_prefix("report."))
        .and_then(|it| it.strip_suffix(".v1"))
        .filter(|it| crate::report::News::TOKENS.contains(it))
        .ok_or_else(|| WireError::UnknownKind { kind: it.kind.chars().take(128).collect() })
}

fn agreeing(it: &Read<'_, ()>, report: Report) -> Result<ReportMessage, WireError> {
    let fits =
        |fits: bool, field| if fits { Ok(()) } else { Err(WireError::Contradiction { field }) };
    fits(report.news.token() == token(it)?, "type")?;
    fits(Actor::Province(report.province).is_written(&it.source), "source")?;
    fits(it.subject == StreamName::Case(report.case).written(&mut [0; 41]), "subject")?;
    Ok(ReportMessage { id: ReportId(it.id), occurred_at: it.time, report })
}

/// Work as the hub sends it. `id` is the message's own, new for every attempt.
pub fn work_to_bytes(id: Uuid, time: Timestamp, work: &Work) -> Vec<u8> {
    let data = serde_json::value::to_raw_value(work).expect("plain structs always serialize");
    let kind = format!("work.{}.v1", work.kind.token());
    to_bytes(id, "hub", &kind, &format!("case-{}", work.case), time, None, data)
}

/// Receipts as the hub sends them.
pub fn receipts_to_bytes(id: Uuid, time: Timestamp, receipts: &Receipts) -> Vec<u8> {
    let data = serde_json::value::to_raw_value(receipts).expect("plain structs always serialize");
    to_bytes(id, "hub", "receipts.v1", &format!("province-{}", receipts.province), time, None, data)
}

/// An order to compare, as the hub sends it.
pub fn order_to_bytes(id: Uuid, time: Timestamp, order: &Order) -> Vec<u8> {
    let data = serde_json::value::to_raw_value(order).expect("plain structs always serialize");
    to_bytes(id, "hub", "reconcile.v1", &format!("province-{}", order.province), time, None, data)
}

/// An inventory as an adapter sends it; `id` names it.
pub fn inventory_to_bytes(id: Uuid, time: Timestamp, inventory: &Inventory) -> Vec<u8> {
    let data = serde_json::value::to_raw_value(inventory).expect("plain structs always serialize");
    let province = inventory.province;
    let (source, subject) = (format!("province:{province}"), format!("province-{province}"));
    to_bytes(id, &source, "inventory.v1", &subject, time, None, data)
}

/// A list as an adapter sends it.
pub fn holdings_to_bytes(id: Uuid, time: Timestamp, holdings: &Holdings) -> Vec<u8> {
    let data = serde_json::value::to_raw_value(holdings).expect("plain structs always serialize");
    let province = holdings.province;
    let (source, subject) = (format!("province:{province}"), format!("province-{province}"));
    to_bytes(id, &source, "holdings.v1", &subject, time, None, data)
}

/// What a province says about all of its cases at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Comparison {
    /// What it holds, day by day, and the inventory's name.
    Inventory(Uuid, Inventory),
    /// What it holds of one day.
    Holdings(Holdings),
}

/// Reads an inventory or a list, and checks that envelope and data agree.
pub fn comparison_from_bytes(bytes: &[u8]) -> Result<Comparison, WireError> {
    let it: Read<'_, &RawValue> = read(bytes, "comparison")?;
    let unreadable = |source| WireError::Unreadable { what: "comparison's data", source };
    let data = it.data.get();
    let (comparison, province) = match it.kind.strip_prefix(TYPE_PREFIX) {
        Some("inventory.v1") => {
            let inventory: Inventory = serde_json::from_str(data).map_err(unreadable)?;
            let province = inventory.province;
            (Comparison::Inventory(it.id, inventory), province)
        }
        Some("holdings.v1") => {
            let holdings: Holdings = serde_json::from_str(data).map_err(unreadable)?;
            let province = holdings.province;
            (Comparison::Holdings(holdings), province)
        }
        _ => return Err(WireError::UnknownKind { kind: it.kind.chars().take(128).collect() }),
    };
    if it.source != format!("province:{province}") {
        return Err(WireError::Contradiction { field: "source" });
    }
    if it.subject != format!("province-{province}") {
        return Err(WireError::Contradiction { field: "subject" });
    }
    Ok(comparison)
}

/// Feedback as the hub sends it. `id` is that of the event that ended the case: the same again is the same.
pub fn feedback_to_bytes(id: EventId, feedback: &Feedback) -> Vec<u8> {
    let data = serde_json::value::to_raw_value(feedback).expect("plain structs always serialize");
    let kind = format!("feedback.{}.v1", feedback.ending.token());
    to_bytes(
        id.0,
        "hub",
        &kind,
        &format!("case-{}", feedback.case),
        feedback.recorded_at,
        None,
        data,
    )
}

/// What the hub sends to a province.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // short-lived; boxed by nobody
pub enum ToProvince {
    /// Something to handle.
    Work(Work),
    /// Reports it may stop sending.
    Receipts(Receipts),
    /// What to compare, or to say again.
    Order(Order),
}

/// Reads what the hub sent.
pub fn to_province_from_bytes(bytes: &[u8]) -> Result<ToProvince, WireError> {
    let it: Read<'_, &RawValue> = read(bytes, "message of the hub")?;
    let data = it.data.get();
    let unreadable =
        |source| WireError::Unreadable { what: "data of a message of the hub", source };
    match it.kind.strip_prefix(TYPE_PREFIX) {
        Some("receipts.v1") => {
            serde_json::from_str(data).map(ToProvince::Receipts).map_err(unreadable)
        }
        Some("reconcile.v1") => {
            serde_json::from_str(data).map(ToProvince::Order).map_err(unreadable)
        }
        Some("work.case.v1" | "work.correction.v1" | "work.withdrawal.v1") => {
            let work: Work = serde_json::from_str(data).map_err(unreadable)?;
            if it.kind != format!("{TYPE_PREFIX}work.{}.v1", work.kind.token()) {
                return Err(WireError::Contradiction { field: "type" });
            }
            Ok(ToProvince::Work(work))
        }
        _ => Err(WireError::UnknownKind { kind: it.kind.chars().take(128).collect() }),
    }
}
