//! What the SQLite file must do beyond the contract: stay append-only, keep one writer, refuse by name.

use std::cell::Cell;
use std::path::{Path, PathBuf};

use rusqlite::hooks::{AuthContext, Authorization};

use super::guard::Role;
use super::*;
use crate::log::contract::{self, Maker, ORIGIN, case};

/// A log with three events in two stories and one key, in a folder of its own.
fn small_log() -> (tempfile::TempDir, PathBuf, Maker) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    let mut maker = Maker::default();
    let mut log = SqliteLog::open(&path, ORIGIN).unwrap();
    let mut keyed = maker.rated(case(1), 0, 2);
    keyed.key = Some(SenderKey([5; 32]));
    let answers = log.append(vec![keyed, maker.noted(1)]).unwrap();
    assert!(answers.iter().all(Result::is_ok));
    (folder, path, maker)
}

/// Somebody with the file and without our manners; as careful as `recursive_triggers` makes it.
fn stranger(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    settings::answer(&connection, "PRAGMA recursive_triggers = 1").unwrap();
    connection
}

#[test]
fn it_keeps_the_contract() {
    let folder = tempfile::tempdir().unwrap();
    let number = Cell::new(0);
    contract::check_all(|| {
        number.set(number.get() + 1);
        let path = folder.path().join(format!("log-{}.db", number.get()));
        Box::new(SqliteLog::open(&path, ORIGIN).unwrap())
    });
}

const REWRITES: [&str; 12] = [
    "UPDATE event SET body = x'00' WHERE position = 1",
    "DELETE FROM event WHERE position = 3",
    "DELETE FROM event",
    "INSERT OR REPLACE INTO event SELECT * FROM event WHERE position = 3",
    "INSERT OR REPLACE INTO event SELECT 4, stream_ref, version, recorded_at, epoch,
        x'ffffffffffffffffffffffffffffffff', kind, actor, body, sealed, evidence,
        evidence_signature, hash, hash FROM event WHERE position = 3",
    "UPDATE stream SET name = 'reference' WHERE name = 'keeping'",
    "DELETE FROM stream",
    "INSERT OR REPLACE INTO stream (stream_ref, name) VALUES (1, 'reference')",
    "DELETE FROM sender_key",
    "UPDATE sender_key SET stream_ref = 2",
    "UPDATE fence SET epoch = 9",
    "UPDATE meta SET origin = 'other'",
];

#[test]
fn triggers_alone_stop_every_rewriting() {
    let (_folder, path, _) = small_log();
    let connection = stranger(&path);
    for sql in REWRITES {
        let error = connection.execute(sql, []).unwrap_err().to_string();
        assert!(error.contains("log: "), "{sql}: {error}");
    }
    drop(connection);
    assert_eq!(SqliteLog::open(&path, ORIGIN).unwrap().head.position, 3);
}

#[test]
fn triggers_alone_stop_every_insert_that_does_not_go_on() {
    let (_folder, path, _) = small_log();
    let connection = stranger(&path);
    let insert = |position: &str, version: &str, at: &str, epoch: &str, id: &str, before: &str| {
        let sql = format!(
            "INSERT INTO event SELECT {position}, stream_ref, {version}, {at}, {epoch}, {id}, kind,
             actor, body, sealed, evidence, evidence_signature, {before}, hash
             FROM event WHERE position = 3"
        );
        connection.execute(&sql, []).map_err(|it| it.to_string())
    };
    let (at, epoch, id) = ("recorded_at", "epoch", "x'ffffffffffffffffffffffffffffffff'");
    for (position, version, at, epoch, id, before) in [
        ("5", "2", at, epoch, id, "hash"),
        ("0", "2", at, epoch, id, "hash"),
        ("4", "3", at, epoch, id, "hash"),
        ("4", "1", at, epoch, id, "hash"),
        ("4", "2", "recorded_at - 1", epoch, id, "hash"),
        ("4", "2", at, "epoch + 1", id, "hash"),
        ("4", "2", at, "0", id, "hash"),
        ("4", "2", at, epoch, "event_id", "hash"),
        ("4", "2", at, epoch, id, "previous_hash"),
    ] {
        let error = insert(position, version, at, epoch, id, before).unwrap_err();
        assert!(error.contains("log: "), "{position} {version} {at} {epoch} {id}: {error}");
    }
    assert_eq!(insert("4", "2", at, epoch, id, "hash"), Ok(1), "the one that goes on");
    let skipped = connection.execute("INSERT INTO fence VALUES (7)", []).unwrap_err();
    assert!(skipped.to_string().contains("epochs grow by one"));
}

