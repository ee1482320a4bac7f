//! `hub account`: who may sign in to the console, through the running hub, so that it is on record.

use std::path::Path;

use clap::{Args, Subcommand};
use events::ids::ProvinceCode;
use serde_json::{Value, json};

use super::{Verdict, output, remote};

/// The account commands.
#[derive(Debug, Subcommand)]
pub(super) enum AccountCommands {
    /// Let somebody sign in; prints a password once, which its owner must change.
    Add(AddArguments),
    /// Give somebody a new password; every session of theirs ends.
    ResetPassword(NameArguments),
    /// Let somebody sign in no more; every session of theirs ends.
    Disable(NameArguments),
    /// Everybody.
    List(ListArguments),
}

/// `account add`
#[derive(Debug, Args)]
pub(super) struct AddArguments {
    /// 3 to 32 of a-z, 0-9 and -.
    name: String,
    /// operator, hotline, auditor, admin or province.
    #[arg(long)]
    role: String,
    /// Which province, for the role `province`.
    #[arg(long)]
    province: Option<ProvinceCode>,
    /// How the pages address them; the name unless said otherwise.
    #[arg(long)]
    display: Option<String>,
    /// Say what would happen; change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// Somebody.
#[derive(Debug, Args)]
pub(super) struct NameArguments {
    /// Who.
    name: String,
    /// Say what would happen; change nothing.
    #[arg(long)]
    dry_run: bool,
}

/// `account list`
#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// For programs.
    #[arg(long)]
    json: bool,
}

const PATH: &str = "/v1/admin/accounts";

pub(super) fn run(config: &Path, command: AccountCommands) -> anyhow::Result<Verdict> {
    match command {
        AccountCommands::Add(it) => {
            let display = it.display.unwrap_or_else(|| it.name.clone());
            let mut body = json!({"name": it.name, "display": display, "role": it.role,
                "fresh_password": true});
            if let Some(province) = it.province {
                body["province"] = json!(province);
            }
            put(config, "add", &body, it.dry_run)
        }
        AccountCommands::ResetPassword(it) => {
            let mut body = known(config, &it.name)?;
            body["fresh_password"] = true.into();
            put(config, "reset the password of", &body, it.dry_run)
        }
        AccountCommands::Disable(it) => {
            let mut body = known(config, &it.name)?;
            body["disabled"] = true.into();
            put(config, "disable", &body, it.dry_run)
        }
        AccountCommands::List(it) => list(config, &it),
    }
}

/// The account as the hub has it, as a body for `put`.
fn known(config: &Path, name: &str) -> anyhow::Result<Value> {
    let answer = remote::get(config, PATH)?;
    let none = Vec::new();
    let items = answer.get("items").and_then(Value::as_array).unwrap_or(&none);
    let Some(found) = items.iter().find(|it| it["name"] == name) else {
        anyhow::bail!("there is no account `{}`\n(see `hub account list`)", output::clean(name));
    };
    let mut body = found.clone();
    if let Some(body) = body.as_object_mut() {
        body.remove("must_change");
    }
    Ok(body)
}

fn put(config: &Path, what: &str, body: &Value, dry_run: bool) -> anyhow::Result<Verdict> {
    say!(
        "{what} {} ({})",
        body["name"].as_str().unwrap_or(""),
        body["role"].as_str().unwrap_or("")
    );
    if dry_run {
        say!("dry run: nothing was changed");
        return Ok(Verdict::Yes);
    }
    remote::post(config, PATH, body)
}

fn list(config: &Path, arguments: &ListArguments) -> anyhow::Result<Verdict> {
    let answer = remote::get(config, PATH)?;
    if arguments.json {
        output::line(&serde_json::to_string_pretty(&answer)?)?;
        return Ok(Verdict::Yes);
    }
    let none = Vec::new();
    let items = answer.get("items").and_then(Value::as_array).unwrap_or(&none);
    let cell = |row: &Value, key: &str| match row.get(key) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(it)) => if *it { "是 yes" } else { "–" }.to_owned(),
        _ => "–".to_owned(),
    };
    let rows = items.iter().map(|row| {
        ["name", "display", "role", "province", "disabled", "must_change"].map(|key| cell(row, key))
    });
    let head = [
        "用户名 name",
        "显示 display",
        "角色 role",
        "省 province",
        "停用 disabled",
        "须改密 must change",
    ];
    output::line(&output::table(head, rows))?;
    Ok(Verdict::Yes)
}
