//! Alerts: the ladder with its counts, then groups by cause and province, then one by one. Never a storm.
//!
//! A cause and a province in the address choose a group, a case an alert: then it can be acted on.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::response::Response;
use events::ids::ProvinceCode;
use events::vocabulary::{AlertKind, Stage};
use serde::Deserialize;

use super::alert_messages::{Message, messages};
use super::alert_words::{AlertWords, is_told};
use super::overview::mark;
use super::shell::{Shell, shanghai, told};
use super::tiles::{self, grouped};
use super::{May, Visitor, visitor::encoded};
use crate::accounts::{Account, Role};
use crate::problem::Problem;
use crate::views::acts::{Acts, GroupOf};
use crate::views::pressing::AlertFilter;
use crate::views::rows::{AlertGroup, AlertRow};
use crate::web::Rooms;
use crate::web::api::alerts::narrowed;
use crate::web::api::told::blame_code;
use crate::words::{Language, alert};

/// Rows on a page.
const ROWS: usize = 100;
/// In the address: no province.
const NONE: &str = "none";

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    kind: String,
    province: String,
    case: String,
    stage: String,
    all: String,
    after: String,
}

struct Step {
    kind: &'static str,
    code: &'static str,
    name: &'static str,
    count: String,
}

struct Group {
    /// Where what waits is let in again, if the alert is about that.
    parked: &'static str,
    mark: &'static str,
    name: &'static str,
    province: &'static str,
    here: String,
    count: String,
    oldest: String,
    acts: String,
}

struct Row {
    mark: &'static str,
    name: &'static str,
    number: String,
    here: String,
    province: &'static str,
    due: String,
    since: String,
    state: &'static str,
    who: &'static str,
    acts: String,
}

/// What can be acted on now.
struct Chosen {
    title: String,
    acts: String,
    silenced: bool,
    explainable: bool,
    kind: &'static str,
    province: String,
    case: String,
    stage: String,
    people: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "console/alerts.html")]
struct Alerts {
    shell: Shell,
    words: &'static AlertWords,
    ladder: Vec<Step>,
    groups: Vec<Group>,
    chosen: Option<Chosen>,
    rows: Vec<Row>,
    /// There may be more than are listed of what is told when asked.
    cut: bool,
    next: Option<String>,
    all: bool,
    here: String,
    narrowed: bool,
    messages: Vec<Message>,
    hours: &'static [u32],
}

/// The ladder of an unanswered case, bottom to top, and the alarms of silence.
const LADDER: [AlertKind; 8] = [
    AlertKind::DueSoon,
    AlertKind::AcceptanceOverdue,
    AlertKind::CompletionOverdue,
    AlertKind::Urged,
    AlertKind::SeriouslyOverdue,
    AlertKind::DeemedAccepted,
    AlertKind::NothingCameBack,
    AlertKind::AdapterSilent,
];

/// A cause and a province, from an address or a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) kind: AlertKind,
    pub(super) province: Option<ProvinceCode>,
}

impl Place {
    /// Nothing, if no province is named.
    pub(super) fn read(kind: AlertKind, province: &str) -> Result<Option<Self>, Problem> {
        let province = match province {
            "" => return Ok(None),
            NONE => None,
            code => Some(code.parse().map_err(|_| Problem::at("unknown-value", "/province"))?),
        };
        Ok(Some(Self { kind, province }))
    }

    fn code(self) -> String {
        self.province.map_or_else(|| NONE.to_owned(), |it| it.to_string())
    }

    pub(super) fn address(self) -> String {
        format!("/alerts?kind={}&province={}", self.kind.code(), self.code())
    }

    fn state(self, states: &[GroupOf]) -> Acts {
        let found = states.iter().find(|it| (it.kind, it.province) == (self.kind, self.province));
        found.map(|it| it.state.acts.clone()).unwrap_or_default()
    }
}

/// A clock, from an address or a form; none is none.
pub(super) fn stage(given: &str) -> Result<Option<Stage>, Problem> {
    match given {
        "" => Ok(None),
        code => Stage::of(code).map(Some).ok_or_else(|| Problem::at("unknown-value", "/stage")),
    }
}

pub(super) async fn show(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
    given: Result<Query<Asked>, QueryRejection>,
) -> Response {
    told(&visitor, shown(&rooms, &visitor, given).await)
}

