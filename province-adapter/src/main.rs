//! The sidecar: `serve` runs until it is told to stop, `check` says whether it would, `status` looks.

mod joining;
mod publishing;
mod traces;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use province_adapter::adapter::Adapter;
use province_adapter::check;
use province_adapter::config::{Config, Office};
use province_adapter::conformance::command::Certify;
use province_adapter::conformance::sandbox::Sandbox;
use province_adapter::office::OfficeSystem;
use province_adapter::office::folder::FolderOffice;
use province_adapter::office::http::HttpOffice;
use province_adapter::office::obedient::ObedientOffice;
use province_adapter::office::pull::PullOffice;
use province_adapter::office::simulated::SimulatedOffice;
use province_adapter::office::table::TableOffice;
use province_adapter::page;
use province_adapter::reconcile::{self, Asked};
use province_adapter::status::Status;
use province_adapter::status::shown::Level;
use tokio::signal::unix::{SignalKind, signal};
use tracing::error;
use tracing_subscriber::EnvFilter;

/// After the signal; what is not done by then is done after the next start.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// A province's adapter for the inter-provincial hub. 跨省通办省级适配器
#[derive(Parser)]
#[command(name = "province-adapter", version)]
struct CommandLine {
    /// What is logged, e.g. `info` or `province_adapter=debug`.
    #[arg(long, global = true, default_value = "info,async_nats=warn")]
    log: String,
    /// The configuration; see deploy/adapter.example.toml.
    #[arg(long, global = true, default_value = "adapter.toml")]
    config: PathBuf,
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Make this province's keys, a request for the ministry and a draft configuration. 生成密钥与接入申请
    Init(joining::Init),
    /// Take the hub's answer: the configuration is ready then. 导入接入包
    Join(joining::Join),
    /// Make the next keys and a request for them; the adapter goes on meanwhile. 更换密钥
    Rotate,
    /// Run until SIGTERM or SIGINT.
    Serve,
    /// Say in plain words whether it would run: 0 yes, 1 no, 2 the configuration is unusable. 诊断
    Check {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Compare with the hub now, as happens every day by itself: 0 settled, 1 not (yet). 立即对账
    Reconcile(Reconcile),
    /// State a month's publicity table (annex 1): 0 kept (with `--wait`: taken), 1 not, 2 the file is unusable. 报送宣传推广工作统计表
    Publicity(publishing::Publicity),
    /// What waits, why, and since when. 状态
    Status {
        /// For programs.
        #[arg(long)]
        json: bool,
    },
    /// Test an adapter in a sandbox: 0 it passes, 1 something was found, 2 used wrongly.
    Certify(Certify),
    /// Keep a sandbox running, hand out test cases on demand, and say what is seen.
    Sandbox(Sandbox),
}

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let command_line = CommandLine::parse();
    let filter = match EnvFilter::try_new(&command_line.log) {
        Ok(filter) => filter,
        Err(problem) => return tell_error(&format!("`--log`: {problem}")),
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    if let Some(ended) = joining::run(&command_line.role, &command_line.config) {
        return ended;
    }
    let role = match command_line.role {
        Role::Certify(certify) => return certify.run().await,
        Role::Sandbox(sandbox) => return sandbox.run().await,
        role => role,
    };
    let config = match Config::load(&command_line.config) {
        Ok(config) => config,
        Err(problem) => return tell_error(&check::chain(&problem)),
    };
    let answer = match role {
        Role::Serve => serve_and_tell(&config).await.map(|()| true),
        Role::Check { json } => check_all(&config, json).await,
        Role::Status { json } => status(&config, json),
        Role::Reconcile(asked) => reconcile(&config, &asked).await,
        Role::Publicity(asked) => return asked.run(&config).await,
        // These have returned above: they have no configuration of their own.
        Role::Certify(_) | Role::Sandbox(_) | Role::Init(_) | Role::Join(_) | Role::Rotate => {
            return ExitCode::from(2);
        }
    };
    match answer {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(failure) => {
            error!("{failure:#}");
            ExitCode::from(1)
        }
    }
}

async fn serve_and_tell(config: &Config) -> anyhow::Result<()> {
    let traces = traces::Traces::start(config).context("cannot tell spans")?;
    let served = Box::pin(serve(config)).await;
    traces.stop();
    served
}

/// The page beside the work; it ends with it.
async fn serve(config: &Config) -> anyhow::Result<()> {
    tokio::select! {
        ended = work_with_the_office(config) => ended,
        () = page::run(config) => anyhow::bail!("the page ended, which it never should"),
    }
}

async fn work_with_the_office(config: &Config) -> anyhow::Result<()> {
    let adapter = Adapter::open(config).context("cannot start")?;
    match &config.office {
        Office::Simulated(settings) => {
            let office = SimulatedOffice::new(settings.clone(), adapter.reporter())
                .context("the simulated office has no hours")?;
            work(adapter, &office, office.run()).await
        }
        Office::Table(settings) => {
            let (codes, reporter) = (Arc::clone(&config.codes), adapter.reporter());
            let office = TableOffice::open(settings.clone(), codes, reporter).await;
            let office = office.context("cannot prepare for the exchange tables")?;
            Box::pin(work(adapter, &office, office.run())).await
        }
        Office::Folder(settings) => {
            let (codes, reporter) = (Arc::clone(&config.codes), adapter.reporter());
            let office = FolderOffice::open(settings.clone(), codes, reporter).await;
            let office = office.context("cannot prepare the exchange folders")?;
            Box::pin(work(adapter, &office, office.run())).await
        }
        Office::Http(settings) => {
            let (settings, codes) = (settings.as_ref().clone(), Arc::clone(&config.codes));
            let office = HttpOffice::open(settings, codes, adapter.reporter()).await;
            let office = office.context("cannot prepare for the office's service")?;
            work(adapter, &office, office.run()).await
        }
        Office::Pull(settings) => {
            let (settings, codes) = (settings.clone(), Arc::clone(&config.codes));
            let office = PullOffice::open(settings, codes, adapter.reporter()).await;
            let office = office.context("cannot open the office's API")?;
            work(adapter, &office, office.run()).await
        }
        Office::Obedient => {
            let office = ObedientOffice::new(adapter.reporter());
            work(adapter, &office, office.run()).await
        }
    }
}

/// Until a signal; `office_work` is the office's own loop and never ends.
async fn work(
    adapter: Adapter,
    office: &impl OfficeSystem,
    office_work: impl Future<Output = ()>,
) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let (stop, stopping) = tokio::sync::oneshot::channel();
    let running = async {
        tokio::select! {
            ended = adapter.run(Borrowed(office), async { let _ = stopping.await; }) => ended,
            () = office_work => Ok(()),
        }
    };
    tokio::pin!(running);
    tokio::select! {
        ended = &mut running => return ended.context("cannot go on"),
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    // Nobody waits for it if the adapter has just ended by itself.
    let _ = stop.send(());
    match tokio::time::timeout(STOP_TIMEOUT, running).await {
        Ok(ended) => ended.context("cannot stop in order"),
        Err(_) => anyhow::bail!("did not stop within {} s", STOP_TIMEOUT.as_secs()),
    }
}

/// The office also has a loop of its own, so the adapter gets a look at it only.
struct Borrowed<'a, O>(&'a O);

