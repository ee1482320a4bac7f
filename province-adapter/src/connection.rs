//! NATS. A connection that is lost is waited for, for ever; a consumer
//! that is gone is looked for again. Nothing here is trusted to remember anything.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::jetstream;
use async_nats::jetstream::consumer::{PullConsumer, pull};
use async_nats::{Client, ConnectOptions, Event};
use events::ids::ProvinceCode;
use events::subjects;
use tracing::{debug, info, warn};

use crate::adapter::{AdapterError, Shared};
use crate::config::Broker;
use crate::keys::KeyError;

/// Between two signs of life on a quiet connection.
const PING_INTERVAL: Duration = Duration::from_secs(10);
/// The longest wait before the next try to connect.
const RECONNECT_WAIT_MAX: Duration = Duration::from_secs(8);

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
        .ping_interval(PING_INTERVAL)
        .require_tls(broker.wants_tls());
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
            shared.life.connected(true, None, shared.clock.real_now());
            shared.life_wake.notify_one();
            shared.compare_wake.notify_one();
            shared.outbox_wake.notify_one();
            info!(province.code = %province, "connected to the broker");
        }
        Event::Disconnected => {
            shared.connected.store(false, Ordering::Relaxed);
            shared.life.connected(false, None, shared.clock.real_now());
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
