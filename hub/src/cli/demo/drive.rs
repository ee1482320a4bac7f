//! The national system of the demo: sends the load at its told moments, keeps every receipt, never gives up.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use events::work::SubmissionReceipt;
use serde_json::Value;
use tokio::sync::{Mutex, RwLock, Semaphore};

use super::load::{Expectation, Planned};
use crate::clock::Clock;

/// Requests under way at once.
const IN_FLIGHT_MAX: usize = 64;
/// Wait before the same request is sent again after no answer or a 503.
const AGAIN_AFTER: Duration = Duration::from_millis(250);
/// Longest wait for one answer.
const ANSWER_WAIT_MAX: Duration = Duration::from_secs(10);

/// What the national system has in its hands.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Receipts of 201 answers, and of 200 answers to a request whose first answer was lost.
    pub(super) receipts: Mutex<Vec<(String, SubmissionReceipt)>>,
    /// Answers that were not what the plan expected, as text without the request.
    pub(super) surprises: Mutex<Vec<String>>,
    /// Requests answered as expected with a refusal.
    pub(super) refused: AtomicU64,
    /// Repetitions answered with the first receipt.
    pub(super) same_again: AtomicU64,
    /// Requests that had to be sent again because nothing came back.
    pub(super) retried: AtomicU64,
    /// Requests sent to the end.
    pub(super) answered: AtomicU64,
}

/// Sends everything at its moment; ends when all is answered or `stop` is set.
pub(super) async fn drive(
    base: Arc<RwLock<String>>,
    token: String,
    planned: Vec<Planned>,
    clock: Clock,
    stop: Arc<AtomicBool>,
    ledger: Arc<Ledger>,
) -> anyhow::Result<()> {
    let http = reqwest::Client::builder().no_proxy().timeout(ANSWER_WAIT_MAX).build()?;
    let room = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let mut under_way = tokio::task::JoinSet::new();
    for one in planned {
        wait_until(&clock, one.at, &stop).await;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let permit = room.clone().acquire_owned().await?;
        let sender = Sender {
            http: http.clone(),
            base: base.clone(),
            token: token.clone(),
            stop: stop.clone(),
            ledger: ledger.clone(),
        };
        under_way.spawn(async move {
            sender.send(one).await;
            drop(permit);
        });
        while under_way.try_join_next().is_some() {}
    }
    while under_way.join_next().await.is_some() {}
    Ok(())
}

async fn wait_until(clock: &Clock, at: jiff::Timestamp, stop: &AtomicBool) {
    loop {
        let left = at.duration_since(clock.now());
        if left.is_negative() || left.is_zero() || stop.load(Ordering::Relaxed) {
            return;
        }
        let real = clock.real(left.unsigned_abs());
        tokio::time::sleep(real.clamp(Duration::from_millis(1), Duration::from_millis(200))).await;
    }
}

struct Sender {
    http: reqwest::Client,
    base: Arc<RwLock<String>>,
    token: String,
    stop: Arc<AtomicBool>,
    ledger: Arc<Ledger>,
}

impl Sender {
    /// Sends until there is an answer. The same key makes the repetition harmless.
    async fn send(&self, one: Planned) {
        let mut attempts = 0u32;
        while !self.stop.load(Ordering::Relaxed) || attempts == 0 {
            attempts += 1;
            let base = self.base.read().await.clone();
            let request = self
                .http
                .post(format!("{base}/v1/cases"))
                .bearer_auth(&self.token)
                .header("Idempotency-Key", &one.key)
                .json(&one.body);
            let answer = match request.send().await {
                Ok(answer)
                    if answer.status().as_u16() != 503 && answer.status().as_u16() != 429 =>
                {
                    let status = answer.status().as_u16();
                    answer.bytes().await.ok().map(|it| (status, it))
                }
                _ => None,
            };
            if let Some((status, body)) = answer {
                self.judge(&one, status, &body, attempts).await;
                self.ledger.answered.fetch_add(1, Ordering::Relaxed);
                return;
            }
            self.ledger.retried.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    async fn judge(&self, one: &Planned, status: u16, body: &[u8], attempts: u32) {
        let code = || {
            let problem: Option<Value> = serde_json::from_slice(body).ok();
            problem.and_then(|it| it.get("code")?.as_str().map(str::to_owned)).unwrap_or_default()
        };
        match (one.expected, status) {
            (Expectation::Recorded, 201) => self.keep(one, body).await,
            // The first answer was lost on the way; this is the same receipt.
            (Expectation::Recorded, 200) if attempts > 1 => self.keep(one, body).await,
            (Expectation::SameAgain, 200 | 201) => {
                self.ledger.same_again.fetch_add(1, Ordering::Relaxed);
                self.keep(one, body).await;
            }
            // Its twin came first, across a restart.
            (Expectation::Recorded, 200) => self.keep(one, body).await,
            (Expectation::Refused(expected), 400..=499) if code() == expected => {
                self.ledger.refused.fetch_add(1, Ordering::Relaxed);
            }
            _ => {
                let surprise =
                    format!("{}: {:?} was answered {status} {}", one.key, one.expected, code());
                self.ledger.surprises.lock().await.push(surprise);
            }
        }
    }

    async fn keep(&self, one: &Planned, body: &[u8]) {
        match serde_json::from_slice::<SubmissionReceipt>(body) {
            Ok(receipt) => self.ledger.receipts.lock().await.push((one.key.clone(), receipt)),
            Err(_) => {
                self.ledger.surprises.lock().await.push(format!("{}: not a receipt", one.key))
            }
        }
    }
}
