//! What the vectors are made of: one case of one province, told with keys that everybody knows.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::SigningKey;
use events::case::CaseResult;
use events::ids::{CaseId, CaseNumber, ProvinceCode, ReportId, RequestId};
use events::proof::{Digest, Hash};
use events::report::{News, Report, ReportMessage};
use events::vocabulary::{
    Category, Channel, DueDay, Grade, IssuingAuthority, Item, Material, Outcome, Reason,
    SuspensionGround,
};
use events::work::{PersonalPart, Work, WorkKind};
use jiff::Timestamp;
use jiff::civil::date;
use serde_json::{Value, json};
use uuid::Uuid;

pub(super) const ORIGIN: &str = "hub.example/vectors";
/// Keys of these vectors only: everybody knows them.
pub(super) const HUB_SEED: [u8; 32] = [0x11; 32];
pub(super) const PROVINCE_SEED: [u8; 32] = [0x22; 32];
pub(super) const SEAL_RANDOMNESS: [u8; 32] = [0x33; 32];
pub(super) const EPHEMERAL_RANDOMNESS: [u8; 32] = [0x44; 32];
pub(super) const REPLY_KEY: [u8; 32] = [0x55; 32];
pub(super) const TEXT_NONCE: [u8; 12] = [0x66; 12];

pub(super) fn hub_key() -> SigningKey {
    SigningKey::from_bytes(&HUB_SEED)
}

pub(super) fn province_key() -> SigningKey {
    SigningKey::from_bytes(&PROVINCE_SEED)
}

pub(super) fn province() -> ProvinceCode {
    ProvinceCode::new(22).expect("22 is a province")
}

pub(super) fn id(text: &str) -> Uuid {
    text.parse().expect("written here")
}

pub(super) fn case() -> CaseId {
    CaseId(id("01890a5d-ac96-774b-bcce-b302099a8057"))
}

pub(super) fn request() -> RequestId {
    RequestId(id("01890a5d-ac96-774b-bcce-b302099a8058"))
}

pub(super) fn at(text: &str) -> Timestamp {
    text.parse().expect("written here")
}

pub(super) fn digest() -> Digest {
    Hash([0x77; 32])
}

/// The members in the order of the alphabet: the bytes are the same however a library orders them.
pub(super) fn applicant() -> Value {
    json!({
        "applicant": {
            "certificate_number": "2201000012345678",
            "identity_number": "11010519491231002X",
            "name": "测试甲·𠮷",
        },
        "materials": [{"kind": "photo", "reference": "f-7c1e0d53"}],
        "remarks": "向量",
    })
}

pub(super) fn personal_part() -> Vec<u8> {
    let personal = PersonalPart { reply_key: BASE64.encode(REPLY_KEY), applicant: applicant() };
    serde_json::to_vec(&personal).expect("a text and a value serialize")
}

pub(super) fn work(kind: WorkKind) -> Work {
    Work {
        origin: ORIGIN.to_owned(),
        province: province(),
        kind,
        case: case(),
        number: CaseNumber::of(case(), date(2026, 2, 13)),
        request: request(),
        digest: digest(),
        epoch: 3,
        item: Item::Renewal,
        category: Category::GeneralFreight,
        channel: Channel::MiniProgram,
        authority: IssuingAuthority {
            code: None,
            name: "长春市道路运输管理局".to_owned(),
            division: "220100".parse().ok(),
        },
        submitted_at: at("2026-02-13T01:30:00Z"),
        due: DueDay {
            day: date(2026, 2, 24),
            papers: vec!["国办发明电〔2025〕7号".to_owned()],
            provisional: false,
        },
        next_report_number: None,
        sealed: None,
    }
}

pub(super) fn every_news() -> Vec<News> {
    let result = CaseResult {
        grade: Some(Grade::Aaa),
        valid_until: Some(date(2032, 2, 12)),
        certificate_id: Some("e-220100-1".to_owned()),
        next_due: None,
    };
    vec![
        News::Delivered { work: WorkKind::Case },
        News::Returned { reason: Reason::NotThisAuthority, division: "230100".parse().ok() },
        News::CorrectionRequested {
            missing: vec![Material::Photo, Material::EducationRecord],
            until: date(2026, 3, 6),
        },
        News::Accepted { acceptance_number: "吉受-7".to_owned() },
        News::Declined { reason: Reason::PhotoUnacceptable },
        News::Suspended { ground: SuspensionGround::ExpertReview },
        News::Resumed,
        News::Completed {
            outcome: Outcome::Approved,
            decision_number: "吉决-7".to_owned(),
            reasons: Vec::new(),
            result,
        },
        News::CertificateIssued { certificate_id: "e-220100-1".to_owned() },
    ]
}

pub(super) fn report(nth: usize, news: News) -> ReportMessage {
    ReportMessage {
        id: ReportId(id(&format!("01890a5d-ac96-774b-bcce-b302099a90{nth:02}"))),
        occurred_at: at("2026-02-13T02:00:00+08:00"),
        report: Report {
            origin: ORIGIN.to_owned(),
            province: province(),
            case: case(),
            request: request(),
            digest: digest(),
            number: nth as u64,
            adapter: "vectors/1".to_owned(),
            news,
            sealed_text: None,
        },
    }
}
