//! The log as a text file that outlives every database: one JSON line for each event, its exact bytes within.
//!
//! The first line says which log and which range, the last one says that nothing was cut off. The
//! same log gives the same bytes. A range from position 1 to the head can be imported into a new
//! log, which then exports the same bytes again; any range can be verified without a database.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use events::envelope::{Position, Recorded};
use events::ids::StreamName;
use events::proof::Hash;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::log::sqlite::sync_folder;
use crate::log::{ReadError, ReadLog};

/// What the first line says.
const FORMAT: &str = "hub-log-export-v1";
/// So many events are read at a time.
const PAGE_EVENTS: usize = 1_024;
/// The longest line that is read: no event comes near it.
pub(crate) const LINE_BYTES_MAX: u64 = 4 << 20;

/// Why nothing was exported, or an export cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The file could not be used.
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
    /// There is such a file already; nothing is ever overwritten.
    #[error("`{}` exists already\n(name another one)", path.display())]
    Exists {
        /// Which.
        path: PathBuf,
    },
    /// The range is empty or lies outside of the log.
    #[error("there are no events from {from} to {to}: the log ends at {head}")]
    Range {
        /// From.
        from: u64,
        /// To.
        to: u64,
        /// The log's end.
        head: u64,
    },
    /// The log could not be read.
    #[error("cannot read the log")]
    Log(#[source] ReadError),
    /// A line is not what it should be.
    #[error("line {line} {why}")]
    Line {
        /// Which, from 1.
        line: u64,
        /// Why not.
        why: String,
    },
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    format: String,
    pub(crate) origin: String,
    pub(crate) from: u64,
    pub(crate) to: u64,
    /// The hash before the first event.
    pub(crate) previous: Hash,
}

/// An event's line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventLine {
    pub(crate) position: u64,
    pub(crate) stream: StreamName,
    pub(crate) version: u64,
    pub(crate) recorded_at: Timestamp,
    pub(crate) epoch: u64,
    pub(crate) previous: Hash,
    pub(crate) hash: Hash,
    /// The exact bytes; they are JSON, and so UTF-8.
    pub(crate) body: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) sealed: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) evidence: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) evidence_signature: Option<String>,
}

/// A sender's key: found again for ever. Only in an export of the whole log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyLine {
    pub(crate) sender_key: Hash,
    pub(crate) stream: StreamName,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndLine {
    pub(crate) end: u64,
    pub(crate) sender_keys: u64,
    /// SHA-256 over the keys' lines: the chain does not know them.
    pub(crate) sender_keys_hash: Hash,
    pub(crate) hash: Hash,
}

/// Counts the keys' lines and digests them.
#[derive(Default)]
pub(crate) struct KeysDigest {
    pub(crate) count: u64,
    sha: Sha256,
}

impl KeysDigest {
    pub(crate) fn add(&mut self, it: &KeyLine) {
        self.count += 1;
        self.sha.update(it.sender_key.0);
        self.sha.update(it.stream.to_string());
        self.sha.update(b"\n");
    }
    pub(crate) fn hash(self) -> Hash {
        Hash(self.sha.finalize().into())
    }
}

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The first position.
    pub from: u64,
    /// The last position.
    pub to: u64,
    /// How many senders' keys; none unless the whole log was exported.
    pub sender_keys: u64,
    /// The hash at the last position.
    pub hash: Hash,
}

