//! What the passing of days leads to, and what a new calendar changes. Arithmetic, nothing else.

use events::case::{
    AcceptanceOverdue, CaseEvent, CaseUrged, CompletionOverdue, CorrectionLapsed, DeemedAccepted,
    DueDayRevised, SeriouslyOverdue,
};
use events::vocabulary::Stage;
use jiff::Timestamp;
use jiff::civil::Date;

use super::Case;
use super::parts::{CaseStage, Clock};
use crate::calendar::shanghai_date;
use crate::deadlines::Rules;

/// Everything that has passed by the beginning of `today`, each once; several at once if the hub
/// was away for days. After the end, and while a clock stands still: nothing.
pub(super) fn observe(case: &Case, today: Date, rules: &Rules) -> Vec<CaseEvent> {
    if case.stage == CaseStage::AwaitingCorrection {
        return lapsed(case, today);
    }
    let Some((stage, clock)) = case.running_clock() else { return vec![] };
    let mut events = Vec::new();
    let day = clock.due.day;
    if today > day && !clock.overdue {
        events.push(match stage {
            Stage::Acceptance => AcceptanceOverdue { due: day }.into(),
            Stage::Completion => CompletionOverdue { due: day }.into(),
        });
    }
    // The cheap comparison first: nearly every case that is looked at is in time.
    let passed = |working_days| today > day && today > rules.calendar.due(day, working_days).day;
    if !clock.urged && passed(rules.standards.urged_after_working_days) {
        events.push(CaseUrged { stage, due: day }.into());
    }
    if stage == Stage::Acceptance {
        events.extend(deemed_accepted(case, today, rules));
    }
    if !clock.seriously_overdue && passed(rules.standards.serious_after_working_days) {
        events.push(SeriouslyOverdue { stage, due: day }.into());
    }
    events
}

fn lapsed(case: &Case, today: Date) -> Vec<CaseEvent> {
    match &case.correction {
        Some(notice) if today > notice.until => {
            vec![CorrectionLapsed { until: notice.until }.into()]
        }
        Some(_) | None => vec![],
    }
}

/// 行政许可法 Art. 32(4): counted from submission, whatever calendar or route came since; any answer
/// of an office, even that it is not the right one, prevents it.
fn deemed_accepted(case: &Case, today: Date, rules: &Rules) -> Option<CaseEvent> {
    if case.answered || case.deemed_accepted_since.is_some() {
        return None;
    }
    let since = shanghai_date(case.submitted_at);
    if today <= since {
        return None;
    }
    let until = rules.calendar.due(since, rules.standards.deemed_after_working_days).day;
    (today > until).then(|| DeemedAccepted { since, until }.into())
}

/// Counts the running clock's due day again with the calendar as it is now.
///
/// A breach on record is never taken back: an overdue day is only ever moved later, which is shown
/// and leaves the breach standing. And a correction of the calendar makes nobody late after the
/// fact: a day is not moved into the past. A suspended clock is counted when it resumes.
pub(super) fn revise(case: &Case, rules: &Rules, now: Timestamp) -> Vec<CaseEvent> {
    let Some((stage, clock)) = case.running_clock() else { return vec![] };
    let Some(due) = recount(stage, clock, rules) else { return vec![] };
    let earlier_in_the_past = due.day < clock.due.day && due.day < shanghai_date(now);
    let only_earlier = clock.overdue && due.day <= clock.due.day;
    if due == clock.due || earlier_in_the_past || only_earlier {
        return vec![];
    }
    let calendar_revision = rules.calendar.revision();
    vec![DueDayRevised { stage, old: clock.due.clone(), due, calendar_revision }.into()]
}

fn recount(stage: Stage, clock: &Clock, rules: &Rules) -> Option<events::vocabulary::DueDay> {
    let standard = match stage {
        Stage::Acceptance => rules.standards.acceptance_working_days,
        Stage::Completion => rules.standards.completion_working_days,
    };
    let from = clock.counted_from?;
    Some(rules.calendar.due(from, clock.working_days.unwrap_or(standard)))
}
