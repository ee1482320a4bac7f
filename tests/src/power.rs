//! A power cut without a power switch: strace writes down every write, sync and word that a program sends out; from
//! that the disk is rebuilt as it may have looked at any moment, with only what was synced, or with random pieces of
//! 512 bytes of what was not. Whatever had been promised by then must be on it.
//!
//! A file that was made counts as there; what a directory forgets is not modelled.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use tokio::process::{Child, Command};

/// What a disk writes whole or not at all, in bytes.
const SECTOR: usize = 512;
/// Longest argument that is written down, in bytes.
const ARGUMENT_BYTES_MAX: &str = "1048576";
const CALLS: &str =
    "trace=openat,pwrite64,ftruncate,fdatasync,fsync,unlink,write,writev,sendto,sendmsg";

/// One thing that the program did.
#[derive(Debug, Clone)]
pub enum Step {
    /// A followed file was opened, and is there now.
    Open(String),
    /// Bytes at a place in a followed file.
    Write(String, usize, Vec<u8>),
    /// A followed file was cut, or made longer.
    Length(String, usize),
    /// All of it is on the disk.
    Sync(String),
    /// It is gone.
    Remove(String),
    /// What left the machine, at the moment when it may first have been seen.
    Said(Vec<u8>),
}

/// `program` under strace, which writes down into `record`.
pub fn recorded(record: &Path, program: &Path) -> Command {
    let mut command = Command::new("strace");
    command
        .args(["--follow-forks", "--seccomp-bpf", "--quiet=all", "-y", "-xx", "-s"])
        .args([ARGUMENT_BYTES_MAX, "-e", CALLS, "-o"])
        .arg(record)
        .arg(program)
        .env_remove("CARGO")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// SIGKILL for the program that strace follows; then what it did is written down to its end.
pub async fn kill(mut strace: Child) {
    let id = strace.id().expect("it runs");
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children")).expect("Linux");
    let program = children.split_whitespace().next().expect("it follows a program");
    let killed = Command::new("kill").args(["-KILL", program]).status().await;
    assert!(killed.expect("kill runs").success());
    // strace ends as what it followed did.
    let _killed = strace.wait().await.expect("a status");
}

/// Reads what strace wrote down: what was done to the files named `followed`, and what was said.
pub fn read(record: &Path, followed: &[&str]) -> Vec<Step> {
    let bytes = fs::read(record).expect("strace has written");
    let text = String::from_utf8_lossy(&bytes);
    let mut steps = Vec::new();
    let mut begun: BTreeMap<&str, String> = BTreeMap::new();
    for line in text.lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        let rest = rest.trim_start();
        if let Some(start) = rest.strip_suffix("<unfinished ...>") {
            steps.extend(said(start, followed));
            begun.insert(thread, start.to_owned());
        } else if let Some((_, end)) = rest.strip_prefix("<... ").and_then(|it| it.split_once('>'))
        {
            let whole = begun.remove(thread).unwrap_or_default() + end;
            steps.extend(done(&whole, followed));
        } else {
            steps.extend(said(rest, followed));
            steps.extend(done(rest, followed));
        }
    }
    steps
}

/// The followed file that a call is about, by the end of its name.
fn file_of(call: &str, followed: &[&str]) -> Option<String> {
    let named = call.starts_with("unlink") || call.starts_with("openat");
    let (from, to) = if named { ('"', '"') } else { ('<', '>') };
    let path = unhex(call.split_once(from)?.1.split_once(to)?.0);
    let path = String::from_utf8_lossy(&path).into_owned();
    followed.iter().find(|it| path.ends_with(*it)).map(|it| (*it).to_owned())
}

/// A write to anything that is not a followed file has left the machine when it begins.
fn said(call: &str, followed: &[&str]) -> Option<Step> {
    let sends = ["write(", "writev(", "sendto(", "sendmsg("].iter().any(|it| call.starts_with(it));
    (sends && file_of(call, followed).is_none()).then(|| Step::Said(strings(call)))
}

