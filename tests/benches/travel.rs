//! Whole cases: handed in over HTTP, sealed, sent through a real broker to 32 adapters, decided, signed,
//! recorded. Hub, adapters and clients share this process and its processors; the broker has its own.
//!
//! `cargo bench -p tests --bench travel [-- --seconds 8 --in-flight 64]`

use std::time::Duration;

use events::ids::ProvinceCode;
use tests::measure::client::National;
use tests::measure::ends::Ends;
use tests::measure::load::Load;
use tests::measure::raw::Raw;
use tests::measure::road::Road;
use tests::measure::shown::{Better, Target};
use tests::measure::stand::{TOKEN, log_path};
use tests::measure::{self, Run, cpu, shown};

/// How many cases are under way at the same time.
const IN_FLIGHT: [usize; 4] = [1, 64, 256, 1_024];

const P3: Target = Target {
    name: "P3",
    what: "events/s of whole cases, 1,024 in flight ÷ raw, 256 askers",
    better: Better::Larger,
    must: 0.30,
    aim: 0.50,
};

#[tokio::main]
async fn main() {
    let time = Duration::from_secs(measure::told("--seconds", 8));
    let folder = measure::folder(env!("CARGO_TARGET_TMPDIR"));
    let raw = Raw::start(&folder.path().join("raw.db"));
    let Some(mut road) = Road::start("travel", folder.path()).await else { return };
    road.start_adapters(&[]);
    let door = road.stand.listen().await;
    let codes: Vec<u8> = ProvinceCode::all().map(ProvinceCode::number).collect();
    let national = National::new(door.address, TOKEN, Road::divisions(&codes));
    let ends = Ends::watch(&log_path(folder.path()), &road.stand.recorded);
    let load = Load::new(door.address, ends).await;
    let (mut rows, mut p3) = (Vec::new(), f64::NAN);
    load.travel(&national, 64, time / 4).await;
    let only = measure::told("--in-flight", 0);
    for in_flight in IN_FLIGHT.into_iter().filter(|it| only == 0 || *it as u64 == only) {
        let limit = raw.run(256, time / 4).await.events_per_second();
        let (before, head) = (cpu::used(), road.head());
        let mut run = load.travel(&national, in_flight, time).await;
        run.events = road.head() - head;
        let share = run.events_per_second() / limit;
        let cpu_us = cpu::us_each(before, run.answers);
        if in_flight == 1_024 {
            p3 = share;
        }
        rows.push(row(in_flight, limit, &run, share, cpu_us));
    }
    let strays = road.quarantine.counts().expect("the quarantine counts");
    assert!(strays.is_empty(), "nobody sent anything strange: {strays:?}");
    shown::say("whole cases, 32 provinces, real broker; everything else shares this process");
    let head = [
        "in flight",
        "raw ev/s (256)",
        "cases/s",
        "events/s",
        "÷ raw",
        "p50 ms",
        "p99 ms",
        "cpu µs a case, without the broker",
    ];
    shown::table(&head, &rows);
    shown::targets(&[(P3, p3)]);
    drop(load);
    door.close().await;
    road.stop().await;
    raw.stop();
}

fn row(in_flight: usize, limit: f64, run: &Run, share: f64, cpu_us: f64) -> Vec<String> {
    vec![
        in_flight.to_string(),
        shown::count(limit),
        shown::count(run.answers_per_second()),
        shown::count(run.events_per_second()),
        format!("{share:.2}"),
        shown::ms(run.wait_ms(0.5)),
        shown::ms(run.wait_ms(0.99)),
        format!("{cpu_us:.0}"),
    ]
}
