//! The way out to the broker. What it says about a message paces the next try and decides nothing.

use std::future::Future;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream;
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;
use events::trace::{SpanId, TraceParent};
use events::{subjects, wire};
use futures::StreamExt as _;

/// Messages whose acknowledgement is awaited at the same time.
pub const PUBLISH_WINDOW: usize = 256;
/// After this long without an acknowledgement the outcome is unknown.
pub const ACKNOWLEDGEMENT_WAIT_MAX: Duration = Duration::from_secs(5);

/// A signed message on its way to a province.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Where to.
    pub subject: String,
    /// For the broker's deduplication, which is a courtesy: new for every attempt.
    pub message_id: String,
    /// The hub's detached JWS over `payload`.
    pub signature: String,
    /// Where it stands in the trace of its case, if it belongs to one.
    pub trace: Option<Trace>,
    /// The exact bytes that are signed.
    pub payload: Bytes,
}

/// A message's place in a case's trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trace {
    /// Its own span: what the adapter's spans go back to.
    pub own: TraceParent,
    /// What it goes back to itself.
    pub cause: SpanId,
}

/// Why the broker did not say that it has a message.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// It was not sent: there is no connection now.
    #[error("there is no connection to the broker")]
    NotConnected,
    /// It may arrive, and may have arrived: nobody said so in time.
    #[error("the broker did not answer within {} s", ACKNOWLEDGEMENT_WAIT_MAX.as_secs())]
    Unknown,
    /// The broker would not take it, e.g. because the stream is gone or full.
    #[error("the broker did not take the message")]
    NotTaken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// What carries messages to the provinces. A simulation has its own.
pub trait Connector: Send + Sync + 'static {
    /// Sends all of them, pipelined, and answers in order. A `Ok` means that the pipe has it: no more.
    fn publish(
        &self,
        messages: Vec<Outgoing>,
    ) -> impl Future<Output = Vec<Result<(), PublishError>>> + Send;
}

impl<C: Connector> Connector for std::sync::Arc<C> {
    fn publish(
        &self,
        messages: Vec<Outgoing>,
    ) -> impl Future<Output = Vec<Result<(), PublishError>>> + Send {
        self.as_ref().publish(messages)
    }
}

/// Over JetStream.
#[derive(Debug, Clone)]
pub struct JetStreamConnector {
    jetstream: jetstream::Context,
}

impl JetStreamConnector {
    /// Publishes with `jetstream`.
    pub fn new(jetstream: jetstream::Context) -> Self {
        Self { jetstream }
    }

    async fn publish_one(&self, message: Outgoing) -> Result<(), PublishError> {
        // Without a connection the client would keep the message and send it some day, when nobody
        // waits for it any more. The outbox keeps it better.
        if self.jetstream.client().connection_state() != State::Connected {
            return Err(PublishError::NotConnected);
        }
        let sent = async {
            let subject = message.subject.clone();
            let acknowledged = self.jetstream.send_publish(subject, outbound(message)).await?;
            acknowledged.await.map(|_stored| ())
        };
        match tokio::time::timeout(ACKNOWLEDGEMENT_WAIT_MAX, sent).await {
            Err(_elapsed) => Err(PublishError::Unknown),
            Ok(Err(error)) if error.kind() == jetstream::context::PublishErrorKind::TimedOut => {
                Err(PublishError::Unknown)
            }
            Ok(Err(error)) => Err(PublishError::NotTaken(Box::new(error))),
            Ok(Ok(())) => Ok(()),
        }
    }
}

fn outbound(message: Outgoing) -> PublishMessage {
    let publish = PublishMessage::build()
        .header(subjects::SIGNATURE_HEADER, message.signature.as_str())
        .header("Content-Type", wire::CONTENT_TYPE)
        .message_id(&message.message_id)
        .expected_stream(subjects::WORK_STREAM)
        .payload(message.payload);
    match message.trace {
        Some(trace) => publish.header(subjects::TRACE_HEADER, trace.own.to_string()),
        None => publish,
    }
}

impl Connector for JetStreamConnector {
    async fn publish(&self, messages: Vec<Outgoing>) -> Vec<Result<(), PublishError>> {
        let sending = messages.into_iter().map(|it| self.publish_one(it));
        futures::stream::iter(sending).buffered(PUBLISH_WINDOW).collect().await
    }
}
