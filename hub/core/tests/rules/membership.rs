//! A province joins, pauses, and has its keys counted.

use events::province::{KeyPurpose, KeyRegistered, MaintenanceDeclared, ProvinceEvent};
use hub_core::province::{Province, ProvinceCommand, decide, evolve};

use crate::story::moment;

fn key(key_id: &str, public_key: &str) -> KeyRegistered {
    KeyRegistered {
        key_id: key_id.to_owned(),
        purpose: KeyPurpose::Sign,
        algorithm: "ed25519".to_owned(),
        public_key: public_key.to_owned(),
    }
}

fn enroll() -> ProvinceCommand {
    ProvinceCommand::Enroll { operator: "操作员".to_owned() }
}

fn pause() -> ProvinceCommand {
    ProvinceCommand::Pause { operator: "操作员".to_owned(), reason: "升级".to_owned() }
}

fn resume() -> ProvinceCommand {
    ProvinceCommand::Resume { operator: "操作员".to_owned() }
}

fn revoke(key_id: &str) -> ProvinceCommand {
    ProvinceCommand::RevokeKey { key_id: key_id.to_owned(), reason: "遗失".to_owned() }
}

fn maintenance(until: &str) -> ProvinceCommand {
    ProvinceCommand::DeclareMaintenance(MaintenanceDeclared {
        from: moment("2026-03-07T22:00"),
        until: moment(until),
        reason: "机房搬迁".to_owned(),
    })
}

#[track_caller]
fn yields(province: Province, command: &ProvinceCommand, kind: &str) -> Province {
    let events = decide(&province, command).unwrap();
    assert_eq!(events.iter().map(ProvinceEvent::kind).collect::<Vec<_>>(), [kind]);
    let province = events.iter().fold(province, evolve);
    assert_eq!(decide(&province, command), Ok(vec![]), "the second time");
    province
}

#[track_caller]
fn refuses(province: &Province, command: &ProvinceCommand, code: &str) {
    assert_eq!(decide(province, command).map_err(|it| it.code()), Err(code));
}

#[test]
fn a_province_joins_pauses_and_goes_on() {
    let province = yields(Province::default(), &enroll(), "province.enrolled.v1");
    assert_eq!(decide(&province, &resume()), Ok(vec![]), "it was not paused");
    let province = yields(province, &pause(), "province.paused.v1");
    assert!(province.paused);
    let province = yields(province, &resume(), "province.resumed.v1");
    assert!(!province.paused);
}

#[test]
fn nothing_is_recorded_of_a_province_that_has_not_joined() {
    let province = Province::default();
    let commands = [
        pause(),
        resume(),
        revoke("22-sign-1"),
        maintenance("2026-03-08T06:00"),
        ProvinceCommand::RegisterKey(key("22-sign-1", "A")),
    ];
    for command in commands {
        refuses(&province, &command, "province-not-enrolled");
    }
}

#[test]
fn a_keys_name_never_means_another_key() {
    let register = |public| ProvinceCommand::RegisterKey(key("22-sign-1", public));
    let province = yields(Province::default(), &enroll(), "province.enrolled.v1");
    refuses(&province, &revoke("22-sign-1"), "unknown-key");
    let province = yields(province, &register("A"), "province.key-registered.v1");
    refuses(&province, &register("B"), "key-exists");
    let province = yields(province, &revoke("22-sign-1"), "province.key-revoked.v1");
    assert!(province.keys.is_empty());
    refuses(&province, &register("A"), "key-exists");
    refuses(&province, &ProvinceCommand::RegisterKey(key("", "A")), "out-of-bounds");
}

#[test]
fn an_absence_ends_after_it_begins() {
    let province = yields(Province::default(), &enroll(), "province.enrolled.v1");
    refuses(&province, &maintenance("2026-03-07T22:00"), "out-of-bounds");
    let absence = maintenance("2026-03-08T06:00");
    yields(province, &absence, "province.maintenance-declared.v1");
}

