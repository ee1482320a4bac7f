//! `hub report`: the statistics from a log file, without a running hub; and the same report made again and compared to the byte.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use events::envelope::Position;
use events::ids::ProvinceCode;
use events::keeping::StatisticsIssued;
use events::publicity::Month;
use serde_json::json;

use super::{Verdict, output, serve};
use crate::config::Config;
use crate::log::Readers;
use crate::log::sqlite::SqliteLog;
use crate::sheet::xlsx;
use crate::statistics::bench::{Asked, compute};
use crate::statistics::fold::Figures;
use crate::statistics::report::{self, Kind};
use crate::statistics::{Period, REVISION};

/// `hub report`
#[derive(Debug, Subcommand)]
pub(super) enum ReportCommands {
    /// The monthly return (月报).
    Monthly(MonthlyArguments),
    /// The quarterly evaluation (季度评价).
    Quarterly(QuarterlyArguments),
    /// The problem ledger (问题台账) of a month or a quarter.
    Ledger(LedgerArguments),
    /// The publicity statistics (宣传推广工作统计表), summed up.
    Publicity(MonthlyArguments),
    /// The reports that were issued, from the log.
    List(ListArguments),
    /// Make issued reports again; exits with 1 if one differs in a single byte.
    Rerun(RerunArguments),
}

/// Which log, which province, where it goes.
#[derive(Debug, Args)]
pub(super) struct From {
    /// One province only: its two digits.
    #[arg(long, value_name = "CODE")]
    province: Option<ProvinceCode>,
    /// As of this position of the log; its end, if not said.
    #[arg(long, value_name = "POSITION", value_parser = clap::value_parser!(u64).range(1..))]
    at: Option<u64>,
    /// The new file, `.csv` or `.xlsx`; it must not exist. Without it, CSV to standard output.
    #[arg(long, value_name = "FILE", conflicts_with = "json")]
    out: Option<PathBuf>,
    /// For programs.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    log: LogArgument,
}

#[derive(Debug, Args)]
struct LogArgument {
    /// A log or a backup of one; without it, the log of the configuration.
    #[arg(long, value_name = "FILE")]
    log: Option<PathBuf>,
}

/// A month.
#[derive(Debug, Args)]
pub(super) struct MonthlyArguments {
    /// Which month, e.g. 2026-11.
    #[arg(long, value_name = "YYYY-MM")]
    month: Month,
    #[command(flatten)]
    from: From,
}

/// A quarter.
#[derive(Debug, Args)]
pub(super) struct QuarterlyArguments {
    /// Which quarter, e.g. 2026-Q4.
    #[arg(long, value_name = "YYYY-QN", value_parser = quarter)]
    quarter: Period,
    #[command(flatten)]
    from: From,
}

/// A month or a quarter.
#[derive(Debug, Args)]
pub(super) struct LedgerArguments {
    /// A month or a quarter, e.g. 2026-11 or 2026-Q4.
    #[arg(long, value_name = "PERIOD")]
    period: Period,
    #[command(flatten)]
    from: From,
}

/// `hub report list`
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// For programs: one object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    log: LogArgument,
}

/// `hub report rerun`
#[derive(Debug, Args)]
pub(super) struct RerunArguments {
    /// The one that was recorded at this position; all of them, if not said.
    #[arg(long, value_name = "POSITION")]
    issued: Option<u64>,
    /// For programs: one object a line.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    log: LogArgument,
}

fn quarter(text: &str) -> Result<Period, String> {
    match text.parse() {
        Ok(it @ Period::Quarter(_)) => Ok(it),
        _ => Err("not a quarter (2026-Q4)".to_owned()),
    }
}

pub(super) fn run(config: &Path, command: ReportCommands) -> anyhow::Result<Verdict> {
    match command {
        ReportCommands::Monthly(it) => {
            make(config, Kind::Monthly, Period::Month(it.month), it.from)
        }
        ReportCommands::Quarterly(it) => make(config, Kind::Quarterly, it.quarter, it.from),
        ReportCommands::Ledger(it) => make(config, Kind::Ledger, it.period, it.from),
        ReportCommands::Publicity(it) => {
            make(config, Kind::Publicity, Period::Month(it.month), it.from)
        }
        ReportCommands::List(it) => list(config, &it),
        ReportCommands::Rerun(it) => rerun(config, &it),
    }
}

fn readers(config: &Path, log: &LogArgument) -> anyhow::Result<Readers> {
    match &log.log {
        None => serve::readers(&Config::load(config)?),
        Some(path) => {
            ensure!(path.is_file(), "there is no log at `{}`", path.display());
            Ok(SqliteLog::readers(path))
        }
    }
}

