//! Late facts: a case that has ended still has a story. None of them leads out of the end.

use events::case::{
    BreachExplained, CaseArchived, CaseEvent, CaseNoted, CaseRated, ComplaintAnswered,
    ComplaintFiled, ResultFedBack,
};
use events::vocabulary::{Rating, Stage};

use super::parts::CaseStage;
use super::sending::NOTE_CHARACTERS_MAX;
use super::{Case, check_text};
use crate::refusal::Refusal;

/// How long a number from another system may be.
const REFERENCE_CHARACTERS_MAX: usize = 64;
/// How many complaints one case may have.
const COMPLAINTS_MAX: usize = 64;
/// How many explanations one case may have.
const EXPLANATIONS_MAX: usize = 16;
/// How many notes one case may have.
const NOTES_MAX: usize = 64;

/// Only the client that handed the case in has its result to confirm.
pub(super) fn confirm_feedback(
    case: &Case,
    client: &str,
    way: &str,
) -> Result<Vec<CaseEvent>, Refusal> {
    if client != case.client {
        return Err(Refusal::UnknownCase);
    }
    if case.is_open() {
        return Err(Refusal::NothingToDo);
    }
    if case.fed_back {
        return Ok(vec![]);
    }
    Ok(vec![ResultFedBack { client: client.to_owned(), way: way.to_owned() }.into()])
}

/// The same words again are known; other words are one more explanation.
pub(super) fn explain_breach(
    case: &Case,
    stage: Stage,
    operator: &str,
    note: &str,
) -> Result<Vec<CaseEvent>, Refusal> {
    if !case.breached.contains(&stage) {
        return Err(Refusal::NothingToDo);
    }
    let (operator, note) = (operator.to_owned(), note.to_owned());
    let explanation = (stage, operator, note);
    if case.explanations.contains(&explanation) {
        return Ok(vec![]);
    }
    let (stage, operator, note) = explanation;
    check_text(&note, NOTE_CHARACTERS_MAX, "note")?;
    if case.explanations.len() >= EXPLANATIONS_MAX {
        return Err(Refusal::OutOfBounds { field: "explanations" });
    }
    Ok(vec![BreachExplained { stage, operator, note }.into()])
}

/// The same words of the same person again are known, however the case went on meanwhile.
pub(super) fn note_down(
    case: &Case,
    operator: &str,
    note: &str,
) -> Result<Vec<CaseEvent>, Refusal> {
    let noted = CaseNoted { operator: operator.to_owned(), note: note.to_owned() };
    if case.notes.iter().any(|it| it.0 == noted.operator && it.1 == noted.note) {
        return Ok(vec![]);
    }
    check_text(note, NOTE_CHARACTERS_MAX, "note")?;
    if case.notes.len() >= NOTES_MAX {
        return Err(Refusal::OutOfBounds { field: "notes" });
    }
    Ok(vec![noted.into()])
}

/// One rating a case, once there is something to rate.
pub(super) fn rate(case: &Case, rating: Rating) -> Result<Vec<CaseEvent>, Refusal> {
    match case.rating {
        Some(given) if given == rating => Ok(vec![]),
        Some(_) => Err(Refusal::OutOfOrder),
        None if matches!(case.stage, CaseStage::Completed | CaseStage::Declined) => {
            Ok(vec![CaseRated { rating }.into()])
        }
        None => Err(Refusal::OutOfOrder),
    }
}

pub(super) fn file_complaint(
    case: &Case,
    reference: &str,
    channel: &str,
) -> Result<Vec<CaseEvent>, Refusal> {
    if case.complaints.contains_key(reference) {
        return Ok(vec![]);
    }
    check_text(reference, REFERENCE_CHARACTERS_MAX, "reference")?;
    check_text(channel, REFERENCE_CHARACTERS_MAX, "channel")?;
    if case.complaints.len() >= COMPLAINTS_MAX {
        return Err(Refusal::OutOfBounds { field: "complaints" });
    }
    let filed = ComplaintFiled { reference: reference.to_owned(), channel: channel.to_owned() };
    Ok(vec![filed.into()])
}

pub(super) fn answer_complaint(case: &Case, reference: &str) -> Result<Vec<CaseEvent>, Refusal> {
    match case.complaints.get(reference) {
        None => Err(Refusal::NothingToDo),
        Some(true) => Ok(vec![]),
        Some(false) => Ok(vec![ComplaintAnswered { reference: reference.to_owned() }.into()]),
    }
}

pub(super) fn archive(case: &Case, reference: &str) -> Result<Vec<CaseEvent>, Refusal> {
    match &case.archived {
        Some(receipt) if receipt == reference => Ok(vec![]),
        Some(_) => Err(Refusal::OutOfOrder),
        None if case.is_open() => Err(Refusal::OutOfOrder),
        None => {
            check_text(reference, REFERENCE_CHARACTERS_MAX, "reference")?;
            Ok(vec![CaseArchived { reference: reference.to_owned() }.into()])
        }
    }
}
