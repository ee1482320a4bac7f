//! What people did about alerts: of one alert beside its row, of a cause in a province in a row of its own.
//!
//! The same row keeps what people were last told of the group: the next message is planned from it.

use events::envelope::Recorded;
use events::ids::ProvinceCode;
use events::keeping::KeepingEvent;
use events::keeping::alerts::{AlertMessagePlanned, AlertNotice, AlertScope, NoticeWhy};
use events::vocabulary::AlertKind;
use jiff::Timestamp;
use rusqlite::Connection;
use rusqlite::types::Value;

use crate::views::alerts;
use crate::views::cells::{cell_of, listed_cells, struct_cells};
use crate::views::reader::{ViewError, ViewReader};
use crate::views::rows::AlertRow;
use crate::views::table::{Behind, Row, Table, broken, row_of};

/// What people did about one alert, or about all of a cause in a province.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Acts {
    /// Who has seen it.
    pub acknowledged: Option<Acknowledged>,
    /// The account that shall look after it.
    pub assigned: Option<Assigned>,
    /// Nobody is told of it for a while.
    pub silenced: Option<Silence>,
}

/// Who has seen it, and what is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledged {
    pub by: String,
    pub at: Timestamp,
    pub note: String,
}

/// Who shall look after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    pub to: String,
    pub by: String,
    pub at: Timestamp,
}

/// Until when, by whom and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Silence {
    pub by: String,
    pub until: Timestamp,
    pub reason: String,
}

impl Acts {
    /// The silence, if it still lasts.
    pub fn silence(&self, now: Timestamp) -> Option<&Silence> {
        self.silenced.as_ref().filter(|it| it.until > now)
    }
}

impl Acts {
    /// What still counts of acts on a group whose oldest alert is `oldest`: an act on alerts that have
    /// all ended since is not one on those that came later.
    pub fn current(&self, kind: AlertKind, oldest: Option<Timestamp>, now: Timestamp) -> Self {
        let day = hub_core::calendar::shanghai_date;
        let counts = |at: Timestamp| match oldest {
            Some(oldest) => oldest <= at,
            // Nobody knows since when; those of yesterday are due or overdue today.
            None => kind != AlertKind::DueSoon || day(at) == day(now),
        };
        Self {
            acknowledged: self.acknowledged.clone().filter(|it| counts(it.at)),
            assigned: self.assigned.clone().filter(|it| counts(it.at)),
            silenced: self.silence(now).cloned(),
        }
    }
}

/// What is known of a cause in a province beyond its alerts: acts on all of them, and what people
/// were told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupState {
    pub acts: Acts,
    /// What people know; nothing when they were told that it is over, or never told.
    pub told: Option<Told>,
}

/// What people were last told of a group that stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// The first message.
    pub since: Timestamp,
    /// The last message.
    pub at: Timestamp,
    /// The largest count that was told.
    pub count: u64,
}

/// A group's place: the kind, and the province or 0.
pub(crate) type GroupKey = (AlertKind, u8);

fn key(kind: AlertKind, province: Option<ProvinceCode>) -> GroupKey {
    (kind, province.map_or(0, ProvinceCode::number))
}

/// An act on an alert or on a group, or a message about groups.
pub(crate) fn apply(
    groups: &mut Table<GroupState>,
    alerts: &mut Table<AlertRow>,
    behind: Behind<'_>,
    recorded: &Recorded,
    event: &KeepingEvent,
) -> Result<(), ViewError> {
    let at = recorded.recorded_at;
    let (scope, change) = match event {
        KeepingEvent::AlertsAcknowledged(it) => {
            let (by, note) = (it.operator.clone(), it.note.clone());
            (it.scope, Act::Acknowledge(Acknowledged { by, at, note }))
        }
        KeepingEvent::AlertsAssigned(it) => {
            let (to, by) = (it.to.clone(), it.operator.clone());
            (it.scope, Act::Assign(Assigned { to, by, at }))
        }
        KeepingEvent::AlertsSilenced(it) => {
            let (by, reason) = (it.operator.clone(), it.reason.clone());
            (it.scope, Act::Silence(Some(Silence { by, until: it.until, reason })))
        }
        KeepingEvent::AlertsUnsilenced(it) => (it.scope, Act::Silence(None)),
        KeepingEvent::AlertMessagePlanned(it) => return tell(groups, behind, it, at),
        KeepingEvent::WriterStarted(_)
        | KeepingEvent::RestoredFrom(_)
        | KeepingEvent::ClockStepped(_)
        | KeepingEvent::CheckpointSigned(_)
        | KeepingEvent::Reconciled(_)
        | KeepingEvent::PersonalDataRead(_)
        | KeepingEvent::CaseKeyDestroyed(_)
        | KeepingEvent::OperatorActed(_)
        | KeepingEvent::StatisticsIssued(_)
        | KeepingEvent::AlertMessageDelivered(_)
        | KeepingEvent::AlertMessageGivenUp(_)
        | KeepingEvent::RedriveOrdered(_)
        | KeepingEvent::RedriveConfirmed(_)
        | KeepingEvent::RedrivePaused(_)
        | KeepingEvent::RedriveResumed(_)
        | KeepingEvent::RedriveCancelled(_)
        | KeepingEvent::RedriveStepped(_)
        | KeepingEvent::RedriveFinished(_) => return Ok(()),
    };
    act(groups, alerts, behind, scope, change)
}

