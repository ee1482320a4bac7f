//! What a caller over HTTP hears when a room below cannot answer. Said once, logged once.

use crate::log::ReadError;
use crate::problem::{Problem, RETRY_AFTER_BUSY_S, RETRY_AFTER_STOPPED_S};
use crate::quarantine::QuarantineError;
use crate::registrar::Unavailable;
use crate::views::reader::ViewError;

impl From<Unavailable> for Problem {
    fn from(why: Unavailable) -> Self {
        match why {
            Unavailable::Busy => Self::new("busy").retry_after(RETRY_AFTER_BUSY_S),
            Unavailable::Full => Self::new("full").retry_after(RETRY_AFTER_STOPPED_S),
            Unavailable::Stopped => Self::new("stopped").retry_after(RETRY_AFTER_STOPPED_S),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        unreadable(&error, "the log")
    }
}

impl From<ViewError> for Problem {
    fn from(error: ViewError) -> Self {
        unreadable(&error, "the views")
    }
}

impl From<QuarantineError> for Problem {
    fn from(error: QuarantineError) -> Self {
        unreadable(&error, "the quarantine")
    }
}

fn unreadable(error: &(dyn std::error::Error + 'static), what: &str) -> Problem {
    tracing::error!(error, "cannot read {what} for a caller");
    Problem::new("unreadable").retry_after(RETRY_AFTER_STOPPED_S)
}
