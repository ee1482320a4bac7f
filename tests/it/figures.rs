//! Every number that has a link leads to exactly as many cases: on the overview, in the league table, on a province's page.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::console::Browser;
use crate::varied::Varied;

/// Numbers with a list behind them that the pages must have, none of them always 0.
const FIGURES: [&str; 19] = [
    "approved",
    "completed",
    "completed-today",
    "declined",
    "denied",
    "ended-in-hour",
    "open",
    "open-nowhere",
    "overdue",
    "overdue-now",
    "received",
    "received-in-hour",
    "received-today",
    "silent",
    "soon",
    "waiting",
    "tile",
    "page-of-tile",
    "csv",
];
/// One linked number of a page.
struct Figure {
    name: String,
    link: String,
    value: u64,
}

fn number(text: &str) -> u64 {
    text.replace(',', "").trim().parse().unwrap_or_else(|_| panic!("a number: {text}"))
}

fn address(link: &str) -> String {
    link.replace("&#38;", "&").replace("&amp;", "&")
}

/// What is marked as a figure, in the order of the page.
fn figures(page: &str) -> Vec<Figure> {
    let anchors = page.split("<a href=\"").skip(1).filter_map(|it| {
        let (link, rest) = it.split_once('"')?;
        let (name, rest) = rest.strip_prefix(" data-figure=\"")?.split_once("\">")?;
        let value = number(rest.split_once('<')?.0);
        Some(Figure { name: name.to_owned(), link: address(link), value })
    });
    anchors.collect()
}

async fn text(browser: &Browser, path: &str) -> String {
    let answer = browser.get(path).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.unwrap()
}

/// Rows of the list, over all its pages.
async fn listed(browser: &Browser, path: &str) -> u64 {
    let (mut path, mut rows) = (path.to_owned(), 0);
    loop {
        let page = text(browser, &path).await;
        let row = if path.starts_with("/alerts") {
            "<td class=\"whole\"><a href=\"/cases/"
        } else {
            "<tr><td><a href=\"/cases/"
        };
        rows += page.matches(row).count() as u64;
        let Some((_, next)) = page.split_once("rel=\"next\" href=\"") else { return rows };
        path = address(next.split('"').next().unwrap());
    }
}

/// Rows of the same list as a table for a spreadsheet, without its head.
async fn exported(browser: &Browser, path: &str) -> Option<u64> {
    let query = path.strip_prefix("/cases")?;
    let table = text(browser, &format!("/cases.csv{query}")).await;
    Some(table.trim_end().lines().count() as u64 - 1)
}

/// Follows every figure; the largest value that each had, by its name.
async fn follow(browser: &Browser, paths: &[&str]) -> BTreeMap<String, u64> {
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    let mut counted: BTreeMap<String, u64> = BTreeMap::new();
    let mut note = |name: &str, value: u64| {
        let largest = seen.entry(name.to_owned()).or_default();
        *largest = value.max(*largest);
    };
    for path in paths {
        for it in figures(&text(browser, path).await) {
            note(&it.name, it.value);
            let rows = match counted.get(&it.link) {
                Some(rows) => *rows,
                None => listed(browser, &it.link).await,
            };
            assert_eq!(it.value, rows, "{} on {path} leads to {}", it.name, it.link);
            if counted.insert(it.link.clone(), rows).is_none()
                && let Some(exported) = exported(browser, &it.link).await
            {
                assert_eq!(exported, rows, "exported from {}", it.link);
                note("csv", exported);
            }
        }
    }
    seen
}

const PAGES: [&str; 6] =
    ["/", "/provinces", "/provinces/22", "/provinces/44", "/provinces/45", "/provinces/23"];

