//! The wrapping key: 32 random bytes in a file that only the hub's user may read. All else derives from it.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use events::ids::CaseId;
use events::proof::{Digest, Hash, seal};
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use unicode_normalization::UnicodeNormalization as _;
use zeroize::Zeroizing;

use super::VaultError;

/// Longest wrapping key file that is read, in bytes: a key is 43 characters and a line end.
const FILE_BYTES_MAX: u64 = 256;
/// How long a wrapped case key is, in bytes: algorithm, nonce, key and tag.
pub(super) const WRAPPED_BYTES: usize = 1 + 12 + 32 + 16;

type Secret = Zeroizing<[u8; 32]>;

/// One key for one use, each derived from the wrapping key. Wiped when dropped.
pub(super) struct WrappingKey {
    wrap: Secret,
    fingerprint: Secret,
    blind_index: Secret,
    stray: Secret,
    check: Secret,
}

impl WrappingKey {
    /// Writes a new key; never over an old one, which would lose every case's data.
    pub(super) fn create(path: &Path) -> Result<(), VaultError> {
        let failed = |source| VaultError::WrappingKeyFile { what: "create", source };
        let key = random::<32>();
        let mut text = Zeroizing::new(BASE64.encode(*key));
        text.push('\n');
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        // The name must be as durable as the bytes: a key that a power cut takes is data lost.
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
        let folder = std::fs::File::open(folder.unwrap_or(Path::new("."))).map_err(failed)?;
        folder.sync_all().map_err(failed)
    }

    /// Reads the key; refuses one that other users may read.
    pub(super) fn read(path: &Path) -> Result<Self, VaultError> {
        let failed = |source| VaultError::WrappingKeyFile { what: "read", source };
        let file = std::fs::File::open(path).map_err(failed)?;
        let mode = file.metadata().map_err(failed)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(VaultError::WrappingKeyExposed { mode });
        }
        let mut text = Zeroizing::new(String::new());
        file.take(FILE_BYTES_MAX).read_to_string(&mut text).map_err(failed)?;
        let bytes = BASE64.decode(text.trim()).map(Zeroizing::new);
        let bytes = bytes.map_err(|_| VaultError::WrongWrappingKey)?;
        let key: [u8; 32] =
            bytes.as_slice().try_into().map_err(|_| VaultError::WrongWrappingKey)?;
        Ok(Self::of(&Zeroizing::new(key)))
    }

    fn of(key: &Secret) -> Self {
        let derive = |label| Zeroizing::new(seal::derive(key, label));
        Self {
            wrap: derive("wrap"),
            fingerprint: derive("fingerprint"),
            blind_index: derive("blind-index"),
            stray: derive("stray"),
            check: derive("check"),
        }
    }

    /// Tells this key from any other without telling anything about it.
    pub(super) fn check_value(&self) -> &[u8; 32] {
        &self.check
    }

    /// Wraps a case's key; it unwraps for this case only.
    pub(super) fn wrap(&self, case: CaseId, key: &Secret, nonce: [u8; 12]) -> Vec<u8> {
        seal::seal(&self.wrap, nonce, case.0.as_bytes(), key.as_slice())
    }

    /// Unwraps what `wrap` wrapped.
    pub(super) fn unwrap(&self, case: CaseId, wrapped: &[u8]) -> Option<Secret> {
        let key = Zeroizing::new(seal::open(&self.wrap, case.0.as_bytes(), wrapped).ok()?);
        Some(Zeroizing::new(key.as_slice().try_into().ok()?))
    }

    pub(super) fn fingerprint(&self, bytes: &[u8]) -> Digest {
        authenticate(&self.fingerprint, &[bytes])
    }

    /// The field's name is length-prefixed, so that no field's value can pass for another's.
    pub(super) fn blind_index(&self, field: &str, value: &str) -> Digest {
        let value: Zeroizing<String> = Zeroizing::new(
            value.nfkc().filter(|it| !it.is_whitespace()).flat_map(char::to_uppercase).collect(),
        );
        let length = (field.len() as u64).to_be_bytes();
        authenticate(&self.blind_index, &[&length, field.as_bytes(), value.as_bytes()])
    }

    pub(super) fn seal_stray(&self, label: &str, plain: &[u8]) -> Vec<u8> {
        seal::seal(&self.stray, *random::<12>(), label.as_bytes(), plain)
    }

    pub(super) fn open_stray(&self, label: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        seal::open(&self.stray, label.as_bytes(), sealed).ok()
    }
}

fn authenticate(key: &Secret, parts: &[&[u8]]) -> Digest {
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_slice()).expect("HMAC takes any length");
    parts.iter().for_each(|it| mac.update(it));
    Hash(mac.finalize().into_bytes().into())
}

/// Random bytes from the operating system, wiped when dropped.
pub(super) fn random<const N: usize>() -> Zeroizing<[u8; N]> {
    let mut bytes = Zeroizing::new([0; N]);
    // Without randomness nothing can be sealed: dying loudly is the only safe answer.
    getrandom::fill(bytes.as_mut_slice()).expect("the operating system gives randomness");
    bytes
}
