//! `[oidc]`: which provider, as whom, what its words mean here, and every bound.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroU64};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::accounts::Role;

/// Where the provider sends the browser back to.
pub const CALLBACK_PATH: &str = "/sign-in/oidc/callback";
/// What a hub says that was built without it.
pub const NOT_BUILT: &str = "`oidc` is set, but this hub was built without OpenID Connect (build it with \
                             `--features oidc`, or take the block out)";
/// What may be allowed at all: signatures by a key that only the provider has.
pub(super) const ALGORITHMS: [&str; 4] = ["RS256", "PS256", "ES256", "EdDSA"];
/// Most seconds that the provider's clock and ours may be said to differ.
const SKEW_S_MAX: u64 = 300;
/// Longest button.
const LABEL_CHARACTERS_MAX: usize = 24;

/// The provider and what its words mean.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OidcSettings {
    /// The issuer; `/.well-known/openid-configuration` is added.
    pub issuer: String,
    /// What this hub is called there.
    pub client_id: String,
    /// The file with the secret; without it the hub is a public client.
    #[serde(default)]
    pub client_secret_file: Option<PathBuf>,
    /// This hub's own address as browsers see it, with the path `/sign-in/oidc/callback`.
    pub redirect_url: String,
    /// On the button, in Chinese and in English.
    #[serde(default = "default_label")]
    pub label: String,
    /// On the button in English.
    #[serde(default = "default_label_english")]
    pub label_english: String,
    /// Scopes beside `openid`.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
    /// The claim with the name: 3 to 28 of a-z, 0-9 and -.
    #[serde(default = "default_name_claim")]
    pub name_claim: String,
    /// The claim with the displayed name.
    #[serde(default = "default_display_claim")]
    pub display_claim: String,
    /// The claim with the roles: a text or a list; with a leading `/` a JSON pointer.
    #[serde(default = "default_role_claim")]
    pub role_claim: String,
    /// What a value of that claim means here: operator, hotline, auditor, admin or `province:22`.
    pub roles: BTreeMap<String, String>,
    /// Signatures that count.
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<String>,
    /// By how much the provider's clock may differ.
    #[serde(default = "default_skew")]
    pub clock_skew_s_max: u64,
    /// Longest wait for an answer of the provider.
    #[serde(default = "default_answer")]
    pub answer_ms_max: NonZeroU64,
    /// Sign-ins that may be under way.
    #[serde(default = "default_attempts")]
    pub attempts_max: NonZeroU32,
    /// How long one may take.
    #[serde(default = "default_attempt_s")]
    pub attempt_s_max: NonZeroU64,
}

fn default_label() -> String {
    "统一身份认证登录".to_owned()
}
fn default_label_english() -> String {
    "single sign-on".to_owned()
}
fn default_scopes() -> Vec<String> {
    vec!["profile".to_owned()]
}
fn default_name_claim() -> String {
    "preferred_username".to_owned()
}
fn default_display_claim() -> String {
    "name".to_owned()
}
fn default_role_claim() -> String {
    "roles".to_owned()
}
fn default_algorithms() -> Vec<String> {
    ["RS256", "ES256", "EdDSA"].map(str::to_owned).to_vec()
}
fn default_skew() -> u64 {
    60
}
fn default_answer() -> NonZeroU64 {
    NonZeroU64::new(5_000).unwrap_or(NonZeroU64::MIN)
}
fn default_attempts() -> NonZeroU32 {
    NonZeroU32::new(1_024).unwrap_or(NonZeroU32::MIN)
}
fn default_attempt_s() -> NonZeroU64 {
    NonZeroU64::new(600).unwrap_or(NonZeroU64::MIN)
}

impl OidcSettings {
    /// The same with its file beside the configuration.
    pub fn in_folder(mut self, folder: &Path) -> Self {
        self.client_secret_file = self.client_secret_file.map(|it| folder.join(it));
        self
    }

