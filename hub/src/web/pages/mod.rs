//! The plain status page: for whoever reaches it, without log-in and without anything personal. Chinese first.

mod case;
mod overview;
mod words;

use askama::Template;
use axum::Router;
use axum::body::Body;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use axum::http::{HeaderName, HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use jiff::Timestamp;
use serde::Deserialize;

use crate::problem::Problem;
use crate::web::Rooms;
use crate::words::Language;
use words::Words;

/// Method and path; not part of OpenAPI.
pub const ROUTES: &[(&str, &str)] = &[
    ("get", "/"),
    ("get", "/cases/{case}"),
    ("get", "/static/page.css"),
    ("get", "/static/look-again.js"),
];

/// The routes of [`ROUTES`]: to be served only where `status_page` is on.
pub fn router(rooms: Rooms) -> Router {
    let css = || async { fixed("text/css; charset=utf-8", include_str!("../static/page.css")) };
    let script = || async {
        fixed("text/javascript; charset=utf-8", include_str!("../static/look-again.js"))
    };
    Router::new()
        .route("/", get(overview::show))
        .route("/cases/{case}", get(case::show))
        .route("/static/page.css", get(css))
        .route("/static/look-again.js", get(script))
        .with_state(rooms)
}

/// Nothing from elsewhere, nothing inline.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

fn fixed(
    kind: &'static str,
    text: &'static str,
) -> ([(HeaderName, &'static str); 1], &'static str) {
    ([(header::CONTENT_TYPE, kind)], text)
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    lang: Option<String>,
}

/// The reader's language; anything unknown is Chinese.
pub(super) fn language(asked: Result<Query<Asked>, QueryRejection>) -> Language {
    match asked {
        Ok(Query(Asked { lang: Some(it) })) if it == "en" => Language::English,
        _ => Language::Chinese,
    }
}

/// A rendered page, or a problem as text.
pub(super) fn page<T: Template>(told: Result<T, Problem>) -> Response<Body> {
    let rendered = told.and_then(|it| it.render().map_err(|_| Problem::new("internal")));
    let (status, html) = match rendered {
        Ok(html) => (StatusCode::OK, html),
        Err(problem) => return problem.into_response(),
    };
    let mut response = Response::new(Body::from(html));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let html = HeaderValue::from_static("text/html; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, html);
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// The statutory zone's wall clock.
pub(super) fn shanghai(moment: Timestamp) -> String {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    moment.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// How far behind the log the page is, and what time it is told.
async fn as_of(rooms: &Rooms, words: &Words) -> Result<String, Problem> {
    let views = rooms.aside(|views| views.position()).await?.0;
    let log = rooms.readers.read_aside(|log| log.head()).await?.map_or(0, |it| it.0.0);
    let behind = log.saturating_sub(views);
    let now = shanghai(rooms.clock.now());
    Ok(format!("{now} {} · {} {views} · {} {behind}", words.zone, words.position, words.behind))
}
