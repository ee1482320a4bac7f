//! What a message says: the same words, whichever carrier brings it and however often. No case, no person.

use events::ids::ProvinceCode;
use events::keeping::alerts::{AlertNotice, NoticeWhy};
use events::vocabulary::AlertKind;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::views::messages::MessageRow;
use crate::words::{Language, alert};

/// Groups that a text names; the page has the others.
const LINES_MAX: usize = 20;
/// Groups that a subject names.
const NAMED_MAX: usize = 2;
/// What a webhook's message is called.
const WEBHOOK_TYPE: &str = "cn.gov.mot.hub.alerts.v1";
/// Where people turn to.
const RUNBOOK: &str = "deploy/runbook.md#";

/// A message, ready to be brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// The same at every try and with every carrier.
    pub message: Uuid,
    /// When it was planned.
    pub planned_at: Timestamp,
    /// What stands and what is over.
    pub notices: Vec<AlertNotice>,
    /// No further message before then.
    pub quiet_until: Option<Timestamp>,
}

impl From<&MessageRow> for Letter {
    fn from(it: &MessageRow) -> Self {
        let (message, planned_at) = (it.message, it.planned_at);
        Self { message, planned_at, notices: it.notices.clone(), quiet_until: it.quiet_until }
    }
}

impl Letter {
    /// For finding out whether a carrier works: says so, and tells of nothing.
    pub fn test(message: Uuid, planned_at: Timestamp) -> Self {
        Self { message, planned_at, notices: Vec::new(), quiet_until: None }
    }

    /// Nothing is told by it.
    pub(crate) fn is_test(&self) -> bool {
        self.notices.is_empty()
    }
}

/// Who speaks, and where the links lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sender {
    /// The log's name.
    pub origin: String,
    /// The console's address, without a slash at its end.
    pub console: String,
}

/// Where a group stands in the console.
pub(crate) fn link(sender: &Sender, kind: AlertKind, province: Option<ProvinceCode>) -> String {
    let province = province.map_or_else(|| "none".to_owned(), |it| it.to_string());
    format!("{}/alerts?kind={}&province={province}", sender.console, kind.code())
}

/// The entry of the runbook.
pub(crate) fn runbook(kind: AlertKind) -> String {
    format!("{RUNBOOK}{}", kind.code())
}

pub(crate) fn severity(kind: AlertKind) -> &'static str {
    match kind {
        AlertKind::SeriouslyOverdue
        | AlertKind::DeemedAccepted
        | AlertKind::ConflictingDecision
        | AlertKind::AdapterSilent
        | AlertKind::QuarantineFull => "critical",
        AlertKind::AcceptanceOverdue
        | AlertKind::CompletionOverdue
        | AlertKind::Urged
        | AlertKind::NothingCameBack
        | AlertKind::Parked
        | AlertKind::HeldBack => "warning",
        AlertKind::DueSoon => "info",
    }
}

fn place(province: Option<ProvinceCode>, language: Language) -> &'static str {
    match (province, language) {
        (None, Language::Chinese) => "全国",
        (None, Language::English) => "all",
        (Some(code), Language::Chinese) => code.name(),
        (Some(code), Language::English) => code.name_en(),
    }
}

fn why(why: NoticeWhy, language: Language) -> &'static str {
    let (zh, en) = match why {
        NoticeWhy::First => ("新出现", "new"),
        NoticeWhy::Grown => ("增加", "more"),
        NoticeWhy::Reminder => ("仍未处置", "still standing"),
        NoticeWhy::Resolved => ("已解除", "over"),
    };
    if language == Language::Chinese { zh } else { en }
}

/// One group in a line.
pub(crate) fn line(notice: &AlertNotice, language: Language) -> String {
    let AlertNotice { kind, province, count, .. } = notice;
    let (kind, place) = (alert(*kind, language), place(*province, language));
    let why = why(notice.why, language);
    match language {
        Language::Chinese => format!("{place} {kind} {count}（{why}）"),
        Language::English => format!("{place}: {kind} {count} ({why})"),
    }
}

