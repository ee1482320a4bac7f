//! The rules look at nothing but their arguments: not the clock, not a time zone, not the machine.
#![allow(clippy::unwrap_used)] // helpers of tests are tests too

use std::path::{Path, PathBuf};

/// What would make the same log mean something else on another machine or on another day.
const ABSENT: [&str; 13] = [
    "::now()",
    "SystemTime",
    "Instant",
    "TimeZone::get",
    "TimeZone::system",
    "TimeZone::try_system",
    "in_tz(",
    "std::env",
    "std::fs",
    "std::io",
    "std::net",
    "std::thread",
    "HashMap", // its order differs from run to run
];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            found.push(path);
        }
    }
}

#[test]
fn the_rules_name_no_clock_no_time_zone_and_no_machine() {
    let mut files = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut files);
    assert!(files.len() > 10, "the sources are where they were");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for word in ABSENT {
            assert!(!text.contains(word), "{} names {word}", file.display());
        }
    }
}

#[test]
fn the_rules_depend_on_the_words_the_dates_and_nothing_else() {
    let manifest = include_str!("../Cargo.toml");
    let (_, after) = manifest.split_once("[dependencies]\n").unwrap();
    let names: Vec<_> = after
        .lines()
        .take_while(|it| !it.is_empty())
        .map(|it| it.split(['.', ' ']).next().unwrap())
        .collect();
    assert_eq!(names, ["events", "jiff", "thiserror"]);
}
