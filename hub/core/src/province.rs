//! A province's membership and keys: what a command leads to, and what an event changes.

use std::collections::BTreeMap;

use events::province::{
    KeyRegistered, KeyRevoked, MaintenanceDeclared, ProvinceEnrolled, ProvinceEvent,
    ProvincePaused, ProvinceResumed,
};

use crate::refusal::Refusal;

/// How long a key's name may be.
const KEY_ID_CHARACTERS_MAX: usize = 64;

/// A province as its story tells it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Province {
    /// It has joined.
    pub enrolled: bool,
    /// Nothing is forwarded now.
    pub paused: bool,
    /// Keys that count, by id.
    pub keys: BTreeMap<String, KeyRegistered>,
    /// Ids of keys that do not count any more; an id is never used again.
    pub revoked: std::collections::BTreeSet<String>,
    /// What it declared, latest last.
    pub maintenance: Vec<MaintenanceDeclared>,
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
}

/// What happens because of `command`, or why nothing may. Empty: known already.
pub fn decide(state: &Province, command: &ProvinceCommand) -> Result<Vec<ProvinceEvent>, Refusal> {
    if let ProvinceCommand::Enroll { operator } = command {
        let joined = ProvinceEnrolled { operator: operator.clone() };
        return Ok(if state.enrolled { vec![] } else { vec![joined.into()] });
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
    })
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

/// The province after `event`. Total.
pub fn evolve(mut state: Province, event: &ProvinceEvent) -> Province {
    match event {
        ProvinceEvent::ProvinceEnrolled(_) => state.enrolled = true,
        ProvinceEvent::ProvincePaused(_) => state.paused = true,
        ProvinceEvent::ProvinceResumed(_) => state.paused = false,
        ProvinceEvent::MaintenanceDeclared(absence) => state.maintenance.push(absence.clone()),
        // A certificate is shown to operators; no rule rests on it.
        ProvinceEvent::AdapterCertified(_) => {}
        ProvinceEvent::KeyRegistered(key) => {
            state.keys.insert(key.key_id.clone(), key.clone());
        }
        ProvinceEvent::KeyRevoked(revoked) => {
            state.keys.remove(&revoked.key_id);
            state.revoked.insert(revoked.key_id.clone());
        }
    }
    state
}
