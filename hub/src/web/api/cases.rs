//! Cases: a list, one, and its story. A national system sees its own.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use events::case::CaseEvent;
use events::envelope::Recorded;
use events::ids::{CaseId, StreamName};
use events::vocabulary::{Category, Channel, Item, Outcome};
use serde::{Deserialize, Serialize};

use super::told::{Case, EventTold, PageOf};
use super::{query, rows, word};
use crate::callers::{Caller, Role};
use crate::problem::Problem;
use crate::registrar::case_event;
use crate::views::reader::CaseFilter;
use crate::views::rows::CaseStage;
use crate::web::Rooms;

/// As a province's code: none has the case.
const NOWHERE: &str = "none";

/// What a list is narrowed to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Asked {
    province: Option<String>,
    first_province: Option<String>,
    stage: Option<String>,
    outcome: Option<String>,
    item: Option<String>,
    category: Option<String>,
    channel: Option<String>,
    client: Option<String>,
    open: Option<bool>,
    overdue: Option<bool>,
    due_before: Option<String>,
    waiting: Option<bool>,
    recorded: Option<String>,
    ended: Option<String>,
    after: Option<u64>,
    limit: Option<usize>,
}

impl Asked {
    fn filter(&self, caller: &Caller) -> Result<CaseFilter, Problem> {
        let province = self.province.as_deref();
        let nowhere = province == Some(NOWHERE);
        let first = self.first_province.as_deref();
        let own = (caller.role == Role::National).then(|| caller.name.clone());
        Ok(CaseFilter {
            province: word(province.filter(|_| !nowhere), "province", |it| it.parse().ok())?,
            nowhere,
            first_province: word(first, "first_province", |it| it.parse().ok())?,
            stage: word(self.stage.as_deref(), "stage", CaseStage::of)?,
            outcome: word(self.outcome.as_deref(), "outcome", Outcome::of)?,
            item: word(self.item.as_deref(), "item", Item::of)?,
            category: word(self.category.as_deref(), "category", Category::of)?,
            channel: word(self.channel.as_deref(), "channel", Channel::of)?,
            client: own.or_else(|| self.client.clone()),
            open: self.open,
            overdue: self.overdue,
            due_from: None,
            due_before: word(self.due_before.as_deref(), "due_before", |it| it.parse().ok())?,
            waiting: self.waiting,
            recorded: word(self.recorded.as_deref(), "recorded", |it| it.parse().ok())?,
            ended: word(self.ended.as_deref(), "ended", |it| it.parse().ok())?,
        })
    }
}

pub(crate) async fn list(
    State(rooms): State<Rooms>,
    headers: HeaderMap,
    given: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<PageOf<Case>>, Problem> {
    let caller = rooms.callers.authenticate(&headers)?;
    let asked = query(given)?;
    let filter = asked.filter(&caller)?;
    let (after, count_max) = (asked.after, rows(asked.limit));
    let page = rooms.aside(move |views| views.cases(&filter, after, count_max)).await?;
    let items = page.rows.into_iter().map(Case::from).collect();
    Ok(Json(PageOf { items, next: page.next, as_of: page.as_of.0 }))
}

pub(crate) async fn one(
    State(rooms): State<Rooms>,
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Case>, Problem> {
    let caller = rooms.callers.authenticate(&headers)?;
    let row = rooms.case(&name).await?;
    // Another's case is as unknown as none.
    if caller.may_see(&row.client) {
        Ok(Json(row.into()))
    } else {
        Err(Problem::new("unknown-case"))
    }
}

/// A page of a story.
#[derive(Debug, Serialize)]
pub struct Story {
    case_id: CaseId,
    events: Vec<EventTold>,
    /// `after` of the next page: a version; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

/// A page of a story, by version.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Part {
    after: u64,
    limit: Option<usize>,
}

pub(crate) async fn events(
    State(rooms): State<Rooms>,
    Path(name): Path<String>,
    headers: HeaderMap,
    given: Result<Query<Part>, QueryRejection>,
) -> Result<Json<Story>, Problem> {
    let caller = rooms.callers.authenticate(&headers)?;
    let part = query(given)?;
    let case_id = match name.parse() {
        Ok(id) => id,
        Err(_) => rooms.case(&name).await?.case,
    };
    let story = story(&rooms, &caller, case_id).await?;
    let count_max = rows(part.limit);
    let mut later = story.iter().filter(|it| it.version.0 > part.after);
    let events: Vec<EventTold> = later.by_ref().take(count_max).map(EventTold::from).collect();
    let next = later.next().and_then(|_| events.last()).map(|it| it.version);
    Ok(Json(Story { case_id, events, next }))
}

/// The story as the log has it: not behind, as a view may be.
async fn story(rooms: &Rooms, caller: &Caller, case: CaseId) -> Result<Vec<Recorded>, Problem> {
    let stream = StreamName::Case(case);
    let story = rooms.readers.read_aside(move |log| log.read_stream(&stream)).await?;
    match story.first().and_then(case_event) {
        Some(CaseEvent::CaseSubmitted(it)) if caller.may_see(&it.client) => Ok(story),
        _ => Err(Problem::new("unknown-case")),
    }
}
