//! Writes the contract's test vectors: exact bytes, keys and signatures that an adapter in any language
//! can check itself against, before it has met a hub.
//!
//! `cargo run -p events --example vectors -- schemas/v1/vectors` writes the files anew; a test compares them.

mod specimens;

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64};
use ed25519_dalek::SigningKey;
use events::case::CaseDelivered;
use events::envelope::{Actor, Envelope, Event};
use events::ids::{EventId, StreamName};
use events::proof::Hash;
use events::proof::chain::Link;
use events::proof::note::Checkpoint;
use events::proof::seal::{self, SealedTo};
use events::proof::signature::{self, Purpose};
use events::report::{News, ReportMessage};
use events::vocabulary::Reason;
use events::work::{Receipts, ReportReceipt, Work, WorkKind};
use events::{subjects, wire};
use serde_json::{Value, json};

use specimens::*;

#[allow(dead_code, reason = "a test includes this file for `files` alone")]
fn main() -> std::io::Result<()> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| "schemas/v1/vectors".to_owned());
    for (name, content) in files() {
        std::fs::write(Path::new(&folder).join(name), content)?;
    }
    Ok(())
}

/// Every file of the vectors: its name and its content.
pub fn files() -> Vec<(&'static str, String)> {
    let pretty = |it: Value| {
        let mut text = serde_json::to_string_pretty(&it).expect("a value serializes");
        text.push('\n');
        text
    };
    vec![
        ("keys.json", pretty(keys())),
        ("work.json", pretty(json!({"vectors": work_vectors()}))),
        ("reports.json", pretty(json!({"vectors": report_vectors()}))),
        ("receipts.json", pretty(json!({"vectors": receipts_vectors()}))),
        ("sealed-text.json", pretty(sealed_text())),
        ("refused-signatures.json", pretty(json!({"vectors": refused_signatures()}))),
        ("chain.json", pretty(chain())),
    ]
}

fn keys() -> Value {
    let (seal_private, seal_public) = seal::key_pair(&SEAL_RANDOMNESS);
    json!({
        "note": "Keys of these vectors only. Never use them anywhere.",
        "origin": ORIGIN,
        "province": "22",
        "hub": {
            "key_id": "hub-1",
            "private": BASE64.encode(HUB_SEED),
            "public": signature::public_key_text(&hub_key().verifying_key()),
        },
        "sign": {
            "key_id": "22-sign-1",
            "private": BASE64.encode(PROVINCE_SEED),
            "public": signature::public_key_text(&province_key().verifying_key()),
        },
        "seal": {"key_id": "22-seal-1", "private": seal_private, "public": seal_public},
        "reply_key": BASE64.encode(REPLY_KEY),
    })
}

/// One message as it lies on the wire, with everything around it.
fn message(what: &str, subject: &str, message_id: &str, signature: &str, bytes: &[u8]) -> Value {
    json!({
        "what": what,
        "subject": subject,
        "message_id": message_id,
        "signature": signature,
        "bytes": STANDARD.encode(bytes),
    })
}

fn seal_into(work: &mut Work) -> SealedTo {
    let (_, public) = seal::key_pair(&SEAL_RANDOMNESS);
    let context = work.seal_context();
    let plain = personal_part();
    let sealed =
        seal::seal_to(&public, "22-seal-1", &EPHEMERAL_RANDOMNESS, context.as_bytes(), &plain)
            .expect("the key is a key");
    work.sealed = Some(sealed.clone());
    sealed
}

fn work_vectors() -> Vec<Value> {
    [WorkKind::Case, WorkKind::Correction, WorkKind::Withdrawal].map(work_vector).into()
}

fn work_vector(kind: WorkKind) -> Value {
    let mut work = work(kind);
    let sealed = (kind != WorkKind::Withdrawal).then(|| seal_into(&mut work));
    let own = id("01890a5d-ac96-774b-bcce-b302099a8059");
    let bytes = wire::work_to_bytes(own, at("2026-02-13T01:31:00Z"), &work);
    let jws = signature::sign(&hub_key(), "hub-1", Purpose::ToProvince, &bytes);
    let message_id = format!("{}.{}.1", work.request, kind.token());
    let subject = subjects::work(province(), kind.token());
    let mut vector = message(kind.token(), &subject, &message_id, &jws, &bytes);
    if let Some(sealed) = sealed {
        vector["sealed"] = json!({
            "algorithm": sealed.algorithm,
            "info": sealed.algorithm,
            "encapsulated": sealed.encapsulated,
            "ciphertext": sealed.ciphertext,
            "associated_data": work.seal_context(),
            "plaintext": STANDARD.encode(personal_part()),
        });
    }
    vector
}

fn report_vector(what: &str, message_of: &ReportMessage) -> Value {
    let bytes = wire::report_to_bytes(message_of);
    let jws = signature::sign(&province_key(), "22-sign-1", Purpose::Report, &bytes);
    let subject = subjects::report(province(), message_of.report.news.token());
    message(what, &subject, &format!("{}.1", message_of.id), &jws, &bytes)
}

/// One of each kind; the numbers only tell them apart, no case has this story.
fn report_vectors() -> Vec<Value> {
    let numbered = every_news().into_iter().enumerate();
    numbered.map(|(at, news)| report_vector(news.token(), &report(at + 1, news.clone()))).collect()
}

