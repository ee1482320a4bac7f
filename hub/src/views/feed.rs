//! The log for whoever folds a lot of it: two threads read and decode, this one folds.

use std::sync::mpsc::{SyncSender, sync_channel};

use events::envelope::{Position, Recorded};

use crate::log::Readers;
use crate::views::reader::ViewError;

/// Events read at once.
pub(crate) const BATCH_EVENTS_MAX: usize = 2_000;
/// Batches of each decoding thread that may wait for the fold.
const WAITING_BATCHES_MAX: usize = 2;
/// Threads that read and decode. Decoding takes several times as long as folding, so one would
/// leave the fold idle.
const DECODERS: u64 = 2;

type Batch = Result<Vec<Recorded>, ViewError>;

/// Hands every event from `after` to `until` (the end, if absent) to `fold`, in batches, in order.
pub(crate) fn feed(
    readers: &Readers,
    after: Position,
    until: Option<Position>,
    mut fold: impl FnMut(&[Recorded]) -> Result<(), ViewError>,
) -> Result<(), ViewError> {
    std::thread::scope(|scope| {
        let mut decoded = Vec::new();
        for nth in 0..DECODERS {
            let (give, take) = sync_channel::<Batch>(WAITING_BATCHES_MAX);
            let after = Position(after.0 + nth * BATCH_EVENTS_MAX as u64);
            scope.spawn(move || decode(readers, after, until, &give));
            decoded.push(take);
        }
        // Positions have no gaps, so the threads' batches follow one another in turn.
        for nth in (0..decoded.len()).cycle() {
            let Ok(batch) = decoded[nth].recv() else { break };
            let batch = batch?;
            fold(&batch)?;
            if batch.len() < BATCH_EVENTS_MAX {
                break;
            }
        }
        Ok(())
    })
}

/// Reads every batch whose turn is this thread's, up to the first that is not full.
fn decode(
    readers: &Readers,
    mut after: Position,
    until: Option<Position>,
    give: &SyncSender<Batch>,
) {
    loop {
        let left = until.map_or(u64::MAX, |it| it.0.saturating_sub(after.0));
        let count = BATCH_EVENTS_MAX.min(usize::try_from(left).unwrap_or(usize::MAX));
        let batch = match count {
            0 => Ok(vec![]),
            count => readers.read(|log| log.read_all(after, count)).map_err(ViewError::Log),
        };
        let full = batch.as_ref().is_ok_and(|it| it.len() == BATCH_EVENTS_MAX);
        // Whoever folds has given up: then nobody needs the rest.
        let gone = give.send(batch).is_err();
        if gone || !full {
            return;
        }
        after = Position(after.0 + DECODERS * BATCH_EVENTS_MAX as u64);
    }
}
