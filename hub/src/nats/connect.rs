//! The hub's connection to the broker: endless, jittered, observable, and silent about payloads.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::jetstream::{self, context::ContextBuilder};
use async_nats::{Client, ConnectOptions, Event};
use events::subjects;
use rand::Rng as _;
use tokio::sync::watch;
use tracing::{info, warn};

use super::address::BrokerAddress;
use super::keys::UserKey;
use super::release::Release;

/// A silent connection is asked after this long; the default minute hides a dead line.
pub const PING_INTERVAL: Duration = Duration::from_secs(10);
/// Longest wait for one connection attempt.
pub const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest wait for an answer of the broker. After it the outcome is unknown, not negative.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
/// First and longest wait between two attempts to connect, in milliseconds.
pub const RECONNECT_FIRST_MS: u64 = 100;
/// See above.
pub const RECONNECT_MAX_MS: u64 = 4_000;
/// Publishes that may wait for the broker's acknowledgement at the same time.
pub const PUBLISHES_IN_FLIGHT_MAX: usize = 1_024;
/// One in so many slow-consumer events is logged: they come in floods.
const SLOW_CONSUMER_LOGGED_ONE_IN: u64 = 1_000;

/// The connection and what can be asked of it. Cloning shares it.
#[derive(Clone)]
pub struct HubConnection {
    /// The raw client.
    pub client: Client,
    /// JetStream, with the hub's waits and bounds.
    pub jetstream: jetstream::Context,
    /// Whether the connection stands now. A pace-maker for loops; nothing is decided by it.
    pub up: watch::Receiver<bool>,
}

/// The connection could not even be set up; an unreachable broker is no error, it is retried.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up the connection to the broker at {address}")]
pub struct ConnectError {
    /// Where.
    pub address: String,
    #[source]
    source: async_nats::ConnectError,
}

/// Connects as the hub. Returns at once; `up` tells when the broker answers, now and ever after.
pub async fn connect(
    address: &BrokerAddress,
    user: &UserKey,
) -> Result<HubConnection, ConnectError> {
    connect_as(address, user, "hub", subjects::HUB_INBOX).await
}

/// The same under another name and with another inbox.
pub async fn connect_as(
    address: &BrokerAddress,
    user: &UserKey,
    name: &str,
    inbox: &str,
) -> Result<HubConnection, ConnectError> {
    let (says_up, up) = watch::channel(false);
    let says_up = Arc::new(says_up);
    let slow_consumers = Arc::new(AtomicU64::new(0));
    let mut options = ConnectOptions::with_nkey(user.seed().to_owned());
    if let Some(path) = &address.ca_file {
        options = options.add_root_certificates(path.clone());
    }
    let client = options
        .require_tls(address.wants_tls())
        .name(name)
        .custom_inbox_prefix(inbox)
        .retry_on_initial_connect()
        .max_reconnects(None)
        .ping_interval(PING_INTERVAL)
        .connection_timeout(CONNECTION_TIMEOUT)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .reconnect_delay_callback(reconnect_delay)
        .event_callback(move |event| {
            notice(&event, &says_up, &slow_consumers);
            std::future::ready(())
        })
        .connect(&address.url)
        .await
        .map_err(|source| ConnectError { address: address.url.clone(), source })?;
    let jetstream = ContextBuilder::new()
        .timeout(REQUEST_TIMEOUT)
        .ack_timeout(REQUEST_TIMEOUT)
        .max_ack_inflight(PUBLISHES_IN_FLIGHT_MAX)
        .backpressure_on_inflight(true)
        .build(client.clone());
    Ok(HubConnection { client, jetstream, up })
}

impl HubConnection {
    /// The broker's version, once connected; logs what an operator must know about it.
    pub fn release(&self) -> Option<Release> {
        let told = self.client.server_info().version;
        let release: Release = told.parse().ok()?;
        if let Some(warning) = release.warning() {
            warn!(broker.release = %release, "the broker is nats-server {release}: {warning}");
        }
        Some(release)
    }
}

/// Doubles from the first wait to the longest, then takes a random half off, so that a crowd of
/// clients does not come back in step.
fn reconnect_delay(attempts: usize) -> Duration {
    let doubled = RECONNECT_FIRST_MS << attempts.saturating_sub(1).min(16);
    let longest = doubled.min(RECONNECT_MAX_MS);
    Duration::from_millis(rand::rng().random_range(longest / 2..=longest))
}

fn notice(event: &Event, says_up: &watch::Sender<bool>, slow_consumers: &AtomicU64) {
    match event {
        Event::Connected => {
            info!("connected to the broker");
            says_up.send_replace(true);
        }
        Event::Disconnected | Event::Closed => {
            warn!("the connection to the broker is gone; trying again for ever");
            says_up.send_replace(false);
        }
        // The only place where a refused permission shows: the caller just sees a timeout.
        Event::ServerError(error) => warn!(%error, "the broker refused something"),
        Event::ClientError(error) => warn!(%error, "the connection to the broker reports an error"),
        Event::SlowConsumer(_) => {
            let count = slow_consumers.fetch_add(1, Ordering::Relaxed);
            if count.is_multiple_of(SLOW_CONSUMER_LOGGED_ONE_IN) {
                warn!(count = count + 1, "messages of the broker were dropped: we read too slowly");
            }
        }
        Event::LameDuckMode | Event::Draining => info!("the broker is about to leave"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_between_attempts_grow_stay_bounded_and_differ() {
        for attempts in 0..1_000 {
            let waited = reconnect_delay(attempts).as_millis() as u64;
            assert!((RECONNECT_FIRST_MS / 2..=RECONNECT_MAX_MS).contains(&waited), "{attempts}");
        }
        let waits: std::collections::BTreeSet<_> = (0..64).map(|_| reconnect_delay(9)).collect();
        assert!(waits.len() > 8, "jitter");
    }

    #[test]
    fn the_state_of_the_connection_can_be_watched() {
        let (says_up, up) = watch::channel(false);
        let slow = AtomicU64::new(0);
        notice(&Event::Connected, &says_up, &slow);
        assert!(*up.borrow());
        notice(&Event::Disconnected, &says_up, &slow);
        assert!(!*up.borrow());
    }
}
