//! The rows of the threat table that concern a province, and the test that shows each. A row whose test is
//! renamed or taken out turns this red; what the rows still lacked is tested here.

use std::path::Path;

use async_nats::{HeaderMap, jetstream};
use events::subjects;
use tests::broker::{TestBroker, VERSIONS};
use tests::http::{HttpHub, submission};
use tests::journey::Journey;

/// Requests that an eavesdropper sends once more.
const REPLAYS: usize = 1_000;

/// Row, what is tried, file, test.
const THREATS: &[(u32, &str, &str, &str)] = &[
    (
        1,
        "speak for another",
        "tests/it/attacks.rs",
        "everything_that_is_not_a_provinces_own_is_refused",
    ),
    (
        1,
        "sign for another",
        "hub/src/intake/examine/tests.rs",
        "whatever_is_not_a_report_of_its_province_is_named",
    ),
    (
        2,
        "the broker as deputy",
        "tests/it/attacks.rs",
        "no_reply_subject_leaves_the_account_of_its_province",
    ),
    (3, "claim a message id", "tests/it/attacks.rs", "a_message_id_claimed_first_silences_nobody"),
    (
        4,
        "the broker edits reports",
        "tests/it/threats.rs",
        "a_broker_that_edits_or_invents_changes_nothing",
    ),
    (
        4,
        "the broker edits work",
        "province-adapter/src/tests/trust.rs",
        "what_is_not_believed_is_refused_by_name_and_kept",
    ),
    (
        5,
        "the broker reads",
        "tests/it/canary.rs",
        "nobody_finds_the_person_in_any_file_log_line_or_metric",
    ),
    (
        6,
        "replay old decisions",
        "tests/it/travel.rs",
        "fifty_cases_travel_and_every_old_report_again_changes_nothing",
    ),
    (
        7,
        "from test to production",
        "hub/src/intake/examine/tests.rs",
        "whatever_is_not_a_report_of_its_province_is_named",
    ),
    (
        7,
        "keys from test to production",
        "events/src/enrolment/tests.rs",
        "a_rotation_needs_a_key_that_counts_and_the_new_one",
    ),
    (
        8,
        "two decisions",
        "hub/core/tests/laws.rs",
        "every_history_keeps_the_laws_and_together_they_visit_every_event",
    ),
    (
        15,
        "a stolen key",
        "tests/it/enrolment.rs",
        "a_revoked_key_is_cut_off_at_the_broker_and_at_the_intake_within_a_minute",
    ),
    (
        16,
        "a stolen token",
        "tests/it/http.rs",
        "nobody_sees_or_changes_more_than_their_role_allows",
    ),
    (
        17,
        "replay at the door",
        "tests/it/threats.rs",
        "a_thousand_replays_of_one_request_are_one_case",
    ),
    (
        18,
        "one signature for another kind",
        "events/src/proof/signature.rs",
        "no_signature_counts_for_another_kind_of_document",
    ),
    (
        19,
        "swap the algorithm",
        "events/src/proof/signature.rs",
        "another_algorithm_in_the_header_is_refused",
    ),
    (20, "flood", "tests/it/attacks.rs", "a_flood_fills_only_the_floods_own_stream"),
    (
        21,
        "poison",
        "tests/it/travel.rs",
        "what_nobody_signed_is_kept_by_name_and_an_honest_report_behind_it_is_taken",
    ),
    (
        22,
        "a JSON bomb at the door",
        "hub/src/strict_json.rs",
        "what_two_readers_could_read_differently_is_refused",
    ),
    (
        22,
        "a JSON bomb at the adapter",
        "province-adapter/src/tests/trust.rs",
        "what_is_not_believed_is_refused_by_name_and_kept",
    ),
];

#[test]
fn every_row_of_the_threat_table_has_its_test() {
    let project = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    for (row, what, file, test) in THREATS {
        let text = std::fs::read_to_string(project.join(file)).expect(file);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let begins =
            |line: &&str| line.trim_start_matches("async ").starts_with(&format!("fn {test}("));
        let at = lines.iter().position(begins);
        let at = at.unwrap_or_else(|| panic!("row {row}, {what}: no `{test}` in {file}"));
        assert!(
            lines[at - 1].starts_with("#[") && lines[at - 1].contains("test"),
            "row {row}: `{test}` is no test"
        );
    }
    let rows: std::collections::BTreeSet<u32> = THREATS.iter().map(|it| it.0).collect();
    assert_eq!(rows, (1..=8).chain(15..=22).collect());
}

/// Whoever runs the broker can store what they like under any subject, but cannot sign.
#[tokio::test]
async fn a_broker_that_edits_or_invents_changes_nothing() {
    let Some(broker) = TestBroker::start("tampering", VERSIONS[0], &[22]).await else { return };
    let mut journey = Journey::start(broker).await;
    journey.adapter(22);
    let mut cases = Vec::new();
    for _ in 0..3 {
        cases.push(journey.submit(22).await);
    }
    journey.until("all are completed", || journey.completed(&cases) == cases.len()).await;
    journey.drained(22).await;
    let (head, strays) = (journey.head(), journey.strays());
    let broker = jetstream::new(journey.broker.client(22).await);
    let reports = journey.reports(&cases);
    let mut sent = 0;
    for (nth, (subject, evidence)) in reports.iter().enumerate() {
        let other = &reports[(nth + 1) % reports.len()].1;
        for at in (0..evidence.bytes.len()).step_by(evidence.bytes.len() / 8) {
            let mut edited = evidence.bytes.clone();
            edited[at] ^= 1;
            store(&broker, subject, edited, Some(&evidence.signature)).await;
            sent += 1;
        }
        store(&broker, subject, evidence.bytes.clone(), Some(&other.signature)).await;
        store(&broker, subject, evidence.bytes.clone(), None).await;
        sent += 2;
    }
    journey.until("each is kept as a stray", || journey.strays() == strays + sent).await;
    assert_eq!(journey.head(), head, "nothing was recorded");
}

async fn store(broker: &jetstream::Context, subject: &str, bytes: Vec<u8>, jws: Option<&str>) {
    let mut headers = HeaderMap::new();
    if let Some(jws) = jws {
        headers.insert(subjects::SIGNATURE_HEADER, jws);
    }
    let sent = broker.publish_with_headers(subject.to_owned(), headers, bytes.into()).await;
    sent.expect("it is sent").await.expect("the broker stores what it is given");
}

#[tokio::test]
async fn a_thousand_replays_of_one_request_are_one_case() {
    let hub = HttpHub::start().await;
    let body = submission(1).to_string();
    let first = hub.submit("key-00001", body.clone()).send().await.unwrap();
    assert_eq!(first.status(), 201);
    let receipt = first.bytes().await.unwrap();
    let head = || hub.readers.read(|log| log.head()).unwrap();
    let recorded = head();
    for _ in 0..REPLAYS {
        let again = hub.submit("key-00001", body.clone()).send().await.unwrap();
        assert_eq!((again.status().as_u16(), again.bytes().await.unwrap()), (200, receipt.clone()));
    }
    assert_eq!(head(), recorded);
}
