//! An office that does not exist, and behaves as offices do: hours, holidays, delays, mistakes. What
//! it does next with each case is in the store, so that a killed adapter goes on where it was.

use std::time::Duration;

use events::ids::{CaseId, ProvinceCode, RequestId};
use events::report::News;
use events::vocabulary::{Item, Outcome, Reason, SuspensionGround};
use events::work::{Work, WorkKind};
use jiff::civil::Date;
use jiff::{SignedDuration, Span, Timestamp};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use tokio::sync::Notify;
use tracing::warn;

use super::fate::{self, Answer, Fate};
use super::hours::{OfficeHours, shanghai};
use super::{OfficeSystem, TakeError, TakenWork};
use crate::outbox::{ReportError, id, read_id};
use crate::reporter::{self, Item as NewsItem, Reporter};
use crate::store::StoreError;

/// Cases that are worked on in one transaction.
const CASES_AT_ONCE_MAX: usize = 256;
/// The slow tick behind every wake-up.
const TICK: Duration = Duration::from_millis(500);
/// For the applicant to bring what is missing.
const CORRECTION_DAYS: i64 = 15;

/// How it works and misbehaves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The same seed and case give the same story.
    pub seed: u64,
    /// Realistic, or at once.
    pub mode: Mode,
    /// How much faster than a usual office.
    pub speed: f64,
    /// Spans in Shanghai, e.g. `09:00-12:00`.
    pub hours: Vec<String>,
    /// Weekdays that are not worked.
    pub closed_days: Vec<Date>,
    /// Weekend days that are worked.
    pub open_days: Vec<Date>,
    /// When it neither takes nor reports.
    pub outages: Vec<Outage>,
    /// Not accepted.
    pub decline_percent: f64,
    /// Not ours.
    pub return_percent: f64,
    /// Something is missing.
    pub correction_percent: f64,
    /// A hearing.
    pub suspension_percent: f64,
    /// Decided against the applicant.
    pub denial_percent: f64,
    /// Too late.
    pub slow_percent: f64,
    /// Decided in time and told too late.
    pub late_report_percent: f64,
    /// About one case in so many gets a second, different decision; 0 for never.
    pub duplicate_decision_of: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            mode: Mode::Realistic,
            speed: 1.0,
            hours: vec!["09:00-12:00".to_owned(), "14:00-18:00".to_owned()],
            closed_days: Vec::new(),
            open_days: Vec::new(),
            outages: Vec::new(),
            decline_percent: 4.0,
            return_percent: 0.3,
            correction_percent: 5.0,
            suspension_percent: 1.0,
            denial_percent: 2.0,
            slow_percent: 2.0,
            late_report_percent: 1.5,
            duplicate_decision_of: 0,
        }
    }
}

/// How time passes in the office.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// In office hours, with delays.
    Realistic,
    /// Accepts and completes in the moment of taking, for measuring.
    Instant,
}

/// An interval of told time.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

impl Settings {
    /// What is wrong with them, one sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, value) in [
            ("decline_percent", self.decline_percent),
            ("return_percent", self.return_percent),
            ("correction_percent", self.correction_percent),
            ("suspension_percent", self.suspension_percent),
            ("denial_percent", self.denial_percent),
            ("slow_percent", self.slow_percent),
            ("late_report_percent", self.late_report_percent),
        ] {
            if !(0.0..=100.0).contains(&value) {
                problems
                    .push(format!("`simulated.{name}` is {value}; it must lie between 0 and 100"));
            }
        }
        if !(0.01..=10_000.0).contains(&self.speed) {
            problems.push("`simulated.speed` must lie between 0.01 and 10000".to_owned());
        }
        if OfficeHours::new(&self.hours, &self.closed_days, &self.open_days).is_none() {
            problems.push("`simulated.hours` needs ascending spans like `09:00-12:00`".to_owned());
        }
        if self.outages.iter().any(|it| it.from >= it.until) {
            problems.push("`simulated.outages`: `from` must be before `until`".to_owned());
        }
        problems
    }
}

/// What has been done with a case and what comes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Plan {
    /// Work that was taken: the same again changes nothing.
    taken: Vec<(RequestId, WorkKind)>,
    province: ProvinceCode,
    item: Item,
    fate: Fate,
    next: Step,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Step {
    Answer,
    AwaitCorrection,
    Accept,
    OpenHearing,
    CloseHearing,
    Decide,
    /// Decided then, told only now.
    TellDecision(Timestamp),
    DecideOtherwise,
    IssueCertificate,
    Rest,
}

/// What a step tells, and when the next one is due.
struct Done {
    news: Option<(News, Timestamp, Option<String>)>,
    next: Step,
    after_s: Option<i64>,
}

impl Done {
    fn tell(news: News, at: Timestamp, next: Step, after_s: Option<i64>) -> Self {
        Self { news: Some((news, at, None)), next, after_s }
    }

    fn with_text(mut self, text: String) -> Self {
        if let Some(news) = &mut self.news {
            news.2 = Some(text);
        }
        self
    }
}

