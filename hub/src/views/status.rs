//! Where every case stands. The first view: the others are told what a case was and what it is now.

use events::case::CaseEvent;
use events::envelope::Recorded;
use events::ids::{CaseId, ProvinceCode, RequestId};
use events::vocabulary::Stage;
use hub_core::calendar::shanghai_date;
use jiff::Timestamp;
use jiff::civil::Date;
use rusqlite::types::Value;

use crate::views::blame::{Custody, Verdict, blame, verdict};
use crate::views::cells::{listed_cells, struct_cells};
use crate::views::rows::{Blame, CaseRow, CaseStage};
use crate::views::table::Row;
use crate::views::when::shanghai_hour;

/// A row and what only the folds need of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusRow {
    pub(crate) row: CaseRow,
    pub(crate) standing: Standing,
}

/// What the folds must remember of a case from one event to the next. Small, so that it can be copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Standing {
    /// The position of `CaseSubmitted`: the order of lists.
    pub(crate) submitted_position: u64,
    /// What the province is asked now.
    pub(crate) request: Option<RequestId>,
    /// Where it stood when it was parked.
    pub(crate) parked_from: Option<CaseStage>,
    /// When what is asked now was first handed to the broker.
    pub(crate) work_forwarded_at: Option<Timestamp>,
    /// When the adapter signed for what is asked now.
    pub(crate) work_delivered_at: Option<Timestamp>,
    /// Somebody waits for the adapter's signature.
    pub(crate) waiting: bool,
    /// Where it was routed first: there it counts as received.
    pub(crate) first_province: Option<ProvinceCode>,
    pub(crate) acceptance: Ladder,
    pub(crate) completion: Ladder,
}

/// How far one clock's ladder was climbed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Ladder {
    /// Whom the breach was counted against, and why.
    pub(crate) overdue: Option<(ProvinceCode, Blame)>,
    pub(crate) urged: bool,
    pub(crate) serious: bool,
}

/// How a decided clock counts. Each clock is counted once; a breach is counted when its day ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judged {
    /// Recorded in time.
    OnTime,
    /// Decided in time, recorded late; never counted before.
    ReportedLate,
    /// Neither; never counted before.
    Overdue(Blame),
    /// Counted as overdue, with this blame; now it turns out to be a late report.
    TurnsOutLate(Blame),
    /// Counted as overdue, and it stays so.
    Stands,
}

/// What a case was before an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Before {
    pub(crate) stage: CaseStage,
    pub(crate) province: Option<ProvinceCode>,
    pub(crate) standing: Standing,
}

impl Before {
    /// The applicant owed something, even if an operator had stopped the case meanwhile.
    pub(crate) fn is_awaiting_correction(self) -> bool {
        self.standing.parked_from.unwrap_or(self.stage) == CaseStage::AwaitingCorrection
    }
}

/// One event of one case, with the case before and after it.
pub(crate) struct Change<'a> {
    pub(crate) recorded: &'a Recorded,
    pub(crate) case: CaseId,
    pub(crate) event: &'a CaseEvent,
    pub(crate) before: Option<Before>,
    pub(crate) after: &'a StatusRow,
}

impl Change<'_> {
    /// The Shanghai date of the recording: the one that counts.
    pub(crate) fn recorded_on(&self) -> Date {
        shanghai_date(self.recorded.recorded_at)
    }

    /// The case is routed for the first time: every case once.
    pub(crate) fn is_first_route(&self) -> bool {
        let routed = matches!(self.event, CaseEvent::CaseRouted(_));
        routed && self.before.is_none_or(|it| it.standing.first_province.is_none())
    }

    /// The case ends with this.
    pub(crate) fn ends(&self) -> bool {
        let ended_before = self.before.is_some_and(|it| it.stage.has_ended());
        self.after.row.stage.has_ended() && !ended_before
    }
}

impl Standing {
    pub(crate) fn ladder(&self, stage: Stage) -> &Ladder {
        match stage {
            Stage::Acceptance => &self.acceptance,
            Stage::Completion => &self.completion,
        }
    }
    pub(crate) fn ladder_mut(&mut self, stage: Stage) -> &mut Ladder {
        match stage {
            Stage::Acceptance => &mut self.acceptance,
            Stage::Completion => &mut self.completion,
        }
    }
}

impl StatusRow {
    /// Who held the case when a clock's day ended; `claimed_on` is the province's word, if it decided.
    pub(crate) fn blame(&self, stage: Stage, due: Date, claimed_on: Option<Date>) -> Blame {
        let standing = &self.standing;
        let accepting = stage == Stage::Acceptance;
        let custody = Custody {
            forwarded_on: standing.work_forwarded_at.map(shanghai_date),
            delivered_on: standing.work_delivered_at.map(shanghai_date),
            awaiting_correction: self.row.stage == CaseStage::AwaitingCorrection,
            parked: self.row.stage == CaseStage::Parked && accepting,
            late_intake: self.row.late_intake && accepting,
            claimed_on,
        };
        blame(due, &custody)
    }

