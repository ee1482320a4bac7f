//! Every bound of the adapter, named, with its unit, its default and what it may be.

use std::time::Duration;

use serde::Deserialize;

/// Every queue, window and wait.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Messages in one fetch and one transaction.
    pub fetch_messages_max: usize,
    /// How long a fetch waits at the broker.
    pub fetch_expires: Duration,
    /// Between two signs of life of a waiting fetch.
    pub fetch_heartbeat: Duration,
    /// Reports on their way at once.
    pub send_window: usize,
    /// Work offered to the office at once.
    pub hand_over_at_once_max: usize,
    /// For the office's answer.
    pub take_timeout: Duration,
    /// Before work is offered again.
    pub retake_wait: Duration,
    /// Work in the inbox that the office has not taken; from then on none is fetched.
    pub inbox_work_max: usize,
    /// Reports without a receipt; from then on the office's news is not taken.
    pub outbox_reports_max: usize,
    /// Cases that the office was handed and has not answered; from then on it is handed none.
    pub office_open_max: usize,
    /// Work that the office is handed within a minute.
    pub hand_over_per_minute_max: u32,
    /// Below it `check`, `status` and the page warn.
    pub disk_free_bytes_min: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct LimitsFile {
    pub(crate) fetch_messages_max: u64,
    pub(crate) fetch_expires_ms: u64,
    pub(crate) fetch_heartbeat_ms: u64,
    pub(crate) send_window: u64,
    pub(crate) hand_over_at_once_max: u64,
    pub(crate) take_timeout_ms: u64,
    pub(crate) retake_wait_ms: u64,
    pub(crate) inbox_work_max: u64,
    pub(crate) outbox_reports_max: u64,
    pub(crate) office_open_max: u64,
    pub(crate) hand_over_per_minute_max: u64,
    pub(crate) disk_free_mb_min: u64,
}

impl Default for LimitsFile {
    fn default() -> Self {
        Self {
            fetch_messages_max: 256,
            fetch_expires_ms: 10_000,
            fetch_heartbeat_ms: 2_000,
            send_window: 256,
            hand_over_at_once_max: 128,
            take_timeout_ms: 30_000,
            retake_wait_ms: 5_000,
            inbox_work_max: 20_000,
            outbox_reports_max: 50_000,
            office_open_max: 10_000,
            hand_over_per_minute_max: 600,
            disk_free_mb_min: 512,
        }
    }
}

pub(crate) fn check(file: &LimitsFile, problems: &mut Vec<String>) -> Limits {
    let mut bounded = |name: &str, value: u64, min: u64, max: u64| {
        if !(min..=max).contains(&value) {
            problems
                .push(format!("`limits.{name}` is {value}; it must lie between {min} and {max}"));
        }
        value
    };
    let count = |it: u64| usize::try_from(it).unwrap_or(usize::MAX);
    let limits = Limits {
        fetch_messages_max: count(bounded("fetch_messages_max", file.fetch_messages_max, 1, 4096)),
        fetch_expires: ms(bounded("fetch_expires_ms", file.fetch_expires_ms, 1_000, 300_000)),
        fetch_heartbeat: ms(bounded("fetch_heartbeat_ms", file.fetch_heartbeat_ms, 250, 60_000)),
        send_window: count(bounded("send_window", file.send_window, 1, 1024)),
        hand_over_at_once_max: count(bounded(
            "hand_over_at_once_max",
            file.hand_over_at_once_max,
            1,
            1024,
        )),
        take_timeout: ms(bounded("take_timeout_ms", file.take_timeout_ms, 100, 600_000)),
        retake_wait: ms(bounded("retake_wait_ms", file.retake_wait_ms, 10, 3_600_000)),
        inbox_work_max: count(bounded("inbox_work_max", file.inbox_work_max, 1, 1_000_000)),
        outbox_reports_max: count(bounded(
            "outbox_reports_max",
            file.outbox_reports_max,
            10,
            1_000_000,
        )),
        office_open_max: count(bounded("office_open_max", file.office_open_max, 1, 10_000_000)),
        hand_over_per_minute_max: u32::try_from(bounded(
            "hand_over_per_minute_max",
            file.hand_over_per_minute_max,
            1,
            10_000_000,
        ))
        .unwrap_or(u32::MAX),
        disk_free_bytes_min: bounded("disk_free_mb_min", file.disk_free_mb_min, 1, 1_000_000)
            * (1 << 20),
    };
    if file.fetch_heartbeat_ms.saturating_mul(2) > file.fetch_expires_ms {
        problems.push(
            "`limits.fetch_heartbeat_ms` must be at most half of `fetch_expires_ms`".to_owned(),
        );
    }
    limits
}

pub(crate) fn ms(it: u64) -> Duration {
    Duration::from_millis(it)
}
