//! The real executables, as somebody in a shell meets them: a folder, a configuration, signals, exit codes.

pub mod joined;

use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use events::ids::ProvinceCode;
use events::proof::signature;
use hub::callers::token_hash;
use hub::clock::Clock;
use hub::nats::keys::{self, ProvinceKeys, UserKey};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::process::{Child, Command};

use crate::broker::wait_for;

/// Longest time for one command that does not serve.
pub const COMMAND_MAX: Duration = Duration::from_secs(120);
/// Longest time to end after SIGTERM, as `deploy` promises it.
pub const STOP_MAX: Duration = Duration::from_secs(20);
/// What the hubs here are called.
pub const ORIGIN: &str = "hub.test/command-line";
/// The last working day but one of the last year whose calendar the hub comes with, 09:30 in Shanghai.
pub const TOLD_START: &str = "2026-12-30T01:30:00Z";
pub(crate) const NATIONAL: &str = "token-of-the-national-system-0123456789";
const OPERATOR: &str = "token-of-the-operator-0123456789abcdef";

/// An executable of this build: beside this test's own.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its own program");
    let folder = test.parent().and_then(Path::parent).expect("target/<profile>/deps");
    let program = folder.join(name);
    assert!(program.is_file(), "`{}` is missing (cargo build --workspace)", program.display());
    program
}

/// A command as it starts in a shell; it does not build anything by itself.
pub fn command(name: &str) -> Command {
    let mut command = Command::new(program(name));
    command.env_remove("CARGO").env("RUST_BACKTRACE", "0").kill_on_drop(true);
    command
}

/// How a command ended and what it said.
#[derive(Debug)]
pub struct Ended {
    /// The exit code; none after a signal.
    pub code: Option<i32>,
    /// Data.
    pub out: String,
    /// Talk.
    pub err: String,
}

impl Ended {
    /// The one JSON document on stdout.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|it| panic!("not JSON ({it}): {self:?}"))
    }

    /// The JSON lines on stdout.
    pub fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|it| serde_json::from_str(it).expect("a JSON line")).collect()
    }

    /// Expects this exit code.
    #[track_caller]
    pub fn with(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:#?}");
        self
    }
}

