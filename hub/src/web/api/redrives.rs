//! Letting in again: look with `dry_run`, order, confirm, pause, resume, cancel; and how far each has come.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use events::ids::{ProvinceCode, RedriveId};
use events::keeping::redrive::{RedriveOf, RedriveSelection};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::admin::read;
use super::dead_letters::ItemTold;
use super::told::PageOf;
use super::{query, rows};
use crate::problem::Problem;
use crate::registrar::Answer;
use crate::views::redrives::RedriveRow;
use crate::web::Rooms;
use crate::web::again::{self, Preview, Wish};

/// An order, and how far it has come.
#[derive(Debug, Serialize)]
pub(crate) struct Redrive {
    redrive: RedriveId,
    position: u64,
    ordered_at: Timestamp,
    ordered_by: String,
    reason: String,
    selection: RedriveSelection,
    #[serde(skip_serializing_if = "Option::is_none")]
    route_to: Option<ProvinceCode>,
    per_minute: u32,
    phase: &'static str,
    needs_second: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    confirmed_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended_at: Option<Timestamp>,
    count: u64,
    done: u64,
    outcomes: BTreeMap<String, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_item: Option<u64>,
}

impl From<RedriveRow> for Redrive {
    fn from(it: RedriveRow) -> Self {
        let (confirmed_by, confirmed_at) = it.confirmed.clone().unzip();
        Self {
            done: it.done(),
            redrive: it.redrive,
            position: it.position.0,
            ordered_at: it.at,
            ordered_by: it.operator,
            reason: it.reason,
            selection: it.selection,
            route_to: it.route_to,
            per_minute: it.per_minute,
            phase: it.phase.code(),
            needs_second: it.needs_second,
            confirmed_by,
            confirmed_at,
            ended_at: it.ended_at,
            count: it.count,
            outcomes: it.outcomes,
            last_item: it.last.map(|it| it.item),
        }
    }
}

/// A page's place.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Asked {
    after: Option<u64>,
    limit: Option<usize>,
}

pub(crate) async fn list(
    State(rooms): State<Rooms>,
    headers: HeaderMap,
    given: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<PageOf<Redrive>>, Problem> {
    rooms.overseer(&headers)?;
    let asked = query(given)?;
    let page = rooms.aside(move |it| it.redrives(asked.after, rows(asked.limit))).await?;
    let items = page.rows.into_iter().map(Redrive::from).collect();
    Ok(Json(PageOf { items, next: page.next, as_of: page.as_of.0 }))
}

pub(crate) async fn one(
    State(rooms): State<Rooms>,
    headers: HeaderMap,
    Path(redrive): Path<String>,
) -> Result<Json<Redrive>, Problem> {
    rooms.overseer(&headers)?;
    let redrive = id(&redrive)?;
    let row = rooms.aside(move |it| it.redrive(redrive)).await?;
    Ok(Json(row.ok_or_else(|| Problem::new("unknown-redrive"))?.into()))
}

fn id(given: &str) -> Result<RedriveId, Problem> {
    given.parse().map_err(|_| Problem::new("unknown-redrive"))
}

/// What is wanted. Without `items`, all of the group.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    of: RedriveOf,
    #[serde(default)]
    redrive: Option<RedriveId>,
    #[serde(default)]
    province: Option<ProvinceCode>,
    #[serde(default)]
    why: Option<String>,
    #[serde(default)]
    since: Option<Timestamp>,
    #[serde(default)]
    until: Option<u64>,
    #[serde(default)]
    items: Vec<u64>,
    #[serde(default)]
    route_to: Option<ProvinceCode>,
    #[serde(default)]
    per_minute: Option<u32>,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    dry_run: bool,
}

/// What an order would come to. Nothing is recorded.
#[derive(Debug, Serialize)]
pub(crate) struct Previewed {
    dry_run: bool,
    selection: RedriveSelection,
    count: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_at: Option<Timestamp>,
    per_minute: u32,
    seconds: u64,
    needs_second: bool,
    examples: Vec<ItemTold>,
}

impl From<Preview> for Previewed {
    fn from(it: Preview) -> Self {
        Self {
            dry_run: true,
            selection: it.selection,
            count: it.count,
            oldest_at: it.oldest,
            per_minute: it.per_minute,
            seconds: it.seconds,
            needs_second: it.needs_second,
            examples: it.examples.into_iter().map(ItemTold::from).collect(),
        }
    }
}

#[derive(Debug, Serialize)]
struct Ordered {
    redrive: RedriveId,
    /// Whether anything was recorded; the same order again is known.
    recorded: bool,
}

pub(crate) async fn order(
    State(rooms): State<Rooms>,
    request: Request,
) -> Result<Response, Problem> {
    let (caller, body) = read::<Order>(&rooms, request).await?;
    let wish = Wish {
        redrive: body.redrive,
        of: body.of,
        province: body.province,
        why: body.why,
        since: body.since,
        until: body.until,
        only: body.items,
        route_to: body.route_to,
        per_minute: body.per_minute,
    };
    if body.dry_run {
        let preview = again::preview(&rooms, &wish).await?;
        return Ok(Json(Previewed::from(preview)).into_response());
    }
    let (redrive, answer) = again::order(&rooms, &caller.name, &wish, body.reason).await?;
    Ok(told(redrive, &answer))
}

fn told(redrive: RedriveId, answer: &Answer) -> Response {
    let recorded = matches!(answer, Answer::Recorded(_));
    let status = if recorded { StatusCode::CREATED } else { StatusCode::OK };
    (status, Json(Ordered { redrive, recorded })).into_response()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

async fn act(
    rooms: &Rooms,
    redrive: &str,
    deed: &str,
    request: Request,
) -> Result<Response, Problem> {
    let (caller, Nothing {}) = read(rooms, request).await?;
    let redrive = id(redrive)?;
    let answer = again::act(rooms, &caller.name, redrive, deed).await?;
    Ok(told(redrive, &answer))
}

pub(crate) async fn confirm(
    State(rooms): State<Rooms>,
    Path(redrive): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    act(&rooms, &redrive, "confirm", request).await
}

pub(crate) async fn pause(
    State(rooms): State<Rooms>,
    Path(redrive): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    act(&rooms, &redrive, "pause", request).await
}

pub(crate) async fn resume(
    State(rooms): State<Rooms>,
    Path(redrive): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    act(&rooms, &redrive, "resume", request).await
}

pub(crate) async fn cancel(
    State(rooms): State<Rooms>,
    Path(redrive): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    act(&rooms, &redrive, "cancel", request).await
}
