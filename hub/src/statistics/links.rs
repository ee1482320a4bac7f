//! How the link to each province held, as the log tells it: work that was sent and not signed for.
//!
//! The link counts as down from an hour after something was sent until the adapter signs for it.
//! Overlapping waits count once.

use std::collections::{BTreeMap, HashMap};

use events::ids::{CaseId, ProvinceCode};
use events::province::MaintenanceDeclared;
use jiff::{SignedDuration, Timestamp};

/// An adapter that signs within this is up.
pub const LINK_GRACE: SignedDuration = SignedDuration::from_hours(1);

/// Seconds of a period.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LinkTime {
    /// The province was enrolled.
    pub enrolled_s: u64,
    /// Of these, work waited too long.
    pub down_s: u64,
    /// Of these, the province had said beforehand that it would be away.
    pub announced_s: u64,
}

/// From, until.
type Span = (Timestamp, Timestamp);

/// One province's.
#[derive(Debug, Clone, Default)]
struct Link {
    /// Joined, and left or still there.
    enrolled: Vec<(Timestamp, Option<Timestamp>)>,
    /// Disjoint and in order: when work waited too long.
    down: Vec<Span>,
    announced: Vec<Span>,
}

/// All of them.
#[derive(Debug, Clone, Default)]
pub(super) struct Links {
    links: BTreeMap<ProvinceCode, Link>,
    /// What was sent and is not signed for: since when.
    sent: HashMap<CaseId, (ProvinceCode, Timestamp)>,
}

impl Links {
    pub(super) fn joined(&mut self, province: ProvinceCode, at: Timestamp) {
        let link = self.links.entry(province).or_default();
        if link.enrolled.last().is_none_or(|it| it.1.is_some()) {
            link.enrolled.push((at, None));
        }
    }

    pub(super) fn left(&mut self, province: ProvinceCode, at: Timestamp) {
        if let Some(last) = self.links.entry(province).or_default().enrolled.last_mut() {
            last.1.get_or_insert(at);
        }
        self.sent.retain(|_, it| it.0 != province);
    }

    pub(super) fn announced(&mut self, province: ProvinceCode, it: &MaintenanceDeclared) {
        add(&mut self.links.entry(province).or_default().announced, (it.from, it.until));
    }

    /// The first attempt counts; more of them are the same wait.
    pub(super) fn sent(&mut self, case: CaseId, province: ProvinceCode, at: Timestamp) {
        self.sent.entry(case).or_insert((province, at));
    }

    /// The adapter signed, or the case is not sent any more.
    pub(super) fn settled(&mut self, case: CaseId, at: Timestamp) {
        if let Some((province, since)) = self.sent.remove(&case) {
            let down = (since + LINK_GRACE, at);
            add(&mut self.links.entry(province).or_default().down, down);
        }
    }

    /// Each province's time between `from` and `until`, which is now.
    pub(super) fn times(
        &self,
        from: Timestamp,
        until: Timestamp,
    ) -> BTreeMap<ProvinceCode, LinkTime> {
        let mut waiting: BTreeMap<ProvinceCode, Timestamp> = BTreeMap::new();
        for (province, since) in self.sent.values() {
            let oldest = waiting.entry(*province).or_insert(*since);
            *oldest = (*oldest).min(*since);
        }
        let time = |(province, link): (&ProvinceCode, &Link)| {
            let mut down = link.down.clone();
            if let Some(since) = waiting.get(province) {
                add(&mut down, (*since + LINK_GRACE, until));
            }
            let enrolled = link.enrolled.iter().map(|it| (it.0, it.1.unwrap_or(until)));
            let time = LinkTime {
                enrolled_s: seconds(enrolled, from, until),
                down_s: seconds(down.iter().copied(), from, until),
                announced_s: seconds(overlap(&down, &link.announced), from, until),
            };
            (*province, time)
        };
        self.links.iter().map(time).collect()
    }
}

/// Puts a span among disjoint ones in order, merged with those that it touches.
fn add(spans: &mut Vec<Span>, mut span: Span) {
    if span.0 >= span.1 {
        return;
    }
    let first = spans.partition_point(|it| it.1 < span.0);
    let last = spans.partition_point(|it| it.0 <= span.1);
    if first < last {
        span.0 = span.0.min(spans[first].0);
        span.1 = span.1.max(spans[last - 1].1);
    }
    spans.splice(first..last, [span]);
}

fn overlap<'a>(some: &'a [Span], others: &'a [Span]) -> impl Iterator<Item = Span> + 'a {
    some.iter().flat_map(|a| others.iter().map(|b| (a.0.max(b.0), a.1.min(b.1))))
}

/// How much of `spans` lies between `from` and `until`.
fn seconds(spans: impl Iterator<Item = Span>, from: Timestamp, until: Timestamp) -> u64 {
    let clipped = spans.map(|it| (it.0.max(from), it.1.min(until))).filter(|it| it.0 < it.1);
    clipped.map(|it| it.1.duration_since(it.0).as_secs().unsigned_abs()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn at(text: &str) -> Timestamp {
        format!("2026-03-{text}:00+08:00").parse().unwrap()
    }
    fn case(number: u128) -> CaseId {
        CaseId(Uuid::from_u128(number))
    }

    #[test]
    fn waits_that_overlap_count_once_and_only_within_the_period() {
        let jilin: ProvinceCode = "22".parse().unwrap();
        let mut links = Links::default();
        links.joined(jilin, at("01T00:00"));
        for (number, sent, signed) in [
            (1, "02T08:00", "02T08:59"), // in time
            (2, "02T08:00", "02T12:00"), // down 9 to 12
            (3, "02T09:00", "02T11:00"), // within it
            (4, "02T20:00", "02T22:00"), // down 21 to 22
            (5, "02T07:00", "03T01:00"), // down 8 to 1 of the next day: swallows both
        ] {
            links.sent(case(number), jilin, at(sent));
            links.settled(case(number), at(signed));
        }
        let (from, until) = (at("02T00:00"), at("03T00:00"));
        let time = links.times(from, until)[&jilin];
        assert_eq!(time, LinkTime { enrolled_s: 86_400, down_s: 16 * 3_600, announced_s: 0 });
        // What still waits when the period ends is down until then.
        links.sent(case(6), jilin, at("03T10:00"));
        links.sent(case(6), jilin, at("03T11:30"));
        let time = links.times(at("03T00:00"), at("03T12:00"))[&jilin];
        assert_eq!(time.down_s, 2 * 3_600);
        let (from, until) = (at("03T11:30"), at("04T00:00"));
        links.announced(jilin, &MaintenanceDeclared { from, until, reason: "x".into() });
        let time = links.times(at("03T00:00"), at("03T12:00"))[&jilin];
        assert_eq!(time.announced_s, 1_800);
    }

    #[test]
    fn a_province_counts_only_while_it_was_there() {
        let jilin: ProvinceCode = "22".parse().unwrap();
        let mut links = Links::default();
        links.joined(jilin, at("02T12:00"));
        links.sent(case(1), jilin, at("02T13:00"));
        links.left(jilin, at("02T18:00"));
        let time = links.times(at("02T00:00"), at("03T00:00"))[&jilin];
        assert_eq!(time, LinkTime { enrolled_s: 6 * 3_600, down_s: 0, announced_s: 0 });
    }
}
