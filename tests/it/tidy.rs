//! The house rules that a compiler does not know. Each says which rule, where, and why it is one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const FILE_LINES_MAX: usize = 400;
const FUNCTION_LINES_MAX: usize = 70;

/// Files that were longer when the rule came. They may shrink, not grow; take a line out when done.
/// The events of a case in the order of its life are one read, and each carries its sentence.
const LONGER_FILES: &[(&str, usize)] = &[("events/src/case.rs", 478)];

/// Files with a longer function than allowed, and its length. They may shrink, not grow.
/// All of them are tables.
const LONGER_FUNCTIONS: &[(&str, usize)] = &[
    ("hub/src/intake/examine/tests.rs", 122),
    ("hub/src/words.rs", 94),
    ("tests/it/bad_http.rs", 120),
];
/// Arrows against the floors.
const ARGUED_ARROWS: &[(&str, &str, &str)] = &[];

/// Which of our crates may name which (`ARCHITECTURE.md` has the picture).
const CRATE_ARROWS: &[(&str, &[&str])] = &[
    ("events", &[]),
    ("events/otlp", &["events"]),
    ("hub/core", &["events"]),
    ("hub", &["events", "hub-core", "otlp"]),
    ("province-adapter", &["events", "otlp"]),
    ("tests", &["events", "hub", "hub-core", "otlp", "province-adapter"]),
];
const OUR_CRATES: &[&str] = &["events", "hub", "hub-core", "otlp", "province-adapter", "tests"];

/// What a pure crate must not even name.
const IMPURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::thread",
    "std::process",
    "SystemTime",
    "Instant",
    "tokio",
    "rusqlite",
    "async_nats",
];

/// The only files that read the machine's time.
const CLOCKS: &[&str] = &["hub/src/clock.rs", "province-adapter/src/clock.rs"];

struct Source {
    /// Relative to the project, with forward slashes.
    path: String,
    text: String,
    /// Its parent says `#[cfg(test)] mod` of it.
    only_for_tests: bool,
}

impl Source {
    /// Without the tests at its end, without comments: what is compiled into a product.
    fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test = self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || self.path.ends_with("/tests.rs")
            || self.only_for_tests;
        self.text
            .lines()
            .enumerate()
            .take_while(move |(_, line)| !is_test && !line.starts_with("#[cfg(test)]"))
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
            .map(|(at, line)| (at + 1, line))
    }

    fn is_pure(&self) -> bool {
        self.path.starts_with("events/src/") || self.path.starts_with("hub/core/")
    }

    /// The room of `hub/src` that the file belongs to.
    fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("hub/src/")?;
        let room = inside.split('/').next()?.trim_end_matches(".rs");
        (room != "lib").then_some(room)
    }
}

#[test]
fn every_file_says_first_what_it_is_for() {
    let silent = sources().into_iter().filter(|it| !it.text.starts_with("//! "));
    none(silent.map(|it| it.path), "a file opens with `//! ` and a sentence");
}

#[test]
fn files_fit_in_a_head_and_functions_on_a_screen() {
    let mut long = Vec::new();
    for it in sources() {
        let lines = it.text.lines().count();
        let known = LONGER_FILES.iter().find(|(path, _)| *path == it.path);
        if lines > known.map_or(FILE_LINES_MAX, |(_, lines)| *lines) {
            long.push(format!("{}: {lines} lines", it.path));
        }
        if known.is_some() && lines <= FILE_LINES_MAX {
            long.push(format!("{}: short enough now, take it out of the list", it.path));
        }
        long.extend(long_functions(&it));
    }
    none(long, "a file has 400 lines at most, a function 70");
}

#[test]
fn the_pure_crates_cannot_sleep_read_send_or_look_at_a_clock() {
    let mut found = Vec::new();
    for it in sources().iter().filter(|it| it.is_pure()) {
        for (at, line) in it.product_lines() {
            found.extend(
                IMPURE.iter().filter(|name| has_word(line, name)).map(|name| place(it, at, name)),
            );
        }
    }
    none(found, "`events` and `hub/core` are values and functions");
}

#[test]
fn rooms_name_only_rooms_below_them() {
    let floors = floors();
    let floor = |room: &str| floors.get(room).copied();
    let mut found = Vec::new();
    for it in sources() {
        let Some(room) = it.room() else { continue };
        let Some(own) = floor(room) else {
            found.push(format!("{}: the room `{room}` has no floor in lib.rs", it.path));
            continue;
        };
        for (at, line) in it.product_lines() {
            for named in named_rooms(line).into_iter().filter(|named| *named != room) {
                let argued = ARGUED_ARROWS.iter().any(|arrow| (arrow.0, arrow.1) == (room, named));
                if floor(named).is_some_and(|below| below >= own) && !argued {
                    found.push(place(&it, at, &format!("`{room}` names `{named}`")));
                }
            }
        }
    }
    none(found, "a room names only rooms on lower floors, never a neighbour");
}

