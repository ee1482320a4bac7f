//! The only reader of the machine's time. Time is told: real, faster for the demo, or by hand for tests.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use events::time_lapse::TimeLapse;
use jiff::Timestamp;
use jiff::civil::Date;

/// Where moments come from. Copies tell the same time.
#[derive(Debug, Clone)]
pub enum Clock {
    /// The machine's.
    Machine,
    /// The machine's, faster.
    Lapse(TimeLapse),
    /// A test's.
    Manual(Arc<Mutex<Timestamp>>),
}

impl Clock {
    /// A clock that a test moves.
    pub fn manual(at: Timestamp) -> Self {
        Self::Manual(Arc::new(Mutex::new(at)))
    }

    /// The moment, in whole microseconds, as the log stores it.
    pub fn now(&self) -> Timestamp {
        let told = match self {
            Self::Machine => Self::real_now(),
            Self::Lapse(lapse) => lapse.told(Self::real_now()),
            Self::Manual(at) => *at.lock().unwrap_or_else(PoisonError::into_inner),
        };
        Timestamp::from_microsecond(told.as_microsecond()).unwrap_or(told)
    }

    /// The date in Shanghai.
    pub fn today(&self) -> Date {
        hub_core::calendar::shanghai_date(self.now())
    }

    /// The machine's own moment: for pacing and for the start of a time lapse, never for a deadline.
    #[allow(clippy::disallowed_methods)] // this is the one place
    pub fn real_now() -> Timestamp {
        Timestamp::now()
    }

    /// How long a told span takes on this machine.
    pub fn real(&self, told: Duration) -> Duration {
        match self {
            Self::Machine | Self::Manual(_) => told,
            Self::Lapse(lapse) => lapse.real(told),
        }
    }

    /// Told seconds a real second; 1 unless lapsed.
    pub fn rate(&self) -> u32 {
        match self {
            Self::Machine | Self::Manual(_) => 1,
            Self::Lapse(lapse) => lapse.rate.max(1),
        }
    }

    /// Moves a manual clock; any other stays as it is.
    pub fn advance_to(&self, moment: Timestamp) {
        if let Self::Manual(at) = self {
            *at.lock().unwrap_or_else(PoisonError::into_inner) = moment;
        }
    }
}
