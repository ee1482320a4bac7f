//! Paced, stopped, begun again at any line: nothing is let in twice, and nothing that is still bad.

use std::sync::Arc;

use events::case::CaseEvent;
use events::envelope::{Actor, Event, Position};
use events::ids::{CaseId, RedriveId};
use events::keeping::KeepingEvent;
use events::keeping::redrive::{
    RedriveCancelled, RedriveOrdered, RedriveOutcome, RedrivePaused, RedriveResumed, RedriveStepped,
};
use events::proof::signature::public_key_text;
use events::province::{KeyPurpose, KeyRegistered};
use hub_core::command::Command;
use hub_core::province::ProvinceCommand;
use hub_core::redrive::{Phase, RedriveCommand};
use tokio::sync::mpsc;

use super::run::Redriver;
use super::*;
use crate::intake::reports::{Message, ReportDesk};
use crate::registrar::{Answer, Ask, What, case_event};
use crate::tests::{ORIGIN, Stage, accepted, delivered, later, province, sign_key};
use crate::views::membership::Membership;
use crate::views::redrives::RedriveRow;
use crate::views::runner::Views;

struct Scene {
    stage: Stage,
    views: Views,
    desk: Arc<ReportDesk>,
    waiting: Waiting,
    receipts: mpsc::Receiver<(ProvinceCode, events::work::Receipt)>,
    _folder: tempfile::TempDir,
}

const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

impl Scene {
    async fn new() -> Self {
        let stage = Stage::new();
        stage.enroll(22).await;
        let folder = tempfile::tempdir().unwrap();
        let known = Membership::default();
        let views =
            Views::open(&folder.path().join("views.db"), stage.readers.clone(), known, None);
        let views = views.unwrap();
        let (handing, receipts) = mpsc::channel(1_000);
        let desk = Arc::new(ReportDesk {
            origin: ORIGIN.into(),
            membership: stage.membership.clone(),
            registrar: stage.registrar.clone(),
            readers: stage.readers.clone(),
            quarantine: stage.quarantine.clone(),
            opener: stage.opener.clone(),
            clock: stage.clock.clone(),
            receipts: handing,
            comparisons: mpsc::channel(1).0,
        });
        let waiting = Waiting { views: views.reader(), quarantine: stage.quarantine.clone() };
        Self { stage, views, desk, waiting, receipts, _folder: folder }
    }

    /// As after a start of the hub.
    fn redriver(&self) -> Redriver<Arc<ReportDesk>> {
        self.redriver_with(self.desk.clone())
    }

    fn redriver_with<T: TakeAgain>(&self, desk: T) -> Redriver<T> {
        Redriver {
            waiting: self.waiting.clone(),
            registrar: self.stage.registrar.clone(),
            readers: self.stage.readers.clone(),
            clock: self.stage.clock.clone(),
            desk,
            seen: None,
        }
    }

    async fn ask(&self, command: RedriveCommand) {
        let actor = Actor::Operator("a".into());
        let occurred_at = self.stage.clock.now();
        let ask = Ask { actor, occurred_at, caused_by: None, what: What::Redrive(command) };
        let answer = self.stage.registrar.ask(ask).await.unwrap();
        assert!(matches!(answer, Answer::Recorded(_)), "{answer:?}");
    }

    async fn order(&mut self, of: RedriveOf, per_minute: u32) {
        self.views.catch_up().unwrap();
        let until = self.waiting.last(of).unwrap();
        let selection =
            RedriveSelection { of, province: None, why: None, since: None, until, only: vec![] };
        let (count, _) = self.waiting.count(&selection).unwrap();
        let order = RedriveOrdered {
            redrive: id(),
            operator: "a".into(),
            reason: "mended".into(),
            selection,
            count,
            per_minute,
            route_to: None,
            needs_second: false,
        };
        self.ask(RedriveCommand::Order { order, confirm_above: 100 }).await;
    }

    async fn look<T: TakeAgain>(&mut self, redriver: &mut Redriver<T>) -> Option<Timestamp> {
        self.views.catch_up().unwrap();
        let due = redriver.look().await.unwrap();
        self.views.catch_up().unwrap();
        due
    }

