//! Starting and stopping: what the registrar reads first, what it writes first, and when it must die.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, RwLock};
use std::thread::JoinHandle;

use events::envelope::{Event, Position};
use events::ids::{CaseId, StreamName};
use events::keeping::{KeepingEvent, WriterStarted};
use events::proof::Hash;
use events::reference::{
    CalendarPublished, CalendarYear, RouteTablePublished, ServiceStandardPublished,
};
use hub_core::deadlines::ServiceStandards;
use hub_core::refusal::Refusal;
use hub_core::routes::Routes;
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::deciding::Round;
use super::desk::{Desk, redrives_of};
use super::published::Published;
use super::stamps::{EventIds, Moments};
use super::stories::Stories;
use super::{Knock, Registrar, WAITING_MAX};
use crate::clock::Clock;
use crate::log::{AppendError, EventLog, ReadError};
use crate::vault::{Sealer, VaultError};
use crate::wake::Wake;

/// Told after each commit: the last position, its hash and its moment. For checkpoints.
pub type AfterCommit = Box<dyn FnMut(Position, Hash, Timestamp) + Send>;
/// Told why the registrar must not go on; ends the process unless a test puts something else here.
pub type OnFatal = Box<dyn FnMut(&Fatal) + Send>;

/// How many cases the registrar remembers, unless configured otherwise.
pub const CASES_CACHED_MAX: usize = 100_000;

/// How the registrar works.
pub struct RegistrarConfig {
    /// How many cases it remembers; others are read again when somebody asks.
    pub cases_cached_max: usize,
    /// Written into `WriterStarted`.
    pub hub_version: String,
    /// What is published first.
    pub start_with: StartWith,
    /// Called in the registrar's thread after each commit: be quick.
    pub after_commit: AfterCommit,
    /// Called when it must not go on; by default the process ends at once.
    pub on_fatal: OnFatal,
}

impl RegistrarConfig {
    /// The defaults, with these rules.
    pub fn new(start_with: StartWith) -> Self {
        Self {
            cases_cached_max: CASES_CACHED_MAX,
            hub_version: env!("CARGO_PKG_VERSION").to_owned(),
            start_with,
            after_commit: Box::new(|_, _, _| {}),
            on_fatal: Box::new(|_| std::process::abort()),
        }
    }
}

/// The rules that are published when the log has none.
#[derive(Debug, Clone)]
pub struct StartWith {
    /// Years, oldest first.
    pub calendars: Vec<CalendarYear>,
    /// The clocks' lengths.
    pub standards: ServiceStandards,
    /// Where they stand.
    pub standards_source: String,
    /// What names the configured route table, and how many entries it has. Unlike the others it is
    /// published at every start at which it has changed: it is what the hub routes by.
    pub routes_digest: (String, u32),
}

impl StartWith {
    /// What travels with the hub.
    pub fn shipped() -> Self {
        Self {
            calendars: crate::reference::calendars(),
            standards: ServiceStandards::default(),
            standards_source: "交办运函〔2021〕446号".to_owned(),
            routes_digest: crate::reference::routes_digest(),
        }
    }
}

