//! What is around every page: the bar, the rooms, whose page it is, how old it is; and the headers no page goes without.

use askama::Template;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::visitor::{Theme, encoded};
use super::words::{ShellWords, role};
use super::{May, PAGES, Visitor, Who};
use crate::problem::{CODES, Problem, REQUEST_ID};
use crate::web::Rooms;
use crate::words::Language;

/// Nothing from elsewhere, nothing inline; forms go to us only.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; \
     connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// The rooms in the list on the left: path, Chinese, English. Shown to whoever may see the path.
#[rustfmt::skip] // a table
const ROOMS: &[(&str, &str, &str)] = &[
    ("/",       "总览", "Overview"),
    ("/cases",  "办件", "Cases"),
    ("/provinces", "省份", "Provinces"),
    ("/alerts", "预警", "Alerts"),
    ("/parked", "异常", "Parked"),
    ("/reports", "统计", "Reports"),
    ("/find",   "热线", "Hotline"),
    ("/audit",  "审计", "Audit"),
    ("/people", "人员", "People"),
];

/// One entry of the list.
pub(super) struct Entry {
    pub(super) path: &'static str,
    pub(super) name: &'static str,
    pub(super) current: bool,
}

/// What `console/page.html` needs of every page.
pub(super) struct Shell {
    pub(super) words: &'static ShellWords,
    pub(super) theme: &'static str,
    /// `dark` or `light`, and its name: what the switch leads to. Both, while the screen's own wish counts:
    /// the style sheet then shows the one which that is not.
    pub(super) other_themes: Vec<(&'static str, &'static str)>,
    /// The address without language and theme, ending in `?` or `&`.
    pub(super) here: String,
    pub(super) entries: Vec<Entry>,
    /// Display name and role; nothing for a guest.
    pub(super) person: Option<String>,
    /// What a form must carry.
    pub(super) mark: String,
    /// Now, the log position and how far behind it the views are.
    pub(super) as_of: String,
    /// How many times faster the clock runs.
    pub(super) lapse: u32,
    /// Hides every control: for the wall.
    pub(super) wall: bool,
    /// Whether `/live` tells when to look again.
    pub(super) live: bool,
}

impl Shell {
    /// For a page of `visitor`, current as of now. The answer to a form does not look again by itself:
    /// what was counted or shown on request would be gone.
    pub(super) async fn of(rooms: &Rooms, visitor: &Visitor) -> Result<Self, Problem> {
        let views = rooms.aside(|views| views.position()).await?.0;
        let log = rooms.readers.read_aside(|log| log.head()).await?.map_or(0, |it| it.0.0);
        let words = ShellWords::of(visitor.language);
        let now = shanghai(rooms.clock.now());
        let behind = log.saturating_sub(views);
        let as_of = format!(
            "{now} {} · {} {views} · {} {behind}",
            words.zone, words.position, words.behind
        );
        let (lapse, live) = (rooms.clock.rate(), !visitor.sent);
        Ok(Self { as_of, lapse, live, ..Self::plain(visitor) })
    }

    /// The same without asking anything: for a no.
    pub(super) fn plain(visitor: &Visitor) -> Self {
        let words = ShellWords::of(visitor.language);
        let (dark, light) = (("dark", words.dark), ("light", words.light));
        let other_themes = match visitor.theme {
            Theme::Dark => vec![light],
            Theme::Light => vec![dark],
            Theme::Auto => vec![dark, light],
        };
        let path = visitor.asked.split('?').next().unwrap_or("/");
        let seen = |entry: &str| {
            PAGES
                .iter()
                .any(|it| it.path == entry && it.method == "get" && it.may.has(visitor.is()))
        };
        let english = visitor.language == Language::English;
        let entries = ROOMS.iter().filter(|it| seen(it.0)).map(|(room, zh, en)| Entry {
            path: room,
            name: if english { en } else { zh },
            current: path == *room || (*room != "/" && path.starts_with(&format!("{room}/"))),
        });
        Self {
            words,
            theme: visitor.theme.word(),
            other_themes,
            here: here(&visitor.asked),
            entries: entries.collect(),
            person: match &visitor.who {
                Who::Guest => None,
                Who::Known(it, _) => {
                    Some(format!("{} · {}", it.display, role(it.role, visitor.language)))
                }
            },
            mark: visitor.form_mark(),
            as_of: String::new(),
            lapse: 1,
            wall: false,
            live: false,
        }
    }
}

