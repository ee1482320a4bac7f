//! An office that does not exist, and behaves as offices do: hours, holidays, delays, mistakes. What
//! it does next with each case is in the store, so that a killed adapter goes on where it was.

use std::time::Duration;

use events::ids::CaseId;
use events::report::News;
use events::work::{Work, WorkKind};
use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};
use tokio::sync::Notify;
use tracing::warn;

use super::fate::{self, Answer};
use super::hours::OfficeHours;
use super::plan::{Plan, Step};
use super::settings::{Mode, Settings};
use super::{OfficeSystem, TakeError, TakenWork};
use crate::outbox::{ReportError, id, read_id};
use crate::reporter::{self, Item as NewsItem, Reporter};
use crate::store::StoreError;

/// Cases that are worked on in one transaction.
const CASES_AT_ONCE_MAX: usize = 256;
/// The slow tick behind every wake-up.
const TICK: Duration = Duration::from_millis(500);

/// The office and the loop that works in it.
pub struct SimulatedOffice {
    settings: Settings,
    hours: OfficeHours,
    pub(super) reporter: Reporter,
    wake: Notify,
}

impl SimulatedOffice {
    /// An office with checked `settings`; nothing if their hours make no day.
    pub fn new(settings: Settings, reporter: Reporter) -> Option<Self> {
        let hours = OfficeHours::new(&settings.hours, &settings.closed_days, &settings.open_days)?;
        Some(Self { settings, hours, reporter, wake: Notify::new() })
    }

    fn outage_until(&self, told: Timestamp) -> Option<Timestamp> {
        self.settings
            .outages
            .iter()
            .find(|it| it.from <= told && told < it.until)
            .map(|it| it.until)
    }

    /// Works for ever. Dropping it at any point is a crash, and harmless.
    pub async fn run(&self) {
        loop {
            match self.work_off().await {
                Ok(0) => self.wait_for_due().await,
                Ok(_) => {}
                Err(error) => {
                    warn!(error = %error, "the simulated office cannot work");
                    tokio::time::sleep(TICK).await;
                }
            }
        }
    }

