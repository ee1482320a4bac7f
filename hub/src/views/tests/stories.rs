//! Status, outbox, due days, lapses and feedback, as given-then.

use events::case::{
    CaseParked, CaseReleased, CaseReturned, CaseWithdrawn, ClockResumed, ClockSuspended,
    DueDayRevised, ParkReason, ResultFedBack,
};
use events::envelope::Position;
use events::vocabulary::{Reason, Stage as Clock, SuspensionGround};
use events::work::WorkKind;

use super::stage::*;
use crate::views::rows::CaseStage;

#[test]
fn a_case_is_shown_at_each_step_of_its_life() {
    let mut stage = Stage::new();
    let shown = |stage: &Stage| stage.then().case(case(1)).unwrap().unwrap();
    stage.submitted(1, "2026-03-04");
    assert_eq!(shown(&stage).stage, CaseStage::Submitted);
    assert_eq!(shown(&stage).province, Some(province(22)));
    stage.given(1, forwarded(1, 1)).given(1, forwarded(1, 2));
    assert_eq!((shown(&stage).stage, shown(&stage).attempts), (CaseStage::Submitted, 2));
    stage.given(1, delivered(WorkKind::Case, 1));
    assert_eq!(shown(&stage).stage, CaseStage::Delivered);
    stage.on("2026-03-03").given(1, accepted("2026-03-03", "2026-03-06"));
    assert_eq!(shown(&stage).stage, CaseStage::Accepted);
    stage.on("2026-03-05").given(1, completed("2026-03-05"));
    let row = shown(&stage);
    assert_eq!(row.stage, CaseStage::Completed);
    assert_eq!(row.ended_at, Some(noon("2026-03-05")));
    assert_eq!(row.claimed_accepted_at, Some(noon("2026-03-03")));
    let reader = stage.then();
    assert_eq!(reader.case_by_number(&row.number).unwrap(), Some(row));
    assert_eq!(reader.case(case(9)).unwrap(), None);
}

#[test]
fn a_receipt_that_comes_after_the_answer_moves_nothing_back() {
    let mut stage = Stage::new();
    stage.submitted(1, "2026-03-04").given(1, accepted("2026-03-02", "2026-03-06"));
    stage.given(1, delivered(WorkKind::Case, 1)).given(1, forwarded(1, 1));
    let reader = stage.then();
    assert_eq!(reader.case(case(1)).unwrap().unwrap().stage, CaseStage::Accepted);
    assert_eq!(reader.outbox(10).unwrap(), vec![]);
}

#[test]
fn what_nobody_signed_for_waits_and_what_was_answered_does_not() {
    let mut stage = Stage::new();
    stage.submitted(1, "2026-03-04").submitted(2, "2026-03-04").submitted(3, "2026-03-04");
    stage.on("2026-03-03").given(1, forwarded(1, 1));
    stage.given(2, delivered(WorkKind::Case, 1)).given(3, declined("2026-03-03"));
    let waiting = stage.then().outbox(10).unwrap();
    assert_eq!(waiting.len(), 1);
    assert_eq!(waiting[0].waiting.case, case(1));
    assert_eq!(waiting[0].waiting.attempts, 1);
    assert_eq!(waiting[0].waiting.attempted_at, Some(noon("2026-03-03")));
    assert_eq!(waiting[0].since, noon("2026-03-02"));
}

#[test]
fn the_signature_for_an_older_request_ends_nothing() {
    let mut stage = Stage::new();
    stage.submitted(1, "2026-03-04").given(1, correction_requested("2026-03-20"));
    assert_eq!(stage.then().outbox(10).unwrap(), vec![]);
    stage.given(1, correction_submitted("2026-03-03", "2026-03-05", 2));
    stage.given(1, delivered(WorkKind::Case, 1));
    let waiting = stage.then().outbox(10).unwrap();
    assert_eq!(waiting[0].waiting.work, WorkKind::Correction);
    stage.given(1, delivered(WorkKind::Correction, 2));
    assert_eq!(stage.then().outbox(10).unwrap(), vec![]);
}

#[test]
fn a_withdrawal_goes_to_whoever_has_the_case_until_it_is_signed_for() {
    let mut stage = Stage::new();
    let withdrawn = || CaseWithdrawn { requested_at: noon("2026-03-02"), request: request(9) };
    stage.submitted(1, "2026-03-04").given(1, delivered(WorkKind::Case, 1)).given(1, withdrawn());
    stage.submitted(2, "2026-03-04").given(2, returned()).given(2, withdrawn());
    let waiting = stage.then().outbox(10).unwrap();
    assert_eq!(waiting.len(), 1, "nobody has the returned one");
    assert_eq!((waiting[0].waiting.case, waiting[0].waiting.work), (case(1), WorkKind::Withdrawal));
    stage.given(1, delivered(WorkKind::Withdrawal, 9));
    assert_eq!(stage.then().outbox(10).unwrap(), vec![]);
    assert_eq!(stage.then().feedback(None, Position(0), 10).unwrap(), vec![]);
}

