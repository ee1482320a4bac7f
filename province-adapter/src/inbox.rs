//! What has arrived, so that a second delivery is harmless. Nothing is believed unsigned; nothing is
//! acknowledged before it is durable; what is not believed is kept, counted and named.

use bytes::Bytes;
use events::ids::{CaseId, ReportId};
use events::reconcile::Order;
use events::report::News;
use events::subjects;
use events::trace::TraceParent;
use events::wire::{self, ToProvince, WireError};
use events::work::{PersonalPart, Receipts, Work, WorkKind};
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, named_params, params};

use crate::ending::{self, Ended};
use crate::inventory;
use crate::keys::{HubSignatureError, Identity, OpenError, randomness};
use crate::outbox::{self, Draft, ReportError, id, signed};
use crate::publicity;
use crate::recount;
use crate::store::StoreError;

/// Refused messages whose bytes are kept; older ones are only counted.
pub(crate) const REFUSED_KEPT_MAX: i64 = 10_000;

/// Counted beside what is refused: a receipt for a report that this store never held.
const UNKNOWN_REPORT: &str = "receipt-for-unknown-report";

/// A message as the broker handed it over.
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) body: Bytes,
    pub(crate) signature: Option<String>,
    /// The broker gave it before: a copy says nothing about what the hub lacks.
    pub(crate) redelivered: bool,
    /// The header's: what the hub's own span is called.
    pub(crate) trace: Option<TraceParent>,
}

/// A message that is the hub's and for us.
#[allow(clippy::large_enum_variant)] // short-lived; a batch of them at most
pub(crate) enum Content {
    /// Something to handle, and its opened personal part.
    Work(Work, Option<PersonalPart>),
    /// Reports that may rest.
    Receipts(Receipts),
    /// What to compare, or to say again.
    Order(Order),
}

/// Why a message is not believed. The code is what `status` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Distrust {
    /// Larger than the contract allows.
    TooLarge,
    /// No signature header.
    Unsigned,
    /// Signed with another key than the hub's that is configured here.
    UnknownKey,
    /// The signature is not the hub's, or not over these bytes.
    BadSignature,
    /// Signed by the hub, and not readable by this version.
    Unreadable,
    /// For another province.
    WrongProvince,
    /// Of another log or environment.
    WrongOrigin,
    /// From a writer that has been replaced since.
    StaleEpoch,
    /// A case or correction without a personal part.
    PersonalPartMissing,
    /// The personal part is sealed by an algorithm that this version does not know.
    UnknownSealAlgorithm,
    /// The personal part is sealed to a key that is not among the key files.
    UnknownSealKey,
    /// The personal part does not open with its key: it was changed, or belongs elsewhere.
    SealDoesNotOpen,
}

impl Distrust {
    /// The stable code.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::Unsigned => "unsigned",
            Self::UnknownKey => "unknown-key",
            Self::BadSignature => "bad-signature",
            Self::Unreadable => "unreadable",
            Self::WrongProvince => "wrong-province",
            Self::WrongOrigin => "wrong-origin",
            Self::StaleEpoch => "stale-epoch",
            Self::PersonalPartMissing => "personal-part-missing",
            Self::UnknownSealAlgorithm => "unknown-seal-algorithm",
            Self::UnknownSealKey => "unknown-seal-key",
            Self::SealDoesNotOpen => "seal-does-not-open",
        }
    }
}

