//! The limits of reading: the same rows, read, hashed or parsed by somebody who wants nothing more.

use std::borrow::Cow;
use std::path::Path;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use events::ids::{CaseId, StreamName};
use events::proof::Hash;
use events::proof::chain::Link;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde::Deserialize;
use uuid::Uuid;

/// Bodies handed from thread to thread at once.
const BATCH_BODIES: usize = 2_000;
/// Batches that may wait.
const WAITING_BATCHES_MAX: usize = 4;

/// What a scan came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Scan {
    /// Events read.
    pub events: u64,
    /// Bytes of bodies, sealed parts, evidence and signatures.
    pub payload_bytes: u64,
    /// How long it took.
    pub took: Duration,
    /// Processor time an event, of all threads, in microseconds; if somebody measured it.
    pub cost_us: f64,
}

impl Scan {
    /// Events a second.
    pub fn rate(&self) -> f64 {
        self.events as f64 / self.took.as_secs_f64()
    }
}

/// As much of a body as a fold looks at, borrowed where it can be.
#[derive(Deserialize)]
struct Body<'a> {
    id: Uuid,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    subject: Cow<'a, str>,
    #[serde(borrow)]
    time: Cow<'a, str>,
    #[serde(borrow)]
    data: Data<'a>,
}

#[derive(Deserialize)]
struct Data<'a> {
    #[serde(borrow, default)]
    number: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    client: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    province: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    request: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    report: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    item: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    due: Option<Due<'a>>,
}

#[derive(Deserialize)]
struct Due<'a> {
    #[serde(borrow)]
    day: Cow<'a, str>,
}

impl Body<'_> {
    /// Touches what was parsed, so that nobody can leave it out.
    fn weight(&self) -> usize {
        let data = &self.data;
        let texts = [&data.number, &data.client, &data.province, &data.request, &data.report];
        let texts = texts.into_iter().chain([&data.item]).flatten().map(|it| it.len());
        let head = [&self.source, &self.kind, &self.subject, &self.time].map(|it| it.len());
        let due = data.due.as_ref().map_or(0, |it| it.day.len());
        self.id.as_bytes()[15] as usize + texts.sum::<usize>() + head.iter().sum::<usize>() + due
    }
}

fn open(path: &Path) -> Connection {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(path, flags).expect("the log is there")
}

fn bytes<'a>(value: ValueRef<'a>) -> Option<&'a [u8]> {
    match value {
        ValueRef::Blob(it) | ValueRef::Text(it) => Some(it),
        _ => None,
    }
}

/// Reads everything that is payload, and looks at nothing.
pub fn read(path: &Path) -> Scan {
    let begun = Instant::now();
    let connection = open(path);
    let mut scan = Scan::default();
    let sql = "SELECT body, sealed, evidence, evidence_signature FROM event ORDER BY position";
    let mut statement = connection.prepare(sql).expect("it is a log");
    let mut rows = statement.query([]).expect("it is a log");
    while let Some(row) = rows.next().expect("it is whole") {
        scan.events += 1;
        for at in 0..4 {
            let part = bytes(row.get_ref(at).expect("it has four columns"));
            scan.payload_bytes += part.map_or(0, |it| it.len() as u64);
        }
    }
    scan.took = begun.elapsed();
    scan
}

/// Reads every column and computes every link of the chain.
pub fn hash(path: &Path, origin: &str) -> Scan {
    let begun = Instant::now();
    let connection = open(path);
    let mut scan = Scan::default();
    let sql = "SELECT position, name, version, recorded_at, epoch, body, sealed, evidence,
        evidence_signature, previous_hash, hash
        FROM event NOT INDEXED JOIN stream USING (stream_ref) ORDER BY position";
    let mut statement = connection.prepare(sql).expect("it is a log");
    let mut rows = statement.query([]).expect("it is a log");
    while let Some(row) = rows.next().expect("it is whole") {
        let get = |at| row.get_ref(at).expect("it has eleven columns");
        let number = |at| get(at).as_i64().expect("it is a number");
        let stream = match get(1) {
            ValueRef::Blob(id) => {
                let id = Uuid::from_slice(id).expect("a case's name is its id");
                StreamName::Case(CaseId(id)).to_string()
            }
            other => other.as_str().expect("a name is a text").to_owned(),
        };
        let hash = |at| Hash(bytes(get(at)).and_then(|it| it.try_into().ok()).expect("32 bytes"));
        let link = Link {
            origin,
            position: number(0).unsigned_abs(),
            stream: &stream,
            version: number(2).unsigned_abs(),
            recorded_at: number(3),
            epoch: number(4).unsigned_abs(),
            body: bytes(get(5)).expect("every event has a body"),
            sealed: bytes(get(6)),
            evidence: bytes(get(7)),
            evidence_signature: get(8).as_str_or_null().expect("it is a text"),
            previous: hash(9),
        };
        assert_eq!(link.hash(), hash(10), "the chain is whole");
        scan.events += 1;
    }
    scan.took = begun.elapsed();
    scan
}

/// Parses every body on the thread that reads it.
pub fn parse(path: &Path) -> Scan {
    let begun = Instant::now();
    let connection = open(path);
    let mut scan = Scan::default();
    let mut weight = 0;
    let sql = "SELECT body FROM event ORDER BY position";
    let mut statement = connection.prepare(sql).expect("it is a log");
    let mut rows = statement.query([]).expect("it is a log");
    while let Some(row) = rows.next().expect("it is whole") {
        weight += weigh(bytes(row.get_ref(0).expect("one column")).expect("a body"));
        scan.events += 1;
    }
    assert!(weight > 0 || scan.events == 0);
    scan.took = begun.elapsed();
    scan
}

/// One thread reads, this one parses.
pub fn parse_with_two(path: &Path) -> Scan {
    let begun = Instant::now();
    let mut scan = Scan::default();
    let mut weight = 0;
    let (give, take) = sync_channel::<Vec<Vec<u8>>>(WAITING_BATCHES_MAX);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let connection = open(path);
            let sql = "SELECT body FROM event ORDER BY position";
            let mut statement = connection.prepare(sql).expect("it is a log");
            let mut rows = statement.query([]).expect("it is a log");
            let mut batch = Vec::with_capacity(BATCH_BODIES);
            while let Some(row) = rows.next().expect("it is whole") {
                batch.push(bytes(row.get_ref(0).expect("one column")).expect("a body").to_vec());
                if batch.len() == BATCH_BODIES {
                    let full = std::mem::replace(&mut batch, Vec::with_capacity(BATCH_BODIES));
                    give.send(full).expect("the other thread takes it");
                }
            }
            give.send(batch).expect("the other thread takes it");
        });
        for batch in take {
            scan.events += batch.len() as u64;
            weight += batch.iter().map(|it| weigh(it)).sum::<usize>();
        }
    });
    assert!(weight > 0 || scan.events == 0);
    scan.took = begun.elapsed();
    scan
}

fn weigh(body: &[u8]) -> usize {
    serde_json::from_slice::<Body<'_>>(body).expect("a recorded body is JSON").weight()
}
