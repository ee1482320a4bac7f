//! A whole hub in this process, over a pipe of ours: every loop is one call, every crash one word.
//!
//! Nothing here is a stand-in but the pipe and the clock: log, vault, registrar, views, router, desk
//! and watch are the hub's own.

mod assemble;
pub mod national;
pub mod pipe;
pub mod province;
pub mod unlucky;

use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use events::envelope::{Actor, Event, Position, Recorded};
use events::ids::{CaseId, ProvinceCode, StreamName};
use events::reference::ReferenceEvent;
use hub::clock::Clock;
use hub::intake::reports::{Message, Settled};
use hub::log::memory::MemoryLog;
use hub::log::{EventLog, Readers};
use hub::registrar::starting::StartWith;
use hub::registrar::{Answer, Ask, Registrar, Unavailable, What};
use hub::vault::{Opener, Vault};
use hub::views::membership::Membership;
use hub::views::reader::ViewReader;
use hub_core::case::Case;
use hub_core::command::Command;
use hub_core::province::ProvinceCommand;
use jiff::Timestamp;
use tempfile::TempDir;

use self::assemble::Running;
use self::pipe::Pipe;
use self::unlucky::Luck;

/// The log and environment of every test hub.
pub const ORIGIN: &str = "hub.test/stage";
/// What the hub's key is called.
pub const HUB_KEY_ID: &str = "hub-1";
/// Rounds of the router after which it must have sent what there is.
const ROUNDS_MAX: usize = 64;

/// Changes the log as the registrar or the readers see it: for sabotage.
pub type Wrap = Box<dyn Fn(Box<dyn EventLog>) -> Box<dyn EventLog>>;

/// How a hub is set up.
pub struct Setup {
    /// The first moment.
    pub at: Timestamp,
    /// Real files instead of memory for the log.
    pub sqlite: bool,
    /// The rules that are published first.
    pub start_with: StartWith,
    /// How long the router waits between attempts, in milliseconds of told time.
    pub pace_ms: Vec<u64>,
    /// Something between the registrar and its log.
    pub wrap: Option<Wrap>,
}

impl Setup {
    /// A log in memory and the shipped rules. The first retry comes at the next moment.
    pub fn at(at: Timestamp) -> Self {
        let pace_ms = vec![1, 60_000, 600_000];
        Self { at, sqlite: false, start_with: StartWith::shipped(), pace_ms, wrap: None }
    }
}

/// A hub that runs when it is told to.
pub struct TestHub {
    /// Told time.
    pub clock: Clock,
    /// What carries its messages.
    pub pipe: Pipe,
    /// What its log does with the next append.
    pub luck: Luck,
    /// Where its files are.
    pub folder: TempDir,
    setup: Setup,
    memory: MemoryLog,
    running: Option<Running>,
    runtime: tokio::runtime::Runtime,
}

/// The hub's own key: provinces check with it.
pub fn hub_key() -> SigningKey {
    SigningKey::from_bytes(&[9; 32])
}

/// A folder in memory where the system has one: the tests kill processes, not disks.
pub fn folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder can be made")
}

impl TestHub {
    /// Sets it up and starts it.
    pub fn new(setup: Setup) -> Self {
        let folder = folder();
        Vault::create_wrapping_key(&folder.path().join("wrapping.key")).expect("it is new");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let mut hub = Self {
            clock: Clock::manual(setup.at),
            pipe: Pipe::default(),
            luck: Luck::default(),
            folder,
            memory: MemoryLog::new(ORIGIN),
            setup,
            running: None,
            runtime: runtime.expect("a runtime can be built"),
        };
        hub.start();
        hub
    }

    /// The file of this name.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Everything in memory is gone; the stores are as they are. Receipts on their way are lost.
    pub fn crash(&mut self) {
        if let Some(running) = self.running.take() {
            running.thread.stop();
        }
        self.luck.get_better();
        self.pipe.live_again();
    }

    /// Starts from the stores; does nothing while it runs.
    pub fn start(&mut self) {
        if self.running.is_none() {
            self.running = Some(self.open());
        }
    }

    /// Crashes and starts.
    pub fn restart(&mut self) {
        self.crash();
        self.start();
    }

    fn up(&self) -> &Running {
        self.running.as_ref().expect("the hub runs")
    }

    /// Asks the registrar; `Stopped` after a mishap of the log.
    pub fn ask(&self, actor: Actor, what: What) -> Result<Answer, Unavailable> {
        let ask = Ask { actor, occurred_at: self.clock.now(), caused_by: None, what };
        self.runtime.block_on(self.up().registrar.ask(ask))
    }

