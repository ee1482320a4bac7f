//! What the views can be asked. Each answer names the log position that it is as of.

use events::envelope::Position;
use events::ids::{CaseId, CaseNumber, ProvinceCode};
use events::vocabulary::{Category, Channel, Item};
use jiff::Timestamp;
use jiff::civil::Date;

use crate::views::rows::{
    AlertKind, AlertRow, CaseRow, CaseStage, DueRow, FeedbackRow, LapseRow, OutboxRow, ProvinceRow,
};

/// Why a view cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The file failed.
    #[error("cannot {what} the view `{view}`")]
    Store {
        what: &'static str,
        view: &'static str,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The log could not be read.
    #[error("cannot read the log for the views")]
    Log(#[source] crate::log::ReadError),
    /// An event that this program's views were not told about: stop rather than skip.
    #[error("no view knows what to do with position {position}")]
    UnknownEvent { position: Position },
    /// The views know more than the log: another log's, or a restored one.
    #[error("the views are at {views}, the log at {log}: rebuild them")]
    AheadOfLog { views: Position, log: Position },
}

/// What a list of cases is narrowed to. Absent means any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CaseFilter {
    pub province: Option<ProvinceCode>,
    pub stage: Option<CaseStage>,
    pub item: Option<Item>,
    pub category: Option<Category>,
    pub channel: Option<Channel>,
    pub client: Option<String>,
    pub open: Option<bool>,
    pub overdue: Option<bool>,
    pub due_before: Option<Date>,
}

/// A page of a list: the rows, and where the next page begins (`None`: this was the last).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub next: Option<u64>,
    pub as_of: Position,
}

/// How many rows a page has at most.
pub const PAGE_ROWS_MAX: usize = 500;

/// Reads the views; cheap to clone; each call takes a pooled read-only connection for a moment.
#[derive(Debug, Clone)]
pub struct ViewReader {}

impl ViewReader {
    /// How far the views have read.
    pub fn position(&self) -> Result<Position, ViewError> {
        todo!()
    }
    pub fn case(&self, id: CaseId) -> Result<Option<CaseRow>, ViewError> {
        let _ = id;
        todo!()
    }
    pub fn case_by_number(&self, number: &CaseNumber) -> Result<Option<CaseRow>, ViewError> {
        let _ = number;
        todo!()
    }
    /// Newest first by position of submission; `after` is a `Page::next`.
    pub fn cases(
        &self,
        filter: &CaseFilter,
        after: Option<u64>,
        count_max: usize,
    ) -> Result<Page<CaseRow>, ViewError> {
        let _ = (filter, after, count_max);
        todo!()
    }
    /// Cases whose applicant has this blind index in `field` (`identity`, `certificate`).
    pub fn cases_by_index(
        &self,
        field: &str,
        index: &events::proof::Digest,
    ) -> Result<Vec<CaseId>, ViewError> {
        let _ = (field, index);
        todo!()
    }
    /// What must still be delivered, oldest first.
    pub fn outbox(&self, count_max: usize) -> Result<Vec<OutboxRow>, ViewError> {
        let _ = count_max;
        todo!()
    }
    /// Open deadlines whose day lies before `date`.
    pub fn due_before(
        &self,
        date: Date,
        after: Option<CaseId>,
        count_max: usize,
    ) -> Result<Vec<DueRow>, ViewError> {
        let _ = (date, after, count_max);
        todo!()
    }
    /// All open deadlines, in pages by case: for revising after a calendar was published.
    pub fn open_dues(
        &self,
        after: Option<CaseId>,
        count_max: usize,
    ) -> Result<Vec<DueRow>, ViewError> {
        let _ = (after, count_max);
        todo!()
    }
    /// Corrections whose last day lies before `date`.
    pub fn lapsing_before(&self, date: Date, count_max: usize) -> Result<Vec<LapseRow>, ViewError> {
        let _ = (date, count_max);
        todo!()
    }
    /// Results that a client has not confirmed, oldest first.
    pub fn feedback(
        &self,
        client: Option<&str>,
        after: Position,
        count_max: usize,
    ) -> Result<Vec<FeedbackRow>, ViewError> {
        let _ = (client, after, count_max);
        todo!()
    }
    /// Recorded alerts, newest first, plus (on the first page) those that are told when asked: due soon as of
    /// `today` and its next working day `soon`, nothing came back as of `now`.
    pub fn alerts(
        &self,
        kind: Option<AlertKind>,
        open_only: bool,
        after: Option<u64>,
        count_max: usize,
        now: Timestamp,
        soon: Date,
    ) -> Result<Page<AlertRow>, ViewError> {
        let _ = (kind, open_only, after, count_max, now, soon);
        todo!()
    }
    /// The league table, by code.
    pub fn provinces(&self) -> Result<Vec<ProvinceRow>, ViewError> {
        todo!()
    }
}
