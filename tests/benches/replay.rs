//! What a long log costs: reading, folding, verifying, keeping, opening, and appending at its end.
//!
//! `cargo bench -p tests --bench replay [-- --events 300000 | --large] [--ends]`; `--large` is ten million.
//! `--ends` only appends and opens, with reports that keep nothing signed: ten million take ten minutes.

use std::path::Path;
use std::time::{Duration, Instant};

use events::proof::signature::{self, Purpose};
use hub::audit::replay::replay;
use hub::audit::verify::{Against, Report, pace, verify};
use hub::log::EventLog as _;
use hub::log::sqlite::SqliteLog;
use hub::views::runner;
use tests::measure::scan::{self, Scan};
use tests::measure::shown::{Better, Target};
use tests::measure::stand::{Stand, log_path, vault};
use tests::measure::story::{ORIGIN, Teller};
use tests::measure::{self, cpu, shown};

/// Events of an ordinary run.
const EVENTS: u64 = 300_000;
/// Events with `--large`.
const EVENTS_LARGE: u64 = 10_000_000;
/// Signatures in a row, for what one costs.
const SIGNATURES_TIMED: u32 = 2_000;
/// Events of the log whose signatures are checked.
const EVENTS_SIGNED: u64 = 40_000;
/// Steps appended together while a log is made.
const STEPS_AT_ONCE: usize = 4_096;
/// Steps appended together while appending is measured: a busy hub's batch.
const STEPS_MEASURED: usize = 64;
/// Batches appended at the beginning and at the end.
const BATCHES_MEASURED: usize = 400;
/// Each reading is measured this often; the middle counts.
const ROUNDS: u64 = 3;

const fn target(
    name: &'static str,
    what: &'static str,
    better: Better,
    must: f64,
    aim: f64,
) -> Target {
    Target { name, what, better, must, aim }
}
const P4: Target = target("P4", "replay ÷ parse scan, two threads", Better::Larger, 0.5, 0.7);
const P5: Target =
    target("P5", "rebuild of the views ÷ parse scan, two threads", Better::Larger, 0.15, 0.3);
const P6: Target = target("P6", "verify without signatures ÷ hash scan", Better::Larger, 0.7, 0.9);
const P7: Target = target("P7", "bytes on disk ÷ bytes of payload", Better::Smaller, 1.4, 1.25);
const P8_S: Target = target("P8", "start with this log, in seconds", Better::Smaller, 3.0, 1.0);
const P8_MIB: Target = target("P8", "memory after it, in MiB", Better::Smaller, 400.0, 250.0);
const P9: Target = target("P9", "append at the end ÷ on an empty log", Better::Larger, 0.7, 0.9);

/// A log that was made for this.
struct Made {
    teller: Teller,
    log: SqliteLog,
    events: u64,
}

fn main() {
    if measure::is_told("--only-open") {
        let folder = std::env::args().skip_while(|it| it != "--only-open").nth(1);
        return only_open(Path::new(&folder.expect("a folder follows")));
    }
    let otherwise = if measure::is_told("--large") { EVENTS_LARGE } else { EVENTS };
    let events = measure::told("--events", otherwise);
    let long = measure::folder(env!("CARGO_TARGET_TMPDIR"));
    let short = measure::folder(env!("CARGO_TARGET_TMPDIR"));
    let begun = Instant::now();
    let only_ends = measure::is_told("--ends");
    let mut made = make(long.path(), events, !only_ends);
    shown::say(&format!(
        "made a log of {} events in {:.0} s",
        shown::count(made.events as f64),
        begun.elapsed().as_secs_f64()
    ));
    let p9 = append_rates(&mut made, short.path());
    drop(made);
    let mut found = vec![(P9, p9)];
    if only_ends {
        rebuild(long.path());
    } else {
        found.extend(read_rates(long.path()));
        found.extend(verify_rates(short.path()));
        found.extend(sizes(long.path()));
    }
    found.extend(open_in_a_new_process(long.path()));
    found.sort_by_key(|it| it.0.name);
    shown::targets(&found);
}

