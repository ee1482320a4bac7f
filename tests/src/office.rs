//! A whole province with an office of somebody else's making: hub, broker, sidecar, and the office's process.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use crate::broker::{TestBroker, VERSIONS, WAIT_MAX, not_run, province, wait_for};
use crate::debian::{install, run};
use crate::program::{HubFolder, Serving};

/// Between two looks at a case.
const LOOK: Duration = Duration::from_millis(100);

const TOKEN: &str = "token-of-the-office-of-jilin-0123456789";

/// What an example office is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `deploy/examples/python-office`
    Python,
    /// `deploy/examples/java-office`
    Java,
}

impl Language {
    fn program(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Python => ("python3", "python3", "python-office/office.py"),
            Self::Java => ("java", "default-jdk-headless", "java-office/Office.java"),
        }
    }

    /// The interpreter is here, or was fetched; if it cannot be had, `test` is told as not run.
    pub async fn at_hand(self, test: &str) -> bool {
        static PYTHON: OnceCell<Result<(), String>> = OnceCell::const_new();
        static JAVA: OnceCell<Result<(), String>> = OnceCell::const_new();
        let cell = if self == Self::Python { &PYTHON } else { &JAVA };
        match cell.get_or_init(async || self.fetch().await).await {
            Ok(()) => true,
            Err(why) => {
                not_run(test, why);
                false
            }
        }
    }

    async fn fetch(self) -> Result<(), String> {
        let (program, package, _) = self.program();
        let here = Path::new(".");
        if run(program, &["--version"], here).await.is_err() {
            install(&[package]).await?;
            run(program, &["--version"], here).await?;
        }
        Ok(())
    }
}

/// Jilin, its adapter with the given office, and the hub.
pub struct Province {
    /// The hub's folder, in which the adapter's configuration lies too.
    pub folder: HubFolder,
    /// The hub.
    pub hub: Serving,
    /// The broker.
    pub broker: TestBroker,
    /// The sidecar, while it runs.
    pub adapter: Option<Child>,
}

impl Province {
    /// Hub, broker and an enrolled sidecar whose configuration gets `office` and `more`; none if
    /// there is no broker to be had.
    pub async fn start(test: &str, office: &str, more: &str) -> Option<Self> {
        let broker = TestBroker::start(test, VERSIONS[0], &[22]).await?;
        let folder = HubFolder::new(&broker.url(), &broker.hub_key);
        let hub = folder.serve().await;
        folder.adapter(&broker.url(), province(22), broker.keys(22));
        let text = std::fs::read_to_string(folder.at("adapter.toml")).expect("a configuration");
        let text = text.replace("office = \"simulated\"", &format!("office = \"{office}\""));
        std::fs::write(folder.at("adapter.toml"), format!("{text}{more}")).expect("a file");
        write_secret(&folder.at("office.token"));
        folder.hub(&["province", "enroll", "22", &folder.text("request.json")]).await.with(0);
        let mut it = Self { folder, hub, broker, adapter: None };
        it.serve();
        Some(it)
    }

    /// Starts the sidecar.
    pub fn serve(&mut self) {
        let _ = std::fs::remove_file(self.folder.at("office.address"));
        let mut options = std::fs::File::options();
        let log = options.create(true).append(true).open(self.folder.at("adapter.txt"));
        let child = crate::program::command("province-adapter")
            .arg("--config")
            .arg(self.folder.at("adapter.toml"))
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log.expect("a log file"))
            .spawn();
        self.adapter = Some(child.expect("the adapter starts"));
    }

    /// Kills the sidecar without a word.
    pub async fn kill_adapter(&mut self) {
        let mut child = self.adapter.take().expect("it runs");
        child.kill().await.expect("it dies");
    }

    /// Where the office asks.
    pub async fn office_url(&self) -> String {
        let file = self.folder.at("office.address");
        let address =
            wait_for("the office's API", async || std::fs::read_to_string(&file).ok()).await;
        format!("http://{address}")
    }

    /// Starts an example office; dropped, it is killed.
    pub async fn office(&self, language: Language, arguments: &[&str]) -> Child {
        let (program, _, file) = language.program();
        let file =
            PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/examples")).join(file);
        let mut options = std::fs::File::options();
        let log = options.create(true).append(true).open(self.folder.at("office.txt"));
        let log = log.expect("a log file");
        Command::new(program)
            .arg(file)
            .args(["--url", &self.office_url().await])
            .args(["--token-file", &self.folder.text("office.token")])
            .args(["--files", &self.folder.text("office.files")])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("the office starts")
    }

    /// The kinds of a case's events, once `last` is among them.
    pub async fn story(&self, case: &str, last: &str) -> Vec<String> {
        let started = Instant::now();
        loop {
            let kinds = self.kinds(case).await;
            if kinds.iter().any(|it| it == last) {
                return kinds;
            }
            let waited = started.elapsed();
            assert!(waited < WAIT_MAX, "no {last} of {case}: {kinds:?}\n{}", self.logs());
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The kinds of a case's events, without what begins and ends them all: `accepted`, `completed` ….
    pub async fn kinds(&self, case: &str) -> Vec<String> {
        let bare = |it: &Value| {
            let kind = it["event"]["type"].as_str().expect("a type");
            kind.trim_start_matches("cn.gov.mot.hub.case.").trim_end_matches(".v1").to_owned()
        };
        self.folder.story(case).await.iter().map(bare).collect()
    }

    /// What the processes said, for a failed test.
    pub fn logs(&self) -> String {
        let read = |name| std::fs::read_to_string(self.folder.at(name)).unwrap_or_default();
        format!("adapter:\n{}\noffice:\n{}", read("adapter.txt"), read("office.txt"))
    }
}

fn write_secret(path: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::write(path, TOKEN).expect("a token file");
    let mode = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(path, mode).expect("a mode");
}
