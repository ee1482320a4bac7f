//! The words of the pages, in both languages side by side, so that none is forgotten.

use crate::words::Language;

macro_rules! words {
    ($($name:ident: $zh:literal, $en:literal;)+) => {
        /// All words of one language.
        pub(super) struct Words { $(pub(super) $name: &'static str,)+ }

        const CHINESE: Words = Words { $($name: $zh,)+ };
        const ENGLISH: Words = Words { $($name: $en,)+ };
    };
}

words! {
    lang: "zh", "en";
    other: "en", "zh";
    other_name: "English", "中文";
    title: "跨省通办路由枢纽", "Inter-provincial routing hub";
    zone: "上海时间", "Shanghai time";
    position: "日志位置", "log position";
    behind: "落后事件", "events behind";
    lapse: "演示：时间加快", "Demonstration: time runs faster";
    alerts: "最新提醒", "Newest alerts";
    provinces: "各省", "Provinces";
    what: "事由", "What";
    case: "办件号", "Case";
    province: "省份", "Province";
    due: "期限", "Due";
    since: "起于", "Since";
    state: "状态", "State";
    standing: "仍存在", "standing";
    over: "已解除", "over";
    none: "无", "none";
    heard: "最近来讯", "Last heard";
    story: "经过", "Story";
    received: "收件", "received";
    open: "在途", "open";
    waiting: "待签收", "waiting";
    approved: "通过", "approved";
    denied: "不予通过", "denied";
    declined: "不予受理", "declined";
    on_time: "按时", "on time";
    reported_late: "迟报", "reported late";
    overdue: "超期", "overdue";
    connected: "已接入", "enrolled";
    paused: "暂停", "paused";
    not_connected: "未接入", "not enrolled";
    acceptance: "受理期限", "To be accepted by";
    completion: "办结期限", "To be completed by";
    met: "已按时", "met";
    missed: "已超期", "missed";
    running: "进行中", "running";
}

impl Words {
    pub(super) fn of(language: Language) -> &'static Self {
        match language {
            Language::Chinese => &CHINESE,
            Language::English => &ENGLISH,
        }
    }
}
