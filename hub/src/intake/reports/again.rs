//! A stray let in again goes the same way as if it had just come: nothing is believed that was not before.

use async_nats::{HeaderMap, HeaderValue};
use events::ids::ProvinceCode;
use events::work::Receipt;

use super::{Fate, Message, ReportDesk, UNREADABLE_HEADERS, Verdict};
use crate::quarantine::Stray;
use crate::redrive::{Again, TakeAgain, headers_label};
use crate::vault::Opener;

/// Most bytes of headers that are kept with a stray; of more, none: half of them prove nothing.
const HEADERS_BYTES_MAX: usize = 16 * 1024;

/// The headers of a message that is kept: nothing if they are none that can be given back.
pub(super) fn seal_headers(opener: &Opener, source: &str, message: &Message) -> Option<Vec<u8>> {
    if !message.headers_readable {
        return None;
    }
    let all = message.headers.iter().flat_map(|it| it.iter());
    let lines: Vec<(&str, &str)> = all
        .flat_map(|(name, values)| values.iter().map(move |it| (name.as_ref(), it.as_str())))
        .collect();
    if lines.iter().map(|it| it.0.len() + it.1.len()).sum::<usize>() > HEADERS_BYTES_MAX {
        return None;
    }
    let bytes = serde_json::to_vec(&lines).expect("texts always serialize");
    Some(opener.seal_stray(&headers_label(source), &bytes))
}

/// The message as it came; nothing if it was kept without its headers, or nobody can open it.
fn message(opener: &Opener, stray: &Stray) -> Option<Message> {
    let payload = opener.open_stray(&stray.source, &stray.sealed)?;
    let lines = opener.open_stray(&headers_label(&stray.source), stray.headers.as_ref()?)?;
    let lines: Vec<(String, String)> = serde_json::from_slice(&lines).ok()?;
    let mut headers = HeaderMap::new();
    for (name, value) in &lines {
        headers.append(name.as_str(), value.parse::<HeaderValue>().ok()?);
    }
    Some(Message {
        subject: stray.subject.clone(),
        headers: (!lines.is_empty()).then_some(headers),
        headers_readable: true,
        payload: payload.into(),
    })
}

impl TakeAgain for std::sync::Arc<ReportDesk> {
    async fn take_again(&self, province: ProvinceCode, stray: &Stray) -> Again {
        let Some(message) = message(&self.opener, stray) else {
            return Again::Back(UNREADABLE_HEADERS.to_owned());
        };
        let verdict = self.verdicts(province, std::slice::from_ref(&message)).await.pop();
        match verdict.unwrap_or(Verdict::Unknown) {
            Verdict::Unknown | Verdict::Comparison("comparison-dropped") => Again::NotNow,
            Verdict::Comparison(outcome) => Again::Taken(outcome, None),
            Verdict::Uncertified => Again::Back(super::ADAPTER_NOT_CERTIFIED.to_owned()),
            Verdict::Early { .. } => Again::Back("report-too-early".to_owned()),
            Verdict::Stray(reason, None) => Again::Back(reason.to_owned()),
            Verdict::Stray(reason, Some(receipt)) => {
                let told = self.hand_out(province, receipt, reason, None).await;
                match told.fate {
                    Fate::Acknowledge => Again::Back(reason.to_owned()),
                    _ => Again::NotNow,
                }
            }
            Verdict::Statement(receipt, outcome) => {
                let refused = receipt.refused.clone();
                let receipt = Receipt::Statement(receipt);
                let told = self.hand_out(province, receipt, outcome, None).await;
                match told.fate {
                    Fate::Acknowledge => Again::Taken(outcome, refused),
                    _ => Again::NotNow,
                }
            }
            Verdict::Receipt(receipt, outcome) => {
                let refused = receipt.refused.clone();
                let receipt = Receipt::Report(receipt);
                let told = self.hand_out(province, receipt, outcome, None).await;
                match told.fate {
                    Fate::Acknowledge => Again::Taken(outcome, refused),
                    _ => Again::NotNow,
                }
            }
        }
    }
}
