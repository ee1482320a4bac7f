//! The law: what the registrar remembers is what the log says, whatever happened in between.

use std::collections::BTreeMap;

use events::envelope::{Event, Position};
use events::ids::StreamName;
use hub_core::case::Case;
use tokio::sync::oneshot;

use super::stage::{
    Mood, ORIGIN, Stage, accepted, case, delivered, folder, key, moment, recorded, report, routes,
    submission, vault,
};
use crate::clock::Clock;
use crate::log::memory::MemoryLog;
use crate::log::sqlite::SqliteLog;
use crate::registrar::desk::Desk;
use crate::registrar::starting::{RegistrarConfig, StartWith};
use crate::registrar::stories::Told;
use crate::registrar::{Answer, Ask, Job, Registrar, Unavailable};
use crate::wake::Wake;

fn mixed(from: u128, count: u128) -> Vec<Ask> {
    let mut asks = Vec::new();
    for number in from..from + count {
        asks.push(submission(case(number), None, 1));
        asks.push(report(case(number), 1, delivered()));
        asks.push(report(case(number), 3, accepted()));
        if number % 2 == 0 {
            asks.push(report(case(number), 2, accepted()));
        }
        asks.push(report(case(number), 1, delivered()));
    }
    asks
}

#[test]
fn what_is_remembered_is_what_a_replay_tells() {
    let log = MemoryLog::new(ORIGIN);
    let readers = log.readers();
    let (rules, clock) = (routes(), Clock::manual(moment("2026-03-02T01:00:00Z")));
    let folder = folder();
    let (sealer, _opener) = vault(&folder);
    let after_commit = Box::new(|_, _, _| {});
    let mut desk =
        Desk::open(1_000, after_commit, Box::new(log), sealer, clock, rules, Wake::default())
            .unwrap();
    let started = events::keeping::WriterStarted { epoch: 1, hub_version: "test".to_owned() };
    desk.write_first(started, StartWith::shipped()).unwrap();
    let mut answers = Vec::new();
    for asks in [mixed(0, 10), mixed(5, 10)] {
        let jobs = asks.into_iter().map(|ask| {
            let (answer, answered) = oneshot::channel();
            answers.push(answered);
            Job { ask, answer }
        });
        desk.handle(jobs.collect()).unwrap();
    }
    assert!(answers.into_iter().all(|mut it| it.try_recv().unwrap().is_ok()));
    let mut replayed = BTreeMap::<_, Told<Option<Case>>>::new();
    for recorded in readers.read(|it| it.read_all(Position(0), usize::MAX)).unwrap() {
        if let (Event::Case(event), StreamName::Case(case)) =
            (&recorded.envelope.event, recorded.envelope.stream)
        {
            let told = replayed.entry(case).or_default();
            told.state = hub_core::case::evolve(told.state.take(), event);
            told.version = recorded.version.0;
        }
    }
    assert_eq!(replayed.len(), 15);
    let remembered: BTreeMap<_, _> =
        desk.stories.remembered().map(|it| (*it.0, it.1.clone())).collect();
    assert_eq!(remembered, replayed);
}

#[tokio::test]
async fn what_the_log_knows_better_is_decided_anew_once() {
    let stage = Stage::new();
    stage.submitted(case(1)).await;
    stage.gate.set(Mood::LiesOnce);
    let asks = vec![
        report(case(1), 1, delivered()),
        submission(case(2), Some(key(2)), 1),
        submission(case(3), Some(key(2)), 1),
        report(case(1), 1, delivered()),
    ];
    let answers = stage.registrar.ask_all(asks).await;
    let told = recorded(answers[0].clone());
    let submitted = recorded(answers[1].clone());
    assert_eq!(told[0].version.0, 3);
    assert_eq!(answers[2], Ok(Answer::NothingNew(submitted)));
    assert_eq!(answers[3], Ok(Answer::NothingNew(told)));
    stage.gate.set(Mood::Lies);
    let answer = stage.registrar.ask(report(case(1), 2, accepted())).await;
    assert_eq!(answer, Err(Unavailable::Busy));
    stage.gate.set(Mood::Works);
    assert_eq!(recorded(stage.registrar.ask(report(case(1), 2, accepted())).await).len(), 1);
}

#[tokio::test]
async fn a_panic_is_told_and_nobody_waits_for_ever() {
    let stage = Stage::new();
    stage.gate.set(Mood::Panics);
    let answer = stage.registrar.ask(submission(case(1), None, 1)).await;
    assert_eq!(answer, Err(Unavailable::Stopped));
    stage.thread.join();
    assert_eq!(*stage.fatal.lock().unwrap(), ["Panicked"]);
}

#[tokio::test]
async fn the_same_holds_on_a_disk() {
    let folder = folder();
    let path = folder.path().join("log.db");
    let start = || {
        let log = SqliteLog::open(&path, ORIGIN).unwrap();
        let config = RegistrarConfig::new(StartWith::shipped());
        let clock = Clock::manual(moment("2026-03-02T01:00:00Z"));
        let sealer = vault(&folder).0;
        Registrar::start(config, Box::new(log), sealer, clock, routes(), Wake::default()).unwrap()
    };
    let (registrar, thread) = start();
    let asks = (0..300).map(|it| submission(case(it), Some(key((it % 100) as u8)), 1)).collect();
    let first = registrar.ask_all(asks).await;
    let told: Vec<_> = first
        .into_iter()
        .map(|it| match it.unwrap() {
            Answer::Recorded(it) | Answer::NothingNew(it) => it,
            Answer::Refused(refusal) => panic!("{refusal}"),
        })
        .collect();
    let reported = recorded(registrar.ask(report(case(7), 1, delivered())).await);
    drop(registrar);
    thread.join();
    let (registrar, thread) = start();
    for number in 0..100 {
        let again = submission(case(1_000), Some(key(number)), 1);
        let again = registrar.ask(again).await.unwrap();
        for at in [0, 100, 200] {
            assert_eq!(again, Answer::NothingNew(told[usize::from(number) + at].clone()));
        }
    }
    let again = registrar.ask(report(case(7), 1, delivered())).await;
    assert_eq!(again, Ok(Answer::NothingNew(reported)));
    thread.stop();
}