#[test]
fn crates_name_only_the_crates_they_may() {
    let mut found = Vec::new();
    for (name, allowed) in CRATE_ARROWS {
        let manifest = fs::read_to_string(project().join(name).join("Cargo.toml")).unwrap();
        for dependency in dependencies(&manifest) {
            if OUR_CRATES.contains(&dependency.as_str()) && !allowed.contains(&dependency.as_str())
            {
                found.push(format!("{name} depends on {dependency}"));
            }
            let rules = ["events", "jiff", "thiserror", "proptest", "serde_json"];
            if *name == "hub/core" && !rules.contains(&dependency.as_str()) {
                found.push(format!("the rules depend on {dependency}"));
            }
        }
    }
    none(found, "a new arrow between crates is argued in ARCHITECTURE.md first");
}

#[test]
fn only_the_clocks_read_the_time() {
    let mut found = Vec::new();
    for it in sources().iter().filter(|it| !CLOCKS.contains(&it.path.as_str())) {
        for (at, line) in it.product_lines() {
            for call in ["SystemTime::now", "Timestamp::now", "Zoned::now"] {
                if line.contains(call) {
                    found.push(place(it, at, call));
                }
            }
        }
    }
    none(found, "only clock.rs reads the machine's time");
}

#[test]
fn nothing_is_left_for_later_and_nothing_is_switched_off() {
    let marks = [
        concat!("to", "do!("),
        concat!("unim", "plemented!("),
        concat!("#[", "ignore"),
        concat!("FIX", "ME"),
        concat!("TO", "DO"),
    ];
    let mut found = Vec::new();
    for it in &sources() {
        for (at, line) in it.text.lines().enumerate() {
            found.extend(
                marks
                    .iter()
                    .filter(|mark| line.contains(**mark))
                    .map(|mark| place(it, at + 1, mark)),
            );
        }
    }
    none(found, "no stub, no switched-off test, no note to somebody else");
}

#[test]
fn no_product_code_unwraps() {
    let mut found = Vec::new();
    for it in sources() {
        for (at, line) in it.product_lines() {
            if line.contains(".unwrap()") {
                found.push(place(&it, at, "unwrap"));
            }
        }
    }
    none(found, "outside of tests: `expect` with the reason why it cannot happen, or an error");
}

#[test]
fn no_path_of_somebodys_machine_is_committed() {
    let mut files = Vec::new();
    for folder in ["events", "hub", "province-adapter", "tests", "schemas", "deploy", ".ci"] {
        walk(&project().join(folder), &mut files);
    }
    files.extend(fs::read_dir(project()).unwrap().filter_map(|it| Some(it.ok()?.path())));
    let paths = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/tmp", "/wt")];
    let mut found = Vec::new();
    // In a second work tree `.git` is a file that names the first.
    for file in files.iter().filter(|it| it.is_file() && !it.ends_with(".git")) {
        let Ok(text) = fs::read_to_string(file) else { continue };
        for (at, line) in text.lines().enumerate() {
            if paths.iter().any(|path| starts_a_path(line, path)) {
                found.push(format!("{}:{}", file.display(), at + 1));
            }
        }
    }
    none(found, "a path of one machine means nothing on another");
}

#[test]
fn the_checks_themselves_can_fail() {
    let code = format!("//! A file.\nfn long() {{\n{}}}\n", "    work();\n".repeat(70));
    let path = "hub/src/views/a.rs".into();
    let source = Source { path, text: code, only_for_tests: false };
    assert_eq!(long_functions(&source).len(), 1);
    assert_eq!(source.room(), Some("views"));
    let parent = "mod a;\n#[cfg(test)]\nmod b;\n#[cfg(test)]\nmod tests {\n}\n";
    assert_eq!(test_files("hub/src/audit/mod.rs", parent), ["hub/src/audit/b.rs"]);
    assert_eq!(named_rooms("use crate::{web, log::EventLog};"), ["web", "log"]);
    assert_eq!(named_rooms("    crate::router::go()?; crate::nats::x()"), ["router", "nats"]);
    let floors = floors();
    assert!(floors["web"] > floors["views"] && floors["log"] > floors["clock"]);
    assert!(has_word("use tokio::sync;", "tokio") && !has_word("let tokios = 1;", "tokio"));
    assert!(starts_a_path("see /ab/c", "/ab/") && !starts_a_path("src/ab/c", "/ab/"));
    let manifest = "[package]\nname = \"x\"\n[dependencies]\nhub.workspace = true\nserde = \"1\"\n";
    assert_eq!(dependencies(manifest), ["hub", "serde"]);
}

fn none(found: impl IntoIterator<Item = String>, rule: &str) {
    let found: Vec<String> = found.into_iter().collect();
    assert!(found.is_empty(), "{rule}:\n  {}", found.join("\n  "));
}

fn place(source: &Source, line: usize, what: &str) -> String {
    format!("{}:{line}: {what}", source.path)
}

