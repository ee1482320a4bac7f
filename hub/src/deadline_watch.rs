//! The loop that notices passed due days and corrected calendars. It decides nothing; the rules do.
//!
//! It keeps nothing that matters: kill it at any line, and the next look finds the same rows.

use std::sync::Arc;
use std::time::Duration;

use events::envelope::{Actor, Position};
use events::ids::CaseId;
use events::vocabulary::Stage;
use hub_core::command::Command;
use hub_core::deadlines::Rules;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};

use crate::clock::Clock;
use crate::log::{ReadError, Readers};
use crate::registrar::{Answer, Ask, Registrar, Unavailable, What};
use crate::views::reader::{ViewError, ViewReader};
use crate::views::rows::DueRow;
use crate::wake::Ear;

/// Rows looked at, and commands asked, at once.
pub const BATCH_ROWS_MAX: usize = 500;
/// After a look that could not be finished: this long until the next one.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// Why a look could not be finished. The next one begins again.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The views cannot say which days have passed.
    #[error("cannot look for passed due days")]
    Views(#[source] ViewError),
    /// The log cannot say how far it is.
    #[error("cannot find the head of the log")]
    Log(#[source] ReadError),
    /// The registrar cannot answer now.
    #[error("cannot have a passed due day recorded")]
    Registrar(#[source] Unavailable),
    /// The thread that looked has died.
    #[error("cannot go on looking")]
    Died(#[source] tokio::task::JoinError),
}

/// What the watch looks with.
#[derive(Clone)]
pub struct DeadlineWatch {
    views: ViewReader,
    readers: Readers,
    registrar: Registrar,
    clock: Clock,
}

/// What was looked at last; only saves work.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Looked {
    /// The Shanghai date.
    on: Option<Date>,
    /// The calendar that every open due day was compared with.
    revision: Option<u32>,
}

impl DeadlineWatch {
    /// A watch that reads `views` and asks `registrar`; `readers` tell it when the views have seen enough.
    pub fn new(views: ViewReader, readers: Readers, registrar: Registrar, clock: Clock) -> Self {
        Self { views, readers, registrar, clock }
    }

    /// Looks for ever: right after each midnight in Shanghai, after a calendar was published (heard
    /// by `ear`), and after every `tick` of told time.
    pub async fn run(self, mut ear: Ear, tick: Duration) {
        let mut looked = Looked::default();
        loop {
            match self.look(&mut looked).await {
                Ok(true) => self.wait(&mut ear, tick, looked).await,
                Ok(false) => tokio::time::sleep(AGAIN_AFTER).await,
                Err(error) => {
                    tracing::warn!(
                        error = &error as &dyn std::error::Error,
                        "the watch looks again soon: {error}"
                    );
                    // The error must not live across the wait: tasks move between threads.
                    drop(error);
                    tokio::time::sleep(AGAIN_AFTER).await;
                }
            }
        }
    }

    /// One whole look that remembers nothing: for whoever turns the clock by hand. Whether
    /// everything was looked at.
    pub async fn look_once(&self) -> Result<bool, WatchError> {
        self.look(&mut Looked::default()).await
    }

    /// Every recorded event rings. Only a new day, a new calendar or the tick is worth a look.
    async fn wait(&self, ear: &mut Ear, tick: Duration, looked: Looked) {
        let now = self.clock.now();
        let next = now.saturating_add(tick.min(until_midnight(now))).unwrap_or(now);
        while self.clock.now() < next && !self.has_news(looked) {
            let left = Duration::try_from(self.clock.now().duration_until(next));
            ear.heard(self.clock.real(left.unwrap_or_default())).await;
        }
    }

    fn has_news(&self, looked: Looked) -> bool {
        let revision = self.registrar.rules().calendar.revision();
        looked.on != Some(self.clock.today()) || looked.revision != Some(revision)
    }

    /// One look: due days that a new calendar moves, passed due days, lapsed corrections.
    /// Whether everything was looked at.
    async fn look(&self, looked: &mut Looked) -> Result<bool, WatchError> {
        let rules = self.registrar.rules();
        let revision = rules.calendar.revision();
        if looked.revision != Some(revision) && self.views_have_seen_enough().await? {
            self.revise(&rules).await?;
            looked.revision = Some(revision);
        }
        let today = self.clock.today();
        self.observe(&rules, today).await?;
        let all_lapsed = self.lapse(today).await?;
        looked.on = Some(today);
        Ok(all_lapsed && looked.revision == Some(revision))
    }

    /// A case that was stamped with the old calendar was recorded before the new one; only when the
    /// views have seen all of that can nothing be missed.
    async fn views_have_seen_enough(&self) -> Result<bool, WatchError> {
        let head = self.readers.read_aside(|log| log.head()).await.map_err(WatchError::Log)?;
        let head = head.map_or(Position(0), |it| it.0);
        Ok(self.read(|views| views.position()).await? >= head)
    }

    async fn revise(&self, rules: &Arc<Rules>) -> Result<(), WatchError> {
        let mut after = None;
        loop {
            let page = self.read(move |views| views.open_dues(after, BATCH_ROWS_MAX)).await?;
            let Some(last) = page.last().map(|it| it.case) else { return Ok(()) };
            let moved = page.iter().filter(|it| is_moved(it, rules)).map(|it| it.case);
            self.ask(moved.collect(), Command::Revise).await?;
            after = Some(last);
        }
    }

    async fn observe(&self, rules: &Arc<Rules>, today: Date) -> Result<(), WatchError> {
        let mut after = None;
        loop {
            let page = self
                .read(move |views| views.unfinished_due_before(today, after, BATCH_ROWS_MAX))
                .await?;
            let Some(last) = page.last().map(|it| it.case) else { return Ok(()) };
            let passed = page.iter().filter(|it| has_passed(it, rules, today)).map(|it| it.case);
            self.ask(passed.collect(), Command::ObserveDate(today)).await?;
            after = Some(last);
        }
    }

    /// The first batch; a lapsed row leaves the view, so that the next look finds the next ones.
    /// Whether there were no more.
    async fn lapse(&self, today: Date) -> Result<bool, WatchError> {
        let page = self.read(move |views| views.lapsing_before(today, BATCH_ROWS_MAX)).await?;
        let cases: Vec<CaseId> = page.iter().map(|it| it.case).collect();
        let all = cases.len() < BATCH_ROWS_MAX;
        self.ask(cases, Command::ObserveDate(today)).await?;
        Ok(all)
    }

    async fn ask(&self, cases: Vec<CaseId>, command: Command) -> Result<(), WatchError> {
        let occurred_at = self.clock.now();
        let ask = |case| Ask {
            actor: Actor::Hub,
            occurred_at,
            caused_by: None,
            what: What::Case {
                case,
                command: command.clone(),
                personal: None,
                evidence: None,
                key: None,
            },
        };
        if cases.is_empty() {
            return Ok(());
        }
        for answer in self.registrar.ask_all(cases.into_iter().map(ask).collect()).await {
            match answer.map_err(WatchError::Registrar)? {
                // The case may have moved on since the views looked; then there is nothing to say.
                Answer::Recorded(_) | Answer::NothingNew(_) => {}
                Answer::Refused(refusal) => {
                    tracing::warn!(
                        refusal.code = refusal.code(),
                        "the watch was refused: {refusal}"
                    );
                }
            }
        }
        Ok(())
    }

    /// Reads on a thread where waiting for the disk harms nobody.
    async fn read<T: Send + 'static>(
        &self,
        what: impl FnOnce(&ViewReader) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, WatchError> {
        let views = self.views.clone();
        let answer = tokio::task::spawn_blocking(move || what(&views)).await;
        answer.map_err(WatchError::Died)?.map_err(WatchError::Views)
    }
}

/// Whether the rules would note anything about this clock on `today`.
pub(crate) fn has_passed(row: &DueRow, rules: &Rules, today: Date) -> bool {
    let due = row.due.day;
    if today <= due {
        return false;
    }
    let standards = &rules.standards;
    let passed = |from, days| today > rules.calendar.due(from, days).day;
    let may_be_deemed = row.stage == Stage::Acceptance && !row.deemed && !row.answered;
    !row.overdue
        || (!row.urged && passed(due, standards.urged_after_working_days))
        || (!row.serious && passed(due, standards.serious_after_working_days))
        // Nobody has answered, so the count began with the submission.
        || (may_be_deemed && passed(row.from, standards.deemed_after_working_days))
}

/// Whether the calendar as it is now counts to another day than the stamped one.
pub(crate) fn is_moved(row: &DueRow, rules: &Rules) -> bool {
    let standard = match row.stage {
        Stage::Acceptance => rules.standards.acceptance_working_days,
        Stage::Completion => rules.standards.completion_working_days,
    };
    rules.calendar.due(row.from, row.working_days.unwrap_or(standard)) != row.due
}

/// How much time is told until the next midnight in Shanghai, and a moment more.
fn until_midnight(now: Timestamp) -> Duration {
    let shanghai = TimeZone::fixed(Offset::constant(8));
    let tomorrow = now.to_zoned(shanghai).tomorrow().and_then(|it| it.start_of_day());
    let left = tomorrow.map(|it| now.duration_until(it.timestamp()));
    let left = left.ok().and_then(|it| Duration::try_from(it).ok());
    left.unwrap_or_default() + Duration::from_millis(1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::views::tests::world::World;
    use events::reference::{CalendarYear, Paper};
    use hub_core::case::decide;
    use jiff::civil::date;
    use proptest::prelude::*;

    fn paper() -> Paper {
        Paper { number: "国办发明电〔2025〕7号".to_owned(), url: None }
    }

    fn rules() -> Rules {
        let mut rules = Rules::default();
        let year = CalendarYear {
            year: 2026,
            holidays: vec![],
            makeup_workdays: vec![],
            papers: vec![paper()],
        };
        rules.calendar.publish(1, &year).unwrap();
        rules
    }

    /// Acceptance, counted from Monday 2026-03-02, due Wednesday 2026-03-04.
    fn row(noted: &str) -> DueRow {
        DueRow {
            case: "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap(),
            province: None,
            stage: Stage::Acceptance,
            from: date(2026, 3, 2),
            working_days: None,
            due: rules().calendar.due(date(2026, 3, 2), 2),
            overdue: noted.contains('o'),
            urged: noted.contains('u'),
            serious: noted.contains('s'),
            deemed: noted.contains('d'),
            answered: noted.contains('a'),
        }
    }

    #[test]
    fn the_watch_asks_only_when_something_would_be_noted() {
        let table = [
            // noted  today  asks
            ("", 4, false),
            ("", 5, true),   // overdue the moment the day has ended
            ("o", 5, false), // one working day after: Thursday itself is still in time
            ("o", 6, true),  // urged
            ("ou", 6, false),
            ("ou", 9, false),   // the fifth working day after submission
            ("ou", 10, true),   // deemed accepted
            ("oua", 10, false), // the office had answered
            ("oud", 10, false),
            ("oud", 11, false), // the fifth working day after the due day
            ("oud", 12, true),  // seriously overdue
            ("ouds", 31, false),
        ];
        for (noted, today, asks) in table {
            let told = has_passed(&row(noted), &rules(), date(2026, 3, today));
            assert_eq!(told, asks, "{noted} on {today}");
        }
    }

    #[test]
    fn only_a_day_that_the_calendar_counts_differently_is_revised() {
        let mut rules = rules();
        assert!(!is_moved(&row(""), &rules));
        let year = CalendarYear {
            year: 2026,
            holidays: vec![date(2026, 3, 3)],
            makeup_workdays: vec![],
            papers: vec![paper()],
        };
        rules.calendar.publish(2, &year).unwrap();
        assert!(is_moved(&row(""), &rules));
        let counted = DueRow { working_days: Some(1), ..row("") };
        assert!(!is_moved(&counted, &rules), "one day of which Tuesday is none: Wednesday");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]
        #[test]
        fn the_watch_asks_exactly_when_the_rules_would_note_something(
            steps in prop::collection::vec((0..3_u8, any::<u8>(), any::<u8>()), 1..40)
        ) {
            let mut world = World::new();
            for step in steps {
                world.give(step);
            }
            let reader = world.stage.then();
            for later in 0..12_i64 {
                let now = world.stage.now + jiff::SignedDuration::from_hours(24 * later);
                let today = hub_core::calendar::shanghai_date(now);
                let unfinished = reader.unfinished_due_before(today, None, 10).unwrap();
                let passed = unfinished.iter().filter(|it| has_passed(it, &world.rules, today));
                let lapsing = reader.lapsing_before(today, 10).unwrap();
                let asked: BTreeSet<CaseId> =
                    passed.map(|it| it.case).chain(lapsing.iter().map(|it| it.case)).collect();
                let command = Command::ObserveDate(today);
                let noted = world.cases.iter().filter(|it| {
                    decide(Some(it.1), &command, &world.rules, now) != Ok(vec![])
                });
                let noted: BTreeSet<CaseId> = noted.map(|it| *it.0).collect();
                prop_assert_eq!(asked, noted, "on {}", today);
            }
        }
    }

    #[test]
    fn the_next_look_follows_midnight_in_shanghai() {
        let now: Timestamp = "2026-03-02T15:59:00Z".parse().unwrap();
        assert_eq!(until_midnight(now), Duration::from_millis(60_001));
        let now: Timestamp = "2026-03-02T16:00:00Z".parse().unwrap();
        assert_eq!(until_midnight(now), Duration::from_millis(86_400_001));
    }
}
