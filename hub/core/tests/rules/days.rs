//! Days pass, calendars change, clocks stand still.

use events::case::CaseEvent;
use events::reference::{CalendarYear, Paper};
use events::report::News;
use events::vocabulary::{Material, Stage, SuspensionGround};
use hub_core::command::{Command, Submit};
use jiff::civil::{Date, date};

use crate::story::{Story, digest, id, moment, submission, year_2026};

fn day(day: i8) -> Date {
    date(2026, 3, day)
}

#[test]
fn each_step_of_the_ladder_is_noted_once_on_its_day() {
    let mut story = Story::delivered(); // Monday 2, due on Wednesday 4
    story.observes(day(4), &[]); // the due day counts whole
    story.observes(day(5), &["acceptance-overdue"]);
    story.observes(day(6), &["urged"]); // one working day after the due day has passed
    story.observes(day(9), &[]);
    story.observes(day(10), &["deemed-accepted"]); // five working days from 2026-03-02 end on the 9th
    story.observes(day(11), &[]);
    story.observes(day(12), &["seriously-overdue"]); // five after the due day end on the 11th
    story.observes(day(31), &[]);
    let Some(CaseEvent::DeemedAccepted(deemed)) =
        story.events.iter().find(|it| matches!(it, CaseEvent::DeemedAccepted(_)))
    else {
        panic!()
    };
    assert_eq!((deemed.since, deemed.until), (day(2), day(9)));
    assert!(story.state().is_open(), "a legal fact beside the stage");
}

#[test]
fn a_hub_that_was_away_notes_everything_at_once() {
    let mut story = Story::submitted();
    let all = ["acceptance-overdue", "urged", "deemed-accepted", "seriously-overdue"];
    story.observes(day(31), &all);
}

#[test]
fn an_answer_prevents_deemed_acceptance_but_not_lateness() {
    let mut story = Story::delivered();
    let back = story.report(News::Returned {
        reason: events::vocabulary::Reason::NotThisAuthority,
        division: Some("230100".parse().unwrap()),
    });
    story.yields(&back, &["returned", "routed"]);
    story.observes(day(31), &["acceptance-overdue", "urged", "seriously-overdue"]);
}

#[test]
fn the_same_ladder_stands_beside_clock_two() {
    let mut story = Story::accepted(); // Tuesday 3, due on Friday 6
    story.observes(day(6), &[]);
    story.observes(day(7), &["completion-overdue"]); // a Saturday is a day as well
    story.observes(day(10), &["urged"]);
    story.observes(day(14), &["seriously-overdue"]);
    let stages: Vec<_> = story
        .events
        .iter()
        .filter_map(|it| match it {
            CaseEvent::CaseUrged(urged) => Some(urged.stage),
            CaseEvent::SeriouslyOverdue(serious) => Some(serious.stage),
            _ => None,
        })
        .collect();
    assert_eq!(stages, [Stage::Completion, Stage::Completion]);
}

#[test]
fn nothing_becomes_overdue_after_the_end() {
    let mut story = Story::delivered();
    let no = story.report(News::Declined { reason: events::vocabulary::Reason::OverAge });
    story.yields(&no, &["declined"]);
    story.observes(day(31), &[]);
    story.quiet(&Command::Revise);
}

#[test]
fn a_correction_starts_the_ladder_again() {
    let mut story = Story::delivered();
    story.observes(day(5), &["acceptance-overdue"]);
    let missing = vec![Material::Photo];
    let ask = story.report(News::CorrectionRequested { missing, until: day(20) });
    story.yields(&ask, &["correction-requested"]);
    story.observes(day(18), &[]); // clock 1 stands still
    let correction = Command::SubmitCorrection {
        digest: digest(2),
        submitted_at: moment("2026-03-18T00:01"),
        request: id(42),
    };
    story.yields(&correction, &["correction-submitted"]); // due on Friday 20
    story.observes(day(20), &[]);
    story.observes(day(21), &["acceptance-overdue"]);
}

