//! Counting on after a refusal. A number that was used before us (a lost store) is given anew; a number
//! that a refusal did not use up goes to the report behind it. What was decided stays what it was:
//! the hub holds a second, different decision against the first, whatever its number.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use events::ids::CaseId;
use events::proof::seal;
use events::report::ReportMessage;
use events::wire;
use events::work::ReportReceipt;
use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::inbox;
use crate::inventory::note_number;
use crate::keys::Identity;
use crate::outbox::{Draft, ReportError, enqueue_new, id, signed};
use crate::reporter::reply_key;
use crate::store::StoreError;

/// The hub's refusal of a report whose number it has had before.
const NUMBER_REUSED: &str = "number-reused";
/// Kept instead of a refusal: the news went out again under another number.
const RENUMBERED: &str = "renumbered";

/// After the sending of a report has ended with a refusal.
pub(crate) fn after_refusal(
    connection: &Connection,
    identity: &Identity,
    receipt: &ReportReceipt,
    now: Timestamp,
) -> Result<(), ReportError> {
    let Some(code) = receipt.refused.as_deref() else { return Ok(()) };
    if let Some(next) = receipt.next_number {
        note_number(connection, receipt.case, next)?;
    }
    if code == NUMBER_REUSED && receipt.next_number.is_some() {
        let report = connection
            .prepare_cached("SELECT id, body FROM report WHERE report_id = ?1")?
            .query_row([id(receipt.report.0)], |row| Ok((row.get(0)?, row.get(1)?)))?;
        return say_under_another_number(connection, identity, report, now);
    }
    let free = connection
        .prepare_cached("SELECT number >= ?2 FROM report WHERE report_id = ?1")?
        .query_row(
        params![id(receipt.report.0), receipt.next_number.map(signed)],
        |row| row.get::<_, Option<bool>>(0),
    )?;
    if receipt.position.is_some() || free != Some(true) {
        return Ok(());
    }
    // Not on record: its number is still expected, and whatever was written behind it came too early.
    let number: i64 = connection
        .prepare_cached("UPDATE report SET number = -id WHERE report_id = ?1 RETURNING id")?
        .query_row([id(receipt.report.0)], |row| row.get(0))?;
    for later in unsigned_after(connection, receipt.case, number)? {
        say_under_another_number(connection, identity, later, now)?;
    }
    Ok(())
}

type Row = (i64, Vec<u8>);

/// What was written after `row` and has no receipt yet, in the order of writing.
fn unsigned_after(connection: &Connection, case: CaseId, row: i64) -> Result<Vec<Row>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT id, body FROM report
         WHERE case_id = ?1 AND id > ?2 AND next_send_at IS NOT NULL ORDER BY number",
    )?;
    let rows = select.query_map(params![id(case.0), row], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let later = rows.collect::<Result<Vec<Row>, _>>()?;
    // All of their numbers are free before the first is given anew.
    let mut free = connection.prepare_cached(
        "UPDATE report SET number = -id, next_send_at = NULL, ended_at = created_at, refusal = ?2
         WHERE id = ?1",
    )?;
    for (row, _) in &later {
        free.execute(params![row, RENUMBERED])?;
    }
    Ok(later)
}

fn say_under_another_number(
    connection: &Connection,
    identity: &Identity,
    (_, body): Row,
    now: Timestamp,
) -> Result<(), ReportError> {
    // It was readable when it was written; an older program may have been put back.
    let Ok(message) = wire::report_from_bytes(&body) else { return Ok(()) };
    let text = text_of(connection, identity, &message)?;
    let ReportMessage { occurred_at, report, .. } = message;
    let (case, request, digest, news) = (report.case, report.request, report.digest, report.news);
    let draft = Draft { case, request, digest, news, occurred_at, text };
    enqueue_new(connection, identity, draft, now)?;
    Ok(())
}

/// The text is bound to the number: it is opened, to be sealed again.
fn text_of(
    connection: &Connection,
    identity: &Identity,
    message: &ReportMessage,
) -> Result<Option<([u8; 32], String)>, ReportError> {
    let (report, case) = (&message.report, message.report.case);
    let Some(sealed) = &report.sealed_text else { return Ok(None) };
    let missing = || ReportError::NoReplyKey { case };
    let work = inbox::newest_work(connection, case)?.ok_or_else(missing)?;
    let key = reply_key(identity, &work)?;
    let sealed = BASE64.decode(sealed).map_err(|_| missing())?;
    let text =
        seal::open(&key, report.text_context().as_bytes(), &sealed).map_err(|_| missing())?;
    let text = String::from_utf8(text).map_err(|_| missing())?;
    Ok(Some((key, text)))
}
