//! `http`: each work is sent to the office's own REST or SOAP service from a template, and its answers
//! are read from what comes back, at once or asked for. An office that is away, slow or half there is
//! asked again; nothing is told twice.

mod answers;
mod asking;
mod charset;
mod checking;
mod client;
mod document;
mod rows;
pub mod settings;
mod template;

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use events::ids::CaseId;
use events::proof::seal;
use events::work::{Work, WorkKind};
use jiff::Timestamp;
use rusqlite::Connection;
use serde_json::{Map, Value, json};
use tracing::{debug, warn};

use super::codes::{CodeError, Codes};
use super::desk::{Answer, AnswerRefusal, Answers, Desk, OperationId};
use super::{OfficeSystem, TakeError, TakenWork};
use crate::keys::Identity;
use crate::reporter::Reporter;
use crate::store::StoreError;
use crate::trouble;
use client::{Answered, Client, ClientError};
use rows::{Key, Row};
use settings::{Settings, Then};
use template::{Template, TemplateError};

pub use checking::check;

/// The connector cannot start.
#[derive(Debug, thiserror::Error)]
#[allow(private_interfaces)] // the causes are shown, not matched
pub enum HttpError {
    /// A template.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A header, a certificate, a character set.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The store.
    #[error("cannot prepare the store")]
    Store(#[from] StoreError),
}

/// The office's service, as seen from here.
pub struct HttpOffice {
    settings: Settings,
    desk: Desk,
    client: Client,
    template: Template,
    status: Option<(Template, Option<Template>)>,
}

impl HttpOffice {
    /// Reads the templates and secrets; the service need not be there.
    pub async fn open(
        settings: Settings,
        codes: Arc<Codes>,
        reporter: Reporter,
    ) -> Result<Self, HttpError> {
        let client = Client::new(&settings)?;
        let template = Template::load(&settings.template_file)?;
        let status = status_templates(&settings)?;
        rows::prepare(&reporter.shared.store).await?;
        let desk = Desk::open(reporter, codes).await?;
        Ok(Self { settings, desk, client, template, status })
    }

    async fn push(&self, taken: &TakenWork) -> Result<(), TakeError> {
        let work = &taken.work;
        let key = Key::of(work);
        let shared = &self.desk.reporter.shared;
        let now = shared.clock.real_now();
        let known = shared.store.write(move |it| rows::find(it, key)).await.map_err(not_now)?;
        match known {
            Some(Row { state: rows::State::Refused, next_at: Some(at), .. }) if at > now => {
                return Err(TakeError::not_now("the office has refused it; somebody must look"));
            }
            // Sent before a crash: the office has it.
            Some(Row { state: rows::State::Open | rows::State::Ended, .. }) => return Ok(()),
            _ => {}
        }
        let values = values(taken, self.desk.codes()).map_err(not_now)?;
        let body = self.template.body(&values).map_err(not_now)?;
        let answered =
            self.client.exchange(&self.settings.url, Some((body, self.template.is_json())));
        let answered = answered.await.map_err(not_now)?;
        let document = answered.document.as_ref();
        let code = self.settings.code.as_ref().and_then(|it| document.ok()?.pointer(it));
        let code = code.map(|it| it.as_str().map_or_else(|| it.to_string(), str::to_owned));
        match self.settings.judge(answered.status, code.as_deref()) {
            Then::Taken => self.taken(work, &answered, now).await,
            Then::NotNow => Err(TakeError::not_now(said(&answered, code.as_deref()))),
            Then::Refused => {
                warn!(case.id = %work.case, status = answered.status, "the office refuses work");
                let late = std::time::Duration::from_millis(self.settings.refused_again_ms);
                let at = now.checked_add(late).unwrap_or(now);
                shared.store.write(move |it| rows::refused(it, key, at)).await.map_err(not_now)?;
                Err(TakeError::not_now(said(&answered, code.as_deref())))
            }
        }
    }

    /// The office has it. What it says at once is told before the work counts as taken.
    async fn taken(
        &self,
        work: &Work,
        answered: &Answered,
        now: Timestamp,
    ) -> Result<(), TakeError> {
        let key = Key::of(work);
        let asked = self.status.is_some() && work.kind != WorkKind::Withdrawal;
        let shared = &self.desk.reporter.shared;
        shared.store.write(move |it| rows::taken(it, key, asked, now)).await.map_err(not_now)?;
        if let Ok(document) = &answered.document
            && work.kind != WorkKind::Withdrawal
        {
            let row = Row { turn: 0, ..Row::default() };
            // A fault in it is logged; with a status URL it is read again there.
            self.tell(key, &row, document).await;
        }
        Ok(())
    }