fn returned() -> CaseReturned {
    CaseReturned {
        report: report(5),
        province: province(22),
        reason: Reason::NotThisAuthority,
        division: None,
    }
}

#[test]
fn a_parked_case_is_hidden_from_the_router_until_it_is_released() {
    let mut stage = Stage::new();
    let parked = CaseParked { reason: ParkReason::Operator { operator: "operator".into() } };
    stage.submitted(1, "2026-03-04").given(1, parked);
    let reader = stage.then();
    assert_eq!(reader.outbox(10).unwrap(), vec![]);
    assert_eq!(reader.case(case(1)).unwrap().unwrap().stage, CaseStage::Parked);
    stage.given(1, CaseReleased { operator: "operator".into(), note: "go on".into() });
    assert_eq!(stage.then().outbox(10).unwrap().len(), 1);
    assert_eq!(stage.then().case(case(1)).unwrap().unwrap().stage, CaseStage::Submitted);
}

#[test]
fn a_return_does_not_start_clock_one_again_and_a_correction_does() {
    let mut stage = Stage::new();
    stage.submitted(1, "2026-03-04").on("2026-03-03").given(1, returned()).given(1, routed(23, 2));
    let row = stage.then().open_dues(None, 10).unwrap().remove(0);
    assert_eq!((row.from, row.due.day), (day("2026-03-02"), day("2026-03-04")));
    assert_eq!(row.province, Some(province(23)));
    stage.given(1, correction_requested("2026-03-20"));
    assert_eq!(stage.then().open_dues(None, 10).unwrap(), vec![]);
    assert_eq!(stage.then().lapsing_before(day("2026-03-20"), 10).unwrap(), vec![]);
    assert_eq!(stage.then().lapsing_before(day("2026-03-21"), 10).unwrap().len(), 1);
    stage.given(1, correction_submitted("2026-03-10", "2026-03-12", 3));
    let row = stage.then().open_dues(None, 10).unwrap().remove(0);
    assert_eq!((row.from, row.due.day), (day("2026-03-10"), day("2026-03-12")));
    assert_eq!(stage.then().lapsing_before(day("2027-01-01"), 10).unwrap(), vec![]);
}

#[test]
fn clock_two_runs_from_acceptance_stands_still_and_follows_the_stamped_days() {
    let mut stage = Stage::new();
    let days = |stage: &Stage| -> Vec<(Clock, String)> {
        let rows = stage.then().open_dues(None, 10).unwrap();
        rows.into_iter().map(|it| (it.stage, it.due.day.to_string())).collect()
    };
    stage.submitted(1, "2026-03-04");
    assert_eq!(days(&stage), [(Clock::Acceptance, "2026-03-04".into())]);
    stage.given(1, accepted("2026-03-02", "2026-03-05"));
    assert_eq!(days(&stage), [(Clock::Completion, "2026-03-05".into())]);
    let ground = SuspensionGround::Hearing;
    stage.given(1, ClockSuspended { report: report(6), ground, from: day("2026-03-03") });
    assert_eq!(days(&stage), []);
    stage.given(1, ClockResumed { report: report(7), due: due("2026-03-19"), counted: None });
    assert_eq!(days(&stage), [(Clock::Completion, "2026-03-19".into())]);
    stage.given(
        1,
        DueDayRevised {
            stage: Clock::Completion,
            old: due("2026-03-19"),
            due: due("2026-03-20"),
            calendar_revision: 2,
        },
    );
    assert_eq!(days(&stage), [(Clock::Completion, "2026-03-20".into())]);
    let reader = stage.then();
    assert_eq!(reader.due_before(day("2026-03-20"), None, 10).unwrap(), vec![]);
    assert_eq!(reader.due_before(day("2026-03-21"), None, 10).unwrap().len(), 1);
    assert_eq!(reader.due_before(day("2026-03-21"), Some(case(1)), 10).unwrap(), vec![]);
    stage.given(1, completed("2026-03-10"));
    assert_eq!(days(&stage), []);
}

#[test]
fn a_result_waits_for_its_client_until_it_is_confirmed() {
    let mut stage = Stage::new();
    stage.submitted(1, "2026-03-04").given(1, declined("2026-03-02"));
    let reader = stage.then();
    let rows = reader.feedback(Some("transport-portal"), Position(0), 10).unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].position, Position(3));
    assert_eq!(reader.feedback(Some("another"), Position(0), 10).unwrap(), vec![]);
    assert_eq!(reader.feedback(None, Position(3), 10).unwrap(), vec![]);
    stage.given(1, ResultFedBack { client: "transport-portal".into(), way: "feed".into() });
    assert_eq!(stage.then().feedback(None, Position(0), 10).unwrap(), vec![]);
    assert!(stage.then().case(case(1)).unwrap().unwrap().fed_back);
}
