//! Each safety mechanism is taken away, and the check that is named for it must turn red. A check that
//! cannot fail proves nothing.
//!
//! Mechanisms that only an edit of the source takes away, and the tests that guard them (by hand):
//!
//! - answers only after the append: `hub::registrar::tests::answers`
//! - a report acknowledged only after it is recorded: `hub::intake` tests over a broker (`travel`)
//! - one report, one record (`case.reports`): `hub/core/tests/laws.rs`; tried by hand on the simulation,
//!   whose seed 0 says "once"
//! - reports said again until receipted: `province_adapter::laws`; tried by hand on the simulation,
//!   whose seed 0 says "rest", "ended", "receipted" and "replayed"
//! - an adapter durable before it acknowledges: `province_adapter::laws`
//! - append-only triggers and settings of the store: `hub::log::sqlite::tests`

use ed25519_dalek::SigningKey;
use events::envelope::{Position, Recorded};
use events::ids::{CaseId, ProvinceCode, StreamName};
use events::proof::Hash;
use events::proof::signature::{self, Purpose};
use events::province::{KeyPurpose, KeyRegistered};
use events::report::News;
use hub::intake::reports::Fate;
use hub::log::checkpoint::{Checkpointer, check_head_at_start};
use hub::log::memory::MemoryLog;
use hub::log::{Append, AppendError, Conflict, EventLog, ReadError, ReadLog, SenderKey};
use hub_core::province::ProvinceCommand;
use tests::invariants;
use tests::stage::national::{Handed, sibling};
use tests::stage::pipe::Mood;
use tests::stage::province::{FakeProvince, message};
use tests::stage::{ORIGIN, Setup, TestHub, Wrap, hub_key};

fn province(code: &str) -> ProvinceCode {
    code.parse().unwrap()
}

fn stage(wrap: Option<Wrap>) -> (TestHub, FakeProvince) {
    let at = "2026-03-02T01:00:00Z".parse().unwrap();
    let hub = TestHub::new(Setup { wrap, ..Setup::at(at) });
    let province = FakeProvince::new(province("22"));
    province.keys.enrol(&hub);
    (hub, province)
}

/// A case that the province holds.
fn held(hub: &mut TestHub, province: &mut FakeProvince) -> CaseId {
    let handed = Handed::new(1, province.keys.province, hub.clock.now());
    handed.submit(hub);
    hub.dispatch();
    let now = hub.clock.now();
    for (_, letter) in hub.pipe.fetch() {
        province.arrive(&letter, now);
    }
    let batch: Vec<_> = province.outbox.drain(..).map(|it| it.1).collect();
    hub.take(province.keys.province, &batch);
    handed.case()
}

fn red(found: &[String], name: &str) {
    assert!(found.iter().any(|it| it.starts_with(name)), "`{name}` stays green: {found:?}");
}

fn green(found: Vec<String>) {
    assert_eq!(found, Vec::<String>::new());
}

/// Without the memory of senders' keys.
struct Forgetful(Box<dyn EventLog>);

impl EventLog for Forgetful {
    fn append(
        &mut self,
        mut batch: Vec<Append>,
    ) -> Result<Vec<Result<Vec<Recorded>, Conflict>>, AppendError> {
        batch.iter_mut().for_each(|it| it.key = None);
        self.0.append(batch)
    }
    fn epoch(&self) -> u64 {
        self.0.epoch()
    }
}

impl ReadLog for Forgetful {
    fn read_stream(&self, stream: &StreamName) -> Result<Vec<Recorded>, ReadError> {
        self.0.read_stream(stream)
    }
    fn read_all(&self, after: Position, count_max: usize) -> Result<Vec<Recorded>, ReadError> {
        self.0.read_all(after, count_max)
    }
    fn head(&self) -> Result<Option<(Position, Hash)>, ReadError> {
        self.0.head()
    }
    fn find_key(&self, _: &SenderKey) -> Result<Option<StreamName>, ReadError> {
        Ok(None)
    }
    fn origin(&self) -> &str {
        self.0.origin()
    }
}

#[test]
fn without_senders_keys_a_request_is_recorded_twice() {
    for (wrap, is_red) in [(None, false), (Some(forget()), true)] {
        let (hub, province) = stage(wrap);
        let handed = Handed::new(1, province.keys.province, hub.clock.now());
        handed.submit(&hub);
        drop(handed.hand_in(&hub, CaseId(sibling(handed.case(), 7))));
        let found = invariants::once(&hub.events());
        if is_red { red(&found, "once") } else { green(found) }
    }
}

fn forget() -> Wrap {
    Box::new(|log| Box::new(Forgetful(log)))
}

#[test]
fn a_broker_that_only_says_that_it_has_it_leaves_the_case_waiting() {
    let (mut hub, mut province) = stage(None);
    hub.pipe.set(Mood::Swallows);
    held(&mut hub, &mut province);
    red(&invariants::delivered(&hub), "delivered");
    hub.pipe.set(Mood::Works);
    hub.clock.advance_to(hub.clock.now() + jiff::SignedDuration::from_hours(1));
    hub.dispatch();
    for (_, letter) in hub.pipe.fetch() {
        province.arrive(&letter, hub.clock.now());
    }
    let batch: Vec<_> = province.outbox.drain(..).map(|it| it.1).collect();
    hub.take(province.keys.province, &batch);
    green(invariants::delivered(&hub));
}

