//! Two threads walk one log: this one reads rows and follows the chain, the other holds columns, words
//! and signatures against what is proven so far. While that one is behind, this one hears rows too and
//! leaves only the judging. The first damage is the first in the log, whoever finds it.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};

use events::ids::StreamName;
use events::proof::chain::Link;

use super::Damage;
use crate::audit::walk::Row;
use crate::audit::words::{Ear, Said, Words};
use crate::log::raw::{Place, RawBatch, Stored};

/// Rows handed over at once.
const BATCH_ROWS: usize = 500;
/// Batches that may wait.
const WAITING_BATCHES_MAX: usize = 4;

/// Rows on their way to be judged.
enum Batch {
    Raw(RawBatch),
    /// The first rows were heard, up to the one that contradicts itself.
    Heard(RawBatch, Vec<Said>, Option<String>),
}

/// Hands rows that are whole and chained to the other thread.
pub(super) struct Relay<'a> {
    origin: &'a str,
    ear: Ear,
    batch: RawBatch,
    give: SyncSender<Batch>,
    empty: Receiver<RawBatch>,
    refused: bool,
}

/// What is wrong with which position.
type Wrong = (u64, String);

/// Lets `read` follow the chain, row by row, and checks beside it what the rows say.
pub(super) fn walk(
    origin: &str,
    words: &mut Words,
    read: impl FnOnce(&mut Relay<'_>) -> Result<(), Wrong>,
) -> Result<(), Damage> {
    let (give, take) = sync_channel(WAITING_BATCHES_MAX);
    // Memory goes round: every batch that may wait, one at each end.
    let (give_back, empty) = sync_channel(WAITING_BATCHES_MAX + 2);
    let ear = words.ear();
    let (chained, said) = std::thread::scope(|scope| {
        let judging = &mut *words;
        let said = scope.spawn(move || judge(origin, judging, &take, &give_back));
        let mut relay =
            Relay { origin, ear, batch: RawBatch::default(), give, empty, refused: false };
        let chained = read(&mut relay);
        relay.hand_over();
        drop(relay);
        (chained, said.join())
    });
    let damage = |(position, what): Wrong| Damage { position: Some(position), what };
    match said {
        // It was handed only what came before the break in the chain.
        Ok(said) => said.and(chained).map_err(damage),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

impl Relay<'_> {
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
        // Sealed parts say nothing to anybody here; the chain has them.
        let stored = Stored { kind, actor, body: link.body, sealed: None, evidence };
        self.batch.push(place, &stored);
        if self.batch.len() == BATCH_ROWS {
            self.hand_over();
        }
        Ok(!self.refused)
    }

    fn hand_over(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        let next = self.empty.try_recv().unwrap_or_default();
        let batch = std::mem::replace(&mut self.batch, next);
        self.refused |= match self.give.try_send(Batch::Raw(batch)) {
            Ok(()) => false,
            Err(TrySendError::Full(Batch::Raw(batch))) => {
                self.give.send(heard(self.origin, &self.ear, batch)).is_err()
            }
            Err(TrySendError::Full(heard)) => self.give.send(heard).is_err(),
            Err(TrySendError::Disconnected(_)) => true,
        };
    }
}

/// Hears a whole batch; what is wrong with a row is kept until the rows before it were judged.
fn heard(origin: &str, ear: &Ear, batch: RawBatch) -> Batch {
    let mut all = Vec::with_capacity(batch.len());
    let told = batch.each_stored(|place, stored| {
        let mut room = [0; 41];
        all.push(ear.hear(&row(origin, place, stored, &mut room))?);
        Ok(())
    });
    Batch::Heard(batch, all, told.err())
}

fn judge(
    origin: &str,
    words: &mut Words,
    take: &Receiver<Batch>,
    give_back: &SyncSender<RawBatch>,
) -> Result<(), Wrong> {
    while let Ok(batch) = take.recv() {
        let mut batch = judge_batch(origin, words, batch)?;
        batch.clear();
        // Nobody reads any more: then nobody needs it.
        let _kept = give_back.try_send(batch);
    }
    Ok(())
}

fn judge_batch(origin: &str, words: &mut Words, batch: Batch) -> Result<RawBatch, Wrong> {
    let (batch, mut heard) = match batch {
        Batch::Raw(batch) => (batch, None),
        Batch::Heard(batch, all, wrong) => (batch, Some((all.into_iter(), wrong))),
    };
    batch.each_stored(|place, stored| {
        let mut room = [0; 41];
        let row = row(origin, place, stored, &mut room);
        let step = match &mut heard {
            None => words.step(&row),
            Some((all, wrong)) => match (all.next(), wrong.take()) {
                (Some(said), kept) => {
                    *wrong = kept;
                    words.judge(&row, said)
                }
                (None, Some(what)) => Err(what),
                (None, None) => words.step(&row),
            },
        };
        step.map_err(|what| (place.position, what))
    })?;
    Ok(batch)
}

pub(in crate::audit) fn row<'a>(
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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use events::envelope::Position;

    use super::*;
    use crate::audit::specimen;
    use crate::audit::walk::Walk;
    use crate::log::ReadLog as _;
    use crate::log::contract::ORIGIN;
    use crate::log::sqlite::SqliteLog;

    type Verdict = (Result<(), Wrong>, u64, Option<(u64, events::proof::Hash)>);

    /// The log's first row, which registers a key, and the others; the body of one may be another.
    fn rows(path: &Path, broken: Option<u64>) -> [RawBatch; 2] {
        let log = SqliteLog::open(path, ORIGIN).unwrap();
        let all: RawBatch = log.read_all(Position(0), 100).unwrap().into_iter().collect();
        let mut batches = [RawBatch::default(), RawBatch::default()];
        let put = |place: &Place, stored: &Stored<'_>| {
            let body = if broken == Some(place.position) { &b"{}"[..] } else { stored.body };
            batches[usize::from(place.position > 1)].push(*place, &Stored { body, ..*stored });
            Ok::<_, ()>(())
        };
        all.each_stored(put).unwrap();
        batches
    }

    /// Who hears the others, and when, differs.
    fn verdicts(path: &Path, broken: Option<u64>) -> [Verdict; 3] {
        ["nobody", "before the key", "after the key"].map(|who| {
            let mut words = Walk::new(None, &[]).words;
            let [first, others] = rows(path, broken);
            let ear = words.ear();
            let hear = |others| heard(ORIGIN, &ear, others);
            let (early, late) = match who {
                "before the key" => (Some(hear(others)), None),
                _ => (None, Some(others)),
            };
            judge_batch(ORIGIN, &mut words, Batch::Raw(first)).unwrap();
            let others = match (early, late) {
                (Some(heard), _) => heard,
                (None, others) if who == "nobody" => Batch::Raw(others.unwrap()),
                (None, others) => hear(others.unwrap()),
            };
            let end = judge_batch(ORIGIN, &mut words, others).map(drop);
            (end, words.signatures, words.head())
        })
    }

    #[test]
    fn who_hears_a_batch_makes_no_difference_and_damage_ends_it_at_its_place() {
        let right = ed25519_dalek::SigningKey::from_bytes(&[22; 32]);
        let stranger = ed25519_dalek::SigningKey::from_bytes(&[99; 32]);
        for (signer, revoked, broken, good) in [
            (&right, false, None, (8, 1)),
            (&right, false, Some(5), (4, 1)),
            (&right, false, Some(2), (1, 0)),
            (&right, true, None, (3, 0)),
            (&stranger, false, None, (2, 0)),
        ] {
            let folder = tempfile::tempdir().unwrap();
            let path = specimen::make_signed_by(folder.path(), signer, revoked);
            let [nobody, before, after] = verdicts(&path, broken);
            let head = nobody.2.unwrap().0;
            assert_eq!((head, nobody.1), good, "{:?}", nobody.0);
            assert_eq!(nobody.0.is_ok(), head == 8);
            assert_eq!(nobody, before);
            assert_eq!(nobody, after);
        }
    }
}
