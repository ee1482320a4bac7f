//! The words of the alerts page, both languages side by side.

use events::keeping::alerts::NoticeWhy;
use events::vocabulary::AlertKind;

use super::words::words;

words! { AlertWords:
    title: "预警", "Alerts";
    ladder: "时限阶梯", "The ladder";
    groups: "按事由和省份", "By cause and province";
    one_by_one: "逐件", "One by one";
    what: "事由", "what";
    province: "省份", "province";
    count: "数量", "count";
    case: "办件号", "case";
    due: "期限", "due";
    since: "起于", "since";
    state: "状态", "state";
    standing: "仍存在", "standing";
    over: "已解除", "over";
    who: "时间耗在", "time went to";
    none: "没有预警", "no alerts";
    next: "下一页", "next page";
    cut: "临期和未签收最多各列 100 件，其余见办件列表", "of what is due soon or silent a hundred are listed at most; the list of cases has all";
    all: "全部", "all";
    open_only: "仅未解除", "standing only";
    blame_hub: "枢纽", "hub";
    blame_transit: "传输", "transit";
    blame_adapter: "适配器", "adapter";
    blame_desk: "省级经办", "desk";
    blame_applicant: "申请人", "applicant";
    done: "处置", "what was done";
    handle: "处置", "handle";
    let_in: "重新处理", "let in again";
    whole_group: "全部事由和省份", "all causes and provinces";
    nothing_done: "尚未处置", "nothing was done yet";
    acknowledge: "确认", "Acknowledge";
    acknowledge_note: "不再提醒；数量明显增加时仍会通知", "ends the reminders; people are still told when there are many more";
    assign: "指派", "Assign";
    silence: "静默", "Silence";
    silence_note: "到期自动恢复；预警仍然显示", "ends by itself; the alert stays in sight";
    unsilence: "解除静默", "End the silence";
    explain: "说明超期原因", "Explain the breach";
    explain_note: "记入全组每一件未解除的办件（一次最多 10000 件）；超期记录不变", "recorded with each standing case of the group (10000 at a time); the breach stays";
    note: "说明", "note";
    reason: "理由", "reason";
    hours: "小时", "hours";
    to: "指派给", "to";
    acknowledged: "已确认", "acknowledged by";
    assigned: "交由", "given to";
    silent_until: "静默至", "silent until";
    one_acknowledged: "逐件确认", "acknowledged one by one:";
    one_silenced: "逐件静默", "silenced one by one:";
    messages: "通知记录", "What people were told";
    no_messages: "尚未通知任何人", "nobody was told of anything yet";
    at: "时间", "at";
    said: "内容", "said";
    outcome: "送达", "brought by";
    and_more: "另有分组", "and groups:";
    waiting: "待送达", "waiting";
    delivered: "已送达", "delivered";
    given_up: "已放弃", "given up:";
    first: "新出现", "new";
    grown: "增加", "more";
    reminder: "提醒", "reminder";
    resolved: "已解除", "over";
}

impl AlertWords {
    /// Why people were told.
    pub(super) fn why(&self, why: NoticeWhy) -> &'static str {
        match why {
            NoticeWhy::First => self.first,
            NoticeWhy::Grown => self.grown,
            NoticeWhy::Reminder => self.reminder,
            NoticeWhy::Resolved => self.resolved,
        }
    }
}

/// It is told when asked, and on no record.
pub(super) fn is_told(kind: AlertKind) -> bool {
    matches!(kind, AlertKind::DueSoon | AlertKind::NothingCameBack)
}
