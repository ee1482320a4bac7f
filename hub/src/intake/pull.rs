//! One task for each report stream: a province's flood, poison or silence delays only itself.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::pull::{self, MessagesErrorKind};
use async_nats::jetstream::{self, AckKind, consumer};
use events::ids::ProvinceCode;
use events::subjects;
use futures::StreamExt as _;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use tracing::{debug, info, warn};

use crate::intake::by_hand::{self, ByHand};
use crate::intake::held::Held;
use crate::intake::reports::{Fate, Message, ReportDesk, Settled};
use crate::nats::connect::HubConnection;
use crate::nats::streams::{self, StreamLimits};

/// Bounds of the pulling of reports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullConfig {
    /// Most reports a batch.
    pub batch_max: usize,
    /// Most reports of one province a second.
    pub reports_a_second_max: NonZeroU32,
    /// How long the broker keeps an unanswered pull.
    pub pull_expires: Duration,
    /// How often the broker says that it is there.
    pub heartbeat: Duration,
    /// Heartbeats missed in a row after which the consumer is opened again.
    pub missed_heartbeats_max: u32,
    /// How long to wait before a consumer is opened again.
    pub reopen_wait: Duration,
    /// How soon the broker delivers again what was held for too long or in vain.
    pub again_after: Duration,
    /// How often held reports are looked at.
    pub held_tick: Duration,
    /// How often it is looked whether a message was swallowed on its way to us.
    pub by_hand_tick: Duration,
    /// Most acknowledgements under way.
    pub acknowledgements_max: usize,
    /// After this long an acknowledgement is given up; the report comes again.
    pub acknowledgement_wait_max: Duration,
}

impl Default for PullConfig {
    fn default() -> Self {
        Self {
            batch_max: 256,
            reports_a_second_max: NonZeroU32::new(2_000).expect("2,000 is not 0"),
            pull_expires: Duration::from_secs(30),
            heartbeat: Duration::from_secs(5),
            missed_heartbeats_max: 2,
            reopen_wait: Duration::from_millis(500),
            again_after: Duration::from_secs(5),
            held_tick: Duration::from_secs(5),
            by_hand_tick: Duration::from_secs(30),
            acknowledgements_max: 64,
            acknowledgement_wait_max: Duration::from_secs(5),
        }
    }
}

type ReportConsumer = consumer::Consumer<pull::Config>;

/// Pulls the reports of one province and puts them before the desk.
pub struct ReportPull {
    desk: Arc<ReportDesk>,
    connection: HubConnection,
    province: ProvinceCode,
    limits: StreamLimits,
    config: PullConfig,
    rate: DefaultDirectRateLimiter,
    held: Held<jetstream::Message>,
}

impl ReportPull {
    /// For the stream of `province`, which is made if it is missing. The `connection` should be for
    /// this alone: header bytes that the client cannot read cost it, and nobody else may feel that.
    pub fn new(
        desk: Arc<ReportDesk>,
        connection: HubConnection,
        province: ProvinceCode,
        limits: StreamLimits,
        config: PullConfig,
    ) -> Self {
        let burst = u32::try_from(config.batch_max).unwrap_or(u32::MAX);
        let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(config.reports_a_second_max);
        let quota = quota.allow_burst(burst.max(config.reports_a_second_max));
        let rate = RateLimiter::direct(quota);
        Self { desk, connection, province, limits, config, rate, held: Held::default() }
    }

    /// Pulls for ever. A wiped broker is made anew and pulled from.
    pub async fn run(mut self) {
        let province = self.province;
        info!(province.code = %province, "taking reports of {province}");
        loop {
            match self.open().await {
                Ok((consumer, messages)) => self.drain(consumer, messages).await,
                Err(error) => {
                    warn!(province.code = %province, %error, "cannot open the reports of {province}");
                }
            }
            // What was held belongs to a delivery that is over; the broker delivers it again.
            let abandoned = std::mem::take(&mut self.held);
            self.count("abandoned", abandoned.count());
            tokio::time::sleep(self.config.reopen_wait).await;
        }
    }

