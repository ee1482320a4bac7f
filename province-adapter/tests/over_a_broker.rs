//! The whole road of one province over a real nats-server, with the accounts and permissions of
//! production: work is taken once, reported, sent again until receipted, and strangers are refused.
#![allow(clippy::unwrap_used)] // helpers of tests; the lint only knows the tests themselves

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, consumer::pull, message::PublishMessage, stream};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ed25519_dalek::SigningKey;
use events::ids::{CaseId, CaseNumber, RequestId};
use events::proof::signature::{self, Purpose};
use events::proof::{Hash, seal};
use events::report::{News, ReportMessage};
use events::vocabulary::{Category, Channel, DueDay, IssuingAuthority, Item};
use events::work::{PersonalPart, Receipts, ReportReceipt, Work, WorkKind};
use events::{subjects, wire};
use futures::StreamExt as _;
use jiff::civil::date;
use province_adapter::keys::Generated;

const WAIT_MAX: Duration = Duration::from_secs(20);
const ORIGIN: &str = "hub.test/over-a-broker";

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Stage {
    folder: tempfile::TempDir,
    broker: Option<Process>,
    url: String,
    hub_key: SigningKey,
    province: Generated,
}

fn nats_server() -> PathBuf {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/nats-server");
    let output = Command::new(script).output().expect("deploy/nats-server finds a broker");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    PathBuf::from(String::from_utf8_lossy(&output.stdout).trim())
}

/// Account HUB owns the streams; account P22 imports exactly four services.
fn broker_config(folder: &Path, hub: &str, province: &str) -> String {
    let services = [
        "$JS.API.CONSUMER.INFO.WORK.p22",
        "$JS.API.CONSUMER.MSG.NEXT.WORK.p22",
        "$JS.ACK.WORK.p22.>",
        "hub.v1.report.22.>",
    ];
    let export = |it: &&str| {
        let stream = if it.contains("NEXT") { ", response_type: stream" } else { "" };
        format!("{{service: \"{it}\"{stream}, accounts: [P22]}}")
    };
    let import = |it: &&str| {
        let to = it
            .strip_prefix("$JS.API")
            .map_or(String::new(), |it| format!(", to: \"HUBJS.API{it}\""));
        format!("{{service: {{account: HUB, subject: \"{it}\"}}{to}}}")
    };
    let allowed = [
        "HUBJS.API.CONSUMER.INFO.WORK.p22",
        "HUBJS.API.CONSUMER.MSG.NEXT.WORK.p22",
        "$JS.ACK.WORK.p22.>",
        "hub.v1.report.22.>",
    ];
    format!(
        "listen: \"127.0.0.1:-1\"\nports_file_dir: \"{dir}\"\njetstream {{ store_dir: \"{dir}/js\" }}\n\
         accounts: {{ HUB: {{ jetstream: enabled, users: [{{nkey: {hub}}}], exports: [{exports}] }}\n\
         P22: {{ users: [{{nkey: {province}, permissions: {{publish: {{allow: {allowed:?}}}, \
         subscribe: {{allow: [\"_INBOX_p22.>\"]}}}}}}], imports: [{imports}] }} }}\n",
        dir = folder.display(),
        exports = services.iter().map(export).collect::<Vec<_>>().join(", "),
        imports = services.iter().map(import).collect::<Vec<_>>().join(", "),
    )
}

fn start_broker(config: &Path) -> Process {
    let mut command = Command::new(nats_server());
    command.arg("-c").arg(config).stderr(Stdio::null()).stdout(Stdio::null());
    Process(command.spawn().unwrap())
}

/// A moment for the test's own messages; the hub's clock is not what is tested.
fn moment() -> jiff::Timestamp {
    "2026-02-13T02:00:00Z".parse().unwrap()
}

impl Stage {
    fn set(resend_ms: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (hub, province) = (nkeys::KeyPair::new_user(), nkeys::KeyPair::new_user());
        std::fs::write(folder.path().join("hub.nk"), hub.seed().unwrap()).unwrap();
        std::fs::write(folder.path().join("p22.nk"), province.seed().unwrap()).unwrap();
        let config = broker_config(folder.path(), &hub.public_key(), &province.public_key());
        let config_path = folder.path().join("nats.conf");
        std::fs::write(&config_path, config).unwrap();
        let broker = start_broker(&config_path);
        let url = Self::url(folder.path(), broker.0.id());
        let hub_key = SigningKey::from_bytes(&[9; 32]);
        let province = province_adapter::keys::generate().unwrap();
        let stage = Self { folder, broker: Some(broker), url, hub_key, province };
        stage.write_adapter_config(resend_ms);
        stage
    }

