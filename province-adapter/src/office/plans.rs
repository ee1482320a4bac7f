//! What an office of ours still has to do with each case, durable: whoever is killed goes on where it was.

use events::ids::CaseId;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tracing::warn;

use crate::outbox::{id, read_id};
use crate::store::StoreError;

/// A case, what is to be done with it, and since when it is due.
pub(super) type Due<P> = (CaseId, P, Timestamp);

/// The plan of a case. One of an older shape counts as none.
pub(super) fn find<P: DeserializeOwned>(
    connection: &Connection,
    case: CaseId,
) -> Result<Option<P>, StoreError> {
    let text: Option<String> = connection
        .prepare_cached("SELECT plan FROM office WHERE case_id = ?1")?
        .query_row([id(case.0)], |row| row.get(0))
        .optional()?;
    Ok(text.and_then(|it| serde_json::from_str(&it).ok()))
}

/// Keeps the plan of a case until `next_at`; without it the plan rests.
pub(super) fn keep(
    connection: &Connection,
    case: CaseId,
    plan: &impl Serialize,
    next_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(plan).expect("a plan is plain data with text keys");
    connection
        .prepare_cached(
            "INSERT INTO office (case_id, plan, next_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (case_id) DO UPDATE SET plan = ?2, next_at = ?3",
        )?
        .execute(params![id(case.0), text, next_at.map(|it| it.as_millisecond())])?;
    Ok(())
}

/// What is due at `told`, longest due first, `count_max` at most.
pub(super) fn due<P: DeserializeOwned>(
    connection: &Connection,
    told: Timestamp,
    count_max: usize,
) -> Result<Vec<Due<P>>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT case_id, plan, next_at FROM office WHERE next_at <= ?1 ORDER BY next_at LIMIT ?2",
    )?;
    let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
    let mut rows = select.query(params![told.as_millisecond(), count_max])?;
    let (mut due, mut unreadable) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let text: String = row.get(1)?;
        let at = Timestamp::from_millisecond(row.get(2)?).unwrap_or(told);
        let case = CaseId(read_id(row, 0)?);
        match serde_json::from_str(&text) {
            Ok(plan) => due.push((case, plan, at)),
            // Of an older shape or of another office: it waits for the next work of the case and holds up
            // nobody.
            Err(_) => unreadable.push(case),
        }
    }
    for case in unreadable {
        warn!(case.id = %case, "the plan of case {case} is unreadable and rests");
        connection.execute("UPDATE office SET next_at = NULL WHERE case_id = ?1", [id(case.0)])?;
    }
    Ok(due)
}

/// When the next plan becomes due.
pub(super) fn next_due(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let next: Option<i64> = connection
        .prepare_cached("SELECT min(next_at) FROM office WHERE next_at IS NOT NULL")?
        .query_row([], |row| row.get(0))?;
    Ok(next.and_then(|it| Timestamp::from_millisecond(it).ok()))
}
