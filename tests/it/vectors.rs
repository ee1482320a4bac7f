//! The test vectors both ways: what they say is what the program does, and every file is written by it.

#[path = "../../events/examples/vectors/main.rs"]
mod generator;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD as BASE64};
use ed25519_dalek::VerifyingKey;
use events::proof::Hash;
use events::proof::chain::Link;
use events::proof::note::Checkpoint;
use events::proof::seal::{self, SealedTo};
use events::proof::signature::{self, Purpose};
use events::report::News;
use events::wire::{self, ToProvince};
use events::work::PersonalPart;
use serde_json::Value;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/v1/vectors"))
}

fn read(name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder().join(name)).unwrap()).unwrap()
}

fn vectors(name: &str) -> Vec<Value> {
    read(name)["vectors"].as_array().unwrap().clone()
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_else(|| panic!("no text at {pointer}"))
}

fn bytes(value: &Value, pointer: &str) -> Vec<u8> {
    STANDARD.decode(text(value, pointer)).unwrap()
}

fn key(of: &str) -> VerifyingKey {
    signature::public_key(text(&read("keys.json"), &format!("/{of}/public"))).unwrap()
}

#[test]
fn the_vectors_are_what_the_program_writes_today() {
    let written: BTreeSet<String> =
        generator::files().into_iter().map(|it| it.0.to_owned()).collect();
    let there: BTreeSet<String> = fs::read_dir(folder())
        .unwrap()
        .map(|it| it.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(there, written);
    for (name, content) in generator::files() {
        let wanted: Value = serde_json::from_str(&content).unwrap();
        assert_eq!(read(name), wanted, "{name} drifted: published bytes must never change");
    }
}

#[test]
fn work_verifies_opens_and_reads_as_its_vectors_say() {
    let keys = read("keys.json");
    for vector in vectors("work.json") {
        let (body, what) = (bytes(&vector, "/bytes"), text(&vector, "/what"));
        let jws = text(&vector, "/signature");
        signature::verify(&key("hub"), Purpose::ToProvince, jws, &body).expect(what);
        let Ok(ToProvince::Work(work)) = wire::to_province_from_bytes(&body) else {
            panic!("{what} is no work")
        };
        assert_eq!(text(&vector, "/subject"), format!("hub.v1.work.22.{what}"));
        assert!(text(&vector, "/message_id").starts_with(&work.request.to_string()));
        let Some(told) = vector.get("sealed") else {
            assert!(work.sealed.is_none(), "{what}");
            continue;
        };
        assert_eq!(text(told, "/associated_data"), work.seal_context(), "{what}");
        let sealed: SealedTo = work.sealed.expect("a sealed part");
        assert_eq!(text(told, "/ciphertext"), sealed.ciphertext);
        let associated = text(told, "/associated_data").as_bytes();
        let plain = seal::open_with(text(&keys, "/seal/private"), associated, &sealed).unwrap();
        assert_eq!(plain, bytes(told, "/plaintext"), "{what}");
        let personal: PersonalPart = serde_json::from_slice(&plain).unwrap();
        assert_eq!(personal.reply_key, text(&keys, "/reply_key"));
    }
}

#[test]
fn reports_and_receipts_verify_and_read_as_their_vectors_say() {
    let mut tokens = BTreeSet::new();
    for vector in vectors("reports.json") {
        let (body, what) = (bytes(&vector, "/bytes"), text(&vector, "/what"));
        let jws = text(&vector, "/signature");
        signature::verify(&key("sign"), Purpose::Report, jws, &body).expect(what);
        let message = wire::report_from_bytes(&body).expect(what);
        assert_eq!(message.report.news.token(), what);
        assert_eq!(wire::report_to_bytes(&message), body, "{what}: the same again is the same");
        assert_eq!(text(&vector, "/message_id"), format!("{}.1", message.id));
        tokens.insert(what.to_owned());
    }
    assert_eq!(tokens, News::TOKENS.map(str::to_owned).into());
    for vector in vectors("receipts.json") {
        let body = bytes(&vector, "/bytes");
        let jws = text(&vector, "/signature");
        signature::verify(&key("hub"), Purpose::ToProvince, jws, &body).unwrap();
        assert!(matches!(wire::to_province_from_bytes(&body), Ok(ToProvince::Receipts(_))));
    }
}

#[test]
fn what_must_not_be_believed_is_not() {
    let vectors = vectors("refused-signatures.json");
    assert!(vectors.len() >= 8);
    for vector in vectors {
        let (what, jws) = (text(&vector, "/what"), text(&vector, "/signature"));
        let body = bytes(&vector, "/bytes");
        let told = match signature::key_id(jws) {
            _ if jws.is_empty() => "unsigned",
            Ok(id) if id != "hub-1" => "unknown-key",
            _ => match signature::verify(&key("hub"), Purpose::ToProvince, jws, &body) {
                Ok(()) => "believed",
                Err(_) => "bad-signature",
            },
        };
        assert_eq!(told, text(&vector, "/fault"), "{what}");
    }
}

#[test]
fn the_sealed_text_opens_and_the_chain_and_its_checkpoint_add_up() {
    let sealed = read("sealed-text.json");
    let reply_key: [u8; 32] = BASE64.decode(text(&sealed, "/key")).unwrap().try_into().unwrap();
    let associated = text(&sealed, "/associated_data").as_bytes();
    let closed = BASE64.decode(text(&sealed, "/sealed")).unwrap();
    let opened = seal::open(&reply_key, associated, &closed).unwrap();
    assert_eq!(opened, text(&sealed, "/plaintext").as_bytes());
    let report = wire::report_from_bytes(&bytes(&sealed, "/report/bytes")).unwrap().report;
    assert_eq!(report.text_context(), text(&sealed, "/associated_data"));
    assert_eq!(report.sealed_text.as_deref(), Some(text(&sealed, "/sealed")));

    let chain = read("chain.json");
    let number = |name: &str| chain[name].as_u64().unwrap();
    let (body, evidence) = (bytes(&chain, "/body"), bytes(&chain, "/evidence"));
    let link = Link {
        origin: text(&chain, "/origin"),
        position: number("position"),
        stream: text(&chain, "/stream"),
        version: number("version"),
        recorded_at: chain["recorded_at_microseconds"].as_i64().unwrap(),
        epoch: number("epoch"),
        previous: text(&chain, "/previous").parse().unwrap(),
        body: &body,
        sealed: None,
        evidence: Some(&evidence),
        evidence_signature: Some(text(&chain, "/evidence_signature")),
    };
    let hash: Hash = text(&chain, "/hash").parse().unwrap();
    assert_eq!(link.hash(), hash);
    let head = Checkpoint::open(text(&chain, "/checkpoint"), &key("hub")).unwrap();
    assert_eq!((head.position, head.hash), (link.position, hash));
}
