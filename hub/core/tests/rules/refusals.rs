//! Every refusal of the rules has a paragraph, and every paragraph a refusal.

use std::collections::BTreeSet;

use hub_core::refusal::Refusal;

use crate::story::province;

const PARAGRAPHS: &str = include_str!("../../../../schemas/refusals.md");

/// The match makes a new refusal fail to compile here until it is listed.
fn all() -> Vec<Refusal> {
    let all = vec![
        Refusal::UnknownCase,
        Refusal::CaseExists,
        Refusal::IdempotencyKeyReused,
        Refusal::DuplicateApplication,
        Refusal::UnknownAuthority,
        Refusal::UnknownDivision,
        Refusal::SubmittedInFuture,
        Refusal::SubmittedTooLongAgo,
        Refusal::ReportTooEarly { number: 2, expected: 1 },
        Refusal::NotYourCase { province: province(22) },
        Refusal::StaleRequest,
        Refusal::WrongDigest,
        Refusal::NumberReused,
        Refusal::OutOfOrder,
        Refusal::CaseEnded,
        Refusal::ConflictingDecision,
        Refusal::ImpossibleMoment,
        Refusal::OutOfBounds { field: "until" },
        Refusal::NothingToDo,
        Refusal::ProvinceNotEnrolled,
        Refusal::KeyExists,
        Refusal::UnknownKey,
        Refusal::UnknownRedrive,
        Refusal::SecondPersonNeeded,
        Refusal::RedriveEnded,
        Refusal::TooManyRedrives,
        Refusal::StatementSuperseded,
        Refusal::TooManyStatements,
        Refusal::BadCalendar { why: "unsorted" },
    ];
    match &all[0] {
        Refusal::UnknownCase
        | Refusal::CaseExists
        | Refusal::IdempotencyKeyReused
        | Refusal::DuplicateApplication
        | Refusal::UnknownAuthority
        | Refusal::UnknownDivision
        | Refusal::SubmittedInFuture
        | Refusal::SubmittedTooLongAgo
        | Refusal::ReportTooEarly { .. }
        | Refusal::NotYourCase { .. }
        | Refusal::StaleRequest
        | Refusal::WrongDigest
        | Refusal::NumberReused
        | Refusal::OutOfOrder
        | Refusal::CaseEnded
        | Refusal::ConflictingDecision
        | Refusal::ImpossibleMoment
        | Refusal::OutOfBounds { .. }
        | Refusal::NothingToDo
        | Refusal::ProvinceNotEnrolled
        | Refusal::KeyExists
        | Refusal::UnknownKey
        | Refusal::UnknownRedrive
        | Refusal::SecondPersonNeeded
        | Refusal::RedriveEnded
        | Refusal::TooManyRedrives
        | Refusal::StatementSuperseded
        | Refusal::TooManyStatements
        | Refusal::BadCalendar { .. } => {}
    }
    all
}

/// The codes under `## Rules`, each with the paragraph that follows its heading.
fn described() -> Vec<(&'static str, &'static str)> {
    let (_, rules) = PARAGRAPHS.split_once("\n## Rules\n").unwrap();
    let rules = rules.split("\n## ").next().unwrap();
    let sections = rules.split("\n### ").skip(1);
    sections.map(|it| it.split_once('\n').unwrap()).collect()
}

#[test]
fn every_code_of_the_rules_has_a_paragraph_and_every_paragraph_a_code() {
    let codes: BTreeSet<_> = all().iter().map(Refusal::code).collect();
    assert_eq!(codes.len(), all().len(), "no two refusals share a code");
    let headings: Vec<_> = described().iter().map(|it| it.0.trim_matches('`')).collect();
    let unique: BTreeSet<_> = headings.iter().copied().collect();
    assert_eq!(headings.len(), unique.len(), "described twice");
    assert_eq!(unique, codes);
}

#[test]
fn every_paragraph_names_the_cause_and_what_to_do() {
    for (code, paragraph) in described() {
        assert!(paragraph.contains("**Cause:**"), "{code}");
        assert!(paragraph.contains("**What to do:**"), "{code}");
    }
}
