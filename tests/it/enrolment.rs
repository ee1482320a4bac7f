//! A province joins, changes its keys, loses one, and leaves: with the real executables and a real broker
//! that reads its configuration again while everybody else works on.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use async_nats::ConnectOptions;
use async_nats::connection::State;
use events::subjects;
use serde_json::{Value, json};
use tests::alone::alone;
use tests::broker::{VERSIONS, province, wait_for};
use tests::program::joined::{Joined, Joining, under_load};

/// What is promised of a revocation.
const CUT_OFF_MAX: Duration = Duration::from_secs(60);

#[tokio::test]
async fn three_commands_let_a_province_join_and_its_first_case_is_completed() {
    for version in VERSIONS {
        let Some(stage) = Joining::start("joining", version).await else { continue };
        let mut jilin = stage.join(22).await;
        jilin.serve().await;
        stage.completes(1, 22).await;
        let told = stage.folder.hub(&["province", "show", "22", "--json"]).await.with(0).json();
        let ids: Vec<&str> = ids(&told);
        assert_eq!(ids, ["22-sign-1", "22-seal-1", "22-connect-1"], "{version:?}");
        // The same request again: nothing new, the same keys, and a bundle again.
        let request = jilin.text("request-22-1.json");
        let again = ["province", "enroll", "22", "--request", &request, "--json"];
        let again = stage.folder.hub(&again).await.with(0).json();
        assert_eq!((&again["events"], &again["broker"]), (&json!([]), &json!("unchanged")));
        no_private_key_left_its_owner(&stage, &jilin);
    }
}

fn ids(told: &Value) -> Vec<&str> {
    told["keys"].as_array().unwrap().iter().map(|it| it["key_id"].as_str().unwrap()).collect()
}

/// Every file of the hub and of the broker, and everything that went between the two.
fn no_private_key_left_its_owner(stage: &Joining, province: &Joined) {
    let secrets: Vec<String> = ["22-sign-1", "22-seal-1", "22-connect-1"]
        .map(|it| std::fs::read_to_string(province.at(&format!("keys/{it}.key"))).unwrap())
        .iter()
        .map(|it| it.trim().to_owned())
        .collect();
    let mut files = vec![province.at("request-22-1.json"), province.at("bundle.json")];
    files.push(province.at("adapter.toml"));
    all_files(stage.folder.at("hub.toml").parent().unwrap().to_owned(), &mut files);
    all_files(stage.broker.config_file().parent().unwrap().to_owned(), &mut files);
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        let bytes = std::fs::read(&file).unwrap_or_default();
        for secret in &secrets {
            let found = bytes.windows(secret.len()).any(|it| it == secret.as_bytes());
            assert!(!found, "a private key lies in {}", file.display());
        }
    }
}

fn all_files(folder: PathBuf, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { all_files(path, files) } else { files.push(path) }
    }
}

