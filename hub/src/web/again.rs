//! Letting in again, for the pages and for programs alike: look first, then order; confirm, stop, go on, end.

use events::envelope::Actor;
use events::ids::{ProvinceCode, RedriveId};
use events::keeping::redrive::{
    RedriveCancelled, RedriveConfirmed, RedriveOf, RedriveOrdered, RedrivePaused, RedriveResumed,
    RedriveSelection,
};
use hub_core::redrive::{NAMED_MAX, PER_MINUTE_MAX, RedriveCommand};
use jiff::Timestamp;

use crate::problem::Problem;
use crate::redrive::Item;
use crate::registrar::{Answer, Ask, What};
use crate::web::Rooms;
use crate::web::api::admin::{fresh_id, note};

/// Most examples that a preview shows.
const EXAMPLES_MAX: usize = 5;
/// Longest word of a reason, in characters.
const WHY_CHARACTERS_MAX: usize = 64;

/// What somebody wants to let in again.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    /// The order's id, so that a form that is sent twice is one order.
    pub(crate) redrive: Option<RedriveId>,
    pub(crate) of: RedriveOf,
    pub(crate) province: Option<ProvinceCode>,
    pub(crate) why: Option<String>,
    pub(crate) since: Option<Timestamp>,
    /// The last item that was looked at; without it, the last there is.
    pub(crate) until: Option<u64>,
    pub(crate) only: Vec<u64>,
    pub(crate) route_to: Option<ProvinceCode>,
    pub(crate) per_minute: Option<u32>,
}

/// What an order would come to.
#[derive(Debug)]
pub(crate) struct Preview {
    pub(crate) selection: RedriveSelection,
    pub(crate) count: u64,
    pub(crate) oldest: Option<Timestamp>,
    pub(crate) examples: Vec<Item>,
    pub(crate) per_minute: u32,
    /// How long it takes at this pace, in seconds.
    pub(crate) seconds: u64,
    /// More than one person may let in alone, whatever else is under way.
    pub(crate) needs_second: bool,
}

/// A reason is a word of ours: what is written down for ever holds nothing of a person.
fn is_word(text: &str) -> bool {
    let letter = |it: u8| it.is_ascii_lowercase() || it == b'-';
    (1..=WHY_CHARACTERS_MAX).contains(&text.len()) && text.bytes().all(letter)
}

/// Changes nothing.
pub(crate) async fn preview(rooms: &Rooms, wish: &Wish) -> Result<Preview, Problem> {
    let per_minute = wish.per_minute.unwrap_or(rooms.redrive.per_minute);
    if !(1..=PER_MINUTE_MAX).contains(&per_minute) {
        return Err(Problem::at("out-of-bounds", "/per_minute"));
    }
    if wish.only.len() > NAMED_MAX {
        return Err(Problem::at("out-of-bounds", "/items"));
    }
    if !wish.why.as_ref().is_none_or(|it| is_word(it)) {
        return Err(Problem::at("bad-form", "/why"));
    }
    let given = wish.clone();
    let (selection, (count, oldest), examples) = rooms
        .waiting(move |waiting| {
            let until = match given.until {
                Some(until) => until.min(waiting.last(given.of)?),
                None => waiting.last(given.of)?,
            };
            let selection = RedriveSelection {
                of: given.of,
                province: given.province,
                why: given.why,
                since: given.since,
                until,
                only: given.only,
            };
            let counted = waiting.count(&selection)?;
            let examples = waiting.items(&selection, 0, EXAMPLES_MAX)?;
            Ok((selection, counted, examples))
        })
        .await?;
    let seconds = count.saturating_mul(60).div_ceil(per_minute.into());
    let needs_second = count > rooms.redrive.confirm_above;
    Ok(Preview { selection, count, oldest, examples, per_minute, seconds, needs_second })
}

/// Orders it in the name of `operator`: on record before anything is let in.
pub(crate) async fn order(
    rooms: &Rooms,
    operator: &str,
    wish: &Wish,
    reason: String,
) -> Result<(RedriveId, Answer), Problem> {
    let reason = note(reason, "/reason")?;
    let preview = preview(rooms, wish).await?;
    let redrive = wish.redrive.unwrap_or_else(|| RedriveId(fresh_id(rooms)));
    let order = RedriveOrdered {
        redrive,
        operator: operator.to_owned(),
        reason,
        selection: preview.selection,
        count: preview.count,
        per_minute: preview.per_minute,
        route_to: wish.route_to,
        needs_second: preview.needs_second,
    };
    let confirm_above = rooms.redrive.confirm_above;
    let answer = ask(rooms, operator, RedriveCommand::Order { order, confirm_above }).await?;
    Ok((redrive, answer))
}

/// `confirm`, `pause`, `resume` or `cancel`, in the name of `operator`.
pub(crate) async fn act(
    rooms: &Rooms,
    operator: &str,
    redrive: RedriveId,
    deed: &str,
) -> Result<Answer, Problem> {
    let operator = operator.to_owned();
    let who = operator.clone();
    let command = match deed {
        "confirm" => RedriveCommand::Confirm(RedriveConfirmed { redrive, operator }),
        "pause" => RedriveCommand::Pause(RedrivePaused { redrive, operator }),
        "resume" => RedriveCommand::Resume(RedriveResumed { redrive, operator }),
        "cancel" => RedriveCommand::Cancel(RedriveCancelled { redrive, operator }),
        _ => return Err(Problem::at("unknown-value", "/deed")),
    };
    ask(rooms, &who, command).await
}

async fn ask(rooms: &Rooms, operator: &str, command: RedriveCommand) -> Result<Answer, Problem> {
    let ask = Ask {
        actor: Actor::Operator(operator.to_owned()),
        occurred_at: rooms.clock.now(),
        caused_by: None,
        what: What::Redrive(command),
    };
    match rooms.registrar.ask(ask).await? {
        Answer::Refused(refusal) => Err(refusal.into()),
        answer => Ok(answer),
    }
}
