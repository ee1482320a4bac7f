//! The catalogue: what hostile or careless words do on every page and in every file. Nothing becomes markup, nothing becomes a formula.

use std::collections::BTreeSet;

use calamine::{Data, Reader as _, Xlsx};
use events::envelope::Position;
use hub::web::console::PAGES;
use tests::markup;

use crate::console::{Browser, Console};
use crate::furnished::{Cases, Furnished};

/// What a browser must take for words (short: numbers of acceptance have at most 64 characters).
const SCRIPTS: [&str; 16] = [
    "<script>alert(1)</script>",
    "</script><script>alert(1)//",
    "</title></textarea><svg onload=x>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "\" autofocus onfocus=\"alert(1)",
    "javascript:alert(1)",
    "//elsewhere.example/x",
    "<svg/onload=alert(1)>",
    "<a href=javascript:x>press</a>",
    "<!--><iframe src=//x>",
    "{{7*7}}${7*7}<%=7*7%>",
    "&lt;b&gt;&#60;i>&amp;",
    "a\u{2028}alert(1)\u{2029}b",
    "\u{202e}gnp.exe\u{2066}x",
    "<meta http-equiv=refresh content=0>",
];
/// What a spreadsheet must take for words.
const FORMULAS: [&str; 12] = [
    "=1+1",
    "=cmd|' /C calc'!A0",
    "+SUM(1,2)",
    "-2+3",
    "@SUM(A1)",
    "\t=1+1",
    "\r=1+1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(A1)",
    "\"\n=1+1,=2",
];

/// Pages beside those of the table: with a group chosen, a list kept, a report's period.
pub(crate) const CHOSEN: &[&str] = &[
    "/cases?only=open&order=newest",
    "/alerts?kind=acceptance-overdue&province=22",
    "/alerts?kind=acceptance-overdue&province=22&case={late}&stage=acceptance",
    "/alerts?kind=parked&province=22&all=yes",
    "/parked?of=parked-cases&province=22&why=operator",
    "/reports/figures?kind=monthly&period=2026-02&by=province",
    "/reports/figures?kind=quarterly&period=2026-Q1",
    "/reports/ledger?kind=ledger&period=2026-02",
    "/reports/publicity?period=2026-02&province={code}",
    "/provinces/{code}",
    "/audit?only=personal",
];

/// Fields that no page shows, or only what of them looks harmless (a stray's); everything else must be
/// seen as it was written, or this test looks at nothing.
const UNSEEN: &[&str] = &["client", "csv-digest", "header", "header-value", "subject"];
/// Fields of which a page shows the latest only.
const LATEST: &[&str] = &["ack", "carrier", "given-up", "silence", "to"];
/// Further pages of a list that are read.
const NEXT_MAX: usize = 40;

/// What one page said, if it may be shown.
async fn page(browser: &Browser, path: &str) -> Option<String> {
    let answer = browser.get(path).await;
    let kind = answer.headers().get("content-type")?.to_str().unwrap();
    if !kind.starts_with("text/html") {
        return None;
    }
    answer.text().await.ok()
}

pub(crate) fn filled(path: &str, cases: &Cases, number: usize, code: u8) -> Vec<String> {
    let of = |case: &str| {
        path.replace("{case}", case)
            .replace("{late}", &cases.late)
            .replace("{province}", &code.to_string())
            .replace("{code}", &code.to_string())
            .replace("{number}", &number.to_string())
    };
    let all: BTreeSet<String> =
        [&cases.late, &cases.parked, &cases.decided].into_iter().map(|it| of(it)).collect();
    all.into_iter().collect()
}

/// The provinces whose own words are filled in: one for each text.
fn codes() -> impl Iterator<Item = u8> {
    events::ids::ProvinceCode::all().map(|it| it.number())
}

async fn furnished(texts: &[&str]) -> (Furnished, Vec<Cases>) {
    let mut furnished = Furnished::open().await;
    let mut all = Vec::new();
    for (text, code) in texts.iter().zip(codes()) {
        all.push(furnished.say(text, code).await);
    }
    furnished.seen().await;
    (furnished, all)
}

/// Everything that each role's pages say.
async fn read_all(console: &Console, cases: &[Cases]) -> String {
    let mut said = String::new();
    for role in ["operator", "auditor", "admin", "hotline"] {
        let browser = console.signed_in(role).await;
        if role == "operator" {
            keep_lists(&browser).await;
        }
        let of_table = PAGES.iter().filter(|it| it.method == "get" && it.path != "/live");
        let templates = of_table.map(|it| it.path).chain(CHOSEN.iter().copied());
        let mut paths = BTreeSet::new();
        for template in templates {
            for ((nth, cases), code) in (1..).zip(cases).zip(codes()) {
                paths.extend(filled(template, cases, nth, code));
            }
        }
        for path in paths {
            said.push_str(&listed(&browser, &path, role).await);
        }
        said.push_str(&revealed(&browser, role, cases).await);
    }
    said
}

/// What a page and the ones after it say.
async fn listed(browser: &Browser, path: &str, role: &str) -> String {
    let (mut path, mut said) = (path.to_owned(), String::new());
    for _ in 0..NEXT_MAX {
        let Some(text) = page(browser, &path).await else { break };
        match markup::read(&text) {
            Ok(words) => said.push_str(&words),
            Err(why) => panic!("{role} on {path}: {why}"),
        }
        let Some((_, next)) = text.split_once("rel=\"next\" href=\"") else { break };
        path = next.split('"').next().unwrap().replace("&#38;", "&").replace("&amp;", "&");
    }
    said
}