    async fn open(&mut self) -> Result<(ReportConsumer, pull::Stream), async_nats::Error> {
        self.connection.up.wait_for(|up| *up).await?;
        let jetstream = self.connection.jetstream.clone();
        streams::ensure(&jetstream, &[self.province], &self.limits).await?;
        let stream = subjects::report_stream(self.province);
        let mut consumer: ReportConsumer =
            jetstream.get_consumer_from_stream(subjects::REPORT_CONSUMER, stream).await?;
        // Before anything is pulled: among it may be what ended the last pull.
        let unanswered = by_hand::unanswered(&jetstream, &mut consumer, self.province).await?;
        self.take_by_hand(unanswered).await;
        let messages = consumer
            .stream()
            .max_messages_per_batch(self.config.batch_max)
            .expires(self.config.pull_expires)
            .heartbeat(self.config.heartbeat)
            .messages()
            .await?;
        Ok((consumer, messages))
    }

    /// Takes messages until the stream ends or is found to be gone.
    async fn drain(&mut self, mut consumer: ReportConsumer, messages: pull::Stream) {
        let mut chunks = messages.ready_chunks(self.config.batch_max.max(1));
        let mut tick = tokio::time::interval(self.config.held_tick);
        let mut swallowed = tokio::time::interval(self.config.by_hand_tick);
        let mut up = self.connection.up.clone();
        let mut missed = 0;
        loop {
            let chunk = tokio::select! {
                chunk = chunks.next() => chunk,
                // A line that was lost may have been lost to a message: look before pulling on.
                _ = up.changed() => return,
                _ = swallowed.tick() => {
                    self.take_swallowed(&mut consumer).await;
                    continue;
                }
                _ = tick.tick() => {
                    self.give_back_expired().await;
                    continue;
                }
            };
            let Some(chunk) = chunk else { return };
            let (mut batch, mut gone) = (Vec::with_capacity(chunk.len()), false);
            for item in chunk {
                match item {
                    Ok(message) => {
                        missed = 0;
                        batch.push(message);
                    }
                    Err(error) if error.kind() == MessagesErrorKind::MissingHeartbeat => {
                        missed += 1;
                        gone |= missed > self.config.missed_heartbeats_max;
                        debug!(province.code = %self.province, missed, "no heartbeat");
                    }
                    Err(error) => {
                        gone = true;
                        warn!(province.code = %self.province, %error, "the pull ended");
                    }
                }
            }
            metrics::counter!("hub_reports_received_total", "province" => self.province.to_string())
                .increment(batch.len() as u64);
            self.take(batch).await;
            if gone {
                return;
            }
        }
    }

    /// Takes a batch, and then whatever was held for the cases that went on by it.
    async fn take(&mut self, mut batch: Vec<jetstream::Message>) {
        while !batch.is_empty() {
            let many = NonZeroU32::new(batch.len() as u32).unwrap_or(NonZeroU32::MIN);
            // A batch never exceeds the burst; if it did, it would be taken without waiting.
            let _ = self.rate.until_n_ready(many).await;
            let messages: Vec<Message> = batch.iter().map(readable).collect();
            let settled = self.desk.take(self.province, &messages).await;
            let went_on: Vec<_> = settled.iter().filter_map(|it| it.went_on).collect();
            self.carry_out(batch, settled).await;
            batch = went_on.into_iter().flat_map(|it| self.held.release(it)).collect();
        }
        metrics::gauge!("hub_reports_held", "province" => self.province.to_string())
            .set(self.held.count() as f64);
    }

    async fn carry_out(&mut self, batch: Vec<jetstream::Message>, settled: Vec<Settled>) {
        let mut answers = Vec::with_capacity(batch.len());
        let again = AckKind::Nak(Some(self.config.again_after));
        for (message, settled) in batch.into_iter().zip(settled) {
            match settled.fate {
                Fate::Acknowledge => answers.push((message, AckKind::Ack)),
                Fate::Terminate => answers.push((message, AckKind::Term)),
                Fate::Leave => {}
                Fate::Hold { case, number } => {
                    let back = self.held.hold(case, number, message);
                    answers.extend(back.map(|it| {
                        self.count("given-back", 1);
                        (it, again)
                    }));
                    continue;
                }
            }
            self.count(settled.outcome, 1);
        }
        self.answer(answers).await;
    }

