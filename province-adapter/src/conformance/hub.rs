//! The hub's side of the wire, for one province and a few minutes. It hands out, listens, signs receipts,
//! and can do all of it badly on purpose.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::stream::{self, DiscardPolicy, RetentionPolicy, StorageType};
use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions};
use ed25519_dalek::SigningKey;
use events::ids::ProvinceCode;
use events::proof::signature::{self, Purpose};
use events::subjects;
use futures::StreamExt as _;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::KitError;
use super::book::{Book, Posted};
use super::folder::HUB_KEY_ID;
use super::judge::{self, Trust};
use super::post::{PostOffice, Reading, hear_ack, hear_floor};
use super::subject::Subject;
use crate::clock::Clock;

/// After this long without an acknowledgement work comes again; shorter than in production, so that a
/// restart does not take half a minute.
const ACK_WAIT: Duration = Duration::from_secs(2);
/// For the broker's answers.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the broker may take to be there.
const READY_WAIT_MAX: Duration = Duration::from_secs(20);
/// Between two questions to the broker for what it has on record as acknowledged.
const FLOOR_PAUSE: Duration = Duration::from_millis(200);
/// Pause between two tries.
pub(super) const RETRY_PAUSE: Duration = Duration::from_millis(50);
/// Size of each stream, in bytes.
const STREAM_BYTES_MAX: i64 = 128 << 20;

/// What the loops and the stage share.
pub(crate) struct Shared {
    pub(crate) clock: Clock,
    pub(crate) subject: Arc<Subject>,
    book: Mutex<Book>,
    pub(crate) trust: Mutex<Trust>,
    changed: watch::Sender<u64>,
}

/// The sandbox's hub, connected.
pub(crate) struct Hub {
    pub(crate) shared: Arc<Shared>,
    pub(crate) client: Client,
    jetstream: Context,
    pub(crate) province: ProvinceCode,
    pub(crate) origin: String,
    pub(crate) key: SigningKey,
    loops: Vec<JoinHandle<()>>,
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.loops.iter().for_each(JoinHandle::abort);
    }
}

impl Shared {
    pub(crate) fn new(clock: Clock, subject: Arc<Subject>, trust: Trust) -> Self {
        let changed = watch::channel(0).0;
        let (book, trust) = (Mutex::new(Book::default()), Mutex::new(trust));
        Self { clock, subject, book, trust, changed }
    }

    /// The book. Never held over an `await`.
    pub(crate) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn watch(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    pub(super) fn changed(&self) {
        self.changed.send_modify(|it| *it += 1);
    }

    /// Kills the adapter now if this is the moment for it.
    pub(super) fn pull_trigger(&self, book: &mut Book, case: events::ids::CaseId, moment: &str) {
        let fits = book.trigger.as_ref().is_some_and(|it| it.case == case && it.moment == moment);
        if fits {
            self.subject.kill();
            book.trigger = None;
            book.note(self.clock.real_now(), Some(case), format!("killed when {moment}"));
        }
    }
}

impl Hub {
    /// Connects as the hub, makes the streams, and begins to listen.
    pub(crate) async fn open(
        url: &str,
        seed: String,
        key: SigningKey,
        province: ProvinceCode,
        origin: String,
        shared: Arc<Shared>,
    ) -> Result<Self, KitError> {
        let client = ConnectOptions::with_nkey(seed)
            .name("conformance-kit")
            .custom_inbox_prefix(subjects::HUB_INBOX)
            .retry_on_initial_connect()
            .reconnect_delay_callback(|_| Duration::from_millis(50))
            .request_timeout(Some(REQUEST_TIMEOUT))
            .connect(url)
            .await
            .map_err(|it| KitError::NoBroker { said: it.to_string() })?;
        let mut jetstream = jetstream::new(client.clone());
        jetstream.set_timeout(REQUEST_TIMEOUT);
        let mut hub = Self { shared, client, jetstream, province, origin, key, loops: Vec::new() };
        hub.make_streams().await?;
        hub.listen().await?;
        Ok(hub)
    }

    /// Makes what is missing; called again after the broker forgot everything.
    pub(crate) async fn make_streams(&self) -> Result<(), KitError> {
        let province = self.province;
        let work = stream::Config {
            name: subjects::WORK_STREAM.to_owned(),
            subjects: vec![subjects::WORK_SUBJECTS.to_owned()],
            discard: DiscardPolicy::Old,
            ..common()
        };
        let report = stream::Config {
            name: subjects::report_stream(province),
            subjects: vec![subjects::report_of(province)],
            retention: RetentionPolicy::WorkQueue,
            discard: DiscardPolicy::New,
            ..common()
        };
        let consumer = pull::Config {
            filter_subject: subjects::work_of(province),
            ..durable(subjects::consumer(province))
        };
        let made = timeout(READY_WAIT_MAX, async {
            while self.streams_once(&work, &report, &consumer).await.is_none() {
                sleep(RETRY_PAUSE).await;
            }
        });
        let said = "JetStream does not make the streams".to_owned();
        made.await.map_err(|_| KitError::NoBroker { said })
    }

