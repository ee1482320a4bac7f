//! The settings of `http`: where the office's service is, what it is sent, and how its answers read.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// The table `[http]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Where each work is sent.
    pub url: String,
    /// A template of the body; its ending, `.json` or `.xml`, decides what is escaped.
    pub template_file: PathBuf,
    /// How bodies are written, and read where the answer does not say: `utf-8`, `gbk`, `gb18030`.
    pub charset: String,
    /// Header fields of every request, e.g. `SOAPAction`.
    pub headers: BTreeMap<String, String>,
    /// Header fields that are secrets: each a file with the value on one line.
    pub secret_headers: BTreeMap<String, PathBuf>,
    /// Certificates that count for the office, in PEM.
    pub ca_file: Option<PathBuf>,
    /// For the connection.
    pub connect_ms: u64,
    /// For the whole exchange.
    pub request_ms: u64,
    /// Largest answer.
    pub answer_bytes_max: usize,
    /// Where in an answer another document stands as a text, as SOAP services do: a pointer.
    pub inner: Option<String>,
    /// Where the office's own code of success or failure stands.
    pub code: Option<String>,
    /// What an answer to a sent work means: the first rule that fits; without one, not now.
    pub rules: Vec<Rule>,
    /// After a refusal the work is offered again only so late.
    pub refused_again_ms: u64,
    /// Where the values of an office's answer stand: name to pointer.
    pub answer: BTreeMap<String, String>,
    /// How the office is asked where a case stands; without it only its first answer counts.
    pub status: Option<StatusSettings>,
}

/// The table `[http.status]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusSettings {
    /// A template, e.g. `http://oa/cases/{{ case_id }}`; values in it are made safe for a URL.
    pub url: String,
    /// A template of a body; without one it is a GET.
    pub template_file: Option<PathBuf>,
    /// Between two questions about one case; longer after failures, up to sixteen times.
    pub every_ms: u64,
    /// Cases asked about at once.
    #[serde(default = "at_once_max")]
    pub at_once_max: usize,
}

fn at_once_max() -> usize {
    4
}

/// One rule about an answer to a sent work.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// The HTTP status; any if absent.
    pub status: Option<u16>,
    /// The office's code; any if absent.
    pub code: Option<String>,
    /// What it means.
    pub then: Then,
}

/// What an answer to a sent work means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Then {
    /// The office has it, now or already.
    Taken,
    /// It is offered again soon.
    NotNow,
    /// The office will not have it so: somebody must look; it is offered again late.
    Refused,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            url: String::new(),
            template_file: PathBuf::from("work.json"),
            charset: "utf-8".to_owned(),
            headers: BTreeMap::new(),
            secret_headers: BTreeMap::new(),
            ca_file: None,
            connect_ms: 5_000,
            request_ms: 20_000,
            answer_bytes_max: 262_144,
            inner: None,
            code: None,
            rules: Vec::new(),
            refused_again_ms: 3_600_000,
            answer: BTreeMap::new(),
            status: None,
        }
    }
}

/// The names that `[http.answer]` may map. `operation` is the office's own id of the answer.
pub(super) const ANSWER_NAMES: [&str; 17] = [
    "operation",
    "kind",
    "decided_at",
    "text",
    "acceptance_number",
    "reason",
    "reasons",
    "missing",
    "until",
    "division",
    "authority",
    "ground",
    "outcome",
    "decision_number",
    "grade",
    "valid_until",
    "certificate_id",
];

impl Settings {
    /// What cannot be, all of it; only asked where `office = "http"`.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut url = |name: &str, it: &str| {
            if !it.starts_with("http://") && !it.starts_with("https://") {
                problems.push(format!("`{name}` must begin with http:// or https://"));
            }
        };
        url("http.url", &self.url);
        if let Some(status) = &self.status {
            url("http.status.url", &status.url);
        }
        if super::charset::Charset::of(&self.charset).is_none() {
            problems.push("`http.charset` must be `utf-8`, `gbk` or `gb18030`".to_owned());
        }
        let pointers = self.answer.iter().map(|(name, it)| (format!("answer.{name}"), it));
        let single = [("inner", &self.inner), ("code", &self.code)];
        let single =
            single.into_iter().filter_map(|(name, it)| Some((name.to_owned(), it.as_ref()?)));
        for (name, pointer) in pointers.chain(single) {
            if !pointer.starts_with('/') {
                problems.push(format!("`http.{name}` must be a pointer, e.g. /result/code"));
            }
        }
        for name in self.answer.keys().filter(|it| !is_answer_name(it)) {
            problems.push(format!(
                "`http.answer.{name}` is no value of an answer; known: {}, next_due",
                ANSWER_NAMES.join(", ")
            ));
        }
        if !self.rules.iter().any(|it| it.then == Then::Taken) {
            problems.push(
                "`http.rules` needs at least one rule that says `then = \"taken\"`".to_owned(),
            );
        }
        if self.rules.iter().any(|it| it.code.is_some()) && self.code.is_none() {
            problems.push(
                "`http.rules` names codes, and `http.code` does not say where they stand"
                    .to_owned(),
            );
        }
        let count = |it: usize| u64::try_from(it).unwrap_or(u64::MAX);
        let every = self.status.as_ref().map_or(1_000, |it| it.every_ms);
        let at_once = self.status.as_ref().map_or(1, |it| it.at_once_max);
        for (name, value, min, max) in [
            ("connect_ms", self.connect_ms, 100, 60_000),
            ("request_ms", self.request_ms, 100, 25_000),
            ("answer_bytes_max", count(self.answer_bytes_max), 1_024, 16_777_216),
            ("refused_again_ms", self.refused_again_ms, 1_000, 86_400_000),
            ("status.every_ms", every, 100, 86_400_000),
            ("status.at_once_max", count(at_once), 1, 64),
        ] {
            if !(min..=max).contains(&value) {
                problems
                    .push(format!("`http.{name}` is {value}; it must lie between {min} and {max}"));
            }
        }
        problems
    }

    /// With its paths taken from `folder`.
    pub(crate) fn in_folder(mut self, folder: &Path) -> Self {
        self.template_file = folder.join(&self.template_file);
        self.ca_file = self.ca_file.map(|it| folder.join(it));
        for path in self.secret_headers.values_mut() {
            *path = folder.join(&*path);
        }
        if let Some(status) = &mut self.status {
            status.template_file = status.template_file.take().map(|it| folder.join(it));
        }
        self
    }

    /// What an answer with this HTTP status and code of the office means.
    pub(super) fn judge(&self, status: u16, code: Option<&str>) -> Then {
        let fits = |it: &&Rule| {
            it.status.is_none_or(|it| it == status)
                && it.code.as_deref().is_none_or(|it| code == Some(it))
        };
        self.rules.iter().find(fits).map_or(Then::NotNow, |it| it.then)
    }
}

fn is_answer_name(name: &str) -> bool {
    name == "next_due" || ANSWER_NAMES.contains(&name)
}
