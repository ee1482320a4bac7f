//! What a province signed for and lost again: asked for again, once, and signed for again.

use events::case::AgainGround;
use events::report::News;
use hub_core::command::Command;

use crate::story::{Story, id, province};
use events::work::WorkKind;

fn again(code: u8) -> Command {
    Command::AskAgain { province: province(code), because: AgainGround::Reconciliation }
}

fn forwarded(attempt: u32) -> Command {
    let (province, request) = (province(22), id(2));
    Command::NoteForwarded { province, work: WorkKind::Case, request, attempt }
}

#[test]
fn what_was_signed_for_is_asked_again_and_waits_again() {
    let mut story = Story::delivered();
    assert_eq!(story.state().waiting(), None);
    story.yields(&again(22), &["asked-again"]);
    assert!(story.state().waiting().is_some());
    let signature = story.report(News::Delivered { work: WorkKind::Case });
    story.yields(&signature, &["delivered"]);
    assert_eq!(story.state().waiting(), None);
}

#[test]
fn the_signature_of_the_first_time_counts_once_it_was_sent_again_and_uses_up_no_number() {
    let mut story = Story::submitted();
    let signature = story.report(News::Delivered { work: WorkKind::Case });
    story.yields(&signature, &["delivered"]);
    let next = story.state().next_report_number(province(22));
    story.yields(&again(22), &["asked-again"]);
    // Nothing was sent since: this is an old copy on its way.
    story.quiet(&signature);
    story.yields(&forwarded(7), &["forwarded"]);
    story.yields(&signature, &["delivered"]);
    assert_eq!(story.state().next_report_number(province(22)), next);
    story.quiet(&signature);
}

#[test]
fn what_is_not_signed_for_has_ended_or_is_elsewhere_is_not_asked_again() {
    let story = Story::submitted();
    story.quiet(&again(22));
    Story::delivered().refuses(&again(23), "not-your-case");
}