fn done(call: &str, followed: &[&str]) -> Option<Step> {
    let file = file_of(call, followed)?;
    let (arguments, result) = call.rsplit_once(" = ")?;
    if result.starts_with('-') || result.starts_with('?') {
        return None;
    }
    let number = |it: Option<&str>| it?.trim().trim_end_matches(')').trim().parse().ok();
    match call.split_once('(')?.0 {
        "pwrite64" => {
            let at = number(arguments.rsplit(',').next())?;
            let mut bytes = strings(arguments);
            bytes.truncate(result.trim().parse().ok()?);
            Some(Step::Write(file, at, bytes))
        }
        "ftruncate" => Some(Step::Length(file, number(arguments.rsplit(',').next())?)),
        "fdatasync" | "fsync" => Some(Step::Sync(file)),
        "openat" => Some(Step::Open(file)),
        "unlink" => Some(Step::Remove(file)),
        _ => None,
    }
}

/// All texts of a call, one after the other.
fn strings(call: &str) -> Vec<u8> {
    call.split('"').skip(1).step_by(2).flat_map(unhex).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let byte = |it: &str| u8::from_str_radix(it.get(..2)?, 16).ok();
    text.split("\\x").skip(1).filter_map(byte).collect()
}

#[derive(Debug, Default, Clone)]
struct File {
    synced: Vec<u8>,
    since: Vec<Change>,
}

#[derive(Debug, Clone)]
enum Change {
    Bytes(usize, Vec<u8>),
    Length(usize),
}

impl Change {
    fn make(&self, file: &mut Vec<u8>) {
        match self {
            Self::Length(length) => file.resize(*length, 0),
            Self::Bytes(at, bytes) => {
                file.resize(file.len().max(at + bytes.len()), 0);
                file[*at..at + bytes.len()].copy_from_slice(bytes);
            }
        }
    }

    /// In pieces, each of which the disk may have written or not.
    fn torn(&self) -> Vec<Self> {
        match self {
            Self::Length(_) => vec![self.clone()],
            Self::Bytes(at, bytes) => {
                let pieces = bytes.chunks(SECTOR).enumerate();
                pieces.map(|(nth, it)| Self::Bytes(at + nth * SECTOR, it.to_vec())).collect()
            }
        }
    }
}

/// The disk as the program changes it.
#[derive(Debug, Default)]
pub struct Disk {
    files: BTreeMap<String, File>,
}

impl Disk {
    /// A step further.
    pub fn step(&mut self, step: &Step) {
        match step {
            Step::Write(file, at, bytes) => {
                self.file(file).since.push(Change::Bytes(*at, bytes.clone()));
            }
            Step::Length(file, length) => self.file(file).since.push(Change::Length(*length)),
            Step::Sync(file) => {
                let file = self.file(file);
                for change in std::mem::take(&mut file.since) {
                    change.make(&mut file.synced);
                }
            }
            Step::Remove(file) => drop(self.files.remove(file)),
            Step::Open(file) => {
                self.file(file);
            }
            Step::Said(_) => {}
        }
    }

    fn file(&mut self, name: &str) -> &mut File {
        self.files.entry(name.to_owned()).or_default()
    }

    /// Writes down what a power cut at this moment leaves. Without `chance` only what was synced, with it also
    /// about half of the rest, in pieces.
    pub fn cut(&self, folder: &Path, chance: Option<u64>) {
        let mut rng = chance.map(StdRng::seed_from_u64);
        for (name, file) in &self.files {
            let mut bytes = file.synced.clone();
            if let Some(rng) = &mut rng {
                let pieces = file.since.iter().flat_map(Change::torn);
                for piece in pieces.filter(|_| rng.random_bool(0.5)) {
                    piece.make(&mut bytes);
                }
            }
            let path = folder.join(Path::new(name).file_name().expect("a name"));
            fs::write(path, bytes).expect("an image is written");
        }
    }
}

/// What was looked at, and what was missing.
#[derive(Debug, Default)]
pub struct Found {
    /// Images of a disk.
    pub images: usize,
    /// Promises that were made by then, over all images.
    pub promises: usize,
    /// Images that lacked something promised, or could not be read.
    pub lost: usize,
    /// The first of these, in words.
    pub first: Option<String>,
}

