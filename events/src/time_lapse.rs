//! Time told faster than it passes, for the demo: hub and adapters share one mapping. Pure.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// From `real_start` on, `rate` told seconds pass in each real second, beginning at `told_start`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimeLapse {
    /// The real moment at which it begins.
    pub real_start: Timestamp,
    /// What is told at that moment.
    pub told_start: Timestamp,
    /// Told seconds a real second; at least 1.
    pub rate: u32,
}

impl TimeLapse {
    /// What is told at the real moment `real`; before the start, the start.
    pub fn told(&self, real: Timestamp) -> Timestamp {
        let passed = real.duration_since(self.real_start).max(SignedDuration::ZERO);
        let told = passed.checked_mul(self.rate.max(1) as i32).unwrap_or(SignedDuration::MAX);
        self.told_start.checked_add(told).unwrap_or(Timestamp::MAX)
    }

    /// How long `told` takes in real time.
    pub fn real(&self, told: std::time::Duration) -> std::time::Duration {
        told / self.rate.max(1)
    }
}
