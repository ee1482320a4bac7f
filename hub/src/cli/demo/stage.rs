//! The demo's own little country: a folder with keys and configurations, and the processes in it.

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use events::ids::ProvinceCode;
use events::time_lapse::TimeLapse;
use tokio::process::{Child, Command};

use super::setup;
use crate::nats::keys::{ProvinceKeys, UserKey};
use crate::nats::release::Release;
use crate::nats::render::{BrokerPlan, ProvinceUsers};
use crate::nats::streams::StreamLimits;
use crate::nats::supervise::{self, Broker};

/// Longest wait for the hub to answer after a start.
const READY_WAIT_MAX: Duration = Duration::from_secs(30);
/// Longest wait for a process to end in order; then it is killed.
const STOP_WAIT_MAX: Duration = Duration::from_secs(25);
/// Between two looks.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// Everything that runs, and where.
pub(super) struct Stage {
    pub(super) folder: PathBuf,
    pub(super) broker: Broker,
    pub(super) release: Release,
    pub(super) national_token: String,
    hub_program: PathBuf,
    adapter_program: PathBuf,
    hub: Option<Child>,
    adapters: Vec<(ProvinceCode, Option<Child>)>,
    // Removes the folder at the end, unless it is to be kept.
    _temporary: Option<Temporary>,
}

/// A folder that goes when its owner goes.
struct Temporary(PathBuf);

impl Drop for Temporary {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What the stage is built from.
pub(super) struct Setting<'a> {
    pub(super) keep: Option<&'a Path>,
    pub(super) programs: Programs,
    pub(super) provinces: &'a [ProvinceCode],
    pub(super) lapse: TimeLapse,
    pub(super) seed: u64,
    /// What an office takes of its adapter within a real minute.
    pub(super) office_per_minute: u32,
    /// The province whose office decides some cases twice, differently.
    pub(super) twice: Option<ProvinceCode>,
}

/// What will run besides ourselves. Finding it may take minutes on a fresh machine: it comes first,
/// before any clock runs.
pub(super) struct Programs {
    broker: PathBuf,
    release: Release,
    adapter: PathBuf,
}

impl Programs {
    /// Finds or fetches the broker, and builds the adapter if Cargo runs us.
    pub(super) async fn find(broker_version: Option<&str>) -> anyhow::Result<Self> {
        let script = project().join("deploy/nats-server");
        let (broker, release) = supervise::find(&script, broker_version).await?;
        Ok(Self { broker, release, adapter: adapter_program().await? })
    }
}

impl Stage {
    /// Makes the folder, the keys and the configurations, and starts the broker.
    pub(super) async fn build(setting: &Setting<'_>) -> anyhow::Result<Self> {
        let (folder, temporary) = new_folder(setting.keep)?;
        let Programs { broker: binary, release, adapter } = &setting.programs;
        let hub_user = UserKey::generate()?;
        let mut users = Vec::new();
        let mut all_keys = Vec::new();
        for province in setting.provinces {
            let generated = ProvinceKeys::generate()?;
            users.push(ProvinceUsers {
                province: *province,
                users: vec![generated.user.public().to_owned()],
            });
            all_keys.push((*province, generated));
        }
        let plan = BrokerPlan {
            release: *release,
            host: "127.0.0.1".to_owned(),
            port: None,
            pid_file: None,
            tls: None,
            ports_dir: None,
            monitoring_port: None,
            store_dir: PathBuf::new(),
            store_bytes_max: StreamLimits::default().store_bytes(setting.provinces.len()),
            sync_always: false,
            hub_users: vec![hub_user.public().to_owned()],
            probe_user: None,
            provinces: users,
        };
        let broker = Broker::start(binary.clone(), folder.join("broker"), plan).await?;
        let tokens = setup::write_hub(&folder, &broker.url(), &hub_user, setting)?;
        let hub_public = setup::signature_public(&folder)?;
        for (province, generated) in &all_keys {
            setup::write_adapter(
                &folder,
                &broker.url(),
                *province,
                generated,
                &hub_public,
                setting,
            )?;
        }
        Ok(Self {
            adapter_program: adapter.clone(),
            hub_program: std::env::current_exe().context("cannot find our own program")?,
            folder,
            broker,
            release: *release,
            national_token: tokens,
            hub: None,
            adapters: setting.provinces.iter().map(|it| (*it, None)).collect(),
            _temporary: temporary,
        })
    }

    /// The hub's configuration file.
    pub(super) fn hub_config(&self) -> PathBuf {
        self.folder.join("hub.toml")
    }

