//! A case is handed in.

use events::case::{CaseEvent, RouteReason};
use events::vocabulary::IssuingAuthority;
use hub_core::command::{Command, Submit};
use jiff::SignedDuration;
use jiff::civil::date;

use crate::story::{Story, digest, division, id, moment, province, submission};

fn submit(change: impl FnOnce(&mut Submit)) -> Command {
    let mut submit = submission();
    change(&mut submit);
    Command::Submit(submit)
}

#[test]
fn a_submission_is_stamped_with_a_due_day_and_routed_to_the_issuing_province() {
    let story = Story::submitted();
    let [CaseEvent::CaseSubmitted(submitted), CaseEvent::CaseRouted(routed)] = &story.events[..]
    else {
        panic!("{:?}", story.events)
    };
    assert_eq!(submitted.due.day, date(2026, 3, 4));
    assert_eq!(submitted.due.papers, ["国办发明电〔2025〕7号"]);
    assert!(!submitted.due.provisional && !submitted.late_intake);
    assert_eq!(routed.province, province(22));
    assert_eq!(routed.reason, RouteReason::Division { division: division("220100") });
    assert_eq!(story.state().stage(), "routed");
}

#[test]
fn the_day_of_submission_is_shanghais_and_does_not_count() {
    // submitted in Shanghai    due
    let table = [
        ("2026-02-12T23:59", date(2026, 2, 14)), // a Saturday that is worked
        ("2026-02-13T00:00", date(2026, 2, 24)), // the holiday is 15 to 23
        ("2026-02-13T23:59", date(2026, 2, 24)),
        ("2026-03-01T12:00", date(2026, 3, 3)), // a Sunday: the rest day itself is the first day
    ];
    for (submitted_at, due) in table {
        let mut story = Story::empty();
        story.at(submitted_at);
        let command = submit(|it| it.submitted_at = moment(submitted_at));
        story.yields(&command, &["submitted", "routed"]);
        assert_eq!(story.state().acceptance_clock.due.day, due, "{submitted_at}");
    }
}

#[test]
fn a_case_of_a_year_without_a_calendar_is_due_provisionally() {
    let mut story = Story::empty();
    story.at("2026-12-30T10:00");
    story.yields(&submit(|it| it.submitted_at = story_now()), &["submitted", "routed"]);
    assert!(story.state().acceptance_clock.due.provisional);
}

fn story_now() -> jiff::Timestamp {
    moment("2026-12-30T10:00")
}

#[test]
fn the_same_submission_is_known_and_another_under_its_id_is_refused() {
    let mut story = Story::submitted();
    story.quiet(&submit(|_| {}));
    story.quiet(&submit(|it| it.request = id(77)));
    story.refuses(&submit(|it| it.digest = digest(9)), "case-exists");
    story.refuses(&submit(|it| it.client = "another".to_owned()), "case-exists");
    // What was good when it came stays known, even when it would come too late now.
    story.at("2028-01-01T00:00");
    story.quiet(&submit(|_| {}));
}

#[test]
fn the_moment_of_submission_has_bounds() {
    let now = Story::empty().now;
    let minutes = SignedDuration::from_mins;
    // ahead of the hub's clock     leads to
    let table = [
        (minutes(6), Err("submitted-in-future")),
        (minutes(5), Ok(false)),
        (minutes(-24 * 60), Ok(false)),
        (minutes(-24 * 60 - 1), Ok(true)), // late intake: the national system's lateness
        (minutes(-366 * 24 * 60), Ok(true)),
        (minutes(-366 * 24 * 60 - 1), Err("submitted-too-long-ago")),
    ];
    for (ahead, expected) in table {
        let story = Story::empty();
        let decided = story.decide(&submit(|it| it.submitted_at = now + ahead));
        let late = decided.map_err(|it| it.code()).map(|it| match &it[0] {
            CaseEvent::CaseSubmitted(submitted) => submitted.late_intake,
            other => panic!("{other:?}"),
        });
        assert_eq!(late, expected, "{ahead}");
    }
}

#[test]
fn a_case_goes_where_the_authority_is_and_nowhere_on_a_guess() {
    // name, division             leads to
    let table = [
        ("长白山管委会", None, Ok(22)),
        ("长白山管委会", Some("230100"), Ok(22)), // the list before the code
        ("某市交通局", Some("512201"), Ok(50)),   // retired: now in Chongqing
        ("某市交通局", Some("511128"), Ok(51)),   // retired twice over
        ("某市交通局", Some("110101"), Ok(11)),
        ("某市交通局", Some("511422"), Err("unknown-division")), // went to two provinces
        ("某市交通局", None, Err("unknown-authority")),
        ("某市交通局", Some("220199"), Err("unknown-division")),
        ("某市交通局", Some("810000"), Err("unknown-division")),
    ];
    for (name, code, expected) in table {
        let authority =
            IssuingAuthority { code: None, name: name.to_owned(), division: code.map(division) };
        let decided = Story::empty().decide(&submit(|it| it.authority = authority));
        let found = decided.map_err(|it| it.code()).map(|it| match &it[1] {
            CaseEvent::CaseRouted(routed) => routed.province.number(),
            other => panic!("{other:?}"),
        });
        assert_eq!(found, expected, "{name} {code:?}");
    }
}

#[test]
fn nothing_can_be_asked_of_a_case_that_was_never_handed_in() {
    let story = Story::empty();
    let message = Story::delivered().message(events::report::News::Resumed);
    let commands = [
        Command::Record { message, next_request: id(5) },
        Command::Park { operator: "operator".to_owned() },
        Command::ObserveDate(date(2026, 3, 3)),
        Command::Revise,
        Command::Withdraw { requested_at: story.now, request: id(6) },
    ];
    for command in commands {
        story.refuses(&command, "unknown-case");
    }
}
