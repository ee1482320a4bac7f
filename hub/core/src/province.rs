//! A province's membership and keys: what a command leads to, and what an event changes.

use std::collections::BTreeMap;

use events::province::{KeyRegistered, MaintenanceDeclared, ProvinceEvent};

use crate::refusal::Refusal;

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
    let _ = (state, command);
    todo!()
}

/// The province after `event`. Total.
pub fn evolve(state: Province, event: &ProvinceEvent) -> Province {
    let _ = event;
    state
}