    fn url(folder: &Path, process: u32) -> String {
        let path = folder.join(format!("nats-server_{process}.ports"));
        let ports = until(|| std::fs::read_to_string(&path).ok().filter(|it| it.ends_with('}')));
        let ports: serde_json::Value = serde_json::from_str(&ports).unwrap();
        ports["nats"][0].as_str().unwrap().to_owned()
    }

    fn write_adapter_config(&self, resend_ms: u64) {
        let folder = self.folder.path();
        std::fs::write(folder.join("sign.key"), &self.province.sign_private).unwrap();
        std::fs::write(folder.join("seal.key"), &self.province.seal_private).unwrap();
        let hub = signature::public_key_text(&self.hub_key.verifying_key());
        let text = format!(
            "province = \"22\"\norigin = \"{ORIGIN}\"\noffice = \"simulated\"\n\
             [broker]\nurls = [\"{url}\"]\nnkey_seed_file = \"p22.nk\"\n\
             [keys]\nsign_key_file = \"sign.key\"\nsign_key_id = \"22-sign-1\"\n\
             seal_key_file = \"seal.key\"\nseal_key_id = \"22-seal-1\"\n\
             hub_public_key = \"{hub}\"\nhub_key_id = \"hub-1\"\n[store]\npath = \"adapter.db\"\n\
             [pace]\nresend_after_ms = [{resend_ms}]\n[limits]\nhand_over_per_minute_max = 60000\n[simulated]\nmode = \"instant\"\ndenial_percent = 0.0\n",
            url = self.url
        );
        std::fs::write(folder.join("adapter.toml"), text).unwrap();
    }

    /// SIGKILL; its store is gone; it comes back at the same address.
    fn wipe_broker(&mut self) {
        self.broker = None;
        let folder = self.folder.path();
        std::fs::remove_dir_all(folder.join("js")).unwrap();
        let config_path = folder.join("nats.conf");
        let address = self.url.strip_prefix("nats://").unwrap();
        let config =
            std::fs::read_to_string(&config_path).unwrap().replace("127.0.0.1:-1", address);
        std::fs::write(&config_path, config).unwrap();
        self.broker = Some(start_broker(&config_path));
        let port = address.rsplit(':').next().unwrap();
        until(|| std::net::TcpStream::connect(format!("127.0.0.1:{port}")).ok());
    }

    fn adapter(&self, role: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_province-adapter"));
        command.arg(role).arg("--config").arg(self.folder.path().join("adapter.toml"));
        command
    }

    fn serve(&self) -> Process {
        Process(self.adapter("serve").args(["--log", "warn"]).spawn().unwrap())
    }

    fn status(&self) -> Option<serde_json::Value> {
        let output = self.adapter("status").arg("--json").output().unwrap();
        serde_json::from_slice(&output.stdout).ok()
    }

    async fn hub(&self) -> jetstream::Context {
        let seed = std::fs::read_to_string(self.folder.path().join("hub.nk")).unwrap();
        let client = async_nats::ConnectOptions::with_nkey(seed).connect(&self.url).await.unwrap();
        let context = jetstream::new(client);
        let work = stream::Config {
            name: subjects::WORK_STREAM.to_owned(),
            subjects: vec![subjects::WORK_SUBJECTS.to_owned()],
            ..Default::default()
        };
        let started = Instant::now();
        while context.create_stream(work.clone()).await.is_err() {
            assert!(started.elapsed() < WAIT_MAX, "JetStream is not ready");
            tokio::task::yield_now().await;
        }
        let consumer = pull::Config {
            durable_name: Some("p22".to_owned()),
            filter_subject: "hub.v1.work.22.>".to_owned(),
            ack_wait: Duration::from_secs(2),
            ..Default::default()
        };
        context.create_consumer_on_stream(consumer, "WORK").await.unwrap();
        let reports = stream::Config {
            name: "REPORT_22".to_owned(),
            subjects: vec!["hub.v1.report.22.>".to_owned()],
            ..Default::default()
        };
        context.create_stream(reports).await.unwrap();
        context
    }

