//! The problem ledger on screen: filtered by its address, a page at a time, each line with the case behind it.

use askama::Template;
use axum::extract::{Extension, Query, State};
use axum::response::{IntoResponse as _, Response};
use events::vocabulary::{Item, Reason};

use super::{Bench, Choice, Given, ReportWords, Wish, facts, page, periods, provinces};
use crate::problem::Problem as No;
use crate::statistics::Period;
use crate::statistics::fold::Figures;
use crate::statistics::ledger::{Entry, Problem, Standing};
use crate::statistics::report::{Kind, blame_words};
use crate::web::Rooms;
use crate::web::console::Visitor;
use crate::web::console::shell::{Refused, Shell, shanghai};
use crate::web::console::words::words;
use crate::words::{Language, either, news, refusal};

/// Lines on a page.
const ROWS: usize = 100;

words! { LedgerWords:
    problem: "问题", "problem";
    state: "状态", "state";
    item: "事项", "item";
    any: "全部", "any";
    number: "办件号", "case";
    at: "记录于", "recorded at";
    due: "期限", "due";
    held: "责任", "held by";
    detail: "具体", "detail";
    explanation: "说明", "explanation";
    unexplained: "未说明", "not explained";
    entries: "条", "entries";
    left_out: "超出列示上限、仅计数：", "beyond the limit, only counted: ";
    none: "没有符合条件的问题", "nothing fits";
    next: "下一页", "next page";
    first: "第一页", "first page";
}

struct Row {
    number: String,
    province: String,
    item: String,
    mark: &'static str,
    problem: &'static str,
    at: String,
    due: String,
    held: &'static str,
    detail: String,
    state: &'static str,
    mended: String,
    note: String,
    who: String,
}

/// What the list is narrowed to.
#[derive(Clone, Copy)]
struct Narrowed {
    problem: Option<Problem>,
    state: Option<Standing>,
    item: Option<Item>,
    page: usize,
}

