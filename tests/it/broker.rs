//! The broker as we run it: the honest road works on both versions, and nothing is lost for good
//! when it is killed, wiped or rolled back.

use bytes::Bytes;
use events::subjects;
use futures::StreamExt as _;
use hub::nats::connect::HubConnection;
use hub::nats::streams::{StreamLimits, ensure};
use tests::broker::{TestBroker, VERSIONS, province, wait_for, work_consumer};

#[tokio::test]
async fn the_honest_road_works_in_both_directions() {
    for version in VERSIONS {
        let Some(stage) = TestBroker::start("honest road", version, &[22, 23]).await else {
            continue;
        };
        let hub = stage.hub().await;
        let ensured = stage.ensure(&hub, &StreamLimits::default()).await;
        assert_eq!(ensured.differences, [], "{version:?}: the server keeps what we asked for");
        assert_eq!(ensured.created.len(), 7, "{version:?}: {:?}", ensured.created);

        forward(&hub, 22, "case", "c1.1").await;
        let adapter = stage.client(22).await;
        let consumer = work_consumer(&adapter, 22).await;
        let mut batch = consumer.fetch().max_messages(10).messages().await.unwrap();
        let message = batch.next().await.unwrap().unwrap();
        assert_eq!(message.subject.as_str(), "hub.v1.work.22.case");
        message.double_ack().await.expect("a double acknowledgement is answered");

        report(&adapter, 22, "accepted", "r1").await.expect("a report is stored");
        let heard = next_report(&hub, 22).await;
        assert_eq!(heard, "r1", "{version:?}");
    }
}

#[tokio::test]
async fn looking_again_at_the_streams_changes_nothing() {
    for version in VERSIONS {
        let Some(stage) = TestBroker::start("look again", version, &[22]).await else { continue };
        let hub = stage.hub().await;
        stage.ensure(&hub, &StreamLimits::default()).await;
        let again = stage.ensure(&hub, &StreamLimits::default()).await;
        assert_eq!((again.created.len(), again.differences.len()), (0, 0), "{version:?}");
        // A changed bound is told and not applied in silence.
        let other = StreamLimits { ack_pending_max: 7, ..StreamLimits::default() };
        let told = stage.ensure(&hub, &other).await;
        assert!(told.differences.iter().all(|it| it.setting == "max_ack_pending" && !it.harmful));
        assert_eq!(told.differences.len(), 2, "{version:?}");
    }
}

#[tokio::test]
async fn a_killed_broker_comes_back_on_the_same_port_and_the_hub_reconnects() {
    for version in VERSIONS {
        let Some(mut stage) = TestBroker::start("killed", version, &[22]).await else { continue };
        let hub = stage.hub().await;
        stage.ensure(&hub, &StreamLimits::default()).await;
        let url = stage.url();
        forward(&hub, 22, "case", "c1.1").await;
        stage.kill_and_restart().await;
        assert_eq!(stage.url(), url, "{version:?}");
        wait_for("the hub to reach the broker again", async || {
            let sent = publish(&hub, 22, "case", "c2.1").await;
            sent.is_ok().then_some(())
        })
        .await;
        let consumer = work_consumer(&stage.client(22).await, 22).await;
        let mut batch = consumer.fetch().max_messages(1).messages().await.unwrap();
        assert!(batch.next().await.unwrap().is_ok(), "{version:?}: the store survived");
    }
}

#[tokio::test]
async fn a_wiped_store_is_made_again_while_the_hub_runs() {
    for version in VERSIONS {
        let Some(mut stage) = TestBroker::start("wiped", version, &[22]).await else { continue };
        let mut hub = stage.hub().await;
        stage.ensure(&hub, &StreamLimits::default()).await;
        forward(&hub, 22, "case", "c1.1").await;
        stage.wipe_store().await;
        hub.up.wait_for(|up| *up).await.unwrap();
        let again = stage.ensure(&hub, &StreamLimits::default()).await;
        assert_eq!(again.created.len(), 4, "{version:?}: {:?}", again.created);
        forward(&hub, 22, "case", "c1.2").await;
        let consumer = work_consumer(&stage.client(22).await, 22).await;
        let mut batch = consumer.fetch().max_messages(10).messages().await.unwrap();
        let message = batch.next().await.unwrap().unwrap();
        assert_eq!(&message.payload[..], b"c1.2", "{version:?}: only the new attempt is there");
    }
}