/// The floors of `hub/src`, from the picture in its `lib.rs`: `3  registrar  views`.
fn floors() -> BTreeMap<String, u8> {
    let text = fs::read_to_string(project().join("hub/src/lib.rs")).unwrap();
    let mut floors = BTreeMap::new();
    for line in text.lines().filter_map(|it| it.strip_prefix("//! ")) {
        let mut words = line.split_whitespace();
        let Some(Ok(number)) = words.next().map(str::parse::<u8>) else { continue };
        floors.extend(words.map(|room| (room.to_owned(), number)));
    }
    floors
}

/// The rooms that follow `crate::` in a line, also in `crate::{a, b::C}`.
fn named_rooms(line: &str) -> Vec<&str> {
    let mut rooms = Vec::new();
    for after in line.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            None => rooms.push(word(after)),
            Some(list) => {
                let list = list.split('}').next().unwrap_or_default();
                rooms.extend(list.split(',').map(|it| word(it.trim())));
            }
        }
    }
    rooms.retain(|it| !it.is_empty());
    rooms
}

fn word(text: &str) -> &str {
    text.split(|it: char| !it.is_alphanumeric() && it != '_').next().unwrap_or_default()
}

fn has_word(line: &str, name: &str) -> bool {
    let part = |it: char| it.is_alphanumeric() || it == '_';
    line.match_indices(name).any(|(at, _)| {
        let (before, after) = (&line[..at], &line[at + name.len()..]);
        !before.ends_with(part) && !after.starts_with(part)
    })
}

fn starts_a_path(line: &str, path: &str) -> bool {
    let part = |it: char| it.is_alphanumeric() || "_-./}*".contains(it);
    line.match_indices(path).any(|(at, _)| !line[..at].ends_with(part))
}

/// Functions by their indentation, as rustfmt leaves it: from `fn` to the brace in the same column.
fn long_functions(source: &Source) -> Vec<String> {
    let lines: Vec<&str> = source.text.lines().collect();
    let mut long = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        let bare = line.trim_start();
        let starts = has_word(bare, "fn") && !bare.starts_with("//") && bare.contains('(');
        let first = word(bare);
        if !starts || !["pub", "fn", "async", "const"].contains(&first) {
            continue;
        }
        let indent = &line[..line.len() - bare.len()];
        // A body ends with a brace in the column where it began; without one there is a semicolon.
        let ends = lines[at..].iter().position(|it| {
            let own = it.strip_prefix(indent).is_some_and(|it| !it.starts_with(' '));
            own && (it.trim() == "}" || it.ends_with(';') || it.ends_with(" }"))
        });
        let length = ends.map_or(0, |it| it + 1);
        let known = LONGER_FUNCTIONS.iter().find(|(path, _)| *path == source.path);
        if length > known.map_or(FUNCTION_LINES_MAX, |(_, lines)| *lines) {
            long.push(place(source, at + 1, &format!("a function of {length} lines")));
        }
    }
    long
}

fn dependencies(manifest: &str) -> Vec<String> {
    let mut inside = false;
    let mut names = Vec::new();
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line.contains("dependencies");
        } else if inside && line.contains('=') {
            let name = line.split(['.', '=', ' ']).next().unwrap_or_default();
            names.push(name.to_owned());
        }
    }
    names
}

fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the project is there")
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    for folder in ["events", "hub", "province-adapter", "tests"] {
        walk(&project().join(folder), &mut files);
    }
    let read = |it: &PathBuf| {
        let path = it.strip_prefix(project()).expect("inside the project");
        let path = path.to_string_lossy().replace('\\', "/");
        Some((path, fs::read_to_string(it).ok()?))
    };
    // Sorted, so that two runs say the same.
    let sorted: BTreeMap<_, _> = files
        .iter()
        .filter(|it| it.extension().is_some_and(|it| it == "rs"))
        .filter_map(read)
        .collect();
    assert!(sorted.len() > 30, "the sources were not found");
    let helpers: Vec<String> =
        sorted.iter().flat_map(|(path, text)| test_files(path, text)).collect();
    let source = |(path, text)| {
        let only_for_tests = helpers.contains(&path);
        Source { path, text, only_for_tests }
    };
    sorted.into_iter().map(source).collect()
}

/// The files of the modules that the one at `path` has for its tests alone.
fn test_files(path: &str, text: &str) -> Vec<String> {
    let folder = match path.strip_suffix("/mod.rs").or_else(|| path.strip_suffix("/lib.rs")) {
        Some(folder) => folder,
        None => path.trim_end_matches(".rs"),
    };
    let named = text.split("#[cfg(test)]\nmod ").skip(1).filter_map(|it| it.split_once(';'));
    named.filter(|it| word(it.0) == it.0).map(|it| format!("{folder}/{}.rs", it.0)).collect()
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.filter_map(|it| Some(it.ok()?.path())) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" && name != ".git" && name != ".tools" {
            walk(&path, files);
        } else if path.is_file() {
            files.push(path);
        }
    }
}
