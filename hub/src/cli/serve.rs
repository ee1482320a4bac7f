//! `hub serve`: opens the stores, starts each room, and stops them in order. Here, and only here, tasks begin.

mod alarms;
mod audit_room;
mod broker_rooms;
mod gauges;
mod notices_rooms;
mod rooms;
mod traces;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tracing::{error, info, warn};

use super::Verdict;
use crate::accounts::Accounts;
use crate::callers::Callers;
use crate::clock::Clock;
use crate::config::Config;
use crate::deadline_watch::DeadlineWatch;
use crate::enrolment::EnrolmentDesk;
use crate::enrolment::broker::BrokerKeeper;
use crate::enrolment::probe::Probe;
use crate::intake::recent::Recent;
use crate::intake::schema::Schemas;
use crate::log::Readers;
use crate::log::checkpoint::{self, Checkpointer};
use crate::log::sqlite::SqliteLog;
use crate::nats::address::read_authority;
use crate::nats::keys;
use crate::oidc::Provider;
use crate::quarantine::{Quarantine, QuarantineConfig};
use crate::registrar::Registrar;
use crate::registrar::starting::{RegistrarConfig, RegistrarThread, StartWith};
use crate::signer::Signer;
use crate::vault::{Opener, Vault, VaultConfig};
use crate::views::alarms::Alarms;
use crate::views::membership::Membership;
use crate::views::reader::ViewReader;
use crate::views::runner::Views;
use crate::wake::Wake;
use crate::{intake, listen, reference, telemetry, web};

/// The slow tick behind every wake-up.
const TICK: Duration = Duration::from_secs(1);
/// A way to read the log while another process writes it.
pub(super) fn readers(config: &Config) -> anyhow::Result<Readers> {
    let path = config.log_path();
    anyhow::ensure!(path.is_file(), "there is no log at `{}` yet", path.display());
    Ok(SqliteLog::readers(path))
}

/// A way to read the views while another process writes them.
pub(super) fn views(config: &Config) -> anyhow::Result<ViewReader> {
    let path = config.views_path();
    anyhow::ensure!(path.is_file(), "there are no views at `{}` yet", path.display());
    Ok(ViewReader::open(&path))
}

pub(super) fn run(path: &Path) -> anyhow::Result<Verdict> {
    let config = Config::load(path)?;
    telemetry::start_logging(&config.logging)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    runtime.block_on(serve(config))?;
    Ok(Verdict::Yes)
}

/// Everything that the rooms share.
struct House {
    config: Config,
    clock: Clock,
    signer: Signer,
    opener: Opener,
    readers: Readers,
    registrar: Registrar,
    membership: Membership,
    views: ViewReader,
    enrolment: EnrolmentDesk,
    quarantine: Quarantine,
    accounts: Accounts,
    recorded: Wake,
    viewed: Wake,
    alarms: Alarms,
    epoch: u64,
}

/// What must end in order.
struct Foundations {
    thread: RegistrarThread,
    checkpointer: Arc<Mutex<Checkpointer>>,
    runner: Views,
}

async fn serve(config: Config) -> anyhow::Result<()> {
    let counters = telemetry::start_counting()?;
    let traces = traces::Traces::start(&config)?;
    let (house, foundations) = tokio::task::block_in_place(|| open(config))?;
    let listener = TcpListener::bind(house.config.http.listen).await.with_context(|| {
        format!(
            "cannot bind {}\n(is another hub running? see `http.listen`)",
            house.config.http.listen
        )
    })?;
    let address = listener.local_addr()?;
    let house = Arc::new(house);
    let mut rooms = JoinSet::new();
    rooms.spawn(watch_views(foundations.runner, house.recorded.listen(), house.viewed.clone()));
    let (compare, wishes) = tokio::sync::mpsc::channel(web::COMPARISONS_WISHED_MAX);
    broker_rooms::start(&house, &mut rooms, wishes).await?;
    let watch = DeadlineWatch::new(
        house.views.clone(),
        house.readers.clone(),
        house.registrar.clone(),
        house.clock.clone(),
    );
    rooms.spawn(watch.run(house.viewed.listen(), TICK));
    notices_rooms::start(&house, &mut rooms)?;
    let app = doors(&house, counters, compare)?;
    if let Some(file) = &house.config.http.address_file {
        std::fs::write(file, address.to_string())
            .with_context(|| format!("cannot write `{}`", file.display()))?;
    }
    info!(%address, epoch = house.epoch, "the hub serves {} at {address}", house.config.origin);
    let mut why = rooms::Stop::Told;
    let stop = async { why = rooms::told_or_ended(told_to_stop(), &mut rooms).await };
    listen::serve(listener, app, house.config.http.limits.clone(), stop).await;
    info!("stopping");
    rooms.shutdown().await;
    let (readers, clock) = (house.readers.clone(), house.clock.clone());
    tokio::task::block_in_place(|| {
        close(foundations.thread, &foundations.checkpointer, &readers, &clock);
        traces.stop();
    });
    anyhow::ensure!(
        why == rooms::Stop::Told,
        "a room of the hub ended, so the hub stopped\n(the reason stands in the log above; nothing recorded is lost)"
    );
    Ok(())
}

