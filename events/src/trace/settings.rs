//! `[telemetry]`: where spans go, and every bound on what waits to go there. The same for hub and adapter.

use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// What a program says that was built without the exporter.
pub const NOT_BUILT: &str = "`telemetry.otlp_endpoint` is set, but this program was built without traces \
                             (build it with `--features otlp`, or take the setting out)";

/// Most spans that may be set to wait.
const QUEUE_SPANS_MAX: u32 = 1_000_000;
/// Longest wait that may be set, in milliseconds.
const WAIT_MS_MAX: u64 = 60_000;

/// Where spans go. Without an endpoint nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TraceSettings {
    /// The collector's OTLP/HTTP address, e.g. `http://127.0.0.1:4318`; `/v1/traces` is added to a bare host.
    pub otlp_endpoint: Option<String>,
    /// The file with the bearer token that the collector wants.
    pub otlp_token_file: Option<PathBuf>,
    /// Most spans that wait; what comes on top is dropped.
    pub otlp_queue_spans_max: NonZeroU32,
    /// Most spans in one message.
    pub otlp_batch_spans_max: NonZeroU32,
    /// Longest wait before what waits is sent.
    pub otlp_delay_ms: NonZeroU64,
    /// Longest wait for the collector's answer.
    pub otlp_answer_ms_max: NonZeroU64,
    /// Longest wait at the end, while the last spans are sent.
    pub otlp_flush_ms_max: NonZeroU64,
}

impl Default for TraceSettings {
    fn default() -> Self {
        let short = |it: u32| NonZeroU32::new(it).unwrap_or(NonZeroU32::MIN);
        let long = |it: u64| NonZeroU64::new(it).unwrap_or(NonZeroU64::MIN);
        Self {
            otlp_endpoint: None,
            otlp_token_file: None,
            otlp_queue_spans_max: short(8_192),
            otlp_batch_spans_max: short(512),
            otlp_delay_ms: long(2_000),
            otlp_answer_ms_max: long(5_000),
            otlp_flush_ms_max: long(3_000),
        }
    }
}

impl TraceSettings {
    /// The same with its file beside the configuration.
    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.otlp_token_file = self.otlp_token_file.map(|it| folder.join(it));
        self
    }

    /// Everything that is wrong. `is_built`: whether this program can send spans at all.
    pub fn problems(&self, is_built: bool) -> Vec<String> {
        let mut problems = Vec::new();
        if let Some(endpoint) = &self.otlp_endpoint {
            if !is_built {
                problems.push(NOT_BUILT.to_owned());
            }
            if !is_address(endpoint) {
                let why = "must be an http or https address without user, query or fragment";
                problems.push(format!("`telemetry.otlp_endpoint` {why}"));
            }
        }
        if self.otlp_queue_spans_max.get() > QUEUE_SPANS_MAX {
            problems.push(format!(
                "`telemetry.otlp_queue_spans_max` must be {QUEUE_SPANS_MAX} at most"
            ));
        }
        if self.otlp_batch_spans_max > self.otlp_queue_spans_max {
            problems.push(
                "`telemetry.otlp_batch_spans_max` must not exceed `otlp_queue_spans_max`"
                    .to_owned(),
            );
        }
        for (name, value) in [
            ("otlp_delay_ms", self.otlp_delay_ms),
            ("otlp_answer_ms_max", self.otlp_answer_ms_max),
            ("otlp_flush_ms_max", self.otlp_flush_ms_max),
        ] {
            if value.get() > WAIT_MS_MAX {
                problems.push(format!("`telemetry.{name}` must be {WAIT_MS_MAX} at most"));
            }
        }
        problems
    }

    /// The endpoint with its path; nothing if none is set.
    pub fn endpoint(&self) -> Option<String> {
        let endpoint = self.otlp_endpoint.as_deref()?.trim_end_matches('/');
        let host = endpoint.split_once("://").map_or(endpoint, |it| it.1);
        let path = if host.contains('/') { "" } else { "/v1/traces" };
        Some(format!("{endpoint}{path}"))
    }
}

fn is_address(text: &str) -> bool {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    let plain = |it: &str| {
        !it.is_empty()
            && !it.starts_with('/')
            && it.bytes().all(|it| it.is_ascii_graphic() && !b"@?#\"<>\\^`{|}".contains(&it))
    };
    host.is_some_and(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(endpoint: &str) -> TraceSettings {
        TraceSettings { otlp_endpoint: Some(endpoint.to_owned()), ..TraceSettings::default() }
    }

    #[test]
    fn a_program_that_cannot_send_spans_says_so_instead_of_keeping_silent() {
        assert_eq!(to("http://127.0.0.1:4318").problems(false), [NOT_BUILT]);
        assert!(to("http://127.0.0.1:4318").problems(true).is_empty());
        assert!(TraceSettings::default().problems(false).is_empty());
    }

    #[test]
    fn a_bare_host_gets_the_standard_path() {
        for (given, asked) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://collector.example/", "https://collector.example/v1/traces"),
            (
                "https://collector.example/otlp/v1/traces",
                "https://collector.example/otlp/v1/traces",
            ),
        ] {
            assert_eq!(to(given).endpoint().as_deref(), Some(asked));
        }
    }

    #[test]
    fn what_is_no_address_or_no_bound_is_named() {
        for bad in ["127.0.0.1:4318", "http://", "http:///x", "http://me:secret@host", "grpc://a"] {
            assert_eq!(to(bad).problems(true).len(), 1, "{bad}");
        }
        let text = "otlp_queue_spans_max = 2000000\notlp_batch_spans_max = 3000000\n\
                    otlp_delay_ms = 99999\notlp_answer_ms_max = 99999\notlp_flush_ms_max = 99999\n";
        let pairs = text.lines().filter_map(|it| it.split_once(" = "));
        let value: serde_json::Map<String, serde_json::Value> = pairs
            .map(|(name, value)| (name.to_owned(), value.parse::<u64>().unwrap().into()))
            .collect();
        let settings: TraceSettings = serde_json::from_value(value.into()).unwrap();
        assert_eq!(settings.problems(true).len(), 5);
    }
}