enum Act {
    Acknowledge(Acknowledged),
    Assign(Assigned),
    Silence(Option<Silence>),
}

impl Act {
    fn on(self, acts: &mut Acts) {
        match self {
            Self::Acknowledge(it) => acts.acknowledged = Some(it),
            Self::Assign(it) => acts.assigned = Some(it),
            Self::Silence(it) => acts.silenced = it,
        }
    }
}

fn act(
    groups: &mut Table<GroupState>,
    alerts: &mut Table<AlertRow>,
    behind: Behind<'_>,
    scope: AlertScope,
    change: Act,
) -> Result<(), ViewError> {
    match scope.case {
        None => {
            let key = key(scope.kind, scope.province);
            change.on(&mut groups.change_or_default(behind, &key)?.acts);
        }
        // An alert that was never raised: somebody acted on what is only told when asked.
        Some(case) => {
            let key = alerts::key(case, scope.kind, scope.stage);
            if let Some(alert) = alerts.change(behind, &key)? {
                change.on(&mut alert.acts);
            }
        }
    }
    Ok(())
}

/// Whoever acknowledged or was assigned has done with it when people are told that it is over.
fn tell(
    groups: &mut Table<GroupState>,
    behind: Behind<'_>,
    message: &AlertMessagePlanned,
    at: Timestamp,
) -> Result<(), ViewError> {
    for AlertNotice { kind, province, count, why, since } in &message.notices {
        let group = groups.change_or_default(behind, &key(*kind, *province))?;
        group.told = match (why, group.told) {
            (NoticeWhy::Resolved, _) => None,
            (NoticeWhy::Reminder | NoticeWhy::Grown, Some(told)) => {
                Some(Told { at, count: told.count.max(*count), ..told })
            }
            (_, _) => Some(Told { since: *since, at, count: *count }),
        };
        if *why == NoticeWhy::Resolved {
            group.acts = Acts { silenced: group.acts.silenced.take(), ..Acts::default() };
        }
    }
    Ok(())
}

listed_cells! { AlertKind = AlertKind::ALL; }
struct_cells!(Acknowledged { by, at, note });
struct_cells!(Silence { by, until, reason });
struct_cells!(Assigned { to, by, at });
struct_cells!(Acts { acknowledged, assigned, silenced });
struct_cells!(Told { since, at, count });
struct_cells!(GroupState { acts, told });

impl Row for GroupState {
    type Key = GroupKey;
    const NAME: &'static str = "alert_groups";
    const REVISION: u32 = 1;
    const COLUMNS: &'static [&'static str] = &[];
    const INDEXES: &'static [&'static str] = &[];
    fn columns(&self) -> Vec<Value> {
        Vec::new()
    }
}

/// What is known of each group that anybody acted on or was told of: at most one for a kind and province.
pub(crate) fn states(file: &Connection) -> Result<Vec<GroupOf>, ViewError> {
    let failed = || broken::<GroupState>("read");
    let mut select = file.prepare_cached("SELECT key, row FROM alert_groups").map_err(failed())?;
    let mut found = select.query([]).map_err(failed())?;
    let mut states = Vec::new();
    while let Some(row) = found.next().map_err(failed())? {
        let bytes = |at| row.get::<_, Vec<u8>>(at).map_err(failed());
        if let Some((kind, province)) = cell_of::<GroupKey>(&bytes(0)?) {
            let province = ProvinceCode::new(province);
            states.push(GroupOf { kind, province, state: row_of(&bytes(1)?)? });
        }
    }
    Ok(states)
}

/// A group's state, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupOf {
    pub kind: AlertKind,
    pub province: Option<ProvinceCode>,
    pub state: GroupState,
}

impl ViewReader {
    /// What people did about groups of alerts, and what they were told of them.
    pub fn alert_states(&self) -> Result<Vec<GroupOf>, ViewError> {
        self.look(states)
    }
}
