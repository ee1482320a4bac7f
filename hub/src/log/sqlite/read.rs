//! Rows back to events. Nothing that is read is believed: each row's hash is computed again.

use std::str::FromStr as _;

use events::envelope::{Position, Recorded};
use events::ids::{CaseId, StreamName};
use events::proof::Hash;
use events::proof::chain::Link;
use rusqlite::types::{FromSqlError, ValueRef};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Params, Row};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::append::StoredName;
use crate::log::raw::{Keep, Place, RawBatch, Stored};
use crate::log::{ReadError, SenderKey};

/// How many prepared statements a connection keeps.
pub(super) const STATEMENTS_KEPT_MAX: usize = 32;

const COLUMNS: &str = "position, name, version, recorded_at, epoch, event_id, kind, actor, body,
    sealed, evidence, evidence_signature, previous_hash, hash";

fn failed(what: &'static str) -> impl Fn(rusqlite::Error) -> ReadError {
    move |source| ReadError::Store { what, source: Box::new(source) }
}

pub(super) fn stream(
    connection: &Connection,
    origin: &str,
    stream: &StreamName,
) -> Result<Vec<Recorded>, ReadError> {
    let sql = format!(
        "SELECT {COLUMNS} FROM stream CROSS JOIN event USING (stream_ref)
         WHERE name = ?1 ORDER BY version"
    );
    let statement = connection.prepare_cached(&sql).map_err(failed("a story"))?;
    rows(statement, origin, [StoredName(stream)], "a story")
}

pub(super) fn all(
    connection: &Connection,
    origin: &str,
    after: Position,
    count_max: usize,
) -> Result<Vec<Recorded>, ReadError> {
    let statement = connection.prepare_cached(&all_sql()).map_err(failed("the log"))?;
    rows(statement, origin, limits(after, count_max), "the log")
}

/// The same, not yet understood and without evidence.
pub(super) fn raw(
    connection: &Connection,
    origin: &str,
    after: Position,
    count_max: usize,
) -> Result<RawBatch, ReadError> {
    let mut statement = connection.prepare_cached(&all_sql()).map_err(failed("the log"))?;
    let mut rows = statement.query(limits(after, count_max)).map_err(failed("the log"))?;
    let mut batch = RawBatch::default();
    while let Some(row) = rows.next().map_err(failed("the log"))? {
        push(&mut batch, origin, row, Keep::ForFolding)?;
    }
    Ok(batch)
}

fn all_sql() -> String {
    format!(
        "SELECT {COLUMNS} FROM event CROSS JOIN stream USING (stream_ref)
         WHERE position > ?1 ORDER BY position LIMIT ?2"
    )
}

fn limits(after: Position, count_max: usize) -> [i64; 2] {
    [after.0, count_max as u64].map(|it| i64::try_from(it).unwrap_or(i64::MAX))
}

fn rows(
    mut statement: CachedStatement<'_>,
    origin: &str,
    params: impl Params,
    what: &'static str,
) -> Result<Vec<Recorded>, ReadError> {
    let mut rows = statement.query(params).map_err(failed(what))?;
    let (mut all, mut one) = (Vec::new(), RawBatch::default());
    while let Some(row) = rows.next().map_err(failed(what))? {
        one.clear();
        push(&mut one, origin, row, Keep::Whole)?;
        one.each(Keep::Whole, |it| {
            all.push(it?);
            Ok::<_, ReadError>(())
        })?;
    }
    Ok(all)
}

pub(super) fn head(connection: &Connection) -> Result<Option<(Position, Hash)>, ReadError> {
    let sql = "SELECT position, hash FROM event ORDER BY position DESC LIMIT 1";
    let mut statement = connection.prepare_cached(sql).map_err(failed("the head"))?;
    let head = statement.query_row([], |row| {
        let position: i64 = row.get(0)?;
        Ok((Position(position.unsigned_abs()), Hash(row.get(1)?)))
    });
    head.optional().map_err(failed("the head"))
}

pub(super) fn key(
    connection: &Connection,
    origin: &str,
    key: &SenderKey,
) -> Result<Option<StreamName>, ReadError> {
    let sql = "SELECT name, seal FROM sender_key JOIN stream USING (stream_ref) WHERE key = ?1";
    let mut statement = connection.prepare_cached(sql).map_err(failed("a key"))?;
    let found = statement
        .query_row([key.0], |row| Ok((stream_name(row.get_ref(0)?)?, row.get::<_, [u8; 16]>(1)?)));
    match found.optional().map_err(failed("a key"))? {
        None => Ok(None),
        Some((stream, seal)) if seal == key_seal(origin, key, &stream.to_string()) => {
            Ok(Some(stream))
        }
        Some(_) => Err(ReadError::Store { what: "a key", source: "its seal does not fit".into() }),
    }
}

