//! Whom the adapter believes, and what it lets nobody read.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::SigningKey;
use events::ids::CaseId;
use events::proof::seal;
use events::proof::signature::{self, Purpose};
use events::report::News;
use events::vocabulary::Reason;
use events::wire;
use events::work::{Work, WorkKind};
use uuid::Uuid;

use super::{Desk, Hub, IDENTITY_NUMBER, NAME, REPLY_KEY, accepted, after, start};
use crate::inbox::{Arrival, Distrust, Letter};
use crate::keys;
use crate::outbox;
use crate::reporter::{Item as NewsItem, report_in};

#[test]
fn what_is_not_believed_is_refused_by_name_and_kept() {
    let desk = Desk::new();
    let good = desk.hub.work(1, 10, WorkKind::Case);
    let mut elsewhere = good.clone();
    elsewhere.province = "23".parse().unwrap();
    let mut rehearsal = good.clone();
    rehearsal.origin = "hub.test/rehearsal".to_owned();
    let mut bare = good.clone();
    bare.sealed = None;
    let moved = Work { case: CaseId(Uuid::from_u128(2)), ..good.clone() };
    let sealed_as = |change: fn(&mut seal::SealedTo)| {
        let mut work = good.clone();
        work.sealed.iter_mut().for_each(change);
        desk.hub.letter(&work)
    };
    let unsigned = Letter { signature: None, ..desk.hub.letter(&good) };
    let mut changed = desk.hub.letter(&good);
    changed.body = changed.body.iter().map(|it| if *it == b'5' { b'4' } else { *it }).collect();
    let stranger = Hub { key: SigningKey::from_bytes(&[8; 32]), seal_public: String::new() };
    let mut renewed = desk.hub.letter(&good);
    let other_id = signature::sign(&desk.hub.key, "hub-2", Purpose::ToProvince, &renewed.body);
    renewed.signature = Some(other_id);
    let large = desk.hub.signed(vec![b' '; events::subjects::PAYLOAD_BYTES_MAX + 1]);
    let table = [
        (unsigned, Distrust::Unsigned),
        (changed, Distrust::BadSignature),
        (stranger.letter(&good), Distrust::BadSignature),
        (renewed, Distrust::UnknownKey),
        (desk.hub.letter(&elsewhere), Distrust::WrongProvince),
        (desk.hub.letter(&rehearsal), Distrust::WrongOrigin),
        (desk.hub.letter(&bare), Distrust::PersonalPartMissing),
        (desk.hub.letter(&moved), Distrust::SealDoesNotOpen),
        (sealed_as(|it| it.algorithm = "sm2-sm4-gcm".to_owned()), Distrust::UnknownSealAlgorithm),
        (sealed_as(|it| it.key_id = "22-seal-9".to_owned()), Distrust::UnknownSealKey),
        (sealed_as(|it| it.key_id = "../22-seal-1".to_owned()), Distrust::UnknownSealKey),
        (desk.hub.signed(b"{}".to_vec()), Distrust::Unreadable),
        (desk.hub.signed(vec![b'['; 30_000]), Distrust::Unreadable),
        (large, Distrust::TooLarge),
    ];
    for (letter, distrust) in &table {
        assert_eq!(desk.arrive(letter, start()), Arrival::Refused(*distrust));
    }
    assert_eq!(desk.count("SELECT sum(count) FROM refused_count"), 14);
    assert_eq!(desk.count("SELECT count(*) FROM refused WHERE sealed IS NOT NULL"), 14);
    assert_eq!(
        desk.count("SELECT count(*) FROM work") + desk.count("SELECT count(*) FROM report"),
        0
    );
}

#[test]
fn a_writer_that_has_been_replaced_is_not_obeyed() {
    let desk = Desk::new();
    let old = desk.hub.work(1, 10, WorkKind::Case);
    desk.arrive(&desk.hub.letter(&old), start());
    let new = Work { epoch: 6, ..desk.hub.work(2, 20, WorkKind::Case) };
    desk.arrive(&desk.hub.letter(&new), after(1));
    let stale = desk.hub.letter(&desk.hub.work(3, 30, WorkKind::Case));
    assert_eq!(desk.arrive(&stale, after(2)), Arrival::Refused(Distrust::StaleEpoch));
    let sent = desk.send(after(3));
    let receipts = desk.hub.receipts(&sent, old.case, None);
    assert_eq!(desk.arrive(&receipts, after(4)), Arrival::Refused(Distrust::StaleEpoch));
    let copy = desk.arrive(&desk.hub.letter(&old), after(5));
    assert_eq!(copy, Arrival::Known { sent_again: 0 }, "a late copy of what we hold does no harm");
}

