//! The league table as the quarterly evaluation wants it, and one province's page with what an operator may do there.

use askama::Template;
use axum::extract::{Extension, Path, State};
use axum::response::Response;
use events::ids::ProvinceCode;
use events::province::AdapterCertified;
use hub_core::province::Province as Membership;
use jiff::Timestamp;

use super::counted::{Counted, Lists};
use super::league::{columns, figures};
use super::province_deeds::Away;
use super::shell::{Shell, shanghai, shanghai_short, told};
use super::standing::{self, Added};
use super::tiles::{self, Light};
use super::trend::Trend;
use super::words::words;
use super::{May, Visitor};
use crate::problem::Problem;
use crate::statistics::bench::Bench;
use crate::statistics::fold::Figures;
use crate::views::reader::{CaseFilter, Order};
use crate::views::rows::Pressure;
use crate::web::Rooms;
use crate::web::api::provinces;
use crate::web::api::told::Province;
use crate::words::{Language, either};

/// How many of the oldest open cases one province's page shows.
const OLDEST_ROWS: usize = 10;

words! { ProvinceWords:
    title: "省份", "Provinces";
    rule: "指标口径：交办运函〔2022〕1599号季度评价；按枢纽记录时间判定", "as the quarterly evaluation (交办运函〔2022〕1599号) counts; judged by the hub's recorded moment";
    meaning: "接收：首次转到该省的办件，每件全国只计一次；转入：他省经手后改转该省的次数。带链接的数字与其办件清单一一对应；转入、迟报、超期（每个时限一次）、补正、退回按事件累计，比率和用时由此得出，没有办件清单，逐件见统计中的问题台账", "received: cases first routed to the province, each once over all provinces; moved in: routings to it after another province had the case. A number with a link has exactly those cases behind it; moved in, reported late, overdue (once a due day), corrections and returned count events, and shares and hours follow from them: they have no list of cases, see the reports' problem ledger";
    nowhere: "另有在途办件尚无省份（被退回，待改转）", "open cases that no province has (returned, to be routed on)";
    moved_in: "转入", "moved in";
    waiting: "待签收", "not signed for";
    overdue_now: "在途超期", "open and overdue";
    province: "省份", "province";
    link: "连接", "link";
    received: "接收", "received";
    open: "在途", "open";
    completed: "办结", "completed";
    success: "通过率", "approved";
    on_time: "按时率", "on time";
    late: "迟报", "reported late";
    overdue: "超期（累计）", "overdue so far";
    correction: "补正率", "corrections";
    declined: "不予受理", "declined";
    returned: "退回", "returned";
    median: "中位用时（小时）", "median hours";
    heard: "最近来讯", "last heard";
    oldest_one: "最早在途", "oldest open";
    link_up: "本月联网可用率", "link up this month";
    top_reason: "本月首要原因", "most frequent reason this month";
    trend: "本月趋势", "This month";
    month_at: "本月的联网可用率、最早在途、首要原因和趋势截至日志位置", "link availability, oldest case, reason and trend of this month are as of log position";
    making: "本月的联网可用率、最早在途、首要原因和趋势尚在统计（显示为“…”），稍后再看即有", "link availability, oldest case, reason and trend of this month are still being counted (shown as …); look again in a moment";
    came: "接收", "came";
    went: "结束或退回", "ended or returned";
    backlog: "在途", "open";
    latest: "最新", "now";
    report: "本月月报", "this month's return";
    ledger: "问题台账", "problem ledger";
    adapter: "适配器", "Adapter";
    version: "最近报告的版本", "version that spoke last";
    certificate: "符合性证书", "certificate of conformance";
    certificate_none: "未登记", "none on record";
    kit: "测试套件", "kit";
    expires: "有效期至", "valid until";
    expired: "已过期", "expired";
    days_left: "天后到期", "days left";
    ends: "止于", "until";
    none: "–", "–";
    now: "当前", "Now";
    oldest: "最早的在途办件", "Oldest open cases";
    all_cases: "全部办件", "all cases";
    no_open: "没有在途办件", "no open cases";
    events: "按事件累计", "events so far";
    reasons: "常见原因", "Frequent reasons";
    blame: "迟延归属", "Where the time went";
    blame_hub: "枢纽", "hub";
    blame_transit: "传输", "transit";
    blame_adapter: "适配器", "adapter";
    blame_desk: "省级经办", "desk";
    blame_applicant: "申请人", "applicant";
    keys: "登记的密钥", "Keys that count";
    soon: "临期", "due soon";
    silent: "十分钟以上未签收", "not signed for in ten minutes";
    declared: "已登记的维护", "Declared maintenance";
}

struct Row {
    code: String,
    name: &'static str,
    shape: &'static str,
    light: &'static str,
    cells: Vec<Counted>,
    heard: String,
    added: Added,
}

#[derive(Template)]
#[template(path = "console/provinces.html")]
struct Provinces {
    shell: Shell,
    words: &'static ProvinceWords,
    /// As of which position the month's figures are; nothing while they are not there yet.
    month_at: Option<u64>,
    heads: Vec<&'static str>,
    rows: Vec<Row>,
    /// Open cases that no province has, if there are any.
    nowhere: Option<Counted>,
}

