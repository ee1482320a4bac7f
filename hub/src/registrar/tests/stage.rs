//! The stage: a registrar over a log in memory that does what a test tells it.

use std::sync::{Arc, Condvar, Mutex};

use events::envelope::{Actor, Position, Recorded};
use events::ids::{CaseId, CaseNumber, ProvinceCode, ReportId, RequestId, StreamName};
use events::proof::Hash;
use events::report::{News, Report, ReportMessage};
use events::vocabulary::{Category, Channel, IssuingAuthority, Item};
use events::work::WorkKind;
use hub_core::command::{Command, Submit};
use jiff::Timestamp;
use uuid::Uuid;

use crate::clock::Clock;
use crate::log::memory::MemoryLog;
use crate::log::{Append, AppendError, Conflict, EventLog, ReadError, ReadLog, Readers, SenderKey};
use crate::registrar::starting::{RegistrarConfig, RegistrarThread, StartWith};
use crate::registrar::{Answer, Ask, Registrar, Unavailable, What};
use crate::vault::{Opener, Sealer, Vault, VaultConfig};
use crate::wake::Wake;

pub(super) const ORIGIN: &str = "hub.test";

/// What the log does with the next appends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
    Works,
    /// Holds every append back until the mood changes.
    Blocks,
    Full,
    Unknown,
    /// Says once that every story is elsewhere, and then works.
    LiesOnce,
    Lies,
    Panics,
}

/// Changes a log's mood, and counts what it was asked.
#[derive(Clone)]
pub(super) struct Gate(Arc<(Mutex<(Mood, usize)>, Condvar)>);

impl Gate {
    pub(super) fn set(&self, mood: Mood) {
        self.0.0.lock().unwrap().0 = mood;
        self.0.1.notify_all();
    }

    /// How many appends were asked of it.
    pub(super) fn appends(&self) -> usize {
        self.0.0.lock().unwrap().1
    }

    fn pass(&self) -> Mood {
        let mut inside = self.0.0.lock().unwrap();
        inside.1 += 1;
        while inside.0 == Mood::Blocks {
            inside = self.0.1.wait(inside).unwrap();
        }
        let mood = inside.0;
        if mood == Mood::LiesOnce {
            inside.0 = Mood::Works;
        }
        mood
    }
}

/// A log with moods.
struct MoodyLog {
    log: Box<dyn EventLog>,
    gate: Gate,
}

impl EventLog for MoodyLog {
    fn append(
        &mut self,
        batch: Vec<Append>,
    ) -> Result<Vec<Result<Vec<Recorded>, Conflict>>, AppendError> {
        match self.gate.pass() {
            Mood::Full => Err(AppendError::Full("the test says so".into())),
            Mood::Unknown => Err(AppendError::Unknown("the test says so".into())),
            Mood::LiesOnce | Mood::Lies => Ok(batch
                .iter()
                .map(|it| Err(Conflict::Version { stream: it.stream, actual: None }))
                .collect()),
            Mood::Panics => panic!("the test says so"),
            Mood::Works | Mood::Blocks => self.log.append(batch),
        }
    }
    fn epoch(&self) -> u64 {
        self.log.epoch()
    }
}

impl ReadLog for MoodyLog {
    fn read_stream(&self, stream: &StreamName) -> Result<Vec<Recorded>, ReadError> {
        self.log.read_stream(stream)
    }
    fn read_all(&self, after: Position, count_max: usize) -> Result<Vec<Recorded>, ReadError> {
        self.log.read_all(after, count_max)
    }
    fn head(&self) -> Result<Option<(Position, Hash)>, ReadError> {
        self.log.head()
    }
    fn find_key(&self, key: &SenderKey) -> Result<Option<StreamName>, ReadError> {
        self.log.find_key(key)
    }
    fn origin(&self) -> &str {
        self.log.origin()
    }
}

/// A registrar and everything around it.
pub(super) struct Stage {
    pub(super) registrar: Registrar,
    pub(super) thread: RegistrarThread,
    pub(super) readers: Readers,
    pub(super) gate: Gate,
    pub(super) clock: Clock,
    pub(super) opener: Opener,
    pub(super) wake: Wake,
    /// What `on_fatal` was told.
    pub(super) fatal: Arc<Mutex<Vec<String>>>,
    /// The positions that `after_commit` was told.
    pub(super) committed: Arc<Mutex<Vec<Position>>>,
    pub(super) log: MemoryLog,
    pub(super) folder: tempfile::TempDir,
}

/// The vault of a folder that has a wrapping key.
pub(super) fn vault(folder: &tempfile::TempDir) -> (Sealer, Opener) {
    Vault::open(VaultConfig {
        keys_path: folder.path().join("keys.db"),
        wrapping_key_path: folder.path().join("wrapping.key"),
        origin: ORIGIN.to_owned(),
    })
    .unwrap()
}

pub(super) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    Vault::create_wrapping_key(&folder.path().join("wrapping.key")).unwrap();
    folder
}

pub(super) fn routes() -> Arc<hub_core::routes::Routes> {
    Arc::new(crate::reference::routes())
}

