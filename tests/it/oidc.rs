//! Signing in through a real OpenID provider: who is let in as what, and every way in which nobody is.

use std::collections::BTreeMap;

use events::envelope::Event;
use events::ids::StreamName;
use events::keeping::KeepingEvent;
use hub::accounts::{Account, Role};
use hub::clock::Clock;
use hub::oidc::{OidcSettings, Provider};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde_json::json;
use tests::http::HttpHub;
use tests::openid::{CLIENT, OpenId, REDIRECT, Somebody, Twist};

/// The secret's file lives as long as the stage.
struct Stage {
    hub: HttpHub,
    openid: OpenId,
    _folder: tempfile::TempDir,
}

/// A browser: keeps its cookies, follows nothing by itself.
struct Browser {
    http: Client,
    base: String,
    cookies: BTreeMap<String, String>,
}

fn provider(issuer: &str, secret: &str) -> (Provider, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("oidc.secret");
    std::fs::write(&file, format!("{secret}\n")).unwrap();
    let settings: OidcSettings = serde_json::from_value(json!({
        "issuer": issuer, "client_id": CLIENT.0, "client_secret_file": file,
        "redirect_url": REDIRECT, "label": "部级统一认证",
        "roles": {"watchers": "operator", "admins": "admin", "jilin": "province:22"},
    }))
    .unwrap();
    assert!(settings.problems(true).is_empty());
    (Provider::start(&settings).unwrap(), folder)
}

impl Stage {
    async fn open() -> Self {
        Self::with_secret(CLIENT.1).await
    }

    async fn with_secret(secret: &str) -> Self {
        let openid = OpenId::start().await;
        let (provider, folder) = provider(&openid.issuer, secret);
        Self { hub: HttpHub::start_beside(provider).await, openid, _folder: folder }
    }

    fn browser(&self) -> Browser {
        let http = Client::builder().no_proxy().redirect(Policy::none()).build().unwrap();
        let base = format!("http://{}", self.hub.address);
        Browser { http, base, cookies: BTreeMap::new() }
    }

    /// Out to the provider and back.
    async fn comes(&self, somebody: &Somebody) -> (Browser, Response) {
        let mut browser = self.browser();
        let page = browser.goes_out("/alerts").await;
        let query = self.openid.authorize(&page, somebody);
        let answer = browser.get(&format!("/sign-in/oidc/callback?{query}")).await;
        (browser, answer)
    }

    /// What is on record of people: who did what, to whom.
    fn deeds(&self) -> Vec<(String, String, String)> {
        let story = self.hub.readers.read(|log| log.read_stream(&StreamName::Keeping)).unwrap();
        let deed = |it: &events::envelope::Recorded| match &it.envelope.event {
            Event::Keeping(KeepingEvent::OperatorActed(it)) => {
                Some((it.operator.clone(), it.action.clone(), it.target.clone()))
            }
            _ => None,
        };
        story.iter().filter_map(deed).collect()
    }
}