    /// Starts the hub, or starts it again, and waits until it answers. Its address may be new.
    pub(super) async fn start_hub(&mut self) -> anyhow::Result<String> {
        let address_file = self.folder.join("hub.address");
        let _ = std::fs::remove_file(&address_file);
        let child =
            self.spawn(&self.hub_program, &["--config"], &self.hub_config(), &["serve"], "hub")?;
        self.hub = Some(child);
        let client =
            reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(2)).build()?;
        let started = tokio::time::Instant::now();
        while started.elapsed() < READY_WAIT_MAX {
            if let Some(status) = self.hub.as_mut().and_then(|it| it.try_wait().ok().flatten()) {
                bail!("the hub ended with {status}\n{}", last_lines(&self.folder.join("hub.txt")));
            }
            if let Ok(address) = std::fs::read_to_string(&address_file) {
                let base = format!("http://{}", address.trim());
                if client
                    .get(format!("{base}/livez"))
                    .send()
                    .await
                    .is_ok_and(|it| it.status().is_success())
                {
                    return Ok(base);
                }
            }
            tokio::time::sleep(LOOK_PAUSE).await;
        }
        bail!("the hub does not answer\n{}", last_lines(&self.folder.join("hub.txt")))
    }

    /// SIGKILL, as a power cut would.
    pub(super) async fn kill_hub(&mut self) {
        if let Some(mut child) = self.hub.take() {
            let _ = child.kill().await;
        }
    }

    /// Starts the adapter of `province`; does nothing while it runs.
    pub(super) fn start_adapter(&mut self, province: ProvinceCode) -> anyhow::Result<()> {
        let config = self.folder.join(format!("p{province}/adapter.toml"));
        let program = self.adapter_program.clone();
        let child = self.spawn(
            &program,
            &["--config"],
            &config,
            &["serve"],
            &format!("p{province}/adapter"),
        )?;
        if let Some(entry) = self.adapters.iter_mut().find(|it| it.0 == province) {
            entry.1 = Some(child);
        }
        Ok(())
    }

    /// SIGKILL for one adapter.
    pub(super) async fn kill_adapter(&mut self, province: ProvinceCode) {
        for (code, child) in &mut self.adapters {
            if *code == province
                && let Some(mut child) = child.take()
            {
                let _ = child.kill().await;
            }
        }
    }

    /// Stops the broker, puts back the store it had the last time this was called (the first time:
    /// none), keeps the present one for the next time, and starts it.
    pub(super) async fn roll_back_broker(&mut self) -> anyhow::Result<()> {
        self.broker.stop().await;
        let (store, older, newer) = (
            self.broker.store_dir().to_owned(),
            self.folder.join("store.older"),
            self.folder.join("store.newer"),
        );
        let _ = std::fs::remove_dir_all(&newer);
        if store.exists() {
            std::fs::rename(&store, &newer)?;
        }
        if older.exists() {
            std::fs::rename(&older, &store)?;
        }
        if newer.exists() {
            std::fs::rename(&newer, &older)?;
        }
        self.broker.restart().await?;
        Ok(())
    }

    /// The provinces on stage.
    pub(super) fn provinces(&self) -> Vec<ProvinceCode> {
        self.adapters.iter().map(|it| it.0).collect()
    }

    /// Lets everything end in order: adapters, hub, broker.
    pub(super) async fn stop(&mut self) {
        let mut ending: Vec<Child> =
            self.adapters.iter_mut().filter_map(|it| it.1.take()).collect();
        for child in &ending {
            terminate(child).await;
        }
        for child in &mut ending {
            end(child).await;
        }
        if let Some(mut hub) = self.hub.take() {
            terminate(&hub).await;
            end(&mut hub).await;
        }
        self.broker.stop().await;
    }

    fn spawn(
        &self,
        program: &Path,
        before: &[&str],
        config: &Path,
        after: &[&str],
        log: &str,
    ) -> anyhow::Result<Child> {
        let path = self.folder.join(format!("{log}.txt"));
        let open = || std::fs::File::options().create(true).append(true).open(&path);
        let log = open().with_context(|| format!("cannot write `{}`", path.display()))?;
        Command::new(program)
            .args(before)
            .arg(config)
            .args(after)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            // Ctrl-C is for us; we stop the others in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start `{}`", program.display()))
    }
}

/// SIGTERM, through the system's own program: our crates have no unsafe code.
async fn terminate(child: &Child) {
    if let Some(id) = child.id() {
        let _ = Command::new("kill").args(["-TERM", &id.to_string()]).status().await;
    }
}

async fn end(child: &mut Child) -> Option<ExitStatus> {
    match tokio::time::timeout(STOP_WAIT_MAX, child.wait()).await {
        Ok(status) => status.ok(),
        Err(_) => {
            let _ = child.kill().await;
            None
        }
    }
}

fn new_folder(keep: Option<&Path>) -> anyhow::Result<(PathBuf, Option<Temporary>)> {
    if let Some(folder) = keep {
        std::fs::create_dir(folder)
            .with_context(|| format!("cannot make `{}` (it must not exist)", folder.display()))?;
        let folder = folder.canonicalize()?;
        return Ok((folder, None));
    }
    let folder = std::env::temp_dir().join(format!("hub-demo-{}", std::process::id()));
    std::fs::create_dir(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    Ok((folder.clone(), Some(Temporary(folder))))
}

/// Where the sources are: the demo is run from them.
fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The adapter's executable beside ours; built first when Cargo runs us, so that it is never an old one.
async fn adapter_program() -> anyhow::Result<PathBuf> {
    let ours = std::env::current_exe().context("cannot find our own program")?;
    let beside = ours.with_file_name("province-adapter");
    if let Some(cargo) = std::env::var_os("CARGO") {
        say!("building the province adapter …");
        let mut build = Command::new(cargo);
        build.args(["build", "--package", "province-adapter", "--bin", "province-adapter"]);
        if ours.parent().is_some_and(|it| it.ends_with("release")) {
            build.arg("--release");
        }
        let status = build.current_dir(project()).status().await.context("cannot run Cargo")?;
        if !status.success() {
            bail!("the province adapter does not build");
        }
    }
    if !beside.is_file() {
        bail!(
            "`{}` is missing\n(build it: cargo build --release --package province-adapter)",
            beside.display()
        );
    }
    Ok(beside)
}

/// The end of a log file, for an error message.
fn last_lines(path: &Path) -> String {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}
