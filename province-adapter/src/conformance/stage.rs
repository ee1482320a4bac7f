//! Plays a scenario: sentence by sentence, against one adapter, and notes what held and what did not.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use events::ids::{CaseId, ProvinceCode};
use events::work::WorkKind;
use tokio::time::{Instant, sleep, timeout};

use super::KitError;
use super::book::{Book, Posted, Trigger};
use super::broker::Broker;
use super::cast;
use super::folder::{Keys, Sandbox};
use super::hub::{Hub, Shared};
use super::script::{Script, Sought, Step, What};

/// After something is found wrong with a case, its other waits are cut short to this.
const EXPLAINED_WAIT: Duration = Duration::from_millis(700);
/// How often an adapter that ended by itself is noticed while waiting.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// How a sentence ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    Yes,
    No,
    NotReached,
}

/// A sentence and how it ended.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) line: usize,
    pub(crate) text: String,
    pub(crate) held: Held,
    /// The finding that a failed wait led to by itself.
    pub(crate) finding: Option<&'static str>,
}

/// Broker, hub and adapter of one sandbox.
pub(crate) struct Stage {
    pub(crate) broker: Broker,
    pub(crate) hub: Hub,
    pub(crate) keys: Keys,
    pub(crate) folder: PathBuf,
    pub(crate) province: ProvinceCode,
    /// How long a wait may take.
    pub(crate) patience: Duration,
    /// A key that nobody registered.
    pub(crate) stranger: ed25519_dalek::SigningKey,
    /// Names of the scenario's cases, oldest first: what `all` means.
    pub(crate) all: Vec<CaseId>,
    pub(crate) scenario: String,
}

