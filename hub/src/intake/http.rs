//! National systems hand cases in. Who, headers, size, JSON, schema, rules, registrar: in this order.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use events::envelope::Actor;
use events::ids::{CaseId, StreamName};
use hub_core::command::Command;

use super::desk::{Desk, Read};
use super::receipt::Receipt;
use super::recent::{Application, Claim};
use super::submission::{self, Submission};
use super::traced::Call;
use super::{feed, later};
use crate::problem::Problem;
use crate::registrar::{Answer, Ask, What};

/// Method, path as in OpenAPI.
pub const ROUTES: &[(&str, &str)] = &[
    ("post", "/v1/cases"),
    ("post", "/v1/cases/{case}/correction"),
    ("post", "/v1/cases/{case}/withdrawal"),
    ("post", "/v1/cases/{case}/rating"),
    ("post", "/v1/cases/{case}/complaints"),
    ("get", "/v1/feed"),
    ("post", "/v1/feed/confirm"),
];

/// The routes of [`ROUTES`], to be merged with those for reading.
pub fn router(desk: Desk) -> Router {
    Router::new()
        .route("/v1/cases", post(submit))
        .route("/v1/cases/{case}/correction", post(later::correction))
        .route("/v1/cases/{case}/withdrawal", post(later::withdrawal))
        .route("/v1/cases/{case}/rating", post(later::rating))
        .route("/v1/cases/{case}/complaints", post(later::complaint))
        .route("/v1/feed", get(feed::next))
        .route("/v1/feed/confirm", post(feed::confirm))
        .with_state(desk)
}

async fn submit(State(desk): State<Desk>, request: Request) -> Response<axum::body::Body> {
    let told = hand_in(&desk, request).await;
    let outcome = match &told {
        Ok((StatusCode::CREATED, _)) => "recorded",
        Ok(_) => "known",
        Err(problem) => problem.code,
    };
    metrics::counter!("hub_submissions_total", "outcome" => outcome).increment(1);
    told.and_then(|(status, receipt)| receipt.answer(status)).into_response()
}

async fn hand_in(desk: &Desk, request: Request) -> Result<(StatusCode, Receipt), Problem> {
    let call = Call::of(request.headers());
    let read = desk.read(request, &desk.schemas.submission, "submission").await?;
    let submission = submission::read(desk, &read)?;
    let application = application(desk, &submission);
    let mine = Claim {
        sender: read.key,
        case: submission.submit.case,
        number: submission.submit.number.clone(),
    };
    refuse_duplicate(desk, application, &mine).await?;
    let told = record(desk, read, submission, call).await;
    if told.is_err() {
        desk.recent.release(application, mine.sender);
    }
    told
}

async fn record(
    desk: &Desk,
    read: Read,
    submission: Submission,
    call: Call,
) -> Result<(StatusCode, Receipt), Problem> {
    let (submit, client) = (submission.submit, read.caller.name.clone());
    let ask = Ask {
        actor: Actor::National(read.caller.name),
        occurred_at: submit.submitted_at,
        caused_by: None,
        what: What::Case {
            case: submit.case,
            command: Command::Submit(submit),
            personal: Some(submission.personal),
            evidence: None,
            key: Some(read.key),
        },
    };
    let (status, events) = match desk.registrar.ask(ask).await? {
        Answer::Recorded(events) => (StatusCode::CREATED, events),
        Answer::NothingNew(events) => (StatusCode::OK, events),
        Answer::Refused(refusal) => return Err(refusal.into()),
    };
    let receipt = desk.receipt(&events).await?;
    if let Some(StreamName::Case(case)) = events.first().map(|it| it.envelope.stream) {
        call.submitted(case, &client, status == StatusCode::CREATED);
    }
    Ok((status, receipt))
}

fn application(desk: &Desk, submission: &Submission) -> Application {
    let person = desk.opener.blind_index("identity", &submission.identity_number);
    (person, submission.submit.item, submission.submit.category)
}

/// The same person with the same item and category has an open case: no, unless this is that case again.
///
/// Nearly everybody is nobody's double, and hears so from one look that many share.
async fn refuse_duplicate(
    desk: &Desk,
    application: Application,
    mine: &Claim,
) -> Result<(), Problem> {
    let claimed = desk.recent.claim(application, mine);
    let cases = desk.views.cases_by_index_together("identity", application.0).await?;
    if claimed.is_none() && cases.is_empty() {
        return Ok(());
    }
    let (desk_aside, mine) = (desk.clone(), mine.clone());
    let look = move || look_at_duplicates(&desk_aside, application, &mine, claimed, cases);
    tokio::task::spawn_blocking(look).await.unwrap_or_else(|_panic| Err(Problem::new("internal")))
}

/// Whether another's claim or one of the person's known cases is in the way.
fn look_at_duplicates(
    desk: &Desk,
    application: Application,
    mine: &Claim,
    claimed: Option<Claim>,
    cases: Vec<CaseId>,
) -> Result<(), Problem> {
    let mut in_the_way = None;
    if let Some(other) = claimed {
        let row = desk.views.case(other.case)?;
        if row.is_none_or(|it| !it.stage.has_ended()) {
            in_the_way = Some(other.number);
        } else {
            desk.recent.release(application, other.sender);
            desk.recent.claim(application, mine);
        }
    }
    let (_, item, category) = application;
    for case in cases {
        let Some(row) = desk.views.case(case)? else { continue };
        if row.item == item && row.category == category && !row.stage.has_ended() {
            in_the_way = Some(row.number);
        }
    }
    let Some(number) = in_the_way else { return Ok(()) };
    // A repetition meets its own case: the registrar answers it with the first receipt.
    let known = desk.readers.read(|log| log.find_key(&mine.sender))?;
    if matches!(known, Some(StreamName::Case(_))) {
        return Ok(());
    }
    desk.recent.release(application, mine.sender);
    let case_number = Some(number.to_string());
    Err(Problem { case_number, ..Problem::new("duplicate-application") })
}
