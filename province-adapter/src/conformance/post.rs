//! What passes between the sandbox hub and the broker: messages out, reports and acknowledgements in.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, Context};
use ed25519_dalek::SigningKey;
use events::ids::ProvinceCode;
use events::proof::signature::{self, Purpose};
use events::work::{Receipts, ReportReceipt};
use events::{subjects, wire};
use futures::StreamExt as _;
use tokio::time::{Instant, sleep};

use super::KitError;
use super::book::{Book, Posted};
use super::folder::HUB_KEY_ID;
use super::hub::{RETRY_PAUSE, Shared, fresh_id};
use super::judge::Incoming;

/// `$JS.ACK.WORK.p22.<delivered>.<stream sequence>.<consumer sequence>.<time>.<pending>`
pub(super) fn hear_ack(shared: &Shared, message: &async_nats::Message) {
    let Some(sequence) = message.subject.split('.').nth(5).and_then(|it| it.parse::<u64>().ok())
    else {
        return;
    };
    let text = &message.payload;
    let ends = text.is_empty() || text.starts_with(b"+ACK") || text.starts_with(b"+TERM");
    let mut book = shared.book();
    if !ends {
        if text.starts_with(b"-NAK") {
            *book.open.entry(sequence).or_insert(0) += 1;
        }
        return;
    }
    if book.posted.contains_key(&sequence) {
        settle(shared, &mut book, sequence);
    } else {
        // An acknowledgement can overtake the broker's answer to our own publish.
        book.early_acks.insert(sequence);
    }
    drop(book);
    shared.changed();
}

/// All that the broker itself has on record as acknowledged, up to this message of the stream.
pub(super) fn hear_floor(shared: &Shared, floor: u64) {
    let mut book = shared.book();
    let heard: Vec<u64> = book.open.keys().copied().filter(|it| *it <= floor).collect();
    for sequence in heard {
        settle(shared, &mut book, sequence);
    }
}

/// The adapter has signed off a message.
fn settle(shared: &Shared, book: &mut Book, sequence: u64) {
    book.open.remove(&sequence);
    match book.posted.get(&sequence).cloned() {
        Some(Posted::Work { case, bad }) => {
            if !bad {
                book.acknowledged.insert(case);
            }
            shared.pull_trigger(book, case, "acknowledged");
        }
        Some(Posted::Receipts(reports)) => {
            for report in reports {
                if let Some(seen) = book.reports.get_mut(&report) {
                    seen.receipt_waits = false;
                    seen.receipted_at.get_or_insert_with(Instant::now);
                }
            }
        }
        None => {}
    }
}

/// The loop over the report stream.
pub(super) struct Reading {
    pub(super) shared: Arc<Shared>,
    pub(super) jetstream: Context,
    pub(super) stream: String,
}

impl Reading {
    pub(super) async fn run(self, office: PostOffice) {
        loop {
            if let Ok(consumer) = self
                .jetstream
                .get_consumer_from_stream::<pull::Config, _, _>(
                    subjects::REPORT_CONSUMER,
                    &self.stream,
                )
                .await
                && let Ok(mut messages) = consumer
                    .stream()
                    .expires(Duration::from_secs(3))
                    .heartbeat(Duration::from_millis(500))
                    .messages()
                    .await
            {
                while let Some(Ok(message)) = messages.next().await {
                    self.take(&office, message).await;
                }
            }
            sleep(RETRY_PAUSE).await;
        }
    }

    async fn take(&self, office: &PostOffice, message: jetstream::Message) {
        let headers = message.headers.as_ref();
        let signature = headers.and_then(|it| it.get(subjects::SIGNATURE_HEADER));
        let signature = signature.map(|it| it.as_str().to_owned());
        let incoming = Incoming {
            subject: message.subject.as_str(),
            signature: signature.as_deref(),
            bytes: &message.payload,
        };
        let now = self.shared.clock.real_now();
        let receipts = {
            let trust = self.shared.trust.lock().unwrap_or_else(PoisonError::into_inner);
            let mut book = self.shared.book();
            let receipts = trust.judge(&mut book, &incoming, now);
            if let Ok(report) = wire::report_from_bytes(&message.payload) {
                let kind = report.report.news.token();
                self.shared.pull_trigger(&mut book, report.report.case, kind);
            }
            if book.receipts_held {
                book.owed.extend(receipts);
                Vec::new()
            } else {
                receipts
            }
        };
        // What the broker does not hear now it gives again, and then it is a copy.
        let _ = message.ack().await;
        let epoch = self.shared.book().epoch;
        // A receipt that is lost is asked for again by the adapter.
        let _ = office.send(receipts, epoch).await;
        self.shared.changed();
    }
}

/// Publishes to the province, and remembers what it published.
pub(super) struct PostOffice {
    pub(super) shared: Arc<Shared>,
    pub(super) jetstream: Context,
    pub(super) province: ProvinceCode,
    pub(super) origin: String,
    pub(super) key: SigningKey,
}

impl PostOffice {
    pub(super) async fn send(
        &self,
        receipts: Vec<ReportReceipt>,
        epoch: u64,
    ) -> Result<(), KitError> {
        for chunk in receipts.chunks(subjects::RECEIPTS_A_MESSAGE_MAX) {
            let reports = chunk.iter().map(|it| it.report).collect();
            let (origin, province) = (self.origin.clone(), self.province);
            let receipts =
                Receipts { origin, province, epoch, receipts: chunk.to_vec(), statements: vec![] };
            let now = self.shared.clock.real_now();
            let bytes = wire::receipts_to_bytes(fresh_id()?, now, &receipts);
            let signature = signature::sign(&self.key, HUB_KEY_ID, Purpose::ToProvince, &bytes);
            let posted = Posted::Receipts(reports);
            self.post(subjects::RECEIPTS_TOKEN, bytes, Some(signature), posted).await?;
        }
        Ok(())
    }

    pub(super) async fn post(
        &self,
        token: &str,
        bytes: Vec<u8>,
        signature: Option<String>,
        posted: Posted,
    ) -> Result<(), KitError> {
        let id = fresh_id()?.to_string();
        let mut message = PublishMessage::build()
            .payload(bytes.into())
            .header(subjects::MESSAGE_ID_HEADER, id.as_str())
            .header("Content-Type", wire::CONTENT_TYPE);
        if let Some(signature) = &signature {
            message = message.header(subjects::SIGNATURE_HEADER, signature.as_str());
        }
        let failed = |said: String| KitError::NoBroker { said };
        let subject = subjects::work(self.province, token);
        let sent = self.jetstream.send_publish(subject, message).await;
        let stored = sent.map_err(|it| failed(it.to_string()))?.await;
        let stored = stored.map_err(|it| failed(it.to_string()))?;
        let sequence = stored.sequence;
        let mut book = self.shared.book();
        if let Posted::Receipts(reports) = &posted {
            for report in reports {
                if let Some(seen) = book.reports.get_mut(report) {
                    seen.receipt_waits = true;
                }
            }
        }
        book.posted.insert(sequence, posted);
        book.open.insert(sequence, 0);
        if book.early_acks.remove(&sequence) {
            settle(&self.shared, &mut book, sequence);
        }
        drop(book);
        self.shared.changed();
        Ok(())
    }
}
