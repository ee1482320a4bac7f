//! How a province joins on paper: the request it makes, the bundle it gets back. Public halves only.
//!
//! Both are a JSON text in a string, `payload`, and a signature over exactly that text: whatever a
//! mail program or an editor does to the file around it, what was signed is what is read.

use std::collections::BTreeSet;

use ed25519_dalek::{SigningKey, VerifyingKey};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::ids::ProvinceCode;
use crate::proof::Hash;
use crate::proof::seal;
use crate::proof::signature::{self, Purpose};
use crate::province::{KeyPurpose, KeyRegistered};

/// The version of both documents.
pub const VERSION: u32 = 1;
/// Largest request or bundle that is looked at, in bytes.
pub const FILE_BYTES_MAX: u64 = 64 * 1024;
/// Longest name of a key, in characters.
pub const KEY_ID_CHARACTERS_MAX: usize = 64;
/// An nkey's public text: `U` and 55 characters of base 32.
const NKEY_CHARACTERS: usize = 56;

/// A text and who vouches for it. This is what lies in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// The JSON text that was signed.
    pub payload: String,
    /// A detached JWS over its bytes.
    pub signature: String,
    /// In a rotation: the same by the new signing key, so that a mistyped or foreign key is caught.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new_key_signature: Option<String>,
}

/// Why a province asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RequestKind {
    /// To join. Signed by the new signing key itself.
    Enrolment,
    /// To have further keys counted. Signed by a signing key that counts now, and by the new one.
    Rotation,
}

/// What a province asks: let these keys count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// [`VERSION`].
    pub v: u32,
    /// Why.
    pub kind: RequestKind,
    /// Who.
    pub province: ProvinceCode,
    /// The hub's log and environment, once the province knows it: a rotation names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// When the keys were made, by the province's clock. Nothing rests on it.
    pub made_at: Timestamp,
    /// Which program made them.
    pub adapter: String,
    /// One for each purpose.
    pub keys: Vec<KeyRegistered>,
}

/// Why a request cannot be granted. Each is a refusal with a stable code and repeats no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RequestFault {
    /// Not JSON, another version, or a field that nobody knows.
    #[error("the request cannot be read")]
    Unreadable,
    /// An enrolment where a rotation was expected, or the reverse.
    #[error("the request is of another kind")]
    OtherKind,
    /// It speaks for another province.
    #[error("the request is another province's")]
    OtherProvince,
    /// It names another log or environment.
    #[error("the request is for another log or environment")]
    OtherOrigin,
    /// Not one key for each purpose, another algorithm, a strange name, or no key at all.
    #[error("the {} key of the request is missing or not usable", purpose(*.0))]
    BadKey(KeyPurpose),
    /// Signed by a key that does not count for this province.
    #[error("the request is signed by a key that does not count")]
    UnknownSigner,
    /// The text or a key was changed on the way.
    #[error("a signature of the request does not fit")]
    BadSignature,
}

impl RequestFault {
    /// The stable code, as in `schemas/refusals.md`.
    pub fn code(self) -> &'static str {
        match self {
            Self::Unreadable => "request-unreadable",
            Self::OtherKind => "request-other-kind",
            Self::OtherProvince => "request-other-province",
            Self::OtherOrigin => "request-other-origin",
            Self::BadKey(_) => "request-bad-key",
            Self::UnknownSigner => "request-unknown-signer",
            Self::BadSignature => "request-bad-signature",
        }
    }
}

/// The request as a file holds it. `current` signs a rotation; an enrolment signs for itself.
pub fn sign_request(
    request: &Request,
    new: (&SigningKey, &str),
    current: Option<(&SigningKey, &str)>,
) -> Signed {
    let payload = serde_json::to_string(request).expect("texts and moments serialize");
    let sign = |(key, id): (&SigningKey, &str)| {
        signature::sign(key, id, Purpose::KeyRequest, payload.as_bytes())
    };
    let (signature, new_key_signature) = match current {
        None => (sign(new), None),
        Some(current) => (sign(current), Some(sign(new))),
    };
    Signed { payload, signature, new_key_signature }
}

/// The request of a province that joins. Says nothing about whether it may.
pub fn read_enrolment(signed: &Signed, province: ProvinceCode) -> Result<Request, RequestFault> {
    let request = read(signed, RequestKind::Enrolment, province)?;
    let (id, key) = new_signer(&request)?;
    check_signature(&signed.signature, &id, &key, &signed.payload)?;
    Ok(request)
}

