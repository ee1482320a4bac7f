//! Carries orders out, one item after the other, no faster than was said. It decides nothing; the log says how far it is.
//!
//! Kill it at any line: what became of an item is recorded before the next one is touched, and an
//! item that is met a second time changes nothing.

use std::time::Duration;

use events::case::CaseEvent;
use events::envelope::{Actor, Position};
use events::ids::{CaseId, RedriveId, RequestId, StreamName};
use events::keeping::redrive::{RedriveFinished, RedriveOutcome, RedriveStepped};
use hub_core::command::Command;
use hub_core::redrive::{Phase, RedriveCommand};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Again, Item, TakeAgain, Thing, Waiting, WaitingError, province_of};
use crate::clock::Clock;
use crate::log::{ReadError, Readers};
use crate::registrar::{Answer, Ask, Registrar, Unavailable, What, case_event};
use crate::views::redrives::RedriveRow;
use crate::wake::Ear;

/// After a look that could not be finished: this long until the next one.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// Shortest pause between two looks: the views have to read on in between.
const SOON: Duration = Duration::from_millis(50);
/// How long to wait when nothing can be said of an item now.
const NOT_NOW: SignedDuration = SignedDuration::from_secs(1);
const MINUTE: SignedDuration = SignedDuration::from_mins(1);

