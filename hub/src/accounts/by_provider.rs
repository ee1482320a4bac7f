//! Accounts that a provider vouches for. Where others have a password's hash, these have what binds them to
//! one person there: no password fits it, and nobody else's name leads to it.

use jiff::Timestamp;

use super::{Account, AccountError, Accounts, Token, allowed, newest, write};

/// What an account of this name is to whoever comes from the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There is none.
    New,
    /// It is theirs, as it is.
    Same,
    /// It is theirs, and the provider now says something else of them.
    Changed,
}

fn bound(binding: &str) -> String {
    format!("!oidc {binding}")
}

impl Accounts {
    /// Whether `account` may be what its owner signs in as. Nothing is changed.
    pub fn standing(&self, account: &Account, binding: &str) -> Result<Standing, AccountError> {
        let file = self.file();
        let Some(before) = newest(&file, &account.name)? else {
            allowed(&file, account, true)?;
            return Ok(Standing::New);
        };
        if before.password != bound(binding) {
            return Err(AccountError::Taken);
        }
        if before.account.disabled {
            return Err(AccountError::Disabled);
        }
        if before.account == *account {
            return Ok(Standing::Same);
        }
        allowed(&file, account, true)?;
        Ok(Standing::Changed)
    }

    /// Adds the account, or says of it what the provider says now; its other sessions end with that.
    pub fn put_bound(
        &self,
        account: &Account,
        binding: &str,
        at: Timestamp,
    ) -> Result<(), AccountError> {
        self.standing(account, binding)?;
        write(&self.file(), account, &bound(binding), at)
    }

    /// Begins a session of an account that is bound so.
    pub fn begin_bound(
        &self,
        name: &str,
        binding: &str,
        now: Timestamp,
    ) -> Result<Token, AccountError> {
        let kept = newest(&self.file(), name)?.ok_or(AccountError::NoAccount)?;
        if kept.password != bound(binding) {
            return Err(AccountError::Taken);
        }
        if kept.account.disabled {
            return Err(AccountError::Disabled);
        }
        self.begin(&kept, now)
    }
}
