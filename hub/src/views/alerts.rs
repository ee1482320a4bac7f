//! What somebody should look at. One alert a case, clock and kind; a breach stays on record after it ended.
//!
//! "Due soon" and "nothing came back" depend on the hour, so the reader tells them when asked.

use events::case::CaseEvent;
use events::ids::CaseId;
use events::vocabulary::{AlertKind, Stage};
use hub_core::calendar::shanghai_date;
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::types::Value;

use crate::views::acts::Acts;
use crate::views::cells::{bytes_of, struct_cells};
use crate::views::reader::ViewError;
use crate::views::rows::{AlertRow, CaseStage};
use crate::views::status::Change;
use crate::views::table::{Behind, Row, Table};

/// An alert's place: the case, and which of its possible alerts it is.
pub(crate) type AlertKey = (CaseId, u8);

pub(crate) fn key(case: CaseId, kind: AlertKind, stage: Option<Stage>) -> AlertKey {
    let kind = bytes_of(&kind).first().copied().unwrap_or_default();
    let stage = match stage {
        None => 0,
        Some(Stage::Acceptance) => 1,
        Some(Stage::Completion) => 2,
    };
    (case, kind * 3 + stage)
}

pub(crate) fn apply(
    table: &mut Table<AlertRow>,
    behind: Behind<'_>,
    change: &Change<'_>,
) -> Result<(), ViewError> {
    let mut raise = |kind, stage, due| raise(table, behind, change, kind, stage, due);
    match change.event {
        CaseEvent::AcceptanceOverdue(it) => {
            raise(AlertKind::AcceptanceOverdue, Some(Stage::Acceptance), Some(it.due));
        }
        CaseEvent::CompletionOverdue(it) => {
            raise(AlertKind::CompletionOverdue, Some(Stage::Completion), Some(it.due));
        }
        CaseEvent::CaseUrged(it) => raise(AlertKind::Urged, Some(it.stage), Some(it.due)),
        CaseEvent::SeriouslyOverdue(it) => {
            raise(AlertKind::SeriouslyOverdue, Some(it.stage), Some(it.due));
        }
        CaseEvent::DeemedAccepted(it) => {
            raise(AlertKind::DeemedAccepted, Some(Stage::Acceptance), Some(it.until));
        }
        CaseEvent::ConflictingDecision(_) => raise(AlertKind::ConflictingDecision, None, None),
        CaseEvent::CaseParked(_) => raise(AlertKind::Parked, None, None),
        CaseEvent::CaseReleased(_) => end(table, behind, change, AlertKind::Parked, None, None)?,
        CaseEvent::CorrectionRequested(_) => {
            end_clock(table, behind, change, Stage::Acceptance, None)?;
        }
        CaseEvent::CaseAccepted(it) => {
            end_clock(table, behind, change, Stage::Acceptance, Some(it.decided_at))?;
        }
        CaseEvent::CaseDeclined(it) => end_case(table, behind, change, Some(it.decided_at))?,
        CaseEvent::CaseCompleted(it) => end_case(table, behind, change, Some(it.decided_at))?,
        CaseEvent::CorrectionLapsed(_) | CaseEvent::CaseWithdrawn(_) => {
            end_case(table, behind, change, None)?;
        }
        CaseEvent::BreachExplained(_) if change.after.row.conflicts > 0 => {
            end(table, behind, change, AlertKind::ConflictingDecision, None, None)?;
        }
        CaseEvent::CaseSubmitted(_)
        | CaseEvent::CaseRouted(_)
        | CaseEvent::CaseForwarded(_)
        | CaseEvent::CaseDelivered(_)
        | CaseEvent::CaseAskedAgain(_)
        | CaseEvent::CaseReturned(_)
        | CaseEvent::CorrectionSubmitted(_)
        | CaseEvent::ClockSuspended(_)
        | CaseEvent::ClockResumed(_)
        | CaseEvent::DueDayRevised(_)
        | CaseEvent::BreachExplained(_)
        | CaseEvent::CaseNoted(_)
        | CaseEvent::ResultFedBack(_)
        | CaseEvent::CertificateIssued(_)
        | CaseEvent::CaseRated(_)
        | CaseEvent::ComplaintFiled(_)
        | CaseEvent::ComplaintAnswered(_)
        | CaseEvent::CaseArchived(_)
        | CaseEvent::ReportRefused(_) => {}
    }
    Ok(())
}

fn raise(
    table: &mut Table<AlertRow>,
    behind: Behind<'_>,
    change: &Change<'_>,
    kind: AlertKind,
    stage: Option<Stage>,
    due: Option<Date>,
) {
    let blame = match (kind, stage, due) {
        // Who answers for a breach was settled when it was recorded.
        (AlertKind::DeemedAccepted, ..) | (_, None, _) | (_, _, None) => None,
        (_, Some(stage), Some(due)) => match change.after.standing.ladder(stage).overdue {
            Some((_, blame)) => Some(blame),
            None => Some(change.after.blame(stage, due, None)),
        },
    };
    let row = AlertRow {
        position: change.recorded.position,
        kind,
        case: change.case,
        number: change.after.row.number.clone(),
        province: change.after.row.province,
        stage,
        due,
        raised_at: change.recorded.recorded_at,
        ended_at: None,
        blame,
        acts: Acts::default(),
    };
    table.put(behind, key(change.case, kind, stage), row);
}

