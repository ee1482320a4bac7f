//! The API as an office meets it: over a socket, with and without manners.

use std::path::Path;
use std::time::Duration;

use events::work::WorkKind;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use super::*;
use crate::office::rehearsal::Rehearsal;
use crate::status::shown::Level;

const TOKEN: &str = "a-token-of-the-office-0123456789abcdef";
const CASE: &str = "00000000-0000-0000-0000-000000000001";

struct Api {
    rehearsal: Rehearsal,
    address: String,
    serving: JoinHandle<()>,
    http: reqwest::Client,
}

fn write_token(folder: &Path, mode: u32) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let path = folder.join("office.token");
    std::fs::write(&path, format!("{TOKEN}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

impl Api {
    async fn open(codes: Codes) -> Self {
        Self::with(Rehearsal::new(), codes, |_| {}).await
    }

    async fn with(rehearsal: Rehearsal, codes: Codes, change: impl Fn(&mut Settings)) -> Self {
        let mut settings = Settings {
            listen: "127.0.0.1:0".to_owned(),
            token_file: write_token(rehearsal.folder.path(), 0o600),
            address_file: Some(rehearsal.folder.path().join("address")),
            ..Settings::default()
        };
        change(&mut settings);
        let reporter = rehearsal.adapter().reporter();
        let office = PullOffice::open(settings, Arc::new(codes), reporter).await.unwrap();
        let address = std::fs::read_to_string(rehearsal.folder.path().join("address")).unwrap();
        let serving = tokio::spawn(async move { office.run().await });
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { rehearsal, address, serving, http }
    }

    /// The process dies and another takes over.
    async fn crash(self, codes: Codes) -> Self {
        self.serving.abort();
        let _cut = self.serving.await;
        let mut rehearsal = self.rehearsal;
        rehearsal.crash().await;
        Self::with(rehearsal, codes, |_| {}).await
    }

    async fn arrive(&self, request: u128, kind: WorkKind) {
        self.rehearsal.arrive(&self.rehearsal.work(1, request, kind)).await;
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let request = self.http.get(format!("http://{}{path}", self.address)).bearer_auth(TOKEN);
        tell(request).await
    }

    async fn post(&self, path: &str, key: &str, body: Value) -> (u16, Value) {
        let request = self.http.post(format!("http://{}{path}", self.address)).bearer_auth(TOKEN);
        tell(request.header("idempotency-key", key).json(&body)).await
    }

    async fn answer(&self, key: &str, body: Value) -> (u16, Value) {
        self.post(&format!("/v1/cases/{CASE}/answers"), key, body).await
    }

    async fn waiting(&self) -> Vec<Value> {
        let (status, page) = self.get("/v1/work").await;
        assert_eq!(status, 200, "{page}");
        page["work"].as_array().unwrap().clone()
    }

    async fn take(&self, number: i64) -> (u16, Value) {
        self.post(&format!("/v1/work/{number}/take"), "k", json!({})).await
    }
}

async fn tell(request: reqwest::RequestBuilder) -> (u16, Value) {
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap())
}

#[track_caller]
fn refused(answer: &(u16, Value), status: u16, code: &str) {
    assert_eq!((answer.0, answer.1["code"].as_str()), (status, Some(code)), "{}", answer.1);
}

#[tokio::test]
async fn a_case_is_listed_opened_taken_answered_and_its_reports_are_shown() {
    let api = Api::open(Codes::default()).await;
    assert_eq!(api.waiting().await.len(), 0);
    api.arrive(100, WorkKind::Case).await;
    let waiting = api.waiting().await;
    assert_eq!(waiting[0]["case_id"], CASE);
    assert_eq!(waiting[0]["office_codes"]["item"], "renewal");
    assert!(!waiting[0].to_string().contains("金丝雀甲"), "a list has no personal data");
    let (status, one) = api.get("/v1/work/1").await;
    assert_eq!((status, one["applicant"]["name"].as_str()), (200, Some("金丝雀甲")));
    assert_eq!(api.waiting().await.len(), 1, "looking is not taking");
    let answered =
        api.answer("a-1", json!({"kind": "accepted", "acceptance_number": "受-1"})).await;
    refused(&answered, 409, "work-not-taken");
    assert_eq!(api.take(1).await, (200, json!({"number": 1, "again": false})));
    assert_eq!(api.take(1).await, (200, json!({"number": 1, "again": true})));
    assert_eq!(api.waiting().await.len(), 0);
    let body = json!({"kind": "accepted", "acceptance_number": "受-1", "text": "请等候"});
    let (status, first) = api.answer("a-1", body.clone()).await;
    assert_eq!((status, first["again"].as_bool()), (201, Some(false)), "{first}");
    let (status, second) = api.answer("a-1", body).await;
    assert_eq!((status, &second["report_id"]), (200, &first["report_id"]));
    let (_, case) = api.get(&format!("/v1/cases/{CASE}")).await;
    let kinds: Vec<&str> =
        case["reports"].as_array().unwrap().iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["delivered", "accepted"]);
    let (_, status) = api.get("/v1/status").await;
    assert_eq!((&status["work_waiting"], &status["reports_waiting"]), (&json!(0), &json!(2)));
}

