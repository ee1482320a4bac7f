//! The command line without a running hub: what it explains, refuses and counts, and with which exit code.

use std::path::Path;
use std::process::Stdio;

use events::envelope::{Actor, Envelope, Event};
use events::ids::{EventId, StreamName};
use events::keeping::KeepingEvent;
use hub::log::sqlite::SqliteLog;
use hub::log::{Append, EventLog as _, Expected};
use hub::vault::{Vault, VaultConfig};
use serde_json::Value;
use tests::program::{HubFolder, TOLD_START, command, hub, run_with};

const COMMANDS: [&[&str]; 36] = [
    &[],
    &["serve"],
    &["demo"],
    &["verify"],
    &["replay"],
    &["rebuild-views"],
    &["export"],
    &["backup"],
    &["show"],
    &["report"],
    &["report", "monthly"],
    &["report", "quarterly"],
    &["report", "ledger"],
    &["report", "publicity"],
    &["report", "list"],
    &["report", "rerun"],
    &["province"],
    &["province", "enroll"],
    &["province", "pause"],
    &["province", "resume"],
    &["province", "list"],
    &["redrive"],
    &["redrive", "groups"],
    &["redrive", "items"],
    &["redrive", "order"],
    &["redrive", "confirm"],
    &["redrive", "pause"],
    &["redrive", "resume"],
    &["redrive", "cancel"],
    &["redrive", "list"],
    &["calendar"],
    &["calendar", "publish"],
    &["calendar", "show"],
    &["calendar", "due"],
    &["nats", "render"],
    &["check-config"],
];

#[tokio::test]
async fn every_command_explains_itself() {
    for words in COMMANDS {
        let ended = hub(&[words, &["--help"]].concat()).await.with(0);
        assert!(ended.out.contains("Usage: hub"), "{words:?}: {}", ended.out);
        assert!(ended.err.is_empty(), "{words:?}");
    }
}

#[tokio::test]
async fn what_is_used_wrongly_ends_with_2_and_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().to_str().unwrap();
    let pipe = format!("{place}/pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let (around, missing) = (format!("{place}/around"), format!("{place}/missing.toml"));
    std::os::unix::fs::symlink(&around, &around).unwrap();
    let huge = "9".repeat(40);
    let table: &[(&[&str], &str)] = &[
        (&[], "Usage"),
        (&["dance"], "dance"),
        (&["verify", "--colour"], "--colour"),
        (&["demo", "--seed", "1", "--seed", "2"], "cannot be used multiple times"),
        (&["demo", "--cases", "0"], "0 is not in"),
        (&["demo", "--cases", "-1"], "-1"),
        (&["demo", "--cases", &huge], "--cases"),
        (&["demo", "--provinces", "33"], "33 is not in"),
        (&["demo", "--calm", "--kill-every", "2"], "cannot be used with"),
        (&["demo", "--keep", place], "must not exist"),
        (&["export", "x", "--from", "0"], "0 is not in"),
        (&["export", "x", "--from", "-3"], "-3"),
        (&["export"], "required"),
        (&["calendar", "due", "--days", "2"], "required"),
        (&["calendar", "due", "--days", "4000", "2026-02-13"], "4000 is not in"),
        (&["calendar", "due", "--days", "2", "2026-02-30"], "not a date"),
        (&["calendar", "due", "--days", "2", "13.2.2026"], "not a date"),
        (&["calendar", "due", "--days", "2", "99999-01-01"], "not a date"),
        (&["calendar", "show", "--with", "/dev/zero"], "not a file"),
        (&["calendar", "publish", &pipe], "not a file"),
        (&["province", "pause", "22"], "--reason"),
        (&["province", "pause", "71", "--reason", "x"], "71"),
        (&["province", "enroll", "22", "/dev/zero"], "not a file"),
        (&["verify", "--log", &missing], "cannot read"),
        (&["verify", "--log", place], "is not a file"),
        (&["verify", "--log", &pipe], "is not a file"),
        (&["verify", "--log", "/dev/zero"], "is not a file"),
        (&["verify", "--log", &around], "cannot read"),
        (&["verify", "--log", "x", "--hub-key", "short"], "key"),
        // Base64url may begin so.
        (&["verify", "--log", "x", "--hub-key", "-7short"], "key"),
        (&["--config", &missing, "check-config"], "cannot read the configuration"),
        (&["--config", place, "check-config"], "not a file"),
        (&["--config", &pipe, "serve"], "not a file"),
        (&["--config", "/dev/zero", "replay"], "not a file"),
        (&["--config", &missing, "show", "x"], "cannot read"),
    ];
    for (arguments, named) in table {
        let ended = hub(arguments).await;
        assert_eq!(ended.code, Some(2), "{arguments:?}: {ended:?}");
        assert!(ended.err.contains(named), "{arguments:?} does not name `{named}`: {}", ended.err);
        assert!(ended.out.is_empty(), "{arguments:?}: {}", ended.out);
    }
}

