//! A request or a bundle that was changed anywhere is refused, and by the right name.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

use super::*;

fn province() -> ProvinceCode {
    ProvinceCode::new(22).unwrap()
}

fn signer(nth: u8) -> SigningKey {
    SigningKey::from_bytes(&[nth; 32])
}

fn keys(nth: u8) -> Vec<KeyRegistered> {
    let [sign, seal, connect] = key_ids(province(), nth.into());
    let key = |key_id, purpose, algorithm: &str, public_key| KeyRegistered {
        key_id,
        purpose,
        algorithm: algorithm.to_owned(),
        public_key,
    };
    let public = signature::public_key_text(&signer(nth).verifying_key());
    vec![
        key(sign, KeyPurpose::Sign, "ed25519", public),
        key(seal, KeyPurpose::Seal, "x25519", seal::key_pair(&[nth; 32]).1),
        key(connect, KeyPurpose::Connect, "nkey", format!("U{}", "A".repeat(55))),
    ]
}

fn request(kind: RequestKind, nth: u8) -> Request {
    Request {
        v: VERSION,
        kind,
        province: province(),
        origin: (kind == RequestKind::Rotation).then(|| "hub.test/one".to_owned()),
        made_at: "2026-11-22T08:00:00Z".parse().unwrap(),
        adapter: "province-adapter/0.1.0".to_owned(),
        keys: keys(nth),
    }
}

fn enrolment(request: &Request) -> Signed {
    sign_request(request, (&signer(1), "22-sign-1"), None)
}

fn current(id: &str) -> Option<VerifyingKey> {
    (id == "22-sign-1").then(|| signer(1).verifying_key())
}

fn rotation(request: &Request) -> Signed {
    sign_request(request, (&signer(2), "22-sign-2"), Some((&signer(1), "22-sign-1")))
}

#[test]
fn a_request_reads_back_as_it_was_made_and_signed() {
    let wanted = request(RequestKind::Enrolment, 1);
    let text = serde_json::to_string_pretty(&enrolment(&wanted)).unwrap();
    let again: Signed = serde_json::from_str(&text).unwrap();
    assert_eq!(read_enrolment(&again, province()), Ok(wanted));
    let wanted = request(RequestKind::Rotation, 2);
    let read = read_rotation(&rotation(&wanted), province(), "hub.test/one", current);
    assert_eq!(read, Ok(wanted));
}

#[test]
fn any_changed_byte_of_an_enrolment_is_caught() {
    let signed = enrolment(&request(RequestKind::Enrolment, 1));
    for at in 0..signed.payload.len() {
        let mut bytes = signed.payload.clone().into_bytes();
        bytes[at] ^= 1;
        let Ok(payload) = String::from_utf8(bytes) else { continue };
        let changed = Signed { payload, ..signed.clone() };
        assert!(read_enrolment(&changed, province()).is_err(), "byte {at}");
    }
}

#[test]
fn each_mistake_of_an_enrolment_has_its_own_name() {
    let spoilt = |spoil: fn(&mut Request)| {
        let mut it = request(RequestKind::Enrolment, 1);
        spoil(&mut it);
        read_enrolment(&enrolment(&it), province()).unwrap_err().code()
    };
    assert_eq!(spoilt(|it| it.v = 2), "request-unreadable");
    assert_eq!(spoilt(|it| it.kind = RequestKind::Rotation), "request-other-kind");
    assert_eq!(spoilt(|it| it.province = ProvinceCode::new(23).unwrap()), "request-other-province");
    assert_eq!(spoilt(|it| it.keys.truncate(2)), "request-bad-key");
    assert_eq!(spoilt(|it| it.keys[1].public_key = BASE64.encode([0; 32])), "request-bad-key");
    assert_eq!(spoilt(|it| it.keys[2].public_key = "U\"}".into()), "request-bad-key");
    assert_eq!(spoilt(|it| it.keys[0].algorithm = "sm2".into()), "request-bad-key");
    assert_eq!(spoilt(|it| it.keys[1].key_id = "23-seal-1".into()), "request-bad-key");
    assert_eq!(spoilt(|it| it.keys[1].key_id = "22-../../x".into()), "request-bad-key");
    // A swapped key: well formed, but not the one that signed.
    let swapped = |it: &mut Request| it.keys[0].public_key = keys(9)[0].public_key.clone();
    assert_eq!(spoilt(swapped), "request-bad-signature");
}

#[test]
fn a_rotation_needs_a_key_that_counts_and_the_new_one() {
    let wanted = request(RequestKind::Rotation, 2);
    let code = |signed: &Signed| {
        read_rotation(signed, province(), "hub.test/one", current).unwrap_err().code()
    };
    let stranger =
        sign_request(&wanted, (&signer(2), "22-sign-2"), Some((&signer(3), "22-sign-3")));
    assert_eq!(code(&stranger), "request-unknown-signer");
    let forged = sign_request(&wanted, (&signer(2), "22-sign-2"), Some((&signer(3), "22-sign-1")));
    assert_eq!(code(&forged), "request-bad-signature");
    let without = Signed { new_key_signature: None, ..rotation(&wanted) };
    assert_eq!(code(&without), "request-bad-signature");
    let other = sign_request(&wanted, (&signer(3), "22-sign-2"), Some((&signer(1), "22-sign-1")));
    assert_eq!(code(&other), "request-bad-signature");
    let elsewhere = Request { origin: Some("hub.test/two".into()), ..wanted };
    assert_eq!(code(&rotation(&elsewhere)), "request-other-origin");
}

#[test]
fn a_bundle_counts_only_as_its_hub_signed_it() {
    let hub = signer(7);
    let bundle = Bundle {
        v: VERSION,
        province: province(),
        origin: "hub.test/one".into(),
        made_at: "2026-11-22T08:00:00Z".parse().unwrap(),
        broker_urls: vec!["nats://127.0.0.1:4222".into()],
        broker_ca: None,
        hub_key_id: "hub-1".into(),
        hub_public_key: signature::public_key_text(&hub.verifying_key()),
        keys: keys(1),
        calendar_revision: 8,
        head: None,
    };
    let payload = serde_json::to_string(&bundle).unwrap();
    let sign = |key: &SigningKey, purpose| {
        let signature = signature::sign(key, "hub-1", purpose, payload.as_bytes());
        Signed { payload: payload.clone(), signature, new_key_signature: None }
    };
    assert_eq!(read_bundle(&sign(&hub, Purpose::Bundle)), Ok(bundle));
    let bad = Err(BundleFault::BadSignature);
    assert_eq!(read_bundle(&sign(&signer(8), Purpose::Bundle)), bad);
    assert_eq!(read_bundle(&sign(&hub, Purpose::ToProvince)), bad, "signed for something else");
    let mut elsewhere = sign(&hub, Purpose::Bundle);
    elsewhere.payload = elsewhere.payload.replace("127.0.0.1", "127.0.0.2");
    assert_eq!(read_bundle(&elsewhere), bad);
}

#[test]
fn a_fingerprint_can_be_read_out_and_tells_keys_apart() {
    let (one, two) = (fingerprint("A"), fingerprint("B"));
    assert_eq!(one.len(), 39);
    assert_ne!(one, two);
}
