//! The conformance kit against our own sidecar, and the sandbox against production.

use std::path::Path;

use hub::nats::keys::UserKey;
use hub::nats::release::OLDEST;
use hub::nats::render::{BrokerPlan, ProvinceUsers, render};
use province_adapter::conformance::{self, Settings, Start, findings};
use tests::broker::{Version, province, server};
use tests::program::program;

/// The kit's settings in `folder`; none if there is no broker to play with.
async fn settings(test: &str, folder: &Path) -> Option<Settings> {
    let (binary, _) = server(test, Version::Debian29).await?;
    let mut settings = Settings::new(province(22), folder.to_owned());
    settings.nats_server = Some(binary);
    Some(settings)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn our_sidecar_passes_every_scenario_with_zero_findings() {
    let folder = tempfile::tempdir().unwrap();
    let Some(settings) = settings("conformance of the sidecar", folder.path()).await else {
        return;
    };
    let sidecar = program("province-adapter");
    let command = format!("'{}' --config {{config}}/adapter.toml serve", sidecar.display());
    let report = conformance::run(&settings, Start::Command(command)).await.unwrap();
    assert_eq!(report.names(), Vec::<&str>::new(), "{}", report.to_json());
    assert_eq!(report.verdict, conformance::report::Verdict::Pass);
    assert_eq!(report.scenarios.len(), conformance::scenarios::names().count());
    assert!(report.adapter.unwrap().starts_with("province-adapter/"));
}

/// The sandbox renders its accounts itself, because the adapter must not know the hub.
#[test]
fn the_sandbox_allows_a_province_exactly_what_production_allows_it() {
    let (hub, adapter) = (UserKey::generate().unwrap(), UserKey::generate().unwrap());
    let users = vec![adapter.public().to_owned()];
    let provinces = vec![ProvinceUsers { province: province(22), users }];
    let mut plan = BrokerPlan::loopback(OLDEST, hub.public(), provinces, 1 << 30);
    plan.store_dir = "store".into();
    let production = render(&plan).unwrap();
    let sandbox = conformance::province_account(province(22), adapter.public());
    assert!(production.contains(&sandbox), "{sandbox}\n--- is not in ---\n{production}");
}

#[test]
fn the_published_page_names_every_finding_and_no_other() {
    let page = include_str!("../../schemas/v1/conformance.md");
    let named: Vec<&str> = page
        .lines()
        .filter_map(|it| it.strip_prefix("| `")?.split_once("` | "))
        .filter(|it| !it.0.contains('.') && findings::find(it.0).is_some())
        .map(|it| it.0)
        .collect();
    let known: Vec<&str> = findings::all().keys().map(String::as_str).collect();
    assert_eq!(named, known, "write the table anew from findings.toml");
    for (name, finding) in findings::all() {
        let row = format!("| `{name}` | {} | {} |", finding.seen.zh, finding.seen.en);
        assert!(page.contains(&row), "{row}");
    }
}
