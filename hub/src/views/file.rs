//! `views.db`: settings, tables, the cursor. Losing the file loses nothing but time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use events::envelope::Position;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use crate::views::folds::kinds;
use crate::views::reader::ViewError;

/// How long a reader waits for the writer's moment of exclusiveness.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements kept by a connection.
const STATEMENTS_MAX: usize = 128;
/// Page cache of the writer, in KiB.
const WRITER_CACHE_KIB: i64 = 64 * 1024;

pub(crate) fn failed(what: &'static str) -> impl FnOnce(rusqlite::Error) -> ViewError {
    move |source| ViewError::Store { what, view: "all", source: source.into() }
}

/// What stands in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// No view has been folded into it.
    New,
    /// Every view is at this position, in this program's revision.
    At(Position),
    /// Another program wrote it: its rows are not understood.
    OtherRevision,
}

/// Opens for writing; makes the tables of a new file.
pub(crate) fn open(path: &Path) -> Result<Connection, ViewError> {
    let file = Connection::open(path).map_err(failed("open"))?;
    let settings = format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON; PRAGMA cache_size = -{WRITER_CACHE_KIB};
         PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;"
    );
    file.execute_batch(&settings).map_err(failed("set up"))?;
    file.busy_timeout(BUSY_TIMEOUT).map_err(failed("set up"))?;
    file.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(file)
}

/// Opens for reading only.
pub(crate) fn open_reading(path: &Path) -> Result<Connection, ViewError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let file = Connection::open_with_flags(path, flags).map_err(failed("open"))?;
    file.busy_timeout(BUSY_TIMEOUT).map_err(failed("set up"))?;
    file.execute_batch("PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;")
        .map_err(failed("set up"))?;
    file.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    Ok(file)
}

/// Makes what is missing of tables, and of indexes if they are wanted now.
pub(crate) fn create(file: &Connection, with_indexes: bool) -> Result<(), ViewError> {
    file.execute_batch(
        "CREATE TABLE IF NOT EXISTS cursor (
             view TEXT PRIMARY KEY, revision INTEGER NOT NULL, position INTEGER NOT NULL) STRICT",
    )
    .map_err(failed("create"))?;
    for kind in kinds() {
        file.execute_batch(&kind.table).map_err(failed("create"))?;
        if with_indexes {
            for index in &kind.indexes {
                file.execute_batch(index).map_err(failed("create an index of"))?;
            }
        }
    }
    Ok(())
}

/// Where the views are.
pub(crate) fn cursor(file: &Connection) -> Result<Cursor, ViewError> {
    let table: Option<String> = file
        .query_row("SELECT name FROM sqlite_schema WHERE name = 'cursor'", [], |it| it.get(0))
        .optional()
        .map_err(failed("read the cursor of"))?;
    if table.is_none() {
        return Ok(Cursor::New);
    }
    let mut select = file
        .prepare("SELECT view, revision, position FROM cursor")
        .map_err(failed("read the cursor of"))?;
    let found: Vec<(String, u32, i64)> = select
        .query_map([], |it| Ok((it.get(0)?, it.get(1)?, it.get(2)?)))
        .and_then(|rows| rows.collect())
        .map_err(failed("read the cursor of"))?;
    if found.is_empty() {
        return Ok(Cursor::New);
    }
    let kinds = kinds();
    let position = found.first().map_or(0, |it| it.2);
    let known = |it: &(String, u32, i64)| {
        kinds.iter().any(|kind| kind.name == it.0 && kind.revision == it.1) && it.2 == position
    };
    // Views commit together; a file in which they stand apart is no file of ours.
    let ours = found.len() == kinds.len() && found.iter().all(known);
    Ok(if ours { Cursor::At(Position(position.unsigned_abs())) } else { Cursor::OtherRevision })
}

/// Moves the cursor of every view; inside the transaction that writes the rows.
pub(crate) fn move_cursor(file: &Connection, position: Position) -> Result<(), ViewError> {
    let mut put = file
        .prepare_cached(
            "INSERT INTO cursor (view, revision, position) VALUES (?1, ?2, ?3)
             ON CONFLICT (view) DO UPDATE
             SET revision = excluded.revision, position = excluded.position",
        )
        .map_err(failed("move the cursor of"))?;
    for kind in kinds() {
        put.execute((kind.name, kind.revision, position.0 as i64))
            .map_err(failed("move the cursor of"))?;
    }
    Ok(())
}

/// A name beside the file: `views.db` and `-wal` give `views.db-wal`.
pub(crate) fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// Removes the file and what belongs to it. What is not there is not missed.
pub(crate) fn remove(path: &Path) -> Result<(), ViewError> {
    // The file first: a left-over journal without it is ignored, the file without its journal is damaged.
    for ending in ["", "-wal", "-shm", "-journal"] {
        match std::fs::remove_file(beside(path, ending)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                let source = Box::new(error);
                return Err(ViewError::Store { what: "remove", view: "all", source });
            }
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

/// Puts the finished file `new` in the place of `path`. Nobody may have `new` open.
pub(crate) fn swap(new: &Path, path: &Path) -> Result<(), ViewError> {
    remove(path)?;
    let moved = || -> std::io::Result<()> {
        std::fs::File::open(new)?.sync_all()?;
        std::fs::rename(new, path)?;
        let folder = path.parent().filter(|it| !it.as_os_str().is_empty());
        std::fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    };
    moved().map_err(|source| ViewError::Store {
        what: "swap",
        view: "all",
        source: Box::new(source),
    })
}
