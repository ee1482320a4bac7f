//! NATS: fetch, acknowledge, publish. A connection that is lost is waited for, for ever; a consumer
//! that is gone is looked for again. Nothing here is trusted to remember anything.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::jetstream::consumer::pull::{MessagesError, MessagesErrorKind};
use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, AckKind, Context, Message};
use async_nats::{Client, ConnectOptions, Event};
use events::ids::ProvinceCode;
use events::subjects;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use tracing::{debug, info, warn};

use crate::adapter::{AdapterError, Shared};
use crate::config::Broker;
use crate::headers;
use crate::hops::Moment;
use crate::inbox::{self, Arrival, Content, Distrust, Letter, Moments};
use crate::inventory;
use crate::keys::KeyError;
use crate::outbox::{self, ReportError};
use crate::store::StoreError;

/// Between two signs of life on a quiet connection.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// The longest wait before the next try to connect.
const RECONNECT_WAIT_MAX: Duration = Duration::from_secs(8);
/// Missed one after another, they mean that nobody remembers our fetch any more.
const HEARTBEATS_MISSED_MAX: u32 = 3;
/// Before looking again for a consumer that is not there.
const REOPEN_WAIT: Duration = Duration::from_secs(1);
/// The longest idle wait of the sending loop: the slow tick behind every wake-up.
const SEND_TICK: Duration = Duration::from_secs(1);
/// For the broker's answer to a publish.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects, or goes on trying in the background; returns at once either way.
pub(crate) async fn connect(broker: &Broker, shared: &Arc<Shared>) -> Result<Client, AdapterError> {
    let watcher = Arc::clone(shared);
    let options = options(broker, shared.identity.province)?
        .max_reconnects(None)
        .retry_on_initial_connect()
        .reconnect_delay_callback(reconnect_wait)
        .event_callback(move |event| {
            note(&watcher, &event);
            std::future::ready(())
        });
    options
        .connect(broker.urls.clone())
        .await
        .map_err(|source| AdapterError::Connect { urls: broker.urls.join(", "), source })
}

/// Who we are to the broker, and the private inbox that nobody else may read.
pub(crate) fn options(broker: &Broker, province: ProvinceCode) -> Result<ConnectOptions, KeyError> {
    let seed = crate::keys::read_text(&broker.nkey_seed_file)?;
    let options = ConnectOptions::with_nkey(seed.trim().to_owned())
        .name(format!("province-adapter-{province}"))
        .custom_inbox_prefix(subjects::inbox(province))
        .ping_interval(PING_INTERVAL);
    Ok(match &broker.ca_file {
        Some(path) => options.add_root_certificates(path.clone()),
        None => options,
    })
}

/// Doubles from 100 ms; thirty-two adapters must not come back in the same millisecond.
fn reconnect_wait(tries: usize) -> Duration {
    let doublings = u32::try_from(tries.min(8)).unwrap_or(8);
    let wait = (Duration::from_millis(50) * 2_u32.pow(doublings)).min(RECONNECT_WAIT_MAX);
    wait.mul_f64(0.5 + rand::random::<f64>() / 2.0)
}

fn note(shared: &Shared, event: &Event) {
    let province = shared.identity.province;
    match event {
        Event::Connected => {
            shared.connected.store(true, Ordering::Relaxed);
            shared.life_wake.notify_one();
            shared.compare_wake.notify_one();
            shared.outbox_wake.notify_one();
            info!(province.code = %province, "connected to the broker");
        }
        Event::Disconnected => {
            shared.connected.store(false, Ordering::Relaxed);
            shared.life_wake.notify_one();
            warn!(province.code = %province, "lost the broker; trying again for ever");
        }
        // Refused permissions show up only here.
        Event::ServerError(error) => {
            warn!(province.code = %province, error = %error, "the broker refused something");
        }
        Event::ClientError(error) => {
            debug!(province.code = %province, error = %error, "the broker's client noted an error");
        }
        Event::SlowConsumer(_) | Event::LameDuckMode | Event::Draining | Event::Closed => {
            debug!(province.code = %province, event = %event, "the connection changed");
        }
    }
}

/// The province's own consumer. Asks for nothing but its name.
pub(crate) async fn find_consumer(
    province: ProvinceCode,
    client: &Client,
) -> Result<PullConsumer, jetstream::stream::ConsumerError> {
    let context = jetstream::with_prefix(client.clone(), subjects::PROVINCE_API_PREFIX);
    let name = subjects::consumer(province);
    context.get_consumer_from_stream::<pull::Config, _, _>(name, subjects::WORK_STREAM).await
}

/// Fetches for ever. Returns never; dropping it at any point is a crash, and harmless.
pub(crate) async fn receive(shared: Arc<Shared>, client: Client) {
    loop {
        match find_consumer(shared.identity.province, &client).await {
            Ok(consumer) => pump(&shared, &consumer).await,
            Err(error) => debug!(error = %error, "the consumer is not there yet"),
        }
        tokio::time::sleep(REOPEN_WAIT.mul_f64(0.5 + rand::random::<f64>())).await;
    }
}

