//! Statements of publicity (annex 1) from adapters: on the road of reports, under the rules of the form.

use events::envelope::{Actor, Event, Evidence, Recorded};
use events::ids::{ProvinceCode, StreamName};
use events::personal::has_identity_number;
use events::province::{PublicityStated, Sent};
use events::publicity::StatementMessage;
use events::subjects;
use events::wire::statement_from_bytes;
use events::work::{Receipt, StatementReceipt};
use hub_core::refusal::Refusal;
use tracing::{error, info, warn};
use uuid::Uuid;

use super::{ADAPTER_NOT_CERTIFIED, IDENTITY_NUMBER_IN_CLEAR, ReportDesk, Verdict};
use crate::intake::examine::{Fault, Incoming, fault, one_signature, verify};
use crate::registrar::{Answer, Ask, What};

/// Longest name and version of an adapter, in characters.
const ADAPTER_CHARACTERS_MAX: usize = 128;

impl ReportDesk {
    /// Takes a statement in; nothing if the subject is not that of one.
    pub(super) async fn statement(
        &self,
        incoming: Incoming<'_>,
        province: ProvinceCode,
    ) -> Option<Verdict> {
        if incoming.subject != subjects::report(province, subjects::PUBLICITY_TOKEN) {
            return None;
        }
        Some(match self.examine_statement(incoming, province) {
            Err(fault) => Verdict::Stray(fault.code(), None),
            Ok((message, evidence)) => self.judge_statement(province, message, evidence).await,
        })
    }

    /// Cheap before dear, and nothing is parsed that nobody signed.
    fn examine_statement(
        &self,
        incoming: Incoming<'_>,
        province: ProvinceCode,
    ) -> Result<(StatementMessage, Evidence), Fault> {
        if incoming.payload.len() > subjects::PAYLOAD_BYTES_MAX {
            return Err(Fault::TooLarge);
        }
        let signature = one_signature(incoming.headers)?;
        verify(signature, incoming.payload, province, &self.membership)?;
        let message = statement_from_bytes(incoming.payload).map_err(fault)?;
        let told = &message.told;
        match () {
            () if told.province != province => Err(Fault::OtherProvince),
            () if told.origin != self.origin => Err(Fault::OtherOrigin),
            () if told.adapter.is_empty() => Err(Fault::Unreadable),
            () if told.adapter.chars().count() > ADAPTER_CHARACTERS_MAX => Err(Fault::TooLarge),
            () => {
                let signature = signature.to_owned();
                Ok((message, Evidence { bytes: incoming.payload.to_vec(), signature }))
            }
        }
    }

    async fn judge_statement(
        &self,
        province: ProvinceCode,
        message: StatementMessage,
        evidence: Evidence,
    ) -> Verdict {
        let id = message.id;
        // It is kept in clear, for ever: what tells too much stays outside, sealed.
        if str::from_utf8(&evidence.bytes).is_ok_and(has_identity_number) {
            return refused(id, IDENTITY_NUMBER_IN_CLEAR);
        }
        let (adapter, now) = (message.told.adapter, self.clock.now());
        if self.membership.lacks_certificate(province, Some(&adapter), now) {
            warn!(province.code = %province, statement.id = %id, refusal.code = ADAPTER_NOT_CERTIFIED, "the adapter of {province} has no valid certificate");
            return Verdict::Uncertified;
        }
        let sent = Some(Sent { stated_at: message.stated_at, message: id });
        let month = message.told.statement.month;
        let stated = PublicityStated { by: adapter, statement: message.told.statement, sent };
        let ask = Ask {
            actor: Actor::Province(province),
            occurred_at: message.stated_at,
            caused_by: Some(id),
            what: What::Stated { province, stated, evidence },
        };
        match self.registrar.ask_patiently(ask).await {
            Err(why) => {
                warn!(province.code = %province, %why, "a statement of {province} waits for the registrar");
                Verdict::Unknown
            }
            Ok(Answer::Recorded(events)) => {
                info!(province.code = %province, statement.id = %id, %month, "{province} told its publicity of {month}");
                let place = place(id, &events).unwrap_or_else(|| nothing(id));
                Verdict::Statement(place, "statement")
            }
            Ok(Answer::NothingNew(_)) => self.known_statement(province, id, None).await,
            Ok(Answer::Refused(it @ Refusal::StatementSuperseded)) => {
                self.known_statement(province, id, Some(it.code())).await
            }
            Ok(Answer::Refused(refusal)) => refused(id, refusal.code()),
        }
    }

    /// Its place if it is on record. If not, its content is, or a newer one: neither is for an operator.
    async fn known_statement(
        &self,
        province: ProvinceCode,
        id: Uuid,
        superseded: Option<&'static str>,
    ) -> Verdict {
        let stream = StreamName::Province(province);
        match self.readers.read_aside(move |log| log.read_stream(&stream)).await {
            Err(error) => {
                error!(province.code = %province, %error, "cannot read the story of {province}");
                Verdict::Unknown
            }
            Ok(story) => match place(id, &story) {
                Some(place) => Verdict::Statement(place, "statement-known"),
                None => {
                    let refused = superseded.map(str::to_owned);
                    let receipt = StatementReceipt { refused, ..nothing(id) };
                    Verdict::Statement(receipt, superseded.unwrap_or("statement-known"))
                }
            },
        }
    }
}

fn nothing(statement: Uuid) -> StatementReceipt {
    StatementReceipt { statement, position: None, hash: None, refused: None }
}

fn refused(statement: Uuid, code: &'static str) -> Verdict {
    let receipt = StatementReceipt { refused: Some(code.to_owned()), ..nothing(statement) };
    Verdict::Stray(code, Some(Receipt::Statement(receipt)))
}

fn place(id: Uuid, events: &[Recorded]) -> Option<StatementReceipt> {
    let own = |it: &&Recorded| {
        it.envelope.caused_by == Some(id) && matches!(it.envelope.event, Event::Province(_))
    };
    let recorded = events.iter().find(own)?;
    let (position, hash) = (Some(recorded.position.0), Some(recorded.hash));
    Some(StatementReceipt { statement: id, position, hash, refused: None })
}

#[cfg(test)]
mod tests;