#[tokio::test]
async fn what_was_typed_cannot_move_the_cursor() {
    let red = "\u{1b}[31m\u{1b}]0;title\u{7}";
    let table: [&[&str]; 6] = [
        &[red],
        &["verify", "--log", red],
        &["verify", red],
        &["--config", red, "check-config"],
        &["calendar", "due", "--days", "2", red],
        &["demo", "--cases", red],
    ];
    for arguments in table {
        let mut loud = command("hub");
        // As on a terminal: otherwise a library takes the colours out before we can forget to.
        loud.args(arguments).env("CLICOLOR_FORCE", "1");
        let ended = run_with(loud, "").await.with(2);
        let raw = |it: char| it.is_control() && it != '\n';
        assert!(!ended.err.contains(raw) && !ended.out.contains(raw), "{arguments:?}: {ended:?}");
    }
}

#[tokio::test]
async fn one_process_counts_all_published_vectors_and_says_exactly_five_things() {
    let vectors = include_str!("../../schemas/calendars/workday-vectors.json");
    let vectors: Vec<Value> = serde_json::from_str(vectors).unwrap();
    let dates: Vec<_> = vectors.iter().map(|it| it["submitted"].as_str().unwrap()).collect();
    let mut due = command("hub");
    due.args(["calendar", "due", "--days", "2", "--json", "-"]);
    let lines = run_with(due, &(dates.join("\n") + "\n\n")).await.with(0).lines();
    assert_eq!(lines.len(), vectors.len());
    for (vector, line) in vectors.iter().zip(&lines) {
        assert_eq!((&line["from"], &line["due"]), (&vector["submitted"], &vector["accept_due"]));
        let keys: Vec<_> = line.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(keys, ["days", "due", "from", "paper", "provisional"]);
    }
    let accepted: Vec<_> = lines.iter().map(|it| it["due"].as_str().unwrap()).collect();
    let mut due = command("hub");
    due.args(["calendar", "due", "--days", "3", "--json", "-"]);
    let lines = run_with(due, &accepted.join("\r\n")).await.with(0).lines();
    for (vector, line) in vectors.iter().zip(&lines) {
        assert_eq!(line["due"], vector["complete_due_if_accepted_on_due_day"], "{line}");
    }
}

#[tokio::test]
async fn three_days_that_everybody_can_check_on_a_wall_calendar() {
    let table = [
        ("2026-02-13", "2026-02-24", false),
        ("2026-02-12", "2026-02-14", false),
        ("2026-12-30", "2027-01-01", true),
    ];
    for (from, due, provisional) in table {
        let lines = hub(&["calendar", "due", "--days", "2", "--json", from]).await.with(0).lines();
        assert_eq!(lines.len(), 1);
        assert_eq!((&lines[0]["due"], &lines[0]["days"]), (&due.into(), &2.into()), "{from}");
        assert_eq!(lines[0]["provisional"], provisional, "{from}");
        assert!(lines[0]["paper"].as_str().unwrap().contains("国办发明电"), "{}", lines[0]);
    }
    let people = hub(&["calendar", "due", "--days", "2", "2026-12-30"]).await.with(0);
    assert!(people.out.contains("暂定 provisional"), "{}", people.out);
}

