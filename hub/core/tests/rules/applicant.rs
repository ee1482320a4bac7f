//! Corrections and withdrawals.

use events::case::CaseEvent;
use events::report::News;
use events::vocabulary::Material;
use events::work::WorkKind;
use hub_core::command::Command;
use jiff::civil::date;

use crate::story::{Story, digest, id, moment, province};

fn awaiting() -> Story {
    let mut story = Story::delivered();
    story.at("2026-03-03T09:00");
    let ask = request_correction(&mut story);
    story.yields(&ask, &["correction-requested"]);
    story
}

fn request_correction(story: &mut Story) -> Command {
    let missing = vec![Material::Photo, Material::DrivingLicence];
    story.report(News::CorrectionRequested { missing, until: date(2026, 3, 20) })
}

fn correction(mark: u8, submitted_at: &str) -> Command {
    Command::SubmitCorrection {
        digest: digest(mark),
        submitted_at: moment(submitted_at),
        request: id(40 + u32::from(mark)),
    }
}

#[test]
fn a_correction_starts_clock_one_again_in_full() {
    let mut story = awaiting();
    story.at("2026-03-12T20:00");
    story.yields(&correction(2, "2026-03-12T19:00"), &["correction-submitted"]);
    assert_eq!(story.state().acceptance_clock.due.day, date(2026, 3, 16), "over a weekend");
    assert_eq!(story.state().waiting(), Some((province(22), id(42), WorkKind::Correction)));
    let signed = story.report(News::Delivered { work: WorkKind::Correction });
    story.yields(&signed, &["delivered"]);
    let take = story.report(News::Accepted { acceptance_number: "受-1".to_owned() });
    story.yields(&take, &["accepted"]);
}

#[test]
fn an_answer_to_the_case_before_its_correction_is_stale() {
    let mut story = awaiting();
    let crossing = story.message(News::Accepted { acceptance_number: "受-1".to_owned() });
    story.yields(&correction(2, "2026-03-03T09:00"), &["correction-submitted"]);
    let crossing = story.record(crossing);
    story.records_refusal(&crossing, "stale-request");
    let mut wrong = story.message(News::Accepted { acceptance_number: "受-1".to_owned() });
    wrong.report.digest = digest(1);
    let wrong = story.record(wrong);
    story.records_refusal(&wrong, "wrong-digest");
}

#[test]
fn a_second_notice_is_kept_and_flagged() {
    let mut story = awaiting();
    story.yields(&correction(2, "2026-03-03T09:00"), &["correction-submitted"]);
    let again = request_correction(&mut story);
    story.yields(&again, &["correction-requested"]);
    let Some(CaseEvent::CorrectionRequested(it)) = story.events.last() else { unreachable!() };
    assert!(it.repeated);
    story.yields(&correction(3, "2026-03-03T09:00"), &["correction-submitted"]);
    story.quiet(&correction(2, "2026-03-03T09:00"));
}

#[test]
fn the_day_for_the_correction_counts_whole_and_then_it_lapses() {
    let mut story = awaiting();
    story.observes(date(2026, 3, 20), &[]);
    story
        .clone()
        .at("2026-03-20T23:59")
        .yields(&correction(2, "2026-03-20T23:58"), &["correction-submitted"]);
    // Whether the watch has looked yet makes no difference.
    story.at("2026-03-21T00:01");
    story.refuses(&correction(2, "2026-03-21T00:00"), "case-ended");
    story.observes(date(2026, 3, 21), &["correction-lapsed"]);
    story.refuses(&correction(2, "2026-03-20T23:58"), "case-ended");
    assert_eq!(story.state().stage(), "correction-lapsed");
}

#[test]
fn a_correction_that_nobody_asked_for_or_of_an_impossible_moment_is_refused() {
    let story = Story::delivered();
    story.refuses(&correction(2, "2026-03-02T10:00"), "nothing-to-do");
    let story = awaiting();
    story.refuses(&correction(2, "2026-03-03T09:06"), "submitted-in-future");
    story.refuses(&correction(2, "2026-03-02T09:00"), "impossible-moment");
}

#[test]
fn an_open_case_may_be_withdrawn_once_and_an_ended_one_not() {
    let withdraw = |at: &str| Command::Withdraw { requested_at: moment(at), request: id(60) };
    let mut story = Story::accepted();
    story.refuses(&withdraw("2026-03-03T09:06"), "impossible-moment");
    story.refuses(&withdraw("2026-03-02T09:00"), "impossible-moment");
    story.yields(&withdraw("2026-03-03T09:00"), &["withdrawn"]);
    story.quiet(&withdraw("2026-03-02T09:00"));

    let mut declined = Story::delivered();
    let no =
        declined.report(News::Declined { reason: events::vocabulary::Reason::PhotoUnacceptable });
    declined.yields(&no, &["declined"]);
    declined.refuses(&withdraw("2026-03-02T10:01"), "case-ended");
}

#[test]
fn a_case_that_nobody_has_is_withdrawn_without_telling_anybody() {
    let mut story = Story::delivered();
    let back = story.report(News::Returned {
        reason: events::vocabulary::Reason::NotThisAuthority,
        division: None,
    });
    story.yields(&back, &["returned", "parked"]);
    let withdraw = Command::Withdraw { requested_at: story.now, request: id(60) };
    story.yields(&withdraw, &["withdrawn"]);
    assert_eq!(story.state().waiting(), None);
    let release = Command::Release {
        operator: "操作员".to_owned(),
        note: "已撤回".to_owned(),
        route_to: None,
        request: id(61),
    };
    story.yields(&release, &["released"]);
    assert_eq!(story.state().waiting(), None, "the province has said that it is not its own");
}
