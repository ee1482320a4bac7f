//! Who may speak: keys made, kept in files nobody else can read, and never printed.
//!
//! A province has three: an nkey to reach the broker, an Ed25519 key to sign reports, an X25519 key
//! that cases are sealed to. The private halves belong on the province's own machine; the hub makes
//! them only for the demo and for tests.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::SigningKey;
use events::ids::ProvinceCode;
use events::proof::{seal, signature};
use zeroize::Zeroizing;

/// The file with the nkey seed of a connection.
pub const NKEY_FILE: &str = "nkey.seed";
/// The file with the Ed25519 seed that signs: 32 bytes, base64url.
pub const SIGN_FILE: &str = "sign.key";
/// The file with the X25519 private key that opens seals, base64url.
pub const SEAL_FILE: &str = "seal.key";
/// Longest key file that is read, in bytes.
const KEY_FILE_BYTES_MAX: u64 = 1024;

/// Why a key cannot be made, kept or read. Never holds key material.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The machine gave no randomness.
    #[error("cannot draw randomness for a key")]
    Randomness(#[source] getrandom::Error),
    /// Not written; an existing file is never overwritten.
    #[error("cannot write the key file {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Not read.
    #[error("cannot read the key file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Others could have read or replaced it.
    #[error("the key file {} has mode {mode:o}\n(wanted: 600; then make a new key, this one may be known)", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// Not a key of this kind.
    #[error("the key file {} does not hold {expected}", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
        /// What it should hold.
        expected: &'static str,
    },
}

/// An nkey of a broker user. Its seed appears in no debug output.
#[derive(Clone)]
pub struct UserKey {
    seed: Zeroizing<String>,
    public: String,
}

impl UserKey {
    /// A fresh one.
    pub fn generate() -> Result<Self, KeyError> {
        let raw = random()?;
        let pair = nkeys::KeyPair::new_from_raw(nkeys::KeyPairType::User, *raw)
            .expect("32 bytes are a seed");
        Ok(Self::of(&pair))
    }

    /// The one in `path`.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let seed = read_secret(path)?;
        let wrong = || KeyError::NotAKey { path: path.into(), expected: "an nkey seed of a user" };
        let pair = nkeys::KeyPair::from_seed(&seed).map_err(|_| wrong())?;
        if !matches!(pair.key_pair_type(), nkeys::KeyPairType::User) {
            return Err(wrong());
        }
        Ok(Self::of(&pair))
    }

    /// Another one that follows from this one, for `purpose`: it needs no file of its own.
    pub fn derived(&self, purpose: &str) -> Self {
        let mut raw = Zeroizing::new([0; 32]);
        hkdf::Hkdf::<sha2::Sha256>::new(Some(b"hub user key"), self.seed.as_bytes())
            .expand(purpose.as_bytes(), &mut *raw)
            .expect("32 bytes can be expanded");
        let pair = nkeys::KeyPair::new_from_raw(nkeys::KeyPairType::User, *raw)
            .expect("32 bytes are a seed");
        Self::of(&pair)
    }

    fn of(pair: &nkeys::KeyPair) -> Self {
        let seed = pair.seed().expect("a pair made from a seed has it");
        Self { seed: Zeroizing::new(seed), public: pair.public_key() }
    }

    /// The public key, as the broker's configuration names the user.
    pub fn public(&self) -> &str {
        &self.public
    }

    /// The secret, for the connection only.
    pub fn seed(&self) -> &str {
        &self.seed
    }
}

impl fmt::Debug for UserKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "UserKey({})", self.public)
    }
}

/// The three keys of one province.
pub struct ProvinceKeys {
    /// Reaches the broker.
    pub user: UserKey,
    /// Signs reports.
    pub sign: SigningKey,
    seal_private: Zeroizing<String>,
    seal_public: String,
}

impl ProvinceKeys {
    /// Three fresh keys.
    pub fn generate() -> Result<Self, KeyError> {
        let sign = SigningKey::from_bytes(&*random()?);
        let (seal_private, seal_public) = seal::key_pair(&*random()?);
        let seal_private = Zeroizing::new(seal_private);
        Ok(Self { user: UserKey::generate()?, sign, seal_private, seal_public })
    }

    /// Writes the three files into `folder`, which is made if missing. Existing files are refused.
    pub fn write_to(&self, folder: &Path) -> Result<(), KeyError> {
        private_folder(folder)?;
        write_secret(&folder.join(NKEY_FILE), self.user.seed())?;
        let sign = Zeroizing::new(BASE64.encode(self.sign.as_bytes()));
        write_secret(&folder.join(SIGN_FILE), &sign)?;
        write_secret(&folder.join(SEAL_FILE), &self.seal_private)
    }

    /// Reads what `write_to` wrote; refuses files that others may read.
    pub fn read_from(folder: &Path) -> Result<Self, KeyError> {
        let user = UserKey::read(&folder.join(NKEY_FILE))?;
        let sign = read_signing_key(&folder.join(SIGN_FILE))?;
        let path = folder.join(SEAL_FILE);
        let seal_private = read_secret(&path)?;
        let seal_public = seal::public_of(&seal_private)
            .map_err(|_| KeyError::NotAKey { path, expected: "an X25519 private key" })?;
        Ok(Self { user, sign, seal_private, seal_public })
    }

