//! A result is told until it is confirmed, signed, and with a province's words only where it is private.

use std::sync::Mutex;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode};
use events::proof::signature::verify;
use events::report::{News, Report};
use events::vocabulary::Outcome;
use hub_core::case::Case;

use super::*;
use crate::router::handover::fold;
use crate::tests::{ORIGIN, Stage, accepted, delivered, province};
use crate::views::runner::Views;

type Calls = Arc<Mutex<Vec<(String, Bytes)>>>;

/// A national system that answers `status` and remembers what it was told.
async fn national(status: Arc<Mutex<StatusCode>>) -> (Url, Calls) {
    let calls = Calls::default();
    let seen = calls.clone();
    let answer = move |headers: HeaderMap, body: Bytes| async move {
        let signature = headers[subjects::SIGNATURE_HEADER].to_str().unwrap().to_owned();
        seen.lock().unwrap().push((signature, body));
        *status.lock().unwrap()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/results", listener.local_addr().unwrap()).parse().unwrap();
    let app = axum::Router::new().route("/results", axum::routing::post(answer));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (url, calls)
}

/// A completed case whose province added words for the applicant.
async fn completed(stage: &Stage) -> CaseId {
    stage.enroll(22).await;
    let case = stage.submit(1, 22).await;
    stage.registrar_records(stage.report(case, 1, delivered())).await;
    stage.registrar_records(stage.report(case, 2, accepted())).await;
    let folded: Case = fold(&stage.story(case)).unwrap();
    let request = folded.request().unwrap();
    let mut report = Report {
        origin: ORIGIN.into(),
        province: province(22),
        case,
        request: request.id,
        digest: request.digest,
        number: 3,
        adapter: "1.0.0".into(),
        news: News::Completed {
            outcome: Outcome::Approved,
            decision_number: "决-1".into(),
            reasons: vec![],
            result: Default::default(),
        },
        sealed_text: None,
    };
    let (key, context) = (stage.opener.reply_key(case).unwrap(), report.text_context());
    let sealed = seal::seal(&key, [9; 12], context.as_bytes(), "请到窗口领取".as_bytes());
    report.sealed_text = Some(BASE64.encode(sealed));
    stage.registrar_records(stage.signed(report)).await;
    case
}

#[tokio::test]
async fn a_result_is_told_again_until_it_is_confirmed_and_then_never() {
    let stage = Stage::new();
    let case = completed(&stage).await;
    let status = Arc::new(Mutex::new(StatusCode::INTERNAL_SERVER_ERROR));
    let (url, calls) = national(status.clone()).await;
    let folder = tempfile::tempdir().unwrap();
    let (readers, membership) = (stage.readers.clone(), stage.membership.clone());
    let opener = Some(stage.opener.clone());
    let mut views =
        Views::open(&folder.path().join("views.db"), readers, membership, opener).unwrap();
    views.catch_up().unwrap();
    let needs = FeedbackNeeds {
        hooks: vec![Webhook { client: "web".into(), url }],
        views: views.reader(),
        readers: stage.readers.clone(),
        opener: stage.opener.clone(),
        registrar: stage.registrar.clone(),
        signer: stage.signer.clone(),
        origin: ORIGIN.into(),
        clock: stage.clock.clone(),
    };
    let config = FeedbackConfig { pace: Pace { waits_ms: vec![0] }, ..FeedbackConfig::default() };
    let mut sender = FeedbackSender::new(needs, config).unwrap();
    assert_eq!(sender.round().await.unwrap(), 0);
    assert_eq!(sender.round().await.unwrap(), 0);
    *status.lock().unwrap() = StatusCode::NO_CONTENT;
    assert_eq!(sender.round().await.unwrap(), 1);
    views.catch_up().unwrap();
    assert_eq!(sender.round().await.unwrap(), 0);

    let kinds = crate::registrar::kinds(&stage.story(case));
    assert_eq!(kinds.last(), Some(&"case.result-fed-back.v1"));
    let calls = calls.lock().unwrap();
    assert_eq!(calls.len(), 3);
    for (signature, body) in calls.iter() {
        verify(&stage.signer.public_key(), Purpose::Feedback, signature, body).unwrap();
        assert_eq!(body, &calls[0].1, "the same again is the same");
    }
    let told: serde_json::Value = serde_json::from_slice(&calls[0].1).unwrap();
    assert_eq!(told["type"], "cn.gov.mot.hub.feedback.approved.v1");
    assert_eq!(told["data"]["text"], "请到窗口领取");
    assert_eq!(told["data"]["completion"]["verdict"], "on-time");
}

#[test]
fn a_provinces_words_travel_only_where_nobody_else_reads() {
    for (url, private) in [
        ("https://national.example/feedback", true),
        ("http://127.0.0.1:8080/", true),
        ("http://[::1]:8080/", true),
        ("http://localhost:8080/", true),
        ("http://national.example/", false),
        ("http://10.0.0.1/", false),
        ("http://127.0.0.1.example/", false),
        ("http://localhost.example/", false),
    ] {
        let hook = Webhook { client: "web".into(), url: url.parse().unwrap() };
        assert_eq!(hook.is_private(), private, "{url}");
    }
}
