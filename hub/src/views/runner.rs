//! Who moves the cursor. Rows and cursor commit together, so that a kill at any line loses nothing.

use std::path::{Path, PathBuf};
use std::time::Duration;

use events::envelope::{Event, Position, Recorded};
use rusqlite::Connection;
use tokio::sync::mpsc;

use crate::log::Readers;
use crate::log::raw::Keep;
use crate::vault::Opener;
use crate::views::feed::{BATCH_EVENTS_MAX, feed};
use crate::views::file::{self, Cursor, failed};
use crate::views::folds::Folds;
use crate::views::membership::Membership;
use crate::views::reader::{ViewError, ViewReader};
use crate::wake::{Ear, Wake};

/// So many events in one step mean that the log is busy.
const BUSY_EVENTS_MIN: usize = 32;
/// How long the views then let more events come together: a step costs the same few pages and locks
/// for a hundred events as for ten, and takes the processor from those who wait for an answer.
const BUSY_REST: Duration = Duration::from_millis(10);

/// How far the views' thread stands back behind the others, as `nice` counts; Linux knows it by thread. It
/// still gets a quarter of a processor that others fight for.
pub(super) const NICENESS: i32 = 6;

/// The one who writes `views.db`. There is one for a file.
pub struct Views {
    path: PathBuf,
    readers: Readers,
    membership: Membership,
    /// The membership was loaded as of here; older events would only turn it back for a moment.
    membership_position: Position,
    file: Connection,
    folds: Folds,
    position: Position,
}

impl Views {
    /// Opens or makes the file; rebuilds it first if another revision wrote it. Brings `membership`
    /// to the head of the log. Views that know more than the log are an error: rebuild them.
    pub fn open(
        path: &Path,
        readers: Readers,
        membership: Membership,
        opener: Option<Opener>,
    ) -> Result<Self, ViewError> {
        let mut connection = file::open(path)?;
        if file::cursor(&connection)? == Cursor::OtherRevision {
            drop(connection);
            tracing::info!("the views are of another revision: they are rebuilt");
            rebuild(path, &readers, opener.clone(), &mut |_, _| {})?;
            connection = file::open(path)?;
        }
        file::create(&connection, true)?;
        let position = match file::cursor(&connection)? {
            Cursor::At(position) => position,
            Cursor::New | Cursor::OtherRevision => Position(0),
        };
        let log = head(&readers)?;
        if position > log {
            return Err(ViewError::AheadOfLog { views: position, log });
        }
        readers.read(|it| membership.reload(it)).map_err(ViewError::Log)?;
        let folds = Folds::new(opener);
        let mut views = Self {
            path: path.to_owned(),
            readers,
            membership,
            membership_position: log,
            file: connection,
            folds,
            position,
        };
        // An empty file has a cursor too, so that readers can say as of when.
        views.commit(position)?;
        Ok(views)
    }

    /// Reads what this writes.
    pub fn reader(&self) -> ViewReader {
        ViewReader::open(&self.path)
    }

    /// How far the views have read.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Takes the next batch into account: how many events there were.
    pub fn step(&mut self) -> Result<usize, ViewError> {
        let after = self.position;
        let batch = self
            .readers
            .read(|log| log.read_raw(after, BATCH_EVENTS_MAX))
            .map_err(ViewError::Log)?;
        let (mut last, mut memberships) = (after, Vec::new());
        batch.each(Keep::ForFolding, |recorded| {
            let recorded = recorded.map_err(ViewError::Log)?;
            last = recorded.position;
            self.folds.apply(Some(&self.file), &recorded)?;
            if matches!(recorded.envelope.event, Event::Province(_)) {
                memberships.push(recorded);
            }
            Ok(())
        })?;
        if batch.is_empty() {
            return Ok(0);
        }
        self.commit(last)?;
        self.tell_membership(&memberships);
        Ok(batch.len())
    }

    /// Takes everything into account that is in the log now.
    pub fn catch_up(&mut self) -> Result<Position, ViewError> {
        while self.step()? > 0 {}
        Ok(self.position)
    }

    fn commit(&mut self, position: Position) -> Result<(), ViewError> {
        let transaction = self.file.transaction().map_err(failed("begin writing to"))?;
        self.folds.flush(&transaction)?;
        file::move_cursor(&transaction, position)?;
        transaction.commit().map_err(failed("commit"))?;
        self.position = position;
        metrics::gauge!("hub_projection_position").set(position.0 as f64);
        Ok(())
    }

