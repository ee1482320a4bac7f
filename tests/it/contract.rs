//! The AsyncAPI document is a promise to people who never see our code: it is valid, whole, and true.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use events::ids::ProvinceCode;
use events::report::News;
use events::subjects;
use events::work::WorkKind;
use hub::nats::keys::UserKey;
use hub::nats::release::OLDEST;
use hub::nats::render::{
    BrokerPlan, PROVINCE_CONNECTIONS_MAX, PROVINCE_MESSAGE_BYTES_MAX, PROVINCE_SUBSCRIPTIONS_MAX,
    ProvinceUsers, render,
};
use hub::nats::streams::{self, StreamLimits};
use serde_json::Value;

const WORK_KINDS: [WorkKind; 3] = [WorkKind::Case, WorkKind::Correction, WorkKind::Withdrawal];

fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../schemas"))
}

fn document() -> Value {
    let text = fs::read_to_string(folder().join("v1/asyncapi.yaml")).unwrap();
    serde_saphyr::from_str(&text).expect("asyncapi.yaml is YAML")
}

fn jilin() -> ProvinceCode {
    ProvinceCode::new(22).unwrap()
}

#[test]
fn the_asyncapi_document_is_one_by_the_published_schema() {
    let text = fs::read_to_string(folder().join("meta/asyncapi-3.0.0.schema.json")).unwrap();
    let meta: Value = serde_json::from_str(&text).unwrap();
    let meta = jsonschema::draft7::new(&meta).unwrap();
    let told: Vec<String> =
        meta.iter_errors(&document()).map(|it| format!("{it} at {}", it.instance_path())).collect();
    assert!(told.is_empty(), "{told:#?}");
    // The check itself can fail: a document without channels' addresses, or of another version.
    let spoilt: [fn(&mut Value); 3] = [
        |it| it["asyncapi"] = "2.6.0".into(),
        |it| it["operations"]["sendReport"]["action"] = "shout".into(),
        |it| it["channels"]["work"]["addres"] = "hub.v1.work".into(),
    ];
    for spoil in spoilt {
        let mut document = document();
        spoil(&mut document);
        assert!(!meta.is_valid(&document));
    }
}

#[test]
fn every_reference_of_the_document_leads_somewhere() {
    let document = document();
    let mut references = Vec::new();
    collect(&document, &mut references);
    assert!(references.len() > 40, "the references were not found");
    for reference in references {
        match reference.strip_prefix('#') {
            Some(pointer) => {
                assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
            }
            None => {
                let file = folder().join("v1").join(reference);
                assert!(file.is_file(), "{reference} is no file");
            }
        }
    }
}

fn collect<'a>(value: &'a Value, references: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            references.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|it| collect(it, references));
        }
        Value::Array(items) => items.iter().for_each(|it| collect(it, references)),
        _ => {}
    }
}

/// Every address of the channels for Jilin, with every value of its other parameters.
fn addresses(document: &Value) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for channel in document["channels"].as_object().unwrap().values() {
        let address = channel["address"].as_str().unwrap().replace("{province}", "22");
        match channel["parameters"]["kind"]["enum"].as_array() {
            Some(kinds) => all.extend(
                kinds.iter().map(|it| address.replace("{kind}", it.as_str().expect("a token"))),
            ),
            None => {
                all.insert(address);
            }
        }
    }
    all
}

#[test]
fn the_document_names_every_subject_of_a_province_and_no_other() {
    let province = jilin();
    let (work, consumer) = (subjects::WORK_STREAM, subjects::consumer(province));
    let api = subjects::PROVINCE_API_PREFIX;
    let mut expected: BTreeSet<String> =
        WORK_KINDS.iter().map(|it| subjects::work(province, it.token())).collect();
    expected.insert(subjects::work(province, subjects::RECEIPTS_TOKEN));
    expected.insert(subjects::work(province, subjects::RECONCILE_TOKEN));
    expected.insert(subjects::report(province, subjects::INVENTORY_TOKEN));
    expected.insert(subjects::report(province, subjects::HOLDINGS_TOKEN));
    expected.insert(subjects::report(province, subjects::PUBLICITY_TOKEN));
    expected.extend(News::TOKENS.iter().map(|it| subjects::report(province, it)));
    expected.insert(format!("{api}.CONSUMER.MSG.NEXT.{work}.{consumer}"));
    expected.insert(format!("{api}.CONSUMER.INFO.{work}.{consumer}"));
    expected.insert(format!("$JS.ACK.{work}.{consumer}.>"));
    expected.insert(format!("{}.>", subjects::inbox(province)));
    assert_eq!(addresses(&document()), expected);
}

