//! What somebody may do to one case: look at the person behind it, explain a breach, note something down, file and answer a complaint, park and release.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use events::envelope::Actor;
use events::ids::{ProvinceCode, RequestId};
use events::keeping::{KeepingEvent, PersonalDataRead};
use events::vocabulary::Stage;
use hub_core::command::Command;
use serde::Deserialize;

use super::case::page_with;
use super::form::Posted;
use super::shell::{Refused, told};
use super::{May, Visitor};
use crate::problem::Problem;
use crate::registrar::{Answer, Ask, What};
use crate::views::rows::CaseRow;
use crate::web::Rooms;
use crate::web::api::admin::{fresh_id, note};

/// Why somebody may look: the code that is recorded, in Chinese and English. Short on purpose.
#[rustfmt::skip] // a table
pub(super) const PURPOSES: [(&str, &str, &str); 4] = [
    ("caller-identity", "核实来电人身份",   "to verify a caller"),
    ("complaint",       "处理投诉",         "to handle a complaint"),
    ("province-query",  "省级协查",         "a province's query"),
    ("fault",           "排查故障",         "to trace a fault"),
];

/// Where somebody complains: the hotline, and the drivers' own column. As recorded, in Chinese, in English.
pub(super) const COMPLAINT_CHANNELS: [(&str, &str, &str); 2] = [
    ("12328", "12328 热线", "12328 hotline"),
    ("司机有话说", "司机有话说", "the drivers' own column"),
];

#[derive(Deserialize)]
pub(super) struct Reveal {
    purpose: String,
    ticket: String,
}

/// Written down first; then shown once, on this page only.
pub(super) async fn reveal(
    State(rooms): State<Rooms>,
    Path(number): Path<String>,
    Posted(visitor, given): Posted<Reveal>,
) -> Response {
    let shown = async {
        let row = own_case(&rooms, &visitor, &number).await?;
        let known = PURPOSES.iter().any(|it| it.0 == given.purpose);
        if !known {
            return Err(Problem::at("unknown-value", "/purpose"));
        }
        let purpose = format!("{}: {}", given.purpose, note(given.ticket, "/ticket")?);
        let operator = visitor.account()?.name.clone();
        let read = PersonalDataRead { case: row.case, operator, purpose };
        ask(&rooms, &visitor, What::Keeping(KeepingEvent::PersonalDataRead(read))).await?;
        page_with(&rooms, &visitor, &number, true).await
    };
    told(&visitor, shown.await)
}

/// One form for all; what is not asked for stays empty.
#[derive(Deserialize)]
pub(super) struct Deed {
    deed: String,
    #[serde(default)]
    note: String,
    #[serde(default)]
    stage: String,
    #[serde(default)]
    reference: String,
    #[serde(default)]
    channel: String,
    #[serde(default)]
    route_to: String,
}

pub(super) async fn act(
    State(rooms): State<Rooms>,
    Path(number): Path<String>,
    Posted(visitor, given): Posted<Deed>,
) -> Response {
    match done(&rooms, &visitor, &number, given).await {
        Ok(()) => Redirect::to(&format!("/cases/{number}")).into_response(),
        Err(problem) => Refused(visitor, problem).into_response(),
    }
}

async fn done(rooms: &Rooms, visitor: &Visitor, number: &str, given: Deed) -> Result<(), Problem> {
    let row = own_case(rooms, visitor, number).await?;
    let operator = visitor.account()?.name.clone();
    let may = match given.deed.as_str() {
        "complain" | "answer" | "note" => May::OPERATOR.or(May::HOTLINE),
        "explain" | "park" | "release" => May::OPERATOR,
        _ => return Err(Problem::at("unknown-value", "/deed")),
    };
    if !may.has(visitor.is()) {
        return Err(Problem::new("forbidden"));
    }
    let command = match given.deed.as_str() {
        "explain" => Command::ExplainBreach {
            stage: match given.stage.as_str() {
                "acceptance" => Stage::Acceptance,
                "completion" => Stage::Completion,
                _ => return Err(Problem::at("unknown-value", "/stage")),
            },
            operator,
            note: note(given.note, "/note")?,
        },
        "complain" => Command::FileComplaint {
            reference: note(given.reference, "/reference")?,
            channel: complaint_channel(&given.channel)?,
        },
        "answer" => Command::AnswerComplaint { reference: note(given.reference, "/reference")? },
        "note" => Command::Note { operator, note: note(given.note, "/note")? },
        "park" => Command::Park { operator },
        _ => Command::Release {
            operator,
            note: note(given.note, "/note")?,
            route_to: province(&given.route_to)?,
            request: RequestId(fresh_id(rooms)),
        },
    };
    let what = What::Case { case: row.case, command, personal: None, evidence: None, key: None };
    ask(rooms, visitor, what).await
}

/// As the form has it; the hotline, if it has none.
fn complaint_channel(given: &str) -> Result<String, Problem> {
    let given = if given.is_empty() { COMPLAINT_CHANNELS[0].0 } else { given };
    let known = COMPLAINT_CHANNELS.iter().map(|it| it.0).find(|it| *it == given);
    known.map(|it| (*it).to_owned()).ok_or_else(|| Problem::at("unknown-value", "/channel"))
}

fn province(given: &str) -> Result<Option<ProvinceCode>, Problem> {
    if given.is_empty() {
        return Ok(None);
    }
    given.parse().map(Some).map_err(|_| Problem::at("unknown-value", "/route_to"))
}

async fn own_case(rooms: &Rooms, visitor: &Visitor, number: &str) -> Result<CaseRow, Problem> {
    let row = rooms.case(number).await?;
    if !visitor.sees().shows(row.province) {
        return Err(Problem::new("unknown-case"));
    }
    Ok(row)
}

async fn ask(rooms: &Rooms, visitor: &Visitor, what: What) -> Result<(), Problem> {
    let actor = Actor::Operator(visitor.account()?.name.clone());
    let ask = Ask { actor, occurred_at: rooms.clock.now(), caused_by: None, what };
    match rooms.registrar.ask(ask).await? {
        Answer::Recorded(_) | Answer::NothingNew(_) => Ok(()),
        Answer::Refused(refusal) => Err(refusal.into()),
    }
}
