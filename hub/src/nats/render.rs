//! The broker's configuration, as text. One account a province, allow-lists only, nothing by default.
//!
//! A NATS subject proves nothing about its sender, and reply subjects pass by all permissions; only
//! an account of its own contains a province (`tests/it/attacks.rs` shows both attacks on a naive
//! configuration). There are deliberately no deny rules, no overlapping wildcards, no anonymous user,
//! no leaf, websocket, MQTT or gateway listener, and no monitoring unless asked for.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use events::ids::ProvinceCode;
use events::subjects;

use super::release::{Release, SYNC_INTERVAL_SINCE};

/// Room for headers: NATS counts them into the payload. Bytes.
pub const HEADERS_BYTES_MAX: usize = 8 * 1024;
/// Largest message of a province, headers included, in bytes.
pub const PROVINCE_MESSAGE_BYTES_MAX: usize = subjects::PAYLOAD_BYTES_MAX + HEADERS_BYTES_MAX;
/// Largest message on the whole server, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;
/// Longest protocol line, in bytes.
pub const CONTROL_LINE_BYTES_MAX: usize = 4 * 1024;
/// Connections of one province: its adapter, its successor, and what died half-open.
pub const PROVINCE_CONNECTIONS_MAX: usize = 8;
/// Subscriptions of one province: an adapter needs its inbox and one for each pull.
pub const PROVINCE_SUBSCRIPTIONS_MAX: usize = 64;

/// Longest TLS handshake, in seconds; the server's own two are short for a busy machine.
pub const TLS_HANDSHAKE_SECONDS_MAX: u32 = 10;

/// Everything that one broker is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerPlan {
    /// The server that will read it: an old one refuses fields it does not know.
    pub release: Release,
    /// The address to listen on.
    pub host: String,
    /// The port; none lets the server choose and tell through its ports file.
    pub port: Option<u16>,
    /// Where the ports file goes, if one is wanted.
    pub ports_dir: Option<PathBuf>,
    /// Where the server writes its process id, if it is wanted.
    pub pid_file: Option<PathBuf>,
    /// The server's certificate and its key; without them it speaks in clear.
    pub tls: Option<TlsFiles>,
    /// Loopback port of the monitoring page; none switches it off.
    pub monitoring_port: Option<u16>,
    /// Where JetStream keeps its files.
    pub store_dir: PathBuf,
    /// All that JetStream may write, in bytes.
    pub store_bytes_max: u64,
    /// Whether every message is synchronised to disk before it is acknowledged. Slower; and since
    /// the log re-drives whatever the broker loses, it buys quiet, not safety.
    pub sync_always: bool,
    /// The hub's nkey public keys: one, or two while they are exchanged.
    pub hub_users: Vec<String>,
    /// The public nkey of the hub's probe; without one there is no such account.
    pub probe_user: Option<String>,
    /// The provinces.
    pub provinces: Vec<ProvinceUsers>,
}

impl BrokerPlan {
    /// A broker for this machine only: a free loopback port, no monitoring, the server's own pace of
    /// synchronising. The folders are filled in by whoever starts it.
    pub fn loopback(
        release: Release,
        hub_user: &str,
        provinces: Vec<ProvinceUsers>,
        store_bytes_max: u64,
    ) -> Self {
        Self {
            release,
            host: "127.0.0.1".to_owned(),
            port: None,
            ports_dir: None,
            pid_file: None,
            tls: None,
            monitoring_port: None,
            store_dir: PathBuf::new(),
            store_bytes_max,
            sync_always: false,
            hub_users: vec![hub_user.to_owned()],
            probe_user: None,
            provinces,
        }
    }
}

/// What the server proves itself with. Both are files that the server can read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Its certificate, and those between it and the authority, in PEM.
    pub cert_file: PathBuf,
    /// Its private key, in PEM.
    pub key_file: PathBuf,
}

/// Who may speak for a province.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvinceUsers {
    /// The province.
    pub province: ProvinceCode,
    /// Its nkey public keys: one, or two while they are exchanged.
    pub users: Vec<String>,
}

/// What must not be rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Not `U` and 55 characters of base 32: it could close the quotes.
    #[error("`{given}` is not the public nkey of a user")]
    NotAUserKey {
        /// What was given, shortened to 64 characters.
        given: String,
    },
    /// One key for two users: the server would take one of them, silently.
    #[error("the public nkey `{key}` is used twice")]
    KeyTwice {
        /// The key.
        key: String,
    },
    /// Listed twice.
    #[error("province {province} is listed twice")]
    ProvinceTwice {
        /// The province.
        province: ProvinceCode,
    },
    /// A quote, a backslash or a control character.
    #[error("`{given}` cannot be written into the broker's configuration")]
    Unquotable {
        /// What was given, shortened to 64 characters.
        given: String,
    },
}

