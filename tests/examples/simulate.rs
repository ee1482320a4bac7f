//! The long campaign: `--seeds 10000 [--from 0]`. Ends with 1 at the first seed that breaks something.

use std::process::ExitCode;
use std::time::Instant;

use tests::simulation::{Outcome, Size, run};

fn option(name: &str, default: u64) -> u64 {
    let mut words = std::env::args().skip_while(|it| it != name);
    words.nth(1).and_then(|it| it.parse().ok()).unwrap_or(default)
}

fn main() -> ExitCode {
    let (from, seeds) = (option("--from", 0), option("--seeds", 100));
    let (started, mut all) = (Instant::now(), Outcome::default());
    for seed in from..from + seeds {
        let outcome = run(seed, Size::default());
        if !outcome.broken.is_empty() {
            println!("seed {seed} breaks:\n  {}", outcome.broken.join("\n  "));
            return ExitCode::from(1);
        }
        all.add(outcome);
        if (seed - from + 1).is_multiple_of(100) {
            let rate = (seed - from + 1) as f64 / started.elapsed().as_secs_f64();
            println!("{} seeds, {rate:.1} a second", seed - from + 1);
        }
    }
    let rate = seeds as f64 / started.elapsed().as_secs_f64();
    println!("{seeds} seeds, {rate:.1} a second, {} cases, {} events", all.cases, all.events);
    println!("faults met: {:#?}", all.faults);
    println!("events recorded: {:#?}", all.kinds);
    println!("edges walked: {:#?}", all.edges);
    println!("never recorded: {:?}", all.never());
    ExitCode::SUCCESS
}