    fn tell_membership(&self, memberships: &[Recorded]) {
        for recorded in memberships {
            if recorded.position > self.membership_position {
                self.membership.apply(recorded);
            }
        }
    }

    /// Follows the log for ever: looks at every ring of `wake_in` and after every `tick`, and rings
    /// `wake_out` when something changed. Returns only when it cannot go on.
    pub async fn run(self, mut wake_in: Ear, wake_out: Wake, tick: Duration) -> ViewError {
        let (ask, asked) = mpsc::channel(1);
        let (tell, mut told) = mpsc::channel(1);
        let thread = std::thread::Builder::new().name("views".to_owned());
        if let Err(source) = thread.spawn(move || self.at_leisure(asked, &tell)) {
            return stuck(source);
        }
        loop {
            let stepped = if ask.send(()).await.is_ok() { told.recv().await } else { None };
            match stepped {
                Some(Ok(0)) => wake_in.heard(tick).await,
                Some(Ok(events)) => {
                    wake_out.ring();
                    if events >= BUSY_EVENTS_MIN {
                        tokio::time::sleep(BUSY_REST).await;
                    }
                }
                Some(Err(error)) => return error,
                None => return stuck("its thread has ended"),
            }
        }
    }

    /// On a thread of its own that stands back: when processors are short, those go first who wait for an
    /// answer. It ends when nobody asks any more.
    fn at_leisure(mut self, mut asked: mpsc::Receiver<()>, tell: &mpsc::Sender<Stepped>) {
        if let Err(error) = rustix::process::setpriority_process(None, NICENESS) {
            tracing::debug!(%error, "the views work at everybody's priority");
        }
        while asked.blocking_recv().is_some() {
            let stepped = self.step().and_then(|events| {
                let lag = head(&self.readers)?.0.saturating_sub(self.position.0);
                metrics::gauge!("hub_projection_lag").set(lag as f64);
                Ok(events)
            });
            if tell.blocking_send(stepped).is_err() {
                return;
            }
        }
    }
}

/// How many events a step took into account.
type Stepped = Result<usize, ViewError>;

fn stuck(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> ViewError {
    ViewError::Store { what: "go on folding", view: "all", source: why.into() }
}

fn head(readers: &Readers) -> Result<Position, ViewError> {
    let head = readers.read(|log| log.head()).map_err(ViewError::Log)?;
    Ok(head.map_or(Position(0), |it| it.0))
}

/// Changed cases kept in memory before they are written, during a rebuild.
const REBUILD_ROWS_MAX: usize = 200_000;

/// Folds the whole log into a new file and puts it in the place of `path`. `progress` is told the
/// position reached and the log's head. Killed in between, the old file is still there.
pub fn rebuild(
    path: &Path,
    readers: &Readers,
    opener: Option<Opener>,
    progress: &mut dyn FnMut(Position, Position),
) -> Result<Position, ViewError> {
    let new = file::beside(path, ".new");
    file::remove(&new)?;
    let until = head(readers)?;
    let connection = Connection::open(&new).map_err(failed("open"))?;
    // Half a file is worth nothing, so nothing is spent on keeping it whole until it is finished.
    connection
        .execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;
             PRAGMA locking_mode = EXCLUSIVE;",
        )
        .map_err(failed("set up"))?;
    file::create(&connection, false)?;
    let mut folds = Folds::new(opener);
    let fold = |folds: &mut Folds, it: &Recorded| folds.apply(Some(&connection), it);
    feed(readers, Position(0), Some(until), &mut folds, fold, |folds, reached| {
        if folds.changed_count() > REBUILD_ROWS_MAX {
            write(&connection, folds, None)?;
        }
        progress(reached, until);
        Ok(())
    })?;
    write(&connection, &mut folds, Some(until))?;
    file::create(&connection, true)?;
    connection.close().map_err(|(_, source)| failed("close")(source))?;
    file::swap(&new, path)?;
    Ok(until)
}

fn write(file: &Connection, folds: &mut Folds, cursor: Option<Position>) -> Result<(), ViewError> {
    file.execute_batch("BEGIN").map_err(failed("begin writing to"))?;
    folds.flush(file)?;
    if let Some(position) = cursor {
        file::move_cursor(file, position)?;
    }
    file.execute_batch("COMMIT").map_err(failed("commit"))
}
