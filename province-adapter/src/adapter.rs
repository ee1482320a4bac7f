//! The adapter put together: what arrives is kept, handed to the office, and answered for until the
//! hub has signed. Kill it at any line; it goes on from its store.

use std::collections::HashMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::Client;
use events::wire::{self, ToProvince};
use events::work::PersonalPart;
use futures::StreamExt as _;
use tokio::sync::Notify;
use tracing::{debug, info, warn};

use crate::clock::Clock;
use crate::comparing;
use crate::config::{Broker, Config};
use crate::connection;
use crate::hops::{self, Moment};
use crate::inbox::{self, Arrival, Content, Distrust, Letter, Waiting};
use crate::keys::{Identity, KeyError};
use crate::limits::Limits;
use crate::office::{OfficeSystem, TakeError, TakenWork};
use crate::outbox::Pace;
use crate::reporter::Reporter;
use crate::store::{Store, StoreError};

/// Opened personal parts that wait in memory for the office; the others are opened again.
const OPENED_KEPT_MAX: usize = 1024;
/// Between two notes in the store that the adapter lives.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
/// The slow tick of handing over, behind every wake-up.
const HAND_OVER_TICK: Duration = Duration::from_millis(500);
/// For what was acknowledged to reach the broker at the end.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// The adapter cannot begin or cannot go on.
#[derive(Debug, thiserror::Error)]
pub enum AdapterError {
    /// The store.
    #[error("cannot use the store")]
    Store(#[from] StoreError),
    /// A key file.
    #[error("cannot use a key")]
    Key(#[from] KeyError),
    /// Something that runs for ever ended; only a restart brings it back.
    #[error(
        "{what} ended, which it never should\n(start the adapter again; nothing it holds is lost)"
    )]
    Ended {
        /// What.
        what: &'static str,
    },
    /// The options for the broker are unusable; that it is away is no error.
    #[error("cannot connect to {urls}")]
    Connect {
        /// Where.
        urls: String,
        /// Why not.
        #[source]
        source: async_nats::ConnectError,
    },
}

/// What all loops share.
pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) identity: Arc<Identity>,
    pub(crate) clock: Clock,
    pub(crate) limits: Limits,
    pub(crate) pace: Pace,
    pub(crate) outbox_wake: Notify,
    pub(crate) work_wake: Notify,
    pub(crate) life_wake: Notify,
    pub(crate) connected: AtomicBool,
    /// The connection came (back).
    pub(crate) compare_wake: Notify,
    opened: Mutex<HashMap<i64, PersonalPart>>,
}

impl Shared {
    /// Wakes whoever has something to do now, and keeps the opened parts at hand.
    pub(crate) fn after_arrivals(
        &self,
        arrivals: &[Option<Arrival>],
        examined: Arc<Vec<(Result<Content, Distrust>, Letter)>>,
        began: Moment,
    ) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        for (arrival, (content, letter)) in arrivals.iter().zip(examined.iter()) {
            if let (Some(Arrival::New { .. } | Arrival::Known { .. }), Ok(Content::Work(work, _))) =
                (arrival, content)
            {
                let is_new = matches!(arrival, Some(Arrival::New { .. }));
                began.took_in(&self.clock, letter, work, is_new);
            }
            if let Some(Arrival::Ordered { sent_again }) = arrival {
                info!(sent_again, "the hub compares; {sent_again} reports go out again");
            }
            let (Some(Arrival::New { row, case, delivered }), Ok(Content::Work(work, personal))) =
                (arrival, content)
            else {
                continue;
            };
            info!(case.id = %case, report.id = %delivered, kind = work.kind.token(), "took in work");
            if let Some(personal) = personal
                && opened.len() < OPENED_KEPT_MAX
            {
                opened.insert(*row, personal.clone());
            }
        }
        drop(opened);
        self.work_wake.notify_one();
        self.outbox_wake.notify_one();
    }

    /// The office has this work; its opened part need not be at hand any more.
    pub(crate) fn forget_opened(&self, row: i64) {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).remove(&row);
    }

    /// The work with its personal part, from memory or opened again.
    fn open(&self, waiting: &Waiting) -> Result<TakenWork, TakeError> {
        let Ok(ToProvince::Work(work)) = wire::to_province_from_bytes(&waiting.body) else {
            return Err(TakeError::not_now("this version cannot read the kept work"));
        };
        let kept = {
            let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
            opened.remove(&waiting.row)
        };
        let personal = match kept {
            Some(personal) => Some(personal),
            None => self.identity.open(&work).map_err(|it| TakeError::not_now(it.to_string()))?,
        };
        Ok(TakenWork { work, applicant: personal.map(|it| it.applicant) })
    }
}

/// One province's adapter.
pub struct Adapter {
    shared: Arc<Shared>,
    broker: Broker,
}

impl Adapter {
    /// Opens the store and the keys. Nothing is sent or fetched yet.
    pub fn open(config: &Config) -> Result<Self, AdapterError> {
        Self::open_at(config, config.clock())
    }

    /// The same with another clock.
    pub fn open_at(config: &Config, clock: Clock) -> Result<Self, AdapterError> {
        let identity = Arc::new(config.identity()?);
        let shared = Shared {
            store: Store::open(&config.store)?,
            identity,
            clock,
            limits: config.limits.clone(),
            pace: config.pace.clone(),
            outbox_wake: Notify::new(),
            work_wake: Notify::new(),
            life_wake: Notify::new(),
            connected: AtomicBool::new(false),
            compare_wake: Notify::new(),
            opened: Mutex::new(HashMap::new()),
        };
        Ok(Self { shared: Arc::new(shared), broker: config.broker.clone() })
    }

