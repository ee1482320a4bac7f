//! The whole journey on one machine: broker, hub, provinces, a national load, trouble, and a check of itself.

mod calm;
mod check;
mod desk;
mod drive;
mod load;
mod screen;
mod setup;
mod stage;
mod story;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use events::ids::ProvinceCode;
use events::time_lapse::TimeLapse;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::RwLock;

use super::{Verdict, output};
use crate::clock::Clock;
use calm::Calm;
use check::{Kills, Summary};
use desk::Desk;
use drive::Ledger;
use stage::{Programs, Setting, Stage};

/// Tuesday 2026-03-31, 15:00 in Shanghai: three working days before the Qingming holiday.
const TOLD_START: &str = "2026-03-31T07:00:00Z";
/// Real time that everything gets to start before the clock runs.
const HEAD_START: Duration = Duration::from_secs(4);
/// The share of the told time in which applications come in, in percent.
const LOAD_PERCENT: i32 = 50;
/// What an office takes of its adapter within a real minute: in the demo told days pass in seconds.
const DEMO_PER_MINUTE: u32 = 600_000;
/// After a long absence it is the adapter's default pace, so that the catching-up lasts.
const CATCH_UP_PER_MINUTE: u32 = 600;
/// Longest wait, after the load, for its last answers.
const LAST_ANSWERS_WAIT_MAX: Duration = Duration::from_secs(60);

/// `hub demo`
#[derive(Debug, Args)]
pub(super) struct DemoArguments {
    /// How many good submissions; some bad ones come on top.
    #[arg(long, default_value_t = 3_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    cases: u32,
    /// How many provinces, by code.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..=32))]
    provinces: u32,
    /// The same seed gives the same load and the same behaviour of every office.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Real seconds from the first submission to the summary.
    #[arg(long = "for", default_value_t = 120, value_name = "SECONDS",
        value_parser = clap::value_parser!(u32).range(5..=86_400))]
    seconds: u32,
    /// Told seconds a real second; at 3600 an hour passes in each second.
    #[arg(long, default_value_t = 3_600, value_name = "RATE",
        value_parser = clap::value_parser!(u32).range(1..=86_400))]
    time_lapse: u32,
    /// Which broker: any that is found, Debian 12's 2.9, or the newest that we have tested.
    #[arg(long, value_enum, default_value_t = BrokerChoice::Any)]
    broker: BrokerChoice,
    /// Leave out the outage, the kills and the wipe.
    #[arg(long)]
    calm: bool,
    /// Instead of the story: kill hub, adapters and broker at random, about one each so many real seconds.
    #[arg(long, value_name = "SECONDS", conflicts_with = "calm", value_parser = clap::value_parser!(u32).range(1..=3_600))]
    kill_every: Option<u32>,
    /// Instead of the story: every province is dark for two fifths of the time, as over a long holiday; then, while
    /// they catch up, only their adapters are killed, one each `--kill-every` real seconds.
    #[arg(long, requires = "kill_every")]
    absence: bool,
    /// Keep everything in this folder, which must not exist yet.
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Also write every request of the load, one JSON object a line: made-up people, for looking for traces.
    #[arg(long, value_name = "FILE", hide = true)]
    dump_load: Option<PathBuf>,
    /// Print the summary as one JSON object instead of tables.
    #[arg(long)]
    json: bool,
}

/// Which nats-server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BrokerChoice {
    /// Any that is found, else fetched.
    Any,
    /// 2.9
    #[value(name = "2.9")]
    Old,
    /// The newest tested.
    Current,
}

pub(super) fn run(arguments: DemoArguments) -> anyhow::Result<Verdict> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start a runtime")?;
    let summary = runtime.block_on(play(&arguments))?;
    if arguments.json {
        output::line(&serde_json::to_string_pretty(&summary)?)?;
    } else {
        output::line(&screen::summary(&summary))?;
    }
    Ok(if summary.holds() { Verdict::Yes } else { Verdict::No })
}

