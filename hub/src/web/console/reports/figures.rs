//! The monthly return and the quarterly evaluation on screen and on A4: three tables, every figure with its definition.

use askama::Template;
use axum::extract::{Extension, Query, State};
use axum::response::{IntoResponse as _, Response};
use events::ids::ProvinceCode;
use events::vocabulary::{Category, Channel, Item};

use super::{Asked, Bench, Choice, Given, ReportWords, Wish, facts, page, periods, provinces};
use crate::problem::Problem;
use crate::statistics::Period;
use crate::statistics::definitions::{FIGURES, Figure, HOUSE, Theme};
use crate::statistics::fold::{Dimension, Figures, No};
use crate::statistics::places::prefecture_name_en;
use crate::statistics::report::{self, Kind};
use crate::statistics::tally::Tally;
use crate::web::Rooms;
use crate::web::console::cases::NOWHERE;
use crate::web::console::shell::{Refused, Shell};
use crate::web::console::trend::{self, Trend};
use crate::web::console::{May, Visitor};
use crate::words::{Language, either};

/// Most reasons that the page lists.
const REASONS_MAX: usize = 20;

struct Head {
    id: &'static str,
    name: &'static str,
    meaning: &'static str,
}

struct Cell {
    text: String,
    link: String,
}

struct Row {
    name: String,
    link: String,
    cells: Vec<Cell>,
}

struct Block {
    title: &'static str,
    heads: Vec<Head>,
    rows: Vec<Row>,
    total: Vec<Cell>,
}

struct Definition {
    id: &'static str,
    name: &'static str,
    meaning: &'static str,
    rule: &'static str,
}

