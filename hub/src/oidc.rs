//! Signing in by somebody else's word: OpenID Connect, authorization code with PKCE, state and nonce. Who the
//! provider says somebody is becomes a name of ours; what they may do comes from the configuration alone.
//!
//! Local accounts go on as they are. The protocol itself is in `protocol`, built with the feature `oidc`.

#[cfg(feature = "oidc")]
mod claims;
#[cfg(feature = "oidc")]
mod protocol;
mod settings;

use crate::accounts::Account;
#[cfg(not(feature = "oidc"))]
use crate::problem::Problem;

#[cfg(feature = "oidc")]
pub use protocol::Provider;
pub use settings::{CALLBACK_PATH, NOT_BUILT, OidcSettings};

/// Names of accounts that a provider vouches for begin so: none of a local account can be taken over.
pub const NAME_PREFIX: &str = "sso-";

/// A sign-in that begins: where the browser goes, and what it must bring back.
#[derive(Debug)]
pub struct Begun {
    /// The provider's page.
    pub url: String,
    /// For a cookie: the answer counts only in the browser that asked.
    pub browser: String,
}

/// What comes back from the provider with the browser.
#[derive(Debug, Default)]
pub struct Returned {
    /// The cookie.
    pub browser: Option<String>,
    /// `state`
    pub state: Option<String>,
    /// `code`
    pub code: Option<String>,
    /// `error`, if the provider said no.
    pub error: Option<String>,
    /// `iss`, if the provider tells it (RFC 9207).
    pub issuer: Option<String>,
}

/// Somebody whom the provider knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// As which account.
    pub account: Account,
    /// Issuer and subject, hashed: the same person for ever, whatever the name.
    pub binding: String,
    /// Where they wanted to go.
    pub next: String,
}

/// Why nobody can sign in by a provider.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The feature is not in this build.
    #[error("{NOT_BUILT}")]
    NotBuilt,
    /// The secret's file.
    #[error("cannot read `oidc.client_secret_file` at `{path}`", path = path.display())]
    Secret {
        /// Which.
        path: std::path::PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The HTTP client could not be made.
    #[error("cannot make an HTTP client for the provider")]
    Client(#[source] reqwest::Error),
    /// An address of the settings is none.
    #[error("`oidc.{setting}` is not an address")]
    Address {
        /// Which.
        setting: &'static str,
    },
}

/// Nobody: this build knows no provider.
#[cfg(not(feature = "oidc"))]
#[derive(Debug)]
pub struct Provider(std::convert::Infallible);

#[cfg(not(feature = "oidc"))]
impl Provider {
    /// Always says that it was not built.
    pub fn start(_settings: &OidcSettings) -> Result<Self, StartError> {
        Err(StartError::NotBuilt)
    }

    /// Cannot be asked.
    pub fn settings(&self) -> &OidcSettings {
        match self.0 {}
    }

    /// Cannot be asked.
    pub async fn begin(&self, _next: &str) -> Result<Begun, Problem> {
        match self.0 {}
    }

    /// Cannot be asked.
    pub async fn finish(&self, _returned: Returned) -> Result<Person, Problem> {
        match self.0 {}
    }
}
