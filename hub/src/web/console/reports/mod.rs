//! The statistics' pages: which report, of which time, of which province, as of which position; and the no while it is being made.

mod figures;
mod issued;
mod ledger;
mod publicity;

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::response::{IntoResponse as _, Response};
use events::envelope::Position;
use events::ids::ProvinceCode;
use serde::Deserialize;

use super::shell::{Refused, Shell, told};
use super::visitor::encoded;
use super::words::words;
use super::{Visitor, exports};
use crate::problem::{Problem, RETRY_AFTER_BUSY_S};
use crate::sheet;
use crate::statistics::Period;
use crate::statistics::bench::{self, Bench, Told};
use crate::statistics::fold::Figures;
use crate::statistics::report::{self, Kind};
use crate::web::Rooms;
use crate::words::Language;

pub(super) use figures::show as figures;
pub(super) use issued::{issue, show as issued};
pub(super) use ledger::show as ledger;
pub(super) use publicity::{show as publicity, state};

/// How many periods back the index offers.
const PERIODS_BACK: usize = 6;

words! { ReportWords:
    title: "统计", "Reports";
    monthly: "月报", "Monthly return";
    quarterly: "季度评价", "Quarterly evaluation";
    ledger: "问题台账", "Problem ledger";
    publicity: "宣传推广工作统计表", "Publicity statistics";
    issued: "已出具的报表", "Issued reports";
    monthly_note: "每月25日前上报；数字按自然月统计", "due on the 25th; figures are of the calendar month";
    quarterly_note: "交办运函〔2022〕1599号：业务办理、数据质量、联网情况；分值权重未公开，此处只列指标", "交办运函〔2022〕1599号: handling, data quality, link; its weights are not public, so no score is made up";
    ledger_note: "超期、迟报、退回、矛盾决定、投诉逐件列出，附说明与状态", "overdue, late, returned, conflicting and complained of, one by one, with explanation and state";
    publicity_note: "附件1，每月25日前由各省填报并汇总", "annex 1, filled in by the provinces by the 25th and summed up";
    issued_note: "每份报表记录其日志位置，可随时重算核对", "every report records its log position and can be computed again";
    period: "期间", "period";
    province: "省份", "province";
    all: "全国", "all provinces";
    show: "查看", "show";
    by: "分组", "by";
    position: "日志位置", "log position";
    csv: "导出 CSV", "CSV";
    xlsx: "导出 XLSX", "XLSX";
    print_hint: "打印：A4 横向", "print: A4 landscape";
    issue: "出具并留痕", "issue and record";
    issue_note: "出具后日志中留有期间、位置、口径修订和 CSV 的 SHA-256，日后可逐字节核对", "the log keeps period, position, definitions and the CSV's SHA-256: it can be checked to the byte later";
    definitions: "指标口径与依据", "What each figure means and rests on";
    figure: "指标", "figure";
    meaning: "口径", "meaning";
    rule: "依据", "rests on";
    total: "合计", "total";
    none: "本期没有数据", "nothing in this period";
    reasons: "原因", "Reasons";
    trend: "趋势", "Trend";
    came: "接收", "came";
    went: "结束或退回", "ended or returned";
    backlog: "在途", "open";
    latest: "最新", "last";
    kind: "种类", "kind";
    reason: "原因", "reason";
    count: "次数", "count";
    too_old: "另有已结束两年以上办件的事后事实未计入分组：", "late facts of cases that ended long before, of no group: ";
    making: "报表计算中", "The report is being made";
    making_note: "日志较长，本页每 5 秒自动重试，从已算到的位置继续", "the log is long; this page tries again every 5 seconds and goes on from where it was";
    done: "已计算至", "folded up to";
}

/// What the address asks for. Empty values are as good as absent: a form sends them.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    kind: String,
    period: String,
    province: String,
    at: String,
    by: String,
    problem: String,
    state: String,
    item: String,
    page: String,
}

pub(super) type Given = Result<Query<Asked>, QueryRejection>;

/// What is wished for, as far as the visitor may see it.
#[derive(Debug, Clone, Copy)]
struct Wish {
    kind: Kind,
    period: Period,
    scope: Option<ProvinceCode>,
    at: Option<Position>,
}

fn bad(name: &'static str) -> Problem {
    Problem::new("bad-parameter").detail(name)
}