fn suspend(story: &mut Story, at: &str) {
    story.at(at);
    let stop = story.report(News::Suspended { ground: SuspensionGround::Hearing });
    story.yields(&stop, &["clock-suspended"]);
}

fn resume(story: &mut Story, at: &str) {
    story.at(at);
    let go_on = story.report(News::Resumed);
    story.yields(&go_on, &["clock-resumed"]);
}

#[test]
fn the_days_of_a_special_procedure_do_not_count() {
    // Accepted on Tuesday 3, so that Wednesday 4, Thursday 5 and Friday 6 count.
    // suspended  resumed    due
    let table = [
        (3, 3, 6),   // nothing was used, nothing was lost
        (4, 11, 16), // all three days are left: 12, 13, 16
        (5, 11, 13), // one was used: 12, 13
        (6, 11, 12), // two were used: 12
        (6, 14, 16), // resumed on a Saturday
    ];
    for (suspended, resumed, due) in table {
        let mut story = Story::accepted();
        suspend(&mut story, &format!("2026-03-{suspended:02}T10:00"));
        story.observes(day(resumed), &[]); // nothing is overdue meanwhile
        resume(&mut story, &format!("2026-03-{resumed:02}T10:00"));
        let clock = story.state().completion_clock.clone().unwrap();
        assert_eq!(clock.due.day, day(due), "suspended {suspended}, resumed {resumed}");
        story.observes(day(due), &[]);
        story.observes(day(due + 1), &["completion-overdue"]);
    }
}

#[test]
fn a_day_that_had_passed_before_the_suspension_stays_where_it_was() {
    let mut story = Story::accepted();
    story.observes(day(7), &["completion-overdue"]);
    suspend(&mut story, "2026-03-09T10:00");
    resume(&mut story, "2026-03-16T10:00");
    let clock = story.state().completion_clock.clone().unwrap();
    assert_eq!((clock.due.day, clock.overdue), (day(6), true));

    // The watch had not looked yet: the day had passed all the same, and stands on record first.
    let mut story = Story::accepted();
    story.at("2026-03-07T10:00");
    let stop = story.report(News::Suspended { ground: SuspensionGround::Hearing });
    story.yields(&stop, &["completion-overdue", "clock-suspended"]);
    resume(&mut story, "2026-03-09T10:00");
    assert_eq!(story.state().completion_clock.clone().unwrap().due.day, day(6));
    story.observes(day(9), &[]);
}

fn year_2027() -> CalendarYear {
    CalendarYear {
        year: 2027,
        holidays: vec![date(2027, 1, 1), date(2027, 1, 2), date(2027, 1, 3)],
        makeup_workdays: vec![],
        papers: vec![Paper { number: "国办发明电〔2026〕9号".to_owned(), url: None }],
    }
}

fn submitted_on(text: &str) -> Story {
    let mut story = Story::empty();
    story.at(text);
    let submit = Submit { submitted_at: moment(text), ..submission() };
    story.yields(&Command::Submit(submit), &["submitted", "routed"]);
    story
}

#[test]
fn publishing_the_missing_year_revises_a_provisional_due_day() {
    let mut story = submitted_on("2026-12-30T10:00");
    let provisional = story.state().acceptance_clock.due.clone();
    assert_eq!((provisional.day, provisional.provisional), (date(2027, 1, 1), true));
    story.quiet(&Command::Revise);

    story.rules.calendar.publish(2, &year_2027()).unwrap();
    story.yields(&Command::Revise, &["due-day-revised"]);
    let Some(CaseEvent::DueDayRevised(revised)) = story.events.last() else { unreachable!() };
    assert_eq!(revised.old, provisional);
    assert_eq!((revised.due.day, revised.due.provisional), (date(2027, 1, 4), false));
    assert_eq!(revised.due.papers, ["国办发明电〔2025〕7号", "国办发明电〔2026〕9号"]);
    assert_eq!(revised.calendar_revision, 2);
    assert_eq!(story.state().acceptance_clock.due, revised.due);
}

