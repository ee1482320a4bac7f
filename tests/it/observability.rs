//! What somebody is called for at night: every alert fires, has a page to turn to, and counts what the hub counts.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use events::vocabulary::AlertKind;
use serde_json::Value;
use tests::broker::{TestBroker, VERSIONS};
use tests::debian::run;
use tests::program::HubFolder;
use tests::promtool::promtool;

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

fn read(name: &str) -> String {
    fs::read_to_string(deploy().join(name)).unwrap_or_else(|it| panic!("{name}: {it}"))
}

fn rules() -> Vec<Value> {
    let whole: Value = serde_saphyr::from_str(&read("prometheus/alerts.yml")).unwrap();
    whole["groups"][0]["rules"].as_array().unwrap().clone()
}

fn names() -> BTreeSet<String> {
    rules().iter().map(|it| it["alert"].as_str().unwrap().to_owned()).collect()
}

fn panels() -> Vec<Value> {
    let whole: Value = serde_json::from_str(&read("grafana/hub.json")).unwrap();
    whole["panels"].as_array().unwrap().clone()
}

fn expressions() -> Vec<String> {
    let text = |it: &Value| it["expr"].as_str().expect("an expression").to_owned();
    let shown = panels();
    let targets = shown.iter().filter_map(|it| it["targets"].as_array()).flatten();
    rules().iter().chain(targets).map(text).collect()
}

/// The hub's metrics in an expression, as they are told: without what a histogram adds.
fn metrics_in(expression: &str) -> BTreeSet<String> {
    let words = expression.split(|it: char| !(it.is_alphanumeric() || it == '_'));
    let ours = words.filter(|it| it.starts_with("hub_"));
    ours.map(|it| it.trim_end_matches("_bucket").to_owned()).collect()
}

fn used() -> BTreeSet<String> {
    expressions().iter().flat_map(|it| metrics_in(it)).collect()
}

/// Anchors of the runbook, each with its text.
fn entries() -> Vec<(String, String)> {
    let book = read("runbook.md");
    let entry = |it: &str| {
        let (head, text) = it.split_once('\n').unwrap();
        (head.trim().to_owned(), text.to_owned())
    };
    book.split("\n## ").skip(1).map(entry).collect()
}

#[tokio::test]
async fn promtool_finds_that_every_alert_fires_when_it_should_and_not_before() {
    let Some(program) = promtool("promtool judges the alerts").await else { return };
    let (program, folder) = (program.to_str().unwrap(), deploy().join("prometheus"));
    for judged in [
        ["check", "rules", "alerts.yml"],
        ["check", "config", "prometheus.example.yml"],
        ["test", "rules", "alerts.test.yml"],
    ] {
        run(program, &judged, &folder).await.unwrap_or_else(|it| panic!("{it}"));
    }
    // It would notice: the same tests with a broker that is never away.
    let other = tempfile::tempdir().unwrap();
    let blunt = read("prometheus/alerts.yml").replace("hub_broker_up == 0", "hub_broker_up == 2");
    fs::write(other.path().join("alerts.yml"), blunt).unwrap();
    fs::write(other.path().join("alerts.test.yml"), read("prometheus/alerts.test.yml")).unwrap();
    let told = run(program, &["test", "rules", "alerts.test.yml"], other.path()).await;
    assert!(told.unwrap_err().contains("HubBrokerAway"));
}

#[test]
fn every_alert_is_tested_says_how_bad_it_is_and_speaks_chinese_and_english() {
    let tested = read("prometheus/alerts.test.yml");
    for rule in rules() {
        let name = rule["alert"].as_str().unwrap();
        assert!(tested.contains(&format!("{{alertname=\"{name}\"}}")), "{name} is never fired");
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");
        let summary = rule["annotations"]["summary"].as_str().unwrap();
        assert!(summary.chars().any(|it| ('\u{4e00}'..='\u{9fff}').contains(&it)), "{name}");
        assert!(rule["annotations"]["summary_en"].as_str().unwrap().is_ascii(), "{name}");
    }
}

