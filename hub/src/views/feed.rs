//! The log for whoever folds a lot of it: one thread reads and proves, this one understands and folds.
//! While this one is behind, the other also understands: neither waits for long.

use std::sync::mpsc::{SendError, SyncSender, TrySendError, sync_channel};

use events::envelope::{Position, Recorded};

use crate::log::raw::{Keep, RawBatch};
use crate::log::{ReadError, Readers};
use crate::views::reader::ViewError;

/// Events read at once.
pub(crate) const BATCH_EVENTS_MAX: usize = 1_000;
/// Batches that may wait for the fold.
const WAITING_BATCHES_MAX: usize = 3;

/// Events on their way to the fold.
enum Batch {
    /// Proven.
    Raw(RawBatch),
    /// And understood, up to the first that cannot be.
    Understood(Vec<Recorded>, Option<ReadError>),
}

impl Batch {
    fn understood(batch: &RawBatch) -> Self {
        let mut all = Vec::with_capacity(batch.len());
        let told = batch.each(Keep::ForFolding, |recorded| {
            all.push(recorded?);
            Ok(())
        });
        Self::Understood(all, told.err())
    }

    /// Hands on one by one and in order.
    fn each(
        self,
        mut hand_on: impl FnMut(&Recorded) -> Result<(), ViewError>,
    ) -> Result<(), ViewError> {
        match self {
            Self::Raw(batch) => batch.each(Keep::ForFolding, |recorded| {
                recorded.map_err(ViewError::Log).and_then(|it| hand_on(&it))
            }),
            Self::Understood(all, damage) => {
                all.iter().try_for_each(hand_on)?;
                damage.map_or(Ok(()), |it| Err(ViewError::Log(it)))
            }
        }
    }
}

/// Hands every event from `after` to `until` (the end, if absent) to `fold`, one by one and in order,
/// without body and evidence; and after each batch its last position to `pause`.
pub(crate) fn feed<F>(
    readers: &Readers,
    after: Position,
    until: Option<Position>,
    folding: &mut F,
    fold: impl Fn(&mut F, &Recorded) -> Result<(), ViewError>,
    mut pause: impl FnMut(&mut F, Position) -> Result<(), ViewError>,
) -> Result<(), ViewError> {
    std::thread::scope(|scope| {
        let (give, take) = sync_channel::<Result<Batch, ViewError>>(WAITING_BATCHES_MAX);
        scope.spawn(move || read(readers, after, until, &give));
        let mut last = after;
        for batch in take {
            let before = last;
            batch?.each(|recorded| {
                last = recorded.position;
                fold(folding, recorded)
            })?;
            if last != before {
                pause(folding, last)?;
            }
        }
        Ok(())
    })
}

/// Reads batch after batch, up to the first that is not full.
fn read(
    readers: &Readers,
    mut after: Position,
    until: Option<Position>,
    give: &SyncSender<Result<Batch, ViewError>>,
) {
    loop {
        let left = until.map_or(u64::MAX, |it| it.0.saturating_sub(after.0));
        let count = BATCH_EVENTS_MAX.min(usize::try_from(left).unwrap_or(usize::MAX));
        let batch = match count {
            0 => Ok(RawBatch::default()),
            count => readers.read(|log| log.read_raw(after, count)).map_err(ViewError::Log),
        };
        let full = batch.as_ref().is_ok_and(|it| it.len() == BATCH_EVENTS_MAX);
        // Whoever folds has given up: then nobody needs the rest.
        let gone = hand_over(batch, give).is_err();
        if gone || !full {
            return;
        }
        // Positions have no gaps.
        after = Position(after.0 + BATCH_EVENTS_MAX as u64);
    }
}

/// While the fold is behind, the batch is also understood here.
fn hand_over(
    batch: Result<RawBatch, ViewError>,
    give: &SyncSender<Result<Batch, ViewError>>,
) -> Result<(), SendError<Result<Batch, ViewError>>> {
    match give.try_send(batch.map(Batch::Raw)) {
        Ok(()) => Ok(()),
        Err(TrySendError::Full(Ok(Batch::Raw(batch)))) => give.send(Ok(Batch::understood(&batch))),
        Err(TrySendError::Full(other) | TrySendError::Disconnected(other)) => give.send(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::raw::{Place, Stored};
    use crate::views::tests::world::World;

    fn told(batch: Batch) -> (Vec<Recorded>, Option<String>) {
        let mut all = Vec::new();
        let end = batch.each(|it| {
            all.push(it.clone());
            Ok(())
        });
        (all, end.err().map(|it| format!("{it:?}")))
    }

    #[test]
    fn who_understands_a_batch_makes_no_difference_and_damage_ends_it_at_its_place() {
        let mut world = World::new();
        for at in 0..9_u8 {
            world.give((at, at.wrapping_mul(7), at.wrapping_mul(37)));
        }
        let readers = world.stage.log.readers();
        let whole = || readers.read(|log| log.read_raw(Position(0), 100)).unwrap();
        let damaged = || {
            let mut batch = RawBatch::default();
            let put = |place: &Place, stored: &Stored<'_>| {
                let body = if batch.len() == 2 { &b"{}"[..] } else { stored.body };
                batch.push(*place, &Stored { body, ..*stored });
                Ok::<_, ()>(())
            };
            whole().each_stored(put).unwrap();
            batch
        };
        let (all, end) = told(Batch::understood(&whole()));
        assert_eq!((all.len(), &end), (whole().len(), &None));
        assert_eq!((all, end), told(Batch::Raw(whole())));
        let (before, end) = told(Batch::understood(&damaged()));
        assert_eq!((before.len(), end.is_some()), (2, true));
        assert_eq!((before, end), told(Batch::Raw(damaged())));
    }
}
