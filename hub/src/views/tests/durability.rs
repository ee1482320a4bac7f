//! A file that can be killed at any line, deleted, rebuilt, or belong to another log.

use std::sync::Arc;
use std::time::Duration;

use events::envelope::{Event, Position};
use events::ids::StreamName;
use events::keeping::{CaseKeyDestroyed, KeepingEvent};
use events::proof::Digest;
use events::province::{ProvinceEnrolled, ProvinceEvent, ProvincePaused};
use events::work::WorkKind;
use rusqlite::Connection;

use super::stage::*;
use crate::vault::{OpenPersonal, VaultError};
use crate::views::membership::Membership;
use crate::views::reader::{CaseFilter, ViewError, ViewReader};
use crate::views::runner::{NICENESS, Views, rebuild};
use crate::wake::Wake;

fn told() -> Stage {
    let mut stage = Stage::new();
    for number in 1..=5 {
        stage.submitted(number, "2026-03-04").given(number, forwarded(1, 1));
    }
    stage.given(2, delivered(WorkKind::Case, 1)).given(3, declined("2026-03-02"));
    stage
}

/// What a reader of the file sees.
fn seen(reader: &ViewReader) -> String {
    let cases = reader.cases(&CaseFilter::default(), None, 100).unwrap();
    format!("{cases:?} {:?} {:?}", reader.outbox(100).unwrap(), reader.provinces().unwrap())
}

#[test]
fn rows_and_cursor_commit_together() {
    let mut stage = told();
    let reader = stage.then();
    let before = seen(&reader);
    let mut views = stage.open();
    // What stops a commit between the rows and the cursor must leave neither behind.
    let file = Connection::open(stage.path()).unwrap();
    file.execute_batch(
        "CREATE TRIGGER no BEFORE UPDATE ON cursor BEGIN SELECT RAISE(ABORT, 'no'); END",
    )
    .unwrap();
    stage.given(1, declined("2026-03-02"));
    assert!(views.step().is_err());
    drop(views);
    assert_eq!(seen(&reader), before);
    assert_eq!(reader.position().unwrap(), Position(17));
    file.execute_batch("DROP TRIGGER no").unwrap();
    assert_ne!(seen(&stage.then()), before);
    assert_eq!(reader.position().unwrap(), Position(18));
}

#[test]
fn a_deleted_file_loses_nothing() {
    let stage = told();
    let before = seen(&stage.then());
    for ending in ["", "-wal", "-shm"] {
        let name = format!("views.db{ending}");
        let _ = std::fs::remove_file(stage.folder.path().join(name));
    }
    assert_eq!(seen(&stage.then()), before);
}

#[test]
fn a_rebuilt_file_is_the_live_one() {
    let stage = told();
    let before = seen(&stage.then());
    let mut heard = vec![];
    let readers = stage.log.readers();
    rebuild(&stage.path(), &readers, None, &mut |at, of| heard.push((at, of))).unwrap();
    assert_eq!(heard, [(Position(17), Position(17))]);
    assert_eq!(seen(&ViewReader::open(&stage.path())), before);
}

#[test]
fn another_revision_is_rebuilt_before_anybody_reads_it() {
    let stage = told();
    let before = seen(&stage.then());
    let file = Connection::open(stage.path()).unwrap();
    file.execute_batch("UPDATE cursor SET revision = 0; UPDATE status SET row = x'00'").unwrap();
    drop(file);
    assert_eq!(seen(&stage.then()), before);
}

#[test]
fn views_that_know_more_than_the_log_are_not_used() {
    let stage = told();
    stage.then();
    let shorter = Stage::new();
    let opened =
        Views::open(&stage.path(), shorter.log.readers(), Membership::default(), None).err();
    let expected = (Position(17), Position(0));
    assert!(
        matches!(opened, Some(ViewError::AheadOfLog { views, log }) if (views, log) == expected)
    );
}

#[test]
fn an_event_of_a_case_that_never_began_stops_the_views_loudly() {
    let mut stage = told();
    stage.given(9, forwarded(1, 1));
    let mut views = stage.open();
    let stopped = views.catch_up().unwrap_err();
    assert!(matches!(stopped, ViewError::UnknownEvent { position: Position(18) }));
}

#[test]
fn a_page_leads_to_the_next_one_and_misses_nobody() {
    let stage = told();
    let reader = stage.then();
    let (mut after, mut found) = (None, vec![]);
    loop {
        let page = reader.cases(&CaseFilter::default(), after, 2).unwrap();
        found.extend(page.rows.iter().map(|it| it.case));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, [5, 4, 3, 2, 1].map(case));
}

#[test]
fn one_silent_province_does_not_hide_the_others() {
    let mut stage = Stage::new();
    for number in 1..=40 {
        stage.submitted(number, "2026-03-04");
    }
    stage.on("2026-03-03").submitted(41, "2026-03-05").given(41, routed(23, 2));
    let waiting = stage.then().outbox(10).unwrap();
    assert_eq!(waiting.len(), 10);
    assert!(waiting.iter().any(|it| it.waiting.province == province(23)));
}

