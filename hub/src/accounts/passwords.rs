//! Passwords: argon2id with the parameters of RFC 9106's second choice; slow on purpose, so never on a worker that serves others.

use argon2::password_hash::rand_core::OsRng;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};

use super::AccountError;

/// Shortest password, in characters.
pub const PASSWORD_CHARACTERS_MIN: usize = 10;
/// Longest password, in characters.
pub const PASSWORD_CHARACTERS_MAX: usize = 128;

/// Memory of one hash, in KiB: RFC 9106 §4, second recommended option (64 MiB, three passes), with
/// one lane instead of four, because one thread does it.
const MEMORY_KIB: u32 = 64 * 1024;
/// Passes over it.
const PASSES: u32 = 3;

fn hasher() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).unwrap_or_default();
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// A hash with its own salt and parameters, in PHC form.
pub(super) fn hash(password: &str, name: &str) -> Result<String, AccountError> {
    let length = password.chars().count();
    let fits = (PASSWORD_CHARACTERS_MIN..=PASSWORD_CHARACTERS_MAX).contains(&length);
    let first = password.chars().next();
    if !fits || password.contains(name) || password.chars().all(|it| Some(it) == first) {
        return Err(AccountError::WeakPassword);
    }
    let salt = SaltString::generate(&mut OsRng);
    let hashed = hasher().hash_password(password.as_bytes(), &salt);
    hashed.map(|it| it.to_string()).map_err(|_| AccountError::Hashing)
}

/// Whether it is the one. An unreadable hash is nobody's.
pub(super) fn fits(password: &str, hash: &str) -> bool {
    if password.chars().count() > PASSWORD_CHARACTERS_MAX {
        return false;
    }
    let Ok(hash) = PasswordHash::new(hash) else { return false };
    hasher().verify_password(password.as_bytes(), &hash).is_ok()
}

/// As much work as for somebody who exists, so that the time taken does not tell who does.
pub(super) fn pretend(password: &str) {
    let bounded: String = password.chars().take(PASSWORD_CHARACTERS_MAX).collect();
    let mut out = [0; 32];
    let _made = hasher().hash_password_into(bounded.as_bytes(), b"nobody-at-all", &mut out);
}

/// A password that nobody has thought of: 20 characters that are not easily confused, about 98 bits.
pub fn fresh_password() -> Result<String, AccountError> {
    const LETTERS: &[u8; 30] = b"abcdefghjkmnpqrstuvwxyz2345679";
    let mut chance = [0; 40];
    getrandom::fill(&mut chance).map_err(|_| AccountError::Hashing)?;
    // Bytes of 240 and above are left out, so that each letter is as likely as any other.
    let letters: String = chance
        .iter()
        .filter(|it| **it < 240)
        .take(20)
        .map(|it| char::from(LETTERS[usize::from(*it) % LETTERS.len()]))
        .collect();
    if letters.len() == 20 { Ok(letters) } else { fresh_password() }
}
