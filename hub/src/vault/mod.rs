//! Personal data: one key a case, in a file of their own, destroyable. The log holds only what is sealed.

mod aside;
mod keys;
mod sealing;
#[cfg(test)]
mod tests;
mod wrapping;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use events::ids::{CaseId, EventId};
use events::proof::Digest;

use keys::KeyFile;
use sealing::{Maker, Reader, Shared};
use wrapping::WrappingKey;

/// Where the vault's two files are, and whose they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultConfig {
    /// The key file: wrapped keys. Back it up apart from the log, and not for long.
    pub keys_path: PathBuf,
    /// The wrapping key: 32 bytes, base64url, mode 0600. Keep a copy in safe hands.
    pub wrapping_key_path: PathBuf,
    /// The log and its environment; a key file serves one log only.
    pub origin: String,
}

/// The store of the cases' keys.
#[derive(Debug)]
pub struct Vault;

impl Vault {
    /// Opens the vault, and makes the key file on first use. There is one sealer for a log.
    pub fn open(config: VaultConfig) -> Result<(Sealer, Opener), VaultError> {
        let key = WrappingKey::read(&config.wrapping_key_path)?;
        let file = KeyFile::open(&config.keys_path, &config.origin, &key)?;
        let reading = KeyFile::open_to_read(&config.keys_path, &config.origin, &key)?;
        let shared = Shared::new(config.origin, key);
        let sealer = Maker::new(shared.clone(), file);
        Ok((Box::new(sealer), Arc::new(Reader::new(shared, reading))))
    }

    /// Opens only the reading side, e.g. beside a running hub. It may keep a key in memory for as
    /// long as it lives after another process destroyed it: keep it briefly.
    pub fn open_to_read(config: VaultConfig) -> Result<Opener, VaultError> {
        let key = WrappingKey::read(&config.wrapping_key_path)?;
        let reading = KeyFile::open_to_read(&config.keys_path, &config.origin, &key)?;
        Ok(Arc::new(Reader::new(Shared::new(config.origin, key), reading)))
    }

    /// Makes a new wrapping key, readable by this user only. Never overwrites one.
    pub fn create_wrapping_key(path: &Path) -> Result<(), VaultError> {
        WrappingKey::create(path)
    }
}

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
    /// The wrapping key's file failed, or is already there.
    #[error("cannot {what} the wrapping key")]
    WrappingKeyFile {
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Other users can read the wrapping key.
    #[error(
        "other users can read the wrapping key (`wrapping_key_file`): its mode is {mode:o}\n(make it 600)"
    )]
    WrappingKeyExposed {
        /// Its permission bits.
        mode: u32,
    },
    /// The key file belongs to another log.
    #[error("the key file belongs to the log `{origin}`")]
    AnotherLogs {
        /// Whose it is.
        origin: String,
    },
    /// A setting that safety rests on did not take, or a newer hub made the file.
    #[error("the key file does not have the setting `{name}`")]
    Setting {
        /// Which.
        name: &'static str,
    },
    /// Somebody read the key file all the time: the key is destroyed, an old copy may still lie in
    /// the write-ahead file. Destroy it again.
    #[error("the key file is being read: its write-ahead file still has the old bytes")]
    StillRead,
}

impl VaultError {
    /// There was no room: nothing was kept, and it may be tried again.
    pub fn is_full(&self) -> bool {
        let Self::Store { source, .. } = self else { return false };
        source
            .downcast_ref::<rusqlite::Error>()
            .and_then(rusqlite::Error::sqlite_error_code)
            .is_some_and(|it| it == rusqlite::ErrorCode::DiskFull)
    }
}

/// The side that seals; the registrar's thread owns it.
pub trait SealPersonal: Send {
    /// Seals `plain` for `event` of `case`; makes the case's key on first use.
    fn seal(&mut self, case: CaseId, event: EventId, plain: &[u8]) -> Result<Vec<u8>, VaultError>;
    /// Begins to make all keys made since the last call durable, beside whatever the caller does next.
    /// Nothing is known of the outcome before `make_durable` has told it.
    fn begin_durable(&mut self) {}
    /// Makes all keys made since the last call durable. Called before the log commits what they sealed.
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
    /// Whether the case had a key that was destroyed: tells that `NoKey` from one that never was.
    /// A stand-in that destroys nothing may leave this as it is.
    fn is_destroyed(&self, case: CaseId) -> Result<bool, VaultError> {
        let _ = case;
        Ok(false)
    }
    /// Keyed fingerprint of a request's bytes.
    fn fingerprint(&self, bytes: &[u8]) -> Digest;
    /// Keyed index of a value of `field`, e.g. an ID number: NFKC, upper case, no spaces.
    fn blind_index(&self, field: &str, value: &str) -> Digest;
    /// Seals bytes that belong to no case yet (quarantine) under the vault's own key.
    fn seal_stray(&self, label: &str, plain: &[u8]) -> Vec<u8>;
    /// Opens what `seal_stray` sealed.
    fn open_stray(&self, label: &str, sealed: &[u8]) -> Option<Vec<u8>>;
}

/// The one sealer.
pub type Sealer = Box<dyn SealPersonal>;
/// Shared opener.
pub type Opener = Arc<dyn OpenPersonal>;
