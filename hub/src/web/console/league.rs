//! What the league table counts, column by column, and which cases are behind each number.
//!
//! As the reports define it (`statistics::definitions`), since the log began: a case is received once,
//! where it was routed first; everything else belongs to the province that had the case at that event.

use super::counted::{Counted, Lists, SOON};
use super::provinces::ProvinceWords;
use super::tiles::grouped;
use crate::views::rows::Pressure;
use crate::web::api::told::Province;

/// A column of the league table: what is counted, and which of a province's cases are listed behind it.
pub(super) struct Column {
    /// Its stable name, for programs.
    name: &'static str,
    pub(super) head: &'static str,
    of: Of,
}

enum Of {
    /// Cases: exactly those that the list shows when it is asked so.
    Cases(fn(&Province) -> u64, &'static str),
    /// Cases that were routed here first, wherever they are now.
    First(fn(&Province) -> u64),
    /// Events, or a share of something: no list of cases.
    Events(fn(&Province) -> String),
}

impl Column {
    pub(super) fn counted(&self, it: &Province, lists: &Lists) -> Counted {
        let code = it.code;
        match self.of {
            Of::Cases(value, asks) => {
                lists.counted(self.name, value(it), &format!("province={code}&{asks}"))
            }
            Of::First(value) => lists.received(self.name, value(it), &format!("first={code}")),
            Of::Events(told) => Counted { name: self.name, value: told(it), link: None },
        }
    }
}

pub(super) fn columns(words: &'static ProvinceWords) -> [Column; 12] {
    let column = |name, head, of| Column { name, head, of };
    let ended = |it: &Province| it.completed_approved + it.completed_denied;
    [
        column("received", words.received, Of::First(|it| it.received)),
        column("moved-in", words.moved_in, Of::Events(|it| grouped(it.moved_in))),
        column("open", words.open, Of::Cases(|it| it.open, "only=open")),
        column("completed", words.completed, Of::Cases(ended, "stage=completed")),
        column(
            "success",
            words.success,
            Of::Events(|it| {
                let completed = it.completed_approved + it.completed_denied;
                share(it.completed_approved, completed + it.declined)
            }),
        ),
        column(
            "on-time",
            words.on_time,
            Of::Events(|it| share(it.on_time, it.on_time + it.reported_late + it.overdue)),
        ),
        column("late", words.late, Of::Events(|it| grouped(it.reported_late))),
        column("overdue", words.overdue, Of::Events(|it| grouped(it.overdue))),
        column(
            "correction",
            words.correction,
            Of::Events(|it| share(it.corrections, it.received + it.moved_in)),
        ),
        column("declined", words.declined, Of::Cases(|it| it.declined, "stage=declined")),
        column("returned", words.returned, Of::Events(|it| grouped(it.returned))),
        column(
            "median",
            words.median,
            Of::Events(|it| {
                it.median_hours.map_or_else(|| "–".to_owned(), |it| format!("{it:.1}"))
            }),
        ),
    ]
}

/// The table's columns, and what presses now.
pub(super) fn figures(
    it: &Province,
    pressure: &Pressure,
    lists: &Lists,
    words: &'static ProvinceWords,
) -> Vec<(&'static str, Counted)> {
    let code = it.code;
    let now = |name, value, asks| lists.counted(name, value, &format!("province={code}&{asks}"));
    let silent = Counted {
        link: Some(format!("/alerts?kind=nothing-came-back&province={code}")),
        ..lists.counted("silent", pressure.silent, "")
    };
    let pressing = [
        (words.soon, now("soon", pressure.soon, SOON)),
        (words.overdue_now, now("overdue-now", pressure.overdue, "only=overdue")),
        (words.waiting, now("waiting", it.waiting_delivery, "only=waiting")),
        (words.silent, silent),
    ];
    let columns = columns(words).map(|column| (column.head, column.counted(it, lists)));
    columns.into_iter().chain(pressing).collect()
}

fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        "–".to_owned()
    } else {
        format!("{:.1}%", part as f64 * 100.0 / whole as f64)
    }
}
