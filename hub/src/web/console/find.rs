//! One box: a case number, the national system's number, an identity number or a certificate number. What is personal never stands in an address, and looking is on record.

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
use crate::views::rows::{CaseRow, CaseStage};
use crate::web::Rooms;
use crate::web::acting::record;
use crate::words::Language;

/// Most cases of one person that are shown.
const FOUND_MAX: usize = 50;
/// Longest text that is looked for, in characters.
const SOUGHT_CHARACTERS_MAX: usize = 64;

words! { FindWords:
    title: "热线查询", "Hotline";
    what: "办件号、国家平台号、身份证号或证件号", "case number, national number, identity number or certificate number";
    find: "查找", "find";
    note: "按身份证号或证件号查询会留痕；号码不会写入日志。", "Looking somebody up is recorded; the number itself is not.";
    none: "没有找到。请核对号码；其他渠道提交的申请不在此系统。", "Nothing found. Check the number; applications made elsewhere are not here.";
    read_out: "可以这样答复", "What to say";
    submitted: "提交", "submitted";
    to_do: "可以这样办", "What to do";
    whole: "查看全部经过", "the whole story";
    complain: "登记投诉", "file a complaint";
}

struct Found {
    number: String,
    mark: &'static str,
    stage: &'static str,
    about: String,
    submitted: String,
    say: String,
    to_do: &'static str,
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
        to_do: to_do(it, language),
    }
}

/// What the clerk can do for somebody who calls.
fn to_do(row: &CaseRow, language: Language) -> &'static str {
    let late = row.acceptance_overdue || row.completion_overdue;
    let (zh, en) = match row.stage {
        CaseStage::AwaitingCorrection => (
            "请申请人在原申请渠道一次补齐所告知的材料；补齐后重新计时。",
            "Ask the caller to send the missing materials where the application was made; the clock then starts anew.",
        ),
        CaseStage::Suspended => (
            "向来电人说明：特别程序期间依法不计时限，结束后继续办理。",
            "Explain that the clock stands still by law and goes on afterwards.",
        ),
        CaseStage::Parked => (
            "转值班员处理；不必让申请人重新提交。",
            "Tell the operator on duty; the caller need not apply again.",
        ),
        CaseStage::Completed => (
            "请来电人在原申请渠道查看结果；准予的可申领电子证照。",
            "The result is where the application was made; an approved one brings the e-certificate.",
        ),
        CaseStage::Declined | CaseStage::Withdrawn | CaseStage::Lapsed => (
            "请来电人查看原申请渠道的告知书；条件具备后可以重新申请。",
            "The notice is where the application was made; a new application is possible.",
        ),
        _ if late => (
            "已过期限：登记投诉，枢纽已向该省催办；不要让申请人重复提交。",
            "The due day has passed: file a complaint; the province is being urged. The caller should not apply again.",
        ),
        _ => (
            "仍在期限内：告知期限日，请来电人届时再查。",
            "It is within its time: name the due day and ask the caller to look again then.",
        ),
    };
    if language == Language::Chinese { zh } else { en }
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
    record(
        rooms,
        &operator,
        "look-up",
        "cases by a national, identity or certificate number".to_owned(),
    )
    .await?;
    let fields = ["identity", "certificate", "national"];
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
