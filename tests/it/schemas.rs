//! The published schemas against their examples, and against what the program really writes.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use events::case::CaseResult;
use events::feedback::{ClockVerdict, Ending, Feedback, Timeliness};
use events::ids::{CaseId, CaseNumber, EventId, ProvinceCode, ReportId, RequestId};
use events::proof::Hash;
use events::proof::seal::SealedTo;
use events::reconcile::{
    Day, Held, HeldReport, HeldWork, Holdings, Inventory, Occasion, Order, Span, day_hash,
};
use events::report::{News, Report, ReportMessage};
use events::vocabulary::{
    Category, Channel, DueDay, Grade, IssuingAuthority, Item, Material, Outcome, Reason,
    SuspensionGround,
};
use events::wire;
use events::work::{Receipts, ReportReceipt, SubmissionReceipt, Work, WorkKind};
use jiff::Timestamp;
use jiff::civil::date;
use serde_json::Value;
use tests::http::{HttpHub, submission};
use uuid::Uuid;

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas/v1"))
}

fn schema(name: &str) -> jsonschema::Validator {
    let text = fs::read_to_string(folder().join(format!("{name}.schema.json"))).expect(name);
    let schema: Value = serde_json::from_str(&text).expect(name);
    jsonschema::draft202012::meta::validate(&schema).map_err(|it| it.to_string()).expect(name);
    let options = jsonschema::draft202012::options().should_validate_formats(true);
    options.build(&schema).expect(name)
}

fn names() -> Vec<String> {
    let files = fs::read_dir(folder()).unwrap();
    let names = files.filter_map(|it| {
        let name = it.unwrap().file_name().into_string().unwrap();
        Some(name.strip_suffix(".schema.json")?.to_owned())
    });
    names.collect()
}

#[test]
fn every_schema_has_good_and_bad_examples_that_are_so() {
    let mut lacking: BTreeSet<(String, &str)> = BTreeSet::new();
    for name in names() {
        lacking.extend([(name.clone(), "good"), (name, "bad")]);
    }
    for kind in ["good", "bad"] {
        for entry in fs::read_dir(folder().join("examples").join(kind)).unwrap() {
            let path = entry.unwrap().path();
            let file = path.file_name().unwrap().to_string_lossy().into_owned();
            let name = file.split('.').next().unwrap().to_owned();
            let value: Value = serde_json::from_slice(&fs::read(&path).unwrap()).expect(&file);
            let told = schema(&name).validate(&value).map_err(|it| it.to_string());
            assert_eq!(told.is_ok(), kind == "good", "{kind}/{file}: {told:?}");
            lacking.remove(&(name, kind));
        }
    }
    assert!(lacking.is_empty(), "no examples: {lacking:?}");
}

pub(crate) fn check(name: &str, bytes: &[u8]) {
    let value: Value = serde_json::from_slice(bytes).unwrap();
    let told =
        schema(name).validate(&value).map_err(|it| format!("{it} at {}", it.instance_path()));
    assert_eq!(told, Ok(()), "{name}: {value}");
}

fn case() -> CaseId {
    "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap()
}

fn now() -> Timestamp {
    "2026-02-13T01:30:00.123456Z".parse().unwrap()
}

fn due() -> DueDay {
    DueDay {
        day: date(2026, 12, 31),
        papers: vec!["国办发明电〔2025〕7号".into()],
        provisional: true,
    }
}

fn work(kind: WorkKind) -> Work {
    let sealed = SealedTo {
        algorithm: events::proof::seal::HPKE_X25519.into(),
        key_id: "22-seal-1".into(),
        encapsulated: "AAAA".into(),
        ciphertext: "BBBB".into(),
    };
    Work {
        origin: "hub.test/schemas".into(),
        province: ProvinceCode::new(22).unwrap(),
        kind,
        case: case(),
        number: CaseNumber::of(case(), date(2026, 2, 13)),
        request: RequestId(Uuid::from_u128(1)),
        digest: Hash([7; 32]),
        epoch: 1,
        item: Item::Renewal,
        category: Category::Passenger,
        channel: Channel::App,
        authority: IssuingAuthority {
            code: None,
            name: "长春市".into(),
            division: "220100".parse().ok(),
        },
        submitted_at: now(),
        due: due(),
        next_report_number: Some(3),
        sealed: (kind != WorkKind::Withdrawal).then_some(sealed),
    }
}

