//! From a step to signed bytes: open for the hub, seal for the province, sign. Costly, so many at once.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use events::ids::{CaseId, StreamName};
use events::proof::seal::{SealedTo, seal_to};
use events::proof::signature::Purpose;
use events::trace::{SpanId, TraceParent};
use events::work::{PersonalPart, Work, WorkKind};
use events::{subjects, wire};
use hub_core::plan::Step;
use serde_json::Value;

use crate::clock::Clock;
use crate::log::{ReadError, Readers};
use crate::router::connector::{Outgoing, Trace};
use crate::router::handover::{Handover, Origin, SealedPart, cause, handover};
use crate::signer::Signer;
use crate::vault::{Opener, VaultError};
use crate::views::membership::Membership;

/// Fewest steps that are worth a thread of their own.
const STEPS_A_THREAD_MIN: usize = 8;

/// Why a step is not sent now. The row stays in the outbox, or the view was merely late.
#[derive(Debug, thiserror::Error)]
pub enum CannotSend {
    /// The log no longer wants it; the view will follow.
    #[error("the log no longer wants it sent")]
    NotWanted,
    /// Nothing can be sealed to the province yet.
    #[error("the province has no key to seal to")]
    NoSealKey,
    /// The province's registered key is none.
    #[error("the province's key cannot be sealed to")]
    BadSealKey,
    /// The personal part cannot be opened: its key was destroyed, or it is damaged.
    #[error("cannot open the personal part")]
    Personal(#[source] VaultError),
    /// The personal part is not JSON: nobody should have recorded it.
    #[error("the personal part is not JSON")]
    PersonalUnreadable,
    /// No message can hold it.
    #[error("the message would have {size_bytes} bytes")]
    TooLarge {
        /// How many it would have.
        size_bytes: usize,
    },
    /// The machine gives no randomness.
    #[error("cannot draw randomness")]
    NoRandomness,
    /// The log could not be read.
    #[error("cannot read the story")]
    Story(#[source] ReadError),
    /// A thread of ours died.
    #[error("composing was interrupted")]
    Interrupted,
}

impl CannotSend {
    /// The outcome in the metrics.
    pub fn outcome(&self) -> &'static str {
        match self {
            Self::NotWanted => "not-wanted",
            Self::NoSealKey => "no-seal-key",
            Self::BadSealKey => "bad-seal-key",
            Self::Personal(VaultError::NoKey { .. }) => "personal-key-destroyed",
            Self::Personal(_) => "personal-not-opened",
            Self::PersonalUnreadable => "personal-unreadable",
            Self::TooLarge { .. } => "too-large",
            Self::NoRandomness => "no-randomness",
            Self::Story(_) => "story-unreadable",
            Self::Interrupted => "interrupted",
        }
    }
}

/// What composing needs.
pub struct Composer {
    /// The log to read stories from.
    pub readers: Readers,
    /// Opens what the vault sealed.
    pub opener: Opener,
    /// Whom to seal to.
    pub membership: Membership,
    /// The hub's hand.
    pub signer: Arc<Signer>,
    /// Whose words these are.
    pub origin: Origin,
    /// What time it is.
    pub clock: Clock,
}

impl Composer {
    /// Composes all, on as many threads as there are processors, and answers in order.
    pub async fn compose_all(
        self: &Arc<Self>,
        steps: &[Step],
    ) -> Vec<Result<Outgoing, CannotSend>> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        let share = steps.len().div_ceil(threads).max(STEPS_A_THREAD_MIN);
        let started: Vec<_> = steps
            .chunks(share)
            .map(|chunk| {
                let (composer, chunk, count) = (self.clone(), chunk.to_vec(), chunk.len());
                let work = move || chunk.iter().map(|it| composer.compose(it)).collect();
                (count, tokio::task::spawn_blocking(work))
            })
            .collect();
        let mut composed: Vec<Result<Outgoing, CannotSend>> = Vec::with_capacity(steps.len());
        for (count, thread) in started {
            match thread.await {
                Ok(chunk) => composed.extend::<Vec<_>>(chunk),
                Err(_died) => composed.extend((0..count).map(|_| Err(CannotSend::Interrupted))),
            }
        }
        composed
    }

    /// Composes one message. The same step again gives another message with the same message id.
    pub fn compose(&self, step: &Step) -> Result<Outgoing, CannotSend> {
        let waiting = &step.waiting;
        let stream = StreamName::Case(waiting.case);
        let story = self.readers.read(|log| log.read_stream(&stream)).map_err(CannotSend::Story)?;
        let Handover { mut work, sealed } =
            handover(&story, waiting, &self.origin).ok_or(CannotSend::NotWanted)?;
        if waiting.work != WorkKind::Withdrawal {
            work.sealed = Some(self.seal(&work, &sealed)?);
        }
        let id = uuid::Builder::from_random_bytes(random()?).into_uuid();
        let payload = wire::work_to_bytes(id, self.clock.now(), &work);
        if payload.len() > subjects::PAYLOAD_BYTES_MAX {
            return Err(CannotSend::TooLarge { size_bytes: payload.len() });
        }
        let token = waiting.work.token();
        Ok(Outgoing {
            subject: subjects::work(waiting.province, token),
            message_id: format!("{}.{token}.{}", waiting.request, step.attempt),
            signature: self.signer.sign(Purpose::ToProvince, &payload),
            trace: Some(Trace {
                own: TraceParent::of(waiting.case, forward(step)),
                cause: cause(&story, waiting.request)
                    .map_or(SpanId::intake(waiting.case), SpanId::append),
            }),
            payload: payload.into(),
        })
    }

    fn seal(&self, work: &Work, sealed: &[SealedPart<'_>]) -> Result<SealedTo, CannotSend> {
        let (key_id, public) =
            self.membership.seal_key(work.province).ok_or(CannotSend::NoSealKey)?;
        let reply_key = self.opener.reply_key(work.case).map_err(CannotSend::Personal)?;
        let personal = PersonalPart {
            reply_key: BASE64.encode(reply_key),
            applicant: self.applicant(work.case, sealed)?,
        };
        let plain = serde_json::to_vec(&personal).expect("a text and a JSON value serialize");
        seal_to(&public, &key_id, &random()?, work.seal_context().as_bytes(), &plain)
            .map_err(|_| CannotSend::BadSealKey)
    }

    /// What the applicant sent. A case that comes to another province after a correction carries
    /// the correction as a member of its own, so that nothing must be asked for twice.
    fn applicant(&self, case: CaseId, sealed: &[SealedPart<'_>]) -> Result<Value, CannotSend> {
        let mut parts = sealed.iter().map(|it| {
            let plain = self.opener.open(case, it.event, it.bytes).map_err(CannotSend::Personal)?;
            serde_json::from_slice(&plain).map_err(|_| CannotSend::PersonalUnreadable)
        });
        let mut whole: Value = parts.next().ok_or(CannotSend::PersonalUnreadable)??;
        let corrections: Vec<Value> = parts.collect::<Result<_, _>>()?;
        if let (Some(members), false) = (whole.as_object_mut(), corrections.is_empty()) {
            members.insert("corrections".to_owned(), Value::Array(corrections));
        }
        Ok(whole)
    }
}

/// The span of this attempt: the same attempt again is the same span.
pub fn forward(step: &Step) -> SpanId {
    SpanId::forward(step.waiting.request, u64::from(step.attempt))
}

/// Fresh randomness of the machine.
pub fn random<const N: usize>() -> Result<[u8; N], CannotSend> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| CannotSend::NoRandomness)?;
    Ok(bytes)
}