impl Asked {
    fn wish(&self, rooms: &Rooms, visitor: &Visitor, or: Kind) -> Result<Wish, Problem> {
        let kind = match self.kind.as_str() {
            "" => or,
            code => Kind::of(code).ok_or_else(|| bad("kind"))?,
        };
        let today = rooms.clock.today();
        let period = match self.period.as_str() {
            "" if kind == Kind::Quarterly => {
                Period::quarter_of(today).ok_or_else(|| bad("period"))?
            }
            "" => Period::month_of(today).ok_or_else(|| bad("period"))?,
            text => text.parse().map_err(|_| bad("period"))?,
        };
        let province = match self.province.as_str() {
            "" => None,
            code => Some(code.parse().map_err(|_| bad("province"))?),
        };
        let at = match self.at.as_str() {
            "" => None,
            text => Some(Position(text.parse().map_err(|_| bad("at"))?)),
        };
        // Whoever sees one province only gets that one, whatever is asked for.
        Ok(Wish { kind, period, scope: visitor.sees().province().or(province), at })
    }
}

impl Wish {
    /// The address of `path` for the same report; with `at`, of the very same figures.
    fn address(&self, path: &str, at: Option<Position>, more: &[(&str, &str)]) -> String {
        let mut out = format!("{path}?kind={}&period={}", self.kind.words().0, self.period);
        if let Some(province) = self.scope {
            out.push_str(&format!("&province={province}"));
        }
        if let Some(at) = at {
            out.push_str(&format!("&at={at}"));
        }
        for (name, value) in more.iter().filter(|it| !it.1.is_empty()) {
            out.push_str(&format!("&{name}={}", encoded(value)));
        }
        out
    }

    fn with(&self, kind: Kind) -> Self {
        Self { kind, ..*self }
    }
}

/// The figures, or what to say meanwhile.
enum Made {
    Here(Arc<Figures>),
    NotYet { done: u64, of: u64 },
}

/// How long a page waits for its figures before it says how far they are. A file waits as long as the bench
/// has patience: it cannot say anything meanwhile.
const PAGE_WAIT: Duration = Duration::from_secs(1);

fn wanted(wish: &Wish) -> bench::Asked {
    bench::Asked { period: wish.period, scope: wish.scope, at: wish.at }
}

/// For whoever has the patience.
async fn made(bench: &Bench, wish: &Wish) -> Result<Made, Problem> {
    read(bench.figures(wanted(wish)).await?)
}

fn read(told: Told) -> Result<Made, Problem> {
    match told {
        Told::Done(figures) => Ok(Made::Here(figures)),
        Told::NotYet { done, of } => Ok(Made::NotYet { done: done.0, of: of.0 }),
        Told::NoSuchPosition => Err(bad("at")),
        Told::Busy => Err(Problem::new("busy").retry_after(RETRY_AFTER_BUSY_S)),
    }
}

#[derive(Template)]
#[template(path = "console/report-making.html")]
struct Making {
    shell: Shell,
    words: &'static ReportWords,
    done: u64,
    of: u64,
}

/// A page with the figures, or the one that waits for them.
async fn page<T: Template>(
    rooms: &Rooms,
    visitor: &Visitor,
    bench: &Bench,
    wish: &Wish,
    draw: impl AsyncFnOnce(&Figures) -> Result<T, Problem>,
) -> Response {
    let soon = bench.soon(wanted(wish), PAGE_WAIT).await;
    match soon.map_err(Problem::from).and_then(read) {
        Ok(Made::Here(figures)) => told(visitor, draw(&figures).await),
        Ok(Made::NotYet { done, of }) => {
            let shell = Shell::of(rooms, visitor).await;
            let words = ReportWords::of(visitor.language);
            let page = shell.map(|shell| Making {
                shell: Shell { live: false, ..shell },
                words,
                done,
                of,
            });
            told(visitor, page)
        }
        Err(problem) => Refused(visitor.clone(), problem).into_response(),
    }
}

/// What every report page says of the figures it shows: name, value.
fn facts(kind: Kind, figures: &Figures, language: Language) -> Vec<(&'static str, String)> {
    let told = |it: report::Fact| match language {
        Language::Chinese => (it.name.0, it.value.0),
        Language::English => (it.name.1, it.value.1),
    };
    // The page's own title says which report it is.
    report::about(kind, figures).into_iter().skip(1).map(told).collect()
}

/// A choice of a filter: its value, its word, whether it is chosen.
type Choice = (String, String, bool);

