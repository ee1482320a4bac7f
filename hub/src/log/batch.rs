//! What every store does alike with a batch: check what we promised ourselves, then link event to event.

use events::envelope::{Envelope, Position, Recorded, Version};
use events::ids::EventId;
use events::proof::Hash;
use events::proof::chain::Link;
use events::wire::event_to_bytes;
use jiff::Timestamp;

use crate::log::columns::{self, Columns};
use crate::log::{Append, Expected};

/// The end of the log, from which the next event goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) position: u64,
    pub(crate) hash: Hash,
    pub(crate) recorded_at_us: i64,
    pub(crate) event_id: Option<EventId>,
}

impl Head {
    /// The head of an empty log.
    pub(crate) const EMPTY: Self =
        Self { position: 0, hash: Hash::ZERO, recorded_at_us: i64::MIN, event_id: None };

    /// The head after `last`.
    pub(crate) fn after(last: &Recorded) -> Self {
        Self {
            position: last.position.0,
            hash: last.hash,
            recorded_at_us: last.recorded_at.as_microsecond(),
            event_id: Some(last.envelope.id),
        }
    }

    /// Panics if the batch breaks what its maker promised: that is a bug of ours, and nothing is
    /// written yet. Conflicts are not bugs and are not looked at here.
    pub(crate) fn check(&self, batch: &[Append]) {
        let mut last = self.event_id;
        for item in batch {
            assert!(!item.events.is_empty(), "an append without events");
            for event in &item.events {
                assert_eq!(event.stream, item.stream, "an event of another stream");
                assert!(last < Some(event.id), "event ids grow with the position");
                last = Some(event.id);
            }
        }
    }

    /// The next event, linked to the one before. Moves the head.
    pub(crate) fn link(&mut self, place: &Place<'_>, envelope: Envelope) -> Recorded {
        let body = event_to_bytes(&envelope);
        let written = Columns {
            event_id: envelope.id.0,
            stream: place.stream,
            kind: envelope.event.kind(),
            actor: &envelope.actor.to_string(),
        };
        let contradiction = columns::contradiction(&written, &body);
        assert!(contradiction.is_none(), "a written body contradicts itself: {contradiction:?}");
        let recorded_at_us = place.recorded_at.as_microsecond().max(self.recorded_at_us);
        let previous = self.hash;
        self.position += 1;
        self.recorded_at_us = recorded_at_us;
        self.event_id = Some(envelope.id);
        self.hash = Link {
            origin: place.origin,
            position: self.position,
            stream: place.stream,
            version: place.version.0,
            recorded_at: recorded_at_us,
            epoch: place.epoch,
            previous,
            body: &body,
            sealed: envelope.sealed.as_deref(),
            evidence: envelope.evidence.as_ref().map(|it| it.bytes.as_slice()),
            evidence_signature: envelope.evidence.as_ref().map(|it| it.signature.as_str()),
        }
        .hash();
        Recorded {
            position: Position(self.position),
            version: place.version,
            recorded_at: Timestamp::from_microsecond(recorded_at_us)
                .expect("it came from a timestamp"),
            epoch: place.epoch,
            previous,
            hash: self.hash,
            body,
            envelope,
        }
    }
}

/// Where an event is put, beside the position that the head knows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) origin: &'a str,
    pub(crate) stream: &'a str,
    pub(crate) version: Version,
    pub(crate) recorded_at: Timestamp,
    pub(crate) epoch: u64,
}

/// Whether a stream that is at `actual` is where the asker thought.
pub(crate) fn fits(expected: Expected, actual: Option<Version>) -> bool {
    match expected {
        Expected::NoStream => actual.is_none(),
        Expected::At(version) => actual == Some(version),
    }
}
