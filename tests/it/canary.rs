//! The canary: a person who does not exist walks through everything, and is found nowhere in clear.

use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};

use events::ids::ProvinceCode;
use events::report::News;
use events::vocabulary::{Material, Outcome, Reason};
use hub::registrar::Answer;
use jiff::{SignedDuration, Timestamp};
use province_adapter::by_hand::ByHand;
use tests::canary::{find, grep};
use tests::simulation::adapter;
use tests::stage::national::{Applicant, Handed};
use tests::stage::province::{Keys, message};
use tests::stage::{Setup, TestHub, kinds};

const NAME: &str = "金丝雀乙丙丁";
const IDENTITY_NUMBER: &str = "11010519491231337X";
const PHONE: &str = "13912345678";
const NEEDLES: &[&str] = &[NAME, IDENTITY_NUMBER, PHONE];

/// Everything that anybody logs in this process, at its most talkative.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Vec<u8>>>);

impl Write for Ear {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Letters to the adapter, reports to the hub, until nothing moves.
fn carry(hub: &mut TestHub, adapter: &ByHand, code: ProvinceCode) {
    for _ in 0..10 {
        hub.clock.advance_to(hub.clock.now() + SignedDuration::from_mins(2));
        let now = hub.clock.now();
        hub.dispatch();
        for (_, letter) in hub.pipe.fetch() {
            adapter.arrive(letter.payload, Some(letter.signature), false, now).unwrap();
        }
        for (row, _) in adapter.waiting(now, 10).unwrap() {
            adapter.taken(row, now).unwrap();
        }
        for it in adapter.due(now, 10).unwrap() {
            hub.take(code, &[message(code, &it.token, it.body, &it.signature)]);
        }
        hub.send_receipts();
    }
}

fn walk(hub: &mut TestHub, adapter: &ByHand, code: ProvinceCode) {
    let applicant = Applicant {
        name: NAME.to_owned(),
        identity_number: IDENTITY_NUMBER.to_owned(),
        phone: PHONE.to_owned(),
    };
    let handed = Handed { applicant, ..Handed::new(1, code, hub.clock.now()) };
    let case = handed.case();
    handed.submit(hub);
    assert!(matches!(handed.hand_in(hub, case), Ok(Answer::NothingNew(_))));
    carry(hub, adapter, code);
    let text = Some(format!("{NAME}，{IDENTITY_NUMBER}，请补交照片，电话{PHONE}"));
    for news in [
        News::CorrectionRequested {
            missing: vec![Material::Photo],
            until: jiff::civil::date(2026, 3, 20),
        },
        News::Accepted { acceptance_number: "受-1".to_owned() },
        News::Completed {
            outcome: Outcome::Denied,
            decision_number: "决-1".to_owned(),
            reasons: vec![Reason::OverAge],
            result: Default::default(),
        },
    ] {
        let now = hub.clock.now();
        adapter.report(case, news, now, text.clone(), now).unwrap();
        carry(hub, adapter, code);
    }
    // Messages that nobody understands may hold anything, on either side.
    let junk = format!("{{\"name\":\"{NAME}\",\"number\":\"{IDENTITY_NUMBER}\"}}").into_bytes();
    hub.take(code, &[message(code, "accepted", junk.clone(), "no.signature")]);
    adapter.arrive(junk.into(), Some("none".to_owned()), false, hub.clock.now()).unwrap();
    let story = kinds(&hub.story(case));
    assert!(story.ends_with(&["completed".to_owned()]), "the walk went to its end: {story:?}");
}

#[test]
fn nobody_finds_the_person_in_any_file_log_line_or_metric() {
    let ear = Ear::default();
    let said = ear.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || said.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber).expect("nobody else listens here");
    let metrics = hub::telemetry::start_counting().expect("nobody else counts here");
    let code: ProvinceCode = "22".parse().unwrap();
    let mut hub = TestHub::new(Setup { sqlite: true, ..Setup::at(moment("2026-03-02T01:00:00Z")) });
    Keys::of(code).enrol(&hub);
    let adapter = adapter::open(&hub.path("adapter-22.db"), code);
    walk(&mut hub, &adapter, code);
    // Everything is open, so that write-ahead files are there too.
    let names = ["log.db", "log.db-wal", "keys.db", "views.db", "quarantine.db", "adapter-22.db"];
    for name in names {
        assert!(hub.path(name).is_file(), "{name} is a file that is looked at");
    }
    assert_eq!(grep(hub.folder.path(), NEEDLES).unwrap(), []);
    assert_eq!(find(metrics.render().as_bytes(), NEEDLES), []);
    let said = ear.0.lock().unwrap().clone();
    assert!(!said.is_empty(), "somebody said something");
    assert_eq!(find(&said, NEEDLES), []);
}

#[test]
fn the_canary_is_heard_in_every_disguise() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| {
        std::fs::create_dir_all(folder.path().join("deep")).unwrap();
        std::fs::write(folder.path().join("deep").join(name), bytes).unwrap();
    };
    use base64::Engine as _;
    let base64 = base64::engine::general_purpose::STANDARD;
    let sentence = format!("x{{\"name\":\"{NAME}\"}}");
    write("plain", sentence.clone().into_bytes());
    write("base64-0", base64.encode(&sentence).into_bytes());
    write("base64-1", base64.encode(format!("a{sentence}")).into_bytes());
    write("base64-2", base64.encode(format!("ab{sentence}")).into_bytes());
    write("hexadecimal", NAME.bytes().flat_map(|it| format!("{it:02x}").into_bytes()).collect());
    write("utf-16", NAME.encode_utf16().flat_map(u16::to_le_bytes).collect());
    let hits = grep(folder.path(), NEEDLES).unwrap();
    let files: std::collections::BTreeSet<&Path> =
        hits.iter().map(|it| it.file.as_path()).collect();
    assert_eq!(files.len(), 6, "{hits:?}");
}