#[test]
fn without_the_provinces_own_key_somebody_else_speaks_for_it() {
    let (mut hub, mut province) = stage(None);
    let case = held(&mut hub, &mut province);
    let forged = |province: &mut FakeProvince, hub: &TestHub| {
        let news = News::Accepted { acceptance_number: "受-666".to_owned() };
        province.say(case, news, hub.clock.now());
        let (_, honest) = province.outbox.pop().unwrap();
        let attacker = SigningKey::from_bytes(&[66; 32]);
        let jws = signature::sign(&attacker, "22-sign-2", Purpose::Report, &honest.payload);
        message(province.keys.province, "accepted", honest.payload.to_vec(), &jws)
    };
    let report = forged(&mut province, &hub);
    let settled = hub.take(province.keys.province, std::slice::from_ref(&report));
    assert_eq!(settled[0].fate, Fate::Terminate, "nobody knows the key");
    green(invariants::authentic(&hub.events()));
    // The registry is the mechanism: whoever can register a key can speak.
    let attacker = SigningKey::from_bytes(&[66; 32]).verifying_key();
    let key = KeyRegistered {
        key_id: "22-sign-2".to_owned(),
        purpose: KeyPurpose::Sign,
        algorithm: "ed25519".to_owned(),
        public_key: signature::public_key_text(&attacker),
    };
    hub.province(province.keys.province, ProvinceCommand::RegisterKey(key));
    hub.catch_up();
    hub.take(province.keys.province, &[report]);
    red(&invariants::authentic(&hub.events()), "authentic");
}

#[test]
fn an_adapter_that_signs_and_forgets_leaves_the_case_open() {
    let (mut hub, mut province) = stage(None);
    let case = held(&mut hub, &mut province);
    green(invariants::delivered(&hub));
    red(&invariants::ended(&hub.events()), "ended");
    province.say(
        case,
        News::Declined { reason: events::vocabulary::Reason::Other },
        hub.clock.now(),
    );
    // An adapter that takes the broker's word for the hub's: the report is lost, and nobody says it again.
    let lost = province.outbox.pop().unwrap().1;
    red(&invariants::ended(&hub.events()), "ended");
    hub.take(province.keys.province, &[lost]);
    green(invariants::ended(&hub.events()));
}

#[test]
fn a_view_that_skipped_an_event_is_not_what_the_log_says() {
    let (mut hub, mut province) = stage(None);
    held(&mut hub, &mut province);
    green(invariants::views(&hub));
    let file = rusqlite::Connection::open(hub.path("views.db")).unwrap();
    assert_eq!(file.execute("DELETE FROM status", []).unwrap(), 1);
    red(&invariants::views(&hub), "views");
}

#[test]
fn any_change_of_an_event_breaks_the_chain() {
    let (mut hub, mut province) = stage(None);
    held(&mut hub, &mut province);
    let log = hub.events();
    green(invariants::chain(ORIGIN, &log));
    let change: [fn(&mut Vec<Recorded>); 6] = [
        |it| it[3].body[20] ^= 1,
        |it| it[3].epoch += 1,
        |it| it[3].recorded_at += jiff::SignedDuration::from_micros(1),
        |it| drop(it.remove(3)),
        |it| it.swap(3, 4),
        |it| {
            let evidence = it.iter_mut().find_map(|it| it.envelope.evidence.as_mut());
            evidence.unwrap().bytes[0] ^= 1;
        },
    ];
    for (which, change) in change.iter().enumerate() {
        let mut changed = log.clone();
        change(&mut changed);
        let found = invariants::chain(ORIGIN, &changed);
        assert!(!found.is_empty(), "change {which} stays green");
    }
}

#[test]
fn without_the_checkpoint_file_a_log_put_back_is_not_noticed_by_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoints.txt");
    let (mut hub, mut province) = stage(None);
    let case = held(&mut hub, &mut province);
    let head = hub.readers().read(|it| it.head()).unwrap().unwrap();
    let mut checkpointer = Checkpointer::new(&path, hub_key(), "hub-1", ORIGIN, None);
    checkpointer.sign(head, hub.clock.now()).unwrap();
    // Yesterday's backup is put back: nothing in it is wrong, and something is missing.
    let old = MemoryLog::new(ORIGIN);
    let key = hub_key().verifying_key();
    green(invariants::chain(ORIGIN, &[]));
    red(&invariants::kept(&[], &[case].into()), "kept");
    let cut = TestHub::new(Setup::at(hub.clock.now()));
    let shorter = |log: &dyn ReadLog| Ok(check_head_at_start(log, &path, &key, false).is_err());
    assert!(cut.readers().read(shorter).unwrap(), "the file notices");
    std::fs::remove_file(&path).unwrap();
    let missing = |log: &dyn ReadLog| Ok(check_head_at_start(log, &path, &key, false).is_err());
    assert!(cut.readers().read(missing).unwrap(), "that the file is gone is noticed");
    assert!(check_head_at_start(&old, &path, &key, true).is_ok(), "the first start has none");
}
