//! The chain: each event's hash covers all of it and the hash before. One changed byte shows.
//!
//! hash = SHA-256("hub-chain-v1" ‖ field ‖ field ‖ …), each field as an eight-byte big-endian length
//! and its bytes, in this order: origin, position, stream, version, recorded_at in microseconds,
//! epoch, previous hash, body, sealed part, evidence, evidence's signature. Numbers are eight
//! bytes, big-endian; an absent field has length 2^64 − 1 and no bytes.

use sha2::{Digest as _, Sha256};

use crate::proof::Hash;

/// What a link covers, as the columns hold it.
#[derive(Debug, Clone, Copy)]
pub struct Link<'a> {
    /// The log and its environment.
    pub origin: &'a str,
    /// In the whole log.
    pub position: u64,
    /// The stream's name.
    pub stream: &'a str,
    /// In its stream.
    pub version: u64,
    /// Microseconds since 1970.
    pub recorded_at: i64,
    /// The writer's epoch.
    pub epoch: u64,
    /// The hash before.
    pub previous: Hash,
    /// The body.
    pub body: &'a [u8],
    /// The sealed part.
    pub sealed: Option<&'a [u8]>,
    /// What the province signed.
    pub evidence: Option<&'a [u8]>,
    /// Its signature.
    pub evidence_signature: Option<&'a str>,
}

impl Link<'_> {
    /// The hash of this link.
    pub fn hash(&self) -> Hash {
        let mut sha = Buffered::default();
        sha.add(b"hub-chain-v1");
        let mut field = |bytes: Option<&[u8]>| match bytes {
            Some(bytes) => {
                sha.add(&(bytes.len() as u64).to_be_bytes());
                sha.add(bytes);
            }
            None => sha.add(&u64::MAX.to_be_bytes()),
        };
        field(Some(self.origin.as_bytes()));
        field(Some(&self.position.to_be_bytes()));
        field(Some(self.stream.as_bytes()));
        field(Some(&self.version.to_be_bytes()));
        field(Some(&self.recorded_at.to_be_bytes()));
        field(Some(&self.epoch.to_be_bytes()));
        field(Some(&self.previous.0));
        field(Some(self.body));
        field(self.sealed);
        field(self.evidence);
        field(self.evidence_signature.map(str::as_bytes));
        sha.end()
    }
}

/// Many short fields are given to the hash as one piece: each piece has a price of its own.
struct Buffered {
    sha: Sha256,
    bytes: [u8; 512],
    filled: usize,
}

impl Default for Buffered {
    fn default() -> Self {
        Self { sha: Sha256::new(), bytes: [0; 512], filled: 0 }
    }
}

impl Buffered {
    fn add(&mut self, part: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.filled..self.filled + part.len()) {
            room.copy_from_slice(part);
            self.filled += part.len();
        } else {
            self.flush();
            self.sha.update(part);
        }
    }
    fn flush(&mut self) {
        self.sha.update(&self.bytes[..self.filled]);
        self.filled = 0;
    }
    fn end(mut self) -> Hash {
        self.flush();
        Hash(self.sha.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: Link<'static> = Link {
        origin: "hub.test",
        position: 1,
        stream: "keeping",
        version: 1,
        recorded_at: 1,
        epoch: 1,
        previous: Hash::ZERO,
        body: b"{}",
        sealed: None,
        evidence: None,
        evidence_signature: None,
    };

    #[test]
    fn every_field_counts() {
        let all = [
            LINK,
            Link { origin: "hub.tes", ..LINK },
            Link { position: 2, ..LINK },
            Link { stream: "reference", ..LINK },
            Link { version: 2, ..LINK },
            Link { recorded_at: 2, ..LINK },
            Link { epoch: 2, ..LINK },
            Link { previous: Hash([1; 32]), ..LINK },
            Link { body: b"{} ", ..LINK },
            Link { sealed: Some(b""), ..LINK },
            Link { evidence: Some(b""), ..LINK },
            Link { evidence_signature: Some(""), ..LINK },
        ];
        let hashes: std::collections::HashSet<_> = all.iter().map(Link::hash).collect();
        assert_eq!(hashes.len(), all.len());
    }
}
