//! What the router promises: sent again until signed for, never twice for nothing, never when it may not.

use std::sync::Mutex;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use events::ids::CaseId;
use events::proof::seal;
use events::proof::signature::{Purpose, verify};
use events::wire::{ToProvince, to_province_from_bytes};
use events::work::{PersonalPart, Work};
use hub_core::province::ProvinceCommand;

use super::*;
use crate::tests::{Stage, accepted, delivered, later, province};

/// What the pipe says to a message.
#[derive(Debug, Clone, Copy)]
enum Pipe {
    Takes,
    IsSilent,
    IsAway,
}

#[derive(Clone)]
struct FakeConnector {
    pipe: Arc<Mutex<Pipe>>,
    sent: Arc<Mutex<Vec<Outgoing>>>,
}

impl Connector for FakeConnector {
    async fn publish(&self, messages: Vec<Outgoing>) -> Vec<Result<(), PublishError>> {
        let pipe = *self.pipe.lock().unwrap();
        let answer = |_: &Outgoing| match pipe {
            Pipe::Takes => Ok(()),
            Pipe::IsSilent => Err(PublishError::Unknown),
            Pipe::IsAway => Err(PublishError::NotConnected),
        };
        let answers = messages.iter().map(answer).collect();
        self.sent.lock().unwrap().extend(messages);
        answers
    }
}

/// A view that shows what it was last told.
#[derive(Clone, Default)]
struct FakeOutbox(Arc<Mutex<Vec<Waiting>>>);

impl Outbox for FakeOutbox {
    fn waiting(&self, _count_max: usize) -> Result<Vec<Waiting>, ViewError> {
        Ok(self.0.lock().unwrap().clone())
    }
}

struct Scene {
    stage: Stage,
    cases: Vec<CaseId>,
    view: FakeOutbox,
    connector: FakeConnector,
    router: Router<FakeConnector>,
}

impl Scene {
    /// Provinces 22 and 23, and two cases for each.
    async fn new() -> Self {
        let stage = Stage::new();
        let mut cases = Vec::new();
        for (code, nth) in [(22, 1), (23, 3)] {
            stage.enroll(code).await;
            cases.push(stage.submit(nth, code).await);
            cases.push(stage.submit(nth + 1, code).await);
        }
        let composer = Composer {
            readers: stage.readers.clone(),
            opener: stage.opener.clone(),
            membership: stage.membership.clone(),
            signer: stage.signer.clone(),
            origin: stage.origin.clone(),
            clock: stage.clock.clone(),
        };
        let view = FakeOutbox::default();
        let connector = FakeConnector {
            pipe: Arc::new(Mutex::new(Pipe::Takes)),
            sent: Arc::new(Mutex::new(vec![])),
        };
        let router = Router::new(
            Arc::new(composer),
            view.clone(),
            stage.registrar.clone(),
            connector.clone(),
            RouterConfig::default(),
        );
        let mut scene = Self { stage, cases, view, connector, router };
        scene.catch_up();
        scene
    }

    /// The view shows what the log says.
    fn catch_up(&mut self) {
        *self.view.0.lock().unwrap() = self.stage.waiting(&self.cases);
    }

    fn pipe(&self, pipe: Pipe) {
        *self.connector.pipe.lock().unwrap() = pipe;
    }

    /// One round; the message ids that went out.
    async fn round(&mut self) -> Vec<String> {
        self.connector.sent.lock().unwrap().clear();
        self.router.round().await.unwrap();
        let sent = self.connector.sent.lock().unwrap();
        let mut ids: Vec<String> = sent.iter().map(|it| it.message_id.clone()).collect();
        ids.sort();
        ids
    }

    /// The message id of an attempt for the `nth` case.
    fn id(nth: u128, attempt: u32) -> String {
        format!("{}.case.{attempt}", uuid::Uuid::from_u128(1_000_000 + nth))
    }

    fn ids(attempt: u32) -> Vec<String> {
        (1..=4).map(|it| Self::id(it, attempt)).collect()
    }
}

fn work_in(message: &Outgoing) -> Work {
    match to_province_from_bytes(&message.payload).unwrap() {
        ToProvince::Work(work) => work,
        other => panic!("not work: {other:?}"),
    }
}