/// The two looks behind a mask are pages, too.
async fn revealed(browser: &Browser, role: &str, cases: &[Cases]) -> String {
    if role != "operator" {
        return String::new();
    }
    let mark = browser.mark().await;
    let mut said = String::new();
    for (nth, cases) in (1..).zip(cases) {
        for (path, purpose) in [
            (format!("/cases/{}/reveal", cases.late), "complaint"),
            (format!("/parked/{nth}/reveal"), "fault"),
        ] {
            let form = [("mark", mark.as_str()), ("purpose", purpose), ("ticket", "T-1")];
            let answer = browser.post(&path, &form).await;
            assert_eq!(answer.status(), 200, "{path}");
            let text = answer.text().await.unwrap();
            said.push_str(&markup::read(&text).unwrap_or_else(|it| panic!("{path}: {it}")));
        }
    }
    said
}

/// A kept list has a name that its owner chose.
async fn keep_lists(browser: &Browser) {
    let mark = browser.mark().await;
    for script in SCRIPTS {
        let name: String = script.bytes().map(|it| format!("%{it:02X}")).collect();
        let form = [("mark", mark.as_str()), ("deed", "save"), ("name", &name), ("only", "open")];
        let status = browser.post("/cases/saved", &form).await.status().as_u16();
        assert!([303, 422].contains(&status), "{script}: {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_word_becomes_markup_on_any_page() {
    let (furnished, cases) = furnished(&SCRIPTS).await;
    let said = read_all(&furnished.console, &cases).await;
    let mut unseen = BTreeSet::new();
    for field in fields(&furnished.console) {
        let words = SCRIPTS.map(|it| format!("{it}#{field}#"));
        // What came from outside as JSON is shown as JSON.
        let written = |it: &String| serde_json::to_string(it).unwrap().trim_matches('"').to_owned();
        let shown = |it: &&String| said.contains(*it) || said.contains(&written(it));
        let missing: Vec<&String> = words.iter().filter(|it| !shown(it)).collect();
        let enough = LATEST.contains(&field.as_str()) && missing.len() < SCRIPTS.len();
        if !missing.is_empty() && !enough {
            unseen.insert(field.clone());
        }
    }
    let expected: BTreeSet<String> = UNSEEN.iter().map(|it| (*it).to_owned()).collect();
    assert_eq!(unseen, expected, "what no page shows, or not as it was written");
}

/// The names of all fields that were filled in, as the log and the accounts have them.
fn fields(console: &Console) -> BTreeSet<String> {
    let all = console.hub.readers.read(|log| log.read_all(Position(0), 100_000)).unwrap();
    let mut text: String =
        all.iter().map(|it| String::from_utf8_lossy(&it.body).into_owned()).collect();
    text.push_str("#name##identity##phone##certificate##subject##reason#");
    text.push_str("#stray-key##stray-value##stray-type##header##header-value#");
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices('#') {
        let name: String =
            text[at + 1..].chars().take_while(|it| it.is_ascii_lowercase() || *it == '-').collect();
        if !name.is_empty() && text[at + 1 + name.len()..].starts_with('#') {
            names.insert(name);
        }
    }
    names
}

/// Whether a spreadsheet would calculate it.
fn calculates(cell: &str) -> bool {
    cell.starts_with(['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'])
}

#[tokio::test(flavor = "multi_thread")]
async fn no_word_becomes_a_formula_in_any_file() {
    let (furnished, _) = furnished(&FORMULAS).await;
    let operator = furnished.console.signed_in("operator").await;
    let mut files = vec![("/cases".to_owned(), String::new())];
    for (kind, period) in [
        ("monthly", "2026-02"),
        ("quarterly", "2026-Q1"),
        ("ledger", "2026-02"),
        ("publicity", "2026-02"),
    ] {
        files.push(("/reports/table".to_owned(), format!("?kind={kind}&period={period}")));
    }
    let (mut in_csv, mut in_xlsx) = (BTreeSet::<&str>::new(), BTreeSet::<&str>::new());
    for (path, query) in files {
        let text = operator.get(&format!("{path}.csv{query}")).await.text().await.unwrap();
        let text = text.strip_prefix('\u{feff}').unwrap_or_else(|| panic!("{path}: {text}"));
        let mut lines = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        for line in lines.records() {
            for cell in line.expect("a table").iter() {
                // A figure may be negative; words may not begin like one.
                let figure = cell.parse::<f64>().is_ok();
                assert!(figure || !calculates(cell), "{path}.csv{query}: {cell:?}");
                in_csv.extend(FORMULAS.iter().filter(|it| cell.starts_with(&format!("'{it}#"))));
            }
        }
        let bytes = operator.get(&format!("{path}.xlsx{query}")).await.bytes().await.unwrap();
        let mut book: Xlsx<_> = Xlsx::new(std::io::Cursor::new(bytes.to_vec())).unwrap();
        for name in book.sheet_names() {
            let formulas = book.worksheet_formula(&name).unwrap();
            assert!(formulas.cells().all(|it| it.2.is_empty()), "{path}.xlsx{query} {name}");
            let range = book.worksheet_range(&name).unwrap();
            for cell in range.rows().flatten() {
                let Data::String(cell) = cell else { continue };
                in_xlsx.extend(FORMULAS.iter().filter(|it| cell.starts_with(&format!("{it}#"))));
            }
        }
    }
    let plain = FORMULAS.iter().filter(|it| calculates(it)).collect::<BTreeSet<_>>();
    assert_eq!(in_csv.len(), plain.len(), "each was there: {in_csv:?}");
    assert!(in_xlsx.len() >= plain.len() - 2, "each was there: {in_xlsx:?}");
}
