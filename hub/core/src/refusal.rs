//! Every no of the hub, with its stable code. Each has a paragraph in `schemas/refusals.md`.

use events::ids::ProvinceCode;

/// An expected no. Nothing is recorded, or only that it was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No such case.
    #[error("no such case")]
    UnknownCase,
    /// A case with this id is already there and is another one.
    #[error("a case with this id is already recorded")]
    CaseExists,
    /// The idempotency key was used for another body.
    #[error("the idempotency key was used for another request")]
    IdempotencyKeyReused,
    /// The same person already has an open case for the same item and category.
    #[error("an open case for the same person and item exists")]
    DuplicateApplication,
    /// The authority is in no list and has no division code.
    #[error("the issuing authority is not in the list and has no division code")]
    UnknownAuthority,
    /// The division code never existed, or lies outside the 32 connected units.
    #[error("the division code is unknown or outside the connected provinces")]
    UnknownDivision,
    /// Submitted in the future.
    #[error("submitted_at lies in the future")]
    SubmittedInFuture,
    /// Submitted longer ago than any case may be.
    #[error("submitted_at is too long ago")]
    SubmittedTooLongAgo,
    /// The report's predecessor is not there yet: it is held, not lost.
    #[error("report {number} came before report {expected}")]
    ReportTooEarly {
        /// What came.
        number: u64,
        /// What is missing.
        expected: u64,
    },
    /// The case is not this province's now.
    #[error("the case is not with province {province}")]
    NotYourCase {
        /// Who said it.
        province: ProvinceCode,
    },
    /// The report answers a request that is no longer the last one.
    #[error("the report answers an older request")]
    StaleRequest,
    /// The report names another fingerprint than the case has.
    #[error("the report's digest is not the request's")]
    WrongDigest,
    /// Another report already has this number.
    #[error("another report has this number")]
    NumberReused,
    /// The story does not allow it now, e.g. a completion before acceptance.
    #[error("the story does not allow it now")]
    OutOfOrder,
    /// The case has ended.
    #[error("the case has ended")]
    CaseEnded,
    /// A second, different decision.
    #[error("another decision is on record")]
    ConflictingDecision,
    /// The province says it happened in the future or before the submission.
    #[error("the moment told by the province is impossible")]
    ImpossibleMoment,
    /// A field breaks its bounds.
    #[error("`{field}` is out of bounds")]
    OutOfBounds {
        /// Which.
        field: &'static str,
    },
    /// Nothing to release, resume, confirm or explain.
    #[error("there is nothing to do that to")]
    NothingToDo,
    /// The province is not enrolled.
    #[error("the province is not enrolled")]
    ProvinceNotEnrolled,
    /// A key with this name is already registered.
    #[error("a key with this id is already registered")]
    KeyExists,
    /// No such key.
    #[error("no such key")]
    UnknownKey,
    /// No such re-drive.
    #[error("no such re-drive")]
    UnknownRedrive,
    /// Whoever ordered it cannot be the one who confirms it.
    #[error("somebody else than who ordered it must confirm it")]
    SecondPersonNeeded,
    /// It is over.
    #[error("the re-drive has ended")]
    RedriveEnded,
    /// Too many are open.
    #[error("too many re-drives are open")]
    TooManyRedrives,
    /// The same adapter has told the month later than this.
    #[error("a newer statement of this month is on record")]
    StatementSuperseded,
    /// The month was told too often.
    #[error("the month has been told too often")]
    TooManyStatements,
    /// The calendar contradicts itself or covers other dates than its year.
    #[error("the calendar is not usable: {why}")]
    BadCalendar {
        /// What is wrong, without any value from outside.
        why: &'static str,
    },
}

impl Refusal {
    /// The stable code: in answers, log lines, receipts and `schemas/refusals.md`.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownCase => "unknown-case",
            Self::CaseExists => "case-exists",
            Self::IdempotencyKeyReused => "idempotency-key-reused",
            Self::DuplicateApplication => "duplicate-application",
            Self::UnknownAuthority => "unknown-authority",
            Self::UnknownDivision => "unknown-division",
            Self::SubmittedInFuture => "submitted-in-future",
            Self::SubmittedTooLongAgo => "submitted-too-long-ago",
            Self::ReportTooEarly { .. } => "report-too-early",
            Self::NotYourCase { .. } => "not-your-case",
            Self::StaleRequest => "stale-request",
            Self::WrongDigest => "wrong-digest",
            Self::NumberReused => "number-reused",
            Self::OutOfOrder => "out-of-order",
            Self::CaseEnded => "case-ended",
            Self::ConflictingDecision => "conflicting-decision",
            Self::ImpossibleMoment => "impossible-moment",
            Self::OutOfBounds { .. } => "out-of-bounds",
            Self::NothingToDo => "nothing-to-do",
            Self::ProvinceNotEnrolled => "province-not-enrolled",
            Self::KeyExists => "key-exists",
            Self::UnknownKey => "unknown-key",
            Self::UnknownRedrive => "unknown-redrive",
            Self::SecondPersonNeeded => "second-person-needed",
            Self::RedriveEnded => "redrive-ended",
            Self::TooManyRedrives => "too-many-redrives",
            Self::StatementSuperseded => "statement-superseded",
            Self::TooManyStatements => "too-many-statements",
            Self::BadCalendar { .. } => "bad-calendar",
        }
    }
}