/// The clock was answered; `claimed_at` is when the province says it decided.
fn end_clock(
    table: &mut Table<AlertRow>,
    behind: Behind<'_>,
    change: &Change<'_>,
    stage: Stage,
    claimed_at: Option<Timestamp>,
) -> Result<(), ViewError> {
    let Some(before) = change.before else { return Ok(()) };
    let ladder = before.standing.ladder(stage);
    let overdue = match stage {
        Stage::Acceptance => AlertKind::AcceptanceOverdue,
        Stage::Completion => AlertKind::CompletionOverdue,
    };
    // Only what the row says was raised is looked for: most cases never raise anything.
    let row = &change.after.row;
    let breached = match stage {
        Stage::Acceptance => row.acceptance_overdue,
        Stage::Completion => row.completion_overdue,
    };
    let raised = [
        (overdue, breached),
        (AlertKind::Urged, ladder.urged),
        (AlertKind::SeriouslyOverdue, ladder.serious),
        (AlertKind::DeemedAccepted, row.deemed_accepted && stage == Stage::Acceptance),
    ];
    for (kind, _) in raised.into_iter().filter(|it| it.1) {
        end(table, behind, change, kind, Some(stage), claimed_at)?;
    }
    Ok(())
}

fn end_case(
    table: &mut Table<AlertRow>,
    behind: Behind<'_>,
    change: &Change<'_>,
    claimed_at: Option<Timestamp>,
) -> Result<(), ViewError> {
    end_clock(table, behind, change, Stage::Acceptance, claimed_at)?;
    end_clock(table, behind, change, Stage::Completion, claimed_at)?;
    let was_parked = change.before.is_some_and(|it| it.stage == CaseStage::Parked);
    // A withdrawal still has to reach the province, and cannot while the case is parked.
    if was_parked && !change.after.standing.waiting {
        end(table, behind, change, AlertKind::Parked, None, None)?;
    }
    Ok(())
}

/// Again, or for an alert that was never raised: nothing.
fn end(
    table: &mut Table<AlertRow>,
    behind: Behind<'_>,
    change: &Change<'_>,
    kind: AlertKind,
    stage: Option<Stage>,
    claimed_at: Option<Timestamp>,
) -> Result<(), ViewError> {
    let Some(alert) = table.change(behind, &key(change.case, kind, stage))? else { return Ok(()) };
    if alert.ended_at.is_some() {
        return Ok(());
    }
    alert.ended_at = Some(change.recorded.recorded_at);
    if let (Some(stage), Some(due), Some(claimed_at)) = (stage, alert.due, claimed_at)
        && kind != AlertKind::DeemedAccepted
        && shanghai_date(claimed_at) <= due
    {
        alert.blame = Some(change.after.blame(stage, due, Some(shanghai_date(claimed_at))));
    }
    Ok(())
}

struct_cells!(AlertRow {
    position,
    kind,
    case,
    number,
    province,
    stage,
    due,
    raised_at,
    ended_at,
    blame,
    acts
});

impl Row for AlertRow {
    type Key = AlertKey;
    const NAME: &'static str = "alerts";
    const REVISION: u32 = 3;
    const COLUMNS: &'static [&'static str] = &[
        "position INTEGER NOT NULL",
        "kind INTEGER NOT NULL",
        "open INTEGER NOT NULL",
        "province INTEGER",
        "raised_at INTEGER NOT NULL",
        "acknowledged INTEGER NOT NULL",
        "silenced_until INTEGER",
    ];
    const INDEXES: &'static [&'static str] = &[
        "(position)",
        "(kind, position)",
        "(position) WHERE open = 1",
        "(kind, position) WHERE open = 1",
        "(kind, province, raised_at) WHERE open = 1",
        "(province, position) WHERE open = 1",
    ];
    fn columns(&self) -> Vec<Value> {
        vec![
            Value::Integer(self.position.0 as i64),
            Value::Integer(kind_number(self.kind)),
            Value::Integer(self.ended_at.is_none().into()),
            self.province.map_or(Value::Null, |it| Value::Integer(it.number().into())),
            Value::Integer(self.raised_at.as_microsecond()),
            Value::Integer(self.acts.acknowledged.is_some().into()),
            self.acts
                .silenced
                .as_ref()
                .map_or(Value::Null, |it| Value::Integer(it.until.as_microsecond())),
        ]
    }
}

/// The kind as the index has it.
pub(crate) fn kind_number(kind: AlertKind) -> i64 {
    bytes_of(&kind).first().copied().unwrap_or_default().into()
}
