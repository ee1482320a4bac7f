//! What people do about alerts: each act is an event in somebody's name, lasts as long as it should, and others may not.

use events::envelope::{Actor, Event, Position};
use events::ids::CaseId;
use events::keeping::KeepingEvent;
use events::vocabulary::AlertKind;
use hub::registrar::{Ask, What};
use hub::views::rows::AlertGroup;
use hub_core::command::Command;
use serde_json::Value;
use tests::http::submission;

use crate::console::Console;

/// Jilin's first case, and the moment at which nobody has answered for days.
async fn overdue() -> (Console, String, CaseId) {
    let console = Console::open().await;
    let first = console.hub.submit("key-00001", submission(1).to_string()).send().await.unwrap();
    let receipt: Value = first.json().await.unwrap();
    let number = receipt["case_number"].as_str().unwrap().to_owned();
    let case: CaseId = receipt["case_id"].as_str().unwrap().parse().unwrap();
    let path = format!("/v1/cases/{number}");
    console.hub.wait_for(&path, "ysfw", |it| it["case_number"] == *number).await;
    set(&console, "2026-02-25T01:30:00Z");
    let command = Command::ObserveDate(console.hub.clock.today());
    let what = What::Case { case, command, personal: None, evidence: None, key: None };
    let ask =
        Ask { actor: Actor::Hub, occurred_at: console.hub.clock.now(), caused_by: None, what };
    console.hub.registrar.ask(ask).await.unwrap();
    seen(&console).await;
    (console, number, case)
}

fn set(console: &Console, at: &str) {
    console.hub.clock.advance_to(at.parse().unwrap());
}

/// Waits until the views have read everything that is recorded.
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

async fn page(console: &Console, role: &str, path: &str) -> String {
    seen(console).await;
    console.signed_in(role).await.get(path).await.text().await.unwrap()
}

const GROUP: &str = "/alerts?kind=acceptance-overdue&province=22";

