//! A pipe with every fault a broker may have. It never lies about what is in a message: signatures do that.

use jiff::{SignedDuration, Timestamp};
use rand::Rng as _;
use rand::rngs::StdRng;

/// Something on its way.
#[derive(Debug, Clone)]
pub(super) struct OnTheWay<M> {
    pub(super) message: M,
    ready_at: Timestamp,
    /// It was handed over before and not acknowledged.
    pub(super) redelivered: bool,
}

/// One direction.
#[derive(Debug)]
pub(super) struct Bus<M> {
    on_the_way: Vec<OnTheWay<M>>,
}

impl<M: Clone> Bus<M> {
    pub(super) fn new() -> Self {
        Self { on_the_way: Vec::new() }
    }

    /// Takes a message. With faults it may be lost, doubled or late; says which.
    pub(super) fn put(
        &mut self,
        message: M,
        now: Timestamp,
        faults: Option<&mut StdRng>,
    ) -> Option<&'static str> {
        let mut add = |message, hours: i64| {
            let ready_at = now + SignedDuration::from_mins(hours * 60);
            self.on_the_way.push(OnTheWay { message, ready_at, redelivered: false });
        };
        let Some(chance) = faults else {
            add(message, 0);
            return None;
        };
        match chance.random_range(0..100) {
            0..12 => Some("lost by the bus"),
            12..24 => {
                add(message.clone(), 0);
                add(message, chance.random_range(0..40));
                Some("doubled by the bus")
            }
            24..40 => {
                add(message, chance.random_range(1..30));
                Some("delayed by the bus")
            }
            _ => {
                add(message, 0);
                None
            }
        }
    }

    /// What arrives now, in any order.
    pub(super) fn take(&mut self, now: Timestamp, faults: Option<&mut StdRng>) -> Vec<OnTheWay<M>> {
        let (mut ready, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.on_the_way).into_iter().partition(|it| it.ready_at <= now);
        self.on_the_way = later;
        if let Some(chance) = faults {
            use rand::seq::SliceRandom as _;
            ready.shuffle(chance);
        }
        ready
    }

    /// It was not acknowledged.
    pub(super) fn give_back(&mut self, mut it: OnTheWay<M>) {
        it.redelivered = true;
        self.on_the_way.push(it);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.on_the_way.is_empty()
    }

    /// The broker's disk is gone.
    pub(super) fn wipe(&mut self) {
        self.on_the_way.clear();
    }
}
