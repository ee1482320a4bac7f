//! The adapter moved by hand: one step a call, and no broker, thread or clock. For simulations, which
//! decide themselves between which two steps it dies: drop it, open it again, and it goes on.

use std::path::Path;

use bytes::Bytes;
use events::ids::{CaseId, ReportId};
use events::report::News;
use events::wire::{self, ToProvince};
use jiff::Timestamp;
use rusqlite::Connection;

use crate::handing;
use crate::inbox::{self, Arrival, Letter, Moments};
use crate::inventory;
use crate::keys::Identity;
use crate::office::TakenWork;
use crate::outbox::{self, Pace, ReportError};
use crate::reporter::{Item, report_in};
use crate::store::{StoreError, open_connection};

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrived {
    /// New work, durable and signed for.
    New,
    /// A copy of what is here.
    Known,
    /// Receipts.
    Receipts,
    /// An order to compare, or to say again.
    Ordered,
    /// Not believed, under this code.
    Refused(&'static str),
}

/// A report on its way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Posted {
    /// Which.
    pub report: ReportId,
    /// The last token of its subject.
    pub token: String,
    /// New for every attempt.
    pub message_id: String,
    /// The exact bytes.
    pub body: Vec<u8>,
    /// The signature over them.
    pub signature: String,
}

/// An adapter's store, its keys and its pace.
pub struct ByHand {
    connection: Connection,
    identity: Identity,
    pace: Pace,
}

impl ByHand {
    /// Opens or makes the store.
    pub fn open(path: &Path, identity: Identity, pace: Pace) -> Result<Self, StoreError> {
        Ok(Self { connection: open_connection(path)?, identity, pace })
    }

    /// A message of the hub: durable on return; only then it may be acknowledged.
    pub fn arrive(
        &self,
        body: Bytes,
        signature: Option<String>,
        redelivered: bool,
        now: Timestamp,
    ) -> Result<Arrived, ReportError> {
        let letter = Letter { body, signature, redelivered, trace: None };
        let content = inbox::examine(&self.identity, &letter);
        let moments = Moments { real: now, told: now };
        let arrival =
            self.whole(|it| inbox::keep(it, &self.identity, &letter, &content, moments))?;
        Ok(match arrival {
            Arrival::New { .. } => Arrived::New,
            Arrival::Known { .. } => Arrived::Known,
            Arrival::Receipts { .. } => Arrived::Receipts,
            Arrival::Ordered { .. } => Arrived::Ordered,
            Arrival::Refused(why) => Arrived::Refused(why.code()),
        })
    }

    /// Work that the office has not taken, oldest first; the row is for `taken`.
    pub fn waiting(
        &self,
        now: Timestamp,
        count_max: usize,
    ) -> Result<Vec<(i64, TakenWork)>, StoreError> {
        let waiting = handing::waiting(&self.connection, now, count_max)?;
        let open = |it: handing::Waiting| match wire::to_province_from_bytes(&it.body) {
            Ok(ToProvince::Work(work)) => {
                let personal = self.identity.open(&work).ok().flatten();
                Some((it.row, TakenWork { work, applicant: personal.map(|it| it.applicant) }))
            }
            Ok(ToProvince::Receipts(_) | ToProvince::Order(_)) | Err(_) => None,
        };
        Ok(waiting.into_iter().filter_map(open).collect())
    }

    /// The office has it.
    pub fn taken(&self, row: i64, now: Timestamp) -> Result<(), StoreError> {
        handing::taken(&self.connection, row, now)
    }

    /// News of the office, with a text for the applicant that travels sealed: durable in the outbox
    /// on return. The same again is the same.
    pub fn report(
        &self,
        case: CaseId,
        news: News,
        occurred_at: Timestamp,
        text: Option<String>,
        now: Timestamp,
    ) -> Result<ReportId, ReportError> {
        let item = Item { case, news, occurred_at, text };
        self.whole(|it| report_in(it, &self.identity, item, now))
    }

    /// What is to be sent now; each counts as an attempt, sent or not.
    pub fn due(&self, now: Timestamp, count_max: usize) -> Result<Vec<Posted>, StoreError> {
        let parcels = self.whole(|it| outbox::claim_due(it, &self.pace, now, count_max))?;
        let posted = parcels.into_iter().map(|it| Posted {
            report: it.report,
            token: it.token,
            message_id: it.message_id,
            body: it.body,
            signature: it.signature,
        });
        Ok(posted.collect())
    }

    /// Compares with the hub whatever is due by itself: a new store at once, each day once.
    pub fn compare(&self, now: Timestamp) -> Result<(), ReportError> {
        let today = inventory::shanghai_date(now);
        self.whole(|it| inventory::wish_what_is_due(it, today, true, now)).map(drop)
    }

    /// Inventories and lists that are to be sent now: the subject's last token, bytes, signature.
    pub fn comparisons(
        &self,
        now: Timestamp,
    ) -> Result<Vec<(String, Vec<u8>, String)>, ReportError> {
        let told =
            self.whole(|it| inventory::claim_due(it, &self.identity, &self.pace, now, now))?;
        Ok(told.into_iter().map(|it| (it.token.to_owned(), it.body, it.signature)).collect())
    }

    /// When the next report is to be sent; nothing when the hub has signed for all of them.
    pub fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        outbox::next_due(&self.connection)
    }

    /// Whole or not at all.
    fn whole<T, E: From<StoreError>>(
        &self,
        what: impl FnOnce(&Connection) -> Result<T, E>,
    ) -> Result<T, E> {
        let failed = |it: rusqlite::Error| E::from(StoreError::from(it));
        let transaction = self.connection.unchecked_transaction().map_err(failed)?;
        let result = what(&transaction)?;
        transaction.commit().map_err(failed)?;
        Ok(result)
    }
}