#[tokio::test]
async fn a_rolled_back_store_hands_out_old_sequences_again() {
    for version in VERSIONS {
        let Some(mut stage) = TestBroker::start("rolled back", version, &[22]).await else {
            continue;
        };
        let hub = stage.hub().await;
        stage.ensure(&hub, &StreamLimits::default()).await;
        stage.save_store().await;
        wait_for("the hub", async || publish(&hub, 22, "case", "c1.1").await.ok()).await;
        let before = publish(&hub, 22, "case", "c2.1").await.unwrap();
        stage.roll_back_store().await;
        wait_for("the hub", async || publish(&hub, 22, "case", "c3.1").await.ok()).await;
        let after = publish(&hub, 22, "case", "c4.1").await.unwrap();
        // This is why a stream sequence is never a cursor: the same number, another message.
        assert!(after <= before, "{version:?}: {after} after {before}");
    }
}

#[tokio::test]
async fn an_orderly_stop_ends_with_status_zero_on_every_version() {
    for version in VERSIONS {
        let Some(mut stage) = TestBroker::start("stopped", version, &[22]).await else { continue };
        let status = stage.broker.stop().await.expect("it was running");
        assert!(status.success(), "{version:?}: {status}");
        assert!(stage.broker.stop().await.is_none(), "a second stop finds nothing to stop");
    }
}

#[tokio::test]
async fn a_key_taken_out_of_the_configuration_is_cut_off_on_reload() {
    for version in VERSIONS {
        let Some(mut stage) = TestBroker::start("rotated", version, &[22, 23]).await else {
            continue;
        };
        let removed = stage.client(22).await;
        let kept = stage.client(23).await;
        let mut plan = stage.broker.plan().clone();
        plan.provinces[0].users =
            vec![hub::nats::keys::UserKey::generate().unwrap().public().into()];
        stage.broker.reconfigure(plan).await.unwrap();
        wait_for("the removed key to be cut off", async || {
            use async_nats::connection::State;
            (removed.connection_state() != State::Connected).then_some(())
        })
        .await;
        kept.flush().await.expect("the others stay connected");
        assert_eq!(kept.connection_state(), async_nats::connection::State::Connected);
    }
}

#[tokio::test]
async fn a_full_work_stream_drops_its_own_oldest_and_blocks_nobody() {
    for version in VERSIONS {
        let Some(stage) = TestBroker::start("full work", version, &[22, 23]).await else {
            continue;
        };
        let hub = stage.hub().await;
        let limits = StreamLimits { work_messages_a_subject_max: 3, ..StreamLimits::default() };
        stage.ensure(&hub, &limits).await;
        forward(&hub, 23, "case", "other.1").await;
        let away = work_consumer(&stage.client(22).await, 22).await;
        for it in 0..10 {
            forward(&hub, 22, "case", &format!("c{it}.1")).await;
        }
        let other = work_consumer(&stage.client(23).await, 23).await;
        let mut batch = other.fetch().max_messages(1).messages().await.unwrap();
        let message = batch.next().await.unwrap().unwrap();
        assert_eq!(&message.payload[..], b"other.1", "{version:?}: another province's is kept");
        let kept: Vec<_> = away
            .fetch()
            .max_messages(10)
            .messages()
            .await
            .unwrap()
            .map(|it| String::from_utf8_lossy(&it.unwrap().payload).into_owned())
            .collect()
            .await;
        assert_eq!(kept, ["c7.1", "c8.1", "c9.1"], "{version:?}");
    }
}

#[tokio::test]
async fn a_work_stream_without_room_still_takes_work_for_everybody() {
    for version in VERSIONS {
        let Some(stage) = TestBroker::start("no room", version, &[22, 23]).await else { continue };
        let hub = stage.hub().await;
        let limits = StreamLimits { work_bytes_max: 16 * 1024, ..StreamLimits::default() };
        stage.ensure(&hub, &limits).await;
        for it in 0..20 {
            let backlog = Bytes::from(vec![b'x'; 4 * 1024]);
            let sent = hub.jetstream.publish("hub.v1.work.22.case", backlog).await.unwrap().await;
            assert!(sent.is_ok(), "{version:?}: message {it}: {sent:?}");
        }
        forward(&hub, 23, "case", "other.1").await;
        let other = work_consumer(&stage.client(23).await, 23).await;
        let mut batch = other.fetch().max_messages(1).messages().await.unwrap();
        let message = batch.next().await.unwrap().unwrap();
        assert_eq!(&message.payload[..], b"other.1", "{version:?}");
    }
}

