//! The words of the page of what waits for a person, both languages side by side.

use hub_core::redrive::Phase;

use super::words::words;
use crate::words::Language;

words! { ParkedWords:
    title: "异常", "Parked and quarantined";
    groups: "按类别、省份和原因", "By kind, province and reason";
    of: "类别", "what";
    cases: "暂停的办件", "parked cases";
    reports: "隔离的回报", "quarantined reports";
    province: "省份", "province";
    reason: "原因", "reason";
    count: "数量", "count";
    oldest: "最早", "oldest";
    newest: "最新", "newest";
    able: "可重新处理", "can be let in again";
    look: "查看", "look";
    none: "没有暂停的办件，也没有隔离的回报", "nothing is parked and nothing is in quarantine";
    all_groups: "全部分组", "all groups";
    items: "逐项", "One by one";
    item: "编号", "number";
    at: "时间", "at";
    what: "内容", "what";
    size: "字节", "bytes";
    tries: "已重试", "tried again";
    only_this: "仅此一项", "only this one";
    inside: "内容（遮蔽）", "look inside (masked)";
    unable: "缺少签名，须由省级重新发送", "kept without its signature: the province must send it again";
    next: "下一页", "next page";
    again: "重新处理", "Let in again";
    again_note: "回报按同样的验签和规则重新受理，办件继续转办；已送达的不会再次发送", "reports go through the same checks and rules again, cases go on; what was delivered is not sent again";
    only: "仅这些编号（逗号分隔，留空为全组）", "only these numbers (with commas; empty: the whole group)";
    since: "自此时刻起", "not from before";
    per_minute: "每分钟件数", "items a minute";
    route_to: "转往省份", "route to";
    as_it_was: "不变", "as it was";
    why: "理由（记入日志）", "why (on record)";
    preview: "预览数量", "Count first";
    previewed: "预览", "What it would come to";
    would: "将重新处理", "to be let in again";
    takes: "预计用时（分钟）", "takes about (minutes)";
    second: "超过单人上限，须由另一人确认后才开始", "more than one person may let in alone: it begins when somebody else has confirmed it";
    start: "下令", "Order it";
    nothing: "没有可重新处理的项", "there is nothing to let in again";
    jobs: "重新处理任务", "Re-drives";
    no_jobs: "还没有任务", "none yet";
    ordered: "下令", "ordered";
    confirmed: "确认", "confirmed";
    progress: "进度", "progress";
    pace: "每分钟", "a minute:";
    state: "状态", "state";
    outcomes: "结果", "outcomes";
    confirm: "确认", "Confirm";
    pause: "暂停", "Pause";
    resume: "继续", "Go on";
    cancel: "取消", "Cancel";
    yours: "您下的令，须由另一人确认", "you ordered it: somebody else must confirm it";
    message: "隔离的回报", "Quarantined report";
    facts: "概况", "Facts";
    source: "来源", "from";
    subject: "主题", "subject";
    key: "签名密钥", "signing key";
    headers: "消息头", "headers";
    body: "内容", "What came";
    masked: "已遮蔽", "masked";
    not_json: "不是 JSON，遮蔽时不显示", "not JSON: nothing of it is shown while masked";
    gone: "无法解封", "nobody can open it";
    cut: "只显示开头部分", "only its beginning is shown";
    purpose: "事由", "purpose";
    ticket: "工单号", "ticket";
    reveal: "查看原文", "Show what came";
    shown: "本次查看已记入日志", "this look is on record";
}

/// Where a re-drive stands, and its mark.
pub(super) fn phase(phase: Phase, language: Language) -> (&'static str, &'static str) {
    let (mark, zh, en) = match phase {
        Phase::Waiting => ("soon", "待第二人确认", "waits for a second person"),
        Phase::Running => ("run", "进行中", "running"),
        Phase::Paused => ("pause", "已暂停", "paused"),
        Phase::Cancelled => ("off", "已取消", "cancelled"),
        Phase::Finished => ("good", "已完成", "finished"),
    };
    (mark, if language == Language::Chinese { zh } else { en })
}

/// What became of an item.
pub(super) fn outcome(code: &str, language: Language) -> String {
    let (zh, en) = match code {
        "released" => ("已放行", "released"),
        "not-parked" => ("已不在暂停中", "not parked any more"),
        "taken" => ("已受理", "taken in"),
        "refused" => ("被拒绝", "refused"),
        "back" => ("退回隔离", "back in quarantine"),
        _ => return code.to_owned(),
    };
    (if language == Language::Chinese { zh } else { en }).to_owned()
}

/// Reasons of the quarantine and of parking; what is not listed has a text among the refusals.
#[rustfmt::skip] // a table
const REASONS: &[(&str, &str, &str)] = &[
    ("returned-without-successor", "被退回且无承接省份", "returned, and nobody else is named"),
    ("returned-in-circle",   "在省份间循环退回", "returned in a circle"),
    ("operator",             "值班员暂停",       "stopped by an operator"),
    ("wrong-subject",        "主题不符",         "published where it does not belong"),
    ("no-signature",         "没有签名",         "not signed"),
    ("several-signatures",   "多个签名",         "signed more than once"),
    ("malformed-signature",  "签名格式错误",     "a signature that is none"),
    ("unknown-key",          "密钥未登记",       "signed with a key that is not registered"),
    ("revoked-key",          "密钥已吊销",       "signed with a revoked key"),
    ("unusable-key",         "密钥不可用",       "the registered key cannot be used"),
    ("wrong-purpose",        "密钥用途不符",     "the key is for something else"),
    ("wrong-algorithm",      "签名算法不符",     "another algorithm than the key's"),
    ("wrong-signature",      "签名不成立",       "the signature does not fit"),
    ("unreadable",           "无法读取",         "unreadable"),
    ("unreadable-headers",   "消息头无法读取",   "headers that cannot be read"),
    ("unknown-kind",         "未知种类",         "of an unknown kind"),
    ("contradiction",        "自相矛盾",         "contradicts itself"),
    ("other-province",       "属于别省",         "speaks for another province"),
    ("other-origin",         "属于其他环境",     "of another environment"),
    ("adapter-not-certified", "适配器未认证",    "the adapter has no certificate"),
];

/// A reason in the reader's language, or its code.
pub(super) fn reason(code: &str, language: Language) -> String {
    let english = language == Language::English;
    if let Some((_, zh, en)) = REASONS.iter().find(|it| it.0 == code) {
        return (if english { en } else { zh }).to_string();
    }
    match crate::problem::CODES.iter().find(|it| it.0 == code) {
        Some((.., zh, en)) => (if english { en } else { zh }).to_string(),
        None => code.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::examine::Fault;

    #[test]
    fn every_reason_has_words() {
        let faults = Fault::ALL.into_iter().map(Fault::code);
        for code in crate::views::parked::REASONS.into_iter().chain(faults) {
            assert_ne!(reason(code, Language::Chinese), code);
        }
        assert_eq!(reason("unknown-case", Language::English), "no such case");
        assert_eq!(reason("nobody-knows", Language::Chinese), "nobody-knows");
    }
}
