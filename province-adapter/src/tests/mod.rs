//! What holds for every history of arrivals, sendings and crashes. A crash is a store opened again.

mod bounds;
mod trust;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::SigningKey;
use events::ids::{CaseId, CaseNumber, RequestId};
use events::proof::signature::{self, Purpose};
use events::proof::{Hash, seal};
use events::report::News;
use events::vocabulary::{Category, Channel, DueDay, IssuingAuthority, Item};
use events::wire;
use events::work::{PersonalPart, Receipts, ReportReceipt, Work, WorkKind};
use jiff::civil::date;
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;
use uuid::Uuid;

use crate::handing;
use crate::inbox::{self, Arrival, Letter, Moments};
use crate::keys::Identity;
use crate::outbox::{self, Pace, Parcel};
use crate::reporter::{Item as NewsItem, report_in};
use crate::store::open_connection;

pub(crate) const ORIGIN: &str = "hub.test/laws";
const NAME: &str = "金丝雀甲";
const IDENTITY_NUMBER: &str = "11010519491231002X";
const REPLY_KEY: [u8; 32] = [4; 32];

pub(crate) fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn start() -> Timestamp {
    moment("2026-03-02T09:00:00+08:00")
}

fn after(seconds: i64) -> Timestamp {
    start() + SignedDuration::from_secs(seconds)
}

/// The hub as a test needs it: it signs and seals.
pub(crate) struct Hub {
    pub(crate) key: SigningKey,
    pub(crate) seal_public: String,
}

pub(crate) fn identity() -> (Identity, Hub) {
    let (seal_key, seal_public) = seal::key_pair(&[6; 32]);
    let key = SigningKey::from_bytes(&[9; 32]);
    let identity = Identity {
        province: "22".parse().unwrap(),
        origin: ORIGIN.to_owned(),
        sign_key: SigningKey::from_bytes(&[7; 32]),
        sign_key_id: "22-sign-1".to_owned(),
        seal_key,
        seal_key_id: "22-seal-1".to_owned(),
        other_seal_keys: Default::default(),
        hub_key: key.verifying_key(),
        hub_key_id: "hub-1".to_owned(),
    };
    (identity, Hub { key, seal_public })
}

impl Hub {
    pub(crate) fn work(&self, case: u128, request: u128, kind: WorkKind) -> Work {
        let case = CaseId(Uuid::from_u128(case));
        let mut work = Work {
            origin: ORIGIN.to_owned(),
            province: "22".parse().unwrap(),
            kind,
            case,
            number: CaseNumber::of(case, date(2026, 3, 2)),
            request: RequestId(Uuid::from_u128(request)),
            digest: Hash([3; 32]),
            epoch: 5,
            item: Item::Renewal,
            category: Category::Passenger,
            channel: Channel::App,
            authority: IssuingAuthority {
                code: None, name: "吉林市".to_owned(), division: None
            },
            submitted_at: start(),
            due: DueDay { day: date(2026, 3, 4), papers: Vec::new(), provisional: false },
            next_report_number: None,
            sealed: None,
        };
        if kind != WorkKind::Withdrawal {
            self.seal(&mut work);
        }
        work
    }

    fn seal(&self, work: &mut Work) {
        let personal = PersonalPart {
            reply_key: BASE64.encode(REPLY_KEY),
            applicant: serde_json::json!({"name": NAME, "identity_number": IDENTITY_NUMBER}),
        };
        let plain = serde_json::to_vec(&personal).unwrap();
        let context = work.seal_context();
        let sealed =
            seal::seal_to(&self.seal_public, "22-seal-1", &[5; 32], context.as_bytes(), &plain);
        work.sealed = Some(sealed.unwrap());
    }

    pub(crate) fn letter(&self, work: &Work) -> Letter {
        self.signed(wire::work_to_bytes(Uuid::from_u128(1), start(), work))
    }

