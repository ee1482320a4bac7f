//! Rows as the store keeps them, many in one piece of memory: one thread reads and proves them, another
//! understands them, and nothing is allocated for each.

use std::ops::Range;

use events::envelope::{Evidence, Position, Recorded, Version};
use events::ids::StreamName;
use events::proof::Hash;
use events::wire::event_from_bytes;
use jiff::Timestamp;
use uuid::Uuid;

use crate::log::ReadError;
use crate::log::columns::{self, Columns};

/// A row's parts in the batch's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Parts {
    kind: Range<usize>,
    actor: Range<usize>,
    body: Range<usize>,
    sealed: Option<Range<usize>>,
    evidence: Option<(Range<usize>, Range<usize>)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    place: Place,
    parts: Parts,
}

/// Where an event stands, and what it is chained to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) position: u64,
    pub(crate) version: u64,
    pub(crate) recorded_at_us: i64,
    pub(crate) epoch: u64,
    pub(crate) event_id: Uuid,
    pub(crate) stream: StreamName,
    pub(crate) previous: Hash,
    pub(crate) hash: Hash,
}

/// What is stored with a place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored<'a> {
    pub(crate) kind: &'a str,
    pub(crate) actor: &'a str,
    pub(crate) body: &'a [u8],
    pub(crate) sealed: Option<&'a [u8]>,
    pub(crate) evidence: Option<(&'a [u8], &'a str)>,
}

/// Rows whose hashes were found good. What their bodies say is not looked at yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RawBatch {
    bytes: Vec<u8>,
    rows: Vec<Row>,
}

/// How much of an event is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// All of it.
    Whole,
    /// What folds look at: neither the exact bytes of the body nor the evidence.
    ForFolding,
}

impl RawBatch {
    /// How many rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Forgets the rows and keeps the memory.
    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.rows.clear();
    }

    pub(crate) fn push(&mut self, place: Place, stored: &Stored<'_>) {
        let mut keep = |part: &[u8]| {
            let from = self.bytes.len();
            self.bytes.extend_from_slice(part);
            from..self.bytes.len()
        };
        let parts = Parts {
            kind: keep(stored.kind.as_bytes()),
            actor: keep(stored.actor.as_bytes()),
            body: keep(stored.body),
            sealed: stored.sealed.map(&mut keep),
            evidence: stored.evidence.map(|(it, jws)| (keep(it), keep(jws.as_bytes()))),
        };
        self.rows.push(Row { place, parts });
    }

    fn text(&self, range: &Range<usize>) -> &str {
        str::from_utf8(&self.bytes[range.clone()]).expect("it was pushed as text")
    }

    /// Every row, read, held against its columns, and handed on before the next.
    pub(crate) fn each<E>(
        &self,
        keep: Keep,
        mut hand_on: impl FnMut(Result<Recorded, ReadError>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.rows.iter().try_for_each(|row| hand_on(self.recorded(row, keep)))
    }

    /// Every row as it is stored, for whoever proves more about it, up to the first that is refused.
    pub(crate) fn each_stored<E>(
        &self,
        mut hand_on: impl FnMut(&Place, &Stored<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.rows.iter().try_for_each(|Row { place, parts }| {
            let bytes = |it: &Range<usize>| &self.bytes[it.clone()];
            let evidence = parts.evidence.as_ref();
            let stored = Stored {
                kind: self.text(&parts.kind),
                actor: self.text(&parts.actor),
                body: bytes(&parts.body),
                sealed: parts.sealed.as_ref().map(bytes),
                evidence: evidence.map(|(it, jws)| (bytes(it), self.text(jws))),
            };
            hand_on(place, &stored)
        })
    }

    fn recorded(&self, row: &Row, keep: Keep) -> Result<Recorded, ReadError> {
        let Row { place, parts } = row;
        let position = Position(place.position);
        let damaged = |why: String| ReadError::Damaged { position, why };
        let body = &self.bytes[parts.body.clone()];
        let mut envelope = event_from_bytes(body).map_err(|it| damaged(it.to_string()))?;
        // The body is parsed once: what was read from it is held against the columns.
        let mut room = [0; 41];
        let written = Columns {
            event_id: place.event_id,
            stream: place.stream.written(&mut room),
            kind: self.text(&parts.kind),
            actor: self.text(&parts.actor),
        };
        if let Some(why) = columns::contradiction_of(&written, &envelope) {
            return Err(damaged(why.to_owned()));
        }
        envelope.sealed = parts.sealed.clone().map(|it| self.bytes[it].to_vec());
        let whole = keep == Keep::Whole;
        if let (true, Some((bytes, signature))) = (whole, &parts.evidence) {
            let (bytes, signature) = (self.bytes[bytes.clone()].to_vec(), self.text(signature));
            envelope.evidence = Some(Evidence { bytes, signature: signature.to_owned() });
        }
        Ok(Recorded {
            position,
            version: Version(place.version),
            recorded_at: Timestamp::from_microsecond(place.recorded_at_us)
                .map_err(|it| damaged(it.to_string()))?,
            epoch: place.epoch,
            previous: place.previous,
            hash: place.hash,
            body: if whole { body.to_vec() } else { Vec::new() },
            envelope,
        })
    }
}

/// For stores that keep events understood.
impl FromIterator<Recorded> for RawBatch {
    fn from_iter<T: IntoIterator<Item = Recorded>>(all: T) -> Self {
        let mut batch = Self::default();
        for it in all {
            let envelope = &it.envelope;
            let place = Place {
                position: it.position.0,
                version: it.version.0,
                recorded_at_us: it.recorded_at.as_microsecond(),
                epoch: it.epoch,
                event_id: envelope.id.0,
                stream: envelope.stream,
                previous: it.previous,
                hash: it.hash,
            };
            let evidence = envelope.evidence.as_ref();
            batch.push(
                place,
                &Stored {
                    kind: envelope.event.kind(),
                    actor: &envelope.actor.to_string(),
                    body: &it.body,
                    sealed: envelope.sealed.as_deref(),
                    evidence: evidence.map(|it| (&it.bytes[..], it.signature.as_str())),
                },
            );
        }
        batch
    }
}
