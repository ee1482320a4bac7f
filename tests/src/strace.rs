//! A hub whose disk fails on purpose: strace answers one system call on one file with an error, and the kernel never sees it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use crate::broker::{not_run, wait_for};
use crate::debian::{install, run};
use crate::program::{HubFolder, NATIONAL, program};

/// Longest wait for an answer of a hub whose disk fails.
const ANSWER_MAX: Duration = Duration::from_secs(60);

static THERE: OnceCell<Result<(), String>> = OnceCell::const_new();

/// Whether there is an strace that may trace here. If not, `test` is told as not run; on the build
/// server that fails.
pub async fn strace(test: &str) -> bool {
    match THERE.get_or_init(find).await {
        Ok(()) => true,
        Err(why) => {
            not_run(test, why);
            false
        }
    }
}

async fn find() -> Result<(), String> {
    let here = Path::new(".");
    if run("strace", &["-V"], here).await.is_err() {
        install(&["strace"]).await?;
    }
    run("strace", &["-o", "/dev/null", "true"], here).await.map(drop)
}

/// Which call fails, how, and which time: `fdatasync`, `EIO`, `3` or `3..5`.
#[derive(Debug, Clone)]
pub struct Fault {
    /// The file, in the hub's folder.
    pub file: &'static str,
    /// The system call.
    pub call: &'static str,
    /// The error it is answered with.
    pub error: &'static str,
    /// Counted in each thread from its start.
    pub when: String,
}

/// A hub under strace. Dropped, both are killed.
pub struct Traced {
    strace: Child,
    hub: Option<u32>,
    /// Where it listens; none if it ended before it answered.
    pub address: Option<String>,
    http: reqwest::Client,
}

impl Traced {
    /// Starts a hub whose disk fails once, and waits until it answers or has ended.
    pub async fn start(folder: &HubFolder, fault: &Fault) -> Self {
        let address = folder.at("hub.address");
        let _ = std::fs::remove_file(&address);
        let Fault { file, call, error, when } = fault;
        let mut command = Command::new("strace");
        command
            .args(["--follow-forks", "--quiet=all", "--output=/dev/null", "-P"])
            .arg(folder.at(file))
            .arg(format!("--trace={call}"))
            .arg(format!("--inject={call}:error={error}:when={when}"))
            .arg(program("hub"))
            .arg("--config")
            .arg(folder.at("hub.toml"))
            .arg("serve")
            .env_remove("CARGO")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let mut options = std::fs::File::options();
        let log = options.create(true).append(true).open(folder.at("hub.txt")).expect("a log");
        let streams = command.stdout(log.try_clone().expect("a second handle")).stderr(log);
        let strace = streams.spawn().expect("strace starts");
        let http = reqwest::Client::builder().no_proxy().timeout(ANSWER_MAX).build();
        let http = http.expect("an HTTP client");
        let mut traced = Self { strace, hub: None, address: None, http };
        traced.address = wait_for("the hub to answer or to end", async || {
            traced.hub = traced.child().or(traced.hub);
            if traced.strace.try_wait().expect("a status").is_some() {
                return Some(None);
            }
            let told = std::fs::read_to_string(&address).ok()?;
            let live = traced.http.get(format!("http://{told}/livez")).send().await.ok()?;
            live.status().is_success().then_some(Some(told))
        })
        .await;
        traced
    }

    /// Hands in a case: the answer, or none if there was no whole one.
    pub async fn attempt(&self, key: &str, body: &Value) -> Option<(u16, Value)> {
        let request = self.http.post(format!("http://{}/v1/cases", self.address.as_ref()?));
        let request = request.bearer_auth(NATIONAL).header("idempotency-key", key).json(body);
        let answer = request.send().await.ok()?;
        Some((answer.status().as_u16(), answer.json().await.ok()?))
    }

    fn child(&self) -> Option<u32> {
        let id = self.strace.id()?;
        let children = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).ok()?;
        children.split_whitespace().next()?.parse().ok()
    }

    /// Whether the hub has ended by now, or does within `patience`.
    pub async fn has_ended(&mut self, patience: Duration) -> bool {
        tokio::time::timeout(patience, self.strace.wait()).await.is_ok()
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        // strace ends with the hub it follows; the other way round the hub would go on.
        if let (Some(hub), Ok(None)) = (self.hub, self.strace.try_wait()) {
            let _ = std::process::Command::new("kill").args(["-KILL", &hub.to_string()]).status();
        }
    }
}
