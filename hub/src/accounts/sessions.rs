//! Sessions: a random token in a cookie, its hash in the file. Idle ones end, long ones too, a new revision ends all.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};
use sha2::{Digest as _, Sha256};

use super::{Account, AccountError, Accounts, Kept, failed, newest, passwords};

/// How long a session lasts without a look.
pub const SESSION_IDLE: Duration = Duration::from_secs(60 * 60);
/// How long a session lasts at all.
pub const SESSION_WHOLE: Duration = Duration::from_secs(12 * 60 * 60);
/// A look within this of the last one is not written down.
const SEEN_STEP: Duration = Duration::from_secs(60);
/// Most sessions of one person at a time; the oldest ends.
const SESSIONS_A_PERSON_MAX: i64 = 8;
/// Failed attempts count for so long.
const FAILURES_WINDOW: Duration = Duration::from_secs(15 * 60);
/// So many failures on one name, and nobody is let in by it for the window.
const FAILURES_A_NAME_MAX: i64 = 5;
/// So many from one address, whatever the names.
const FAILURES_AN_ADDRESS_MAX: i64 = 30;
/// Longest name that is looked at.
const NAME_BYTES_MAX: usize = 64;

/// What the cookie holds: 32 random bytes. Only its hash is kept.
#[derive(Clone, PartialEq, Eq)]
pub struct Token([u8; 32]);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl Token {
    fn fresh() -> Result<Self, AccountError> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|_| AccountError::Hashing)?;
        Ok(Self(bytes))
    }

    /// From a cookie.
    pub fn read(text: &str) -> Option<Self> {
        if text.len() > 64 {
            return None;
        }
        BASE64.decode(text).ok()?.try_into().ok().map(Self)
    }

    /// For a cookie.
    pub fn text(&self) -> String {
        BASE64.encode(self.0)
    }

    fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.0).to_vec()
    }

    /// What a form of this session must carry: it tells nothing about the token.
    pub fn form_mark(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(b"form ");
        hash.update(self.0);
        BASE64.encode(hash.finalize())
    }
}

fn before(now: Timestamp, length: Duration) -> i64 {
    now.as_millisecond().saturating_sub(i64::try_from(length.as_millis()).unwrap_or(i64::MAX))
}

impl Accounts {
    /// Lets somebody in, or says no without saying why. Takes a tenth of a second on purpose.
    /// `address` is where the attempt comes from; failures are counted for it and for the name.
    pub fn sign_in(
        &self,
        name: &str,
        password: &str,
        address: &str,
        now: Timestamp,
    ) -> Result<(Account, Token), AccountError> {
        let name: String = name.chars().take(NAME_BYTES_MAX).collect();
        let limits = [
            (format!("name {name}"), FAILURES_A_NAME_MAX),
            (format!("address {address}"), FAILURES_AN_ADDRESS_MAX),
        ];
        let found = {
            let file = self.file();
            for (who, most) in &limits {
                refuse_if_locked(&file, who, *most, now)?;
            }
            // Written before the answer is known, so that many attempts at once are all counted.
            for (who, _) in &limits {
                let sql = "INSERT INTO failure (who, at) VALUES (?1, ?2)";
                file.execute(sql, (who, now.as_millisecond())).map_err(failed("write"))?;
            }
            newest(&file, &name)?.filter(|it| !it.account.disabled)
        };
        let Some(kept) = found else {
            passwords::pretend(password);
            return Err(AccountError::NotKnown);
        };
        if !passwords::fits(password, &kept.password) {
            return Err(AccountError::NotKnown);
        }
        self.forget_failures(&limits[0].0, &limits[1].0, now)?;
        let token = self.begin(&kept, now)?;
        Ok((kept.account, token))
    }

