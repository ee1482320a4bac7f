//! What is kept, in groups and one by one, for whoever wants to let it in again; and how it leaves.

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension as _, Row, Transaction, TransactionBehavior, params_from_iter};

use super::{Quarantine, QuarantineError, failed, moment, unsigned};

/// One stray, without what came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Its number: no other ever has it.
    pub number: u64,
    /// When it came.
    pub at: Timestamp,
    /// From where.
    pub source: String,
    /// The subject it came by.
    pub subject: String,
    /// Why it was not taken in, the last time somebody tried.
    pub reason: String,
    /// Sealed bytes, headers included.
    pub size_bytes: u64,
    /// How often somebody let it in again, in vain.
    pub tries: u32,
    /// Whether it was kept with its headers: without them it can only be looked at.
    pub whole: bool,
}

/// How many of one source and reason are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptGroup {
    /// From where.
    pub source: String,
    /// Why.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// How many of them with their headers.
    pub whole: u64,
    /// The oldest.
    pub oldest: Timestamp,
    /// The newest.
    pub newest: Timestamp,
}

/// Which ones. Absent means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeptFilter {
    /// From there.
    pub source: Option<String>,
    /// For this reason.
    pub reason: Option<String>,
    /// Not before then.
    pub since: Option<Timestamp>,
    /// With a larger number.
    pub after: u64,
    /// Up to this number.
    pub until: Option<u64>,
    /// Only these numbers; empty means any.
    pub only: Vec<u64>,
    /// Only with their headers.
    pub whole_only: bool,
}

fn whole(number: u64) -> Value {
    Value::Integer(i64::try_from(number).unwrap_or(i64::MAX))
}

impl KeptFilter {
    /// The condition and its values; the text is ours.
    fn condition(&self) -> (String, Vec<Value>) {
        let mut text = "id > ?1".to_owned();
        let mut values = vec![whole(self.after)];
        let mut and = |condition: &str, value: Value| {
            values.push(value);
            text.push_str(&format!(" AND {condition} ?{}", values.len()));
        };
        if let Some(source) = &self.source {
            and("source =", Value::Text(source.clone()));
        }
        if let Some(reason) = &self.reason {
            and("reason =", Value::Text(reason.clone()));
        }
        if let Some(since) = self.since {
            and("at >=", Value::Integer(since.as_microsecond()));
        }
        if let Some(until) = self.until {
            and("id <=", whole(until));
        }
        if self.whole_only {
            text.push_str(" AND headers IS NOT NULL");
        }
        if !self.only.is_empty() {
            let numbers: Vec<String> = self.only.iter().map(u64::to_string).collect();
            text.push_str(&format!(" AND id IN ({})", numbers.join(", ")));
        }
        (text, values)
    }
}

fn kept(row: &Row<'_>) -> rusqlite::Result<Kept> {
    Ok(Kept {
        number: unsigned(row.get(0)?),
        at: moment(row, 1)?,
        source: row.get(2)?,
        subject: row.get(3)?,
        reason: row.get(4)?,
        size_bytes: unsigned(row.get(5)?),
        tries: u32::try_from(row.get::<_, i64>(6)?).unwrap_or(u32::MAX),
        whole: row.get(7)?,
    })
}

const COLUMNS: &str = "id, at, source, subject, reason,
    length(sealed) + coalesce(length(headers), 0), tries, headers IS NOT NULL";

