//! A province's membership and keys: what a command leads to, and what an event changes.

use std::collections::BTreeMap;

use events::province::{
    AdapterCertified, KeyExpirySet, KeyPurpose, KeyRegistered, KeyRevoked, MaintenanceDeclared,
    ProvinceEnrolled, ProvinceEvent, ProvinceLeft, ProvincePaused, ProvinceResumed,
    PublicityStated,
};
use events::publicity::Month;
use jiff::Timestamp;

use self::publicity::Told;
use crate::refusal::Refusal;

pub mod publicity;

/// How long an adapter's version may be; the schema of reports says the same.
const ADAPTER_CHARACTERS_MAX: usize = 64;
/// How long a key's name may be.
const KEY_ID_CHARACTERS_MAX: usize = 64;

/// A province as its story tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Province {
    /// It has joined.
    pub enrolled: bool,
    /// It had joined, and left.
    pub left: bool,
    /// Nothing is forwarded now.
    pub paused: bool,
    /// Keys that count, by id.
    pub keys: BTreeMap<String, KeyRegistered>,
    /// The same ids in the order of registration: the latest of a purpose is the one to use.
    pub key_order: Vec<String>,
    /// Until when some of them count: the end of a rotation's overlap.
    pub expiries: BTreeMap<String, Timestamp>,
    /// Ids of keys that do not count any more; an id is never used again.
    pub revoked: std::collections::BTreeSet<String>,
    /// What it declared, latest last.
    pub maintenance: Vec<MaintenanceDeclared>,
    /// Which versions of its adapter passed the conformance kit, each with its latest certificate.
    pub certified: BTreeMap<String, AdapterCertified>,
    /// What it told of its publicity, by month, of the latest months. For recognising what is said
    /// again; the statistics read the log.
    pub publicity: BTreeMap<Month, Told>,
}

/// What somebody wants recorded about a province.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)] // each field is that of the event it leads to
pub enum ProvinceCommand {
    /// Join. A second time: nothing new.
    Enroll { operator: String },
    /// Stop forwarding. A second time: nothing new.
    Pause { operator: String, reason: String },
    /// Go on. When not paused: nothing new.
    Resume { operator: String },
    /// Announce an absence.
    DeclareMaintenance(MaintenanceDeclared),
    /// Let a key count. The same again: nothing new; another key with the same id: refused.
    RegisterKey(KeyRegistered),
    /// Let a key count no more. A second time: nothing new.
    RevokeKey { key_id: String, reason: String },
    /// Let a key count until a moment. The same again: nothing new.
    SetKeyExpiry { key_id: String, until: Timestamp },
    /// Leave: all keys end. A second time: nothing new.
    Leave { operator: String, reason: String },
    /// A version of its adapter passed the kit. The same again: nothing new.
    Certify(AdapterCertified),
    /// Tell what was done to make the service known. The same again: nothing new.
    StatePublicity(PublicityStated),
}

impl Province {
    /// The key of this purpose that was registered last.
    pub fn latest_key(&self, purpose: KeyPurpose) -> Option<&KeyRegistered> {
        let keys = self.key_order.iter().rev().filter_map(|it| self.keys.get(it));
        keys.into_iter().find(|it| it.purpose == purpose)
    }

    /// Until when it said it would be away, if `now` lies in such a time.
    pub fn maintenance_until(&self, now: Timestamp) -> Option<Timestamp> {
        let current = self.maintenance.iter().filter(|it| it.from <= now && now < it.until);
        current.map(|it| it.until).max()
    }

    /// Whether `adapter` has a certificate that is valid at `now`; without a version, whether any has.
    pub fn is_certified(&self, adapter: Option<&str>, now: Timestamp) -> bool {
        let valid = |it: &AdapterCertified| it.expires_at > now;
        match adapter {
            Some(adapter) => self.certified.get(adapter).is_some_and(valid),
            None => self.certified.values().any(valid),
        }
    }

    /// Keys whose time is over and that nobody has revoked yet.
    pub fn expired_keys(&self, now: Timestamp) -> impl Iterator<Item = &str> {
        let over = self.expiries.iter().filter(move |it| *it.1 <= now);
        over.map(|it| it.0.as_str()).filter(|it| self.keys.contains_key(*it))
    }
}

