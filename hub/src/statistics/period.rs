//! The time of a report: a month or a quarter of Shanghai.

use std::fmt;
use std::str::FromStr;

use events::publicity::Month;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// A month or a quarter; it begins and ends at midnight in Shanghai.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Period {
    /// `2026-11`
    Month(Month),
    /// `2026-Q4`: its first month.
    Quarter(Month),
}

impl Period {
    /// The month that `day` lies in.
    pub fn month_of(day: Date) -> Option<Self> {
        Month::of(day).map(Self::Month)
    }

    /// The quarter that `day` lies in.
    pub fn quarter_of(day: Date) -> Option<Self> {
        let first = jiff::civil::date(day.year(), (day.month() - 1) / 3 * 3 + 1, 1);
        Month::of(first).map(Self::Quarter)
    }

    /// Its months, in order.
    pub fn months(self) -> Vec<Month> {
        match self {
            Self::Month(month) => vec![month],
            Self::Quarter(first) => vec![first, first.next(), first.next().next()],
        }
    }

    /// Its first day.
    pub fn first_day(self) -> Date {
        match self {
            Self::Month(month) | Self::Quarter(month) => month.first(),
        }
    }

    /// The day after its last.
    pub fn day_after(self) -> Date {
        match self {
            Self::Month(month) => month.next().first(),
            Self::Quarter(first) => first.next().next().next().first(),
        }
    }

    /// Its first moment.
    pub fn start(self) -> Timestamp {
        midnight(self.first_day())
    }

    /// The first moment after it.
    pub fn end(self) -> Timestamp {
        midnight(self.day_after())
    }

    /// The one before it, of the same length.
    pub fn previous(self) -> Self {
        match self {
            Self::Month(month) => Self::Month(month.previous()),
            Self::Quarter(first) => Self::Quarter(first.previous().previous().previous()),
        }
    }

    /// `2026年11月` or `2026年第4季度`
    pub fn zh(self) -> String {
        match self {
            Self::Month(month) => format!("{}年{}月", month.year(), month.number()),
            Self::Quarter(first) => {
                format!("{}年第{}季度", first.year(), (first.number() + 2) / 3)
            }
        }
    }
}

fn midnight(day: Date) -> Timestamp {
    let zone = TimeZone::fixed(jiff::tz::offset(8));
    // A date of this millennium has a midnight.
    day.to_zoned(zone).map_or(Timestamp::MAX, |it| it.timestamp())
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Month(month) => month.fmt(f),
            Self::Quarter(first) => write!(f, "{}-Q{}", first.year(), (first.number() + 2) / 3),
        }
    }
}

/// A text that is no period.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a month (2026-11) or a quarter (2026-Q4)")]
pub struct NotAPeriod;

impl FromStr for Period {
    type Err = NotAPeriod;
    fn from_str(text: &str) -> Result<Self, NotAPeriod> {
        let Some((year, quarter)) = text.split_once("-Q") else {
            return text.parse().map(Self::Month).map_err(|_| NotAPeriod);
        };
        let first = match quarter {
            "1" => "01",
            "2" => "04",
            "3" => "07",
            "4" => "10",
            _ => return Err(NotAPeriod),
        };
        format!("{year}-{first}").parse().map(Self::Quarter).map_err(|_| NotAPeriod)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_begins_and_ends_at_midnight_in_shanghai() {
        let month: Period = "2026-12".parse().unwrap();
        assert_eq!(month.start(), "2026-12-01T00:00:00+08:00".parse().unwrap());
        assert_eq!(month.end(), "2027-01-01T00:00:00+08:00".parse().unwrap());
        let quarter: Period = "2026-Q4".parse().unwrap();
        assert_eq!(quarter.start(), "2026-10-01T00:00:00+08:00".parse().unwrap());
        assert_eq!(quarter.end(), month.end());
        assert_eq!(quarter.previous().to_string(), "2026-Q3");
        assert_eq!(quarter.months().len(), 3);
        assert_eq!(Period::quarter_of(jiff::civil::date(2026, 12, 31)), Some(quarter));
        for wrong in ["2026", "2026-Q5", "2026-Q0", "2026-13", "x", "", "2026-Q", "26-Q1"] {
            assert_eq!(wrong.parse::<Period>(), Err(NotAPeriod), "{wrong}");
        }
    }
}
