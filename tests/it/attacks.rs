//! What one province could do to another through the broker, and that with us it cannot.
//!
//! The two attacks of `guarantees` are first shown to succeed on a naive configuration, on the same
//! server; then to be contained on ours. Everything else that a province must not do is a table.

use async_nats::jetstream;
use async_nats::{Client, ConnectOptions, Event, HeaderMap};
use events::subjects;
use futures::StreamExt as _;
use hub::nats::connect::HubConnection;
use hub::nats::keys::UserKey;
use hub::nats::render::PROVINCE_MESSAGE_BYTES_MAX;
use hub::nats::streams::StreamLimits;
use tests::broker::{
    REFUSAL_WAIT, TestBroker, VERSIONS, WAIT_MAX, province, wait_for, work_consumer,
};
use tokio::sync::mpsc;

use crate::naive::{NaiveBroker, REPORTS};

/// A decision that province 23 never made.
const FORGED: &str = "hub.v1.report.23.completed";

#[tokio::test]
async fn a_reply_subject_forges_a_report_on_a_naive_broker() {
    for version in VERSIONS {
        let Some(naive) = NaiveBroker::start("deputy, naive", version).await else { continue };
        let attacker = naive.client("p22").await;
        let own = "hub.v1.report.22.accepted";
        attacker.publish_with_reply(own, FORGED, "junk".into()).await.unwrap();
        let hub = jetstream::new(naive.client("hub").await);
        wait_for("the acknowledgement to be stored as 23's report", async || {
            let mut stream = hub.get_stream(REPORTS).await.ok()?;
            (stream.info().await.ok()?.state.messages == 2).then_some(())
        })
        .await;
        let stored = hub.get_stream(REPORTS).await.unwrap().get_raw_message(2).await.unwrap();
        assert_eq!(stored.subject.as_str(), FORGED, "{version:?}: the attack is real");
    }
}

