//! From the broker to the inbox: fetched while there is room for it, durable first, acknowledged then. Without
//! room nothing is fetched and nothing acknowledged; it waits with the hub, and comes when there is room.

use std::sync::Arc;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::consumer::PullConsumer;
use async_nats::jetstream::consumer::pull::{MessagesError, MessagesErrorKind};
use async_nats::jetstream::{AckKind, Message};
use futures::StreamExt as _;
use jiff::Timestamp;
use serde::Deserialize;
use tracing::{debug, info, warn};

use crate::adapter::Shared;
use crate::connection::find_consumer;
use crate::headers;
use crate::hops::Moment;
use crate::inbox::{self, Arrival, Content, Distrust, Letter, Moments};
use crate::life::Hold;
use crate::outbox::ReportError;
use crate::pacing;
use crate::store::{MayBeStoreError as _, StoreError};

/// Missed one after another, they mean that nobody remembers our fetch any more.
const HEARTBEATS_MISSED_MAX: u32 = 3;
/// Before looking again for a consumer that is not there.
const REOPEN_WAIT: Duration = Duration::from_secs(1);
/// Between two looks at a full inbox, or at a full disk.
const ROOM_TICK: Duration = Duration::from_secs(1);
/// What could not be kept comes again no sooner: by then it may have room.
const AGAIN_AFTER: Duration = Duration::from_secs(2);
/// A full inbox is fetched into again when it is emptied to so many tenths.
const RESUME_TENTHS: usize = 9;
/// What `status` calls an inbox that has no room.
const INBOX_FULL: &str = "inbox-full";
/// What `status` calls a store that has no space.
const DISK_FULL: &str = "disk-full";

/// Fetches for ever. Returns never; dropping it at any point is a crash, and harmless.
pub(crate) async fn receive(shared: Arc<Shared>, client: Client) {
    loop {
        wait_for_room(&shared).await;
        match find_consumer(shared.identity.province, &client).await {
            Ok(consumer) => {
                if pump(&shared, &consumer).await == Ended::NoRoom {
                    continue;
                }
            }
            Err(error) => debug!(error = %error, "the consumer is not there yet"),
        }
        tokio::time::sleep(REOPEN_WAIT.mul_f64(0.5 + rand::random::<f64>())).await;
    }
}

/// Why fetching came to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The consumer must be looked for again.
    Gone,
    /// Neither inbox nor disk may take more.
    NoRoom,
}

/// Returns at once if the inbox and the disk have room, else when they have.
async fn wait_for_room(shared: &Shared) {
    let most = shared.limits.inbox_work_max;
    let mut enough = most;
    loop {
        let held = if shared.store.is_full() && !shared.store.has_room().await {
            Some(DISK_FULL)
        } else {
            match shared.store.write(pacing::untaken).await {
                Ok(count) if count >= enough => Some(INBOX_FULL),
                Ok(_) => None,
                Err(error) => {
                    warn!(error = %error, "cannot look how much waits in the inbox");
                    Some(DISK_FULL)
                }
            }
        };
        note_held(shared, held);
        if held.is_none() {
            return;
        }
        if held == Some(INBOX_FULL) {
            enough = (most / 10 * RESUME_TENTHS).max(1);
        }
        tokio::time::sleep(ROOM_TICK).await;
    }
}

/// Said once, however long it lasts: a full disk must not be filled with it.
fn note_held(shared: &Shared, held: Option<&'static str>) {
    let now = shared.clock.real_now();
    shared.note_disk(now);
    if shared.life.hold(Hold::Fetch, held, now) {
        shared.life_wake.notify_one();
        match held {
            Some(INBOX_FULL) => {
                let most = shared.limits.inbox_work_max;
                warn!(
                    count = most,
                    "{most} pieces of work wait for the office; no more are fetched until it takes some"
                );
            }
            Some(_) => {}
            None => info!("work is fetched again"),
        }
    }
}

/// More than may wait for the office, or a disk without space.
async fn is_without_room(shared: &Shared) -> bool {
    let count = shared.store.write(pacing::untaken).await;
    shared.store.is_full() || count.is_ok_and(|it| it >= shared.limits.inbox_work_max)
}

/// Until the consumer is gone, or there is no room.
async fn pump(shared: &Arc<Shared>, consumer: &PullConsumer) -> Ended {
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
            return Ended::Gone;
        }
    };
    info!(province.code = %shared.identity.province, "fetching work");
    let mut chunks = stream.ready_chunks(limits.fetch_messages_max);
    let mut missed = 0;
    loop {
        let chunk = tokio::select! {
            chunk = chunks.next() => chunk,
            () = shared.store.becomes_full() => return Ended::NoRoom,
        };
        let Some(chunk) = chunk else { return Ended::Gone };
        let mut messages = Vec::with_capacity(chunk.len());
        let mut gone = false;
        for item in chunk {
            match item {
                Ok(message) => messages.push(message),
                Err(error) => gone |= is_gone(&error, &mut missed),
            }
        }
        let some = !messages.is_empty();
        if some {
            missed = 0;
        }
        take_in(shared, messages).await;
        if gone {
            return Ended::Gone;
        }
        if some && is_without_room(shared).await {
            return Ended::NoRoom;
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
            // Not durable, so not acknowledged: the broker gives it again.
            None => message.ack_with(AckKind::Nak(Some(AGAIN_AFTER))).await,
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
        Err(error)
            if matches!(error.store_error(), Some(StoreError::Full | StoreError::Stopped)) =>
        {
            shared.note_disk(now.real);
            examined.iter().map(|_| None).collect()
        }
        Err(error) => {
            // One letter of the batch cannot be kept: the others must not wait for it.
            warn!(error = %error, "cannot keep a batch; trying its messages one by one");
            keep_singly(shared, &examined, now).await
        }
    };
    note_lag(shared, &examined, now);
    shared.after_arrivals(&arrivals, examined, began);
    arrivals
}

/// When a message of the hub was written, by the hub's clock.
#[derive(Deserialize)]
struct Written {
    time: Timestamp,
}

/// The newest tells how far this clock may be from the hub's.
fn note_lag(shared: &Shared, examined: &Examined, now: Moments) {
    let newest = examined.iter().rev().find(|(content, it)| content.is_ok() && !it.redelivered);
    let Some((_, letter)) = newest else { return };
    if let Ok(written) = serde_json::from_slice::<Written>(&letter.body) {
        let lag = now.told.as_millisecond() - written.time.as_millisecond();
        shared.life.lag(lag, now.real);
    }
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
