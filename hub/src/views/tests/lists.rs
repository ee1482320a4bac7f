//! What holds for every history: a list that is narrowed as a figure asks holds exactly what was counted.

use std::collections::BTreeSet;

use events::ids::ProvinceCode;
use events::vocabulary::Outcome;
use jiff::Timestamp;
use proptest::prelude::*;

use super::stage::*;
use super::world::World;
use crate::views::flow::FlowRow;
use crate::views::reader::{CaseFilter, Order, ViewReader};
use crate::views::rows::{CaseRow, CaseStage, Pressure, ProvinceRow};
use crate::views::when::When;

/// All cases that the filter lets through, page after page, in an order.
fn listed(reader: &ViewReader, filter: &CaseFilter, order: Order) -> Vec<CaseRow> {
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = reader.cases_in(filter, order, after, 2).unwrap();
        found.extend(page.rows);
        after = page.next;
        if after.is_none() {
            return found;
        }
    }
}

fn ids(rows: &[CaseRow]) -> Vec<events::ids::CaseId> {
    rows.iter().map(|it| it.case).collect()
}

/// The same list in both orders, and as a walk over all cases finds it.
fn holds(reader: &ViewReader, filter: &CaseFilter, wanted: impl Fn(&CaseRow) -> bool) -> u64 {
    let oldest = listed(reader, filter, Order::Oldest);
    let mut newest = listed(reader, filter, Order::Newest);
    newest.reverse();
    assert_eq!(ids(&oldest), ids(&newest), "{filter:?}");
    let all = listed(reader, &CaseFilter::default(), Order::Oldest);
    let found: Vec<CaseRow> = all.into_iter().filter(wanted).collect();
    assert_eq!(ids(&oldest), ids(&found), "{filter:?}");
    oldest.len() as u64
}

fn within(when: When, moment: Timestamp) -> bool {
    let (from, until) = when.span();
    from <= moment && moment < until
}

/// Every day and hour in which something may be found, and the day before.
fn moments(all: &[CaseRow]) -> BTreeSet<String> {
    let moments = all.iter().flat_map(|it| [Some(it.recorded_at), it.ended_at]).flatten();
    let whens = moments.flat_map(|it| {
        let hour = When::hour_at(it);
        [hour, When::on(hour.day), When::on(hour.day.yesterday().unwrap())]
    });
    whens.map(|it| it.to_string()).collect()
}

fn by_moment(reader: &ViewReader, flow: &[FlowRow]) {
    let all = listed(reader, &CaseFilter::default(), Order::Oldest);
    for when in moments(&all) {
        let when: When = when.parse().unwrap();
        let any = CaseFilter::default;
        let counted = |of: fn(&FlowRow) -> u64| -> u64 {
            flow.iter().filter(|it| within(when, it.began())).map(of).sum()
        };
        let recorded = CaseFilter { recorded: Some(when), ..any() };
        let came = holds(reader, &recorded, |it| within(when, it.recorded_at));
        assert_eq!(came, counted(|it| it.received), "received {when}");
        let ended = CaseFilter { ended: Some(when), ..any() };
        let went = holds(reader, &ended, |it| it.ended_at.is_some_and(|it| within(when, it)));
        assert_eq!(went, counted(|it| it.ended), "ended {when}");
        let completed = CaseFilter { stage: Some(CaseStage::Completed), ..ended.clone() };
        let done = holds(reader, &completed, |it| {
            it.stage == CaseStage::Completed && it.ended_at.is_some_and(|it| within(when, it))
        });
        assert_eq!(done, counted(|it| it.completed), "completed {when}");
        let both = CaseFilter { ended: Some(when), ..recorded };
        holds(reader, &both, |it| {
            within(when, it.recorded_at) && it.ended_at.is_some_and(|it| within(when, it))
        });
    }
}

