//! Why a case is late, in words that can be read out, and the events that each word rests on.

use events::case::CaseEvent;
use events::envelope::Recorded;
use events::vocabulary::{AlertKind, Stage};

use super::shell::shanghai;
use super::tiles;
use crate::problem::Problem;
use crate::registrar::case_event;
use crate::views::rows::{Blame, CaseRow};
use crate::web::Rooms;
use crate::words::Language;

/// One missed clock.
pub(super) struct Why {
    pub(super) told: String,
    /// Positions of the events that it follows from, oldest first.
    pub(super) rests_on: Vec<u64>,
}

/// Each clock that was missed: where the time went, from the alert that settled it.
pub(super) async fn of(
    rooms: &Rooms,
    row: &CaseRow,
    story: &[Recorded],
    language: Language,
) -> Result<Vec<Why>, Problem> {
    let missed = [
        (row.acceptance_overdue, AlertKind::AcceptanceOverdue, Stage::Acceptance),
        (row.completion_overdue, AlertKind::CompletionOverdue, Stage::Completion),
    ];
    let mut found = Vec::new();
    for (_, kind, stage) in missed.into_iter().filter(|it| it.0) {
        let case = row.case;
        let alert = rooms.aside(move |views| views.alert(case, kind, Some(stage))).await?;
        let Some(blame) = alert.and_then(|it| it.blame) else { continue };
        found.push(why(row, story, stage, blame, language));
    }
    Ok(found)
}

fn why(row: &CaseRow, story: &[Recorded], stage: Stage, blame: Blame, language: Language) -> Why {
    let steps = Steps::of(story, stage);
    let province = row.province.map_or("–", |it| tiles::name(it, language));
    let at =
        |it: Option<&Recorded>| it.map_or_else(|| "–".to_owned(), |it| shanghai(it.recorded_at));
    let (sent, signed) = (at(steps.sent), at(steps.signed));
    let chinese = language == Language::Chinese;
    let because = match (blame, chinese) {
        (Blame::Hub, true) => "期限内枢纽未把办件发出，时间耗在枢纽".to_owned(),
        (Blame::Hub, false) => {
            "the hub had not sent it out in time; the time went to the hub".to_owned()
        }
        (Blame::Transit, true) => {
            format!("{sent} 发往{province}，期限内省级系统未签收，时间耗在传输")
        }
        (Blame::Transit, false) => {
            format!(
                "sent to {province} at {sent} and not signed for in time; the time went to the way there"
            )
        }
        (Blame::Adapter, true) => {
            format!("{province}自报在期限内办理，报送迟于期限，时间耗在适配器报送")
        }
        (Blame::Adapter, false) => {
            format!(
                "{province} says it decided in time and reported late; the time went to its adapter"
            )
        }
        (Blame::Desk, true) => format!("{province} {signed} 签收，期限内未答复，时间耗在省级经办"),
        (Blame::Desk, false) => {
            format!(
                "{province} signed for it at {signed} and did not answer in time; the time went to its desk"
            )
        }
        (Blame::Applicant, true) => "期间等待申请人补正".to_owned(),
        (Blame::Applicant, false) => "it waited for the applicant's correction".to_owned(),
    };
    let told = if chinese {
        format!("{}超期：{because}。", stage.zh())
    } else {
        format!("{} overdue: {because}.", stage.en())
    };
    let rests_on = [steps.sent, steps.signed, steps.missed, steps.answered];
    Why { told, rests_on: rests_on.into_iter().flatten().map(|it| it.position.0).collect() }
}

/// The events that a clock's story turns on.
struct Steps<'a> {
    sent: Option<&'a Recorded>,
    signed: Option<&'a Recorded>,
    missed: Option<&'a Recorded>,
    answered: Option<&'a Recorded>,
}

impl<'a> Steps<'a> {
    fn of(story: &'a [Recorded], stage: Stage) -> Self {
        let first = |wanted: fn(&CaseEvent, Stage) -> bool| {
            story.iter().find(|it| case_event(it).is_some_and(|event| wanted(event, stage)))
        };
        Self {
            sent: first(|it, _| matches!(it, CaseEvent::CaseForwarded(_))),
            signed: first(|it, _| matches!(it, CaseEvent::CaseDelivered(_))),
            missed: first(|it, stage| match stage {
                Stage::Acceptance => matches!(it, CaseEvent::AcceptanceOverdue(_)),
                Stage::Completion => matches!(it, CaseEvent::CompletionOverdue(_)),
            }),
            answered: first(|it, stage| match stage {
                Stage::Acceptance => {
                    matches!(it, CaseEvent::CaseAccepted(_) | CaseEvent::CaseDeclined(_))
                }
                Stage::Completion => matches!(it, CaseEvent::CaseCompleted(_)),
            }),
        }
    }
}
