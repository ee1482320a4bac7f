//! What the office answered and could not be used, kept for `status`: the connector's log says it once, and whoever
//! comes after a holiday must find it too. Names and codes only.

use rusqlite::{Connection, params};
use tracing::debug;

use crate::adapter::Shared;
use crate::pacing::tellable;
use crate::store::StoreError;

/// Kinds and names that are kept; the oldest go first.
const KEPT_MAX: i64 = 500;
/// The whole office, not one answer of it.
const AWAY: &str = "away";

/// Notes it; the same again counts up.
pub(crate) fn note(
    connection: &Connection,
    (source, about): (&str, &str),
    code: &str,
    text: &str,
    now_ms: i64,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO trouble VALUES (?1, ?2, ?3, ?4, ?5, ?5, 1)
             ON CONFLICT (source, about, code) DO UPDATE SET
               text = excluded.text, last = excluded.last, count = count + 1",
        )?
        .execute(params![source, tellable(about), code, tellable(text), now_ms])?;
    connection
        .prepare_cached(
            "DELETE FROM trouble WHERE last < (SELECT last FROM trouble ORDER BY last DESC LIMIT 1 OFFSET ?1)",
        )?
        .execute([KEPT_MAX])?;
    Ok(())
}

/// The office's folders or tables cannot be used, or can be again.
pub(crate) async fn away(shared: &Shared, source: &'static str, why: Option<String>) {
    let now_ms = shared.clock.real_now().as_millisecond();
    let noted = shared.store.write(move |it: &Connection| match why {
        Some(why) => note(it, (source, AWAY), AWAY, &why, now_ms),
        None => {
            let sql = "DELETE FROM trouble WHERE source = ?1 AND about = ?2";
            it.prepare_cached(sql)?.execute([source, AWAY])?;
            Ok(())
        }
    });
    if let Err(error) = noted.await {
        debug!(error = %error, "cannot note that the office is away");
    }
}
