//! Deciding: the story, the rules and the ask make events, or a no. Nothing is durable here yet.
//!
//! Later asks of a round build on what earlier ones led to, as if that were recorded.

use std::collections::HashMap;

use events::case::CaseEvent;
use events::envelope::{Actor, Envelope, Event, Evidence};
use events::ids::{CaseId, ProvinceCode, StreamName};
use events::keeping::KeepingEvent;
use events::reference::ReferenceEvent;
use hub_core::command::Command;
use hub_core::province::ProvinceCommand;
use hub_core::refusal::Refusal;
use jiff::Timestamp;
use uuid::Uuid;

use super::desk::Desk;
use super::stamps::EventIds;
use super::starting::Fatal;
use super::stories::expected;
use super::{Answer, Ask, What, known};
use crate::log::{Append, SenderKey};
use crate::vault::VaultError;

/// What is decided together.
pub(super) struct Round {
    pub(super) at: Timestamp,
    pub(super) items: Vec<Append>,
    /// Senders' keys that this round uses; the log does not know them yet.
    pub(super) keys: HashMap<SenderKey, CaseId>,
}

/// What an ask comes to, once the round is durable.
pub(super) enum Verdict {
    /// The round's item of this number.
    Append(usize),
    /// This.
    Answer(Answer),
    /// What the case's story says of the first time.
    FirstTime { case: CaseId, by_key: bool },
}

/// Whose events they are.
struct Cause {
    actor: Actor,
    occurred_at: Timestamp,
    caused_by: Option<Uuid>,
}

fn is_of_time(envelope: &Envelope) -> bool {
    matches!(&envelope.event, Event::Case(it) if it.is_of_time())
}

/// What a case's ask brings.
struct CaseAsk<'a> {
    case: CaseId,
    command: &'a Command,
    personal: Option<&'a [u8]>,
    evidence: Option<&'a Evidence>,
    key: Option<SenderKey>,
}

impl Cause {
    /// A report speaks for itself, whatever the ask says.
    fn of(ask: &Ask) -> Self {
        if let What::Case { command: Command::Record { message, .. }, .. } = &ask.what {
            return Self {
                actor: Actor::Province(message.report.province),
                occurred_at: message.occurred_at,
                caused_by: Some(message.id.0),
            };
        }
        let Ask { actor, occurred_at, caused_by, .. } = ask;
        Self { actor: actor.clone(), occurred_at: *occurred_at, caused_by: *caused_by }
    }

    /// A case's events, in order: those of passed days are the hub's own, the others the asker's.
    fn case_envelopes(
        self,
        case: CaseId,
        events: Vec<CaseEvent>,
        ids: &mut EventIds,
        at: Timestamp,
    ) -> Vec<Envelope> {
        let stream = StreamName::Case(case);
        let passed_count = events.iter().take_while(|it| it.is_of_time()).count();
        let mut passed: Vec<Event> = events.into_iter().map(Event::Case).collect();
        let own = passed.split_off(passed_count);
        let hub = Self { actor: Actor::Hub, occurred_at: at, caused_by: None };
        let mut envelopes = hub.envelopes(stream, passed, ids, at);
        envelopes.extend(self.envelopes(stream, own, ids, at));
        envelopes
    }

    fn envelopes(
        self,
        stream: StreamName,
        events: impl IntoIterator<Item = Event>,
        ids: &mut EventIds,
        at: Timestamp,
    ) -> Vec<Envelope> {
        let envelope = |event| Envelope {
            id: ids.next(at),
            stream,
            occurred_at: self.occurred_at,
            actor: self.actor.clone(),
            caused_by: self.caused_by,
            event,
            sealed: None,
            evidence: None,
        };
        events.into_iter().map(envelope).collect()
    }
}