async fn shown(
    rooms: &Rooms,
    visitor: &Visitor,
    given: Result<Query<Asked>, QueryRejection>,
) -> Result<Alerts, Problem> {
    let bad = |name: &str| Problem::new("bad-parameter").detail(name.to_owned());
    let Query(asked) = given.map_err(|_| bad("query"))?;
    let kind = match asked.kind.as_str() {
        "" => None,
        code => Some(AlertKind::of(code).ok_or_else(|| bad("kind"))?),
    };
    let after = match asked.after.as_str() {
        "" => None,
        it => Some(it.parse().map_err(|_| bad("after"))?),
    };
    let place = match kind {
        Some(kind) => Place::read(kind, &asked.province)?,
        None => None,
    };
    if place.is_some_and(|it| !visitor.sees().shows(it.province)) {
        return Err(Problem::new("forbidden"));
    }
    let all = !asked.all.is_empty();
    let province = visitor.sees().province().or(place.and_then(|it| it.province));
    let nowhere = place.is_some_and(|it| it.province.is_none());
    let filter = AlertFilter { kind, province, nowhere, open_only: !all };
    let listed = narrowed(rooms, filter, after, ROWS).await?;
    let (mut groups, states) = standing(rooms).await?;
    groups.retain(|it| visitor.sees().shows(it.province));
    let seen = Seen { visitor, words: AlertWords::of(visitor.language), now: rooms.clock.now() };
    let chosen = match place {
        Some(place) => Some(chosen(rooms, &seen, place, &asked, &groups, &states).await?),
        None => None,
    };
    let here = match place {
        Some(place) => place.address(),
        None => format!("/alerts?kind={}", encoded(&asked.kind)),
    };
    let more = if all { "&all=yes" } else { "" };
    Ok(Alerts {
        shell: Shell::of(rooms, visitor).await?,
        words: seen.words,
        ladder: LADDER.iter().map(|it| step(*it, &groups, visitor.language)).collect(),
        groups: groups.iter().map(|it| seen.group(it, &states)).collect(),
        chosen,
        rows: listed.rows.iter().map(|it| seen.row(it)).collect(),
        cut: listed.rows.iter().filter(|it| is_told(it.kind)).count() >= ROWS,
        next: listed.next.map(|it| format!("{here}{more}&after={it}")),
        all,
        narrowed: kind.is_some(),
        here,
        messages: messages(rooms, &seen).await?,
        hours: super::alert_deeds::HOURS,
    })
}

/// Every standing alert, counted by cause and province, the gravest first; and what was done about them.
async fn standing(rooms: &Rooms) -> Result<(Vec<AlertGroup>, Vec<GroupOf>), Problem> {
    let (now, today) = (rooms.clock.now(), rooms.clock.today());
    let soon = rooms.registrar.rules().calendar.due(today, 1).day;
    let alarms = rooms.alarms.clone();
    let ask = move |views: &crate::views::reader::ViewReader| {
        Ok((alarms.with_alerts(views, now, today, soon)?, views.alert_states()?))
    };
    let (mut groups, states) = rooms.aside(ask).await?;
    let rank = |it: &AlertGroup| match mark(it.kind) {
        "grave" => 0,
        "late" => 1,
        "pause" => 2,
        _ => 3,
    };
    groups.sort_by_key(|it| (rank(it), std::cmp::Reverse(it.count)));
    Ok((groups, states))
}

fn step(kind: AlertKind, groups: &[AlertGroup], language: Language) -> Step {
    let count: u64 = groups.iter().filter(|it| it.kind == kind).map(|it| it.count).sum();
    let (code, name) = (kind.code(), alert(kind, language));
    Step { kind: mark(kind), code, name, count: grouped(count) }
}

/// The group or alert that the address chooses, for whoever may act.
async fn chosen(
    rooms: &Rooms,
    seen: &Seen<'_>,
    place: Place,
    asked: &Asked,
    groups: &[AlertGroup],
    states: &[GroupOf],
) -> Result<Chosen, Problem> {
    let stage = stage(&asked.stage)?;
    let (title, acts) = if asked.case.is_empty() {
        let group = groups.iter().find(|it| (it.kind, it.province) == (place.kind, place.province));
        let oldest = group.and_then(|it| it.oldest);
        let acts = place.state(states).current(place.kind, oldest, seen.now);
        (format!("{} · {}", seen.alert(place.kind), seen.name(place.province)), acts)
    } else {
        let row = rooms.case(&asked.case).await?;
        if !seen.visitor.sees().shows(row.province) {
            return Err(Problem::new("unknown-case"));
        }
        let found = rooms.aside(move |views| views.alert(row.case, place.kind, stage)).await?;
        let acts = found.map(|it| it.acts).unwrap_or_default();
        (format!("{} · {}", seen.alert(place.kind), row.number), acts)
    };
    Ok(Chosen {
        title,
        silenced: acts.silence(seen.now).is_some(),
        acts: seen.acts(&acts, None),
        explainable: super::alert_deeds::clock_of(place.kind, stage).is_some(),
        kind: place.kind.code(),
        province: place.code(),
        case: asked.case.clone(),
        stage: asked.stage.clone(),
        people: if May::OPERATOR.has(seen.visitor.is()) { people(rooms).await? } else { vec![] },
    })
}

