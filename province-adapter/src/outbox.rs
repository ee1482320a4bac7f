//! What has to be reported, until the hub has signed for it. A report is signed once; sending it
//! again changes only the message id. The broker's acknowledgement ends nothing.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use events::ids::{CaseId, ReportId, RequestId};
use events::personal;
use events::proof::{Digest, seal};
use events::report::{News, Report, ReportMessage};
use events::subjects;
use events::wire;
use jiff::Timestamp;
use rusqlite::{Connection, named_params, params};
use uuid::Uuid;

use crate::keys::{Identity, randomness};
use crate::store::{MayBeStoreError, StoreError};

/// What an adapter calls itself in its reports.
pub const ADAPTER_VERSION: &str = concat!("province-adapter/", env!("CARGO_PKG_VERSION"));
/// Longest sealed text, in bytes of base64url.
pub const SEALED_TEXT_BYTES_MAX: usize = 8 * 1024;

/// Why news could not be put in the outbox. Nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// No work of this case ever arrived here.
    #[error("no work of case {case} is in the inbox")]
    UnknownCase {
        /// The case.
        case: CaseId,
    },
    /// The free text is too long.
    #[error(
        "the text of {bytes} bytes is too long\n(sealed, {SEALED_TEXT_BYTES_MAX} bytes are allowed)"
    )]
    TextTooLong {
        /// How long it is when sealed.
        bytes: usize,
    },
    /// The report is larger than a message may be.
    #[error("the report of {bytes} bytes is larger than a message may be")]
    TooLarge {
        /// How large.
        bytes: usize,
    },
    /// A number that the hub keeps in clear is somebody's identity number.
    #[error(
        "an identity number would stand in clear\n(use a number that says nothing about the person)"
    )]
    IdentityNumberInClear,
    /// The work had no reply key, or it does not open.
    #[error("the text cannot be sealed for case {case}")]
    NoReplyKey {
        /// The case.
        case: CaseId,
    },
    /// The system gives no randomness.
    #[error("cannot draw randomness for a report")]
    Randomness,
    /// As many reports wait for the hub's receipts as there may be. Nothing is lost that was taken before.
    #[error(
        "{reports_max} reports wait for the hub already\n(say it again later; see `province-adapter status` for what they wait for)"
    )]
    OutboxFull {
        /// The bound, `limits.outbox_reports_max`.
        reports_max: i64,
    },
    /// The store failed.
    #[error("cannot keep the report")]
    Store(#[from] StoreError),
}

impl MayBeStoreError for ReportError {
    fn store_error(&self) -> Option<&StoreError> {
        if let Self::Store(it) = self { Some(it) } else { None }
    }
}

impl From<rusqlite::Error> for ReportError {
    fn from(source: rusqlite::Error) -> Self {
        Self::Store(source.into())
    }
}

/// News about a case, not yet numbered and signed.
pub(crate) struct Draft {
    pub(crate) case: CaseId,
    pub(crate) request: RequestId,
    pub(crate) digest: Digest,
    pub(crate) news: News,
    pub(crate) occurred_at: Timestamp,
    /// The reply key and the text that is sealed under it.
    pub(crate) text: Option<([u8; 32], String)>,
}

/// A report's row and id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Queued {
    pub(crate) row: i64,
    pub(crate) report: ReportId,
    /// The same news of the same moment was there already.
    pub(crate) known: bool,
}

/// Numbers, signs and keeps it. The same news of the same moment again gives the same report.
pub(crate) fn enqueue(
    connection: &Connection,
    identity: &Identity,
    draft: Draft,
    now: Timestamp,
) -> Result<Queued, ReportError> {
    if let Some(known) = find_same(connection, &draft)? {
        return Ok(known);
    }
    enqueue_new(connection, identity, draft, now)
}

