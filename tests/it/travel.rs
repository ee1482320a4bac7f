//! The case travels: one hub, a real broker, real adapters. The broker may lose all it has, any time.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use ed25519_dalek::SigningKey;
use events::envelope::{Actor, Evidence};
use events::ids::{CaseId, CaseNumber, ProvinceCode, RequestId, StreamName};
use events::proof::{Hash, signature};
use events::province::{KeyPurpose, KeyRegistered};
use events::subjects;
use events::vocabulary::{Category, Channel, IssuingAuthority, Item};
use hub::clock::Clock;
use hub::intake::pull::{PullConfig, ReportPull};
use hub::intake::reports::ReportDesk;
use hub::log::memory::MemoryLog;
use hub::log::{EventLog as _, Readers};
use hub::nats::connect::HubConnection;
use hub::nats::keys::ProvinceKeys;
use hub::nats::streams::StreamLimits;
use hub::quarantine::{Quarantine, QuarantineConfig};
use hub::registrar::starting::{RegistrarConfig, RegistrarThread, StartWith};
use hub::registrar::{Answer, Ask, Registrar, What, kinds};
use hub::router::compose::Composer;
use hub::router::connector::JetStreamConnector;
use hub::router::handover::Origin;
use hub::router::receipts::{self, ReceiptSender};
use hub::router::{Router, RouterConfig};
use hub::signer::Signer;
use hub::vault::{Vault, VaultConfig};
use hub::views::membership::Membership;
use hub::views::runner::Views;
use hub::wake::Wake;
use hub_core::command::{Command, Submit};
use hub_core::plan::Pace;
use hub_core::province::ProvinceCommand;
use province_adapter::adapter::Adapter;
use province_adapter::config::{Config, Office};
use province_adapter::office::simulated::SimulatedOffice;
use tempfile::TempDir;
use tests::broker::{TestBroker, VERSIONS};
use tokio::task::JoinSet;
use uuid::Uuid;

const ORIGIN: &str = "hub.test/log";
/// Longest wait for all cases of a test to end.
const JOURNEY_MAX: Duration = Duration::from_secs(90);
/// How often a condition is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A hub in this process, and an adapter for each province.
struct Journey {
    broker: TestBroker,
    connection: HubConnection,
    registrar: Registrar,
    readers: Readers,
    quarantine: Quarantine,
    signer: Arc<Signer>,
    tasks: JoinSet<()>,
    _registrar_thread: RegistrarThread,
    folder: TempDir,
}

