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
use jiff::Timestamp;
use tokio::sync::Notify;
use tracing::{debug, error, info, warn};

use crate::clock::Clock;
use crate::comparing;
use crate::config::{Broker, Config};
use crate::connection;
use crate::handing::{self, Waiting};
use crate::hops::Moment;
use crate::inbox::{Arrival, Content, Distrust, Letter};
use crate::keys::{Identity, KeyError};
use crate::life::Life;
use crate::limits::Limits;
use crate::office::{OfficeSystem, TakeError, TakenWork};
use crate::outbox::Pace;
use crate::pacing;
use crate::receiving;
use crate::reporter::Reporter;
use crate::sending;
use crate::store::{Store, StoreError};

/// Opened personal parts that wait in memory for the office; the others are opened again.
const OPENED_KEPT_MAX: usize = 1024;
/// Between two notes in the store that the adapter lives.
const HEARTBEAT_INTERVAL: Duration = Duration::from_secs(5);
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
    pub(crate) life: Life,
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

    /// Says it once when the disk is full, and once when it has space again.
    pub(crate) fn note_disk(&self, now: Timestamp) {
        let full = self.store.is_full();
        if !self.life.disk(full, now) {
            return;
        }
        if full {
            error!(
                "the disk of the store is full 存储所在磁盘已满: nothing is acknowledged and no answer of the office is taken until there is space; then it goes on by itself, and nothing is lost"
            );
        } else {
            info!("the disk has space again 磁盘已有空间: everything goes on");
        }
        self.life_wake.notify_one();
    }

    /// The office has this work; its opened part need not be at hand any more.
    pub(crate) fn forget_opened(&self, row: i64) {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).remove(&row);
    }

    /// The work with its personal part, from memory or opened again.
    pub(crate) fn open(&self, waiting: &Waiting) -> Result<TakenWork, TakeError> {
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
            life: Life::beside(&config.store),
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
        let limits = shared.limits.clone();
        if let Err(error) = shared.store.write(move |it| pacing::keep_bounds(it, &limits)).await {
            // On a full disk those of the last time go on counting.
            warn!(error = %error, "cannot note the bounds in the store");
        }
        let client = connection::connect(&self.broker, &shared).await?;
        info!(province.code = %shared.identity.province, "the adapter runs");
        let ended = tokio::select! {
            () = receiving::receive(Arc::clone(&shared), client.clone()) => ended("receiving"),
            () = sending::send(Arc::clone(&shared), client.clone()) => ended("sending"),
            () = handing::hand_over(&shared, &office) => ended("handing over"),
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

/// For `status`, which has only the store to look at.
async fn beat(shared: &Arc<Shared>) {
    loop {
        if let Err(error) = note_life(shared).await
            && !matches!(error, StoreError::Full)
        {
            warn!(error = %error, "cannot note in the store that the adapter lives");
        }
        tokio::select! {
            () = shared.life_wake.notified() => {}
            () = tokio::time::sleep(HEARTBEAT_INTERVAL) => {}
        }
    }
}

async fn note_life(shared: &Shared) -> Result<(), StoreError> {
    let now = shared.clock.real_now();
    shared.note_disk(now);
    if let Err(error) = shared.life.say(now) {
        debug!(error = %error, "cannot write beside the store that the adapter lives");
    }
    let now_ms = now.as_millisecond();
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