/// Writes positions `from` to `to` (the head, if not said) to a new file, under another name until it is whole.
pub fn export(
    log: &dyn ReadLog,
    target: &Path,
    from: u64,
    to: Option<u64>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Exported, ExportError> {
    if target.exists() {
        return Err(ExportError::Exists { path: target.to_owned() });
    }
    let mut name = target.as_os_str().to_owned();
    name.push(".part");
    let part = PathBuf::from(name);
    let failed = |doing| {
        let path = part.clone();
        move |source| ExportError::File { doing, path, source }
    };
    let file = File::create(&part).map_err(failed("make"))?;
    let written = write(log, BufWriter::new(file), &part, (from, to), progress);
    let exported = match written {
        Ok(exported) => exported,
        Err(error) => {
            // What is left is no export; that it cannot be removed changes nothing.
            let _ = std::fs::remove_file(&part);
            return Err(error);
        }
    };
    std::fs::rename(&part, target).and_then(|()| sync_folder(target)).map_err(failed("rename"))?;
    Ok(exported)
}

fn write(
    log: &dyn ReadLog,
    mut out: BufWriter<File>,
    path: &Path,
    (from, to): (u64, Option<u64>),
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Exported, ExportError> {
    let failed = |source| ExportError::File { doing: "write", path: path.to_owned(), source };
    let (head, _) = log.head().map_err(ExportError::Log)?.unwrap_or((Position(0), Hash::ZERO));
    let to = to.unwrap_or(head.0);
    if from == 0 || from > to || to > head.0 {
        return Err(ExportError::Range { from, to, head: head.0 });
    }
    let mut hash = Hash::ZERO;
    let mut after = from - 1;
    while after < to {
        let count = usize::try_from(to - after).unwrap_or(PAGE_EVENTS).min(PAGE_EVENTS);
        let page = log.read_all(Position(after), count).map_err(ExportError::Log)?;
        let Some(first) = page.first() else {
            return Err(ExportError::Range { from: after + 1, to, head: after });
        };
        if after == from - 1 {
            let origin = log.origin().to_owned();
            let previous = first.previous;
            line(&mut out, &Header { format: FORMAT.to_owned(), origin, from, to, previous })
                .map_err(failed)?;
        }
        for it in &page {
            line(&mut out, &event_line(it)?).map_err(failed)?;
            (after, hash) = (it.position.0, it.hash);
        }
        progress(after + 1 - from, to + 1 - from);
    }
    let whole = from == 1 && to == head.0;
    let mut keys = KeysDigest::default();
    if whole {
        write_keys(log, &mut out, path, to, &mut keys)?;
    }
    let (sender_keys, sender_keys_hash) = (keys.count, keys.hash());
    line(&mut out, &EndLine { end: to, sender_keys, sender_keys_hash, hash }).map_err(failed)?;
    let file = out.into_inner().map_err(|it| failed(it.into_error()))?;
    file.sync_all().map_err(failed)?;
    Ok(Exported { from, to, sender_keys, hash })
}

fn write_keys(
    log: &dyn ReadLog,
    out: &mut BufWriter<File>,
    path: &Path,
    to: u64,
    keys: &mut KeysDigest,
) -> Result<(), ExportError> {
    let failed = |source| ExportError::File { doing: "write", path: path.to_owned(), source };
    let mut after = None;
    loop {
        let page = log.read_keys(after.as_ref(), PAGE_EVENTS).map_err(ExportError::Log)?;
        let Some((last, _)) = page.last() else { return Ok(()) };
        after = Some(*last);
        // While a hub writes, keys of later stories come in between.
        let grown = log.head().map_err(ExportError::Log)?.is_some_and(|it| it.0.0 > to);
        for (key, stream) in &page {
            if grown {
                let story = log.read_stream(stream).map_err(ExportError::Log)?;
                if story.first().is_none_or(|it| it.position.0 > to) {
                    continue;
                }
            }
            let it = KeyLine { sender_key: Hash(key.0), stream: *stream };
            line(out, &it).map_err(failed)?;
            keys.add(&it);
        }
    }
}

fn line(out: &mut impl Write, it: &impl Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, it)?;
    out.write_all(b"\n")
}

fn event_line(it: &Recorded) -> Result<EventLine, ExportError> {
    let not_text = |_| {
        let why = "its body is not UTF-8".to_owned();
        ExportError::Log(ReadError::Damaged { position: it.position, why })
    };
    Ok(EventLine {
        position: it.position.0,
        stream: it.envelope.stream,
        version: it.version.0,
        recorded_at: it.recorded_at,
        epoch: it.epoch,
        previous: it.previous,
        hash: it.hash,
        body: String::from_utf8(it.body.clone()).map_err(not_text)?,
        sealed: it.envelope.sealed.as_ref().map(|it| BASE64.encode(it)),
        evidence: it.envelope.evidence.as_ref().map(|it| BASE64.encode(&it.bytes)),
        evidence_signature: it.envelope.evidence.as_ref().map(|it| it.signature.clone()),
    })
}

/// A line of an export.
pub(crate) enum Line {
    Event(Box<EventLine>),
    Key(KeyLine),
    End(EndLine),
}

/// Reads an export line by line; the header is read at once.
pub(crate) struct Lines {
    path: PathBuf,
    from: BufReader<File>,
    number: u64,
    pub(crate) header: Header,
}

impl Lines {
    pub(crate) fn open(path: &Path) -> Result<Self, ExportError> {
        let file = File::open(path).map_err(|source| ExportError::File {
            doing: "open",
            path: path.to_owned(),
            source,
        })?;
        let header = Header {
            format: String::new(),
            origin: String::new(),
            from: 0,
            to: 0,
            previous: Hash::ZERO,
        };
        let from = BufReader::with_capacity(64 << 10, file);
        let mut lines = Self { path: path.to_owned(), from, number: 0, header };
        let first = lines.text()?.ok_or_else(|| lines.wrong("is missing: the file is empty"))?;
        lines.header = serde_json::from_str(&first)
            .map_err(|it| lines.wrong(&format!("is not an export's first: {it}")))?;
        if lines.header.format != FORMAT {
            return Err(lines.wrong("says another format"));
        }
        Ok(lines)
    }

    /// The next line; nothing behind the last.
    pub(crate) fn next(&mut self) -> Result<Option<Line>, ExportError> {
        let Some(text) = self.text()? else { return Ok(None) };
        // The first field says which; anything else is no line of ours.
        let line = if text.starts_with("{\"position\":") {
            serde_json::from_str(&text).map(|it| Line::Event(Box::new(it)))
        } else if text.starts_with("{\"sender_key\":") {
            serde_json::from_str(&text).map(Line::Key)
        } else {
            serde_json::from_str(&text).map(Line::End)
        };
        line.map(Some).map_err(|it| self.wrong(&format!("cannot be read: {it}")))
    }

    pub(crate) fn wrong(&self, why: &str) -> ExportError {
        ExportError::Line { line: self.number, why: why.to_owned() }
    }

    fn text(&mut self) -> Result<Option<String>, ExportError> {
        self.number += 1;
        let mut bytes = Vec::new();
        let read = (&mut self.from).take(LINE_BYTES_MAX).read_until(b'\n', &mut bytes);
        read.map_err(|source| ExportError::File {
            doing: "read",
            path: self.path.clone(),
            source,
        })?;
        match bytes.pop() {
            None => Ok(None),
            Some(b'\n') => {
                let text = String::from_utf8(bytes);
                text.map(Some).map_err(|_| self.wrong("is not UTF-8"))
            }
            Some(_) => Err(self.wrong("does not end, or is too long")),
        }
    }
}

/// The sealed part and the evidence.
type Beside = (Option<Vec<u8>>, Option<Vec<u8>>);

impl EventLine {
    /// The sealed part and the evidence, from base64.
    pub(crate) fn bytes(&self) -> Result<Beside, String> {
        let decode = |it: &Option<String>| match it {
            None => Ok(None),
            Some(text) => BASE64.decode(text).map(Some).map_err(|_| "its base64 is damaged"),
        };
        Ok((decode(&self.sealed)?, decode(&self.evidence)?))
    }
}

#[cfg(test)]
mod tests;
