//! Sealing and opening. Both sides share what was unwrapped lately; only the sealer makes keys.
//!
//! A sealed part belongs to one event of one case of one log. Its associated data is
//! length(origin) as eight bytes big-endian ‖ origin ‖ event id (16 bytes) ‖ case id (16 bytes);
//! the algorithm stands in the sealed form's first byte (`events::proof::seal`).

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use events::ids::{CaseId, EventId};
use events::proof::{Digest, seal};
use lru::LruCache;
use zeroize::Zeroizing;

use super::aside::{Aside, Made};
use super::keys::{Found, KeyFile};
use super::wrapping::{WrappingKey, random};
use super::{OpenPersonal, SealPersonal, VaultError};

/// How many unwrapped case keys are kept in memory.
const KEYS_CACHED_MAX: NonZeroUsize = NonZeroUsize::new(100_000).expect("it is not zero");

type CaseKey = Arc<Zeroizing<[u8; 32]>>;

/// What sealer and opener share.
pub(super) struct Shared {
    origin: String,
    wrapping: WrappingKey,
    cached: Mutex<Cached>,
}

struct Cached {
    /// Made, not yet durable: nobody may forget them.
    fresh: HashMap<CaseId, CaseKey>,
    /// Unwrapped lately.
    known: LruCache<CaseId, CaseKey>,
    /// Grows with each destruction: a key that was read before must not be kept after.
    destructions: u64,
}

impl Shared {
    pub(super) fn new(origin: String, wrapping: WrappingKey) -> Arc<Self> {
        let known = LruCache::new(KEYS_CACHED_MAX);
        let cached = Mutex::new(Cached { fresh: HashMap::new(), known, destructions: 0 });
        Arc::new(Self { origin, wrapping, cached })
    }

    fn cached(&self) -> MutexGuard<'_, Cached> {
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn associated(&self, case: CaseId, event: EventId) -> Vec<u8> {
        let length = (self.origin.len() as u64).to_be_bytes();
        [&length, self.origin.as_bytes(), event.0.as_bytes(), case.0.as_bytes()].concat()
    }

    /// Fresh keys are durable now, or forgotten: nothing that they sealed will be recorded.
    fn settle(&self, made: Made, durable: bool) {
        let mut cached = self.cached();
        for (case, _) in made {
            if let Some(key) = cached.fresh.remove(&case)
                && durable
            {
                cached.known.put(case, key);
            }
        }
    }

    /// A case's key from memory or from `find`; `None` if none was ever made.
    fn key(
        &self,
        case: CaseId,
        find: impl FnOnce() -> Result<Found, VaultError>,
    ) -> Result<Option<CaseKey>, VaultError> {
        let destructions = {
            let mut cached = self.cached();
            if let Some(key) = cached.fresh.get(&case) {
                return Ok(Some(key.clone()));
            }
            if let Some(key) = cached.known.get(&case) {
                return Ok(Some(key.clone()));
            }
            cached.destructions
        };
        match find()? {
            Found::Nothing => Ok(None),
            Found::Destroyed => Err(VaultError::NoKey { case }),
            Found::Wrapped(wrapped) => {
                let key = self.wrapping.unwrap(case, &wrapped);
                let key = Arc::new(key.ok_or(VaultError::DoesNotOpen { case })?);
                let mut cached = self.cached();
                if cached.destructions == destructions {
                    cached.known.put(case, key.clone());
                }
                Ok(Some(key))
            }
        }
    }
}

/// The side that seals and makes keys; there is one, in the registrar's thread.
pub(super) struct Maker {
    shared: Arc<Shared>,
    /// Not here while keys become durable aside.
    file: Option<KeyFile>,
    aside: Option<Aside>,
    /// Wrapped, waiting for `make_durable`.
    made: Made,
}

impl Maker {
    pub(super) fn new(shared: Arc<Shared>, file: KeyFile) -> Self {
        Self { shared, file: Some(file), aside: Aside::start(), made: Vec::new() }
    }

    /// The file, after waiting for what was begun.
    fn file(&mut self) -> Result<&mut KeyFile, VaultError> {
        if self.file.is_none() {
            self.make_durable()?;
        }
        self.file.as_mut().ok_or_else(lost)
    }

