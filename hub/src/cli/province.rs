//! `hub province`: join, change keys, pause, be away, leave, list and show, through the running hub.

mod shown;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use events::enrolment::{BROKER_CA_FILE, Request, Signed, fingerprint, read_bundle};
use events::ids::ProvinceCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Verdict, output, remote, small_file};

/// The province commands.
#[derive(Debug, Subcommand)]
pub(super) enum ProvinceCommands {
    /// Let a province join with the request that its `province-adapter init` made. 接入
    Enroll(EnrollArguments),
    /// Let a province's next keys count beside the old ones. 更换密钥
    RotateKeys(RotateArguments),
    /// End a key now: at the intake at once, at the broker with its reload. 吊销密钥
    RevokeKey(RevokeArguments),
    /// Stop forwarding to a province; its reports are still taken. 暂停
    Pause(ReasonArguments),
    /// Go on forwarding. 恢复
    Resume(CodeArguments),
    /// Record that a province will be away: nothing is lost, due days do not move. 申报维护
    Maintenance(MaintenanceArguments),
    /// Record that a province left: its keys end, its open cases wait for an operator. 退出
    Leave(ReasonArguments),
    /// Record a certificate of conformance that a test centre signed. 认证
    Certify(CertifyArguments),
    /// Everything about one province's membership: keys since when, maintenance, certificate. 查看
    Show(ShowArguments),
    /// Write the bundle for `province-adapter join` once more. 接入包
    Bundle(BundleArguments),
    /// Compare what a province's adapter holds with the log, and mend what differs. 对账
    Reconcile(ReconcileArguments),
    /// All 32 with their figures. 列表
    List(ListArguments),
}

/// What every changing command takes.
#[derive(Debug, Args)]
pub(super) struct Common {
    /// Say what would happen; change nothing.
    #[arg(long)]
    dry_run: bool,
    /// Print the hub's whole answer for programs.
    #[arg(long)]
    json: bool,
}

/// `province enroll`
#[derive(Debug, Args)]
pub(super) struct EnrollArguments {
    /// Its two digits.
    province: ProvinceCode,
    /// The request file; the first, unsigned form `{"sign", "seal", "connect"}` is still taken.
    #[arg(required_unless_present = "request")]
    keys: Option<PathBuf>,
    /// The same.
    #[arg(long, value_name = "FILE", conflicts_with = "keys")]
    request: Option<PathBuf>,
    /// Where the answer for the province goes: a new file, or a folder that also gets `adapter.toml`.
    #[arg(long, value_name = "FILE|DIR")]
    bundle: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// `province rotate-keys`
#[derive(Debug, Args)]
pub(super) struct RotateArguments {
    /// Its two digits.
    province: ProvinceCode,
    /// What `province-adapter rotate` made.
    #[arg(long, value_name = "FILE")]
    request: PathBuf,
    /// When the old keys end; without it, when somebody revokes them.
    #[arg(long, value_name = "MOMENT")]
    old_until: Option<Timestamp>,
    /// Where the answer for the province goes: a new file, or a folder.
    #[arg(long, value_name = "FILE|DIR")]
    bundle: Option<PathBuf>,
    #[command(flatten)]
    common: Common,
}

/// `province revoke-key`
#[derive(Debug, Args)]
pub(super) struct RevokeArguments {
    /// Its two digits.
    province: ProvinceCode,
    /// The key's name, e.g. `22-sign-1`; see `show`.
    key: String,
    /// Why.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    common: Common,
}

/// `province maintenance`
#[derive(Debug, Args)]
pub(super) struct MaintenanceArguments {
    /// Its two digits.
    province: ProvinceCode,
    /// From, e.g. `2026-12-05T20:00:00+08:00`.
    #[arg(long, value_name = "MOMENT")]
    from: Timestamp,
    /// Until.
    #[arg(long, value_name = "MOMENT")]
    until: Timestamp,
    /// Why.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    common: Common,
}

/// `province certify`
#[derive(Debug, Args)]
pub(super) struct CertifyArguments {
    /// Its two digits.
    province: ProvinceCode,
    /// What `province-adapter certify` wrote: certificate.json.
    certificate: PathBuf,
    #[command(flatten)]
    common: Common,
}

/// A province and a reason.
#[derive(Debug, Args)]
pub(super) struct ReasonArguments {
    /// Its two digits.
    province: ProvinceCode,
    /// Why.
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    common: Common,
}

/// A province.
#[derive(Debug, Args)]
pub(super) struct CodeArguments {
    /// Its two digits.
    province: ProvinceCode,
    #[command(flatten)]
    common: Common,
}

/// `province show`
#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    /// Its two digits.
    province: ProvinceCode,
    /// For programs.
    #[arg(long)]
    json: bool,
}

