//! Saved lists of cases: kept by account, made of filters only, shown above the list.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use serde::Deserialize;

use super::Visitor;
use super::cases::Asked;
use super::form::Posted;
use super::shell::Refused;
use crate::accounts::{AccountError, Saved};
use crate::clock::Clock;
use crate::problem::Problem;
use crate::web::Rooms;
use crate::web::acting::store_failed;

/// One above the list: its name and its address.
pub(super) struct Kept {
    pub(super) name: String,
    pub(super) address: String,
}

/// What the visitor keeps.
pub(super) async fn of(rooms: &Rooms, visitor: &Visitor) -> Result<Vec<Kept>, Problem> {
    let Ok(account) = visitor.account() else { return Ok(Vec::new()) };
    let (accounts, name) = (rooms.accounts.clone(), account.name.clone());
    let saved = aside(move || accounts.saved(&name)).await?;
    let kept = saved.into_iter().map(|it| Kept {
        address: if it.query.is_empty() { "/cases".into() } else { format!("/cases?{}", it.query) },
        name: it.name,
    });
    Ok(kept.collect())
}

async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AccountError> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(|error| match error {
            AccountError::BadDisplay => Problem::at("bad-length", "/name"),
            AccountError::BadName => Problem::at("bad-length", "/query"),
            AccountError::TooMany => Problem::at("out-of-bounds", "/name"),
            other => store_failed(&other),
        }),
        Err(_panic) => Err(Problem::new("internal")),
    }
}

/// The filters as the page had them, and what to do with the list that they make.
#[derive(Deserialize)]
pub(super) struct Form {
    deed: String,
    name: String,
    #[serde(flatten)]
    asked: Asked,
}

pub(super) async fn keep(
    State(rooms): State<Rooms>,
    Posted(visitor, form): Posted<Form>,
) -> Response {
    let done = async {
        let account = visitor.account()?.name.clone();
        // Only what is a filter gets into the file, as the filter spells it.
        form.asked.filter(&visitor)?;
        form.asked.order()?;
        let address = form.asked.address("/cases", "");
        let query = address.split_once('?').map_or("", |it| it.1).to_owned();
        let (accounts, name) = (rooms.accounts.clone(), form.name);
        match form.deed.as_str() {
            "save" => {
                let now = Clock::Machine.now();
                aside(move || accounts.save(&account, &Saved { name, query }, now)).await?;
            }
            "forget" => aside(move || accounts.forget(&account, &name)).await?,
            _ => return Err(Problem::at("unknown-value", "/deed")),
        }
        Ok(address)
    };
    match done.await {
        Ok(address) => Redirect::to(&address).into_response(),
        Err(problem) => Refused(visitor, problem).into_response(),
    }
}
