//! What waits for a person: seen in groups, looked into masked, let in again with a second person.

use events::envelope::{Actor, Event, Position};
use events::ids::{CaseId, RedriveId};
use events::keeping::KeepingEvent;
use hub::quarantine::Stray;
use hub::redrive::headers_label;
use hub::registrar::{Ask, What};
use hub_core::command::Command;
use hub_core::redrive::Phase;
use serde_json::{Value, json};
use tests::http::submission;

use crate::console::{Browser, Console};

/// Keeps a stray of the province of `code`, as the intake would.
pub(crate) fn keep(console: &Console, code: u8, payload: &[u8]) {
    let source = format!("province:{code}");
    let opener = &console.hub.opener;
    let headers = serde_json::to_vec(&[["Signature", "x..y"]]).unwrap();
    let stray = Stray {
        at: console.hub.clock.now(),
        subject: format!("hub.v1.report.{code}.accepted"),
        reason: "unknown-key".to_owned(),
        sealed: opener.seal_stray(&source, payload),
        headers: Some(opener.seal_stray(&headers_label(&source), &headers)),
        source,
    };
    console.hub.quarantine.keep(&[stray]).unwrap();
}

async fn seen(console: &Console) {
    let head = console.hub.readers.read(|log| log.head()).unwrap().unwrap().0;
    for _ in 0..600 {
        if console.hub.views.position().unwrap() >= head {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the views do not read on");
}

fn last(console: &Console) -> (String, Event) {
    let all = console.hub.readers.read(|log| log.read_all(Position(0), 100_000)).unwrap();
    let last = all.last().unwrap();
    (format!("{:?}", last.envelope.actor), last.envelope.event.clone())
}

async fn text(browser: &Browser, path: &str) -> String {
    browser.get(path).await.text().await.unwrap()
}

/// A parked case of Jilin's; its number.
async fn parked(console: &Console) -> String {
    let first = console.hub.submit("key-00001", submission(1).to_string()).send().await.unwrap();
    let receipt: Value = first.json().await.unwrap();
    let case: CaseId = receipt["case_id"].as_str().unwrap().parse().unwrap();
    let command = Command::Park { operator: "o".into() };
    let what = What::Case { case, command, personal: None, evidence: None, key: None };
    let (actor, occurred_at) = (Actor::Operator("o".into()), console.hub.clock.now());
    console.hub.registrar.ask(Ask { actor, occurred_at, caused_by: None, what }).await.unwrap();
    seen(console).await;
    receipt["case_number"].as_str().unwrap().to_owned()
}

const REPORTS: &str = "/parked?of=quarantined-reports&province=22&why=unknown-key";

fn hidden(page: &str, name: &str) -> String {
    let rest = page.split(&format!("name=\"{name}\" value=\"")).nth(1).unwrap();
    rest.split('"').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn groups_are_seen_by_province_and_reason_and_a_province_sees_its_own() {
    let console = Console::open().await;
    let number = parked(&console).await;
    keep(&console, 22, b"{}");
    keep(&console, 44, b"{}");
    let operator = console.signed_in("operator").await;
    let page = text(&operator, "/parked").await;
    for told in ["暂停的办件", "值班员暂停", "密钥未登记", "吉林", "广东"] {
        assert!(page.contains(told), "{told}");
    }
    let cases = text(&operator, "/parked?of=parked-cases&province=22&why=operator").await;
    assert!(cases.contains(&number) && cases.contains("预览数量"));
    let province = console.signed_in("province").await;
    let page = text(&province, "/parked").await;
    assert!(page.contains("吉林") && !page.contains("广东") && !page.contains("value=\"preview\""));
    let elsewhere = "/parked?of=quarantined-reports&province=44&why=unknown-key";
    assert_eq!(province.get(elsewhere).await.status(), 403);
    assert_eq!(province.get("/parked?of=quarantined-reports").await.status(), 403);
    assert_eq!(province.get("/parked/1").await.status(), 200);
    assert_eq!(province.get("/parked/2").await.status(), 404);
    // The same for programs.
    let answer = console.hub.ask("GET", "/v1/dead-letters", "auditor").send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    let groups = answer["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 3);
    assert_eq!(groups[0]["why"], "operator");
    assert_eq!((&groups[1]["province"], &groups[1]["count"]), (&json!("22"), &json!(1)));
    let path = "/v1/dead-letters/items?of=parked-cases&province=22";
    let answer = console.hub.ask("GET", path, "auditor").send().await.unwrap();
    let answer: Value = answer.json().await.unwrap();
    assert_eq!(answer["items"][0]["case_number"], number.as_str());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_counted_first_recorded_in_somebodys_name_and_sent_twice_it_is_one() {
    let console = Console::open().await;
    for _ in 0..3 {
        keep(&console, 22, b"{}");
    }
    let operator = console.signed_in("operator").await;
    let mark = operator.mark().await;
    let before = console.hub.events();
    let group = |deed, note| {
        vec![
            ("mark", mark.as_str()),
            ("deed", deed),
            ("of", "quarantined-reports"),
            ("province", "22"),
            ("why", "unknown-key"),
            ("per_minute", "30"),
            ("items", "1,3"),
            ("note", note),
        ]
    };
    let preview = operator.post("/parked", &group("preview", "")).await.text().await.unwrap();
    assert!(preview.contains("<b>2</b>"), "two of three are meant");
    assert_eq!(console.hub.events(), before, "looking changes nothing");
    let (redrive, until) = (hidden(&preview, "redrive"), hidden(&preview, "until"));
    let mut order = group("order", "mended");
    order.extend([("redrive", redrive.as_str()), ("until", until.as_str())]);
    for _twice in 0..2 {
        let answer = operator.post("/parked", &order).await;
        assert_eq!(answer.headers()["location"], "/parked#redrives");
        assert_eq!(console.hub.events(), before + 1);
    }
    let (actor, Event::Keeping(KeepingEvent::RedriveOrdered(event))) = last(&console) else {
        panic!("not ordered")
    };
    assert!(actor.contains("operator"), "{actor}");
    assert_eq!((event.count, event.per_minute, event.needs_second), (2, 30, false));
    assert_eq!((event.selection.only, event.reason.as_str()), (vec![1, 3], "mended"));
    seen(&console).await;
    assert!(text(&operator, "/parked").await.contains("0 / 2"));
    for (deed, kind) in [
        ("pause", "keeping.redrive-paused.v1"),
        ("resume", "keeping.redrive-resumed.v1"),
        ("cancel", "keeping.redrive-cancelled.v1"),
    ] {
        let form = [("mark", mark.as_str()), ("deed", deed), ("redrive", redrive.as_str())];
        assert_eq!(operator.post("/parked", &form).await.status(), 303, "{deed}");
        assert_eq!(last(&console).1.kind(), kind);
    }
    let id: RedriveId = redrive.parse().unwrap();
    seen(&console).await;
    assert_eq!(console.hub.views.redrive(id).unwrap().unwrap().phase, Phase::Cancelled);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_usable_is_refused_and_nothing_is_recorded() {
    let console = Console::open().await;
    keep(&console, 22, b"{}");
    let operator = console.signed_in("operator").await;
    let mark = operator.mark().await;
    let before = console.hub.events();
    let identity = tests::http::identity_number(1);
    let good = [
        ("mark", mark.as_str()),
        ("deed", "order"),
        ("of", "quarantined-reports"),
        ("province", "22"),
        ("why", "unknown-key"),
        ("note", "mended"),
    ];
    for (name, value) in [
        ("of", "everything"),
        ("of", ""),
        ("province", ""),
        ("province", "99"),
        ("why", "nothing-of-this"),
        ("why", identity.as_str()),
        ("items", "1;drop"),
        ("items", "7"),
        ("since", "yesterday"),
        ("per_minute", "0"),
        ("per_minute", "601"),
        ("route_to", "23"),
        ("note", ""),
        ("note", identity.as_str()),
        ("redrive", "mine"),
        ("deed", "delete"),
        ("deed", "confirm"),
    ] {
        let mut form: Vec<_> = good.into_iter().filter(|it| it.0 != name).collect();
        form.push((name, value));
        let status = operator.post("/parked", &form).await.status().as_u16();
        assert!((400..500).contains(&status), "{name}={value}: {status}");
    }
    assert_eq!(console.hub.events(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn above_the_bound_nothing_begins_before_somebody_else_confirms() {
    let console = Console::open().await;
    let many: u64 = hub::redrive::RedriveConfig::default().confirm_above + 1;
    for _ in 0..many {
        keep(&console, 22, b"{}");
    }
    let body = json!({"of": "quarantined-reports", "province": "22", "reason": "mended"});
    let mut looked = body.clone();
    looked["dry_run"] = json!(true);
    let ask = |path: &str, body: &Value| {
        console
            .hub
            .ask("POST", path, "keeper")
            .body(body.to_string())
            .header("content-type", "application/json")
            .send()
    };
    let before = console.hub.events();
    let preview: Value = ask("/v1/admin/redrives", &looked).await.unwrap().json().await.unwrap();
    assert_eq!((&preview["count"], &preview["needs_second"]), (&json!(many), &json!(true)));
    assert_eq!(console.hub.events(), before);
    let ordered: Value = ask("/v1/admin/redrives", &body).await.unwrap().json().await.unwrap();
    let redrive = ordered["redrive"].as_str().unwrap().to_owned();
    let path = format!("/v1/admin/redrives/{redrive}/confirm");
    let own = ask(&path, &json!({})).await.unwrap();
    assert_eq!(own.status(), 403);
    let problem: Value = own.json().await.unwrap();
    assert_eq!(problem["code"], "second-person-needed");
    let one = format!("/v1/redrives/{redrive}");
    console.hub.wait_for(&one, "auditor", |it| it["phase"] == "waiting").await;
    // Somebody else sees the button and presses it.
    let operator = console.signed_in("operator").await;
    assert!(text(&operator, "/parked").await.contains("value=\"confirm\""));
    let mark = operator.mark().await;
    let form = [("mark", mark.as_str()), ("deed", "confirm"), ("redrive", redrive.as_str())];
    assert_eq!(operator.post("/parked", &form).await.status(), 303);
    let told = console.hub.wait_for(&one, "auditor", |it| it["phase"] == "running").await;
    assert_eq!(
        (&told["ordered_by"], &told["confirmed_by"]),
        (&json!("keeper"), &json!("operator"))
    );
}

/// What a hostile province may have sent, and what a page may not become by it.
const HOSTILE: [&str; 5] = [
    r#"{"x": "<script>alert(1)</script>"}"#,
    r#"{"<img src=x onerror=alert(1)>": 1}"#,
    r#"{"id": "\"><svg/onload=alert(1)>"}"#,
    "</pre><script>alert(1)</script>",
    r#"{"type": "javascript:alert(1)", "a": "' onmouseover='alert(1)"}"#,
];

#[tokio::test(flavor = "multi_thread")]
async fn inside_it_is_masked_until_somebody_says_why_and_no_page_runs_what_came() {
    let console = Console::open().await;
    let identity = tests::http::identity_number(1);
    let person =
        format!(r#"{{"name": "古丽", "identity": "{identity}", "type": "report.accepted.v1"}}"#);
    keep(&console, 22, person.as_bytes());
    for hostile in HOSTILE {
        keep(&console, 22, hostile.as_bytes());
    }
    for role in ["operator", "auditor", "province"] {
        let page = text(&console.signed_in(role).await, "/parked/1").await;
        assert!(!page.contains("古丽") && !page.contains(&identity), "{role}");
        assert!(page.contains("report.accepted.v1"), "the shape is told");
        assert_eq!(page.contains("/parked/1/reveal"), role == "operator", "{role}");
    }
    let operator = console.signed_in("operator").await;
    let mark = operator.mark().await;
    let ask = |purpose, ticket| [("mark", mark.as_str()), ("purpose", purpose), ("ticket", ticket)];
    let before = console.hub.events();
    for wrong in [ask("curiosity", "T-1"), ask("fault", "")] {
        assert_eq!(operator.post("/parked/1/reveal", &wrong).await.status(), 422);
    }
    assert_eq!(console.hub.events(), before);
    let page = operator.post("/parked/1/reveal", &ask("fault", "T-1")).await.text().await.unwrap();
    assert!(page.contains("古丽") && page.contains(&identity));
    assert_eq!(console.hub.events(), before + 1);
    let (_, Event::Keeping(KeepingEvent::OperatorActed(acted))) = last(&console) else {
        panic!("not on record")
    };
    assert_eq!(acted.action, "look-into-quarantine");
    assert_eq!(acted.target, "report 1 of province:22: fault: T-1");
    for number in 2..=HOSTILE.len() as u64 + 1 {
        let masked = text(&operator, &format!("/parked/{number}")).await;
        let path = format!("/parked/{number}/reveal");
        let clear = operator.post(&path, &ask("fault", "T-1")).await.text().await.unwrap();
        for page in [masked, clear] {
            let own = page.replace("<script src=\"/static/console.js\" defer></script>", "");
            for tag in ["<script", "<img", "<svg/"] {
                assert!(!own.contains(tag), "{tag} in {number}");
            }
        }
    }
    assert!(text(&operator, REPORTS).await.contains("/parked/1"));
}
