//! The accept loop of the office's API and of the page, with a limit on everything a caller can hold open. The hub has
//! one of its own; the two sides share no code but the contract.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::ServiceExt as _;
use tracing::warn;

use super::problem::Problem;
use super::settings::Settings;

/// Header fields of one request.
const HEADER_FIELDS_MAX: usize = 64;
/// Request line and header fields together.
const HEADER_BYTES_MAX: usize = 16 * 1024;
/// How long the loop rests when the machine has no file handle left.
const ACCEPT_REST: Duration = Duration::from_millis(100);

pub(crate) async fn serve(listener: Arc<TcpListener>, app: Router, bounds: Bounds) {
    let seats = Arc::new(Semaphore::new(bounds.connections_max));
    // Dropped with this future: nobody is answered by an adapter that has stopped.
    let mut open = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => match Arc::clone(&seats).try_acquire_owned() {
                    Ok(seat) => {
                        let app = app.clone();
                        open.spawn(async move {
                            converse(stream, app, bounds).await;
                            drop(seat);
                        });
                    }
                    // The connection is closed unanswered; the office asks again.
                    Err(_) => warn!(size = bounds.connections_max, "too many connections"),
                },
                Err(_) => tokio::time::sleep(ACCEPT_REST).await,
            },
            Some(_ended) = open.join_next(), if !open.is_empty() => {}
        }
    }
}

/// How much one caller, and all of them, may hold open.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Connections at once.
    pub(crate) connections_max: usize,
    /// For the whole header of a request.
    pub(crate) header_read: Duration,
    /// For an answer.
    pub(crate) request: Duration,
    /// How long a connection is kept.
    pub(crate) age_max: Duration,
}

impl Bounds {
    pub(super) fn of(settings: &Settings) -> Self {
        let waiting = settings.wait_max();
        Self {
            connections_max: settings.connections_max,
            header_read: Duration::from_millis(settings.header_read_ms),
            request: Duration::from_millis(settings.request_ms) + waiting,
            age_max: Duration::from_millis(settings.connection_age_ms_max),
        }
    }
}

/// One connection, from its first byte to its end.
async fn converse(stream: TcpStream, app: Router, bounds: Bounds) {
    // Answers are small and waited for; without this they would wait for more.
    let _still_works_without = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        let app = app.clone();
        async move { Ok::<_, std::convert::Infallible>(answer(app, request, bounds.request).await) }
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(bounds.header_read)
        .max_headers(HEADER_FIELDS_MAX)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    // What a caller sends wrongly, or never reads, ends its own connection only.
    let _ended = tokio::time::timeout(bounds.age_max, connection).await;
}

async fn answer(app: Router, request: hyper::Request<Incoming>, within: Duration) -> Response {
    let request: Request = request.map(axum::body::Body::new);
    match tokio::time::timeout(within, app.oneshot(request)).await {
        Ok(Ok(response)) => response,
        Ok(Err(never)) => match never {},
        Err(_late) => Problem::new("request-timeout").into_response(),
    }
}
