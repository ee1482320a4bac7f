//! What a case's state is made of. Readable by everybody, changed only by `evolve`.

use events::case::CaseResult;
use events::ids::{ProvinceCode, ReportId, RequestId};
use events::proof::Digest;
use events::vocabulary::{DueDay, Material, Outcome, Reason, SuspensionGround};
use events::work::WorkKind;
use jiff::Timestamp;
use jiff::civil::Date;

/// How far a case has come. The last four are ends; nothing leads out of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CaseStage {
    /// The province has to accept, decline, return or ask for a correction.
    Submitted,
    /// The applicant has to send what is missing; clock 1 stands still.
    AwaitingCorrection,
    /// The province has to decide.
    Accepted,
    /// The decision is issued (办结), approved or denied.
    Completed,
    /// The province did not take it (不予受理).
    Declined,
    /// The applicant took it back.
    Withdrawn,
    /// The applicant let the day for the correction pass.
    CorrectionLapsed,
}

/// What was asked of a province: one routing, one correction or one withdrawal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Its id; reports name it.
    pub id: RequestId,
    /// Whom.
    pub province: ProvinceCode,
    /// What.
    pub work: WorkKind,
    /// The fingerprint of what the applicant had sent last when it was made.
    pub digest: Digest,
    /// The highest attempt that the broker took.
    pub attempts: u32,
    /// The adapter signed that it holds it.
    pub delivered: bool,
    /// The office has acted on it, so that nothing of it needs sending.
    pub answered: bool,
    /// The adapter lost it and gets it again: how many attempts there were when that was found.
    pub again_after: Option<u32>,
}

impl Request {
    /// The province holds it, as far as is known.
    pub fn is_held(&self) -> bool {
        (self.delivered || self.answered) && self.again_after.is_none()
    }
}

/// One of the two clocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clock {
    /// The Shanghai date from which it counts, itself excluded. Absent where the story does not tell.
    pub counted_from: Option<Date>,
    /// How many working days, if the story tells.
    pub working_days: Option<u32>,
    /// The stamped due day.
    pub due: DueDay,
    /// The day passed and it was noted.
    pub overdue: bool,
    /// Urging was noted.
    pub urged: bool,
    /// Being seriously overdue was noted.
    pub seriously_overdue: bool,
}

/// The one-time notice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Correction {
    /// The complete list.
    pub missing: Vec<Material>,
    /// The applicant's last day.
    pub until: Date,
    /// It was not the first notice.
    pub repeated: bool,
}

/// The acceptance on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acceptance {
    /// The report.
    pub report: ReportId,
    /// The province's number.
    pub number: String,
    /// When the province says it decided.
    pub decided_at: Timestamp,
}

/// A special procedure that is running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// The legal ground.
    pub ground: SuspensionGround,
    /// The first day that does not count.
    pub from: Date,
}

/// The decision that ended a case.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // each field is that of its event
pub enum Decision {
    /// 办结
    Completed { report: ReportId, outcome: Outcome, number: String, result: CaseResult },
    /// 不予受理
    Declined { report: ReportId, reason: Reason },
}

/// A report that is on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What it said: a token of `News`.
    pub kind: String,
    /// Why it changed nothing, if it did not.
    pub refused: Option<String>,
}

impl CaseStage {
    /// Nothing leads out of it. Late facts are still recorded.
    pub fn is_end(self) -> bool {
        match self {
            Self::Submitted | Self::AwaitingCorrection | Self::Accepted => false,
            Self::Completed | Self::Declined | Self::Withdrawn | Self::CorrectionLapsed => true,
        }
    }
}

impl Clock {
    /// A clock that was just started or started again.
    pub(crate) fn started(
        counted_from: Option<Date>,
        working_days: Option<u32>,
        due: DueDay,
    ) -> Self {
        Self {
            counted_from,
            working_days,
            due,
            overdue: false,
            urged: false,
            seriously_overdue: false,
        }
    }
}
