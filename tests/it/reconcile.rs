//! What was lost without anybody noticing is found and mended: a real hub, a real adapter, a planted loss.

use bytes::Bytes;
use events::case::CaseEvent;
use events::envelope::Event;
use events::ids::{CaseId, ProvinceCode};
use events::keeping::KeepingEvent;
use events::proof::signature::{self, Purpose};
use events::report::News;
use events::vocabulary::Outcome;
use events::wire;
use events::work::{Receipts, ReportReceipt};
use hub::intake::reports::Message;
use hub::router::connector::Outgoing;
use jiff::{SignedDuration, Timestamp};
use province_adapter::by_hand::{Arrived, ByHand};
use rusqlite::Connection;
use tests::simulation::adapter;
use tests::stage::national::Handed;
use tests::stage::province::{Keys, message};
use tests::stage::{HUB_KEY_ID, ORIGIN, Setup, TestHub, hub_key, kinds};

struct Scene {
    hub: TestHub,
    adapter: Option<ByHand>,
    province: ProvinceCode,
}

impl Scene {
    fn new() -> Self {
        let at = "2026-03-02T01:00:00Z".parse().unwrap();
        let hub = TestHub::new(Setup::at(at));
        let province: ProvinceCode = "22".parse().unwrap();
        Keys::of(province).enrol(&hub);
        let mut scene = Self { hub, adapter: None, province };
        scene.open();
        scene
    }

    fn path(&self) -> std::path::PathBuf {
        self.hub.path("adapter.db")
    }

    fn open(&mut self) {
        self.adapter = Some(adapter::open(&self.path(), self.province));
    }

    fn adapter(&self) -> &ByHand {
        self.adapter.as_ref().unwrap()
    }

    fn now(&self) -> Timestamp {
        self.hub.clock.now()
    }

    fn pass(&mut self, hours: i64) {
        self.hub.clock.advance_to(self.now() + SignedDuration::from_hours(hours));
    }

    /// Until nobody has anything to say any more.
    fn settle(&mut self) {
        for _ in 0..20 {
            assert!(self.hub.dispatch());
            let letters = self.hub.pipe.fetch();
            let came = letters.len();
            self.letters(letters);
            if came + self.reports() == 0 {
                return;
            }
            self.pass(1);
        }
        panic!("never at rest");
    }

    fn letters(&mut self, letters: Vec<(ProvinceCode, Outgoing)>) {
        let now = self.now();
        for (_, letter) in letters {
            let arrived = self.adapter().arrive(letter.payload, Some(letter.signature), false, now);
            let arrived = arrived.unwrap();
            assert!(!matches!(arrived, Arrived::Refused(_)), "{arrived:?}");
        }
        for (row, _) in self.adapter().waiting(now, 100).unwrap() {
            self.adapter().taken(row, now).unwrap();
        }
    }

    /// Reports and comparisons go to the hub; so many.
    fn reports(&mut self) -> usize {
        let now = self.now();
        let posted = self.adapter().due(now, 100).unwrap();
        let mut all: Vec<Message> = posted
            .into_iter()
            .map(|it| message(self.province, &it.token, it.body, &it.signature))
            .collect();
        let told = self.adapter().comparisons(now).unwrap();
        let told =
            told.into_iter().map(|(token, body, jws)| message(self.province, &token, body, &jws));
        all.extend(told);
        if !all.is_empty() {
            self.hub.take(self.province, &all);
            self.hub.send_receipts();
            self.hub.compare();
        }
        all.len()
    }

    fn say(&self, case: CaseId, news: News) {
        self.adapter()
            .report(case, news, self.now(), Some("请查收".to_owned()), self.now())
            .unwrap();
    }

    fn kinds(&self, case: CaseId) -> Vec<String> {
        kinds(&self.hub.story(case))
    }

    /// The province, what was compared and how many differed, of each comparison on record.
    fn compared(&self) -> Vec<(String, u64)> {
        let reconciled = self.hub.events().into_iter().filter_map(|it| match it.envelope.event {
            Event::Keeping(KeepingEvent::Reconciled(it)) => Some((it.subject, it.differences)),
            _ => None,
        });
        reconciled.collect()
    }

    fn epoch(&self) -> u64 {
        let started = self.hub.events().into_iter().rev().find_map(|it| match it.envelope.event {
            Event::Keeping(KeepingEvent::WriterStarted(it)) => Some(it.epoch),
            _ => None,
        });
        started.unwrap()
    }

