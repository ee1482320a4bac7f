//! Who brings messages: each carrier for itself, again and again within named bounds, and each outcome recorded.
//!
//! What is remembered between tries is only when to try next. After a restart a message is brought
//! again under the same id, unless its outcome is on record.

use std::collections::HashMap;
use std::time::Duration;

use events::envelope::Actor;
use events::keeping::KeepingEvent;
use events::keeping::alerts::{AlertMessageDelivered, AlertMessageGivenUp, AlertNotice, NoticeWhy};
use jiff::{SignedDuration, Timestamp};
use rand::Rng as _;
use tokio::time::Instant;
use tracing::{info, warn};
use uuid::Uuid;

use super::alertmanager::Alertmanager;
use super::compose::{Letter, Sender};
use super::mail::Mail;
use super::webhook::Webhook;
use crate::clock::Clock;
use crate::registrar::{Ask, Registrar, Unavailable, What};
use crate::views::messages::{Carried, MessageRow};
use crate::views::reader::{ViewError, ViewReader};
use crate::wake::Ear;

/// Open messages that are looked at in one round.
const OPEN_MAX: usize = 256;
/// Looks again after this long even if nobody rang. Real time.
const TICK: Duration = Duration::from_secs(1);
/// How much of a wait is left to chance, so that many messages do not come at once.
const JITTER: f64 = 0.2;

/// Why a message was not brought.
#[derive(Debug, thiserror::Error)]
#[error("{reason}")]
pub struct BringError {
    /// The stable reason: `refused`, `unreachable` or `timed-out`.
    pub(crate) reason: &'static str,
    /// What the other end or the line said.
    #[source]
    pub(crate) source: Box<dyn std::error::Error + Send + Sync>,
}

/// The way to the other end.
pub enum Way {
    /// A program that is called.
    Webhook(Webhook),
    /// An Alertmanager.
    Alertmanager(Alertmanager),
    /// People.
    Mail(Box<Mail>),
}

impl Way {
    /// One try.
    pub async fn bring(&self, letter: &Letter, sender: &Sender) -> Result<(), BringError> {
        // Signatures and other programs' clocks know the machine's time only.
        let now = Clock::real_now();
        match self {
            Self::Webhook(it) => it.bring(letter, sender, now).await,
            Self::Alertmanager(it) => it.bring(letter, sender, now).await,
            Self::Mail(it) => it.bring(letter, sender).await,
        }
    }

    /// Whether the other end is there, without telling it anything.
    pub async fn probe(&self, wait: Duration) -> Result<(), BringError> {
        match self {
            Self::Webhook(it) => reachable(&it.url, wait).await,
            Self::Alertmanager(it) => reachable(&it.url, wait).await,
            Self::Mail(it) => it.probe().await,
        }
    }
}

async fn reachable(url: &reqwest::Url, wait: Duration) -> Result<(), BringError> {
    let failed = |reason, source| BringError { reason, source };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let port = url.port_or_known_default().unwrap_or(0);
    match tokio::time::timeout(wait, tokio::net::TcpStream::connect((host, port))).await {
        Ok(Ok(_line)) => Ok(()),
        Ok(Err(error)) => Err(failed("unreachable", error.into())),
        Err(late) => Err(failed("timed-out", late.into())),
    }
}

/// Sends, and takes 2xx for a yes.
pub(crate) async fn answered(request: reqwest::RequestBuilder) -> Result<(), BringError> {
    match request.send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => {
            let source = format!("it answered {}", answer.status().as_u16()).into();
            Err(BringError { reason: "refused", source })
        }
        Err(error) => {
            let reason = if error.is_timeout() { "timed-out" } else { "unreachable" };
            Err(BringError { reason, source: error.without_url().into() })
        }
    }
}

/// How long and how often one carrier tries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patience {
    /// Waits before each further try; the last one repeats. Real time.
    pub retry: Vec<Duration>,
    /// Most tries for one message.
    pub attempts_max: u32,
    /// A message that is older is not worth bringing any more. Told time.
    pub keep_trying: SignedDuration,
}

impl Patience {
    /// Before try number `tried + 1`, a little more or less.
    fn wait(&self, tried: u32) -> Duration {
        let at = (tried as usize).saturating_sub(1);
        let wait = self.retry.get(at).or(self.retry.last()).copied().unwrap_or(TICK);
        wait.mul_f64(rand::rng().random_range(1.0 - JITTER..=1.0 + JITTER))
    }
}

/// One carrier, with what it needs.
pub struct Carrier {
    /// `webhook-duty`: what kind it is and its name.
    pub name: String,
    /// The way.
    pub way: Way,
    pub(crate) sender: Sender,
    pub(crate) patience: Patience,
    pub(crate) views: ViewReader,
    pub(crate) registrar: Registrar,
    pub(crate) clock: Clock,
}

/// What is remembered of a message.
#[derive(Debug, Clone, Copy)]
struct Tried {
    times: u32,
    next: Instant,
    /// Its outcome is recorded; the views may not show it yet.
    settled: bool,
}

/// A carrier at work.
pub struct Round {
    carrier: Carrier,
    tried: HashMap<Uuid, Tried>,
    refreshed: Option<Instant>,
}

impl Carrier {
    /// At work; nothing is done before [`Round::run`] or [`Round::once`].
    pub fn at_work(self) -> Round {
        // There from the start: what only appears with its first failure is not seen to rise.
        for outcome in ["delivered", "given-up"] {
            self.counter(outcome).absolute(0);
        }
        Round { carrier: self, tried: HashMap::new(), refreshed: None }
    }

