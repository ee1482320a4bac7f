//! The log, event after event, made into figures. Pure: it asks nobody and knows no clock.
//!
//! Figures stand still when the period ends; the ledger goes on learning what was explained and
//! mended. So a month that is over has the same figures at every later position.

use std::collections::{BTreeMap, HashMap};

use events::envelope::{Actor, Event, Position, Recorded};
use events::ids::{CaseId, CaseNumber, DivisionCode, ProvinceCode, StreamName};
use events::keeping::{KeepingEvent, StatisticsIssued};
use events::province::ProvinceEvent;
use events::vocabulary::{Category, Channel, Item, Reason};
use hub_core::calendar::shanghai_date;
use jiff::Timestamp;
use jiff::civil::Date;

use super::ledger::Ledger;
use super::links::{LinkTime, Links};
use super::period::Period;
use super::places::prefecture;
use super::publicity::Publicity;
use super::tally::{Count, Tally};
use crate::views::status::StatusRow;

mod beginning;
mod cases;
mod figures;

pub use figures::{Day, Figures};

/// What the cases are grouped by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    /// The province that had the case.
    Province,
    /// The prefecture of the issuing authority.
    Prefecture,
    /// The five items.
    Item,
    /// The three categories.
    Category,
    /// Where the driver applied.
    Channel,
}

impl Dimension {
    /// All of them, in the order of a report.
    pub const ALL: [Self; 5] =
        [Self::Province, Self::Prefecture, Self::Item, Self::Category, Self::Channel];
    /// Stable code, Chinese, English.
    pub fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Province => ("province", "省份", "province"),
            Self::Prefecture => ("prefecture", "市州", "prefecture"),
            Self::Item => ("item", "事项", "item"),
            Self::Category => ("category", "类别", "category"),
            Self::Channel => ("channel", "渠道", "channel"),
        }
    }
    /// The one with this code.
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.words().0 == code)
    }
}

/// Events whose reasons are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum No {
    /// 不予受理
    Declined,
    /// 不予通过
    Denied,
    /// 退回
    Returned,
}

/// What a case is grouped by; small, because it is kept of every case that ended lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Belongs {
    /// Who has it, or had it last.
    province: Option<ProvinceCode>,
    division: Option<DivisionCode>,
    item: Item,
    category: Category,
    channel: Channel,
    /// The date that its number begins with; the rest of the number is made of the id.
    numbered_on: Date,
}

impl Belongs {
    fn number(&self, case: CaseId) -> CaseNumber {
        CaseNumber::of(case, self.numbered_on)
    }
    /// The group's code in each dimension.
    fn group(&self, dimension: Dimension) -> String {
        match dimension {
            Dimension::Province => self.province.map_or_else(String::new, |it| it.to_string()),
            Dimension::Prefecture => {
                self.province.map_or_else(String::new, |it| prefecture(it, self.division))
            }
            Dimension::Item => self.item.code().to_owned(),
            Dimension::Category => self.category.code().to_owned(),
            Dimension::Channel => self.channel.code().to_owned(),
        }
    }
}

/// An open case.
#[derive(Debug, Clone)]
struct Open {
    status: StatusRow,
    belongs: Belongs,
    routed: bool,
    /// Its breaches of the two clocks were counted in this period.
    breached_here: [bool; 2],
}

/// What is counted, in total and by group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cube {
    /// Day by day, by the province that had the case.
    pub days: BTreeMap<(Date, Option<ProvinceCode>), Day>,
    /// All.
    pub total: Tally,
    /// By the group's code; without a code: no province has the case.
    pub groups: BTreeMap<(Dimension, String), Tally>,
    /// Why provinces said no.
    pub reasons: BTreeMap<(Option<ProvinceCode>, Reason, No), u64>,
    /// Late facts of cases that ended before the year before the period's: of no group.
    pub too_old: u64,
}

impl Cube {
    /// Counts once for the total and for the group of each dimension.
    fn count(
        &mut self,
        scope: Option<ProvinceCode>,
        belongs: &Belongs,
        mut change: impl FnMut(&mut Tally),
    ) {
        if scope.is_some() && belongs.province != scope {
            return;
        }
        change(&mut self.total);
        for dimension in Dimension::ALL {
            change(self.groups.entry((dimension, belongs.group(dimension))).or_default());
        }
    }
}

/// The fold of one period and one scope.
#[derive(Debug, Clone)]
pub struct Fold {
    period: Period,
    /// Only this province's cases are counted.
    scope: Option<ProvinceCode>,
    /// The last event that was folded.
    position: Position,
    /// When it was recorded.
    at: Option<Timestamp>,
    started: bool,
    ended: bool,
    open: HashMap<CaseId, Open>,
    /// Cases that ended, by the year in which they did.
    past: BTreeMap<i16, HashMap<CaseId, Belongs>>,
    links: Links,
    cube: Cube,
    ledger: Ledger,
    publicity: Publicity,
    issued: Vec<(Position, Timestamp, StatisticsIssued)>,
}

/// Most issued reports that a fold remembers: the latest.
pub const ISSUED_MAX: usize = 200;

/// The log holds an event of a case that never began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("position {0} belongs to a case that never began: verify the log")]
pub struct Unfounded(pub Position);

impl Fold {
    /// Before position 1.
    pub fn new(period: Period, scope: Option<ProvinceCode>) -> Self {
        Self {
            period,
            scope,
            position: Position(0),
            at: None,
            started: false,
            ended: false,
            open: HashMap::new(),
            past: BTreeMap::new(),
            links: Links::default(),
            cube: Cube::default(),
            ledger: Ledger::default(),
            publicity: Publicity::new(period, scope),
            issued: Vec::new(),
        }
    }

