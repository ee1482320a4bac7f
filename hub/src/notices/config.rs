//! When people are told of alerts.

use serde::Deserialize;

/// What the configuration says under `alerts`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoticesConfig {
    /// An enrolled adapter that neither fetches nor reports for so long is silent, in seconds.
    pub adapter_silent_after_s: u64,
}

impl Default for NoticesConfig {
    fn default() -> Self {
        Self { adapter_silent_after_s: 900 }
    }
}
