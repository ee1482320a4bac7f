//! The smallest complete province: it accepts everything and approves it in the same breath.
//!
//! `cargo run -p province-adapter --example toy_province -- adapter.toml`

use std::path::PathBuf;

use events::case::CaseResult;
use events::report::News;
use events::vocabulary::Outcome;
use events::work::WorkKind;
use province_adapter::adapter::Adapter;
use province_adapter::config::Config;
use province_adapter::office::{OfficeSystem, TakeError, TakenWork};
use province_adapter::reporter::Reporter;

struct Toy {
    reporter: Reporter,
}

impl OfficeSystem for Toy {
    async fn take(&self, taken: TakenWork) -> Result<(), TakeError> {
        let work = taken.work;
        if work.kind == WorkKind::Withdrawal {
            return Ok(());
        }
        // A stable moment and stable numbers: told twice, it is still one decision.
        let moment = work.submitted_at;
        let decisions = [
            News::Accepted { acceptance_number: format!("受-{}", work.number) },
            News::Completed {
                outcome: Outcome::Approved,
                decision_number: format!("决-{}", work.number),
                reasons: Vec::new(),
                result: CaseResult::default(),
            },
        ];
        for news in decisions {
            let told = self.reporter.report(work.case, news, moment, None).await;
            told.map_err(|it| TakeError::not_now(it.to_string()))?;
        }
        Ok(())
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).map_or_else(|| PathBuf::from("adapter.toml"), PathBuf::from);
    let adapter = Adapter::open(&Config::load(&path)?)?;
    let office = Toy { reporter: adapter.reporter() };
    let interrupted = async { tokio::signal::ctrl_c().await.unwrap_or(()) };
    Ok(adapter.run(office, interrupted).await?)
}
