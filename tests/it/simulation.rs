//! What nobody thought of: many seeds, and everything must hold after each. The long campaign is
//! `cargo run -p tests --example simulate -- --seeds 10000`.

use tests::simulation::{Outcome, Size, run};

/// In an unoptimised build this takes some seconds.
const SEEDS: u64 = 40;

#[test]
fn nothing_is_lost_or_done_twice_whatever_breaks() {
    let mut all = Outcome::default();
    for seed in 0..SEEDS {
        let outcome = run(seed, Size::default());
        assert!(outcome.broken.is_empty(), "seed {seed}: {:#?}", outcome.broken);
        all.add(outcome);
    }
    assert!(all.never().is_empty(), "never recorded: {:?}", all.never());
    for fault in FAULTS {
        assert!(all.faults.contains_key(fault), "never met: {fault}");
    }
    for edge in EDGES {
        assert!(all.edges.contains_key(edge), "never walked: {edge:?}");
    }
}

#[test]
fn a_seed_tells_the_same_story_every_time() {
    let told = |seed| run(seed, Size::default()).fingerprint;
    for seed in [7, 8, 9] {
        assert_eq!(told(seed), told(seed), "seed {seed}");
    }
    assert_ne!(told(7), told(8));
}

const FAULTS: &[&str] = &[
    "lost by the bus",
    "doubled by the bus",
    "delayed by the bus",
    "swallowed by the broker",
    "the broker is away",
    "the broker's disk is gone",
    "a province is out of reach",
    "crash of an adapter",
    "crash of the hub",
    "crash of the hub between publishing and noting",
    "crash of the hub between append and acknowledgement",
    "a log that does not know what it wrote",
    "the views are gone",
];

const EDGES: &[(&str, &str)] = &[
    ("nothing", "submitted"),
    ("submitted", "routed"),
    ("routed", "forwarded"),
    ("forwarded", "delivered"),
    ("delivered", "accepted"),
    ("delivered", "declined"),
    ("delivered", "correction-requested"),
    ("delivered", "parked"),
    ("accepted", "suspended"),
    ("suspended", "accepted"),
    ("accepted", "approved"),
    ("accepted", "denied"),
    ("correction-requested", "correction-lapsed"),
    ("correction-requested", "routed"),
];
