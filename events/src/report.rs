//! What a province can tell us. A report is news: it may be refused, and it may be said twice.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::case::CaseResult;
use crate::ids::{CaseId, DivisionCode, ProvinceCode, RequestId};
use crate::proof::Digest;
use crate::vocabulary::{Material, Outcome, Reason, SuspensionGround};
use crate::work::WorkKind;

/// The `data` of a message `cn.gov.mot.hub.report.<kind>.v1`. The envelope's `id` is the report's id,
/// its `time` the moment the province says it happened. Signed by the province over its exact bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The log and environment of the work it answers: a test report never counts in production.
    pub origin: String,
    /// Who reports.
    pub province: ProvinceCode,
    /// Its case.
    pub case: CaseId,
    /// The request it answers, as the work named it.
    pub request: RequestId,
    /// The fingerprint in the work that it answers.
    pub digest: Digest,
    /// 1, 2, 3… within the case and province: the hub holds n+1 until n is there.
    pub number: u64,
    /// The adapter's version.
    pub adapter: String,
    /// The news.
    pub news: News,
    /// Free text for the applicant, sealed under the case's reply key; at most 8 KiB sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed_text: Option<String>,
}

impl Report {
    /// What the free text is bound to: the associated data when it is sealed under the reply key
    /// (`seal::seal`, then base64url). It does not open in another report.
    pub fn text_context(&self) -> String {
        format!("text {} {} {} {}", self.origin, self.province, self.case, self.number)
    }
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum News {
    /// The adapter holds it, durably. Not yet an answer of the office.
    Delivered {
        /// What it holds.
        work: WorkKind,
    },
    /// It is not ours.
    Returned {
        /// Why.
        reason: Reason,
        /// Where the file is now, if known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        division: Option<DivisionCode>,
    },
    /// Materials are missing: the complete list, once.
    CorrectionRequested {
        /// The complete list; at least one, at most 16.
        missing: Vec<Material>,
        /// The last day for the applicant.
        until: Date,
    },
    /// We take the case.
    Accepted {
        /// Our number for it; 1 to 64 characters.
        acceptance_number: String,
    },
    /// We will not take the case.
    Declined {
        /// Why.
        reason: Reason,
    },
    /// A special procedure begins.
    Suspended {
        /// The legal ground.
        ground: SuspensionGround,
    },
    /// The special procedure ended.
    Resumed,
    /// The decision is issued.
    Completed {
        /// Approved or denied.
        outcome: Outcome,
        /// Our number for the decision; 1 to 64 characters.
        decision_number: String,
        /// Why, when denied; at most 16.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        reasons: Vec<Reason>,
        /// What it brings.
        #[serde(default)]
        result: CaseResult,
    },
    /// The certificate is out.
    CertificateIssued {
        /// The e-certificate's id; 1 to 64 characters.
        certificate_id: String,
    },
}

impl News {
    /// The token in subjects and in `cn.gov.mot.hub.report.<token>.v1`.
    pub fn token(&self) -> &'static str {
        match self {
            Self::Delivered { .. } => "delivered",
            Self::Returned { .. } => "returned",
            Self::CorrectionRequested { .. } => "correction-requested",
            Self::Accepted { .. } => "accepted",
            Self::Declined { .. } => "declined",
            Self::Suspended { .. } => "suspended",
            Self::Resumed => "resumed",
            Self::Completed { .. } => "completed",
            Self::CertificateIssued { .. } => "certificate-issued",
        }
    }

    /// All tokens, for subjects and schemas.
    pub const TOKENS: [&'static str; 9] = [
        "delivered",
        "returned",
        "correction-requested",
        "accepted",
        "declined",
        "suspended",
        "resumed",
        "completed",
        "certificate-issued",
    ];
}

/// A report as it was read from its CloudEvents envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportMessage {
    /// The report's id.
    pub id: crate::ids::ReportId,
    /// When the province says it happened.
    pub occurred_at: Timestamp,
    /// What it says.
    pub report: Report,
}
