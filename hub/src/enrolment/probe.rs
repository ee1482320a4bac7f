//! Asks the broker, as a province would, whether answers still come through.
//!
//! A nats-server before 2.9.21 that reads its configuration again under load may lose every answer to every
//! province until it reads it once more (nats-server #4327): requests arrive, nobody hears of it. The hub's own
//! account does not notice. So the hub asks one harmless question from an account of its own.

use std::time::Duration;

use async_nats::client::RequestErrorKind;
use events::subjects;
use tokio::sync::OnceCell;

use crate::nats::address::BrokerAddress;
use crate::nats::connect::{self, HubConnection};
use crate::nats::keys::UserKey;

/// An answer that takes longer is taken for lost; to be told once more harms nobody.
const ANSWER_MAX: Duration = Duration::from_secs(2);
/// What the probe's key is derived for.
const PURPOSE: &str = "probe";
/// What the broker's list of connections calls it.
const NAME: &str = "hub-probe";

/// Asks from an account that exists for this only.
pub struct Probe {
    address: BrokerAddress,
    user: UserKey,
    connection: OnceCell<HubConnection>,
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Probe").field("address", &self.address).field("user", &self.user).finish()
    }
}

impl Probe {
    /// The key that follows from the hub's own: nobody has to keep or register it.
    pub fn key(hub: &UserKey) -> UserKey {
        hub.derived(PURPOSE)
    }

    /// Of the broker at `address`; connects when it asks for the first time.
    pub fn new(address: BrokerAddress, hub: &UserKey) -> Self {
        Self { address, user: Self::key(hub), connection: OnceCell::new() }
    }

    /// Its public nkey, for the broker's configuration.
    pub fn public(&self) -> &str {
        self.user.public()
    }

    /// Whether an answer came. None while there is no connection: then nothing is known.
    pub async fn answered(&self) -> Option<bool> {
        let connect =
            || connect::connect_as(&self.address, &self.user, NAME, subjects::PROBE_INBOX);
        let connection = self.connection.get_or_try_init(connect).await.ok()?;
        if !*connection.up.borrow() {
            return None;
        }
        let asked = connection.client.request(subjects::PROBE_SUBJECT, "".into());
        match tokio::time::timeout(ANSWER_MAX, asked).await {
            Ok(Ok(_)) => Some(true),
            // Nobody listens there: the import is not connected.
            Ok(Err(error)) if error.kind() == RequestErrorKind::NoResponders => Some(false),
            Ok(Err(_)) => None,
            // Lost on the way is not the same as lost with the connection.
            Err(_elapsed) => connection.up.borrow().then_some(false),
        }
    }
}
