//! The last 24 hours, drawn on the server: what came in and what ended, hour by hour. Today's figures beside it.

use std::collections::BTreeMap;

use hub_core::calendar::shanghai_date;
use jiff::Timestamp;
use jiff::civil::Date;

use super::bars::{self, Bars, Pair};
use crate::views::flow::{FlowRow, hour_of, median_hours};
use crate::views::when::When;

/// How many hours are drawn, the present one included.
pub(super) const HOURS: u32 = 24;
/// Every so many hours one is named.
const LABEL_EVERY: u32 = 3;

/// One hour's figures, as a table has them.
pub(super) struct Hour {
    /// `14:00`, Shanghai.
    pub(super) name: String,
    /// As a list of cases is asked for it.
    pub(super) at: When,
    pub(super) came: u64,
    pub(super) went: u64,
}

/// A chart, ready for `console/overview.html`.
pub(super) struct DayFlow {
    pub(super) chart: Bars,
    pub(super) hours: Vec<Hour>,
    pub(super) came: u64,
    pub(super) went: u64,
}

/// Today's figures, of what was recorded today in Shanghai.
pub(super) struct Today {
    pub(super) received: u64,
    pub(super) completed: u64,
    /// Hours from submission to the recorded end, of today's middle case.
    pub(super) median_hours: Option<f64>,
}

/// What of `rows` was recorded on `today`.
pub(super) fn today(rows: &[FlowRow], today: Date) -> Today {
    let rows = || rows.iter().filter(|it| shanghai_date(it.began()) == today);
    Today {
        received: rows().map(|it| it.received).sum(),
        completed: rows().map(|it| it.completed).sum(),
        median_hours: median_hours(rows()),
    }
}

/// The hours up to the one that holds `now`; an hour that nothing happened in is drawn empty.
pub(super) fn draw(rows: &[FlowRow], now: Timestamp) -> DayFlow {
    let mut sums: BTreeMap<u32, (u64, u64)> = BTreeMap::new();
    for it in rows {
        let sum = sums.entry(it.hour).or_default();
        sum.0 += it.received;
        sum.1 += it.ended;
    }
    let last = hour_of(now);
    let first = last.saturating_sub(HOURS - 1);
    let seen: Vec<_> =
        (first..=last).map(|it| (it, sums.get(&it).copied().unwrap_or_default())).collect();
    let pairs = seen.iter().map(|(hour, (came, went))| Pair {
        came: *came,
        went: *went,
        label: if clock(*hour).is_multiple_of(LABEL_EVERY) { name(*hour) } else { String::new() },
        told: format!("{} +{came} −{went}", name(*hour)),
    });
    DayFlow {
        chart: bars::draw(u64::from(HOURS), pairs.collect()),
        hours: seen
            .iter()
            .map(|it| Hour { name: name(it.0), at: at(it.0), came: it.1.0, went: it.1.1 })
            .collect(),
        came: seen.iter().map(|it| it.1.0).sum(),
        went: seen.iter().map(|it| it.1.1).sum(),
    }
}

/// The hour on a clock in Shanghai, UTC+8 the whole year.
fn clock(hour: u32) -> u32 {
    (hour + 8) % 24
}

fn at(hour: u32) -> When {
    let began = Timestamp::from_second(i64::from(hour) * 3600).unwrap_or(Timestamp::MAX);
    When::hour_at(began)
}

fn name(hour: u32) -> String {
    format!("{:02}:00", clock(hour))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_without_events_is_drawn_with_all_its_hours() {
        let flow = draw(&[], "2026-11-29T01:59:00Z".parse().unwrap());
        assert_eq!((flow.hours.len(), flow.chart.most, flow.came), (24, 0, 0));
        assert_eq!((flow.hours[0].name.as_str(), flow.hours[23].name.as_str()), ("10:00", "09:00"));
        let chart = &flow.chart;
        assert!(chart.bars.iter().all(|it| it.came_height == 0));
        assert!(chart.bars.iter().all(|it| it.second_x + it.width <= chart.width));
    }
}
