//! An answer becomes a report once; what cannot become a right one is refused by its name.

use events::report::News;
use events::vocabulary::{Material, Outcome, Reason, SuspensionGround};
use events::work::WorkKind;
use jiff::civil::date;
use uuid::Uuid;

use super::*;
use crate::office::rehearsal::{Rehearsal, START};

const CASE: u128 = 1;

fn case() -> CaseId {
    CaseId(Uuid::from_u128(CASE))
}

fn answer(operation: &str, news: News) -> Answer {
    Answer {
        operation: OperationId::new(operation).unwrap(),
        case: case(),
        answers: Answers::TakenWork,
        news,
        decided_at: None,
        text: None,
    }
}

fn accepted(number: &str) -> News {
    News::Accepted { acceptance_number: number.to_owned() }
}

fn completed(outcome: Outcome, reasons: Vec<Reason>) -> News {
    let decision_number = "决-1".to_owned();
    News::Completed { outcome, decision_number, reasons, result: Default::default() }
}

fn correction() -> News {
    News::CorrectionRequested { missing: vec![Material::Photo], until: date(2026, 3, 20) }
}

fn certificate(id: &str) -> News {
    News::CertificateIssued { certificate_id: id.to_owned() }
}

/// A case that the office has taken.
async fn stage() -> (Rehearsal, Desk) {
    let rehearsal = Rehearsal::new();
    rehearsal.arrive(&rehearsal.work(CASE, 100, WorkKind::Case)).await;
    rehearsal.take_all().await;
    let desk = rehearsal.desk(Codes::default()).await;
    (rehearsal, desk)
}

/// Says all in order; the code of the last.
async fn last_of(desk: &Desk, story: &[News]) -> Result<(), &'static str> {
    let mut last = Ok(());
    for (at, news) in story.iter().enumerate() {
        last.unwrap();
        let given = desk.answer(answer(&format!("op-{at}"), news.clone())).await;
        last = given.map(|_| ()).map_err(|it| it.code());
    }
    last
}

#[tokio::test]
async fn an_answer_said_twice_is_one_report_also_after_a_crash() {
    let (mut rehearsal, desk) = stage().await;
    let mut said = answer("op-1", accepted("受-1"));
    said.text = Some("请按时领取".to_owned());
    let first = desk.answer(said.clone()).await.unwrap();
    assert!(!first.again);
    let second = desk.answer(said.clone()).await.unwrap();
    assert_eq!((second.report, second.again), (first.report, true));
    drop(desk);
    rehearsal.crash().await;
    let desk = rehearsal.desk(Codes::default()).await;
    let third = desk.answer(said).await.unwrap();
    assert_eq!((third.report, third.again), (first.report, true));
    let told = rehearsal.told(case()).await;
    assert_eq!(told.len(), 1);
    let work = rehearsal.work(CASE, 100, WorkKind::Case);
    assert_eq!(rehearsal.text(&work, &told[0]).as_deref(), Some("请按时领取"));
}

#[tokio::test]
async fn the_same_operation_with_another_content_is_refused() {
    let (rehearsal, desk) = stage().await;
    let mut said = answer("op-1", accepted("受-1"));
    said.text = Some("甲".to_owned());
    said.decided_at = Some(START.parse().unwrap());
    desk.answer(said.clone()).await.unwrap();
    let mut others = vec![said.clone(), said.clone(), said.clone(), said.clone()];
    others[0].news = accepted("受-2");
    others[1].text = Some("乙".to_owned());
    others[2].decided_at = Some("2026-03-02T09:00:01+08:00".parse().unwrap());
    others[3].decided_at = None;
    for other in others {
        let refused = desk.answer(other.clone()).await.unwrap_err();
        assert_eq!(refused.code(), "operation-reused", "{other:?}");
    }
    assert!(desk.answer(said).await.unwrap().again);
    assert_eq!(rehearsal.told(case()).await.len(), 1);
}

