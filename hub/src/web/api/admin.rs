//! What an operator may change: membership, calendars, parked cases. Each through the registrar, with a name.

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use events::envelope::{Actor, Recorded};
use events::ids::{ProvinceCode, RequestId};
use events::reference::{CalendarPublished, CalendarYear, ReferenceEvent};
use hub_core::command::Command;
use hub_core::province::ProvinceCommand;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::callers::Caller;
use crate::problem::Problem;
use crate::registrar::{Answer, Ask, What};
use crate::strict_json::read_json;
use crate::web::Rooms;

/// Longest reason or note, in characters.
const NOTE_CHARACTERS_MAX: usize = 500;

/// What was recorded because of it; empty: all of it was known.
#[derive(Debug, Serialize)]
pub struct Done {
    events: Vec<DoneEvent>,
}

#[derive(Debug, Serialize)]
pub(super) struct DoneEvent {
    position: u64,
    #[serde(rename = "type")]
    kind: &'static str,
    stream: String,
}

pub(super) type Answered = Result<(StatusCode, Json<Done>), Problem>;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Reason {
    reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Release {
    note: String,
    #[serde(default)]
    route_to: Option<ProvinceCode>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(crate) async fn pause(
    State(rooms): State<Rooms>,
    Path(province): Path<String>,
    request: Request,
) -> Answered {
    let (caller, body) = read::<Reason>(&rooms, request).await?;
    let (operator, reason) = (caller.name.clone(), note(body.reason, "/reason")?);
    let command = ProvinceCommand::Pause { operator, reason };
    let what = What::Province { province: code(&province)?, command };
    record(&rooms, &caller, vec![what]).await
}

pub(crate) async fn resume(
    State(rooms): State<Rooms>,
    Path(province): Path<String>,
    request: Request,
) -> Answered {
    let (caller, Nothing {}) = read(&rooms, request).await?;
    let command = ProvinceCommand::Resume { operator: caller.name.clone() };
    let what = What::Province { province: code(&province)?, command };
    record(&rooms, &caller, vec![what]).await
}

pub(crate) async fn calendar(State(rooms): State<Rooms>, request: Request) -> Answered {
    let (caller, calendar) = read::<CalendarYear>(&rooms, request).await?;
    // Two at once get the same revision; the registrar lets one of them pass.
    let revision = rooms.registrar.rules().calendar.revision() + 1;
    let published = CalendarPublished { revision, calendar };
    let what = What::Reference(ReferenceEvent::CalendarPublished(published));
    record(&rooms, &caller, vec![what]).await
}

pub(crate) async fn release(
    State(rooms): State<Rooms>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let (caller, body) = read::<Release>(&rooms, request).await?;
    let command = Command::Release {
        operator: caller.name.clone(),
        note: note(body.note, "/note")?,
        route_to: body.route_to,
        request: RequestId(fresh_id(&rooms)),
    };
    let what = of_case(&rooms, &name, command).await?;
    record(&rooms, &caller, vec![what]).await
}

pub(crate) async fn park(
    State(rooms): State<Rooms>,
    Path(name): Path<String>,
    request: Request,
) -> Answered {
    let (caller, Nothing {}) = read(&rooms, request).await?;
    let command = Command::Park { operator: caller.name.clone() };
    let what = of_case(&rooms, &name, command).await?;
    record(&rooms, &caller, vec![what]).await
}

pub(super) async fn read<T: DeserializeOwned>(
    rooms: &Rooms,
    request: Request,
) -> Result<(Caller, T), Problem> {
    let caller = rooms.operator(request.headers())?;
    let (_bytes, body) = read_json(request).await?;
    // The library's text may repeat a value; it is not told.
    let body = serde_json::from_value(body).map_err(|_| Problem::new("schema"))?;
    Ok((caller, body))
}

pub(super) fn code(given: &str) -> Result<ProvinceCode, Problem> {
    given.parse().map_err(|_| Problem::new("not-found"))
}

pub(crate) fn note(given: String, pointer: &str) -> Result<String, Problem> {
    let length = given.chars().count();
    if !(1..=NOTE_CHARACTERS_MAX).contains(&length) {
        return Err(Problem::at("bad-length", pointer));
    }
    if let Some(code) = given.chars().find_map(steers) {
        return Err(Problem::at(code, pointer));
    }
    // It is kept for ever and sealed by nobody.
    if events::personal::has_identity_number(&given) {
        return Err(Problem::at("identity-number-in-clear", pointer));
    }
    Ok(given)
}

/// A note reads as it was written, wherever it is shown: nothing in it breaks lines or turns the
/// direction of the words around it.
fn steers(it: char) -> Option<&'static str> {
    match it {
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200e}' | '\u{200f}' | '\u{61c}' => {
            Some("bidirectional-override")
        }
        '\u{2028}' | '\u{2029}' => Some("control-character"),
        _ => it.is_control().then_some("control-character"),
    }
}

pub(super) async fn of_case(rooms: &Rooms, name: &str, command: Command) -> Result<What, Problem> {
    let case = rooms.case(name).await?.case;
    Ok(What::Case { case, command, personal: None, evidence: None, key: None })
}

pub(crate) fn fresh_id(rooms: &Rooms) -> Uuid {
    let now = rooms.clock.now();
    let seconds = u64::try_from(now.as_second()).unwrap_or(0);
    let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
    Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanoseconds))
}

/// One after the other; the first refusal ends it. What was recorded before it stays: each is repeatable.
pub(super) async fn record(rooms: &Rooms, caller: &Caller, whats: Vec<What>) -> Answered {
    let mut events = Vec::new();
    for what in whats {
        let actor = Actor::Operator(caller.name.clone());
        let ask = Ask { actor, occurred_at: rooms.clock.now(), caused_by: None, what };
        match rooms.registrar.ask(ask).await? {
            Answer::Recorded(recorded) => events.extend(recorded.iter().map(done)),
            Answer::NothingNew(_) => {}
            Answer::Refused(refusal) => return Err(refusal.into()),
        }
    }
    let status = if events.is_empty() { StatusCode::OK } else { StatusCode::CREATED };
    Ok((status, Json(Done { events })))
}

pub(super) fn done(it: &Recorded) -> DoneEvent {
    DoneEvent {
        position: it.position.0,
        kind: it.envelope.event.kind(),
        stream: it.envelope.stream.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_reads_as_it_was_written() {
        for (given, code) in [
            ("已电话核实，<b>3</b> 份材料", None),
            ("", Some("bad-length")),
            ("a\nb", Some("control-character")),
            ("a\u{2028}b", Some("control-character")),
            ("\u{202e}gnp.exe", Some("bidirectional-override")),
            ("\u{2067}x", Some("bidirectional-override")),
            ("11010519491231002X", Some("identity-number-in-clear")),
        ] {
            assert_eq!(note(given.to_owned(), "/note").err().map(|it| it.code), code, "{given:?}");
        }
    }
}
