//! What somebody does to the hub itself is written down first and done second; a deed that cannot be recorded is not done.

use events::envelope::Actor;
use events::keeping::{KeepingEvent, OperatorActed};

use crate::accounts::{Account, AccountError, Role, fresh_password};
use crate::clock::Clock;
use crate::problem::Problem;
use crate::registrar::{Answer, Ask, What};
use crate::web::Rooms;

/// Records that `operator` acts. `target` never holds personal data.
pub(crate) async fn record(
    rooms: &Rooms,
    operator: &str,
    action: &str,
    target: String,
) -> Result<(), Problem> {
    let acted = OperatorActed { operator: operator.to_owned(), action: action.to_owned(), target };
    let ask = Ask {
        actor: Actor::Operator(operator.to_owned()),
        occurred_at: rooms.clock.now(),
        caused_by: None,
        what: What::Keeping(KeepingEvent::OperatorActed(acted)),
    };
    match rooms.registrar.ask(ask).await? {
        Answer::Recorded(_) | Answer::NothingNew(_) => Ok(()),
        Answer::Refused(refusal) => Err(refusal.into()),
    }
}

/// Why an account was not put.
#[derive(Debug)]
pub(crate) enum NotPut {
    /// The account itself is not usable.
    Account(AccountError),
    /// The hub cannot do it now.
    Problem(Problem),
}

/// Adds or changes an account in the name of `operator`: checked, recorded, done. With `fresh` the
/// new password is the answer; it is shown once and kept nowhere.
pub(crate) async fn put_account(
    rooms: &Rooms,
    operator: &str,
    mut account: Account,
    fresh: bool,
) -> Result<Option<String>, NotPut> {
    let (accounts, asked) = (rooms.accounts.clone(), account.clone());
    let before = aside(move || accounts.may_put(&asked, fresh)).await?;
    if !fresh {
        account.must_change = before.is_some_and(|it| it.must_change);
    }
    let action = if account.disabled { "account-disable" } else { "account-put" };
    let province = match account.role {
        Role::Province(code) => format!(" {code}"),
        _ => String::new(),
    };
    let password = if fresh { ", new password" } else { "" };
    let target = format!("account {} as {}{province}{password}", account.name, account.role.word());
    record(rooms, operator, action, target).await.map_err(NotPut::Problem)?;
    let accounts = rooms.accounts.clone();
    aside(move || {
        let password = if fresh { Some(fresh_password()?) } else { None };
        accounts.put(&account, password.as_deref(), Clock::Machine.now())?;
        Ok(password)
    })
    .await
}

/// Where hashing and the disk harm nobody.
async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, AccountError> + Send + 'static,
) -> Result<T, NotPut> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(NotPut::Account),
        Err(_panic) => Err(NotPut::Problem(Problem::new("internal"))),
    }
}

/// The file failed: the chain goes to the log, a plain no to whoever asked.
pub(crate) fn store_failed(error: &AccountError) -> Problem {
    tracing::error!(error = error as &dyn std::error::Error, "the accounts cannot be used");
    Problem::new("unreadable")
}
