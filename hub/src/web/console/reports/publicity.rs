//! 宣传推广工作统计表: filled in by a province, summed up for all, and who has not spoken yet.

use std::collections::BTreeMap;

use askama::Template;
use axum::extract::{Extension, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use events::envelope::Actor;
use events::ids::ProvinceCode;
use events::province::PublicityStated;
use events::publicity::{
    ANNEX, FIGURE_MAX, Fulfilment, Month, ROWS, Statement, TEXT_CHARACTERS_MAX,
};
use hub_core::province::ProvinceCommand;

use super::{Bench, Choice, Given, ReportWords, Wish, facts, page, periods, provinces};
use crate::problem::Problem;
use crate::registrar::{Answer, Ask, What};
use crate::sheet::Cell;
use crate::statistics::Period;
use crate::statistics::fold::Figures;
use crate::statistics::publicity::{Punctual, Stated, due, punctual};
use crate::statistics::report::Kind;
use crate::web::Rooms;
use crate::web::console::form::Posted;
use crate::web::console::shell::{Refused, Shell, shanghai};
use crate::web::console::words::words;
use crate::web::console::{May, Visitor};
use crate::words::Language;

words! { PublicityWords:
    number: "序号", "no";
    requirement: "工作要求", "requirement";
    content: "落实内容", "to be told";
    figures: "落实情况（数）", "figures";
    text: "落实情况（文字）", "in words";
    sums: "汇总", "Summed up";
    of_provinces: "已报省份", "provinces that reported";
    bases: "知识库已增加", "knowledge bases extended";
    provinces: "各省报送情况", "By province";
    missing: "未报", "missing";
    way: "方式", "how";
    by_form: "表单", "form";
    by_adapter: "适配器", "adapter";
    state: "报送", "state";
    due: "应于此日前报送", "due by the end of";
    at: "记录于", "recorded at";
    fill: "填报", "Fill in";
    share: "通知企业占比（%）", "carriers told (%)";
    base: "12328 知识库已增加相关内容", "the hotline's knowledge base has it";
    save: "提交并留痕", "hand in and record";
    again: "再次提交以最后一次为准，先前的仍留在日志中", "of several the last counts; the earlier ones stay in the log";
    no_person: "请勿填写个人信息", "no personal data, please";
    not_joined: "该省尚未接入，不能填报", "this province has not joined";
    pick: "选择省份以查看或填报", "choose a province to see or fill in its table";
}

struct SumRow {
    number: usize,
    requirement: &'static str,
    figures: Vec<(&'static str, String)>,
}

struct ProvinceRow {
    name: &'static str,
    mark: &'static str,
    state: &'static str,
    /// By form or by adapter; nothing if nobody spoke.
    way: &'static str,
    by: String,
    at: String,
    link: String,
    own: bool,
}

struct Field {
    number: usize,
    requirement: &'static str,
    content: &'static str,
    first: &'static str,
    first_value: u32,
    second: &'static str,
    second_value: u32,
    text: String,
}

#[derive(Template)]
#[template(path = "console/publicity.html")]
struct PublicityPage {
    shell: Shell,
    words: &'static ReportWords,
    own: &'static PublicityWords,
    kind: &'static str,
    period: String,
    period_code: String,
    month: String,
    due: String,
    facts: Vec<(&'static str, String)>,
    periods: Vec<Choice>,
    sums: Vec<SumRow>,
    spoke: u64,
    by_form: u64,
    by_adapter: u64,
    missing: usize,
    bases: u64,
    provinces: Vec<ProvinceRow>,
    choices: Vec<Choice>,
    /// The province whose table is shown.
    chosen: Option<(String, &'static str)>,
    fields: Vec<Field>,
    share: String,
    base: bool,
    may_fill: bool,
    joined: bool,
    text_max: usize,
    figure_max: u32,
    csv: String,
    xlsx: String,
    at: u64,
    scope: String,
    may_issue: bool,
}

pub(in super::super) async fn show(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
    Extension(bench): Extension<Bench>,
    given: Given,
) -> Response {
    let read = given.map_err(|_| Problem::new("bad-parameter")).and_then(|Query(asked)| {
        let wish = asked.wish(&rooms, &visitor, Kind::Publicity)?.with(Kind::Publicity);
        let Period::Month(month) = wish.period else { return Err(super::bad("period")) };
        // All provinces are summed up, whichever of them is looked at; one province sees its own.
        let chosen = wish.scope;
        Ok((Wish { scope: visitor.sees().province(), ..wish }, month, chosen))
    });
    let (wish, month, chosen) = match read {
        Ok(read) => read,
        Err(problem) => return Refused(visitor, problem).into_response(),
    };
    let draw =
        async |figures: &Figures| draw(&rooms, &visitor, &wish, month, chosen, figures).await;
    page(&rooms, &visitor, &bench, &wish, draw).await
}

async fn draw(
    rooms: &Rooms,
    visitor: &Visitor,
    wish: &Wish,
    month: Month,
    chosen: Option<ProvinceCode>,
    figures: &Figures,
) -> Result<PublicityPage, Problem> {
    let language = visitor.language;
    let english = language == Language::English;
    let sums = figures.publicity.sums(month);
    let all = figures.publicity.of(month);
    let stated = chosen.and_then(|it| all.iter().find(|row| row.0 == it).and_then(|row| row.1));
    let at = Some(figures.position);
    let name = |it: ProvinceCode| if english { it.name_en() } else { it.name() };
    let joined = chosen.is_some_and(|it| rooms.membership.province(it).enrolled);
    let may_fill = May::OPERATOR.or(May::PROVINCE).has(visitor.is()) && chosen.is_some() && joined;
    let present = Period::month_of(rooms.clock.today());
    let statement = stated.map(|it| &it.statement);
    Ok(PublicityPage {
        // A form that is being filled in must not be replaced under somebody's hands.
        shell: Shell { live: false, ..Shell::of(rooms, visitor).await? },
        words: ReportWords::of(language),
        own: PublicityWords::of(language),
        period: if english { wish.period.to_string() } else { wish.period.zh() },
        kind: Kind::Publicity.words().0,
        period_code: wish.period.to_string(),
        month: month.to_string(),
        due: due(month).to_string(),
        facts: facts(Kind::Publicity, figures, language),
        periods: periods(present, wish.period, language),
        sums: sum_rows(&sums.rows, english),
        spoke: sums.provinces,
        by_form: sums.provinces - sums.by_adapter,
        by_adapter: sums.by_adapter,
        missing: all.iter().filter(|it| it.1.is_none()).count(),
        bases: sums.knowledge_bases,
        provinces: {
            let time_left = rooms.clock.today() <= due(month);
            let row = |it: &_| province_row(*it, (month, time_left), chosen, english);
            all.iter().map(row).collect()
        },
        choices: provinces(visitor, chosen),
        chosen: chosen.map(|it| (it.to_string(), name(it))),
        fields: fields(statement, english),
        share: statement
            .and_then(|it| it.carriers_told_share)
            .map_or_else(String::new, |it| format!("{}.{:02}", it / 100, it % 100)),
        base: statement.is_some_and(|it| it.knowledge_base),
        may_fill,
        joined,
        text_max: TEXT_CHARACTERS_MAX,
        figure_max: FIGURE_MAX,
        csv: wish.address("/reports/table.csv", at, &[]),
        xlsx: wish.address("/reports/table.xlsx", at, &[]),
        at: figures.position.0,
        scope: wish.scope.map(|it| it.to_string()).unwrap_or_default(),
        may_issue: visitor.is() == May::OPERATOR,
    })
}

fn sum_rows(sums: &[(u64, u64); ROWS], english: bool) -> Vec<SumRow> {
    let row = |(number, (wanted, sum)): (usize, (events::publicity::Requirement, &(u64, u64)))| {
        let word = |it: (&'static str, &'static str)| if english { it.1 } else { it.0 };
        let mut figures = vec![(word(wanted.first), Cell::Count(sum.0).shown())];
        if !wanted.second.0.is_empty() {
            figures.push((word(wanted.second), Cell::Count(sum.1).shown()));
        }
        SumRow { number, requirement: if english { wanted.en } else { wanted.zh }, figures }
    };
    (1..).zip(ANNEX.into_iter().zip(sums)).map(row).collect()
}

fn province_row(
    (province, stated): (ProvinceCode, Option<&Stated>),
    (month, time_left): (Month, bool),
    chosen: Option<ProvinceCode>,
    english: bool,
) -> ProvinceRow {
    let standing = punctual(month, stated);
    let (zh, en) = standing.words();
    ProvinceRow {
        name: if english { province.name_en() } else { province.name() },
        mark: match standing {
            Punctual::InTime => "good",
            Punctual::Late => "soon",
            Punctual::Missing if time_left => "open",
            Punctual::Missing => "late",
        },
        state: if english { en } else { zh },
        way: way(stated, english),
        by: stated.map(|it| it.by.clone()).unwrap_or_default(),
        at: stated.map(|it| shanghai(it.at)).unwrap_or_default(),
        link: format!("/reports/publicity?period={month}&province={province}"),
        own: chosen == Some(province),
    }
}

fn way(stated: Option<&Stated>, english: bool) -> &'static str {
    let language = if english { Language::English } else { Language::Chinese };
    let words = PublicityWords::of(language);
    match stated {
        None => "",
        Some(it) if it.by_adapter => words.by_adapter,
        Some(_) => words.by_form,
    }
}

fn fields(statement: Option<&Statement>, english: bool) -> Vec<Field> {
    let none = Fulfilment::default();
    let field = |(at, wanted): (usize, events::publicity::Requirement)| {
        let row = statement.and_then(|it| it.rows.get(at)).unwrap_or(&none);
        let word = |it: (&'static str, &'static str)| if english { it.1 } else { it.0 };
        Field {
            number: at + 1,
            requirement: if english { wanted.en } else { wanted.zh },
            content: word(wanted.content),
            first: word(wanted.first),
            first_value: row.first,
            second: word(wanted.second),
            second_value: row.second,
            text: row.text.clone(),
        }
    };
    ANNEX.into_iter().enumerate().map(field).collect()
}

/// What the form brings, by the names of its fields.
type Form = BTreeMap<String, String>;

pub(in super::super) async fn state(
    State(rooms): State<Rooms>,
    Posted(visitor, form): Posted<Form>,
) -> Response {
    match handed_in(&rooms, &visitor, &form).await {
        Ok(address) => Redirect::to(&address).into_response(),
        Err(problem) => Refused(visitor, problem).into_response(),
    }
}

async fn handed_in(rooms: &Rooms, visitor: &Visitor, form: &Form) -> Result<String, Problem> {
    let given = form.get("province").map_or("", String::as_str);
    let province: ProvinceCode =
        given.parse().map_err(|_| Problem::at("unknown-value", "/province"))?;
    if !visitor.sees().shows(Some(province)) {
        return Err(Problem::new("forbidden"));
    }
    let statement = read(form)?;
    if let Some(pointer) = statement.flaw() {
        return Err(Problem::at("out-of-bounds", &pointer));
    }
    let month = statement.month;
    let by = visitor.account()?.name.clone();
    let ask = Ask {
        actor: Actor::Operator(by.clone()),
        occurred_at: rooms.clock.now(),
        caused_by: None,
        what: What::Province {
            province,
            command: ProvinceCommand::StatePublicity(PublicityStated { by, statement, sent: None }),
        },
    };
    match rooms.registrar.ask(ask).await? {
        Answer::Recorded(_) | Answer::NothingNew(_) => {
            Ok(format!("/reports/publicity?period={month}&province={province}"))
        }
        Answer::Refused(refusal) => Err(refusal.into()),
    }
}

fn read(form: &Form) -> Result<Statement, Problem> {
    let text = |name: &str| form.get(name).map_or("", String::as_str);
    let figure = |name: &str| match text(name) {
        "" => Ok(0),
        given => given.parse::<u32>().map_err(|_| Problem::at("bad-form", &format!("/{name}"))),
    };
    let mut rows = Vec::with_capacity(ROWS);
    for at in 1..=ROWS {
        rows.push(Fulfilment {
            first: figure(&format!("first{at}"))?,
            second: figure(&format!("second{at}"))?,
            // A browser sends line ends as two characters; one is as good.
            text: text(&format!("text{at}")).replace("\r\n", "\n"),
        });
    }
    Ok(Statement {
        month: text("month").parse().map_err(|_| Problem::at("bad-form", "/month"))?,
        rows,
        carriers_told_share: share(text("share"))?,
        knowledge_base: !text("base").is_empty(),
    })
}

/// `95` or `95.5` percent, in hundredths.
fn share(text: &str) -> Result<Option<u16>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    let wrong = || Problem::at("bad-form", "/share");
    let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    if !digits(whole) || !digits(part) || whole.len() > 3 || part.len() > 2 {
        return Err(wrong());
    }
    let number = |it: &str| it.parse::<u16>().map_err(|_| wrong());
    let part = number(part)? * if part.len() == 1 { 10 } else { 1 };
    Ok(Some(number(whole)? * 100 + part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_read_in_hundredths_of_a_percent() {
        for (text, hundredths) in
            [("", None), ("95", Some(9_500)), ("95.5", Some(9_550)), ("0.05", Some(5))]
        {
            assert_eq!(share(text).unwrap(), hundredths, "{text}");
        }
        for wrong in ["-1", "1e3", "95.", "95.555", ".5", "1000", "x"] {
            assert!(share(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_province_is_late_only_when_its_day_is_over() {
        let month = Month::of(jiff::civil::date(2026, 4, 2)).unwrap();
        let province = ProvinceCode::all().next().unwrap();
        let mark = |left| province_row((province, None), (month, left), None, true).mark;
        assert_eq!((mark(true), mark(false)), ("open", "late"));
    }
}