impl Desk {
    pub(super) fn decide(&mut self, ask: &Ask, round: &mut Round) -> Result<Verdict, Fatal> {
        match &ask.what {
            What::Case { case, command, personal, evidence, key } => {
                let personal = personal.as_deref();
                let what = CaseAsk {
                    case: *case,
                    command,
                    personal,
                    evidence: evidence.as_ref(),
                    key: *key,
                };
                self.decide_case(Cause::of(ask), what, round)
            }
            What::Province { province, command } => {
                self.decide_province(Cause::of(ask), *province, command, None, round)
            }
            What::Stated { province, stated, evidence } => {
                let command = ProvinceCommand::StatePublicity(stated.clone());
                let evidence = Some(evidence);
                self.decide_province(Cause::of(ask), *province, &command, evidence, round)
            }
            What::Reference(event) => match self.published.decide(event) {
                Err(refusal) => Ok(Verdict::Answer(Answer::Refused(refusal))),
                Ok(None) => Ok(Verdict::Answer(Answer::NothingNew(Vec::new()))),
                Ok(Some(event)) => Ok(self.propose_reference(Cause::of(ask), round, event)),
            },
            What::Keeping(event) => {
                if let KeepingEvent::CaseKeyDestroyed(it) = event
                    && self.destroyed.contains(&it.case)
                {
                    return Ok(Verdict::Answer(Answer::NothingNew(Vec::new())));
                }
                let item = self.keeping_item(Cause::of(ask), round.at, event.clone());
                Ok(round.push(item))
            }
            What::Redrive(command) => {
                let event = match hub_core::redrive::decide(&self.redrives, command) {
                    Err(refusal) => return Ok(Verdict::Answer(Answer::Refused(refusal))),
                    Ok(None) => return Ok(Verdict::Answer(Answer::NothingNew(Vec::new()))),
                    Ok(Some(event)) => event,
                };
                hub_core::redrive::evolve(&mut self.redrives, &event);
                let item = self.keeping_item(Cause::of(ask), round.at, event);
                Ok(round.push(item))
            }
        }
    }

    fn decide_case(
        &mut self,
        cause: Cause,
        ask: CaseAsk<'_>,
        round: &mut Round,
    ) -> Result<Verdict, Fatal> {
        let CaseAsk { case, command, .. } = ask;
        if let Some(first) = self.case_of(ask.key, round)? {
            return Ok(Verdict::FirstTime { case: first, by_key: true });
        }
        let told = self.stories.case(&*self.log, case)?;
        let rules = self.published.rules();
        let events = match hub_core::case::decide(told.state.as_ref(), command, rules, round.at) {
            Err(refusal) => return Ok(Verdict::Answer(Answer::Refused(refusal))),
            Ok(events) if events.is_empty() && known::is_kept(command) => {
                return Ok(Verdict::FirstTime { case, by_key: false });
            }
            Ok(events) if events.is_empty() => {
                return Ok(Verdict::Answer(Answer::NothingNew(Vec::new())));
            }
            Ok(events) => events,
        };
        let mut envelopes = cause.case_envelopes(case, events, &mut self.ids, round.at);
        // What days led to stands before the command's own events, and is nobody's to sign or seal.
        if let Some(own) = envelopes.iter_mut().find(|it| !is_of_time(it)) {
            own.evidence = ask.evidence.cloned();
            if let Some(personal) = ask.personal {
                match self.sealer.seal(case, own.id, personal) {
                    Ok(sealed) => own.sealed = Some(sealed),
                    // Nobody may add to what was destroyed on purpose.
                    Err(VaultError::NoKey { .. }) => {
                        return Ok(Verdict::Answer(Answer::Refused(Refusal::OutOfOrder)));
                    }
                    Err(error) => return Err(Fatal::Vault(error)),
                }
            }
        }
        let builds_on = expected(told.version);
        for envelope in &envelopes {
            if let Event::Case(event) = &envelope.event {
                told.state = hub_core::case::evolve(told.state.take(), event);
            }
        }
        told.version += envelopes.len() as u64;
        if let Some(key) = ask.key {
            round.keys.insert(key, case);
        }
        Ok(round.push(Append {
            stream: StreamName::Case(case),
            expected: builds_on,
            recorded_at: round.at,
            events: envelopes,
            key: ask.key,
        }))
    }

