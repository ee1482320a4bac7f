//! What a newcomer types from `deploy/province-guide.md`, word for word: the first case in the sandbox and the
//! certificate, with the office in Python and with the one in Java.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use tests::broker::{VERSIONS, WAIT_MAX, server};
use tests::office::Language;
use tests::program::command;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;

/// A whole certification: 26 scenarios, some with a dozen starts of a Java machine, beside other tests.
const CERTIFY_MAX: std::time::Duration = std::time::Duration::from_secs(600);

/// Seconds. A Java machine that compiles its program at each start takes its time beside other tests; a
/// newcomer's machine is quiet and needs no such word.
const PATIENCE_S: &str = "90";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// The adapter's command as it stands in the guide.
fn adapter(office: &str) -> String {
    let guide = std::fs::read_to_string(root().join("deploy/province-guide.md")).unwrap();
    assert!(guide.contains(office), "the guide does not name `{office}`");
    let python =
        "deploy/examples/certify-pull.sh {config} python3 deploy/examples/python-office/office.py";
    let lines = guide.lines().filter(|it| it.starts_with("target/release/province-adapter "));
    let typed: Vec<&str> = lines.filter(|it| it.contains(python)).collect();
    assert_eq!(typed.len(), 2, "`sandbox` and `certify`, each once: {typed:?}");
    python.replace("python3 deploy/examples/python-office/office.py", office)
}

/// `province-adapter`, at the root of the project as the guide says.
fn typed(role: &str, adapter: &str, nats: &Path, out: &Path) -> Command {
    let mut command = command("province-adapter");
    command.current_dir(root()).args([role, "--adapter", adapter, "--nats-server"]);
    command.arg(nats).arg("--out").arg(out).stderr(Stdio::piped()).stdout(Stdio::piped());
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

async fn tries(language: Language, office: &str) {
    let test = format!("a newcomer with {language:?}");
    if !language.at_hand(&test).await {
        return;
    }
    let Some((nats, _)) = server(&test, VERSIONS[1]).await else { return };
    let folder = tempfile::tempdir().unwrap();
    let adapter = adapter(office);
    let mut sandbox = typed("sandbox", &adapter, &nats, &folder.path().join("sandbox"));
    let mut sandbox = sandbox.spawn().unwrap();
    let mut lines = BufReader::new(sandbox.stderr.take().unwrap()).lines();
    let completed = async {
        let mut told = String::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            told.push_str(&line);
            if line.contains("T1 completed") {
                return;
            }
        }
        panic!("the sandbox ended: {told}");
    };
    tokio::time::timeout(WAIT_MAX, completed).await.expect("a first completed case");
    // As Ctrl-C does: what it started ends with it.
    tests::program::signal(&sandbox, "INT").await;
    tokio::time::timeout(WAIT_MAX, sandbox.wait()).await.expect("it ends").unwrap();

    let out = folder.path().join("conformance");
    let mut certify = typed("certify", &adapter, &nats, &out);
    certify.args(["--patience-s", PATIENCE_S]);
    let ended = certify.output();
    let ended = tokio::time::timeout(CERTIFY_MAX, ended).await.expect("it ends").unwrap();
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert_eq!(ended.status.code(), Some(0), "{language:?}: {told}");
    let report = std::fs::read(out.join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(
        (&report["verdict"], report["findings"].as_object().map(|it| it.len())),
        (&Value::from("pass"), Some(0)),
        "{language:?}: {told}"
    );
    assert!(out.join("certificate.json").is_file() && out.join("report.html").is_file());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guides_three_commands_lead_to_a_case_and_a_certificate_with_the_office_in_python() {
    tries(Language::Python, "python3 deploy/examples/python-office/office.py").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_with_the_office_in_java_and_zero_findings() {
    tries(Language::Java, "java deploy/examples/java-office/Office.java").await;
}
