//! What the vault promises, tried: sealed parts stay where they belong, destroyed keys are gone.

use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;
use uuid::Uuid;

use super::*;

const CANARY: &[u8] = b"canary 220102199003078888";

struct Room {
    folder: TempDir,
}

impl Room {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let room = Self { folder };
        Vault::create_wrapping_key(&room.config().wrapping_key_path).unwrap();
        room
    }

    fn config(&self) -> VaultConfig {
        VaultConfig {
            keys_path: self.folder.path().join("keys.db"),
            wrapping_key_path: self.folder.path().join("wrapping.key"),
            origin: "hub.test".to_owned(),
        }
    }

    fn open(&self) -> (Sealer, Opener) {
        Vault::open(self.config()).unwrap()
    }

    fn refusal(&self, config: VaultConfig) -> VaultError {
        match Vault::open(config) {
            Ok(_) => panic!("it should not open"),
            Err(error) => error,
        }
    }

    /// Whether `bytes` are in any file of the room.
    fn holds(&self, bytes: &[u8]) -> bool {
        std::fs::read_dir(self.folder.path()).unwrap().any(|file| {
            let content = std::fs::read(file.unwrap().path()).unwrap();
            content.windows(bytes.len()).any(|it| it == bytes)
        })
    }

    /// A case's wrapped key, read past the vault.
    fn wrapped(&self, case: CaseId) -> Vec<u8> {
        rusqlite::Connection::open(self.config().keys_path)
            .unwrap()
            .query_row(
                "SELECT wrapped FROM case_key WHERE case_id = ?1",
                [case.0.as_bytes().as_slice()],
                |row| row.get(0),
            )
            .unwrap()
    }
}

fn case(number: u128) -> CaseId {
    CaseId(Uuid::from_u128(number))
}

fn event(number: u128) -> EventId {
    EventId(Uuid::from_u128(number))
}

#[test]
fn keys_that_were_begun_aside_are_kept_before_make_durable_returns() {
    let room = Room::new();
    let (mut sealer, _) = room.open();
    let sealed = sealer.seal(case(1), event(1), CANARY).unwrap();
    sealer.begin_durable();
    // Whoever seals in between waits for the file; whoever destroys does, too.
    let second = sealer.seal(case(2), event(2), CANARY).unwrap();
    sealer.begin_durable();
    sealer.destroy(case(2)).unwrap();
    sealer.make_durable().unwrap();
    drop(sealer);
    let (_, opener) = room.open();
    assert_eq!(opener.open(case(1), event(1), &sealed).unwrap(), CANARY);
    let gone = opener.open(case(2), event(2), &second);
    assert!(matches!(gone, Err(VaultError::NoKey { .. })), "destroyed keys stay destroyed");
}

#[test]
fn a_sealed_part_opens_for_its_event_and_case_only() {
    let room = Room::new();
    let (mut sealer, opener) = room.open();
    let sealed = sealer.seal(case(1), event(1), CANARY).unwrap();
    sealer.seal(case(2), event(2), CANARY).unwrap();
    sealer.make_durable().unwrap();
    assert_eq!(opener.open(case(1), event(1), &sealed).unwrap(), CANARY);
    for (case, event) in [(case(1), event(2)), (case(2), event(1)), (case(2), event(2))] {
        let moved = opener.open(case, event, &sealed);
        assert!(matches!(moved, Err(VaultError::DoesNotOpen { .. })), "{case} {event}");
    }
    let never = opener.open(case(3), event(1), &sealed);
    assert!(matches!(never, Err(VaultError::NoKey { .. })));
}

#[test]
fn the_opener_sees_a_key_before_and_after_it_is_durable() {
    let room = Room::new();
    let (mut sealer, opener) = room.open();
    let sealed = sealer.seal(case(1), event(1), CANARY).unwrap();
    assert_eq!(opener.open(case(1), event(1), &sealed).unwrap(), CANARY);
    sealer.make_durable().unwrap();
    assert_eq!(opener.open(case(1), event(1), &sealed).unwrap(), CANARY);
}

#[test]
fn another_handle_sees_the_keys_that_are_durable() {
    let room = Room::new();
    let (mut sealer, opener) = room.open();
    let other = Vault::open_to_read(room.config()).unwrap();
    let sealed = sealer.seal(case(1), event(1), CANARY).unwrap();
    let early = other.open(case(1), event(1), &sealed);
    assert!(matches!(early, Err(VaultError::NoKey { .. })));
    sealer.make_durable().unwrap();
    assert_eq!(other.open(case(1), event(1), &sealed).unwrap(), CANARY);
    assert_eq!(other.reply_key(case(1)).unwrap(), opener.reply_key(case(1)).unwrap());
}

#[test]
fn keys_survive_a_restart_and_a_case_keeps_its_key() {
    let room = Room::new();
    let (mut sealer, opener) = room.open();
    let first = sealer.seal(case(1), event(1), CANARY).unwrap();
    sealer.make_durable().unwrap();
    let reply_key = opener.reply_key(case(1)).unwrap();
    drop((sealer, opener));
    let (mut sealer, opener) = room.open();
    let second = sealer.seal(case(1), event(2), CANARY).unwrap();
    sealer.make_durable().unwrap();
    assert_eq!(opener.open(case(1), event(1), &first).unwrap(), CANARY);
    assert_eq!(opener.open(case(1), event(2), &second).unwrap(), CANARY);
    assert_eq!(opener.reply_key(case(1)).unwrap(), reply_key);
}

