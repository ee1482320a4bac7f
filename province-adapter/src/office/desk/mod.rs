//! Where every connector puts what its office answers: an answer becomes a report exactly once, or is
//! refused by name before it could become a wrong one.
//!
//! The office gives each answer an id of its own, its *operation*. The same operation again gives the
//! same report; with another content it is refused. The report is durable when `answer` returns.

mod refusal;
mod rules;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use events::ids::{CaseId, ReportId, RequestId};
use events::proof::seal;
use events::report::{News, ReportMessage};
use events::wire;
use events::work::Work;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, params};

use super::codes::Codes;
use crate::inbox;
use crate::keys::Identity;
use crate::outbox::{id, read_id};
use crate::reporter::{self, Item, Reporter};
use crate::store::StoreError;

pub use refusal::AnswerRefusal;

/// Longest id that an office may give an answer, in characters.
pub const OPERATION_CHARACTERS_MAX: usize = 128;

/// The office's own id of one answer: 1 to 128 visible ASCII characters, unique for ever.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OperationId(
    // Invariant: 1 to 128 visible ASCII characters.
    String,
);

impl OperationId {
    /// The id with this text; nothing if it cannot be one.
    pub fn new(text: &str) -> Option<Self> {
        let fits = (1..=OPERATION_CHARACTERS_MAX).contains(&text.len());
        (fits && text.bytes().all(|it| it.is_ascii_graphic())).then(|| Self(text.to_owned()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which work an answer is about. An office must not answer what it has not seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// The newest of the case, all of which the office has taken.
    TakenWork,
    /// The work with this request; refused if a newer one has arrived.
    Request(RequestId),
}

/// What the office says about a case, in the hub's words.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The office's id of it.
    pub operation: OperationId,
    /// The case.
    pub case: CaseId,
    /// Which work it is about.
    pub answers: Answers,
    /// What it says; `Delivered` is the adapter's to say and is refused.
    pub news: News,
    /// When it was decided; now, if the office does not say.
    pub decided_at: Option<Timestamp>,
    /// For the applicant; travels sealed.
    pub text: Option<String>,
}

/// The report that an answer became.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Given {
    /// The report.
    pub report: ReportId,
    /// It was said before; nothing changed.
    pub again: bool,
}

/// A handle on the desk; cheap to clone.
#[derive(Clone)]
pub struct Desk {
    pub(super) reporter: Reporter,
    codes: Arc<Codes>,
}

impl Desk {
    /// Makes its table in the store if it is not there.
    pub async fn open(reporter: Reporter, codes: Arc<Codes>) -> Result<Self, StoreError> {
        let make =
            |it: &Connection| Ok::<_, StoreError>(it.execute_batch(include_str!("desk.sql"))?);
        reporter.shared.store.write(make).await?;
        Ok(Self { reporter, codes })
    }

    /// The office's codes.
    pub fn codes(&self) -> &Codes {
        &self.codes
    }

    /// Makes a report of the answer, durable on return. The same operation with the same content
    /// again gives the same report; so does the case's last answer under another operation.
    pub async fn answer(&self, answer: Answer) -> Result<Given, AnswerRefusal> {
        let shared = Arc::clone(&self.reporter.shared);
        let (told, real) = (shared.clock.told_now(), shared.clock.real_now());
        let given = self
            .reporter
            .shared
            .store
            .write(move |it| answer_in(it, &shared.identity, answer, told, real))
            .await?;
        if !given.again {
            self.reporter.shared.outbox_wake.notify_one();
        }
        Ok(given)
    }
}

/// The same inside a transaction that also changes something else. The caller wakes the outbox.
pub(crate) fn answer_in(
    connection: &Connection,
    identity: &Identity,
    answer: Answer,
    told: Timestamp,
    real: Timestamp,
) -> Result<Given, AnswerRefusal> {
    let Some(work) = inbox::newest_work(connection, answer.case)? else {
        return Err(AnswerRefusal::UnknownCase { case: answer.case });
    };
    if let Some((known, moment_given)) = find_operation(connection, &answer.operation)? {
        let same = says_the_same(identity, &work, &known, &answer)
            && moment_given == answer.decided_at.is_some()
            && answer.decided_at.is_none_or(|it| same_moment(it, known.occurred_at));
        if !same {
            return Err(AnswerRefusal::OperationReused { operation: answer.operation.0 });
        }
        return match refused_by_hub(connection, known.id)? {
            Some(code) => Err(AnswerRefusal::RefusedByHub { code }),
            None => Ok(Given { report: known.id, again: true }),
        };
    }
    let reports = reports(connection, answer.case)?;
    if let Some(last) = reports.last()
        && last.report.request == work.request
        && says_the_same(identity, &work, last, &answer)
    {
        keep(connection, &answer, last.id)?;
        return Ok(Given { report: last.id, again: true });
    }
    check_seen(connection, &answer, &work)?;
    rules::check_bounds(&answer, &work, told)?;
    let withdrawn = has_withdrawal(connection, answer.case)?;
    rules::Story::of(&reports, work.request, withdrawn).check(&answer.news)?;
    let item = Item {
        case: answer.case,
        news: answer.news.clone(),
        occurred_at: answer.decided_at.unwrap_or(told),
        text: answer.text.clone(),
    };
    let report = reporter::report_in(connection, identity, item, real)?;
    // The outbox knows the same news of the same moment: the hub would refuse it as it did before.
    if let Some(code) = refused_by_hub(connection, report)? {
        return Err(AnswerRefusal::RefusedByHub { code });
    }
    keep(connection, &answer, report)?;
    Ok(Given { report, again: false })
}

/// The envelope keeps moments as they were given; a repeat may spell the same moment otherwise.
fn same_moment(one: Timestamp, other: Timestamp) -> bool {
    one.as_millisecond() == other.as_millisecond()
}

fn check_seen(connection: &Connection, answer: &Answer, work: &Work) -> Result<(), AnswerRefusal> {
    match answer.answers {
        Answers::Request(request) if request != work.request => {
            Err(AnswerRefusal::NewerWork { case: answer.case })
        }
        Answers::Request(_) => Ok(()),
        Answers::TakenWork => {
            let untaken: bool = connection
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM work WHERE case_id = ?1 AND taken_at IS NULL)",
                )?
                .query_row([id(answer.case.0)], |row| row.get(0))?;
            if untaken { Err(AnswerRefusal::WorkNotTaken { case: answer.case }) } else { Ok(()) }
        }
    }
}