#[test]
fn clock_two_is_revised_from_the_day_on_which_it_started() {
    let mut story = Story::accepted(); // due on Friday 6
    let mut longer = year_2026();
    longer.holidays.push(day(5));
    story.rules.calendar.publish(2, &longer).unwrap();
    story.yields(&Command::Revise, &["due-day-revised"]);
    assert_eq!(story.state().completion_clock.clone().unwrap().due.day, day(9));
}

#[test]
fn a_breach_on_record_is_never_taken_back() {
    let mut story = Story::delivered(); // due on Wednesday 4
    story.observes(day(5), &["acceptance-overdue"]);
    let mut longer = year_2026();
    longer.holidays.extend([day(3), day(4), day(5), day(6)]);
    story.rules.calendar.publish(2, &longer).unwrap();
    story.yields(&Command::Revise, &["due-day-revised"]);
    let clock = &story.state().acceptance_clock;
    assert_eq!((clock.due.day, clock.overdue), (day(10), true), "later, and still breached");

    // And never moved earlier once it is overdue, not even to a day that is still to come.
    longer.holidays.retain(|it| *it < day(5));
    story.rules.calendar.publish(3, &longer).unwrap();
    story.quiet(&Command::Revise);
    story.observes(day(7), &[]);
    story.rules.calendar.publish(4, &year_2026()).unwrap();
    story.quiet(&Command::Revise);
}

#[test]
fn a_corrected_calendar_makes_nobody_late_after_the_fact() {
    // Submitted on Friday 13 in February; the holiday turns out to be worked after all.
    let mut story = submitted_on("2026-02-13T10:00");
    assert_eq!(story.state().acceptance_clock.due.day, date(2026, 2, 24));
    let mut shorter = year_2026();
    shorter.holidays.retain(|it| *it >= date(2026, 2, 18));
    story.rules.calendar.publish(2, &shorter).unwrap();
    story.at("2026-02-18T10:00");
    story.quiet(&Command::Revise); // it would be due on Monday 16
    story.at("2026-02-14T10:00");
    story.yields(&Command::Revise, &["due-day-revised"]);
    assert_eq!(story.state().acceptance_clock.due.day, date(2026, 2, 16));
}

#[test]
fn a_new_standard_is_for_new_cases_and_a_new_calendar_moves_no_old_one_by_it() {
    let mut story = Story::submitted();
    let stamped = story.state().acceptance_clock.clone();
    assert_eq!(stamped.working_days, Some(2), "the story tells how long it was given");
    story.rules.standards.acceptance_working_days = 9;
    let mut longer = year_2026();
    longer.holidays.push(date(2026, 12, 31));
    story.rules.calendar.publish(2, &longer).unwrap();
    story.quiet(&Command::Revise);
    longer.holidays.push(stamped.due.day);
    longer.holidays.sort();
    story.rules.calendar.publish(3, &longer).unwrap();
    story.yields(&Command::Revise, &["due-day-revised"]);
    let moved = story.state().acceptance_clock.due.day;
    assert_eq!(moved, story.rules.calendar.due(stamped.counted_from.unwrap(), 2).day);
    assert!(moved > stamped.due.day, "one day later, not seven");
}

#[test]
fn a_suspended_clock_is_counted_when_it_resumes() {
    let mut story = Story::accepted();
    suspend(&mut story, "2026-03-04T10:00");
    let mut longer = year_2026();
    longer.holidays.push(day(12));
    story.rules.calendar.publish(2, &longer).unwrap();
    story.quiet(&Command::Revise);
    resume(&mut story, "2026-03-11T10:00");
    assert_eq!(story.state().completion_clock.clone().unwrap().due.day, day(17));
}

