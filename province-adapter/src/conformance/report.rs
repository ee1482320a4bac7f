//! What the kit tells: every scenario, every assertion, what was seen, what to change. As JSON for
//! programs (`schemas/v1/conformance-report.schema.json`); `page.rs` makes the page for people.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

/// The whole run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The report's own version.
    pub v: u32,
    /// Which kit.
    pub kit: String,
    /// What the adapter calls itself; nothing if it never said a word.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adapter: Option<String>,
    /// The command that started it, if the kit did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// The sandbox's origin.
    pub environment: String,
    /// For which province it spoke.
    pub province: String,
    /// When the run began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// The outcome.
    pub verdict: Verdict,
    /// How often each finding was made.
    pub findings: BTreeMap<String, usize>,
    /// All scenarios, in the order of the run.
    pub scenarios: Vec<Scenario>,
}

/// How a run or a scenario ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// All was run and nothing was found.
    Pass,
    /// Something was found.
    Findings,
    /// Nothing was found, but not everything was run: no certificate.
    Incomplete,
}

/// One scenario.
#[derive(Debug, Clone, Serialize)]
pub struct Scenario {
    /// Its file's name.
    pub name: String,
    /// 中文
    pub title_zh: String,
    /// English.
    pub title_en: String,
    /// How it ended; `incomplete` means that it was not run.
    pub verdict: Verdict,
    /// Why it was not run, in Chinese and English.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_run: Option<String>,
    /// How long it took.
    pub duration_ms: u64,
    /// Sentence by sentence.
    pub assertions: Vec<Assertion>,
    /// What was found.
    pub findings: Vec<Found>,
    /// What happened, in its order; at most `HAPPENED_MAX` lines.
    pub happened: Vec<Happening>,
}

/// Most lines of a scenario's story.
pub const HAPPENED_MAX: usize = 200;

/// One sentence of the script.
#[derive(Debug, Clone, Serialize)]
pub struct Assertion {
    /// Its line.
    pub line: usize,
    /// As it stands there.
    pub text: String,
    /// Whether it held.
    pub held: HeldAs,
}

/// Whether a sentence held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldAs {
    /// It did.
    Yes,
    /// It did not.
    No,
    /// An earlier one did not, so it was not tried.
    NotReached,
}

/// One thing found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// The finding's stable name.
    pub finding: String,
    /// The case in the script, where it concerns one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// What exactly was seen.
    pub seen: String,
    /// When.
    pub at: Timestamp,
}

/// One line of the story.
#[derive(Debug, Clone, Serialize)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// The case in the script.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// What.
    pub what: String,
}

impl Report {
    /// The JSON text whose SHA-256 the certificate names.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self).expect("plain structs always serialize");
        text.push('\n');
        text
    }

    /// The names of everything found.
    pub fn names(&self) -> Vec<&str> {
        self.findings.keys().map(String::as_str).collect()
    }
}

/// The verdict over several: the worst.
pub(crate) fn overall(scenarios: &[Scenario]) -> Verdict {
    let any = |verdict| scenarios.iter().any(|it| it.verdict == verdict);
    if any(Verdict::Findings) {
        Verdict::Findings
    } else if any(Verdict::Incomplete) || scenarios.is_empty() {
        Verdict::Incomplete
    } else {
        Verdict::Pass
    }
}
