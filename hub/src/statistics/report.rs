//! The tables that leave the hub: one rectangular table as CSV, and a workbook with every grouping and every definition.

use events::vocabulary::{Category, Channel, Item};
use hub_core::calendar::shanghai_date;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use super::definitions::{FIGURES, REVISION};
use super::fold::{Dimension, Figures, No};
use super::places::prefecture_name;
use super::tally::Tally;
use crate::sheet::{Book, Cell, Sheet};
use crate::views::rows::Blame;

mod lines;

use lines::{ledger_table, publicity_sums, publicity_table};

/// Which report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// 月报: the figures of a month.
    Monthly,
    /// 季度评价: the same figures of a quarter, under the evaluation's heads.
    Quarterly,
    /// 问题台账
    Ledger,
    /// 宣传推广工作统计表
    Publicity,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Monthly, Self::Quarterly, Self::Ledger, Self::Publicity];
    /// Stable code, Chinese, English.
    pub fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Monthly => ("monthly", "月报", "monthly return"),
            Self::Quarterly => ("quarterly", "季度评价", "quarterly evaluation"),
            Self::Ledger => ("ledger", "问题台账", "problem ledger"),
            Self::Publicity => ("publicity", "宣传推广工作统计表", "publicity statistics"),
        }
    }
    /// The one with this code.
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.words().0 == code)
    }
}

/// The statutory zone's wall clock.
fn shanghai(moment: Timestamp) -> String {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    moment.to_zoned(zone).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// SHA-256 in hexadecimal: what a report is recognised by.
pub fn digest(csv: &str) -> String {
    Sha256::digest(csv).iter().map(|it| format!("{it:02x}")).collect()
}

/// One thing that a table says of itself, in Chinese and English.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Its name.
    pub name: (&'static str, &'static str),
    /// Its value.
    pub value: (String, String),
}

/// What every table says of itself.
pub fn about(kind: Kind, figures: &Figures) -> Vec<Fact> {
    let (_, zh, en) = kind.words();
    let both = |it: String| (it.clone(), it);
    let words = |zh: &str, en: &str| (zh.to_owned(), en.to_owned());
    let state = if figures.complete {
        words("期满", "the period is over")
    } else {
        words("期内，数字未定", "the period is not over: figures may change")
    };
    let scope = figures.scope.map_or(("全国", "all provinces"), |it| (it.name(), it.name_en()));
    let fact = |zh, en, value| Fact { name: (zh, en), value };
    vec![
        fact("报表", "report", words(zh, en)),
        fact("期间", "period", (figures.period.zh(), figures.period.to_string())),
        fact("状态", "state", state),
        fact("日志位置", "log position", both(figures.position.to_string())),
        fact("该位置记录于", "recorded at", both(figures.at.map(shanghai).unwrap_or_default())),
        fact("口径修订", "definitions", both(REVISION.to_string())),
        fact("范围", "scope", words(scope.0, scope.1)),
    ]
}

/// A group's name, for people.
pub fn group_name(dimension: Dimension, code: &str) -> String {
    let name = match dimension {
        Dimension::Province => code.parse().ok().map(|it: events::ids::ProvinceCode| it.name()),
        Dimension::Prefecture if code.is_empty() => None,
        Dimension::Prefecture => return prefecture_name(code),
        Dimension::Item => Item::of(code).map(Item::zh),
        Dimension::Category => Category::of(code).map(Category::zh),
        Dimension::Channel => Channel::of(code).map(Channel::zh),
    };
    name.unwrap_or("未定省份").to_owned()
}

/// The groups of a dimension in the order of their codes; items and the like in that of their list.
pub fn groups(figures: &Figures, dimension: Dimension) -> Vec<(String, &Tally)> {
    let all = figures.cube.groups.iter().filter(|it| it.0.0 == dimension);
    let mut all: Vec<_> = all.map(|it| (it.0.1.clone(), it.1)).collect();
    let place = |code: &str| match dimension {
        Dimension::Province | Dimension::Prefecture => None,
        Dimension::Item => Item::ALL.iter().position(|it| it.code() == code),
        Dimension::Category => Category::ALL.iter().position(|it| it.code() == code),
        Dimension::Channel => Channel::ALL.iter().position(|it| it.code() == code),
    };
    all.sort_by_key(|it| (place(&it.0), it.0.clone()));
    all
}

/// The report as one rectangular table.
pub fn table(kind: Kind, figures: &Figures) -> Sheet {
    match kind {
        Kind::Monthly | Kind::Quarterly => figures_table(figures),
        Kind::Ledger => ledger_table(figures),
        Kind::Publicity => publicity_table(figures),
    }
}

/// The report as a workbook.
pub fn book(kind: Kind, figures: &Figures) -> Book {
    let (_, zh, _) = kind.words();
    let mut first = Sheet::new("说明 about", ["名称 name", "值 value"]);
    for it in about(kind, figures) {
        let (zh, en) = it.value;
        let value = if zh == en { zh } else { format!("{zh} {en}") };
        first
            .rows
            .push(vec![Cell::text(format!("{} {}", it.name.0, it.name.1)), Cell::Text(value)]);
    }
    let mut sheets = vec![first];
    match kind {
        Kind::Monthly | Kind::Quarterly => {
            sheets.extend(Dimension::ALL.map(|it| grouped(figures, it)));
            sheets.push(reasons(figures));
            sheets.push(definitions());
        }
        Kind::Ledger => sheets.push(ledger_table(figures)),
        Kind::Publicity => sheets.extend([publicity_sums(figures), publicity_table(figures)]),
    }
    let day = figures.at.map_or(figures.period.first_day(), shanghai_date);
    Book { title: format!("{zh} {}", figures.period), day, sheets }
}