/// The request of a province that changes its keys: signed by one that counts, which `current` finds.
pub fn read_rotation(
    signed: &Signed,
    province: ProvinceCode,
    origin: &str,
    current: impl Fn(&str) -> Option<VerifyingKey>,
) -> Result<Request, RequestFault> {
    let request = read(signed, RequestKind::Rotation, province)?;
    if request.origin.as_deref() != Some(origin) {
        return Err(RequestFault::OtherOrigin);
    }
    let signer = signature::key_id(&signed.signature).map_err(|_| RequestFault::BadSignature)?;
    let key = current(&signer).ok_or(RequestFault::UnknownSigner)?;
    check_signature(&signed.signature, &signer, &key, &signed.payload)?;
    let (id, key) = new_signer(&request)?;
    let possession = signed.new_key_signature.as_deref().ok_or(RequestFault::BadSignature)?;
    check_signature(possession, &id, &key, &signed.payload)?;
    Ok(request)
}

fn read(
    signed: &Signed,
    kind: RequestKind,
    province: ProvinceCode,
) -> Result<Request, RequestFault> {
    if signed.payload.len() as u64 > FILE_BYTES_MAX {
        return Err(RequestFault::Unreadable);
    }
    let request: Request =
        serde_json::from_str(&signed.payload).map_err(|_| RequestFault::Unreadable)?;
    if request.v != VERSION {
        return Err(RequestFault::Unreadable);
    }
    if request.kind != kind {
        return Err(RequestFault::OtherKind);
    }
    if request.province != province {
        return Err(RequestFault::OtherProvince);
    }
    let mut names = BTreeSet::new();
    for wanted in [KeyPurpose::Sign, KeyPurpose::Seal, KeyPurpose::Connect] {
        let mut of_it = request.keys.iter().filter(|it| it.purpose == wanted);
        let (Some(key), None) = (of_it.next(), of_it.next()) else {
            return Err(RequestFault::BadKey(wanted));
        };
        if !is_usable(key) || !is_name(&key.key_id, province) || !names.insert(&key.key_id) {
            return Err(RequestFault::BadKey(wanted));
        }
    }
    Ok(request)
}

/// Whether it is a key of the algorithm that its purpose has in this version. An nkey's checksum is
/// looked at by whoever has the library.
pub fn is_usable(key: &KeyRegistered) -> bool {
    match (key.purpose, key.algorithm.as_str()) {
        (KeyPurpose::Sign, "ed25519") => signature::public_key(&key.public_key).is_ok(),
        // A point that gives no secret makes the sealing fail, and nothing else tells it.
        (KeyPurpose::Seal, "x25519") => {
            seal::seal_to(&key.public_key, &key.key_id, &[1; 32], b"", b"").is_ok()
        }
        (KeyPurpose::Connect, "nkey") => {
            let base32 = |it: u8| it.is_ascii_uppercase() || (b'2'..=b'7').contains(&it);
            key.public_key.len() == NKEY_CHARACTERS
                && key.public_key.starts_with('U')
                && key.public_key.bytes().all(base32)
        }
        _ => false,
    }
}

/// `22-sign-1`: the province first, so that no two provinces have a key of the same name.
fn is_name(id: &str, province: ProvinceCode) -> bool {
    let plain = id.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
    plain && id.len() <= KEY_ID_CHARACTERS_MAX && id.starts_with(&format!("{province}-"))
}

fn new_signer(request: &Request) -> Result<(String, VerifyingKey), RequestFault> {
    let bad = RequestFault::BadKey(KeyPurpose::Sign);
    let key = request.keys.iter().find(|it| it.purpose == KeyPurpose::Sign).ok_or(bad)?;
    let public = signature::public_key(&key.public_key).map_err(|_| bad)?;
    Ok((key.key_id.clone(), public))
}

fn check_signature(
    jws: &str,
    id: &str,
    key: &VerifyingKey,
    payload: &str,
) -> Result<(), RequestFault> {
    let names_it = signature::key_id(jws).is_ok_and(|it| it == id);
    let fits = signature::verify(key, Purpose::KeyRequest, jws, payload.as_bytes()).is_ok();
    if names_it && fits { Ok(()) } else { Err(RequestFault::BadSignature) }
}

fn purpose(it: KeyPurpose) -> &'static str {
    match it {
        KeyPurpose::Sign => "signing",
        KeyPurpose::Seal => "sealing",
        KeyPurpose::Connect => "connection",
    }
}

/// Where the hub's log stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// The last position.
    pub position: u64,
    /// Its hash in the chain.
    pub hash: Hash,
}

/// Everything a province's adapter must know about the hub, signed by the hub. All of it is public.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// [`VERSION`].
    pub v: u32,
    /// For whom.
    pub province: ProvinceCode,
    /// The hub's log and environment.
    pub origin: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// Where the broker listens.
    pub broker_urls: Vec<String>,
    /// Certificates that count for the broker, in PEM; with them TLS is a must. Without: the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub broker_ca: Option<String>,
    /// The name of the hub's key.
    pub hub_key_id: String,
    /// The key itself, base64url.
    pub hub_public_key: String,
    /// The province's keys that count, in the order in which they were registered.
    pub keys: Vec<KeyRegistered>,
    /// The revision of the working-day calendar in force.
    pub calendar_revision: u32,
    /// Where the log stood: the first thing that the province can hold against the hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Head>,
}

