//! What is bounded stays bounded, and what is full says so: inbox, outbox, office and disk.

use super::*;
use crate::limits::{self, Limits, LimitsFile};
use crate::pacing;
use crate::store::{Store, StoreError};

fn limits(change: impl FnOnce(&mut LimitsFile)) -> Limits {
    let (mut file, mut problems) = (LimitsFile::default(), Vec::new());
    change(&mut file);
    let limits = limits::check(&file, &mut problems);
    assert_eq!(problems, Vec::<String>::new());
    limits
}

/// Hands the oldest work over; how many may follow.
fn hand_over(desk: &Desk, limits: &Limits, at: Timestamp) -> usize {
    desk.step(|it| {
        let (allowed, _) = pacing::allowance(it, limits, 100).unwrap();
        for waiting in handing::waiting(it, at, allowed).unwrap() {
            handing::taken(it, waiting.row, at).unwrap();
        }
        pacing::allowance(it, limits, 100).unwrap().0
    })
}

#[test]
fn an_office_is_handed_no_more_than_it_may_have_unanswered() {
    let (desk, limits) = (Desk::new(), limits(|it| it.office_open_max = 2));
    for case in 1..=4 {
        desk.arrive(&desk.hub.letter(&desk.hub.work(case, case + 100, WorkKind::Case)), start());
    }
    assert_eq!(hand_over(&desk, &limits, after(1)), 0);
    assert_eq!(desk.count("SELECT count(*) FROM work WHERE taken_at IS NULL"), 2);
    desk.tell(CaseId(Uuid::from_u128(1)), accepted(), after(2), None);
    assert_eq!(hand_over(&desk, &limits, after(3)), 0, "one answered, one more handed over");
    assert_eq!(desk.count("SELECT count(*) FROM work WHERE taken_at IS NULL"), 1);
    // Its applicant has taken the second back: nothing is owed for it any more.
    let withdrawal = desk.hub.work(2, 900, WorkKind::Withdrawal);
    desk.arrive(&desk.hub.letter(&withdrawal), after(4));
    let held = desk.step(|it| pacing::allowance(it, &limits, 100).unwrap());
    assert_eq!(held, (0, pacing::Held::OfficeFull));
    desk.step(|it| {
        let row = it.query_row("SELECT max(id) FROM work", [], |row| row.get(0)).unwrap();
        handing::taken(it, row, after(5)).unwrap();
    });
    assert_eq!(hand_over(&desk, &limits, after(6)), 0);
    assert_eq!(desk.count("SELECT count(*) FROM work WHERE taken_at IS NULL"), 0);
}

#[test]
fn work_that_an_office_answered_while_it_took_it_is_not_owed_an_answer() {
    let (desk, limits) = (Desk::new(), limits(|it| it.office_open_max = 1));
    let work = desk.hub.work(1, 10, WorkKind::Case);
    desk.arrive(&desk.hub.letter(&work), start());
    desk.tell(work.case, accepted(), after(1), None);
    assert_eq!(hand_over(&desk, &limits, after(2)), 1);
}

#[test]
fn a_full_outbox_refuses_the_office_and_never_what_arrives() {
    let (desk, limits) = (Desk::new(), limits(|it| it.outbox_reports_max = 10));
    desk.step(|it| pacing::keep_bounds(it, &limits).unwrap());
    for case in 1..=12 {
        desk.arrive(&desk.hub.letter(&desk.hub.work(case, case + 100, WorkKind::Case)), start());
    }
    let case = CaseId(Uuid::from_u128(1));
    let say = |at| {
        let item = NewsItem { case, news: accepted(), occurred_at: at, text: None };
        desk.step(|it| report_in(it, &desk.identity, item, at))
    };
    let refused = say(after(1)).unwrap_err();
    assert!(matches!(refused, outbox::ReportError::OutboxFull { reports_max: 10 }), "{refused}");
    let sent = desk.send(after(2));
    assert_eq!(sent.len(), 12, "every arrival is signed for");
    for (case, parcel) in (1..=3).zip(sent.chunks(1)) {
        desk.arrive(&desk.hub.receipts(parcel, CaseId(Uuid::from_u128(case)), None), after(3));
    }
    say(after(4)).unwrap();
}

#[test]
fn why_work_is_not_taken_is_kept_since_the_first_time_until_it_is_taken() {
    let desk = Desk::new();
    desk.arrive(&desk.hub.letter(&desk.hub.work(1, 10, WorkKind::Case)), start());
    for (at, why) in [(1, "the office answers 500"), (9, "the office answers 500")] {
        desk.step(|it| handing::take_later(it, 1, why, after(at), after(at + 5)).unwrap());
    }
    let since = after(1).as_millisecond();
    assert_eq!(desk.count("SELECT since FROM not_taken"), since);
    desk.step(|it| handing::taken(it, 1, after(20)).unwrap());
    assert_eq!(desk.count("SELECT count(*) FROM not_taken"), 0);
}

/// So many more pages than there are: a disk that is as good as full.
async fn narrow(store: &Store, pages_more: i64) {
    let narrow = move |it: &Connection| -> Result<(), StoreError> {
        let pages: i64 = it.query_row("PRAGMA page_count", [], |row| row.get(0))?;
        let set = format!("PRAGMA max_page_count={}", pages + pages_more);
        it.query_row(&set, [], |_| Ok(()))?;
        Ok(())
    };
    store.write(narrow).await.unwrap();
}

#[tokio::test]
async fn a_full_disk_is_told_to_whoever_writes_and_everything_goes_on_when_there_is_space() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("adapter.db")).unwrap();
    narrow(&store, 1).await;
    let write = |bytes: i64| {
        store.write(move |it| -> Result<(), StoreError> {
            let sql = "INSERT INTO refused (at, reason, bytes, sealed) VALUES (0, 'x', 0, hex(zeroblob(?1)))";
            it.execute(sql, [bytes])?;
            Ok(())
        })
    };
    // In one transaction: the small part must not be told that it is kept when it is not.
    let (small, large) = tokio::join!(write(10), write(200_000));
    assert!(matches!(large, Err(StoreError::Full)), "{large:?}");
    assert!(store.is_full() && !store.has_room().await);
    let count = |it: &Connection| -> Result<i64, StoreError> {
        Ok(it.query_row("SELECT count(*) FROM refused", [], |row| row.get(0))?)
    };
    assert_eq!(store.write(count).await.unwrap(), i64::from(small.is_ok()));
    narrow(&store, 1_000).await;
    assert!(store.has_room().await && !store.is_full());
    write(200_000).await.unwrap();
}

#[tokio::test]
async fn a_disk_that_cannot_be_read_ends_the_store_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(&folder.path().join("adapter.db")).unwrap();
    let broken = store.write(|_| -> Result<(), StoreError> {
        let code = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_IOERR_FSYNC);
        Err(rusqlite::Error::SqliteFailure(code, None).into())
    });
    assert!(matches!(broken.await, Err(StoreError::Stopped)));
    store.stopped().await;
}
