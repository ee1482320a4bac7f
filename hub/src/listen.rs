//! The accept loop, with a limit on everything a caller can hold open. It knows nothing about cases.

mod connections;
mod patient;
#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, Method, Response};
use axum::response::IntoResponse;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Deserialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

use crate::problem::{Problem, REQUEST_ID, SaidCode};
use crate::telemetry::RequestIds;
use connections::{Connections, Seat};
use patient::Patient;

/// Everything a caller can hold open, and how long.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ListenConfig {
    /// Request line and header fields together.
    pub header_bytes_max: usize,
    /// How many header fields.
    pub header_fields_max: usize,
    /// From the first moment to the last byte of the header; an idle connection is closed after it, too.
    pub header_read_ms: u64,
    /// A request's body.
    pub body_bytes_max: usize,
    /// From the first to the last byte of the body.
    pub body_read_ms: u64,
    /// From the header's last byte to the answer's first; a stream of events may go on.
    pub request_ms: u64,
    /// How long a caller may leave us waiting to write.
    pub write_stall_ms: u64,
    /// From everywhere.
    pub connections_max: usize,
    /// From one address.
    pub connections_per_address_max: usize,
    /// From this machine itself: raised for load tests.
    pub connections_loopback_max: usize,
    /// How long those that are being answered may take when the hub stops.
    pub shutdown_ms: u64,
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self {
            header_bytes_max: 16 * 1024,
            header_fields_max: 64,
            header_read_ms: 10_000,
            body_bytes_max: 256 * 1024,
            body_read_ms: 15_000,
            request_ms: 30_000,
            write_stall_ms: 30_000,
            connections_max: 1_024,
            connections_per_address_max: 64,
            connections_loopback_max: 64,
            shutdown_ms: 20_000,
        }
    }
}

/// How much of a body that is too large is read on, so that the caller hears the answer, in bytes.
const DRAINED_BYTES_MAX: usize = 1024 * 1024;
/// How long the loop rests when the machine has no file handle left, in milliseconds.
const ACCEPT_REST_MS: u64 = 100;

/// What a handler may know about its connection.
#[derive(Debug, Clone)]
pub struct Line {
    body_bytes_max: usize,
    body_read: Duration,
    closing: watch::Receiver<bool>,
}

impl Line {
    /// Resolves when the hub stops: an endless answer ends then.
    pub async fn closing(mut self) {
        // A loop that is gone has closed, too.
        let _gone = self.closing.wait_for(|it| *it).await;
    }
}

/// Where a connection comes from. Behind a gateway it is the gateway.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub std::net::IpAddr);

struct Shared {
    app: Router,
    config: ListenConfig,
    ids: RequestIds,
    line: Line,
}

/// Answers callers until `stop` resolves; then lets those in hand finish, within the bound.
pub async fn serve(
    listener: TcpListener,
    app: Router,
    config: ListenConfig,
    stop: impl Future<Output = ()>,
) {
    let (close, closing) = watch::channel(false);
    let seats = Connections::new(&config);
    let body_read = Duration::from_millis(config.body_read_ms);
    let line = Line { body_bytes_max: config.body_bytes_max, body_read, closing };
    let app = app
        .fallback(|| async { Problem::new("not-found") })
        .method_not_allowed_fallback(|| async { Problem::new("method-not-allowed") });
    let shared = Arc::new(Shared { app, config, ids: RequestIds::default(), line });
    let mut open = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, from)) => match seats.take(from.ip()) {
                    Some(seat) => { open.spawn(converse(stream, seat, Arc::clone(&shared))); }
                    None => metrics::counter!("hub_connections_refused_total").increment(1),
                },
                // Out of handles, or the caller is gone already: the next one may do better.
                Err(_) => tokio::time::sleep(Duration::from_millis(ACCEPT_REST_MS)).await,
            },
            Some(_ended) = open.join_next(), if !open.is_empty() => {}
        }
    }
    drop(listener);
    let _nobody_listens = close.send(true);
    let bound = Duration::from_millis(shared.config.shutdown_ms);
    let all = async { while open.join_next().await.is_some() {} };
    if tokio::time::timeout(bound, all).await.is_err() {
        tracing::warn!("some connections did not end in time and were cut");
    }
}

