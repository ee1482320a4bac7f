//! What every figure means and which rule it rests on. A figure without a definition does not exist.
//!
//! The texts and the arithmetic are one revision together: whoever changes either raises [`REVISION`].

use super::tally::{Count, Tally};
use crate::sheet::Cell;

/// The revision of these definitions. A report names the one that it follows.
pub const REVISION: u32 = 1;

/// The three heads of the quarterly evaluation (交办运函〔2022〕1599号), time limits apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Theme {
    /// 业务办理
    Handling,
    /// 时限
    Limits,
    /// 数据质量与联网
    Quality,
}

impl Theme {
    /// All of them, in the order of a page.
    pub const ALL: [Self; 3] = [Self::Handling, Self::Limits, Self::Quality];

    /// The heading in Chinese and English.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Handling => ("业务办理", "Handling"),
            Self::Limits => ("时限", "Time limits"),
            Self::Quality => ("数据质量、联网与评价", "Data quality, link and ratings"),
        }
    }
}

/// One figure of a report.
#[derive(Debug, Clone, Copy)]
pub struct Figure {
    /// Its stable name, for programs.
    pub id: &'static str,
    /// Under which heading.
    pub theme: Theme,
    /// Its name.
    pub zh: &'static str,
    /// Its name.
    pub en: &'static str,
    /// What it means.
    pub meaning_zh: &'static str,
    /// What it means.
    pub meaning_en: &'static str,
    /// What it rests on.
    pub rule: &'static str,
    /// How it is computed from what was counted.
    pub cell: fn(&Tally) -> Cell,
}

const DECIDED: [Count; 3] = [Count::Approved, Count::Denied, Count::Declined];
const TO_HANDLE: [Count; 3] = [Count::OpenStart, Count::Received, Count::MovedIn];
const ACCEPTANCE: [Count; 3] =
    [Count::AcceptanceOnTime, Count::AcceptanceLate, Count::AcceptanceOverdue];
const COMPLETION: [Count; 3] =
    [Count::CompletionOnTime, Count::CompletionLate, Count::CompletionOverdue];

const GUIDE: &str = "《互联网道路运输便民政务服务业务办理工作指南》";
const EVALUATION: &str = "交办运函〔2022〕1599号";
const LICENSING_32: &str = "行政许可法第三十二条";
pub const HOUSE: &str = "本枢纽口径 the hub's own rule";

fn count(tally: &Tally, it: Count) -> Cell {
    Cell::Count(tally.get(it))
}
fn share(part: u64, whole: u64) -> Cell {
    Cell::Share { part, whole }
}
fn hours(tally: &Tally, percent: u64) -> Cell {
    tally.hours_at(percent).map_or(Cell::Empty, Cell::Tenths)
}

macro_rules! figures {
    ($($id:literal, $theme:ident, $zh:literal, $en:literal, $rule:expr, $cell:expr;
        $meaning_zh:literal, $meaning_en:literal;)+) => {
        &[$(Figure {
            id: $id, theme: Theme::$theme, zh: $zh, en: $en,
            meaning_zh: $meaning_zh, meaning_en: $meaning_en, rule: $rule, cell: $cell,
        }),+]
    };
}

