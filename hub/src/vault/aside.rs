//! A thread beside the registrar's: keys become durable while the events that they sealed are written.
//!
//! The key file goes over to the thread with the keys and comes back with the outcome, so there is
//! never a moment at which two hold it. A thread that died keeps it, and then nothing is sealed any more.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use events::ids::CaseId;

use super::VaultError;
use super::keys::KeyFile;

/// Keys, wrapped.
pub(super) type Made = Vec<(CaseId, Vec<u8>)>;

/// The file and what became of the keys.
pub(super) struct Kept {
    pub(super) file: KeyFile,
    pub(super) keys: Made,
    pub(super) outcome: Result<(), VaultError>,
}

/// The thread, as the sealer sees it. It ends when this is dropped.
pub(super) struct Aside {
    give: SyncSender<(KeyFile, Made)>,
    take: Receiver<Kept>,
}

impl Aside {
    /// Starts the thread; nothing if the operating system gives none.
    pub(super) fn start() -> Option<Self> {
        let (give, given) = sync_channel::<(KeyFile, Made)>(1);
        let (kept, take) = sync_channel(1);
        let keep = move || {
            for (mut file, keys) in given {
                let outcome = file.keep(&keys);
                if kept.send(Kept { file, keys, outcome }).is_err() {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("vault-keys".to_owned()).spawn(keep).ok()?;
        Some(Self { give, take })
    }

    /// Hands over; gives back what it cannot take.
    pub(super) fn begin(&self, file: KeyFile, keys: Made) -> Option<(KeyFile, Made)> {
        self.give.send((file, keys)).err().map(|it| it.0)
    }

    /// Waits for the outcome; nothing if the thread died with the file.
    pub(super) fn finish(&self) -> Option<Kept> {
        self.take.recv().ok()
    }
}
