//! `hub show`: the story of one case, from the log, readable while the hub runs or years after.

use std::path::Path;

use anyhow::bail;
use clap::{Args, ValueEnum};
use events::envelope::{Event, Recorded};
use events::ids::{CaseId, CaseNumber, StreamName};
use serde_json::{Value, json};

use super::{Verdict, output, serve};
use crate::config::Config;
use crate::words::{self, Language};

/// `hub show`
#[derive(Debug, Args)]
pub(super) struct ShowArguments {
    /// The case's number (20260213-7K3Q-F9M2-XD4T-C) or its id.
    case: String,
    /// 中文 or English.
    #[arg(long, value_enum, default_value_t = Tongue::Zh)]
    lang: Tongue,
    /// For programs: every event with its exact body.
    #[arg(long)]
    json: bool,
}

/// The language of the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tongue {
    /// 中文
    Zh,
    /// English
    En,
}

pub(super) fn run(config: &Path, arguments: ShowArguments) -> anyhow::Result<Verdict> {
    let config = Config::load(config)?;
    let Some(case) = find(&config, &arguments.case)? else {
        say!("hub: no such case");
        return Ok(Verdict::No);
    };
    let story = serve::readers(&config)?.read(|log| log.read_stream(&StreamName::Case(case)))?;
    if story.is_empty() {
        say!("hub: no such case");
        return Ok(Verdict::No);
    }
    if arguments.json {
        for recorded in &story {
            output::line(&as_json(recorded).to_string())?;
        }
        return Ok(Verdict::Yes);
    }
    let language = if arguments.lang == Tongue::En { Language::English } else { Language::Chinese };
    output::line(&format!("{}  {case}", arguments.case))?;
    let rows = story.iter().map(|it| {
        let told = match &it.envelope.event {
            Event::Case(event) => words::told(event, language),
            other => other.kind().to_owned(),
        };
        [it.position.to_string(), shanghai(it.recorded_at), it.envelope.actor.to_string(), told]
    });
    output::line(&output::table(["position", "北京时间 recorded", "who", "what"], rows))?;
    Ok(Verdict::Yes)
}

/// The case of an id or a number. A number is found through the views, or by its bits in the log.
fn find(config: &Config, text: &str) -> anyhow::Result<Option<CaseId>> {
    if let Ok(id) = text.parse::<CaseId>() {
        return Ok(Some(id));
    }
    let Ok(number) = text.parse::<CaseNumber>() else {
        bail!("`{}` is neither a case number nor a case id", output::clean(text));
    };
    Ok(serve::views(config)?.case_by_number(&number)?.map(|it| it.case))
}

/// `2026-02-13 09:30:00`, statutory time.
pub(super) fn shanghai(moment: jiff::Timestamp) -> String {
    moment
        .to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(8)))
        .strftime("%Y-%m-%d %H:%M:%S")
        .to_string()
}

fn as_json(recorded: &Recorded) -> Value {
    let body: Value = serde_json::from_slice(&recorded.body).unwrap_or(Value::Null);
    json!({
        "position": recorded.position.0,
        "version": recorded.version.0,
        "recorded_at": recorded.recorded_at.to_string(),
        "hash": recorded.hash.to_string(),
        "sealed": recorded.envelope.sealed.is_some(),
        "signed": recorded.envelope.evidence.is_some(),
        "event": body,
    })
}
