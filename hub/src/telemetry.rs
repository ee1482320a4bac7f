//! What operators hear: log lines, counters, and a name for each request. Never a person's data.

use std::sync::atomic::{AtomicU64, Ordering};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde::Deserialize;
use tracing_subscriber::EnvFilter;

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// What is said, and how.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TelemetryConfig {
    /// How.
    pub format: LogFormat,
    /// What, e.g. `info,hub=debug`.
    pub filter: String,
}

impl Default for TelemetryConfig {
    fn default() -> Self {
        Self { format: LogFormat::Text, filter: "info".to_owned() }
    }
}

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("cannot read the log filter")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    /// Something else in this process already speaks.
    #[error("cannot install the log subscriber")]
    Subscriber(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Something else in this process already counts.
    #[error("cannot install the metrics recorder")]
    Recorder(#[source] metrics_exporter_prometheus::BuildError),
}

/// Log lines go to standard error from here on; standard output is for data.
pub fn start_logging(config: &TelemetryConfig) -> Result<(), TelemetryError> {
    let filter = EnvFilter::try_new(&config.filter).map_err(TelemetryError::Filter)?;
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let started = match config.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(TelemetryError::Subscriber)
}

/// Durations are counted in these bounds, in seconds.
const SECONDS: [f64; 13] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

fn builder() -> Result<PrometheusBuilder, TelemetryError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)
        .map_err(TelemetryError::Recorder)
}

/// Counters count from here on; the handle prints them.
pub fn start_counting() -> Result<PrometheusHandle, TelemetryError> {
    let handle = builder()?.install_recorder().map_err(TelemetryError::Recorder)?;
    describe();
    Ok(handle)
}

/// A handle that nobody counts into: for tests and tools.
pub fn idle_counters() -> PrometheusHandle {
    PrometheusBuilder::new().build_recorder().handle()
}

fn describe() {
    metrics::describe_counter!(
        "hub_submissions_total",
        "Submissions by outcome: recorded, known, or a refusal's code"
    );
    metrics::describe_counter!("hub_requests_total", "Requests by status");
    metrics::describe_histogram!("hub_request_seconds", "From header to answer");
    metrics::describe_counter!("hub_connections_refused_total", "Connections closed at once");
    metrics::describe_gauge!("hub_connections", "Open connections");
}

/// Names for requests: unique in this process's life, and unlikely in another's.
#[derive(Debug)]
pub struct RequestIds {
    process: u32,
    next: AtomicU64,
}

impl Default for RequestIds {
    fn default() -> Self {
        // Without randomness the names of two processes may coincide, which confuses nobody but a reader.
        Self { process: getrandom::u32().unwrap_or(0), next: AtomicU64::new(1) }
    }
}

impl RequestIds {
    /// The next one, e.g. `9f1c02ab-17`.
    pub fn next(&self) -> String {
        format!("{:08x}-{}", self.process, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn request_ids_differ() {
        let ids = RequestIds::default();
        assert_ne!(ids.next(), ids.next());
    }

    #[test]
    fn a_filter_that_is_none_is_refused() {
        let config = TelemetryConfig { filter: "hub=loud!!".to_owned(), ..Default::default() };
        assert!(matches!(start_logging(&config), Err(TelemetryError::Filter(_))));
    }
}
