//! One case is one trace, from submission to result, across hub, broker and adapter, restarts included; and
//! a collector that is away, refuses or hangs is nobody's trouble.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use async_nats::HeaderMap;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::{self, AckKind};
use events::ids::CaseId;
use events::subjects;
use events::trace::{Attribute, Hop, HopKind, SpanId, TraceParent, TraceSettings};
use futures::StreamExt as _;
use otlp::{Exporter, Fate, Service};
use serde_json::Value;
use tests::broker::{TestBroker, VERSIONS, Version, province, wait_for};
use tests::canary::find;
use tests::collector::{Collector, Mood, Span};
use tests::journey::Journey;
use tests::program::joined::{Joined, Joining};

/// The caller's own trace.
const CALLER: &str = "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";

/// A hub and one adapter of Jilin's that send their spans to `collector`.
async fn stage(test: &str, collector: &Collector) -> Option<(Joining, Joined)> {
    let mut stage = Joining::start(test, Version::Current).await?;
    let joined = stage.join(22).await;
    let text = std::fs::read_to_string(joined.at("adapter.toml")).unwrap();
    let text = format!("{text}\n{}", collector.table());
    std::fs::write(joined.at("adapter.toml"), text).unwrap();
    let file = stage.folder.at("hub.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    let hook = format!("name = \"national\"\nwebhook = {{ url = \"{}/results\" }}", collector.url);
    std::fs::write(&file, text.replace("name = \"national\"", &hook)).unwrap();
    stage.folder.add(&collector.table());
    restart(&mut stage).await;
    Some((stage, joined))
}

async fn restart(stage: &mut Joining) {
    assert!(stage.serving.stop().await.success());
    stage.serving = stage.folder.serve().await;
}

