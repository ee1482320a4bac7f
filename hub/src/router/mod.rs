//! WHAT GOES OUT. It remembers nothing that matters: it looks at the outbox, plans, sends, looks again.
//!
//! Read: [`handover`] (what is said of a case), [`compose`] (sealed and signed), [`connector`] (the
//! pipe), [`receipts`] (what ends a province's re-sending), [`feedback`] (results to national systems).

pub mod compose;
pub mod connector;
pub mod feedback;
pub mod handover;
pub mod in_flight;
pub mod receipts;
pub mod reconcile;
mod traced;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use events::envelope::Actor;
use events::ids::ProvinceCode;
use hub_core::command::Command;
use hub_core::plan::{Pace, Step, Waiting, plan};
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use crate::hops::Moment;
use crate::registrar::{Ask, Registrar, What};
use crate::router::compose::{CannotSend, Composer};
use crate::router::connector::{Connector, Outgoing, PublishError};
use crate::router::in_flight::InFlight;
use crate::views::reader::{ViewError, ViewReader};
use crate::wake::Ear;

/// Bounds of the router.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterConfig {
    /// How long to wait before each further attempt.
    pub pace: Pace,
    /// Most messages a round; below what may wait for the registrar.
    pub steps_a_round_max: usize,
    /// Most rows of the outbox that are looked at in a round.
    pub outbox_rows_max: usize,
    /// Looks again after this long even if nobody rang. Real time.
    pub tick: Duration,
    /// The same trouble of the same province is told once in this long. Real time.
    pub told_again_after: Duration,
}

impl Default for RouterConfig {
    fn default() -> Self {
        Self {
            pace: Pace::default(),
            steps_a_round_max: 256,
            outbox_rows_max: 20_000,
            tick: Duration::from_secs(1),
            told_again_after: Duration::from_secs(60),
        }
    }
}

/// Where the router looks. The view in production; a test shows it what it likes.
pub trait Outbox: Send + Sync + 'static {
    /// What provinces have not signed for, as far as is known.
    fn waiting(&self, count_max: usize) -> Result<Vec<Waiting>, ViewError>;
}

impl Outbox for ViewReader {
    fn waiting(&self, count_max: usize) -> Result<Vec<Waiting>, ViewError> {
        Ok(self.outbox(count_max)?.into_iter().map(|it| it.waiting).collect())
    }
}

/// What one round did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Round {
    /// The broker said that it has them.
    pub forwarded: usize,
    /// Nobody said anything, or that there was no taking: they stay in the outbox.
    pub unsent: usize,
    /// Could not be composed, or were not wanted any more.
    pub not_composed: usize,
    /// There was more to send than one round takes.
    pub more: bool,
}

/// The loop that sends what provinces have not signed for.
pub struct Router<C> {
    composer: Arc<Composer>,
    outbox: Arc<dyn Outbox>,
    registrar: Registrar,
    connector: C,
    config: RouterConfig,
    in_flight: InFlight,
    told: HashMap<(ProvinceCode, &'static str), Instant>,
    gauged: Vec<ProvinceCode>,
}

impl<C: Connector> Router<C> {
    /// Sends what `outbox` shows through `connector`, and tells `registrar` what the broker took.
    pub fn new(
        composer: Arc<Composer>,
        outbox: impl Outbox,
        registrar: Registrar,
        connector: C,
        config: RouterConfig,
    ) -> Self {
        let first_wait = config.pace.waits_ms.first().copied().unwrap_or(0);
        let in_flight = InFlight::new(Duration::from_millis(first_wait));
        let (told, gauged) = (HashMap::new(), Vec::new());
        let outbox = Arc::new(outbox);
        Self { composer, outbox, registrar, connector, config, in_flight, told, gauged }
    }

    /// Looks, sends, and looks again when `ear` hears something, for ever.
    pub async fn run(mut self, mut ear: Ear) {
        info!("the router started");
        loop {
            match self.round().await {
                Ok(round) if round.more && round.forwarded > 0 => continue,
                Ok(_) => {}
                Err(error) => error!(error = %Chain(&error), "the router cannot read the outbox"),
            }
            ear.heard(self.config.tick).await;
        }
    }

    /// One look at the outbox and everything that follows from it.
    pub async fn round(&mut self) -> Result<Round, ViewError> {
        let rows = self.look().await?;
        let steps = self.plan(&rows);
        let began = Moment::now();
        let more = steps.len() == self.config.steps_a_round_max;
        let composed = self.composer.compose_all(&steps).await;
        let mut round = Round { more, ..Round::default() };
        let (mut sendable, mut messages) = (Vec::new(), Vec::new());
        for (step, composed) in steps.into_iter().zip(composed) {
            match composed {
                Ok(message) => {
                    self.in_flight.add(&step);
                    sendable.push(step);
                    messages.push(message);
                }
                Err(why) => {
                    round.not_composed += 1;
                    self.tell(&step, &why);
                }
            }
        }
        let forwarded = self.send(sendable, messages, began).await;
        round.forwarded = forwarded.0.len();
        round.unsent = forwarded.1;
        self.note(forwarded.0).await;
        Ok(round)
    }

    async fn look(&mut self) -> Result<Vec<Waiting>, ViewError> {
        let (outbox, rows_max) = (self.outbox.clone(), self.config.outbox_rows_max);
        let read = tokio::task::spawn_blocking(move || outbox.waiting(rows_max));
        let rows = read.await.expect("reading a view does not panic")?;
        self.gauge(&rows);
        self.in_flight.keep_only(&rows);
        Ok(rows)
    }

