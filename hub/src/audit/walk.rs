//! The auditor's walk: event after event, believing nothing but the bytes. Knows no file format.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use ed25519_dalek::VerifyingKey;
use events::envelope::{Actor, Envelope, Event};
use events::ids::{ProvinceCode, StreamName};
use events::keeping::KeepingEvent;
use events::proof::Hash;
use events::proof::chain::Link;
use events::proof::evidence;
use events::proof::note::Checkpoint;
use events::proof::signature::{self, Purpose};
use events::province::{KeyPurpose, ProvinceEvent};
use events::report::ReportMessage;
use events::wire::{event_from_bytes, report_from_bytes};
use uuid::Uuid;

use crate::log::columns::{self, Columns};

/// How many hashes are remembered for checkpoints that the log itself carries.
const HASHES_REMEMBERED_MAX: usize = 65_536;

/// A row as it is stored, whatever stores it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    /// A small number for the stream, from 0; the same for the same stream.
    pub(crate) stream_number: usize,
    pub(crate) event_id: Uuid,
    pub(crate) kind: &'a str,
    pub(crate) actor: &'a str,
    pub(crate) link: Link<'a>,
    pub(crate) hash: Hash,
}

/// What has been seen so far: the chain, and what its events say. Each can be walked on a thread of
/// its own; `Walk` takes both steps.
pub(crate) struct Walk {
    pub(crate) chain: Chain,
    pub(crate) words: Words,
}

/// The order of the rows and their hashes.
pub(crate) struct Chain {
    previous: Hash,
    position: u64,
    recorded_at_us: i64,
    epoch: u64,
    event_id: Option<Uuid>,
    versions: Vec<u64>,
    // What came before is not known: versions begin anywhere.
    partial: bool,
}

/// What rows in order say: their columns, their provinces' words, their checkpoints.
pub(crate) struct Words {
    // The last good event.
    position: u64,
    hash: Hash,
    // What came before is not known: keys may be unknown.
    partial: bool,
    keys: HashMap<(ProvinceCode, String), Option<VerifyingKey>>,
    signed: BTreeMap<u64, Hash>,
    hub_key: Option<VerifyingKey>,
    hashes: VecDeque<Hash>,
    pub(crate) signatures: u64,
    /// How long checking them took.
    pub(crate) signatures_took: Duration,
    pub(crate) checkpoints: u64,
}

impl Walk {
    /// Begins before position 1. `signed` are checkpoints from elsewhere; `hub_key` also checks
    /// those that the log carries.
    pub(crate) fn new(hub_key: Option<VerifyingKey>, signed: &[Checkpoint]) -> Self {
        let chain = Chain {
            previous: Hash::ZERO,
            position: 0,
            recorded_at_us: i64::MIN,
            epoch: 0,
            event_id: None,
            versions: Vec::new(),
            partial: false,
        };
        let words = Words {
            position: 0,
            hash: Hash::ZERO,
            partial: false,
            keys: HashMap::new(),
            signed: signed.iter().map(|it| (it.position, it.hash)).collect(),
            hub_key,
            hashes: VecDeque::new(),
            signatures: 0,
            signatures_took: Duration::ZERO,
            checkpoints: 0,
        };
        Self { chain, words }
    }

    /// The same, but it begins behind `position`.
    pub(crate) fn behind(mut self, position: u64, previous: Hash) -> Self {
        self.chain.position = position;
        self.chain.previous = previous;
        self.chain.partial = position > 0;
        self.words.position = position;
        self.words.hash = previous;
        self.words.partial = position > 0;
        self
    }

    /// The last position that was found good.
    pub(crate) fn position(&self) -> u64 {
        self.words.position
    }

    /// The last good position and its hash.
    pub(crate) fn head(&self) -> Option<(u64, Hash)> {
        (self.position() > 0).then_some((self.words.position, self.words.hash))
    }

