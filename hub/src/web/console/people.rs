//! Who may sign in, as what. A new password is made here and shown once; its owner must change it.

use askama::Template;
use axum::extract::{Extension, State};
use axum::response::{IntoResponse as _, Response};
use events::ids::ProvinceCode;
use serde::Deserialize;

use super::form::Posted;
use super::shell::{Refused, Shell, told};
use super::words::{role, words};
use super::{Visitor, tiles};
use crate::accounts::{Account, AccountError, Role};
use crate::problem::Problem;
use crate::web::Rooms;
use crate::web::acting::{NotPut, put_account, store_failed};
use crate::words::Language;

words! { PeopleWords:
    title: "人员", "People";
    add: "新增或修改", "Add or change";
    name: "用户名", "name";
    display: "姓名或岗位", "name or post";
    role: "角色", "role";
    province: "省份（省级用户）", "province (for its users)";
    state: "状态", "state";
    active: "可登录", "may sign in";
    disabled: "已停用", "disabled";
    must: "须改密码", "must change the password";
    fresh: "生成新密码", "make a new password";
    save: "保存并记录", "save and record";
    none: "—", "—";
    form: "用户名为 3 至 32 个小写字母、数字或连字符", "3 to 32 of a-z, 0-9 and -";
    once: "只显示一次，请当面交给本人：", "Shown once; hand it over in person:";
    saved: "已保存", "saved";
    need: "新账号须生成密码", "a new account needs a password";
    bad: "用户名、姓名、角色或省份不符合要求", "name, display, role or province do not fit";
    last: "不能停用最后一个系统管理账号", "the last administrator cannot be disabled";
}

struct Row {
    name: String,
    display: String,
    role: &'static str,
    province: &'static str,
    mark: &'static str,
    state: String,
}

#[derive(Template)]
#[template(path = "console/people.html")]
struct People {
    shell: Shell,
    words: &'static PeopleWords,
    rows: Vec<Row>,
    roles: Vec<(&'static str, &'static str)>,
    provinces: Vec<(String, &'static str)>,
    refused: &'static str,
    saved: Option<String>,
    password: String,
}

#[derive(Deserialize)]
pub(super) struct Given {
    name: String,
    display: String,
    role: String,
    #[serde(default)]
    province: String,
    #[serde(default)]
    fresh: Option<String>,
    #[serde(default)]
    disabled: Option<String>,
}

pub(super) async fn show(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    page(&rooms, &visitor, "", None, String::new()).await
}

async fn page(
    rooms: &Rooms,
    visitor: &Visitor,
    refused: &'static str,
    saved: Option<String>,
    password: String,
) -> Response {
    let language = visitor.language;
    let words = PeopleWords::of(language);
    let made = async {
        let accounts = rooms.accounts.clone();
        let list = tokio::task::spawn_blocking(move || accounts.list());
        let list = list.await.map_err(|_| Problem::new("internal"))?;
        let list = list.map_err(|error| store_failed(&error))?;
        let plain = [Role::Operator, Role::Hotline, Role::Auditor, Role::Admin];
        let mut roles: Vec<_> = plain.iter().map(|it| (it.word(), role(*it, language))).collect();
        roles.push((
            "province",
            if language == Language::Chinese { "省级用户" } else { "province" },
        ));
        Ok(People {
            shell: Shell { live: false, ..Shell::of(rooms, visitor).await? },
            words,
            rows: list.iter().map(|it| row(it, words, language)).collect(),
            roles,
            provinces: ProvinceCode::all()
                .map(|it| (it.to_string(), tiles::name(it, language)))
                .collect(),
            refused,
            saved,
            password,
        })
    };
    told(visitor, made.await)
}

fn row(it: &Account, words: &PeopleWords, language: Language) -> Row {
    let (mark, state) = match (it.disabled, it.must_change) {
        (true, _) => ("", words.disabled),
        (false, true) => ("soon", words.must),
        (false, false) => ("good", words.active),
    };
    Row {
        name: it.name.clone(),
        display: it.display.clone(),
        role: role(it.role, language),
        province: match it.role {
            Role::Province(code) => tiles::name(code, language),
            _ => words.none,
        },
        mark,
        state: state.to_owned(),
    }
}

pub(super) async fn put(
    State(rooms): State<Rooms>,
    Posted(visitor, given): Posted<Given>,
) -> Response {
    let words = PeopleWords::of(visitor.language);
    let role = Role::of(&given.role, given.province.parse().ok());
    let Some(role) = role else {
        return page(&rooms, &visitor, words.bad, None, String::new()).await;
    };
    let account = Account {
        name: given.name,
        display: given.display,
        role,
        disabled: given.disabled.is_some(),
        must_change: given.fresh.is_some(),
    };
    let (name, fresh) = (account.name.clone(), account.must_change);
    let operator = match visitor.account() {
        Ok(it) => it.name.clone(),
        Err(problem) => return Refused(visitor, problem).into_response(),
    };
    let no = match put_account(&rooms, &operator, account, fresh).await {
        Ok(password) => {
            let saved = Some(format!("{} {name}", words.saved));
            return page(&rooms, &visitor, "", saved, password.unwrap_or_default()).await;
        }
        Err(NotPut::Problem(problem)) => return Refused(visitor, problem).into_response(),
        Err(NotPut::Account(error)) => match error {
            AccountError::NoAccount => words.need,
            AccountError::BadName | AccountError::BadDisplay | AccountError::TooMany => words.bad,
            AccountError::LastAdmin => words.last,
            other => return Refused(visitor, store_failed(&other)).into_response(),
        },
    };
    page(&rooms, &visitor, no, None, String::new()).await
}