    /// Looks, a second apart, until nothing runs.
    async fn carry_out<T: TakeAgain>(&mut self, redriver: &mut Redriver<T>) {
        while self.look(redriver).await.is_some() {
            later(&self.stage.clock, 1);
        }
    }

    fn row(&self) -> RedriveRow {
        self.waiting.views.redrive(id()).unwrap().unwrap()
    }

    fn outcomes(&self) -> Vec<(String, u64)> {
        self.row().outcomes.into_iter().collect()
    }

    fn keeping(&self) -> Vec<KeepingEvent> {
        let all = self.stage.readers.read(|log| log.read_all(Position(0), 10_000)).unwrap();
        let keeping = all.into_iter().filter_map(|it| match it.envelope.event {
            Event::Keeping(it) => Some(it),
            _ => None,
        });
        keeping.collect()
    }

    fn stepped(&self) -> Vec<u64> {
        let item = |it| match it {
            KeepingEvent::RedriveStepped(it) => Some(it.item),
            _ => None,
        };
        self.keeping().into_iter().filter_map(item).collect()
    }

    fn kinds(&self, case: CaseId) -> Vec<&'static str> {
        self.stage.story(case).iter().map(|it| it.envelope.event.kind()).collect()
    }

    /// A report signed with a key that nobody has registered yet; it comes and is kept.
    async fn strays(&self, count: u128) -> Vec<CaseId> {
        let mut cases = Vec::new();
        for nth in 0..count {
            let case = self.stage.submit(100 + nth, 22).await;
            let report = self.stage.report(case, 1, delivered());
            let settled = self.desk.take(province(22), &[with_new_key(report)]).await;
            assert_eq!(settled[0].outcome, "unknown-key");
            cases.push(case);
        }
        cases
    }

    async fn register_new_key(&self) {
        let key = KeyRegistered {
            key_id: "22-sign-2".into(),
            purpose: KeyPurpose::Sign,
            algorithm: "ed25519".into(),
            public_key: public_key_text(&sign_key(77).verifying_key()),
        };
        self.stage.tell_province(22, ProvinceCommand::RegisterKey(key)).await;
    }
}

fn id() -> RedriveId {
    ID.parse().unwrap()
}

fn with_new_key(message: Message) -> Message {
    use events::proof::signature::{Purpose, sign};
    let signature = sign(&sign_key(77), "22-sign-2", Purpose::Report, &message.payload);
    let mut headers = async_nats::HeaderMap::new();
    headers.insert(events::subjects::SIGNATURE_HEADER, signature.as_str());
    headers.insert("traceparent", "00-1-2-01");
    Message { headers: Some(headers), ..message }
}

/// The intake does it and the hub dies before it could say so.
struct Dying(Arc<ReportDesk>);

impl TakeAgain for Dying {
    async fn take_again(&self, province: ProvinceCode, stray: &Stray) -> Again {
        self.0.take_again(province, stray).await;
        Again::NotNow
    }
}

#[tokio::test]
async fn a_report_whose_key_was_registered_late_is_let_in_and_its_case_goes_on() {
    let mut scene = Scene::new().await;
    let cases = scene.strays(2).await;
    scene.register_new_key().await;
    scene.order(RedriveOf::QuarantinedReports, 60).await;
    let mut redriver = scene.redriver();
    scene.carry_out(&mut redriver).await;
    assert_eq!((scene.row().phase, scene.row().done()), (Phase::Finished, 2));
    assert_eq!(scene.outcomes(), [("taken".to_owned(), 2)]);
    assert!(scene.stage.quarantine.groups().unwrap().is_empty(), "nothing is left there");
    for case in cases {
        assert_eq!(scene.kinds(case).last(), Some(&"case.delivered.v1"));
        let report = scene.stage.report(case, 2, accepted());
        let settled = scene.desk.take(province(22), &[report]).await;
        assert_eq!(settled[0].outcome, "recorded", "and the next report finds its number");
        assert!(scene.receipts.try_recv().is_ok(), "the province has its receipt");
    }
}