/// Runs a command to its end with `input` on its stdin.
pub async fn run_with(mut command: Command, input: &str) -> Ended {
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().expect("the program starts");
    let mut stdin = child.stdin.take().expect("a pipe");
    // Whoever does not read what is written is no mistake of the test.
    let _ = stdin.write_all(input.as_bytes()).await;
    drop(stdin);
    let output = tokio::time::timeout(COMMAND_MAX, child.wait_with_output())
        .await
        .expect("a command ends")
        .expect("a command has an output");
    Ended {
        code: output.status.code(),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// Runs `hub` with these arguments where there is no configuration.
pub async fn hub(arguments: &[&str]) -> Ended {
    let mut command = command("hub");
    command.args(arguments);
    run_with(command, "").await
}

/// Sends a signal by its name through the system's own program: our crates have no unsafe code.
pub async fn signal(child: &Child, name: &str) {
    let id = child.id().expect("it still runs").to_string();
    let status = Command::new("kill").args([&format!("-{name}"), &id]).status().await;
    assert!(status.expect("there is a kill").success());
}

/// A hub's folder with keys and a configuration; its time begins at [`TOLD_START`].
pub struct HubFolder {
    folder: TempDir,
    hub_public: String,
    time_lapse: String,
    made_at: jiff::Timestamp,
}

impl HubFolder {
    /// For a broker at `url` that knows `user`.
    pub fn new(url: &str, user: &UserKey) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        keys::write_secret(&at("hub.nkey"), user.seed()).expect("a key file");
        // Any 32 bytes are keys; those of another generated pair are random.
        for name in ["hub.sign", "hub.wrap"] {
            let random = ProvinceKeys::generate().expect("keys");
            keys::write_secret(&at(name), random.seal_private()).expect("a key file");
        }
        keys::write_secret(&at("operator.token"), OPERATOR).expect("a token file");
        let sign = keys::read_signing_key(&at("hub.sign")).expect("a signing key");
        let hub_public = signature::public_key_text(&sign.verifying_key());
        let made_at = Clock::real_now();
        let time_lapse = time_lapse(made_at);
        std::fs::write(at("hub.toml"), configuration(url, &time_lapse)).expect("a configuration");
        Self { folder, hub_public, time_lapse, made_at }
    }

    /// Of a hub that has no broker to talk to.
    pub fn alone() -> Self {
        Self::new("nats://127.0.0.1:9", &UserKey::generate().expect("a key"))
    }

    /// A file in it.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The same as text for a command line.
    pub fn text(&self, name: &str) -> String {
        self.at(name).to_str().expect("UTF-8").to_owned()
    }

    /// Adds to the configuration.
    pub fn add(&self, text: &str) {
        let file = self.at("hub.toml");
        let known = std::fs::read_to_string(&file).expect("it is there");
        std::fs::write(file, format!("{known}\n{text}")).expect("it is written");
    }

    /// The table that makes an adapter tell the hub's time.
    pub fn time_lapse(&self) -> &str {
        &self.time_lapse
    }

    /// What time the hub tells.
    pub fn told_now(&self) -> jiff::Timestamp {
        let start: jiff::Timestamp = TOLD_START.parse().expect("a moment");
        start + Clock::real_now().duration_since(self.made_at)
    }

    /// The hub's public key.
    pub fn hub_public(&self) -> &str {
        &self.hub_public
    }

    /// `hub --config … arguments`, to be started.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = command("hub");
        command.arg("--config").arg(self.at("hub.toml")).args(arguments);
        command
    }

    /// `hub --config … arguments`, to its end.
    pub async fn hub(&self, arguments: &[&str]) -> Ended {
        run_with(self.command(arguments), "").await
    }

    /// `hub serve`, until it answers.
    pub async fn serve(&self) -> Serving {
        let address_file = self.at("hub.address");
        let _ = std::fs::remove_file(&address_file);
        let mut options = std::fs::File::options();
        let log = options.create(true).append(true).open(self.at("hub.txt")).expect("a log file");
        let child = self
            .command(&["serve"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a second handle"))
            .stderr(log)
            .spawn()
            .expect("the hub starts");
        let http = reqwest::Client::builder().no_proxy().timeout(COMMAND_MAX).build();
        let mut serving =
            Serving { child, address: String::new(), http: http.expect("an HTTP client") };
        serving.address = wait_for("the hub's address", async || {
            let address = std::fs::read_to_string(&address_file).ok()?;
            let live = serving.http.get(format!("http://{address}/livez")).send().await.ok()?;
            live.status().is_success().then_some(address)
        })
        .await;
        serving
    }

    /// What `hub show --json` tells of a case.
    pub async fn story(&self, case: &str) -> Vec<Value> {
        self.hub(&["show", case, "--json"]).await.with(0).lines()
    }

    /// Writes a configuration and the keys of a province's adapter, and what it asks to be enrolled with.
    pub fn adapter(&self, url: &str, province: ProvinceCode, keys: &ProvinceKeys) -> Command {
        keys.write_to(&self.at("adapter-keys")).expect("key files");
        std::fs::write(self.at("request.json"), enrolment(province, keys).to_string())
            .expect("a request");
        let text = format!(
            r#"province = "{province}"
origin = "{ORIGIN}"
office = "simulated"
[broker]
urls = ["{url}"]
nkey_seed_file = "adapter-keys/{nkey}"
[keys]
sign_key_file = "adapter-keys/{sign}"
sign_key_id = "{province}-sign-1"
seal_key_file = "adapter-keys/{seal}"
seal_key_id = "{province}-seal-1"
hub_public_key = "{hub}"
hub_key_id = "hub-1"
[store]
path = "adapter.db"
[simulated]
mode = "instant"
{time_lapse}"#,
            time_lapse = self.time_lapse,
            nkey = keys::NKEY_FILE,
            sign = keys::SIGN_FILE,
            seal = keys::SEAL_FILE,
            hub = self.hub_public,
        );
        std::fs::write(self.at("adapter.toml"), text).expect("a configuration");
        let mut command = command("province-adapter");
        command.arg("--config").arg(self.at("adapter.toml"));
        command
    }
}

/// What a province sends to be enrolled.
fn enrolment(province: ProvinceCode, keys: &ProvinceKeys) -> Value {
    json!({
        "sign": {"key_id": keys::sign_key_id(province, 1), "public_key": keys.sign_public()},
        "seal": {"key_id": keys::seal_key_id(province, 1), "public_key": keys.seal_public()},
        "connect": {"key_id": format!("{province}-connect-1"), "public_key": keys.user.public()},
    })
}

/// As fast as it passes, but from another day on.
fn time_lapse(now: jiff::Timestamp) -> String {
    format!("[time_lapse]\nreal_start = \"{now}\"\ntold_start = \"{TOLD_START}\"\nrate = 1\n")
}

fn configuration(url: &str, time_lapse: &str) -> String {
    format!(
        r#"origin = "{ORIGIN}"
data = "data"
checkpoints = "checkpoints/checkpoints.txt"
wrapping_key_file = "hub.wrap"
sign_key_file = "hub.sign"
pace_ms = [200, 500, 1000]
[http]
listen = "127.0.0.1:0"
address_file = "hub.address"
[broker]
url = "{url}"
nkey_seed_file = "hub.nkey"
[[clients]]
name = "national"
role = "national"
token_sha256 = "{national}"
[[clients]]
name = "operator"
role = "operator"
token_sha256 = "{operator}"
{time_lapse}"#,
        national = token_hash(NATIONAL),
        operator = token_hash(OPERATOR),
    )
}

/// A hub that serves; dropped, it is killed.
pub struct Serving {
    /// The process.
    pub child: Child,
    /// Where it listens.
    pub address: String,
    http: reqwest::Client,
}

impl Serving {
    /// Hands in the `nth` person's case; its receipt.
    pub async fn submit(&self, nth: u32) -> Value {
        self.hand_in(nth, crate::http::submission(nth)).await
    }

    /// The same for an authority in the province of `code`.
    pub async fn submit_to(&self, nth: u32, code: u8) -> Value {
        let mut body = crate::http::submission(nth);
        // Not every province has a city of the number 01.
        let division = crate::measure::road::Road::divisions(&[code]).remove(0);
        body["authority"] = json!({"name": "某市交通运输局", "division": division});
        self.hand_in(nth, body).await
    }

    /// What the hub counts, as Prometheus reads it.
    pub async fn metrics(&self) -> String {
        let request = self.http.get(format!("http://{}/metrics", self.address));
        request.bearer_auth(OPERATOR).send().await.expect("an answer").text().await.expect("text")
    }

    /// What the hub tells an operator.
    pub async fn get(&self, path: &str) -> Value {
        let request = self.http.get(format!("http://{}{path}", self.address));
        let answer = request.bearer_auth(OPERATOR).send().await.expect("the hub answers");
        answer.json().await.expect("a JSON answer")
    }

    /// What an operator asks of the hub: the status and the answer.
    pub async fn order(&self, path: &str, body: &Value) -> (u16, Value) {
        let request = self.http.post(format!("http://{}{path}", self.address));
        let answer = request.bearer_auth(OPERATOR).json(body).send().await;
        let answer = answer.expect("the hub answers");
        (answer.status().as_u16(), answer.json().await.expect("a JSON answer"))
    }

    async fn hand_in(&self, nth: u32, mut body: Value) -> Value {
        body["submitted_at"] = json!("2026-12-30T09:00:00+08:00");
        self.submit_body(&format!("submission-{nth}"), &body).await
    }

    /// Hands in this case; its receipt.
    pub async fn submit_body(&self, key: &str, body: &Value) -> Value {
        let (status, receipt) = self.post("/v1/cases", key, body).await;
        assert_eq!(status, 201, "{receipt}");
        receipt
    }

    /// The same from somebody who is in a trace of his own.
    pub async fn submit_within(&self, traceparent: &str, key: &str, body: &Value) -> Value {
        let request = self.http.post(format!("http://{}/v1/cases", self.address));
        let request = request.bearer_auth(NATIONAL).header("traceparent", traceparent);
        let answer = request.header("idempotency-key", key).json(body).send().await;
        answer.expect("the hub answers").json().await.expect("a JSON answer")
    }

    /// What the national system is answered.
    pub async fn post(&self, path: &str, key: &str, body: &Value) -> (u16, Value) {
        let request = self
            .http
            .post(format!("http://{}{path}", self.address))
            .bearer_auth(NATIONAL)
            .header("idempotency-key", key)
            .json(body);
        let answer = request.send().await.expect("the hub answers");
        let status = answer.status().as_u16();
        (status, answer.json().await.expect("a JSON answer"))
    }

    /// Ends it in an orderly way, as systemd would.
    pub async fn stop(&mut self) -> ExitStatus {
        signal(&self.child, "TERM").await;
        let ended = tokio::time::timeout(STOP_MAX, self.child.wait()).await;
        ended.expect("a hub ends within 20 s").expect("it has a status")
    }
}