#[test]
fn every_alert_leads_to_its_entry_in_the_runbook_and_every_entry_names_alerts_that_exist() {
    let entries = entries();
    for rule in rules() {
        let name = rule["alert"].as_str().unwrap();
        let link = rule["annotations"]["runbook_url"].as_str().unwrap();
        let anchor = link.strip_prefix("deploy/runbook.md#").expect("a link to the runbook");
        let entry = entries.iter().find(|it| it.0 == anchor);
        let text = &entry.unwrap_or_else(|| panic!("{name}: no entry `{anchor}`")).1;
        let lines: Vec<_> = text.lines().filter(|it| it.starts_with("Alert: ")).collect();
        assert!(lines.iter().any(|it| it.contains(&format!("`{name}`"))), "{name} at {anchor}");
    }
    let known = names();
    for (anchor, text) in &entries {
        for line in text.lines().filter(|it| it.starts_with("Alert: ")) {
            for name in line.split('`').skip(1).step_by(2) {
                assert!(known.contains(name), "{anchor} names {name}, which is no alert");
            }
        }
        for link in text.split("](#").skip(1) {
            let to = link.split(')').next().unwrap();
            assert!(entries.iter().any(|it| it.0 == to), "{anchor} leads to `{to}`");
        }
    }
    for kind in AlertKind::ALL {
        assert!(
            entries.iter().any(|it| it.0 == kind.code()),
            "{kind:?} of the console has no entry"
        );
    }
}

#[test]
fn alerts_and_panels_use_only_metrics_that_the_hub_describes() {
    let described: BTreeSet<_> = hub::telemetry::names().collect();
    for expression in expressions() {
        let found = metrics_in(&expression);
        assert!(!found.is_empty() || expression.contains("up{job="), "{expression}");
        for name in found {
            assert!(described.contains(name.as_str()), "`{name}` in `{expression}`");
        }
    }
    for panel in panels() {
        let targets = panel["targets"].as_array().map_or(0, Vec::len);
        assert!(targets > 0 || panel["type"] == "row", "{panel} shows nothing");
    }
}

#[tokio::test]
async fn every_metric_of_an_alert_or_a_panel_is_in_a_scrape_of_a_hub_that_has_worked() {
    let name = "every metric is in a scrape";
    let Some(broker) = TestBroker::start(name, VERSIONS[0], &[22]).await else { return };
    let folder = HubFolder::new(&broker.url(), &broker.hub_key);
    std::fs::write(folder.at("duty.secret"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let text = std::fs::read_to_string(folder.at("hub.toml")).unwrap();
    let text = text.replace("[http]", "[http]\npublic_url = \"https://hub.test\"");
    std::fs::write(folder.at("hub.toml"), text).unwrap();
    folder.add(
        "\n[[alerts.webhooks]]\nname = \"duty\"\nurl = \"http://127.0.0.1:9/\"\n\
         secret_file = \"duty.secret\"\n",
    );
    let mut serving = folder.serve().await;
    let _ = folder.adapter(&broker.url(), tests::broker::province(22), broker.keys(22));
    folder.hub(&["province", "enroll", "22", &folder.text("request.json")]).await.with(0);
    serving.submit(0).await;
    let missing = |scrape: &str| -> Vec<String> {
        let there = |name: &String| {
            scrape.lines().any(|it| {
                it.strip_prefix(name.as_str())
                    .is_some_and(|rest| rest.starts_with(['{', ' ']) || rest.starts_with("_bucket"))
            })
        };
        used().into_iter().filter(|it| !there(it)).collect()
    };
    // One look later the gauges know of the province; a look is ten seconds after the other.
    let told = [
        "hub_adapter_up{province=\"22\"} 0",
        "hub_alert_messages_total{carrier=\"webhook-duty\",outcome=\"given-up\"} 0",
        "hub_broker_up 1",
        "hub_events_appended_total{type=\"case.submitted.v1\",province=\"22\"} 1",
        "hub_ready 1",
        "hub_sla_due{province=\"22\",state=\"open\"} 1",
        "hub_province_keys{province=\"22\",purpose=\"sign\"} 1",
    ];
    let mut last = Vec::new();
    let complete = tokio::time::timeout(Duration::from_secs(90), async {
        loop {
            let scrape = serving.metrics().await;
            last = missing(&scrape);
            last.extend(told.iter().filter(|it| !scrape.contains(**it)).map(|it| (*it).to_owned()));
            if last.is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    assert!(complete.await.is_ok(), "never in the scrape: {last:?}");
    assert!(serving.stop().await.success());
}
