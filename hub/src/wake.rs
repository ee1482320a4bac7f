//! "Look again", without saying why. A wake-up carries no data; a slow tick looks anyway.

use std::time::Duration;

use tokio::sync::watch;

/// Rings for everybody who listens. Rings that nobody heard yet are one ring.
#[derive(Debug, Clone)]
pub struct Wake(watch::Sender<u64>);

impl Default for Wake {
    fn default() -> Self {
        Self(watch::channel(0).0)
    }
}

impl Wake {
    /// Something changed.
    pub fn ring(&self) {
        self.0.send_modify(|it| *it += 1);
    }

    /// Hears every ring from now on.
    pub fn listen(&self) -> Ear {
        Ear(self.0.subscribe())
    }
}

/// One listener.
#[derive(Debug)]
pub struct Ear(watch::Receiver<u64>);

impl Ear {
    /// Returns at the next ring since the last call, or after `tick`, whichever is first.
    pub async fn heard(&mut self, tick: Duration) {
        // A wake that is gone does not ring; the tick still makes the loop look.
        if let Ok(Err(_gone)) = tokio::time::timeout(tick, self.0.changed()).await {
            tokio::time::sleep(tick).await;
        }
    }
}
