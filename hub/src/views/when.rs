//! A day in Shanghai, or one hour of it: how lists of cases are narrowed to what a figure counted.

use std::fmt;
use std::str::FromStr;

use hub_core::calendar::shanghai_date;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use crate::views::queries::{rows, whole};
use crate::views::reader::ViewError;
use crate::views::status::StatusRow;

/// Shanghai's clock, the whole year.
const SHANGHAI_HOURS: i8 = 8;

/// `2026-11-29`, or `2026-11-29T14` for the hour from 14:00 on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct When {
    pub day: Date,
    /// From 0 to 23; nothing: the whole day.
    pub hour: Option<i8>,
}

impl When {
    /// The whole day.
    pub fn on(day: Date) -> Self {
        Self { day, hour: None }
    }

    /// The hour that holds `moment`.
    pub fn hour_at(moment: Timestamp) -> Self {
        Self { day: shanghai_date(moment), hour: Some(shanghai_hour(moment)) }
    }

    /// Its first moment, and the first one after it.
    pub fn span(self) -> (Timestamp, Timestamp) {
        let zone = TimeZone::fixed(jiff::tz::offset(SHANGHAI_HOURS));
        let start = self.day.at(self.hour.unwrap_or(0), 0, 0, 0).to_zoned(zone);
        // Only at the ends of time has a date no such moment.
        let start = start.map_or(Timestamp::MAX, |it| it.timestamp());
        let hours = if self.hour.is_some() { 1 } else { 24 };
        let until = start.checked_add(SignedDuration::from_hours(hours));
        (start, until.unwrap_or(Timestamp::MAX))
    }
}

/// The hour on a clock in Shanghai.
pub(crate) fn shanghai_hour(moment: Timestamp) -> i8 {
    moment.to_zoned(TimeZone::fixed(jiff::tz::offset(SHANGHAI_HOURS))).hour()
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hour {
            None => write!(f, "{}", self.day),
            Some(hour) => write!(f, "{}T{hour:02}", self.day),
        }
    }
}

/// Neither a day nor an hour of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not of the form 2026-11-29 or 2026-11-29T14")]
pub struct NoWhen;

impl FromStr for When {
    type Err = NoWhen;

    /// Only what `Display` writes: an address has one spelling.
    fn from_str(text: &str) -> Result<Self, NoWhen> {
        let (day, hour) = match text.split_once('T') {
            None => (text, None),
            Some((day, hour)) => (day, Some(hour.parse().map_err(|_| NoWhen)?)),
        };
        let when = Self { day: day.parse().map_err(|_| NoWhen)?, hour };
        let hour_fits = hour.is_none_or(|it: i8| (0..24).contains(&it));
        if hour_fits && when.to_string() == text { Ok(when) } else { Err(NoWhen) }
    }
}

/// The submissions recorded in `when`, as positions: from the first on, and before the second.
///
/// The log raises no moment of recording below the one before it, so that the first position of a moment
/// is found by halving: neither a column nor an index is kept for it.
pub(crate) fn recorded_between(file: &Connection, when: When) -> Result<(u64, u64), ViewError> {
    let (from, until) = when.span();
    Ok((first_recorded_from(file, from)?, first_recorded_from(file, until)?))
}

/// The least position above all cases that were recorded before `moment`.
fn first_recorded_from(file: &Connection, moment: Timestamp) -> Result<u64, ViewError> {
    let last = rows::<StatusRow>(file, "ORDER BY position DESC LIMIT 1", vec![])?;
    let (mut low, mut high) = (0, last.first().map_or(0, position_of) + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let tail = "WHERE position >= ?1 ORDER BY position LIMIT 1";
        let found = rows::<StatusRow>(file, tail, vec![whole(middle)])?;
        match found.first() {
            Some(it) if it.row.recorded_at < moment => low = position_of(it) + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

fn position_of(it: &StatusRow) -> u64 {
    it.standing.submitted_position
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_or_an_hour_is_read_as_it_is_written_and_nothing_else_is() {
        for good in ["2026-11-29", "2026-11-29T00", "2026-11-29T23"] {
            assert_eq!(good.parse::<When>().unwrap().to_string(), good);
        }
        for bad in
            ["", "2026-11-31", "2026-11-29T24", "2026-11-29T7", "2026-11-29T-1", "20261129", "x"]
        {
            assert_eq!(bad.parse::<When>(), Err(NoWhen), "{bad}");
        }
    }

    #[test]
    fn a_day_begins_at_midnight_in_shanghai() {
        let moment = |it: &str| it.parse::<Timestamp>().unwrap();
        let day: When = "2026-11-29".parse().unwrap();
        assert_eq!(day.span(), (moment("2026-11-28T16:00:00Z"), moment("2026-11-29T16:00:00Z")));
        let hour: When = "2026-11-29T14".parse().unwrap();
        assert_eq!(hour.span(), (moment("2026-11-29T06:00:00Z"), moment("2026-11-29T07:00:00Z")));
        assert_eq!(When::hour_at(moment("2026-11-29T06:59:59Z")), hour);
    }
}