    /// Carries out what is due; how many steps that were. One transaction, one fsync.
    pub(crate) async fn work_off(&self) -> Result<usize, ReportError> {
        let shared = std::sync::Arc::clone(&self.reporter.shared);
        let (told, real) = (shared.clock.told_now(), shared.clock.real_now());
        if self.outage_until(told).is_some() {
            return Ok(0);
        }
        let (hours, speed) = (self.hours.clone(), self.settings.speed);
        let waker = std::sync::Arc::clone(&shared);
        let count = shared
            .store
            .clone()
            .write(move |connection| -> Result<usize, ReportError> {
                let due = due(connection, told)?;
                for (case, plan, at) in &due {
                    let done = plan.step(*at);
                    if let Some((news, occurred_at, text)) = done.news {
                        let item = NewsItem { case: *case, news, occurred_at, text };
                        reporter::report_in(connection, &shared.identity, item, real)?;
                    }
                    let next_at = done.after_s.map(|it| hours.after(*at, worked(it, speed)));
                    keep(connection, *case, &Plan { next: done.next, ..plan.clone() }, next_at)?;
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
        let next = match self.outage_until(shared.clock.told_now()) {
            Some(until) => Some(until),
            None => shared.store.write(next_due).await.ok().flatten(),
        };
        let wait = next.map_or(TICK, |it| shared.clock.real_until(it));
        tokio::select! {
            () = self.wake.notified() => {}
            () = tokio::time::sleep(wait.clamp(Duration::from_millis(5), TICK)) => {}
        }
    }

    /// The plan after `work` was taken, and when its next step is due.
    fn planned(
        &self,
        old: Option<Plan>,
        work: &Work,
        told: Timestamp,
    ) -> (Plan, Option<Timestamp>) {
        let mut plan = old.unwrap_or_else(|| Plan {
            taken: Vec::new(),
            province: work.province,
            item: work.item,
            fate: fate::draw(&self.settings, work),
            next: Step::Rest,
        });
        // It came back after we returned it: whoever sent it knows better.
        if !plan.taken.is_empty() && matches!(plan.fate.answer, Answer::Return(_)) {
            plan.fate.answer = Answer::Accept;
        }
        plan.taken.push((work.request, work.kind));
        let (next, after_s) = match work.kind {
            WorkKind::Case => (Step::Answer, Some(plan.fate.answer_after_s)),
            WorkKind::Correction => (Step::Accept, Some(plan.fate.corrected_after_s)),
            WorkKind::Withdrawal => (Step::Rest, None),
        };
        plan.next = next;
        let next_at = after_s.map(|it| self.hours.after(told, worked(it, self.settings.speed)));
        (plan, next_at)
    }
}

impl OfficeSystem for SimulatedOffice {
    async fn take(&self, taken: TakenWork) -> Result<(), TakeError> {
        let shared = std::sync::Arc::clone(&self.reporter.shared);
        let (told, real) = (shared.clock.told_now(), shared.clock.real_now());
        if self.outage_until(told).is_some() {
            return Err(TakeError::not_now("an outage"));
        }
        let work = taken.work;
        let case = work.case;
        let failed = |it: StoreError| TakeError::not_now(it.to_string());
        let old = shared.store.write(move |it| find(it, case)).await.map_err(failed)?;
        let known = |it: &Plan| it.taken.contains(&(work.request, work.kind));
        if old.as_ref().is_some_and(known) {
            return Ok(());
        }
        let (mut plan, mut next_at) = self.planned(old, &work, told);
        let instant = self.settings.mode == Mode::Instant && work.kind != WorkKind::Withdrawal;
        if instant {
            (plan.next, next_at) = (Step::Rest, None);
        }
        let waker = std::sync::Arc::clone(&shared);
        shared
            .store
            .clone()
            .write(move |connection| -> Result<(), ReportError> {
                if instant {
                    for news in at_once(&plan, told) {
                        let item = NewsItem { case, news, occurred_at: told, text: None };
                        reporter::report_in(connection, &shared.identity, item, real)?;
                    }
                }
                Ok(keep(connection, case, &plan, next_at)?)
            })
            .await
            .map_err(|it| TakeError::not_now(it.to_string()))?;
        self.wake.notify_one();
        waker.outbox_wake.notify_one();
        Ok(())
    }
}

fn at_once(plan: &Plan, at: Timestamp) -> [News; 2] {
    [
        News::Accepted { acceptance_number: plan.paper("受", at, plan.fate.serial) },
        plan.decision(at),
    ]
}

fn worked(seconds: i64, speed: f64) -> SignedDuration {
    SignedDuration::from_secs(seconds).div_f64(speed.max(0.01))
}

fn find(connection: &Connection, case: CaseId) -> Result<Option<Plan>, StoreError> {
    let text: Option<String> = connection
        .prepare_cached("SELECT plan FROM office WHERE case_id = ?1")?
        .query_row([id(case.0)], |row| row.get(0))
        .optional()?;
    // A plan of an older shape is drawn again; it gives the same fate.
    Ok(text.and_then(|it| serde_json::from_str(&it).ok()))
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

type Due = (CaseId, Plan, Timestamp);

fn due(connection: &Connection, told: Timestamp) -> Result<Vec<Due>, StoreError> {
    let mut select = connection.prepare_cached(
        "SELECT case_id, plan, next_at FROM office WHERE next_at <= ?1 ORDER BY next_at LIMIT ?2",
    )?;
    let mut rows = select.query(params![
        told.as_millisecond(),
        i64::try_from(CASES_AT_ONCE_MAX).unwrap_or(i64::MAX)
    ])?;
    let (mut due, mut unreadable) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let text: String = row.get(1)?;
        let at = Timestamp::from_millisecond(row.get(2)?).unwrap_or(told);
        let case = CaseId(read_id(row, 0)?);
        match serde_json::from_str(&text) {
            Ok(plan) => due.push((case, plan, at)),
            // Of an older shape: it waits for the next work of the case and holds up nobody.
            Err(_) => unreadable.push(case),
        }
    }
    for case in unreadable {
        warn!(case.id = %case, "the plan of case {case} is unreadable and rests");
        connection.execute("UPDATE office SET next_at = NULL WHERE case_id = ?1", [id(case.0)])?;
    }
    Ok(due)
}

pub(super) fn next_due(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let next: Option<i64> = connection
        .prepare_cached("SELECT min(next_at) FROM office WHERE next_at IS NOT NULL")?
        .query_row([], |row| row.get(0))?;
    Ok(next.and_then(|it| Timestamp::from_millisecond(it).ok()))
}
