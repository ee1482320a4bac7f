//! Who looks at a page, in which language and light, and the one door that lets them or not.

use std::net::IpAddr;

use axum::extract::{MatchedPath, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use events::ids::ProvinceCode;

use super::shell::Refused;
use super::{May, PAGES};
use crate::accounts::{Account, Role, Token};
use crate::clock::Clock;
use crate::listen::Peer;
use crate::problem::Problem;
use crate::web::Rooms;
use crate::words::Language;

/// The session's cookie. `__Host-` would need TLS on every machine; the hub may stand behind a gateway.
const SESSION_COOKIE: &str = "hub_session";
const LANGUAGE_COOKIE: &str = "hub_language";
const THEME_COOKIE: &str = "hub_theme";
/// How long a browser keeps the language and the light, in seconds.
const TASTE_S: u32 = 365 * 24 * 3600;
/// Longest cookie header that is looked at, in bytes.
const COOKIES_BYTES_MAX: usize = 4096;

/// What somebody is, guests included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Nobody known.
    Guest,
    /// Somebody with an account, and the session's token.
    Known(Account, Token),
}

/// Light, dark, or as the machine says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Theme {
    /// As the machine says.
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// For the page's attribute and the cookie.
    pub fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    fn of(word: &str) -> Option<Self> {
        [Self::Auto, Self::Light, Self::Dark].into_iter().find(|it| it.word() == word)
    }
}

/// What somebody sees of the hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// All provinces.
    All,
    /// One only.
    Province(ProvinceCode),
}

impl Seen {
    /// Whether something of this province may be shown.
    pub fn shows(self, province: Option<ProvinceCode>) -> bool {
        match self {
            Self::All => true,
            Self::Province(own) => province == Some(own),
        }
    }

    /// The one province, if it is one.
    pub fn province(self) -> Option<ProvinceCode> {
        match self {
            Self::All => None,
            Self::Province(own) => Some(own),
        }
    }
}

/// Whoever looks, and how. Every handler behind the door has one.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Who.
    pub who: Who,
    /// In which language.
    pub language: Language,
    /// In which light.
    pub theme: Theme,
    /// From where; for counting failed attempts.
    pub address: Option<IpAddr>,
    /// The path and query that was asked for.
    pub asked: String,
    /// The gateway in front speaks TLS to the browser.
    pub secure: bool,
    /// A form was sent: the answer is looked at once, and nothing else is fetched in its place.
    pub sent: bool,
}

impl Visitor {
    /// The set that this visitor belongs to.
    pub fn is(&self) -> May {
        match &self.who {
            Who::Guest => May::GUEST,
            Who::Known(account, _) => match account.role {
                Role::Operator => May::OPERATOR,
                Role::Hotline => May::HOTLINE,
                Role::Province(_) => May::PROVINCE,
                Role::Auditor => May::AUDITOR,
                Role::Admin => May::ADMIN,
            },
        }
    }

    /// What may be shown to this visitor.
    pub fn sees(&self) -> Seen {
        match &self.who {
            Who::Known(Account { role: Role::Province(code), .. }, _) => Seen::Province(*code),
            _ => Seen::All,
        }
    }

    /// The account, for whoever acts.
    pub fn account(&self) -> Result<&Account, Problem> {
        match &self.who {
            Who::Guest => Err(Problem::new("unauthenticated")),
            Who::Known(account, _) => Ok(account),
        }
    }

    /// What a form must carry.
    pub fn form_mark(&self) -> String {
        match &self.who {
            Who::Guest => String::new(),
            Who::Known(_, token) => token.form_mark(),
        }
    }

    pub(super) fn token(&self) -> Option<&Token> {
        match &self.who {
            Who::Guest => None,
            Who::Known(_, token) => Some(token),
        }
    }

    /// `Set-Cookie` for a session; `None` takes it away.
    pub(super) fn session_cookie(&self, token: Option<&Token>) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let text = match token {
            Some(token) => format!("{SESSION_COOKIE}={}", token.text()),
            None => format!("{SESSION_COOKIE}=; Max-Age=0"),
        };
        let text = format!("{text}; Path=/; HttpOnly; SameSite=Strict{secure}");
        HeaderValue::from_str(&text).expect("base64url fits a header")
    }
}

/// In front of every page: finds out who asks, and whether the table lets them.
pub(super) async fn door(State(rooms): State<Rooms>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let path = parts.extensions.get::<MatchedPath>().map(|it| it.as_str().to_owned());
    let method = if parts.method == Method::HEAD { Method::GET } else { parts.method.clone() };
    let row = PAGES.iter().find(|it| {
        Some(it.path) == path.as_deref() && it.method.eq_ignore_ascii_case(method.as_str())
    });
    let visitor = match whoever(&rooms, &parts).await {
        Ok(visitor) => visitor,
        Err(problem) => return problem.into_response(),
    };
    let Some(row) = row else {
        return Refused(visitor, Problem::new("method-not-allowed")).into_response();
    };
    if method == Method::POST && !from_our_page(&parts.headers) {
        return Refused(visitor, Problem::new("forbidden").detail("another site's form"))
            .into_response();
    }
    if let Some(answer) = sent_elsewhere(&rooms, &visitor, row.may, &method, row.path) {
        return answer;
    }
    let tastes = tastes(parts.uri.query());
    parts.extensions.insert(visitor);
    let mut response = next.run(Request::from_parts(parts, body)).await;
    for taste in tastes {
        response.headers_mut().append(header::SET_COOKIE, taste);
    }
    response
}

