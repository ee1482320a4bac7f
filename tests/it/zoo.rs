//! The conformance kit against a good adapter, the Python one, and a zoo of broken ones: each defect by name.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use province_adapter::conformance::report::Report;
use province_adapter::conformance::{Settings, Start, findings, run};
use tests::alone::alone;
use tests::broker::{VERSIONS, province, server};
use tests::python;
use tests::zoo::Defect;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// Animals that are looked at at the same time: each mostly waits.
const AT_ONCE: usize = 6;
/// How long the kit waits for what does not come. A good adapter needs a fraction of a second.
const PATIENCE: Duration = Duration::from_secs(12);
/// A whole run on a busy machine.
const PATIENCE_OF_A_WHOLE_RUN: Duration = Duration::from_secs(30);

fn page() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/v1/zoo.md"))
}

async fn examine(nats_server: &Path, command: String, only: &[&str], patience: Duration) -> Report {
    let folder = tempfile::tempdir().expect("a folder");
    let mut settings = Settings::new(province(22), folder.path().to_owned());
    settings.nats_server = Some(nats_server.to_owned());
    settings.patience = patience;
    settings.only = only.iter().map(|it| (*it).to_owned()).collect();
    run(&settings, Start::Command(command)).await.expect("the kit does its work")
}

fn animal(name: &str) -> String {
    format!("{} {name} '{{config}}'", env!("CARGO_BIN_EXE_zoo"))
}

/// What was found, and in which words, for whoever reads a failed test.
fn told(report: &Report) -> String {
    let found = report.scenarios.iter().flat_map(|scenario| {
        scenario.findings.iter().map(|it| format!("{}: {}: {}", scenario.name, it.finding, it.seen))
    });
    found.collect::<Vec<_>>().join("\n")
}

fn assert_clean(who: &str, report: &Report) {
    assert!(report.findings.is_empty(), "{who}:\n{}", told(report));
    let not_run: Vec<_> = report.scenarios.iter().filter(|it| it.not_run.is_some()).collect();
    assert!(not_run.is_empty(), "{who}: {} scenarios did not run", not_run.len());
    assert!(report.scenarios.len() >= 20, "{who}: all scenarios are played");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_adapter_over_the_raw_wire_passes_with_no_finding() {
    let Some((nats, _)) = server("the good animal", VERSIONS[0]).await else { return };
    let report = examine(&nats, animal("good"), &[], PATIENCE_OF_A_WHOLE_RUN).await;
    assert_clean("the good animal", &report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_adapter_passes_with_no_finding() {
    let Some((nats, _)) = server("the kit and Python", VERSIONS[0]).await else { return };
    let Some(interpreter) = python::python("the kit and Python").await else { return };
    let adapter = python::folder().join("adapter.py");
    let command = format!("{} -B {} '{{config}}'", interpreter.display(), adapter.display());
    let report = examine(&nats, command, &[], PATIENCE_OF_A_WHOLE_RUN).await;
    assert_clean("the adapter in Python", &report);
}

/// A busy machine may keep the kit from seeing what it came for. So whoever was not called by its name is
/// looked at once more, alone and with more patience; what is wrong then is wrong.
async fn look_again(
    nats: &Path,
    unclear: &[Defect],
    found: &mut BTreeMap<&str, String>,
) -> Vec<String> {
    let mut wrong = Vec::new();
    for defect in unclear {
        let (name, wanted) = (defect.name(), defect.finding());
        let report =
            examine(nats, animal(name), &[defect.scenario()], PATIENCE_OF_A_WHOLE_RUN).await;
        found.insert(name, names(&report));
        if !report.findings.contains_key(wanted) {
            wrong.push(format!("{name}: not called `{wanted}`:\n{}", told(&report)));
        }
    }
    wrong
}

fn names(report: &Report) -> String {
    report.findings.keys().cloned().collect::<Vec<_>>().join(", ")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_kit_names_every_animals_defect_and_the_page_tells_it() {
    let _alone = alone().await;
    let Some((nats, _)) = server("the zoo", VERSIONS[0]).await else { return };
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut looking = JoinSet::new();
    for defect in Defect::ALL.iter().copied() {
        let (nats, places) = (nats.clone(), places.clone());
        looking.spawn(async move {
            let _place = places.acquire().await.expect("nobody closes the zoo");
            (defect, examine(&nats, animal(defect.name()), &[defect.scenario()], PATIENCE).await)
        });
    }
    let mut found: BTreeMap<&str, String> = BTreeMap::new();
    let mut unclear = Vec::new();
    while let Some(looked) = looking.join_next().await {
        let (defect, report) = looked.expect("the kit does not panic");
        found.insert(defect.name(), names(&report));
        if !report.findings.contains_key(defect.finding()) {
            unclear.push(defect);
        }
    }
    let wrong = look_again(&nats, &unclear, &mut found).await;
    let table = table();
    // Straight to the terminal: what is printed normally is swallowed when a test passes.
    let _ = write!(std::io::stderr(), "{table}");
    for (name, findings) in &found {
        let _ = writeln!(std::io::stderr(), "{name}: {findings}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    let told = fs::read_to_string(page()).unwrap_or_default();
    assert!(told.contains(&table), "schemas/v1/zoo.md does not hold this table:\n{table}");
}

/// What the kit says of each: the rows that stand in the page, and that the tests above make true.
fn table() -> String {
    let mut out =
        String::from("| adapter | what it does | finding | shown by |\n|---|---|---|---|\n");
    out += "| `good` | everything right, over the raw wire | none | every scenario |\n";
    out += "| `python-adapter` | written from the contract alone | none | every scenario |\n";
    for it in Defect::ALL {
        let (name, says) = (it.name(), it.says());
        out += &format!("| `{name}` | {says} | `{}` | `{}` |\n", it.finding(), it.scenario());
    }
    out
}

#[test]
fn the_zoo_is_large_enough_and_every_finding_it_needs_is_in_the_kits_list() {
    assert!(Defect::ALL.len() >= 24, "{} animals", Defect::ALL.len());
    let names: BTreeSet<_> = Defect::ALL.iter().map(|it| it.name()).collect();
    assert_eq!(names.len(), Defect::ALL.len(), "every animal has a name of its own");
    for it in Defect::ALL {
        assert!(findings::find(it.finding()).is_some(), "the kit has no `{}`", it.finding());
        assert_eq!(Defect::of(it.name()), Some(*it));
    }
}