#[tokio::test]
async fn a_case_is_sealed_to_its_province_signed_by_the_hub_and_noted() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.round().await, Scene::ids(1));
    let sent = scene.connector.sent.lock().unwrap().clone();
    let message = sent.iter().find(|it| it.message_id == Scene::id(3, 1)).unwrap();
    assert_eq!(message.subject, "hub.v1.work.23.case");
    let key = scene.stage.signer.public_key();
    verify(&key, Purpose::ToProvince, &message.signature, &message.payload).unwrap();
    assert!(!String::from_utf8_lossy(&message.payload).contains("canary"));

    let work = work_in(message);
    assert_eq!((work.case, work.province), (scene.cases[2], province(23)));
    assert_eq!(work.epoch, scene.stage.origin.epoch);
    let (private, _) = seal::key_pair(&[23; 32]);
    let context = work.seal_context();
    let opened = seal::open_with(&private, context.as_bytes(), work.sealed.as_ref().unwrap());
    let personal: PersonalPart = serde_json::from_slice(&opened.unwrap()).unwrap();
    assert_eq!(personal.applicant["name"], "canary-3");
    let reply_key = scene.stage.opener.reply_key(work.case).unwrap();
    assert_eq!(personal.reply_key, BASE64.encode(reply_key));
    let (other, _) = seal::key_pair(&[22; 32]);
    assert!(seal::open_with(&other, context.as_bytes(), &work.sealed.unwrap()).is_err());

    let kinds = crate::registrar::kinds(&scene.stage.story(scene.cases[2]));
    assert_eq!(kinds.last(), Some(&"case.forwarded.v1"));
}

#[tokio::test]
async fn nothing_goes_out_twice_while_the_view_lags() {
    let mut scene = Scene::new().await;
    assert_eq!(scene.round().await, Scene::ids(1));
    assert_eq!(scene.round().await, Vec::<String>::new());
    scene.catch_up();
    assert_eq!(scene.round().await, Vec::<String>::new());
}

#[tokio::test]
async fn what_nobody_signed_for_goes_out_again_after_the_pace_with_a_new_message_id() {
    let mut scene = Scene::new().await;
    scene.round().await;
    for (seconds, attempt) in [(5, 2), (30, 3), (120, 4), (600, 5), (3_600, 6), (3_600, 7)] {
        scene.catch_up();
        later(&scene.stage.clock, seconds - 1);
        assert_eq!(scene.round().await, Vec::<String>::new(), "attempt {attempt} came too soon");
        later(&scene.stage.clock, 1);
        assert_eq!(scene.round().await, Scene::ids(attempt));
    }
}

#[tokio::test]
async fn what_the_broker_lost_goes_out_again_because_nobody_signed_for_it() {
    // The fake pipe forgets everything it took, as a wiped broker does; only the log counts.
    let mut scene = Scene::new().await;
    scene.round().await;
    scene.stage.registrar_records(scene.stage.report(scene.cases[0], 1, delivered())).await;
    scene.catch_up();
    later(&scene.stage.clock, 5);
    let left: Vec<String> = (2..=4).map(|it| Scene::id(it, 2)).collect();
    assert_eq!(scene.round().await, left);
}

#[tokio::test]
async fn without_a_connection_the_same_attempt_is_made_at_the_next_look() {
    let mut scene = Scene::new().await;
    scene.pipe(Pipe::IsAway);
    scene.round().await;
    scene.pipe(Pipe::Takes);
    assert_eq!(scene.round().await, Scene::ids(1));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_outcome_is_waited_for_and_then_tried_with_the_same_message_id() {
    let mut scene = Scene::new().await;
    scene.pipe(Pipe::IsSilent);
    assert_eq!(scene.round().await, Scene::ids(1));
    assert_eq!(scene.round().await, Vec::<String>::new());
    tokio::time::advance(Duration::from_secs(5)).await;
    assert_eq!(scene.round().await, Scene::ids(1));
}

#[tokio::test]
async fn nothing_is_sent_to_a_paused_province_and_everything_once_it_resumes() {
    let mut scene = Scene::new().await;
    let pause = ProvinceCommand::Pause { operator: "o".into(), reason: "r".into() };
    scene.stage.tell_province(22, pause).await;
    assert_eq!(scene.round().await, [Scene::id(3, 1), Scene::id(4, 1)]);
    scene.stage.tell_province(22, ProvinceCommand::Resume { operator: "o".into() }).await;
    assert_eq!(scene.round().await, [Scene::id(1, 1), Scene::id(2, 1)]);
}

#[tokio::test]
async fn the_log_decides_when_the_view_is_behind() {
    let mut scene = Scene::new().await;
    scene.stage.tell(scene.cases[0], Command::Park { operator: "o".into() }).await;
    for (number, news) in [(1, delivered()), (2, accepted())] {
        scene.stage.registrar_records(scene.stage.report(scene.cases[1], number, news)).await;
    }
    // The view still shows all four.
    assert_eq!(scene.round().await, [Scene::id(3, 1), Scene::id(4, 1)]);
}

#[tokio::test]
async fn without_a_key_to_seal_to_nothing_goes_out_and_the_row_stays() {
    let mut scene = Scene::new().await;
    let revoke = ProvinceCommand::RevokeKey { key_id: "22-seal-1".into(), reason: "r".into() };
    scene.stage.tell_province(22, revoke).await;
    assert_eq!(scene.round().await, [Scene::id(3, 1), Scene::id(4, 1)]);
    scene.catch_up();
    assert_eq!(scene.view.0.lock().unwrap().iter().filter(|it| it.attempts == 0).count(), 2);
}
