//! 异常: what waits for a person, in groups; one group item by item; what was ordered and how far it has come.

use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::response::Response;
use events::ids::ProvinceCode;
use events::keeping::redrive::{RedriveOf, RedriveSelection};
use hub_core::redrive::Phase;
use serde::Deserialize;

use super::parked_words::{ParkedWords, outcome, phase, reason};
use super::shell::{Shell, shanghai, told};
use super::tiles::{self, grouped};
use super::visitor::encoded;
use super::when::When;
use super::{May, Visitor};
use crate::problem::Problem;
use crate::redrive::{Item, Thing};
use crate::views::redrives::RedriveRow;
use crate::web::Rooms;
use crate::web::again::Preview;
use crate::web::api::admin::fresh_id;
use crate::web::api::dead_letters::list;

/// Items and orders on one page.
const ROWS: usize = 50;
const JOBS: usize = 20;

/// A group, from an address or a form.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    pub(super) of: String,
    pub(super) province: String,
    pub(super) why: String,
    pub(super) items: String,
    after: String,
}

/// Which group is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) of: RedriveOf,
    pub(super) province: Option<ProvinceCode>,
    pub(super) why: String,
}

impl Place {
    /// Nothing, if none is named.
    pub(super) fn read(of: &str, province: &str, why: &str) -> Result<Option<Self>, Problem> {
        if of.is_empty() {
            return Ok(None);
        }
        let of = RedriveOf::of(of).ok_or_else(|| Problem::at("unknown-value", "/of"))?;
        let province = match province {
            "" => None,
            code => Some(code.parse().map_err(|_| Problem::at("unknown-value", "/province"))?),
        };
        Ok(Some(Self { of, province, why: why.to_owned() }))
    }

    pub(super) fn address(&self) -> String {
        let province = self.province.map_or_else(String::new, |it| it.to_string());
        format!("/parked?of={}&province={province}&why={}", self.of.code(), encoded(&self.why))
    }
}

struct Group {
    of: &'static str,
    province: &'static str,
    why: String,
    code: String,
    count: String,
    able: String,
    oldest: String,
    newest: String,
    here: String,
}

struct Row {
    item: u64,
    at: String,
    what: String,
    /// Where its inside is shown.
    inside: String,
    size: String,
    tries: String,
    able: bool,
    only: String,
}

struct Chosen {
    title: String,
    of: &'static str,
    province: String,
    why: String,
    rows: Vec<Row>,
    next: Option<String>,
    may_act: bool,
    /// A group that no province is named of can only be looked at.
    able: bool,
    parked: bool,
    provinces: Vec<(String, &'static str)>,
    filled: Filled,
    since: When,
}

/// What somebody has typed, to be corrected or ordered.
#[derive(Debug, Clone, Default)]
pub(super) struct Filled {
    pub(super) items: String,
    pub(super) since: String,
    pub(super) per_minute: String,
    pub(super) route_to: String,
    pub(super) note: String,
}

struct Counted {
    redrive: String,
    until: u64,
    count: u64,
    minutes: String,
    needs_second: bool,
    oldest: String,
    examples: Vec<String>,
}

struct Job {
    id: String,
    what: String,
    ordered: String,
    reason: String,
    confirmed: String,
    mark: &'static str,
    state: &'static str,
    done: u64,
    count: u64,
    per_minute: u32,
    outcomes: String,
    may_confirm: bool,
    own: bool,
    may_pause: bool,
    may_resume: bool,
    may_cancel: bool,
}

#[derive(Template)]
#[template(path = "console/parked.html")]
pub(super) struct Parked {
    shell: Shell,
    words: &'static ParkedWords,
    groups: Vec<Group>,
    chosen: Option<Chosen>,
    counted: Option<Counted>,
    jobs: Vec<Job>,
}

pub(super) async fn show(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
    given: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let shown = async {
        let bad = || Problem::new("bad-parameter").detail("query");
        let Query(asked) = given.map_err(|_| bad())?;
        let place = Place::read(&asked.of, &asked.province, &asked.why)?;
        let per_minute = rooms.redrive.per_minute.to_string();
        let filled = Filled { items: asked.items.clone(), per_minute, ..Filled::default() };
        let after = match asked.after.as_str() {
            "" => 0,
            it => it.parse().map_err(|_| bad())?,
        };
        page(&rooms, &visitor, place, after, filled, None).await
    };
    told(&visitor, shown.await)
}

/// The page, with what somebody has counted first.
pub(super) async fn page(
    rooms: &Rooms,
    visitor: &Visitor,
    place: Option<Place>,
    after: u64,
    filled: Filled,
    preview: Option<Preview>,
) -> Result<Parked, Problem> {
    let sees = visitor.sees();
    if place.as_ref().is_some_and(|it| !sees.shows(it.province)) {
        return Err(Problem::new("forbidden"));
    }
    let words = ParkedWords::of(visitor.language);
    let groups = rooms.waiting(|it| it.groups()).await?;
    let groups = groups.iter().filter(|it| sees.shows(it.province)).map(|it| {
        let place = Place { of: it.of, province: it.province, why: it.why.clone() };
        Group {
            of: kind(it.of, words),
            province: it.province.map_or("–", |it| tiles::name(it, visitor.language)),
            why: reason(&it.why, visitor.language),
            code: it.why.clone(),
            count: grouped(it.count),
            able: grouped(it.able),
            oldest: shanghai(it.oldest),
            newest: shanghai(it.newest),
            here: place.address(),
        }
    });
    let jobs = rooms.aside(|views| views.redrives(None, JOBS)).await?;
    let jobs =
        jobs.rows.iter().filter(|it| sees.shows(it.selection.province) || !is_province(visitor));
    Ok(Parked {
        shell: Shell::of(rooms, visitor).await?,
        words,
        groups: groups.collect(),
        jobs: jobs.map(|it| job(it, visitor, words)).collect(),
        chosen: match place {
            Some(place) => Some(chosen(rooms, visitor, place, after, filled).await?),
            None => None,
        },
        counted: preview.map(|it| counted(rooms, it)),
    })
}

fn is_province(visitor: &Visitor) -> bool {
    visitor.sees().province().is_some()
}

fn kind(of: RedriveOf, words: &ParkedWords) -> &'static str {
    match of {
        RedriveOf::ParkedCases => words.cases,
        RedriveOf::QuarantinedReports => words.reports,
    }
}

