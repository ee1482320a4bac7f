//! Callers who do not behave: slow, endless, huge, nonsensical, gone. The next one is served all the same.

use std::net::SocketAddr;

use axum::routing::{get, post};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::oneshot;

use super::*;

/// How long any of these may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

struct Stage {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    ended: tokio::task::JoinHandle<()>,
}

async fn stage(config: ListenConfig) -> Stage {
    let app = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/hang", get(|| async { std::future::pending::<()>().await }))
        .route(
            "/",
            post(|request: Request| async {
                whole_body(request).await.map(|it| it.len().to_string())
            }),
        );
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let ended = tokio::spawn(serve(listener, app, config, async {
        let _dropped = stopped.await;
    }));
    Stage { address, stop: Some(stop), ended }
}

fn quick() -> ListenConfig {
    ListenConfig {
        header_read_ms: 200,
        body_read_ms: 200,
        request_ms: 600,
        shutdown_ms: 300,
        ..ListenConfig::default()
    }
}

/// Sends, then reads until the other side closes.
async fn say(stage: &Stage, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    // The other side may answer and close before it has read everything.
    let _ = stream.write_all(bytes).await;
    hear(&mut stream).await
}

async fn hear(stream: &mut TcpStream) -> String {
    let mut heard = Vec::new();
    let _reset = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut heard))
        .await
        .expect("the hub closes the connection by itself");
    String::from_utf8_lossy(&heard).into_owned()
}

async fn is_served(stage: &Stage) -> bool {
    let answer = say(stage, b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n").await;
    answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello")
}

#[tokio::test]
async fn whatever_arrives_has_an_answer_or_an_end_and_the_next_is_served() {
    let stage = stage(quick()).await;
    let fields = "x: y\r\n".repeat(100);
    let long = "a".repeat(1024 * 1024);
    let path = "a".repeat(64 * 1024);
    let body = "a".repeat(256 * 1024 + 1);
    // what is sent                                                          how the answer begins
    let table: Vec<(String, &[&str])> = vec![
        ("".into(), &[""]),                                                    // nothing at all
        ("GET /".into(), &["", "HTTP/1.1 408"]),                               // half a line
        ("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 9\r\n\r\nabc".into(), &["HTTP/1.1 408"]),
        (format!("GET / HTTP/1.1\r\nhost: h\r\n{fields}\r\n"), &["HTTP/1.1 431"]),
        (format!("GET / HTTP/1.1\r\nhost: h\r\nx: {long}\r\n\r\n"), &["HTTP/1.1 431", ""]),
        (format!("GET /{path} HTTP/1.1\r\nhost: h\r\n\r\n"), &["HTTP/1.1 4", ""]),
        (
            format!("POST / HTTP/1.1\r\nhost: h\r\ncontent-length: {}\r\n\r\n{body}", body.len()),
            &["HTTP/1.1 413"],
        ),
        ("\u{1}\u{2}\u{fffd}garbage\r\n\r\n".into(), &["HTTP/1.1 400", ""]),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), &["HTTP/1.1 4", "HTTP/1.1 505", ""]),
        ("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nGET / HTTP/1.1\r\n\r\n".into(), &["HTTP/1.1 400", ""]),
        ("\u{16}\u{3}\u{1}\u{2}\u{0}".into(), &["HTTP/1.1 400", ""]),           // TLS on a plain port
        (
            "POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"
                .into(),
            &["HTTP/1.1 400", "HTTP/1.1 200", ""],
        ),
        ("TRACE / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n".into(), &["HTTP/1.1 405"]),
        ("CONNECT a:1 HTTP/1.1\r\nhost: a:1\r\nconnection: close\r\n\r\n".into(), &["HTTP/1.1 405"]),
        ("PUT / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n".into(), &["HTTP/1.1 405"]),
        ("GET /..;/ HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n".into(), &["HTTP/1.1 404"]),
        ("GET //%00 HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n".into(), &["HTTP/1.1 404"]),
        ("GET /hang HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n".into(), &["HTTP/1.1 408"]),
    ];
    for (sent, expected) in table {
        let shown: String = sent.chars().take(60).collect();
        let answer = say(&stage, sent.as_bytes()).await;
        let first = answer.lines().next().unwrap_or("");
        let fits =
            |it: &&str| if it.is_empty() { first.is_empty() } else { first.starts_with(*it) };
        assert!(expected.iter().any(fits), "{shown:?} was answered {first:?}");
        assert!(is_served(&stage).await, "nobody was served after {shown:?}");
    }
}

#[tokio::test]
async fn a_header_that_trickles_is_cut_and_a_chunked_body_that_never_ends_too() {
    let stage = stage(quick()).await;
    for start in
        ["GET / HTTP/1.1\r\n", "POST / HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n"]
    {
        let mut stream = TcpStream::connect(stage.address).await.unwrap();
        stream.write_all(start.as_bytes()).await.unwrap();
        let chunk = if start.contains("chunked") { "1\r\na\r\n" } else { "x: y\r\n" };
        let cut = tokio::time::timeout(PATIENCE, async {
            while stream.write_all(chunk.as_bytes()).await.is_ok() {
                let mut byte = [0; 1];
                let pause = Duration::from_millis(20);
                // An answer or an end, whichever comes first.
                if tokio::time::timeout(pause, stream.read(&mut byte)).await.is_ok() {
                    break;
                }
            }
        });
        assert!(cut.await.is_ok(), "{start:?} went on");
    }
    assert!(is_served(&stage).await);
}

#[tokio::test]
async fn one_address_has_so_many_connections_and_closing_one_makes_room() {
    let config = ListenConfig { connections_loopback_max: 2, ..ListenConfig::default() };
    let stage = stage(config).await;
    let first = TcpStream::connect(stage.address).await.unwrap();
    let _second = TcpStream::connect(stage.address).await.unwrap();
    let mut third = TcpStream::connect(stage.address).await.unwrap();
    assert_eq!(hear(&mut third).await, "", "a third connection was not closed");
    drop(first);
    let served = async { while !is_served(&stage).await {} };
    assert!(tokio::time::timeout(PATIENCE, served).await.is_ok());
}

#[tokio::test]
async fn pipelined_requests_are_all_answered_in_order() {
    let stage = stage(ListenConfig::default()).await;
    let one = "GET / HTTP/1.1\r\nhost: h\r\n\r\n".repeat(999);
    let last = "GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n";
    let mut stream = TcpStream::connect(stage.address).await.unwrap();
    let (mut read, mut write) = stream.split();
    let text = format!("{one}{last}");
    let mut heard = Vec::new();
    let both = async {
        let (sent, received) =
            tokio::join!(write.write_all(text.as_bytes()), read.read_to_end(&mut heard));
        sent.and(received.map(|_| ()))
    };
    tokio::time::timeout(PATIENCE, both).await.unwrap().unwrap();
    assert_eq!(String::from_utf8(heard).unwrap().matches("HTTP/1.1 200").count(), 1_000);
}

#[tokio::test]
async fn stopping_is_bounded_and_tells_endless_answers() {
    let mut stage = stage(ListenConfig { shutdown_ms: 300, ..ListenConfig::default() }).await;
    let mut stuck = TcpStream::connect(stage.address).await.unwrap();
    stuck.write_all(b"GET /hang HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    assert!(is_served(&stage).await);
    stage.stop.take().unwrap().send(()).unwrap();
    let ended = tokio::time::timeout(PATIENCE, &mut stage.ended).await;
    assert!(ended.is_ok(), "a request that hangs held the hub");
}
