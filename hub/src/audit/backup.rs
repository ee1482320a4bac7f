//! A copy of the living log that is called good only after it was verified.

use std::fs::File;
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::audit::verify::{Against, Report, VerifyError, verify};
use crate::log::sqlite::{OpenError, reader_connection, sync_folder};

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// Nothing is ever overwritten.
    #[error("`{}` exists already\n(name another one)", path.display())]
    Exists {
        /// What.
        path: PathBuf,
    },
    /// The log could not be opened.
    #[error("cannot open the log")]
    Open(#[from] OpenError),
    /// SQLite could not copy it.
    #[error("cannot copy the log to `{}`", path.display())]
    Copy {
        /// Where.
        path: PathBuf,
        /// Why not.
        #[source]
        source: rusqlite::Error,
    },
    /// Somebody else kept the log busy.
    #[error("the log is busy\n(try again)")]
    Busy,
    /// The copy could not be made durable.
    #[error("cannot {doing} `{}`", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The copy could not be verified.
    #[error("cannot verify the copy")]
    Verify(#[from] VerifyError),
    /// The copy is not good; it was removed.
    #[error("the copy is not good: {what}")]
    NotGood {
        /// What is wrong with it.
        what: String,
    },
}

/// Copies the log at `log`, while a hub may write it, to the new file `target`.
pub fn backup(
    log: &Path,
    target: &Path,
    against: Against<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, BackupError> {
    if target.exists() {
        return Err(BackupError::Exists { path: target.to_owned() });
    }
    let mut name = target.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let _ = std::fs::remove_file(&part);
    let made = copy(log, &part).and_then(|least| judge(&part, least, against, progress)).and_then(
        |report| {
            std::fs::rename(&part, target).and_then(|()| sync_folder(target)).map_err(
                |source| BackupError::File { doing: "rename", path: part.clone(), source },
            )?;
            Ok(report)
        },
    );
    if made.is_err() {
        // What is left is no backup; that it cannot be removed changes nothing.
        let _ = std::fs::remove_file(&part);
    }
    made
}

/// Gives the position that the copy must reach at least.
fn copy(log: &Path, part: &Path) -> Result<u64, BackupError> {
    let failed = |source| BackupError::Copy { path: part.to_owned(), source };
    let from = reader_connection(log)?;
    let sql = "SELECT coalesce(max(position), 0) FROM event";
    let head: i64 = from.query_row(sql, [], |row| row.get(0)).map_err(failed)?;
    let mut to = Connection::open(part).map_err(failed)?;
    {
        let backup = Backup::new(&from, &mut to).map_err(failed)?;
        // In one step: a writer in between would make it begin again and again.
        match backup.step(-1).map_err(failed)? {
            StepResult::Done => {}
            _ => return Err(BackupError::Busy),
        }
    }
    // A copy is one file; the hub that opens it turns the write-ahead file on again.
    let mode = to.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get::<_, String>(0));
    mode.map_err(failed)?;
    to.close().map_err(|(_, source)| failed(source))?;
    File::open(part).and_then(|it| it.sync_all()).map_err(|source| BackupError::File {
        doing: "synchronise",
        path: part.to_owned(),
        source,
    })?;
    Ok(head.unsigned_abs())
}

fn judge(
    part: &Path,
    least: u64,
    against: Against<'_>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, BackupError> {
    let report = verify(part, against, progress)?;
    let what = match &report.damage {
        Some(damage) => damage.what.clone(),
        None if report.events < least => format!("it ends at {}, before {least}", report.events),
        None => return Ok(report),
    };
    Err(BackupError::NotGood { what })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::specimen;
    use crate::log::contract::{Maker, ORIGIN, case};
    use crate::log::sqlite::SqliteLog;
    use crate::log::{EventLog as _, ReadLog as _};

    #[test]
    fn a_backup_of_a_log_in_use_is_whole_verified_and_opens() {
        let folder = tempfile::tempdir().unwrap();
        let path = specimen::make(folder.path());
        let mut log = SqliteLog::open(&path, ORIGIN).unwrap();
        let last = log.read_all(events::envelope::Position(7), 1).unwrap()[0].envelope.id;
        let item = Maker::after(last).rated(case(3), 0, 40);
        log.append(vec![item]).unwrap()[0].as_ref().unwrap();
        let target = folder.path().join("backup.db");
        let report = backup(&path, &target, Against::default(), &mut |_, _| {}).unwrap();
        assert_eq!(report.events, 48);
        let again = backup(&path, &target, Against::default(), &mut |_, _| {}).unwrap_err();
        assert!(matches!(again, BackupError::Exists { .. }), "{again}");
        let restored = SqliteLog::open(&target, ORIGIN).unwrap();
        assert_eq!(restored.head().unwrap(), log.head().unwrap());
        let names: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        let part = |it: &std::fs::DirEntry| it.file_name().to_string_lossy().contains(".part");
        assert!(!names.iter().any(|it| part(it.as_ref().unwrap())), "{names:?}");
    }

    #[test]
    fn a_damaged_log_makes_no_backup() {
        let folder = tempfile::tempdir().unwrap();
        let path = specimen::make(folder.path());
        let mut bytes = std::fs::read(&path).unwrap();
        let at = bytes.windows(9).rposition(|it| it == b"satisfied").unwrap();
        bytes[at] ^= 1;
        std::fs::write(&path, bytes).unwrap();
        let target = folder.path().join("backup.db");
        let error = backup(&path, &target, Against::default(), &mut |_, _| {}).unwrap_err();
        assert!(matches!(error, BackupError::NotGood { .. }), "{error}");
        assert!(!target.exists() && !folder.path().join("backup.db.part").exists());
    }
}
