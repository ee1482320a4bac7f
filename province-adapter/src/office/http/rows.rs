//! What the connector must not forget: which work the office has, and what it said last.

use events::ids::{CaseId, RequestId};
use events::work::{Work, WorkKind};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};
use uuid::Uuid;

use crate::outbox::read_id;
use crate::store::{Store, StoreError};

/// One piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key {
    case: [u8; 16],
    request: [u8; 16],
    kind: WorkKind,
}

impl Key {
    pub(super) fn of(work: &Work) -> Self {
        Self {
            case: work.case.0.into_bytes(),
            request: work.request.0.into_bytes(),
            kind: work.kind,
        }
    }

    pub(super) fn case(&self) -> CaseId {
        CaseId(Uuid::from_bytes(self.case))
    }

    pub(super) fn request(&self) -> RequestId {
        RequestId(Uuid::from_bytes(self.request))
    }

    pub(super) fn kind(&self) -> &'static str {
        self.kind.token()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum State {
    /// The office will not have it so.
    Refused,
    /// The office has it and is asked about it.
    #[default]
    Open,
    /// Nothing more is asked.
    Ended,
}

#[derive(Debug, Clone, Default)]
pub(super) struct Row {
    pub(super) state: State,
    pub(super) next_at: Option<Timestamp>,
    pub(super) failures: u32,
    /// How many changes were told: a part of the next answer's id.
    pub(super) turn: i64,
    /// The fingerprint of what was told last.
    pub(super) seen: Option<Vec<u8>>,
}

pub(super) async fn prepare(store: &Store) -> Result<(), StoreError> {
    store.write(|it| Ok(it.execute_batch(include_str!("http.sql"))?)).await
}

fn read(row: &rusqlite::Row<'_>) -> Result<Row, rusqlite::Error> {
    let state: String = row.get(0)?;
    let next_at: Option<i64> = row.get(1)?;
    Ok(Row {
        state: match state.as_str() {
            "refused" => State::Refused,
            "ended" => State::Ended,
            _ => State::Open,
        },
        next_at: next_at.and_then(|it| Timestamp::from_millisecond(it).ok()),
        failures: row.get(2)?,
        turn: row.get(3)?,
        seen: row.get(4)?,
    })
}

pub(super) fn find(connection: &Connection, key: Key) -> Result<Option<Row>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT state, next_at, failures, turn, seen FROM office_http
             WHERE case_id = ?1 AND request = ?2 AND kind = ?3",
        )?
        .query_row(params![key.case, key.request, key.kind()], read)
        .optional()?)
}

/// The office will not have it so; it is offered again at `at`.
pub(super) fn refused(connection: &Connection, key: Key, at: Timestamp) -> Result<(), StoreError> {
    put(connection, key, "refused", Some(at))
}

/// The office has it. Newer work ends the questions about older work of the case.
pub(super) fn taken(
    connection: &Connection,
    key: Key,
    asked: bool,
    now: Timestamp,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE office_http SET state = 'ended', next_at = NULL WHERE case_id = ?1",
        )?
        .execute([key.case])?;
    let state = if asked { "open" } else { "ended" };
    put(connection, key, state, asked.then_some(now))
}

fn put(
    connection: &Connection,
    key: Key,
    state: &str,
    next_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO office_http (case_id, request, kind, state, next_at) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (case_id, request, kind) DO UPDATE SET state = ?4, next_at = ?5",
        )?
        .execute(params![
            key.case,
            key.request,
            key.kind(),
            state,
            next_at.map(Timestamp::as_millisecond)
        ])?;
    Ok(())
}

/// What the office's document said was told.
pub(super) fn seen(
    connection: &Connection,
    key: Key,
    fingerprint: &[u8],
    ended: bool,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE office_http SET seen = ?4, turn = turn + 1,
               state = CASE WHEN ?5 THEN 'ended' ELSE state END,
               next_at = CASE WHEN ?5 THEN NULL ELSE next_at END
             WHERE case_id = ?1 AND request = ?2 AND kind = ?3",
        )?
        .execute(params![key.case, key.request, key.kind(), fingerprint, ended])?;
    Ok(())
}

/// The cases to ask about now, longest due first.
pub(super) fn due(
    connection: &Connection,
    now: Timestamp,
    count_max: usize,
) -> Result<Vec<(Key, Row)>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT state, next_at, failures, turn, seen, case_id, request, kind FROM office_http
         WHERE state = 'open' AND next_at <= ?1 ORDER BY next_at LIMIT ?2",
    )?;
    let count_max = i64::try_from(count_max).unwrap_or(i64::MAX);
    let rows = select.query_map(params![now.as_millisecond(), count_max], |row| {
        let kind: String = row.get(7)?;
        let key = Key {
            case: read_id(row, 5)?.into_bytes(),
            request: read_id(row, 6)?.into_bytes(),
            kind: if kind == "correction" { WorkKind::Correction } else { WorkKind::Case },
        };
        Ok((key, read(row)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// When this one is asked about next, and how often it went wrong since it last went well.
pub(super) fn ask_again(
    connection: &Connection,
    key: Key,
    at: Timestamp,
    failures: u32,
) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "UPDATE office_http SET next_at = ?4, failures = ?5
             WHERE case_id = ?1 AND request = ?2 AND kind = ?3 AND state = 'open'",
        )?
        .execute(params![key.case, key.request, key.kind(), at.as_millisecond(), failures])?;
    Ok(())
}
