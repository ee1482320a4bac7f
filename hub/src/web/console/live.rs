//! "Look again", for a browser: at most once a second, with the position that the views have reached.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Extension, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use futures::Stream;
use tokio::sync::OwnedSemaphorePermit;

use crate::listen::Line;
use crate::problem::Problem;
use crate::views::reader::ViewReader;
use crate::wake::Ear;
use crate::web::Rooms;

/// How often a page is told to look again at most: the promise is one second from commit to screen.
const STEP: Duration = Duration::from_millis(400);
/// How long nothing may be said.
const HEARTBEAT: Duration = Duration::from_secs(15);
/// What a browser waits before it comes again when the line is lost, in milliseconds.
const AGAIN_MS: u32 = 1_500;

pub(super) async fn open(
    State(rooms): State<Rooms>,
    line: Option<Extension<Line>>,
) -> Result<Response, Problem> {
    let permit = rooms.onlookers.clone().try_acquire_owned();
    let place = permit.map_err(|_| Problem::new("busy").retry_after(5))?;
    let ear = rooms.viewed.listen();
    let teller = Teller { views: rooms.views, ear, said: None, place, line: line.map(|it| it.0) };
    let kind = [
        (header::CONTENT_TYPE, "text/event-stream"),
        (header::HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    Ok((kind, Body::from_stream(teller.tell())).into_response())
}

struct Teller {
    views: ViewReader,
    ear: Ear,
    said: Option<u64>,
    line: Option<Line>,
    place: OwnedSemaphorePermit,
}

impl Teller {
    fn tell(self) -> impl Stream<Item = Result<Bytes, Infallible>> + Send {
        futures::stream::unfold(self, |mut teller| async move {
            let said = teller.next().await?;
            Some((Ok(said), teller))
        })
    }

    /// The next piece; nothing when the hub stops or the views cannot be read: the browser comes again.
    async fn next(&mut self) -> Option<Bytes> {
        let _held = &self.place;
        if self.said.is_some() {
            let closing = self.line.clone();
            let closed = async {
                match closing {
                    Some(line) => line.closing().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = async { self.ear.heard(HEARTBEAT).await; tokio::time::sleep(STEP).await } => {}
                () = closed => return None,
            }
        }
        let views = self.views.clone();
        let position = tokio::task::spawn_blocking(move || views.position()).await.ok()?.ok()?.0;
        let first = self.said.is_none();
        if self.said.replace(position) == Some(position) {
            return Some(Bytes::from_static(b": nothing new\n\n"));
        }
        let retry = if first { format!("retry: {AGAIN_MS}\n") } else { String::new() };
        Some(format!("{retry}id: {position}\nevent: look\ndata: {position}\n\n").into())
    }
}
