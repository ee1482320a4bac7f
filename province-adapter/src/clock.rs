//! The only reader of the machine's time. The told time is what the law and the office go by; the
//! real time is what waits and retries go by.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use events::time_lapse::TimeLapse;
use jiff::Timestamp;

/// Where moments come from.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's time, told as it is.
    Machine,
    /// The machine's time, told faster: for demonstrations only.
    Lapse(TimeLapse),
    /// A moment that only the test moves.
    Manual(ManualClock),
}

/// Milliseconds since 1970, moved by hand.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// Stands at `at` until somebody moves it.
    pub fn at(at: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(at.as_millisecond())))
    }

    /// Moves it forward.
    pub fn advance(&self, by: Duration) {
        let by_ms = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
        self.0.fetch_add(by_ms, Ordering::SeqCst);
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }
}

impl Clock {
    /// The moment for waits, retries and heartbeats.
    #[allow(clippy::disallowed_methods)] // this file is where time is read
    pub fn real_now(&self) -> Timestamp {
        match self {
            Self::Machine | Self::Lapse(_) => Timestamp::now(),
            Self::Manual(clock) => clock.now(),
        }
    }

    /// The moment for reports and office hours.
    pub fn told_now(&self) -> Timestamp {
        match self {
            Self::Lapse(lapse) => lapse.told(self.real_now()),
            Self::Machine | Self::Manual(_) => self.real_now(),
        }
    }

    /// How long it really takes until `told` is told; nothing if it has been.
    pub fn real_until(&self, told: Timestamp) -> Duration {
        let wait = told.duration_since(self.told_now());
        let wait = Duration::try_from(wait).unwrap_or(Duration::ZERO);
        match self {
            Self::Lapse(lapse) => lapse.real(wait),
            Self::Machine | Self::Manual(_) => wait,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lapse_tells_an_hour_in_a_second_and_waits_accordingly() {
        let told_start: Timestamp = "2026-02-13T01:00:00Z".parse().unwrap();
        let real_start = Clock::Machine.real_now();
        let clock = Clock::Lapse(TimeLapse { real_start, told_start, rate: 3600 });
        let wait = clock.real_until(told_start + jiff::SignedDuration::from_hours(20));
        assert!(wait <= Duration::from_secs(20) && wait > Duration::from_secs(5), "{wait:?}");
        assert_eq!(clock.real_until(told_start), Duration::ZERO);
    }
}
