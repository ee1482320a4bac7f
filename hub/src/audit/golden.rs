//! The golden logs: what was once published reads and recomputes with today's code.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use events::case::CaseEvent;
use events::envelope::Position;
use events::keeping::KeepingEvent;
use events::province::ProvinceEvent;
use events::reference::ReferenceEvent;
use events::wire::event_to_bytes;

use crate::audit::import::import;
use crate::audit::verify::{Against, verify_export};
use crate::log::EventLog as _;
use crate::log::sqlite::SqliteLog;

fn golden() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/golden");
    let files = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let files: Vec<PathBuf> =
        files.filter(|it| it.extension().is_some_and(|it| it == "jsonl")).collect();
    assert!(!files.is_empty(), "there is a golden log");
    files
}

#[test]
fn every_golden_log_proves_itself_and_becomes_a_log_again() {
    for file in golden() {
        let report = verify_export(&file, Against::default(), &mut |_, _| {}).unwrap();
        assert_eq!(report.damage, None, "{}", file.display());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        let made = import(&file, &path, &mut |_, _| {}).unwrap();
        assert_eq!((made.events, made.head), (report.events, report.head));
        let all = SqliteLog::readers(&path).read(|it| it.read_all(Position(0), 10_000)).unwrap();
        for it in all {
            // What is written today is what was written then: no field moved or changed its shape.
            let again = String::from_utf8(event_to_bytes(&it.envelope)).unwrap();
            let then = String::from_utf8(it.body).unwrap();
            assert_eq!(again, then, "{}: position {}", file.display(), it.position);
        }
        let origin = made.origin.clone();
        assert_eq!(SqliteLog::open(&path, &origin).unwrap().epoch(), 2);
    }
}

#[test]
fn every_kind_of_event_stands_in_a_golden_log_of_its_time() {
    let mut found = BTreeSet::new();
    for file in golden() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.db");
        import(&file, &path, &mut |_, _| {}).unwrap();
        let all = SqliteLog::readers(&path).read(|it| it.read_all(Position(0), 10_000)).unwrap();
        let kinds: BTreeSet<&str> = all.iter().map(|it| it.envelope.event.kind()).collect();
        if file.ends_with("v1.jsonl") {
            assert_eq!(kinds.len(), 49, "the first one had every kind of its time");
        }
        found.extend(kinds);
    }
    let known =
        [CaseEvent::KINDS, ProvinceEvent::KINDS, ReferenceEvent::KINDS, KeepingEvent::KINDS];
    let missing: Vec<&&str> =
        known.iter().copied().flatten().filter(|it| !found.contains(**it)).collect();
    // A kind that is added later gets a golden log of its own time.
    assert_eq!(missing, Vec::<&&str>::new());
}
