//! What ends the sending of a report, and what begins it again: receipts, and a hub that has forgotten.

use events::ids::CaseId;
use events::work::ReportReceipt;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::outbox::{id, signed};
use crate::store::StoreError;

/// What a receipt did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The sending ends now: recorded, or refused for good.
    Now { refused: bool },
    /// It had ended before.
    Before,
    /// A receipt for a report that this adapter never wrote.
    UnknownReport,
}

/// The hub signed for it: stop sending. A refusal ends the sending too and is kept.
pub(crate) fn end(
    connection: &Connection,
    receipt: &ReportReceipt,
    now: Timestamp,
) -> Result<Ended, StoreError> {
    let waiting: Option<bool> = connection
        .prepare_cached(
            "SELECT next_send_at IS NOT NULL FROM report WHERE report_id = ?1 AND case_id = ?2",
        )?
        .query_row(params![id(receipt.report.0), id(receipt.case.0)], |row| row.get(0))
        .optional()?;
    match waiting {
        None => return Ok(Ended::UnknownReport),
        Some(false) => return Ok(Ended::Before),
        Some(true) => {}
    }
    connection
        .prepare_cached(
            "UPDATE report SET next_send_at = NULL, ended_at = ?2, position = ?3, refusal = ?4
             WHERE report_id = ?1",
        )?
        .execute(params![
            id(receipt.report.0),
            now.as_millisecond(),
            receipt.position.map(signed),
            receipt.refused
        ])?;
    Ok(Ended::Now { refused: receipt.refused.is_some() })
}

/// The hub hands the work out again although it had signed for our receipt: it has lost this
/// report, and then the later ones of the case too. The same bytes go out again.
pub(crate) fn send_again_from(
    connection: &Connection,
    case: CaseId,
    row: i64,
    now: Timestamp,
) -> Result<usize, StoreError> {
    Ok(connection
        .prepare_cached(
            "UPDATE report SET next_send_at = ?3, pace_step = 0, ended_at = NULL
             WHERE case_id = ?1 AND next_send_at IS NULL AND refusal IS NULL
               AND number >= (SELECT number FROM report WHERE id = ?2)",
        )?
        .execute(params![id(case.0), row, now.as_millisecond()])?)
}

/// The hub says that it has none of these although it had signed for them: the same bytes go out again.
pub(crate) fn send_all_again(
    connection: &Connection,
    case: CaseId,
    now: Timestamp,
) -> Result<usize, StoreError> {
    Ok(connection
        .prepare_cached(
            "UPDATE report SET next_send_at = ?2, pace_step = 0, ended_at = NULL
             WHERE case_id = ?1 AND next_send_at IS NULL AND refusal IS NULL",
        )?
        .execute(params![id(case.0), now.as_millisecond()])?)
}

/// A new writer runs the hub: it hears everything unreceipted at once, not in an hour.
pub(crate) fn hurry(connection: &Connection, now: Timestamp) -> Result<usize, StoreError> {
    Ok(connection.execute(
        "UPDATE report SET next_send_at = ?1, pace_step = 0 WHERE next_send_at > ?1",
        [now.as_millisecond()],
    )?)
}
