//! Who this adapter is: its province, the log it belongs to, its keys and the hub's.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::{SigningKey, VerifyingKey};
use events::ids::ProvinceCode;
use events::proof::seal;
use events::proof::signature::{self, Purpose, SignatureError};
use events::work::{PersonalPart, Work};

/// A key file that cannot be used. Its content is never repeated.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read.
    #[error("cannot read the key file `{path}`", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// It is not 32 bytes in base64url.
    #[error("`{path}` is not a key: 32 bytes in base64url without padding", path = path.display())]
    Shape {
        /// The file.
        path: PathBuf,
    },
    /// The system gives no randomness.
    #[error("cannot draw randomness for a key")]
    Randomness,
}

/// Everything that signing, checking and opening need.
pub struct Identity {
    /// The province that this adapter speaks for.
    pub province: ProvinceCode,
    /// The log and environment whose work counts.
    pub origin: String,
    /// Signs the reports.
    pub sign_key: SigningKey,
    /// Its registered id.
    pub sign_key_id: String,
    /// Opens the personal parts: X25519, base64url.
    pub seal_key: String,
    /// Its registered id.
    pub seal_key_id: String,
    /// Where keys of other names lie: work that was sealed before a rotation, or after it, opens too.
    pub other_seal_keys: OtherSealKeys,
    /// The hub's key.
    pub hub_key: VerifyingKey,
    /// The hub's key's id.
    pub hub_key_id: String,
}

/// Sealing keys before and after the configured one: `<key id>.key` in the folder of that one. Looked
/// for when a message names it, so that a rotation needs no moment at which all must agree.
#[derive(Debug, Default)]
pub struct OtherSealKeys {
    folder: Option<PathBuf>,
    read: Mutex<BTreeMap<String, String>>,
}

impl OtherSealKeys {
    /// Those beside `file`.
    pub fn beside(file: &Path) -> Self {
        Self { folder: file.parent().map(Path::to_owned), read: Mutex::default() }
    }

    fn find(&self, key_id: &str) -> Option<String> {
        // The hub signed this name, and still it must not lead out of the folder.
        let plain = key_id.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
        let folder = self.folder.as_deref().filter(|_| plain)?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = read.get(key_id) {
            return Some(known.clone());
        }
        let key = BASE64.encode(read_key(&folder.join(format!("{key_id}.key"))).ok()?);
        read.insert(key_id.to_owned(), key.clone());
        Some(key)
    }
}

/// Why a message does not count as the hub's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HubSignatureError {
    /// The hub has a new key, or this adapter the wrong one: somebody must look.
    #[error("signed with a key that this adapter does not know")]
    UnknownKey,
    /// It does not fit.
    #[error("the signature does not count")]
    Wrong(#[source] SignatureError),
}

/// A personal part that cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Sealed in a way that this version does not know, e.g. a later SM2/SM4 profile.
    #[error("the personal part is sealed by an algorithm that this version does not know")]
    UnknownAlgorithm,
    /// Sealed to a key that is not among this adapter's key files.
    #[error("the personal part is sealed to a key that this adapter does not have")]
    UnknownKey,
    /// Sealed to another key than it says, or changed on the way.
    #[error("the personal part does not open with this adapter's key")]
    DoesNotOpen,
    /// Opened, and it is not a personal part.
    #[error("the opened part is not a personal part")]
    Unreadable,
}

impl Identity {
    /// Did the hub sign these bytes for a province, and with the key that this adapter knows? A
    /// signature that names another key is told apart from one that does not fit.
    pub(crate) fn check_hub(&self, jws: &str, bytes: &[u8]) -> Result<(), HubSignatureError> {
        if signature::key_id(jws).map_err(HubSignatureError::Wrong)? != self.hub_key_id {
            return Err(HubSignatureError::UnknownKey);
        }
        signature::verify(&self.hub_key, Purpose::ToProvince, jws, bytes)
            .map_err(HubSignatureError::Wrong)
    }

    /// The signature under a report.
    pub(crate) fn sign_report(&self, bytes: &[u8]) -> String {
        signature::sign(&self.sign_key, &self.sign_key_id, Purpose::Report, bytes)
    }

    /// The signature to send a kept report with. One by an earlier key is made anew over the same
    /// bytes: that key may have been revoked since, and the hub would not hear the report.
    pub(crate) fn current_signature(&self, bytes: &[u8], kept: &str) -> String {
        match signature::key_id(kept) {
            Ok(key_id) if key_id == self.sign_key_id => kept.to_owned(),
            _ => self.sign_report(bytes),
        }
    }

    /// The personal part of `work`; nothing if it has none.
    pub(crate) fn open(&self, work: &Work) -> Result<Option<PersonalPart>, OpenError> {
        let Some(sealed) = &work.sealed else { return Ok(None) };
        if sealed.algorithm != seal::HPKE_X25519 {
            return Err(OpenError::UnknownAlgorithm);
        }
        let key = if sealed.key_id == self.seal_key_id {
            self.seal_key.clone()
        } else {
            self.other_seal_keys.find(&sealed.key_id).ok_or(OpenError::UnknownKey)?
        };
        let context = work.seal_context();
        let plain = seal::open_with(&key, context.as_bytes(), sealed)
            .map_err(|_| OpenError::DoesNotOpen)?;
        serde_json::from_slice(&plain).map(Some).map_err(|_| OpenError::Unreadable)
    }

