//! What the intake works with, and the questions that every one of its handlers asks first.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, header};
use events::case::CaseEvent;
use events::envelope::Recorded;
use events::ids::{CaseId, CaseNumber, StreamName};
use jsonschema::Validator;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::recent::Recent;
use super::schema::{self, Schemas};
use super::{json, receipt};
use crate::callers::{Caller, Callers, Role};
use crate::clock::Clock;
use crate::listen::whole_body;
use crate::log::{ReadError, Readers, SenderKey};
use crate::problem::{Problem, RETRY_AFTER_BUSY_S, RETRY_AFTER_STOPPED_S};
use crate::registrar::{Registrar, Unavailable, case_event};
use crate::signer::Signer;
use crate::vault::Opener;
use crate::views::reader::{ViewError, ViewReader};

/// Handles of the rooms below, wired by whoever starts the hub. Copies share.
#[derive(Clone)]
pub struct Desk {
    /// The log and its environment; stands in receipts.
    pub origin: Arc<str>,
    /// The only road into the log.
    pub registrar: Registrar,
    /// For duplicates and numbers.
    pub views: ViewReader,
    /// For whose case it is.
    pub readers: Readers,
    /// For fingerprints and blind indexes.
    pub opener: Opener,
    /// For ids and birth dates.
    pub clock: Clock,
    /// Who may call.
    pub callers: Arc<Callers>,
    /// Signs receipts and feedback.
    pub signer: Signer,
    /// Compiled once: `Arc::new(Schemas::compile())`.
    pub schemas: Arc<Schemas>,
    /// Begins empty: `Arc::default()`.
    pub recent: Arc<Recent>,
}

/// A request that has passed authentication, headers, size, JSON and schema.
pub(super) struct Read {
    pub(super) caller: Caller,
    pub(super) key: SenderKey,
    pub(super) bytes: axum::body::Bytes,
    pub(super) body: Value,
}

impl Desk {
    /// In this order: who, headers, size, JSON, schema. The first no is the answer.
    pub(super) async fn read(
        &self,
        request: Request,
        schema: &Validator,
        purpose: &str,
    ) -> Result<Read, Problem> {
        let caller = self.national(request.headers())?;
        let key = sender_key(purpose, &caller.name, idempotency_key(request.headers())?);
        let (bytes, body) = read_json(request).await?;
        schema::check(schema, &body)?;
        Ok(Read { caller, key, bytes, body })
    }

    /// The national system that asks.
    pub(super) fn national(&self, headers: &HeaderMap) -> Result<Caller, Problem> {
        let caller = self.callers.authenticate(headers)?;
        caller.must_be(Role::National)?;
        Ok(caller)
    }

    /// The story of a case of `caller`'s own, by id or number. Another's is as unknown as none.
    pub(super) async fn own_story(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<(CaseId, Vec<Recorded>), Problem> {
        let case = self.case_named(name).await?;
        let story = self.story(case).await?;
        match story.first().and_then(case_event) {
            Some(CaseEvent::CaseSubmitted(it)) if caller.may_see(&it.client) => Ok((case, story)),
            _ => Err(Problem::new("unknown-case")),
        }
    }

    /// A case's whole story.
    pub(super) async fn story(&self, case: CaseId) -> Result<Vec<Recorded>, Problem> {
        let stream = StreamName::Case(case);
        self.readers.read_aside(move |log| log.read_stream(&stream)).await.map_err(unreadable_log)
    }

    async fn case_named(&self, name: &str) -> Result<CaseId, Problem> {
        if let Ok(id) = name.parse() {
            return Ok(id);
        }
        let number: CaseNumber = name.parse().map_err(|_| Problem::new("unknown-case"))?;
        let row = self.aside(move |views| views.case_by_number(&number)).await?;
        row.map(|it| it.case).ok_or_else(|| Problem::new("unknown-case"))
    }

    /// Asks the views where waiting for the disk harms nobody.
    pub(super) async fn aside<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&ViewReader) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, Problem> {
        let views = self.views.clone();
        match tokio::task::spawn_blocking(move || ask(&views)).await {
            Ok(answer) => answer.map_err(unreadable_views),
            Err(_panic) => Err(Problem::new("internal")),
        }
    }

