//! The folders, and the few things that may be done in them. What has a name is whole; what is moved
//! is moved in one step; nothing is followed that points elsewhere.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Files that hold personal data are the adapter's and its group's.
const FILE_MODE: u32 = 0o660;
const FOLDER_MODE: u32 = 0o770;

/// One of the folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// Work for the office.
    Out,
    /// The office's answers.
    In,
    /// Answers that were taken.
    Done,
    /// Files of which nothing was taken.
    Refused,
    /// What became of each answer.
    Receipts,
    /// Half-written files of the adapter; nobody else looks here.
    Tmp,
}

impl Room {
    pub(super) const ALL: [Self; 6] =
        [Self::Out, Self::In, Self::Done, Self::Refused, Self::Receipts, Self::Tmp];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Out => "out",
            Self::In => "in",
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Receipts => "receipts",
            Self::Tmp => "tmp",
        }
    }
}

/// What lies in a folder.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    /// Nothing if it is not text.
    pub(super) name: Option<String>,
    pub(super) path: PathBuf,
    pub(super) is_file: bool,
    pub(super) bytes: u64,
    /// Milliseconds since 1970.
    pub(super) modified_ms: i64,
}

/// The folders under one root.
#[derive(Debug, Clone)]
pub(super) struct Place {
    root: PathBuf,
    #[cfg(test)]
    pub(super) steps_left: Option<std::sync::Arc<std::sync::atomic::AtomicI64>>,
}

impl Place {
    pub(super) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            #[cfg(test)]
            steps_left: None,
        }
    }

    /// Where a test may let it die.
    #[cfg(test)]
    fn step(&self) -> io::Result<()> {
        use std::sync::atomic::Ordering;
        match &self.steps_left {
            Some(left) if left.fetch_sub(1, Ordering::SeqCst) <= 0 => {
                Err(io::Error::other("killed"))
            }
            _ => Ok(()),
        }
    }

    #[cfg(not(test))]
    #[allow(clippy::unnecessary_wraps, clippy::unused_self)] // as in tests
    fn step(&self) -> io::Result<()> {
        Ok(())
    }

    /// Makes the folders that are missing.
    pub(super) fn prepare(&self) -> io::Result<()> {
        for room in Room::ALL {
            let path = self.room(room);
            if !path.exists() {
                fs::create_dir_all(&path)?;
                fs::set_permissions(&path, fs::Permissions::from_mode(FOLDER_MODE))?;
            }
        }
        self.sound().map_err(io::Error::other)
    }

    /// Why the folders cannot be used: renaming is whole only within one disk.
    pub(super) fn sound(&self) -> Result<(), String> {
        let mut device = None;
        for room in Room::ALL {
            let path = self.room(room);
            let found =
                fs::symlink_metadata(&path).map_err(|it| format!("`{}`: {it}", path.display()))?;
            if !found.is_dir() {
                return Err(format!("`{}` must be a folder, not a link or a file", path.display()));
            }
            if *device.get_or_insert(found.dev()) != found.dev() {
                return Err(format!("`{}` lies on another disk than `out`", path.display()));
            }
        }
        Ok(())
    }

    pub(super) fn room(&self, room: Room) -> PathBuf {
        self.root.join(room.name())
    }

    fn at(&self, room: Room, name: &str) -> PathBuf {
        self.room(room).join(name)
    }

    pub(super) fn has(&self, room: Room, name: &str) -> bool {
        fs::symlink_metadata(self.at(room, name)).is_ok()
    }

    /// What is there, by name; at most so many.
    pub(super) fn list(&self, room: Room, count_max: usize) -> io::Result<Vec<Entry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.room(room))? {
            let path = entry?.path();
            // It may be gone again: the office moves its own files.
            let Ok(found) = fs::symlink_metadata(&path) else { continue };
            entries.push(Entry {
                name: path.file_name().and_then(|it| it.to_str()).map(str::to_owned),
                is_file: found.is_file(),
                bytes: found.len(),
                modified_ms: found.mtime() * 1_000 + found.mtime_nsec() / 1_000_000,
                path,
            });
        }
        entries.sort_by(|a, b| a.path.cmp(&b.path));
        entries.truncate(count_max);
        Ok(entries)
    }

    pub(super) fn count(&self, room: Room) -> io::Result<usize> {
        Ok(fs::read_dir(self.room(room))?.count())
    }

    /// A plain file's bytes; an error if it is anything else or has more than `bytes_max`.
    pub(super) fn read(&self, room: Room, name: &str, bytes_max: u64) -> io::Result<Vec<u8>> {
        // Not through a link, and without waiting for whoever might write into a pipe.
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(self.at(room, name))?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::other("not a plain file"));
        }
        let mut bytes = Vec::new();
        file.take(bytes_max + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > bytes_max {
            return Err(io::Error::other("larger than a file may be"));
        }
        Ok(bytes)
    }

    /// Writes it whole and durably, and only then gives it its name. The same again is the same.
    pub(super) fn put(&self, room: Room, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.write(name, bytes)?;
        self.publish(room, name)
    }

    /// Writes it into `tmp`, durably.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.step()?;
        let path = self.at(Room::Tmp, name);
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(FILE_MODE)
            .custom_flags(libc::O_NOFOLLOW)
            .open(path)?;
        // Half of it, as when the power goes: a test dies between the two.
        let (first, rest) = bytes.split_at(bytes.len() / 2);
        file.write_all(first)?;
        self.step()?;
        file.write_all(rest)?;
        file.sync_all()?;
        self.sync(Room::Tmp)
    }

    /// From `tmp` to where others see it.
    pub(super) fn publish(&self, room: Room, name: &str) -> io::Result<()> {
        self.step()?;
        fs::rename(self.at(Room::Tmp, name), self.at(room, name))?;
        self.step()?;
        self.sync(room)?;
        self.sync(Room::Tmp)
    }

    /// Moves what lies at `from` under another name, whatever it is.
    pub(super) fn move_to(&self, from: &Path, room: Room, name: &str) -> io::Result<()> {
        self.step()?;
        match fs::rename(from, self.at(room, name)) {
            // Somebody moved it first: it is out of the way.
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other?,
        }
        self.step()?;
        self.sync(room)?;
        self.sync(Room::In)
    }

    pub(super) fn remove(&self, room: Room, name: &str) -> io::Result<()> {
        match fs::remove_file(self.at(room, name)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn sync(&self, room: Room) -> io::Result<()> {
        File::open(self.room(room))?.sync_all()
    }
}
