//! Letting in again what waits for a person: who may order, confirm, stop and go on; each item once.
//!
//! Small orders run at once. What one person has under way without anybody else counts together, so
//! that ten small orders are not a way around a second pair of eyes.

use std::collections::BTreeMap;

use events::ids::RedriveId;
use events::keeping::KeepingEvent;
use events::keeping::redrive::{
    RedriveCancelled, RedriveConfirmed, RedriveFinished, RedriveOf, RedriveOrdered, RedrivePaused,
    RedriveResumed, RedriveSelection, RedriveStepped,
};

use crate::refusal::Refusal;

/// Most re-drives that are under way or wait for a second person at once.
pub const OPEN_MAX: usize = 32;
/// Most items that an order may name one by one.
pub const NAMED_MAX: usize = 500;
/// Longest reason, in characters.
const REASON_CHARACTERS_MAX: usize = 1_000;
/// Fastest pace, in items a minute.
pub const PER_MINUTE_MAX: u32 = 600;

/// Where a re-drive stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Phase {
    /// For a second person.
    Waiting,
    /// Items are let in.
    Running,
    /// Somebody stopped it for a while.
    Paused,
    /// Somebody ended it.
    Cancelled,
    /// Nothing is left.
    Finished,
}

impl Phase {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Waiting, Self::Running, Self::Paused, Self::Cancelled, Self::Finished];

    /// The stable word.
    pub fn code(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Cancelled => "cancelled",
            Self::Finished => "finished",
        }
    }

    /// Whether nothing happens any more.
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Cancelled | Self::Finished)
    }
}

/// One re-drive, as far as the rules need it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Redrive {
    ordered_by: String,
    selection: RedriveSelection,
    count: u64,
    confirmed_by: Option<String>,
    needs_second: bool,
    /// Where it stands.
    pub phase: Phase,
    /// The last item that something became of.
    pub up_to: u64,
}

/// All re-drives that there ever were: people order them, so there are few.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Redrives(BTreeMap<RedriveId, Redrive>);

/// What somebody wants of a re-drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RedriveCommand {
    /// Begin. Whether a second person is needed is found out here, whatever the order says.
    Order {
        /// What is wanted.
        order: RedriveOrdered,
        /// More items than this need a second person.
        confirm_above: u64,
    },
    /// A second person agrees.
    Confirm(RedriveConfirmed),
    /// Stop for a while.
    Pause(RedrivePaused),
    /// Go on.
    Resume(RedriveResumed),
    /// End it.
    Cancel(RedriveCancelled),
    /// Something became of an item.
    Step(RedriveStepped),
    /// Nothing is left.
    Finish(RedriveFinished),
}

impl Redrives {
    /// One of them.
    pub fn get(&self, redrive: RedriveId) -> Option<&Redrive> {
        self.0.get(&redrive)
    }

    fn turn(&mut self, redrive: RedriveId, phase: Phase) {
        if let Some(known) = self.0.get_mut(&redrive) {
            known.phase = phase;
        }
    }

    fn known(&self, redrive: RedriveId) -> Result<&Redrive, Refusal> {
        self.0.get(&redrive).ok_or(Refusal::UnknownRedrive)
    }

    /// What one person has under way that nobody else has looked at.
    fn alone(&self, operator: &str) -> u64 {
        let open = self.0.values().filter(|it| !it.phase.has_ended() && !it.needs_second);
        open.filter(|it| it.ordered_by == operator).map(|it| it.count).sum()
    }
}

/// What happens because of a command; nothing if all of it is known.
pub fn decide(all: &Redrives, command: &RedriveCommand) -> Result<Option<KeepingEvent>, Refusal> {
    match command {
        RedriveCommand::Order { order, confirm_above } => begin(all, order, *confirm_above),
        RedriveCommand::Confirm(it) => confirm(all.known(it.redrive)?, it),
        RedriveCommand::Pause(it) => match all.known(it.redrive)?.phase {
            Phase::Running => Ok(Some(it.clone().into())),
            Phase::Paused => Ok(None),
            Phase::Waiting => Err(Refusal::NothingToDo),
            Phase::Cancelled | Phase::Finished => Err(Refusal::RedriveEnded),
        },
        RedriveCommand::Resume(it) => match all.known(it.redrive)?.phase {
            Phase::Paused => Ok(Some(it.clone().into())),
            Phase::Running => Ok(None),
            Phase::Waiting => Err(Refusal::NothingToDo),
            Phase::Cancelled | Phase::Finished => Err(Refusal::RedriveEnded),
        },
        RedriveCommand::Cancel(it) => match all.known(it.redrive)?.phase {
            Phase::Cancelled => Ok(None),
            Phase::Finished => Err(Refusal::RedriveEnded),
            Phase::Waiting | Phase::Running | Phase::Paused => Ok(Some(it.clone().into())),
        },
        RedriveCommand::Step(it) => {
            // What was under way when somebody stopped or ended it has happened all the same.
            let redrive = all.known(it.redrive)?;
            let new = it.item > redrive.up_to && redrive.phase != Phase::Waiting;
            Ok(new.then(|| it.clone().into()))
        }
        RedriveCommand::Finish(it) => {
            let running = all.known(it.redrive)?.phase == Phase::Running;
            Ok(running.then(|| it.clone().into()))
        }
    }
}

