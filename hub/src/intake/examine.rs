//! Is this a report of that province? A function of the message and the register: no broker, no clock.
//!
//! The order matters: cheap before dear, and nothing is parsed that nobody signed.

use async_nats::HeaderMap;
use events::envelope::Evidence;
use events::ids::ProvinceCode;
use events::proof::signature::{self, Purpose, SignatureError};
use events::province::KeyPurpose;
use events::report::{News, ReportMessage};
use events::subjects;
use events::wire::{WireError, report_from_bytes};

use crate::views::membership::Membership;

/// Longest sealed text of a report, in characters of base64url: 8 KiB sealed.
pub const SEALED_TEXT_CHARACTERS_MAX: usize = 8 * 1024 / 3 * 4 + 4;

/// A message as the broker hands it over. Nothing of it is believed.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// Where it was published.
    pub subject: &'a str,
    /// Its headers; forged ones are ignored, only the signature is looked at.
    pub headers: Option<&'a HeaderMap>,
    /// Its exact bytes.
    pub payload: &'a [u8],
}

/// A report that its province signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Examined {
    /// What it says.
    pub message: ReportMessage,
    /// The exact bytes and the signature, to be kept.
    pub evidence: Evidence,
}

/// Why a message is not a report of the province. The codes are in `schemas/refusals.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs)] // each has a paragraph in `schemas/refusals.md`
pub enum Fault {
    TooLarge,
    WrongSubject,
    NoSignature,
    SeveralSignatures,
    MalformedSignature,
    UnknownKey,
    RevokedKey,
    UnusableKey,
    WrongPurpose,
    WrongAlgorithm,
    WrongSignature,
    Unreadable,
    UnknownKind,
    Contradiction,
    OtherProvince,
    OtherOrigin,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::TooLarge,
        Self::WrongSubject,
        Self::NoSignature,
        Self::SeveralSignatures,
        Self::MalformedSignature,
        Self::UnknownKey,
        Self::RevokedKey,
        Self::UnusableKey,
        Self::WrongPurpose,
        Self::WrongAlgorithm,
        Self::WrongSignature,
        Self::Unreadable,
        Self::UnknownKind,
        Self::Contradiction,
        Self::OtherProvince,
        Self::OtherOrigin,
    ];

    /// The stable code: in the quarantine, the metrics and `schemas/refusals.md`.
    pub fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::WrongSubject => "wrong-subject",
            Self::NoSignature => "no-signature",
            Self::SeveralSignatures => "several-signatures",
            Self::MalformedSignature => "malformed-signature",
            Self::UnknownKey => "unknown-key",
            Self::RevokedKey => "revoked-key",
            Self::UnusableKey => "unusable-key",
            Self::WrongPurpose => "wrong-purpose",
            Self::WrongAlgorithm => "wrong-algorithm",
            Self::WrongSignature => "wrong-signature",
            Self::Unreadable => "unreadable",
            Self::UnknownKind => "unknown-kind",
            Self::Contradiction => "contradiction",
            Self::OtherProvince => "other-province",
            Self::OtherOrigin => "other-origin",
        }
    }
}

/// Checks that `incoming`, found in the stream of `province`, is a report that this province signed
/// for the log `origin`. What the report says is not judged here; the rules do that.
pub fn examine(
    incoming: Incoming<'_>,
    province: ProvinceCode,
    origin: &str,
    membership: &Membership,
) -> Result<Examined, Fault> {
    if incoming.payload.len() > subjects::PAYLOAD_BYTES_MAX {
        return Err(Fault::TooLarge);
    }
    let token = token(incoming.subject, province).ok_or(Fault::WrongSubject)?;
    let signature = one_signature(incoming.headers)?;
    verify(signature, incoming.payload, province, membership)?;
    let message = report_from_bytes(incoming.payload).map_err(|it| match it {
        WireError::Unreadable { .. } => Fault::Unreadable,
        WireError::UnknownKind { .. } => Fault::UnknownKind,
        WireError::Contradiction { .. } => Fault::Contradiction,
    })?;
    let report = &message.report;
    if report.province != province {
        return Err(Fault::OtherProvince);
    }
    if report.news.token() != token {
        return Err(Fault::WrongSubject);
    }
    if report.origin != origin {
        return Err(Fault::OtherOrigin);
    }
    if report.sealed_text.as_ref().is_some_and(|it| it.len() > SEALED_TEXT_CHARACTERS_MAX) {
        return Err(Fault::TooLarge);
    }
    let evidence = Evidence { bytes: incoming.payload.to_vec(), signature: signature.to_owned() };
    Ok(Examined { message, evidence })
}

/// The kind that the subject names, if it is one of this province's. The stream's own configuration
/// promises no less, but a broker's promise is not looked at.
fn token(subject: &str, province: ProvinceCode) -> Option<&'static str> {
    News::TOKENS.into_iter().find(|it| subjects::report(province, it) == subject)
}

fn one_signature(headers: Option<&HeaderMap>) -> Result<&str, Fault> {
    let mut all = headers.into_iter().flat_map(|it| it.get_all(subjects::SIGNATURE_HEADER));
    match (all.next(), all.next()) {
        (None, _) => Err(Fault::NoSignature),
        (Some(_), Some(_)) => Err(Fault::SeveralSignatures),
        (Some(one), None) => Ok(one.as_str()),
    }
}

fn verify(
    jws: &str,
    payload: &[u8],
    province: ProvinceCode,
    membership: &Membership,
) -> Result<(), Fault> {
    let key_id = signature::key_id(jws).map_err(|_| Fault::MalformedSignature)?;
    let key = match membership.sign_key(province, &key_id) {
        None => return Err(why_not(province, &key_id, membership)),
        Some(key) => key.map_err(|_| Fault::UnusableKey)?,
    };
    signature::verify(&key, Purpose::Report, jws, payload).map_err(|it| match it {
        SignatureError::Malformed => Fault::MalformedSignature,
        SignatureError::WrongAlgorithm => Fault::WrongAlgorithm,
        SignatureError::WrongPurpose => Fault::WrongPurpose,
        SignatureError::DoesNotFit => Fault::WrongSignature,
        SignatureError::BadKey => Fault::UnusableKey,
    })
}

/// A key that does not check reports: revoked, for something else, or nobody's.
fn why_not(province: ProvinceCode, key_id: &str, membership: &Membership) -> Fault {
    let known = membership.province(province);
    match known.keys.get(key_id) {
        _ if known.revoked.contains(key_id) => Fault::RevokedKey,
        Some(key) if key.purpose != KeyPurpose::Sign => Fault::WrongPurpose,
        Some(_) => Fault::WrongAlgorithm,
        None => Fault::UnknownKey,
    }
}

#[cfg(test)]
mod tests;
