//! Every no that an office can hear from the desk. Each has a stable code and says what to do.

use events::ids::CaseId;

use crate::office::codes::CodeError;
use crate::outbox::ReportError;
use crate::store::{MayBeStoreError, StoreError};

/// An answer that becomes no report. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum AnswerRefusal {
    /// No work of this case ever arrived here.
    #[error("no work of case {case} ever arrived here")]
    UnknownCase {
        /// The case.
        case: CaseId,
    },
    /// The id of an answer with another content.
    #[error(
        "operation `{operation}` was another answer\n(give every answer an id of its own; only its repetition keeps the id)"
    )]
    OperationReused {
        /// The office's id.
        operation: String,
    },
    /// There is work of the case that the office has not taken.
    #[error(
        "case {case} has work that the office has not taken\n(take it first; it may change the answer)"
    )]
    WorkNotTaken {
        /// The case.
        case: CaseId,
    },
    /// The answer is about work that newer work has replaced.
    #[error("newer work of case {case} has arrived\n(answer that one)")]
    NewerWork {
        /// The case.
        case: CaseId,
    },
    /// The applicant took it back.
    #[error("the applicant has withdrawn the case\n(close the file; there is nothing to answer)")]
    CaseWithdrawn,
    /// The office has ended the case.
    #[error("the case has ended: {how}\n(a decision is issued once)")]
    CaseEnded {
        /// By which answer.
        how: &'static str,
    },
    /// The answer does not fit where the case stands.
    #[error("`{news}` does not fit: {why}")]
    OutOfOrder {
        /// The token of the answer.
        news: &'static str,
        /// Where the case stands.
        why: &'static str,
    },
    /// It was said before, and the hub refused it.
    #[error(
        "the hub has refused this report as `{code}`\n(see schemas/refusals.md; say it rightly under an id of its own)"
    )]
    RefusedByHub {
        /// The hub's code.
        code: String,
    },
    /// A value that no report may have.
    #[error("`{field}` {fault}")]
    OutOfBounds {
        /// The field.
        field: &'static str,
        /// What it must be.
        fault: &'static str,
    },
    /// A code that stands in no table.
    #[error(transparent)]
    Code(#[from] CodeError),
    /// The report could not be written.
    #[error(transparent)]
    Report(#[from] ReportError),
}

impl AnswerRefusal {
    /// The stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownCase { .. } | Self::Report(ReportError::UnknownCase { .. }) => {
                "unknown-case"
            }
            Self::OperationReused { .. } => "operation-reused",
            Self::WorkNotTaken { .. } => "work-not-taken",
            Self::NewerWork { .. } => "newer-work",
            Self::CaseWithdrawn => "case-withdrawn",
            Self::CaseEnded { .. } => "case-ended",
            Self::OutOfOrder { .. } => "out-of-order",
            Self::RefusedByHub { .. } => "refused-by-hub",
            Self::OutOfBounds { .. } => "out-of-bounds",
            Self::Code(error) => error.code(),
            Self::Report(error) => match error {
                ReportError::TextTooLong { .. } | ReportError::TooLarge { .. } => "text-too-long",
                ReportError::IdentityNumberInClear => "identity-number-in-clear",
                _ => "not-now",
            },
        }
    }

    /// Nothing is wrong with the answer: said again later it may be taken.
    pub fn is_temporary(&self) -> bool {
        self.code() == "not-now"
    }
}

impl MayBeStoreError for AnswerRefusal {
    fn store_error(&self) -> Option<&StoreError> {
        if let Self::Report(it) = self { it.store_error() } else { None }
    }
}

impl From<rusqlite::Error> for AnswerRefusal {
    fn from(source: rusqlite::Error) -> Self {
        Self::Report(source.into())
    }
}

impl From<StoreError> for AnswerRefusal {
    fn from(source: StoreError) -> Self {
        Self::Report(source.into())
    }
}
