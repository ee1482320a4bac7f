//! An operator wants what a province holds compared with the log. Recorded first; the answer comes later,
//! as `Reconciled`.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use events::keeping::{KeepingEvent, OperatorActed};
use events::reconcile::{DAYS_A_MESSAGE_MAX, Span};
use hub_core::calendar::shanghai_date;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::admin::{code, read, record};
use crate::problem::Problem;
use crate::registrar::What;
use crate::web::Rooms;

/// Days that are compared when nobody says which.
const DAYS_DEFAULT: i64 = 45;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    #[serde(default)]
    since: Option<Date>,
    #[serde(default)]
    until: Option<Date>,
}

/// What will be compared.
#[derive(Debug, Serialize)]
pub(crate) struct Wished {
    since: Date,
    until: Date,
}

pub(crate) async fn start(
    State(rooms): State<Rooms>,
    Path(province): Path<String>,
    request: Request,
) -> Result<(StatusCode, Json<Wished>), Problem> {
    let (caller, wish) = read::<Wish>(&rooms, request).await?;
    let province = code(&province)?;
    if !rooms.membership.enrolled().contains(&province) {
        return Err(Problem::new("province-not-enrolled"));
    }
    let until = wish.until.unwrap_or_else(|| shanghai_date(rooms.clock.now()));
    let first = || until.checked_sub(jiff::Span::new().days(DAYS_DEFAULT)).unwrap_or(until);
    let since = wish.since.or(wish.until).unwrap_or_else(first);
    let days = until.duration_since(since).as_hours() / 24;
    if days < 0 || days >= DAYS_A_MESSAGE_MAX as i64 {
        return Err(Problem::at("out-of-bounds", "/since"));
    }
    let acted = OperatorActed {
        operator: caller.name.clone(),
        action: "reconcile".to_owned(),
        target: format!("province-{province} {since}/{until}"),
    };
    let what = What::Keeping(KeepingEvent::OperatorActed(acted));
    let (_status, Json(_recorded)) = record(&rooms, &caller, vec![what]).await?;
    let span = Span { since, until };
    rooms.compare.try_send((province, span)).map_err(|_| Problem::new("busy"))?;
    Ok((StatusCode::ACCEPTED, Json(Wished { since, until })))
}