/// Makes a log of at least so many events.
fn make(folder: &Path, events: u64, signed: bool) -> Made {
    let (sealer, _) = vault(folder);
    let log = SqliteLog::open(&log_path(folder), ORIGIN).expect("a new log opens");
    let mut made = Made { teller: Teller::new(sealer, signed), log, events: 0 };
    let beginning = made.teller.beginning();
    append(&mut made, beginning);
    while made.events < events {
        let next = made.teller.next(STEPS_AT_ONCE);
        made.teller.make_durable();
        append(&mut made, next);
    }
    made
}

fn append(made: &mut Made, items: Vec<hub::log::Append>) -> u64 {
    let answers = made.log.append(items).expect("there is room");
    let count = answers.into_iter().map(|it| it.expect("nobody else writes").len() as u64).sum();
    made.events += count;
    count
}

/// The same batches on an empty log and at the end of the long one, in turn.
fn append_rates(long: &mut Made, folder: &Path) -> f64 {
    let empty = folder.join("empty");
    std::fs::create_dir(&empty).expect("the folder can be written");
    let mut empty = make(&empty, 0, true);
    let (mut at_end, mut on_empty) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        on_empty.push(append_rate(&mut empty));
        at_end.push(append_rate(long));
    }
    let ratio = measure::median(at_end.iter().zip(&on_empty).map(|(end, empty)| end / empty));
    let (end, empty) = (measure::median(at_end), measure::median(on_empty));
    shown::table(
        &["append, batches of 64", "events/s"],
        &[
            vec!["on an empty log".into(), shown::count(empty)],
            vec!["at the end of the long one".into(), shown::count(end)],
        ],
    );
    ratio
}

fn append_rate(made: &mut Made) -> f64 {
    let batches: Vec<_> = (0..BATCHES_MEASURED).map(|_| made.teller.next(STEPS_MEASURED)).collect();
    made.teller.make_durable();
    let begun = Instant::now();
    let count: u64 = batches.into_iter().map(|it| append(made, it)).sum();
    count as f64 / begun.elapsed().as_secs_f64()
}

/// The middle of some looks; and what one event cost in processor time, in all of them.
fn middle(mut look: impl FnMut() -> Scan) -> Scan {
    let before = cpu::used();
    let mut all: Vec<Scan> = (0..ROUNDS).map(|_| look()).collect();
    let cost_us = cpu::us_each(before, all.iter().map(|it| it.events).sum());
    all.iter_mut().for_each(|it| it.cost_us = cost_us);
    all.sort_by(|a, b| a.rate().total_cmp(&b.rate()));
    all[all.len() / 2]
}

fn timed(events: u64, what: impl FnOnce()) -> Scan {
    let begun = Instant::now();
    what();
    Scan { events, took: begun.elapsed(), ..Scan::default() }
}

fn read_rates(folder: &Path) -> Vec<(Target, f64)> {
    let path = log_path(folder);
    let readers = SqliteLog::readers(&path);
    let raw = middle(|| scan::read(&path));
    let parse = middle(|| scan::parse(&path));
    let parse_two = middle(|| scan::parse_with_two(&path));
    let replayed = middle(|| {
        timed(raw.events, || {
            let replayed = replay(&readers, None, &mut |_| {}).expect("the log can be folded");
            assert_eq!(replayed.events, raw.events);
        })
    });
    let rebuilt = middle(|| timed(raw.events, || rebuild(folder)));
    let row = |what: &str, it: &Scan| {
        vec![
            what.to_owned(),
            shown::count(it.rate()),
            format!("{:.2}", it.rate() / parse_two.rate()),
            format!("{:.2}", it.cost_us),
        ]
    };
    shown::table(
        &["reading", "events/s", "÷ parse scan", "processor µs each"],
        &[
            row("raw scan of payloads, one thread", &raw),
            row("parse scan, one thread", &parse),
            row("parse scan, two threads", &parse_two),
            row("replay in memory, two threads", &replayed),
            row("rebuild of the views, two threads", &rebuilt),
        ],
    );
    let ratio = |it: &Scan| it.rate() / parse_two.rate();
    vec![(P4, ratio(&replayed)), (P5, ratio(&rebuilt))]
}

fn rebuild(folder: &Path) {
    let (_, opener) = vault(folder);
    let readers = SqliteLog::readers(log_path(folder));
    runner::rebuild(&folder.join("views.db"), &readers, Some(opener), &mut |_, _| {})
        .expect("the views are rebuilt");
}

