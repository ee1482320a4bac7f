//! Results go back to the national systems, again and again, until they have confirmed them.
//!
//! A client with a webhook is called; one without reads the feed (`web`). Either confirms by its own
//! act: here an answer of 2xx. What is remembered between tries is only when to try next.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use events::envelope::{Actor, Position, Recorded};
use events::ids::{CaseId, EventId, StreamName};
use events::proof::seal;
use events::proof::signature::Purpose;
use events::trace::{SpanId, TraceParent};
use events::{subjects, wire};
use futures::StreamExt as _;
use hub_core::command::Command;
use hub_core::feedback::feedback;
use hub_core::plan::Pace;
use reqwest::Url;
use tokio::time::Instant;
use tracing::{debug, error, info, warn};

use crate::clock::Clock;
use crate::hops::Moment;
use crate::log::{ReadError, Readers};
use crate::registrar::{Ask, Registrar, Unavailable, What};
use crate::router::{Chain, traced};
use crate::signer::Signer;
use crate::vault::Opener;
use crate::views::reader::{ViewError, ViewReader};
use crate::views::rows::FeedbackRow;
use crate::wake::Ear;

/// Rows that are read at once.
const PAGE_ROWS: usize = 256;
/// Pages that are looked at in one round: a client that confirms nothing must not cost more.
const PAGES_A_ROUND_MAX: usize = 16;
/// Tries that are remembered; beyond it some results are sent again sooner.
const TRIES_MAX: usize = 65_536;

/// A national client that wants to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The client, as its submissions name it.
    pub client: String,
    /// Where it wants to be called.
    pub url: Url,
}

impl Webhook {
    /// Whether nobody else can read on the way: only then a province's words are sent.
    pub fn is_private(&self) -> bool {
        let loopback = match self.url.host_str() {
            Some("localhost") => true,
            Some(host) => host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|it| it.is_loopback()),
            None => false,
        };
        self.url.scheme() == "https" || loopback
    }
}

/// Bounds of the feedback.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedbackConfig {
    /// How long to wait before each further try; the last wait repeats for ever.
    pub pace: Pace,
    /// Most calls under way to one client.
    pub in_flight_max: usize,
    /// Longest wait for a connection.
    pub connect_wait_max: Duration,
    /// Longest wait for an answer.
    pub answer_wait_max: Duration,
    /// Looks again after this long even if nobody rang. Real time.
    pub tick: Duration,
}

impl Default for FeedbackConfig {
    fn default() -> Self {
        Self {
            pace: Pace::default(),
            in_flight_max: 64,
            connect_wait_max: Duration::from_secs(5),
            answer_wait_max: Duration::from_secs(10),
            tick: Duration::from_secs(1),
        }
    }
}

