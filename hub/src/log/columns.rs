//! The columns are an index over the body. Here they are held against it, when writing and when reading.

use std::borrow::Cow;

use events::envelope::Envelope;
use events::wire::TYPE_PREFIX;
use serde::Deserialize;
use uuid::Uuid;

/// What a row says about its body, besides where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    /// The event's id.
    pub event_id: Uuid,
    /// The stream's name.
    pub stream: &'a str,
    /// The type, without the common prefix.
    pub kind: &'a str,
    /// Who caused it.
    pub actor: &'a str,
}

/// The part of a body that has columns. The rest is only skipped over.
#[derive(Deserialize)]
struct BodyHead<'a> {
    id: Uuid,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    subject: Cow<'a, str>,
}

/// What contradicts the body, if anything does.
pub fn contradiction(columns: &Columns<'_>, body: &[u8]) -> Option<&'static str> {
    let Ok(head) = serde_json::from_slice::<BodyHead<'_>>(body) else {
        return Some("the body is not a recorded event");
    };
    if head.id != columns.event_id {
        return Some("the event id is not the body's");
    }
    if head.subject != columns.stream {
        return Some("the stream is not the body's");
    }
    if head.kind.strip_prefix(TYPE_PREFIX) != Some(columns.kind) {
        return Some("the kind is not the body's");
    }
    (head.source != columns.actor).then_some("the actor is not the body's")
}

/// The same for a body that was read already.
pub(crate) fn contradiction_of(columns: &Columns<'_>, envelope: &Envelope) -> Option<&'static str> {
    if envelope.id.0 != columns.event_id {
        return Some("the event id is not the body's");
    }
    if envelope.stream.written(&mut [0; 41]) != columns.stream {
        return Some("the stream is not the body's");
    }
    if envelope.event.kind() != columns.kind {
        return Some("the kind is not the body's");
    }
    (!envelope.actor.is_written(columns.actor)).then_some("the actor is not the body's")
}