#[test]
fn the_document_names_every_type_of_message_and_no_other() {
    let document = document();
    let messages = document["components"]["messages"].as_object().unwrap();
    let named: BTreeMap<&str, &str> = messages
        .values()
        .filter_map(|it| {
            let schema = it["payload"]["$ref"].as_str().unwrap_or("inline");
            Some((it["name"].as_str()?, schema.trim_start_matches("#/components/schemas/")))
        })
        .filter(|it| it.0.starts_with("cn.gov"))
        .collect();
    let prefix = events::wire::TYPE_PREFIX;
    let works = WORK_KINDS.map(|it| (format!("{prefix}work.{}.v1", it.token()), "work"));
    let reports = News::TOKENS.map(|it| (format!("{prefix}report.{it}.v1"), "report"));
    let receipts = (format!("{prefix}receipts.v1"), "receipts");
    let comparing = ["reconcile", "inventory", "holdings", "publicity"];
    let comparing = comparing.map(|it| (format!("{prefix}{it}.v1"), it));
    let expected: BTreeMap<String, &str> =
        works.into_iter().chain(reports).chain([receipts]).chain(comparing).collect();
    let named: BTreeMap<String, &str> =
        named.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect();
    assert_eq!(named, expected);
}

#[test]
fn the_documents_provinces_are_the_connected_ones() {
    let document = document();
    let listed = document["components"]["parameters"]["province"]["enum"].as_array().unwrap();
    let listed: Vec<&str> = listed.iter().map(|it| it.as_str().unwrap()).collect();
    let connected: Vec<String> = ProvinceCode::all().map(|it| it.to_string()).collect();
    assert_eq!(listed, connected);
}

#[test]
fn the_documents_limits_are_the_programs() {
    let document = document();
    let at = |pointer: &str| {
        let found = document.pointer(pointer).and_then(Value::as_u64);
        found.unwrap_or_else(|| panic!("no number at {pointer}"))
    };
    let limits = StreamLimits::default();
    let consumer = streams::work_consumer(jilin(), &limits);
    let work = streams::work(&limits);
    let report = streams::report(jilin(), &limits);
    let pace = hub_core::plan::Pace::default().waits_ms;
    #[rustfmt::skip] // a table
    let table = [
        ("/x-limits/payloadBytesMax",                                subjects::PAYLOAD_BYTES_MAX as u64),
        ("/x-limits/receiptsAMessageMax",                            subjects::RECEIPTS_A_MESSAGE_MAX as u64),
        ("/components/messages/receipts/x-limits/receiptsMax",       subjects::RECEIPTS_A_MESSAGE_MAX as u64),
        ("/x-limits/signatureBytesMax",                              events::proof::signature::SIGNATURE_BYTES_MAX as u64),
        ("/components/schemas/signature/maxLength",                  events::proof::signature::SIGNATURE_BYTES_MAX as u64),
        ("/x-limits/sealedTextBytesMax",                             province_adapter::outbox::SEALED_TEXT_BYTES_MAX as u64),
        ("/servers/broker/x-connection/connectionsMax",              PROVINCE_CONNECTIONS_MAX as u64),
        ("/servers/broker/x-connection/subscriptionsMax",            PROVINCE_SUBSCRIPTIONS_MAX as u64),
        ("/servers/broker/x-connection/messageBytesMax",             PROVINCE_MESSAGE_BYTES_MAX as u64),
        ("/channels/work/x-jetstream/ageMaxSeconds",                 work.max_age.as_secs()),
        ("/channels/work/x-jetstream/messagesASubjectMax",           work.max_messages_per_subject as u64),
        ("/channels/work/x-jetstream/consumer/ackWaitSeconds",       consumer.ack_wait.as_secs()),
        ("/channels/work/x-jetstream/consumer/ackPendingMax",        consumer.max_ack_pending as u64),
        ("/channels/report/x-jetstream/bytesMax",                    report.max_bytes as u64),
        ("/channels/report/x-jetstream/duplicateWindowSeconds",      report.duplicate_window.as_secs()),
        ("/operations/sendReport/x-retry/waitsMilliseconds/0",       pace[0]),
        ("/operations/sendReport/x-retry/waitsMilliseconds/4",       pace[4]),
    ];
    for (pointer, expected) in table {
        assert_eq!(at(pointer), expected, "{pointer}");
    }
}

#[test]
fn the_documents_permissions_are_those_of_the_brokers_configuration() {
    let users = |it: char| vec![format!("U{}", it.to_string().repeat(55))];
    let provinces = vec![ProvinceUsers { province: jilin(), users: users('A') }];
    let hub = UserKey::generate().unwrap();
    let mut plan = BrokerPlan::loopback(OLDEST, hub.public(), provinces, 1 << 30);
    plan.store_dir = Path::new("store").into();
    let text = render(&plan).unwrap();
    let account = text.split("  P22: {").nth(1).expect("the province's account");
    let document = document();
    for verb in ["publish", "subscribe"] {
        let told = document["x-permissions"][verb].as_array().unwrap();
        let told: BTreeSet<String> =
            told.iter().map(|it| it.as_str().unwrap().replace("{province}", "22")).collect();
        let line = account.lines().find(|it| it.contains(&format!("{verb}: {{allow"))).unwrap();
        let allowed: BTreeSet<String> =
            line.split('"').skip(1).step_by(2).map(str::to_owned).collect();
        assert_eq!(told, allowed, "{verb}");
    }
    assert_eq!(document["x-permissions"]["account"], "P{province}");
    assert_eq!(subjects::account(jilin()), "P22");
}
