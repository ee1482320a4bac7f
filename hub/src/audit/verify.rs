//! Is this log what was recorded? Reads the raw columns with its own eyes, and names the first bad event.
//!
//! It never repairs, and it never panics on any file: every byte is foreign until it is proven.

pub(in crate::audit) mod relay;
mod rows;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ed25519_dalek::VerifyingKey;
use events::ids::StreamName;
use events::proof::Hash;
use events::proof::chain::Link;
use events::wire::event_from_bytes;
use rusqlite::{Connection, ErrorCode};

use crate::audit::export::{EventLine, ExportError, KeysDigest, Line, Lines};
use crate::audit::verify::relay::Relay;
use crate::audit::walk::{Chain, Row, Walk};
use crate::log::checkpoint;
use crate::log::sqlite::{OpenError, reader_connection};

/// Progress is told after so many events.
const PROGRESS_EVENTS: u64 = 8_192;

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The first bad position; nothing if it is the file and not an event.
    pub position: Option<u64>,
    /// What is wrong with it.
    pub what: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The log and its environment.
    pub origin: String,
    /// How many events were found good.
    pub events: u64,
    /// The last good position's hash.
    pub head: Option<(u64, Hash)>,
    /// How many stories.
    pub streams: u64,
    /// How many signatures of provinces fitted.
    pub signatures: u64,
    /// How many checkpoints fitted.
    pub checkpoints: u64,
    /// How many senders' keys fitted.
    pub sender_keys: u64,
    /// The first damage; nothing if all is well.
    pub damage: Option<Damage>,
}

impl Report {
    /// Whether all is well.
    pub fn is_clean(&self) -> bool {
        self.damage.is_none()
    }
}

/// Why there is no verdict at all.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// There is nothing to read, or it may not be read.
    #[error("cannot read `{}`", path.display())]
    Open {
        /// What.
        path: PathBuf,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The checkpoints cannot be used to judge anything.
    #[error("the checkpoints cannot be used")]
    Checkpoints(#[source] checkpoint::CheckpointError),
}

/// What to hold the log against, besides itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Against<'a> {
    /// The hub's public key: checks the checkpoints that the log carries.
    pub hub_key: Option<&'a VerifyingKey>,
    /// The file of checkpoints, kept elsewhere; needs the key.
    pub checkpoints: Option<&'a Path>,
}

impl Against<'_> {
    /// A walk that will compare.
    pub(crate) fn walk(&self) -> Result<Walk, VerifyError> {
        let (Some(key), Some(path)) = (self.hub_key, self.checkpoints) else {
            return Ok(Walk::new(self.hub_key.copied(), &[]));
        };
        let all = checkpoint::read(path, key).map_err(VerifyError::Checkpoints)?;
        let missing = || VerifyError::Open {
            path: path.to_owned(),
            source: Box::new(std::io::Error::from(std::io::ErrorKind::NotFound)),
        };
        Ok(Walk::new(Some(*key), &all.ok_or_else(missing)?))
    }
}

