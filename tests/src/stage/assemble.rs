//! From the stores to a hub that runs: every part as `serve` puts them together, none with a loop.

use std::sync::Arc;

use events::envelope::Position;
use events::ids::ProvinceCode;
use events::wire::Comparison;
use events::work::Receipt;
use hub::deadline_watch::DeadlineWatch;
use hub::intake::reports::ReportDesk;
use hub::log::sqlite::SqliteLog;
use hub::log::{EventLog, Readers};
use hub::quarantine::{Quarantine, QuarantineConfig};
use hub::registrar::Registrar;
use hub::registrar::starting::{RegistrarConfig, RegistrarThread};
use hub::router::compose::Composer;
use hub::router::handover::Origin;
use hub::router::receipts::ReceiptSender;
use hub::router::reconcile::{Memory, Reconciler};
use hub::router::{Router, RouterConfig};
use hub::signer::Signer;
use hub::vault::{Opener, Vault, VaultConfig};
use hub::views::membership::Membership;
use hub::views::runner::Views;
use hub::wake::Wake;
use hub_core::plan::Pace;
use tokio::sync::mpsc;

use super::pipe::Pipe;
use super::unlucky::UnluckyLog;
use super::{HUB_KEY_ID, ORIGIN, TestHub, hub_key};

pub(super) struct Running {
    pub(super) registrar: Registrar,
    pub(super) thread: RegistrarThread,
    pub(super) readers: Readers,
    pub(super) opener: Opener,
    pub(super) membership: Membership,
    pub(super) views: Views,
    pub(super) router: Router<Pipe>,
    pub(super) desk: ReportDesk,
    pub(super) watch: DeadlineWatch,
    pub(super) receipts: mpsc::Receiver<(ProvinceCode, Receipt)>,
    pub(super) sender: ReceiptSender<Pipe>,
    pub(super) comparisons: mpsc::Receiver<(ProvinceCode, Position, Comparison)>,
    pub(super) reconciler: Reconciler<Pipe>,
}

impl TestHub {
    fn log(&mut self) -> (Box<dyn EventLog>, Readers) {
        if self.setup.sqlite {
            let path = self.path("log.db");
            let log = SqliteLog::open(&path, ORIGIN).expect("the log opens");
            return (Box::new(log), SqliteLog::readers(path));
        }
        self.memory = self.memory.reopen();
        let writer = self.memory.reopen();
        (Box::new(writer), self.memory.readers())
    }

    pub(super) fn open(&mut self) -> Running {
        let (log, readers) = self.log();
        let epoch = log.epoch();
        let log: Box<dyn EventLog> = Box::new(UnluckyLog { log, luck: self.luck.clone() });
        let log = match &self.setup.wrap {
            Some(wrap) => wrap(log),
            None => log,
        };
        let (sealer, opener) = Vault::open(VaultConfig {
            keys_path: self.path("keys.db"),
            wrapping_key_path: self.path("wrapping.key"),
            origin: ORIGIN.to_owned(),
        })
        .expect("the vault opens");
        let mut config = RegistrarConfig::new(self.setup.start_with.clone());
        // The test sees that nobody answers any more; the process must not end.
        config.on_fatal = Box::new(|_| {});
        let routes = Arc::new(hub::reference::routes());
        let (registrar, thread) =
            Registrar::start(config, log, sealer, self.clock.clone(), routes, Wake::default())
                .expect("the registrar starts");
        let membership = Membership::default();
        let views = Views::open(
            &self.path("views.db"),
            readers.clone(),
            membership.clone(),
            Some(opener.clone()),
        )
        .expect("the views open");
        self.assemble(registrar, thread, readers, opener, membership, views, epoch)
    }

    #[allow(clippy::too_many_arguments)] // the parts of a hub
    fn assemble(
        &self,
        registrar: Registrar,
        thread: RegistrarThread,
        readers: Readers,
        opener: Opener,
        membership: Membership,
        views: Views,
        epoch: u64,
    ) -> Running {
        let signer = Arc::new(Signer::new(HUB_KEY_ID, hub_key()));
        let origin = Origin { name: ORIGIN.to_owned(), epoch };
        let composer = Arc::new(Composer {
            readers: readers.clone(),
            opener: opener.clone(),
            membership: membership.clone(),
            signer: signer.clone(),
            origin: origin.clone(),
            clock: self.clock.clone(),
        });
        let pace = Pace { waits_ms: self.setup.pace_ms.clone() };
        let config = RouterConfig { pace, ..RouterConfig::default() };
        let (pipe, reader) = (self.pipe.clone(), views.reader());
        let router = Router::new(composer, reader.clone(), registrar.clone(), pipe.clone(), config);
        let (hand_in, receipts) = hub::router::receipts::channel();
        let (told, comparisons) = tokio::sync::mpsc::channel(64);
        let quarantine = QuarantineConfig::new(self.path("quarantine.db"));
        let desk = ReportDesk {
            origin: ORIGIN.to_owned(),
            membership: membership.clone(),
            registrar: registrar.clone(),
            readers: readers.clone(),
            quarantine: Quarantine::open(quarantine).expect("the quarantine opens"),
            opener: opener.clone(),
            clock: self.clock.clone(),
            receipts: hand_in,
            comparisons: told,
        };
        let clock = self.clock.clone();
        let watch = DeadlineWatch::new(reader, readers.clone(), registrar.clone(), clock.clone());
        let reconciler = Reconciler {
            connector: pipe.clone(),
            signer: signer.clone(),
            origin: origin.clone(),
            clock: clock.clone(),
            views: views.reader(),
            readers: readers.clone(),
            registrar: registrar.clone(),
            inventory_every: std::time::Duration::ZERO,
            memory: Memory::default(),
        };
        let sender = ReceiptSender { connector: pipe, signer, origin, clock };
        Running {
            registrar,
            thread,
            readers,
            opener,
            membership,
            views,
            router,
            desk,
            watch,
            receipts,
            sender,
            comparisons,
            reconciler,
        }
    }
}
