//! The hub's executable while it serves: asked, stopped, doubled, frozen, without its broker; and its log afterwards.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use hub::log::sqlite::SqliteLog;
use serde_json::{Value, json};
use tests::broker::{TestBroker, VERSIONS, province, server, wait_for};
use tests::program::{HubFolder, Serving, hub, run_with, signal};
use tokio::process::Command;

async fn stage(test: &str) -> Option<(TestBroker, HubFolder)> {
    let broker = TestBroker::start(test, VERSIONS[0], &[22]).await?;
    let folder = HubFolder::new(&broker.url(), &broker.hub_key);
    Some((broker, folder))
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_else(|| panic!("no text `{key}` in {value}"))
}

fn kinds(story: &[Value]) -> Vec<&str> {
    let kind = |it| text(it, "type").trim_start_matches("cn.gov.mot.hub.");
    story.iter().map(|it| kind(&it["event"])).collect()
}

async fn submit_many(hub: &Serving, count: u32) -> Vec<Value> {
    let mut receipts = Vec::new();
    for nth in 0..count {
        receipts.push(hub.submit(nth).await);
    }
    receipts
}

#[tokio::test]
async fn while_a_hub_runs_its_log_is_verified_replayed_exported_copied_and_read() {
    let folder = HubFolder::alone();
    let mut serving = folder.serve().await;
    let receipts = submit_many(&serving, 5).await;
    let verified = folder.hub(&["verify", "--json"]).await.with(0).json();
    assert_eq!((&verified["verdict"], &verified["damage"]), (&"ok".into(), &Value::Null));
    assert!(verified["events"].as_u64() >= receipts[4]["position"].as_u64());
    let replayed = folder.hub(&["replay", "--json"]).await.with(0).json();
    assert_eq!(replayed["equal"], true, "{replayed}");

    let (export, copy) = (folder.text("log.jsonl"), folder.text("copy.db"));
    folder.hub(&["export", &export]).await.with(0);
    folder.hub(&["backup", &copy]).await.with(0);
    for file in [&export, &copy] {
        let alone = ["verify", "--log", file, "--hub-key", folder.hub_public(), "--json"];
        assert_eq!(hub(&alone).await.with(0).json()["verdict"], "ok", "{file}");
    }
    for (command, file) in [("export", &export), ("backup", &copy)] {
        let before = std::fs::read(file).unwrap();
        let refused = folder.hub(&[command, file]).await.with(2);
        assert!(refused.err.contains("exists already"), "{}", refused.err);
        assert_eq!(std::fs::read(file).unwrap(), before, "nothing is overwritten");
    }
    let range = folder.hub(&["export", &folder.text("x"), "--from", "10", "--to", "5"]).await;
    assert!(range.with(2).err.contains("no events from 10 to 5"));
    let huge = u64::MAX.to_string();
    folder.hub(&["export", &folder.text("x"), "--to", &huge]).await.with(2);
    assert!(!folder.at("x").exists() && !folder.at("x.part").exists());

    let (id, number) = (text(&receipts[0], "case_id"), text(&receipts[0], "case_number"));
    for name in [id, number] {
        assert_eq!(kinds(&folder.story(name).await)[..2], ["case.submitted.v1", "case.routed.v1"]);
    }
    let mut plain = folder.command(&["show", number]);
    plain.envs([("LANG", "C"), ("LC_ALL", "C")]);
    let told = run_with(plain, "").await.with(0).out;
    assert!(told.contains(number) && told.contains("吉林"), "{told}");
    assert!(serving.stop().await.success());
    assert_eq!(folder.hub(&["replay", "--json"]).await.with(0).json()["equal"], true);
}

#[tokio::test]
async fn verify_with_the_keys_of_another_log_is_not_fine() {
    let (folder, other) = (HubFolder::alone(), HubFolder::alone());
    let mut serving = folder.serve().await;
    submit_many(&serving, 1).await;
    assert!(serving.stop().await.success());
    folder.hub(&["verify"]).await.with(0);
    let (log, checkpoints) =
        (folder.text("data/log.db"), folder.text("checkpoints/checkpoints.txt"));
    let arguments = ["verify", "--log", &log, "--checkpoints", &checkpoints, "--hub-key"];
    hub(&[&arguments[..], &[folder.hub_public()]].concat()).await.with(0);
    let strange = hub(&[&arguments[..], &[other.hub_public()]].concat()).await;
    assert!(matches!(strange.code, Some(1 | 2)), "{strange:?}");
    assert!(
        strange.err.contains("checkpoint") || strange.out.contains("checkpoint"),
        "{strange:?}"
    );
    // The same hub with another key in its configuration does not start.
    std::fs::rename(other.at("hub.sign"), folder.at("hub.sign")).unwrap();
    let refused = folder.hub(&["serve"]).await.with(2);
    assert!(refused.err.contains("checkpoint"), "{}", refused.err);
}

