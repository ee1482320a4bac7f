//! Everything is killed at random moments under load, for real, by the demo that judges itself; and nothing is lost.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tests::broker::{VERSIONS, Version, server, wait_for};
use tests::canary::Finder;
use tests::program::{Ended, command, signal};
use tokio::io::AsyncReadExt as _;
use tokio::sync::Mutex;

/// Longest time that one of these runs may take, on a slow and busy machine.
const RUN_MAX: Duration = Duration::from_secs(240);
/// One at a time: each is a whole country of processes.
static STAGE: Mutex<()> = Mutex::const_new(());

/// `hub demo --json …` to its end. It is asked to end, not killed, when it takes too long: it has children.
async fn demo(arguments: &[&str]) -> Ended {
    let mut command = command("hub");
    command.args(["demo", "--json"]).args(arguments).stdin(Stdio::null());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(false)
        .spawn()
        .expect("the demo starts");
    let (mut out, mut err) = (String::new(), String::new());
    let mut stdout = child.stdout.take().expect("a pipe");
    let mut stderr = child.stderr.take().expect("a pipe");
    let both =
        async { tokio::join!(stdout.read_to_string(&mut out), stderr.read_to_string(&mut err)) };
    if tokio::time::timeout(RUN_MAX, both).await.is_err() {
        signal(&child, "TERM").await;
    }
    let code = child.wait().await.expect("a status").code();
    Ended { code, out, err }
}

/// What every run must be able to say of itself.
fn assert_holds(ended: &Ended, cases: u64) -> Value {
    assert_eq!(ended.code, Some(0), "{}\n{}", ended.out, ended.err);
    let summary = ended.json();
    assert_eq!(summary["acknowledged"], cases, "{summary:#}");
    for (key, wanted) in [("lost", 0), ("doubled", 0), ("undelivered", 0)] {
        assert_eq!(summary[key], wanted, "{summary:#}");
    }
    assert_eq!((&summary["verify"], &summary["replay"]), (&"ok".into(), &"equal".into()));
    assert_eq!(summary["surprises"], Value::Array(Vec::new()));
    summary
}

async fn kills_lose_nothing(version: Version, broker: &str, seed: &str) {
    if server("kills", version).await.is_none() {
        return;
    }
    let _alone = STAGE.lock().await;
    let random = ["--kill-every", "2", "--for", "25", "--cases", "600", "--provinces", "6"];
    let ended = demo(&[&random[..], &["--broker", broker, "--seed", seed]].concat()).await;
    let summary = assert_holds(&ended, 600);
    let kills = |kind: &str| summary["kills"][kind].as_u64().expect("a count");
    assert!(kills("hub") > 0 && kills("adapter") > 0, "{summary:#}");
    assert!(kills("broker") + kills("wiped") + kills("rolled_back") > 0, "{summary:#}");
    // Somebody was interrupted: a run in which no kill hit anything proves nothing.
    assert!(summary["retried"].as_u64() > Some(0), "{summary:#}");
    assert!(summary["approved"].as_u64() > Some(0), "{summary:#}");
    assert_eq!(summary["desk"], json!({}), "nobody sits at the desk while everything is killed");
}

/// The story of the demo, short: a province is dark for so long that its cases are overdue.
#[tokio::test]
async fn somebody_on_duty_looks_after_a_few_alerts_and_it_is_on_record() {
    if server("the desk", VERSIONS[1]).await.is_none() {
        return;
    }
    let _alone = STAGE.lock().await;
    let place = tempfile::tempdir().expect("a folder");
    let kept = place.path().join("demo");
    let kept = kept.to_str().expect("text");
    let story = ["--for", "60", "--time-lapse", "8000", "--cases", "120", "--provinces", "3"];
    let ended = demo(&[&story[..], &["--broker", "current", "--keep", kept]].concat()).await;
    let summary = assert_holds(&ended, 120);
    let acts = [
        ("keeping.alerts-assigned.v1", "hotline"),
        ("keeping.alerts-acknowledged.v1", "已电话联系"),
        ("case.breach-explained.v1", "专线中断"),
    ];
    let once: Vec<_> = acts.iter().map(|it| (it.0.to_owned(), json!(1))).collect();
    assert_eq!(summary["desk"], Value::Object(once.into_iter().collect()), "{summary:#}");
    let (config, file) = (format!("{kept}/hub.toml"), format!("{kept}/export.jsonl"));
    let mut export = command("hub");
    export.args(["--config", &config, "export", &file]);
    assert!(export.output().await.expect("it ends").status.success());
    let log = std::fs::read_to_string(file).expect("an export");
    for (kind, said) in acts {
        let mut found = log.lines().filter(|it| it.contains(kind));
        let act = found.next().unwrap_or_else(|| panic!("no {kind}"));
        assert!(act.contains("operator") && act.contains(said), "{act}");
    }
}

#[tokio::test]
async fn kills_at_random_moments_lose_nothing_and_double_nothing_on_debian_s_broker() {
    kills_lose_nothing(VERSIONS[0], "2.9", "1").await;
}

#[tokio::test]
async fn kills_at_random_moments_lose_nothing_and_double_nothing_on_the_current_broker() {
    kills_lose_nothing(VERSIONS[1], "current", "2").await;
}

