//! Between the route and the province's signature: attempts, parking, letting go on.

use events::case::{
    AgainGround, CaseAskedAgain, CaseEvent, CaseForwarded, CaseParked, CaseReleased, CaseRouted,
    ParkReason, RouteReason,
};
use events::ids::{ProvinceCode, RequestId};
use events::work::WorkKind;

use super::parts::CaseStage;
use super::{Case, check_text};
use crate::refusal::Refusal;

/// How long an operator's note may be.
pub(super) const NOTE_CHARACTERS_MAX: usize = 1_000;

/// An attempt that came after the province's signature, or that is known, adds nothing.
pub(super) fn note_forwarded(
    case: &Case,
    province: ProvinceCode,
    work: WorkKind,
    request: RequestId,
    attempt: u32,
) -> Result<Vec<CaseEvent>, Refusal> {
    let known = case.requests.iter().find(|it| it.id == request).ok_or(Refusal::StaleRequest)?;
    if known.province != province || known.work != work {
        return Err(Refusal::StaleRequest);
    }
    let current = case.request().is_some_and(|it| it.id == request);
    let wanted = case.is_open() || work == WorkKind::Withdrawal;
    // The adapter's report can overtake the router's own note; then there is nothing to add.
    if !current || !wanted || known.is_held() || attempt <= known.attempts {
        return Ok(vec![]);
    }
    Ok(vec![CaseForwarded { province, work, request, attempt }.into()])
}

/// Only what is open, with that province, and signed for: the rest is being sent anyway, or is over.
pub(super) fn ask_again(
    case: &Case,
    province: ProvinceCode,
    because: &AgainGround,
) -> Result<Vec<CaseEvent>, Refusal> {
    if let AgainGround::Operator { note, .. } = because {
        check_text(note, NOTE_CHARACTERS_MAX, "note")?;
    }
    if !case.is_open() {
        return Err(Refusal::CaseEnded);
    }
    let request = case.request().filter(|it| it.province == province);
    let request = request.ok_or(Refusal::NotYourCase { province })?;
    if !request.is_held() || case.returned {
        return Ok(vec![]);
    }
    let (request, work, because) = (request.id, request.work, because.clone());
    Ok(vec![CaseAskedAgain { province, request, work, because }.into()])
}

pub(super) fn park(case: &Case, operator: &str) -> Result<Vec<CaseEvent>, Refusal> {
    if case.parked.is_some() {
        return Ok(vec![]);
    }
    if !case.is_open() {
        return Err(Refusal::CaseEnded);
    }
    let reason = ParkReason::Operator { operator: operator.to_owned() };
    Ok(vec![CaseParked { reason }.into()])
}

/// Lets a parked case go on where it was, or to `route_to`. A case that its province returned needs
/// a `route_to`; one that a province has accepted, or asked the applicant about, stays with it.
pub(super) fn release(
    case: &Case,
    operator: &str,
    note: &str,
    route_to: Option<ProvinceCode>,
    request: RequestId,
) -> Result<Vec<CaseEvent>, Refusal> {
    let here = case.province();
    if case.parked.is_none() {
        let released_before = case.releases > 0 && (route_to.is_none() || route_to == here);
        return if released_before { Ok(vec![]) } else { Err(Refusal::NothingToDo) };
    }
    check_text(note, NOTE_CHARACTERS_MAX, "note")?;
    let returned = case.returned;
    let mut events: Vec<CaseEvent> =
        vec![CaseReleased { operator: operator.to_owned(), note: note.to_owned() }.into()];
    match route_to {
        None if returned && case.is_open() => {
            return Err(Refusal::OutOfBounds { field: "route_to" });
        }
        Some(province) if returned || route_to != here => {
            if case.stage != CaseStage::Submitted {
                return Err(Refusal::OutOfOrder);
            }
            let reason = RouteReason::Operator { operator: operator.to_owned() };
            events.push(CaseRouted { province, reason, request }.into());
        }
        None | Some(_) => {}
    }
    Ok(events)
}
