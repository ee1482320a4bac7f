//! Writes a log for `tests/golden`, once for every published version: `make-golden FILE`.

use events::case::AgainGround;
use events::ids::ProvinceCode;
use events::report::News;
use events::vocabulary::{Outcome, Reason};
use hub::audit::export::export;
use hub_core::command::Command;
use tests::stage::national::Handed;
use tests::stage::province::FakeProvince;
use tests::stage::{Setup, TestHub};

/// One case is signed for and then asked for again, as after a lost store.
fn ask_again(
    hub: &mut TestHub,
    province: &mut FakeProvince,
) -> Result<(), Box<dyn std::error::Error>> {
    let handed = Handed::new(7, province.keys.province, hub.clock.now());
    handed.submit(hub);
    hub.dispatch();
    let now = hub.clock.now();
    for (_, letter) in hub.pipe.fetch() {
        province.arrive(&letter, now);
    }
    let batch: Vec<_> = province.outbox.drain(..).map(|it| it.1).collect();
    hub.take(province.keys.province, &batch);
    let command = Command::AskAgain {
        province: province.keys.province,
        because: AgainGround::Reconciliation,
    };
    hub.tell(handed.case(), command)?;
    Ok(())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let target = std::env::args().nth(1).ok_or("which file?")?;
    let at = "2026-03-02T01:00:00Z".parse()?;
    let mut hub = TestHub::new(Setup { sqlite: true, ..Setup::at(at) });
    let code: ProvinceCode = "22".parse()?;
    let mut province = FakeProvince::new(code);
    province.keys.enrol(&hub);
    for nth in 1..=6 {
        let handed = Handed::new(nth, code, hub.clock.now());
        handed.submit(&hub);
        hub.dispatch();
        let now = hub.clock.now();
        for (_, letter) in hub.pipe.fetch() {
            province.arrive(&letter, now);
        }
        let case = handed.case();
        if nth % 3 == 0 {
            province.say(case, News::Declined { reason: Reason::RenewalNotDue }, now);
        } else {
            province.say(case, News::Accepted { acceptance_number: format!("受-{nth}") }, now);
            for outcome in [Outcome::Approved, Outcome::Denied] {
                let decision_number = format!("决-{nth}");
                let (reasons, result) = (vec![], Default::default());
                province.say(
                    case,
                    News::Completed { outcome, decision_number, reasons, result },
                    now,
                );
            }
        }
        let batch: Vec<_> = province.outbox.drain(..).map(|it| it.1).collect();
        hub.take(code, &batch);
    }
    ask_again(&mut hub, &mut province)?;
    if target.ends_with(".jsonl") {
        let target = std::path::Path::new(&target);
        hub.readers().read(|log| Ok(export(log, target, 1, None, &mut |_, _| {})))??;
        return Ok(());
    }
    // Closing the log leaves one whole file.
    hub.crash();
    std::fs::copy(hub.path("log.db"), target)?;
    Ok(())
}