/// Is it the hub's, for us, whole and readable? Looks only at the message and the keys.
pub(crate) fn examine(identity: &Identity, letter: &Letter) -> Result<Content, Distrust> {
    if letter.body.len() > subjects::PAYLOAD_BYTES_MAX {
        return Err(Distrust::TooLarge);
    }
    let jws = letter.signature.as_deref().ok_or(Distrust::Unsigned)?;
    identity.check_hub(jws, &letter.body).map_err(|it| match it {
        HubSignatureError::UnknownKey => Distrust::UnknownKey,
        HubSignatureError::Wrong(_) => Distrust::BadSignature,
    })?;
    let content = wire::to_province_from_bytes(&letter.body).map_err(|it| match it {
        WireError::Unreadable { .. }
        | WireError::UnknownKind { .. }
        | WireError::Contradiction { .. } => Distrust::Unreadable,
    })?;
    let (province, origin) = match &content {
        ToProvince::Work(work) => (work.province, &work.origin),
        ToProvince::Receipts(receipts) => (receipts.province, &receipts.origin),
        ToProvince::Order(order) => (order.province, &order.origin),
    };
    if province != identity.province {
        return Err(Distrust::WrongProvince);
    }
    if *origin != identity.origin {
        return Err(Distrust::WrongOrigin);
    }
    match content {
        ToProvince::Receipts(receipts) => Ok(Content::Receipts(receipts)),
        ToProvince::Order(order) => Ok(Content::Order(order)),
        ToProvince::Work(work) => {
            let personal = identity.open(&work).map_err(|it| match it {
                OpenError::UnknownAlgorithm => Distrust::UnknownSealAlgorithm,
                OpenError::UnknownKey => Distrust::UnknownSealKey,
                OpenError::DoesNotOpen | OpenError::Unreadable => Distrust::SealDoesNotOpen,
            })?;
            if personal.is_none() && work.kind != WorkKind::Withdrawal {
                return Err(Distrust::PersonalPartMissing);
            }
            Ok(Content::Work(work, personal))
        }
    }
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// New work in this row, signed for by this report.
    New { row: i64, case: CaseId, delivered: ReportId },
    /// A copy. `sent_again` reports go out again because the hub evidently lacks them.
    Known { sent_again: usize },
    /// Receipts: how many ended a sending, and how many of these were refusals.
    Receipts { ended: usize, refused: usize },
    /// An order; so many reports go out again because of it.
    Ordered { sent_again: usize },
    /// Not believed.
    Refused(Distrust),
}

/// The two moments of an arrival.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moments {
    pub(crate) real: Timestamp,
    pub(crate) told: Timestamp,
}

/// Makes the message durable and puts the signed receipt for it in the outbox, in one transaction.
pub(crate) fn keep(
    connection: &Connection,
    identity: &Identity,
    letter: &Letter,
    content: &Result<Content, Distrust>,
    now: Moments,
) -> Result<Arrival, ReportError> {
    match content {
        Err(distrust) => refuse(connection, identity, letter, *distrust, now.real),
        Ok(Content::Receipts(receipts)) => {
            if !raise_epoch(connection, receipts.epoch, now.real)? {
                return refuse(connection, identity, letter, Distrust::StaleEpoch, now.real);
            }
            end_all(connection, identity, receipts, now.real)
        }
        Ok(Content::Order(order)) => {
            if !raise_epoch(connection, order.epoch, now.real)? {
                return refuse(connection, identity, letter, Distrust::StaleEpoch, now.real);
            }
            let today = inventory::shanghai_date(now.told);
            let sent_again = inventory::obey(connection, order, today, now.real)?;
            Ok(Arrival::Ordered { sent_again })
        }
        Ok(Content::Work(work, _)) => {
            let known = find(connection, work)?;
            if !raise_epoch(connection, work.epoch, now.real)? {
                // A late copy of what we hold does no harm; anything new from an old writer might.
                return match known {
                    Some(_) => Ok(Arrival::Known { sent_again: 0 }),
                    None => refuse(connection, identity, letter, Distrust::StaleEpoch, now.real),
                };
            }
            let day = inventory::shanghai_date(work.submitted_at);
            inventory::note_story(connection, work.case, day, work.next_report_number)?;
            match known {
                Some(_) if letter.redelivered => Ok(Arrival::Known { sent_again: 0 }),
                Some(delivered_by) => Ok(Arrival::Known {
                    sent_again: say_again(connection, work.case, delivered_by, now.real)?,
                }),
                None => take_in(connection, identity, letter, work, now),
            }
        }
    }
}

/// False if the epoch is lower than one that was seen.
fn raise_epoch(connection: &Connection, epoch: u64, now: Timestamp) -> Result<bool, StoreError> {
    let seen: i64 =
        connection.prepare_cached("SELECT epoch FROM fence")?.query_row([], |row| row.get(0))?;
    let epoch = signed(epoch);
    if epoch > seen {
        connection.prepare_cached("UPDATE fence SET epoch = ?1")?.execute([epoch])?;
        ending::hurry(connection, now)?;
        publicity::hurry(connection, now)?;
    }
    Ok(epoch >= seen)
}

/// The row of the `delivered` report of work that is here already.
fn find(connection: &Connection, work: &Work) -> Result<Option<i64>, StoreError> {
    Ok(connection
        .prepare_cached(
            "SELECT delivered_by FROM work WHERE case_id = ?1 AND request = ?2 AND kind = ?3",
        )?
        .query_row(params![id(work.case.0), id(work.request.0), work.kind.token()], |row| {
            row.get(0)
        })
        .optional()?)
}

