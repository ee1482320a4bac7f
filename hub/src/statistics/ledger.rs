//! The problem ledger (问题台账): every breach of a period, who held the case, what was said about it, how it stands.

use std::collections::{BTreeMap, HashMap};

use events::envelope::Position;
use events::ids::{CaseId, CaseNumber, ProvinceCode};
use events::vocabulary::{Item, Stage};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::views::rows::Blame;

/// Most entries that one ledger lists; more are counted and said.
pub const ENTRIES_MAX: usize = 50_000;

/// What kind of breach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Problem {
    /// The day ended and nothing was on record, or it was decided late.
    Overdue(Stage),
    /// Decided in time, recorded late.
    ReportedLate(Stage),
    /// Neither notice nor answer within five working days.
    DeemedAccepted,
    /// The province says it is not its own.
    Returned,
    /// A second, different decision.
    Conflict,
    /// A second notice on one case.
    RepeatedCorrection,
    /// A report that contradicts the story.
    ReportRefused,
    /// A complaint.
    Complaint,
}

impl Problem {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Overdue(Stage::Acceptance),
        Self::Overdue(Stage::Completion),
        Self::ReportedLate(Stage::Acceptance),
        Self::ReportedLate(Stage::Completion),
        Self::DeemedAccepted,
        Self::Returned,
        Self::Conflict,
        Self::RepeatedCorrection,
        Self::ReportRefused,
        Self::Complaint,
    ];

    /// Stable code, Chinese, English.
    pub fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Overdue(Stage::Acceptance) => {
                ("acceptance-overdue", "受理超期", "acceptance overdue")
            }
            Self::Overdue(Stage::Completion) => {
                ("completion-overdue", "办结超期", "completion overdue")
            }
            Self::ReportedLate(Stage::Acceptance) => {
                ("acceptance-late", "受理迟报", "acceptance reported late")
            }
            Self::ReportedLate(Stage::Completion) => {
                ("completion-late", "办结迟报", "completion reported late")
            }
            Self::DeemedAccepted => ("deemed-accepted", "视为受理", "deemed accepted"),
            Self::Returned => ("returned", "退回", "returned"),
            Self::Conflict => ("conflict", "矛盾决定", "conflicting decision"),
            Self::RepeatedCorrection => ("repeated", "重复补正告知", "repeated correction"),
            Self::ReportRefused => ("refused", "拒收报告", "report refused"),
            Self::Complaint => ("complaint", "投诉", "complaint"),
        }
    }

    /// Which clock it is about.
    fn stage(self) -> Option<Stage> {
        match self {
            Self::Overdue(stage) | Self::ReportedLate(stage) => Some(stage),
            Self::DeemedAccepted => Some(Stage::Acceptance),
            _ => None,
        }
    }
}

/// How an entry stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Standing {
    /// It is still so.
    Open,
    /// What was missing came.
    Mended,
    /// A fact that cannot be mended; it stays.
    Noted,
}

impl Standing {
    /// Chinese, English.
    pub fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Open => ("未了结", "open"),
            Self::Mended => ("已了结", "mended"),
            Self::Noted => ("留存", "on record"),
        }
    }
}

/// What somebody entitled said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// Who.
    pub operator: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub note: String,
}

/// One breach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The event that it rests on.
    pub position: Position,
    /// What.
    pub problem: Problem,
    /// Which case.
    pub number: CaseNumber,
    /// Who had it.
    pub province: Option<ProvinceCode>,
    /// What was applied for.
    pub item: Item,
    /// When it was recorded.
    pub at: Timestamp,
    /// The day that was missed.
    pub due: Option<Date>,
    /// Who held the case.
    pub blame: Option<Blame>,
    /// What it says besides: a reason, a reference, a refusal's code.
    pub detail: String,
    /// How it stands.
    pub standing: Standing,
    /// When it was mended.
    pub mended_at: Option<Timestamp>,
    /// The latest word on it.
    pub explanation: Option<Explanation>,
}

/// The breaches of one period, as far as the log has been read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ledger {
    entries: BTreeMap<Position, Entry>,
    of_case: HashMap<CaseId, Vec<Position>>,
    /// Entries that there was no room for.
    pub left_out: u64,
}

impl Ledger {
    /// In the order of the log.
    pub fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.entries.values()
    }

    pub(super) fn add(&mut self, case: CaseId, entry: Entry) {
        if self.entries.len() >= ENTRIES_MAX {
            self.left_out += 1;
            return;
        }
        self.of_case.entry(case).or_default().push(entry.position);
        self.entries.insert(entry.position, entry);
    }

    /// The entries of a case that `which` picks.
    fn each(&mut self, case: CaseId, mut change: impl FnMut(&mut Entry)) {
        let Self { entries, of_case, .. } = self;
        for position in of_case.get(&case).into_iter().flatten() {
            if let Some(entry) = entries.get_mut(position) {
                change(entry);
            }
        }
    }

    pub(super) fn explain(&mut self, case: CaseId, stage: Stage, said: &Explanation) {
        self.each(case, |it| {
            if it.problem.stage().is_none_or(|of| of == stage) {
                it.explanation = Some(said.clone());
            }
        });
    }

    /// What was missing came: every open entry of the kind is mended.
    pub(super) fn mend(&mut self, case: CaseId, at: Timestamp, which: impl Fn(Problem) -> bool) {
        self.each(case, |it| {
            if it.standing == Standing::Open && which(it.problem) {
                it.standing = Standing::Mended;
                it.mended_at = Some(at);
            }
        });
    }

    /// The breach that was counted turns out to be one of reporting.
    pub(super) fn turns_out_late(&mut self, case: CaseId, stage: Stage) {
        self.each(case, |it| {
            if it.problem == Problem::Overdue(stage) {
                it.problem = Problem::ReportedLate(stage);
                it.blame = Some(Blame::Adapter);
            }
        });
    }
}