#[tokio::test]
async fn what_is_no_better_goes_back_with_its_count_and_nothing_is_believed() {
    let mut scene = Scene::new().await;
    let case = scene.strays(1).await[0];
    let before = scene.kinds(case);
    scene.order(RedriveOf::QuarantinedReports, 60).await;
    let mut redriver = scene.redriver();
    scene.carry_out(&mut redriver).await;
    assert_eq!(scene.outcomes(), [("back".to_owned(), 1)]);
    assert_eq!(scene.kinds(case), before);
    let kept = scene.stage.quarantine.kept(&KeptFilter::default(), false, 10).unwrap();
    assert_eq!((kept[0].tries, kept[0].reason.as_str()), (1, "unknown-key"));
    assert_eq!(scene.stage.quarantine.counts().unwrap()[0].2, 1, "it came once");
    // Another signature under the same name is no signature.
    let forged = public_key_text(&sign_key(78).verifying_key());
    let key = KeyRegistered {
        key_id: "22-sign-2".into(),
        purpose: KeyPurpose::Sign,
        algorithm: "ed25519".into(),
        public_key: forged,
    };
    scene.stage.tell_province(22, ProvinceCommand::RegisterKey(key)).await;
    let stray = scene.stage.quarantine.one(1).unwrap().unwrap();
    let again = scene.desk.take_again(province(22), &stray).await;
    assert_eq!(again, Again::Back("wrong-signature".into()));
}

#[tokio::test]
async fn it_goes_no_faster_than_was_said_and_stands_still_while_it_is_paused() {
    let mut scene = Scene::new().await;
    scene.strays(5).await;
    scene.register_new_key().await;
    scene.order(RedriveOf::QuarantinedReports, 6).await;
    let mut redriver = scene.redriver();
    let begun = scene.stage.clock.now();
    for (second, done) in [(0, 1), (9, 1), (10, 2), (19, 2), (20, 3)] {
        scene.stage.clock.advance_to(begun + jiff::SignedDuration::from_secs(second));
        scene.look(&mut redriver).await;
        assert_eq!(scene.row().done(), done, "second {second}");
    }
    let operator = || "b".to_owned();
    let paused = RedrivePaused { redrive: id(), operator: operator() };
    scene.ask(RedriveCommand::Pause(paused)).await;
    later(&scene.stage.clock, 600);
    assert_eq!(scene.look(&mut redriver).await, None);
    assert_eq!(scene.row().done(), 3);
    let resumed = RedriveResumed { redrive: id(), operator: operator() };
    scene.ask(RedriveCommand::Resume(resumed)).await;
    scene.look(&mut redriver).await;
    assert_eq!(scene.row().done(), 4, "one, and not all that were missed");
    let cancelled = RedriveCancelled { redrive: id(), operator: operator() };
    scene.ask(RedriveCommand::Cancel(cancelled)).await;
    later(&scene.stage.clock, 600);
    assert_eq!(scene.look(&mut redriver).await, None);
    assert_eq!(scene.stepped(), [1, 2, 3, 4]);
    assert_eq!(scene.stage.quarantine.count(&KeptFilter::default()).unwrap().0, 1);
}

#[tokio::test]
async fn a_hub_that_dies_at_any_step_lets_nothing_in_twice() {
    let mut scene = Scene::new().await;
    let cases = scene.strays(3).await;
    scene.register_new_key().await;
    scene.order(RedriveOf::QuarantinedReports, 60).await;
    // Taken in, and nobody wrote down that it was; more than once.
    for _ in 0..2 {
        let mut dying = scene.redriver_with(Dying(scene.desk.clone()));
        scene.look(&mut dying).await;
    }
    assert_eq!(scene.stepped(), [0; 0]);
    // Written down, and not yet put away.
    let mut redriver = scene.redriver();
    scene.look(&mut redriver).await;
    assert_eq!(scene.stepped(), [1]);
    let (redrive, outcome) = (id(), RedriveOutcome::Taken);
    let step = RedriveStepped { redrive, item: 2, case: None, outcome, code: None };
    scene.ask(RedriveCommand::Step(step)).await;
    let mut redriver = scene.redriver();
    loop {
        later(&scene.stage.clock, 1);
        if scene.look(&mut redriver).await.is_none() {
            break;
        }
        redriver = scene.redriver();
    }
    assert_eq!(scene.stepped(), [1, 2, 3]);
    assert!(scene.stage.quarantine.groups().unwrap().is_empty());
    for case in [cases[0], cases[2]] {
        let delivered = scene.kinds(case).iter().filter(|it| **it == "case.delivered.v1").count();
        assert_eq!(delivered, 1);
    }
}

