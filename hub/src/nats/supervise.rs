//! A nats-server as our child, for the demo and for tests. In production systemd does this better.
//!
//! The first start takes a free port and remembers it, so that whoever was connected finds the same
//! address after a restart. The child does not outlive its handle (`kill_on_drop`).

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::release::Release;
use super::render::{BrokerPlan, PlanError, render};

/// Longest wait until a started server answers.
pub const READY_WAIT_MAX: Duration = Duration::from_secs(20);
/// Longest wait for an orderly end; then it is killed.
pub const STOP_WAIT_MAX: Duration = Duration::from_secs(10);
/// Pause between two looks at a server that is starting.
const LOOK_PAUSE: Duration = Duration::from_millis(20);
/// Longest greeting of a server, in bytes.
const GREETING_BYTES_MAX: u64 = 16 * 1024;
/// Lines of the server's own log that an error repeats.
const LOG_LINES_TOLD: usize = 5;

/// Why there is no broker.
#[derive(Debug, thiserror::Error)]
pub enum SuperviseError {
    /// The script that finds a server found none.
    #[error("found no nats-server: {said}")]
    NotFound {
        /// What it said.
        said: String,
    },
    /// The plan cannot be rendered.
    #[error("cannot render the broker's configuration")]
    Plan(#[from] PlanError),
    /// A file of the broker could not be written, moved or removed.
    #[error("cannot {operation} {}", path.display())]
    Files {
        /// What was tried.
        operation: &'static str,
        /// The file.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The program did not start.
    #[error("cannot run {}", binary.display())]
    Run {
        /// The program.
        binary: PathBuf,
        #[source]
        source: io::Error,
    },
    /// It ended, or said nothing for too long.
    #[error("the nats-server in {} does not answer: {said}", folder.display())]
    NotReady {
        /// Its folder.
        folder: PathBuf,
        /// The end of its log.
        said: String,
    },
}

/// Runs `script` (deploy/nats-server) and returns the server it found or fetched, and its version.
/// `version` is `2.9`, `current`, or none for any.
pub async fn find(
    script: &Path,
    version: Option<&str>,
) -> Result<(PathBuf, Release), SuperviseError> {
    let mut command = Command::new(script);
    if let Some(version) = version {
        command.args(["--version", version]);
    }
    let ran = command
        .stdin(Stdio::null())
        .output()
        .await
        .map_err(|source| SuperviseError::Run { binary: script.into(), source })?;
    let told = String::from_utf8_lossy(&ran.stdout);
    if !ran.status.success() || told.trim().is_empty() {
        let said = last_lines(&String::from_utf8_lossy(&ran.stderr));
        return Err(SuperviseError::NotFound { said });
    }
    let binary = PathBuf::from(told.trim());
    let release = release_of(&binary).await?;
    Ok((binary, release))
}

/// What `binary -v` tells.
pub async fn release_of(binary: &Path) -> Result<Release, SuperviseError> {
    let ran = Command::new(binary)
        .arg("-v")
        .output()
        .await
        .map_err(|source| SuperviseError::Run { binary: binary.into(), source })?;
    let told = String::from_utf8_lossy(&ran.stdout);
    told.parse().map_err(|_| SuperviseError::NotFound {
        said: format!("{} does not tell its version", binary.display()),
    })
}

/// A nats-server that we started, or stopped and can start again.
#[derive(Debug)]
pub struct Broker {
    binary: PathBuf,
    folder: PathBuf,
    plan: BrokerPlan,
    // Invariant: the port in the plan is the one in use, from the first start on.
    child: Option<Child>,
}

impl Broker {
    /// Starts `binary` in `folder` as `plan` says and waits until it answers. The plan's store and
    /// ports folders are replaced by ones inside `folder`.
    pub async fn start(
        binary: PathBuf,
        folder: PathBuf,
        mut plan: BrokerPlan,
    ) -> Result<Self, SuperviseError> {
        plan.store_dir = folder.join("store");
        plan.ports_dir = Some(folder.join("ports"));
        let mut broker = Self { binary, folder, plan, child: None };
        broker.restart().await?;
        Ok(broker)
    }

    /// Where clients connect; the same after every restart.
    pub fn url(&self) -> String {
        format!("nats://{}:{}", self.plan.host, self.plan.port.unwrap_or(0))
    }

    /// What it was told.
    pub fn plan(&self) -> &BrokerPlan {
        &self.plan
    }

    /// Where JetStream keeps its files.
    pub fn store_dir(&self) -> &Path {
        &self.plan.store_dir
    }

    /// The server's own log.
    pub fn log_file(&self) -> PathBuf {
        self.folder.join("nats-server.txt")
    }

    /// Its process id while it runs.
    pub fn process_id(&self) -> Option<u32> {
        self.child.as_ref().and_then(Child::id)
    }

    /// Starts it again on the same port; does nothing while it runs.
    pub async fn restart(&mut self) -> Result<(), SuperviseError> {
        if self.is_running() {
            return Ok(());
        }
        for folder in [&self.folder, &self.folder.join("ports"), &self.plan.store_dir] {
            private_folder(folder)?;
        }
        let config = self.write_config()?;
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file())
            .map_err(|source| files("open", &self.log_file(), source))?;
        let second = log.try_clone().map_err(|source| files("open", &self.log_file(), source))?;
        let child = Command::new(&self.binary)
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(second)
            // Ctrl-C is for us; we stop the broker last.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|source| SuperviseError::Run { binary: self.binary.clone(), source })?;
        self.child = Some(child);
        let release = self.ready().await?;
        info!(broker.release = %release, "nats-server {release} listens at {}", self.url());
        Ok(())
    }

    /// Gives it a new configuration while it runs; connections of users that remain are kept.
    pub async fn reconfigure(&mut self, provinces: BrokerPlan) -> Result<(), SuperviseError> {
        self.plan.provinces = provinces.provinces;
        self.plan.hub_users = provinces.hub_users;
        self.write_config()?;
        self.signal("reload").await;
        Ok(())
    }

    /// Ends it in an orderly way, so that it writes down everything; kills it if that takes too long.
    pub async fn stop(&mut self) -> Option<ExitStatus> {
        if !self.is_running() {
            return None;
        }
        // An interrupt ends every version with status 0; a SIGTERM ends 2.9 and 2.10 with 1.
        self.signal("quit").await;
        let child = self.child.as_mut()?;
        let ended = timeout(STOP_WAIT_MAX, child.wait()).await;
        match ended {
            Ok(status) => {
                self.child = None;
                status.ok()
            }
            Err(_) => {
                warn!("nats-server does not stop; killing it");
                self.kill().await;
                None
            }
        }
    }

    /// SIGKILL, as a power cut would.
    pub async fn kill(&mut self) {
        if let Some(mut child) = self.child.take()
            && let Err(error) = child.kill().await
        {
            warn!(%error, "cannot kill the nats-server");
        }
    }

    /// Removes everything that JetStream has stored. It is killed first and not started again.
    pub async fn wipe(&mut self) -> Result<(), SuperviseError> {
        self.kill().await;
        let store = &self.plan.store_dir;
        match fs::remove_dir_all(store) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(files("remove", store, error))
            }
            _ => Ok(()),
        }
    }

    fn is_running(&mut self) -> bool {
        matches!(self.child.as_mut().map(Child::try_wait), Some(Ok(None)))
    }

    fn write_config(&self) -> Result<PathBuf, SuperviseError> {
        let path = self.folder.join("nats.conf");
        fs::write(&path, render(&self.plan)?).map_err(|source| files("write", &path, source))?;
        Ok(path)
    }

    /// Signals are sent by the server's own program: the standard library has none.
    async fn signal(&self, name: &str) {
        let Some(id) = self.process_id() else { return };
        let sent =
            Command::new(&self.binary).args(["--signal", &format!("{name}={id}")]).output().await;
        match sent {
            Ok(ran) if ran.status.success() => {}
            Ok(ran) => warn!(status = %ran.status, "nats-server did not take the signal {name}"),
            Err(error) => warn!(%error, "cannot send the signal {name} to nats-server"),
        }
    }

    async fn ready(&mut self) -> Result<Release, SuperviseError> {
        let waited = timeout(READY_WAIT_MAX, async {
            while self.is_running() {
                if self.plan.port.is_none() {
                    self.plan.port = self.read_port();
                }
                if let Some(release) = greeting(&self.plan).await {
                    return Some(release);
                }
                sleep(LOOK_PAUSE).await;
            }
            None
        })
        .await;
        match waited {
            Ok(Some(release)) => Ok(release),
            _ => {
                self.kill().await;
                let said = fs::read_to_string(self.log_file()).unwrap_or_default();
                let said = last_lines(&said);
                Err(SuperviseError::NotReady { folder: self.folder.clone(), said })
            }
        }
    }

    /// The port that the server chose: `nats-server_<pid>.ports` holds `{"nats":["nats://…:4222"]}`.
    fn read_port(&self) -> Option<u16> {
        let ending = format!("_{}.ports", self.process_id()?);
        let entries = fs::read_dir(self.plan.ports_dir.as_ref()?).ok()?;
        let file = entries
            .filter_map(Result::ok)
            .find(|it| it.file_name().to_string_lossy().ends_with(&ending))?;
        let ports: serde_json::Value = serde_json::from_slice(&fs::read(file.path()).ok()?).ok()?;
        ports["nats"][0].as_str()?.rsplit(':').next()?.parse().ok()
    }
}

/// A server greets with `INFO {…}` before anybody has logged in.
async fn greeting(plan: &BrokerPlan) -> Option<Release> {
    let stream = TcpStream::connect((plan.host.as_str(), plan.port?)).await.ok()?;
    let mut line = String::new();
    let mut reader = BufReader::new(stream.take(GREETING_BYTES_MAX));
    timeout(Duration::from_secs(1), reader.read_line(&mut line)).await.ok()?.ok()?;
    let info: serde_json::Value = serde_json::from_str(line.strip_prefix("INFO ")?).ok()?;
    info["version"].as_str()?.parse().ok()
}

fn private_folder(path: &Path) -> Result<(), SuperviseError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|source| files("create", path, source))
}

fn files(operation: &'static str, path: &Path, source: io::Error) -> SuperviseError {
    SuperviseError::Files { operation, path: path.into(), source }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LOG_LINES_TOLD)..].join("\n")
}
