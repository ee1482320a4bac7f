//! Alarms of a province that no event tells: its adapter is silent, it is held back, its quarantine is full.
//!
//! Silence is measured in real time, so that a clock that is told faster raises none.

use std::collections::BTreeMap;
use std::time::Duration;

use events::ids::ProvinceCode;
use events::vocabulary::AlertKind;
use jiff::Timestamp;
use tokio::time::Instant;

use crate::views::membership::Membership;
use crate::views::rows::AlertGroup;

/// A province whose adapter should be there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Present {
    pub(super) code: ProvinceCode,
    /// The last report that was recorded.
    pub(super) heard_at: Option<Timestamp>,
    /// It has a fetch open at the broker.
    pub(super) fetching: bool,
}

/// When each adapter was last there. A restart begins anew: that costs one waiting time.
pub(super) struct Attendance {
    silent_after: Duration,
    seen: BTreeMap<ProvinceCode, Seen>,
}

struct Seen {
    heard_at: Option<Timestamp>,
    at: Instant,
    told_at: Timestamp,
}

impl Attendance {
    pub(super) fn new(silent_after: Duration) -> Self {
        Self { silent_after, seen: BTreeMap::new() }
    }

    /// Whoever was not there for too long. While the broker is away nobody can be there, and that is
    /// nobody's fault: then nothing is counted.
    pub(super) fn silent(
        &mut self,
        broker_up: bool,
        present: &[Present],
        at: Instant,
        now: Timestamp,
    ) -> Vec<AlertGroup> {
        if !broker_up {
            self.seen.clear();
            return Vec::new();
        }
        self.seen.retain(|code, _| present.iter().any(|it| it.code == *code));
        let mut silent = Vec::new();
        for it in present {
            let fresh = Seen { heard_at: it.heard_at, at, told_at: now };
            let seen = self.seen.entry(it.code).or_insert(fresh);
            if it.fetching || it.heard_at != seen.heard_at {
                *seen = Seen { heard_at: it.heard_at, at, told_at: now };
            }
            if at.duration_since(seen.at) >= self.silent_after {
                let since = it.heard_at.or(Some(seen.told_at));
                let kind = AlertKind::AdapterSilent;
                silent.push(AlertGroup::untouched(kind, Some(it.code), 1, since));
            }
        }
        silent
    }
}

/// Enrolled provinces to which nothing is forwarded for want of a certificate.
pub(super) fn held_back(membership: &Membership, now: Timestamp) -> Vec<AlertGroup> {
    let enrolled = membership.enrolled().into_iter();
    enrolled
        .filter(|it| membership.lacks_certificate(*it, None, now))
        .map(|it| AlertGroup::untouched(AlertKind::HeldBack, Some(it), 1, None))
        .collect()
}

/// By province; what comes from elsewhere is one group.
pub(super) fn quarantine_full(full: &[(String, Timestamp)]) -> Vec<AlertGroup> {
    let mut groups: BTreeMap<Option<ProvinceCode>, (u64, Timestamp)> = BTreeMap::new();
    for (source, since) in full {
        let province = source.strip_prefix("province:").and_then(|it| it.parse().ok());
        let group = groups.entry(province).or_insert((0, *since));
        *group = (group.0 + 1, group.1.min(*since));
    }
    let kind = AlertKind::QuarantineFull;
    let group =
        |(province, (count, since))| AlertGroup::untouched(kind, province, count, Some(since));
    groups.into_iter().map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(900);

    fn present(heard_at: Option<&str>, fetching: bool) -> Present {
        let code = "22".parse().unwrap();
        Present { code, heard_at: heard_at.map(|it| it.parse().unwrap()), fetching }
    }

    #[test]
    fn an_adapter_is_silent_when_it_neither_fetched_nor_reported_for_the_whole_time() {
        let begin = Instant::now();
        let now: Timestamp = "2026-03-02T01:00:00Z".parse().unwrap();
        let (early, late) = (Some("2026-03-02T00:50:00Z"), Some("2026-03-02T01:10:00Z"));
        // second, broker, heard, fetching, silent
        let table = [
            (0, true, early, false, 0),
            (899, true, early, false, 0),
            (900, true, early, false, 1),
            (901, true, late, false, 0), // it reported something
            (1800, true, late, false, 0),
            (1801, true, late, false, 1),
            (1802, true, late, true, 0), // it fetches: an idle province has nothing to say
            (2702, true, late, false, 1),
            (2703, false, late, false, 0), // nobody can be heard
            (2704, true, late, false, 0),  // and the time begins anew
            (3604, true, late, false, 1),
        ];
        let mut attendance = Attendance::new(AFTER);
        for (second, broker, heard, fetching, silent) in table {
            let at = begin + Duration::from_secs(second);
            let found = attendance.silent(broker, &[present(heard, fetching)], at, now);
            assert_eq!(found.len(), silent, "second {second}");
        }
        // Whoever is told to stay away is not missed, and has its time when it is back.
        let at = begin + Duration::from_secs(9_000);
        assert!(attendance.silent(true, &[], at, now).is_empty());
        assert!(attendance.silent(true, &[present(late, false)], at, now).is_empty());
    }

    #[test]
    fn a_full_quarantine_is_one_alarm_a_province() {
        let at: Timestamp = "2026-03-02T01:00:00Z".parse().unwrap();
        let full = ["province:22", "national:ysfw", "national:other"];
        let found = quarantine_full(&full.map(|it| (it.to_owned(), at)));
        let told: Vec<_> =
            found.iter().map(|it| (it.province.map(|it| it.number()), it.count)).collect();
        assert_eq!(told, [(None, 2), (Some(22), 1)]);
    }
}
