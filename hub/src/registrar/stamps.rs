//! Moments and ids. Recorded moments never go back, ids always grow, whatever the machine's clock does.

use std::time::Instant;

use events::ids::EventId;
use events::keeping::ClockStepped;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use crate::clock::Clock;

/// A clock that goes back or leaps by no more than this is not worth recording.
const STEP_TOLERATED_MAX: SignedDuration = SignedDuration::from_secs(2);
/// A disciplined clock may run this much faster or slower (one part in so many) without having stepped.
const DRIFT_TOLERATED: u32 = 1_000;

/// The moment of the last look, told and measured.
struct Look {
    told: Timestamp,
    /// When this process looked; nothing for what the log remembers.
    at: Option<Instant>,
}

/// The moments that are recorded.
pub(super) struct Moments {
    clock: Clock,
    last_recorded: Timestamp,
    last_look: Option<Look>,
    /// Noticed, not yet recorded.
    pub(super) step: Option<ClockStepped>,
}

impl Moments {
    /// Goes on after the log's last moment.
    pub(super) fn after(clock: Clock, last_recorded: Option<Timestamp>) -> Self {
        Self {
            clock,
            last_recorded: last_recorded.unwrap_or(Timestamp::MIN),
            last_look: last_recorded.map(|told| Look { told, at: None }),
            step: None,
        }
    }

    /// The moment to record now: the clock's, unless the log is already further.
    pub(super) fn now(&mut self) -> Timestamp {
        let told = self.clock.now();
        let at = Instant::now();
        if let Some(last) = &self.last_look {
            // Only the machine's own clock runs as fast as it is measured.
            let measured = match (&self.clock, last.at) {
                (Clock::Machine, Some(before)) => {
                    SignedDuration::try_from(at.duration_since(before)).ok()
                }
                _ => None,
            };
            // The first step that was not yet recorded is kept; it says where it all began.
            self.step = self.step.take().or_else(|| stepped(last.told, measured, told));
        }
        self.last_look = Some(Look { told, at: Some(at) });
        self.last_recorded = self.last_recorded.max(told);
        self.last_recorded
    }
}

/// Whether a clock that said `before` has stepped when it says `after`, `measured` later.
fn stepped(
    before: Timestamp,
    measured: Option<SignedDuration>,
    after: Timestamp,
) -> Option<ClockStepped> {
    let passed = measured.unwrap_or_default();
    let expected = before.checked_add(passed).unwrap_or(before);
    let tolerated = STEP_TOLERATED_MAX + passed / DRIFT_TOLERATED as i32;
    let off = after.duration_since(expected);
    let leapt = measured.is_some() && off > tolerated;
    (off < -tolerated || leapt).then_some(ClockStepped { before: expected, after })
}

/// UUIDv7 ids that grow strictly, across restarts too.
pub(super) struct EventIds {
    millisecond: u64,
    /// 74 bits: what a UUIDv7 has beside its moment, version and variant.
    tail: u128,
}

/// One more than the largest tail.
const TAIL_END: u128 = 1 << 74;

impl EventIds {
    /// Goes on after the log's last id.
    pub(super) fn after(last: Option<EventId>) -> Self {
        let bits = last.map_or(0, |it| it.0.as_u128());
        let high = (bits >> 64) & 0xfff;
        let low = bits & ((1 << 62) - 1);
        Self { millisecond: (bits >> 80) as u64, tail: high << 62 | low }
    }

