//! One box: a case number, an identity number or a certificate number. What is personal never stands in an address, and looking is on record.

use askama::Template;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use events::ids::CaseNumber;
use serde::Deserialize;

use super::case::{stage_mark, stage_name, where_now};
use super::form::Posted;
use super::shell::{Refused, Shell, shanghai, told};
use super::words::words;
use super::{Visitor, tiles};
use crate::problem::Problem;
use crate::views::rows::CaseRow;
use crate::web::Rooms;
use crate::web::acting::record;
use crate::words::Language;

/// Most cases of one person that are shown.
const FOUND_MAX: usize = 50;
/// Longest text that is looked for, in characters.
const SOUGHT_CHARACTERS_MAX: usize = 64;

words! { FindWords:
    title: "热线查询", "Hotline";
    what: "办件号、身份证号或证件号", "case number, identity number or certificate number";
    find: "查找", "find";
    note: "按身份证号或证件号查询会留痕；号码不会写入日志。", "Looking somebody up is recorded; the number itself is not.";
    none: "没有找到。请核对号码；其他渠道提交的申请不在此系统。", "Nothing found. Check the number; applications made elsewhere are not here.";
    read_out: "可以这样答复", "What to say";
    submitted: "提交", "submitted";
}

struct Found {
    number: String,
    mark: &'static str,
    stage: &'static str,
    about: String,
    submitted: String,
    say: String,
}

#[derive(Template)]
#[template(path = "console/find.html")]
struct Find {
    shell: Shell,
    words: &'static FindWords,
    asked: bool,
    found: Vec<Found>,
}

#[derive(Deserialize)]
pub(super) struct Sought {
    sought: String,
}

pub(super) async fn show(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    page(&rooms, &visitor, false, Vec::new()).await
}

async fn page(rooms: &Rooms, visitor: &Visitor, asked: bool, rows: Vec<CaseRow>) -> Response {
    let language = visitor.language;
    let shell = Shell::of(rooms, visitor).await;
    let found = rows.iter().map(|it| found(it, language)).collect();
    let words = FindWords::of(language);
    told(visitor, shell.map(|it| Find { shell: Shell { live: false, ..it }, words, asked, found }))
}

fn found(it: &CaseRow, language: Language) -> Found {
    let province = it.province.map_or("–", |code| tiles::name(code, language));
    let about = if language == Language::Chinese {
        format!("{} · {} · {province}", it.item.zh(), it.category.zh())
    } else {
        format!("{} · {} · {province}", it.item, it.category)
    };
    Found {
        number: it.number.to_string(),
        mark: stage_mark(it),
        stage: stage_name(it.stage, language),
        about,
        submitted: shanghai(it.submitted_at),
        say: where_now(it, language),
    }
}

pub(super) async fn find(
    State(rooms): State<Rooms>,
    Posted(visitor, Sought { sought }): Posted<Sought>,
) -> Response {
    let sought = sought.trim().to_uppercase();
    if sought.chars().count() > SOUGHT_CHARACTERS_MAX || sought.is_empty() {
        return page(&rooms, &visitor, true, Vec::new()).await;
    }
    if sought.parse::<CaseNumber>().is_ok() {
        return Redirect::to(&format!("/cases/{sought}")).into_response();
    }
    match look_up(&rooms, &visitor, sought).await {
        Ok(rows) => page(&rooms, &visitor, true, rows).await,
        Err(problem) => Refused(visitor, problem).into_response(),
    }
}

/// By the keyed index, after it is on record that somebody looks.
async fn look_up(
    rooms: &Rooms,
    visitor: &Visitor,
    sought: String,
) -> Result<Vec<CaseRow>, Problem> {
    let operator = visitor.account()?.name.clone();
    record(rooms, &operator, "look-up", "cases by identity or certificate".to_owned()).await?;
    let fields = ["identity", "certificate"];
    let indexes = fields.map(|it| (it, rooms.opener.blind_index(it, &sought)));
    let mut rows = rooms
        .aside(move |views| {
            let mut ids = Vec::new();
            for (field, index) in indexes {
                ids.extend(views.cases_by_index(field, &index)?);
            }
            ids.sort_unstable();
            ids.dedup();
            // Ids grow with time: the newest are last.
            let newest = ids.into_iter().rev().take(FOUND_MAX);
            newest.filter_map(|it| views.case(it).transpose()).collect::<Result<Vec<_>, _>>()
        })
        .await?;
    rows.retain(|it| visitor.sees().shows(it.province));
    Ok(rows)
}
