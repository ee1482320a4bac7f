//! The way to the broker over TLS: hub and adapters vouch for it by certificates that come with the bundle,
//! and speak to nobody who leaves the TLS out.

use std::path::{Path, PathBuf};

use events::subjects;
use hub::nats::address::BrokerAddress;
use hub::nats::connect;
use hub::nats::render::TlsFiles;
use serde_json::Value;
use tests::broker::{TestBroker, VERSIONS, not_run, wait_for};
use tests::counterparts::certificate;
use tests::program::joined::{Joined, Joining};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A certificate and its key in a folder of their own; nothing, said aloud, if there is no openssl.
async fn certified(test: &str) -> Option<(tempfile::TempDir, TlsFiles)> {
    let folder = tempfile::tempdir().expect("a folder");
    if let Err(why) = certificate(folder.path()).await {
        not_run(test, &why);
        return None;
    }
    let at = |name: &str| folder.path().join(name);
    let files = TlsFiles { cert_file: at("certificate.pem"), key_file: at("key.pem") };
    Some((folder, files))
}

/// The line of `check` about the broker.
async fn reached(province: &Joined) -> Value {
    let told = province.adapter(&["check", "--json"]).await.json();
    let lines = told["lines"].as_array().expect("lines").clone();
    let about = |it: &Value| it["question"].as_str().is_some_and(|it| it.ends_with("the broker"));
    lines.into_iter().find(about).expect("a line about the broker")
}

fn with_ca(province: &Joined, ca: Option<&Path>) {
    let path = province.at("adapter.toml");
    let text = std::fs::read_to_string(&path).expect("a configuration");
    let others: String =
        text.lines().filter(|it| !it.starts_with("ca_file")).flat_map(|it| [it, "\n"]).collect();
    let line = ca.map_or(String::new(), |it| format!("ca_file = {it:?}\n"));
    let text = others.replace("[broker]\n", &format!("[broker]\n{line}"));
    std::fs::write(path, text).expect("written");
}

#[tokio::test]
async fn a_province_joins_over_tls_with_three_commands_and_certificates_come_with_the_bundle() {
    let name = "joining over TLS";
    let Some((_keys, tls)) = certified(name).await else { return };
    let Some((_other_keys, other)) = certified(name).await else { return };
    for version in VERSIONS {
        let Some(stage) = Joining::start_with(name, version, Some(tls.clone())).await else {
            continue;
        };
        let mut jilin = stage.join(22).await;
        let ca: PathBuf = jilin.at("broker-ca.pem");
        let text = |path: &Path| std::fs::read_to_string(path).expect("certificates");
        assert_eq!(text(&ca), text(&tls.cert_file), "{version:?}");
        assert_eq!(reached(&jilin).await["level"], "ok", "{version:?}");
        jilin.serve().await;
        stage.completes(1, 22).await;
        // Another province makes the hub write the configuration anew: it speaks TLS as before.
        let mut liaoning = stage.join(21).await;
        liaoning.serve().await;
        stage.completes(2, 21).await;
        assert!(text(&stage.broker.config_file()).contains("tls: {"), "{version:?}");
        // Nobody but the authority of the bundle vouches for it, and who speaks in clear is not heard.
        for ca in [Some(other.cert_file.as_path()), None] {
            with_ca(&liaoning, ca);
            let told = reached(&liaoning).await;
            assert_eq!(told["level"], "bad", "{told}");
            assert!(told.to_string().to_lowercase().contains("certificate"), "{told}");
        }
        assert!(!says_pong_in_clear(&stage.broker.url()).await, "{version:?}");
        let doctor = stage.folder.hub(&["doctor"]).await;
        assert!(doctor.out.contains("answers, version"), "{}", doctor.out);
    }
}

/// Whether a server goes on in clear with somebody who does.
async fn says_pong_in_clear(url: &str) -> bool {
    let mut line = TcpStream::connect(url.trim_start_matches("nats://")).await.expect("a line");
    line.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n").await.expect("written");
    let mut told = Vec::new();
    let reading = line.read_to_end(&mut told);
    let _whatever = tokio::time::timeout(std::time::Duration::from_secs(15), reading).await;
    String::from_utf8_lossy(&told).contains("PONG")
}

/// Whoever stands between can leave the TLS out of the greeting. Nothing may be said to them.
#[tokio::test]
async fn who_has_certificates_for_the_broker_says_nothing_to_one_that_speaks_in_clear() {
    let name = "a broker in clear";
    let Some((_keys, tls)) = certified(name).await else { return };
    let Some(stage) = Joining::start(name, VERSIONS[0]).await else { return };
    let jilin = stage.join(22).await;
    assert_eq!(reached(&jilin).await["level"], "ok");
    with_ca(&jilin, Some(&tls.cert_file));
    let told = reached(&jilin).await;
    assert_eq!(told["level"], "bad", "{told}");
    drop(stage);

    let Some(broker) = TestBroker::start(name, VERSIONS[0], &[]).await else { return };
    let address = |url: String, ca_file: Option<&Path>| BrokerAddress {
        url,
        ca_file: ca_file.map(Path::to_owned),
    };
    let in_clear = address(broker.url(), None);
    let heard = connect::connect(&in_clear, &broker.hub_key).await.expect("a connection");
    wait_for("the broker to answer in clear", async || heard.up.borrow().then_some(())).await;
    let scheme = broker.url().replace("nats://", "tls://");
    for wary in [address(broker.url(), Some(&tls.cert_file)), address(scheme, None)] {
        let asked = connect::connect_as(&wary, &broker.hub_key, "wary", subjects::HUB_INBOX).await;
        // It tries for ever: what counts is that in all that time no connection stands.
        let mut up = asked.expect("it tries").up;
        let stands = tokio::time::timeout(std::time::Duration::from_secs(3), up.wait_for(|up| *up));
        assert!(stands.await.is_err(), "{wary:?}");
    }
}
