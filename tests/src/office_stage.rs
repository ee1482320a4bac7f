//! A hub, a broker and a sidecar as real programs, for tests that bring an office of their own.

use std::process::Stdio;

use serde_json::{Value, json};
use tokio::process::{Child, Command};

use crate::broker::{TestBroker, VERSIONS, province, wait_for};
use crate::program::{Ended, HubFolder, Serving, run_with};

/// A moment of an office that decides at once: just after the hub's first.
pub const DECIDED_AT: &str = "2026-12-30 09:30:00";

/// All that stands between a national system and an office.
pub struct OfficeStage {
    /// The hub's and the adapter's files.
    pub folder: HubFolder,
    /// The hub.
    pub hub: Serving,
    /// The broker.
    pub broker: TestBroker,
}

impl OfficeStage {
    /// Province 22 with this office in its adapter's configuration; none if there is no broker.
    pub async fn set(test: &str, office: &str, tables: &str) -> Option<Self> {
        let broker = TestBroker::start(test, VERSIONS[0], &[22]).await?;
        let folder = HubFolder::new(&broker.url(), &broker.hub_key);
        let hub = folder.serve().await;
        let stage = Self { folder, hub, broker };
        stage.configure(office, tables);
        let request = stage.folder.text("request.json");
        stage.folder.hub(&["province", "enroll", "22", &request]).await.with(0);
        wait_for("the province's consumer", async || {
            stage.check().await.out.contains("✓ 本省消费者").then_some(())
        })
        .await;
        Some(stage)
    }

    /// Writes the adapter's configuration anew.
    pub fn configure(&self, office: &str, tables: &str) {
        // The keys are written again, and nothing may overwrite a key.
        let _ = std::fs::remove_dir_all(self.folder.at("adapter-keys"));
        self.folder.adapter(&self.broker.url(), province(22), self.broker.keys(22));
        let path = self.folder.at("adapter.toml");
        let simulated = std::fs::read_to_string(&path).expect("a configuration");
        let text = simulated
            .replace("office = \"simulated\"", &format!("office = \"{office}\""))
            .replace("[simulated]\nmode = \"instant\"\n", tables);
        let limits = "[limits]\nretake_wait_ms = 100\n[pace]\nresend_after_ms = [300, 1000]\n";
        std::fs::write(path, format!("{text}\n{limits}")).expect("a configuration");
    }

    /// `province-adapter role`, to be started.
    pub fn sidecar(&self, role: &str) -> Command {
        let mut command = crate::program::command("province-adapter");
        command.arg("--config").arg(self.folder.at("adapter.toml")).arg(role);
        command
    }

    /// The sidecar at work; killed when dropped. What it logs is in `adapter.txt`.
    pub fn serve(&self) -> Child {
        let mut options = std::fs::File::options();
        let path = self.folder.at("adapter.txt");
        let log = options.create(true).append(true).open(path).expect("a log file");
        self.sidecar("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the sidecar starts")
    }

    /// What `check` finds.
    pub async fn check(&self) -> Ended {
        run_with(self.sidecar("check"), "").await
    }

    /// What the sidecar has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.at("adapter.txt")).unwrap_or_default()
    }

    /// Hands in so many cases; their ids.
    pub async fn submit(&self, from: u32, count: u32) -> Vec<String> {
        let mut cases = Vec::new();
        for nth in from..from + count {
            let receipt = self.hub.submit(nth).await;
            cases.push(receipt["case_id"].as_str().expect("an id").to_owned());
        }
        cases
    }

    /// Hands in the case of somebody of this name; its id.
    pub async fn submit_as(&self, nth: u32, name: &str) -> String {
        let mut body = crate::http::submission(nth);
        body["submitted_at"] = json!("2026-12-30T09:00:00+08:00");
        body["applicant"]["name"] = json!(name);
        let (status, receipt) =
            self.hub.post("/v1/cases", &format!("named-person-{nth}"), &body).await;
        assert_eq!(status, 201, "{receipt}");
        receipt["case_id"].as_str().expect("an id").to_owned()
    }

    /// The kinds of the events of a case, without prefix and version.
    pub async fn kinds(&self, case: &str) -> Vec<String> {
        let kind = |it: &Value| it["event"]["type"].as_str().unwrap_or_default().to_owned();
        let short = |it: String| {
            it.trim_start_matches("cn.gov.mot.hub.case.").trim_end_matches(".v1").to_owned()
        };
        self.folder.story(case).await.iter().map(kind).map(short).collect()
    }

    /// Waits until the case's story has `kind`.
    pub async fn until(&self, case: &str, kind: &str) {
        wait_for(kind, async || self.kinds(case).await.iter().any(|it| it == kind).then_some(()))
            .await;
    }

    /// Nothing was recorded twice and the hub refused nothing.
    pub async fn assert_once(&self, case: &str) {
        let mut kinds = self.kinds(case).await;
        let refused = kinds.iter().filter(|it| it.contains("refused")).count();
        assert_eq!(refused, 0, "{kinds:?}");
        // Both are said of each piece of work, and a correction is a second one.
        kinds.retain(|it| it != "forwarded" && it != "delivered");
        let count = kinds.len();
        kinds.sort_unstable();
        kinds.dedup();
        assert_eq!(kinds.len(), count, "something happened twice: {kinds:?}");
    }

    /// Hands in what was missing from a case.
    pub async fn correct(&self, case: &str) {
        let body = json!({
            "submitted_at": "2026-12-30T09:30:00+08:00",
            "materials": [{"kind": "photo", "reference": "f-corrected"}],
        });
        let path = format!("/v1/cases/{case}/correction");
        let (status, answer) = self.hub.post(&path, &format!("correction-{case}"), &body).await;
        assert!((200..300).contains(&status), "{status} {answer}");
    }
}

/// GBK as the system's own converter has it: not by the library that the adapter uses.
pub fn from_gbk(bytes: &[u8]) -> String {
    String::from_utf8(convert(bytes, "GBK", "UTF-8")).expect("iconv writes UTF-8")
}

/// The same the other way.
pub fn to_gbk(text: &str) -> Vec<u8> {
    convert(text.as_bytes(), "UTF-8", "GBK")
}

fn convert(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut command = std::process::Command::new("iconv");
    command.args(["-f", from, "-t", to]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("iconv is part of every Linux");
    let mut input = child.stdin.take().expect("a pipe");
    let bytes = bytes.to_vec();
    let writing = std::thread::spawn(move || input.write_all(&bytes));
    let output = child.wait_with_output().expect("iconv ends");
    let written = writing.join().expect("it writes");
    assert!(written.is_ok() && output.status.success(), "not {from}");
    output.stdout
}