#[test]
fn a_wrong_wrapping_key_is_named() {
    let room = Room::new();
    drop(room.open());
    let other = room.folder.path().join("other.key");
    Vault::create_wrapping_key(&other).unwrap();
    let wrong = VaultConfig { wrapping_key_path: other.clone(), ..room.config() };
    assert!(matches!(room.refusal(wrong.clone()), VaultError::WrongWrappingKey));
    std::fs::write(&other, "not a key").unwrap();
    assert!(matches!(room.refusal(wrong), VaultError::WrongWrappingKey));
}

#[test]
fn another_logs_key_file_is_refused() {
    let room = Room::new();
    drop(room.open());
    let config = VaultConfig { origin: "hub.other".to_owned(), ..room.config() };
    assert!(
        matches!(room.refusal(config), VaultError::AnotherLogs { origin } if origin == "hub.test")
    );
}

#[test]
fn a_wrapping_key_is_private_and_never_overwritten() {
    let room = Room::new();
    let path = room.config().wrapping_key_path;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let before = std::fs::read(&path).unwrap();
    let again = Vault::create_wrapping_key(&path);
    assert!(matches!(again, Err(VaultError::WrappingKeyFile { what: "create", .. })));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
    let exposed = room.refusal(room.config());
    assert!(matches!(exposed, VaultError::WrappingKeyExposed { mode: 0o640 }));
}

#[test]
fn no_file_holds_what_was_sealed_or_a_bare_key() {
    let room = Room::new();
    let (mut sealer, opener) = room.open();
    let sealed = sealer.seal(case(1), event(1), CANARY).unwrap();
    sealer.make_durable().unwrap();
    assert!(!room.holds(CANARY));
    assert!(!sealed.windows(CANARY.len()).any(|it| it == CANARY));
    assert!(!room.holds(&opener.reply_key(case(1)).unwrap()));
    // The search itself can find something: the case's id is in the file.
    assert!(room.holds(case(1).0.as_bytes()));
}

#[test]
fn destroyed_is_destroyed_in_memory_and_in_every_file() {
    // Enough keys, and in a mixed order, for the table and its index to grow over many pages.
    const KEYS: u128 = 3_000;
    let room = Room::new();
    let (mut sealer, opener) = room.open();
    let other = Vault::open_to_read(room.config()).unwrap();
    for batch in 0..KEYS / 100 {
        for at in 0..100 {
            let number = (batch * 100 + at) * 7_919 % KEYS;
            sealer.seal(case(number), event(number), CANARY).unwrap();
        }
        sealer.make_durable().unwrap();
    }
    let sealed = sealer.seal(case(77), event(1), CANARY).unwrap();
    assert!(opener.open(case(77), event(1), &sealed).is_ok());
    let wrapped = room.wrapped(case(77));
    assert!(room.holds(&wrapped));

    sealer.destroy(case(77)).unwrap();

    assert!(!room.holds(&wrapped));
    // Not even the nonce and a few bytes of it.
    assert!(!room.holds(&wrapped[1..17]));
    for reader in [&opener, &other] {
        assert!(matches!(reader.open(case(77), event(1), &sealed), Err(VaultError::NoKey { .. })));
        assert!(matches!(reader.reply_key(case(77)), Err(VaultError::NoKey { .. })));
        assert!(reader.is_destroyed(case(77)).unwrap());
        assert!(!reader.is_destroyed(case(78)).unwrap());
    }
    let again = sealer.seal(case(77), event(2), CANARY);
    assert!(matches!(again, Err(VaultError::NoKey { .. })), "no second key is made");
    sealer.destroy(case(77)).unwrap();
    sealer.destroy(case(KEYS + 1)).unwrap();
    assert!(opener.is_destroyed(case(KEYS + 1)).unwrap());
}

#[test]
fn a_key_destroyed_before_it_was_durable_never_comes_to_be() {
    let room = Room::new();
    let (mut sealer, opener) = room.open();
    let sealed = sealer.seal(case(1), event(1), CANARY).unwrap();
    sealer.destroy(case(1)).unwrap();
    sealer.make_durable().unwrap();
    assert!(matches!(opener.open(case(1), event(1), &sealed), Err(VaultError::NoKey { .. })));
}

#[test]
fn a_blind_index_forgives_how_it_was_typed_and_nothing_else() {
    let room = Room::new();
    let opener = room.open().1;
    let index = opener.blind_index("identity", "22010219900307888X");
    for same in [
        "22010219900307888x",
        " 220102 1990 0307 888X\u{3000}",
        "２２０１０２１９９００３０７８８８ｘ",
    ] {
        assert_eq!(opener.blind_index("identity", same), index, "{same}");
    }
    assert_ne!(opener.blind_index("certificate", "22010219900307888X"), index);
    assert_ne!(opener.blind_index("identity", "22010219900307888"), index);
    assert_ne!(opener.blind_index("identity2", "2010219900307888X"), index);
    assert_ne!(opener.fingerprint(b"22010219900307888X"), index);
    // Another wrapping key gives another index: who lacks the key can compute none.
    assert_ne!(Room::new().open().1.blind_index("identity", "22010219900307888X"), index);
}

#[test]
fn a_stray_opens_under_its_label_only() {
    let room = Room::new();
    let opener = room.open().1;
    let sealed = opener.seal_stray("province:22", CANARY);
    assert_eq!(opener.open_stray("province:22", &sealed).unwrap(), CANARY);
    assert_eq!(opener.open_stray("province:23", &sealed), None);
    assert!(!sealed.windows(CANARY.len()).any(|it| it == CANARY));
}
