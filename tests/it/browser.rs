//! The console in a real browser: the door, a case that arrives while somebody looks, filter, reveal, restart, paper.

use std::time::Duration;

use serde_json::{Value, json};
use tests::broker::{VERSIONS, wait_for};
use tests::browser::Browser;
use tests::program::joined::Joining;

/// What the people here sign in with.
const PEOPLE: [&str; 5] = ["operator", "hotline", "auditor", "admin", "province"];
/// Updates after which a page that is left open must not have grown.
const UPDATES_FIRST: u32 = 10;
const UPDATES_MORE: u32 = 25;
/// How much more a page may cost later than at first.
const GROWTH_MAX: f64 = 1.25;
/// From the commit to the screen, on a slow and busy machine. The promise is a second; the benchmark
/// measures it.
const LIVE_MAX: Duration = Duration::from_secs(60);

/// A serving hub, a broker, a province that works, somebody of each role, and a browser.
pub(crate) struct Scene {
    pub(crate) stage: Joining,
    base: String,
    passwords: Vec<(String, String)>,
    pub(crate) browser: Browser,
}

impl Scene {
    pub(crate) async fn open(test: &str) -> Option<Self> {
        let browser = Browser::start(test).await?;
        let stage = Joining::start(test, VERSIONS[0]).await?;
        let base = format!("http://{}", stage.serving.address);
        let mut passwords = Vec::new();
        for name in PEOPLE {
            let mut body = json!({"name": name, "display": name, "role": name, "must_change": false,
                "fresh_password": true});
            if name == "province" {
                body["province"] = json!("22");
            }
            let (status, put) = stage.serving.order("/v1/admin/accounts", &body).await;
            assert_eq!(status, 201, "{put}");
            let password = put["password"].as_str().expect("a password").to_owned();
            passwords.push((name.to_owned(), password));
        }
        Some(Self { stage, base, passwords, browser })
    }

    pub(crate) async fn sign_in(&self, name: &str) {
        let found = self.passwords.iter().find(|it| it.0 == name).expect("an account");
        self.browser.page.delete_all_cookies().await.expect("a new visitor");
        self.browser.sign_in(&self.base, name, &found.1).await;
    }

    pub(crate) async fn at(&self, path: &str) {
        self.browser.open(&format!("{}{path}", self.base)).await;
    }

    /// Opens what holds this.
    async fn unfold(&self, css: &str) {
        self.browser.click(&format!("details:has({css}) > summary")).await;
    }

    async fn received(&self) -> u64 {
        let value = self.browser.text(".figure .value").await;
        value.replace(',', "").trim().parse().unwrap_or_else(|_| panic!("a figure: {value}"))
    }

    /// Waits until the first figure of the overview is this.
    async fn shows_received(&self, count: u64) {
        let what = format!("{count} received");
        let shown = wait_for(&what, async || {
            let script = "return document.querySelector('.figure .value')?.textContent";
            (self.browser.value(script).await == json!(count.to_string())).then_some(())
        });
        tokio::time::timeout(LIVE_MAX * 3, shown).await.expect("the page is live");
    }
}

fn number(receipt: &Value) -> String {
    receipt["case_number"].as_str().expect("a number").to_owned()
}

#[tokio::test]
async fn somebody_signs_in_sees_a_case_arrive_and_the_page_outlives_the_hub() {
    let Some(mut scene) = Scene::open("signing in and watching").await else { return };
    let fixed = format!("listen = \"{}\"", scene.stage.serving.address);
    let file = scene.stage.folder.at("hub.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("listen = \"127.0.0.1:0\"", &fixed)).unwrap();
    scene.at("/").await;
    scene.browser.says("登录").await; // a stranger stands at the door
    scene.sign_in("operator").await;
    scene.at("/").await;
    assert_eq!(scene.received().await, 0);
    // Should the page load itself anew, this is gone: it must only fetch what changed.
    scene.browser.value("window.sameDocument = true; return null").await;
    scene.stage.serving.submit_to(1, 22).await;
    scene.shows_received(1).await;
    assert!(scene.stage.serving.stop().await.success());
    scene.stage.serving = scene.stage.folder.serve().await;
    assert_eq!(format!("http://{}", scene.stage.serving.address), scene.base, "the same door");
    scene.stage.serving.submit_to(2, 22).await;
    scene.shows_received(2).await;
    assert_eq!(scene.browser.value("return window.sameDocument === true").await, json!(true));
}

