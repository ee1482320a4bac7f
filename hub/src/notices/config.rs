//! When people are told of alerts, of which, and by whom it is brought.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use events::vocabulary::AlertKind;
use jiff::SignedDuration;
use lettre::message::Mailbox;
use reqwest::Url;
use serde::Deserialize;

use crate::notices::plan::NoticePace;

/// Longest that anything here may last, in seconds: a month.
const SECONDS_MAX: u64 = 31 * 24 * 3600;
/// Most people in one mail.
const RECIPIENTS_MAX: usize = 50;
/// Most carriers of a kind.
const CARRIERS_MAX: usize = 16;

/// What the configuration says under `alerts`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NoticesConfig {
    /// An enrolled adapter that neither fetches nor reports for so long is silent, in seconds.
    pub adapter_silent_after_s: u64,
    /// Of what people are told.
    pub kinds: Vec<AlertKind>,
    /// Something new is told after so long.
    pub wait_s: u64,
    /// Shortest time between two messages.
    pub interval_s: u64,
    /// What nobody acknowledged is told again after so long.
    pub remind_every_s: u64,
    /// That something is over is told when nothing was told of it for so long.
    pub resolve_after_s: u64,
    /// Most messages in any hour.
    pub messages_an_hour_max: usize,
    /// Counts at which it is news that there are more.
    pub steps: Vec<u64>,
    /// Waits before each further try, in milliseconds of real time; the last one repeats.
    pub retry_ms: Vec<u64>,
    /// Most tries for one message with one carrier.
    pub attempts_max: u32,
    /// A message that is older is not worth bringing any more.
    pub keep_trying_s: u64,
    /// Longest wait for a connection and for an answer.
    pub answer_wait_ms: u64,
    /// Programs that are called.
    pub webhooks: Vec<WebhookConfig>,
    /// Alertmanagers.
    pub alertmanagers: Vec<AlertmanagerConfig>,
    /// People who get mail.
    pub mails: Vec<MailConfig>,
}

impl Default for NoticesConfig {
    fn default() -> Self {
        let quiet = [AlertKind::DueSoon, AlertKind::Urged];
        Self {
            adapter_silent_after_s: 900,
            kinds: AlertKind::ALL.iter().copied().filter(|it| !quiet.contains(it)).collect(),
            wait_s: 30,
            interval_s: 300,
            remind_every_s: 14_400,
            resolve_after_s: 600,
            messages_an_hour_max: 6,
            steps: vec![10, 50, 200, 1_000, 5_000],
            retry_ms: vec![5_000, 30_000, 120_000, 600_000],
            attempts_max: 50,
            keep_trying_s: 86_400,
            answer_wait_ms: 10_000,
            webhooks: Vec::new(),
            alertmanagers: Vec::new(),
            mails: Vec::new(),
        }
    }
}

/// A program that is called, as Standard Webhooks has it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Stands in every event about it.
    pub name: String,
    /// Where.
    pub url: String,
    /// Its secret: `whsec_` and base64.
    pub secret_file: PathBuf,
}

/// An Alertmanager.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlertmanagerConfig {
    /// Stands in every event about it.
    pub name: String,
    /// Its address, without `/api`.
    pub url: String,
    /// What stands is told again so often; without that it forgets.
    #[serde(default = "resend")]
    pub resend_s: u64,
}

fn resend() -> u64 {
    60
}

/// Who speaks TLS when with the mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// From the beginning.
    Tls,
    /// After the greeting; a server that cannot is refused.
    #[default]
    Starttls,
    /// Never: only to a relay on the same machine or a closed network.
    None,
}

/// People who get mail.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// Stands in every event about it.
    pub name: String,
    /// The server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// When TLS begins.
    #[serde(default)]
    pub security: Security,
    /// Who vouches for the server, beside the usual authorities: a PEM file.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Whose name to log in with; without one, nobody logs in.
    #[serde(default)]
    pub user: Option<String>,
    /// That one's password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// From whom.
    pub from: String,
    /// To whom.
    pub to: Vec<String>,
}

impl NoticesConfig {
    /// When people are told.
    pub fn pace(&self) -> NoticePace {
        let seconds = |it: u64| SignedDuration::from_secs(it.min(SECONDS_MAX) as i64);
        NoticePace {
            kinds: self.kinds.clone(),
            wait: seconds(self.wait_s),
            interval: seconds(self.interval_s),
            remind_every: seconds(self.remind_every_s),
            resolve_after: seconds(self.resolve_after_s),
            messages_an_hour_max: self.messages_an_hour_max,
            steps: self.steps.clone(),
        }
    }

    /// Longest wait for a connection and for an answer.
    pub fn answer_wait(&self) -> Duration {
        Duration::from_millis(self.answer_wait_ms)
    }

    /// Nobody is to be told.
    pub fn is_silent(&self) -> bool {
        self.webhooks.is_empty() && self.alertmanagers.is_empty() && self.mails.is_empty()
    }

