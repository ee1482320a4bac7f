//! What can happen to a case. Past tense; one event for one outcome; due days are stamped.
//!
//! A published event type never changes its meaning: add an optional field, or a `v2`.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

pub(crate) use crate::event_enum::event_enum;
use crate::ids::{CaseNumber, DivisionCode, ProvinceCode, ReportId, RequestId};
use crate::proof::Digest;
pub use crate::reconcile::AgainGround;
pub use crate::routing::RouteReason;
use crate::vocabulary::{
    Category, Channel, Counted, DueDay, Grade, IssuingAuthority, Item, Material, Outcome, Rating,
    Reason, Stage, SuspensionGround, is_false,
};
use crate::work::WorkKind;

/// A national system handed it in. The personal part travels sealed beside it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseSubmitted {
    /// The number a person reads out.
    pub number: CaseNumber,
    /// The national client that handed it in.
    pub client: String,
    /// The national system's own number for it, if it told one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_reference: Option<String>,
    /// Which of the five items.
    pub item: Item,
    /// Which of the three categories.
    pub category: Category,
    /// Where the driver applied.
    pub channel: Channel,
    /// Who issued the certificate: this alone decides the route.
    pub authority: IssuingAuthority,
    /// When the applicant submitted in the national system; clock 1 starts on its Shanghai date.
    pub submitted_at: Timestamp,
    /// Keyed fingerprint of the request's exact bytes; says nothing to whoever lacks the key.
    pub digest: Digest,
    /// The last day for accepting, and the papers it rests on.
    pub due: DueDay,
    /// What it was counted from; absent in events of before 2026-11-28.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counted>,
    /// It reached the hub more than a day after the applicant submitted it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub late_intake: bool,
}

/// The hub worked out which province it belongs to; again after a return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseRouted {
    /// The province of the issuing authority.
    pub province: ProvinceCode,
    /// Which rule chose it.
    pub reason: RouteReason,
    /// What is asked of the province; its reports name it.
    pub request: RequestId,
}

/// The broker took an attempt. Not a proof of anything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseForwarded {
    /// To whom.
    pub province: ProvinceCode,
    /// What was handed over.
    pub work: WorkKind,
    /// Which request.
    pub request: RequestId,
    /// 1, 2, 3…; each attempt has a message id of its own.
    pub attempt: u32,
}

/// Why nothing may be sent now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum ParkReason {
    /// A province returned it and nobody else can be named.
    ReturnedWithoutSuccessor {
        /// Who returned it.
        by: ProvinceCode,
    },
    /// Two provinces say that it is the other's.
    ReturnedInCircle {
        /// Who returned it last.
        by: ProvinceCode,
    },
    /// An operator stopped it.
    Operator {
        /// Who.
        operator: String,
    },
}

/// Nothing may be sent until an operator lets it go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseParked {
    /// Why.
    pub reason: ParkReason,
}

/// An operator let it go on; a new route may follow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseReleased {
    /// Who.
    pub operator: String,
    /// Why.
    pub note: String,
}

/// The adapter signed that it holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseDelivered {
    /// The signed receipt.
    pub report: ReportId,
    /// What it holds.
    pub work: WorkKind,
    /// Of which request.
    pub request: RequestId,
}

/// The province gets again what it had signed for: its adapter no longer holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseAskedAgain {
    /// Whom.
    pub province: ProvinceCode,
    /// Which request.
    pub request: RequestId,
    /// What.
    pub work: WorkKind,
    /// Why.
    pub because: AgainGround,
}

/// The province says it is not its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseReturned {
    /// The report.
    pub report: ReportId,
    /// Who.
    pub province: ProvinceCode,
    /// Why.
    pub reason: Reason,
    /// Where the file is now, if the province knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub division: Option<DivisionCode>,
}