/// Why the registrar must not go on: what it knows and what the log says may differ.
#[derive(Debug, thiserror::Error)]
pub enum Fatal {
    /// Fenced, or the outcome is unknown.
    #[error("the registrar cannot append")]
    Append(#[source] AppendError),
    /// A story cannot be read.
    #[error("the registrar cannot read a story")]
    Read(#[from] ReadError),
    /// Keys cannot be made, kept or destroyed.
    #[error("the registrar cannot use the vault")]
    Vault(#[source] VaultError),
    /// A bug of ours.
    #[error("the registrar's thread panicked")]
    Panicked,
}

impl Fatal {
    /// One line with the whole chain of causes.
    pub(super) fn log(&self) {
        let mut chain = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(error) = cause {
            chain.push_str(": ");
            chain.push_str(&error.to_string());
            cause = error.source();
        }
        tracing::error!("{chain}");
    }
}

/// Why the registrar does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The log cannot be read or written, or the vault not be used.
    #[error("cannot start the registrar")]
    Store(#[from] Fatal),
    /// A rule that it should start with is not usable.
    #[error("cannot publish the first rules")]
    Rules(#[source] Refusal),
    /// There is no room to write that a writer started.
    #[error("there is no room to start a writer\\n(free some space where the log is)")]
    Full,
    /// The operating system gives no thread.
    #[error("cannot start the registrar's thread")]
    Thread(#[source] std::io::Error),
}

/// The thread behind the door.
#[derive(Debug)]
pub struct RegistrarThread {
    thread: JoinHandle<()>,
    stopping: Arc<AtomicBool>,
    door: mpsc::WeakSender<Knock>,
}

impl RegistrarThread {
    /// Finishes the batch at hand, tells whoever still waits that it has stopped, and returns when
    /// the thread has ended. Nothing that was answered is lost.
    pub fn stop(self) {
        self.stopping.store(true, Ordering::Release);
        if let Some(door) = self.door.upgrade() {
            // A full queue wakes it just as well.
            let _full_or_gone = door.try_send(Knock::Stop);
        }
        self.join();
    }

    /// Returns when the thread has ended: after the last handle was dropped.
    pub fn join(self) {
        // A panic was already told to `on_fatal`.
        let _panicked = self.thread.join();
    }
}

/// Tells why the thread ends, if it should not: without a registrar the hub must not seem alive.
struct Alarm(OnFatal);

impl Alarm {
    fn ring(&mut self, fatal: &Fatal) {
        fatal.log();
        (self.0)(fatal);
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.ring(&Fatal::Panicked);
        }
    }
}

impl Registrar {
    /// Reads what it has to know, records that a writer started and publishes the first rules; then
    /// works in a thread of its own until the last handle is gone.
    pub fn start(
        config: RegistrarConfig,
        log: Box<dyn EventLog>,
        sealer: Sealer,
        clock: Clock,
        routes: Arc<Routes>,
        wake: Wake,
    ) -> Result<(Self, RegistrarThread), StartError> {
        let start_with = config.start_with.clone();
        let started = WriterStarted { epoch: log.epoch(), hub_version: config.hub_version.clone() };
        let mut alarm = Alarm(config.on_fatal);
        let after_commit = config.after_commit;
        let mut desk =
            Desk::open(config.cases_cached_max, after_commit, log, sealer, clock, routes, wake)?;
        desk.write_first(started, start_with)?;
        let rules = desk.rules.clone();
        let (door, waiting) = mpsc::channel(WAITING_MAX);
        // The thread waits for callers, or for none to come: it needs a timer and nothing else.
        let quiet = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let quiet = quiet.map_err(StartError::Thread)?;
        let stopping = Arc::new(AtomicBool::new(false));
        let thread = std::thread::Builder::new()
            .name("registrar".to_owned())
            .spawn({
                let stopping = stopping.clone();
                move || {
                    if let Err(fatal) = desk.work(waiting, &quiet, &stopping) {
                        alarm.ring(&fatal);
                    }
                }
            })
            .map_err(StartError::Thread)?;
        let weak = door.downgrade();
        let registrar = Self { door, rules };
        Ok((registrar, RegistrarThread { thread, stopping, door: weak }))
    }
}

impl Desk {
    pub(super) fn open(
        cases_cached_max: usize,
        after_commit: AfterCommit,
        log: Box<dyn EventLog>,
        mut sealer: Sealer,
        clock: Clock,
        routes: Arc<Routes>,
        wake: Wake,
    ) -> Result<Self, Fatal> {
        let last = match log.head()? {
            Some((position, _)) => log.read_all(Position(position.0 - 1), 1)?.pop(),
            None => None,
        };
        let keeping = log.read_stream(&StreamName::Keeping)?;
        let destroyed: HashSet<CaseId> = keeping
            .iter()
            .filter_map(|it| match &it.envelope.event {
                Event::Keeping(KeepingEvent::CaseKeyDestroyed(it)) => Some(it.case),
                _ => None,
            })
            .collect();
        for case in &destroyed {
            // A crash may have come between the record and the deed.
            sealer.destroy(*case).map_err(Fatal::Vault)?;
        }
        let published = Published::of(&log.read_stream(&StreamName::Reference)?, routes.clone());
        Ok(Self {
            sealer,
            stories: Stories::new(cases_cached_max),
            rules: Arc::new(RwLock::new(published.rules().clone())),
            published,
            routes,
            redrives: redrives_of(&keeping),
            keeping: keeping.last().map_or(0, |it| it.version.0),
            destroyed,
            moments: Moments::after(clock, last.as_ref().map(|it| it.recorded_at)),
            ids: EventIds::after(last.as_ref().map(|it| it.envelope.id)),
            wake,
            after_commit,
            full: false,
            log,
        })
    }

    pub(super) fn write_first(
        &mut self,
        started: WriterStarted,
        start_with: StartWith,
    ) -> Result<(), StartError> {
        let mut round = self.begin();
        self.propose_keeping(&mut round, started.into());
        self.note_step(&mut round);
        if self.published.version() == 0 {
            self.publish_first(&mut round, &start_with).map_err(StartError::Rules)?;
        }
        let (digest, entries) = start_with.routes_digest;
        let table = RouteTablePublished { revision: 0, digest, entries };
        self.publish(&mut round, &table.into()).map_err(StartError::Rules)?;
        match self.commit(round)? {
            Some(_) => Ok(()),
            None => Err(StartError::Full),
        }
    }

    fn publish_first(&mut self, round: &mut Round, start_with: &StartWith) -> Result<(), Refusal> {
        for calendar in &start_with.calendars {
            let published = CalendarPublished { revision: 0, calendar: calendar.clone() };
            self.publish(round, &published.into())?;
        }
        let standards = &start_with.standards;
        let published = ServiceStandardPublished {
            revision: 0,
            acceptance_working_days: standards.acceptance_working_days,
            completion_working_days: standards.completion_working_days,
            urged_after_working_days: standards.urged_after_working_days,
            serious_after_working_days: standards.serious_after_working_days,
            deemed_after_working_days: standards.deemed_after_working_days,
            source: start_with.standards_source.clone(),
        };
        self.publish(round, &published.into())
    }
}
