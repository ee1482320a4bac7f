//! Attempts, parking, letting go on, and what to send now.

use events::case::{CaseEvent, RouteReason};
use events::report::News;
use events::vocabulary::Reason;
use events::work::WorkKind;
use hub_core::command::Command;
use hub_core::plan::{Pace, Waiting, plan};
use jiff::{SignedDuration, Timestamp};

use crate::story::{Story, id, moment, province};

fn forwarded(attempt: u32) -> Command {
    let (province, request) = (province(22), id(2));
    Command::NoteForwarded { province, work: WorkKind::Case, request, attempt }
}

fn park() -> Command {
    Command::Park { operator: "操作员".to_owned() }
}

fn release(route_to: Option<u8>) -> Command {
    Command::Release {
        operator: "操作员".to_owned(),
        note: "已核实".to_owned(),
        route_to: route_to.map(province),
        request: id(50),
    }
}

fn returned(story: &mut Story) -> Command {
    story.report(News::Returned { reason: Reason::NotThisAuthority, division: None })
}

#[test]
fn each_attempt_is_noted_once_and_in_order() {
    let mut story = Story::submitted();
    story.yields(&forwarded(1), &["forwarded"]);
    assert_eq!(story.state().stage(), "forwarded");
    story.yields(&forwarded(3), &["forwarded"]);
    story.quiet(&forwarded(2));
}

#[test]
fn an_attempt_noted_after_the_provinces_signature_adds_nothing() {
    let story = Story::delivered();
    story.quiet(&forwarded(1));
    assert_eq!(story.state().waiting(), None);
}

#[test]
fn an_attempt_of_something_that_was_never_asked_is_refused() {
    let story = Story::submitted();
    let unknown = Command::NoteForwarded {
        province: province(22),
        work: WorkKind::Case,
        request: id(99),
        attempt: 1,
    };
    story.refuses(&unknown, "stale-request");
    let elsewhere = Command::NoteForwarded {
        province: province(23),
        work: WorkKind::Case,
        request: id(2),
        attempt: 1,
    };
    story.refuses(&elsewhere, "stale-request");
}

#[test]
fn a_parked_case_waits_for_an_operator_and_goes_on_where_it_was() {
    let mut story = Story::submitted();
    assert_eq!(story.state().waiting(), Some((province(22), id(2), WorkKind::Case)));
    story.yields(&park(), &["parked"]);
    assert_eq!(story.state().waiting(), None);
    assert_eq!(story.state().stage(), "parked");
    story.yields(&release(None), &["released"]);
    assert_eq!(story.state().waiting(), Some((province(22), id(2), WorkKind::Case)));
}

#[test]
fn an_operator_may_name_another_province_until_one_has_taken_the_case() {
    let mut story = Story::delivered();
    story.yields(&park(), &["parked"]);
    story.yields(&release(Some(23)), &["released", "routed"]);
    assert_eq!(story.state().waiting(), Some((province(23), id(50), WorkKind::Case)));
    let Some(CaseEvent::CaseRouted(routed)) = story.events.last() else { unreachable!() };
    assert!(matches!(routed.reason, RouteReason::Operator { .. }));

    let mut taken = Story::accepted();
    taken.yields(&park(), &["parked"]);
    taken.refuses(&release(Some(23)), "out-of-order");
    taken.yields(&release(Some(22)), &["released"]);
}

#[test]
fn a_case_that_came_back_needs_to_be_told_where_to_go() {
    let mut story = Story::delivered();
    let back = returned(&mut story);
    story.yields(&back, &["returned", "parked"]);
    story.refuses(&release(None), "out-of-bounds");
    // Even the province that returned it, when the operator insists.
    story.yields(&release(Some(22)), &["released", "routed"]);
}

#[test]
fn there_is_nothing_to_release_before_something_is_parked_nor_to_park_after_the_end() {
    let mut story = Story::submitted();
    story.refuses(&release(None), "nothing-to-do");
    let withdraw = Command::Withdraw { requested_at: story.now, request: id(60) };
    story.yields(&withdraw, &["withdrawn"]);
    story.refuses(&park(), "case-ended");
}

fn row(number: u32, code: u8, attempts: u32, attempted_at: Option<Timestamp>) -> Waiting {
    Waiting {
        case: id(number),
        province: province(code),
        request: id(number),
        work: WorkKind::Case,
        attempts,
        attempted_at,
    }
}

#[test]
fn a_try_is_repeated_at_its_pace_and_for_ever() {
    let pace = Pace::default();
    let tried_at = moment("2026-03-02T10:00");
    // tries  due again after
    let table = [(1, 5), (2, 30), (3, 120), (4, 600), (5, 3_600), (6, 3_600), (1_000, 3_600)];
    for (attempts, seconds) in table {
        let rows = [row(1, 22, attempts, Some(tried_at))];
        let at = |after| plan(&rows, &|_| false, tried_at + after, &pace, 10).len();
        assert_eq!(at(SignedDuration::from_millis(seconds * 1_000 - 1)), 0, "{attempts}");
        assert_eq!(at(SignedDuration::from_secs(seconds)), 1, "{attempts}");
    }
    let never_tried = [row(1, 22, 0, None)];
    let steps = plan(&never_tried, &|_| false, Timestamp::MIN, &pace, 10);
    assert_eq!(steps[0].attempt, 1);
}

#[test]
fn one_province_cannot_take_all_the_room() {
    let mut rows: Vec<_> = (1..=100).map(|it| row(it, 22, 0, None)).collect();
    rows.push(row(500, 23, 0, None));
    rows.push(row(501, 50, 0, None));
    let now = moment("2026-03-02T10:00");
    let steps = plan(&rows, &|_| false, now, &Pace::default(), 4);
    let to: Vec<_> = steps.iter().map(|it| it.waiting.province.number()).collect();
    assert_eq!(to, [22, 23, 50, 22]);
    assert_eq!(steps[0].waiting.case, id(1), "the oldest case first");
}

#[test]
fn what_was_tried_longest_ago_comes_before_what_was_tried_since() {
    let now = moment("2026-03-02T12:00");
    let hours_ago = |hours| Some(now - SignedDuration::from_hours(hours));
    let rows = [row(1, 22, 5, hours_ago(2)), row(2, 22, 5, hours_ago(3)), row(3, 22, 0, None)];
    let steps = plan(&rows, &|_| false, now, &Pace::default(), 10);
    let order: Vec<_> = steps.iter().map(|it| it.waiting.case).collect();
    assert_eq!(order, [id(3), id(2), id(1)]);
}

#[test]
fn nothing_is_sent_to_a_paused_province_and_all_of_it_when_it_resumes() {
    let rows = [row(1, 22, 0, None), row(2, 23, 0, None)];
    let now = moment("2026-03-02T10:00");
    let paused = plan(&rows, &|it| it == province(22), now, &Pace::default(), 10);
    assert_eq!(paused.len(), 1);
    assert_eq!(paused[0].waiting.province, province(23));
    assert_eq!(plan(&rows, &|_| false, now, &Pace::default(), 10).len(), 2);
    assert_eq!(plan(&rows, &|_| false, now, &Pace::default(), 0).len(), 0);
}
