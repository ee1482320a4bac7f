//! What holds for every history, whatever order people, provinces and days come in.
#![allow(clippy::unwrap_used)] // helpers of tests are tests too

#[path = "rules/story.rs"]
#[allow(dead_code)] // what only given-when-then tests need
mod story;

use std::collections::BTreeMap;

use events::case::{AgainGround, CaseEvent, CaseResult};
use events::report::News;
use events::vocabulary::{Material, Outcome, Rating, Reason, Stage, SuspensionGround};
use events::work::WorkKind;
use hub_core::case::parts::CaseStage;
use hub_core::case::{Case, decide, evolve};
use hub_core::command::Command;
use jiff::civil::{Date, date};
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use story::{Story, digest, division, id, province, submission, year_2026};

/// How many histories, and how long each may be.
const HISTORIES: u32 = 3_000;
const STEPS_MAX: usize = 40;

/// A step, small enough to be drawn at random; what it means depends on the story so far.
#[derive(Debug, Clone)]
enum Step {
    Submit,
    /// News of the province, and whether it is about the last request.
    Report(u8, u8),
    /// The report that was given this many steps ago, again.
    Again(usize),
    Forwarded,
    Park,
    Release(Option<u8>),
    Days(i64),
    Revise(bool),
    Correct(u8),
    Withdraw,
    Feedback,
    Explain(bool),
    Note(u8),
    Rate(usize),
    Complain(u8),
    Answer(u8),
    Archive,
    AskAgain,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => Just(Step::Submit),
        24 => (0..14u8, 0..8u8).prop_map(|(news, twist)| Step::Report(news, twist)),
        3 => (0..6usize).prop_map(Step::Again),
        3 => Just(Step::Forwarded),
        1 => Just(Step::Park),
        3 => prop_oneof![Just(None), Just(Some(22)), Just(Some(23))].prop_map(Step::Release),
        6 => (0..9i64).prop_map(Step::Days),
        2 => any::<bool>().prop_map(Step::Revise),
        4 => (2..5u8).prop_map(Step::Correct),
        1 => Just(Step::Withdraw),
        2 => Just(Step::Feedback),
        2 => any::<bool>().prop_map(Step::Explain),
        1 => (0..3u8).prop_map(Step::Note),
        2 => (0..5usize).prop_map(Step::Rate),
        1 => (0..3u8).prop_map(Step::Complain),
        1 => (0..3u8).prop_map(Step::Answer),
        2 => Just(Step::Archive),
        2 => Just(Step::AskAgain),
    ]
}

fn news(choice: u8, today: Date) -> News {
    let decision = |outcome, number: &str| News::Completed {
        outcome,
        decision_number: number.to_owned(),
        reasons: vec![],
        result: CaseResult::default(),
    };
    let back = |to: Option<&str>| News::Returned {
        reason: Reason::NotThisAuthority,
        division: to.map(division),
    };
    match choice {
        0 => News::Delivered { work: WorkKind::Case },
        1 => News::Delivered { work: WorkKind::Correction },
        2 => News::Delivered { work: WorkKind::Withdrawal },
        3 => back(None),
        4 => back(Some("230100")),
        5 => back(Some("220100")),
        6 => News::CorrectionRequested {
            missing: vec![Material::Photo],
            until: today.saturating_add(jiff::Span::new().days(6)),
        },
        7 | 8 => News::Accepted { acceptance_number: format!("受-{choice}") },
        9 => News::Declined { reason: Reason::RenewalNotDue },
        10 => News::Suspended { ground: SuspensionGround::Hearing },
        11 => News::Resumed,
        12 => decision(Outcome::Approved, "决-1"),
        _ => News::CertificateIssued { certificate_id: "证-1".to_owned() },
    }
}

/// What the step asks, given the story so far; nothing if it makes no sense yet.
fn command(story: &mut Story, past: &[Command], step: &Step) -> Option<Command> {
    if matches!(step, Step::Submit) {
        return Some(Command::Submit(submission()));
    }
    story.case.as_ref()?;
    Some(match step {
        Step::Submit => return None,
        Step::Report(choice, twist) => report(story, *choice, *twist),
        Step::Again(ago) => past.iter().rev().nth(*ago)?.clone(),
        Step::Forwarded => {
            let request = story.state().request()?.clone();
            Command::NoteForwarded {
                province: request.province,
                work: request.work,
                request: request.id,
                attempt: request.attempts + 1,
            }
        }
        Step::Park => Command::Park { operator: "甲".to_owned() },
        Step::Release(to) => Command::Release {
            operator: "甲".to_owned(),
            note: "已核实".to_owned(),
            route_to: to.map(province),
            request: story.new_id(),
        },
        Step::Days(days) => {
            story.now += SignedDuration::from_hours(24 * days);
            Command::ObserveDate(hub_core::calendar::shanghai_date(story.now))
        }
        Step::Revise(longer) => revise(story, *longer),
        Step::Correct(mark) => Command::SubmitCorrection {
            digest: digest(*mark),
            submitted_at: story.now,
            request: story.new_id(),
        },
        Step::AskAgain => Command::AskAgain {
            province: story.state().request()?.province,
            because: AgainGround::Reconciliation,
        },
        Step::Withdraw => Command::Withdraw { requested_at: story.now, request: story.new_id() },
        other => afterwards(other),
    })
}

