//! The hub's own hand. It signs what the hub says; it can never sign for a province.

use ed25519_dalek::{SigningKey, VerifyingKey};
use events::proof::signature::{self, Purpose};

/// A key and its name, as the provinces and national systems know it.
#[derive(Clone)]
pub struct Signer {
    key_id: String,
    key: SigningKey,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Signer({})", self.key_id)
    }
}

impl Signer {
    /// Signs with `key`, which others know as `key_id`.
    pub fn new(key_id: impl Into<String>, key: SigningKey) -> Self {
        Self { key_id: key_id.into(), key }
    }

    /// A detached JWS over exactly these bytes. The same again gives the same text.
    pub fn sign(&self, purpose: Purpose, payload: &[u8]) -> String {
        signature::sign(&self.key, &self.key_id, purpose, payload)
    }

    /// What checks it.
    pub fn public_key(&self) -> VerifyingKey {
        self.key.verifying_key()
    }

    /// What it is called.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }
}
