//! One file, checked once, all its problems named together. Secrets are paths, never values.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::{SigningKey, VerifyingKey};
use events::ids::ProvinceCode;
use events::proof::signature;
use events::time_lapse::TimeLapse;
use events::trace::TraceSettings;
use serde::Deserialize;

use crate::clock::Clock;
use crate::conformance::instruction::SANDBOX_ORIGIN_PREFIX;
use crate::keys::{self, Identity, KeyError, OtherSealKeys};
use crate::limits::{self, Limits, LimitsFile};
use crate::office::codes::Codes;
use crate::office::{folder::FolderSettings, http, pull, settings, table::TableSettings};
use crate::outbox::Pace;
use crate::page::PageSettings;

/// The file cannot be used. The texts are for whoever writes it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It is not there.
    #[error("cannot read `{path}`", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It is not TOML, has an unknown key, or a value of another type.
    #[error("cannot understand `{path}`", path = path.display())]
    Understand {
        /// The file.
        path: PathBuf,
        /// Where and why.
        #[source]
        source: toml::de::Error,
    },
    /// Everything else, at once.
    #[error("`{path}` has {} problem(s):\n  {}", problems.len(), problems.join("\n  "), path = path.display())]
    Problems {
        /// The file.
        path: PathBuf,
        /// One sentence each.
        problems: Vec<String>,
    },
}

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// Whom it speaks for.
    pub province: ProvinceCode,
    /// The hub's log and environment.
    pub origin: String,
    /// Where the broker is.
    pub broker: Broker,
    /// Which keys.
    pub keys: Keys,
    /// The SQLite file.
    pub store: PathBuf,
    /// How often an unreceipted report is sent again.
    pub pace: Pace,
    /// Every bound.
    pub limits: Limits,
    /// Which office system.
    pub office: Office,
    /// The office's own codes.
    pub codes: Arc<Codes>,
    /// Where spans go.
    pub telemetry: TraceSettings,
    /// The page of this adapter.
    pub page: PageSettings,
    /// Its certificate of conformance, whose end `status` tells.
    pub certificate_file: Option<PathBuf>,
    /// Where the configuration lies.
    pub folder: PathBuf,
    /// Time told faster: a demonstration.
    pub time_lapse: Option<TimeLapse>,
}

/// The broker and the way in.
#[derive(Debug, Clone)]
pub struct Broker {
    /// One or more addresses of the same cluster.
    pub urls: Vec<String>,
    /// The file with this province's NATS seed (`SU…`).
    pub nkey_seed_file: PathBuf,
    /// Certificates that count for the broker, in PEM, if the system's do not. With them, or a `tls://`
    /// address, nothing is said to a broker without TLS, not even to one that another broker names.
    pub ca_file: Option<PathBuf>,
}

impl Broker {
    /// Whether a broker that speaks in clear is refused.
    pub fn wants_tls(&self) -> bool {
        self.ca_file.is_some() || self.urls.iter().any(|it| it.starts_with("tls://"))
    }
}

/// Files and ids of keys.
#[derive(Debug, Clone)]
pub struct Keys {
    /// Ed25519 seed.
    pub sign_key_file: PathBuf,
    /// As the hub registered it.
    pub sign_key_id: String,
    /// X25519 private key.
    pub seal_key_file: PathBuf,
    /// As the hub registered it.
    pub seal_key_id: String,
    /// The hub's Ed25519 key.
    pub hub_key: VerifyingKey,
    /// Its id.
    pub hub_key_id: String,
}

/// What `office` may be.
const OFFICES: &str = "`simulated`, `pull`, `http`, `table`, `folder`, and `obedient` in a sandbox";

