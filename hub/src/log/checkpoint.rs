//! The log's head, signed and kept elsewhere. A log that was cut or set back cannot start.
//!
//! The file only grows: one signed note after the other, each followed by an empty line. It should
//! lie on another disk than the log. A write-ahead file that was deleted, or silently cut by one
//! flipped bit, is noticed here and nowhere else.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::{SigningKey, VerifyingKey};
use events::envelope::Position;
use events::proof::Hash;
use events::proof::note::{Checkpoint, NoteError};
use jiff::{SignedDuration, Timestamp};

use crate::log::{ReadError, ReadLog};

/// A checkpoint is signed after so many events at the latest.
pub const EVENTS_MAX: u64 = 1_000;
/// A checkpoint of a grown log is signed after so many seconds at the latest.
pub const SECONDS_MAX: i64 = 60;
/// Most bytes of a checkpoint file that are read: over two million checkpoints.
const FILE_BYTES_MAX: u64 = 512 << 20;

/// Why a log is not trusted, or a checkpoint not kept.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// The file could not be used.
    #[error("cannot {doing} the checkpoints `{}`", path.display())]
    File {
        /// What was tried.
        doing: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// There is a log and no checkpoints: they were lost, or this is the wrong path.
    #[error(
        "there are no checkpoints at `{}`, but the log has {position} events\n\
         (bring the file back; after a first start or a move, say that there are none)",
        path.display()
    )]
    Missing {
        /// Where they should be.
        path: PathBuf,
        /// The log's head.
        position: Position,
    },
    /// A note in the file is not believed.
    #[error("checkpoint {number} is not to be believed\n(is this the key that signed it?)")]
    Note {
        /// Which, from 1.
        number: usize,
        /// Why not.
        #[source]
        source: NoteError,
    },
    /// The notes do not follow each other.
    #[error("checkpoint {number} contradicts the one before")]
    Order {
        /// Which, from 1.
        number: usize,
    },
    /// Another log's checkpoints.
    #[error("the checkpoints belong to `{found}`, the log is `{expected}`")]
    OtherOrigin {
        /// Whose they are.
        found: String,
        /// Whose they should be.
        expected: String,
    },
    /// The log ends before its last checkpoint: something is lost.
    #[error(
        "rollback detected: the log ends at {head}, but {signed} was signed\n\
         (the file, or its write-ahead file, is older than it was; restore the newer one)"
    )]
    Rollback {
        /// Where the log ends.
        head: Position,
        /// Where it once ended.
        signed: Position,
    },
    /// The log was written anew.
    #[error("rollback detected: position {position} is not what was signed")]
    Rewritten {
        /// Where.
        position: Position,
    },
    /// The log could not be read.
    #[error("cannot compare the log with its checkpoints")]
    Log(#[source] ReadError),
}

/// All checkpoints of a file, oldest first, each checked against `key` and the one before. `None`
/// if there is no file.
pub fn read(path: &Path, key: &VerifyingKey) -> Result<Option<Vec<Checkpoint>>, CheckpointError> {
    let failed = |source| CheckpointError::File { doing: "read", path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let text = text(file.take(FILE_BYTES_MAX)).map_err(failed)?;
    let mut all: Vec<Checkpoint> = Vec::new();
    let (whole, _) = notes(&text);
    for (note, number) in whole.into_iter().zip(1..) {
        let opened = match well_formed(note) {
            true => Checkpoint::open(note, key),
            false => Err(NoteError::Malformed),
        };
        let checkpoint = opened.map_err(|source| CheckpointError::Note { number, source })?;
        if let Some(last) = all.last()
            && (last.origin != checkpoint.origin
                || last.position > checkpoint.position
                || (last.position == checkpoint.position && last.hash != checkpoint.hash))
        {
            return Err(CheckpointError::Order { number });
        }
        all.push(checkpoint);
    }
    Ok(Some(all))
}

/// A file's text; a character that a crash cut in two at the end is left away.
fn text(mut file: impl std::io::Read) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    if let Err(error) = std::str::from_utf8(&bytes)
        && error.error_len().is_none()
    {
        bytes.truncate(error.valid_up_to());
    }
    String::from_utf8(bytes).map_err(|it| std::io::Error::new(ErrorKind::InvalidData, it))
}

/// Whether there is nothing but signatures below the signed text. Otherwise a note whose end was
/// damaged would swallow the next.
fn well_formed(note: &str) -> bool {
    note.lines().skip(4).all(|line| line.starts_with("— "))
}