fn heads() -> impl Iterator<Item = String> {
    FIGURES.iter().map(|it| format!("{} {}", it.zh, it.en))
}

fn cells(tally: &Tally) -> impl Iterator<Item = Cell> {
    FIGURES.iter().map(|it| (it.cell)(tally))
}

fn figures_table(figures: &Figures) -> Sheet {
    let first = [
        "期间 period",
        "日志位置 position",
        "口径 definitions",
        "维度 dimension",
        "代码 code",
        "名称 name",
    ];
    let heads = first.into_iter().map(str::to_owned).chain(heads());
    let mut sheet = Sheet::new("figures", heads);
    let mut row = |dimension: &str, code: &str, name: String, tally: &Tally| {
        let first = [
            Cell::text(figures.period.to_string()),
            Cell::Count(figures.position.0),
            Cell::Count(REVISION.into()),
            Cell::text(dimension),
            Cell::text(code),
            Cell::Text(name),
        ];
        sheet.rows.push(first.into_iter().chain(cells(tally)).collect());
    };
    row("total", "", "合计 total".to_owned(), &figures.cube.total);
    for dimension in Dimension::ALL {
        for (code, tally) in groups(figures, dimension) {
            row(dimension.words().0, &code, group_name(dimension, &code), tally);
        }
    }
    sheet
}

fn grouped(figures: &Figures, dimension: Dimension) -> Sheet {
    let (_, zh, en) = dimension.words();
    let heads = ["代码 code".to_owned(), format!("{zh} {en}")].into_iter().chain(heads());
    let mut sheet = Sheet::new(&format!("分{zh} by {en}"), heads);
    let mut row = |code: &str, name: String, tally: &Tally| {
        let first = [Cell::text(code), Cell::Text(name)];
        sheet.rows.push(first.into_iter().chain(cells(tally)).collect());
    };
    for (code, tally) in groups(figures, dimension) {
        row(&code, group_name(dimension, &code), tally);
    }
    row("", "合计 total".to_owned(), &figures.cube.total);
    sheet
}

fn reasons(figures: &Figures) -> Sheet {
    let heads = ["省份 province", "种类 kind", "原因代码 reason", "原因", "次数 count"];
    let mut sheet = Sheet::new("原因 reasons", heads);
    for ((province, reason, no), count) in &figures.cube.reasons {
        let no = match no {
            No::Declined => "不予受理 declined",
            No::Denied => "不予通过 denied",
            No::Returned => "退回 returned",
        };
        sheet.rows.push(vec![
            Cell::text(province.map_or("未定省份", |it| it.name())),
            Cell::text(no),
            Cell::text(reason.code()),
            Cell::text(reason.zh()),
            Cell::Count(*count),
        ]);
    }
    sheet
}

fn definitions() -> Sheet {
    let heads = ["指标 figure", "口径", "definition", "依据 rests on", "代码 code"];
    let mut sheet = Sheet::new("口径 definitions", heads);
    for it in FIGURES {
        sheet.rows.push(vec![
            Cell::text(format!("{} {}", it.zh, it.en)),
            Cell::text(it.meaning_zh),
            Cell::text(it.meaning_en),
            Cell::text(it.rule),
            Cell::text(it.id),
        ]);
    }
    sheet
}

/// Who held the case, in Chinese and English.
pub fn blame_words(blame: Blame) -> (&'static str, &'static str) {
    match blame {
        Blame::Hub => ("枢纽", "hub"),
        Blame::Transit => ("传输", "transit"),
        Blame::Adapter => ("适配器", "adapter"),
        Blame::Desk => ("省级经办", "office"),
        Blame::Applicant => ("申请人", "applicant"),
    }
}

/// The report for programs: the same rows as the table, each with its heads as keys, and the digest
/// that the table is recognised by.
pub fn json(kind: Kind, figures: &Figures) -> Value {
    let table = table(kind, figures);
    let first = 6;
    let is_figures = matches!(kind, Kind::Monthly | Kind::Quarterly);
    let keys: Vec<String> = (0..table.heads.len())
        .map(|at| match (is_figures, at.checked_sub(first)) {
            (true, Some(figure)) => FIGURES[figure].id.to_owned(),
            // The English half of the head.
            _ => table.heads[at].split(' ').skip(1).collect::<Vec<_>>().join("_"),
        })
        .collect();
    let value = |cell: &Cell| match cell {
        Cell::Empty => Value::Null,
        Cell::Count(count) => json!(count),
        Cell::Text(text) => json!(text),
        other => json!(other.plain()),
    };
    let rows: Vec<Value> = table
        .rows
        .iter()
        .map(|row| keys.iter().cloned().zip(row.iter().map(value)).collect::<Map<_, _>>().into())
        .collect();
    json!({
        "kind": kind.words().0,
        "period": figures.period.to_string(),
        "province": figures.scope.map(|it| it.to_string()),
        "position": figures.position.0,
        "recorded_at": figures.at.map(|it| it.to_string()),
        "complete": figures.complete,
        "revision": REVISION,
        "csv_sha256": digest(&table.csv()),
        "rows": rows,
    })
}
