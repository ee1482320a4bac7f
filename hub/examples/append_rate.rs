//! How fast the log appends, reads and verifies, in batches; run it in release, on the disk that counts.
#![allow(clippy::print_stdout)] // it is a measurement for people

use std::path::Path;
use std::time::Instant;

use events::case::CaseArchived;
use events::envelope::{Event, Position};
use events::ids::StreamName;
use hub::audit::verify::{Against, verify};
use hub::log::contract::{Maker, append, case};
use hub::log::sqlite::SqliteLog;
use hub::log::{EventLog, ReadLog, SenderKey};

const EVENTS: usize = 200_000;
const BODY_BYTES: usize = 870;

fn main() {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".to_owned());
    for batch in [1, 16, 64, 256] {
        let path = Path::new(&folder).join(format!("append-rate-{batch}.db"));
        let events = if batch == 1 { EVENTS / 10 } else { EVENTS };
        measure(&path, batch, events);
        for end in ["db", "db-wal", "db-shm", "lock"] {
            let _ = std::fs::remove_file(path.with_extension(end));
        }
    }
}

fn measure(path: &Path, batch: usize, events: usize) {
    let mut log = SqliteLog::open(path, "hub.test/rate").expect("a new log");
    let mut maker = Maker::default();
    let text = "x".repeat(BODY_BYTES - 330);
    let mut batches = Vec::new();
    // Seven events a case; the first carries a sender's key.
    for first in (0..events).step_by(batch) {
        batches.push(
            (first..first + batch)
                .map(|number| {
                    let stream = StreamName::Case(case(1 + (number / 7) as u128));
                    let event = Event::from(CaseArchived { reference: text.clone() });
                    let envelope = maker.envelope(stream, event);
                    let mut item = append(stream, (number % 7) as u64, vec![envelope]);
                    let key = events::proof::Hash([0; 32]).0;
                    item.key = (number % 7 == 0).then(|| SenderKey(spread(key, number)));
                    item
                })
                .collect::<Vec<_>>(),
        );
    }
    let total: usize = batches.iter().map(Vec::len).sum();
    let begin = Instant::now();
    for batch in batches {
        let answers = log.append(batch).expect("the disk works");
        assert!(answers.iter().all(Result::is_ok));
    }
    let appended = total as f64 / begin.elapsed().as_secs_f64();
    let bytes = log.read_all(Position(0), 1).expect("it reads")[0].body.len();
    log.rest().expect("the disk works");
    drop(log);
    let size = std::fs::metadata(path).map_or(0, |it| it.len()) as f64 / total as f64;
    let readers = SqliteLog::readers(path);
    let begin = Instant::now();
    let mut after = Position(0);
    while let Some(last) = page(&readers, after) {
        after = last;
    }
    let read = total as f64 / begin.elapsed().as_secs_f64();
    let begin = Instant::now();
    let report = verify(path, Against::default(), &mut |_, _| {}).expect("it opens");
    assert!(report.is_clean(), "{report:?}");
    let verified = total as f64 / begin.elapsed().as_secs_f64();
    println!(
        "batch {batch:>4}: append {appended:>8.0} ev/s, read {read:>8.0} ev/s, \
         verify {verified:>8.0} ev/s, {size:.0} bytes on disk for a body of {bytes}"
    );
}

fn page(readers: &hub::log::Readers, after: Position) -> Option<Position> {
    let page = readers.read(|it| it.read_all(after, 1_024)).expect("it reads");
    page.last().map(|it| it.position)
}

/// A key that looks random.
fn spread(mut key: [u8; 32], number: usize) -> [u8; 32] {
    let mixed = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    key[..8].copy_from_slice(&mixed.to_be_bytes());
    key
}
