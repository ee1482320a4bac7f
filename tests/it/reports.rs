//! The statistics' pages and files: what each role gets, that nothing from outside becomes a formula or a tag, and that an issued report is made again to the byte.

use std::io::Cursor;
use std::path::Path;

use calamine::{Data, Reader, Xlsx};
use events::envelope::{Actor, Envelope, Event, Position, Version};
use events::ids::{CaseId, EventId, StreamName};
use events::keeping::{KeepingEvent, StatisticsIssued};
use events::province::ProvinceEvent;
use events::vocabulary::Stage;
use hub::log::sqlite::SqliteLog;
use hub::log::{Append, EventLog as _, Expected};
use hub::registrar::{Ask, What};
use hub_core::command::Command;
use hub_core::province::ProvinceCommand;
use serde_json::Value;
use tests::http::submission;
use tests::program::hub as program;

use crate::console::{Browser, Console, text_that_has};

/// What spreadsheets and browsers must take for words.
const NASTY: [&str; 6] = [
    "=cmd|' /C calc'!A0",
    "+SUM(1,2)",
    "-2+3",
    "@SUM(A1)",
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
];

pub(crate) async fn told(console: &Console, what: What) {
    let actor = Actor::Operator("operator".to_owned());
    let occurred_at = console.hub.clock.now();
    let ask = Ask { actor, occurred_at, caused_by: None, what };
    console.hub.registrar.ask(ask).await.unwrap();
}

pub(crate) async fn enrolled(console: &Console, province: &str) {
    let command = ProvinceCommand::Enroll { operator: "operator".to_owned() };
    let province = province.parse().unwrap();
    told(console, What::Province { province, command }).await;
    let all = console.hub.readers.read(|log| log.read_all(Position(0), 100_000)).unwrap();
    all.iter().for_each(|it| console.hub.membership.apply(it));
}

/// One case of Jilin's that is overdue, whose authority has this name, explained with this note.
pub(crate) async fn breach(console: &Console, nth: u32, name: &str, note: &str) -> String {
    console.hub.clock.advance_to("2026-02-13T01:30:00Z".parse().unwrap());
    let mut body = submission(nth);
    body["authority"]["name"] = name.into();
    let key = format!("key-{nth:05}");
    let receipt: Value =
        console.hub.submit(&key, body.to_string()).send().await.unwrap().json().await.unwrap();
    let number = receipt["case_number"].as_str().unwrap_or_else(|| panic!("{receipt}"));
    let case: CaseId = receipt["case_id"].as_str().unwrap().parse().unwrap();
    let path = format!("/v1/cases/{number}");
    console.hub.wait_for(&path, "ysfw", |it| it["case_number"] == *number).await;
    console.hub.clock.advance_to("2026-02-25T01:30:00Z".parse().unwrap());
    let case_told =
        |command| What::Case { case, command, personal: None, evidence: None, key: None };
    told(console, case_told(Command::ObserveDate(console.hub.clock.today()))).await;
    let (operator, note) = ("operator".to_owned(), note.to_owned());
    let stage = Stage::Acceptance;
    told(console, case_told(Command::ExplainBreach { stage, operator, note })).await;
    number.to_owned()
}

pub(crate) async fn text(browser: &Browser, path: &str) -> String {
    let answer = browser.get(path).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.unwrap()
}

