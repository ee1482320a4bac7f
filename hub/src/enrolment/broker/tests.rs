//! What is rendered from the log, and whom a signal never reaches.

use events::envelope::{Actor, Envelope, Event};
use events::ids::{EventId, StreamName};
use events::province::{KeyRegistered, ProvinceEnrolled, ProvinceEvent};

use jiff::Timestamp;

use super::*;
use crate::log::memory::MemoryLog;
use crate::log::{Append, EventLog as _, Expected};

fn province(code: u8) -> ProvinceCode {
    ProvinceCode::new(code).unwrap()
}

fn user() -> String {
    nkeys::KeyPair::new_user().public_key()
}

fn connect(code: u8, nth: u32, public_key: &str) -> ProvinceEvent {
    let (key_id, algorithm) = (format!("{code}-connect-{nth}"), "nkey".to_owned());
    let (purpose, public_key) = (KeyPurpose::Connect, public_key.to_owned());
    KeyRegistered { key_id, purpose, algorithm, public_key }.into()
}

fn log_of(stories: &[(u8, Vec<ProvinceEvent>)]) -> MemoryLog {
    let mut log = MemoryLog::new("hub.test/log");
    let mut nth = 0;
    for (code, events) in stories {
        let stream = StreamName::Province(province(*code));
        let joined: ProvinceEvent = ProvinceEnrolled { operator: "o".into() }.into();
        let events: Vec<Envelope> = std::iter::once(&joined)
            .chain(events)
            .map(|event| {
                nth += 1;
                Envelope {
                    id: EventId(uuid::Uuid::from_u128(nth)),
                    stream,
                    occurred_at: Timestamp::UNIX_EPOCH,
                    actor: Actor::Hub,
                    caused_by: None,
                    event: Event::Province(event.clone()),
                    sealed: None,
                    evidence: None,
                }
            })
            .collect();
        let recorded_at = Timestamp::UNIX_EPOCH;
        let append =
            Append { stream, expected: Expected::NoStream, recorded_at, events, key: None };
        log.append(vec![append]).unwrap().remove(0).unwrap();
    }
    log
}

fn keeper(folder: &Path, pid_file: Option<PathBuf>, hub: &str) -> BrokerKeeper {
    let config = ServerConfig {
        config_file: folder.join("nats.conf"),
        pid_file,
        tls_cert_file: None,
        tls_key_file: None,
        release: "2.9.10".into(),
        host: "127.0.0.1".into(),
        port: 4222,
        store_dir: "/var/lib/nats".into(),
        store_bytes_max: None,
        sync_always: false,
    };
    BrokerKeeper::new(Some((config, Release::new(2, 9, 10))), hub)
}

#[test]
fn a_key_that_is_none_or_somebody_elses_keeps_nobody_out_but_its_own_province() {
    let (hub, first, second) = (user(), user(), user());
    let log = log_of(&[
        (22, vec![connect(22, 1, &first), connect(22, 2, "U\"}"), connect(22, 3, &second)]),
        (23, vec![connect(23, 1, &first)]),
        (31, vec![connect(31, 1, &hub)]),
    ]);
    let membership = log.readers().read(|log| Membership::load(log)).unwrap();
    let all = users(&membership, &hub);
    assert_eq!(all.len(), 32, "an account for each, joined or not");
    let users: Vec<_> = all.into_iter().filter(|it| !it.users.is_empty()).collect();
    assert_eq!(users, [ProvinceUsers { province: province(22), users: vec![first, second] }]);
}

#[tokio::test]
async fn the_file_follows_the_log_and_is_written_only_when_it_differs() {
    let folder = tempfile::tempdir().unwrap();
    let (hub, first) = (user(), user());
    let log = log_of(&[(22, vec![connect(22, 1, &first)])]);
    let keeper = keeper(folder.path(), None, &hub);
    assert_eq!(keeper.look(&log.readers()).await.unwrap(), Told::Written);
    assert_eq!(keeper.look(&log.readers()).await.unwrap(), Told::Unchanged);
    let wrote = |text: &str| same_accounts(text, &text.replace(&first, &user()));
    assert!(wrote(&fs::read_to_string(folder.path().join("nats.conf")).unwrap()));
    assert!(!same_accounts("", "  P22: {"));
    let file = folder.path().join("nats.conf");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(&first) && text.contains("P22: {"));
    fs::write(&file, "edited by somebody").unwrap();
    assert_eq!(keeper.look(&log.readers()).await.unwrap(), Told::Written);
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn whoever_asks_hears_of_a_change_that_the_slow_tick_was_faster_to_tell() {
    let folder = tempfile::tempdir().unwrap();
    let log = log_of(&[(22, vec![connect(22, 1, &user())])]);
    let keeper = keeper(folder.path(), None, &user());
    let before = keeper.news().await;
    assert_eq!(keeper.look(&log.readers()).await.unwrap(), Told::Written, "the slow tick");
    assert_eq!(keeper.look_since(before, &log.readers()).await.unwrap(), Told::Written);
    let now = keeper.news().await;
    assert_eq!(keeper.look_since(now, &log.readers()).await.unwrap(), Told::Unchanged);
}

#[tokio::test]
async fn a_process_that_is_no_nats_server_is_never_signalled() {
    let folder = tempfile::tempdir().unwrap();
    let mut stranger = Command::new("sleep").arg("60").kill_on_drop(true).spawn().unwrap();
    let pid_file = folder.path().join("nats.pid");
    fs::write(&pid_file, stranger.id().unwrap().to_string()).unwrap();
    let keeper = keeper(folder.path(), Some(pid_file), &user());
    let log = log_of(&[(22, vec![connect(22, 1, &user())])]);
    assert_eq!(keeper.look(&log.readers()).await.unwrap(), Told::Failed);
    assert!(stranger.try_wait().unwrap().is_none(), "a SIGHUP would have ended it");
    // What is owed is not forgotten.
    assert_eq!(keeper.look(&log.readers()).await.unwrap(), Told::Failed);
}