    /// One step of both. What is wrong with the row, if anything is.
    pub(crate) fn step(&mut self, row: &Row<'_>) -> Result<(), String> {
        self.chain.step(row)?;
        self.words.step(row)
    }
}

impl Chain {
    /// Where the walk along the chain is.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The last epoch.
    pub(crate) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How many streams have events.
    pub(crate) fn streams(&self) -> usize {
        self.versions.iter().filter(|it| **it > 0).count()
    }

    /// One step. Which rule of order or which hash is broken, if any is.
    pub(crate) fn step(&mut self, row: &Row<'_>) -> Result<(), String> {
        self.order(row)?;
        let link = &row.link;
        if link.previous != self.previous {
            return Err("it does not carry the hash of the event before".to_owned());
        }
        if link.hash() != row.hash {
            return Err("its hash is another one: it was changed".to_owned());
        }
        self.position = link.position;
        self.previous = row.hash;
        self.recorded_at_us = link.recorded_at;
        self.epoch = link.epoch;
        self.event_id = Some(row.event_id);
        Ok(())
    }

    fn order(&mut self, row: &Row<'_>) -> Result<(), String> {
        let link = &row.link;
        let next = self.position + 1;
        if link.position != next {
            return Err(format!("position {next} is missing; {} follows", link.position));
        }
        if link.recorded_at < self.recorded_at_us {
            return Err("it was recorded before the event before it".to_owned());
        }
        if link.epoch < self.epoch {
            return Err("an older epoch wrote it".to_owned());
        }
        if Some(row.event_id) <= self.event_id {
            return Err("its id does not grow".to_owned());
        }
        if row.stream_number >= self.versions.len() {
            self.versions.resize(row.stream_number + 1, 0);
        }
        let version = &mut self.versions[row.stream_number];
        let unknown = self.partial && *version == 0;
        if link.version != *version + 1 && !(unknown && link.version > 0) {
            let found = link.version;
            return Err(format!(
                "version {} of its story is missing; {found} follows",
                *version + 1
            ));
        }
        *version = link.version;
        Ok(())
    }
}

impl Words {
    /// One step. What is wrong with what the row says, if anything is.
    pub(crate) fn step(&mut self, row: &Row<'_>) -> Result<(), String> {
        let Row { event_id, kind, actor, link, .. } = *row;
        let envelope = event_from_bytes(link.body)
            .map_err(|it| format!("the body is not a recorded event: {it}"))?;
        let columns = Columns { event_id, stream: link.stream, kind, actor };
        if let Some(why) = columns::contradiction_of(&columns, &envelope) {
            return Err(why.to_owned());
        }
        self.evidence(row, &envelope)?;
        self.learn(row, envelope)?;
        self.compare(link.position, row.hash)?;
        (self.position, self.hash) = (link.position, row.hash);
        Ok(())
    }

    /// Checks what a province signed, with the keys that counted at this position.
    fn evidence(&mut self, row: &Row<'_>, envelope: &Envelope) -> Result<(), String> {
        let (bytes, jws) = match (row.link.evidence, row.link.evidence_signature) {
            (None, None) => return unsaid(envelope),
            (Some(bytes), Some(jws)) => (bytes, jws),
            _ => return Err("its evidence and its signature do not belong together".to_owned()),
        };
        let message = report_from_bytes(bytes).map_err(|it| format!("its evidence: {it}"))?;
        same_words(envelope, &message)?;
        let report = message.report;
        if let Actor::Province(actor) = envelope.actor
            && actor != report.province
        {
            return Err("its evidence is another province's".to_owned());
        }
        if let StreamName::Case(case) = envelope.stream
            && case != report.case
        {
            return Err("its evidence is about another case".to_owned());
        }
        if report.origin != row.link.origin {
            return Err("its evidence answers another log".to_owned());
        }
        let id = signature::key_id(jws).map_err(|it| format!("its evidence: {it}"))?;
        let key = match self.keys.get(&(report.province, id)) {
            Some(Some(key)) => key,
            None if self.partial => return Ok(()),
            _ => return Err("its evidence is signed with a key that did not count here".to_owned()),
        };
        let begun = Instant::now();
        signature::verify(key, Purpose::Report, jws, bytes)
            .map_err(|it| format!("its evidence: {it}"))?;
        self.signatures_took += begun.elapsed();
        self.signatures += 1;
        Ok(())
    }