fn sealed_text() -> Value {
    let text = "照片不合格：请提交近期小二寸白底免冠照片。";
    let mut message = report(5, News::Declined { reason: Reason::PhotoUnacceptable });
    let context = message.report.text_context();
    let sealed = seal::seal(&REPLY_KEY, TEXT_NONCE, context.as_bytes(), text.as_bytes());
    message.report.sealed_text = Some(BASE64.encode(&sealed));
    json!({
        "note": "sealed = base64url of: one byte algorithm (1 = AES-256-GCM), 12 bytes nonce, ciphertext and tag",
        "key": BASE64.encode(REPLY_KEY),
        "nonce": BASE64.encode(TEXT_NONCE),
        "associated_data": context,
        "plaintext": text,
        "sealed": BASE64.encode(&sealed),
        "report": report_vector("declined", &message),
    })
}

fn receipts_vectors() -> Vec<Value> {
    let recorded = ReportReceipt {
        report: report(1, News::Resumed).id,
        case: case(),
        position: Some(4711),
        hash: Some(Hash([0x88; 32])),
        refused: None,
        next_number: None,
    };
    let refused = ReportReceipt {
        report: report(2, News::Resumed).id,
        case: case(),
        position: Some(4712),
        hash: Some(Hash([0x99; 32])),
        refused: Some("out-of-order".to_owned()),
        next_number: None,
    };
    let receipts = vec![recorded, refused];
    let receipts = Receipts {
        origin: ORIGIN.to_owned(),
        province: province(),
        epoch: 3,
        receipts,
        statements: vec![],
    };
    let own = id("01890a5d-ac96-774b-bcce-b302099a8061");
    let bytes = wire::receipts_to_bytes(own, at("2026-02-13T02:00:01Z"), &receipts);
    let jws = signature::sign(&hub_key(), "hub-1", Purpose::ToProvince, &bytes);
    let subject = subjects::work(province(), subjects::RECEIPTS_TOKEN);
    vec![message("receipts", &subject, &own.to_string(), &jws, &bytes)]
}

/// Work that must not be believed, and by which name an adapter calls the fault.
fn refused_signatures() -> Vec<Value> {
    let bytes = wire::work_to_bytes(
        id("01890a5d-ac96-774b-bcce-b302099a8059"),
        at("2026-02-13T01:31:00Z"),
        &work(WorkKind::Withdrawal),
    );
    let good = signature::sign(&hub_key(), "hub-1", Purpose::ToProvince, &bytes);
    let (header, tail) = good.split_once("..").expect("a detached JWS");
    let swapped = |text: &str| format!("{}..{tail}", BASE64.encode(text));
    let mut changed = bytes.clone();
    let last = changed.len() - 3;
    changed[last] ^= 1;
    let case = |what: &str, fault: &str, jws: &str, bytes: &[u8]| json!({"what": what, "fault": fault, "signature": jws, "bytes": STANDARD.encode(bytes)});
    let by = |key: &SigningKey, id: &str, purpose| signature::sign(key, id, purpose, &bytes);
    vec![
        case("no signature", "unsigned", "", &bytes),
        case("not a detached JWS", "bad-signature", &good.replace("..", "."), &bytes),
        case("one changed bit", "bad-signature", &good, &changed),
        case(
            "the province's own key under the hub's name",
            "bad-signature",
            &by(&province_key(), "hub-1", Purpose::ToProvince),
            &bytes,
        ),
        case(
            "a key that nobody knows",
            "unknown-key",
            &by(&hub_key(), "hub-9", Purpose::ToProvince),
            &bytes,
        ),
        case(
            "signed as a report",
            "bad-signature",
            &by(&hub_key(), "hub-1", Purpose::Report),
            &bytes,
        ),
        case(
            "another algorithm in the header",
            "bad-signature",
            &swapped(r#"{"alg":"none","kid":"hub-1","typ":"hub-work+ce"}"#),
            &bytes,
        ),
        case(
            "the payload inside the JWS",
            "bad-signature",
            &format!("{header}.{}.{tail}", BASE64.encode(&bytes)),
            &bytes,
        ),
    ]
}

/// One link of the log's chain: whoever holds a receipt and the log can find its report there.
fn chain() -> Value {
    let delivered = report(1, News::Delivered { work: WorkKind::Case });
    let evidence = wire::report_to_bytes(&delivered);
    let jws = signature::sign(&province_key(), "22-sign-1", Purpose::Report, &evidence);
    let event =
        CaseDelivered { report: delivered.id, work: WorkKind::Case, request: request() }.into();
    let envelope = Envelope {
        id: EventId(id("01890a5d-ac96-774b-bcce-b302099a8062")),
        stream: StreamName::Case(case()),
        occurred_at: delivered.occurred_at,
        actor: Actor::Province(province()),
        caused_by: Some(delivered.id.0),
        event: Event::Case(event),
        sealed: None,
        evidence: None,
    };
    let body = wire::event_to_bytes(&envelope);
    let stream = envelope.stream.to_string();
    let link = Link {
        origin: ORIGIN,
        position: 4711,
        stream: &stream,
        version: 4,
        recorded_at: 1_770_919_201_000_000,
        epoch: 3,
        previous: Hash([0xaa; 32]),
        body: &body,
        sealed: None,
        evidence: Some(&evidence),
        evidence_signature: Some(&jws),
    };
    let hash = link.hash();
    let head = Checkpoint { origin: ORIGIN.to_owned(), position: link.position, hash };
    json!({
        "origin": ORIGIN,
        "position": link.position,
        "stream": stream,
        "version": link.version,
        "recorded_at_microseconds": link.recorded_at,
        "epoch": link.epoch,
        "previous": link.previous,
        "body": STANDARD.encode(&body),
        "sealed": null,
        "evidence": STANDARD.encode(&evidence),
        "evidence_signature": jws,
        "hash": hash,
        "checkpoint": head.sign(&hub_key(), "hub-1"),
    })
}
