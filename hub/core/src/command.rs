//! What somebody wants recorded about a case. A command may be refused, and may be given twice.

use events::case::AgainGround;
use events::ids::{CaseId, CaseNumber, ProvinceCode, RequestId};
use events::proof::Digest;
use events::report::ReportMessage;
use events::vocabulary::{Category, Channel, IssuingAuthority, Item, Rating, Stage};
use events::work::WorkKind;
use jiff::Timestamp;
use jiff::civil::Date;

/// A national system hands a case in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submit {
    /// The case's id, made by the intake.
    pub case: CaseId,
    /// Its number.
    pub number: CaseNumber,
    /// The request id for the first route.
    pub request: RequestId,
    /// The national client.
    pub client: String,
    /// Its own number for the case.
    pub client_reference: Option<String>,
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
    /// Fingerprint of the body.
    pub digest: Digest,
}

/// Everything that can be asked about a case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant)] // one at a time, on its way to the registrar
pub enum Command {
    /// A national system hands it in.
    Submit(Submit),
    /// A province reports. Signature, stream and subject are already checked by the intake.
    Record {
        /// What it says.
        message: ReportMessage,
        /// The request id for a new route, if the report leads to one.
        next_request: RequestId,
    },
    /// The broker took an attempt of `work` for `request`.
    NoteForwarded {
        /// To whom.
        province: ProvinceCode,
        /// What.
        work: WorkKind,
        /// Which request.
        request: RequestId,
        /// 1, 2, 3….
        attempt: u32,
    },
    /// The province's adapter no longer holds what it signed for: it gets it again.
    AskAgain {
        /// Which province.
        province: ProvinceCode,
        /// How that is known.
        because: AgainGround,
    },
    /// An operator stops the forwarding.
    Park {
        /// Who.
        operator: String,
    },
    /// An operator lets it go on; `route_to` names another province for a case that nobody wanted.
    Release {
        /// Who.
        operator: String,
        /// Why.
        note: String,
        /// Where to, if not where it was.
        route_to: Option<ProvinceCode>,
        /// The request id for a new route.
        request: RequestId,
    },
    /// What has become overdue by the beginning of this Shanghai date?
    ObserveDate(Date),
    /// Are the due days still what the calendar says?
    Revise,
    /// The applicant sends what was missing.
    SubmitCorrection {
        /// Fingerprint of the correction.
        digest: Digest,
        /// When the applicant submitted it.
        submitted_at: Timestamp,
        /// What is asked of the province now.
        request: RequestId,
    },
    /// The applicant takes it back.
    Withdraw {
        /// When the applicant said so.
        requested_at: Timestamp,
        /// What is told to the province.
        request: RequestId,
    },
    /// The national system has the result.
    ConfirmFeedback {
        /// Which client.
        client: String,
        /// `webhook` or `feed`.
        way: String,
    },
    /// Somebody entitled explains a breach.
    ExplainBreach {
        /// Which clock.
        stage: Stage,
        /// Who.
        operator: String,
        /// What they say.
        note: String,
    },
    /// Somebody entitled writes something down.
    Note {
        /// Who.
        operator: String,
        /// What.
        note: String,
    },
    /// The applicant rates it; once.
    Rate(Rating),
    /// A complaint is filed.
    FileComplaint {
        /// The complaint's own number.
        reference: String,
        /// Where.
        channel: String,
    },
    /// A complaint is answered.
    AnswerComplaint {
        /// The complaint's own number.
        reference: String,
    },
    /// The archive has it.
    Archive {
        /// The archive's receipt.
        reference: String,
    },
}
