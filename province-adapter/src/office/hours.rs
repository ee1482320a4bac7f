//! Office hours in Shanghai: how far the clock moves while a number of hours is worked.

use std::collections::BTreeSet;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{self, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// A year without a working day would be a mistake in the configuration.
const DAYS_LOOKED_AHEAD_MAX: u32 = 400;

/// When somebody is at the desk.
#[derive(Debug, Clone)]
pub(crate) struct OfficeHours {
    // Invariant: not empty, ascending, each with its start before its end.
    spans: Vec<(Time, Time)>,
    closed: BTreeSet<Date>,
    open: BTreeSet<Date>,
}

impl OfficeHours {
    /// Reads `09:00-12:00` and so on. Nothing if a span is unreadable, reversed or out of order.
    pub(crate) fn new(spans: &[String], closed: &[Date], open: &[Date]) -> Option<Self> {
        let spans: Option<Vec<(Time, Time)>> = spans.iter().map(|it| span(it)).collect();
        let spans = spans?;
        let ascending = spans.windows(2).all(|it| it[0].1 <= it[1].0);
        (!spans.is_empty() && ascending).then(|| Self {
            spans,
            closed: closed.iter().copied().collect(),
            open: open.iter().copied().collect(),
        })
    }

    fn is_working_day(&self, day: Date) -> bool {
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        self.open.contains(&day) || (!weekend && !self.closed.contains(&day))
    }

    /// Is somebody at the desk?
    #[cfg(test)]
    pub(crate) fn is_open(&self, at: Timestamp) -> bool {
        let local = at.to_zoned(shanghai()).datetime();
        let within = |it: &(Time, Time)| it.0 <= local.time() && local.time() <= it.1;
        self.is_working_day(local.date()) && self.spans.iter().any(within)
    }

    /// The moment at which `work` has been worked since `from`; always within office hours.
    pub(crate) fn after(&self, from: Timestamp, work: SignedDuration) -> Timestamp {
        let local = from.to_zoned(shanghai()).datetime();
        let (mut day, mut left) = (local.date(), work.max(SignedDuration::ZERO));
        for _ in 0..DAYS_LOOKED_AHEAD_MAX {
            for (start, end) in self.spans.iter().filter(|_| self.is_working_day(day)) {
                let start = moment(day, *start).max(from);
                let span = moment(day, *end).duration_since(start);
                if !span.is_negative() && left <= span {
                    return start.saturating_add(left).unwrap_or(start);
                }
                left -= span.max(SignedDuration::ZERO);
            }
            day = day.saturating_add(jiff::Span::new().days(1));
        }
        from
    }
}

fn span(text: &str) -> Option<(Time, Time)> {
    let (start, end) = text.split_once('-')?;
    let read = |it: &str| Time::strptime("%H:%M", it.trim()).ok();
    let (start, end) = (read(start)?, read(end)?);
    (start < end).then_some((start, end))
}

/// China has one zone and no summer time.
pub(crate) fn shanghai() -> TimeZone {
    TimeZone::fixed(tz::offset(8))
}

fn moment(day: Date, time: Time) -> Timestamp {
    shanghai().to_timestamp(day.to_datetime(time)).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    fn hours() -> OfficeHours {
        let spans = ["09:00-12:00".to_owned(), "14:00-18:00".to_owned()];
        // The Spring Festival of 2026: closed 16 to 23 on weekdays, the two Saturdays are worked.
        let closed: Vec<Date> = (16..=23).map(|it| date(2026, 2, it)).collect();
        OfficeHours::new(&spans, &closed, &[date(2026, 2, 14), date(2026, 2, 28)]).unwrap()
    }

    #[test]
    fn work_is_done_in_office_hours_only() {
        for (from, hours_worked, until) in [
            ("2026-02-13T08:00:00+08:00", 1, "2026-02-13T10:00:00+08:00"), // before opening
            ("2026-02-13T11:30:00+08:00", 1, "2026-02-13T14:30:00+08:00"), // over noon
            ("2026-02-13T17:30:00+08:00", 1, "2026-02-14T09:30:00+08:00"), // a worked Saturday
            ("2026-02-14T17:30:00+08:00", 1, "2026-02-24T09:30:00+08:00"), // over the festival
            ("2026-02-27T23:00:00+08:00", 7, "2026-02-28T18:00:00+08:00"), // a whole day
            ("2026-03-01T10:00:00+08:00", 0, "2026-03-02T09:00:00+08:00"), // a Sunday
        ] {
            let from: Timestamp = from.parse().unwrap();
            let until: Timestamp = until.parse().unwrap();
            assert_eq!(
                hours().after(from, SignedDuration::from_hours(hours_worked)),
                until,
                "{from}"
            );
        }
    }

    #[test]
    fn spans_that_make_no_day_are_refused() {
        for spans in [&["18:00-09:00"][..], &["14:00-18:00", "09:00-12:00"], &[], &["nine-ten"]] {
            let spans: Vec<String> = spans.iter().map(|it| (*it).to_owned()).collect();
            assert!(OfficeHours::new(&spans, &[], &[]).is_none(), "{spans:?}");
        }
    }
}
