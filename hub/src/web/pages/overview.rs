//! The overview: figures, newest alerts, the league table. Every number comes from the views.

use askama::Template;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::Response;
use events::ids::ProvinceCode;

use super::words::Words;
use super::{Asked, as_of, language, page, shanghai};
use crate::problem::Problem;
use crate::views::rows::AlertRow;
use crate::web::Rooms;
use crate::web::api::told::{ALERT_KINDS, Province};
use crate::web::api::{alerts, provinces};
use crate::words::Language;

/// How many alerts are looked at; those of one kind and province are one line.
const ALERTS_LOOKED_AT: usize = 200;
/// How many lines the overview shows.
const ALERT_LINES_MAX: usize = 16;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    words: &'static Words,
    as_of: String,
    lapse: u32,
    figures: Vec<(&'static str, u64)>,
    alerts: Vec<AlertLine>,
    heads: Vec<&'static str>,
    provinces: Vec<ProvinceLine>,
}

struct AlertLine {
    kind: &'static str,
    number: String,
    more: String,
    province: &'static str,
    due: String,
    since: String,
    state: &'static str,
}

struct ProvinceLine {
    name: &'static str,
    state: &'static str,
    cells: Vec<u64>,
    heard: String,
}

pub(super) async fn show(
    State(rooms): State<Rooms>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response<Body> {
    page(overview(&rooms, language(asked)).await)
}

async fn overview(rooms: &Rooms, language: Language) -> Result<Overview, Problem> {
    let words = Words::of(language);
    let table = provinces::table(rooms).await?.provinces;
    let newest = alerts::page(rooms, None, false, None, ALERTS_LOOKED_AT).await?;
    let columns = columns(words);
    let sum = |of: fn(&Province) -> u64| table.iter().map(of).sum();
    Ok(Overview {
        words,
        as_of: as_of(rooms, words).await?,
        lapse: rooms.clock.rate(),
        figures: columns.iter().map(|it| (it.0, sum(it.1))).collect(),
        alerts: grouped(&newest.rows)
            .into_iter()
            .map(|(it, more)| alert_line(it, more, words, language))
            .collect(),
        heads: columns.iter().map(|it| it.0).collect(),
        provinces: table.iter().map(|it| province_line(it, words, language)).collect(),
    })
}

type Column = (&'static str, fn(&Province) -> u64);

fn columns(words: &'static Words) -> [Column; 9] {
    [
        (words.received, |it| it.received),
        (words.open, |it| it.open),
        (words.waiting, |it| it.waiting_delivery),
        (words.approved, |it| it.completed_approved),
        (words.denied, |it| it.completed_denied),
        (words.declined, |it| it.declined),
        (words.on_time, |it| it.on_time),
        (words.reported_late, |it| it.reported_late),
        (words.overdue, |it| it.overdue),
    ]
}

fn province_line(it: &Province, words: &'static Words, language: Language) -> ProvinceLine {
    let state = match (it.enrolled, it.paused) {
        (false, _) => words.not_connected,
        (true, true) => words.paused,
        (true, false) => words.connected,
    };
    ProvinceLine {
        name: name(it.code, language),
        state,
        cells: columns(words).iter().map(|column| column.1(it)).collect(),
        heard: it.last_heard_at.map_or_else(|| "–".to_owned(), shanghai),
    }
}

/// The newest of each kind and province, and how many more there are: counts, never a storm.
fn grouped(rows: &[AlertRow]) -> Vec<(&AlertRow, usize)> {
    let mut groups: Vec<(&AlertRow, usize)> = Vec::new();
    for row in rows {
        let same = |it: &&mut (&AlertRow, usize)| {
            (it.0.kind, it.0.province, it.0.ended_at.is_some())
                == (row.kind, row.province, row.ended_at.is_some())
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.1 += 1,
            None => groups.push((row, 0)),
        }
    }
    groups.truncate(ALERT_LINES_MAX);
    groups
}

fn alert_line(it: &AlertRow, more: usize, words: &'static Words, language: Language) -> AlertLine {
    let kind = ALERT_KINDS.iter().find(|known| known.0 == it.kind);
    AlertLine {
        kind: kind.map_or("", |it| if language == Language::English { it.3 } else { it.2 }),
        number: it.number.to_string(),
        more: if more > 0 { format!("+{more}") } else { String::new() },
        province: it.province.map_or("–", |it| name(it, language)),
        due: it.due.map_or_else(|| "–".to_owned(), |it| it.to_string()),
        since: shanghai(it.raised_at),
        state: if it.ended_at.is_some() { words.over } else { words.standing },
    }
}

/// A province in the reader's language.
pub(super) fn name(code: ProvinceCode, language: Language) -> &'static str {
    if language == Language::English { code.name_en() } else { code.name() }
}
