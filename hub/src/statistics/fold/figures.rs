//! What a fold hands out: everything a report is made of, and the trend day by day.

use events::envelope::Position;
use events::ids::ProvinceCode;
use events::keeping::StatisticsIssued;
use hub_core::calendar::shanghai_date;
use jiff::Timestamp;
use jiff::civil::Date;

use super::{Cube, Dimension};
use crate::statistics::ledger::Ledger;
use crate::statistics::period::Period;
use crate::statistics::publicity::Publicity;
use crate::statistics::tally::Count;

/// What happened on one day; for a trend, and in no table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Day {
    /// Came to the province: received or moved in.
    pub came: u64,
    /// Went: ended, or was returned.
    pub went: u64,
    /// Breaches counted.
    pub breached: u64,
}

/// Everything a report is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// Of which time.
    pub period: Period,
    /// Of which province only.
    pub scope: Option<ProvinceCode>,
    /// As of this position of the log.
    pub position: Position,
    /// When that event was recorded.
    pub at: Option<Timestamp>,
    /// The period was over at that position.
    pub complete: bool,
    /// What was counted.
    pub cube: Cube,
    /// The breaches.
    pub ledger: Ledger,
    /// Annex 1.
    pub publicity: Publicity,
    /// Reports issued up to there: where, when, what.
    pub issued: Vec<(Position, Timestamp, StatisticsIssued)>,
}

impl Figures {
    /// Day by day from the period's first to the last that is known: what came, went and was
    /// breached, and how many were open when the day ended. Of one province, or of all together.
    pub fn trend(&self, province: Option<ProvinceCode>) -> Vec<(Date, Day, u64)> {
        let own = province.map(|it| it.to_string());
        let groups = self.cube.groups.iter().filter(|it| it.0.0 == Dimension::Province);
        let provinces = groups.filter(|it| match &own {
            Some(own) => it.0.1 == *own,
            None => !it.0.1.is_empty(),
        });
        let mut open: u64 = provinces.map(|it| it.1.get(Count::OpenStart)).sum();
        let last = self.period.day_after().yesterday().unwrap_or(self.period.day_after());
        let last = self.at.map_or(self.period.first_day(), shanghai_date).min(last);
        let mut days = Vec::new();
        let mut date = self.period.first_day();
        while date <= last {
            let mut day = Day::default();
            for ((_, of), it) in
                self.cube.days.range((date, None)..).take_while(|it| it.0.0 == date)
            {
                if province.is_none() || *of == province {
                    day.came += it.came;
                    day.went += it.went;
                    day.breached += it.breached;
                }
            }
            open = (open + day.came).saturating_sub(day.went);
            days.push((date, day, open));
            let Ok(next) = date.tomorrow() else { break };
            date = next;
        }
        days
    }
}
