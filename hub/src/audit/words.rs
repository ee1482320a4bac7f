//! What rows say: their columns, their provinces' words, their checkpoints.
//!
//! What a row says by itself can be heard on any thread, and in any order. What that is worth depends on
//! the rows before it, and is judged in the log's order.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock};

use ed25519_dalek::VerifyingKey;
use events::envelope::{Actor, Envelope, Event};
use events::ids::{ProvinceCode, StreamName};
use events::keeping::KeepingEvent;
use events::proof::Hash;
use events::proof::evidence;
use events::proof::note::Checkpoint;
use events::proof::signature::{self, Purpose, SignatureError};
use events::province::{KeyPurpose, ProvinceEvent, PublicityStated};
use events::report::ReportMessage;
use events::wire::{event_from_bytes, report_from_bytes, statement_from_bytes};

use crate::audit::walk::Row;
use crate::log::columns::{self, Columns};

/// How many hashes are remembered for checkpoints that the log itself carries.
const HASHES_REMEMBERED_MAX: usize = 65_536;

/// Every key that provinces ever signed with; nothing: it does not count any more, or never could.
type Keys = HashMap<(ProvinceCode, String), Option<VerifyingKey>>;

/// What one row says, of which nothing contradicts itself.
pub(crate) struct Said {
    /// An event that may teach a key or carry a checkpoint.
    lesson: Option<Box<Envelope>>,
    claim: Option<Claim>,
}

/// A province is said to have signed what the row carries.
struct Claim {
    key: (ProvinceCode, String),
    /// The signature fits this key. Whether that is the one which counts here is not said.
    fits: Option<VerifyingKey>,
}

/// Hears rows for somebody else to judge.
pub(crate) struct Ear {
    keys: Arc<RwLock<Keys>>,
    signatures_count: bool,
}

/// What was judged so far.
pub(crate) struct Words {
    // The last good event.
    position: u64,
    hash: Hash,
    // What came before is not known: keys may be unknown.
    partial: bool,
    keys: Arc<RwLock<Keys>>,
    signed: BTreeMap<u64, Hash>,
    hub_key: Option<VerifyingKey>,
    hashes: VecDeque<Hash>,
    signatures_count: bool,
    pub(crate) signatures: u64,
    pub(crate) checkpoints: u64,
}

impl Ear {
    /// What the row says; and, because that takes longest, whether its signature fits the key of this
    /// name, if one is known by now. The judge trusts that for this very key only.
    pub(crate) fn hear(&self, row: &Row<'_>) -> Result<Said, String> {
        let mut said = hear(row)?;
        if let (true, Some(claim)) = (self.signatures_count, &mut said.claim) {
            let key = self.keys.read().unwrap_or_else(PoisonError::into_inner);
            let key = key.get(&claim.key).copied().flatten();
            claim.fits = key.filter(|it| fits(it, row).is_ok());
        }
        Ok(said)
    }
}

/// Whether the row's signature is this key's, over its evidence.
fn fits(key: &VerifyingKey, row: &Row<'_>) -> Result<(), SignatureError> {
    let (jws, bytes) = (row.link.evidence_signature, row.link.evidence);
    signature::verify(key, Purpose::Report, jws.unwrap_or_default(), bytes.unwrap_or_default())
}

/// What the row says. What contradicts itself, if anything does.
fn hear(row: &Row<'_>) -> Result<Said, String> {
    let Row { event_id, kind, actor, link, .. } = *row;
    let envelope = event_from_bytes(link.body)
        .map_err(|it| format!("the body is not a recorded event: {it}"))?;
    let columns = Columns { event_id, stream: link.stream, kind, actor };
    if let Some(why) = columns::contradiction_of(&columns, &envelope) {
        return Err(why.to_owned());
    }
    let claim = claim(row, &envelope)?;
    let teaches = matches!(envelope.event, Event::Province(_) | Event::Keeping(_));
    Ok(Said { lesson: teaches.then(|| Box::new(envelope)), claim })
}

/// Holds what a province signed against the event; who must have signed it.
fn claim(row: &Row<'_>, envelope: &Envelope) -> Result<Option<Claim>, String> {
    let (bytes, jws) = match (row.link.evidence, row.link.evidence_signature) {
        (None, None) => return unsaid(envelope).map(|()| None),
        (Some(bytes), Some(jws)) => (bytes, jws),
        _ => return Err("its evidence and its signature do not belong together".to_owned()),
    };
    let (province, origin) = match &envelope.event {
        Event::Province(ProvinceEvent::PublicityStated(it)) => stated(envelope, it, bytes)?,
        _ => reported(envelope, bytes)?,
    };
    if let Actor::Province(actor) = envelope.actor
        && actor != province
    {
        return Err("its evidence is another province's".to_owned());
    }
    if origin != row.link.origin {
        return Err("its evidence answers another log".to_owned());
    }
    let id = signature::key_id(jws).map_err(|it| format!("its evidence: {it}"))?;
    Ok(Some(Claim { key: (province, id), fits: None }))
}

/// Who reported it, to which log.
fn reported(envelope: &Envelope, bytes: &[u8]) -> Result<(ProvinceCode, String), String> {
    let message = report_from_bytes(bytes).map_err(|it| format!("its evidence: {it}"))?;
    same_words(envelope, &message)?;
    let report = message.report;
    if let StreamName::Case(case) = envelope.stream
        && case != report.case
    {
        return Err("its evidence is about another case".to_owned());
    }
    Ok((report.province, report.origin))
}

