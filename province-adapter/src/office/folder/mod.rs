//! An office that drops files and picks files up, in the manner of the road-transport standards for
//! file exchange: receipts by line, resends on request. A name is used once; half a file is no file;
//! what was told once is told the same again.

mod charset;
mod inward;
mod judge;
mod outward;
mod place;
mod receipt;
mod record;
mod results;
mod settings;
#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use tracing::{debug, info, warn};

pub use settings::{Charset, CompleteWhen, FolderSettings, Format};

use self::inward::Watched;
use self::place::{Place, Room};
use self::record::Manner;
use super::codes::Codes;
use super::ledger;
use super::{OfficeSystem, TakeError, TakenWork};
use crate::check::{Line, line};
use crate::reporter::Reporter;
use crate::store::StoreError;
use crate::trouble;

/// Ids of answers count within it.
const SOURCE: &str = "folder";

/// The folders cannot be used now, or what they hold cannot be kept. Everything is tried again.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// The disk, the rights, or a folder that is gone.
    #[error("cannot {what} in the exchange folders")]
    Files {
        /// What was tried.
        what: &'static str,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The adapter's own store.
    #[error("cannot keep what the office answered")]
    Store(#[from] StoreError),
}

impl FolderError {
    fn files(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Files { what, source }
    }
}

/// The office behind the folders, and the loop that looks for its files.
pub struct FolderOffice {
    settings: FolderSettings,
    codes: Arc<Codes>,
    reporter: Reporter,
    place: Place,
    watched: tokio::sync::Mutex<Watched>,
}

impl FolderOffice {
    /// Makes the folders that are missing and the ledger in the store.
    pub async fn open(
        settings: FolderSettings,
        codes: Arc<Codes>,
        reporter: Reporter,
    ) -> Result<Self, FolderError> {
        let place = Place::new(&settings.root);
        place.prepare().map_err(FolderError::files("make the folders"))?;
        ledger::prepare(&reporter, &codes).await?;
        let make = |it: &rusqlite::Connection| -> Result<(), StoreError> {
            Ok(it.execute_batch(include_str!("files.sql"))?)
        };
        reporter.shared.store.write(make).await?;
        Ok(Self { settings, codes, reporter, place, watched: tokio::sync::Mutex::default() })
    }

    /// Looks for files for ever. Dropping it at any point is a crash, and harmless.
    pub async fn run(&self) {
        let mut away = false;
        loop {
            match self.turn().await {
                Ok(()) if away => {
                    info!("the exchange folders can be used again");
                    trouble::away(&self.reporter.shared, SOURCE, None).await;
                    away = false;
                }
                Ok(()) => {}
                Err(error) if away => {
                    debug!(error = %crate::check::chain(&error), "the exchange folders still cannot be used");
                }
                Err(error) => {
                    // Said once: a disk that is full for a holiday must not be filled with this.
                    let why = crate::check::chain(&error);
                    warn!(error = %why, "the exchange folders cannot be used; they are tried again");
                    trouble::away(&self.reporter.shared, SOURCE, Some(why)).await;
                    away = true;
                }
            }
            tokio::time::sleep(self.settings.poll_interval()).await;
        }
    }

    /// One turn: files that came in, verdicts of the hub, and what earlier turns left in `tmp`.
    async fn turn(&self) -> Result<(), FolderError> {
        self.read_files().await?;
        self.write_results().await?;
        self.forget_marks().await
    }

    fn manner(&self, format: Format) -> Manner {
        Manner { format, charset: self.settings.encoding, formula_safe: self.settings.formula_safe }
    }

    /// Files are slow and block: never on the threads that talk to the broker.
    async fn on_disk<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Place) -> io::Result<T> + Send + 'static,
    ) -> Result<T, FolderError> {
        let place = self.place.clone();
        let done = tokio::task::spawn_blocking(move || work(&place)).await;
        done.unwrap_or_else(|_| Err(io::Error::other("interrupted")))
            .map_err(FolderError::files(what))
    }
}

impl OfficeSystem for FolderOffice {
    async fn take(&self, taken: TakenWork) -> Result<(), TakeError> {
        self.put_work(&taken).await
    }
}

/// Would the folders work? Changes nothing except for one file that is removed again.
pub(crate) fn check(settings: &FolderSettings) -> Vec<Line> {
    const FOLDERS: &str = "交换文件夹 the exchange folders";
    const WAITING: &str = "待取文件 files that wait";
    let place = Place::new(&settings.root);
    if !settings.root.exists() {
        let said = format!(
            "`{}` 不存在，启动时会建立 / is not there yet; `serve` makes it",
            settings.root.display()
        );
        return vec![line(FOLDERS, Ok(said))];
    }
    let probe = format!("check-{}.tmp", std::process::id());
    let written = || {
        place.sound()?;
        for room in Room::ALL {
            let path = place.room(room).join(&probe);
            std::fs::write(&path, b"probe").and_then(|()| std::fs::remove_file(&path)).map_err(
                |it| format!("`{}` 不可写 / cannot write there: {it}", place.room(room).display()),
            )?;
        }
        Ok(format!("`{}`", settings.root.display()))
    };
    let waiting = || {
        let count = |room| place.count(room).map_err(|it| it.to_string());
        let (out, incoming, refused) = (count(Room::Out)?, count(Room::In)?, count(Room::Refused)?);
        let said = format!("out {out}, in {incoming}, refused {refused}");
        if out as u64 >= settings.out_files_max {
            return Err(format!(
                "{said}：out 已满，经办系统没有取件 / `out` is full, the office takes nothing"
            ));
        }
        Ok(said)
    };
    vec![line(FOLDERS, written()), line(WAITING, waiting())]
}
