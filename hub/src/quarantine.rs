//! Every message that is not understood: kept (sealed), counted, shown; none is dropped, none applied.

use jiff::Timestamp;

/// Something that could not be taken in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stray {
    /// When.
    pub at: Timestamp,
    /// From where: `province:22`, `national:<client>`.
    pub source: String,
    /// The subject or path it came by; never personal data.
    pub subject: String,
    /// The stable reason, e.g. `unreadable`, `wrong-signature`; in `schemas/refusals.md`.
    pub reason: String,
    /// What came, sealed by the vault.
    pub sealed: Vec<u8>,
}

/// Why a stray could not be kept: then the message must not be acknowledged.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} the quarantine")]
pub struct QuarantineError {
    what: &'static str,
    #[source]
    source: Box<dyn std::error::Error + Send + Sync>,
}

/// The store of strays: a SQLite file of its own, bounded in rows and bytes a source.
#[derive(Clone)]
pub struct Quarantine {}

impl Quarantine {
    /// Keeps strays durably. Beyond the bound of a source only the count grows, and it is said so.
    pub fn keep(&self, strays: &[Stray]) -> Result<(), QuarantineError> {
        let _ = strays;
        todo!()
    }
    /// How many came, by source and reason.
    pub fn counts(&self) -> Result<Vec<(String, String, u64)>, QuarantineError> {
        todo!()
    }
    /// The latest, newest first, without what came.
    pub fn latest(&self, count_max: usize) -> Result<Vec<(u64, Stray)>, QuarantineError> {
        let _ = count_max;
        todo!()
    }
}
