//! Work that is not as it should be, and work that is only unusual. Each word of the scripts says how
//! the bytes are made, and what it is called if the adapter falls for it.

use events::proof::signature::{self, Purpose};
use events::wire;
use events::work::Work;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

use super::folder::HUB_KEY_ID;

/// Bytes above the largest payload that the contract allows.
const OVERSIZE_BYTES: usize = 48 * 1024;

/// How work is spoilt, or what is unusual about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spoil {
    Unsigned,
    Forged,
    OtherKey,
    OtherPurpose,
    ChangedByte,
    OtherProvince,
    OtherOrigin,
    OldEpoch,
    NotJson,
    OtherShape,
    Oversize,
    UnknownKind,
    SealedToAnother,
    WithoutPersonalPart,
    UnknownFields,
    FutureSubmission,
}

/// A message on its way, good or bad.
pub(crate) struct Made {
    pub(crate) bytes: Vec<u8>,
    pub(crate) signature: Option<String>,
}

/// What making needs from the sandbox hub.
pub(crate) struct Maker<'a> {
    pub(crate) key: &'a ed25519_dalek::SigningKey,
    pub(crate) stranger: &'a ed25519_dalek::SigningKey,
    pub(crate) now: Timestamp,
    pub(crate) id: Uuid,
}

impl Spoil {
    const WORDS: [(&'static str, Self); 16] = [
        ("unsigned", Self::Unsigned),
        ("forged", Self::Forged),
        ("other-key", Self::OtherKey),
        ("other-purpose", Self::OtherPurpose),
        ("changed-byte", Self::ChangedByte),
        ("other-province", Self::OtherProvince),
        ("other-origin", Self::OtherOrigin),
        ("old-epoch", Self::OldEpoch),
        ("not-json", Self::NotJson),
        ("other-shape", Self::OtherShape),
        ("oversize", Self::Oversize),
        ("unknown-kind", Self::UnknownKind),
        ("sealed-to-another", Self::SealedToAnother),
        ("without-personal-part", Self::WithoutPersonalPart),
        ("unknown-fields", Self::UnknownFields),
        ("future-submission", Self::FutureSubmission),
    ];

    /// The one that the scripts call so.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|it| it.0 == word).map(|it| it.1)
    }

    /// The finding for an adapter that signs for such work; nothing if it is only unusual.
    pub(crate) fn finding(self) -> Option<&'static str> {
        Some(match self {
            Self::Unsigned => "believes-unsigned-work",
            Self::Forged | Self::OtherKey | Self::OtherPurpose | Self::ChangedByte => {
                "believes-forged-work"
            }
            Self::OtherProvince => "takes-work-of-others",
            Self::OtherOrigin => "takes-work-of-other-environments",
            Self::OldEpoch => "believes-old-epochs",
            Self::NotJson | Self::OtherShape | Self::UnknownKind => "signs-for-unreadable-work",
            Self::Oversize => "takes-oversize-work",
            Self::SealedToAnother | Self::WithoutPersonalPart => "signs-for-what-it-cannot-open",
            Self::UnknownFields | Self::FutureSubmission => return None,
        })
    }

    /// The bytes and the signature for `work`, whose fields were changed before where that is enough.
    pub(crate) fn make(self, work: &Work, maker: &Maker<'_>) -> Made {
        let bytes = wire::work_to_bytes(maker.id, maker.now, work);
        let bytes = match self {
            Self::NotJson => b"work: please".to_vec(),
            Self::OtherShape => edit(&bytes, |it| it["data"]["request"] = json!(17)),
            Self::UnknownKind => edit(&bytes, |it| {
                it["type"] = json!("cn.gov.mot.hub.work.inspection.v1");
                it["data"]["kind"] = json!("inspection");
            }),
            Self::Oversize => edit(&bytes, |it| {
                it["data"]["padding"] = json!("x".repeat(OVERSIZE_BYTES));
            }),
            Self::UnknownFields => edit(&bytes, |it| {
                it["futureattribute"] = json!("2027");
                it["data"]["future"] = json!({ "text": "以后的字段", "list": [1, null] });
                it["data"]["due"]["half_day"] = json!(true);
                it["data"]["authority"]["telephone"] = json!("12328");
            }),
            _ => bytes,
        };
        let sign = |key, id, purpose, bytes: &[u8]| Some(signature::sign(key, id, purpose, bytes));
        let usual = sign(maker.key, HUB_KEY_ID, Purpose::ToProvince, &bytes);
        let signature = match self {
            Self::Unsigned => None,
            Self::Forged => sign(maker.stranger, HUB_KEY_ID, Purpose::ToProvince, &bytes),
            Self::OtherKey => sign(maker.stranger, "hub-9", Purpose::ToProvince, &bytes),
            Self::OtherPurpose => sign(maker.key, HUB_KEY_ID, Purpose::Report, &bytes),
            _ => usual,
        };
        let mut made = Made { bytes, signature };
        if self == Self::ChangedByte
            && let Some(last) = made.bytes.iter().rposition(u8::is_ascii_digit)
        {
            made.bytes[last] = if made.bytes[last] == b'7' { b'8' } else { b'7' };
        }
        made
    }

    /// Changes the work itself where the fault is in what it says.
    pub(crate) fn change(self, work: &mut Work, now: Timestamp) {
        match self {
            Self::OtherProvince => {
                let other = events::ids::ProvinceCode::all().find(|it| *it != work.province);
                work.province = other.unwrap_or(work.province);
            }
            Self::OtherOrigin => work.origin = "sandbox.another/environment".to_owned(),
            Self::OldEpoch => work.epoch = work.epoch.saturating_sub(1),
            Self::WithoutPersonalPart => work.sealed = None,
            Self::FutureSubmission => {
                let ahead = now.checked_add(SignedDuration::from_mins(4));
                work.submitted_at = ahead.unwrap_or(now);
            }
            _ => {}
        }
    }
}

fn edit(bytes: &[u8], change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let mut value: Value = serde_json::from_slice(bytes).expect("we wrote it ourselves");
    change(&mut value);
    serde_json::to_vec(&value).expect("a JSON value always serializes")
}