#[tokio::test]
async fn a_second_hub_on_the_same_folder_refuses_by_name_and_the_first_goes_on() {
    let folder = HubFolder::alone();
    let mut serving = folder.serve().await;
    let address = std::fs::read(folder.at("hub.address")).unwrap();
    let refused = folder.hub(&["serve"]).await.with(2);
    assert!(refused.err.contains("is another hub running?"), "{}", refused.err);
    let refused = folder.hub(&["rebuild-views"]).await.with(2);
    assert!(refused.err.contains("stop the hub first"), "{}", refused.err);
    assert_eq!(std::fs::read(folder.at("hub.address")).unwrap(), address);
    submit_many(&serving, 1).await;
    assert!(serving.stop().await.success(), "SIGTERM ends with 0");
    folder.hub(&["verify"]).await.with(0);

    // What it leaves is a log that the next one takes over; a stale lock file is nobody.
    let mut serving = folder.serve().await;
    assert_eq!(folder.hub(&["replay", "--json"]).await.with(0).json()["equal"], true);
    signal(&serving.child, "KILL").await;
    serving.child.wait().await.unwrap();
    let mut serving = folder.serve().await;
    assert!(serving.stop().await.success());
    folder.hub(&["verify"]).await.with(0);
}

#[tokio::test]
async fn a_hub_that_was_frozen_goes_on_as_if_nothing_had_been() {
    let Some((_broker, folder)) = stage("frozen").await else { return };
    let mut serving = folder.serve().await;
    submit_many(&serving, 1).await;
    signal(&serving.child, "STOP").await;
    let late = tokio::join!(serving.submit(1), async {
        // The freeze is the thing that is tested: longer than every tick and heartbeat.
        tokio::time::sleep(Duration::from_secs(5)).await;
        signal(&serving.child, "CONT").await;
    });
    let case = text(&late.0, "case_id").to_owned();
    assert_eq!(kinds(&folder.story(&case).await)[0], "case.submitted.v1");
    serving.submit(2).await;
    assert!(serving.stop().await.success());
    folder.hub(&["verify"]).await.with(0);
    assert_eq!(folder.hub(&["replay", "--json"]).await.with(0).json()["equal"], true);
}

#[tokio::test]
async fn a_new_calendar_revises_the_due_days_of_open_cases() {
    let folder = HubFolder::alone();
    let mut serving = folder.serve().await;
    let receipt = serving.submit(0).await;
    assert_eq!(receipt["acceptance_due"]["provisional"], true, "{receipt}");
    let case = text(&receipt, "case_id");
    let year = json!({
        "year": 2027,
        "holidays": ["2027-01-01", "2027-01-02", "2027-01-03"],
        "makeup_workdays": [],
        "papers": [{"number": "国办发明电〔2026〕测试号", "url": "https://www.gov.cn/test"}],
    });
    std::fs::write(folder.at("2027.json"), year.to_string()).unwrap();
    let file = folder.text("2027.json");
    let before = folder.story(case).await.len();
    folder.hub(&["calendar", "publish", &file, "--dry-run"]).await.with(0);
    folder.hub(&["calendar", "publish", &file]).await.with(0);
    let story = wait_for("the revised due day", async || {
        let story = folder.story(case).await;
        kinds(&story).contains(&"case.due-day-revised.v1").then_some(story)
    })
    .await;
    assert_eq!(story.len(), before + 1, "the dry run changed nothing");
    let revised = &story.last().unwrap()["event"]["data"];
    let told = revised.to_string();
    assert!(told.contains("2027-01-04") && told.contains("测试号"), "{told}");
    // Said twice, nothing changes; a calendar that contradicts itself is a no.
    folder.hub(&["calendar", "publish", &file]).await;
    assert_eq!(folder.story(case).await.len(), before + 1);
    std::fs::write(&file, year.to_string().replace("2027-01-02", "2031-01-02")).unwrap();
    let refused = folder.hub(&["calendar", "publish", &file]).await.with(1);
    assert!(refused.err.contains("refused"), "{}", refused.err);
    assert!(serving.stop().await.success());
}

#[tokio::test]
async fn without_its_broker_a_hub_still_takes_cases_and_they_travel_when_it_comes() {
    let Some((mut broker, folder)) = stage("no broker").await else { return };
    broker.broker.kill().await;
    let mut serving = folder.serve().await;
    let jilin = province(22);
    let mut adapter = folder.adapter(&broker.url(), jilin, broker.keys(22));
    let request = folder.text("request.json");
    folder.hub(&["province", "enroll", "22", &request, "--dry-run"]).await.with(0);
    let before = folder.hub(&["province", "list", "--json"]).await.with(0).json();
    folder.hub(&["province", "enroll", "22", &request]).await.with(0);
    let receipt = serving.submit(0).await;
    let doctor = folder.hub(&["doctor", "--json"]).await.with(1).json();
    let ill: Vec<_> =
        doctor["findings"].as_array().unwrap().iter().filter(|it| it["fine"] == false).collect();
    assert_eq!(ill.len(), 1, "{doctor}");
    assert!(text(ill[0], "what").contains("broker"), "{doctor}");

    broker.broker.restart().await.unwrap();
    let _adapter =
        adapter.arg("serve").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let case = text(&receipt, "case_id");
    wait_for("the decision", async || {
        let story = folder.story(case).await;
        kinds(&story).contains(&"case.completed.v1").then_some(())
    })
    .await;
    folder.hub(&["doctor"]).await.with(0);

    folder.hub(&["province", "pause", "22", "--reason", "维护"]).await.with(0);
    let paused = serving.submit(1).await;
    folder.hub(&["province", "resume", "22"]).await.with(0);
    let case = text(&paused, "case_id");
    wait_for("the decision after the pause", async || {
        kinds(&folder.story(case).await).contains(&"case.completed.v1").then_some(())
    })
    .await;
    let after = folder.hub(&["province", "list", "--json"]).await.with(0).json();
    assert_ne!(before, after);
    assert!(folder.hub(&["province", "list"]).await.with(0).out.contains("吉林"));
    assert!(serving.stop().await.success());
    folder.hub(&["verify"]).await.with(0);
    assert_eq!(folder.hub(&["replay", "--json"]).await.with(0).json()["equal"], true);
}

