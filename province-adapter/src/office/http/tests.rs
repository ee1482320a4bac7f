//! The connector against an office that speaks REST in UTF-8 and one that speaks SOAP in GB18030.

use std::time::Duration;

use events::report::News;

use super::charset::Charset;
use super::counterpart::{Habit, Stage, rest_settings, rule};
use super::*;
use crate::status::shown::Level;

#[tokio::test]
async fn a_rest_office_gets_each_work_and_its_states_become_reports_once() {
    let mut stage = Stage::start(false).await;
    let work = stage.work(100, WorkKind::Case);
    stage.rehearsal.arrive(&work.work).await;
    stage.take(&work).await.unwrap();
    let body: Value = serde_json::from_slice(&stage.counterpart.bodies.lock().unwrap()[0]).unwrap();
    assert_eq!((&body["name"], &body["kind"]), (&json!("古丽·𠮷<&\">"), &json!("XB")));
    for (state, told) in [
        (json!({"kind": "01"}), 0),
        (json!({"kind": "02", "acceptance_number": "受-1"}), 1),
        (json!({"kind": "02", "acceptance_number": "受-1"}), 1),
        (json!({"kind": "06", "ground": "1"}), 2),
        (json!({"kind": "07"}), 3),
        (json!({"kind": "06", "ground": "1"}), 4),
        (json!({"kind": "07"}), 5),
        (
            json!({"kind": "08", "acceptance_number": "受-1", "outcome": 1, "decision_number": "决-1"}),
            6,
        ),
        (
            json!({"kind": "09", "acceptance_number": "受-1", "outcome": 1, "decision_number": "决-1", "certificate_id": "E-1"}),
            7,
        ),
    ] {
        stage.says(&state);
        assert_eq!(stage.ask().await, 1, "{state}");
        assert_eq!(stage.told().await.len(), told, "{state}");
        stage.crash().await;
    }
    let expected = [
        "accepted",
        "suspended",
        "resumed",
        "suspended",
        "resumed",
        "completed",
        "certificate-issued",
    ];
    assert_eq!(stage.told().await, expected);
    assert_eq!(stage.ask().await, 0, "nobody asks about a case that has ended");
}

#[tokio::test]
async fn an_office_that_is_asked_late_is_told_whole() {
    let stage = Stage::start(false).await;
    let work = stage.work(100, WorkKind::Case);
    stage.rehearsal.arrive(&work.work).await;
    stage.take(&work).await.unwrap();
    stage.says(json!({"kind": "08", "acceptance_number": "受-1", "outcome": "1", "decision_number": "决-1"}));
    stage.ask().await;
    assert_eq!(stage.told().await, ["accepted", "completed"]);
}

#[tokio::test]
async fn a_soap_office_in_gb18030_is_sent_and_read_and_may_answer_at_once() {
    let stage = Stage::start(true).await;
    let work = stage.work(100, WorkKind::Case);
    stage.rehearsal.arrive(&work.work).await;
    stage.says(
        "<r><code>1</code><kind>02</kind><acceptance_number>受2026-1</acceptance_number></r>",
    );
    stage.take(&work).await.unwrap();
    let body = stage.counterpart.bodies.lock().unwrap()[0].clone();
    assert!(std::str::from_utf8(&body).is_err(), "it is not UTF-8");
    let text = Charset::of("gb18030").unwrap().decode(&body, None).unwrap();
    let sent = document::read(&text, None).unwrap();
    assert_eq!(sent.pointer("/Envelope/Body/submit/name"), Some(&json!("古丽·𠮷<&\">")));
    assert_eq!(sent.pointer("/Envelope/Body/submit/sx"), Some(&json!("HF")));
    assert_eq!(stage.told().await, ["accepted"]);
    stage.says("<r><code>1</code><kind>03</kind><reason>19</reason></r>");
    stage.ask().await;
    assert_eq!(stage.told().await, ["accepted"], "an accepted case cannot be declined");
    stage.says("<r><code>1</code><kind>08</kind><outcome>1</outcome><decision_number>决1</decision_number></r>");
    stage.ask().await;
    let told = stage.rehearsal.told(work.work.case).await;
    let Some(News::Completed { decision_number, .. }) = told.last().map(|it| &it.report.news)
    else {
        panic!("{told:?}");
    };
    assert_eq!(decision_number, "决1");
}