fn report(story: &mut Story, choice: u8, twist: u8) -> Command {
    let today = hub_core::calendar::shanghai_date(story.now);
    let mut message = story.message(news(choice, today));
    let report = &mut message.report;
    match twist {
        0 => report.number = report.number.saturating_sub(1),
        1 => report.number += 1,
        2 => report.request = id(2),
        3 => report.province = province(23),
        _ => {}
    }
    story.record(message)
}

fn revise(story: &mut Story, longer: bool) -> Command {
    let mut year = year_2026();
    if longer {
        year.holidays.extend((9..=13).map(|day| date(2026, 3, day)));
    }
    let revision = story.rules.calendar.revision() + 1;
    story.rules.calendar.publish(revision, &year).unwrap();
    Command::Revise
}

fn afterwards(step: &Step) -> Command {
    match step {
        Step::Explain(acceptance) => Command::ExplainBreach {
            stage: if *acceptance { Stage::Acceptance } else { Stage::Completion },
            operator: "乙".to_owned(),
            note: "系统升级".to_owned(),
        },
        Step::Note(number) => {
            Command::Note { operator: "乙".to_owned(), note: format!("备注{number}") }
        }
        Step::Rate(grade) => Command::Rate(Rating::ALL[*grade]),
        Step::Complain(number) => Command::FileComplaint {
            reference: format!("12328-{number}"),
            channel: "12328".to_owned(),
        },
        Step::Answer(number) => Command::AnswerComplaint { reference: format!("12328-{number}") },
        Step::Archive => Command::Archive { reference: "档-1".to_owned() },
        _ => Command::ConfirmFeedback { client: "national".to_owned(), way: "feed".to_owned() },
    }
}

/// Stages only move forward: asking for a correction and getting it is the only way round.
fn rank(stage: CaseStage) -> u8 {
    match stage {
        CaseStage::Submitted | CaseStage::AwaitingCorrection => 0,
        CaseStage::Accepted => 1,
        CaseStage::Completed
        | CaseStage::Declined
        | CaseStage::Withdrawn
        | CaseStage::CorrectionLapsed => 2,
    }
}

fn check_step(before: Option<&Case>, after: Option<&Case>) {
    let Some(before) = before else { return };
    let after = after.unwrap();
    assert!(rank(after.stage) >= rank(before.stage), "{:?} → {:?}", before.stage, after.stage);
    if !before.is_open() {
        assert_eq!(after.stage, before.stage, "an end is an end");
        assert_eq!(after.decision, before.decision, "a decision is for good");
        let held = after.waiting().is_none_or(|it| it.2 == WorkKind::Withdrawal);
        assert!(held, "only the withdrawal itself is told after the end");
    }
    if before.acceptance.is_some() {
        assert_eq!(after.acceptance, before.acceptance, "an acceptance is for good");
    }
    if before.acceptance_clock.overdue && after.corrections == before.corrections {
        assert!(after.acceptance_clock.overdue, "a breach is for good");
    }
    assert!(after.breached.starts_with(&before.breached));
}

/// Each fact once: what starts again with a correction, once for each start.
fn check_once(story: &Story) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut starts = 1;
    for event in &story.events {
        let key = match event {
            CaseEvent::CorrectionSubmitted(_) => {
                starts += 1;
                continue;
            }
            CaseEvent::AcceptanceOverdue(_) => format!("acceptance-overdue {starts}"),
            CaseEvent::CaseUrged(it) => once_a_start("urged", it.stage, starts),
            CaseEvent::SeriouslyOverdue(it) => once_a_start("seriously", it.stage, starts),
            CaseEvent::CaseSubmitted(_)
            | CaseEvent::CaseAccepted(_)
            | CaseEvent::CompletionOverdue(_)
            | CaseEvent::DeemedAccepted(_)
            | CaseEvent::ResultFedBack(_)
            | CaseEvent::CertificateIssued(_)
            | CaseEvent::CaseRated(_)
            | CaseEvent::CaseArchived(_) => event.kind().to_owned(),
            CaseEvent::CaseCompleted(_)
            | CaseEvent::CaseDeclined(_)
            | CaseEvent::CaseWithdrawn(_)
            | CaseEvent::CorrectionLapsed(_) => "an end".to_owned(),
            _ => continue,
        };
        *counts.entry(key).or_default() += 1;
    }
    let twice: Vec<_> = counts.iter().filter(|it| *it.1 > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
}

