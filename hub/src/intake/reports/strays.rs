//! What cannot be taken in is kept, sealed, before the broker may forget it.

use events::ids::ProvinceCode;
use tracing::error;

use super::{Message, ReportDesk, Verdict, again};
use crate::quarantine::Stray;

/// Longest subject that is kept with a stray, in characters.
const SUBJECT_CHARACTERS_MAX: usize = 256;

impl ReportDesk {
    /// False: nothing was kept, and the messages must come again.
    pub(super) async fn keep_strays(
        &self,
        province: ProvinceCode,
        batch: &[Message],
        verdicts: &[Verdict],
    ) -> bool {
        let at = self.clock.now();
        let stray = |(message, verdict): (&Message, &Verdict)| {
            let Verdict::Stray(reason, _) = verdict else { return None };
            let source = format!("province:{province}");
            let sealed = self.opener.seal_stray(&source, &message.payload);
            let headers = again::seal_headers(&self.opener, &source, message);
            let subject = message.subject.chars().take(SUBJECT_CHARACTERS_MAX).collect();
            Some(Stray { at, source, subject, reason: (*reason).to_owned(), sealed, headers })
        };
        let strays: Vec<Stray> = batch.iter().zip(verdicts).filter_map(stray).collect();
        if strays.is_empty() {
            return true;
        }
        let (quarantine, count) = (self.quarantine.clone(), strays.len());
        let kept = tokio::task::spawn_blocking(move || quarantine.keep(&strays)).await;
        match kept {
            Ok(Ok(())) => true,
            Ok(Err(error)) => {
                error!(province.code = %province, count, %error, "cannot keep strays of {province}");
                false
            }
            Err(_died) => false,
        }
    }
}
