//! Who may ask what. Every route reads: who, what, ask the store, answer.

use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use events::ids::CaseId;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use subtle::ConstantTimeEq as _;
use tracing::debug;

use super::feed::{self, Taking};
use super::problem::Problem;
use super::settings::Settings;
use crate::adapter::Shared;
use crate::hops::{self, Moment};
use crate::office::desk::{Answer, Answers, Desk, OperationId};
use crate::office::news;
use crate::store::StoreError;

/// The contract, as it is published.
const OPENAPI: &str = include_str!("../../../../schemas/v1/office-api.openapi.json");
/// Behind every wake-up: how often a waiting request looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Every route, for the test that compares them with the contract.
#[cfg(test)]
pub(super) const ROUTES: &[(&str, &str)] = &[
    ("get", "/openapi.json"),
    ("get", "/v1/status"),
    ("get", "/v1/work"),
    ("get", "/v1/work/{number}"),
    ("post", "/v1/work/{number}/take"),
    ("get", "/v1/cases/{case}"),
    ("post", "/v1/cases/{case}/answers"),
    ("get", "/v1/refused-reports"),
];

/// What all handlers share.
#[derive(Clone)]
pub(super) struct Office {
    desk: Desk,
    token: Arc<str>,
    settings: Arc<Settings>,
}

impl Office {
    fn shared(&self) -> &Shared {
        &self.desk.reporter.shared
    }
}

pub(super) fn router(settings: &Settings, desk: Desk, token: String) -> Router {
    let office = Office { desk, token: token.into(), settings: Arc::new(settings.clone()) };
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/work", get(list))
        .route("/v1/work/{number}", get(one))
        .route("/v1/work/{number}/take", post(take))
        .route("/v1/cases/{case}", get(case))
        .route("/v1/cases/{case}/answers", post(answer))
        .route("/v1/refused-reports", get(refused))
        .fallback(|| async { Problem::new("not-found") })
        .method_not_allowed_fallback(|| async { Problem::new("method-not-allowed") })
        .layer(middleware::from_fn_with_state(office.clone(), authenticate))
        .route(
            "/openapi.json",
            get(|| async { ([(header::CONTENT_TYPE, "application/json")], OPENAPI) }),
        )
        .with_state(office)
}

async fn authenticate(State(office): State<Office>, request: Request, next: Next) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
    let given = given.and_then(|it| it.strip_prefix("Bearer ")).unwrap_or("").trim();
    if !bool::from(given.as_bytes().ct_eq(office.token.as_bytes())) {
        return Problem::new("unauthenticated").into_response();
    }
    let response = next.run(request).await;
    debug!(status = response.status().as_u16(), "answered the office");
    response
}

