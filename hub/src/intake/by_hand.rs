//! What the broker delivered and nobody answered is read by hand, as bytes that nobody has interpreted.
//!
//! A province chooses the header bytes of its messages, and the client library interprets them before
//! we do: it takes a status line for the broker's own word and swallows the message, and for bytes it
//! cannot read it gives up the connection. Either would come back for ever. Here such a message is
//! asked for by its number, in an answer that no stored byte can spoil, and answered for good.

use std::str::FromStr as _;

use async_nats::header::HeaderName;
use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::response::Response;
use async_nats::jetstream::{self, AckKind, ErrorCode};
use async_nats::{HeaderMap, HeaderValue};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use events::ids::ProvinceCode;
use events::subjects;
use serde::Deserialize;
use tracing::debug;

use crate::intake::reports::Message;

/// First line of the headers of a message that is one. Whatever follows on it is a status.
const VERSION_LINE: &str = "NATS/1.0";

/// A message as it lies in the stream, and where to answer for it.
pub(super) struct ByHand {
    /// What the desk judges.
    pub(super) message: Message,
    /// The subject on which the broker takes its acknowledgement.
    acknowledge: String,
}

#[derive(Deserialize)]
struct Looked {
    message: Stored,
}

#[derive(Deserialize)]
struct Stored {
    subject: String,
    seq: u64,
    #[serde(default)]
    hdrs: String,
    #[serde(default)]
    data: String,
}

/// All that was delivered and not answered, oldest first; at most as many as the consumer may have
/// under way. Reading changes nothing: what is not answered for is delivered again.
pub(super) async fn unanswered(
    jetstream: &jetstream::Context,
    consumer: &mut Consumer<pull::Config>,
    province: ProvinceCode,
) -> Result<Vec<ByHand>, async_nats::Error> {
    let info = consumer.info().await?;
    if info.num_ack_pending == 0 {
        return Ok(Vec::new());
    }
    let (mut next, last) = (info.ack_floor.stream_sequence + 1, info.delivered.stream_sequence);
    let stream = subjects::report_stream(province);
    let mut found = Vec::with_capacity(info.num_ack_pending);
    // The stream forgets what was acknowledged, so what is met here is what was not.
    while next <= last {
        let Some(stored) = look(jetstream, &stream, next).await? else { break };
        if stored.seq < next || stored.seq > last {
            break;
        }
        next = stored.seq + 1;
        found.push(ByHand { acknowledge: acknowledge(&stream, stored.seq), message: raw(stored) });
    }
    Ok(found)
}

/// The first message at `from` or behind it.
async fn look(
    jetstream: &jetstream::Context,
    stream: &str,
    from: u64,
) -> Result<Option<Stored>, async_nats::Error> {
    let asked = serde_json::json!({ "seq": from, "next_by_subj": ">" });
    match jetstream.request(format!("STREAM.MSG.GET.{stream}"), &asked).await? {
        Response::Ok(Looked { message }) => Ok(Some(message)),
        Response::Err { error } if error.error_code() == ErrorCode::NO_MESSAGE_FOUND => Ok(None),
        Response::Err { error } => Err(error.into()),
    }
}

/// The broker looks only at the stream, the consumer and the message's number; it knows the rest.
fn acknowledge(stream: &str, sequence: u64) -> String {
    format!("$JS.ACK.{stream}.{}.1.{sequence}.{sequence}.0.0", subjects::REPORT_CONSUMER)
}

fn raw(stored: Stored) -> Message {
    let (heading, payload) = (BASE64.decode(&stored.hdrs), BASE64.decode(&stored.data));
    let payload = payload.unwrap_or_default();
    match heading.as_deref().map(headers) {
        Ok(Some(headers)) => Message {
            subject: stored.subject,
            headers: Some(headers),
            headers_readable: true,
            payload: payload.into(),
        },
        _ => {
            // What was said in the headers is all that there may be to show.
            let mut kept = heading.unwrap_or_default();
            kept.extend_from_slice(&payload);
            let headers_readable = false;
            Message {
                subject: stored.subject,
                headers: None,
                headers_readable,
                payload: kept.into(),
            }
        }
    }
}

/// The headers of a plain message; nothing for a status, or for what is not one name and value a line.
fn headers(heading: &[u8]) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    if heading.is_empty() {
        return Some(headers);
    }
    let mut lines = std::str::from_utf8(heading).ok()?.lines();
    if lines.next()?.trim_end() != VERSION_LINE {
        return None;
    }
    for line in lines.filter(|it| !it.is_empty()) {
        let (name, value) = line.split_once(':')?;
        let value = HeaderValue::from_str(value.trim()).ok()?;
        headers.append(HeaderName::from_str(name).ok()?, value);
    }
    Some(headers)
}

impl ByHand {
    /// Whether no client could have read it, so that it is nowhere else under way.
    pub(super) fn is_unreadable(&self) -> bool {
        !self.message.headers_readable
    }
}

/// Answers for it. Unconfirmed, it is delivered again.
pub(super) async fn answer(jetstream: jetstream::Context, it: ByHand, kind: AckKind) {
    let told = jetstream.client().request(it.acknowledge, kind.into()).await;
    if told.is_err() {
        debug!(kind = ?kind, "an acknowledgement by hand was not confirmed");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_name_and_value_a_line_and_no_status_are_headers() {
        for good in ["", "NATS/1.0\r\n\r\n", "NATS/1.0\r\nSignature: a..b\r\nX:\r\n\r\n"] {
            assert!(headers(good.as_bytes()).is_some(), "{good:?}");
        }
        let read = headers(b"NATS/1.0\r\nSignature: a..b\r\nSignature:c\r\n\r\n").unwrap();
        let read: Vec<_> = read.get_all(subjects::SIGNATURE_HEADER).map(|it| it.as_str()).collect();
        assert_eq!(read, ["a..b", "c"]);
        for bad in [
            &b"NATS/1.0 503\r\n\r\n"[..],
            b"NATS/1.0 100 Idle Heartbeat\r\n\r\n",
            b"NATS/1.0 409 Consumer Deleted\r\n\r\n",
            b"NATS/1.0503\r\n\r\n",
            b"HTTP/1.1 200\r\n\r\n",
            b"\r\n\r\n",
            b"NATS/1.0\r\nX: \xff\xfe\r\n\r\n",
            b"NATS/1.0\r\nno colon\r\n\r\n",
        ] {
            assert!(headers(bad).is_none(), "{:?}", String::from_utf8_lossy(bad));
        }
    }
}
