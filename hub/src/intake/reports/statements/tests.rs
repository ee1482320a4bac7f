//! What a province may rely on when it states its publicity: once on record, receipted, and nobody else's word.

use events::envelope::Position;
use events::proof::signature::{self, Purpose};
use events::province::{AdapterCertified, ProvinceEvent};
use events::publicity::{Fulfilment, ROWS, Statement, Told};
use events::wire::statement_to_bytes;
use hub_core::province::ProvinceCommand;
use hub_core::province::publicity::STATEMENTS_A_MONTH_MAX;
use jiff::Timestamp;

use super::*;
use crate::intake::reports::tests::Scene;
use crate::intake::reports::{Fate, Message};
use crate::tests::{ORIGIN, province, sign_key};
use crate::views::membership::CertificateRules;

const EARLY: &str = "2026-03-02T00:10:00Z";
const LATE: &str = "2026-03-02T00:20:00Z";

fn statement(posters: u32) -> Statement {
    let mut rows = vec![Fulfilment::default(); ROWS];
    rows[3].second = posters;
    let month = "2026-02".parse().unwrap();
    Statement { month, rows, carriers_told_share: Some(9_550), knowledge_base: true }
}

fn told(code: u8, statement: Statement) -> Told {
    let (origin, adapter) = (ORIGIN.to_owned(), "jilin-adapter/2.3".to_owned());
    Told { origin, province: province(code), adapter, statement }
}

fn signed_by(signer: u8, payload: Vec<u8>, subject: String) -> Message {
    let key_id = format!("{signer}-sign-1");
    let jws = signature::sign(&sign_key(signer), &key_id, Purpose::Report, &payload);
    let mut headers = async_nats::HeaderMap::new();
    headers.insert(subjects::SIGNATURE_HEADER, jws.as_str());
    Message { subject, headers: Some(headers), headers_readable: true, payload: payload.into() }
}

fn subject(code: u8) -> String {
    subjects::report(province(code), subjects::PUBLICITY_TOKEN)
}

fn message(id: u128, at: &str, told: &Told) -> Message {
    let at: Timestamp = at.parse().unwrap();
    signed_by(22, statement_to_bytes(Uuid::from_u128(id), at, told), subject(22))
}

fn posters(id: u128, at: &str, posters: u32) -> Message {
    message(id, at, &told(22, statement(posters)))
}

/// The outcome, and what the province is told of it.
async fn taken(scene: &mut Scene, message: &Message) -> (&'static str, Option<StatementReceipt>) {
    let (settled, mut receipts) = scene.take_all(std::slice::from_ref(message)).await;
    let receipt = receipts.pop().map(|it| match it {
        Receipt::Statement(it) => it,
        Receipt::Report(it) => panic!("nobody reported anything: {it:?}"),
    });
    let wanted = if receipt.is_some() { Fate::Acknowledge } else { Fate::Terminate };
    assert_eq!(settled[0].fate, wanted, "{settled:?}");
    (settled[0].outcome, receipt)
}

fn story(scene: &Scene) -> Vec<Recorded> {
    let all = scene.stage.readers.read(|log| log.read_all(Position(0), 1_000)).unwrap();
    let stated = |it: &Recorded| {
        matches!(it.envelope.event, Event::Province(ProvinceEvent::PublicityStated(_)))
    };
    all.into_iter().filter(stated).collect()
}

#[tokio::test]
async fn a_statement_is_on_record_with_its_evidence_before_its_receipt() {
    let mut scene = Scene::new().await;
    let sent = posters(7, EARLY, 350);
    let (outcome, receipt) = taken(&mut scene, &sent).await;
    let recorded = story(&scene).pop().unwrap();
    let envelope = &recorded.envelope;
    let receipt = receipt.unwrap();
    assert_eq!(outcome, "statement");
    assert_eq!((receipt.position, receipt.hash), (Some(recorded.position.0), Some(recorded.hash)));
    assert_eq!((receipt.statement, receipt.refused), (Uuid::from_u128(7), None));
    assert_eq!(envelope.actor, Actor::Province(province(22)));
    assert_eq!(envelope.caused_by, Some(Uuid::from_u128(7)));
    assert_eq!(envelope.evidence.as_ref().unwrap().bytes, sent.payload);
    let Event::Province(ProvinceEvent::PublicityStated(it)) = &envelope.event else { panic!() };
    let at = EARLY.parse().unwrap();
    assert_eq!((it.by.as_str(), &it.statement), ("jilin-adapter/2.3", &statement(350)));
    assert_eq!(it.sent, Some(Sent { stated_at: at, message: Uuid::from_u128(7) }));
}

#[tokio::test]
async fn copies_in_any_order_change_nothing_and_a_correction_counts() {
    let mut scene = Scene::new().await;
    let (one, two) = (posters(1, EARLY, 350), posters(2, LATE, 400));
    let first = taken(&mut scene, &one).await.1;
    assert_eq!(taken(&mut scene, &one).await, ("statement-known", first.clone()));
    let second = taken(&mut scene, &two).await.1;
    assert_ne!(first, second);
    // The older one again: it is on record, and the newer one goes on counting.
    assert_eq!(taken(&mut scene, &one).await, ("statement-known", first));
    assert_eq!(taken(&mut scene, &two).await, ("statement-known", second));
    // The same content under a new id has no place of its own.
    let same = taken(&mut scene, &posters(3, "2026-03-02T00:30:00Z", 400)).await;
    assert_eq!(same, ("statement-known", Some(nothing(Uuid::from_u128(3)))));
    // One that was made before, and that nobody has seen yet.
    let (outcome, receipt) = taken(&mut scene, &posters(4, EARLY, 90)).await;
    assert_eq!(outcome, "statement-superseded");
    assert_eq!(receipt.unwrap().refused.as_deref(), Some("statement-superseded"));
    assert_eq!(story(&scene).len(), 2);
    assert!(scene.strays().is_empty(), "late is not wrong");
}