async fn chosen(
    rooms: &Rooms,
    visitor: &Visitor,
    place: Place,
    after: u64,
    filled: Filled,
) -> Result<Chosen, Problem> {
    let words = ParkedWords::of(visitor.language);
    let (of, province, why) = (place.of, place.province, Some(place.why.clone()));
    let until = i64::MAX as u64;
    let selection = RedriveSelection { of, province, why, since: None, until, only: vec![] };
    let mut found = list(rooms, selection, after, ROWS + 1).await?;
    let more = found.len() > ROWS;
    found.truncate(ROWS);
    let here = place.address();
    let next = found.last().filter(|_| more).map(|it| format!("{here}&after={}", it.item));
    let name = province.map_or("–", |it| tiles::name(it, visitor.language));
    let named = |it: ProvinceCode| (it.to_string(), tiles::name(it, visitor.language));
    Ok(Chosen {
        title: format!("{} · {name} · {}", kind(of, words), reason(&place.why, visitor.language)),
        of: of.code(),
        province: province.map_or_else(String::new, |it| it.to_string()),
        why: place.why,
        rows: found.into_iter().map(|it| row(it, &here)).collect(),
        next,
        may_act: May::OPERATOR.has(visitor.is()),
        able: province.is_some(),
        parked: of == RedriveOf::ParkedCases,
        provinces: ProvinceCode::all().map(named).collect(),
        since: When::moment("since", words.since, &filled.since, visitor.language),
        filled,
    })
}

fn row(it: Item, here: &str) -> Row {
    let only = format!("{here}&items={}#again", it.item);
    let (item, at) = (it.item, shanghai(it.at));
    match it.what {
        Thing::Case(_, number) => Row {
            item,
            at,
            inside: format!("/cases/{number}"),
            what: number.to_string(),
            size: String::new(),
            tries: String::new(),
            able: true,
            only,
        },
        Thing::Report(subject, size, tries, able) => Row {
            item,
            at,
            inside: format!("/parked/{item}"),
            what: subject,
            size: grouped(size),
            tries: tries.to_string(),
            able,
            only,
        },
    }
}

fn counted(rooms: &Rooms, it: Preview) -> Counted {
    let example = |it: Item| match it.what {
        Thing::Case(_, number) => number.to_string(),
        Thing::Report(subject, ..) => format!("{} {subject}", it.item),
    };
    Counted {
        redrive: fresh_id(rooms).to_string(),
        until: it.selection.until,
        count: it.count,
        minutes: grouped(it.seconds.div_ceil(60)),
        needs_second: it.needs_second,
        oldest: it.oldest.map_or_else(|| "–".to_owned(), shanghai),
        examples: it.examples.into_iter().map(example).collect(),
    }
}

fn job(it: &RedriveRow, visitor: &Visitor, words: &ParkedWords) -> Job {
    let language = visitor.language;
    let (mark, state) = phase(it.phase, language);
    let province = it.selection.province.map_or("–", |it| tiles::name(it, language));
    let why = it.selection.why.as_deref().map_or_else(String::new, |it| reason(it, language));
    let told = |(code, count): (&String, &u64)| format!("{} {count}", outcome(code, language));
    let outcomes: Vec<String> = it.outcomes.iter().map(told).collect();
    let operator = May::OPERATOR.has(visitor.is());
    let own = visitor.account().is_ok_and(|account| account.name == it.operator);
    let person = |(who, at): &(String, _)| format!("{who} {}", shanghai(*at));
    Job {
        id: it.redrive.to_string(),
        what: format!("{} · {province} · {why}", kind(it.selection.of, words)),
        ordered: format!("{} {}", it.operator, shanghai(it.at)),
        reason: it.reason.clone(),
        confirmed: it.confirmed.as_ref().map_or_else(|| "–".to_owned(), person),
        mark,
        state,
        done: it.done(),
        count: it.count.max(it.done()),
        per_minute: it.per_minute,
        outcomes: outcomes.join("；"),
        may_confirm: operator && it.phase == Phase::Waiting && !own,
        own: own && it.phase == Phase::Waiting,
        may_pause: operator && it.phase == Phase::Running,
        may_resume: operator && it.phase == Phase::Paused,
        may_cancel: operator && !it.phase.has_ended(),
    }
}
