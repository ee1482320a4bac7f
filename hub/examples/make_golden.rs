//! Writes the golden log: one of every event there is. It reads and recomputes for ever.
//!
//! A published golden file is never made again; a new version gets a file of its own. Run it as
//! `cargo run -p hub --example make_golden -- tests/golden/v1.jsonl`.

#[path = "make_golden/redrives.rs"]
mod redrives;

use std::path::Path;

use events::case::{CaseEvent, CaseResult};
use events::envelope::{Actor, Envelope, Event, Evidence};
use events::ids::StreamName;
use events::proof::Hash;
use events::proof::evidence::report_of;
use events::proof::signature::{self, Purpose};
use events::report::{News, Report, ReportMessage};
use events::vocabulary::Outcome;
use events::wire::{TYPE_PREFIX, event_from_bytes, report_to_bytes};
use events::work::WorkKind;
use hub::audit::export::export;
use hub::log::contract::append;
use hub::log::memory::MemoryLog;
use hub::log::{Append, EventLog as _, ReadLog as _, SenderKey};
use jiff::Timestamp;

const ORIGIN: &str = "hub.golden/v1";
/// The first test vector of RFC 8032: its public half is registered below.
const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const CASE: &str = "case-01900000-0000-7000-8000-000000000001";
const REPORT: &str = "01900000-0000-7000-8000-00000000aaaa";
const REQUEST: &str = "01900000-0000-7000-8000-00000000bbbb";
const DUE: &str = r#"{"day":"2026-02-24","papers":["国办发明电〔2025〕7号"]}"#;
const DIGEST: &str = "0101010101010101010101010101010101010101010101010101010101010101";

