//! Who is told of alerts: real counterparts that are there, away, slow, or refuse; restarts; and no message twice under two names.

use std::time::Duration;

use events::envelope::Position;
use events::keeping::KeepingEvent;
use events::vocabulary::AlertKind;
use hub::clock::Clock;
use hub::notices::Notices;
use hub::notices::carrier::Round;
use hub::notices::compose::{Letter, Sender};
use hub::notices::config::{MailConfig, NoticesConfig, Security, WebhookConfig};
use hub::notices::open::CarrierNeeds;
use hub::notices::webhook::WebhookSecret;
use hub::views::messages::Carried;
use hub::views::rows::AlertGroup;
use serde_json::Value;
use tests::counterparts::{Call, Called};
use tests::http::HttpHub;

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// How long anything may take before a test fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A hub with its clock in our hand, and whom it tells.
pub(crate) struct Duty {
    pub(crate) hub: HttpHub,
    pub(crate) config: NoticesConfig,
    folder: tempfile::TempDir,
}

impl Duty {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("secret"), SECRET).unwrap();
        let config = NoticesConfig {
            retry_ms: vec![100],
            attempts_max: 4,
            answer_wait_ms: 10_000,
            ..NoticesConfig::default()
        };
        Self { hub: HttpHub::start().await, config, folder }
    }

    fn webhook(&mut self, name: &str, url: &str) {
        let secret_file = self.folder.path().join("secret");
        let (name, url) = (name.to_owned(), url.to_owned());
        self.config.webhooks.push(WebhookConfig { name, url, secret_file });
    }

    pub(crate) fn mail(&mut self, port: u16) -> &mut MailConfig {
        self.config.mails.push(MailConfig {
            name: "duty".into(),
            host: "localhost".into(),
            port,
            security: Security::None,
            ca_file: None,
            user: None,
            password_file: None,
            from: "跨省通办路由枢纽 <hub@mail.test>".into(),
            to: vec!["值班 <duty@mail.test>".into(), "chief@mail.test".into()],
        });
        self.config.mails.last_mut().unwrap()
    }

    pub(crate) fn sender(&self) -> Sender {
        Sender { origin: "hub.test/http".into(), console: "https://hub.test".into() }
    }

    /// As after a start: nothing is remembered but what is recorded.
    pub(crate) fn rounds(&self) -> Vec<Round> {
        let needs = CarrierNeeds {
            views: self.hub.views.clone(),
            registrar: self.hub.registrar.clone(),
            clock: self.hub.clock.clone(),
        };
        let carriers = self.config.carriers(&self.sender(), &needs).unwrap();
        carriers.into_iter().map(|it| it.at_work()).collect()
    }

    pub(crate) fn planner(&self) -> Notices {
        Notices {
            pace: self.config.pace(),
            carriers: self.config.ways().unwrap().into_iter().map(|it| it.0).collect(),
            views: self.hub.views.clone(),
            readers: self.hub.readers.clone(),
            registrar: self.hub.registrar.clone(),
            alarms: self.hub.alarms.clone(),
            clock: self.hub.clock.clone(),
        }
    }

    /// So many stand in Jilin.
    pub(crate) fn stand(&self, count: u64) {
        let since = "2026-02-13T01:00:00Z".parse().unwrap();
        let group = AlertGroup::untouched(
            AlertKind::AdapterSilent,
            Some("22".parse().unwrap()),
            count,
            Some(since),
        );
        self.hub.alarms.set(if count > 0 { vec![group] } else { vec![] });
    }

    pub(crate) fn later(&self, seconds: i64) {
        let to = self.hub.clock.now() + jiff::SignedDuration::from_secs(seconds);
        self.hub.clock.advance_to(to);
    }

    /// Every carrier looks until the last message has its outcomes.
    pub(crate) async fn bring(&self, rounds: &mut [Round]) {
        let brought = tokio::time::timeout(PATIENCE, async {
            loop {
                for it in rounds.iter_mut() {
                    it.once().await.unwrap();
                }
                let seen = self.seen().await;
                if seen && self.hub.views.open_messages(10).unwrap().is_empty() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(30)).await;
            }
        });
        brought.await.expect("every message has its outcome");
    }

    async fn seen(&self) -> bool {
        let head = self.hub.readers.read(|log| log.head()).unwrap().unwrap().0;
        self.hub.views.position().unwrap() >= head
    }

    fn recorded(&self) -> Vec<KeepingEvent> {
        let all = self.hub.readers.read(|log| log.read_all(Position(0), 100_000)).unwrap();
        let keeping = all.into_iter().filter_map(|it| match it.envelope.event {
            events::envelope::Event::Keeping(it) => Some(it),
            _ => None,
        });
        keeping.collect()
    }

    pub(crate) fn count(&self, kind: &str) -> usize {
        self.recorded().iter().filter(|it| it.kind() == kind).count()
    }
}