#[tokio::test]
async fn a_pull_with_a_foreign_reply_plants_a_report_on_a_naive_broker() {
    for version in VERSIONS {
        let Some(naive) = NaiveBroker::start("pull deputy, naive", version).await else { continue };
        let hub = jetstream::new(naive.client("hub").await);
        hub.publish("hub.v1.work.22.case", "work".into()).await.unwrap().await.unwrap();
        let attacker = naive.client("p22").await;
        let pull = "$JS.API.CONSUMER.MSG.NEXT.WORK.p22";
        attacker.publish_with_reply(pull, FORGED, r#"{"batch":1}"#.into()).await.unwrap();
        let stored = wait_for("the work to be stored as 23's report", async || {
            let stream = hub.get_stream(REPORTS).await.ok()?;
            stream.get_raw_message(1).await.ok()
        })
        .await;
        // It lies among the reports, under a subject that is not even one of the stream's own.
        assert_eq!(stored.subject.as_str(), "hub.v1.work.22.case", "{version:?}: it is real");
    }
}

#[tokio::test]
async fn a_message_id_claimed_first_silences_another_province_on_a_naive_broker() {
    for version in VERSIONS {
        let Some(naive) = NaiveBroker::start("pre-claim, naive", version).await else { continue };
        let attacker = jetstream::new(naive.client("p22").await);
        let victim = jetstream::new(naive.client("p23").await);
        assert_eq!(publish(&attacker, "hub.v1.report.22.accepted", "m1").await, Ok(Stored::New));
        let silenced = publish(&victim, "hub.v1.report.23.completed", "m1").await;
        assert_eq!(silenced, Ok(Stored::Dropped), "{version:?}: the attack is real");
    }
}

#[tokio::test]
async fn no_reply_subject_leaves_the_account_of_its_province() {
    for version in VERSIONS {
        let Some(stage) = TestBroker::start("deputy", version, &[22, 23]).await else { continue };
        let hub = prepared(&stage).await;
        let attacker = stage.client(22).await;
        let pull = format!("{}.CONSUMER.MSG.NEXT.WORK.p22", subjects::PROVINCE_API_PREFIX);
        for foreign in [FORGED, "hub.v1.work.23.case", "$JS.ACK.WORK.p23.1.1.1.1.0"] {
            let own = "hub.v1.report.22.accepted";
            attacker.publish_with_reply(own, foreign, "junk".into()).await.unwrap();
            let request = r#"{"batch":1,"no_wait":true}"#;
            attacker.publish_with_reply(pull.clone(), foreign, request.into()).await.unwrap();
        }
        // Asked after them and answered: so the broker has handled all that came before.
        publish_in(&attacker, "hub.v1.report.22.accepted", "last").await.unwrap();
        let consumer = work_consumer(&attacker, 22).await;
        let mut batch = consumer.fetch().max_messages(1).messages().await.unwrap();
        while batch.next().await.is_some() {}
        assert!(messages(&hub, "REPORT_22").await >= 3, "{version:?}: the junk is its own");
        assert_eq!(messages(&hub, "REPORT_23").await, 0, "{version:?}: nothing in 23's name");
        assert_eq!(messages(&hub, "WORK").await, 2, "{version:?}: no work was invented");
    }
}

#[tokio::test]
async fn a_message_id_claimed_first_silences_nobody() {
    for version in VERSIONS {
        let Some(stage) = TestBroker::start("pre-claim", version, &[22, 23]).await else {
            continue;
        };
        let hub = prepared(&stage).await;
        let (attacker, victim) = (stage.client(22).await, stage.client(23).await);
        let first = publish_in(&attacker, "hub.v1.report.22.accepted", "m1").await;
        let heard = publish_in(&victim, "hub.v1.report.23.completed", "m1").await;
        assert_eq!((first, heard), (Ok(Stored::New), Ok(Stored::New)), "{version:?}");
        assert_eq!(messages(&hub, "REPORT_23").await, 1, "{version:?}");
    }
}

/// What a province must not publish. `{api}` stands for the API under both of its names.
const FORBIDDEN_PUBLISHES: &[&str] = &[
    "hub.v1.report.23.accepted",                         // speak for another
    "hub.v1.work.22.case",                               // invent work, even its own
    "hub.v1.work.23.case",                               //
    "$JS.API.CONSUMER.MSG.NEXT.WORK.p22",                // its own, under the hub's name
    "$JS.ACK.WORK.p23.1.1.1.1.0",                        // acknowledge for another
    "$JS.ACK.REPORT_22.hub.1.1.1.1.0",                   // acknowledge for the hub
    "_INBOX_hub.forged",                                 // answer instead of the broker
    "_INBOX_p23.forged",                                 //
    "$SYS.REQ.SERVER.PING",                              //
    "{api}.CONSUMER.MSG.NEXT.WORK.p23",                  // pull another's
    "{api}.CONSUMER.MSG.NEXT.REPORT_22.hub",             // pull instead of the hub
    "{api}.CONSUMER.INFO.WORK.p23",                      //
    "{api}.CONSUMER.CREATE.WORK.thief.hub.v1.work.23.>", // read past one's own consumer
    "{api}.CONSUMER.DURABLE.CREATE.WORK.thief",          //
    "{api}.CONSUMER.DELETE.WORK.p22",                    //
    "{api}.CONSUMER.DELETE.WORK.p23",                    //
    "{api}.STREAM.PURGE.WORK",                           //
    "{api}.STREAM.DELETE.WORK",                          //
    "{api}.STREAM.UPDATE.WORK",                          //
    "{api}.STREAM.INFO.WORK",                            //
    "{api}.STREAM.NAMES",                                //
    "{api}.STREAM.MSG.GET.WORK",                         //
    "{api}.STREAM.MSG.DELETE.WORK",                      //
    "{api}.DIRECT.GET.WORK",                             //
    "{api}.INFO",                                        //
];

/// What a province must not listen to.
const FORBIDDEN_SUBSCRIPTIONS: &[&str] = &[
    ">",
    "*.>",
    "_INBOX.>",
    "_INBOX_hub.>",
    "_INBOX_p23.>",
    "hub.>",
    "hub.v1.work.22.>",
    "hub.v1.work.23.>",
    "hub.v1.report.22.>",
    "hub.v1.report.23.>",
    "$JS.>",
    "$SYS.>",
    "_R_.>",
];

#[tokio::test]
async fn everything_that_is_not_a_provinces_own_is_refused() {
    for version in VERSIONS {
        let Some(stage) = TestBroker::start("refusals", version, &[22, 23]).await else { continue };
        let hub = prepared(&stage).await;
        let key = &stage.keys(22).user;
        let mut intruder = Intruder::connect(&stage.url(), "_INBOX_p22", key).await;
        for subject in FORBIDDEN_PUBLISHES {
            for api in ["$JS.API", subjects::PROVINCE_API_PREFIX] {
                intruder.publish_is_refused(&subject.replace("{api}", api)).await;
            }
        }
        for subject in FORBIDDEN_SUBSCRIPTIONS {
            intruder.subscription_is_refused(subject).await;
        }
        assert_eq!(messages(&hub, "WORK").await, 2, "{version:?}: all work is still there");
        assert_eq!(messages(&hub, "REPORT_23").await, 0, "{version:?}");
        for code in [22, 23] {
            let consumer = work_consumer(&stage.client(code).await, code).await;
            let mut batch = consumer.fetch().max_messages(1).messages().await.unwrap();
            let message = batch.next().await.expect("its own work").unwrap();
            let own = subjects::work(province(code), "case");
            assert_eq!(message.subject.as_str(), own, "{version:?}: each can pull its own");
            message.double_ack().await.unwrap();
        }
    }
}

#[tokio::test]
async fn the_hub_cannot_purge_delete_or_speak_for_a_province_either() {
    for version in VERSIONS {
        let Some(stage) = TestBroker::start("hub's limits", version, &[22]).await else { continue };
        let mut hub = Intruder::connect(&stage.url(), "_INBOX_hub", &stage.hub_key).await;
        for subject in [
            "hub.v1.report.22.accepted",
            "$JS.API.STREAM.PURGE.WORK",
            "$JS.API.STREAM.DELETE.REPORT_22",
            "$JS.API.STREAM.UPDATE.WORK",
            "$JS.API.STREAM.MSG.DELETE.WORK",
            "$JS.API.CONSUMER.DELETE.WORK.p22",
            "$JS.ACK.WORK.p22.1.1.1.1.0",
        ] {
            hub.publish_is_refused(subject).await;
        }
        hub.subscription_is_refused("_INBOX_p22.>").await;
    }
}

#[tokio::test]
async fn one_province_cannot_acknowledge_what_another_has_fetched() {
    for version in VERSIONS {
        let Some(stage) = TestBroker::start("foreign ack", version, &[22, 23]).await else {
            continue;
        };
        let hub = prepared(&stage).await;
        let consumer = work_consumer(&stage.client(23).await, 23).await;
        let mut batch = consumer.fetch().max_messages(1).messages().await.unwrap();
        let message = batch.next().await.unwrap().unwrap();
        let ack = message.reply.clone().expect("a message has an ack subject");
        let key = &stage.keys(22).user;
        let mut intruder = Intruder::connect(&stage.url(), "_INBOX_p22", key).await;
        intruder.publish_is_refused(ack.as_str()).await;
        let pending = hub
            .jetstream
            .get_consumer_from_stream::<jetstream::consumer::pull::Config, _, _>("p23", "WORK")
            .await
            .unwrap();
        assert_eq!(pending.cached_info().num_ack_pending, 1, "{version:?}: still 23's to sign for");
    }
}

#[tokio::test]
async fn nobody_comes_in_without_a_registered_key() {
    for version in VERSIONS {
        let Some(stage) = TestBroker::start("strangers", version, &[22]).await else { continue };
        let stranger = UserKey::generate().unwrap();
        let with_key = ConnectOptions::with_nkey(stranger.seed().to_owned());
        assert!(with_key.connect(stage.url()).await.is_err(), "{version:?}: an unknown key");
        assert!(ConnectOptions::new().connect(stage.url()).await.is_err(), "{version:?}: no key");
    }
}

#[tokio::test]
async fn an_oversized_message_is_refused_and_not_stored() {
    for version in VERSIONS {
        let Some(stage) = TestBroker::start("oversize", version, &[22]).await else { continue };
        let hub = prepared(&stage).await;
        let key = &stage.keys(22).user;
        let mut intruder = Intruder::connect(&stage.url(), "_INBOX_p22", key).await;
        let payload = vec![b'x'; PROVINCE_MESSAGE_BYTES_MAX + 1];
        let subject = "hub.v1.report.22.accepted";
        // The client refuses what the server announced; if it sends, the server hangs up.
        if intruder.client.publish(subject, payload.into()).await.is_ok() {
            intruder.complaint("maximum payload").await;
        }
        assert_eq!(messages(&hub, "REPORT_22").await, 0, "{version:?}");
        let largest = vec![b'x'; subjects::PAYLOAD_BYTES_MAX];
        let adapter = jetstream::new(stage.client(22).await);
        let stored = adapter.publish(subject, largest.into()).await.unwrap().await;
        assert!(stored.is_ok(), "{version:?}: the largest allowed one passes: {stored:?}");
    }
}

#[tokio::test]
async fn a_flood_fills_only_the_floods_own_stream() {
    for version in VERSIONS {
        let Some(stage) = TestBroker::start("flood", version, &[22, 23]).await else { continue };
        let hub = stage.hub().await;
        let limits = StreamLimits { report_bytes_max: 64 * 1024, ..StreamLimits::default() };
        stage.ensure(&hub, &limits).await;
        let (attacker, victim) = (stage.client(22).await, stage.client(23).await);
        let attacker = jetstream::new(attacker);
        let mut refused = None;
        for _ in 0..64 {
            let payload = vec![b'x'; 4 * 1024];
            let sent = attacker.publish("hub.v1.report.22.accepted", payload.into()).await.unwrap();
            if let Err(error) = sent.await {
                refused = Some(error.to_string());
                break;
            }
        }
        let refused = refused.expect("a full stream refuses its own province");
        assert!(refused.contains("maximum bytes"), "{version:?}: {refused}");
        let heard = publish_in(&victim, "hub.v1.report.23.completed", "m1").await;
        assert_eq!(heard, Ok(Stored::New), "{version:?}: another province is not touched");
        // Once the hub has read them the stream has room again: no honest province is shut out.
        let consumer: jetstream::consumer::PullConsumer =
            hub.jetstream.get_consumer_from_stream("hub", "REPORT_22").await.unwrap();
        let mut batch = consumer.fetch().max_messages(4).messages().await.unwrap();
        while let Some(message) = batch.next().await {
            message.unwrap().double_ack().await.unwrap();
        }
        let payload = vec![b'x'; 4 * 1024];
        let again = attacker.publish("hub.v1.report.22.accepted", payload.into()).await.unwrap();
        let again = again.await;
        assert!(again.is_ok(), "{version:?}: {again:?}");
    }
}

/// All streams, and one piece of work for each of 22 and 23.
async fn prepared(stage: &TestBroker) -> HubConnection {
    let hub = stage.hub().await;
    stage.ensure(&hub, &StreamLimits::default()).await;
    for (code, _) in &stage.provinces {
        let sent = hub.jetstream.publish(subjects::work(*code, "case"), "work".into()).await;
        sent.unwrap().await.unwrap();
    }
    hub
}

async fn messages(hub: &HubConnection, stream: &str) -> u64 {
    hub.jetstream.get_stream(stream).await.unwrap().cached_info().state.messages
}

#[derive(Debug, PartialEq, Eq)]
enum Stored {
    New,
    /// The broker says yes and throws it away.
    Dropped,
}

async fn publish(to: &jetstream::Context, subject: &str, id: &str) -> Result<Stored, String> {
    let mut headers = HeaderMap::new();
    headers.insert(subjects::MESSAGE_ID_HEADER, id);
    let sent = to.publish_with_headers(subject.to_owned(), headers, "report".into()).await;
    let stored = sent.map_err(|it| it.to_string())?.await.map_err(|it| it.to_string())?;
    Ok(if stored.duplicate { Stored::Dropped } else { Stored::New })
}

async fn publish_in(client: &Client, subject: &str, id: &str) -> Result<Stored, String> {
    publish(&jetstream::new(client.clone()), subject, id).await
}

/// A client with a registered key that tries what it must not, and listens to what it is told.
struct Intruder {
    client: Client,
    told: mpsc::UnboundedReceiver<String>,
}

impl Intruder {
    async fn connect(url: &str, inbox: &str, key: &UserKey) -> Self {
        let (tell, told) = mpsc::unbounded_channel();
        let client = ConnectOptions::with_nkey(key.seed().to_owned())
            .custom_inbox_prefix(inbox)
            .request_timeout(Some(REFUSAL_WAIT))
            .event_callback(move |event| {
                if let Event::ServerError(error) = event {
                    let _ = tell.send(error.to_string().to_lowercase());
                }
                std::future::ready(())
            })
            .connect(url)
            .await
            .unwrap();
        Self { client, told }
    }

    async fn publish_is_refused(&mut self, subject: &str) {
        let reply = self.client.new_inbox();
        self.client.publish_with_reply(subject.to_owned(), reply, "+ACK".into()).await.unwrap();
        self.complaint(&format!("publish to \"{subject}\"")).await;
    }

    async fn subscription_is_refused(&mut self, subject: &str) {
        let _subscription = self.client.subscribe(subject.to_owned()).await.unwrap();
        self.complaint(&format!("subscription to \"{subject}\"")).await;
    }

    /// Waits until the server has complained about `what`.
    async fn complaint(&mut self, what: &str) {
        let what = what.to_lowercase();
        let heard = tokio::time::timeout(WAIT_MAX, async {
            while let Some(told) = self.told.recv().await {
                if told.contains(&what) {
                    return true;
                }
            }
            false
        });
        assert!(heard.await.is_ok_and(|it| it), "the server did not refuse: {what}");
    }
}
