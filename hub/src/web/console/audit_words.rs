//! What people did, in words: for the auditor's list, beside the kind of event that records it.

use events::vocabulary::AlertKind;

use super::deeds::PURPOSES;
use crate::words::{Language, alert, either};

/// The kind without its version, in Chinese, in English.
#[rustfmt::skip] // a table
const DEEDS: &[(&str, &str, &str)] = &[
    ("case.parked",                   "暂停转办",           "parked a case"),
    ("case.released",                 "恢复转办",           "let a case go on"),
    ("case.breach-explained",         "说明超期原因",       "explained a breach"),
    ("case.noted",                    "记备注",             "noted something"),
    ("case.complaint-filed",          "登记投诉",           "filed a complaint"),
    ("case.complaint-answered",       "答复投诉",           "answered a complaint"),
    ("case.archived",                 "归档",               "archived a case"),
    ("case.asked-again",              "重新下发",           "sent a case again"),
    ("province.enrolled",             "省份接入",           "let a province join"),
    ("province.paused",               "暂停省份",           "paused a province"),
    ("province.resumed",              "恢复省份",           "let a province go on"),
    ("province.left",                 "省份退出",           "let a province leave"),
    ("province.maintenance-declared", "登记维护",           "declared maintenance"),
    ("province.adapter-certified",    "登记符合性证书",     "recorded a certificate"),
    ("province.key-registered",       "登记密钥",           "registered a key"),
    ("province.key-revoked",          "吊销密钥",           "revoked a key"),
    ("province.key-expiry-set",       "设定密钥有效期",     "set a key's end"),
    ("province.publicity-stated",     "填报宣传统计",       "stated publicity"),
    ("reference.calendar-published",  "发布工作日历",       "published a calendar"),
    ("keeping.personal-data-read",    "查阅个人信息",       "looked at a person"),
    ("keeping.operator-acted",        "操作",               "acted"),
    ("keeping.statistics-issued",     "出具报表",           "issued a report"),
    ("keeping.case-key-destroyed",    "销毁个人信息密钥",   "destroyed a case's key"),
    ("keeping.alerts-acknowledged",   "确认预警",           "acknowledged alerts"),
    ("keeping.alerts-assigned",       "指派预警",           "assigned alerts"),
    ("keeping.alerts-silenced",       "静默预警",           "silenced alerts"),
    ("keeping.alerts-unsilenced",     "解除静默",           "ended a silence"),
    ("keeping.redrive-ordered",       "下令重新处理",       "ordered a re-drive"),
    ("keeping.redrive-confirmed",     "确认重新处理",       "confirmed a re-drive"),
    ("keeping.redrive-paused",        "暂停重新处理",       "paused a re-drive"),
    ("keeping.redrive-resumed",       "继续重新处理",       "resumed a re-drive"),
    ("keeping.redrive-cancelled",     "取消重新处理",       "cancelled a re-drive"),
];

/// In words; nothing for a kind that people do not cause.
pub(super) fn deed(kind: &str, language: Language) -> &'static str {
    let plain = kind.rsplit_once('.').map_or(kind, |it| it.0);
    let found = DEEDS.iter().find(|it| it.0 == plain);
    found.map_or("", |it| if language == Language::Chinese { it.1 } else { it.2 })
}

/// What an operator did beside the events that say it themselves: the action on record, in Chinese, in English.
#[rustfmt::skip] // a table
const ACTIONS: &[(&str, &str, &str)] = &[
    ("sign-in",              "登录",             "signed in"),
    ("change-password",      "修改密码",         "changed the password"),
    ("account-put",          "新增或修改账号",   "added or changed an account"),
    ("account-disable",      "停用账号",         "disabled an account"),
    ("look-up",              "按号码查询",       "looked somebody up by number"),
    ("look-into-quarantine", "查看隔离的回报",   "looked into a quarantined report"),
    ("reconcile",            "与省级对账",       "compared with a province"),
    ("verify",               "校验日志",         "had the log verified"),
];

/// What was said, in words, if it begins with a code; the record itself is shown beside it.
pub(super) fn said(recorded: &str, language: Language) -> &'static str {
    let code = recorded.split_once(':').map_or(recorded, |it| it.0);
    if let Some(kind) = AlertKind::of(code) {
        return alert(kind, language);
    }
    let found = ACTIONS.iter().chain(&PURPOSES).find(|it| it.0 == code);
    found.map_or("", |it| either(it.1, it.2, language))
}

#[cfg(test)]
mod tests {
    use events::case::CaseEvent;
    use events::keeping::KeepingEvent;
    use events::province::ProvinceEvent;
    use events::reference::ReferenceEvent;

    use super::*;

    #[test]
    fn every_word_is_of_a_kind_that_there_is() {
        let all =
            [CaseEvent::KINDS, ProvinceEvent::KINDS, ReferenceEvent::KINDS, KeepingEvent::KINDS];
        for (kind, ..) in DEEDS {
            let there = all.concat().iter().any(|it| it.rsplit_once('.').unwrap().0 == *kind);
            assert!(there, "{kind}");
        }
        assert_eq!(deed("case.noted.v1", Language::Chinese), "记备注");
        assert_eq!(deed("case.submitted.v1", Language::English), "");
        assert_eq!(said("complaint: T-7", Language::English), "to handle a complaint");
        assert_eq!(said("due-soon", Language::Chinese), "即将到期");
        assert_eq!(said("what a person wrote: so", Language::English), "");
    }
}
