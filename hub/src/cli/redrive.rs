//! `hub redrive`: what waits for a person, let in again through the running hub: look, order, confirm, stop, go on, end.

use std::path::Path;

use clap::{Args, Subcommand, ValueEnum};
use events::ids::{ProvinceCode, RedriveId};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Verdict, output, remote};

/// The commands.
#[derive(Debug, Subcommand)]
pub(super) enum RedriveCommands {
    /// Parked cases and quarantined reports, by province and reason. 异常分组
    Groups(Told),
    /// What is in one group. 逐项
    Items(ItemsArguments),
    /// Let a group, a part of it or single items in again; --dry-run counts first. 重新处理
    Order(OrderArguments),
    /// Agree to what somebody else ordered. 第二人确认
    Confirm(Act),
    /// Stop for a while. 暂停
    Pause(Act),
    /// Go on. 继续
    Resume(Act),
    /// End it; what was let in stays so. 取消
    Cancel(Act),
    /// Every order and how far it has come, newest first. 任务
    List(Told),
}

/// What waits.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Of {
    /// Cases that nothing may be sent of.
    ParkedCases,
    /// Reports that could not be taken in.
    QuarantinedReports,
}

impl Of {
    fn word(self) -> &'static str {
        match self {
            Self::ParkedCases => "parked-cases",
            Self::QuarantinedReports => "quarantined-reports",
        }
    }
}

/// Only how it is told.
#[derive(Debug, Args)]
pub(super) struct Told {
    /// For programs.
    #[arg(long)]
    json: bool,
}

/// Which group.
#[derive(Debug, Args)]
struct Which {
    /// Of what.
    #[arg(long)]
    of: Of,
    /// Only of this province.
    #[arg(long)]
    province: Option<ProvinceCode>,
    /// Only for this reason, e.g. `unknown-key`.
    #[arg(long, value_name = "REASON")]
    why: Option<String>,
    /// Not from before then, e.g. `2026-03-02T09:00:00+08:00`.
    #[arg(long, value_name = "MOMENT")]
    since: Option<Timestamp>,
}

/// `redrive items`
#[derive(Debug, Args)]
pub(super) struct ItemsArguments {
    #[command(flatten)]
    which: Which,
    /// Behind this item.
    #[arg(long, default_value_t = 0)]
    after: u64,
    #[command(flatten)]
    told: Told,
}

/// `redrive order`
#[derive(Debug, Args)]
pub(super) struct OrderArguments {
    #[command(flatten)]
    which: Which,
    /// Only these items, by number: `--items 3,7`; see `hub redrive items`.
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
    items: Vec<u64>,
    /// Where parked cases go that their province returned.
    #[arg(long, value_name = "PROVINCE")]
    route_to: Option<ProvinceCode>,
    /// How many a minute, 1 to 600; without it, what the configuration says.
    #[arg(long, value_name = "COUNT")]
    per_minute: Option<u32>,
    /// Why.
    #[arg(long, required_unless_present = "dry_run")]
    reason: Option<String>,
    /// Say what it would come to; change nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    told: Told,
}

