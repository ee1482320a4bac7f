//! A log that was cut, set back or written anew does not start; a torn note harms nobody.

use super::*;
use crate::log::contract::{Maker, ORIGIN, case};
use crate::log::memory::MemoryLog;
use crate::log::{EventLog as _, SenderKey};

fn key() -> SigningKey {
    SigningKey::from_bytes(&[4; 32])
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + seconds).unwrap()
}

fn log(events: usize, key: Option<SenderKey>) -> MemoryLog {
    let mut log = MemoryLog::new(ORIGIN);
    let mut item = Maker::default().rated(case(1), 0, events);
    item.key = key;
    log.append(vec![item]).unwrap()[0].as_ref().unwrap();
    log
}

fn signed(folder: &Path, heads: &[(Position, Hash)]) -> PathBuf {
    let path = folder.join("checkpoints");
    let mut checkpointer = Checkpointer::new(&path, key(), "hub-1", ORIGIN, None);
    for head in heads {
        checkpointer.sign(*head, at(0)).unwrap();
    }
    path
}

fn verdict(log: &MemoryLog, path: &Path) -> Result<Option<Checkpoint>, String> {
    check_head_at_start(log, path, &key().verifying_key(), false).map_err(|it| it.to_string())
}

#[test]
fn a_log_that_was_cut_or_rewritten_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let whole = log(5, None);
    let head = whole.head().unwrap().unwrap();
    let path = signed(folder.path(), &[head]);
    assert_eq!(verdict(&whole, &path).unwrap().unwrap().position, 5);
    let longer = log(7, None);
    assert_eq!(verdict(&longer, &path).unwrap().unwrap().position, 5, "it went on since");
    let cut = verdict(&log(4, None), &path).unwrap_err();
    assert!(cut.starts_with("rollback detected: the log ends at 4, but 5 was"), "{cut}");
    let empty = verdict(&MemoryLog::new(ORIGIN), &path).unwrap_err();
    assert!(empty.starts_with("rollback detected: the log ends at 0"), "{empty}");
    let mut other = MemoryLog::new(ORIGIN);
    other.append(vec![Maker::default().rated(case(2), 0, 6)]).unwrap();
    let rewritten = verdict(&other, &path).unwrap_err();
    assert!(rewritten.contains("position 5 is not what was signed"), "{rewritten}");
}

#[test]
fn missing_checkpoints_are_refused_but_for_the_first_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints");
    assert_eq!(verdict(&MemoryLog::new(ORIGIN), &path), Ok(None));
    let refused = verdict(&log(2, None), &path).unwrap_err();
    assert!(refused.contains("but the log has 2 events"), "{refused}");
    std::fs::write(&path, "").unwrap();
    assert!(verdict(&log(2, None), &path).is_err(), "an emptied file is a missing one");
    let public = key().verifying_key();
    let allowed = check_head_at_start(&log(2, None), &path, &public, true);
    assert_eq!(allowed.unwrap(), None);
    let long = log(EVENTS_MAX as usize + 1, None);
    assert!(check_head_at_start(&long, &path, &public, true).is_err(), "no first start is so long");
}

#[test]
fn another_key_another_origin_and_another_order_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(5, None);
    let head = log.head().unwrap().unwrap();
    let path = signed(folder.path(), &[head]);
    let other = SigningKey::from_bytes(&[5; 32]).verifying_key();
    let refused = check_head_at_start(&log, &path, &other, true).unwrap_err();
    assert!(matches!(refused, CheckpointError::Note { number: 1, .. }), "{refused}");
    let stranger = MemoryLog::new("hub.other");
    assert!(verdict(&stranger, &path).unwrap_err().contains("belong to"));
    let lower = Checkpoint { origin: ORIGIN.into(), position: 2, hash: Hash([1; 32]) };
    let mut text = std::fs::read_to_string(&path).unwrap();
    text.push_str(&format!("{}\n", lower.sign(&key(), "hub-1")));
    std::fs::write(&path, text).unwrap();
    assert_eq!(verdict(&log, &path).unwrap_err(), "checkpoint 2 contradicts the one before");
}

#[test]
fn any_changed_byte_of_a_whole_note_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(5, None);
    let head = log.head().unwrap().unwrap();
    let path = signed(folder.path(), &[head, head]);
    let whole = std::fs::read(&path).unwrap();
    let first = whole.len() / 2;
    // But in the key's id, which nobody relies on.
    let id = whole.windows(5).position(|it| it == b"hub-1").unwrap();
    for changed in (0..first).filter(|it| !(id..id + 5).contains(it)) {
        let mut bytes = whole.clone();
        bytes[changed] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(verdict(&log, &path).is_err(), "byte {changed} of {first}");
    }
}

#[test]
fn a_note_that_a_crash_cut_off_is_ignored_and_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(5, None);
    let head = log.head().unwrap().unwrap();
    let path = signed(folder.path(), &[head]);
    let whole = std::fs::read(&path).unwrap();
    let next = [whole.clone(), whole.clone()].concat();
    for bytes in whole.len()..next.len() {
        std::fs::write(&path, &next[..bytes]).unwrap();
        let last = verdict(&log, &path).unwrap();
        assert_eq!(last.as_ref().unwrap().position, 5, "cut at {bytes}");
        let mut goes_on = Checkpointer::new(&path, key(), "hub-1", ORIGIN, last.as_ref());
        goes_on.sign(head, at(1)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), next, "cut at {bytes}");
    }
}

#[test]
fn it_signs_after_enough_events_or_enough_time_and_never_backwards() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints");
    let mut it = Checkpointer::new(&path, key(), "hub-1", ORIGIN, None);
    let head = |position| (Position(position), Hash([position as u8; 32]));
    let mut signs =
        |position, seconds| it.maybe(head(position), at(seconds)).map(|it| it.is_some());
    assert!(signs(1, 0).unwrap(), "the first at once");
    assert!(!signs(1, 1_000).unwrap(), "nothing new");
    assert!(!signs(1_000, 59).unwrap());
    assert!(signs(1_001, 59).unwrap(), "1,000 events");
    assert!(!signs(1_002, 100).unwrap());
    assert!(signs(1_002, 119).unwrap(), "60 seconds");
    assert!(matches!(it.sign(head(7), at(500)), Err(CheckpointError::Rollback { .. })));
    let all = read(&path, &key().verifying_key()).unwrap().unwrap();
    let positions: Vec<u64> = all.iter().map(|it| it.position).collect();
    assert_eq!(positions, [1, 1_001, 1_002]);
}