/// Why a look could not be finished. The next one begins again.
#[derive(Debug, thiserror::Error)]
pub enum RedriveError {
    /// Nobody can say what waits.
    #[error("cannot find what to let in again")]
    Waiting(#[from] WaitingError),
    /// The log cannot tell a story.
    #[error("cannot read whether a case was let go on")]
    Log(#[from] ReadError),
    /// The registrar cannot answer now.
    #[error("cannot record what became of an item")]
    Registrar(#[from] Unavailable),
    /// The thread that looked has died.
    #[error("cannot go on looking")]
    Died(#[from] tokio::task::JoinError),
}

/// Lets in again what was ordered.
pub struct Redriver<T> {
    /// What waits, and what was ordered.
    pub waiting: Waiting,
    /// The only road into the log.
    pub registrar: Registrar,
    /// Whether a case was let go on by an order already.
    pub readers: Readers,
    /// What time it is.
    pub clock: Clock,
    /// The intake.
    pub desk: T,
    /// The views must have read so far before they are believed; found out at the first look.
    pub seen: Option<Position>,
}

/// What became of one item.
type Became = (RedriveOutcome, Option<String>);

impl<T: TakeAgain> Redriver<T> {
    /// Carries out for ever: when something was recorded, when the next item is due, and at every tick.
    pub async fn run(mut self, mut ear: Ear, tick: Duration) {
        loop {
            let wait = match self.look().await {
                Ok(None) => tick,
                Ok(Some(due)) => {
                    let left = self.clock.now().duration_until(due);
                    let left = Duration::try_from(left).unwrap_or_default();
                    self.clock.real(left).clamp(SOON.min(tick), tick)
                }
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the re-drives look again soon: {error}"
                    );
                    AGAIN_AFTER
                }
            };
            ear.heard(wait).await;
        }
    }

    /// One item of each order that runs and is due. When the next one is; nothing: nobody waits.
    pub async fn look(&mut self) -> Result<Option<Timestamp>, RedriveError> {
        let seen = match self.seen {
            Some(seen) => seen,
            // What the last run of the hub recorded last may not be in the views yet.
            None => self.readers.read_aside(|log| log.head()).await?.map_or(Position(0), |it| it.0),
        };
        self.seen = Some(seen);
        let (position, open) =
            self.aside(|it| Ok((it.views.position()?, it.views.open_redrives()?))).await?;
        let now = self.clock.now();
        if position < seen {
            return Ok(Some(now));
        }
        let mut next: Option<Timestamp> = None;
        for row in open.iter().filter(|it| it.phase == Phase::Running) {
            let gap = MINUTE / i32::try_from(row.per_minute.max(1)).unwrap_or(i32::MAX);
            let due = row.last.as_ref().map_or(now, |it| it.at.saturating_add(gap).unwrap_or(now));
            let due = if due > now { due } else { now + self.step(row, gap).await? };
            next = Some(next.map_or(due, |it| it.min(due)));
        }
        Ok(next)
    }

    /// Lets one item of `row` in; how long to wait then: `gap`, if something became of one.
    async fn step(
        &mut self,
        row: &RedriveRow,
        gap: SignedDuration,
    ) -> Result<SignedDuration, RedriveError> {
        // A crash may have come between the record and the deed.
        if let Some(last) = &row.last {
            self.put_away(row, last.item, (last.outcome, last.code.clone())).await?;
        }
        let (selection, up_to) = (row.selection.clone(), row.up_to());
        let found = self.aside(move |it| it.items(&selection, up_to, 1)).await?;
        let Some(item) = found.into_iter().next() else {
            let finished = RedriveFinished { redrive: row.redrive };
            self.record(RedriveCommand::Finish(finished), Actor::Hub, row.redrive).await?;
            return Ok(SignedDuration::ZERO);
        };
        let case = match item.what {
            Thing::Case(case, _) => Some(case),
            Thing::Report(..) => None,
        };
        let became = match case {
            Some(case) => Some(self.release(row, case).await?),
            None => self.take_again(&item).await?,
        };
        let Some((outcome, code)) = became else { return Ok(NOT_NOW) };
        let stepped = RedriveStepped {
            redrive: row.redrive,
            item: item.item,
            case,
            outcome,
            code: code.clone(),
        };
        self.record(RedriveCommand::Step(stepped), Actor::Hub, row.redrive).await?;
        metrics::counter!("hub_redriven_total", "outcome" => outcome.code()).increment(1);
        self.put_away(row, item.item, (outcome, code)).await?;
        Ok(gap)
    }

    /// Lets a case go on, once: what this order has let go on before stays as it is.
    async fn release(&self, row: &RedriveRow, case: CaseId) -> Result<Became, RedriveError> {
        let stream = StreamName::Case(case);
        let story = self.readers.read_aside(move |log| log.read_stream(&stream)).await?;
        let released = story.iter().any(|it| {
            it.envelope.caused_by == Some(row.redrive.0)
                && matches!(case_event(it), Some(CaseEvent::CaseReleased(_)))
        });
        if released {
            return Ok((RedriveOutcome::Released, None));
        }
        let command = Command::Release {
            operator: row.operator.clone(),
            note: row.reason.clone(),
            route_to: row.route_to,
            request: RequestId(Uuid::from_bytes(rand::random())),
        };
        let what = What::Case { case, command, personal: None, evidence: None, key: None };
        let actor = Actor::Operator(row.operator.clone());
        Ok(match self.ask(what, actor, row.redrive).await? {
            Answer::Recorded(_) => (RedriveOutcome::Released, None),
            Answer::NothingNew(_) => (RedriveOutcome::NotParked, None),
            Answer::Refused(refusal) => (RedriveOutcome::Refused, Some(refusal.code().to_owned())),
        })
    }

    /// Nothing: it cannot be said now. What is not kept any more is past, and nobody's.
    async fn take_again(&self, item: &Item) -> Result<Option<Became>, RedriveError> {
        let number = item.item;
        let stray = self.aside(move |it| Ok(it.quarantine.one(number)?)).await?;
        let Some((stray, province)) = stray.and_then(|it| province_of(&it.source).map(|p| (it, p)))
        else {
            return Ok(None);
        };
        Ok(match self.desk.take_again(province, &stray).await {
            Again::NotNow => None,
            Again::Back(reason) => Some((RedriveOutcome::Back, Some(reason))),
            Again::Taken(_, Some(code)) => Some((RedriveOutcome::Refused, Some(code))),
            Again::Taken(outcome, None) => Some((RedriveOutcome::Taken, Some(outcome.to_owned()))),
        })
    }

    /// What became of a report is recorded first; then it leaves the quarantine, or goes back into it.
    async fn put_away(
        &self,
        row: &RedriveRow,
        number: u64,
        (outcome, code): Became,
    ) -> Result<(), RedriveError> {
        let redrive = row.redrive.to_string();
        if row.selection.of != events::keeping::redrive::RedriveOf::QuarantinedReports {
            return Ok(());
        }
        self.aside(move |it| {
            match (outcome, code) {
                (RedriveOutcome::Back, Some(reason)) => {
                    it.quarantine.put_back(number, &redrive, &reason)?;
                }
                _ => it.quarantine.let_go(number)?,
            }
            Ok(())
        })
        .await
    }

    async fn record(
        &mut self,
        command: RedriveCommand,
        actor: Actor,
        redrive: RedriveId,
    ) -> Result<(), RedriveError> {
        match self.ask(What::Redrive(command), actor, redrive).await? {
            Answer::Recorded(events) => {
                if let Some(last) = events.last() {
                    self.seen = Some(last.position);
                }
            }
            Answer::NothingNew(_) => {}
            Answer::Refused(refusal) => {
                tracing::warn!(refusal.code = refusal.code(), "a re-drive was refused: {refusal}");
            }
        }
        Ok(())
    }

    async fn ask(
        &self,
        what: What,
        actor: Actor,
        redrive: RedriveId,
    ) -> Result<Answer, Unavailable> {
        let (occurred_at, caused_by) = (self.clock.now(), Some(redrive.0));
        self.registrar.ask_patiently(Ask { actor, occurred_at, caused_by, what }).await
    }

    /// Reads and writes on a thread where waiting for the disk harms nobody.
    async fn aside<R: Send + 'static>(
        &self,
        what: impl FnOnce(&Waiting) -> Result<R, WaitingError> + Send + 'static,
    ) -> Result<R, RedriveError> {
        let waiting = self.waiting.clone();
        Ok(tokio::task::spawn_blocking(move || what(&waiting)).await??)
    }
}