#[tokio::test]
async fn a_stream_with_a_foreign_retention_is_refused_not_repaired() {
    for version in VERSIONS {
        let Some(stage) = TestBroker::start("foreign stream", version, &[22]).await else {
            continue;
        };
        let hub = stage.hub().await;
        let limits = StreamLimits::default();
        let mut wrong = hub::nats::streams::report(province(22), &limits);
        wrong.discard = async_nats::jetstream::stream::DiscardPolicy::Old;
        hub.jetstream.create_stream(wrong).await.unwrap();
        let refused = ensure(&hub.jetstream, &[province(22)], &limits).await.unwrap_err();
        assert!(refused.to_string().starts_with("REPORT_22 has discard"), "{refused}");
    }
}

async fn publish(hub: &HubConnection, code: u8, token: &str, id: &str) -> Result<u64, String> {
    let mut headers = async_nats::HeaderMap::new();
    headers.insert(subjects::MESSAGE_ID_HEADER, id);
    let subject = subjects::work(province(code), token);
    let sent =
        hub.jetstream.publish_with_headers(subject, headers, Bytes::from(id.to_owned())).await;
    let stored = sent.map_err(|it| it.to_string())?.await.map_err(|it| it.to_string())?;
    Ok(stored.sequence)
}

async fn forward(hub: &HubConnection, code: u8, token: &str, id: &str) {
    publish(hub, code, token, id).await.expect("the broker takes it");
}

async fn report(
    client: &async_nats::Client,
    code: u8,
    token: &str,
    id: &str,
) -> Result<(), String> {
    let jetstream = async_nats::jetstream::new(client.clone());
    let mut headers = async_nats::HeaderMap::new();
    headers.insert(subjects::MESSAGE_ID_HEADER, id);
    let subject = subjects::report(province(code), token);
    let sent = jetstream.publish_with_headers(subject, headers, Bytes::from(id.to_owned())).await;
    sent.map_err(|it| it.to_string())?.await.map_err(|it| it.to_string()).map(drop)
}

async fn next_report(hub: &HubConnection, code: u8) -> String {
    let consumer: async_nats::jetstream::consumer::PullConsumer = hub
        .jetstream
        .get_consumer_from_stream(
            subjects::REPORT_CONSUMER,
            subjects::report_stream(province(code)),
        )
        .await
        .unwrap();
    let mut batch = consumer.fetch().max_messages(1).messages().await.unwrap();
    let message = batch.next().await.expect("a report").unwrap();
    message.double_ack().await.unwrap();
    String::from_utf8_lossy(&message.payload).into_owned()
}

#[test]
fn the_script_says_what_is_wrong_and_prints_no_path() {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/nats-server");
    for (arguments, binary, status, said) in [
        (vec!["--version", "3"], "", 2, "--version is 2.9 or current"),
        (vec!["--version"], "", 2, "--version needs a value"),
        (vec!["--help"], "", 2, "unknown argument"),
        (vec![], "/bin/true", 1, "does not run, or is older than 2.9"),
        (vec![], "/nowhere/nats-server", 1, "does not run, or is older than 2.9"),
    ] {
        let ran = std::process::Command::new(script)
            .args(&arguments)
            .env("HUB_NATS_BIN", binary)
            .output()
            .expect("the script runs");
        let told = String::from_utf8_lossy(&ran.stderr);
        assert_eq!(ran.status.code(), Some(status), "{arguments:?} {binary}: {told}");
        assert!(told.contains(said) && ran.stdout.is_empty(), "{arguments:?} {binary}: {told}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_who_make_the_same_streams_at_once_all_find_them_made() {
    for version in VERSIONS {
        let Some(broker) = TestBroker::start("makers", version, &[22, 23]).await else { continue };
        let hub = broker.hub().await;
        let limits = StreamLimits::default();
        let makers = (0..8).map(|_| broker.ensure(&hub, &limits));
        let made = futures::future::join_all(makers).await;
        assert!(made.iter().any(|it| !it.created.is_empty()), "somebody made them");
    }
}
