//! Files as offices really drop them: killed at every step, half-written, misnamed, in three
//! encodings. The clock is turned by hand; nothing waits.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use events::ids::CaseId;
use events::work::{Work, WorkKind};

use super::record::{self, Manner, Unread};
use super::settings::{Charset, CompleteWhen, FolderSettings, Format};
use super::{FolderError, FolderOffice};
use crate::office::codes::Codes;
use crate::office::rehearsal::Rehearsal;
use crate::office::sheet::{ANSWER, Column};
use crate::office::{OfficeSystem as _, TakenWork};

struct Exchange {
    stage: Rehearsal,
    office: Option<FolderOffice>,
    settings: FolderSettings,
    /// What the office has picked up, and how often.
    picked: BTreeMap<String, usize>,
}

impl Exchange {
    async fn new(change: impl FnOnce(&mut FolderSettings)) -> Self {
        let stage = Rehearsal::new();
        let root = stage.folder.path().join("exchange");
        let mut settings = FolderSettings { root, ..FolderSettings::default() };
        change(&mut settings);
        let mut it = Self { stage, office: None, settings, picked: BTreeMap::new() };
        it.open().await;
        it
    }

    async fn open(&mut self) {
        let reporter = self.stage.adapter().reporter();
        let codes = Arc::new(Codes::default());
        self.office =
            Some(FolderOffice::open(self.settings.clone(), codes, reporter).await.unwrap());
    }

    async fn crash(&mut self) {
        self.office = None;
        self.stage.crash().await;
        self.open().await;
    }

    fn office(&self) -> &FolderOffice {
        self.office.as_ref().unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.settings.root.join(name)
    }

    fn drop_file(&self, name: &str, bytes: impl AsRef<[u8]>) {
        fs::write(self.path("in").join(name), bytes).unwrap();
    }

    /// The office takes away whatever it sees, at once.
    fn pick_up(&mut self) {
        for entry in fs::read_dir(self.path("out")).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            assert!(fs::read(&path).unwrap().ends_with(b"</exchange>\r\n"), "half a file");
            *self.picked.entry(name).or_default() += 1;
            fs::remove_file(path).unwrap();
        }
    }

    fn names(&self, room: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(room)).unwrap();
        let mut names: Vec<String> =
            entries.map(|it| it.unwrap().file_name().to_str().unwrap().to_owned()).collect();
        names.sort();
        names
    }

    /// Seen, left alone for a while, read.
    async fn turn(&self) -> Result<(), FolderError> {
        self.office().turn().await?;
        self.stage.clock.advance(Duration::from_millis(self.settings.settle_ms + 1));
        self.office().turn().await
    }

    async fn receipt(&self, name: &str) -> String {
        let path = self.path("receipts").join(name);
        let bytes = fs::read(&path).unwrap_or_else(|_| panic!("{:?}", self.names("receipts")));
        super::charset::decode(&bytes, self.settings.encoding).unwrap()
    }

    async fn arrived(&self, case: u128) -> TakenWork {
        let work: Work = self.stage.work(case, case + 100, WorkKind::Case);
        self.stage.arrive(&work).await;
        let applicant = serde_json::json!({"applicant": {"name": "金丝雀甲"}, "materials": []});
        TakenWork { work, applicant: Some(applicant) }
    }
}

fn answer(id: &str, case: CaseId, number: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<exchange version=\"1\" kind=\"answer\" count=\"1\">\n\
         <record><answer_id>{id}</answer_id><case_id>{case}</case_id><kind>accepted</kind>\
         <occurred_at>2026-03-02 09:00:00</occurred_at>\
         <acceptance_number>{number}</acceptance_number></record>\n</exchange>\n"
    )
}

