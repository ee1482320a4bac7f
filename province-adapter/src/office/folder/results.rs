//! What the hub said of answers, told to the office in numbered files: a batch is fixed before it is
//! written, so that a crash repeats its number and its bytes.

use rusqlite::{Connection, OptionalExtension as _};

use super::place::Room;
use super::receipt::{self, Line};
use super::{FolderError, FolderOffice, SOURCE};
use crate::office::ledger;
use crate::store::StoreError;

/// Answers in one result file.
const RESULT_LINES_MAX: usize = 500;

impl FolderOffice {
    /// What the hub said of answers, a numbered file for each batch: written again after a crash,
    /// under the same number and with the same bytes.
    pub(super) async fn write_results(&self) -> Result<(), FolderError> {
        let store = &self.reporter.shared.store;
        let batch = store.write(next_result).await?;
        let Some((batch, lines)) = batch else { return Ok(()) };
        let bytes = receipt::write(&lines, self.manner(self.settings.format));
        let name = format!("result_{batch:08}.{}", self.settings.format.extension());
        self.on_disk("tell results", move |it| it.put(Room::Receipts, &name, &bytes)).await?;
        let written = move |it: &Connection| -> Result<(), StoreError> {
            it.execute(
                "UPDATE answer_result SET written = 1, lines = '' WHERE batch = ?1",
                [batch],
            )?;
            Ok(())
        };
        Ok(store.write(written).await?)
    }
}

/// The batch that was not written out yet, or the next one.
fn next_result(connection: &Connection) -> Result<Option<(i64, Vec<Line>)>, StoreError> {
    let unwritten = connection
        .prepare_cached("SELECT batch, lines FROM answer_result WHERE written = 0 ORDER BY batch")?
        .query_row([], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))
        .optional()?;
    if let Some((batch, lines)) = unwritten {
        return Ok(Some((batch, serde_json::from_str(&lines).unwrap_or_default())));
    }
    let ended = ledger::untold(connection, SOURCE, RESULT_LINES_MAX)?;
    if ended.is_empty() {
        return Ok(None);
    }
    let lines: Vec<Line> = ended.iter().map(Line::ended).collect();
    let text = serde_json::to_string(&lines).expect("lines are plain data");
    connection.execute("INSERT INTO answer_result (lines, written) VALUES (?1, 0)", [text])?;
    let batch = connection.last_insert_rowid();
    let ids: Vec<String> = ended.into_iter().map(|it| it.answer_id).collect();
    ledger::told(connection, SOURCE, &ids)?;
    Ok(Some((batch, lines)))
}
