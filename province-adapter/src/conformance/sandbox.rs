//! `sandbox` on the command line: a hub's side that stays, for whoever is writing an adapter or an
//! office. It hands out a first case by itself and more on demand, and says what it sees.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use events::ids::ProvinceCode;
use tokio::sync::mpsc;

use super::book::Book;
use super::command::{own_sidecar, say};
use super::script::{Step, sentence};
use super::stage::Stage;
use super::{KitError, PATIENCE_DEFAULT, Settings, Start, findings, set_up};
use crate::check::chain;
use crate::clock::Clock;

/// How often an adapter that ended by itself is noticed.
const LOOK_PAUSE: Duration = Duration::from_millis(500);
/// Lines that may be typed ahead; whoever types more waits.
const LINES_AHEAD_MAX: usize = 16;
/// What a case without a sentence of its own wants.
const USUAL: &str = "answers accept, approve, certificate";

/// Keep a sandbox running for a developer.
#[derive(Debug, Args)]
pub struct Sandbox {
    /// The adapter's command; `{config}` is the folder that is written for it. Without one our own
    /// sidecar runs with its obedient office.
    #[arg(long, conflicts_with = "external")]
    adapter: Option<String>,
    /// Start no adapter: you start yours by hand with what lies in the folder.
    #[arg(long)]
    external: bool,
    /// For which province the adapter speaks.
    #[arg(long, default_value = "22")]
    province: ProvinceCode,
    /// Where keys, configuration and state go; made if missing.
    #[arg(long, default_value = "sandbox")]
    out: PathBuf,
    /// The broker's port; the server chooses one if none is given.
    #[arg(long)]
    port: Option<u16>,
    /// The nats-server to use; found or fetched if none is given.
    #[arg(long)]
    nats_server: Option<PathBuf>,
}

impl Sandbox {
    /// Runs until Ctrl-C or the end of the input. 0 ended in order, 2 used wrongly or no broker.
    pub async fn run(self) -> ExitCode {
        match self.keep_running().await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                say(&chain(&error));
                ExitCode::from(2)
            }
        }
    }

    async fn keep_running(self) -> Result<(), KitError> {
        let start = match (&self.adapter, self.external) {
            (Some(command), _) => Start::Command(command.clone()),
            (None, true) => Start::External,
            (None, false) => own_sidecar().map_or(Start::External, Start::Command),
        };
        let mut settings = Settings::new(self.province, self.out.clone());
        (settings.nats_server, settings.port) = (self.nats_server.clone(), self.port);
        settings.patience = PATIENCE_DEFAULT;
        let mut stage = set_up(&settings, start, Clock::Machine).await?;
        stage.start_adapter()?;
        self.greet(&stage);
        let (mut told, mut count) = (Told::default(), 0);
        hand_out(&mut stage, &mut count).await?;
        let mut lines = typed_lines();
        let mut changes = stage.shared().watch();
        loop {
            tokio::select! {
                line = lines.recv() => match line {
                    Some(line) => obey(&mut stage, line.trim(), &mut count).await?,
                    // Nobody types any more, e.g. under a service manager: it goes on by itself.
                    None => wait_for_end(&stage, &mut told).await?,
                },
                _ = changes.changed() => {}
                () = tokio::time::sleep(LOOK_PAUSE) => {}
                _ = tokio::signal::ctrl_c() => return Ok(()),
            }
            look_after(&stage);
            told.tell(&stage.shared().book());
            if told.ended {
                return Ok(());
            }
        }
    }

    fn greet(&self, stage: &Stage) {
        let folder = stage.folder.display();
        say(&format!("沙箱就绪 the sandbox is ready: {}", stage.broker.url()));
        say(&format!("  配置 configuration: {folder}/sandbox.json, sandbox.env, adapter.toml"));
        if self.external {
            say("  请启动适配器 start your adapter with it (HUB_SANDBOX is the folder)");
        }
        say(
            "回车：再来一件 Enter: another case. 或输入场景语句 or sentences of the scenarios, e.g.",
        );
        say("  case A reissue passenger answers decline over-age with text");
        say("  send A   |   withdraw A   |   hold receipts   |   give receipts");
    }
}

/// What somebody types, line by line. The thread that waits for it ends with the program.
fn typed_lines() -> mpsc::Receiver<String> {
    let (sender, lines) = mpsc::channel(LINES_AHEAD_MAX);
    std::thread::spawn(move || {
        let typed = std::io::stdin().lines().map_while(Result::ok);
        for line in typed {
            if sender.blocking_send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// The end of the input does not end the sandbox; Ctrl-C does.
async fn wait_for_end(stage: &Stage, told: &mut Told) -> Result<(), KitError> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_PAUSE) => {
                look_after(stage);
                told.tell(&stage.shared().book());
            }
            _ = tokio::signal::ctrl_c() => {
                told.ended = true;
                return Ok(());
            }
        }
    }
}

async fn hand_out(stage: &mut Stage, count: &mut u32) -> Result<(), KitError> {
    *count += 1;
    for text in [format!("case T{count} {USUAL}"), format!("send T{count}")] {
        play(stage, &text).await?;
    }
    Ok(())
}

async fn obey(stage: &mut Stage, line: &str, count: &mut u32) -> Result<(), KitError> {
    match line {
        "" => hand_out(stage, count).await,
        text => play(stage, text).await,
    }
}

async fn play(stage: &mut Stage, text: &str) -> Result<(), KitError> {
    let what = match sentence(text) {
        Ok(what) => what,
        Err(why) => {
            say(&format!("? {why}"));
            return Ok(());
        }
    };
    let step = Step { line: 0, text: text.to_owned(), what };
    match stage.perform(&step).await {
        Ok(_) => Ok(()),
        // A slip of the keyboard does not end a sandbox.
        Err(KitError::Script { why }) => {
            say(&format!("? {why}"));
            Ok(())
        }
        Err(error) => Err(error),
    }
}

fn look_after(stage: &Stage) {
    if let Some(how) = stage.shared().subject.ended() {
        say(&format!("✗ 适配器已退出 the adapter ended: {how}\n{}", stage.shared().subject.said()));
    }
}

/// How much of the book has been said already.
#[derive(Default)]
struct Told {
    happened: usize,
    violations: usize,
    ended: bool,
}

impl Told {
    fn tell(&mut self, book: &Book) {
        for it in book.happened.iter().skip(self.happened) {
            say(&format!("  {} {}", it.case.as_deref().unwrap_or(""), it.what));
        }
        for it in book.violations.iter().skip(self.violations) {
            say(&format!("✗ {} {}: {}", it.finding, it.case.as_deref().unwrap_or(""), it.seen));
            if let Some(about) = findings::find(it.finding) {
                say(&format!("    {}\n    {}", about.change.zh, about.change.en));
            }
        }
        (self.happened, self.violations) = (book.happened.len(), book.violations.len());
    }
}
