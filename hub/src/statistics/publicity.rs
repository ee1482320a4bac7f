//! Annex 1 (宣传推广工作统计表) of all provinces: the latest word of each on each month, and who has not spoken.

use std::collections::{BTreeMap, BTreeSet};

use events::ids::ProvinceCode;
use events::province::PublicityStated;
use events::publicity::{Month, ROWS, Statement};
use hub_core::calendar::shanghai_date;
use jiff::Timestamp;
use jiff::civil::Date;

use super::period::Period;

/// The day of the month by whose end the table is due (每月25日前).
pub const DUE_DAY: i8 = 25;

/// One province's word on one month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    /// When it was recorded; of several, the latest counts.
    pub at: Timestamp,
    /// Who: an account of the console, or the adapter's version.
    pub by: String,
    /// Its adapter sent it; otherwise it was filled in at the console.
    pub by_adapter: bool,
    /// The table.
    pub statement: Statement,
}

/// What was told about the months of one period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publicity {
    months: Vec<Month>,
    scope: Option<ProvinceCode>,
    /// Since when who has been here, and until when: whoever is here on the due day has to speak.
    here: BTreeMap<ProvinceCode, (Timestamp, Option<Timestamp>)>,
    stated: BTreeMap<(Month, ProvinceCode), Stated>,
}

/// How a province stands with a month's table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Punctual {
    /// Recorded by the end of the 25th.
    InTime,
    /// Recorded later.
    Late,
    /// Nothing yet.
    Missing,
}

impl Punctual {
    /// Chinese, English.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::InTime => ("按时", "in time"),
            Self::Late => ("迟报", "late"),
            Self::Missing => ("未报", "missing"),
        }
    }
}

/// One month summed up.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sums {
    /// Both figures of each row.
    pub rows: [(u64, u64); ROWS],
    /// Provinces that said something.
    pub provinces: u64,
    /// Of these, those whose adapter said it; the others filled in the form.
    pub by_adapter: u64,
    /// Of these, those whose hotline's knowledge base has it.
    pub knowledge_bases: u64,
}

/// The day by whose end a month's table is due.
pub fn due(month: Month) -> Date {
    let first = month.first();
    jiff::civil::date(first.year(), first.month(), DUE_DAY)
}

impl Publicity {
    pub(super) fn new(period: Period, scope: Option<ProvinceCode>) -> Self {
        let months = period.months();
        Self { months, scope, here: BTreeMap::new(), stated: BTreeMap::new() }
    }

    pub(super) fn joined(&mut self, province: ProvinceCode, at: Timestamp) {
        if self.scope.is_none_or(|it| it == province) {
            let here = self.here.entry(province).or_insert((at, None));
            if here.1.is_some() {
                *here = (at, None);
            }
        }
    }

    pub(super) fn left(&mut self, province: ProvinceCode, at: Timestamp) {
        if let Some(here) = self.here.get_mut(&province) {
            here.1.get_or_insert(at);
        }
    }

    /// Whether it was here on the day by which the month's table is due.
    fn is_expected(&self, province: ProvinceCode, month: Month) -> bool {
        let due = due(month);
        self.here.get(&province).is_some_and(|(joined, left)| {
            shanghai_date(*joined) <= due && left.is_none_or(|it| shanghai_date(it) > due)
        })
    }

    pub(super) fn stated(&mut self, province: ProvinceCode, at: Timestamp, it: &PublicityStated) {
        let own = self.scope.is_none_or(|it| it == province);
        if own && self.months.contains(&it.statement.month) {
            let (by, statement) = (it.by.clone(), it.statement.clone());
            let by_adapter = it.sent.is_some();
            let stated = Stated { at, by, by_adapter, statement };
            self.stated.insert((stated.statement.month, province), stated);
        }
    }

    /// The months of the period.
    pub fn months(&self) -> &[Month] {
        &self.months
    }

    /// Whoever is expected to speak or has spoken, in order, with what was said of `month`.
    pub fn of(&self, month: Month) -> Vec<(ProvinceCode, Option<&Stated>)> {
        let spoke = self.stated.keys().filter(|it| it.0 == month).map(|it| it.1);
        let expected = self.here.keys().copied().filter(|it| self.is_expected(*it, month));
        let all: BTreeSet<_> = expected.chain(spoke).collect();
        all.into_iter().map(|it| (it, self.stated.get(&(month, it)))).collect()
    }

    /// All provinces' figures of a month added up.
    pub fn sums(&self, month: Month) -> Sums {
        let mut sums = Sums::default();
        for stated in self.stated.iter().filter(|it| it.0.0 == month).map(|it| it.1) {
            sums.provinces += 1;
            sums.by_adapter += u64::from(stated.by_adapter);
            sums.knowledge_bases += u64::from(stated.statement.knowledge_base);
            for (sum, row) in sums.rows.iter_mut().zip(&stated.statement.rows) {
                sum.0 += u64::from(row.first);
                sum.1 += u64::from(row.second);
            }
        }
        sums
    }
}

/// Whether it came in time.
pub fn punctual(month: Month, stated: Option<&Stated>) -> Punctual {
    match stated {
        None => Punctual::Missing,
        Some(it) if shanghai_date(it.at) <= due(month) => Punctual::InTime,
        Some(_) => Punctual::Late,
    }
}
