//! Provinces that join a serving hub by the commands that their people would type.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, Instant};

use async_nats::connection::State;
use hub::nats::release::{ANSWERS_KEPT_SINCE, Release};
use hub::nats::render::TlsFiles;
use jiff::Timestamp;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use super::{Ended, HubFolder, Serving, command, run_with, signal};
use crate::broker::{TestBroker, Version, WAIT_MAX, province, wait_for};

/// What an adapter says when its connection was dropped.
const LOST: &str = "lost the broker";
/// What an adapter says when the broker did not take its reports.
const NOT_TAKEN: &str = "the broker did not take";
/// How many lines of a log a failed test shows.
const LOG_LINES_TOLD: usize = 30;
/// Cases of the load that may be open at the same time: a busy machine gets no heap that only grows.
const LOAD_OPEN_MAX: usize = 24;
/// Between two cases of the load, so that the machine has time for the rest of the test.
const LOAD_PAUSE: Duration = Duration::from_millis(30);
/// A serving hub that keeps the configuration of a real broker, at first without any province.
pub struct Joining {
    /// The hub's folder.
    pub folder: HubFolder,
    /// The broker.
    pub broker: TestBroker,
    /// The hub.
    pub serving: Serving,
}

impl Joining {
    /// Starts both; none if the broker's version cannot be had.
    pub async fn start(test: &str, version: Version) -> Option<Self> {
        Self::start_with(test, version, None).await
    }

    /// The same with a broker that speaks TLS only.
    pub async fn start_with(test: &str, version: Version, tls: Option<TlsFiles>) -> Option<Self> {
        let broker = TestBroker::start_with(test, version, &[], tls.clone()).await?;
        let folder = HubFolder::new(&broker.url(), &broker.hub_key);
        let mut server = String::new();
        if let Some(tls) = &tls {
            let text = std::fs::read_to_string(folder.at("hub.toml")).expect("a configuration");
            let ca = format!("[broker]\nca_file = {:?}\n", tls.cert_file);
            std::fs::write(folder.at("hub.toml"), text.replace("[broker]\n", &ca))
                .expect("written");
            let (cert, key) = (&tls.cert_file, &tls.key_file);
            server = format!("tls_cert_file = {cert:?}\ntls_key_file = {key:?}\n");
        }
        let plan = broker.broker.plan();
        let id = broker.broker.process_id().expect("it runs");
        std::fs::write(folder.at("nats.pid"), id.to_string()).expect("a file");
        folder.add(&format!(
            "[broker.server]\nconfig_file = \"{config}\"\npid_file = \"nats.pid\"\n\
             release = \"{release}\"\nport = {port}\nstore_dir = \"{store}\"\n\
             store_bytes_max = {bytes}\n{server}",
            config = broker.config_file().display(),
            release = plan.release,
            port = plan.port.expect("it has started"),
            store = plan.store_dir.display(),
            bytes = plan.store_bytes_max,
        ));
        let serving = folder.serve().await;
        Some(Self { folder, broker, serving })
    }

    /// The hub's time.
    pub fn now(&self) -> Timestamp {
        self.folder.told_now()
    }

    /// Which broker it is.
    pub fn broker_release(&self) -> Release {
        self.broker.broker.plan().release
    }

    /// `init`, `enroll`, `join`.
    pub async fn join(&self, code: u8) -> Joined {
        self.join_as(code, 1).await
    }

    /// The same with the province's `nth` keys.
    pub async fn join_as(&self, code: u8, nth: u32) -> Joined {
        let folder = tempfile::tempdir().expect("a folder");
        let joined = Joined { folder, child: None, nth };
        let (code, nth, out) = (code.to_string(), nth.to_string(), joined.text(""));
        let init = ["init", "--province", &code, "--nth", &nth, "--out", &out];
        joined.adapter(&init).await.with(0);
        let (request, bundle) =
            (joined.text(&format!("request-{code}-{nth}.json")), joined.text("bundle.json"));
        let enroll =
            ["province", "enroll", &code, "--request", &request, "--bundle", &bundle, "--json"];
        let answer = self.folder.hub(&enroll).await.with(0).json();
        assert_eq!(answer["broker"], "reloaded", "{answer}");
        joined.join(&bundle).await;
        let mut text = std::fs::read_to_string(joined.at("adapter.toml")).expect("it is there");
        text.push_str("[simulated]\nmode = \"instant\"\n[pace]\nresend_after_ms = [500, 1000]\n");
        text.push_str(self.folder.time_lapse());
        std::fs::write(joined.at("adapter.toml"), text).expect("it is written");
        joined
    }