pub(crate) const PLANNED: &str = "keeping.alert-message-planned.v1";
pub(crate) const DELIVERED: &str = "keeping.alert-message-delivered.v1";
const GIVEN_UP: &str = "keeping.alert-message-given-up.v1";

pub(crate) fn is_signed(call: &Call) -> bool {
    let at: i64 = call.header("webhook-timestamp").parse().unwrap();
    let now = Clock::real_now().as_second();
    let signature =
        WebhookSecret::read(SECRET).unwrap().sign(call.header("webhook-id"), at, &call.body);
    (now - at).abs() < 300 && call.header("webhook-signature") == signature
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_was_away_gets_the_same_message_under_the_same_id_once_it_is_back() {
    let (mut duty, called) = (Duty::new().await, Called::start().await);
    duty.webhook("duty", &called.url);
    duty.stand(1);
    called.answer(503);
    let message = duty.planner().once().await.unwrap().expect("one is due");
    let mut rounds = duty.rounds();
    while called.calls().len() < 2 {
        rounds[0].once().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(duty.count(DELIVERED), 0);
    called.answer(204);
    duty.bring(&mut rounds).await;
    let calls = called.calls();
    assert!(calls.iter().all(is_signed));
    for call in &calls {
        assert_eq!(call.header("webhook-id"), format!("msg_{}", message.simple()));
        assert_eq!(call.body, calls[0].body);
    }
    let body: Value = serde_json::from_slice(&calls[0].body).unwrap();
    let schema = include_str!("../../schemas/v1/alert-message.schema.json");
    let schema: Value = serde_json::from_str(schema).unwrap();
    let fits = jsonschema::draft202012::new(&schema).unwrap().validate(&body);
    assert!(fits.is_ok(), "{body}");
    let alert = &body["data"]["alerts"][0];
    assert_eq!(alert["link"], "https://hub.test/alerts?kind=adapter-silent&province=22");
    let event = duty.recorded().into_iter().rev().find(|it| it.kind() == DELIVERED).unwrap();
    let KeepingEvent::AlertMessageDelivered(it) = event else { panic!("{event:?}") };
    assert_eq!((it.message, it.carrier.as_str()), (message, "webhook-duty"));
    assert_eq!(it.attempts as usize, calls.len());
    // Nothing new: nobody is told, and what has its outcome is not brought again.
    assert_eq!(duty.planner().once().await.unwrap(), None);
    duty.rounds()[0].once().await.unwrap();
    assert_eq!(called.calls().len(), calls.len());
}

/// Each carrier at its own pace, as they run in the hub.
fn at_work(duty: &Duty) -> tokio::task::JoinSet<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for round in duty.rounds() {
        let wake = hub::wake::Wake::default();
        let ear = wake.listen();
        tasks.spawn(async move {
            let _wake = wake;
            round.run(ear).await;
        });
    }
    tasks
}

async fn until(what: &str, mut there: impl FnMut() -> bool) {
    let waiting = async {
        while !there() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect(what);
}

/// An address where nobody listens.
fn nobody() -> String {
    let closed = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    format!("http://{}/", closed.local_addr().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_is_slow_or_down_delays_no_other() {
    let (mut duty, well) = (Duty::new().await, Called::start().await);
    let (slow, refusing) = (Called::start().await, Called::start().await);
    slow.answer(0);
    refusing.answer(500);
    let nobody = nobody();
    for (name, url) in
        [("away", &nobody), ("slow", &slow.url), ("refusing", &refusing.url), ("well", &well.url)]
    {
        duty.webhook(name, url);
    }
    // Longer than the well one may take: whoever waits for the others is too late.
    duty.config.attempts_max = 100_000;
    duty.config.answer_wait_ms = u64::try_from(PATIENCE.as_millis()).unwrap() * 2;
    duty.stand(1);
    duty.planner().once().await.unwrap().expect("one is due");
    let mut tasks = at_work(&duty);
    let others_try = || !slow.calls().is_empty() && refusing.calls().len() > 1;
    until("the well one is told while the others still try", || {
        others_try() && duty.count(DELIVERED) == 1
    })
    .await;
    assert_eq!(duty.count(GIVEN_UP), 0);
    tasks.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_is_down_is_given_up_with_its_reason() {
    let mut duty = Duty::new().await;
    let (slow, refusing) = (Called::start().await, Called::start().await);
    slow.answer(0);
    refusing.answer(500);
    for (name, url) in [("away", &nobody()), ("slow", &slow.url), ("refusing", &refusing.url)] {
        duty.webhook(name, url);
    }
    duty.config.attempts_max = 2;
    duty.config.answer_wait_ms = 5_000;
    duty.stand(1);
    duty.planner().once().await.unwrap().expect("one is due");
    let mut tasks = at_work(&duty);
    until("three outcomes", || duty.count(GIVEN_UP) == 3).await;
    tasks.shutdown().await;
    let mut reasons: Vec<(String, String, u32)> = duty
        .recorded()
        .into_iter()
        .filter_map(|it| match it {
            KeepingEvent::AlertMessageGivenUp(it) => Some((it.carrier, it.reason, it.attempts)),
            _ => None,
        })
        .collect();
    reasons.sort();
    let told = |carrier: &str, reason: &str| (carrier.to_owned(), reason.to_owned(), 2);
    assert_eq!(
        reasons,
        [
            told("webhook-away", "unreachable"),
            told("webhook-refusing", "refused"),
            told("webhook-slow", "timed-out"),
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_at_any_step_tells_nothing_twice_under_two_names_and_forgets_nothing() {
    let (mut duty, called) = (Duty::new().await, Called::start().await);
    duty.webhook("duty", &called.url);
    duty.stand(1);
    let message = duty.planner().once().await.unwrap().expect("one is due");
    // Planned, and down: whoever starts next plans nothing new, not even before the views have read.
    for _ in 0..3 {
        assert_eq!(duty.planner().once().await.unwrap(), None);
    }
    assert_eq!(duty.count(PLANNED), 1);
    // Sent, and down before that was recorded: the same again.
    let ways = duty.config.ways().unwrap();
    let row = duty.hub.views.open_messages(1).unwrap().remove(0);
    ways[0].1.bring(&Letter::from(&row), &duty.sender()).await.unwrap();
    duty.bring(&mut duty.rounds()).await;
    let calls = called.calls();
    assert_eq!(calls.len(), 2);
    assert_eq!(calls[0].header("webhook-id"), calls[1].header("webhook-id"));
    assert_eq!(calls[0].body, calls[1].body);
    // Recorded, and down: nothing more.
    for mut round in duty.rounds() {
        round.once().await.unwrap();
    }
    assert_eq!((called.calls().len(), duty.count(DELIVERED)), (2, 1));
    // While it was down it became over: told once, after the time that rules out a flicker.
    duty.stand(0);
    duty.later(599);
    assert_eq!(duty.planner().once().await.unwrap(), None);
    duty.later(1);
    let over = duty.planner().once().await.unwrap().expect("that it is over");
    assert_ne!(over, message);
    duty.bring(&mut duty.rounds()).await;
    duty.later(100_000);
    assert_eq!(duty.planner().once().await.unwrap(), None);
    assert_eq!(duty.count(PLANNED), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_old_or_has_nobody_to_bring_it_is_given_up_with_its_reason() {
    let (mut duty, called) = (Duty::new().await, Called::start().await);
    duty.webhook("duty", &called.url);
    duty.stand(1);
    duty.planner().once().await.unwrap().expect("one is due");
    duty.later(86_401);
    duty.bring(&mut duty.rounds()).await;
    assert!(called.calls().is_empty());
    duty.stand(60);
    duty.planner().once().await.unwrap().expect("many more");
    duty.config.webhooks.clear();
    duty.planner().once().await.unwrap();
    assert!(
        duty.seen().await
            || tokio::time::timeout(PATIENCE, async {
                while !duty.seen().await {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            })
            .await
            .is_ok()
    );
    let reasons: Vec<String> = duty
        .hub
        .views
        .messages(10)
        .unwrap()
        .into_iter()
        .flat_map(|it| it.carried.into_values())
        .map(|it| match it {
            Carried::GivenUp { reason, .. } => reason,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(reasons, ["carrier-removed", "too-late"]);
}
