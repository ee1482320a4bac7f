//! A comparison on demand: the same that the running adapter takes every day. It is put into the outbox of the
//! store, told by the adapter that runs, and settled by the hub; here it is only wished for and waited for.

use std::fmt;
use std::time::Duration;

use events::reconcile::{Occasion, Span};
use jiff::civil::Date;
use rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;
use uuid::Uuid;

use crate::config::Config;
use crate::inventory::{self, DAILY_DAYS};
use crate::outbox::{ReportError, id};
use crate::status::Status;
use crate::store::{StoreError, open_connection};

/// Between two looks whether the hub has settled it.
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// Why nothing could be wished for.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// No adapter has run here.
    #[error("there is no store at `{}` yet\n(start the adapter: a new store compares by itself)", path.display())]
    NoStore {
        /// The file.
        path: std::path::PathBuf,
    },
    /// The days are in the wrong order.
    #[error("the last day {until} is before the first {since}")]
    Backwards {
        /// The first.
        since: Date,
        /// The last.
        until: Date,
    },
    /// The store.
    #[error("cannot use the store")]
    Store(#[from] StoreError),
    /// The wish could not be kept.
    #[error("cannot keep the wish")]
    Wish(#[from] ReportError),
}

/// Which days of submission; the daily comparison's if neither is said.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked {
    /// The first.
    pub since: Option<Date>,
    /// The last.
    pub until: Option<Date>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The hub has settled it.
    pub settled: bool,
    /// The first day that was compared.
    pub since: Date,
    /// The last.
    pub until: Date,
    /// Cases that differed. What either side lacked is said again.
    pub differences: Option<i64>,
    /// Work that the hub has handed out again and that arrived meanwhile.
    pub work_came: i64,
    /// Reports that wait for a receipt now.
    pub reports_unreceipted: i64,
    /// An adapter runs on the store; without one nothing is told.
    pub alive: bool,
    /// It is connected to the broker.
    pub connected: bool,
}

/// Wishes for a comparison and waits until the hub has settled it, at most so long.
pub async fn now(config: &Config, asked: Asked, wait: Duration) -> Result<Outcome, ReconcileError> {
    if !config.store.exists() {
        return Err(ReconcileError::NoStore { path: config.store.clone() });
    }
    let clock = config.clock();
    let today = inventory::shanghai_date(clock.told_now());
    let usual = inventory::last_days(today, DAILY_DAYS);
    let until = asked.until.unwrap_or(usual.until);
    let span = Span { since: asked.since.unwrap_or_else(|| usual.since.min(until)), until };
    if span.until < span.since {
        return Err(ReconcileError::Backwards { since: span.since, until: span.until });
    }
    let store = open_connection(&config.store)?;
    let before = work(&store)?;
    let wished = wish(&store, span, today, clock.real_now())?;
    let waiting = async {
        loop {
            if let Some(differences) = settled(&store, wished)? {
                return Ok::<_, StoreError>(differences);
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    };
    let differences = match tokio::time::timeout(wait, waiting).await {
        Ok(differences) => Some(differences?),
        Err(_) => None,
    };
    let status = Status::look(config)?;
    Ok(Outcome {
        settled: differences.is_some(),
        since: span.since,
        until: span.until,
        differences,
        work_came: work(&store)? - before,
        reports_unreceipted: status.reports_unreceipted,
        alive: status.alive,
        connected: status.connected,
    })
}

/// In a transaction of its own: the running adapter writes to the same file.
fn wish(
    store: &Connection,
    span: Span,
    today: Date,
    now: jiff::Timestamp,
) -> Result<Uuid, ReconcileError> {
    store.execute_batch("BEGIN IMMEDIATE").map_err(StoreError::from)?;
    let wished = inventory::wish(store, Occasion::Asked, Some(span), today, now);
    let end = if wished.is_ok() { "COMMIT" } else { "ROLLBACK" };
    store.execute_batch(end).map_err(StoreError::from)?;
    Ok(wished?)
}

fn settled(store: &Connection, wished: Uuid) -> Result<Option<i64>, StoreError> {
    let sql = "SELECT differences FROM inventory WHERE id = ?1 AND settled_at IS NOT NULL";
    let found = store.query_row(sql, [id(wished)], |row| row.get::<_, Option<i64>>(0));
    Ok(found.optional()?.map(Option::unwrap_or_default))
}

fn work(store: &Connection) -> Result<i64, StoreError> {
    Ok(store.query_row("SELECT count(*) FROM work", [], |row| row.get(0))?)
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (since, until) = (self.since, self.until);
        match self.differences {
            Some(0) => writeln!(f, "✓ 对账一致 both sides agree: {since} … {until}")?,
            Some(count) => writeln!(
                f,
                "! 有 {count} 件不一致，双方正在重发补齐 {count} cases differed and are said again: {since} … {until}"
            )?,
            None if !self.alive => writeln!(
                f,
                "✗ 适配器未运行；启动后自动对账 no adapter runs on this store; it compares when it is started"
            )?,
            None if !self.connected => writeln!(
                f,
                "✗ 未连接消息服务器；连接后自动对账 not connected to the broker; it compares when it is (see `check`)"
            )?,
            None => writeln!(
                f,
                "! 中枢尚未答复；对账仍在进行，见 `status` the hub has not answered yet; it goes on, see `status`"
            )?,
        }
        writeln!(f, "  新到办件 work that came meanwhile: {}", self.work_came)?;
        writeln!(f, "  待回执报告 reports without a receipt: {}", self.reports_unreceipted)
    }
}
