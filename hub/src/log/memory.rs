//! A log in memory: for tests and simulation. Durable until the process ends.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use events::envelope::{Position, Recorded, Version};
use events::ids::StreamName;
use events::proof::Hash;

use crate::log::batch::{Head, Place, fits};
use crate::log::{Append, AppendError, Conflict, EventLog, ReadError, ReadLog, Readers, SenderKey};

/// The writer of a log in memory.
pub struct MemoryLog {
    store: Arc<Store>,
    epoch: u64,
}

/// A reader of a log in memory.
struct MemoryReader(Arc<Store>);

struct Store {
    origin: String,
    inside: Mutex<Inside>,
}

#[derive(Default)]
struct Inside {
    epoch: u64,
    events: Vec<Recorded>,
    streams: HashMap<StreamName, Vec<usize>>,
    keys: BTreeMap<SenderKey, StreamName>,
}

impl MemoryLog {
    /// An empty log.
    pub fn new(origin: &str) -> Self {
        let inside = Mutex::new(Inside { epoch: 1, ..Inside::default() });
        Self { store: Arc::new(Store { origin: origin.to_owned(), inside }), epoch: 1 }
    }

    /// The same log as its next writer sees it; this one is fenced from now on.
    pub fn reopen(&self) -> Self {
        let mut inside = self.store.lock();
        inside.epoch += 1;
        Self { store: Arc::clone(&self.store), epoch: inside.epoch }
    }

    /// Readers of the same log.
    pub fn readers(&self) -> Readers {
        let store = Arc::clone(&self.store);
        Readers::new(move || Ok(Box::new(MemoryReader(Arc::clone(&store)))))
    }
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_stream(&self, stream: &StreamName) -> Vec<Recorded> {
        let inside = self.lock();
        let Some(places) = inside.streams.get(stream) else { return Vec::new() };
        places.iter().map(|it| inside.events[*it].clone()).collect()
    }

    fn read_all(&self, after: Position, count_max: usize) -> Vec<Recorded> {
        let after = usize::try_from(after.0).unwrap_or(usize::MAX);
        self.lock().events.iter().skip(after).take(count_max).cloned().collect()
    }

    fn read_keys(
        &self,
        after: Option<&SenderKey>,
        count_max: usize,
    ) -> Vec<(SenderKey, StreamName)> {
        let from = after.map_or(Bound::Unbounded, |it| Bound::Excluded(*it));
        let inside = self.lock();
        let keys = inside.keys.range((from, Bound::Unbounded)).take(count_max);
        keys.map(|(key, stream)| (*key, *stream)).collect()
    }

    fn head(&self) -> Option<(Position, Hash)> {
        self.lock().events.last().map(|it| (it.position, it.hash))
    }
}

impl Inside {
    fn conflict(&self, item: &Append) -> Option<Conflict> {
        if let Some(stream) = item.key.and_then(|key| self.keys.get(&key)) {
            return Some(Conflict::KeyUsed { stream: *stream });
        }
        let actual = self.streams.get(&item.stream).map(|it| Version(it.len() as u64));
        let fits = fits(item.expected, actual);
        (!fits).then_some(Conflict::Version { stream: item.stream, actual })
    }

    fn append(&mut self, origin: &str, head: &mut Head, item: Append) -> Vec<Recorded> {
        if let Some(key) = item.key {
            self.keys.insert(key, item.stream);
        }
        let epoch = self.epoch;
        let stream = item.stream.to_string();
        let places = self.streams.entry(item.stream).or_default();
        let mut recorded = Vec::with_capacity(item.events.len());
        for envelope in item.events {
            let version = Version(places.len() as u64 + 1);
            let recorded_at = item.recorded_at;
            let place = Place { origin, stream: &stream, version, recorded_at, epoch };
            places.push(self.events.len());
            self.events.push(head.link(&place, envelope));
            recorded.extend(self.events.last().cloned());
        }
        recorded
    }
}

impl EventLog for MemoryLog {
    fn append(
        &mut self,
        batch: Vec<Append>,
    ) -> Result<Vec<Result<Vec<Recorded>, Conflict>>, AppendError> {
        let mut inside = self.store.lock();
        if inside.epoch != self.epoch {
            return Err(AppendError::Fenced { epoch: self.epoch });
        }
        let mut head = inside.events.last().map_or(Head::EMPTY, Head::after);
        head.check(&batch);
        let answer = batch.into_iter().map(|item| match inside.conflict(&item) {
            Some(conflict) => Err(conflict),
            None => Ok(inside.append(&self.store.origin, &mut head, item)),
        });
        Ok(answer.collect())
    }

    fn epoch(&self) -> u64 {
        self.epoch
    }
}

impl ReadLog for MemoryLog {
    fn read_stream(&self, stream: &StreamName) -> Result<Vec<Recorded>, ReadError> {
        Ok(self.store.read_stream(stream))
    }
    fn read_all(&self, after: Position, count_max: usize) -> Result<Vec<Recorded>, ReadError> {
        Ok(self.store.read_all(after, count_max))
    }
    fn head(&self) -> Result<Option<(Position, Hash)>, ReadError> {
        Ok(self.store.head())
    }
    fn find_key(&self, key: &SenderKey) -> Result<Option<StreamName>, ReadError> {
        Ok(self.store.lock().keys.get(key).copied())
    }
    fn read_keys(
        &self,
        after: Option<&SenderKey>,
        count_max: usize,
    ) -> Result<Vec<(SenderKey, StreamName)>, ReadError> {
        Ok(self.store.read_keys(after, count_max))
    }
    fn origin(&self) -> &str {
        &self.store.origin
    }
}

impl ReadLog for MemoryReader {
    fn read_stream(&self, stream: &StreamName) -> Result<Vec<Recorded>, ReadError> {
        Ok(self.0.read_stream(stream))
    }
    fn read_all(&self, after: Position, count_max: usize) -> Result<Vec<Recorded>, ReadError> {
        Ok(self.0.read_all(after, count_max))
    }
    fn head(&self) -> Result<Option<(Position, Hash)>, ReadError> {
        Ok(self.0.head())
    }
    fn find_key(&self, key: &SenderKey) -> Result<Option<StreamName>, ReadError> {
        Ok(self.0.lock().keys.get(key).copied())
    }
    fn read_keys(
        &self,
        after: Option<&SenderKey>,
        count_max: usize,
    ) -> Result<Vec<(SenderKey, StreamName)>, ReadError> {
        Ok(self.0.read_keys(after, count_max))
    }
    fn origin(&self) -> &str {
        &self.0.origin
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::contract;

    #[test]
    fn it_keeps_the_contract() {
        contract::check_all(|| Box::new(MemoryLog::new(contract::ORIGIN)));
    }

    #[test]
    fn a_writer_is_fenced_by_the_next() {
        let mut first = MemoryLog::new(contract::ORIGIN);
        let mut second = first.reopen();
        let batch = || vec![contract::Maker::default().noted(1)];
        assert!(matches!(first.append(batch()), Err(AppendError::Fenced { epoch: 1 })));
        assert_eq!(second.append(batch()).unwrap()[0].as_ref().unwrap()[0].epoch, 2);
    }
}
