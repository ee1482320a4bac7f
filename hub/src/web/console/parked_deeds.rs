//! What an operator may do on the page of what waits: count first, order, confirm, stop, go on, end.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use events::ids::RedriveId;
use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::Deserialize;

use super::Visitor;
use super::form::Posted;
use super::parked::{Filled, Place, page};
use super::shell::{Refused, told};
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
        "preview" => told(&visitor, preview(&rooms, &visitor, given).await),
        deed => match done(&rooms, &visitor, deed, &given).await {
            Ok(()) => Redirect::to("/parked#redrives").into_response(),
            Err(problem) => Refused(visitor, problem).into_response(),
        },
    }
}

async fn preview(
    rooms: &Rooms,
    visitor: &Visitor,
    given: Deed,
) -> Result<super::parked::Parked, Problem> {
    let (wish, place) = wish(&given)?;
    let counted = again::preview(rooms, &wish).await?;
    let Deed { items, since, per_minute, route_to, note, .. } = given;
    let filled = Filled { items, since, per_minute, route_to, note };
    page(rooms, visitor, Some(place), 0, filled, Some(counted)).await
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

fn wish(given: &Deed) -> Result<(Wish, Place), Problem> {
    let at = |pointer| move || Problem::at("unknown-value", pointer);
    let place = Place::read(&given.of, &given.province, &given.why)?.ok_or_else(at("/of"))?;
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
        since: since(&given.since)?,
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

/// A moment as a browser's field has it, in Shanghai: `2026-03-02T09:00`.
fn since(given: &str) -> Result<Option<Timestamp>, Problem> {
    if given.is_empty() {
        return Ok(None);
    }
    let wrong = || Problem::at("bad-moment", "/since");
    let told: DateTime = given.parse().map_err(|_| wrong())?;
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    Ok(Some(told.to_zoned(zone).map_err(|_| wrong())?.timestamp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_in_a_form_is_shanghais() {
        let told = since("2026-03-02T09:00").unwrap().unwrap();
        assert_eq!(told.to_string(), "2026-03-02T01:00:00Z");
        assert_eq!(since("").unwrap(), None);
        assert!(since("yesterday").is_err());
    }
}
