//! The broker hears of it: its configuration is a function of the log, written whole, and then it is told
//! to read it again. Nobody's connection is dropped but that of a key which no longer counts.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use events::ids::ProvinceCode;
use events::province::KeyPurpose;
use serde::{Deserialize, Serialize};
use tokio::process::Command;
use tokio::sync::Mutex;
use tracing::{info, warn};

use super::probe::Probe;
use crate::clock::Clock;
use crate::log::{ReadError, Readers};
use crate::nats::release::Release;
use crate::nats::render::{BrokerPlan, ProvinceUsers, TlsFiles, render};
use crate::nats::streams::StreamLimits;
use crate::registrar::{Ask, Registrar, What};
use crate::views::membership::Membership;

/// How often the broker's configuration is compared with the log: somebody may have edited it, and a
/// key's time may be over.
const TICK: Duration = Duration::from_secs(1);
/// Provinces that the store has room for. A constant: a reload cannot change the store's size.
const PROVINCES_MAX: usize = 32;
/// A nats-server (2.9.10 and 2.15.1 alike) does not connect the imports of an account that begins to
/// exist with a reload until the next one. So all accounts are there from the first day, and joining only
/// adds a user; whoever introduces them all the same reloads twice, a tick apart.
const RELOADS_WITH_NEW_ACCOUNTS: u32 = 2;
/// Why a key ended by itself.
const OVERLAP_ENDED: &str = "overlap ended 更换密钥的并行期已结束";

/// Where the broker's configuration lies and how the broker is told; `[broker.server]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServerConfig {
    /// The file that the server was started with. The hub writes it.
    pub config_file: PathBuf,
    /// Where the server writes its process id; it gets a SIGHUP. Without it somebody else watches the
    /// file, e.g. `deploy/systemd/nats-server-reload.path`.
    #[serde(default)]
    pub pid_file: Option<PathBuf>,
    /// The server's certificate in PEM, readable by the server. With it the server speaks TLS only.
    #[serde(default)]
    pub tls_cert_file: Option<PathBuf>,
    /// The key of that certificate. Both or neither.
    #[serde(default)]
    pub tls_key_file: Option<PathBuf>,
    /// The server's version: an old one refuses settings that it does not know.
    pub release: String,
    /// The address it listens on.
    #[serde(default = "default_host")]
    pub host: String,
    /// The port it listens on.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Where JetStream keeps its files.
    pub store_dir: PathBuf,
    /// All that JetStream may write, in bytes; a running server cannot change it.
    #[serde(default)]
    pub store_bytes_max: Option<u64>,
    /// Synchronise each message to disk.
    #[serde(default)]
    pub sync_always: bool,
}

fn default_host() -> String {
    "127.0.0.1".to_owned()
}
fn default_port() -> u16 {
    4222
}

/// What the broker heard of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Told {
    /// Its configuration is kept by hand: `hub nats render`, then reload it.
    ByHand,
    /// It reads what it has read before.
    Unchanged,
    /// Written, and the server was signalled.
    Reloaded,
    /// Written; whoever watches the file tells the server.
    Written,
    /// The file or the signal failed; it is tried again every second.
    Failed,
}

impl Told {
    /// The word in answers.
    pub fn code(self) -> &'static str {
        match self {
            Self::ByHand => "by-hand",
            Self::Unchanged => "unchanged",
            Self::Reloaded => "reloaded",
            Self::Written => "written",
            Self::Failed => "failed",
        }
    }
}

/// Why the broker was not told.
#[derive(Debug, thiserror::Error)]
enum TellError {
    #[error("cannot render the broker's configuration")]
    Plan(#[from] crate::nats::render::PlanError),
    #[error("cannot {operation} `{}`", path.display())]
    File {
        operation: &'static str,
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error("the process in `{}` is no nats-server\n(is it running? it reads the file when it starts)", path.display())]
    NoServer { path: PathBuf },
    #[error(
        "the nats-server did not take the signal\n(may the hub's user signal it? see deploy/README.md)"
    )]
    NotSignalled,
}

/// Keeps one broker's configuration as the log wants it.
#[derive(Debug)]
pub struct BrokerKeeper {
    server: Option<(ServerConfig, Release)>,
    hub_user: String,
    probe: Option<Probe>,
    dealings: Mutex<Dealings>,
}

#[derive(Debug)]
struct Dealings {
    // How often the server still has to be told of what the file says. At first it has: the hub may
    // have died between writing and telling.
    owed: u32,
    // How often it was told of something new, and what of the last: whoever recorded a change may find
    // that the slow tick was faster in telling it.
    news: u64,
    last: Told,
}

