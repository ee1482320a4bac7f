//! `certify` on the command line: where the reports go, what is said, which exit code.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use ed25519_dalek::SigningKey;
use events::certificate::{Certificate, SignedCertificate};
use events::ids::ProvinceCode;
use events::proof::Hash;
use jiff::SignedDuration;

use super::report::{Report, Verdict};
use super::{KitError, Settings, Start, findings, page, run};
use crate::check::chain;
use crate::keys::read_key;

/// Test an adapter in a sandbox of its own: no hub is needed.
#[derive(Debug, Args)]
pub struct Certify {
    /// The adapter's command, in the foreground; `{config}` is the folder that the kit writes for it.
    #[arg(long, conflicts_with_all = ["sandbox", "external"])]
    adapter: Option<String>,
    /// Our own sidecar with its obedient office.
    #[arg(long, conflicts_with = "external")]
    sandbox: bool,
    /// Somebody starts the adapter by hand; whatever needs a restart is not run.
    #[arg(long)]
    external: bool,
    /// For which province the adapter speaks.
    #[arg(long, default_value = "22")]
    province: ProvinceCode,
    /// Only scenarios whose names contain this; may be given again. No certificate then.
    #[arg(long)]
    only: Vec<String>,
    /// Where report.json, report.html and the certificate go; made if missing.
    #[arg(long, default_value = "conformance")]
    out: PathBuf,
    /// The nats-server to use; found or fetched if none is given.
    #[arg(long)]
    nats_server: Option<PathBuf>,
    /// How long a wait may take, in seconds.
    #[arg(long, default_value_t = super::PATIENCE_DEFAULT.as_secs())]
    patience_s: u64,
    /// The report as JSON on standard output.
    #[arg(long)]
    json: bool,
    /// A test centre's Ed25519 seed (base64url): a pass is then certified; else it is self-tested.
    #[arg(long, requires = "signing_key_id")]
    signing_key: Option<PathBuf>,
    /// How the hub knows that key: a name in its `certificates.trusted_keys`.
    #[arg(long, requires = "signing_key")]
    signing_key_id: Option<String>,
    /// How long the certificate is valid, in days.
    #[arg(long, default_value_t = VALID_DAYS_DEFAULT)]
    valid_days: u16,
}

/// A year: adapters, kits and contracts all move on.
const VALID_DAYS_DEFAULT: u16 = 365;

impl Certify {
    /// Runs the kit, writes the reports, says what to change. 0 pass, 1 findings, 2 used wrongly.
    pub async fn run(self) -> ExitCode {
        let Some(start) = self.start() else {
            say("choose the adapter: `--sandbox`, `--adapter 'CMD {config}'` or `--external`");
            return ExitCode::from(2);
        };
        if !self.only.is_empty() && !super::scenarios::names().any(|it| self.wants(it)) {
            let names: Vec<&str> = super::scenarios::names().collect();
            say(&format!("no scenario is called so; there are:\n  {}", names.join("\n  ")));
            return ExitCode::from(2);
        }
        let key = match self.signing_key.as_deref().map(read_key).transpose() {
            Ok(seed) => seed.map(|it| SigningKey::from_bytes(&it)),
            Err(error) => {
                say(&chain(&error));
                return ExitCode::from(2);
            }
        };
        let ran = match self.run_in_sandbox(start).await {
            Ok(report) => self.certify(&report, key.as_ref()).map(|()| report),
            Err(error) => Err(error),
        };
        match ran {
            Ok(report) => self.tell(&report),
            Err(error) => {
                say(&chain(&error));
                ExitCode::from(2)
            }
        }
    }

    fn wants(&self, name: &str) -> bool {
        self.only.iter().any(|it| name.contains(it.as_str()))
    }

    fn start(&self) -> Option<Start> {
        match (&self.adapter, self.sandbox, self.external) {
            (Some(command), false, false) => Some(Start::Command(command.clone())),
            (None, true, false) => own_sidecar().map(Start::Command),
            (None, false, true) => Some(Start::External),
            _ => None,
        }
    }

