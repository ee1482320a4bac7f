//! Late facts: once each, and only where they make sense.

use events::case::CaseResult;
use events::report::News;
use events::vocabulary::{Outcome, Rating, Stage};
use hub_core::command::Command;
use jiff::civil::date;

use crate::story::Story;

fn completed() -> Story {
    let mut story = Story::accepted();
    let done = story.report(News::Completed {
        outcome: Outcome::Approved,
        decision_number: "决-1".to_owned(),
        reasons: vec![],
        result: CaseResult::default(),
    });
    story.yields(&done, &["completed"]);
    story
}

fn feedback(client: &str) -> Command {
    Command::ConfirmFeedback { client: client.to_owned(), way: "webhook".to_owned() }
}

fn explain(stage: Stage, note: &str) -> Command {
    Command::ExplainBreach { stage, operator: "处长".to_owned(), note: note.to_owned() }
}

fn complaint(reference: &str) -> Command {
    Command::FileComplaint { reference: reference.to_owned(), channel: "12328".to_owned() }
}

fn answer(reference: &str) -> Command {
    Command::AnswerComplaint { reference: reference.to_owned() }
}

fn archive(reference: &str) -> Command {
    Command::Archive { reference: reference.to_owned() }
}

#[test]
fn the_result_is_confirmed_once_by_the_client_that_asked() {
    let mut story = completed();
    story.refuses(&feedback("another"), "unknown-case");
    story.yields(&feedback("national"), &["result-fed-back"]);
    Story::accepted().refuses(&feedback("national"), "nothing-to-do");
}

#[test]
fn a_breach_is_explained_when_there_is_one() {
    let mut story = Story::delivered();
    story.refuses(&explain(Stage::Acceptance, "系统升级"), "nothing-to-do");
    story.observes(date(2026, 3, 5), &["acceptance-overdue"]);
    story.refuses(&explain(Stage::Completion, "系统升级"), "nothing-to-do");
    story.refuses(&explain(Stage::Acceptance, ""), "out-of-bounds");
    story.yields(&explain(Stage::Acceptance, "系统升级"), &["breach-explained"]);
    story.yields(&explain(Stage::Acceptance, "补充说明"), &["breach-explained"]);
    for number in 3..=16 {
        let note = format!("第{number}次");
        story.yields(&explain(Stage::Acceptance, &note), &["breach-explained"]);
    }
    story.refuses(&explain(Stage::Acceptance, "太多了"), "out-of-bounds");
}

#[test]
fn a_note_is_written_down_once_on_an_open_and_on_an_ended_case() {
    let note = |text: &str| Command::Note { operator: "甲".to_owned(), note: text.to_owned() };
    for mut story in [Story::submitted(), completed()] {
        story.yields(&note("已致电，对方午后回复"), &["noted"]);
        story.yields(&note("已致电，对方午后回复"), &[]);
        story.yields(&note("已回复"), &["noted"]);
        story.refuses(&note(""), "out-of-bounds");
        for number in 3..=64 {
            story.yields(&note(&format!("第{number}条")), &["noted"]);
        }
        story.refuses(&note("太多了"), "out-of-bounds");
    }
}

#[test]
fn a_case_is_rated_once_when_there_is_something_to_rate() {
    let mut story = completed();
    story.yields(&Command::Rate(Rating::Fair), &["rated"]);
    story.refuses(&Command::Rate(Rating::VerySatisfied), "out-of-order");
    Story::accepted().refuses(&Command::Rate(Rating::Fair), "out-of-order");
}

#[test]
fn a_complaint_is_filed_and_answered_once() {
    let mut story = Story::submitted();
    story.refuses(&answer("12328-1"), "nothing-to-do");
    story.yields(&complaint("12328-1"), &["complaint-filed"]);
    story.yields(&answer("12328-1"), &["complaint-answered"]);
    story.refuses(&complaint(""), "out-of-bounds");
    for number in 2..=64 {
        story.yields(&complaint(&format!("12328-{number}")), &["complaint-filed"]);
    }
    story.refuses(&complaint("12328-65"), "out-of-bounds");
}

#[test]
fn a_case_is_archived_once_after_its_end() {
    Story::accepted().refuses(&archive("档-1"), "out-of-order");
    let mut story = completed();
    story.yields(&archive("档-1"), &["archived"]);
    story.refuses(&archive("档-2"), "out-of-order");
}