    /// The next id, for something recorded at `moment`.
    pub(super) fn next(&mut self, moment: Timestamp) -> EventId {
        let now = u64::try_from(moment.as_millisecond()).unwrap_or(0);
        let mut random = [0; 16];
        // Ids that can be guessed would still be unique; a machine without randomness is broken.
        getrandom::fill(&mut random).expect("the operating system gives randomness");
        let random = u128::from_be_bytes(random);
        if now > self.millisecond {
            // The topmost bit stays clear: room for all ids of this millisecond.
            (self.millisecond, self.tail) = (now, random % (TAIL_END / 2));
        } else {
            self.tail += 1 + random % (1 << 32);
            if self.tail >= TAIL_END {
                (self.millisecond, self.tail) = (self.millisecond + 1, random % (TAIL_END / 2));
            }
        }
        let moment = u128::from(self.millisecond) << 80;
        let high = (self.tail >> 62) << 64;
        let low = self.tail & ((1 << 62) - 1);
        EventId(Uuid::from_u128(moment | 0x7 << 76 | high | 0b10 << 62 | low))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn ids_grow_whatever_the_clock_does_and_across_restarts() {
        let mut ids = EventIds::after(None);
        let mut last = ids.next(moment("2026-03-02T01:00:00Z"));
        assert_eq!(last.0.get_version_num(), 7);
        assert_eq!(last.0.get_variant(), uuid::Variant::RFC4122);
        for told in ["2026-03-02T01:00:00Z", "2026-03-02T01:00:01Z", "2020-01-01T00:00:00Z"] {
            for _ in 0..1_000 {
                let next = ids.next(moment(told));
                assert!(next > last, "{next} after {last}");
                assert_eq!(next.0.get_version_num(), 7);
                last = next;
            }
            ids = EventIds::after(Some(last));
        }
    }

    #[test]
    fn a_millisecond_that_is_used_up_lends_from_the_next() {
        let mut ids = EventIds { millisecond: 7, tail: TAIL_END - 1 };
        let next = ids.next(Timestamp::from_millisecond(7).unwrap());
        assert_eq!(next.0.as_u128() >> 80, 8);
    }

    #[test]
    fn recorded_moments_never_go_back_and_a_step_is_told_once() {
        let clock = Clock::manual(moment("2026-03-02T01:00:00Z"));
        let mut moments = Moments::after(clock.clone(), None);
        assert_eq!(moments.now(), moment("2026-03-02T01:00:00Z"));
        clock.advance_to(moment("2026-03-02T00:00:00Z"));
        assert_eq!(moments.now(), moment("2026-03-02T01:00:00Z"));
        let step = moments.step.take().unwrap();
        assert_eq!(step.before, moment("2026-03-02T01:00:00Z"));
        assert_eq!(step.after, moment("2026-03-02T00:00:00Z"));
        moments.now();
        assert_eq!(moments.step, None);
        // A manual clock may leap: that is what it is for.
        clock.advance_to(moment("2026-04-02T00:00:00Z"));
        assert_eq!(moments.now(), moment("2026-04-02T00:00:00Z"));
        assert_eq!(moments.step, None);
    }

    #[test]
    fn a_log_that_is_ahead_of_the_clock_is_a_step() {
        let clock = Clock::manual(moment("2026-03-02T01:00:00Z"));
        let mut moments = Moments::after(clock, Some(moment("2026-03-02T02:00:00Z")));
        assert_eq!(moments.now(), moment("2026-03-02T02:00:00Z"));
        assert!(moments.step.is_some());
    }

    #[test]
    fn small_corrections_and_slow_drift_are_no_steps() {
        let before = moment("2026-03-02T01:00:00Z");
        let seconds = SignedDuration::from_secs;
        //  measured  told  is a step
        let table = [
            (Some(0), 0, false),
            (Some(10), 10, false),
            (Some(10), 11, false),
            (Some(10), 9, false),
            (Some(10), 15, true),
            (Some(10), 5, true),
            // A night without any work, and a clock that is slowly put right.
            (Some(36_000), 36_030, false),
            (Some(36_000), 36_040, true),
            // Nobody measured: only a step back can be told.
            (None, 3_600, false),
            (None, -1, false),
            (None, -3, true),
        ];
        for (measured, told, expected) in table {
            let after = before + seconds(told);
            let step = stepped(before, measured.map(seconds), after);
            assert_eq!(step.is_some(), expected, "{measured:?} {told}");
        }
    }
}