#[tokio::test]
async fn sidecars_that_are_killed_while_they_catch_up_after_a_holiday_lose_and_double_nothing() {
    if server("catching up", VERSIONS[0]).await.is_none() {
        return;
    }
    let _alone = STAGE.lock().await;
    let absence = ["--absence", "--kill-every", "1", "--for", "40", "--cases", "400"];
    let ended =
        demo(&[&absence[..], &["--provinces", "4", "--time-lapse", "48600"]].concat()).await;
    let summary = assert_holds(&ended, 400);
    let kills = &summary["kills"];
    // Four go dark, the others die at work.
    assert!(kills["adapter"].as_u64() > Some(8), "{summary:#}");
    assert_eq!((&kills["hub"], &kills["broker"]), (&0.into(), &0.into()), "{summary:#}");
    assert!(summary["approved"].as_u64() > Some(0), "{summary:#}");
}

#[tokio::test]
async fn the_story_of_the_demo_holds_when_it_is_told_shortly() {
    if server("story", VERSIONS[0]).await.is_none() {
        return;
    }
    let _alone = STAGE.lock().await;
    let ended = demo(&["--for", "20", "--cases", "300", "--provinces", "6"]).await;
    let summary = assert_holds(&ended, 300);
    assert_eq!(summary["kills"]["hub"], 1);
    assert_eq!(summary["kills"]["wiped"], 1);
    assert_eq!(summary["kills"]["adapter"], 1, "a province went dark");
}

#[tokio::test]
async fn nobody_s_personal_data_lies_anywhere_in_clear() {
    if server("canary", VERSIONS[0]).await.is_none() {
        return;
    }
    let _alone = STAGE.lock().await;
    let place = tempfile::tempdir().expect("a folder");
    let at = |name: &str| place.path().join(name).to_str().expect("UTF-8").to_owned();
    let (kept, load) = (at("kept"), at("load.jsonl"));
    let arguments = ["--for", "15", "--cases", "200", "--provinces", "4", "--calm"];
    let run = [&arguments[..], &["--keep", &kept, "--dump-load", &load]].concat();
    let (ended, metrics) = tokio::join!(demo(&run), metrics_while_it_runs(Path::new(&kept)));
    assert_holds(&ended, 200);

    let load = std::fs::read_to_string(&load).expect("the load");
    let needles = everything_personal(&load);
    assert!(needles.len() > 400, "{} needles", needles.len());
    let needles: Vec<&str> = needles.iter().map(String::as_str).collect();
    let finder = Finder::new(&needles);
    assert!(finder.find(load.as_bytes()).len() >= needles.len(), "the canary sings");
    let hits = finder.grep(Path::new(&kept)).expect("files are read");
    assert!(hits.is_empty(), "{hits:?}");
    assert!(metrics.contains("hub_"), "{metrics}");
    let told = [metrics, ended.out, ended.err].map(|it| finder.find(it.as_bytes()));
    assert!(told.iter().all(Vec::is_empty), "{told:?}");
    for file in ["data/log.db", "data/views.db", "data/keys.db", "data/quarantine.db", "hub.txt"] {
        assert!(Path::new(&kept).join(file).is_file(), "{file} was not there to be searched");
    }
}

#[tokio::test]
async fn whoever_stops_the_demo_stops_everything_it_started() {
    if server("stop", VERSIONS[0]).await.is_none() {
        return;
    }
    let _alone = STAGE.lock().await;
    for name in ["INT", "TERM", "HUP"] {
        let place = tempfile::tempdir().expect("a folder");
        let kept = place.path().join("kept");
        let mut demo = command("hub");
        demo.args(["demo", "--json", "--provinces", "2", "--for", "600", "--keep"]).arg(&kept);
        let quiet = demo.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = quiet.kill_on_drop(false).spawn().expect("the demo starts");
        // Broker, hub and both adapters name the folder on their command lines.
        wait_for("four children", async || (children(&kept).len() == 4).then_some(())).await;
        signal(&child, name).await;
        let output = child.wait_with_output().await.expect("it ends");
        assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0), "{name}");
        assert_eq!(children(&kept), Vec::<String>::new(), "{name}");
    }
}

/// The command lines of all processes that name something inside of this folder, but for the demo itself.
fn children(folder: &Path) -> Vec<String> {
    let inside = format!("{}/", folder.display());
    let processes = std::fs::read_dir("/proc").expect("a Linux machine");
    let lines = processes.filter_map(|it| std::fs::read(it.ok()?.path().join("cmdline")).ok());
    let lines = lines.map(|it| String::from_utf8_lossy(&it).replace('\0', " "));
    lines.filter(|it| it.contains(&inside)).collect()
}

/// The last metrics before the demo's hub stops.
async fn metrics_while_it_runs(folder: &Path) -> String {
    let http = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5));
    let http = http.build().expect("an HTTP client");
    let mut last = String::new();
    let started = tokio::time::Instant::now();
    while started.elapsed() < RUN_MAX {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let Ok(address) = std::fs::read_to_string(folder.join("hub.address")) else { continue };
        match http.get(format!("http://{address}/metrics")).send().await {
            Ok(answer) => last = answer.text().await.unwrap_or(last),
            Err(_) if last.is_empty() => {}
            Err(_) => break,
        }
    }
    last
}

/// Names, ID numbers, telephones and certificate numbers of a load. Short names are ordinary words.
fn everything_personal(load: &str) -> BTreeSet<String> {
    let mut needles = BTreeSet::new();
    for line in load.lines() {
        let body: Value = serde_json::from_str(line).expect("a JSON line");
        for key in ["name", "identity_number", "phone", "certificate_number"] {
            let value = body["applicant"][key].as_str().expect("text");
            if key != "name" || value.chars().count() > 2 {
                needles.insert(value.to_owned());
            }
        }
    }
    needles
}
