//! A hub in one process behind its real accept loop: the log in memory, everything else as it is.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use hub::accounts::Accounts;
use hub::callers::{Callers, ClientConfig, Role, token_hash};
use hub::clock::Clock;
use hub::enrolment::EnrolmentDesk;
use hub::enrolment::broker::BrokerKeeper;
use hub::intake::desk::Desk;
use hub::intake::schema::Schemas;
use hub::listen::{self, ListenConfig};
use hub::log::memory::MemoryLog;
use hub::log::sqlite::SqliteLog;
use hub::log::{EventLog, Readers};
use hub::oidc::Provider;
use hub::quarantine::{Quarantine, QuarantineConfig};
use hub::registrar::Registrar;
use hub::registrar::starting::{RegistrarConfig, StartWith};
use hub::signer::Signer;
use hub::telemetry::idle_counters;
use hub::vault::{Opener, Sealer, Vault, VaultConfig};
use hub::views::alarms::Alarms;
use hub::views::membership::Membership;
use hub::views::reader::ViewReader;
use hub::views::runner::Views;
use hub::wake::Wake;
use hub::web::audit_desk::{AuditDesk, SignedHead, Verified};
use hub::web::{self, Rooms, STREAMS_MAX};
use jiff::Timestamp;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

/// What stands in receipts.
pub const ORIGIN: &str = "hub.test/http";
/// Two national systems, an operator and an auditor, by name; the token is `token-of-<name>-0123456789`.
const CALLERS: [(&str, Role); 4] = [
    ("ysfw", Role::National),
    ("other", Role::National),
    ("keeper", Role::Operator),
    ("auditor", Role::Auditor),
];
/// How often the views look even if nobody rang.
const TICK: Duration = Duration::from_millis(50);
/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The hub; dropped, it stops listening.
pub struct HttpHub {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its log.
    pub readers: Readers,
    /// Its key.
    pub signing_key: SigningKey,
    /// Its hand on the time.
    pub clock: Clock,
    /// Who may sign in to its console.
    pub accounts: Accounts,
    http: reqwest::Client,
    /// The only road into its log.
    pub registrar: Registrar,
    /// Its views.
    pub views: ViewReader,
    /// What stands and no event tells.
    pub alarms: Alarms,
    /// What was not understood.
    pub quarantine: Quarantine,
    /// Seals and opens it.
    pub opener: Opener,
    /// Who is enrolled, and which certificates count.
    pub membership: Membership,
    _folder: tempfile::TempDir,
}

/// The token of one of the callers.
pub fn token(name: &str) -> String {
    format!("token-of-{name}-0123456789")
}

fn callers() -> Callers {
    let known = CALLERS.map(|(name, role)| ClientConfig {
        name: name.into(),
        token_sha256: token_hash(&token(name)),
        role,
        webhook: None,
        rate: Default::default(),
    });
    Callers::new(known.into()).unwrap()
}

fn vault(folder: &Path, origin: &str) -> (Sealer, Opener) {
    let (wrapping_key_path, keys_path) = (folder.join("wrapping.key"), folder.join("keys.db"));
    if !wrapping_key_path.exists() {
        Vault::create_wrapping_key(&wrapping_key_path).unwrap();
    }
    Vault::open(VaultConfig { keys_path, wrapping_key_path, origin: origin.into() }).unwrap()
}

/// What a hub stands on.
struct Ground {
    folder: tempfile::TempDir,
    log: Box<dyn EventLog>,
    readers: Readers,
    origin: &'static str,
    clock: Clock,
}

/// The log lies in memory: whoever verifies it is told what a file would be told.
fn audit() -> AuditDesk {
    let head = SignedHead { position: 7, hash: events::proof::Hash([7; 32]) };
    let verified = Verified { fine: true, events: 7, checkpoints: 1, problem: None };
    AuditDesk::new(Arc::new(move || Ok(vec![head.clone()])), Arc::new(move || verified.clone()))
}

/// The intake of the same hub.
fn desk(rooms: &Rooms, signing_key: &SigningKey) -> Desk {
    Desk {
        origin: ORIGIN.into(),
        registrar: rooms.registrar.clone(),
        views: rooms.views.clone(),
        readers: rooms.readers.clone(),
        opener: rooms.opener.clone(),
        clock: rooms.clock.clone(),
        callers: rooms.callers.clone(),
        signer: Signer::new("hub-1", signing_key.clone()),
        schemas: Arc::new(Schemas::compile()),
        recent: Arc::default(),
    }
}

impl HttpHub {
    /// On a Friday before the Spring Festival, at half past nine in Shanghai.
    pub async fn start() -> Self {
        Self::start_with(ListenConfig { connections_loopback_max: 512, ..Default::default() }).await
    }

    /// With these limits.
    pub async fn start_with(limits: ListenConfig) -> Self {
        Self::start_as(limits, None).await
    }

    /// With somebody else who vouches for people.
    pub async fn start_beside(provider: Provider) -> Self {
        let limits = ListenConfig { connections_loopback_max: 512, ..Default::default() };
        Self::start_as(limits, Some(Arc::new(provider))).await
    }

    async fn start_as(limits: ListenConfig, oidc: Option<Arc<Provider>>) -> Self {
        let log = MemoryLog::new(ORIGIN);
        let ground = Ground {
            folder: tempfile::tempdir().unwrap(),
            readers: log.readers(),
            log: Box::new(log),
            origin: ORIGIN,
            clock: Clock::manual("2026-02-13T01:30:00Z".parse().unwrap()),
        };
        Self::start_on(ground, limits, oidc).await
    }