/// Materials are missing: the one-time notice (行政许可法 Art. 32(4)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectionRequested {
    /// The report.
    pub report: ReportId,
    /// The complete list.
    pub missing: Vec<Material>,
    /// The last day for the applicant.
    pub until: Date,
    /// A second request on one case: the law allows one notice; kept and shown to auditors.
    #[serde(default, skip_serializing_if = "is_false")]
    pub repeated: bool,
}

/// The materials came; clock 1 starts again in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectionSubmitted {
    /// Keyed fingerprint of the correction's exact bytes.
    pub digest: Digest,
    /// When the applicant submitted it.
    pub submitted_at: Timestamp,
    /// The new last day for accepting.
    pub due: DueDay,
    /// What it was counted from; absent in events of before 2026-11-28.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counted>,
    /// What is asked of the province now.
    pub request: RequestId,
}

/// The applicant let the day pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorrectionLapsed {
    /// The day.
    pub until: Date,
}

/// The province took the case (受理).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseAccepted {
    /// The report.
    pub report: ReportId,
    /// The province's number for it.
    pub acceptance_number: String,
    /// When the province says it decided: a claim, kept and shown.
    pub decided_at: Timestamp,
    /// The last day for completing, counted from the hub's recording.
    pub due: DueDay,
    /// What it was counted from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counted>,
}

/// The province will not take the case (不予受理). The text is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseDeclined {
    /// The report.
    pub report: ReportId,
    /// Why.
    pub reason: Reason,
    /// When the province says it decided.
    pub decided_at: Timestamp,
}

/// A special procedure begins; the clock stands still.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockSuspended {
    /// The report.
    pub report: ReportId,
    /// The legal ground (行政许可法 Art. 45).
    pub ground: SuspensionGround,
    /// The Shanghai date from which days do not count.
    pub from: Date,
}

/// The special procedure ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClockResumed {
    /// The report.
    pub report: ReportId,
    /// The last day for completing now.
    pub due: DueDay,
    /// What it was counted from; absent when the day had passed before the suspension and stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<Counted>,
}

/// A calendar was published or corrected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DueDayRevised {
    /// Which clock.
    pub stage: Stage,
    /// Before.
    pub old: DueDay,
    /// Now.
    pub due: DueDay,
    /// The calendar's revision that changed it.
    pub calendar_revision: u32,
}

/// What a completed case brings the driver.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseResult {
    /// The grade, for an assessment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<Grade>,
    /// Valid until, for a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Date>,
    /// The e-certificate's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_id: Option<String>,
    /// The next assessment, for an assessment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_due: Option<Date>,
}

/// The decision is issued (办结). The text is sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseCompleted {
    /// The report.
    pub report: ReportId,
    /// Approved or denied.
    pub outcome: Outcome,
    /// The province's number for the decision.
    pub decision_number: String,
    /// When the province says it decided: a claim.
    pub decided_at: Timestamp,
    /// Why, when denied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<Reason>,
    /// What it brings.
    #[serde(default)]
    pub result: CaseResult,
}

/// The applicant took it back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseWithdrawn {
    /// When the applicant said so.
    pub requested_at: Timestamp,
    /// What is told to the province, if it has the case.
    pub request: RequestId,
}

/// The day ended and nothing was on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AcceptanceOverdue {
    /// The day.
    pub due: Date,
}

/// The day ended and no decision was on record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CompletionOverdue {
    /// The day.
    pub due: Date,
}

/// One working day after the due day (催办).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseUrged {
    /// Which clock.
    pub stage: Stage,
    /// The due day that passed.
    pub due: Date,
}

/// Five working days after the due day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeriouslyOverdue {
    /// Which clock.
    pub stage: Stage,
    /// The due day that passed.
    pub due: Date,
}

/// No one-time notice and no answer within five working days: the application counts as accepted
/// from the day it was received (行政许可法 Art. 32(4)). A legal fact beside the case's stage.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeemedAccepted {
    /// The Shanghai date from which it counts as accepted.
    pub since: Date,
    /// The last of the five working days.
    pub until: Date,
}

