//! The executable as anybody meets it first: it says who it is, explains itself, and ends with 2 when used wrongly.
#![allow(clippy::unwrap_used)] // helpers of tests; the lint only knows the tests themselves

use std::process::{Command, Output};

fn hub(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_hub")).args(arguments).output().unwrap()
}

#[test]
fn it_tells_its_version_and_explains_itself_on_stdout() {
    let version = hub(&["--version"]);
    assert_eq!(version.status.code(), Some(0));
    assert!(String::from_utf8(version.stdout).unwrap().starts_with("hub "));
    let help = hub(&["--help"]);
    assert_eq!((help.status.code(), help.stderr.len()), (Some(0), 0));
    assert!(String::from_utf8(help.stdout).unwrap().contains("跨省通办"));
}

#[test]
fn used_wrongly_it_says_so_on_stderr_and_ends_with_2() {
    for arguments in [&[][..], &["dance"][..], &["verify", "--colour"][..]] {
        let output = hub(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(!output.stderr.is_empty(), "{arguments:?}");
    }
}
