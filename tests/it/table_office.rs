//! A province whose office reads and writes exchange tables: a real PostgreSQL, a real sidecar, a real
//! hub, and an office of a few SQL statements. Everything that dies here dies in the middle.

use serde_json::Value;
use tests::broker::wait_for;
use tests::office_stage::{DECIDED_AT, OfficeStage};
use tests::postgres::{DATABASE, Postgres, TABLES};
use tests::program::{Ended, signal};
use tokio_postgres::Client;

/// Answer id, case, kind and the other columns; then the refusal's code and a word of its text.
type WrongRow<'a> = (&'a str, &'a str, &'a str, &'a [(&'a str, &'a str)], &'a str, &'a str);

/// Many programs share this machine while the tests run.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

fn settings(postgres: &Postgres) -> String {
    format!(
        "[table]\nhost = \"{}\"\ndatabase = \"{DATABASE}\"\npoll_interval_ms = 50\n\
         reconnect_wait_ms = 100\nstatement_timeout_ms = 1000\n",
        postgres.host().display()
    )
}

/// An office that speaks SQL.
struct SqlOffice(Client);

impl SqlOffice {
    async fn at(postgres: &Postgres) -> Self {
        Self(postgres.office().await)
    }

    async fn work(&self, case: &str, kind: &str) {
        let sql = "SELECT count(*) FROM hub_exchange.work_out WHERE case_id = $1 AND kind = $2";
        wait_for("the work", async || {
            let count: i64 = self.0.query_one(sql, &[&case, &kind]).await.ok()?.get(0);
            assert!(count <= 1, "the same work twice");
            (count == 1).then_some(())
        })
        .await;
    }

    /// One answer: `more` is a list of columns with their values.
    async fn answer(&self, id: &str, case: &str, kind: &str, more: &[(&str, &str)]) {
        let columns: String = more.iter().map(|it| format!(", {}", it.0)).collect();
        let values: String = more.iter().map(|it| format!(", '{}'", it.1)).collect();
        let sql = format!(
            "INSERT INTO hub_exchange.answer_in (answer_id, case_id, kind, occurred_at{columns})
             VALUES ('{id}', '{case}', '{kind}', '{DECIDED_AT}+08'{values})"
        );
        self.0.batch_execute(&sql).await.unwrap();
    }

    async fn column(&self, id: &str, column: &str) -> String {
        let sql = format!("SELECT {column}::text FROM hub_exchange.answer_in WHERE answer_id = $1");
        let row = self.0.query_one(&sql, &[&id]).await.unwrap();
        row.get::<_, Option<String>>(0).unwrap_or_default()
    }

    async fn until(&self, id: &str, status: &str) {
        let row = "row(receipt_status, receipt_code, receipt_text)";
        let found = self.until_or_late(id, status).await;
        assert!(found, "{id} is not {status} but {}", self.column(id, row).await);
    }

