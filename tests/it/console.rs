//! The console's door: who is let in, what each role sees of each page, and what a form of somebody else's is worth.

use hub::accounts::{Account, Role};
use hub::web::console::{May, PAGES};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use tests::broker::wait_for;
use tests::http::{HttpHub, submission};

pub(crate) const PASSWORD: &str = "a-long-enough-one";

/// Every role with an account of its name, and the guest.
const ROLES: [(&str, May); 6] = [
    ("guest", May::GUEST),
    ("operator", May::OPERATOR),
    ("hotline", May::HOTLINE),
    ("province", May::PROVINCE),
    ("auditor", May::AUDITOR),
    ("admin", May::ADMIN),
];

pub(crate) struct Console {
    pub(crate) hub: HttpHub,
}

/// A browser: keeps its cookie, follows nothing by itself.
pub(crate) struct Browser {
    pub(crate) http: Client,
    pub(crate) base: String,
    pub(crate) cookie: Option<String>,
}

impl Console {
    pub(crate) async fn open() -> Self {
        let hub = HttpHub::start().await;
        for (name, _) in &ROLES[1..] {
            let province = (*name == "province").then(|| "22".parse().unwrap());
            let account = Account {
                name: (*name).to_owned(),
                display: (*name).to_owned(),
                role: Role::of(name, province).unwrap(),
                disabled: false,
                must_change: false,
            };
            let at = "2026-02-01T00:00:00Z".parse().unwrap();
            hub.accounts.put(&account, Some(PASSWORD), at).unwrap();
        }
        Self { hub }
    }

    pub(crate) fn browser(&self) -> Browser {
        let http = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        Browser { http, base: format!("http://{}", self.hub.address), cookie: None }
    }

    pub(crate) async fn signed_in(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        if name != "guest" {
            let answer = browser.sign_in(name, PASSWORD).await;
            assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{name}");
        }
        browser
    }
}

impl Browser {
    pub(crate) async fn get(&self, path: &str) -> Response {
        self.send(self.http.get(format!("{}{path}", self.base))).await
    }

    pub(crate) async fn post(&self, path: &str, form: &[(&str, &str)]) -> Response {
        let body: Vec<String> = form.iter().map(|it| format!("{}={}", it.0, it.1)).collect();
        let request = self.http.post(format!("{}{path}", self.base)).body(body.join("&"));
        self.send(request.header("content-type", "application/x-www-form-urlencoded")).await
    }

    async fn send(&self, mut request: reqwest::RequestBuilder) -> Response {
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        request.send().await.unwrap()
    }

    pub(crate) async fn sign_in(&mut self, name: &str, password: &str) -> Response {
        let answer = self.post("/sign-in", &[("name", name), ("password", password)]).await;
        if let Some(set) = answer.headers().get("set-cookie") {
            let set = set.to_str().unwrap();
            assert!(set.contains("HttpOnly") && set.contains("SameSite=Strict"), "{set}");
            self.cookie = Some(set.split(';').next().unwrap().to_owned());
        }
        answer
    }

    /// What the forms of this session carry.
    pub(crate) async fn mark(&self) -> String {
        let page = self.get("/account").await.text().await.unwrap();
        let rest = page.split("name=\"mark\" value=\"").nth(1).unwrap();
        rest.split('"').next().unwrap().to_owned()
    }
}

/// The page, once it has this: one that does not wait for the month's figures shows them when it looks again.
pub(crate) async fn text_that_has(browser: &Browser, path: &str, part: &str) -> String {
    wait_for(part, async || {
        let page = browser.get(path).await.text().await.ok()?;
        page.contains(part).then_some(page)
    })
    .await
}