#[tokio::test]
async fn a_revoked_key_is_cut_off_at_the_broker_and_at_the_intake_within_a_minute() {
    for version in VERSIONS {
        let Some(stage) = Joining::start("revoking", version).await else { continue };
        let mut jilin = stage.join(22).await;
        let mut other = stage.join(23).await;
        jilin.serve().await;
        other.serve().await;
        stage.completes(1, 22).await;
        let seed = std::fs::read_to_string(jilin.at("keys/22-connect-1.key")).unwrap();
        let connect = || {
            ConnectOptions::with_nkey(seed.trim().to_owned())
                .custom_inbox_prefix(subjects::inbox(province(22)))
        };
        // A thief with the stolen seed, connected beside the adapter.
        let thief = connect().connect(stage.broker.url()).await.unwrap();
        let began = Instant::now();
        let revoke = ["province", "revoke-key", "22", "22-connect-1", "--reason", "被盗"];
        stage.folder.hub(&revoke).await.with(0);
        wait_for("the stolen key to be cut off", async || {
            (thief.connection_state() != State::Connected).then_some(())
        })
        .await;
        assert!(began.elapsed() < CUT_OFF_MAX, "{version:?}: {:?}", began.elapsed());
        assert!(connect().connect(stage.broker.url()).await.is_err(), "{version:?}: for good");
        stage.completes(2, 23).await;

        // The signing key: a report that it signs from now on is refused by name, and what it signed
        // before stays proven for ever.
        let revoke = ["province", "revoke-key", "23", "23-sign-1", "--reason", "被盗"];
        let began = Instant::now();
        stage.folder.hub(&revoke).await.with(0);
        stage.serving.submit_to(3, 23).await;
        wait_for("a report to be refused by name", async || {
            let told = stage.serving.metrics().await;
            let refused = |it: &str| {
                it.starts_with("hub_reports_total")
                    && it.contains(r#"outcome="revoked-key""#)
                    && it.contains(r#"province="23""#)
            };
            told.lines().any(refused).then_some(())
        })
        .await;
        assert!(began.elapsed() < CUT_OFF_MAX, "{version:?}: {:?}", began.elapsed());
        let verified = stage.folder.hub(&["verify", "--json"]).await.with(0).json();
        assert_eq!(verified["verdict"], "ok", "{version:?}");
        other.lost_no_connection(stage.broker_release());
    }
}

#[tokio::test]
async fn keys_are_changed_while_work_is_in_flight_and_both_count_meanwhile() {
    for version in VERSIONS {
        let Some(stage) = Joining::start("rotating", version).await else { continue };
        let mut jilin = stage.join(22).await;
        jilin.serve().await;
        stage.completes(1, 22).await;
        jilin.stop().await;
        // Sealed to the old key and waiting at the broker.
        let waiting = stage.serving.submit_to(2, 22).await;
        stage.story_has(&waiting, "case.forwarded.v1").await;

        jilin.rotate().await;
        let request = jilin.text("request-22-2.json");
        let bundle = jilin.text("bundle-2.json");
        let rotate = ["province", "rotate-keys", "22", "--request", &request, "--bundle", &bundle];
        stage.folder.hub(&rotate).await.with(0);
        // Not taken over yet: the adapter signs with the old key and opens what is sealed to either.
        jilin.serve().await;
        stage.completes(3, 22).await;
        stage.story_has(&waiting, "case.completed.v1").await;
        jilin.stop().await;
        jilin.join(&bundle).await;
        jilin.serve().await;
        stage.completes(4, 22).await;
        for old in ["22-sign-1", "22-seal-1", "22-connect-1"] {
            let revoke = ["province", "revoke-key", "22", old, "--reason", "已更换"];
            stage.folder.hub(&revoke).await.with(0);
        }
        stage.completes(5, 22).await;
        jilin.lost_no_connection(stage.broker_release());
        // The same request cannot be used once more: its signer does not count any longer.
        let refused = stage.folder.hub(&rotate[..5]).await.with(1);
        assert!(refused.err.contains("request-unknown-signer"), "{version:?}: {}", refused.err);
        let verified = stage.folder.hub(&["verify", "--json"]).await.with(0).json();
        assert_eq!(verified["verdict"], "ok", "{version:?}");
    }
}

#[tokio::test]
async fn old_keys_end_by_themselves_when_their_overlap_is_over() {
    let Some(stage) = Joining::start("overlap", VERSIONS[0]).await else { return };
    let mut jilin = stage.join(22).await;
    jilin.rotate().await;
    let request = jilin.text("request-22-2.json");
    let rotate = ["province", "rotate-keys", "22", "--request", &request, "--old-until"];
    let past = [&rotate[..], &["2026-12-01T00:00:00Z"]].concat();
    assert!(stage.folder.hub(&past).await.with(1).err.contains("out-of-bounds"));
    let until = (stage.now() + jiff::SignedDuration::from_secs(4)).to_string();
    stage.folder.hub(&[&rotate[..], &[until.as_str()]].concat()).await.with(0);
    let told = stage.folder.hub(&["province", "show", "22", "--json"]).await.with(0).json();
    assert_eq!(ids(&told).len(), 6, "both count: {told}");
    wait_for("the old keys to end", async || {
        let told = stage.folder.hub(&["province", "show", "22", "--json"]).await.with(0).json();
        let keys = told["keys"].as_array().unwrap();
        let ended: Vec<bool> = keys.iter().map(|it| it["revoked_at"].is_string()).collect();
        (ended == [true, true, true, false, false, false]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_province_that_leaves_takes_no_case_with_it_and_may_come_back() {
    let Some(stage) = Joining::start("leaving", VERSIONS[0]).await else { return };
    let mut jilin = stage.join(22).await;
    let open = stage.serving.submit_to(1, 22).await;
    stage.story_has(&open, "case.forwarded.v1").await;
    let leave = ["province", "leave", "22", "--reason", "并入统一系统"];
    stage.folder.hub(&[&leave[..], &["--dry-run"]].concat()).await.with(0);
    let left = stage.folder.hub(&[&leave[..], &["--json"]].concat()).await.with(0).json();
    assert_eq!(left["broker"], "reloaded");
    stage.story_has(&open, "case.parked.v1").await;
    let again = stage.folder.hub(&[&leave[..], &["--json"]].concat()).await.with(0).json();
    assert_eq!(again["events"], json!([]), "the second time");
    let told = stage.folder.hub(&["province", "show", "22", "--json"]).await.with(0).json();
    assert_eq!((&told["left"], &told["enrolled"]), (&json!(true), &json!(false)));
    let seed = std::fs::read_to_string(jilin.at("keys/22-connect-1.key")).unwrap();
    // The broker was told, and reads in its own time.
    wait_for("the old key to count no more", async || {
        let old = ConnectOptions::with_nkey(seed.trim().to_owned());
        old.connect(stage.broker.url()).await.is_err().then_some(())
    })
    .await;
    // Its old keys never count again; with new ones it joins again, and what was parked goes on.
    let request = jilin.text("request-22-1.json");
    let refused = stage.folder.hub(&["province", "enroll", "22", "--request", &request]).await;
    assert!(refused.with(1).err.contains("key-exists"));
    let mut again = stage.join_as(22, 2).await;
    again.serve().await;
    let case = open["case_id"].as_str().unwrap();
    stage.release(case).await;
    stage.story_has(&open, "case.completed.v1").await;
    jilin.stop().await;
}

#[tokio::test]
async fn a_declared_absence_is_told_as_one_and_loses_nothing() {
    let Some(stage) = Joining::start("away", VERSIONS[0]).await else { return };
    let mut jilin = stage.join(22).await;
    let (from, until) = (stage.now(), stage.now() + jiff::SignedDuration::from_hours(4));
    let (from, until) = (from.to_string(), until.to_string());
    let away = ["province", "maintenance", "22", "--from", &from, "--until", &until];
    stage.folder.hub(&[&away[..], &["--reason", "机房搬迁"]].concat()).await.with(0);
    let list = stage.folder.hub(&["province", "list", "--json"]).await.with(0).json();
    let row = list["provinces"].as_array().unwrap().iter().find(|it| it["code"] == "22").unwrap();
    assert!(row["maintenance_until"].is_string(), "{row}");
    let table = stage.folder.hub(&["province", "list"]).await.with(0).out;
    assert!(table.contains("维护至"), "{table}");
    let meanwhile = stage.serving.submit_to(1, 22).await;
    stage.story_has(&meanwhile, "case.forwarded.v1").await;
    jilin.serve().await;
    stage.story_has(&meanwhile, "case.completed.v1").await;
}

/// Six provinces work under load while a seventh joins, changes its keys, loses one and leaves. With 31
/// others: `cargo bench -p tests --bench joining`.
#[tokio::test]
async fn what_one_province_does_under_load_costs_the_others_nothing() {
    let _alone = alone().await;
    for version in VERSIONS {
        let Some(stage) = Joining::start("under load", version).await else { continue };
        let seen = under_load(&stage, &[13, 14, 15, 21, 23, 32], 22, 3).await;
        assert!(seen.cut_off.iter().all(|it| *it < CUT_OFF_MAX), "{version:?}: {seen:?}");
    }
}
