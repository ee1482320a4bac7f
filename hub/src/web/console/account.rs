//! One's own account: who the hub thinks one is, and a new password.

use askama::Template;
use axum::extract::{Extension, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::Visitor;
use super::form::Posted;
use super::shell::{Refused, Shell, told};
use super::words::{role, words};
use crate::accounts::{Account, AccountError, PASSWORD_CHARACTERS_MIN};
use crate::clock::Clock;
use crate::problem::Problem;
use crate::web::Rooms;
use crate::web::acting::{record, store_failed};

words! { AccountWords:
    title: "我的账号", "My account";
    name: "用户名", "name";
    role: "角色", "role";
    change: "修改密码", "Change the password";
    must: "这是别人给的密码，请先修改。", "Somebody else gave this password; change it first.";
    old: "现在的密码", "present password";
    new: "新密码", "new password";
    again: "再输一次", "once more";
    save: "保存", "save";
    length: "至少字符数：", "characters at least:";
    differ: "两次输入不同", "the two are not the same";
    wrong: "现在的密码不符", "the present password does not fit";
    weak: "密码太短、太长，或含有用户名", "too short, too long, or it holds the name";
}

#[derive(Template)]
#[template(path = "console/account.html")]
struct OwnAccount {
    shell: Shell,
    words: &'static AccountWords,
    name: String,
    role: &'static str,
    must: bool,
    length: usize,
    refused: &'static str,
}

pub(super) async fn show(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    page(&rooms, &visitor, "").await
}

async fn page(rooms: &Rooms, visitor: &Visitor, refused: &'static str) -> Response {
    let made = async {
        let account = visitor.account()?;
        Ok(OwnAccount {
            shell: Shell { live: false, ..Shell::of(rooms, visitor).await? },
            words: AccountWords::of(visitor.language),
            name: account.name.clone(),
            role: role(account.role, visitor.language),
            must: account.must_change,
            length: PASSWORD_CHARACTERS_MIN,
            refused,
        })
    };
    told(visitor, made.await)
}

#[derive(Deserialize)]
pub(super) struct Given {
    old: String,
    new: String,
    again: String,
}

pub(super) async fn change(
    State(rooms): State<Rooms>,
    Posted(visitor, given): Posted<Given>,
) -> Response {
    let words = AccountWords::of(visitor.language);
    if given.new != given.again {
        return page(&rooms, &visitor, words.differ).await;
    }
    match changed(&rooms, &visitor, given).await {
        // Every session has ended, this one too.
        Ok(()) => {
            let cookie = visitor.session_cookie(None);
            ([(header::SET_COOKIE, cookie)], Redirect::to("/sign-in")).into_response()
        }
        Err(Ok(AccountError::NotKnown)) => page(&rooms, &visitor, words.wrong).await,
        Err(Ok(AccountError::WeakPassword)) => page(&rooms, &visitor, words.weak).await,
        Err(Ok(other)) => Refused(visitor, store_failed(&other)).into_response(),
        Err(Err(problem)) => Refused(visitor, problem).into_response(),
    }
}

async fn changed(
    rooms: &Rooms,
    visitor: &Visitor,
    given: Given,
) -> Result<(), Result<AccountError, Problem>> {
    let account: Account = visitor.account().map_err(Err)?.clone();
    let target = format!("account {}", account.name);
    record(rooms, &account.name, "change-password", target).await.map_err(Err)?;
    let accounts = rooms.accounts.clone();
    let changing = tokio::task::spawn_blocking(move || {
        accounts.change_password(&account.name, &given.old, &given.new, Clock::Machine.now())
    });
    changing.await.map_err(|_| Err(Problem::new("internal")))?.map_err(Ok)
}
