//! The log for whoever folds a lot of it: one thread reads and proves, this one understands and folds.

use std::sync::mpsc::{SyncSender, sync_channel};

use events::envelope::{Position, Recorded};

use crate::log::Readers;
use crate::log::raw::{Keep, RawBatch};
use crate::views::reader::ViewError;

/// Events read at once.
pub(crate) const BATCH_EVENTS_MAX: usize = 2_000;
/// Batches that may wait for the fold.
const WAITING_BATCHES_MAX: usize = 3;

type Batch = Result<RawBatch, ViewError>;

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
        let (give, take) = sync_channel::<Batch>(WAITING_BATCHES_MAX);
        scope.spawn(move || read(readers, after, until, &give));
        let mut last = after;
        for batch in take {
            let batch = batch?;
            batch.each(Keep::ForFolding, |recorded| {
                let recorded = recorded.map_err(ViewError::Log)?;
                last = recorded.position;
                fold(folding, &recorded)
            })?;
            if !batch.is_empty() {
                pause(folding, last)?;
            }
        }
        Ok(())
    })
}

/// Reads batch after batch, up to the first that is not full.
fn read(readers: &Readers, mut after: Position, until: Option<Position>, give: &SyncSender<Batch>) {
    loop {
        let left = until.map_or(u64::MAX, |it| it.0.saturating_sub(after.0));
        let count = BATCH_EVENTS_MAX.min(usize::try_from(left).unwrap_or(usize::MAX));
        let batch = match count {
            0 => Ok(RawBatch::default()),
            count => readers.read(|log| log.read_raw(after, count)).map_err(ViewError::Log),
        };
        let full = batch.as_ref().is_ok_and(|it| it.len() == BATCH_EVENTS_MAX);
        // Whoever folds has given up: then nobody needs the rest.
        let gone = give.send(batch).is_err();
        if gone || !full {
            return;
        }
        // Positions have no gaps.
        after = Position(after.0 + BATCH_EVENTS_MAX as u64);
    }
}