#[tokio::test]
async fn what_was_answered_survives_the_death_of_the_adapter() {
    let api = Api::open(Codes::default()).await;
    api.arrive(100, WorkKind::Case).await;
    api.take(1).await;
    let body = json!({"kind": "accepted", "acceptance_number": "受-1"});
    let (status, first) = api.answer("a-1", body.clone()).await;
    assert_eq!(status, 201);
    let api = api.crash(Codes::default()).await;
    assert_eq!(api.waiting().await.len(), 0, "what was taken stays taken");
    let (status, second) = api.answer("a-1", body).await;
    assert_eq!((status, &second["report_id"]), (200, &first["report_id"]));
}

#[tokio::test]
async fn a_long_poll_ends_when_work_arrives_and_when_its_time_is_up() {
    let api = Api::open(Codes::default()).await;
    let (status, page) = api.get("/v1/work?wait=1s").await;
    assert_eq!((status, page["work"].as_array().unwrap().len()), (200, 0));
    let polling = api.get("/v1/work?wait=60s");
    let (found, ()) = tokio::join!(polling, async {
        tokio::task::yield_now().await;
        api.arrive(100, WorkKind::Case).await;
    });
    assert_eq!(found.1["work"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn corrections_and_withdrawals_are_work_in_their_order() {
    let api = Api::open(Codes::default()).await;
    api.arrive(100, WorkKind::Case).await;
    api.arrive(200, WorkKind::Withdrawal).await;
    assert_eq!(api.waiting().await.len(), 1, "one of a case at a time");
    refused(&api.take(2).await, 409, "earlier-work-waits");
    api.take(1).await;
    assert_eq!(api.waiting().await[0]["kind"], "withdrawal");
    let (status, withdrawal) = api.get("/v1/work/2").await;
    assert_eq!((status, &withdrawal["applicant"]), (200, &Value::Null));
    api.take(2).await;
    let answered = api.answer("a", json!({"kind": "accepted", "acceptance_number": "受-1"})).await;
    refused(&answered, 409, "case-withdrawn");
    let (_, all) = api.get("/v1/work?which=all&limit=1").await;
    assert_eq!((all["work"].as_array().unwrap().len(), &all["next_after"]), (1, &json!(1)));
    let (_, all) = api.get("/v1/work?which=all&after=1").await;
    assert_eq!((all["work"][0]["number"].as_i64(), &all["next_after"]), (Some(2), &json!(2)));
}

#[tokio::test]
async fn the_offices_own_codes_are_spoken_in_both_directions() {
    let example = include_str!("../../../../deploy/codes.example.toml");
    let api = Api::open(Codes::parse(example, Path::new("codes.toml")).unwrap()).await;
    api.arrive(100, WorkKind::Case).await;
    let waiting = api.waiting().await;
    let codes = &waiting[0]["office_codes"];
    assert_eq!((&codes["item"], &codes["category"]), (&json!("HF"), &json!("010")));
    assert_eq!(codes["authority"], Value::Null, "吉林市 is nobody's name in the table");
    assert!(waiting[0]["unmapped"][0].as_str().unwrap().contains("nearest: 吉林市交通运输局"));
    api.take(1).await;
    let refusal = api.answer("a", json!({"kind": "03", "reason": "over-age"})).await;
    refused(&refusal, 422, "unknown-local-code");
    assert_eq!(refusal.1["pointer"], "/reason");
    let own = api.answer("b", json!({"kind": "01", "whatever": [1]})).await;
    assert_eq!(own, (200, json!({"nothing_new": true})));
    let (status, declined) = api.answer("c", json!({"kind": "03", "reason": "19"})).await;
    assert_eq!((status, declined["kind"].as_str()), (201, Some("declined")));
}

#[tokio::test]
async fn callers_without_the_token_or_without_manners_hear_a_code() {
    let api = Api::open(Codes::default()).await;
    api.arrive(100, WorkKind::Case).await;
    let at = |path: &str| format!("http://{}{path}", api.address);
    for request in [
        api.http.get(at("/v1/work")),
        api.http.get(at("/v1/work")).bearer_auth("another-token-0123456789abcdef01234"),
        api.http.get(at("/v1/work/1")).bearer_auth(&TOKEN[..TOKEN.len() - 1]),
        api.http.get(at("/nothing")),
    ] {
        refused(&tell(request).await, 401, "unauthenticated");
    }
    refused(&api.get("/nothing").await, 404, "not-found");
    refused(&api.get("/v1/work/x").await, 404, "unknown-work");
    refused(&api.get("/v1/work/77").await, 404, "unknown-work");
    refused(&api.get("/v1/cases/77").await, 404, "unknown-case");
    refused(&api.get("/v1/work?wait=soon").await, 400, "bad-query");
    refused(&api.get("/v1/work?afterr=1").await, 400, "bad-query");
    refused(&api.post("/v1/work", "k", json!({})).await, 405, "method-not-allowed");
    let answers = at(&format!("/v1/cases/{CASE}/answers"));
    let post = || api.http.post(&answers).bearer_auth(TOKEN);
    refused(&tell(post().json(&json!({}))).await, 400, "idempotency-key");
    let keyed = || post().header("idempotency-key", "k");
    refused(
        &tell(keyed().header("idempotency-key", "l").json(&json!({}))).await,
        400,
        "idempotency-key",
    );
    refused(&tell(keyed().body("{}")).await, 415, "unsupported-media-type");
    let json_body = |bytes: Vec<u8>| keyed().header("content-type", "application/json").body(bytes);
    refused(&tell(json_body(b"[]".to_vec())).await, 400, "not-json");
    refused(&tell(json_body(b"{\"kind\": \"\xca\xdc\xc0\xed\"}".to_vec())).await, 400, "not-json");
    refused(&tell(json_body(vec![b' '; 65_537])).await, 413, "too-large");
    refused(&tell(keyed().json(&json!({}))).await, 422, "missing-field");
}

#[tokio::test]
async fn a_caller_who_never_ends_its_header_is_cut_off_and_holds_up_nobody() {
    let change = |it: &mut Settings| {
        it.header_read_ms = 300;
        it.connections_max = 2;
    };
    let api = Api::with(Rehearsal::new(), Codes::default(), change).await;
    let mut slow = Vec::new();
    for _ in 0..2 {
        let mut stream = TcpStream::connect(&api.address).await.unwrap();
        stream.write_all(b"GET /v1/work HTTP/1.1\r\nHost: x\r\n").await.unwrap();
        slow.push(stream);
    }
    for stream in &mut slow {
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest));
        ended.await.expect("the adapter hangs up").unwrap();
    }
    assert_eq!(api.get("/v1/status").await.0, 200, "the seats are free again");
}

#[tokio::test]
async fn more_connections_than_seats_are_turned_away() {
    let api = Api::with(Rehearsal::new(), Codes::default(), |it| it.connections_max = 1).await;
    let _first = TcpStream::connect(&api.address).await.unwrap();
    let mut second = TcpStream::connect(&api.address).await.unwrap();
    let mut rest = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(10), second.read_to_end(&mut rest));
    // Closed or reset, but not kept waiting.
    let _either = ended.await.expect("turned away");
    assert!(rest.is_empty());
}

