//! A small adapter over the raw wire: fetch, verify, open, keep, acknowledge, answer, send until receipted.
//! Where a [`Defect`] is asked for, it goes wrong there and nowhere else.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::{Client, ConnectOptions, Event, HeaderMap, Message};
use events::subjects;
use events::wire;
use events::work::{Receipts, Work};
use futures::StreamExt as _;
use hub::clock::Clock;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::Defect;
use super::believing::Content;
use super::bundle::Bundle;
use super::office::answers_of;
use super::outbox;
use super::state::{KeptWork, State};

/// Messages of one pull.
const PULL_BATCH: u64 = 64;
/// How long a pull waits at the broker.
const PULL_EXPIRES: Duration = Duration::from_secs(3);
/// How often the broker says that it is there.
const HEARTBEAT: Duration = Duration::from_millis(500);
/// How often it looks for something to say.
const TICK: Duration = Duration::from_millis(20);
/// How late the hasty one writes to disk.
const LATE_BY: Duration = Duration::from_millis(1_500);

/// One living animal.
pub struct Animal {
    pub(super) defect: Option<Defect>,
    pub(super) bundle: Bundle,
    pub(super) state: State,
    client: Client,
    inbox: String,
    pull_ends_at: Instant,
    pull_left: u64,
    save_at: Option<Instant>,
    stopped: Arc<AtomicBool>,
}

/// Lives on the kit's `folder` until it is killed.
pub async fn live(folder: &Path, defect: Option<Defect>) {
    let bundle = Bundle::read(folder);
    let mut state = State::open(&bundle.state_dir);
    if state.first_key.is_none() {
        state.first_key = Some((bundle.sign_key_id.clone(), bundle.sign_key.to_bytes()));
        state.save();
    }
    if defect == Some(Defect::LosesReports) {
        state.reports.iter_mut().for_each(|it| it.next_ms = None);
    }
    let stopped = Arc::new(AtomicBool::new(false));
    let client = connect(&bundle, defect, &stopped).await;
    let inbox = client.new_inbox();
    let pull_ends_at = Instant::now();
    let mut animal = Animal {
        defect,
        bundle,
        state,
        client,
        inbox,
        pull_ends_at,
        pull_left: 0,
        save_at: None,
        stopped,
    };
    animal.sign_anew();
    animal.run().await;
}

async fn connect(bundle: &Bundle, defect: Option<Defect>, stopped: &Arc<AtomicBool>) -> Client {
    let stopped = stopped.clone();
    let stops = defect == Some(Defect::StopsAfterReconnect);
    ConnectOptions::with_nkey(bundle.nkey_seed.clone())
        .custom_inbox_prefix(bundle.inbox_prefix.clone())
        .max_reconnects(None)
        .retry_on_initial_connect()
        .ping_interval(Duration::from_secs(2))
        .reconnect_delay_callback(|_| Duration::from_millis(100))
        .event_callback(move |event| {
            if stops && matches!(event, Event::Disconnected) {
                stopped.store(true, Ordering::Relaxed);
            }
            std::future::ready(())
        })
        .connect(bundle.urls.clone())
        .await
        .expect("the options are usable")
}

impl Animal {
    pub(super) fn is(&self, defect: Defect) -> bool {
        self.defect == Some(defect)
    }

