//! An office's service as a counterpart over a socket, with every bad habit that a service has, and a
//! connector before it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use axum::routing::{get, post};

use super::charset::Charset;
use super::settings::{Rule, StatusSettings};
use super::*;
use crate::office::rehearsal::Rehearsal;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Habit {
    #[default]
    Fine,
    Slow,
    Broken,
    Half,
    WrongCharset,
    Redirects,
    Endless,
    NotNow,
    Refuses,
    Silent,
}

/// The office's service: which requests it has a file for, and what it says.
#[derive(Default)]
pub(super) struct Counterpart {
    pub(super) habit: Mutex<Habit>,
    pub(super) files: Mutex<BTreeSet<String>>,
    pub(super) bodies: Mutex<Vec<Vec<u8>>>,
    pub(super) state: Mutex<String>,
    pub(super) elsewhere: Mutex<u32>,
}

pub(super) type Shared = Arc<Counterpart>;

pub(super) fn answer(status: u16, kind: &str, bytes: Vec<u8>) -> Response<Body> {
    Response::builder().status(status).header("content-type", kind).body(Body::from(bytes)).unwrap()
}

/// What every habit but `Fine` answers, and whether a file is opened before.
pub(super) async fn habitual(habit: Habit) -> Option<Response<Body>> {
    let json = "application/json; charset=utf-8";
    match habit {
        Habit::Fine => None,
        Habit::Slow => {
            tokio::time::sleep(Duration::from_secs(30)).await;
            None
        }
        Habit::Broken => Some(answer(500, "text/html", b"<html>oops".to_vec())),
        Habit::Half => Some(answer(200, json, b"{\"code\": \"0\", \"da".to_vec())),
        Habit::WrongCharset => {
            Some(answer(200, json, b"{\"code\": \"0\", \"m\": \"\xca\xdc\"}".to_vec()))
        }
        Habit::Redirects => {
            let response = Response::builder().status(307).header("location", "/elsewhere");
            Some(response.body(Body::empty()).unwrap())
        }
        Habit::Endless => Some(answer(200, json, vec![b' '; 300_000])),
        Habit::NotNow => Some(answer(200, json, b"{\"code\": \"E9\"}".to_vec())),
        Habit::Refuses => Some(answer(422, json, b"{\"code\": \"BAD\"}".to_vec())),
        Habit::Silent => Some(answer(200, json, Vec::new())),
    }
}

pub(super) async fn rest(
    State(it): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    assert_eq!(headers["x-secret"], "s3cret");
    it.bodies.lock().unwrap().push(body.to_vec());
    let habit = *it.habit.lock().unwrap();
    if let Some(bad) = habitual(habit).await {
        return bad;
    }
    let told: Value = serde_json::from_slice(&body).unwrap();
    let new = it.files.lock().unwrap().insert(told["request"].as_str().unwrap().to_owned());
    let code = if new { "0" } else { "DUP" };
    answer(200, "application/json", json!({"code": code}).to_string().into_bytes())
}

pub(super) async fn rest_status(State(it): State<Shared>) -> Response<Body> {
    let habit = *it.habit.lock().unwrap();
    if let Some(bad) = habitual(habit).await {
        return bad;
    }
    answer(200, "application/json", it.state.lock().unwrap().clone().into_bytes())
}

/// Answers any SOAP request with the state, as a document in a document, in GB18030.
pub(super) async fn soap(
    State(it): State<Shared>,
    headers: HeaderMap,
    body: Bytes,
) -> Response<Body> {
    assert_eq!(headers["content-type"], "text/xml; charset=gb18030");
    it.bodies.lock().unwrap().push(body.to_vec());
    let inner = it.state.lock().unwrap().replace('<', "&lt;");
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"GB18030\"?><soap:Envelope xmlns:soap=\"s\"><soap:Body>\
         <ns2:r><return>{inner}</return></ns2:r></soap:Body></soap:Envelope>"
    );
    answer(200, "text/xml", Charset::of("gb18030").unwrap().encode(&text).unwrap())
}

pub(super) struct Stage {
    pub(super) rehearsal: Rehearsal,
    pub(super) counterpart: Shared,
    pub(super) settings: Settings,
    pub(super) office: Option<HttpOffice>,
}

pub(super) const JSON_TEMPLATE: &str = r#"{"request": {{ request }}, "kind": {{ office.kind }},
 "name": {{ applicant.name if applicant.name is defined else "" }}}"#;
pub(super) const XML_TEMPLATE: &str = "<?xml version=\"1.0\" encoding=\"GB18030\"?><Envelope><Body><submit>
 <no>{{ case_number }}</no><name>{{ applicant_name }}</name><sx>{{ office.item }}</sx></submit></Body></Envelope>";

