//! A small log that has one of everything an auditor must check. For tests.

use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use events::case::{CaseDelivered, CaseRated};
use events::envelope::{Actor, Envelope, Event, Evidence};
use events::ids::{ProvinceCode, ReportId, RequestId, StreamName};
use events::keeping::CheckpointSigned;
use events::proof::Hash;
use events::proof::note::Checkpoint;
use events::proof::signature::{self, Purpose};
use events::province::{
    KeyPurpose, KeyRegistered, KeyRevoked, ProvinceEvent, PublicityStated, Sent,
};
use events::publicity::{Fulfilment, ROWS, Statement, Told};
use events::report::{News, Report, ReportMessage};
use events::vocabulary::Rating;
use events::wire::{report_to_bytes, statement_to_bytes};
use events::work::WorkKind;
use jiff::Timestamp;
use uuid::Uuid;

use crate::log::contract::{Maker, ORIGIN, append, case};
use crate::log::sqlite::SqliteLog;
use crate::log::{Append, EventLog as _, ReadLog as _, SenderKey};

/// The hub's key in the specimen.
pub(crate) fn hub_key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn province_key() -> SigningKey {
    SigningKey::from_bytes(&[22; 32])
}

fn jilin() -> ProvinceCode {
    "22".parse().unwrap()
}

fn delivered(maker: &mut Maker, version: u64, signer: &SigningKey) -> Append {
    let (stream, report) = (StreamName::Case(case(1)), ReportId(Uuid::from_u128(77)));
    let request = RequestId(Uuid::from_u128(78));
    let message = ReportMessage {
        id: report,
        occurred_at: Timestamp::from_second(1_771_000_000).unwrap(),
        report: Report {
            origin: ORIGIN.into(),
            province: jilin(),
            case: case(1),
            request,
            digest: Hash([1; 32]),
            number: 1,
            adapter: "1.0.0".into(),
            news: News::Delivered { work: WorkKind::Case },
            sealed_text: None,
        },
    };
    let bytes = report_to_bytes(&message);
    let signature = signature::sign(signer, "22-sign-1", Purpose::Report, &bytes);
    let event = CaseDelivered { report, work: WorkKind::Case, request };
    let mut envelope = maker.envelope(stream, event.into());
    envelope.actor = Actor::Province(jilin());
    envelope.evidence = Some(Evidence { bytes, signature });
    append(stream, version, vec![envelope])
}

fn rated(maker: &mut Maker) -> Append {
    let stream = StreamName::Case(case(1));
    let mut first = maker.envelope(stream, CaseRated { rating: Rating::Fair }.into());
    first.sealed = Some(vec![1, 2, 3, 255]);
    let mut item = append(stream, 0, vec![first]);
    item.key = Some(SenderKey([9; 32]));
    item
}

fn in_province(maker: &mut Maker, version: u64, event: events::province::ProvinceEvent) -> Append {
    let stream = StreamName::Province(jilin());
    let envelope = maker.envelope(stream, Event::Province(event));
    append(stream, version, vec![envelope])
}

/// Eight events: a key, a case with sealed part, sender's key and signed evidence, a checkpoint,
/// notes by two writers.
pub(crate) fn make(folder: &Path) -> PathBuf {
    make_signed_by(folder, &province_key(), false)
}

/// The same, but the evidence is signed by `signer`, and the key may be revoked before.
pub(crate) fn make_signed_by(folder: &Path, signer: &SigningKey, revoked: bool) -> PathBuf {
    let path = folder.join("log.db");
    let mut maker = Maker::default();
    let registered = KeyRegistered {
        key_id: "22-sign-1".into(),
        purpose: KeyPurpose::Sign,
        algorithm: "ed25519".into(),
        public_key: signature::public_key_text(&province_key().verifying_key()),
    };
    let mut log = SqliteLog::open(&path, ORIGIN).unwrap();
    let mut batch = vec![in_province(&mut maker, 0, registered.into()), rated(&mut maker)];
    if revoked {
        let it = KeyRevoked { key_id: "22-sign-1".into(), reason: "lost".into() };
        batch.push(in_province(&mut maker, 1, it.into()));
    }
    batch.push(delivered(&mut maker, 1, signer));
    batch.push(maker.noted(1));
    assert!(log.append(batch).unwrap().iter().all(Result::is_ok));
    drop(log);
    let mut log = SqliteLog::open(&path, ORIGIN).unwrap();
    let (position, hash) = log.head().unwrap().unwrap();
    let checkpoint = Checkpoint { origin: ORIGIN.into(), position: position.0, hash };
    let note = checkpoint.sign(&hub_key(), "hub-1");
    let event = CheckpointSigned { position: position.0, note };
    let carried = maker.envelope(StreamName::Keeping, Event::Keeping(event.into()));
    let batch = vec![
        append(StreamName::Keeping, 1, vec![carried]),
        maker.rated(case(2), 0, 2),
        maker.noted(3),
    ];
    assert!(log.append(batch).unwrap().iter().all(Result::is_ok));
    path
}

/// The small log's checkpoint file.
pub(crate) fn checkpoints(path: &Path) -> PathBuf {
    let head = SqliteLog::readers(path).read(|it| it.head()).unwrap().unwrap();
    let file = path.with_extension("checkpoints");
    let mut it = crate::log::checkpoint::Checkpointer::new(&file, hub_key(), "hub-1", ORIGIN, None);
    it.sign(head, Timestamp::from_second(1_771_000_000).unwrap()).unwrap();
    file
}

/// A statement of publicity that follows the specimen: good, unsigned, changed after it was signed, and signed
/// by a stranger.
pub(crate) fn stated(which: usize) -> Envelope {
    let month = "2026-02".parse().unwrap();
    let rows = vec![Fulfilment { first: 1, second: 0, text: String::new() }; ROWS];
    let mut statement = Statement { month, rows, carriers_told_share: None, knowledge_base: true };
    let stated_at = Timestamp::from_second(1_771_000_000).unwrap();
    let (origin, adapter) = (ORIGIN.to_owned(), "1.0.0".to_owned());
    let told = Told { origin, province: jilin(), adapter, statement: statement.clone() };
    let message = Uuid::from_u128(79);
    let bytes = statement_to_bytes(message, stated_at, &told);
    let signer = if which == 3 { SigningKey::from_bytes(&[99; 32]) } else { province_key() };
    let signature = signature::sign(&signer, "22-sign-1", Purpose::Report, &bytes);
    if which == 2 {
        statement.rows[0].first = 2;
    }
    let sent = Some(Sent { stated_at, message });
    let event = ProvinceEvent::from(PublicityStated { by: told.adapter, statement, sent });
    let last = events::ids::EventId(Uuid::from_u128(1_000));
    let mut envelope =
        Maker::after(last).envelope(StreamName::Province(jilin()), Event::Province(event));
    envelope.actor = Actor::Province(jilin());
    envelope.evidence = (which != 1).then_some(Evidence { bytes, signature });
    envelope
}
