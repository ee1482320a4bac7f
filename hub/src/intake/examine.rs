//! Is this a report of that province? A function of the message and the register: no broker, no clock.
//!
//! The order matters: cheap before dear, and nothing is parsed that nobody signed.

use async_nats::HeaderMap;
use events::envelope::Evidence;
use events::ids::ProvinceCode;
use events::proof::signature::{self, Purpose, SignatureError};
use events::province::KeyPurpose;
use events::reconcile::{CASES_A_MESSAGE_MAX, DAYS_A_MESSAGE_MAX};
use events::report::{News, ReportMessage};
use events::subjects;
use events::wire::{Comparison, WireError, comparison_from_bytes, report_from_bytes};
use jiff::civil::Date;

use crate::views::membership::Membership;

/// Longest sealed text of a report, in characters of base64url: 8 KiB sealed.
pub const SEALED_TEXT_CHARACTERS_MAX: usize = 8 * 1024 / 3 * 4 + 4;

/// Most days between the first and the last of an inventory.
const DAYS_MAX: i64 = DAYS_A_MESSAGE_MAX as i64;

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
    let message = report_from_bytes(incoming.payload).map_err(fault)?;
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

/// The same for a comparison (an inventory or a list); nothing if the subject is not that of one.
pub fn examine_comparison(
    incoming: Incoming<'_>,
    province: ProvinceCode,
    origin: &str,
    membership: &Membership,
) -> Option<Result<Comparison, Fault>> {
    let tokens = [subjects::INVENTORY_TOKEN, subjects::HOLDINGS_TOKEN];
    let token = tokens.into_iter().find(|it| subjects::report(province, it) == incoming.subject)?;
    Some(comparison(incoming, province, origin, membership, token))
}

fn comparison(
    incoming: Incoming<'_>,
    province: ProvinceCode,
    origin: &str,
    membership: &Membership,
    token: &str,
) -> Result<Comparison, Fault> {
    if incoming.payload.len() > subjects::PAYLOAD_BYTES_MAX {
        return Err(Fault::TooLarge);
    }
    verify(one_signature(incoming.headers)?, incoming.payload, province, membership)?;
    let comparison = comparison_from_bytes(incoming.payload).map_err(fault)?;
    let (told_by, told_origin, told_token, fits) = match &comparison {
        Comparison::Inventory(_, it) => {
            let ordered = it.days.is_sorted_by(|one, next| one.day < next.day);
            let spans = |first: Date| it.until.duration_since(first).as_hours() / 24 < DAYS_MAX;
            let bounded = it.days.len() <= DAYS_A_MESSAGE_MAX && it.since.is_none_or(spans);
            (it.province, &it.origin, subjects::INVENTORY_TOKEN, ordered && bounded)
        }
        Comparison::Holdings(it) => {
            let ordered = it.cases.is_sorted_by(|one, next| one.case < next.case);
            let bounded =
                it.cases.len() <= CASES_A_MESSAGE_MAX && (1..=it.parts).contains(&it.part);
            let own = it.cases.iter().all(|held| it.speaks_for(held.case));
            (it.province, &it.origin, subjects::HOLDINGS_TOKEN, ordered && bounded && own)
        }
    };
    match () {
        () if told_by != province => Err(Fault::OtherProvince),
        () if told_token != token => Err(Fault::WrongSubject),
        () if told_origin != origin => Err(Fault::OtherOrigin),
        () if !fits => Err(Fault::Contradiction),
        () => Ok(comparison),
    }
}

pub(super) fn fault(error: WireError) -> Fault {
    match error {
        WireError::Unreadable { .. } => Fault::Unreadable,
        WireError::UnknownKind { .. } => Fault::UnknownKind,
        WireError::Contradiction { .. } => Fault::Contradiction,
    }
}

/// The kind that the subject names, if it is one of this province's. The stream's own configuration
/// promises no less, but a broker's promise is not looked at.
fn token(subject: &str, province: ProvinceCode) -> Option<&'static str> {
    News::TOKENS.into_iter().find(|it| subjects::report(province, it) == subject)
}

pub(super) fn one_signature(headers: Option<&HeaderMap>) -> Result<&str, Fault> {
    let mut all = headers.into_iter().flat_map(|it| it.get_all(subjects::SIGNATURE_HEADER));
    match (all.next(), all.next()) {
        (None, _) => Err(Fault::NoSignature),
        (Some(_), Some(_)) => Err(Fault::SeveralSignatures),
        (Some(one), None) => Ok(one.as_str()),
    }
}

pub(super) fn verify(
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