/// Every figure, in the order of its columns. Where nothing else is said, a figure counts events that
/// the hub recorded in the period; a case belongs to the province that had it at that event.
pub const FIGURES: &[Figure] = figures! {
    "received", Handling, "接收", "received", GUIDE, |it| count(it, Count::Received);
        "期内首次转到省的办件", "cases first routed to a province in the period";
    "moved_in", Handling, "转入", "moved in", LICENSING_32, |it| count(it, Count::MovedIn);
        "被他省退回后改转本省的次数", "routings to this province after another one returned the case";
    "returned", Handling, "退回", "returned", LICENSING_32, |it| count(it, Count::Returned);
        "省级称不属本机关而退回的次数", "returned by the province as not its own";
    "accepted", Handling, "受理", "accepted", LICENSING_32, |it| count(it, Count::Accepted);
        "期内记录的受理决定", "acceptances recorded";
    "declined", Handling, "不予受理", "declined", LICENSING_32, |it| count(it, Count::Declined);
        "期内记录的不予受理决定", "refusals to accept recorded";
    "approved", Handling, "办理成功", "approved", EVALUATION, |it| count(it, Count::Approved);
        "办结且结果为通过", "completed with the outcome approved";
    "denied", Handling, "不予通过", "denied", EVALUATION, |it| count(it, Count::Denied);
        "办结且结果为不予通过", "completed with the outcome denied";
    "decided", Handling, "办结量", "decided", EVALUATION, |it| Cell::Count(it.sum(&DECIDED));
        "通过＋不予通过＋不予受理（权重和是否含不予受理未见公开，此处计入）",
        "approved + denied + declined (whether declined counts is not public; here it does)";
    "closing_rate", Handling, "办结率", "closing rate", EVALUATION,
        |it| share(it.sum(&DECIDED), it.sum(&TO_HANDLE));
        "办结量 ÷（期初在途＋接收＋转入）", "decided ÷ (open at the start + received + moved in)";
    "success_rate", Handling, "办理成功率", "success rate", EVALUATION,
        |it| share(it.get(Count::Approved), it.sum(&DECIDED));
        "办理成功 ÷ 办结量", "approved ÷ decided";
    "withdrawn", Handling, "撤回", "withdrawn", HOUSE, |it| count(it, Count::Withdrawn);
        "申请人撤回", "taken back by the applicant";
    "lapsed", Handling, "逾期未补正", "lapsed", LICENSING_32, |it| count(it, Count::Lapsed);
        "补正期满未补正而终止", "ended because the correction never came";
    "corrections", Handling, "补正告知", "corrections", LICENSING_32,
        |it| count(it, Count::Corrections);
        "一次性告知补正的次数（首次）", "first notices that materials are missing";
    "correction_rate", Handling, "补正率", "correction rate", EVALUATION,
        |it| share(it.get(Count::Corrections), it.get(Count::Received) + it.get(Count::MovedIn));
        "补正告知 ÷（接收＋转入）", "corrections ÷ (received + moved in)";
    "median_hours", Handling, "中位用时（小时）", "median hours", HOUSE, |it| hours(it, 50);
        "自申请人提交至枢纽记录决定的自然小时，取中位办件所在小时的中点",
        "hours by the clock from submission to the recorded decision; the middle of the middle case's hour";
    "p90_hours", Handling, "九成用时（小时）", "90 % within hours", HOUSE, |it| hours(it, 90);
        "同上，取第九十百分位", "the same at the ninetieth percentile";
    "open_start", Handling, "期初在途", "open at start", HOUSE, |it| count(it, Count::OpenStart);
        "期初未结束的办件", "cases that had not ended when the period began";
    "open_end", Handling, "期末在途", "open at end", HOUSE, |it| count(it, Count::OpenEnd);
        "期末未结束的办件；期未满则为截至该日志位置",
        "cases that have not ended when the period ends, or at the log position if it has not ended";
    "acceptance_on_time", Limits, "受理按时", "accepted on time", GUIDE,
        |it| count(it, Count::AcceptanceOnTime);
        "受理或不予受理于期限日 24:00 前记录在案（提交后 2 个工作日，首日不计）",
        "accepted or declined, recorded by 24:00 of the due day (two working days after submission)";
    "acceptance_late", Limits, "受理迟报", "acceptance reported late", GUIDE,
        |it| count(it, Count::AcceptanceLate);
        "省级称期限内已决定，记录在期限后", "decided in time as the province says, recorded later";
    "acceptance_overdue", Limits, "受理超期", "acceptance overdue", GUIDE,
        |it| count(it, Count::AcceptanceOverdue);
        "期限日结束时无记录；计入期限届满当期", "nothing on record when the day ended; counted when it ended";
    "acceptance_rate", Limits, "受理按时率", "acceptance on time", EVALUATION,
        |it| share(it.get(Count::AcceptanceOnTime), it.sum(&ACCEPTANCE));
        "受理按时 ÷（按时＋迟报＋超期）", "on time ÷ (on time + reported late + overdue)";
    "completion_on_time", Limits, "办结按时", "completed on time", GUIDE,
        |it| count(it, Count::CompletionOnTime);
        "办结于期限日 24:00 前记录在案（受理后 3 个工作日）",
        "decision recorded by 24:00 of the due day (three working days after acceptance)";
    "completion_late", Limits, "办结迟报", "completion reported late", GUIDE,
        |it| count(it, Count::CompletionLate);
        "省级称期限内已决定，记录在期限后", "decided in time as the province says, recorded later";
    "completion_overdue", Limits, "办结超期", "completion overdue", GUIDE,
        |it| count(it, Count::CompletionOverdue);
        "期限日结束时无记录；计入期限届满当期", "nothing on record when the day ended; counted when it ended";
    "completion_rate", Limits, "办结按时率", "completion on time", EVALUATION,
        |it| share(it.get(Count::CompletionOnTime), it.sum(&COMPLETION));
        "办结按时 ÷（按时＋迟报＋超期）", "on time ÷ (on time + reported late + overdue)";
    "turned_out_late", Limits, "前期超期更正为迟报", "earlier overdue, now late reports", HOUSE,
        |it| count(it, Count::TurnedOutLate);
        "前期已计超期、本期查明为迟报；前期数字不改", "counted overdue in an earlier period, now known as reported late; the earlier figure stays";
    "urged", Limits, "催办", "urged", HOUSE, |it| count(it, Count::Urged);
        "期限后第 1 个工作日自动催办", "urged on the first working day after the due day";
    "serious", Limits, "严重超期", "seriously overdue", HOUSE, |it| count(it, Count::Serious);
        "期限后第 5 个工作日仍未决定", "still undecided five working days after the due day";
    "deemed", Limits, "视为受理", "deemed accepted", LICENSING_32, |it| count(it, Count::Deemed);
        "五个工作日内既未告知补正也未答复", "neither notice nor answer within five working days";
    "blame_hub", Limits, "责任：枢纽", "held by the hub", HOUSE, |it| count(it, Count::BlameHub);
        "超期或迟报时办件尚未发出、被暂停，或国家平台迟交",
        "breaches while the case was not sent, was parked, or came late from the national system";
    "blame_transit", Limits, "责任：传输", "held in transit", HOUSE,
        |it| count(it, Count::BlameTransit);
        "已发出、适配器未签收", "sent, not signed for by the adapter";
    "blame_adapter", Limits, "责任：适配器", "held by the adapter", HOUSE,
        |it| count(it, Count::BlameAdapter);
        "期限内已决定、报送迟到（迟报）", "decided in time, reported late";
    "blame_desk", Limits, "责任：省级经办", "held by the office", HOUSE,
        |it| count(it, Count::BlameDesk);
        "已签收、期限内未决定", "signed for and not decided in time";
    "blame_applicant", Limits, "责任：申请人", "held by the applicant", HOUSE,
        |it| count(it, Count::BlameApplicant);
        "期限届满时待申请人补正", "the applicant owed a correction when the day ended";
    "overdue_end", Limits, "期末超期在途", "overdue at end", EVALUATION,
        |it| count(it, Count::OverdueEnd);
        "期末在途办件中已超期的", "of the cases open at the end, those past a due day";
    "oldest_open", Limits, "最早在途", "oldest open", HOUSE,
        |it| it.oldest.as_ref().map_or(Cell::Empty, |it| Cell::text(it.1.as_str()));
        "期末在途办件中提交最早的一件", "of the cases open at the end, the one submitted first";
    "told", Quality, "省级报告", "provinces' reports", EVALUATION, |it| count(it, Count::Told);
        "期内记录在案的省级报告（含签收）", "reports of provinces that were recorded, receipts included";
    "refused", Quality, "拒收报告", "reports refused", EVALUATION, |it| count(it, Count::Refused);
        "与办件经过相矛盾而拒收的报告", "reports refused because they contradict the story";
    "refused_share", Quality, "拒收占比", "share refused", EVALUATION,
        |it| share(it.get(Count::Refused), it.get(Count::Told) + it.get(Count::Refused));
        "拒收报告 ÷（省级报告＋拒收报告）", "refused ÷ (recorded + refused)";
    "conflicts", Quality, "矛盾决定", "conflicting decisions", EVALUATION,
        |it| count(it, Count::Conflicts);
        "同一办件的第二个不同决定：保留、不采用", "a second, different decision on one case: kept, never applied";
    "repeated", Quality, "重复补正告知", "repeated corrections", LICENSING_32,
        |it| count(it, Count::CorrectionsRepeated);
        "同一办件再次告知补正（法律只许一次）", "a second notice on one case; the law allows one";
    "link_availability", Quality, "联网可用率", "link availability", EVALUATION,
        |it| it.link.map_or(Cell::Empty, |it| share(it.enrolled_s - it.down_s.min(it.enrolled_s), it.enrolled_s));
        "在网时间中无办件超过 1 小时未签收的时间占比；全国为各省合计",
        "of the time enrolled, the share in which no work waited over an hour for a signature; the total adds the provinces up";
    "link_down_hours", Quality, "联网中断（小时）", "link down, hours", EVALUATION,
        |it| it.link.map_or(Cell::Empty, |it| Cell::Tenths(it.down_s / 360));
        "有办件超过 1 小时未签收的时间", "time in which some work waited over an hour for a signature";
    "link_announced_hours", Quality, "其中已登记维护（小时）", "of these announced, hours", EVALUATION,
        |it| it.link.map_or(Cell::Empty, |it| Cell::Tenths(it.announced_s / 360));
        "中断时间中落在事先登记的停机维护内的", "of the time down, what lies in maintenance declared beforehand";
    "certificates", Quality, "电子证照", "e-certificates", "交办运〔2024〕39号",
        |it| count(it, Count::Certificates);
        "期内报告签发的电子证照", "electronic certificates reported as issued";
    "rated", Quality, "好差评", "ratings", "国办发〔2019〕51号", |it| count(it, Count::Rated);
        "期内收到的评价", "ratings received";
    "good_rate", Quality, "好评率", "good ratings", "国办发〔2019〕51号",
        |it| share(it.get(Count::RatedGood), it.get(Count::Rated));
        "非常满意、满意、基本满意 ÷ 全部评价", "very satisfied, satisfied and fair ÷ all ratings";
    "complaints", Quality, "投诉", "complaints", "交运发〔2021〕89号",
        |it| count(it, Count::Complaints);
        "期内登记的投诉（12328、司机有话说）", "complaints filed (12328, 司机有话说)";
    "complaints_answered", Quality, "投诉答复", "complaints answered", "交运发〔2021〕89号",
        |it| count(it, Count::ComplaintsAnswered);
        "期内答复的投诉", "complaints answered";
};

/// The figure with this name.
pub fn figure(id: &str) -> Option<&'static Figure> {
    FIGURES.iter().find(|it| it.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_has_a_name_of_its_own_a_meaning_in_both_languages_and_a_rule() {
        for (at, it) in FIGURES.iter().enumerate() {
            assert!(FIGURES[..at].iter().all(|other| other.id != it.id), "{}", it.id);
            let texts = [it.zh, it.en, it.meaning_zh, it.meaning_en, it.rule];
            assert!(texts.iter().all(|it| !it.is_empty()), "{}", it.id);
        }
    }

    #[test]
    fn a_share_of_nothing_says_nothing() {
        let nothing = Tally::default();
        let success = figure("success_rate").unwrap();
        assert_eq!((success.cell)(&nothing).shown(), "–");
        assert_eq!((success.cell)(&nothing).plain(), "");
    }
}