    async fn streams_once(
        &self,
        work: &stream::Config,
        report: &stream::Config,
        consumer: &pull::Config,
    ) -> Option<()> {
        self.jetstream.get_or_create_stream(work.clone()).await.ok()?;
        let made = self.jetstream.create_consumer_on_stream(consumer.clone(), &work.name).await;
        made.ok()?;
        self.jetstream.get_or_create_stream(report.clone()).await.ok()?;
        let own = durable(subjects::REPORT_CONSUMER.to_owned());
        self.jetstream.create_consumer_on_stream(own, &report.name).await.ok()?;
        Some(())
    }

    async fn listen(&mut self) -> Result<(), KitError> {
        let failed = |it: async_nats::SubscribeError| KitError::NoBroker { said: it.to_string() };
        let ack =
            format!("$JS.ACK.{}.{}.>", subjects::WORK_STREAM, subjects::consumer(self.province));
        let mut acks = self.client.subscribe(ack).await.map_err(failed)?;
        let report = subjects::report_of(self.province);
        let mut attempts = self.client.subscribe(report).await.map_err(failed)?;
        let shared = Arc::clone(&self.shared);
        self.loops.push(tokio::spawn(async move {
            while let Some(message) = acks.next().await {
                hear_ack(&shared, &message);
            }
        }));
        let shared = Arc::clone(&self.shared);
        self.loops.push(tokio::spawn(async move {
            while let Some(message) = attempts.next().await {
                let headers = message.headers.as_ref();
                let id = headers.and_then(|it| it.get(subjects::MESSAGE_ID_HEADER));
                let now = shared.clock.real_now();
                let id = id.map(|it| it.as_str());
                judge::attempt(&mut shared.book(), id, &message.payload, now, Instant::now());
                shared.changed();
            }
        }));
        let reading = Reading {
            shared: Arc::clone(&self.shared),
            jetstream: self.jetstream.clone(),
            stream: subjects::report_stream(self.province),
        };
        let owed = self.post_office();
        self.loops.push(tokio::spawn(reading.run(owed)));
        Ok(())
    }

    fn post_office(&self) -> PostOffice {
        PostOffice {
            shared: Arc::clone(&self.shared),
            jetstream: self.jetstream.clone(),
            province: self.province,
            origin: self.origin.clone(),
            key: self.key.clone(),
        }
    }

    /// Publishes signed bytes to the province and waits until the broker has them.
    pub(crate) async fn post(
        &self,
        token: &str,
        bytes: Vec<u8>,
        signature: Option<String>,
        posted: Posted,
    ) -> Result<(), KitError> {
        self.post_office().post(token, bytes, signature, posted).await
    }

    /// Whether everything that was handed out is acknowledged within `limit`. After a broker's restart an
    /// adapter may be back before we are, and then only the broker has heard it: so it is asked as well.
    pub(crate) async fn all_acknowledged(&self, limit: Duration) -> bool {
        let give_up = Instant::now() + limit;
        loop {
            if self.shared.book().open.is_empty() {
                return true;
            }
            let consumer: Result<PullConsumer, _> = self
                .jetstream
                .get_consumer_from_stream(subjects::consumer(self.province), subjects::WORK_STREAM)
                .await;
            if let Ok(consumer) = consumer {
                hear_floor(&self.shared, consumer.cached_info().ack_floor.stream_sequence);
            }
            if Instant::now() > give_up {
                return self.shared.book().open.is_empty();
            }
            sleep(FLOOR_PAUSE).await;
        }
    }

    /// A signature of the hub over `bytes`.
    pub(crate) fn sign(&self, bytes: &[u8]) -> String {
        signature::sign(&self.key, HUB_KEY_ID, Purpose::ToProvince, bytes)
    }

    /// Sends all receipts that were held back.
    pub(crate) async fn give_receipts(&self) -> Result<(), KitError> {
        let (owed, epoch) = {
            let mut book = self.shared.book();
            book.receipts_held = false;
            (std::mem::take(&mut book.owed), book.epoch)
        };
        self.post_office().send(owed, epoch).await
    }
}

fn common() -> stream::Config {
    stream::Config {
        storage: StorageType::File,
        max_bytes: STREAM_BYTES_MAX,
        max_messages: -1,
        max_messages_per_subject: -1,
        duplicate_window: Duration::from_secs(120),
        deny_delete: true,
        deny_purge: true,
        num_replicas: 1,
        ..Default::default()
    }
}

fn durable(name: String) -> pull::Config {
    pull::Config {
        durable_name: Some(name),
        ack_policy: AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        max_ack_pending: 2_048,
        max_deliver: -1,
        ..Default::default()
    }
}

/// A message's own id.
pub(crate) fn fresh_id() -> Result<Uuid, KitError> {
    let bytes = crate::keys::randomness::<16>().map_err(|_| KitError::Randomness)?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}
