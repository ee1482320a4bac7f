//! The sidecar as an operator meets it: exit codes, and answers in plain words.
#![allow(clippy::unwrap_used)] // helpers of tests; the lint only knows the tests themselves

use std::path::Path;
use std::process::{Command, Output};

fn adapter(arguments: &[&str], config: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_province-adapter"))
        .args(arguments)
        .arg("--config")
        .arg(config)
        .output()
        .unwrap()
}

fn example_with_keys(folder: &Path) -> std::path::PathBuf {
    let keys = province_adapter::keys::generate().unwrap();
    std::fs::create_dir(folder.join("keys")).unwrap();
    std::fs::write(folder.join("keys/22-sign-1.key"), keys.sign_private).unwrap();
    std::fs::write(folder.join("keys/22-seal-1.key"), keys.seal_private).unwrap();
    let config = folder.join("adapter.toml");
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/adapter.example.toml");
    std::fs::copy(example, &config).unwrap();
    config
}

#[test]
fn an_unusable_configuration_ends_with_2_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("adapter.toml");
    std::fs::write(&config, "province = 22").unwrap();
    for role in ["serve", "check", "status"] {
        let output = adapter(&[role], &config);
        assert_eq!(output.status.code(), Some(2), "{role}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("cannot understand"), "{role}");
    }
}

#[test]
fn the_configuration_may_be_named_before_the_role() {
    let folder = tempfile::tempdir().unwrap();
    let config = example_with_keys(folder.path());
    let output = adapter(&[], &config);
    assert_eq!(output.status.code(), Some(2), "no role is a mistake");
    let mut command = Command::new(env!("CARGO_BIN_EXE_province-adapter"));
    let output = command.arg("--config").arg(&config).arg("status").output().unwrap();
    assert_eq!(output.status.code(), Some(1), "understood; there is no store yet");
}

#[test]
fn check_names_what_is_missing_and_ends_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let output = adapter(&["check"], &example_with_keys(folder.path()));
    let told = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("✓ 密钥 the keys: 22-sign-1 = "), "{told}");
    assert!(told.contains("✗ 消息服务器 the broker: cannot read the key file"), "{told}");
}

#[test]
fn status_without_a_store_is_an_answer_of_1() {
    let folder = tempfile::tempdir().unwrap();
    let output = adapter(&["status", "--json"], &example_with_keys(folder.path()));
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
}