#[tokio::test(flavor = "multi_thread")]
async fn every_figure_leads_to_exactly_the_cases_that_it_counts() {
    let varied = Varied::new().await;
    let browser = varied.furnished.console.signed_in("operator").await;
    let mut seen = follow(&browser, &PAGES).await;
    // A tile leads to its province's page, where the same number leads on.
    let overview = text(&browser, "/").await;
    for tile in overview.split("<a class=\"tile ").skip(1) {
        let link = tile.split("href=\"").nth(1).unwrap().split('"').next().unwrap();
        let value = tile.split("<span class=\"value\">").nth(1).unwrap();
        let value = number(value.split('<').next().unwrap());
        let page = figures(&text(&browser, link).await);
        let open = page.iter().find(|it| it.name == "open").unwrap().value;
        assert_eq!(value, open, "{link}");
        let (tiles, pages) = (seen.get("tile").copied(), seen.get("page-of-tile").copied());
        seen.insert("tile".to_owned(), value.max(tiles.unwrap_or(0)));
        seen.insert("page-of-tile".to_owned(), open.max(pages.unwrap_or(0)));
    }
    for name in FIGURES {
        assert!(seen.get(name).is_some_and(|it| *it > 0), "{name}: {seen:?}");
    }
    assert_eq!(seen.len(), FIGURES.len(), "{:?}", seen.keys());
    assert!(seen["open"] > 50, "a list of more than a page");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_case_is_counted_once_in_the_whole_country() {
    let varied = Varied::new().await;
    let hub = &varied.furnished.console.hub;
    let browser = varied.furnished.console.signed_in("operator").await;
    let overview = figures(&text(&browser, "/").await);
    let value = |name: &str| overview.iter().find(|it| it.name == name).unwrap().value;
    assert_eq!(value("received"), u64::from(varied.submitted));
    let table = hub.ask("GET", "/v1/provinces", "keeper").send().await.unwrap();
    let table: Value = table.json().await.unwrap();
    let rows = table["provinces"].as_array().unwrap();
    let sum = |key: &str| rows.iter().map(|it| it[key].as_u64().unwrap()).sum::<u64>();
    assert_eq!(sum("received"), u64::from(varied.submitted));
    assert_eq!(sum("moved_in"), 4, "what was routed on");
    assert_eq!(sum("open") + value("open-nowhere"), value("open"));
    assert_eq!(value("open-nowhere"), 2);
    // They are visible as what they are, in the list and in the table.
    let list = text(&browser, "/cases?only=open&province=none").await;
    assert_eq!(list.matches("<td>尚无省份</td>").count(), 2);
    assert!(text(&browser, "/provinces").await.contains("另有在途办件尚无省份"));
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_sees_less_is_led_to_no_list_that_holds_less() {
    let varied = Varied::new().await;
    let console = &varied.furnished.console;
    // A province received more than it still has: that number leads nowhere, every other as before.
    let province = console.signed_in("province").await;
    let seen = follow(&province, &["/", "/provinces", "/provinces/22"]).await;
    assert!(seen["open"] > 50 && seen["completed-today"] > 0, "{seen:?}");
    let hidden = ["received", "received-today", "received-in-hour", "open-nowhere"];
    assert!(hidden.iter().all(|it| !seen.contains_key(*it)), "{seen:?}");
    let hotline = follow(&console.signed_in("hotline").await, &["/", "/provinces"]).await;
    assert!(hotline["received"] > 50);
    let guest = console.signed_in("guest").await;
    let wall = text(&console.signed_in("operator").await, "/wall").await;
    for page in [text(&guest, "/").await, wall] {
        assert!(figures(&page).is_empty() && !page.contains("href=\"/cases?"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_says_in_words_what_it_is_narrowed_to_and_refuses_what_it_does_not_know() {
    let varied = Varied::new().await;
    let browser = varied.furnished.console.signed_in("operator").await;
    let path =
        "/cases?recorded=2026-02-25&ended=2026-02-25T09&outcome=approved&first=22&province=none";
    let page = text(&browser, path).await;
    let all = [
        "接收日 <b>2026-02-25</b>",
        "结束日 <b>2026-02-25 09:00–09:59</b>",
        "首次转到 <b>吉林</b>",
    ];
    for said in all.into_iter().chain(["结果 <b>", "省份 <b>尚无省份</b>", "去掉筛选"])
    {
        assert!(page.contains(said), "{said}: {page}");
    }
    // Rid of one of them, the others stay; what has no field in the form goes along.
    let without =
        "/cases?province=none&#38;first=22&#38;outcome=approved&#38;ended=2026-02-25T09\"";
    assert!(page.contains(without), "{page}");
    assert!(page.contains("<input type=\"hidden\" name=\"first\" value=\"22\">"));
    assert!(page.contains("<input type=\"hidden\" name=\"ended\" value=\"2026-02-25T09\">"));
    let english = browser.http.get(format!("{}{path}", browser.base));
    let cookie = format!("{}; hub_language=en", browser.cookie.clone().unwrap());
    let english = english.header("cookie", cookie).send().await.unwrap().text().await.unwrap();
    for said in ["received on <b>2026-02-25</b>", "first routed to <b>Jilin</b>", "no province yet"]
    {
        assert!(english.contains(said), "{said}: {english}");
    }
    let hub = &varied.furnished.console.hub;
    for (name, bad) in [
        ("recorded", "yesterday"),
        ("recorded", "2026-02-30"),
        ("recorded", "2026-02-25T24"),
        ("ended", "2026-02-25T7"),
        ("outcome", "granted"),
    ] {
        for path in ["/cases", "/cases.csv", "/cases.xlsx"] {
            let answer = browser.get(&format!("{path}?{name}={bad}")).await;
            // A day in a form is corrected where it was typed.
            let correctable = path == "/cases" && name != "outcome";
            let status = if correctable { 422 } else { 400 };
            assert_eq!(answer.status(), status, "{path} {name}={bad}");
        }
        let answer =
            hub.ask("GET", &format!("/v1/cases?{name}={bad}"), "ysfw").send().await.unwrap();
        assert_eq!(answer.status(), 400, "{name}={bad}");
        let problem: Value = answer.json().await.unwrap();
        assert_eq!((&problem["code"], &problem["detail"]), (&json!("bad-parameter"), &json!(name)));
    }
    assert_eq!(browser.get("/cases?first=99").await.status(), 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_national_system_narrows_its_list_in_the_same_words() {
    let varied = Varied::new().await;
    let hub = &varied.furnished.console.hub;
    let count = async |query: &str| {
        let path = format!("/v1/cases?limit=500&{query}");
        let answer = hub.ask("GET", &path, "ysfw").send().await.unwrap();
        assert_eq!(answer.status(), 200, "{query}");
        let page: Value = answer.json().await.unwrap();
        page["items"].as_array().unwrap().len() as u64
    };
    let all = u64::from(varied.submitted);
    assert_eq!(count("").await, all);
    let days = ["2026-02-13", "2026-02-24", "2026-02-25"];
    let mut sum = 0;
    for day in days {
        sum += count(&format!("recorded={day}")).await;
    }
    assert_eq!(sum, all);
    assert_eq!(count("recorded=2026-02-14").await, 0);
    assert_eq!(count("recorded=2026-02-24T10").await, 3);
    assert_eq!(count("recorded=2026-02-24T09").await, 0);
    assert_eq!(count("ended=2026-02-25&outcome=approved").await, 1);
    assert_eq!(count("ended=2026-02-25").await, 4, "two completed, one withdrawn, one lapsed");
    assert_eq!(count("open=true&province=none").await, 2);
    assert_eq!(count("waiting=true").await + count("waiting=false").await, all);
    assert_eq!(
        count("first_province=22").await,
        all - count("first_province=44").await - count("first_province=45").await
    );
}