#[tokio::test]
async fn an_office_that_lost_its_ids_says_the_last_answer_again_and_nothing_doubles() {
    let (rehearsal, desk) = stage().await;
    let first = desk.answer(answer("a", accepted("受-1"))).await.unwrap();
    let again = desk.answer(answer("b", accepted("受-1"))).await.unwrap();
    assert_eq!((again.report, again.again), (first.report, true));
    assert_eq!(rehearsal.told(case()).await.len(), 1);
    // The new id counts from now on.
    let refused = desk.answer(answer("b", accepted("受-2"))).await.unwrap_err();
    assert_eq!(refused.code(), "operation-reused");
}

#[tokio::test]
async fn whole_stories_are_told_in_order() {
    let suspended = News::Suspended { ground: SuspensionGround::Hearing };
    let (rehearsal, desk) = stage().await;
    let story = [
        accepted("受-1"),
        suspended.clone(),
        News::Resumed,
        suspended,
        News::Resumed,
        completed(Outcome::Approved, vec![]),
        certificate("证-1"),
    ];
    for (at, news) in story.iter().enumerate() {
        rehearsal.clock.advance(std::time::Duration::from_secs(60));
        desk.answer(answer(&format!("op-{at}"), news.clone())).await.unwrap();
    }
    let told: Vec<News> =
        rehearsal.told(case()).await.into_iter().map(|it| it.report.news).collect();
    assert_eq!(told, story);
}

#[tokio::test]
async fn what_does_not_fit_the_story_is_refused_by_name() {
    let declined = News::Declined { reason: Reason::OverAge };
    let returned = News::Returned { reason: Reason::NotThisAuthority, division: None };
    let suspended = News::Suspended { ground: SuspensionGround::Hearing };
    let approved = completed(Outcome::Approved, vec![]);
    let denied = completed(Outcome::Denied, vec![Reason::OverAge]);
    let delivered = News::Delivered { work: WorkKind::Case };
    #[rustfmt::skip] // a table
    let table = [
        (vec![delivered],                                          "out-of-order"),
        (vec![approved.clone()],                                   "out-of-order"),
        (vec![suspended.clone()],                                  "out-of-order"),
        (vec![accepted("1"), accepted("2")],                       "out-of-order"),
        (vec![accepted("1"), declined.clone()],                    "out-of-order"),
        (vec![accepted("1"), returned.clone()],                    "out-of-order"),
        (vec![accepted("1"), correction()],                        "out-of-order"),
        (vec![accepted("1"), News::Resumed],                       "out-of-order"),
        (vec![accepted("1"), suspended, approved.clone()],         "out-of-order"),
        (vec![accepted("1"), certificate("c")],                    "out-of-order"),
        (vec![accepted("1"), denied.clone(), certificate("c")],    "out-of-order"),
        (vec![correction(), returned.clone()],                     "out-of-order"),
        (vec![accepted("1"), approved.clone(), denied],            "case-ended"),
        (vec![accepted("1"), approved, certificate("c"), certificate("d")], "out-of-order"),
        (vec![declined.clone(), accepted("1")],                    "case-ended"),
        (vec![returned, declined],                                 "case-ended"),
        (vec![accepted("1"), completed(Outcome::Denied, vec![])],  "out-of-bounds"),
        (vec![accepted("")],                                       "out-of-bounds"),
        (vec![accepted("11010519491231002X")],                     "identity-number-in-clear"),
    ];
    for (story, code) in table {
        let (rehearsal, desk) = stage().await;
        assert_eq!(last_of(&desk, &story).await, Err(code), "{story:?}");
        assert_eq!(rehearsal.told(case()).await.len(), story.len() - 1, "{story:?}");
    }
}

#[tokio::test]
async fn moments_and_days_that_cannot_be_are_refused() {
    let (_rehearsal, desk) = stage().await;
    for moment in ["2026-03-02T09:11:00+08:00", "2026-03-02T08:54:00+08:00"] {
        let mut said = answer("a", accepted("受-1"));
        said.decided_at = Some(moment.parse().unwrap());
        assert_eq!(desk.answer(said).await.unwrap_err().code(), "out-of-bounds", "{moment}");
    }
    let until = |day| News::CorrectionRequested { missing: vec![Material::Photo], until: day };
    let refused = desk.answer(answer("a", until(date(2026, 3, 1)))).await.unwrap_err();
    assert_eq!(refused.code(), "out-of-bounds");
    desk.answer(answer("a", until(date(2026, 3, 2)))).await.unwrap();
}

