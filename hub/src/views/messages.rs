//! Messages to people about alerts, and what became of each with each carrier.

use std::collections::BTreeMap;

use events::envelope::{Position, Recorded};
use events::keeping::KeepingEvent;
use events::keeping::alerts::{AlertNotice, NoticeWhy};
use jiff::Timestamp;
use rusqlite::types::Value;
use uuid::Uuid;

use crate::views::cells::{Cell, listed_cells, struct_cells};
use crate::views::file::failed;
use crate::views::queries::{rows, whole};
use crate::views::reader::{ViewError, ViewReader};
use crate::views::table::{Behind, Row, Table};

/// A message to people, and what became of it with each carrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MessageRow {
    pub message: Uuid,
    pub position: Position,
    pub planned_at: Timestamp,
    pub notices: Vec<AlertNotice>,
    pub quiet_until: Option<Timestamp>,
    /// By carrier.
    pub carried: BTreeMap<String, Carried>,
}

/// What became of a message with one carrier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carried {
    /// Nothing yet.
    Waiting,
    /// The other end has it.
    Delivered { at: Timestamp, attempts: u32 },
    /// It stopped trying.
    GivenUp { at: Timestamp, attempts: u32, reason: String },
}

impl MessageRow {
    /// Somebody still has to bring it.
    fn is_open(&self) -> bool {
        self.carried.values().any(|it| *it == Carried::Waiting)
    }
}

/// A message is planned, delivered, given up. Anything else changes nothing.
pub(crate) fn apply(
    table: &mut Table<MessageRow>,
    behind: Behind<'_>,
    recorded: &Recorded,
    event: &KeepingEvent,
) -> Result<(), ViewError> {
    let at = recorded.recorded_at;
    let (message, carrier, outcome) = match event {
        KeepingEvent::AlertMessagePlanned(it) => {
            let waiting = it.carriers.iter().map(|it| (it.clone(), Carried::Waiting));
            let row = MessageRow {
                message: it.message,
                position: recorded.position,
                planned_at: at,
                notices: it.notices.clone(),
                quiet_until: it.quiet_until,
                carried: waiting.collect(),
            };
            table.put(behind, it.message, row);
            return Ok(());
        }
        KeepingEvent::AlertMessageDelivered(it) => {
            (it.message, &it.carrier, Carried::Delivered { at, attempts: it.attempts })
        }
        KeepingEvent::AlertMessageGivenUp(it) => {
            let (attempts, reason) = (it.attempts, it.reason.clone());
            (it.message, &it.carrier, Carried::GivenUp { at, attempts, reason })
        }
        _ => return Ok(()),
    };
    let Some(row) = table.change(behind, &message)? else { return Ok(()) };
    // What became of it first stays: a second delivery after a crash is the same delivery.
    if let Some(waiting @ Carried::Waiting) = row.carried.get_mut(carrier) {
        *waiting = outcome;
    }
    Ok(())
}

listed_cells! {
    NoticeWhy = [NoticeWhy::First, NoticeWhy::Grown, NoticeWhy::Reminder, NoticeWhy::Resolved];
}
struct_cells!(AlertNotice { kind, province, count, why, since });
struct_cells!(MessageRow { message, position, planned_at, notices, quiet_until, carried });

impl Cell for Carried {
    fn put(&self, out: &mut Vec<u8>) {
        let told = match self {
            Self::Waiting => None,
            Self::Delivered { at, attempts } => Some((*at, (*attempts, None))),
            Self::GivenUp { at, attempts, reason } => {
                Some((*at, (*attempts, Some(reason.clone()))))
            }
        };
        told.put(out);
    }
    fn take(from: &mut &[u8]) -> Option<Self> {
        let told: Option<(Timestamp, (u32, Option<String>))> = Cell::take(from)?;
        Some(match told {
            None => Self::Waiting,
            Some((at, (attempts, None))) => Self::Delivered { at, attempts },
            Some((at, (attempts, Some(reason)))) => Self::GivenUp { at, attempts, reason },
        })
    }
}

impl Row for MessageRow {
    type Key = Uuid;
    const NAME: &'static str = "alert_messages";
    const REVISION: u32 = 1;
    const COLUMNS: &'static [&'static str] =
        &["position INTEGER NOT NULL", "open INTEGER NOT NULL", "planned_at INTEGER NOT NULL"];
    const INDEXES: &'static [&'static str] =
        &["(position)", "(position) WHERE open = 1", "(planned_at)"];
    fn columns(&self) -> Vec<Value> {
        vec![
            whole(self.position.0),
            Value::Integer(self.is_open().into()),
            Value::Integer(self.planned_at.as_microsecond()),
        ]
    }
}

impl ViewReader {
    /// Messages that somebody still has to bring, oldest first.
    pub fn open_messages(&self, count_max: usize) -> Result<Vec<MessageRow>, ViewError> {
        let values = vec![whole(count_max as u64)];
        self.look(|file| rows(file, "WHERE open = 1 ORDER BY position LIMIT ?1", values))
    }

    /// The latest messages, newest first.
    pub fn messages(&self, count_max: usize) -> Result<Vec<MessageRow>, ViewError> {
        let values = vec![whole(count_max as u64)];
        self.look(|file| rows(file, "ORDER BY position DESC LIMIT ?1", values))
    }

    /// When messages were planned after `since`, oldest first.
    pub fn messages_planned_after(&self, since: Timestamp) -> Result<Vec<Timestamp>, ViewError> {
        self.look(|file| {
            let sql = "SELECT planned_at FROM alert_messages WHERE planned_at > ?1 ORDER BY 1";
            let mut select = file.prepare_cached(sql).map_err(failed("read"))?;
            let found = select.query_map([since.as_microsecond()], |it| it.get::<_, i64>(0));
            let found: Result<Vec<i64>, _> = found.map_err(failed("read"))?.collect();
            let found = found.map_err(failed("read"))?;
            Ok(found.into_iter().filter_map(|it| Timestamp::from_microsecond(it).ok()).collect())
        })
    }
}