/// The same, whether it was said before or not.
pub(crate) fn enqueue_new(
    connection: &Connection,
    identity: &Identity,
    draft: Draft,
    now: Timestamp,
) -> Result<Queued, ReportError> {
    let report = ReportId(new_id(now)?);
    let message = write_down(connection, identity, draft, report)?;
    let body = wire::report_to_bytes(&message);
    if body.len() > subjects::PAYLOAD_BYTES_MAX {
        return Err(ReportError::TooLarge { bytes: body.len() });
    }
    let signature = identity.sign_report(&body);
    connection
        .prepare_cached(
            "INSERT INTO report (report_id, case_id, number, token, body, signature, created_at, next_send_at)
             VALUES (:report, :case, :number, :token, :body, :signature, :now, :now)",
        )?
        .execute(named_params! {
            ":report": id(report.0), ":case": id(message.report.case.0),
            ":number": signed(message.report.number), ":token": message.report.news.token(),
            ":body": body, ":signature": signature, ":now": now.as_millisecond(),
        })?;
    Ok(Queued { row: connection.last_insert_rowid(), report, known: false })
}

fn write_down(
    connection: &Connection,
    identity: &Identity,
    draft: Draft,
    id_of_report: ReportId,
) -> Result<ReportMessage, ReportError> {
    let number: i64 = connection
        .prepare_cached(
            "SELECT max(coalesce((SELECT max(number) FROM report WHERE case_id = ?1), 0) + 1,
                        coalesce((SELECT next_number FROM story WHERE case_id = ?1), 1))",
        )?
        .query_row([id(draft.case.0)], |row| row.get(0))?;
    let mut report = Report {
        origin: identity.origin.clone(),
        province: identity.province,
        case: draft.case,
        request: draft.request,
        digest: draft.digest,
        number: number.unsigned_abs(),
        adapter: ADAPTER_VERSION.to_owned(),
        news: draft.news,
        sealed_text: None,
    };
    if let Some((reply_key, text)) = draft.text {
        let nonce = randomness().map_err(|_| ReportError::Randomness)?;
        let context = report.text_context();
        let sealed = seal::seal(&reply_key, nonce, context.as_bytes(), text.as_bytes());
        let sealed = BASE64.encode(sealed);
        if sealed.len() > SEALED_TEXT_BYTES_MAX {
            return Err(ReportError::TextTooLong { bytes: sealed.len() });
        }
        report.sealed_text = Some(sealed);
    }
    if personal::tells_identity_number(&report) {
        return Err(ReportError::IdentityNumberInClear);
    }
    Ok(ReportMessage { id: id_of_report, occurred_at: draft.occurred_at, report })
}

/// An office that crashed after reporting reports again; the applicant must not get two decisions.
fn find_same(connection: &Connection, draft: &Draft) -> Result<Option<Queued>, ReportError> {
    let mut select = connection
        .prepare_cached("SELECT id, body FROM report WHERE case_id = ?1 AND token = ?2")?;
    let mut rows = select.query(params![id(draft.case.0), draft.news.token()])?;
    while let Some(row) = rows.next()? {
        let body = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
        // A body that this program cannot read any more is an older one: it is not the same.
        let Ok(known) = wire::report_from_bytes(body) else { continue };
        let same_news = known.report.news == draft.news && known.report.request == draft.request;
        if same_news && known.occurred_at == draft.occurred_at {
            return Ok(Some(Queued { row: row.get(0)?, report: known.id, known: true }));
        }
    }
    Ok(None)
}

/// How long to wait before a report is sent again.
#[derive(Debug, Clone)]
pub struct Pace {
    // Invariant: not empty.
    steps: Vec<Duration>,
    jitter_percent: u32,
}

impl Pace {
    /// After the first time wait the first step, then the second…, then the last for ever.
    /// Nothing if there are no steps or the jitter is above 100 percent.
    pub fn new(steps: Vec<Duration>, jitter_percent: u32) -> Option<Self> {
        (!steps.is_empty() && jitter_percent <= 100).then_some(Self { steps, jitter_percent })
    }

    /// `chance` lies between 0 and 1 and moves the wait by up to the jitter in both directions.
    pub(crate) fn wait_ms(&self, step: i64, chance: f64) -> i64 {
        let last = self.steps.len() - 1;
        let step = usize::try_from(step).unwrap_or(0).min(last);
        let factor = 1.0 + f64::from(self.jitter_percent) / 100.0 * (2.0 * chance - 1.0);
        let wait = self.steps[step].mul_f64(factor.max(0.0));
        i64::try_from(wait.as_millis()).unwrap_or(i64::MAX)
    }
}

