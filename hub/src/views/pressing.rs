//! What presses now: alerts by cause and province, open cases by urgency, the longest wait.

use events::ids::{CaseId, ProvinceCode};
use events::vocabulary::{AlertKind, Stage};
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::types::Value;

use crate::views::alerts::kind_number;
use crate::views::queries::{
    alert_groups, by_key, due_soon, nothing_came_back, position, pressures, rows, waited, whole,
};
use crate::views::reader::{PAGE_ROWS_MAX, Page, ViewError, ViewReader};
use crate::views::rows::{AlertGroup, AlertRow, Pressure, Waited};

/// What a list of alerts is narrowed to. Absent means any.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AlertFilter {
    pub kind: Option<AlertKind>,
    pub province: Option<ProvinceCode>,
    /// Only of cases that no province has.
    pub nowhere: bool,
    pub open_only: bool,
}

impl ViewReader {
    /// Recorded alerts, newest first, plus (on the first page) those that are told when asked: due soon as of
    /// `today` and its next working day `soon`, nothing came back as of `now`.
    pub fn alerts(
        &self,
        filter: AlertFilter,
        after: Option<u64>,
        count_max: usize,
        now: Timestamp,
        soon: Date,
    ) -> Result<Page<AlertRow>, ViewError> {
        let AlertFilter { kind, province, nowhere, open_only } = filter;
        let count_max = count_max.min(PAGE_ROWS_MAX);
        let mut values = vec![whole(after.unwrap_or(i64::MAX as u64)), whole(count_max as u64 + 1)];
        let mut narrowed = String::new();
        if open_only {
            narrowed.push_str("open = 1 AND ");
        }
        if nowhere {
            narrowed.push_str("province IS NULL AND ");
        }
        let kind_asked = kind.map(|it| ("kind", kind_number(it)));
        let province_asked = province.map(|it| ("province", it.number().into()));
        for (column, value) in kind_asked.into_iter().chain(province_asked) {
            values.push(Value::Integer(value));
            narrowed.push_str(&format!("{column} = ?{} AND ", values.len()));
        }
        let tail = format!("WHERE {narrowed} position < ?1 ORDER BY position DESC LIMIT ?2");
        let wanted = |it| after.is_none() && kind.is_none_or(|kind| kind == it);
        self.look(|file| {
            let mut recorded = rows::<AlertRow>(file, &tail, values)?;
            let more = recorded.len() > count_max;
            recorded.truncate(count_max);
            let next = recorded.last().map(|it| it.position.0).filter(|_| more);
            let mut told = Vec::new();
            // What no province has is sent to none.
            if wanted(AlertKind::NothingCameBack) && !nowhere {
                told.extend(nothing_came_back(file, now, province, count_max)?);
            }
            if wanted(AlertKind::DueSoon) {
                told.extend(due_soon(file, now, soon, (province, nowhere), count_max)?);
            }
            told.extend(recorded);
            Ok(Page { rows: told, next, as_of: position(file)? })
        })
    }

    /// One recorded alert.
    pub fn alert(
        &self,
        case: CaseId,
        kind: AlertKind,
        stage: Option<Stage>,
    ) -> Result<Option<AlertRow>, ViewError> {
        self.look(|file| by_key::<AlertRow>(file, &crate::views::alerts::key(case, kind, stage)))
    }

    /// Every standing alert, counted by cause and province, those that are told when asked included.
    pub fn alert_groups(
        &self,
        now: Timestamp,
        today: Date,
        soon: Date,
    ) -> Result<Vec<AlertGroup>, ViewError> {
        self.look(|file| alert_groups(file, now, today, soon))
    }

    /// What presses in each province that has open cases, as of `now`; `soon` is the next working day.
    pub fn pressures(
        &self,
        now: Timestamp,
        today: Date,
        soon: Date,
    ) -> Result<Vec<Pressure>, ViewError> {
        self.look(|file| pressures(file, now, today, soon))
    }

    /// How long the oldest work has waited for each province that any waits for.
    pub fn waited(&self) -> Result<Vec<Waited>, ViewError> {
        self.look(waited)
    }
}