fn say_again(
    connection: &Connection,
    case: CaseId,
    delivered_by: i64,
    now: Timestamp,
) -> Result<usize, StoreError> {
    let receipted: bool = connection
        .prepare_cached("SELECT next_send_at IS NULL FROM report WHERE id = ?1")?
        .query_row([delivered_by], |row| row.get(0))?;
    // Unreceipted, it is being sent anyway, at its own pace.
    if receipted { ending::send_again_from(connection, case, delivered_by, now) } else { Ok(0) }
}

fn take_in(
    connection: &Connection,
    identity: &Identity,
    letter: &Letter,
    work: &Work,
    now: Moments,
) -> Result<Arrival, ReportError> {
    let draft = Draft {
        case: work.case,
        request: work.request,
        digest: work.digest,
        news: News::Delivered { work: work.kind },
        occurred_at: now.told,
        text: None,
    };
    let delivered = outbox::enqueue(connection, identity, draft, now.real)?;
    connection
        .prepare_cached(
            "INSERT INTO work (case_id, request, kind, digest, body, signature, received_at, delivered_by, next_take_at)
             VALUES (:case, :request, :kind, :digest, :body, :signature, :now, :delivered, :now)",
        )?
        .execute(named_params! {
            ":case": id(work.case.0), ":request": id(work.request.0), ":kind": work.kind.token(),
            ":digest": work.digest.0, ":body": letter.body.as_ref(),
            ":signature": letter.signature, ":now": now.real.as_millisecond(),
            ":delivered": delivered.row,
        })?;
    let row = connection.last_insert_rowid();
    Ok(Arrival::New { row, case: work.case, delivered: delivered.report })
}

fn end_all(
    connection: &Connection,
    identity: &Identity,
    receipts: &Receipts,
    now: Timestamp,
) -> Result<Arrival, ReportError> {
    let (mut ended, mut refused) = (0, 0);
    for receipt in &receipts.receipts {
        match ending::end(connection, receipt, now)? {
            Ended::Now { refused: was_refused } => {
                ended += 1;
                refused += usize::from(was_refused);
                recount::after_refusal(connection, identity, receipt, now)?;
            }
            Ended::Before => {}
            // Somebody put an older store back, or the hub mixes up its provinces: it must show.
            Ended::UnknownReport => count(connection, UNKNOWN_REPORT)?,
        }
    }
    for receipt in &receipts.statements {
        if publicity::end(connection, receipt, now)? {
            ended += 1;
            refused += usize::from(receipt.refused.is_some());
        }
    }
    Ok(Arrival::Receipts { ended, refused })
}

fn refuse(
    connection: &Connection,
    identity: &Identity,
    letter: &Letter,
    distrust: Distrust,
    now: Timestamp,
) -> Result<Arrival, ReportError> {
    // What is not believed may hold anything, personal data too: it is kept sealed.
    let chance = randomness::<32>().map_err(|_| ReportError::Randomness)?;
    let sealed = identity.seal_to_self(&chance, &letter.body);
    connection
        .prepare_cached("INSERT INTO refused (at, reason, bytes, sealed) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![
            now.as_millisecond(),
            distrust.code(),
            i64::try_from(letter.body.len()).unwrap_or(i64::MAX),
            sealed
        ])?;
    connection
        .prepare_cached("DELETE FROM refused WHERE id <= ?1")?
        .execute([connection.last_insert_rowid() - REFUSED_KEPT_MAX])?;
    count(connection, distrust.code())?;
    Ok(Arrival::Refused(distrust))
}

fn count(connection: &Connection, reason: &str) -> Result<(), StoreError> {
    connection
        .prepare_cached(
            "INSERT INTO refused_count VALUES (?1, 1)
             ON CONFLICT (reason) DO UPDATE SET count = count + 1",
        )?
        .execute([reason])?;
    Ok(())
}

/// The newest case or correction of `case`: what a report answers.
pub(crate) fn newest_work(
    connection: &Connection,
    case: CaseId,
) -> Result<Option<Work>, ReportError> {
    let body: Option<Vec<u8>> = connection
        .prepare_cached(
            "SELECT body FROM work WHERE case_id = ?1 AND kind <> 'withdrawal'
             ORDER BY id DESC LIMIT 1",
        )?
        .query_row([id(case.0)], |row| row.get(0))
        .optional()?;
    Ok(body.and_then(|it| match wire::to_province_from_bytes(&it) {
        Ok(ToProvince::Work(work)) => Some(work),
        // It was readable when it was kept; an older program may have been put back.
        Ok(ToProvince::Receipts(_) | ToProvince::Order(_)) | Err(_) => None,
    }))
}
