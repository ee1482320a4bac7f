//! People and their sessions. A password is kept as argon2id, a session as a hash; a revision is added, never changed.
//!
//! The file holds no event: a password's hash has no place in a log that is kept for ever. Who may do
//! what is decided at the door of each page; that somebody was let in, and what was done, is recorded.

mod by_provider;
mod passwords;
mod saved;
mod sessions;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use events::ids::ProvinceCode;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row};

pub use by_provider::Standing;
pub use passwords::{PASSWORD_CHARACTERS_MAX, PASSWORD_CHARACTERS_MIN, fresh_password};
pub use saved::{SAVED_MAX, SAVED_NAME_CHARACTERS_MAX, Saved};
pub use sessions::{SESSION_IDLE, SESSION_WHOLE, Token};

/// What somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Watches the flows and acts on them.
    Operator,
    /// Has a driver on the telephone.
    Hotline,
    /// Sees its own province's cases only.
    Province(ProvinceCode),
    /// Sees everything that is recorded, changes nothing.
    Auditor,
    /// Lets people in and out; sees no case.
    Admin,
}

impl Role {
    /// The stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Hotline => "hotline",
            Self::Province(_) => "province",
            Self::Auditor => "auditor",
            Self::Admin => "admin",
        }
    }

    /// From its word; a province's role needs to know which.
    pub fn of(word: &str, province: Option<ProvinceCode>) -> Option<Self> {
        match (word, province) {
            ("operator", None) => Some(Self::Operator),
            ("hotline", None) => Some(Self::Hotline),
            ("province", Some(code)) => Some(Self::Province(code)),
            ("auditor", None) => Some(Self::Auditor),
            ("admin", None) => Some(Self::Admin),
            _ => None,
        }
    }
}

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The name in events: 3 to 32 of `a-z`, `0-9` and `-`.
    pub name: String,
    /// How the page addresses them, at most 32 characters.
    pub display: String,
    /// What they are.
    pub role: Role,
    /// Nobody may sign in with it any more.
    pub disabled: bool,
    /// The password was given by somebody else and must be changed first.
    pub must_change: bool,
}

/// Why somebody is not let in, or an account is not taken.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Name or password; deliberately not which.
    #[error("name or password do not fit")]
    NotKnown,
    /// Too many failed attempts; later again.
    #[error("too many failed attempts")]
    Locked {
        /// In how many seconds.
        retry_after_s: u32,
    },
    /// The name does not have the form.
    #[error("a name has 3 to 32 of a-z, 0-9 and -")]
    BadName,
    /// The displayed name is empty, too long or has control characters.
    #[error("a displayed name has 1 to 32 characters")]
    BadDisplay,
    /// Too short, too long, or one of the usual ones.
    #[error(
        "a password has {PASSWORD_CHARACTERS_MIN} to {PASSWORD_CHARACTERS_MAX} characters and is not the name"
    )]
    WeakPassword,
    /// There is no such account.
    #[error("there is no such account")]
    NoAccount,
    /// There are as many as may be.
    #[error("there are {ACCOUNTS_MAX} accounts already")]
    TooMany,
    /// Nobody could let people in any more.
    #[error("the last administrator stays")]
    LastAdmin,
    /// It is somebody else's: a provider must not lead to it.
    #[error("the name is somebody else's")]
    Taken,
    /// Nobody may sign in with it any more.
    #[error("the account is disabled")]
    Disabled,
    /// The file failed.
    #[error("cannot {what} the accounts")]
    Store {
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: rusqlite::Error,
    },
    /// The hash could not be made; the machine has no memory or no chance left.
    #[error("cannot hash a password")]
    Hashing,
}

/// Most accounts.
pub const ACCOUNTS_MAX: usize = 2_000;
/// How long to wait for another handle's lock.
const BUSY_WAIT: Duration = Duration::from_secs(5);

