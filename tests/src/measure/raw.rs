//! The limit: the same table, written by a bare thread that takes what waits and commits it together.
//! No rules, no vault, no HTTP. What the hub reaches is told as a part of this.

use std::path::Path;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use events::envelope::Envelope;
use events::envelope::Version;
use events::ids::{CaseId, EventId, StreamName};
use hub::clock::Clock;
use hub::log::sqlite::SqliteLog;
use hub::log::{Append, EventLog as _, Expected};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::Run;
use super::story;

/// How large a body is: what a submitted case takes.
pub const BODY_BYTES: usize = 870;
/// Events of one story, as in a usual case.
const EVENTS_A_CASE: u64 = 7;
/// The registrar's own bound.
const BATCH_MAX: usize = 256;

struct Asked {
    case: u128,
    version: u64,
    answer: oneshot::Sender<()>,
}

/// The bare thread.
pub struct Raw {
    door: mpsc::Sender<Asked>,
    thread: JoinHandle<()>,
}

impl Raw {
    /// Writes to a new log at `path`.
    pub fn start(path: &Path) -> Self {
        let log = SqliteLog::open(path, "hub.bench/raw").expect("a new log opens");
        let (door, asked) = mpsc::channel(1_000);
        let thread = std::thread::spawn(move || work(log, asked));
        Self { door, thread }
    }

    /// `askers` ask for `time`, each again as soon as it is answered.
    pub async fn run(&self, askers: usize, time: Duration) -> Run {
        let begun = Instant::now();
        let mut tasks = Vec::new();
        for _ in 0..askers {
            tasks.push(tokio::spawn(ask(self.door.clone(), begun + time)));
        }
        let mut run = Run::default();
        for task in tasks {
            run.add(task.await.expect("an asker does not panic"));
        }
        run.took = begun.elapsed();
        run
    }

    /// Ends when everything is written.
    pub fn stop(self) {
        drop(self.door);
        self.thread.join().expect("the bare thread does not panic");
    }
}

async fn ask(door: mpsc::Sender<Asked>, until: Instant) -> Run {
    let mut run = Run::default();
    let (mut case, mut version) = (0, 0);
    while Instant::now() < until {
        if version % EVENTS_A_CASE == 0 {
            (case, version) = (Uuid::now_v7().as_u128(), 0);
        }
        let begun = Instant::now();
        let (answer, answered) = oneshot::channel();
        door.send(Asked { case, version, answer }).await.expect("the bare thread works");
        answered.await.expect("the bare thread answers");
        run.waits_us.push(begun.elapsed().as_micros() as u32);
        run.answers += 1;
        run.events += 1;
        version += 1;
    }
    run
}

fn work(mut log: SqliteLog, mut asked: mpsc::Receiver<Asked>) {
    let template = story::body_of(BODY_BYTES);
    let mut waiting = Vec::with_capacity(BATCH_MAX);
    let mut ids = Ids::default();
    while asked.blocking_recv_many(&mut waiting, BATCH_MAX) > 0 {
        let items = waiting.iter().map(|it| append(&template, it, &mut ids)).collect();
        let answers = log.append(items).expect("there is room");
        assert!(answers.iter().all(Result::is_ok), "nobody else writes");
        for it in waiting.drain(..) {
            let _gone = it.answer.send(());
        }
        if asked.is_empty() {
            log.rest().expect("there is room");
        }
    }
}

fn append(template: &Envelope, asked: &Asked, ids: &mut Ids) -> Append {
    let stream = StreamName::Case(CaseId(Uuid::from_u128(asked.case)));
    let expected =
        if asked.version == 0 { Expected::NoStream } else { Expected::At(Version(asked.version)) };
    let mut event = template.clone();
    event.id = ids.one_more();
    event.stream = stream;
    Append { stream, expected, recorded_at: Clock::real_now(), events: vec![event], key: None }
}

/// Event ids that grow: the shape of a UUIDv7, without its randomness.
#[derive(Debug, Default)]
pub struct Ids(u128);

impl Ids {
    /// One more, greater than all before.
    pub fn one_more(&mut self) -> EventId {
        self.0 += 1;
        EventId(Uuid::from_u128((0x019c_0000_0000_7000_8000_0000_0000_0000) + self.0))
    }
}