/// The address without `lang` and `theme`, ready for one more parameter.
fn here(asked: &str) -> String {
    let (path, query) = asked.split_once('?').unwrap_or((asked, ""));
    let kept: Vec<_> = query
        .split('&')
        .filter(|it| !it.is_empty() && !it.starts_with("lang=") && !it.starts_with("theme="))
        .collect();
    if kept.is_empty() { format!("{path}?") } else { format!("{path}?{}&", kept.join("&")) }
}

/// The statutory zone's wall clock.
pub(super) fn shanghai(moment: Timestamp) -> String {
    on_the_wall(moment, "%Y-%m-%d %H:%M:%S")
}

/// The same where a table has little room: month, day and minute within the year of `now`, else the day.
pub(super) fn shanghai_short(moment: Timestamp, now: Timestamp) -> String {
    let year = |it| on_the_wall(it, "%Y");
    let format = if year(moment) == year(now) { "%m-%d %H:%M" } else { "%Y-%m-%d" };
    on_the_wall(moment, format)
}

fn on_the_wall(moment: Timestamp, format: &str) -> String {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    moment.to_zoned(zone).strftime(format).to_string()
}

/// A page, or a no as a page.
pub(super) fn told<T: Template>(visitor: &Visitor, page: Result<T, Problem>) -> Response {
    told_as(StatusCode::OK, visitor, page)
}

/// The page that somebody typed into, with what they typed and what is wrong with it.
pub(super) fn to_correct<T: Template>(visitor: &Visitor, page: Result<T, Problem>) -> Response {
    told_as(StatusCode::UNPROCESSABLE_ENTITY, visitor, page)
}

fn told_as<T: Template>(
    status: StatusCode,
    visitor: &Visitor,
    page: Result<T, Problem>,
) -> Response {
    let rendered = page.and_then(|it| it.render().map_err(|_| Problem::new("internal")));
    match rendered {
        Ok(text) => html(status, text),
        Err(problem) => Refused(visitor.clone(), problem).into_response(),
    }
}

fn html(status: StatusCode, text: String) -> Response {
    let kind = HeaderValue::from_static("text/html; charset=utf-8");
    (status, [(header::CONTENT_TYPE, kind)], Body::from(text)).into_response()
}

/// A no, for somebody who looks at a page.
pub(super) struct Refused(pub(super) Visitor, pub(super) Problem);

#[derive(Template)]
#[template(path = "console/problem.html")]
struct ProblemPage {
    shell: Shell,
    said: &'static str,
    detail: String,
    code: &'static str,
    request: String,
    /// Where a guest signs in and comes back from.
    next: String,
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let Self(visitor, problem) = self;
        let row = CODES.iter().find(|it| it.0 == problem.code);
        let (zh, en) = row.map_or(("内部错误", "a fault of the hub"), |it| (it.2, it.3));
        let page = ProblemPage {
            shell: Shell::plain(&visitor),
            said: if visitor.language == Language::English { en } else { zh },
            detail: problem.detail.clone().unwrap_or_default(),
            code: problem.code,
            request: REQUEST_ID.try_with(Clone::clone).unwrap_or_default(),
            next: if visitor.is() == May::GUEST { encoded(&visitor.asked) } else { String::new() },
        };
        match page.render() {
            Ok(text) => {
                let mut response = html(problem.status(), text);
                if let Some(seconds) = problem.retry_after_s {
                    response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
                }
                response
            }
            Err(_) => problem.into_response(),
        }
    }
}

/// The headers of every answer of the console.
pub(super) async fn dress(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    let mut set = |name: header::HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::REFERRER_POLICY, "no-referrer");
    set(header::CACHE_CONTROL, "no-store");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(header::HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(header::HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(
        header::HeaderName::from_static("permissions-policy"),
        "camera=(), geolocation=(), microphone=()",
    );
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_of_this_year_is_short_and_one_of_another_keeps_its_year() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        // In Shanghai it is the year 2027 already.
        let now = at("2026-12-31T16:00:00Z");
        assert_eq!(shanghai_short(at("2026-12-31T16:00:00Z"), now), "01-01 00:00");
        assert_eq!(shanghai_short(at("2026-12-31T15:59:59Z"), now), "2026-12-31");
    }
}
