//! The rooms that run for ever, and what happens when one does not: the hub stops and says so.
//!
//! A hub without its views, its router or its watch would go on taking cases in and sit on them.

use tokio::task::{JoinError, JoinSet};
use tracing::error;

/// Why the hub stops.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// Somebody told it to.
    Told,
    /// A room ended, which none ever should.
    RoomEnded,
}

/// Waits until somebody tells the hub to stop, or until the first of `rooms` ends.
pub(super) async fn told_or_ended(told: impl Future<Output = ()>, rooms: &mut JoinSet<()>) -> Stop {
    tokio::select! {
        () = told => Stop::Told,
        Some(ended) = rooms.join_next() => {
            tell(ended);
            Stop::RoomEnded
        }
    }
}

fn tell(ended: Result<(), JoinError>) {
    match ended {
        Ok(()) => {
            error!("a room of the hub ended; without it the hub would only seem alive, so it stops")
        }
        // A panic has printed itself; its message may hold anything and is not repeated.
        Err(died) => error!(
            panicked = died.is_panic(),
            "a room of the hub died; without it the hub would only seem alive, so it stops"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_room_that_dies_or_ends_stops_the_hub_and_one_that_runs_does_not() {
        let mut rooms = JoinSet::new();
        rooms.spawn(std::future::pending());
        assert_eq!(told_or_ended(async {}, &mut rooms).await, Stop::Told);
        rooms.spawn(async { panic!("the test says so") });
        assert_eq!(told_or_ended(std::future::pending(), &mut rooms).await, Stop::RoomEnded);
        rooms.spawn(async {});
        assert_eq!(told_or_ended(std::future::pending(), &mut rooms).await, Stop::RoomEnded);
    }

    #[tokio::test]
    async fn a_hub_without_rooms_waits_to_be_told() {
        assert_eq!(told_or_ended(async {}, &mut JoinSet::new()).await, Stop::Told);
    }
}