pub(super) fn keys(
    connection: &Connection,
    origin: &str,
    after: Option<&SenderKey>,
    count_max: usize,
) -> Result<Vec<(SenderKey, StreamName)>, ReadError> {
    let sql = "SELECT key, name, seal FROM sender_key CROSS JOIN stream USING (stream_ref)
         WHERE key > ?1 ORDER BY key LIMIT ?2";
    let mut statement = connection.prepare_cached(sql).map_err(failed("the keys"))?;
    // Every key is greater than no bytes at all.
    let after = after.map_or(&[][..], |it| &it.0);
    let limit = i64::try_from(count_max).unwrap_or(i64::MAX);
    let rows = statement.query_map(rusqlite::params![after, limit], |row| {
        let stream = stream_name(row.get_ref(1)?)?;
        Ok((SenderKey(row.get(0)?), stream, row.get::<_, [u8; 16]>(2)?))
    });
    let mut keys = Vec::new();
    for row in rows.map_err(failed("the keys"))? {
        let (key, stream, seal) = row.map_err(failed("the keys"))?;
        if seal != key_seal(origin, &key, &stream.to_string()) {
            let source = "its seal does not fit".into();
            return Err(ReadError::Store { what: "a key", source });
        }
        keys.push((key, stream));
    }
    Ok(keys)
}

/// What a key's row carries, so that a changed byte shows: it is no part of the chain.
pub(crate) fn key_seal(origin: &str, key: &SenderKey, stream: &str) -> [u8; 16] {
    let mut sha = Sha256::new_with_prefix(b"hub-sender-key-v1");
    sha.update((origin.len() as u64).to_be_bytes());
    sha.update(origin);
    sha.update(key.0);
    sha.update(stream);
    let mut seal = [0; 16];
    seal.copy_from_slice(&sha.finalize()[..16]);
    seal
}

/// A stream's name from its column.
pub(crate) fn stream_name(value: ValueRef<'_>) -> rusqlite::Result<StreamName> {
    let name = match value {
        ValueRef::Blob(id) => Uuid::from_slice(id).ok().map(|it| StreamName::Case(CaseId(it))),
        ValueRef::Text(name) => std::str::from_utf8(name)
            .ok()
            .and_then(|it| StreamName::from_str(it).ok())
            .filter(|it| !matches!(it, StreamName::Case(_))),
        _ => None,
    };
    name.ok_or_else(|| FromSqlError::InvalidType.into())
}

/// Adds a row to `batch`, after its hash was computed again. Without its evidence, unless all is kept.
fn push(batch: &mut RawBatch, origin: &str, row: &Row<'_>, keep: Keep) -> Result<(), ReadError> {
    let position: i64 = row.get(0).map_err(failed("a position"))?;
    let position = Position(position.unsigned_abs());
    let damaged = |why: String| ReadError::Damaged { position, why };
    let shape = |error: rusqlite::Error| damaged(format!("a column is misshapen: {error}"));
    let number = |at| row.get::<_, i64>(at).map(i64::unsigned_abs).map_err(shape);
    let text = |at| row.get_ref(at).and_then(|it| Ok(it.as_str()?)).map_err(shape);
    let bytes = |at| row.get_ref(at).and_then(|it| Ok(it.as_blob()?)).map_err(shape);
    let maybe = |at| row.get_ref(at).and_then(|it| Ok(it.as_blob_or_null()?)).map_err(shape);
    let signature = row.get_ref(11).and_then(|it| Ok(it.as_str_or_null()?)).map_err(shape)?;
    let hash = |at| row.get(at).map(Hash).map_err(shape);
    let place = Place {
        position: position.0,
        version: number(2)?,
        recorded_at_us: row.get(3).map_err(shape)?,
        epoch: number(4)?,
        event_id: Uuid::from_slice(bytes(5)?).map_err(|it| damaged(it.to_string()))?,
        stream: row.get_ref(1).and_then(stream_name).map_err(shape)?,
        previous: hash(12)?,
        hash: hash(13)?,
    };
    let mut room = [0; 41];
    let link = Link {
        origin,
        position: place.position,
        stream: place.stream.written(&mut room),
        version: place.version,
        recorded_at: place.recorded_at_us,
        epoch: place.epoch,
        previous: place.previous,
        body: bytes(8)?,
        sealed: maybe(9)?,
        evidence: maybe(10)?,
        evidence_signature: signature,
    };
    if link.hash() != place.hash {
        return Err(damaged("its hash is another one".to_owned()));
    }
    let evidence = link.evidence.zip(signature).filter(|_| keep == Keep::Whole);
    let (kind, actor) = (text(6)?, text(7)?);
    batch.push(place, &Stored { kind, actor, body: link.body, sealed: link.sealed, evidence });
    Ok(())
}
