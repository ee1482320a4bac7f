//! What is counted of one group of cases. Additive: the groups of a report add up to its total.

use std::collections::BTreeMap;

use events::ids::CaseNumber;
use jiff::Timestamp;

use super::links::LinkTime;

macro_rules! counts {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Everything that is counted, one event or one case at a time.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Count { $($(#[$doc])* $name,)+ }
        impl Count {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];
        }
    };
}

counts! {
    /// First routed to a province in the period.
    Received,
    /// Routed again, to another province, after a return.
    MovedIn,
    /// Returned by the province as not its own.
    Returned,
    /// 受理
    Accepted,
    /// 不予受理
    Declined,
    /// Completed: approved.
    Approved,
    /// Completed: denied.
    Denied,
    /// Taken back by the applicant.
    Withdrawn,
    /// Ended because no correction came.
    Lapsed,
    /// The one-time notice.
    Corrections,
    /// A second notice on one case.
    CorrectionsRepeated,
    /// Open when the period began.
    OpenStart,
    /// Open when it ended.
    OpenEnd,
    /// Of these, past a due day.
    OverdueEnd,
    /// Acceptance clock: recorded in time.
    AcceptanceOnTime,
    /// Acceptance clock: decided in time, recorded late.
    AcceptanceLate,
    /// Acceptance clock: neither.
    AcceptanceOverdue,
    /// Completion clock: recorded in time.
    CompletionOnTime,
    /// Completion clock: decided in time, recorded late.
    CompletionLate,
    /// Completion clock: neither.
    CompletionOverdue,
    /// Counted overdue in an earlier period; now it turned out to be a late report.
    TurnedOutLate,
    /// 催办
    Urged,
    /// Five more working days.
    Serious,
    /// 视为受理
    Deemed,
    /// Breaches by who held the case.
    BlameHub,
    /// Breaches by who held the case.
    BlameTransit,
    /// Breaches by who held the case.
    BlameAdapter,
    /// Breaches by who held the case.
    BlameDesk,
    /// Breaches by who held the case.
    BlameApplicant,
    /// What provinces told and was recorded.
    Told,
    /// What provinces told and was refused.
    Refused,
    /// A second, different decision.
    Conflicts,
    /// 电子证照
    Certificates,
    /// 好差评
    Rated,
    /// Of these: basically satisfied or better.
    RatedGood,
    /// 投诉
    Complaints,
    /// 投诉答复
    ComplaintsAnswered,
}

/// How many there are.
const COUNTS: usize = Count::ALL.len();
/// Longer than this is counted as this.
const HOURS_MAX: i64 = 24 * 366;

/// One group's counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    counts: [u64; COUNTS],
    /// Decided cases by whole hours from submission to the recorded decision.
    hours: BTreeMap<u32, u64>,
    /// The oldest case that is open at the end.
    pub oldest: Option<(Timestamp, CaseNumber)>,
    /// How the link to the province held; only where the group is a province, and in the total.
    pub link: Option<LinkTime>,
}

impl Default for Tally {
    fn default() -> Self {
        Self { counts: [0; COUNTS], hours: BTreeMap::new(), oldest: None, link: None }
    }
}

impl Tally {
    /// One of them.
    pub fn get(&self, count: Count) -> u64 {
        self.counts[count as usize]
    }

    /// The sum of some.
    pub fn sum(&self, counts: &[Count]) -> u64 {
        counts.iter().map(|it| self.get(*it)).sum()
    }

    /// Whether anything at all is known of the group.
    pub fn has_any(&self) -> bool {
        self.link.is_some() || self.counts.iter().any(|it| *it > 0)
    }

    /// One more.
    pub(super) fn add(&mut self, count: Count) {
        self.counts[count as usize] += 1;
    }

    /// One less: it was counted in this period and turned out to be something else.
    pub(super) fn take_back(&mut self, count: Count) {
        let counted = &mut self.counts[count as usize];
        *counted = counted.saturating_sub(1);
    }

    pub(super) fn add_hours(&mut self, from: Timestamp, to: Timestamp) {
        let hours = to.duration_since(from).as_hours().clamp(0, HOURS_MAX);
        *self.hours.entry(hours as u32).or_default() += 1;
    }

    pub(super) fn add_open(&mut self, submitted_at: Timestamp, number: &CaseNumber) {
        self.add(Count::OpenEnd);
        let older = |it: &(Timestamp, CaseNumber)| (submitted_at, number) < (it.0, &it.1);
        if self.oldest.as_ref().is_none_or(older) {
            self.oldest = Some((submitted_at, number.clone()));
        }
    }

    /// The middle of the hour in which the case at `percent` of all decided ones ended, in tenths.
    pub fn hours_at(&self, percent: u64) -> Option<u64> {
        let count: u64 = self.hours.values().sum();
        let mut seen = 0;
        self.hours.iter().find_map(|(hour, cases)| {
            seen += cases;
            (seen * 100 >= count * percent && count > 0).then(|| u64::from(*hour) * 10 + 5)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_of_the_middle_cases_hour() {
        let mut tally = Tally::default();
        assert_eq!(tally.hours_at(50), None);
        let from: Timestamp = "2026-03-02T00:00:00Z".parse().unwrap();
        for hours in [1, 2, 30] {
            tally.add_hours(from, from + jiff::SignedDuration::from_hours(hours));
        }
        assert_eq!(tally.hours_at(50), Some(25));
        assert_eq!(tally.hours_at(90), Some(305));
        tally.add_hours(from, from - jiff::SignedDuration::from_hours(9));
        assert_eq!(tally.hours_at(1), Some(5), "a clock that is wrong makes no negative time");
    }
}
