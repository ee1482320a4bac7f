//! Foreign programs that tests need, from Debian's packages. One at a time: a second `apt-get` beside the first
//! finds the lock taken and gives up.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::sync::Mutex;

/// Longest time for one program, fetching included.
const RUN_MAX: Duration = Duration::from_secs(600);
/// How long apt waits for somebody else's lock, in seconds.
const LOCK_WAIT: &str = "DPkg::Lock::Timeout=300";

static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

/// Installs packages; with the lists as they are, or, if that fails, with fresh ones.
pub async fn install(packages: &[&str]) -> Result<(), String> {
    let install = ["install", "--yes", "--no-install-recommends", "-q"];
    apt(&[&install, packages].concat(), Path::new(".")).await
}

/// Puts a package into `folder` without installing it.
pub async fn download(package: &str, folder: &Path) -> Result<(), String> {
    apt(&["download", "-q", package], folder).await
}

async fn apt(arguments: &[&str], folder: &Path) -> Result<(), String> {
    let _alone = ONE_AT_A_TIME.lock().await;
    let arguments = [&["-o", LOCK_WAIT], arguments].concat();
    if run("apt-get", &arguments, folder).await.is_err() {
        run("apt-get", &["-o", LOCK_WAIT, "update", "-q"], folder).await?;
        run("apt-get", &arguments, folder).await?;
    }
    Ok(())
}

/// Runs a program in `folder` to its end; what it said, as an error if it was not content.
pub async fn run(program: &str, arguments: &[&str], folder: &Path) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    let running = command.env("DEBIAN_FRONTEND", "noninteractive").output();
    let ended = tokio::time::timeout(RUN_MAX, running)
        .await
        .map_err(|_| format!("{program} did not end"))?
        .map_err(|it| format!("{program}: {it}"))?;
    let said = [ended.stdout, ended.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    if ended.status.success() { Ok(said) } else { Err(format!("{program}: {said}")) }
}
