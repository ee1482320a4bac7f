//! Annex 1 (宣传推广工作统计表) on its way to the hub: one statement a month waits in the store, signed and sent
//! until the hub has signed for it. A correction takes the place of what it corrects.

use events::publicity::{Month, Statement, Told};
use events::subjects;
use events::wire;
use events::work::StatementReceipt;
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use crate::inventory::{Told as Letter, shanghai_date};
use crate::keys::Identity;
use crate::outbox::{ADAPTER_VERSION, Pace, ReportError, id, new_id, read_id, signed};
use crate::store::{MayBeStoreError, StoreError};

pub mod file;
pub mod state;
pub mod table;

/// Months that are kept, settled or not; more than may be stated.
const MONTHS_KEPT_MAX: i64 = 24;

/// Why a statement was not kept. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum StatementError {
    /// The month is not one that may be told now.
    #[error(
        "`/month` is {month}: month-not-open\n(it is the present month or one of the twelve before; today is {today} in Shanghai)"
    )]
    MonthNotOpen {
        /// Which.
        month: Month,
        /// The day in Shanghai.
        today: jiff::civil::Date,
    },
    /// A field breaks its bounds.
    #[error("`{pointer}`: out-of-bounds\n(see `province-adapter publicity --help`)")]
    OutOfBounds {
        /// Which, as a JSON pointer.
        pointer: String,
    },
    /// Something of a person would stand in clear.
    #[error(
        "identity-number-in-clear: an identity number stands in a text\n(nothing about a person belongs here)"
    )]
    IdentityNumberInClear,
    /// No id could be drawn, or the store failed.
    #[error("cannot keep the statement")]
    Report(#[from] ReportError),
}

impl From<StoreError> for StatementError {
    fn from(it: StoreError) -> Self {
        Self::Report(it.into())
    }
}

impl From<rusqlite::Error> for StatementError {
    fn from(it: rusqlite::Error) -> Self {
        Self::Report(it.into())
    }
}

impl MayBeStoreError for StatementError {
    fn store_error(&self) -> Option<&StoreError> {
        if let Self::Report(it) = self { it.store_error() } else { None }
    }
}

/// For whom a statement speaks.
#[derive(Debug, Clone)]
pub(crate) struct Speaker {
    pub(crate) origin: String,
    pub(crate) province: events::ids::ProvinceCode,
}

/// What stands in the store now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// The statement's id.
    pub id: Uuid,
    /// The same content was there already, waiting or on record.
    pub known: bool,
}