/// Stream, kind, data. Shorthands are filled in: REPORT, REQUEST, DUE, DIGEST.
const EVENTS: &[(&str, &str, &str)] = &[
    ("keeping", "keeping.writer-started.v1", r#"{"epoch":1,"hub_version":"0.1.0"}"#),
    (
        "reference",
        "reference.calendar-published.v1",
        r#"{"revision":1,"calendar":{"year":2026,"holidays":["2026-02-16","2026-02-17"],"makeup_workdays":["2026-02-14","2026-02-28"],"papers":[{"number":"国办发明电〔2025〕7号","url":"https://www.gov.cn/"}]}}"#,
    ),
    (
        "reference",
        "reference.service-standard-published.v1",
        r#"{"revision":1,"acceptance_working_days":2,"completion_working_days":3,"urged_after_working_days":1,"serious_after_working_days":5,"deemed_after_working_days":5,"source":"交办运函〔2021〕446号"}"#,
    ),
    (
        "reference",
        "reference.route-table-published.v1",
        r#"{"revision":1,"digest":"DIGEST","entries":3}"#,
    ),
    ("province-22", "province.enrolled.v1", r#"{"operator":"li"}"#),
    (
        "province-22",
        "province.key-registered.v1",
        r#"{"key_id":"22-sign-1","purpose":"sign","algorithm":"ed25519","public_key":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    ),
    (
        "province-22",
        "province.maintenance-declared.v1",
        r#"{"from":"2026-02-20T00:00:00Z","until":"2026-02-21T00:00:00Z","reason":"network"}"#,
    ),
    (
        "province-22",
        "province.adapter-certified.v1",
        r#"{"adapter_version":"1.0.0","kit_version":"1.0.0","result_digest":"DIGEST","expires_at":"2027-02-21T00:00:00Z"}"#,
    ),
    ("province-22", "province.paused.v1", r#"{"operator":"li","reason":"moving"}"#),
    ("province-22", "province.resumed.v1", r#"{"operator":"li"}"#),
    (
        "CASE",
        "case.submitted.v1",
        r#"{"number":"NUMBER","client":"ysfw","client_reference":"A-1","item":"integrity-assessment","category":"general-freight","channel":"mini-program","authority":{"code":"2201","name":"长春市交通运输局","division":"220100"},"submitted_at":"2026-02-12T16:30:00Z","digest":"DIGEST","due":DUE,"late_intake":true}"#,
    ),
    (
        "CASE",
        "case.routed.v1",
        r#"{"province":"22","reason":{"rule":"division","division":"220100"},"request":"REQUEST"}"#,
    ),
    (
        "CASE",
        "case.forwarded.v1",
        r#"{"province":"22","work":"case","request":"REQUEST","attempt":1}"#,
    ),
    ("CASE", "case.delivered.v1", r#"{"report":"REPORT","work":"case","request":"REQUEST"}"#),
    (
        "CASE",
        "case.returned.v1",
        r#"{"report":"REPORT","province":"22","reason":"not-this-authority","division":"230100"}"#,
    ),
    ("CASE", "case.parked.v1", r#"{"reason":{"why":"returned-without-successor","by":"22"}}"#),
    ("CASE", "case.released.v1", r#"{"operator":"li","note":"it is theirs"}"#),
    (
        "CASE",
        "case.correction-requested.v1",
        r#"{"report":"REPORT","missing":["photo","identity-card"],"until":"2026-03-20","repeated":true}"#,
    ),
    (
        "CASE",
        "case.correction-submitted.v1",
        r#"{"digest":"DIGEST","submitted_at":"2026-02-25T01:00:00Z","due":DUE,"request":"REQUEST"}"#,
    ),
    ("CASE", "case.correction-lapsed.v1", r#"{"until":"2026-03-20"}"#),
    ("CASE", "case.acceptance-overdue.v1", r#"{"due":"2026-02-24"}"#),
    ("CASE", "case.urged.v1", r#"{"stage":"acceptance","due":"2026-02-24"}"#),
    ("CASE", "case.seriously-overdue.v1", r#"{"stage":"acceptance","due":"2026-02-24"}"#),
    ("CASE", "case.deemed-accepted.v1", r#"{"since":"2026-02-13","until":"2026-02-28"}"#),
    (
        "CASE",
        "case.breach-explained.v1",
        r#"{"stage":"acceptance","operator":"li","note":"flood"}"#,
    ),
    (
        "CASE",
        "case.accepted.v1",
        r#"{"report":"REPORT","acceptance_number":"受-7","decided_at":"2026-02-25T02:00:00Z","due":DUE}"#,
    ),
    (
        "CASE",
        "case.declined.v1",
        r#"{"report":"REPORT","reason":"assessment-not-due","decided_at":"2026-02-25T02:00:00Z"}"#,
    ),
    (
        "CASE",
        "case.clock-suspended.v1",
        r#"{"report":"REPORT","ground":"hearing","from":"2026-02-26"}"#,
    ),
    ("CASE", "case.clock-resumed.v1", r#"{"report":"REPORT","due":DUE}"#),
    (
        "CASE",
        "case.due-day-revised.v1",
        r#"{"stage":"completion","old":{"day":"2027-01-04","papers":[],"provisional":true},"due":DUE,"calendar_revision":2}"#,
    ),
    ("CASE", "case.completion-overdue.v1", r#"{"due":"2026-02-27"}"#),
    (
        "CASE",
        "case.completed.v1",
        r#"{"report":"REPORT","outcome":"denied","decision_number":"决-9","decided_at":"2026-02-27T02:00:00Z","reasons":["major-accident"],"result":{"grade":"AAA","valid_until":"2032-02-27","certificate_id":"E-1","next_due":"2028-02-27"}}"#,
    ),
    ("CASE", "case.withdrawn.v1", r#"{"requested_at":"2026-02-27T03:00:00Z","request":"REQUEST"}"#),
    ("CASE", "case.result-fed-back.v1", r#"{"client":"ysfw","way":"webhook"}"#),
    ("CASE", "case.certificate-issued.v1", r#"{"report":"REPORT","certificate_id":"E-1"}"#),
    ("CASE", "case.rated.v1", r#"{"rating":"very-satisfied"}"#),
    ("CASE", "case.complaint-filed.v1", r#"{"reference":"C-1","channel":"12328"}"#),
    ("CASE", "case.complaint-answered.v1", r#"{"reference":"C-1"}"#),
    ("CASE", "case.archived.v1", r#"{"reference":"档-1"}"#),
    (
        "CASE",
        "case.report-refused.v1",
        r#"{"report":"REPORT","kind":"completed","code":"already-decided"}"#,
    ),
    ("CASE", "case.conflicting-decision.v1", r#"{"report":"REPORT","kind":"completed"}"#),
    ("province-22", "province.key-revoked.v1", r#"{"key_id":"22-sign-1","reason":"rotated"}"#),
    ("keeping", "keeping.restored-from.v1", r#"{"source":"backup.db","position":7}"#),
    (
        "keeping",
        "keeping.clock-stepped.v1",
        r#"{"before":"2026-02-27T03:00:00Z","after":"2026-02-27T02:00:00Z"}"#,
    ),
    ("keeping", "keeping.checkpoint-signed.v1", r#"{"position":40,"note":"hub.golden/v1\n40\n…"}"#),
    ("keeping", "keeping.reconciled.v1", r#"{"subject":"22 2026-02-27","differences":0}"#),
    (
        "keeping",
        "keeping.personal-data-read.v1",
        r#"{"case":"01900000-0000-7000-8000-000000000001","operator":"li","purpose":"complaint"}"#,
    ),
    (
        "keeping",
        "keeping.case-key-destroyed.v1",
        r#"{"case":"01900000-0000-7000-8000-000000000001","operator":"li","reason":"retention ended"}"#,
    ),
    (
        "keeping",
        "keeping.operator-acted.v1",
        r#"{"operator":"li","action":"look-up","target":"one case"}"#,
    ),
];

/// What came with the changing of keys and with leaving: `tests/golden/v1-membership.jsonl`.
const MEMBERSHIP: &[(&str, &str, &str)] = &[
    EVENTS[0],
    ("province-22", "province.enrolled.v1", r#"{"operator":"li"}"#),
    (
        "province-22",
        "province.key-registered.v1",
        r#"{"key_id":"22-sign-1","purpose":"sign","algorithm":"ed25519","public_key":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    ),
    (
        "province-22",
        "province.key-expiry-set.v1",
        r#"{"key_id":"22-sign-1","until":"2026-12-31T16:00:00Z"}"#,
    ),
    ("province-22", "province.left.v1", r#"{"operator":"li","reason":"merged"}"#),
    ("province-22", "province.enrolled.v1", r#"{"operator":"li"}"#),
];

/// What came with acts on alerts and with telling people: `tests/golden/v1-alerts.jsonl`.
const ALERTS: &[(&str, &str, &str)] = &[
    EVENTS[0],
    (
        "keeping",
        "keeping.alert-message-planned.v1",
        r#"{"message":"01900000-0000-7000-8000-00000000cccc","notices":[{"kind":"acceptance-overdue","province":"22","count":12,"why":"first","since":"2026-02-13T01:02:03Z"},{"kind":"quarantine-full","count":1,"why":"reminder","since":"2026-02-12T01:02:03Z"}],"carriers":["mail-duty","webhook-duty"],"quiet_until":"2026-02-13T02:02:03Z"}"#,
    ),
    (
        "keeping",
        "keeping.alert-message-delivered.v1",
        r#"{"message":"01900000-0000-7000-8000-00000000cccc","carrier":"webhook-duty","attempts":2}"#,
    ),
    (
        "keeping",
        "keeping.alert-message-given-up.v1",
        r#"{"message":"01900000-0000-7000-8000-00000000cccc","carrier":"mail-duty","attempts":9,"reason":"unreachable"}"#,
    ),
    (
        "keeping",
        "keeping.alerts-acknowledged.v1",
        r#"{"scope":{"kind":"acceptance-overdue","province":"22"},"operator":"li","note":"called"}"#,
    ),
    (
        "keeping",
        "keeping.alerts-assigned.v1",
        r#"{"scope":{"kind":"acceptance-overdue","province":"22","case":"01900000-0000-7000-8000-000000000001","stage":"acceptance"},"operator":"li","to":"wang"}"#,
    ),
    (
        "keeping",
        "keeping.alerts-silenced.v1",
        r#"{"scope":{"kind":"quarantine-full"},"operator":"li","until":"2026-02-14T01:02:03Z","reason":"known"}"#,
    ),
    (
        "keeping",
        "keeping.alerts-unsilenced.v1",
        r#"{"scope":{"kind":"quarantine-full"},"operator":"li"}"#,
    ),
];

/// What came with the statistics: `tests/golden/v1-statistics.jsonl`.
const STATISTICS: &[(&str, &str, &str)] = &[
    EVENTS[0],
    ("province-22", "province.enrolled.v1", r#"{"operator":"li"}"#),
    (
        "province-22",
        "province.publicity-stated.v1",
        r#"{"by":"li","statement":{"month":"2026-02","rows":[{"first":1,"second":0,"text":"吉交运〔2026〕1号"},{"first":2,"second":180,"text":""},{"first":1,"second":40,"text":""},{"first":3,"second":1200,"text":"=窗口"},{"first":310,"second":9800,"text":""},{"first":4,"second":96,"text":""},{"first":1,"second":25,"text":""},{"first":3,"second":17,"text":""}],"carriers_told_share":9550,"knowledge_base":true}}"#,
    ),
    (
        "keeping",
        "keeping.statistics-issued.v1",
        r#"{"kind":"publicity","period":"2026-02","revision":1,"position":3,"csv_sha256":"DIGEST","operator":"li"}"#,
    ),
    (
        "keeping",
        "keeping.statistics-issued.v1",
        r#"{"kind":"monthly","period":"2026-Q1","province":"22","revision":1,"position":4,"csv_sha256":"DIGEST","operator":"li"}"#,
    ),
];

/// What is written down of a case.
const NOTES: &[(&str, &str, &str)] = &[
    EVENTS[0],
    EVENTS[10],
    ("CASE", "case.noted.v1", r#"{"operator":"li","note":"已致电，对方午后回复"}"#),
];

fn main() -> anyhow::Result<()> {
    let target = std::env::args().nth(1).unwrap_or_else(|| "tests/golden/v1.jsonl".to_owned());
    let events = match &target {
        it if it.contains("membership") => MEMBERSHIP,
        it if it.contains("alerts") => ALERTS,
        it if it.contains("statistics") => STATISTICS,
        it if it.contains("redrives") => redrives::REDRIVES,
        it if it.contains("notes") => NOTES,
        _ => EVENTS,
    };
    let mut log = MemoryLog::new(ORIGIN);
    let mut versions = std::collections::HashMap::<StreamName, u64>::new();
    for (number, row) in (1..).zip(events) {
        let mut envelope = event(number, row)?;
        if row.1 == "case.submitted.v1" {
            envelope.sealed = Some(vec![1, 0, 255, 7]);
        }
        envelope.evidence = evidence(&envelope)?;
        let version = versions.entry(envelope.stream).or_default();
        let recorded_at = Timestamp::from_microsecond(1_771_000_000_000_001 + number * 1_000_003)?;
        let key = (row.1 == "case.submitted.v1").then_some(SenderKey([5; 32]));
        let item = append(envelope.stream, *version, vec![envelope]);
        *version += 1;
        let answers = log.append(vec![Append { recorded_at, key, ..item }])?;
        answers.into_iter().try_for_each(|it| it.map(drop))?;
    }
    assert!(log.head()?.is_some());
    export(&log, Path::new(&target), 1, None, &mut |_, _| {})?;
    Ok(())
}

/// What the province signed to lead to this event.
fn evidence(envelope: &Envelope) -> anyhow::Result<Option<Evidence>> {
    let (Event::Case(event), StreamName::Case(case)) = (&envelope.event, envelope.stream) else {
        return Ok(None);
    };
    let Some(id) = report_of(event) else { return Ok(None) };
    let (news, at) = news(event);
    let report = Report {
        origin: ORIGIN.to_owned(),
        province: "22".parse()?,
        case,
        request: REQUEST.parse()?,
        digest: DIGEST.parse()?,
        number: 1,
        adapter: "1.0.0".to_owned(),
        news,
        sealed_text: None,
    };
    let occurred_at = at.unwrap_or(envelope.occurred_at);
    let bytes = report_to_bytes(&ReportMessage { id, occurred_at, report });
    let seed: Hash = SEED.parse()?;
    let key = ed25519_dalek::SigningKey::from_bytes(&seed.0);
    let signature = signature::sign(&key, "22-sign-1", Purpose::Report, &bytes);
    Ok(Some(Evidence { bytes, signature }))
}

/// The news that says what the event says, and when the province says it happened.
fn news(event: &CaseEvent) -> (News, Option<Timestamp>) {
    match event.clone() {
        CaseEvent::CaseReturned(it) => {
            (News::Returned { reason: it.reason, division: it.division }, None)
        }
        CaseEvent::CorrectionRequested(it) => {
            (News::CorrectionRequested { missing: it.missing, until: it.until }, None)
        }
        CaseEvent::CaseAccepted(it) => {
            (News::Accepted { acceptance_number: it.acceptance_number }, Some(it.decided_at))
        }
        CaseEvent::CaseDeclined(it) => (News::Declined { reason: it.reason }, Some(it.decided_at)),
        CaseEvent::ClockSuspended(it) => (News::Suspended { ground: it.ground }, None),
        CaseEvent::ClockResumed(_) => (News::Resumed, None),
        CaseEvent::CaseCompleted(it) => {
            let (outcome, decision_number) = (it.outcome, it.decision_number);
            let (reasons, result) = (it.reasons, it.result);
            (News::Completed { outcome, decision_number, reasons, result }, Some(it.decided_at))
        }
        CaseEvent::CertificateIssued(it) => {
            (News::CertificateIssued { certificate_id: it.certificate_id }, None)
        }
        CaseEvent::ReportRefused(_) | CaseEvent::ConflictingDecision(_) => {
            let (outcome, decision_number) = (Outcome::Approved, "决-10".to_owned());
            let (reasons, result) = (vec![], CaseResult::default());
            (News::Completed { outcome, decision_number, reasons, result }, None)
        }
        _ => (News::Delivered { work: WorkKind::Case }, None),
    }
}

fn event(number: i64, (stream, kind, data): &(&str, &str, &str)) -> anyhow::Result<Envelope> {
    let stream = stream.replace("CASE", CASE);
    let case = CASE.trim_start_matches("case-").parse()?;
    let day = jiff::civil::date(2026, 2, 13);
    let data = data
        .replace("NUMBER", events::ids::CaseNumber::of(case, day).as_str())
        .replace("REPORT", REPORT)
        .replace("REQUEST", REQUEST)
        .replace("DUE", DUE)
        .replace("DIGEST", DIGEST);
    let source = match kind.split_once('.') {
        Some(("province", _)) => Actor::Operator("li".to_owned()),
        _ if data.contains(REPORT) => Actor::Province("22".parse()?),
        _ if *kind == "case.submitted.v1" => Actor::National("ysfw".to_owned()),
        _ => Actor::Hub,
    };
    let cause =
        if data.contains(REPORT) { format!(r#","causedby":"{REPORT}""#) } else { String::new() };
    let body = format!(
        r#"{{"specversion":"1.0","id":"01900000-0000-7000-9000-{number:012}","source":"{source}","type":"{TYPE_PREFIX}{kind}","subject":"{stream}","time":"2026-02-13T01:02:03.00000{number:02}Z"{cause},"datacontenttype":"application/json","data":{data}}}"#
    );
    Ok(event_from_bytes(body.as_bytes())?)
}
