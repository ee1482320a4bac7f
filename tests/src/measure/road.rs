//! The whole road on the stand: hub, real broker, and an adapter with an instant office for each of the
//! 32 provinces, each with keys and a store of its own. Everything but the broker is in this process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use events::envelope::Actor;
use events::ids::ProvinceCode;
use events::proof::signature;
use events::province::{KeyPurpose, KeyRegistered};
use hub::clock::Clock;
use hub::intake::pull::{PullConfig, ReportPull};
use hub::intake::reports::ReportDesk;
use hub::nats::connect::{self, HubConnection};
use hub::nats::keys;
use hub::nats::streams::StreamLimits;
use hub::quarantine::{Quarantine, QuarantineConfig};
use hub::registrar::{Answer, Ask, What};
use hub::router::compose::Composer;
use hub::router::connector::JetStreamConnector;
use hub::router::handover::Origin;
use hub::router::receipts::{self, ReceiptSender};
use hub::router::{Router, RouterConfig};
use hub_core::plan::Pace;
use hub_core::province::ProvinceCommand;
use province_adapter::adapter::Adapter;
use province_adapter::config::{Config, Office};
use province_adapter::office::simulated::SimulatedOffice;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use super::stand::Stand;
use super::story::ORIGIN;
use crate::broker::{TestBroker, Version};

/// The hub's usual waits before a further attempt, in milliseconds.
const WAITS_MS: [u64; 5] = [5_000, 30_000, 120_000, 600_000, 3_600_000];

/// Hub, broker and adapters.
pub struct Road {
    /// The hub's rooms.
    pub stand: Stand,
    /// The broker and everybody's keys.
    pub broker: TestBroker,
    /// The hub's connection.
    pub connection: HubConnection,
    /// What came and was not understood.
    pub quarantine: Quarantine,
    hub_rooms: JoinSet<()>,
    adapters: Vec<(ProvinceCode, oneshot::Sender<()>)>,
    adapter_tasks: JoinSet<()>,
    adapter_folder: TempDir,
}

impl Road {
    /// Everything but the adapters. None if there is no broker on this machine.
    pub async fn start(name: &str, folder: &Path) -> Option<Self> {
        let codes: Vec<u8> = ProvinceCode::all().map(ProvinceCode::number).collect();
        let broker = TestBroker::start(name, Version::Current, &codes).await?;
        let stand = Stand::start(folder);
        let connection = broker.hub().await;
        let strays = QuarantineConfig::new(folder.join("quarantine.db"));
        let quarantine = Quarantine::open(strays).expect("a quarantine opens");
        let adapter_folder = tempfile::tempdir_in(folder).expect("the folder can be written");
        let mut road = Self {
            stand,
            broker,
            connection,
            quarantine,
            hub_rooms: JoinSet::new(),
            adapters: Vec::new(),
            adapter_tasks: JoinSet::new(),
            adapter_folder,
        };
        road.enroll().await;
        road.broker.ensure(&road.connection, &StreamLimits::default()).await;
        road.start_rooms();
        Some(road)
    }

    async fn enroll(&self) {
        for (province, keys) in &self.broker.provinces {
            let province = *province;
            let key = |name: &str, purpose, algorithm: &str, public_key: String| {
                let (key_id, algorithm) = (format!("{province}-{name}-1"), algorithm.to_owned());
                let key = KeyRegistered { key_id, purpose, algorithm, public_key };
                ProvinceCommand::RegisterKey(key)
            };
            let commands = [
                ProvinceCommand::Enroll { operator: "operator".into() },
                key("sign", KeyPurpose::Sign, "ed25519", keys.sign_public()),
                key("seal", KeyPurpose::Seal, "x25519", keys.seal_public().to_owned()),
            ];
            for command in commands {
                let ask = Ask {
                    actor: Actor::Operator("operator".into()),
                    occurred_at: Clock::Machine.now(),
                    caused_by: None,
                    what: What::Province { province, command },
                };
                let answer = self.stand.registrar.ask(ask).await.expect("the registrar answers");
                assert!(matches!(answer, Answer::Recorded(_)), "not recorded: {answer:?}");
            }
        }
    }

