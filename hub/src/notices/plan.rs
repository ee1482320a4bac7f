//! Of what people are told now: a function of what stands, what they know, and the clock. Never a storm.
//!
//! Groups, not cases, are told; all that is due goes into one message; messages keep a distance and
//! have an hourly bound, and the last one before the bound says until when it is quiet.

use events::ids::ProvinceCode;
use events::keeping::alerts::{AlertNotice, NoticeWhy};
use events::vocabulary::AlertKind;
use jiff::{SignedDuration, Timestamp};

use crate::views::acts::{GroupOf, GroupState};
use crate::views::rows::AlertGroup;

/// What the hourly bound is counted over.
pub(crate) const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// When people are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoticePace {
    /// Of what, at all.
    pub kinds: Vec<AlertKind>,
    /// Something new is told after so long: what comes together goes together.
    pub wait: SignedDuration,
    /// Shortest time between two messages.
    pub interval: SignedDuration,
    /// What still stands and nobody acknowledged is told again after so long.
    pub remind_every: SignedDuration,
    /// That something is over is told when nothing was told of it for so long.
    pub resolve_after: SignedDuration,
    /// Most messages in any hour.
    pub messages_an_hour_max: usize,
    /// Counts at which it is news that there are more.
    pub steps: Vec<u64>,
}

/// What stands, and what people know.
pub struct Standing<'a> {
    pub groups: &'a [AlertGroup],
    pub states: &'a [GroupOf],
    /// When messages were planned in the past hour, oldest first.
    pub sent: &'a [Timestamp],
    pub now: Timestamp,
}

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    pub notices: Vec<AlertNotice>,
    /// It is the last one before then.
    pub quiet_until: Option<Timestamp>,
}

/// The message that is due now, if one is.
pub fn plan(standing: &Standing<'_>, pace: &NoticePace) -> Option<Planned> {
    let Standing { sent, now, .. } = standing;
    let fresh: Vec<Timestamp> = sent.iter().copied().filter(|it| *it + HOUR > *now).collect();
    let too_soon = fresh.last().is_some_and(|it| *it + pace.interval > *now);
    if too_soon || fresh.len() >= pace.messages_an_hour_max {
        return None;
    }
    let mut due = Vec::new();
    let mut presses = false;
    for group in places(standing).filter(|it| pace.kinds.contains(&it.kind)) {
        if let Some((notice, waits)) = group.notice(*now, pace) {
            presses |= !waits;
            due.push(notice);
        }
    }
    // What is new waits a little; what presses takes it along.
    if !presses {
        return None;
    }
    let is_last = fresh.len() + 1 >= pace.messages_an_hour_max;
    let frees = fresh.first().copied().unwrap_or(*now) + HOUR;
    Some(Planned { notices: due, quiet_until: is_last.then_some(frees) })
}

/// A cause in a province: what stands of it, and what is known.
struct Group<'a> {
    kind: AlertKind,
    province: Option<ProvinceCode>,
    count: u64,
    oldest: Option<Timestamp>,
    state: Option<&'a GroupState>,
}

/// Every group that stands, and then those that people believe to stand.
fn places<'a>(standing: &Standing<'a>) -> impl Iterator<Item = Group<'a>> {
    let Standing { groups, states, .. } = *standing;
    let state = |kind, province| {
        states.iter().find(|it| (it.kind, it.province) == (kind, province)).map(|it| &it.state)
    };
    let stands = groups.iter().map(move |it| Group {
        kind: it.kind,
        province: it.province,
        count: it.count.saturating_sub(it.silenced),
        oldest: it.oldest,
        state: state(it.kind, it.province),
    });
    let gone = states.iter().filter(|it| {
        groups.iter().all(|group| (group.kind, group.province) != (it.kind, it.province))
    });
    let gone = gone.map(|it| Group {
        kind: it.kind,
        province: it.province,
        count: 0,
        oldest: None,
        state: Some(&it.state),
    });
    stands.chain(gone)
}

impl Group<'_> {
    /// What is to be told of it, and whether that can wait for company.
    fn notice(&self, now: Timestamp, pace: &NoticePace) -> Option<(AlertNotice, bool)> {
        let acts = self.state.map(|it| it.acts.current(self.kind, self.oldest, now));
        let acts = acts.unwrap_or_default();
        if acts.silenced.is_some() {
            return None;
        }
        let told = self.state.and_then(|it| it.told);
        let (why, since, waits) = match told {
            None if self.count == 0 => return None,
            None => {
                let waits = self.oldest.is_some_and(|it| it + pace.wait > now);
                (NoticeWhy::First, now, waits)
            }
            Some(told) if self.count == 0 => {
                let lately = told.at + pace.resolve_after > now;
                (!lately).then_some((NoticeWhy::Resolved, told.since, false))?
            }
            Some(told) if pace.step(self.count) > pace.step(told.count) => {
                (NoticeWhy::Grown, told.since, false)
            }
            Some(told) => {
                let due = told.at + pace.remind_every <= now && acts.acknowledged.is_none();
                due.then_some((NoticeWhy::Reminder, told.since, false))?
            }
        };
        let (kind, province, count) = (self.kind, self.province, self.count);
        Some((AlertNotice { kind, province, count, why, since }, waits))
    }
}

impl NoticePace {
    /// How many steps a count has climbed.
    fn step(&self, count: u64) -> usize {
        self.steps.iter().filter(|it| **it <= count).count()
    }
}
