//! Joining without a hub: what is made, what is never overwritten, what is believed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use events::enrolment::{read_enrolment, read_rotation};
use events::proof::signature::Purpose;
use tempfile::TempDir;

use super::*;

fn province() -> ProvinceCode {
    ProvinceCode::new(22).unwrap()
}

fn now() -> Timestamp {
    "2026-11-22T08:00:00Z".parse().unwrap()
}

fn begun() -> (TempDir, Made) {
    let folder = tempfile::tempdir().unwrap();
    let made = init(folder.path(), province(), 1, &["nats://127.0.0.1:1".into()], now()).unwrap();
    (folder, made)
}

fn read(path: &Path) -> Signed {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

fn hub() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// The hub's answer, by the hub with this key.
fn answer(folder: &Path, province: ProvinceCode, keys: Vec<KeyRegistered>) -> PathBuf {
    answer_with(folder, province, keys, None)
}

/// The same with certificates of the broker.
fn answer_with(
    folder: &Path,
    province: ProvinceCode,
    keys: Vec<KeyRegistered>,
    broker_ca: Option<String>,
) -> PathBuf {
    let bundle = Bundle {
        v: VERSION,
        province,
        origin: "hub.test/one".into(),
        made_at: now(),
        broker_urls: vec!["nats://127.0.0.1:4222".into()],
        broker_ca,
        hub_key_id: "hub-1".into(),
        hub_public_key: signature::public_key_text(&hub().verifying_key()),
        keys,
        calendar_revision: 8,
        head: None,
    };
    let payload = serde_json::to_string(&bundle).unwrap();
    let signature = signature::sign(&hub(), "hub-1", Purpose::Bundle, payload.as_bytes());
    let path = folder.join("bundle.json");
    let signed = Signed { payload, signature, new_key_signature: None };
    fs::write(&path, text::pretty(&signed)).unwrap();
    path
}

#[test]
fn what_is_made_is_private_and_the_request_holds_only_public_halves() {
    let (folder, made) = begun();
    let request = fs::read_to_string(made.request.unwrap()).unwrap();
    for path in &made.files[..3] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o7777, 0o600, "{path:?}");
        let secret = fs::read_to_string(path).unwrap();
        let draft = fs::read_to_string(folder.path().join("adapter.toml")).unwrap();
        assert!(!request.contains(secret.trim()) && !draft.contains(secret.trim()));
    }
    let keys = fs::metadata(folder.path().join("keys")).unwrap().permissions().mode() & 0o7777;
    assert_eq!(keys, 0o700);
    let request = read_enrolment(&serde_json::from_str(&request).unwrap(), province()).unwrap();
    assert_eq!(told(&request.keys), made.keys);
}

#[test]
fn nothing_is_ever_overwritten() {
    let (folder, made) = begun();
    let before: Vec<_> = made.files.iter().map(|it| fs::read(it).unwrap()).collect();
    let again = init(folder.path(), province(), 1, &[], now());
    assert!(matches!(again, Err(EnrolError::Exists { .. })), "{again:?}");
    // Also when only a key is left of the first time.
    for path in &made.files[3..] {
        fs::rename(path, folder.path().join(format!("{}.away", path.display()))).unwrap();
    }
    let again = init(folder.path(), province(), 1, &[], now());
    assert!(matches!(again, Err(EnrolError::Exists { .. })), "{again:?}");
    let after: Vec<_> = made.files[..3].iter().map(|it| fs::read(it).unwrap()).collect();
    assert_eq!(before[..3], after[..]);
}

#[test]
fn a_bundle_makes_the_draft_ready_and_keeps_what_the_office_wrote_into_it() {
    let (folder, made) = begun();
    let config = folder.path().join("adapter.toml");
    let draft = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{draft}\n[limits]\nsend_window = 17\n")).unwrap();
    let request = read_enrolment(&read(made.request.as_deref().unwrap()), province()).unwrap();
    let bundle = answer(folder.path(), province(), request.keys);
    let joined = join(&config, &bundle, None).unwrap();
    let ready = Config::load(&config).unwrap();
    assert_eq!((ready.origin.as_str(), ready.limits.send_window), ("hub.test/one", 17));
    assert_eq!(ready.broker.urls, ["nats://127.0.0.1:4222"]);
    assert_eq!((ready.keys.hub_key_id.as_str(), joined.keys), ("hub-1", made.keys));
    assert!(ready.identity().is_ok());
    let text = fs::read_to_string(&config).unwrap();
    join(&config, &bundle, joined.hub.as_deref()).unwrap();
    assert_eq!(fs::read_to_string(&config).unwrap(), text, "the second time");
}