    /// On the log, the keys and the views that a benchmark has made in `folder`, as of `now`.
    pub async fn start_in(folder: tempfile::TempDir, origin: &'static str, now: Timestamp) -> Self {
        let path = folder.path().join("log.db");
        let log = SqliteLog::open(&path, origin).unwrap();
        let readers = SqliteLog::readers(&path);
        let clock = Clock::manual(now);
        let ground = Ground { folder, log: Box::new(log), readers, origin, clock };
        Self::start_on(ground, ListenConfig::default(), None).await
    }

    async fn start_on(ground: Ground, limits: ListenConfig, oidc: Option<Arc<Provider>>) -> Self {
        let Ground { folder, log, readers, origin, clock } = ground;
        let at = |name: &str| folder.path().join(name);
        let (sealer, opener) = vault(folder.path(), origin);
        let (recorded, viewed) = (Wake::default(), Wake::default());
        let (registrar, _thread) = Registrar::start(
            RegistrarConfig::new(StartWith::shipped()),
            log,
            sealer,
            clock.clone(),
            Arc::new(hub::reference::routes()),
            recorded.clone(),
        )
        .unwrap();
        let (membership, alarms) = (Membership::default(), Alarms::default());
        let (file, known) = (at("views.db"), membership.clone());
        let views = Views::open(&file, readers.clone(), known, Some(opener.clone())).unwrap();
        let reader = views.reader();
        tokio::spawn(views.run(recorded.listen(), viewed.clone(), TICK));
        let callers = Arc::new(callers());
        let accounts = Accounts::open(&at("accounts.db")).unwrap();
        let signing_key = SigningKey::from_bytes(&[42; 32]);
        let quarantine = Quarantine::open(QuarantineConfig::new(at("quarantine.db"))).unwrap();
        let rooms = Rooms {
            enrolment: enrolment(&registrar, &readers, &reader, &signing_key, clock.clone()),
            registrar: registrar.clone(),
            views: reader.clone(),
            readers: readers.clone(),
            membership: membership.clone(),
            quarantine: quarantine.clone(),
            redrive: hub::redrive::RedriveConfig::default(),
            callers,
            clock: clock.clone(),
            wake: recorded,
            metrics: idle_counters(),
            compare: tokio::sync::mpsc::channel(8).0,
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            viewed,
            alarms: alarms.clone(),
            audit: audit(),
            opener: opener.clone(),
            accounts: accounts.clone(),
            oidc,
            guests: true,
            onlookers: Arc::new(Semaphore::new(web::ONLOOKERS_MAX)),
        };
        let address = open_door(rooms, &signing_key, limits).await;
        let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        Self {
            address,
            readers,
            registrar,
            views: reader,
            alarms,
            signing_key,
            clock,
            accounts,
            quarantine,
            opener,
            http,
            membership,
            _folder: folder,
        }
    }

    /// A request of `caller`.
    pub fn ask(&self, method: &str, path: &str, caller: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let url = format!("http://{}{path}", self.address);
        self.http.request(method, url).bearer_auth(token(caller))
    }

    /// A submission by the first national system.
    pub fn submit(&self, key: &str, body: impl Into<reqwest::Body>) -> reqwest::RequestBuilder {
        self.ask("POST", "/v1/cases", "ysfw")
            .header("idempotency-key", key)
            .header("content-type", "application/json")
            .body(body)
    }

    /// How many events the log has.
    pub fn events(&self) -> u64 {
        self.readers.read(|log| log.head()).unwrap().map_or(0, |it| it.0.0)
    }

    /// Waits until a `GET` by `caller` says what is wanted.
    pub async fn wait_for(
        &self,
        path: &str,
        caller: &str,
        wanted: impl Fn(&Value) -> bool,
    ) -> Value {
        let look = async {
            loop {
                let answer = self.ask("GET", path, caller).send().await.unwrap();
                let body = answer.json().await.unwrap_or(Value::Null);
                if wanted(&body) {
                    return body;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, look).await.expect("the hub never said what was wanted")
    }
}

/// Provinces join here, and no broker hears of it.
/// All doors of the hub behind one address.
async fn open_door(rooms: Rooms, key: &SigningKey, limits: ListenConfig) -> SocketAddr {
    let app = hub::intake::http::router(desk(&rooms, key))
        .merge(web::router(rooms.clone()))
        .merge(web::console::router(rooms));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(listen::serve(listener, app, limits, std::future::pending()));
    address
}

fn enrolment(
    registrar: &Registrar,
    readers: &Readers,
    views: &ViewReader,
    key: &SigningKey,
    clock: Clock,
) -> EnrolmentDesk {
    EnrolmentDesk {
        registrar: registrar.clone(),
        readers: readers.clone(),
        views: views.clone(),
        signer: Signer::new("hub-1", key.clone()),
        origin: ORIGIN.into(),
        broker_urls: vec!["nats://127.0.0.1:4222".to_owned()].into(),
        broker_ca: None,
        clock,
        keeper: Arc::new(BrokerKeeper::new(None, "nobody")),
    }
}

/// The published example, as a submission of the `nth` person.
pub fn submission(nth: u32) -> Value {
    let text = include_str!("../../schemas/v1/examples/good/submission.renewal.json");
    let mut body: Value = serde_json::from_str(text).unwrap();
    body["applicant"]["identity_number"] = identity_number(nth).into();
    body
}

/// A well-formed identity number that belongs to nobody: 1949-12-31, a district of Beijing.
pub fn identity_number(nth: u32) -> String {
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let body = format!("110105{:04}1231{:03}", 1930 + nth / 1_000, nth % 1_000);
    let sum: u32 =
        body.bytes().zip(weights).map(|(it, weight)| u32::from(it - b'0') * weight).sum();
    format!(
        "{body}{}",
        ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'][(sum % 11) as usize]
    )
}
