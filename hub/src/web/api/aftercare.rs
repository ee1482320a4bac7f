//! What an operator adds to what has happened: explained breaches, answered complaints, archives, absences.

use axum::extract::{Path, Request, State};
use events::province::MaintenanceDeclared;
use events::vocabulary::Stage;
use hub_core::command::Command;
use hub_core::province::ProvinceCommand;
use jiff::Timestamp;
use serde::Deserialize;

use super::admin::{Answered, code, note, of_case, read, record};
use crate::registrar::What;
use crate::web::Rooms;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Explanation {
    stage: Stage,
    note: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reference {
    reference: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Absence {
    from: Timestamp,
    until: Timestamp,
    reason: String,
}

/// The breach stays; what was said about it stands beside it.
pub(crate) async fn explain(
    State(rooms): State<Rooms>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let (caller, body) = read::<Explanation>(&rooms, request).await?;
    let (operator, note) = (caller.name.clone(), note(body.note, "/note")?);
    let command = Command::ExplainBreach { stage: body.stage, operator, note };
    let what = of_case(&rooms, &name, command).await?;
    record(&rooms, &caller, vec![what]).await
}

pub(crate) async fn answered(
    State(rooms): State<Rooms>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let (caller, body) = read::<Reference>(&rooms, request).await?;
    let command = Command::AnswerComplaint { reference: note(body.reference, "/reference")? };
    let what = of_case(&rooms, &name, command).await?;
    record(&rooms, &caller, vec![what]).await
}

pub(crate) async fn archive(
    State(rooms): State<Rooms>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let (caller, body) = read::<Reference>(&rooms, request).await?;
    let command = Command::Archive { reference: note(body.reference, "/reference")? };
    let what = of_case(&rooms, &name, command).await?;
    record(&rooms, &caller, vec![what]).await
}

pub(crate) async fn maintenance(
    State(rooms): State<Rooms>,
    Path(province): Path<String>,
    request: Request,
) -> Answered {
    let (caller, body) = read::<Absence>(&rooms, request).await?;
    let Absence { from, until, reason } = body;
    let absence = MaintenanceDeclared { from, until, reason: note(reason, "/reason")? };
    let command = ProvinceCommand::DeclareMaintenance(absence);
    let what = What::Province { province: code(&province)?, command };
    record(&rooms, &caller, vec![what]).await
}
