//! A log in memory, a views file in a folder of its own, and short words for events.

use std::collections::HashMap;

use events::case::{
    CaseAccepted, CaseCompleted, CaseDeclined, CaseDelivered, CaseEvent, CaseForwarded, CaseResult,
    CaseRouted, CaseSubmitted, CorrectionRequested, CorrectionSubmitted, RouteReason,
};
use events::envelope::{Actor, Envelope, Event, Position, Version};
use events::ids::{CaseId, CaseNumber, EventId, ProvinceCode, ReportId, RequestId, StreamName};
use events::proof::Hash;
use events::vocabulary::{
    Category, Channel, DueDay, IssuingAuthority, Item, Material, Outcome, Reason,
};
use events::work::WorkKind;
use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use crate::log::memory::MemoryLog;
use crate::log::{Append, EventLog, Expected};
use crate::views::membership::Membership;
use crate::views::reader::ViewReader;
use crate::views::runner::Views;

pub(crate) struct Stage {
    pub(crate) log: MemoryLog,
    pub(crate) folder: tempfile::TempDir,
    pub(crate) now: Timestamp,
    pub(crate) actor: Actor,
    pub(crate) sealed: Option<Vec<u8>>,
    versions: HashMap<StreamName, u64>,
    made: u128,
}

pub(crate) fn case(number: u128) -> CaseId {
    CaseId(Uuid::from_u128(number))
}
pub(crate) fn request(number: u128) -> RequestId {
    RequestId(Uuid::from_u128(number))
}
pub(crate) fn report(number: u128) -> ReportId {
    ReportId(Uuid::from_u128(number))
}
pub(crate) fn province(code: u8) -> ProvinceCode {
    ProvinceCode::new(code).unwrap()
}
pub(crate) fn day(text: &str) -> Date {
    text.parse().unwrap()
}
/// Noon in Shanghai.
pub(crate) fn noon(text: &str) -> Timestamp {
    format!("{text}T12:00:00+08:00").parse().unwrap()
}
pub(crate) fn due(text: &str) -> DueDay {
    DueDay { day: day(text), papers: vec!["paper".into()], provisional: false }
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self {
            log: MemoryLog::new("hub.test/views"),
            folder: tempfile::tempdir().unwrap(),
            now: noon("2026-03-02"),
            actor: Actor::Hub,
            sealed: None,
            versions: HashMap::new(),
            made: 0,
        }
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("views.db")
    }

    pub(crate) fn open(&self) -> Views {
        Views::open(&self.path(), self.log.readers(), Membership::default(), None).unwrap()
    }

    /// The views as of everything told so far.
    pub(crate) fn then(&self) -> ViewReader {
        let mut views = self.open();
        views.catch_up().unwrap();
        views.reader()
    }

    /// Noon of that day in Shanghai, from here on.
    pub(crate) fn on(&mut self, text: &str) -> &mut Self {
        self.now = noon(text);
        self
    }

    pub(crate) fn tell(&mut self, stream: StreamName, event: Event) -> Position {
        let version = self.versions.entry(stream).or_default();
        let expected =
            if *version == 0 { Expected::NoStream } else { Expected::At(Version(*version)) };
        *version += 1;
        self.made += 1;
        let envelope = Envelope {
            id: EventId(Uuid::from_u128(self.made)),
            stream,
            occurred_at: self.now,
            actor: self.actor.clone(),
            caused_by: None,
            event,
            sealed: self.sealed.clone(),
            evidence: None,
        };
        let append =
            Append { stream, expected, recorded_at: self.now, events: vec![envelope], key: None };
        let mut answers = self.log.append(vec![append]).unwrap();
        answers.remove(0).unwrap()[0].position
    }

    pub(crate) fn given<E: Into<CaseEvent>>(&mut self, number: u128, event: E) -> &mut Self {
        self.tell(StreamName::Case(case(number)), Event::Case(event.into()));
        self
    }

    /// Submitted now, due on `until`, routed to province 22 with request 1.
    pub(crate) fn submitted(&mut self, number: u128, until: &str) -> &mut Self {
        let submitted = CaseSubmitted {
            number: CaseNumber::of(case(number), day("2026-03-02")),
            client: "transport-portal".into(),
            client_reference: None,
            item: Item::Renewal,
            category: Category::Passenger,
            channel: Channel::Web,
            authority: IssuingAuthority { code: None, name: "authority".into(), division: None },
            submitted_at: self.now,
            digest: Hash::ZERO,
            due: due(until),
            counted: None,
            late_intake: false,
        };
        self.given(number, submitted).given(number, routed(22, 1))
    }
}

pub(crate) fn routed(to: u8, asked: u128) -> CaseRouted {
    let reason = RouteReason::Operator { operator: "operator".into() };
    CaseRouted { province: province(to), reason, request: request(asked) }
}
pub(crate) fn forwarded(asked: u128, attempt: u32) -> CaseForwarded {
    CaseForwarded { province: province(22), work: WorkKind::Case, request: request(asked), attempt }
}
pub(crate) fn delivered(work: WorkKind, asked: u128) -> CaseDelivered {
    CaseDelivered { report: report(1), work, request: request(asked) }
}
pub(crate) fn accepted(decided: &str, until: &str) -> CaseAccepted {
    CaseAccepted {
        report: report(2),
        acceptance_number: "受-7".into(),
        decided_at: noon(decided),
        due: due(until),
        counted: None,
    }
}
pub(crate) fn completed(decided: &str) -> CaseCompleted {
    CaseCompleted {
        report: report(3),
        outcome: Outcome::Approved,
        decision_number: "决-7".into(),
        decided_at: noon(decided),
        reasons: vec![],
        result: CaseResult::default(),
    }
}
pub(crate) fn declined(decided: &str) -> CaseDeclined {
    CaseDeclined { report: report(3), reason: Reason::RenewalNotDue, decided_at: noon(decided) }
}
pub(crate) fn correction_requested(until: &str) -> CorrectionRequested {
    CorrectionRequested {
        report: report(4),
        missing: vec![Material::Photo],
        until: day(until),
        repeated: false,
    }
}
pub(crate) fn correction_submitted(on: &str, until: &str, asked: u128) -> CorrectionSubmitted {
    CorrectionSubmitted {
        digest: Hash::ZERO,
        submitted_at: noon(on),
        due: due(until),
        counted: None,
        request: request(asked),
    }
}
