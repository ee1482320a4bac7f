//! What the law says, as data: the clocks' lengths, each with its article. Applied in `case`.

use crate::calendar::Calendar;

/// How many working days each clock has: data, published as an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceStandards {
    /// Clock 1: 2.
    pub acceptance_working_days: u32,
    /// Clock 2: 3.
    pub completion_working_days: u32,
    /// 催办 after the due day: 1.
    pub urged_after_working_days: u32,
    /// Seriously overdue after the due day: 5.
    pub serious_after_working_days: u32,
    /// Deemed accepted after submission: 5 (行政许可法 Art. 32(4)).
    pub deemed_after_working_days: u32,
}

impl Default for ServiceStandards {
    /// The seed notice's two and three working days, and the ladder of the house.
    fn default() -> Self {
        Self {
            acceptance_working_days: 2,
            completion_working_days: 3,
            urged_after_working_days: 1,
            serious_after_working_days: 5,
            deemed_after_working_days: 5,
        }
    }
}

/// What the law says, as data.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// Working days.
    pub calendar: Calendar,
    /// The clocks' lengths.
    pub standards: ServiceStandards,
    /// Which province.
    pub routes: std::sync::Arc<crate::routes::Routes>,
}