pub(super) async fn list(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
    Extension(bench): Extension<Bench>,
) -> Response {
    let made = async {
        let words = ProvinceWords::of(visitor.language);
        let table = provinces::table(&rooms).await?.provinces;
        let pressures = pressures(&rooms).await?;
        let month = standing::month(&rooms, &bench).await;
        let month = month.as_deref();
        let seen = table.iter().filter(|it| visitor.sees().shows(Some(it.code)));
        let lists = Lists::of(&rooms, &visitor, true);
        let nowhere = pressures.iter().find(|it| it.province.is_none() && it.open > 0);
        let nowhere = nowhere.filter(|_| visitor.sees().shows(None));
        let asks = "only=open&province=none";
        Ok(Provinces {
            rows: seen.map(|it| row(&rooms, it, &pressures, month, &lists)).collect(),
            nowhere: nowhere.map(|it| lists.counted("open-nowhere", it.open, asks)),
            shell: Shell::of(&rooms, &visitor).await?,
            words,
            month_at: month.map(|it| it.position.0),
            heads: columns(words).map(|it| it.head).into(),
        })
    };
    told(&visitor, made.await)
}

/// What presses in each province now.
pub(super) async fn pressures(rooms: &Rooms) -> Result<Vec<Pressure>, Problem> {
    let (now, today) = (rooms.clock.now(), rooms.clock.today());
    let soon = rooms.registrar.rules().calendar.due(today, 1).day;
    rooms.aside(move |views| views.pressures(now, today, soon)).await
}

/// What presses in a province, or of what none has.
pub(super) fn pressure_of(pressures: &[Pressure], code: Option<ProvinceCode>) -> Pressure {
    let found = pressures.iter().find(|it| it.province == code);
    found.map_or_else(|| Pressure::none(code), Clone::clone)
}

fn row(
    rooms: &Rooms,
    it: &Province,
    pressures: &[Pressure],
    month: Option<&Figures>,
    lists: &Lists,
) -> Row {
    let language = lists.language;
    let now = rooms.clock.now();
    let away = tiles::is_away(&rooms.membership.province(it.code), now);
    let light = Light::of(it, away, &pressure_of(pressures, Some(it.code)));
    Row {
        code: it.code.to_string(),
        name: tiles::name(it.code, language),
        shape: light.shape(),
        light: light.word(language),
        cells: columns(ProvinceWords::of(language))
            .iter()
            .map(|column| column.counted(it, lists))
            .collect(),
        heard: it.last_heard_at.map_or_else(|| "–".to_owned(), |it| shanghai_short(it, now)),
        added: standing::added(month, it.code, language),
    }
}

struct OldCase {
    number: String,
    mark: &'static str,
    stage: &'static str,
    submitted: String,
    due: String,
}

/// The certificate that ends last.
struct Certificate {
    adapter: String,
    kit: String,
    until: String,
    mark: &'static str,
    left: String,
}