#[test]
fn certificates_of_the_broker_come_with_the_bundle_and_leave_an_office_s_own_alone() {
    let pem =
        |text: &str| format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    let (folder, made) = begun();
    let config = folder.path().join("adapter.toml");
    let draft = fs::read_to_string(&config).unwrap();
    fs::write(&config, format!("{draft}\n[http]\nca_file = \"office.pem\"\n")).unwrap();
    let keys = read_enrolment(&read(made.request.as_deref().unwrap()), province()).unwrap().keys;
    let with = |ca: Option<String>| answer_with(folder.path(), province(), keys.clone(), ca);
    let at_work = || Config::load(&config).unwrap();
    assert!(!at_work().broker.wants_tls());
    for text in ["TUlJ", "TUlK"] {
        let joined = join(&config, &with(Some(pem(text))), None).unwrap();
        let broker = at_work().broker;
        let ca = broker.ca_file.clone().unwrap();
        assert_eq!(fs::read_to_string(&ca).unwrap(), pem(text));
        assert!(broker.wants_tls() && joined.files.contains(&ca));
        let written = fs::read_to_string(&config).unwrap();
        assert_eq!(written.matches("ca_file").count(), 2, "{written}");
        assert!(written.contains("ca_file = \"office.pem\""), "{written}");
    }
    // What is none is refused, and what was there stays.
    for bad in ["nothing", "-----BEGIN PRIVATE KEY-----"] {
        let refused = join(&config, &with(Some(bad.to_owned())), None);
        assert!(matches!(refused, Err(EnrolError::Authority(_))), "{refused:?}");
    }
    join(&config, &with(None), None).unwrap();
    assert_eq!(fs::read_to_string(at_work().broker.ca_file.unwrap()).unwrap(), pem("TUlK"));
}

#[test]
fn a_bundle_of_another_hub_province_or_key_changes_nothing() {
    let (folder, made) = begun();
    let config = folder.path().join("adapter.toml");
    let before = fs::read_to_string(&config).unwrap();
    let request = read_enrolment(&read(made.request.as_deref().unwrap()), province()).unwrap();
    let bundle = answer(folder.path(), province(), request.keys.clone());
    let pinned = join(&config, &bundle, Some("0000-0000"));
    assert!(matches!(pinned, Err(EnrolError::OtherHub { .. })), "{pinned:?}");
    let signed = read(&bundle);
    let payload = signed.payload.replace("127.0.0.1", "127.0.0.2");
    fs::write(&bundle, text::pretty(&Signed { payload, ..signed })).unwrap();
    let changed = join(&config, &bundle, None);
    assert!(matches!(changed, Err(EnrolError::Bundle(BundleFault::BadSignature))), "{changed:?}");
    let other = answer(folder.path(), ProvinceCode::new(23).unwrap(), request.keys);
    let other = join(&config, &other, None);
    assert!(matches!(other, Err(EnrolError::OtherProvince { .. })), "{other:?}");
    let foreign = NewKeys::draw(province(), 1).unwrap().public;
    let foreign = join(&config, &answer(folder.path(), province(), foreign), None);
    assert!(matches!(foreign, Err(EnrolError::NoSuchKeyHere { .. })), "{foreign:?}");
    assert_eq!(fs::read_to_string(&config).unwrap(), before);
}

#[test]
fn a_rotation_is_signed_by_the_key_in_use_and_is_taken_over_when_the_hub_has_it() {
    let (folder, made) = begun();
    let config = folder.path().join("adapter.toml");
    let first = read_enrolment(&read(made.request.as_deref().unwrap()), province()).unwrap();
    join(&config, &answer(folder.path(), province(), first.keys.clone()), None).unwrap();
    let old = Config::load(&config).unwrap().identity().unwrap();
    let rotated = rotate(&config, now()).unwrap();
    let counts = |id: &str| (id == "22-sign-1").then(|| old.sign_key.verifying_key());
    let request = read(rotated.request.as_deref().unwrap());
    let second = read_rotation(&request, province(), "hub.test/one", counts).unwrap();
    assert_eq!(Config::load(&config).unwrap().keys.sign_key_id, "22-sign-1", "not before the hub");
    let both = first.keys.into_iter().chain(second.keys).collect();
    join(&config, &answer(folder.path(), province(), both), None).unwrap();
    let keys = Config::load(&config).unwrap().keys;
    assert_eq!((keys.sign_key_id.as_str(), keys.seal_key_id.as_str()), ("22-sign-2", "22-seal-2"));
}
