//! A trend drawn on the server: what came and went day by day, and how much was open when the day ended.

use jiff::civil::Date;

use super::bars::{self, Bars, Pair, tall};
use crate::statistics::fold::Day;

/// At least so many days have room: the first days of a month are no towers.
const DAYS_MIN: u64 = 31;

/// A chart, ready for `console/trend.html`.
pub(super) struct Trend {
    pub(super) chart: Bars,
    /// The line of open cases, as an SVG's points.
    pub(super) line: String,
    /// The most that were open.
    pub(super) most_open: u64,
    pub(super) last_open: u64,
}

/// Bars on their own scale, the line on its own.
pub(super) fn draw(days: &[(Date, Day, u64)]) -> Trend {
    let most_open = days.iter().map(|it| it.2).max().unwrap_or(0);
    let count = u64::try_from(days.len()).unwrap_or(1).max(1);
    let every = (count / 10).max(2);
    let pairs = (0u64..).zip(days).map(|(at, (date, day, open))| Pair {
        came: day.came,
        went: day.went,
        label: if at % every == 0 { date.strftime("%m-%d").to_string() } else { String::new() },
        told: format!("{date}: +{} −{} = {open}", day.came, day.went),
    });
    let chart = bars::draw(count.max(DAYS_MIN), pairs.collect());
    let point = |(at, it): (u64, &(Date, Day, u64))| {
        format!("{},{}", at * chart.step + chart.step / 2, chart.base - tall(it.2, most_open))
    };
    let line: Vec<String> = (0u64..).zip(days).map(point).collect();
    Trend { line: line.join(" "), most_open, last_open: days.last().map_or(0, |it| it.2), chart }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tallest_bar_fills_the_chart_and_nothing_leaves_it() {
        let day = |number: i8, came, went, open| {
            (jiff::civil::date(2026, 3, number), Day { came, went, breached: 0 }, open)
        };
        let days = [day(1, 10, 0, 10), day(2, 5, 10, 5), day(3, 0, 0, 5)];
        let trend = draw(&days);
        assert_eq!((trend.chart.most, trend.most_open, trend.last_open), (10, 10, 5));
        let (bars, width) = (&trend.chart.bars, trend.chart.width);
        assert!(bars.iter().all(|it| it.second_x + it.width <= width));
        assert_eq!(trend.line, "11,14 34,73 57,73");
        let nothing = draw(&[day(1, 0, 0, 0)]);
        assert_eq!(nothing.chart.bars[0].came_height, 0);
        assert!(draw(&[]).line.is_empty());
    }
}
