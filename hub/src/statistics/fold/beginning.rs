//! A case and a ledger's line before anything particular is known of them, and which count is whose.

use events::case::CaseSubmitted;
use events::envelope::Recorded;
use events::ids::{CaseId, CaseNumber};
use events::vocabulary::Stage;
use jiff::civil::Date;

use super::{Belongs, Open};
use crate::statistics::ledger::{Entry, Problem, Standing};
use crate::statistics::tally::Count;
use crate::views::journey;
use crate::views::rows::Blame;

pub(super) fn begun(case: CaseId, recorded: &Recorded, it: &CaseSubmitted) -> Open {
    Open {
        status: journey::begin(case, recorded, it),
        belongs: Belongs {
            province: None,
            division: it.authority.division,
            item: it.item,
            category: it.category,
            channel: it.channel,
            numbered_on: day_in(&it.number),
        },
        routed: false,
        breached_here: [false; 2],
    }
}

/// The date that a case's number begins with.
fn day_in(number: &CaseNumber) -> Date {
    let text = number.as_str();
    let part = |from: usize, to: usize| text.get(from..to).and_then(|it| it.parse::<i16>().ok());
    let (year, month, day) = (part(0, 4), part(4, 6), part(6, 8));
    let day = year.zip(month.zip(day)).and_then(|(year, (month, day))| {
        Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()
    });
    day.unwrap_or(Date::ZERO)
}

/// A fact on record, without anything particular.
pub(super) fn entry(
    case: CaseId,
    recorded: &Recorded,
    problem: Problem,
    belongs: &Belongs,
) -> Entry {
    Entry {
        position: recorded.position,
        problem,
        number: belongs.number(case),
        province: belongs.province,
        item: belongs.item,
        at: recorded.recorded_at,
        due: None,
        blame: None,
        detail: String::new(),
        standing: Standing::Noted,
        mended_at: None,
        explanation: None,
    }
}

pub(super) fn on_time(stage: Stage) -> Count {
    match stage {
        Stage::Acceptance => Count::AcceptanceOnTime,
        Stage::Completion => Count::CompletionOnTime,
    }
}
pub(super) fn late(stage: Stage) -> Count {
    match stage {
        Stage::Acceptance => Count::AcceptanceLate,
        Stage::Completion => Count::CompletionLate,
    }
}
pub(super) fn overdue(stage: Stage) -> Count {
    match stage {
        Stage::Acceptance => Count::AcceptanceOverdue,
        Stage::Completion => Count::CompletionOverdue,
    }
}
pub(super) fn blamed(blame: Blame) -> Count {
    match blame {
        Blame::Hub => Count::BlameHub,
        Blame::Transit => Count::BlameTransit,
        Blame::Adapter => Count::BlameAdapter,
        Blame::Desk => Count::BlameDesk,
        Blame::Applicant => Count::BlameApplicant,
    }
}
