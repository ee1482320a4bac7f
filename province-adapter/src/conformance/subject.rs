//! The adapter under test as a process: started, killed without warning, started again.

use std::fs::File;
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::process::{Child, Command};

use super::KitError;

/// Lines of the adapter's own output that a finding repeats.
const LOG_LINES_TOLD: usize = 8;
/// How long a killed adapter may take to be gone.
const GONE_WAIT_MAX: Duration = Duration::from_secs(5);
/// How often that is looked at.
const GONE_LOOK_PAUSE: Duration = Duration::from_millis(5);
/// Most characters of one of those lines.
const LOG_LINE_CHARACTERS_MAX: usize = 200;

/// How the adapter comes to life.
#[derive(Debug, Clone)]
pub enum Start {
    /// The kit starts and kills it: a shell command, `{config}` is the sandbox's folder.
    Command(String),
    /// Somebody starts it by hand; nothing that needs a restart is tried.
    External,
}

/// The adapter, running or not.
pub(crate) struct Subject {
    start: Start,
    folder: PathBuf,
    child: Mutex<Option<Child>>,
    /// Killed and perhaps not gone yet: it may still hold the locks of its store.
    dying: Mutex<Option<Dying>>,
}

/// The killed process, and the group that it and its own children are.
struct Dying {
    child: Child,
    group: Option<Pid>,
}

impl Subject {
    pub(crate) fn new(start: Start, folder: PathBuf) -> Self {
        Self { start, folder, child: Mutex::new(None), dying: Mutex::new(None) }
    }

    /// Whether the kit may kill it and start it again.
    pub(crate) fn is_ours(&self) -> bool {
        matches!(self.start, Start::Command(_))
    }

    /// Starts it; does nothing while it runs or when it is not ours.
    pub(crate) fn start(&self, environment: &[(&'static str, String)]) -> Result<(), KitError> {
        let Start::Command(command) = &self.start else { return Ok(()) };
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(child.as_mut().map(Child::try_wait), Some(Ok(None))) {
            return Ok(());
        }
        self.wait_until_gone();
        let command = command.replace("{config}", &self.folder.display().to_string());
        let failed = |source| KitError::Start { command: command.clone(), source };
        let log = File::options().create(true).append(true).open(self.log()).map_err(failed)?;
        let second = log.try_clone().map_err(failed)?;
        let started = Command::new("sh")
            // `exec`, so that what is killed is the adapter and not a shell beside it.
            .args(["-c", &format!("exec {command}")])
            .envs(environment.iter().map(|(name, value)| (*name, value.as_str())))
            // For wrappers that start the sidecar beside an office: this program is it.
            .envs(std::env::current_exe().ok().map(|it| ("PROVINCE_ADAPTER", it)))
            // Its last words are quoted in the report; colours are not for files.
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(second)
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        *child = Some(started);
        Ok(())
    }

    /// SIGKILL, at once; whatever it had not made durable is lost. True if it ran.
    pub(crate) fn kill(&self) -> bool {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut it) = child.take() else { return false };
        let group = group_of(&it);
        let killed = it.start_kill().is_ok();
        kill_group(group);
        let dying = Dying { child: it, group };
        *self.dying.lock().unwrap_or_else(PoisonError::into_inner) = Some(dying);
        killed
    }

    /// A killed process is gone in a moment; on a busy machine the moment is longer than a start.
    fn wait_until_gone(&self) {
        let dying = self.dying.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(Dying { mut child, group }) = dying else { return };
        let give_up = Instant::now() + GONE_WAIT_MAX;
        let there = |child: &mut Child| {
            let leader = matches!(child.try_wait(), Ok(None));
            leader || group.is_some_and(|it| test_kill_process_group(it).is_ok())
        };
        while there(&mut child) && Instant::now() < give_up {
            std::thread::sleep(GONE_LOOK_PAUSE);
        }
    }

    /// How it ended, if it did so by itself since the last look.
    pub(crate) fn ended(&self) -> Option<String> {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let status = child.as_mut()?.try_wait().ok()??;
        *child = None;
        Some(match (status.code(), status.signal()) {
            (Some(code), _) => format!("exit code {code}"),
            (None, Some(signal)) => format!("signal {signal}"),
            (None, None) => "unknown".to_owned(),
        })
    }

    /// The end of what it printed.
    pub(crate) fn said(&self) -> String {
        let text = std::fs::read(self.log()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines: Vec<String> =
            text.lines().map(|it| it.chars().take(LOG_LINE_CHARACTERS_MAX).collect()).collect();
        lines[lines.len().saturating_sub(LOG_LINES_TOLD)..].join("\n")
    }

    fn log(&self) -> PathBuf {
        self.folder.join("adapter-output.txt")
    }
}

fn group_of(child: &Child) -> Option<Pid> {
    Pid::from_raw(i32::try_from(child.id()?).ok()?)
}

/// Its own children, e.g. those of a wrapper script, must not go on without it.
fn kill_group(group: Option<Pid>) {
    if let Some(group) = group {
        // A group that is gone needs no killing.
        let _gone = kill_process_group(group, Signal::KILL);
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        let child = self.child.get_mut().unwrap_or_else(PoisonError::into_inner);
        kill_group(child.as_ref().and_then(group_of));
    }
}
