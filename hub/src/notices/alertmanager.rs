//! An Alertmanager is told what stands, again and again: what it is not told any more it holds for over.

use std::time::Duration;

use events::keeping::alerts::{AlertNotice, NoticeWhy};
use jiff::{SignedDuration, Timestamp};
use reqwest::Url;
use serde_json::{Value, json};

use super::carrier::BringError;
use super::compose::{Letter, Sender, line, link, runbook, severity};
use crate::words::Language;

/// What stands counts as standing for so many times the time between two tellings.
const HELD_TIMES: i64 = 4;
/// How long a test stands.
const TEST_STANDS: SignedDuration = SignedDuration::from_mins(1);

/// An Alertmanager behind its version 2 API.
pub struct Alertmanager {
    pub(crate) url: Url,
    pub(crate) resend: Duration,
    pub(crate) http: reqwest::Client,
}

impl Alertmanager {
    /// What a message tells. `now` is the machine's time: an Alertmanager knows no other.
    pub(crate) async fn bring(
        &self,
        letter: &Letter,
        sender: &Sender,
        now: Timestamp,
    ) -> Result<(), BringError> {
        if letter.is_test() {
            return self.post(vec![test(letter, sender, now)]).await;
        }
        self.tell(&letter.notices, sender, now).await
    }

    /// What stands and what is over.
    pub(crate) async fn tell(
        &self,
        notices: &[AlertNotice],
        sender: &Sender,
        now: Timestamp,
    ) -> Result<(), BringError> {
        let resend = SignedDuration::try_from(self.resend).unwrap_or_default();
        let holds = now.saturating_add(resend * HELD_TIMES as i32).unwrap_or(now);
        let told = notices.iter().map(|it| {
            let over = it.why == NoticeWhy::Resolved;
            one(it, sender, now, if over { now } else { holds })
        });
        self.post(told.collect()).await
    }

    async fn post(&self, alerts: Vec<Value>) -> Result<(), BringError> {
        let request = self
            .http
            .post(self.url.clone())
            .header(reqwest::header::CONTENT_TYPE, "application/json")
            .body(Value::Array(alerts).to_string());
        super::carrier::answered(request).await
    }
}

/// `https://alerts.example/` and its API.
pub(crate) fn api(base: &str) -> Option<Url> {
    Url::parse(&format!("{}/api/v2/alerts", base.trim_end_matches('/'))).ok()
}

/// The labels are the alert's name there: they never hold a count.
fn one(notice: &AlertNotice, sender: &Sender, now: Timestamp, until: Timestamp) -> Value {
    let AlertNotice { kind, province, count, since, .. } = notice;
    let province = province.map_or_else(String::new, |it| it.to_string());
    // Where time is told faster it may lie ahead; a beginning after the end is refused there.
    let begins = (*since).min(now).min(until);
    json!({
        "labels": {
            "alertname": "HubAlerts",
            "kind": kind,
            "province": province,
            "severity": severity(*kind),
            "origin": sender.origin,
        },
        "annotations": {
            "summary": line(notice, Language::Chinese),
            "summary_en": line(notice, Language::English),
            "count": count.to_string(),
            "runbook_url": runbook(*kind),
        },
        "startsAt": begins,
        "endsAt": until,
        "generatorURL": link(sender, *kind, notice.province),
    })
}

fn test(letter: &Letter, sender: &Sender, now: Timestamp) -> Value {
    json!({
        "labels": { "alertname": "HubTest", "severity": "info", "origin": sender.origin },
        "annotations": {
            "summary": super::compose::subject(letter, sender),
            "summary_en": "a test: it tells of no alert",
        },
        "startsAt": now,
        "endsAt": now.saturating_add(TEST_STANDS).unwrap_or(now),
        "generatorURL": format!("{}/alerts", sender.console),
    })
}
