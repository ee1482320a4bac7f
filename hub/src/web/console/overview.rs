//! The overview and the wall: what came in, what presses, who is silent. Every number comes from the views and leads to its cases.

use askama::Template;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use events::vocabulary::AlertKind;
use jiff::SignedDuration;
use jiff::civil::Date;

use super::day::{self, DayFlow, Today};
use super::shell::{Shell, shanghai, told};
use super::tiles::{self, Drawn, Tile, grouped};
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
/// What is due soon, as the list of cases is asked for it.
const IN_TIME_UNTIL: &str = "?only=in-time&due_from={today}&due_before={until}";

words! { OverviewWords:
    title: "总览", "Overview";
    received: "今日接收", "received today";
    total: "累计", "in all";
    open: "在途", "open";
    open_more: "尚未办结", "not yet ended";
    soon: "临期", "due soon";
    soon_more: "今日或下一工作日到期", "due today or the next working day";
    overdue: "超期", "overdue";
    overdue_more: "在途且已过期限", "open and past a due day";
    completed: "今日办结", "completed today";
    median: "中位时长", "median";
    hour: "小时", "h";
    flow: "近 24 小时收办", "The last 24 hours";
    flow_in: "接收", "received";
    flow_out: "办结或不予受理", "completed or declined";
    flow_table: "逐小时数据", "hour by hour";
    at: "时", "hour";
    completed_more: "通过", "approved";
    denied: "不予通过", "denied";
    waiting: "待签收", "not signed for";
    waiting_more: "省级适配器尚未签收", "not yet signed for by an adapter";
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
    value: String,
    more: String,
    /// The cases behind it; nothing for whoever sees no list of cases.
    link: Option<String>,
    /// What of today is a figure has been counted since the start too.
    total: Option<String>,
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
    let pressures = super::provinces::pressures(rooms).await?;
    let now = rooms.clock.now();
    let since = now - SignedDuration::from_hours(i64::from(day::HOURS));
    let mut flow = rooms.aside(move |views| views.flow_since(since)).await?;
    flow.retain(|it| seen.shows(it.province()));
    let today = day::today(&flow, rooms.clock.today());
    let drawn: Vec<Drawn<'_>> = table
        .iter()
        .map(|it| Drawn {
            province: it,
            pressure: pressures
                .iter()
                .find(|found| found.province == it.code)
                .map_or_else(|| Pressure::none(it.code), Clone::clone),
            away: tiles::is_away(&rooms.membership.province(it.code), now),
        })
        .collect();
    let shell = Shell::of(rooms, visitor).await?;
    let leads = visitor.is() != May::GUEST && !wall;
    let theme = if wall { "dark" } else { shell.theme };
    Ok(Overview {
        shell: Shell { wall, theme, ..shell },
        words,
        figures: figures(&table, &drawn, &today, words, leads.then(|| soon_days(rooms))),
        tiles: tiles::grid(&drawn, language, leads),
        lines: lines(rooms, seen, words, language).await?,
        flow: day::draw(&flow, now),
    })
}

/// Today, and the first day that is no longer soon.
fn soon_days(rooms: &Rooms) -> (Date, Date) {
    let today = rooms.clock.today();
    let soon = rooms.registrar.rules().calendar.due(today, 1).day;
    (today, soon.tomorrow().unwrap_or(soon))
}

/// Each figure and, where `leads` says which days are soon, the way to the cases behind it.
fn figures(
    table: &[Province],
    drawn: &[Drawn<'_>],
    today: &Today,
    words: &OverviewWords,
    leads: Option<(Date, Date)>,
) -> Vec<Figure> {
    let sum = |of: fn(&Province) -> u64| table.iter().map(of).sum::<u64>();
    let press = |of: fn(&Pressure) -> u64| drawn.iter().map(|it| of(&it.pressure)).sum::<u64>();
    let (approved, denied) = (sum(|it| it.completed_approved), sum(|it| it.completed_denied));
    let figure = |kind, label, value, more: &str, asks: &str| Figure {
        kind,
        label,
        value: grouped(value),
        more: more.to_owned(),
        link: leads.map(|(today, until)| {
            let asks = asks.replace("{today}", &today.to_string());
            format!("/cases{}", asks.replace("{until}", &until.to_string()))
        }),
        total: None,
    };
    let of_today =
        |it: Figure, today: u64| Figure { total: Some(it.value), value: grouped(today), ..it };
    let some = |value: u64, kind| if value > 0 { kind } else { "" };
    let (soon, overdue) = (press(|it| it.soon), press(|it| it.overdue));
    let mut outcomes = format!(
        "{} {} · {} {}",
        words.completed_more,
        grouped(approved),
        words.denied,
        grouped(denied)
    );
    if let Some(hours) = today.median_hours {
        outcomes = format!("{} {hours:.1} {} · {outcomes}", words.median, words.hour);
    }
    vec![
        of_today(figure("", words.received, sum(|it| it.received), "", ""), today.received),
        figure("", words.open, press(|it| it.open), words.open_more, "?only=open"),
        figure(some(soon, "soon"), words.soon, soon, words.soon_more, IN_TIME_UNTIL),
        figure(some(overdue, "late"), words.overdue, overdue, words.overdue_more, "?only=overdue"),
        of_today(
            figure("good", words.completed, approved + denied, &outcomes, "?stage=completed"),
            today.completed,
        ),
        figure(
            "",
            words.waiting,
            sum(|it| it.waiting_delivery),
            words.waiting_more,
            "?stage=submitted",
        ),
    ]
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
