//! What every store must do. One suite; each store's tests run it.
//!
//! It panics at the first broken promise. Nothing here knows how a store stores.

use std::collections::HashSet;

use events::case::{CaseArchived, CaseRated};
use events::envelope::{Actor, Envelope, Event, Evidence, Position, Recorded, Version};
use events::ids::{CaseId, EventId, StreamName};
use events::keeping::OperatorActed;
use events::proof::Hash;
use events::proof::chain::Link;
use events::vocabulary::Rating;
use jiff::Timestamp;
use uuid::Uuid;

use crate::log::raw::Keep;
use crate::log::{Append, AppendError, Conflict, EventLog, Expected, SenderKey};

/// The origin of the logs that the suite is given.
pub const ORIGIN: &str = "hub.test/contract";

/// Checks every promise of the traits, each on an empty log of origin [`ORIGIN`] that `make` gives.
pub fn check_all<Log: EventLog + ?Sized>(make: impl Fn() -> Box<Log>) {
    an_empty_log_is_empty(make().as_mut());
    positions_and_versions_have_no_gaps(make().as_mut());
    what_was_appended_comes_back(make().as_mut());
    an_append_builds_on_what_it_saw(make().as_mut());
    items_of_a_batch_are_independent(make().as_mut());
    later_items_build_on_earlier_ones(make().as_mut());
    a_key_is_used_once_for_ever(make().as_mut());
    recorded_moments_never_decrease(make().as_mut());
    pages_meet_without_gap_or_overlap(make().as_mut());
    the_chain_recomputes(make().as_mut());
    what_is_not_ready_is_not_recorded(make().as_mut());
}

/// Makes events with growing ids for tests.
#[derive(Debug, Default)]
pub struct Maker {
    made: u128,
}

impl Maker {
    /// A maker whose ids go on after `last`.
    pub fn after(last: EventId) -> Self {
        Self { made: last.0.as_u128() }
    }

    /// The next id.
    pub fn id(&mut self) -> EventId {
        self.made += 1;
        EventId(Uuid::from_u128(self.made))
    }

    /// An event of `stream`.
    pub fn envelope(&mut self, stream: StreamName, event: Event) -> Envelope {
        Envelope {
            id: self.id(),
            stream,
            occurred_at: Timestamp::from_nanosecond(1_771_000_000_123_456_789)
                .expect("a moment of 2026"),
            actor: Actor::Operator("examiner".to_owned()),
            caused_by: None,
            event,
            sealed: None,
            evidence: None,
        }
    }

    /// One event in the log's own story, which must be at `version - 1`.
    pub fn noted(&mut self, version: u64) -> Append {
        let event = OperatorActed {
            operator: "examiner".to_owned(),
            action: "look-up".to_owned(),
            target: format!("\u{4f8b} {version}"),
        };
        let event = Event::Keeping(event.into());
        let envelope = self.envelope(StreamName::Keeping, event);
        append(StreamName::Keeping, version - 1, vec![envelope])
    }

    /// `count` events of a case, which must be at `version`.
    pub fn rated(&mut self, case: CaseId, version: u64, count: usize) -> Append {
        let stream = StreamName::Case(case);
        let events = (0..count).map(|_| {
            let event = CaseRated { rating: Rating::Satisfied };
            self.envelope(stream, event.into())
        });
        append(stream, version, events.collect())
    }
}

/// An append that builds on `version`; on nothing if it is 0.
pub fn append(stream: StreamName, version: u64, events: Vec<Envelope>) -> Append {
    let expected = match version {
        0 => Expected::NoStream,
        _ => Expected::At(Version(version)),
    };
    let recorded_at = moment(1_000_000);
    Append { stream, expected, recorded_at, events, key: None }
}

/// The case with this number, for tests.
pub fn case(number: u128) -> CaseId {
    CaseId(Uuid::from_u128(number))
}

fn moment(us: i64) -> Timestamp {
    Timestamp::from_microsecond(us).expect("a moment soon after 1970")
}