/// One connection, from its first byte to its end.
async fn converse(stream: TcpStream, seat: Seat, shared: Arc<Shared>) {
    let config = &shared.config;
    // Answers are small and waited for; without this they would wait for more.
    let _still_works_without = stream.set_nodelay(true);
    let stream = Patient::new(stream, Duration::from_millis(config.write_stall_ms));
    let shared_for_each = Arc::clone(&shared);
    let peer = Peer(seat.address());
    let service = hyper::service::service_fn(move |request| {
        answer(Arc::clone(&shared_for_each), peer, request)
    });
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(Duration::from_millis(config.header_read_ms))
        .max_headers(config.header_fields_max)
        .max_buf_size(config.header_bytes_max)
        .keep_alive(true)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let closing = shared.line.clone().closing();
    tokio::pin!(closing);
    let ended = tokio::select! {
        ended = &mut connection => ended,
        () = &mut closing => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if ended.is_err() {
        // What a stranger sends is no reason for more than a count.
        metrics::counter!("hub_connections_broken_total").increment(1);
    }
    drop(seat);
}

async fn answer(
    shared: Arc<Shared>,
    peer: Peer,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let id = shared.ids.next();
    let mut response = REQUEST_ID.scope(id.clone(), answer_named(&shared, peer, request)).await;
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", id);
    }
    let headers = response.headers_mut();
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    Ok(response)
}

async fn answer_named(shared: &Shared, peer: Peer, request: Request<Incoming>) -> Response<Body> {
    let started = tokio::time::Instant::now();
    let method = request.method().clone();
    let mut request = request.map(Body::new);
    request.extensions_mut().insert(shared.line.clone());
    request.extensions_mut().insert(peer);
    let bound = Duration::from_millis(shared.config.request_ms);
    let response = if matches!(method, Method::CONNECT | Method::TRACE) {
        Problem::new("method-not-allowed").into_response()
    } else {
        match tokio::time::timeout(bound, shared.app.clone().oneshot(request)).await {
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(_late) => Problem::new("request-timeout").into_response(),
        }
    };
    let status = response.status().as_u16().to_string();
    metrics::counter!("hub_requests_total", "status" => status).increment(1);
    metrics::histogram!("hub_request_seconds").record(started.elapsed());
    if let Some(SaidCode(code)) = response.extensions().get() {
        tracing::debug!(refusal.code = code, "said no");
    }
    response
}

/// The whole body, or why not. A body that is too large is read on for a while, so that the caller hears it.
pub async fn whole_body(request: Request) -> Result<Bytes, Problem> {
    let line = request.extensions().get::<Line>().cloned();
    let (bytes_max, within) = line.map_or_else(
        || {
            let config = ListenConfig::default();
            (config.body_bytes_max, Duration::from_millis(config.body_read_ms))
        },
        |it| (it.body_bytes_max, it.body_read),
    );
    let read = gather(request.into_body(), bytes_max);
    match tokio::time::timeout(within, read).await {
        Ok(read) => read,
        Err(_late) => Err(Problem::new("request-timeout")),
    }
}

async fn gather(mut body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    let mut gathered = Vec::new();
    let mut seen = 0usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new("body-interrupted"))?;
        let Ok(data) = frame.into_data() else { continue };
        seen += data.len();
        if seen <= bytes_max {
            gathered.extend_from_slice(&data);
        } else if seen > bytes_max + DRAINED_BYTES_MAX {
            break;
        }
    }
    if seen > bytes_max {
        return Err(Problem::new("too-large").detail(format!("at most {bytes_max} bytes")));
    }
    Ok(gathered.into())
}
