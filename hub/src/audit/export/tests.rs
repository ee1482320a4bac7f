//! What is exported is the log, whole: it verifies offline, becomes a log again, and shows every change.

use super::*;
use crate::audit::import::{ImportError, import};
use crate::audit::specimen;
use crate::audit::verify::{Against, Report, verify_export};
use crate::log::contract::{Maker, ORIGIN};
use crate::log::sqlite::SqliteLog;
use crate::log::{EventLog as _, SenderKey};

fn export_of(log: &Path, target: &Path, from: u64, to: Option<u64>) -> Result<Exported, String> {
    let readers = SqliteLog::readers(log);
    let mut answer = None;
    let asked = readers.read(|it| {
        answer = Some(export(it, target, from, to, &mut |_, _| {}));
        Ok(())
    });
    asked.unwrap();
    answer.unwrap().map_err(|it| it.to_string())
}

fn verdict(path: &Path) -> Report {
    verify_export(path, Against::default(), &mut |_, _| {}).unwrap()
}

#[test]
fn export_import_export_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = specimen::make(folder.path());
    let (first, second) = (folder.path().join("1.jsonl"), folder.path().join("2.jsonl"));
    let exported = export_of(&path, &first, 1, None).unwrap();
    assert_eq!((exported.from, exported.to, exported.sender_keys), (1, 8, 1));
    let made = folder.path().join("made.db");
    let report = import(&first, &made, &mut |_, _| {}).unwrap();
    assert_eq!((report.events, report.signatures, report.sender_keys), (8, 1, 1));
    export_of(&made, &second, 1, None).unwrap();
    assert_eq!(std::fs::read(&first).unwrap(), std::fs::read(&second).unwrap());
    let original = SqliteLog::open(&path, ORIGIN).unwrap();
    let mut log = SqliteLog::open(&made, ORIGIN).unwrap();
    let all = |log: &SqliteLog| log.read_all(Position(0), 100).unwrap();
    assert_eq!(all(&original), all(&log));
    assert_eq!(log.epoch(), original.epoch(), "epochs go on");
    let key = log.find_key(&SenderKey([9; 32])).unwrap();
    assert_eq!(key, Some(StreamName::Case(crate::log::contract::case(1))));
    let last = all(&log).last().unwrap().envelope.id;
    assert!(log.append(vec![Maker::after(last).noted(4)]).unwrap()[0].is_ok(), "the log goes on");
}

#[test]
fn an_export_verifies_without_a_database_and_so_does_a_part_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = specimen::make(folder.path());
    let (whole, part) = (folder.path().join("whole.jsonl"), folder.path().join("part.jsonl"));
    export_of(&path, &whole, 1, None).unwrap();
    let key = specimen::hub_key().verifying_key();
    let file = specimen::checkpoints(&path);
    let against = Against { hub_key: Some(&key), checkpoints: Some(&file) };
    let report = verify_export(&whole, against, &mut |_, _| {}).unwrap();
    assert_eq!(report.damage, None);
    assert_eq!((report.events, report.streams, report.sender_keys), (8, 4, 1));
    assert_eq!((report.signatures, report.checkpoints), (1, 2));
    export_of(&path, &part, 3, Some(6)).unwrap();
    let report = verdict(&part);
    assert_eq!((report.events, report.damage), (4, None));
    let refused = import(&part, &folder.path().join("none.db"), &mut |_, _| {}).unwrap_err();
    assert!(matches!(refused, ImportError::Partial { from: 3 }), "{refused}");
}

#[test]
fn every_changed_byte_of_an_export_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = specimen::make(folder.path());
    let file = folder.path().join("log.jsonl");
    export_of(&path, &file, 1, None).unwrap();
    let whole = std::fs::read(&file).unwrap();
    let (mut positions, mut others) = (0, 0);
    for at in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        std::fs::write(&file, &bytes).unwrap();
        match verdict(&file).damage {
            Some(damage) if damage.position.is_some() => positions += 1,
            Some(_) => others += 1,
            None => panic!("byte {at}: {}", String::from_utf8_lossy(&bytes)),
        }
    }
    assert!(positions > 3_000 && others > 100, "{positions} {others}");
}

#[test]
fn a_cut_a_reordered_and_a_converted_export_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let path = specimen::make(folder.path());
    let file = folder.path().join("log.jsonl");
    export_of(&path, &file, 1, None).unwrap();
    let whole = std::fs::read_to_string(&file).unwrap();
    let lines: Vec<&str> = whole.lines().collect();
    let joined = |lines: &[&str]| lines.join("\n") + "\n";
    let mut swapped = lines.clone();
    swapped.swap(3, 4);
    let without = |at: usize| {
        let mut lines = lines.clone();
        lines.remove(at);
        joined(&lines)
    };
    for (text, position, what) in [
        (joined(&lines[..lines.len() - 1]), None, "the last line is missing"),
        (whole[..whole.len() - 1].to_owned(), None, "does not end"),
        (joined(&swapped), Some(3), "position 3 is missing"),
        (without(8), None, "the last line does not say"),
        (without(9), None, "senders' keys are missing"),
        (without(0), None, "is not an export's first"),
        (whole.replace('\n', "\r\n"), None, "the last line does not say"),
        (whole.clone() + lines[1] + "\n", None, "lines behind the last"),
        (String::new(), None, "the file is empty"),
        ("x".repeat(5 << 20), None, "too long"),
    ] {
        std::fs::write(&file, &text).unwrap();
        let Some(damage) = verdict(&file).damage else {
            // JSON does not mind a carriage return before the line's end.
            assert!(text.contains("\r\n"), "{what}");
            continue;
        };
        assert_eq!(damage.position, position, "{what}: {}", damage.what);
        assert!(damage.what.contains(what), "{what}: {}", damage.what);
        let target = folder.path().join("none.db");
        assert!(import(&file, &target, &mut |_, _| {}).is_err() && !target.exists(), "{what}");
    }
}

#[test]
fn nothing_is_overwritten_and_a_wrong_range_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = specimen::make(folder.path());
    let file = folder.path().join("log.jsonl");
    for (from, to) in [(0, None), (9, None), (5, Some(4)), (1, Some(9)), (1, Some(u64::MAX))] {
        let error = export_of(&path, &file, from, to).unwrap_err();
        assert!(error.contains("the log ends at 8"), "{error}");
        assert!(!file.exists() && !folder.path().join("log.jsonl.part").exists());
    }
    export_of(&path, &file, 2, Some(2)).unwrap();
    assert!(export_of(&path, &file, 1, None).unwrap_err().contains("exists already"));
    let whole = folder.path().join("whole.jsonl");
    export_of(&path, &whole, 1, None).unwrap();
    let refused = import(&whole, &path, &mut |_, _| {}).unwrap_err();
    assert!(matches!(refused, ImportError::Open(_)), "{refused}");
}
