//! The log for whoever folds a lot of it: one thread reads and decodes, this one folds.

use std::sync::mpsc::sync_channel;

use events::envelope::{Position, Recorded};

use crate::log::Readers;
use crate::views::reader::ViewError;

/// Events read at once.
pub(crate) const BATCH_EVENTS_MAX: usize = 2_000;
/// Batches that may wait for the fold.
const WAITING_BATCHES_MAX: usize = 4;

/// Hands every event from `after` to `until` (the end, if absent) to `fold`, in batches, in order.
pub(crate) fn feed(
    readers: &Readers,
    after: Position,
    until: Option<Position>,
    mut fold: impl FnMut(&[Recorded]) -> Result<(), ViewError>,
) -> Result<(), ViewError> {
    let (give, take) = sync_channel::<Result<Vec<Recorded>, ViewError>>(WAITING_BATCHES_MAX);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let mut after = after;
            loop {
                let left = until.map_or(u64::MAX, |it| it.0.saturating_sub(after.0));
                let count = BATCH_EVENTS_MAX.min(usize::try_from(left).unwrap_or(usize::MAX));
                let batch = match count {
                    0 => Ok(vec![]),
                    count => readers.read(|log| log.read_all(after, count)),
                };
                let last = batch.as_ref().ok().and_then(|it| it.last().map(|it| it.position));
                // Whoever folds has given up: then nobody needs the rest.
                let gone = give.send(batch.map_err(ViewError::Log)).is_err();
                match last {
                    Some(position) if !gone => after = position,
                    _ => return,
                }
            }
        });
        for batch in take {
            fold(&batch?)?;
        }
        Ok(())
    })
}