    fn work(&self, case: u128) -> Work {
        let case = CaseId(uuid::Uuid::from_u128(case));
        let mut work = Work {
            origin: ORIGIN.to_owned(),
            province: "22".parse().unwrap(),
            kind: WorkKind::Case,
            case,
            number: CaseNumber::of(case, date(2026, 2, 13)),
            request: RequestId(uuid::Uuid::from_u128(case.0.as_u128() + 1)),
            digest: Hash([3; 32]),
            epoch: 5,
            item: Item::Reissue,
            category: Category::GeneralFreight,
            channel: Channel::Web,
            authority: IssuingAuthority {
                code: None,
                name: "长白山管委会".to_owned(),
                division: None,
            },
            submitted_at: moment(),
            due: DueDay { day: date(2026, 2, 24), papers: Vec::new(), provisional: false },
            next_report_number: None,
            sealed: None,
        };
        let personal = PersonalPart {
            reply_key: BASE64.encode([4; 32]),
            applicant: serde_json::json!({"name": "金丝雀"}),
        };
        let plain = serde_json::to_vec(&personal).unwrap();
        let (public, context) = (&self.province.seal_public, work.seal_context());
        let sealed = seal::seal_to(public, "22-seal-1", &[5; 32], context.as_bytes(), &plain);
        work.sealed = Some(sealed.unwrap());
        work
    }

    async fn send(&self, hub: &jetstream::Context, key: &SigningKey, token: &str, body: Vec<u8>) {
        let jws = signature::sign(key, "hub-1", Purpose::ToProvince, &body);
        let message = PublishMessage::build()
            .payload(body.into())
            .header(subjects::SIGNATURE_HEADER, jws.as_str());
        let subject = subjects::work("22".parse().unwrap(), token);
        hub.send_publish(subject, message).await.unwrap().await.unwrap();
    }

    async fn send_work(&self, hub: &jetstream::Context, key: &SigningKey, work: &Work) {
        let body = wire::work_to_bytes(uuid::Uuid::from_u128(7), moment(), work);
        self.send(hub, key, work.kind.token(), body).await;
    }

    async fn receipt(&self, hub: &jetstream::Context, reports: &[Sent]) {
        let receipt = |it: &Sent| ReportReceipt {
            report: it.message.id,
            case: it.message.report.case,
            position: Some(1),
            hash: None,
            refused: None,
            next_number: None,
        };
        let (origin, province) = (ORIGIN.to_owned(), "22".parse().unwrap());
        let (receipts, statements) = (reports.iter().map(receipt).collect(), vec![]);
        let receipts = Receipts { origin, province, epoch: 5, receipts, statements };
        let body = wire::receipts_to_bytes(uuid::Uuid::from_u128(8), moment(), &receipts);
        self.send(hub, &self.hub_key, subjects::RECEIPTS_TOKEN, body).await;
    }
}

struct Sent {
    message: ReportMessage,
    message_id: String,
    body: Vec<u8>,
}

/// The next reports as they stand in the province's stream, their signatures checked.
async fn reports(stage: &Stage, hub: &jetstream::Context, after: usize, count: usize) -> Vec<Sent> {
    let config = pull::OrderedConfig { ..Default::default() };
    let stream = hub.get_stream("REPORT_22").await.unwrap();
    let messages = stream.create_consumer(config).await.unwrap().messages().await.unwrap();
    let report = |it: &Result<jetstream::Message, _>| {
        std::future::ready(it.as_ref().is_ok_and(|it| !it.subject.ends_with("inventory")))
    };
    let mut messages = messages.filter(report).skip(after);
    let public = signature::public_key(&stage.province.sign_public).unwrap();
    let mut sent = Vec::new();
    while sent.len() < count {
        let next = tokio::time::timeout(WAIT_MAX, messages.next()).await;
        let message = next.expect("a report in time").unwrap().unwrap();
        let headers = message.headers.as_ref().unwrap();
        let jws = headers.get(subjects::SIGNATURE_HEADER).unwrap().as_str();
        signature::verify(&public, Purpose::Report, jws, &message.payload).unwrap();
        sent.push(Sent {
            message: wire::report_from_bytes(&message.payload).unwrap(),
            message_id: headers.get(subjects::MESSAGE_ID_HEADER).unwrap().as_str().to_owned(),
            body: message.payload.to_vec(),
        });
    }
    sent
}

fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < WAIT_MAX, "the condition did not come true in time");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_case_is_delivered_accepted_and_completed_until_every_report_is_receipted() {
    let stage = Stage::set(300);
    let hub = stage.hub().await;
    let checked = stage.adapter("check").output().unwrap();
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
    let _adapter = stage.serve();
    let work = stage.work(0x100);
    stage.send_work(&hub, &stage.hub_key, &work).await;
    stage.send_work(&hub, &stage.hub_key, &work).await;
    stage.send_work(&hub, &SigningKey::from_bytes(&[8; 32]), &stage.work(0x200)).await;

    let first = reports(&stage, &hub, 0, 3).await;
    let told: Vec<(u64, &str)> =
        first.iter().map(|it| (it.message.report.number, it.message.report.news.token())).collect();
    assert_eq!(told, [(1, "delivered"), (2, "accepted"), (3, "completed")]);
    assert!(matches!(first[0].message.report.news, News::Delivered { work: WorkKind::Case }));

    let again = reports(&stage, &hub, 3, 1).await;
    let same = first.iter().find(|it| it.message.id == again[0].message.id).unwrap();
    assert_eq!(again[0].body, same.body, "an unreceipted report is sent again as it was signed");
    assert_ne!(again[0].message_id, same.message_id, "under a new message id");

    stage.receipt(&hub, &first).await;
    let status = until(|| stage.status().filter(|it| it["reports_unreceipted"] == 0));
    assert_eq!((&status["work"], &status["reports"]), (&1.into(), &3.into()));
    assert_eq!(status["distrusted"][0]["reason"], "bad-signature");
    assert_eq!(status["connected"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adapter_that_is_killed_goes_on_and_stops_in_order_when_asked() {
    let stage = Stage::set(300);
    let hub = stage.hub().await;
    let killed = stage.serve();
    stage.send_work(&hub, &stage.hub_key, &stage.work(0x100)).await;
    let first = reports(&stage, &hub, 0, 1).await;
    drop(killed);

    let mut adapter = stage.serve();
    stage.send_work(&hub, &stage.hub_key, &stage.work(0x300)).await;
    let status = until(|| stage.status().filter(|it| it["reports"] == 6));
    assert_eq!(status["work"], 2, "the killed adapter's case is still one case");
    stage.receipt(&hub, &first).await;
    until(|| stage.status().filter(|it| it["reports_unreceipted"] == 5));

    let asked = Command::new("kill").arg(adapter.0.id().to_string()).status().unwrap();
    assert!(asked.success() && adapter.0.wait().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_of_hundreds_is_worked_off_without_loss_or_repetition() {
    const CASES: u128 = 600;
    let stage = Stage::set(60_000);
    let hub = stage.hub().await;
    for case in 1..=CASES {
        stage.send_work(&hub, &stage.hub_key, &stage.work(case << 16)).await;
    }
    let _adapter = stage.serve();
    let done =
        |it: &serde_json::Value| it["reports"] == 3 * CASES as u64 && it["work_untaken"] == 0;
    assert_eq!(until(|| stage.status().filter(done))["work"], 600);
    let sent = reports(&stage, &hub, 0, 3 * CASES as usize).await;
    let mut numbered: Vec<_> =
        sent.iter().map(|it| (it.message.report.case, it.message.report.number)).collect();
    numbered.sort_unstable();
    numbered.dedup();
    assert_eq!(numbered.len(), 3 * CASES as usize);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_forgot_everything_gets_the_unreceipted_reports_again_and_new_work_arrives() {
    let mut stage = Stage::set(300);
    let hub = stage.hub().await;
    let _adapter = stage.serve();
    stage.send_work(&hub, &stage.hub_key, &stage.work(0x100)).await;
    let before = reports(&stage, &hub, 0, 3).await;
    stage.receipt(&hub, &before[..1]).await;
    until(|| stage.status().filter(|it| it["reports_unreceipted"] == 2));

    stage.wipe_broker();
    let hub = stage.hub().await;
    let after = reports(&stage, &hub, 0, 2).await;
    let unreceipted: Vec<&[u8]> = before[1..].iter().map(|it| it.body.as_slice()).collect();
    assert!(after.iter().all(|it| unreceipted.contains(&it.body.as_slice())));
    stage.send_work(&hub, &stage.hub_key, &stage.work(0x100)).await;
    stage.send_work(&hub, &stage.hub_key, &stage.work(0x300)).await;
    let status = until(|| stage.status().filter(|it| it["work"] == 2 && it["reports"] == 6));
    assert_eq!(status["connected"], true);
}