async fn status(State(office): State<Office>) -> Result<Response, Problem> {
    let shared = office.shared();
    let counts = shared.store.write(|it| {
        let count = |sql: &str| it.query_row(sql, [], |row| row.get::<_, i64>(0));
        Ok::<_, StoreError>((
            count("SELECT count(*) FROM work WHERE taken_at IS NULL")?,
            count("SELECT count(*) FROM report WHERE next_send_at IS NOT NULL")?,
            count("SELECT count(*) FROM report WHERE refusal IS NOT NULL")?,
        ))
    });
    let (work, waiting, refused) = counts.await?;
    Ok(axum::Json(json!({
        "province": shared.identity.province, "origin": shared.identity.origin,
        "connected": shared.connected.load(std::sync::atomic::Ordering::Relaxed),
        "now": shared.clock.told_now(), "work_waiting": work,
        "reports_waiting": waiting, "reports_refused": refused,
    }))
    .into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Listing {
    #[serde(default)]
    after: i64,
    limit: Option<usize>,
    #[serde(default)]
    which: Which,
    wait: Option<String>,
}

#[derive(Deserialize, Default, PartialEq, Eq, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Which {
    #[default]
    Waiting,
    All,
}

type Asked<T> = Result<Query<T>, axum::extract::rejection::QueryRejection>;

fn asked<T>(query: Asked<T>) -> Result<T, Problem> {
    query.map(|it| it.0).map_err(|it| Problem::new("bad-query").detail(it.body_text()))
}

/// `30s` or `30`: whole seconds.
fn seconds(text: &str) -> Option<Duration> {
    text.strip_suffix('s').unwrap_or(text).parse().ok().map(Duration::from_secs)
}

async fn list(State(office): State<Office>, query: Asked<Listing>) -> Result<Response, Problem> {
    let query = asked(query)?;
    let wait = match query.wait.as_deref().map(seconds) {
        None => Duration::ZERO,
        Some(Some(wait)) => wait.min(office.settings.wait_max()),
        Some(None) => {
            return Err(Problem::new("bad-query").detail("`wait` must be seconds, e.g. 30s"));
        }
    };
    let count_max =
        query.limit.unwrap_or(office.settings.page_max).clamp(1, office.settings.page_max);
    let (after, all) = (query.after, query.which == Which::All);
    let until = tokio::time::Instant::now() + wait;
    let shared = office.shared();
    loop {
        let found = shared.store.write(move |it| feed::list(it, after, all, count_max)).await?;
        if !found.is_empty() || tokio::time::Instant::now() >= until {
            let next_after = found.last().map_or(after, |it| it.number);
            let work: Vec<Value> =
                found.iter().map(|it| feed::shown(it, office.desk.codes())).collect();
            return Ok(axum::Json(json!({"work": work, "next_after": next_after})).into_response());
        }
        let look_again = until.min(tokio::time::Instant::now() + LOOK_AGAIN);
        tokio::select! {
            () = shared.work_wake.notified() => {}
            () = tokio::time::sleep_until(look_again) => {}
        }
    }
}

fn number(text: &str) -> Result<i64, Problem> {
    text.parse().map_err(|_| Problem::new("unknown-work"))
}

async fn one(State(office): State<Office>, Path(text): Path<String>) -> Result<Response, Problem> {
    let number = number(&text)?;
    let shared = office.shared();
    let kept = shared.store.write(move |it| feed::find(it, number)).await?;
    let kept = kept.ok_or_else(|| Problem::new("unknown-work"))?;
    let Some(work) = &kept.work else {
        return Err(
            Problem::new("unreadable-work").detail("this version cannot read the kept work")
        );
    };
    let opened = shared.identity.open(work);
    let personal = opened.map_err(|it| Problem::new("unreadable-work").detail(it.to_string()))?;
    let mut shown = feed::shown(&kept, office.desk.codes());
    shown["applicant"] = personal.map_or(Value::Null, |it| it.applicant);
    Ok(axum::Json(shown).into_response())
}

async fn take(State(office): State<Office>, Path(text): Path<String>) -> Result<Response, Problem> {
    let number = number(&text)?;
    let shared = office.shared();
    let (began, now) = (Moment::now(&shared.clock), shared.clock.real_now());
    match shared.store.write(move |it| feed::take(it, number, now)).await? {
        Taking::Unknown => Err(Problem::new("unknown-work")),
        Taking::EarlierWaits { number } => {
            Err(Problem::new("earlier-work-waits").detail(format!("take number {number} first")))
        }
        Taking::Taken { again } => {
            shared.forget_opened(number);
            if !again && hops::are_told() {
                let kept = shared.store.write(move |it| feed::find(it, number)).await?;
                let work = kept.and_then(|it| it.work);
                work.iter().for_each(|it| began.given(&shared.clock, it, true));
            }
            Ok(axum::Json(json!({"number": number, "again": again})).into_response())
        }
    }
}

fn case_id(text: &str) -> Result<CaseId, Problem> {
    CaseId::from_str(text).map_err(|_| Problem::new("unknown-case"))
}

async fn case(State(office): State<Office>, Path(text): Path<String>) -> Result<Response, Problem> {
    let case = case_id(&text)?;
    let found = office.shared().store.write(move |it| feed::case(it, case)).await?;
    Ok(axum::Json(found.ok_or_else(|| Problem::new("unknown-case"))?).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    #[serde(default)]
    after: i64,
    limit: Option<usize>,
}

async fn refused(State(office): State<Office>, query: Asked<Cursor>) -> Result<Response, Problem> {
    let query = asked(query)?;
    let count_max =
        query.limit.unwrap_or(office.settings.page_max).clamp(1, office.settings.page_max);
    let after = query.after;
    let rows = office.shared().store.write(move |it| feed::refused(it, after, count_max)).await?;
    let next_after = rows.last().map_or(after, |it| it.0);
    let reports: Vec<Value> = rows.into_iter().map(|it| it.1).collect();
    Ok(axum::Json(json!({"reports": reports, "next_after": next_after})).into_response())
}

async fn answer(
    State(office): State<Office>,
    Path(text): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let case = case_id(&text)?;
    let operation = operation(request.headers())?;
    let map = body(&office.settings, request).await?;
    let said = news::read(map, office.desk.codes())?;
    let Some(news) = said.news else {
        // A state of the office's own: heard, and of no concern to the hub.
        return Ok((StatusCode::OK, axum::Json(json!({"nothing_new": true}))).into_response());
    };
    let kind = news.token();
    let given = office.desk.answer(Answer {
        operation,
        case,
        answers: said.request.map_or(Answers::TakenWork, Answers::Request),
        news,
        decided_at: said.decided_at,
        text: said.text,
    });
    let given = given.await?;
    let status = if given.again { StatusCode::OK } else { StatusCode::CREATED };
    let body = json!({
        "case_id": case, "kind": kind, "report_id": given.report, "again": given.again,
    });
    Ok((status, axum::Json(body)).into_response())
}

fn operation(headers: &HeaderMap) -> Result<OperationId, Problem> {
    let mut given = headers.get_all("idempotency-key").iter();
    let (first, second) = (given.next(), given.next());
    let text = first.filter(|_| second.is_none()).and_then(|it| it.to_str().ok());
    text.and_then(OperationId::new).ok_or_else(|| {
        Problem::new("idempotency-key")
            .detail("one header Idempotency-Key with 1 to 128 visible ASCII characters, new for every answer")
    })
}

async fn body(settings: &Settings, request: Request) -> Result<Map<String, Value>, Problem> {
    let kind = request.headers().get(header::CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let kind = kind.unwrap_or("").split(';').next().unwrap_or("").trim();
    if !kind.eq_ignore_ascii_case("application/json") {
        return Err(Problem::new("unsupported-media-type"));
    }
    let limited = Limited::new(Body::new(request.into_body()), settings.body_bytes_max);
    let read = tokio::time::timeout(settings.body_read(), limited.collect()).await;
    let bytes = match read {
        Err(_late) => return Err(Problem::new("request-timeout")),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            let detail = format!("at most {} bytes", settings.body_bytes_max);
            return Err(Problem::new("too-large").detail(detail));
        }
        Ok(Err(_)) => return Err(Problem::new("not-json")),
        Ok(Ok(whole)) => whole.to_bytes(),
    };
    serde_json::from_slice(&bytes).map_err(|it| {
        Problem::new("not-json").detail(format!("line {}, column {}", it.line(), it.column()))
    })
}