/// Opens every store, in the order in which one vouches for the next.
fn open(config: Config) -> anyhow::Result<(House, Foundations)> {
    private_folder(&config.data)?;
    if let Some(folder) = config.checkpoints.parent() {
        private_folder(folder)?;
    }
    let clock = config.time_lapse.map_or(Clock::Machine, Clock::Lapse);
    let sign_key = keys::read_signing_key(&config.sign_key_file)?;
    let (sealer, opener) = Vault::open(vault_config(&config))?;
    let first_start = mark_first_start(&config)?;
    let log = SqliteLog::open(&config.log_path(), &config.origin)?;
    let last = checkpoint::check_head_at_start(
        &log,
        &config.checkpoints,
        &sign_key.verifying_key(),
        first_start,
    )?;
    let checkpointer = Checkpointer::new(
        &config.checkpoints,
        sign_key.clone(),
        &config.sign_key_id,
        &config.origin,
        last.as_ref(),
    );
    let checkpointer = Arc::new(Mutex::new(checkpointer));
    let (readers, recorded, viewed) =
        (SqliteLog::readers(config.log_path()), Wake::default(), Wake::default());
    let epoch = crate::log::EventLog::epoch(&log);
    let (registrar, thread) = Registrar::start(
        registrar_config(checkpointer.clone()),
        Box::new(log),
        sealer,
        clock.clone(),
        Arc::new(reference::routes()),
        recorded.clone(),
    )?;
    let membership = readers.read(|log| Membership::load(log))?;
    membership.demand_certificates(config.certificates.rules());
    let runner = Views::open(
        &config.views_path(),
        readers.clone(),
        membership.clone(),
        Some(opener.clone()),
    )?;
    let quarantine = Quarantine::open(QuarantineConfig::new(config.quarantine_path()))?;
    let accounts = Accounts::open(&config.accounts_path())?;
    let signer = Signer::new(config.sign_key_id.clone(), sign_key);
    let enrolment = enrolment_desk(&config, &registrar, &readers, &runner, &signer, clock.clone())?;
    let house = House {
        signer,
        views: runner.reader(),
        enrolment,
        config,
        clock,
        opener,
        readers,
        registrar,
        membership,
        quarantine,
        accounts,
        recorded,
        viewed,
        alarms: Alarms::default(),
        epoch,
    };
    Ok((house, Foundations { thread, checkpointer, runner }))
}

/// Where provinces join, change their keys and leave.
fn enrolment_desk(
    config: &Config,
    registrar: &Registrar,
    readers: &Readers,
    runner: &Views,
    signer: &Signer,
    clock: Clock,
) -> anyhow::Result<EnrolmentDesk> {
    let user = keys::UserKey::read(&config.broker.nkey_seed_file)?;
    let broker_urls = match &config.broker.public_urls[..] {
        [] => vec![config.broker.url.clone()],
        told => told.to_vec(),
    };
    let broker_ca = config.broker.ca_file.as_deref().map(read_authority).transpose()?;
    let probe = Probe::new(config.broker.address(), &user);
    Ok(EnrolmentDesk {
        registrar: registrar.clone(),
        readers: readers.clone(),
        views: runner.reader(),
        signer: signer.clone(),
        origin: config.origin.as_str().into(),
        broker_urls: broker_urls.into(),
        broker_ca: broker_ca.map(Into::into),
        clock,
        keeper: Arc::new(
            BrokerKeeper::new(config.broker.kept_server(), user.public()).with_probe(probe),
        ),
    })
}

fn vault_config(config: &Config) -> VaultConfig {
    VaultConfig {
        origin: config.origin.clone(),
        keys_path: config.keys_path(),
        wrapping_key_path: config.wrapping_key_file.clone(),
    }
}

/// A checkpoint file that is there and empty says: the first start has not signed anything yet.
fn mark_first_start(config: &Config) -> anyhow::Result<bool> {
    if !config.log_path().exists() && !config.checkpoints.exists() {
        std::fs::File::create_new(&config.checkpoints)
            .and_then(|it| it.sync_all())
            .with_context(|| format!("cannot make `{}`", config.checkpoints.display()))?;
    }
    Ok(std::fs::metadata(&config.checkpoints).is_ok_and(|it| it.len() == 0))
}

