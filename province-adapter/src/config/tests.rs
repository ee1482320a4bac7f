//! Configurations that are right, and what is said of those that are not.

use super::*;
use crate::limits::ms;
use crate::status::shown::Level;

fn example() -> String {
    std::fs::read_to_string("../deploy/adapter.example.toml").unwrap()
}

fn problems(text: &str) -> String {
    match Config::parse(text, Path::new("adapter.toml"), Path::new("")) {
        Ok(_) => String::new(),
        Err(ConfigError::Understand { source, .. }) => source.to_string(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_example_is_a_valid_configuration_and_lists_the_defaults() {
    let given = Config::parse(&example(), Path::new("x"), Path::new("/etc/hub")).unwrap();
    assert_eq!(given.store, Path::new("/etc/hub/adapter.db"));
    let (limits, defaults) = (given.limits, LimitsFile::default());
    assert_eq!(limits.fetch_messages_max as u64, defaults.fetch_messages_max);
    assert_eq!(limits.fetch_expires, ms(defaults.fetch_expires_ms));
    assert_eq!(limits.fetch_heartbeat, ms(defaults.fetch_heartbeat_ms));
    assert_eq!(limits.send_window as u64, defaults.send_window);
    assert_eq!(limits.hand_over_at_once_max as u64, defaults.hand_over_at_once_max);
    assert_eq!(limits.take_timeout, ms(defaults.take_timeout_ms));
    assert_eq!(limits.retake_wait, ms(defaults.retake_wait_ms));
    assert_eq!(limits.inbox_work_max as u64, defaults.inbox_work_max);
    assert_eq!(limits.outbox_reports_max as u64, defaults.outbox_reports_max);
    assert_eq!(limits.office_open_max as u64, defaults.office_open_max);
    assert_eq!(u64::from(limits.hand_over_per_minute_max), defaults.hand_over_per_minute_max);
    assert_eq!(limits.disk_free_bytes_min, defaults.disk_free_mb_min << 20);
}

#[test]
fn each_mistake_is_named() {
    for (right, wrong, named) in [
        ("province = \"22\"", "province = \"71\"", "`province`"),
        ("office = \"simulated\"", "office = \"soap\"", "this version knows `simulated`"),
        ("urls = [\"nats://127.0.0.1:4222\"]", "urls = []", "at least one address"),
        ("send_window = 256", "send_window = 0", "`limits.send_window` is 0"),
        ("send_window = 256", "send_windw = 256", "unknown field `send_windw`"),
        ("jitter_percent = 20", "jitter_percent = 101", "at most 100"),
        ("decline_percent = 4.0", "decline_percent = 140.0", "decline_percent"),
        ("# codes = \"codes.toml\"", "codes = \"none.toml\"", "cannot read the codes `none.toml`"),
        ("hub_key_id = \"hub-1\"", "hub_key_id = \"\"", "`keys.hub_key_id`"),
    ] {
        let text = example();
        assert!(text.contains(right), "the example lacks {right}");
        let told = problems(&text.replace(right, wrong));
        assert!(told.contains(named), "{wrong}: {told}");
    }
}

#[tokio::test]
async fn the_example_of_an_office_with_a_service_of_its_own_would_run() {
    let text = example().replace("office = \"simulated\"", "office = \"http\"");
    let soap =
        text.replace("examples/http-office/work.json", "examples/http-office/submit.xml").replace(
            "# template_file = \"examples/http-office/query.xml",
            "template_file = \"examples/http-office/query.xml",
        );
    for text in [text, soap] {
        let given = Config::parse(&text, Path::new("x"), Path::new("../deploy")).unwrap();
        let Office::Http(settings) = given.office else { panic!("the office's service") };
        let lines = http::check(&settings).await;
        assert!(lines.iter().take(2).all(|it| it.level == Level::Fine), "{lines:?}");
    }
}

#[test]
fn the_codes_of_the_office_are_read_with_the_file_that_names_them() {
    let text = example().replace("# codes = \"codes.toml\"", "codes = \"codes.example.toml\"");
    let given = Config::parse(&text, Path::new("x"), Path::new("../deploy")).unwrap();
    assert_eq!(given.codes.item(events::vocabulary::Item::Reissue), Ok("BF"));
}

#[test]
fn a_collector_that_this_build_cannot_reach_is_refused_by_name() {
    let text = example().replace("# otlp_endpoint", "otlp_endpoint");
    match Config::parse(&text, Path::new("x"), Path::new("../deploy")) {
        Ok(given) => assert!(cfg!(feature = "otlp") && given.telemetry.endpoint().is_some()),
        Err(error) => {
            let told = crate::check::chain(&error);
            assert!(!cfg!(feature = "otlp") && told.contains("--features otlp"), "{told}");
        }
    }
}

#[test]
fn all_problems_are_told_at_once() {
    let text = example()
        .replace("province = \"22\"", "province = \"71\"")
        .replace("send_window = 256", "send_window = 0");
    let told = problems(&text);
    assert!(told.contains("2 problem(s)") && told.contains("`province`"), "{told}");
}