const SCHEMA: &str = "
CREATE TABLE IF NOT EXISTS account (
  revision INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  display TEXT NOT NULL,
  role TEXT NOT NULL,
  province TEXT,
  password TEXT NOT NULL,
  must_change INTEGER NOT NULL,
  disabled INTEGER NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS account_name ON account (name, revision);
CREATE TRIGGER IF NOT EXISTS account_stays BEFORE UPDATE ON account
  BEGIN SELECT RAISE(ABORT, 'a revision is added, never changed'); END;
CREATE TRIGGER IF NOT EXISTS account_remains BEFORE DELETE ON account
  BEGIN SELECT RAISE(ABORT, 'a revision is added, never taken away'); END;
CREATE TABLE IF NOT EXISTS session (
  token BLOB PRIMARY KEY,
  name TEXT NOT NULL,
  revision INTEGER NOT NULL,
  began_at INTEGER NOT NULL,
  seen_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS failure (
  id INTEGER PRIMARY KEY,
  who TEXT NOT NULL,
  at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS failure_who ON failure (who, at);
";

/// The newest revision of each account; `?1` narrows to one name.
const NEWEST: &str = "SELECT name, display, role, province, must_change, disabled, revision, password
  FROM account AS a WHERE revision = (SELECT max(revision) FROM account AS b WHERE b.name = a.name)";

/// All people. Cheap to clone.
#[derive(Clone)]
pub struct Accounts(Arc<Mutex<Connection>>);

impl std::fmt::Debug for Accounts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Accounts")
    }
}

/// One revision with what never leaves this room.
struct Kept {
    account: Account,
    revision: i64,
    password: String,
}

fn failed(what: &'static str) -> impl Fn(rusqlite::Error) -> AccountError {
    move |source| AccountError::Store { what, source }
}

impl Accounts {
    /// Opens or makes the file, readable by its owner only.
    pub fn open(path: &Path) -> Result<Self, AccountError> {
        let file = Connection::open(path).map_err(failed("open"))?;
        file.busy_timeout(BUSY_WAIT).map_err(failed("open"))?;
        file.pragma_update(None, "journal_mode", "WAL").map_err(failed("open"))?;
        file.pragma_update(None, "synchronous", "FULL").map_err(failed("open"))?;
        file.pragma_update(None, "recursive_triggers", true).map_err(failed("open"))?;
        file.execute_batch(SCHEMA).map_err(failed("open"))?;
        file.execute_batch(saved::SCHEMA).map_err(failed("open"))?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    fn file(&self) -> MutexGuard<'_, Connection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Everybody, by name.
    pub fn list(&self) -> Result<Vec<Account>, AccountError> {
        let file = self.file();
        let sql = format!("{NEWEST} ORDER BY name LIMIT {ACCOUNTS_MAX}");
        let mut select = file.prepare_cached(&sql).map_err(failed("read"))?;
        let rows = select.query_map([], kept).map_err(failed("read"))?;
        let mut found = Vec::new();
        for row in rows {
            found.extend(row.map_err(failed("read"))?.map(|it| it.account));
        }
        Ok(found)
    }

    /// One of them.
    pub fn find(&self, name: &str) -> Result<Option<Account>, AccountError> {
        Ok(newest(&self.file(), name)?.map(|it| it.account))
    }

    /// Adds somebody, or gives somebody a new role or display name. With `password` nothing of an
    /// earlier one counts and every session ends. A new account needs one.
    pub fn put(
        &self,
        account: &Account,
        password: Option<&str>,
        at: Timestamp,
    ) -> Result<(), AccountError> {
        check(account)?;
        let hash = match password {
            Some(given) => Some(passwords::hash(given, &account.name)?),
            None => None,
        };
        let file = self.file();
        let before = allowed(&file, account, password.is_some())?;
        let hash = hash.or(before.map(|it| it.password)).ok_or(AccountError::NoAccount)?;
        write(&file, account, &hash, at)
    }

    /// Whether [`Self::put`] would take it, and what is there now. Nothing is changed.
    pub fn may_put(
        &self,
        account: &Account,
        with_password: bool,
    ) -> Result<Option<Account>, AccountError> {
        Ok(allowed(&self.file(), account, with_password)?.map(|it| it.account))
    }

    /// Changes one's own password; the old one must fit.
    pub fn change_password(
        &self,
        name: &str,
        old: &str,
        new: &str,
        at: Timestamp,
    ) -> Result<(), AccountError> {
        let before = newest(&self.file(), name)?.ok_or(AccountError::NotKnown)?;
        if !passwords::fits(old, &before.password) {
            return Err(AccountError::NotKnown);
        }
        let hash = passwords::hash(new, name)?;
        let account = Account { must_change: false, ..before.account };
        write(&self.file(), &account, &hash, at)
    }
}

fn allowed(
    file: &Connection,
    account: &Account,
    with_password: bool,
) -> Result<Option<Kept>, AccountError> {
    check(account)?;
    let before = newest(file, &account.name)?;
    let count = |sql: String| -> Result<i64, AccountError> {
        file.query_row(&sql, [&account.name], |it| it.get(0)).map_err(failed("read"))
    };
    let Some(before) = before else {
        let others = count("SELECT count(DISTINCT name) FROM account WHERE name <> ?1".to_owned())?;
        return match usize::try_from(others) {
            Ok(there) if there < ACCOUNTS_MAX && with_password => Ok(None),
            Ok(there) if there < ACCOUNTS_MAX => Err(AccountError::NoAccount),
            _ => Err(AccountError::TooMany),
        };
    };
    let stays = account.role == Role::Admin && !account.disabled;
    if before.account.role == Role::Admin && !before.account.disabled && !stays {
        let newest = format!("{NEWEST} AND role = 'admin' AND disabled = 0 AND name <> ?1");
        if count(format!("SELECT count(*) FROM ({newest})"))? == 0 {
            return Err(AccountError::LastAdmin);
        }
    }
    Ok(Some(before))
}

fn check(account: &Account) -> Result<(), AccountError> {
    let name = &account.name;
    let letters = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
    if !(3..=32).contains(&name.len()) || !name.chars().all(letters) {
        return Err(AccountError::BadName);
    }
    let display = &account.display;
    let length = display.chars().count();
    if !(1..=32).contains(&length) || display.chars().any(char::is_control) {
        return Err(AccountError::BadDisplay);
    }
    Ok(())
}

fn write(
    file: &Connection,
    account: &Account,
    hash: &str,
    at: Timestamp,
) -> Result<(), AccountError> {
    let province = match account.role {
        Role::Province(code) => Some(code.to_string()),
        _ => None,
    };
    let sql =
        "INSERT INTO account (name, display, role, province, password, must_change, disabled, at)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
    let row = rusqlite::params![
        account.name,
        account.display,
        account.role.word(),
        province,
        hash,
        account.must_change,
        account.disabled,
        at.as_millisecond()
    ];
    file.execute(sql, row).map_err(failed("write"))?;
    Ok(())
}

fn newest(file: &Connection, name: &str) -> Result<Option<Kept>, AccountError> {
    let sql = format!("{NEWEST} AND name = ?1");
    let mut select = file.prepare_cached(&sql).map_err(failed("read"))?;
    let found = select.query_row([name], kept).optional().map_err(failed("read"))?;
    Ok(found.flatten())
}

/// A row that an older or newer program wrote and this one does not understand is nobody.
fn kept(row: &Row<'_>) -> rusqlite::Result<Option<Kept>> {
    let word: String = row.get(2)?;
    let province: Option<String> = row.get(3)?;
    let Some(role) = Role::of(&word, province.and_then(|it| it.parse().ok())) else {
        return Ok(None);
    };
    let account = Account {
        name: row.get(0)?,
        display: row.get(1)?,
        role,
        must_change: row.get(4)?,
        disabled: row.get(5)?,
    };
    Ok(Some(Kept { account, revision: row.get(6)?, password: row.get(7)? }))
}