    /// Asks about a case, without personal data.
    pub fn tell(&self, case: CaseId, command: Command) -> Result<Answer, Unavailable> {
        let what = What::Case { case, command, personal: None, evidence: None, key: None };
        self.ask(Actor::Operator("operator-1".to_owned()), what)
    }

    /// Asks about a province.
    pub fn province(&self, province: ProvinceCode, command: ProvinceCommand) -> Answer {
        let what = What::Province { province, command };
        self.ask(Actor::Operator("operator-1".to_owned()), what).expect("the registrar answers")
    }

    /// Publishes a rule.
    pub fn publish(&self, event: ReferenceEvent) -> Answer {
        let what = What::Reference(event);
        self.ask(Actor::Operator("operator-1".to_owned()), what).expect("the registrar answers")
    }

    /// The views read what is in the log.
    pub fn catch_up(&mut self) -> Position {
        let running = self.running.as_mut().expect("the hub runs");
        running.views.catch_up().expect("the views go on")
    }

    /// The router sends what there is. False when the hub died on the way.
    pub fn dispatch(&mut self) -> bool {
        let pipe = self.pipe.clone();
        for _ in 0..ROUNDS_MAX {
            self.catch_up();
            let running = self.running.as_mut().expect("the hub runs");
            let round = self.runtime.block_on(async {
                tokio::select! {
                    biased;
                    round = running.router.round() => Some(round.expect("the outbox can be read")),
                    () = pipe.dead() => None,
                }
            });
            match round {
                None => return false,
                Some(round) if round.forwarded == 0 => break,
                Some(_) => {}
            }
        }
        self.catch_up();
        true
    }

    /// The watch looks once. False when the registrar has stopped on the way.
    pub fn watch(&mut self) -> bool {
        self.catch_up();
        let looked = self.runtime.block_on(self.up().watch.look_once());
        self.catch_up();
        looked.is_ok()
    }

    /// Reports come in from the stream of `province`.
    pub fn take(&mut self, province: ProvinceCode, batch: &[Message]) -> Vec<Settled> {
        let settled = self.runtime.block_on(self.up().desk.take(province, batch));
        self.catch_up();
        settled
    }

    /// Receipts that wait go out.
    pub fn send_receipts(&mut self) {
        let running = self.running.as_mut().expect("the hub runs");
        let mut waiting = Vec::new();
        while let Ok(receipt) = running.receipts.try_recv() {
            waiting.push(receipt);
        }
        if !waiting.is_empty() {
            self.runtime.block_on(running.sender.send(waiting));
        }
    }

    /// What provinces told of what they hold is compared.
    pub fn compare(&mut self) {
        self.catch_up();
        let running = self.running.as_mut().expect("the hub runs");
        while let Ok((province, as_of, told)) = running.comparisons.try_recv() {
            self.runtime.block_on(running.reconciler.take(province, as_of, told));
        }
        self.catch_up();
    }

    /// The whole log.
    pub fn events(&self) -> Vec<Recorded> {
        self.readers().read(|log| log.read_all(Position(0), usize::MAX)).expect("the log is read")
    }

    /// One story.
    pub fn story(&self, case: CaseId) -> Vec<Recorded> {
        let stream = StreamName::Case(case);
        self.readers().read(|log| log.read_stream(&stream)).expect("the log is read")
    }

    /// One case as its story tells it.
    pub fn case(&self, case: CaseId) -> Option<Case> {
        hub::router::handover::fold(&self.story(case))
    }

    /// Who reads the log.
    pub fn readers(&self) -> &Readers {
        &self.up().readers
    }

    /// Who reads the views.
    pub fn views(&self) -> ViewReader {
        self.up().views.reader()
    }

    /// Who opens what is sealed.
    pub fn opener(&self) -> &Opener {
        &self.up().opener
    }

    /// Who is enrolled.
    pub fn membership(&self) -> &Membership {
        &self.up().membership
    }

    /// The registrar itself.
    pub fn registrar(&self) -> &Registrar {
        &self.up().registrar
    }

    /// Runs something that waits.
    pub fn block_on<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(what)
    }
}

/// The kinds of the events of a story, without their prefix and version.
pub fn kinds(story: &[Recorded]) -> Vec<String> {
    let short = |it: &Recorded| {
        let kind = it.envelope.event.kind();
        kind.trim_start_matches("case.").trim_end_matches(".v1").to_owned()
    };
    story.iter().filter(|it| matches!(it.envelope.event, Event::Case(_))).map(short).collect()
}