    /// How the clock counts that `by` has just decided. `before` is how far its ladder was climbed.
    pub(crate) fn judged(
        &self,
        before: Option<Ladder>,
        by: ProvinceCode,
        stage: Stage,
        recorded_on: Date,
        decided_at: Timestamp,
    ) -> Option<Judged> {
        let due = match stage {
            Stage::Acceptance => self.row.acceptance_due.day,
            Stage::Completion => self.row.completion_due.as_ref()?.day,
        };
        let claimed_on = shanghai_date(decided_at);
        let told = verdict(due, recorded_on, claimed_on);
        Some(match (told, before.and_then(|it| it.overdue)) {
            (Verdict::OnTime, None) => Judged::OnTime,
            (Verdict::ReportedLate, None) => Judged::ReportedLate,
            (Verdict::Overdue, None) => Judged::Overdue(self.blame(stage, due, Some(claimed_on))),
            // The breach turns out to be one of reporting.
            (Verdict::ReportedLate, Some((against, blame))) if against == by => {
                Judged::TurnsOutLate(blame)
            }
            // The breach stands, against whom it was counted.
            (Verdict::OnTime | Verdict::ReportedLate | Verdict::Overdue, Some(_)) => Judged::Stands,
        })
    }

    /// A province that has the open case has not signed for what it is asked.
    fn is_waiting(&self) -> bool {
        let open = !self.row.stage.has_ended();
        self.standing.waiting && open && self.row.province.is_some()
    }

    /// The day that an open case is due on now.
    fn due_now(&self) -> Option<Date> {
        match self.row.stage {
            it if it.has_ended() => None,
            CaseStage::AwaitingCorrection | CaseStage::Suspended => None,
            _ => Some(self.row.completion_due.as_ref().unwrap_or(&self.row.acceptance_due).day),
        }
    }
}

listed_cells! {
    CaseStage = CaseStage::ALL;
    Blame = [Blame::Hub, Blame::Transit, Blame::Adapter, Blame::Desk, Blame::Applicant];
}
struct_cells!(Ladder { overdue, urged, serious });
struct_cells!(Standing {
    submitted_position,
    request,
    parked_from,
    work_forwarded_at,
    work_delivered_at,
    waiting,
    first_province,
    acceptance,
    completion,
});
struct_cells!(CaseRow {
    case,
    number,
    client,
    client_reference,
    item,
    category,
    channel,
    authority_name,
    province,
    stage,
    outcome,
    reason,
    submitted_at,
    recorded_at,
    forwarded_at,
    delivered_at,
    accepted_at,
    ended_at,
    claimed_accepted_at,
    claimed_ended_at,
    acceptance_due,
    completion_due,
    attempts,
    acceptance_overdue,
    completion_overdue,
    urged,
    seriously_overdue,
    deemed_accepted,
    conflicts,
    fed_back,
    late_intake,
    position,
});
struct_cells!(StatusRow { row, standing });

/// A date as a number that sorts: 20260213.
pub(crate) fn day_number(day: Date) -> i64 {
    i64::from(day.year()) * 10_000 + i64::from(day.month()) * 100 + i64::from(day.day())
}

impl Row for StatusRow {
    type Key = CaseId;
    const NAME: &'static str = "status";
    const REVISION: u32 = 3;
    const COLUMNS: &'static [&'static str] = &[
        "position INTEGER NOT NULL",
        "number TEXT NOT NULL",
        "province INTEGER",
        "stage TEXT NOT NULL",
        "item TEXT NOT NULL",
        "category TEXT NOT NULL",
        "channel TEXT NOT NULL",
        "client TEXT NOT NULL",
        "open INTEGER NOT NULL",
        "overdue INTEGER NOT NULL",
        "due INTEGER",
        "first_province INTEGER",
        "waiting INTEGER NOT NULL",
        "outcome TEXT",
        "ended_on INTEGER",
        "ended_hour INTEGER",
    ];
    const INDEXES: &'static [&'static str] = &[
        "(position)",
        "(number)",
        "(province, position)",
        "(province, stage, position)",
        "(client, position)",
        "(position) WHERE open = 1",
        "(position) WHERE overdue = 1",
        "(stage, position)",
        // What presses is counted from this alone.
        "(province, overdue, due) WHERE open = 1",
        // Behind the overview's and the league table's figures. Each ends with the position, so that what is
        // written lies together; the hour is there to be looked at without the row.
        "(first_province, position)",
        "(position) WHERE waiting = 1",
        "(outcome, position) WHERE outcome IS NOT NULL",
        "(ended_on, position, ended_hour) WHERE ended_on IS NOT NULL",
    ];
    fn columns(&self) -> Vec<Value> {
        let row = &self.row;
        let overdue = row.acceptance_overdue || row.completion_overdue;
        let number = |it: Option<ProvinceCode>| {
            it.map_or(Value::Null, |it| Value::Integer(it.number().into()))
        };
        vec![
            Value::Integer(self.standing.submitted_position as i64),
            Value::Text(row.number.as_str().to_owned()),
            number(row.province),
            Value::Text(row.stage.code().to_owned()),
            Value::Text(row.item.code().to_owned()),
            Value::Text(row.category.code().to_owned()),
            Value::Text(row.channel.code().to_owned()),
            Value::Text(row.client.clone()),
            Value::Integer((!row.stage.has_ended()).into()),
            Value::Integer(overdue.into()),
            self.due_now().map_or(Value::Null, |it| Value::Integer(day_number(it))),
            number(self.standing.first_province),
            Value::Integer(self.is_waiting().into()),
            row.outcome.map_or(Value::Null, |it| Value::Text(it.code().to_owned())),
            row.ended_at.map_or(Value::Null, |it| Value::Integer(day_number(shanghai_date(it)))),
            row.ended_at.map_or(Value::Null, |it| Value::Integer(shanghai_hour(it).into())),
        ]
    }
}
