//! A hub in this process, a real broker, and real adapters with an office that answers at once.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crate::broker::TestBroker;
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
use hub::nats::connect::{self, HubConnection};
use hub::nats::keys::ProvinceKeys;
use hub::nats::streams::StreamLimits;
use hub::quarantine::{Quarantine, QuarantineConfig};
use hub::redrive::Waiting;
use hub::redrive::run::Redriver;
use hub::registrar::starting::{RegistrarConfig, RegistrarThread, StartWith};
use hub::registrar::{Answer, Ask, Registrar, What, kinds};
use hub::router::compose::Composer;
use hub::router::connector::JetStreamConnector;
use hub::router::handover::Origin;
use hub::router::receipts::{self, ReceiptSender};
use hub::router::{Router, RouterConfig};
use hub::signer::Signer;
use hub::vault::{Opener, Sealer, Vault, VaultConfig};
use hub::views::membership::Membership;
use hub::views::reader::ViewReader;
use hub::views::runner::Views;
use hub::wake::Wake;
use hub_core::command::{Command, Submit};
use hub_core::plan::Pace;
use hub_core::province::ProvinceCommand;
use province_adapter::adapter::Adapter;
use province_adapter::config::{Config, Office};
use province_adapter::office::simulated::SimulatedOffice;
use tempfile::TempDir;
use tokio::task::JoinSet;
use uuid::Uuid;

/// What the log here is called.
pub const ORIGIN: &str = "hub.test/log";
/// Longest wait for all cases of a test to end.
const JOURNEY_MAX: Duration = Duration::from_secs(90);
/// How often the broker says that it is there, and the hub looks whether something was swallowed.
const LOOKED_AT: Duration = Duration::from_millis(500);
/// How often a condition is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A hub in this process, and an adapter for each province.
pub struct Journey {
    pub broker: TestBroker,
    pub connection: HubConnection,
    pub registrar: Registrar,
    pub readers: Readers,
    pub quarantine: Quarantine,
    pub signer: Arc<Signer>,
    pub membership: Membership,
    pub views: ViewReader,
    tasks: JoinSet<()>,
    _registrar_thread: RegistrarThread,
    folder: TempDir,
}

impl Journey {
    /// Starts everything but the adapters, and enrolls the broker's provinces.
    pub async fn start(broker: TestBroker) -> Self {
        Self::start_with(broker, StreamLimits::default()).await
    }