#[tokio::test]
async fn views_that_are_behind_are_not_believed() {
    let mut scene = Scene::new().await;
    scene.strays(2).await;
    scene.register_new_key().await;
    scene.order(RedriveOf::QuarantinedReports, 600).await;
    scene.views.catch_up().unwrap();
    let mut redriver = scene.redriver();
    redriver.look().await.unwrap();
    later(&scene.stage.clock, 60);
    // The step is on record, and the views do not know: nothing more may happen.
    assert!(redriver.look().await.unwrap().is_some());
    assert_eq!(scene.stepped(), [1]);
    scene.views.catch_up().unwrap();
    redriver.look().await.unwrap();
    assert_eq!(scene.stepped(), [1, 2]);
}

fn released(scene: &Scene, case: CaseId) -> usize {
    let story = scene.stage.story(case);
    story.iter().filter(|it| matches!(case_event(it), Some(CaseEvent::CaseReleased(_)))).count()
}

#[tokio::test]
async fn parked_cases_go_on_once_and_what_was_signed_for_is_not_sent_again() {
    let mut scene = Scene::new().await;
    let mut cases = Vec::new();
    for nth in 1..=3 {
        let case = scene.stage.submit(nth, 22).await;
        if nth == 1 {
            let report = scene.stage.report(case, 1, delivered());
            scene.desk.take(province(22), &[report]).await;
        }
        scene.stage.tell(case, Command::Park { operator: "a".into() }).await;
        cases.push(case);
    }
    scene.order(RedriveOf::ParkedCases, 60).await;
    let later_one = scene.stage.submit(4, 22).await;
    scene.stage.tell(later_one, Command::Park { operator: "a".into() }).await;
    // Somebody lets one go on by hand meanwhile; and one is let go on while nobody writes it down.
    let by_hand = release(None);
    scene.stage.tell(cases[1], by_hand).await;
    let what = What::Case {
        case: cases[0],
        command: release(None),
        personal: None,
        evidence: None,
        key: None,
    };
    let (actor, occurred_at) = (Actor::Operator("a".into()), scene.stage.clock.now());
    let caused_by = Some(id().0);
    scene.stage.registrar.ask(Ask { actor, occurred_at, caused_by, what }).await.unwrap();
    let mut redriver = scene.redriver();
    scene.carry_out(&mut redriver).await;
    assert_eq!(scene.row().phase, Phase::Finished);
    assert_eq!(cases.iter().map(|it| released(&scene, *it)).collect::<Vec<_>>(), [1, 1, 1]);
    assert_eq!(released(&scene, later_one), 0, "it was parked after the order");
    let waiting = scene.stage.waiting(&cases);
    let sent: Vec<CaseId> = waiting.iter().map(|it| it.case).collect();
    assert_eq!(sent, [cases[1], cases[2]], "what was signed for is not sent again");
}

fn release(route_to: Option<ProvinceCode>) -> Command {
    let request = events::ids::RequestId(uuid::Uuid::from_u128(77));
    Command::Release { operator: "a".into(), note: "by hand".into(), route_to, request }
}

#[tokio::test]
async fn a_returned_case_without_a_province_to_go_to_stays_parked_and_the_refusal_is_on_record() {
    let mut scene = Scene::new().await;
    scene.stage.enroll(23).await;
    let case = scene.stage.submit(1, 22).await;
    let returned = events::report::News::Returned {
        reason: events::vocabulary::Reason::NotThisAuthority,
        division: None,
    };
    let batch = [scene.stage.report(case, 1, delivered()), scene.stage.report(case, 2, returned)];
    scene.desk.take(province(22), &batch).await;
    assert_eq!(scene.kinds(case).last(), Some(&"case.parked.v1"));
    scene.order(RedriveOf::ParkedCases, 60).await;
    let mut redriver = scene.redriver();
    scene.carry_out(&mut redriver).await;
    assert_eq!(scene.outcomes(), [("refused".to_owned(), 1)]);
    assert_eq!(scene.row().last.unwrap().code.as_deref(), Some("out-of-bounds"));
    let groups = scene.waiting.groups().unwrap();
    assert_eq!((groups[0].why.as_str(), groups[0].count), ("returned-without-successor", 1));
}