    /// Everything that is wrong. `is_built`: whether this hub can do it at all.
    pub fn problems(&self, is_built: bool) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |fine: bool, problem: &str| {
            if !fine {
                problems.push(problem.to_owned());
            }
        };
        check(is_built, NOT_BUILT);
        check(
            is_private(&self.issuer),
            "`oidc.issuer` must be an https address (http on this machine)",
        );
        check(
            is_private(&self.redirect_url) && self.redirect_url.ends_with(CALLBACK_PATH),
            "`oidc.redirect_url` must be an https address with the path /sign-in/oidc/callback",
        );
        check(!self.client_id.is_empty(), "`oidc.client_id` must not be empty");
        let fits = |it: &str| (1..=LABEL_CHARACTERS_MAX).contains(&it.chars().count());
        check(
            fits(&self.label) && fits(&self.label_english),
            "`oidc.label` and `oidc.label_english` must have 1 to 24 characters",
        );
        check(!self.roles.is_empty(), "`oidc.roles` must say what at least one role means");
        check(
            self.roles.values().all(|it| role(it).is_some()),
            "each of `oidc.roles` must be operator, hotline, auditor, admin or province:<code>",
        );
        check(
            !self.algorithms.is_empty()
                && self.algorithms.iter().all(|it| ALGORITHMS.contains(&it.as_str())),
            "`oidc.algorithms` may have RS256, PS256, ES256 and EdDSA, at least one",
        );
        check(self.clock_skew_s_max <= SKEW_S_MAX, "`oidc.clock_skew_s_max` must be 300 at most");
        problems
    }
}

/// What a role of ours is called in the configuration.
pub(super) fn role(text: &str) -> Option<Role> {
    match text.strip_prefix("province:") {
        Some(code) => Role::of("province", Some(code.parse().ok()?)),
        None => Role::of(text, None),
    }
}

/// Nobody else reads on the way.
fn is_private(text: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(text) else { return false };
    let loopback = url.host_str().is_some_and(|it| {
        it == "localhost"
            || it
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|it| it.is_loopback())
    });
    let plain = url.username().is_empty() && url.query().is_none() && url.fragment().is_none();
    plain && (url.scheme() == "https" || (url.scheme() == "http" && loopback))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"{
        "issuer": "https://login.example/realms/ministry",
        "client_id": "hub",
        "redirect_url": "https://hub.example/sign-in/oidc/callback",
        "roles": {"hub-operators": "operator", "jilin": "province:22"}
    }"#;

    fn settings() -> OidcSettings {
        serde_json::from_str(GOOD).unwrap()
    }

    #[test]
    fn a_hub_that_cannot_do_it_says_so() {
        assert_eq!(settings().problems(false), [NOT_BUILT]);
        assert!(settings().problems(true).is_empty());
    }

    /// The block of the example, as it is when somebody takes the marks away.
    #[test]
    fn the_example_lists_every_setting_and_its_default() {
        let example = include_str!("../../../deploy/hub.example.toml");
        let block = example.split("# [oidc]\n").nth(1).unwrap().split("\n\n").next().unwrap();
        let plain: Vec<&str> = block
            .lines()
            .filter_map(|it| it.strip_prefix("# "))
            .filter(|it| it.contains(" = ") || it.starts_with('['))
            .collect();
        let text = plain.join("\n").replace("[oidc.roles]", "[roles]");
        let given: OidcSettings = toml::from_str(&text).unwrap_or_else(|it| panic!("{it}\n{text}"));
        assert!(given.problems(true).is_empty(), "{:?}", given.problems(true));
        let OidcSettings { issuer, client_id, client_secret_file, redirect_url, roles, .. } =
            given.clone();
        let defaults = settings();
        let mine =
            OidcSettings { issuer, client_id, client_secret_file, redirect_url, roles, ..defaults };
        assert_eq!(given, mine, "the others are the defaults");
        let told = toml::from_str::<OidcSettings>("colour = 1").unwrap_err().to_string();
        let known: Vec<&str> = told.split('`').skip(3).step_by(2).collect();
        assert!(known.len() > 10, "{told}");
        for setting in known.iter().filter(|it| **it != "roles") {
            assert!(text.contains(&format!("{setting} = ")), "`oidc.{setting}` is not listed");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_named() {
        type Change = fn(&mut OidcSettings);
        let changes: [Change; 11] = [
            |it| it.issuer = "http://login.example".into(),
            |it| it.issuer = "https://me@login.example".into(),
            |it| it.redirect_url = "https://hub.example/".into(),
            |it| it.client_id.clear(),
            |it| it.label.clear(),
            |it| it.roles.clear(),
            |it| it.roles.insert("x".into(), "emperor".into()).map_or((), drop),
            |it| it.roles.insert("x".into(), "province:71".into()).map_or((), drop),
            |it| it.algorithms = vec!["none".into()],
            |it| it.algorithms = vec!["HS256".into()],
            |it| it.clock_skew_s_max = 301,
        ];
        for (at, change) in changes.iter().enumerate() {
            let mut changed = settings();
            change(&mut changed);
            assert_eq!(changed.problems(true).len(), 1, "change {at}");
        }
    }
}
