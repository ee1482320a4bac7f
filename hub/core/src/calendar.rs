//! Working days. A calendar is a value: published, numbered and compared, never fetched.

use std::collections::{BTreeMap, BTreeSet};

use events::reference::CalendarYear;
use events::vocabulary::DueDay;
use jiff::Timestamp;
use jiff::civil::Date;

use crate::refusal::Refusal;

/// The years that have been published, each in its latest revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    years: BTreeMap<i16, Year>,
    revision: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Year {
    holidays: BTreeSet<Date>,
    makeup_workdays: BTreeSet<Date>,
    papers: Vec<String>,
}

impl Calendar {
    /// Adopts a published year in place of what was known of it.
    pub fn publish(&mut self, revision: u32, year: &CalendarYear) -> Result<(), Refusal> {
        let _ = (revision, year);
        todo!()
    }
    /// The latest revision that was adopted.
    pub fn revision(&self) -> u32 {
        self.revision
    }
    /// Monday to Friday, less holidays, plus make-up weekends. A year nobody published counts Monday to Friday.
    pub fn is_working_day(&self, day: Date) -> bool {
        let _ = (day, &self.years);
        todo!()
    }
    /// The last day of a period of `days` working days that starts the day after `from`,
    /// the papers it rests on, and whether it runs into a year nobody has published.
    pub fn due(&self, from: Date, days: u32) -> DueDay {
        let _ = (from, days);
        todo!()
    }
}

/// The date in Shanghai at `moment` (UTC+8 since 1992; the law's dates).
pub fn shanghai_date(moment: Timestamp) -> Date {
    let _ = moment;
    todo!()
}