#[tokio::test]
async fn the_calendar_is_shown_with_its_papers_and_what_nobody_published_is_a_no() {
    let mut plain = command("hub");
    plain.args(["calendar", "show", "2026"]);
    plain.envs([("LANG", "C"), ("LC_ALL", "C"), ("COLUMNS", "1")]);
    let shown = run_with(plain, "").await.with(0);
    assert!(shown.out.contains("国办发明电〔2025〕7号"), "{}", shown.out);
    let json = hub(&["calendar", "show", "--json"]).await.with(0).json();
    assert_eq!(json.as_array().unwrap().len(), 7, "2020 to 2026");
    let missing = hub(&["calendar", "show", "2031"]).await.with(1);
    assert!(missing.err.contains("nobody has published"), "{}", missing.err);
    assert!(missing.out.is_empty());
}

#[tokio::test]
async fn a_closed_pipe_is_no_failure() {
    let mut due = command("hub");
    due.args(["calendar", "due", "--days", "2", "--json", "-"]);
    let pipes = due.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    drop(child.stdout.take());
    let mut stdin = child.stdin.take().unwrap();
    // Only now is there something to say, and nobody who listens.
    tokio::io::AsyncWriteExt::write_all(&mut stdin, b"2026-02-13\n").await.unwrap();
    drop(stdin);
    let output = child.wait_with_output().await.unwrap();
    assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &b""[..]));
}

#[tokio::test]
async fn a_log_of_no_event_and_of_one_are_logs() {
    for events in [0u64, 1] {
        let folder = HubFolder::alone();
        std::fs::create_dir(folder.at("data")).unwrap();
        make_log(&folder.at("data/log.db"), events);
        let log = folder.text("data/log.db");
        let verified = hub(&["verify", "--log", &log, "--json"]).await.with(0).json();
        assert_eq!((&verified["events"], &verified["verdict"]), (&events.into(), &"ok".into()));
        let keys = VaultConfig {
            origin: tests::program::ORIGIN.to_owned(),
            keys_path: folder.at("data/keys.db"),
            wrapping_key_path: folder.at("hub.wrap"),
        };
        drop(Vault::open(keys).unwrap());
        folder.hub(&["rebuild-views"]).await.with(0);
        let replayed = folder.hub(&["replay", "--json"]).await.with(0).json();
        assert_eq!((&replayed["events"], &replayed["equal"]), (&events.into(), &true.into()));
        let export = folder.text("all.jsonl");
        let exported = folder.hub(&["export", &export]).await;
        match events {
            0 => assert!(exported.with(2).err.contains("no events")),
            _ => {
                exported.with(0);
                hub(&["verify", "--log", &export]).await.with(0);
            }
        }
        folder.hub(&["backup", &folder.text("copy.db")]).await.with(0);
        let nobody = "01890a5d-ac96-774b-bcce-b302099a8057";
        assert!(folder.hub(&["show", nobody]).await.with(1).err.contains("no such case"));
    }
}

/// A log with so many events in it, closed.
fn make_log(path: &Path, events: u64) {
    let mut log = SqliteLog::open(path, tests::program::ORIGIN).unwrap();
    if events == 0 {
        return;
    }
    let event = KeepingEvent::WriterStarted(events::keeping::WriterStarted {
        epoch: log.epoch(),
        hub_version: "0.0.0".to_owned(),
    });
    let envelope = Envelope {
        id: EventId(uuid::Uuid::from_u128(0x0195_5000_0000_7000_8000_0000_0000_0001)),
        stream: StreamName::Keeping,
        occurred_at: TOLD_START.parse().unwrap(),
        actor: Actor::Hub,
        caused_by: None,
        event: Event::Keeping(event),
        sealed: None,
        evidence: None,
    };
    let append = Append {
        stream: StreamName::Keeping,
        expected: Expected::NoStream,
        recorded_at: TOLD_START.parse().unwrap(),
        events: vec![envelope],
        key: None,
    };
    log.append(vec![append]).unwrap()[0].as_ref().unwrap();
}

