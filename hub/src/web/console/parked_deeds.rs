//! What an operator may do on the page of what waits: count first, order, confirm, stop, go on, end.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use events::ids::RedriveId;
use jiff::Timestamp;
use serde::Deserialize;

use super::Visitor;
use super::form::Posted;
use super::parked::{Filled, Parked, Place, page};
use super::shell::{Refused, to_correct, told};
use super::when::{self, Flaw};
use crate::problem::Problem;
use crate::web::Rooms;
use crate::web::again::{self, Wish};

/// One form for all; what is not asked for stays empty.
#[derive(Deserialize)]
pub(super) struct Deed {
    deed: String,
    #[serde(default)]
    redrive: String,
    #[serde(default)]
    of: String,
    #[serde(default)]
    province: String,
    #[serde(default)]
    why: String,
    #[serde(default)]
    items: String,
    #[serde(default)]
    since: String,
    #[serde(default)]
    per_minute: String,
    #[serde(default)]
    route_to: String,
    #[serde(default)]
    until: String,
    #[serde(default)]
    note: String,
}

pub(super) async fn act(
    State(rooms): State<Rooms>,
    Posted(visitor, given): Posted<Deed>,
) -> Response {
    match given.deed.as_str() {
        "preview" => match since(&given.since) {
            Err(_) => to_correct(&visitor, typed(&rooms, &visitor, given).await),
            Ok(_) => told(&visitor, preview(&rooms, &visitor, given).await),
        },
        deed => match done(&rooms, &visitor, deed, &given).await {
            Ok(()) => Redirect::to("/parked#redrives").into_response(),
            Err(problem) => Refused(visitor, problem).into_response(),
        },
    }
}

/// The page as it was, to be corrected: nothing is counted before a moment can be read.
async fn typed(rooms: &Rooms, visitor: &Visitor, given: Deed) -> Result<Parked, Problem> {
    let place = place(&given)?;
    page(rooms, visitor, Some(place), 0, filled(given), None).await
}

async fn preview(rooms: &Rooms, visitor: &Visitor, given: Deed) -> Result<Parked, Problem> {
    let (wish, place) = wish(&given)?;
    let counted = again::preview(rooms, &wish).await?;
    page(rooms, visitor, Some(place), 0, filled(given), Some(counted)).await
}

fn filled(given: Deed) -> Filled {
    let Deed { items, since, per_minute, route_to, note, .. } = given;
    Filled { items, since, per_minute, route_to, note }
}

async fn done(rooms: &Rooms, visitor: &Visitor, deed: &str, given: &Deed) -> Result<(), Problem> {
    let operator = visitor.account()?.name.clone();
    if deed == "order" {
        let (wish, _) = wish(given)?;
        again::order(rooms, &operator, &wish, given.note.clone()).await?;
        return Ok(());
    }
    let redrive: RedriveId = given.redrive.parse().map_err(|_| Problem::new("unknown-redrive"))?;
    again::act(rooms, &operator, redrive, deed).await?;
    Ok(())
}

fn place(given: &Deed) -> Result<Place, Problem> {
    let unknown = || Problem::at("unknown-value", "/of");
    Place::read(&given.of, &given.province, &given.why)?.ok_or_else(unknown)
}

fn wish(given: &Deed) -> Result<(Wish, Place), Problem> {
    let at = |pointer| move || Problem::at("unknown-value", pointer);
    let place = place(given)?;
    let numbers = given.items.split([',', '，', ' ']).map(str::trim).filter(|it| !it.is_empty());
    let only = numbers.map(|it| it.parse().map_err(|_| Problem::at("bad-form", "/items")));
    let wish = Wish {
        redrive: match given.redrive.as_str() {
            "" => None,
            id => Some(id.parse().map_err(|_| Problem::new("unknown-redrive"))?),
        },
        of: place.of,
        // A group belongs to a province; "all provinces" is nothing that one click may mean.
        province: Some(place.province.ok_or_else(at("/province"))?),
        why: Some(place.why.clone()),
        since: since(&given.since).map_err(|it| Problem::at(it.code(), "/since"))?,
        until: match given.until.as_str() {
            "" => None,
            number => Some(number.parse().map_err(|_| at("/until")())?),
        },
        only: only.collect::<Result<_, _>>()?,
        route_to: match given.route_to.as_str() {
            "" => None,
            code => Some(code.parse().map_err(|_| at("/route_to")())?),
        },
        per_minute: match given.per_minute.as_str() {
            "" => None,
            number => {
                Some(number.parse().map_err(|_| Problem::at("out-of-bounds", "/per_minute"))?)
            }
        },
    };
    Ok((wish, place))
}

/// From when on, if it is bounded.
fn since(given: &str) -> Result<Option<Timestamp>, Flaw> {
    match when::moment(given) {
        Err(Flaw::Missing) => Ok(None),
        told => told.map(Some),
    }
}