#[test]
fn a_text_travels_sealed_and_opens_only_in_its_report() {
    let desk = Desk::new();
    let work = desk.hub.work(1, 10, WorkKind::Case);
    desk.arrive(&desk.hub.letter(&work), start());
    let news = News::Declined { reason: Reason::RenewalNotDue };
    desk.tell(work.case, news, after(1), Some("未到换证期。".to_owned()));
    let sent = desk.send(after(2));
    let report = wire::report_from_bytes(&sent[1].body).unwrap().report;
    let sealed = BASE64.decode(report.sealed_text.as_ref().unwrap()).unwrap();
    let context = report.text_context();
    let text = seal::open(&REPLY_KEY, context.as_bytes(), &sealed).unwrap();
    assert_eq!(text, "未到换证期。".as_bytes());
    seal::open(&REPLY_KEY, b"another report", &sealed).unwrap_err();
    let long = NewsItem {
        case: work.case,
        news: accepted(),
        occurred_at: after(3),
        text: Some("长".repeat(4_000)),
    };
    let refused = desk.step(|it| report_in(it, &desk.identity, long, after(3)));
    assert!(matches!(refused, Err(outbox::ReportError::TextTooLong { .. })));
}

#[test]
fn an_identity_number_as_an_offices_number_is_refused_before_anything_is_written() {
    let desk = Desk::new();
    let work = desk.hub.work(1, 10, WorkKind::Case);
    desk.arrive(&desk.hub.letter(&work), start());
    let news = News::CertificateIssued { certificate_id: "11010519491231002X".to_owned() };
    let item = NewsItem { case: work.case, news, occurred_at: after(1), text: None };
    let refused = desk.step(|it| report_in(it, &desk.identity, item, after(1)));
    assert!(matches!(refused, Err(outbox::ReportError::IdentityNumberInClear)));
    desk.tell(work.case, accepted(), after(2), None);
    let sent = desk.send(after(3));
    let last = wire::report_from_bytes(&sent.last().unwrap().body).unwrap();
    assert_eq!(last.report.number, 2, "no number was used up");
}

#[test]
fn no_personal_value_stands_in_clear_in_any_file_of_the_store() {
    let desk = Desk::new();
    let work = desk.hub.work(1, 10, WorkKind::Case);
    desk.arrive(&desk.hub.letter(&work), start());
    desk.arrive(&desk.hub.signed(format!("{{\"name\":\"{NAME}\"}}").into_bytes()), start());
    let news = News::Declined { reason: Reason::DataMismatch };
    desk.tell(work.case, news, after(1), Some(format!("{NAME} {IDENTITY_NUMBER}")));
    // One connection stays open, so that the write-ahead log is there to be searched too.
    let open = desk.store();
    desk.tell(work.case, accepted(), after(2), Some(NAME.to_owned()));
    for needle in [NAME, IDENTITY_NUMBER, &BASE64.encode(REPLY_KEY)] {
        assert_eq!(files_with(desk.folder.path(), needle.as_bytes()), Vec::<String>::new());
    }
    let control = work.number.as_str().as_bytes();
    assert!(!files_with(desk.folder.path(), control).is_empty(), "the search itself must find");
    drop(open);
}

fn files_with(folder: &Path, needle: &[u8]) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    files
        .filter(|it| std::fs::read(it).unwrap().windows(needle.len()).any(|it| it == needle))
        .map(|it| it.display().to_string())
        .collect()
}

#[test]
fn identifiers_grow_with_time() {
    let early = outbox::new_id(start()).unwrap();
    let late = outbox::new_id(after(1)).unwrap();
    assert!(early < late && early.get_version_num() == 7);
    assert_ne!(keys::randomness::<16>().unwrap(), [0; 16]);
}