    /// Settles what lies unanswered at the broker, as far as it can be settled now.
    async fn take_by_hand(&mut self, mut unanswered: Vec<ByHand>) {
        let size = self.config.batch_max.max(1);
        while !unanswered.is_empty() {
            let batch: Vec<_> = unanswered.drain(..size.min(unanswered.len())).collect();
            let many = NonZeroU32::new(batch.len() as u32).unwrap_or(NonZeroU32::MIN);
            let _ = self.rate.until_n_ready(many).await;
            let messages: Vec<Message> = batch.iter().map(|it| it.message.clone()).collect();
            let settled = self.desk.take(self.province, &messages).await;
            let went_on: Vec<_> = settled.iter().filter_map(|it| it.went_on).collect();
            let mut answers = Vec::new();
            for (by_hand, settled) in batch.into_iter().zip(settled) {
                match settled.fate {
                    Fate::Acknowledge => answers.push((by_hand, AckKind::Ack)),
                    Fate::Terminate => answers.push((by_hand, AckKind::Term)),
                    // The broker delivers it again in its own time.
                    Fate::Hold { .. } | Fate::Leave => {}
                }
                self.count(settled.outcome, 1);
            }
            info!(province.code = %self.province, count = answers.len(), "messages settled by hand");
            let jetstream = &self.connection.jetstream;
            futures::stream::iter(answers)
                .for_each_concurrent(self.config.acknowledgements_max, |(it, kind)| {
                    by_hand::answer(jetstream.clone(), it, kind)
                })
                .await;
            let released = went_on.into_iter().flat_map(|it| self.held.release(it)).collect();
            self.take(released).await;
        }
    }

    /// A forged status line makes the client keep a message to itself; it comes again and again.
    async fn take_swallowed(&mut self, consumer: &mut ReportConsumer) {
        let jetstream = self.connection.jetstream.clone();
        if !consumer.info().await.is_ok_and(|it| it.num_redelivered > 0) {
            return;
        }
        match by_hand::unanswered(&jetstream, consumer, self.province).await {
            Ok(mut unanswered) => {
                // The others are on their way to us, or held.
                unanswered.retain(ByHand::is_unreadable);
                self.take_by_hand(unanswered).await;
            }
            Err(error) => {
                warn!(province.code = %self.province, %error, "cannot look at what was swallowed");
            }
        }
    }

    async fn give_back_expired(&mut self) {
        let expired = self.held.expire();
        self.count("given-back", expired.len());
        let again = AckKind::Nak(Some(self.config.again_after));
        self.answer(expired.into_iter().map(|it| (it, again)).collect()).await;
    }

    /// Tells the broker, many at once. What it does not hear of comes again and is known then.
    async fn answer(&self, answers: Vec<(jetstream::Message, AckKind)>) {
        let wait_max = self.config.acknowledgement_wait_max;
        let province = self.province;
        futures::stream::iter(answers)
            .for_each_concurrent(self.config.acknowledgements_max, |(message, kind)| async move {
                let told = tokio::time::timeout(wait_max, message.double_ack_with(kind)).await;
                if !matches!(told, Ok(Ok(()))) {
                    debug!(province.code = %province, "an acknowledgement was not confirmed");
                }
            })
            .await;
    }

    fn count(&self, outcome: &'static str, count: usize) {
        if count > 0 {
            let province = self.province.to_string();
            metrics::counter!("hub_reports_total", "province" => province, "outcome" => outcome)
                .increment(count as u64);
        }
    }
}

fn readable(message: &jetstream::Message) -> Message {
    Message {
        subject: message.subject.to_string(),
        headers: message.headers.clone(),
        headers_readable: true,
        payload: message.payload.clone(),
    }
}
