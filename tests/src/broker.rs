//! A real nats-server for one test: started with our own configuration, killed, wiped, rolled back.
//!
//! Both versions come from `deploy/nats-server`, fetched once a machine. Where one cannot be had the
//! test says `NOT RUN` loudly, and on the build server it fails.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::jetstream::{self, consumer::PullConsumer};
use async_nats::{Client, ConnectOptions};
use events::ids::ProvinceCode;
use events::subjects;
use hub::nats::address::BrokerAddress;
use hub::nats::connect::{self, HubConnection};
use hub::nats::keys::{ProvinceKeys, UserKey};
use hub::nats::release::Release;
use hub::nats::render::{BrokerPlan, ProvinceUsers, TlsFiles};
use hub::nats::streams::{self, Ensured, StreamLimits};
use hub::nats::supervise::{self, Broker};
use tempfile::TempDir;
use tokio::sync::OnceCell;

/// Longest wait for anything that a test waits for. It costs nothing when it comes: a busy machine may take
/// many times as long as a quiet one.
pub const WAIT_MAX: Duration = Duration::from_secs(180);
/// A refused request is answered at once or never; after this long it counts as never.
pub const REFUSAL_WAIT: Duration = Duration::from_millis(1_000);

/// The two versions that every broker test runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// 2.9, Debian 12's own package: what a fresh machine gets.
    Debian29,
    /// The newest that we have pinned.
    Current,
}

/// Both, oldest first.
pub const VERSIONS: [Version; 2] = [Version::Debian29, Version::Current];

static DEBIAN_29: OnceCell<Result<(PathBuf, Release), String>> = OnceCell::const_new();
static CURRENT: OnceCell<Result<(PathBuf, Release), String>> = OnceCell::const_new();

/// The server program of `version`. If there is none, `test` is told as not run; none is returned,
/// unless this is the build server: there it panics.
pub async fn server(test: &str, version: Version) -> Option<(PathBuf, Release)> {
    let (cell, name) = match version {
        Version::Debian29 => (&DEBIAN_29, "2.9"),
        Version::Current => (&CURRENT, "current"),
    };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/nats-server");
    let found = cell
        .get_or_init(async || {
            supervise::find(&script, Some(name)).await.map_err(|it| it.to_string())
        })
        .await;
    match found {
        Ok(found) => Some(found.clone()),
        Err(why) => {
            not_run(test, why);
            None
        }
    }
}

/// A test that could not run says so; on the build server it fails.
#[allow(clippy::disallowed_methods, reason = "a test has no config.rs")]
pub fn not_run(test: &str, why: &str) {
    let on_build_server = std::env::var("CI").is_ok_and(|it| it == "true");
    assert!(!on_build_server, "NOT RUN: {test}: {why}");
    // Straight to the terminal: what is printed normally is swallowed when a test passes.
    let _ = writeln!(std::io::stderr(), "NOT RUN: {test}: {why}");
}

/// A running broker, everybody's keys, and a folder that goes when it goes.
pub struct TestBroker {
    /// The server.
    pub broker: Broker,
    /// The hub's key.
    pub hub_key: UserKey,
    /// Each province's keys.
    pub provinces: Vec<(ProvinceCode, ProvinceKeys)>,
    folder: TempDir,
}

impl TestBroker {
    /// Starts one of `version` for `provinces` with our configuration; none if it cannot be had.
    pub async fn start(test: &str, version: Version, provinces: &[u8]) -> Option<Self> {
        Self::start_with(test, version, provinces, None).await
    }

    /// The same, with a certificate.
    pub async fn start_with(
        test: &str,
        version: Version,
        provinces: &[u8],
        tls: Option<TlsFiles>,
    ) -> Option<Self> {
        let (binary, release) = server(test, version).await?;
        let folder = tempfile::tempdir().expect("a folder for the broker");
        let hub_key = UserKey::generate().expect("a key");
        let provinces: Vec<_> = provinces
            .iter()
            .map(|it| (province(*it), ProvinceKeys::generate().expect("keys")))
            .collect();
        let mut plan = plan(release, &hub_key, &provinces);
        plan.tls = tls;
        let broker = Broker::start(binary, folder.path().join("broker"), plan)
            .await
            .expect("the broker starts");
        Some(Self { broker, hub_key, provinces, folder })
    }

    /// Where clients connect.
    pub fn url(&self) -> String {
        self.broker.url()
    }

