//! Kept once, sent until receipted, corrected in its place; what the hub would refuse never leaves here.

use std::time::Duration;

use events::publicity::{Fulfilment, ROWS};
use events::work::StatementReceipt;

use super::*;
use crate::store::open_connection;

/// Ten in the morning in Shanghai.
fn start() -> Timestamp {
    "2026-11-20T02:00:00Z".parse().unwrap()
}

fn after(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

fn statement(month: &str, posters: u32) -> Statement {
    let mut rows = vec![Fulfilment::default(); ROWS];
    rows[3].second = posters;
    let month = month.parse().unwrap();
    Statement { month, rows, carriers_told_share: None, knowledge_base: false }
}

struct Desk {
    folder: tempfile::TempDir,
    identity: Identity,
    pace: Pace,
}

impl Desk {
    fn new() -> Self {
        let pace = Pace::new(vec![Duration::from_secs(5), Duration::from_secs(30)], 0).unwrap();
        let identity = crate::tests::identity().0;
        Self { folder: tempfile::tempdir().unwrap(), identity, pace }
    }

    /// Opened anew for each step: whatever is not on the disk is lost.
    fn store(&self) -> Connection {
        open_connection(&self.folder.path().join("adapter.db")).unwrap()
    }

    fn keep_told(
        &self,
        statement: Statement,
        told: Timestamp,
        real: Timestamp,
    ) -> Result<Kept, StatementError> {
        let (origin, province) = (self.identity.origin.clone(), self.identity.province);
        keep(&self.store(), &Speaker { origin, province }, statement, told, real)
    }

    fn keep(&self, statement: Statement, at: Timestamp) -> Kept {
        self.keep_told(statement, at, at).unwrap()
    }

    fn due(&self, at: Timestamp) -> Vec<Letter> {
        claim_due(&self.store(), &self.identity, &self.pace, at).unwrap()
    }

    fn receipt(&self, id: Uuid, refused: Option<&str>, at: Timestamp) -> bool {
        let position = refused.is_none().then_some(91);
        let refused = refused.map(str::to_owned);
        let receipt = StatementReceipt { statement: id, position, hash: None, refused };
        end(&self.store(), &receipt, at).unwrap()
    }
}

#[test]
fn a_table_goes_out_with_the_same_bytes_until_the_hub_has_signed_for_it() {
    let desk = Desk::new();
    let kept = desk.keep(statement("2026-11", 350), start());
    let first = desk.due(start()).pop().unwrap();
    assert_eq!(first.token, "publicity");
    assert_eq!(first.message_id, format!("{}.1", kept.id));
    let read = wire::statement_from_bytes(&first.body).unwrap();
    assert_eq!((read.id, read.stated_at), (kept.id, start()));
    assert_eq!(read.told.statement, statement("2026-11", 350));
    assert!(desk.due(after(4)).is_empty());
    assert_eq!(next_due(&desk.store()).unwrap(), Some(after(5)));
    let second = desk.due(after(5)).pop().unwrap();
    assert_eq!(second.message_id, format!("{}.2", kept.id));
    assert_eq!((second.body, second.signature), (first.body, first.signature));
    // A new writer of the hub hears it at once.
    hurry(&desk.store(), after(6)).unwrap();
    assert_eq!(desk.due(after(6)).len(), 1);
    assert!(desk.receipt(kept.id, None, after(7)));
    assert!(!desk.receipt(kept.id, None, after(8)), "the same receipt again ends nothing");
    assert!(desk.due(after(9_999)).is_empty());
    assert_eq!(next_due(&desk.store()).unwrap(), None);
}

#[test]
fn the_same_again_is_once_and_something_else_takes_its_place() {
    let desk = Desk::new();
    let first = desk.keep(statement("2026-11", 350), start());
    let again = Kept { known: true, ..first };
    assert_eq!(desk.keep(statement("2026-11", 350), after(1)), again);
    assert_eq!(desk.due(after(1)).len(), 1);
    desk.receipt(first.id, None, after(2));
    assert_eq!(desk.keep(statement("2026-11", 350), after(3)), again);
    assert!(desk.due(after(3)).is_empty(), "on record: nothing goes out");
    let corrected = desk.keep(statement("2026-11", 400), after(4));
    assert!(!corrected.known && corrected.id != first.id);
    // A late copy of the first receipt does not end the correction.
    assert!(!desk.receipt(first.id, None, after(5)));
    let sent = desk.due(after(5)).pop().unwrap();
    assert_eq!(wire::statement_from_bytes(&sent.body).unwrap().id, corrected.id);
    // Other months are other tables.
    desk.keep(statement("2026-10", 1), after(6));
    assert_eq!(desk.due(after(6)).len(), 1);
    // What was refused may be said again.
    desk.receipt(corrected.id, Some("too-many-statements"), after(7));
    assert!(!desk.keep(statement("2026-11", 400), after(8)).known);
}

#[test]
fn a_correction_is_later_than_what_it_corrects_even_if_the_clock_was_put_back() {
    let desk = Desk::new();
    desk.keep(statement("2026-11", 350), after(3_600));
    let sent = desk.due(after(3_600)).pop().unwrap();
    let before = wire::statement_from_bytes(&sent.body).unwrap().stated_at;
    desk.keep(statement("2026-11", 400), start());
    let sent = desk.due(start()).pop().unwrap();
    assert!(wire::statement_from_bytes(&sent.body).unwrap().stated_at > before);
}

#[test]
fn what_the_hub_would_refuse_is_refused_here_by_name_and_nothing_is_kept() {
    let desk = Desk::new();
    let refused =
        |statement: Statement| desk.keep_told(statement, start(), start()).unwrap_err().to_string();
    for month in ["2026-12", "2025-10"] {
        let told = refused(statement(month, 1));
        assert!(told.contains("/month") && told.contains("month-not-open"), "{told}");
    }
    let mut seven = statement("2026-11", 1);
    seven.rows.pop();
    assert!(refused(seven).starts_with("`/rows`: out-of-bounds"));
    let mut second = statement("2026-11", 1);
    second.rows[0].second = 3;
    assert!(refused(second).starts_with("`/rows/0/second`: out-of-bounds"));
    let mut person = statement("2026-11", 1);
    person.rows[7].text = "司机 11010519491231002X".to_owned();
    let told = refused(person);
    assert!(told.starts_with("identity-number-in-clear") && !told.contains("1101"), "{told}");
    assert_eq!(next_due(&desk.store()).unwrap(), None);
}

#[test]
fn a_clerks_file_is_read_and_what_is_none_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("table.json");
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        file::read(&path)
    };
    let example = file::example("2026-11".parse().unwrap());
    let empty = Statement { carriers_told_share: Some(0), ..statement("2026-11", 0) };
    assert_eq!(read(example.as_bytes()).unwrap(), empty);
    assert_eq!(read(&[b"\xEF\xBB\xBF", example.as_bytes()].concat()).unwrap(), empty);
    for (bad, code) in [
        (example.replace("knowledge_base", "knowlege_base"), "not-a-statement"),
        (example.replace("2026-11", "2026-13"), "not-a-statement"),
        (example.replacen("\"first\": 0", "\"first\": -1", 1), "not-a-statement"),
        ("x".to_owned(), "not-a-statement"),
        (" ".repeat(70_000), "file-too-large"),
    ] {
        let told = read(bad.as_bytes()).unwrap_err().to_string();
        assert!(told.contains(code), "{told}");
    }
    // By its name a spreadsheet's table is one, with a mark or without.
    let path = folder.path().join("统计表.CSV");
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        file::read(&path)
    };
    let sheet = table::example("2026-11".parse().unwrap());
    assert_eq!(read(sheet.as_bytes()).unwrap(), empty);
    assert_eq!(read(sheet.trim_start_matches('\u{feff}').as_bytes()).unwrap(), empty);
    let told = read(sheet.replace("数字一", "数一").as_bytes()).unwrap_err().to_string();
    assert!(
        told.contains("统计表.CSV") && told.contains("line 1, column `first`: wrong-header"),
        "{told}"
    );
    let gbk = encoding_rs::GBK.encode(&sheet[3..]).0.into_owned();
    let told = read(&gbk).unwrap_err().to_string();
    assert!(told.contains("not-utf8"), "{told}");
    let nothing = file::read(&folder.path().join("nothing")).unwrap_err().to_string();
    assert!(nothing.contains("file-unreadable"), "{nothing}");
}