impl Stage {
    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.hub.shared
    }

    /// What the adapter finds in its environment.
    pub(crate) fn sandbox<'a>(&'a self, url: &'a str) -> Sandbox<'a> {
        let (folder, keys, origin) = (&self.folder, &self.keys, &self.hub.origin);
        Sandbox { folder, province: self.province, origin, broker_url: url, keys }
    }

    /// Starts the adapter if it is ours and does not run.
    pub(crate) fn start_adapter(&self) -> Result<(), KitError> {
        let url = self.broker.url();
        self.shared().subject.start(&self.sandbox(&url).environment())
    }

    /// Plays all sentences; after the first that does not hold the others are not reached.
    pub(crate) async fn play(&mut self, script: &Script) -> Result<Vec<Outcome>, KitError> {
        self.begin(script);
        self.start_adapter()?;
        let mut outcomes = Vec::with_capacity(script.steps.len());
        let mut going = true;
        for step in &script.steps {
            let mut outcome = Outcome {
                line: step.line,
                text: step.text.clone(),
                held: Held::NotReached,
                finding: None,
            };
            if going {
                let (held, finding) = self.perform(step).await?;
                going = held;
                outcome.held = if held { Held::Yes } else { Held::No };
                outcome.finding = finding;
            }
            outcomes.push(outcome);
        }
        self.end().await?;
        Ok(outcomes)
    }

    fn begin(&mut self, script: &Script) {
        let mut book = self.shared().book();
        book.happened.clear();
        book.violations.clear();
        book.trigger = None;
        // Names are a scenario's own; reports of older cases still find their case by its id.
        for case in book.cases.values_mut() {
            if !case.name.starts_with('~') {
                case.name = format!("~{}", case.name);
            }
        }
        drop(book);
        self.all.clear();
        self.scenario.clone_from(&script.name);
    }

    /// Everything as the next scenario expects it: the adapter runs, nothing is held back.
    async fn end(&mut self) -> Result<(), KitError> {
        self.shared().book().trigger = None;
        self.hub.give_receipts().await?;
        self.start_adapter()?;
        let settled = self.hub.all_acknowledged(self.patience).await;
        let now = self.shared().clock.real_now();
        let mut book = self.shared().book();
        if !settled {
            let stuck: Vec<(u64, Option<Posted>)> =
                book.open.keys().map(|it| (*it, book.posted.get(it).cloned())).collect();
            for (sequence, posted) in stuck {
                let (finding, case) = match posted {
                    Some(Posted::Work { case, bad: true }) => ("chokes-on-bad-work", Some(case)),
                    Some(Posted::Work { case, bad: false }) => ("never-acknowledges", Some(case)),
                    Some(Posted::Receipts(_)) | None => ("never-acknowledges", None),
                };
                let heard = !book.acknowledged.is_empty() || !book.reports.is_empty();
                let connected = book.life > 0 && heard;
                if connected || finding == "chokes-on-bad-work" {
                    book.blame(now, finding, case, format!("message {sequence} of the stream"));
                }
                book.open.remove(&sequence);
            }
        }
        let gaps: Vec<(CaseId, u64, u64)> = book
            .cases
            .values()
            .filter_map(|it| Some((it.id, it.next_number, *it.early.keys().next()?)))
            .collect();
        for (case, expected, came) in gaps {
            let seen = format!("number {came} came, number {expected} never did");
            book.blame(now, "skips-numbers", Some(case), seen);
            if let Some(case) = book.cases.get_mut(&case) {
                case.early.clear();
            }
        }
        Ok(())
    }

    /// Whether it held; if not, the finding that this alone led to.
    pub(super) async fn perform(
        &mut self,
        step: &Step,
    ) -> Result<(bool, Option<&'static str>), KitError> {
        match &step.what {
            What::Cases { names, wants } => self.make_cases(names, wants)?,
            What::Send { who, how } => self.send(who, how).await?,
            What::Correct { who, wants } => {
                let now = self.shared().clock.real_now();
                for case in self.named(who)? {
                    let item = self.with_case(case, |it| it.item)?;
                    let answers =
                        wants.iter().map(|it| cast::answer(it, item, None, now)).collect();
                    let given = cast::given(WorkKind::Correction, answers)?;
                    self.with_case(case, |it| it.given.push(given))?;
                    self.hand_out(case, None).await?;
                }
            }
            What::Withdraw { who } => {
                for case in self.named(who)? {
                    let given = cast::given(WorkKind::Withdrawal, Vec::new())?;
                    self.with_case(case, |it| it.given.push(given))?;
                    self.hand_out(case, None).await?;
                }
            }
            What::HoldReceipts(true) => self.shared().book().receipts_held = true,
            What::HoldReceipts(false) => self.hub.give_receipts().await?,
            What::RefuseReports { who, code } => {
                for case in self.named(who)? {
                    self.with_case(case, |it| it.refuse_with = Some(code.clone()))?;
                }
            }
            What::Kill { when: None } => {
                self.shared().subject.kill();
            }
            What::Kill { when: Some((who, moment)) } => {
                let case = self.named(who)?.first().copied();
                let case = case.ok_or_else(|| self.nobody(who))?;
                let mut book = self.shared().book();
                // On a slow machine the moment may have passed already; then it is now.
                if has_passed(&book, case, moment) {
                    self.shared().subject.kill();
                } else {
                    book.trigger = Some(Trigger { case, moment: moment.clone() });
                }
            }
            What::AwaitKilled { finding } => return Ok(self.await_killed(finding).await),
            What::Start => {
                self.shared().book().life += 1;
                self.start_adapter()?;
            }
            What::RestartBroker => {
                self.broker.kill().await;
                self.broker.restart().await?;
                self.hub.make_streams().await?;
            }
            What::WipeBroker => {
                self.broker.wipe().await?;
                self.shared().book().forget_the_broker();
                self.broker.restart().await?;
                self.hub.make_streams().await?;
            }
            What::RotateKeys => self.rotate_keys()?,
            What::NewEpoch => self.shared().book().epoch += 1,
            What::Await { who, what, finding } => return self.await_it(who, what, finding).await,
            What::Silent { who, finding } => return self.silent(who, finding),
            What::Quiet { ms, finding } => return Ok(self.quiet(*ms, finding).await),
        }
        Ok((true, None))
    }

    async fn await_killed(&self, finding: &'static str) -> (bool, Option<&'static str>) {
        let killed = self.until(self.patience, |it| it.book().trigger.is_none()).await;
        if killed {
            return (true, None);
        }
        let now = self.shared().clock.real_now();
        let mut book = self.shared().book();
        let case = book.trigger.take().map(|it| it.case);
        if book.explains(case) {
            return (false, None);
        }
        book.blame(now, finding, case, "the moment to kill it at never came".to_owned());
        (false, Some(finding))
    }

    async fn await_it(
        &self,
        who: &str,
        what: &Sought,
        finding: &'static str,
    ) -> Result<(bool, Option<&'static str>), KitError> {
        let cases = self.named(who)?;
        let (mut give_up, mut fewest) = (Instant::now(), usize::MAX);
        let mut changes = self.shared().watch();
        let mut blamed_at: Option<Instant> = None;
        loop {
            changes.borrow_and_update();
            let (missing, blamed) = {
                let book = self.shared().book();
                let missing: Vec<CaseId> =
                    cases.iter().copied().filter(|it| !is_so(&book, *it, what)).collect();
                let blamed = missing.iter().any(|it| book.explains(Some(*it)));
                (missing, blamed)
            };
            if missing.is_empty() {
                return Ok((true, None));
            }
            // A slow office is no broken one: patience ends when nothing more comes.
            if missing.len() < fewest {
                (fewest, give_up) = (missing.len(), Instant::now() + self.patience);
            }
            if blamed {
                blamed_at.get_or_insert_with(Instant::now);
            }
            let cut_short = blamed_at.is_some_and(|it| it.elapsed() > EXPLAINED_WAIT);
            let crashed = self.look_after();
            if cut_short || crashed || Instant::now() > give_up {
                return Ok((false, self.not_so(&missing, what, finding, crashed)));
            }
            let _ = timeout(LOOK_PAUSE, changes.changed()).await;
        }
    }

    /// A wait that failed is a finding of its own only if nothing else explains it.
    fn not_so(
        &self,
        missing: &[CaseId],
        what: &Sought,
        finding: &'static str,
        crashed: bool,
    ) -> Option<&'static str> {
        let now = self.shared().clock.real_now();
        let mut book = self.shared().book();
        let unexplained: Vec<CaseId> =
            missing.iter().copied().filter(|it| !book.explains(Some(*it))).collect();
        let first = *unexplained.first()?;
        if crashed || book.cases.get(&first).is_some_and(|it| !it.early.is_empty()) {
            return None;
        }
        let finding = if book.open.len() == book.posted.len() && book.reports.is_empty() {
            "never-connects"
        } else {
            finding
        };
        let (seconds, count) = (self.patience.as_secs_f32(), unexplained.len());
        let seen =
            format!("{} within {seconds} s of the last; missing for {count} case(s)", told(what));
        book.blame(now, finding, Some(first), seen);
        Some(finding)
    }

    /// Notices an adapter that ended by itself.
    fn look_after(&self) -> bool {
        let Some(how) = self.shared().subject.ended() else { return false };
        let now = self.shared().clock.real_now();
        let said = self.shared().subject.said();
        let seen = format!("it ended with {how}; its last words: {said}");
        self.shared().book().blame(now, "crashes", None, seen);
        true
    }

    fn silent(
        &self,
        who: &str,
        finding: &'static str,
    ) -> Result<(bool, Option<&'static str>), KitError> {
        let now = self.shared().clock.real_now();
        for case in self.named(who)? {
            let mut book = self.shared().book();
            let bad =
                book.cases.get(&case).is_some_and(|it| it.given.iter().any(|g| g.bad.is_some()));
            let count = book.cases.get(&case).map_or(0, |it| it.said.len());
            let allowed =
                if bad { 0 } else { book.cases.get(&case).map_or(0, |it| it.given.len()) };
            if count > allowed {
                if !book.explains(Some(case)) {
                    book.blame(now, finding, Some(case), format!("{count} reports came"));
                    return Ok((false, Some(finding)));
                }
                return Ok((false, None));
            }
        }
        Ok((true, None))
    }

    /// Watches for a while that nothing is sent that has its receipt.
    async fn quiet(&self, ms: u64, finding: &'static str) -> (bool, Option<&'static str>) {
        let before = self.shared().book().violations.len();
        sleep(Duration::from_millis(ms)).await;
        let book = self.shared().book();
        let broke = book.violations.iter().skip(before).any(|it| it.finding == finding);
        (!broke, None)
    }

    /// Waits until `look` is so, with a limit; also notices an adapter that ended.
    async fn until(&self, limit: Duration, look: impl Fn(&Shared) -> bool) -> bool {
        let give_up = Instant::now() + limit;
        let mut changes = self.shared().watch();
        loop {
            changes.borrow_and_update();
            if look(self.shared()) {
                return true;
            }
            if Instant::now() > give_up {
                return false;
            }
            let _ = timeout(LOOK_PAUSE, changes.changed()).await;
        }
    }
}

