//! One file, read once, checked whole before any port is opened; all its problems are printed at once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use events::proof::signature::public_key;
use events::time_lapse::TimeLapse;
use events::trace::TraceSettings;
use serde::Deserialize;

use crate::callers::{Callers, ClientConfig};
use crate::enrolment::broker::ServerConfig;
use crate::listen::ListenConfig;
use crate::nats::address::BrokerAddress;
use crate::nats::release::Release;
use crate::notices::compose::Sender;
use crate::notices::config::{NoticesConfig, is_web_address};
use crate::oidc::OidcSettings;
use crate::redrive::RedriveConfig;
use crate::telemetry::TelemetryConfig;
use crate::views::membership::CertificateRules;

/// The hub's settings. `deploy/hub.example.toml` lists each with its default.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The log and its environment, e.g. `hub.example/production`: covered by every hash and signature.
    pub origin: String,
    /// The folder of the log, the views, the keys and the quarantine.
    pub data: PathBuf,
    /// Where signed checkpoints are kept: another disk, or at least another folder.
    pub checkpoints: PathBuf,
    /// The key that wraps the cases' keys: 32 bytes, base64url.
    pub wrapping_key_file: PathBuf,
    /// The hub's Ed25519 seed: 32 bytes, base64url.
    pub sign_key_file: PathBuf,
    /// Its name in signatures.
    #[serde(default = "default_sign_key_id")]
    pub sign_key_id: String,
    /// The roads in over HTTP.
    #[serde(default)]
    pub http: Http,
    /// The broker.
    pub broker: Broker,
    /// Who may ask over HTTP.
    #[serde(default)]
    pub clients: Vec<ClientConfig>,
    /// Waits before each further attempt, in milliseconds of real time; the last one repeats.
    #[serde(default = "default_pace")]
    pub pace_ms: Vec<u64>,
    /// Time told faster than it passes: for demonstrations only.
    #[serde(default)]
    pub time_lapse: Option<TimeLapse>,
    /// Log format and filter.
    #[serde(default)]
    pub logging: TelemetryConfig,
    /// Who else vouches for people at the console.
    #[serde(default)]
    pub oidc: Option<OidcSettings>,
    /// Where spans go.
    #[serde(default)]
    pub telemetry: TraceSettings,
    /// Certificates of conformance.
    #[serde(default)]
    pub certificates: Certificates,
    /// When people are told of what, and by whom.
    #[serde(default)]
    pub alerts: NoticesConfig,
    /// Letting in again what waits for a person.
    #[serde(default)]
    pub redrive: RedriveConfig,
}

/// Whose certificates of conformance count, and whether an adapter needs one.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Certificates {
    /// Test centres: the name in their signatures and the Ed25519 public key, base64url.
    pub trusted_keys: BTreeMap<String, String>,
    /// Nothing is forwarded to, and no report is taken from, an adapter without a valid one.
    pub require_certificate: bool,
}

impl Certificates {
    /// The same, read; a key that is none was a problem of the configuration.
    pub fn rules(&self) -> CertificateRules {
        let key = |(id, text): (&String, &String)| Some((id.clone(), public_key(text).ok()?));
        let trusted = self.trusted_keys.iter().filter_map(key).collect();
        CertificateRules { trusted, required: self.require_certificate }
    }
}

/// HTTP settings.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Http {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Whether the status page is shown to whoever reaches the port.
    pub status_page: bool,
    /// How people reach the console from outside: what links in messages lead to.
    pub public_url: Option<String>,
    /// Where the address that was bound is written, for whoever started the hub with port 0.
    pub address_file: Option<PathBuf>,
    /// Everything a caller can hold open, and how long.
    pub limits: ListenConfig,
}

impl Default for Http {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            status_page: false,
            public_url: None,
            address_file: None,
            limits: ListenConfig::default(),
        }
    }
}

/// The broker.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Broker {
    /// e.g. `nats://127.0.0.1:4222`.
    pub url: String,
    /// The hub's nkey seed.
    pub nkey_seed_file: PathBuf,
    /// Certificates that count for the broker, in PEM; provinces get them with the bundle.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// What provinces are told to connect to; without it, `url`.
    #[serde(default)]
    pub public_urls: Vec<String>,
    /// The server's configuration, if the hub keeps it; without it somebody does by hand.
    #[serde(default)]
    pub server: Option<ServerConfig>,
    /// Most reports a second that are taken from one province.
    #[serde(default = "default_reports_per_second")]
    pub reports_per_second_max: NonZeroU32,
}