impl Quarantine {
    /// What is kept now, by source and reason.
    pub fn groups(&self) -> Result<Vec<KeptGroup>, QuarantineError> {
        let failed = failed("read");
        let connection = self.connection();
        let mut select = connection
            .prepare_cached(
                "SELECT source, reason, count(*), count(headers), min(at), max(at)
                 FROM stray GROUP BY source, reason ORDER BY source, reason",
            )
            .map_err(&failed)?;
        let group = |row: &Row<'_>| {
            Ok(KeptGroup {
                source: row.get(0)?,
                reason: row.get(1)?,
                count: unsigned(row.get(2)?),
                whole: unsigned(row.get(3)?),
                oldest: moment(row, 4)?,
                newest: moment(row, 5)?,
            })
        };
        let rows = select.query_map([], group).map_err(&failed)?;
        rows.collect::<Result<_, _>>().map_err(&failed)
    }

    /// Those that `filter` lets through: the lowest number first, or the newest.
    pub fn kept(
        &self,
        filter: &KeptFilter,
        newest_first: bool,
        count_max: usize,
    ) -> Result<Vec<Kept>, QuarantineError> {
        let failed = failed("read");
        let (condition, values) = filter.condition();
        let direction = if newest_first { "DESC" } else { "ASC" };
        let sql = format!(
            "SELECT {COLUMNS} FROM stray WHERE {condition} ORDER BY id {direction} LIMIT {count_max}"
        );
        let connection = self.connection();
        let mut select = connection.prepare(&sql).map_err(&failed)?;
        let rows = select.query_map(params_from_iter(values), kept).map_err(&failed)?;
        rows.collect::<Result<_, _>>().map_err(&failed)
    }

    /// How many `filter` lets through, and the oldest of them.
    pub fn count(&self, filter: &KeptFilter) -> Result<(u64, Option<Timestamp>), QuarantineError> {
        let failed = failed("count");
        let (condition, values) = filter.condition();
        let sql = format!("SELECT count(*), min(at) FROM stray WHERE {condition}");
        let connection = self.connection();
        let counted = connection.query_row(&sql, params_from_iter(values), |row| {
            Ok((unsigned(row.get(0)?), row.get::<_, Option<i64>>(1)?))
        });
        let (count, oldest) = counted.map_err(&failed)?;
        Ok((count, oldest.and_then(|it| Timestamp::from_microsecond(it).ok())))
    }

    /// The number of the last one that ever came.
    pub fn last_number(&self) -> Result<u64, QuarantineError> {
        let connection = self.connection();
        let last = connection.query_row("SELECT last FROM numbering", [], |row| row.get(0));
        Ok(unsigned(last.map_err(failed("read"))?))
    }

    /// It was taken in: it leaves, and its room is free. Again: nothing.
    pub fn let_go(&self, number: u64) -> Result<(), QuarantineError> {
        self.change(|transaction| {
            let left: Option<(String, i64)> = transaction
                .prepare_cached(
                    "DELETE FROM stray WHERE id = ?1
                     RETURNING source, length(sealed) + coalesce(length(headers), 0)",
                )?
                .query_row([number as i64], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            let Some((source, bytes)) = left else { return Ok(()) };
            transaction
                .prepare_cached(
                    "UPDATE held SET rows = max(rows - 1, 0), bytes = max(bytes - ?2, 0),
                     full_since = NULL WHERE source = ?1",
                )?
                .execute((source, bytes))?;
            Ok(())
        })
    }

    /// It was let in again and is no better: it stays, for `reason`, with its count. The same
    /// re-drive counts once.
    pub fn put_back(
        &self,
        number: u64,
        redrive: &str,
        reason: &str,
    ) -> Result<(), QuarantineError> {
        self.change(|transaction| {
            transaction
                .prepare_cached(
                    "UPDATE stray SET tries = tries + 1, tried_by = ?2, reason = ?3
                     WHERE id = ?1 AND tried_by IS NOT ?2",
                )?
                .execute((number as i64, redrive, reason))?;
            Ok(())
        })
    }

    fn change(
        &self,
        how: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<()>,
    ) -> Result<(), QuarantineError> {
        let failed = failed("write to");
        let mut connection = self.connection();
        let transaction = connection
            .transaction_with_behavior(TransactionBehavior::Immediate)
            .map_err(&failed)?;
        how(&transaction).map_err(&failed)?;
        transaction.commit().map_err(&failed)
    }
}
