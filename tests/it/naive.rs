//! A broker as people usually set it up: one account, one report stream, permissions on subjects.
//! Our attacks succeed on it; that shows that the attacks are real and their tests can fail.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use async_nats::{Client, ConnectOptions, jetstream};
use tempfile::TempDir;
use tests::broker::{Version, server, wait_for};
use tokio::process::{Child, Command};

/// Its one stream for the reports of everybody.
pub(crate) const REPORTS: &str = "REPORTS";

pub(crate) struct NaiveBroker {
    url: String,
    _child: Child,
    _folder: TempDir,
}

impl NaiveBroker {
    /// Starts it with a work and a report stream and a consumer for province 22.
    pub(crate) async fn start(test: &str, version: Version) -> Option<Self> {
        let (binary, _) = server(test, version).await?;
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("nats.conf");
        std::fs::write(&config, configuration(&folder)).unwrap();
        let child = Command::new(binary)
            .arg("-c")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let port = wait_for("the naive broker's port", async || read_port(&folder)).await;
        let url = format!("nats://127.0.0.1:{port}");
        let broker = Self { url, _child: child, _folder: folder };
        broker.make_streams().await;
        Some(broker)
    }

    pub(crate) async fn client(&self, user: &str) -> Client {
        wait_for("the naive broker", async || {
            ConnectOptions::with_user_and_password(user.into(), user.into())
                .custom_inbox_prefix(format!("_INBOX_{user}"))
                .request_timeout(Some(Duration::from_secs(2)))
                .connect(&self.url)
                .await
                .ok()
        })
        .await
    }

    async fn make_streams(&self) {
        let hub = jetstream::new(self.client("hub").await);
        for (name, subjects) in [("WORK", "hub.v1.work.>"), (REPORTS, "hub.v1.report.>")] {
            let config = jetstream::stream::Config {
                name: name.into(),
                subjects: vec![subjects.into()],
                ..Default::default()
            };
            wait_for("a stream", async || hub.create_stream(config.clone()).await.ok()).await;
        }
        let consumer = jetstream::consumer::pull::Config {
            durable_name: Some("p22".into()),
            filter_subject: "hub.v1.work.22.>".into(),
            ..Default::default()
        };
        hub.create_consumer_on_stream(consumer, "WORK").await.unwrap();
    }
}

/// What looks safe: each province may publish only its own subjects and read only its own inbox.
fn configuration(folder: &TempDir) -> String {
    let folder = folder.path().display();
    let province = |code: u8| {
        format!(
            "{{user: p{code}, password: p{code}, permissions: {{ \
               publish: {{allow: [\"hub.v1.report.{code}.>\", \"$JS.ACK.WORK.p{code}.>\", \
                                  \"$JS.API.CONSUMER.MSG.NEXT.WORK.p{code}\"]}}, \
               subscribe: {{allow: [\"_INBOX_p{code}.>\"]}} }}}}"
        )
    };
    format!(
        "host: 127.0.0.1\nport: -1\nports_file_dir: \"{folder}\"\n\
         jetstream {{ store_dir: \"{folder}/store\" }}\n\
         accounts: {{ ALL: {{ jetstream: enabled, users: [\n\
         {{user: hub, password: hub}},\n{},\n{}\n] }} }}\n",
        province(22),
        province(23)
    )
}

fn read_port(folder: &TempDir) -> Option<u16> {
    let files: Vec<PathBuf> =
        std::fs::read_dir(folder.path()).ok()?.filter_map(|it| Some(it.ok()?.path())).collect();
    let file = files.iter().find(|it| it.extension().is_some_and(|it| it == "ports"))?;
    let ports: serde_json::Value = serde_json::from_slice(&std::fs::read(file).ok()?).ok()?;
    ports["nats"][0].as_str()?.rsplit(':').next()?.parse().ok()
}
