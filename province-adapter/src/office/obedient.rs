//! The office of the sandbox: it answers what the test case tells it to, and nothing else. What it has
//! still to say is in the store, so that a killed adapter goes on where it was.

use std::sync::Arc;
use std::time::Duration;

use events::ids::RequestId;
use events::work::{Work, WorkKind};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tracing::{debug, warn};

use super::plans::{due, find, keep, next_due};
use super::{OfficeSystem, TakeError, TakenWork};
use crate::conformance::instruction::{Answer, Instruction};
use crate::outbox::ReportError;
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
                let due = due::<Plan>(connection, told, ANSWERS_AT_ONCE_MAX)?;
                for (case, mut plan, _) in due.iter().cloned() {
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
    let old: Option<Plan> = find(connection, work.case)?;
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
