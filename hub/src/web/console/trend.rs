//! A trend drawn on the server: what came and went day by day, and how much was open when the day ended.

use crate::statistics::fold::Day;
use jiff::civil::Date;

/// The drawing's size, in its own units.
const WIDTH: u64 = 720;
const HEIGHT: u64 = 150;
/// Room for the words below and the scale above.
const BELOW: u64 = 18;
const ABOVE: u64 = 14;

/// At least so many days have room: the first days of a month are no towers.
const DAYS_MIN: u64 = 31;

/// One day's bars.
pub(super) struct Bar {
    pub(super) x: u64,
    pub(super) second_x: u64,
    pub(super) width: u64,
    pub(super) came_y: u64,
    pub(super) came_height: u64,
    pub(super) went_y: u64,
    pub(super) went_height: u64,
    /// The date, if it is written below.
    pub(super) label: String,
    /// What a pointer that rests on it is told.
    pub(super) told: String,
}

/// A chart, ready for `console/trend.html`.
pub(super) struct Trend {
    pub(super) width: u64,
    pub(super) height: u64,
    pub(super) base: u64,
    pub(super) bars: Vec<Bar>,
    /// The line of open cases, as an SVG's points.
    pub(super) line: String,
    /// The largest bar and the most that were open.
    pub(super) most: u64,
    pub(super) most_open: u64,
    pub(super) last_open: u64,
}

/// Bars on their own scale, the line on its own.
pub(super) fn draw(days: &[(Date, Day, u64)]) -> Trend {
    let most = days.iter().map(|it| it.1.came.max(it.1.went)).max().unwrap_or(0);
    let most_open = days.iter().map(|it| it.2).max().unwrap_or(0);
    let base = HEIGHT - BELOW;
    let count = u64::try_from(days.len()).unwrap_or(1).max(1);
    let step = WIDTH / count.max(DAYS_MIN);
    let tall = |value: u64, most: u64| (value * (base - ABOVE)).checked_div(most).unwrap_or(0);
    let every = (count / 10).max(2);
    let bars = (0u64..).zip(days).map(|(at, (date, day, open))| {
        let (came_height, went_height) = (tall(day.came, most), tall(day.went, most));
        let width = (step / 3).max(1);
        Bar {
            x: at * step + width / 2,
            second_x: at * step + width / 2 + width,
            width,
            came_y: base - came_height,
            came_height,
            went_y: base - went_height,
            went_height,
            label: if at % every == 0 { date.strftime("%m-%d").to_string() } else { String::new() },
            told: format!("{date}: +{} −{} = {open}", day.came, day.went),
        }
    });
    let point = |(at, it): (u64, &(Date, Day, u64))| {
        format!("{},{}", at * step + step / 2, base - tall(it.2, most_open))
    };
    let line: Vec<String> = (0u64..).zip(days).map(point).collect();
    Trend {
        width: WIDTH,
        height: HEIGHT,
        base,
        bars: bars.collect(),
        line: line.join(" "),
        most,
        most_open,
        last_open: days.last().map_or(0, |it| it.2),
    }
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
        assert_eq!((trend.most, trend.most_open, trend.last_open), (10, 10, 5));
        assert_eq!(trend.bars[0].came_y, ABOVE);
        assert!(trend.bars.iter().all(|it| it.second_x + it.width <= WIDTH));
        assert_eq!(trend.line.split(' ').count(), 3);
        let nothing = draw(&[day(1, 0, 0, 0)]);
        assert_eq!(nothing.bars[0].came_height, 0);
        assert!(draw(&[]).line.is_empty());
    }
}
