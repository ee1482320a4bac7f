//! What people did about alerts, and what people were told of them.
//!
//! An act is about all standing alerts of a cause in a province, or about one alert. A message is
//! planned first, under an id that never changes, and then brought by each carrier for itself.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{CaseId, ProvinceCode};
use crate::vocabulary::{AlertKind, Stage};

/// Which alerts: without a case, all of the kind in the province (or in none).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct AlertScope {
    /// The cause.
    pub kind: AlertKind,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<ProvinceCode>,
    /// Only the alert of this case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    /// Of this clock of the case, if the alert is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<Stage>,
}

/// Somebody has seen them and looks after them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertsAcknowledged {
    /// Which.
    pub scope: AlertScope,
    /// Who.
    pub operator: String,
    /// What is known or done about it.
    pub note: String,
}

/// Somebody shall look after them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertsAssigned {
    /// Which.
    pub scope: AlertScope,
    /// Who said so.
    pub operator: String,
    /// The account that shall.
    pub to: String,
}

/// Nobody is told of them for a while. They stay in sight.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertsSilenced {
    /// Which.
    pub scope: AlertScope,
    /// Who.
    pub operator: String,
    /// Then it ends by itself.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

/// The silence ended before its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertsUnsilenced {
    /// Which.
    pub scope: AlertScope,
    /// Who.
    pub operator: String,
}

/// Why people are told of a group of alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NoticeWhy {
    /// There were none.
    First,
    /// There are many more than last told.
    Grown,
    /// They still stand.
    Reminder,
    /// There are none any more.
    Resolved,
}

/// What is told of one group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertNotice {
    /// The cause.
    pub kind: AlertKind,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<ProvinceCode>,
    /// How many stand.
    pub count: u64,
    /// Why it is told.
    pub why: NoticeWhy,
    /// Since when people know of it: the first message's moment.
    pub since: Timestamp,
}

/// People are to be told. Written before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertMessagePlanned {
    /// Its id with every carrier and at every try.
    pub message: Uuid,
    /// What it says.
    pub notices: Vec<AlertNotice>,
    /// Who shall bring it, e.g. `webhook-duty`.
    pub carriers: Vec<String>,
    /// It was the last that the hourly bound allowed: no further one before then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quiet_until: Option<Timestamp>,
}

/// The other end has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertMessageDelivered {
    /// Which.
    pub message: Uuid,
    /// By whom.
    pub carrier: String,
    /// How many tries since the hub started.
    pub attempts: u32,
}

/// A carrier stopped trying.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertMessageGivenUp {
    /// Which.
    pub message: Uuid,
    /// By whom.
    pub carrier: String,
    /// How many tries since the hub started.
    pub attempts: u32,
    /// The stable reason: `refused`, `unreachable`, `timed-out`, `too-late` or `carrier-removed`.
    pub reason: String,
}
