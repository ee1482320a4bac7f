//! The auditor's commands: verify, replay, rebuild-views, export, backup. None of them needs a running hub.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args;
use events::envelope::Position;
use events::proof::signature;
use serde_json::json;

use super::{Verdict, output, serve};
use crate::audit::verify::{Against, Report, verify as walk, verify_export};
use crate::audit::{backup as copying, export as exporting, replay as replaying};
use crate::config::Config;
use crate::log::sqlite::SqliteLog;
use crate::nats::keys;
use crate::views::runner;

/// `hub verify`
#[derive(Debug, Args)]
pub(super) struct VerifyArguments {
    /// A log, a backup or an export; without it, the log of the configuration and its checkpoints.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
    /// Signed checkpoints to hold it against.
    #[arg(long, value_name = "FILE", requires = "hub_key")]
    checkpoints: Option<PathBuf>,
    /// The hub's public key, base64url: one in 64 begins with a hyphen.
    #[arg(long, value_name = "KEY", allow_hyphen_values = true)]
    hub_key: Option<String>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

/// `hub replay`
#[derive(Debug, Args)]
pub(super) struct ReplayArguments {
    /// For programs.
    #[arg(long)]
    json: bool,
}

/// `hub rebuild-views`
#[derive(Debug, Args)]
pub(super) struct RebuildArguments {
    /// Say what would happen; change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// `hub export`
#[derive(Debug, Args)]
pub(super) struct ExportArguments {
    /// The new file; it must not exist.
    file: PathBuf,
    /// The first position.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    from: u64,
    /// The last position; the head if not said.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    to: Option<u64>,
}

/// `hub backup`
#[derive(Debug, Args)]
pub(super) struct BackupArguments {
    /// The new file; it must not exist.
    file: PathBuf,
}

pub(super) fn verify(config: &Path, arguments: VerifyArguments) -> anyhow::Result<Verdict> {
    let (path, key, checkpoints) = match &arguments.log {
        Some(path) => {
            let key = arguments.hub_key.as_deref().map(signature::public_key).transpose()?;
            (path.clone(), key, arguments.checkpoints.clone())
        }
        None => {
            let config = Config::load(config)?;
            let key = keys::read_signing_key(&config.sign_key_file)?.verifying_key();
            (config.log_path(), Some(key), Some(config.checkpoints))
        }
    };
    let against = Against { hub_key: key.as_ref(), checkpoints: checkpoints.as_deref() };
    let bar = output::progress(0, "verify");
    let mut progress = |done: u64, total: u64| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let report = match is_export(&path)? {
        true => verify_export(&path, against, &mut progress)?,
        false => walk(&path, against, &mut progress)?,
    };
    bar.finish_and_clear();
    tell(&report, arguments.json)?;
    Ok(if report.is_clean() { Verdict::Yes } else { Verdict::No })
}

/// An export is text and begins with a brace; SQLite's files begin with their name.
fn is_export(path: &Path) -> anyhow::Result<bool> {
    use std::io::Read as _;
    let mut first = [0u8; 1];
    let about =
        std::fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    anyhow::ensure!(about.is_file(), "`{}` is not a file", path.display());
    // Only the first byte, and closed at once; a log that a hub has open is read through SQLite alone.
    if path.extension().is_some_and(|it| it == "db") {
        return Ok(false);
    }
    let read = std::fs::File::open(path)?.read(&mut first)?;
    Ok(read == 1 && first[0] == b'{')
}

fn tell(report: &Report, as_json: bool) -> anyhow::Result<()> {
    let head = report.head.map(|it| json!({"position": it.0, "hash": it.1.to_string()}));
    if as_json {
        let damage =
            report.damage.as_ref().map(|it| json!({"position": it.position, "what": it.what}));
        let whole = json!({
            "origin": report.origin, "events": report.events, "head": head, "streams": report.streams,
            "signatures": report.signatures, "checkpoints": report.checkpoints,
            "sender_keys": report.sender_keys, "damage": damage, "verdict": words(report),
        });
        return output::line(&whole.to_string());
    }
    let mut rows = vec![
        ["日志 log".to_owned(), report.origin.clone()],
        ["完好事件 good events".to_owned(), report.events.to_string()],
        ["办件等故事 streams".to_owned(), report.streams.to_string()],
        ["省份签名 signatures of provinces".to_owned(), report.signatures.to_string()],
        ["检查点 checkpoints".to_owned(), report.checkpoints.to_string()],
    ];
    if let Some((position, hash)) = report.head {
        rows.push(["末条 head".to_owned(), format!("{position}  {hash}")]);
    }
    rows.push(["结论 verdict".to_owned(), words(report)]);
    output::line(&output::facts(rows))
}

/// `ok`, or what is wrong with the first bad event.
fn words(report: &Report) -> String {
    match &report.damage {
        None => "ok".to_owned(),
        Some(damage) => match damage.position {
            Some(position) => format!("position {position}: {}", damage.what),
            None => damage.what.clone(),
        },
    }
}

/// The verdict for a summary.
pub(super) fn verify_in_words(config: &Config) -> anyhow::Result<String> {
    let key = keys::read_signing_key(&config.sign_key_file)?.verifying_key();
    let against = Against { hub_key: Some(&key), checkpoints: Some(&config.checkpoints) };
    Ok(words(&walk(&config.log_path(), against, &mut |_, _| {})?))
}

pub(super) fn replay(config: &Path, arguments: ReplayArguments) -> anyhow::Result<Verdict> {
    let config = Config::load(config)?;
    let readers = serve::readers(&config)?;
    let total = readers.read(|log| log.head())?.map_or(0, |it| it.0.0);
    let bar = output::progress(total, "replay");
    let mut progress = |position: Position| bar.set_position(position.0);
    let (replayed, compared) = replaying::compare(&config.views_path(), &readers, &mut progress)?;
    bar.finish_and_clear();
    let equal = compared.iter().all(replaying::Compared::is_equal);
    if arguments.json {
        let views: Vec<_> = compared
            .iter()
            .map(|it| {
                json!({
                    "view": it.view, "rows": it.replayed.rows, "hash": hash(it.replayed.hash),
                    "equal": it.is_equal(), "first_difference": it.first_difference,
                })
            })
            .collect();
        let whole = json!({
            "events": replayed.events, "position": replayed.position.0, "equal": equal, "views": views,
        });
        output::line(&whole.to_string())?;
    } else {
        let rows = compared.iter().map(|it| {
            let verdict = match (&it.first_difference, it.is_equal()) {
                (_, true) => "一致 equal".to_owned(),
                (Some(row), false) => format!("不一致 differs, first at {row}"),
                (None, false) => "不一致 differs".to_owned(),
            };
            [it.view.to_owned(), it.replayed.rows.to_string(), hash(it.replayed.hash), verdict]
        });
        output::line(&output::table(["视图 view", "rows", "hash", "结论"], rows))?;
        say!("{} events up to position {}", replayed.events, replayed.position);
    }
    Ok(if equal { Verdict::Yes } else { Verdict::No })
}

fn hash(sum: u128) -> String {
    format!("{sum:032x}")
}

/// The verdict for a summary: `equal`, or the views that differ.
pub(super) fn replay_in_words(config: &Config) -> anyhow::Result<String> {
    let readers = serve::readers(config)?;
    let (_, compared) = replaying::compare(&config.views_path(), &readers, &mut |_| {})?;
    let different: Vec<_> = compared.iter().filter(|it| !it.is_equal()).map(|it| it.view).collect();
    Ok(if different.is_empty() {
        "equal".to_owned()
    } else {
        format!("differs: {}", different.join(", "))
    })
}

pub(super) fn rebuild(config: &Path, arguments: RebuildArguments) -> anyhow::Result<Verdict> {
    let config = Config::load(config)?;
    let readers = serve::readers(&config)?;
    let total = readers.read(|log| log.head())?.map_or(0, |it| it.0.0);
    say!("{total} events are folded into `{}`", config.views_path().display());
    if arguments.dry_run {
        say!("dry run: nothing was changed");
        return Ok(Verdict::Yes);
    }
    // The views are swapped under whoever writes them: only while no hub runs.
    let _lock = SqliteLog::keep_writers_out(&config.log_path())
        .context("cannot take the writer's lock\n(stop the hub first; a running hub rebuilds by itself after an upgrade)")?;
    let bar = output::progress(total, "rebuild");
    let opener = serve::opener(&config)?;
    let mut progress = |position: Position, until: Position| {
        bar.set_length(until.0);
        bar.set_position(position.0);
    };
    let position = runner::rebuild(&config.views_path(), &readers, Some(opener), &mut progress)?;
    bar.finish_and_clear();
    say!("the views are at position {position}");
    Ok(Verdict::Yes)
}

pub(super) fn export(config: &Path, arguments: ExportArguments) -> anyhow::Result<Verdict> {
    let config = Config::load(config)?;
    let bar = output::progress(0, "export");
    let mut progress = |done: u64, total: u64| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let (file, from, to) = (arguments.file.as_path(), arguments.from, arguments.to);
    let exported = serve::readers(&config)?
        .read(|log| Ok(exporting::export(log, file, from, to, &mut progress)))??;
    bar.finish_and_clear();
    say!(
        "`{}`: positions {} to {}, head {}",
        arguments.file.display(),
        exported.from,
        exported.to,
        exported.hash
    );
    Ok(Verdict::Yes)
}

pub(super) fn backup(config: &Path, arguments: BackupArguments) -> anyhow::Result<Verdict> {
    let config = Config::load(config)?;
    let bar = output::progress(0, "backup");
    let mut progress = |done: u64, total: u64| {
        bar.set_length(total);
        bar.set_position(done);
    };
    let key = keys::read_signing_key(&config.sign_key_file)?.verifying_key();
    let against = Against { hub_key: Some(&key), checkpoints: None };
    let report = copying::backup(&config.log_path(), &arguments.file, against, &mut progress)?;
    bar.finish_and_clear();
    tell(&report, false)?;
    Ok(if report.is_clean() { Verdict::Yes } else { Verdict::No })
}