/// Whom an alert can be given to.
async fn people(rooms: &Rooms) -> Result<Vec<(String, String)>, Problem> {
    let accounts = rooms.accounts.clone();
    let all = tokio::task::spawn_blocking(move || accounts.list()).await;
    let all = all.map_err(|_| Problem::new("internal"))?;
    let all = all.map_err(|it| crate::web::acting::store_failed(&it))?;
    let named = |it: Account| (it.name, it.display);
    Ok(all.into_iter().filter(may_look_after).map(named).collect())
}

/// Whoever sees alerts and is let in.
pub(super) fn may_look_after(account: &Account) -> bool {
    !account.disabled && !matches!(account.role, Role::Admin)
}

/// Who looks, in which words, and when.
pub(super) struct Seen<'a> {
    pub(super) visitor: &'a Visitor,
    pub(super) words: &'static AlertWords,
    now: jiff::Timestamp,
}

impl Seen<'_> {
    pub(super) fn name(&self, code: Option<ProvinceCode>) -> &'static str {
        code.map_or("–", |it| tiles::name(it, self.visitor.language))
    }

    pub(super) fn alert(&self, kind: AlertKind) -> &'static str {
        alert(kind, self.visitor.language)
    }

    /// What was done, in words; of a group also how much of it was done one by one.
    fn acts(&self, acts: &Acts, group: Option<&AlertGroup>) -> String {
        let words = self.words;
        let mut told = Vec::new();
        if let Some(it) = acts.silence(self.now) {
            let until = shanghai(it.until);
            told.push(format!("{} {until}（{}，{}）", words.silent_until, it.by, it.reason));
        }
        if let Some(it) = &acts.acknowledged {
            told.push(format!("{} {}（{}）", words.acknowledged, it.by, it.note));
        }
        if let Some(it) = &acts.assigned {
            told.push(format!("{} {}", words.assigned, it.to));
        }
        if let Some(it) = group.filter(|it| it.acknowledged > 0) {
            told.push(format!("{} {}", words.one_acknowledged, it.acknowledged));
        }
        if let Some(it) = group.filter(|it| it.silenced > 0) {
            told.push(format!("{} {}", words.one_silenced, it.silenced));
        }
        told.join("；")
    }

    /// The page of what waits for a person, for alerts about it and whoever may see it.
    fn parked(&self, kind: AlertKind) -> &'static str {
        let about = matches!(kind, AlertKind::Parked | AlertKind::QuarantineFull);
        let hidden = May::HOTLINE.has(self.visitor.is());
        if about && !hidden { "/parked" } else { "" }
    }

    fn group(&self, it: &AlertGroup, states: &[GroupOf]) -> Group {
        let place = Place { kind: it.kind, province: it.province };
        let acts = place.state(states).current(it.kind, it.oldest, self.now);
        Group {
            parked: self.parked(it.kind),
            mark: mark(it.kind),
            name: self.alert(it.kind),
            province: self.name(it.province),
            here: place.address(),
            count: grouped(it.count),
            oldest: it.oldest.map_or_else(|| "–".to_owned(), shanghai),
            acts: self.acts(&acts, Some(it)),
        }
    }

    fn row(&self, it: &AlertRow) -> Row {
        let words = self.words;
        let here = Place { kind: it.kind, province: it.province }.address();
        let stage = it.stage.map_or_else(String::new, |it| format!("&stage={it}"));
        Row {
            mark: mark(it.kind),
            name: self.alert(it.kind),
            here: if is_told(it.kind) || it.ended_at.is_some() {
                String::new()
            } else {
                format!("{here}&case={}{stage}", it.number)
            },
            number: it.number.to_string(),
            province: self.name(it.province),
            due: it.due.map_or_else(|| "–".to_owned(), |it| it.to_string()),
            // A day that comes closer has no moment at which it began.
            since: match it.kind {
                AlertKind::DueSoon => "–".to_owned(),
                _ => shanghai(it.raised_at),
            },
            state: if it.ended_at.is_some() { words.over } else { words.standing },
            who: match it.blame.map(blame_code) {
                Some("hub") => words.blame_hub,
                Some("transit") => words.blame_transit,
                Some("adapter") => words.blame_adapter,
                Some("desk") => words.blame_desk,
                Some(_) => words.blame_applicant,
                None => "–",
            },
            acts: self.acts(&it.acts, None),
        }
    }
}