fn provinces(visitor: &Visitor, chosen: Option<ProvinceCode>) -> Vec<Choice> {
    let all = ProvinceCode::all().filter(|it| visitor.sees().shows(Some(*it)));
    let english = visitor.language == Language::English;
    let name = |it: ProvinceCode| if english { it.name_en() } else { it.name() };
    all.map(|it| (it.to_string(), name(it).to_owned(), Some(it) == chosen)).collect()
}

/// The periods that a page offers: the present one and those before it.
fn periods(present: Option<Period>, chosen: Period, language: Language) -> Vec<Choice> {
    let mut list: Vec<Period> =
        std::iter::successors(present, |it| Some(it.previous())).take(PERIODS_BACK).collect();
    if !list.contains(&chosen) {
        list.push(chosen);
    }
    let name = |it: &Period| match language {
        Language::Chinese => it.zh(),
        Language::English => it.to_string(),
    };
    list.iter().map(|it| (it.to_string(), name(it), *it == chosen)).collect()
}

struct Card {
    title: &'static str,
    note: &'static str,
    links: Vec<(String, String)>,
}

#[derive(Template)]
#[template(path = "console/reports.html")]
struct Index {
    shell: Shell,
    words: &'static ReportWords,
    cards: Vec<Card>,
}

pub(super) async fn index(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let made = async {
        let words = ReportWords::of(visitor.language);
        let today = rooms.clock.today();
        let links = |kind: Kind, path: &str, present: Option<Period>| {
            let periods = std::iter::successors(present, |it| Some(it.previous()));
            let code = kind.words().0;
            let link = |it: Period| {
                let address = format!("{path}?kind={code}&period={it}");
                let name =
                    if visitor.language == Language::Chinese { it.zh() } else { it.to_string() };
                (address, name)
            };
            periods.take(PERIODS_BACK).map(link).collect()
        };
        let (month, quarter) = (Period::month_of(today), Period::quarter_of(today));
        let card = |title, note, links| Card { title, note, links };
        Ok(Index {
            shell: Shell::of(&rooms, &visitor).await?,
            words,
            cards: vec![
                card(
                    words.monthly,
                    words.monthly_note,
                    links(Kind::Monthly, "/reports/figures", month),
                ),
                card(
                    words.quarterly,
                    words.quarterly_note,
                    links(Kind::Quarterly, "/reports/figures", quarter),
                ),
                card(
                    words.ledger,
                    words.ledger_note,
                    links(Kind::Ledger, "/reports/ledger", month),
                ),
                card(
                    words.publicity,
                    words.publicity_note,
                    links(Kind::Publicity, "/reports/publicity", month),
                ),
            ],
        })
    };
    told(&visitor, made.await)
}

pub(super) async fn csv(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
    Extension(bench): Extension<Bench>,
    given: Given,
) -> Response {
    let leave = async |wish: &Wish, figures: &Figures| {
        let text = report::table(wish.kind, figures).csv();
        Ok(exports::file(&file_name(wish, figures, "csv"), sheet::CSV_MEDIA_TYPE, text))
    };
    export(&rooms, visitor, &bench, given, leave).await
}

pub(super) async fn xlsx(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
    Extension(bench): Extension<Bench>,
    given: Given,
) -> Response {
    let leave = async |wish: &Wish, figures: &Figures| {
        let book = report::book(wish.kind, figures);
        exports::workbook(&file_name(wish, figures, "xlsx"), book).await
    };
    export(&rooms, visitor, &bench, given, leave).await
}

fn file_name(wish: &Wish, figures: &Figures, ending: &str) -> String {
    let scope = wish.scope.map_or_else(String::new, |it| format!("-{it}"));
    let (kind, period) = (wish.kind.words().0, wish.period);
    format!("{kind}-{period}{scope}-at-{}.{ending}", figures.position)
}

async fn export(
    rooms: &Rooms,
    visitor: Visitor,
    bench: &Bench,
    given: Given,
    leave: impl AsyncFnOnce(&Wish, &Figures) -> Result<Response, Problem>,
) -> Response {
    let made = async {
        let Query(asked) = given.map_err(|_| Problem::new("bad-parameter"))?;
        let wish = asked.wish(rooms, &visitor, Kind::Monthly)?;
        match made(bench, &wish).await? {
            Made::Here(figures) => leave(&wish, &figures).await,
            // A file cannot say "not yet": whoever fetches it asks again.
            Made::NotYet { .. } => Err(Problem::new("busy").retry_after(RETRY_AFTER_BUSY_S)),
        }
    };
    made.await.unwrap_or_else(|problem| Refused(visitor, problem).into_response())
}
