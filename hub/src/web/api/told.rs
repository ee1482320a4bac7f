//! Rows as they leave the hub. Views do not serialize themselves; what leaves has a type of its own here.

use events::envelope::Recorded;
use events::ids::{CaseId, CaseNumber, ProvinceCode};
use events::proof::Hash;
use events::vocabulary::{Category, Channel, DueDay, Item, Outcome, Reason, Stage};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::views::rows::{AlertRow, Blame, CaseRow, ProvinceRow};

/// One page of a list.
#[derive(Debug, Serialize)]
pub struct PageOf<T> {
    pub items: Vec<T>,
    /// `after` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
    /// The log position that the list is as of.
    pub as_of: u64,
}

#[derive(Debug, Serialize)]
pub struct Case {
    pub case_id: CaseId,
    pub case_number: CaseNumber,
    pub client: String,
    pub client_reference: Option<String>,
    pub item: Item,
    pub category: Category,
    pub channel: Channel,
    pub authority_name: String,
    pub province: Option<ProvinceCode>,
    pub stage: &'static str,
    pub outcome: Option<Outcome>,
    pub reason: Option<Reason>,
    pub submitted_at: Timestamp,
    pub recorded_at: Timestamp,
    pub forwarded_at: Option<Timestamp>,
    pub delivered_at: Option<Timestamp>,
    pub accepted_at: Option<Timestamp>,
    pub ended_at: Option<Timestamp>,
    pub claimed_accepted_at: Option<Timestamp>,
    pub claimed_ended_at: Option<Timestamp>,
    pub acceptance_due: DueDay,
    pub completion_due: Option<DueDay>,
    pub attempts: u32,
    pub acceptance_overdue: bool,
    pub completion_overdue: bool,
    pub urged: bool,
    pub seriously_overdue: bool,
    pub deemed_accepted: bool,
    pub conflicts: u32,
    pub fed_back: bool,
    pub late_intake: bool,
    pub position: u64,
}

impl From<CaseRow> for Case {
    fn from(it: CaseRow) -> Self {
        Self {
            case_id: it.case,
            case_number: it.number,
            client: it.client,
            client_reference: it.client_reference,
            item: it.item,
            category: it.category,
            channel: it.channel,
            authority_name: it.authority_name,
            province: it.province,
            stage: it.stage.code(),
            outcome: it.outcome,
            reason: it.reason,
            submitted_at: it.submitted_at,
            recorded_at: it.recorded_at,
            forwarded_at: it.forwarded_at,
            delivered_at: it.delivered_at,
            accepted_at: it.accepted_at,
            ended_at: it.ended_at,
            claimed_accepted_at: it.claimed_accepted_at,
            claimed_ended_at: it.claimed_ended_at,
            acceptance_due: it.acceptance_due,
            completion_due: it.completion_due,
            attempts: it.attempts,
            acceptance_overdue: it.acceptance_overdue,
            completion_overdue: it.completion_overdue,
            urged: it.urged,
            seriously_overdue: it.seriously_overdue,
            deemed_accepted: it.deemed_accepted,
            conflicts: it.conflicts,
            fed_back: it.fed_back,
            late_intake: it.late_intake,
            position: it.position.0,
        }
    }
}

/// A recorded event: the exact body that the hash covers, without what is sealed beside it.
#[derive(Debug, Serialize)]
pub struct EventTold {
    pub position: u64,
    pub version: u64,
    pub stream: String,
    #[serde(rename = "type")]
    pub kind: &'static str,
    pub recorded_at: Timestamp,
    pub epoch: u64,
    pub previous: Hash,
    pub hash: Hash,
    /// Whether a sealed personal part lies beside it.
    pub has_sealed: bool,
    /// Whether a province's signed message lies beside it.
    pub has_evidence: bool,
    pub event: Option<Box<RawValue>>,
}