/// Cuts the power after every `stride`-th step, and after each promise; at each cut with only what was synced, and
/// `torn` times with pieces of the rest. `promise` names what a word promises; `lacks` what an image lacks of it.
pub fn cut_everywhere<P: Clone>(
    steps: &[Step],
    (stride, torn): (usize, u64),
    promise: impl Fn(&[u8]) -> Vec<P>,
    lacks: impl Fn(&Path, &[P]) -> Result<(), String>,
) -> Found {
    let (mut disk, mut promised, mut found) = (Disk::default(), Vec::new(), Found::default());
    for (nth, step) in steps.iter().enumerate() {
        disk.step(step);
        let new = if let Step::Said(words) = step { promise(words) } else { Vec::new() };
        let cut = !new.is_empty() || nth % stride == 0;
        promised.extend(new);
        if !cut || promised.is_empty() {
            continue;
        }
        for chance in std::iter::once(None).chain((0..torn).map(|it| Some(it ^ (nth as u64) << 8)))
        {
            let image = tempfile::tempdir().expect("a folder");
            disk.cut(image.path(), chance);
            found.images += 1;
            found.promises += promised.len();
            if let Err(why) = lacks(image.path(), &promised) {
                found.lost += 1;
                found.first.get_or_insert(format!("after step {nth}, {chance:?}: {why}"));
            }
        }
    }
    found
}

/// The same program with `synchronous=NORMAL`: a commit does not sync the journal any more.
pub fn without_syncs(steps: &[Step], of: &str) -> Vec<Step> {
    let kept = |it: &&Step| !matches!(it, Step::Sync(file) if file.ends_with(of));
    steps.iter().filter(kept).cloned().collect()
}

/// How many syncs a word overtakes when it is said too early: between its own commit and itself there may be
/// those of other work.
const OVERTAKEN_SYNCS: usize = 8;

/// The same program, promising before it keeps: every word goes out before the sync of its own commit.
pub fn promises_first(steps: &[Step]) -> Vec<Step> {
    let mut turned: Vec<Step> = Vec::new();
    for step in steps {
        let is_sync = |it: &(usize, &Step)| matches!(it.1, Step::Sync(_));
        let syncs = turned.iter().enumerate().rev().filter(is_sync).take(OVERTAKEN_SYNCS);
        match (step, syncs.last().map(|it| it.0)) {
            (Step::Said(_), Some(at)) => turned.insert(at, step.clone()),
            _ => turned.push(step.clone()),
        }
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_several_threads_are_put_together_and_only_followed_files_count() {
        let folder = tempfile::tempdir().unwrap();
        let record = folder.path().join("record");
        let hex = |it: &str| it.bytes().map(|it| format!("\\x{it:02x}")).collect::<String>();
        let (wal, ok) = (hex("/a/x.db-wal"), hex("+OK"));
        let text = format!(
            "1 pwrite64(3<{wal}>, \"{}\", 2, 4 <unfinished ...>\n\
             2 write(1<{}>, \"{ok}\", 3) = 3\n\
             1 <... pwrite64 resumed>) = 2\n\
             1 fdatasync(3<{wal}>) = 0\n\
             1 pwrite64(4<{}>, \"{ok}\", 3, 0) = 3\n\
             1 ftruncate(3<{wal}>, 1) = 0\n",
            hex("hi"),
            hex("socket:[1]"),
            hex("/a/y.db"),
        );
        fs::write(&record, text).unwrap();
        let steps = read(&record, &["x.db", "x.db-wal"]);
        let shapes: Vec<String> = steps.iter().map(|it| format!("{it:?}")).collect();
        assert_eq!(
            shapes,
            [
                "Said([43, 79, 75])",
                "Write(\"x.db-wal\", 4, [104, 105])",
                "Sync(\"x.db-wal\")",
                "Length(\"x.db-wal\", 1)"
            ]
        );
        let mut disk = Disk::default();
        steps.iter().for_each(|it| disk.step(it));
        disk.cut(folder.path(), None);
        assert_eq!(fs::read(folder.path().join("x.db-wal")).unwrap(), b"\0\0\0\0hi");
    }
}
