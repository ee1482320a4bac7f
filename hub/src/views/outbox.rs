//! What a province has not signed for yet. One row a case, because only the last request matters.

use events::case::{CaseEvent, CaseForwarded};
use events::ids::{CaseId, ProvinceCode, RequestId};
use events::work::WorkKind;
use hub_core::plan::Waiting;
use jiff::Timestamp;
use rusqlite::types::Value;

use crate::views::cells::struct_cells;
use crate::views::reader::ViewError;
use crate::views::rows::OutboxRow;
use crate::views::status::Change;
use crate::views::table::{Behind, Row, Table};

/// The last request of a case. It stays after the signature while the case is open, because a
/// withdrawal goes to the same province.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) case: CaseId,
    pub(crate) province: ProvinceCode,
    pub(crate) request: RequestId,
    pub(crate) work: WorkKind,
    pub(crate) since: Timestamp,
    pub(crate) attempts: u32,
    pub(crate) first_attempt_at: Option<Timestamp>,
    pub(crate) last_attempt_at: Option<Timestamp>,
    /// Nobody signed for it.
    pub(crate) waiting: bool,
    /// Nothing may be sent until an operator lets it go on.
    pub(crate) parked: bool,
}

pub(crate) fn apply(
    table: &mut Table<Asked>,
    behind: Behind<'_>,
    change: &Change<'_>,
) -> Result<(), ViewError> {
    let at = change.recorded.recorded_at;
    match change.event {
        CaseEvent::CaseRouted(it) => {
            ask(table, behind, change, it.province, it.request, WorkKind::Case)?;
        }
        CaseEvent::CorrectionSubmitted(it) => {
            if let Some(province) = change.after.row.province {
                ask(table, behind, change, province, it.request, WorkKind::Correction)?;
            }
        }
        CaseEvent::CaseWithdrawn(it) => match change.after.row.province {
            Some(to) => ask(table, behind, change, to, it.request, WorkKind::Withdrawal)?,
            None => table.remove(behind, &change.case),
        },
        CaseEvent::CaseForwarded(it) => {
            edit(table, behind, change, |row| row.attempted(it, at))?;
        }
        CaseEvent::CaseDelivered(it) => {
            edit(table, behind, change, |row| {
                if row.request == it.request && row.work == it.work {
                    row.waiting = false;
                }
            })?;
            // After the end nothing is asked any more once the withdrawal is signed for.
            if change.after.row.stage.has_ended() && !change.after.standing.waiting {
                table.remove(behind, &change.case);
            }
        }
        CaseEvent::CaseAskedAgain(it) => {
            edit(table, behind, change, |row| row.asked_again(it.request, at))?;
        }
        CaseEvent::CaseParked(_) => edit(table, behind, change, |row| row.parked = true)?,
        CaseEvent::CaseReleased(_) => edit(table, behind, change, |row| row.parked = false)?,
        // Whoever answers has it, whatever its adapter signed.
        CaseEvent::CaseReturned(_)
        | CaseEvent::CorrectionRequested(_)
        | CaseEvent::CaseAccepted(_)
        | CaseEvent::ClockSuspended(_)
        | CaseEvent::ClockResumed(_) => {
            edit(table, behind, change, |row| row.waiting = false)?;
        }
        CaseEvent::CorrectionLapsed(_)
        | CaseEvent::CaseDeclined(_)
        | CaseEvent::CaseCompleted(_) => table.remove(behind, &change.case),
        CaseEvent::CaseSubmitted(_)
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
    Ok(())
}

fn ask(
    table: &mut Table<Asked>,
    behind: Behind<'_>,
    change: &Change<'_>,
    province: ProvinceCode,
    request: RequestId,
    work: WorkKind,
) -> Result<(), ViewError> {
    let parked = table.change(behind, &change.case)?.is_some_and(|it| it.parked);
    let row = Asked {
        case: change.case,
        province,
        request,
        work,
        since: change.recorded.recorded_at,
        attempts: 0,
        first_attempt_at: None,
        last_attempt_at: None,
        waiting: true,
        parked,
    };
    table.put(behind, change.case, row);
    Ok(())
}

fn edit(
    table: &mut Table<Asked>,
    behind: Behind<'_>,
    change: &Change<'_>,
    how: impl FnOnce(&mut Asked),
) -> Result<(), ViewError> {
    if let Some(row) = table.change(behind, &change.case)? {
        how(row);
    }
    Ok(())
}

impl Asked {
    fn attempted(&mut self, it: &CaseForwarded, at: Timestamp) {
        if self.request == it.request {
            self.attempts = self.attempts.max(it.attempt);
            self.first_attempt_at.get_or_insert(at);
            self.last_attempt_at = Some(at);
        }
    }

    /// As if it had never been tried: it goes out now.
    fn asked_again(&mut self, request: RequestId, at: Timestamp) {
        if self.request == request {
            (self.waiting, self.since) = (true, at);
            (self.first_attempt_at, self.last_attempt_at) = (None, None);
        }
    }

    /// The row as the router sees it.
    pub(crate) fn row(&self) -> OutboxRow {
        OutboxRow {
            waiting: Waiting {
                case: self.case,
                province: self.province,
                request: self.request,
                work: self.work,
                attempts: self.attempts,
                attempted_at: self.last_attempt_at,
            },
            since: self.since,
        }
    }

    /// When it was touched last; nothing while nothing may be or needs to be sent.
    fn touched_at(&self) -> Option<Timestamp> {
        (self.waiting && !self.parked).then(|| self.last_attempt_at.unwrap_or(self.since))
    }
}

struct_cells!(Asked {
    case,
    province,
    request,
    work,
    since,
    attempts,
    first_attempt_at,
    last_attempt_at,
    waiting,
    parked,
});

impl Row for Asked {
    type Key = CaseId;
    const NAME: &'static str = "outbox";
    const REVISION: u32 = 1;
    const COLUMNS: &'static [&'static str] =
        &["touched_at INTEGER", "province INTEGER NOT NULL", "silent_since INTEGER"];
    const INDEXES: &'static [&'static str] = &[
        "(touched_at) WHERE touched_at IS NOT NULL",
        "(province, touched_at) WHERE touched_at IS NOT NULL",
        "(silent_since) WHERE silent_since IS NOT NULL",
    ];
    fn columns(&self) -> Vec<Value> {
        let moment = |it: Option<Timestamp>| {
            it.map_or(Value::Null, |it| Value::Integer(it.as_microsecond()))
        };
        vec![
            moment(self.touched_at()),
            Value::Integer(self.province.number().into()),
            moment(self.touched_at().and(self.first_attempt_at)),
        ]
    }
}