fn begin(
    all: &Redrives,
    order: &RedriveOrdered,
    confirm_above: u64,
) -> Result<Option<KeepingEvent>, Refusal> {
    if let Some(known) = all.get(order.redrive) {
        let same = known.ordered_by == order.operator && known.selection == order.selection;
        return if same { Ok(None) } else { Err(Refusal::IdempotencyKeyReused) };
    }
    check(order)?;
    if all.0.values().filter(|it| !it.phase.has_ended()).count() >= OPEN_MAX {
        return Err(Refusal::TooManyRedrives);
    }
    let alone = all.alone(&order.operator).saturating_add(order.count);
    let needs_second = alone > confirm_above;
    Ok(Some(RedriveOrdered { needs_second, ..order.clone() }.into()))
}

fn check(order: &RedriveOrdered) -> Result<(), Refusal> {
    let length = order.reason.chars().take(REASON_CHARACTERS_MAX + 1).count();
    if !(1..=REASON_CHARACTERS_MAX).contains(&length) || order.reason.chars().any(char::is_control)
    {
        return Err(Refusal::OutOfBounds { field: "reason" });
    }
    if !(1..=PER_MINUTE_MAX).contains(&order.per_minute) {
        return Err(Refusal::OutOfBounds { field: "per_minute" });
    }
    if order.selection.only.len() > NAMED_MAX {
        return Err(Refusal::OutOfBounds { field: "only" });
    }
    if order.route_to.is_some() && order.selection.of != RedriveOf::ParkedCases {
        return Err(Refusal::OutOfBounds { field: "route_to" });
    }
    if order.count == 0 {
        return Err(Refusal::NothingToDo);
    }
    Ok(())
}

fn confirm(redrive: &Redrive, it: &RedriveConfirmed) -> Result<Option<KeepingEvent>, Refusal> {
    if redrive.confirmed_by.as_ref() == Some(&it.operator) {
        return Ok(None);
    }
    match redrive.phase {
        Phase::Cancelled | Phase::Finished => Err(Refusal::RedriveEnded),
        Phase::Running | Phase::Paused => Err(Refusal::NothingToDo),
        Phase::Waiting if it.operator == redrive.ordered_by => Err(Refusal::SecondPersonNeeded),
        Phase::Waiting => Ok(Some(it.clone().into())),
    }
}

/// What an event changes. Events of anything else change nothing.
pub fn evolve(all: &mut Redrives, event: &KeepingEvent) {
    match event {
        KeepingEvent::RedriveOrdered(it) => {
            let phase = if it.needs_second { Phase::Waiting } else { Phase::Running };
            let redrive = Redrive {
                ordered_by: it.operator.clone(),
                selection: it.selection.clone(),
                count: it.count,
                confirmed_by: None,
                needs_second: it.needs_second,
                phase,
                up_to: 0,
            };
            all.0.insert(it.redrive, redrive);
        }
        KeepingEvent::RedriveConfirmed(it) => {
            if let Some(known) = all.0.get_mut(&it.redrive) {
                known.confirmed_by = Some(it.operator.clone());
                known.phase = Phase::Running;
            }
        }
        KeepingEvent::RedriveStepped(it) => {
            if let Some(known) = all.0.get_mut(&it.redrive) {
                known.up_to = it.item;
            }
        }
        KeepingEvent::RedrivePaused(it) => all.turn(it.redrive, Phase::Paused),
        KeepingEvent::RedriveResumed(it) => all.turn(it.redrive, Phase::Running),
        KeepingEvent::RedriveCancelled(it) => all.turn(it.redrive, Phase::Cancelled),
        KeepingEvent::RedriveFinished(it) => all.turn(it.redrive, Phase::Finished),
        _ => {}
    }
}
