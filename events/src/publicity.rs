//! What a province did to make the service known: 宣传推广工作统计表, the eight rows of the plan's annex 1.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use uuid::Uuid;

use crate::ids::{NotAName, ProvinceCode};
use crate::proof::Hash;
use crate::reconcile::bytes_hash;

/// A calendar month, written `2026-11`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Month {
    // Invariant: 2000 to 2999, 1 to 12.
    year: i16,
    month: i8,
}

impl Month {
    /// The month that `day` lies in, if it is one of this millennium.
    pub fn of(day: Date) -> Option<Self> {
        let fits = (2000..=2999).contains(&day.year());
        fits.then(|| Self { year: day.year(), month: day.month() })
    }
    /// Its first day.
    pub fn first(self) -> Date {
        jiff::civil::date(self.year, self.month, 1)
    }
    /// Its year.
    pub fn year(self) -> i16 {
        self.year
    }
    /// 1 to 12.
    pub fn number(self) -> i8 {
        self.month
    }
    /// The one after it; the last of the millennium stays.
    pub fn next(self) -> Self {
        match (self.year, self.month) {
            (2999, 12) => self,
            (year, 12) => Self { year: year + 1, month: 1 },
            (year, month) => Self { year, month: month + 1 },
        }
    }
    /// The one before it; the first of the millennium stays.
    pub fn previous(self) -> Self {
        match (self.year, self.month) {
            (2000, 1) => self,
            (year, 1) => Self { year: year - 1, month: 12 },
            (year, month) => Self { year, month: month - 1 },
        }
    }
}

impl Month {
    /// Whether a table for it may be handed in on `today`: this month or one of the twelve before.
    pub fn is_open_on(self, today: Date) -> bool {
        let Some(this) = Self::of(today) else { return false };
        let number = |it: Self| i32::from(it.year) * 12 + i32::from(it.month);
        (0..=MONTHS_BACK_MAX).contains(&(number(this) - number(self)))
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = NotAName;
    fn from_str(text: &str) -> Result<Self, NotAName> {
        let wrong =
            || NotAName { given: text.chars().take(64).collect(), expected: "a month (2026-11)" };
        let shape = text.len() == 7 && text.as_bytes()[4] == b'-';
        let digits = text.bytes().enumerate().all(|(at, it)| at == 4 || it.is_ascii_digit());
        if !shape || !digits {
            return Err(wrong());
        }
        let (year, month) = (text[..4].parse(), text[5..].parse());
        match (year, month) {
            (Ok(year @ 2000..=2999), Ok(month @ 1..=12)) => Ok(Self { year, month }),
            _ => Err(wrong()),
        }
    }
}

impl Serialize for Month {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Month {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// How many rows annex 1 has.
pub const ROWS: usize = 8;

/// The rows of annex 1: the requirement in Chinese and English, and what its two figures count.
/// A figure that a row does not have is empty.
#[rustfmt::skip] // a table
pub const ANNEX: [Requirement; ROWS] = [
    Requirement { zh: "制定宣传推广工作方案", en: "a plan for making it known",
        content: ("文件标题和文号、发布时间", "title and number of the paper, when it was issued"),
        first: ("印发方案数", "plans issued"), second: ("", "") },
    Requirement { zh: "基层管理人员和政务服务窗口工作人员培训", en: "training of managers and counter staff",
        content: ("培训日期和人次、培训方式、问题解答情况", "dates and attendances, how, what was asked"),
        first: ("培训场次", "sessions"), second: ("培训人次", "attendances") },
    Requirement { zh: "办事窗口、运输场站、物流园区、司机之家、高速公路服务区人员培训并专人答疑", en: "training at counters, stations, parks, drivers' homes and service areas",
        content: ("培训日期和人次、培训方式、专人答疑情况", "dates and attendances, how, who answers questions"),
        first: ("培训场次", "sessions"), second: ("培训人次", "attendances") },
    Requirement { zh: "张贴宣传海报", en: "posters",
        content: ("张贴海报批次和数量、张贴范围", "batches and numbers, where"),
        first: ("批次", "batches"), second: ("海报数量", "posters") },
    Requirement { zh: "通知当地道路运输企业向驾驶员宣传", en: "carriers told, and drivers through them",
        content: ("通知道路运输企业数量及占比、向多少名驾驶员宣传", "how many carriers and what share of all, how many drivers"),
        first: ("通知企业数", "carriers told"), second: ("宣传驾驶员数", "drivers reached") },
    Requirement { zh: "高速公路可变信息情报板、广播等滚动发布信息", en: "motorway boards and broadcasts",
        content: ("信息发送渠道、发送时间段和频次", "through what, at what hours, how often"),
        first: ("发布渠道数", "channels"), second: ("发布次数", "announcements") },
    Requirement { zh: "12328 等渠道话务员培训、知识库增加跨省通办内容", en: "hotline staff and knowledge base",
        content: ("培训日期和人次、培训方式、知识库是否增加相关内容", "dates and attendances, how, whether the knowledge base has it"),
        first: ("培训场次", "sessions"), second: ("培训人次", "attendances") },
    Requirement { zh: "门户网站、微信公众号、微博、抖音、快手等宣传", en: "web sites and social media",
        content: ("渠道和发布情况", "where and what was published"),
        first: ("渠道数", "channels"), second: ("发布条数", "items published") },
];

/// One requirement of annex 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    /// 工作要求
    pub zh: &'static str,
    /// The same in English.
    pub en: &'static str,
    /// 落实内容: what the text should say, in Chinese and English.
    pub content: (&'static str, &'static str),
    /// What the first figure counts, in Chinese and English.
    pub first: (&'static str, &'static str),
    /// What the second figure counts; empty if there is none.
    pub second: (&'static str, &'static str),
}

/// One row filled in (落实情况).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fulfilment {
    /// The row's first figure.
    pub first: u32,
    /// The row's second figure; 0 where it has none.
    pub second: u32,
    /// What was done, in words; at most 500 characters.
    pub text: String,
}

/// A province's table for one month.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statement {
    /// For which month.
    pub month: Month,
    /// The eight rows in the order of the annex.
    pub rows: Vec<Fulfilment>,
    /// The share of the province's carriers that were told, in hundredths of a percent: 0 to 10000.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carriers_told_share: Option<u16>,
    /// Whether the hotline's knowledge base has it.
    pub knowledge_base: bool,
}

