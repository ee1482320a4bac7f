//! The list of cases: its filters are its address, it starts with the oldest, and it leaves as a table for a spreadsheet.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::response::Response;
use events::ids::ProvinceCode;
use events::vocabulary::{Category, Channel, Item, Outcome};
use serde::Deserialize;

use super::case::{stage_mark, stage_name};
use super::chips::{self, Chip};
use super::saved::{self, Kept};
use super::shell::{Shell, shanghai, to_correct, told};
use super::visitor::encoded;
use super::when::{self, When};
use super::words::words;
use super::{Visitor, hours, tiles};
use crate::accounts::SAVED_NAME_CHARACTERS_MAX;
use crate::problem::Problem;
use crate::views::reader::{CaseFilter, Order};
use crate::views::rows::{CaseRow, CaseStage};
use crate::web::Rooms;
use crate::words::Language;

/// Rows on a page.
const ROWS: usize = 50;
/// In the address: no province.
pub(super) const NOWHERE: &str = "none";

words! { CasesWords:
    title: "办件", "Cases";
    filter: "筛选", "filter";
    clear: "清除", "clear";
    any: "全部", "any";
    province: "省份", "province";
    stage: "状态", "state";
    item: "事项", "item";
    category: "类别", "category";
    channel: "渠道", "channel";
    only: "范围", "which";
    open: "在途", "open";
    in_time: "在途未超期", "open, not overdue";
    overdue: "超期", "overdue";
    ended: "已结束", "ended";
    waiting: "待签收", "not signed for";
    outcome: "结果", "outcome";
    recorded: "接收日", "received on";
    ended_on: "结束日", "ended on";
    routed_first: "首次转到", "first routed to";
    nowhere: "尚无省份", "no province yet";
    active: "当前筛选", "only those with";
    drop: "去掉筛选", "remove the filter";
    due_from: "此日起到期", "due from";
    due_before: "此日前到期", "due before";
    order: "顺序", "order";
    oldest: "最早提交在前", "oldest first";
    newest: "最近提交在前", "newest first";
    number: "办件号", "case";
    submitted: "提交时间", "submitted";
    due: "期限", "due";
    left: "剩余工作小时", "working hours left";
    left_note: "每个工作日 8 小时（9:00–17:00）；时限以工作日 24:00 为准", "eight a working day (9:00–17:00); the due day itself ends at 24:00";
    next: "下一页", "next page";
    first: "第一页", "first page";
    csv: "导出 CSV", "export CSV";
    xlsx: "导出 XLSX", "export XLSX";
    none: "没有符合条件的办件", "no case fits";
    unread: "请先更正标出的日期", "correct the marked day first";
    saved: "常用", "shortcuts";
    own: "我的视图", "my lists";
    keep: "保存当前筛选为", "save these filters as";
    save: "保存", "save";
    forget: "删除", "forget";
    keep_note: "只保存筛选条件，不保存身份证号等搜索内容", "filters only; never what was searched for";
    saved_late: "超期在途", "open and overdue";
    saved_parked: "暂停转办", "parked";
    saved_correct: "待补正", "awaiting correction";
}

/// What the address asks for. Empty values are as good as absent: a form sends them.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    province: String,
    pub(super) first: String,
    stage: String,
    outcome: String,
    item: String,
    category: String,
    channel: String,
    only: String,
    pub(super) due_from: String,
    pub(super) due_before: String,
    pub(super) recorded: String,
    pub(super) ended: String,
    order: String,
    after: String,
}

