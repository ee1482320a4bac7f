//! The page of one adapter: what waits, why, since when. For whoever stands beside the machine, so it listens on
//! this machine only unless it is told otherwise, and has no personal data and nothing to press.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use jiff::tz::{TimeZone, offset};
use minijinja::{Environment, context};
use serde::Deserialize;
use tokio::net::TcpListener;
use tracing::{info, warn};

use crate::config::Config;
use crate::office::pull::listen::{self, Bounds};
use crate::status::Status;
use crate::status::shown::{Level, sections};

/// Connections at once: a page has a few readers.
const CONNECTIONS_MAX: usize = 16;
/// For a request's header, for an answer, and for a whole connection.
const HEADER_READ: Duration = Duration::from_secs(5);
const ANSWER_WITHIN: Duration = Duration::from_secs(15);
const CONNECTION_AGE_MAX: Duration = Duration::from_secs(600);
/// Before a place that is taken is tried again.
const LISTEN_AGAIN: Duration = Duration::from_secs(30);
/// Nothing but our own style sheet.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The table `[page]`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PageSettings {
    /// Where the page is; nowhere if it is left out.
    pub listen: Option<String>,
    /// True lets other machines look.
    pub remote: bool,
    /// Where the address is written once it listens; for port 0.
    pub address_file: Option<PathBuf>,
}

impl PageSettings {
    /// What cannot be.
    pub(crate) fn problems(&self) -> Vec<String> {
        let Some(listen) = &self.listen else { return Vec::new() };
        match listen.parse::<std::net::SocketAddr>() {
            Err(_) => {
                vec![format!("`page.listen` is `{listen}`; it must be an address and a port")]
            }
            Ok(it) if !it.ip().is_loopback() && !self.remote => vec![
                "`page.listen` is not of this machine alone; say `remote = true` if others may look"
                    .to_owned(),
            ],
            Ok(_) => Vec::new(),
        }
    }

    pub(crate) fn in_folder(mut self, folder: &std::path::Path) -> Self {
        self.address_file = self.address_file.map(|it| folder.join(it));
        self
    }
}

/// Serves the page for ever. That it cannot be had keeps no adapter from its work.
pub async fn run(config: &Config) {
    let Some(address) = &config.page.listen else { return std::future::pending().await };
    let listener = loop {
        match TcpListener::bind(address).await {
            Ok(listener) => break listener,
            Err(error) => {
                warn!(error = %error, "the page cannot listen at {address}; it is tried again");
                tokio::time::sleep(LISTEN_AGAIN).await;
            }
        }
    };
    if let Ok(address) = listener.local_addr() {
        if let Some(file) = &config.page.address_file
            && let Err(error) = std::fs::write(file, address.to_string())
        {
            warn!(error = %error, "cannot write the page's address into `{}`", file.display());
        }
        info!(address = %address, "the page is at http://{address}/ 本机状态页");
    }
    let bounds = Bounds {
        connections_max: CONNECTIONS_MAX,
        header_read: HEADER_READ,
        request: ANSWER_WITHIN,
        age_max: CONNECTION_AGE_MAX,
    };
    listen::serve(Arc::new(listener), router(Arc::new(config.clone())), bounds).await;
}

fn router(config: Arc<Config>) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/status.json", get(json))
        .route("/page.css", get(style))
        .fallback(|| async { StatusCode::NOT_FOUND })
        .layer(middleware::from_fn_with_state(Arc::clone(&config), guard))
        .with_state(config)
}

/// Somebody's browser must not be led here under another name, and shows nothing but what we send.
async fn guard(State(config): State<Arc<Config>>, request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|it| it.to_str().ok()).unwrap_or("");
    if !config.page.remote && !is_here(host) {
        return StatusCode::MISDIRECTED_REQUEST.into_response();
    }
    let mut response = next.run(request).await;
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn is_here(host: &str) -> bool {
    let name = host.rsplit_once(':').filter(|it| !it.1.contains(']')).map_or(host, |it| it.0);
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|it| it.is_loopback())
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    lang: String,
}

/// A look reads the store: never on the threads that talk to the broker.
async fn look(config: Arc<Config>) -> Result<Status, Response> {
    let looked = tokio::task::spawn_blocking(move || Status::look(&config)).await;
    match looked {
        Ok(Ok(status)) => Ok(status),
        Ok(Err(error)) => {
            warn!(error = %crate::check::chain(&error), "the page cannot look into the store");
            Err(StatusCode::SERVICE_UNAVAILABLE.into_response())
        }
        Err(_) => Err(StatusCode::INTERNAL_SERVER_ERROR.into_response()),
    }
}

async fn page(State(config): State<Arc<Config>>, Query(asked): Query<Asked>) -> Response {
    let now = config.clock().told_now();
    match look(config).await {
        Ok(status) => Html(rendered(&status, asked.lang == "en", now)).into_response(),
        Err(response) => response,
    }
}

fn rendered(status: &Status, english: bool, now: jiff::Timestamp) -> String {
    let at = usize::from(english);
    let mut worst = Level::Fine;
    let sections: Vec<_> = sections(status)
        .into_iter()
        .map(|section| {
            let rows: Vec<_> = section
                .rows
                .into_iter()
                .map(|row| {
                    worst = if row.level as u8 > worst as u8 { row.level } else { worst };
                    context! {
                        level => row.level.code(), mark => row.level.mark(),
                        name => &row.name[at], said => &row.said[at],
                    }
                })
                .collect();
            context! { title => &section.title[at], rows => rows }
        })
        .collect();
    let now = now.to_zoned(TimeZone::fixed(offset(8))).strftime("%Y-%m-%d %H:%M:%S").to_string();
    let mut templates = Environment::new();
    templates
        .add_template("page.html", include_str!("page.html"))
        .and_then(|()| templates.get_template("page.html"))
        .and_then(|it| {
            it.render(context! {
                english, sections, now, province => &status.province,
                level => worst.code(), mark => worst.mark(),
            })
        })
        .expect("the page's own template, which a test renders")
}

async fn json(State(config): State<Arc<Config>>) -> Response {
    match look(config).await {
        Ok(status) => axum::Json(status).into_response(),
        Err(response) => response,
    }
}

async fn style() -> Response {
    ([(header::CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("page.css")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_s_names_are_answered() {
        for (host, here) in [
            ("127.0.0.1:7781", true),
            ("localhost:7781", true),
            ("[::1]:7781", true),
            ("hub.example:7781", false),
            ("10.0.0.8:7781", false),
            ("", false),
        ] {
            assert_eq!(is_here(host), here, "{host}");
        }
    }

    #[test]
    fn a_page_for_everybody_must_be_meant() {
        let settings = |listen: &str, remote| PageSettings {
            listen: Some(listen.to_owned()),
            remote,
            address_file: None,
        };
        assert_eq!(settings("127.0.0.1:7781", false).problems(), Vec::<String>::new());
        assert_eq!(settings("0.0.0.0:7781", false).problems().len(), 1);
        assert_eq!(settings("0.0.0.0:7781", true).problems(), Vec::<String>::new());
        assert_eq!(settings("here", false).problems().len(), 1);
    }
}
