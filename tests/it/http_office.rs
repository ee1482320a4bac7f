//! A province whose office has an HTTP service of its own, through a real hub, broker and sidecar: REST in
//! JSON, and SOAP in GB18030, with the templates that stand in the guide.

use std::path::Path;

use serde_json::{Value, json};
use tests::broker::wait_for;
use tests::http_office::{Asked, BadDay, Files, HttpCounterpart};
use tests::office_stage::{OfficeStage, from_gbk, to_gbk};

/// The hub's and the office's codes in one file; the connector before them.
const OFFICE: &str = "http\"\ncodes = \"codes.toml";

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// The stage, with the published templates and the published table of codes.
async fn set(test: &str, tables: &str) -> Option<OfficeStage> {
    let stage = OfficeStage::set(test, "simulated", "[simulated]\nmode = \"instant\"\n").await?;
    for name in ["work.json", "submit.xml", "query.xml"] {
        let text = example(&format!("examples/http-office/{name}"));
        std::fs::write(stage.folder.at(name), text).unwrap();
    }
    std::fs::write(stage.folder.at("codes.toml"), example("codes.example.toml")).unwrap();
    stage.configure(OFFICE, tables);
    Some(stage)
}

const REST: &str = r#"[http]
url = "URL/cases"
template_file = "work.json"
code = "/code"
rules = [{ status = 200, code = "0", then = "taken" }, { code = "DUPLICATE", then = "taken" }]
[http.answer]
kind = "/state"
acceptance_number = "/acceptNo"
outcome = "/result"
decision_number = "/decisionNo"
certificate_id = "/certNo"
[http.status]
url = "URL/cases/{{ case_id }}"
every_ms = 100
"#;

fn rest(files: &mut Files, asked: &Asked) -> (&'static str, Vec<u8>) {
    let kind = "application/json; charset=utf-8";
    if let Some(path) = asked.line.strip_prefix("GET /cases/") {
        let case = path.split(' ').next().unwrap_or_default();
        let unknown = || br#"{"state": "00"}"#.to_vec();
        return (kind, files.states.get(case).cloned().unwrap_or_else(unknown));
    }
    let told: Value = serde_json::from_slice(&asked.body).unwrap_or_default();
    let new = files.files.insert(told["seqNo"].as_str().unwrap_or_default().to_owned());
    (kind, json!({"code": if new { "0" } else { "DUPLICATE" }}).to_string().into_bytes())
}

#[tokio::test]
async fn a_rest_office_decides_and_is_asked_again_after_bad_days() {
    let office = HttpCounterpart::start(rest).await;
    let Some(stage) = set("the REST office", &REST.replace("URL", &office.url)).await else {
        return;
    };
    // A proxy that is down, and an answer that is lost although the office has opened its file.
    office.files().bad_days = vec![BadDay::Unavailable, BadDay::AnswerLost];
    let mut sidecar = stage.serve();
    let case = stage.submit(1, 1).await.remove(0);
    stage.until(&case, "delivered").await;
    let sends = |it: &&Asked| it.line.starts_with("POST /cases");
    wait_for("the office to be told a third time", async || {
        (office.files().asked.iter().filter(sends).count() >= 3).then_some(())
    })
    .await;
    assert_eq!(office.files().files.len(), 1, "one file, however often it was told");
    let sent: Value =
        serde_json::from_slice(&office.files().asked.iter().find(sends).unwrap().body).unwrap();
    assert_eq!((&sent["type"], &sent["itemCode"]), (&json!("XB"), &json!("HF")), "its own codes");
    assert_eq!(sent["applicant"]["name"], "古丽·买买提");

    // A state that stands in no row of the table: named, and nothing is guessed.
    let says = |state: Value| {
        office.files().states.insert(case.clone(), state.to_string().into_bytes());
    };
    says(json!({"state": "77"}));
    wait_for("the unknown code to be named", async || stage.log().contains("77").then_some(()))
        .await;
    assert!(!stage.kinds(&case).await.contains(&"accepted".to_owned()));

    says(json!({"state": "02", "acceptNo": "受2026-1"}));
    stage.until(&case, "accepted").await;
    // The sidecar is killed; the office goes on meanwhile and is asked late.
    sidecar.kill().await.unwrap();
    says(json!({"state": "09", "acceptNo": "受2026-1", "result": "1", "decisionNo": "决2026-1",
        "certNo": "E-2026-1"}));
    let _sidecar = stage.serve();
    stage.until(&case, "certificate-issued").await;
    stage.assert_once(&case).await;
    let told: String = stage.folder.story(&case).await.iter().map(Value::to_string).collect();
    assert!(told.contains("决2026-1") && told.contains("E-2026-1"), "{told}");
    assert!(!stage.log().contains("古丽"), "no name in a log");
    stage.folder.hub(&["verify"]).await.with(0);
}

