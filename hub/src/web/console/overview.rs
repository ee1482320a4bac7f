//! The overview and the wall: what came in, what presses, who is silent. Every number comes from the views and leads to its cases.

use askama::Template;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use events::vocabulary::AlertKind;
use jiff::SignedDuration;

use super::counted::{Counted, Lists, SOON};
use super::day::{self, DayFlow, Hour, Today};
use super::shell::{Shell, shanghai, told};
use super::tiles::{self, Drawn, Tile};
use super::words::words;
use super::{May, Seen, Visitor};
use crate::problem::Problem;
use crate::views::rows::{AlertRow, Pressure};
use crate::web::Rooms;
use crate::web::api::told::Province;
use crate::web::api::{alerts, provinces};
use crate::words::{Language, alert};

/// How many alerts are looked at; those of one kind and province are one line.
const ALERTS_LOOKED_AT: usize = 200;
/// How many lines the overview shows.
const LINES_MAX: usize = 8;
words! { OverviewWords:
    title: "总览", "Overview";
    received: "今日接收", "received today";
    total: "累计", "in all";
    open: "在途", "open";
    open_more: "尚未办结", "not yet ended";
    nowhere: "其中尚无省份", "of these with no province yet";
    once: "每件计一次", "each case once";
    soon: "临期", "due soon";
    soon_more: "今日或下一工作日到期", "due today or the next working day";
    overdue: "超期", "overdue";
    overdue_more: "在途且已过期限", "open and past a due day";
    completed: "今日办结", "completed today";
    median: "中位时长", "median";
    hour: "小时", "h";
    flow: "近 24 小时收办", "The last 24 hours";
    flow_in: "接收", "received";
    flow_out: "结束", "ended";
    flow_note: "每件按枢纽记录计一次；结束含办结、不予受理、撤回和逾期未补正", "each case once, by the hub's record; ended: completed, declined, withdrawn or lapsed";
    flow_table: "逐小时数据", "hour by hour";
    at: "时", "hour";
    completed_more: "通过", "approved";
    denied: "不予通过", "denied";
    waiting: "待签收", "not signed for";
    waiting_more: "在途，省级适配器尚未签收", "open, not yet signed for by an adapter";
    tiles: "各省在途与时限", "Provinces: open cases and due days";
    alerts: "最新预警", "Newest alerts";
    none: "没有预警", "no alerts";
    legend: "数字为在途办件数", "the figure is the number of open cases";
    map_note: "示意图，不表示边界", "a diagram; it shows no boundaries";
    online: "在线", "online";
    silent: "未签收", "silent";
    paused: "暂停", "paused";
    maintenance: "维护", "maintenance";
    not_connected: "未接入", "not connected";
    more: "另有", "and";
    due: "期限", "due";
    wall: "大屏", "wall";
}

struct Figure {
    kind: &'static str,
    label: &'static str,
    counted: Counted,
    more: Vec<More>,
}

/// A few words below a figure, with a number of their own or without.
struct More {
    words: String,
    counted: Option<Counted>,
}

struct Line {
    mark: &'static str,
    kind: &'static str,
    number: String,
    under: String,
    when: String,
}

#[derive(Template)]
#[template(path = "console/overview.html")]
struct Overview {
    shell: Shell,
    words: &'static OverviewWords,
    figures: Vec<Figure>,
    tiles: Vec<Tile>,
    lines: Vec<Line>,
    flow: DayFlow,
    hours: Vec<(String, Counted, Counted)>,
}

pub(super) async fn show(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    if visitor.is() == May::ADMIN {
        return Redirect::to("/people").into_response();
    }
    told(&visitor, overview(&rooms, &visitor, false).await)
}

pub(super) async fn wall(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    told(&visitor, overview(&rooms, &visitor, true).await)
}

async fn overview(rooms: &Rooms, visitor: &Visitor, wall: bool) -> Result<Overview, Problem> {
    let language = visitor.language;
    let words = OverviewWords::of(language);
    let seen = visitor.sees();
    let mut table = provinces::table(rooms).await?.provinces;
    table.retain(|it| seen.shows(Some(it.code)));
    let mut pressures = super::provinces::pressures(rooms).await?;
    pressures.retain(|it| seen.shows(it.province));
    let now = rooms.clock.now();
    let since = now - SignedDuration::from_hours(i64::from(day::HOURS));
    let mut flow = rooms.aside(move |views| views.flow_since(since)).await?;
    flow.retain(|it| seen.shows(it.province()));
    let drawn: Vec<Drawn<'_>> = table
        .iter()
        .map(|it| Drawn {
            province: it,
            pressure: super::provinces::pressure_of(&pressures, Some(it.code)),
            away: tiles::is_away(&rooms.membership.province(it.code), now),
        })
        .collect();
    let shell = Shell::of(rooms, visitor).await?;
    let leads = visitor.is() != May::GUEST && !wall;
    let theme = if wall { "dark" } else { shell.theme };
    let lists = Lists::of(rooms, visitor, leads);
    let today = day::today(&flow, rooms.clock.today());
    let flow = day::draw(&flow, now);
    Ok(Overview {
        shell: Shell { wall, theme, ..shell },
        words,
        figures: figures(&table, &pressures, &today, &lists),
        tiles: tiles::grid(&drawn, language, leads),
        lines: lines(rooms, seen, words, language).await?,
        hours: flow.hours.iter().map(|it| hour(it, &lists)).collect(),
        flow,
    })
}

/// What came and what ended in one hour.
fn hour(it: &Hour, lists: &Lists) -> (String, Counted, Counted) {
    let came = lists.received("received-in-hour", it.came, &format!("recorded={}", it.at));
    (it.name.clone(), came, lists.counted("ended-in-hour", it.went, &format!("ended={}", it.at)))
}