    /// Hands in a case and waits for its decision.
    pub async fn completes(&self, nth: u32, code: u8) {
        let receipt = self.serving.submit_to(nth, code).await;
        self.story_has(&receipt, "case.completed.v1").await;
    }

    /// Waits until this happened to the case.
    pub async fn story_has(&self, receipt: &Value, kind: &str) {
        let case = receipt["case_id"].as_str().expect("a case");
        wait_for(&format!("{kind} of {case}"), async || {
            let story = self.serving.get(&format!("/v1/cases/{case}/events")).await;
            let events = story["events"].as_array()?;
            events.iter().any(|it| it["type"] == kind).then_some(())
        })
        .await;
    }

    /// Lets a parked case go on where it was.
    pub async fn release(&self, case: &str) {
        let body = json!({"note": "该省已重新接入"});
        let (status, answer) =
            self.serving.order(&format!("/v1/admin/cases/{case}/release"), &body).await;
        assert_eq!(status, 201, "{answer}");
    }
}

/// A province's folder, and its adapter while it runs.
pub struct Joined {
    folder: TempDir,
    child: Option<Child>,
    nth: u32,
}

impl Joined {
    /// A file in its folder.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as text for a command line.
    pub fn text(&self, name: &str) -> String {
        self.at(name).to_str().expect("UTF-8").to_owned()
    }

    /// `province-adapter --config … arguments`, to its end.
    pub async fn adapter(&self, arguments: &[&str]) -> Ended {
        run_with(self.command(arguments), "").await
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command("province-adapter");
        command.arg("--config").arg(self.at("adapter.toml")).args(arguments);
        command
    }

    /// Takes the hub's answer.
    pub async fn join(&self, bundle: &str) {
        self.adapter(&["join", "--bundle", bundle]).await.with(0);
    }

    /// Makes the next keys.
    pub async fn rotate(&mut self) {
        self.nth += 1;
        let made = self.adapter(&["rotate"]).await.with(0);
        assert!(made.out.contains(&format!("sign-{}", self.nth)), "{made:?}");
    }

    /// Starts the adapter and waits until it is connected.
    pub async fn serve(&mut self) {
        let mut options = std::fs::File::options();
        let log = options.create(true).append(true).open(self.at("adapter.txt")).expect("a log");
        let before = self.said("fetching work");
        let mut command = self.command(&["serve"]);
        let streams = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(streams.spawn().expect("the adapter starts"));
        wait_for("the adapter to fetch work", async || {
            (self.said("fetching work") > before).then_some(())
        })
        .await;
    }

    /// Ends the adapter in an orderly way; does nothing when it does not run.
    pub async fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        signal(&child, "TERM").await;
        let ended = tokio::time::timeout(WAIT_MAX, child.wait()).await;
        assert!(ended.expect("it ends").expect("it has a status").success());
    }

    /// How often its log says this.
    pub fn said(&self, what: &str) -> usize {
        let log = std::fs::read_to_string(self.at("adapter.txt")).unwrap_or_default();
        log.lines().filter(|it| it.contains(what)).count()
    }

    /// Nobody has dropped its connection; and the broker took every report, where its `release` loses no
    /// answer while it reads its configuration again.
    pub fn lost_no_connection(&self, release: Release) {
        let not_taken = (release >= ANSWERS_KEPT_SINCE).then_some(NOT_TAKEN);
        for what in [LOST].into_iter().chain(not_taken) {
            let log = std::fs::read_to_string(self.at("adapter.txt")).unwrap_or_default();
            assert_eq!(self.said(what), 0, "{what}: {log}");
        }
    }
}

/// What was seen meanwhile.
#[derive(Debug)]
pub struct UnderLoad {
    /// Cases of the others, all of them completed.
    pub cases: usize,
    /// From the command until a connection with the revoked key was gone, each time.
    pub cut_off: Vec<Duration>,
}

