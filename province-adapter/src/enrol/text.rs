//! What joining writes for people: a request, and a configuration in which only our own lines change.

use events::enrolment::{AdapterFacts, Signed, adapter_toml};

/// A request or bundle as it lies in a file.
pub(super) fn pretty(signed: &Signed) -> String {
    let text = serde_json::to_string_pretty(signed).expect("texts serialize");
    format!("{text}\n")
}

/// `22-sign-7` → 8. A name without a number was the first.
pub(super) fn next_number(key_id: &str) -> u32 {
    let last = key_id.rsplit('-').next().and_then(|it| it.parse::<u32>().ok());
    last.unwrap_or(1).saturating_add(1)
}

/// The configuration `old` with the lines that the hub decides as `facts` say; everything else, comments
/// too, stays. Lists of several lines are not looked into: `urls` is one line in what we write.
pub(super) fn brought_up_to_date(old: &str, facts: &AdapterFacts<'_>) -> String {
    const OURS: [&str; 9] = [
        "origin",
        "urls",
        "nkey_seed_file",
        "sign_key_file",
        "sign_key_id",
        "seal_key_file",
        "seal_key_id",
        "hub_public_key",
        "hub_key_id",
    ];
    let wanted = adapter_toml(facts);
    let line_of = |key: &str| wanted.lines().find(|it| key_of(it) == Some(key));
    // An office's own `ca_file` stands in another table.
    let authority = line_of("ca_file");
    let mut in_broker = false;
    let mut new = String::with_capacity(old.len());
    for line in old.lines() {
        if line.trim_start().starts_with('[') {
            in_broker = line.trim() == "[broker]";
        }
        let key = key_of(line);
        if in_broker && key == Some("ca_file") && authority.is_some() {
            continue;
        }
        let ours = key.filter(|it| OURS.contains(it));
        let whole = !line.trim_end().ends_with('[');
        new.push_str(ours.filter(|_| whole).and_then(line_of).unwrap_or(line));
        new.push('\n');
        if in_broker && key == Some("nkey_seed_file") {
            authority.into_iter().for_each(|it| new.extend([it, "\n"]));
        }
    }
    new
}

/// `origin = "…"` → `origin`. A comment has none.
fn key_of(line: &str) -> Option<&str> {
    let (key, _) = line.split_once('=')?;
    let key = key.trim();
    (!key.is_empty() && !key.starts_with('#')).then_some(key)
}
