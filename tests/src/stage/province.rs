//! A province with real keys and no conscience: it signs for what it got, and says whatever it is told.

use std::collections::BTreeMap;

use async_nats::HeaderMap;
use ed25519_dalek::SigningKey;
use events::ids::{CaseId, ProvinceCode, ReportId, RequestId};
use events::proof::signature::{self, Purpose};
use events::proof::{Digest, seal};
use events::province::{KeyPurpose, KeyRegistered};
use events::report::{News, Report, ReportMessage};
use events::subjects;
use events::wire::{self, ToProvince};
use events::work::{ReportReceipt, Work, WorkKind};
use hub::intake::reports::Message;
use hub::router::connector::Outgoing;
use hub_core::province::ProvinceCommand;
use jiff::Timestamp;
use uuid::Uuid;

use super::{ORIGIN, TestHub, hub_key};

/// A province's keys.
pub struct Keys {
    /// Whose.
    pub province: ProvinceCode,
    /// Signs reports.
    pub sign: SigningKey,
    /// Opens work.
    pub seal_private: String,
    /// What the hub seals to.
    pub seal_public: String,
}

impl Keys {
    /// The same for the same province.
    pub fn of(province: ProvinceCode) -> Self {
        let (seal_private, seal_public) = seal::key_pair(&[100 + province.number(); 32]);
        let sign = SigningKey::from_bytes(&[province.number(); 32]);
        Self { province, sign, seal_private, seal_public }
    }

    /// `22-sign-1`
    pub fn sign_id(&self) -> String {
        format!("{}-sign-1", self.province)
    }

    /// `22-seal-1`
    pub fn seal_id(&self) -> String {
        format!("{}-seal-1", self.province)
    }

    /// Joins, with both keys.
    pub fn enrol(&self, hub: &TestHub) {
        let operator = "operator-1".to_owned();
        hub.province(self.province, ProvinceCommand::Enroll { operator });
        let sign_public = signature::public_key_text(&self.sign.verifying_key());
        for (key_id, purpose, algorithm, public_key) in [
            (self.sign_id(), KeyPurpose::Sign, "ed25519", sign_public),
            (self.seal_id(), KeyPurpose::Seal, "x25519", self.seal_public.clone()),
        ] {
            let algorithm = algorithm.to_owned();
            let key = KeyRegistered { key_id, purpose, algorithm, public_key };
            hub.province(self.province, ProvinceCommand::RegisterKey(key));
        }
    }
}

/// A report as the broker would hand it over.
pub fn message(province: ProvinceCode, token: &str, body: Vec<u8>, signature: &str) -> Message {
    let mut headers = HeaderMap::new();
    headers.insert(subjects::SIGNATURE_HEADER, signature);
    headers.insert("Content-Type", wire::CONTENT_TYPE);
    let subject = subjects::report(province, token);
    Message { subject, headers: Some(headers), headers_readable: true, payload: body.into() }
}

/// What the province holds of a case.
#[derive(Debug, Clone)]
struct Held {
    request: RequestId,
    digest: Digest,
    reported: u64,
    signed_for: Vec<(RequestId, WorkKind)>,
}

/// A province with an adapter that is honest as long as nobody makes it lie.
pub struct FakeProvince {
    /// Its keys.
    pub keys: Keys,
    held: BTreeMap<CaseId, Held>,
    made: u128,
    /// Reports that nobody has signed for yet.
    pub outbox: Vec<(ReportId, Message)>,
    /// Receipts that came, by report.
    pub receipts: BTreeMap<ReportId, ReportReceipt>,
}

impl FakeProvince {
    /// With the keys of its province.
    pub fn new(province: ProvinceCode) -> Self {
        let (held, receipts) = (BTreeMap::new(), BTreeMap::new());
        Self { keys: Keys::of(province), held, made: 0, outbox: Vec::new(), receipts }
    }

    /// Takes in what the hub sent: signs for new work, strikes out what was receipted.
    pub fn arrive(&mut self, letter: &Outgoing, at: Timestamp) -> Option<Work> {
        let hub = hub_key().verifying_key();
        signature::verify(&hub, Purpose::ToProvince, &letter.signature, &letter.payload)
            .expect("the hub signs what it sends");
        match wire::to_province_from_bytes(&letter.payload).expect("the hub writes what it reads") {
            ToProvince::Receipts(receipts) => {
                for receipt in receipts.receipts {
                    self.outbox.retain(|it| it.0 != receipt.report);
                    self.receipts.insert(receipt.report, receipt);
                }
                None
            }
            // It keeps no store that could be compared.
            ToProvince::Order(_) => None,
            ToProvince::Work(work) => {
                let before = self.held.get(&work.case).cloned();
                let mut held = before.unwrap_or(Held {
                    request: work.request,
                    digest: work.digest,
                    reported: 0,
                    signed_for: Vec::new(),
                });
                if held.signed_for.contains(&(work.request, work.kind)) {
                    return None;
                }
                held.signed_for.push((work.request, work.kind));
                let (request, digest) = (held.request, held.digest);
                (held.request, held.digest) = (work.request, work.digest);
                self.held.insert(work.case, held);
                self.say(work.case, News::Delivered { work: work.kind }, at);
                if work.kind == WorkKind::Withdrawal
                    && let Some(held) = self.held.get_mut(&work.case)
                {
                    // The office still answers what it was asked; the withdrawal crosses it.
                    (held.request, held.digest) = (request, digest);
                }
                Some(work)
            }
        }
    }

    /// Whether it ever got the case.
    pub fn holds(&self, case: CaseId) -> bool {
        self.held.contains_key(&case)
    }

    /// Signs news and puts it in the outbox.
    pub fn say(&mut self, case: CaseId, news: News, at: Timestamp) -> ReportId {
        let held = self.held.get_mut(&case).expect("a province speaks of cases that it holds");
        held.reported += 1;
        let number = held.reported;
        self.say_numbered(case, number, news, at)
    }

    /// The same under a number of one's own choice.
    pub fn say_numbered(
        &mut self,
        case: CaseId,
        number: u64,
        news: News,
        at: Timestamp,
    ) -> ReportId {
        let held = self.held.get(&case).expect("a province speaks of cases that it holds");
        self.made += 1;
        let code = u128::from(self.keys.province.number());
        let id = ReportId(Uuid::from_u128((code << 100) + self.made));
        let token = news.token();
        let report = Report {
            origin: ORIGIN.to_owned(),
            province: self.keys.province,
            case,
            request: held.request,
            digest: held.digest,
            number,
            adapter: "fake/1".to_owned(),
            news,
            sealed_text: None,
        };
        let body = wire::report_to_bytes(&ReportMessage { id, occurred_at: at, report });
        let jws = signature::sign(&self.keys.sign, &self.keys.sign_id(), Purpose::Report, &body);
        self.outbox.push((id, message(self.keys.province, token, body, &jws)));
        id
    }
}
