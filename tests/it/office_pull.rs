//! The example offices in Python and Java, each beside a real sidecar, broker and hub.

use std::time::Duration;

use serde_json::{Value, json};
use tests::http::submission;
use tests::office::{Language, Province};
use tests::program::STOP_MAX;

const PULL: &str = "[pull]\nlisten = \"127.0.0.1:0\"\naddress_file = \"office.address\"\ntoken_file = \"office.token\"\n";

fn renewal(nth: u32) -> Value {
    let mut body = submission(nth);
    body["submitted_at"] = json!("2026-12-30T09:00:00+08:00");
    body
}

fn id(receipt: &Value) -> &str {
    receipt["case_id"].as_str().expect("a case id")
}

fn answers(story: &[String]) -> Vec<&str> {
    let by_hub = ["submitted", "routed", "forwarded", "delivered", "result-fed-back"];
    story.iter().map(String::as_str).filter(|it| !by_hub.contains(it)).collect()
}

/// What an office does with its work, and that it goes on where it was, killed or without its adapter.
async fn lives(language: Language) {
    let test = format!("the office in {language:?}");
    if !language.at_hand(&test).await {
        return;
    }
    let Some(mut province) = Province::start(&test, "pull", PULL).await else { return };
    let mut office = province.office(language, &["--pace-ms", "300"]).await;
    let approved = ["accepted", "completed", "certificate-issued"];

    let plain = province.hub.submit_body("submission-plain", &renewal(1)).await;
    let mut without_photo = renewal(2);
    without_photo["materials"] = json!([]);
    let corrected = province.hub.submit_body("submission-without-photo", &without_photo).await;
    let mut of_shandong = renewal(3);
    of_shandong["applicant"]["certificate_number"] = json!("3701000012345678");
    let declined = province.hub.submit_body("submission-declined", &of_shandong).await;
    let story = province.story(id(&plain), "certificate-issued").await;
    assert_eq!(answers(&story), approved, "{}", province.logs());
    let story = province.story(id(&declined), "declined").await;
    assert_eq!(answers(&story), ["declined"]);
    province.story(id(&corrected), "correction-requested").await;

    // The office dies while a correction is on its way and one case is half done.
    let half = province.hub.submit_body("submission-half", &renewal(4)).await;
    province.story(id(&half), "accepted").await;
    office.kill().await.unwrap();
    let correction = json!({
        "submitted_at": "2026-12-30T09:31:00+08:00",
        "materials": [{"kind": "photo", "reference": "f-90"}],
    });
    let path = format!("/v1/cases/{}/correction", id(&corrected));
    let (status, told) = province.hub.post(&path, "correction-1", &correction).await;
    assert!(status < 300, "{told}");
    let mut office = province.office(language, &["--pace-ms", "300"]).await;
    let story = province.story(id(&half), "certificate-issued").await;
    assert_eq!(answers(&story), approved);
    let story = province.story(id(&corrected), "certificate-issued").await;
    let expected = [
        "correction-requested",
        "correction-submitted",
        "accepted",
        "completed",
        "certificate-issued",
    ];
    assert_eq!(answers(&story), expected, "{}", province.logs());

    // The adapter dies under the office; the port is another one afterwards, as nobody promised it.
    province.kill_adapter().await;
    let late = province.hub.submit_body("submission-late", &renewal(5)).await;
    province.serve();
    office.kill().await.unwrap();
    let _office = province.office(language, &["--pace-ms", "0"]).await;
    let story = province.story(id(&late), "certificate-issued").await;
    assert_eq!(answers(&story), approved, "{}", province.logs());
    let refused = province.logs().lines().filter(|it| it.contains("refused:")).count();
    assert_eq!(refused, 0, "{}", province.logs());
    assert!(tokio::time::timeout(STOP_MAX, province.hub.stop()).await.unwrap().success());
    province.folder.hub(&["verify"]).await.with(0);
}

#[tokio::test]
async fn the_office_in_python_accepts_corrects_declines_and_survives() {
    lives(Language::Python).await;
}

#[tokio::test]
async fn the_office_in_java_accepts_corrects_declines_and_survives() {
    lives(Language::Java).await;
}

#[tokio::test]
async fn an_obedient_office_serves_no_real_hub() {
    for language in [Language::Python, Language::Java] {
        let test = format!("the obedient office in {language:?}");
        if !language.at_hand(&test).await {
            continue;
        }
        let Some(province) = Province::start(&test, "pull", PULL).await else { return };
        let mut office = province.office(language, &["--obedient"]).await;
        let ended = tokio::time::timeout(Duration::from_secs(60), office.wait()).await;
        assert_eq!(ended.unwrap().unwrap().code(), Some(1), "{}", province.logs());
        assert!(province.logs().contains("serves a sandbox only"));
    }
}
