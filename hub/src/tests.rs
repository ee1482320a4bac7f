//! For tests: a hub in one process with its log in memory, and provinces that can sign.

use std::sync::Arc;

use ed25519_dalek::SigningKey;
use events::envelope::{Actor, Recorded};
use events::ids::{CaseId, CaseNumber, ProvinceCode, ReportId, RequestId, StreamName};
use events::proof::signature::{self, Purpose};
use events::proof::{Hash, seal};
use events::province::{KeyPurpose, KeyRegistered};
use events::report::{News, Report, ReportMessage};
use events::vocabulary::{Category, Channel, IssuingAuthority, Item};
use events::wire::report_to_bytes;
use events::{subjects, work::WorkKind};
use hub_core::command::{Command, Submit};
use hub_core::plan::Waiting;
use hub_core::province::ProvinceCommand;
use jiff::Timestamp;
use uuid::Uuid;

use crate::clock::Clock;
use crate::intake::reports::Message;
use crate::log::memory::MemoryLog;
use crate::log::{EventLog as _, Readers};
use crate::quarantine::{Quarantine, QuarantineConfig};
use crate::registrar::starting::{RegistrarConfig, StartWith};
use crate::registrar::{Answer, Ask, Registrar, What};
use crate::router::handover::{Origin, fold};
use crate::signer::Signer;
use crate::vault::{Opener, Vault, VaultConfig};
use crate::views::membership::Membership;
use crate::wake::Wake;

pub(crate) const ORIGIN: &str = "hub.test/log";

/// A hub without a disk, a broker or a view.
pub(crate) struct Stage {
    pub(crate) registrar: Registrar,
    pub(crate) readers: Readers,
    pub(crate) opener: Opener,
    pub(crate) membership: Membership,
    pub(crate) quarantine: Quarantine,
    pub(crate) clock: Clock,
    pub(crate) signer: Arc<Signer>,
    pub(crate) origin: Origin,
    folder: tempfile::TempDir,
}

