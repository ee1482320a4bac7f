//! The conformance kit: it plays the hub's side of the wire over a real broker, misbehaves on purpose,
//! and says in plain words what an adapter should change.
//!
//! Read in this order: `scenarios/*.txt` (what is tried), `findings.toml` (what can be found),
//! `stage` (how a sentence is carried out), `judge` and `order` (what is wrong with a report).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use events::ids::ProvinceCode;

mod account;
mod book;
mod broker;
mod cast;
pub mod command;
pub mod findings;
mod folder;
mod handing;
mod hub;
pub mod instruction;
mod judge;
mod order;
mod page;
mod post;
pub mod report;
pub mod sandbox;
pub mod scenarios;
mod script;
mod spoil;
mod stage;
mod subject;

pub use subject::Start;

use crate::clock::Clock;
use account::Users;
use book::Happened;
use broker::Broker;
use folder::{Keys, Sandbox, sign_key_id};
use hub::{Hub, Shared};
use judge::Trust;
use report::{Assertion, Found, Happening, HeldAs, Report, Scenario, Verdict};
use script::Script;
use stage::{Held, Outcome, Stage};
use subject::Subject;

/// The kit's own version, as reports and certificates tell it.
pub const KIT_VERSION: &str = concat!("conformance-kit/", env!("CARGO_PKG_VERSION"));
/// How long a wait of a scenario may take, if nothing else is said. An adapter that keeps the
/// production pace sends again after 5 s and after 30 s.
pub const PATIENCE_DEFAULT: Duration = Duration::from_secs(15);

