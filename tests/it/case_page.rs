//! One case's page and the hotline's: every step with its place in the log, why it is late, what the clerk can say and do; and a group explained at once.

use events::case::CaseEvent;
use events::envelope::{Event, Position, Recorded};
use hub_core::command::Command;

use crate::console::{Browser, Console};
use crate::furnished::Furnished;

async fn text(browser: &Browser, path: &str) -> String {
    let answer = browser.get(path).await;
    assert_eq!(answer.status(), 200, "{path}");
    answer.text().await.unwrap()
}

fn all(console: &Console) -> Vec<Recorded> {
    console.hub.readers.read(|log| log.read_all(Position(0), 100_000)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_step_has_its_place_and_hash_and_a_late_case_says_why_and_whence() {
    let mut furnished = Furnished::open().await;
    let cases = furnished.say("说明", 22).await;
    furnished.seen().await;
    let operator = furnished.console.signed_in("operator").await;
    let page = text(&operator, &format!("/cases/{}", cases.late)).await;
    let story: Vec<Recorded> = all(&furnished.console)
        .into_iter()
        .filter(|it| page.contains(&it.hash.to_string()))
        .collect();
    assert!(story.len() > 5, "every event's whole hash: {}", story.len());
    for it in &story {
        let (hash, position) = (it.hash.to_string(), it.position.0);
        assert!(page.contains(&format!(">{}…<", &hash[..10])), "its beginning in sight");
        assert!(page.contains(&format!("id=\"e{position}\"")), "a place to point at");
    }
    assert!(page.contains("受理超期：期限内枢纽未把办件发出，时间耗在枢纽。"), "{page}");
    let missed = story
        .iter()
        .find(|it| matches!(&it.envelope.event, Event::Case(CaseEvent::AcceptanceOverdue(_))));
    assert!(page.contains(&format!("href=\"#e{}\"", missed.unwrap().position.0)));
    let english = text(&operator, &format!("/cases/{}?lang=en", cases.late)).await;
    assert!(english.contains("the time went to the hub"));
    let decided = text(&operator, &format!("/cases/{}?lang=zh", cases.decided)).await;
    assert!(!decided.contains("时间耗在枢纽"), "one that is on time gives no reason");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hotline_reads_out_what_to_do_and_files_what_came_through_either_channel() {
    let mut furnished = Furnished::open().await;
    let cases = furnished.say("13800138000", 22).await;
    furnished.seen().await;
    let hotline = furnished.console.signed_in("hotline").await;
    let mark = hotline.mark().await;
    let form = [("mark", mark.as_str()), ("sought", "13800138000%23IDENTITY%23")];
    let page = hotline.post("/find", &form).await.text().await.unwrap();
    assert!(page.contains(&format!("/cases/{}#complain", cases.late)), "{page}");
    assert!(page.contains("已过期限：登记投诉") && page.contains("可申领电子证照"), "{page}");
    assert!(text(&hotline, &format!("/cases/{}", cases.late)).await.contains("id=\"complain\""));
    let path = format!("/cases/{}/deed", cases.late);
    let filed = |channel: &'static str, reference: &'static str| {
        let deed = [("mark", mark.as_str()), ("deed", "complain")];
        [&deed[..], &[("reference", reference), ("channel", channel)]].concat()
    };
    let before = furnished.console.hub.events();
    assert_eq!(hotline.post(&path, &filed("rumour", "T-1")).await.status(), 422);
    assert_eq!(furnished.console.hub.events(), before);
    assert_eq!(hotline.post(&path, &filed("司机有话说", "T-2")).await.status(), 303);
    let last = all(&furnished.console).pop().unwrap().envelope.event;
    let Event::Case(CaseEvent::ComplaintFiled(it)) = last else { panic!("{last:?}") };
    assert_eq!((it.reference.as_str(), it.channel.as_str()), ("T-2", "司机有话说"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_note_stands_in_the_story_in_its_writers_name_and_is_nothing_personal() {
    let mut furnished = Furnished::open().await;
    let cases = furnished.say("说明", 22).await;
    furnished.seen().await;
    let path = format!("/cases/{}/deed", cases.decided);
    for (role, status) in [("hotline", 303), ("operator", 303), ("auditor", 403), ("province", 403)]
    {
        let browser = furnished.console.signed_in(role).await;
        let mark = browser.mark().await;
        let form = |note: &'static str| [("mark", mark.as_str()), ("deed", "note"), ("note", note)];
        let before = furnished.console.hub.events();
        for wrong in ["", "11010519491231002X", "a%0Ab"] {
            let answer = browser.post(&path, &form(wrong)).await.status().as_u16();
            assert!([403, 422].contains(&answer), "{role} {wrong}: {answer}");
        }
        for _twice in 0..2 {
            assert_eq!(browser.post(&path, &form("called")).await.status(), status, "{role}");
        }
        let recorded = furnished.console.hub.events() - before;
        assert_eq!(recorded, u64::from(status == 303), "{role}: once, or not at all");
        if status == 303 {
            let last = all(&furnished.console).pop().unwrap().envelope;
            let Event::Case(CaseEvent::CaseNoted(it)) = last.event else { panic!("{last:?}") };
            assert_eq!((it.operator.as_str(), it.note.as_str()), (role, "called"));
        }
    }
    let operator = furnished.console.signed_in("operator").await;
    let page = text(&operator, &format!("/cases/{}", cases.decided)).await;
    assert!(page.contains("hotline记：called") && page.contains("operator记：called"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_explained_whole_however_many_pages_it_has() {
    const MANY: usize = 205;
    let mut furnished = Furnished::open().await;
    let mut cases = Vec::new();
    for _ in 0..MANY {
        cases.push(furnished.submitted(&|field: &str| field.to_owned()).await.0);
    }
    furnished.clock("2026-02-25T01:30:00Z");
    let today = furnished.console.hub.clock.today();
    for case in cases {
        furnished.case(case, Command::ObserveDate(today)).await;
    }
    furnished.seen().await;
    let operator = furnished.console.signed_in("operator").await;
    let mark = operator.mark().await;
    let form = [
        ("mark", mark.as_str()),
        ("deed", "explain"),
        ("kind", "acceptance-overdue"),
        ("province", "22"),
        ("note", "called"),
    ];
    assert_eq!(operator.post("/alerts", &form).await.status(), 303);
    let explained = all(&furnished.console)
        .into_iter()
        .filter(|it| matches!(&it.envelope.event, Event::Case(CaseEvent::BreachExplained(_))));
    assert_eq!(explained.count(), MANY);
    let page = text(&operator, "/alerts").await;
    assert!(!page.contains("href=\"/parked\" class"), "nothing is parked here");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_about_what_is_parked_leads_to_where_it_is_let_in_again() {
    let mut furnished = Furnished::open().await;
    furnished.say("说明", 22).await;
    furnished.seen().await;
    for (role, leads) in [("operator", true), ("auditor", true), ("hotline", false)] {
        let browser = furnished.console.signed_in(role).await;
        let page = text(&browser, "/alerts").await;
        assert_eq!(page.contains("<a href=\"/parked\" class=\"no-print\">"), leads, "{role}");
    }
}
