//! Days and moments on forms: written the same in every browser, read as Shanghai's, and what cannot be read comes back with what was typed.

use events::envelope::{Event, Position};
use events::province::ProvinceEvent;
use serde_json::json;
use tests::browser::Browser as Window;

use crate::console::{Browser, Console, PASSWORD};
use crate::reports::enrolled;

/// A field as it was typed.
fn typed(text: &str) -> String {
    format!("value=\"{text}\"")
}

async fn form(browser: &Browser, path: &str, form: &[(&str, &str)]) -> (u16, String) {
    let answer = browser.post(path, form).await;
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_days_of_the_list_are_taken_as_written_or_come_back_marked() {
    let console = Console::open().await;
    let receipt = console.hub.submit("key-00001", tests::http::submission(1).to_string());
    let receipt: serde_json::Value = receipt.send().await.unwrap().json().await.unwrap();
    let number = receipt["case_number"].as_str().unwrap().to_owned();
    let path = format!("/v1/cases/{number}");
    console.hub.wait_for(&path, "ysfw", |it| it["case_number"] == *number).await;
    let browser = console.signed_in("operator").await;
    // Its acceptance is due on 2026-02-24.
    for (query, listed) in [
        ("due_from=2026-02-24", true),
        ("due_from=2026-02-25", false),
        ("due_before=2026-02-24", false),
        ("due_before=2026-02-25", true),
        ("due_from=2024-02-29&due_before=2028-02-29", true),
        ("due_from=&due_before=", true),
    ] {
        let answer = browser.get(&format!("/cases?{query}")).await;
        assert_eq!(answer.status(), 200, "{query}");
        assert_eq!(answer.text().await.unwrap().contains(&number), listed, "{query}");
    }
    for (given, code, zh, en) in [
        ("24.02.2026", "bad-form", "请写成 2026-02-24 的格式", "write it like 2026-02-24"),
        ("2026-02-24T00:00", "bad-form", "请写成 2026-02-24 的格式", "write it like 2026-02-24"),
        ("2026-02-30", "bad-moment", "没有这一天", "there is no such day"),
    ] {
        let path = format!("/cases?province=22&due_from={given}&due_before=2026-03-01");
        for (language, said, hint) in [
            ("zh", zh, "格式 2026-02-24，上海时间（Asia/Shanghai）"),
            ("en", en, "as 2026-02-24, Shanghai time (Asia/Shanghai)"),
        ] {
            let answer = browser.get(&format!("{path}&lang={language}")).await;
            assert_eq!(answer.status(), 422, "{given}");
            let page = answer.text().await.unwrap();
            for part in [said, code, hint, &typed(given), &typed("2026-03-01")] {
                assert!(page.contains(part), "{given} in {language}: {part}");
            }
            assert!(page.contains("value=\"22\" selected"), "the other filters stay");
            assert!(!page.contains(&number), "what was not asked for is not listed");
            assert_eq!(page.matches("aria-invalid").count(), 1, "only what is wrong is marked");
        }
        let file = format!("/cases.csv?due_from={given}");
        assert_eq!(
            browser.get(&file).await.status(),
            400,
            "a file has no place for words: {given}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_absence_is_recorded_in_shanghais_time_and_nothing_typed_is_lost() {
    let console = Console::open().await;
    enrolled(&console, "22").await;
    let browser = console.signed_in("operator").await;
    let mark = browser.mark().await;
    let before = console.hub.events();
    let fields = |from, until| {
        [
            ("mark", mark.as_str()),
            ("deed", "maintenance"),
            ("from", from),
            ("until", until),
            ("reason", "机房搬迁"),
        ]
    };
    for (from, until, code, said) in [
        ("", "2026-03-02 09:00", "missing-field", "请填写"),
        ("morgen", "2026-03-02 09:00", "bad-form", "请写成 2026-02-24 18:00 的格式"),
        ("2026-03-01T18:00:00", "2026-03-02 09:00", "bad-form", "的格式"),
        ("2026-03-01 24:00", "2026-03-02 09:00", "bad-moment", "没有这一时刻"),
        ("2026-03-01 18:00", "2026-02-29 09:00", "bad-moment", "没有这一时刻"),
        ("2026-03-01 18:00", "2026-03-01T18:00", "out-of-bounds", "须晚于开始时间"),
    ] {
        let (status, page) = form(&browser, "/provinces/22", &fields(from, until)).await;
        assert_eq!(status, 422, "{from} {until}");
        for part in [code, said, "<details open>", &typed("机房搬迁")] {
            assert!(page.contains(part), "{from} {until}: {part}");
        }
        for kept in [from, until].into_iter().filter(|it| !it.is_empty()) {
            assert!(page.contains(&typed(kept)), "{kept}");
        }
    }
    let (_, page) = form(&browser, "/provinces/22?lang=en", &fields("x", "")).await;
    assert!(page.contains("write it like 2026-02-24 18:00") && page.contains("fill this in"));
    assert_eq!(console.hub.events(), before);
    // Both ways of writing are the same moment: the second is nothing new.
    for (from, until) in
        [("2026-03-01 18:00", "2026-03-02 09:00"), ("2026-03-01T18:00", "2026-03-02T09:00")]
    {
        assert_eq!(form(&browser, "/provinces/22", &fields(from, until)).await.0, 303);
        assert_eq!(console.hub.events(), before + 1);
    }
    let all = console.hub.readers.read(|log| log.read_all(Position(before), 10)).unwrap();
    let Event::Province(ProvinceEvent::MaintenanceDeclared(it)) = &all[0].envelope.event else {
        panic!("{:?}", all[0])
    };
    let moments = [it.from, it.until].map(|it| it.to_string());
    assert_eq!(moments, ["2026-03-01T10:00:00Z", "2026-03-02T01:00:00Z"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_not_counted_from_a_moment_that_nobody_can_read() {
    let console = Console::open().await;
    crate::parked::keep(&console, 22, b"{}");
    let browser = console.signed_in("operator").await;
    let mark = browser.mark().await;
    let fields = |deed, since| {
        [
            ("mark", mark.as_str()),
            ("deed", deed),
            ("of", "quarantined-reports"),
            ("province", "22"),
            ("why", "unknown-key"),
            ("per_minute", "30"),
            ("note", "对端已修复"),
            ("since", since),
        ]
    };
    for (since, code) in
        [("gestern", "bad-form"), ("2026-02-13", "bad-form"), ("2026-02-30 09:00", "bad-moment")]
    {
        let (status, page) = form(&browser, "/parked", &fields("preview", since)).await;
        assert_eq!(status, 422, "{since}");
        for part in [code, &typed(since), &typed("对端已修复"), &typed("30")] {
            assert!(page.contains(part), "{since}: {part}");
        }
        assert!(!page.contains("id=\"preview\""), "nothing was counted");
        assert_eq!(form(&browser, "/parked", &fields("order", since)).await.0, 422, "{since}");
    }
    // The hub's clock stands at 09:30 in Shanghai.
    for (since, count) in [("2026-02-13 09:30", 1), ("2026-02-13T09:31", 0), ("", 1)] {
        let (status, page) = form(&browser, "/parked", &fields("preview", since)).await;
        assert_eq!(status, 200, "{since}");
        assert_eq!(page.contains("<b>1</b>"), count == 1, "{since}: {page}");
    }
}

/// A browser that speaks this language, signed in.
async fn speaking(console: &Console, language: &str) -> Option<Window> {
    let browser = Window::speaking("a form's days", language).await?;
    let base = format!("http://{}", console.hub.address);
    browser.sign_in(&base, "operator", PASSWORD).await;
    let speaks = browser.value("return navigator.language").await;
    assert!(speaks.as_str().is_some_and(|it| it.starts_with(language)), "{speaks}");
    Some(browser)
}

/// How the first that fits looks, with this in it and without a caret.
async fn picture(browser: &Window, css: &str, text: &str) -> String {
    browser.fill(css, text).await;
    browser.value("document.activeElement.blur(); return null").await;
    browser.page.find(css).await.unwrap().picture().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_german_and_an_american_browser_show_the_same_day() {
    let console = Console::open().await;
    enrolled(&console, "22").await;
    crate::parked::keep(&console, 22, b"{}");
    let parked = "/parked?of=quarantined-reports&province=22&why=unknown-key";
    let places = [
        ("/cases", "input[name=due_from]", "2026-02-24"),
        ("/cases", "input[name=due_before]", "2026-02-25"),
        ("/provinces/22", "input[name=from]", "2026-02-24 18:00"),
        ("/provinces/22", "input[name=until]", "2026-02-25 06:00"),
        (parked, "input[name=since]", "2026-02-24 18:00"),
    ];
    let (mut seen, mut control) = (Vec::new(), Vec::new());
    for language in ["de", "en-US"] {
        let Some(browser) = speaking(&console, language).await else { return };
        let base = format!("http://{}", console.hub.address);
        let mut pictures = Vec::new();
        for (path, css, text) in places {
            browser.open(&format!("{base}{path}")).await;
            let open = "document.querySelectorAll('details').forEach(it => it.open = true);
                return [...document.querySelectorAll('input')].map(it => it.type)";
            let types = browser.value(open).await;
            for local in ["date", "datetime-local", "time", "month", "week"] {
                let all = types.as_array().expect("the inputs' types");
                assert!(!all.contains(&json!(local)), "{path} has an input of type {local}");
            }
            pictures.push(picture(&browser, css, text).await);
        }
        seen.push(pictures);
        // What a browser draws of a field of its own, so that equal pictures mean something.
        let own = "const it = document.createElement('input'); it.type = 'date';
            it.id = 'own'; it.value = '2026-02-24'; document.querySelector('main').prepend(it);
            return null";
        browser.value(own).await;
        control.push(browser.page.find("#own").await.unwrap().picture().await.unwrap());
    }
    assert!(control[0] != control[1], "the two browsers write days alike: this shows nothing");
    for (at, (path, css, _)) in places.iter().enumerate() {
        assert!(seen[0][at] == seen[1][at], "{css} on {path} looks different in German");
    }
}
