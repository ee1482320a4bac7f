//! Results for a national system, by cursor, each signed; and its word that it has them.

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::HeaderMap;
use events::envelope::{Actor, Position};
use events::ids::CaseId;
use events::proof::signature::Purpose;
use events::wire;
use hub_core::command::Command;
use hub_core::feedback::feedback;
use serde::{Deserialize, Serialize};

use super::desk::Desk;
use super::schema;
use super::traced::Call;
use crate::hops;
use crate::problem::Problem;
use crate::registrar::{Answer, Ask, What};
use crate::strict_json::read_json;
use crate::views::reader::PAGE_ROWS_MAX;
use crate::views::rows::FeedbackRow;

/// How many results one answer has, unless asked otherwise.
const RESULTS_DEFAULT: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct From {
    #[serde(default)]
    after: u64,
    #[serde(default)]
    limit: Option<usize>,
}

/// A page of results that the caller has not confirmed.
#[derive(Debug, Serialize)]
pub(super) struct Results {
    items: Vec<Item>,
    /// `after` of the next page.
    next: u64,
}

/// One result: a CloudEvent `cn.gov.mot.hub.feedback.<ending>.v1`. The signature is over the bytes of `payload`.
#[derive(Debug, Serialize)]
struct Item {
    case_id: CaseId,
    position: u64,
    payload: String,
    signature: String,
}

pub(super) async fn next(
    State(desk): State<Desk>,
    headers: HeaderMap,
    query: Result<Query<From>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<Results>, Problem> {
    let caller = desk.national(&headers)?;
    let Query(from) = query.map_err(|_| Problem::new("bad-parameter"))?;
    let count_max = from.limit.unwrap_or(RESULTS_DEFAULT).clamp(1, PAGE_ROWS_MAX);
    let after = Position(from.after);
    let client = caller.name;
    let rows = desk.aside(move |views| views.feedback(Some(&client), after, count_max)).await?;
    let next = rows.last().map_or(from.after, |it| it.position.0);
    let mut items = Vec::with_capacity(rows.len());
    for row in rows {
        items.push(item(&desk, &row).await?);
    }
    Ok(Json(Results { items, next }))
}

async fn item(desk: &Desk, row: &FeedbackRow) -> Result<Item, Problem> {
    let story = desk.story(row.case).await?;
    // The same bytes that a webhook is sent, except for a province's words, which need a private road.
    let (id, told) = feedback(&desk.origin, &story).ok_or_else(|| Problem::new("internal"))?;
    let payload = wire::feedback_to_bytes(id, &told);
    let signature = desk.signer.sign(Purpose::Feedback, &payload);
    let payload = String::from_utf8(payload).map_err(|_| Problem::new("internal"))?;
    Ok(Item { case_id: row.case, position: row.position.0, payload, signature })
}

/// How many of the named cases are now confirmed, known as confirmed, or were refused.
#[derive(Debug, Default, Serialize)]
pub(super) struct Confirmed {
    confirmed: usize,
    known: usize,
    refused: Vec<Refused>,
}

#[derive(Debug, Serialize)]
struct Refused {
    case_id: CaseId,
    code: &'static str,
}

pub(super) async fn confirm(
    State(desk): State<Desk>,
    request: Request,
) -> Result<Json<Confirmed>, Problem> {
    let call = Call::of(request.headers());
    let caller = desk.national(request.headers())?;
    let (_bytes, body) = read_json(request).await?;
    schema::check(&desk.schemas.feed_confirmation, &body)?;
    let named = body["cases"].as_array().into_iter().flatten().filter_map(|it| it.as_str());
    let mut told = Confirmed::default();
    let mut asks = Vec::new();
    for name in named {
        match desk.own_story(&caller, name).await {
            Ok((case, story)) => {
                // Costs a fold of the story: only for whoever listens.
                let end = hops::are_told().then(|| feedback(&desk.origin, &story)).flatten();
                let end = end.map(|it| it.0);
                asks.push(((case, end), ask(&desk, &caller.name, case)));
            }
            Err(problem) => {
                let case_id = name.parse().map_err(|_| Problem::at("bad-form", "/cases"))?;
                told.refused.push(Refused { case_id, code: problem.code });
            }
        }
    }
    let (cases, asks): (Vec<_>, Vec<_>) = asks.into_iter().unzip();
    for ((case_id, end), answer) in cases.into_iter().zip(desk.registrar.ask_all(asks).await) {
        match answer? {
            Answer::Recorded(_) => {
                told.confirmed += 1;
                end.into_iter().for_each(|it| call.confirmed(case_id, &caller.name, it));
            }
            Answer::NothingNew(_) => told.known += 1,
            Answer::Refused(it) => told.refused.push(Refused { case_id, code: it.code() }),
        }
    }
    Ok(Json(told))
}

fn ask(desk: &Desk, client: &str, case: CaseId) -> Ask {
    let command = Command::ConfirmFeedback { client: client.to_owned(), way: "feed".to_owned() };
    Ask {
        actor: Actor::National(client.to_owned()),
        occurred_at: desk.clock.now(),
        caused_by: None,
        what: What::Case { case, command, personal: None, evidence: None, key: None },
    }
}
