//! The registrar's desk: take what waits, decide all of it, append it at once, then answer.
//!
//! Nobody is answered before the append has returned: even a refusal may rest on a story that a
//! neighbour in the same batch is only about to make.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use events::case::CaseEvent;
use events::envelope::{Event, Recorded};
use events::ids::{CaseId, ProvinceCode, StreamName};
use events::keeping::KeepingEvent;
use hub_core::redrive::Redrives;
use hub_core::refusal::Refusal;
use hub_core::routes::Routes;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::deciding::{Round, Verdict};
use super::published::Published;
use super::stamps::{EventIds, Moments};
use super::starting::{AfterCommit, Fatal};
use super::stories::Stories;
use super::traced::{self, Times};
use super::{Answer, Ask, BATCH_MAX, CurrentRules, Job, Knock, Unavailable, What, known};
use crate::hops::Moment;
use crate::log::{AppendError, Conflict, EventLog};
use crate::vault::Sealer;
use crate::wake::Wake;

/// Nobody has come for so long: the log may tidy up.
const QUIET: Duration = Duration::from_millis(100);

/// What an append made of each item; nothing: there was no room for any.
type Outcome = Option<Vec<Result<Vec<Recorded>, Conflict>>>;

/// Everything that the registrar's thread owns.
pub(super) struct Desk {
    pub(super) log: Box<dyn EventLog>,
    pub(super) sealer: Sealer,
    pub(super) stories: Stories,
    pub(super) published: Published,
    pub(super) routes: Arc<Routes>,
    /// The last version of the `keeping` stream.
    pub(super) keeping: u64,
    /// Everything that was ever let in again.
    pub(super) redrives: Redrives,
    /// Cases whose key nobody has any more.
    pub(super) destroyed: HashSet<CaseId>,
    pub(super) moments: Moments,
    pub(super) ids: EventIds,
    pub(super) rules: CurrentRules,
    pub(super) wake: Wake,
    pub(super) after_commit: AfterCommit,
    /// The last append found no room.
    pub(super) full: bool,
}

impl Desk {
    /// Works until all handles are gone, it is told to stop, or it must not go on.
    pub(super) fn work(
        mut self,
        mut door: mpsc::Receiver<Knock>,
        quiet: &Runtime,
        stopping: &AtomicBool,
    ) -> Result<(), Fatal> {
        let mut knocks = Vec::with_capacity(BATCH_MAX);
        let mut rested = false;
        loop {
            // Tidying up takes longer than an answer may: the moment between two callers is none for it.
            let waited = quiet.block_on(async {
                let knocked = door.recv_many(&mut knocks, BATCH_MAX);
                if rested { Ok(knocked.await) } else { timeout(QUIET, knocked).await }
            });
            let Ok(count) = waited else {
                self.rest()?;
                rested = true;
                continue;
            };
            if count == 0 {
                break;
            }
            rested = false;
            let jobs: Vec<Job> = knocks
                .drain(..)
                .filter_map(|it| match it {
                    Knock::Job(job) => Some(job),
                    Knock::Stop => None,
                })
                .collect();
            self.handle(jobs)?;
            if stopping.load(Ordering::Acquire) {
                break;
            }
        }
        Ok(())
    }

    /// While nobody waits the log may tidy up; that it finds no room to do so harms nobody.
    fn rest(&mut self) -> Result<(), Fatal> {
        match self.log.rest() {
            Ok(()) | Err(AppendError::Full(_)) => Ok(()),
            Err(error) => Err(Fatal::Append(error)),
        }
    }

    /// Answers every job, some in a second round.
    pub(super) fn handle(&mut self, jobs: Vec<Job>) -> Result<(), Fatal> {
        let again = self.round(jobs)?;
        for job in self.round(again)? {
            // There is one writer, so a conflict that outlives a fresh look at the log is a bug of
            // ours. The caller may ask again; the keys decide.
            tracing::error!("the log contradicts the registrar twice");
            job.answer(Err(Unavailable::Busy));
        }
        Ok(())
    }

