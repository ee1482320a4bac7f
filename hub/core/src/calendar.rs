//! Working days. A calendar is a value: published, numbered and compared, never fetched.

use std::collections::BTreeMap;

use events::reference::CalendarYear;
use events::vocabulary::DueDay;
use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::{Offset, TimeZone};

use crate::refusal::Refusal;

/// Shanghai has kept UTC+8 without daylight saving since 1992. A fixed offset needs no zone data,
/// so the same log gives the same due days on every machine.
const SHANGHAI: Offset = Offset::constant(8);

/// The years that have been published, each in its latest revision.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    years: BTreeMap<i16, Year>,
    revision: u32,
}

// Invariant: both lists ascend strictly, lie in the year and share no day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Year {
    holidays: Vec<Date>,
    makeup_workdays: Vec<Date>,
    papers: Vec<String>,
}

impl Calendar {
    /// Adopts a published year in place of what was known of it. The same again changes nothing.
    ///
    /// A make-up day on a weekday is suspicious but not refused: a paper may name one.
    pub fn publish(&mut self, revision: u32, year: &CalendarYear) -> Result<(), Refusal> {
        for dates in [&year.holidays, &year.makeup_workdays] {
            if dates.iter().any(|it| it.year() != year.year) {
                return Err(Refusal::BadCalendar { why: "a date lies outside the year" });
            }
            if !dates.is_sorted_by(|earlier, later| earlier < later) {
                return Err(Refusal::BadCalendar { why: "dates are unsorted or said twice" });
            }
        }
        if year.makeup_workdays.iter().any(|it| year.holidays.binary_search(it).is_ok()) {
            return Err(Refusal::BadCalendar { why: "a day is both a holiday and worked" });
        }
        if year.papers.is_empty() || year.papers.iter().any(|it| it.number.trim().is_empty()) {
            return Err(Refusal::BadCalendar { why: "no paper is named" });
        }
        let adopted = Year {
            holidays: year.holidays.clone(),
            makeup_workdays: year.makeup_workdays.clone(),
            papers: year.papers.iter().map(|it| it.number.clone()).collect(),
        };
        self.years.insert(year.year, adopted);
        self.revision = self.revision.max(revision);
        Ok(())
    }

    /// The latest revision that was adopted.
    pub fn revision(&self) -> u32 {
        self.revision
    }

    /// Whether somebody has published this year.
    pub fn covers(&self, year: i16) -> bool {
        self.years.contains_key(&year)
    }

    /// Monday to Friday, less holidays, plus make-up weekends. A year nobody published counts Monday to Friday.
    pub fn is_working_day(&self, day: Date) -> bool {
        works_on(self.years.get(&day.year()), day)
    }

    /// The last day of a period of `days` working days that starts the day after `from`,
    /// the papers it rests on, and whether it runs into a year nobody has published.
    ///
    /// The papers are those of every year in which a day was counted, oldest first. No days: `from`.
    pub fn due(&self, from: Date, days: u32) -> DueDay {
        let mut due = DueDay { day: from, papers: Vec::new(), provisional: false };
        let mut published = None;
        let mut touched = None;
        let mut left = days;
        while left > 0 {
            // The last date that can be written down; no period of ours comes near it.
            let Ok(next) = due.day.tomorrow() else { break };
            due.day = next;
            if touched != Some(next.year()) {
                touched = Some(next.year());
                published = self.years.get(&next.year());
                rest_on(&mut due, published);
            }
            left -= u32::from(works_on(published, next));
        }
        due
    }

    /// How many working days lie after `after`, up to and including `until`.
    pub fn working_days_between(&self, after: Date, until: Date) -> u32 {
        let mut count = 0;
        let mut day = after;
        while day < until {
            let Ok(next) = day.tomorrow() else { break };
            day = next;
            count += u32::from(self.is_working_day(day));
        }
        count
    }
}

fn works_on(published: Option<&Year>, day: Date) -> bool {
    if published.is_some_and(|it| it.makeup_workdays.binary_search(&day).is_ok()) {
        return true;
    }
    if published.is_some_and(|it| it.holidays.binary_search(&day).is_ok()) {
        return false;
    }
    !matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday)
}

fn rest_on(due: &mut DueDay, published: Option<&Year>) {
    let Some(year) = published else {
        due.provisional = true;
        return;
    };
    for paper in &year.papers {
        if !due.papers.contains(paper) {
            due.papers.push(paper.clone());
        }
    }
}

/// The date in Shanghai at `moment` (UTC+8 since 1992; the law's dates).
pub fn shanghai_date(moment: Timestamp) -> Date {
    moment.to_zoned(TimeZone::fixed(SHANGHAI)).date()
}