/// The gravest first, then the many; what is over comes last.
fn ordered(notices: &[AlertNotice]) -> Vec<&AlertNotice> {
    let mut all: Vec<&AlertNotice> = notices.iter().collect();
    let grave = |it: &AlertNotice| match severity(it.kind) {
        "critical" => 0,
        "warning" => 1,
        _ => 2,
    };
    all.sort_by_key(|it| {
        let over = it.why == NoticeWhy::Resolved;
        (over, grave(it), std::cmp::Reverse(it.count), it.kind, it.province)
    });
    all
}

/// What stands in the list of mails.
pub(crate) fn subject(letter: &Letter, sender: &Sender) -> String {
    let origin = &sender.origin;
    if letter.is_test() {
        return format!("【测试】跨省通办预警 test of alerts · {origin}");
    }
    let all = ordered(&letter.notices);
    let named: Vec<String> =
        all.iter().take(NAMED_MAX).map(|it| line(it, Language::Chinese)).collect();
    let more = all.len().saturating_sub(NAMED_MAX);
    let more = if more > 0 { format!("，另 {more} 组") } else { String::new() };
    format!("【预警】{}{more} · {origin}", named.join("，"))
}

/// The whole text, Chinese first.
pub(crate) fn text(letter: &Letter, sender: &Sender) -> String {
    let all = ordered(&letter.notices);
    let mut out = Vec::new();
    for language in [Language::Chinese, Language::English] {
        let chinese = language == Language::Chinese;
        if letter.is_test() {
            let said = if chinese {
                "这是一条测试消息，没有任何预警。"
            } else {
                "This is a test. It tells of no alert."
            };
            out.push(said.to_owned());
        }
        for it in all.iter().take(LINES_MAX) {
            out.push(line(it, language));
            if chinese {
                out.push(format!("  {}", link(sender, it.kind, it.province)));
            }
        }
        let (groups, alerts) = beyond(&all);
        if groups > 0 && chinese {
            out.push(format!("另有 {groups} 组，共 {alerts} 项，见页面。"));
        } else if groups > 0 {
            out.push(format!("And {groups} more groups with {alerts} alerts: see the page."));
        }
        if let Some(until) = letter.quiet_until.map(shanghai) {
            out.push(if chinese {
                format!("本小时通知已达上限，{until} 前不再通知；请看页面。")
            } else {
                format!(
                    "The hourly bound is reached: no further message before {until}; see the page."
                )
            });
        }
        out.push(String::new());
    }
    out.push(format!("{}/alerts", sender.console));
    out.push(format!("{} · {} · {}", sender.origin, shanghai(letter.planned_at), letter.message));
    out.join("\n")
}

/// How many groups are not named, and their alerts.
fn beyond(all: &[&AlertNotice]) -> (usize, u64) {
    let rest = all.iter().skip(LINES_MAX);
    (rest.clone().count(), rest.map(|it| it.count).sum())
}

fn shanghai(moment: Timestamp) -> String {
    let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(8));
    moment.to_zoned(zone).strftime("%Y-%m-%d %H:%M").to_string()
}

/// A webhook's body (`schemas/v1/alert-message.schema.json`): the same bytes at every try.
pub(crate) fn webhook_body(letter: &Letter, sender: &Sender) -> Vec<u8> {
    let one = |it: &&AlertNotice| {
        json!({
            "kind": it.kind,
            "kind_zh": alert(it.kind, Language::Chinese),
            "severity": severity(it.kind),
            "province": it.province,
            "province_name": it.province.map(|code| place(Some(code), Language::Chinese)),
            "count": it.count,
            "why": it.why,
            "since": it.since,
            "link": link(sender, it.kind, it.province),
            "runbook": runbook(it.kind),
        })
    };
    let alerts: Vec<Value> = ordered(&letter.notices).iter().map(one).collect();
    let body = json!({
        "type": WEBHOOK_TYPE,
        "timestamp": letter.planned_at,
        "data": {
            "message": letter.message,
            "origin": sender.origin,
            "subject": subject(letter, sender),
            "link": format!("{}/alerts", sender.console),
            "test": letter.is_test(),
            "quiet_until": letter.quiet_until,
            "alerts": alerts,
        },
    });
    body.to_string().into_bytes()
}