fn appended(log: &mut (impl EventLog + ?Sized), item: Append) -> Vec<Recorded> {
    let mut answers = log.append(vec![item]).expect("the store works");
    assert_eq!(answers.len(), 1, "one answer for each item");
    answers.remove(0).expect("nothing conflicts")
}

fn all(log: &(impl EventLog + ?Sized)) -> Vec<Recorded> {
    log.read_all(Position(0), usize::MAX).expect("the store works")
}

fn an_empty_log_is_empty(log: &mut (impl EventLog + ?Sized)) {
    assert_eq!(log.origin(), ORIGIN);
    assert_eq!(log.head().expect("the store works"), None);
    assert_eq!(all(log), []);
    assert_eq!(log.read_stream(&StreamName::Keeping).expect("the store works"), []);
    assert_eq!(log.find_key(&SenderKey([1; 32])).expect("the store works"), None);
    assert_eq!(log.append(Vec::new()).expect("the store works"), []);
    assert_eq!(log.head().expect("the store works"), None);
    assert_eq!(log.epoch(), 1, "the first writer's epoch is 1");
}

fn positions_and_versions_have_no_gaps(log: &mut (impl EventLog + ?Sized)) {
    let mut maker = Maker::default();
    for round in 0..4u64 {
        for number in 1..=3 {
            appended(log, maker.rated(case(number), round * 2, 2));
        }
    }
    let all = all(log);
    assert_eq!(all.len(), 24);
    for (recorded, position) in all.iter().zip(1..) {
        assert_eq!(recorded.position, Position(position));
        assert_eq!(recorded.epoch, log.epoch());
    }
    for number in 1..=3 {
        let story = log.read_stream(&StreamName::Case(case(number))).expect("the store works");
        let versions: Vec<u64> = story.iter().map(|it| it.version.0).collect();
        assert_eq!(versions, (1..=8).collect::<Vec<_>>());
    }
}

fn what_was_appended_comes_back(log: &mut (impl EventLog + ?Sized)) {
    let mut maker = Maker::default();
    let mut item = maker.rated(case(7), 0, 1);
    item.events[0].sealed = Some(vec![0, 255, 1]);
    item.events[0].evidence =
        Some(Evidence { bytes: b"{\"a\": 1}\r\n".to_vec(), signature: "head..tail".to_owned() });
    item.events[0].caused_by = Some(Uuid::from_u128(99));
    item.events[0].actor = Actor::Province("22".parse().expect("Jilin"));
    let given = item.events.clone();
    let answered = appended(log, item);
    let noted = appended(log, maker.noted(1));
    assert_eq!(answered[0].envelope, given[0], "the answer is what was given");
    assert_eq!(all(log), [answered.clone(), noted].concat(), "what is read is what was answered");
    let story = log.read_stream(&StreamName::Case(case(7))).expect("the store works");
    assert_eq!(story, answered);
    assert_eq!(story[0].body, events::wire::event_to_bytes(&given[0]), "the bytes are kept");
    let head = all(log).last().map(|it| (it.position, it.hash));
    assert_eq!(log.head().expect("the store works"), head);
}

fn an_append_builds_on_what_it_saw(log: &mut (impl EventLog + ?Sized)) {
    let mut maker = Maker::default();
    let stream = StreamName::Case(case(1));
    let missing = Conflict::Version { stream, actual: None };
    let mut refused = |log: &mut _, version, conflict: &Conflict| {
        let item = maker.rated(case(1), version, 1);
        let answers = EventLog::append(log, vec![item]).expect("the store works");
        assert_eq!(answers[0].as_ref().expect_err("a conflict"), conflict);
    };
    refused(log, 1, &missing);
    appended(log, Maker::after(EventId(Uuid::from_u128(1_000))).rated(case(1), 0, 2));
    let mut maker = Maker::after(EventId(Uuid::from_u128(2_000)));
    let there = Conflict::Version { stream, actual: Some(Version(2)) };
    for version in [0, 1, 3] {
        let answers = log.append(vec![maker.rated(case(1), version, 1)]).expect("the store works");
        assert_eq!(answers[0].as_ref().expect_err("a conflict"), &there, "{version}");
    }
    assert_eq!(all(log).len(), 2, "a conflict leaves nothing behind");
    appended(log, maker.rated(case(1), 2, 1));
}