fn registrar_config(checkpointer: Arc<Mutex<Checkpointer>>) -> RegistrarConfig {
    let mut config = RegistrarConfig::new(StartWith::shipped());
    config.after_commit = Box::new(move |position, hash, at| {
        let mut checkpointer = checkpointer.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = checkpointer.maybe((position, hash), at) {
            metrics::counter!("hub_checkpoints_failed_total").increment(1);
            error!(error = %super::output::chain(&error.into()), "cannot sign a checkpoint");
        }
    });
    config
}

async fn watch_views(runner: Views, ear: crate::wake::Ear, viewed: Wake) {
    let error = runner.run(ear, viewed, TICK).await;
    error!(error = %super::output::chain(&error.into()), "the views stopped: what is shown grows old");
}

/// The HTTP side: intake and reading behind one listener.
fn doors(
    house: &Arc<House>,
    counters: metrics_exporter_prometheus::PrometheusHandle,
    compare: web::CompareDoor,
) -> anyhow::Result<axum::Router> {
    let callers = Arc::new(Callers::new(house.config.clients.clone())?);
    let desk = intake::desk::Desk {
        origin: house.config.origin.as_str().into(),
        registrar: house.registrar.clone(),
        views: house.views.clone(),
        readers: house.readers.clone(),
        opener: house.opener.clone(),
        clock: house.clock.clone(),
        callers: callers.clone(),
        signer: house.signer.clone(),
        schemas: Arc::new(Schemas::compile()),
        recent: Arc::<Recent>::default(),
    };
    let rooms = web::Rooms {
        registrar: house.registrar.clone(),
        views: house.views.clone(),
        readers: house.readers.clone(),
        membership: house.membership.clone(),
        enrolment: house.enrolment.clone(),
        quarantine: house.quarantine.clone(),
        redrive: house.config.redrive.clone(),
        callers,
        clock: house.clock.clone(),
        wake: house.recorded.clone(),
        metrics: counters,
        compare,
        streams: Arc::new(tokio::sync::Semaphore::new(web::STREAMS_MAX)),
        viewed: house.viewed.clone(),
        alarms: house.alarms.clone(),
        audit: audit_room::desk(&house.config, &house.signer),
        opener: house.opener.clone(),
        accounts: house.accounts.clone(),
        oidc: provider(&house.config)?,
        guests: house.config.http.status_page,
        onlookers: Arc::new(tokio::sync::Semaphore::new(web::ONLOOKERS_MAX)),
    };
    Ok(intake::http::router(desk)
        .merge(web::router(rooms.clone()))
        .merge(web::console::router(rooms)))
}

/// Who else vouches for people.
fn provider(config: &Config) -> anyhow::Result<Option<Arc<Provider>>> {
    Ok(config.oidc.as_ref().map(Provider::start).transpose()?.map(Arc::new))
}

/// SIGTERM or Ctrl-C; the second one ends the process at once.
async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let wait = || async {
        let mut terminate = match signal(SignalKind::terminate()) {
            Ok(it) => it,
            Err(error) => {
                warn!(%error, "cannot listen for SIGTERM");
                return std::future::pending().await;
            }
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    wait().await;
    tokio::spawn(async move {
        wait().await;
        std::process::exit(130);
    });
}

/// Ends the registrar and signs the head it leaves.
fn close(
    thread: RegistrarThread,
    checkpointer: &Mutex<Checkpointer>,
    readers: &Readers,
    clock: &Clock,
) {
    thread.stop();
    let head = match readers.read(|log| log.head()) {
        Ok(Some(head)) => head,
        Ok(None) => return,
        Err(error) => {
            return error!(error = %super::output::chain(&error.into()), "cannot read the head");
        }
    };
    let mut checkpointer = checkpointer.lock().unwrap_or_else(PoisonError::into_inner);
    match checkpointer.sign(head, clock.now()) {
        Ok(_) => info!(event.position = head.0.0, "stopped; the head is signed"),
        Err(error) => {
            error!(error = %super::output::chain(&error.into()), "cannot sign the last checkpoint")
        }
    }
}

fn private_folder(folder: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .with_context(|| format!("cannot make `{}`", folder.display()))
}

/// A way to open sealed parts while another process seals.
pub(super) fn opener(config: &Config) -> anyhow::Result<Opener> {
    Ok(Vault::open_to_read(vault_config(config))?)
}
