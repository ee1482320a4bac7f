//! Many who ask at the same time whose applications are known share one look at the file.
//!
//! A look of one's own costs two locks, a fresh page cache and a thread to wait on. Every submission
//! asks once, so whoever waits is answered in one moment of the file, by one thread.

use std::path::Path;

use events::ids::CaseId;
use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::views::file::{failed, open_reading};
use crate::views::queries::of_index;
use crate::views::reader::ViewError;

/// Most that may wait for the next look; whoever comes then looks by itself.
const WAITING_MAX: usize = 1_024;
/// Most that share one look: a long one would keep the write-ahead file from shrinking.
const SHARED_MAX: usize = 256;

/// An index column's value, and whom to tell the cases that have it.
struct Asked {
    column: Vec<u8>,
    answer: oneshot::Sender<Vec<CaseId>>,
}

/// The way to the thread that looks. When it is dropped, the thread ends.
#[derive(Debug)]
pub(crate) struct Together(mpsc::Sender<Asked>);

impl std::fmt::Debug for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Asked")
    }
}

impl Together {
    /// Starts the thread; nothing if the operating system gives none.
    pub(crate) fn start(path: &Path) -> Option<Self> {
        let (door, asked) = mpsc::channel(WAITING_MAX);
        let path = path.to_owned();
        let thread = std::thread::Builder::new().name("views-look".to_owned());
        thread.spawn(move || answer_all(&path, asked)).ok()?;
        Some(Self(door))
    }

    /// The cases with this value; nothing if it could not be found out here. Then the asker looks
    /// by itself, and hears what is wrong.
    pub(crate) async fn cases(&self, column: Vec<u8>) -> Option<Vec<CaseId>> {
        let (answer, answered) = oneshot::channel();
        self.0.try_send(Asked { column, answer }).ok()?;
        answered.await.ok()
    }
}

fn answer_all(path: &Path, mut door: mpsc::Receiver<Asked>) {
    let mut file = None;
    let mut asked = Vec::with_capacity(SHARED_MAX);
    while door.blocking_recv_many(&mut asked, SHARED_MAX) > 0 {
        // After any failure the file is opened anew: it may have been rebuilt and swapped.
        file = file.or_else(|| open_reading(path).ok()).filter(|it| answer(it, &mut asked).is_ok());
        // Who was not answered hears that nobody will.
        asked.clear();
    }
}

/// Looks once for all of them. All as of one moment.
fn answer(file: &Connection, asked: &mut Vec<Asked>) -> Result<(), ViewError> {
    let moment = file.unchecked_transaction().map_err(failed("read"))?;
    let mut found = Vec::with_capacity(asked.len());
    for it in asked.iter_mut() {
        found.push(of_index(&moment, std::mem::take(&mut it.column))?);
    }
    drop(moment);
    for (it, cases) in asked.drain(..).zip(found) {
        // Whoever hung up meanwhile needs no answer.
        let _gone = it.answer.send(cases);
    }
    Ok(())
}
