//! What holds for every history that the rules allow: the views say what the rules' own state says.

use std::collections::BTreeSet;

use events::envelope::Position;
use events::vocabulary::Stage as Clock;
use hub_core::case::parts::CaseStage as Stage;
use jiff::civil::date;
use proptest::prelude::*;

use super::world::World;
use crate::views::reader::{CaseFilter, ViewReader};
use crate::views::rows::{CaseRow, CaseStage};

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]
    #[test]
    fn the_views_say_what_the_rules_say(
        steps in prop::collection::vec((0..3_u8, any::<u8>(), any::<u8>()), 1..60)
    ) {
        let mut world = World::new();
        let mut views = world.stage.open();
        for step in steps {
            world.give(step);
            views.catch_up().unwrap();
            check(&world, &views.reader());
        }
    }
}

#[test]
fn the_histories_visit_every_event_that_changes_a_row() {
    let mut visited = BTreeSet::new();
    let mut seed = 1_u64;
    let mut any = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    };
    for _ in 0..400 {
        let mut world = World::new();
        for _ in 0..60 {
            world.give((any(), any(), any()));
        }
        let readers = world.stage.log.readers();
        let events = readers.read(|log| log.read_all(Position(0), 10_000)).unwrap();
        visited.extend(events.iter().map(|it| it.envelope.event.kind()));
    }
    // Nobody explains, notes, rates, complains or archives here: those change no row.
    let quiet = ["explained", "noted", "rated", "complaint", "archived"];
    let missing: Vec<_> = events::case::CaseEvent::KINDS
        .iter()
        .filter(|it| !visited.contains(*it) && !quiet.iter().any(|quiet| it.contains(quiet)))
        .collect();
    assert_eq!(missing, Vec::<&&str>::new());
}

fn check(world: &World, reader: &ViewReader) {
    let rows = reader.cases(&CaseFilter::default(), None, 100).unwrap().rows;
    assert_eq!(rows.len(), world.cases.len());
    let outbox = reader.outbox(100).unwrap();
    let dues = reader.open_dues(None, 100).unwrap();
    let lapsing = reader.lapsing_before(date(2099, 1, 1), 100).unwrap();
    let feedback = reader.feedback(None, Position(0), 100).unwrap();
    for (id, case) in &world.cases {
        let row = rows.iter().find(|it| it.case == *id).unwrap();
        let awaiting = lapsing.iter().any(|it| it.case == *id);
        assert_eq!(plain(row, awaiting), case.stage, "{id}");
        assert_eq!(awaiting, case.stage == Stage::AwaitingCorrection, "what {id} owes");
        let waiting = outbox.iter().find(|it| it.waiting.case == *id).map(|it| &it.waiting);
        let told = waiting.map(|it| (it.province, it.request, it.work));
        assert_eq!(told, case.waiting(), "what is waiting of {id}");
        let due = dues.iter().find(|it| it.case == *id);
        let running = case.running_clock();
        let told = due.map(|it| (it.stage, &it.due, it.overdue, it.urged, it.serious));
        let known =
            running.map(|(stage, it)| (stage, &it.due, it.overdue, it.urged, it.seriously_overdue));
        assert_eq!(told, known, "the clock of {id}");
        if let (Some(due), Some((stage, clock))) = (due, running) {
            assert_eq!(Some(due.from), clock.counted_from, "what {id} is counted from");
            assert!(stage == Clock::Completion || due.answered == case.answered, "{id}");
        }
        let ends = [Stage::Completed, Stage::Declined, Stage::CorrectionLapsed];
        let owed = ends.contains(&case.stage) && !case.fed_back;
        assert_eq!(feedback.iter().any(|it| it.case == *id), owed, "the result of {id}");
    }
    let open = world.cases.values().filter(|it| it.is_open() && !it.returned).count() as u64;
    let counted: u64 = reader.provinces().unwrap().iter().map(|it| it.open).sum();
    assert_eq!(counted, open, "the league table's open cases");
}

/// The row's stage in the words of the rules; a parked case has the one that it will go on with.
fn plain(row: &CaseRow, awaiting: bool) -> Stage {
    match row.stage {
        CaseStage::Submitted | CaseStage::Delivered => Stage::Submitted,
        CaseStage::AwaitingCorrection => Stage::AwaitingCorrection,
        CaseStage::Accepted | CaseStage::Suspended => Stage::Accepted,
        CaseStage::Parked if row.accepted_at.is_some() => Stage::Accepted,
        CaseStage::Parked if awaiting => Stage::AwaitingCorrection,
        CaseStage::Parked => Stage::Submitted,
        CaseStage::Completed => Stage::Completed,
        CaseStage::Declined => Stage::Declined,
        CaseStage::Withdrawn => Stage::Withdrawn,
        CaseStage::Lapsed => Stage::CorrectionLapsed,
    }
}