    /// The public key that checks this province's reports, base64url, as it is registered.
    pub fn sign_public(&self) -> String {
        signature::public_key_text(&self.sign.verifying_key())
    }

    /// The public key that cases are sealed to, base64url, as it is registered.
    pub fn seal_public(&self) -> &str {
        &self.seal_public
    }

    /// The private key that opens seals.
    pub fn seal_private(&self) -> &str {
        &self.seal_private
    }
}

impl fmt::Debug for ProvinceKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProvinceKeys({})", self.user.public)
    }
}

/// `22-sign-1`: how a province's nth signing key is called.
pub fn sign_key_id(province: ProvinceCode, nth: u32) -> String {
    format!("{province}-sign-{nth}")
}

/// `22-seal-1`: how a province's nth sealing key is called.
pub fn seal_key_id(province: ProvinceCode, nth: u32) -> String {
    format!("{province}-seal-{nth}")
}

/// The Ed25519 key whose seed `path` holds, base64url. The hub's own signing key is kept like this too.
pub fn read_signing_key(path: &Path) -> Result<SigningKey, KeyError> {
    let text = read_secret(path)?;
    let wrong = || KeyError::NotAKey { path: path.into(), expected: "an Ed25519 seed" };
    let bytes = Zeroizing::new(BASE64.decode(text.as_bytes()).map_err(|_| wrong())?);
    let seed: Zeroizing<[u8; 32]> =
        Zeroizing::new(bytes.as_slice().try_into().map_err(|_| wrong())?);
    Ok(SigningKey::from_bytes(&seed))
}

/// A folder that only its owner enters; made if missing.
pub fn private_folder(folder: &Path) -> Result<(), KeyError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| KeyError::Write { path: folder.into(), source })
}

/// Writes `secret` and a line end into a new file of mode 600, durably. Never overwrites.
pub fn write_secret(path: &Path, secret: &str) -> Result<(), KeyError> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(secret.as_bytes())?;
        file.write_all(b"\n")?;
        file.sync_all()
    };
    write().map_err(|source| KeyError::Write { path: path.into(), source })
}

/// Reads a secret back, without the line end; refuses a file with any bit for group or others.
pub fn read_secret(path: &Path) -> Result<Zeroizing<String>, KeyError> {
    let failed = |source| KeyError::Read { path: path.into(), source };
    let file = fs::metadata(path).map_err(failed)?;
    let mode = file.mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(KeyError::OpenToOthers { path: path.into(), mode });
    }
    if !file.is_file() || file.len() > KEY_FILE_BYTES_MAX {
        return Err(KeyError::NotAKey { path: path.into(), expected: "a key" });
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(failed)?);
    Ok(Zeroizing::new(text.trim_end().to_owned()))
}

fn random() -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(KeyError::Randomness)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keys_come_back_from_their_files_as_they_went() {
        let folder = tempfile::tempdir().unwrap();
        let keys = ProvinceKeys::generate().unwrap();
        keys.write_to(folder.path()).unwrap();
        let read = ProvinceKeys::read_from(folder.path()).unwrap();
        assert_eq!(read.user.public(), keys.user.public());
        assert_eq!(read.sign_public(), keys.sign_public());
        assert_eq!(read.seal_public(), keys.seal_public());
        assert_eq!(read.seal_private(), keys.seal_private());
    }

    #[test]
    fn a_key_file_is_made_for_its_owner_only_and_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let keys = ProvinceKeys::generate().unwrap();
        keys.write_to(folder.path()).unwrap();
        for name in [NKEY_FILE, SIGN_FILE, SEAL_FILE] {
            let mode = fs::metadata(folder.path().join(name)).unwrap().mode() & 0o7777;
            assert_eq!(mode, 0o600, "{name}");
        }
        assert!(matches!(keys.write_to(folder.path()), Err(KeyError::Write { .. })));
    }

    #[test]
    fn a_key_file_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        ProvinceKeys::generate().unwrap().write_to(folder.path()).unwrap();
        for name in [NKEY_FILE, SIGN_FILE, SEAL_FILE] {
            let path = folder.path().join(name);
            fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
            let refused = ProvinceKeys::read_from(folder.path());
            assert!(matches!(refused, Err(KeyError::OpenToOthers { mode: 0o640, .. })), "{name}");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }

    #[test]
    fn what_is_not_a_key_is_refused_without_being_repeated() {
        let folder = tempfile::tempdir().unwrap();
        for name in [NKEY_FILE, SIGN_FILE, SEAL_FILE] {
            write_secret(&folder.path().join(name), "canary-secret").unwrap();
        }
        let errors = [
            UserKey::read(&folder.path().join(NKEY_FILE)).unwrap_err(),
            read_signing_key(&folder.path().join(SIGN_FILE)).unwrap_err(),
        ];
        for error in errors {
            assert!(matches!(error, KeyError::NotAKey { .. }));
            assert!(!format!("{error} {error:?}").contains("canary"));
        }
    }

    #[test]
    fn no_secret_shows_in_debug_output() {
        let keys = ProvinceKeys::generate().unwrap();
        let shown = format!("{keys:?} {:?}", keys.user);
        assert!(!shown.contains(keys.user.seed()) && !shown.contains(keys.seal_private()));
    }
}
