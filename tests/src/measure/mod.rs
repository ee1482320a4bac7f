//! Measuring: every figure stands beside the limit that was measured in the same run, because on a
//! busy machine only the ratio of the two means anything.

pub mod client;
pub mod cpu;
pub mod ends;
pub mod load;
pub mod people;
pub mod raw;
pub mod road;
pub mod scan;
pub mod shown;
pub mod stand;
pub mod story;

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

/// What a run of one kind of work came to.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// How many were asked and answered.
    pub answers: u64,
    /// How many events that recorded.
    pub events: u64,
    /// How long the whole run took.
    pub took: Duration,
    /// How long each answer took, in microseconds.
    pub waits_us: Vec<u32>,
}

impl Run {
    /// Events a second.
    pub fn events_per_second(&self) -> f64 {
        self.events as f64 / self.took.as_secs_f64()
    }

    /// Answers a second.
    pub fn answers_per_second(&self) -> f64 {
        self.answers as f64 / self.took.as_secs_f64()
    }

    /// The wait, in milliseconds, within which this part of all answers came.
    pub fn wait_ms(&self, part: f64) -> f64 {
        if self.waits_us.is_empty() {
            return f64::NAN;
        }
        let mut sorted = self.waits_us.clone();
        sorted.sort_unstable();
        let at = ((sorted.len() - 1) as f64 * part).round() as usize;
        f64::from(sorted[at]) / 1_000.0
    }

    /// Adds what another asker of the same run did.
    pub fn add(&mut self, other: Self) {
        self.answers += other.answers;
        self.events += other.events;
        self.waits_us.extend(other.waits_us);
    }
}

/// The middle of some figures.
pub fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.into_iter().filter(|it| it.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    if sorted.is_empty() { f64::NAN } else { sorted[sorted.len() / 2] }
}

/// A folder on the disk that the sources are on; it goes when the value goes. `target` is the
/// benchmark's `CARGO_TARGET_TMPDIR`: the system's own may be in memory, where nothing is durable.
pub fn folder(target: &str) -> TempDir {
    let parent = Path::new(target);
    std::fs::create_dir_all(parent).expect("the target folder can be written");
    tempfile::tempdir_in(parent).expect("the target folder can be written")
}

/// A number given on the command line as `--name 7` or `--name=7`.
#[allow(clippy::disallowed_methods, reason = "a benchmark has no config.rs")]
pub fn told(name: &str, otherwise: u64) -> u64 {
    let all: Vec<String> = std::env::args().collect();
    let given = all.iter().enumerate().find_map(|(at, it)| match it.strip_prefix(name) {
        Some("") => all.get(at + 1).cloned(),
        Some(rest) => rest.strip_prefix('=').map(str::to_owned),
        None => None,
    });
    given.map_or(otherwise, |it| it.parse().expect("a number follows the name"))
}

/// Whether a switch was given on the command line.
pub fn is_told(name: &str) -> bool {
    std::env::args().any(|it| it == name)
}