#[test]
fn a_connection_of_the_hub_cannot_even_ask_for_it() {
    let (_folder, path, _) = small_log();
    let log = SqliteLog::open(&path, ORIGIN).unwrap();
    let reader = open::reader(&path).unwrap();
    let more = [
        "DROP TRIGGER event_kept_delete",
        "DROP TABLE event",
        "ALTER TABLE event RENAME TO other",
        "CREATE TRIGGER other BEFORE INSERT ON event BEGIN SELECT 1; END",
        "CREATE TEMP TRIGGER other BEFORE INSERT ON event BEGIN SELECT 1; END",
        "CREATE TABLE other (one)",
        "DROP INDEX event_of_stream",
        "ATTACH ':memory:' AS other",
        "PRAGMA writable_schema = ON",
        "PRAGMA recursive_triggers = OFF",
        "PRAGMA synchronous = OFF",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA user_version = 2",
        "PRAGMA query_only = OFF",
        "UPDATE sqlite_schema SET sql = NULL",
        "VACUUM",
        "REINDEX",
    ];
    for connection in [&log.connection, &reader.connection] {
        for sql in more.iter().chain(&REWRITES) {
            assert!(connection.execute_batch(sql).is_err(), "{sql}");
        }
    }
    for sql in more.iter().chain(&REWRITES).filter(|it| !it.starts_with("INSERT")) {
        let error = log.connection.execute_batch(sql).unwrap_err().to_string();
        let denied = ["not authorized", "may not be modified", "authorization denied"];
        assert!(denied.iter().any(|it| error.contains(it)), "{sql}: {error}");
    }
    let insert = reader.connection.execute("INSERT INTO fence VALUES (3)", []).unwrap_err();
    assert!(insert.to_string().contains("not authorized"), "{insert}");
}

#[test]
fn a_reader_cannot_write_even_unguarded() {
    let (_folder, path, _) = small_log();
    let reader = open::reader(&path).unwrap();
    reader.connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).unwrap();
    let error = reader.connection.execute("INSERT INTO fence VALUES (2)", []).unwrap_err();
    assert!(error.to_string().contains("readonly"), "{error}");
}

#[test]
fn there_is_one_writer_and_its_epoch_grows() {
    let (_folder, path, mut maker) = small_log();
    let mut first = SqliteLog::open(&path, ORIGIN).unwrap();
    assert_eq!(first.epoch(), 2);
    let second = SqliteLog::open(&path, ORIGIN).err().unwrap();
    assert!(matches!(second, OpenError::AnotherWriter { .. }), "{second}");
    assert_eq!(first.append(vec![maker.noted(2)]).unwrap()[0].as_ref().unwrap()[0].epoch, 2);
    drop(first);
    assert_eq!(SqliteLog::open(&path, ORIGIN).unwrap().epoch(), 3, "a refused open uses none");
}

#[test]
fn a_writer_whose_epoch_is_over_is_told_so() {
    let (_folder, path, mut maker) = small_log();
    let mut log = SqliteLog::open(&path, ORIGIN).unwrap();
    stranger(&path).execute("INSERT INTO fence VALUES (3)", []).unwrap();
    let verdict = log.append(vec![maker.noted(2)]);
    assert!(matches!(verdict, Err(AppendError::Fenced { epoch: 2 })), "{verdict:?}");
    assert_eq!(log.head().unwrap().unwrap().0, Position(3));
}