#[tokio::test]
async fn a_token_that_others_may_read_or_guess_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = write_token(folder.path(), 0o644);
    assert!(checking::token(&path).unwrap_err().contains("chmod 600"));
    let path = write_token(folder.path(), 0o600);
    assert_eq!(checking::token(&path).unwrap(), TOKEN);
    std::fs::write(&path, "short").unwrap();
    assert!(checking::token(&path).unwrap_err().contains("openssl rand"));
    let settings = Settings { token_file: path, ..Settings::default() };
    let lines = check(&settings).await;
    assert!(lines[0].level == Level::Bad, "{lines:?}");
    assert!(checking::token(&folder.path().join("none")).unwrap_err().contains("cannot read"));
}

#[test]
fn the_api_is_not_opened_to_other_machines_by_accident() {
    let problems = |it: Settings| it.problems().join("\n");
    assert_eq!(problems(Settings::default()), "");
    let open = Settings { listen: "0.0.0.0:7780".to_owned(), ..Settings::default() };
    assert!(problems(open.clone()).contains("in clear"));
    assert_eq!(problems(Settings { remote: true, ..open }), "");
    let wrong = Settings { listen: "here".to_owned(), page_max: 0, ..Settings::default() };
    assert!(problems(wrong.clone()).contains("pull.listen"));
    assert!(problems(wrong).contains("`pull.page_max` is 0"));
}

