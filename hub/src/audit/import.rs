//! An export becomes a log again: only a new one, and only if every line proves itself.

use std::path::Path;

use events::envelope::Event;
use events::proof::chain::Link;
use events::wire::event_from_bytes;

use crate::audit::export::{EventLine, ExportError, Line, Lines};
use crate::audit::verify::{Against, Damage, Report, VerifyError, verify, verify_export};
use crate::log::SenderKey;
use crate::log::sqlite::{Import, OpenError};

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The export cannot be read.
    #[error("cannot read the export")]
    Export(#[from] ExportError),
    /// The export, or the log made of it, is not what was recorded.
    #[error("the export is damaged: {}", .0.what)]
    Damaged(Damage),
    /// It is a part of a log: a log begins at position 1.
    #[error("the export begins at {from}\n(only a whole log can be imported)")]
    Partial {
        /// Where.
        from: u64,
    },
    /// The log could not be made.
    #[error("cannot make the log")]
    Open(#[from] OpenError),
    /// A row could not be written.
    #[error("cannot write position {position}")]
    Row {
        /// Which.
        position: u64,
        /// Why not.
        #[source]
        source: rusqlite::Error,
    },
    /// It could not be verified.
    #[error("cannot verify it")]
    Verify(#[from] VerifyError),
}

/// Makes a new log at `target` from the export at `source`; verifies both.
pub fn import(
    source: &Path,
    target: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Report, ImportError> {
    let given = verify_export(source, Against::default(), &mut |_, _| {})?;
    if let Some(damage) = given.damage {
        return Err(ImportError::Damaged(damage));
    }
    let mut lines = Lines::open(source)?;
    if lines.header.from != 1 {
        return Err(ImportError::Partial { from: lines.header.from });
    }
    let origin = lines.header.origin.clone();
    let to = lines.header.to;
    let mut import = Import::begin(target, &origin)?;
    while let Some(line) = lines.next()? {
        match line {
            Line::Event(it) => {
                write(&mut import, &origin, &it)?;
                if it.position.is_multiple_of(1_024) || it.position == to {
                    progress(it.position, to);
                }
            }
            Line::Key(it) => {
                let key = SenderKey(it.sender_key.0);
                let known = import.key(&key, it.stream);
                if !known.map_err(|source| ImportError::Row { position: to, source })? {
                    return Err(lines.wrong("has a key of an unknown story").into());
                }
            }
            Line::End(_) => {}
        }
    }
    import.finish()?;
    let made = verify(target, Against::default(), &mut |_, _| {})?;
    match made.damage {
        Some(damage) => Err(ImportError::Damaged(damage)),
        None => Ok(made),
    }
}

fn write(import: &mut Import, origin: &str, it: &EventLine) -> Result<(), ImportError> {
    let damaged = |what: String| ImportError::Damaged(Damage { position: Some(it.position), what });
    let (sealed, evidence) = it.bytes().map_err(damaged)?;
    let envelope = event_from_bytes(it.body.as_bytes()).map_err(|it| damaged(it.to_string()))?;
    let link = Link {
        origin,
        position: it.position,
        stream: &it.stream.to_string(),
        version: it.version,
        recorded_at: it.recorded_at.as_microsecond(),
        epoch: it.epoch,
        previous: it.previous,
        body: it.body.as_bytes(),
        sealed: sealed.as_deref(),
        evidence: evidence.as_deref(),
        evidence_signature: it.evidence_signature.as_deref(),
    };
    let kind = Event::kind(&envelope.event);
    let columns = (envelope.id.0, kind, envelope.actor.to_string());
    import
        .event(it.stream, (columns.0, columns.1, &columns.2), &link, it.hash)
        .map_err(|source| ImportError::Row { position: it.position, source })
}
