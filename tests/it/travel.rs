//! The case travels: one hub, a real broker, real adapters. The broker may lose all it has, any time.

use std::collections::BTreeSet;

use async_nats::HeaderMap;
use events::ids::CaseId;
use events::subjects;
use hub::nats::streams::StreamLimits;
use tests::broker::{TestBroker, VERSIONS};
use tests::journey::Journey;

async fn submit_many(journey: &Journey, codes: [u8; 2], count: usize) -> Vec<CaseId> {
    let mut cases = Vec::with_capacity(count);
    for nth in 0..count {
        cases.push(journey.submit(codes[nth % 2]).await);
    }
    cases
}

/// Each case has each stage once, whatever was sent twice.
fn assert_each_once(journey: &Journey, cases: &[CaseId]) {
    for case in cases {
        let story = journey.story(*case);
        for kind in ["case.delivered.v1", "case.accepted.v1", "case.completed.v1"] {
            assert_eq!(story.iter().filter(|it| **it == kind).count(), 1, "{kind} in {story:?}");
        }
        assert!(!story.contains(&"case.report-refused.v1"), "{story:?}");
        assert!(!story.contains(&"case.conflicting-decision.v1"), "{story:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_cases_travel_and_every_old_report_again_changes_nothing() {
    for version in VERSIONS {
        let Some(broker) = TestBroker::start("travel", version, &[22, 23]).await else { continue };
        let mut journey = Journey::start(broker).await;
        journey.adapter(22);
        journey.adapter(23);
        let cases = submit_many(&journey, [22, 23], 50).await;
        journey.until("all complete", || journey.completed(&cases) == cases.len()).await;
        assert_each_once(&journey, &cases);

        let reports = journey.reports(&cases);
        let ours: Vec<_> =
            reports.iter().filter(|it| it.0.starts_with("hub.v1.report.22.")).collect();
        assert_eq!(reports.len(), 150);
        let head = journey.head();
        let client = journey.broker.client(22).await;
        for (subject, evidence) in &ours {
            let mut headers = HeaderMap::new();
            headers.insert(subjects::SIGNATURE_HEADER, evidence.signature.as_str());
            let payload = evidence.bytes.clone().into();
            let stored = client.request_with_headers(subject.clone(), headers, payload).await;
            stored.expect("the broker takes it");
        }
        journey.drained(22).await;
        assert_eq!((journey.head(), journey.strays()), (head, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_loses_everything_loses_nothing_that_counts() {
    for version in VERSIONS {
        let Some(broker) = TestBroker::start("travel", version, &[22, 23]).await else { continue };
        let mut journey = Journey::start(broker).await;
        // Only one province listens: the other one's work lies in the broker when it is wiped.
        journey.adapter(22);
        let mut cases = submit_many(&journey, [22, 23], 40).await;
        let forwarded = || cases.iter().all(|it| journey.story(*it).contains(&"case.forwarded.v1"));
        journey.until("all forwarded", forwarded).await;
        journey.broker.wipe_store().await;
        cases.extend(submit_many(&journey, [22, 23], 10).await);
        journey.adapter(23);
        journey.until("all complete", || journey.completed(&cases) == cases.len()).await;
        assert_each_once(&journey, &cases);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_signed_is_kept_by_name_and_an_honest_report_behind_it_is_taken() {
    for version in VERSIONS {
        let Some(broker) = TestBroker::start("travel", version, &[22, 23]).await else { continue };
        let mut journey = Journey::start(broker).await;
        journey.broker.ensure(&journey.connection, &StreamLimits::default()).await;
        let head = journey.head();
        let client = journey.broker.client(22).await;
        let mut many = HeaderMap::new();
        (0..200).for_each(|it| many.append("X-Many", it.to_string().as_str()));
        let mut forged = HeaderMap::new();
        forged.insert("Nats-Subject", "hub.v1.report.23.accepted");
        forged.insert(subjects::SIGNATURE_HEADER, "a..b");
        let payloads: [(&'static [u8], HeaderMap); 6] = [
            (b"", HeaderMap::new()),
            (b"+ACK", HeaderMap::new()),
            (br#"{"stream":"REPORT_23","seq":1}"#, HeaderMap::new()),
            (&[0xff; 100], HeaderMap::new()),
            (b"{}", many),
            (b"{}", forged),
        ];
        for (payload, headers) in payloads {
            let subject = "hub.v1.report.22.accepted";
            let stored = client.request_with_headers(subject, headers, payload.into()).await;
            stored.expect("the broker takes it");
        }
        journey.until("all six are kept", || journey.strays() == 6).await;
        journey.drained(22).await;
        let reasons = journey.quarantine.counts().expect("counts");
        let reasons: BTreeSet<_> = reasons.into_iter().map(|it| it.1).collect();
        let named = ["malformed-signature", "no-signature"].map(str::to_owned);
        assert_eq!(reasons, BTreeSet::from(named));
        assert_eq!(journey.head(), head);

        journey.adapter(22);
        let case = journey.submit(22).await;
        journey.until("the honest case completes", || journey.completed(&[case]) == 1).await;
    }
}
