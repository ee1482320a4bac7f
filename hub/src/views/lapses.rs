//! Corrections that the applicant still owes, by their last day.

use events::case::CaseEvent;
use events::ids::CaseId;
use rusqlite::types::Value;

use crate::views::cells::struct_cells;
use crate::views::rows::LapseRow;
use crate::views::status::{Change, day_number};
use crate::views::table::{Behind, Row, Table};

pub(crate) fn apply(table: &mut Table<LapseRow>, behind: Behind<'_>, change: &Change<'_>) {
    match change.event {
        CaseEvent::CorrectionRequested(it) => {
            table.put(behind, change.case, LapseRow { case: change.case, until: it.until });
        }
        // A province may accept or decline while it waits for a correction.
        CaseEvent::CorrectionSubmitted(_)
        | CaseEvent::CorrectionLapsed(_)
        | CaseEvent::CaseAccepted(_)
        | CaseEvent::CaseDeclined(_)
        | CaseEvent::CaseCompleted(_)
        | CaseEvent::CaseWithdrawn(_) => {
            if change.before.is_some_and(|it| it.is_awaiting_correction()) {
                table.remove(behind, &change.case);
            }
        }
        CaseEvent::CaseSubmitted(_)
        | CaseEvent::CaseRouted(_)
        | CaseEvent::CaseForwarded(_)
        | CaseEvent::CaseParked(_)
        | CaseEvent::CaseReleased(_)
        | CaseEvent::CaseDelivered(_)
        | CaseEvent::CaseAskedAgain(_)
        | CaseEvent::CaseReturned(_)
        | CaseEvent::ClockSuspended(_)
        | CaseEvent::ClockResumed(_)
        | CaseEvent::DueDayRevised(_)
        | CaseEvent::AcceptanceOverdue(_)
        | CaseEvent::CompletionOverdue(_)
        | CaseEvent::CaseUrged(_)
        | CaseEvent::SeriouslyOverdue(_)
        | CaseEvent::DeemedAccepted(_)
        | CaseEvent::BreachExplained(_)
        | CaseEvent::CaseNoted(_)
        | CaseEvent::ResultFedBack(_)
        | CaseEvent::CertificateIssued(_)
        | CaseEvent::CaseRated(_)
        | CaseEvent::ComplaintFiled(_)
        | CaseEvent::ComplaintAnswered(_)
        | CaseEvent::CaseArchived(_)
        | CaseEvent::ReportRefused(_)
        | CaseEvent::ConflictingDecision(_) => {}
    }
}

struct_cells!(LapseRow { case, until });

impl Row for LapseRow {
    type Key = CaseId;
    const NAME: &'static str = "lapses";
    const REVISION: u32 = 1;
    const COLUMNS: &'static [&'static str] = &["until INTEGER NOT NULL"];
    const INDEXES: &'static [&'static str] = &["(until)"];
    fn columns(&self) -> Vec<Value> {
        vec![Value::Integer(day_number(self.until))]
    }
}
