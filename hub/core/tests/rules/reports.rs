//! What a province tells: applied, refused for the record, or sent back to the intake.

use events::case::{CaseEvent, CaseResult, ParkReason, RouteReason};
use events::report::{News, ReportMessage};
use events::vocabulary::{Material, Outcome, Reason, SuspensionGround};
use events::work::WorkKind;
use hub_core::command::Command;
use jiff::SignedDuration;
use jiff::civil::date;

use crate::story::{Story, digest, division, id, province};

fn accepted(number: &str) -> News {
    News::Accepted { acceptance_number: number.to_owned() }
}

fn completed(outcome: Outcome, number: &str) -> News {
    let reasons = Vec::new();
    let result = CaseResult::default();
    News::Completed { outcome, decision_number: number.to_owned(), reasons, result }
}

fn declined(reason: Reason) -> News {
    News::Declined { reason }
}

fn correction() -> News {
    News::CorrectionRequested { missing: vec![Material::Photo], until: date(2026, 3, 20) }
}

fn returned(to: Option<&str>) -> News {
    News::Returned { reason: Reason::NotThisAuthority, division: to.map(division) }
}

fn suspended() -> News {
    News::Suspended { ground: SuspensionGround::ExpertReview }
}

fn completed_story() -> Story {
    let mut story = Story::accepted();
    let done = story.report(completed(Outcome::Approved, "决-1"));
    story.yields(&done, &["completed"]);
    story
}

fn declined_story() -> Story {
    let mut story = Story::delivered();
    let no = story.report(declined(Reason::RenewalNotDue));
    story.yields(&no, &["declined"]);
    story
}

fn withdrawn_story() -> Story {
    let mut story = Story::delivered();
    let withdraw = Command::Withdraw { requested_at: story.now, request: id(60) };
    story.yields(&withdraw, &["withdrawn"]);
    story
}

#[test]
fn a_case_travels_from_delivery_to_certificate() {
    let mut story = completed_story();
    let certificate = story.report(News::CertificateIssued { certificate_id: "证-1".to_owned() });
    story.yields(&certificate, &["certificate-issued"]);
    assert_eq!(story.state().stage(), "approved");
    assert_eq!(story.state().certificate_id.as_deref(), Some("证-1"));
}

#[test]
fn clock_two_counts_from_the_day_on_which_the_hub_recorded_the_acceptance() {
    let mut story = Story::delivered();
    story.at("2026-03-04T23:59");
    let mut message = story.message(accepted("受-1"));
    message.occurred_at = crate::story::moment("2026-03-02T11:00");
    let command = story.record(message);
    story.yields(&command, &["accepted"]);
    let Some(CaseEvent::CaseAccepted(it)) = story.events.last() else { unreachable!() };
    assert_eq!(it.due.day, date(2026, 3, 9));
    assert_eq!(it.decided_at, crate::story::moment("2026-03-02T11:00"), "kept as told");
}

#[test]
fn an_office_that_answers_has_the_case_whatever_its_adapter_signed() {
    let mut story = Story::submitted();
    let take = story.report(accepted("受-1"));
    story.yields(&take, &["accepted"]);
    assert_eq!(story.state().waiting(), None);
    let signed = story.report(News::Delivered { work: WorkKind::Case });
    story.yields(&signed, &["delivered"]);
}

#[test]
fn a_report_is_known_for_ever_even_when_it_was_refused() {
    let mut story = Story::delivered();
    let early = story.report(completed(Outcome::Approved, "决-1"));
    story.records_refusal(&early, "out-of-order");
    let take = story.report(accepted("受-1"));
    story.yields(&take, &["accepted"]);
    story.quiet(&early);
}

