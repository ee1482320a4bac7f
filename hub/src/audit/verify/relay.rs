//! Two threads walk one log: this one reads rows and follows the chain, the other holds columns, words
//! and signatures against what is proven so far. The first damage is the first in the log, whoever finds it.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use events::ids::StreamName;
use events::proof::chain::Link;

use super::{Damage, Times};
use crate::audit::walk::{Row, Words};
use crate::log::raw::{Place, RawBatch, Stored};

/// Rows handed over at once.
const BATCH_ROWS: usize = 500;
/// Batches that may wait.
const WAITING_BATCHES_MAX: usize = 4;

/// Hands rows that are whole and chained to the other thread.
pub(super) struct Relay {
    batch: RawBatch,
    give: SyncSender<RawBatch>,
    refused: bool,
    waited: Duration,
}

/// What is wrong with which position.
type Wrong = (u64, String);

/// Lets `read` follow the chain, row by row, and checks beside it what the rows say.
pub(super) fn walk(
    origin: &str,
    words: &mut Words,
    times: &mut Times,
    read: impl FnOnce(&mut Relay) -> Result<(), Wrong>,
) -> Result<(), Damage> {
    let (give, take) = sync_channel(WAITING_BATCHES_MAX);
    let begun = Instant::now();
    let (chained, said) = std::thread::scope(|scope| {
        let understanding = &mut *words;
        let understood = &mut times.words;
        let said = scope.spawn(move || understand(origin, understanding, &take, understood));
        let (batch, refused, waited) = (RawBatch::default(), false, Duration::ZERO);
        let mut relay = Relay { batch, give, refused, waited };
        let chained = read(&mut relay);
        relay.hand_over();
        times.chain = begun.elapsed().saturating_sub(relay.waited);
        drop(relay);
        (chained, said.join())
    });
    times.signatures = words.signatures_took;
    times.words = times.words.saturating_sub(times.signatures);
    let damage = |(position, what): Wrong| Damage { position: Some(position), what };
    match said {
        // It was handed only what came before the break in the chain.
        Ok(said) => said.and(chained).map_err(damage),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

impl Relay {
    /// Takes the row along. Whether the other thread still wants any.
    pub(super) fn pass(&mut self, stream: StreamName, row: &Row<'_>) -> Result<bool, String> {
        let link = &row.link;
        let evidence = match (link.evidence, link.evidence_signature) {
            (None, None) => None,
            (Some(bytes), Some(jws)) => Some((bytes, jws)),
            _ => return Err("its evidence and its signature do not belong together".to_owned()),
        };
        let place = Place {
            position: link.position,
            version: link.version,
            recorded_at_us: link.recorded_at,
            epoch: link.epoch,
            event_id: row.event_id,
            stream,
            previous: link.previous,
            hash: row.hash,
        };
        let Row { kind, actor, .. } = *row;
        let stored = Stored { kind, actor, body: link.body, sealed: link.sealed, evidence };
        self.batch.push(place, &stored);
        if self.batch.len() == BATCH_ROWS {
            self.hand_over();
        }
        Ok(!self.refused)
    }

    fn hand_over(&mut self) {
        if !self.batch.is_empty() {
            let begun = Instant::now();
            self.refused |= self.give.send(std::mem::take(&mut self.batch)).is_err();
            self.waited += begun.elapsed();
        }
    }
}

fn understand(
    origin: &str,
    words: &mut Words,
    take: &Receiver<RawBatch>,
    took: &mut Duration,
) -> Result<(), Wrong> {
    while let Ok(batch) = take.recv() {
        let begun = Instant::now();
        batch.each_stored(|place, stored| {
            let step = words.step(&row(origin, place, stored, &mut [0; 41]));
            step.map_err(|what| (place.position, what))
        })?;
        *took += begun.elapsed();
    }
    Ok(())
}

fn row<'a>(
    origin: &'a str,
    place: &Place,
    stored: &Stored<'a>,
    room: &'a mut events::ids::StreamRoom,
) -> Row<'a> {
    let link = Link {
        origin,
        position: place.position,
        stream: place.stream.written(room),
        version: place.version,
        recorded_at: place.recorded_at_us,
        epoch: place.epoch,
        previous: place.previous,
        body: stored.body,
        sealed: stored.sealed,
        evidence: stored.evidence.map(|it| it.0),
        evidence_signature: stored.evidence.map(|it| it.1),
    };
    let (event_id, hash) = (place.event_id, place.hash);
    Row { stream_number: 0, event_id, kind: stored.kind, actor: stored.actor, link, hash }
}
