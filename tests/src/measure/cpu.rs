//! The processor time that this process has used: on a shared machine it says what a wall clock cannot.

use std::time::Duration;

/// Used by all threads so far, in user and system mode; nothing where `/proc` is not there.
pub fn used() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The program's name may have spaces; what follows its closing bracket has none.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}

/// Microseconds of processor time for each of `count`, since `before`.
pub fn us_each(before: Option<Duration>, count: u64) -> f64 {
    match (before, used()) {
        (Some(before), Some(now)) => (now - before).as_micros() as f64 / count.max(1) as f64,
        _ => f64::NAN,
    }
}

/// Memory that is resident now, in MiB.
pub fn resident_mib() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|it| it.strip_prefix("VmRSS:"));
    let kib = line.and_then(|it| it.split_whitespace().next()?.parse::<f64>().ok());
    kib.map_or(f64::NAN, |it| it / 1024.0)
}