/// Walks the log at `path`. `progress` is told now and then how many of how many events are done.
pub fn verify(
    path: &Path,
    against: Against<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, VerifyError> {
    let mut walk = against.walk()?;
    let mut report = Report::default();
    let damage = match reader_connection(path) {
        Ok(connection) => examine(&connection, &mut walk, &mut report, progress),
        Err(error) => Err(file_damage(path, error)?),
    };
    report.events = walk.position();
    report.head = walk.head();
    report.streams = walk.chain.streams() as u64;
    report.signatures = walk.words.signatures;
    report.checkpoints = walk.words.checkpoints;
    report.damage = damage.err();
    Ok(report)
}

/// How long the walk along a good log takes, with signatures and SQLite's look at its file taken off. For
/// measuring only: it is no verdict, and gives none.
pub fn pace(path: &Path) -> Result<Duration, VerifyError> {
    let mut walk = Against::default().walk()?;
    walk.words.without_signatures();
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| VerifyError::Open {
        path: path.to_owned(),
        source,
    };
    let begun = Instant::now();
    let connection = reader_connection(path).map_err(|it| failed(Box::new(it)))?;
    let walked = follow(&connection, &mut walk, &mut String::new(), &mut |_, _| {});
    walked.map_err(|it| failed(it.what.into()))?;
    Ok(begun.elapsed())
}

/// A file that does not open is damaged, unless it is merely not there or not ours to read.
fn file_damage(path: &Path, error: OpenError) -> Result<Damage, VerifyError> {
    let no_verdict = match &error {
        OpenError::File { .. } => true,
        OpenError::Sqlite { source, .. } => matches!(
            source.sqlite_error_code(),
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::DatabaseBusy)
        ),
        _ => false,
    };
    if no_verdict || !path.is_file() {
        return Err(VerifyError::Open { path: path.to_owned(), source: Box::new(error) });
    }
    let what = match std::error::Error::source(&error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    Ok(Damage { position: None, what })
}

fn examine(
    connection: &Connection,
    walk: &mut Walk,
    report: &mut Report,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), Damage> {
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let streams = follow(connection, walk, &mut report.origin, progress)?;
    let what = |what: String| Err(Damage { position: None, what });
    // SQLite takes a rowid's own check for granted.
    let named = number("SELECT count(*) = 1 AND min(one) = 1 FROM meta").map_err(structure)?;
    if named != 1 {
        return what("the log's name is damaged".to_owned());
    }
    if let Some(cut) = walk.words.cut() {
        return what(cut);
    }
    if walk.chain.streams() as u64 != streams.unsigned_abs() {
        return what("there is a story without events".to_owned());
    }
    let sql = "SELECT count(*) = max(epoch) AND min(epoch) = 1 FROM fence";
    let gapless = connection.query_row(sql, [], |row| row.get::<_, Option<bool>>(0));
    let epochs = number("SELECT coalesce(max(epoch), 0) FROM fence").map_err(structure)?;
    if gapless.map_err(structure)? == Some(false) || epochs.unsigned_abs() < walk.chain.epoch() {
        return what("the epochs have a gap".to_owned());
    }
    report.sender_keys = rows::sender_keys(connection, &report.origin)?;
    let verdict: String = connection
        .query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))
        .map_err(structure)?;
    if verdict != "ok" {
        return what(format!("the file's structure is damaged: {verdict}"));
    }
    Ok(())
}

fn structure(it: rusqlite::Error) -> Damage {
    Damage { position: None, what: format!("the file's structure is damaged: {it}") }
}

/// Walks every row; how many stories have a name.
fn follow(
    connection: &Connection,
    walk: &mut Walk,
    origin: &mut String,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<i64, Damage> {
    *origin = crate::log::sqlite::origin(connection).map_err(structure)?;
    let number = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
    let count = number("SELECT coalesce(max(position), 0) FROM event").map_err(structure)?;
    let streams = number("SELECT count(*) FROM stream NOT INDEXED").map_err(structure)?;
    let bounds = Bounds { count: count.unsigned_abs(), streams };
    let Walk { chain, words } = walk;
    relay::walk(origin, words, |relay| {
        follow_events(connection, origin, &bounds, chain, relay, progress)
    })?;
    Ok(streams)
}

struct Bounds {
    count: u64,
    streams: i64,
}

/// Reads every row and follows the chain; what is wrong is told with the position that it is wrong at.
fn follow_events(
    connection: &Connection,
    origin: &str,
    bounds: &Bounds,
    chain: &mut Chain,
    relay: &mut Relay<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), (u64, String)> {
    let sql =
        "SELECT position, event.stream_ref, name, version, recorded_at, epoch, event_id, kind,
        actor, body, sealed, evidence, evidence_signature, previous_hash, hash
        FROM event NOT INDEXED LEFT JOIN stream USING (stream_ref) ORDER BY position";
    // The first bad position: where one is missing, the missing one.
    let broken = |chain: &Chain, it: rusqlite::Error| {
        (chain.position() + 1, format!("the file's structure is damaged: {it}"))
    };
    let mut statement = connection.prepare(sql).map_err(|it| broken(chain, it))?;
    let mut rows = statement.query([]).map_err(|it| broken(chain, it))?;
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => break,
            Err(error) => return Err(broken(chain, error)),
        };
        let here = chain.position() + 1;
        let (mut stream, mut room) = (StreamName::Keeping, [0; 41]);
        let raw = rows::raw(origin, row, bounds.streams, &mut stream, &mut room);
        let row = raw.and_then(|it| chain.step(&it).map(|()| it)).map_err(|what| (here, what))?;
        if !relay.pass(stream, &row).map_err(|what| (here, what))? {
            return Ok(());
        }
        if chain.position().is_multiple_of(PROGRESS_EVENTS) {
            progress(chain.position(), bounds.count);
        }
    }
    progress(chain.position(), bounds.count);
    Ok(())
}

