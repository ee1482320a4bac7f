//! Annex 1 by adapter: real programs state it, correct it, and wait for a hub that is away; the console tells
//! who stated by form and who by adapter.

use std::path::PathBuf;
use std::time::Duration;

use events::envelope::{Actor, Evidence};
use events::ids::ProvinceCode;
use events::province::{PublicityStated, Sent};
use events::publicity::{Fulfilment, ROWS, Statement, Told};
use events::wire;
use events::work::{Receipts, StatementReceipt};
use hub::registrar::{Answer, Ask, What};
use hub_core::province::ProvinceCommand;
use jiff::Timestamp;
use reqwest::redirect::Policy;
use serde_json::{Value, json};
use tests::broker::wait_for;
use tests::office_stage::OfficeStage;
use tests::program::{Ended, command, run_with};
use uuid::Uuid;

use crate::console::{Browser, Console};
use crate::reports::{enrolled, text, told};
use crate::schemas::check;

/// The month in which the programs' time begins.
const MONTH: &str = "2026-12";
const PAGE: &str = "/reports/publicity?period=2026-12";
/// For the hub's receipt, on a machine that is busy with other builds.
const WAIT: [&str; 2] = ["--wait", "90"];

/// The real adapter's command with a table of so many posters.
struct Clerk<'a> {
    stage: &'a OfficeStage,
}

impl Clerk<'_> {
    fn table(&self, change: impl FnOnce(&mut Value)) -> PathBuf {
        let rows: Vec<Value> = (0..ROWS).map(|_| json!({"first": 1, "text": "已办"})).collect();
        let mut table = json!({"month": MONTH, "rows": rows, "knowledge_base": true});
        change(&mut table);
        let path = self.stage.folder.at("table.json");
        std::fs::write(&path, table.to_string()).expect("a table");
        path
    }

    async fn states(&self, posters: u32, more: &[&str]) -> Ended {
        let path = self.table(|it| it["rows"][3]["second"] = posters.into());
        let mut command = self.stage.sidecar("publicity");
        command.arg(path).arg("--json").args(more);
        run_with(command, "").await
    }

    async fn refused_file(&self, change: impl FnOnce(&mut Value)) -> String {
        let path = self.table(change);
        let mut command = self.stage.sidecar("publicity");
        command.arg(path);
        run_with(command, "").await.with(2).err
    }

    async fn status(&self) -> Value {
        let mut command = self.stage.sidecar("status");
        command.arg("--json");
        run_with(command, "").await.with(0).json()["publicity"].clone()
    }

    /// How many statements the hub has on record.
    async fn recorded(&self) -> usize {
        let file = self.stage.folder.text(&format!("log-{}.jsonl", Uuid::now_v7()));
        self.stage.folder.hub(&["export", &file]).await.with(0);
        let log = std::fs::read_to_string(file).expect("an export");
        log.matches("cn.gov.mot.hub.province.publicity-stated.v1").count()
    }
}

async fn auditor(stage: &OfficeStage) -> Browser {
    let body = json!({"name": "auditor", "display": "auditor", "role": "auditor", "must_change": false,
        "fresh_password": true});
    let (status, put) = stage.hub.order("/v1/admin/accounts", &body).await;
    assert!((200..300).contains(&status), "{status} {put}");
    let password = put["password"].as_str().expect("a password");
    let http = reqwest::Client::builder().no_proxy().redirect(Policy::none());
    let http = http.build().expect("a client");
    let base = format!("http://{}", stage.hub.address);
    let mut browser = Browser { http, base, cookie: None };
    assert_eq!(browser.sign_in("auditor", password).await.status(), 303);
    browser
}

async fn page_with(browser: &Browser, part: &str) -> String {
    crate::console::text_that_has(browser, PAGE, part).await
}

/// An adapter that has run once.
async fn make_store(stage: &OfficeStage) {
    let mut sidecar = stage.serve();
    wait_for("the store", async || {
        let status = run_with(stage.sidecar("status"), "").await;
        (status.code == Some(0)).then_some(())
    })
    .await;
    sidecar.kill().await.expect("it dies");
}

async fn broken_files(clerk: &Clerk<'_>) {
    for (row, field, value, told) in [
        (0, "second", json!(9), "`/rows/0/second`: out-of-bounds"),
        (7, "text", json!("11010519491231002X"), "identity-number-in-clear"),
        (7, "text", json!("x".repeat(501)), "`/rows/7/text`: out-of-bounds"),
        (7, "text", json!(7), "not-a-statement"),
    ] {
        let err = clerk.refused_file(|it| it["rows"][row][field] = value).await;
        assert!(err.contains(told), "{err}");
    }
    let err = clerk.refused_file(|it| it["month"] = "2027-01".into()).await;
    assert!(err.contains("month-not-open"), "{err}");
    let err = clerk.refused_file(|it| it["persons"] = json!([])).await;
    assert!(err.contains("not-a-statement"), "{err}");
}

