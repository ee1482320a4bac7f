//! Load the story, decide, append: one thread, group commit. The only road into the log.

mod deciding;
mod desk;
mod known;
mod published;
mod stamps;
pub mod starting;
mod stories;
#[cfg(test)]
mod tests;
mod traced;

use std::sync::{Arc, PoisonError, RwLock};

use events::case::CaseEvent;
use events::envelope::{Actor, Evidence, Recorded};
use events::ids::{CaseId, ProvinceCode};
use events::keeping::KeepingEvent;
use events::province::PublicityStated;
use events::reference::ReferenceEvent;
use hub_core::command::Command;
use hub_core::deadlines::Rules;
use hub_core::province::ProvinceCommand;
use hub_core::redrive::RedriveCommand;
use hub_core::refusal::Refusal;
use jiff::Timestamp;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;
use zeroize::Zeroize as _;

use crate::log::SenderKey;

/// What somebody wants recorded.
#[derive(Debug)]
pub struct Ask {
    /// Who.
    pub actor: Actor,
    /// When it happened, as told by whoever caused it.
    pub occurred_at: Timestamp,
    /// The report or event that led to it.
    pub caused_by: Option<Uuid>,
    /// What.
    pub what: What,
}

/// The story it belongs to, and the command.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // one at a time, on its way to the registrar
pub enum What {
    /// To a case.
    Case {
        /// Which.
        case: CaseId,
        /// What.
        command: Command,
        /// The personal part in clear, to be sealed with the first event that this leads to.
        personal: Option<Vec<u8>>,
        /// What the province signed.
        evidence: Option<Evidence>,
        /// The sender's own key, for a submission: the same again finds the first case.
        key: Option<SenderKey>,
    },
    /// To a province's membership.
    Province {
        /// Which.
        province: ProvinceCode,
        /// What.
        command: ProvinceCommand,
    },
    /// What a province's adapter told of its publicity (annex 1).
    Stated {
        /// Which.
        province: ProvinceCode,
        /// What.
        stated: PublicityStated,
        /// What the province signed.
        evidence: Evidence,
    },
    /// A rule is published. A calendar that is not usable is refused. The registrar numbers it: the
    /// revision that is given does not count. The same content again is nothing new.
    Reference(ReferenceEvent),
    /// The log's own keeping. `CaseKeyDestroyed` also destroys the key, before it is answered.
    Keeping(KeepingEvent),
    /// To a re-drive: what waits for a person is let in again.
    Redrive(RedriveCommand),
}

/// What became of it. A refusal is an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Recorded now, durably.
    Recorded(Vec<Recorded>),
    /// All of this was known. For a submission, a correction, a withdrawal and a report: the events
    /// of the first time. For anything else: none.
    NothingNew(Vec<Recorded>),
    /// No, and nothing changed.
    Refused(Refusal),
}

/// Why nothing can be said now. The caller may ask again; the keys decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unavailable {
    /// Too many are waiting.
    #[error("too many are waiting")]
    Busy,
    /// The disk is full; reading goes on.
    #[error("the disk is full")]
    Full,
    /// The registrar has stopped.
    #[error("the registrar has stopped")]
    Stopped,
}

/// For whoever wants a case event's kinds by name.
pub fn kinds(events: &[Recorded]) -> Vec<&'static str> {
    events.iter().map(|it| it.envelope.event.kind()).collect()
}

/// A case event in a recorded one, if it is one.
pub fn case_event(recorded: &Recorded) -> Option<&CaseEvent> {
    match &recorded.envelope.event {
        events::envelope::Event::Case(it) => Some(it),
        _ => None,
    }
}

/// Most that may wait for the registrar.
pub const WAITING_MAX: usize = 1_000;

/// Most asks that are decided and made durable together.
pub const BATCH_MAX: usize = 256;

/// The way to the registrar's thread. Copies lead to the same; when the last one is dropped, it stops.
#[derive(Debug, Clone)]
pub struct Registrar {
    door: mpsc::Sender<Knock>,
    rules: CurrentRules,
}

/// The rules as last recorded; the registrar's thread replaces them.
type CurrentRules = Arc<RwLock<Arc<Rules>>>;

/// What comes through the door.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // nearly every one is a job
enum Knock {
    Job(Job),
    /// Look whether to stop.
    Stop,
}

/// An ask, and whom to answer.
#[derive(Debug)]
struct Job {
    ask: Ask,
    answer: oneshot::Sender<Result<Answer, Unavailable>>,
}

impl Job {
    /// A caller that has gone away in the meantime loses nothing: what is recorded stays recorded.
    fn answer(mut self, answer: Result<Answer, Unavailable>) {
        if let What::Case { personal: Some(personal), .. } = &mut self.ask.what {
            personal.zeroize();
        }
        let _gone = self.answer.send(answer);
    }
}

impl Registrar {
    /// Waits until it is durable, known or refused. `Busy` at once when too many wait.
    pub async fn ask(&self, ask: Ask) -> Result<Answer, Unavailable> {
        let (answer, answered) = oneshot::channel();
        self.door.try_send(Knock::Job(Job { ask, answer })).map_err(|it| match it {
            TrySendError::Full(_) => Unavailable::Busy,
            TrySendError::Closed(_) => Unavailable::Stopped,
        })?;
        answered.await.unwrap_or(Err(Unavailable::Stopped))
    }

    /// The same for the hub's own rooms: it waits for room instead of being told `Busy`.
    pub async fn ask_patiently(&self, ask: Ask) -> Result<Answer, Unavailable> {
        self.knock(ask).await?.await.unwrap_or(Err(Unavailable::Stopped))
    }

    /// Many at once, patiently, answered in order; for reports that came in one batch.
    pub async fn ask_all(&self, asks: Vec<Ask>) -> Vec<Result<Answer, Unavailable>> {
        let mut answers = Vec::with_capacity(asks.len());
        for ask in asks {
            answers.push(self.knock(ask).await);
        }
        let mut told = Vec::with_capacity(answers.len());
        for answer in answers {
            told.push(match answer {
                Ok(answered) => answered.await.unwrap_or(Err(Unavailable::Stopped)),
                Err(unavailable) => Err(unavailable),
            });
        }
        told
    }

    async fn knock(
        &self,
        ask: Ask,
    ) -> Result<oneshot::Receiver<Result<Answer, Unavailable>>, Unavailable> {
        let (answer, answered) = oneshot::channel();
        let sent = self.door.send(Knock::Job(Job { ask, answer })).await;
        sent.map_err(|_closed| Unavailable::Stopped)?;
        Ok(answered)
    }

    /// How many wait at the door now; at most `WAITING_MAX`.
    pub fn waiting(&self) -> usize {
        self.door.max_capacity() - self.door.capacity()
    }

    /// The rules as they are now (calendar and standards as published, routes as configured).
    pub fn rules(&self) -> Arc<Rules> {
        self.rules.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