    /// The same, with streams of these limits, and a look for what was swallowed twice a second.
    pub async fn start_with(broker: TestBroker, limits: StreamLimits) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let connection = broker.hub().await;
        let log = MemoryLog::new(ORIGIN);
        let (readers, epoch) = (log.readers(), log.epoch());
        let (sealer, opener) = vault(folder.path());
        let appended = Wake::default();
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
        let signer = Arc::new(Signer::new("hub-1", SigningKey::from_bytes(&[42; 32])));
        let views = ViewReader::open(&folder.path().join("views.db"));
        let mut journey = Self {
            views,
            broker,
            connection,
            registrar,
            readers,
            quarantine,
            signer,
            membership: Membership::default(),
            tasks: JoinSet::new(),
            _registrar_thread: thread,
            folder,
        };
        journey.start_loops(Origin { name: ORIGIN.into(), epoch }, opener, appended, &limits);
        journey.enroll().await;
        journey
    }

    fn start_loops(
        &mut self,
        origin: Origin,
        opener: Opener,
        appended: Wake,
        limits: &StreamLimits,
    ) {
        let (membership, looked) = (self.membership.clone(), Wake::default());
        let path = self.folder.path().join("views.db");
        let views =
            Views::open(&path, self.readers.clone(), membership.clone(), Some(opener.clone()));
        let views = views.expect("views");
        let connector = JetStreamConnector::new(self.connection.jetstream.clone());
        let (handing, receipts) = receipts::channel();
        let composer = Composer {
            readers: self.readers.clone(),
            opener: opener.clone(),
            membership: membership.clone(),
            signer: self.signer.clone(),
            origin: origin.clone(),
            clock: Clock::Machine,
        };
        let pace = Pace { waits_ms: vec![1_000, 2_000] };
        let router = Router::new(
            Arc::new(composer),
            views.reader(),
            self.registrar.clone(),
            connector.clone(),
            RouterConfig { pace, ..Default::default() },
        );
        let (signer, clock) = (self.signer.clone(), Clock::Machine);
        let sender = ReceiptSender { connector, signer, origin, clock };
        let desk = Arc::new(ReportDesk {
            origin: ORIGIN.into(),
            membership,
            registrar: self.registrar.clone(),
            readers: self.readers.clone(),
            quarantine: self.quarantine.clone(),
            opener,
            clock: Clock::Machine,
            receipts: handing,
            comparisons: tokio::sync::mpsc::channel(1).0,
        });
        let redriver = Redriver {
            waiting: Waiting { views: views.reader(), quarantine: self.quarantine.clone() },
            registrar: self.registrar.clone(),
            readers: self.readers.clone(),
            clock: Clock::Machine,
            desk: desk.clone(),
            seen: None,
        };
        self.tasks.spawn(redriver.run(looked.listen(), Duration::from_secs(1)));
        let (heard, rung) = (looked.listen(), appended.listen());
        self.tasks.spawn(async move {
            let why = views.run(rung, looked, Duration::from_secs(1)).await;
            panic!("the views stopped: {why}");
        });
        self.tasks.spawn(router.run(heard));
        self.tasks.spawn(sender.run(receipts));
        for (province, _) in &self.broker.provinces {
            let (heartbeat, by_hand_tick) = (LOOKED_AT, LOOKED_AT);
            let config = PullConfig { heartbeat, by_hand_tick, ..Default::default() };
            let (desk, province, limits) = (desk.clone(), *province, limits.clone());
            let (broker, key) = (self.broker.address(), self.broker.hub_key.clone());
            self.tasks.spawn(async move {
                let connection = connect::connect(&broker, &key).await.expect("a connection");
                ReportPull::new(desk, connection, province, limits, config).run().await;
            });
        }
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
    pub fn adapter(&mut self, code: u8) {
        let folder = self.folder.path().join(format!("province-{code}"));
        let keys: &ProvinceKeys = self.broker.keys(code);
        keys.write_to(&folder).expect("the keys are written");
        let config = adapter_config(&folder, code, &self.broker.url(), &self.signer);
        let adapter = Adapter::open(&config).expect("an adapter");
        let Office::Simulated(settings) = config.office.clone() else {
            panic!("the simulated office")
        };
        let office = SimulatedOffice::new(settings, adapter.reporter()).expect("an office");
        self.tasks.spawn(async move {
            adapter.run(office, std::future::pending()).await.expect("the adapter runs");
        });
    }

    /// Has it recorded, as an operator would.
    pub async fn tell(&self, what: What) {
        let ask = Ask {
            actor: Actor::Operator("o".into()),
            occurred_at: Clock::Machine.now(),
            caused_by: None,
            what,
        };
        let answer = self.registrar.ask(ask).await.expect("the registrar answers");
        assert!(matches!(answer, Answer::Recorded(_)), "not recorded: {answer:?}");
    }

    /// Hands in a case for an authority in the province of `code`.
    pub async fn submit(&self, code: u8) -> CaseId {
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

    /// What provinces know the hub by.
    pub fn hub_public_key(&self) -> String {
        signature::public_key_text(&self.signer.public_key())
    }

    /// What happened to a case, by kind.
    pub fn story(&self, case: CaseId) -> Vec<&'static str> {
        let story = self.readers.read(|log| log.read_stream(&StreamName::Case(case)));
        kinds(&story.expect("a story"))
    }

    /// How many of `cases` have their decision on record.
    pub fn completed(&self, cases: &[CaseId]) -> usize {
        cases.iter().filter(|it| self.story(**it).contains(&"case.completed.v1")).count()
    }

    /// Waits for `condition`; panics with `what` when it never comes true.
    pub async fn until(&self, what: &str, condition: impl Fn() -> bool) {
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
    pub fn reports(&self, cases: &[CaseId]) -> Vec<(String, Evidence)> {
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

    /// The log's last position.
    pub fn head(&self) -> u64 {
        self.readers.read(|log| log.head()).expect("a head").map_or(0, |it| it.0.0)
    }

    /// How many strays came.
    pub fn strays(&self) -> u64 {
        self.quarantine.counts().expect("counts").iter().map(|it| it.2).sum()
    }

    /// Waits until the hub has nothing of this province before it any more.
    pub async fn drained(&self, code: u8) {
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

fn vault(folder: &Path) -> (Sealer, Opener) {
    let wrapping_key_path = folder.join("wrapping.key");
    Vault::create_wrapping_key(&wrapping_key_path).expect("a wrapping key");
    let keys_path = folder.join("keys.db");
    let config = VaultConfig { keys_path, wrapping_key_path, origin: ORIGIN.into() };
    Vault::open(config).expect("a vault")
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
