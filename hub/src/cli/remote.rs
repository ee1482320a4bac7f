//! How a command reaches the running hub: its HTTP door, with an operator's token from a file.

use std::path::Path;

use anyhow::{Context as _, bail};
use serde_json::Value;

use super::{Verdict, output, small_file};
use crate::config::Config;

/// Where the operator's token lies: beside the configuration, mode 0600.
const TOKEN_FILE: &str = "operator.token";
/// How long one request may take.
const REQUEST_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// A way to the running hub.
pub(super) struct Door {
    base: String,
    token: String,
    http: reqwest::Client,
}

impl Door {
    /// Of the hub that `config` describes.
    pub(super) fn of(config: &Path) -> anyhow::Result<Self> {
        let settings = Config::load(config)?;
        let file = config.parent().unwrap_or(Path::new(".")).join(TOKEN_FILE);
        let token = small_file::read(&file).context("there is no operator's token")?;
        let bound =
            settings.http.address_file.as_ref().and_then(|it| std::fs::read_to_string(it).ok());
        let address =
            bound.map_or_else(|| settings.http.listen.to_string(), |it| it.trim().to_owned());
        let http = reqwest::Client::builder().timeout(REQUEST_TIMEOUT).no_proxy().build()?;
        Ok(Self { base: format!("http://{address}"), token: token.trim().to_owned(), http })
    }

    /// One that leads to no hub.
    #[cfg(test)]
    pub(super) fn nowhere() -> Self {
        let base = "http://127.0.0.1:9".to_owned();
        Self { base, token: String::new(), http: reqwest::Client::new() }
    }

    /// Follows the hub to a new address after a restart.
    pub(super) fn move_to(&mut self, base: &str) {
        base.clone_into(&mut self.base);
    }

    /// Asks; answers with the status and the body.
    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<(u16, Value)> {
        let method = reqwest::Method::from_bytes(method.as_bytes())?;
        let mut request =
            self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.with_context(|| {
            format!("cannot reach the hub at {}\n(is it running? see `hub serve`)", self.base)
        })?;
        let status = answer.status().as_u16();
        let bytes = answer.bytes().await.context("cannot read the hub's answer")?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }
}

/// Posts and tells what came of it: `Yes` for a 2xx, `No` for a refusal.
pub(super) fn post(config: &Path, path: &str, body: &Value) -> anyhow::Result<Verdict> {
    let (status, answer) = ask("POST", config, path, Some(body))?;
    report(status, &answer)
}

/// Asks; answers with the status and the body.
pub(super) fn ask(
    method: &str,
    config: &Path,
    path: &str,
    body: Option<&Value>,
) -> anyhow::Result<(u16, Value)> {
    runtime()?.block_on(async { Door::of(config)?.ask(method, path, body).await })
}

/// Gets a JSON document.
pub(super) fn get(config: &Path, path: &str) -> anyhow::Result<Value> {
    let (status, answer) =
        runtime()?.block_on(async { Door::of(config)?.ask("GET", path, None).await })?;
    if status != 200 {
        bail!("the hub answered {status}: {}", output::clean(&answer.to_string()));
    }
    Ok(answer)
}

/// Prints an answer; a refusal goes to the talk.
pub(super) fn report(status: u16, answer: &Value) -> anyhow::Result<Verdict> {
    match status {
        200..=299 => {
            output::line(&serde_json::to_string_pretty(answer)?)?;
            Ok(Verdict::Yes)
        }
        _ => {
            let text =
                |key: &str| answer.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
            say!(
                "hub: refused ({status} {}): {}",
                output::clean(&text("code")),
                output::clean(&text("detail"))
            );
            Ok(Verdict::No)
        }
    }
}

/// A small runtime for one request.
pub(super) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")
}