    async fn until_or_late(&self, id: &str, status: &str) -> bool {
        let waiting = async {
            while self.column(id, "receipt_status").await != status {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.is_ok()
    }

    /// The common road: one answer after the other, each when the hub has the one before.
    async fn tell(&self, id: &str, case: &str, kind: &str, more: &[(&str, &str)]) {
        self.answer(id, case, kind, more).await;
        self.until(id, "recorded").await;
    }

    async fn count(&self, sql: &str) -> i64 {
        self.0.query_one(sql, &[]).await.unwrap().get(0)
    }
}

fn finding<'a>(checked: &'a Ended, question: &str) -> &'a str {
    let line = checked.out.lines().find(|it| it.contains(question));
    line.unwrap_or_else(|| panic!("`check` does not ask for {question}: {}", checked.out))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_outcome_goes_through_the_exchange_tables_exactly_once() {
    let Some(postgres) = Postgres::with_tables("table office", "UTF8").await else { return };
    let tables = settings(&postgres);
    let Some(stage) = OfficeStage::set("table office", "table", &tables).await else { return };
    let checked = stage.check().await.with(0);
    assert!(finding(&checked, "exchange tables").contains("version 1"), "{}", checked.out);
    let _sidecar = stage.serve();
    let office = SqlOffice::at(&postgres).await;
    let cases = stage.submit(0, 5).await;
    for case in &cases {
        office.work(case, "case").await;
    }
    let number = |it: &'static str| [("acceptance_number", it)];

    office.tell("A-1", &cases[0], "accepted", &number("受-1")).await;
    office.tell("A-2", &cases[0], "suspended", &[("ground", "hearing")]).await;
    office.tell("A-3", &cases[0], "resumed", &[]).await;
    let approved =
        [("outcome", "approved"), ("decision_number", "决-1"), ("valid_until", "2032-12-30")];
    office.tell("A-4", &cases[0], "completed", &approved).await;
    office.tell("A-5", &cases[0], "certificate-issued", &[("certificate_id", "E-1")]).await;

    office.tell("B-1", &cases[1], "accepted", &number("受-2")).await;
    let denied = [
        ("outcome", "denied"),
        ("decision_number", "决-2"),
        ("reasons", "over-age;data-mismatch"),
        ("text", "证件与本人信息不一致，请核对后重新申请"),
    ];
    office.tell("B-2", &cases[1], "completed", &denied).await;

    office.tell("C-1", &cases[2], "declined", &[("reasons", "renewal-not-due")]).await;
    office.tell("D-1", &cases[3], "returned", &[("reasons", "not-this-authority")]).await;

    let missing = [("missing", "photo；education-record"), ("until", "2027-01-20")];
    office.tell("E-1", &cases[4], "correction-requested", &missing).await;
    stage.correct(&cases[4]).await;
    office.work(&cases[4], "correction").await;
    office.tell("E-2", &cases[4], "accepted", &number("受-5")).await;

    for (case, last) in
        cases.iter().zip(["certificate-issued", "completed", "declined", "returned", "accepted"])
    {
        stage.until(case, last).await;
        stage.assert_once(case).await;
    }
    let refused = "SELECT count(*) FROM hub_exchange.answer_in WHERE receipt_status <> 'recorded'";
    assert_eq!(office.count(refused).await, 0);
    stage.folder.hub(&["verify"]).await.with(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_office_writes_wrongly_is_named_in_its_row_and_can_be_mended() {
    let Some(postgres) = Postgres::with_tables("wrong rows", "UTF8").await else { return };
    let tables = settings(&postgres);
    let Some(stage) = OfficeStage::set("wrong rows", "table", &tables).await else { return };
    let _sidecar = stage.serve();
    let office = SqlOffice::at(&postgres).await;
    let case = &stage.submit(0, 1).await[0];
    office.work(case, "case").await;
    let stranger = "01890a5d-ac96-774b-bcce-b302099a8057";
    let long = "号".repeat(64);
    #[rustfmt::skip] // a table
    let table: &[WrongRow<'_>] = &[
        ("W-1",  case,     "受理了",    &[],                                  "unknown-local-code", "答复种类"),
        ("W-2",  case,     "accepted",  &[],                                  "missing-field",      "受理编号"),
        ("W-3",  stranger, "accepted",  &[("acceptance_number", "受-1")],     "unknown-case",       "没有收到过"),
        ("W-4",  "123",    "accepted",  &[("acceptance_number", "受-1")],     "wrong-value",        "办件标识"),
        ("W-5",  case,     "declined",  &[("reasons", "不想办")],             "unknown-local-code", "原因"),
        ("W-6",  case,     "declined",  &[("reasons", "over-age;other")],     "wrong-value",           "一个原因"),
        ("W-7",  case,     "accepted",  &[("acceptance_number", "11010519491231002X")], "identity-number-in-clear", "身份号码"),
        ("W-8",  case,     "correction-requested", &[("missing", "photo")],   "missing-field",      "补正期限"),
        ("含汉字", case,   "accepted",  &[("acceptance_number", "受-1")],     "wrong-value",      "ASCII"),
        ("11010519491231002X", case, "accepted", &[("acceptance_number", "受-1")], "identity-number-in-clear", "答复编号"),
        ("W-9",  case,     "completed", &[("outcome", "denied"), ("decision_number", &long)], "missing-field", "原因"),
    ];
    for (id, case, kind, more, _, _) in table {
        office.answer(id, case, kind, more).await;
    }
    for (id, _, _, _, code, text) in table {
        office.until(id, "refused").await;
        assert_eq!(office.column(id, "receipt_code").await, *code, "{id}");
        let told = office.column(id, "receipt_text").await;
        assert!(told.contains(text), "{id}: {told}");
    }
    let log = stage.log();
    assert!(!log.contains("11010519491231002X") && !log.contains("不想办"), "{log}");

    // A row that was refused may be mended in place.
    let mend = "UPDATE hub_exchange.answer_in SET kind = 'accepted', acceptance_number = '受-1'
                WHERE answer_id = 'W-1'";
    office.0.batch_execute(mend).await.unwrap();
    office.until("W-1", "recorded").await;
    // One that was taken may not: that it was changed is said, and nothing is sent.
    let change =
        "UPDATE hub_exchange.answer_in SET acceptance_number = '受-2' WHERE answer_id = 'W-1'";
    office.0.batch_execute(change).await.unwrap();
    office.until("W-1", "changed").await;
    assert_eq!(office.column("W-1", "receipt_code").await, "answer-changed");
    let back =
        "UPDATE hub_exchange.answer_in SET acceptance_number = '受-1' WHERE answer_id = 'W-1'";
    office.0.batch_execute(back).await.unwrap();
    office.until("W-1", "recorded").await;
    stage.assert_once(case).await;

    // The roles can do no more than they must.
    for forbidden in [
        "DELETE FROM hub_exchange.answer_in",
        "UPDATE hub_exchange.answer_in SET receipt_status = NULL",
        "UPDATE hub_exchange.work_out SET item = 'x'",
        "UPDATE hub_exchange.answer_in SET answer_id = 'other'",
    ] {
        let refused = office.0.batch_execute(forbidden).await.unwrap_err();
        assert_eq!(refused.code().unwrap().code(), "42501", "{forbidden}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_dies_and_a_sidecar_that_is_killed_lose_and_double_nothing() {
    const CASES: u32 = 24;
    let Some(mut postgres) = Postgres::with_tables("dying database", "UTF8").await else { return };
    let tables = settings(&postgres);
    let Some(stage) = OfficeStage::set("dying database", "table", &tables).await else { return };
    let mut sidecar = stage.serve();
    let mut cases = stage.submit(0, CASES / 3).await;

    // The server loses power while work comes in, and is away when more comes.
    let office = SqlOffice::at(&postgres).await;
    office.work(&cases[0], "case").await;
    postgres.crash().await;
    cases.extend(stage.submit(CASES / 3, CASES / 3).await);
    signal(&sidecar, "KILL").await;
    sidecar.wait().await.unwrap();
    let mut sidecar = stage.serve();
    cases.extend(stage.submit(CASES / 3 * 2, CASES / 3).await);
    postgres.restart().await;
    let office = SqlOffice::at(&postgres).await;
    for case in &cases {
        office.work(case, "case").await;
    }

    // The sidecar is killed again and again while it takes answers; the server dies in between.
    for (nth, case) in cases.iter().enumerate() {
        let number = format!("受-{nth}");
        office
            .answer(&format!("K-{nth}"), case, "accepted", &[("acceptance_number", &number)])
            .await;
        if nth % 4 == 0 {
            signal(&sidecar, "KILL").await;
            sidecar.wait().await.unwrap();
            sidecar = stage.serve();
        }
    }
    postgres.crash().await;
    postgres.restart().await;
    let office = SqlOffice::at(&postgres).await;
    for nth in 0..cases.len() {
        office.until(&format!("K-{nth}"), "recorded").await;
    }
    // It stands still with its connections open: nobody waits for ever.
    postgres.freeze(true).await;
    wait_for("the sidecar to notice", async || {
        stage.log().contains("cannot be used").then_some(())
    })
    .await;
    postgres.freeze(false).await;
    let done = [("outcome", "approved"), ("decision_number", "决-1")];
    office.tell("K-last", &cases[0], "completed", &done).await;

    for case in &cases {
        stage.assert_once(case).await;
    }
    let works = office.count("SELECT count(*) FROM hub_exchange.work_out").await;
    assert_eq!(works, i64::from(CASES));
    let numbers = "SELECT count(DISTINCT report_id) FROM hub_exchange.answer_in";
    assert_eq!(office.count(numbers).await, i64::from(CASES) + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_says_in_plain_words_what_is_wrong_with_the_front_database() {
    let Some(postgres) = Postgres::start("check tables", "EUC_CN").await else { return };
    let tables = settings(&postgres);
    let Some(stage) = OfficeStage::set("check tables", "table", &tables).await else { return };
    let checked = stage.check().await.with(1);
    let found = finding(&checked, "front database");
    assert!(found.starts_with('✗'), "{found}");

    let admin = postgres.admin().await;
    admin.batch_execute("CREATE ROLE hub_adapter LOGIN").await.unwrap();
    let checked = stage.check().await.with(1);
    assert!(checked.out.contains("apply deploy/exchange-tables/postgresql.sql"), "{}", checked.out);
    admin.batch_execute("DROP ROLE hub_adapter").await.unwrap();
    admin.batch_execute(TABLES).await.unwrap();

    let checked = stage.check().await.with(1);
    let found = finding(&checked, "database's settings");
    assert!(found.starts_with('✗') && found.contains("EUC_CN"), "{found}");
    for fine in ["exchange tables", "role's rights", "rows that wait"] {
        assert!(finding(&checked, fine).starts_with('✓'), "{}", checked.out);
    }
    let table = [
        ("UPDATE hub_exchange.exchange_version SET version = 2", "exchange tables", "version 2"),
        ("UPDATE hub_exchange.exchange_version SET version = 1", "exchange tables", "version 1"),
        (
            "REVOKE INSERT ON hub_exchange.work_out FROM hub_adapter",
            "role's rights",
            "no right to INSERT",
        ),
        ("GRANT INSERT ON hub_exchange.work_out TO hub_adapter", "role's rights", "just enough"),
        ("GRANT DELETE ON hub_exchange.answer_in TO hub_adapter", "role's rights", "DELETE more"),
        (
            "ALTER TABLE hub_exchange.answer_in RENAME ground TO grounds",
            "exchange tables",
            "ground",
        ),
    ];
    for (change, question, said) in table {
        admin.batch_execute(change).await.unwrap();
        let checked = stage.check().await.with(1);
        let found = finding(&checked, question);
        assert!(found.contains(said), "after {change}: {found}");
    }
    stage.configure("table", &tables.replace(DATABASE, "elsewhere"));
    let found = stage.check().await.with(1);
    assert!(finding(&found, "front database").contains("elsewhere"), "{}", found.out);
    assert!(found.out.contains("table.database"), "{}", found.out);
    stage.configure("table", &tables.replace("host = \"", "host = \"/nowhere"));
    assert!(stage.check().await.with(1).out.contains("table.host"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_office_that_speaks_gbk_is_understood_and_a_character_that_does_not_fit_is_refused() {
    let Some(postgres) = Postgres::with_tables("gbk", "UTF8").await else { return };
    let tables = settings(&postgres);
    let Some(stage) = OfficeStage::set("gbk", "table", &tables).await else { return };
    let mut sidecar = stage.serve();
    let office = SqlOffice::at(&postgres).await;
    let case = &stage.submit(0, 1).await[0];
    office.work(case, "case").await;
    // The bytes of 受-龍 as a client sends them whose encoding is GBK.
    let mut psql = postgres.program("psql");
    psql.env("PGCLIENTENCODING", "GBK").arg("-h").arg(postgres.host());
    psql.args(["-U", "hub_office", "-d", DATABASE, "-v", "ON_ERROR_STOP=1", "-f"]);
    let file = postgres.host().join("answer.sql");
    let sql = format!(
        "INSERT INTO hub_exchange.answer_in (answer_id, case_id, kind, occurred_at, acceptance_number)
         VALUES ('G-1', '{case}', 'accepted', '{DECIDED_AT}+08', '"
    );
    let gbk = [sql.as_bytes(), &[0xca, 0xdc, b'-', 0xfd, 0x88], b"');"].concat();
    std::fs::write(&file, gbk).unwrap();
    let said = psql.arg(&file).output().await.unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    office.until("G-1", "recorded").await;
    let story = stage.folder.story(case).await;
    let number = |it: &Value| it["event"]["data"]["acceptance_number"].as_str().map(str::to_owned);
    let told: Vec<String> = story.iter().filter_map(number).collect();
    assert_eq!(told, ["受-龍"], "{story:?}");

    // A database that cannot hold a character gets no question mark: the work waits, and says why.
    signal(&sidecar, "KILL").await;
    sidecar.wait().await.unwrap();
    let Some(narrow) = Postgres::with_tables("gb2312", "EUC_CN").await else { return };
    stage.configure("table", &settings(&narrow));
    let mut sidecar = stage.sidecar("serve");
    sidecar.args(["--log", "province_adapter=debug"]);
    let log = std::fs::File::create(stage.folder.at("adapter.txt")).unwrap();
    let _sidecar = sidecar.stderr(log).spawn().unwrap();
    let rare = stage.submit_as(1, "金丝雀䶮").await;
    let plain = &stage.submit_as(2, "金丝雀").await;
    let office = SqlOffice::at(&narrow).await;
    office.work(plain, "case").await;
    wait_for("the reason", async || stage.log().contains("22P05").then_some(())).await;
    assert!(!stage.log().contains('䶮'), "not even one character of a name is logged");
    let sql = "SELECT count(*) FROM hub_exchange.work_out WHERE case_id = $1";
    let count: i64 = office.0.query_one(sql, &[&rare]).await.unwrap().get(0);
    assert_eq!(count, 0);
}