/// Work out and an answer in, dying after so many steps on the disk. True if it died.
async fn one_life(steps: i64) -> bool {
    let mut it = Exchange::new(|_| {}).await;
    let taken = it.arrived(1).await;
    let left = Arc::new(AtomicI64::new(steps));
    it.office.as_mut().unwrap().place.steps_left = Some(Arc::clone(&left));
    let mut died = false;
    while it.office().take(taken.clone()).await.is_err() {
        died = true;
        // The office is quick: it has the file before the sidecar is back.
        it.pick_up();
        it.crash().await;
    }
    it.pick_up();
    // The adapter dies before it notes that the work was taken, and offers it again.
    it.office().take(taken.clone()).await.unwrap_or_default();
    it.pick_up();
    it.stage.take_all().await;
    it.drop_file("answers-1.xml", answer("A-1", taken.work.case, "受-1"));
    while it.turn().await.is_err() || it.path("in").join("answers-1.xml").exists() {
        died = true;
        it.crash().await;
    }
    it.turn().await.unwrap();
    assert_eq!(
        it.picked.values().collect::<Vec<_>>(),
        [&1],
        "after {steps} steps: {:?}",
        it.picked
    );
    assert_eq!(it.stage.told(taken.work.case).await.len(), 1, "after {steps} steps");
    assert_eq!(it.names("receipts"), ["answers-1.xml.receipt.xml"]);
    assert_eq!(it.names("done"), ["answers-1.xml"]);
    assert!(it.receipt("answers-1.xml.receipt.xml").await.contains("<status>taken</status>"));
    assert_eq!(it.names("tmp"), Vec::<String>::new(), "nothing is left over");
    died || left.load(Ordering::SeqCst) < 0
}

