//! What a national system gets: real HTTP, schema, rules, sealing, signed receipt; beside the bare
//! group commit of the same run. The clients live in this process and take their part of its processors.
//!
//! `cargo bench -p tests --bench submissions [-- --seconds 3 --rounds 3 --clients 16]`

use std::time::Duration;

use tests::measure::client::National;
use tests::measure::raw::Raw;
use tests::measure::shown::{Better, Target};
use tests::measure::stand::{Door, Stand, TOKEN};
use tests::measure::{self, Run, cpu, shown};

/// How many clients ask at the same time.
const CLIENTS: [usize; 4] = [1, 16, 64, 256];
/// Each number is measured this often, raw and over HTTP in turn; the middle counts.
const ROUNDS: u64 = 3;

const P1: Target = Target {
    name: "P1",
    what: "events/s by HTTP submissions ÷ raw, 256 clients",
    better: Better::Larger,
    must: 0.20,
    aim: 0.35,
};
const P2: Target = Target {
    name: "P2",
    what: "p99 of a submission ÷ raw p99, 16 clients",
    better: Better::Smaller,
    must: 4.0,
    aim: 2.0,
};

/// One round: what is possible, and what the hub did of it.
struct Round {
    raw: Run,
    http: Run,
    cpu_us: f64,
}

#[tokio::main]
async fn main() {
    let time = Duration::from_secs(measure::told("--seconds", 2));
    let folder = measure::folder(env!("CARGO_TARGET_TMPDIR"));
    let raw = Raw::start(&folder.path().join("raw.db"));
    let stand = Stand::start(folder.path());
    let door = stand.listen().await;
    let national = national(&door);
    raw.run(64, time / 2).await;
    national.run(64, time / 2).await;
    let (mut rows, mut p1, mut p2) = (Vec::new(), f64::NAN, f64::NAN);
    let only = measure::told("--clients", 0);
    for clients in CLIENTS.into_iter().filter(|it| only == 0 || *it as u64 == only) {
        let mut rounds = Vec::new();
        for _ in 0..measure::told("--rounds", ROUNDS) {
            let raw = raw.run(clients, time).await;
            let before = cpu::used();
            let http = national.run(clients, time).await;
            let cpu_us = cpu::us_each(before, http.answers);
            rounds.push(Round { raw, http, cpu_us });
        }
        let middle = |figure: fn(&Round) -> f64| measure::median(rounds.iter().map(figure));
        let share = middle(|it| it.http.events_per_second() / it.raw.events_per_second());
        let slower = middle(|it| it.http.wait_ms(0.99) / it.raw.wait_ms(0.99));
        if clients == 256 {
            p1 = share;
        }
        if clients == 16 {
            p2 = slower;
        }
        rows.push(row(clients, share, slower, middle));
    }
    shown::say("submissions over HTTP beside raw group commit; clients share the processors");
    let head = [
        "clients",
        "raw ev/s",
        "raw p99 ms",
        "answers/s",
        "events/s",
        "÷ raw",
        "p50 ms",
        "p99 ms",
        "p99 ÷ raw",
        "cpu µs each",
    ];
    shown::table(&head, &rows);
    shown::targets(&[(P1, p1), (P2, p2)]);
    door.close().await;
    stand.stop().await;
    raw.stop();
}

fn row(
    clients: usize,
    share: f64,
    slower: f64,
    middle: impl Fn(fn(&Round) -> f64) -> f64,
) -> Vec<String> {
    vec![
        clients.to_string(),
        shown::count(middle(|it| it.raw.events_per_second())),
        shown::ms(middle(|it| it.raw.wait_ms(0.99))),
        shown::count(middle(|it| it.http.answers_per_second())),
        shown::count(middle(|it| it.http.events_per_second())),
        format!("{share:.2}"),
        shown::ms(middle(|it| it.http.wait_ms(0.5))),
        shown::ms(middle(|it| it.http.wait_ms(0.99))),
        format!("{slower:.2}"),
        format!("{:.0}", middle(|it| it.cpu_us)),
    ]
}

/// Authorities in all of a few provinces.
fn national(door: &Door) -> National {
    let divisions = ["220100", "320100", "440100", "510100"].map(str::to_owned).to_vec();
    National::new(door.address, TOKEN, divisions)
}
