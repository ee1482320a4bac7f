//! The work as an office lists it: numbered in the order of arrival, with its own codes beside the hub's.

use events::ids::CaseId;
use events::wire::{self, ToProvince};
use events::work::Work;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Value, json};

use crate::handing;
use crate::office::codes::Codes;
use crate::outbox::{id, read_id};
use crate::store::StoreError;

/// One piece of work as it is kept.
pub(super) struct Kept {
    pub(super) number: i64,
    pub(super) received_at: Timestamp,
    pub(super) taken_at: Option<Timestamp>,
    /// Nothing if this version cannot read it.
    pub(super) work: Option<Work>,
}

const COLUMNS: &str = "id, received_at, taken_at, body";

fn read(row: &rusqlite::Row<'_>) -> Result<Kept, rusqlite::Error> {
    let moment = |it: i64| Timestamp::from_millisecond(it).unwrap_or(Timestamp::MIN);
    let body: Vec<u8> = row.get(3)?;
    Ok(Kept {
        number: row.get(0)?,
        received_at: moment(row.get(1)?),
        taken_at: row.get::<_, Option<i64>>(2)?.map(moment),
        work: match wire::to_province_from_bytes(&body) {
            Ok(ToProvince::Work(work)) => Some(work),
            Ok(ToProvince::Receipts(_) | ToProvince::Order(_)) | Err(_) => None,
        },
    })
}

/// Work after `after` in the order of arrival: what waits, one a case, or all of it.
pub(super) fn list(
    connection: &Connection,
    after: i64,
    all: bool,
    count_max: usize,
) -> Result<Vec<Kept>, StoreError> {
    let waiting = "taken_at IS NULL AND NOT EXISTS (SELECT 1 FROM work AS earlier
         WHERE earlier.case_id = work.case_id AND earlier.taken_at IS NULL AND earlier.id < work.id)";
    let which = if all { "1" } else { waiting };
    let mut select = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM work WHERE id > ?1 AND {which} ORDER BY id LIMIT ?2"
    ))?;
    let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
    let rows = select.query_map(params![after, count_max], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

pub(super) fn find(connection: &Connection, number: i64) -> Result<Option<Kept>, StoreError> {
    Ok(connection
        .prepare_cached(&format!("SELECT {COLUMNS} FROM work WHERE id = ?1"))?
        .query_row([number], read)
        .optional()?)
}

/// What taking did.
pub(super) enum Taking {
    /// It is the office's now, or was.
    Taken { again: bool },
    /// No such work.
    Unknown,
    /// This one must be taken first.
    EarlierWaits { number: i64 },
}

pub(super) fn take(
    connection: &Connection,
    number: i64,
    now: Timestamp,
) -> Result<Taking, StoreError> {
    let found: Option<([u8; 16], bool)> = connection
        .prepare_cached("SELECT case_id, taken_at IS NOT NULL FROM work WHERE id = ?1")?
        .query_row([number], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((case, taken)) = found else { return Ok(Taking::Unknown) };
    if taken {
        return Ok(Taking::Taken { again: true });
    }
    let earlier: Option<i64> = connection
        .prepare_cached(
            "SELECT min(id) FROM work WHERE case_id = ?1 AND taken_at IS NULL AND id < ?2",
        )?
        .query_row(params![case, number], |row| row.get(0))?;
    if let Some(number) = earlier {
        return Ok(Taking::EarlierWaits { number });
    }
    handing::taken(connection, number, now)?;
    Ok(Taking::Taken { again: false })
}

/// Everything the office may know of a case: its work, and what became of its answers.
pub(super) fn case(connection: &Connection, case: CaseId) -> Result<Option<Value>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT id, taken_at IS NOT NULL FROM work WHERE case_id = ?1 ORDER BY id",
    )?;
    let work = select
        .query_map([id(case.0)], |row| {
            Ok(json!({"number": row.get::<_, i64>(0)?, "taken": row.get::<_, bool>(1)?}))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    if work.is_empty() {
        return Ok(None);
    }
    let mut select = connection.prepare_cached(
        "SELECT report_id, token, number, refusal, next_send_at IS NULL FROM report
         WHERE case_id = ?1 ORDER BY number",
    )?;
    let reports = select
        .query_map([id(case.0)], |row| {
            let (refusal, ended): (Option<String>, bool) = (row.get(3)?, row.get(4)?);
            let state = match (&refusal, ended) {
                (Some(_), _) => "refused",
                (None, true) => "recorded",
                (None, false) => "waiting",
            };
            Ok(json!({
                "report_id": read_id(row, 0)?, "kind": row.get::<_, String>(1)?,
                "number": row.get::<_, i64>(2)?, "state": state, "refusal": refusal,
            }))
        })?
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Some(json!({"case_id": case, "work": work, "reports": reports})))
}

/// The reports that the hub refused, after a cursor: somebody in the office must look at each.
pub(super) fn refused(
    connection: &Connection,
    after: i64,
    count_max: usize,
) -> Result<Vec<(i64, Value)>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT id, report_id, case_id, token, refusal FROM report
         WHERE refusal IS NOT NULL AND id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let rows =
        select.query_map(params![after, i64::try_from(count_max).unwrap_or(i64::MAX)], |row| {
            let value = json!({
                "report_id": read_id(row, 1)?, "case_id": read_id(row, 2)?,
                "kind": row.get::<_, String>(3)?, "refusal": row.get::<_, String>(4)?,
            });
            Ok((row.get(0)?, value))
        })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// A row of the list. No personal value.
pub(super) fn shown(kept: &Kept, codes: &Codes) -> Value {
    let mut shown = json!({
        "number": kept.number, "received_at": kept.received_at, "taken_at": kept.taken_at,
    });
    let Some(work) = &kept.work else { return shown };
    let mut unmapped = Vec::new();
    let mut code = |found: Result<&str, crate::office::codes::CodeError>| match found {
        Ok(code) => Value::from(code),
        Err(error) => {
            unmapped.push(error.to_string());
            Value::Null
        }
    };
    let local = json!({
        "kind": code(codes.work(work.kind)), "item": code(codes.item(work.item)),
        "category": code(codes.category(work.category)), "channel": code(codes.channel(work.channel)),
        "authority": code(codes.authority(&work.authority)),
    });
    for (name, value) in [
        ("kind", json!(work.kind)),
        ("case_id", json!(work.case)),
        ("case_number", json!(work.number)),
        ("request", json!(work.request)),
        ("item", json!(work.item)),
        ("category", json!(work.category)),
        ("channel", json!(work.channel)),
        ("authority", json!(work.authority)),
        ("submitted_at", json!(work.submitted_at)),
        ("due", json!(work.due)),
        ("office_codes", local),
        ("unmapped", json!(unmapped)),
        ("origin", json!(work.origin)),
    ] {
        shown[name] = value;
    }
    shown
}