/// The whole notes of a file, and the bytes they take. A crash may have cut off one more at the
/// end: it was never relied on.
fn notes(text: &str) -> (Vec<&str>, usize) {
    let mut notes = Vec::new();
    let mut begin = 0;
    let ends: Vec<usize> = text.match_indices("\n\n").map(|it| it.0 + 2).collect();
    // Each note has two empty lines: within, before the signature, and behind.
    for pair in ends.as_chunks::<2>().0 {
        notes.push(&text[begin..pair[1] - 1]);
        begin = pair[1];
    }
    (notes, begin)
}

/// Compares the log with its checkpoints; gives the last one. `first_start` lets a log without
/// checkpoints pass, if it is so short that its first start may not have signed anything yet.
pub fn check_head_at_start(
    log: &dyn ReadLog,
    path: &Path,
    key: &VerifyingKey,
    first_start: bool,
) -> Result<Option<Checkpoint>, CheckpointError> {
    let head = log.head().map_err(CheckpointError::Log)?;
    let all = match (read(path, key)?, head) {
        (Some(all), _) if !all.is_empty() => all,
        (_, None) => return Ok(None),
        (_, Some((head, _))) if first_start && head.0 <= EVENTS_MAX => return Ok(None),
        (_, Some((position, _))) => {
            return Err(CheckpointError::Missing { path: path.to_owned(), position });
        }
    };
    let Some(last) = all.last() else { return Ok(None) };
    if last.origin != log.origin() {
        let (found, expected) = (last.origin.clone(), log.origin().to_owned());
        return Err(CheckpointError::OtherOrigin { found, expected });
    }
    let signed = Position(last.position);
    let head = head.map_or(Position(0), |it| it.0);
    if head < signed {
        return Err(CheckpointError::Rollback { head, signed });
    }
    let before = Position(last.position.saturating_sub(1));
    let there = log.read_all(before, 1).map_err(CheckpointError::Log)?;
    match there.first() {
        Some(it) if it.position == signed && it.hash == last.hash => Ok(Some(last.clone())),
        _ => Err(CheckpointError::Rewritten { position: signed }),
    }
}

/// Signs the head now and then, and keeps the notes in the file.
pub struct Checkpointer {
    path: PathBuf,
    key: SigningKey,
    key_id: String,
    origin: String,
    last: Option<(Position, Timestamp)>,
    end_checked: bool,
}

impl Checkpointer {
    /// Goes on after `last`, as [`check_head_at_start`] gave it.
    pub fn new(
        path: &Path,
        key: SigningKey,
        key_id: &str,
        origin: &str,
        last: Option<&Checkpoint>,
    ) -> Self {
        Self {
            path: path.to_owned(),
            key,
            key_id: key_id.to_owned(),
            origin: origin.to_owned(),
            last: last.map(|it| (Position(it.position), Timestamp::UNIX_EPOCH)),
            end_checked: false,
        }
    }

    /// Signs `head` if it is time; the note if it did. Durable on return.
    pub fn maybe(
        &mut self,
        head: (Position, Hash),
        now: Timestamp,
    ) -> Result<Option<String>, CheckpointError> {
        let due = match self.last {
            None => true,
            Some((last, at)) => {
                let events = head.0.0.saturating_sub(last.0);
                let waited = now.duration_since(at) >= SignedDuration::from_secs(SECONDS_MAX);
                events >= EVENTS_MAX || (events > 0 && waited)
            }
        };
        if due { self.sign(head, now).map(Some) } else { Ok(None) }
    }

    /// Signs `head` now, e.g. before the hub stops. Nothing older than the last one is ever signed.
    pub fn sign(
        &mut self,
        (position, hash): (Position, Hash),
        now: Timestamp,
    ) -> Result<String, CheckpointError> {
        if let Some((signed, _)) = self.last
            && position < signed
        {
            return Err(CheckpointError::Rollback { head: position, signed });
        }
        let checkpoint = Checkpoint { origin: self.origin.clone(), position: position.0, hash };
        let note = checkpoint.sign(&self.key, &self.key_id);
        self.keep(&note).map_err(|source| {
            let path = self.path.clone();
            CheckpointError::File { doing: "append to", path, source }
        })?;
        self.last = Some((position, now));
        Ok(note)
    }

    fn keep(&mut self, note: &str) -> std::io::Result<()> {
        let new = !self.path.exists();
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&self.path)?;
        if !self.end_checked {
            let text = text(&file)?;
            let (_, whole_bytes) = notes(&text);
            if file.metadata()?.len() > whole_bytes as u64 {
                tracing::warn!("the last checkpoint was cut off by a crash; it is signed anew");
                file.set_len(whole_bytes as u64)?;
            }
            self.end_checked = true;
        }
        file.write_all(format!("{note}\n").as_bytes())?;
        file.sync_all()?;
        if new {
            crate::log::sqlite::sync_folder(&self.path)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