/// Somebody entitled explained a breach or took note of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BreachExplained {
    /// Which clock.
    pub stage: Stage,
    /// Who.
    pub operator: String,
    /// What they say.
    pub note: String,
}

/// Somebody entitled wrote something down for whoever looks next. It changes nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseNoted {
    /// Who.
    pub operator: String,
    /// What they wrote; nothing personal.
    pub note: String,
}

/// The national system confirmed the result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultFedBack {
    /// Which client.
    pub client: String,
    /// How: `webhook` or `feed`.
    pub way: String,
}

/// The province issued the certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateIssued {
    /// The report.
    pub report: ReportId,
    /// The e-certificate's id.
    pub certificate_id: String,
}

/// The applicant rated it (好差评): one rating a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseRated {
    /// The grade.
    pub rating: Rating,
}

/// A complaint was filed (12328, 司机有话说).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComplaintFiled {
    /// The complaint's own number.
    pub reference: String,
    /// Where.
    pub channel: String,
}

/// The complaint was answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ComplaintAnswered {
    /// The complaint's own number.
    pub reference: String,
}

/// The archive took it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseArchived {
    /// The archive's receipt.
    pub reference: String,
}

/// A report contradicted the story and changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportRefused {
    /// The report.
    pub report: ReportId,
    /// Its kind.
    pub kind: String,
    /// The refusal's code.
    pub code: String,
}

/// A second, different decision: kept with its signature, never applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConflictingDecision {
    /// The report.
    pub report: ReportId,
    /// Its kind.
    pub kind: String,
}

event_enum! {
    /// What can happen to a case, in the order of its life.
    CaseEvent {
        CaseSubmitted = "case.submitted.v1",
        CaseRouted = "case.routed.v1",
        CaseForwarded = "case.forwarded.v1",
        CaseParked = "case.parked.v1",
        CaseReleased = "case.released.v1",
        CaseDelivered = "case.delivered.v1",
        CaseAskedAgain = "case.asked-again.v1",
        CaseReturned = "case.returned.v1",
        CorrectionRequested = "case.correction-requested.v1",
        CorrectionSubmitted = "case.correction-submitted.v1",
        CorrectionLapsed = "case.correction-lapsed.v1",
        CaseAccepted = "case.accepted.v1",
        CaseDeclined = "case.declined.v1",
        ClockSuspended = "case.clock-suspended.v1",
        ClockResumed = "case.clock-resumed.v1",
        DueDayRevised = "case.due-day-revised.v1",
        CaseCompleted = "case.completed.v1",
        CaseWithdrawn = "case.withdrawn.v1",
        AcceptanceOverdue = "case.acceptance-overdue.v1",
        CompletionOverdue = "case.completion-overdue.v1",
        CaseUrged = "case.urged.v1",
        SeriouslyOverdue = "case.seriously-overdue.v1",
        DeemedAccepted = "case.deemed-accepted.v1",
        BreachExplained = "case.breach-explained.v1",
        CaseNoted = "case.noted.v1",
        ResultFedBack = "case.result-fed-back.v1",
        CertificateIssued = "case.certificate-issued.v1",
        CaseRated = "case.rated.v1",
        ComplaintFiled = "case.complaint-filed.v1",
        ComplaintAnswered = "case.complaint-answered.v1",
        CaseArchived = "case.archived.v1",
        ReportRefused = "case.report-refused.v1",
        ConflictingDecision = "case.conflicting-decision.v1",
    }
}

impl CaseEvent {
    /// Days passed and led to it; nobody did it. The hub says so, whoever's command made it look.
    pub fn is_of_time(&self) -> bool {
        matches!(
            self,
            Self::AcceptanceOverdue(_)
                | Self::CompletionOverdue(_)
                | Self::CaseUrged(_)
                | Self::SeriouslyOverdue(_)
                | Self::DeemedAccepted(_)
                | Self::CorrectionLapsed(_)
        )
    }
}