impl From<&Recorded> for EventTold {
    fn from(it: &Recorded) -> Self {
        Self {
            position: it.position.0,
            version: it.version.0,
            stream: it.envelope.stream.to_string(),
            kind: it.envelope.event.kind(),
            recorded_at: it.recorded_at,
            epoch: it.epoch,
            previous: it.previous,
            hash: it.hash,
            has_sealed: it.envelope.sealed.is_some(),
            has_evidence: it.envelope.evidence.is_some(),
            event: serde_json::from_slice(&it.body).ok(),
        }
    }
}

#[derive(Debug, Serialize)]
pub struct Alert {
    pub position: u64,
    pub kind: &'static str,
    pub case_id: CaseId,
    pub case_number: CaseNumber,
    pub province: Option<ProvinceCode>,
    pub stage: Option<Stage>,
    pub due: Option<Date>,
    pub raised_at: Timestamp,
    pub ended_at: Option<Timestamp>,
    pub blame: Option<&'static str>,
    /// The province has declared that it is away until then: it is absent, not silent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance_until: Option<Timestamp>,
}

impl From<AlertRow> for Alert {
    fn from(it: AlertRow) -> Self {
        Self {
            position: it.position.0,
            kind: it.kind.code(),
            case_id: it.case,
            case_number: it.number,
            province: it.province,
            stage: it.stage,
            due: it.due,
            raised_at: it.raised_at,
            ended_at: it.ended_at,
            blame: it.blame.map(blame_code),
            maintenance_until: None,
        }
    }
}

/// The stable code of where the time went.
pub fn blame_code(blame: Blame) -> &'static str {
    match blame {
        Blame::Hub => "hub",
        Blame::Transit => "transit",
        Blame::Adapter => "adapter",
        Blame::Desk => "desk",
        Blame::Applicant => "applicant",
    }
}

#[derive(Debug, Serialize)]
pub struct Province {
    pub code: ProvinceCode,
    pub name: &'static str,
    pub name_en: &'static str,
    pub enrolled: bool,
    pub paused: bool,
    /// It has declared that it is away until then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance_until: Option<Timestamp>,
    /// Why nothing is forwarded to it although it is enrolled and not paused: `adapter-not-certified`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_back: Option<&'static str>,
    pub received: u64,
    /// Routings to it after another province had the case.
    pub moved_in: u64,
    pub open: u64,
    pub waiting_delivery: u64,
    pub accepted: u64,
    pub declined: u64,
    pub completed_approved: u64,
    pub completed_denied: u64,
    pub corrections: u64,
    pub returned: u64,
    pub on_time: u64,
    pub reported_late: u64,
    pub overdue: u64,
    pub conflicts: u64,
    pub median_hours: Option<f64>,
    pub top_reasons: Vec<Count<Reason>>,
    pub blame: Vec<Count<&'static str>>,
    pub last_heard_at: Option<Timestamp>,
}

#[derive(Debug, Serialize)]
pub struct Count<T> {
    pub what: T,
    pub count: u64,
}

impl Province {
    /// A row of the league table with what membership knows of it.
    pub fn of(it: ProvinceRow, membership: &hub_core::province::Province, now: Timestamp) -> Self {
        Self {
            code: it.province,
            name: it.province.name(),
            name_en: it.province.name_en(),
            enrolled: membership.enrolled,
            paused: membership.paused,
            maintenance_until: membership.maintenance_until(now),
            held_back: None,
            received: it.received,
            moved_in: it.moved_in,
            open: it.open,
            waiting_delivery: it.waiting_delivery,
            accepted: it.accepted,
            declined: it.declined,
            completed_approved: it.completed_approved,
            completed_denied: it.completed_denied,
            corrections: it.corrections,
            returned: it.returned,
            on_time: it.on_time,
            reported_late: it.reported_late,
            overdue: it.overdue,
            conflicts: it.conflicts,
            median_hours: it.median_hours,
            top_reasons: it
                .top_reasons
                .iter()
                .map(|it| Count { what: it.0, count: it.1 })
                .collect(),
            blame: it
                .blame
                .iter()
                .map(|it| Count { what: blame_code(it.0), count: it.1 })
                .collect(),
            last_heard_at: it.last_heard_at,
        }
    }
}
