//! What the intake works with, and the questions that every one of its handlers asks first.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::HeaderMap;
use events::case::CaseEvent;
use events::envelope::Recorded;
use events::ids::{CaseId, CaseNumber, StreamName};
use jsonschema::Validator;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::receipt;
use super::recent::Recent;
use super::schema::{self, Schemas};
use crate::callers::{Caller, Callers, Role};
use crate::clock::Clock;
use crate::log::{Readers, SenderKey};
use crate::problem::Problem;
use crate::registrar::{Registrar, case_event};
use crate::signer::Signer;
use crate::strict_json::read_json;
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
        self.readers.read_aside(move |log| log.read_stream(&stream)).await.map_err(Problem::from)
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
            Ok(answer) => answer.map_err(Problem::from),
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

/// The sender's own key, hashed with its purpose: a key of one sender never meets another's.
fn sender_key(purpose: &str, client: &str, key: &str) -> SenderKey {
    let mut hash = Sha256::new();
    for part in [purpose.as_bytes(), &[0], client.as_bytes(), &[0], key.as_bytes()] {
        hash.update(part);
    }
    SenderKey(hash.finalize().into())
}
