//! A broker that loses its answers when it reads its configuration again under load is told once more.
//! Without the hub's probe this waits in vain on 2.9.10; newer ones lose none.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::{Client, ConnectOptions};
use events::subjects;
use tests::alone::alone;
use tests::broker::{VERSIONS, province, wait_for};
use tests::program::joined::Joining;

/// How often the broker reads its configuration again: about one in eight loses the answers of 2.9.10.
const RELOADS: u32 = 40;
/// Who asks at the same time.
const ASKERS: usize = 8;
/// One answer.
const ANSWER_MAX: Duration = Duration::from_millis(500);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_a_reload_under_load_has_lost_come_back() {
    let _alone = alone().await;
    for version in VERSIONS {
        let Some(stage) = Joining::start("answers", version).await else { continue };
        let jilin = stage.join(22).await;
        let seed = std::fs::read_to_string(jilin.at("keys/22-connect-1.key")).unwrap();
        // The broker was told, and reads in its own time.
        let client = wait_for("the province's key to count at the broker", async || {
            let options = ConnectOptions::with_nkey(seed.trim().to_owned())
                .custom_inbox_prefix(subjects::inbox(province(22)))
                .request_timeout(Some(ANSWER_MAX));
            options.connect(stage.broker.url()).await.ok()
        })
        .await;
        let stop = Arc::new(AtomicBool::new(false));
        let answers = Arc::new(AtomicU64::new(0));
        let askers: Vec<_> = (0..ASKERS)
            .map(|_| tokio::spawn(ask_on(client.clone(), stop.clone(), answers.clone())))
            .collect();
        let (mut longest, mut lost) = (Duration::ZERO, 0);
        for _ in 0..RELOADS {
            reload(&stage).await;
            let began = Instant::now();
            let before = answers.load(Ordering::Relaxed) + ASKERS as u64;
            wait_for("answers after a reload", async || {
                (answers.load(Ordering::Relaxed) > before).then_some(())
            })
            .await;
            longest = longest.max(began.elapsed());
            lost += u32::from(began.elapsed() > ANSWER_MAX);
        }
        stop.store(true, Ordering::Relaxed);
        for asker in askers {
            asker.await.unwrap();
        }
        let release = stage.broker_release();
        println!("{release}: {lost} of {RELOADS} reloads lost answers; longest {longest:?}");
    }
}

async fn ask_on(client: Client, stop: Arc<AtomicBool>, answers: Arc<AtomicU64>) {
    let (prefix, stream) = (subjects::PROVINCE_API_PREFIX, subjects::WORK_STREAM);
    let asks = format!("{prefix}.CONSUMER.INFO.{stream}.{}", subjects::consumer(province(22)));
    while !stop.load(Ordering::Relaxed) {
        match client.request(asks.clone(), "".into()).await {
            Ok(_) => drop(answers.fetch_add(1, Ordering::Relaxed)),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// As the hub does it, and without a change.
async fn reload(stage: &Joining) {
    let id = stage.broker.broker.process_id().expect("it runs").to_string();
    let sent = tokio::process::Command::new("kill").args(["-HUP", &id]).status().await;
    assert!(sent.unwrap().success());
}