fn computed(readers: &Readers, asked: Asked) -> anyhow::Result<Figures> {
    let bar = output::progress(0, "report");
    let mut progress = |done: Position, of: Position| {
        bar.set_length(of.0);
        bar.set_position(done.0);
    };
    let figures = compute(readers, asked, &mut progress)?;
    bar.finish_and_clear();
    figures.context("the log does not reach that position")
}

fn make(config: &Path, kind: Kind, period: Period, from: From) -> anyhow::Result<Verdict> {
    let readers = readers(config, &from.log)?;
    let asked = Asked { period, scope: from.province, at: from.at.map(Position) };
    let figures = computed(&readers, asked)?;
    if from.json {
        output::line(&report::json(kind, &figures).to_string())?;
        return Ok(Verdict::Yes);
    }
    let csv = report::table(kind, &figures).csv();
    let Some(path) = from.out else {
        // The very bytes that the digest is of.
        std::io::Write::write_all(&mut std::io::stdout().lock(), csv.as_bytes())?;
        return Ok(Verdict::Yes);
    };
    let bytes = match path.extension().and_then(|it| it.to_str()) {
        Some("csv") => csv.clone().into_bytes(),
        Some("xlsx") => xlsx(&report::book(kind, &figures))?,
        _ => bail!("`{}` ends neither in .csv nor in .xlsx", path.display()),
    };
    let mut file = std::fs::File::create_new(&path)
        .with_context(|| format!("cannot make `{}`", path.display()))?;
    std::io::Write::write_all(&mut file, &bytes)?;
    file.sync_all()?;
    say!(
        "`{}`: {} {period} as of position {}, definitions {REVISION}, CSV SHA-256 {}",
        path.display(),
        kind.words().0,
        figures.position,
        report::digest(&csv)
    );
    Ok(Verdict::Yes)
}

type Issued = (Position, jiff::Timestamp, StatisticsIssued);

fn issued(readers: &Readers) -> anyhow::Result<Vec<Issued>> {
    // The fold of any period collects them; the shortest of all has nothing else to do.
    let period = "2000-01".parse()?;
    Ok(computed(readers, Asked { period, scope: None, at: None })?.issued)
}

fn list(config: &Path, arguments: &ListArguments) -> anyhow::Result<Verdict> {
    let issued = issued(&readers(config, &arguments.log)?)?;
    if arguments.json {
        for (position, at, it) in &issued {
            let line = json!({
                "issued": position.0, "at": at.to_string(), "kind": it.kind, "period": it.period,
                "province": it.province.map(|it| it.to_string()), "position": it.position,
                "revision": it.revision, "csv_sha256": it.csv_sha256, "operator": it.operator,
            });
            output::line(&line.to_string())?;
        }
        return Ok(Verdict::Yes);
    }
    let rows = issued.iter().map(|(position, at, it)| {
        [
            position.to_string(),
            at.to_string(),
            it.kind.clone(),
            it.period.clone(),
            it.province.map_or_else(|| "–".to_owned(), |it| it.to_string()),
            it.position.to_string(),
            it.operator.clone(),
        ]
    });
    let heads = ["留痕 issued", "时间 at", "报表", "期间", "省份", "位置 position", "出具人 by"];
    output::line(&output::table(heads, rows))?;
    Ok(Verdict::Yes)
}

fn rerun(config: &Path, arguments: &RerunArguments) -> anyhow::Result<Verdict> {
    let readers = readers(config, &arguments.log)?;
    let mut all = issued(&readers)?;
    if let Some(one) = arguments.issued {
        all.retain(|it| it.0.0 == one);
        ensure!(!all.is_empty(), "no report was issued at position {one}");
    }
    let mut every = true;
    for (position, _, it) in &all {
        let verdict = again(&readers, it)?;
        every &= verdict == "equal";
        if arguments.json {
            let line = json!({
                "issued": position.0, "kind": it.kind, "period": it.period,
                "position": it.position, "csv_sha256": it.csv_sha256, "verdict": verdict,
            });
            output::line(&line.to_string())?;
        } else {
            output::line(&format!("{position}  {} {}  {verdict}", it.kind, it.period))?;
        }
    }
    Ok(if every { Verdict::Yes } else { Verdict::No })
}

/// `equal`, `different`, or that this version follows other definitions.
fn again(readers: &Readers, it: &StatisticsIssued) -> anyhow::Result<&'static str> {
    if it.revision != REVISION {
        return Ok("other-revision");
    }
    let kind = Kind::of(&it.kind).context("a report of an unknown kind")?;
    let period: Period = it.period.parse()?;
    let asked = Asked { period, scope: it.province, at: Some(Position(it.position)) };
    let digest = report::digest(&report::table(kind, &computed(readers, asked)?).csv());
    Ok(if digest == it.csv_sha256 { "equal" } else { "different" })
}