#[test]
fn work_as_the_hub_writes_it_fits_its_schema() {
    for kind in [WorkKind::Case, WorkKind::Correction, WorkKind::Withdrawal] {
        check("work", &wire::work_to_bytes(Uuid::from_u128(2), now(), &work(kind)));
    }
}

#[test]
fn every_kind_of_news_fits_the_schema_of_reports() {
    let result = CaseResult {
        grade: Some(Grade::Aaa),
        valid_until: Some(date(2032, 2, 12)),
        certificate_id: Some("e-1".into()),
        next_due: None,
    };
    let division = "220100".parse().ok();
    let all = [
        News::Delivered { work: WorkKind::Correction },
        News::Returned { reason: Reason::NotThisAuthority, division },
        News::CorrectionRequested { missing: Material::ALL.to_vec(), until: date(2026, 3, 1) },
        News::Accepted { acceptance_number: "受-7".into() },
        News::Declined { reason: Reason::Other },
        News::Suspended { ground: SuspensionGround::Hearing },
        News::Resumed,
        News::Completed {
            outcome: Outcome::Denied,
            decision_number: "决-7".into(),
            reasons: Reason::ALL.to_vec(),
            result,
        },
        News::CertificateIssued { certificate_id: "e-1".into() },
    ];
    let tokens: BTreeSet<&str> = all.iter().map(News::token).collect();
    assert_eq!(tokens, News::TOKENS.into_iter().collect(), "a kind of news is not checked");
    for news in all {
        let report = Report {
            origin: "hub.test/schemas".into(),
            province: ProvinceCode::new(66).unwrap(),
            case: case(),
            request: RequestId(Uuid::from_u128(1)),
            digest: Hash([7; 32]),
            number: 1,
            adapter: "0.1.0".into(),
            news,
            sealed_text: Some("AAAA".into()),
        };
        let message =
            ReportMessage { id: ReportId(Uuid::from_u128(3)), occurred_at: now(), report };
        check("report", &wire::report_to_bytes(&message));
    }
}

#[test]
fn receipts_of_both_kinds_fit_their_schemas() {
    let one = |refused: Option<&str>| ReportReceipt {
        report: ReportId(Uuid::from_u128(3)),
        case: case(),
        position: refused.is_none().then_some(7),
        hash: refused.is_none().then_some(Hash([1; 32])),
        refused: refused.map(str::to_owned),
        next_number: refused.map(|_| 2),
    };
    let province = ProvinceCode::new(22).unwrap();
    let receipts = vec![one(None), one(Some("out-of-order"))];
    let receipts = Receipts {
        origin: "hub.test/schemas".into(),
        province,
        epoch: 1,
        receipts,
        statements: vec![],
    };
    check("receipts", &wire::receipts_to_bytes(Uuid::from_u128(4), now(), &receipts));
    let receipt = SubmissionReceipt {
        origin: "hub.test/schemas".into(),
        case_id: case(),
        case_number: CaseNumber::of(case(), date(2026, 2, 13)),
        position: 7,
        hash: Hash([1; 32]),
        recorded_at: now(),
        province,
        acceptance_due: due(),
        digest: Hash([7; 32]),
    };
    check("receipt", &serde_json::to_vec(&receipt).unwrap());
}

