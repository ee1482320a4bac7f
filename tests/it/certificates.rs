//! A hub that demands certificates: who has none is held back by name, and nothing of it is lost.

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use events::certificate::{Certificate, SignedCertificate};
use events::province::AdapterCertified;
use hub::registrar::What;
use hub::views::membership::CertificateRules;
use hub_core::province::ProvinceCommand;
use province_adapter::outbox::ADAPTER_VERSION;
use serde_json::{Value, json};
use tests::broker::{TestBroker, VERSIONS, province, wait_for};
use tests::http::HttpHub;
use tests::journey::Journey;

fn rules(required: bool) -> CertificateRules {
    let trusted = BTreeMap::from([("centre-1".to_owned(), centre().verifying_key())]);
    CertificateRules { trusted, required }
}

fn centre() -> SigningKey {
    SigningKey::from_bytes(&[5; 32])
}

fn certificate(adapter: &str, code: u8, expires_at: &str) -> Certificate {
    Certificate {
        v: 1,
        kit_version: "conformance-kit/0.1.0".into(),
        adapter_version: adapter.into(),
        province: province(code),
        environment: "sandbox.kit/1".into(),
        result_digest: "0".repeat(64),
        issued_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        expires_at: expires_at.parse().unwrap(),
        self_tested: false,
    }
}

fn signed(certificate: Certificate, by: Option<&str>) -> Value {
    let centre = centre();
    json!(SignedCertificate::write(certificate, by.map(|it| (&centre, it))))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_a_trusted_test_centre_is_recorded_and_any_other_is_refused_by_name() {
    let hub = HttpHub::start().await;
    hub.membership.demand_certificates(rules(true));
    let keys = json!({"sign": {"key_id": "s1", "public_key": "AA"},
        "seal": {"key_id": "e1", "public_key": "AA"}, "connect": {"key_id": "c1", "public_key": "U"}});
    let enroll = hub.ask("POST", "/v1/admin/provinces/22/enroll", "keeper").json(&keys);
    assert_eq!(enroll.send().await.unwrap().status(), 201);
    let held_back = |it: &Value| {
        it["provinces"].as_array().unwrap().iter().find(|it| it["code"] == "22").unwrap()["held_back"].clone()
    };
    hub.wait_for("/v1/provinces", "keeper", |it| held_back(it) == "adapter-not-certified").await;
    let (good, year) = ("jilin-adapter/2.3", "2027-01-01T00:00:00Z");
    let mut changed = signed(certificate(good, 22, year), Some("centre-1"));
    changed["certificate"] =
        changed["certificate"].as_str().unwrap().replace("2027", "2037").into();
    let table = [
        (signed(certificate(good, 22, year), None), 403, "certificate-self-tested"),
        (signed(certificate(good, 22, year), Some("me")), 403, "certificate-untrusted-key"),
        (changed, 403, "certificate-wrong-signature"),
        (signed(certificate(good, 23, year), Some("centre-1")), 409, "certificate-other-province"),
        (
            signed(certificate(good, 22, "2026-02-01T00:00:00Z"), Some("centre-1")),
            409,
            "certificate-expired",
        ),
        (json!({"certificate": "{}"}), 400, "certificate-unreadable"),
        (signed(certificate(good, 22, year), Some("centre-1")), 201, ""),
        (signed(certificate(good, 22, year), Some("centre-1")), 200, ""),
    ];
    for (body, status, code) in table {
        let path = "/v1/admin/provinces/22/certify";
        let answer = hub.ask("POST", path, "keeper").json(&body).send().await.unwrap();
        assert_eq!(answer.status(), status, "{code}");
        let told: Value = answer.json().await.unwrap();
        if status >= 400 {
            assert!(told["type"].as_str().unwrap().ends_with(code), "{told}");
        } else if status == 201 {
            assert_eq!(told["events"][0]["type"], "province.adapter-certified.v1");
        }
    }
    hub.wait_for("/v1/provinces", "keeper", |it| held_back(it).is_null()).await;
}

async fn certify(journey: &Journey, code: u8, adapter: &str) {
    let certified = AdapterCertified {
        adapter_version: adapter.to_owned(),
        kit_version: "conformance-kit/0.1.0".into(),
        result_digest: "0".repeat(64),
        expires_at: "2126-01-01T00:00:00Z".parse().unwrap(),
    };
    let command = ProvinceCommand::Certify(certified);
    journey.tell(What::Province { province: province(code), command }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_an_uncertified_adapter_has_and_says_waits_until_it_is_certified() {
    let Some(broker) = TestBroker::start("certificates", VERSIONS[0], &[22, 23]).await else {
        return;
    };
    let mut journey = Journey::start(broker).await;
    journey.membership.demand_certificates(rules(true));
    certify(&journey, 23, ADAPTER_VERSION).await;
    journey.adapter(22);
    journey.adapter(23);
    let waits = journey.submit(22).await;
    // Another province's later case goes all the way: the router has looked at this one and left it.
    let passes = journey.submit(23).await;
    journey.until("23 completes", || journey.completed(&[passes]) == 1).await;
    assert!(!journey.story(waits).contains(&"case.forwarded.v1"), "nothing goes to 22");
    // With a certificate of another version work goes out, and the reports are left with the adapter.
    certify(&journey, 22, "another-adapter/9").await;
    journey.until("forwarded", || journey.story(waits).contains(&"case.forwarded.v1")).await;
    reports_were_taken_from(&journey, 22).await;
    assert!(!journey.story(waits).contains(&"case.delivered.v1"), "no report is recorded");
    assert_eq!(journey.strays(), 0, "nothing is quarantined: the adapter still has it");
    // Certified, everything that waited comes in by itself, once.
    certify(&journey, 22, ADAPTER_VERSION).await;
    journey.until("22 completes", || journey.completed(&[waits]) == 1).await;
    let story = journey.story(waits);
    for kind in ["case.delivered.v1", "case.accepted.v1", "case.completed.v1"] {
        assert_eq!(story.iter().filter(|it| **it == kind).count(), 1, "{kind} in {story:?}");
    }
}

/// Until the broker has had a report of `code` and has nothing of it left: the hub looked at it.
async fn reports_were_taken_from(journey: &Journey, code: u8) {
    let name = events::subjects::report_stream(province(code));
    wait_for("reports that were looked at", async || {
        let stream = journey.connection.jetstream.get_stream(&name).await.ok()?;
        let state = &stream.cached_info().state;
        (state.last_sequence > 0 && state.messages == 0).then_some(())
    })
    .await;
}