pub(super) fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::over(MemoryLog::new(ORIGIN), folder(), moment("2026-03-02T01:00:00Z"))
    }

    /// Over this log; the one that is given serves as the way to open the next.
    pub(super) fn over(log: MemoryLog, folder: tempfile::TempDir, now: Timestamp) -> Self {
        let log = log.reopen();
        let readers = log.readers();
        let gate = Gate(Arc::new((Mutex::new((Mood::Works, 0)), Condvar::new())));
        let clock = Clock::manual(now);
        let wake = Wake::default();
        let (sealer, opener) = vault(&folder);
        let fatal = Arc::new(Mutex::new(Vec::new()));
        let committed = Arc::new(Mutex::new(Vec::new()));
        let mut config = RegistrarConfig::new(StartWith::shipped());
        config.on_fatal = Box::new({
            let fatal = fatal.clone();
            move |it| fatal.lock().unwrap().push(format!("{it:?}"))
        });
        config.after_commit = Box::new({
            let committed = committed.clone();
            move |position, _, _| committed.lock().unwrap().push(position)
        });
        let moody = Box::new(MoodyLog { log: Box::new(log.reopen()), gate: gate.clone() });
        let (registrar, thread) =
            Registrar::start(config, moody, sealer, clock.clone(), routes(), wake.clone()).unwrap();
        Self {
            registrar,
            thread,
            readers,
            gate,
            clock,
            opener,
            wake,
            fatal,
            committed,
            log,
            folder,
        }
    }

    /// Stops and starts again over the same log, at `now`.
    pub(super) fn restart(self, now: Timestamp) -> Self {
        self.thread.stop();
        Self::over(self.log, self.folder, now)
    }

    pub(super) fn all(&self) -> Vec<Recorded> {
        self.readers.read(|it| it.read_all(Position(0), usize::MAX)).unwrap()
    }

    pub(super) fn story(&self, case: CaseId) -> Vec<Recorded> {
        self.readers.read(|it| it.read_stream(&StreamName::Case(case))).unwrap()
    }

    /// Submits and returns what was recorded.
    pub(super) async fn submitted(&self, case: CaseId) -> Vec<Recorded> {
        recorded(self.registrar.ask(submission(case, None, 1)).await)
    }
}

pub(super) fn recorded(answer: Result<Answer, Unavailable>) -> Vec<Recorded> {
    match answer {
        Ok(Answer::Recorded(it)) => it,
        other => panic!("it should be recorded: {other:?}"),
    }
}

pub(super) fn case(number: u128) -> CaseId {
    CaseId(Uuid::from_u128(0x0195_5000_0000_7000_8000_0000_0000_0000 + number))
}

pub(super) fn request(number: u128) -> RequestId {
    RequestId(Uuid::from_u128(number))
}

pub(super) fn key(number: u8) -> SenderKey {
    SenderKey([number; 32])
}

/// A submission for Changchun with the fingerprint `digest`.
pub(super) fn submission(case: CaseId, key: Option<SenderKey>, digest: u8) -> Ask {
    let now = moment("2026-03-02T01:00:00Z");
    let submit = Submit {
        case,
        number: CaseNumber::of(case, jiff::civil::date(2026, 3, 2)),
        request: RequestId(case.0),
        client: "national-web".to_owned(),
        client_reference: None,
        item: Item::Renewal,
        category: Category::Passenger,
        channel: Channel::Web,
        authority: IssuingAuthority {
            code: None,
            name: "长春市交通运输局".to_owned(),
            division: Some("220100".parse().unwrap()),
        },
        submitted_at: now,
        digest: Hash([digest; 32]),
    };
    Ask {
        actor: Actor::National("national-web".to_owned()),
        occurred_at: now,
        caused_by: None,
        what: What::Case {
            case,
            command: Command::Submit(submit),
            personal: Some(b"canary 220102199003078888".to_vec()),
            evidence: None,
            key,
        },
    }
}

/// The `number`th report on a case from `submission` with digest 1.
pub(super) fn report(case: CaseId, number: u64, news: News) -> Ask {
    let occurred_at = moment("2026-03-02T00:59:30Z");
    let message = ReportMessage {
        id: ReportId(Uuid::from_u128(case.0.as_u128() ^ u128::from(number) << 32)),
        occurred_at,
        report: Report {
            origin: ORIGIN.to_owned(),
            province: "22".parse::<ProvinceCode>().unwrap(),
            case,
            request: RequestId(case.0),
            digest: Hash([1; 32]),
            number,
            adapter: "test".to_owned(),
            news,
            sealed_text: None,
        },
    };
    Ask {
        actor: Actor::Hub,
        occurred_at: moment("2026-03-02T01:00:00Z"),
        caused_by: None,
        what: What::Case {
            case,
            command: Command::Record { message, next_request: request(99) },
            personal: None,
            evidence: Some(events::envelope::Evidence {
                bytes: b"as it came".to_vec(),
                signature: "header..signature".to_owned(),
            }),
            key: None,
        },
    }
}

pub(super) fn delivered() -> News {
    News::Delivered { work: WorkKind::Case }
}

pub(super) fn accepted() -> News {
    News::Accepted { acceptance_number: "受-7".to_owned() }
}