#[test]
fn a_setting_that_did_not_take_effect_is_noticed() {
    let (_folder, path, _) = small_log();
    for (role, sql, setting) in [
        (Role::Writer, "PRAGMA synchronous = NORMAL", "synchronous"),
        (Role::Writer, "PRAGMA recursive_triggers = OFF", "recursive_triggers"),
        (Role::Writer, "PRAGMA journal_mode = DELETE", "journal_mode"),
        (Role::Writer, "PRAGMA trusted_schema = ON", "trusted_schema"),
        (Role::Writer, "PRAGMA cell_size_check = OFF", "cell_size_check"),
        (Role::Reader, "PRAGMA query_only = OFF", "query_only"),
    ] {
        let connection = Connection::open(&path).unwrap();
        settings::apply(&connection, role).unwrap();
        settings::answer(&connection, sql).unwrap();
        match settings::check(&connection, role) {
            Err(OpenError::Setting { setting: found, .. }) => assert_eq!(found, setting),
            other => panic!("{sql}: {other:?}"),
        }
    }
    let connection = Connection::open(&path).unwrap();
    settings::apply(&connection, Role::Writer).unwrap();
    let defensive = rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE;
    connection.set_db_config(defensive, false).unwrap();
    assert!(matches!(
        settings::check(&connection, Role::Writer),
        Err(OpenError::Setting { setting: "defensive mode", .. })
    ));
}

/// Opens a small log after `spoil` and gives the refusal's first words.
fn refusal(spoil: impl FnOnce(&Path)) -> String {
    let (_folder, path, _) = small_log();
    spoil(&path);
    let before = std::fs::read(&path).ok();
    let error = SqliteLog::open(&path, ORIGIN).err().expect("it must not open").to_string();
    assert_eq!(std::fs::read(&path).ok(), before, "a refused file is not touched");
    error.replace(&path.display().to_string(), "LOG")
}

#[test]
fn strange_files_are_refused_by_name() {
    let sql = |sql: &'static str| move |path: &Path| stranger(path).execute_batch(sql).unwrap();
    let trigger = "DROP TRIGGER event_kept_delete; DROP TRIGGER event_next";
    let changed = "DROP TRIGGER meta_kept_delete; CREATE TRIGGER meta_kept_delete
        BEFORE DELETE ON meta BEGIN SELECT 1; END";
    for (found, expected) in [
        (refusal(|it| std::fs::write(it, b"").unwrap()), "`LOG` is empty"),
        (refusal(|it| std::fs::write(it, [b'x'; 9_000]).unwrap()), "`LOG` is not a database"),
        (
            refusal(|it| std::fs::rename(it, open::beside(it, "-wal")).unwrap()),
            "`LOG-wal` is there but its database is not",
        ),
        (refusal(sql("PRAGMA user_version = 2")), "the log has schema 2, this hub knows up to 1"),
        (refusal(sql("PRAGMA user_version = 0")), "`version 0` is not as this hub made it"),
        (refusal(sql("PRAGMA application_id = 7")), "the database is not a log"),
        (refusal(sql(trigger)), "`event_kept_delete` is not as this hub made it"),
        (refusal(sql(changed)), "`meta_kept_delete` is not as this hub made it"),
        (refusal(sql("CREATE TABLE other (one)")), "`other` is not as this hub made it"),
    ] {
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
    let (_folder, path, _) = small_log();
    let other = SqliteLog::open(&path, "hub.other").err().unwrap();
    assert!(matches!(other, OpenError::OtherOrigin { .. }), "{other}");
    let folder = tempfile::tempdir().unwrap();
    assert!(SqliteLog::open(folder.path(), ORIGIN).is_err(), "a folder is no log");
    assert!(open::reader(&folder.path().join("none.db")).is_err(), "a reader makes no log");
}

#[test]
fn a_leftover_lock_file_and_a_half_made_log_are_no_obstacle() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("log.db");
    std::fs::write(folder.path().join("log.lock"), b"").unwrap();
    std::fs::write(folder.path().join("log.db.new"), b"half").unwrap();
    std::fs::write(folder.path().join("log.db.new-wal"), b"half").unwrap();
    assert_eq!(SqliteLog::open(&path, ORIGIN).unwrap().epoch(), 1);
    assert_eq!(SqliteLog::open(&path, ORIGIN).unwrap().epoch(), 2);
}

