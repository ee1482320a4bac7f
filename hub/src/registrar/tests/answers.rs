//! What is answered: once recorded, known the second time, refused when it is another thing.

use events::case::CaseEvent;
use events::envelope::{Actor, Event};
use events::keeping::{CaseKeyDestroyed, KeepingEvent};
use hub_core::command::Command;
use hub_core::refusal::Refusal;

use super::stage::{
    Mood, Stage, accepted, case, delivered, key, moment, recorded, report, submission,
};
use crate::registrar::{Answer, Ask, Registrar, Unavailable, What, kinds};
use crate::vault::VaultError;

#[tokio::test]
async fn a_submission_is_recorded_sealed_and_routed() {
    let stage = Stage::new();
    let recorded = stage.submitted(case(1)).await;
    assert_eq!(kinds(&recorded), ["case.submitted.v1", "case.routed.v1"]);
    assert_eq!(stage.story(case(1)), recorded);
    let first = &recorded[0].envelope;
    assert_eq!(first.actor, Actor::National("national-web".to_owned()));
    let sealed = first.sealed.as_ref().unwrap();
    let opened = stage.opener.open(case(1), first.id, sealed).unwrap();
    assert_eq!(opened, b"canary 220102199003078888");
    assert_eq!(recorded[1].envelope.sealed, None);
    assert_eq!(*stage.committed.lock().unwrap().last().unwrap(), recorded[1].position);
}

#[tokio::test]
async fn what_waits_is_appended_together_and_all_are_answered() {
    let stage = Stage::new();
    stage.gate.set(Mood::Blocks);
    let before = stage.gate.appends();
    let asks: Vec<_> = (0..200).map(|it| submission(case(it), None, 1)).collect();
    let registrar = stage.registrar.clone();
    let answers = tokio::spawn(async move { registrar.ask_all(asks).await });
    // All but those of the first append are waiting now, or will be.
    while stage.gate.appends() == before {
        tokio::task::yield_now().await;
    }
    stage.gate.set(Mood::Works);
    for answer in answers.await.unwrap() {
        assert_eq!(recorded(answer).len(), 2);
    }
    assert!(stage.gate.appends() - before < 200, "{} appends", stage.gate.appends() - before);
}

#[tokio::test]
async fn a_hundred_with_one_key_are_one_case_and_a_hundred_same_answers() {
    let stage = Stage::new();
    let asks = (0..100).map(|it| submission(case(it), Some(key(1)), 1)).collect();
    let answers = stage.registrar.ask_all(asks).await;
    let mut fresh = 0;
    let mut told = Vec::new();
    for answer in answers {
        told.push(match answer.unwrap() {
            Answer::Recorded(it) => {
                fresh += 1;
                it
            }
            Answer::NothingNew(it) => it,
            Answer::Refused(refusal) => panic!("{refusal}"),
        });
    }
    assert_eq!(fresh, 1);
    assert_eq!(told[0].len(), 2);
    assert!(told.iter().all(|it| it == &told[0]));
    let submitted = stage.all().iter().filter(|it| it.version.0 == 1).count();
    // The case, `reference` and `keeping`.
    assert_eq!(submitted, 3);
}

#[tokio::test]
async fn a_key_is_found_again_after_a_restart() {
    let stage = Stage::new();
    let first = recorded(stage.registrar.ask(submission(case(1), Some(key(1)), 1)).await);
    let stage = stage.restart(moment("2026-03-05T01:00:00Z"));
    let again = stage.registrar.ask(submission(case(2), Some(key(1)), 1)).await;
    assert_eq!(again, Ok(Answer::NothingNew(first)));
    assert_eq!(stage.story(case(2)), []);
}

#[tokio::test]
async fn a_key_with_another_body_is_refused_in_one_batch_and_later() {
    let stage = Stage::new();
    let asks = vec![submission(case(1), Some(key(1)), 1), submission(case(2), Some(key(1)), 2)];
    let answers = stage.registrar.ask_all(asks).await;
    let refused = Ok(Answer::Refused(Refusal::IdempotencyKeyReused));
    assert_eq!(answers[1], refused);
    assert_eq!(stage.registrar.ask(submission(case(3), Some(key(1)), 3)).await, refused);
    assert_eq!(stage.story(case(2)), []);
}