/// What a province's adapter hands in for one month: the `data` of `cn.gov.mot.hub.publicity.v1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The log and environment.
    pub origin: String,
    /// Who tells it.
    pub province: ProvinceCode,
    /// The adapter's name and version.
    pub adapter: String,
    /// The table.
    pub statement: Statement,
}

/// The same with its envelope. Signed by the province like a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatementMessage {
    /// The statement's own id, the same for every attempt.
    pub id: Uuid,
    /// When the province made it: of one adapter's statements for a month, the latest counts.
    pub stated_at: Timestamp,
    /// What it says.
    pub told: Told,
}

/// How many months before this one may still be told or corrected.
pub const MONTHS_BACK_MAX: i32 = 12;
/// Longest text of a row, in characters.
pub const TEXT_CHARACTERS_MAX: usize = 500;
/// Largest figure of a row.
pub const FIGURE_MAX: u32 = 100_000_000;

impl Statement {
    /// By which the same is recognised.
    pub fn hash(&self) -> Hash {
        let bytes = serde_json::to_vec(self).expect("plain structs always serialize");
        bytes_hash(&bytes)
    }

    /// Which field is not usable, if one is not; as a JSON pointer.
    pub fn flaw(&self) -> Option<String> {
        if self.rows.len() != ROWS {
            return Some("/rows".to_owned());
        }
        if self.carriers_told_share.is_some_and(|it| it > 10_000) {
            return Some("/carriers_told_share".to_owned());
        }
        self.rows.iter().zip(ANNEX).enumerate().find_map(|(at, (row, wanted))| {
            let none = wanted.second.0.is_empty() && row.second != 0;
            if row.first > FIGURE_MAX {
                return Some(format!("/rows/{at}/first"));
            }
            if row.second > FIGURE_MAX || none {
                return Some(format!("/rows/{at}/second"));
            }
            let unfit = row.text.chars().count() > TEXT_CHARACTERS_MAX
                || row.text.chars().any(|it| it.is_control() && it != '\n')
                || crate::personal::has_identity_number(&row.text);
            unfit.then(|| format!("/rows/{at}/text"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_has_one_spelling_and_neighbours() {
        let month: Month = "2026-12".parse().unwrap();
        assert_eq!(month.next().to_string(), "2027-01");
        assert_eq!(month.next().previous(), month);
        for wrong in ["2026-13", "2026-00", "26-12", "2026-1", "2026/12", "２026-1", "1999-12", ""]
        {
            assert!(wrong.parse::<Month>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_month_is_open_from_its_first_day_for_twelve_months_more() {
        let month: Month = "2026-02".parse().unwrap();
        for (day, open) in [
            ("2026-01-31", false),
            ("2026-02-01", true),
            ("2027-02-28", true),
            ("2027-03-01", false),
            ("1999-02-01", false),
        ] {
            assert_eq!(month.is_open_on(day.parse().unwrap()), open, "{day}");
        }
    }

    fn statement() -> Statement {
        let row = Fulfilment { first: 1, second: 0, text: "已印发".to_owned() };
        Statement {
            month: "2026-11".parse().unwrap(),
            rows: vec![row; ROWS],
            carriers_told_share: Some(9_500),
            knowledge_base: true,
        }
    }

    #[test]
    fn each_flaw_is_named_by_its_place() {
        assert_eq!(statement().flaw(), None);
        let mut it = statement();
        it.rows.pop();
        assert_eq!(it.flaw().as_deref(), Some("/rows"));
        let mut it = statement();
        it.rows[0].second = 1;
        assert_eq!(it.flaw().as_deref(), Some("/rows/0/second"), "row 1 has no second figure");
        let mut it = statement();
        it.rows[3].first = FIGURE_MAX + 1;
        assert_eq!(it.flaw().as_deref(), Some("/rows/3/first"));
        for text in ["x".repeat(501), "a\u{7}b".to_owned(), "司机 11010519491231002X".to_owned()]
        {
            let mut it = statement();
            it.rows[7].text = text;
            assert_eq!(it.flaw().as_deref(), Some("/rows/7/text"));
        }
        let mut it = statement();
        it.carriers_told_share = Some(10_001);
        assert_eq!(it.flaw().as_deref(), Some("/carriers_told_share"));
    }
}
