//! `hub alerts test`: every carrier brings a message that tells of nothing, so that the first real one arrives.

use std::path::Path;

use clap::{Args, Subcommand};
use serde_json::json;
use uuid::Uuid;

use super::{Verdict, output};
use crate::clock::Clock;
use crate::config::Config;
use crate::notices::chain;
use crate::notices::compose::Letter;

/// `hub alerts`
#[derive(Debug, Subcommand)]
pub(super) enum AlertsCommands {
    /// Send a test message by every carrier of the configuration.
    Test(TestArguments),
}

/// `hub alerts test`
#[derive(Debug, Args)]
pub(super) struct TestArguments {
    /// Only this one, e.g. `mail-duty`.
    #[arg(long)]
    carrier: Option<String>,
    /// For programs.
    #[arg(long)]
    json: bool,
}

pub(super) fn run(path: &Path, command: AlertsCommands) -> anyhow::Result<Verdict> {
    let AlertsCommands::Test(arguments) = command;
    let config = Config::load(path)?;
    let mut ways = config.alerts.ways()?;
    if let Some(name) = &arguments.carrier {
        ways.retain(|it| it.0 == *name);
    }
    anyhow::ensure!(!ways.is_empty(), "no such carrier\n(see `[alerts]` in the configuration)");
    let letter = Letter::test(Uuid::now_v7(), Clock::real_now());
    let sender = config.sender();
    let told = super::remote::runtime()?.block_on(async {
        let mut told = Vec::new();
        for (name, way) in &ways {
            let answer = way.bring(&letter, &sender).await;
            told.push((name.clone(), answer.map_err(|it| chain(&it))));
        }
        told
    });
    let fine = told.iter().all(|it| it.1.is_ok());
    if arguments.json {
        let list: Vec<_> = told
            .iter()
            .map(|(name, answer)| json!({"carrier": name, "fine": answer.is_ok(), "said": answer.as_ref().err()}))
            .collect();
        output::line(
            &json!({"fine": fine, "message": letter.message, "carriers": list}).to_string(),
        )?;
    } else {
        let rows = told.into_iter().map(|(name, answer)| {
            let mark = if answer.is_ok() {
                "✔ 已送达 delivered"
            } else {
                "✘ 未送达 not delivered"
            };
            [name, mark.to_owned(), answer.err().unwrap_or_default()]
        });
        output::line(&output::table(["渠道 carrier", "结果", "说明"], rows))?;
    }
    Ok(if fine { Verdict::Yes } else { Verdict::No })
}
