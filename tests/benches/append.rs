//! The limit of all appending: one thread, one fsync for whoever waits, nothing else.
//!
//! `cargo bench -p tests --bench append [-- --seconds 3]`

use std::time::Duration;

use tests::measure::raw::{BODY_BYTES, Raw};
use tests::measure::{self, Run, shown};

/// How many ask at the same time.
const ASKERS: [usize; 4] = [1, 16, 64, 256];
/// Each number of askers is measured this often; the middle counts.
const ROUNDS: u64 = 3;

#[tokio::main]
async fn main() {
    let time = Duration::from_secs(measure::told("--seconds", 2));
    let rounds = measure::told("--rounds", ROUNDS);
    let folder = measure::folder(env!("CARGO_TARGET_TMPDIR"));
    let raw = Raw::start(&folder.path().join("raw.db"));
    raw.run(64, time).await;
    let mut rows = Vec::new();
    for askers in ASKERS {
        let mut runs = Vec::new();
        for _ in 0..rounds {
            runs.push(raw.run(askers, time).await);
        }
        rows.push(row(askers, &runs));
    }
    raw.stop();
    shown::say(&format!(
        "raw group commit, {BODY_BYTES}-byte bodies, {rounds} rounds of {} s, medians",
        time.as_secs()
    ));
    shown::table(&["askers", "events/s", "p50 ms", "p99 ms"], &rows);
}

fn row(askers: usize, runs: &[Run]) -> Vec<String> {
    let middle = |figure: fn(&Run) -> f64| measure::median(runs.iter().map(figure));
    vec![
        askers.to_string(),
        shown::count(middle(Run::events_per_second)),
        shown::ms(middle(|it| it.wait_ms(0.5))),
        shown::ms(middle(|it| it.wait_ms(0.99))),
    ]
}