impl Journey {
    async fn start(broker: TestBroker) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let connection = broker.hub().await;
        let log = MemoryLog::new(ORIGIN);
        let (readers, epoch) = (log.readers(), log.epoch());
        let wrapping_key_path = folder.path().join("wrapping.key");
        Vault::create_wrapping_key(&wrapping_key_path).expect("a wrapping key");
        let keys_path = folder.path().join("keys.db");
        let vault = VaultConfig { keys_path, wrapping_key_path, origin: ORIGIN.into() };
        let (sealer, opener) = Vault::open(vault).expect("a vault");
        let (appended, looked) = (Wake::default(), Wake::default());
        let (registrar, thread) = Registrar::start(
            RegistrarConfig::new(StartWith::shipped()),
            Box::new(log),
            sealer,
            Clock::Machine,
            Arc::new(hub::reference::routes()),
            appended.clone(),
        )
        .expect("a registrar");
        let strays = QuarantineConfig::new(folder.path().join("quarantine.db"));
        let quarantine = Quarantine::open(strays).expect("a quarantine");
        let membership = Membership::default();
        let views = folder.path().join("views.db");
        let views = Views::open(&views, readers.clone(), membership.clone(), Some(opener.clone()));
        let views = views.expect("views");
        let view = views.reader();
        let signer = Arc::new(Signer::new("hub-1", SigningKey::from_bytes(&[42; 32])));
        let origin = Origin { name: ORIGIN.into(), epoch };
        let connector = JetStreamConnector::new(connection.jetstream.clone());
        let (handing, receipts) = receipts::channel();
        let router = Router::new(
            Arc::new(Composer {
                readers: readers.clone(),
                opener: opener.clone(),
                membership: membership.clone(),
                signer: signer.clone(),
                origin: origin.clone(),
                clock: Clock::Machine,
            }),
            view,
            registrar.clone(),
            connector.clone(),
            RouterConfig { pace: Pace { waits_ms: vec![1_000, 2_000] }, ..Default::default() },
        );
        let desk = Arc::new(ReportDesk {
            origin: ORIGIN.into(),
            membership,
            registrar: registrar.clone(),
            readers: readers.clone(),
            quarantine: quarantine.clone(),
            opener,
            clock: Clock::Machine,
            receipts: handing,
        });
        let mut tasks = JoinSet::new();
        let (rung, tick) = (appended.listen(), Duration::from_secs(1));
        let heard = looked.listen();
        tasks.spawn(
            async move { panic!("the views stopped: {}", views.run(rung, looked, tick).await) },
        );
        tasks.spawn(router.run(heard));
        let sender =
            ReceiptSender { connector, signer: signer.clone(), origin, clock: Clock::Machine };
        tasks.spawn(sender.run(receipts));
        for (province, _) in &broker.provinces {
            let config = PullConfig { heartbeat: Duration::from_millis(500), ..Default::default() };
            let (desk, jetstream) = (desk.clone(), connection.jetstream.clone());
            let pull = ReportPull::new(desk, jetstream, *province, StreamLimits::default(), config);
            tasks.spawn(pull.run());
        }
        let mut journey = Self {
            broker,
            connection,
            registrar,
            readers,
            quarantine,
            signer,
            tasks,
            _registrar_thread: thread,
            folder,
        };
        journey.enroll().await;
        journey
    }

    async fn enroll(&mut self) {
        let provinces: Vec<ProvinceCode> = self.broker.provinces.iter().map(|it| it.0).collect();
        for province in provinces {
            let keys = self.broker.keys(province.number());
            let key = |name: &str, purpose, algorithm: &str, public_key: String| {
                let (key_id, algorithm) = (format!("{province}-{name}-1"), algorithm.to_owned());
                let key = KeyRegistered { key_id, purpose, algorithm, public_key };
                ProvinceCommand::RegisterKey(key)
            };
            let commands = [
                ProvinceCommand::Enroll { operator: "o".into() },
                key("sign", KeyPurpose::Sign, "ed25519", keys.sign_public()),
                key("seal", KeyPurpose::Seal, "x25519", keys.seal_public().to_owned()),
            ];
            for command in commands {
                self.tell(What::Province { province, command }).await;
            }
        }
    }

    /// Starts an adapter of `code` with an office that answers at once.
    fn adapter(&mut self, code: u8) {
        let folder = self.folder.path().join(format!("province-{code}"));
        let keys: &ProvinceKeys = self.broker.keys(code);
        keys.write_to(&folder).expect("the keys are written");
        let config = adapter_config(&folder, code, &self.broker.url(), &self.signer);
        let adapter = Adapter::open(&config).expect("an adapter");
        let Office::Simulated(settings) = config.office.clone();
        let office = SimulatedOffice::new(settings, adapter.reporter()).expect("an office");
        self.tasks.spawn(async move {
            adapter.run(office, std::future::pending()).await.expect("the adapter runs");
        });
    }

    async fn tell(&self, what: What) {
        let ask = Ask {
            actor: Actor::Operator("o".into()),
            occurred_at: Clock::Machine.now(),
            caused_by: None,
            what,
        };
        let answer = self.registrar.ask(ask).await.expect("the registrar answers");
        assert!(matches!(answer, Answer::Recorded(_)), "not recorded: {answer:?}");
    }

    async fn submit(&self, code: u8) -> CaseId {
        let case = CaseId(Uuid::now_v7());
        let now = Clock::Machine.now();
        let division = format!("{code}0100").parse().expect("a division");
        let command = Command::Submit(Submit {
            case,
            number: CaseNumber::of(case, Clock::Machine.today()),
            request: RequestId(Uuid::now_v7()),
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
            digest: Hash([7; 32]),
        });
        let personal = Some(br#"{"name":"canary"}"#.to_vec());
        self.tell(What::Case { case, command, personal, evidence: None, key: None }).await;
        case
    }

    /// What happened to a case, by kind.
    fn story(&self, case: CaseId) -> Vec<&'static str> {
        let story = self.readers.read(|log| log.read_stream(&StreamName::Case(case)));
        kinds(&story.expect("a story"))
    }

    fn completed(&self, cases: &[CaseId]) -> usize {
        cases.iter().filter(|it| self.story(**it).contains(&"case.completed.v1")).count()
    }

    async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        let waiting = async {
            while !condition() {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(JOURNEY_MAX, waiting)
            .await
            .unwrap_or_else(|_| panic!("never: {what}"));
    }

    /// Every report on record, as it was signed.
    fn reports(&self, cases: &[CaseId]) -> Vec<(String, Evidence)> {
        let stories = cases.iter().flat_map(|it| {
            self.readers.read(|log| log.read_stream(&StreamName::Case(*it))).expect("a story")
        });
        stories
            .filter_map(|it| it.envelope.evidence)
            .map(|it| {
                let report = events::wire::report_from_bytes(&it.bytes).expect("a report").report;
                (subjects::report(report.province, report.news.token()), it)
            })
            .collect()
    }

    fn head(&self) -> u64 {
        self.readers.read(|log| log.head()).expect("a head").map_or(0, |it| it.0.0)
    }

    fn strays(&self) -> u64 {
        self.quarantine.counts().expect("counts").iter().map(|it| it.2).sum()
    }

    /// Waits until the hub has nothing of this province before it any more.
    async fn drained(&self, code: u8) {
        let province = ProvinceCode::new(code).expect("a province");
        let stream = subjects::report_stream(province);
        let looking = async {
            loop {
                let consumer: async_nats::jetstream::consumer::PullConsumer = self
                    .connection
                    .jetstream
                    .get_consumer_from_stream(subjects::REPORT_CONSUMER, &stream)
                    .await
                    .expect("the consumer is there");
                let info = consumer.cached_info();
                if info.num_pending == 0 && info.num_ack_pending == 0 {
                    return;
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        tokio::time::timeout(JOURNEY_MAX, looking).await.expect("the stream is drained");
    }
}

fn adapter_config(folder: &Path, code: u8, url: &str, hub: &Signer) -> Config {
    let text = format!(
        r#"
province = "{code}"
origin = "{ORIGIN}"
office = "simulated"
[broker]
urls = ["{url}"]
nkey_seed_file = "{nkey}"
[keys]
sign_key_file = "{sign}"
sign_key_id = "{code}-sign-1"
seal_key_file = "{seal}"
seal_key_id = "{code}-seal-1"
hub_public_key = "{hub_key}"
hub_key_id = "{hub_id}"
[store]
path = "adapter.db"
[pace]
resend_after_ms = [1000, 2000]
[simulated]
mode = "instant"
"#,
        nkey = hub::nats::keys::NKEY_FILE,
        sign = hub::nats::keys::SIGN_FILE,
        seal = hub::nats::keys::SEAL_FILE,
        hub_key = signature::public_key_text(&hub.public_key()),
        hub_id = hub.key_id(),
    );
    let file = folder.join("adapter.toml");
    std::fs::write(&file, text).expect("the configuration is written");
    Config::load(&file).expect("the configuration is good")
}

async fn submit_many(journey: &Journey, codes: [u8; 2], count: usize) -> Vec<CaseId> {
    let mut cases = Vec::with_capacity(count);
    for nth in 0..count {
        cases.push(journey.submit(codes[nth % 2]).await);
    }
    cases
}

/// Each case has each stage once, whatever was sent twice.
fn assert_each_once(journey: &Journey, cases: &[CaseId]) {
    for case in cases {
        let story = journey.story(*case);
        for kind in ["case.delivered.v1", "case.accepted.v1", "case.completed.v1"] {
            assert_eq!(story.iter().filter(|it| **it == kind).count(), 1, "{kind} in {story:?}");
        }
        assert!(!story.contains(&"case.report-refused.v1"), "{story:?}");
        assert!(!story.contains(&"case.conflicting-decision.v1"), "{story:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_cases_travel_and_every_old_report_again_changes_nothing() {
    for version in VERSIONS {
        let Some(broker) = TestBroker::start("travel", version, &[22, 23]).await else { continue };
        let mut journey = Journey::start(broker).await;
        journey.adapter(22);
        journey.adapter(23);
        let cases = submit_many(&journey, [22, 23], 50).await;
        journey.until("all complete", || journey.completed(&cases) == cases.len()).await;
        assert_each_once(&journey, &cases);

        let reports = journey.reports(&cases);
        let ours: Vec<_> =
            reports.iter().filter(|it| it.0.starts_with("hub.v1.report.22.")).collect();
        assert_eq!(reports.len(), 150);
        let head = journey.head();
        let client = journey.broker.client(22).await;
        for (subject, evidence) in &ours {
            let mut headers = HeaderMap::new();
            headers.insert(subjects::SIGNATURE_HEADER, evidence.signature.as_str());
            let payload = evidence.bytes.clone().into();
            let stored = client.request_with_headers(subject.clone(), headers, payload).await;
            stored.expect("the broker takes it");
        }
        journey.drained(22).await;
        assert_eq!((journey.head(), journey.strays()), (head, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_that_loses_everything_loses_nothing_that_counts() {
    for version in VERSIONS {
        let Some(broker) = TestBroker::start("travel", version, &[22, 23]).await else { continue };
        let mut journey = Journey::start(broker).await;
        // Only one province listens: the other one's work lies in the broker when it is wiped.
        journey.adapter(22);
        let mut cases = submit_many(&journey, [22, 23], 40).await;
        let forwarded = || cases.iter().all(|it| journey.story(*it).contains(&"case.forwarded.v1"));
        journey.until("all forwarded", forwarded).await;
        journey.broker.wipe_store().await;
        cases.extend(submit_many(&journey, [22, 23], 10).await);
        journey.adapter(23);
        journey.until("all complete", || journey.completed(&cases) == cases.len()).await;
        assert_each_once(&journey, &cases);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_nobody_signed_is_kept_by_name_and_an_honest_report_behind_it_is_taken() {
    for version in VERSIONS {
        let Some(broker) = TestBroker::start("travel", version, &[22, 23]).await else { continue };
        let mut journey = Journey::start(broker).await;
        journey.broker.ensure(&journey.connection, &StreamLimits::default()).await;
        let head = journey.head();
        let client = journey.broker.client(22).await;
        let mut many = HeaderMap::new();
        (0..200).for_each(|it| many.append("X-Many", it.to_string().as_str()));
        let mut forged = HeaderMap::new();
        forged.insert("Nats-Subject", "hub.v1.report.23.accepted");
        forged.insert(subjects::SIGNATURE_HEADER, "a..b");
        let payloads: [(&'static [u8], HeaderMap); 6] = [
            (b"", HeaderMap::new()),
            (b"+ACK", HeaderMap::new()),
            (br#"{"stream":"REPORT_23","seq":1}"#, HeaderMap::new()),
            (&[0xff; 100], HeaderMap::new()),
            (b"{}", many),
            (b"{}", forged),
        ];
        for (payload, headers) in payloads {
            let subject = "hub.v1.report.22.accepted";
            let stored = client.request_with_headers(subject, headers, payload.into()).await;
            stored.expect("the broker takes it");
        }
        journey.until("all six are kept", || journey.strays() == 6).await;
        journey.drained(22).await;
        let reasons = journey.quarantine.counts().expect("counts");
        let reasons: BTreeSet<_> = reasons.into_iter().map(|it| it.1).collect();
        let named = ["malformed-signature", "no-signature"].map(str::to_owned);
        assert_eq!(reasons, BTreeSet::from(named));
        assert_eq!(journey.head(), head);

        journey.adapter(22);
        let case = journey.submit(22).await;
        journey.until("the honest case completes", || journey.completed(&[case]) == 1).await;
    }
}
