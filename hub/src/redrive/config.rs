//! How much one person may let in again alone, and how fast.

use hub_core::redrive::PER_MINUTE_MAX;
use serde::Deserialize;

/// What the configuration says under `redrive`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RedriveConfig {
    /// More items than this need a second person.
    pub confirm_above: u64,
    /// Items a minute, unless the order says otherwise.
    pub per_minute: u32,
}

impl Default for RedriveConfig {
    fn default() -> Self {
        Self { confirm_above: 100, per_minute: 60 }
    }
}

impl RedriveConfig {
    /// What is wrong with it.
    pub fn problem(&self) -> Option<String> {
        let fine = (1..=PER_MINUTE_MAX).contains(&self.per_minute);
        (!fine).then(|| format!("`redrive.per_minute` must be 1 to {PER_MINUTE_MAX}"))
    }
}