#[tokio::test]
async fn an_office_answers_only_what_it_has_seen() {
    let (rehearsal, desk) = stage().await;
    desk.answer(answer("a", correction())).await.unwrap();
    let correction_work = rehearsal.work(CASE, 200, WorkKind::Correction);
    rehearsal.arrive(&correction_work).await;
    let refused = desk.answer(answer("b", accepted("受-1"))).await.unwrap_err();
    assert_eq!(refused.code(), "work-not-taken");
    let old = RequestId(Uuid::from_u128(100));
    let about =
        |request| Answer { answers: Answers::Request(request), ..answer("b", accepted("受-1")) };
    assert_eq!(desk.answer(about(old)).await.unwrap_err().code(), "newer-work");
    desk.answer(about(correction_work.request)).await.unwrap();
    let told = rehearsal.told(case()).await;
    assert_eq!(told[1].report.request, correction_work.request);
}

#[tokio::test]
async fn a_withdrawn_case_is_not_answered_but_an_ended_one_stays_ended() {
    let (rehearsal, desk) = stage().await;
    rehearsal.arrive(&rehearsal.work(CASE, 300, WorkKind::Withdrawal)).await;
    rehearsal.take_all().await;
    let refused = desk.answer(answer("a", accepted("受-1"))).await.unwrap_err();
    assert_eq!(refused.code(), "case-withdrawn");
    let (rehearsal, desk) = stage().await;
    let story = [accepted("受-1"), completed(Outcome::Approved, vec![])];
    last_of(&desk, &story).await.unwrap();
    rehearsal.arrive(&rehearsal.work(CASE, 300, WorkKind::Withdrawal)).await;
    rehearsal.take_all().await;
    desk.answer(answer("c", certificate("证-1"))).await.unwrap();
}

#[tokio::test]
async fn a_case_that_comes_back_after_a_return_is_answered_again() {
    let (rehearsal, desk) = stage().await;
    let returned = News::Returned { reason: Reason::NotThisAuthority, division: None };
    desk.answer(answer("a", returned)).await.unwrap();
    rehearsal.arrive(&rehearsal.work(CASE, 400, WorkKind::Case)).await;
    rehearsal.take_all().await;
    desk.answer(answer("b", accepted("受-1"))).await.unwrap();
}

#[tokio::test]
async fn what_the_hub_refused_is_told_and_may_be_said_rightly() {
    let (rehearsal, desk) = stage().await;
    desk.answer(answer("a", accepted("受-1"))).await.unwrap();
    rehearsal.refuse(&rehearsal.told(case()).await[0], "impossible-moment").await;
    for operation in ["a", "b"] {
        let refused = desk.answer(answer(operation, accepted("受-1"))).await.unwrap_err();
        assert_eq!(refused.code(), "refused-by-hub");
        assert!(refused.to_string().contains("`impossible-moment`"), "{refused}");
    }
    rehearsal.clock.advance(std::time::Duration::from_secs(60));
    assert!(!desk.answer(answer("c", accepted("受-1"))).await.unwrap().again);
    assert_eq!(rehearsal.told(case()).await.len(), 2);
}

#[tokio::test]
async fn an_unknown_case_is_told_so() {
    let (_rehearsal, desk) = stage().await;
    let mut said = answer("a", accepted("受-1"));
    said.case = CaseId(Uuid::from_u128(9));
    assert_eq!(desk.answer(said).await.unwrap_err().code(), "unknown-case");
}

#[test]
fn an_operation_is_one_visible_word() {
    for text in ["a", "2026-03-02/受理:7".replace("受理", "x").as_str(), &"x".repeat(128)] {
        assert!(OperationId::new(text).is_some(), "{text}");
    }
    for text in ["", "a b", "受", "a\n", &"x".repeat(129)] {
        assert!(OperationId::new(text).is_none(), "{text}");
    }
}
