//! What people did about alerts and were told of them, as the views keep it.

use events::envelope::Event;
use events::ids::StreamName;
use events::keeping::KeepingEvent;
use events::keeping::alerts::{
    AlertMessageDelivered, AlertMessageGivenUp, AlertMessagePlanned, AlertNotice, AlertScope,
    AlertsAcknowledged, AlertsAssigned, AlertsSilenced, AlertsUnsilenced, NoticeWhy,
};
use events::vocabulary::{AlertKind, Stage as Clock};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::stage::*;
use crate::views::acts::{Acts, GroupState};
use crate::views::messages::Carried;

const KIND: AlertKind = AlertKind::AcceptanceOverdue;

fn group() -> AlertScope {
    AlertScope { kind: KIND, province: Some(province(22)), case: None, stage: None }
}

fn told(stage: &mut Stage, event: impl Into<KeepingEvent>) {
    stage.tell(StreamName::Keeping, Event::Keeping(event.into()));
}

fn acknowledged(scope: AlertScope) -> AlertsAcknowledged {
    AlertsAcknowledged { scope, operator: "li".into(), note: "called".into() }
}

fn silenced(scope: AlertScope, until: Timestamp) -> AlertsSilenced {
    AlertsSilenced { scope, operator: "li".into(), until, reason: "known".into() }
}

fn planned(number: u128, why: NoticeWhy, count: u64, since: Timestamp) -> AlertMessagePlanned {
    let notice = AlertNotice { kind: KIND, province: Some(province(22)), count, why, since };
    AlertMessagePlanned {
        message: Uuid::from_u128(number),
        notices: vec![notice],
        carriers: vec!["mail-duty".into(), "webhook-duty".into()],
        quiet_until: None,
    }
}

fn state(stage: &Stage) -> GroupState {
    stage.then().alert_states().unwrap().into_iter().next().map(|it| it.state).unwrap_or_default()
}

#[test]
fn acts_on_a_group_stand_until_people_are_told_that_it_is_over_and_a_silence_until_its_end() {
    let mut stage = Stage::new();
    let until = stage.now + SignedDuration::from_hours(4);
    told(&mut stage, acknowledged(group()));
    told(&mut stage, AlertsAssigned { scope: group(), operator: "li".into(), to: "wang".into() });
    told(&mut stage, silenced(group(), until));
    let acts = state(&stage).acts;
    assert_eq!(acts.acknowledged.as_ref().map(|it| it.note.as_str()), Some("called"));
    assert_eq!(acts.assigned.as_ref().map(|it| it.to.as_str()), Some("wang"));
    assert!(acts.silence(stage.now).is_some() && acts.silence(until).is_none());
    let now = stage.now;
    told(&mut stage, planned(1, NoticeWhy::Resolved, 0, now));
    let acts = state(&stage).acts;
    assert!(acts.acknowledged.is_none() && acts.assigned.is_none() && acts.silenced.is_some());
    told(&mut stage, AlertsUnsilenced { scope: group(), operator: "li".into() });
    assert_eq!(state(&stage).acts, Acts::default());
}

#[test]
fn an_act_counts_while_the_oldest_alert_was_there_when_it_was_done() {
    let mut stage = Stage::new();
    told(&mut stage, acknowledged(group()));
    let (acts, now) = (state(&stage).acts, stage.now);
    let hours = SignedDuration::from_hours;
    // kind, the oldest, looked at, counts
    let table = [
        (KIND, Some(now - hours(1)), now, true),
        (KIND, Some(now), now, true),
        (KIND, Some(now + hours(1)), now + hours(2), false),
        (AlertKind::HeldBack, None, now + hours(100), true),
        (AlertKind::DueSoon, None, now + hours(11), true),
        (AlertKind::DueSoon, None, now + hours(13), false), // another day in Shanghai
    ];
    for (kind, oldest, at, counts) in table {
        let current = acts.current(kind, oldest, at);
        assert_eq!(current.acknowledged.is_some(), counts, "{kind} {oldest:?}");
    }
}

#[test]
fn an_act_on_one_alert_is_counted_in_its_group_and_gone_with_the_alert() {
    let mut stage = Stage::new();
    stage.submitted(1, "2026-03-03").on("2026-03-05");
    let overdue = || events::case::AcceptanceOverdue { due: day("2026-03-03") };
    stage.given(1, overdue());
    let one = AlertScope { case: Some(case(1)), stage: Some(Clock::Acceptance), ..group() };
    let until = stage.now + SignedDuration::from_hours(1);
    told(&mut stage, acknowledged(one));
    told(&mut stage, silenced(one, until));
    let (today, soon) = (day("2026-03-05"), day("2026-03-06"));
    let counted = |at| {
        let groups = stage.then().alert_groups(at, today, soon).unwrap();
        let found = groups.into_iter().find(|it| it.kind == KIND).unwrap();
        (found.count, found.acknowledged, found.silenced)
    };
    assert_eq!(counted(stage.now), (1, 1, 1));
    assert_eq!(counted(until), (1, 1, 0), "the silence has ended");
    // On a case without such an alert: nothing happens.
    told(&mut stage, acknowledged(AlertScope { case: Some(case(9)), ..one }));
    assert_eq!(stage.then().alert(case(9), KIND, Some(Clock::Acceptance)).unwrap(), None);
}

#[test]
fn a_message_is_open_until_every_carrier_has_done_with_it_and_its_first_outcome_stays() {
    let mut stage = Stage::new();
    let now = stage.now;
    told(&mut stage, planned(7, NoticeWhy::First, 3, now));
    let message = Uuid::from_u128(7);
    let open = |stage: &Stage| stage.then().open_messages(10).unwrap();
    assert_eq!(open(&stage).len(), 1);
    let carrier = "webhook-duty".to_owned();
    told(&mut stage, AlertMessageDelivered { message, carrier: carrier.clone(), attempts: 2 });
    let reason = "unreachable".to_owned();
    told(&mut stage, AlertMessageGivenUp { message, carrier, attempts: 9, reason: reason.clone() });
    let carried = &open(&stage)[0].carried;
    assert_eq!(carried["webhook-duty"], Carried::Delivered { at: stage.now, attempts: 2 });
    assert_eq!(carried["mail-duty"], Carried::Waiting);
    let carrier = "mail-duty".to_owned();
    told(&mut stage, AlertMessageGivenUp { message, carrier, attempts: 9, reason });
    assert!(open(&stage).is_empty());
    assert_eq!(stage.then().messages(10).unwrap().len(), 1);
}

#[test]
fn what_people_know_of_a_group_follows_the_messages() {
    let mut stage = Stage::new();
    let since = stage.now;
    let hours = SignedDuration::from_hours;
    // why, count, then: the largest count they know, or nothing
    let table = [
        (NoticeWhy::First, 3, Some(3)),
        (NoticeWhy::Grown, 12, Some(12)),
        (NoticeWhy::Reminder, 5, Some(12)),
        (NoticeWhy::Resolved, 0, None),
        (NoticeWhy::First, 1, Some(1)),
    ];
    for (number, (why, count, known)) in (1..).zip(table) {
        stage.now += hours(1);
        told(&mut stage, planned(number, why, count, since));
        let found = state(&stage).told;
        assert_eq!(found.map(|it| it.count), known, "{why:?}");
        assert!(found.is_none_or(|it| it.at == stage.now && it.since == since));
    }
    let after = stage.then().messages_planned_after(since + hours(3)).unwrap();
    assert_eq!(after, [since + hours(4), since + hours(5)]);
}
