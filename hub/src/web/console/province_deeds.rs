//! What an operator may do to a province: pause, resume, declare that it will be away.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use events::envelope::Actor;
use events::province::MaintenanceDeclared;
use hub_core::province::ProvinceCommand;
use jiff::Timestamp;
use serde::Deserialize;

use super::Visitor;
use super::form::Posted;
use super::provinces::code_of;
use super::shell::Refused;
use crate::problem::Problem;
use crate::registrar::{Answer, Ask, What};
use crate::web::Rooms;
use crate::web::api::admin::note;

/// One form for all three.
#[derive(Deserialize)]
pub(super) struct Deed {
    deed: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    from: String,
    #[serde(default)]
    until: String,
}

pub(super) async fn act(
    State(rooms): State<Rooms>,
    Path(code): Path<String>,
    Posted(visitor, given): Posted<Deed>,
) -> Response {
    match done(&rooms, &visitor, &code, given).await {
        Ok(()) => Redirect::to(&format!("/provinces/{code}")).into_response(),
        Err(problem) => Refused(visitor, problem).into_response(),
    }
}

async fn done(rooms: &Rooms, visitor: &Visitor, code: &str, given: Deed) -> Result<(), Problem> {
    let province = code_of(visitor, code)?;
    let operator = visitor.account()?.name.clone();
    let command = match given.deed.as_str() {
        "pause" => ProvinceCommand::Pause {
            operator: operator.clone(),
            reason: note(given.reason, "/reason")?,
        },
        "resume" => ProvinceCommand::Resume { operator: operator.clone() },
        "maintenance" => ProvinceCommand::DeclareMaintenance(MaintenanceDeclared {
            from: moment(&given.from, "/from")?,
            until: moment(&given.until, "/until")?,
            reason: note(given.reason, "/reason")?,
        }),
        _ => return Err(Problem::at("unknown-value", "/deed")),
    };
    let what = What::Province { province, command };
    let actor = Actor::Operator(operator);
    let ask = Ask { actor, occurred_at: rooms.clock.now(), caused_by: None, what };
    match rooms.registrar.ask(ask).await? {
        Answer::Recorded(_) | Answer::NothingNew(_) => Ok(()),
        Answer::Refused(refusal) => Err(refusal.into()),
    }
}

/// `2026-03-02T08:00`, as a browser's field has it, in Shanghai.
fn moment(given: &str, pointer: &str) -> Result<Timestamp, Problem> {
    let bad = || Problem::at("bad-moment", pointer);
    let civil: jiff::civil::DateTime = given.parse().map_err(|_| bad())?;
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    civil.to_zoned(zone).map(|it| it.timestamp()).map_err(|_| bad())
}
