//! A case is handed in: it gets a province and a due day, or a reason why not.

use events::case::{CaseEvent, CaseRouted, CaseSubmitted};
use events::vocabulary::Counted;
use jiff::{SignedDuration, Timestamp};

use super::{Case, check_submitted_at};
use crate::calendar::shanghai_date;
use crate::command::Submit;
use crate::deadlines::Rules;
use crate::refusal::Refusal;

/// After this, the national system was late, and the lateness is not the province's.
const LATE_INTAKE_AFTER: SignedDuration = SignedDuration::from_hours(24);

/// The same case again is known; another one under its id is refused.
pub(super) fn submit(
    state: Option<&Case>,
    submit: &Submit,
    rules: &Rules,
    now: Timestamp,
) -> Result<Vec<CaseEvent>, Refusal> {
    // Known first, and only then judged: what was good when it came is not refused a year later.
    if let Some(case) = state {
        let same = case.digest == submit.digest && case.client == submit.client;
        return if same { Ok(vec![]) } else { Err(Refusal::CaseExists) };
    }
    check_submitted_at(submit.submitted_at, now)?;
    let (province, reason) = rules.routes.province_of(&submit.authority)?;
    let from = shanghai_date(submit.submitted_at);
    let working_days = rules.standards.acceptance_working_days;
    let submitted = CaseSubmitted {
        number: submit.number.clone(),
        client: submit.client.clone(),
        client_reference: submit.client_reference.clone(),
        item: submit.item,
        category: submit.category,
        channel: submit.channel,
        authority: submit.authority.clone(),
        submitted_at: submit.submitted_at,
        digest: submit.digest,
        due: rules.calendar.due(from, working_days),
        counted: Some(Counted { from, working_days }),
        late_intake: now.duration_since(submit.submitted_at) > LATE_INTAKE_AFTER,
    };
    let routed = CaseRouted { province, reason, request: submit.request };
    Ok(vec![submitted.into(), routed.into()])
}