impl BrokerKeeper {
    /// For the server that `config` describes; without one every change is told as `by-hand`.
    pub fn new(config: Option<(ServerConfig, Release)>, hub_user: &str) -> Self {
        let dealings = Dealings { owed: RELOADS_WITH_NEW_ACCOUNTS, news: 0, last: Told::Unchanged };
        Self {
            server: config,
            hub_user: hub_user.to_owned(),
            probe: None,
            dealings: Mutex::new(dealings),
        }
    }

    /// The same, with somebody who asks whether the broker's answers come through.
    pub fn with_probe(mut self, probe: Probe) -> Self {
        self.probe = Some(probe);
        self
    }

    /// Is it the hub's own key at the broker?
    pub(super) fn is_hub(&self, public_key: &str) -> bool {
        self.hub_user == public_key
    }

    /// How often the broker was told of something new until now.
    pub async fn news(&self) -> u64 {
        self.dealings.lock().await.news
    }

    /// What the broker heard since it had been told `news` times: now, or by the slow tick meanwhile.
    pub async fn look_since(&self, news: u64, readers: &Readers) -> Result<Told, ReadError> {
        let told = self.look(readers).await?;
        let dealings = self.dealings.lock().await;
        Ok(if told == Told::Unchanged && dealings.news > news { dealings.last } else { told })
    }

    /// Compares the file with the log, writes and tells where they differ. Again: nothing.
    pub async fn look(&self, readers: &Readers) -> Result<Told, ReadError> {
        let Some((server, release)) = &self.server else {
            // Nobody is owed anything: an operator tells the broker.
            metrics::gauge!("hub_broker_told").set(1.0);
            return Ok(Told::ByHand);
        };
        let mut dealings = self.dealings.lock().await;
        // Read inside the lock: what is written last is what was recorded last.
        let membership = readers.read_aside(|log| Membership::load(log)).await?;
        let plan = self.plan(server, *release, &membership);
        let told = tell(server, &plan, &mut dealings.owed).await;
        metrics::gauge!("hub_broker_told").set(f64::from(u8::from(told.is_ok())));
        if let Ok(news @ (Told::Reloaded | Told::Written)) = told {
            dealings.news += 1;
            dealings.last = news;
        }
        Ok(told.unwrap_or_else(|error| {
            warn!(error = %chain(&error), "the broker does not know the latest of its provinces");
            Told::Failed
        }))
    }

    /// For ever: looks, and ends keys whose time is over.
    pub async fn run(&self, readers: Readers, registrar: Registrar, clock: Clock) {
        loop {
            if let Err(error) = end_expired(&readers, &registrar, &clock).await {
                warn!(error = %chain(&error), "cannot look for keys whose time is over");
            }
            if let Err(error) = self.look(&readers).await {
                warn!(error = %chain(&error), "cannot compare the broker's configuration with the log");
            }
            self.probe().await;
            tokio::time::sleep(TICK).await;
        }
    }

    /// A broker whose answers to provinces are lost reads its configuration once more.
    async fn probe(&self) {
        let (Some(_), Some(probe)) = (&self.server, &self.probe) else { return };
        if probe.answered().await == Some(false) {
            warn!(
                "the broker's answers to provinces are lost; it reads its configuration once more"
            );
            metrics::counter!("hub_broker_answers_lost_total").increment(1);
            let mut dealings = self.dealings.lock().await;
            dealings.owed = dealings.owed.max(1);
        }
    }

    fn plan(&self, server: &ServerConfig, release: Release, membership: &Membership) -> BrokerPlan {
        let room = || StreamLimits::default().store_bytes(PROVINCES_MAX);
        BrokerPlan {
            release,
            host: server.host.clone(),
            port: Some(server.port),
            ports_dir: None,
            pid_file: server.pid_file.clone(),
            tls: tls_files(server.tls_cert_file.clone(), server.tls_key_file.clone()),
            monitoring_port: None,
            store_dir: server.store_dir.clone(),
            store_bytes_max: server.store_bytes_max.unwrap_or_else(room),
            sync_always: server.sync_always,
            hub_users: vec![self.hub_user.clone()],
            probe_user: self.probe.as_ref().map(|it| it.public().to_owned()),
            provinces: users(membership, &self.hub_user),
        }
    }
}

/// Both or neither.
pub fn tls_files(cert_file: Option<PathBuf>, key_file: Option<PathBuf>) -> Option<TlsFiles> {
    cert_file.zip(key_file).map(|(cert_file, key_file)| TlsFiles { cert_file, key_file })
}

