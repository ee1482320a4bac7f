//! A real nats-server for the sandbox: found or fetched, started, killed and wiped by the kit.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::KitError;
use super::account::{self, Users};

/// Longest wait until a started server answers.
const READY_WAIT_MAX: Duration = Duration::from_secs(20);
/// Pause between two looks at a server that is starting.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// Lines of the server's own log that an error repeats.
const LOG_LINES_TOLD: usize = 5;
/// Where the script that finds a server lies, beside the executable's project or the current folder.
const FINDER: &str = "deploy/nats-server";

/// A nats-server that the kit started.
pub(crate) struct Broker {
    program: PathBuf,
    folder: PathBuf,
    users: Users,
    port: i32,
    child: Option<Child>,
}

/// The server program: the given one, or whatever `deploy/nats-server` finds or fetches, or the PATH's.
pub(crate) async fn find(given: Option<&Path>) -> Result<PathBuf, KitError> {
    if let Some(given) = given {
        return Ok(given.to_owned());
    }
    let built_here = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(FINDER);
    let finder = [PathBuf::from(FINDER), built_here].into_iter().find(|it| it.is_file());
    let Some(finder) = finder else {
        return Ok(PathBuf::from("nats-server"));
    };
    let failed = |said: String| KitError::NoBroker { said };
    let ran = Command::new(finder).stdin(Stdio::null()).output().await;
    let ran = ran.map_err(|it| failed(it.to_string()))?;
    let told = String::from_utf8_lossy(&ran.stdout).trim().to_owned();
    if !ran.status.success() || told.is_empty() {
        return Err(failed(last_lines(&String::from_utf8_lossy(&ran.stderr))));
    }
    Ok(PathBuf::from(told))
}

impl Broker {
    /// Starts `program` with everything it keeps inside `folder`.
    pub(crate) async fn start(
        program: PathBuf,
        folder: PathBuf,
        users: Users,
        port: Option<u16>,
    ) -> Result<Self, KitError> {
        let port = port.map_or(-1, i32::from);
        let mut broker = Self { program, folder, users, port, child: None };
        broker.restart().await?;
        Ok(broker)
    }

    /// Where clients connect; the same after every restart.
    pub(crate) fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Starts it again on the same port.
    pub(crate) async fn restart(&mut self) -> Result<(), KitError> {
        let files = |source| KitError::Files { path: self.folder.clone(), source };
        for folder in [self.folder.join("ports"), self.folder.join("store")] {
            fs::create_dir_all(folder).map_err(files)?;
        }
        let config = self.folder.join("nats.conf");
        let text = account::render(&self.users, &self.folder, self.port);
        fs::write(&config, text).map_err(files)?;
        let log = File::options().create(true).append(true).open(self.log()).map_err(files)?;
        let second = log.try_clone().map_err(files)?;
        let child = Command::new(&self.program)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(second)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|it| KitError::NoBroker { said: it.to_string() })?;
        self.child = Some(child);
        let ready = timeout(READY_WAIT_MAX, async {
            loop {
                if self.port < 0 {
                    self.port = self.read_port().unwrap_or(-1);
                }
                let port = u16::try_from(self.port).unwrap_or(0);
                if port > 0 && TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                    return;
                }
                sleep(LOOK_PAUSE).await;
            }
        });
        if ready.await.is_err() {
            let said = fs::read_to_string(self.log()).unwrap_or_default();
            return Err(KitError::NoBroker { said: last_lines(&said) });
        }
        Ok(())
    }

    /// SIGKILL, as a power cut would.
    pub(crate) async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself; then there is nothing to kill.
            let _ = child.kill().await;
        }
    }

    /// Loses everything that it has stored. It is killed first and not started again.
    pub(crate) async fn wipe(&mut self) -> Result<(), KitError> {
        self.kill().await;
        let store = self.folder.join("store");
        fs::remove_dir_all(&store).map_err(|source| KitError::Files { path: store, source })
    }

    /// What the server refused the adapter, as it wrote it down: permission violations.
    pub(crate) fn refusals(&self) -> Vec<String> {
        let text = fs::read_to_string(self.log()).unwrap_or_default();
        let account = self.users.adapter.as_str();
        let refused = |line: &&str| line.contains("Violation") && line.contains(account);
        let what = |line: &str| {
            let from = line.find("Violation").unwrap_or(0);
            let start = line[..from].rfind("] ").map_or(0, |it| it + 2);
            line[start..].chars().take(240).collect()
        };
        text.lines().filter(refused).map(what).collect()
    }

    fn log(&self) -> PathBuf {
        self.folder.join("nats-server.txt")
    }

    /// The port that the server chose: `nats-server_<pid>.ports` holds `{"nats":["nats://…:4222"]}`.
    fn read_port(&self) -> Option<i32> {
        let ending = format!("_{}.ports", self.child.as_ref()?.id()?);
        let entries = fs::read_dir(self.folder.join("ports")).ok()?;
        let file = entries
            .filter_map(Result::ok)
            .find(|it| it.file_name().to_string_lossy().ends_with(&ending))?;
        let ports: serde_json::Value = serde_json::from_slice(&fs::read(file.path()).ok()?).ok()?;
        ports["nats"][0].as_str()?.rsplit(':').next()?.parse().ok()
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES_TOLD)..].join("\n")
}
