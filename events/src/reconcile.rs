//! How a province and the hub compare what they hold: counts and hashes first, lists where these differ.
//! It finds the loss of which both sides believe that it did not happen.
//!
//! An adapter sends an [`Inventory`] (one line a day). Where the hub's line is another, the hub asks
//! with an [`Order`] for the day's list, and the adapter sends [`Holdings`]. What the adapter lacks is
//! sent to it again; what the hub lacks it orders again. An adapter whose store is new sends an
//! inventory without a line: then every open case comes again.
//!
//! The day of a case is the Shanghai date on which the applicant submitted it: both sides have it.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use uuid::Uuid;

use crate::ids::{CaseId, ProvinceCode, RequestId};
use crate::proof::Hash;
use crate::work::WorkKind;

/// Most days in one inventory.
pub const DAYS_A_MESSAGE_MAX: usize = 100;
/// Most cases in one list.
pub const CASES_A_MESSAGE_MAX: usize = 40;
/// Most lines of one case in a list: far above any honest story's, and a list still fits a message.
pub const LINES_A_CASE_MAX: usize = 256;

/// Why an inventory is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Occasion {
    /// The store is new or was lost: it holds nothing.
    NewStore,
    /// The connection came back.
    Connected,
    /// The daily comparison.
    Daily,
    /// Somebody asked for it.
    Asked,
}

impl Occasion {
    /// The word on the wire and in the records.
    pub fn token(self) -> &'static str {
        match self {
            Self::NewStore => "new-store",
            Self::Connected => "connected",
            Self::Daily => "daily",
            Self::Asked => "asked",
        }
    }
}

/// Why a province gets again what it had signed for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ground", rename_all = "kebab-case")]
pub enum AgainGround {
    /// Its adapter's store is new or was lost.
    NewStore,
    /// A comparison found that its adapter does not hold it.
    Reconciliation,
    /// An operator decided.
    Operator {
        /// Who.
        operator: String,
        /// Why.
        note: String,
    },
}

/// The `data` of `cn.gov.mot.hub.inventory.v1`. Signed by the province like a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// The log and environment.
    pub origin: String,
    /// Who holds it.
    pub province: ProvinceCode,
    /// The adapter's version.
    pub adapter: String,
    /// Why.
    pub occasion: Occasion,
    /// The first day that is compared. Absent: every open case, however old.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Date>,
    /// The last day that is compared.
    pub until: Date,
    /// One line for each day on which something is held, in order; a day without a line is empty.
    pub days: Vec<Day>,
}

/// One line of an inventory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Day {
    /// The Shanghai date of `submitted_at`.
    pub day: Date,
    /// How many lines [`day_hash`] went over.
    pub count: u64,
    /// The hash over them.
    pub hash: Hash,
}

/// The `data` of `cn.gov.mot.hub.holdings.v1`: what is held of one day. Signed by the province.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdings {
    /// The log and environment.
    pub origin: String,
    /// Who holds it.
    pub province: ProvinceCode,
    /// The inventory that it belongs to.
    pub inventory: Uuid,
    /// Which day.
    pub day: Date,
    /// 1, 2, 3… up to `parts`.
    pub part: u32,
    /// How many lists the day has; at least 1.
    pub parts: u32,
    /// The list speaks for all cases after this one… Absent: from the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<CaseId>,
    /// … up to and with this one. Absent: to the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub up_to: Option<CaseId>,
    /// By case id.
    pub cases: Vec<Held>,
}

impl Holdings {
    /// Whether the list speaks for `case`: what it does not name is not held.
    pub fn speaks_for(&self, case: CaseId) -> bool {
        self.after.is_none_or(|it| case > it) && self.up_to.is_none_or(|it| case <= it)
    }
}

/// What one side holds of one case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    /// The case.
    pub case: CaseId,
    /// The number that the province gives its next report.
    pub next_number: u64,
    /// Work that is signed for, by request and kind.
    pub work: Vec<HeldWork>,
    /// Reports that are on record, by number.
    pub reports: Vec<HeldReport>,
}

