//! The one trait that a province implements. Everything else is the adapter's business.

use std::future::Future;

use events::work::Work;
use serde_json::Value;

pub mod codes;
pub mod desk;
mod fate;
pub mod folder;
mod hours;
pub mod http;
mod ledger;
mod news;
pub mod obedient;
mod plan;
mod plans;
pub mod pull;
pub mod settings;
mod sheet;
pub mod simulated;
pub mod table;

/// Work for the office, with the personal part opened.
#[derive(Clone)]
pub struct TakenWork {
    /// The order, as the hub signed it.
    pub work: Work,
    /// The applicant and the materials as the national system sent them; nothing for a withdrawal.
    pub applicant: Option<Value>,
}

impl std::fmt::Debug for TakenWork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The applicant is left out: this must be safe to log.
        f.debug_struct("TakenWork").field("work", &self.work).finish_non_exhaustive()
    }
}

/// The office cannot take it now; it is asked again later, for ever.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the office cannot take it now: {reason}")]
pub struct TakeError {
    /// Why, for the log: never personal data.
    pub reason: String,
}

impl TakeError {
    /// Not now, because of `reason`.
    pub fn not_now(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

/// A province's own system.
pub trait OfficeSystem: Send + Sync {
    /// Takes the work in. Called again with the same case, request and kind after a crash: must
    /// answer the same and must not open a second file. On `Ok` the office answers for it.
    fn take(&self, work: TakenWork) -> impl Future<Output = Result<(), TakeError>> + Send;

    /// The office fetches its work itself, so that none is handed over; `pull` does.
    fn fetches(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod rehearsal;
#[cfg(test)]
mod tests;
