//! Alerts: newest first; those that are told when asked stand on the first page.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use events::vocabulary::AlertKind;
use serde::Deserialize;

use super::told::{Alert, PageOf};
use super::{query, rows, word};
use crate::problem::Problem;
use crate::views::pressing::AlertFilter;
use crate::views::reader::Page;
use crate::views::rows::AlertRow;
use crate::web::Rooms;

/// What a list is narrowed to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    kind: Option<String>,
    open: Option<bool>,
    after: Option<u64>,
    limit: Option<usize>,
}

pub(crate) async fn list(
    State(rooms): State<Rooms>,
    headers: HeaderMap,
    given: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<PageOf<Alert>>, Problem> {
    rooms.overseer(&headers)?;
    let asked = query(given)?;
    let kind = word(asked.kind.as_deref(), "kind", AlertKind::of)?;
    let open_only = asked.open.unwrap_or(false);
    let page = page(&rooms, kind, open_only, asked.after, rows(asked.limit)).await?;
    let now = rooms.clock.now();
    let told = |it: AlertRow| {
        let away = |province| rooms.membership.province(province).maintenance_until(now);
        Alert { maintenance_until: it.province.and_then(away), ..Alert::from(it) }
    };
    let items = page.rows.into_iter().map(told).collect();
    Ok(Json(PageOf { items, next: page.next, as_of: page.as_of.0 }))
}

/// A page as of the hub's clock.
pub(crate) async fn page(
    rooms: &Rooms,
    kind: Option<AlertKind>,
    open_only: bool,
    after: Option<u64>,
    count_max: usize,
) -> Result<Page<AlertRow>, Problem> {
    narrowed(rooms, AlertFilter { kind, open_only, ..AlertFilter::default() }, after, count_max)
        .await
}

/// The same, of one province if wanted.
pub(crate) async fn narrowed(
    rooms: &Rooms,
    filter: AlertFilter,
    after: Option<u64>,
    count_max: usize,
) -> Result<Page<AlertRow>, Problem> {
    let now = rooms.clock.now();
    let next_working_day = rooms.registrar.rules().calendar.due(rooms.clock.today(), 1).day;
    rooms.aside(move |views| views.alerts(filter, after, count_max, now, next_working_day)).await
}
