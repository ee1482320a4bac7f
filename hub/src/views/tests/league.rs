//! Alerts and the league table, as given-then.

use events::case::{
    AcceptanceOverdue, CaseParked, CaseReleased, CaseReturned, CaseUrged, ConflictingDecision,
    ParkReason,
};
use events::envelope::Actor;
use events::vocabulary::{AlertKind, Reason, Stage as Clock};
use events::work::WorkKind;

use super::stage::*;
use crate::views::pressing::AlertFilter;
use crate::views::rows::{AlertRow, Blame, ProvinceRow};

fn alerts(stage: &Stage, kind: Option<AlertKind>, open_only: bool) -> Vec<AlertRow> {
    let soon = stage.now.to_zoned(jiff::tz::TimeZone::UTC).date();
    let filter = AlertFilter { kind, open_only, ..AlertFilter::default() };
    stage.then().alerts(filter, None, 100, stage.now, soon).unwrap().rows
}

fn of(stage: &Stage, code: u8) -> ProvinceRow {
    let rows = stage.then().provinces().unwrap();
    rows.into_iter().find(|it| it.province == province(code)).unwrap()
}

fn overdue(until: &str) -> AcceptanceOverdue {
    AcceptanceOverdue { due: day(until) }
}

#[test]
fn a_breach_is_raised_once_and_stays_on_record_after_it_ended() {
    let mut stage = Stage::new();
    stage.submitted(1, "2026-03-04").given(1, delivered(WorkKind::Case, 1));
    stage.on("2026-03-05").given(1, overdue("2026-03-04"));
    stage.on("2026-03-06");
    stage.given(1, CaseUrged { stage: Clock::Acceptance, due: day("2026-03-04") });
    let open = alerts(&stage, None, true);
    assert_eq!(
        open.iter().map(|it| (it.kind, it.blame)).collect::<Vec<_>>(),
        [(AlertKind::Urged, Some(Blame::Desk)), (AlertKind::AcceptanceOverdue, Some(Blame::Desk))],
        "newest first"
    );
    stage.given(1, accepted("2026-03-06", "2026-03-11"));
    assert_eq!(alerts(&stage, None, true), vec![]);
    let all = alerts(&stage, Some(AlertKind::AcceptanceOverdue), false);
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].ended_at, Some(noon("2026-03-06")));
    assert_eq!(all[0].due, Some(day("2026-03-04")));
}

#[test]
fn a_breach_that_was_one_of_reporting_is_moved_to_the_adapter() {
    let mut stage = Stage::new();
    stage.submitted(1, "2026-03-04").given(1, delivered(WorkKind::Case, 1));
    stage.on("2026-03-05").given(1, overdue("2026-03-04"));
    let row = of(&stage, 22);
    assert_eq!((row.on_time, row.reported_late, row.overdue), (0, 0, 1));
    assert_eq!(row.blame, [(Blame::Desk, 1)]);
    stage.given(1, accepted("2026-03-04", "2026-03-10"));
    let row = of(&stage, 22);
    assert_eq!((row.on_time, row.reported_late, row.overdue), (0, 1, 0));
    assert_eq!(row.blame, [(Blame::Adapter, 1)]);
    assert_eq!(alerts(&stage, None, false)[0].blame, Some(Blame::Adapter));
}

#[test]
fn each_clock_gets_one_verdict_whether_or_not_the_watch_had_looked() {
    // due  recorded  claimed  noted before   on time, reported late, overdue
    let table = [
        ("2026-03-03", "2026-03-03", false, (1, 0, 0)),
        ("2026-03-05", "2026-03-04", false, (0, 1, 0)),
        ("2026-03-05", "2026-03-05", false, (0, 0, 1)),
        ("2026-03-05", "2026-03-04", true, (0, 1, 0)),
        ("2026-03-05", "2026-03-05", true, (0, 0, 1)),
    ];
    for (recorded, claimed, noted, expected) in table {
        let mut stage = Stage::new();
        stage.submitted(1, "2026-03-04").on(recorded);
        if noted {
            stage.given(1, overdue("2026-03-04"));
        }
        stage.given(1, accepted(claimed, "2026-03-10"));
        let row = of(&stage, 22);
        let told = (row.on_time, row.reported_late, row.overdue);
        assert_eq!(told, expected, "{recorded} {claimed} {noted}");
        stage.on("2026-03-09").given(1, completed("2026-03-09"));
        let row = of(&stage, 22);
        assert_eq!(row.on_time, expected.0 + 1, "the second clock has its own verdict");
    }
}

