//! Heavy tests take turns: beside each other on two cores each only sees that the machine is busy.

use tokio::sync::{Mutex, MutexGuard};

static TURN: Mutex<()> = Mutex::const_new(());

/// Waits until no other heavy test runs; the next waits until this is dropped. Light ones go on.
pub async fn alone() -> MutexGuard<'static, ()> {
    TURN.lock().await
}
