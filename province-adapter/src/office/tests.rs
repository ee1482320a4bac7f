//! Whole stories of the simulated office, told by a clock that only the test moves.

use std::collections::BTreeMap;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use events::ids::CaseId;
use events::proof::signature;
use events::report::{News, ReportMessage};
use events::vocabulary::{Outcome, Reason};
use events::wire;
use events::work::{Work, WorkKind};
use jiff::{SignedDuration, Timestamp};
use rusqlite::Connection;

use super::simulated::SimulatedOffice;
use super::{OfficeSystem as _, TakenWork};
use crate::adapter::Adapter;
use crate::clock::{Clock, ManualClock};
use crate::config::{Config, Office};
use crate::receiving::keep_all;
use crate::store::StoreError;
use crate::tests::{Hub, ORIGIN, identity, moment};

const START: &str = "2026-03-02T09:00:00+08:00";
const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// Nothing but what a test asks for.
const QUIET: &str = "decline_percent = 0\nreturn_percent = 0\ncorrection_percent = 0\n\
    suspension_percent = 0\ndenial_percent = 0\nslow_percent = 0\nlate_report_percent = 0\n";

/// An adapter with an office and no broker.
struct Desk {
    folder: tempfile::TempDir,
    hub: Hub,
    clock: ManualClock,
    running: Option<(Adapter, SimulatedOffice)>,
}

impl Desk {
    fn new(settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (me, hub) = identity();
        std::fs::write(folder.path().join("sign.key"), BASE64.encode([7; 32])).unwrap();
        std::fs::write(folder.path().join("seal.key"), me.seal_key).unwrap();
        let public = signature::public_key_text(&hub.key.verifying_key());
        let config = format!(
            "province = \"22\"\norigin = \"{ORIGIN}\"\noffice = \"simulated\"\n\
             [broker]\nurls = [\"nats://127.0.0.1:1\"]\nnkey_seed_file = \"none\"\n\
             [keys]\nsign_key_file = \"sign.key\"\nsign_key_id = \"22-sign-1\"\n\
             seal_key_file = \"seal.key\"\nseal_key_id = \"22-seal-1\"\n\
             hub_public_key = \"{public}\"\nhub_key_id = \"hub-1\"\n\
             [store]\npath = \"adapter.db\"\n[simulated]\n{settings}\n"
        );
        std::fs::write(folder.path().join("adapter.toml"), config).unwrap();
        let clock = ManualClock::at(moment(START));
        let mut desk = Self { folder, hub, clock, running: None };
        desk.open();
        desk
    }

    fn open(&mut self) {
        let config = Config::load(&self.folder.path().join("adapter.toml")).unwrap();
        let adapter = Adapter::open_at(&config, Clock::Manual(self.clock.clone())).unwrap();
        let Office::Simulated(settings) = &config.office else { panic!("the simulated office") };
        let office = SimulatedOffice::new(settings.clone(), adapter.reporter()).unwrap();
        self.running = Some((adapter, office));
    }

    /// The process is gone and comes back.
    async fn crash(&mut self) {
        let stopped = self.office().reporter.shared.store.stopped();
        self.running = None;
        // The lock is free when the writing thread has ended; it ends with its last asker.
        stopped.await;
        self.open();
    }

    fn office(&self) -> &SimulatedOffice {
        &self.running.as_ref().unwrap().1
    }

    fn now(&self) -> Timestamp {
        Clock::Manual(self.clock.clone()).told_now()
    }

    async fn arrive(&self, work: &Work) {
        let arrivals = keep_all(&self.office().reporter.shared, vec![self.hub.letter(work)]).await;
        assert!(arrivals.iter().all(Option::is_some));
    }

    async fn take(&self, work: &Work) {
        self.arrive(work).await;
        let taken = TakenWork { work: work.clone(), applicant: None };
        self.office().take(taken.clone()).await.unwrap();
        self.office().take(taken).await.unwrap();
    }

    /// Goes from due moment to due moment until nothing is due; crashes after each step if asked.
    async fn live(&mut self, crashing: bool) {
        loop {
            while self.office().work_off().await.unwrap() > 0 {}
            let next = self.office().reporter.shared.store.write(super::plans::next_due).await;
            let Some(next) = next.unwrap() else { return };
            let wait = next.duration_since(self.now()).max(HOUR / 60);
            self.clock.advance(wait.unsigned_abs());
            if crashing {
                self.crash().await;
            }
        }
    }

