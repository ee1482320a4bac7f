//! What provinces say. Acknowledged only after it is on record, refused for good, or kept as a stray.

mod again;
mod statements;
mod strays;

use std::time::Duration;

use events::case::CaseEvent;
use events::envelope::{Actor, Event, Position, Recorded};
use events::ids::{CaseId, ProvinceCode, ReportId, RequestId, StreamName};
use events::personal::{has_identity_number, tells_identity_number};
use events::wire::Comparison;
use events::work::{Receipt, ReportReceipt, StatementReceipt};
use hub_core::command::Command;
use hub_core::refusal::Refusal;
use tokio::sync::mpsc;
use tracing::{error, warn};

use crate::clock::Clock;
use crate::hops::Moment;
use crate::intake::examine::{Examined, Incoming, examine, examine_comparison};
pub use crate::intake::settled::{Fate, Message, Settled};
use crate::intake::traced;
use crate::log::Readers;
use crate::quarantine::Quarantine;
use crate::registrar::{Answer, Ask, Registrar, Unavailable, What, case_event};
use crate::vault::Opener;
use crate::views::membership::Membership;

/// First wait when the registrar cannot take reports now; it doubles.
const AGAIN_FIRST: Duration = Duration::from_millis(50);
/// Longest wait when the registrar cannot take reports now.
const AGAIN_MAX: Duration = Duration::from_secs(5);
/// The code of a report that says in clear what nobody may read.
const IDENTITY_NUMBER_IN_CLEAR: &str = "identity-number-in-clear";
/// The code of a message whose headers no client can read: a status line, no UTF-8, no names.
const UNREADABLE_HEADERS: &str = "unreadable-headers";
/// The code of a report whose adapter has no valid certificate here.
const ADAPTER_NOT_CERTIFIED: &str = "adapter-not-certified";
/// The desk at which reports are taken in. One for all provinces; no broker in sight.
pub struct ReportDesk {
    /// The log that reports must name.
    pub origin: String,
    /// By which keys provinces are known.
    pub membership: Membership,
    /// The only road into the log.
    pub registrar: Registrar,
    /// Reads a report's place when it is known already.
    pub readers: Readers,
    /// Where strays are kept.
    pub quarantine: Quarantine,
    /// Seals strays.
    pub opener: Opener,
    /// What time it is.
    pub clock: Clock,
    /// Where receipts go.
    pub receipts: mpsc::Sender<(ProvinceCode, Receipt)>,
    /// Where inventories and lists go.
    pub comparisons: mpsc::Sender<(ProvinceCode, Position, Comparison)>,
}