/// Until the consumer is gone.
async fn pump(shared: &Arc<Shared>, consumer: &PullConsumer) {
    let limits = &shared.limits;
    let stream = consumer
        .stream()
        .max_messages_per_batch(limits.fetch_messages_max)
        .expires(limits.fetch_expires)
        .heartbeat(limits.fetch_heartbeat)
        .messages()
        .await;
    let stream = match stream {
        Ok(stream) => stream,
        Err(error) => {
            warn!(error = %error, "cannot fetch");
            return;
        }
    };
    info!(province.code = %shared.identity.province, "fetching work");
    let mut chunks = stream.ready_chunks(limits.fetch_messages_max);
    let mut missed = 0;
    while let Some(chunk) = chunks.next().await {
        let mut messages = Vec::with_capacity(chunk.len());
        let mut gone = false;
        for item in chunk {
            match item {
                Ok(message) => messages.push(message),
                Err(error) => gone |= is_gone(&error, &mut missed),
            }
        }
        if !messages.is_empty() {
            missed = 0;
        }
        take_in(shared, messages).await;
        if gone {
            return;
        }
    }
}

/// A missed heartbeat usually heals by itself; everything else means that the consumer must be
/// looked for again.
fn is_gone(error: &MessagesError, missed: &mut u32) -> bool {
    if error.kind() == MessagesErrorKind::MissingHeartbeat {
        *missed += 1;
    }
    let gone =
        error.kind() != MessagesErrorKind::MissingHeartbeat || *missed >= HEARTBEATS_MISSED_MAX;
    debug!(error = %error, gone, "fetching was disturbed");
    gone
}

/// Durable first, acknowledged then.
async fn take_in(shared: &Arc<Shared>, messages: Vec<Message>) {
    if messages.is_empty() {
        return;
    }
    let letters: Vec<Letter> = messages.iter().map(headers::letter).collect();
    for (message, arrival) in messages.iter().zip(keep_all(shared, letters).await) {
        let acknowledged = match arrival {
            Some(Arrival::Refused(distrust)) => {
                let code = distrust.code();
                warn!(refusal.code = code, "refused a message: {code}");
                message.ack_with(AckKind::Term).await
            }
            Some(_) => message.ack().await,
            // Not durable: the broker gives it again.
            None => continue,
        };
        if let Err(error) = acknowledged {
            debug!(error = %error, "cannot acknowledge; the copy will be recognised");
        }
    }
}

/// What became of each letter; `None` where nothing could be made durable.
pub(crate) async fn keep_all(shared: &Arc<Shared>, letters: Vec<Letter>) -> Vec<Option<Arrival>> {
    let began = Moment::now(&shared.clock);
    let identity = Arc::clone(&shared.identity);
    let examining = tokio::task::spawn_blocking(move || {
        letters
            .into_iter()
            .map(|it| (inbox::examine(&identity, &it), it))
            .collect::<Vec<(Result<Content, Distrust>, Letter)>>()
    });
    let examined = Arc::new(examining.await.expect("examining a letter does not panic"));
    let now = Moments { real: shared.clock.real_now(), told: shared.clock.told_now() };
    let arrivals = match keep_together(shared, &examined, now).await {
        Ok(arrivals) => arrivals.into_iter().map(Some).collect(),
        Err(error) => {
            // One letter of the batch cannot be kept: the others must not wait for it.
            warn!(error = %error, "cannot keep a batch; trying its messages one by one");
            keep_singly(shared, &examined, now).await
        }
    };
    shared.after_arrivals(&arrivals, examined, began);
    arrivals
}

type Examined = Arc<Vec<(Result<Content, Distrust>, Letter)>>;

async fn keep_together(
    shared: &Arc<Shared>,
    examined: &Examined,
    now: Moments,
) -> Result<Vec<Arrival>, ReportError> {
    let (identity, examined) = (Arc::clone(&shared.identity), Arc::clone(examined));
    let keep = move |connection: &rusqlite::Connection| {
        let keep = |(content, letter): &_| inbox::keep(connection, &identity, letter, content, now);
        examined.iter().map(keep).collect()
    };
    shared.store.write(keep).await
}

async fn keep_singly(
    shared: &Arc<Shared>,
    examined: &Examined,
    now: Moments,
) -> Vec<Option<Arrival>> {
    let mut arrivals = Vec::with_capacity(examined.len());
    for at in 0..examined.len() {
        let (identity, examined) = (Arc::clone(&shared.identity), Arc::clone(examined));
        let keep = move |connection: &rusqlite::Connection| {
            let (content, letter) = &examined[at];
            inbox::keep(connection, &identity, letter, content, now)
        };
        let kept = shared.store.write(keep).await;
        arrivals.push(kept.inspect_err(|it| warn!(error = %it, "cannot keep a message")).ok());
    }
    arrivals
}

