//! Opening the log, and every reason not to. Nothing is ever repaired here.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use lru::LruCache;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::guard::{self, Role};
use super::{STREAMS_REMEMBERED_MAX, SqliteLog, SqliteReader, read, schema, settings};
use crate::log::batch::Head;
use crate::log::{ReadError, ReadLog as _};
use events::envelope::Position;

/// Why a log is not opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another part of this one, writes.
    #[error("another writer holds `{}`\n(is another hub running?)", path.display())]
    AnotherWriter {
        /// The lock file.
        path: PathBuf,
    },
    /// A file beside the log could not be used.
    #[error("cannot {doing} `{}`", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// Which file.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// A write-ahead file without its database: the last commits may live in it.
    #[error("`{}` is there but its database is not\n(bring the database back)", path.display())]
    WalWithoutDatabase {
        /// The write-ahead file.
        path: PathBuf,
    },
    /// A file without a byte: something emptied it.
    #[error("`{}` is empty\n(restore it, or remove it if there never was a log)", path.display())]
    EmptyFile {
        /// The log's file.
        path: PathBuf,
    },
    /// Not an SQLite file, or one whose header is destroyed.
    #[error("`{}` is not a database", path.display())]
    NotADatabase {
        /// The file.
        path: PathBuf,
    },
    /// There is something already where a log is to be made.
    #[error("`{}` exists already\n(nothing is ever overwritten)", path.display())]
    Exists {
        /// What.
        path: PathBuf,
    },
    /// Some other program's database.
    #[error("the database is not a log (its application id is {application_id})")]
    NotALog {
        /// Whose it is.
        application_id: i64,
    },
    /// A newer hub wrote it.
    #[error("the log has schema {found}, this hub knows up to {known}\n(use the newer hub)")]
    NewerSchema {
        /// Its number.
        found: i64,
        /// Ours.
        known: i64,
    },
    /// A table, an index or a trigger is missing, changed or added.
    #[error("`{name}` is not as this hub made it")]
    Schema {
        /// Which.
        name: String,
    },
    /// A setting did not take effect.
    #[error("the setting `{setting}` is {found} and must be {expected}")]
    Setting {
        /// Which.
        setting: &'static str,
        /// What it is.
        found: String,
        /// What it must be.
        expected: &'static str,
    },
    /// This SQLite may lose commits.
    #[error("SQLite {found} is too old\n(at least {least} is needed)")]
    SqliteTooOld {
        /// What is linked.
        found: &'static str,
        /// What is needed.
        least: &'static str,
    },
    /// The log of another hub or environment.
    #[error("the log belongs to `{found}`, not to `{expected}`")]
    OtherOrigin {
        /// Whose it is.
        found: String,
        /// Whose it should be.
        expected: String,
    },
    /// SQLite says that the file's structure is damaged.
    #[error("the file's structure is damaged\n(restore a backup; the hub repairs nothing)")]
    Corrupt(#[source] rusqlite::Error),
    /// The last event cannot be read.
    #[error("the log's end cannot be read")]
    End(#[source] ReadError),
    /// SQLite failed.
    #[error("cannot {doing} the log")]
    Sqlite {
        /// What was tried.
        doing: &'static str,
        /// Why not.
        #[source]
        source: rusqlite::Error,
    },
}

impl OpenError {
    pub(crate) fn reading(doing: &'static str, source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt) => Self::Corrupt(source),
            _ => Self::Sqlite { doing, source },
        }
    }
}

impl SqliteLog {
    /// Keeps every writer out while the returned file lives: for work on what lies beside the log.
    pub fn keep_writers_out(path: &Path) -> Result<File, OpenError> {
        lock(path)
    }