/// An answer about a report, before anything is told to anybody.
enum Verdict {
    Receipt(ReportReceipt, &'static str),
    Early {
        case: CaseId,
        number: u64,
    },
    /// An inventory or a list, or that there was no room for it: the adapter tells it again.
    Comparison(&'static str),
    /// A statement of publicity that is on record, or was said before.
    Statement(StatementReceipt, &'static str),
    /// A reason for the quarantine; a receipt only for who can be trusted to be the sender.
    Stray(&'static str, Option<Receipt>),
    /// Its adapter may not speak now. No receipt: the adapter keeps it and sends it again, so that
    /// a certificate that comes later lets it in and nothing is lost.
    Uncertified,
    Unknown,
}

impl Verdict {
    /// As the metrics call it.
    fn outcome(&self) -> &'static str {
        match self {
            Self::Receipt(_, outcome)
            | Self::Statement(_, outcome)
            | Self::Comparison(outcome)
            | Self::Stray(outcome, _) => outcome,
            Self::Early { .. } => "held",
            Self::Uncertified => ADAPTER_NOT_CERTIFIED,
            Self::Unknown => "left",
        }
    }
}

impl ReportDesk {
    /// Whether this version of the adapter lacks a certificate that this hub demands.
    fn is_uncertified(&self, province: ProvinceCode, report: &Examined) -> bool {
        let (adapter, now) = (&report.message.report.adapter, self.clock.now());
        let lacks = self.membership.lacks_certificate(province, Some(adapter), now);
        if lacks {
            let id = report.message.id;
            warn!(province.code = %province, report.id = %id, adapter, refusal.code = ADAPTER_NOT_CERTIFIED, "the adapter `{adapter}` of {province} has no valid certificate");
        }
        lacks
    }

    /// Takes in a batch from the stream of `province`; answers in order. Again: the same receipts.
    pub async fn take(&self, province: ProvinceCode, batch: &[Message]) -> Vec<Settled> {
        let verdicts = self.verdicts(province, batch).await;
        self.settle(province, batch, verdicts).await
    }

    /// What is on record of each message now, or why it is not; nobody is told yet.
    async fn verdicts(&self, province: ProvinceCode, batch: &[Message]) -> Vec<Verdict> {
        let mut verdicts: Vec<Option<Verdict>> = Vec::with_capacity(batch.len());
        let (mut places, mut examined, began) = (Vec::new(), Vec::new(), Moment::now());
        for (place, message) in batch.iter().enumerate() {
            let Message { subject, headers, payload, headers_readable } = message;
            if !headers_readable {
                verdicts.push(Some(Verdict::Stray(UNREADABLE_HEADERS, None)));
                continue;
            }
            let incoming = Incoming { subject, headers: headers.as_ref(), payload };
            if let Some(told) =
                examine_comparison(incoming, province, &self.origin, &self.membership)
            {
                verdicts.push(Some(match told {
                    Ok(comparison) => self.pass_on(province, comparison).await,
                    Err(fault) => Verdict::Stray(fault.code(), None),
                }));
                continue;
            }
            if let Some(verdict) = self.statement(incoming, province).await {
                verdicts.push(Some(verdict));
                continue;
            }
            match examine(incoming, province, &self.origin, &self.membership) {
                // Evidence is kept in clear, for ever: what tells too much is kept sealed, and only here.
                Ok(report) if tells_too_much(&report) => {
                    verdicts.push(Some(self.too_open(&report).await));
                }
                Ok(report) if self.is_uncertified(province, &report) => {
                    verdicts.push(Some(Verdict::Uncertified));
                }
                Ok(report) => {
                    verdicts.push(None);
                    places.push(place);
                    examined.push(report);
                }
                Err(fault) => verdicts.push(Some(Verdict::Stray(fault.code(), None))),
            }
        }
        let answers = self.ask_patiently(province, &examined).await;
        for ((place, report), answer) in places.into_iter().zip(&examined).zip(answers) {
            let verdict = self.judge(report, answer).await;
            let headers = batch[place].headers.as_ref();
            traced::reported(province, report, headers, verdict.outcome(), began);
            verdicts[place] = Some(verdict);
        }
        verdicts.into_iter().map(|it| it.unwrap_or(Verdict::Unknown)).collect()
    }

    /// Nothing waits for it here: whoever compares has a bounded desk of its own. The log's head goes
    /// with it: what was recorded after the province took stock is no difference.
    async fn pass_on(&self, province: ProvinceCode, comparison: Comparison) -> Verdict {
        let Ok(head) = self.readers.read_aside(|log| log.head()).await else {
            return Verdict::Comparison("comparison-dropped");
        };
        let as_of = head.map_or(Position(0), |it| it.0);
        let sent = self.comparisons.try_send((province, as_of, comparison));
        Verdict::Comparison(if sent.is_ok() { "comparison" } else { "comparison-dropped" })
    }

    /// Asks until the registrar answers; only when it has stopped there is no answer.
    async fn ask_patiently(
        &self,
        province: ProvinceCode,
        reports: &[Examined],
    ) -> Vec<Result<Answer, Unavailable>> {
        let mut answers: Vec<Result<Answer, Unavailable>> =
            reports.iter().map(|_| Err(Unavailable::Busy)).collect();
        let mut wait = AGAIN_FIRST;
        loop {
            let open: Vec<usize> = (0..reports.len())
                .filter(|it| matches!(answers[*it], Err(Unavailable::Busy | Unavailable::Full)))
                .collect();
            if open.is_empty() {
                return answers;
            }
            let asks = open.iter().map(|it| record(province, &reports[*it])).collect();
            for (place, answer) in open.iter().zip(self.registrar.ask_all(asks).await) {
                answers[*place] = answer;
            }
            let unavailable = answers.iter().find_map(|it| it.as_ref().err());
            let Some(why) = unavailable.filter(|it| **it != Unavailable::Stopped) else {
                return answers;
            };
            warn!(province.code = %province, %why, "reports of {province} wait for the registrar");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(AGAIN_MAX);
        }
    }

    async fn judge(&self, report: &Examined, answer: Result<Answer, Unavailable>) -> Verdict {
        let (id, case) = (report.message.id, report.message.report.case);
        let verdict = match answer {
            Err(_stopped) => Verdict::Unknown,
            Ok(Answer::Recorded(events)) => match receipt(id, case, &events) {
                Some(receipt) => Verdict::Receipt(receipt, "recorded"),
                None => self.known(id, case, "recorded").await,
            },
            Ok(Answer::NothingNew(events)) => match receipt(id, case, &events) {
                Some(receipt) => Verdict::Receipt(receipt, "known"),
                None => self.known(id, case, "known").await,
            },
            Ok(Answer::Refused(Refusal::ReportTooEarly { number, .. })) => {
                Verdict::Early { case, number }
            }
            Ok(Answer::Refused(refusal)) => {
                let refused = Some(refusal.code().to_owned());
                let receipt = without_place(id, case, refused);
                let receipt = self.with_next_number(receipt, report.message.report.province).await;
                Verdict::Stray(refusal.code(), Some(Receipt::Report(receipt)))
            }
        };
        match verdict {
            Verdict::Receipt(receipt, outcome) if receipt.refused.is_some() => {
                let province = report.message.report.province;
                Verdict::Receipt(self.with_next_number(receipt, province).await, outcome)
            }
            other => other,
        }
    }

    async fn too_open(&self, report: &Examined) -> Verdict {
        let (id, case) = (report.message.id, report.message.report.case);
        let refused = Some(IDENTITY_NUMBER_IN_CLEAR.to_owned());
        let receipt = without_place(id, case, refused);
        let receipt = self.with_next_number(receipt, report.message.report.province).await;
        Verdict::Stray(IDENTITY_NUMBER_IN_CLEAR, Some(Receipt::Report(receipt)))
    }

    /// After a refusal an adapter must know how to count on: it may have lost count, and a refusal
    /// that is not on record has used up no number. What cannot be read now is not told.
    async fn with_next_number(
        &self,
        receipt: ReportReceipt,
        province: ProvinceCode,
    ) -> ReportReceipt {
        let stream = StreamName::Case(receipt.case);
        let story = self.readers.read_aside(move |log| log.read_stream(&stream)).await;
        let next_number = story.ok().and_then(|story| {
            let events = story.iter().filter_map(case_event);
            let case = events.fold(None, hub_core::case::evolve)?;
            Some(case.next_report_number(province))
        });
        ReportReceipt { next_number, ..receipt }
    }

    /// The receipt of a report whose place only the log can tell.
    async fn known(&self, report: ReportId, case: CaseId, outcome: &'static str) -> Verdict {
        let stream = StreamName::Case(case);
        match self.readers.read_aside(move |log| log.read_stream(&stream)).await {
            Ok(story) => {
                // A fact that was on record before this report said it again has no place of its own.
                let nothing = without_place(report, case, None);
                Verdict::Receipt(receipt(report, case, &story).unwrap_or(nothing), outcome)
            }
            Err(error) => {
                error!(case.id = %case, %error, "cannot read the story of case {case}");
                Verdict::Unknown
            }
        }
    }

    /// Strays are kept first, then receipts go out; only then may the broker forget the messages.
    async fn settle(
        &self,
        province: ProvinceCode,
        batch: &[Message],
        verdicts: Vec<Verdict>,
    ) -> Vec<Settled> {
        let kept = self.keep_strays(province, batch, &verdicts).await;
        let mut settled = Vec::with_capacity(verdicts.len());
        for verdict in verdicts {
            settled.push(match verdict {
                Verdict::Unknown => Settled::LEFT,
                Verdict::Uncertified => Settled::of(Fate::Terminate, ADAPTER_NOT_CERTIFIED),
                Verdict::Early { case, number } => Settled::of(Fate::Hold { case, number }, "held"),
                Verdict::Comparison(outcome) => Settled::of(Fate::Acknowledge, outcome),
                Verdict::Stray(..) if !kept => Settled::LEFT,
                Verdict::Stray(reason, None) => Settled::of(Fate::Terminate, reason),
                Verdict::Stray(reason, Some(receipt)) => {
                    self.hand_out(province, receipt, reason, None).await
                }
                Verdict::Receipt(receipt, outcome) => {
                    let case = Some(receipt.case);
                    self.hand_out(province, Receipt::Report(receipt), outcome, case).await
                }
                Verdict::Statement(receipt, outcome) => {
                    self.hand_out(province, Receipt::Statement(receipt), outcome, None).await
                }
            });
        }
        settled
    }

    async fn hand_out(
        &self,
        province: ProvinceCode,
        receipt: Receipt,
        outcome: &'static str,
        went_on: Option<CaseId>,
    ) -> Settled {
        match self.receipts.send((province, receipt)).await {
            Ok(()) => Settled { fate: Fate::Acknowledge, outcome, went_on },
            // Nobody sends receipts any more: the hub is stopping, and the report comes again.
            Err(_closed) => Settled { went_on, ..Settled::LEFT },
        }
    }
}

fn record(province: ProvinceCode, report: &Examined) -> Ask {
    // The id is needed only if the report leads to a new route; drawn here, because rules draw none.
    let next_request = RequestId(uuid::Uuid::from_bytes(rand::random()));
    Ask {
        actor: Actor::Province(province),
        occurred_at: report.message.occurred_at,
        caused_by: Some(report.message.id.0),
        what: What::Case {
            case: report.message.report.case,
            command: Command::Record { message: report.message.clone(), next_request },
            personal: None,
            evidence: Some(report.evidence.clone()),
            key: None,
        },
    }
}

/// Whether an identity number stands in it in clear: in a field that we read, or in one that we do not.
fn tells_too_much(report: &Examined) -> bool {
    let bytes = str::from_utf8(&report.evidence.bytes);
    tells_identity_number(&report.message.report) || bytes.is_ok_and(has_identity_number)
}

fn without_place(report: ReportId, case: CaseId, refused: Option<String>) -> ReportReceipt {
    ReportReceipt { report, case, position: None, hash: None, refused, next_number: None }
}

/// Where `report` stands among `events`, and whether it was refused there.
pub fn receipt(report: ReportId, case: CaseId, events: &[Recorded]) -> Option<ReportReceipt> {
    let recorded = events.iter().find(|it| it.envelope.caused_by == Some(report.0))?;
    let refused = match &recorded.envelope.event {
        Event::Case(CaseEvent::ReportRefused(it)) => Some(it.code.clone()),
        Event::Case(CaseEvent::ConflictingDecision(_)) => {
            Some(Refusal::ConflictingDecision.code().to_owned())
        }
        _ => None,
    };
    let (position, hash) = (Some(recorded.position.0), Some(recorded.hash));
    Some(ReportReceipt { report, case, position, hash, refused, next_number: None })
}

#[cfg(test)]
mod tests;