/// Walks an export offline: no database, no SQLite.
pub fn verify_export(
    path: &Path,
    against: Against<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, VerifyError> {
    let mut report = Report::default();
    let mut walk = against.walk()?;
    let damage = match Lines::open(path) {
        Ok(mut lines) => {
            report.origin = lines.header.origin.clone();
            walk = walk.behind(lines.header.from.saturating_sub(1), lines.header.previous);
            examine_export(&mut lines, &mut walk, &mut report, progress)
        }
        Err(error) => Err(error),
    };
    report.head = walk.head();
    report.streams = walk.chain.streams() as u64;
    report.signatures = walk.words.signatures;
    report.checkpoints = walk.words.checkpoints;
    report.damage = match damage {
        Ok(damage) => damage,
        Err(ExportError::File { path, source, .. }) => {
            return Err(VerifyError::Open { path, source: Box::new(source) });
        }
        Err(error) => Some(Damage { position: None, what: error.to_string() }),
    };
    Ok(report)
}

fn examine_export(
    lines: &mut Lines,
    walk: &mut Walk,
    report: &mut Report,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Option<Damage>, ExportError> {
    let (from, to) = (lines.header.from, lines.header.to);
    let file = |what: &str| Ok(Some(Damage { position: None, what: what.to_owned() }));
    if from == 0 || from > to || (from == 1 && lines.header.previous != Hash::ZERO) {
        return file("the first line contradicts itself");
    }
    let mut streams: HashMap<StreamName, usize> = HashMap::new();
    let (mut end, mut keys) = (None, KeysDigest::default());
    while let Some(line) = lines.next()? {
        if end.is_some() {
            return file("there are lines behind the last");
        }
        match line {
            Line::Event(it) if keys.count == 0 => {
                let next = streams.len();
                let number = *streams.entry(it.stream).or_insert(next);
                if let Err(what) = step(&report.origin, walk, number, &it) {
                    return Ok(Some(Damage { position: Some(walk.position() + 1), what }));
                }
                report.events += 1;
                if walk.position().is_multiple_of(PROGRESS_EVENTS) || walk.position() == to {
                    progress(walk.position() + 1 - from, to + 1 - from);
                }
            }
            Line::Event(_) => return file("there are events behind the keys"),
            Line::Key(it) if streams.contains_key(&it.stream) => keys.add(&it),
            Line::Key(_) => return file("a sender's key belongs to no story"),
            Line::End(it) => end = Some(it),
        }
    }
    let Some(end) = end else { return file("the last line is missing: the file was cut") };
    if walk.head() != Some((to, end.hash)) || end.end != to {
        return file("the last line does not say what the events do");
    }
    report.sender_keys = keys.count;
    if (end.sender_keys, end.sender_keys_hash) != (keys.count, keys.hash()) {
        return file("senders' keys are missing or changed");
    }
    match walk.words.cut() {
        Some(cut) if from == 1 => file(&cut),
        _ => Ok(None),
    }
}

fn step(origin: &str, walk: &mut Walk, number: usize, it: &EventLine) -> Result<(), String> {
    let (sealed, evidence) = it.bytes()?;
    let envelope = event_from_bytes(it.body.as_bytes()).map_err(|it| it.to_string())?;
    walk.step(&Row {
        stream_number: number,
        event_id: envelope.id.0,
        kind: envelope.event.kind(),
        actor: &envelope.actor.to_string(),
        hash: it.hash,
        link: Link {
            origin,
            position: it.position,
            stream: &it.stream.to_string(),
            version: it.version,
            recorded_at: it.recorded_at.as_microsecond(),
            epoch: it.epoch,
            previous: it.previous,
            body: it.body.as_bytes(),
            sealed: sealed.as_deref(),
            evidence: evidence.as_deref(),
            evidence_signature: it.evidence_signature.as_deref(),
        },
    })
}

#[cfg(test)]
mod tests;
