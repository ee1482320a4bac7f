//! Working days against every published vector, and against the days on which they went wrong before.
#![allow(clippy::unwrap_used)] // helpers of tests are tests too

use std::collections::BTreeSet;

use events::reference::{CalendarYear, Paper};
use events::vocabulary::DueDay;
use hub_core::calendar::{Calendar, shanghai_date};
use hub_core::refusal::Refusal;
use jiff::civil::{Date, date};

const FIRST_2020: &str = include_str!("../../../schemas/calendars/2020-1.json");
const LATER: [&str; 7] = [
    include_str!("../../../schemas/calendars/2020-2.json"),
    include_str!("../../../schemas/calendars/2021.json"),
    include_str!("../../../schemas/calendars/2022.json"),
    include_str!("../../../schemas/calendars/2023.json"),
    include_str!("../../../schemas/calendars/2024.json"),
    include_str!("../../../schemas/calendars/2025.json"),
    include_str!("../../../schemas/calendars/2026.json"),
];
const VECTORS: &str = include_str!("../../../schemas/calendars/workday-vectors.json");

fn year(text: &str) -> CalendarYear {
    serde_json::from_str(text).unwrap()
}

fn published() -> Calendar {
    let mut calendar = Calendar::default();
    for (revision, text) in (1..).zip(LATER) {
        calendar.publish(revision, &year(text)).unwrap();
    }
    calendar
}

fn day(text: &str) -> Date {
    text.parse().unwrap()
}

#[test]
fn every_vector_is_met() {
    let calendar = published();
    let vectors: Vec<serde_json::Value> = serde_json::from_str(VECTORS).unwrap();
    assert_eq!(vectors.len(), 38);
    for vector in vectors {
        let submitted = day(vector["submitted"].as_str().unwrap());
        assert_eq!(
            calendar.is_working_day(submitted),
            vector["is_workday"].as_bool().unwrap(),
            "{submitted}"
        );
        let acceptance = calendar.due(submitted, 2);
        assert_eq!(acceptance.day, day(vector["accept_due"].as_str().unwrap()), "{submitted}");
        let completion = calendar.due(acceptance.day, 3);
        let expected = vector["complete_due_if_accepted_on_due_day"].as_str().unwrap();
        assert_eq!(completion.day, day(expected), "{submitted}");
    }
}

#[test]
fn hard_days_come_out_right() {
    let calendar = published();
    // from         days  due
    let table = [
        ("2026-02-13", 1, "2026-02-14"), // a Saturday that is worked
        ("2026-02-13", 2, "2026-02-24"), // the holiday is 15 to 23
        ("2026-02-12", 2, "2026-02-14"),
        ("2026-02-13", 6, "2026-02-28"), // another worked Saturday
        ("2020-01-22", 2, "2020-02-03"), // the extension: first working day is a Monday
        ("2022-12-30", 2, "2023-01-04"), // a holiday over the turn of the year
        ("2026-02-13", 0, "2026-02-13"), // no days: the day itself
    ];
    for (from, days, due) in table {
        assert_eq!(calendar.due(day(from), days).day, day(due), "{from} + {days}");
    }
}

#[test]
fn the_extended_spring_festival_moves_a_due_day_and_its_papers() {
    let mut calendar = Calendar::default();
    calendar.publish(1, &year(FIRST_2020)).unwrap();
    let before = calendar.due(date(2020, 1, 22), 2);
    assert_eq!(before.day, date(2020, 1, 31));
    assert_eq!(before.papers, ["国办发明电〔2019〕16号"]);
    assert!(calendar.is_working_day(date(2020, 2, 1)), "a make-up day until it became a holiday");

    calendar.publish(2, &year(LATER[0])).unwrap();
    let after = calendar.due(date(2020, 1, 22), 2);
    assert_eq!(after.day, date(2020, 2, 3));
    assert_eq!(after.papers, ["国办发明电〔2019〕16号", "国办发明电〔2020〕1号"]);
    assert_eq!(calendar.revision(), 2);
}