impl Browser {
    async fn get(&mut self, path: &str) -> Response {
        let cookies: Vec<String> =
            self.cookies.iter().map(|it| format!("{}={}", it.0, it.1)).collect();
        let request = self.http.get(format!("{}{path}", self.base));
        let answer = request.header("cookie", cookies.join("; ")).send().await.unwrap();
        for set in answer.headers().get_all("set-cookie") {
            let set = set.to_str().unwrap();
            assert!(set.contains("HttpOnly"), "{set}");
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            if set.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Begins; the address of the provider's page.
    async fn goes_out(&mut self, next: &str) -> String {
        let answer = self.get(&format!("/sign-in/oidc?next={next}")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        let set = answer.headers()["set-cookie"].to_str().unwrap();
        assert!(set.contains("SameSite=Lax") && set.contains("Path=/sign-in/oidc"), "{set}");
        answer.headers()["location"].to_str().unwrap().to_owned()
    }

    fn has_session(&self) -> bool {
        self.cookies.contains_key("hub_session")
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_whom_the_provider_knows_is_let_in_as_the_configuration_says() {
    let stage = Stage::open().await;
    let mut li_si = Somebody::new("subject-1", "Li-Si", "watchers");
    let (mut browser, answer) = stage.comes(&li_si).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["refresh"], "0; url=/alerts");
    let page = browser.get("/alerts").await;
    assert_eq!(page.status(), StatusCode::OK);
    assert!(page.text().await.unwrap().contains("李四"), "as the provider calls them");
    let account = stage.hub.accounts.find("sso-li-si").unwrap().expect("an account");
    assert_eq!(account.role, Role::Operator);
    let text = |it: &str| it.to_owned();
    let first = [
        (
            text("sso-li-si"),
            text("account-put"),
            text("account sso-li-si as operator, by OpenID Connect"),
        ),
        (text("sso-li-si"), text("sign-in"), text("console as operator, by OpenID Connect")),
    ];
    assert_eq!(stage.deeds(), first);

    // Again: the same account, and nothing about it to record.
    let (_second, answer) = stage.comes(&li_si).await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(stage.deeds().len(), 3);
    assert_eq!(browser.get("/alerts").await.status(), StatusCode::OK, "both sessions live");

    // Another role: what the provider says now counts, and older sessions end.
    li_si.roles = json!(["jilin", "something else"]);
    let (mut third, _) = stage.comes(&li_si).await;
    let account = stage.hub.accounts.find("sso-li-si").unwrap().unwrap();
    assert_eq!(account.role, Role::Province("22".parse().unwrap()));
    assert_eq!(browser.get("/alerts").await.status(), StatusCode::SEE_OTHER, "to the door");
    assert_eq!(third.get("/find").await.status(), StatusCode::FORBIDDEN, "a province may not");

    // Out again, as anybody.
    let mark = third.get("/account").await.text().await.unwrap();
    let mark = mark.split("name=\"mark\" value=\"").nth(1).unwrap();
    let mark = mark.split('"').next().unwrap();
    let session = format!("hub_session={}", third.cookies["hub_session"]);
    let leave = third.http.post(format!("{}/sign-out", third.base)).header("cookie", session);
    let left = leave.header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(left.body(format!("mark={mark}")).send().await.unwrap().status(), 303);
    assert_eq!(third.get("/alerts").await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_token_that_is_not_as_it_should_be_is_refused_by_name() {
    let stage = Stage::open().await;
    for (twist, code) in [
        (Twist::Nonce, "oidc-nonce"),
        (Twist::Audience, "oidc-audience"),
        (Twist::TwoAudiences, "oidc-audience"),
        (Twist::Issuer, "oidc-issuer"),
        (Twist::Expired, "oidc-expired"),
        (Twist::FromTheFuture, "oidc-expired"),
        (Twist::Unsigned, "oidc-signature"),
        (Twist::ForeignKey, "oidc-signature"),
        (Twist::Changed, "oidc-signature"),
        (Twist::Missing, "oidc-token"),
    ] {
        let somebody = Somebody { twist, ..Somebody::new("subject-1", "li-si", "watchers") };
        let (browser, answer) = stage.comes(&somebody).await;
        assert!(answer.status().is_client_error(), "{twist:?}: {}", answer.status());
        let page = answer.text().await.unwrap();
        assert!(page.contains(&format!(">{code}<")), "{twist:?} is no {code}: {page}");
        assert!(!browser.has_session(), "{twist:?}");
    }
    assert_eq!(stage.hub.accounts.find("sso-li-si").unwrap(), None);
    assert_eq!(stage.deeds(), [], "nobody was let in");
    // Clocks may differ by a minute.
    let late = Twist::JustExpired;
    let somebody = Somebody { twist: late, ..Somebody::new("subject-1", "li-si", "watchers") };
    assert_eq!(stage.comes(&somebody).await.1.status(), StatusCode::OK);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_back_counts_once_and_in_the_browser_that_went_out() {
    let stage = Stage::open().await;
    let li_si = Somebody::new("subject-1", "li-si", "watchers");
    let refused = async |browser: &mut Browser, query: &str, code: &str| {
        let answer = browser.get(&format!("/sign-in/oidc/callback?{query}")).await;
        let page = answer.text().await.unwrap();
        assert!(page.contains(&format!(">{code}<")), "{query}: no {code}: {page}");
    };
    // Replayed: the state counts once.
    let mut browser = stage.browser();
    let page = browser.goes_out("/").await;
    let query = stage.openid.authorize(&page, &li_si);
    let attempt = browser.cookies.clone();
    assert_eq!(browser.get(&format!("/sign-in/oidc/callback?{query}")).await.status(), 200);
    let mut again = Browser { cookies: attempt, ..stage.browser() };
    refused(&mut again, &query, "oidc-state").await;
    assert!(!again.has_session());
    // A link that somebody sends: another browser, and then nobody can use it any more.
    let mut victim = stage.browser();
    let mut attacker = stage.browser();
    let page = attacker.goes_out("/").await;
    let query = stage.openid.authorize(&page, &li_si);
    refused(&mut victim, &query, "oidc-state").await;
    refused(&mut attacker, &query, "oidc-state").await;
    // Nothing, something invented, the provider's own no, another issuer.
    refused(&mut stage.browser(), "", "oidc-state").await;
    refused(&mut stage.browser(), "code=x&state=invented", "oidc-state").await;
    for (more, code) in [
        ("error=access_denied", "oidc-refused"),
        ("code=invented", "oidc-refused"),
        ("code=x&iss=https%3A%2F%2Felsewhere.example", "oidc-issuer"),
    ] {
        let mut browser = stage.browser();
        let page = browser.goes_out("/").await;
        let query = stage.openid.authorize(&page, &li_si);
        let state = query.split("state=").nth(1).unwrap();
        refused(&mut browser, &format!("{more}&state={state}"), code).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_or_role_that_means_nothing_here_lets_nobody_in_and_takes_nothing_over() {
    let stage = Stage::open().await;
    let at = Clock::real_now();
    let local = |name: &str, disabled: bool| Account {
        name: name.to_owned(),
        display: name.to_owned(),
        role: Role::Admin,
        disabled,
        must_change: false,
    };
    // A local administrator of that name is somebody else, with or without the prefix.
    for name in ["boss", "sso-boss"] {
        stage.hub.accounts.put(&local(name, false), Some("a-long-enough-one"), at).unwrap();
    }
    let first = Somebody::new("subject-2", "wang-wu", "watchers");
    assert_eq!(stage.comes(&first).await.1.status(), StatusCode::OK);
    let heir = Somebody::new("subject-3", "wang-wu", "watchers");
    for (somebody, code) in [
        (Somebody::new("subject-4", "li-si", "emperors"), "oidc-role"),
        (Somebody::new("subject-4", "李四", "watchers"), "oidc-name"),
        (Somebody::new("subject-4", "boss", "admins"), "oidc-name-taken"),
        (heir, "oidc-name-taken"),
    ] {
        let (browser, answer) = stage.comes(&somebody).await;
        let page = answer.text().await.unwrap();
        assert!(page.contains(&format!(">{code}<")), "{somebody:?} is no {code}: {page}");
        assert!(!browser.has_session(), "{somebody:?}");
    }
    let known = stage.hub.accounts.find("sso-wang-wu").unwrap().unwrap();
    let binding = hub_binding(&stage, "subject-2");
    let disabled = Account { disabled: true, ..known };
    stage.hub.accounts.put_bound(&disabled, &binding, at).unwrap();
    let page = stage.comes(&first).await.1.text().await.unwrap();
    assert!(page.contains(">oidc-account-disabled<"), "{page}");
}

/// As the hub keeps it: issuer and subject, hashed.
fn hub_binding(stage: &Stage, subject: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let hash = Sha256::digest(format!("{}\0{subject}", stage.openid.issuer));
    hash.iter().map(|it| format!("{it:02x}")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_provider_that_is_away_or_knows_another_secret_keeps_nobody_else_out() {
    let (away, _folder) = provider("http://127.0.0.1:9", CLIENT.1);
    let hub = HttpHub::start_beside(away).await;
    let openid = OpenId::start().await;
    let stage = Stage { hub, openid, _folder };
    let mut browser = stage.browser();
    let answer = browser.get("/sign-in/oidc").await;
    assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(answer.text().await.unwrap().contains(">oidc-unreachable<"));
    let account = Account {
        name: "local".to_owned(),
        display: "local".to_owned(),
        role: Role::Operator,
        disabled: false,
        must_change: false,
    };
    stage.hub.accounts.put(&account, Some("a-long-enough-one"), Clock::real_now()).unwrap();
    let form = "name=local&password=a-long-enough-one";
    let enter = browser.http.post(format!("{}/sign-in", browser.base)).body(form);
    let enter = enter.header("content-type", "application/x-www-form-urlencoded");
    let answer = enter.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert!(answer.headers().contains_key("set-cookie"), "a local account is let in");

    let stage = Stage::with_secret("another-secret").await;
    let li_si = Somebody::new("subject-1", "li-si", "watchers");
    let page = stage.comes(&li_si).await.1.text().await.unwrap();
    assert!(page.contains(">oidc-refused<"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_button_is_there_only_where_there_is_a_provider() {
    let stage = Stage::open().await;
    let page = stage.browser().get("/sign-in?next=/alerts").await.text().await.unwrap();
    assert!(page.contains("部级统一认证") && page.contains("/sign-in/oidc?next="), "{page}");
    let hub = HttpHub::start().await;
    let alone = Stage { hub, openid: stage.openid, _folder: stage._folder };
    let page = alone.browser().get("/sign-in").await.text().await.unwrap();
    assert!(!page.contains("/sign-in/oidc"), "{page}");
    for path in ["/sign-in/oidc", "/sign-in/oidc/callback?code=a&state=b"] {
        let answer = alone.browser().get(path).await;
        assert_eq!(answer.headers()["location"], "/sign-in", "{path}");
    }
}
