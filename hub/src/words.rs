//! What happened to a case, in words that can be read out on the telephone. Chinese first.

use events::case::CaseEvent as E;
use events::case::{
    AgainGround, CaseCompleted, CaseEvent, CorrectionRequested, DueDayRevised, ParkReason,
    RouteReason,
};
use events::vocabulary::{AlertKind, DueDay, Reason};

use crate::problem::CODES;

/// The reader's language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// 中文
    #[default]
    Chinese,
    /// English
    English,
}

/// Of a text in both languages, the reader's.
pub fn either(zh: &'static str, en: &'static str, language: Language) -> &'static str {
    match language {
        Language::Chinese => zh,
        Language::English => en,
    }
}

/// What an alert is about.
pub fn alert(kind: AlertKind, language: Language) -> &'static str {
    either(kind.zh(), kind.en(), language)
}

/// Why something was refused; a code that this program does not know stays a code.
pub fn refusal(code: &str, language: Language) -> &str {
    let known = CODES.iter().find(|it| it.0 == code);
    known.map_or(code, |&(_, _, zh, en)| either(zh, en, language))
}

/// What a report told, by its token.
pub fn news(token: &str, language: Language) -> &str {
    let (zh, en) = match token {
        "delivered" => ("签收", "signed for"),
        "returned" => ("退回", "returned"),
        "correction-requested" => ("告知补正", "correction requested"),
        "accepted" => ("受理", "accepted"),
        "declined" => ("不予受理", "declined"),
        "suspended" => ("特别程序开始", "special procedure begun"),
        "resumed" => ("特别程序结束", "special procedure over"),
        "completed" => ("办结", "completed"),
        "certificate-issued" => ("证照签发", "certificate issued"),
        _ => return token,
    };
    either(zh, en, language)
}

/// How a national system got a result.
fn way(code: &str, language: Language) -> &str {
    match code {
        "webhook" => either("推送", "pushed to it", language),
        "feed" => either("自行取走", "fetched by it", language),
        _ => code,
    }
}

/// One sentence for one event. Holds no personal data, because events hold none.
pub fn told(event: &CaseEvent, language: Language) -> String {
    match language {
        Language::Chinese => chinese(event),
        Language::English => english(event),
    }
}

/// `2026-02-24（依据 国办发明电〔2025〕7号）`, and whether it is provisional.
pub fn due_in_words(due: &DueDay, language: Language) -> String {
    let papers = due.papers.join("、");
    match language {
        Language::Chinese => {
            let provisional = if due.provisional {
                "，暂定：有年份的放假安排尚未公布"
            } else {
                ""
            };
            format!("{} 24:00 前（依据 {papers}{provisional}）", due.day)
        }
        Language::English => {
            let provisional =
                if due.provisional { ", provisional: a year is not published yet" } else { "" };
            format!("{} 24:00 ({papers}{provisional})", due.day)
        }
    }
}

fn reasons(list: &[Reason], language: Language) -> String {
    let words: Vec<_> = list.iter().map(|it| either(it.zh(), it.en(), language)).collect();
    words.join(if language == Language::Chinese { "、" } else { ", " })
}

