//! What was ordered to be let in again, how far it has come, and what became of each item.

use std::collections::BTreeMap;

use events::envelope::{Position, Recorded};
use events::ids::{ProvinceCode, RedriveId};
use events::keeping::KeepingEvent;
use events::keeping::redrive::{RedriveOf, RedriveOutcome, RedriveSelection};
use hub_core::redrive::Phase;
use jiff::Timestamp;
use rusqlite::types::Value;

use crate::views::cells::{listed_cells, struct_cells, wrapped_cells};
use crate::views::queries::{by_key, rows, whole};
use crate::views::reader::{Page, ViewError, ViewReader};
use crate::views::table::{Behind, Row, Table};

/// An order, and how far it has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedriveRow {
    pub redrive: RedriveId,
    pub position: Position,
    pub at: Timestamp,
    pub operator: String,
    pub reason: String,
    pub selection: RedriveSelection,
    /// How many there were when it was ordered.
    pub count: u64,
    pub per_minute: u32,
    pub route_to: Option<ProvinceCode>,
    pub needs_second: bool,
    pub phase: Phase,
    /// The second person, and when.
    pub confirmed: Option<(String, Timestamp)>,
    /// Who stopped, resumed or ended it last.
    pub touched: Option<(String, Timestamp)>,
    pub ended_at: Option<Timestamp>,
    /// The last item that something became of.
    pub last: Option<Stepped>,
    /// How many items by what became of them.
    pub outcomes: BTreeMap<String, u64>,
}

/// What became of an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stepped {
    pub item: u64,
    pub outcome: RedriveOutcome,
    pub code: Option<String>,
    pub at: Timestamp,
}

impl RedriveRow {
    /// How many items something became of.
    pub fn done(&self) -> u64 {
        self.outcomes.values().sum()
    }

    /// The last item that something became of; 0: of none yet.
    pub fn up_to(&self) -> u64 {
        self.last.as_ref().map_or(0, |it| it.item)
    }
}

/// Ordered, confirmed, stopped, gone on, ended; and step by step. Anything else changes nothing.
pub(crate) fn apply(
    table: &mut Table<RedriveRow>,
    behind: Behind<'_>,
    recorded: &Recorded,
    event: &KeepingEvent,
) -> Result<(), ViewError> {
    let at = recorded.recorded_at;
    let mut edit = |redrive: RedriveId, how: &dyn Fn(&mut RedriveRow)| {
        if let Some(row) = table.change(behind, &redrive)? {
            how(row);
        }
        Ok(())
    };
    match event {
        KeepingEvent::RedriveOrdered(_) => {
            ordered(table, behind, recorded, event);
            Ok(())
        }
        KeepingEvent::RedriveConfirmed(it) => edit(it.redrive, &|row| {
            row.confirmed = Some((it.operator.clone(), at));
            row.phase = Phase::Running;
        }),
        KeepingEvent::RedrivePaused(it) => edit(it.redrive, &|row| {
            row.touched = Some((it.operator.clone(), at));
            row.phase = Phase::Paused;
        }),
        KeepingEvent::RedriveResumed(it) => edit(it.redrive, &|row| {
            row.touched = Some((it.operator.clone(), at));
            row.phase = Phase::Running;
        }),
        KeepingEvent::RedriveCancelled(it) => edit(it.redrive, &|row| {
            row.touched = Some((it.operator.clone(), at));
            (row.phase, row.ended_at) = (Phase::Cancelled, Some(at));
        }),
        KeepingEvent::RedriveStepped(it) => edit(it.redrive, &|row| {
            *row.outcomes.entry(it.outcome.code().to_owned()).or_default() += 1;
            let (item, outcome, code) = (it.item, it.outcome, it.code.clone());
            row.last = Some(Stepped { item, outcome, code, at });
        }),
        KeepingEvent::RedriveFinished(it) => edit(it.redrive, &|row| {
            (row.phase, row.ended_at) = (Phase::Finished, Some(at));
        }),
        _ => Ok(()),
    }
}

fn ordered(
    table: &mut Table<RedriveRow>,
    behind: Behind<'_>,
    recorded: &Recorded,
    event: &KeepingEvent,
) {
    let KeepingEvent::RedriveOrdered(it) = event else { return };
    let row = RedriveRow {
        redrive: it.redrive,
        position: recorded.position,
        at: recorded.recorded_at,
        operator: it.operator.clone(),
        reason: it.reason.clone(),
        selection: it.selection.clone(),
        count: it.count,
        per_minute: it.per_minute,
        route_to: it.route_to,
        needs_second: it.needs_second,
        phase: if it.needs_second { Phase::Waiting } else { Phase::Running },
        confirmed: None,
        touched: None,
        ended_at: None,
        last: None,
        outcomes: BTreeMap::new(),
    };
    table.put(behind, it.redrive, row);
}

wrapped_cells!(RedriveId);
listed_cells! {
    RedriveOf = RedriveOf::ALL;
    RedriveOutcome = RedriveOutcome::ALL;
    Phase = Phase::ALL;
}
struct_cells!(RedriveSelection { of, province, why, since, until, only });
struct_cells!(Stepped { item, outcome, code, at });
struct_cells!(RedriveRow {
    redrive,
    position,
    at,
    operator,
    reason,
    selection,
    count,
    per_minute,
    route_to,
    needs_second,
    phase,
    confirmed,
    touched,
    ended_at,
    last,
    outcomes,
});

impl Row for RedriveRow {
    type Key = RedriveId;
    const NAME: &'static str = "redrives";
    const REVISION: u32 = 1;
    const COLUMNS: &'static [&'static str] =
        &["position INTEGER NOT NULL", "open INTEGER NOT NULL"];
    const INDEXES: &'static [&'static str] = &["(position)", "(position) WHERE open = 1"];
    fn columns(&self) -> Vec<Value> {
        let open = !self.phase.has_ended();
        vec![whole(self.position.0), Value::Integer(open.into())]
    }
}

impl ViewReader {
    /// All that have not ended, oldest first: never more than the rules allow at once.
    pub fn open_redrives(&self) -> Result<Vec<RedriveRow>, ViewError> {
        self.look(|file| rows(file, "WHERE open = 1 ORDER BY position", vec![]))
    }

    /// The latest, newest first; `after` is a `Page::next`.
    pub fn redrives(
        &self,
        after: Option<u64>,
        count_max: usize,
    ) -> Result<Page<RedriveRow>, ViewError> {
        let values = vec![whole(after.unwrap_or(u64::MAX)), whole(count_max as u64 + 1)];
        self.look(|file| {
            let tail = "WHERE position < ?1 ORDER BY position DESC LIMIT ?2";
            let mut found = rows::<RedriveRow>(file, tail, values)?;
            let more = found.len() > count_max;
            found.truncate(count_max);
            let next = found.last().map(|it| it.position.0).filter(|_| more);
            Ok(Page { rows: found, next, as_of: crate::views::queries::position(file)? })
        })
    }

    /// One.
    pub fn redrive(&self, redrive: RedriveId) -> Result<Option<RedriveRow>, ViewError> {
        self.look(|file| by_key(file, &redrive))
    }
}
