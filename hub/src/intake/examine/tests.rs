//! Every way in which a message is not a report of its province, by name. None of them is a panic.

use std::collections::BTreeSet;

use ed25519_dalek::SigningKey;
use events::envelope::{Actor, Envelope, Event, Position, Recorded, Version};
use events::ids::{CaseId, EventId, ReportId, RequestId, StreamName};
use events::proof::Hash;
use events::province::{KeyRegistered, KeyRevoked, ProvinceEnrolled, ProvinceEvent};
use events::report::Report;
use events::wire::report_to_bytes;
use jiff::Timestamp;

use super::*;

const ORIGIN: &str = "hub.test/log";

fn province(code: u8) -> ProvinceCode {
    ProvinceCode::new(code).unwrap()
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn uuid(nth: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(nth)
}

fn registered(key_id: &str, purpose: KeyPurpose, algorithm: &str, public: String) -> ProvinceEvent {
    KeyRegistered {
        key_id: key_id.into(),
        purpose,
        algorithm: algorithm.into(),
        public_key: public,
    }
    .into()
}

/// Province 22 with keys of every sort, and province 23 with one.
fn membership() -> Membership {
    let membership = Membership::default();
    let text = |seed| signature::public_key_text(&key(seed).verifying_key());
    let sign = |id, seed| registered(id, KeyPurpose::Sign, "ed25519", text(seed));
    for (code, event) in [
        (22, ProvinceEnrolled { operator: "o".into() }.into()),
        (22, sign("22-sign-1", 1)),
        (22, sign("22-old", 2)),
        (22, KeyRevoked { key_id: "22-old".into(), reason: "r".into() }.into()),
        (22, registered("22-seal", KeyPurpose::Seal, "x25519", text(3))),
        (22, registered("22-sm2", KeyPurpose::Sign, "sm2", text(4))),
        (22, registered("22-weak", KeyPurpose::Sign, "ed25519", "A".repeat(43))),
        (23, ProvinceEnrolled { operator: "o".into() }.into()),
        (23, sign("23-sign-1", 5)),
    ] {
        membership.apply(&recorded(province(code), event));
    }
    membership
}

fn recorded(code: ProvinceCode, event: ProvinceEvent) -> Recorded {
    Recorded {
        position: Position(1),
        version: Version(1),
        recorded_at: Timestamp::UNIX_EPOCH,
        epoch: 1,
        previous: Hash::ZERO,
        hash: Hash::ZERO,
        body: vec![],
        envelope: Envelope {
            id: EventId(uuid(1)),
            stream: StreamName::Province(code),
            occurred_at: Timestamp::UNIX_EPOCH,
            actor: Actor::Hub,
            caused_by: None,
            event: Event::Province(event),
            sealed: None,
            evidence: None,
        },
    }
}

fn accepted() -> ReportMessage {
    ReportMessage {
        id: ReportId(uuid(7)),
        occurred_at: "2026-03-02T01:00:00Z".parse().unwrap(),
        report: Report {
            origin: ORIGIN.into(),
            province: province(22),
            case: CaseId(uuid(8)),
            request: RequestId(uuid(9)),
            digest: Hash([1; 32]),
            number: 2,
            adapter: "1.0.0".into(),
            news: News::Accepted { acceptance_number: "受-7".into() },
            sealed_text: None,
        },
    }
}

/// A message, all of it changeable.
struct Told {
    subject: String,
    signatures: Vec<String>,
    others: Vec<(&'static str, &'static str)>,
    payload: Vec<u8>,
}

impl Told {
    fn new(payload: Vec<u8>) -> Self {
        let signature = signature::sign(&key(1), "22-sign-1", Purpose::Report, &payload);
        let subject = "hub.v1.report.22.accepted".into();
        Self { subject, signatures: vec![signature], others: vec![], payload }
    }
    fn of(change: impl FnOnce(&mut ReportMessage)) -> Self {
        let mut message = accepted();
        change(&mut message);
        Self::new(report_to_bytes(&message))
    }
    fn signed_by(mut self, seed: u8, key_id: &str, purpose: Purpose) -> Self {
        self.signatures = vec![signature::sign(&key(seed), key_id, purpose, &self.payload)];
        self
    }
    fn on(mut self, subject: &str) -> Self {
        self.subject = subject.into();
        self
    }
    fn with_signatures(mut self, signatures: Vec<String>) -> Self {
        self.signatures = signatures;
        self
    }
    fn with_payload(mut self, payload: &[u8]) -> Self {
        self.payload = payload.to_vec();
        self
    }
    fn verdict(&self) -> Result<Examined, Fault> {
        let mut headers = HeaderMap::new();
        self.signatures.iter().for_each(|it| headers.append("Signature", it.as_str()));
        self.others.iter().for_each(|it| headers.append(it.0, it.1));
        let incoming = Incoming {
            subject: &self.subject,
            headers: (!headers.is_empty()).then_some(&headers),
            payload: &self.payload,
        };
        examine(incoming, province(22), ORIGIN, &membership())
    }
}

fn as_text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn rewritten(from: &str, to: &str) -> Told {
    let text = as_text(&report_to_bytes(&accepted()));
    assert!(text.contains(from), "{from} is not in the message");
    Told::new(text.replace(from, to).into_bytes())
}

#[test]
fn a_report_that_its_province_signed_is_taken_with_its_exact_bytes() {
    let told = Told::of(|_| {});
    let examined = told.verdict().unwrap();
    assert_eq!(examined.message, accepted());
    assert_eq!(examined.evidence.bytes, told.payload);
    assert_eq!(examined.evidence.signature, told.signatures[0]);
}

#[test]
fn forged_and_countless_headers_change_nothing() {
    let mut told = Told::of(|_| {});
    told.others = vec![
        ("Nats-Msg-Id", "forged"),
        ("Nats-Stream", "REPORT_23"),
        ("Nats-Subject", "hub.v1.report.23.accepted"),
        ("signature", "another spelling is another header"),
        ("Status", "503"),
    ];
    told.others.extend(std::iter::repeat_n(("X-Many", "1"), 1_000));
    assert!(told.verdict().is_ok());
}

fn wrong_algorithm(told: &Told) -> Vec<String> {
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let header = base64.encode(br#"{"alg":"none","kid":"22-sign-1","typ":"hub-report+ce"}"#);
    vec![told.signatures[0].replace(told.signatures[0].split("..").next().unwrap(), &header)]
}

fn faults() -> Vec<(&'static str, Told, Fault)> {
    use Fault::*;
    let good = || Told::of(|_| {});
    let signature = good().signatures[0].clone();
    let mut flipped = good().payload;
    let last = flipped.len() - 10;
    flipped[last] ^= 1;
    let (none, weak) = (wrong_algorithm(&good()), "22-weak");
    vec![
        (
            "empty payload and no header",
            good().with_signatures(vec![]).with_payload(b""),
            NoSignature,
        ),
        ("empty payload, signed", Told::new(vec![]), Unreadable),
        (
            "a stored PubAck",
            good().with_signatures(vec![]).with_payload(br#"{"stream":"REPORT_22","seq":1}"#),
            NoSignature,
        ),
        (
            "a stored acknowledgement",
            good().with_signatures(vec![]).with_payload(b"+ACK"),
            NoSignature,
        ),
        ("just above the limit", Told::new(vec![b' '; subjects::PAYLOAD_BYTES_MAX + 1]), TooLarge),
        ("just at the limit", Told::new(vec![b' '; subjects::PAYLOAD_BYTES_MAX]), Unreadable),
        (
            "a sealed text above 8 KiB",
            Told::of(|it| it.report.sealed_text = Some("A".repeat(12_000))),
            TooLarge,
        ),
        ("no signature", good().with_signatures(vec![]), NoSignature),
        (
            "the same signature twice",
            good().with_signatures(vec![signature.clone(), signature.clone()]),
            SeveralSignatures,
        ),
        (
            "a hundred signatures",
            good().with_signatures(vec![signature.clone(); 100]),
            SeveralSignatures,
        ),
        ("an empty signature", good().with_signatures(vec![String::new()]), MalformedSignature),
        (
            "bad base64",
            good().with_signatures(vec![signature.replace("..", "..%")]),
            MalformedSignature,
        ),
        (
            "an endless signature",
            good().with_signatures(vec![signature.repeat(9)]),
            MalformedSignature,
        ),
        ("an unknown key", good().signed_by(1, "22-sign-2", Purpose::Report), UnknownKey),
        ("another province's key", good().signed_by(5, "23-sign-1", Purpose::Report), UnknownKey),
        (
            "another province under our key's name",
            good().signed_by(5, "22-sign-1", Purpose::Report),
            WrongSignature,
        ),
        ("a revoked key", good().signed_by(2, "22-old", Purpose::Report), RevokedKey),
        ("a key for sealing", good().signed_by(3, "22-seal", Purpose::Report), WrongPurpose),
        (
            "a key of another algorithm",
            good().signed_by(4, "22-sm2", Purpose::Report),
            WrongAlgorithm,
        ),
        ("a small-order point as key", good().signed_by(1, weak, Purpose::Report), UnusableKey),
        ("no algorithm at all", good().with_signatures(none), WrongAlgorithm),
        (
            "a signature over work",
            good().signed_by(1, "22-sign-1", Purpose::ToProvince),
            WrongPurpose,
        ),
        ("one changed bit", good().with_payload(&flipped), WrongSignature),
        ("another province's subject", good().on("hub.v1.report.23.accepted"), WrongSubject),
        ("another kind's subject", good().on("hub.v1.report.22.completed"), WrongSubject),
        ("a subject outside the stream", good().on("_INBOX.x"), WrongSubject),
        ("a longer subject", good().on("hub.v1.report.22.accepted.x"), WrongSubject),
        ("not JSON", Told::new(b"hello".to_vec()), Unreadable),
        ("not UTF-8", Told::new(vec![0xff; 64]), Unreadable),
        ("JSON, but no envelope", Told::new(b"[]".to_vec()), Unreadable),
        ("two documents", rewritten("\"data\":{", "\"id\":1,\"data\":{"), Unreadable),
        ("a deep nest", Told::new("[".repeat(20_000).into_bytes()), Unreadable),
        (
            "a number beyond 2^64",
            rewritten("\"number\":2", "\"number\":18446744073709551616"),
            Unreadable,
        ),
        ("a negative number", rewritten("\"number\":2", "\"number\":-1"), Unreadable),
        (
            "an unknown province",
            rewritten("\"province\":\"22\"", "\"province\":\"99\""),
            Unreadable,
        ),
        ("a schema version of the future", rewritten("accepted.v1", "accepted.v999"), UnknownKind),
        ("an unknown kind", rewritten("report.accepted.v1", "report.blessed.v1"), UnknownKind),
        (
            "another type than its news",
            rewritten("report.accepted.v1", "report.declined.v1"),
            Contradiction,
        ),
        (
            "another version of CloudEvents",
            rewritten("\"specversion\":\"1.0\"", "\"specversion\":\"0.3\""),
            Contradiction,
        ),
        ("another source than its data", rewritten("province:22", "province:23"), Contradiction),
        ("another case than its data", rewritten("case-00000000", "case-10000000"), Contradiction),
        (
            "in the name of another province",
            Told::of(|it| it.report.province = province(23)),
            OtherProvince,
        ),
        (
            "for another log",
            Told::of(|it| it.report.origin = "hub.rehearsal/log".into()),
            OtherOrigin,
        ),
    ]
}

#[test]
fn whatever_is_not_a_report_of_its_province_is_named() {
    for (what, told, fault) in faults() {
        assert_eq!(told.verdict().map(|it| it.message.id), Err(fault), "{what}");
    }
}

#[test]
fn every_fault_has_a_case_above_and_a_code_of_its_own() {
    let met: BTreeSet<Fault> = faults().iter().map(|it| it.2).collect();
    assert_eq!(met.len(), Fault::ALL.len(), "met only {met:?}");
    let codes: BTreeSet<_> = Fault::ALL.iter().map(|it| it.code()).collect();
    assert_eq!(codes.len(), Fault::ALL.len());
}

#[test]
fn every_fault_has_its_paragraph_and_every_paragraph_its_fault() {
    let page = include_str!("../../../../schemas/refusals-reports.md");
    let section = page.split("### Kept as strays, with a receipt").next().unwrap();
    let told: BTreeSet<&str> =
        section.lines().filter_map(|it| it.strip_prefix("- `")?.split('`').next()).collect();
    // Met before a message can be examined at all (`by_hand.rs`).
    let before = ["unreadable-headers"];
    let codes: BTreeSet<&str> = Fault::ALL.iter().map(|it| it.code()).chain(before).collect();
    assert_eq!(told, codes);
}
