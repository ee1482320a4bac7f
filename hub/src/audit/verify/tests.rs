//! Every byte of a small log is changed in turn: `verify` says so, or nothing that anyone reads differs.

use std::fs::File;
use std::os::unix::fs::FileExt as _;

use events::envelope::{Actor, Event, Position};
use events::wire::report_from_bytes;
use jiff::Timestamp;
use uuid::Uuid;

use super::*;
use crate::audit::specimen;
use crate::log::sqlite::SqliteLog;
use crate::log::{EventLog as _, ReadLog as _, contract};

fn verdict(path: &Path, against: Against<'_>) -> Report {
    verify(path, against, &mut |_, _| {}).unwrap()
}

#[test]
fn a_good_log_is_found_good_and_everything_in_it_was_checked() {
    let folder = tempfile::tempdir().unwrap();
    let path = specimen::make(folder.path());
    let key = specimen::hub_key().verifying_key();
    let file = specimen::checkpoints(&path);
    let against = Against { hub_key: Some(&key), checkpoints: Some(&file) };
    let mut told = Vec::new();
    let report = verify(&path, against, &mut |done, of| told.push((done, of))).unwrap();
    assert_eq!(report.damage, None);
    assert_eq!((report.events, report.streams, report.sender_keys), (8, 4, 1));
    assert_eq!((report.signatures, report.checkpoints), (1, 2));
    assert_eq!(told, [(8, 8)]);
}

/// Changes the file by force: without triggers, which are put back as they were.
fn forge(path: &Path, sql: &str) {
    let connection = Connection::open(path).unwrap();
    let mut triggers = Vec::new();
    {
        let select = "SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'";
        let mut statement = connection.prepare(select).unwrap();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            triggers.push((row.get::<_, String>(0).unwrap(), row.get::<_, String>(1).unwrap()));
        }
    }
    for (name, _) in &triggers {
        connection.execute_batch(&format!("DROP TRIGGER {name}")).unwrap();
    }
    connection.execute_batch("PRAGMA foreign_keys = OFF").unwrap();
    connection.execute_batch(sql).unwrap();
    for (_, sql) in &triggers {
        connection.execute_batch(sql).unwrap();
    }
}

