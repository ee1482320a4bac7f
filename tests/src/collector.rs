//! A collector of spans: real OTLP over HTTP on its own listener, which may also refuse or hang. Beside it, on
//! the same listener, a national system's webhook.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value as Given;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::{Span as Sent, status::StatusCode as SpanStatus};
use prost::Message as _;
use tokio::net::TcpListener;

/// How it treats whoever sends spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Takes them.
    Takes,
    /// Says no.
    Refuses,
    /// Never answers.
    Hangs,
}

/// A span as a person reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// `service.name`.
    pub service: String,
    /// The trace, in hexadecimal.
    pub trace: String,
    /// Its own name.
    pub id: String,
    /// What led to it; empty for the first.
    pub parent: String,
    /// What it is.
    pub name: String,
    /// When it began and ended, in nanoseconds.
    pub lasted: (u64, u64),
    /// What is known of it.
    pub attributes: BTreeMap<String, String>,
    /// Other traces, each as `trace-span`.
    pub links: Vec<String>,
    /// It did not do what it should.
    pub failed: bool,
}

/// What was received.
#[derive(Default)]
struct Received {
    bodies: Vec<Vec<u8>>,
    spans: Vec<Span>,
    authorizations: BTreeSet<String>,
    results: Vec<(String, Vec<u8>)>,
}

/// The listener and what came to it.
#[derive(Clone)]
pub struct Collector {
    /// `http://127.0.0.1:…`.
    pub url: String,
    received: Arc<Mutex<Received>>,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<AtomicUsize>,
}

impl Collector {
    /// Listens until the test ends.
    pub async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let collector = Self {
            url: format!("http://{address}"),
            received: Arc::default(),
            mood: Arc::new(Mutex::new(mood)),
            asked: Arc::default(),
        };
        let app = Router::new()
            .route("/v1/traces", post(take))
            .route("/results", post(result))
            .with_state(collector.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        collector
    }

    /// From now on.
    pub fn becomes(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// The `[telemetry]` table of whoever sends spans here soon.
    pub fn table(&self) -> String {
        format!("[telemetry]\notlp_endpoint = \"{}\"\notlp_delay_ms = 100\n", self.url)
    }

    /// All spans so far.
    pub fn spans(&self) -> Vec<Span> {
        self.received.lock().unwrap().spans.clone()
    }

    /// The spans of one case.
    pub fn of(&self, case: &str) -> Vec<Span> {
        let trace = case.replace('-', "");
        self.spans().into_iter().filter(|it| it.trace == trace).collect()
    }

    /// Every byte that was sent here.
    pub fn bodies(&self) -> Vec<Vec<u8>> {
        self.received.lock().unwrap().bodies.clone()
    }

    /// How often spans were offered.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// What stood in `Authorization`.
    pub fn authorizations(&self) -> BTreeSet<String> {
        self.received.lock().unwrap().authorizations.clone()
    }

    /// Results that were brought to the webhook: `traceparent` and body.
    pub fn results(&self) -> Vec<(String, Vec<u8>)> {
        self.received.lock().unwrap().results.clone()
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> StatusCode {
    collector.asked.fetch_add(1, Ordering::Relaxed);
    let mood = *collector.mood.lock().unwrap();
    match mood {
        Mood::Takes => {}
        Mood::Refuses => return StatusCode::BAD_REQUEST,
        Mood::Hangs => return std::future::pending().await,
    }
    assert_eq!(headers[header::CONTENT_TYPE], "application/x-protobuf");
    let request = ExportTraceServiceRequest::decode(body.clone()).expect("OTLP in protobuf");
    let mut received = collector.received.lock().unwrap();
    received.bodies.push(body.to_vec());
    if let Some(authorization) = headers.get(header::AUTHORIZATION) {
        received.authorizations.insert(authorization.to_str().unwrap().to_owned());
    }
    for of_resource in request.resource_spans {
        let about = of_resource.resource.map(|it| read(&it.attributes)).unwrap_or_default();
        let service = about.get("service.name").cloned().unwrap_or_default();
        for of_scope in of_resource.scope_spans {
            received.spans.extend(of_scope.spans.iter().map(|it| span(&service, it)));
        }
    }
    StatusCode::OK
}

async fn result(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) {
    let trace = headers.get("traceparent").map(|it| it.to_str().unwrap().to_owned());
    let mut received = collector.received.lock().unwrap();
    received.results.push((trace.unwrap_or_default(), body.to_vec()));
}

fn span(service: &str, sent: &Sent) -> Span {
    Span {
        service: service.to_owned(),
        trace: hexadecimal(&sent.trace_id),
        id: hexadecimal(&sent.span_id),
        parent: hexadecimal(&sent.parent_span_id),
        name: sent.name.clone(),
        lasted: (sent.start_time_unix_nano, sent.end_time_unix_nano),
        attributes: read(&sent.attributes),
        links: sent
            .links
            .iter()
            .map(|it| format!("{}-{}", hexadecimal(&it.trace_id), hexadecimal(&it.span_id)))
            .collect(),
        failed: sent.status.as_ref().is_some_and(|it| it.code == SpanStatus::Error as i32),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|it| format!("{it:02x}")).collect()
}

fn read(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    attributes.iter().map(|it| (it.key.clone(), text(it.value.as_ref()))).collect()
}

fn text(value: Option<&AnyValue>) -> String {
    match value.and_then(|it| it.value.as_ref()) {
        Some(Given::StringValue(it)) => it.clone(),
        Some(Given::IntValue(it)) => it.to_string(),
        other => panic!("no span of ours has {other:?}"),
    }
}
