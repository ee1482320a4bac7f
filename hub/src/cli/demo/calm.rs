//! After the last trouble everything must come home: a case that nobody delivers any more is no "open with a reason".

use std::collections::BTreeSet;

use events::ids::ProvinceCode;
use events::time_lapse::TimeLapse;
use jiff::{SignedDuration, Timestamp};

/// Real time in which whatever waited must be delivered once its province and the hub are there: the
/// router's longest wait between two attempts, and what a busy machine may need on top.
const CATCH_UP_MAX: SignedDuration = SignedDuration::from_secs(40);

/// The calm end of a demo, in told time.
#[derive(Debug, Clone)]
pub(super) struct Calm {
    /// The last trouble: the return of a province, or a kill.
    since: Timestamp,
    /// When everything was stopped.
    end: Timestamp,
    /// Who is on stage; nobody else can be asked to deliver anything.
    provinces: BTreeSet<ProvinceCode>,
    catch_up: SignedDuration,
}

impl Calm {
    /// From the last trouble to the end.
    pub(super) fn new(
        since: Timestamp,
        end: Timestamp,
        provinces: impl IntoIterator<Item = ProvinceCode>,
        lapse: TimeLapse,
    ) -> Self {
        let rate = i32::try_from(lapse.rate).unwrap_or(i32::MAX);
        let provinces = provinces.into_iter().collect();
        Self { since, end, provinces, catch_up: CATCH_UP_MAX * rate }
    }

    /// Whether work that waits `since` for `province` should have been delivered by the end.
    pub(super) fn should_have_delivered(&self, province: ProvinceCode, since: Timestamp) -> bool {
        let from = self.since.max(since);
        self.provinces.contains(&province) && self.end.duration_since(from) > self.catch_up
    }
}