#[test]
fn a_membership_follows_the_log_and_is_not_turned_back_by_old_events() {
    let mut stage = Stage::new();
    let code = province(22);
    let operator = || "operator".to_owned();
    let mut tell =
        |event: ProvinceEvent| stage.tell(StreamName::Province(code), Event::Province(event));
    tell(ProvinceEnrolled { operator: operator() }.into());
    tell(ProvincePaused { operator: operator(), reason: String::new() }.into());
    let membership = Membership::default();
    let readers = stage.log.readers();
    let mut views = Views::open(&stage.path(), readers, membership.clone(), None).unwrap();
    assert!(membership.is_paused(code), "known before anything is folded");
    views.step().unwrap();
    assert!(membership.is_paused(code));
    let resumed = events::province::ProvinceResumed { operator: operator() };
    stage.tell(StreamName::Province(code), Event::Province(resumed.into()));
    views.step().unwrap();
    assert!(!membership.is_paused(code));
}

/// "Opens" what begins with `open:`; has no key for anything else.
struct Glass;
impl OpenPersonal for Glass {
    fn open(
        &self,
        case: events::ids::CaseId,
        _: events::ids::EventId,
        sealed: &[u8],
    ) -> Result<Vec<u8>, VaultError> {
        let plain = sealed.strip_prefix(b"open:").ok_or(VaultError::NoKey { case })?;
        Ok(plain.to_vec())
    }
    fn reply_key(&self, case: events::ids::CaseId) -> Result<[u8; 32], VaultError> {
        Err(VaultError::NoKey { case })
    }
    fn fingerprint(&self, _: &[u8]) -> Digest {
        events::proof::Hash::ZERO
    }
    fn blind_index(&self, field: &str, value: &str) -> Digest {
        let mut index = [field.len() as u8; 32];
        index.iter_mut().zip(value.bytes()).for_each(|(to, from)| *to ^= from.rotate_left(3));
        events::proof::Hash(index)
    }
    fn seal_stray(&self, _: &str, _: &[u8]) -> Vec<u8> {
        vec![]
    }
    fn open_stray(&self, _: &str, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

#[test]
fn a_person_is_found_by_index_until_the_key_is_destroyed_and_never_in_clear() {
    let mut stage = Stage::new();
    let part = br#"open:{"applicant":{"name":"x","identity_number":"110101199003070010"}}"#;
    stage.sealed = Some(part.to_vec());
    stage.submitted(1, "2026-03-04");
    stage.sealed = Some(b"shut".to_vec());
    stage.submitted(2, "2026-03-04");
    stage.sealed = None;
    let open = |stage: &Stage| {
        let readers = stage.log.readers();
        let opener = Some(Arc::new(Glass) as crate::vault::Opener);
        let mut views = Views::open(&stage.path(), readers, Membership::default(), opener).unwrap();
        views.catch_up().unwrap();
        views.reader()
    };
    let index = Glass.blind_index("identity", "110101199003070010");
    let reader = open(&stage);
    assert_eq!(reader.cases_by_index("identity", &index).unwrap(), [case(1)]);
    assert_eq!(reader.cases_by_index("certificate", &index).unwrap(), []);
    let other = Glass.blind_index("identity", "somebody else");
    let ask = |it| reader.cases_by_index_together("identity", it);
    let together = tokio::runtime::Runtime::new().unwrap();
    let found = together.block_on(async { tokio::join!(ask(index), ask(other), ask(index)) });
    let (first, none, again) = (found.0.unwrap(), found.1.unwrap(), found.2.unwrap());
    assert_eq!((first, none, again), (vec![case(1)], vec![], vec![case(1)]));
    for entry in std::fs::read_dir(stage.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(18).any(|it| it == b"110101199003070010"));
    }
    let (operator, reason) = ("operator".to_owned(), "reason".to_owned());
    let destroyed = CaseKeyDestroyed { case: case(1), operator, reason };
    stage.tell(StreamName::Keeping, Event::Keeping(KeepingEvent::CaseKeyDestroyed(destroyed)));
    assert_eq!(open(&stage).cases_by_index("identity", &index).unwrap(), []);
}

/// Linux tells each thread's name and niceness; the 19th field of `stat` is the niceness, and the name may
/// hold spaces, so it is cut off first.
fn niceness_of(thread: &str) -> Option<i32> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let stats = tasks.filter_map(|it| std::fs::read_to_string(it.ok()?.path().join("stat")).ok());
    let mut ours = stats.filter(|it| it.contains(&format!("({thread})")));
    let stat = ours.next()?;
    stat.rsplit(") ").next()?.split(' ').nth(16)?.parse().ok()
}

#[tokio::test]
async fn the_views_stand_back_behind_those_who_wait_for_an_answer() {
    let views = Stage::new().open();
    let (wake, told) = (Wake::default(), Wake::default());
    let running = tokio::spawn(views.run(wake.listen(), told, Duration::from_millis(10)));
    let patience = Duration::from_secs(60);
    let lowered = async {
        while niceness_of("views") != Some(NICENESS) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(patience, lowered).await.expect("its own thread stands back");
    running.abort();
}