fn chinese(event: &CaseEvent) -> String {
    let zh = Language::Chinese;
    match event {
        E::CaseSubmitted(it) => format!(
            "收到{}（{}），经{}提交，发证机关{}；应于 {}受理",
            it.item.zh(),
            it.category.zh(),
            it.channel.zh(),
            it.authority.name,
            due_in_words(&it.due, zh)
        ),
        E::CaseRouted(it) => format!("转{}：{}", it.province.name(), route(&it.reason, zh)),
        E::CaseForwarded(it) => format!("第 {} 次发往{}", it.attempt, it.province.name()),
        E::CaseParked(it) => format!("暂停转办：{}", park(&it.reason, zh)),
        E::CaseReleased(it) => format!("{}恢复转办：{}", it.operator, it.note),
        E::CaseDelivered(_) => "省级适配器已签收".to_owned(),
        E::CaseAskedAgain(it) => again(&it.because, zh),
        E::CaseReturned(it) => format!("{}退回：{}", it.province.name(), it.reason.zh()),
        E::CorrectionRequested(it) => {
            let missing: Vec<_> = it.missing.iter().map(|it| it.zh()).collect();
            let again = if it.repeated { "（再次告知，已标记）" } else { "" };
            format!("一次性告知补正{again}：{}；{} 前补齐", missing.join("、"), it.until)
        }
        E::CorrectionSubmitted(it) => format!("已补正；应于 {}受理", due_in_words(&it.due, zh)),
        E::CorrectionLapsed(it) => format!("{} 前未补正，申请终止", it.until),
        E::CaseAccepted(it) => {
            format!("受理，受理号 {}；应于 {}办结", it.acceptance_number, due_in_words(&it.due, zh))
        }
        E::CaseDeclined(it) => format!("不予受理：{}", it.reason.zh()),
        E::ClockSuspended(it) => {
            format!("特别程序（{}），自 {} 起不计时限", it.ground.zh(), it.from)
        }
        E::ClockResumed(it) => format!("特别程序结束；应于 {}办结", due_in_words(&it.due, zh)),
        E::DueDayRevised(it) => {
            format!(
                "放假安排更新，{}期限由 {} 改为 {}",
                it.stage.zh(),
                it.old.day,
                due_in_words(&it.due, zh)
            )
        }
        E::CaseCompleted(it) => {
            let why = if it.reasons.is_empty() {
                String::new()
            } else {
                format!("：{}", reasons(&it.reasons, zh))
            };
            format!("办结，{}{why}；文号 {}", it.outcome.zh(), it.decision_number)
        }
        E::CaseWithdrawn(_) => "申请人撤回".to_owned(),
        E::AcceptanceOverdue(it) => format!("受理超期：应于 {} 前受理", it.due),
        E::CompletionOverdue(it) => format!("办结超期：应于 {} 前办结", it.due),
        E::CaseUrged(it) => format!("催办：{}期限 {} 已过一个工作日", it.stage.zh(), it.due),
        E::SeriouslyOverdue(it) => {
            format!("严重超期：{}期限 {} 已过五个工作日", it.stage.zh(), it.due)
        }
        E::DeemedAccepted(it) => {
            format!("逾期未告知，自 {} 起视为受理（行政许可法第三十二条第一款第四项）", it.since)
        }
        E::BreachExplained(it) => format!("{}说明{}超期：{}", it.operator, it.stage.zh(), it.note),
        E::CaseNoted(it) => format!("{}记：{}", it.operator, it.note),
        E::ResultFedBack(it) => format!("结果已反馈全国系统（{}）", way(&it.way, zh)),
        E::CertificateIssued(it) => format!("证照已签发：{}", it.certificate_id),
        E::CaseRated(it) => format!("评价：{}", it.rating.zh()),
        E::ComplaintFiled(it) => format!("投诉登记 {}（{}）", it.reference, it.channel),
        E::ComplaintAnswered(it) => format!("投诉已答复 {}", it.reference),
        E::CaseArchived(it) => format!("已归档 {}", it.reference),
        E::ReportRefused(it) => format!(
            "省级报告（{}）与记录不符，未采用：{}",
            news(&it.kind, zh),
            refusal(&it.code, zh)
        ),
        E::ConflictingDecision(it) => {
            format!("收到第二个不同的决定（{}），留存为证，不采用", news(&it.kind, zh))
        }
    }
}

fn english(event: &CaseEvent) -> String {
    let en = Language::English;
    match event {
        E::CaseSubmitted(it) => format!(
            "{} ({}) submitted through {}; issued by {}; to be accepted by {}",
            it.item.en(),
            it.category.en(),
            it.channel.en(),
            it.authority.name,
            due_in_words(&it.due, en)
        ),
        E::CaseRouted(it) => {
            format!("routed to {}: {}", it.province.name_en(), route(&it.reason, en))
        }
        E::CaseForwarded(it) => {
            format!("forwarded to {}, attempt {}", it.province.name_en(), it.attempt)
        }
        E::CaseParked(it) => format!("parked: {}", park(&it.reason, en)),
        E::CaseReleased(it) => format!("released by {}: {}", it.operator, it.note),
        E::CaseDelivered(_) => "the province's adapter signed for it".to_owned(),
        E::CaseAskedAgain(it) => again(&it.because, en),
        E::CaseReturned(it) => format!("returned by {}: {}", it.province.name_en(), it.reason.en()),
        E::CorrectionRequested(it) => corrected_in_english(it),
        E::CorrectionSubmitted(it) => {
            format!("corrected; to be accepted by {}", due_in_words(&it.due, en))
        }
        E::CorrectionLapsed(it) => format!("not corrected by {}: the application ended", it.until),
        E::CaseAccepted(it) => {
            format!(
                "accepted as {}; to be completed by {}",
                it.acceptance_number,
                due_in_words(&it.due, en)
            )
        }
        E::CaseDeclined(it) => format!("declined: {}", it.reason.en()),
        E::ClockSuspended(it) => {
            format!(
                "special procedure ({}): the clock stands still from {}",
                it.ground.en(),
                it.from
            )
        }
        E::ClockResumed(it) => {
            format!("special procedure over; to be completed by {}", due_in_words(&it.due, en))
        }
        E::DueDayRevised(it) => revised_in_english(it),
        E::CaseCompleted(it) => completed_in_english(it),
        E::CaseWithdrawn(_) => "withdrawn by the applicant".to_owned(),
        E::AcceptanceOverdue(it) => format!("acceptance overdue: was due {}", it.due),
        E::CompletionOverdue(it) => format!("completion overdue: was due {}", it.due),
        E::CaseUrged(it) => {
            format!("urged: {} was due {}, one working day ago", it.stage.en(), it.due)
        }
        E::SeriouslyOverdue(it) => {
            format!(
                "seriously overdue: {} was due {}, five working days ago",
                it.stage.en(),
                it.due
            )
        }
        E::DeemedAccepted(it) => {
            format!(
                "no notice in time: counts as accepted since {} (Administrative Licensing Law Art. 32)",
                it.since
            )
        }
        E::BreachExplained(it) => {
            format!("{} explained the {} breach: {}", it.operator, it.stage.en(), it.note)
        }
        E::CaseNoted(it) => format!("note of {}: {}", it.operator, it.note),
        E::ResultFedBack(it) => {
            format!("the national system has the result ({})", way(&it.way, en))
        }
        E::CertificateIssued(it) => format!("certificate issued: {}", it.certificate_id),
        E::CaseRated(it) => format!("rated: {}", it.rating.en()),
        E::ComplaintFiled(it) => format!("complaint {} filed ({})", it.reference, it.channel),
        E::ComplaintAnswered(it) => format!("complaint {} answered", it.reference),
        E::CaseArchived(it) => format!("archived as {}", it.reference),
        E::ReportRefused(it) => format!(
            "a report ({}) contradicted the story and was not applied: {}",
            news(&it.kind, en),
            refusal(&it.code, en)
        ),
        E::ConflictingDecision(it) => {
            format!(
                "a second, different decision ({}) was kept and not applied",
                news(&it.kind, en)
            )
        }
    }
}

