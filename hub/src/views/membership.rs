//! Who is enrolled, paused, and by which keys known: folded in memory from the province streams.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use ed25519_dalek::VerifyingKey;
use events::envelope::{Event, Recorded};
use events::ids::{ProvinceCode, StreamName};
use events::proof::signature::{self, SignatureError};
use events::province::KeyPurpose;
use hub_core::province::{Province, evolve};
use jiff::Timestamp;

use crate::log::{ReadError, ReadLog};

/// The provinces as the log tells them. Copies share.
#[derive(Debug, Clone, Default)]
pub struct Membership {
    provinces: Arc<RwLock<BTreeMap<ProvinceCode, Province>>>,
    certificates: Arc<OnceLock<CertificateRules>>,
}

/// Whose certificates of conformance count here, and whether one is needed.
#[derive(Debug, Clone, Default)]
pub struct CertificateRules {
    /// Test centres' keys, by the names in their signatures.
    pub trusted: BTreeMap<String, VerifyingKey>,
    /// Nothing is forwarded to, and no report is taken from, an adapter without a valid one.
    pub required: bool,
}

impl Membership {
    /// As the log has it now.
    pub fn load(log: &dyn ReadLog) -> Result<Self, ReadError> {
        let membership = Self::default();
        for province in ProvinceCode::all() {
            for recorded in log.read_stream(&StreamName::Province(province))? {
                membership.apply(&recorded);
            }
        }
        Ok(membership)
    }

    /// Forgets what it knows and takes what the log has now; copies see it at once.
    pub(crate) fn reload(&self, log: &dyn ReadLog) -> Result<(), ReadError> {
        let loaded = Self::load(log)?;
        let fresh =
            std::mem::take(&mut *loaded.provinces.write().unwrap_or_else(PoisonError::into_inner));
        *self.provinces.write().unwrap_or_else(PoisonError::into_inner) = fresh;
        Ok(())
    }

    /// Takes one more event into account; others than a province's change nothing.
    pub fn apply(&self, recorded: &Recorded) {
        if let (StreamName::Province(code), Event::Province(event)) =
            (recorded.envelope.stream, &recorded.envelope.event)
        {
            let mut provinces = self.provinces.write().unwrap_or_else(PoisonError::into_inner);
            let before = provinces.remove(&code).unwrap_or_default();
            provinces.insert(code, evolve(before, event));
        }
    }

    /// One province; nothing known of it yields an unenrolled one.
    pub fn province(&self, code: ProvinceCode) -> Province {
        self.provinces
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&code)
            .cloned()
            .unwrap_or_default()
    }

    /// Whether nothing may be forwarded to it now.
    pub fn is_paused(&self, code: ProvinceCode) -> bool {
        let provinces = self.provinces.read().unwrap_or_else(PoisonError::into_inner);
        provinces.get(&code).is_none_or(|it| it.paused || !it.enrolled)
    }

    /// Says once, before anybody asks, which certificates count; until then none is needed.
    pub fn demand_certificates(&self, rules: CertificateRules) {
        // A second call would change the rules under somebody's feet: the first counts.
        let _ = self.certificates.set(rules);
    }

    /// The key of a test centre that is trusted here.
    pub fn test_centre(&self, key_id: &str) -> Option<VerifyingKey> {
        self.certificates.get()?.trusted.get(key_id).copied()
    }

    /// Whether a needed certificate is missing or expired: of this version of the adapter, or, where
    /// no version is known yet, of any.
    pub fn lacks_certificate(
        &self,
        code: ProvinceCode,
        adapter: Option<&str>,
        now: Timestamp,
    ) -> bool {
        let required = self.certificates.get().is_some_and(|it| it.required);
        required && !self.province(code).is_certified(adapter, now)
    }

    /// All that are enrolled.
    pub fn enrolled(&self) -> Vec<ProvinceCode> {
        let provinces = self.provinces.read().unwrap_or_else(PoisonError::into_inner);
        provinces.iter().filter(|it| it.1.enrolled).map(|it| *it.0).collect()
    }

    /// The public key that checks a report's signature; the algorithm is the registry's.
    pub fn sign_key(
        &self,
        code: ProvinceCode,
        key_id: &str,
    ) -> Option<Result<ed25519_dalek::VerifyingKey, SignatureError>> {
        let provinces = self.provinces.read().unwrap_or_else(PoisonError::into_inner);
        let key = provinces.get(&code)?.keys.get(key_id)?;
        (key.purpose == KeyPurpose::Sign && key.algorithm == "ed25519")
            .then(|| signature::public_key(&key.public_key))
    }

    /// The key to seal to: the latest registered one. (key id, public key in base64url)
    pub fn seal_key(&self, code: ProvinceCode) -> Option<(String, String)> {
        let provinces = self.provinces.read().unwrap_or_else(PoisonError::into_inner);
        let key = provinces.get(&code)?.latest_key(KeyPurpose::Seal)?;
        if key.algorithm != "x25519" {
            return None;
        }
        Some((key.key_id.clone(), key.public_key.clone()))
    }
}