    fn start_rooms(&mut self) {
        let stand = &self.stand;
        let origin = Origin { name: ORIGIN.into(), epoch: stand.epoch };
        let signer = Arc::new(stand.signer.clone());
        let connector = JetStreamConnector::new(self.connection.jetstream.clone());
        let composer = Composer {
            readers: stand.readers.clone(),
            opener: stand.opener.clone(),
            membership: stand.membership.clone(),
            signer: signer.clone(),
            origin: origin.clone(),
            clock: Clock::Machine,
        };
        let pace = Pace { waits_ms: WAITS_MS.to_vec() };
        let router = Router::new(
            Arc::new(composer),
            stand.views.clone(),
            stand.registrar.clone(),
            connector.clone(),
            RouterConfig { pace, ..RouterConfig::default() },
        );
        let (handing, receipts) = receipts::channel();
        let sender = ReceiptSender { connector, signer, origin, clock: Clock::Machine };
        let desk = Arc::new(ReportDesk {
            origin: ORIGIN.into(),
            membership: stand.membership.clone(),
            registrar: stand.registrar.clone(),
            readers: stand.readers.clone(),
            quarantine: self.quarantine.clone(),
            opener: stand.opener.clone(),
            clock: Clock::Machine,
            receipts: handing,
            comparisons: tokio::sync::mpsc::channel(1).0,
        });
        self.hub_rooms.spawn(router.run(stand.viewed.listen()));
        self.hub_rooms.spawn(sender.run(receipts));
        for (province, _) in &self.broker.provinces {
            let (desk, province) = (desk.clone(), *province);
            let (broker, key) = (self.broker.address(), self.broker.hub_key.clone());
            self.hub_rooms.spawn(async move {
                let connection = connect::connect(&broker, &key).await.expect("a connection");
                let (limits, config) = (StreamLimits::default(), PullConfig::default());
                ReportPull::new(desk, connection, province, limits, config).run().await;
            });
        }
    }

    /// Starts the adapters of all provinces but these.
    pub fn start_adapters(&mut self, without: &[u8]) {
        let all: Vec<u8> = self.broker.provinces.iter().map(|it| it.0.number()).collect();
        for code in all.into_iter().filter(|it| !without.contains(it)) {
            self.start_adapter(code);
        }
    }

    fn start_adapter(&mut self, code: u8) {
        let folder = self.adapter_folder.path().join(format!("p{code}"));
        self.broker.keys(code).write_to(&folder).expect("the keys are written");
        let config = self.adapter_config(&folder, code);
        let adapter = Adapter::open(&config).expect("an adapter opens");
        let Office::Simulated(settings) = config.office.clone() else {
            panic!("the simulated office")
        };
        let office = SimulatedOffice::new(settings, adapter.reporter()).expect("an office opens");
        let (stop, stopped) = oneshot::channel::<()>();
        self.adapter_tasks.spawn(async move {
            let until = async {
                let _dropped = stopped.await;
            };
            adapter.run(office, until).await.expect("the adapter runs to its end");
        });
        self.adapters.push((crate::broker::province(code), stop));
    }

    fn adapter_config(&self, folder: &Path, code: u8) -> Config {
        let text = format!(
            "province = \"{code}\"\norigin = \"{ORIGIN}\"\noffice = \"simulated\"\n\
             [broker]\nurls = [\"{url}\"]\nnkey_seed_file = \"{nkey}\"\n\
             [keys]\nsign_key_file = \"{sign}\"\nsign_key_id = \"{code}-sign-1\"\n\
             seal_key_file = \"{seal}\"\nseal_key_id = \"{code}-seal-1\"\n\
             hub_public_key = \"{hub_key}\"\nhub_key_id = \"{hub_id}\"\n\
             [store]\npath = \"adapter.db\"\n\
             [limits]\nhand_over_per_minute_max = 10000000\n\
             [simulated]\nmode = \"instant\"\ndecline_percent = 0.0\nreturn_percent = 0.0\n\
             correction_percent = 0.0\nsuspension_percent = 0.0\n",
            url = self.broker.url(),
            nkey = keys::NKEY_FILE,
            sign = keys::SIGN_FILE,
            seal = keys::SEAL_FILE,
            hub_key = signature::public_key_text(&self.stand.signer.public_key()),
            hub_id = self.stand.signer.key_id(),
        );
        let file = folder.join("adapter.toml");
        std::fs::write(&file, text).expect("the configuration is written");
        Config::load(&file).expect("the configuration is good")
    }

    /// The key with which a province whose adapter was started signs.
    pub fn sign_key(&self, code: u8) -> SigningKey {
        let file = self.adapter_folder.path().join(format!("p{code}")).join(keys::SIGN_FILE);
        keys::read_signing_key(&file).expect("the adapter's keys are there")
    }

    /// The log's last position.
    pub fn head(&self) -> u64 {
        let head = self.stand.readers.read(|log| log.head()).expect("the log can be read");
        head.map_or(0, |it| it.0.0)
    }

    /// A division of each of these provinces, for authorities that issued certificates there.
    pub fn divisions(codes: &[u8]) -> Vec<String> {
        let routes = hub::reference::routes();
        let first = |code: &u8| routes.current.iter().find(|it| it.province_part() == *code);
        codes.iter().filter_map(first).map(ToString::to_string).collect()
    }

    /// Everything ends, the adapters first.
    pub async fn stop(mut self) {
        drop(self.adapters);
        let all = async { while self.adapter_tasks.join_next().await.is_some() {} };
        // Whoever does not stop in time is stopped by the end of the process.
        let _late = tokio::time::timeout(Duration::from_secs(10), all).await;
        self.hub_rooms.shutdown().await;
        self.stand.stop().await;
    }
}
