//! The way to the collector: our own HTTP client, driven by the program's runtime. The thread that asks only
//! waits, so that it needs no runtime of its own.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use opentelemetry_http::{HttpClient, HttpError, Request, Response, ResponseBodyTooLarge};
use reqwest::header::{AUTHORIZATION, HeaderValue};
use tokio::runtime::Handle;

/// Largest answer that is read, in bytes. A collector says next to nothing.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Posts spans.
pub(crate) struct Post {
    client: reqwest::Client,
    runtime: Handle,
    token: Option<HeaderValue>,
}

impl fmt::Debug for Post {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Post")
    }
}

impl Post {
    /// With this bearer token. No redirects, no proxies: spans go where the configuration says.
    pub(crate) fn new(answer_max: Duration, token: Option<String>) -> reqwest::Result<Self> {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(answer_max)
            .build()?;
        let token = token.and_then(|it| {
            let mut value = HeaderValue::from_str(&format!("Bearer {it}")).ok()?;
            value.set_sensitive(true);
            Some(value)
        });
        Ok(Self { client, runtime: Handle::current(), token })
    }
}

#[async_trait]
impl HttpClient for Post {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let mut request = reqwest::Request::try_from(request)?;
        if let Some(token) = &self.token {
            request.headers_mut().insert(AUTHORIZATION, token.clone());
        }
        let client = self.client.clone();
        let asked = self.runtime.spawn(async move { ask(&client, request).await });
        asked.await?
    }
}

async fn ask(
    client: &reqwest::Client,
    request: reqwest::Request,
) -> Result<Response<Bytes>, HttpError> {
    let mut answer = client.execute(request).await?;
    let mut response = Response::builder().status(answer.status());
    for (name, value) in answer.headers() {
        response = response.header(name, value);
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(Box::new(ResponseBodyTooLarge::new()));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(response.body(body.into())?)
}
