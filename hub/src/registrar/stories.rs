//! The stories that the registrar remembers: what the log says, folded, so that it need not be read again.
//!
//! Within a batch they run ahead of the log. Whatever was not recorded after all is forgotten and
//! read again, so that memory never says anything but the log.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use events::envelope::{Event, Version};
use events::ids::{CaseId, ProvinceCode, StreamName};
use hub_core::case::Case;
use hub_core::province::Province;
use lru::LruCache;

use super::BATCH_MAX;
use crate::log::{Expected, ReadError, ReadLog};

/// A story folded, and how long it is.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Told<S> {
    pub(super) state: S,
    /// Its last version; 0: it does not exist yet.
    pub(super) version: u64,
}

/// What an append to a story of `version` events builds on.
pub(super) fn expected(version: u64) -> Expected {
    if version == 0 { Expected::NoStream } else { Expected::At(Version(version)) }
}

/// Cases, as many as were used lately, and provinces.
pub(super) struct Stories {
    cases: LruCache<CaseId, Told<Option<Case>>>,
    provinces: BTreeMap<ProvinceCode, Told<Province>>,
}

impl Stories {
    pub(super) fn new(cases_max: usize) -> Self {
        // A batch must never push out what it has itself changed: the log does not know that yet.
        let cases_max = NonZeroUsize::MIN.saturating_add(cases_max.max(2 * BATCH_MAX));
        Self { cases: LruCache::new(cases_max), provinces: BTreeMap::new() }
    }

    /// A case's story, from memory or from the log.
    pub(super) fn case(
        &mut self,
        log: &dyn ReadLog,
        case: CaseId,
    ) -> Result<&mut Told<Option<Case>>, ReadError> {
        self.cases.try_get_or_insert_mut(case, || {
            let mut told = Told::default();
            for recorded in log.read_stream(&StreamName::Case(case))? {
                if let Event::Case(event) = &recorded.envelope.event {
                    told.state = hub_core::case::evolve(told.state, event);
                }
                told.version = recorded.version.0;
            }
            Ok(told)
        })
    }

    /// A province's story, from memory or from the log.
    pub(super) fn province(
        &mut self,
        log: &dyn ReadLog,
        province: ProvinceCode,
    ) -> Result<&mut Told<Province>, ReadError> {
        use std::collections::btree_map::Entry;
        let entry = match self.provinces.entry(province) {
            Entry::Occupied(known) => return Ok(known.into_mut()),
            Entry::Vacant(entry) => entry,
        };
        let mut told = Told::default();
        for recorded in log.read_stream(&StreamName::Province(province))? {
            if let Event::Province(event) = &recorded.envelope.event {
                told.state = hub_core::province::evolve(told.state, event);
            }
            told.version = recorded.version.0;
        }
        Ok(entry.insert(told))
    }

    pub(super) fn forget_case(&mut self, case: CaseId) {
        self.cases.pop(&case);
    }

    pub(super) fn forget_province(&mut self, province: ProvinceCode) {
        self.provinces.remove(&province);
    }

    #[cfg(test)]
    pub(super) fn remembered(&self) -> impl Iterator<Item = (&CaseId, &Told<Option<Case>>)> {
        self.cases.iter()
    }
}
