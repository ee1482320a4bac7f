//! What presses now: alerts by cause and province, open cases by urgency, the longest wait.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::views::queries::{alert_groups, pressures, waited};
use crate::views::reader::{ViewError, ViewReader};
use crate::views::rows::{AlertGroup, Pressure, Waited};

impl ViewReader {
    /// Every standing alert, counted by cause and province, those that are told when asked included.
    pub fn alert_groups(
        &self,
        now: Timestamp,
        today: Date,
        soon: Date,
    ) -> Result<Vec<AlertGroup>, ViewError> {
        self.look(|file| alert_groups(file, now, today, soon))
    }

    /// What presses in each province that has open cases, as of `now`; `soon` is the next working day.
    pub fn pressures(
        &self,
        now: Timestamp,
        today: Date,
        soon: Date,
    ) -> Result<Vec<Pressure>, ViewError> {
        self.look(|file| pressures(file, now, today, soon))
    }

    /// How long the oldest work has waited for each province that any waits for.
    pub fn waited(&self) -> Result<Vec<Waited>, ViewError> {
        self.look(waited)
    }
}