fn by_province(reader: &ViewReader, table: &[ProvinceRow]) {
    let any = CaseFilter::default;
    for row in table {
        let code = Some(row.province);
        let here = CaseFilter { province: code, ..any() };
        let first = CaseFilter { first_province: code, ..any() };
        assert_eq!(count(reader, &first), row.received, "first routed to {}", row.province);
        let open = CaseFilter { open: Some(true), ..here.clone() };
        assert_eq!(count(reader, &open), row.open, "open in {}", row.province);
        let waiting = CaseFilter { waiting: Some(true), ..here.clone() };
        assert_eq!(count(reader, &waiting), row.waiting_delivery, "waiting in {}", row.province);
        let declined = CaseFilter { stage: Some(CaseStage::Declined), ..here.clone() };
        assert_eq!(count(reader, &declined), row.declined, "declined in {}", row.province);
        let denied = CaseFilter { outcome: Some(Outcome::Denied), ..here.clone() };
        assert_eq!(count(reader, &denied), row.completed_denied, "denied in {}", row.province);
    }
    let approved = CaseFilter { outcome: Some(Outcome::Approved), ..any() };
    let counted: u64 = table.iter().map(|it| it.completed_approved).sum();
    assert_eq!(holds(reader, &approved, |it| it.outcome == Some(Outcome::Approved)), counted);
    let received: u64 = table.iter().map(|it| it.received).sum();
    assert_eq!(received, count(reader, &any()), "every case is received once");
}

fn count(reader: &ViewReader, filter: &CaseFilter) -> u64 {
    listed(reader, filter, Order::Oldest).len() as u64
}

fn by_pressure(reader: &ViewReader, pressures: &[Pressure]) {
    let any = CaseFilter::default;
    let open = CaseFilter { open: Some(true), ..any() };
    let sum = |of: fn(&Pressure) -> u64| pressures.iter().map(of).sum::<u64>();
    assert_eq!(sum(|it| it.open), count(reader, &open), "open");
    let overdue = CaseFilter { overdue: Some(true), ..open.clone() };
    assert_eq!(sum(|it| it.overdue), count(reader, &overdue), "overdue");
    let nowhere = CaseFilter { nowhere: true, ..open };
    let counted: u64 = pressures.iter().filter(|it| it.province.is_none()).map(|it| it.open).sum();
    let wanted = |it: &CaseRow| it.province.is_none() && !it.stage.has_ended();
    assert_eq!(holds(reader, &nowhere, wanted), counted, "with no province");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn a_list_holds_exactly_what_its_figure_counts(
        steps in prop::collection::vec((0..3_u8, any::<u8>(), any::<u8>()), 1..80)
    ) {
        let mut world = World::new();
        for step in steps {
            world.give(step);
        }
        let reader = world.stage.then();
        by_moment(&reader, &reader.flow_since(Timestamp::UNIX_EPOCH).unwrap());
        by_province(&reader, &reader.provinces().unwrap());
        let today = hub_core::calendar::shanghai_date(world.stage.now);
        let soon = today.tomorrow().unwrap();
        by_pressure(&reader, &reader.pressures(world.stage.now, today, soon).unwrap());
    }
}

#[test]
fn a_case_that_went_round_is_received_once_where_it_was_routed_first() {
    let mut stage = Stage::new();
    stage.submitted(1, "2026-03-04").submitted(2, "2026-03-04");
    stage.on("2026-03-03").given(1, routed(23, 2));
    stage.on("2026-03-04").given(1, routed(44, 3));
    let reader = stage.then();
    let told: Vec<_> = reader
        .provinces()
        .unwrap()
        .iter()
        .map(|it| (it.province.number(), it.received, it.moved_in, it.open))
        .collect();
    assert_eq!(told, [(22, 2, 0, 1), (23, 0, 1, 0), (44, 0, 1, 1)]);
    let flow = reader.flow_since(noon("2026-03-01")).unwrap();
    let came: Vec<_> = flow.iter().map(|it| (it.province(), it.received)).collect();
    assert_eq!(came, [(ProvinceCode::new(22), 2)]);
    let first = CaseFilter { first_province: ProvinceCode::new(22), ..CaseFilter::default() };
    assert_eq!(ids(&listed(&reader, &first, Order::Oldest)), [case(1), case(2)]);
}