    fn plan(&self, rows: &[Waiting]) -> Vec<Step> {
        let clock = &self.composer.clock;
        // Waits are real; the moments in the log are told, and told time may run faster.
        let rate = u64::from(clock.rate());
        let waits = self.config.pace.waits_ms.iter().map(|it| it.saturating_mul(rate));
        let pace = Pace { waits_ms: waits.collect() };
        let rows: Vec<Waiting> =
            rows.iter().filter(|it| !self.in_flight.has(it)).cloned().collect();
        let (membership, now) = (&self.composer.membership, clock.now());
        let paused = |province| {
            membership.is_paused(province) || membership.lacks_certificate(province, None, now)
        };
        plan(&rows, &paused, now, &pace, self.config.steps_a_round_max)
    }

    /// Sends and sorts: what the broker has, and how many it may not have.
    async fn send(
        &mut self,
        steps: Vec<Step>,
        messages: Vec<Outgoing>,
        began: Moment,
    ) -> (Vec<Step>, usize) {
        let traces: Vec<_> = messages.iter().map(|it| it.trace).collect();
        let answers = self.connector.publish(messages).await;
        let (mut forwarded, mut unsent) = (Vec::with_capacity(steps.len()), 0);
        for ((step, answer), trace) in steps.into_iter().zip(answers).zip(traces) {
            let province = step.waiting.province;
            traced::forwarding(&step, trace, &answer, began);
            match answer {
                Ok(()) => {
                    count(province, "forwarded");
                    forwarded.push(step);
                }
                Err(why) => {
                    unsent += 1;
                    self.unsent(&step, &why);
                }
            }
        }
        (forwarded, unsent)
    }

    fn unsent(&mut self, step: &Step, why: &PublishError) {
        let province = step.waiting.province;
        let outcome = match why {
            // It may have arrived: wait as after any attempt.
            PublishError::Unknown => "unknown",
            PublishError::NotConnected => "not-connected",
            PublishError::NotTaken(_) => "not-taken",
        };
        if !matches!(why, PublishError::Unknown) {
            self.in_flight.remove(step);
        }
        count(province, outcome);
        if self.may_tell(province, outcome) {
            warn!(province.code = %province, error = %Chain(why), "not forwarded to {province}");
        }
    }

    /// The broker has these: a pace-maker for the next attempt, recorded for whoever asks later.
    async fn note(&self, forwarded: Vec<Step>) {
        let now = self.composer.clock.now();
        let asks = forwarded.iter().map(|step| note_forwarded(step, now)).collect();
        for (step, answer) in forwarded.iter().zip(self.registrar.ask_all(asks).await) {
            let (case, attempt) = (step.waiting.case, step.attempt);
            match answer {
                Ok(_) => {
                    debug!(case.id = %case, province.code = %step.waiting.province, attempt, "forwarded case {case}");
                }
                // The row stays, and the same attempt is made again with the same message id.
                Err(why) => warn!(case.id = %case, attempt, %why, "cannot note a forwarding"),
            }
        }
    }

    fn tell(&mut self, step: &Step, why: &CannotSend) {
        let (case, province) = (step.waiting.case, step.waiting.province);
        count(province, why.outcome());
        if matches!(why, CannotSend::NotWanted) {
            return;
        }
        if self.may_tell(province, why.outcome()) {
            error!(case.id = %case, province.code = %province, error = %Chain(why), "cannot forward case {case} to {province}");
        }
    }

    /// Once a minute for each province and trouble; the metrics count every time.
    fn may_tell(&mut self, province: ProvinceCode, outcome: &'static str) -> bool {
        let now = Instant::now();
        let last = self.told.get(&(province, outcome));
        let may = last.is_none_or(|it| now - *it >= self.config.told_again_after);
        if may {
            self.told.insert((province, outcome), now);
        }
        may
    }

    fn gauge(&mut self, rows: &[Waiting]) {
        let mut waiting: BTreeMap<ProvinceCode, u64> =
            self.gauged.drain(..).map(|it| (it, 0)).collect();
        rows.iter().for_each(|it| *waiting.entry(it.province).or_default() += 1);
        for (province, count) in waiting {
            metrics::gauge!("hub_outbox_waiting", "province" => province.to_string())
                .set(count as f64);
            if count > 0 {
                self.gauged.push(province);
            }
        }
    }
}

fn note_forwarded(step: &Step, now: jiff::Timestamp) -> Ask {
    let waiting = &step.waiting;
    let command = Command::NoteForwarded {
        province: waiting.province,
        work: waiting.work,
        request: waiting.request,
        attempt: step.attempt,
    };
    Ask {
        actor: Actor::Hub,
        occurred_at: now,
        caused_by: None,
        what: What::Case { case: waiting.case, command, personal: None, evidence: None, key: None },
    }
}

fn count(province: ProvinceCode, outcome: &'static str) {
    metrics::counter!("hub_dispatch_total", "province" => province.to_string(), "outcome" => outcome)
        .increment(1);
}

/// An error with all its causes on one line.
pub(crate) struct Chain<'a>(pub(crate) &'a (dyn std::error::Error + 'static));

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(it) = cause {
            write!(f, ": {it}")?;
            cause = it.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
