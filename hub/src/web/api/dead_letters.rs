//! What waits for a person: parked cases and quarantined reports, in groups and one by one, without what came.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use events::ids::{CaseId, CaseNumber, ProvinceCode};
use events::keeping::redrive::{RedriveOf, RedriveSelection};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{query, rows, word};
use crate::problem::Problem;
use crate::quarantine::KeptFilter;
use crate::redrive::{Group, Item, Thing};
use crate::web::Rooms;

/// All groups.
#[derive(Debug, Serialize)]
pub(crate) struct Groups {
    groups: Vec<GroupTold>,
}

#[derive(Debug, Serialize)]
struct GroupTold {
    of: &'static str,
    province: Option<ProvinceCode>,
    why: String,
    count: u64,
    /// How many of them can be let in again: the others were kept without their headers.
    redrivable: u64,
    oldest_at: Timestamp,
    newest_at: Timestamp,
}

impl From<Group> for GroupTold {
    fn from(it: Group) -> Self {
        Self {
            of: it.of.code(),
            province: it.province,
            why: it.why,
            count: it.count,
            redrivable: it.able,
            oldest_at: it.oldest,
            newest_at: it.newest,
        }
    }
}

/// One that waits.
#[derive(Debug, Serialize)]
pub(crate) struct ItemTold {
    item: u64,
    province: Option<ProvinceCode>,
    why: String,
    at: Timestamp,
    #[serde(skip_serializing_if = "Option::is_none")]
    case_id: Option<CaseId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    case_number: Option<CaseNumber>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tries: Option<u32>,
    redrivable: bool,
}

impl From<Item> for ItemTold {
    fn from(it: Item) -> Self {
        let Item { item, province, why, at, what } = it;
        let none = Self {
            item,
            province,
            why,
            at,
            case_id: None,
            case_number: None,
            subject: None,
            size_bytes: None,
            tries: None,
            redrivable: true,
        };
        match what {
            Thing::Case(case, number) => {
                Self { case_id: Some(case), case_number: Some(number), ..none }
            }
            Thing::Report(subject, size, tries, redrivable) => Self {
                subject: Some(subject),
                size_bytes: Some(size),
                tries: Some(tries),
                redrivable,
                ..none
            },
        }
    }
}

/// A page of them.
#[derive(Debug, Serialize)]
pub(crate) struct Items {
    items: Vec<ItemTold>,
    /// `after` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<u64>,
}

pub(crate) async fn groups(
    State(rooms): State<Rooms>,
    headers: HeaderMap,
) -> Result<Json<Groups>, Problem> {
    rooms.overseer(&headers)?;
    let groups = rooms.waiting(|it| it.groups()).await?;
    Ok(Json(Groups { groups: groups.into_iter().map(GroupTold::from).collect() }))
}

/// What a list is narrowed to.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Asked {
    of: Option<String>,
    province: Option<ProvinceCode>,
    why: Option<String>,
    since: Option<Timestamp>,
    after: Option<u64>,
    limit: Option<usize>,
}

pub(crate) async fn items(
    State(rooms): State<Rooms>,
    headers: HeaderMap,
    given: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Items>, Problem> {
    rooms.overseer(&headers)?;
    let asked = query(given)?;
    let of = word(asked.of.as_deref(), "of", RedriveOf::of)?;
    let of = of.ok_or_else(|| Problem::new("bad-parameter").detail("of"))?;
    let (after, count_max) = (asked.after.unwrap_or(0), rows(asked.limit));
    let (province, why, since) = (asked.province, asked.why, asked.since);
    let selection =
        RedriveSelection { of, province, why, since, until: i64::MAX as u64, only: vec![] };
    let mut found = list(&rooms, selection, after, count_max + 1).await?;
    let more = found.len() > count_max;
    found.truncate(count_max);
    let next = found.last().map(|it| it.item).filter(|_| more);
    Ok(Json(Items { items: found.into_iter().map(ItemTold::from).collect(), next }))
}

/// Everything in a group, also what can only be looked at; the lowest number first.
pub(crate) async fn list(
    rooms: &Rooms,
    selection: RedriveSelection,
    after: u64,
    count_max: usize,
) -> Result<Vec<Item>, Problem> {
    rooms
        .waiting(move |waiting| match selection.of {
            RedriveOf::ParkedCases => waiting.items(&selection, after, count_max),
            RedriveOf::QuarantinedReports => {
                let filter = KeptFilter {
                    source: selection.province.map(|it| format!("province:{it}")),
                    reason: selection.why,
                    since: selection.since,
                    after,
                    ..KeptFilter::default()
                };
                waiting.reports(&filter, false, count_max)
            }
        })
        .await
}