fn default_sign_key_id() -> String {
    "hub-1".to_owned()
}
fn default_pace() -> Vec<u64> {
    vec![5_000, 30_000, 120_000, 600_000, 3_600_000]
}
fn default_reports_per_second() -> NonZeroU32 {
    NonZeroU32::new(2_000).unwrap_or(NonZeroU32::MIN)
}

/// Why the configuration is not usable: every reason, each with its key.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration `{path}`")]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Not TOML, an unknown key, or a value of the wrong shape; the text names file, line and key.
    #[error("the configuration `{path}` is not usable\n{problem}")]
    Unparsable {
        /// Which.
        path: PathBuf,
        /// Where and what.
        problem: String,
    },
    /// Values that contradict each other or what is on disk.
    #[error("the configuration has {} problem(s)\n{}", .0.len(), .0.join("\n"))]
    Problems(Vec<String>),
}

/// Largest configuration that is read, in bytes.
const CONFIG_BYTES_MAX: u64 = 1024 * 1024;

impl Broker {
    /// Where it listens, and who vouches for it.
    pub fn address(&self) -> BrokerAddress {
        BrokerAddress { url: self.url.clone(), ca_file: self.ca_file.clone() }
    }

    /// The server whose configuration the hub keeps, and its version.
    pub fn kept_server(&self) -> Option<(ServerConfig, Release)> {
        let server = self.server.clone()?;
        let release = server.release.parse().ok()?;
        Some((server, release))
    }
}