    fn signed(&self, body: Vec<u8>) -> Letter {
        let signature = Some(signature::sign(&self.key, "hub-1", Purpose::ToProvince, &body));
        Letter { body: body.into(), signature, redelivered: false, trace: None }
    }

    fn receipts(&self, parcels: &[Parcel], case: CaseId, refused: Option<&str>) -> Letter {
        let receipt = |it: &Parcel| ReportReceipt {
            report: it.report,
            case,
            position: refused.is_none().then_some(1),
            hash: None,
            refused: refused.map(str::to_owned),
            next_number: None,
        };
        let receipts = Receipts {
            origin: ORIGIN.to_owned(),
            province: "22".parse().unwrap(),
            epoch: 5,
            receipts: parcels.iter().map(receipt).collect(),
            statements: vec![],
        };
        self.signed(wire::receipts_to_bytes(Uuid::from_u128(2), start(), &receipts))
    }
}

/// A desk whose every step may be its last: the store is opened anew for each.
struct Desk {
    folder: tempfile::TempDir,
    identity: Identity,
    hub: Hub,
    pace: Pace,
}

impl Desk {
    fn new() -> Self {
        let (identity, hub) = identity();
        let pace = Pace::new(vec![Duration::from_secs(5), Duration::from_secs(30)], 20).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), identity, hub, pace }
    }

    fn store(&self) -> Connection {
        open_connection(&self.folder.path().join("adapter.db")).unwrap()
    }

    /// One step in a transaction, then the process is gone.
    fn step<T>(&self, step: impl FnOnce(&Connection) -> T) -> T {
        let store = self.store();
        store.execute_batch("BEGIN IMMEDIATE").unwrap();
        let result = step(&store);
        store.execute_batch("COMMIT").unwrap();
        result
    }

    fn arrive(&self, letter: &Letter, at: Timestamp) -> Arrival {
        let content = inbox::examine(&self.identity, letter);
        let now = Moments { real: at, told: at };
        self.step(|it| inbox::keep(it, &self.identity, letter, &content, now).unwrap())
    }

    fn send(&self, at: Timestamp) -> Vec<Parcel> {
        self.step(|it| outbox::claim_due(it, &self.pace, at, 100).unwrap())
    }

    fn tell(
        &self,
        case: CaseId,
        news: News,
        at: Timestamp,
        text: Option<String>,
    ) -> events::ids::ReportId {
        let item = NewsItem { case, news, occurred_at: at, text };
        self.step(|it| report_in(it, &self.identity, item, at).unwrap())
    }

    fn count(&self, sql: &str) -> i64 {
        self.store().query_row(sql, [], |row| row.get(0)).unwrap()
    }
}

fn accepted() -> News {
    News::Accepted { acceptance_number: "受-1".to_owned() }
}

fn tokens(parcels: &[Parcel]) -> Vec<&str> {
    parcels.iter().map(|it| it.token.as_str()).collect()
}

#[test]
fn the_same_work_twice_is_taken_once_and_signed_for_once() {
    let desk = Desk::new();
    let work = desk.hub.work(1, 10, WorkKind::Case);
    assert!(matches!(desk.arrive(&desk.hub.letter(&work), start()), Arrival::New { .. }));
    for _ in 0..3 {
        let copy = desk.arrive(&desk.hub.letter(&work), after(1));
        assert_eq!(copy, Arrival::Known { sent_again: 0 });
    }
    assert_eq!(desk.step(|it| handing::waiting(it, after(2), 10).unwrap().len()), 1);
    assert_eq!(tokens(&desk.send(after(2))), ["delivered"]);
    assert_eq!(desk.count("SELECT count(*) FROM report"), 1);
}