#[test]
fn feedback_as_the_hub_writes_it_fits_its_schema() {
    let clock = || ClockVerdict { due: due(), verdict: Timeliness::ReportedLate };
    let endings = [
        Ending::Approved,
        Ending::Denied,
        Ending::Declined,
        Ending::Withdrawn,
        Ending::CorrectionLapsed,
    ];
    for ending in endings {
        let told = ending != Ending::Withdrawn;
        let feedback = Feedback {
            origin: "hub.test/schemas".into(),
            case: case(),
            number: CaseNumber::of(case(), date(2026, 2, 13)),
            client_reference: told.then(|| "YSFW-1".into()),
            item: Item::Renewal,
            category: Category::Passenger,
            province: told.then_some(ProvinceCode::new(66).unwrap()),
            ending,
            acceptance_number: told.then(|| "受-7".into()),
            decision_number: told.then(|| "决-7".into()),
            reasons: if told { Reason::ALL.to_vec() } else { Vec::new() },
            result: CaseResult::default(),
            acceptance: told.then(clock),
            completion: told.then(clock),
            recorded_at: now(),
            position: 7,
            text: told.then(|| "照片不合格".into()),
        };
        check("feedback", &wire::feedback_to_bytes(EventId(Uuid::from_u128(5)), &feedback));
    }
}

#[test]
fn comparisons_and_orders_fit_their_schemas() {
    let (origin, province) = ("hub.test/schemas".to_owned(), ProvinceCode::new(22).unwrap());
    let (day, id) = (date(2026, 3, 2), Uuid::from_u128(5));
    let held = Held {
        case: case(),
        next_number: 3,
        work: vec![HeldWork { request: RequestId(id), kind: WorkKind::Correction }],
        reports: vec![HeldReport { number: 2, hash: Hash([1; 32]) }],
    };
    for occasion in [Occasion::NewStore, Occasion::Connected, Occasion::Daily, Occasion::Asked] {
        let (count, hash) = day_hash(std::slice::from_ref(&held));
        let inventory = Inventory {
            origin: origin.clone(),
            province,
            adapter: "province-adapter/0.1.0".into(),
            occasion,
            since: (occasion != Occasion::NewStore).then_some(day),
            until: day,
            days: vec![Day { day, count, hash }],
        };
        check("inventory", &wire::inventory_to_bytes(id, now(), &inventory));
    }
    let holdings = Holdings {
        origin: origin.clone(),
        province,
        inventory: id,
        day,
        part: 1,
        parts: 2,
        after: None,
        up_to: Some(case()),
        cases: vec![held],
    };
    check("holdings", &wire::holdings_to_bytes(id, now(), &holdings));
    let order = Order {
        origin,
        province,
        epoch: 1,
        inventory: Some(id),
        take: Some(Span { since: day, until: day }),
        list: vec![day],
        report_again: vec![case()],
        settled: Some(0),
    };
    check("reconcile", &wire::order_to_bytes(id, now(), &order));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_running_hub_answers_fits_its_schemas() {
    let hub = HttpHub::start().await;
    let receipt = hub.submit("key-00001", submission(1).to_string()).send().await.unwrap();
    let receipt = receipt.bytes().await.unwrap();
    check("receipt", &receipt);
    let receipt: Value = serde_json::from_slice(&receipt).unwrap();
    let path = format!("/v1/cases/{}/events", receipt["case_id"].as_str().unwrap());
    let story: Value = hub.ask("GET", &path, "auditor").send().await.unwrap().json().await.unwrap();
    let events = story["events"].as_array().unwrap();
    assert!(events.len() >= 2, "submitted and routed");
    for event in events {
        check("recorded", event.to_string().as_bytes());
    }
    let mut twice = submission(1);
    twice["item"] = "CANARY".into();
    let problem = hub.submit("key-00002", twice.to_string()).send().await.unwrap();
    check("problem", &problem.bytes().await.unwrap());
    let duplicate = hub.submit("key-00003", submission(1).to_string()).send().await.unwrap();
    check("problem", &duplicate.bytes().await.unwrap());
}