/// Which office system answers.
#[derive(Debug, Clone)]
pub enum Office {
    /// The one in this executable.
    Simulated(settings::Settings),
    /// Exchange tables in a front database.
    Table(TableSettings),
    /// Files dropped and picked up.
    Folder(FolderSettings),
    /// It fetches its work over HTTP.
    Pull(pull::settings::Settings),
    /// Its own service is sent the work.
    Http(Box<http::settings::Settings>),
    /// The one that does what a test case says; only in a sandbox.
    Obedient,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    province: String,
    origin: String,
    office: String,
    codes: Option<PathBuf>,
    certificate_file: Option<PathBuf>,
    #[serde(default)]
    page: PageSettings,
    broker: BrokerFile,
    keys: KeysFile,
    store: StoreFile,
    #[serde(default)]
    pace: PaceFile,
    #[serde(default)]
    limits: LimitsFile,
    #[serde(default)]
    simulated: settings::Settings,
    #[serde(default)]
    pull: pull::settings::Settings,
    #[serde(default)]
    http: http::settings::Settings,
    #[serde(default)]
    table: TableSettings,
    #[serde(default)]
    folder: FolderSettings,
    #[serde(default)]
    telemetry: TraceSettings,
    time_lapse: Option<TimeLapse>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct BrokerFile {
    urls: Vec<String>,
    nkey_seed_file: PathBuf,
    ca_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeysFile {
    sign_key_file: PathBuf,
    sign_key_id: String,
    seal_key_file: PathBuf,
    seal_key_id: String,
    hub_public_key: String,
    hub_key_id: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StoreFile {
    path: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct PaceFile {
    resend_after_ms: Vec<u64>,
    jitter_percent: u32,
}

impl Default for PaceFile {
    fn default() -> Self {
        Self {
            resend_after_ms: vec![5_000, 30_000, 120_000, 600_000, 3_600_000],
            jitter_percent: 20,
        }
    }
}

impl Config {
    /// Reads and checks the file. Paths in it are relative to it.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, path, folder)
    }

    fn parse(text: &str, path: &Path, folder: &Path) -> Result<Self, ConfigError> {
        let file: File = toml::from_str(text)
            .map_err(|source| ConfigError::Understand { path: path.to_owned(), source })?;
        let mut problems = Vec::new();
        let config = check(file, folder, &mut problems);
        match config {
            Some(config) if problems.is_empty() => Ok(config),
            _ => Err(ConfigError::Problems { path: path.to_owned(), problems }),
        }
    }

    /// The machine's clock, or the demonstration's.
    pub fn clock(&self) -> Clock {
        self.time_lapse.map_or(Clock::Machine, Clock::Lapse)
    }

    /// Reads the key files.
    pub fn identity(&self) -> Result<Identity, KeyError> {
        let keys = &self.keys;
        Ok(Identity {
            province: self.province,
            origin: self.origin.clone(),
            sign_key: SigningKey::from_bytes(&keys::read_key(&keys.sign_key_file)?),
            sign_key_id: keys.sign_key_id.clone(),
            seal_key: BASE64.encode(keys::read_key(&keys.seal_key_file)?),
            seal_key_id: keys.seal_key_id.clone(),
            other_seal_keys: OtherSealKeys::beside(&keys.seal_key_file),
            hub_key: keys.hub_key,
            hub_key_id: keys.hub_key_id.clone(),
        })
    }
}

/// Everything that is wrong goes into `problems`; nothing is returned if a part is missing.
fn check(file: File, folder: &Path, problems: &mut Vec<String>) -> Option<Config> {
    let province = note(problems, file.province.parse(), "`province`");
    let hub_key =
        note(problems, signature::public_key(&file.keys.hub_public_key), "`keys.hub_public_key`");
    for (name, text) in [
        ("origin", &file.origin),
        ("keys.sign_key_id", &file.keys.sign_key_id),
        ("keys.seal_key_id", &file.keys.seal_key_id),
        ("keys.hub_key_id", &file.keys.hub_key_id),
    ] {
        if text.is_empty() || text.len() > 128 {
            problems.push(format!("`{name}` must have 1 to 128 characters"));
        }
    }
    if file.broker.urls.is_empty() {
        problems.push("`broker.urls` must name at least one address".to_owned());
    }
    let codes = match &file.codes {
        Some(path) => note(problems, Codes::load(&folder.join(path)).map_err(whole), "`codes`"),
        None => Some(Codes::default()),
    };
    let office = office(&file, folder, problems);
    let steps = file.pace.resend_after_ms.iter().map(|it| Duration::from_millis(*it)).collect();
    let pace = Pace::new(steps, file.pace.jitter_percent);
    if pace.is_none() || file.pace.resend_after_ms.contains(&0) {
        problems.push(
            "`pace.resend_after_ms` needs at least one wait, none of them 0, and `pace.jitter_percent` at most 100"
                .to_owned(),
        );
    }
    let limits = limits::check(&file.limits, problems);
    problems.extend(file.telemetry.problems(cfg!(feature = "otlp")));
    let at = |path: PathBuf| folder.join(path);
    Some(Config {
        province: province?,
        origin: file.origin,
        broker: Broker {
            urls: file.broker.urls,
            nkey_seed_file: at(file.broker.nkey_seed_file),
            ca_file: file.broker.ca_file.map(at),
        },
        keys: Keys {
            sign_key_file: at(file.keys.sign_key_file),
            sign_key_id: file.keys.sign_key_id,
            seal_key_file: at(file.keys.seal_key_file),
            seal_key_id: file.keys.seal_key_id,
            hub_key: hub_key?,
            hub_key_id: file.keys.hub_key_id,
        },
        store: at(file.store.path),
        pace: pace?,
        limits,
        office: office?,
        codes: Arc::new(codes?),
        telemetry: file.telemetry.in_folder(folder),
        page: file.page.in_folder(folder),
        certificate_file: file.certificate_file.map(at),
        folder: folder.to_owned(),
        time_lapse: file.time_lapse,
    })
}

/// The office that is named. The settings of the others are checked too: a file is right or it is not.
fn office(file: &File, folder: &Path, problems: &mut Vec<String>) -> Option<Office> {
    problems.extend(file.simulated.problems());
    problems.extend(file.pull.problems());
    problems.extend(file.table.problems());
    problems.extend(file.folder.problems());
    problems.extend(file.page.problems());
    match file.office.as_str() {
        "simulated" => Some(Office::Simulated(file.simulated.clone())),
        "http" => {
            problems.extend(file.http.problems());
            Some(Office::Http(Box::new(file.http.clone().in_folder(folder))))
        }
        "pull" => Some(Office::Pull(file.pull.clone().in_folder(folder))),
        "table" => Some(Office::Table(file.table.clone().in_folder(folder))),
        "folder" => Some(Office::Folder(file.folder.clone().in_folder(folder))),
        "obedient" if file.origin.starts_with(SANDBOX_ORIGIN_PREFIX) => Some(Office::Obedient),
        "obedient" => {
            // It would let whoever fills in a form decide about a certificate.
            let why = "`office = \"obedient\"` needs an `origin` that begins with `sandbox.`";
            problems.push(why.to_owned());
            None
        }
        other => {
            problems.push(format!("`office` is `{other}`; this version knows {OFFICES}"));
            None
        }
    }
}

/// The error with its causes: each may name another part of what to mend.
fn whole(error: impl std::error::Error) -> String {
    crate::check::chain(&error)
}

fn note<T, E: std::fmt::Display>(
    problems: &mut Vec<String>,
    result: Result<T, E>,
    what: &str,
) -> Option<T> {
    result.map_err(|it| problems.push(format!("{what}: {it}"))).ok()
}

#[cfg(test)]
mod examples;
#[cfg(test)]
mod tests;