/// The configuration file of `plan`. The same plan gives the same text.
pub fn render(plan: &BrokerPlan) -> Result<String, PlanError> {
    check(plan)?;
    let mut out = String::from("# Rendered from the hub's register of provinces. Do not edit.\n");
    server(&mut out, plan)?;
    jetstream(&mut out, plan)?;
    out.push_str("accounts: {\n");
    hub_account(&mut out, plan);
    for it in &plan.provinces {
        province_account(&mut out, it);
    }
    probe_account(&mut out, plan);
    out.push_str("}\n");
    Ok(out)
}

fn check(plan: &BrokerPlan) -> Result<(), PlanError> {
    let mut keys = BTreeSet::new();
    let mut provinces = BTreeSet::new();
    for it in &plan.provinces {
        if !provinces.insert(it.province) {
            return Err(PlanError::ProvinceTwice { province: it.province });
        }
    }
    let provinces = plan.provinces.iter().flat_map(|it| &it.users);
    for key in plan.hub_users.iter().chain(&plan.probe_user).chain(provinces) {
        let base32 = key.bytes().all(|it| it.is_ascii_uppercase() || (b'2'..=b'7').contains(&it));
        if !(key.len() == 56 && key.starts_with('U') && base32) {
            return Err(PlanError::NotAUserKey { given: key.chars().take(64).collect() });
        }
        if !keys.insert(key) {
            return Err(PlanError::KeyTwice { key: key.clone() });
        }
    }
    Ok(())
}

fn server(out: &mut String, plan: &BrokerPlan) -> Result<(), PlanError> {
    line(out, format_args!("host: {}", quoted(&plan.host)?));
    match plan.port {
        Some(port) => line(out, format_args!("port: {port}")),
        None => line(out, format_args!("port: -1")),
    }
    if let Some(folder) = &plan.ports_dir {
        line(out, format_args!("ports_file_dir: {}", quoted(&folder.to_string_lossy())?));
    }
    if let Some(file) = &plan.pid_file {
        line(out, format_args!("pid_file: {}", quoted(&file.to_string_lossy())?));
    }
    if let Some(tls) = &plan.tls {
        let [cert, key] = [&tls.cert_file, &tls.key_file].map(|it| quoted(&it.to_string_lossy()));
        let (cert, key) = (cert?, key?);
        line(
            out,
            format_args!(
                "tls: {{\n  cert_file: {cert}\n  key_file: {key}\n  timeout: {TLS_HANDSHAKE_SECONDS_MAX}\n}}"
            ),
        );
    }
    if let Some(port) = plan.monitoring_port {
        line(out, format_args!("http: \"127.0.0.1:{port}\""));
    }
    line(out, format_args!("max_payload: {MESSAGE_BYTES_MAX}"));
    line(out, format_args!("max_control_line: {CONTROL_LINE_BYTES_MAX}"));
    // A dead connection is noticed after two silent intervals.
    line(out, format_args!("ping_interval: \"20s\"\nping_max: 2\nwrite_deadline: \"10s\""));
    Ok(())
}

fn jetstream(out: &mut String, plan: &BrokerPlan) -> Result<(), PlanError> {
    line(out, format_args!("jetstream: {{"));
    line(out, format_args!("  store_dir: {}", quoted(&plan.store_dir.to_string_lossy())?));
    line(out, format_args!("  max_mem: 67108864\n  max_file: {}", plan.store_bytes_max));
    if plan.sync_always && plan.release >= SYNC_INTERVAL_SINCE {
        line(out, format_args!("  sync_interval: always"));
    }
    line(out, format_args!("}}"));
    Ok(())
}

fn hub_account(out: &mut String, plan: &BrokerPlan) {
    line(out, format_args!("  {}: {{", subjects::HUB_ACCOUNT));
    line(
        out,
        format_args!("    jetstream: {{max_mem: 67108864, max_file: {}}}", plan.store_bytes_max),
    );
    let publish = hub_publishes(plan);
    users(out, &plan.hub_users, &publish, subjects::HUB_INBOX);
    line(out, format_args!("    exports: ["));
    for it in &plan.provinces {
        for service in services(it.province) {
            let account = subjects::account(it.province);
            let stream = if service.streams { ", response_type: stream" } else { "" };
            let subject = &service.subject;
            line(
                out,
                format_args!("      {{service: \"{subject}\"{stream}, accounts: [\"{account}\"]}}"),
            );
        }
    }
    if plan.probe_user.is_some() {
        let (asks, account) = (subjects::PROBE_ASKS, subjects::PROBE_ACCOUNT);
        line(out, format_args!("      {{service: \"{asks}\", accounts: [\"{account}\"]}}"));
    }
    line(out, format_args!("    ]\n  }}"));
}

