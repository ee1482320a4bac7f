//! A NATS client that sends the bytes it is given: what no honest library would let out.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use hub::nats::keys::UserKey;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;

/// A registered client of one province.
pub struct RawNats {
    line: BufReader<TcpStream>,
}

impl RawNats {
    /// Comes in with the key of `user`.
    pub async fn connect(url: &str, user: &UserKey) -> Self {
        let address = url.trim_start_matches("nats://");
        let stream = TcpStream::connect(address).await.expect("the broker listens");
        let mut line = BufReader::new(stream);
        let told = read(&mut line).await;
        let info: serde_json::Value =
            serde_json::from_str(told.trim_start_matches("INFO ")).expect("it says who it is");
        let nonce = info["nonce"].as_str().expect("it wants a signature");
        let pair = nkeys::KeyPair::from_seed(user.seed()).expect("a seed");
        let sig = BASE64.encode(pair.sign(nonce.as_bytes()).expect("it signs"));
        let connect = serde_json::json!({
            "verbose": false, "pedantic": false, "nkey": user.public(), "sig": sig,
            "headers": true, "lang": "raw", "version": "1", "protocol": 1,
        });
        let mut raw = Self { line };
        raw.send(format!("CONNECT {connect}\r\n").as_bytes()).await;
        raw.settled().await;
        raw
    }

    /// Publishes `payload` under header bytes that nobody checked.
    pub async fn publish(&mut self, subject: &str, heading: &[u8], payload: &[u8]) {
        let total = heading.len() + payload.len();
        let mut bytes = format!("HPUB {subject} {} {total}\r\n", heading.len()).into_bytes();
        bytes.extend_from_slice(heading);
        bytes.extend_from_slice(payload);
        bytes.extend_from_slice(b"\r\n");
        self.send(&bytes).await;
    }

    /// Waits until the broker has read everything.
    pub async fn settled(&mut self) {
        self.send(b"PING\r\n").await;
        loop {
            let told = read(&mut self.line).await;
            assert!(!told.starts_with("-ERR"), "the broker refused: {told}");
            if told.starts_with("PONG") {
                return;
            }
        }
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.line.get_mut().write_all(bytes).await.expect("the broker reads");
    }
}

async fn read(line: &mut BufReader<TcpStream>) -> String {
    let mut told = String::new();
    line.read_line(&mut told).await.expect("the broker answers");
    told
}