/// `province bundle`
#[derive(Debug, Args)]
pub(super) struct BundleArguments {
    /// Its two digits.
    province: ProvinceCode,
    /// A new file, or a folder that also gets `adapter.toml`.
    #[arg(long, value_name = "FILE|DIR")]
    out: PathBuf,
}

/// `province reconcile`
#[derive(Debug, Args)]
pub(super) struct ReconcileArguments {
    /// Its two digits.
    province: ProvinceCode,
    /// Only the cases submitted on this Shanghai date; without it, the last 45 days.
    #[arg(long)]
    day: Option<jiff::civil::Date>,
    #[command(flatten)]
    common: Common,
}

/// `province list`
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(config: &Path, command: ProvinceCommands) -> anyhow::Result<Verdict> {
    let change = |province, what, body: Value, common: &Common| {
        Change { config, province, what, body, bundle: None, common }.make()
    };
    match command {
        ProvinceCommands::Enroll(it) => enroll(config, &it),
        ProvinceCommands::RotateKeys(it) => rotate(config, &it),
        ProvinceCommands::RevokeKey(it) => {
            let body = json!({"key_id": it.key, "reason": it.reason});
            change(it.province, "revoke-key", body, &it.common)
        }
        ProvinceCommands::Pause(it) => {
            change(it.province, "pause", json!({"reason": it.reason}), &it.common)
        }
        ProvinceCommands::Resume(it) => change(it.province, "resume", json!({}), &it.common),
        ProvinceCommands::Maintenance(it) => {
            let body = json!({"from": it.from, "until": it.until, "reason": it.reason});
            change(it.province, "maintenance", body, &it.common)
        }
        ProvinceCommands::Leave(it) => {
            change(it.province, "leave", json!({"reason": it.reason}), &it.common)
        }
        ProvinceCommands::Reconcile(it) => {
            let body = it.day.map_or_else(|| json!({}), |day| json!({"since": day, "until": day}));
            change(it.province, "reconcile", body, &it.common)
        }
        ProvinceCommands::Certify(it) => {
            let text = small_file::read(&it.certificate)?;
            let body = serde_json::from_str(&text)
                .with_context(|| format!("`{}` is no certificate", it.certificate.display()))?;
            change(it.province, "certify", body, &it.common)
        }
        ProvinceCommands::Show(it) => shown::show(config, it.province, it.json),
        ProvinceCommands::Bundle(it) => {
            let answer = remote::get(config, &format!("/v1/provinces/{}/bundle", it.province))?;
            write_bundle(&it.out, &answer)?;
            Ok(Verdict::Yes)
        }
        ProvinceCommands::List(it) => shown::list(config, it.json),
    }
}

fn enroll(config: &Path, arguments: &EnrollArguments) -> anyhow::Result<Verdict> {
    let file = arguments.request.as_ref().or(arguments.keys.as_ref());
    let body = request(file.context("which request?")?)?;
    let bundle = arguments.bundle.as_deref();
    let (province, common) = (arguments.province, &arguments.common);
    Change { config, province, what: "enroll", body, bundle, common }.make()
}