fn corrected_in_english(it: &CorrectionRequested) -> String {
    let missing: Vec<_> = it.missing.iter().map(|it| it.en()).collect();
    let again = if it.repeated { " (a second notice, flagged)" } else { "" };
    format!("correction requested{again}: {}; until {}", missing.join(", "), it.until)
}

fn revised_in_english(it: &DueDayRevised) -> String {
    let en = Language::English;
    format!(
        "calendar changed: {} due {} becomes {}",
        it.stage.en(),
        it.old.day,
        due_in_words(&it.due, en)
    )
}

fn completed_in_english(it: &CaseCompleted) -> String {
    let en = Language::English;
    let why = if it.reasons.is_empty() {
        String::new()
    } else {
        format!(": {}", reasons(&it.reasons, en))
    };
    format!("completed, {}{why}; decision {}", it.outcome.en(), it.decision_number)
}

fn route(reason: &RouteReason, language: Language) -> String {
    match (reason, language) {
        (RouteReason::AuthorityListed { authority }, Language::Chinese) => {
            format!("发证机关名录 {authority}")
        }
        (RouteReason::AuthorityListed { authority }, Language::English) => {
            format!("listed authority {authority}")
        }
        (RouteReason::Division { division }, Language::Chinese) => {
            format!("发证机关区划代码 {division}")
        }
        (RouteReason::Division { division }, Language::English) => {
            format!("division code {division}")
        }
        (RouteReason::RetiredDivision { division, successor }, Language::Chinese) => {
            format!("原区划代码 {division} 现为 {successor}")
        }
        (RouteReason::RetiredDivision { division, successor }, Language::English) => {
            format!("retired division code {division}, now {successor}")
        }
        (RouteReason::ReturnedTo { by, division }, Language::Chinese) => {
            format!("{}退回并指明 {division}", by.name())
        }
        (RouteReason::ReturnedTo { by, division }, Language::English) => {
            format!("{} returned it and named {division}", by.name_en())
        }
        (RouteReason::Operator { operator }, Language::Chinese) => format!("由{operator}指定"),
        (RouteReason::Operator { operator }, Language::English) => format!("decided by {operator}"),
    }
}

fn again(because: &AgainGround, language: Language) -> String {
    match (because, language) {
        (AgainGround::NewStore, Language::Chinese) => "省级适配器存储已重建，重新交办".to_owned(),
        (AgainGround::NewStore, Language::English) => {
            "asked again: the province's adapter lost its store".to_owned()
        }
        (AgainGround::Reconciliation, Language::Chinese) => "对账发现缺失，重新交办".to_owned(),
        (AgainGround::Reconciliation, Language::English) => {
            "asked again: a comparison found it missing".to_owned()
        }
        (AgainGround::Operator { operator, note }, Language::Chinese) => {
            format!("{operator}要求重新交办：{note}")
        }
        (AgainGround::Operator { operator, note }, Language::English) => {
            format!("asked again by {operator}: {note}")
        }
    }
}

fn park(reason: &ParkReason, language: Language) -> String {
    match (reason, language) {
        (ParkReason::ReturnedWithoutSuccessor { by }, Language::Chinese) => {
            format!("{}退回，未指明现管机关", by.name())
        }
        (ParkReason::ReturnedWithoutSuccessor { by }, Language::English) => {
            format!("{} returned it and named nobody", by.name_en())
        }
        (ParkReason::ReturnedInCircle { by }, Language::Chinese) => {
            format!("{}退回，各省互相退回", by.name())
        }
        (ParkReason::ReturnedInCircle { by }, Language::English) => {
            format!("{} returned it in a circle", by.name_en())
        }
        (ParkReason::Operator { operator }, Language::Chinese) => format!("由{operator}暂停"),
        (ParkReason::Operator { operator }, Language::English) => format!("stopped by {operator}"),
    }
}
