//! People who may sign in to the console, for whoever sets a hub up: the first administrator comes this way.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use events::ids::ProvinceCode;
use serde::{Deserialize, Serialize};

use super::admin::read;
use crate::accounts::{Account, AccountError, Role};
use crate::problem::Problem;
use crate::web::Rooms;
use crate::web::acting::{NotPut, put_account, store_failed};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    name: String,
    display: String,
    role: String,
    #[serde(default)]
    province: Option<ProvinceCode>,
    #[serde(default)]
    disabled: bool,
    /// Make a new password; a new account needs one.
    #[serde(default)]
    fresh_password: bool,
    /// The owner must change it first.
    #[serde(default = "yes")]
    must_change: bool,
}

fn yes() -> bool {
    true
}

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Put {
    name: String,
    /// Told once.
    #[serde(skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

pub(crate) async fn put(
    State(rooms): State<Rooms>,
    request: Request,
) -> Result<(StatusCode, Json<Put>), Problem> {
    let (caller, given) = read::<Given>(&rooms, request).await?;
    let role = Role::of(&given.role, given.province);
    let account = Account {
        role: role.ok_or_else(|| Problem::at("unknown-value", "/role"))?,
        name: given.name,
        display: given.display,
        disabled: given.disabled,
        must_change: given.fresh_password && given.must_change,
    };
    let name = account.name.clone();
    match put_account(&rooms, &caller.name, account, given.fresh_password).await {
        Ok(password) => Ok((StatusCode::CREATED, Json(Put { name, password }))),
        Err(NotPut::Problem(problem)) => Err(problem),
        Err(NotPut::Account(error)) => Err(match error {
            AccountError::BadName => Problem::at("bad-form", "/name"),
            AccountError::BadDisplay => Problem::at("bad-form", "/display"),
            AccountError::NoAccount => Problem::at("missing-field", "/fresh_password"),
            AccountError::LastAdmin | AccountError::TooMany => {
                Problem::new("out-of-order").detail(error.to_string())
            }
            other => store_failed(&other),
        }),
    }
}

/// Everybody, without anything secret.
#[derive(Debug, Serialize)]
pub struct Listed {
    items: Vec<Somebody>,
}

#[derive(Debug, Serialize)]
struct Somebody {
    name: String,
    display: String,
    role: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    province: Option<ProvinceCode>,
    disabled: bool,
    must_change: bool,
}

pub(crate) async fn list(
    State(rooms): State<Rooms>,
    headers: HeaderMap,
) -> Result<Json<Listed>, Problem> {
    rooms.operator(&headers)?;
    let accounts = rooms.accounts.clone();
    let list = tokio::task::spawn_blocking(move || accounts.list()).await;
    let list = list.map_err(|_| Problem::new("internal"))?.map_err(|it| store_failed(&it))?;
    let items = list.into_iter().map(|it| Somebody {
        role: it.role.word(),
        province: match it.role {
            Role::Province(code) => Some(code),
            _ => None,
        },
        name: it.name,
        display: it.display,
        disabled: it.disabled,
        must_change: it.must_change,
    });
    Ok(Json(Listed { items: items.collect() }))
}
