//! A province's membership as its story tells it: each key since when, until when, and why no longer.

use events::envelope::{Event, Recorded};
use events::ids::{ProvinceCode, StreamName};
use events::province::{KeyPurpose, ProvinceEvent};
use hub_core::province::{Province, evolve};
use jiff::Timestamp;
use serde::Serialize;

use crate::log::{ReadError, ReadLog};

/// Everything that an operator asks about a province's membership.
#[derive(Debug, Serialize)]
pub struct ProvinceFacts {
    /// Its two digits.
    pub code: ProvinceCode,
    /// In Chinese.
    pub name: &'static str,
    /// In English.
    pub name_en: &'static str,
    /// It has joined.
    pub enrolled: bool,
    /// It had joined, and left.
    pub left: bool,
    /// Nothing is forwarded now.
    pub paused: bool,
    /// It said that it is away now, until then.
    pub maintenance_until: Option<Timestamp>,
    /// All keys that ever counted, oldest first.
    pub keys: Vec<KeyFacts>,
    /// What it declared, oldest first.
    pub maintenance: Vec<MaintenanceFacts>,
    /// The last certificate of its adapter.
    pub certificate: Option<CertificateFacts>,
}

/// One key.
#[derive(Debug, Serialize)]
pub struct KeyFacts {
    /// Its name.
    pub key_id: String,
    /// What it is for.
    pub purpose: KeyPurpose,
    /// Its algorithm.
    pub algorithm: String,
    /// The public half.
    pub public_key: String,
    /// To compare by telephone.
    pub fingerprint: String,
    /// From when it counted.
    pub since: Timestamp,
    /// When it will end by itself.
    pub until: Option<Timestamp>,
    /// When it ended.
    pub revoked_at: Option<Timestamp>,
    /// Why.
    pub revoked_because: Option<String>,
}

/// One declared absence.
#[derive(Debug, Serialize)]
pub struct MaintenanceFacts {
    /// From.
    pub from: Timestamp,
    /// Until.
    pub until: Timestamp,
    /// Why.
    pub reason: String,
}

/// One certificate.
#[derive(Debug, Serialize)]
pub struct CertificateFacts {
    /// Of which adapter.
    pub adapter_version: String,
    /// By which kit.
    pub kit_version: String,
    /// Until when it is valid.
    pub expires_at: Timestamp,
}

/// The facts of one province at `now`.
pub fn of(
    log: &dyn ReadLog,
    code: ProvinceCode,
    now: Timestamp,
) -> Result<ProvinceFacts, ReadError> {
    let story = log.read_stream(&StreamName::Province(code))?;
    let mut state = Province::default();
    let (mut keys, mut certificate) = (Vec::new(), None);
    for recorded in &story {
        let Event::Province(event) = &recorded.envelope.event else { continue };
        note(&mut keys, &mut certificate, recorded, event);
        state = evolve(state, event);
    }
    let maintenance = state.maintenance.iter().map(|it| MaintenanceFacts {
        from: it.from,
        until: it.until,
        reason: it.reason.clone(),
    });
    Ok(ProvinceFacts {
        code,
        name: code.name(),
        name_en: code.name_en(),
        enrolled: state.enrolled,
        left: state.left,
        paused: state.paused,
        maintenance_until: state.maintenance_until(now),
        maintenance: maintenance.collect(),
        keys,
        certificate,
    })
}

fn note(
    keys: &mut Vec<KeyFacts>,
    certificate: &mut Option<CertificateFacts>,
    recorded: &Recorded,
    event: &ProvinceEvent,
) {
    let at = recorded.recorded_at;
    match event {
        ProvinceEvent::KeyRegistered(it) => keys.push(KeyFacts {
            key_id: it.key_id.clone(),
            purpose: it.purpose,
            algorithm: it.algorithm.clone(),
            public_key: it.public_key.clone(),
            fingerprint: events::enrolment::fingerprint(&it.public_key),
            since: at,
            until: None,
            revoked_at: None,
            revoked_because: None,
        }),
        ProvinceEvent::KeyExpirySet(it) => {
            keys.iter_mut().filter(|key| key.key_id == it.key_id).for_each(|key| {
                key.until = Some(it.until);
            });
        }
        ProvinceEvent::KeyRevoked(it) => {
            keys.iter_mut().filter(|key| key.key_id == it.key_id).for_each(|key| {
                end(key, at, &it.reason);
            });
        }
        ProvinceEvent::ProvinceLeft(it) => {
            let counting = keys.iter_mut().filter(|key| key.revoked_at.is_none());
            counting.for_each(|key| end(key, at, &it.reason));
        }
        ProvinceEvent::AdapterCertified(it) => {
            *certificate = Some(CertificateFacts {
                adapter_version: it.adapter_version.clone(),
                kit_version: it.kit_version.clone(),
                expires_at: it.expires_at,
            });
        }
        ProvinceEvent::ProvinceEnrolled(_)
        | ProvinceEvent::ProvincePaused(_)
        | ProvinceEvent::ProvinceResumed(_)
        | ProvinceEvent::MaintenanceDeclared(_)
        | ProvinceEvent::PublicityStated(_) => {}
    }
}

fn end(key: &mut KeyFacts, at: Timestamp, reason: &str) {
    key.revoked_at = Some(at);
    key.revoked_because = Some(reason.to_owned());
}
