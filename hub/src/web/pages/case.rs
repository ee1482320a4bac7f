//! One case: its due days in words with the paper each rests on, and its story as it can be read out.

use askama::Template;
use axum::body::Body;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::Response;
use events::ids::StreamName;

use super::overview::name;
use super::words::Words;
use super::{Asked, as_of, language, page, shanghai};
use crate::problem::Problem;
use crate::registrar::case_event;
use crate::views::rows::CaseRow;
use crate::web::Rooms;
use crate::words::{self, Language};

#[derive(Template)]
#[template(path = "case.html")]
struct OneCase {
    words: &'static Words,
    as_of: String,
    lapse: u32,
    number: String,
    about: String,
    dues: Vec<String>,
    steps: Vec<Step>,
}

struct Step {
    position: u64,
    at: String,
    told: String,
}

pub(super) async fn show(
    State(rooms): State<Rooms>,
    Path(number): Path<String>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response<Body> {
    page(one_case(&rooms, &number, language(asked)).await)
}

async fn one_case(rooms: &Rooms, number: &str, language: Language) -> Result<OneCase, Problem> {
    let row = rooms.case(number).await?;
    let stream = StreamName::Case(row.case);
    let story = rooms.readers.read_aside(move |log| log.read_stream(&stream)).await?;
    let words = Words::of(language);
    let steps = story.iter().filter_map(|it| {
        let told = words::told(case_event(it)?, language);
        Some(Step { position: it.position.0, at: shanghai(it.recorded_at), told })
    });
    Ok(OneCase {
        words,
        as_of: as_of(rooms, words).await?,
        lapse: rooms.clock.rate(),
        number: row.number.to_string(),
        about: about(&row, language),
        dues: dues(&row, words, language),
        steps: steps.collect(),
    })
}

fn about(row: &CaseRow, language: Language) -> String {
    let province = row.province.map_or("–", |it| name(it, language));
    match language {
        Language::Chinese => {
            let (item, category) = (row.item.zh(), row.category.zh());
            format!("{item} · {category} · {} · {province}", row.channel.zh())
        }
        Language::English => {
            format!("{} · {} · {} · {province}", row.item, row.category, row.channel)
        }
    }
}

/// Colour is never the only sign: the verdict is a word.
fn dues(row: &CaseRow, words: &Words, language: Language) -> Vec<String> {
    let verdict = |overdue: bool, answered: bool| match (overdue, answered) {
        (true, _) => words.missed,
        (false, true) => words.met,
        (false, false) => words.running,
    };
    let answered = row.accepted_at.is_some() || row.ended_at.is_some();
    let first = words::due_in_words(&row.acceptance_due, language);
    let mut lines = vec![format!(
        "{}: {first} · {}",
        words.acceptance,
        verdict(row.acceptance_overdue, answered)
    )];
    if let Some(due) = &row.completion_due {
        let second = words::due_in_words(due, language);
        let verdict = verdict(row.completion_overdue, row.ended_at.is_some());
        lines.push(format!("{}: {second} · {verdict}", words.completion));
    }
    lines
}