    /// Decides and appends once; returns what has to be decided anew because the log knew better.
    fn round(&mut self, jobs: Vec<Job>) -> Result<Vec<Job>, Fatal> {
        if jobs.is_empty() {
            return Ok(jobs);
        }
        let mut round = self.begin();
        self.note_step(&mut round);
        let mut verdicts = Vec::with_capacity(jobs.len());
        let mut moments = Vec::with_capacity(jobs.len() + 1);
        moments.push(Moment::now());
        for job in &jobs {
            verdicts.push(self.decide(&job.ask, &mut round)?);
            moments.push(Moment::now());
        }
        let batch_events = round.items.iter().map(|it| it.events.len() as u64).sum();
        let Some(mut outcome) = self.commit(round)? else {
            jobs.into_iter().for_each(|it| it.answer(Err(Unavailable::Full)));
            return Ok(Vec::new());
        };
        let committed = (moments[jobs.len()], Moment::now());
        let conflict = outcome.iter().any(Result::is_err);
        let mut again = Vec::new();
        for (at, (job, verdict)) in jobs.into_iter().zip(verdicts).enumerate() {
            let answer = match verdict {
                Verdict::Append(item) => match &mut outcome[item] {
                    Ok(recorded) => {
                        let decided = (moments[at], moments[at + 1]);
                        let times = Times { decided, committed, batch_events };
                        traced::tell(&job.ask, recorded, &times);
                        Some(Answer::Recorded(std::mem::take(recorded)))
                    }
                    Err(_conflict) => None,
                },
                // It may rest on what was not recorded after all.
                _ if conflict => None,
                Verdict::Answer(answer) => Some(answer),
                Verdict::FirstTime { case, by_key } => {
                    Some(self.first_time(&job.ask, case, by_key)?)
                }
            };
            match answer {
                Some(answer) => job.answer(Ok(answer)),
                None => again.push(job),
            }
        }
        Ok(again)
    }

    /// A round at this moment.
    pub(super) fn begin(&mut self) -> Round {
        Round { at: self.moments.now(), items: Vec::new(), keys: HashMap::new() }
    }

    /// A step of the clock becomes part of the round; it is kept until it is recorded.
    pub(super) fn note_step(&mut self, round: &mut Round) {
        if let Some(step) = self.moments.step.clone() {
            tracing::warn!(before = %step.before, after = %step.after, "the clock stepped");
            self.propose_keeping(round, step.into());
        }
    }

    /// Makes a round durable: its events are written while the keys that sealed it become durable, and
    /// committed only after that. No event is ever on record whose key a power cut could take.
    pub(super) fn commit(&mut self, round: Round) -> Result<Outcome, Fatal> {
        if round.items.is_empty() {
            return Ok(Some(Vec::new()));
        }
        let streams: Vec<StreamName> = round.items.iter().map(|it| it.stream).collect();
        let begun = Instant::now();
        self.sealer.begin_durable();
        let (sealer, mut kept) = (&mut self.sealer, None);
        let mut ready = || kept.insert(sealer.make_durable()).is_ok();
        let appended = self.log.append_when(round.items, &mut ready);
        // An append that failed early did not ask; what was begun has an outcome all the same.
        let kept = kept.unwrap_or_else(|| self.sealer.make_durable());
        let appended = match (appended, kept) {
            (Err(AppendError::NotReady) | Ok(_), Err(error)) if error.is_full() => {
                Err(AppendError::Full(Box::new(error)))
            }
            (Err(AppendError::NotReady) | Ok(_), Err(error)) => return Err(Fatal::Vault(error)),
            (appended, _) => appended,
        };
        metrics::histogram!("hub_log_append_seconds").record(begun.elapsed().as_secs_f64());
        let outcome = match appended {
            Ok(outcome) => outcome,
            Err(AppendError::Full(cause)) => {
                metrics::gauge!("hub_log_full").set(1.0);
                if !std::mem::replace(&mut self.full, true) {
                    tracing::error!(cause = %cause, "there is no room to append: nothing is taken in");
                }
                self.forget(streams.into_iter())?;
                return Ok(None);
            }
            Err(error) => return Err(Fatal::Append(error)),
        };
        if std::mem::replace(&mut self.full, false) {
            tracing::info!("there is room to append again");
        }
        metrics::gauge!("hub_log_full").set(0.0);
        let failed = streams.iter().zip(&outcome).filter(|it| it.1.is_err()).map(|it| *it.0);
        self.forget(failed)?;
        self.settle(&outcome)?;
        Ok(Some(outcome))
    }