#[test]
fn a_key_counts_until_its_moment_and_is_then_to_be_revoked() {
    let until = moment("2026-03-08T06:00");
    let expire = |until| ProvinceCommand::SetKeyExpiry { key_id: "22-sign-1".into(), until };
    let province = yields(Province::default(), &enroll(), "province.enrolled.v1");
    refuses(&province, &expire(until), "unknown-key");
    let register = ProvinceCommand::RegisterKey(key("22-sign-1", "A"));
    let province = yields(province, &register, "province.key-registered.v1");
    let province = yields(province, &expire(until), "province.key-expiry-set.v1");
    assert_eq!(province.expired_keys(moment("2026-03-08T05:59")).count(), 0);
    assert_eq!(province.expired_keys(until).collect::<Vec<_>>(), ["22-sign-1"]);
    assert!(province.keys.contains_key("22-sign-1"), "nothing ends in silence");
    let province = yields(province, &revoke("22-sign-1"), "province.key-revoked.v1");
    assert_eq!(province.expired_keys(until).count(), 0);
}

#[test]
fn the_key_to_use_is_the_one_registered_last_whatever_it_is_called() {
    let mut province = yields(Province::default(), &enroll(), "province.enrolled.v1");
    for id in ["22-sign-9", "22-sign-10"] {
        let register = ProvinceCommand::RegisterKey(key(id, id));
        province = yields(province, &register, "province.key-registered.v1");
    }
    let latest = |it: &Province| it.latest_key(KeyPurpose::Sign).map(|it| it.key_id.clone());
    assert_eq!(latest(&province).as_deref(), Some("22-sign-10"));
    let province = yields(province, &revoke("22-sign-10"), "province.key-revoked.v1");
    assert_eq!(latest(&province).as_deref(), Some("22-sign-9"));
}

#[test]
fn a_province_that_leaves_keeps_no_key_and_may_join_again_with_others() {
    let leave = ProvinceCommand::Leave { operator: "操作员".into(), reason: "合并".into() };
    refuses(&Province::default(), &leave, "province-not-enrolled");
    let register = ProvinceCommand::RegisterKey(key("22-sign-1", "A"));
    let province = yields(Province::default(), &enroll(), "province.enrolled.v1");
    let province = yields(province, &register, "province.key-registered.v1");
    let province = yields(province, &pause(), "province.paused.v1");
    let province = yields(province, &leave, "province.left.v1");
    assert!(province.keys.is_empty() && !province.enrolled && !province.paused);
    refuses(&province, &pause(), "province-not-enrolled");
    let province = yields(province, &enroll(), "province.enrolled.v1");
    refuses(&province, &register, "key-exists");
    let other = ProvinceCommand::RegisterKey(key("22-sign-2", "B"));
    yields(province, &other, "province.key-registered.v1");
}

#[test]
fn an_absence_is_one_only_while_it_lasts() {
    let province = yields(Province::default(), &enroll(), "province.enrolled.v1");
    let absence = maintenance("2026-03-08T06:00");
    let province = yields(province, &absence, "province.maintenance-declared.v1");
    let until = moment("2026-03-08T06:00");
    assert_eq!(province.maintenance_until(moment("2026-03-07T21:59")), None);
    assert_eq!(province.maintenance_until(moment("2026-03-07T22:00")), Some(until));
    assert_eq!(province.maintenance_until(until), None);
}

fn certified(adapter: &str, expires_at: &str) -> ProvinceCommand {
    ProvinceCommand::Certify(events::province::AdapterCertified {
        adapter_version: adapter.to_owned(),
        kit_version: "conformance-kit/0.1.0".to_owned(),
        result_digest: "0".repeat(64),
        expires_at: moment(expires_at),
    })
}

#[test]
fn a_certificate_counts_for_its_version_until_its_last_moment() {
    let kind = "province.adapter-certified.v1";
    refuses(&Province::default(), &certified("a/1", "2027-01-01T00:00"), "province-not-enrolled");
    let province = yields(Province::default(), &enroll(), "province.enrolled.v1");
    refuses(&province, &certified("", "2027-01-01T00:00"), "out-of-bounds");
    let province = yields(province, &certified("a/1", "2027-01-01T00:00"), kind);
    let older = certified("a/1", "2026-06-01T00:00");
    assert_eq!(decide(&province, &older), Ok(vec![]), "an older one shortens nothing");
    let (before, after) = (moment("2026-12-31T23:59"), moment("2027-01-01T00:00"));
    assert!(province.is_certified(Some("a/1"), before) && province.is_certified(None, before));
    assert!(!province.is_certified(Some("a/2"), before), "another version");
    assert!(!province.is_certified(Some("a/1"), after) && !province.is_certified(None, after));
}
