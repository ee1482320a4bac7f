//! Letting in again: small orders at once, large ones with a second person, each item once, and it can be stopped.

use events::ids::RedriveId;
use events::keeping::KeepingEvent;
use events::keeping::redrive::{
    RedriveCancelled, RedriveConfirmed, RedriveFinished, RedriveOf, RedriveOrdered, RedriveOutcome,
    RedrivePaused, RedriveResumed, RedriveSelection, RedriveStepped,
};
use hub_core::redrive::{OPEN_MAX, Phase, RedriveCommand, Redrives, decide, evolve};

const ABOVE: u64 = 100;
/// Makes an order unusable.
type Spoil<'a> = &'a dyn Fn(&mut RedriveOrdered);

fn id(nth: u8) -> RedriveId {
    format!("01890a5d-ac96-774b-bcce-b302099a80{nth:02x}").parse().unwrap()
}

fn ordered(nth: u8, operator: &str, count: u64) -> RedriveOrdered {
    let of = RedriveOf::QuarantinedReports;
    let why = Some("unknown-key".to_owned());
    RedriveOrdered {
        redrive: id(nth),
        operator: operator.into(),
        reason: "the key is registered now".into(),
        selection: RedriveSelection {
            of,
            province: None,
            why,
            since: None,
            until: 9,
            only: vec![],
        },
        count,
        per_minute: 60,
        route_to: None,
        needs_second: false,
    }
}

fn order(order: RedriveOrdered) -> RedriveCommand {
    RedriveCommand::Order { order, confirm_above: ABOVE }
}

fn confirm(nth: u8, operator: &str) -> RedriveCommand {
    RedriveCommand::Confirm(RedriveConfirmed { redrive: id(nth), operator: operator.into() })
}
fn pause(nth: u8) -> RedriveCommand {
    RedriveCommand::Pause(RedrivePaused { redrive: id(nth), operator: "a".into() })
}
fn resume(nth: u8) -> RedriveCommand {
    RedriveCommand::Resume(RedriveResumed { redrive: id(nth), operator: "a".into() })
}
fn cancel(nth: u8) -> RedriveCommand {
    RedriveCommand::Cancel(RedriveCancelled { redrive: id(nth), operator: "a".into() })
}
fn finish(nth: u8) -> RedriveCommand {
    RedriveCommand::Finish(RedriveFinished { redrive: id(nth) })
}
fn step(nth: u8, item: u64) -> RedriveCommand {
    let (redrive, outcome) = (id(nth), RedriveOutcome::Taken);
    RedriveCommand::Step(RedriveStepped { redrive, item, case: None, outcome, code: None })
}

#[derive(Default)]
struct Story(Redrives);

impl Story {
    fn given(commands: impl IntoIterator<Item = RedriveCommand>) -> Self {
        let mut story = Self::default();
        commands.into_iter().for_each(|it| story.yields(&it));
        story
    }

    /// Something happens, and the same again changes nothing more.
    fn yields(&mut self, command: &RedriveCommand) {
        let event = decide(&self.0, command).unwrap();
        evolve(&mut self.0, &event.expect("something happens"));
        self.quiet(command);
    }

    fn quiet(&self, command: &RedriveCommand) {
        assert_eq!(decide(&self.0, command), Ok(None), "{command:?}");
    }

    fn refuses(&self, command: &RedriveCommand, code: &str) {
        assert_eq!(decide(&self.0, command).unwrap_err().code(), code, "{command:?}");
    }

    fn phase(&self, nth: u8) -> Phase {
        self.0.get(id(nth)).unwrap().phase
    }
}

#[test]
fn a_small_order_runs_at_once_and_a_large_one_waits_for_somebody_else() {
    let mut story = Story::given([order(ordered(1, "a", ABOVE))]);
    assert_eq!(story.phase(1), Phase::Running);
    story.yields(&order(ordered(2, "b", ABOVE + 1)));
    assert_eq!(story.phase(2), Phase::Waiting);
    story.refuses(&confirm(2, "b"), "second-person-needed");
    assert_eq!(decide(&story.0, &step(2, 1)), Ok(None), "nothing happens before");
    assert_eq!(decide(&story.0, &finish(2)), Ok(None));
    story.yields(&confirm(2, "a"));
    assert_eq!(story.phase(2), Phase::Running);
    story.refuses(&confirm(2, "c"), "nothing-to-do");
    story.refuses(&confirm(1, "b"), "nothing-to-do");
}

