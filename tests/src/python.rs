//! The adapter in Python, from its own folder and with its own pinned packages: a stranger to our code.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use hub::nats::keys::{self, ProvinceKeys};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use crate::broker::not_run;
use crate::debian::{install, run};

/// Where the example lies.
pub fn folder() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/examples/python-adapter"))
}

static PYTHON: OnceCell<Result<PathBuf, String>> = OnceCell::const_new();

/// A Python that has the example's packages. If there is none, `test` is told as not run; on the
/// build server that fails.
pub async fn python(test: &str) -> Option<PathBuf> {
    match PYTHON.get_or_init(environment).await {
        Ok(python) => Some(python.clone()),
        Err(why) => {
            not_run(test, why);
            None
        }
    }
}

/// The example's.
async fn environment() -> Result<PathBuf, String> {
    environment_of(&folder().join("requirements.txt"), "python-adapter").await
}

/// A Python with these packages: made once a machine and set of packages, beside the other fetched
/// tools. Nobody sees half of one.
pub async fn environment_of(requirements: &Path, name: &str) -> Result<PathBuf, String> {
    let text = fs::read(requirements).map_err(|it| it.to_string())?;
    let digest: String =
        Sha256::digest(text).iter().take(6).map(|it| format!("{it:02x}")).collect();
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools");
    let whole = tools.join(format!("{name}-{digest}"));
    let python = whole.join("bin/python");
    if python.exists() {
        return Ok(python);
    }
    fs::create_dir_all(&tools).map_err(|it| it.to_string())?;
    let making = tools.join(format!("{name}-{digest}.{}", std::process::id()));
    let here = Path::new(".");
    let venv = ["-m", "venv", making.to_str().ok_or("a path that is no text")?];
    if run("python3", &venv, here).await.is_err() {
        // Debian keeps the module in a package of its own.
        install(&["python3-venv"]).await?;
        run("python3", &venv, here).await?;
    }
    let own = making.join("bin/python");
    let install =
        ["-m", "pip", "install", "-q", "--require-hashes", "--only-binary", ":all:", "-r"];
    let mut arguments = install.to_vec();
    arguments.push(requirements.to_str().ok_or("a path that is no text")?);
    run(own.to_str().ok_or("a path that is no text")?, &arguments, here).await?;
    // Another process may have been faster: then its environment is as good.
    if fs::rename(&making, &whole).is_err() {
        let _ = fs::remove_dir_all(&making);
    }
    if python.exists() { Ok(python) } else { Err("the environment was not made".to_owned()) }
}

/// The bundle that a province's adapter starts with, in `folder`: `sandbox.json` of the contract.
pub fn write_bundle(
    folder: &Path,
    code: u8,
    url: &str,
    keys: &ProvinceKeys,
    origin: &str,
    hub_public_key: &str,
) {
    keys.write_to(&folder.join("keys")).expect("key files");
    let file = |name: &str| format!("keys/{name}");
    let bundle = json!({
        "v": 1,
        "origin": origin,
        "province": code.to_string(),
        "broker": {
            "urls": [url],
            "nkey_seed_file": file(keys::NKEY_FILE),
            "inbox_prefix": format!("_INBOX_p{code}"),
            "api_prefix": "HUBJS.API",
            "stream": "WORK",
            "consumer": format!("p{code}"),
            "report_subject": format!("hub.v1.report.{code}"),
        },
        "keys": {
            "sign_key_file": file(keys::SIGN_FILE),
            "sign_key_id": format!("{code}-sign-1"),
            "seal_key_file": file(keys::SEAL_FILE),
            "seal_key_id": format!("{code}-seal-1"),
            "hub_public_key": hub_public_key,
            "hub_key_id": "hub-1",
        },
        "pace": {"resend_after_ms": [500, 1000, 2000]},
        "state_dir": "state",
    });
    fs::write(folder.join("sandbox.json"), bundle.to_string()).expect("a bundle is written");
}

/// Starts the adapter on the bundle in `folder`; dropped, it is killed.
pub fn start(python: &Path, folder: &Path, office: &str) -> Child {
    let mut options = fs::File::options();
    let log = options.create(true).append(true).open(folder.join("adapter.txt")).expect("a log");
    Command::new(python)
        .arg("-B")
        .arg(self::folder().join("adapter.py"))
        .args(["--office", office])
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a second handle"))
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .expect("the adapter starts")
}