/// Every word of a province must be signed, so the walk is measured on a signed log: with signatures, and
/// with them and SQLite's look at its file taken off. Two threads walk.
fn verify_rates(folder: &Path) -> Vec<(Target, f64)> {
    let signed = folder.join("signed");
    std::fs::create_dir(&signed).expect("the folder can be written");
    drop(make(&signed, EVENTS_SIGNED, true));
    let hashed = middle(|| scan::hash(&log_path(&signed), ORIGIN));
    let walked = middle(|| {
        let took = pace(&log_path(&signed)).expect("the log is good");
        Scan { events: hashed.events, took, ..Scan::default() }
    });
    let mut took = Duration::MAX;
    let mut report = Report::default();
    for _ in 0..ROUNDS {
        let begun = Instant::now();
        let found = verify(&log_path(&signed), Against::default(), &mut |_, _| {});
        report = found.expect("the log can be read");
        assert!(report.is_clean(), "{:?}", report.damage);
        took = took.min(begun.elapsed());
    }
    let each = one_signature();
    let row = |what: &str, a_second: f64, cost: Option<f64>| {
        let cost = cost.map_or(String::new(), |it| format!("{it:.2}"));
        vec![what.to_owned(), shown::count(a_second), cost]
    };
    let whole = report.events as f64 / took.as_secs_f64();
    shown::table(
        &["verifying, two threads", "a second", "processor µs each"],
        &[
            row("hash scan, one thread: events", hashed.rate(), Some(hashed.cost_us)),
            row("verify, signatures taken off: events", walked.rate(), Some(walked.cost_us)),
            row("verify, whole: events", whole, None),
            row("one province's signature alone", 1.0 / each.as_secs_f64(), None),
        ],
    );
    vec![(P6, walked.rate() / hashed.rate())]
}

/// How long it takes to check one province's signature over a report of usual length.
fn one_signature() -> Duration {
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let payload = [b'x'; 600];
    let jws = signature::sign(&key, "22-sign-1", Purpose::Report, &payload);
    let public = key.verifying_key();
    let begun = Instant::now();
    for _ in 0..SIGNATURES_TIMED {
        signature::verify(&public, Purpose::Report, &jws, &payload).expect("it was just signed");
    }
    begun.elapsed() / SIGNATURES_TIMED
}

fn sizes(folder: &Path) -> Vec<(Target, f64)> {
    let path = log_path(folder);
    let scanned = scan::read(&path);
    let disk = std::fs::metadata(&path).expect("the log is there").len();
    let (events, payload) = (scanned.events as f64, scanned.payload_bytes as f64);
    shown::table(
        &["size", "bytes an event"],
        &[
            vec!["payload: body, sealed part, evidence".into(), shown::count(payload / events)],
            vec!["log.db".into(), shown::count(disk as f64 / events)],
        ],
    );
    vec![(P7, disk as f64 / payload)]
}

/// Memory is only told truly by a process that did nothing else.
fn open_in_a_new_process(folder: &Path) -> Vec<(Target, f64)> {
    let program = std::env::current_exe().expect("this program has a file");
    let mut seconds = Vec::new();
    let mut mib = Vec::new();
    for _ in 0..ROUNDS {
        let output = std::process::Command::new(&program)
            .arg("--only-open")
            .arg(folder)
            .output()
            .expect("this program starts again");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut figures = text.split_whitespace().map(|it| it.parse::<f64>().unwrap_or(f64::NAN));
        seconds.push(figures.next().unwrap_or(f64::NAN));
        mib.push(figures.next().unwrap_or(f64::NAN));
    }
    vec![(P8_S, measure::median(seconds)), (P8_MIB, measure::median(mib))]
}

/// Opens log, vault, registrar and views as `hub serve` does, and says how long it took.
fn only_open(folder: &Path) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime starts");
    runtime.block_on(async {
        let begun = Instant::now();
        let stand = Stand::start(folder);
        let took = begun.elapsed();
        shown::say(&format!("{} {}", took.as_secs_f64(), cpu::resident_mib()));
        stand.stop().await;
    });
}