#[test]
fn a_period_names_the_papers_of_the_years_in_which_it_was_counted() {
    let calendar = published();
    let over_the_turn = calendar.due(date(2025, 12, 30), 2);
    assert_eq!(over_the_turn.day, date(2026, 1, 4), "a Sunday that is worked");
    assert_eq!(over_the_turn.papers, ["国办发明电〔2024〕12号", "国办发明电〔2025〕7号"]);
    let after_it = calendar.due(date(2025, 12, 31), 1);
    assert_eq!(after_it.papers, ["国办发明电〔2025〕7号"], "no day of 2025 was counted");
    assert!(!over_the_turn.provisional);
}

#[test]
fn a_year_nobody_has_published_is_said_to_be_provisional() {
    let calendar = published();
    let due = calendar.due(date(2026, 12, 30), 2);
    assert_eq!(
        due,
        DueDay {
            day: date(2027, 1, 1), // Monday to Friday is all that is known
            papers: vec!["国办发明电〔2025〕7号".to_owned()],
            provisional: true,
        }
    );
    assert!(!calendar.due(date(2026, 12, 29), 2).provisional, "it ends on 2026-12-31");
}

#[test]
fn a_calendar_that_contradicts_itself_is_refused_and_changes_nothing() {
    let good = || CalendarYear {
        year: 2027,
        holidays: vec![date(2027, 1, 1), date(2027, 1, 2)],
        makeup_workdays: vec![date(2027, 1, 9)],
        papers: vec![Paper { number: "国办发明电〔2026〕9号".to_owned(), url: None }],
    };
    type Spoil = fn(&mut CalendarYear);
    let table: [(&str, Spoil); 7] = [
        ("a holiday of another year", |it| it.holidays.push(date(2028, 1, 1))),
        ("a make-up day of another year", |it| it.makeup_workdays.insert(0, date(2026, 12, 31))),
        ("unsorted", |it| it.holidays.reverse()),
        ("said twice", |it| it.holidays.push(date(2027, 1, 2))),
        ("holiday and worked", |it| it.makeup_workdays.insert(0, date(2027, 1, 2))),
        ("no paper", |it| it.papers.clear()),
        ("a paper without a number", |it| it.papers[0].number = "  ".to_owned()),
    ];
    for (name, spoil) in table {
        let mut calendar = published();
        let mut bad = good();
        spoil(&mut bad);
        let refused = calendar.publish(8, &bad);
        assert!(matches!(refused, Err(Refusal::BadCalendar { .. })), "{name}");
        assert_eq!(calendar, published(), "{name}");
    }
    assert_eq!(published().publish(8, &good()), Ok(()));
}

#[test]
fn a_date_is_shanghais_whatever_the_machine_thinks() {
    // moment                     date in Shanghai
    let table = [
        ("2026-02-13T15:59:59Z", "2026-02-13"),
        ("2026-02-13T16:00:00Z", "2026-02-14"),
        ("2026-02-13T23:30:00-08:00", "2026-02-14"),
        ("2026-07-01T15:59:59.999999Z", "2026-07-01"), // no summer time
    ];
    for (moment, expected) in table {
        assert_eq!(shanghai_date(moment.parse().unwrap()), day(expected), "{moment}");
    }
}

#[test]
fn a_period_is_counted_day_by_day_and_never_ends_on_a_day_off() {
    let calendar = published();
    let mut seen = BTreeSet::new();
    let mut from = date(2020, 1, 1);
    while from < date(2026, 11, 1) {
        for days in 1..=10 {
            let due = calendar.due(from, days);
            assert!(calendar.is_working_day(due.day), "{from} + {days}");
            assert_eq!(calendar.working_days_between(from, due.day), days, "{from} + {days}");
            seen.insert(due.day);
        }
        from = from.tomorrow().unwrap();
    }
    let working = calendar.working_days_between(date(2020, 1, 1), *seen.last().unwrap());
    assert_eq!(seen.len(), working as usize, "every working day is somebody's due day");
}
