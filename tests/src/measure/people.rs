//! The made-up people of the histories: well-formed, and nobody's.

use events::proof::Hash;
use jiff::SignedDuration;

/// What only the vault and the province may read of the `nth` case. Nobody has this number.
pub fn personal(nth: u128) -> serde_json::Value {
    serde_json::json!({
        "applicant": applicant(nth),
        "materials": [
            {"kind": "identity-card", "reference": format!("f-{nth:08x}"), "sha256": Hash([9; 32]).to_string()},
            {"kind": "photo", "reference": format!("f-{nth:08x}p")},
        ],
        "remarks": "请尽快办理",
    })
}

/// A person that is nobody: the division 199999 does not exist.
pub fn applicant(nth: u128) -> serde_json::Value {
    serde_json::json!({
        "name": "张三丰",
        "identity_number": identity_number(nth),
        "certificate_number": format!("{:016}", 2_201_000_000_000_000 + nth),
    })
}

/// The `nth` number that GB 11643 allows, of up to fourteen million, in a division that does not exist.
pub fn identity_number(nth: u128) -> String {
    let (day, serial) = (nth / 999 % 14_000, nth % 999 + 1);
    let born = jiff::civil::date(1960, 1, 1) + SignedDuration::from_hours(24 * day as i64);
    let body = format!("199999{}{serial:03}", born.strftime("%Y%m%d"));
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 =
        body.bytes().zip(weights).map(|(it, weight)| u32::from(it - b'0') * weight).sum();
    format!("{body}{}", char::from(b"10X98765432"[(sum % 11) as usize]))
}
