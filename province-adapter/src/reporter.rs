//! How an office system tells the hub its news: durable in the outbox before the call returns.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use events::ids::{CaseId, ReportId};
use events::report::News;
use events::work::Work;
use jiff::Timestamp;
use rusqlite::Connection;

use crate::adapter::Shared;
use crate::inbox;
use crate::keys::Identity;
use crate::outbox::{self, Draft, ReportError};
use crate::pacing;

/// A handle for reporting; cheap to clone.
#[derive(Clone)]
pub struct Reporter {
    pub(crate) shared: Arc<Shared>,
}

impl Reporter {
    /// Puts `news` of `case` in the outbox, signed and numbered; it is durable on return and is sent
    /// until the hub has signed for it. `text` is for the applicant and travels sealed.
    ///
    /// The same news of the same moment again gives the same report: an office that is not sure
    /// after a crash reports again.
    pub async fn report(
        &self,
        case: CaseId,
        news: News,
        occurred_at: Timestamp,
        text: Option<String>,
    ) -> Result<ReportId, ReportError> {
        let shared = Arc::clone(&self.shared);
        let now = self.shared.clock.real_now();
        let item = Item { case, news, occurred_at, text };
        let report = self
            .shared
            .store
            .write(move |connection| report_in(connection, &shared.identity, item, now))
            .await?;
        self.shared.outbox_wake.notify_one();
        Ok(report)
    }
}

/// One piece of news.
pub(crate) struct Item {
    pub(crate) case: CaseId,
    pub(crate) news: News,
    pub(crate) occurred_at: Timestamp,
    pub(crate) text: Option<String>,
}

/// The same inside a transaction that also changes something else.
pub(crate) fn report_in(
    connection: &Connection,
    identity: &Identity,
    item: Item,
    now: Timestamp,
) -> Result<ReportId, ReportError> {
    pacing::check_outbox(connection)?;
    let work = inbox::newest_work(connection, item.case)?
        .ok_or(ReportError::UnknownCase { case: item.case })?;
    let text = match item.text {
        Some(text) => Some((reply_key(identity, &work)?, text)),
        None => None,
    };
    let draft = Draft {
        case: item.case,
        request: work.request,
        digest: work.digest,
        news: item.news,
        occurred_at: item.occurred_at,
        text,
    };
    let report = outbox::enqueue(connection, identity, draft, now)?.report;
    pacing::note_answered(connection, item.case)?;
    Ok(report)
}

/// It is kept only inside the sealed part and opened each time.
pub(crate) fn reply_key(identity: &Identity, work: &Work) -> Result<[u8; 32], ReportError> {
    let missing = || ReportError::NoReplyKey { case: work.case };
    let personal = identity.open(work).map_err(|_| missing())?.ok_or_else(missing)?;
    let bytes = BASE64.decode(personal.reply_key).map_err(|_| missing())?;
    bytes.try_into().map_err(|_| missing())
}
