//! What goes wrong: no room, an unknown outcome, too many at the door. Nobody is told what is not so.

use std::time::Duration;

use hub_core::refusal::Refusal;

use super::stage::{Mood, Stage, case, delivered, key, recorded, report, submission};
use crate::registrar::{Answer, Unavailable, WAITING_MAX};

/// Long enough for an answer that is on its way, in milliseconds.
const NO_ANSWER_MS: u64 = 50;

#[tokio::test]
async fn nobody_is_answered_before_the_append_returned() {
    let stage = Stage::new();
    stage.gate.set(Mood::Blocks);
    let before = stage.gate.appends();
    let registrar = stage.registrar.clone();
    let asks = vec![submission(case(1), Some(key(1)), 1), submission(case(2), Some(key(1)), 1)];
    let mut answers = tokio::spawn(async move { registrar.ask_all(asks).await });
    while stage.gate.appends() == before {
        tokio::task::yield_now().await;
    }
    let early = tokio::time::timeout(Duration::from_millis(NO_ANSWER_MS), &mut answers).await;
    assert!(early.is_err(), "answered before it was durable: {early:?}");
    stage.gate.set(Mood::Works);
    let answers = answers.await.unwrap();
    let first = recorded(answers[0].clone());
    assert_eq!(answers[1], Ok(Answer::NothingNew(first)));
}

#[tokio::test]
async fn without_room_everybody_is_told_so_and_later_it_goes_on() {
    let stage = Stage::new();
    stage.submitted(case(1)).await;
    stage.gate.set(Mood::Full);
    for _ in 0..2 {
        let asks = vec![submission(case(2), Some(key(2)), 1), report(case(1), 1, delivered())];
        let answers = stage.registrar.ask_all(asks).await;
        assert_eq!(answers, [Err(Unavailable::Full), Err(Unavailable::Full)]);
    }
    // A refusal needs no room.
    let refused = stage.registrar.ask(report(case(9), 1, delivered())).await;
    assert_eq!(refused, Ok(Answer::Refused(Refusal::UnknownCase)));
    stage.gate.set(Mood::Works);
    // Nothing of what failed is remembered: all of it is new.
    assert_eq!(recorded(stage.registrar.ask(report(case(1), 1, delivered())).await).len(), 1);
    let second = recorded(stage.registrar.ask(submission(case(2), Some(key(2)), 1)).await);
    assert_eq!(second[0].version.0, 1);
    let sealed = second[0].envelope.sealed.as_ref().unwrap();
    assert!(stage.opener.open(case(2), second[0].envelope.id, sealed).is_ok());
    assert!(stage.fatal.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_unknown_outcome_ends_it_without_an_answer() {
    let stage = Stage::new();
    stage.gate.set(Mood::Unknown);
    let answer = stage.registrar.ask(submission(case(1), None, 1)).await;
    assert_eq!(answer, Err(Unavailable::Stopped));
    stage.thread.join();
    let fatal = stage.fatal.lock().unwrap();
    assert_eq!(fatal.len(), 1);
    assert!(fatal[0].starts_with("Append(Unknown"), "{fatal:?}");
}

#[tokio::test]
async fn a_newer_writer_ends_it() {
    let stage = Stage::new();
    let _newer = stage.log.reopen();
    let answer = stage.registrar.ask(submission(case(1), None, 1)).await;
    assert_eq!(answer, Err(Unavailable::Stopped));
    stage.thread.join();
    assert!(stage.fatal.lock().unwrap()[0].starts_with("Append(Fenced"));
}

#[tokio::test]
async fn too_many_are_told_at_once_and_the_patient_wait() {
    let stage = Stage::new();
    stage.gate.set(Mood::Blocks);
    let before = stage.gate.appends();
    let mut waiting = Vec::new();
    let first = stage.registrar.clone();
    waiting.push(tokio::spawn(async move { first.ask(submission(case(0), None, 1)).await }));
    while stage.gate.appends() == before {
        tokio::task::yield_now().await;
    }
    // The thread is held back; now the queue fills up.
    for number in 1..=WAITING_MAX as u128 {
        let registrar = stage.registrar.clone();
        let ask = submission(case(number), None, 1);
        waiting.push(tokio::spawn(async move { registrar.ask(ask).await }));
    }
    while stage.registrar.waiting() < WAITING_MAX {
        tokio::task::yield_now().await;
    }
    let busy = stage.registrar.ask(submission(case(5_000), None, 1)).await;
    assert_eq!(busy, Err(Unavailable::Busy));
    let patient = stage.registrar.clone();
    let ask = submission(case(5_001), None, 1);
    let patient = tokio::spawn(async move { patient.ask_patiently(ask).await });
    stage.gate.set(Mood::Works);
    assert_eq!(recorded(patient.await.unwrap()).len(), 2);
    for answer in waiting {
        assert_eq!(recorded(answer.await.unwrap()).len(), 2);
    }
}