    /// Seals what must be kept but may hold anything, to this adapter's own key.
    pub(crate) fn seal_to_self(&self, randomness: &[u8; 32], bytes: &[u8]) -> Option<String> {
        let public = seal::public_of(&self.seal_key).ok()?;
        let sealed =
            seal::seal_to(&public, &self.seal_key_id, randomness, b"refused", bytes).ok()?;
        serde_json::to_string(&sealed).ok()
    }
}

/// 32 bytes in base64url without padding on one line, as every key file here is written.
pub fn read_key(path: &Path) -> Result<[u8; 32], KeyError> {
    let text = read_text(path)?;
    let shape = || KeyError::Shape { path: path.to_owned() };
    let bytes = BASE64.decode(text.trim()).map_err(|_| shape())?;
    bytes.try_into().map_err(|_| shape())
}

/// The text of a secret's file.
pub fn read_text(path: &Path) -> Result<String, KeyError> {
    std::fs::read_to_string(path).map_err(|source| KeyError::Read { path: path.to_owned(), source })
}

/// A fresh pair of keys as texts: what goes into the files, and what the hub registers.
pub struct Generated {
    /// Content of `sign_key_file`.
    pub sign_private: String,
    /// What the hub registers for signatures.
    pub sign_public: String,
    /// Content of `seal_key_file`.
    pub seal_private: String,
    /// What the hub registers for seals.
    pub seal_public: String,
}

/// Draws a signing and a sealing key for a province.
pub fn generate() -> Result<Generated, KeyError> {
    let seed = randomness()?;
    let (seal_private, seal_public) = seal::key_pair(&randomness()?);
    let sign_key = SigningKey::from_bytes(&seed);
    Ok(Generated {
        sign_private: BASE64.encode(seed),
        sign_public: signature::public_key_text(&sign_key.verifying_key()),
        seal_private,
        seal_public,
    })
}

/// Bytes that nobody can guess.
pub(crate) fn randomness<const N: usize>() -> Result<[u8; N], KeyError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| KeyError::Randomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_keys_are_what_the_key_files_hold() {
        let folder = tempfile::tempdir().unwrap();
        let keys = generate().unwrap();
        let path = folder.path().join("sign.key");
        std::fs::write(&path, format!("{}\n", keys.sign_private)).unwrap();
        let key = SigningKey::from_bytes(&read_key(&path).unwrap());
        assert_eq!(signature::public_key_text(&key.verifying_key()), keys.sign_public);
        assert_eq!(seal::public_of(&keys.seal_private).unwrap(), keys.seal_public);
    }

    fn identity(folder: &Path) -> Identity {
        Identity {
            province: "22".parse().unwrap(),
            origin: "hub.test/one".into(),
            sign_key: SigningKey::from_bytes(&[2; 32]),
            sign_key_id: "22-sign-2".into(),
            seal_key: seal::key_pair(&[2; 32]).0,
            seal_key_id: "22-seal-2".into(),
            other_seal_keys: OtherSealKeys::beside(&folder.join("22-seal-2.key")),
            hub_key: SigningKey::from_bytes(&[7; 32]).verifying_key(),
            hub_key_id: "hub-1".into(),
        }
    }

    #[test]
    fn a_key_before_or_after_the_configured_one_is_found_in_its_folder_and_nowhere_else() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("keys");
        std::fs::create_dir(&inner).unwrap();
        let (old, _) = seal::key_pair(&[1; 32]);
        let identity = identity(&inner);
        assert_eq!(identity.other_seal_keys.find("22-seal-1"), None);
        // It may come while the adapter runs.
        std::fs::write(inner.join("22-seal-1.key"), &old).unwrap();
        std::fs::write(folder.path().join("x.key"), &old).unwrap();
        assert_eq!(identity.other_seal_keys.find("22-seal-1"), Some(old));
        assert_eq!(identity.other_seal_keys.find("../x"), None);
    }

    #[test]
    fn a_report_that_an_earlier_key_signed_goes_out_with_the_one_that_counts() {
        let folder = tempfile::tempdir().unwrap();
        let identity = identity(folder.path());
        let old = SigningKey::from_bytes(&[1; 32]);
        let kept = signature::sign(&old, "22-sign-1", Purpose::Report, b"report");
        let sent = identity.current_signature(b"report", &kept);
        let now = identity.sign_key.verifying_key();
        assert_eq!(signature::verify(&now, Purpose::Report, &sent, b"report"), Ok(()));
        assert_eq!(identity.current_signature(b"report", &sent), sent, "its own stays as it is");
    }

    #[test]
    fn a_key_file_that_is_no_key_is_named_without_its_content() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sign.key");
        std::fs::write(&path, "hunter2").unwrap();
        let text = read_key(&path).unwrap_err().to_string();
        assert!(text.contains("sign.key") && !text.contains("hunter2"), "{text}");
    }
}