const SOAP: &str = r#"[http]
url = "URL/services/Exchange"
template_file = "submit.xml"
charset = "gb18030"
headers = { SOAPAction = "submit" }
inner = "/Envelope/Body/submitResponse/return"
code = "/RESULT/CODE"
rules = [{ status = 200, code = "1", then = "taken" }, { code = "-901", then = "refused" }]
[http.answer]
kind = "/RESULT/STATE"
acceptance_number = "/RESULT/SLBH"
reason = "/RESULT/LY"
[http.status]
url = "URL/services/Exchange"
template_file = "query.xml"
every_ms = 100
"#;

/// Speaks GBK only, by the system's own converter; the result is a document in a document.
fn soap(files: &mut Files, asked: &Asked) -> (&'static str, Vec<u8>) {
    let text = from_gbk(&asked.body);
    let between = |from: &str, to: &str| {
        let rest = text.split_once(from).map_or("", |it| it.1);
        rest.split_once(to).map_or("", |it| it.0).trim().to_owned()
    };
    let request = between("<QQBH>", "</QQBH>");
    let state = if text.contains("ns:submit") {
        files.files.insert(request);
        String::new()
    } else {
        files
            .states
            .get(&request)
            .map(|it| String::from_utf8_lossy(it).into_owned())
            .unwrap_or_default()
    };
    let inner = format!("<RESULT><CODE>1</CODE>{state}</RESULT>").replace('<', "&lt;");
    let answer = format!(
        "<?xml version=\"1.0\" encoding=\"GBK\"?><s:Envelope xmlns:s=\"s\"><s:Body>\
         <submitResponse><return>{inner}</return></submitResponse></s:Body></s:Envelope>"
    );
    ("text/xml; charset=GBK", to_gbk(&answer))
}

#[tokio::test]
async fn a_soap_office_that_speaks_gbk_declines_with_its_own_code() {
    let office = HttpCounterpart::start(soap).await;
    let Some(stage) = set("the SOAP office", &SOAP.replace("URL", &office.url)).await else {
        return;
    };
    office.files().bad_days = vec![BadDay::AnswerLost, BadDay::Unavailable];
    let _sidecar = stage.serve();
    let case = stage.submit_as(1, "欧阳镕基").await;
    stage.until(&case, "delivered").await;
    wait_for("the office to have its file", async || {
        (office.files().asked.len() >= 3 && office.files().files.len() == 1).then_some(())
    })
    .await;
    let first = from_gbk(&office.files().asked[0].body);
    assert!(first.contains("<XM>欧阳镕基</XM>") && first.contains("<SX>HF</SX>"), "{first}");
    let request = office.files().files.first().unwrap().clone();
    let declined = "<STATE>03</STATE><LY>19</LY>".to_owned();
    office.files().states.insert(request, declined.into_bytes());
    stage.until(&case, "declined").await;
    stage.assert_once(&case).await;
    let told: String = stage.folder.story(&case).await.iter().map(Value::to_string).collect();
    assert!(told.contains("over-age"), "the hub's own code: {told}");
    stage.folder.hub(&["verify"]).await.with(0);
}