#[tokio::test]
async fn the_contract_names_every_route_every_code_has_a_paragraph_and_answers_fit() {
    let api = Api::open(Codes::default()).await;
    let answer = api.http.get(format!("http://{}/openapi.json", api.address)).send().await.unwrap();
    let contract: Value = answer.json().await.unwrap();
    let mut told: Vec<(String, String)> = Vec::new();
    for (path, methods) in contract["paths"].as_object().unwrap() {
        told.extend(methods.as_object().unwrap().keys().map(|it| (it.clone(), path.clone())));
    }
    let mut routes: Vec<(String, String)> =
        routes::ROUTES.iter().map(|it| (it.0.to_owned(), it.1.to_owned())).collect();
    told.sort();
    routes.sort();
    assert_eq!(told, routes);
    let page = include_str!("../../../../schemas/refusals-office.md");
    for (code, status, ..) in problem::CODES {
        assert!(page.contains(&format!("`{code}` ({status})")), "`{code}` has no paragraph");
    }
    let named = page.split('`').skip(1).step_by(2).filter(|it| page.contains(&format!("`{it}` (")));
    for code in named {
        assert!(problem::CODES.iter().any(|it| it.0 == code), "`{code}` is never answered");
    }
    api.arrive(100, WorkKind::Case).await;
    let schema = |name: &str| json!({"$ref": format!("#/components/schemas/{name}"), "components": without_problem(&contract)});
    let work = jsonschema::validator_for(&schema("WorkDetail")).unwrap();
    let one = api.get("/v1/work/1").await.1;
    assert!(
        work.is_valid(&one),
        "{:?}",
        work.iter_errors(&one).map(|it| it.to_string()).collect::<Vec<_>>()
    );
    assert!(!work.is_valid(&json!({"number": 1})));
}

/// The document that it refers to lies beside it, not in it.
fn without_problem(contract: &Value) -> Value {
    let mut components = contract["components"].clone();
    components["schemas"]["Problem"] = json!({});
    components
}