impl Stage {
    /// A hub at nine in the morning of a working day in Shanghai.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::manual("2026-03-02T01:00:00Z".parse().unwrap());
        let log = MemoryLog::new(ORIGIN);
        let (readers, epoch) = (log.readers(), log.epoch());
        let wrapping_key_path = folder.path().join("wrapping.key");
        Vault::create_wrapping_key(&wrapping_key_path).unwrap();
        let keys_path = folder.path().join("keys.db");
        let config = VaultConfig { keys_path, wrapping_key_path, origin: ORIGIN.into() };
        let (sealer, opener) = Vault::open(config).unwrap();
        let (registrar, _thread) = Registrar::start(
            RegistrarConfig::new(StartWith::shipped()),
            Box::new(log),
            sealer,
            clock.clone(),
            Arc::new(crate::reference::routes()),
            Wake::default(),
        )
        .unwrap();
        let strays = QuarantineConfig::new(folder.path().join("quarantine.db"));
        Self {
            registrar,
            readers,
            opener,
            membership: Membership::default(),
            quarantine: Quarantine::open(strays).unwrap(),
            clock,
            signer: Arc::new(Signer::new("hub-1", SigningKey::from_bytes(&[42; 32]))),
            origin: Origin { name: ORIGIN.into(), epoch },
            folder,
        }
    }

    /// Enrolls a province with a signing and a sealing key.
    pub(crate) async fn enroll(&self, code: u8) {
        self.tell_province(code, ProvinceCommand::Enroll { operator: "o".into() }).await;
        let sign = signature::public_key_text(&sign_key(code).verifying_key());
        self.register(code, format!("{code}-sign-1"), KeyPurpose::Sign, "ed25519", sign).await;
        let seal = seal::key_pair(&[code; 32]).1;
        self.register(code, format!("{code}-seal-1"), KeyPurpose::Seal, "x25519", seal).await;
    }

    async fn register(
        &self,
        code: u8,
        key_id: String,
        purpose: KeyPurpose,
        algorithm: &str,
        public_key: String,
    ) {
        let key = KeyRegistered { key_id, purpose, algorithm: algorithm.into(), public_key };
        self.tell_province(code, ProvinceCommand::RegisterKey(key)).await;
    }

    /// Records something about a province; the membership knows at once.
    pub(crate) async fn tell_province(&self, code: u8, command: ProvinceCommand) {
        let what = What::Province { province: province(code), command };
        let recorded = self.ask(Actor::Operator("o".into()), what).await;
        recorded.iter().for_each(|it| self.membership.apply(it));
    }

    /// Hands in the `nth` case, for an authority in the province of `code`.
    pub(crate) async fn submit(&self, nth: u128, code: u8) -> CaseId {
        let case = CaseId(Uuid::from_u128(nth));
        let division = format!("{code}0100").parse().unwrap();
        let now = self.clock.now();
        let submit = Submit {
            case,
            number: CaseNumber::of(case, self.clock.today()),
            request: RequestId(Uuid::from_u128(1_000_000 + nth)),
            client: "web".into(),
            client_reference: None,
            item: Item::IntegrityAssessment,
            category: Category::GeneralFreight,
            channel: Channel::Web,
            authority: IssuingAuthority {
                code: None,
                name: "某市交通运输局".into(),
                division: Some(division),
            },
            submitted_at: now,
            digest: Hash([nth as u8; 32]),
        };
        let personal = Some(format!(r#"{{"name":"canary-{nth}"}}"#).into_bytes());
        let command = Command::Submit(submit);
        let what = What::Case { case, command, personal, evidence: None, key: None };
        self.ask(Actor::National("web".into()), what).await;
        case
    }

    /// Records a command about a case that carries nothing else.
    pub(crate) async fn tell(&self, case: CaseId, command: Command) {
        let what = What::Case { case, command, personal: None, evidence: None, key: None };
        self.ask(Actor::Operator("o".into()), what).await;
    }

    async fn ask(&self, actor: Actor, what: What) -> Vec<Recorded> {
        let ask = Ask { actor, occurred_at: self.clock.now(), caused_by: None, what };
        match self.registrar.ask(ask).await.unwrap() {
            Answer::Recorded(events) => events,
            other => panic!("not recorded: {other:?}"),
        }
    }

    /// What the intake does with a report that it believes.
    pub(crate) async fn registrar_records(&self, message: Message) {
        let said = events::wire::report_from_bytes(&message.payload).unwrap();
        let signature =
            message.headers.unwrap().get(subjects::SIGNATURE_HEADER).unwrap().to_string();
        let bytes = message.payload.to_vec();
        let what = What::Case {
            case: said.report.case,
            command: Command::Record {
                message: said.clone(),
                next_request: RequestId(Uuid::from_u128(said.id.0.as_u128() ^ 1)),
            },
            personal: None,
            evidence: Some(events::envelope::Evidence { bytes, signature }),
            key: None,
        };
        self.ask(Actor::Province(said.report.province), what).await;
    }

    /// From now on no stray can be kept.
    pub(crate) fn break_quarantine(&self) {
        let file = self.folder.path().join("quarantine.db");
        let database = rusqlite::Connection::open(file).unwrap();
        database.execute_batch("DROP TABLE stray").unwrap();
    }

    /// The case's story.
    pub(crate) fn story(&self, case: CaseId) -> Vec<Recorded> {
        self.readers.read(|log| log.read_stream(&StreamName::Case(case))).unwrap()
    }

    /// How many events the log has.
    pub(crate) fn events_count(&self) -> u64 {
        self.readers.read(|log| log.head()).unwrap().map_or(0, |it| it.0.0)
    }

    /// What the outbox view shows of these cases when it is not behind.
    pub(crate) fn waiting(&self, cases: &[CaseId]) -> Vec<Waiting> {
        cases.iter().filter_map(|it| self.waiting_of(*it)).collect()
    }

    fn waiting_of(&self, case: CaseId) -> Option<Waiting> {
        let story = self.story(case);
        let folded = fold(&story)?;
        let (province, request, work) = folded.waiting()?;
        let attempts = folded.request()?.attempts;
        let last = story.iter().rev().find(|it| it.envelope.event.kind() == "case.forwarded.v1");
        let attempted_at = last.filter(|_| attempts > 0).map(|it| it.recorded_at);
        Some(Waiting { case, province, request, work, attempts, attempted_at })
    }

    /// A report on the case's last request, as its province would send it.
    pub(crate) fn report(&self, case: CaseId, number: u64, news: News) -> Message {
        self.report_by(case, number, news, None)
    }

    /// The same, said and signed by the province of `code`.
    pub(crate) fn report_by(
        &self,
        case: CaseId,
        number: u64,
        news: News,
        code: Option<u8>,
    ) -> Message {
        let folded = fold(&self.story(case));
        let request = folded.as_ref().and_then(|it| it.request());
        let said_by = code.map(province).or(request.map(|it| it.province)).unwrap();
        let report = Report {
            origin: ORIGIN.into(),
            province: said_by,
            case,
            request: request.map_or(RequestId(Uuid::nil()), |it| it.id),
            digest: request.map_or(Hash::ZERO, |it| it.digest),
            number,
            adapter: "1.0.0".into(),
            news,
            sealed_text: None,
        };
        self.signed(report)
    }

    /// The report in its envelope; the same report again has the same id.
    pub(crate) fn signed(&self, report: Report) -> Message {
        let (code, token) = (report.province, report.news.token());
        let said = format!("{report:?}");
        let id = said.bytes().fold(7u128, |sum, it| sum.wrapping_mul(31) ^ u128::from(it));
        let id = ReportId(Uuid::from_u128(id));
        let message = ReportMessage { id, occurred_at: self.clock.now(), report };
        let payload = report_to_bytes(&message);
        let (key, key_id) = (sign_key(code.number()), format!("{code}-sign-1"));
        let signature = signature::sign(&key, &key_id, Purpose::Report, &payload);
        let mut headers = async_nats::HeaderMap::new();
        headers.insert(subjects::SIGNATURE_HEADER, signature.as_str());
        let subject = subjects::report(code, token);
        Message { subject, headers: Some(headers), headers_readable: true, payload: payload.into() }
    }
}

/// "The adapter holds the case."
pub(crate) fn delivered() -> News {
    News::Delivered { work: WorkKind::Case }
}

/// "We take the case."
pub(crate) fn accepted() -> News {
    News::Accepted { acceptance_number: "受-7".into() }
}

pub(crate) fn province(code: u8) -> ProvinceCode {
    ProvinceCode::new(code).unwrap()
}

pub(crate) fn sign_key(code: u8) -> SigningKey {
    SigningKey::from_bytes(&[code; 32])
}

/// The moment of the stage, moved on.
pub(crate) fn later(clock: &Clock, seconds: i64) -> Timestamp {
    let moment = clock.now() + jiff::SignedDuration::from_secs(seconds);
    clock.advance_to(moment);
    moment
}
