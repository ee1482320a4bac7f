//! Bounded, durable, counted; and what is let in again leaves without its number coming back.

use super::*;

fn stray(source: &str, reason: &str, bytes: usize) -> Stray {
    Stray {
        at: "2026-03-02T01:00:00Z".parse().unwrap(),
        source: source.to_owned(),
        subject: "hub.v1.report.22.accepted".to_owned(),
        reason: reason.to_owned(),
        sealed: vec![7; bytes],
        headers: None,
    }
}

fn small(folder: &tempfile::TempDir) -> Quarantine {
    let config = QuarantineConfig {
        source_rows_max: 3,
        source_bytes_max: 100,
        ..QuarantineConfig::new(folder.path().join("quarantine.db"))
    };
    Quarantine::open(config).unwrap()
}

#[test]
fn what_is_kept_is_there_after_a_restart_and_opens_whole() {
    let folder = tempfile::tempdir().unwrap();
    let first = stray("province:22", "unreadable", 10);
    small(&folder).keep(std::slice::from_ref(&first)).unwrap();
    let quarantine = small(&folder);
    assert_eq!(numbers(&quarantine, &KeptFilter::default()), [1]);
    assert_eq!(quarantine.one(1).unwrap(), Some(first));
    assert_eq!(quarantine.one(2).unwrap(), None);
}

#[test]
fn beyond_its_bound_a_source_is_only_counted_and_others_have_their_own_room() {
    let folder = tempfile::tempdir().unwrap();
    let quarantine = small(&folder);
    let flood: Vec<_> = (0..50).map(|_| stray("province:22", "unreadable", 10)).collect();
    quarantine.keep(&flood).unwrap();
    quarantine.keep(&[stray("province:23", "wrong-signature", 60)]).unwrap();
    // The second would be within the rows, not within the bytes.
    quarantine.keep(&[stray("province:23", "wrong-signature", 60)]).unwrap();
    let kept = quarantine.kept(&KeptFilter::default(), true, 100).unwrap();
    let kept: Vec<_> = kept.into_iter().map(|it| it.source).collect();
    assert_eq!(kept, ["province:23", "province:22", "province:22", "province:22"]);
    assert_eq!(
        quarantine.counts().unwrap(),
        [
            ("province:22".to_owned(), "unreadable".to_owned(), 50),
            ("province:23".to_owned(), "wrong-signature".to_owned(), 2),
        ]
    );
}

#[test]
fn a_full_source_is_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let quarantine = small(&folder);
    let large = stray("province:22", "unreadable", 1_000);
    let mut connection = quarantine.connection();
    let transaction = connection.transaction().unwrap();
    let told: Vec<_> = (0..3).map(|_| note_full(&transaction, &large).unwrap()).collect();
    assert_eq!(told, [true, false, false]);
}

#[test]
fn an_endless_subject_is_cut() {
    let folder = tempfile::tempdir().unwrap();
    let quarantine = small(&folder);
    let long = Stray { subject: "字".repeat(10_000), ..stray("national:a", "unreadable", 1) };
    quarantine.keep(&[long]).unwrap();
    let kept = quarantine.one(1).unwrap().unwrap();
    assert_eq!(kept.subject.chars().count(), SUBJECT_CHARACTERS_MAX);
}

fn numbers(quarantine: &Quarantine, filter: &KeptFilter) -> Vec<u64> {
    quarantine.kept(filter, false, 100).unwrap().into_iter().map(|it| it.number).collect()
}

#[test]
fn what_is_let_go_frees_its_room_and_its_number_never_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let flood: Vec<_> = (0..4).map(|_| stray("province:22", "unknown-key", 10)).collect();
    let quarantine = small(&folder);
    quarantine.keep(&flood).unwrap();
    assert_eq!(quarantine.full().unwrap().len(), 1);
    quarantine.let_go(3).unwrap();
    quarantine.let_go(3).unwrap();
    assert!(quarantine.full().unwrap().is_empty());
    drop(quarantine);
    let quarantine = small(&folder);
    quarantine.keep(&flood[..2]).unwrap();
    assert_eq!(numbers(&quarantine, &KeptFilter::default()), [1, 2, 4]);
    assert_eq!(quarantine.last_number().unwrap(), 4);
}