    /// Forgets stories that ran ahead of the log.
    fn forget(&mut self, streams: impl Iterator<Item = StreamName>) -> Result<(), Fatal> {
        for stream in streams {
            match stream {
                StreamName::Case(case) => self.stories.forget_case(case),
                StreamName::Province(province) => self.stories.forget_province(province),
                StreamName::Reference => {
                    let story = self.log.read_stream(&stream)?;
                    self.published = Published::of(&story, self.routes.clone());
                }
                StreamName::Keeping => {
                    let story = self.log.read_stream(&stream)?;
                    self.keeping = story.last().map_or(0, |it| it.version.0);
                    self.redrives = redrives_of(&story);
                }
            }
        }
        Ok(())
    }

    /// What follows from what is durable now.
    fn settle(&mut self, outcome: &[Result<Vec<Recorded>, Conflict>]) -> Result<(), Fatal> {
        self.count(outcome)?;
        for recorded in outcome.iter().flatten().flatten() {
            self.settle_one(recorded)?;
        }
        let current = self.rules.read().unwrap_or_else(PoisonError::into_inner).clone();
        if !Arc::ptr_eq(&current, self.published.rules()) {
            *self.rules.write().unwrap_or_else(PoisonError::into_inner) =
                self.published.rules().clone();
        }
        if let Some(last) = outcome.iter().flatten().flatten().last() {
            (self.after_commit)(last.position, last.hash, last.recorded_at);
            self.wake.ring();
        }
        Ok(())
    }

    /// By type and province; a case's is the one it is with now, and is known from deciding.
    fn count(&mut self, outcome: &[Result<Vec<Recorded>, Conflict>]) -> Result<(), Fatal> {
        let mut counts: Vec<(&'static str, Option<ProvinceCode>, u64)> = Vec::new();
        for recorded in outcome.iter().flatten().flatten() {
            let kind = recorded.envelope.event.kind();
            let province = match recorded.envelope.stream {
                StreamName::Province(code) => Some(code),
                StreamName::Case(case) => {
                    let told = self.stories.case(&*self.log, case)?;
                    told.state.as_ref().and_then(|it| it.province())
                }
                StreamName::Reference | StreamName::Keeping => None,
            };
            match counts.iter_mut().find(|it| (it.0, it.1) == (kind, province)) {
                Some(count) => count.2 += 1,
                None => counts.push((kind, province, 1)),
            }
        }
        for (kind, province, count) in &counts {
            let province = province.map_or_else(String::new, |it| it.to_string());
            let labels = [("type", (*kind).to_owned()), ("province", province)];
            metrics::counter!("hub_events_appended_total", &labels).increment(*count);
        }
        let count: u64 = counts.iter().map(|it| it.2).sum();
        metrics::histogram!("hub_batch_events").record(count as f64);
        Ok(())
    }

    fn settle_one(&mut self, recorded: &Recorded) -> Result<(), Fatal> {
        let Recorded { position, envelope, .. } = recorded;
        match (&envelope.event, envelope.stream) {
            (Event::Case(event), StreamName::Case(case)) => tracing::debug!(
                case.id = %case, event.r#type = event.kind(), event.position = position.0,
                "recorded {} of case {case}", CaseEvent::kind(event)
            ),
            (Event::Keeping(KeepingEvent::CaseKeyDestroyed(it)), _) => {
                // Recorded first: after a crash the start destroys it again.
                self.sealer.destroy(it.case).map_err(Fatal::Vault)?;
                self.destroyed.insert(it.case);
            }
            (Event::Keeping(KeepingEvent::ClockStepped(it)), _)
                if self.moments.step.as_ref() == Some(it) =>
            {
                self.moments.step = None;
            }
            (event, stream) => tracing::debug!(
                event.r#type = event.kind(),
                event.position = position.0,
                "recorded {} of {stream}",
                event.kind()
            ),
        }
        Ok(())
    }

    fn first_time(&self, ask: &Ask, case: CaseId, by_key: bool) -> Result<Answer, Fatal> {
        let What::Case { command, .. } = &ask.what else { return Ok(Answer::NothingNew(vec![])) };
        let story = self.log.read_stream(&StreamName::Case(case))?;
        let first = known::first_time(story, command);
        // The key is there, and what it was used for is not this.
        let reused = by_key && first.is_empty();
        Ok(if reused {
            Answer::Refused(Refusal::IdempotencyKeyReused)
        } else {
            Answer::NothingNew(first)
        })
    }
}

/// The re-drives of the log's own story.
pub(super) fn redrives_of(keeping: &[Recorded]) -> Redrives {
    let mut redrives = Redrives::default();
    for recorded in keeping {
        if let Event::Keeping(event) = &recorded.envelope.event {
            hub_core::redrive::evolve(&mut redrives, event);
        }
    }
    redrives
}
