//! What is told of a hop. There is no room in it for a free text, and so none for a person.

use jiff::Timestamp;

use super::{SpanId, TraceId, TraceParent};
use crate::ids::{CaseId, EventId, ProvinceCode, ReportId, RequestId};

/// Which end of a road a hop is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HopKind {
    /// Answers a caller.
    Server,
    /// Calls somebody.
    Client,
    /// Puts a message on the road.
    Producer,
    /// Takes a message off the road.
    Consumer,
    /// Stays in the house.
    Internal,
}

/// What is known of a hop. Names of persons, numbers and texts have no variant here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Attribute {
    /// `province.code`.
    Province(ProvinceCode),
    /// `client.name`: as the configuration calls it.
    Client(String),
    /// `request.id`.
    Request(RequestId),
    /// `report.id`.
    Report(ReportId),
    /// `event.id`.
    Event(EventId),
    /// `event.type`.
    EventType(&'static str),
    /// `event.position`.
    Position(u64),
    /// `work.kind`: case, correction, withdrawal.
    Work(&'static str),
    /// `report.kind`: delivered, accepted, …
    News(&'static str),
    /// `attempt`, from 1.
    Attempt(u64),
    /// `batch.events`: how many events shared the commit.
    BatchEvents(u64),
    /// `outcome`, as the metrics call it.
    Outcome(&'static str),
}

impl Attribute {
    /// Its name, the same in every room and log line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Province(_) => "province.code",
            Self::Client(_) => "client.name",
            Self::Request(_) => "request.id",
            Self::Report(_) => "report.id",
            Self::Event(_) => "event.id",
            Self::EventType(_) => "event.type",
            Self::Position(_) => "event.position",
            Self::Work(_) => "work.kind",
            Self::News(_) => "report.kind",
            Self::Attempt(_) => "attempt",
            Self::BatchEvents(_) => "batch.events",
            Self::Outcome(_) => "outcome",
        }
    }
}

/// One hop of a case: a span of its trace, complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// What it is, e.g. `forward`.
    pub name: &'static str,
    /// Which end of a road.
    pub kind: HopKind,
    /// Whose trace.
    pub case: CaseId,
    /// Its own name.
    pub span: SpanId,
    /// What led to it; nothing for the first.
    pub parent: Option<SpanId>,
    /// What led to it happened in another program.
    pub parent_is_remote: bool,
    /// When it began; the machine's time, however time is told.
    pub began: Timestamp,
    /// When it ended.
    pub ended: Timestamp,
    /// What is known of it.
    pub attributes: Vec<Attribute>,
    /// The caller's own trace, which is not ours.
    pub link: Option<TraceParent>,
    /// It did not do what it should.
    pub failed: bool,
}

impl Hop {
    /// A hop of `case` that began and ended then, below `parent`.
    pub fn new(
        name: &'static str,
        kind: HopKind,
        (case, span): (CaseId, SpanId),
        parent: SpanId,
        (began, ended): (Timestamp, Timestamp),
    ) -> Self {
        let parent = (parent != span).then_some(parent);
        Self {
            name,
            kind,
            case,
            span,
            parent,
            parent_is_remote: kind == HopKind::Consumer,
            began,
            ended,
            attributes: Vec::new(),
            link: None,
            failed: false,
        }
    }

    /// With this, too.
    pub fn with(mut self, attribute: Attribute) -> Self {
        self.attributes.push(attribute);
        self
    }

    /// Called by somebody who is in a trace of his own.
    pub fn linked(mut self, link: Option<TraceParent>) -> Self {
        self.link = link;
        self
    }

    /// It did not do what it should.
    pub fn failed(mut self) -> Self {
        self.failed = true;
        self
    }

    /// Its trace.
    pub fn trace(&self) -> TraceId {
        TraceId::of(self.case)
    }
}
