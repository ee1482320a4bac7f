//! Said again, nothing changes; deleted, it comes back; old logs are read for ever.

use std::path::Path;

use events::ids::ProvinceCode;
use events::report::News;
use events::vocabulary::Outcome;
use hub::audit::{replay, verify};
use hub::intake::reports::Message;
use hub::log::sqlite::SqliteLog;
use hub::views::runner::rebuild;
use tests::invariants;
use tests::stage::national::Handed;
use tests::stage::province::FakeProvince;
use tests::stage::{Setup, TestHub};

/// Some finished cases, and every message that ever came.
fn finished(sqlite: bool) -> (TestHub, FakeProvince, Vec<Message>) {
    let at = "2026-03-02T01:00:00Z".parse().unwrap();
    let mut hub = TestHub::new(Setup { sqlite, ..Setup::at(at) });
    let code: ProvinceCode = "22".parse().unwrap();
    let mut province = FakeProvince::new(code);
    province.keys.enrol(&hub);
    let mut said = Vec::new();
    for nth in 1..=5 {
        let handed = Handed::new(nth, code, hub.clock.now());
        handed.submit(&hub);
        hub.dispatch();
        let now = hub.clock.now();
        for (_, letter) in hub.pipe.fetch() {
            province.arrive(&letter, now);
        }
        let acceptance_number = format!("受-{nth}");
        province.say(handed.case(), News::Accepted { acceptance_number }, now);
        let news = News::Completed {
            outcome: Outcome::Approved,
            decision_number: format!("决-{nth}"),
            reasons: vec![],
            result: Default::default(),
        };
        province.say(handed.case(), news, now);
        let batch: Vec<Message> = province.outbox.drain(..).map(|it| it.1).collect();
        hub.take(code, &batch);
        said.extend(batch);
    }
    assert_eq!(invariants::ended(&hub.events()), Vec::<String>::new());
    (hub, province, said)
}

#[test]
fn every_old_report_said_again_changes_nothing() {
    let (mut hub, province, said) = finished(false);
    let before = hub.events();
    let code = province.keys.province;
    hub.take(code, &said);
    hub.restart();
    for report in said.iter().rev() {
        hub.take(code, std::slice::from_ref(report));
    }
    let after = hub.events();
    // The restart alone is on record: that a writer started.
    assert_eq!(after.len(), before.len() + 1);
    let again = hub.events().len();
    hub.take(code, &said);
    assert_eq!(hub.events().len(), again);
    assert_eq!(invariants::views(&hub), Vec::<String>::new());
}

#[test]
fn views_that_are_deleted_come_back_equal() {
    let (mut hub, ..) = finished(true);
    hub.catch_up();
    let (live, new) = (hub.path("views.db"), hub.path("again.db"));
    rebuild(&new, hub.readers(), Some(hub.opener().clone()), &mut |_, _| {}).unwrap();
    for path in [live, new] {
        let (_, compared) = replay::compare(&path, hub.readers(), &mut |_| {}).unwrap();
        assert!(compared.iter().all(replay::Compared::is_equal), "{compared:?}");
    }
}

#[test]
fn a_log_on_disk_is_verified_and_goes_on_after_a_restart() {
    let (mut hub, ..) = finished(true);
    hub.restart();
    hub.catch_up();
    let against = verify::Against::default();
    let report = verify::verify(&hub.path("log.db"), against, &mut |_, _| {}).unwrap();
    assert!(report.is_clean(), "{:?}", report.damage);
    assert_eq!(report.signatures, 15);
}

#[test]
fn the_logs_of_every_published_version_are_read_for_ever() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden");
    let mut looked_at = 0;
    for entry in std::fs::read_dir(golden).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|it| it != "db") {
            continue;
        }
        // A copy, because even a reader leaves files beside a log.
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("log.db");
        std::fs::copy(&path, &copy).unwrap();
        let against = verify::Against::default();
        let report = verify::verify(&copy, against, &mut |_, _| {}).unwrap();
        assert!(report.is_clean(), "{}: {:?}", path.display(), report.damage);
        let readers = SqliteLog::readers(&copy);
        let replayed = replay::replay(&readers, None, &mut |_| {}).unwrap();
        assert_eq!(replayed.events, report.events, "{}", path.display());
        let log = readers.read(|it| it.read_all(events::envelope::Position(0), usize::MAX));
        assert_eq!(invariants::once(&log.unwrap()), Vec::<String>::new());
        looked_at += 1;
    }
    assert!(looked_at > 0, "there is at least one golden log");
}
