//! When an inventory is taken: once when the store is new, once a day, and when the connection comes back.

use std::sync::Arc;
use std::time::Duration;

use events::reconcile::Occasion;
use jiff::tz::{TimeZone, offset};
use rusqlite::Connection;
use tracing::{info, warn};

use crate::adapter::Shared;
use crate::inventory;
use crate::outbox::ReportError;

/// Between two looks at the day.
const TICK: Duration = Duration::from_secs(20);
/// A connection that comes back is an occasion at most this often.
const CONNECTED_EVERY: Duration = Duration::from_secs(600);
/// The daily comparison begins after one o'clock, each province at a minute of its own.
const DAILY_MINUTE_FROM: i64 = 60;
/// How many minutes the provinces are spread over.
const DAILY_MINUTES: i64 = 60;

/// Looks, for ever.
pub(crate) async fn run(shared: &Arc<Shared>) {
    loop {
        match shared.store.write(look(shared)).await {
            Ok(Some(occasion)) => {
                info!(occasion = occasion.token(), "takes an inventory for the hub")
            }
            Ok(None) => {}
            Err(error) => warn!(error = %error, "cannot see whether an inventory is due"),
        }
        shared.outbox_wake.notify_one();
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            () = shared.compare_wake.notified() => match shared.store.write(connected(shared)).await {
                Ok(true) => info!("takes an inventory for the hub: the connection came back"),
                Ok(false) => {}
                Err(error) => warn!(error = %error, "cannot take an inventory"),
            },
        }
    }
}

type Wish<T> = Box<dyn FnOnce(&Connection) -> Result<T, ReportError> + Send>;

fn look(shared: &Shared) -> Wish<Option<Occasion>> {
    let (now, told) = (shared.clock.real_now(), shared.clock.told_now());
    let today = inventory::shanghai_date(told);
    let clock = told.to_zoned(TimeZone::fixed(offset(8))).time();
    let minute = i64::from(clock.hour()) * 60 + i64::from(clock.minute());
    let own = DAILY_MINUTE_FROM + i64::from(shared.identity.province.number()) % DAILY_MINUTES;
    Box::new(move |it| inventory::wish_what_is_due(it, today, minute >= own, now))
}

/// Not for the first connection of a store that is new: it has told so already.
fn connected(shared: &Shared) -> Wish<bool> {
    let (now, told) = (shared.clock.real_now(), shared.clock.told_now());
    let today = inventory::shanghai_date(told);
    let lately_ms = now.as_millisecond() - i64::try_from(CONNECTED_EVERY.as_millis()).unwrap_or(0);
    Box::new(move |connection| {
        let lately: bool = connection.query_row(
            "SELECT EXISTS (SELECT 1 FROM inventory WHERE created_at > ?1)",
            [lately_ms],
            |row| row.get(0),
        )?;
        if !lately {
            let days = inventory::last_days(today, inventory::CONNECTED_DAYS);
            inventory::wish(connection, Occasion::Connected, Some(days), today, now)?;
        }
        Ok(!lately)
    })
}
