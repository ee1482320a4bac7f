//! What one province does to the others: it floods its report stream, or it is silent while cases for
//! it pile up. Told is the wait of the others, before and meanwhile, under a light load.
//!
//! `cargo bench -p tests --bench isolation [-- --seconds 8]`

use std::time::Duration;

use events::ids::{CaseId, ProvinceCode, ReportId, RequestId};
use events::proof::Hash;
use events::proof::signature::{self, Purpose};
use events::report::{News, Report, ReportMessage};
use events::subjects;
use events::wire::report_to_bytes;
use events::work::WorkKind;
use tests::measure::client::National;
use tests::measure::ends::Ends;
use tests::measure::load::Load;
use tests::measure::road::Road;
use tests::measure::shown::{Better, Target};
use tests::measure::stand::{TOKEN, log_path};
use tests::measure::story::ORIGIN;
use tests::measure::{self, Run, shown};
use uuid::Uuid;

/// The province that misbehaves.
const LOUD: u8 = 22;
/// The province whose adapter is not there.
const SILENT: u8 = 65;
/// Cases of the others that are under way at the same time: a busy day has fewer.
const IN_FLIGHT: usize = 8;
/// Reports of the flood: signed, well formed, about cases that there are not.
const FLOOD_REPORTS: u64 = 20_000;
/// Published before the connection is flushed.
const FLUSH_REPORTS: u64 = 256;
/// Cases that pile up for the silent province.
const PILED_CASES: usize = 2_000;

const P10_LOUD: Target = Target {
    name: "P10",
    what: "p99 of the others while one floods ÷ before",
    better: Better::Smaller,
    must: 1.5,
    aim: 1.1,
};
const P10_SILENT: Target =
    Target { what: "p99 of the others while one is silent ÷ before", ..P10_LOUD };

#[tokio::main]
async fn main() {
    let time = Duration::from_secs(measure::told("--seconds", 8));
    let folder = measure::folder(env!("CARGO_TARGET_TMPDIR"));
    let Some(mut road) = Road::start("isolation", folder.path()).await else { return };
    road.start_adapters(&[SILENT]);
    let door = road.stand.listen().await;
    let others: Vec<u8> = ProvinceCode::all().map(ProvinceCode::number).collect();
    let others: Vec<u8> = others.into_iter().filter(|it| ![LOUD, SILENT].contains(it)).collect();
    let national = National::new(door.address, TOKEN, Road::divisions(&others));
    let to_silent = national.elsewhere(Road::divisions(&[SILENT]));
    let ends = Ends::watch(&log_path(folder.path()), &road.stand.recorded);
    let load = Load::new(door.address, ends).await;
    load.travel(&national, IN_FLIGHT, time / 2).await;

    let mut loud = Vec::new();
    let mut rows = Vec::new();
    for _ in 0..measure::told("--rounds", 3) {
        let before = load.travel(&national, IN_FLIGHT, time).await;
        let flood = flood(&road).await;
        let during = load.travel(&national, IN_FLIGHT, time).await;
        flood.abort();
        drained(&road).await;
        loud.push(during.wait_ms(0.99) / before.wait_ms(0.99));
        rows.push(row("before", &before));
        rows.push(row("one floods", &during));
    }
    let before = load.travel(&national, IN_FLIGHT, time).await;
    for _ in 0..PILED_CASES {
        load.submit(&to_silent).await;
    }
    let during = load.travel(&national, IN_FLIGHT, time).await;
    let silent = during.wait_ms(0.99) / before.wait_ms(0.99);
    rows.push(row("before", &before));
    rows.push(row("one is silent", &during));
    shown::say("whole cases of the other provinces, 8 in flight");
    shown::table(&["when", "cases/s", "p50 ms", "p99 ms"], &rows);
    shown::targets(&[(P10_LOUD, measure::median(loud)), (P10_SILENT, silent)]);
    drop(load);
    door.close().await;
    road.stop().await;
}

/// Publishes the flood as fast as the broker takes it.
async fn flood(road: &Road) -> tokio::task::JoinHandle<()> {
    let client = road.broker.client(LOUD).await;
    let province = tests::broker::province(LOUD);
    let key = road.sign_key(LOUD);
    tokio::spawn(async move {
        for nth in 1..=FLOOD_REPORTS {
            let payload = report_to_bytes(&stray(province));
            let key_id = format!("{province}-sign-1");
            let signature = signature::sign(&key, &key_id, Purpose::Report, &payload);
            let mut headers = async_nats::HeaderMap::new();
            headers.insert(subjects::SIGNATURE_HEADER, signature.as_str());
            let subject = subjects::report(province, "delivered");
            let published = client.publish_with_headers(subject, headers, payload.into()).await;
            published.expect("the province may publish there");
            if nth % FLUSH_REPORTS == 0 {
                client.flush().await.expect("the broker takes it");
            }
        }
    })
}

/// A report about a case that there is not.
fn stray(province: ProvinceCode) -> ReportMessage {
    let report = Report {
        origin: ORIGIN.into(),
        province,
        case: CaseId(Uuid::now_v7()),
        request: RequestId(Uuid::now_v7()),
        digest: Hash([7; 32]),
        number: 1,
        adapter: "1.0.0".into(),
        news: News::Delivered { work: WorkKind::Case },
        sealed_text: None,
    };
    let occurred_at = hub::clock::Clock::real_now();
    ReportMessage { id: ReportId(Uuid::now_v7()), occurred_at, report }
}

/// Waits until the hub has worked off what was published.
async fn drained(road: &Road) {
    let stream = subjects::report_stream(tests::broker::province(LOUD));
    tests::broker::wait_for("the flood to be worked off", async || {
        let mut stream = road.connection.jetstream.get_stream(&stream).await.ok()?;
        let info = stream.info().await.ok()?;
        (info.state.messages == 0).then_some(())
    })
    .await;
}

fn row(when: &str, run: &Run) -> Vec<String> {
    vec![
        when.to_owned(),
        shown::count(run.answers_per_second()),
        shown::ms(run.wait_ms(0.5)),
        shown::ms(run.wait_ms(0.99)),
    ]
}
