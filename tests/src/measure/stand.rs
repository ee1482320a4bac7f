//! A hub on the stand: log, vault, registrar, views and the road in over HTTP, in this process, with
//! the settings that `hub serve` uses. No broker: whoever measures the router brings one.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use hub::callers::{Callers, ClientConfig, RateConfig, Role, token_hash};
use hub::clock::Clock;
use hub::intake::desk::Desk;
use hub::intake::http;
use hub::intake::schema::Schemas;
use hub::listen::{ListenConfig, serve};
use hub::log::sqlite::SqliteLog;
use hub::log::{EventLog as _, Readers};
use hub::registrar::Registrar;
use hub::registrar::starting::{RegistrarConfig, RegistrarThread, StartWith};
use hub::signer::Signer;
use hub::vault::{Opener, Sealer, Vault, VaultConfig};
use hub::views::membership::Membership;
use hub::views::reader::ViewReader;
use hub::views::runner::Views;
use hub::wake::Wake;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::story::ORIGIN;

/// What the national system shows.
pub const TOKEN: &str = "the-token-of-the-stand";
/// The views look at least this often.
const TICK: Duration = Duration::from_secs(1);
/// More than any measurement asks.
const REQUESTS_MAX: NonZeroU32 = NonZeroU32::new(10_000_000).expect("it is not zero");
/// Connections of one measurement, with room.
const CONNECTIONS_MAX: usize = 4_096;

/// The rooms that every measurement of a hub needs.
pub struct Stand {
    /// The only road into the log.
    pub registrar: Registrar,
    /// Reads the log.
    pub readers: Readers,
    /// Reads the views.
    pub views: ViewReader,
    /// Opens personal parts.
    pub opener: Opener,
    /// Who is enrolled.
    pub membership: Membership,
    /// The hub's hand.
    pub signer: Signer,
    /// Rings after each commit.
    pub recorded: Wake,
    /// Rings after each step of the views.
    pub viewed: Wake,
    /// The writer's epoch.
    pub epoch: u64,
    thread: RegistrarThread,
    following: JoinHandle<()>,
}

/// The vault of a folder; its wrapping key is made on first use.
pub fn vault(folder: &Path) -> (Sealer, Opener) {
    let wrapping_key_path = folder.join("wrapping.key");
    if !wrapping_key_path.exists() {
        Vault::create_wrapping_key(&wrapping_key_path).expect("the folder can be written");
    }
    let keys_path = folder.join("keys.db");
    Vault::open(VaultConfig { keys_path, wrapping_key_path, origin: ORIGIN.into() })
        .expect("the vault opens")
}

/// Where a folder's log is.
pub fn log_path(folder: &Path) -> PathBuf {
    folder.join("log.db")
}

impl Stand {
    /// Opens or makes everything in `folder` and lets the views follow.
    pub fn start(folder: &Path) -> Self {
        let log = SqliteLog::open(&log_path(folder), ORIGIN).expect("the log opens");
        let (epoch, readers) = (log.epoch(), SqliteLog::readers(log_path(folder)));
        let (sealer, opener) = vault(folder);
        let (recorded, viewed) = (Wake::default(), Wake::default());
        let (registrar, thread) = Registrar::start(
            RegistrarConfig::new(StartWith::shipped()),
            Box::new(log),
            sealer,
            Clock::Machine,
            Arc::new(hub::reference::routes()),
            recorded.clone(),
        )
        .expect("the registrar starts");
        let membership = Membership::default();
        let views = Views::open(
            &folder.join("views.db"),
            readers.clone(),
            membership.clone(),
            Some(opener.clone()),
        )
        .expect("the views open");
        let reader = views.reader();
        let following = {
            let (ear, rings) = (recorded.listen(), viewed.clone());
            tokio::spawn(async move {
                let error = views.run(ear, rings, TICK).await;
                panic!("the views stopped: {error}");
            })
        };
        let signer = Signer::new("hub-1", SigningKey::from_bytes(&[42; 32]));
        let views = reader;
        Self {
            registrar,
            readers,
            views,
            opener,
            membership,
            signer,
            recorded,
            viewed,
            epoch,
            thread,
            following,
        }
    }

    /// What the intake works with.
    pub fn desk(&self) -> Desk {
        let rate = RateConfig { requests_a_second: REQUESTS_MAX, requests_burst_max: REQUESTS_MAX };
        let client = ClientConfig {
            name: super::story::CLIENT.into(),
            token_sha256: token_hash(TOKEN),
            role: Role::National,
            webhook: None,
            rate,
        };
        Desk {
            origin: ORIGIN.into(),
            registrar: self.registrar.clone(),
            views: self.views.clone(),
            readers: self.readers.clone(),
            opener: self.opener.clone(),
            clock: Clock::Machine,
            callers: Arc::new(Callers::new(vec![client]).expect("one client is a list")),
            signer: self.signer.clone(),
            schemas: Arc::new(Schemas::compile()),
            recent: Arc::default(),
        }
    }

    /// Answers national systems on a free port of this machine.
    pub async fn listen(&self) -> Door {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let config = ListenConfig {
            connections_max: CONNECTIONS_MAX,
            connections_per_address_max: CONNECTIONS_MAX,
            connections_loopback_max: CONNECTIONS_MAX,
            ..ListenConfig::default()
        };
        let (close, closed) = oneshot::channel::<()>();
        let serving = tokio::spawn(serve(listener, http::router(self.desk()), config, async {
            let _dropped = closed.await;
        }));
        Door { address, close, serving }
    }

    /// Everything ends; what was answered is on the disk.
    pub async fn stop(self) {
        self.following.abort();
        let _aborted = self.following.await;
        drop(self.registrar);
        let thread = self.thread;
        tokio::task::spawn_blocking(move || thread.stop()).await.expect("the thread ends");
    }
}

/// The open port.
pub struct Door {
    /// Where it is.
    pub address: SocketAddr,
    close: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Door {
    /// Closes it.
    pub async fn close(self) {
        drop(self.close);
        self.serving.await.expect("the port closes in order");
    }
}