    /// The reports of the office, by case, in the order of their numbers.
    async fn stories(&self) -> BTreeMap<CaseId, Vec<ReportMessage>> {
        let read = |it: &Connection| -> Result<Vec<Vec<u8>>, StoreError> {
            let mut select =
                it.prepare("SELECT body FROM report WHERE token <> 'delivered' ORDER BY number")?;
            let rows = select.query_map([], |row| row.get(0))?;
            Ok(rows.collect::<Result<_, _>>()?)
        };
        let mut stories: BTreeMap<CaseId, Vec<ReportMessage>> = BTreeMap::new();
        for body in self.office().reporter.shared.store.write(read).await.unwrap() {
            let message = wire::report_from_bytes(&body).unwrap();
            stories.entry(message.report.case).or_default().push(message);
        }
        stories
    }

    async fn story(&self) -> Vec<ReportMessage> {
        self.stories().await.into_values().next().unwrap_or_default()
    }

    fn case(&self, case: u128) -> Work {
        self.hub.work(case, case + 1000, WorkKind::Case)
    }
}

fn tokens(story: &[ReportMessage]) -> Vec<&'static str> {
    story.iter().map(|it| it.report.news.token()).collect()
}

type Told = BTreeMap<CaseId, Vec<(News, Timestamp)>>;

fn told(stories: BTreeMap<CaseId, Vec<ReportMessage>>) -> Told {
    let plain = |it: ReportMessage| (it.report.news, it.occurred_at);
    stories.into_iter().map(|(case, it)| (case, it.into_iter().map(plain).collect())).collect()
}

async fn lived(settings: &str, cases: &[u128], crashing: bool) -> Told {
    let mut desk = Desk::new(settings);
    for case in cases {
        desk.take(&desk.case(*case)).await;
    }
    desk.live(crashing).await;
    told(desk.stories().await)
}

#[tokio::test]
async fn the_same_seed_tells_the_same_stories_in_any_order_and_through_any_crash() {
    let forward: Vec<u128> = (1..=40).collect();
    let backward: Vec<u128> = (1..=40).rev().collect();
    let settings = "seed = 7\ndecline_percent = 20\nsuspension_percent = 20\n";
    let first = lived(settings, &forward, false).await;
    assert_eq!(lived(settings, &backward, false).await, first);
    assert_eq!(lived(settings, &forward, true).await, first);
    assert_ne!(lived("seed = 8", &forward, false).await, first);
    let kinds: std::collections::BTreeSet<&str> =
        first.values().flatten().map(|(news, _)| news.token()).collect();
    for kind in ["accepted", "declined", "suspended", "resumed", "completed", "certificate-issued"]
    {
        assert!(kinds.contains(kind), "{kind} never happened: {kinds:?}");
    }
}

#[tokio::test]
async fn everything_happens_in_office_hours() {
    let stories = lived("seed = 3", &(1..=60).collect::<Vec<_>>(), false).await;
    let hours = ["09:00-12:00".to_owned(), "14:00-18:00".to_owned()];
    let hours = super::hours::OfficeHours::new(&hours, &[], &[]).unwrap();
    assert!(stories.values().flatten().all(|(_, at)| hours.is_open(*at)));
    assert_eq!(stories.len(), 60);
}

#[tokio::test]
async fn a_correction_is_waited_for_and_then_the_case_goes_on() {
    let mut desk = Desk::new(&QUIET.replace("correction_percent = 0", "correction_percent = 100"));
    desk.take(&desk.case(1)).await;
    desk.live(false).await;
    assert_eq!(tokens(&desk.story().await), ["correction-requested"]);
    desk.take(&desk.hub.work(1, 2000, WorkKind::Correction)).await;
    desk.live(false).await;
    let story = desk.story().await;
    assert_eq!(
        tokens(&story),
        ["correction-requested", "accepted", "completed", "certificate-issued"]
    );
    assert!(story[0].report.sealed_text.is_some());
    assert_eq!(story[1].report.request.0.as_u128(), 2000, "it answers the correction");
}