/// What the hub may say. It can make streams, so that a wiped broker needs nobody; it cannot change,
/// purge or delete one.
fn hub_publishes(plan: &BrokerPlan) -> Vec<String> {
    let mut allowed: Vec<String> =
        ["INFO", "STREAM.CREATE.*", "STREAM.INFO.*", "CONSUMER.CREATE.>", "CONSUMER.INFO.*.*"]
            .map(|it| format!("$JS.API.{it}"))
            .into();
    allowed.push(subjects::WORK_SUBJECTS.to_owned());
    for it in &plan.provinces {
        let stream = subjects::report_stream(it.province);
        let consumer = subjects::REPORT_CONSUMER;
        allowed.push(format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{consumer}"));
        allowed.push(format!("$JS.ACK.{stream}.{consumer}.>"));
        // Read by its number, a message harms nobody, whatever its headers are.
        allowed.push(format!("$JS.API.STREAM.MSG.GET.{stream}"));
    }
    allowed
}

struct Service {
    /// As the hub's account knows it.
    subject: String,
    /// As the province's account calls it.
    called: String,
    /// Whether one request may have many answers.
    streams: bool,
}

/// The four things that a province may ask of the hub's account.
fn services(province: ProvinceCode) -> [Service; 4] {
    let (work, consumer) = (subjects::WORK_STREAM, subjects::consumer(province));
    let api = |verb: &str, streams| Service {
        subject: format!("$JS.API.{verb}.{work}.{consumer}"),
        // Under its own name the import is taken for the province's own JetStream, which it has not.
        called: format!("{}.{verb}.{work}.{consumer}", subjects::PROVINCE_API_PREFIX),
        streams,
    };
    let same = |subject: String| Service { called: subject.clone(), subject, streams: false };
    [
        same(subjects::report_of(province)),
        api("CONSUMER.INFO", false),
        api("CONSUMER.MSG.NEXT", true),
        same(format!("$JS.ACK.{work}.{consumer}.>")),
    ]
}

fn province_account(out: &mut String, it: &ProvinceUsers) {
    line(out, format_args!("  {}: {{", subjects::account(it.province)));
    line(
        out,
        format_args!(
            "    limits: {{max_conn: {PROVINCE_CONNECTIONS_MAX}, \
             max_subs: {PROVINCE_SUBSCRIPTIONS_MAX}, \
             max_payload: {PROVINCE_MESSAGE_BYTES_MAX}}}"
        ),
    );
    let services = services(it.province);
    let publish: Vec<String> = services.iter().map(|it| it.called.clone()).collect();
    users(out, &it.users, &publish, &subjects::inbox(it.province));
    line(out, format_args!("    imports: ["));
    for service in &services {
        let (hub, subject) = (subjects::HUB_ACCOUNT, &service.subject);
        let to = match service.called == *subject {
            true => String::new(),
            false => format!(", to: \"{}\"", service.called),
        };
        line(
            out,
            format_args!("      {{service: {{account: {hub}, subject: \"{subject}\"}}{to}}}"),
        );
    }
    line(out, format_args!("    ]\n  }}"));
}

/// One question, asked over the same kind of import as a province's.
fn probe_account(out: &mut String, plan: &BrokerPlan) {
    let Some(user) = &plan.probe_user else { return };
    let (hub, asks, called) =
        (subjects::HUB_ACCOUNT, subjects::PROBE_ASKS, subjects::PROBE_SUBJECT);
    line(out, format_args!("  {}: {{", subjects::PROBE_ACCOUNT));
    line(out, format_args!("    limits: {{max_conn: 2, max_subs: 4, max_payload: 4096}}"));
    users(out, std::slice::from_ref(user), &[called.to_owned()], subjects::PROBE_INBOX);
    line(out, format_args!("    imports: ["));
    line(
        out,
        format_args!(
            "      {{service: {{account: {hub}, subject: \"{asks}\"}}, to: \"{called}\"}}"
        ),
    );
    line(out, format_args!("    ]\n  }}"));
}

fn users(out: &mut String, keys: &[String], publish: &[String], inbox: &str) {
    line(out, format_args!("    users: ["));
    let publish: Vec<String> = publish.iter().map(|it| format!("\"{it}\"")).collect();
    let publish = publish.join(", ");
    for key in keys {
        line(out, format_args!("      {{nkey: \"{key}\", permissions: {{"));
        line(out, format_args!("        publish: {{allow: [{publish}]}}"));
        line(out, format_args!("        subscribe: {{allow: [\"{inbox}.>\"]}}"));
        line(out, format_args!("      }}}}"));
    }
    line(out, format_args!("    ]"));
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing into a String cannot fail");
}

fn quoted(text: &str) -> Result<String, PlanError> {
    let bad = |it: char| matches!(it, '"' | '\\') || it.is_control();
    if text.is_empty() || text.contains(bad) {
        return Err(PlanError::Unquotable { given: text.chars().take(64).collect() });
    }
    Ok(format!("\"{text}\""))
}

#[cfg(test)]
mod tests;