#[test]
fn each_kind_of_forgery_is_named_with_its_first_position() {
    for (sql, position, what) in [
        ("UPDATE event SET recorded_at = recorded_at + 1 WHERE position = 8", Some(8), "hash"),
        ("UPDATE event SET sealed = x'00' WHERE position = 2", Some(2), "hash"),
        ("UPDATE event SET evidence = x'00' WHERE position = 3", Some(3), "hash"),
        ("UPDATE event SET kind = 'x' WHERE position = 4", Some(4), "the kind is not the body's"),
        ("UPDATE event SET actor = 'hub' WHERE position = 3", Some(3), "the actor"),
        (
            "UPDATE event SET event_id = x'00000000000000000000000000000005' || x'' WHERE 0;
          UPDATE event SET event_id = zeroblob(16) WHERE position = 5",
            Some(5),
            "id does not grow",
        ),
        ("DELETE FROM event WHERE position = 3", Some(3), "position 3 is missing"),
        ("DELETE FROM event WHERE position = 1", Some(1), "position 1 is missing"),
        ("UPDATE event SET version = 9 WHERE position = 3", Some(3), "version 2 of its story"),
        ("UPDATE event SET stream_ref = 99 WHERE position = 4", Some(4), "no name"),
        ("UPDATE event SET epoch = 1 WHERE position = 6", Some(6), "older epoch"),
        ("UPDATE stream SET name = 'reference' WHERE name = 'keeping'", Some(4), "hash"),
        ("UPDATE event SET hash = zeroblob(32) WHERE position = 6", Some(6), "hash"),
        ("UPDATE event SET previous_hash = zeroblob(32) WHERE position = 6", Some(6), "before"),
        ("DELETE FROM event WHERE position = 8", None, "a checkpoint vouches for 8"),
        ("DELETE FROM event", None, "a checkpoint vouches for 8"),
        ("UPDATE sender_key SET seal = zeroblob(16)", None, "seal"),
        ("UPDATE sender_key SET key = zeroblob(32)", None, "seal"),
        ("UPDATE fence SET epoch = 7 WHERE epoch = 1", None, "epochs have a gap"),
        ("DELETE FROM fence WHERE epoch = 2", None, "epochs have a gap"),
        ("INSERT INTO stream (name) VALUES ('reference')", None, "without events"),
        ("UPDATE meta SET origin = 'other'", Some(1), "hash"),
        ("DELETE FROM meta", None, "structure is damaged"),
        ("CREATE INDEX other ON event (actor)", None, "`other` is not as this hub made it"),
        ("PRAGMA user_version = 3", None, "schema 3"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = specimen::make(folder.path());
        let key = specimen::hub_key().verifying_key();
        let file = specimen::checkpoints(&path);
        forge(&path, sql);
        let against = Against { hub_key: Some(&key), checkpoints: Some(&file) };
        let damage = verdict(&path, against).damage.expect(sql);
        assert_eq!(damage.position, position, "{sql}: {}", damage.what);
        assert!(damage.what.contains(what), "{sql}: {}", damage.what);
    }
}

#[test]
fn evidence_counts_only_under_a_key_that_counts_there() {
    let folder = tempfile::tempdir().unwrap();
    let stranger = ed25519_dalek::SigningKey::from_bytes(&[99; 32]);
    let path = specimen::make_signed_by(folder.path(), &stranger, false);
    let damage = verdict(&path, Against::default()).damage.unwrap();
    assert_eq!(damage.position, Some(3));
    assert!(damage.what.contains("does not fit"), "{}", damage.what);
    let folder = tempfile::tempdir().unwrap();
    let right = ed25519_dalek::SigningKey::from_bytes(&[22; 32]);
    let path = specimen::make_signed_by(folder.path(), &right, true);
    let damage = verdict(&path, Against::default()).damage.unwrap();
    assert_eq!(damage.position, Some(4));
    assert!(damage.what.contains("did not count here"), "{}", damage.what);
}

#[test]
fn nobody_but_the_province_can_have_said_what_a_province_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = specimen::make(folder.path());
    let log = SqliteLog::open(&path, contract::ORIGIN).unwrap();
    let all = log.read_all(Position(0), 100).unwrap();
    let signed = all.iter().find_map(|it| it.envelope.evidence.clone()).unwrap();
    let stream = StreamName::Case(contract::case(1));
    let story = log.read_stream(&stream).unwrap();
    let report = report_from_bytes(&signed.bytes).unwrap();
    // Closing it leaves one whole file.
    drop(log);
    // Whoever keeps the log can append what they like, with a chain that holds.
    let decision = |evidence| {
        let declined = events::case::CaseDeclined {
            report: report.id,
            reason: events::vocabulary::Reason::OverAge,
            decided_at: Timestamp::from_second(1_771_000_000).unwrap(),
        };
        let mut envelope = all.last().unwrap().envelope.clone();
        envelope.id = events::ids::EventId(Uuid::max());
        envelope.stream = stream;
        envelope.actor = Actor::Province(report.report.province);
        envelope.event = Event::Case(declined.into());
        (envelope.sealed, envelope.evidence) = (None, evidence);
        envelope
    };
    let unsigned = decision(None);
    let borrowed = decision(Some(signed.clone()));
    let table =
        [(unsigned, "nothing shows"), (borrowed, "something else than the province signed")];
    for (nth, (envelope, why)) in table.into_iter().enumerate() {
        let copy = folder.path().join(format!("copy-{nth}.db"));
        std::fs::copy(&path, &copy).unwrap();
        let mut forged = SqliteLog::open(&copy, contract::ORIGIN).unwrap();
        let item = contract::append(stream, story.len() as u64, vec![envelope]);
        assert!(forged.append(vec![item]).unwrap()[0].is_ok());
        drop(forged);
        let damage = verdict(&copy, Against::default()).damage.unwrap();
        assert_eq!(damage.position, Some(all.len() as u64 + 1));
        assert!(damage.what.contains(why), "{}", damage.what);
    }
}

#[test]
fn an_adapters_publicity_stands_only_with_what_its_province_signed() {
    for (nth, why) in [None, Some("nothing shows"), Some("something else"), Some("does not fit")]
        .iter()
        .enumerate()
    {
        let folder = tempfile::tempdir().unwrap();
        let path = specimen::make(folder.path());
        let envelope = specimen::stated(nth);
        let mut log = SqliteLog::open(&path, contract::ORIGIN).unwrap();
        let item = contract::append(envelope.stream, 1, vec![envelope]);
        assert!(log.append(vec![item]).unwrap()[0].is_ok());
        drop(log);
        let told = verdict(&path, Against::default());
        match (why, told.damage) {
            (None, damage) => assert!(damage.is_none() && told.signatures == 2, "{damage:?}"),
            (Some(why), damage) => assert!(damage.unwrap().what.contains(why), "{why}"),
        }
    }
}