#[tokio::test]
async fn bad_habits_lose_and_double_nothing() {
    for habit in [
        Habit::Slow,
        Habit::Broken,
        Habit::Half,
        Habit::WrongCharset,
        Habit::Redirects,
        Habit::Endless,
        Habit::NotNow,
        Habit::Silent,
        Habit::Refuses,
    ] {
        let stage = Stage::start(false).await;
        let work = stage.work(100, WorkKind::Case);
        stage.rehearsal.arrive(&work.work).await;
        stage.habit(habit);
        let reason = stage.take(&work).await.expect_err("it is not taken");
        assert!(!reason.is_empty() && !reason.contains("古丽"), "{habit:?}: {reason}");
        assert_eq!(stage.counterpart.files.lock().unwrap().len(), 0);
        stage.habit(Habit::Fine);
        if habit == Habit::Refuses {
            assert!(stage.take(&work).await.unwrap_err().contains("somebody must look"));
            stage.rehearsal.clock.advance(Duration::from_secs(3_601));
        }
        stage.take(&work).await.unwrap();
        stage.take(&work).await.unwrap();
        assert_eq!(stage.counterpart.files.lock().unwrap().len(), 1, "{habit:?}");
        assert_eq!(*stage.counterpart.elsewhere.lock().unwrap(), 0, "it follows nobody");

        stage.says(json!({"kind": "02", "acceptance_number": "受-1"}));
        stage.habit(habit);
        stage.ask().await;
        assert_eq!(stage.told().await.len(), 0, "{habit:?}");
        stage.habit(Habit::Fine);
        stage.ask().await;
        assert_eq!(stage.told().await, ["accepted"], "{habit:?}");
    }
}

#[tokio::test]
async fn an_office_that_is_away_is_told_later_and_a_repeated_work_opens_no_second_file() {
    let mut stage = Stage::start(false).await;
    let work = stage.work(100, WorkKind::Case);
    stage.rehearsal.arrive(&work.work).await;
    let right = std::mem::replace(&mut stage.settings.url, "http://127.0.0.1:9/cases".to_owned());
    stage.crash().await;
    assert!(stage.take(&work).await.unwrap_err().contains("is not reached"));
    stage.settings.url = right;
    // The office took it, and we died before we could note it.
    stage.counterpart.files.lock().unwrap().insert(work.work.request.to_string());
    stage.crash().await;
    stage.take(&work).await.unwrap();
    assert_eq!(stage.counterpart.files.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn unknown_codes_are_named_and_said_rightly_later() {
    let stage = Stage::start(false).await;
    let work = stage.work(100, WorkKind::Case);
    stage.rehearsal.arrive(&work.work).await;
    stage.take(&work).await.unwrap();
    stage.says(json!({"kind": "03", "reason": "1l"}));
    stage.ask().await;
    assert_eq!(stage.told().await.len(), 0);
    stage.says(json!({"kind": "03", "reason": "11"}));
    stage.ask().await;
    assert_eq!(stage.told().await, ["declined"]);
}

#[tokio::test]
async fn corrections_replace_and_withdrawals_end_what_is_asked() {
    let stage = Stage::start(false).await;
    let work = stage.work(100, WorkKind::Case);
    stage.rehearsal.arrive(&work.work).await;
    stage.take(&work).await.unwrap();
    stage.says(json!({"kind": "04", "missing": "CL04", "until": "2026-03-20"}));
    stage.ask().await;
    assert_eq!(stage.told().await, ["correction-requested"]);
    let correction = stage.work(200, WorkKind::Correction);
    stage.rehearsal.arrive(&correction.work).await;
    stage.take(&correction).await.unwrap();
    stage.says(json!({"kind": "02", "acceptance_number": "受-1"}));
    assert_eq!(stage.ask().await, 1, "only the newest is asked about");
    let told = stage.rehearsal.told(work.work.case).await;
    assert_eq!(told[1].report.request, correction.work.request);
    let withdrawal = stage.work(300, WorkKind::Withdrawal);
    stage.rehearsal.arrive(&withdrawal.work).await;
    stage.take(&withdrawal).await.unwrap();
    assert_eq!(stage.ask().await, 0);
}

#[tokio::test]
async fn check_says_in_plain_words_what_would_not_run() {
    let stage = Stage::start(false).await;
    let lines = check(&stage.settings).await;
    assert!(lines.iter().all(|it| it.level == Level::Fine), "{lines:?}");
    let mut wrong = stage.settings.clone();
    wrong.url = "http://127.0.0.1:9/".to_owned();
    wrong.secret_headers.insert("x".to_owned(), "none".into());
    std::fs::write(&wrong.template_file, "{\n\"a\": {{ aplicant }}}").unwrap();
    let lines = check(&wrong).await;
    let text = lines.iter().map(|it| it.found.clone()).collect::<Vec<_>>().join("\n");
    for part in ["line 2", "secret_headers.x", "is the office's service running?"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(lines.iter().all(|it| it.level == Level::Bad), "{lines:?}");
}

#[test]
fn settings_that_cannot_be_are_named_together() {
    let mut settings = rest_settings("http://x");
    settings.url = "x".to_owned();
    settings.charset = "big5".to_owned();
    settings.rules = vec![rule(None, Some("0"), Then::Refused)];
    settings.code = None;
    settings.answer.insert("kin".to_owned(), "state".to_owned());
    let text = settings.problems().join("\n");
    for part in ["http.url", "http.charset", "then = \"taken\"", "http.code", "answer.kin"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}
