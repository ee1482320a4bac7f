//! Who is let in, how long, and that trying often does not help.

use std::time::Duration;

use jiff::Timestamp;

use super::{Account, AccountError, Accounts, Role, SESSION_IDLE, SESSION_WHOLE, Token};

const PASSWORD: &str = "a-long-enough-one";

fn moment() -> Timestamp {
    "2026-03-02T01:00:00Z".parse().unwrap()
}

fn somebody(name: &str) -> Account {
    Account {
        name: name.to_owned(),
        display: "王五".to_owned(),
        role: Role::Operator,
        disabled: false,
        must_change: false,
    }
}

fn with_somebody() -> (tempfile::TempDir, Accounts) {
    let folder = tempfile::tempdir().unwrap();
    let accounts = Accounts::open(&folder.path().join("accounts.db")).unwrap();
    accounts.put(&somebody("wang"), Some(PASSWORD), moment()).unwrap();
    (folder, accounts)
}

#[test]
fn only_the_right_password_opens_and_the_session_is_then_known() {
    let (_folder, accounts) = with_somebody();
    let no = |name: &str, password: &str| {
        let tried = accounts.sign_in(name, password, "192.0.2.1", moment());
        assert!(matches!(tried, Err(AccountError::NotKnown)), "{name}");
    };
    no("wang", "another-long-one");
    no("nobody", PASSWORD);
    let (account, token) = accounts.sign_in("wang", PASSWORD, "192.0.2.1", moment()).unwrap();
    assert_eq!(account, somebody("wang"));
    let read = Token::read(&token.text()).unwrap();
    assert_eq!(accounts.session(&read, moment()).unwrap(), Some(account));
    accounts.sign_out(&token).unwrap();
    assert_eq!(accounts.session(&token, moment()).unwrap(), None);
}

#[test]
fn sessions_end_when_idle_when_old_and_when_the_account_changes() {
    let (_folder, accounts) = with_somebody();
    let sign_in = |at| accounts.sign_in("wang", PASSWORD, "192.0.2.1", at).unwrap().1;
    let idle = sign_in(moment());
    assert_eq!(accounts.session(&idle, moment() + SESSION_IDLE * 2).unwrap(), None);
    let busy = sign_in(moment());
    let mut at = moment();
    while at < moment() + SESSION_WHOLE - SESSION_IDLE {
        at += SESSION_IDLE / 2;
        assert!(accounts.session(&busy, at).unwrap().is_some(), "{at}");
    }
    assert_eq!(accounts.session(&busy, moment() + SESSION_WHOLE * 2).unwrap(), None);
    let before = sign_in(moment());
    accounts.put(&Account { disabled: true, ..somebody("wang") }, None, moment()).unwrap();
    assert_eq!(accounts.session(&before, moment()).unwrap(), None);
    let tried = accounts.sign_in("wang", PASSWORD, "192.0.2.1", moment());
    assert!(matches!(tried, Err(AccountError::NotKnown)));
}

#[test]
fn trying_often_locks_the_name_for_a_while_even_for_the_right_password() {
    let (_folder, accounts) = with_somebody();
    for _ in 0..5 {
        let tried = accounts.sign_in("wang", "not-this-one-no", "192.0.2.1", moment());
        assert!(matches!(tried, Err(AccountError::NotKnown)));
    }
    let locked = accounts.sign_in("wang", PASSWORD, "192.0.2.9", moment());
    assert!(matches!(locked, Err(AccountError::Locked { retry_after_s: 1..=901 })), "{locked:?}");
    let later = moment() + Duration::from_secs(15 * 60 + 1);
    assert!(accounts.sign_in("wang", PASSWORD, "192.0.2.9", later).is_ok());
}

#[test]
fn a_changed_password_ends_every_session_and_the_old_one_is_nothing() {
    let (_folder, accounts) = with_somebody();
    let (_, token) = accounts.sign_in("wang", PASSWORD, "192.0.2.1", moment()).unwrap();
    let wrong = accounts.change_password("wang", "not-this-one-no", "the-next-long-one", moment());
    assert!(matches!(wrong, Err(AccountError::NotKnown)));
    accounts.change_password("wang", PASSWORD, "the-next-long-one", moment()).unwrap();
    assert_eq!(accounts.session(&token, moment()).unwrap(), None);
    assert!(accounts.sign_in("wang", PASSWORD, "192.0.2.1", moment()).is_err());
    assert!(accounts.sign_in("wang", "the-next-long-one", "192.0.2.1", moment()).is_ok());
}

#[test]
fn names_displays_and_passwords_have_a_form() {
    let (_folder, accounts) = with_somebody();
    for name in ["", "ab", "Wang", "王五", "a b", "a-name-that-is-much-too-long-for-us"] {
        let put = accounts.put(&somebody(name), Some(PASSWORD), moment());
        assert!(matches!(put, Err(AccountError::BadName)), "{name}");
    }
    for password in ["", "short", "aaaaaaaaaaaaaa", "wang-wang-wang"] {
        let put = accounts.put(&somebody("wang"), Some(password), moment());
        assert!(matches!(put, Err(AccountError::WeakPassword)), "{password}");
    }
    let long = "长".repeat(33);
    for display in ["", "a\u{1b}[2J", long.as_str()] {
        let strange = Account { display: display.to_owned(), ..somebody("wang") };
        assert!(matches!(accounts.put(&strange, None, moment()), Err(AccountError::BadDisplay)));
    }
    let unknown = accounts.put(&somebody("li-si"), None, moment());
    assert!(matches!(unknown, Err(AccountError::NoAccount)));
}

#[test]
fn a_revision_cannot_be_changed_or_taken_away_and_no_password_is_in_the_file() {
    let (folder, accounts) = with_somebody();
    for sql in ["UPDATE account SET role = 'admin'", "DELETE FROM account"] {
        assert!(accounts.file().execute(sql, []).is_err(), "{sql}");
    }
    let (_, token) = accounts.sign_in("wang", PASSWORD, "192.0.2.1", moment()).unwrap();
    accounts.file().pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
    drop(accounts);
    let bytes = std::fs::read(folder.path().join("accounts.db")).unwrap();
    for secret in [PASSWORD, &token.text()] {
        let there = bytes.windows(secret.len()).any(|it| it == secret.as_bytes());
        assert!(!there, "a secret lies in the file");
    }
}

#[test]
fn the_last_administrator_stays_and_any_other_may_go() {
    let (_folder, accounts) = with_somebody();
    let admin = |name: &str| Account { role: Role::Admin, ..somebody(name) };
    let put = |it: &Account| accounts.put(it, None, moment());
    accounts.put(&admin("first"), Some(PASSWORD), moment()).unwrap();
    let gone = Account { disabled: true, ..admin("first") };
    assert!(matches!(put(&gone), Err(AccountError::LastAdmin)));
    assert!(matches!(put(&somebody("first")), Err(AccountError::LastAdmin)));
    accounts.put(&admin("second"), Some(PASSWORD), moment()).unwrap();
    put(&gone).unwrap();
    assert!(accounts.find("first").unwrap().unwrap().disabled);
}