    /// Opens the log of `origin` at `path` for writing; makes it if there is none. Older writers
    /// are fenced from here on.
    pub fn open(path: &Path, origin: &str) -> Result<Self, OpenError> {
        let lock = lock(path)?;
        refuse_strange_files(path)?;
        if !path.exists() {
            create(path, origin)?;
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = connect(path, flags, Role::Writer)?;
        let found =
            schema::origin(&connection).map_err(|it| OpenError::reading("read the name of", it))?;
        if found != origin {
            return Err(OpenError::OtherOrigin { found, expected: origin.to_owned() });
        }
        let epoch = next_epoch(&connection)
            .map_err(|source| OpenError::Sqlite { doing: "begin a new epoch in", source })?;
        let mut log = Self {
            connection,
            origin: found,
            epoch,
            head: Head::EMPTY,
            streams: LruCache::new(STREAMS_REMEMBERED_MAX),
            unsettled_bytes: 0,
            checkpoint_failure: None,
            sound: true,
            _lock: lock,
        };
        log.head = log.find_head().map_err(OpenError::End)?;
        Ok(log)
    }

    fn find_head(&self) -> Result<Head, ReadError> {
        let Some((Position(last), _)) = self.head()? else { return Ok(Head::EMPTY) };
        let end = self.read_all(Position(last.saturating_sub(1)), 1)?;
        end.last().map(Head::after).ok_or_else(|| ReadError::Damaged {
            position: Position(last),
            why: "it is the head, and is not there".to_owned(),
        })
    }
}

/// Opens a reader.
pub(crate) fn reader(path: &Path) -> Result<SqliteReader, OpenError> {
    let connection = reader_connection(path)?;
    let origin =
        schema::origin(&connection).map_err(|it| OpenError::reading("read the name of", it))?;
    Ok(SqliteReader { connection, origin })
}

/// A connection that can only read, for whoever reads the columns as they are.
pub(crate) fn reader_connection(path: &Path) -> Result<Connection, OpenError> {
    refuse_strange_files(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    connect(path, flags, Role::Reader)
}

fn connect(path: &Path, flags: OpenFlags, role: Role) -> Result<Connection, OpenError> {
    let named = |error: OpenError| match &error {
        OpenError::Sqlite { source, .. }
            if source.sqlite_error_code() == Some(ErrorCode::NotADatabase) =>
        {
            OpenError::NotADatabase { path: path.to_owned() }
        }
        _ => error,
    };
    let connection = Connection::open_with_flags(path, flags)
        .map_err(|source| named(OpenError::Sqlite { doing: "open", source }))?;
    // Before anything is set: a file that is not ours is not touched.
    schema::check(&connection).map_err(named)?;
    settings::apply(&connection, role).map_err(named)?;
    connection.set_prepared_statement_cache_capacity(read::STATEMENTS_KEPT_MAX);
    guard::guard(&connection, role)
        .map_err(|source| OpenError::Sqlite { doing: "guard", source })?;
    Ok(connection)
}

/// `log.db` is guarded by `log.lock`: a file of its own, because locks on a database are SQLite's.
fn lock(path: &Path) -> Result<File, OpenError> {
    let path = path.with_extension("lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = match file {
        Ok(file) => file,
        Err(source) => return Err(OpenError::File { doing: "open", path, source }),
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::AnotherWriter { path }),
        Err(TryLockError::Error(source)) => Err(OpenError::File { doing: "lock", path, source }),
    }
}

/// The path of a file beside the log, e.g. its write-ahead file.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn refuse_strange_files(path: &Path) -> Result<(), OpenError> {
    match std::fs::metadata(path) {
        Ok(it) if it.len() == 0 => Err(OpenError::EmptyFile { path: path.to_owned() }),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let wal = beside(path, "-wal");
            if wal.exists() { Err(OpenError::WalWithoutDatabase { path: wal }) } else { Ok(()) }
        }
        Err(source) => Err(OpenError::File { doing: "look at", path: path.to_owned(), source }),
    }
}

/// Makes the file under another name first: a crash leaves no half of a log.
fn create(path: &Path, origin: &str) -> Result<(), OpenError> {
    let (connection, new) = new_file(path, origin)?;
    place(connection, &new, path)
}

/// An empty log under another name than `target`, and that name. Refuses to replace a log.
pub(super) fn new_file(target: &Path, origin: &str) -> Result<(Connection, PathBuf), OpenError> {
    for there in [target.to_owned(), beside(target, "-wal")] {
        if there.exists() {
            return Err(OpenError::Exists { path: there });
        }
    }
    let new = beside(target, ".new");
    for leftover in [new.clone(), beside(&new, "-wal"), beside(&new, "-shm")] {
        match std::fs::remove_file(&leftover) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(OpenError::File { doing: "remove", path: leftover, source });
            }
            _ => {}
        }
    }
    let failed = |source| OpenError::Sqlite { doing: "make", source };
    let connection = Connection::open(&new).map_err(failed)?;
    schema::create(&connection, origin).map_err(failed)?;
    Ok((connection, new))
}

/// Closes a whole file and gives it its name, durably.
pub(super) fn place(connection: Connection, new: &Path, target: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Sqlite { doing: "make", source };
    connection.close().map_err(|(_, source)| failed(source))?;
    std::fs::rename(new, target)
        .and_then(|()| sync_folder(target))
        .map_err(|source| OpenError::File { doing: "make", path: target.to_owned(), source })
}

/// Makes a new name in the folder of `path` durable.
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

fn next_epoch(connection: &Connection) -> rusqlite::Result<u64> {
    let sql = "INSERT INTO fence (epoch) SELECT 1 + coalesce(max(epoch), 0) FROM fence
               RETURNING epoch";
    let epoch: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    Ok(epoch.unsigned_abs())
}