/// Whoever may sees it; a guest is led to the door; anybody else is told no.
#[tokio::test(flavor = "multi_thread")]
async fn every_page_shows_itself_to_whom_the_table_says_and_to_nobody_else() {
    let console = Console::open().await;
    let first = console.hub.submit("key-00001", submission(1).to_string()).send().await.unwrap();
    let receipt: Value = first.json().await.unwrap();
    let number = receipt["case_number"].as_str().unwrap().to_owned();
    let path = format!("/v1/cases/{number}");
    console.hub.wait_for(&path, "ysfw", |it| it["case_number"] == *number).await;
    crate::parked::keep(&console, 22, b"{}");
    for (name, role) in ROLES {
        let browser = console.signed_in(name).await;
        for page in PAGES.iter().filter(|it| it.method == "get" && it.path != "/live") {
            let path = page.path.replace("{case}", &number).replace("{province}", "22");
            let path = path.replace("{number}", "1");
            let status = browser.get(&path).await.status().as_u16();
            let expected: &[u16] = match (page.may.has(role), role) {
                (true, _) => &[200, 303],
                (false, May::GUEST) => &[303],
                (false, _) => &[403],
            };
            assert!(expected.contains(&status), "{name} on {path}: {status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_province_sees_its_own_cases_and_of_others_not_even_that_they_exist() {
    let console = Console::open().await;
    let mut elsewhere = submission(2);
    elsewhere["authority"] = serde_json::json!({"name": "广东省交通运输厅", "division": "440100"});
    let mut numbers = Vec::new();
    for (key, body) in [("key-00001", submission(1)), ("key-00002", elsewhere)] {
        let answer = console.hub.submit(key, body.to_string()).send().await.unwrap();
        let receipt: Value = answer.json().await.unwrap();
        let number = receipt["case_number"].as_str().unwrap_or_else(|| panic!("{receipt}"));
        let path = format!("/v1/cases/{number}");
        console.hub.wait_for(&path, "ysfw", |it| it["case_number"] == *number).await;
        numbers.push(number.to_owned());
    }
    let browser = console.signed_in("province").await;
    let own = browser.get(&format!("/cases/{}", numbers[0])).await;
    assert_eq!(own.status(), 200);
    let other = browser.get(&format!("/cases/{}", numbers[1])).await;
    assert_eq!(other.status(), 404);
    assert!(!other.text().await.unwrap().contains("广东"));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_are_counted_and_every_sign_in_is_on_record() {
    let console = Console::open().await;
    let before = console.hub.events();
    let mut browser = console.browser();
    assert_eq!(browser.sign_in("operator", PASSWORD).await.status(), 303);
    assert_eq!(console.hub.events(), before + 1);
    let mut stranger = console.browser();
    for _ in 0..5 {
        let answer = stranger.sign_in("operator", "wrong-wrong-wrong").await;
        assert!(answer.text().await.unwrap().contains("用户名或密码不符"));
    }
    let locked = stranger.sign_in("operator", PASSWORD).await;
    assert!(locked.text().await.unwrap().contains("失败次数过多"));
    assert!(stranger.cookie.is_none());
    // Whoever is in stays in.
    assert_eq!(browser.get("/account").await.status(), 200);
    assert_eq!(console.hub.events(), before + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_from_elsewhere_or_from_another_session_changes_nothing() {
    let console = Console::open().await;
    let admin = console.signed_in("admin").await;
    let mark = admin.mark().await;
    let other = console.signed_in("admin").await.mark().await;
    let before = console.hub.events();
    let form = |mark| {
        let role = [("role", "auditor"), ("fresh", "yes")];
        vec![("mark", mark), ("name", "new-one"), ("display", "x"), role[0], role[1]]
    };
    for wrong in ["", "AAAA", other.as_str()] {
        let put = form(wrong);
        assert_eq!(admin.post("/people", &put).await.status(), 403, "{wrong}");
    }
    let put = form(mark.as_str());
    let body: Vec<String> = put.iter().map(|it| format!("{}={}", it.0, it.1)).collect();
    let foreign = admin.http.post(format!("{}/people", admin.base)).body(body.join("&"));
    let foreign = foreign.header("content-type", "application/x-www-form-urlencoded");
    for (name, value) in [("origin", "https://elsewhere.example"), ("sec-fetch-site", "cross-site")]
    {
        let request = foreign.try_clone().unwrap().header(name, value);
        assert_eq!(admin.send(request).await.status(), 403, "{name}");
    }
    assert_eq!(console.hub.events(), before);
    let page = admin.post("/people", &put).await.text().await.unwrap();
    let password = page.split("<code class=\"mono\">").nth(1).unwrap().split('<').next().unwrap();
    assert_eq!(console.hub.events(), before + 1);
    // The new one is led to change it and sees nothing else before.
    let mut fresh = console.browser();
    let answer = fresh.sign_in("new-one", password).await;
    assert_eq!(answer.headers()["location"], "/account");
    assert_eq!(fresh.get("/").await.headers()["location"], "/account");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_sent_to_another_site_after_signing_in() {
    let console = Console::open().await;
    for next in ["https://elsewhere.example", "//elsewhere.example", "/\\elsewhere.example"] {
        let browser = console.browser();
        let form = [("name", "operator"), ("password", PASSWORD), ("next", next)];
        let answer = browser.post("/sign-in", &form).await;
        assert_eq!(answer.headers()["location"], "/", "{next}");
    }
}

/// One case of Jilin's in the console's hub, and its number.
async fn with_a_case() -> (Console, String) {
    let console = Console::open().await;
    let first = console.hub.submit("key-00001", submission(1).to_string()).send().await.unwrap();
    let receipt: Value = first.json().await.unwrap();
    let number = receipt["case_number"].as_str().unwrap().to_owned();
    let path = format!("/v1/cases/{number}");
    console.hub.wait_for(&path, "ysfw", |it| it["case_number"] == *number).await;
    (console, number)
}

fn last_event(console: &Console) -> String {
    let all = console
        .hub
        .readers
        .read(|log| log.read_all(events::envelope::Position(0), 100_000))
        .unwrap();
    all.last().unwrap().envelope.event.kind().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_is_masked_until_somebody_says_why_and_that_is_on_record_first() {
    let (console, number) = with_a_case().await;
    let (name, identity) = ("古丽", tests::http::identity_number(1));
    for (role, masked) in [("operator", true), ("hotline", true), ("auditor", false)] {
        let browser = console.signed_in(role).await;
        let page = browser.get(&format!("/cases/{number}")).await.text().await.unwrap();
        assert!(!page.contains(name) && !page.contains(&identity), "{role}");
        assert_eq!(page.contains("古*"), masked, "{role}");
    }
    let browser = console.signed_in("hotline").await;
    let mark = browser.mark().await;
    let path = format!("/cases/{number}/reveal");
    let before = console.hub.events();
    let ask = |purpose, ticket| [("mark", mark.as_str()), ("purpose", purpose), ("ticket", ticket)];
    for wrong in [ask("curiosity", "T-1"), ask("complaint", "")] {
        let answer = browser.post(&path, &wrong).await;
        assert_eq!(answer.status(), 422);
        assert!(!answer.text().await.unwrap().contains(name));
    }
    assert_eq!(console.hub.events(), before);
    let page = browser.post(&path, &ask("complaint", "T-1")).await.text().await.unwrap();
    assert!(page.contains(name) && page.contains(&identity));
    assert_eq!(last_event(&console), "keeping.personal-data-read.v1");
    let auditor = console.signed_in("auditor").await;
    let mark = auditor.mark().await;
    let form = [("mark", mark.as_str()), ("purpose", "complaint"), ("ticket", "T-2")];
    assert_eq!(auditor.post(&path, &form).await.status(), 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn looking_somebody_up_is_recorded_without_the_number_and_finds_the_case() {
    let (console, number) = with_a_case().await;
    let browser = console.signed_in("hotline").await;
    let mark = browser.mark().await;
    let identity = tests::http::identity_number(1);
    for (sought, found) in [
        (identity.as_str(), true),
        ("2201000012345678", true),
        ("YSFW-2026-000123", true),
        ("ysfw-2026-000123", true),
        ("YSFW-2026-00012", false),
        ("999", false),
    ] {
        let form = [("mark", mark.as_str()), ("sought", sought)];
        let page = browser.post("/find", &form).await.text().await.unwrap();
        assert_eq!(page.contains(&number), found, "{sought}");
        assert_eq!(last_event(&console), "keeping.operator-acted.v1");
    }
    let direct = [("mark", mark.as_str()), ("sought", number.as_str())];
    let answer = browser.post("/find", &direct).await;
    assert_eq!(answer.headers()["location"].to_str().unwrap(), format!("/cases/{number}"));
    let all = console
        .hub
        .readers
        .read(|log| log.read_all(events::envelope::Position(0), 100_000))
        .unwrap();
    for it in &all {
        let body = String::from_utf8_lossy(&it.body);
        assert!(!body.contains(&identity), "{}", it.envelope.event.kind());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn deeds_are_events_in_the_name_of_whoever_did_them_and_others_may_not() {
    let (console, number) = with_a_case().await;
    let table = [
        ("operator", "park", 303, "case.parked.v1"),
        ("hotline", "release", 403, "case.parked.v1"),
        ("operator", "release", 303, "case.released.v1"),
        ("hotline", "complain", 303, "case.complaint-filed.v1"),
        ("hotline", "answer", 303, "case.complaint-answered.v1"),
        ("operator", "explain", 409, "case.complaint-answered.v1"),
    ];
    for (role, deed, status, kind) in table {
        let browser = console.signed_in(role).await;
        let mark = browser.mark().await;
        let before = console.hub.events();
        let form = [
            ("mark", mark.as_str()),
            ("deed", deed),
            ("note", "checked"),
            ("reference", "T-2026-1"),
            ("stage", "acceptance"),
        ];
        let answer = browser.post(&format!("/cases/{number}/deed"), &form).await;
        assert_eq!(answer.status().as_u16(), status, "{role} {deed}");
        let all = console
            .hub
            .readers
            .read(|log| log.read_all(events::envelope::Position(0), 100_000))
            .unwrap();
        if status == 303 {
            assert_eq!(all.last().unwrap().envelope.event.kind(), kind, "{role} {deed}");
            let actor = format!("{:?}", all.last().unwrap().envelope.actor);
            assert!(actor.contains(role), "{actor}");
        } else {
            assert_eq!(console.hub.events(), before, "{role} {deed}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_filter_by_their_address_and_leave_as_a_table() {
    let (console, number) = with_a_case().await;
    let browser = console.signed_in("operator").await;
    for (path, there) in [
        ("/cases", true),
        ("/cases?only=open&province=22&item=renewal&order=newest", true),
        ("/cases?province=44", false),
        ("/cases?only=overdue", false),
        ("/cases.csv?province=22", true),
        ("/provinces/22", true),
    ] {
        let page = browser.get(path).await.text().await.unwrap();
        assert_eq!(page.contains(&number), there, "{path}");
    }
    for path in ["/cases?only=x", "/cases?after=x", "/cases?province=99", "/alerts?kind=x"] {
        assert_eq!(browser.get(path).await.status(), 400, "{path}");
    }
    console.hub.clock.advance_to("2026-02-25T01:30:00Z".parse().unwrap());
    let page = browser.get("/alerts").await;
    assert_eq!(page.status(), 200);
}