/// By stage: what each kind of news leads to. `!code` is recorded as refused.
#[test]
fn every_news_meets_every_stage() {
    type Given = fn() -> Story;
    let stages: [(&str, Given); 7] = [
        ("delivered", Story::delivered),
        ("awaiting", || {
            let mut story = Story::delivered();
            let ask = story.report(correction());
            story.yields(&ask, &["correction-requested"]);
            story
        }),
        ("accepted", Story::accepted),
        ("suspended", || {
            let mut story = Story::accepted();
            let stop = story.report(suspended());
            story.yields(&stop, &["clock-suspended"]);
            story
        }),
        ("completed", completed_story),
        ("declined", declined_story),
        ("withdrawn", withdrawn_story),
    ];
    let again = || News::Delivered { work: WorkKind::Case };
    let certificate = || News::CertificateIssued { certificate_id: "证-1".to_owned() };
    let conflict = "conflicting-decision";
    #[rustfmt::skip]
    let table: [(News, [&str; 7]); 12] = [
        // news                       delivered               awaiting                accepted           suspended          completed             declined           withdrawn
        (again(),                     ["!out-of-order",       "!out-of-order",        "!out-of-order",   "!out-of-order",   "!out-of-order",      "!out-of-order",   "!out-of-order"]),
        (returned(None),              ["returned parked",     "!out-of-order",        "!out-of-order",   "!out-of-order",   "!case-ended",        "!case-ended",     "!case-ended"]),
        (correction(),                ["correction-requested","correction-requested", "!out-of-order",   "!out-of-order",   "!case-ended",        "!case-ended",     "!case-ended"]),
        (accepted("受-1"),            ["accepted",            "accepted",             "!out-of-order",   "!out-of-order",   "!case-ended",        conflict,          "!case-ended"]),
        (accepted("受-2"),            ["accepted",            "accepted",             conflict,          conflict,          conflict,             conflict,          "!case-ended"]),
        (declined(Reason::RenewalNotDue), ["declined",        "declined",             conflict,          conflict,          conflict,             "!case-ended",     "!case-ended"]),
        (declined(Reason::OverAge),   ["declined",            "declined",             conflict,          conflict,          conflict,             conflict,          "!case-ended"]),
        (suspended(),                 ["!out-of-order",       "!out-of-order",        "clock-suspended", "!out-of-order",   "!case-ended",        "!case-ended",     "!case-ended"]),
        (News::Resumed,               ["!out-of-order",       "!out-of-order",        "!out-of-order",   "clock-resumed",   "!case-ended",        "!case-ended",     "!case-ended"]),
        (completed(Outcome::Approved, "决-1"), ["!out-of-order", "!out-of-order",     "completed",       "!out-of-order",   "!case-ended",        conflict,          "!case-ended"]),
        (completed(Outcome::Denied, "决-1"), ["!out-of-order", "!out-of-order",       "completed",       "!out-of-order",   conflict,             conflict,          "!case-ended"]),
        (certificate(),               ["!out-of-order",       "!out-of-order",        "!out-of-order",   "!out-of-order",   "certificate-issued", "!case-ended",     "!case-ended"]),
    ];
    for (news, leads_to) in table {
        for ((name, given), expected) in stages.iter().zip(leads_to) {
            let mut story = given();
            let mut message = story.message(news.clone());
            if *name == "withdrawn" {
                // The province had not heard of the withdrawal yet.
                message.report.request = id(2);
            }
            let command = story.record(message);
            let decided = story.decide(&command).unwrap();
            match expected.strip_prefix('!') {
                Some(code) => story.records_refusal(&command, code),
                None => {
                    let kinds: Vec<_> = expected.split(' ').collect();
                    let found: Vec<_> = decided.iter().map(crate::story::kind).collect();
                    assert_eq!(found, kinds, "{name}: {news:?}");
                    story.yields(&command, &kinds);
                }
            }
        }
    }
}

