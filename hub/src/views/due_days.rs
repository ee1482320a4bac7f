//! Open deadlines. The due days are the stamped ones; nothing is ever counted here.

use events::case::{CaseAccepted, CaseEvent, ClockResumed};
use events::ids::CaseId;
use events::vocabulary::{Counted, DueDay, Stage};
use hub_core::calendar::shanghai_date;
use jiff::Timestamp;
use rusqlite::types::Value;

use crate::views::cells::struct_cells;
use crate::views::reader::ViewError;
use crate::views::rows::DueRow;
use crate::views::status::{Change, day_number};
use crate::views::table::{Behind, Row, Table};

/// The clock that an open case is under.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Running {
    pub(crate) row: DueRow,
    /// It stands still: a correction is awaited, or a special procedure runs.
    pub(crate) stopped: bool,
}

pub(crate) fn apply(
    table: &mut Table<Running>,
    behind: Behind<'_>,
    change: &Change<'_>,
) -> Result<(), ViewError> {
    let edit = |table: &mut Table<Running>, how: &dyn Fn(&mut Running)| {
        table.change(behind, &change.case).map(|row| row.map(how).unwrap_or_default())
    };
    match change.event {
        CaseEvent::CaseSubmitted(it) => {
            let row = first(change, it.submitted_at, it.counted, &it.due);
            table.put(behind, change.case, Running { row, stopped: false });
        }
        CaseEvent::CaseRouted(it) => edit(table, &|row| row.row.province = Some(it.province))?,
        // A return does not start clock 1 again; only the applicant's correction does.
        CaseEvent::CaseReturned(_) => edit(table, &|row| {
            row.row.province = None;
            row.row.answered = true;
        })?,
        CaseEvent::CorrectionRequested(_) => edit(table, &|row| {
            row.stopped = true;
            row.row.answered = true;
        })?,
        CaseEvent::CorrectionSubmitted(it) => {
            let mut row = first(change, it.submitted_at, it.counted, &it.due);
            row.answered = true;
            table.put(behind, change.case, Running { row, stopped: false });
        }
        CaseEvent::CaseAccepted(it) => table.put(behind, change.case, second(change, it)),
        CaseEvent::ClockSuspended(_) => edit(table, &|row| row.stopped = true)?,
        CaseEvent::ClockResumed(it) => edit(table, &|row| row.resume(it))?,
        CaseEvent::DueDayRevised(it) => edit(table, &|row| {
            if row.row.stage == it.stage {
                row.row.due = it.due.clone();
            }
        })?,
        CaseEvent::AcceptanceOverdue(_) | CaseEvent::CompletionOverdue(_) => {
            edit(table, &|row| row.row.overdue = true)?;
        }
        CaseEvent::CaseUrged(_) => edit(table, &|row| row.row.urged = true)?,
        CaseEvent::SeriouslyOverdue(_) => edit(table, &|row| row.row.serious = true)?,
        CaseEvent::DeemedAccepted(_) => edit(table, &|row| row.row.deemed = true)?,
        CaseEvent::CorrectionLapsed(_)
        | CaseEvent::CaseDeclined(_)
        | CaseEvent::CaseCompleted(_)
        | CaseEvent::CaseWithdrawn(_) => table.remove(behind, &change.case),
        CaseEvent::CaseForwarded(_)
        | CaseEvent::CaseParked(_)
        | CaseEvent::CaseReleased(_)
        | CaseEvent::CaseDelivered(_)
        | CaseEvent::CaseAskedAgain(_)
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
    Ok(())
}

/// Clock 1, from the day on which the applicant submitted, in full.
fn first(
    change: &Change<'_>,
    submitted_at: Timestamp,
    counted: Option<Counted>,
    due: &DueDay,
) -> DueRow {
    let from = counted.map_or_else(|| shanghai_date(submitted_at), |it| it.from);
    let mut row = clock(change, Stage::Acceptance, from, due.clone());
    row.working_days = counted.map(|it| it.working_days);
    row
}

/// Clock 2, from the day on which the acceptance was recorded.
fn second(change: &Change<'_>, it: &CaseAccepted) -> Running {
    let from = it.counted.map_or_else(|| change.recorded_on(), |it| it.from);
    let mut row = clock(change, Stage::Completion, from, it.due.clone());
    row.working_days = it.counted.map(|it| it.working_days);
    row.answered = true;
    Running { row, stopped: false }
}

/// A clock that was just started.
fn clock(change: &Change<'_>, stage: Stage, from: jiff::civil::Date, due: DueDay) -> DueRow {
    DueRow {
        case: change.case,
        province: change.after.row.province,
        stage,
        from,
        working_days: None,
        due,
        overdue: false,
        urged: false,
        serious: false,
        deemed: change.after.row.deemed_accepted,
        answered: false,
    }
}

impl Running {
    fn resume(&mut self, it: &ClockResumed) {
        self.stopped = false;
        self.row.due = it.due.clone();
        if let Some(counted) = it.counted {
            self.row.from = counted.from;
            self.row.working_days = Some(counted.working_days);
        }
    }

    /// Nothing more can be noted about it, however many days pass.
    fn exhausted(&self) -> bool {
        let row = &self.row;
        let never_deemed = row.stage == Stage::Completion || row.deemed || row.answered;
        row.overdue && row.urged && row.serious && never_deemed
    }
}

struct_cells!(DueRow {
    case,
    province,
    stage,
    from,
    working_days,
    due,
    overdue,
    urged,
    serious,
    deemed,
    answered
});
struct_cells!(Running { row, stopped });

impl Row for Running {
    type Key = CaseId;
    const NAME: &'static str = "due_days";
    const REVISION: u32 = 1;
    const COLUMNS: &'static [&'static str] =
        &["running INTEGER NOT NULL", "due INTEGER NOT NULL", "unfinished INTEGER NOT NULL"];
    const INDEXES: &'static [&'static str] =
        &["(due, key) WHERE running = 1", "(due, key) WHERE unfinished = 1"];
    fn columns(&self) -> Vec<Value> {
        vec![
            Value::Integer((!self.stopped).into()),
            Value::Integer(day_number(self.row.due.day)),
            Value::Integer((!self.stopped && !self.exhausted()).into()),
        ]
    }
}
