//! Cases that nothing may be sent of until an operator lets them go on, by reason and province.

use events::case::{CaseEvent, ParkReason};
use events::envelope::Position;
use events::ids::{CaseId, CaseNumber, ProvinceCode};
use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use crate::views::cells::struct_cells;
use crate::views::queries::{rows, whole};
use crate::views::reader::{ViewError, ViewReader};
use crate::views::rows::CaseStage;
use crate::views::status::Change;
use crate::views::table::{Behind, Row, Table, broken};

/// A parked case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedRow {
    pub case: CaseId,
    pub number: CaseNumber,
    /// Whoever returned it, or where it was when it was parked.
    pub province: Option<ProvinceCode>,
    /// The word of the reason.
    pub why: String,
    pub at: Timestamp,
    /// Where that is on record; the order in which parked cases are let go on.
    pub position: Position,
}

/// The words of the reasons.
pub const REASONS: [&str; 3] = ["returned-without-successor", "returned-in-circle", "operator"];

/// Whoever returned it last, or where it was.
fn where_from(reason: &ParkReason, province: Option<ProvinceCode>) -> Option<ProvinceCode> {
    match reason {
        ParkReason::ReturnedWithoutSuccessor { by } | ParkReason::ReturnedInCircle { by } => {
            Some(*by)
        }
        ParkReason::Operator { .. } => province,
    }
}

fn why(reason: &ParkReason) -> &'static str {
    match reason {
        ParkReason::ReturnedWithoutSuccessor { .. } => REASONS[0],
        ParkReason::ReturnedInCircle { .. } => REASONS[1],
        ParkReason::Operator { .. } => REASONS[2],
    }
}

/// It is there as long as the case is parked.
pub(crate) fn apply(table: &mut Table<ParkedRow>, behind: Behind<'_>, change: &Change<'_>) {
    let row = &change.after.row;
    if let CaseEvent::CaseParked(it) = change.event {
        let parked = ParkedRow {
            case: change.case,
            number: row.number.clone(),
            province: where_from(&it.reason, row.province),
            why: why(&it.reason).to_owned(),
            at: change.recorded.recorded_at,
            position: change.recorded.position,
        };
        table.put(behind, change.case, parked);
    } else if change.before.is_some_and(|it| it.stage == CaseStage::Parked)
        && row.stage != CaseStage::Parked
    {
        table.remove(behind, &change.case);
    }
}

struct_cells!(ParkedRow { case, number, province, why, at, position });

impl Row for ParkedRow {
    type Key = CaseId;
    const NAME: &'static str = "parked";
    const REVISION: u32 = 1;
    const COLUMNS: &'static [&'static str] = &[
        "province INTEGER NOT NULL",
        "why TEXT NOT NULL",
        "at INTEGER NOT NULL",
        "position INTEGER NOT NULL",
    ];
    const INDEXES: &'static [&'static str] = &["(province, why, at)", "(position)"];
    fn columns(&self) -> Vec<Value> {
        vec![
            Value::Integer(self.province.map_or(0, ProvinceCode::number).into()),
            Value::Text(self.why.clone()),
            Value::Integer(self.at.as_microsecond()),
            whole(self.position.0),
        ]
    }
}

/// Which parked cases. Absent means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ParkedFilter {
    pub province: Option<ProvinceCode>,
    pub why: Option<String>,
    /// Not parked before then.
    pub since: Option<Timestamp>,
    /// Parked behind this position.
    pub after: u64,
    /// Parked up to this position.
    pub until: Option<u64>,
    /// Only those parked at these positions; empty means any.
    pub only: Vec<u64>,
}

impl ParkedFilter {
    fn condition(&self) -> (String, Vec<Value>) {
        let mut text = "position > ?1".to_owned();
        let mut values = vec![whole(self.after)];
        let mut and = |condition: &str, value: Value| {
            values.push(value);
            text.push_str(&format!(" AND {condition} ?{}", values.len()));
        };
        if let Some(province) = self.province {
            and("province =", Value::Integer(province.number().into()));
        }
        if let Some(why) = &self.why {
            and("why =", Value::Text(why.clone()));
        }
        if let Some(since) = self.since {
            and("at >=", Value::Integer(since.as_microsecond()));
        }
        if let Some(until) = self.until {
            and("position <=", whole(until));
        }
        if !self.only.is_empty() {
            let numbers: Vec<String> = self.only.iter().map(u64::to_string).collect();
            text.push_str(&format!(" AND position IN ({})", numbers.join(", ")));
        }
        (text, values)
    }
}

/// How many cases of a province are parked for a reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParkedGroup {
    pub province: Option<ProvinceCode>,
    pub why: String,
    pub count: u64,
    pub oldest: Timestamp,
    pub newest: Timestamp,
}

fn moment(microsecond: i64) -> Timestamp {
    Timestamp::from_microsecond(microsecond).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn groups(file: &Connection) -> Result<Vec<ParkedGroup>, ViewError> {
    let sql = "SELECT province, why, count(*), min(at), max(at) FROM parked
               GROUP BY province, why ORDER BY province, why";
    let mut select = file.prepare_cached(sql).map_err(broken::<ParkedRow>("read"))?;
    let group = |row: &rusqlite::Row<'_>| {
        Ok(ParkedGroup {
            province: row.get(0).map(ProvinceCode::new)?,
            why: row.get(1)?,
            count: row.get::<_, i64>(2)?.unsigned_abs(),
            oldest: moment(row.get(3)?),
            newest: moment(row.get(4)?),
        })
    };
    let found = select.query_map([], group).map_err(broken::<ParkedRow>("read"))?;
    found.collect::<Result<_, _>>().map_err(broken::<ParkedRow>("read"))
}

impl ViewReader {
    /// Parked cases, counted by province and reason.
    pub fn parked_groups(&self) -> Result<Vec<ParkedGroup>, ViewError> {
        self.look(groups)
    }

    /// Those that `filter` lets through, the one parked first first.
    pub fn parked(
        &self,
        filter: &ParkedFilter,
        count_max: usize,
    ) -> Result<Vec<ParkedRow>, ViewError> {
        let (condition, values) = filter.condition();
        let tail = format!("WHERE {condition} ORDER BY position LIMIT {count_max}");
        self.look(|file| rows(file, &tail, values))
    }

    /// How many `filter` lets through, and since when the first of them is parked.
    pub fn parked_count(
        &self,
        filter: &ParkedFilter,
    ) -> Result<(u64, Option<Timestamp>), ViewError> {
        let (condition, values) = filter.condition();
        let sql = format!("SELECT count(*), min(at) FROM parked WHERE {condition}");
        self.look(|file| {
            let counted = file.query_row(&sql, params_from_iter(values), |row| {
                Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, Option<i64>>(1)?))
            });
            let (count, oldest) = counted.map_err(broken::<ParkedRow>("count"))?;
            Ok((count, oldest.map(moment)))
        })
    }
}