#[derive(Template)]
#[template(path = "console/ledger.html")]
struct LedgerPage {
    shell: Shell,
    words: &'static ReportWords,
    ledger: &'static LedgerWords,
    kind: &'static str,
    period: String,
    facts: Vec<(&'static str, String)>,
    periods: Vec<Choice>,
    provinces: Vec<Choice>,
    problems: Vec<Choice>,
    states: Vec<Choice>,
    items: Vec<Choice>,
    may_see_all: bool,
    rows: Vec<Row>,
    count: usize,
    left_out: u64,
    csv: String,
    xlsx: String,
    next: String,
    first: String,
    at: u64,
    scope: String,
    may_issue: bool,
    period_code: String,
}

const STANDINGS: [(&str, Standing); 3] =
    [("open", Standing::Open), ("mended", Standing::Mended), ("noted", Standing::Noted)];

pub(in super::super) async fn show(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
    Extension(bench): Extension<Bench>,
    given: Given,
) -> Response {
    let read = given.map_err(|_| No::new("bad-parameter")).and_then(|Query(asked)| {
        let wish = asked.wish(&rooms, &visitor, Kind::Ledger)?.with(Kind::Ledger);
        let chosen = |given: &str, name, of: &dyn Fn(&str) -> bool| {
            if given.is_empty() || of(given) { Ok(()) } else { Err(super::bad(name)) }
        };
        let problem = Problem::ALL.into_iter().find(|it| it.words().0 == asked.problem);
        let state = STANDINGS.into_iter().find(|it| it.0 == asked.state).map(|it| it.1);
        chosen(&asked.problem, "problem", &|_| problem.is_some())?;
        chosen(&asked.state, "state", &|_| state.is_some())?;
        let item = Item::of(&asked.item);
        chosen(&asked.item, "item", &|_| item.is_some())?;
        let page = match asked.page.as_str() {
            "" => 0,
            text => text.parse().map_err(|_| super::bad("page"))?,
        };
        Ok((wish, Narrowed { problem, state, item, page }))
    });
    let (wish, narrowed) = match read {
        Ok(read) => read,
        Err(problem) => return Refused(visitor, problem).into_response(),
    };
    let draw = async |figures: &Figures| draw(&rooms, &visitor, &wish, narrowed, figures).await;
    page(&rooms, &visitor, &bench, &wish, draw).await
}

async fn draw(
    rooms: &Rooms,
    visitor: &Visitor,
    wish: &Wish,
    narrowed: Narrowed,
    figures: &Figures,
) -> Result<LedgerPage, No> {
    let language = visitor.language;
    let english = language == Language::English;
    let fits = |it: &&Entry| {
        narrowed.problem.is_none_or(|problem| it.problem == problem)
            && narrowed.state.is_none_or(|state| it.standing == state)
            && narrowed.item.is_none_or(|item| it.item == item)
    };
    let count = figures.ledger.entries().filter(fits).count();
    let skipped = narrowed.page.saturating_mul(ROWS);
    let rows = figures.ledger.entries().filter(fits).skip(skipped).take(ROWS);
    let at = Some(figures.position);
    let page = |number: usize| {
        let number = number.to_string();
        let state = STANDINGS.iter().find(|it| Some(it.1) == narrowed.state).map_or("", |it| it.0);
        let more = [
            ("problem", narrowed.problem.map_or("", |it| it.words().0)),
            ("state", state),
            ("item", narrowed.item.map_or("", Item::code)),
            ("page", number.as_str()),
        ];
        wish.address("/reports/ledger", at, &more)
    };
    let ledger = LedgerWords::of(language);
    let (problems, states, items) = choices(narrowed, language);
    let present = match wish.period {
        Period::Month(_) => Period::month_of(rooms.clock.today()),
        Period::Quarter(_) => Period::quarter_of(rooms.clock.today()),
    };
    Ok(LedgerPage {
        shell: Shell { live: false, ..Shell::of(rooms, visitor).await? },
        words: ReportWords::of(language),
        ledger,
        kind: Kind::Ledger.words().0,
        period: if english { wish.period.to_string() } else { wish.period.zh() },
        facts: facts(Kind::Ledger, figures, language),
        periods: periods(present, wish.period, language),
        provinces: provinces(visitor, wish.scope),
        problems,
        states,
        items,
        may_see_all: visitor.sees().province().is_none(),
        rows: rows.map(|it| row(it, language)).collect(),
        count,
        left_out: figures.ledger.left_out,
        csv: wish.address("/reports/table.csv", at, &[]),
        xlsx: wish.address("/reports/table.xlsx", at, &[]),
        next: if count > skipped + ROWS { page(narrowed.page + 1) } else { String::new() },
        first: if narrowed.page > 0 { page(0) } else { String::new() },
        at: figures.position.0,
        scope: wish.scope.map(|it| it.to_string()).unwrap_or_default(),
        may_issue: visitor.is() == super::super::May::OPERATOR,
        period_code: wish.period.to_string(),
    })
}

type Choices = (Vec<Choice>, Vec<Choice>, Vec<Choice>);

fn choices(narrowed: Narrowed, language: Language) -> Choices {
    let english = language == Language::English;
    let problems = Problem::ALL.map(|it| {
        let (code, zh, en) = it.words();
        let word = if english { en } else { zh };
        (code.to_owned(), word.to_owned(), Some(it) == narrowed.problem)
    });
    let states = STANDINGS.map(|(code, it)| {
        let (zh, en) = it.words();
        let word = if english { en } else { zh };
        (code.to_owned(), word.to_owned(), Some(it) == narrowed.state)
    });
    let items = Item::ALL.iter().map(|it| {
        let word = if english { it.en() } else { it.zh() };
        (it.code().to_owned(), word.to_owned(), Some(*it) == narrowed.item)
    });
    (problems.into(), states.into(), items.collect())
}

fn row(it: &Entry, language: Language) -> Row {
    let english = language == Language::English;
    let (_, zh, en) = it.problem.words();
    let (state_zh, state_en) = it.standing.words();
    let held = it.blame.map_or(("", ""), blame_words);
    let said = it.explanation.as_ref();
    let mark = match (it.standing, it.problem) {
        (Standing::Open, _) => "late",
        (_, Problem::Conflict | Problem::DeemedAccepted) => "grave",
        _ => "",
    };
    Row {
        number: it.number.to_string(),
        province: it
            .province
            .map_or("–", |it| if english { it.name_en() } else { it.name() })
            .to_owned(),
        item: if english { it.item.en() } else { it.item.zh() }.to_owned(),
        mark,
        problem: if english { en } else { zh },
        at: shanghai(it.at),
        due: it.due.map(|it| it.to_string()).unwrap_or_default(),
        held: if english { held.1 } else { held.0 },
        detail: detail(it, language),
        state: if english { state_en } else { state_zh },
        mended: it.mended_at.map(shanghai).unwrap_or_default(),
        note: said.map(|it| it.note.clone()).unwrap_or_default(),
        who: said.map(|it| format!("{} · {}", it.operator, shanghai(it.at))).unwrap_or_default(),
    }
}

/// What a table holds as a code or in Chinese, in the reader's words; what people wrote stays as it is.
fn detail(it: &Entry, language: Language) -> String {
    match it.problem {
        Problem::Returned => {
            let reason = Reason::ALL.iter().find(|reason| reason.zh() == it.detail);
            reason.map_or(it.detail.as_str(), |it| either(it.zh(), it.en(), language))
        }
        Problem::ReportRefused => refusal(&it.detail, language),
        Problem::Conflict => news(&it.detail, language),
        _ => &it.detail,
    }
    .to_owned()
}
