//! What an adapter has to do, what holds it, and since when: read from its store and its file of life without
//! disturbing it. No personal data: ids, codes and counts.

pub(crate) mod keys;
pub mod shown;
mod waits;

use std::path::Path;

use rusqlite::Connection;
use serde::Serialize;

use crate::config::{Config, Office};
use crate::life::{self, Held, Seen};
use crate::outbox::ADAPTER_VERSION;
use crate::store::{StoreError, open_to_look};

pub use keys::{CertificateSeen, KeySeen};
pub use waits::{Compared, Distrusted, Refused, StatementSeen, Stuck, Trouble};

/// A heartbeat older than this means that no adapter runs on the store.
pub const ALIVE_SECONDS_MAX: i64 = 20;

/// The figures. Ages are seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Whom it speaks for.
    pub province: String,
    /// The hub's log and environment.
    pub origin: String,
    /// As it names itself in reports.
    pub adapter: &'static str,
    /// Which office system answers.
    pub office: &'static str,
    /// Somebody runs on this store.
    pub alive: bool,
    /// Seconds since it last noted that it lives.
    pub last_seen_seconds: Option<i64>,
    /// It is connected to the broker.
    pub connected: bool,
    /// Since when it is, or is not.
    pub connection_since_seconds: Option<i64>,
    /// What the broker calls its version.
    pub broker_version: Option<String>,
    /// The highest epoch of the hub's writer that was seen.
    pub epoch: i64,
    /// How much later than the hub's moment its messages arrive, at the least, in milliseconds: less than
    /// nothing means that this machine's clock is behind.
    pub hub_lag_ms: Option<i64>,
    /// The disk of the store.
    pub disk: Disk,
    /// Why no work is fetched.
    pub fetch_held: Option<Holding>,
    /// Why waiting work is not handed over.
    pub hand_over_held: Option<Holding>,
    /// Work in the inbox, ever.
    pub work: i64,
    /// Work that the office has not taken.
    pub work_untaken: i64,
    /// As much may wait.
    pub work_untaken_max: usize,
    /// Age of the oldest of these.
    pub work_oldest_seconds: Option<i64>,
    /// Cases that the office has and has not answered, and how many it may have.
    pub with_office: i64,
    /// As many it may have.
    pub with_office_max: usize,
    /// Work that could not be handed over, by reason.
    pub stuck: Vec<Stuck>,
    /// What the office answered and could not be used, the newest first.
    pub trouble: Vec<Trouble>,
    /// Reports ever written.
    pub reports: i64,
    /// Reports without the hub's receipt.
    pub reports_unreceipted: i64,
    /// As many may wait.
    pub reports_unreceipted_max: usize,
    /// Age of the oldest of these.
    pub reports_oldest_seconds: Option<i64>,
    /// How often the most often sent of these was sent.
    pub reports_attempts_most: i64,
    /// Reports that the hub refused.
    pub reports_refused: i64,
    /// The same by code.
    pub refused: Vec<Refused>,
    /// Messages that were not believed, by reason.
    pub distrusted: Vec<Distrusted>,
    /// Publicity tables (annex 1), the newest month first.
    pub publicity: Vec<StatementSeen>,
    /// The newest comparison with the hub.
    pub compared: Option<Compared>,
    /// The province's keys, as they lie here.
    pub keys: Vec<KeySeen>,
    /// The certificate of conformance, if the configuration names its file.
    pub certificate: Option<CertificateSeen>,
}

/// The disk on which the store lies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// What this user may still write, in bytes.
    pub free_bytes: Option<u64>,
    /// Less than the configuration wants.
    pub low: bool,
    /// Seconds since it was found full.
    pub full_since_seconds: Option<i64>,
}

/// A reason and its age.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Holding {
    /// The code.
    pub why: String,
    /// Seconds since it began.
    pub since_seconds: i64,
}

impl Status {
    /// Looks at what the configuration names.
    pub fn look(config: &Config) -> Result<Self, StoreError> {
        Self::of(&open_to_look(&config.store)?, config)
    }

