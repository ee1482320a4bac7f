//! National systems that cost little: keep-alive connections that send a prepared request and read as
//! much of the answer as tells its length. They share the processors with the hub all the same.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::Run;
use super::people;

/// Events that one submission records: submitted and routed.
const EVENTS_A_SUBMISSION: u64 = 2;
/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// A line that was idle for longer is made anew before it is used.
const IDLE_MAX: Duration = Duration::from_secs(5);

/// All clients of one hub; no two submissions are about the same person.
#[derive(Debug, Clone)]
pub struct National {
    address: SocketAddr,
    token: String,
    handed_in: Arc<AtomicU64>,
    /// Where the authorities are that issued the certificates, in turn.
    divisions: Arc<Vec<String>>,
}

impl National {
    /// Hands in at `address`, for authorities in these divisions in turn.
    pub fn new(address: SocketAddr, token: &str, divisions: Vec<String>) -> Self {
        let (token, divisions) = (token.to_owned(), Arc::new(divisions));
        Self { address, token, handed_in: Arc::default(), divisions }
    }

    /// The same national system, about authorities in other divisions.
    pub fn elsewhere(&self, divisions: Vec<String>) -> Self {
        Self { divisions: Arc::new(divisions), ..self.clone() }
    }

    /// `clients` submit for `time`, each again as soon as it is answered.
    pub async fn run(&self, clients: usize, time: Duration) -> Run {
        let mut tasks = Vec::new();
        let begun = Instant::now();
        for _ in 0..clients {
            tasks.push(tokio::spawn(self.clone().submit_until(begun + time)));
        }
        let mut run = Run::default();
        for task in tasks {
            run.add(task.await.expect("a client does not panic"));
        }
        run.took = begun.elapsed();
        run
    }

    async fn submit_until(self, until: Instant) -> Run {
        let mut line = Line::connect(self.address).await;
        let mut run = Run::default();
        while Instant::now() < until {
            let request = self.submission();
            let begun = Instant::now();
            line.ask(&request).await;
            run.waits_us.push(begun.elapsed().as_micros() as u32);
            run.answers += 1;
            run.events += EVENTS_A_SUBMISSION;
        }
        run
    }

    /// The next submission, whole, as it goes over the line.
    pub fn submission(&self) -> Vec<u8> {
        let nth = self.handed_in.fetch_add(1, Ordering::Relaxed);
        let division = &self.divisions[nth as usize % self.divisions.len()];
        let now = hub::clock::Clock::real_now();
        let body = serde_json::json!({
            "client_reference": format!("YSFW-2026-{nth:09}"),
            "item": "renewal",
            "category": "general-freight",
            "channel": "mini-program",
            "submitted_at": now.to_string(),
            "authority": {"name": "某市道路运输管理局", "division": division},
            "applicant": people::applicant(u128::from(nth)),
            "materials": people::personal(u128::from(nth))["materials"],
            "remarks": "请尽快办理",
        })
        .to_string();
        let head = format!(
            "POST /v1/cases HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\nidempotency-key: bench-{}\r\n\
             content-length: {}\r\n\r\n",
            self.token,
            uuid::Uuid::now_v7(),
            body.len()
        );
        [head.into_bytes(), body.into_bytes()].concat()
    }
}

/// One keep-alive connection.
#[derive(Debug)]
pub struct Line {
    stream: TcpStream,
    heard: Vec<u8>,
    address: SocketAddr,
    used: Instant,
}

impl Line {
    /// Connects; small requests are not held back.
    pub async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the hub takes the connection");
        stream.set_nodelay(true).expect("a connected socket can be set");
        Self { stream, heard: Vec::with_capacity(4_096), address, used: Instant::now() }
    }

    /// Sends a submission and waits for the whole receipt. Anything but a 201 is a broken measurement.
    pub async fn ask(&mut self, request: &[u8]) -> Vec<u8> {
        // The hub closes idle lines after ten seconds, as it should.
        if self.used.elapsed() > IDLE_MAX {
            *self = Self::connect(self.address).await;
        }
        self.stream.write_all(request).await.expect("the hub reads");
        loop {
            let read = self.stream.read_buf(&mut self.heard).await.expect("the hub answers");
            assert!(read > 0, "the hub closed the line");
            assert!(self.heard.len() < ANSWER_BYTES_MAX, "the answer has no end");
            if let Some(end) = end_of_answer(&self.heard) {
                let shown = String::from_utf8_lossy(&self.heard[..end]);
                assert!(shown.starts_with("HTTP/1.1 201"), "not recorded: {shown}");
                self.used = Instant::now();
                return self.heard.drain(..end).collect();
            }
        }
    }
}

/// Where the answer ends, if all of it is there.
fn end_of_answer(heard: &[u8]) -> Option<usize> {
    let head = heard.windows(4).position(|it| it == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(&heard[..head]).ok()?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let end = head + length.expect("a receipt has a length");
    (heard.len() >= end).then_some(end)
}