/// What happens because of `command`, or why nothing may. Empty: known already.
pub fn decide(state: &Province, command: &ProvinceCommand) -> Result<Vec<ProvinceEvent>, Refusal> {
    if let ProvinceCommand::Enroll { operator } = command {
        let joined = ProvinceEnrolled { operator: operator.clone() };
        return Ok(if state.enrolled { vec![] } else { vec![joined.into()] });
    }
    if let (ProvinceCommand::Leave { .. }, true) = (command, state.left) {
        return Ok(vec![]);
    }
    if !state.enrolled {
        return Err(Refusal::ProvinceNotEnrolled);
    }
    Ok(match command {
        ProvinceCommand::Enroll { .. } => vec![],
        ProvinceCommand::Pause { operator, reason } => {
            let paused = ProvincePaused { operator: operator.clone(), reason: reason.clone() };
            if state.paused { vec![] } else { vec![paused.into()] }
        }
        ProvinceCommand::Resume { operator } => {
            let resumed = ProvinceResumed { operator: operator.clone() };
            if state.paused { vec![resumed.into()] } else { vec![] }
        }
        ProvinceCommand::DeclareMaintenance(absence) => declare(state, absence)?,
        ProvinceCommand::RegisterKey(key) => register(state, key)?,
        ProvinceCommand::RevokeKey { key_id, reason } => revoke(state, key_id, reason)?,
        ProvinceCommand::SetKeyExpiry { key_id, until } => expire(state, key_id, *until)?,
        ProvinceCommand::Leave { operator, reason } => {
            let (operator, reason) = (operator.clone(), reason.clone());
            vec![ProvinceLeft { operator, reason }.into()]
        }
        ProvinceCommand::Certify(certified) => certify(state, certified)?,
        ProvinceCommand::StatePublicity(it) => publicity::decide(&state.publicity, it)?,
    })
}

fn certify(state: &Province, it: &AdapterCertified) -> Result<Vec<ProvinceEvent>, Refusal> {
    let length = it.adapter_version.chars().count();
    if length == 0 || length > ADAPTER_CHARACTERS_MAX {
        return Err(Refusal::OutOfBounds { field: "adapter_version" });
    }
    // An older certificate handed in late must not shorten a newer one.
    let known = state.certified.get(&it.adapter_version);
    let older = known.is_some_and(|known| known.expires_at >= it.expires_at);
    Ok(if older { vec![] } else { vec![it.clone().into()] })
}

fn declare(state: &Province, absence: &MaintenanceDeclared) -> Result<Vec<ProvinceEvent>, Refusal> {
    if absence.until <= absence.from {
        return Err(Refusal::OutOfBounds { field: "until" });
    }
    if state.maintenance.contains(absence) {
        return Ok(vec![]);
    }
    Ok(vec![absence.clone().into()])
}

fn register(state: &Province, key: &KeyRegistered) -> Result<Vec<ProvinceEvent>, Refusal> {
    if key.key_id.is_empty() || key.key_id.chars().count() > KEY_ID_CHARACTERS_MAX {
        return Err(Refusal::OutOfBounds { field: "key_id" });
    }
    match state.keys.get(&key.key_id) {
        Some(known) if known == key => Ok(vec![]),
        Some(_) => Err(Refusal::KeyExists),
        // An old signature names its key by this id: it must never mean another key.
        None if state.revoked.contains(&key.key_id) => Err(Refusal::KeyExists),
        None => Ok(vec![key.clone().into()]),
    }
}

fn revoke(state: &Province, key_id: &str, reason: &str) -> Result<Vec<ProvinceEvent>, Refusal> {
    if state.revoked.contains(key_id) {
        return Ok(vec![]);
    }
    if !state.keys.contains_key(key_id) {
        return Err(Refusal::UnknownKey);
    }
    Ok(vec![KeyRevoked { key_id: key_id.to_owned(), reason: reason.to_owned() }.into()])
}

fn expire(state: &Province, key_id: &str, until: Timestamp) -> Result<Vec<ProvinceEvent>, Refusal> {
    if !state.keys.contains_key(key_id) {
        return Err(Refusal::UnknownKey);
    }
    if state.expiries.get(key_id) == Some(&until) {
        return Ok(vec![]);
    }
    Ok(vec![KeyExpirySet { key_id: key_id.to_owned(), until }.into()])
}

/// The province after `event`. Total.
pub fn evolve(mut state: Province, event: &ProvinceEvent) -> Province {
    match event {
        ProvinceEvent::ProvinceEnrolled(_) => {
            state.enrolled = true;
            state.left = false;
        }
        ProvinceEvent::ProvincePaused(_) => state.paused = true,
        ProvinceEvent::ProvinceResumed(_) => state.paused = false,
        ProvinceEvent::MaintenanceDeclared(absence) => state.maintenance.push(absence.clone()),
        ProvinceEvent::AdapterCertified(it) => {
            state.certified.insert(it.adapter_version.clone(), it.clone());
        }
        ProvinceEvent::KeyRegistered(key) => {
            state.keys.insert(key.key_id.clone(), key.clone());
            state.key_order.push(key.key_id.clone());
        }
        ProvinceEvent::KeyRevoked(revoked) => end_key(&mut state, &revoked.key_id),
        ProvinceEvent::KeyExpirySet(set) => {
            state.expiries.insert(set.key_id.clone(), set.until);
        }
        ProvinceEvent::PublicityStated(it) => {
            publicity::evolve(&mut state.publicity, it);
        }
        ProvinceEvent::ProvinceLeft(_) => {
            for key_id in std::mem::take(&mut state.key_order) {
                end_key(&mut state, &key_id);
            }
            state.enrolled = false;
            state.left = true;
            state.paused = false;
        }
    }
    state
}

fn end_key(state: &mut Province, key_id: &str) {
    state.keys.remove(key_id);
    state.key_order.retain(|it| it != key_id);
    state.expiries.remove(key_id);
    state.revoked.insert(key_id.to_owned());
}
