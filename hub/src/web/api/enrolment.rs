//! Joining, changing keys, leaving: what an operator asks of the enrolment desk, and what it answers.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode};
use events::enrolment::Signed;
use events::province::{KeyPurpose, KeyRegistered};
use hub_core::province::ProvinceCommand;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::admin::{DoneEvent, code, done, note, read};
use crate::enrolment::facts::{self, ProvinceFacts};
use crate::enrolment::{self, EnrolmentDesk};
use crate::problem::Problem;
use crate::web::Rooms;

/// What was recorded, what the broker heard, and what the province gets.
#[derive(Debug, Serialize)]
pub struct Done {
    events: Vec<DoneEvent>,
    /// `by-hand`, `unchanged`, `written`, `reloaded` or `failed`.
    broker: &'static str,
    /// For `province-adapter join`; absent after a revocation and after leaving.
    #[serde(skip_serializing_if = "Option::is_none")]
    bundle: Option<Signed>,
}

type Answered = Result<(StatusCode, Json<Done>), Problem>;

/// A province's public keys without a signature: the first form, still taken.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unsigned {
    sign: PublicKey,
    seal: PublicKey,
    connect: PublicKey,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PublicKey {
    key_id: String,
    public_key: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotation {
    request: Signed,
    #[serde(default)]
    old_until: Option<Timestamp>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Revocation {
    key_id: String,
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Leaving {
    reason: String,
}

pub(crate) async fn enroll(
    State(rooms): State<Rooms>,
    Path(province): Path<String>,
    request: Request,
) -> Answered {
    let (caller, body) = read::<Value>(&rooms, request).await?;
    let province = code(&province)?;
    let desk = &rooms.enrolment;
    let came = if body.get("payload").is_some() {
        desk.enroll(&caller.name, province, &shaped(body)?).await?
    } else {
        let commands = unsigned(shaped(body)?, &caller.name);
        desk.record(&caller.name, province, commands).await?
    };
    let bundle = desk.bundle(province).await?;
    answered(came, Some(bundle))
}

pub(crate) async fn rotate(
    State(rooms): State<Rooms>,
    Path(province): Path<String>,
    request: Request,
) -> Answered {
    let (caller, body) = read::<Rotation>(&rooms, request).await?;
    let (province, desk) = (code(&province)?, &rooms.enrolment);
    let came = desk.rotate(&caller.name, province, &body.request, body.old_until).await?;
    let bundle = desk.bundle(province).await?;
    answered(came, Some(bundle))
}

/// From here on nothing signed with it counts; what it signed before stays proven.
pub(crate) async fn revoke(
    State(rooms): State<Rooms>,
    Path(province): Path<String>,
    request: Request,
) -> Answered {
    let (caller, body) = read::<Revocation>(&rooms, request).await?;
    let (province, reason) = (code(&province)?, note(body.reason, "/reason")?);
    answered(rooms.enrolment.revoke(&caller.name, province, body.key_id, reason).await?, None)
}

pub(crate) async fn leave(
    State(rooms): State<Rooms>,
    Path(province): Path<String>,
    request: Request,
) -> Answered {
    let (caller, body) = read::<Leaving>(&rooms, request).await?;
    let (province, reason) = (code(&province)?, note(body.reason, "/reason")?);
    answered(rooms.enrolment.leave(&caller.name, province, reason).await?, None)
}

/// Everything about one province's membership.
pub(crate) async fn facts(
    State(rooms): State<Rooms>,
    Path(province): Path<String>,
    headers: HeaderMap,
) -> Result<Json<ProvinceFacts>, Problem> {
    rooms.overseer(&headers)?;
    let (province, now) = (code(&province)?, rooms.clock.now());
    Ok(Json(rooms.readers.read_aside(move |log| facts::of(log, province, now)).await?))
}

/// The bundle once more: it holds nothing secret.
pub(crate) async fn bundle(
    State(rooms): State<Rooms>,
    Path(province): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Signed>, Problem> {
    rooms.overseer(&headers)?;
    let desk: &EnrolmentDesk = &rooms.enrolment;
    Ok(Json(desk.bundle(code(&province)?).await?))
}

fn shaped<T: DeserializeOwned>(body: Value) -> Result<T, Problem> {
    // The library's text may repeat a value; it is not told.
    serde_json::from_value(body).map_err(|_| Problem::new("schema"))
}

fn unsigned(body: Unsigned, operator: &str) -> Vec<ProvinceCommand> {
    let key = |it: PublicKey, purpose, algorithm: &str| {
        ProvinceCommand::RegisterKey(KeyRegistered {
            key_id: it.key_id,
            purpose,
            algorithm: algorithm.to_owned(),
            public_key: it.public_key,
        })
    };
    vec![
        ProvinceCommand::Enroll { operator: operator.to_owned() },
        key(body.sign, KeyPurpose::Sign, "ed25519"),
        key(body.seal, KeyPurpose::Seal, "x25519"),
        key(body.connect, KeyPurpose::Connect, "nkey"),
    ]
}

fn answered(came: enrolment::Done, bundle: Option<Signed>) -> Answered {
    let events: Vec<DoneEvent> = came.events.iter().map(done).collect();
    let status = if events.is_empty() { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(Done { events, broker: came.broker.code(), bundle })))
}
