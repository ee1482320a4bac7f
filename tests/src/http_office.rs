//! An office's own HTTP service, over a bare socket, with the bad days that a service has.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Largest request that is read.
const REQUEST_BYTES_MAX: usize = 1 << 20;

/// One request of the sidecar.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `POST /cases`
    pub line: String,
    /// As it came.
    pub body: Vec<u8>,
}

/// What happens to requests before the office sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadDay {
    /// A proxy answers 502.
    Unavailable,
    /// The office has done it, and nobody hears so.
    AnswerLost,
}

/// What the office has and says.
#[derive(Debug, Default)]
pub struct Files {
    /// The requests that it has a file for.
    pub files: BTreeSet<String>,
    /// What it says of a case; the key is whatever its question holds.
    pub states: BTreeMap<String, Vec<u8>>,
    /// Everything that it was asked.
    pub asked: Vec<Asked>,
    /// What becomes of the next requests, one each.
    pub bad_days: Vec<BadDay>,
}

/// How an office answers: to a request, with what it has.
pub type Answers = fn(&mut Files, &Asked) -> (&'static str, Vec<u8>);

/// The service; it ends with its runtime.
#[derive(Clone)]
pub struct HttpCounterpart {
    /// `http://127.0.0.1:…`
    pub url: String,
    files: Arc<Mutex<Files>>,
}

impl HttpCounterpart {
    /// An office that `answers`.
    pub async fn start(answers: Answers) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let files = Arc::<Mutex<Files>>::default();
        let it = Self { url, files };
        let shared = it.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let shared = shared.clone();
                tokio::spawn(async move { shared.answer(stream, answers).await });
            }
        });
        it
    }

    /// What it has.
    pub fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request a connection: the simplest service that there is.
    async fn answer(&self, mut stream: TcpStream, answers: Answers) -> Option<()> {
        let asked = read(&mut stream).await?;
        let answer = {
            let mut files = self.files();
            files.asked.push(asked.clone());
            let bad_day = (!files.bad_days.is_empty()).then(|| files.bad_days.remove(0));
            match bad_day {
                Some(BadDay::Unavailable) => {
                    Some(("502 Bad Gateway", "text/html", b"<html>busy".to_vec()))
                }
                Some(BadDay::AnswerLost) => {
                    let _lost = answers(&mut files, &asked);
                    None
                }
                None => {
                    let (kind, body) = answers(&mut files, &asked);
                    Some(("200 OK", kind, body))
                }
            }
        };
        let (status, kind, body) = answer?;
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            body.len()
        );
        stream.write_all(head.as_bytes()).await.ok()?;
        stream.write_all(&body).await.ok()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 || bytes.len() > REQUEST_BYTES_MAX {
            return None;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let length = head.lines().find_map(|it| it.strip_prefix("content-length:"));
    let length: usize = length.map_or(Some(0), |it| it.trim().parse().ok())?;
    while bytes.len() < end + length && bytes.len() <= REQUEST_BYTES_MAX {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    }
    let line = String::from_utf8_lossy(&bytes[..end]).lines().next()?.to_owned();
    Some(Asked { line, body: bytes[end..].to_vec() })
}