#[derive(Template)]
#[template(path = "console/province.html")]
pub(super) struct OneProvince {
    shell: Shell,
    words: &'static ProvinceWords,
    code: String,
    name: &'static str,
    light: &'static str,
    mark: &'static str,
    figures: Vec<(&'static str, Counted)>,
    /// Below them: what is no count.
    facts: Vec<(&'static str, String)>,
    oldest: Vec<OldCase>,
    reasons: Vec<(String, u64)>,
    blame: Vec<(&'static str, u64)>,
    keys: Vec<(String, String)>,
    trend: Option<Trend>,
    /// As of which position trend and link are.
    month_at: Option<u64>,
    trend_words: (&'static str, &'static str, &'static str, &'static str),
    period: String,
    adapter: String,
    certificate: Option<Certificate>,
    declared: Vec<String>,
    paused: bool,
    /// Who paused it and why.
    paused_by: String,
    may_act: bool,
    away: Away,
}

pub(super) async fn one(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
    Extension(bench): Extension<Bench>,
    Path(code): Path<String>,
) -> Response {
    let away = Away::blank(visitor.language);
    told(&visitor, page(&rooms, &visitor, &bench, &code, away).await)
}

pub(super) fn code_of(visitor: &Visitor, given: &str) -> Result<ProvinceCode, Problem> {
    let code: ProvinceCode = given.parse().map_err(|_| Problem::new("not-found"))?;
    if visitor.sees().shows(Some(code)) { Ok(code) } else { Err(Problem::new("not-found")) }
}

/// One province, with what somebody has typed of its absence.
pub(super) async fn page(
    rooms: &Rooms,
    visitor: &Visitor,
    bench: &Bench,
    given: &str,
    away: Away,
) -> Result<OneProvince, Problem> {
    let code = code_of(visitor, given)?;
    let language = visitor.language;
    let words = ProvinceWords::of(language);
    let table = provinces::table(rooms).await?.provinces;
    let it = table.iter().find(|it| it.code == code).ok_or_else(|| Problem::new("not-found"))?;
    let pressure = pressure_of(&pressures(rooms).await?, Some(code));
    let membership = rooms.membership.province(code);
    let absent = tiles::is_away(&membership, rooms.clock.now());
    let light = Light::of(it, absent, &pressure);
    let filter = CaseFilter { province: Some(code), open: Some(true), ..CaseFilter::default() };
    let oldest =
        rooms.aside(move |views| views.cases_in(&filter, Order::Oldest, None, OLDEST_ROWS)).await?;
    let lists = Lists::of(rooms, visitor, true);
    let month = standing::month(rooms, bench).await;
    let month = month.as_deref();
    let adapter = standing::last_adapter(rooms, code).await?;
    let facts = vec![
        (words.link_up, standing::added(month, code, language).link),
        (words.heard, it.last_heard_at.map_or_else(|| "–".to_owned(), shanghai)),
    ];
    Ok(OneProvince {
        shell: Shell::of(rooms, visitor).await?,
        words,
        code: code.to_string(),
        name: if language == Language::Chinese { code.name() } else { code.name_en() },
        light: light.word(language),
        mark: mark(light),
        figures: figures(it, &pressure, &lists, words),
        facts,
        oldest: oldest.rows.iter().map(|it| old_case(it, language)).collect(),
        reasons: reasons(it, language),
        blame: it.blame.iter().map(|it| (blame(it.what, words), it.count)).collect(),
        keys: keys(&membership, words),
        trend: standing::trend_of(month, code),
        month_at: month.map(|it| it.position.0),
        trend_words: (words.came, words.went, words.backlog, words.latest),
        period: month.map(|it| it.period.to_string()).unwrap_or_default(),
        adapter: adapter.map_or_else(
            || "–".to_owned(),
            |(version, at)| format!("{version} · {}", shanghai(at)),
        ),
        certificate: membership
            .certified
            .values()
            .max_by_key(|it| it.expires_at)
            .map(|it| certificate(it, rooms.clock.now(), words)),
        declared: declared(&membership),
        paused: membership.paused,
        paused_by: if membership.paused {
            standing::paused_by(rooms, code).await?
        } else {
            String::new()
        },
        may_act: visitor.is() == May::OPERATOR && membership.enrolled,
        away,
    })
}

fn reasons(it: &Province, language: Language) -> Vec<(String, u64)> {
    let word = |it: events::vocabulary::Reason| either(it.zh(), it.en(), language);
    it.top_reasons.iter().map(|it| (word(it.what).to_owned(), it.count)).collect()
}

/// Each key that counts, and until when, if its end is set.
fn keys(membership: &Membership, words: &ProvinceWords) -> Vec<(String, String)> {
    let ends = |key: &str| match membership.expiries.get(key) {
        Some(at) => format!(" · {} {}", words.ends, shanghai(*at)),
        None => String::new(),
    };
    let keys = membership.keys.values();
    keys.map(|it| (it.key_id.clone(), format!("{}{}", it.algorithm, ends(&it.key_id)))).collect()
}

/// How many declared absences the page shows.
const ABSENCES_SHOWN: usize = 5;

fn declared(membership: &Membership) -> Vec<String> {
    let latest = membership.maintenance.iter().rev().take(ABSENCES_SHOWN);
    let told =
        latest.map(|it| format!("{} – {}: {}", shanghai(it.from), shanghai(it.until), it.reason));
    told.collect()
}

/// Days before its end from which a certificate is marked.
const CERTIFICATE_SOON_DAYS: i64 = 30;

fn certificate(it: &AdapterCertified, now: Timestamp, words: &ProvinceWords) -> Certificate {
    let left = it.expires_at.duration_since(now).as_hours().div_euclid(24);
    Certificate {
        adapter: it.adapter_version.clone(),
        kit: it.kit_version.clone(),
        until: shanghai(it.expires_at),
        mark: match left {
            ..0 => "late",
            0..CERTIFICATE_SOON_DAYS => "soon",
            _ => "good",
        },
        left: if left < 0 {
            words.expired.to_owned()
        } else {
            format!("{left} {}", words.days_left)
        },
    }
}

fn mark(light: Light) -> &'static str {
    match light {
        Light::Online => "good",
        Light::Silent => "late",
        Light::Paused | Light::Maintenance => "soon",
        Light::NotConnected => "",
    }
}

fn blame(code: &str, words: &ProvinceWords) -> &'static str {
    match code {
        "hub" => words.blame_hub,
        "transit" => words.blame_transit,
        "adapter" => words.blame_adapter,
        "desk" => words.blame_desk,
        _ => words.blame_applicant,
    }
}

fn old_case(it: &crate::views::rows::CaseRow, language: Language) -> OldCase {
    OldCase {
        number: it.number.to_string(),
        mark: super::case::stage_mark(it),
        stage: super::case::stage_name(it.stage, language),
        submitted: shanghai(it.submitted_at),
        due: it.due_now().map_or_else(|| "–".to_owned(), |it| it.day.to_string()),
    }
}

#[cfg(test)]
mod tests;