/// Work that was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HeldWork {
    /// Which request.
    pub request: RequestId,
    /// What.
    pub kind: WorkKind,
}

/// A report that the hub has signed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HeldReport {
    /// Its number.
    pub number: u64,
    /// SHA-256 over its exact bytes.
    pub hash: Hash,
}

/// The `data` of `cn.gov.mot.hub.reconcile.v1`: what the hub wants of an adapter. Signed by the hub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The log and environment.
    pub origin: String,
    /// Whom it is for.
    pub province: ProvinceCode,
    /// The writer's epoch.
    pub epoch: u64,
    /// The inventory that it answers. Absent: the hub asks of its own accord.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inventory: Option<Uuid>,
    /// Take an inventory of these days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub take: Option<Span>,
    /// Send the lists of these days.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub list: Vec<Date>,
    /// Send all reports of these cases again, the same bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub report_again: Vec<CaseId>,
    /// The inventory is settled; so many cases differed and are being mended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<u64>,
}

/// From one day to another, both counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// The first.
    pub since: Date,
    /// The last.
    pub until: Date,
}

/// SHA-256 over exact bytes.
pub fn bytes_hash(bytes: &[u8]) -> Hash {
    Hash(sha2::Sha256::digest(bytes).into())
}

/// How many lines these cases have, and SHA-256 over them, sorted. A line is, with its line feed,
/// `<case> work <kind> <request>` or `<case> report <number> <hash>`. The order given does not matter.
pub fn day_hash(cases: &[Held]) -> (u64, Hash) {
    let mut lines: Vec<String> = Vec::new();
    for held in cases {
        let case = held.case;
        let work = held.work.iter();
        lines.extend(work.map(|it| format!("{case} work {} {}\n", it.kind.token(), it.request)));
        let reports = held.reports.iter();
        lines.extend(reports.map(|it| format!("{case} report {} {}\n", it.number, it.hash)));
    }
    lines.sort_unstable();
    lines.dedup();
    let mut hash = sha2::Sha256::new();
    lines.iter().for_each(|it| hash.update(it.as_bytes()));
    (lines.len() as u64, Hash(hash.finalize().into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(case: u128, numbers: &[u64]) -> Held {
        Held {
            case: CaseId(Uuid::from_u128(case)),
            next_number: 1,
            work: vec![HeldWork { request: RequestId(Uuid::from_u128(7)), kind: WorkKind::Case }],
            reports: numbers
                .iter()
                .map(|number| HeldReport { number: *number, hash: bytes_hash(b"x") })
                .collect(),
        }
    }

    #[test]
    fn the_hash_depends_on_what_is_held_and_not_on_the_order() {
        let (one, two) = (held(1, &[1, 2]), held(2, &[1]));
        let hash = day_hash(&[one.clone(), two.clone()]);
        assert_eq!(hash, day_hash(&[two.clone(), held(1, &[2, 1])]));
        assert_eq!(hash.0, 5);
        assert_ne!(hash, day_hash(&[one, held(2, &[2])]));
        assert_eq!(day_hash(&[]).1.to_string()[..8], *"e3b0c442");
    }

    #[test]
    fn a_list_speaks_for_its_range_only() {
        let case = |it| CaseId(Uuid::from_u128(it));
        let list = Holdings {
            origin: "o".into(),
            province: ProvinceCode::new(22).unwrap(),
            inventory: Uuid::nil(),
            day: "2026-03-02".parse().unwrap(),
            part: 2,
            parts: 3,
            after: Some(case(5)),
            up_to: Some(case(9)),
            cases: vec![],
        };
        let spoken: Vec<u128> = (1..12).filter(|it| list.speaks_for(case(*it))).collect();
        assert_eq!(spoken, [6, 7, 8, 9]);
    }
}
