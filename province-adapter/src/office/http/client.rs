//! One exchange with the office's service: bounded in time and size, never redirected, never through a
//! proxy, and read only if it is whole and in the character set that it says.

use std::time::Duration;

use futures::StreamExt as _;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;

use super::charset::{Charset, CharsetError};
use super::document::{self, NoDocument};
use super::settings::Settings;
use crate::keys;

/// The client cannot be made.
#[derive(Debug, thiserror::Error)]
#[error("`http.{setting}`: {what}")]
pub(crate) struct ClientError {
    setting: String,
    what: String,
}

/// An exchange without a usable answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum ExchangeError {
    /// Not there, too slow, or gone half way.
    #[error("the office's service {what}")]
    Away { what: &'static str },
    /// Larger than allowed.
    #[error("the office's answer is larger than {bytes_max} bytes")]
    TooLarge { bytes_max: usize },
    /// In another character set, or a value does not fit ours.
    #[error(transparent)]
    Charset(#[from] CharsetError),
    /// Not a document.
    #[error(transparent)]
    Document(#[from] NoDocument),
}

/// What came back: the status, and the document if there is one.
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) document: Result<Value, ExchangeError>,
}

pub(super) struct Client {
    http: reqwest::Client,
    charset: Charset,
    bytes_max: usize,
    inner: Option<String>,
}

impl Client {
    pub(super) fn new(settings: &Settings) -> Result<Self, ClientError> {
        let wrong = |setting: &str, what: String| ClientError { setting: setting.to_owned(), what };
        let charset = Charset::of(&settings.charset)
            .ok_or_else(|| wrong("charset", "must be `utf-8`, `gbk` or `gb18030`".to_owned()))?;
        let mut headers = HeaderMap::new();
        for (name, value) in &settings.headers {
            let bad = |what: String| wrong(&format!("headers.{name}"), what);
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|it| bad(it.to_string()))?;
            headers.insert(key, HeaderValue::from_str(value).map_err(|it| bad(it.to_string()))?);
        }
        for (name, path) in &settings.secret_headers {
            let bad = |what: String| wrong(&format!("secret_headers.{name}"), what);
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|it| bad(it.to_string()))?;
            let value = keys::read_text(path).map_err(|it| bad(crate::check::chain(&it)))?;
            let mut value = HeaderValue::from_str(value.trim())
                .map_err(|_| bad(format!("`{}` is no header's value", path.display())))?;
            value.set_sensitive(true);
            headers.insert(key, value);
        }
        let mut builder = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_millis(settings.connect_ms))
            .timeout(Duration::from_millis(settings.request_ms))
            .default_headers(headers);
        if let Some(path) = &settings.ca_file {
            let bad = |it: &dyn std::error::Error| wrong("ca_file", crate::check::chain(it));
            let pem = std::fs::read(path).map_err(|it| bad(&it))?;
            let certificates =
                reqwest::Certificate::from_pem_bundle(&pem).map_err(|it| bad(&it))?;
            for it in certificates {
                builder = builder.add_root_certificate(it);
            }
        }
        let http = builder.build().map_err(|it| wrong("url", crate::check::chain(&it)))?;
        let (bytes_max, inner) = (settings.answer_bytes_max, settings.inner.clone());
        Ok(Self { http, charset, bytes_max, inner })
    }

    /// Sends a body, or nothing with a GET.
    pub(super) async fn exchange(
        &self,
        url: &str,
        body: Option<(String, bool)>,
    ) -> Result<Answered, ExchangeError> {
        let request = match body {
            None => self.http.get(url),
            Some((text, json)) => {
                let media = if json { "application/json" } else { "text/xml" };
                let kind = format!("{media}; charset={}", self.charset.name());
                let bytes = self.charset.encode(&text)?;
                self.http.post(url).header(CONTENT_TYPE, kind).body(bytes)
            }
        };
        let answer = request.send().await.map_err(|it| away(&it))?;
        let status = answer.status().as_u16();
        let said = answer.headers().get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
        let said = said.and_then(|it| it.split("charset=").nth(1));
        let said = said.and_then(|it| Charset::of(it.trim_matches(['"', ' ', ';'])));
        let mut bytes = Vec::new();
        let mut stream = answer.bytes_stream();
        while let Some(part) = stream.next().await {
            let part = part.map_err(|it| away(&it))?;
            if bytes.len() + part.len() > self.bytes_max {
                return Err(ExchangeError::TooLarge { bytes_max: self.bytes_max });
            }
            bytes.extend_from_slice(&part);
        }
        let text = self.charset.decode(&bytes, said).map_err(ExchangeError::from);
        let document = text.and_then(|it| Ok(document::read(&it, self.inner.as_deref())?));
        Ok(Answered { status, document })
    }
}

/// Without the URL: a status URL names a case.
fn away(error: &reqwest::Error) -> ExchangeError {
    let what = if error.is_timeout() {
        "does not answer in time"
    } else if error.is_connect() {
        "is not reached"
    } else {
        "ended its answer half way"
    };
    ExchangeError::Away { what }
}