/// Sends what is due, for ever.
pub(crate) async fn send(shared: Arc<Shared>, client: Client) {
    let mut context = jetstream::new(client);
    context.set_timeout(PUBLISH_TIMEOUT);
    loop {
        let sent = if shared.connected.load(Ordering::Relaxed) {
            send_due(&shared, &context).await + compare_due(&shared, &context).await
        } else {
            0
        };
        if sent == 0 {
            wait_for_due(&shared).await;
        }
    }
}

fn next_due(connection: &rusqlite::Connection) -> Result<Option<Timestamp>, StoreError> {
    let (report, comparison) = (outbox::next_due(connection)?, inventory::next_due(connection)?);
    Ok([report, comparison].into_iter().flatten().min())
}

async fn wait_for_due(shared: &Shared) {
    let next = shared.store.write(next_due).await;
    let wait = match next {
        Ok(Some(at)) if shared.connected.load(Ordering::Relaxed) => {
            let wait = at.duration_since(shared.clock.real_now());
            Duration::try_from(wait)
                .unwrap_or(Duration::ZERO)
                .clamp(Duration::from_millis(1), SEND_TICK)
        }
        Ok(_) | Err(_) => SEND_TICK,
    };
    tokio::select! {
        () = shared.outbox_wake.notified() => {}
        () = tokio::time::sleep(wait) => {}
    }
}

/// One window: claimed durably, published in a row, answers awaited together.
async fn send_due(shared: &Arc<Shared>, context: &Context) -> usize {
    let began = Moment::now(&shared.clock);
    let (claimer, now) = (Arc::clone(shared), shared.clock.real_now());
    let claim = move |connection: &rusqlite::Connection| {
        outbox::claim_due(connection, &claimer.pace, now, claimer.limits.send_window)
    };
    let parcels = match shared.store.write(claim).await {
        Ok(parcels) => parcels,
        Err(error) => {
            warn!(error = %error, "cannot claim reports");
            return 0;
        }
    };
    let mut answers = FuturesUnordered::new();
    let mut not_taken = Vec::new();
    for parcel in &parcels {
        let subject = subjects::report(shared.identity.province, &parcel.token);
        match context.send_publish(subject, headers::message(&shared.identity, parcel)).await {
            Ok(answer) => answers.push(async move { (parcel, answer.await) }),
            Err(error) => {
                debug!(report.id = %parcel.report, error = %error, "cannot publish");
                began.reported(&shared.clock, parcel, false);
                not_taken.push(parcel.row);
            }
        }
    }
    while let Some((parcel, answer)) = answers.next().await {
        began.reported(&shared.clock, parcel, answer.is_ok());
        if let Err(error) = answer {
            debug!(error = %error, "the broker did not take a report; it is sent again");
            not_taken.push(parcel.row);
        }
    }
    drop(answers);
    note_not_taken(shared, not_taken).await;
    parcels.len()
}

/// Inventories and lists. One that is lost is told again, until the hub has settled it.
async fn compare_due(shared: &Arc<Shared>, context: &Context) -> usize {
    let (teller, now) = (Arc::clone(shared), shared.clock.real_now());
    let told_at = shared.clock.told_now();
    let claim = move |connection: &rusqlite::Connection| {
        inventory::claim_due(connection, &teller.identity, &teller.pace, now, told_at)
    };
    let messages = match shared.store.write(claim).await {
        Ok(messages) => messages,
        Err(error) => {
            warn!(error = %error, "cannot take an inventory");
            return 0;
        }
    };
    let count = messages.len();
    for it in messages {
        let subject = subjects::report(shared.identity.province, it.token);
        let message = PublishMessage::build()
            .payload(it.body.into())
            .header(subjects::MESSAGE_ID_HEADER, it.message_id.as_str())
            .header(subjects::SIGNATURE_HEADER, it.signature.as_str())
            .header("Content-Type", events::wire::CONTENT_TYPE);
        let published = match context.send_publish(subject, message).await {
            Ok(answer) => answer.await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = published {
            debug!(error = %error, "the broker did not take a comparison; it is told again");
        }
    }
    count
}

async fn note_not_taken(shared: &Arc<Shared>, rows: Vec<i64>) {
    if rows.is_empty() {
        return;
    }
    warn!(count = rows.len(), "the broker did not take {} reports", rows.len());
    let (noter, now) = (Arc::clone(shared), shared.clock.real_now());
    let note = move |connection: &rusqlite::Connection| {
        outbox::not_taken(connection, &noter.pace, now, &rows)
    };
    if let Err(error) = shared.store.write(note).await {
        warn!(error = %error, "cannot note what the broker did not take");
    }
}
