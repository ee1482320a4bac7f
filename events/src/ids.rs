//! What things are called. Every name has a type of its own, so that no two can be exchanged.

use std::fmt;
use std::str::FromStr;

use jiff::civil::Date;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use number::{BASE32, check_character, is_as_written};

mod number;

/// A text that is not the name it claims to be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{given}` is not {expected}")]
pub struct NotAName {
    /// What was given, shortened to 64 characters.
    pub given: String,
    /// What it should have been.
    pub expected: &'static str,
}

fn not_a_name(given: &str, expected: &'static str) -> NotAName {
    NotAName { given: given.chars().take(64).collect(), expected }
}

macro_rules! uuid_name {
    ($(#[$doc:meta])* $name:ident, $expected:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NotAName;
            fn from_str(text: &str) -> Result<Self, NotAName> {
                // Only the hyphenated lower-case form, so that one id has one spelling.
                match Uuid::try_parse(text) {
                    Ok(id) if text.len() == 36 && !text.bytes().any(|it| it.is_ascii_uppercase()) => Ok(Self(id)),
                    _ => Err(not_a_name(text, $expected)),
                }
            }
        }
    };
}

uuid_name!(
    /// A case (办件), for good. A UUIDv7 made by the intake.
    CaseId, "a case id");
uuid_name!(
    /// An event. A UUIDv7 made by the registrar; grows with the position.
    EventId, "an event id");
uuid_name!(
    /// A province's report. Made by the adapter; the same report sent again keeps it.
    ReportId, "a report id");
uuid_name!(
    /// What was asked of a province: one routing or one correction of one case.
    /// A report names the request it answers.
    RequestId, "a request id");

uuid_name!(
    /// An order to let in again what waits for a person.
    RedriveId, "a re-drive id");

/// The number a person reads out: `20260213-7K3Q-F9M2-XD4T-C`.
///
/// The Shanghai date of recording, sixty random bits of the case id, and a check character after
/// ISO 7064 MOD 37,36, which finds every single wrong character and nearly every exchanged pair.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CaseNumber(
    // Invariant: well formed, and the check character fits.
    String,
);

impl CaseNumber {
    /// The number of `case`, recorded on `day`. The same again gives the same.
    pub fn of(case: CaseId, day: Date) -> Self {
        let bits = case.0.as_u128();
        let tail: String =
            (0..12).rev().map(|it| char::from(BASE32[(bits >> (it * 5)) as usize & 31])).collect();
        let date = format!("{:04}{:02}{:02}", day.year(), day.month(), day.day());
        let check = check_character(date.bytes().chain(tail.bytes()));
        Self(format!("{date}-{}-{}-{}-{check}", &tail[..4], &tail[4..8], &tail[8..]))
    }

    /// The number as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CaseNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for CaseNumber {
    type Err = NotAName;
    /// Forgives lower case and missing hyphens, as people type it.
    fn from_str(text: &str) -> Result<Self, NotAName> {
        let wrong = || not_a_name(text, "a case number (YYYYMMDD-XXXX-XXXX-XXXX-C)");
        if text.len() > 32 || !text.is_ascii() {
            return Err(wrong());
        }
        if is_as_written(text.as_bytes()) {
            return Ok(Self(text.to_owned()));
        }
        let bare: String =
            text.chars().filter(|it| *it != '-').map(|it| it.to_ascii_uppercase()).collect();
        if bare.len() != 21 || !bare[..8].bytes().all(|it| it.is_ascii_digit()) {
            return Err(wrong());
        }
        if !bare[8..20].bytes().all(|it| BASE32.contains(&it)) {
            return Err(wrong());
        }
        if !bare.ends_with(check_character(bare[..20].bytes())) {
            return Err(wrong());
        }
        Ok(Self(format!(
            "{}-{}-{}-{}-{}",
            &bare[..8],
            &bare[8..12],
            &bare[12..16],
            &bare[16..20],
            &bare[20..]
        )))
    }
}

/// A province-level unit by the first two digits of its division code; 66 is the XPCC (JT/T 415-2021).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProvinceCode(
    // Invariant: one of `PROVINCES`.
    u8,
);

/// The 31 provinces, autonomous regions and municipalities (GB/T 2260) and the XPCC, with their names.
pub const PROVINCES: [(u8, &str, &str); 32] = [
    (11, "北京市", "Beijing"),
    (12, "天津市", "Tianjin"),
    (13, "河北省", "Hebei"),
    (14, "山西省", "Shanxi"),
    (15, "内蒙古自治区", "Inner Mongolia"),
    (21, "辽宁省", "Liaoning"),
    (22, "吉林省", "Jilin"),
    (23, "黑龙江省", "Heilongjiang"),
    (31, "上海市", "Shanghai"),
    (32, "江苏省", "Jiangsu"),
    (33, "浙江省", "Zhejiang"),
    (34, "安徽省", "Anhui"),
    (35, "福建省", "Fujian"),
    (36, "江西省", "Jiangxi"),
    (37, "山东省", "Shandong"),
    (41, "河南省", "Henan"),
    (42, "湖北省", "Hubei"),
    (43, "湖南省", "Hunan"),
    (44, "广东省", "Guangdong"),
    (45, "广西壮族自治区", "Guangxi"),
    (46, "海南省", "Hainan"),
    (50, "重庆市", "Chongqing"),
    (51, "四川省", "Sichuan"),
    (52, "贵州省", "Guizhou"),
    (53, "云南省", "Yunnan"),
    (54, "西藏自治区", "Tibet"),
    (61, "陕西省", "Shaanxi"),
    (62, "甘肃省", "Gansu"),
    (63, "青海省", "Qinghai"),
    (64, "宁夏回族自治区", "Ningxia"),
    (65, "新疆维吾尔自治区", "Xinjiang"),
    (66, "新疆生产建设兵团", "XPCC"),
];