impl Config {
    /// Reads and checks a file; relative paths in it are relative to its folder.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
        let about = std::fs::metadata(path).map_err(unreadable)?;
        if !about.is_file() || about.len() > CONFIG_BYTES_MAX {
            return Err(unreadable(std::io::Error::other("not a file of at most 1 MiB")));
        }
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        Self::parse(&text, path, folder)
    }

    fn parse(text: &str, path: &Path, folder: &Path) -> Result<Self, ConfigError> {
        let mut config: Self =
            toml::from_str(text.trim_start_matches('\u{feff}')).map_err(|it| {
                ConfigError::Unparsable { path: path.to_owned(), problem: it.to_string() }
            })?;
        for place in [
            &mut config.data,
            &mut config.checkpoints,
            &mut config.wrapping_key_file,
            &mut config.sign_key_file,
            &mut config.broker.nkey_seed_file,
        ] {
            *place = folder.join(&*place);
        }
        for place in [&mut config.http.address_file, &mut config.broker.ca_file] {
            place.iter_mut().for_each(|it| *it = folder.join(&*it));
        }
        config.telemetry = config.telemetry.in_folder(folder);
        config.alerts.place_in(folder);
        config.oidc = config.oidc.map(|it| it.in_folder(folder));
        if let Some(server) = &mut config.broker.server {
            for place in [Some(&mut server.config_file), server.pid_file.as_mut()] {
                place.into_iter().for_each(|it| *it = folder.join(&*it));
            }
        }
        let problems = config.problems();
        if problems.is_empty() { Ok(config) } else { Err(ConfigError::Problems(problems)) }
    }

    /// Who speaks in messages about alerts, and where their links lead.
    pub fn sender(&self) -> Sender {
        let console = self.http.public_url.as_deref().unwrap_or_default();
        Sender { origin: self.origin.clone(), console: console.trim_end_matches('/').to_owned() }
    }

    /// The log's file.
    pub fn log_path(&self) -> PathBuf {
        self.data.join("log.db")
    }
    /// The views' file.
    pub fn views_path(&self) -> PathBuf {
        self.data.join("views.db")
    }
    /// The cases' keys.
    pub fn keys_path(&self) -> PathBuf {
        self.data.join("keys.db")
    }
    /// What was not understood.
    pub fn quarantine_path(&self) -> PathBuf {
        self.data.join("quarantine.db")
    }

    /// Who may sign in to the console.
    pub fn accounts_path(&self) -> PathBuf {
        self.data.join("accounts.db")
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |fine: bool, problem: String| {
            if !fine {
                problems.push(problem);
            }
        };
        let graphic = |text: &str, max: usize| {
            (1..=max).contains(&text.len()) && text.bytes().all(|it| it.is_ascii_graphic())
        };
        for (id, key) in &self.certificates.trusted_keys {
            let why =
                format!("`certificates.trusted_keys.{id}` is no Ed25519 public key in base64url");
            check(public_key(key).is_ok(), why);
        }
        check(
            graphic(&self.origin, 64),
            "`origin` must be 1 to 64 visible ASCII characters".into(),
        );
        check(
            graphic(&self.sign_key_id, 32),
            "`sign_key_id` must be 1 to 32 visible ASCII characters".into(),
        );
        check(
            self.checkpoints.parent() != Some(self.data.as_path()),
            "`checkpoints` must not lie in `data`: it shall survive what happens there".into(),
        );
        check(!self.pace_ms.is_empty(), "`pace_ms` must have at least one wait".into());
        check(
            self.pace_ms.iter().all(|it| *it >= 100),
            "each of `pace_ms` must be at least 100".into(),
        );
        check(
            self.http.limits.connections_max > 0,
            "`http.limits.connections_max` must be above 0".into(),
        );
        if let Some(server) = &self.broker.server {
            check(
                server.release.parse::<Release>().is_ok(),
                "`broker.server.release` must be what `nats-server -v` prints".into(),
            );
            check(server.port > 0, "`broker.server.port` must be above 0".into());
            check(
                server.tls_cert_file.is_some() == server.tls_key_file.is_some(),
                "`broker.server.tls_cert_file` and `tls_key_file` belong together".into(),
            );
        }
        if let Some(lapse) = &self.time_lapse {
            check(
                (1..=100_000).contains(&lapse.rate),
                "`time_lapse.rate` must be 1 to 100000".into(),
            );
        }
        if let Some(url) = &self.http.public_url {
            check(is_web_address(url), "`http.public_url` is no web address".into());
        }
        if let Some(problem) = self.redrive.problem() {
            check(false, problem);
        }
        if let Err(error) = Callers::new(self.clients.clone()) {
            check(false, format!("`clients`: {error}"));
        }
        problems.extend(self.oidc.iter().flat_map(|it| it.problems(cfg!(feature = "oidc"))));
        problems.extend(self.telemetry.problems(cfg!(feature = "otlp")));
        problems.extend(self.alerts.problems(self.http.public_url.as_deref()));
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
        origin = "hub.test/one"
        data = "data"
        checkpoints = "elsewhere/checkpoints"
        wrapping_key_file = "wrap.key"
        sign_key_file = "sign.key"
        [broker]
        url = "nats://127.0.0.1:4222"
        nkey_seed_file = "hub.nk"
    "#;

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("hub.toml"), Path::new("/etc/hub"))
    }

    #[test]
    fn paths_are_relative_to_the_file() {
        let config = parse(GOOD).unwrap();
        assert_eq!(config.log_path(), Path::new("/etc/hub/data/log.db"));
        assert_eq!(config.http.limits.connections_max, 1_024);
    }

    #[test]
    fn a_byte_order_mark_and_crlf_do_no_harm() {
        assert!(parse(&format!("\u{feff}{}", GOOD.replace('\n', "\r\n"))).is_ok());
    }

    #[test]
    fn an_unknown_key_is_named_with_its_line() {
        let error =
            parse(&GOOD.replace("[broker]", "colour = 1\n[broker]")).unwrap_err().to_string();
        assert!(error.contains("colour") && error.contains("line 7"), "{error}");
    }

    #[test]
    fn a_collector_that_this_build_cannot_reach_is_refused_by_name() {
        let asked = format!("{GOOD}\n[telemetry]\notlp_endpoint = \"http://127.0.0.1:4318\"\n");
        match parse(&asked) {
            Ok(config) => assert!(cfg!(feature = "otlp") && config.telemetry.endpoint().is_some()),
            Err(error) => {
                assert!(!cfg!(feature = "otlp") && error.to_string().contains("--features otlp"));
            }
        }
    }

    #[test]
    fn all_problems_are_told_at_once() {
        let bad = GOOD
            .replace("elsewhere/", "data/")
            .replace("origin = \"hub.test/one\"", "origin = \"\"\npace_ms = []");
        let ConfigError::Problems(problems) = parse(&bad).unwrap_err() else {
            panic!("not problems")
        };
        assert_eq!(problems.len(), 3, "{problems:?}");
    }
}