/// An answer for whoever may not pass: to the door, to a new password, or no.
fn sent_elsewhere(
    rooms: &Rooms,
    visitor: &Visitor,
    may: May,
    method: &Method,
    path: &str,
) -> Option<Response> {
    if may == May::ANYBODY {
        return None;
    }
    let Who::Known(account, _) = &visitor.who else {
        if may.has(May::GUEST) && rooms.guests {
            return None;
        }
        if path == "/live" {
            return Some(Problem::new("unauthenticated").into_response());
        }
        let back = if *method == Method::GET { visitor.asked.as_str() } else { "/" };
        return Some(Redirect::to(&format!("/sign-in?next={}", encoded(back))).into_response());
    };
    if !may.has(visitor.is()) {
        return Some(Refused(visitor.clone(), Problem::new("forbidden")).into_response());
    }
    if account.must_change && !["/account", "/sign-out", "/live"].contains(&path) {
        return Some(Redirect::to("/account").into_response());
    }
    None
}

async fn whoever(rooms: &Rooms, parts: &Parts) -> Result<Visitor, Problem> {
    let headers = &parts.headers;
    let wish = |name: &str| query_value(parts.uri.query(), name);
    let language = match wish("lang").or_else(|| cookie(headers, LANGUAGE_COOKIE)).as_deref() {
        Some("en") => Language::English,
        _ => Language::Chinese,
    };
    let theme = wish("theme").or_else(|| cookie(headers, THEME_COOKIE));
    let who = match cookie(headers, SESSION_COOKIE).and_then(|it| Token::read(&it)) {
        None => Who::Guest,
        Some(token) => {
            let (accounts, now) = (rooms.accounts.clone(), Clock::Machine.now());
            let found = tokio::task::spawn_blocking(move || {
                accounts.session(&token, now).map(|it| it.map(|account| (account, token)))
            });
            match found.await {
                Ok(Ok(Some((account, token)))) => Who::Known(account, token),
                Ok(Ok(None)) => Who::Guest,
                Ok(Err(_)) | Err(_) => return Err(Problem::new("unreadable")),
            }
        }
    };
    Ok(Visitor {
        who,
        language,
        theme: theme.and_then(|it| Theme::of(&it)).unwrap_or(Theme::Auto),
        address: parts.extensions.get::<Peer>().map(|it| it.0),
        asked: parts.uri.path_and_query().map_or_else(|| "/".into(), |it| it.as_str().into()),
        secure: headers.get("x-forwarded-proto").is_some_and(|it| it == "https"),
        sent: parts.method == Method::POST,
    })
}

/// Browsers say where a form comes from; one that says nothing has the mark in the form checked.
fn from_our_page(headers: &HeaderMap) -> bool {
    if let Some(site) = headers.get("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    match (headers.get(header::ORIGIN), headers.get(header::HOST)) {
        (None, _) => true,
        (Some(origin), Some(host)) => {
            let (Ok(origin), Ok(host)) = (origin.to_str(), host.to_str()) else { return false };
            origin.split_once("://").is_some_and(|it| it.1 == host)
        }
        (Some(_), None) => false,
    }
}

/// A language or a light that the address asks for is remembered.
fn tastes(query: Option<&str>) -> Vec<HeaderValue> {
    let asked = |name| query_value(query, name);
    let language = asked("lang").filter(|it| ["zh", "en"].contains(&it.as_str()));
    let theme = asked("theme").filter(|it| Theme::of(it).is_some());
    let keep = |name: &str, value: String| {
        let text = format!("{name}={value}; Path=/; Max-Age={TASTE_S}; SameSite=Lax");
        HeaderValue::from_str(&text).ok()
    };
    let language = language.and_then(|it| keep(LANGUAGE_COOKIE, it));
    language.into_iter().chain(theme.and_then(|it| keep(THEME_COOKIE, it))).collect()
}

pub(super) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|it| it.to_str().ok());
    all.filter(|it| it.len() <= COOKIES_BYTES_MAX)
        .flat_map(|it| it.split(';'))
        .filter_map(|it| it.trim().split_once('='))
        .find(|it| it.0 == name)
        .map(|it| it.1.to_owned())
}

fn query_value(query: Option<&str>, name: &str) -> Option<String> {
    let pairs = query?.split('&').filter_map(|it| it.split_once('='));
    pairs.rev().find(|it| it.0 == name).map(|it| it.1.to_owned())
}

/// Percent-encodes what is not plainly safe in a query.
pub(super) fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'_' | b'.' => {
                out.push(char::from(byte));
            }
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// Where to go after signing in: a path of ours, never another site.
pub(super) fn own_path(next: Option<&str>) -> &str {
    match next {
        Some(it)
            if it.starts_with('/') && !it.starts_with("//") && !it.contains(['\\', '\r', '\n']) =>
        {
            it
        }
        _ => "/",
    }
}