fn items_of_a_batch_are_independent(log: &mut (impl EventLog + ?Sized)) {
    let mut maker = Maker::default();
    let mut keyed = maker.rated(case(2), 5, 2);
    keyed.key = Some(SenderKey([9; 32]));
    let batch = vec![keyed, maker.rated(case(1), 0, 2), maker.rated(case(3), 1, 1), maker.noted(1)];
    let answers = log.append(batch).expect("the store works");
    let verdicts: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(verdicts, [false, true, false, true]);
    let positions: Vec<u64> = all(log).iter().map(|it| it.position.0).collect();
    assert_eq!(positions, [1, 2, 3], "the others follow each other without a gap");
    let key = log.find_key(&SenderKey([9; 32])).expect("the store works");
    assert_eq!(key, None, "the key of an item that was not appended is free");
}

fn later_items_build_on_earlier_ones(log: &mut (impl EventLog + ?Sized)) {
    let mut maker = Maker::default();
    let batch = vec![
        maker.rated(case(1), 0, 2),
        maker.rated(case(1), 2, 1),
        maker.rated(case(1), 2, 1),
        maker.rated(case(1), 3, 1),
    ];
    let answers = log.append(batch).expect("the store works");
    let verdicts: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(verdicts, [true, true, false, true]);
    assert_eq!(log.read_stream(&StreamName::Case(case(1))).expect("the store works").len(), 4);
}

fn a_key_is_used_once_for_ever(log: &mut (impl EventLog + ?Sized)) {
    let mut maker = Maker::default();
    let key = SenderKey([7; 32]);
    let mut keyed = |number, key| {
        let mut item = maker.rated(case(number), 0, 1);
        item.key = Some(key);
        item
    };
    let batch = vec![keyed(1, key), keyed(2, key)];
    let used = Conflict::KeyUsed { stream: StreamName::Case(case(1)) };
    let answers = log.append(batch).expect("the store works");
    assert!(answers[0].is_ok());
    assert_eq!(answers[1].as_ref().expect_err("a conflict"), &used, "within a batch");
    let answers = log.append(vec![keyed(3, key)]).expect("the store works");
    assert_eq!(answers[0].as_ref().expect_err("a conflict"), &used, "in a later batch");
    assert_eq!(
        log.append(vec![keyed(1, key)]).expect("the store works")[0].as_ref().expect_err("both"),
        &used,
        "the key is told before the version"
    );
    appended(log, keyed(4, SenderKey([8; 32])));
    let found = log.find_key(&key).expect("the store works");
    assert_eq!(found, Some(StreamName::Case(case(1))));
    let both = [(key, StreamName::Case(case(1))), (SenderKey([8; 32]), StreamName::Case(case(4)))];
    assert_eq!(log.read_keys(None, 9).expect("the store works"), both);
    assert_eq!(log.read_keys(None, 1).expect("the store works"), both[..1]);
    assert_eq!(log.read_keys(Some(&key), 9).expect("the store works"), both[1..]);
    assert_eq!(all(log).len(), 2);
}

fn recorded_moments_never_decrease(log: &mut (impl EventLog + ?Sized)) {
    let mut maker = Maker::default();
    let mut at = |version, us| {
        let mut item = maker.noted(version);
        item.recorded_at = moment(us);
        item
    };
    let batch = vec![at(1, 50), at(2, 40)];
    for answer in log.append(batch).expect("the store works") {
        assert_eq!(answer.expect("nothing conflicts")[0].recorded_at, moment(50));
    }
    assert_eq!(appended(log, at(3, 10))[0].recorded_at, moment(50), "raised to the last one");
    assert_eq!(appended(log, at(4, 60))[0].recorded_at, moment(60));
    let read: Vec<Timestamp> = all(log).iter().map(|it| it.recorded_at).collect();
    assert_eq!(read, [50, 50, 50, 60].map(moment));
}

