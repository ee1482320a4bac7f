//! An event as it is proposed, and as the log holds it.

use std::fmt;

use jiff::Timestamp;
use uuid::Uuid;

use crate::case::CaseEvent;
use crate::ids::{EventId, NotAName, ProvinceCode, StreamName};
use crate::keeping::KeepingEvent;
use crate::proof::Hash;
use crate::province::ProvinceEvent;
use crate::reference::ReferenceEvent;

/// A place in the whole log, from 1, without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Position(pub u64);

/// A place in one stream, from 1, without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Version(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Who caused an event.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Actor {
    /// The hub itself.
    Hub,
    /// A national client.
    National(String),
    /// A province, through its adapter.
    Province(ProvinceCode),
    /// A person.
    Operator(String),
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hub => f.write_str("hub"),
            Self::National(client) => write!(f, "national:{client}"),
            Self::Province(code) => write!(f, "province:{code}"),
            Self::Operator(name) => write!(f, "operator:{name}"),
        }
    }
}

impl Actor {
    /// Whether `text` is how this actor is written.
    pub fn is_written(&self, text: &str) -> bool {
        match self {
            Self::Hub => text == "hub",
            Self::National(client) => text.strip_prefix("national:") == Some(client),
            Self::Province(code) => {
                text.strip_prefix("province:").and_then(|it| it.parse().ok()) == Some(*code)
            }
            Self::Operator(name) => text.strip_prefix("operator:") == Some(name),
        }
    }
}

impl std::str::FromStr for Actor {
    type Err = NotAName;
    fn from_str(text: &str) -> Result<Self, NotAName> {
        match text.split_once(':') {
            None if text == "hub" => Ok(Self::Hub),
            Some(("national", client)) => Ok(Self::National(client.to_owned())),
            Some(("province", code)) => code.parse().map(Self::Province),
            Some(("operator", name)) => Ok(Self::Operator(name.to_owned())),
            _ => Err(NotAName { given: text.chars().take(64).collect(), expected: "an actor" }),
        }
    }
}

/// Anything that can happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// To a case.
    Case(CaseEvent),
    /// To a province's membership.
    Province(ProvinceEvent),
    /// To the published rules.
    Reference(ReferenceEvent),
    /// To the log itself.
    Keeping(KeepingEvent),
}

impl Event {
    /// The type as on the wire, without the common prefix, e.g. `case.accepted.v1`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Case(it) => it.kind(),
            Self::Province(it) => it.kind(),
            Self::Reference(it) => it.kind(),
            Self::Keeping(it) => it.kind(),
        }
    }
}

impl<T: Into<CaseEvent>> From<T> for Event {
    fn from(it: T) -> Self {
        Self::Case(it.into())
    }
}

/// The exact bytes that a province signed, kept as they came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The message's payload.
    pub bytes: Vec<u8>,
    /// The detached JWS over it.
    pub signature: String,
}

/// An event as it is proposed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The event.
    pub id: EventId,
    /// Its story.
    pub stream: StreamName,
    /// As told by whoever caused it.
    pub occurred_at: Timestamp,
    /// Who caused it.
    pub actor: Actor,
    /// The report or event that led to it.
    pub caused_by: Option<Uuid>,
    /// What happened.
    pub event: Event,
    /// The personal part: algorithm, nonce, ciphertext and tag (`proof::seal`).
    pub sealed: Option<Vec<u8>>,
    /// What the province signed, for an event that a report caused.
    pub evidence: Option<Evidence>,
}

/// An event as the log holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// In the whole log.
    pub position: Position,
    /// In its stream.
    pub version: Version,
    /// The hub's clock, in whole microseconds; never decreases with the position.
    pub recorded_at: Timestamp,
    /// The writer's epoch.
    pub epoch: u64,
    /// The chain hash of the position before.
    pub previous: Hash,
    /// The chain hash of this one.
    pub hash: Hash,
    /// The exact bytes of the CloudEvents body that the hash covers.
    pub body: Vec<u8>,
    /// The same, read.
    pub envelope: Envelope,
}