#[test]
fn a_conflicting_decision_is_kept_and_never_applied() {
    let mut story = completed_story();
    let before = story.state().decision.clone();
    let other = story.report(completed(Outcome::Denied, "决-2"));
    story.yields(&other, &["conflicting-decision"]);
    assert_eq!(story.state().decision, before);
    assert_eq!(story.state().stage(), "approved");
    assert_eq!(story.state().conflicts.len(), 1);
    let Command::Record { message, .. } = other else { unreachable!() };
    assert_eq!(story.state().refusal_of(message.id), Some("conflicting-decision"));
}

#[test]
fn what_does_not_fit_is_refused_for_the_record_with_its_reason() {
    type Spoil = fn(&mut ReportMessage);
    let long = || "字".repeat(65);
    #[rustfmt::skip]
    let table: [(&str, News, Spoil, &str); 14] = [
        ("a fingerprint of something else", accepted("受-1"), |it| it.report.digest = digest(9), "wrong-digest"),
        ("eleven minutes ahead of us", accepted("受-1"), |it| it.occurred_at += SignedDuration::from_mins(11), "impossible-moment"),
        ("seven minutes before the submission", accepted("受-1"), |it| it.occurred_at -= SignedDuration::from_mins(7), "impossible-moment"),
        ("a number that was given", accepted("受-1"), |it| it.report.number = 1, "number-reused"),
        ("a number that is none", accepted("受-1"), |it| it.report.number = 0, "number-reused"),
        ("no acceptance number", accepted(""), |_| {}, "out-of-bounds"),
        ("an endless acceptance number", accepted(&long()), |_| {}, "out-of-bounds"),
        ("an acceptance number that rings", accepted("受\u{7}"), |_| {}, "out-of-bounds"),
        ("nothing missing", News::CorrectionRequested { missing: vec![], until: date(2026, 3, 20) }, |_| {}, "out-of-bounds"),
        ("too much missing", News::CorrectionRequested { missing: vec![Material::Photo; 17], until: date(2026, 3, 20) }, |_| {}, "out-of-bounds"),
        ("until yesterday", News::CorrectionRequested { missing: vec![Material::Photo], until: date(2026, 3, 1) }, |_| {}, "out-of-bounds"),
        ("an endless decision number", completed(Outcome::Approved, &long()), |_| {}, "out-of-bounds"),
        ("a certificate without a name", News::CertificateIssued { certificate_id: String::new() }, |_| {}, "out-of-bounds"),
        ("work that it was not given", News::Delivered { work: WorkKind::Withdrawal }, |_| {}, "out-of-order"),
    ];
    for (_, news, spoil, code) in table {
        let mut story = Story::delivered();
        let mut message = story.message(news);
        spoil(&mut message);
        let command = story.record(message);
        story.records_refusal(&command, code);
    }
}

#[test]
fn a_refused_report_uses_up_its_number_but_a_reused_number_does_not() {
    let mut story = Story::delivered();
    let early = story.report(News::Resumed);
    story.records_refusal(&early, "out-of-order");
    assert_eq!(story.state().next_report_number(province(22)), 3);
    let mut message = story.message(accepted("受-1"));
    message.report.number = 2;
    let reused = story.record(message);
    story.records_refusal(&reused, "number-reused");
    assert_eq!(story.state().next_report_number(province(22)), 3);
    let next = story.report(accepted("受-1"));
    story.yields(&next, &["accepted"]);
}

#[test]
fn what_cannot_be_recorded_here_is_for_the_intake() {
    let mut story = Story::delivered();
    let mut early = story.message(accepted("受-1"));
    early.report.number = 3;
    let mut foreign = story.message(accepted("受-1"));
    foreign.report.province = province(23);
    let mut never_asked = story.message(accepted("受-1"));
    never_asked.report.request = id(99);
    for (message, code) in
        [(early, "report-too-early"), (foreign, "not-your-case"), (never_asked, "stale-request")]
    {
        let command = story.record(message);
        story.refuses(&command, code);
    }
}

