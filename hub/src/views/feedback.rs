//! Results that the national system has not confirmed. A withdrawal is its own act and needs none.

use events::case::CaseEvent;
use events::ids::CaseId;
use rusqlite::types::Value;

use crate::views::cells::struct_cells;
use crate::views::rows::FeedbackRow;
use crate::views::status::Change;
use crate::views::table::{Behind, Row, Table};

pub(crate) fn apply(table: &mut Table<FeedbackRow>, behind: Behind<'_>, change: &Change<'_>) {
    match change.event {
        CaseEvent::CaseCompleted(_)
        | CaseEvent::CaseDeclined(_)
        | CaseEvent::CorrectionLapsed(_) => {
            let row = FeedbackRow {
                case: change.case,
                client: change.after.row.client.clone(),
                position: change.recorded.position,
                ended_at: change.recorded.recorded_at,
            };
            table.put(behind, change.case, row);
        }
        CaseEvent::ResultFedBack(_) => table.remove(behind, &change.case),
        CaseEvent::CaseSubmitted(_)
        | CaseEvent::CaseRouted(_)
        | CaseEvent::CaseForwarded(_)
        | CaseEvent::CaseParked(_)
        | CaseEvent::CaseReleased(_)
        | CaseEvent::CaseDelivered(_)
        | CaseEvent::CaseAskedAgain(_)
        | CaseEvent::CaseReturned(_)
        | CaseEvent::CorrectionRequested(_)
        | CaseEvent::CorrectionSubmitted(_)
        | CaseEvent::CaseAccepted(_)
        | CaseEvent::ClockSuspended(_)
        | CaseEvent::ClockResumed(_)
        | CaseEvent::DueDayRevised(_)
        | CaseEvent::CaseWithdrawn(_)
        | CaseEvent::AcceptanceOverdue(_)
        | CaseEvent::CompletionOverdue(_)
        | CaseEvent::CaseUrged(_)
        | CaseEvent::SeriouslyOverdue(_)
        | CaseEvent::DeemedAccepted(_)
        | CaseEvent::BreachExplained(_)
        | CaseEvent::CaseNoted(_)
        | CaseEvent::CertificateIssued(_)
        | CaseEvent::CaseRated(_)
        | CaseEvent::ComplaintFiled(_)
        | CaseEvent::ComplaintAnswered(_)
        | CaseEvent::CaseArchived(_)
        | CaseEvent::ReportRefused(_)
        | CaseEvent::ConflictingDecision(_) => {}
    }
}

struct_cells!(FeedbackRow { case, client, position, ended_at });

impl Row for FeedbackRow {
    type Key = CaseId;
    const NAME: &'static str = "feedback";
    const REVISION: u32 = 1;
    const COLUMNS: &'static [&'static str] = &["client TEXT NOT NULL", "position INTEGER NOT NULL"];
    const INDEXES: &'static [&'static str] = &["(client, position)", "(position)"];
    fn columns(&self) -> Vec<Value> {
        vec![Value::Text(self.client.clone()), Value::Integer(self.position.0 as i64)]
    }
}