    async fn run_in_sandbox(&self, start: Start) -> Result<Report, KitError> {
        let folder = self.out.join("sandbox");
        // A state of an earlier run would be another adapter's memory.
        match std::fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(KitError::Files { path: folder, source: error });
            }
            _ => {}
        }
        let mut settings = Settings::new(self.province, folder);
        settings.nats_server.clone_from(&self.nats_server);
        settings.patience = Duration::from_secs(self.patience_s.max(1));
        settings.only.clone_from(&self.only);
        let report = run(&settings, start).await?;
        write(&self.out.join("report.json"), &report.to_json())?;
        write(&self.out.join("report.html"), &page::render(&report))?;
        Ok(report)
    }

    /// A pass gives a certificate; an older one of another outcome does not stay beside the report.
    fn certify(&self, report: &Report, key: Option<&SigningKey>) -> Result<(), KitError> {
        let path = self.out.join("certificate.json");
        let Some(adapter) = report.adapter.clone().filter(|_| report.verdict == Verdict::Pass)
        else {
            return match std::fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    Err(KitError::Files { path, source })
                }
                _ => Ok(()),
            };
        };
        let validity = SignedDuration::from_hours(24 * i64::from(self.valid_days));
        let expires_at = report.finished_at.checked_add(validity).unwrap_or(report.finished_at);
        let certificate = Certificate {
            v: 1,
            kit_version: report.kit.clone(),
            adapter_version: adapter,
            province: self.province,
            environment: report.environment.clone(),
            result_digest: Hash::of(report.to_json().as_bytes()).to_string(),
            issued_at: report.finished_at,
            expires_at,
            self_tested: false,
        };
        let key = key.zip(self.signing_key_id.as_deref());
        let signed = SignedCertificate::write(certificate, key);
        let text = serde_json::to_string_pretty(&signed).expect("two texts always serialize");
        write(&path, &format!("{text}\n"))?;
        let kind = match key {
            Some((_, id)) => format!("签发者 signed by {id}"),
            None => "自测，枢纽不予登记 self-tested: no hub records it".to_owned(),
        };
        say(&format!("证书 certificate: {} ({kind})", path.display()));
        Ok(())
    }

    fn tell(&self, report: &Report) -> ExitCode {
        for it in &report.scenarios {
            let (mark, word) = match (it.verdict, it.not_run.is_some()) {
                (Verdict::Pass, _) => ("✓", "通过 pass"),
                (_, true) => ("–", "未运行 not run"),
                _ => ("✗", "有问题 findings"),
            };
            say(&format!("{mark} {word}  {}  {} / {}", it.name, it.title_zh, it.title_en));
            for found in &it.findings {
                let case = found.case.as_deref().map(|it| format!(" [{it}]")).unwrap_or_default();
                say(&format!("    {}{case}: {}", found.finding, found.seen));
                if let Some(about) = findings::find(&found.finding) {
                    say(&format!("      怎么改：{}", about.change.zh));
                    say(&format!("      to change: {}", about.change.en));
                }
            }
        }
        let adapter = report.adapter.as_deref().unwrap_or("?");
        say(&format!("{adapter}: {}", told(report)));
        say(&format!("report: {}", self.out.join("report.html").display()));
        if self.json {
            // A reader that has gone away is no failure.
            let _ = std::io::stdout().lock().write_all(report.to_json().as_bytes());
        }
        ExitCode::from(u8::from(report.verdict == Verdict::Findings))
    }
}

fn told(report: &Report) -> String {
    let count: usize = report.findings.values().sum();
    match report.verdict {
        Verdict::Pass => "全部通过，没有发现 passes with zero findings".to_owned(),
        Verdict::Findings => format!("{count} 项发现 findings: {}", report.names().join(", ")),
        Verdict::Incomplete => {
            "没有发现，但未全部运行，因此没有证书 nothing found, but not everything was run: no certificate".to_owned()
        }
    }
}

/// This very program, serving what the kit wrote.
pub(super) fn own_sidecar() -> Option<String> {
    let program = std::env::current_exe().ok()?;
    Some(format!("'{}' --config {{config}}/adapter.toml serve", program.display()))
}

fn write(path: &Path, text: &str) -> Result<(), KitError> {
    std::fs::write(path, text).map_err(|source| KitError::Files { path: path.to_owned(), source })
}

/// Talk goes to standard error; if even this cannot be written, the exit code still tells it.
pub(super) fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}