/// Each figure and the way to the cases behind it.
fn figures(
    table: &[Province],
    pressures: &[Pressure],
    today: &Today,
    lists: &Lists,
) -> Vec<Figure> {
    let words = OverviewWords::of(lists.language);
    let sum = |of: fn(&Province) -> u64| table.iter().map(of).sum::<u64>();
    let press = |of: fn(&Pressure) -> u64| pressures.iter().map(of).sum::<u64>();
    let said = |it: &str| More { words: it.to_owned(), counted: None };
    let with = |words: &str, it| More { words: words.to_owned(), counted: Some(it) };
    let figure = |kind, label, counted, more| Figure { kind, label, counted, more };
    let some = |value: u64, kind| if value > 0 { kind } else { "" };
    let (soon, overdue) = (press(|it| it.soon), press(|it| it.overdue));
    let all = lists.received("received", sum(|it| it.received), "");
    let came = lists.received("received-today", today.received, "recorded={today}");
    let open = lists.counted("open", press(|it| it.open), "only=open");
    let late = lists.counted("overdue", overdue, "only=overdue");
    let waiting = lists.counted("waiting", sum(|it| it.waiting_delivery), "only=waiting");
    vec![
        figure("", words.received, came, vec![with(words.total, all), said(words.once)]),
        figure("", words.open, open, still_open(pressures, words, lists)),
        figure(
            some(soon, "soon"),
            words.soon,
            lists.counted("soon", soon, SOON),
            vec![said(words.soon_more)],
        ),
        figure(some(overdue, "late"), words.overdue, late, vec![said(words.overdue_more)]),
        completed(table, today, words, lists),
        figure("", words.waiting, waiting, vec![said(words.waiting_more)]),
    ]
}

/// Below what is open: how much of it no province has.
fn still_open(pressures: &[Pressure], words: &OverviewWords, lists: &Lists) -> Vec<More> {
    let mut more = vec![More { words: words.open_more.to_owned(), counted: None }];
    if let Some(it) = pressures.iter().find(|it| it.province.is_none() && it.open > 0) {
        let counted = lists.counted("open-nowhere", it.open, "only=open&province=none");
        more.push(More { words: words.nowhere.to_owned(), counted: Some(counted) });
    }
    more
}

/// Today's completed cases, and all of them by outcome.
fn completed(table: &[Province], today: &Today, words: &OverviewWords, lists: &Lists) -> Figure {
    let sum = |of: fn(&Province) -> u64| table.iter().map(of).sum::<u64>();
    let (approved, denied) = (sum(|it| it.completed_approved), sum(|it| it.completed_denied));
    let with = |words: &str, it| More { words: words.to_owned(), counted: Some(it) };
    let all = lists.counted("completed", approved + denied, "stage=completed");
    let mut more = vec![with(words.total, all)];
    if let Some(hours) = today.median_hours {
        let median = format!("{} {hours:.1} {}", words.median, words.hour);
        more.push(More { words: median, counted: None });
    }
    more.push(with(words.completed_more, lists.counted("approved", approved, "outcome=approved")));
    more.push(with(words.denied, lists.counted("denied", denied, "outcome=denied")));
    Figure {
        kind: "good",
        label: words.completed,
        counted: lists.counted("completed-today", today.completed, "stage=completed&ended={today}"),
        more,
    }
}

async fn lines(
    rooms: &Rooms,
    seen: Seen,
    words: &OverviewWords,
    language: Language,
) -> Result<Vec<Line>, Problem> {
    let newest = alerts::page(rooms, None, true, None, ALERTS_LOOKED_AT).await?;
    let rows: Vec<_> = newest.rows.iter().filter(|it| seen.shows(it.province)).collect();
    Ok(together(&rows).into_iter().map(|(it, more)| line(it, more, words, language)).collect())
}

/// The newest of each kind and province, and how many more there are: counts, never a storm.
fn together<'a>(rows: &[&'a AlertRow]) -> Vec<(&'a AlertRow, usize)> {
    let mut groups: Vec<(&AlertRow, usize)> = Vec::new();
    for row in rows {
        let same =
            |it: &&mut (&AlertRow, usize)| (it.0.kind, it.0.province) == (row.kind, row.province);
        match groups.iter_mut().find(same) {
            Some(group) => group.1 += 1,
            None => groups.push((row, 0)),
        }
    }
    groups.sort_by_key(|it| it.0.kind == AlertKind::DueSoon);
    groups.truncate(LINES_MAX);
    groups
}

fn line(it: &AlertRow, more: usize, words: &OverviewWords, language: Language) -> Line {
    let province = it.province.map_or("–", |code| tiles::name(code, language));
    let more = if more > 0 { format!(" · {} +{more}", words.more) } else { String::new() };
    let due = it.due.map(|it| format!("{} {it}", words.due));
    Line {
        mark: mark(it.kind),
        kind: alert(it.kind, language),
        number: it.number.to_string(),
        under: format!("{province}{more}"),
        when: due.unwrap_or_else(|| shanghai(it.raised_at)),
    }
}

/// The colour and shape of an alert.
pub(super) fn mark(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::DueSoon => "soon",
        AlertKind::AcceptanceOverdue
        | AlertKind::CompletionOverdue
        | AlertKind::Urged
        | AlertKind::NothingCameBack => "late",
        AlertKind::SeriouslyOverdue
        | AlertKind::DeemedAccepted
        | AlertKind::ConflictingDecision => "grave",
        AlertKind::AdapterSilent | AlertKind::QuarantineFull => "late",
        AlertKind::Parked | AlertKind::HeldBack => "pause",
    }
}
