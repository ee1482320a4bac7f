//! Whether the hub lives, whether it can answer, what it counts, and what it can be asked.

use axum::extract::{RawQuery, State};
use axum::http::{HeaderName, StatusCode, header};
use axum::response::IntoResponse;
use axum::{Json, response::Response};
use serde::Serialize;

use crate::problem::Problem;
use crate::web::Rooms;

/// How far the views may be behind the log before the hub is not ready, in events. The views fold more
/// than 100,000 a second: this is a tenth of a second, and a busy hub is behind by a batch or two; with
/// a narrower bound a burst would take it out of service, with a wider one its pages would be old.
pub const READY_LAG_MAX: u64 = 10_000;

type Texts = ([(HeaderName, &'static str); 1], &'static str);

pub(crate) async fn live() -> Texts {
    ([(header::CONTENT_TYPE, "text/plain")], "live\n")
}

/// What was looked at.
#[derive(Debug, Serialize)]
pub struct Readiness {
    ready: bool,
    log_position: Option<u64>,
    views_position: Option<u64>,
    lag_events: Option<u64>,
}

pub(crate) async fn ready(State(rooms): State<Rooms>, RawQuery(query): RawQuery) -> Response {
    let told = look(&rooms).await;
    let status = if told.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let verbose = query.is_some_and(|it| it == "verbose" || it.starts_with("verbose="));
    if verbose {
        return (status, Json(told)).into_response();
    }
    (status, if told.ready { "ready\n" } else { "not ready\n" }).into_response()
}

async fn look(rooms: &Rooms) -> Readiness {
    let head = rooms.readers.read_aside(|log| log.head()).await.map_err(Problem::from);
    let log = head.ok().map(|it| it.map_or(0, |it| it.0.0));
    let views = rooms.aside(|views| views.position()).await.ok().map(|it| it.0);
    let lag_events = log.zip(views).map(|(log, views)| log.saturating_sub(views));
    let ready = lag_events.is_some_and(|it| it <= READY_LAG_MAX);
    Readiness { ready, log_position: log, views_position: views, lag_events }
}

pub(crate) async fn metrics(State(rooms): State<Rooms>) -> impl IntoResponse {
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, content_type)], rooms.metrics.render())
}

pub(crate) async fn openapi() -> Texts {
    let document = include_str!("../../../../schemas/v1/openapi.json");
    ([(header::CONTENT_TYPE, "application/json")], document)
}