#[tokio::test(flavor = "multi_thread")]
async fn acts_on_a_group_are_events_in_somebodys_name_and_stand_on_the_page() {
    let (console, number, _) = overdue().await;
    assert!(page(&console, "operator", GROUP).await.contains("尚未处置"));
    let operator = console.signed_in("operator").await;
    let mark = operator.mark().await;
    let table = [
        ("acknowledge", "keeping.alerts-acknowledged.v1", "已确认 operator（called）"),
        ("assign", "keeping.alerts-assigned.v1", "交由 hotline"),
        ("silence", "keeping.alerts-silenced.v1", "静默至 2026-02-25 13:30:00（operator，called）"),
        ("explain", "case.breach-explained.v1", "已确认 operator（called）"),
    ];
    for (deed, kind, told) in table {
        let form = [
            ("mark", mark.as_str()),
            ("deed", deed),
            ("kind", "acceptance-overdue"),
            ("province", "22"),
            ("note", "called"),
            ("to", "hotline"),
            ("hours", "4"),
        ];
        let answer = operator.post("/alerts", &form).await;
        assert_eq!(answer.headers()["location"], GROUP, "{deed}");
        let (actor, event) = last(&console);
        assert_eq!(event.kind(), kind);
        assert!(actor.contains("operator"), "{actor}");
        assert!(page(&console, "operator", GROUP).await.contains(told), "{deed}");
    }
    // A silence ends by itself; somebody who looks later sees none.
    set(&console, "2026-02-25T05:31:00Z");
    assert!(!page(&console, "operator", GROUP).await.contains("静默至"));
    // The one case has its own acts.
    let one = format!("{GROUP}&case={number}&stage=acceptance");
    assert!(page(&console, "operator", &one).await.contains("尚未处置"));
    let form = [
        ("mark", mark.as_str()),
        ("deed", "acknowledge"),
        ("kind", "acceptance-overdue"),
        ("province", "22"),
        ("case", number.as_str()),
        ("stage", "acceptance"),
        ("note", "mine"),
    ];
    assert_eq!(operator.post("/alerts", &form).await.status(), 303);
    assert!(page(&console, "operator", &one).await.contains("已确认 operator（mine）"));
    assert!(page(&console, "operator", "/alerts").await.contains("逐件确认 1"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_usable_is_refused_and_nothing_is_recorded() {
    let (console, number, _) = overdue().await;
    let operator = console.signed_in("operator").await;
    let mark = operator.mark().await;
    let (before, identity) = (console.hub.events(), tests::http::identity_number(1));
    let good = [
        ("deed", "silence"),
        ("kind", "acceptance-overdue"),
        ("province", "22"),
        ("note", "called"),
        ("to", "hotline"),
        ("hours", "4"),
        ("case", ""),
        ("stage", ""),
    ];
    let table: &[(&[(&str, &str)], u16)] = &[
        (&[("hours", "100000")], 422),
        (&[("hours", "")], 422),
        (&[("note", "")], 422),
        (&[("note", identity.as_str())], 422), // an identity number is kept by nobody in clear
        (&[("kind", "boredom")], 422),
        (&[("province", "99")], 422),
        (&[("province", "")], 422),
        (&[("deed", "delete")], 422),
        (&[("deed", "assign"), ("to", "admin")], 422), // does not see alerts
        (&[("deed", "assign"), ("to", "nobody")], 422),
        (&[("deed", "explain"), ("kind", "parked")], 303), // nothing stands there
        (&[("case", number.as_str()), ("stage", "completion")], 409),
        (&[("case", number.as_str()), ("stage", "acceptance"), ("province", "44")], 409),
    ];
    for (wrong, status) in table {
        let mut form = vec![("mark", mark.as_str())];
        for (name, value) in good {
            let other = wrong.iter().find(|it| it.0 == name);
            form.push(other.copied().unwrap_or((name, value)));
        }
        let answer = operator.post("/alerts", &form).await;
        assert_eq!(answer.status().as_u16(), *status, "{wrong:?}");
    }
    assert_eq!(console.hub.events(), before);
    for role in ["hotline", "province", "auditor"] {
        let browser = console.signed_in(role).await;
        let mark = browser.mark().await;
        let mut form = vec![("mark", mark.as_str())];
        form.extend(good);
        assert_eq!(browser.post("/alerts", &form).await.status(), 403, "{role}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_act_does_not_outlive_what_it_was_about() {
    let (console, _, case) = overdue().await;
    let operator = console.signed_in("operator").await;
    let mark = operator.mark().await;
    let form = [
        ("mark", mark.as_str()),
        ("deed", "acknowledge"),
        ("kind", "acceptance-overdue"),
        ("province", "22"),
        ("note", "called"),
    ];
    operator.post("/alerts", &form).await;
    assert!(page(&console, "operator", "/alerts").await.contains("已确认"));
    // The case ends, and another one becomes overdue the next week: nobody has seen that one.
    let withdraw = Command::Withdraw {
        request: events::ids::RequestId(uuid::Uuid::from_u128(9)),
        requested_at: console.hub.clock.now(),
    };
    let what = What::Case { case, command: withdraw, personal: None, evidence: None, key: None };
    let at = console.hub.clock.now();
    let actor = Actor::National("ysfw".into());
    let ask = Ask { actor, occurred_at: at, caused_by: None, what };
    console.hub.registrar.ask(ask).await.unwrap();
    assert!(!page(&console, "operator", "/alerts").await.contains("已确认"));
    let later = "2026-03-04T01:30:00Z";
    let group = AlertGroup::untouched(
        AlertKind::AcceptanceOverdue,
        Some("22".parse().unwrap()),
        3,
        Some(later.parse().unwrap()),
    );
    set(&console, later);
    console.hub.alarms.set(vec![group]);
    let shown = page(&console, "operator", "/alerts").await;
    assert!(shown.contains("受理超期") && !shown.contains("已确认"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_province_sees_its_own_alerts_only() {
    let (console, number, _) = overdue().await;
    let alarm = |code: &str| {
        AlertGroup::untouched(AlertKind::AdapterSilent, Some(code.parse().unwrap()), 1, None)
    };
    console.hub.alarms.set(vec![alarm("22"), alarm("44")]);
    let all = page(&console, "auditor", "/alerts").await;
    assert!(all.contains("广东") && all.contains("通知记录") && all.contains(&number));
    let own = page(&console, "province", "/alerts").await;
    assert!(own.contains("适配器失联") && own.contains(&number));
    assert!(!own.contains("广东") && !own.contains("name=\"deed\""));
    let browser = console.signed_in("province").await;
    let other = browser.get("/alerts?kind=adapter-silent&province=44").await;
    assert_eq!(other.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_that_is_explained_explains_each_of_its_cases_once() {
    let (console, _, case) = overdue().await;
    let operator = console.signed_in("operator").await;
    let mark = operator.mark().await;
    let form = [
        ("mark", mark.as_str()),
        ("deed", "explain"),
        ("kind", "acceptance-overdue"),
        ("province", "22"),
        ("note", "flood"),
    ];
    for _ in 0..2 {
        assert_eq!(operator.post("/alerts", &form).await.status(), 303);
    }
    let story =
        console.hub.readers.read(|log| log.read_stream(&events::ids::StreamName::Case(case)));
    let told = story.unwrap();
    let explained = told.iter().filter(|it| it.envelope.event.kind() == "case.breach-explained.v1");
    assert_eq!(explained.count(), 1);
    let (_, event) = last(&console);
    assert!(!matches!(event, Event::Keeping(KeepingEvent::AlertsAcknowledged(_))));
}