#[test]
fn a_crash_between_any_two_steps_loses_nothing_and_doubles_nothing() {
    let desk = Desk::new();
    let work = desk.hub.work(1, 10, WorkKind::Case);
    desk.arrive(&desk.hub.letter(&work), start());
    let waiting = desk.step(|it| handing::waiting(it, after(1), 10).unwrap());
    let again = desk.step(|it| handing::waiting(it, after(1), 10).unwrap());
    assert_eq!((waiting.len(), again[0].row), (1, waiting[0].row), "not taken: offered again");
    let told = desk.tell(work.case, accepted(), after(2), None);
    assert_eq!(desk.tell(work.case, accepted(), after(2), None), told, "told again after a crash");
    desk.step(|it| handing::taken(it, waiting[0].row, after(3)).unwrap());
    assert!(desk.step(|it| handing::waiting(it, after(4), 10).unwrap()).is_empty());
    let claimed = desk.send(after(4));
    assert_eq!(tokens(&claimed), ["delivered", "accepted"]);
    let claimed_again = desk.send(after(60));
    assert_eq!(tokens(&claimed_again), ["delivered", "accepted"], "sent, but nobody knows: again");
    desk.arrive(&desk.hub.receipts(&claimed_again, work.case, None), after(61));
    assert!(desk.send(after(100_000)).is_empty());
}

#[test]
fn an_unreceipted_report_is_sent_again_with_a_new_message_id_and_the_same_bytes() {
    let desk = Desk::new();
    desk.arrive(&desk.hub.letter(&desk.hub.work(1, 10, WorkKind::Case)), start());
    let first = desk.send(start());
    // The first wait is 5 s and the second 30 s, each give or take a fifth.
    assert!(desk.send(after(3)).is_empty());
    let second = desk.send(after(7));
    assert!(desk.send(after(28)).is_empty());
    let third = desk.send(after(44));
    let ids: Vec<String> = (1..=3).map(|it| format!("{}.{it}", first[0].report)).collect();
    let sent = [&first[0], &second[0], &third[0]];
    assert!(sent.iter().zip(&ids).all(|(it, id)| it.message_id == *id));
    assert!(sent.iter().all(|it| it.body == first[0].body && it.signature == first[0].signature));
    let key = desk.identity.sign_key.verifying_key();
    signature::verify(&key, Purpose::Report, &third[0].signature, &third[0].body).unwrap();
}

#[test]
fn what_the_broker_did_not_take_is_tried_at_the_first_pace_for_ever() {
    let desk = Desk::new();
    desk.arrive(&desk.hub.letter(&desk.hub.work(1, 10, WorkKind::Case)), start());
    for round in 0..5 {
        let sent = desk.send(after(round * 7));
        assert_eq!(sent.len(), 1, "round {round}");
        let rows = [sent[0].row];
        desk.step(|it| outbox::not_taken(it, &desk.pace, after(round * 7), &rows).unwrap());
    }
}

#[test]
fn a_receipt_ends_the_sending_and_a_refusal_is_kept() {
    let desk = Desk::new();
    let work = desk.hub.work(1, 10, WorkKind::Case);
    desk.arrive(&desk.hub.letter(&work), start());
    desk.tell(work.case, accepted(), after(1), None);
    let sent = desk.send(after(2));
    let receipt = desk.hub.receipts(&sent[..1], work.case, None);
    assert_eq!(desk.arrive(&receipt, after(3)), Arrival::Receipts { ended: 1, refused: 0 });
    assert_eq!(desk.arrive(&receipt, after(4)), Arrival::Receipts { ended: 0, refused: 0 });
    let refusal = desk.hub.receipts(&sent[1..], work.case, Some("out-of-order"));
    assert_eq!(desk.arrive(&refusal, after(5)), Arrival::Receipts { ended: 1, refused: 1 });
    assert!(desk.send(after(100_000)).is_empty());
    assert_eq!(desk.count("SELECT count(*) FROM report WHERE refusal = 'out-of-order'"), 1);
    let strange = desk.hub.receipts(&sent, CaseId(Uuid::from_u128(99)), None);
    assert_eq!(desk.arrive(&strange, after(6)), Arrival::Receipts { ended: 0, refused: 0 });
    let counted = "SELECT count FROM refused_count WHERE reason = 'receipt-for-unknown-report'";
    assert_eq!(desk.count(counted), 2);
}