    /// The case in which a sender's key was used, in this round or ever.
    fn case_of(&self, key: Option<SenderKey>, round: &Round) -> Result<Option<CaseId>, Fatal> {
        let Some(key) = key else { return Ok(None) };
        if let Some(case) = round.keys.get(&key) {
            return Ok(Some(*case));
        }
        match self.log.find_key(&key)? {
            Some(StreamName::Case(case)) => Ok(Some(case)),
            _ => Ok(None),
        }
    }

    fn decide_province(
        &mut self,
        cause: Cause,
        province: ProvinceCode,
        command: &ProvinceCommand,
        evidence: Option<&Evidence>,
        round: &mut Round,
    ) -> Result<Verdict, Fatal> {
        if let ProvinceCommand::StatePublicity(it) = command
            && let Err(refusal) = hub_core::province::publicity::is_timely(it, round.at)
        {
            return Ok(Verdict::Answer(Answer::Refused(refusal)));
        }
        let told = self.stories.province(&*self.log, province)?;
        let events = match hub_core::province::decide(&told.state, command) {
            Err(refusal) => return Ok(Verdict::Answer(Answer::Refused(refusal))),
            Ok(events) if events.is_empty() => {
                return Ok(Verdict::Answer(Answer::NothingNew(Vec::new())));
            }
            Ok(events) => events,
        };
        let builds_on = expected(told.version);
        for event in &events {
            told.state = hub_core::province::evolve(std::mem::take(&mut told.state), event);
        }
        told.version += events.len() as u64;
        let stream = StreamName::Province(province);
        let events = events.into_iter().map(Event::Province);
        let mut events = cause.envelopes(stream, events, &mut self.ids, round.at);
        if let Some(first) = events.first_mut() {
            first.evidence = evidence.cloned();
        }
        let recorded_at = round.at;
        Ok(round.push(Append { stream, expected: builds_on, recorded_at, events, key: None }))
    }

    fn propose_reference(
        &mut self,
        cause: Cause,
        round: &mut Round,
        event: ReferenceEvent,
    ) -> Verdict {
        let builds_on = expected(self.published.version());
        self.published.evolve(&event);
        let stream = StreamName::Reference;
        let events = cause.envelopes(stream, [Event::Reference(event)], &mut self.ids, round.at);
        let recorded_at = round.at;
        round.push(Append { stream, expected: builds_on, recorded_at, events, key: None })
    }

    fn keeping_item(&mut self, cause: Cause, at: Timestamp, event: KeepingEvent) -> Append {
        let builds_on = expected(self.keeping);
        self.keeping += 1;
        let stream = StreamName::Keeping;
        let events = cause.envelopes(stream, [Event::Keeping(event)], &mut self.ids, at);
        Append { stream, expected: builds_on, recorded_at: at, events, key: None }
    }

    /// The hub itself notes something about the log.
    pub(super) fn propose_keeping(&mut self, round: &mut Round, event: KeepingEvent) {
        let cause = Cause { actor: Actor::Hub, occurred_at: round.at, caused_by: None };
        let item = self.keeping_item(cause, round.at, event);
        round.push(item);
    }

    /// The hub itself publishes a rule, unless it is known.
    pub(super) fn publish(
        &mut self,
        round: &mut Round,
        event: &ReferenceEvent,
    ) -> Result<(), Refusal> {
        if let Some(event) = self.published.decide(event)? {
            let cause = Cause { actor: Actor::Hub, occurred_at: round.at, caused_by: None };
            self.propose_reference(cause, round, event);
        }
        Ok(())
    }
}

impl Round {
    fn push(&mut self, item: Append) -> Verdict {
        self.items.push(item);
        Verdict::Append(self.items.len() - 1)
    }
}