    /// The last event that was folded.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Takes one more event into account.
    pub fn step(&mut self, recorded: &Recorded) -> Result<(), Unfounded> {
        let at = recorded.recorded_at;
        if !self.started && at >= self.period.start() {
            self.start();
        }
        if !self.ended && at >= self.period.end() {
            self.end();
        }
        match (&recorded.envelope.event, recorded.envelope.stream) {
            (Event::Case(event), StreamName::Case(case)) => self.case(case, recorded, event)?,
            (Event::Province(event), StreamName::Province(code)) => {
                self.province(code, recorded, event);
            }
            (Event::Keeping(KeepingEvent::StatisticsIssued(it)), _) => {
                if self.issued.len() == ISSUED_MAX {
                    self.issued.remove(0);
                }
                self.issued.push((recorded.position, at, it.clone()));
            }
            _ => {}
        }
        self.position = recorded.position;
        self.at = Some(at);
        Ok(())
    }

    /// The figures as of the last event.
    pub fn figures(&self) -> Figures {
        let mut cube = self.cube.clone();
        if !self.ended {
            let now = self.at.unwrap_or_else(|| self.period.start());
            if !self.started {
                self.count_start(&mut cube);
            }
            self.count_end(&mut cube, now);
        }
        let complete = self.ended;
        Figures {
            period: self.period,
            scope: self.scope,
            position: self.position,
            at: self.at,
            complete,
            cube,
            ledger: self.ledger.clone(),
            publicity: self.publicity.clone(),
            issued: self.issued.clone(),
        }
    }

    /// One more, while the period lasts.
    fn add(&mut self, belongs: &Belongs, count: Count) {
        self.count(belongs, |it| it.add(count));
    }

    fn count(&mut self, belongs: &Belongs, change: impl FnMut(&mut Tally)) {
        if self.started && !self.ended {
            self.cube.count(self.scope, belongs, change);
        }
    }

    /// Something of today's, for the trend.
    fn day(&mut self, belongs: &Belongs, at: Timestamp, change: impl FnOnce(&mut Day)) {
        // A case that no province has neither came to one nor goes from it.
        if belongs.province.is_some() && self.lists(belongs.province) {
            let day = (shanghai_date(at), belongs.province);
            change(self.cube.days.entry(day).or_default());
        }
    }

    /// What is open now was open when the period began.
    fn count_start(&self, cube: &mut Cube) {
        for it in self.open.values() {
            cube.count(self.scope, &it.belongs, |it| it.add(Count::OpenStart));
        }
    }

    fn start(&mut self) {
        let mut cube = std::mem::take(&mut self.cube);
        self.count_start(&mut cube);
        self.cube = cube;
        self.started = true;
        for it in self.open.values_mut() {
            it.breached_here = [false; 2];
        }
    }

    /// The period is over, or as far as the log goes: what is open now is open at its end.
    fn count_end(&self, cube: &mut Cube, until: Timestamp) {
        for it in self.open.values() {
            let row = &it.status.row;
            let overdue = row.acceptance_overdue || row.completion_overdue;
            cube.count(self.scope, &it.belongs, |it| {
                it.add_open(row.submitted_at, &row.number);
                if overdue {
                    it.add(Count::OverdueEnd);
                }
            });
        }
        let mut whole = LinkTime::default();
        for (province, time) in self.links.times(self.period.start(), until) {
            if self.scope.is_some_and(|it| it != province) {
                continue;
            }
            whole.enrolled_s += time.enrolled_s;
            whole.down_s += time.down_s;
            whole.announced_s += time.announced_s;
            let group = (Dimension::Province, province.to_string());
            cube.groups.entry(group).or_default().link = Some(time);
        }
        cube.total.link = Some(whole);
    }

    fn end(&mut self) {
        let mut cube = std::mem::take(&mut self.cube);
        self.count_end(&mut cube, self.period.end());
        self.cube = cube;
        self.ended = true;
    }

    fn province(&mut self, code: ProvinceCode, recorded: &Recorded, event: &ProvinceEvent) {
        let at = recorded.recorded_at;
        match event {
            ProvinceEvent::ProvinceEnrolled(_) => {
                self.links.joined(code, at);
                self.publicity.joined(code, at);
            }
            ProvinceEvent::ProvinceLeft(_) => {
                self.links.left(code, at);
                self.publicity.left(code, at);
            }
            ProvinceEvent::MaintenanceDeclared(it) => self.links.announced(code, it),
            ProvinceEvent::PublicityStated(it) => self.publicity.stated(code, at, it),
            ProvinceEvent::ProvincePaused(_)
            | ProvinceEvent::ProvinceResumed(_)
            | ProvinceEvent::AdapterCertified(_)
            | ProvinceEvent::KeyRegistered(_)
            | ProvinceEvent::KeyRevoked(_)
            | ProvinceEvent::KeyExpirySet(_) => {}
        }
    }

    /// Whether a breach recorded now belongs into the ledger.
    fn lists(&self, province: Option<ProvinceCode>) -> bool {
        let own = self.scope.is_none() || province == self.scope;
        own && self.started && !self.ended
    }

    /// A province told something, whatever it was.
    fn heard(&mut self, recorded: &Recorded, belongs: &Belongs, refused: bool) {
        if let Actor::Province(_) = recorded.envelope.actor {
            self.add(belongs, if refused { Count::Refused } else { Count::Told });
        }
    }
}
