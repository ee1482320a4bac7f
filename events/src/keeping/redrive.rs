//! What waits for a person is let in again: ordered by one, confirmed by another above a bound, item by item.
//!
//! An item is named by a number that grows: the position at which a case was parked, or the number
//! of a message in the quarantine. Items are taken in that order, so that how far a re-drive has
//! come is one number, and the log alone says what is left.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{CaseId, ProvinceCode, RedriveId};

/// What waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RedriveOf {
    /// Cases that nothing may be sent of until an operator lets them go on.
    ParkedCases,
    /// Reports that could not be taken in.
    QuarantinedReports,
}

impl RedriveOf {
    /// Both.
    pub const ALL: [Self; 2] = [Self::ParkedCases, Self::QuarantinedReports];

    /// The word, as on the wire.
    pub fn code(self) -> &'static str {
        match self {
            Self::ParkedCases => "parked-cases",
            Self::QuarantinedReports => "quarantined-reports",
        }
    }

    /// From its word.
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.code() == code)
    }
}

/// Which ones: a group, or some of it. What came after `until` is not among them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedriveSelection {
    /// Of what.
    pub of: RedriveOf,
    /// Of which province.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<ProvinceCode>,
    /// For which reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// Not before then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// The last item that there was when it was ordered.
    pub until: u64,
    /// Only these; empty means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub only: Vec<u64>,
}

/// Somebody ordered it. Written before anything is let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedriveOrdered {
    /// Its id; what it leads to names it as its cause.
    pub redrive: RedriveId,
    /// Who.
    pub operator: String,
    /// Why.
    pub reason: String,
    /// Which ones.
    pub selection: RedriveSelection,
    /// How many there were then.
    pub count: u64,
    /// How many a minute.
    pub per_minute: u32,
    /// For parked cases that their province returned: where they go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_to: Option<ProvinceCode>,
    /// Nothing happens before somebody else confirms it.
    pub needs_second: bool,
}

/// A second person confirmed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedriveConfirmed {
    /// Which.
    pub redrive: RedriveId,
    /// Who.
    pub operator: String,
}

/// Somebody stopped it for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedrivePaused {
    /// Which.
    pub redrive: RedriveId,
    /// Who.
    pub operator: String,
}

/// Somebody let it go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedriveResumed {
    /// Which.
    pub redrive: RedriveId,
    /// Who.
    pub operator: String,
}

/// Somebody ended it before its time. What was let in stays so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedriveCancelled {
    /// Which.
    pub redrive: RedriveId,
    /// Who.
    pub operator: String,
}

/// What became of one item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RedriveOutcome {
    /// The case goes on.
    Released,
    /// The case was not parked any more.
    NotParked,
    /// The report is on record.
    Taken,
    /// The rules said no: the case stays parked, or the report is on record as refused.
    Refused,
    /// The report is no better than before and stays in quarantine.
    Back,
}

impl RedriveOutcome {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Released, Self::NotParked, Self::Taken, Self::Refused, Self::Back];

    /// The word, as on the wire.
    pub fn code(self) -> &'static str {
        match self {
            Self::Released => "released",
            Self::NotParked => "not-parked",
            Self::Taken => "taken",
            Self::Refused => "refused",
            Self::Back => "back",
        }
    }
}

/// One item was let in again, and this became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedriveStepped {
    /// Of which re-drive.
    pub redrive: RedriveId,
    /// Which.
    pub item: u64,
    /// The case, if it is a parked one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    /// What became of it.
    pub outcome: RedriveOutcome,
    /// The code of the refusal, or why it went back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

/// Nothing is left of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedriveFinished {
    /// Which.
    pub redrive: RedriveId,
}