    fn compare_daily(&mut self) {
        self.pass(24);
        self.adapter().compare(self.now()).unwrap();
        self.settle();
    }
}

/// The `nth` case; each is another person's.
fn hand_in(hub: &mut TestHub, nth: u64) -> CaseId {
    let handed = Handed::new(nth, "22".parse().unwrap(), hub.clock.now());
    handed.hand_in(hub, handed.case()).unwrap();
    handed.case()
}

fn accepted(number: &str) -> News {
    News::Accepted { acceptance_number: number.to_owned() }
}

fn completed(number: &str) -> News {
    News::Completed {
        outcome: Outcome::Approved,
        decision_number: number.to_owned(),
        reasons: vec![],
        result: Default::default(),
    }
}

#[test]
fn an_adapter_that_lost_its_store_gets_its_open_cases_again_and_its_reports_are_taken() {
    let mut scene = Scene::new();
    let (open, done) = (hand_in(&mut scene.hub, 1), hand_in(&mut scene.hub, 2));
    scene.settle();
    scene.say(open, accepted("受-1"));
    scene.say(done, accepted("受-2"));
    scene.say(done, completed("决-2"));
    scene.settle();
    scene.adapter = None;
    std::fs::remove_file(scene.path()).unwrap();
    scene.open();
    scene.adapter().compare(scene.now()).unwrap();
    scene.settle();
    let story = ["submitted", "routed", "forwarded", "delivered", "accepted"];
    let again = ["asked-again", "forwarded", "delivered"];
    assert_eq!(scene.kinds(open), [&story[..], &again].concat());
    assert_eq!(
        scene.kinds(done).last().unwrap(),
        "completed",
        "what has ended does not come again"
    );
    scene.say(open, completed("决-1"));
    scene.settle();
    assert_eq!(scene.kinds(open).last().unwrap(), "completed");
    assert!(!scene.kinds(open).contains(&"report-refused".to_owned()));
    // A second, different decision is kept against the first and changes nothing.
    scene.say(open, completed("决-9"));
    scene.settle();
    assert_eq!(scene.kinds(open).last().unwrap(), "conflicting-decision");
    let compared = scene.compared();
    assert_eq!(compared.len(), 1, "{compared:?}");
    assert!(compared[0].0.ends_with("new-store") && compared[0].1 == 1, "{compared:?}");
}

#[test]
fn an_adapter_that_was_put_back_to_an_older_store_counts_on_and_loses_no_decision() {
    let mut scene = Scene::new();
    let case = hand_in(&mut scene.hub, 1);
    scene.settle();
    scene.adapter = None;
    let copy = scene.hub.path("copy.db");
    std::fs::copy(scene.path(), &copy).unwrap();
    scene.open();
    scene.say(
        case,
        News::CorrectionRequested {
            missing: vec![events::vocabulary::Material::IdentityCard],
            until: "2026-03-20".parse().unwrap(),
        },
    );
    scene.settle();
    scene.adapter = None;
    std::fs::copy(&copy, scene.path()).unwrap();
    scene.open();
    // Number 2 was used before; the news goes out again as number 3, its text sealed anew.
    scene.say(case, accepted("受-1"));
    scene.settle();
    let kinds = scene.kinds(case);
    assert_eq!(kinds[kinds.len() - 2..], ["report-refused", "accepted"]);
    scene.say(case, completed("决-1"));
    scene.settle();
    assert_eq!(scene.kinds(case).last().unwrap(), "completed");
}

#[test]
fn work_that_vanished_from_the_adapters_store_is_found_by_the_daily_comparison_and_comes_again() {
    let mut scene = Scene::new();
    let (kept, lost) = (hand_in(&mut scene.hub, 1), hand_in(&mut scene.hub, 2));
    scene.settle();
    let file = Connection::open(scene.path()).unwrap();
    let id = lost.0.into_bytes();
    assert_eq!(file.execute("DELETE FROM work WHERE case_id = ?1", [id]).unwrap(), 1);
    drop(file);
    scene.compare_daily();
    assert_eq!(scene.kinds(lost)[4..], ["asked-again", "forwarded", "delivered"]);
    assert_eq!(scene.kinds(kept).len(), 4);
    scene.say(lost, accepted("受-2"));
    scene.settle();
    assert_eq!(scene.kinds(lost).last().unwrap(), "accepted");
    // Mended is mended: the next day finds nothing.
    scene.compare_daily();
    let differences: Vec<u64> = scene.compared().into_iter().map(|it| it.1).collect();
    assert_eq!(differences, [1, 0]);
}

