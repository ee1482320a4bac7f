//! The catalogue: everything that the kit can find, by its stable name, with what was seen, why it
//! matters and what to change. The texts are data, in `findings.toml`.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

const TEXT: &str = include_str!("findings.toml");

/// A finding in both languages.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// What was seen.
    pub seen: Both,
    /// Why it matters, with the rule.
    pub why: Both,
    /// What to change.
    pub change: Both,
}

/// Chinese and English.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Both {
    /// 中文
    pub zh: String,
    /// English.
    pub en: String,
}

static CATALOGUE: LazyLock<BTreeMap<String, Finding>> =
    LazyLock::new(|| toml::from_str(TEXT).expect("a test reads the catalogue"));

/// All findings by their names, in the order of the names.
pub fn all() -> &'static BTreeMap<String, Finding> {
    &CATALOGUE
}

/// What the catalogue says about `id`.
pub fn find(id: &str) -> Option<&'static Finding> {
    CATALOGUE.get(id)
}

/// The catalogue's own spelling of `id`.
pub(crate) fn id(id: &str) -> Option<&'static str> {
    CATALOGUE.get_key_value(id).map(|it| it.0.as_str())
}