    async fn read<T: Send + 'static>(
        &self,
        what: impl FnOnce(&ViewReader) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, ViewError> {
        let views = self.views.clone();
        let read = tokio::task::spawn_blocking(move || what(&views)).await;
        read.expect("reading a view does not panic")
    }

    async fn record(&self, event: KeepingEvent) -> Result<(), Unavailable> {
        let ask = Ask {
            actor: Actor::Hub,
            occurred_at: self.clock.now(),
            caused_by: None,
            what: What::Keeping(event),
        };
        self.registrar.ask_patiently(ask).await.map(drop)
    }
}

impl Round {
    /// Brings for ever.
    pub async fn run(mut self, mut ear: Ear) {
        info!(carrier = self.carrier.name, "brings messages about alerts");
        loop {
            if let Err(error) = self.once().await {
                warn!(
                    error = &error as &dyn std::error::Error,
                    "cannot read what is to be brought"
                );
            }
            ear.heard(TICK).await;
        }
    }

    /// Brings what is due now, one after the other; how many messages had an outcome.
    pub async fn once(&mut self) -> Result<usize, ViewError> {
        self.refresh().await?;
        let open = self.carrier.read(|views| views.open_messages(OPEN_MAX)).await?;
        self.tried.retain(|id, _| open.iter().any(|it| it.message == *id));
        let name = self.carrier.name.clone();
        let waiting = |it: &&MessageRow| it.carried.get(&name) == Some(&Carried::Waiting);
        let mut settled = 0;
        for row in open.iter().filter(waiting) {
            let tried = self.tried.get(&row.message).copied();
            if tried.is_none_or(|it| !it.settled && it.next <= Instant::now()) {
                settled += usize::from(self.bring(row, tried.map_or(0, |it| it.times)).await);
            }
        }
        Ok(settled)
    }

    /// One try for one message. Whether its outcome is on record.
    async fn bring(&mut self, row: &MessageRow, before: u32) -> bool {
        let carrier = &self.carrier;
        let (message, attempts) = (row.message, before + 1);
        let age = carrier.clock.now().duration_since(row.planned_at);
        let given_up = |attempts, reason: &str| AlertMessageGivenUp {
            message,
            carrier: carrier.name.clone(),
            attempts,
            reason: reason.to_owned(),
        };
        let event: Option<KeepingEvent> = if age > carrier.patience.keep_trying {
            Some(given_up(before, "too-late").into())
        } else {
            match carrier.way.bring(&Letter::from(row), &carrier.sender).await {
                Ok(()) => {
                    let carrier = carrier.name.clone();
                    Some(AlertMessageDelivered { message, carrier, attempts }.into())
                }
                Err(error) => {
                    carrier.warn(message, attempts, &error);
                    let last = attempts >= carrier.patience.attempts_max;
                    last.then(|| given_up(attempts, error.reason).into())
                }
            }
        };
        let settled = match event {
            Some(event) => carrier.settle(event).await,
            None => false,
        };
        let next = Instant::now() + carrier.patience.wait(attempts);
        self.tried.insert(message, Tried { times: attempts, next, settled });
        settled
    }

    /// What people know to stand is told to an Alertmanager in between, so that it does not forget.
    async fn refresh(&mut self) -> Result<(), ViewError> {
        let Way::Alertmanager(manager) = &self.carrier.way else { return Ok(()) };
        let due = self.refreshed.is_none_or(|it| it.elapsed() >= manager.resend);
        if !due {
            return Ok(());
        }
        self.refreshed = Some(Instant::now());
        let now = self.carrier.clock.now();
        let stands = self.carrier.read(move |views| standing(views, now)).await?;
        if stands.is_empty() {
            return Ok(());
        }
        if let Err(error) = manager.tell(&stands, &self.carrier.sender, Clock::real_now()).await {
            self.carrier.count("refresh-failed");
            warn!(carrier = self.carrier.name, error = %super::chain(&error), "cannot tell again what stands");
        }
        Ok(())
    }
}

impl Carrier {
    async fn settle(&self, event: KeepingEvent) -> bool {
        let delivered = matches!(event, KeepingEvent::AlertMessageDelivered(_));
        self.count(if delivered { "delivered" } else { "given-up" });
        match self.record(event).await {
            Ok(()) => true,
            // It is brought again under the same id: whoever has it already knows it.
            Err(error) => {
                warn!(carrier = self.name, %error, "cannot record what became of a message");
                false
            }
        }
    }

    fn warn(&self, message: Uuid, attempt: u32, error: &BringError) {
        self.count("failed");
        warn!(
            carrier = self.name, attempt, error = %super::chain(error),
            "message {message} about alerts was not brought"
        );
    }

    fn count(&self, outcome: &'static str) {
        self.counter(outcome).increment(1);
    }

    fn counter(&self, outcome: &'static str) -> metrics::Counter {
        let labels = [("carrier", self.name.clone()), ("outcome", outcome.to_owned())];
        metrics::counter!("hub_alert_messages_total", &labels)
    }
}

/// What people were told and not told to be over, without what is silenced.
fn standing(views: &ViewReader, now: Timestamp) -> Result<Vec<AlertNotice>, ViewError> {
    let states = views.alert_states()?.into_iter();
    let told = states.filter(|it| it.state.acts.silence(now).is_none());
    let notice = |it: crate::views::acts::GroupOf| {
        let told = it.state.told?;
        let (kind, province, count, since) = (it.kind, it.province, told.count, told.since);
        Some(AlertNotice { kind, province, count, why: NoticeWhy::Reminder, since })
    };
    Ok(told.filter_map(notice).collect())
}