/// A spreadsheet's table with so many posters: the program's own example, filled in and stated.
async fn by_spreadsheet(clerk: &Clerk<'_>, posters: u32) -> Ended {
    let mut command = clerk.stage.sidecar("publicity");
    command.args(["--example", "--csv"]);
    let example = run_with(command, "").await.with(0).out;
    let filled = example.replacen("4,张贴宣传海报,", "4,海报,", 1);
    let mut lines: Vec<String> = filled.lines().map(str::to_owned).collect();
    assert!(lines[4].starts_with("4,海报,"), "{example}");
    lines[4] = format!("4,海报,,各地窗口,1,{posters},,,");
    let path = clerk.stage.folder.at("统计表.csv");
    std::fs::write(&path, lines.join("\r\n")).expect("a table");
    let mut command = clerk.stage.sidecar("publicity");
    command.arg(&path).arg("--json").args(WAIT);
    run_with(command, "").await
}

/// A machine that lives a month ahead: its own check lets the month pass, and the hub refuses it by name.
async fn a_month_ahead(clerk: &Clerk<'_>) {
    let folder = &clerk.stage.folder;
    let config = std::fs::read_to_string(folder.at("adapter.toml")).expect("a configuration");
    let ahead = config.replace("told_start = \"2026-12-30", "told_start = \"2027-01-30");
    assert_ne!(ahead, config);
    std::fs::write(folder.at("ahead.toml"), ahead).expect("a configuration");
    let table = clerk.table(|it| it["month"] = "2027-01".into());
    let mut strange = command("province-adapter");
    strange.arg("--config").arg(folder.at("ahead.toml")).arg("publicity").arg(table);
    strange.args(WAIT);
    let refused = run_with(strange, "").await.with(1).out;
    assert!(refused.contains("✗") && refused.contains("out-of-bounds"), "{refused}");
    let shown = run_with(clerk.stage.sidecar("status"), "").await.with(0).out;
    assert!(shown.contains("2027-01: refused by the hub: out-of-bounds"), "{shown}");
    assert!(shown.contains("2026-12: taken by the hub"), "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_province_states_its_publicity_by_adapter_and_corrects_it_through_everything() {
    let instant = "[simulated]\nmode = \"instant\"\n";
    let Some(mut stage) = OfficeStage::set("annex 1", "simulated", instant).await else { return };
    let clerk = Clerk { stage: &stage };
    let early = clerk.states(1, &[]).await.with(1);
    assert!(early.err.contains("there is no store"), "{early:?}");

    // Kept while no adapter runs; a broken file is refused by name, and nothing of it is kept.
    make_store(&stage).await;
    let kept = clerk.states(350, &[]).await.with(0).json();
    assert_eq!((&kept["known"], &kept["taken"]), (&json!(false), &json!(false)), "{kept}");
    broken_files(&clerk).await;
    let waiting = clerk.status().await;
    assert_eq!((&waiting[0]["month"], waiting.as_array().map(Vec::len)), (&json!(MONTH), Some(1)));
    assert!(waiting[0]["settled_seconds"].is_null(), "{waiting}");

    // The adapter runs: the same file again is the same statement, and the hub has signed for it.
    let sidecar = stage.serve();
    let taken = clerk.states(350, &WAIT).await.with(0).json();
    assert_eq!((&taken["known"], &taken["taken"]), (&json!(true), &json!(true)), "{taken}");
    assert_eq!(taken["statement"], kept["statement"]);
    let first = taken["position"].as_u64().expect("a position");
    assert_eq!(clerk.states(350, &WAIT).await.with(0).json()["position"], first);
    assert_eq!(clerk.recorded().await, 1);
    let browser = auditor(&stage).await;
    let page = page_with(&browser, "350").await;
    assert!(page.contains("<td>适配器</td>") && page.contains("province-adapter/"), "{page}");

    // A correction takes its place.
    let corrected = clerk.states(400, &WAIT).await.with(0).json();
    assert!(corrected["position"].as_u64() > Some(first), "{corrected}");
    let page = page_with(&browser, "400").await;
    assert!(!page.contains("350"), "{page}");
    let refused = by_spreadsheet(&clerk, 100_000_001).await.with(2).err;
    assert!(refused.contains("line 5, column `second`: out-of-bounds"), "{refused}");
    let sheet = by_spreadsheet(&clerk, 425).await.with(0).json();
    assert!(sheet["position"].as_u64() > corrected["position"].as_u64(), "{sheet}");
    page_with(&browser, "425").await;

    a_month_ahead(&clerk).await;

    // The hub is away: the table waits, and is taken when the hub is back.
    stage.hub.child.kill().await.expect("it dies");
    let clerk = Clerk { stage: &stage };
    let away = clerk.states(450, &["--wait", "2"]).await.with(1).json();
    assert_eq!((&away["taken"], &away["refused"]), (&json!(false), &Value::Null), "{away}");
    stage.hub = stage.folder.serve().await;
    let clerk = Clerk { stage: &stage };
    let back = clerk.states(450, &WAIT).await.with(0).json();
    assert_eq!((&back["known"], &back["taken"]), (&json!(true), &json!(true)), "{back}");
    let browser = auditor(&stage).await;
    page_with(&browser, "450").await;
    let log = clerk.recorded().await;
    assert_eq!(log, 4, "one each, however often it was sent");
    stage.folder.hub(&["verify", "--json"]).await.with(0);
    let csv = stage.folder.hub(&["report", "publicity", "--month", MONTH]).await.with(0).out;
    assert!(csv.contains("450") && csv.contains("适配器 adapter province-adapter/"), "{csv}");
    drop(sidecar);
}

fn statement(posters: u32) -> Statement {
    let mut rows = vec![Fulfilment::default(); ROWS];
    rows[3].second = posters;
    let month = "2026-02".parse().unwrap();
    Statement { month, rows, carriers_told_share: None, knowledge_base: true }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_and_the_files_tell_who_stated_by_form_who_by_adapter_and_who_not() {
    let console = Console::open().await;
    for province in ["22", "31", "44"] {
        enrolled(&console, province).await;
    }
    let form = PublicityStated { by: "gd-clerk".to_owned(), statement: statement(30), sent: None };
    let command = ProvinceCommand::StatePublicity(form);
    told(&console, What::Province { province: "44".parse().unwrap(), command }).await;
    let province: ProvinceCode = "22".parse().unwrap();
    let now = console.hub.clock.now();
    let sent = Some(Sent { stated_at: now, message: Uuid::from_u128(7) });
    let by = "jilin-adapter/2.3".to_owned();
    let stated = PublicityStated { by, statement: statement(350), sent };
    let evidence = Evidence { bytes: b"as it came".to_vec(), signature: "signed".to_owned() };
    let what = What::Stated { province, stated, evidence };
    let actor = Actor::Province(province);
    let ask = Ask { actor, occurred_at: now, caused_by: Some(Uuid::from_u128(7)), what };
    let answer = console.hub.registrar.ask(ask).await.unwrap();
    assert!(matches!(answer, Answer::Recorded(_)), "{answer:?}");

    let auditor = console.signed_in("auditor").await;
    let page = text(&auditor, "/reports/publicity?period=2026-02").await;
    assert!(page.contains("已报省份 2 · 表单 1 · 适配器 1 · 未报 1"), "{page}");
    for part in ["<b>380</b>", "<td>适配器</td>", "<td>表单</td>", "未报", "jilin-adapter/2.3"]
    {
        assert!(page.contains(part), "{part}: {page}");
    }
    let csv = text(&auditor, "/reports/table.csv?kind=publicity&period=2026-02").await;
    let row = |code: &str| csv.lines().find(|it| it.contains(code)).unwrap_or_default();
    assert!(row(",22,").contains("适配器 adapter jilin-adapter/2.3"), "{csv}");
    assert!(row(",44,").contains(",gd-clerk,") && row(",31,").contains("未报"), "{csv}");
    // Its own province sees who told it, and may correct it by the form.
    let own = console.signed_in("province").await;
    let page = text(&own, "/reports/publicity?period=2026-02&province=22").await;
    assert!(page.contains("value=\"350\"") && !page.contains("gd-clerk"), "{page}");
}

#[test]
fn statements_and_their_receipts_fit_their_schemas() {
    let (origin, province) = ("hub.test/schemas".to_owned(), ProvinceCode::new(22).unwrap());
    let now: Timestamp = "2026-02-13T01:30:00.123456Z".parse().unwrap();
    let adapter = "province-adapter/0.1.0".to_owned();
    let mut longest = statement(events::publicity::FIGURE_MAX);
    longest.carriers_told_share = Some(10_000);
    let text = "宣".repeat(events::publicity::TEXT_CHARACTERS_MAX);
    longest.rows.iter_mut().for_each(|it| it.text.clone_from(&text));
    assert_eq!(longest.flaw(), None);
    for statement in [statement(1), longest] {
        let told = Told { origin: origin.clone(), province, adapter: adapter.clone(), statement };
        let bytes = wire::statement_to_bytes(Uuid::from_u128(1), now, &told);
        assert!(bytes.len() <= events::subjects::PAYLOAD_BYTES_MAX, "{}", bytes.len());
        check("publicity", &bytes);
    }
    let receipt = |refused: Option<&str>| StatementReceipt {
        statement: Uuid::from_u128(1),
        position: refused.is_none().then_some(7),
        hash: refused.is_none().then_some(events::proof::Hash([1; 32])),
        refused: refused.map(str::to_owned),
    };
    let statements = vec![receipt(None), receipt(Some("statement-superseded"))];
    let receipts = Receipts { origin, province, epoch: 1, receipts: vec![], statements };
    check("receipts", &wire::receipts_to_bytes(Uuid::from_u128(2), now, &receipts));
}

/// The longest wait that a test above may ask of a command is within the command's own bound.
const _: () = assert!(Duration::from_secs(90).as_secs() < tests::program::COMMAND_MAX.as_secs());