#[test]
fn a_day_of_many_is_found_between_the_others_and_page_by_page() {
    let mut stage = Stage::new();
    for (number, day) in (1..=9).zip(["02", "02", "03", "03", "03", "05", "05", "05", "05"]) {
        stage.on(&format!("2026-03-{day}")).submitted(number, "2026-03-06");
    }
    let reader = stage.then();
    for (when, expected) in [
        ("2026-03-01", 0..0),
        ("2026-03-02", 1..3),
        ("2026-03-03", 3..6),
        ("2026-03-03T12", 3..6),
        ("2026-03-03T11", 0..0),
        ("2026-03-04", 0..0),
        ("2026-03-05", 6..10),
        ("2026-03-06", 0..0),
    ] {
        let recorded = Some(when.parse().unwrap());
        let filter = CaseFilter { recorded, ..CaseFilter::default() };
        let found = ids(&listed(&reader, &filter, Order::Oldest));
        assert_eq!(found, expected.clone().map(case).collect::<Vec<_>>(), "{when}");
        let found = ids(&listed(&reader, &filter, Order::Newest));
        assert_eq!(found, expected.rev().map(case).collect::<Vec<_>>(), "{when}");
    }
}

/// How SQLite finds the rows: not one of these lists is found by looking at every case.
#[test]
fn the_lists_behind_figures_are_found_by_an_index_of_their_own() {
    let stage = Stage::new();
    let views = stage.open();
    drop(views);
    let file = rusqlite::Connection::open(stage.path()).unwrap();
    let any = CaseFilter::default;
    let when = || Some("2026-03-05".parse().unwrap());
    let twenty_two = ProvinceCode::new(22);
    for (filter, index) in [
        (CaseFilter { ended: when(), ..any() }, "ended_on=?"),
        (CaseFilter { ended: "2026-03-05T12".parse().ok(), ..any() }, "ended_on=?"),
        (
            CaseFilter {
                ended: when(),
                province: twenty_two,
                stage: Some(CaseStage::Completed),
                ..any()
            },
            "ended_on=?",
        ),
        (CaseFilter { outcome: Some(Outcome::Denied), ..any() }, "outcome=?"),
        (CaseFilter { first_province: twenty_two, ..any() }, "first_province=?"),
        (CaseFilter { nowhere: true, open: Some(true), ..any() }, "province=?"),
    ] {
        let plan = plan(&file, &filter);
        assert!(plan.contains(index) && !plan.contains("TEMP B-TREE"), "{filter:?}: {plan}");
    }
    // A partial index has no column to name: it is found by its number.
    let waiting = CaseFilter { waiting: Some(true), open: Some(true), ..any() };
    for filter in [waiting.clone(), CaseFilter { province: twenty_two, ..waiting }] {
        let plan = plan(&file, &filter);
        assert!(plan.contains(&waiting_index()) && !plan.contains("TEMP B-TREE"), "{plan}");
    }
}

fn waiting_index() -> String {
    use crate::views::status::StatusRow;
    use crate::views::table::Row as _;
    let at = StatusRow::INDEXES.iter().position(|it| it.contains("waiting")).unwrap();
    format!("INDEX status_{at} ")
}

fn plan(file: &rusqlite::Connection, filter: &CaseFilter) -> String {
    let (narrowed, mut values) = crate::views::queries::narrow(filter);
    let place = crate::views::queries::place(Order::Oldest, None, None, &mut values);
    let sql =
        format!("EXPLAIN QUERY PLAN SELECT row FROM status WHERE {narrowed} {place} LIMIT 51");
    let mut select = file.prepare(&sql).unwrap();
    let told = select.query_map(rusqlite::params_from_iter(values), |it| it.get::<_, String>(3));
    told.unwrap().map(Result::unwrap).collect::<Vec<_>>().join("; ")
}
