//! Callers that speak HTTP oddly: they get their answer, or lose only it, never a case. (guarantees (d) 13, 43, 47, 48)

use std::time::Duration;

use hub::listen::ListenConfig;
use serde_json::Value;
use tests::http::{HttpHub, submission, token};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A whole submission as it goes over the line, with its length told as `told`.
fn request(key: &str, more: &str, told: usize, body: &str) -> String {
    format!(
        "POST /v1/cases HTTP/1.1\r\nHost: hub\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\n\
         Idempotency-Key: {key}\r\n{more}Content-Length: {told}\r\n\r\n{body}",
        token("ysfw")
    )
}

async fn answer_to(hub: &HttpHub, request: &str) -> String {
    let mut line = TcpStream::connect(hub.address).await.unwrap();
    line.write_all(request.as_bytes()).await.unwrap();
    let mut heard = Vec::new();
    let mut piece = [0; 4_096];
    // Until the first answer's body is there; the line itself may stay open.
    while !String::from_utf8_lossy(&heard).trim_end().ends_with('}') {
        let read = tokio::time::timeout(Duration::from_secs(20), line.read(&mut piece)).await;
        match read.expect("an answer in time").unwrap() {
            0 => break,
            read => heard.extend_from_slice(&piece[..read]),
        }
    }
    String::from_utf8_lossy(&heard).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_longer_than_told_is_cut_where_it_was_told_to_end() {
    let hub = HttpHub::start().await;
    let before = hub.events();
    let body = submission(1).to_string();
    let said = answer_to(&hub, &request("longer-body-1", "", body.len() - 5, &body)).await;
    assert!(said.starts_with("HTTP/1.1 400") && said.contains("not-json"), "{said}");
    assert_eq!(hub.events(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_wants_html_gets_the_same_json() {
    let hub = HttpHub::start().await;
    let body = submission(1).to_string();
    let said =
        answer_to(&hub, &request("wants-html-1", "Accept: text/html\r\n", body.len(), &body)).await;
    assert!(said.starts_with("HTTP/1.1 201") && said.contains("application/json"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_announced_and_never_comes_is_not_waited_for_long() {
    let limits = ListenConfig { body_read_ms: 300, ..ListenConfig::default() };
    let hub = HttpHub::start_with(limits).await;
    let before = hub.events();
    let said =
        answer_to(&hub, &request("expects-much-1", "Expect: 100-continue\r\n", 500, "")).await;
    assert!(said.contains("HTTP/1.1 408") && said.contains("request-timeout"), "{said}");
    assert_eq!(hub.events(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_before_the_answer_finds_the_case_recorded_once() {
    let hub = HttpHub::start().await;
    let before = hub.events();
    let body = submission(1).to_string();
    let mut line = TcpStream::connect(hub.address).await.unwrap();
    let request = request("hangs-up-early-1", "", body.len(), &body);
    line.write_all(request.as_bytes()).await.unwrap();
    drop(line);
    let mut seen = Vec::new();
    for _ in 0..3 {
        let answer = hub.submit("hangs-up-early-1", body.clone()).send().await.unwrap();
        let status = answer.status().as_u16();
        assert!(matches!(status, 200 | 201), "{status}");
        let receipt: Value = answer.json().await.unwrap();
        seen.push(receipt);
    }
    assert!(seen.windows(2).all(|it| it[0] == it[1]), "one receipt");
    assert_eq!(hub.events(), before + 2, "submitted and routed, once");
}