fn word<T>(given: &str, name: &str, of: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Problem> {
    if given.is_empty() {
        return Ok(None);
    }
    of(given).map(Some).ok_or_else(|| Problem::new("bad-parameter").detail(name.to_owned()))
}

impl Asked {
    pub(super) fn filter(&self, visitor: &Visitor) -> Result<CaseFilter, Problem> {
        let nowhere = self.province == NOWHERE;
        let province = if nowhere { "" } else { &self.province };
        let province = word(province, "province", |it| it.parse().ok())?;
        let own = visitor.sees().province();
        let (open, overdue) = match self.only.as_str() {
            "" => (None, None),
            "open" => (Some(true), None),
            "in-time" => (Some(true), Some(false)),
            "overdue" => (Some(true), Some(true)),
            "ended" => (Some(false), None),
            "waiting" => (Some(true), None),
            _ => return Err(Problem::new("bad-parameter").detail("only")),
        };
        Ok(CaseFilter {
            province: own.or(province),
            nowhere: nowhere && own.is_none(),
            first_province: word(&self.first, "first", |it| it.parse().ok())?,
            stage: word(&self.stage, "stage", CaseStage::of)?,
            outcome: word(&self.outcome, "outcome", Outcome::of)?,
            item: word(&self.item, "item", Item::of)?,
            category: word(&self.category, "category", Category::of)?,
            channel: word(&self.channel, "channel", Channel::of)?,
            client: None,
            open,
            overdue,
            due_from: word(&self.due_from, "due_from", |it| when::day(it).ok())?,
            due_before: word(&self.due_before, "due_before", |it| when::day(it).ok())?,
            waiting: (self.only == "waiting").then_some(true),
            recorded: word(&self.recorded, "recorded", |it| it.parse().ok())?,
            ended: word(&self.ended, "ended", |it| it.parse().ok())?,
        })
    }

    pub(super) fn order(&self) -> Result<Order, Problem> {
        match self.order.as_str() {
            "" | "oldest" => Ok(Order::Oldest),
            "newest" => Ok(Order::Newest),
            _ => Err(Problem::new("bad-parameter").detail("order")),
        }
    }

    /// The days between which they are due, and on which they came and ended, as fields of the form. An
    /// hour has no field: it goes along.
    fn days(&self, words: &CasesWords, language: Language) -> Vec<When> {
        let days = [
            ("due_from", words.due_from, &self.due_from),
            ("due_before", words.due_before, &self.due_before),
            ("recorded", words.recorded, &self.recorded),
            ("ended", words.ended_on, &self.ended),
        ];
        let days = days.into_iter().filter(|it| !chips::is_hour(it.2));
        days.map(|(name, label, given)| When::day(name, label, given, language)).collect()
    }

    /// Every filter by its name.
    pub(super) fn pairs(&self) -> [(&'static str, &String); 13] {
        [
            ("province", &self.province),
            ("first", &self.first),
            ("stage", &self.stage),
            ("outcome", &self.outcome),
            ("item", &self.item),
            ("category", &self.category),
            ("channel", &self.channel),
            ("only", &self.only),
            ("due_from", &self.due_from),
            ("due_before", &self.due_before),
            ("recorded", &self.recorded),
            ("ended", &self.ended),
            ("order", &self.order),
        ]
    }

    /// The address of the same list from `after` on.
    pub(super) fn address(&self, path: &str, after: &str) -> String {
        self.address_without("", path, after)
    }

    /// The same without the filter of this name.
    pub(super) fn address_without(&self, dropped: &str, path: &str, after: &str) -> String {
        let mut parts: Vec<String> = self
            .pairs()
            .iter()
            .filter(|it| !it.1.is_empty() && it.0 != dropped)
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        if !after.is_empty() {
            parts.push(format!("after={after}"));
        }
        if parts.is_empty() { path.to_owned() } else { format!("{path}?{}", parts.join("&")) }
    }
}

struct Row {
    number: String,
    under: String,
    mark: &'static str,
    stage: &'static str,
    province: &'static str,
    submitted: String,
    due: String,
    provisional: bool,
    left: String,
}

/// A choice of a filter: its value, its word, whether it is chosen.
type Choice = (String, String, bool);
/// A filter: its name in the address, its word, its choices.
pub(super) type Select = (&'static str, &'static str, Vec<Choice>);

#[derive(Template)]
#[template(path = "console/cases.html")]
struct Cases {
    shell: Shell,
    words: &'static CasesWords,
    selects: Vec<Select>,
    chips: Vec<Chip>,
    /// Filters that the form has no field for: they go along.
    hidden: Vec<(&'static str, String)>,
    days: Vec<When>,
    /// A day that cannot be read: nothing is listed until it is corrected.
    unread: bool,
    rows: Vec<Row>,
    next: Option<String>,
    first: Option<String>,
    csv: String,
    xlsx: String,
    /// The visitor's own lists, and the present filters for one more of them.
    own: Vec<Kept>,
    present: Vec<(&'static str, String)>,
    may_keep: bool,
    name_max: usize,
}

pub(super) type Given = Result<Query<Asked>, QueryRejection>;

pub(super) async fn show(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
    given: Given,
) -> Response {
    match page(&rooms, &visitor, given).await {
        Ok(page) if page.unread => to_correct(&visitor, Ok(page)),
        page => told(&visitor, page),
    }
}

async fn page(rooms: &Rooms, visitor: &Visitor, given: Given) -> Result<Cases, Problem> {
    let Query(asked) = given.map_err(|_| Problem::new("bad-parameter"))?;
    let language = visitor.language;
    let words = CasesWords::of(language);
    let days = asked.days(words, language);
    let unread = days.iter().any(When::is_wrong);
    let after = word(&asked.after, "after", |it| it.parse::<u64>().ok())?;
    let (found, next) =
        if unread { (vec![], None) } else { list(rooms, visitor, &asked, after).await? };
    let rules = rooms.registrar.rules();
    let now = rooms.clock.now();
    let rows = found.iter().map(|it| {
        let due = it.due_now();
        Row {
            number: it.number.to_string(),
            under: under(it, language),
            mark: stage_mark(it),
            stage: stage_name(it.stage, language),
            province: it.province.map_or(words.nowhere, |code| tiles::name(code, language)),
            submitted: shanghai(it.submitted_at),
            due: due.map_or_else(|| "–".to_owned(), |it| it.day.to_string()),
            provisional: due.is_some_and(|it| it.provisional),
            left: due.map_or_else(
                || "–".to_owned(),
                |it| hours::left(&rules.calendar, now, it.day).to_string(),
            ),
        }
    });
    let selects = selects(&asked, visitor);
    Ok(Cases {
        rows: rows.collect(),
        shell: Shell::of(rooms, visitor).await?,
        words,
        chips: chips::of(&asked, &selects, words, language),
        hidden: chips::hidden(&asked),
        selects,
        next: next.map(|it| asked.address("/cases", &it.to_string())),
        first: after.map(|_| asked.address("/cases", "")),
        csv: asked.address("/cases.csv", ""),
        xlsx: asked.address("/cases.xlsx", ""),
        own: saved::of(rooms, visitor).await?,
        present: asked
            .pairs()
            .into_iter()
            .filter(|it| !it.1.is_empty())
            .map(|(name, value)| (name, value.clone()))
            .collect(),
        may_keep: visitor.account().is_ok() && !unread,
        name_max: SAVED_NAME_CHARACTERS_MAX,
        days,
        unread,
    })
}

/// One page of them, and where the next begins.
async fn list(
    rooms: &Rooms,
    visitor: &Visitor,
    asked: &Asked,
    after: Option<u64>,
) -> Result<(Vec<CaseRow>, Option<u64>), Problem> {
    let (filter, order) = (asked.filter(visitor)?, asked.order()?);
    let page = rooms.aside(move |views| views.cases_in(&filter, order, after, ROWS)).await?;
    Ok((page.rows, page.next))
}

fn under(it: &CaseRow, language: Language) -> String {
    if language == Language::Chinese {
        format!("{} · {}", it.item.zh(), it.category.zh())
    } else {
        format!("{} · {}", it.item.en(), it.category.en())
    }
}

/// Every filter with its choices, the present one marked.
fn selects(asked: &Asked, visitor: &Visitor) -> Vec<Select> {
    let language = visitor.language;
    let words = CasesWords::of(language);
    let chinese = language == Language::Chinese;
    let pick = |zh: &str, en: &str| if chinese { zh.to_owned() } else { en.to_owned() };
    let choice = |present: &str, code: String, text: String| {
        let chosen = present == code;
        (code, text, chosen)
    };
    let with_any = |present: &str, rest: Vec<Choice>| {
        let any = choice(present, String::new(), words.any.to_owned());
        std::iter::once(any).chain(rest).collect::<Vec<_>>()
    };
    let provinces = ProvinceCode::all()
        .filter(|it| visitor.sees().shows(Some(*it)))
        .map(|it| choice(&asked.province, it.to_string(), tiles::name(it, language).to_owned()));
    let nowhere = choice(&asked.province, NOWHERE.into(), words.nowhere.into());
    let nowhere = visitor.sees().province().is_none().then_some(nowhere);
    let outcomes = Outcome::ALL
        .iter()
        .map(|it| choice(&asked.outcome, it.code().into(), pick(it.zh(), it.en())));
    let stages = CaseStage::ALL
        .map(|it| choice(&asked.stage, it.code().into(), stage_name(it, language).into()));
    let items =
        Item::ALL.iter().map(|it| choice(&asked.item, it.code().into(), pick(it.zh(), it.en())));
    let categories = Category::ALL
        .iter()
        .map(|it| choice(&asked.category, it.code().into(), pick(it.zh(), it.en())));
    let channels = Channel::ALL
        .iter()
        .map(|it| choice(&asked.channel, it.code().into(), pick(it.zh(), it.en())));
    let only = [
        ("open", words.open),
        ("in-time", words.in_time),
        ("overdue", words.overdue),
        ("ended", words.ended),
        ("waiting", words.waiting),
    ]
    .map(|it| choice(&asked.only, it.0.into(), it.1.into()));
    let present = if asked.order.is_empty() { "oldest" } else { &asked.order };
    let orders = [("oldest", words.oldest), ("newest", words.newest)]
        .map(|it| choice(present, it.0.into(), it.1.into()));
    vec![
        ("only", words.only, with_any(&asked.only, only.into())),
        ("province", words.province, with_any(&asked.province, provinces.chain(nowhere).collect())),
        ("stage", words.stage, with_any(&asked.stage, stages.into())),
        ("outcome", words.outcome, with_any(&asked.outcome, outcomes.collect())),
        ("item", words.item, with_any(&asked.item, items.collect())),
        ("category", words.category, with_any(&asked.category, categories.collect())),
        ("channel", words.channel, with_any(&asked.channel, channels.collect())),
        ("order", words.order, orders.into()),
    ]
}
