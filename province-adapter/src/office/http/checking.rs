//! Would `http` run? Templates are rendered with an invented work; the office is only knocked at.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::client::Client;
use super::settings::Settings;
use super::status_templates;
use super::template::Template;
use crate::check::{Line, chain, line};

/// The lines of `check`.
pub async fn check(settings: &Settings) -> Vec<Line> {
    vec![
        line("办公系统模板 the office's templates", templates(settings)),
        line("办公系统密钥 the office's headers", client(settings)),
        line("办公系统地址 the office's service", reach(settings).await),
    ]
}

fn client(settings: &Settings) -> Result<String, String> {
    Client::new(settings).map_err(|it| chain(&it))?;
    let count = settings.headers.len() + settings.secret_headers.len();
    Ok(format!("{count} header field(s), {}", settings.charset))
}

fn templates(settings: &Settings) -> Result<String, String> {
    let template = Template::load(&settings.template_file).map_err(|it| chain(&it))?;
    for kind in ["case", "correction", "withdrawal"] {
        template.body(&sample(kind)).map_err(|it| format!("{} (for a {kind})", chain(&it)))?;
    }
    if let Some((url, body)) = status_templates(settings).map_err(|it| chain(&it))? {
        let values = sample("case");
        url.render(&values).map_err(|it| chain(&it))?;
        body.map(|it| it.body(&values)).transpose().map_err(|it| chain(&it))?;
    }
    Ok(format!("`{}` makes what its ending says", settings.template_file.display()))
}

/// Whoever takes a connection is there; nothing is sent that the office might take for work.
async fn reach(settings: &Settings) -> Result<String, String> {
    let url = reqwest::Url::parse(&settings.url).map_err(|it| format!("`http.url`: {it}"))?;
    let host = url.host_str().ok_or("`http.url` names no host")?;
    let host = host.trim_matches(['[', ']']);
    let port = url.port_or_known_default().ok_or("`http.url` names no port")?;
    let connecting = TcpStream::connect((host, port));
    match tokio::time::timeout(Duration::from_millis(settings.connect_ms), connecting).await {
        Ok(Ok(_)) => Ok(format!("{host}:{port} takes connections")),
        Ok(Err(error)) => {
            Err(format!("{host}:{port} is not reached: {error}; is the office's service running?"))
        }
        Err(_late) => Err(format!(
            "{host}:{port} does not answer within {} ms; a firewall?",
            settings.connect_ms
        )),
    }
}

/// A work of nobody, with every value that a real one has.
pub(super) fn sample(kind: &str) -> Value {
    let personal = kind != "withdrawal";
    json!({
        "province": "22", "kind": kind, "case_id": "00000000-0000-7000-8000-000000000000",
        "case_number": "20260302-0000-0000-0000-0", "request": "00000000-0000-7000-8000-000000000001",
        "item": "renewal", "category": "passenger", "channel": "app",
        "authority": {"code": null, "name": "样例机关", "division": null},
        "submitted_at": "2026-03-02T09:00:00Z", "origin": "sandbox.check",
        "due": {"day": "2026-03-04", "papers": [], "provisional": false},
        "applicant": if personal { json!({"name": "样例", "identity_number": "", "certificate_number": "", "phone": ""}) } else { json!({}) },
        "materials": if personal { json!([{"kind": "photo", "reference": "f-1", "sha256": "", "office_code": "photo"}]) } else { json!([]) },
        "corrections": [], "remarks": "", "conformance": null,
        "office": {"kind": kind, "item": "renewal", "category": "passenger", "channel": "app", "authority": "样例"},
    })
}