    /// Learns keys and checkpoints from the log itself.
    fn learn(&mut self, row: &Row<'_>, envelope: Envelope) -> Result<(), String> {
        match (envelope.stream, envelope.event) {
            (StreamName::Province(code), Event::Province(ProvinceEvent::KeyRegistered(it)))
                if it.purpose == KeyPurpose::Sign =>
            {
                let key = signature::public_key(&it.public_key).ok();
                self.keys.insert((code, it.key_id), key);
            }
            (StreamName::Province(code), Event::Province(ProvinceEvent::KeyRevoked(it))) => {
                self.keys.insert((code, it.key_id), None);
            }
            (StreamName::Province(code), Event::Province(ProvinceEvent::ProvinceLeft(_))) => {
                self.keys.iter_mut().filter(|it| it.0.0 == code).for_each(|it| *it.1 = None);
            }
            (_, Event::Keeping(KeepingEvent::CheckpointSigned(it))) => {
                return self.carried(row.link.origin, it.position, &it.note);
            }
            _ => {}
        }
        Ok(())
    }

    /// A checkpoint that the log carries must fit what the log was.
    fn carried(&mut self, origin: &str, position: u64, note: &str) -> Result<(), String> {
        let Some(key) = &self.hub_key else { return Ok(()) };
        let it = Checkpoint::open(note, key).map_err(|it| it.to_string())?;
        // The hashes remembered end with the event before this one.
        let back = self.position.checked_sub(it.position);
        let back = back.ok_or("its checkpoint is of later events")?;
        let there = usize::try_from(back).ok().and_then(|back| {
            self.hashes.len().checked_sub(back + 1).and_then(|at| self.hashes.get(at))
        });
        let fits = it.origin == origin && it.position == position;
        match there {
            Some(hash) if !fits || *hash != it.hash => {
                Err("its checkpoint is not what the log was".to_owned())
            }
            Some(_) => {
                self.checkpoints += 1;
                Ok(())
            }
            None => Ok(()), // too long ago to remember; the file of checkpoints has it
        }
    }

    fn compare(&mut self, position: u64, hash: Hash) -> Result<(), String> {
        if self.hub_key.is_some() {
            if self.hashes.len() == HASHES_REMEMBERED_MAX {
                self.hashes.pop_front();
            }
            self.hashes.push_back(hash);
        }
        match self.signed.get(&position) {
            Some(signed) if *signed != hash => Err("it is not what a checkpoint signed".to_owned()),
            Some(_) => {
                self.checkpoints += 1;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Whether a checkpoint vouches for more than there is.
    pub(crate) fn cut(&self) -> Option<String> {
        let (signed, _) = self.signed.last_key_value()?;
        let head = self.position;
        (*signed > head)
            .then(|| format!("the log ends at {head}, a checkpoint vouches for {signed}"))
    }
}

/// A province's word without the province's signature: whoever wrote the log may have made it up.
fn unsaid(envelope: &Envelope) -> Result<(), String> {
    match &envelope.event {
        Event::Case(event) if evidence::report_of(event).is_some() => {
            Err("it is a province's word, and nothing shows that the province said it".to_owned())
        }
        _ => Ok(()),
    }
}

/// The event must say what was signed, and nothing else.
fn same_words(envelope: &Envelope, message: &ReportMessage) -> Result<(), String> {
    match &envelope.event {
        Event::Case(event) if evidence::says_the_same(event, message) => Ok(()),
        Event::Case(event) if evidence::report_of(event).is_none() => Ok(()),
        _ => Err("it says something else than the province signed".to_owned()),
    }
}