/// Checks it and makes it the month's word: durable on return, sent by the adapter that runs.
pub(crate) fn keep(
    connection: &Connection,
    speaker: &Speaker,
    statement: Statement,
    told_now: Timestamp,
    now: Timestamp,
) -> Result<Kept, StatementError> {
    check(&statement, told_now)?;
    let (month, hash) = (statement.month, statement.hash());
    let last = last(connection, month)?;
    if let Some(last) = &last
        && last.hash == hash.0
        && last.refusal.is_none()
    {
        return Ok(Kept { id: last.id, known: true });
    }
    // The hub takes the later one, and this machine's clock may have been put back.
    let after = |it: &Last| it.stated_at.saturating_add(SignedDuration::from_millis(1));
    let stated_at =
        last.as_ref().and_then(|it| after(it).ok()).map_or(told_now, |it| it.max(told_now));
    let statement_id = new_id(now)?;
    let Speaker { origin, province } = speaker.clone();
    let told = Told { origin, province, adapter: ADAPTER_VERSION.to_owned(), statement };
    let body = wire::statement_to_bytes(statement_id, stated_at, &told);
    if body.len() > subjects::PAYLOAD_BYTES_MAX {
        return Err(ReportError::TooLarge { bytes: body.len() }.into());
    }
    connection.execute(
        "INSERT OR REPLACE INTO statement
           (month, id, hash, stated_at, body, created_at, next_send_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
        params![
            month.to_string(),
            id(statement_id),
            hash.0,
            stated_at.as_millisecond(),
            body,
            now.as_millisecond()
        ],
    )?;
    connection.execute(
        "DELETE FROM statement WHERE month NOT IN
           (SELECT month FROM statement ORDER BY month DESC LIMIT ?1)",
        [MONTHS_KEPT_MAX],
    )?;
    Ok(Kept { id: statement_id, known: false })
}

/// The bounds of the contract: what the hub would refuse is refused here, by the same names.
fn check(statement: &Statement, told_now: Timestamp) -> Result<(), StatementError> {
    let (month, today) = (statement.month, shanghai_date(told_now));
    if !month.is_open_on(today) {
        return Err(StatementError::MonthNotOpen { month, today });
    }
    if statement.rows.iter().any(|it| events::personal::has_identity_number(&it.text)) {
        return Err(StatementError::IdentityNumberInClear);
    }
    match statement.flaw() {
        Some(pointer) => Err(StatementError::OutOfBounds { pointer }),
        None => Ok(()),
    }
}

struct Last {
    id: Uuid,
    hash: [u8; 32],
    stated_at: Timestamp,
    refusal: Option<String>,
}

fn last(connection: &Connection, month: Month) -> Result<Option<Last>, StoreError> {
    let sql = "SELECT id, hash, stated_at, refusal FROM statement WHERE month = ?1";
    let found = connection.query_row(sql, [month.to_string()], |row| {
        let stated_at = Timestamp::from_millisecond(row.get(2)?).unwrap_or(Timestamp::MIN);
        Ok(Last { id: read_id(row, 0)?, hash: row.get(1)?, stated_at, refusal: row.get(3)? })
    });
    Ok(found.optional()?)
}

/// Statements that are due now; each counts as an attempt, so that a crash repeats no id.
pub(crate) fn claim_due(
    connection: &Connection,
    identity: &Identity,
    pace: &Pace,
    now: Timestamp,
) -> Result<Vec<Letter>, StoreError> {
    let now_ms = now.as_millisecond();
    let mut select = connection.prepare_cached(
        "SELECT month, id, attempt + 1, pace_step, body FROM statement
         WHERE next_send_at <= ?1 ORDER BY stated_at",
    )?;
    let mut update = connection.prepare_cached(
        "UPDATE statement SET attempt = attempt + 1, pace_step = pace_step + 1, next_send_at = ?2
         WHERE month = ?1",
    )?;
    let mut letters = Vec::new();
    let mut rows = select.query([now_ms])?;
    while let Some(row) = rows.next()? {
        let (month, attempt, step): (String, i64, i64) = (row.get(0)?, row.get(2)?, row.get(3)?);
        let (message_id, body) = (format!("{}.{attempt}", read_id(row, 1)?), row.get(4)?);
        let wait_ms = pace.wait_ms(step, rand::random());
        letters.push((month, now_ms.saturating_add(wait_ms), message_id, body));
    }
    let letter = |(month, next_at, message_id, body): (String, i64, String, Vec<u8>)| {
        update.execute(params![month, next_at])?;
        let signature = identity.sign_report(&body);
        Ok(Letter { token: subjects::PUBLICITY_TOKEN, message_id, body, signature })
    };
    letters.into_iter().map(letter).collect()
}

/// When the next one is due, if any waits.
pub(crate) fn next_due(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let next: Option<i64> = connection
        .prepare_cached("SELECT min(next_send_at) FROM statement")?
        .query_row([], |row| row.get(0))?;
    Ok(next.and_then(|it| Timestamp::from_millisecond(it).ok()))
}

/// The hub signed for it: stop sending. False if no such statement is kept: a correction has its place.
pub(crate) fn end(
    connection: &Connection,
    receipt: &StatementReceipt,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let ended = connection
        .prepare_cached(
            "UPDATE statement SET next_send_at = NULL, ended_at = ?2, position = ?3, refusal = ?4
             WHERE id = ?1 AND next_send_at IS NOT NULL",
        )?
        .execute(params![
            id(receipt.statement),
            now.as_millisecond(),
            receipt.position.map(signed),
            receipt.refused
        ])?;
    Ok(ended > 0)
}

/// A new writer runs the hub: it hears at once what it has not signed for.
pub(crate) fn hurry(connection: &Connection, now: Timestamp) -> Result<(), StoreError> {
    connection.execute(
        "UPDATE statement SET next_send_at = ?1, pace_step = 0 WHERE next_send_at > ?1",
        [now.as_millisecond()],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests;
