//! What stands around a message's bytes, in and out. None of it is signed, so none of it decides anything
//! but whose signature is looked for.

use async_nats::HeaderMap;
use async_nats::jetstream::Message;
use async_nats::jetstream::message::PublishMessage;
use events::subjects;
use events::trace::{SpanId, TraceParent};

use crate::inbox::Letter;
use crate::keys::Identity;
use crate::outbox::Parcel;

/// A message of the hub as the inbox looks at it.
pub(crate) fn letter(message: &Message) -> Letter {
    let signature = message
        .headers
        .as_ref()
        .and_then(|it| it.get(subjects::SIGNATURE_HEADER))
        .map(|it| it.as_str().to_owned());
    let redelivered = message.info().is_ok_and(|it| it.delivered > 1);
    let trace = message.headers.as_ref().and_then(traceparent);
    Letter { body: message.payload.clone(), signature, redelivered, trace }
}

/// A report as it goes out: the trace is its case's, the span this attempt's.
pub(crate) fn message(identity: &Identity, parcel: &Parcel) -> PublishMessage {
    let signature = identity.current_signature(&parcel.body, &parcel.signature);
    let trace = TraceParent::of(parcel.case, SpanId::report(parcel.report, parcel.attempt));
    PublishMessage::build()
        .payload(parcel.body.clone().into())
        .header(subjects::MESSAGE_ID_HEADER, parcel.message_id.as_str())
        .header(subjects::SIGNATURE_HEADER, signature)
        .header(subjects::TRACE_HEADER, trace.to_string())
        .header("Content-Type", events::wire::CONTENT_TYPE)
}

fn traceparent(headers: &HeaderMap) -> Option<TraceParent> {
    TraceParent::read(headers.get_all(subjects::TRACE_HEADER).map(|it| it.as_str()))
}