#[test]
fn a_full_disk_undoes_the_batch_and_the_log_goes_on_when_there_is_room() {
    let (_folder, path, mut maker) = small_log();
    let mut log = SqliteLog::open(&path, ORIGIN).unwrap();
    let limit = |log: &SqliteLog, pages: &str| {
        log.connection.authorizer(None::<fn(AuthContext<'_>) -> Authorization>).unwrap();
        settings::answer(&log.connection, &format!("PRAGMA max_page_count = {pages}")).unwrap();
        guard::guard(&log.connection, Role::Writer).unwrap();
    };
    limit(&log, "1"); // SQLite takes the file's present size instead
    let before = log.read_all(Position(0), 10).unwrap();
    let verdict = log.append(vec![maker.noted(2), maker.rated(case(2), 0, 500)]);
    assert!(matches!(verdict, Err(AppendError::Full(_))), "{verdict:?}");
    assert_eq!(log.read_all(Position(0), 10).unwrap(), before, "reading goes on");
    limit(&log, "1000000");
    let answers = log.append(vec![maker.noted(2), maker.rated(case(2), 0, 500)]).unwrap();
    assert_eq!(answers[1].as_ref().unwrap().last().unwrap().position, Position(504));
    assert_eq!(log.read_all(Position(0), 1_000).unwrap().len(), 504);
}

#[test]
fn a_changed_row_is_noticed_when_it_is_read() {
    for (sql, why) in [
        ("UPDATE event SET body = replace(body, 'atisf', 'atxsf')", "another one"),
        ("UPDATE event SET sealed = x'00'", "another one"),
        ("UPDATE event SET recorded_at = recorded_at + 1", "another one"),
        ("UPDATE event SET kind = 'case.archived.v1'", "the kind is not the body's"),
        ("UPDATE event SET actor = 'hub'", "the actor is not the body's"),
        ("UPDATE event SET event_id = zeroblob(16)", "the event id is not the body's"),
    ] {
        let (_folder, path, _) = small_log();
        let connection = stranger(&path);
        connection.execute_batch("DROP TRIGGER event_kept_update").unwrap();
        let sql = format!("{sql} WHERE position = 2");
        // The body is a BLOB; `replace` made a text of it.
        let sql = sql.replace(
            "replace(body, 'atisf', 'atxsf')",
            "CAST(replace(CAST(body AS TEXT), 'atisf', 'atxsf') AS BLOB)",
        );
        assert_eq!(connection.execute(&sql, []).unwrap(), 1);
        let trigger = "CREATE TRIGGER event_kept_update BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'log: what is recorded stays'); END";
        connection.execute_batch(trigger).unwrap();
        drop(connection);
        let log = SqliteLog::open(&path, ORIGIN).unwrap();
        for read in [log.read_all(Position(0), 10), log.read_stream(&StreamName::Case(case(1)))] {
            match read {
                Err(ReadError::Damaged { position: Position(2), why: found }) => {
                    assert!(found.contains(why), "{sql}: {found}");
                }
                other => panic!("{sql}: {other:?}"),
            }
        }
    }
}

#[test]
fn a_changed_key_is_noticed_when_it_is_found() {
    let (_folder, path, _) = small_log();
    let connection = stranger(&path);
    let sql = "INSERT INTO sender_key VALUES (?1, 2, zeroblob(16))";
    connection.execute(sql, [[6; 32]]).unwrap();
    let reader = open::reader(&path).unwrap();
    let found = reader.find_key(&SenderKey([5; 32])).unwrap();
    assert_eq!(found, Some(StreamName::Case(case(1))));
    assert!(reader.find_key(&SenderKey([6; 32])).is_err());
}

#[test]
fn readers_see_what_is_committed_and_resting_empties_the_write_ahead_file() {
    let (_folder, path, mut maker) = small_log();
    let mut log = SqliteLog::open(&path, ORIGIN).unwrap();
    let readers = SqliteLog::readers(&path);
    let position = |readers: &Readers| readers.read(|it| it.head()).unwrap().unwrap().0;
    assert_eq!(position(&readers), Position(3));
    log.append(vec![maker.rated(case(2), 0, 1_000)]).unwrap();
    assert_eq!(position(&readers), Position(1_003));
    assert!(log.unsettled_bytes > append::REST_BYTES_MIN);
    log.rest().unwrap();
    assert_eq!(log.unsettled_bytes, 0);
    assert_eq!(readers.read(|it| it.read_all(Position(0), 2_000)).unwrap().len(), 1_003);
}

#[test]
#[should_panic(expected = "event ids grow")]
fn an_event_id_that_does_not_grow_is_a_bug_of_ours() {
    let (_folder, path, _) = small_log();
    let mut log = SqliteLog::open(&path, ORIGIN).unwrap();
    let _ = log.append(vec![Maker::default().noted(2)]);
}