#[test]
fn a_stray_that_is_no_better_stays_for_its_new_reason_and_counts_once_a_redrive() {
    let folder = tempfile::tempdir().unwrap();
    let quarantine = small(&folder);
    quarantine.keep(&[stray("province:22", "unknown-key", 1)]).unwrap();
    for (redrive, tries) in [("one", 1), ("one", 1), ("two", 2)] {
        quarantine.put_back(1, redrive, "wrong-signature").unwrap();
        let kept = quarantine.kept(&KeptFilter::default(), false, 10).unwrap().remove(0);
        assert_eq!((kept.tries, kept.reason.as_str()), (tries, "wrong-signature"));
    }
}

#[test]
fn a_group_is_narrowed_by_source_reason_moment_and_number() {
    let folder = tempfile::tempdir().unwrap();
    let config = QuarantineConfig::new(folder.path().join("quarantine.db"));
    let quarantine = Quarantine::open(config).unwrap();
    let hour = |hour: i8| format!("2026-03-02T0{hour}:00:00Z").parse::<Timestamp>().unwrap();
    let whole = |it: Stray| Stray { headers: Some(vec![1]), ..it };
    let at = |at, it: Stray| Stray { at: hour(at), ..it };
    quarantine
        .keep(&[
            whole(at(1, stray("province:22", "unknown-key", 1))),
            at(2, stray("province:22", "unknown-key", 1)),
            whole(at(3, stray("province:22", "unreadable", 1))),
            whole(at(4, stray("province:23", "unknown-key", 1))),
            whole(at(5, stray("province:22", "unknown-key", 1))),
        ])
        .unwrap();
    let (source, reason) = (Some("province:22".to_owned()), Some("unknown-key".to_owned()));
    let group = KeptFilter { source, reason, ..KeptFilter::default() };
    assert_eq!(numbers(&quarantine, &group), [1, 2, 5]);
    assert_eq!(quarantine.count(&group).unwrap(), (3, Some(hour(1))));
    let whole_only = KeptFilter { whole_only: true, ..group.clone() };
    assert_eq!(numbers(&quarantine, &whole_only), [1, 5]);
    let since = KeptFilter { since: Some(hour(2)), ..group.clone() };
    assert_eq!(numbers(&quarantine, &since), [2, 5]);
    let some = KeptFilter { after: 1, until: Some(4), ..group.clone() };
    assert_eq!(numbers(&quarantine, &some), [2]);
    let named = KeptFilter { only: vec![1, 4], ..KeptFilter::default() };
    assert_eq!(numbers(&quarantine, &named), [1, 4]);
    let groups = quarantine.groups().unwrap();
    let told: Vec<_> =
        groups.iter().map(|it| (&*it.source, &*it.reason, it.count, it.whole)).collect();
    let expected = [
        ("province:22", "unknown-key", 3, 2),
        ("province:22", "unreadable", 1, 1),
        ("province:23", "unknown-key", 1, 1),
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_file_of_the_first_version_is_read_on_and_what_it_holds_can_only_be_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("quarantine.db");
    let old =
        "CREATE TABLE stray (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, source TEXT NOT NULL,
        subject TEXT NOT NULL, reason TEXT NOT NULL, sealed BLOB NOT NULL) STRICT;
        INSERT INTO stray VALUES (7, 0, 'province:22', 's', 'unknown-key', x'01');";
    Connection::open(&path).unwrap().execute_batch(old).unwrap();
    let quarantine = small(&folder);
    quarantine.keep(&[stray("province:22", "unreadable", 1)]).unwrap();
    let kept = quarantine.kept(&KeptFilter::default(), false, 10).unwrap();
    let told: Vec<_> = kept.iter().map(|it| (it.number, it.whole, it.tries)).collect();
    assert_eq!(told, [(7, false, 0), (8, false, 0)]);
}