#[test]
fn a_write_ahead_file_that_was_deleted_or_damaged_shows_against_the_checkpoints() {
    let folder = tempfile::tempdir().unwrap();
    let path = specimen::make(folder.path());
    let at_first = verdict(&path, Against::default()).events;
    let (main, wal) = (folder.path().join("copy.db"), folder.path().join("copy.db-wal"));
    let mut log = crate::log::sqlite::SqliteLog::open(&path, contract::ORIGIN).unwrap();
    let last = events::ids::EventId(Uuid::from_u128(1_000));
    let mut maker = contract::Maker::after(last);
    let item = maker.rated(contract::case(3), 0, 30);
    crate::log::EventLog::append(&mut log, vec![item]).unwrap()[0].as_ref().unwrap();
    let file = specimen::checkpoints(&path);
    let key = specimen::hub_key().verifying_key();
    let against = Against { hub_key: Some(&key), checkpoints: Some(&file) };
    let whole = std::fs::read(path.with_extension("db-wal")).unwrap();
    let copy = |bytes: &[u8]| {
        std::fs::copy(&path, &main).unwrap();
        std::fs::write(&wal, bytes).unwrap();
        let _ = std::fs::remove_file(folder.path().join("copy.db-shm"));
        verdict(&main, against)
    };
    assert_eq!(copy(&whole).damage, None, "a true copy is good");
    let deleted = copy(b"");
    assert_eq!(deleted.events, at_first, "the file alone looks whole");
    let vouched = format!("a checkpoint vouches for {}", at_first + 30);
    assert!(deleted.damage.unwrap().what.contains(&vouched));
    let mut silent = 0;
    for at in (40..whole.len()).step_by(61) {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        if copy(&bytes).damage.is_none() {
            // What lies behind the last commit is never read.
            silent += 1;
        }
    }
    assert_eq!(silent, 0, "every flipped bit of the write-ahead file cuts it, which shows");
}

/// All that anybody can read.
fn contents(path: &Path) -> Option<Vec<String>> {
    let connection = Connection::open_with_flags(
        path,
        rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY | rusqlite::OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
    .ok()?;
    let mut all = Vec::new();
    for sql in [
        "SELECT * FROM meta",
        "SELECT * FROM fence",
        "SELECT * FROM stream NOT INDEXED ORDER BY stream_ref",
        "SELECT * FROM stream ORDER BY name",
        "SELECT * FROM event NOT INDEXED ORDER BY position",
        "SELECT * FROM event INDEXED BY event_of_stream ORDER BY stream_ref, version",
        "SELECT * FROM sender_key ORDER BY key",
        "SELECT * FROM sqlite_schema ORDER BY name",
    ] {
        let mut statement = connection.prepare(sql).ok()?;
        let columns = statement.column_count();
        // The page on which a table begins is where it is, not what it says.
        let columns = if sql.contains("sqlite_schema") { 3 } else { columns };
        let mut rows = statement.query([]).ok()?;
        while let Some(row) = rows.next().ok()? {
            all.push((0..columns).map(|it| format!("{:?}", row.get_ref(it).unwrap())).collect());
        }
    }
    Some(all)
}

/// The parts of a page that nobody reads: between the cell pointers and the first cell.
fn unused(page: &[u8], header: usize) -> std::ops::Range<usize> {
    let number = |at: usize| usize::from(u16::from_be_bytes([page[at], page[at + 1]]));
    let inner = matches!(page[header], 2 | 5);
    let begin = header + if inner { 12 } else { 8 } + 2 * number(header + 3);
    begin..number(header + 5)
}

#[test]
fn no_changed_byte_passes_with_other_contents() {
    const PAGE: usize = 8_192;
    /// Bytes that nobody reads are changed so many at a time.
    const UNUSED_AT_ONCE: usize = 512;
    let folder = tempfile::tempdir().unwrap();
    let path = specimen::make(folder.path());
    let whole = std::fs::read(&path).unwrap();
    let original = contents(&path).unwrap();
    let mut pieces: Vec<std::ops::Range<usize>> = Vec::new();
    for (number, page) in whole.chunks(PAGE).enumerate() {
        let unused = unused(page, if number == 0 { 100 } else { 0 });
        let start = number * PAGE;
        let used = (0..page.len()).filter(|it| !unused.contains(it));
        pieces.extend(used.map(|it| start + it..start + it + 1));
        let ends = unused.clone().step_by(UNUSED_AT_ONCE);
        pieces.extend(ends.map(|it| start + it..start + (it + UNUSED_AT_ONCE).min(unused.end)));
    }
    let (mut positions, mut file_damage, mut no_verdict, mut harmless) = (0, 0, 0, Vec::new());
    let file = File::options().write(true).open(&path).unwrap();
    for piece in pieces {
        let changed: Vec<u8> = whole[piece.clone()].iter().map(|it| it ^ 0x11).collect();
        file.write_all_at(&changed, piece.start as u64).unwrap();
        match verify(&path, Against::default(), &mut |_, _| {}) {
            Err(_) => no_verdict += 1,
            Ok(Report { damage: Some(Damage { position: Some(_), .. }), .. }) => positions += 1,
            Ok(Report { damage: Some(_), .. }) => file_damage += 1,
            Ok(_) => {
                let read = contents(&path);
                assert!(read.as_ref() == Some(&original), "byte {} of the file", piece.start);
                harmless.push(piece.start);
            }
        }
        file.write_all_at(&whole[piece.clone()], piece.start as u64).unwrap();
        file.set_len(whole.len() as u64).unwrap();
    }
    assert_eq!(verdict(&path, Against::default()).damage, None, "all is put back");
    // What passes is in the file's header (counters, reserved bytes) and where nobody reads.
    let counts = format!(
        "{positions} named a position, {file_damage} the file, {no_verdict} did not open, {} harmless",
        harmless.len()
    );
    assert!(positions > 3_000 && file_damage > 1_000, "{counts}");
}