#[test]
fn a_hub_that_forgot_is_told_again_what_it_had_signed_for() {
    let desk = Desk::new();
    let work = desk.hub.work(1, 10, WorkKind::Case);
    desk.arrive(&desk.hub.letter(&work), start());
    desk.tell(work.case, accepted(), after(1), None);
    let sent = desk.send(after(2));
    desk.arrive(&desk.hub.receipts(&sent, work.case, None), after(3));
    let copy = Letter { redelivered: true, ..desk.hub.letter(&work) };
    assert_eq!(desk.arrive(&copy, after(4)), Arrival::Known { sent_again: 0 });
    let again = desk.arrive(&desk.hub.letter(&work), after(5));
    assert_eq!(again, Arrival::Known { sent_again: 2 });
    let resent = desk.send(after(5));
    assert_eq!(tokens(&resent), ["delivered", "accepted"]);
    assert!(
        resent.iter().zip(&sent).all(|(new, old)| new.body == old.body && new.report == old.report)
    );
    assert!(resent.iter().zip(&sent).all(|(new, old)| new.message_id != old.message_id));
}

#[test]
fn a_new_writer_hears_everything_unreceipted_at_once() {
    let desk = Desk::new();
    desk.arrive(&desk.hub.letter(&desk.hub.work(1, 10, WorkKind::Case)), start());
    desk.send(start());
    desk.send(after(7));
    assert!(desk.send(after(8)).is_empty());
    let new = Work { epoch: 6, ..desk.hub.work(2, 20, WorkKind::Case) };
    desk.arrive(&desk.hub.letter(&new), after(8));
    assert_eq!(tokens(&desk.send(after(8))), ["delivered", "delivered"]);
}

#[test]
fn reports_of_a_case_are_numbered_without_gaps_and_answer_the_newest_request() {
    let desk = Desk::new();
    let case = desk.hub.work(1, 10, WorkKind::Case);
    let correction = desk.hub.work(1, 11, WorkKind::Correction);
    desk.arrive(&desk.hub.letter(&case), start());
    desk.arrive(&desk.hub.letter(&correction), after(1));
    desk.arrive(&desk.hub.letter(&desk.hub.work(1, 12, WorkKind::Withdrawal)), after(2));
    desk.tell(case.case, accepted(), after(3), None);
    desk.tell(case.case, accepted(), after(4), None);
    let sent = desk.send(after(5));
    let reports: Vec<_> =
        sent.iter().map(|it| wire::report_from_bytes(&it.body).unwrap().report).collect();
    assert_eq!(reports.iter().map(|it| it.number).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let requests: Vec<u128> = reports.iter().map(|it| it.request.0.as_u128()).collect();
    assert_eq!(requests, [10, 11, 12, 11, 11]);
}

#[test]
fn a_correction_never_overtakes_its_case() {
    let desk = Desk::new();
    for (request, kind) in [(10, WorkKind::Case), (11, WorkKind::Correction)] {
        desk.arrive(&desk.hub.letter(&desk.hub.work(1, request, kind)), start());
    }
    let waiting = desk.step(|it| handing::waiting(it, start(), 10).unwrap());
    assert_eq!(waiting.len(), 1);
    desk.step(|it| handing::take_later(it, waiting[0].row, "busy", start(), after(10)).unwrap());
    assert!(desk.step(|it| handing::waiting(it, after(1), 10).unwrap()).is_empty());
    desk.step(|it| handing::taken(it, waiting[0].row, after(11)).unwrap());
    assert_eq!(desk.step(|it| handing::waiting(it, after(12), 10).unwrap()).len(), 1);
}