async fn play(arguments: &DemoArguments) -> anyhow::Result<Summary> {
    let provinces: Vec<ProvinceCode> =
        ProvinceCode::all().take(arguments.provinces as usize).collect();
    let programs = Programs::find(match arguments.broker {
        BrokerChoice::Any => None,
        BrokerChoice::Old => Some("2.9"),
        BrokerChoice::Current => Some("current"),
    })
    .await?;
    let lapse = TimeLapse {
        real_start: Clock::real_now() + SignedDuration::try_from(HEAD_START)?,
        told_start: TOLD_START.parse()?,
        rate: arguments.time_lapse,
    };
    let pick = |code: u8| {
        provinces.iter().copied().find(|it| it.number() == code).or(provinces.last().copied())
    };
    let setting = Setting {
        keep: arguments.keep.as_deref(),
        programs,
        provinces: &provinces,
        lapse,
        seed: arguments.seed,
        twice: if arguments.calm { None } else { pick(43) },
        office_per_minute: if arguments.absence { CATCH_UP_PER_MINUTE } else { DEMO_PER_MINUTE },
    };
    let mut stage = Stage::build(&setting).await?;
    let dark = if arguments.calm { None } else { pick(37) };
    let outcome = tokio::select! {
        outcome = on_stage(&mut stage, arguments, lapse, dark) => outcome,
        () = told_to_stop() => Err(anyhow::anyhow!("stopped on request; everything that was started is stopped")),
    };
    stage.stop().await;
    let (ledger, mut summary, calm) = outcome?;
    summary.broker = stage.release.to_string();
    settle(&stage, &ledger, &calm, &mut summary).await?;
    Ok(summary)
}