/// The cells of every sheet; none of them a formula.
async fn cells(browser: &Browser, path: &str) -> Vec<(String, Vec<Vec<Data>>)> {
    let answer = browser.get(path).await;
    assert_eq!(answer.status(), 200, "{path}");
    assert!(answer.headers()["content-disposition"].to_str().unwrap().contains(".xlsx"));
    let bytes = answer.bytes().await.unwrap().to_vec();
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).unwrap();
    let mut sheets = Vec::new();
    for name in book.sheet_names() {
        let formulas = book.worksheet_formula(&name).unwrap();
        assert!(formulas.cells().all(|it| it.2.is_empty()), "{path} {name}");
        let range = book.worksheet_range(&name).unwrap();
        sheets.push((name, range.rows().map(<[Data]>::to_vec).collect()));
    }
    sheets
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_from_outside_is_words_on_every_page_and_in_every_file() {
    let console = Console::open().await;
    for (nth, nasty) in (1..).zip(NASTY) {
        breach(&console, nth, nasty, nasty).await;
    }
    let operator = console.signed_in("operator").await;
    let ledger = "kind=ledger&period=2026-02";
    for path in ["/cases".to_owned(), format!("/reports/ledger?{ledger}")] {
        let page = text(&operator, &path).await;
        assert!(!page.contains("<script>alert") && !page.contains("<img"), "{path}");
    }
    let page = text(&operator, &format!("/reports/ledger?{ledger}")).await;
    assert!(page.contains("&#60;script&#62;") || page.contains("&lt;script&gt;"), "{page}");
    for path in ["/cases.csv".to_owned(), format!("/reports/table.csv?{ledger}")] {
        let csv = text(&operator, &path).await;
        for cell in csv.lines().flat_map(|it| it.split(',')) {
            let begins = cell.trim_start_matches('"').chars().next();
            assert!(!begins.is_some_and(|it| "=+-@".contains(it)), "{path}: {cell}");
        }
    }
    for path in ["/cases.xlsx".to_owned(), format!("/reports/table.xlsx?{ledger}")] {
        let sheets = cells(&operator, &path).await;
        let all: Vec<&Data> = sheets.iter().flat_map(|it| it.1.iter().flatten()).collect();
        for nasty in NASTY {
            assert!(all.contains(&&Data::String(nasty.to_owned())), "{path}: {nasty}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_stand_on_the_page_in_the_files_and_lead_to_the_ledger() {
    let console = Console::open().await;
    let number = breach(&console, 1, "长春市交通运输局", "系统升级").await;
    let operator = console.signed_in("operator").await;
    for path in
        ["/reports/figures?period=2026-02", "/reports/figures?kind=quarterly&period=2026-Q1"]
    {
        let page = text(&operator, path).await;
        assert!(page.contains("吉林省") && page.contains("受理超期") && page.contains(&number));
        assert!(page.contains("/reports/ledger?kind=ledger"), "{path}");
        assert!(page.contains("期限日结束时无记录"), "every figure has its definition on the page");
    }
    let english = text(&operator, "/reports/figures?period=2026-02&lang=en&by=item").await;
    assert!(english.contains("nothing on record when the day ended"));
    let sheets = cells(&operator, "/reports/table.xlsx?kind=monthly&period=2026-02").await;
    let names: Vec<&str> = sheets.iter().map(|it| it.0.as_str()).collect();
    assert_eq!(names.len(), 8, "{names:?}");
    assert_eq!(names.last(), Some(&"口径 definitions"));
    let by_province = &sheets[1].1;
    let column = by_province[0].iter().position(|it| it.to_string().starts_with("受理超期"));
    assert_eq!(by_province[1][column.unwrap()], Data::Float(1.0));
    let ledger = text(&operator, "/reports/ledger?period=2026-02&province=22&state=open").await;
    assert!(ledger.contains(&number) && ledger.contains("系统升级"));
    for nothing in ["problem=complaint", "province=44", "state=mended", "item=reissue"] {
        let page = text(&operator, &format!("/reports/ledger?period=2026-02&{nothing}")).await;
        assert!(!page.contains(&number), "{nothing}");
    }
    for bad in ["period=2026-13", "kind=x", "province=99", "at=0x1", "at=999999", "by=x"] {
        let path = format!("/reports/figures?{bad}");
        assert_eq!(operator.get(&path).await.status(), 400, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_province_gets_its_own_figures_whatever_it_asks_for() {
    let console = Console::open().await;
    let number = breach(&console, 1, "长春市交通运输局", "系统升级").await;
    let mut elsewhere = submission(2);
    elsewhere["authority"] = serde_json::json!({"name": "广东省交通运输厅", "division": "440100"});
    console.hub.submit("key-00002", elsewhere.to_string()).send().await.unwrap();
    let province = console.signed_in("province").await;
    for path in [
        "/reports/figures?period=2026-02&province=44",
        "/reports/ledger?period=2026-02&province=44",
        "/reports/table.csv?period=2026-02&province=44",
        "/reports/publicity?period=2026-02&province=44",
    ] {
        let page = text(&province, path).await;
        assert!(!page.contains("广东"), "{path}");
    }
    let csv = text(&province, "/reports/table.csv?kind=ledger&period=2026-02&province=44").await;
    assert!(csv.contains(&number));
    let form = [("kind", "monthly"), ("period", "2026-02"), ("at", "3")];
    let mark = province.mark().await;
    let form = [&form[..], &[("mark", mark.as_str())]].concat();
    assert_eq!(province.post("/reports/issued", &form).await.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issued_report_is_on_record_and_made_again_to_the_byte() {
    let console = Console::open().await;
    breach(&console, 1, "长春市交通运输局", "系统升级").await;
    let operator = console.signed_in("operator").await;
    let mark = operator.mark().await;
    let at = console.hub.readers.read(|log| log.head()).unwrap().unwrap().0.to_string();
    let mut issued = Vec::new();
    for kind in ["monthly", "ledger", "publicity"] {
        let form =
            [("mark", mark.as_str()), ("kind", kind), ("period", "2026-02"), ("at", at.as_str())];
        let answer = operator.post("/reports/issued", &form).await;
        assert_eq!(answer.status(), 303);
        issued.push(answer.headers()["location"].to_str().unwrap().to_owned());
    }
    let all = console.hub.readers.read(|log| log.read_all(Position(0), 100_000)).unwrap();
    let Event::Keeping(KeepingEvent::StatisticsIssued(it)) = &all.last().unwrap().envelope.event
    else {
        panic!("{:?}", all.last());
    };
    assert_eq!((it.operator.as_str(), it.position.to_string()), ("operator", at.clone()));
    let csv = format!("/reports/table.csv?kind=monthly&period=2026-02&at={at}");
    let before = text(&operator, &csv).await;
    // The log goes on; so does another reader.
    breach(&console, 2, "吉林市交通运输局", "另一件").await;
    let auditor = console.signed_in("auditor").await;
    assert_eq!(text(&auditor, &csv).await, before);
    let now = text(&auditor, "/reports/table.csv?kind=monthly&period=2026-02").await;
    assert_ne!(now, before);
    for location in issued {
        let page = text(&auditor, &location).await;
        assert!(page.contains("逐字节一致"), "{location}");
    }
    // A digest that the log does not bear out is said to be different.
    let forged = StatisticsIssued { csv_sha256: "00".repeat(32), ..it.clone() };
    told(&console, What::Keeping(KeepingEvent::StatisticsIssued(forged))).await;
    let head = console.hub.readers.read(|log| log.head()).unwrap().unwrap().0;
    let page = text(&auditor, &format!("/reports/issued?at={head}")).await;
    assert!(page.contains("不一致"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_province_hands_in_its_publicity_table_and_nobody_elses() {
    let console = Console::open().await;
    for province in ["22", "44"] {
        enrolled(&console, province).await;
    }
    let province = console.signed_in("province").await;
    let mark = province.mark().await;
    let form = |month: &'static str, code: &'static str, text: &'static str| {
        let mut form = vec![("mark", mark.as_str()), ("month", month), ("province", code)];
        form.extend([("first4", "2"), ("second4", "350"), ("text4", text), ("share", "95.5")]);
        form.push(("base", "yes"));
        form
    };
    let before = console.hub.events();
    for (month, code, words, status) in [
        ("2026-02", "44", "x", 403),
        ("2026-13", "22", "x", 422),
        ("2026-02", "99", "x", 422),
        ("2026-02", "22", "11010519491231002X", 422),
    ] {
        let answer = province.post("/reports/publicity", &form(month, code, words)).await;
        assert_eq!(answer.status(), status, "{month} {code} {words}");
    }
    assert_eq!(console.hub.events(), before);
    let good = form("2026-02", "22", "%3Dposters");
    assert_eq!(province.post("/reports/publicity", &good).await.status(), 303);
    assert_eq!(console.hub.events(), before + 1);
    // The same again is nothing new.
    assert_eq!(province.post("/reports/publicity", &good).await.status(), 303);
    assert_eq!(console.hub.events(), before + 1);
    let all = console.hub.readers.read(|log| log.read_all(Position(0), 100_000)).unwrap();
    let Event::Province(ProvinceEvent::PublicityStated(it)) = &all.last().unwrap().envelope.event
    else {
        panic!("{:?}", all.last());
    };
    assert_eq!((it.by.as_str(), it.statement.carriers_told_share), ("province", Some(9_550)));
    let auditor = console.signed_in("auditor").await;
    let page = text(&auditor, "/reports/publicity?period=2026-02&province=22").await;
    assert!(page.contains("350") && page.contains("按时") && page.contains("未报"), "{page}");
    assert!(!page.contains("<textarea"), "an auditor fills in nothing");
    let csv = text(&auditor, "/reports/table.csv?kind=publicity&period=2026-02").await;
    assert!(csv.contains("'=posters") && csv.contains("广东省,未报 missing"), "{csv}");
}

/// A golden log as a file, and its origin.
fn golden(folder: &Path) -> (String, String) {
    let told = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/v1-statistics.jsonl");
    let path = folder.join("log.db");
    let made = hub::audit::import::import(&told, &path, &mut |_, _| {}).unwrap();
    (path.to_str().unwrap().to_owned(), made.origin)
}

#[tokio::test]
async fn the_command_line_makes_reports_offline_and_says_whether_issued_ones_still_hold() {
    let folder = tempfile::tempdir().unwrap();
    let (log, origin) = golden(folder.path());
    let month = ["report", "publicity", "--month", "2026-02", "--log", &log];
    let kept = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("golden/report-v1-statistics-publicity-2026-02-r1.csv");
    let kept = std::fs::read_to_string(kept).unwrap();
    assert_eq!(program(&month).await.with(0).out, kept, "standard output has the very bytes");
    let told = program(&[&month[..], &["--json"]].concat()).await.with(0).json();
    assert_eq!(told["csv_sha256"], hub::statistics::report::digest(&kept));
    let out = folder.path().join("report.xlsx");
    let out = out.to_str().unwrap();
    program(&[&month[..], &["--out", out]].concat()).await.with(0);
    assert!(std::fs::metadata(out).unwrap().len() > 1_000);
    program(&[&month[..], &["--out", out]].concat()).await.with(2);
    program(&[&month[..], &["--at", "9999"]].concat()).await.with(2);
    program(&["report", "monthly", "--month", "2026-13", "--log", &log]).await.with(2);
    // The golden log's two were issued with a digest that no report has.
    let rerun = ["report", "rerun", "--log", &log, "--json"];
    let lines = program(&rerun).await.with(1).lines();
    assert_eq!(lines.len(), 2);
    assert!(lines.iter().all(|it| it["verdict"] == "different"), "{lines:?}");
    let honest = StatisticsIssued {
        kind: "publicity".to_owned(),
        period: "2026-02".to_owned(),
        province: None,
        revision: hub::statistics::REVISION,
        position: 5,
        csv_sha256: hub::statistics::report::digest(&kept),
        operator: "li".to_owned(),
    };
    let later = StatisticsIssued { revision: 999, ..honest.clone() };
    for (version, event) in (4..).zip([honest, later]) {
        issue(&log, &origin, version, event);
    }
    program(&["report", "rerun", "--log", &log, "--issued", "6"]).await.with(0);
    let other = program(&["report", "rerun", "--log", &log, "--issued", "7"]).await.with(1);
    assert!(other.out.contains("other-revision"), "{}", other.out);
    program(&["report", "rerun", "--log", &log, "--issued", "1"]).await.with(2);
    assert_eq!(
        program(&["report", "list", "--log", &log, "--json"]).await.with(0).lines().len(),
        4
    );
}

/// Appends that a report was issued.
fn issue(log: &str, origin: &str, version: u64, event: StatisticsIssued) {
    let mut log = SqliteLog::open(Path::new(log), origin).unwrap();
    let envelope = Envelope {
        id: EventId(uuid::Uuid::now_v7()),
        stream: StreamName::Keeping,
        occurred_at: "2026-03-01T00:00:00Z".parse().unwrap(),
        actor: Actor::Operator("li".to_owned()),
        caused_by: None,
        event: Event::Keeping(KeepingEvent::StatisticsIssued(event)),
        sealed: None,
        evidence: None,
    };
    let append = Append {
        stream: StreamName::Keeping,
        expected: Expected::At(Version(version - 1)),
        recorded_at: "2026-03-01T00:00:00Z".parse().unwrap(),
        events: vec![envelope],
        key: None,
    };
    let answers = log.append(vec![append]).unwrap();
    answers.into_iter().for_each(|it| drop(it.unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_kept_for_its_owner_and_holds_nothing_but_filters() {
    let console = Console::open().await;
    let operator = console.signed_in("operator").await;
    let mark = operator.mark().await;
    let form = |name: &'static str, more: &[(&'static str, &'static str)]| {
        let mut form = vec![("mark", mark.as_str()), ("deed", "save"), ("name", name)];
        form.extend(more);
        form
    };
    let good = form("%3Cb%3ELate+in+Jilin", &[("province", "22"), ("only", "overdue")]);
    let answer = operator.post("/cases/saved", &good).await;
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["location"], "/cases?province=22&only=overdue");
    for (wrong, status) in [
        (form("x", &[("province", "99")]), 400),
        (form("", &[("province", "22")]), 422),
        (form("11010519491231002X", &[("province", "22")]), 422),
    ] {
        assert_eq!(operator.post("/cases/saved", &wrong).await.status(), status, "{wrong:?}");
    }
    let page = text(&operator, "/cases").await;
    assert!(page.contains("/cases?province=22&#38;only=overdue") && !page.contains("<b>Late"));
    let hotline = console.signed_in("hotline").await;
    assert!(!text(&hotline, "/cases").await.contains("only=overdue\">&"));
    assert!(!text(&hotline, "/cases").await.contains("Late in Jilin"));
    let gone = [("mark", mark.as_str()), ("deed", "forget"), ("name", "%3Cb%3ELate+in+Jilin")];
    assert_eq!(operator.post("/cases/saved", &gone).await.status(), 303);
    assert!(!text(&operator, "/cases").await.contains("Late in Jilin"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provinces_page_shows_its_month_its_adapter_and_its_certificate() {
    let console = Console::open().await;
    enrolled(&console, "22").await;
    let number = breach(&console, 1, "长春市交通运输局", "系统升级").await;
    let certified = events::province::AdapterCertified {
        adapter_version: "1.4.2".to_owned(),
        kit_version: "1.0.0".to_owned(),
        result_digest: "00".repeat(32),
        expires_at: "2026-03-05T00:00:00Z".parse().unwrap(),
    };
    let command = ProvinceCommand::Certify(certified);
    let province = "22".parse().unwrap();
    told(&console, What::Province { province, command }).await;
    let all = console.hub.readers.read(|log| log.read_all(Position(0), 100_000)).unwrap();
    all.iter().for_each(|it| console.hub.membership.apply(it));
    let auditor = console.signed_in("auditor").await;
    let page = text_that_has(&auditor, "/provinces/22", "class=\"trend\"").await;
    assert!(page.contains("本月趋势"), "{page}");
    assert!(page.contains("1.4.2") && page.contains("mark soon") && page.contains("7 天后到期"));
    let table = text_that_has(&auditor, "/provinces", "100.00%").await;
    assert!(table.contains("本月联网可用率"), "{table}");
    assert!(table.contains(&number), "the oldest open case stands in the league table");
}