    /// The name is clear again; of the address only this attempt is taken back.
    fn forget_failures(
        &self,
        name: &str,
        address: &str,
        now: Timestamp,
    ) -> Result<(), AccountError> {
        let file = self.file();
        let write = failed("write");
        file.execute("DELETE FROM failure WHERE who = ?1", [name]).map_err(&write)?;
        let own = "DELETE FROM failure WHERE id = (SELECT max(id) FROM failure WHERE who = ?1)";
        file.execute(own, [address]).map_err(&write)?;
        let old = before(now, FAILURES_WINDOW);
        file.execute("DELETE FROM failure WHERE at < ?1", [old]).map_err(&write)?;
        Ok(())
    }

    pub(super) fn begin(&self, kept: &Kept, now: Timestamp) -> Result<Token, AccountError> {
        let token = Token::fresh()?;
        let file = self.file();
        let write = failed("write");
        let at = now.as_millisecond();
        let oldest = "DELETE FROM session WHERE name = ?1 AND token NOT IN
            (SELECT token FROM session WHERE name = ?1 ORDER BY seen_at DESC LIMIT ?2)";
        file.execute(oldest, (&kept.account.name, SESSIONS_A_PERSON_MAX - 1)).map_err(&write)?;
        let gone = (before(now, SESSION_IDLE), before(now, SESSION_WHOLE));
        file.execute("DELETE FROM session WHERE seen_at < ?1 OR began_at < ?2", gone)
            .map_err(&write)?;
        let sql = "INSERT INTO session (token, name, revision, began_at, seen_at)
            VALUES (?1, ?2, ?3, ?4, ?4)";
        file.execute(sql, (token.hash(), &kept.account.name, kept.revision, at)).map_err(&write)?;
        Ok(token)
    }

    /// Whose session it is now; nobody's when it is unknown, old, or its account was changed since.
    pub fn session(&self, token: &Token, now: Timestamp) -> Result<Option<Account>, AccountError> {
        let file = self.file();
        let sql = "SELECT name, revision, began_at, seen_at FROM session WHERE token = ?1";
        let mut select = file.prepare_cached(sql).map_err(failed("read"))?;
        let row = select
            .query_row([token.hash()], |it| {
                Ok((it.get::<_, String>(0)?, it.get::<_, i64>(1)?, it.get(2)?, it.get(3)?))
            })
            .optional()
            .map_err(failed("read"))?;
        let Some((name, revision, began_at, seen_at)): Option<(_, _, i64, i64)> = row else {
            return Ok(None);
        };
        let Some(kept) = newest(&file, &name)? else { return Ok(None) };
        let old = began_at < before(now, SESSION_WHOLE) || seen_at < before(now, SESSION_IDLE);
        if old || kept.revision != revision || kept.account.disabled {
            end(&file, token)?;
            return Ok(None);
        }
        if seen_at < before(now, SEEN_STEP) {
            let seen = "UPDATE session SET seen_at = ?2 WHERE token = ?1";
            file.execute(seen, (token.hash(), now.as_millisecond())).map_err(failed("write"))?;
        }
        Ok(Some(kept.account))
    }

    /// Ends a session; one that is not there is ended already.
    pub fn sign_out(&self, token: &Token) -> Result<(), AccountError> {
        end(&self.file(), token)
    }
}

fn end(file: &Connection, token: &Token) -> Result<(), AccountError> {
    file.execute("DELETE FROM session WHERE token = ?1", [token.hash()])
        .map_err(failed("write"))?;
    Ok(())
}

fn refuse_if_locked(
    file: &Connection,
    who: &str,
    most: i64,
    now: Timestamp,
) -> Result<(), AccountError> {
    let sql = "SELECT count(*), min(at) FROM failure WHERE who = ?1 AND at >= ?2";
    let since = before(now, FAILURES_WINDOW);
    let (count, first): (i64, Option<i64>) = file
        .query_row(sql, (who, since), |it| Ok((it.get(0)?, it.get(1)?)))
        .map_err(failed("read"))?;
    if count < most {
        return Ok(());
    }
    let wait_ms = first.unwrap_or(since).saturating_sub(since).max(0);
    let retry_after_s = u32::try_from(wait_ms / 1_000 + 1).unwrap_or(u32::MAX);
    Err(AccountError::Locked { retry_after_s })
}