#[derive(Template)]
#[template(path = "console/report.html")]
struct ReportPage {
    shell: Shell,
    words: &'static ReportWords,
    kind: &'static str,
    title: &'static str,
    period: String,
    period_code: String,
    facts: Vec<(&'static str, String)>,
    periods: Vec<Choice>,
    provinces: Vec<Choice>,
    dimensions: Vec<Choice>,
    dimension: &'static str,
    blocks: Vec<Block>,
    reasons: Vec<(String, &'static str, &'static str, u64)>,
    definitions: Vec<Definition>,
    csv: String,
    xlsx: String,
    /// The position of the figures, for whoever issues them.
    at: u64,
    scope: String,
    may_issue: bool,
    may_see_all: bool,
    too_old: u64,
    trend: Trend,
    trend_words: (&'static str, &'static str, &'static str, &'static str),
}

pub(in super::super) async fn show(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
    Extension(bench): Extension<Bench>,
    given: Given,
) -> Response {
    let read = given.map_err(|_| Problem::new("bad-parameter")).and_then(|Query(asked)| {
        let wish = asked.wish(&rooms, &visitor, Kind::Monthly)?;
        let by = match asked.by.as_str() {
            "" => Dimension::Province,
            code => Dimension::of(code).ok_or_else(|| super::bad("by"))?,
        };
        if !matches!(wish.kind, Kind::Monthly | Kind::Quarterly) {
            return Err(super::bad("kind"));
        }
        Ok((asked, wish, by))
    });
    let (_asked, wish, by): (Asked, Wish, Dimension) = match read {
        Ok(read) => read,
        Err(problem) => return Refused(visitor, problem).into_response(),
    };
    let draw = async |figures: &Figures| draw(&rooms, &visitor, &wish, by, figures).await;
    page(&rooms, &visitor, &bench, &wish, draw).await
}

async fn draw(
    rooms: &Rooms,
    visitor: &Visitor,
    wish: &Wish,
    by: Dimension,
    figures: &Figures,
) -> Result<ReportPage, Problem> {
    let language = visitor.language;
    let english = language == Language::English;
    let words = ReportWords::of(language);
    let today = rooms.clock.today();
    let (code, _, _) = wish.kind.words();
    let present = match wish.period {
        Period::Month(_) => Period::month_of(today),
        Period::Quarter(_) => Period::quarter_of(today),
    };
    let at = Some(figures.position);
    let dimensions = Dimension::ALL.map(|it| {
        let (code, zh, en) = it.words();
        (code.to_owned(), if english { en } else { zh }.to_owned(), it == by)
    });
    let (_, by_zh, by_en) = by.words();
    Ok(ReportPage {
        // The figures are of one position: the page does not move by itself.
        shell: Shell { live: false, ..Shell::of(rooms, visitor).await? },
        words,
        kind: code,
        title: if wish.kind == Kind::Quarterly { words.quarterly } else { words.monthly },
        period: if english { wish.period.to_string() } else { wish.period.zh() },
        period_code: wish.period.to_string(),
        facts: facts(wish.kind, figures, language),
        periods: periods(present, wish.period, language),
        provinces: provinces(visitor, wish.scope),
        dimensions: dimensions.into(),
        dimension: if english { by_en } else { by_zh },
        blocks: Theme::ALL.map(|it| block(wish, by, it, figures, language)).into(),
        reasons: reasons(figures, language),
        definitions: FIGURES
            .iter()
            .map(|it| Definition {
                id: it.id,
                name: if english { it.en } else { it.zh },
                meaning: if english { it.meaning_en } else { it.meaning_zh },
                rule: match it.rule {
                    HOUSE => either("本枢纽口径", "the hub's own rule", language),
                    paper => paper,
                },
            })
            .collect(),
        csv: wish.address("/reports/table.csv", at, &[]),
        xlsx: wish.address("/reports/table.xlsx", at, &[]),
        at: figures.position.0,
        scope: wish.scope.map(|it| it.to_string()).unwrap_or_default(),
        may_issue: visitor.is() == May::OPERATOR,
        may_see_all: visitor.sees().province().is_none(),
        too_old: figures.cube.too_old,
        trend: trend::draw(&figures.trend(wish.scope)),
        trend_words: (words.came, words.went, words.backlog, words.latest),
    })
}

fn block(wish: &Wish, by: Dimension, theme: Theme, figures: &Figures, language: Language) -> Block {
    let english = language == Language::English;
    let columns: Vec<&Figure> = FIGURES.iter().filter(|it| it.theme == theme).collect();
    let cells = |code: Option<&str>, tally: &Tally| {
        let cell = |it: &&Figure| {
            let text = (it.cell)(tally).shown();
            // Behind nothing there is nothing.
            let nothing = text == "0" || text == "–";
            let link = behind(wish, by, code, it.id, tally, figures);
            Cell { link: if nothing { String::new() } else { link }, text }
        };
        columns.iter().map(cell).collect()
    };
    let row = |(code, tally): (String, &Tally)| Row {
        name: name(by, &code, english),
        link: match by {
            Dimension::Province if !code.is_empty() && wish.scope.is_none() => {
                let own = Wish { scope: code.parse().ok(), ..*wish };
                own.address("/reports/figures", Some(figures.position), &[("by", "prefecture")])
            }
            _ => String::new(),
        },
        cells: cells(Some(&code), tally),
    };
    let (zh, en) = theme.words();
    Block {
        title: if english { en } else { zh },
        heads: columns
            .iter()
            .map(|it| Head {
                id: it.id,
                name: if english { it.en } else { it.zh },
                meaning: if english { it.meaning_en } else { it.meaning_zh },
            })
            .collect(),
        rows: report::groups(figures, by)
            .into_iter()
            .filter(|it| it.1.has_any())
            .map(row)
            .collect(),
        total: cells(None, &figures.cube.total),
    }
}

/// Short names on screen: tables hold the long ones.
fn name(by: Dimension, code: &str, english: bool) -> String {
    let told = match by {
        Dimension::Province => match code.parse::<ProvinceCode>() {
            Ok(it) => return if english { it.name_en() } else { it.name() }.to_owned(),
            Err(_) => Some("no province yet"),
        },
        Dimension::Prefecture => {
            return if english { prefecture_name_en(code) } else { report::group_name(by, code) };
        }
        Dimension::Item => Item::of(code).map(Item::en),
        Dimension::Category => Category::of(code).map(Category::en),
        Dimension::Channel => Channel::of(code).map(Channel::en),
    };
    match told.filter(|_| english) {
        Some(told) => told.to_owned(),
        None => report::group_name(by, code),
    }
}

/// Where the cases behind a figure are listed, if there is such a list.
fn behind(
    wish: &Wish,
    by: Dimension,
    code: Option<&str>,
    id: &str,
    tally: &Tally,
    figures: &Figures,
) -> String {
    if id == "oldest_open" {
        return tally.oldest.as_ref().map_or_else(String::new, |it| format!("/cases/{}", it.1));
    }
    let scope = wish.scope.map(|it| it.to_string()).unwrap_or_default();
    let nowhere = by == Dimension::Province && code == Some("");
    let code = code.unwrap_or_default();
    let mut narrowed = vec![("province", if nowhere { NOWHERE } else { scope.as_str() })];
    match by {
        Dimension::Province if !code.is_empty() => narrowed = vec![("province", code)],
        _ if code.is_empty() => {}
        Dimension::Item => narrowed.push(("item", code)),
        Dimension::Category => narrowed.push(("category", code)),
        Dimension::Channel => narrowed.push(("channel", code)),
        Dimension::Province | Dimension::Prefecture => return String::new(),
    }
    let present = match id {
        // What is open now, while the period lasts; afterwards the list would be another one.
        "open_end" if !figures.complete => "only=open",
        "overdue_end" if !figures.complete => "only=overdue",
        _ => "",
    };
    if !present.is_empty() {
        let more: Vec<String> = narrowed
            .iter()
            .filter(|it| !it.1.is_empty())
            .map(|it| format!("&{}={}", it.0, it.1))
            .collect();
        return format!("/cases?{present}{}", more.concat());
    }
    let problem = match id {
        "acceptance_overdue" => "acceptance-overdue",
        "completion_overdue" => "completion-overdue",
        "acceptance_late" => "acceptance-late",
        "completion_late" => "completion-late",
        "deemed" => "deemed-accepted",
        "returned" => "returned",
        "conflicts" => "conflict",
        "repeated" => "repeated",
        "refused" => "refused",
        "complaints" => "complaint",
        _ => return String::new(),
    };
    let unlisted = matches!(by, Dimension::Category | Dimension::Channel) && !code.is_empty();
    if unlisted || nowhere {
        return String::new();
    }
    let item = narrowed.iter().find(|it| it.0 == "item").map_or("", |it| it.1);
    let province = narrowed.iter().find(|it| it.0 == "province").map_or("", |it| it.1);
    let own = Wish { scope: province.parse().ok(), kind: Kind::Ledger, ..*wish };
    let more = [("problem", problem), ("item", item)];
    own.address("/reports/ledger", Some(figures.position), &more)
}

/// Why provinces said no, the most frequent first.
fn reasons(
    figures: &Figures,
    language: Language,
) -> Vec<(String, &'static str, &'static str, u64)> {
    let english = language == Language::English;
    let mut all: Vec<_> = figures.cube.reasons.iter().collect();
    all.sort_by_key(|it| (std::cmp::Reverse(*it.1), *it.0));
    let told = |((province, reason, no), count): (&(_, events::vocabulary::Reason, No), &u64)| {
        let province: &Option<ProvinceCode> = province;
        let name = province.map_or("–", |it| if english { it.name_en() } else { it.name() });
        let no = match (no, english) {
            (No::Declined, false) => "不予受理",
            (No::Declined, true) => "declined",
            (No::Denied, false) => "不予通过",
            (No::Denied, true) => "denied",
            (No::Returned, false) => "退回",
            (No::Returned, true) => "returned",
        };
        (name.to_owned(), no, if english { reason.en() } else { reason.zh() }, *count)
    };
    all.into_iter().take(REASONS_MAX).map(told).collect()
}
