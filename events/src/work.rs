//! What the hub hands to a province, and the receipt it gives for a report.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::ids::{CaseId, CaseNumber, ProvinceCode, ReportId, RequestId};
use crate::proof::{Digest, Hash};
use crate::vocabulary::{Category, Channel, DueDay, IssuingAuthority, Item};

/// What is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkKind {
    /// A new case, or one that another province returned.
    Case,
    /// The materials that were missing.
    Correction,
    /// The applicant took it back.
    Withdrawal,
}

impl WorkKind {
    /// The token in subjects and the `cn.gov.mot.hub.work.<token>.v1` type.
    pub fn token(self) -> &'static str {
        match self {
            Self::Case => "case",
            Self::Correction => "correction",
            Self::Withdrawal => "withdrawal",
        }
    }
}

/// The `data` of a message `cn.gov.mot.hub.work.<kind>.v1`. Signed by the hub over its exact bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// The log and environment it comes from; a report repeats it.
    pub origin: String,
    /// Whom it is for.
    pub province: ProvinceCode,
    /// What it is.
    pub kind: WorkKind,
    /// The case.
    pub case: CaseId,
    /// The number a person reads out.
    pub number: CaseNumber,
    /// What a report must name.
    pub request: RequestId,
    /// Keyed fingerprint of what the applicant sent; a report repeats it.
    pub digest: Digest,
    /// The writer's epoch: an adapter refuses lower ones than it has seen.
    pub epoch: u64,
    /// Which item.
    pub item: Item,
    /// Which category.
    pub category: Category,
    /// Where the driver applied.
    pub channel: Channel,
    /// Who issued the certificate.
    pub authority: IssuingAuthority,
    /// When the applicant submitted.
    pub submitted_at: Timestamp,
    /// The last day for accepting.
    pub due: DueDay,
    /// The number that the province's next report of the case must have: for an adapter that lost
    /// count. Told with every attempt; an older hub does not tell it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_report_number: Option<u64>,
    /// The personal part (`PersonalPart` as JSON), sealed to the province's key. Absent for a withdrawal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<crate::proof::seal::SealedTo>,
}

impl Work {
    /// What the personal part is bound to when it is sealed to the province: the associated data of
    /// `seal::seal_to` and `seal::open_with`. A sealed part moved to another case does not open.
    pub fn seal_context(&self) -> String {
        format!(
            "work {} {} {} {} {}",
            self.origin,
            self.province,
            self.kind.token(),
            self.case,
            self.request
        )
    }
}

/// What only the province may read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PersonalPart {
    /// The key under which the province seals its free texts back, base64url, 32 bytes.
    pub reply_key: String,
    /// The applicant and the materials, exactly as the national system sent them.
    pub applicant: serde_json::Value,
}

impl std::fmt::Debug for PersonalPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PersonalPart(sealed)")
    }
}

/// The hub has this report in its log, or has refused it for good: stop sending it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportReceipt {
    /// The report.
    pub report: ReportId,
    /// Its case.
    pub case: CaseId,
    /// Where it stands in the log, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// The chain hash there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash>,
    /// The refusal's code, if it was refused. The report is kept either way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// After a refusal: the number that the province's next report of the case must have. A refusal
    /// without a position uses up no number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_number: Option<u64>,
}

/// The hub has this statement of publicity, or has refused it for good: stop sending it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatementReceipt {
    /// The statement's id.
    pub statement: Uuid,
    /// Where it stands in the log; absent if it was refused, or said what was on record already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// The chain hash there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash>,
    /// The refusal's code, if it was refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Anything that a province may stop sending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// A report of a case.
    Report(ReportReceipt),
    /// A statement of publicity.
    Statement(StatementReceipt),
}

/// The `data` of `cn.gov.mot.hub.receipts.v1`: many receipts under one signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipts {
    /// The log and environment.
    pub origin: String,
    /// Whom they are for.
    pub province: ProvinceCode,
    /// The writer's epoch.
    pub epoch: u64,
    /// The receipts; at most `subjects::RECEIPTS_A_MESSAGE_MAX`, statements among them.
    pub receipts: Vec<ReportReceipt>,
    /// The same for statements of publicity; only who sends such gets any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<StatementReceipt>,
}

/// The signed answer to a submission: what was recorded, where, and until when it is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmissionReceipt {
    /// The log and environment.
    pub origin: String,
    /// The case.
    pub case_id: CaseId,
    /// The number a person reads out.
    pub case_number: CaseNumber,
    /// Where `CaseSubmitted` stands.
    pub position: u64,
    /// The chain hash there.
    pub hash: Hash,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// The province it belongs to.
    pub province: ProvinceCode,
    /// The last day for accepting, its papers, provisional or not.
    pub acceptance_due: DueDay,
    /// Keyed fingerprint of the request.
    pub digest: Digest,
}
