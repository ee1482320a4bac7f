//! What happens to the log itself, who looked at what, ([`alerts`]) who was told and did what,
//! and ([`redrive`]) what was let in again.

pub mod alerts;
pub mod redrive;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::case::event_enum;
use crate::ids::{CaseId, ProvinceCode};
use alerts::{
    AlertMessageDelivered, AlertMessageGivenUp, AlertMessagePlanned, AlertsAcknowledged,
    AlertsAssigned, AlertsSilenced, AlertsUnsilenced,
};
use redrive::{
    RedriveCancelled, RedriveConfirmed, RedriveFinished, RedriveOrdered, RedrivePaused,
    RedriveResumed, RedriveStepped,
};

/// A writer started; no older one may write any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WriterStarted {
    /// The fence epoch: grows by one with each start.
    pub epoch: u64,
    /// The hub's version.
    pub hub_version: String,
}

/// The log was restored from a copy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoredFrom {
    /// Which copy.
    pub source: String,
    /// Its last position.
    pub position: u64,
}

/// The machine's clock went back or leapt; `recorded_at` never does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockStepped {
    /// What the clock said before.
    pub before: Timestamp,
    /// What it said then.
    pub after: Timestamp,
}

/// The hub signed the head of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckpointSigned {
    /// The position it vouches for.
    pub position: u64,
    /// The signed note.
    pub note: String,
}

/// The hub and a province compared what they hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reconciled {
    /// With whom and for which day.
    pub subject: String,
    /// How many differed.
    pub differences: u64,
}

/// Somebody looked at personal data. Written before it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonalDataRead {
    /// Of which case.
    pub case: CaseId,
    /// Who.
    pub operator: String,
    /// Why.
    pub purpose: String,
}

/// Nobody can read a case's personal data any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseKeyDestroyed {
    /// Of which case.
    pub case: CaseId,
    /// Who.
    pub operator: String,
    /// Why.
    pub reason: String,
}

/// An operator did something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorActed {
    /// Who.
    pub operator: String,
    /// What, e.g. `look-up`.
    pub action: String,
    /// On what; never personal data.
    pub target: String,
}

/// A statistical report was issued: the same figures can be computed again from the same positions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatisticsIssued {
    /// `monthly`, `quarterly`, `ledger` or `publicity`.
    pub kind: String,
    /// Of which time, e.g. `2026-11` or `2026-Q4`.
    pub period: String,
    /// Of one province only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<ProvinceCode>,
    /// The revision of the definitions that the figures follow.
    pub revision: u32,
    /// Computed from the log up to here.
    pub position: u64,
    /// SHA-256 of the report as comma-separated values, hexadecimal.
    pub csv_sha256: String,
    /// Who.
    pub operator: String,
}

event_enum! {
    /// What happens to the log itself.
    KeepingEvent {
        WriterStarted = "keeping.writer-started.v1",
        RestoredFrom = "keeping.restored-from.v1",
        ClockStepped = "keeping.clock-stepped.v1",
        CheckpointSigned = "keeping.checkpoint-signed.v1",
        Reconciled = "keeping.reconciled.v1",
        PersonalDataRead = "keeping.personal-data-read.v1",
        CaseKeyDestroyed = "keeping.case-key-destroyed.v1",
        OperatorActed = "keeping.operator-acted.v1",
        AlertsAcknowledged = "keeping.alerts-acknowledged.v1",
        AlertsAssigned = "keeping.alerts-assigned.v1",
        AlertsSilenced = "keeping.alerts-silenced.v1",
        AlertsUnsilenced = "keeping.alerts-unsilenced.v1",
        AlertMessagePlanned = "keeping.alert-message-planned.v1",
        AlertMessageDelivered = "keeping.alert-message-delivered.v1",
        AlertMessageGivenUp = "keeping.alert-message-given-up.v1",
        StatisticsIssued = "keeping.statistics-issued.v1",
        RedriveOrdered = "keeping.redrive-ordered.v1",
        RedriveConfirmed = "keeping.redrive-confirmed.v1",
        RedrivePaused = "keeping.redrive-paused.v1",
        RedriveResumed = "keeping.redrive-resumed.v1",
        RedriveCancelled = "keeping.redrive-cancelled.v1",
        RedriveStepped = "keeping.redrive-stepped.v1",
        RedriveFinished = "keeping.redrive-finished.v1",
    }
}
