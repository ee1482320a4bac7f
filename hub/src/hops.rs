//! The hops of a case, told to a collector if there is one. Without one each costs a look at a flag.
//!
//! A span's name follows from what the log knows (`events::trace`), so no room has to remember or hand on a
//! context: whoever tells a hop works out what led to it.

use std::sync::OnceLock;

use events::trace::{Hop, SpanId};
use jiff::Timestamp;

use crate::clock::Clock;

/// Where hops go. Set once, at the start.
static OUT: OnceLock<Out> = OnceLock::new();

type Out = Box<dyn Fn(Hop) + Send + Sync>;

/// A moment of the machine, if hops are told at all: however time is told, a span lasts as long as it lasts.
#[derive(Debug, Clone, Copy)]
pub struct Moment(Option<Timestamp>);

impl Moment {
    /// Now.
    pub fn now() -> Self {
        Self(are_told().then(Clock::real_now))
    }

    /// Tells what began then and ends now.
    pub fn tell(self, hop: impl FnOnce((Timestamp, Timestamp)) -> Hop) {
        self.tell_until(Self::now(), hop);
    }

    /// Tells what began then and ended at `ended`.
    pub fn tell_until(self, ended: Self, hop: impl FnOnce((Timestamp, Timestamp)) -> Hop) {
        if let (Some(began), Some(ended), Some(out)) = (self.0, ended.0, OUT.get()) {
            out(hop((began, ended)));
        }
    }
}

/// Whether anybody wants to hear.
pub fn are_told() -> bool {
    OUT.get().is_some()
}

/// The name of a span that nothing refers to.
pub fn unnamed() -> SpanId {
    SpanId::by_chance(rand::random())
}

/// Tells every hop to `out` from here on. The first one wins.
pub fn tell_to(out: Out) {
    let _already = OUT.set(out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_hears_is_not_even_made() {
        // No test of this crate sets a listener: the flag is the process's.
        Moment::now().tell(|_| panic!("nobody listens"));
        assert!(!are_told());
    }
}
