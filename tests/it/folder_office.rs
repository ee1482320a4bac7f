//! A province whose office drops files and picks files up: a real sidecar, a real hub, and an office
//! that moves files. In GBK as XML and in UTF-8 as CSV, killed in between.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use tests::broker::wait_for;
use tests::office_stage::{DECIDED_AT, OfficeStage};
use tests::program::signal;

const HEADING: [(&str, &str); 11] = [
    ("answer_id", "答复编号"),
    ("case_id", "办件标识"),
    ("kind", "答复种类"),
    ("occurred_at", "发生时间"),
    ("acceptance_number", "受理编号"),
    ("outcome", "办理结果"),
    ("decision_number", "决定书编号"),
    ("reasons", "原因"),
    ("missing", "缺少材料"),
    ("until", "补正期限"),
    ("certificate_id", "电子证照编号"),
];

fn settings(format: &str, encoding: &str) -> String {
    format!(
        "[folder]\nroot = \"exchange\"\nformat = \"{format}\"\nencoding = \"{encoding}\"\n\
         settle_ms = 20\npoll_interval_ms = 20\n"
    )
}

/// An office that moves files. Whatever it has picked up it never wants to see again.
struct FileOffice {
    root: PathBuf,
    csv: bool,
    works: BTreeMap<String, String>,
}

impl FileOffice {
    fn of(stage: &OfficeStage, csv: bool) -> Self {
        Self { root: stage.folder.at("exchange"), csv, works: BTreeMap::new() }
    }

    fn text(&self, bytes: &[u8]) -> String {
        // As an office does that knows only one encoding; Rust's own check for the other.
        if self.csv {
            String::from_utf8(bytes.to_vec()).unwrap()
        } else {
            tests::office_stage::from_gbk(bytes)
        }
    }

    fn bytes(&self, text: &str) -> Vec<u8> {
        if self.csv { text.as_bytes().to_vec() } else { tests::office_stage::to_gbk(text) }
    }

    fn pick_up(&mut self) {
        let Ok(entries) = fs::read_dir(self.root.join("out")) else { return };
        for path in entries.filter_map(|it| Some(it.ok()?.path())) {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            let text = self.text(&fs::read(&path).unwrap());
            fs::remove_file(path).unwrap();
            assert!(self.works.insert(name.clone(), text).is_none(), "{name} a second time");
        }
    }