impl<O: OfficeSystem> OfficeSystem for Borrowed<'_, O> {
    async fn take(
        &self,
        work: province_adapter::office::TakenWork,
    ) -> Result<(), province_adapter::office::TakeError> {
        self.0.take(work).await
    }

    fn fetches(&self) -> bool {
        self.0.fetches()
    }
}

async fn check_all(config: &Config, json: bool) -> anyhow::Result<bool> {
    let lines = check::check(config).await;
    let works = lines.iter().all(|it| it.level != Level::Bad);
    if json {
        let told = serde_json::json!({"works": works, "lines": lines});
        tell(&format!("{told}\n"))?;
        return Ok(works);
    }
    let mut text = String::new();
    for line in &lines {
        text.push_str(&format!("{line}\n"));
    }
    tell(&text)?;
    Ok(works)
}

fn status(config: &Config, json: bool) -> anyhow::Result<bool> {
    let status = Status::look(config).context("cannot look at the store")?;
    if json {
        tell(&format!("{}\n", serde_json::to_string(&status)?))?;
    } else {
        tell(&status.to_string())?;
    }
    Ok(true)
}

/// `reconcile`
#[derive(clap::Args)]
struct Reconcile {
    /// The first day of submission to compare, in Shanghai. 起始日
    #[arg(long, value_name = "DATE")]
    since: Option<jiff::civil::Date>,
    /// The last day; today if left out. 截止日
    #[arg(long, value_name = "DATE")]
    until: Option<jiff::civil::Date>,
    /// How long to wait for the hub, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 120,
        value_parser = clap::value_parser!(u64).range(1..=86_400))]
    wait: u64,
    /// For programs.
    #[arg(long)]
    json: bool,
}

async fn reconcile(config: &Config, asked: &Reconcile) -> anyhow::Result<bool> {
    let wait = Duration::from_secs(asked.wait);
    let wish = Asked { since: asked.since, until: asked.until };
    let outcome = reconcile::now(config, wish, wait).await.context("cannot compare")?;
    if asked.json {
        tell(&format!("{}\n", serde_json::to_string(&outcome)?))?;
    } else {
        tell(&outcome.to_string())?;
    }
    Ok(outcome.settled)
}

/// Data goes to standard output; a reader that has gone away is no failure.
fn tell(text: &str) -> anyhow::Result<()> {
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(failure) if failure.kind() != std::io::ErrorKind::BrokenPipe => Err(failure.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Used or configured wrongly.
fn tell_error(text: &str) -> ExitCode {
    // If even this cannot be written, the exit code still tells it.
    let _ = writeln!(std::io::stderr(), "{text}");
    ExitCode::from(2)
}