#[tokio::test]
async fn what_the_rules_refuse_is_kept_sealed_and_told_by_name() {
    let mut scene = Scene::new().await;
    let with = |change: &dyn Fn(&mut Statement)| {
        let mut statement = statement(1);
        change(&mut statement);
        told(22, statement)
    };
    let before = scene.stage.events_count();
    let bad = [
        (with(&|it| it.rows.truncate(7)), EARLY, "out-of-bounds"),
        (with(&|it| it.month = "2026-04".parse().unwrap()), EARLY, "out-of-bounds"),
        (with(&|it| it.month = "2025-02".parse().unwrap()), EARLY, "out-of-bounds"),
        (with(&|it| it.rows[0].text = "x".repeat(501)), EARLY, "out-of-bounds"),
        (with(&|_| ()), "2026-03-02T01:11:00Z", "impossible-moment"),
        (
            with(&|it| it.rows[0].text = "司机 11010519491231002X".to_owned()),
            EARLY,
            "identity-number-in-clear",
        ),
    ];
    for (nth, (told, at, code)) in bad.iter().enumerate() {
        let (outcome, receipt) = taken(&mut scene, &message(nth as u128, at, told)).await;
        assert_eq!((outcome, receipt.unwrap().refused.as_deref()), (*code, Some(*code)));
    }
    assert_eq!(scene.stage.events_count(), before);
    let kept: u64 = scene.strays().iter().map(|it| it.2).sum();
    assert_eq!(kept, bad.len() as u64);
}

#[tokio::test]
async fn nobody_states_for_another_province_and_nothing_unsigned_is_believed() {
    let mut scene = Scene::new().await;
    let before = scene.stage.events_count();
    let good = statement_to_bytes(Uuid::nil(), EARLY.parse().unwrap(), &told(22, statement(1)));
    let theirs = statement_to_bytes(Uuid::nil(), EARLY.parse().unwrap(), &told(23, statement(1)));
    let mut elsewhere = told(22, statement(1));
    elsewhere.origin = "hub.test/other".to_owned();
    let unsigned = Message { headers: None, ..posters(1, EARLY, 1) };
    let mut changed = posters(1, EARLY, 1);
    changed.payload = good.clone().into();
    let mut large = good.clone();
    large.resize(subjects::PAYLOAD_BYTES_MAX + 1, b' ');
    for (bad, code) in [
        (signed_by(22, theirs, subject(22)), "other-province"),
        (signed_by(23, good.clone(), subject(22)), "unknown-key"),
        (signed_by(22, good.clone(), subject(23)), "wrong-subject"),
        (signed_by(22, b"{}".to_vec(), subject(22)), "unreadable"),
        (signed_by(22, large, subject(22)), "too-large"),
        (message(1, EARLY, &elsewhere), "other-origin"),
        (unsigned, "no-signature"),
        (changed, "wrong-signature"),
    ] {
        assert_eq!(taken(&mut scene, &bad).await, (code, None));
    }
    assert_eq!(scene.stage.events_count(), before);
    let kept: u64 = scene.strays().iter().map(|it| it.2).sum();
    assert_eq!(kept, 8);
}

#[tokio::test]
async fn a_program_that_corrects_without_end_meets_a_bound_and_the_form_too() {
    let mut scene = Scene::new().await;
    for nth in 0..STATEMENTS_A_MONTH_MAX {
        let statement =
            PublicityStated { by: "clerk".into(), statement: statement(nth), sent: None };
        scene.stage.tell_province(22, ProvinceCommand::StatePublicity(statement)).await;
    }
    let (outcome, receipt) = taken(&mut scene, &posters(1, EARLY, 999)).await;
    assert_eq!(outcome, "too-many-statements");
    assert!(receipt.unwrap().refused.is_some());
}

#[tokio::test]
async fn an_adapter_that_must_be_certified_and_is_not_gets_no_receipt_and_loses_nothing() {
    let mut scene = Scene::new().await;
    let rules = CertificateRules { required: true, ..CertificateRules::default() };
    scene.stage.membership.demand_certificates(rules);
    let before = scene.stage.events_count();
    let sent = posters(1, EARLY, 350);
    assert_eq!(taken(&mut scene, &sent).await, (ADAPTER_NOT_CERTIFIED, None));
    assert_eq!(scene.stage.events_count(), before);
    assert!(scene.strays().is_empty(), "it comes again by itself");
    let certified = AdapterCertified {
        adapter_version: "jilin-adapter/2.3".to_owned(),
        kit_version: "1".to_owned(),
        result_digest: "00".repeat(32),
        expires_at: "2027-01-01T00:00:00Z".parse().unwrap(),
    };
    scene.stage.tell_province(22, ProvinceCommand::Certify(certified)).await;
    assert_eq!(taken(&mut scene, &sent).await.0, "statement");
}
