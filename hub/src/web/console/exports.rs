//! What leaves the console for a spreadsheet: the list of cases, and how any table is handed out.

use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use jiff::civil::Date;

use super::Visitor;
use super::case::stage_name;
use super::cases::Given;
use super::shell::{Refused, shanghai};
use crate::problem::Problem;
use crate::sheet::{self, Book, Cell, Sheet};
use crate::views::rows::CaseRow;
use crate::web::Rooms;
use crate::words::Language;

/// Most rows of one table for a spreadsheet.
const SHEET_ROWS_MAX: usize = 50_000;
/// Rows read at once, so that no reader stays long.
const ROWS_READ: usize = 500;

/// A file to save, by this name.
pub(super) fn file(name: &str, kind: &'static str, bytes: impl Into<Body>) -> Response {
    let name = format!("attachment; filename=\"{name}\"");
    let headers = [(header::CONTENT_TYPE, kind.to_owned()), (header::CONTENT_DISPOSITION, name)];
    (headers, bytes.into()).into_response()
}

/// A workbook, made where it holds nobody up.
pub(super) async fn workbook(name: &str, book: Book) -> Result<Response, Problem> {
    let made = tokio::task::spawn_blocking(move || sheet::xlsx(&book)).await;
    match made {
        Ok(Ok(bytes)) => Ok(file(name, sheet::XLSX_MEDIA_TYPE, bytes)),
        Ok(Err(error)) => {
            tracing::error!(error = &error as &dyn std::error::Error, "no workbook");
            Err(Problem::new("internal"))
        }
        Err(_panic) => Err(Problem::new("internal")),
    }
}

pub(super) async fn csv(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
    given: Given,
) -> Response {
    match table(&rooms, &visitor, given).await {
        Ok(table) => file("cases.csv", sheet::CSV_MEDIA_TYPE, table.csv()),
        Err(problem) => Refused(visitor, problem).into_response(),
    }
}

pub(super) async fn xlsx(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
    given: Given,
) -> Response {
    let made = async {
        let table = table(&rooms, &visitor, given).await?;
        let day: Date = rooms.clock.today();
        workbook("cases.xlsx", Book { title: "办件 cases".into(), day, sheets: vec![table] }).await
    };
    match made.await {
        Ok(response) => response,
        Err(problem) => Refused(visitor, problem).into_response(),
    }
}

async fn table(rooms: &Rooms, visitor: &Visitor, given: Given) -> Result<Sheet, Problem> {
    let axum::extract::Query(asked) = given.map_err(|_| Problem::new("bad-parameter"))?;
    let (filter, order) = (asked.filter(visitor)?, asked.order()?);
    let mut sheet = Sheet::new(
        "办件 cases",
        [
            "办件号 case",
            "事项 item",
            "类别 category",
            "渠道 channel",
            "省份 province",
            "发证机关 authority",
            "状态 state",
            "结果 outcome",
            "提交 submitted",
            "受理期限 acceptance due",
            "受理 accepted",
            "办结期限 completion due",
            "结束 ended",
            "受理超期 acceptance overdue",
            "办结超期 completion overdue",
            "国家平台号 national number",
        ],
    );
    let mut after = None;
    while sheet.rows.len() < SHEET_ROWS_MAX {
        let narrowed = filter.clone();
        let page =
            rooms.aside(move |views| views.cases_in(&narrowed, order, after, ROWS_READ)).await?;
        sheet.rows.extend(page.rows.iter().map(|it| cells(it).map(Cell::Text).into()));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    Ok(sheet)
}

fn cells(it: &CaseRow) -> [String; 16] {
    let moment = |it: Option<jiff::Timestamp>| it.map(shanghai).unwrap_or_default();
    let yes = |it: bool| if it { "是" } else { "" }.to_owned();
    [
        it.number.to_string(),
        it.item.zh().to_owned(),
        it.category.zh().to_owned(),
        it.channel.zh().to_owned(),
        it.province.map(|it| it.name().to_owned()).unwrap_or_default(),
        it.authority_name.clone(),
        stage_name(it.stage, Language::Chinese).to_owned(),
        it.outcome.map(|it| it.zh().to_owned()).unwrap_or_default(),
        shanghai(it.submitted_at),
        it.acceptance_due.day.to_string(),
        moment(it.accepted_at),
        it.completion_due.as_ref().map(|it| it.day.to_string()).unwrap_or_default(),
        moment(it.ended_at),
        yes(it.acceptance_overdue),
        yes(it.completion_overdue),
        it.client_reference.clone().unwrap_or_default(),
    ]
}