/// A report on its way: new message id, old bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parcel {
    pub(crate) row: i64,
    pub(crate) report: ReportId,
    pub(crate) case: CaseId,
    pub(crate) attempt: u64,
    pub(crate) token: String,
    pub(crate) message_id: String,
    pub(crate) body: Vec<u8>,
    pub(crate) signature: String,
}

/// What is due now, oldest first; each with its attempt counted, so that a crash repeats no id.
pub(crate) fn claim_due(
    connection: &Connection,
    pace: &Pace,
    now: Timestamp,
    count_max: usize,
) -> Result<Vec<Parcel>, StoreError> {
    let now_ms = now.as_millisecond();
    let mut select = connection.prepare_cached(
        "SELECT id, report_id, token, attempt + 1, body, signature, pace_step, case_id FROM report
         WHERE next_send_at <= ?1 ORDER BY next_send_at, id LIMIT ?2",
    )?;
    let mut update = connection.prepare_cached(
        "UPDATE report SET attempt = attempt + 1, pace_step = pace_step + 1, next_send_at = ?2 WHERE id = ?1",
    )?;
    let mut parcels = Vec::new();
    let mut rows = select.query(params![now_ms, i64::try_from(count_max).unwrap_or(i64::MAX)])?;
    while let Some(row) = rows.next()? {
        let report = ReportId(read_id(row, 1)?);
        let attempt: i64 = row.get(3)?;
        let step: i64 = row.get(6)?;
        let parcel = Parcel {
            row: row.get(0)?,
            report,
            case: CaseId(read_id(row, 7)?),
            attempt: attempt.unsigned_abs(),
            token: row.get(2)?,
            message_id: format!("{report}.{attempt}"),
            body: row.get(4)?,
            signature: row.get(5)?,
        };
        parcels.push((parcel, step));
    }
    // The hub holds n+1 until n is there: within a window, in the order of writing.
    parcels.sort_by_key(|(parcel, _)| parcel.row);
    for (parcel, step) in &parcels {
        let wait_ms = pace.wait_ms(*step, rand::random());
        update.execute(params![parcel.row, now_ms.saturating_add(wait_ms)])?;
    }
    Ok(parcels.into_iter().map(|(parcel, _)| parcel).collect())
}

/// The broker did not take them: the same step again, after the first wait.
pub(crate) fn not_taken(
    connection: &Connection,
    pace: &Pace,
    now: Timestamp,
    rows: &[i64],
) -> Result<(), StoreError> {
    let mut update = connection.prepare_cached(
        "UPDATE report SET pace_step = max(pace_step - 1, 0), next_send_at = ?2
         WHERE id = ?1 AND next_send_at IS NOT NULL",
    )?;
    for row in rows {
        let wait_ms = pace.wait_ms(0, rand::random());
        update.execute(params![row, now.as_millisecond().saturating_add(wait_ms)])?;
    }
    Ok(())
}

/// When the next one is due, if any waits.
pub(crate) fn next_due(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let next: Option<i64> = connection
        .prepare_cached("SELECT min(next_send_at) FROM report WHERE next_send_at IS NOT NULL")?
        .query_row([], |row| row.get(0))?;
    Ok(next.and_then(|it| Timestamp::from_millisecond(it).ok()))
}

/// An id that grows with time (UUIDv7).
pub(crate) fn new_id(now: Timestamp) -> Result<Uuid, ReportError> {
    let chance = randomness::<10>().map_err(|_| ReportError::Randomness)?;
    let now_ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
    Ok(uuid::Builder::from_unix_timestamp_millis(now_ms, &chance).into_uuid())
}

pub(crate) fn id(it: Uuid) -> [u8; 16] {
    it.into_bytes()
}

pub(crate) fn read_id(row: &rusqlite::Row<'_>, column: usize) -> Result<Uuid, rusqlite::Error> {
    row.get::<_, [u8; 16]>(column).map(Uuid::from_bytes)
}

pub(crate) fn signed(it: u64) -> i64 {
    i64::try_from(it).unwrap_or(i64::MAX)
}
