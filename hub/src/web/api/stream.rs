//! Every recorded event as it comes, from any position on. Whoever lost the line tells the last id and misses nothing.

use std::convert::Infallible;
use std::pin::Pin;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, Response, header};
use events::envelope::Position;
use futures::Stream;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::query;
use super::told::EventTold;
use crate::listen::Line;
use crate::log::Readers;
use crate::problem::Problem;
use crate::wake::Ear;
use crate::web::Rooms;

/// How many events are read and sent at once.
const BATCH_EVENTS: usize = 200;
/// How long nothing may be said before a comment says that the line is there.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// From where on, if the header does not say it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct From {
    after: Option<u64>,
}

pub(crate) async fn open(
    State(rooms): State<Rooms>,
    line: Option<Extension<Line>>,
    headers: HeaderMap,
    given: Result<Query<From>, QueryRejection>,
) -> Result<Response<Body>, Problem> {
    rooms.overseer(&headers)?;
    let asked = last_event_id(&headers)?.or(query(given)?.after);
    let permit = rooms.streams.clone().try_acquire_owned();
    let permit = permit.map_err(|_| Problem::new("busy").retry_after(5))?;
    // The ear is opened before the head is read, so that nothing is recorded in between unheard.
    let ear = rooms.wake.listen();
    let head = rooms.readers.read_aside(|log| log.head()).await?.map_or(0, |it| it.0.0);
    let after = asked.unwrap_or(head);
    if after > head {
        return Err(Problem::new("bad-parameter").detail("the log does not reach that position"));
    }
    let closing: Pin<Box<dyn Future<Output = ()> + Send>> = match line {
        Some(Extension(line)) => Box::pin(line.closing()),
        None => Box::pin(std::future::pending()),
    };
    let teller =
        Teller { readers: rooms.readers, after: Position(after), ear, closing, _place: permit };
    Response::builder()
        .header(header::CONTENT_TYPE, "text/event-stream")
        .header(header::CACHE_CONTROL, "no-store")
        .header("x-accel-buffering", "no")
        .body(Body::from_stream(teller.tell()))
        .map_err(|_| Problem::new("internal"))
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(given) = headers.get("last-event-id") else { return Ok(None) };
    let position = given.to_str().ok().and_then(|it| it.parse().ok());
    position.map(Some).ok_or_else(|| Problem::new("bad-parameter").detail("Last-Event-ID"))
}

struct Teller {
    readers: Readers,
    after: Position,
    ear: Ear,
    closing: Pin<Box<dyn Future<Output = ()> + Send>>,
    _place: OwnedSemaphorePermit,
}

impl Teller {
    fn tell(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        futures::stream::unfold(self, |mut teller| async move {
            let said = teller.next().await?;
            Some((Ok(said), teller))
        })
    }

    /// The next piece; nothing when the hub stops or cannot read: the caller comes again with its last id.
    async fn next(&mut self) -> Option<Bytes> {
        let mut waited = false;
        loop {
            let after = self.after;
            let read = self.readers.read_aside(move |log| log.read_all(after, BATCH_EVENTS)).await;
            let events = read.inspect_err(log_once).ok()?;
            if let Some(last) = events.last() {
                self.after = last.position;
                return Some(events.iter().map(|it| piece(&it.into())).collect::<String>().into());
            }
            if waited {
                return Some(format!(": as of {after}\n\n").into());
            }
            tokio::select! {
                () = self.ear.heard(HEARTBEAT) => waited = true,
                () = &mut self.closing => return None,
            }
        }
    }
}

fn log_once(error: &crate::log::ReadError) {
    tracing::error!(error = error as &dyn std::error::Error, "cannot read the log for a stream");
}

/// One event. JSON has no raw line breaks, so that one `data` line holds it.
fn piece(event: &EventTold) -> String {
    let data = serde_json::to_string(event).expect("plain structs always serialize");
    format!("id: {}\nevent: {}\ndata: {data}\n\n", event.position, event.kind)
}