    /// A fresh UUIDv7 of the hub's clock.
    pub(super) fn fresh_id(&self) -> Uuid {
        let now = self.clock.now();
        let seconds = u64::try_from(now.as_second()).unwrap_or(0);
        let nanoseconds = u32::try_from(now.subsec_nanosecond()).unwrap_or(0);
        Uuid::new_v7(uuid::Timestamp::from_unix(uuid::NoContext, seconds, nanoseconds))
    }

    /// The signed answer to a submission; the same events give the same bytes.
    pub(super) async fn receipt(&self, events: &[Recorded]) -> Result<receipt::Receipt, Problem> {
        if let Some(receipt) = receipt::of(&self.origin, events) {
            return Ok(receipt.signed(&self.signer));
        }
        // The registrar told only a part of the first time; the log has all of it.
        let Some(StreamName::Case(case)) = events.first().map(|it| it.envelope.stream) else {
            return Err(Problem::new("internal"));
        };
        let story = self.story(case).await?;
        let receipt = receipt::of(&self.origin, &story).ok_or_else(|| Problem::new("internal"))?;
        Ok(receipt.signed(&self.signer))
    }
}

/// Headers, size and JSON of a request whose sender is known.
pub(crate) async fn read_json(request: Request) -> Result<(axum::body::Bytes, Value), Problem> {
    content_is_json(request.headers())?;
    let bytes = whole_body(request).await?;
    let body = json::read(&bytes)?;
    Ok((bytes, body))
}

/// Exactly one key of 8 to 128 visible ASCII characters.
fn idempotency_key(headers: &HeaderMap) -> Result<&str, Problem> {
    let mut given = headers.get_all("idempotency-key").iter();
    let (Some(only), None) = (given.next(), given.next()) else {
        return Err(Problem::new("idempotency-key-missing"));
    };
    let bytes = only.as_bytes();
    if bytes.is_empty() {
        return Err(Problem::new("idempotency-key-missing"));
    }
    let fits = (8..=128).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
    only.to_str().ok().filter(|_| fits).ok_or_else(|| Problem::new("idempotency-key-malformed"))
}

fn content_is_json(headers: &HeaderMap) -> Result<(), Problem> {
    let plain = |it: &HeaderValue| it.as_bytes().eq_ignore_ascii_case(b"identity");
    if headers.get_all(header::CONTENT_ENCODING).iter().any(|it| !plain(it)) {
        return Err(Problem::new("unsupported-encoding"));
    }
    let mut given = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(only), None) = (given.next(), given.next()) else {
        return Err(Problem::new("unsupported-media-type"));
    };
    let told = only.to_str().unwrap_or("").to_ascii_lowercase();
    let mut parts = told.split(';').map(str::trim);
    let is_json = parts.next() == Some("application/json");
    let charset_fits = |it: &str| matches!(it, "charset=utf-8" | "charset=\"utf-8\"");
    if is_json && parts.all(charset_fits) {
        Ok(())
    } else {
        Err(Problem::new("unsupported-media-type"))
    }
}

/// The sender's own key, hashed with its purpose: a key of one sender never meets another's.
fn sender_key(purpose: &str, client: &str, key: &str) -> SenderKey {
    let mut hash = Sha256::new();
    for part in [purpose.as_bytes(), &[0], client.as_bytes(), &[0], key.as_bytes()] {
        hash.update(part);
    }
    SenderKey(hash.finalize().into())
}

/// What a caller hears when the registrar cannot say anything now.
pub(crate) fn unavailable(why: Unavailable) -> Problem {
    match why {
        Unavailable::Busy => Problem::new("busy").retry_after(RETRY_AFTER_BUSY_S),
        Unavailable::Full => Problem::new("full").retry_after(RETRY_AFTER_STOPPED_S),
        Unavailable::Stopped => Problem::new("stopped").retry_after(RETRY_AFTER_STOPPED_S),
    }
}

pub(super) fn unreadable_log(error: ReadError) -> Problem {
    tracing::error!(error = &error as &dyn std::error::Error, "cannot read the log for a caller");
    Problem::new("unreadable").retry_after(RETRY_AFTER_STOPPED_S)
}

pub(super) fn unreadable_views(error: ViewError) -> Problem {
    tracing::error!(error = &error as &dyn std::error::Error, "cannot read the views for a caller");
    Problem::new("unreadable").retry_after(RETRY_AFTER_STOPPED_S)
}
