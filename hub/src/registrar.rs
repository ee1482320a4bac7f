//! Load the story, decide, append: one thread, group commit. The only road into the log.

use events::case::CaseEvent;
use events::envelope::{Actor, Evidence, Recorded};
use events::ids::{CaseId, ProvinceCode};
use events::keeping::KeepingEvent;
use events::reference::ReferenceEvent;
use hub_core::command::Command;
use hub_core::province::ProvinceCommand;
use hub_core::refusal::Refusal;
use jiff::Timestamp;
use uuid::Uuid;

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
    /// A rule is published. A calendar that is not usable is refused.
    Reference(ReferenceEvent),
    /// The log's own keeping.
    Keeping(KeepingEvent),
}

/// What became of it. A refusal is an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// Recorded now, durably.
    Recorded(Vec<Recorded>),
    /// All of this was known. For a submission: the events of the first time.
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

/// The way to the registrar's thread. Copies lead to the same.
#[derive(Debug, Clone)]
pub struct Registrar {}

impl Registrar {
    /// Waits until it is durable, known or refused. `Busy` at once when too many wait.
    pub async fn ask(&self, ask: Ask) -> Result<Answer, Unavailable> {
        let _ = ask;
        todo!()
    }
    /// Many at once, answered in order; for reports that came in one batch.
    pub async fn ask_all(&self, asks: Vec<Ask>) -> Vec<Result<Answer, Unavailable>> {
        let _ = asks;
        todo!()
    }
    /// The rules as they are now (calendar and standards as published, routes as configured).
    pub fn rules(&self) -> std::sync::Arc<hub_core::deadlines::Rules> {
        todo!()
    }
}
