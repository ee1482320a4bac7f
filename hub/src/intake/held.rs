//! Reports that came before their predecessor wait here: few, briefly, and unacknowledged.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use events::ids::CaseId;
use tokio::time::Instant;

/// Most reports that are held for one case.
pub const HELD_A_CASE_MAX: usize = 64;
/// Most reports that are held for one province; 10,000 for all 32.
pub const HELD_A_PROVINCE_MAX: usize = 312;
/// How long a report is held before it is given back to the broker.
pub const HELD_FOR_MAX: Duration = Duration::from_secs(60);

/// Held messages of one province. What does not fit is given back at once.
#[derive(Debug)]
pub struct Held<M> {
    cases: HashMap<CaseId, BTreeMap<u64, Waits<M>>>,
    count: usize,
}

#[derive(Debug)]
struct Waits<M> {
    since: Instant,
    message: M,
}

impl<M> Default for Held<M> {
    fn default() -> Self {
        Self { cases: HashMap::new(), count: 0 }
    }
}

impl<M> Held<M> {
    /// Holds report `number` of `case`. Gives back what is held no longer: an older delivery of the
    /// same number, which `message` replaces, or `message` itself when there is no room.
    pub fn hold(&mut self, case: CaseId, number: u64, message: M) -> Option<M> {
        let of_case = self.cases.get(&case);
        let replaces = of_case.is_some_and(|it| it.contains_key(&number));
        let room =
            self.count < HELD_A_PROVINCE_MAX && of_case.is_none_or(|it| it.len() < HELD_A_CASE_MAX);
        if !replaces && !room {
            return Some(message);
        }
        let of_case = self.cases.entry(case).or_default();
        let since = of_case.get(&number).map_or_else(Instant::now, |it| it.since);
        let older = of_case.insert(number, Waits { since, message });
        self.count += usize::from(older.is_none());
        older.map(|it| it.message)
    }

    /// Everything held for `case`, in order of the numbers: its predecessor may have come.
    pub fn release(&mut self, case: CaseId) -> Vec<M> {
        let released = self.cases.remove(&case).unwrap_or_default();
        self.count -= released.len();
        released.into_values().map(|it| it.message).collect()
    }

    /// Everything that has been held for too long.
    pub fn expire(&mut self) -> Vec<M> {
        let mut expired = Vec::new();
        for waits in self.cases.values_mut() {
            let old = |it: &Waits<M>| it.since.elapsed() >= HELD_FOR_MAX;
            let numbers: Vec<u64> = waits.iter().filter(|it| old(it.1)).map(|it| *it.0).collect();
            expired.extend(numbers.iter().filter_map(|it| waits.remove(it)).map(|it| it.message));
        }
        self.cases.retain(|_, it| !it.is_empty());
        self.count -= expired.len();
        expired
    }

    /// How many are held.
    pub fn count(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(nth: u128) -> CaseId {
        CaseId(uuid::Uuid::from_u128(nth))
    }

    #[tokio::test]
    async fn what_came_early_comes_out_in_order_when_its_predecessor_is_there() {
        let mut held = Held::default();
        assert_eq!(held.hold(case(1), 4, "four"), None);
        assert_eq!(held.hold(case(1), 2, "two"), None);
        assert_eq!(held.hold(case(2), 9, "other"), None);
        assert_eq!(held.release(case(1)), ["two", "four"]);
        assert_eq!(held.release(case(1)), Vec::<&str>::new());
        assert_eq!(held.count(), 1);
    }

    #[tokio::test]
    async fn a_second_delivery_replaces_the_first() {
        let mut held = Held::default();
        assert_eq!(held.hold(case(1), 2, "first"), None);
        assert_eq!(held.hold(case(1), 2, "second"), Some("first"));
        assert_eq!((held.count(), held.release(case(1))), (1, vec!["second"]));
    }

    #[tokio::test]
    async fn neither_a_case_nor_a_province_can_fill_the_memory() {
        let mut held = Held::default();
        for number in 0..HELD_A_CASE_MAX as u64 {
            assert_eq!(held.hold(case(0), number, 0), None);
        }
        assert_eq!(held.hold(case(0), 1_000, 7), Some(7));
        for nth in 1..=(HELD_A_PROVINCE_MAX - HELD_A_CASE_MAX) as u128 {
            assert_eq!(held.hold(case(nth), 2, 0), None);
        }
        assert_eq!(held.hold(case(99_999), 2, 7), Some(7));
        assert_eq!(held.count(), HELD_A_PROVINCE_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_held_longer_than_its_time() {
        let mut held = Held::default();
        held.hold(case(1), 2, "early");
        tokio::time::advance(HELD_FOR_MAX / 2).await;
        // A second delivery does not prolong the waiting.
        held.hold(case(1), 2, "again");
        assert_eq!(held.expire(), Vec::<&str>::new());
        tokio::time::advance(HELD_FOR_MAX / 2).await;
        assert_eq!((held.expire(), held.count()), (vec!["again"], 0));
    }
}