impl Plan {
    /// Carries out the step that was due at `at`. Depends on nothing but the plan.
    fn step(&self, at: Timestamp) -> Done {
        let fate = &self.fate;
        match &self.next {
            Step::Answer => self.answer(at),
            Step::Accept => {
                let (next, after_s) = match fate.hearing_after_s {
                    Some(after_s) => (Step::OpenHearing, after_s),
                    None => (Step::Decide, fate.complete_after_s),
                };
                let acceptance_number = self.paper("受", at, fate.serial);
                Done::tell(News::Accepted { acceptance_number }, at, next, Some(after_s))
            }
            Step::OpenHearing => {
                let news = News::Suspended { ground: SuspensionGround::Hearing };
                Done::tell(news, at, Step::CloseHearing, Some(fate.hearing_takes_s))
            }
            Step::CloseHearing => {
                Done::tell(News::Resumed, at, Step::Decide, Some(fate.complete_after_s))
            }
            Step::Decide => match fate.report_late_by_s {
                Some(by_s) => {
                    Done { news: None, next: Step::TellDecision(at), after_s: Some(by_s) }
                }
                None => self.decide(at),
            },
            Step::TellDecision(decided_at) => self.decide(*decided_at),
            Step::DecideOtherwise => {
                let (next, after_s) = self.certificate();
                Done::tell(self.other_decision(at), at, next, after_s)
            }
            Step::IssueCertificate => {
                let certificate_id =
                    format!("{}{:08}{:04}", self.province, fate.serial, fate.serial % 9973);
                Done::tell(News::CertificateIssued { certificate_id }, at, Step::Rest, None)
            }
            Step::AwaitCorrection | Step::Rest => {
                Done { news: None, next: self.next.clone(), after_s: None }
            }
        }
    }

    fn answer(&self, at: Timestamp) -> Done {
        match &self.fate.answer {
            Answer::Accept => Self { next: Step::Accept, ..self.clone() }.step(at),
            Answer::Decline(reason) => {
                let news = News::Declined { reason: *reason };
                Done::tell(news, at, Step::Rest, None)
                    .with_text(format!("不予受理：{}。", reason.zh()))
            }
            Answer::Return(division) => {
                let news =
                    News::Returned { reason: Reason::NotThisAuthority, division: Some(*division) };
                Done::tell(news, at, Step::Rest, None)
            }
            Answer::Correct(missing) => {
                let until = day(at).saturating_add(Span::new().days(CORRECTION_DAYS));
                let names: Vec<&str> = missing.iter().map(|it| it.zh()).collect();
                let news = News::CorrectionRequested { missing: missing.clone(), until };
                Done::tell(news, at, Step::AwaitCorrection, None)
                    .with_text(format!("请于{until}前补齐：{}。", names.join("、")))
            }
        }
    }

    fn decide(&self, at: Timestamp) -> Done {
        let (next, after_s) = if self.fate.second_decision {
            (Step::DecideOtherwise, Some(600))
        } else {
            self.certificate()
        };
        let done = Done::tell(self.decision(at), at, next, after_s);
        match self.fate.denied {
            Some(reason) => done.with_text(format!("不予通过：{}。", reason.zh())),
            None => done,
        }
    }

    fn certificate(&self) -> (Step, Option<i64>) {
        if self.fate.certificate_follows(self.item) {
            (Step::IssueCertificate, Some(self.fate.certificate_after_s))
        } else {
            (Step::Rest, None)
        }
    }

    fn decision(&self, at: Timestamp) -> News {
        News::Completed {
            outcome: self.fate.outcome(),
            decision_number: self.paper("决", at, self.fate.serial),
            reasons: self.fate.denied.into_iter().collect(),
            result: self.fate.result(self.item, day(at)),
        }
    }

    /// What must never happen, and does: the opposite, under a number of its own.
    fn other_decision(&self, at: Timestamp) -> News {
        let (outcome, reasons) = match self.fate.outcome() {
            Outcome::Approved => (Outcome::Denied, vec![Reason::Other]),
            Outcome::Denied => (Outcome::Approved, Vec::new()),
        };
        News::Completed {
            outcome,
            decision_number: self.paper("决", at, self.fate.serial.wrapping_add(1)),
            reasons,
            result: events::case::CaseResult::default(),
        }
    }

    fn paper(&self, kind: &str, at: Timestamp, serial: u32) -> String {
        format!("{}交运{kind}〔{}〕{serial:08}号", self.province, day(at).year())
    }
}

fn day(at: Timestamp) -> Date {
    at.to_zoned(shanghai()).date()
}

/// The office and the loop that works in it.
pub struct SimulatedOffice {
    settings: Settings,
    hours: OfficeHours,
    reporter: Reporter,
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

fn next_due(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let next: Option<i64> = connection
        .prepare_cached("SELECT min(next_at) FROM office WHERE next_at IS NOT NULL")?
        .query_row([], |row| row.get(0))?;
    Ok(next.and_then(|it| Timestamp::from_millisecond(it).ok()))
}
