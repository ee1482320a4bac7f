//! What stands in the broker's configuration, and what can never get into it.

use super::super::release::OLDEST;
use super::*;

fn user(nth: char) -> String {
    format!("U{}", nth.to_string().repeat(55))
}

fn province(code: u8, nth: char) -> ProvinceUsers {
    ProvinceUsers { province: ProvinceCode::new(code).unwrap(), users: vec![user(nth)] }
}

fn plan() -> BrokerPlan {
    let provinces = vec![province(22, 'A'), province(23, 'B')];
    let mut plan = BrokerPlan::loopback(OLDEST, &user('H'), provinces, 1 << 30);
    plan.store_dir = "/var/lib/hub/nats".into();
    plan.sync_always = true;
    plan
}

#[test]
fn a_province_is_allowed_its_four_subjects_and_its_inbox_and_nothing_else() {
    let text = render(&plan()).unwrap();
    let account = text.split("  P22: {").nth(1).unwrap().split("  P23: {").next().unwrap();
    let allowed: Vec<&str> = account.lines().filter(|it| it.contains("allow")).collect();
    assert_eq!(
        allowed,
        [
            "        publish: {allow: [\"hub.v1.report.22.>\", \
             \"HUBJS.API.CONSUMER.INFO.WORK.p22\", \"HUBJS.API.CONSUMER.MSG.NEXT.WORK.p22\", \
             \"$JS.ACK.WORK.p22.>\"]}",
            "        subscribe: {allow: [\"_INBOX_p22.>\"]}",
        ]
    );
    assert!(!account.contains("23"), "nothing of another province in its account");
}

#[test]
fn a_server_with_a_certificate_speaks_tls_and_one_without_has_no_such_block() {
    let mut plan = plan();
    assert!(!render(&plan).unwrap().contains("tls"));
    let files =
        |cert: &str| TlsFiles { cert_file: cert.into(), key_file: "/etc/nats/key.pem".into() };
    plan.tls = Some(files("/etc/nats/证书.pem"));
    let text = render(&plan).unwrap();
    let block = text.split("tls: {\n").nth(1).unwrap().split('}').next().unwrap();
    assert_eq!(
        block,
        "  cert_file: \"/etc/nats/证书.pem\"\n  key_file: \"/etc/nats/key.pem\"\n  timeout: 10\n"
    );
    plan.tls = Some(files("a\"}\nauthorization: {}"));
    assert!(matches!(render(&plan), Err(PlanError::Unquotable { .. })));
}

#[test]
fn the_probe_may_ask_one_question_and_is_there_only_if_wanted() {
    let mut plan = plan();
    assert!(!render(&plan).unwrap().contains("PROBE"));
    plan.probe_user = Some(user('P'));
    let text = render(&plan).unwrap();
    let account = text.split("  PROBE: {").nth(1).unwrap();
    let allowed: Vec<&str> = account.lines().filter(|it| it.contains("allow")).collect();
    assert_eq!(
        allowed,
        [
            "        publish: {allow: [\"HUBJS.API.INFO\"]}",
            "        subscribe: {allow: [\"_INBOX_probe.>\"]}",
        ]
    );
}

#[test]
fn the_hub_itself_can_neither_purge_nor_delete() {
    let text = render(&plan()).unwrap();
    for verb in ["PURGE", "DELETE", "MSG.GET.WORK", "UPDATE", "deny", "\">\"", "no_auth"] {
        assert!(!text.contains(verb), "{verb}");
    }
}

#[test]
fn a_server_that_does_not_know_the_setting_is_not_given_it() {
    let mut plan = plan();
    assert!(!render(&plan).unwrap().contains("sync_interval"));
    plan.release = SYNC_INTERVAL_SINCE;
    assert!(render(&plan).unwrap().contains("sync_interval: always"));
    plan.sync_always = false;
    assert!(!render(&plan).unwrap().contains("sync_interval"));
}

#[test]
fn what_could_break_out_of_its_quotes_is_refused() {
    for (spoil, expected) in [
        (
            (|it: &mut BrokerPlan| it.hub_users[0] = "U\"}".into()) as fn(&mut BrokerPlan),
            "not the public nkey",
        ),
        (|it| it.host = "a\" port: 1".into(), "cannot be written"),
        (|it| it.store_dir = "/a\nb".into(), "cannot be written"),
        (|it| it.provinces.push(province(22, 'C')), "province 22 is listed twice"),
        (|it| it.hub_users.push(user('A')), "is used twice"),
        (|it| it.probe_user = Some(user('A')), "is used twice"),
    ] {
        let mut plan = plan();
        spoil(&mut plan);
        let error = render(&plan).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
