//! `hub province`: enrol, pause, resume and list, through the running hub.

use std::path::Path;

use clap::{Args, Subcommand};
use events::ids::ProvinceCode;
use serde_json::{Value, json};

use super::{Verdict, output, remote, small_file};

/// The province commands.
#[derive(Debug, Subcommand)]
pub(super) enum ProvinceCommands {
    /// Let a province join with its public keys (a JSON file that the province made).
    Enroll(EnrollArguments),
    /// Stop forwarding to a province; its reports are still taken.
    Pause(ReasonArguments),
    /// Go on forwarding.
    Resume(CodeArguments),
    /// All 32 with their figures.
    List(ListArguments),
}

/// `province enroll`
#[derive(Debug, Args)]
pub(super) struct EnrollArguments {
    /// Its two digits.
    province: ProvinceCode,
    /// `{"sign": {"key_id", "public_key"}, "seal": {…}, "connect": {…}}`
    keys: std::path::PathBuf,
    /// Say what would happen; change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// A province and a reason.
#[derive(Debug, Args)]
pub(super) struct ReasonArguments {
    /// Its two digits.
    province: ProvinceCode,
    /// Why.
    #[arg(long)]
    reason: String,
    /// Say what would happen; change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// A province.
#[derive(Debug, Args)]
pub(super) struct CodeArguments {
    /// Its two digits.
    province: ProvinceCode,
    /// Say what would happen; change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// `province list`
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(config: &Path, command: ProvinceCommands) -> anyhow::Result<Verdict> {
    match command {
        ProvinceCommands::Enroll(it) => enroll(config, &it),
        ProvinceCommands::Pause(it) => {
            change(config, it.province, "pause", &json!({"reason": it.reason}), it.dry_run)
        }
        ProvinceCommands::Resume(it) => {
            change(config, it.province, "resume", &json!({}), it.dry_run)
        }
        ProvinceCommands::List(it) => list(config, &it),
    }
}

fn enroll(config: &Path, arguments: &EnrollArguments) -> anyhow::Result<Verdict> {
    use anyhow::Context as _;
    let text = small_file::read(&arguments.keys)?;
    let keys: Value = serde_json::from_str(&text).with_context(|| {
        format!("`{}` is not a request of a province", arguments.keys.display())
    })?;
    change(config, arguments.province, "enroll", &keys, arguments.dry_run)
}

fn change(
    config: &Path,
    province: ProvinceCode,
    what: &str,
    body: &Value,
    dry_run: bool,
) -> anyhow::Result<Verdict> {
    say!("{what} {province} {} ({})", province.name(), province.name_en());
    if dry_run {
        say!("dry run: nothing was changed");
        return Ok(Verdict::Yes);
    }
    remote::post(config, &format!("/v1/admin/provinces/{province}/{what}"), body)
}

fn list(config: &Path, arguments: &ListArguments) -> anyhow::Result<Verdict> {
    let answer = remote::get(config, "/v1/provinces")?;
    if arguments.json {
        output::line(&serde_json::to_string_pretty(&answer)?)?;
        return Ok(Verdict::Yes);
    }
    let none = Vec::new();
    let rows = answer.get("provinces").and_then(Value::as_array).unwrap_or(&none);
    let cell = |row: &Value, key: &str| match row.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "–".to_owned(),
        Some(other) => other.to_string(),
    };
    let rows = rows.iter().map(|row| {
        [
            "province",
            "name",
            "received",
            "open",
            "on_time",
            "reported_late",
            "overdue",
            "last_heard_at",
        ]
        .map(|key| cell(row, key))
    });
    let head = [
        "code",
        "省份",
        "收件 received",
        "在途 open",
        "按时 on time",
        "迟报 late",
        "超期 overdue",
        "last heard",
    ];
    output::line(&output::table(head, rows))?;
    Ok(Verdict::Yes)
}
