//! A disk that answers a write or a sync with an error: the hub ends at once, nobody was told too much, and a restart needs no hand.

use std::time::Duration;

use serde_json::{Value, json};
use tests::broker::wait_for;
use tests::http::submission;
use tests::program::HubFolder;
use tests::strace::{Fault, Traced, strace};

/// Cases handed in to a hub whose disk is about to fail.
const CASES: u32 = 8;
/// How long a hub may live on after its disk failed, on a slow and busy machine. It takes milliseconds.
const END_MAX: Duration = Duration::from_secs(60);
/// Which sync fails: at the start already, and under load.
const SYNCS: [u32; 5] = [1, 2, 3, 5, 7];
/// Which write fails. A commit writes several pages, each in two calls.
const WRITES: [u32; 6] = [1, 3, 6, 13, 24, 47];

fn body(nth: u32) -> Value {
    let mut body = submission(nth);
    body["submitted_at"] = json!("2026-12-30T09:00:00+08:00");
    body
}

fn key(nth: u32) -> String {
    format!("submission-{nth}")
}

/// What was answered with a receipt, by number of the case.
async fn hand_in(hub: &Traced) -> Vec<(u32, Value)> {
    let mut receipts = Vec::new();
    for nth in 0..CASES {
        let Some((status, answer)) = hub.attempt(&key(nth), &body(nth)).await else { break };
        assert!(status == 201 || status >= 500, "{status} {answer}");
        if status == 201 {
            receipts.push((nth, answer));
        }
    }
    receipts
}

/// Starts the hub once more on a disk that works: every receipt stands, everything else is taken, once.
async fn nothing_was_promised_too_early(
    folder: &HubFolder,
    receipts: &[(u32, Value)],
    fault: &Fault,
) {
    let mut serving = folder.serve().await;
    for nth in 0..CASES {
        let (status, answer) = serving.post("/v1/cases", &key(nth), &body(nth)).await;
        match receipts.iter().find(|it| it.0 == nth) {
            Some((_, receipt)) => assert_eq!((status, &answer), (200, receipt), "{fault:?}"),
            // It may have been recorded though nobody was told; then this is its receipt.
            None => assert!(status == 201 || status == 200, "{fault:?}: {status} {answer}"),
        }
    }
    let mut listed = 0;
    wait_for("the views to show every case", async || {
        let list = serving.get("/v1/cases?limit=100").await;
        listed = list["items"].as_array().expect("a list").len();
        (listed >= CASES as usize).then_some(())
    })
    .await;
    assert_eq!(listed, CASES as usize, "{fault:?}: each once");
    assert!(serving.stop().await.success());
    let verified = folder.hub(&["verify", "--json"]).await.with(0).json();
    assert_eq!(verified["verdict"], "ok", "{fault:?}");
}

/// A folder in which a hub has worked before.
async fn used_folder() -> HubFolder {
    let folder = HubFolder::alone();
    assert!(folder.serve().await.stop().await.success());
    folder
}

/// The call fails each of these times; how often the hub had begun to serve by then.
async fn fails(file: &'static str, call: &'static str, times: &[u32]) -> usize {
    let mut served = 0;
    for when in times {
        let fault = Fault { file, call, error: "EIO", when: when.to_string() };
        let folder = used_folder().await;
        let mut hub = Traced::start(&folder, &fault).await;
        served += usize::from(hub.address.is_some());
        let receipts = hand_in(&hub).await;
        assert!(receipts.len() < CASES as usize, "{fault:?} was not met");
        assert!(hub.has_ended(END_MAX).await, "{fault:?}: the hub lives on");
        nothing_was_promised_too_early(&folder, &receipts, &fault).await;
    }
    served
}

#[tokio::test]
async fn a_sync_of_the_log_that_fails_ends_the_hub_and_promises_nothing() {
    if strace("a failed sync of the log").await {
        assert!(fails("data/log.db-wal", "fdatasync", &SYNCS).await > 0, "some failed under load");
    }
}

#[tokio::test]
async fn a_write_of_the_log_that_fails_ends_the_hub_and_promises_nothing() {
    if strace("a failed write of the log").await {
        assert!(fails("data/log.db-wal", "pwrite64", &WRITES).await > 0, "some failed under load");
    }
}

#[tokio::test]
async fn a_sync_of_the_keys_that_fails_ends_the_hub_and_promises_nothing() {
    if strace("a failed sync of the keys").await {
        assert!(fails("data/keys.db-wal", "fdatasync", &SYNCS).await > 0, "some failed under load");
    }
}

/// Room that runs out and comes back is no broken disk: refused meanwhile, by name, and taken again after it.
#[tokio::test]
async fn a_log_that_finds_no_room_refuses_by_name_lives_on_and_takes_cases_again() {
    if !strace("a log without room").await {
        return;
    }
    let when = "13..24".to_owned();
    let fault = Fault { file: "data/log.db-wal", call: "pwrite64", error: "ENOSPC", when };
    let folder = used_folder().await;
    let mut hub = Traced::start(&folder, &fault).await;
    assert!(hub.address.is_some(), "it serves");
    let mut refused = 0;
    let mut receipts = Vec::new();
    for nth in 0..CASES {
        // Each attempt uses up some of the calls that fail.
        let receipt = loop {
            let answer = hub.attempt(&key(nth), &body(nth)).await;
            let (status, answer) = answer.expect("the hub answers");
            if status == 201 {
                break answer;
            }
            assert_eq!((status, &answer["code"]), (503, &json!("full")), "{answer}");
            refused += 1;
            assert!(refused < 100, "it never takes cases again");
        };
        receipts.push((nth, receipt));
    }
    assert!(refused > 0, "{fault:?} was not met");
    assert!(!hub.has_ended(Duration::from_millis(1)).await, "it lives on");
    drop(hub);
    nothing_was_promised_too_early(&folder, &receipts, &fault).await;
}
