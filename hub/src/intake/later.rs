//! What a national system adds to a case of its own: a correction, a withdrawal, a rating, a complaint.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use events::envelope::{Actor, Recorded};
use events::ids::{CaseId, RequestId};
use events::vocabulary::Rating;
use hub_core::command::Command;
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use super::desk::{Desk, Read};
use super::personal;
use super::submission::{broken, moment};
use super::traced::{self, Call};
use crate::problem::{Place, Problem};
use crate::registrar::{Answer, Ask, What};

/// What was recorded because of it.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    case_id: CaseId,
    /// False: all of it was known.
    recorded: bool,
    events: Vec<TellOf>,
}

#[derive(Debug, Serialize)]
struct TellOf {
    position: u64,
    #[serde(rename = "type")]
    kind: &'static str,
    recorded_at: Timestamp,
    hash: events::proof::Hash,
}

type Answered = Result<(StatusCode, Json<Told>), Problem>;

pub(super) async fn correction(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let call = Call::of(request.headers());
    let read = desk.read(request, &desk.schemas.correction, "correction").await?;
    let submitted_at = moment_at(&read, "submitted_at")?;
    let remarks = read.body["remarks"].as_str().unwrap_or("");
    personal::remarks(remarks).map_err(|(code, hint)| {
        broken(vec![Place { pointer: "/remarks".to_owned(), code, hint }])
    })?;
    let mut personal = json!({ "materials": read.body["materials"] });
    if let Some(Value::String(remarks)) = read.body.get("remarks") {
        personal["remarks"] = remarks.as_str().into();
    }
    let personal = serde_json::to_vec(&personal).expect("a JSON value always serializes");
    let command = Command::SubmitCorrection {
        digest: desk.opener.fingerprint(&read.bytes),
        submitted_at,
        request: RequestId(desk.fresh_id()),
    };
    record(&desk, (&read, call), &name, command, Some(personal), submitted_at).await
}

pub(super) async fn withdrawal(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let call = Call::of(request.headers());
    let read = desk.read(request, &desk.schemas.withdrawal, "withdrawal").await?;
    let requested_at = moment_at(&read, "requested_at")?;
    let command = Command::Withdraw { requested_at, request: RequestId(desk.fresh_id()) };
    record(&desk, (&read, call), &name, command, None, requested_at).await
}

pub(super) async fn rating(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let call = Call::of(request.headers());
    let read = desk.read(request, &desk.schemas.rating, "rating").await?;
    let given = read.body["rating"].as_str().and_then(Rating::of);
    let rating = given.ok_or_else(|| Problem::at("unknown-value", "/rating"))?;
    record(&desk, (&read, call), &name, Command::Rate(rating), None, desk.clock.now()).await
}

pub(super) async fn complaint(
    State(desk): State<Desk>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let call = Call::of(request.headers());
    let read = desk.read(request, &desk.schemas.complaint, "complaint").await?;
    let text = |field: &str| read.body[field].as_str().unwrap_or("").to_owned();
    personal::open_text(&text("reference")).map_err(|(code, hint)| {
        broken(vec![Place { pointer: "/reference".to_owned(), code, hint }])
    })?;
    let command = Command::FileComplaint { reference: text("reference"), channel: text("channel") };
    record(&desk, (&read, call), &name, command, None, desk.clock.now()).await
}

fn moment_at(read: &Read, field: &str) -> Result<Timestamp, Problem> {
    let told = read.body[field].as_str().and_then(moment);
    told.ok_or_else(|| Problem::at("bad-moment", &format!("/{field}")))
}

/// Asks the registrar about a case of the caller's own. The rules know a repetition by its content.
async fn record(
    desk: &Desk,
    (read, call): (&Read, Call),
    name: &str,
    command: Command,
    personal: Option<Vec<u8>>,
    occurred_at: Timestamp,
) -> Answered {
    let (case, _story) = desk.own_story(&read.caller, name).await?;
    let actor = Actor::National(read.caller.name.clone());
    let named = traced::named_by(&command);
    let what = What::Case { case, command, personal, evidence: None, key: None };
    let ask = Ask { actor, occurred_at, caused_by: None, what };
    let answer = desk.registrar.ask(ask).await?;
    if !matches!(answer, Answer::Refused(_)) {
        let recorded = matches!(answer, Answer::Recorded(_));
        call.added(case, &read.caller.name, named, recorded);
    }
    match answer {
        Answer::Recorded(events) => Ok((StatusCode::CREATED, told(case, true, &events))),
        Answer::NothingNew(_) => Ok((StatusCode::OK, told(case, false, &[]))),
        Answer::Refused(refusal) => Err(refusal.into()),
    }
}

fn told(case_id: CaseId, recorded: bool, events: &[Recorded]) -> Json<Told> {
    let tell = |it: &Recorded| TellOf {
        position: it.position.0,
        kind: it.envelope.event.kind(),
        recorded_at: it.recorded_at,
        hash: it.hash,
    };
    Json(Told { case_id, recorded, events: events.iter().map(tell).collect() })
}