    /// Tells what a document says; whether everything was told or can never be.
    async fn tell(&self, key: Key, row: &Row, document: &Value) -> bool {
        let values = answers::extract(document, &self.settings.answer);
        let seen = fingerprint(&self.desk.reporter.shared.identity, &values);
        if values.is_empty() || row.seen.as_deref() == Some(seen.as_slice()) {
            return true;
        }
        let said = match answers::said(&values, self.desk.codes()) {
            Ok(said) => said,
            Err(fault) => {
                warn!(case.id = %key.case(), refusal.code = fault.code, "the office's answer cannot be used: {fault}");
                self.trouble(key, fault.code, fault.to_string()).await;
                return false;
            }
        };
        let (mut ended, last) = (false, said.len().saturating_sub(1));
        for (at, one) in said.into_iter().enumerate() {
            let Some(news) = one.news else { continue };
            ended = answers::is_end(&news);
            let token = news.token();
            let answer = Answer {
                operation: self.operation(key, row, &values, token),
                case: key.case(),
                answers: Answers::Request(key.request()),
                news,
                decided_at: one.decided_at,
                text: one.text,
            };
            match self.desk.answer(answer).await {
                Ok(_) => {}
                // What came before was told before.
                Err(refusal) if at < last && !refusal.is_temporary() => {
                    debug!(refusal.code = refusal.code(), "an earlier answer was told already");
                }
                Err(refusal) if refusal.is_temporary() => return false,
                Err(refusal) => {
                    warn!(case.id = %key.case(), refusal.code = refusal.code(), "the office's `{token}` is not reported: {refusal}");
                    self.trouble(key, refusal.code(), refusal.to_string()).await;
                    ended = matches!(
                        refusal,
                        AnswerRefusal::CaseWithdrawn | AnswerRefusal::NewerWork { .. }
                    );
                }
            }
        }
        let noted =
            self.desk.reporter.shared.store.write(move |it| rows::seen(it, key, &seen, ended));
        noted.await.is_ok()
    }

    /// For `status`; the log has said it.
    async fn trouble(&self, key: Key, code: &'static str, text: String) {
        let shared = &self.desk.reporter.shared;
        let (about, now_ms) = (key.case().to_string(), shared.clock.real_now().as_millisecond());
        let note = move |it: &Connection| trouble::note(it, ("http", &about), code, &text, now_ms);
        if let Err(error) = shared.store.write(note).await {
            debug!(error = %error, "cannot note what the office said");
        }
    }

    /// The office's own id of an answer, else one for each change that was seen.
    fn operation(
        &self,
        key: Key,
        row: &Row,
        values: &Map<String, Value>,
        token: &str,
    ) -> OperationId {
        let own = values.get("operation").and_then(Value::as_str);
        let own = own.and_then(|it| OperationId::new(&format!("{it}/{token}")));
        let counted = format!("http/{}/{}/{token}", key.request(), row.turn);
        own.or_else(|| OperationId::new(&counted)).expect("an id and a token are visible ASCII")
    }
}

impl OfficeSystem for HttpOffice {
    async fn take(&self, work: TakenWork) -> Result<(), TakeError> {
        let taken = self.push(&work).await;
        if let Err(error) = &taken {
            warn!(case.id = %work.work.case, "work is not handed over: {}", error.reason);
        }
        taken
    }
}

fn status_templates(
    settings: &Settings,
) -> Result<Option<(Template, Option<Template>)>, TemplateError> {
    let Some(status) = &settings.status else { return Ok(None) };
    let url = Template::url("http.status.url", &status.url)?;
    Ok(Some((url, status.template_file.as_deref().map(Template::load).transpose()?)))
}

fn not_now(error: impl std::error::Error) -> TakeError {
    TakeError::not_now(crate::check::chain(&error))
}

fn said(answered: &Answered, code: Option<&str>) -> String {
    let code = code.map(|it| format!(", code `{}`", it.chars().take(32).collect::<String>()));
    let document = answered.document.as_ref().err().map(|it| format!("; {it}"));
    format!(
        "the office answers {}{}{}",
        answered.status,
        code.unwrap_or_default(),
        document.unwrap_or_default()
    )
}

/// What a template may name: the hub's words, and the office's codes under `office`.
fn values(taken: &TakenWork, codes: &Codes) -> Result<Value, CodeError> {
    let work = &taken.work;
    let part = |name: &str| taken.applicant.as_ref().and_then(|it| it.get(name)).cloned();
    let mut materials = part("materials").unwrap_or_else(|| json!([]));
    for it in materials.as_array_mut().into_iter().flatten() {
        let kind =
            it.get("kind").and_then(Value::as_str).and_then(events::vocabulary::Material::of);
        let code = kind.map(|kind| codes.material(kind)).transpose()?;
        it["office_code"] = json!(code);
    }
    Ok(json!({
        "province": work.province, "kind": work.kind, "case_id": work.case,
        "case_number": work.number, "request": work.request, "item": work.item,
        "category": work.category, "channel": work.channel, "authority": work.authority,
        "submitted_at": work.submitted_at, "due": work.due, "origin": work.origin,
        "applicant": part("applicant").unwrap_or_else(|| json!({})),
        "materials": materials, "corrections": part("corrections").unwrap_or_else(|| json!([])),
        "remarks": part("remarks").unwrap_or_else(|| json!("")),
        "conformance": part("conformance"),
        "office": {
            "kind": codes.work(work.kind)?, "item": codes.item(work.item)?,
            "category": codes.category(work.category)?, "channel": codes.channel(work.channel)?,
            "authority": codes.authority(&work.authority)?,
        },
    }))
}

/// Tells one state of a case from the next. Keyed, because the values may be somebody's.
fn fingerprint(identity: &Identity, values: &Map<String, Value>) -> Vec<u8> {
    let text = serde_json::to_string(values).expect("values are plain data with text keys");
    let key = BASE64.decode(&identity.seal_key).ok().and_then(|it| it.try_into().ok());
    seal::derive(&key.unwrap_or_default(), &text).to_vec()
}

/// The case's id of a row is public, the rest is the office's.
fn url_values(case: CaseId, key: Key) -> Value {
    json!({"case_id": case, "request": key.request(), "kind": key.kind()})
}

#[cfg(test)]
mod counterpart;
#[cfg(test)]
mod tests;
