//! From what a provider says of somebody to an account of ours, or a named no.

use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::NAME_PREFIX;
use super::settings::{OidcSettings, role};
use crate::accounts::{Account, Role};
use crate::problem::Problem;

/// The same as for any account.
const DISPLAY_CHARACTERS_MAX: usize = 32;
/// With the prefix it is a name of ours.
const NAME_BYTES: std::ops::RangeInclusive<usize> = 3..=28;

/// The account of whoever these verified claims are about.
pub(super) fn account(
    settings: &OidcSettings,
    claims: &Map<String, Value>,
) -> Result<Account, Problem> {
    let name = text(claims, &settings.name_claim).unwrap_or_default().to_ascii_lowercase();
    let letters = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
    if !NAME_BYTES.contains(&name.len()) || !name.bytes().all(letters) {
        return Err(Problem::new("oidc-name"));
    }
    let shown = text(claims, &settings.display_claim).unwrap_or(&name);
    let shown: String =
        shown.chars().filter(|it| !it.is_control()).take(DISPLAY_CHARACTERS_MAX).collect();
    let display = if shown.trim().is_empty() { name.clone() } else { shown };
    let role = role_of(settings, claims)?;
    let name = format!("{NAME_PREFIX}{name}");
    Ok(Account { name, display, role, disabled: false, must_change: false })
}

/// Issuer and subject, hashed.
pub(super) fn binding(issuer: &str, subject: &str) -> String {
    let mut hash = Sha256::new();
    for part in [issuer, "\0", subject] {
        hash.update(part.as_bytes());
    }
    hash.finalize().iter().map(|it| format!("{it:02x}")).collect()
}

/// The one role that the claim's values come to. Two that differ are no role: nobody guesses.
fn role_of(settings: &OidcSettings, claims: &Map<String, Value>) -> Result<Role, Problem> {
    let given: Vec<&str> = match found(claims, &settings.role_claim) {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let meant = given.iter().filter_map(|it| settings.roles.get(*it)).filter_map(|it| role(it));
    let mut meant: Vec<Role> = meant.collect();
    meant.dedup();
    match meant[..] {
        [role] => Ok(role),
        _ => Err(Problem::new("oidc-role")),
    }
}

fn text<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    found(claims, name)?.as_str()
}

/// A claim by its name, or by a JSON pointer.
fn found<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    let Some(path) = name.strip_prefix('/') else { return claims.get(name) };
    let mut parts = path.split('/');
    let first = claims.get(parts.next()?)?;
    parts.try_fold(first, |at, part| at.get(part))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn told(claims: Value) -> Result<Account, &'static str> {
        let mut settings: OidcSettings = serde_json::from_value(json!({
            "issuer": "https://login.example", "client_id": "hub",
            "redirect_url": "https://hub.example/sign-in/oidc/callback",
            "roles": {"watch": "operator", "watch-too": "operator", "jilin": "province:22"},
        }))
        .unwrap();
        if claims.get("realm_access").is_some() {
            settings.role_claim = "/realm_access/roles".into();
        }
        account(&settings, claims.as_object().unwrap()).map_err(|it| it.code)
    }

    #[test]
    fn a_role_is_what_the_configuration_says_and_never_a_guess() {
        for (roles, meant) in [
            (json!("watch"), Ok(Role::Operator)),
            (json!(["other", "watch"]), Ok(Role::Operator)),
            (json!(["watch", "watch-too"]), Ok(Role::Operator)),
            (json!(["jilin"]), Ok(Role::Province("22".parse().unwrap()))),
            (json!(["watch", "jilin"]), Err("oidc-role")),
            (json!(["operator"]), Err("oidc-role")),
            (json!([]), Err("oidc-role")),
            (json!(7), Err("oidc-role")),
        ] {
            let account = told(json!({"preferred_username": "li-si", "roles": roles}));
            assert_eq!(account.map(|it| it.role), meant, "{roles}");
        }
        let nested = json!({"preferred_username": "li-si", "realm_access": {"roles": ["watch"]}});
        assert_eq!(told(nested).unwrap().role, Role::Operator);
    }

    #[test]
    fn a_name_is_ours_or_none() {
        let named = |name: &str| told(json!({"preferred_username": name, "roles": "watch"}));
        let account = named("Li-Si").unwrap();
        assert_eq!((account.name.as_str(), account.display.as_str()), ("sso-li-si", "li-si"));
        for bad in ["", "ab", "li si", "李四", "a@example.com", &"x".repeat(29)] {
            assert_eq!(named(bad), Err("oidc-name"), "{bad}");
        }
        let shown = json!({"preferred_username": "li-si", "name": "李\u{7}四", "roles": "watch"});
        assert_eq!(told(shown).unwrap().display, "李四");
    }

    #[test]
    fn a_binding_is_of_both() {
        assert_ne!(binding("a", "bc"), binding("ab", "c"));
        assert_eq!(binding("a", "b").len(), 64);
    }
}