#[test]
fn a_case_may_have_many_reports_but_not_endlessly_many() {
    let mut story = Story::delivered();
    for _ in 0..255 {
        let noise = story.report(News::Resumed);
        story.records_refusal(&noise, "out-of-order");
    }
    let one_more = story.report(News::Resumed);
    story.refuses(&one_more, "out-of-bounds");
}

#[test]
fn a_returned_case_goes_on_to_the_province_that_was_named() {
    let mut story = Story::delivered();
    let back = story.report(returned(Some("230100")));
    story.yields(&back, &["returned", "routed"]);
    let Some(CaseEvent::CaseRouted(routed)) = story.events.last() else { unreachable!() };
    let reason = RouteReason::ReturnedTo { by: province(22), division: division("230100") };
    assert_eq!((routed.province, &routed.reason), (province(23), &reason));
    assert_eq!(story.state().next_report_number(province(23)), 1, "it counts for itself");
    let (to, _, work) = story.state().waiting().unwrap();
    assert_eq!((to, work), (province(23), WorkKind::Case));
}

#[test]
fn a_case_that_nobody_wants_is_parked() {
    // named                leads to
    let without = ParkReason::ReturnedWithoutSuccessor { by: province(22) };
    let circle = ParkReason::ReturnedInCircle { by: province(22) };
    let table = [
        (None, &without),
        (Some("999999"), &without), // no such division
        (Some("220100"), &circle),  // itself
    ];
    for (named, expected) in table {
        let mut story = Story::delivered();
        let back = story.report(returned(named));
        story.yields(&back, &["returned", "parked"]);
        assert_eq!(story.state().parked.as_ref(), Some(expected), "{named:?}");
        let late = story.report(accepted("受-1"));
        story.records_refusal(&late, "out-of-order");
    }

    let mut story = Story::delivered();
    let to_heilongjiang = story.report(returned(Some("230100")));
    story.yields(&to_heilongjiang, &["returned", "routed"]);
    let and_back = story.report(returned(Some("220100")));
    story.yields(&and_back, &["returned", "parked"]);
    let circle = ParkReason::ReturnedInCircle { by: province(23) };
    assert_eq!(story.state().parked, Some(circle));
}

#[test]
fn the_province_that_gave_it_back_has_no_more_say() {
    let mut story = Story::delivered();
    let late = story.message(accepted("受-1"));
    let back = story.report(returned(Some("230100")));
    story.yields(&back, &["returned", "routed"]);
    let late = story.record(late);
    story.refuses(&late, "not-your-case");
}

#[test]
fn a_decision_that_crossed_the_withdrawal_is_told_that_the_case_has_ended() {
    let mut story = Story::accepted();
    let crossing = story.message(completed(Outcome::Approved, "决-1"));
    let withdraw = Command::Withdraw { requested_at: story.now, request: id(60) };
    story.yields(&withdraw, &["withdrawn"]);
    let crossing = story.record(crossing);
    story.records_refusal(&crossing, "case-ended");
    assert_eq!(story.state().stage(), "withdrawn");
}

#[test]
fn the_withdrawal_waits_until_the_province_has_signed_for_it() {
    let mut story = withdrawn_story();
    let (_, request, work) = story.state().waiting().unwrap();
    assert_eq!((request, work), (id(60), WorkKind::Withdrawal));
    let signed = story.report(News::Delivered { work: WorkKind::Withdrawal });
    story.yields(&signed, &["delivered"]);
    assert_eq!(story.state().waiting(), None);
}

#[test]
fn a_signature_for_the_case_may_come_after_the_withdrawal() {
    let mut story = Story::submitted();
    let late = story.message(News::Delivered { work: WorkKind::Case });
    let withdraw = Command::Withdraw { requested_at: story.now, request: id(60) };
    story.yields(&withdraw, &["withdrawn"]);
    let late = story.record(late);
    story.yields(&late, &["delivered"]);
    assert!(story.state().waiting().is_some(), "the withdrawal itself is not signed for");
}
