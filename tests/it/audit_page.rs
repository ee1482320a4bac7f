//! Who watches the watchers: the auditor's page lists every deed in an operator's name, and has the log verified.

use std::time::Duration;

use events::envelope::Position;
use serde_json::Value;
use tests::http::submission;

use crate::console::Console;

fn kinds(console: &Console) -> Vec<&'static str> {
    let all = console.hub.readers.read(|log| log.read_all(Position(0), 100_000)).unwrap();
    all.iter().map(|it| it.envelope.event.kind()).collect()
}

/// The auditor's page, once it says what it should.
async fn page_with(console: &Console, path: &str, said: &str) -> String {
    let auditor = console.signed_in("auditor").await;
    for _ in 0..600 {
        let page = auditor.get(path).await.text().await.unwrap();
        if page.contains(said) {
            return page;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("{path} never says {said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_deed_and_every_look_at_a_person_is_listed_with_who_and_why() {
    let console = Console::open().await;
    let first = console.hub.submit("key-00001", submission(1).to_string()).send().await.unwrap();
    let receipt: Value = first.json().await.unwrap();
    let number = receipt["case_number"].as_str().unwrap().to_owned();
    let path = format!("/v1/cases/{number}");
    console.hub.wait_for(&path, "ysfw", |it| it["case_number"] == *number).await;
    let hotline = console.signed_in("hotline").await;
    let mark = hotline.mark().await;
    let form = [("mark", mark.as_str()), ("purpose", "complaint"), ("ticket", "T-77")];
    hotline.post(&format!("/cases/{number}/reveal"), &form).await;
    let operator = console.signed_in("operator").await;
    let mark = operator.mark().await;
    operator.post(&format!("/cases/{number}/deed"), &[("mark", &mark), ("deed", "park")]).await;
    let page = page_with(&console, "/audit", "case.parked.v1").await;
    assert!(page.contains("keeping.personal-data-read.v1") && page.contains("complaint: T-77"));
    assert!(!page.contains(&tests::http::identity_number(1)) && !page.contains("古丽"));
    let case = receipt["case_id"].as_str().unwrap();
    assert!(page.contains(&format!("href=\"/cases/{case}\"")));
    let looks = page_with(&console, "/audit?only=personal", "T-77").await;
    assert!(!looks.contains("case.parked.v1"));
    let own = page_with(&console, "/audit?who=operator", "case.parked.v1").await;
    assert!(!own.contains("T-77"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_verified_when_an_auditor_says_so_and_that_is_on_record_first() {
    let console = Console::open().await;
    let page = page_with(&console, "/audit", "本次启动后尚未校验").await;
    assert!(page.contains(&"07".repeat(32)), "the signed head");
    for (role, deed, status) in [
        ("operator", "verify", 403),
        ("admin", "verify", 403),
        ("auditor", "mend", 422),
        ("auditor", "verify", 303),
    ] {
        let browser = console.signed_in(role).await;
        let mark = browser.mark().await;
        let before = kinds(&console).len();
        let answer = browser.post("/audit", &[("mark", mark.as_str()), ("deed", deed)]).await;
        assert_eq!(answer.status().as_u16(), status, "{role} {deed}");
        let recorded = kinds(&console);
        assert_eq!(recorded.len() > before, status == 303, "{role} {deed}");
    }
    assert_eq!(kinds(&console).last(), Some(&"keeping.operator-acted.v1"));
    let page = page_with(&console, "/audit", "完好").await;
    assert!(page.contains("7 条事件，1 个检查点相符") && page.contains("verify: the whole log"));
}