/// The kit could not do its own work. This says nothing about the adapter.
#[derive(Debug, thiserror::Error)]
pub enum KitError {
    /// There is no broker.
    #[error(
        "cannot use a nats-server: {said}\n(install nats-server 2.9 or newer, or give --nats-server PATH)"
    )]
    NoBroker {
        /// What was said.
        said: String,
    },
    /// A file of the sandbox.
    #[error("cannot use `{path}`", path = path.display())]
    Files {
        /// The file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The adapter's command does not start.
    #[error("cannot run `{command}`")]
    Start {
        /// The command.
        command: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A scenario asks for something that is not there.
    #[error("{why}")]
    Script {
        /// What and where.
        why: String,
    },
    /// The system gives no randomness.
    #[error("cannot draw randomness")]
    Randomness,
}

/// How the kit is set up.
#[derive(Debug, Clone)]
pub struct Settings {
    /// For which province the adapter speaks.
    pub province: ProvinceCode,
    /// Where the sandbox lies: broker, keys, the adapter's state. Made if missing.
    pub folder: PathBuf,
    /// The nats-server to use; found or fetched if none is given.
    pub nats_server: Option<PathBuf>,
    /// The broker's port; none lets it choose.
    pub port: Option<u16>,
    /// How long a wait may take.
    pub patience: Duration,
    /// Only scenarios whose names contain one of these; none means all.
    pub only: Vec<String>,
}

impl Settings {
    /// The usual settings in `folder`.
    pub fn new(province: ProvinceCode, folder: PathBuf) -> Self {
        let patience = PATIENCE_DEFAULT;
        Self { province, folder, nats_server: None, port: None, patience, only: Vec::new() }
    }
}

/// Runs the scenarios against one adapter. A second run in another folder knows nothing of the first.
pub async fn run(settings: &Settings, start: Start) -> Result<Report, KitError> {
    let scripts = scenarios::read_all(&settings.only)
        .map_err(|it| KitError::Script { why: it.to_string() })?;
    let clock = Clock::Machine;
    let started_at = clock.real_now();
    let command = match &start {
        Start::Command(command) => Some(command.clone()),
        Start::External => None,
    };
    let mut stage = set_up(settings, start, clock.clone()).await?;
    let mut scenarios = Vec::with_capacity(scripts.len());
    for script in &scripts {
        scenarios.push(play(&mut stage, script).await?);
    }
    let mut findings: BTreeMap<String, usize> = BTreeMap::new();
    for found in scenarios.iter().flat_map(|it| &it.findings) {
        *findings.entry(found.finding.clone()).or_default() += 1;
    }
    let complete = settings.only.is_empty();
    let verdict = match report::overall(&scenarios) {
        Verdict::Pass if !complete => Verdict::Incomplete,
        verdict => verdict,
    };
    let adapter = stage.shared().book().adapter.clone();
    Ok(Report {
        v: 1,
        kit: KIT_VERSION.to_owned(),
        adapter,
        command,
        environment: stage.hub.origin.clone(),
        province: settings.province.to_string(),
        started_at,
        finished_at: clock.real_now(),
        verdict,
        findings,
        scenarios,
    })
}

/// Broker, hub and the folder for the adapter; nothing of the adapter runs yet.
async fn set_up(settings: &Settings, start: Start, clock: Clock) -> Result<Stage, KitError> {
    let folder = absolute(&settings.folder)?;
    let keys = Keys::generate()?;
    let users = Users {
        province: settings.province,
        hub: keys.hub_user.public_key(),
        adapter: keys.adapter_user.public_key(),
    };
    let program = broker::find(settings.nats_server.as_deref()).await?;
    let broker = Broker::start(program, folder.join("broker"), users, settings.port).await?;
    let origin = format!("sandbox.kit/{}", &hub::fresh_id()?.simple().to_string()[..12]);
    let given = folder.join("adapter");
    let url = broker.url();
    let sandbox = Sandbox {
        folder: &given,
        province: settings.province,
        origin: &origin,
        broker_url: &url,
        keys: &keys,
    };
    sandbox.write()?;
    let public = |it: &SigningKey| it.verifying_key();
    let trust = Trust {
        province: settings.province,
        origin: origin.clone(),
        keys: keys.sign.iter().map(|it| (sign_key_id(settings.province, 1), public(it))).collect(),
        retired: 0,
        retired_at: None,
        secrets: cast::secrets(),
    };
    let subject = Arc::new(Subject::new(start, given.clone()));
    let shared = Arc::new(Shared::new(clock, subject, trust));
    {
        let mut book = shared.book();
        (book.epoch, book.life) = (1, 1);
    }
    let seed = keys.hub_user.seed().map_err(|_| KitError::Randomness)?;
    let hub = Hub::open(&url, seed, keys.hub.clone(), settings.province, origin, shared).await?;
    Ok(Stage {
        broker,
        hub,
        keys,
        folder: given,
        province: settings.province,
        patience: settings.patience,
        stranger: SigningKey::from_bytes(&folder::random()?),
        all: Vec::new(),
        scenario: String::new(),
    })
}

fn absolute(folder: &Path) -> Result<PathBuf, KitError> {
    let failed = |source| KitError::Files { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(failed)?;
    folder.canonicalize().map_err(failed)
}

async fn play(stage: &mut Stage, script: &Script) -> Result<Scenario, KitError> {
    let mut scenario = Scenario {
        name: script.name.clone(),
        title_zh: script.title_zh.clone(),
        title_en: script.title_en.clone(),
        verdict: Verdict::Incomplete,
        not_run: None,
        duration_ms: 0,
        assertions: Vec::new(),
        findings: Vec::new(),
        happened: Vec::new(),
    };
    if scenarios::needs_restarts(script) && !stage.shared().subject.is_ours() {
        let why = "未运行：套件无法重启外部启动的适配器 not run: the kit cannot restart an adapter that somebody else started";
        scenario.not_run = Some(why.to_owned());
        return Ok(scenario);
    }
    let began = tokio::time::Instant::now();
    let refusals = stage.broker.refusals().len();
    let outcomes = stage.play(script).await?;
    let now = stage.shared().clock.real_now();
    for refusal in stage.broker.refusals().into_iter().skip(refusals) {
        stage.shared().book().blame(now, "needs-more-permissions", None, refusal);
    }
    scenario.duration_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    scenario.assertions = outcomes.iter().map(assertion).collect();
    let book = stage.shared().book();
    scenario.findings = found(&book.violations);
    scenario.happened = book.happened.iter().take(report::HAPPENED_MAX).map(happening).collect();
    let clean = scenario.findings.is_empty() && outcomes.iter().all(|it| it.held == Held::Yes);
    scenario.verdict = if clean { Verdict::Pass } else { Verdict::Findings };
    Ok(scenario)
}

fn assertion(it: &Outcome) -> Assertion {
    let held = match it.held {
        Held::Yes => HeldAs::Yes,
        Held::No => HeldAs::No,
        Held::NotReached => HeldAs::NotReached,
    };
    Assertion { line: it.line, text: it.text.clone(), held }
}

/// Each finding once a case: the same mistake a hundred times is one thing to change.
fn found(violations: &[book::Violation]) -> Vec<Found> {
    let mut all: Vec<Found> = Vec::new();
    for it in violations {
        let known = all.iter().any(|old| old.finding == it.finding && old.case == it.case);
        if !known {
            let (finding, case) = (it.finding.to_owned(), it.case.clone());
            all.push(Found { finding, case, seen: it.seen.clone(), at: it.at });
        }
    }
    all
}

fn happening(it: &Happened) -> Happening {
    Happening { at: it.at, case: it.case.clone(), what: it.what.clone() }
}

/// What the sandbox's broker allows a province, for whoever compares it with production.
pub fn province_account(province: ProvinceCode, user: &str) -> String {
    account::province(&Users { province, hub: String::new(), adapter: user.to_owned() })
}