fn has_withdrawal(connection: &Connection, case: CaseId) -> Result<bool, rusqlite::Error> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM work WHERE case_id = ?1 AND kind = 'withdrawal')",
        )?
        .query_row([id(case.0)], |row| row.get(0))
}

fn keep(connection: &Connection, answer: &Answer, report: ReportId) -> Result<(), rusqlite::Error> {
    connection
        .prepare_cached(
            "INSERT INTO office_answer (operation, report_id, moment_given) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![answer.operation.0, id(report.0), answer.decided_at.is_some()])?;
    Ok(())
}

fn find_operation(
    connection: &Connection,
    operation: &OperationId,
) -> Result<Option<(ReportMessage, bool)>, AnswerRefusal> {
    let found = connection
        .prepare_cached("SELECT report_id, moment_given FROM office_answer WHERE operation = ?1")?
        .query_row([&operation.0], |row| Ok((read_id(row, 0)?, row.get(1)?)))
        .optional()?;
    let Some((report, moment_given)) = found else { return Ok(None) };
    let body: Vec<u8> = connection
        .prepare_cached("SELECT body FROM report WHERE report_id = ?1")?
        .query_row([id(report)], |row| row.get(0))?;
    let message = wire::report_from_bytes(&body)
        .map_err(|_| AnswerRefusal::OperationReused { operation: operation.0.clone() })?;
    Ok(Some((message, moment_given)))
}

fn refused_by_hub(
    connection: &Connection,
    report: ReportId,
) -> Result<Option<String>, rusqlite::Error> {
    connection
        .prepare_cached("SELECT refusal FROM report WHERE report_id = ?1")?
        .query_row([id(report.0)], |row| row.get(0))
}

/// What the office has answered so far, in order; what the hub refused changed nothing there.
fn reports(connection: &Connection, case: CaseId) -> Result<Vec<ReportMessage>, rusqlite::Error> {
    let mut select = connection.prepare_cached(
        "SELECT body FROM report WHERE case_id = ?1 AND token <> 'delivered' AND refusal IS NULL
         ORDER BY number",
    )?;
    let rows = select.query_map([id(case.0)], |row| row.get::<_, Vec<u8>>(0))?;
    let mut reports = Vec::new();
    for body in rows {
        // A body that this program cannot read any more is an older one; the hub judges then.
        reports.extend(wire::report_from_bytes(&body?).ok());
    }
    Ok(reports)
}

/// The same case, news and text. The text is opened again with the reply key; where that key is
/// gone after a rotation, the news decides alone.
fn says_the_same(identity: &Identity, work: &Work, known: &ReportMessage, answer: &Answer) -> bool {
    if known.report.case != answer.case || known.report.news != answer.news {
        return false;
    }
    match (&known.report.sealed_text, &answer.text) {
        (None, None) => true,
        (Some(sealed), Some(text)) => {
            open_text(identity, work, known, sealed).is_none_or(|known| known == text.as_bytes())
        }
        (None, Some(_)) | (Some(_), None) => false,
    }
}

fn open_text(
    identity: &Identity,
    work: &Work,
    known: &ReportMessage,
    sealed: &str,
) -> Option<Vec<u8>> {
    let key = reporter::reply_key(identity, work).ok()?;
    let sealed = BASE64.decode(sealed).ok()?;
    seal::open(&key, known.report.text_context().as_bytes(), &sealed).ok()
}

#[cfg(test)]
mod tests;