fn has_passed(book: &Book, case: CaseId, moment: &str) -> bool {
    let said =
        book.cases.get(&case).is_some_and(|it| it.said.iter().any(|it| it.news.token() == moment));
    said || (moment == "acknowledged" && book.acknowledged.contains(&case))
}

fn is_so(book: &Book, case: CaseId, what: &Sought) -> bool {
    let Some(known) = book.cases.get(&case) else { return false };
    match what {
        Sought::Acknowledged => book.acknowledged.contains(&case),
        Sought::Done => known.is_done(),
        Sought::Kind(kind) if kind == "delivered" => {
            known.newest().is_some_and(|it| it.delivered.is_some())
        }
        Sought::Kind(kind) => known.said.iter().any(|it| it.news.token() == kind),
        Sought::SentTimes(kind, times) => known
            .said
            .iter()
            .filter(|it| it.news.token() == kind)
            .any(|it| book.reports.get(&it.id).is_some_and(|it| it.attempts >= *times)),
    }
}

fn told(what: &Sought) -> String {
    match what {
        Sought::Acknowledged => "no acknowledgement".to_owned(),
        Sought::Done => "not everything that was wanted came".to_owned(),
        Sought::Kind(kind) => format!("no `{kind}`"),
        Sought::SentTimes(kind, times) => format!("`{kind}` was not sent {times} times"),
    }
}
