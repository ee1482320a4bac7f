//! `publicity FILE`: puts a month's table into the store of the adapter that runs, and waits for the hub's receipt.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use events::publicity::{Month, Statement};
use rusqlite::{Connection, OptionalExtension as _};
use serde::Serialize;
use uuid::Uuid;

use super::file::{self, FileError};
use super::{Kept, Speaker, StatementError, keep};
use crate::config::Config;
use crate::inventory::shanghai_date;
use crate::outbox::id;
use crate::status::Status;
use crate::store::{StoreError, open_connection};

/// Between two looks whether the hub has signed for it.
const LOOK_PAUSE: Duration = Duration::from_millis(200);

/// Why a table could not be stated.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// No adapter has run here.
    #[error("there is no store at `{}` yet\n(start the adapter once: `province-adapter serve`)", path.display())]
    NoStore {
        /// The file.
        path: std::path::PathBuf,
    },
    /// The file.
    #[error(transparent)]
    File(#[from] FileError),
    /// What stands in it.
    #[error(transparent)]
    Statement(#[from] StatementError),
    /// The store.
    #[error("cannot use the store")]
    Store(#[from] StoreError),
}

impl StateError {
    /// The file is at fault, and no store or machine.
    pub fn is_of_the_file(&self) -> bool {
        match self {
            Self::File(_) => true,
            Self::Statement(it) => !matches!(it, StatementError::Report(_)),
            Self::NoStore { .. } | Self::Store(_) => false,
        }
    }
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Which month.
    pub month: String,
    /// The statement's id.
    pub statement: Uuid,
    /// The same was stated before: nothing new was put into the outbox.
    pub known: bool,
    /// The hub has signed that it is on record.
    pub taken: bool,
    /// Where it stands in the hub's log.
    pub position: Option<i64>,
    /// The hub's code, if it refused.
    pub refused: Option<String>,
    /// Somebody waited for the hub.
    pub waited: bool,
    /// An adapter runs on the store; without one nothing is sent.
    pub alive: bool,
    /// It is connected to the broker.
    pub connected: bool,
}

impl Outcome {
    /// Durable and not refused; where somebody waited, also taken.
    pub fn is_good(&self) -> bool {
        self.refused.is_none() && (self.taken || !self.waited)
    }
}

/// The month of the example: the present one.
pub fn present_month(config: &Config) -> Option<Month> {
    Month::of(shanghai_date(config.clock().told_now()))
}

/// Puts the table of `path` into the outbox, once, and waits at most so long for the receipt.
pub async fn state(config: &Config, path: &Path, wait: Duration) -> Result<Outcome, StateError> {
    if !config.store.exists() {
        return Err(StateError::NoStore { path: config.store.clone() });
    }
    let statement = file::read(path)?;
    let month = statement.month;
    let store = open_connection(&config.store)?;
    let kept = keep_whole(&store, config, statement)?;
    let waiting = async {
        loop {
            if let Some(settled) = settled(&store, kept.id)? {
                return Ok::<_, StoreError>(settled);
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
    };
    let settled = match tokio::time::timeout(wait, waiting).await {
        Ok(settled) => Some(settled?),
        Err(_) => None,
    };
    let status = Status::look(config)?;
    let (position, refused) = settled.clone().unwrap_or_default();
    Ok(Outcome {
        month: month.to_string(),
        statement: kept.id,
        known: kept.known,
        taken: settled.is_some() && refused.is_none(),
        position,
        refused,
        waited: !wait.is_zero(),
        alive: status.alive,
        connected: status.connected,
    })
}

/// In a transaction of its own: the running adapter writes to the same file.
fn keep_whole(
    store: &Connection,
    config: &Config,
    statement: Statement,
) -> Result<Kept, StateError> {
    let clock = config.clock();
    let speaker = Speaker { origin: config.origin.clone(), province: config.province };
    store.execute_batch("BEGIN IMMEDIATE").map_err(StoreError::from)?;
    let kept = keep(store, &speaker, statement, clock.told_now(), clock.real_now());
    let end = if kept.is_ok() { "COMMIT" } else { "ROLLBACK" };
    store.execute_batch(end).map_err(StoreError::from)?;
    Ok(kept?)
}

type Settled = (Option<i64>, Option<String>);

fn settled(store: &Connection, statement: Uuid) -> Result<Option<Settled>, StoreError> {
    let sql = "SELECT position, refusal FROM statement WHERE id = ?1 AND next_send_at IS NULL";
    let found = store.query_row(sql, [id(statement)], |row| Ok((row.get(0)?, row.get(1)?)));
    Ok(found.optional()?)
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (month, id) = (&self.month, self.statement);
        let known = if self.known { "（与先前所报相同 the same as before）" } else { "" };
        writeln!(f, "{month} 宣传推广工作统计表 publicity statement {id}{known}")?;
        match (&self.refused, self.position) {
            (Some(code), _) => writeln!(
                f,
                "✗ 中枢拒收 the hub refused it: {code}（含义与办法 what it means: schemas/refusals-reports.md）"
            ),
            (None, Some(position)) => {
                writeln!(f, "✓ 中枢已记录 the hub has recorded it: position {position}")
            }
            (None, None) if self.taken => {
                writeln!(f, "✓ 中枢早已有相同内容 the hub had the same content on record already")
            }
            _ if !self.alive => writeln!(
                f,
                "! 已落盘，适配器未运行；启动后自动报送 kept; no adapter runs on this store, it is sent when one does"
            ),
            _ if !self.connected => writeln!(
                f,
                "! 已落盘，未连接消息服务器；连接后自动报送 kept; it is sent when the broker is there (see `check`)"
            ),
            _ => writeln!(
                f,
                "! 已落盘，正在报送；`--wait` 等待回执，或见 `status` kept and on its way; `--wait` waits for the receipt, `status` shows it"
            ),
        }
    }
}