#[tokio::test]
async fn asks_on_one_case_in_one_batch_build_on_each_other() {
    let stage = Stage::new();
    let asks = vec![
        submission(case(1), None, 1),
        report(case(1), 1, delivered()),
        report(case(1), 2, accepted()),
        report(case(1), 1, delivered()),
    ];
    let answers = stage.registrar.ask_all(asks).await;
    let delivered = recorded(answers[1].clone());
    assert_eq!(kinds(&delivered), ["case.delivered.v1"]);
    assert_eq!(kinds(&recorded(answers[2].clone())), ["case.accepted.v1"]);
    assert_eq!(answers[3], Ok(Answer::NothingNew(delivered)));
    let versions: Vec<u64> = stage.story(case(1)).iter().map(|it| it.version.0).collect();
    assert_eq!(versions, [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_passed_day_is_the_hubs_own_word_and_the_report_keeps_its_evidence() {
    let stage = Stage::new();
    stage.submitted(case(1)).await; // Monday: due on Wednesday, 2026-03-04
    stage.clock.advance_to(moment("2026-03-05T01:00:00Z"));
    let ask = || report(case(1), 1, accepted());
    let told = recorded(stage.registrar.ask(ask()).await);
    assert_eq!(kinds(&told), ["case.acceptance-overdue.v1", "case.accepted.v1"]);
    let (passed, own) = (&told[0].envelope, &told[1].envelope);
    assert_eq!((&passed.actor, passed.caused_by), (&Actor::Hub, None));
    assert_eq!(passed.occurred_at, moment("2026-03-05T01:00:00Z"));
    assert!(passed.evidence.is_none(), "the province signed nothing of the kind");
    assert_eq!(own.actor, Actor::Province("22".parse().unwrap()));
    assert!(own.evidence.is_some() && own.caused_by.is_some());
    // The same again finds the report's own event, as its receipt did.
    assert_eq!(stage.registrar.ask(ask()).await, Ok(Answer::NothingNew(vec![told[1].clone()])));
}

#[tokio::test]
async fn a_personal_part_is_sealed_with_its_own_event_not_with_a_passed_day() {
    let stage = Stage::new();
    stage.submitted(case(1)).await;
    stage.clock.advance_to(moment("2026-03-05T01:00:00Z"));
    let command = Command::Withdraw {
        requested_at: moment("2026-03-05T00:00:00Z"),
        request: super::stage::request(7),
    };
    let what = What::Case {
        case: case(1),
        command,
        personal: Some(b"canary".to_vec()),
        evidence: None,
        key: None,
    };
    let actor = Actor::National("national-web".to_owned());
    let occurred_at = moment("2026-03-05T00:00:00Z");
    let told =
        recorded(stage.registrar.ask(Ask { actor, occurred_at, caused_by: None, what }).await);
    assert_eq!(kinds(&told), ["case.acceptance-overdue.v1", "case.withdrawn.v1"]);
    assert_eq!(told[0].envelope.sealed, None);
    let own = &told[1].envelope;
    assert_eq!(
        stage.opener.open(case(1), own.id, own.sealed.as_ref().unwrap()).unwrap(),
        b"canary"
    );
}

#[tokio::test]
async fn a_report_speaks_for_its_province_and_brings_its_evidence_once() {
    let stage = Stage::new();
    stage.submitted(case(1)).await;
    let ask = report(case(1), 1, delivered());
    let told = recorded(stage.registrar.ask(ask).await);
    let envelope = &told[0].envelope;
    assert_eq!(envelope.actor, Actor::Province("22".parse().unwrap()));
    assert_eq!(envelope.occurred_at, moment("2026-03-02T00:59:30Z"));
    assert_eq!(envelope.evidence.as_ref().unwrap().bytes, b"as it came");
    let Event::Case(CaseEvent::CaseDelivered(event)) = &envelope.event else { panic!() };
    assert_eq!(envelope.caused_by, Some(event.report.0));
    // Much later, and by a registrar that remembers nothing: the same event again.
    let stage = stage.restart(moment("2026-03-05T01:00:00Z"));
    let again = stage.registrar.ask(report(case(1), 1, delivered())).await;
    assert_eq!(again, Ok(Answer::NothingNew(told)));
}

#[tokio::test]
async fn a_no_is_an_answer_and_the_registrar_goes_on() {
    let stage = Stage::new();
    let unknown = stage.registrar.ask(report(case(1), 1, delivered())).await;
    assert_eq!(unknown, Ok(Answer::Refused(Refusal::UnknownCase)));
    stage.submitted(case(1)).await;
    let early = stage.registrar.ask(report(case(1), 5, accepted())).await;
    assert!(matches!(early, Ok(Answer::Refused(Refusal::ReportTooEarly { number: 5, .. }))));
    assert_eq!(stage.story(case(1)).len(), 2);
    assert!(stage.fatal.lock().unwrap().is_empty());
}

#[tokio::test]
async fn ids_and_moments_grow_across_restarts_even_if_the_clock_went_back() {
    let stage = Stage::new();
    stage.submitted(case(1)).await;
    let mut stage = stage.restart(moment("2026-03-01T00:00:00Z"));
    stage.registrar.ask(submission(case(2), None, 1)).await.unwrap();
    stage = stage.restart(moment("2026-03-03T00:00:00Z"));
    stage.submitted(case(3)).await;
    let all = stage.all();
    assert!(all.is_sorted_by(|a, b| a.envelope.id < b.envelope.id));
    assert!(all.is_sorted_by(|a, b| a.recorded_at <= b.recorded_at));
    let steps = all.iter().filter(|it| it.envelope.event.kind() == "keeping.clock-stepped.v1");
    assert_eq!(steps.count(), 1, "the clock stepped once, backwards");
    let starts: Vec<u64> = all
        .iter()
        .filter_map(|it| match &it.envelope.event {
            Event::Keeping(KeepingEvent::WriterStarted(it)) => Some(it.epoch),
            _ => None,
        })
        .collect();
    assert_eq!(starts.len(), 3);
    assert!(starts.is_sorted_by(|a, b| a < b));
    assert_eq!(all[0].envelope.event.kind(), "keeping.writer-started.v1");
}

#[tokio::test]
async fn a_destroyed_key_is_destroyed_when_it_is_answered_and_again_at_the_next_start() {
    let stage = Stage::new();
    let story = stage.submitted(case(1)).await;
    let ask = || Ask {
        actor: Actor::Operator("li".to_owned()),
        occurred_at: moment("2026-03-02T01:00:00Z"),
        caused_by: None,
        what: What::Keeping(
            CaseKeyDestroyed {
                case: case(1),
                operator: "li".to_owned(),
                reason: "retention ended".to_owned(),
            }
            .into(),
        ),
    };
    recorded(stage.registrar.ask(ask()).await);
    let sealed = story[0].envelope.sealed.clone().unwrap();
    let opened = stage.opener.open(case(1), story[0].envelope.id, &sealed);
    assert!(matches!(opened, Err(VaultError::NoKey { .. })));
    let again = stage.registrar.ask(ask()).await;
    assert_eq!(again, Ok(Answer::NothingNew(vec![])));
    // A key file from before the destruction: the start knows better.
    let stage = {
        stage.thread.stop();
        for name in ["keys.db", "keys.db-wal", "keys.db-shm"] {
            let _absent = std::fs::remove_file(stage.folder.path().join(name));
        }
        Stage::over(stage.log, stage.folder, moment("2026-03-03T01:00:00Z"))
    };
    assert!(stage.opener.is_destroyed(case(1)).unwrap());
    assert_eq!(stage.registrar.ask(ask()).await, Ok(Answer::NothingNew(vec![])));
}

#[tokio::test]
async fn whoever_listens_hears_of_every_commit() {
    let stage = Stage::new();
    let mut ear = stage.wake.listen();
    stage.submitted(case(1)).await;
    let long = std::time::Duration::from_secs(60);
    let heard = tokio::time::timeout(std::time::Duration::from_secs(5), ear.heard(long)).await;
    assert!(heard.is_ok());
}

#[tokio::test]
async fn it_stops_when_told_and_when_the_last_handle_is_gone() {
    let stage = Stage::new();
    let registrar: Registrar = stage.registrar.clone();
    stage.thread.stop();
    let answer = registrar.ask(submission(case(1), None, 1)).await;
    assert_eq!(answer, Err(Unavailable::Stopped));
    let stage = Stage::new();
    drop(stage.registrar);
    stage.thread.join();
}

#[test]
fn only_what_is_kept_is_looked_up() {
    assert!(!crate::registrar::known::is_kept(&Command::Revise));
}

#[tokio::test]
async fn a_clock_that_steps_back_is_recorded_once_with_the_next_ask() {
    let stage = Stage::new();
    stage.submitted(case(1)).await;
    stage.clock.advance_to(moment("2026-03-02T00:30:00Z"));
    let second = stage.submitted(case(2)).await;
    stage.submitted(case(3)).await;
    assert_eq!(second[0].recorded_at, moment("2026-03-02T01:00:00Z"));
    let all = stage.all();
    let steps: Vec<u64> = all
        .iter()
        .filter(|it| it.envelope.event.kind() == "keeping.clock-stepped.v1")
        .map(|it| it.position.0)
        .collect();
    assert_eq!(steps, [second[0].position.0 - 1]);
}
