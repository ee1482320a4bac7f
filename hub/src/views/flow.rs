//! What came in and what ended, hour by hour and province by province: the last day at a glance.

use std::collections::BTreeMap;

use events::case::CaseEvent;
use events::ids::ProvinceCode;
use jiff::Timestamp;
use rusqlite::types::Value;

use crate::views::cells::struct_cells;
use crate::views::provinces::{median, whole_hours};
use crate::views::queries::rows;
use crate::views::reader::{ViewError, ViewReader};
use crate::views::status::Change;
use crate::views::table::{Behind, Row, Table};

/// An hour, in seconds.
const HOUR_SECONDS: i64 = 3600;

/// What one province received and ended in one hour, by the moment of recording.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FlowRow {
    /// Whole hours since 1970-01-01T00:00Z; Shanghai's hours begin at the same moments.
    pub hour: u32,
    /// The province, by its number; 0: no province had them.
    province: u8,
    /// Cases recorded then and routed to it first: each case once.
    pub received: u64,
    /// Cases completed, approved or denied.
    pub completed: u64,
    /// Cases declined.
    pub declined: u64,
    /// Cases that ended: completed, declined, withdrawn or lapsed.
    pub ended: u64,
    /// The decided ones by whole hours from submission to the recorded end.
    hours: BTreeMap<u32, u64>,
}

impl FlowRow {
    /// Whose it is.
    pub fn province(&self) -> Option<ProvinceCode> {
        ProvinceCode::new(self.province)
    }

    /// When its hour began.
    pub fn began(&self) -> Timestamp {
        Timestamp::from_second(i64::from(self.hour) * HOUR_SECONDS).unwrap_or(Timestamp::MAX)
    }
}

/// The hour that holds `moment`.
pub fn hour_of(moment: Timestamp) -> u32 {
    u32::try_from(moment.as_second().div_euclid(HOUR_SECONDS)).unwrap_or(0)
}

/// Hours from submission to the recorded end of the middle case among these rows' decided ones.
pub fn median_hours<'a>(rows: impl Iterator<Item = &'a FlowRow>) -> Option<f64> {
    let mut hours = BTreeMap::new();
    for (hour, cases) in rows.flat_map(|it| &it.hours) {
        *hours.entry(*hour).or_default() += cases;
    }
    median(&hours)
}

pub(crate) fn apply(
    table: &mut Table<FlowRow>,
    behind: Behind<'_>,
    change: &Change<'_>,
) -> Result<(), ViewError> {
    if change.is_first_route() {
        // In the hour of the case's own record, which lists are narrowed by.
        row_at(table, behind, change, change.after.row.recorded_at)?.received += 1;
    }
    if change.ends() {
        let row = row_at(table, behind, change, change.recorded.recorded_at)?;
        row.ended += 1;
        let completed = matches!(change.event, CaseEvent::CaseCompleted(_));
        let declined = matches!(change.event, CaseEvent::CaseDeclined(_));
        row.completed += u64::from(completed);
        row.declined += u64::from(declined);
        if completed || declined {
            *row.hours.entry(whole_hours(change)).or_default() += 1;
        }
    }
    Ok(())
}

/// The row of the hour that holds `at` and of the province that has the case.
fn row_at<'a>(
    table: &'a mut Table<FlowRow>,
    behind: Behind<'_>,
    change: &Change<'_>,
    at: Timestamp,
) -> Result<&'a mut FlowRow, ViewError> {
    let (hour, province) = (hour_of(at), change.after.row.province.map_or(0, ProvinceCode::number));
    let row = table.change_or_default(behind, &(province, hour))?;
    (row.hour, row.province) = (hour, province);
    Ok(row)
}

struct_cells!(FlowRow { hour, province, received, completed, declined, ended, hours });

impl Row for FlowRow {
    type Key = (u8, u32);
    const NAME: &'static str = "flow";
    const REVISION: u32 = 2;
    const COLUMNS: &'static [&'static str] = &["hour INTEGER NOT NULL"];
    const INDEXES: &'static [&'static str] = &["(hour)"];
    fn columns(&self) -> Vec<Value> {
        vec![Value::Integer(self.hour.into())]
    }
}

impl ViewReader {
    /// What came and ended in each hour from the one that holds `since` on, oldest first.
    pub fn flow_since(&self, since: Timestamp) -> Result<Vec<FlowRow>, ViewError> {
        let hour = Value::Integer(hour_of(since).into());
        self.look(|file| rows(file, "WHERE hour >= ?1 ORDER BY hour, key", vec![hour]))
    }
}