#[test]
fn a_report_that_was_receipted_and_never_recorded_is_found_and_said_again() {
    let mut scene = Scene::new();
    let case = hand_in(&mut scene.hub, 1);
    scene.settle();
    scene.say(case, accepted("受-1"));
    // The fault: the hub signs for it and does not record it.
    let posted = scene.adapter().due(scene.now(), 10).unwrap();
    let receipt = ReportReceipt {
        report: posted[0].report,
        case,
        position: Some(999),
        hash: None,
        refused: None,
        next_number: None,
    };
    let (origin, province) = (ORIGIN.to_owned(), scene.province);
    let receipts = Receipts {
        origin,
        province,
        epoch: scene.epoch(),
        receipts: vec![receipt],
        statements: vec![],
    };
    let body = wire::receipts_to_bytes(uuid::Uuid::from_u128(7), scene.now(), &receipts);
    let jws = signature::sign(&hub_key(), HUB_KEY_ID, Purpose::ToProvince, &body);
    let arrived = scene.adapter().arrive(Bytes::from(body), Some(jws), false, scene.now());
    assert_eq!(arrived.unwrap(), Arrived::Receipts);
    scene.pass(100);
    scene.settle();
    assert_eq!(
        scene.kinds(case).last().unwrap(),
        "delivered",
        "both sides believe that all is well"
    );
    scene.compare_daily();
    assert_eq!(scene.kinds(case).last().unwrap(), "accepted");
    assert_eq!(scene.compared().last().unwrap().1, 1);
}

#[test]
fn a_refusal_that_uses_up_no_number_does_not_hold_up_what_was_written_behind_it() {
    let mut scene = Scene::new();
    let case = hand_in(&mut scene.hub, 1);
    scene.settle();
    // Both are written before the first is refused: it tells an identity number in clear further in.
    let file = Connection::open(scene.path()).unwrap();
    scene.say(case, accepted("受-1"));
    scene.say(case, completed("决-1"));
    drop(file);
    let posted = scene.adapter().due(scene.now(), 10).unwrap();
    let refused = ReportReceipt {
        report: posted[0].report,
        case,
        position: None,
        hash: None,
        refused: Some("out-of-bounds".to_owned()),
        next_number: Some(2),
    };
    let (origin, province) = (ORIGIN.to_owned(), scene.province);
    let receipts = Receipts {
        origin,
        province,
        epoch: scene.epoch(),
        receipts: vec![refused],
        statements: vec![],
    };
    let body = wire::receipts_to_bytes(uuid::Uuid::from_u128(7), scene.now(), &receipts);
    let jws = signature::sign(&hub_key(), HUB_KEY_ID, Purpose::ToProvince, &body);
    scene.adapter().arrive(Bytes::from(body), Some(jws), false, scene.now()).unwrap();
    let next = scene.adapter().due(scene.now(), 10).unwrap();
    let numbers: Vec<u64> =
        next.iter().map(|it| wire::report_from_bytes(&it.body).unwrap().report.number).collect();
    assert_eq!(numbers, [2], "the decision took the free number");
}

#[test]
fn many_cases_are_compared_in_many_lists() {
    let mut scene = Scene::new();
    let cases: Vec<CaseId> = (0..130).map(|nth| hand_in(&mut scene.hub, nth)).collect();
    scene.settle();
    let file = Connection::open(scene.path()).unwrap();
    for case in [cases[0], cases[64], cases[129]] {
        file.execute("DELETE FROM work WHERE case_id = ?1", [case.0.into_bytes()]).unwrap();
    }
    drop(file);
    scene.compare_daily();
    let again: Vec<CaseId> = scene
        .hub
        .events()
        .iter()
        .filter(|it| matches!(it.envelope.event, Event::Case(CaseEvent::CaseAskedAgain(_))))
        .filter_map(|it| match it.envelope.stream {
            events::ids::StreamName::Case(case) => Some(case),
            _ => None,
        })
        .collect();
    let mut lost = vec![cases[0], cases[64], cases[129]];
    lost.sort();
    assert_eq!(again, lost);
    assert_eq!(scene.compared(), [(scene.compared()[0].0.clone(), 3)]);
}
