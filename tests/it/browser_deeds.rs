//! What people do in a real browser and what of it stands in the log: an alert is acknowledged, a parked case is let in again, a report is printed.

use events::envelope::{Event, Position};
use events::keeping::KeepingEvent;
use serde_json::{Value, json};
use tests::broker::wait_for;
use tests::browser::Browser;
use tests::pdf::Paper;

use crate::browser::Scene;
use crate::console::{Console, PASSWORD};

/// A4 that lies, in points; Chromium rounds to hundredths.
const A4_LYING: (f64, f64) = (841.89, 595.28);
const POINTS_OFF_MAX: f64 = 1.0;

/// A hub in this process with a breach of Jilin's, and an operator who has signed in. None without Chromium.
async fn at_the_desk(test: &str) -> Option<(Console, Browser, String)> {
    let browser = Browser::start(test).await?;
    let console = Console::open().await;
    crate::reports::breach(&console, 1, "长春市交通运输局", "系统升级").await;
    let base = format!("http://{}", console.hub.address);
    browser.sign_in(&base, "operator", PASSWORD).await;
    Some((console, browser, base))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_is_acknowledged_on_the_page_and_in_the_log() {
    let Some((console, browser, base)) = at_the_desk("acknowledging").await else { return };
    let group = "/alerts?kind=acceptance-overdue&province=22";
    wait_for("the group to be listed", async || {
        browser.open(&format!("{base}/alerts")).await;
        browser.words().await.contains("吉林").then_some(())
    })
    .await;
    browser.click(&format!("td > a.no-print[href='{group}']")).await;
    browser.says("尚未处置").await;
    let note = "form:has(button[value=acknowledge]) input[name=note]";
    browser.fill(note, "已致电").await;
    looked_elsewhere(&console, &browser).await;
    browser.fill(note, "长春").await;
    let before = console.hub.events();
    browser.click("button[value=acknowledge]").await;
    browser.says("已确认 operator（已致电长春）").await;
    assert!(!browser.words().await.contains("尚未处置"));
    assert_eq!(console.hub.events(), before + 1, "one act, one event");
    let all = console.hub.readers.read(|log| log.read_all(Position(before), 10)).unwrap();
    let Event::Keeping(KeepingEvent::AlertsAcknowledged(it)) = &all[0].envelope.event else {
        panic!("{:?}", all[0])
    };
    assert_eq!((it.operator.as_str(), it.note.as_str()), ("operator", "已致电长春"));
    assert_eq!(it.scope.province, Some("22".parse().unwrap()));
}

/// The operator looks up from the form, and meanwhile a case arrives: the page would draw itself anew.
async fn looked_elsewhere(console: &Console, browser: &Browser) {
    browser.value("document.activeElement.blur(); return null").await;
    let heard = "window.heard = 0; const line = new EventSource('/live');
        line.addEventListener('look', () => { window.heard += 1; }); return null";
    browser.value(heard).await;
    let times = async |most: u64| {
        wait_for("the page to hear of it", async || {
            let heard = browser.value("return window.heard").await.as_u64()?;
            (heard >= most).then_some(())
        })
        .await;
    };
    times(1).await;
    let again = tests::http::submission(2).to_string();
    assert_eq!(console.hub.submit("key-00002", again).send().await.unwrap().status(), 201);
    times(2).await;
    let later = "setTimeout(arguments[arguments.length - 1], 3000)";
    browser.page.execute_async(later).await.expect("the time in which it would be drawn anew");
}

/// The events of this kind in an export of the hub's log.
async fn on_record(scene: &Scene, kind: &str) -> Vec<Value> {
    let file = scene.stage.folder.text("export.jsonl");
    let _ = std::fs::remove_file(&file);
    scene.stage.folder.hub(&["export", &file]).await.with(0);
    let lines = std::fs::read_to_string(file).unwrap();
    let all = lines.lines().filter_map(|it| serde_json::from_str::<Value>(it).ok());
    all.filter(|it| it.to_string().contains(kind)).collect()
}

#[tokio::test]
async fn a_parked_case_is_counted_ordered_and_let_in_again() {
    let Some(scene) = Scene::open("re-driving").await else { return };
    let receipt = scene.stage.serving.submit_to(1, 22).await;
    let case = receipt["case_id"].as_str().expect("a case").to_owned();
    let park = format!("/v1/admin/cases/{case}/park");
    wait_for("the case to be parked", async || {
        (scene.stage.serving.order(&park, &json!({})).await.0 == 201).then_some(())
    })
    .await;
    let page = &scene.browser;
    scene.sign_in("operator").await;
    let group = "a[href*='of=parked-cases']";
    wait_for("the group to be listed", async || {
        scene.at("/parked").await;
        page.page.find(group).await.ok().map(drop)
    })
    .await;
    page.click(group).await;
    page.says("预览数量").await;
    page.click("button[value=preview]").await;
    page.says("将重新处理").await;
    assert_eq!(page.text("#preview dd b").await, "1");
    assert!(on_record(&scene, "redrive-ordered").await.is_empty(), "looking changes nothing");
    page.fill("#preview input[name=note]", "对端已修复").await;
    page.click("#preview button[value=order]").await;
    page.says("1 / 1").await;
    page.says("已完成").await;
    page.says("对端已修复").await;
    scene.stage.story_has(&receipt, "case.released.v1").await;
    let ordered = on_record(&scene, "redrive-ordered").await;
    assert_eq!(ordered.len(), 1, "{ordered:?}");
    assert!(ordered[0].to_string().contains("对端已修复"), "with its reason: {ordered:?}");
    scene.at("/parked").await;
    page.says("没有暂停的办件，也没有隔离的回报").await;
}

/// Every report, and what stands on its paper.
const ON_PAPER: [(&str, &[&str]); 4] = [
    // The definition of every figure, too, which the screen keeps folded.
    (
        "/reports/figures?kind=monthly&period=2026-02",
        &["月报", "吉林省", "受理超期", "期限日结束时无记录"],
    ),
    ("/reports/figures?kind=quarterly&period=2026-Q1", &["季度评价", "吉林省", "联网可用率"]),
    ("/reports/ledger?kind=ledger&period=2026-02", &["问题台账", "系统升级"]),
    ("/reports/publicity?period=2026-02&province=22", &["宣传推广工作统计表", "培训场次"]),
];
/// What is on the screen and of no use on paper.
const OF_SCREEN: [&str; 5] = ["热线", "退出", "导出 CSV", "出具并留痕", "English"];

#[tokio::test(flavor = "multi_thread")]
async fn every_report_is_printed_on_a4_without_what_only_a_screen_needs() {
    let Some((_console, browser, base)) = at_the_desk("printing").await else { return };
    for (address, words) in ON_PAPER {
        wait_for("the report to be made", async || {
            browser.open(&format!("{base}{address}")).await;
            browser.words().await.contains("出具并留痕").then_some(())
        })
        .await;
        let shown = browser.words().await;
        for word in OF_SCREEN {
            assert!(shown.contains(word), "{address}: {word} on the screen");
        }
        let print = browser.print().await;
        let Some(paper) = Paper::read("printing", &print).await else { return };
        assert!(paper.pages > 0, "{address}");
        let off = [paper.points.0 - A4_LYING.0, paper.points.1 - A4_LYING.1];
        let fits = off.iter().all(|it| it.abs() < POINTS_OFF_MAX);
        assert!(fits, "{address}: A4, lying: {:?}", paper.points);
        for word in words.iter().chain(&["日志位置"]) {
            assert!(paper.text.contains(word), "{address}: {word}: {}", paper.text);
        }
        for word in OF_SCREEN {
            let word = word.replace(' ', "");
            assert!(!paper.text.contains(&word), "{address}: {word} on paper: {}", paper.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paper_is_light_whatever_the_screen_is() {
    let Some((_console, browser, base)) = at_the_desk("printing from the dark").await else {
        return;
    };
    let ink = "return [getComputedStyle(document.body).color,
        getComputedStyle(document.querySelector('.card')).backgroundColor]";
    let (dark, paper) = (["rgb(232, 238, 246)", "rgb(21, 31, 46)"], "rgb(255, 255, 255)");
    browser.open(&format!("{base}/reports?theme=dark")).await;
    assert_eq!(browser.value(ink).await, json!(dark), "on the screen");
    let print = json!({"media": "print"});
    browser.page.devtools("Emulation.setEmulatedMedia", &print).await.expect("print");
    assert_eq!(browser.value(ink).await, json!(["rgb(21, 32, 46)", paper]), "on paper");
}