impl Stage {
    pub(super) async fn start(soap_service: bool) -> Self {
        let counterpart = Shared::default();
        let app = Router::new()
            .route("/cases", post(rest))
            .route("/cases/{case}", get(rest_status))
            .route("/soap", post(soap))
            .route(
                "/elsewhere",
                post(|State(it): State<Shared>| async move {
                    *it.elsewhere.lock().unwrap() += 1;
                }),
            )
            .with_state(Arc::clone(&counterpart));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        let rehearsal = Rehearsal::new();
        let file = |name: &str, text: &str| {
            let path = rehearsal.folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path
        };
        let mut settings = if soap_service { soap_settings(&at) } else { rest_settings(&at) };
        settings.template_file = if soap_service {
            file("w.xml", &XML_TEMPLATE.replace("applicant_name", "applicant.name"))
        } else {
            file("w.json", JSON_TEMPLATE)
        };
        if let Some(status) = settings.status.as_mut().filter(|_| soap_service) {
            let ask = "<Envelope><Body><ask><id>{{ case_id }}</id></ask></Body></Envelope>";
            status.template_file = Some(file("q.xml", ask));
        }
        settings.secret_headers.insert("x-secret".to_owned(), file("secret", "s3cret\n"));
        assert_eq!(settings.problems(), Vec::<String>::new());
        let mut it = Self { rehearsal, counterpart, settings, office: None };
        it.open().await;
        it
    }

    pub(super) async fn open(&mut self) {
        let example = include_str!("../../../../deploy/codes.example.toml");
        let example = example.replace("name = \"吉林市交通运输局\"", "name = \"吉林市\"");
        let codes = Codes::parse(&example, Path::new("codes.toml")).unwrap();
        let reporter = self.rehearsal.adapter().reporter();
        let office = HttpOffice::open(self.settings.clone(), Arc::new(codes), reporter).await;
        self.office = Some(office.unwrap());
    }

    pub(super) async fn crash(&mut self) {
        self.office = None;
        self.rehearsal.crash().await;
        self.open().await;
    }

    pub(super) fn habit(&self, habit: Habit) {
        *self.counterpart.habit.lock().unwrap() = habit;
    }

    pub(super) fn says(&self, state: impl ToString) {
        *self.counterpart.state.lock().unwrap() = state.to_string();
    }

    pub(super) fn work(&self, request: u128, kind: WorkKind) -> TakenWork {
        let work = self.rehearsal.work(1, request, kind);
        let applicant = (kind != WorkKind::Withdrawal)
            .then(|| json!({"applicant": {"name": "古丽·𠮷<&\">"}, "materials": []}));
        TakenWork { work, applicant }
    }

    pub(super) async fn take(&self, taken: &TakenWork) -> Result<(), String> {
        self.office.as_ref().unwrap().take(taken.clone()).await.map_err(|it| it.reason)
    }

    /// The office is asked once more, whenever it would be due.
    pub(super) async fn ask(&self) -> usize {
        self.rehearsal.clock.advance(Duration::from_secs(3_600));
        self.office.as_ref().unwrap().ask_due().await
    }

    pub(super) async fn told(&self) -> Vec<&'static str> {
        let case = self.work(100, WorkKind::Case).work.case;
        self.rehearsal.told(case).await.iter().map(|it| it.report.news.token()).collect()
    }
}

pub(super) fn rule(status: Option<u16>, code: Option<&str>, then: Then) -> Rule {
    Rule { status, code: code.map(str::to_owned), then }
}

pub(super) fn answer_map(root: &str) -> std::collections::BTreeMap<String, String> {
    let names = [
        "kind",
        "acceptance_number",
        "decision_number",
        "outcome",
        "certificate_id",
        "reason",
        "ground",
        "missing",
        "until",
    ];
    names.iter().map(|it| ((*it).to_owned(), format!("{root}/{it}"))).collect()
}

pub(super) fn rest_settings(at: &str) -> Settings {
    Settings {
        url: format!("{at}/cases"),
        request_ms: 1_000,
        code: Some("/code".to_owned()),
        rules: vec![
            rule(Some(200), Some("0"), Then::Taken),
            rule(Some(200), Some("DUP"), Then::Taken),
            rule(Some(422), None, Then::Refused),
        ],
        answer: answer_map(""),
        status: Some(StatusSettings {
            url: format!("{at}/cases/{{{{ case_id }}}}"),
            template_file: None,
            every_ms: 60_000,
            at_once_max: 4,
        }),
        ..Settings::default()
    }
}

pub(super) fn soap_settings(at: &str) -> Settings {
    Settings {
        url: format!("{at}/soap"),
        charset: "gb18030".to_owned(),
        inner: Some("/Envelope/Body/r/return".to_owned()),
        code: Some("/r/code".to_owned()),
        rules: vec![rule(Some(200), Some("1"), Then::Taken)],
        answer: answer_map("/r"),
        status: Some(StatusSettings {
            url: format!("{at}/soap"),
            template_file: None,
            every_ms: 60_000,
            at_once_max: 4,
        }),
        ..Settings::default()
    }
}
