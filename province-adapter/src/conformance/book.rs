//! The sandbox hub's memory: what was handed out, what came back, and what was wrong with it. Nothing
//! here waits or sends; the judge writes, the stage looks.

use std::collections::{BTreeMap, HashMap, HashSet};

use events::ids::{CaseId, CaseNumber, ReportId, RequestId};
use events::proof::Digest;
use events::report::{News, ReportMessage};
use events::vocabulary::{Category, Item};
use events::work::{ReportReceipt, WorkKind};
use jiff::Timestamp;
use tokio::time::Instant;

use super::instruction::Answer;

/// Something the adapter did that it must not do, or did not do that it must.
#[derive(Debug, Clone)]
pub(crate) struct Violation {
    /// An id of the catalogue.
    pub(crate) finding: &'static str,
    /// The case's name in the script, if it concerns one.
    pub(crate) case: Option<String>,
    /// What exactly was seen: ids, numbers, codes; nothing of the applicant.
    pub(crate) seen: String,
    pub(crate) at: Timestamp,
}

/// One line of what happened, for the report.
#[derive(Debug, Clone)]
pub(crate) struct Happened {
    pub(crate) at: Timestamp,
    pub(crate) case: Option<String>,
    pub(crate) what: String,
}

/// Work as it was handed out; again is the same.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) kind: WorkKind,
    pub(crate) request: RequestId,
    pub(crate) digest: Digest,
    pub(crate) answers: Vec<Answer>,
    /// How many of the answers have been given.
    pub(crate) told: usize,
    pub(crate) delivered: Option<ReportId>,
    /// Not before the first publishing.
    pub(crate) given_at: Option<Timestamp>,
    /// Of a message that must not be believed: the finding if it is.
    pub(crate) bad: Option<&'static str>,
}

/// News that counted, in the order of its numbers.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) id: ReportId,
    pub(crate) request: RequestId,
    pub(crate) news: News,
    /// In which life of the adapter.
    pub(crate) life: u32,
}

/// A test case.
#[derive(Debug)]
pub(crate) struct TestCase {
    pub(crate) name: String,
    pub(crate) id: CaseId,
    pub(crate) number: CaseNumber,
    pub(crate) item: Item,
    pub(crate) category: Category,
    pub(crate) submitted_at: Timestamp,
    pub(crate) reply_key: [u8; 32],
    /// The newest last.
    pub(crate) given: Vec<Given>,
    pub(crate) said: Vec<Said>,
    /// Reports whose predecessor is missing.
    pub(crate) early: BTreeMap<u64, ReportMessage>,
    pub(crate) next_number: u64,
    /// The code in its receipts, if this case's reports are to be refused.
    pub(crate) refuse_with: Option<String>,
}

impl TestCase {
    pub(crate) fn newest(&self) -> Option<&Given> {
        self.given.last()
    }

    /// Whether everything that was wanted has been said.
    pub(crate) fn is_done(&self) -> bool {
        let delivered = self.given.iter().all(|it| it.bad.is_some() || it.delivered.is_some());
        let told = self.newest().is_some_and(|it| it.told == it.answers.len());
        delivered && told
    }
}

/// A report as it first came.
#[derive(Debug)]
pub(crate) struct SeenReport {
    pub(crate) bytes: Vec<u8>,
    /// How often it was published, copies that the broker dropped included.
    pub(crate) attempts: u32,
    /// The moments of the last ones.
    pub(crate) recent: Vec<Instant>,
    /// What it was answered; the same again is answered the same.
    pub(crate) receipt: Option<ReportReceipt>,
    /// A receipt for it is at the broker and not yet taken in; a second one would only add to the load.
    pub(crate) receipt_waits: bool,
    /// The receipt for it has been acknowledged.
    pub(crate) receipted_at: Option<Instant>,
}

/// A message in the stream.
#[derive(Debug, Clone)]
pub(crate) enum Posted {
    /// Work: the case's name.
    Work { case: CaseId, bad: bool },
    /// Receipts for these.
    Receipts(Vec<ReportId>),
}

/// When to kill the adapter, at once and inside the event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trigger {
    pub(crate) case: CaseId,
    /// `acknowledged`, or a kind of news.
    pub(crate) moment: String,
}

/// Everything.
#[derive(Default)]
pub(crate) struct Book {
    /// The writer's epoch that the sandbox hub tells.
    pub(crate) epoch: u64,
    /// Acknowledged before we knew that we had posted it.
    pub(crate) early_acks: HashSet<u64>,
    pub(crate) cases: HashMap<CaseId, TestCase>,
    pub(crate) reports: HashMap<ReportId, SeenReport>,
    pub(crate) message_ids: HashSet<String>,
    pub(crate) office_numbers: HashMap<String, CaseId>,
    pub(crate) violations: Vec<Violation>,
    pub(crate) happened: Vec<Happened>,
    /// By their sequence in the stream.
    pub(crate) posted: HashMap<u64, Posted>,
    /// Not yet acknowledged, with how often they were given back.
    pub(crate) open: HashMap<u64, u32>,
    pub(crate) acknowledged: HashSet<CaseId>,
    pub(crate) receipts_held: bool,
    pub(crate) owed: Vec<ReportReceipt>,
    pub(crate) trigger: Option<Trigger>,
    pub(crate) life: u32,
    /// What the adapter calls itself.
    pub(crate) adapter: Option<String>,
    /// The reading position that the next receipt tells.
    pub(crate) position: u64,
}

impl Book {
    pub(crate) fn case(&self, name: &str) -> Option<&TestCase> {
        self.cases.values().find(|it| it.name == name)
    }

    pub(crate) fn name(&self, case: CaseId) -> Option<String> {
        self.cases.get(&case).map(|it| it.name.clone())
    }

    pub(crate) fn note(&mut self, at: Timestamp, case: Option<CaseId>, what: String) {
        let case = case.and_then(|it| self.name(it));
        self.happened.push(Happened { at, case, what });
    }

    pub(crate) fn blame(
        &mut self,
        at: Timestamp,
        finding: &'static str,
        case: Option<CaseId>,
        seen: String,
    ) {
        let case = case.and_then(|it| self.name(it));
        self.violations.push(Violation { finding, case, seen, at });
    }

    /// Whether something that was found already explains what a case lacks.
    pub(crate) fn explains(&self, case: Option<CaseId>) -> bool {
        let name = case.and_then(|it| self.name(it));
        self.violations.iter().any(|it| it.case.is_none() || it.case == name)
    }

    /// What a broker that forgot everything no longer holds.
    pub(crate) fn forget_the_broker(&mut self) {
        self.posted.clear();
        self.open.clear();
        self.early_acks.clear();
        self.reports.values_mut().for_each(|it| it.receipt_waits = false);
        self.message_ids.clear();
    }
}
