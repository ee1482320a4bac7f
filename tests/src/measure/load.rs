//! Whole cases kept under way: each is handed in over HTTP, and its end is waited for before the next.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use events::work::SubmissionReceipt;
use tokio::sync::{Mutex, Semaphore};

use super::Run;
use super::client::{Line, National};
use super::ends::Ends;

/// Connections that the national system keeps.
const LINES: usize = 64;

/// The national system, its connections, and who tells it that a case has ended.
pub struct Load {
    lines: Mutex<Vec<Line>>,
    free: Semaphore,
    ends: Ends,
}

impl Load {
    /// Connects.
    pub async fn new(address: SocketAddr, ends: Ends) -> Arc<Self> {
        let mut lines = Vec::new();
        for _ in 0..LINES {
            lines.push(Line::connect(address).await);
        }
        Arc::new(Self { lines: Mutex::new(lines), free: Semaphore::new(LINES), ends })
    }

    /// Keeps so many cases under way for so long; then lets them end. Events are not counted here.
    pub async fn travel(self: &Arc<Self>, of: &National, in_flight: usize, time: Duration) -> Run {
        let begun = Instant::now();
        let mut tasks = Vec::new();
        for _ in 0..in_flight {
            tasks.push(tokio::spawn(self.clone().cases_until(of.clone(), begun + time)));
        }
        let mut run = Run::default();
        for task in tasks {
            run.add(task.await.expect("a national system does not panic"));
        }
        run.took = begun.elapsed();
        run
    }

    async fn cases_until(self: Arc<Self>, of: National, until: Instant) -> Run {
        let mut run = Run::default();
        while Instant::now() < until {
            let begun = Instant::now();
            let receipt = self.submit(&of).await;
            self.ends.of(receipt.case_id).await;
            run.waits_us.push(begun.elapsed().as_micros() as u32);
            run.answers += 1;
        }
        run
    }

    /// Hands one in and does not wait for its end.
    pub async fn submit(&self, of: &National) -> SubmissionReceipt {
        let seat = self.free.acquire().await.expect("it is never closed");
        let mut line = self.lines.lock().await.pop().expect("there are as many as seats");
        let answer = line.ask(&of.submission()).await;
        self.lines.lock().await.push(line);
        drop(seat);
        let body = answer.windows(4).position(|it| it == b"\r\n\r\n").map_or(0, |it| it + 4);
        serde_json::from_slice(&answer[body..]).expect("a 201 has a receipt")
    }
}