    /// The file of this case and kind; everything that there is on the way is picked up.
    async fn work(&mut self, case: &str, kind: &str) -> String {
        let (case, kind) = (case.to_owned(), format!("_{kind}."));
        for _ in 0..3_000 {
            self.pick_up();
            let found =
                self.works.iter().find(|(name, _)| name.contains(&case) && name.contains(&kind));
            if let Some((_, text)) = found {
                return text.clone();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("no work of {case}: {:?}", self.works.keys());
    }

    fn file(&self, answers: &[Vec<(&str, &str)>]) -> Vec<u8> {
        let value = |answer: &Vec<(&str, &str)>, name: &str| {
            let found = answer.iter().find(|it| it.0 == name);
            found.map(|it| it.1.to_owned()).unwrap_or_default()
        };
        let mut text = String::new();
        if self.csv {
            let heading: Vec<&str> = HEADING.iter().map(|it| it.1).collect();
            text += &format!("\u{feff}{}\r\n", heading.join(","));
            for answer in answers {
                let line: Vec<String> = HEADING.iter().map(|it| value(answer, it.0)).collect();
                text += &format!("{}\r\n", line.join(","));
            }
            text += &format!("#END,{}\r\n", answers.len());
        } else {
            text += "<?xml version=\"1.0\" encoding=\"GBK\"?>\n";
            text +=
                &format!("<exchange version=\"1\" kind=\"answer\" count=\"{}\">\n", answers.len());
            for answer in answers {
                text += "<record>";
                for (name, value) in answer {
                    text += &format!("<{name}>{value}</{name}>");
                }
                text += "</record>\n";
            }
            text += "</exchange>\n";
        }
        self.bytes(&text)
    }

    /// Written under another name first, as the agreement says.
    fn drop_answers(&self, name: &str, answers: &[Vec<(&str, &str)>]) -> String {
        let name = format!("{name}.{}", if self.csv { "csv" } else { "xml" });
        let part = self.root.join("in").join(format!("{name}.part"));
        fs::write(&part, self.file(answers)).unwrap();
        fs::rename(part, self.root.join("in").join(&name)).unwrap();
        name
    }

    async fn receipt(&self, name: &str) -> String {
        let receipts = self.root.join("receipts");
        let begin = format!("{name}.receipt.");
        let bytes = wait_for("the receipt", async || {
            let names = fs::read_dir(&receipts).ok()?.filter_map(|it| Some(it.ok()?.path()));
            let fits = |it: &PathBuf| it.file_name().unwrap().to_string_lossy().starts_with(&begin);
            fs::read(names.into_iter().find(fits)?).ok()
        })
        .await;
        self.text(&bytes)
    }

    /// The verdicts of the hub so far.
    fn results(&self) -> String {
        let receipts = fs::read_dir(self.root.join("receipts")).unwrap();
        let paths = receipts.map(|it| it.unwrap().path());
        let results =
            paths.filter(|it| it.file_name().unwrap().to_string_lossy().starts_with("result_"));
        results.map(|it| self.text(&fs::read(it).unwrap())).collect()
    }

    async fn recorded(&self, id: &str) {
        wait_for("the hub's verdict", async || {
            let results = self.results();
            let at = results.find(id)?;
            let after: String = results[at..].chars().take(80).collect();
            after.contains("recorded").then_some(())
        })
        .await;
    }
}

fn said<'a>(
    id: &'a str,
    case: &'a str,
    kind: &'a str,
    more: &[(&'a str, &'a str)],
) -> Vec<(&'a str, &'a str)> {
    let mut answer =
        vec![("answer_id", id), ("case_id", case), ("kind", kind), ("occurred_at", DECIDED_AT)];
    answer.extend(more);
    answer
}

async fn walk(test: &str, format: &str, encoding: &str) {
    let csv = format == "csv";
    let tables = settings(format, encoding);
    let Some(stage) = OfficeStage::set(test, "folder", &tables).await else { return };
    let mut sidecar = stage.serve();
    let cases = stage.submit(0, 5).await;
    let mut office = FileOffice::of(&stage, csv);
    for case in &cases {
        let text = office.work(case, "case").await;
        assert!(
            text.contains("古丽·买买提") && text.contains("换发") || text.contains("renewal"),
            "{text}"
        );
    }
    // Half of the answers, then the sidecar dies; the other half while it is away.
    let missing = [("missing", "photo;education-record"), ("until", "2027-01-20")];
    let first = office.drop_answers(
        "answers-1",
        &[
            said("A-1", &cases[0], "accepted", &[("acceptance_number", "受-1")]),
            said("B-1", &cases[1], "accepted", &[("acceptance_number", "受-2")]),
            said("C-1", &cases[2], "declined", &[("reasons", "renewal-not-due")]),
            said("D-1", &cases[3], "returned", &[("reasons", "not-this-authority")]),
            said("E-1", &cases[4], "correction-requested", &missing),
            said("F-1", &cases[4], "不知道", &[]),
        ],
    );
    let told = office.receipt(&first).await;
    assert!(told.contains("unknown-local-code") && told.contains("答复种类"), "{told}");
    signal(&sidecar, "KILL").await;
    sidecar.wait().await.unwrap();
    let approved = [("outcome", "approved"), ("decision_number", "决-1")];
    let denied =
        [("outcome", "denied"), ("decision_number", "决-2"), ("reasons", "over-age;data-mismatch")];
    let second = office.drop_answers(
        "answers-2",
        &[
            said("A-2", &cases[0], "completed", &approved),
            said("A-3", &cases[0], "certificate-issued", &[("certificate_id", "E-1")]),
            said("B-2", &cases[1], "completed", &denied),
        ],
    );
    let _sidecar = stage.serve();
    let told = office.receipt(&second).await;
    assert!(!told.contains("refused"), "{told}");
    for id in ["A-1", "A-2", "A-3", "B-1", "B-2", "C-1", "D-1", "E-1"] {
        office.recorded(id).await;
    }
    stage.correct(&cases[4]).await;
    assert!(office.work(&cases[4], "correction").await.contains("f-corrected"));
    office.drop_answers(
        "answers-3",
        &[said("E-2", &cases[4], "accepted", &[("acceptance_number", "受-5")])],
    );
    office.recorded("E-2").await;
    for (case, last) in
        cases.iter().zip(["certificate-issued", "completed", "declined", "returned", "accepted"])
    {
        stage.until(case, last).await;
        stage.assert_once(case).await;
    }
    // A request brings a case back; without one nothing comes twice.
    let name = office.works.keys().find(|it| it.contains(&cases[0])).unwrap().clone();
    let known = office.works.remove(&name).unwrap();
    let request = format!("case_id\r\n{}\r\n#END,1\r\n", cases[0]);
    fs::write(office.root.join("in/resend-1.csv"), request).unwrap();
    assert_eq!(office.work(&cases[0], "case").await, known, "the same bytes again");
    stage.folder.hub(&["verify"]).await.with(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_outcome_goes_through_xml_files_in_gbk_exactly_once() {
    walk("folder office, XML", "xml", "gbk").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_outcome_goes_through_csv_files_exactly_once() {
    walk("folder office, CSV", "csv", "utf-8").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_in_plain_words_what_is_wrong_with_the_folders() {
    let tables = settings("xml", "gbk");
    let Some(stage) = OfficeStage::set("check folders", "folder", &tables).await else { return };
    let finding = |out: &str| {
        let line = out.lines().find(|it| it.contains("exchange folders")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{out}"))
    };
    let checked = stage.check().await.with(0);
    assert!(finding(&checked.out).contains("serve"), "{}", checked.out);
    let root = stage.folder.at("exchange");
    for room in ["out", "in", "done", "refused", "receipts", "tmp"] {
        fs::create_dir_all(root.join(room)).unwrap();
    }
    assert!(finding(&stage.check().await.with(0).out).starts_with('✓'));
    fs::remove_dir(root.join("done")).unwrap();
    std::os::unix::fs::symlink("/", root.join("done")).unwrap();
    let found = finding(&stage.check().await.with(1).out);
    assert!(found.starts_with('✗') && found.contains("done") && found.contains("link"), "{found}");
    fs::remove_file(root.join("done")).unwrap();
    let found = finding(&stage.check().await.with(1).out);
    assert!(found.contains("done"), "{found}");
    stage.configure("folder", &tables.replace("poll_interval_ms = 20", "poll_interval_ms = 0"));
    let refused = stage.check().await.with(2);
    assert!(refused.err.contains("folder.poll_interval_ms"), "{}", refused.err);
}
