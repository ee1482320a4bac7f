//! The loop that asks the office where its cases stand: paced, jittered, and slower where it fails.

use std::time::Duration;

use futures::StreamExt as _;
use tracing::{debug, warn};

use super::rows::{self, Key, Row};
use super::{HttpOffice, url_values};

/// The slow tick of looking for cases to ask about.
const TICK: Duration = Duration::from_millis(250);
/// After failures the wait doubles up to sixteen times.
const DOUBLINGS_MAX: u32 = 4;

impl HttpOffice {
    /// Asks for ever; only waits if the office has no status to ask for.
    pub async fn run(&self) {
        loop {
            match self.ask_due().await {
                0 => tokio::time::sleep(TICK).await,
                asked => debug!(size = asked, "asked the office"),
            }
        }
    }

    /// Asks about what is due; how many that were.
    pub(super) async fn ask_due(&self) -> usize {
        let Some(status) = &self.settings.status else { return 0 };
        let shared = &self.desk.reporter.shared;
        let (now, count_max) = (shared.clock.real_now(), status.at_once_max);
        let due = match shared.store.write(move |it| rows::due(it, now, count_max)).await {
            Ok(due) => due,
            Err(error) => {
                warn!(error = %error, "cannot look for cases to ask the office about");
                return 0;
            }
        };
        let count = due.len();
        futures::stream::iter(due)
            .for_each_concurrent(None, |(key, row)| self.ask(key, row, status.every_ms))
            .await;
        count
    }

    async fn ask(&self, key: Key, row: Row, every_ms: u64) {
        let fine = self.ask_once(key, &row).await;
        let failures = if fine { 0 } else { row.failures.saturating_add(1) };
        let doubled = every_ms.saturating_mul(1 << failures.min(DOUBLINGS_MAX));
        let wait = Duration::from_millis(doubled).mul_f64(0.8 + rand::random::<f64>() * 0.4);
        let shared = &self.desk.reporter.shared;
        let now = shared.clock.real_now();
        let at = now.checked_add(wait).unwrap_or(now);
        let noted = shared.store.write(move |it| rows::ask_again(it, key, at, failures)).await;
        if let Err(error) = noted {
            warn!(error = %error, "cannot note when to ask the office again; it is asked at once");
        }
    }

    async fn ask_once(&self, key: Key, row: &Row) -> bool {
        let Some((url, body)) = &self.status else { return true };
        let values = url_values(key.case(), key);
        let made = url.render(&values).and_then(|url| {
            let body = body.as_ref().map(|it| Ok((it.body(&values)?, it.is_json()))).transpose()?;
            Ok((url, body))
        });
        let (url, body) = match made {
            Ok(made) => made,
            Err(error) => {
                warn!(case.id = %key.case(), "cannot ask the office: {error}");
                return false;
            }
        };
        match self.client.exchange(&url, body).await {
            Ok(answered) if (200..300).contains(&answered.status) => match &answered.document {
                Ok(document) => self.tell(key, row, document).await,
                Err(error) => {
                    warn!(case.id = %key.case(), "the office's status cannot be read: {error}");
                    false
                }
            },
            Ok(answered) => {
                debug!(case.id = %key.case(), status = answered.status, "the office tells no status");
                false
            }
            Err(error) => {
                debug!(case.id = %key.case(), "cannot ask the office: {error}");
                false
            }
        }
    }
}