    /// Where clients connect, in clear.
    pub fn address(&self) -> BrokerAddress {
        self.url().as_str().into()
    }

    /// The file that the server was started with.
    pub fn config_file(&self) -> PathBuf {
        self.folder.path().join("broker/nats.conf")
    }

    /// The hub's connection, standing.
    pub async fn hub(&self) -> HubConnection {
        let mut hub = connect::connect(&self.address(), &self.hub_key).await.expect("a connection");
        tokio::time::timeout(WAIT_MAX, hub.up.wait_for(|up| *up))
            .await
            .expect("the broker answers the hub")
            .expect("the connection is held");
        hub
    }

    /// Makes all streams of the provinces.
    pub async fn ensure(&self, hub: &HubConnection, limits: &StreamLimits) -> Ensured {
        let provinces: Vec<_> = self.provinces.iter().map(|it| it.0).collect();
        streams::ensure(&hub.jetstream, &provinces, limits).await.expect("the streams are made")
    }

    /// The keys of one of its provinces.
    pub fn keys(&self, code: u8) -> &ProvinceKeys {
        let keys = self.provinces.iter().find(|it| it.0.number() == code);
        &keys.expect("a province of this broker").1
    }

    /// A province's own client, with its private inbox.
    pub async fn client(&self, code: u8) -> Client {
        province_client(&self.url(), code, self.keys(code)).await
    }

    /// Copies the store aside. The broker is stopped for it and started again.
    pub async fn save_store(&mut self) {
        self.broker.stop().await;
        let saved = self.folder.path().join("saved");
        let _ = fs::remove_dir_all(&saved);
        copy_folder(self.broker.store_dir(), &saved);
        self.broker.restart().await.expect("the broker starts again");
    }

    /// Puts the saved store back, as an operator would after a broken disk.
    pub async fn roll_back_store(&mut self) {
        self.broker.wipe().await.expect("the store is removed");
        copy_folder(&self.folder.path().join("saved"), self.broker.store_dir());
        self.broker.restart().await.expect("the broker starts again");
    }

    /// Loses everything the broker has stored.
    pub async fn wipe_store(&mut self) {
        self.broker.wipe().await.expect("the store is removed");
        self.broker.restart().await.expect("the broker starts again");
    }

    /// SIGKILL, then a start on the same port.
    pub async fn kill_and_restart(&mut self) {
        self.broker.kill().await;
        self.broker.restart().await.expect("the broker starts again");
    }
}

/// The plan for a loopback broker with these keys.
pub fn plan(
    release: Release,
    hub_key: &UserKey,
    provinces: &[(ProvinceCode, ProvinceKeys)],
) -> BrokerPlan {
    let users = |(province, keys): &(ProvinceCode, ProvinceKeys)| ProvinceUsers {
        province: *province,
        users: vec![keys.user.public().to_owned()],
    };
    // Room for all: more provinces may join later, and a running server cannot change it.
    let store_bytes_max = StreamLimits::default().store_bytes(32);
    let provinces = provinces.iter().map(users).collect();
    BrokerPlan::loopback(release, hub_key.public(), provinces, store_bytes_max)
}

/// A client as an adapter makes it.
pub async fn province_client(url: &str, code: u8, keys: &ProvinceKeys) -> Client {
    ConnectOptions::with_nkey(keys.user.seed().to_owned())
        .custom_inbox_prefix(subjects::inbox(province(code)))
        .request_timeout(Some(REFUSAL_WAIT))
        .connect(url)
        .await
        .expect("the province connects")
}

/// A province's own consumer on `WORK`, through its account's import.
pub async fn work_consumer(client: &Client, code: u8) -> PullConsumer {
    let jetstream = jetstream::with_prefix(client.clone(), subjects::PROVINCE_API_PREFIX);
    jetstream
        .get_consumer_from_stream(subjects::consumer(province(code)), subjects::WORK_STREAM)
        .await
        .expect("the province finds its own consumer")
}

/// The province with this code.
pub fn province(code: u8) -> ProvinceCode {
    ProvinceCode::new(code).expect("a connected province")
}

/// Waits until `look` gives something, with a limit.
pub async fn wait_for<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let waited = tokio::time::timeout(WAIT_MAX, async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder is made");
    for entry in fs::read_dir(from).expect("a folder is read") {
        let entry = entry.expect("an entry is read");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("an entry has a type").is_dir() {
            copy_folder(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a file is copied");
        }
    }
}