#[tokio::test]
async fn cases_are_filtered_a_person_is_shown_on_record_and_a_case_is_parked() {
    let Some(scene) = Scene::open("filtering and revealing").await else { return };
    let jilin = number(&scene.stage.serving.submit_to(1, 22).await);
    let henan = number(&scene.stage.serving.submit_to(2, 41).await);
    scene.sign_in("operator").await;
    wait_for("both cases to be listed", async || {
        scene.at("/cases").await;
        let words = scene.browser.words().await;
        (words.contains(&jilin) && words.contains(&henan)).then_some(())
    })
    .await;
    // A page on which somebody is choosing is not drawn anew.
    scene.browser.click("select[name=province]").await;
    scene.browser.click("select[name=province] option[value='41']").await;
    scene.browser.click("form.filters button.main").await;
    wait_for("the address with the filter", async || {
        let address = scene.browser.page.address().await.ok()?;
        address.contains("province=41").then_some(())
    })
    .await;
    scene.browser.says("河南").await;
    let words = scene.browser.words().await;
    assert!(words.contains(&henan) && !words.contains(&jilin), "{words}");

    scene.at(&format!("/cases/{jilin}")).await;
    let person = tests::http::submission(1);
    let name = person["applicant"]["name"].as_str().expect("a name").to_owned();
    assert!(!scene.browser.words().await.contains(&name), "masked");
    scene.unfold("form[action$='/reveal']").await;
    scene.browser.fill("input[name=ticket]", "12328-2026-17").await;
    scene.browser.click("form[action$='/reveal'] button.main").await;
    scene.browser.says(&name).await;
    let file = scene.stage.folder.text("export.jsonl");
    scene.stage.folder.hub(&["export", &file]).await.with(0);
    let exported = std::fs::read_to_string(&file).unwrap();
    assert!(exported.contains("keeping.personal-data-read.v1"), "on record");
    assert!(!exported.contains(&name), "and nowhere in clear");

    scene.at(&format!("/cases/{henan}")).await;
    scene.unfold("form input[value=park]").await;
    scene.browser.click("form:has(input[value=park]) button").await;
    wait_for("the case to be parked", async || {
        scene.at(&format!("/cases/{henan}")).await;
        scene.browser.words().await.contains("暂停转办").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_page_that_is_left_open_does_not_grow() {
    let Some(scene) = Scene::open("a page left open").await else { return };
    scene.sign_in("operator").await;
    scene.at("/").await;
    let mut handed_in = 0;
    let mut first = None;
    for updates in [UPDATES_FIRST, UPDATES_MORE] {
        for _ in 0..updates {
            handed_in += 1;
            scene.stage.serving.submit_to(handed_in, 22).await;
            scene.shows_received(handed_in.into()).await;
        }
        let cost = scene.browser.cost().await;
        let Some(before) = first.replace(cost) else { continue };
        for (what, before, after) in [
            ("nodes", before.nodes, cost.nodes),
            ("bytes of scripts", before.heap_bytes, cost.heap_bytes),
            ("listeners", before.listeners, cost.listeners),
        ] {
            assert!(after <= before * GROWTH_MAX, "{what}: {before}, then {after}");
        }
    }
}

#[tokio::test]
async fn without_the_script_everything_is_there_and_only_stands_still() {
    let Some(scene) = Scene::open("no script").await else { return };
    let case = number(&scene.stage.serving.submit_to(1, 22).await);
    scene.browser.scripts(false).await;
    scene.sign_in("operator").await;
    scene.at("/cases").await;
    scene.browser.click("form.filters button.main").await;
    let shown = wait_for("the case", async || {
        scene.at(&format!("/cases/{case}")).await;
        let source = scene.browser.page.source().await.ok()?;
        source.contains("国办发明电").then_some(source)
    });
    assert!(shown.await.contains(&case), "with the paper that the due day rests on");
    scene.browser.scripts(true).await;
}