#[test]
fn many_small_orders_of_one_person_are_a_large_one_until_they_have_ended() {
    let mut story = Story::given([order(ordered(1, "a", 60))]);
    story.yields(&order(ordered(2, "b", 60)));
    assert_eq!(story.phase(2), Phase::Running);
    story.yields(&order(ordered(3, "a", 60)));
    assert_eq!(story.phase(3), Phase::Waiting);
    // What somebody else has confirmed is no longer one person's alone; what has ended is not under way.
    story.yields(&confirm(3, "b"));
    story.yields(&finish(1));
    story.yields(&order(ordered(4, "a", 100)));
    assert_eq!(story.phase(4), Phase::Running);
}

#[test]
fn it_is_stopped_goes_on_and_is_ended_and_what_has_ended_stays_so() {
    let mut story = Story::given([order(ordered(1, "a", 5))]);
    story.quiet(&resume(1));
    for command in [pause(1), resume(1), pause(1), cancel(1)] {
        story.yields(&command);
    }
    for command in [pause(1), resume(1), confirm(1, "b")] {
        story.refuses(&command, "redrive-ended");
    }
    story.quiet(&finish(1));
    let mut story = Story::given([order(ordered(1, "a", 5)), finish(1)]);
    story.refuses(&cancel(1), "redrive-ended");
    story.yields(&order(ordered(2, "a", ABOVE + 1)));
    story.refuses(&pause(2), "nothing-to-do");
    story.refuses(&resume(2), "nothing-to-do");
    story.yields(&cancel(2));
    story.refuses(&confirm(2, "b"), "redrive-ended");
}

#[test]
fn each_item_happens_once_and_in_order_even_if_somebody_stopped_it_meanwhile() {
    let mut story = Story::given([order(ordered(1, "a", 5)), step(1, 3)]);
    for old in [1, 2, 3] {
        story.quiet(&step(1, old));
    }
    story.yields(&pause(1));
    story.yields(&step(1, 4));
    story.yields(&cancel(1));
    story.yields(&step(1, 5));
    assert_eq!(story.phase(1), Phase::Cancelled);
}

#[test]
fn an_order_is_bounded_known_by_its_id_and_about_something() {
    let good = ordered(1, "a", 5);
    let story = Story::given([order(good.clone())]);
    story.refuses(
        &order(RedriveOrdered { operator: "b".into(), ..good.clone() }),
        "idempotency-key-reused",
    );
    let story = Story::default();
    let reports = |it: &mut RedriveOrdered| it.route_to = "22".parse().ok();
    let table: [(&str, Spoil<'_>); 7] = [
        ("out-of-bounds", &|it| it.reason = String::new()),
        ("out-of-bounds", &|it| it.reason = "字".repeat(1_001)),
        ("out-of-bounds", &|it| it.per_minute = 0),
        ("out-of-bounds", &|it| it.per_minute = 601),
        ("out-of-bounds", &|it| it.selection.only = vec![1; 501]),
        ("out-of-bounds", &reports),
        ("nothing-to-do", &|it| it.count = 0),
    ];
    for (code, spoil) in table {
        let mut bad = good.clone();
        spoil(&mut bad);
        story.refuses(&order(bad), code);
    }
    for unknown in [confirm(9, "a"), pause(9), resume(9), cancel(9), step(9, 1), finish(9)] {
        story.refuses(&unknown, "unknown-redrive");
    }
}

#[test]
fn so_many_are_open_at_once_and_no_more() {
    let open = (0..OPEN_MAX as u8).map(|nth| order(ordered(nth, "a", 1)));
    let mut story = Story::given(open);
    story.refuses(&order(ordered(99, "a", 1)), "too-many-redrives");
    story.yields(&cancel(0));
    story.yields(&order(ordered(99, "a", 1)));
}

#[test]
fn what_is_folded_again_is_the_same() {
    let commands = [order(ordered(1, "a", ABOVE + 1)), confirm(1, "b"), step(1, 2), pause(1)];
    let (mut live, mut events) = (Redrives::default(), Vec::<KeepingEvent>::new());
    for command in commands {
        let event = decide(&live, &command).unwrap().unwrap();
        evolve(&mut live, &event);
        events.push(event);
    }
    let mut again = Redrives::default();
    events.iter().for_each(|it| evolve(&mut again, it));
    assert_eq!(again, live);
}