fn rotate(config: &Path, arguments: &RotateArguments) -> anyhow::Result<Verdict> {
    let mut body = json!({"request": request(&arguments.request)?});
    if let Some(until) = arguments.old_until {
        body["old_until"] = json!(until);
    }
    let bundle = arguments.bundle.as_deref();
    let (province, common) = (arguments.province, &arguments.common);
    Change { config, province, what: "rotate-keys", body, bundle, common }.make()
}

/// The request in a file; the fingerprints of its keys are told, to be compared by telephone.
fn request(path: &Path) -> anyhow::Result<Value> {
    let text = small_file::read(path)?;
    let not_one = || format!("`{}` is not a request of a province", path.display());
    let body: Value = serde_json::from_str(&text).with_context(not_one)?;
    if body.get("payload").is_some() {
        let signed: Signed = serde_json::from_value(body.clone()).with_context(not_one)?;
        let request: Request = serde_json::from_str(&signed.payload).with_context(not_one)?;
        for key in &request.keys {
            let told = output::clean(&key.key_id);
            say!("指纹 fingerprint {}  {told}", fingerprint(&key.public_key));
        }
    }
    Ok(body)
}

/// One changing command.
struct Change<'a> {
    config: &'a Path,
    province: ProvinceCode,
    what: &'static str,
    body: Value,
    bundle: Option<&'a Path>,
    common: &'a Common,
}

impl Change<'_> {
    fn make(&self) -> anyhow::Result<Verdict> {
        let province = self.province;
        say!("{} {province} {} ({})", self.what, province.name(), province.name_en());
        if let Some(path) = self.bundle {
            anyhow::ensure!(path.is_dir() || !path.exists(), "`{}` exists already", path.display());
        }
        if self.common.dry_run {
            say!("dry run: nothing was changed");
            return Ok(Verdict::Yes);
        }
        let path = format!("/v1/admin/provinces/{province}/{}", self.what);
        let (status, mut answer) = remote::ask("POST", self.config, &path, Some(&self.body))?;
        if let (Some(path), true) = (self.bundle, (200..300).contains(&status)) {
            write_bundle(path, &answer["bundle"])?;
        }
        if let (false, Some(answer)) = (self.common.json, answer.as_object_mut()) {
            // It is long, and it was written where it was wanted.
            answer.remove("bundle");
        }
        match answer["broker"].as_str() {
            Some("by-hand") => {
                say!("now render the broker's configuration and reload it: hub nats render")
            }
            Some("failed") => {
                say!("the broker was not told yet; the hub goes on trying and logs why")
            }
            _ => {}
        }
        remote::report(status, &answer)
    }
}

/// Writes what the province gets; never over an existing file.
fn write_bundle(place: &Path, answer: &Value) -> anyhow::Result<()> {
    let signed: Signed =
        serde_json::from_value(answer.clone()).context("the hub sent no bundle")?;
    let bundle = read_bundle(&signed).context("the hub sent a bundle that does not count")?;
    let text = format!("{}\n", serde_json::to_string_pretty(&signed)?);
    let write = |path: &Path, text: &str| -> anyhow::Result<()> {
        use std::io::Write as _;
        let failed = || format!("cannot write `{}`", path.display());
        let mut file = std::fs::File::create_new(path).with_context(failed)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).with_context(failed)?;
        say!("wrote {}", path.display());
        Ok(())
    };
    if place.is_dir() {
        write(&place.join("bundle.json"), &text)?;
        if let Some(text) = shown::adapter_toml(&bundle) {
            write(&place.join("adapter.toml"), &text)?;
        }
        if let Some(text) = &bundle.broker_ca {
            write(&place.join(BROKER_CA_FILE), text)?;
        }
    } else {
        write(place, &text)?;
    }
    say!("枢纽指纹 hub fingerprint {}", fingerprint(&bundle.hub_public_key));
    Ok(())
}
