//! An office that does not exist, and behaves as offices do: hours, holidays, delays, mistakes. What
//! it does next with each case is in the store, so that a killed adapter goes on where it was.

use std::time::Duration;

use events::report::News;
use events::work::{Work, WorkKind};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tracing::warn;

use super::fate::{self, Answer};
use super::hours::OfficeHours;
use super::plan::{Plan, Step};
use super::plans::{due, find, keep, next_due};
use super::settings::{Mode, Settings};
use super::{OfficeSystem, TakeError, TakenWork};
use crate::outbox::ReportError;
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
                let due = due::<Plan>(connection, told, CASES_AT_ONCE_MAX)?;
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
