//! The rows that the views keep, as whoever reads them gets them. No personal data in any.

use events::envelope::Position;
use events::ids::{CaseId, CaseNumber, ProvinceCode, RequestId};
use events::vocabulary::{AlertKind, Category, Channel, DueDay, Item, Outcome, Reason, Stage};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::views::acts::Acts;

/// Where a case stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CaseStage {
    /// Recorded, not yet delivered.
    Submitted,
    /// The province's adapter holds it.
    Delivered,
    /// The applicant must send something.
    AwaitingCorrection,
    /// The province took it.
    Accepted,
    /// The clock stands still.
    Suspended,
    /// An operator must look.
    Parked,
    /// Ended: completed (see the outcome).
    Completed,
    /// Ended: 不予受理.
    Declined,
    /// Ended: withdrawn.
    Withdrawn,
    /// Ended: the correction never came.
    Lapsed,
}

impl CaseStage {
    /// The stable code.
    pub fn code(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Delivered => "delivered",
            Self::AwaitingCorrection => "awaiting-correction",
            Self::Accepted => "accepted",
            Self::Suspended => "suspended",
            Self::Parked => "parked",
            Self::Completed => "completed",
            Self::Declined => "declined",
            Self::Withdrawn => "withdrawn",
            Self::Lapsed => "lapsed",
        }
    }
    /// All of them, in the order of a case's life.
    pub const ALL: [Self; 10] = [
        Self::Submitted,
        Self::Delivered,
        Self::AwaitingCorrection,
        Self::Accepted,
        Self::Suspended,
        Self::Parked,
        Self::Completed,
        Self::Declined,
        Self::Withdrawn,
        Self::Lapsed,
    ];
    /// The one with this code.
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.code() == code)
    }
    /// Nothing more is expected of the province.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Completed | Self::Declined | Self::Withdrawn | Self::Lapsed)
    }
}

/// One case in the status view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseRow {
    pub case: CaseId,
    pub number: CaseNumber,
    pub client: String,
    pub client_reference: Option<String>,
    pub item: Item,
    pub category: Category,
    pub channel: Channel,
    pub authority_name: String,
    pub province: Option<ProvinceCode>,
    pub stage: CaseStage,
    pub outcome: Option<Outcome>,
    pub reason: Option<Reason>,
    pub submitted_at: Timestamp,
    pub recorded_at: Timestamp,
    pub forwarded_at: Option<Timestamp>,
    pub delivered_at: Option<Timestamp>,
    pub accepted_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    /// What the province claims, kept beside the hub's own moment.
    pub claimed_accepted_at: Option<Timestamp>,
    pub claimed_ended_at: Option<Timestamp>,
    pub acceptance_due: DueDay,
    pub completion_due: Option<DueDay>,
    pub attempts: u32,
    pub acceptance_overdue: bool,
    pub completion_overdue: bool,
    pub urged: bool,
    pub seriously_overdue: bool,
    pub deemed_accepted: bool,
    pub conflicts: u32,
    pub fed_back: bool,
    pub late_intake: bool,
    /// The last event that changed the row.
    pub position: Position,
}

impl CaseRow {
    /// The day that counts now: of completion once accepted, of acceptance before; none when it has
    /// ended or while the clock stands still.
    pub fn due_now(&self) -> Option<&DueDay> {
        let stands = matches!(self.stage, CaseStage::AwaitingCorrection | CaseStage::Suspended);
        if self.stage.has_ended() || stands {
            return None;
        }
        self.completion_due.as_ref().or(Some(&self.acceptance_due))
    }
}

/// Something a province has not signed for yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    pub waiting: hub_core::plan::Waiting,
    /// Since when.
    pub since: Timestamp,
}

/// An open deadline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DueRow {
    pub case: CaseId,
    pub province: Option<ProvinceCode>,
    pub stage: Stage,
    /// The Shanghai date that the count started from.
    pub from: Date,
    /// How many working days are counted from there, if the story tells; else the standard's.
    pub working_days: Option<u32>,
    pub due: DueDay,
    pub overdue: bool,
    pub urged: bool,
    pub serious: bool,
    pub deemed: bool,
    /// The office has said something; then the case is never deemed accepted.
    pub answered: bool,
}

