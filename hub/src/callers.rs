//! Who may ask over HTTP. A token is known by its hash only; comparing takes the same time for every token.

use std::num::NonZeroU32;

use axum::http::{HeaderMap, header};
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};

use crate::problem::Problem;

/// What a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// A national system: hands in, and sees its own cases.
    National,
    /// A person or script of the hub's keeper: sees everything, may administer.
    Operator,
    /// Sees everything, changes nothing.
    Auditor,
}

/// Where results are pushed to a national system.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The address.
    pub url: String,
}

/// One `[[clients]]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClientConfig {
    /// 1 to 32 of `a-z`, `0-9`, `-`; it stands in events and metrics.
    pub name: String,
    /// SHA-256 of the token, 64 hexadecimal digits.
    pub token_sha256: events::proof::Hash,
    /// What it may do.
    #[serde(default = "national")]
    pub role: Role,
    /// Where its results are pushed, if it does not only fetch them.
    #[serde(default)]
    pub webhook: Option<Webhook>,
    /// How often it may ask.
    #[serde(default)]
    pub rate: RateConfig,
}

fn national() -> Role {
    Role::National
}

/// How many requests a caller may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateConfig {
    /// In the long run.
    pub requests_a_second: NonZeroU32,
    /// At once.
    pub requests_burst_max: NonZeroU32,
}

impl Default for RateConfig {
    fn default() -> Self {
        let positive = |it| NonZeroU32::new(it).unwrap_or(NonZeroU32::MIN);
        Self { requests_a_second: positive(200), requests_burst_max: positive(1_000) }
    }
}

/// Shortest token that is looked at, in characters.
pub const TOKEN_CHARACTERS_MIN: usize = 16;
/// Longest token that is looked at, in characters.
pub const TOKEN_CHARACTERS_MAX: usize = 256;

/// Whoever showed a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub role: Role,
}

impl Caller {
    /// Whether it may see a case of `client`.
    pub fn may_see(&self, client: &str) -> bool {
        match self.role {
            Role::Operator | Role::Auditor => true,
            Role::National => self.name == client,
        }
    }
    /// A no for everybody but `role`.
    pub fn must_be(&self, role: Role) -> Result<(), Problem> {
        if self.role == role { Ok(()) } else { Err(Problem::new("forbidden")) }
    }
}

/// Why a list of clients cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallersError {
    /// Not a name for events and metrics.
    #[error("client {number} has not a name of 1 to 32 characters of a-z, 0-9 and -")]
    BadName {
        /// Its place in the list, from 1.
        number: usize,
    },
    /// Two with one name or one token.
    #[error("client {number} has the name or the token of an earlier one")]
    Twice {
        /// Its place in the list, from 1.
        number: usize,
    },
}

/// All that may call, and how often.
pub struct Callers {
    known: Vec<ClientConfig>,
    // One for each of `known`, in its order.
    rates: Vec<DefaultDirectRateLimiter>,
}

impl std::fmt::Debug for Callers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Callers({})", self.known.len())
    }
}

impl Callers {
    /// Checks the list.
    pub fn new(known: Vec<ClientConfig>) -> Result<Self, CallersError> {
        for (at, client) in known.iter().enumerate() {
            let number = at + 1;
            let fits = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
            if !(1..=32).contains(&client.name.len()) || !client.name.bytes().all(fits) {
                return Err(CallersError::BadName { number });
            }
            let same = |it: &ClientConfig| {
                it.name == client.name || it.token_sha256 == client.token_sha256
            };
            if known[..at].iter().any(same) {
                return Err(CallersError::Twice { number });
            }
        }
        let limit = |it: &ClientConfig| {
            let quota = Quota::per_second(it.rate.requests_a_second);
            RateLimiter::direct(quota.allow_burst(it.rate.requests_burst_max))
        };
        let rates = known.iter().map(limit).collect();
        Ok(Self { known, rates })
    }

    /// All that may call.
    pub fn known(&self) -> &[ClientConfig] {
        &self.known
    }

    /// Who shows this token, if it does not ask too often. The same answer for every wrong token.
    pub fn authenticate(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let at = self.find(headers).ok_or_else(|| Problem::new("unauthenticated"))?;
        if self.rates[at].check().is_err() {
            return Err(Problem::new("too-many-requests").retry_after(1));
        }
        let client = &self.known[at];
        Ok(Caller { name: client.name.clone(), role: client.role })
    }

    fn find(&self, headers: &HeaderMap) -> Option<usize> {
        let mut given = headers.get_all(header::AUTHORIZATION).iter();
        let (only, None) = (given.next()?, given.next()) else { return None };
        let (scheme, token) = only.to_str().ok()?.split_once(' ')?;
        let length_fits = (TOKEN_CHARACTERS_MIN..=TOKEN_CHARACTERS_MAX).contains(&token.len());
        if !scheme.eq_ignore_ascii_case("bearer") || !length_fits {
            return None;
        }
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        // Every entry is compared, so that the time taken does not say which one was near.
        let mut found = u64::MAX;
        for (at, client) in self.known.iter().enumerate() {
            let same = client.token_sha256.0.ct_eq(&hash);
            found = u64::conditional_select(&found, &(at as u64), same);
        }
        usize::try_from(found).ok().filter(|it| *it < self.known.len())
    }
}

/// The hash under which a token is configured.
pub fn token_hash(token: &str) -> events::proof::Hash {
    events::proof::Hash(Sha256::digest(token.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "a-token-of-the-national-system";

    fn client(name: &str, token: &str, role: Role) -> ClientConfig {
        ClientConfig {
            name: name.into(),
            token_sha256: token_hash(token),
            role,
            webhook: None,
            rate: RateConfig::default(),
        }
    }

    fn headers(values: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn only_the_exact_token_once_is_somebody() {
        let list = vec![client("ysfw", TOKEN, Role::National)];
        let callers = Callers::new(list).unwrap();
        let good = format!("Bearer {TOKEN}");
        assert_eq!(callers.authenticate(&headers(&[&good])).unwrap().name, "ysfw");
        let shorter = &good[..good.len() - 1];
        let wrong: [&[&str]; 6] =
            [&[], &[shorter], &[&good, &good], &["Basic eXNmdzp4"], &["Bearer "], &[TOKEN]];
        for values in wrong {
            let no = callers.authenticate(&headers(values)).unwrap_err();
            assert_eq!(no.code, "unauthenticated", "{values:?}");
        }
    }

    #[test]
    fn who_asks_too_often_waits_and_others_do_not() {
        let one = NonZeroU32::MIN;
        let rate = RateConfig { requests_a_second: one, requests_burst_max: one };
        let other = "another-token-of-another";
        let mut list = vec![client("a", TOKEN, Role::National), client("b", other, Role::Auditor)];
        list[0].rate = rate;
        let callers = Callers::new(list).unwrap();
        let good = headers(&[&format!("Bearer {TOKEN}")]);
        assert!(callers.authenticate(&good).is_ok());
        assert_eq!(callers.authenticate(&good).unwrap_err().code, "too-many-requests");
        assert!(callers.authenticate(&headers(&[&format!("Bearer {other}")])).is_ok());
    }

    #[test]
    fn a_list_with_a_bad_or_second_name_is_refused() {
        let bad = vec![client("Ysfw", TOKEN, Role::National)];
        let twice = vec![client("a", TOKEN, Role::National), client("b", TOKEN, Role::Auditor)];
        let check = |list| Callers::new(list).unwrap_err();
        assert_eq!(check(bad), CallersError::BadName { number: 1 });
        assert_eq!(check(twice), CallersError::Twice { number: 2 });
    }
}