/// `others` work under load while `restless` joins, changes its keys, has one revoked and leaves, `rounds`
/// times. Nothing of theirs is refused, no connection of theirs is dropped, every case ends.
pub async fn under_load(stage: &Joining, others: &[u8], restless: u8, rounds: u32) -> UnderLoad {
    let mut adapters = Vec::new();
    for code in others {
        let mut joined = stage.join(*code).await;
        joined.serve().await;
        adapters.push(joined);
    }
    let (stop, mut stopping) = tokio::sync::oneshot::channel::<()>();
    let load = async {
        let mut receipts = Vec::new();
        // Each submission asserts that it was taken.
        while stopping.try_recv().is_err() {
            let nth = receipts.len();
            if let Some(oldest) = nth.checked_sub(LOAD_OPEN_MAX) {
                stage.story_has(&receipts[oldest], "case.completed.v1").await;
            }
            receipts.push(stage.serving.submit_to(nth as u32, others[nth % others.len()]).await);
            tokio::time::sleep(LOAD_PAUSE).await;
        }
        receipts
    };
    let unrest = async {
        let mut cut_off = Vec::new();
        for round in 0..rounds {
            cut_off.push(one_round(stage, restless, 2 * round + 1).await);
        }
        stop.send(()).expect("the load goes on");
        cut_off
    };
    let (receipts, cut_off) = tokio::join!(load, unrest);
    assert!(receipts.len() > others.len(), "each had work: {}", receipts.len());
    for receipt in &receipts {
        stage.story_has(receipt, "case.completed.v1").await;
    }
    for adapter in &adapters {
        adapter.lost_no_connection(stage.broker_release());
    }
    let refused = stage.serving.metrics().await;
    let strays = refused.lines().filter(|it| it.starts_with("hub_reports_total"));
    for line in strays.filter(|it| !it.contains(&format!(r#"province="{restless}""#))) {
        let fine = ["recorded", "known", "held", "given-back", "comparison"]
            .iter()
            .any(|it| line.contains(&format!(r#"outcome="{it}""#)));
        assert!(fine, "a report of somebody else was refused: {line}");
    }
    UnderLoad { cases: receipts.len(), cut_off }
}

/// Joins with the `nth` keys, completes a case, changes to the next, loses those, and leaves. How long a
/// thief with the revoked key stayed connected.
async fn one_round(stage: &Joining, code: u8, nth: u32) -> Duration {
    let mut joined = stage.join_as(code, nth).await;
    joined.serve().await;
    stage.completes(900 + nth, code).await;
    joined.rotate().await;
    let (request, bundle) =
        (joined.text(&format!("request-{code}-{}.json", nth + 1)), joined.text("bundle-2.json"));
    let code_text = code.to_string();
    let rotate =
        ["province", "rotate-keys", &code_text, "--request", &request, "--bundle", &bundle];
    stage.folder.hub(&rotate).await.with(0);
    joined.stop().await;
    joined.join(&bundle).await;
    joined.serve().await;
    let old = format!("{code}-connect-{nth}");
    let seed = std::fs::read_to_string(joined.at(&format!("keys/{old}.key"))).expect("a key");
    let thief = async_nats::ConnectOptions::with_nkey(seed.trim().to_owned());
    let thief = thief.connect(stage.broker.url()).await.expect("both keys count");
    let revoke = ["province", "revoke-key", &code_text, &old, "--reason", "测试"];
    let began = Instant::now();
    stage.folder.hub(&revoke).await.with(0);
    wait_for("the revoked key to be cut off", async || {
        (thief.connection_state() != State::Connected).then_some(())
    })
    .await;
    let cut_off = began.elapsed();
    stage.completes(901 + nth, province(code).number()).await;
    joined.stop().await;
    let leave = ["province", "leave", &code_text, "--reason", "测试"];
    stage.folder.hub(&leave).await.with(0);
    cut_off
}

/// The logs of whoever was on the stage tell why a test failed; its folder is gone by then.
fn tell(log: &std::path::Path) {
    if std::thread::panicking() {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().rev().take(LOG_LINES_TOLD).collect();
        for line in lines.iter().rev() {
            eprintln!("{}: {line}", log.display());
        }
    }
}

impl Drop for Joined {
    fn drop(&mut self) {
        tell(&self.at("adapter.txt"));
    }
}

impl Drop for Joining {
    fn drop(&mut self) {
        tell(&self.folder.at("hub.txt"));
        tell(&self.broker.broker.log_file());
    }
}