#[tokio::test]
async fn the_example_configurations_are_usable_once_the_files_they_name_are_there() {
    let folder = HubFolder::alone();
    let example = include_str!("../../deploy/hub.example.toml");
    std::fs::write(folder.at("hub.toml"), example).unwrap();
    let fine = folder.hub(&["check-config"]).await.with(0);
    assert!(fine.err.contains("hub.example/production"), "{}", fine.err);
    // Each table with a setting that does not exist: the refusal lists the ones that do.
    let uncommented = example.replace("# [time_lapse]", "[time_lapse]");
    let tables = [
        "origin =",
        "[http]",
        "[http.limits]",
        "[broker]",
        "[[clients]]",
        "[logging]",
        "[telemetry]",
        "[redrive]",
    ];
    for table in tables {
        let with = match table {
            "origin =" => format!("colour = 1\n{example}"),
            _ => example.replace(table, &format!("{table}\ncolour = 1")),
        };
        std::fs::write(folder.at("hub.toml"), with).unwrap();
        let refused = folder.hub(&["check-config"]).await.with(2);
        let (_, known) = refused.err.split_once("expected").expect("what is known is listed");
        let known: Vec<_> = known.split('`').skip(1).step_by(2).collect();
        assert!(known.len() > 1, "{table}: {}", refused.err);
        for setting in known {
            let listed = ["", ".", "["].map(|before| format!("{before}{setting}]"));
            let listed = [&listed[..], &[format!("{setting} = ")]].concat();
            let told = listed.iter().any(|it| uncommented.contains(it.as_str()));
            assert!(told, "`{setting}` of {table} is not in the example");
        }
    }
}

#[tokio::test]
async fn a_configuration_that_cannot_be_meant_is_refused_and_every_problem_is_named() {
    let folder = HubFolder::alone();
    let good = std::fs::read_to_string(folder.at("hub.toml")).unwrap();
    let table: &[(String, &str)] = &[
        (String::new(), "missing field"),
        ("\u{0}\u{1}\u{2}".to_owned(), "not usable"),
        (good.replace("pace_ms", "pace"), "`pace`"),
        (good.replace("[200, 500, 1000]", "[\"10s\"]"), "pace_ms"),
        (good.replace("[200, 500, 1000]", "[-1]"), "pace_ms"),
        (good.replace("[200, 500, 1000]", "[0]"), "at least 100"),
        (good.replace("[200, 500, 1000]", "[99999999999999999999]"), "not usable"),
        (good.replace("127.0.0.1:0", "127.0.0.1:70000"), "listen"),
        (good.replace("127.0.0.1:0", "localhost"), "listen"),
        (good.replace("checkpoints/", "data/"), "must not lie in `data`"),
        (good.replace("role = \"operator\"", "role = \"king\""), "king"),
        (good.replace("name = \"operator\"", "name = \"national\""), "clients"),
        (good.replace("token_sha256 = \"", "token_sha256 = \"x"), "token_sha256"),
        (good.replace("[http]", "[http]\n[http]"), "duplicate"),
        (good.replace("rate = 1\n", "rate = 0\n"), "rate"),
        (good.replace("origin = \"", "origin = \"two words "), "origin"),
    ];
    for (text, named) in table {
        std::fs::write(folder.at("hub.toml"), text).unwrap();
        for role in ["check-config", "serve"] {
            let refused = folder.hub(&[role]).await.with(2);
            assert!(refused.err.contains(named), "`{named}` is not named: {}", refused.err);
        }
    }
    assert!(!folder.at("data").exists(), "nothing was opened");
    for fine in [
        format!("\u{feff}{good}"),
        good.replace('\n', "\r\n"),
        good.replace("127.0.0.1:0", "[::1]:0"),
    ] {
        std::fs::write(folder.at("hub.toml"), fine).unwrap();
        folder.hub(&["check-config"]).await.with(0);
    }
}

#[tokio::test]
async fn a_key_that_others_may_read_is_not_used() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = HubFolder::alone();
    let keys =
        [("hub.sign", "hub.sign"), ("hub.wrap", "`wrapping_key_file`"), ("hub.nkey", "hub.nkey")];
    for (key, named) in keys {
        let mode =
            |it| std::fs::set_permissions(folder.at(key), std::fs::Permissions::from_mode(it));
        mode(0o644).unwrap();
        let refused = folder.hub(&["serve"]).await.with(2);
        assert!(refused.err.contains(named), "{key}: {}", refused.err);
        mode(0o600).unwrap();
    }
}
