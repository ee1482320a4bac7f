//! What an adapter has to do and what it has seen, read from its store without disturbing it.

use std::fmt;
use std::path::Path;

use rusqlite::Connection;
use serde::Serialize;

use crate::clock::Clock;
use crate::store::{StoreError, open_to_look};

/// A heartbeat older than this means that no adapter runs on the store.
pub const ALIVE_SECONDS_MAX: i64 = 20;

/// The figures. Ages are seconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Somebody runs on this store.
    pub alive: bool,
    /// It is connected to the broker.
    pub connected: bool,
    /// Seconds since it last noted that it lives.
    pub last_seen_seconds: Option<i64>,
    /// The highest epoch of the hub's writer that was seen.
    pub epoch: i64,
    /// Work in the inbox.
    pub work: i64,
    /// Work that the office has not taken.
    pub work_untaken: i64,
    /// Age of the oldest of these.
    pub work_oldest_seconds: Option<i64>,
    /// Reports ever written.
    pub reports: i64,
    /// Reports without the hub's receipt.
    pub reports_unreceipted: i64,
    /// Age of the oldest of these.
    pub reports_oldest_seconds: Option<i64>,
    /// Reports that the hub refused.
    pub reports_refused: i64,
    /// Messages that were not believed, by reason.
    pub distrusted: Vec<Distrusted>,
}

/// One reason and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Distrusted {
    /// The code.
    pub reason: String,
    /// How often.
    pub count: i64,
}

impl Status {
    /// Looks into the store at `path`.
    pub fn look(path: &Path, clock: &Clock) -> Result<Self, StoreError> {
        Self::of(&open_to_look(path)?, clock)
    }

    fn of(connection: &Connection, clock: &Clock) -> Result<Self, StoreError> {
        let now_ms = clock.real_now().as_millisecond();
        let count = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, i64>(0));
        let age = |sql: &str| {
            let at: Option<i64> = connection.query_row(sql, [], |row| row.get(0))?;
            Ok::<_, rusqlite::Error>(at.map(|it| (now_ms - it).max(0) / 1000))
        };
        let last_seen_seconds = age("SELECT max(at) FROM heartbeat")?;
        let alive = last_seen_seconds.is_some_and(|it| it <= ALIVE_SECONDS_MAX);
        let connected = count("SELECT coalesce(max(connected), 0) FROM heartbeat")? == 1;
        let mut reasons =
            connection.prepare("SELECT reason, count FROM refused_count ORDER BY reason")?;
        let distrusted = reasons
            .query_map([], |row| Ok(Distrusted { reason: row.get(0)?, count: row.get(1)? }))?
            .collect::<Result<_, _>>()?;
        Ok(Self {
            alive,
            connected: alive && connected,
            last_seen_seconds,
            epoch: count("SELECT epoch FROM fence")?,
            work: count("SELECT count(*) FROM work")?,
            work_untaken: count("SELECT count(*) FROM work WHERE taken_at IS NULL")?,
            work_oldest_seconds: age("SELECT min(received_at) FROM work WHERE taken_at IS NULL")?,
            reports: count("SELECT count(*) FROM report")?,
            reports_unreceipted: count(
                "SELECT count(*) FROM report WHERE next_send_at IS NOT NULL",
            )?,
            reports_oldest_seconds: age(
                "SELECT min(created_at) FROM report WHERE next_send_at IS NOT NULL",
            )?,
            reports_refused: count(
                "SELECT count(*) FROM report WHERE refusal IS NOT NULL AND refusal <> 'renumbered'",
            )?,
            distrusted,
        })
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let age = |it: Option<i64>| it.map_or("-".to_owned(), |it| format!("{it} s"));
        let yes = |it: bool| if it { "是 yes" } else { "否 no" };
        writeln!(f, "running      运行       {}", yes(self.alive))?;
        writeln!(f, "connected    已连接     {}", yes(self.connected))?;
        writeln!(f, "last seen    最近心跳   {}", age(self.last_seen_seconds))?;
        writeln!(f, "hub epoch    中枢纪元   {}", self.epoch)?;
        writeln!(f, "work         收件       {}", self.work)?;
        let oldest = age(self.work_oldest_seconds);
        writeln!(f, "  untaken    未交办     {} (oldest {oldest})", self.work_untaken)?;
        writeln!(f, "reports      报告       {}", self.reports)?;
        let oldest = age(self.reports_oldest_seconds);
        writeln!(f, "  waiting    待回执     {} (oldest {oldest})", self.reports_unreceipted)?;
        writeln!(f, "  refused    被拒       {}", self.reports_refused)?;
        for it in &self.distrusted {
            writeln!(f, "distrusted   不予采信   {} × {}", it.count, it.reason)?;
        }
        Ok(())
    }
}