/// Why a result was not confirmed.
#[derive(Debug, thiserror::Error)]
pub enum FeedbackError {
    /// The HTTP client could not be made.
    #[error("cannot make an HTTP client")]
    Client(#[source] reqwest::Error),
    /// The story could not be read.
    #[error("cannot read the story")]
    Story(#[source] ReadError),
    /// The story tells of no end: the view and the log disagree.
    #[error("the story has no end")]
    NotEnded,
    /// No answer.
    #[error("no answer from the national system")]
    NoAnswer(#[source] reqwest::Error),
    /// An answer, but no confirmation.
    #[error("the national system answered {status}")]
    NotConfirmed {
        /// What it answered.
        status: u16,
    },
    /// Confirmed, but it could not be recorded: it will be sent again.
    #[error("cannot record a confirmation")]
    NotRecorded(#[source] Unavailable),
}

/// What bringing results back needs.
pub struct FeedbackNeeds {
    /// Whom to call.
    pub hooks: Vec<Webhook>,
    /// Shows what is not confirmed.
    pub views: ViewReader,
    /// Reads the stories.
    pub readers: Readers,
    /// Opens a province's words.
    pub opener: Opener,
    /// Records confirmations.
    pub registrar: Registrar,
    /// The hub's hand.
    pub signer: Arc<Signer>,
    /// The log these results stand in.
    pub origin: String,
    /// What time it is.
    pub clock: Clock,
}

/// The loop that brings results back.
pub struct FeedbackSender {
    needs: FeedbackNeeds,
    config: FeedbackConfig,
    http: reqwest::Client,
    tries: HashMap<CaseId, (u32, Instant)>,
}

impl FeedbackSender {
    /// Calls the hooks of `needs`. No redirects, no proxies: results go where the configuration says.
    pub fn new(needs: FeedbackNeeds, config: FeedbackConfig) -> Result<Self, FeedbackError> {
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(config.connect_wait_max)
            .timeout(config.answer_wait_max)
            .build()
            .map_err(FeedbackError::Client)?;
        Ok(Self { needs, config, http, tries: HashMap::new() })
    }

    /// Brings results back for ever.
    pub async fn run(mut self, mut ear: Ear) {
        info!(hooks = self.needs.hooks.len(), "bringing results back to the national systems");
        loop {
            match self.round().await {
                Ok(confirmed) if confirmed >= self.config.in_flight_max => continue,
                Ok(_) => {}
                Err(error) => error!(error = %Chain(&error), "cannot read what is not confirmed"),
            }
            ear.heard(self.config.tick).await;
        }
    }

    /// Calls every client once with what is due; says how many results were confirmed.
    pub async fn round(&mut self) -> Result<usize, ViewError> {
        let mut confirmed = 0;
        for hook in self.needs.hooks.clone() {
            let due = self.due(&hook).await?;
            let (sender, hook) = (&*self, &hook);
            let called =
                due.into_iter().map(|it| async move { (it.case, sender.bring(hook, &it).await) });
            let called: Vec<_> = futures::stream::iter(called)
                .buffer_unordered(self.config.in_flight_max.max(1))
                .collect()
                .await;
            for (case, answer) in called {
                confirmed += usize::from(answer.is_ok());
                self.remember(hook, case, answer);
            }
        }
        Ok(confirmed)
    }

    /// What `hook` has not confirmed and is due to be told, oldest first.
    async fn due(&self, hook: &Webhook) -> Result<Vec<FeedbackRow>, ViewError> {
        let (mut due, mut after) = (Vec::new(), Position(0));
        for _page in 0..PAGES_A_ROUND_MAX {
            let (views, client) = (self.needs.views.clone(), hook.client.clone());
            let read = move || views.feedback(Some(&client), after, PAGE_ROWS);
            let rows = tokio::task::spawn_blocking(read).await;
            let rows = rows.expect("reading a view does not panic")?;
            let Some(last) = rows.last() else { break };
            after = last.position;
            let is_last = rows.len() < PAGE_ROWS;
            let now = Instant::now();
            let is_due = |it: &FeedbackRow| self.tries.get(&it.case).is_none_or(|it| it.1 <= now);
            due.extend(rows.into_iter().filter(is_due));
            if is_last || due.len() >= self.config.in_flight_max {
                break;
            }
        }
        due.truncate(self.config.in_flight_max);
        Ok(due)
    }

    /// One call. An answer of 2xx confirms, and the confirmation is recorded.
    async fn bring(&self, hook: &Webhook, row: &FeedbackRow) -> Result<(), FeedbackError> {
        let needs = &self.needs;
        let stream = StreamName::Case(row.case);
        let story = needs.readers.read_aside(move |log| log.read_stream(&stream)).await;
        let story = story.map_err(FeedbackError::Story)?;
        let (id, body) = self.body(hook, &story).ok_or(FeedbackError::NotEnded)?;
        let began = Moment::now();
        let brought = self.call(hook, row, id, body).await;
        traced::feedback(row.case, &hook.client, id, brought.is_ok(), began);
        brought
    }

    async fn call(
        &self,
        hook: &Webhook,
        row: &FeedbackRow,
        id: EventId,
        body: Vec<u8>,
    ) -> Result<(), FeedbackError> {
        let needs = &self.needs;
        let signature = needs.signer.sign(Purpose::Feedback, &body);
        let trace = TraceParent::of(row.case, SpanId::feedback(row.case));
        let request = self
            .http
            .post(hook.url.clone())
            .header(reqwest::header::CONTENT_TYPE, wire::CONTENT_TYPE)
            .header(subjects::SIGNATURE_HEADER, signature)
            .header("Idempotency-Key", id.to_string())
            .header(subjects::TRACE_HEADER, trace.to_string())
            .body(body);
        let answer = request.send().await;
        let status = answer.map_err(|it| FeedbackError::NoAnswer(it.without_url()))?.status();
        if !status.is_success() {
            return Err(FeedbackError::NotConfirmed { status: status.as_u16() });
        }
        let ask = confirm(row, needs.clock.now());
        needs.registrar.ask(ask).await.map(|_| ()).map_err(FeedbackError::NotRecorded)
    }

    /// What is said; the same again is the same.
    fn body(&self, hook: &Webhook, story: &[Recorded]) -> Option<(EventId, Vec<u8>)> {
        let (id, mut feedback) = feedback(&self.needs.origin, story)?;
        if hook.is_private() {
            let end = story.iter().find(|it| it.envelope.id == id)?;
            feedback.text = text(&self.needs.opener, end);
        }
        Some((id, wire::feedback_to_bytes(id, &feedback)))
    }

    fn remember(&mut self, hook: &Webhook, case: CaseId, answer: Result<(), FeedbackError>) {
        let outcome = if answer.is_ok() { "confirmed" } else { "not-confirmed" };
        let client = hook.client.clone();
        metrics::counter!("hub_feedback_total", "client" => client, "outcome" => outcome)
            .increment(1);
        let tried = self.tries.get(&case).map_or(0, |it| it.0).saturating_add(1);
        let waits = &self.config.pace.waits_ms;
        let wait = waits.get(tried as usize - 1).or(waits.last()).copied().unwrap_or(0);
        match answer {
            // Remembered too: the view may still show what was confirmed a moment ago.
            Ok(()) => debug!(case.id = %case, "the result of case {case} is confirmed"),
            Err(error) => {
                warn!(case.id = %case, client = %hook.client, attempt = tried, error = %Chain(&error), "the result of case {case} is not confirmed");
            }
        }
        let now = Instant::now();
        if self.tries.len() >= TRIES_MAX {
            self.tries.retain(|_, it| it.1 > now);
        }
        if self.tries.len() < TRIES_MAX {
            self.tries.insert(case, (tried, now + Duration::from_millis(wait)));
        }
    }
}

fn confirm(row: &FeedbackRow, now: jiff::Timestamp) -> Ask {
    let command =
        Command::ConfirmFeedback { client: row.client.clone(), way: "webhook".to_owned() };
    Ask {
        actor: Actor::National(row.client.clone()),
        occurred_at: now,
        caused_by: None,
        what: What::Case { case: row.case, command, personal: None, evidence: None, key: None },
    }
}

/// The province's words to the applicant, if it sent any and they open.
fn text(opener: &Opener, end: &Recorded) -> Option<String> {
    let evidence = end.envelope.evidence.as_ref()?;
    let report = wire::report_from_bytes(&evidence.bytes).ok()?.report;
    let sealed = BASE64.decode(report.sealed_text.as_ref()?).ok()?;
    let key = opener.reply_key(report.case).ok()?;
    let plain = seal::open(&key, report.text_context().as_bytes(), &sealed).ok()?;
    String::from_utf8(plain).ok()
}

#[cfg(test)]
mod tests;
