//! Alerts: the ladder with its counts, then groups by cause and province, then one by one. Never a storm.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::response::Response;
use events::ids::ProvinceCode;
use serde::Deserialize;

use super::overview::{kind_name, mark};
use super::shell::{Shell, shanghai, told};
use super::tiles::{self, grouped};
use super::words::words;
use super::{Visitor, visitor::encoded};
use crate::problem::Problem;
use crate::views::rows::{AlertGroup, AlertKind, AlertRow};
use crate::web::Rooms;
use crate::web::api::alerts::page;
use crate::web::api::told::{ALERT_KINDS, blame_code};
use crate::words::Language;

/// Rows on a page.
const ROWS: usize = 100;

words! { AlertWords:
    title: "预警", "Alerts";
    ladder: "时限阶梯", "The ladder";
    groups: "按事由和省份", "By cause and province";
    one_by_one: "逐件", "One by one";
    what: "事由", "what";
    province: "省份", "province";
    count: "件数", "cases";
    case: "办件号", "case";
    due: "期限", "due";
    since: "起于", "since";
    state: "状态", "state";
    standing: "仍存在", "standing";
    over: "已解除", "over";
    who: "时间耗在", "time went to";
    none: "没有预警", "no alerts";
    next: "下一页", "next page";
    all: "全部", "all";
    open_only: "仅未解除", "standing only";
    blame_hub: "枢纽", "hub";
    blame_transit: "传输", "transit";
    blame_adapter: "适配器", "adapter";
    blame_desk: "省级经办", "desk";
    blame_applicant: "申请人", "applicant";
}

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    kind: String,
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
    mark: &'static str,
    name: &'static str,
    province: &'static str,
    count: String,
    oldest: String,
}

struct Row {
    mark: &'static str,
    name: &'static str,
    number: String,
    province: &'static str,
    due: String,
    since: String,
    state: &'static str,
    who: &'static str,
}

#[derive(Template)]
#[template(path = "console/alerts.html")]
struct Alerts {
    shell: Shell,
    words: &'static AlertWords,
    ladder: Vec<Step>,
    groups: Vec<Group>,
    rows: Vec<Row>,
    next: Option<String>,
    all: bool,
    kind: String,
}

/// The ladder of an unanswered case, bottom to top, and the alarm of silence.
const LADDER: [AlertKind; 7] = [
    AlertKind::DueSoon,
    AlertKind::AcceptanceOverdue,
    AlertKind::CompletionOverdue,
    AlertKind::Urged,
    AlertKind::SeriouslyOverdue,
    AlertKind::DeemedAccepted,
    AlertKind::NothingCameBack,
];

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
        code => {
            let row = ALERT_KINDS.iter().find(|it| it.1 == code);
            Some(row.ok_or_else(|| bad("kind"))?.0)
        }
    };
    let all = !asked.all.is_empty();
    let after = match asked.after.as_str() {
        "" => None,
        it => Some(it.parse().map_err(|_| bad("after"))?),
    };
    let language = visitor.language;
    let words = AlertWords::of(language);
    let listed = page(rooms, kind, !all, after, ROWS).await?;
    let mut groups = groups(rooms).await?;
    groups.retain(|it| visitor.sees().shows(it.province));
    let address = |after: u64| {
        let all = if all { "&all=yes" } else { "" };
        format!("/alerts?kind={}{all}&after={after}", encoded(&asked.kind))
    };
    Ok(Alerts {
        shell: Shell::of(rooms, visitor).await?,
        words,
        ladder: LADDER.iter().map(|it| step(*it, &groups, language)).collect(),
        groups: groups.iter().map(|it| group(it, language)).collect(),
        rows: listed
            .rows
            .iter()
            .filter(|it| visitor.sees().shows(it.province))
            .map(|it| row(it, words, language))
            .collect(),
        next: listed.next.map(address),
        all,
        kind: asked.kind,
    })
}

/// Every standing alert, counted by cause and province, the gravest first.
async fn groups(rooms: &Rooms) -> Result<Vec<AlertGroup>, Problem> {
    let (now, today) = (rooms.clock.now(), rooms.clock.today());
    let soon = rooms.registrar.rules().calendar.due(today, 1).day;
    let mut groups = rooms.aside(move |views| views.alert_groups(now, today, soon)).await?;
    let rank = |it: &AlertGroup| match mark(it.kind) {
        "grave" => 0,
        "late" => 1,
        "pause" => 2,
        _ => 3,
    };
    groups.sort_by_key(|it| (rank(it), std::cmp::Reverse(it.count)));
    Ok(groups)
}

fn step(kind: AlertKind, groups: &[AlertGroup], language: Language) -> Step {
    let count: u64 = groups.iter().filter(|it| it.kind == kind).map(|it| it.count).sum();
    Step {
        kind: mark(kind),
        code: ALERT_KINDS.iter().find(|it| it.0 == kind).map_or("", |it| it.1),
        name: kind_name(kind, language),
        count: grouped(count),
    }
}

fn name(code: Option<ProvinceCode>, language: Language) -> &'static str {
    code.map_or("–", |it| tiles::name(it, language))
}

fn group(it: &AlertGroup, language: Language) -> Group {
    Group {
        mark: mark(it.kind),
        name: kind_name(it.kind, language),
        province: name(it.province, language),
        count: grouped(it.count),
        oldest: it.oldest.map_or_else(|| "–".to_owned(), shanghai),
    }
}

fn row(it: &AlertRow, words: &'static AlertWords, language: Language) -> Row {
    Row {
        mark: mark(it.kind),
        name: kind_name(it.kind, language),
        number: it.number.to_string(),
        province: name(it.province, language),
        due: it.due.map_or_else(|| "–".to_owned(), |it| it.to_string()),
        since: shanghai(it.raised_at),
        state: if it.ended_at.is_some() { words.over } else { words.standing },
        who: match it.blame.map(blame_code) {
            Some("hub") => words.blame_hub,
            Some("transit") => words.blame_transit,
            Some("adapter") => words.blame_adapter,
            Some("desk") => words.blame_desk,
            Some(_) => words.blame_applicant,
            None => "–",
        },
    }
}