/// One order.
#[derive(Debug, Args)]
pub(super) struct Act {
    /// Its id; see `hub redrive list`.
    redrive: RedriveId,
    /// Say what would happen; change nothing.
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(config: &Path, command: RedriveCommands) -> anyhow::Result<Verdict> {
    match command {
        RedriveCommands::Groups(it) => groups(config, it.json),
        RedriveCommands::Items(it) => items(config, &it),
        RedriveCommands::Order(it) => order(config, it),
        RedriveCommands::Confirm(it) => act(config, "confirm", &it),
        RedriveCommands::Pause(it) => act(config, "pause", &it),
        RedriveCommands::Resume(it) => act(config, "resume", &it),
        RedriveCommands::Cancel(it) => act(config, "cancel", &it),
        RedriveCommands::List(it) => list(config, it.json),
    }
}

fn groups(config: &Path, as_json: bool) -> anyhow::Result<Verdict> {
    let answer = remote::get(config, "/v1/dead-letters")?;
    let head =
        ["异常 of", "省份 province", "原因 why", "件数 count", "可重新处理 able", "最早 oldest"];
    let keys = ["of", "province", "why", "count", "redrivable", "oldest_at"];
    table(&answer, "groups", head, keys, as_json)
}

fn items(config: &Path, arguments: &ItemsArguments) -> anyhow::Result<Verdict> {
    let Which { of, province, why, since } = &arguments.which;
    let mut path = format!("/v1/dead-letters/items?of={}&after={}", of.word(), arguments.after);
    if let Some(province) = province {
        path.push_str(&format!("&province={province}"));
    }
    if let Some(why) = why {
        let plain = why.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-');
        anyhow::ensure!(plain, "a reason has letters, digits and hyphens only");
        path.push_str(&format!("&why={why}"));
    }
    if let Some(since) = since {
        path.push_str(&format!("&since={since}"));
    }
    let answer = remote::get(config, &path)?;
    let head = [
        "号 item",
        "省份 province",
        "原因 why",
        "时刻 at",
        "办件 case",
        "主题 subject",
        "次数 tries",
    ];
    let keys = ["item", "province", "why", "at", "case_number", "subject", "tries"];
    table(&answer, "items", head, keys, arguments.told.json)
}

fn list(config: &Path, as_json: bool) -> anyhow::Result<Verdict> {
    let answer = remote::get(config, "/v1/redrives")?;
    let head = [
        "编号 id",
        "状态 phase",
        "件数 count",
        "已处理 done",
        "下令 by",
        "确认 confirmed",
        "理由 reason",
    ];
    let keys = ["redrive", "phase", "count", "done", "ordered_by", "confirmed_by", "reason"];
    table(&answer, "items", head, keys, as_json)
}

fn table<const N: usize>(
    answer: &Value,
    list: &str,
    head: [&str; N],
    keys: [&str; N],
    as_json: bool,
) -> anyhow::Result<Verdict> {
    if as_json {
        output::line(&serde_json::to_string_pretty(answer)?)?;
        return Ok(Verdict::Yes);
    }
    let cell = |it: &Value| match it {
        Value::Null => "–".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let rows = answer[list].as_array().map(Vec::as_slice).unwrap_or_default();
    let rows = rows.iter().map(|row| keys.map(|key| cell(&row[key])));
    output::line(&output::table(head, rows))?;
    Ok(Verdict::Yes)
}

fn order(config: &Path, arguments: OrderArguments) -> anyhow::Result<Verdict> {
    let Which { of, province, why, since } = arguments.which;
    let wanted = [
        ("province", json!(province)),
        ("why", json!(why)),
        ("since", json!(since)),
        ("route_to", json!(arguments.route_to)),
        ("per_minute", json!(arguments.per_minute)),
        ("reason", json!(arguments.reason)),
    ];
    let mut body = json!({"of": of.word(), "items": arguments.items});
    body["dry_run"] = json!(true);
    for (key, value) in wanted {
        if !value.is_null() {
            body[key] = value;
        }
    }
    let (status, preview) = remote::ask("POST", config, "/v1/admin/redrives", Some(&body))?;
    if arguments.dry_run || status != 200 {
        return remote::report(status, &preview);
    }
    say!(
        "{} items, {} a minute, about {} s{}",
        preview["count"],
        preview["per_minute"],
        preview["seconds"],
        if preview["needs_second"] == true { "; a second person must confirm" } else { "" }
    );
    // What comes while somebody decides is not meant.
    body["until"] = preview["selection"]["until"].clone();
    body["dry_run"] = json!(false);
    remote::post(config, "/v1/admin/redrives", &body)
}

fn act(config: &Path, deed: &str, arguments: &Act) -> anyhow::Result<Verdict> {
    let redrive = arguments.redrive;
    say!("{deed} {redrive}");
    if arguments.dry_run {
        say!("dry run: nothing was changed");
        return Ok(Verdict::Yes);
    }
    remote::post(config, &format!("/v1/admin/redrives/{redrive}/{deed}"), &json!({}))
}
