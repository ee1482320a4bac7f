//! Carries the hops of cases to a collector. Whoever tells a hop never waits, never fails, and loses no work
//! by it: what does not fit is dropped and counted, what the collector does not take is lost and counted.
//!
//! Read: [`Exporter`] (start, tell, stop), [`span`] (a hop as OpenTelemetry has it), [`post`] (over our own
//! HTTP client: one TLS stack in a program, no proxy, no redirect).
#![warn(missing_docs)]

mod post;
mod span;

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use events::trace::{Hop, TraceSettings};
use opentelemetry::KeyValue;
use opentelemetry_otlp::{
    SpanExporter as OtlpExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, SpanData, SpanExporter, SpanProcessor as _,
};
use tracing::{info, warn};

use crate::post::Post;

/// Whose spans these are.
#[derive(Debug, Clone)]
pub struct Service {
    /// `service.name`: `hub`, `province-adapter`.
    pub name: &'static str,
    /// `service.version`.
    pub version: &'static str,
    /// What else tells this program from others, e.g. `province.code`. Nothing personal.
    pub about: Vec<(&'static str, String)>,
}

/// What became of spans.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// The collector has them.
    Sent,
    /// The collector did not take them.
    Lost,
    /// Too many waited already.
    Dropped,
}

impl Fate {
    /// The outcome in the metrics.
    pub fn outcome(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Lost => "lost",
            Self::Dropped => "dropped",
        }
    }
}

/// Told what became of so many spans: for metrics.
pub type OnFate = Box<dyn Fn(Fate, u64) + Send + Sync>;

/// Why no spans can be sent.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// No endpoint is set.
    #[error("no `telemetry.otlp_endpoint` is set")]
    NoEndpoint,
    /// The token's file.
    #[error("cannot read `{path}`", path = path.display())]
    Token {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// What stands in the token's file.
    #[error("what `{path}` holds is no bearer token: visible ASCII on one line", path = path.display())]
    BadToken {
        /// Which.
        path: PathBuf,
    },
    /// The HTTP client could not be made.
    #[error("cannot make an HTTP client for the collector")]
    Client(#[source] reqwest::Error),
    /// The endpoint is none.
    #[error("cannot send spans to `telemetry.otlp_endpoint`")]
    Endpoint(#[source] opentelemetry_otlp::ExporterBuildError),
}

/// Sends spans in a thread of its own.
pub struct Exporter {
    processor: BatchSpanProcessor,
    counts: Arc<Counts>,
    flush_max: Duration,
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exporter")
    }
}

/// What waits, and how it goes.
struct Counts {
    waiting: AtomicUsize,
    waiting_max: usize,
    is_failing: AtomicBool,
    is_dropping: AtomicBool,
    on_fate: OnFate,
}

impl Exporter {
    /// Sends to the endpoint of `settings` from here on. Within a runtime, which carries the calls.
    pub fn start(
        settings: &TraceSettings,
        service: &Service,
        on_fate: OnFate,
    ) -> Result<Self, StartError> {
        let endpoint = settings.endpoint().ok_or(StartError::NoEndpoint)?;
        let answer_max = Duration::from_millis(settings.otlp_answer_ms_max.get());
        let post = Post::new(answer_max, token(settings)?).map_err(StartError::Client)?;
        let exporter = OtlpExporter::builder()
            .with_http()
            .with_endpoint(endpoint)
            .with_timeout(answer_max)
            .with_http_client(post)
            .build()
            .map_err(StartError::Endpoint)?;
        let waiting_max = settings.otlp_queue_spans_max.get() as usize;
        let counts = Arc::new(Counts {
            waiting: AtomicUsize::new(0),
            waiting_max,
            is_failing: AtomicBool::new(false),
            is_dropping: AtomicBool::new(false),
            on_fate,
        });
        let batch = BatchConfigBuilder::default()
            .with_max_queue_size(waiting_max)
            .with_max_export_batch_size(settings.otlp_batch_spans_max.get() as usize)
            .with_scheduled_delay(Duration::from_millis(settings.otlp_delay_ms.get()))
            .build();
        let counted = Counted { exporter, counts: Arc::clone(&counts) };
        let mut processor = BatchSpanProcessor::new(counted, batch);
        processor.set_resource(&resource(service));
        let flush_max = Duration::from_millis(settings.otlp_flush_ms_max.get());
        Ok(Self { processor, counts, flush_max })
    }

    /// Takes a hop along; at once, whatever the collector does.
    pub fn tell(&self, hop: Hop) {
        if !self.counts.make_room() {
            return;
        }
        self.processor.on_end(span::of(hop));
    }

    /// Sends what waits, for a bounded time; what is told afterwards is dropped. Blocks.
    pub fn stop(&self) {
        if let Err(error) = self.processor.shutdown_with_timeout(self.flush_max) {
            warn!(%error, "the last spans were not sent");
        }
    }
}

impl Counts {
    /// Counts one more that waits, unless there is no room.
    fn make_room(&self) -> bool {
        let before = self.waiting.fetch_add(1, Ordering::AcqRel);
        let fits = before < self.waiting_max;
        if fits {
            self.is_dropping.store(false, Ordering::Relaxed);
        } else {
            self.waiting.fetch_sub(1, Ordering::AcqRel);
            (self.on_fate)(Fate::Dropped, 1);
            if !self.is_dropping.swap(true, Ordering::Relaxed) {
                warn!(waiting = before, "too many spans wait for the collector: more are dropped");
            }
        }
        fits
    }

    /// Tells once when it begins to fail and once when it goes well again; the metrics count every time.
    fn note(&self, result: &OTelSdkResult, count: usize) {
        let fate = if result.is_ok() { Fate::Sent } else { Fate::Lost };
        (self.on_fate)(fate, count as u64);
        match result {
            Ok(()) if self.is_failing.swap(false, Ordering::Relaxed) => {
                info!("the collector takes spans again");
            }
            Err(error) if !self.is_failing.swap(true, Ordering::Relaxed) => {
                warn!(%error, count, "the collector does not take spans: these are lost, work goes on");
            }
            _ => {}
        }
    }
}

/// Counts what leaves the queue, and how it went.
struct Counted {
    exporter: OtlpExporter,
    counts: Arc<Counts>,
}

impl fmt::Debug for Counted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Counted")
    }
}

impl SpanExporter for Counted {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        self.counts.waiting.fetch_sub(count, Ordering::AcqRel);
        let result = self.exporter.export(batch).await;
        self.counts.note(&result, count);
        result
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.exporter.shutdown_with_timeout(timeout)
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.exporter.set_resource(resource);
    }
}

/// Named here alone: the environment adds nothing.
fn resource(service: &Service) -> Resource {
    let about = service.about.iter().map(|(name, value)| KeyValue::new(*name, value.clone()));
    Resource::builder_empty()
        .with_service_name(service.name)
        .with_attribute(KeyValue::new("service.version", service.version))
        .with_attributes(about)
        .build()
}

fn token(settings: &TraceSettings) -> Result<Option<String>, StartError> {
    let Some(path) = &settings.otlp_token_file else { return Ok(None) };
    let read = std::fs::read_to_string(path);
    let text = read.map_err(|source| StartError::Token { path: path.clone(), source })?;
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|it| it.is_ascii_graphic()) {
        return Err(StartError::BadToken { path: path.clone() });
    }
    Ok(Some(token.to_owned()))
}