#[test]
fn a_report_after_the_due_day_erases_no_breach_that_nobody_had_looked_for() {
    let mut story = Story::delivered(); // due on Wednesday 4, and nobody looked on Thursday
    story.at("2026-03-05T09:00");
    let late = story.report(News::Accepted { acceptance_number: "受-1".to_owned() });
    story.yields(&late, &["acceptance-overdue", "accepted"]);
    assert_eq!(story.state().breached, [Stage::Acceptance]);

    // Weeks later the whole ladder stands before the decision, and once only.
    story.at("2026-03-31T09:00");
    let decision = story.report(News::Suspended { ground: SuspensionGround::Hearing });
    story.yields(
        &decision,
        &["completion-overdue", "urged", "seriously-overdue", "clock-suspended"],
    );
    story.observes(day(31), &[]);
}

#[test]
fn whether_the_watch_has_looked_decides_nothing_about_any_command() {
    let release = |story: &mut Story| Command::Release {
        operator: "甲".to_owned(),
        note: "已核实".to_owned(),
        route_to: None,
        request: story.new_id(),
    };
    let mut parked = Story::submitted();
    parked.yields(&Command::Park { operator: "甲".to_owned() }, &["parked"]);
    let release = release(&mut parked);
    let refused = |story: &mut Story| story.report(News::Resumed);
    let mut delivered = Story::delivered();
    let refused = refused(&mut delivered);
    let requested_at = moment("2026-03-05T08:00");
    let withdraw = Command::Withdraw { requested_at, request: id(50) };
    let explain = Command::ExplainBreach {
        stage: Stage::Acceptance,
        operator: "甲".to_owned(),
        note: "系统升级".to_owned(),
    };
    let park = Command::Park { operator: "甲".to_owned() };
    for (story, command) in [
        (&delivered, withdraw),
        (&delivered, refused),
        (&delivered, explain),
        (&delivered, park),
        (&parked, release),
    ] {
        let mut unseen = story.clone();
        unseen.at("2026-03-05T09:00");
        let mut seen = unseen.clone();
        let after = unseen.decide(&command).unwrap();
        seen.observes(day(5), &["acceptance-overdue"]);
        let before = seen.events.len() - 1;
        seen.now = unseen.now;
        seen.events.extend(seen.decide(&command).unwrap());
        assert_eq!(after, seen.events[before..], "{command:?}");
    }
}

#[test]
fn a_calendar_that_comes_after_the_due_day_moves_it_and_leaves_the_breach() {
    let mut story = Story::delivered();
    story.at("2026-03-05T09:00");
    let mut longer = year_2026();
    longer.holidays.extend([day(3), day(4), day(5)]);
    story.rules.calendar.publish(2, &longer).unwrap();
    story.yields(&Command::Revise, &["acceptance-overdue", "due-day-revised"]);
    assert!(story.state().acceptance_clock.overdue);
}

#[test]
fn an_answer_after_the_correction_lapsed_comes_too_late_whoever_looked() {
    let mut story = Story::delivered();
    let ask = News::CorrectionRequested { missing: vec![Material::Photo], until: day(6) };
    let ask = story.report(ask);
    story.yields(&ask, &["correction-requested"]);
    story.at("2026-03-07T09:00");
    let late = story.report(News::Accepted { acceptance_number: "受-1".to_owned() });
    story.yields(&late, &["correction-lapsed", "report-refused"]);
}

#[test]
fn what_changes_nothing_is_no_occasion_to_note_a_passed_day() {
    let mut story = Story::delivered();
    let first = story.report(News::Returned {
        reason: events::vocabulary::Reason::NotThisAuthority,
        division: None,
    });
    story.yields(&first, &["returned", "parked"]);
    story.at("2026-03-05T09:00");
    story.quiet(&first);
    story.quiet(&Command::Revise);
    story.observes(day(5), &["acceptance-overdue"]);
}
