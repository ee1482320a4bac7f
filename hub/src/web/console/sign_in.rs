//! The door: a name and a password, counted, slow on purpose, recorded before anybody is let in.

use askama::Template;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Extension, Query, State};
use axum::http::header;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::form::Posted;
use super::shell::{Refused, Shell, told};
use super::visitor::own_path;
use super::words::words;
use super::{Visitor, Who, oidc};
use crate::accounts::{Account, AccountError, Token};
use crate::clock::Clock;
use crate::problem::Problem;
use crate::web::Rooms;
use crate::web::acting::{record, store_failed};

words! { SignInWords:
    title: "登录", "Sign in";
    name: "用户名", "name";
    password: "密码", "password";
    enter: "登录", "sign in";
    wrong: "用户名或密码不符", "name or password do not fit";
    locked: "失败次数过多，请稍后再试（秒）：", "too many failed attempts; again in seconds:";
    note: "登录、操作和查看个人信息均留痕。", "Signing in, acting and looking at personal data are recorded.";
}

#[derive(Template)]
#[template(path = "console/sign-in.html")]
struct SignIn {
    shell: Shell,
    words: &'static SignInWords,
    next: String,
    refused: String,
    /// The provider's button; empty without one.
    provider: String,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    next: Option<String>,
}

pub(super) async fn show(
    State(rooms): State<Rooms>,
    Extension(visitor): Extension<Visitor>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Response {
    let next = asked.ok().and_then(|it| it.0.next);
    let next = own_path(next.as_deref()).to_owned();
    if let Who::Known(..) = visitor.who {
        return Redirect::to(&next).into_response();
    }
    door(&rooms, &visitor, next, String::new()).await
}

async fn door(rooms: &Rooms, visitor: &Visitor, next: String, refused: String) -> Response {
    let words = SignInWords::of(visitor.language);
    let shell = Shell::of(rooms, visitor).await;
    let shell = shell.map(|it| Shell { live: false, ..it });
    let provider = oidc::label(rooms.oidc.as_deref(), visitor.language);
    told(visitor, shell.map(|shell| SignIn { shell, words, next, refused, provider }))
}

#[derive(Deserialize)]
pub(super) struct Given {
    name: String,
    password: String,
    #[serde(default)]
    next: String,
}

pub(super) async fn enter(
    State(rooms): State<Rooms>,
    Posted(visitor, given): Posted<Given>,
) -> Response {
    let words = SignInWords::of(visitor.language);
    let next = own_path(Some(&given.next)).to_owned();
    let no = match let_in(&rooms, &visitor, given).await {
        Ok((account, token)) => {
            let next = if account.must_change { "/account" } else { &next };
            let cookie = visitor.session_cookie(Some(&token));
            return ([(header::SET_COOKIE, cookie)], Redirect::to(next)).into_response();
        }
        Err(Ok(AccountError::Locked { retry_after_s })) => {
            format!("{} {retry_after_s}", words.locked)
        }
        Err(Ok(AccountError::NotKnown)) => words.wrong.to_owned(),
        Err(Ok(other)) => return Refused(visitor, store_failed(&other)).into_response(),
        Err(Err(problem)) => return Refused(visitor, problem).into_response(),
    };
    metrics::counter!("hub_sign_ins_refused_total").increment(1);
    door(&rooms, &visitor, next, no).await
}

/// The session exists only after the log says so: a session that could not be recorded ends at once.
async fn let_in(
    rooms: &Rooms,
    visitor: &Visitor,
    given: Given,
) -> Result<(Account, Token), Result<AccountError, Problem>> {
    let address = visitor.address.map_or_else(|| "unknown".to_owned(), |it| it.to_string());
    let accounts = rooms.accounts.clone();
    let tried = tokio::task::spawn_blocking(move || {
        accounts.sign_in(&given.name, &given.password, &address, Clock::Machine.now())
    });
    let (account, token) = tried.await.map_err(|_| Err(Problem::new("internal")))?.map_err(Ok)?;
    let target = format!("console as {}", account.role.word());
    if let Err(problem) = record(rooms, &account.name, "sign-in", target).await {
        let (accounts, token) = (rooms.accounts.clone(), token);
        let ended = tokio::task::spawn_blocking(move || accounts.sign_out(&token)).await;
        if !matches!(ended, Ok(Ok(()))) {
            tracing::error!("a session that is not on record could not be ended; nobody holds it");
        }
        return Err(Err(problem));
    }
    Ok((account, token))
}

#[derive(Deserialize)]
pub(super) struct Nothing {}

pub(super) async fn leave(
    State(rooms): State<Rooms>,
    Posted(visitor, Nothing {}): Posted<Nothing>,
) -> Response {
    if let Some(token) = visitor.token().cloned() {
        let accounts = rooms.accounts.clone();
        let ended = tokio::task::spawn_blocking(move || accounts.sign_out(&token)).await;
        if !matches!(ended, Ok(Ok(()))) {
            return Refused(visitor, Problem::new("unreadable")).into_response();
        }
    }
    ([(header::SET_COOKIE, visitor.session_cookie(None))], Redirect::to("/sign-in")).into_response()
}