/// An open correction whose day may lapse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LapseRow {
    pub case: CaseId,
    pub until: Date,
}

/// What the national system has not confirmed yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedbackRow {
    pub case: CaseId,
    pub client: String,
    /// The event that ended the case.
    pub position: Position,
    pub ended_at: Timestamp,
}

/// One alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertRow {
    pub position: Position,
    pub kind: AlertKind,
    pub case: CaseId,
    pub number: CaseNumber,
    pub province: Option<ProvinceCode>,
    pub stage: Option<Stage>,
    pub due: Option<Date>,
    pub raised_at: Timestamp,
    /// When it ceased to be so: the breach stays on record.
    pub ended_at: Option<Timestamp>,
    /// Who held the case when the day ended.
    pub blame: Option<Blame>,
    /// What people did about it.
    pub acts: Acts,
}

/// Where the time went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Blame {
    /// Between recording and the first forwarding, or late intake.
    Hub,
    /// Forwarded, not delivered.
    Transit,
    /// Decided in time, recorded late.
    Adapter,
    /// The office had it.
    Desk,
    /// The applicant had to correct.
    Applicant,
}

/// One province in the league table.
#[derive(Debug, Clone, PartialEq)]
pub struct ProvinceRow {
    pub province: ProvinceCode,
    /// Cases routed here first: over all provinces, each case once.
    pub received: u64,
    /// Routings here after another province had the case.
    pub moved_in: u64,
    pub open: u64,
    pub waiting_delivery: u64,
    pub accepted: u64,
    pub declined: u64,
    pub completed_approved: u64,
    pub completed_denied: u64,
    pub corrections: u64,
    pub returned: u64,
    pub on_time: u64,
    pub reported_late: u64,
    pub overdue: u64,
    pub conflicts: u64,
    pub median_hours: Option<f64>,
    pub top_reasons: Vec<(Reason, u64)>,
    /// When the adapter was last heard: any report recorded.
    pub last_heard_at: Option<Timestamp>,
    pub blame: Vec<(Blame, u64)>,
}

/// Which request of a case waits for what; the router's key.
pub type OutboxKey = (CaseId, RequestId);

/// All standing alerts of one cause in one province.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertGroup {
    pub kind: AlertKind,
    pub province: Option<ProvinceCode>,
    pub count: u64,
    /// When the first of them was raised, if it is known.
    pub oldest: Option<Timestamp>,
    /// Of these, how many somebody has acknowledged one by one.
    pub acknowledged: u64,
    /// Of these, how many are silenced one by one now.
    pub silenced: u64,
}

impl AlertGroup {
    /// A group of which nothing was done one by one.
    pub fn untouched(
        kind: AlertKind,
        province: Option<ProvinceCode>,
        count: u64,
        oldest: Option<Timestamp>,
    ) -> Self {
        Self { kind, province, count, oldest, acknowledged: 0, silenced: 0 }
    }
}

/// What presses now in one province, or of what no province has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pressure {
    /// Nothing: returned by its province, and not routed on yet.
    pub province: Option<ProvinceCode>,
    /// Cases that have not ended.
    pub open: u64,
    /// Of these, those due today or on the next working day and not overdue.
    pub soon: u64,
    /// Of these, those past a due day.
    pub overdue: u64,
    /// Sent ten minutes ago or longer, and never signed for.
    pub silent: u64,
}

impl Pressure {
    /// Nothing presses.
    pub fn none(province: Option<ProvinceCode>) -> Self {
        Self { province, open: 0, soon: 0, overdue: 0, silent: 0 }
    }
}

/// How long the oldest work for one province has waited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waited {
    pub province: ProvinceCode,
    /// When the oldest work without a signed receipt was first sent.
    pub unsigned_since: Option<Timestamp>,
    /// When the oldest work that was never sent came up.
    pub unsent_since: Option<Timestamp>,
}
