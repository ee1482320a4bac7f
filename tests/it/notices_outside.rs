//! The other ends that are no work of ours: Debian's Alertmanager, a mail server in Python; and the whole program, killed in between.

use std::path::Path;
use std::time::Duration;

use hub::clock::Clock;
use hub::notices::compose::Letter;
use hub::notices::config::{AlertmanagerConfig, Security};
use serde_json::Value;
use tests::broker::{TestBroker, VERSIONS};
use tests::counterparts::{Alertmanager, Called, MailServer, certificate};
use tests::program::HubFolder;

use crate::notices::{DELIVERED, Duty, PATIENCE, SECRET, is_signed};

#[tokio::test(flavor = "multi_thread")]
async fn debians_alertmanager_holds_what_stands_and_lets_go_of_what_is_over() {
    let Some(manager) = Alertmanager::start("Alertmanager is told").await else { return };
    let mut duty = Duty::new().await;
    let (name, url) = ("main".to_owned(), manager.url.clone());
    duty.config.alertmanagers = vec![AlertmanagerConfig { name, url, resend_s: 3600 }];
    // A test by hand is an alert of its own.
    let ways = duty.config.ways().unwrap();
    let test = Letter::test(uuid::Uuid::from_u128(1), Clock::real_now());
    ways[0].1.bring(&test, &duty.sender()).await.unwrap();
    duty.stand(3);
    duty.planner().once().await.unwrap().expect("one is due");
    let mut rounds = duty.rounds();
    duty.bring(&mut rounds).await;
    let held = manager.alerts().await;
    let named = |name: &str| held.iter().find(|it| it["labels"]["alertname"] == name).cloned();
    assert!(named("HubTest").is_some());
    let alert = named("HubAlerts").expect("it stands");
    for (pointer, value) in [
        ("/labels/kind", "adapter-silent"),
        ("/labels/province", "22"),
        ("/labels/severity", "critical"),
        ("/annotations/summary", "吉林省 适配器失联 3（新出现）"),
        ("/annotations/runbook_url", "deploy/runbook.md#adapter-silent"),
        ("/generatorURL", "https://hub.test/alerts?kind=adapter-silent&province=22"),
        ("/status/state", "active"),
    ] {
        assert_eq!(alert.pointer(pointer).unwrap(), value, "{pointer}");
    }
    // A hub that was restarted tells again what stands; the same labels are the same alert.
    duty.rounds()[0].once().await.unwrap();
    let again = manager.alerts().await;
    let ours = again.iter().filter(|it| it["labels"]["alertname"] == "HubAlerts");
    assert_eq!(ours.count(), 1);
    duty.stand(0);
    duty.later(700);
    duty.planner().once().await.unwrap().expect("that it is over");
    duty.bring(&mut duty.rounds()).await;
    let gone = tokio::time::timeout(PATIENCE, async {
        while manager.alerts().await.iter().any(|it| it["labels"]["alertname"] == "HubAlerts") {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    gone.await.expect("what is over does not stand there");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_get_mail_in_chinese_from_a_server_that_was_busy_at_first() {
    let Some(server) = MailServer::start("mail", &["--busy", "1"]).await else { return };
    let mut duty = Duty::new().await;
    duty.mail(server.port);
    duty.stand(1);
    let message = duty.planner().once().await.unwrap().expect("one is due");
    duty.bring(&mut duty.rounds()).await;
    let told = server.told();
    assert_eq!(told[0]["busy"], true);
    let mail = &told[1];
    assert_eq!(mail["subject"], "【预警】吉林省 适配器失联 1（新出现） · hub.test/http");
    assert_eq!(mail["subject_is_ascii"], true, "encoded as RFC 2047 has it");
    assert_eq!(mail["id"], format!("<{message}@mail.test>"));
    assert_eq!(mail["auto"], "auto-generated");
    assert_eq!(mail["to"], serde_json::json!(["duty@mail.test", "chief@mail.test"]));
    let body = mail["body"].as_str().unwrap();
    assert!(
        body.contains("吉林省 适配器失联 1（新出现）") && body.contains("Jilin: adapter silent 1")
    );
    assert!(body.contains("https://hub.test/alerts?kind=adapter-silent&province=22"));
    assert_eq!(duty.count(DELIVERED), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn mail_goes_over_tls_and_with_a_password_or_not_at_all() {
    let name = "mail over TLS";
    let keys = tempfile::tempdir().unwrap();
    if let Err(why) = certificate(keys.path()).await {
        return tests::broker::not_run(name, &why);
    }
    let at = |file: &str| keys.path().join(file).to_str().unwrap().to_owned();
    let (certificate, key) = (at("certificate.pem"), at("key.pem"));
    let options = ["--certificate", &certificate, "--key", &key, "--password", "秘-1"];
    let Some(server) = MailServer::start(name, &options).await else { return };
    std::fs::write(at("good"), "秘-1\n").unwrap();
    std::fs::write(at("wrong"), "guess").unwrap();
    let mut duty = Duty::new().await;
    duty.config.attempts_max = 1;
    // Vouched for, password, security: delivered
    let table = [
        (true, "good", Security::Starttls, true),
        (true, "wrong", Security::Starttls, false),
        (false, "good", Security::Starttls, false), // nobody vouches for it
        (true, "good", Security::Tls, false),       // it does not speak TLS from the beginning
    ];
    let test = Letter::test(uuid::Uuid::from_u128(1), Clock::real_now());
    for (vouched, password, security, delivered) in table {
        duty.config.mails.clear();
        let mail = duty.mail(server.port);
        mail.security = security;
        mail.ca_file = vouched.then(|| Path::new(&certificate).to_owned());
        mail.user = Some("hub".into());
        mail.password_file = Some(at(password).into());
        let ways = duty.config.ways().unwrap();
        let answer = ways[0].1.bring(&test, &duty.sender()).await;
        assert_eq!(answer.is_ok(), delivered, "{vouched} {password} {security:?}: {answer:?}");
        assert!(!format!("{answer:?}").contains("秘-1"));
    }
    let told = server.told();
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["tls"], &told[0]["user"]), (&Value::Bool(true), &Value::from("hub")));
    // Told to speak in clear, it says nothing to a server that wants TLS.
    duty.config.mails.clear();
    duty.mail(server.port);
    let ways = duty.config.ways().unwrap();
    assert!(ways[0].1.bring(&test, &duty.sender()).await.is_err());
}

/// The running program: wired, tested by hand, looked at by the doctor, and killed in between.
#[tokio::test(flavor = "multi_thread")]
async fn a_running_hub_tells_of_a_silent_adapter_and_says_the_same_after_it_was_killed() {
    let name = "a running hub tells of a silent adapter";
    let Some(broker) = TestBroker::start(name, VERSIONS[0], &[22]).await else { return };
    let called = Called::start().await;
    let folder = HubFolder::new(&broker.url(), &broker.hub_key);
    std::fs::write(folder.at("duty.secret"), SECRET).unwrap();
    let text = std::fs::read_to_string(folder.at("hub.toml")).unwrap();
    let text = text.replace("[http]", "[http]\npublic_url = \"https://hub.test\"");
    let alerts = format!(
        "\n[alerts]\nadapter_silent_after_s = 1\nwait_s = 0\nretry_ms = [200]\n\
         [[alerts.webhooks]]\nname = \"duty\"\nurl = \"{}\"\nsecret_file = \"duty.secret\"\n",
        called.url
    );
    std::fs::write(folder.at("hub.toml"), format!("{text}{alerts}")).unwrap();
    folder.hub(&["alerts", "test"]).await.with(0);
    let tested = called.calls();
    assert!(tested.len() == 1 && is_signed(&tested[0]));
    let found = folder.hub(&["doctor", "--json"]).await;
    assert!(found.out.contains("webhook-duty can be reached"), "{}", found.out);
    called.answer(500);
    folder.hub(&["alerts", "test"]).await.with(1);
    let before = called.calls().len();
    let serving = folder.serve().await;
    let _ = folder.adapter(&broker.url(), tests::broker::province(22), broker.keys(22));
    folder.hub(&["province", "enroll", "22", &folder.text("request.json")]).await.with(0);
    let called_again = |least: usize| {
        let called = called.clone();
        async move {
            let wait = async {
                while called.calls().len() < least {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            };
            tokio::time::timeout(2 * PATIENCE, wait).await.expect("it is called");
        }
    };
    called_again(before + 1).await;
    // It was called and nobody took it. Killed, started again, and now somebody does.
    drop(serving);
    let down = called.calls().len();
    called.answer(204);
    let mut serving = folder.serve().await;
    called_again(down + 1).await;
    let calls = called.calls();
    let (first, last) = (&calls[before], calls.last().unwrap());
    assert_eq!(first.header("webhook-id"), last.header("webhook-id"));
    assert_eq!(first.body, last.body);
    assert!(String::from_utf8_lossy(&last.body).contains("adapter-silent"));
    assert!(serving.stop().await.success());
}