    /// How the office tells its news.
    pub fn reporter(&self) -> Reporter {
        Reporter { shared: Arc::clone(&self.shared) }
    }

    /// Connects and works until `shutdown`. An unreachable broker is waited for.
    pub async fn run(
        self,
        office: impl OfficeSystem,
        shutdown: impl Future<Output = ()>,
    ) -> Result<(), AdapterError> {
        let shared = self.shared;
        let client = connection::connect(&self.broker, &shared).await?;
        info!(province.code = %shared.identity.province, "the adapter runs");
        let ended = tokio::select! {
            () = connection::receive(Arc::clone(&shared), client.clone()) => ended("receiving"),
            () = connection::send(Arc::clone(&shared), client.clone()) => ended("sending"),
            () = hand_over(&shared, &office) => ended("handing over"),
            () = beat(&shared) => ended("noting that it lives"),
            () = comparing::run(&shared) => ended("comparing"),
            () = shared.store.stopped() => Err(StoreError::Stopped.into()),
            () = shutdown => Ok(()),
        };
        leave(&shared, &client).await;
        ended
    }
}

/// A loop that runs for ever has ended; the adapter must not look as if it was told to.
fn ended(what: &'static str) -> Result<(), AdapterError> {
    Err(AdapterError::Ended { what })
}

async fn leave(shared: &Arc<Shared>, client: &Client) {
    if tokio::time::timeout(FLUSH_TIMEOUT, client.flush()).await.is_err() {
        debug!("the broker did not take the last acknowledgements");
    }
    shared.connected.store(false, Ordering::Relaxed);
    if let Err(error) = note_life(shared).await {
        debug!(error = %error, "cannot note the end in the store");
    }
    info!(province.code = %shared.identity.province, "the adapter stops");
}

/// Offers the oldest untaken work to the office, for ever.
async fn hand_over(shared: &Arc<Shared>, office: &impl OfficeSystem) {
    if office.fetches() {
        return std::future::pending().await;
    }
    loop {
        let (now, count_max) = (shared.clock.real_now(), shared.limits.hand_over_at_once_max);
        let waiting = shared.store.write(move |it| inbox::waiting(it, now, count_max)).await;
        let waiting = waiting.unwrap_or_else(|error| {
            warn!(error = %error, "cannot look for work to hand over");
            Vec::new()
        });
        if waiting.is_empty() {
            tokio::select! {
                () = shared.work_wake.notified() => {}
                () = tokio::time::sleep(HAND_OVER_TICK) => {}
            }
        }
        futures::stream::iter(waiting)
            .for_each_concurrent(None, |it| hand_over_one(shared, office, it))
            .await;
    }
}

async fn hand_over_one(shared: &Arc<Shared>, office: &impl OfficeSystem, waiting: Waiting) {
    let began = Moment::now(&shared.clock);
    let taken = match shared.open(&waiting) {
        Ok(work) => {
            let given = hops::are_told().then(|| work.work.clone());
            let taking = tokio::time::timeout(shared.limits.take_timeout, office.take(work));
            let taken = taking.await;
            let taken = taken.unwrap_or_else(|_| Err(TakeError::not_now("no answer in time")));
            given.iter().for_each(|it| began.given(&shared.clock, it, taken.is_ok()));
            taken
        }
        Err(error) => Err(error),
    };
    let (row, now) = (waiting.row, shared.clock.real_now());
    let noted = match taken {
        Ok(()) => shared.store.write(move |it| inbox::taken(it, row, now)).await,
        Err(error) => {
            debug!(error = %error, "the office did not take the work");
            let wait = shared.limits.retake_wait.mul_f64(0.8 + rand::random::<f64>() * 0.4);
            let next_at = now.checked_add(wait).unwrap_or(now);
            shared.store.write(move |it| inbox::take_later(it, row, next_at)).await
        }
    };
    if let Err(error) = noted {
        warn!(error = %error, "cannot note whether the office took the work; it is offered again");
    }
}

/// For `status`, which has only the store to look at.
async fn beat(shared: &Arc<Shared>) {
    loop {
        if let Err(error) = note_life(shared).await {
            warn!(error = %error, "cannot note in the store that the adapter lives");
        }
        tokio::select! {
            () = shared.life_wake.notified() => {}
            () = tokio::time::sleep(HEARTBEAT_INTERVAL) => {}
        }
    }
}

async fn note_life(shared: &Shared) -> Result<(), StoreError> {
    let now_ms = shared.clock.real_now().as_millisecond();
    let connected = shared.connected.load(Ordering::Relaxed);
    shared
        .store
        .write(move |connection| {
            connection
                .prepare_cached(
                    "INSERT INTO heartbeat VALUES (1, ?1, ?2)
                     ON CONFLICT (one) DO UPDATE SET at = ?1, connected = ?2",
                )?
                .execute((now_ms, connected))?;
            Ok(())
        })
        .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_ends_is_an_error_that_names_it() {
        let error = ended("sending").unwrap_err();
        assert!(error.to_string().starts_with("sending ended"), "{error}");
    }
}
