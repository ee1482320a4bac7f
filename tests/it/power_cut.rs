//! The power fails between any two system calls: what the sidecar acknowledged or published is on the disk. The check
//! itself is checked: without the sync, or with the promise first, it is red.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use events::ids::{CaseId, ReportId, RequestId};
use events::subjects;
use events::wire::{self, ToProvince};
use rusqlite::{Connection, OpenFlags};
use tests::office_stage::OfficeStage;
use tests::power::{
    Found, Step, cut_everywhere, kill, promises_first, read, recorded, without_syncs,
};
use tests::program::program;
use tests::strace::strace;

/// Cases that pass while strace looks on.
const CASES: u32 = 12;
/// Longest wait for a program under strace on a busy machine.
const WAIT_MAX: Duration = Duration::from_secs(400);
const LOOK: Duration = Duration::from_millis(200);
/// One cut in so many system calls, beside one at each promise; and how many torn disks at each.
const SHORT: (usize, u64) = (3, 2);
/// A record of fewer images or promises proves little. How many there are depends on how much goes into one commit.
const ENOUGH: (usize, usize) = (50, 500);

/// What the sidecar owes after a word of it.
#[derive(Debug, Clone)]
enum Owed {
    /// It acknowledged work: the row.
    Work(CaseId, RequestId, &'static str),
    /// It acknowledged receipts: these reports wait no more.
    Ended(Vec<ReportId>),
    /// It published a report: the report, numbered and signed.
    Report(ReportId),
}

/// The stored message that an acknowledgement is about, by its number in the stream.
fn acknowledged(words: &str) -> Vec<u64> {
    let subjects = words.split("$JS.ACK.").skip(1).filter(|it| it.contains("\r\n+ACK"));
    let number = |it: &str| it.split_whitespace().next()?.split('.').nth(3)?.parse().ok();
    subjects.filter_map(number).collect()
}

fn published(words: &str) -> Vec<ReportId> {
    let ids = words.split("hub.v1.report.22.").skip(1);
    let ids = ids.filter_map(|it| it.split_once("Nats-Msg-Id: "));
    let id = |it: &str| it.get(..36)?.parse().ok().map(ReportId);
    // Comparisons are composed anew each time; nothing of theirs must be kept.
    let is_report = |subject: &str| {
        !subject.starts_with(subjects::INVENTORY_TOKEN)
            && !subject.starts_with(subjects::HOLDINGS_TOKEN)
    };
    ids.filter(|it| is_report(it.0)).filter_map(|it| id(it.1)).collect()
}

fn owed(words: &[u8], stored: &BTreeMap<u64, Owed>) -> Vec<Owed> {
    let words = String::from_utf8_lossy(words);
    let kept = acknowledged(&words).into_iter().filter_map(|it| stored.get(&it).cloned());
    kept.chain(published(&words).into_iter().map(Owed::Report)).collect()
}

fn open(image: &Path, name: &str) -> Result<Connection, String> {
    let file = image.join(name);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
    let store = Connection::open_with_flags(file, flags).map_err(|it| it.to_string())?;
    let sound: String =
        store.query_row("PRAGMA quick_check", [], |row| row.get(0)).map_err(|it| it.to_string())?;
    if sound == "ok" { Ok(store) } else { Err(sound) }
}

/// Everything owed is in the store that the cut left.
fn store_has(image: &Path, owed: &[Owed]) -> Result<(), String> {
    let store = open(image, "adapter.db")?;
    let there = |sql: &str, parameters: &[&dyn rusqlite::ToSql]| {
        store.query_row(sql, parameters, |row| row.get::<_, bool>(0)).map_err(|it| it.to_string())
    };
    for it in owed {
        let kept = match it {
            Owed::Work(case, request, kind) => there(
                "SELECT EXISTS (SELECT 1 FROM work WHERE case_id = ?1 AND request = ?2 AND kind = ?3)",
                &[&case.0.into_bytes(), &request.0.into_bytes(), kind],
            )?,
            Owed::Ended(reports) => {
                let sql = "SELECT NOT EXISTS (SELECT 1 FROM report WHERE report_id = ?1 AND next_send_at IS NOT NULL)";
                let mut ended = true;
                for report in reports {
                    ended &= there(sql, &[&report.0.into_bytes()])?;
                }
                ended
            }
            Owed::Report(report) => there(
                "SELECT EXISTS (SELECT 1 FROM report WHERE report_id = ?1)",
                &[&report.0.into_bytes()],
            )?,
        };
        if !kept {
            return Err(format!("{it:?} is not there"));
        }
    }
    Ok(())
}

/// What each message of the stream obliges to, by its number.
async fn stored(stage: &OfficeStage) -> BTreeMap<u64, Owed> {
    let hub = stage.broker.hub().await;
    let stream = hub.jetstream.get_stream("WORK").await.expect("the stream");
    let last = stream.cached_info().state.last_sequence;
    let mut stored = BTreeMap::new();
    for number in 1..=last {
        let Ok(message) = stream.get_raw_message(number).await else { continue };
        match wire::to_province_from_bytes(&message.payload) {
            Ok(ToProvince::Work(it)) => {
                stored.insert(number, Owed::Work(it.case, it.request, it.kind.token()));
            }
            Ok(ToProvince::Receipts(it)) => {
                let reports = it.receipts.iter().map(|it| it.report).collect();
                stored.insert(number, Owed::Ended(reports));
            }
            Ok(ToProvince::Order(_)) | Err(_) => {}
        }
    }
    stored
}

/// A sidecar that takes, answers and is receipted, written down.
async fn sidecar_record(test: &str) -> Option<(Vec<Step>, BTreeMap<u64, Owed>)> {
    if !strace(test).await {
        return None;
    }
    let instant = "[simulated]\nmode = \"instant\"\n";
    let stage = OfficeStage::set(test, "simulated", instant).await?;
    let record = stage.folder.at("record");
    let log = std::fs::File::create(stage.folder.at("adapter.txt")).expect("a log");
    let mut command = recorded(&record, &program("province-adapter"));
    command.arg("--config").arg(stage.folder.at("adapter.toml")).arg("serve");
    let child = command.stdout(Stdio::null()).stderr(log).spawn().expect("strace starts");
    let cases = stage.submit(0, CASES).await;
    let started = Instant::now();
    let all_receipted = async || {
        for case in &cases {
            if !stage.kinds(case).await.iter().any(|it| it == "completed") {
                return false;
            }
        }
        let store = Connection::open(stage.folder.at("adapter.db")).expect("the store");
        let waiting = "SELECT count(*) FROM report WHERE next_send_at IS NOT NULL";
        store.query_row(waiting, [], |row| row.get::<_, i64>(0)).is_ok_and(|it| it == 0)
    };
    while !all_receipted().await {
        assert!(started.elapsed() < WAIT_MAX, "{}", stage.log());
        tokio::time::sleep(LOOK).await;
    }
    kill(child).await;
    let steps = read(&record, &["adapter.db", "adapter.db-wal"]);
    Some((steps, stored(&stage).await))
}

fn cut(steps: &[Step], stored: &BTreeMap<u64, Owed>, how: (usize, u64)) -> Found {
    cut_everywhere(steps, how, |words| owed(words, stored), store_has)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_takes_nothing_that_the_sidecar_acknowledged_or_published() {
    let Some((steps, stored)) = sidecar_record("a power cut of the sidecar").await else { return };
    let found = cut(&steps, &stored, SHORT);
    assert_eq!(found.lost, 0, "{found:?}");
    assert!(found.images > ENOUGH.0 && found.promises > ENOUGH.1, "{found:?}");
    eprintln!("power cuts of the sidecar: {} calls, {found:?}", steps.len());
    let normal = cut(&without_syncs(&steps, "-wal"), &stored, (usize::MAX, 0));
    assert!(normal.lost > 0, "synchronous=NORMAL is not noticed: {normal:?}");
    let early = cut(&promises_first(&steps), &stored, (usize::MAX, 0));
    assert!(early.lost > 0, "an acknowledgement before the commit is not noticed: {early:?}");
}