    fn key_or_make(&mut self, case: CaseId) -> Result<CaseKey, VaultError> {
        let shared = self.shared.clone();
        let file = self.file()?;
        if let Some(key) = shared.key(case, || file.find(case))? {
            return Ok(key);
        }
        let key = Arc::new(random::<32>());
        self.made.push((case, self.shared.wrapping.wrap(case, &key, *random::<12>())));
        self.shared.cached().fresh.insert(case, key.clone());
        Ok(key)
    }
}

impl SealPersonal for Maker {
    fn seal(&mut self, case: CaseId, event: EventId, plain: &[u8]) -> Result<Vec<u8>, VaultError> {
        let key = self.key_or_make(case)?;
        Ok(seal::seal(&key, *random::<12>(), &self.shared.associated(case, event), plain))
    }

    fn begin_durable(&mut self) {
        let Some(aside) = self.aside.as_ref().filter(|_| !self.made.is_empty()) else { return };
        let Some(file) = self.file.take() else { return };
        if let Some((file, made)) = aside.begin(file, std::mem::take(&mut self.made)) {
            (self.file, self.made) = (Some(file), made);
        }
    }

    fn make_durable(&mut self) -> Result<(), VaultError> {
        if self.file.is_none() {
            let begun = self.aside.as_ref().and_then(Aside::finish).ok_or_else(lost)?;
            self.file = Some(begun.file);
            self.shared.settle(begun.keys, begun.outcome.is_ok());
            begun.outcome?;
        }
        if self.made.is_empty() {
            return Ok(());
        }
        let file = self.file.as_mut().ok_or_else(lost)?;
        let made = std::mem::take(&mut self.made);
        let kept = file.keep(&made);
        self.shared.settle(made, kept.is_ok());
        kept
    }

    fn destroy(&mut self, case: CaseId) -> Result<(), VaultError> {
        self.made.retain(|it| it.0 != case);
        let destroyed = self.file().and_then(|it| it.destroy(case));
        let mut cached = self.shared.cached();
        cached.destructions += 1;
        cached.fresh.remove(&case);
        cached.known.pop(&case);
        destroyed
    }
}

/// The thread that held the file died. Whether its keys are durable is unknown.
fn lost() -> VaultError {
    VaultError::Store { what: "get back", source: "the thread that held it died".into() }
}

/// The side that opens.
pub(super) struct Reader {
    shared: Arc<Shared>,
    file: Mutex<KeyFile>,
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, file: KeyFile) -> Self {
        Self { shared, file: Mutex::new(file) }
    }

    fn find(&self, case: CaseId) -> Result<Found, VaultError> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner).find(case)
    }

    fn key(&self, case: CaseId) -> Result<CaseKey, VaultError> {
        self.shared.key(case, || self.find(case))?.ok_or(VaultError::NoKey { case })
    }
}

impl OpenPersonal for Reader {
    fn open(&self, case: CaseId, event: EventId, sealed: &[u8]) -> Result<Vec<u8>, VaultError> {
        let key = self.key(case)?;
        seal::open(&key, &self.shared.associated(case, event), sealed)
            .map_err(|_| VaultError::DoesNotOpen { case })
    }

    fn reply_key(&self, case: CaseId) -> Result<[u8; 32], VaultError> {
        Ok(seal::derive(&*self.key(case)?, "reply"))
    }

    fn is_destroyed(&self, case: CaseId) -> Result<bool, VaultError> {
        Ok(matches!(self.find(case)?, Found::Destroyed))
    }

    fn fingerprint(&self, bytes: &[u8]) -> Digest {
        self.shared.wrapping.fingerprint(bytes)
    }

    fn blind_index(&self, field: &str, value: &str) -> Digest {
        self.shared.wrapping.blind_index(field, value)
    }

    fn seal_stray(&self, label: &str, plain: &[u8]) -> Vec<u8> {
        self.shared.wrapping.seal_stray(label, plain)
    }

    fn open_stray(&self, label: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        self.shared.wrapping.open_stray(label, sealed)
    }
}
