//! One executable, roles as subcommands. Data to stdout, talk to stderr; 0 fine, 1 the answer is no, 2 used wrongly.
#![allow(clippy::print_stdout, clippy::print_stderr)] // the one room that talks to a terminal

/// Talk, to stderr: without control characters, and nobody minds when nobody listens.
macro_rules! say {
    ($($told:tt)*) => { $crate::cli::output::say(&format!($($told)*)) };
}

mod account;
mod alerts;
mod audit;
mod calendar;
mod demo;
mod doctor;
mod nats;
mod output;
mod province;
mod redrive;
mod remote;
mod report;
mod serve;
mod show;
mod small_file;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The inter-provincial routing hub (跨省通办路由枢纽).
#[derive(Debug, Parser)]
#[command(
    name = "hub",
    version,
    about = "跨省通办路由枢纽 The inter-provincial routing hub",
    propagate_version = true,
    max_term_width = 110
)]
struct Arguments {
    /// The configuration file.
    #[arg(long, global = true, default_value = "hub.toml", value_name = "FILE")]
    config: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the hub until it is told to stop.
    Serve,
    /// See the whole journey on this machine: broker, hub, 32 provinces, thousands of cases.
    Demo(demo::DemoArguments),
    /// Check every byte, link, signature and checkpoint of a log, offline; names the first bad event.
    Verify(audit::VerifyArguments),
    /// Fold the whole log again in memory and compare with the live views.
    Replay(audit::ReplayArguments),
    /// Build the views anew beside the live ones and swap.
    RebuildViews(audit::RebuildArguments),
    /// Write the log as JSON lines that any program can check.
    Export(audit::ExportArguments),
    /// Copy the log while it is in use, and verify the copy.
    Backup(audit::BackupArguments),
    /// Statistics from a log: monthly return, quarterly evaluation, problem ledger, publicity.
    #[command(subcommand)]
    Report(report::ReportCommands),
    /// Tell the story of one case.
    Show(show::ShowArguments),
    /// Provinces: join, change or end keys, pause, be away, leave, certify, compare, list. 省份
    #[command(subcommand)]
    Province(province::ProvinceCommands),
    /// Parked cases and quarantined reports: see them in groups, let them in again.
    #[command(subcommand)]
    Redrive(redrive::RedriveCommands),
    /// Who may sign in to the console.
    #[command(subcommand)]
    Account(account::AccountCommands),
    /// Who is told of alerts.
    #[command(subcommand)]
    Alerts(alerts::AlertsCommands),
    /// Publish and read working-day calendars; count due days.
    #[command(subcommand)]
    Calendar(calendar::CalendarCommands),
    /// The broker's configuration.
    #[command(subcommand)]
    Nats(nats::NatsCommands),
    /// Read the configuration, open nothing, say what is wrong with it.
    CheckConfig,
    /// Look at everything a hub needs and say in plain words what is missing.
    Doctor(doctor::DoctorArguments),
}

/// What a command ends with, unless it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Fine.
    Yes,
    /// The answer is no: damage found, a difference, a refusal.
    No,
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(usage) => {
            if usage.use_stderr() {
                // It repeats what was typed, and what was typed must not move a cursor.
                say!("{}", usage.render().to_string().trim_end());
                return ExitCode::from(2);
            }
            let _ = usage.print();
            return ExitCode::SUCCESS;
        }
    };
    match run(arguments) {
        Ok(Verdict::Yes) => ExitCode::SUCCESS,
        Ok(Verdict::No) => ExitCode::from(1),
        Err(error) if output::is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            say!("hub: {}", output::chain(&error));
            ExitCode::from(2)
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<Verdict> {
    let config = arguments.config;
    match arguments.command {
        Command::Serve => serve::run(&config),
        Command::Demo(it) => demo::run(it),
        Command::Verify(it) => audit::verify(&config, it),
        Command::Replay(it) => audit::replay(&config, it),
        Command::RebuildViews(it) => audit::rebuild(&config, it),
        Command::Export(it) => audit::export(&config, it),
        Command::Backup(it) => audit::backup(&config, it),
        Command::Report(it) => report::run(&config, it),
        Command::Show(it) => show::run(&config, it),
        Command::Province(it) => province::run(&config, it),
        Command::Redrive(it) => redrive::run(&config, it),
        Command::Account(it) => account::run(&config, it),
        Command::Alerts(it) => alerts::run(&config, it),
        Command::Calendar(it) => calendar::run(&config, it),
        Command::Nats(it) => nats::run(&config, it),
        Command::CheckConfig => doctor::check_config(&config),
        Command::Doctor(it) => doctor::run(&config, it),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        super::Arguments::command().debug_assert();
    }
}
