//! `publicity`: a month's table from a file into the outbox, and what the hub said to it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use province_adapter::check::chain;
use province_adapter::config::Config;
use province_adapter::publicity::{file, state, table};
use tracing::error;

use crate::{tell, tell_error};

/// What stands in the file.
const FILE_HELP: &str = "\
The file, JSON or (if its name ends in .csv) CSV, both in UTF-8 (--example prints one to fill in):
  month                2026-11; the present month or one of the twelve before, due by the end of the 25th
  rows                 the eight rows of annex 1, in order; each has
    first, second      the row's figures, 0 to 100,000,000; the first row has no second one
    text               what was done, at most 500 characters; nothing about a person
  carriers_told_share  in hundredths of a percent: 95.5 % is 9550; may be left out
  knowledge_base       true if the hotline's knowledge base has it
CSV has a first line of names (Chinese or English) and the eight rows below, in the order of annex 1's columns:
  序号 number, 工作要求 requirement, 落实内容 content, 落实情况 text, 数字一 first, 数字二 second,
  月份 month (2026-11, in the first row at least), 通知企业占比 carriers_told_share (95.5, in row 5 only),
  知识库 knowledge_base (是 or 否, in row 7 only)
What is wrong in it is named with its line and column.
The same again changes nothing. Another table of the same month is a correction; the one recorded last counts,
by this command or by the console's form. 同月重报即更正，以枢纽最后记录者为准。";

/// `publicity`
#[derive(clap::Args)]
#[command(after_help = FILE_HELP)]
pub(crate) struct Publicity {
    /// The table, as JSON, or as CSV if it is called so. 统计表文件
    #[arg(required_unless_present = "example")]
    file: Option<PathBuf>,
    /// Print a table to fill in, and state nothing. 打印待填样表
    #[arg(long, conflicts_with_all = ["file", "wait"])]
    example: bool,
    /// With --example: as CSV, for a spreadsheet. 打印 CSV 样表
    #[arg(long, requires = "example")]
    csv: bool,
    /// How long to wait for the hub's receipt, in seconds; without it the outbox is enough. 等待回执
    #[arg(long, value_name = "SECONDS", default_value_t = 0,
        value_parser = clap::value_parser!(u64).range(0..=86_400))]
    wait: u64,
    /// For programs.
    #[arg(long)]
    json: bool,
}

impl Publicity {
    pub(crate) async fn run(&self, config: &Config) -> ExitCode {
        match self.answer(config).await {
            Ok(code) => code,
            Err(failure) => {
                error!("{failure:#}");
                ExitCode::from(1)
            }
        }
    }

    async fn answer(&self, config: &Config) -> anyhow::Result<ExitCode> {
        let Some(path) = &self.file else {
            if let Some(month) = state::present_month(config) {
                tell(&if self.csv { table::example(month) } else { file::example(month) })?;
            }
            return Ok(ExitCode::SUCCESS);
        };
        let outcome = match state::state(config, path, Duration::from_secs(self.wait)).await {
            Ok(outcome) => outcome,
            Err(it) if it.is_of_the_file() => return Ok(tell_error(&chain(&it))),
            Err(it) => return Err(it.into()),
        };
        if self.json {
            tell(&format!("{}\n", serde_json::to_string(&outcome)?))?;
        } else {
            tell(&outcome.to_string())?;
        }
        Ok(if outcome.is_good() { ExitCode::SUCCESS } else { ExitCode::from(1) })
    }
}
