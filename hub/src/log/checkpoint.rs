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

/// Compares the log with its checkpoints; gives the last one. `first_start` lets a log without a
/// checkpoint file pass, once.
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
        (_, Some(_)) if first_start => return Ok(None),
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
mod tests {
    use super::*;
    use crate::log::contract::{Maker, ORIGIN, case};
    use crate::log::memory::MemoryLog;
    use crate::log::{EventLog as _, SenderKey};

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[4; 32])
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_000_000 + seconds).unwrap()
    }

    fn log(events: usize, key: Option<SenderKey>) -> MemoryLog {
        let mut log = MemoryLog::new(ORIGIN);
        let mut item = Maker::default().rated(case(1), 0, events);
        item.key = key;
        log.append(vec![item]).unwrap()[0].as_ref().unwrap();
        log
    }

    fn signed(folder: &Path, heads: &[(Position, Hash)]) -> PathBuf {
        let path = folder.join("checkpoints");
        let mut checkpointer = Checkpointer::new(&path, key(), "hub-1", ORIGIN, None);
        for head in heads {
            checkpointer.sign(*head, at(0)).unwrap();
        }
        path
    }

    fn verdict(log: &MemoryLog, path: &Path) -> Result<Option<Checkpoint>, String> {
        check_head_at_start(log, path, &key().verifying_key(), false).map_err(|it| it.to_string())
    }

    #[test]
    fn a_log_that_was_cut_or_rewritten_does_not_start() {
        let folder = tempfile::tempdir().unwrap();
        let whole = log(5, None);
        let head = whole.head().unwrap().unwrap();
        let path = signed(folder.path(), &[head]);
        assert_eq!(verdict(&whole, &path).unwrap().unwrap().position, 5);
        let longer = log(7, None);
        assert_eq!(verdict(&longer, &path).unwrap().unwrap().position, 5, "it went on since");
        let cut = verdict(&log(4, None), &path).unwrap_err();
        assert!(cut.starts_with("rollback detected: the log ends at 4, but 5 was"), "{cut}");
        let empty = verdict(&MemoryLog::new(ORIGIN), &path).unwrap_err();
        assert!(empty.starts_with("rollback detected: the log ends at 0"), "{empty}");
        let mut other = MemoryLog::new(ORIGIN);
        other.append(vec![Maker::default().rated(case(2), 0, 6)]).unwrap();
        let rewritten = verdict(&other, &path).unwrap_err();
        assert!(rewritten.contains("position 5 is not what was signed"), "{rewritten}");
    }

    #[test]
    fn missing_checkpoints_are_refused_but_for_the_first_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoints");
        assert_eq!(verdict(&MemoryLog::new(ORIGIN), &path), Ok(None));
        let refused = verdict(&log(2, None), &path).unwrap_err();
        assert!(refused.contains("but the log has 2 events"), "{refused}");
        std::fs::write(&path, "").unwrap();
        assert!(verdict(&log(2, None), &path).is_err(), "an emptied file is a missing one");
        let public = key().verifying_key();
        let allowed = check_head_at_start(&log(2, None), &path, &public, true);
        assert_eq!(allowed.unwrap(), None);
    }

    #[test]
    fn another_key_another_origin_and_another_order_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(5, None);
        let head = log.head().unwrap().unwrap();
        let path = signed(folder.path(), &[head]);
        let other = SigningKey::from_bytes(&[5; 32]).verifying_key();
        let refused = check_head_at_start(&log, &path, &other, true).unwrap_err();
        assert!(matches!(refused, CheckpointError::Note { number: 1, .. }), "{refused}");
        let stranger = MemoryLog::new("hub.other");
        assert!(verdict(&stranger, &path).unwrap_err().contains("belong to"));
        let lower = Checkpoint { origin: ORIGIN.into(), position: 2, hash: Hash([1; 32]) };
        let mut text = std::fs::read_to_string(&path).unwrap();
        text.push_str(&format!("{}\n", lower.sign(&key(), "hub-1")));
        std::fs::write(&path, text).unwrap();
        assert_eq!(verdict(&log, &path).unwrap_err(), "checkpoint 2 contradicts the one before");
    }

    #[test]
    fn any_changed_byte_of_a_whole_note_is_noticed() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(5, None);
        let head = log.head().unwrap().unwrap();
        let path = signed(folder.path(), &[head, head]);
        let whole = std::fs::read(&path).unwrap();
        let first = whole.len() / 2;
        // But in the key's id, which nobody relies on.
        let id = whole.windows(5).position(|it| it == b"hub-1").unwrap();
        for changed in (0..first).filter(|it| !(id..id + 5).contains(it)) {
            let mut bytes = whole.clone();
            bytes[changed] ^= 1;
            std::fs::write(&path, &bytes).unwrap();
            assert!(verdict(&log, &path).is_err(), "byte {changed} of {first}");
        }
    }

    #[test]
    fn a_note_that_a_crash_cut_off_is_ignored_and_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(5, None);
        let head = log.head().unwrap().unwrap();
        let path = signed(folder.path(), &[head]);
        let whole = std::fs::read(&path).unwrap();
        let next = [whole.clone(), whole.clone()].concat();
        for bytes in whole.len()..next.len() {
            std::fs::write(&path, &next[..bytes]).unwrap();
            let last = verdict(&log, &path).unwrap();
            assert_eq!(last.as_ref().unwrap().position, 5, "cut at {bytes}");
            let mut goes_on = Checkpointer::new(&path, key(), "hub-1", ORIGIN, last.as_ref());
            goes_on.sign(head, at(1)).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), next, "cut at {bytes}");
        }
    }

    #[test]
    fn it_signs_after_enough_events_or_enough_time_and_never_backwards() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoints");
        let mut it = Checkpointer::new(&path, key(), "hub-1", ORIGIN, None);
        let head = |position| (Position(position), Hash([position as u8; 32]));
        let mut signs =
            |position, seconds| it.maybe(head(position), at(seconds)).map(|it| it.is_some());
        assert!(signs(1, 0).unwrap(), "the first at once");
        assert!(!signs(1, 1_000).unwrap(), "nothing new");
        assert!(!signs(1_000, 59).unwrap());
        assert!(signs(1_001, 59).unwrap(), "1,000 events");
        assert!(!signs(1_002, 100).unwrap());
        assert!(signs(1_002, 119).unwrap(), "60 seconds");
        assert!(matches!(it.sign(head(7), at(500)), Err(CheckpointError::Rollback { .. })));
        let all = read(&path, &key().verifying_key()).unwrap().unwrap();
        let positions: Vec<u64> = all.iter().map(|it| it.position).collect();
        assert_eq!(positions, [1, 1_001, 1_002]);
    }
}