#[tokio::test]
async fn a_withdrawn_case_rests() {
    let mut desk = Desk::new(QUIET);
    desk.take(&desk.case(1)).await;
    desk.take(&desk.hub.work(1, 2000, WorkKind::Withdrawal)).await;
    desk.live(false).await;
    assert!(desk.story().await.is_empty());
}

#[tokio::test]
async fn in_an_outage_it_neither_takes_nor_reports_and_then_catches_up() {
    let outage = "outages = [{ from = \"2026-03-02T10:00:00+08:00\", until = \"2026-03-05T10:00:00+08:00\" }]";
    let mut desk = Desk::new(&format!("{QUIET}{outage}"));
    desk.take(&desk.case(1)).await;
    desk.clock.advance((HOUR * 50).unsigned_abs());
    assert_eq!(desk.office().work_off().await.unwrap(), 0);
    let late = desk.case(2);
    desk.arrive(&late).await;
    let taken = TakenWork { work: late.clone(), applicant: None };
    desk.office().take(taken).await.unwrap_err();
    assert!(desk.stories().await.is_empty());
    desk.clock.advance((HOUR * 30).unsigned_abs());
    desk.take(&late).await;
    desk.live(false).await;
    let finished =
        |it: &Vec<ReportMessage>| tokens(it) == ["accepted", "completed", "certificate-issued"];
    assert!(desk.stories().await.values().all(finished));
    assert_eq!(desk.stories().await.len(), 2);
}

#[tokio::test]
async fn a_late_report_tells_a_decision_that_was_made_in_time() {
    let desk = Desk::new(&QUIET.replace("late_report_percent = 0", "late_report_percent = 100"));
    desk.take(&desk.case(1)).await;
    while tokens(&desk.story().await) != ["accepted", "completed"] {
        desk.clock.advance(HOUR.unsigned_abs());
        desk.office().work_off().await.unwrap();
    }
    let story = desk.story().await;
    let late = desk.now().duration_since(story[1].occurred_at);
    assert!(late > HOUR * 48, "told {late} after the decision");
}

#[tokio::test]
async fn what_was_returned_names_another_province_and_is_kept_when_it_comes_back() {
    let mut desk = Desk::new(&QUIET.replace("return_percent = 0", "return_percent = 100"));
    desk.take(&desk.case(1)).await;
    desk.live(false).await;
    let story = desk.story().await;
    let News::Returned { reason: Reason::NotThisAuthority, division: Some(division) } =
        story[0].report.news
    else {
        panic!("it was not returned");
    };
    assert_ne!(division.province_part(), 22);
    desk.take(&desk.hub.work(1, 2000, WorkKind::Case)).await;
    desk.live(false).await;
    assert_eq!(
        tokens(&desk.story().await),
        ["returned", "accepted", "completed", "certificate-issued"]
    );
}

#[tokio::test]
async fn a_misbehaving_office_sends_a_second_different_decision() {
    let mut desk = Desk::new(&format!("{QUIET}duplicate_decision_of = 1"));
    desk.take(&desk.case(1)).await;
    desk.live(false).await;
    let story = desk.story().await;
    assert_eq!(tokens(&story), ["accepted", "completed", "completed", "certificate-issued"]);
    let outcomes: Vec<Outcome> = story
        .iter()
        .filter_map(|it| match &it.report.news {
            News::Completed { outcome, .. } => Some(*outcome),
            _ => None,
        })
        .collect();
    assert_eq!(outcomes, [Outcome::Approved, Outcome::Denied]);
    assert_ne!(story[1].id, story[2].id);
}

#[tokio::test]
async fn an_instant_office_decides_in_the_moment_of_taking_and_only_once() {
    let desk = Desk::new(&format!("{QUIET}mode = \"instant\""));
    desk.take(&desk.case(1)).await;
    assert_eq!(tokens(&desk.story().await), ["accepted", "completed"]);
}

#[tokio::test]
async fn opened_personal_parts_never_reach_the_store() {
    let mut desk = Desk::new(QUIET);
    desk.take(&desk.case(1)).await;
    desk.live(false).await;
    let name = "金丝雀甲".as_bytes();
    for file in std::fs::read_dir(desk.folder.path()).unwrap().map(|it| it.unwrap().path()) {
        assert!(!contains(&file, name), "{}", file.display());
    }
}

fn contains(file: &Path, needle: &[u8]) -> bool {
    std::fs::read(file).unwrap().windows(needle.len()).any(|it| it == needle)
}
