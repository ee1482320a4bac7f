//! The words of the pages, both languages side by side, so that none is forgotten.

use crate::words::Language;

/// `words! { Page: name: "中文", "English"; … }` makes a struct of texts and its `of(language)`.
macro_rules! words {
    ($page:ident: $($name:ident: $zh:literal, $en:literal;)+) => {
        /// All words of one language.
        pub(super) struct $page { $(pub(super) $name: &'static str,)+ }

        impl $page {
            pub(super) fn of(language: $crate::words::Language) -> &'static Self {
                const CHINESE: $page = $page { $($name: $zh,)+ };
                const ENGLISH: $page = $page { $($name: $en,)+ };
                match language {
                    $crate::words::Language::Chinese => &CHINESE,
                    $crate::words::Language::English => &ENGLISH,
                }
            }
        }
    };
}
pub(super) use words;

words! { ShellWords:
    lang: "zh", "en";
    other: "en", "zh";
    other_name: "English", "中文";
    title: "跨省通办路由枢纽", "Inter-provincial routing hub";
    subtitle: "道路运输从业资格", "road transport qualifications";
    skip: "跳到内容", "skip to content";
    rooms: "栏目", "sections";
    zone: "上海时间", "Shanghai time";
    position: "日志位置", "log position";
    behind: "落后", "behind by";
    lapse: "演示：时间加快", "demonstration: time runs faster";
    dark: "深色", "dark";
    light: "浅色", "light";
    sign_in: "登录", "sign in";
    sign_out: "退出", "sign out";
    guest: "访客", "guest";
    problem: "不能这样做", "That cannot be done";
    back: "返回总览", "back to the overview";
    request: "请求编号", "request";
}

/// A role in the reader's language.
pub(super) fn role(role: crate::accounts::Role, language: Language) -> &'static str {
    use crate::accounts::Role;
    let (zh, en) = match role {
        Role::Operator => ("运行值班", "operator"),
        Role::Hotline => ("热线坐席", "hotline"),
        Role::Province(_) => ("省级用户", "province"),
        Role::Auditor => ("审计", "auditor"),
        Role::Admin => ("系统管理", "administrator"),
    };
    if language == Language::Chinese { zh } else { en }
}