impl ProvinceCode {
    /// The unit with this number, or nothing if no connected unit has it.
    pub fn new(code: u8) -> Option<Self> {
        PROVINCES.iter().any(|it| it.0 == code).then_some(Self(code))
    }
    /// All 32, in the order of their codes.
    pub fn all() -> impl Iterator<Item = Self> {
        PROVINCES.iter().map(|it| Self(it.0))
    }
    /// The two digits as a number.
    pub fn number(self) -> u8 {
        self.0
    }
    /// The name in Chinese.
    pub fn name(self) -> &'static str {
        PROVINCES.iter().find(|it| it.0 == self.0).map_or("", |it| it.1)
    }
    /// The name in English.
    pub fn name_en(self) -> &'static str {
        PROVINCES.iter().find(|it| it.0 == self.0).map_or("", |it| it.2)
    }
}

impl fmt::Display for ProvinceCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

impl FromStr for ProvinceCode {
    type Err = NotAName;
    fn from_str(text: &str) -> Result<Self, NotAName> {
        let two_digits = text.len() == 2 && text.bytes().all(|it| it.is_ascii_digit());
        two_digits
            .then(|| text.parse().ok().and_then(Self::new))
            .flatten()
            .ok_or_else(|| not_a_name(text, "a province code (11 to 65, or 66 for the XPCC)"))
    }
}

/// Six digits of GB/T 2260, current or retired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DivisionCode(
    // Invariant: 100000 to 999999.
    u32,
);

impl DivisionCode {
    /// The six digits as a number.
    pub fn number(self) -> u32 {
        self.0
    }
    /// The first two digits: a province's, now or once.
    pub fn province_part(self) -> u8 {
        (self.0 / 10_000) as u8
    }
}

impl fmt::Display for DivisionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

impl FromStr for DivisionCode {
    type Err = NotAName;
    fn from_str(text: &str) -> Result<Self, NotAName> {
        let digits = text.len() == 6 && text.bytes().all(|it| it.is_ascii_digit());
        match text.parse::<u32>() {
            Ok(code) if digits && code >= 100_000 => Ok(Self(code)),
            _ => Err(not_a_name(text, "a division code of six digits")),
        }
    }
}

/// A story of its own: what belongs together and is numbered 1, 2, 3….
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum StreamName {
    /// `case-<id>`
    Case(CaseId),
    /// `province-<code>`
    Province(ProvinceCode),
    /// `reference`: calendars and standards.
    Reference,
    /// `keeping`: the log itself.
    Keeping,
}

/// Room for the longest stream name: `case-` and an id.
pub type StreamRoom = [u8; 41];

impl StreamName {
    /// The name as it is written, in `room` and not on the heap: logs are read by the million.
    pub fn written<'a>(&self, room: &'a mut StreamRoom) -> &'a str {
        let length = match self {
            Self::Case(id) => {
                room[..5].copy_from_slice(b"case-");
                id.0.hyphenated().encode_lower(&mut room[5..]);
                41
            }
            Self::Province(code) => {
                room[..9].copy_from_slice(b"province-");
                room[9..11].copy_from_slice(&[b'0' + code.0 / 10, b'0' + code.0 % 10]);
                11
            }
            Self::Reference => return "reference",
            Self::Keeping => return "keeping",
        };
        str::from_utf8(&room[..length]).expect("letters, digits and hyphens")
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.written(&mut [0; 41]))
    }
}

impl FromStr for StreamName {
    type Err = NotAName;
    fn from_str(text: &str) -> Result<Self, NotAName> {
        match text {
            "reference" => return Ok(Self::Reference),
            "keeping" => return Ok(Self::Keeping),
            _ => {}
        }
        if let Some(id) = text.strip_prefix("case-") {
            return id.parse().map(Self::Case);
        }
        match text.strip_prefix("province-") {
            Some(code) => code.parse().map(Self::Province),
            None => Err(not_a_name(text, "a stream name")),
        }
    }
}

macro_rules! serde_as_text {
    ($($name:ty),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Text;
                impl de::Visitor<'_> for Text {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("a name as text")
                    }
                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        text.parse().map_err(E::custom)
                    }
                }
                deserializer.deserialize_str(Text)
            }
        }
    )*};
}
serde_as_text!(CaseNumber, ProvinceCode, DivisionCode, StreamName);

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn a_case_number_survives_a_telephone_call_and_notices_a_slip() {
        let case: CaseId = "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap();
        let number = CaseNumber::of(case, date(2026, 2, 13));
        let typed = number.as_str().to_lowercase().replace('-', "");
        for written in [number.as_str(), &typed] {
            assert_eq!(written.parse::<CaseNumber>().unwrap(), number);
            for at in 0..written.len() {
                let mut slip = written.to_owned().into_bytes();
                slip[at] = if slip[at] == b'7' { b'8' } else { b'7' };
                let slip = String::from_utf8(slip).unwrap();
                assert!(slip.parse::<CaseNumber>().is_err(), "{slip}");
            }
        }
    }

    #[test]
    fn names_have_one_spelling() {
        assert!("22".parse::<ProvinceCode>().is_ok() && "66".parse::<ProvinceCode>().is_ok());
        for wrong in ["2", "022", "71", "+2", "２２", "81"] {
            assert!(wrong.parse::<ProvinceCode>().is_err(), "{wrong}");
        }
        for name in
            ["reference", "keeping", "province-66", "case-01890a5d-ac96-774b-bcce-b302099a8057"]
        {
            assert_eq!(name.parse::<StreamName>().unwrap().to_string(), name);
        }
        assert!("01890A5D-AC96-774B-BCCE-B302099A8057".parse::<CaseId>().is_err());
    }
}