#[tokio::test]
async fn the_rendered_configuration_of_the_broker_is_one_that_both_servers_take() {
    let Some((broker, folder)) = stage("render").await else { return };
    let mut serving = folder.serve().await;
    folder.adapter(&broker.url(), province(22), broker.keys(22));
    folder.hub(&["province", "enroll", "22", &folder.text("request.json")]).await.with(0);
    let user = broker.keys(22).user.public();
    for version in VERSIONS {
        let Some((binary, release)) = server("render", version).await else { continue };
        let (release, store) = (release.to_string(), folder.text("store"));
        let render = ["nats", "render", "--server", &release, "--store", &store];
        let rendered = folder.hub(&render).await.with(0);
        assert!(rendered.out.contains(user), "the province may connect");
        std::fs::write(folder.at("nats.conf"), &rendered.out).unwrap();
        let mut check = Command::new(binary);
        check.arg("-t").arg("-c").arg(folder.at("nats.conf"));
        let checked = run_with(check, "").await;
        assert_eq!(checked.code, Some(0), "{version:?}: {checked:?}");
    }
    assert!(serving.stop().await.success());
}

#[tokio::test]
async fn an_export_that_is_interrupted_leaves_nothing_under_its_name() {
    let folder = HubFolder::alone();
    let mut serving = folder.serve().await;
    submit_many(&serving, 40).await;
    assert!(serving.stop().await.success());
    folder.hub(&["export", &folder.text("whole.jsonl")]).await.with(0);
    let whole = std::fs::metadata(folder.at("whole.jsonl")).unwrap().len();
    assert!(whole > 64 * 1024, "more than a pipe holds, so that it must stop in the middle");

    // What is being written is a pipe that nobody empties: a disk that is endlessly slow.
    let part = folder.at("half.jsonl.part");
    assert!(std::process::Command::new("mkfifo").arg(&part).status().unwrap().success());
    let mut command = folder.command(&["export", &folder.text("half.jsonl")]);
    let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = quiet.spawn().unwrap();
    let reader = tokio::task::spawn_blocking(move || std::fs::File::open(part));
    let slow = reader.await.unwrap().unwrap();
    signal(&child, "INT").await;
    assert!(!child.wait().await.unwrap().success());
    drop(slow);
    assert!(!folder.at("half.jsonl").exists());
}

#[tokio::test]
async fn views_are_rebuilt_and_one_flipped_byte_in_an_event_is_named() {
    let folder = HubFolder::alone();
    let mut serving = folder.serve().await;
    let receipts = submit_many(&serving, 3).await;
    assert!(serving.stop().await.success());
    std::fs::remove_file(folder.at("data/views.db")).unwrap();
    folder.hub(&["rebuild-views", "--dry-run"]).await.with(0);
    assert!(!folder.at("data/views.db").exists(), "a dry run makes nothing");
    folder.hub(&["rebuild-views"]).await.with(0);
    assert_eq!(folder.hub(&["replay", "--json"]).await.with(0).json()["equal"], true);

    let position = receipts[1]["position"].as_u64().unwrap();
    flip_a_byte(&folder.at("data/log.db"), position);
    let damaged = folder.hub(&["verify", "--json"]).await.with(1).json();
    assert_eq!(damaged["damage"]["position"], position, "{damaged}");
    assert!(folder.hub(&["verify"]).await.with(1).out.contains(&format!("position {position}")));
}

/// Changes one byte in the middle of the body of the event at `position`, in the file itself.
fn flip_a_byte(log: &Path, position: u64) {
    let readers = SqliteLog::readers(log);
    let after = events::envelope::Position(position - 1);
    let recorded = readers.read(|it| it.read_all(after, 1)).unwrap();
    drop(readers);
    let body = recorded[0].body.clone();
    let mut file = std::fs::read(log).unwrap();
    // A piece of the body that stands in the file once, and so belongs to nothing else.
    let at = body
        .windows(40)
        .find_map(|piece| {
            let mut found = file.windows(40).enumerate().filter(|it| it.1 == piece);
            let first = found.next()?.0;
            found.next().is_none().then_some(first)
        })
        .expect("a stopped log is one file, and the body stands in it");
    file[at + 20] ^= 1;
    std::fs::write(log, file).unwrap();
}
