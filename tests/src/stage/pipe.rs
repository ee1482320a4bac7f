//! The pipe instead of a broker: it has what it was given, says what it is told to say, and may kill.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use events::ids::ProvinceCode;
use hub::router::connector::{Connector, Outgoing, PublishError};
use tokio::sync::Notify;

/// What the pipe does with what it is given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Mood {
    /// Takes it and says so.
    #[default]
    Works,
    /// There is no connection.
    Away,
    /// Takes it, and nobody hears that it did.
    TakesSilently,
    /// Says that it has it, and has not.
    Swallows,
    /// Takes it, and the hub dies before it hears so.
    TakesAndKills,
}

/// One pipe; copies are the same.
#[derive(Clone, Default)]
pub struct Pipe(Arc<Shared>);

#[derive(Default)]
struct Shared {
    inside: Mutex<Inside>,
    died: Notify,
}

#[derive(Default)]
struct Inside {
    mood: Mood,
    dead: bool,
    sent: Vec<(ProvinceCode, Outgoing)>,
}

impl Pipe {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.0.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From here on.
    pub fn set(&self, mood: Mood) {
        self.inside().mood = mood;
    }

    /// What was sent since the last call.
    pub fn fetch(&self) -> Vec<(ProvinceCode, Outgoing)> {
        std::mem::take(&mut self.inside().sent)
    }

    /// Returns when the hub has died.
    pub async fn dead(&self) {
        loop {
            let heard = self.0.died.notified();
            if self.inside().dead {
                return;
            }
            heard.await;
        }
    }

    /// After the crash the next hub is well.
    pub fn live_again(&self) {
        let mut inside = self.inside();
        inside.dead = false;
        if inside.mood == Mood::TakesAndKills {
            inside.mood = Mood::Works;
        }
    }
}

/// `hub.v1.work.22.case` is for 22.
fn addressee(subject: &str) -> ProvinceCode {
    let token = subject.split('.').nth(3).expect("a work subject has five tokens");
    token.parse().expect("the fourth is a province")
}

impl Connector for Pipe {
    async fn publish(&self, messages: Vec<Outgoing>) -> Vec<Result<(), PublishError>> {
        let count = messages.len();
        let mood = {
            let mut inside = self.inside();
            let mood = inside.mood;
            if !matches!(mood, Mood::Away | Mood::Swallows) {
                inside.sent.extend(messages.into_iter().map(|it| (addressee(&it.subject), it)));
            }
            inside.dead |= mood == Mood::TakesAndKills && count > 0;
            mood
        };
        let answer = || match mood {
            Mood::Works | Mood::Swallows | Mood::TakesAndKills => Ok(()),
            Mood::Away => Err(PublishError::NotConnected),
            Mood::TakesSilently => Err(PublishError::Unknown),
        };
        if mood == Mood::TakesAndKills && count > 0 {
            self.0.died.notify_waiters();
            std::future::pending::<()>().await;
        }
        (0..count).map(|_| answer()).collect()
    }
}