/// The same of what an adapter told of publicity.
fn stated(
    envelope: &Envelope,
    it: &PublicityStated,
    bytes: &[u8],
) -> Result<(ProvinceCode, String), String> {
    let message = statement_from_bytes(bytes).map_err(|it| format!("its evidence: {it}"))?;
    if envelope.stream != StreamName::Province(message.told.province) {
        return Err("its evidence is another province's".to_owned());
    }
    if !evidence::states_the_same(it, &message) {
        return Err("it says something else than the province signed".to_owned());
    }
    Ok((message.told.province, message.told.origin))
}

impl Words {
    /// Begins before position 1.
    pub(crate) fn new(hub_key: Option<VerifyingKey>, signed: &[Checkpoint]) -> Self {
        Self {
            position: 0,
            hash: Hash::ZERO,
            partial: false,
            keys: Arc::default(),
            signed: signed.iter().map(|it| (it.position, it.hash)).collect(),
            hub_key,
            hashes: VecDeque::new(),
            signatures_count: true,
            signatures: 0,
            checkpoints: 0,
        }
    }

    /// The same, but it begins behind `position`.
    pub(crate) fn behind(mut self, position: u64, hash: Hash) -> Self {
        (self.position, self.hash, self.partial) = (position, hash, position > 0);
        self
    }

    /// Takes signatures off, for whoever wants to know how long the rest takes.
    pub(crate) fn without_signatures(&mut self) {
        self.signatures_count = false;
    }

    /// The last position that was found good.
    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// The last good position and its hash.
    pub(crate) fn head(&self) -> Option<(u64, Hash)> {
        (self.position > 0).then_some((self.position, self.hash))
    }

    /// For hearing rows while others are judged.
    pub(crate) fn ear(&self) -> Ear {
        Ear { keys: self.keys.clone(), signatures_count: self.signatures_count }
    }

    /// One step. What is wrong with what the row says, if anything is.
    pub(crate) fn step(&mut self, row: &Row<'_>) -> Result<(), String> {
        self.judge(row, hear(row)?)
    }

    /// One step, for a row that was heard already.
    pub(crate) fn judge(&mut self, row: &Row<'_>, said: Said) -> Result<(), String> {
        if let Some(claim) = &said.claim {
            self.uphold(row, claim)?;
        }
        if let Some(envelope) = said.lesson {
            self.learn(row, *envelope)?;
        }
        self.compare(row.link.position, row.hash)?;
        (self.position, self.hash) = (row.link.position, row.hash);
        Ok(())
    }

    /// Checks what a province signed, with the key that counts at this position.
    fn uphold(&mut self, row: &Row<'_>, claim: &Claim) -> Result<(), String> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let key = match keys.get(&claim.key) {
            Some(Some(key)) => key,
            None if self.partial => return Ok(()),
            _ => return Err("its evidence is signed with a key that did not count here".to_owned()),
        };
        if self.signatures_count {
            if claim.fits.as_ref() != Some(key) {
                fits(key, row).map_err(|it| format!("its evidence: {it}"))?;
            }
            self.signatures += 1;
        }
        Ok(())
    }

    /// Learns keys and checkpoints from the log itself.
    fn learn(&mut self, row: &Row<'_>, envelope: Envelope) -> Result<(), String> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        match (envelope.stream, envelope.event) {
            (StreamName::Province(code), Event::Province(ProvinceEvent::KeyRegistered(it)))
                if it.purpose == KeyPurpose::Sign =>
            {
                let key = signature::public_key(&it.public_key).ok();
                keys.insert((code, it.key_id), key);
            }
            (StreamName::Province(code), Event::Province(ProvinceEvent::KeyRevoked(it))) => {
                keys.insert((code, it.key_id), None);
            }
            (StreamName::Province(code), Event::Province(ProvinceEvent::ProvinceLeft(_))) => {
                keys.iter_mut().filter(|it| it.0.0 == code).for_each(|it| *it.1 = None);
            }
            (_, Event::Keeping(KeepingEvent::CheckpointSigned(it))) => {
                drop(keys);
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
        Event::Province(ProvinceEvent::PublicityStated(it)) if it.sent.is_some() => {
            Err("it is an adapter's word, and nothing shows that the province said it".to_owned())
        }
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

#[cfg(test)]
mod tests {
    use events::envelope::Position;

    use super::*;
    use crate::audit::specimen;
    use crate::log::contract::ORIGIN;
    use crate::log::sqlite::SqliteLog;
    use crate::log::{ReadLog as _, raw::RawBatch};

    #[test]
    fn what_was_found_under_another_key_is_found_again_under_the_one_that_counts() {
        let folder = tempfile::tempdir().unwrap();
        let stranger = ed25519_dalek::SigningKey::from_bytes(&[99; 32]);
        let path = specimen::make_signed_by(folder.path(), &stranger, false);
        let log = SqliteLog::open(&path, ORIGIN).unwrap();
        let all: RawBatch = log.read_all(Position(0), 3).unwrap().into_iter().collect();
        let mut words = Words::new(None, &[]);
        let judged = all.each_stored(|place, stored| {
            let mut room = [0; 41];
            let row = crate::audit::verify::relay::row(ORIGIN, place, stored, &mut room);
            let mut said = hear(&row)?;
            if let Some(claim) = &mut said.claim {
                claim.fits = Some(stranger.verifying_key());
                assert!(fits(&stranger.verifying_key(), &row).is_ok());
            }
            words.judge(&row, said)
        });
        assert!(judged.unwrap_err().contains("does not fit"));
        assert_eq!(words.head().map(|it| it.0), Some(2));
    }
}
