//! Personal data: one key a case, in a file of their own, destroyable. The log holds only what is sealed.

use std::sync::Arc;

use events::ids::{CaseId, EventId};
use events::proof::Digest;

/// Why the vault cannot answer.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The case's key was destroyed, or never was.
    #[error("there is no key for case {case}")]
    NoKey {
        /// Which.
        case: CaseId,
    },
    /// The seal does not open: moved to another event, changed, or another vault's.
    #[error("the sealed part of case {case} does not open")]
    DoesNotOpen {
        /// Which.
        case: CaseId,
    },
    /// The key file failed.
    #[error("cannot {what} the key file")]
    Store {
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The wrapping key is not the one that this key file was made with, or cannot be read.
    #[error("the wrapping key does not fit this key file")]
    WrongWrappingKey,
}

/// The side that seals; the registrar's thread owns it.
pub trait SealPersonal: Send {
    /// Seals `plain` for `event` of `case`; makes the case's key on first use.
    fn seal(&mut self, case: CaseId, event: EventId, plain: &[u8]) -> Result<Vec<u8>, VaultError>;
    /// Makes all keys made since the last call durable. Called before the log's append.
    fn make_durable(&mut self) -> Result<(), VaultError>;
    /// Destroys a case's key, for good and durably. A second time: nothing.
    fn destroy(&mut self, case: CaseId) -> Result<(), VaultError>;
}

/// The side that opens; shared by whoever is entitled.
pub trait OpenPersonal: Send + Sync {
    /// Opens what was sealed for `event` of `case`.
    fn open(&self, case: CaseId, event: EventId, sealed: &[u8]) -> Result<Vec<u8>, VaultError>;
    /// The key under which a province seals its texts for this case (derived from the case's key).
    fn reply_key(&self, case: CaseId) -> Result<[u8; 32], VaultError>;
    /// Keyed fingerprint of a request's bytes.
    fn fingerprint(&self, bytes: &[u8]) -> Digest;
    /// Keyed index of a value of `field`, e.g. an ID number: NFKC, upper case, no spaces.
    fn blind_index(&self, field: &str, value: &str) -> Digest;
    /// Seals bytes that belong to no case yet (quarantine) under the vault's own key.
    fn seal_stray(&self, label: &str, plain: &[u8]) -> Vec<u8>;
    /// Opens what `seal_stray` sealed.
    fn open_stray(&self, label: &str, sealed: &[u8]) -> Option<Vec<u8>>;
}

/// Shared opener.
pub type Opener = Arc<dyn OpenPersonal>;
