//! Replay: fold the whole log again, in memory, and say whether the live views are what it says.
//!
//! It shares nothing with the live views but the folds themselves: no file, no cursor, no row.

use std::path::Path;

use events::envelope::{Position, Recorded};

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
    let mut position = Position(0);
    let fold = |folds: &mut Folds, it: &Recorded| folds.apply(None, it);
    feed(readers, Position(0), until, &mut folds, fold, |_, reached| {
        position = reached;
        progress(reached);
        Ok(())
    })
    .map_err(ReplayError::Fold)?;
    // From 1, without gaps.
    let events = position.0;
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rusqlite::Connection;

    use super::*;
    use crate::views::tests::world::World;

    proptest! {
        #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]
        #[test]
        fn the_live_views_are_the_replayed_ones_at_every_event(
            steps in prop::collection::vec((0..3_u8, any::<u8>(), any::<u8>()), 1..40),
            reopened in any::<u8>(),
        ) {
            let mut world = World::new();
            let mut views = world.stage.open();
            for (at, step) in steps.into_iter().enumerate() {
                world.give(step);
                if at % 8 == usize::from(reopened % 8) {
                    views = world.stage.open();
                }
                views.catch_up().unwrap();
                let readers = world.stage.log.readers();
                let (replayed, compared) =
                    compare(&world.stage.path(), &readers, &mut |_| {}).unwrap();
                prop_assert_eq!(replayed.position, views.position());
                for view in compared {
                    prop_assert!(view.is_equal(), "{:?}", view);
                }
            }
        }
    }

    /// Thirty steps of a busy history.
    fn lived() -> World {
        let mut world = World::new();
        for at in 0..30_u8 {
            world.give((at, at.wrapping_mul(7), at.wrapping_mul(37)));
        }
        world.stage.then();
        world
    }

    #[test]
    fn a_changed_row_a_missing_row_and_a_wrong_index_are_each_found() {
        let changes = [
            (
                "UPDATE status SET row = (SELECT row FROM status ORDER BY key DESC LIMIT 1)",
                "status",
            ),
            ("DELETE FROM status WHERE key = (SELECT min(key) FROM status)", "status"),
            ("UPDATE status SET stage = 'completed', open = 0", "status"),
            ("UPDATE outbox SET touched_at = 1", "outbox"),
            ("DELETE FROM provinces", "provinces"),
        ];
        for (change, view) in changes {
            let world = lived();
            let file = Connection::open(world.stage.path()).unwrap();
            assert!(file.execute(change, []).unwrap() > 0, "{change}");
            drop(file);
            let readers = world.stage.log.readers();
            let (_, compared) = compare(&world.stage.path(), &readers, &mut |_| {}).unwrap();
            for it in compared {
                assert_eq!(it.is_equal(), it.view != view, "{change}: {it:?}");
                assert_eq!(it.first_difference.is_some(), it.view == view, "{change}: {it:?}");
            }
        }
    }

    #[test]
    fn views_of_another_log_are_not_compared() {
        let world = lived();
        let shorter = World::new();
        let readers = shorter.stage.log.readers();
        let told = compare(&world.stage.path(), &readers, &mut |_| {}).err();
        assert!(matches!(told, Some(ReplayError::LogIsShorter { .. })));
    }
}
