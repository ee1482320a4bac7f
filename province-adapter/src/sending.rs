//! From the outbox to the broker: a window at a time, each report until the hub has signed for it.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::Client;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, Context};
use events::subjects;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use tracing::{debug, warn};

use crate::adapter::Shared;
use crate::headers;
use crate::hops::Moment;
use crate::inventory;
use crate::outbox::{self, ReportError};
use crate::publicity;
use crate::store::StoreError;

/// The longest idle wait of the sending loop: the slow tick behind every wake-up.
const SEND_TICK: Duration = Duration::from_secs(1);
/// For the broker's answer to a publish.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(5);

/// Sends what is due, for ever.
pub(crate) async fn send(shared: Arc<Shared>, client: Client) {
    let mut context = jetstream::new(client);
    context.set_timeout(PUBLISH_TIMEOUT);
    loop {
        let sent = if shared.connected.load(Ordering::Relaxed) {
            send_due(&shared, &context).await + tell_due(&shared, &context).await
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
    let statement = publicity::next_due(connection)?;
    Ok([report, comparison, statement].into_iter().flatten().min())
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
            // Without this a full disk would be asked a thousand times a second.
            tokio::time::sleep(SEND_TICK).await;
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

/// Inventories, lists and publicity. One that is lost is told again, until the hub has settled it.
async fn tell_due(shared: &Arc<Shared>, context: &Context) -> usize {
    let (teller, now) = (Arc::clone(shared), shared.clock.real_now());
    let told_at = shared.clock.told_now();
    let claim = move |connection: &rusqlite::Connection| {
        let (identity, pace) = (&teller.identity, &teller.pace);
        let mut messages = inventory::claim_due(connection, identity, pace, now, told_at)?;
        messages.extend(publicity::claim_due(connection, identity, pace, now)?);
        Ok::<_, ReportError>(messages)
    };
    let messages = match shared.store.write(claim).await {
        Ok(messages) => messages,
        Err(error) => {
            warn!(error = %error, "cannot take an inventory or tell publicity");
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
            debug!(error = %error, "the broker did not take it; it is told again");
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