#[tokio::test]
async fn killed_at_every_step_on_the_disk_work_and_answers_pass_exactly_once() {
    let mut steps = 0;
    while one_life(steps).await {
        steps += 1;
    }
    assert!(steps > 10, "only {steps} steps were walked");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_by_name_and_moved_away() {
    let mut it = Exchange::new(|it| it.records_a_file_max = 2).await;
    let taken = it.arrived(1).await;
    it.stage.take_all().await;
    let case = taken.work.case;
    let fine = answer("A-1", case, "受-1");
    let gbk = encoding_rs::GBK.encode(&fine).0.into_owned();
    let three = fine.replace("count=\"1\"", "count=\"3\"");
    let record = fine.split("<record>").nth(1).unwrap().split("</exchange>").next().unwrap();
    let many = three.replace("<record>", &format!("<record>{record}<record>{record}<record>"));
    let table: &[(&str, Vec<u8>, &str)] = &[
        ("gbk-as-utf8.xml", gbk, "not-in-this-encoding"),
        ("utf8-as-gbk.xml", fine.replace("UTF-8", "GBK").into(), "encoding-doubtful"),
        ("utf8-without-mark.csv", "答复编号\r\n#END,0\r\n".into(), "encoding-doubtful"),
        ("count.xml", three.clone().into(), "count-differs"),
        ("many.xml", many.into(), "too-many-records"),
        ("entity.xml", fine.replace("受-1", "&boom;").into(), "not-xml"),
        ("doctype.xml", fine.replacen('\n', "\n<!DOCTYPE x>\n", 1).into(), "not-xml"),
        ("crossed.xml", fine.replace("</kind>", "</sort>").into(), "not-xml"),
        ("column.xml", fine.replace("kind>", "sort>").into(), "unknown-column"),
        ("columns.csv", "answer_id,case_id\r\nA-1\r\n#END,1\r\n".into(), "not-csv"),
        ("after.csv", "answer_id\r\n#END,0\r\nA-1\r\n".into(), "not-csv"),
        ("large.xml", vec![b'x'; 5 * 1024 * 1024], "file-too-large"),
    ];
    for (name, bytes, _) in table {
        it.drop_file(name, bytes);
    }
    it.drop_file("hash.xml", &fine);
    it.drop_file("hash.xml.sha256", "00");
    it.turn().await.unwrap();
    it.pick_up();
    for (name, _, code) in table {
        let told = it.names("receipts").into_iter().find(|it| it.starts_with(name));
        let told = match told {
            Some(receipt) => it.receipt(&receipt).await,
            // What is too large is not even read.
            None => {
                it.receipt(
                    &it.names("receipts").into_iter().find(|it| it.starts_with("unnamed")).unwrap(),
                )
                .await
            }
        };
        assert!(told.contains(code), "{name}: {told}");
        let page = include_str!("../../../../schemas/refusals-office.md");
        assert!(page.contains(&format!("`{code}`")), "`{code}` has no paragraph");
    }
    assert!(it.receipt("hash.xml.receipt.xml").await.contains("hash-differs"));
    assert_eq!(it.names("in"), Vec::<String>::new());
    assert!(it.stage.told(case).await.is_empty(), "nothing was reported");
}

#[tokio::test]
async fn names_links_and_pipes_that_could_do_harm_are_moved_away_unread_and_unnamed() {
    let it = Exchange::new(|_| {}).await;
    let secret = it.path("secret.xml");
    fs::write(&secret, "not for the hub").unwrap();
    std::os::unix::fs::symlink(&secret, it.path("in").join("link.xml")).unwrap();
    fs::create_dir(it.path("in").join("folder.xml")).unwrap();
    // Like a pipe, and made without a child process that would hold other tests' locks for a moment.
    let _pipe = std::os::unix::net::UnixListener::bind(it.path("in").join("pipe.xml")).unwrap();
    for name in ["张三的答复.xml", "11010519491231002X.xml", "a b.xml", "answers.exe"] {
        it.drop_file(name, "x");
    }
    it.turn().await.unwrap();
    assert_eq!(it.names("in"), Vec::<String>::new());
    let refused = it.names("refused");
    assert_eq!(refused.len(), 7);
    assert!(refused.iter().all(|it| it.starts_with("unnamed.")), "{refused:?}");
    let mut told = String::new();
    for name in it.names("receipts") {
        told += &it.receipt(&name).await;
    }
    for code in
        ["not-a-file", "file-name-not-allowed", "identity-number-in-clear", "file-kind-unknown"]
    {
        assert!(told.contains(code), "{code}");
    }
    assert!(!told.contains("张三") && !told.contains("11010519491231002X"), "{told}");
    assert_eq!(fs::read_to_string(secret).unwrap(), "not for the hub");
}

#[tokio::test]
async fn half_a_file_is_waited_for_and_refused_only_when_nobody_writes_it_any_more() {
    let it = Exchange::new(|_| {}).await;
    let taken = it.arrived(1).await;
    it.stage.take_all().await;
    let whole = answer("A-1", taken.work.case, "受-1");
    for cut in [0, 1, 40, 150, whole.len() - 12] {
        it.drop_file("slow.xml", &whole.as_bytes()[..cut]);
        it.turn().await.unwrap();
        assert_eq!(it.names("in"), ["slow.xml"], "cut at {cut}");
    }
    for name in [".hidden.xml", "answers.xml.tmp", "answers.xml.part"] {
        it.drop_file(name, &whole);
    }
    it.drop_file("half.csv", "answer_id,case_id\r\nA-9,x\r\nA-");
    it.drop_file("slow.xml", &whole);
    it.turn().await.unwrap();
    assert_eq!(it.names("done"), ["slow.xml"]);
    assert_eq!(it.stage.told(taken.work.case).await.len(), 1);
    it.stage.clock.advance(Duration::from_millis(it.settings.half_written_after_ms));
    it.turn().await.unwrap();
    assert_eq!(it.names("refused"), ["half.csv"]);
    assert!(it.receipt("half.csv.receipt.csv").await.contains("file-incomplete"));
    assert_eq!(it.names("in").len(), 3, "by agreement these are still being written");
}

#[tokio::test]
async fn a_name_is_used_once_and_an_answer_is_taken_once() {
    let it = Exchange::new(|it| it.complete_when = CompleteWhen::Hash).await;
    let taken = it.arrived(1).await;
    it.stage.take_all().await;
    let first = answer("A-1", taken.work.case, "受-1");
    let with_hash = |name: &str, text: &str| {
        use sha2::Digest as _;
        let hash: String =
            sha2::Sha256::digest(text).iter().map(|it| format!("{it:02x}")).collect();
        it.drop_file(name, text);
        it.drop_file(&format!("{name}.sha256"), format!("{hash}  {name}\n"));
    };
    it.drop_file("a.xml", &first);
    it.turn().await.unwrap();
    assert_eq!(it.names("in"), ["a.xml"], "without its hash it is not whole");
    with_hash("a.xml", &first);
    it.turn().await.unwrap();
    let told = it.receipt("a.xml.receipt.xml").await;
    fs::remove_file(it.path("receipts").join("a.xml.receipt.xml")).unwrap();
    with_hash("a.xml", &first);
    it.turn().await.unwrap();
    assert_eq!(it.receipt("a.xml.receipt.xml").await, told, "the same file, the same receipt");

    with_hash("a.xml", &answer("A-2", taken.work.case, "受-2"));
    with_hash("b.xml", &answer("A-1", taken.work.case, "受-3"));
    with_hash("c.xml", &first.replace("\n<record>", "\n  <record>"));
    it.turn().await.unwrap();
    assert_eq!(it.receipt("a.xml.receipt.xml").await, told, "not overwritten");
    let reused =
        it.names("receipts").into_iter().find(|it| it.starts_with("a.xml.") && it.len() > 25);
    assert!(it.receipt(&reused.unwrap()).await.contains("file-name-reused"));
    let changed = it.receipt("b.xml.receipt.xml").await;
    assert!(changed.contains("answer-changed") && changed.contains("A-1"), "{changed}");
    assert!(it.receipt("c.xml.receipt.xml").await.contains("<status>taken</status>"));
    assert_eq!(it.stage.told(taken.work.case).await.len(), 1);
}

#[tokio::test]
async fn a_request_brings_work_back_by_case_and_by_day_in_the_same_bytes() {
    let mut it = Exchange::new(|_| {}).await;
    let mut files = BTreeMap::new();
    for case in 1..=3 {
        let taken = it.arrived(case).await;
        let personal = it.stage.adapter().reporter().shared.identity.open(&taken.work).unwrap();
        let taken = TakenWork { applicant: personal.map(|it| it.applicant), ..taken };
        it.office().take(taken.clone()).await.unwrap();
        for name in it.names("out") {
            let bytes = fs::read(it.path("out").join(&name)).unwrap();
            files.insert(name, (taken.work.case, bytes));
        }
        it.pick_up();
    }
    it.stage.take_all().await;
    let (first, (case, _)) = files.first_key_value().unwrap();
    let wanted = format!("办件标识\r\n{case}\r\n#END,1\r\n");
    it.drop_file("resend-1.csv", super::charset::encode(&wanted, Charset::Gb18030, false).unwrap());
    it.turn().await.unwrap();
    assert_eq!(it.names("out"), [first.as_str()]);
    it.pick_up();
    let wrong = "日期\r\n2026-03-02\r\n2025-01-01\r\n三月二日\r\n#END,3\r\n";
    it.drop_file("resend-2.csv", super::charset::encode(wrong, Charset::Gb18030, false).unwrap());
    it.turn().await.unwrap();
    for (name, (_, bytes)) in &files {
        assert_eq!(&fs::read(it.path("out").join(name)).unwrap(), bytes, "{name}");
    }
    let told = it.receipt("resend-2.csv.receipt.csv").await;
    assert!(told.contains("已重发 3 件") && told.contains("nothing-to-resend"), "{told}");
    assert!(told.contains("\"4\",\"\",\"refused\",\"wrong-value\""), "{told}");
}

#[test]
fn every_format_and_encoding_reads_back_what_was_written_or_says_what_does_not_fit() {
    let column = |name| *ANSWER.iter().find(|it| it.name == name).unwrap();
    let texts = [
        "受-1",
        "a,\"b\"\r\nc",
        "=1+1",
        "+86 138",
        "'quoted",
        "<&>]]>",
        "古丽·买买提",
        "-",
        "㐂龘",
    ];
    for format in [Format::Xml, Format::Csv] {
        for charset in [Charset::Utf8, Charset::Gbk, Charset::Gb18030] {
            let manner = Manner { format, charset, formula_safe: true };
            for text in texts {
                let fields: Vec<(Column, String)> = vec![(column("text"), text.to_owned())];
                let written = manner.write("answer", &[column("text")], &[fields]);
                if text == "㐂龘" && charset == Charset::Gbk {
                    let told = written.unwrap_err().to_string();
                    assert!(told.contains("`text`") && !told.contains('㐂'), "{told}");
                    continue;
                }
                let bytes = written.unwrap();
                if format == Format::Csv && text.starts_with(['=', '+']) {
                    let raw = super::charset::decode(&bytes, charset).unwrap();
                    assert!(raw.contains(&format!("\"'{text}\"")), "{raw}");
                }
                let read = record::read(&bytes, format, charset, 10).unwrap();
                assert_eq!(read[0].fields[0].1, text);
                let half = record::read(&bytes[..bytes.len() - 14], format, charset, 10);
                assert!(matches!(half, Err(Unread::Incomplete | Unread::Refused(_))), "{half:?}");
            }
        }
    }
    let bell = vec![(column("text"), "\u{7}".to_owned())];
    let manner = Manner { format: Format::Xml, charset: Charset::Utf8, formula_safe: true };
    assert!(manner.write("answer", &[], &[bell]).is_err(), "XML cannot hold it");
}
