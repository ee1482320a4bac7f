//! The national system's side: it hands cases in, by hand, under keys of its own.

use events::envelope::{Actor, Recorded};
use events::ids::{CaseId, CaseNumber, ProvinceCode, RequestId};
use events::proof::Hash;
use events::vocabulary::{Category, Channel, IssuingAuthority, Item};
use hub::log::SenderKey;
use hub::registrar::{Answer, Unavailable, What};
use hub_core::calendar::shanghai_date;
use hub_core::command::{Command, Submit};
use jiff::Timestamp;
use serde_json::json;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::TestHub;

/// The client of every test.
pub const CLIENT: &str = "national-web";

/// A person who does not exist.
#[derive(Debug, Clone)]
pub struct Applicant {
    /// Name.
    pub name: String,
    /// ID number.
    pub identity_number: String,
    /// Telephone.
    pub phone: String,
}

impl Default for Applicant {
    fn default() -> Self {
        Self {
            name: "测试甲".to_owned(),
            identity_number: "110105194912310021".to_owned(),
            phone: "13900000000".to_owned(),
        }
    }
}

/// A case that is about to be handed in.
#[derive(Debug, Clone)]
pub struct Handed {
    /// Which, counted by the test; the ids follow from it.
    pub nth: u64,
    /// To the capital of which province.
    pub to: ProvinceCode,
    /// Which item.
    pub item: Item,
    /// When the applicant submitted.
    pub submitted_at: Timestamp,
    /// Who.
    pub applicant: Applicant,
}

impl Handed {
    /// The `nth` case, for `to`.
    pub fn new(nth: u64, to: ProvinceCode, submitted_at: Timestamp) -> Self {
        let applicant = Applicant::default();
        Self { nth, to, item: Item::IntegrityAssessment, submitted_at, applicant }
    }

    /// Its id when it is handed in for the first time.
    pub fn case(&self) -> CaseId {
        case_id(self.nth)
    }

    fn personal(&self) -> Vec<u8> {
        let Applicant { name, identity_number, phone } = &self.applicant;
        let applicant = json!({"name": name, "identity_number": identity_number, "phone": phone});
        json!({"applicant": applicant, "nth": self.nth}).to_string().into_bytes()
    }

    /// Asks under `case`, which an intake draws anew each time; the key is always the same.
    pub fn hand_in(&self, hub: &TestHub, case: CaseId) -> Result<Answer, Unavailable> {
        let personal = self.personal();
        let submit = Submit {
            case,
            number: CaseNumber::of(case, shanghai_date(hub.clock.now())),
            request: RequestId(sibling(case, 1)),
            client: CLIENT.to_owned(),
            client_reference: None,
            item: self.item,
            category: Category::Passenger,
            channel: Channel::App,
            authority: capital(self.to),
            submitted_at: self.submitted_at,
            digest: hub.opener().fingerprint(&personal),
        };
        let what = What::Case {
            case,
            command: Command::Submit(submit),
            personal: Some(personal),
            evidence: None,
            key: Some(SenderKey(Sha256::digest(format!("{CLIENT} {}", self.nth)).into())),
        };
        hub.ask(Actor::National(CLIENT.to_owned()), what)
    }

    /// Hands it in and expects that it is recorded now.
    pub fn submit(&self, hub: &TestHub) -> Vec<Recorded> {
        match self.hand_in(hub, self.case()) {
            Ok(Answer::Recorded(events)) => events,
            other => panic!("the case should be recorded: {other:?}"),
        }
    }
}

/// The id of the `nth` case. Versions and variant are those of a UUIDv7.
pub fn case_id(nth: u64) -> CaseId {
    CaseId(Uuid::from_u128(0x0195_5000_0000_7000_8000_0000_0000_0000 + (u128::from(nth) << 16)))
}

/// Another id that belongs to a case.
pub fn sibling(case: CaseId, which: u16) -> Uuid {
    Uuid::from_u128(case.0.as_u128() + u128::from(which))
}

/// The transport bureau of a provincial capital; the XPCC has no division code.
pub fn capital(province: ProvinceCode) -> IssuingAuthority {
    let code = province.number();
    if code == 66 {
        let name = "新疆生产建设兵团交通局".to_owned();
        return IssuingAuthority { code: None, name, division: None };
    }
    let digits = match code {
        11 | 12 | 31 | 50 => format!("{code}0101"),
        _ => format!("{code}0100"),
    };
    let division = digits.parse().expect("six digits");
    IssuingAuthority { code: None, name: "交通运输局".to_owned(), division: Some(division) }
}

/// The applicant sends what was missing.
pub fn correct(
    hub: &TestHub,
    case: CaseId,
    which: u16,
    at: Timestamp,
) -> Result<Answer, Unavailable> {
    let text = json!({"correction": which, "case": case}).to_string().into_bytes();
    let command = Command::SubmitCorrection {
        digest: Hash(Sha256::digest(&text).into()),
        submitted_at: at,
        request: RequestId(sibling(case, 100 + which)),
    };
    let what = What::Case { case, command, personal: Some(text), evidence: None, key: None };
    hub.ask(Actor::National(CLIENT.to_owned()), what)
}

/// The applicant takes it back.
pub fn withdraw(hub: &TestHub, case: CaseId, at: Timestamp) -> Result<Answer, Unavailable> {
    let request = RequestId(sibling(case, 99));
    let command = Command::Withdraw { requested_at: at, request };
    let what = What::Case { case, command, personal: None, evidence: None, key: None };
    hub.ask(Actor::National(CLIENT.to_owned()), what)
}