/// Who may connect for each province; nobody for one that is not enrolled, but its account is there. A key that is none, or that somebody else registered
/// before, is left out: one bad entry must not keep all the others from being rendered.
pub fn users(membership: &Membership, hub_user: &str) -> Vec<ProvinceUsers> {
    let mut taken = std::collections::BTreeSet::from([hub_user.to_owned()]);
    let mut all = Vec::new();
    for province in ProvinceCode::all() {
        let known = membership.province(province);
        let keys = known.key_order.iter().filter_map(|it| known.keys.get(it));
        let users: Vec<String> = keys
            .filter(|it| it.purpose == KeyPurpose::Connect && is_user_key(&it.public_key))
            .map(|it| it.public_key.clone())
            .filter(|it| taken.insert(it.clone()))
            .collect();
        all.push(ProvinceUsers { province, users });
    }
    all
}

/// Whether it is a user's public nkey, checksum included.
pub(super) fn is_user_key(public_key: &str) -> bool {
    nkeys::KeyPair::from_public_key(public_key)
        .is_ok_and(|it| matches!(it.key_pair_type(), nkeys::KeyPairType::User))
}

async fn end_expired(
    readers: &Readers,
    registrar: &Registrar,
    clock: &Clock,
) -> Result<(), ReadError> {
    let membership = readers.read_aside(|log| Membership::load(log)).await?;
    let now = clock.now();
    for province in ProvinceCode::all() {
        let known = membership.province(province);
        for key_id in known.expired_keys(now) {
            let (key_id, reason) = (key_id.to_owned(), OVERLAP_ENDED.to_owned());
            let command = hub_core::province::ProvinceCommand::RevokeKey { key_id, reason };
            let what = What::Province { province, command };
            let actor = events::envelope::Actor::Hub;
            let ask = Ask { actor, occurred_at: now, caused_by: None, what };
            // If it cannot be recorded now it is tried again with the next look.
            let _ = registrar.ask(ask).await;
        }
    }
    Ok(())
}

async fn tell(server: &ServerConfig, plan: &BrokerPlan, owed: &mut u32) -> Result<Told, TellError> {
    let wanted = render(plan)?;
    let path = &server.config_file;
    let known = fs::read_to_string(path).unwrap_or_default();
    let changed = known != wanted;
    if changed {
        write_whole(path, &wanted)?;
        *owed = match same_accounts(&known, &wanted) {
            true => 1.max(*owed),
            false => RELOADS_WITH_NEW_ACCOUNTS,
        };
        info!(count = plan.provinces.len(), "wrote the broker's configuration");
    }
    if *owed == 0 {
        return Ok(Told::Unchanged);
    }
    let Some(pid_file) = &server.pid_file else {
        if !changed {
            // Whoever watches the file sees that it is written, not what is in it.
            write_whole(path, &wanted)?;
        }
        *owed = 0;
        return Ok(if changed { Told::Written } else { Told::Unchanged });
    };
    signal(pid_file).await?;
    *owed -= 1;
    Ok(if changed { Told::Reloaded } else { Told::Unchanged })
}

/// Whether no account begins to exist: each stands on a line of its own.
fn same_accounts(known: &str, wanted: &str) -> bool {
    let named = |line: &&str| line.starts_with("  ") && !line.starts_with("   ");
    wanted.lines().filter(named).all(|it| known.lines().any(|line| line == it))
}

/// Readable for the broker's own user: only public keys are in it.
fn write_whole(path: &Path, text: &str) -> Result<(), TellError> {
    let failed = |operation, path: &Path| {
        let path = path.to_owned();
        move |source| TellError::File { operation, path, source }
    };
    let new = path.with_extension("conf.new");
    let mut options = fs::File::options();
    let opened = options.create(true).write(true).truncate(true).mode(0o644).open(&new);
    let mut file = opened.map_err(failed("write", &new))?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    written.map_err(failed("write", &new))?;
    // The hub's mask is stricter than the broker's user can bear.
    let open = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o644);
    fs::set_permissions(&new, open).map_err(failed("open", &new))?;
    fs::rename(&new, path).map_err(failed("replace", path))
}

/// SIGHUP to the nats-server whose id stands in the file, and to nobody else.
async fn signal(pid_file: &Path) -> Result<(), TellError> {
    let none = || TellError::NoServer { path: pid_file.to_owned() };
    let told = fs::read_to_string(pid_file).map_err(|_| none())?;
    let id: u32 = told.trim().parse().map_err(|_| none())?;
    // An old file may name a stranger's process: a SIGHUP ends most programs.
    let command = fs::read(format!("/proc/{id}/cmdline")).map_err(|_| none())?;
    let program = command.split(|it| *it == 0).next().unwrap_or_default();
    if !program.ends_with(b"nats-server") {
        return Err(none());
    }
    let sent = Command::new("kill").args(["-HUP", &id.to_string()]).output().await;
    if sent.is_ok_and(|it| it.status.success()) { Ok(()) } else { Err(TellError::NotSignalled) }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(it) = cause {
        text.push_str(": ");
        text.push_str(&it.to_string());
        cause = it.source();
    }
    text
}

#[cfg(test)]
mod tests;
