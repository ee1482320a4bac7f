//! A log whose next append may fail as disks fail: before it is written, or after, with nobody knowing.

use std::sync::{Arc, Mutex, PoisonError};

use events::envelope::{Position, Recorded};
use events::ids::StreamName;
use events::proof::Hash;
use hub::log::{Append, AppendError, Conflict, EventLog, ReadError, ReadLog, SenderKey};

/// What happens at the next append.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mishap {
    /// Nothing.
    #[default]
    None,
    /// It is not written, and the outcome is unknown.
    BeforeWriting,
    /// It is written, and the outcome is unknown.
    AfterWriting,
}

/// Tells a log what happens next; copies tell the same one.
#[derive(Debug, Clone, Default)]
pub struct Luck(Arc<Mutex<Mishap>>);

impl Luck {
    /// The next append goes wrong like this.
    pub fn expect(&self, mishap: Mishap) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = mishap;
    }

    /// Nothing goes wrong.
    pub fn get_better(&self) {
        self.expect(Mishap::None);
    }

    fn take(&self) -> Mishap {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A log with luck.
pub struct UnluckyLog {
    /// The real one.
    pub log: Box<dyn EventLog>,
    /// What happens next.
    pub luck: Luck,
}

impl EventLog for UnluckyLog {
    fn append(
        &mut self,
        batch: Vec<Append>,
    ) -> Result<Vec<Result<Vec<Recorded>, Conflict>>, AppendError> {
        match self.luck.take() {
            Mishap::None => self.log.append(batch),
            Mishap::BeforeWriting => Err(AppendError::Unknown("the test says so".into())),
            Mishap::AfterWriting => {
                self.log.append(batch)?;
                Err(AppendError::Unknown("the test says so".into()))
            }
        }
    }
    fn epoch(&self) -> u64 {
        self.log.epoch()
    }
    fn rest(&mut self) -> Result<(), AppendError> {
        self.log.rest()
    }
}

impl ReadLog for UnluckyLog {
    fn read_stream(&self, stream: &StreamName) -> Result<Vec<Recorded>, ReadError> {
        self.log.read_stream(stream)
    }
    fn read_all(&self, after: Position, count_max: usize) -> Result<Vec<Recorded>, ReadError> {
        self.log.read_all(after, count_max)
    }
    fn head(&self) -> Result<Option<(Position, Hash)>, ReadError> {
        self.log.head()
    }
    fn find_key(&self, key: &SenderKey) -> Result<Option<StreamName>, ReadError> {
        self.log.find_key(key)
    }
    fn origin(&self) -> &str {
        self.log.origin()
    }
}
