//! What a national system is told when a case has ended, by webhook or by feed, until it confirms.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::case::CaseResult;
use crate::ids::{CaseId, CaseNumber, ProvinceCode};
use crate::vocabulary::{Category, DueDay, Item, Reason};

/// How a case ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// 办结, granted.
    Approved,
    /// 办结, denied.
    Denied,
    /// 不予受理.
    Declined,
    /// The applicant took it back.
    Withdrawn,
    /// The applicant let the day for the correction pass.
    CorrectionLapsed,
}

impl Ending {
    /// The token in `cn.gov.mot.hub.feedback.<token>.v1`.
    pub fn token(self) -> &'static str {
        match self {
            Self::Approved => "approved",
            Self::Denied => "denied",
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
            Self::CorrectionLapsed => "correction-lapsed",
        }
    }
}

/// Whether a due day was met. The hub's recording judges; the province's own moment is a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Timeliness {
    /// Recorded by the end of the due day.
    OnTime,
    /// Decided by the end of the due day, as the province says; recorded later.
    ReportedLate,
    /// Neither.
    Overdue,
}

/// One clock of a case that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockVerdict {
    /// The last day, as stamped.
    pub due: DueDay,
    /// Whether it was met.
    pub verdict: Timeliness,
}

/// The `data` of `cn.gov.mot.hub.feedback.<ending>.v1`. The envelope's id is the id of the event that
/// ended the case: the same again is the same.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// The log and environment.
    pub origin: String,
    /// The case.
    pub case: CaseId,
    /// The number a person reads out.
    pub number: CaseNumber,
    /// The national system's own number, if it told one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_reference: Option<String>,
    /// Which item.
    pub item: Item,
    /// Which category.
    pub category: Category,
    /// Whose case it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub province: Option<ProvinceCode>,
    /// How it ended.
    pub ending: Ending,
    /// The province's number for the case, if it took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance_number: Option<String>,
    /// The province's number for the decision, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision_number: Option<String>,
    /// Why, when denied or declined.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// What it brings.
    #[serde(default)]
    pub result: CaseResult,
    /// Clock 1, if a province answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acceptance: Option<ClockVerdict>,
    /// Clock 2, if it was decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub completion: Option<ClockVerdict>,
    /// When the hub recorded the end.
    pub recorded_at: Timestamp,
    /// Where the end stands in the log.
    pub position: u64,
    /// The province's words to the applicant; only over a road that nobody else reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

impl std::fmt::Debug for Feedback {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Feedback({}, {})", self.number, self.ending.token())
    }
}
