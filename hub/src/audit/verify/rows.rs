//! Raw columns, each held against the type that it must have. Nothing here panics on any file.

use events::ids::{StreamName, StreamRoom};
use events::proof::Hash;
use events::proof::chain::Link;
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use uuid::Uuid;

use super::Damage;
use crate::audit::walk::Row;
use crate::log::SenderKey;
use crate::log::sqlite::{key_seal, stream_name};

/// The columns as they are, each of the type that it must have.
pub(super) fn raw<'a>(
    origin: &'a str,
    row: &'a rusqlite::Row<'_>,
    streams: i64,
    stream: &mut StreamName,
    room: &'a mut StreamRoom,
) -> Result<Row<'a>, String> {
    let value = |at: usize| row.get_ref(at).map_err(|it| it.to_string());
    let misshapen = |at: usize| format!("its column {at} is misshapen");
    let number = |at| match value(at)? {
        ValueRef::Integer(it) => u64::try_from(it).map_err(|_| misshapen(at)),
        _ => Err(misshapen(at)),
    };
    let text = |at| value(at)?.as_str().map_err(|_| misshapen(at));
    let maybe = |at| value(at)?.as_blob_or_null().map_err(|_| misshapen(at));
    let blob = |at| value(at)?.as_blob().map_err(|_| misshapen(at));
    let hash = |at| {
        let bytes = <[u8; 32]>::try_from(blob(at)?).map_err(|_| misshapen(at))?;
        Ok::<_, String>(Hash(bytes))
    };
    let recorded_at = match value(4)? {
        ValueRef::Integer(it) => it,
        _ => return Err(misshapen(4)),
    };
    let stream_ref = number(1)?;
    if stream_ref == 0 || stream_ref > streams.unsigned_abs() {
        return Err("its story has no name".to_owned());
    }
    *stream = stream_name(value(2)?).map_err(|_| "its story's name is damaged".to_owned())?;
    Ok(Row {
        stream_number: usize::try_from(stream_ref - 1).map_err(|it| it.to_string())?,
        event_id: Uuid::from_slice(blob(6)?).map_err(|_| misshapen(6))?,
        kind: text(7)?,
        actor: text(8)?,
        hash: hash(14)?,
        link: Link {
            origin,
            position: number(0)?,
            stream: stream.written(room),
            version: number(3)?,
            recorded_at,
            epoch: number(5)?,
            previous: hash(13)?,
            body: blob(9)?,
            sealed: maybe(10)?,
            evidence: maybe(11)?,
            evidence_signature: value(12)?.as_str_or_null().map_err(|_| misshapen(12))?,
        },
    })
}

/// The keys are no part of the chain; each row carries a seal of its own.
pub(super) fn sender_keys(connection: &Connection, origin: &str) -> Result<u64, Damage> {
    let damaged = |what: String| Damage { position: None, what };
    let sql = "SELECT key, name, seal FROM sender_key LEFT JOIN stream USING (stream_ref)";
    let all = connection.prepare(sql).and_then(|mut statement| {
        let rows = statement.query_map([], |row| {
            let stream: StreamName = stream_name(row.get_ref(1)?)?;
            let seal = key_seal(origin, &SenderKey(row.get(0)?), &stream.to_string());
            Ok(seal == row.get::<_, [u8; 16]>(2)?)
        })?;
        rows.collect::<Result<Vec<bool>, _>>()
    });
    let all = all.map_err(|it| damaged(format!("a sender's key is damaged: {it}")))?;
    if all.contains(&false) {
        return Err(damaged("a sender's key is damaged: its seal does not fit".to_owned()));
    }
    Ok(all.len() as u64)
}