fn pages_meet_without_gap_or_overlap(log: &mut (impl EventLog + ?Sized)) {
    let mut maker = Maker::default();
    appended(log, maker.rated(case(1), 0, 11));
    let whole = all(log);
    for size in [1, 3, 11, 100] {
        let mut read: Vec<Recorded> = Vec::new();
        loop {
            let after = read.last().map_or(Position(0), |it| it.position);
            let page = log.read_all(after, size).expect("the store works");
            assert!(page.len() <= size);
            if page.is_empty() {
                break;
            }
            read.extend(page);
        }
        assert_eq!(read, whole, "pages of {size}");
    }
    let mut folded: Vec<Recorded> = Vec::new();
    for after in (0..whole.len() as u64).step_by(3) {
        let page = log.read_raw(Position(after), 3).expect("the store works");
        assert!(page.len() <= 3);
        let each = page.each(Keep::ForFolding, |it| it.map(|it| folded.push(it)));
        each.expect("what is stored can be understood");
    }
    let mut lean = whole;
    for it in &mut lean {
        (it.body, it.envelope.evidence) = (Vec::new(), None);
    }
    assert_eq!(folded, lean, "read raw and understood later");
    assert_eq!(log.read_all(Position(0), 0).expect("the store works"), []);
    assert_eq!(log.read_all(Position(u64::MAX), 5).expect("the store works"), []);
}

fn what_is_not_ready_is_not_recorded<Log: EventLog + ?Sized>(log: &mut Log) {
    let mut maker = Maker::default();
    let mut asked = 0;
    let refused = log.append_when(vec![maker.noted(1)], &mut || {
        asked += 1;
        false
    });
    assert!(matches!(refused, Err(AppendError::NotReady)), "a no is an answer of its own");
    assert_eq!(asked, 1, "it is asked once");
    assert!(log.read_stream(&StreamName::Keeping).expect("it reads").is_empty());
    let answers = log.append_when(vec![maker.noted(1)], &mut || true).expect("it was ready");
    let recorded = answers[0].as_ref().expect("nothing of the refused batch is left");
    assert_eq!(recorded[0].position, Position(1));
}

fn the_chain_recomputes(log: &mut (impl EventLog + ?Sized)) {
    let mut maker = Maker::default();
    appended(log, maker.noted(1));
    let archived = Event::from(CaseArchived { reference: "\u{6863} 1".to_owned() });
    let mut envelope = maker.envelope(StreamName::Case(case(1)), archived);
    envelope.sealed = Some(Vec::new());
    appended(log, append(StreamName::Case(case(1)), 0, vec![envelope]));
    appended(log, maker.rated(case(1), 1, 3));
    let mut previous = Hash::ZERO;
    let mut seen = HashSet::new();
    for it in all(log) {
        let link = Link {
            origin: ORIGIN,
            position: it.position.0,
            stream: &it.envelope.stream.to_string(),
            version: it.version.0,
            recorded_at: it.recorded_at.as_microsecond(),
            epoch: it.epoch,
            previous,
            body: &it.body,
            sealed: it.envelope.sealed.as_deref(),
            evidence: it.envelope.evidence.as_ref().map(|it| it.bytes.as_slice()),
            evidence_signature: it.envelope.evidence.as_ref().map(|it| it.signature.as_str()),
        };
        assert_eq!(it.previous, previous);
        assert_eq!(it.hash, link.hash());
        assert!(seen.insert(it.hash));
        previous = it.hash;
    }
    assert_eq!(seen.len(), 5);
}
