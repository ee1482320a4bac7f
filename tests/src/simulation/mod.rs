//! One seed, one history: a real hub, real adapters' stores, a bus that drops, doubles, delays and
//! turns round, and crashes between any two hops. Afterwards everything must be as if nothing had been.
//!
//! Ids and keys are drawn by the machine, so the bytes of two runs differ; the story of a seed — which
//! events, in which order, at which moments — is the same every time, and its fingerprint says so.

pub mod adapter;
mod bus;
mod office;
mod people;
mod world;

use std::collections::BTreeMap;

use events::case::CaseEvent;
use events::envelope::Recorded;
use events::ids::CaseId;
use events::proof::Hash;
use hub_core::case::{Case, evolve};
use sha2::{Digest as _, Sha256};

use self::world::World;
use crate::invariants;
use crate::stage::ORIGIN;

/// How large and how bad a history is.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// Cases handed in.
    pub cases: u64,
    /// Steps with faults.
    pub steps: u32,
}

impl Default for Size {
    fn default() -> Self {
        Self { cases: 8, steps: 90 }
    }
}

/// What a history came to.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What does not hold; each begins with the name of its check.
    pub broken: Vec<String>,
    /// Cases in the log.
    pub cases: u64,
    /// Events in the log.
    pub events: u64,
    /// Faults of every kind that were met.
    pub faults: BTreeMap<&'static str, u64>,
    /// How often each kind of event was recorded.
    pub kinds: BTreeMap<&'static str, u64>,
    /// How often each edge was walked: from which stage, to which.
    pub edges: BTreeMap<(&'static str, &'static str), u64>,
    /// The same for the same seed.
    pub fingerprint: Option<Hash>,
}

impl Outcome {
    /// Adds another history's counts.
    pub fn add(&mut self, other: Self) {
        self.cases += other.cases;
        self.events += other.events;
        self.broken.extend(other.broken);
        other.faults.into_iter().for_each(|(it, n)| *self.faults.entry(it).or_default() += n);
        other.kinds.into_iter().for_each(|(it, n)| *self.kinds.entry(it).or_default() += n);
        other.edges.into_iter().for_each(|(it, n)| *self.edges.entry(it).or_default() += n);
    }

    /// Kinds of case events that were never recorded.
    pub fn never(&self) -> Vec<&'static str> {
        CaseEvent::KINDS.iter().copied().filter(|it| !self.kinds.contains_key(it)).collect()
    }
}

/// Runs one seed.
pub fn run(seed: u64, size: Size) -> Outcome {
    let mut world = World::new(seed, size);
    world.live_badly();
    let rested = world.live_well();
    let log = world.hub.events();
    let mut outcome = Outcome {
        cases: invariants::cases(&log).len() as u64,
        events: log.len() as u64,
        faults: world.faults.clone(),
        fingerprint: Some(fingerprint(&log)),
        ..Outcome::default()
    };
    if !rested {
        outcome.broken.push("rest: it does not come to rest without faults".to_owned());
    }
    outcome.broken.extend(judge(&world, &log));
    outcome.broken.extend(world.say_everything_again());
    count(&log, &mut outcome);
    outcome
}

fn judge(world: &World, log: &[Recorded]) -> Vec<String> {
    let mut broken = invariants::chain(ORIGIN, log);
    broken.extend(invariants::kept(log, &world.answered));
    broken.extend(invariants::once(log));
    broken.extend(invariants::authentic(log));
    broken.extend(invariants::delivered(&world.hub));
    broken.extend(invariants::ended(log));
    broken.extend(invariants::views(&world.hub));
    broken.extend(world.unreceipted());
    broken
}

fn count(log: &[Recorded], outcome: &mut Outcome) {
    let mut cases: BTreeMap<CaseId, Case> = BTreeMap::new();
    for (id, event) in log.iter().filter_map(invariants::case_event) {
        let before = cases.remove(&id);
        let from = before.as_ref().map_or("nothing", Case::stage);
        let Some(after) = evolve(before, event) else { continue };
        *outcome.kinds.entry(event.kind()).or_default() += 1;
        *outcome.edges.entry((from, after.stage())).or_default() += 1;
        cases.insert(id, after);
    }
}

/// Over everything that does not depend on drawn ids.
fn fingerprint(log: &[Recorded]) -> Hash {
    let mut sha = Sha256::new();
    for it in log {
        let stream = it.envelope.stream.to_string();
        let line = format!(
            "{} {stream} {} {} {}\n",
            it.position,
            it.version,
            it.recorded_at,
            it.envelope.event.kind()
        );
        sha.update(line);
    }
    Hash(sha.finalize().into())
}