    fn of(connection: &Connection, config: &Config) -> Result<Self, StoreError> {
        let now_ms = config.clock().real_now().as_millisecond();
        let look = waits::Look { connection, now_ms };
        let heartbeat = look.age("SELECT max(at) FROM heartbeat")?;
        let seen = life::last(&config.store).unwrap_or_default();
        let since = |at: Option<i64>| at.filter(|it| *it > 0).map(|it| seconds(now_ms, it));
        // On a full disk only the file of life can be written.
        let last_seen = [heartbeat, since(Some(seen.at_ms))].into_iter().flatten().min();
        let alive = last_seen.is_some_and(|it| it <= ALIVE_SECONDS_MAX);
        let connected = alive && is_connected(&look, &seen)?;
        let holding = |it: &Option<Held>| {
            let it = it.as_ref().filter(|_| alive)?;
            Some(Holding { why: it.why.clone(), since_seconds: seconds(now_ms, it.since_ms) })
        };
        let limits = &config.limits;
        let free_bytes = free_bytes(&config.store);
        Ok(Self {
            province: config.province.to_string(),
            origin: config.origin.clone(),
            adapter: ADAPTER_VERSION,
            office: office(&config.office),
            alive,
            last_seen_seconds: last_seen,
            connected,
            connection_since_seconds: since(seen.connected_changed_ms).filter(|_| alive),
            broker_version: seen.broker_version.clone(),
            epoch: look.count("SELECT epoch FROM fence")?,
            hub_lag_ms: seen.hub_lag_ms.filter(|_| alive),
            disk: Disk {
                free_bytes,
                low: free_bytes.is_some_and(|it| it < limits.disk_free_bytes_min),
                full_since_seconds: since(seen.disk_full_since_ms).filter(|_| alive),
            },
            fetch_held: holding(&seen.fetch_held),
            hand_over_held: holding(&seen.hand_over_held),
            work: look.count("SELECT count(*) FROM work")?,
            work_untaken: look.count("SELECT count(*) FROM work WHERE taken_at IS NULL")?,
            work_untaken_max: limits.inbox_work_max,
            work_oldest_seconds: look
                .age("SELECT min(received_at) FROM work WHERE taken_at IS NULL")?,
            with_office: look.count_if("with_office", "SELECT count(*) FROM with_office")?,
            with_office_max: limits.office_open_max,
            stuck: look.stuck()?,
            trouble: look.trouble()?,
            reports: look.count("SELECT count(*) FROM report")?,
            reports_unreceipted: look
                .count("SELECT count(*) FROM report WHERE next_send_at IS NOT NULL")?,
            reports_unreceipted_max: limits.outbox_reports_max,
            reports_oldest_seconds: look
                .age("SELECT min(created_at) FROM report WHERE next_send_at IS NOT NULL")?,
            reports_attempts_most: look.count(
                "SELECT coalesce(max(attempt), 0) FROM report WHERE next_send_at IS NOT NULL",
            )?,
            reports_refused: look.count(
                "SELECT count(*) FROM report WHERE refusal IS NOT NULL AND refusal <> 'renumbered'",
            )?,
            refused: look.refused()?,
            distrusted: look.distrusted()?,
            publicity: look.publicity()?,
            compared: look.compared()?,
            keys: keys::keys(config),
            certificate: keys::certificate(config),
        })
    }
}

fn is_connected(look: &waits::Look<'_>, seen: &Seen) -> Result<bool, StoreError> {
    if seen.at_ms > 0 {
        return Ok(seen.connected);
    }
    Ok(look.count("SELECT coalesce(max(connected), 0) FROM heartbeat")? == 1)
}

fn seconds(now_ms: i64, at_ms: i64) -> i64 {
    (now_ms - at_ms).max(0) / 1000
}

fn office(office: &Office) -> &'static str {
    match office {
        Office::Simulated(_) => "simulated",
        Office::Table(_) => "table",
        Office::Folder(_) => "folder",
        Office::Pull(_) => "pull",
        Office::Http(_) => "http",
        Office::Obedient => "obedient",
    }
}

/// What may still be written where the store lies; nothing if the system does not say.
pub(crate) fn free_bytes(store: &Path) -> Option<u64> {
    let folder = store.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let room = rustix::fs::statvfs(folder).ok()?;
    Some(room.f_bavail.saturating_mul(room.f_frsize))
}
