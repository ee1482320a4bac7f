//! The catalogue of bad input over NATS, where it needs a real broker: what a stored message can do to
//! whoever reads it, and how much of it one province can send. The rest of the catalogue is a table
//! at the desk (`hub/src/intake/examine/tests.rs`, `reports/tests.rs`) and a walk (`travel.rs`).

use std::time::Duration;

use async_nats::jetstream;
use futures::StreamExt as _;
use hub::nats::streams::StreamLimits;
use tests::broker::{TestBroker, VERSIONS, Version};
use tests::journey::Journey;
use tests::raw_nats::RawNats;

const SUBJECT: &str = "hub.v1.report.22.accepted";
/// How many strays there are of which source and reason.
type Counts = Vec<(String, String, u64)>;

/// 67 and 68: header bytes that end the pull, or the whole connection, of whoever reads them.
const POISON: &[&[u8]] = &[
    b"NATS/1.0 503\r\n\r\n",
    b"NATS/1.0 503 No Responders\r\n\r\n",
    b"NATS/1.0 409 Consumer Deleted\r\n\r\n",
    b"NATS/1.0 409 Consumer is push based\r\n\r\n",
    b"NATS/1.0 409 Exceeded MaxRequestBatch of 1\r\n\r\n",
    b"NATS/1.0 408\r\nNats-Pending-Messages: many\r\n\r\n",
    b"NATS/1.0 700 What\r\n\r\n",
    b"NATS/1.0 abc\r\n\r\n",
    b"NATS/1.0\r\nX: \xff\xfe\r\n\r\n",
    b"NATS/1.0\r\nno colon\r\n\r\n",
    b"\xff\xff\xff\xff",
];

/// 68: status lines that the client library keeps to itself, so that nobody ever answers.
const SWALLOWED: &[&[u8]] = &[
    b"NATS/1.0 100 Idle Heartbeat\r\n\r\n",
    b"NATS/1.0 408 Request Timeout\r\n\r\n",
    b"NATS/1.0 409 Message Size Exceeds MaxBytes\r\n\r\n",
];

fn counts(journey: &Journey) -> Counts {
    journey.quarantine.counts().expect("the quarantine counts")
}

/// All `headings` come to rest in the quarantine by name, nobody else notices, and 22 can go on.
async fn come_to_rest(mut journey: Journey, version: Version, headings: &[&[u8]]) {
    journey.adapter(23);
    let first = journey.submit(23).await;
    journey.until("23 is served", || journey.completed(&[first]) == 1).await;
    let line = journey.connection.up.clone();
    let url = journey.broker.url();
    let mut poisoner = RawNats::connect(&url, &journey.broker.keys(22).user).await;
    for heading in headings {
        poisoner.publish(SUBJECT, heading, b"payload").await;
        poisoner.settled().await;
    }
    let meanwhile = [journey.submit(23).await, journey.submit(23).await];
    journey.until("23 is served meanwhile", || journey.completed(&meanwhile) == 2).await;
    let all = headings.len() as u64;
    journey.until("all are kept", || journey.strays() >= all).await;
    journey.drained(22).await;
    assert_eq!(journey.strays(), all);
    for (source, reason, _) in counts(&journey) {
        assert_eq!(source, "province:22");
        // A new broker takes a status line without headers off itself; an old one hands it on.
        let stripped = version == Version::Current && reason == "no-signature";
        assert!(reason == "unreadable-headers" || stripped, "{reason}");
    }
    assert!(!line.has_changed().expect("the line stands"), "everybody's line was cut");
    journey.adapter(22);
    let case = journey.submit(22).await;
    journey.until("22 is served again", || journey.completed(&[case]) == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn headers_that_end_a_pull_or_a_line_come_to_rest_and_harm_nobody_else() {
    for version in VERSIONS {
        let Some(broker) = TestBroker::start("poison", version, &[22, 23]).await else { continue };
        come_to_rest(Journey::start(broker).await, version, POISON).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn status_lines_that_a_client_swallows_come_to_rest_too() {
    for version in VERSIONS {
        let Some(broker) = TestBroker::start("status", version, &[22, 23]).await else { continue };
        let limits = StreamLimits { ack_wait: Duration::from_secs(2), ..StreamLimits::default() };
        come_to_rest(Journey::start_with(broker, limits).await, version, SWALLOWED).await;
    }
}

/// 75: so many messages are sent as fast as the broker takes them, far more than 10,000 a second.
const FLOOD: usize = 20_000;
/// Publishes under way at once.
const FLOOD_IN_FLIGHT: usize = 512;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_is_bounded_and_named_and_nothing_that_was_acknowledged_is_lost() {
    for version in VERSIONS {
        let Some(broker) = TestBroker::start("flood", version, &[22, 23]).await else { continue };
        let limits = StreamLimits { report_bytes_max: 256 * 1024, ..StreamLimits::default() };
        let mut journey = Journey::start_with(broker, limits).await;
        journey.adapter(23);
        let first = journey.submit(23).await;
        journey.until("23 is served", || journey.completed(&[first]) == 1).await;
        let client = journey.broker.client(22).await;
        let flood = tokio::spawn(flood(jetstream::new(client)));
        let meanwhile =
            [journey.submit(23).await, journey.submit(23).await, journey.submit(23).await];
        journey.until("23 is served meanwhile", || journey.completed(&meanwhile) == 3).await;
        let (stored, refused) = flood.await.expect("the flood ends");
        assert_eq!(stored as usize + refused.len(), FLOOD);
        assert!(!refused.is_empty(), "{version:?}: {stored} messages fitted: no bound was met");
        let named = |it: &String| it.contains("maximum bytes");
        assert!(
            refused.iter().all(named),
            "{version:?}: {:?}",
            refused.iter().find(|it| !named(it))
        );
        journey.until("what was acknowledged is kept", || journey.strays() >= stored).await;
        journey.drained(22).await;
        let kept = counts(&journey);
        assert_eq!(kept, [("province:22".to_owned(), "no-signature".to_owned(), stored)]);
        journey.adapter(22);
        let case = journey.submit(22).await;
        journey.until("22 is served again", || journey.completed(&[case]) == 1).await;
    }
}

/// Sends all of it; how many the broker acknowledged, and what it said to the others.
async fn flood(jetstream: jetstream::Context) -> (u64, Vec<String>) {
    let sent = futures::stream::iter(0..FLOOD).map(|nth| {
        let jetstream = jetstream.clone();
        async move {
            let payload = format!("{nth:0>200}");
            let sent = jetstream.publish(SUBJECT, payload.into()).await;
            sent.map_err(|it| it.to_string())?.await.map_err(|it| it.to_string())
        }
    });
    let answers: Vec<_> = sent.buffer_unordered(FLOOD_IN_FLIGHT).collect().await;
    let refused: Vec<String> = answers.iter().filter_map(|it| it.clone().err()).collect();
    ((answers.len() - refused.len()) as u64, refused)
}
