//! Replay: fold the whole log again, in memory, and say whether the live views are what it says.
//!
//! It shares nothing with the live views but the folds themselves: no file, no cursor, no row.

use std::path::Path;

use events::envelope::Position;

use crate::log::Readers;
use crate::views::feed::feed;
use crate::views::file::{self, Cursor};
use crate::views::folds::{Folds, key_text};
use crate::views::reader::ViewError;
use crate::views::table::RowSum;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The log could not be folded.
    #[error("cannot replay the log")]
    Fold(#[source] ViewError),
    /// The live views could not be read.
    #[error("cannot read the live views")]
    Live(#[source] ViewError),
    /// Nothing to compare with, or another program's.
    #[error(
        "the live views are missing or of another revision\n(rebuild them with `rebuild-views`)"
    )]
    NotComparable,
    /// The log is shorter than what the views have seen.
    #[error("the live views are at {views}, the log ends at {log}")]
    LogIsShorter {
        /// Where the views are.
        views: Position,
        /// Where the log ends.
        log: Position,
    },
}

/// What a replay came to.
pub struct Replayed {
    /// How many events were folded.
    pub events: u64,
    /// The last one's position.
    pub position: Position,
    /// Each view's sum over its rows.
    pub views: Vec<(&'static str, RowSum)>,
    folds: Folds,
}

/// One view, live and replayed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Which.
    pub view: &'static str,
    /// The file's.
    pub live: RowSum,
    /// The replay's.
    pub replayed: RowSum,
    /// The key of the first row that differs, is missing, or is found by a wrong index.
    pub first_difference: Option<String>,
}

impl Compared {
    /// Whether the live view is what the log says.
    pub fn is_equal(&self) -> bool {
        self.live == self.replayed && self.first_difference.is_none()
    }
}

/// Folds the log up to `until` (its end, if absent): one thread reads and decodes, this one folds.
/// `progress` is told the position reached after each batch.
pub fn replay(
    readers: &Readers,
    until: Option<Position>,
    progress: &mut dyn FnMut(Position),
) -> Result<Replayed, ReplayError> {
    let mut folds = Folds::new(None);
    let (mut events, mut position) = (0, Position(0));
    feed(readers, Position(0), until, |batch| {
        for recorded in batch {
            folds.apply(None, recorded)?;
        }
        events += batch.len() as u64;
        if let Some(last) = batch.last() {
            position = last.position;
            progress(position);
        }
        Ok(())
    })
    .map_err(ReplayError::Fold)?;
    let views = folds.sums();
    Ok(Replayed { events, position, views, folds })
}

/// Replays the log up to where the live views are, and compares. A hub may be running: the views
/// are read as of one moment. Equal or not, every view is in the answer.
pub fn compare(
    views: &Path,
    readers: &Readers,
    progress: &mut dyn FnMut(Position),
) -> Result<(Replayed, Vec<Compared>), ReplayError> {
    let live = file::open_reading(views).map_err(ReplayError::Live)?;
    let moment =
        live.unchecked_transaction().map_err(file::failed("read")).map_err(ReplayError::Live)?;
    let Cursor::At(position) = file::cursor(&moment).map_err(ReplayError::Live)? else {
        return Err(ReplayError::NotComparable);
    };
    let replayed = replay(readers, Some(position), progress)?;
    if replayed.position != position {
        return Err(ReplayError::LogIsShorter { views: position, log: replayed.position });
    }
    let mut compared = Vec::new();
    for (view, sum) in &replayed.views {
        let scanned = replayed.folds.scan(view, &moment).map_err(ReplayError::Live)?;
        let mut first_difference = scanned.wrong_columns;
        if scanned.sum != *sum {
            let rows = replayed.folds.rows(view);
            first_difference = crate::views::table::first_difference(view, &moment, &rows)
                .map_err(ReplayError::Live)?;
        }
        compared.push(Compared {
            view,
            live: scanned.sum,
            replayed: *sum,
            first_difference: first_difference.map(|it| key_text(view, &it)),
        });
    }
    Ok((replayed, compared))
}
