//! Does the contract suffice? An adapter that was written from it alone, in another language, with real messages.

use std::time::Duration;

use async_nats::HeaderMap;
use events::ids::CaseId;
use events::subjects;
use tests::broker::{TestBroker, VERSIONS};
use tests::journey::{Journey, ORIGIN};
use tests::python;
use tokio::process::Command;

#[tokio::test]
async fn another_language_agrees_with_every_test_vector() {
    let Some(interpreter) = python::python("vectors in Python").await else { return };
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/v1/vectors");
    let mut command = Command::new(interpreter);
    command.arg("-B").arg(python::folder().join("check_vectors.py")).arg(vectors);
    let output = command.output().await.unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(told.trim(), "22 vectors agree");
}

async fn submit_many(journey: &Journey, count: usize) -> Vec<CaseId> {
    let mut cases = Vec::with_capacity(count);
    for _ in 0..count {
        cases.push(journey.submit(22).await);
    }
    cases
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn its_cases_travel_to_completion_once_though_it_and_the_broker_are_killed() {
    let Some(interpreter) = python::python("the adapter in Python").await else { return };
    // What the client's library needs of a server is the same on both; one version is enough here.
    for version in &VERSIONS[..1] {
        let Some(broker) = TestBroker::start("python", *version, &[22]).await else { continue };
        let mut journey = Journey::start(broker).await;
        let folder = tempfile::tempdir().unwrap();
        let hub_key = journey.hub_public_key();
        let broker = &journey.broker;
        python::write_bundle(folder.path(), 22, &broker.url(), broker.keys(22), ORIGIN, &hub_key);
        let mut cases = submit_many(&journey, 20).await;
        for kill in 0..3 {
            let mut child = python::start(&interpreter, folder.path(), "prompt");
            let wanted = 4 * (kill + 1);
            let some = || journey.completed(&cases) >= wanted;
            journey.until("some complete", some).await;
            child.kill().await.unwrap();
        }
        let _child = python::start(&interpreter, folder.path(), "prompt");
        cases.extend(submit_many(&journey, 5).await);
        journey.broker.kill_and_restart().await;
        cases.extend(submit_many(&journey, 5).await);
        journey.until("all complete", || journey.completed(&cases) == cases.len()).await;
        each_once(&journey, &cases);
        say_everything_again(&journey, &cases).await;
        each_once(&journey, &cases);
    }
}

/// Each stage once, nothing refused, nothing that the hub could not understand.
fn each_once(journey: &Journey, cases: &[CaseId]) {
    for case in cases {
        let story = journey.story(*case);
        for kind in ["case.delivered.v1", "case.accepted.v1", "case.completed.v1"] {
            assert_eq!(story.iter().filter(|it| **it == kind).count(), 1, "{kind} in {story:?}");
        }
        assert!(!story.contains(&"case.report-refused.v1"), "{story:?}");
        assert!(!story.contains(&"case.conflicting-decision.v1"), "{story:?}");
    }
    assert_eq!(journey.strays(), 0, "{:?}", journey.quarantine.counts());
}

/// Every report of the adapter once more, as an attacker or a nervous broker would; the hub's receipts
/// for them come to an adapter that has them all.
async fn say_everything_again(journey: &Journey, cases: &[CaseId]) {
    let (head, client) = (journey.head(), journey.broker.client(22).await);
    for (subject, evidence) in journey.reports(cases) {
        let mut headers = HeaderMap::new();
        headers.insert(subjects::SIGNATURE_HEADER, evidence.signature.as_str());
        let stored = client.request_with_headers(subject, headers, evidence.bytes.into()).await;
        stored.expect("the broker takes it");
    }
    journey.drained(22).await;
    assert_eq!(journey.head(), head, "said twice, nothing changes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_obedient_office_refuses_to_serve_outside_of_a_sandbox() {
    let Some(interpreter) = python::python("the obedient office").await else { return };
    let folder = tempfile::tempdir().unwrap();
    let keys = hub::nats::keys::ProvinceKeys::generate().unwrap();
    python::write_bundle(folder.path(), 22, "nats://127.0.0.1:9", &keys, ORIGIN, "AAAA");
    let mut child = python::start(&interpreter, folder.path(), "obedient");
    let status = tokio::time::timeout(Duration::from_secs(30), child.wait()).await;
    assert_eq!(status.expect("it ends").unwrap().code(), Some(2));
}