fn once_a_start(name: &str, stage: Stage, starts: usize) -> String {
    match stage {
        Stage::Acceptance => format!("{name} acceptance {starts}"),
        Stage::Completion => format!("{name} completion"),
    }
}

/// Tells the story step by step, checking every law on the way; counts what happened.
fn tell(steps: &[Step], visited: &mut BTreeMap<&'static str, usize>) {
    let mut story = Story::empty();
    let mut past = Vec::new();
    for step in steps {
        let Some(command) = command(&mut story, &past, step) else { continue };
        story.now += SignedDuration::from_secs(60);
        give(&mut story, &command, visited);
        past.push(command);
    }
    check_once(&story);
    let replayed = story.events.iter().fold(None, evolve);
    assert_eq!(replayed, story.case, "the replayed state is the live state");
}

fn give(story: &mut Story, command: &Command, visited: &mut BTreeMap<&'static str, usize>) {
    let before = story.case.clone();
    let decided = story.decide(command);
    let unchanged = story.decide(command);
    assert_eq!(decided, unchanged, "deciding decides nothing");
    let Ok(events) = decided else { return };
    check_breach_first(before.as_ref(), &events, hub_core::calendar::shanghai_date(story.now));
    for event in events {
        *visited.entry(event.kind()).or_default() += 1;
        story.case = evolve(story.case.take(), &event);
        story.events.push(event);
    }
    check_step(before.as_ref(), story.case.as_ref());
    let again = decide(story.case.as_ref(), command, &story.rules, story.now);
    assert_eq!(again, Ok(vec![]), "given twice: {command:?}");
    check_far_future(story, command);
}

/// Nothing is recorded on a clock whose day has passed before that is on record.
fn check_breach_first(before: Option<&Case>, events: &[CaseEvent], today: Date) {
    let running = before.and_then(Case::running_clock);
    let Some((stage, _)) = running.filter(|it| it.1.due.day < today && !it.1.overdue) else {
        return;
    };
    let breach = match events.first() {
        None | Some(CaseEvent::AcceptanceOverdue(_)) => Stage::Acceptance,
        Some(CaseEvent::CompletionOverdue(_)) => Stage::Completion,
        Some(other) => panic!("{} stands before the breach", other.kind()),
    };
    assert!(events.is_empty() || breach == stage, "the other clock's breach");
}

/// What was handed in or reported is known for ever, whatever has happened since.
fn check_far_future(story: &Story, command: &Command) {
    if matches!(command, Command::Submit(_) | Command::Record { .. }) {
        let later: Timestamp = story.now + SignedDuration::from_hours(24 * 400);
        let again = decide(story.case.as_ref(), command, &story.rules, later);
        assert_eq!(again, Ok(vec![]), "given again a year later: {command:?}");
    }
}

#[test]
fn every_history_keeps_the_laws_and_together_they_visit_every_event() {
    let mut visited = BTreeMap::new();
    let mut runner = TestRunner::new_with_rng(
        Config { cases: HISTORIES, failure_persistence: None, ..Config::default() },
        proptest::test_runner::TestRng::deterministic_rng(
            proptest::test_runner::RngAlgorithm::ChaCha,
        ),
    );
    let histories = proptest::collection::vec(step(), 1..STEPS_MAX);
    let counts = std::cell::RefCell::new(&mut visited);
    let outcome = runner.run(&histories, |mut steps| {
        // Most stories begin with a submission; the others show that nothing happens without one.
        steps.insert(steps.len().min(1), Step::Submit);
        tell(&steps, *counts.borrow_mut());
        Ok(())
    });
    outcome.unwrap_or_else(|it| panic!("{it}"));
    let missing: Vec<_> =
        CaseEvent::KINDS.iter().filter(|it| !visited.contains_key(**it)).collect();
    assert!(missing.is_empty(), "never visited: {missing:?}; visited: {visited:?}");
}