/// Ctrl-C, SIGTERM, or a terminal that was closed: whatever was started must not outlive us.
async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut hangup)) =
        (signal(SignalKind::terminate()), signal(SignalKind::hangup()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
}

/// From the first process to the end of the told time.
async fn on_stage(
    stage: &mut Stage,
    arguments: &DemoArguments,
    lapse: TimeLapse,
    dark: Option<ProvinceCode>,
) -> anyhow::Result<(Arc<Ledger>, Summary, Calm)> {
    let clock = Clock::Lapse(lapse);
    let address = stage.start_hub().await?;
    say!("hub {address}, nats-server {} at {}", stage.release, stage.broker.url());
    say!("控制台 console: {address}/   (time lapse: 1 real second = {} told seconds)", lapse.rate);
    enrol(stage, &address).await?;
    let mut desk = people(stage, arguments.kill_every.is_some()).await?;
    for province in stage.provinces() {
        stage.start_adapter(province)?;
    }
    let base = Arc::new(RwLock::new(address));
    let ledger = Arc::new(Ledger::default());
    let stop = Arc::new(AtomicBool::new(false));
    let told = SignedDuration::from_secs(i64::from(arguments.seconds) * i64::from(lapse.rate));
    let planned = load::plan(&load::LoadPlan {
        seed: arguments.seed,
        cases: arguments.cases as usize,
        provinces: stage.provinces(),
        start: lapse.told_start,
        span: (told / 100) * LOAD_PERCENT,
    });
    if let Some(file) = &arguments.dump_load {
        load::write_down(&planned, file)?;
    }
    let driver = tokio::spawn(drive::drive(
        base.clone(),
        stage.national_token.clone(),
        planned,
        clock.clone(),
        stop.clone(),
        ledger.clone(),
    ));
    let timeline = match arguments.kill_every {
        _ if arguments.calm => Vec::new(),
        None => story::timeline(lapse.told_start, told, dark),
        Some(seconds) => {
            let every = SignedDuration::from_secs(i64::from(seconds) * i64::from(lapse.rate));
            let provinces = stage.provinces();
            let (seed, start) = (arguments.seed, lapse.told_start);
            if arguments.absence {
                story::absence_timeline(seed, start, told, every, &provinces)
            } else {
                // The last third is calm, so that what was interrupted can come home.
                story::random_timeline(seed, start, (told / 3) * 2, every, &provinces)
            }
        }
    };
    let mut screen = screen::Screen::new(stage, clock.clone(), !arguments.json)?;
    let end = lapse.told_start + told;
    let (kills, troubled) =
        watch(stage, &clock, end, timeline, (&base, &ledger), &mut screen, &mut desk).await?;
    let calm = Calm::new(troubled, clock.now(), stage.provinces(), lapse);
    let finished = tokio::time::timeout(LAST_ANSWERS_WAIT_MAX, driver).await;
    stop.store(true, Ordering::Relaxed);
    finished.context("the hub did not answer every submission in time")???;
    let summary = Summary {
        seed: arguments.seed,
        provinces: arguments.provinces as usize,
        real_seconds: u64::from(arguments.seconds),
        told_hours: told.as_hours().unsigned_abs(),
        kills,
        ..Summary::default()
    };
    Ok((ledger, summary, calm))
}

/// Looks each second until the told end, and lets the story's trouble happen. When the last was over.
async fn watch(
    stage: &mut Stage,
    clock: &Clock,
    end: Timestamp,
    mut timeline: Vec<(Timestamp, story::Trouble)>,
    (base, ledger): (&RwLock<String>, &Ledger),
    screen: &mut screen::Screen,
    desk: &mut Desk,
) -> anyhow::Result<(Kills, Timestamp)> {
    let (mut kills, mut troubled) = (Kills::default(), clock.now());
    while clock.now() < end {
        if timeline.first().is_some_and(|it| it.0 <= clock.now()) {
            let (_, trouble) = timeline.remove(0);
            screen.say(&trouble.told());
            if let Some(address) = story::happen(stage, trouble).await? {
                *base.write().await = address;
            }
            kills.count(trouble);
            troubled = clock.now();
        }
        let address = base.read().await.clone();
        if let Some(done) = desk.look(&address).await {
            screen.say(done);
        }
        screen.draw(&address, ledger).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    Ok((kills, troubled))
}

/// Enrols every province with the keys that it made.
async fn enrol(stage: &Stage, address: &str) -> anyhow::Result<()> {
    let door = super::remote::Door::of(&stage.hub_config())?;
    for province in stage.provinces() {
        let keys = setup::enrolment(&stage.folder, province)?;
        let path = format!("/v1/admin/provinces/{province}/enroll");
        let (status, answer) = door.ask("POST", &path, Some(&keys)).await?;
        anyhow::ensure!(
            (200..300).contains(&status),
            "province {province} was not enrolled at {address}: {answer}"
        );
    }
    Ok(())
}

/// One account of each role, for whoever wants to look around; the passwords last as long as the demo. The
/// operator's own is at its desk, idle or not.
async fn people(stage: &Stage, idle: bool) -> anyhow::Result<Desk> {
    let door = super::remote::Door::of(&stage.hub_config())?;
    let province = stage.provinces().first().copied();
    let (mut told, mut operators) = (Vec::new(), String::new());
    for (role, display) in [
        ("operator", "运行值班"),
        ("hotline", "热线坐席"),
        ("province", "省级用户"),
        ("auditor", "审计"),
        ("admin", "系统管理"),
    ] {
        let mut body = serde_json::json!({"name": role, "display": display, "role": role,
            "fresh_password": true, "must_change": false});
        if role == "province" {
            body["province"] = serde_json::json!(province);
        }
        let (status, answer) = door.ask("POST", "/v1/admin/accounts", Some(&body)).await?;
        anyhow::ensure!(status == 201, "the account `{role}` was not made: {answer}");
        let password = answer["password"].as_str().unwrap_or("");
        if role == "operator" {
            password.clone_into(&mut operators);
        }
        told.push(format!("{role} {password}"));
    }
    say!("sign in as: {}", told.join(" | "));
    Desk::new(door, operators, idle)
}

/// After everything has stopped: the account, every byte, every view.
async fn settle(
    stage: &Stage,
    ledger: &Ledger,
    calm: &Calm,
    summary: &mut Summary,
) -> anyhow::Result<()> {
    let config = crate::config::Config::load(&stage.hub_config())?;
    let receipts = ledger.receipts.lock().await;
    summary.surprises = ledger.surprises.lock().await.clone();
    summary.refused = ledger.refused.load(Ordering::Relaxed);
    summary.same_again = ledger.same_again.load(Ordering::Relaxed);
    summary.retried = ledger.retried.load(Ordering::Relaxed);
    check::settle(&super::serve::readers(&config)?, &receipts, calm, summary)?;
    summary.verify = super::audit::verify_in_words(&config)?;
    summary.replay = super::audit::replay_in_words(&config)?;
    Ok(())
}
