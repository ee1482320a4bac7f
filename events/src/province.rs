//! What can happen to a province's membership and keys. A province is data.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::case::event_enum;
use crate::publicity::Statement;

/// A province joined.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvinceEnrolled {
    /// Who enrolled it.
    pub operator: String,
}

/// Nothing is forwarded until it is resumed; reports are still taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvincePaused {
    /// Who.
    pub operator: String,
    /// Why.
    pub reason: String,
}

/// Forwarding goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvinceResumed {
    /// Who.
    pub operator: String,
}

/// The province said beforehand that it will be away. Due days do not move.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MaintenanceDeclared {
    /// From.
    pub from: Timestamp,
    /// Until.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

/// The conformance kit passed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdapterCertified {
    /// The adapter's version.
    pub adapter_version: String,
    /// The kit's version.
    pub kit_version: String,
    /// SHA-256 of the kit's report, hexadecimal.
    pub result_digest: String,
    /// Not valid after.
    pub expires_at: Timestamp,
}

/// What a key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyPurpose {
    /// Signs reports (Ed25519).
    Sign,
    /// Opens sealed work (X25519).
    Seal,
    /// Signs in at the broker (nkey).
    Connect,
}

/// A key counts from here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRegistered {
    /// Its name, e.g. `22-sign-1`; unique within the province.
    pub key_id: String,
    /// What it is for.
    pub purpose: KeyPurpose,
    /// The algorithm: fixed here, never read from a message. `ed25519`, `x25519` or `nkey`.
    pub algorithm: String,
    /// The public key: base64url for ed25519 and x25519, the nkey text for `nkey`.
    pub public_key: String,
}

/// A key counts to here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRevoked {
    /// Which.
    pub key_id: String,
    /// Why.
    pub reason: String,
}

/// A key counts only until a moment: the overlap of a rotation has an end. `KeyRevoked` follows then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyExpirySet {
    /// Which.
    pub key_id: String,
    /// Until when.
    pub until: Timestamp,
}

/// The province left. None of its keys counts any more, nothing is forwarded; what is on record stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvinceLeft {
    /// Who recorded it.
    pub operator: String,
    /// Why.
    pub reason: String,
}

/// The province told what it did to make the service known (宣传推广工作统计表). For one month the
/// latest counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicityStated {
    /// Who: an account of the console, or the adapter's version.
    pub by: String,
    /// The table.
    pub statement: Statement,
    /// The message in which its adapter told it. Absent: handed in by the console's form.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sent: Option<Sent>,
}

/// Which message of a province's adapter told something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sent {
    /// When the province made it.
    pub stated_at: Timestamp,
    /// Its id.
    pub message: Uuid,
}

event_enum! {
    /// What can happen to a province's membership and keys.
    ProvinceEvent {
        ProvinceEnrolled = "province.enrolled.v1",
        ProvincePaused = "province.paused.v1",
        ProvinceResumed = "province.resumed.v1",
        MaintenanceDeclared = "province.maintenance-declared.v1",
        AdapterCertified = "province.adapter-certified.v1",
        KeyRegistered = "province.key-registered.v1",
        KeyRevoked = "province.key-revoked.v1",
        KeyExpirySet = "province.key-expiry-set.v1",
        ProvinceLeft = "province.left.v1",
        PublicityStated = "province.publicity-stated.v1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is on record stays readable: by form without the field, by adapter with it.
    #[test]
    fn publicity_on_record_is_read_and_written_as_it_was_published() {
        let form =
            r#"{"by":"22-clerk","statement":{"month":"2026-11","rows":[],"knowledge_base":true}}"#;
        let adapter = r#"{"by":"jilin-adapter/2.3","statement":{"month":"2026-11","rows":[],"carriers_told_share":9550,"knowledge_base":false},"sent":{"stated_at":"2026-11-20T02:00:00Z","message":"01890a5d-ac96-774b-bcce-b302099a8058"}}"#;
        for (published, is_sent) in [(form, false), (adapter, true)] {
            let read: PublicityStated = serde_json::from_str(published).unwrap();
            assert_eq!(read.sent.is_some(), is_sent);
            assert_eq!(serde_json::to_string(&read).unwrap(), published);
        }
    }
}
