//! What an operator may do about an alert or all of a cause in a province: acknowledge, assign, silence, explain.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use events::envelope::Actor;
use events::ids::CaseId;
use events::keeping::KeepingEvent;
use events::keeping::alerts::{
    AlertScope, AlertsAcknowledged, AlertsAssigned, AlertsSilenced, AlertsUnsilenced,
};
use events::vocabulary::{AlertKind, Stage};
use hub_core::command::Command;
use jiff::SignedDuration;
use serde::Deserialize;

use super::Visitor;
use super::alerts::{Place, may_look_after, stage};
use super::form::Posted;
use super::shell::Refused;
use crate::problem::Problem;
use crate::registrar::{Answer, Ask, What};
use crate::views::pressing::AlertFilter;
use crate::web::Rooms;
use crate::web::acting::store_failed;
use crate::web::api::admin::note;
use crate::web::api::alerts::narrowed;

/// How long an alert may be silent, in hours: a week at most, and never for ever.
pub(super) const HOURS: &[u32] = &[1, 4, 12, 24, 72, 168];
/// Most cases of a group that one explanation is recorded with; the page says so.
const EXPLAINED_MAX: usize = 10_000;
/// Cases that are asked about together: they share the log's commits.
const EXPLAINED_TOGETHER: usize = 200;

#[derive(Deserialize)]
pub(super) struct Deed {
    deed: String,
    kind: String,
    province: String,
    #[serde(default)]
    case: String,
    #[serde(default)]
    stage: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    to: String,
    #[serde(default)]
    hours: String,
}

pub(super) async fn act(
    State(rooms): State<Rooms>,
    Posted(visitor, given): Posted<Deed>,
) -> Response {
    match done(&rooms, &visitor, given).await {
        Ok(address) => Redirect::to(&address).into_response(),
        Err(problem) => Refused(visitor, problem).into_response(),
    }
}

/// The clock that an alert is about: from the alert itself where it names none.
pub(super) fn clock_of(kind: AlertKind, stage: Option<Stage>) -> Option<Stage> {
    match kind {
        AlertKind::AcceptanceOverdue | AlertKind::DeemedAccepted => Some(Stage::Acceptance),
        AlertKind::CompletionOverdue => Some(Stage::Completion),
        AlertKind::Urged | AlertKind::SeriouslyOverdue => stage,
        _ => None,
    }
}

/// Recorded, and where to look now.
async fn done(rooms: &Rooms, visitor: &Visitor, given: Deed) -> Result<String, Problem> {
    let operator = visitor.account()?.name.clone();
    let kind = AlertKind::of(&given.kind).ok_or_else(|| Problem::at("unknown-value", "/kind"))?;
    let place = Place::read(kind, &given.province)?;
    let place = place.ok_or_else(|| Problem::at("unknown-value", "/province"))?;
    let clock = stage(&given.stage)?;
    let case = match given.case.as_str() {
        "" => None,
        number => Some(standing_alert(rooms, number, place, clock).await?),
    };
    let stage = if case.is_some() { clock } else { None };
    let scope = AlertScope { kind, province: place.province, case, stage };
    let event: KeepingEvent = match given.deed.as_str() {
        "acknowledge" => {
            AlertsAcknowledged { scope, operator, note: note(given.note, "/note")? }.into()
        }
        "assign" => AlertsAssigned { scope, operator, to: somebody(rooms, given.to).await? }.into(),
        "silence" => {
            let until = rooms.clock.now().saturating_add(hours(&given.hours)?);
            let until = until.map_err(|_| Problem::at("unknown-value", "/hours"))?;
            AlertsSilenced { scope, operator, until, reason: note(given.note, "/note")? }.into()
        }
        "unsilence" => AlertsUnsilenced { scope, operator }.into(),
        "explain" => {
            explain(rooms, visitor, scope, note(given.note, "/note")?).await?;
            return Ok(place.address());
        }
        _ => return Err(Problem::at("unknown-value", "/deed")),
    };
    match ask(rooms, visitor, What::Keeping(event)).await? {
        Answer::Recorded(_) | Answer::NothingNew(_) => Ok(place.address()),
        Answer::Refused(refusal) => Err(refusal.into()),
    }
}

/// The case, if its alert is on record in this place and still stands.
async fn standing_alert(
    rooms: &Rooms,
    number: &str,
    place: Place,
    stage: Option<Stage>,
) -> Result<CaseId, Problem> {
    let row = rooms.case(number).await?;
    let found = rooms.aside(move |views| views.alert(row.case, place.kind, stage)).await?;
    let stands = found.is_some_and(|it| it.ended_at.is_none() && it.province == place.province);
    if stands { Ok(row.case) } else { Err(Problem::new("out-of-order")) }
}

async fn somebody(rooms: &Rooms, name: String) -> Result<String, Problem> {
    let accounts = rooms.accounts.clone();
    let found = tokio::task::spawn_blocking(move || accounts.find(&name)).await;
    let found = found.map_err(|_| Problem::new("internal"))?.map_err(|it| store_failed(&it))?;
    let found = found.filter(may_look_after);
    found.map(|it| it.name).ok_or_else(|| Problem::at("unknown-value", "/to"))
}

fn hours(given: &str) -> Result<SignedDuration, Problem> {
    let known = HOURS.iter().find(|it| it.to_string() == given);
    let hours = known.ok_or_else(|| Problem::at("unknown-value", "/hours"))?;
    Ok(SignedDuration::from_hours((*hours).into()))
}

/// With the one case, or with each that stands in the group, page by page.
async fn explain(
    rooms: &Rooms,
    visitor: &Visitor,
    scope: AlertScope,
    note: String,
) -> Result<(), Problem> {
    let AlertScope { kind, province, case, stage } = scope;
    let operator = visitor.account()?.name.clone();
    let told = |case: CaseId, stage: Option<Stage>| {
        let stage = clock_of(kind, stage).ok_or_else(|| Problem::at("unknown-value", "/kind"))?;
        let command =
            Command::ExplainBreach { stage, operator: operator.clone(), note: note.clone() };
        Ok(What::Case { case, command, personal: None, evidence: None, key: None })
    };
    if let Some(case) = case {
        return match ask(rooms, visitor, told(case, stage)?).await? {
            Answer::Refused(refusal) => Err(refusal.into()),
            Answer::Recorded(_) | Answer::NothingNew(_) => Ok(()),
        };
    }
    let nowhere = province.is_none();
    let filter = AlertFilter { kind: Some(kind), province, nowhere, open_only: true };
    let (mut after, mut explained) = (None, 0);
    loop {
        let page = narrowed(rooms, filter, after, EXPLAINED_TOGETHER).await?;
        let whats: Result<Vec<What>, Problem> =
            page.rows.iter().map(|it| told(it.case, it.stage)).collect();
        let asks = whats?.into_iter().map(|what| ask(rooms, visitor, what));
        // Of a group, one that has moved on since is not explained and holds up nobody.
        futures::future::try_join_all(asks).await?;
        explained += page.rows.len();
        after = page.next;
        if after.is_none() || explained >= EXPLAINED_MAX {
            return Ok(());
        }
    }
}

async fn ask(rooms: &Rooms, visitor: &Visitor, what: What) -> Result<Answer, Problem> {
    let actor = Actor::Operator(visitor.account()?.name.clone());
    let ask = Ask { actor, occurred_at: rooms.clock.now(), caused_by: None, what };
    Ok(rooms.registrar.ask(ask).await?)
}