#[test]
fn a_case_counts_where_it_is() {
    let mut stage = Stage::new();
    stage.submitted(1, "2026-03-04").submitted(2, "2026-03-04").submitted(3, "2026-03-04");
    let row = of(&stage, 22);
    assert_eq!((row.received, row.open, row.waiting_delivery), (3, 3, 3));
    stage.actor = Actor::Province(province(22));
    stage.given(1, delivered(WorkKind::Case, 1));
    let reason = Reason::NotThisAuthority;
    stage.given(
        2,
        CaseReturned { report: report(5), province: province(22), reason, division: None },
    );
    stage.on("2026-03-03").given(3, declined("2026-03-03"));
    stage.actor = Actor::Hub;
    stage.on("2026-03-04").given(2, routed(23, 2));
    let row = of(&stage, 22);
    assert_eq!((row.received, row.open, row.waiting_delivery, row.returned), (3, 1, 0, 1));
    assert_eq!(row.top_reasons, [(Reason::RenewalNotDue, 1), (Reason::NotThisAuthority, 1)]);
    assert_eq!(row.median_hours, Some(24.5));
    assert_eq!(row.last_heard_at, Some(noon("2026-03-03")));
    let row = of(&stage, 23);
    assert_eq!((row.received, row.moved_in, row.open, row.waiting_delivery), (0, 1, 1, 1));
    assert_eq!(row.last_heard_at, None);
}

#[test]
fn what_depends_on_the_hour_is_told_when_asked() {
    let mut stage = Stage::new();
    stage.submitted(1, "2026-03-04").submitted(2, "2026-03-09").given(1, forwarded(1, 1));
    let told = |stage: &Stage, now: &str, soon: &str, kind| {
        let now = now.parse().unwrap();
        let filter = AlertFilter { kind: Some(kind), open_only: true, ..AlertFilter::default() };
        let page = stage.then().alerts(filter, None, 10, now, day(soon)).unwrap();
        page.rows.iter().map(|it| it.case).collect::<Vec<_>>()
    };
    let silent = |stage: &Stage, now| told(stage, now, "2026-03-03", AlertKind::NothingCameBack);
    assert_eq!(silent(&stage, "2026-03-02T12:10:00+08:00"), []);
    assert_eq!(silent(&stage, "2026-03-02T12:10:01+08:00"), [case(1)]);
    let due =
        |stage: &Stage, soon| told(stage, "2026-03-02T12:00:00+08:00", soon, AlertKind::DueSoon);
    assert_eq!(due(&stage, "2026-03-03"), []);
    assert_eq!(due(&stage, "2026-03-04"), [case(1)]);
    stage.given(1, delivered(WorkKind::Case, 1));
    assert_eq!(silent(&stage, "2026-03-02T18:00:00+08:00"), []);
}

#[test]
fn an_operator_sees_what_is_parked_and_what_conflicts() {
    let mut stage = Stage::new();
    let parked = CaseParked { reason: ParkReason::Operator { operator: "operator".into() } };
    stage.submitted(1, "2026-03-04").given(1, parked);
    assert_eq!(alerts(&stage, Some(AlertKind::Parked), true).len(), 1);
    stage.given(1, CaseReleased { operator: "operator".into(), note: "go on".into() });
    assert_eq!(alerts(&stage, Some(AlertKind::Parked), true), vec![]);
    stage.given(1, declined("2026-03-02"));
    stage.given(1, ConflictingDecision { report: report(8), kind: "accepted".into() });
    assert_eq!(alerts(&stage, Some(AlertKind::ConflictingDecision), true).len(), 1);
    assert_eq!(of(&stage, 22).conflicts, 1);
}

#[test]
fn what_came_and_what_ended_is_counted_in_the_hour_of_its_record() {
    use crate::views::flow::{hour_of, median_hours};
    let mut stage = Stage::new();
    stage.on("2026-03-04");
    stage.submitted(1, "2026-03-04").submitted(2, "2026-03-04");
    stage.on("2026-03-05").given(1, accepted("2026-03-05", "2026-03-10"));
    stage.on("2026-03-06").given(1, completed("2026-03-06"));
    let flow = stage.then().flow_since(noon("2026-03-04")).unwrap();
    let told: Vec<_> =
        flow.iter().map(|it| (it.began(), it.received, it.completed, it.declined)).collect();
    let began = |date: &str| flow[0].began() + (noon(date) - noon("2026-03-04"));
    assert_eq!(told, [(began("2026-03-04"), 2, 0, 0), (began("2026-03-06"), 0, 1, 0)]);
    assert_eq!(hour_of(noon("2026-03-04")), flow[0].hour);
    assert!(flow.iter().all(|it| it.province() == Some(province(22))));
    assert_eq!(median_hours(flow.iter()), Some(48.5), "two days, in the middle of its hour");
    assert_eq!(median_hours(flow[..1].iter()), None);
    assert_eq!(stage.then().flow_since(noon("2026-03-07")).unwrap(), []);
}
