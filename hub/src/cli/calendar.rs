//! `hub calendar`: publish a year, print what is known, count due days without a running hub.

use std::io::BufRead as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use events::reference::CalendarYear;
use events::vocabulary::DueDay;
use hub_core::calendar::Calendar;
use jiff::civil::Date;
use serde_json::json;

use super::{Verdict, output, remote, small_file};

/// The calendar commands.
#[derive(Debug, Subcommand)]
pub(super) enum CalendarCommands {
    /// Publish a year's calendar (JSON) to the hub; open cases that it touches get new due days.
    Publish(PublishArguments),
    /// Print a year: holidays, worked weekends, papers.
    Show(ShowArguments),
    /// The last day of a period of working days that starts the day after each date.
    Due(DueArguments),
}

/// `calendar publish`
#[derive(Debug, Args)]
pub(super) struct PublishArguments {
    /// The calendar file.
    file: PathBuf,
    /// Check it and say what would happen; change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// `calendar show`
#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    /// Only this year.
    year: Option<i16>,
    /// Calendar files to use on top of the ones the hub comes with, in this order.
    #[arg(long, value_name = "FILE")]
    with: Vec<PathBuf>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

/// `calendar due`
#[derive(Debug, Args)]
pub(super) struct DueArguments {
    /// How many working days; 0 to 3660.
    #[arg(long, value_parser = clap::value_parser!(u32).range(0..=3660))]
    days: u32,
    /// One JSON object a line.
    #[arg(long)]
    json: bool,
    /// Calendar files to use on top of the ones the hub comes with, in this order.
    #[arg(long, value_name = "FILE")]
    with: Vec<PathBuf>,
    /// Dates (YYYY-MM-DD), or `-` to read one a line from standard input.
    #[arg(required = true, value_name = "DATE")]
    dates: Vec<String>,
}

pub(super) fn run(config: &Path, command: CalendarCommands) -> anyhow::Result<Verdict> {
    match command {
        CalendarCommands::Publish(it) => publish(config, &it),
        CalendarCommands::Show(it) => show(&it),
        CalendarCommands::Due(it) => due(&it),
    }
}

fn read(path: &Path) -> anyhow::Result<CalendarYear> {
    serde_json::from_str(&small_file::read(path)?).with_context(|| {
        format!("`{}` is not a calendar (see schemas/calendars/README.md)", path.display())
    })
}

/// The calendars that the hub comes with, and `with` on top.
fn known(with: &[PathBuf]) -> anyhow::Result<(Calendar, Vec<CalendarYear>)> {
    let mut calendar = Calendar::default();
    let mut years = crate::reference::calendars();
    for path in with {
        years.push(read(path)?);
    }
    for (revision, year) in (1..).zip(&years) {
        calendar
            .publish(revision, year)
            .map_err(|it| anyhow::anyhow!("calendar {}: {it}", year.year))?;
    }
    Ok((calendar, years))
}

fn publish(config: &Path, arguments: &PublishArguments) -> anyhow::Result<Verdict> {
    let year = read(&arguments.file)?;
    let (mut calendar, _) = known(&[])?;
    if let Err(refusal) = calendar.publish(u32::MAX, &year) {
        say!("hub: refused ({}): {refusal}", refusal.code());
        return Ok(Verdict::No);
    }
    let papers: Vec<_> = year.papers.iter().map(|it| it.number.as_str()).collect();
    say!(
        "calendar {}: {} holidays, {} worked weekend days, {}",
        year.year,
        year.holidays.len(),
        year.makeup_workdays.len(),
        papers.join("; ")
    );
    if arguments.dry_run {
        say!("dry run: nothing was published");
        return Ok(Verdict::Yes);
    }
    remote::post(config, "/v1/admin/calendars", &serde_json::to_value(&year)?)
}

fn show(arguments: &ShowArguments) -> anyhow::Result<Verdict> {
    let (_, years) = known(&arguments.with)?;
    let wanted: Vec<_> =
        years.iter().filter(|it| arguments.year.is_none_or(|year| year == it.year)).collect();
    if wanted.is_empty() {
        say!("hub: nobody has published that year's calendar yet");
        return Ok(Verdict::No);
    }
    if arguments.json {
        output::line(&serde_json::to_string_pretty(&wanted)?)?;
        return Ok(Verdict::Yes);
    }
    let days = |days: &[Date]| {
        days.iter().map(|it| it.strftime("%m-%d").to_string()).collect::<Vec<_>>().join(" ")
    };
    let rows = wanted.iter().map(|it| {
        let papers: Vec<_> = it.papers.iter().map(|paper| paper.number.clone()).collect();
        [it.year.to_string(), days(&it.holidays), days(&it.makeup_workdays), papers.join("; ")]
    });
    output::line(&output::table(
        ["年 year", "放假 holidays", "调休上班 worked weekends", "依据 papers"],
        rows,
    ))?;
    Ok(Verdict::Yes)
}

fn due(arguments: &DueArguments) -> anyhow::Result<Verdict> {
    let (calendar, _) = known(&arguments.with)?;
    let mut rows = Vec::new();
    let mut answer = |text: &str| -> anyhow::Result<()> {
        let from = date(text)?;
        let due = calendar.due(from, arguments.days);
        if arguments.json {
            return output::line(&as_json(from, arguments.days, &due).to_string());
        }
        rows.push([
            from.to_string(),
            arguments.days.to_string(),
            due.day.to_string(),
            remark(&due),
        ]);
        Ok(())
    };
    for text in &arguments.dates {
        if text != "-" {
            answer(text)?;
            continue;
        }
        for line in std::io::stdin().lock().lines() {
            let line = line.context("cannot read standard input")?;
            if !line.trim().is_empty() {
                answer(line.trim())?;
            }
        }
    }
    if !arguments.json {
        output::line(&output::table(["from", "days", "due (24:00)", "依据 paper"], rows))?;
    }
    Ok(Verdict::Yes)
}

fn date(text: &str) -> anyhow::Result<Date> {
    // Only YYYY-MM-DD: the library would read more.
    let shape = text.len() == 10
        && text.bytes().enumerate().all(|(at, it)| match at {
            4 | 7 => it == b'-',
            _ => it.is_ascii_digit(),
        });
    let parsed = if shape { text.parse::<Date>().ok() } else { None };
    // Far from either end of the calendar, so that counting on cannot run off it.
    parsed
        .filter(|it| (1900..=9000).contains(&it.year()))
        .with_context(|| format!("`{}` is not a date (YYYY-MM-DD)", output::clean(text)))
}

fn as_json(from: Date, days: u32, due: &DueDay) -> serde_json::Value {
    json!({
        "from": from.to_string(),
        "days": days,
        "due": due.day.to_string(),
        "provisional": due.provisional,
        "paper": due.papers.join("; "),
    })
}

fn remark(due: &DueDay) -> String {
    let papers = due.papers.join("; ");
    match due.provisional {
        true => format!("暂定 provisional: not every year is published. {papers}"),
        false => papers,
    }
}
