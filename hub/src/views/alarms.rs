//! What stands now and no event tells: silent adapters, missing certificates, a full quarantine.
//!
//! Kept in memory by whoever looks for them, shown by whoever asks. Losing it loses one look.

use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use jiff::civil::Date;

use crate::views::reader::{ViewError, ViewReader};
use crate::views::rows::AlertGroup;

/// The alarms as of the last look. Copies share.
#[derive(Debug, Clone, Default)]
pub struct Alarms(Arc<RwLock<Vec<AlertGroup>>>);

impl Alarms {
    /// Replaces what is known.
    pub fn set(&self, found: Vec<AlertGroup>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = found;
    }

    /// As of the last look.
    pub fn standing(&self) -> Vec<AlertGroup> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// These and every alert of a case, by cause and province.
    pub fn with_alerts(
        &self,
        views: &ViewReader,
        now: Timestamp,
        today: Date,
        soon: Date,
    ) -> Result<Vec<AlertGroup>, ViewError> {
        let mut groups = views.alert_groups(now, today, soon)?;
        groups.extend(self.standing());
        Ok(groups)
    }
}
