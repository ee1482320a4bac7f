//! The office of the sandbox: it answers what the test case tells it to, and nothing else. What it has
//! still to say is in the store, so that a killed adapter goes on where it was.

use std::sync::Arc;
use std::time::Duration;

use events::ids::{CaseId, RequestId};
use events::work::{Work, WorkKind};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tracing::{debug, warn};

use super::simulated::next_due;
use super::{OfficeSystem, TakeError, TakenWork};
use crate::conformance::instruction::{Answer, Instruction};
use crate::outbox::{ReportError, id, read_id};
use crate::reporter::{self, Item, Reporter};
use crate::store::StoreError;

/// Answers that are given in one transaction.
const ANSWERS_AT_ONCE_MAX: usize = 64;
/// The slow tick behind every wake-up.
const TICK: Duration = Duration::from_millis(500);

/// What is still to be said about one case.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Plan {
    taken: Vec<(RequestId, WorkKind)>,
    number: String,
    answers: Vec<Answer>,
}

/// The office and the loop that speaks for it.
pub struct ObedientOffice {
    reporter: Reporter,
    wake: Notify,
}

impl ObedientOffice {
    /// An office that tells its news through `reporter`.
    pub fn new(reporter: Reporter) -> Self {
        Self { reporter, wake: Notify::new() }
    }

    /// Answers for ever. Dropping it at any point is a crash, and harmless.
    pub async fn run(&self) {
        loop {
            match self.answer_due().await {
                Ok(0) => self.wait_for_due().await,
                Ok(_) => {}
                Err(error) => {
                    warn!(error = %error, "the obedient office cannot answer");
                    tokio::time::sleep(TICK).await;
                }
            }
        }
    }

    /// Gives what is due; how many answers that were. The news and the rest of the plan are durable
    /// together, so that no answer is given twice or lost.
    async fn answer_due(&self) -> Result<usize, ReportError> {
        let shared = Arc::clone(&self.reporter.shared);
        let (told, real) = (shared.clock.told_now(), shared.clock.real_now());
        let waker = Arc::clone(&shared);
        let count = shared
            .store
            .clone()
            .write(move |connection| -> Result<usize, ReportError> {
                let due = due(connection, told)?;
                for (case, mut plan) in due.iter().cloned() {
                    if plan.answers.is_empty() {
                        keep(connection, case, &plan, None)?;
                        continue;
                    }
                    let answer = plan.answers.remove(0);
                    let numbers = (format!("受-{}", plan.number), format!("决-{}", plan.number));
                    if let Some(news) = answer.news(&numbers.0, &numbers.1) {
                        let text = answer.text().map(str::to_owned);
                        let item = Item { case, news, occurred_at: told, text };
                        reporter::report_in(connection, &shared.identity, item, real)?;
                    }
                    keep(connection, case, &plan, next_at(&plan, told))?;
                }
                Ok(due.len())
            })
            .await?;
        if count > 0 {
            waker.outbox_wake.notify_one();
        }
        Ok(count)
    }

    async fn wait_for_due(&self) {
        let shared = &self.reporter.shared;
        let next = shared.store.write(next_due).await.ok().flatten();
        let wait = next.map_or(TICK, |it| shared.clock.real_until(it));
        tokio::select! {
            () = self.wake.notified() => {}
            () = tokio::time::sleep(wait.clamp(Duration::from_millis(1), TICK)) => {}
        }
    }
}

impl OfficeSystem for ObedientOffice {
    async fn take(&self, taken: TakenWork) -> Result<(), TakeError> {
        let shared = &self.reporter.shared;
        let told = shared.clock.told_now();
        let wanted = taken.applicant.as_ref().and_then(Instruction::find);
        let work = taken.work;
        if wanted.is_none() && work.kind != WorkKind::Withdrawal {
            debug!(case.id = %work.case, "no instruction: the office stays silent");
        }
        let answers = wanted.map(|it| it.answers).unwrap_or_default();
        shared
            .store
            .write(move |it| take_in(it, &work, answers, told))
            .await
            .map_err(|it| TakeError::not_now(it.to_string()))?;
        self.wake.notify_one();
        Ok(())
    }
}

/// New work replaces what was still to be said; the same again changes nothing.
fn take_in(
    connection: &Connection,
    work: &Work,
    answers: Vec<Answer>,
    told: Timestamp,
) -> Result<(), StoreError> {
    let text: Option<String> = connection
        .prepare_cached("SELECT plan FROM office WHERE case_id = ?1")?
        .query_row([id(work.case.0)], |row| row.get(0))
        .optional()?;
    let old: Option<Plan> = text.and_then(|it| serde_json::from_str(&it).ok());
    let mut taken = old.map(|it| it.taken).unwrap_or_default();
    if taken.contains(&(work.request, work.kind)) {
        return Ok(());
    }
    taken.push((work.request, work.kind));
    let plan = Plan { taken, number: work.number.to_string(), answers };
    keep(connection, work.case, &plan, next_at(&plan, told))
}

fn next_at(plan: &Plan, told: Timestamp) -> Option<Timestamp> {
    let wait_ms = i64::try_from(plan.answers.first()?.after_ms()).unwrap_or(0);
    told.checked_add(SignedDuration::from_millis(wait_ms)).ok()
}

fn keep(
    connection: &Connection,
    case: CaseId,
    plan: &Plan,
    next_at: Option<Timestamp>,
) -> Result<(), StoreError> {
    let text = serde_json::to_string(plan).expect("a plan is plain data with text keys");
    connection
        .prepare_cached(
            "INSERT INTO office (case_id, plan, next_at) VALUES (?1, ?2, ?3)
             ON CONFLICT (case_id) DO UPDATE SET plan = ?2, next_at = ?3",
        )?
        .execute(params![id(case.0), text, next_at.map(|it| it.as_millisecond())])?;
    Ok(())
}

fn due(connection: &Connection, told: Timestamp) -> Result<Vec<(CaseId, Plan)>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT case_id, plan FROM office WHERE next_at <= ?1 ORDER BY next_at LIMIT ?2",
    )?;
    let count_max = i64::try_from(ANSWERS_AT_ONCE_MAX).unwrap_or(i64::MAX);
    let rows = select.query_map(params![told.as_millisecond(), count_max], |row| {
        Ok((CaseId(read_id(row, 0)?), row.get::<_, String>(1)?))
    })?;
    let mut due = Vec::new();
    for row in rows {
        let (case, text) = row?;
        // A plan of the simulated office in the same store: nobody obeys it here.
        let silent = Plan { taken: Vec::new(), number: String::new(), answers: Vec::new() };
        due.push((case, serde_json::from_str(&text).unwrap_or(silent)));
    }
    Ok(due)
}