/// A bundle that cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleFault {
    /// Not JSON, or another version.
    #[error("the bundle cannot be read")]
    Unreadable,
    /// Changed on the way, or not signed by the hub that it names.
    #[error("the signature of the bundle does not fit")]
    BadSignature,
}

/// Reads a bundle and checks that the hub that it names signed it. Whether that is the right hub only
/// its key tells: compare [`fingerprint`] with what the ministry says by another way.
pub fn read_bundle(signed: &Signed) -> Result<Bundle, BundleFault> {
    let bundle: Bundle =
        serde_json::from_str(&signed.payload).map_err(|_| BundleFault::Unreadable)?;
    if bundle.v != VERSION {
        return Err(BundleFault::Unreadable);
    }
    let bad = BundleFault::BadSignature;
    let key = signature::public_key(&bundle.hub_public_key).map_err(|_| bad)?;
    let signer = signature::key_id(&signed.signature).map_err(|_| bad)?;
    let payload = signed.payload.as_bytes();
    let fits = signature::verify(&key, Purpose::Bundle, &signed.signature, payload).is_ok();
    if fits && signer == bundle.hub_key_id { Ok(bundle) } else { Err(bad) }
}

/// A key as two people read it to each other: the first 16 bytes of SHA-256 over its text, in fours.
pub fn fingerprint(public_key: &str) -> String {
    let hash = Hash(Sha256::digest(public_key.as_bytes()).into()).to_string();
    let fours: Vec<&str> = (0..32).step_by(4).map(|at| &hash[at..at + 4]).collect();
    fours.join("-")
}

/// The names of a province's nth keys: signing, sealing, connecting.
pub fn key_ids(province: ProvinceCode, nth: u32) -> [String; 3] {
    ["sign", "seal", "connect"].map(|it| format!("{province}-{it}-{nth}"))
}

/// Where the broker's certificates lie, relative to `adapter.toml`.
pub const BROKER_CA_FILE: &str = "broker-ca.pem";

/// Where a key of this name lies, relative to `adapter.toml`.
pub fn key_file(key_id: &str) -> String {
    format!("keys/{key_id}.key")
}

/// What an adapter's configuration is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdapterFacts<'a> {
    /// Whom it speaks for.
    pub province: ProvinceCode,
    /// The hub's log and environment.
    pub origin: &'a str,
    /// Where the broker listens.
    pub broker_urls: &'a [String],
    /// Where the certificates lie that count for the broker; none: the system's count.
    pub broker_ca_file: Option<&'a str>,
    /// The hub's key and its name.
    pub hub_public_key: &'a str,
    /// See above.
    pub hub_key_id: &'a str,
    /// The names of the province's keys: signing, sealing, connecting.
    pub key_ids: [&'a str; 3],
}

/// A configuration that needs nothing more but a look at `office`. The hub and the adapter write the
/// same, so that it does not matter who did.
pub fn adapter_toml(facts: &AdapterFacts<'_>) -> String {
    let quoted = |text: &str| serde_json::to_string(text).expect("a text serializes");
    let urls: Vec<String> = facts.broker_urls.iter().map(|it| quoted(it)).collect();
    let [sign, seal, connect] = facts.key_ids;
    format!(
        r#"# Adapter of {name} ({name_en}). Every further setting: adapter.example.toml
province = "{province}"
origin = {origin}
# Which office system answers.
office = "simulated"

[broker]
urls = [{urls}]
nkey_seed_file = {connect_file}
{ca}
[keys]
sign_key_file = {sign_file}
sign_key_id = {sign}
seal_key_file = {seal_file}
seal_key_id = {seal}
hub_public_key = {hub_public_key}
hub_key_id = {hub_key_id}

[store]
path = "adapter.db"
"#,
        name = facts.province.name(),
        name_en = facts.province.name_en(),
        province = facts.province,
        origin = quoted(facts.origin),
        urls = urls.join(", "),
        connect_file = quoted(&key_file(connect)),
        ca = facts.broker_ca_file.map_or(String::new(), |it| format!("ca_file = {}\n", quoted(it))),
        sign_file = quoted(&key_file(sign)),
        sign = quoted(sign),
        seal_file = quoted(&key_file(seal)),
        seal = quoted(seal),
        hub_public_key = quoted(facts.hub_public_key),
        hub_key_id = quoted(facts.hub_key_id),
    )
}

#[cfg(test)]
mod tests;
