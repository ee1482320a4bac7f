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

/// What rises. Without labels it is there, at 0, from the first scrape on: an alert can tell 0 from absent.
const COUNTERS: &[(&str, &str)] = &[
    (
        "hub_broker_answers_lost_total",
        "Times that the broker had to be told again to answer provinces",
    ),
    ("hub_checkpoints_failed_total", "Checkpoints that could not be signed or written"),
    ("hub_connections_broken_total", "Connections that ended in an error"),
    ("hub_connections_refused_total", "Connections closed at once"),
    ("hub_figures_failed_total", "Looks for the gauges that failed: some figures are old"),
    ("hub_sign_ins_refused_total", "Sign-ins at the console that were refused"),
];

/// What rises, by labels: absent until the first time.
const LABELLED: &[(&str, &str)] = &[
    ("hub_dispatch_total", "Attempts to forward, by province and outcome"),
    ("hub_alert_messages_total", "Messages about alerts, by carrier and outcome"),
    ("hub_events_appended_total", "Events recorded, by type and province"),
    ("hub_feedback_total", "Calls of webhooks, by client and outcome"),
    ("hub_quarantined_total", "Strays since the start, by reason"),
    ("hub_receipt_messages_total", "Signed receipts for provinces, by outcome"),
    ("hub_redriven_total", "What was let in again, by what became of it"),
    ("hub_reports_received_total", "Reports taken from the broker, by province"),
    ("hub_reports_total", "Reports, by province and outcome"),
    ("hub_requests_total", "Requests by status"),
    ("hub_spans_total", "Spans for the collector, by outcome: sent, lost, dropped"),
    ("hub_submissions_total", "Submissions by outcome: recorded, known, or a refusal's code"),
];

/// What is looked at.
const GAUGES: &[(&str, &str)] = &[
    ("hub_adapter_maintenance", "1 while the province's declared maintenance lasts"),
    ("hub_adapter_paused", "1 while nothing may be forwarded to the province"),
    (
        "hub_adapter_up",
        "1: it is fetching or was heard lately, and nothing sent to it is unsigned for ten minutes",
    ),
    ("hub_alerts", "Standing alerts of the console by kind and province"),
    ("hub_broker_told", "0 while the broker's configuration is not what the log says"),
    ("hub_broker_up", "1 while the connection to the broker stands"),
    ("hub_connections", "Open connections"),
    ("hub_dead_letters", "Parked cases and quarantined reports that wait for a person, by kind"),
    ("hub_disk_free_bytes", "Room left where the data and the checkpoints are"),
    ("hub_disk_size_bytes", "Room in all where the data and the checkpoints are"),
    ("hub_dispatch_lag_seconds", "Age of the oldest work that was never forwarded, by province"),
    ("hub_feedback_oldest_seconds", "Age of the oldest result that a client has not confirmed"),
    ("hub_log_full", "1 while there is no room to append"),
    (
        "hub_oldest_unacked_seconds",
        "Since the first attempt of the oldest work without a signed receipt, by province",
    ),
    ("hub_outbox_waiting", "Work the router has before it, by province"),
    ("hub_projection_lag", "Events that the views are behind the log"),
    ("hub_projection_position", "The position that the views have read"),
    ("hub_province_keys", "Keys that count, by province and purpose"),
    ("hub_quarantine_messages", "Strays that ever came, by reason"),
    ("hub_ready", "1 while the hub is ready, as /readyz says"),
    ("hub_redrives", "Orders to let in again that have not ended, by phase"),
    ("hub_reports_held", "Reports that wait for their predecessors, by province"),
    (
        "hub_sla_due",
        "Open cases by province (\"\": with none): open, and of these due-soon and overdue",
    ),
    ("hub_work_pending", "Messages of the broker that the adapter has not fetched, by province"),
];

const HISTOGRAMS: &[(&str, &str)] = &[
    ("hub_batch_events", "Events that shared a commit"),
    ("hub_log_append_seconds", "A batch: keys and events made durable"),
    ("hub_log_fsync_seconds", "The log's commit, which waits for the disk"),
    ("hub_request_seconds", "From header to answer"),
];

/// Every name that the hub counts under.
pub fn names() -> impl Iterator<Item = &'static str> {
    [COUNTERS, LABELLED, GAUGES, HISTOGRAMS].into_iter().flatten().map(|it| it.0)
}

fn describe() {
    for (name, meaning) in COUNTERS {
        metrics::describe_counter!(*name, *meaning);
        metrics::counter!(*name).absolute(0);
    }
    LABELLED.iter().for_each(|it| metrics::describe_counter!(it.0, it.1));
    GAUGES.iter().for_each(|it| metrics::describe_gauge!(it.0, it.1));
    HISTOGRAMS.iter().for_each(|it| metrics::describe_histogram!(it.0, it.1));
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
