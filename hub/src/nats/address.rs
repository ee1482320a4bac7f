//! Where the broker listens, and who vouches for it.

use std::fs;
use std::path::{Path, PathBuf};

use events::authority::{AUTHORITY_BYTES_MAX, AuthorityFault, certificates};

/// The broker as its callers know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerAddress {
    /// e.g. `nats://127.0.0.1:4222`, `tls://nats.hub.example:4222`.
    pub url: String,
    /// Certificates that count for it, in PEM; without them those of the system do.
    pub ca_file: Option<PathBuf>,
}

impl BrokerAddress {
    /// Whether a broker that speaks in clear is refused. Certificates alone already say so: whoever stands
    /// between could otherwise just leave the TLS out.
    pub fn wants_tls(&self) -> bool {
        self.ca_file.is_some() || self.url.starts_with("tls://")
    }
}

impl From<&str> for BrokerAddress {
    /// In clear unless the address says `tls://`, and with the system's certificates.
    fn from(url: &str) -> Self {
        Self { url: url.to_owned(), ca_file: None }
    }
}

impl std::fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.url)
    }
}

/// Why certificates of the broker are not usable.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// Not there, or not readable.
    #[error("cannot read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Not what it should be.
    #[error("`{}` is not usable", path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: AuthorityFault,
    },
}

/// The certificates in a file, and nothing else that stands there.
pub fn read_authority(path: &Path) -> Result<String, AuthorityError> {
    let unreadable = |source| AuthorityError::Unreadable { path: path.to_owned(), source };
    let unusable = |source| AuthorityError::Unusable { path: path.to_owned(), source };
    if fs::metadata(path).map_err(unreadable)?.len() > AUTHORITY_BYTES_MAX as u64 {
        return Err(unusable(AuthorityFault::TooLong));
    }
    certificates(&fs::read_to_string(path).map_err(unreadable)?).map_err(unusable)
}