    /// Makes the paths relative to the configuration's folder.
    pub fn place_in(&mut self, folder: &Path) {
        let hooks = self.webhooks.iter_mut().map(|it| &mut it.secret_file);
        let mails = self.mails.iter_mut();
        let mails = mails.flat_map(|it| [it.ca_file.as_mut(), it.password_file.as_mut()]);
        hooks.chain(mails.flatten()).for_each(|it| *it = folder.join(&*it));
    }

    /// Everything that cannot be meant, each with its key.
    pub fn problems(&self, public_url: Option<&str>) -> Vec<String> {
        let mut problems = Vec::new();
        let times = [
            ("adapter_silent_after_s", self.adapter_silent_after_s, 1),
            ("wait_s", self.wait_s, 0),
            ("interval_s", self.interval_s, 1),
            ("remind_every_s", self.remind_every_s, 1),
            ("resolve_after_s", self.resolve_after_s, 0),
            ("keep_trying_s", self.keep_trying_s, 1),
        ];
        for (name, value, least) in times {
            if !(least..=SECONDS_MAX).contains(&value) {
                problems.push(format!("`alerts.{name}` must be {least} to {SECONDS_MAX}"));
            }
        }
        let mut check = |fine: bool, problem: String| {
            if !fine {
                problems.push(problem);
            }
        };
        let retry = !self.retry_ms.is_empty() && self.retry_ms.iter().all(|it| *it >= 100);
        check(retry, "`alerts.retry_ms` must have waits of at least 100".into());
        check(self.attempts_max > 0, "`alerts.attempts_max` must be above 0".into());
        check(
            (100..=120_000).contains(&self.answer_wait_ms),
            "`alerts.answer_wait_ms` must be 100 to 120000".into(),
        );
        check(
            (1..=60).contains(&self.messages_an_hour_max),
            "`alerts.messages_an_hour_max` must be 1 to 60".into(),
        );
        check(
            self.steps.is_sorted_by(|a, b| a < b) && self.steps.first() != Some(&0),
            "`alerts.steps` must rise and begin above 0".into(),
        );
        check(
            self.is_silent() || public_url.is_some(),
            "`http.public_url` is needed: every message about alerts has its link".into(),
        );
        problems.extend(self.carrier_problems());
        problems
    }

    fn carrier_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut names = BTreeSet::new();
        let hooks = self.webhooks.iter().map(|it| ("webhooks", &it.name, Some(&it.url)));
        let managers =
            self.alertmanagers.iter().map(|it| ("alertmanagers", &it.name, Some(&it.url)));
        let mails = self.mails.iter().map(|it| ("mails", &it.name, None));
        for (table, name, url) in hooks.chain(managers).chain(mails) {
            let usable = (1..=32).contains(&name.len())
                && name.bytes().all(|it| matches!(it, b'a'..=b'z' | b'0'..=b'9' | b'-'));
            if !usable || !names.insert((table, name)) {
                problems.push(format!(
                    "`alerts.{table}`: `{name}` must be 1 to 32 of a-z, 0-9 and -, and used once"
                ));
            }
            if url.is_some_and(|it| !is_web_address(it)) {
                problems.push(format!("`alerts.{table}`: the url of `{name}` is no web address"));
            }
        }
        let counts = [self.webhooks.len(), self.alertmanagers.len(), self.mails.len()];
        if counts.iter().any(|it| *it > CARRIERS_MAX) {
            problems.push(format!("`alerts` has more than {CARRIERS_MAX} carriers of a kind"));
        }
        let slow = |it: &&AlertmanagerConfig| !(1..=3600).contains(&it.resend_s);
        for it in self.alertmanagers.iter().filter(slow) {
            problems.push(format!(
                "`alerts.alertmanagers`: `resend_s` of `{}` must be 1 to 3600",
                it.name
            ));
        }
        problems.extend(self.mails.iter().flat_map(MailConfig::problems));
        problems
    }
}

/// Whether it can be called over HTTP.
pub(crate) fn is_web_address(text: &str) -> bool {
    Url::parse(text).is_ok_and(|it| matches!(it.scheme(), "http" | "https") && it.has_host())
}

impl MailConfig {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let name = &self.name;
        for it in self.to.iter().chain([&self.from]) {
            if it.parse::<Mailbox>().is_err() {
                problems.push(format!("`alerts.mails`: `{it}` of `{name}` is no mail address"));
            }
        }
        if !(1..=RECIPIENTS_MAX).contains(&self.to.len()) {
            problems
                .push(format!("`alerts.mails`: `to` of `{name}` must have 1 to {RECIPIENTS_MAX}"));
        }
        if self.user.is_some() != self.password_file.is_some() {
            problems.push(format!(
                "`alerts.mails`: `{name}` needs both `user` and `password_file`, or neither"
            ));
        }
        if self.user.is_some() && self.security == Security::None {
            problems.push(format!("`alerts.mails`: `{name}` would send its password in clear"));
        }
        problems
    }
}