    async fn run(&mut self) {
        let mut messages = self.client.subscribe(self.inbox.clone()).await.expect("connected once");
        if self.is(Defect::SubscribesToWork) {
            let everything = format!("hub.v1.work.{}.>", self.bundle.province);
            let _refused = self.client.subscribe(everything).await;
        }
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                Some(message) = messages.next() => {
                    let mut batch = vec![message];
                    while let Ok(Some(more)) =
                        tokio::time::timeout(Duration::from_millis(1), messages.next()).await
                    {
                        batch.push(more);
                    }
                    if !self.stopped.load(Ordering::Relaxed) {
                        self.receive(batch).await;
                    }
                }
                _ = tick.tick() => {}
            }
            if !self.stopped.load(Ordering::Relaxed) {
                self.pull().await;
                // The hasty one, too, speaks from its disk; only its acknowledgements do not wait.
                if self.save_at.is_none() {
                    self.speak().await;
                }
            }
            if self.save_at.is_some_and(|it| it <= Instant::now()) {
                self.save_at = None;
                self.state.save();
            }
        }
    }

    /// Durable, unless that is what is wrong with it.
    fn save(&mut self) {
        match self.defect {
            Some(Defect::ForgetsAfterRestart) => {}
            Some(Defect::AcksBeforeDurable) => self.save_at = Some(Instant::now() + LATE_BY),
            _ => self.state.save(),
        }
    }

    /// One pull waits at any time; a heartbeat keeps it alive.
    async fn pull(&mut self) {
        if self.pull_left > 0 && Instant::now() < self.pull_ends_at {
            return;
        }
        self.pull_left = PULL_BATCH;
        self.pull_ends_at = Instant::now() + PULL_EXPIRES;
        let request = json!({
            "batch": PULL_BATCH,
            "expires": PULL_EXPIRES.as_nanos() as u64,
            "idle_heartbeat": HEARTBEAT.as_nanos() as u64,
        });
        let (subject, reply) = (self.bundle.pull_subject.clone(), self.inbox.clone());
        let _ = self.client.publish_with_reply(subject, reply, request.to_string().into()).await;
    }

    /// Believe it or not; everything that came together is durable before any of it is acknowledged.
    async fn receive(&mut self, batch: Vec<Message>) {
        let mut answers = Vec::with_capacity(batch.len());
        for message in batch {
            if let Some(status) = message.status {
                if status.as_u16() != 100 {
                    self.pull_left = 0;
                }
                continue;
            }
            self.pull_left = self.pull_left.saturating_sub(1);
            let Some(reply) = message.reply.clone() else { continue };
            let answer = match self.believe(&message) {
                Some(_) if self.was_before_cursor(&message) => "+ACK",
                Some(content) => {
                    self.take_in(content, &message);
                    "+ACK"
                }
                None => "+TERM",
            };
            answers.push((reply, answer));
        }
        if answers.is_empty() {
            return;
        }
        self.save();
        if self.is(Defect::ForgetsAfterRestart) {
            // It hurries: what it says is out before anything is acknowledged.
            self.speak().await;
        }
        for (reply, answer) in answers {
            if !self.is(Defect::AcksNothing) {
                let _ = self.client.publish(reply, answer.into()).await;
            }
        }
        let _ = self.client.flush().await;
    }

    /// Only one kind of animal trusts the broker's numbers.
    fn was_before_cursor(&mut self, message: &Message) -> bool {
        if !self.is(Defect::SequenceAsCursor) {
            return false;
        }
        let sequence = message.reply.as_ref().and_then(|it| it.split('.').nth(5)?.parse().ok());
        let sequence: u64 = sequence.unwrap_or(0);
        let before = sequence <= self.state.sequence;
        self.state.sequence = self.state.sequence.max(sequence);
        before
    }

    /// Takes it in; the caller makes it durable and acknowledges then.
    fn take_in(&mut self, content: Content, message: &Message) {
        let epoch = match &content {
            Content::Work(it, _) => it.epoch,
            Content::Receipts(it) => it.epoch,
        };
        let now_ms = Clock::real_now().as_millisecond();
        if epoch > self.state.epoch {
            self.state.epoch = epoch;
            let waiting = self.state.reports.iter_mut().filter(|it| it.next_ms.is_some());
            waiting.for_each(|it| it.next_ms = Some(now_ms));
        }
        match content {
            Content::Receipts(receipts) => self.end(&receipts),
            Content::Work(work, personal) => self.take_work(&work, personal.as_ref(), message),
        }
    }

    fn end(&mut self, receipts: &Receipts) {
        for receipt in &receipts.receipts {
            let id = receipt.report.to_string();
            let refused = receipt.refused.is_some();
            let deaf = self.is(Defect::IgnoresReceipts) && !refused
                || self.is(Defect::InsistsOnRefused) && refused;
            if let Some(report) = self.state.reports.iter_mut().find(|it| it.id == id)
                && !deaf
            {
                report.next_ms = None;
                report.refused = refused;
            }
        }
    }

    fn take_work(&mut self, work: &Work, personal: Option<&Value>, message: &Message) {
        let (case, request) = (work.case.to_string(), work.request.to_string());
        let kind = work.kind.token();
        let fresh = message.reply.as_ref().is_some_and(|it| it.split('.').nth(4) == Some("1"));
        if let Some(known) = self.known(&case, &request, kind, message) {
            if let (Some(known), true) = (known, fresh) {
                self.say_again(&case, known);
            }
            return;
        }
        let applicant = personal.map(|it| &it["applicant"]);
        let text = |it: Option<&Value>| it.and_then(Value::as_str).map(str::to_owned);
        self.state.works.push(KeptWork {
            case: case.clone(),
            request,
            kind: kind.to_owned(),
            digest: work.digest.to_string(),
            reply_key: text(personal.map(|it| &it["reply_key"])),
            identity_number: text(applicant.map(|it| &it["applicant"]["identity_number"])),
        });
        let place = self.state.works.len() - 1;
        if !self.is(Defect::NeverReportsDelivery) && !self.is(Defect::DecidesBeforeDelivery) {
            self.write(place, json!({"kind": "delivered", "work": kind}), None);
        }
        let deaf = self.is(Defect::IgnoresWithdrawal) && kind == "withdrawal"
            || self.is(Defect::IgnoresCorrection) && kind == "correction";
        if !deaf {
            let works = &self.state.works;
            self.state.answers.retain(|it| works[it.work].case != case);
        }
        let answers = answers_of(applicant);
        // Whoever does not notice a correction answers as if it had never come.
        let old = self.state.works.iter().position(|it| it.case == case);
        let place = if self.is(Defect::IgnoresCorrection) { old.unwrap_or(place) } else { place };
        self.plan(place, &case, answers);
    }

    /// Some if it is known; the place of the work, unless the defect does not know it.
    fn known(
        &mut self,
        case: &str,
        request: &str,
        kind: &str,
        message: &Message,
    ) -> Option<Option<usize>> {
        match self.defect {
            Some(Defect::DeduplicatesByMessageId) => {
                let headers = message.headers.as_ref();
                let id = headers.and_then(|it| it.get(subjects::MESSAGE_ID_HEADER));
                let id = id.map(|it| it.as_str().to_owned()).unwrap_or_default();
                let known = self.state.message_ids.contains(&id);
                self.state.message_ids.push(id);
                known.then_some(None)
            }
            _ => self.state.find(case, request, kind).map(Some),
        }
    }

    /// The hub published it anew although it had receipted our signature: it lost that and what followed.
    fn say_again(&mut self, case: &str, work: usize) {
        let now_ms = Clock::real_now().as_millisecond();
        let reports = &mut self.state.reports;
        let signed = reports.iter().find(|it| it.work == work && it.kind == "delivered");
        let Some(from) = signed.filter(|it| it.next_ms.is_none()).map(|it| it.number) else {
            return;
        };
        let lost = |it: &&mut super::state::KeptReport| {
            it.case == case && it.next_ms.is_none() && !it.refused && it.number >= from
        };
        reports.iter_mut().filter(lost).for_each(|it| it.next_ms = Some(now_ms));
    }

    fn write(&mut self, work: usize, news: Value, text: Option<&str>) {
        let now = Clock::real_now();
        outbox::write(&mut self.state, &self.bundle, self.defect, work, news, text, now);
    }

    /// Answers that are due become reports; reports that are due are sent.
    async fn speak(&mut self) {
        let now = Clock::real_now();
        while let Some(at) = self.due_answer(now.as_millisecond()) {
            let answer = self.state.answers.remove(at);
            let case = self.state.works[answer.work].case.clone();
            self.write(answer.work, answer.news, answer.text.as_deref());
            if self.is(Defect::DecidesBeforeDelivery) {
                self.sign_late(answer.work);
            }
            self.state.schedule(&case, now.as_millisecond());
            self.save();
        }
        let parcels = outbox::claim_due(&mut self.state, &self.bundle, self.defect, now);
        if parcels.is_empty() {
            return;
        }
        self.save();
        for parcel in parcels {
            self.publish(parcel).await;
        }
    }

    fn due_answer(&self, now_ms: i64) -> Option<usize> {
        self.state.answers.iter().position(|it| it.due_ms.is_some_and(|due| due <= now_ms))
    }

    fn sign_late(&mut self, work: usize) {
        let signed = |it: &super::state::KeptReport| it.work == work && it.kind == "delivered";
        if !self.state.reports.iter().any(signed) {
            let kind = self.state.works[work].kind.clone();
            self.write(work, json!({"kind": "delivered", "work": kind}), None);
        }
    }

    async fn publish(&self, parcel: outbox::Parcel) {
        let mut headers = HeaderMap::new();
        if !self.is(Defect::Unsigned) {
            headers.insert(subjects::SIGNATURE_HEADER, parcel.signature.as_str());
        }
        if !self.is(Defect::NoMessageId) {
            headers.insert(subjects::MESSAGE_ID_HEADER, parcel.message_id.as_str());
        }
        headers.insert("Content-Type", wire::CONTENT_TYPE);
        let kind = if self.is(Defect::WrongSubject) { "accepted" } else { &parcel.kind };
        let subject = format!("{}.{kind}", self.bundle.report_subject);
        // The broker's answer goes where nobody looks: only the hub's receipt ends the sending.
        let reply = format!("{}.published", self.bundle.inbox_prefix);
        let body = parcel.body.into();
        let _ = self.client.publish_with_reply_and_headers(subject, reply, headers, body).await;
    }

    /// After a change of keys: the same bytes, signed with the key that counts now.
    fn sign_anew(&mut self) {
        for at in 0..self.state.reports.len() {
            if self.state.reports[at].next_ms.is_some() {
                let body = &self.state.reports[at].body;
                let signature = outbox::sign(body, &self.bundle, &self.state, self.defect);
                self.state.reports[at].signature = signature;
            }
        }
        self.save();
    }
}
