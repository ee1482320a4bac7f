//! The second door: out to the provider and back. What comes back is checked, recorded, and let in like anybody.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::Visitor;
use super::shell::{Refused, Shell, told};
use super::visitor::{cookie, own_path};
use super::words::words;
use crate::accounts::{AccountError, Accounts, Role, Standing, Token};
use crate::clock::Clock;
use crate::oidc::{Person, Provider, Returned};
use crate::problem::Problem;
use crate::web::Rooms;
use crate::web::acting::{record, store_failed};
use crate::words::Language;

/// Binds what comes back to the browser that went out. It comes back from another site, hence `Lax`.
const ATTEMPT_COOKIE: &str = "hub_oidc";
const ATTEMPT_PATH: &str = "/sign-in/oidc";

words! { OidcWords:
    title: "登录成功", "Signed in";
    go_on: "继续", "go on";
}

#[derive(Template)]
#[template(path = "console/go-on.html")]
struct GoOn {
    shell: Shell,
    words: &'static OidcWords,
    next: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    next: Option<String>,
}

/// Out to the provider; without one, to the door that there is.
pub(super) async fn begin(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let Some(provider) = &rooms.oidc else { return Redirect::to("/sign-in").into_response() };
    let next = asked.ok().and_then(|it| it.0.next);
    match provider.begin(own_path(next.as_deref())).await {
        Ok(begun) => {
            let seconds = provider.settings().attempt_s_max.get();
            let cookie = attempt_cookie(&visitor, &begun.browser, seconds);
            ([(header::SET_COOKIE, cookie)], Redirect::to(&begun.url)).into_response()
        }
        Err(problem) => Refused(visitor, problem).into_response(),
    }
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Given {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
    iss: Option<String>,
}

/// Back from the provider.
pub(super) async fn come_back(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    given: Result<Query<Given>, QueryRejection>,
) -> Response {
    let Some(provider) = &rooms.oidc else { return Redirect::to("/sign-in").into_response() };
    let given = given.map(|it| it.0).unwrap_or_default();
    let returned = Returned {
        browser: cookie(&headers, ATTEMPT_COOKIE),
        state: given.state,
        code: given.code,
        error: given.error,
        issuer: given.iss,
    };
    let let_in = async {
        let person = provider.finish(returned).await?;
        let token = let_in(&rooms, &person).await?;
        Ok::<_, Problem>((person, token))
    };
    match let_in.await {
        Ok((person, token)) => go_on(&rooms, &visitor, &person.next, &token).await,
        Err(problem) => {
            metrics::counter!("hub_sign_ins_refused_total").increment(1);
            Refused(visitor, problem).into_response()
        }
    }
}

/// A page of ours instead of a redirect: on a road that began at another site the browser would not show
/// the session's strict cookie yet.
async fn go_on(rooms: &Rooms, visitor: &Visitor, next: &str, token: &Token) -> Response {
    let words = OidcWords::of(visitor.language);
    let shell = Shell::of(rooms, visitor).await.map(|it| Shell { live: false, ..it });
    let page = shell.map(|shell| GoOn { shell, words, next: next.to_owned() });
    let mut response = told(visitor, page);
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, visitor.session_cookie(Some(token)));
    headers.append(header::SET_COOKIE, attempt_cookie(visitor, "", 0));
    if let Ok(refresh) = HeaderValue::from_str(&format!("0; url={next}")) {
        headers.insert(HeaderName::from_static("refresh"), refresh);
    }
    response
}

fn attempt_cookie(visitor: &Visitor, value: &str, seconds: u64) -> HeaderValue {
    let secure = if visitor.secure { "; Secure" } else { "" };
    let text = format!(
        "{ATTEMPT_COOKIE}={value}; Path={ATTEMPT_PATH}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
    );
    HeaderValue::from_str(&text).expect("base64url fits a header")
}

/// What is new about the account is on record before it counts; so is the sign-in before the session.
async fn let_in(rooms: &Rooms, person: &Person) -> Result<Token, Problem> {
    let asked = person.clone();
    let standing = aside(rooms, move |it| it.standing(&asked.account, &asked.binding)).await?;
    let account = &person.account;
    if standing != Standing::Same {
        let province = match account.role {
            Role::Province(code) => format!(" {code}"),
            _ => String::new(),
        };
        let (name, role) = (&account.name, account.role.word());
        let target = format!("account {name} as {role}{province}, by OpenID Connect");
        record(rooms, name, "account-put", target).await?;
        let asked = person.clone();
        let at = Clock::Machine.now();
        aside(rooms, move |it| it.put_bound(&asked.account, &asked.binding, at)).await?;
    }
    let target = format!("console as {}, by OpenID Connect", account.role.word());
    record(rooms, &account.name, "sign-in", target).await?;
    let (name, binding, now) = (account.name.clone(), person.binding.clone(), Clock::Machine.now());
    aside(rooms, move |it| it.begin_bound(&name, &binding, now)).await
}

async fn aside<T: Send + 'static>(
    rooms: &Rooms,
    work: impl FnOnce(&Accounts) -> Result<T, AccountError> + Send + 'static,
) -> Result<T, Problem> {
    let accounts = rooms.accounts.clone();
    match tokio::task::spawn_blocking(move || work(&accounts)).await {
        Ok(done) => done.map_err(|error| match error {
            AccountError::Taken => Problem::new("oidc-name-taken"),
            AccountError::Disabled => Problem::new("oidc-account-disabled"),
            AccountError::BadName | AccountError::BadDisplay => Problem::new("oidc-name"),
            AccountError::TooMany | AccountError::LastAdmin => {
                Problem::new("oidc-account").detail(error.to_string())
            }
            other => store_failed(&other),
        }),
        Err(_panic) => Err(Problem::new("internal")),
    }
}

/// What stands on the button.
pub(super) fn label(provider: Option<&Provider>, language: Language) -> String {
    let english = language == Language::English;
    let settings = provider.map(Provider::settings);
    let label = settings.map(|it| if english { &it.label_english } else { &it.label });
    label.cloned().unwrap_or_default()
}