/// The names from `span` up to the first span of the trace.
fn road<'a>(spans: &'a BTreeMap<&str, &Span>, span: &'a Span) -> Vec<&'a str> {
    let mut road = vec![span.name.as_str()];
    let mut at = span;
    while !at.parent.is_empty() {
        at = spans[at.parent.as_str()];
        road.push(&at.name);
    }
    road
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_case_is_one_trace_from_submission_to_result_whoever_restarts() {
    let collector = Collector::start(Mood::Takes).await;
    let Some((mut stage, mut joined)) = stage("traces", &collector).await else { return };
    let mut body = tests::http::submission(1);
    body["authority"] = serde_json::json!({"name": "长春市交通运输局", "division": "220100"});
    body["submitted_at"] = "2026-12-30T09:00:00+08:00".into();
    let traceparent = format!("00-{CALLER}-01");
    let receipt = stage.serving.submit_within(&traceparent, "submission-1", &body).await;
    stage.story_has(&receipt, "case.forwarded.v1").await;
    // The hub is another process by the time the province takes the case, and nothing was kept for the trace.
    restart(&mut stage).await;
    joined.serve().await;
    stage.story_has(&receipt, "case.result-fed-back.v1").await;
    let case = receipt["case_id"].as_str().unwrap().to_owned();
    let story = stage.serving.get(&format!("/v1/cases/{case}/events")).await;
    joined.stop().await;
    assert!(stage.serving.stop().await.success());

    let spans = collector.of(&case);
    let by_id: BTreeMap<&str, &Span> = spans.iter().map(|it| (it.id.as_str(), it)).collect();
    assert_eq!(by_id.len(), spans.len(), "no span is told twice: {spans:#?}");
    let first: Vec<&Span> = spans.iter().filter(|it| it.parent.is_empty()).collect();
    assert_eq!(first.len(), 1, "{first:?}");
    assert_eq!((first[0].name.as_str(), &first[0].links), ("intake", &vec![CALLER.to_owned()]));
    for it in &spans {
        assert!(it.parent.is_empty() || by_id.contains_key(it.parent.as_str()), "cut off: {it:?}");
        // The broker may not be there yet when the hub tries: such an attempt leads to nothing.
        assert!(!it.failed || !spans.iter().any(|below| below.parent == it.id), "{it:?}");
        assert!(it.lasted.0 <= it.lasted.1, "{it:?}");
        assert_eq!(it.attributes["case.id"], case);
    }
    let services: BTreeSet<&str> = spans.iter().map(|it| it.service.as_str()).collect();
    assert_eq!(services, BTreeSet::from(["hub", "province-adapter"]));
    let result = spans.iter().find(|it| it.name == "feedback").expect("the result came back");
    assert_eq!(
        road(&by_id, result),
        [
            "feedback",
            "append",
            "decide",
            "report-intake",
            "report",
            "office",
            "take-in",
            "forward",
            "append",
            "decide",
            "intake"
        ]
    );
    let appended: BTreeSet<&str> = spans
        .iter()
        .filter(|it| it.name == "append")
        .map(|it| it.attributes["event.type"].as_str())
        .collect();
    let recorded: BTreeSet<&str> =
        story["events"].as_array().unwrap().iter().map(|it| it["type"].as_str().unwrap()).collect();
    assert!(recorded.len() >= 7, "{recorded:?}");
    assert_eq!(appended, recorded, "every event of the story has its span");
    let webhook = &collector.results()[0].0;
    assert_eq!(webhook, &format!("00-{}-{}-01", result.trace, result.id));
    nobody_is_in_it(&collector, &body);
}

/// Nothing that was handed in about the person stands in any byte that the collector got.
fn nobody_is_in_it(collector: &Collector, body: &Value) {
    let applicant = body["applicant"].as_object().unwrap();
    let needles: Vec<&str> = applicant.values().filter_map(Value::as_str).collect();
    assert!(needles.len() >= 3, "{applicant:?}");
    let bodies = collector.bodies();
    assert!(!bodies.is_empty());
    for bytes in &bodies {
        assert_eq!(find(bytes, &needles), [], "a person in a span");
    }
    // It would be found.
    assert_ne!(find(body.to_string().as_bytes(), &needles), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_hangs_or_refuses_disturbs_nobody() {
    let collector = Collector::start(Mood::Hangs).await;
    let Some((mut stage, mut joined)) = stage("traces", &collector).await else { return };
    joined.serve().await;
    stage.completes(1, 22).await;
    collector.becomes(Mood::Refuses);
    stage.completes(2, 22).await;
    wait_for("lost spans to be counted", async || {
        let metrics = stage.serving.metrics().await;
        metrics.contains("hub_spans_total{outcome=\"lost\"}").then_some(())
    })
    .await;
    collector.becomes(Mood::Hangs);
    stage.completes(3, 22).await;
    joined.stop().await;
    assert!(stage.serving.stop().await.success(), "within the time that is promised");
    assert_eq!(collector.spans(), []);
    let log = std::fs::read_to_string(stage.folder.at("hub.txt")).unwrap();
    let told = log.lines().filter(|it| it.contains("does not take spans")).count();
    assert_eq!(told, 1, "told once, not at every try:\n{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traceparent_travels_to_the_province_without_any_collector() {
    for version in VERSIONS {
        let Some(broker) = TestBroker::start("traces", version, &[22]).await else { continue };
        let journey = Journey::start(broker).await;
        let case = journey.submit(22).await;
        let header = work_header(&journey).await;
        let read: TraceParent = header.parse().unwrap_or_else(|it| panic!("{it}: {header}"));
        assert!(read.parent_in(case).is_some(), "the case's own trace: {header}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traceparent_travels_back_without_any_collector() {
    let Some(mut stage) = Joining::start("traces", Version::Current).await else { return };
    let mut joined = stage.join(22).await;
    let receipt = stage.serving.submit_to(1, 22).await;
    stage.story_has(&receipt, "case.forwarded.v1").await;
    // A hub that goes at once may not have made yet what a province joins by.
    let hub = stage.broker.hub().await;
    wait_for("the province's stream and consumer", async || {
        let work = hub.jetstream.get_stream(subjects::WORK_STREAM).await.ok()?;
        work.consumer_info(subjects::consumer(province(22))).await.ok()?;
        hub.jetstream.get_stream(subjects::report_stream(province(22))).await.ok()
    })
    .await;
    // While the hub is away its broker keeps what the province reports. (An old broker may have lost its
    // answers when it was told of the province, and only a hub that is there would notice: hence a new one.)
    assert!(stage.serving.stop().await.success());
    joined.serve().await;
    let case: CaseId = receipt["case_id"].as_str().unwrap().parse().unwrap();
    let headers = wait_for("three reports", async || {
        let headers = report_headers(&stage.broker).await;
        (headers.len() >= 3).then_some(headers)
    })
    .await;
    let span = |header: &String| {
        let read: TraceParent = header.parse().unwrap_or_else(|it| panic!("{it}: {header}"));
        read.parent_in(case).expect("the case's own trace").to_string()
    };
    let spans: BTreeSet<String> = headers.iter().map(span).collect();
    assert_eq!(spans.len(), headers.len(), "each message is a hop of its own");
    stage.serving = stage.folder.serve().await;
    stage.story_has(&receipt, "case.completed.v1").await;
}

/// `traceparent` of the work for Jilin, which is given back.
async fn work_header(journey: &Journey) -> String {
    let client = journey.broker.client(22).await;
    let jetstream = jetstream::with_prefix(client.clone(), subjects::PROVINCE_API_PREFIX);
    let message = wait_for("work", async || {
        let found = jetstream.get_consumer_from_stream("p22", subjects::WORK_STREAM).await;
        let consumer: PullConsumer = found.ok()?;
        let mut messages = consumer.fetch().max_messages(1).messages().await.ok()?;
        messages.next().await?.ok()
    })
    .await;
    message.ack_with(AckKind::Nak(None)).await.expect("it is given back");
    client.flush().await.expect("the broker hears it");
    traceparent(message.headers.as_ref().expect("headers"))
}

/// `traceparent` of each of Jilin's reports.
async fn report_headers(broker: &TestBroker) -> Vec<String> {
    let hub = broker.hub().await;
    let name = subjects::report_stream(province(22));
    let stream = hub.jetstream.get_stream(name).await.expect("a stream");
    let state = stream.get_info().await.expect("an info").state;
    let mut headers = Vec::new();
    // An empty stream begins and ends at 0, which is no message.
    for sequence in state.first_sequence.max(1)..=state.last_sequence {
        let message = stream.get_raw_message(sequence).await.expect("no report is deleted");
        if !message.subject.ends_with(subjects::INVENTORY_TOKEN) {
            headers.push(traceparent(&message.headers));
        }
    }
    headers
}

fn traceparent(headers: &HeaderMap) -> String {
    headers.get(subjects::TRACE_HEADER).map(|it| it.as_str().to_owned()).unwrap_or_default()
}

fn exporter(
    collector: &Collector,
    change: impl FnOnce(&mut TraceSettings),
) -> (Exporter, std::sync::Arc<std::sync::Mutex<BTreeMap<&'static str, u64>>>) {
    let mut settings =
        TraceSettings { otlp_endpoint: Some(collector.url.clone()), ..TraceSettings::default() };
    change(&mut settings);
    let service = Service { name: "test", version: "1", about: Vec::new() };
    let counts = std::sync::Arc::<std::sync::Mutex<BTreeMap<_, _>>>::default();
    let counted = counts.clone();
    let count = move |fate: Fate, count| {
        *counted.lock().unwrap().entry(fate.outcome()).or_default() += count;
    };
    (Exporter::start(&settings, &service, Box::new(count)).unwrap(), counts)
}

fn hop(nth: u64) -> Hop {
    let case = CaseId(uuid::Uuid::from_u128(7));
    let moment = hub::clock::Clock::real_now();
    let (span, parent) = (SpanId::by_chance(nth + 1), SpanId::intake(case));
    Hop::new("forward", HopKind::Producer, (case, span), parent, (moment, moment))
        .with(Attribute::Attempt(nth))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_is_sent_at_the_end_with_the_token_that_is_wanted() {
    let collector = Collector::start(Mood::Takes).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "let-me-in\n").unwrap();
    let (exporter, counts) = exporter(&collector, |it| {
        // Nothing but the end sends them.
        it.otlp_delay_ms = std::num::NonZeroU64::new(60_000).unwrap();
        it.otlp_token_file = Some(folder.path().join("token"));
    });
    (0..3).for_each(|it| exporter.tell(hop(it)));
    assert_eq!(collector.asked(), 0);
    tokio::task::block_in_place(|| exporter.stop());
    assert_eq!(collector.spans().len(), 3);
    assert_eq!(*counts.lock().unwrap(), BTreeMap::from([("sent", 3)]));
    assert_eq!(collector.authorizations(), BTreeSet::from(["Bearer let-me-in".to_owned()]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_queue_is_bounded_and_telling_never_waits() {
    let collector = Collector::start(Mood::Hangs).await;
    let (exporter, counts) = exporter(&collector, |it| {
        it.otlp_queue_spans_max = std::num::NonZeroU32::new(10).unwrap();
        it.otlp_batch_spans_max = std::num::NonZeroU32::new(5).unwrap();
        it.otlp_flush_ms_max = std::num::NonZeroU64::new(300).unwrap();
    });
    let begun = Instant::now();
    (0..10_000).for_each(|it| exporter.tell(hop(it)));
    // A collector's answer alone would be waited for for five seconds.
    assert!(begun.elapsed() < Duration::from_secs(4), "{:?}", begun.elapsed());
    // Ten wait, five more may be on their way.
    let dropped = counts.lock().unwrap()["dropped"];
    assert!((9_985..=9_990).contains(&dropped), "{dropped}");
    let begun = Instant::now();
    tokio::task::block_in_place(|| exporter.stop());
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}
