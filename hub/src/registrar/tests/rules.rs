//! Rules being published and provinces joining: numbered here, and nothing new the second time.

use events::envelope::{Actor, Event};
use events::ids::{ProvinceCode, StreamName};
use events::reference::{CalendarPublished, CalendarYear, Paper, ReferenceEvent};
use hub_core::province::ProvinceCommand;
use hub_core::refusal::Refusal;
use jiff::civil::date;

use super::stage::{Stage, moment, recorded};
use crate::registrar::{Answer, Ask, What, kinds};

fn ask(what: What) -> Ask {
    Ask {
        actor: Actor::Operator("li".to_owned()),
        occurred_at: moment("2026-03-02T01:00:00Z"),
        caused_by: None,
        what,
    }
}

fn calendar(holidays: Vec<jiff::civil::Date>) -> Ask {
    let calendar = CalendarYear {
        year: 2027,
        holidays,
        makeup_workdays: vec![],
        papers: vec![Paper { number: "国办发明电〔2026〕9号".to_owned(), url: None }],
    };
    // Whatever number the asker thinks of: the registrar's counts.
    let published = CalendarPublished { revision: 77, calendar };
    ask(What::Reference(ReferenceEvent::CalendarPublished(published)))
}

#[tokio::test]
async fn the_first_start_publishes_the_rules_and_the_second_does_not() {
    let stage = Stage::new();
    let story =
        |stage: &Stage| stage.readers.read(|it| it.read_stream(&StreamName::Reference)).unwrap();
    let first = story(&stage);
    assert_eq!(first.len(), 7 + 2);
    let rules = stage.registrar.rules();
    assert_eq!(rules.calendar.due(date(2026, 2, 13), 2).day, date(2026, 2, 24));
    let stage = stage.restart(moment("2026-03-03T01:00:00Z"));
    assert_eq!(story(&stage), first);
    let again = stage.registrar.rules();
    assert_eq!((&again.calendar, &again.standards), (&rules.calendar, &rules.standards));
}

#[tokio::test]
async fn a_calendar_is_numbered_counts_at_once_and_is_known_the_second_time() {
    let stage = Stage::new();
    assert!(stage.registrar.rules().calendar.due(date(2026, 12, 30), 2).provisional);
    let new_year = vec![date(2027, 1, 1)];
    let told = recorded(stage.registrar.ask(calendar(new_year.clone())).await);
    let Event::Reference(ReferenceEvent::CalendarPublished(event)) = &told[0].envelope.event else {
        panic!()
    };
    assert_eq!(event.revision, 8);
    let due = stage.registrar.rules().calendar.due(date(2026, 12, 30), 2);
    assert_eq!((due.day, due.provisional), (date(2027, 1, 4), false));
    let again = stage.registrar.ask(calendar(new_year)).await;
    assert_eq!(again, Ok(Answer::NothingNew(vec![])));
    let corrected = recorded(stage.registrar.ask(calendar(vec![date(2027, 1, 4)])).await);
    assert_eq!(corrected[0].version.0, told[0].version.0 + 1);
}

#[tokio::test]
async fn an_unusable_calendar_is_refused_and_changes_nothing() {
    let stage = Stage::new();
    let before = stage.registrar.rules();
    let answer = stage.registrar.ask(calendar(vec![date(2028, 1, 1)])).await;
    assert!(matches!(answer, Ok(Answer::Refused(Refusal::BadCalendar { .. }))), "{answer:?}");
    assert!(std::sync::Arc::ptr_eq(&stage.registrar.rules(), &before));
}

#[tokio::test]
async fn a_province_joins_once() {
    let stage = Stage::new();
    let province: ProvinceCode = "22".parse().unwrap();
    let enroll = || {
        let command = ProvinceCommand::Enroll { operator: "li".to_owned() };
        ask(What::Province { province, command })
    };
    let answers = stage.registrar.ask_all(vec![enroll(), enroll()]).await;
    assert_eq!(kinds(&recorded(answers[0].clone())), ["province.enrolled.v1"]);
    assert_eq!(answers[1], Ok(Answer::NothingNew(vec![])));
    let stage = stage.restart(moment("2026-03-03T01:00:00Z"));
    assert_eq!(stage.registrar.ask(enroll()).await, Ok(Answer::NothingNew(vec![])));
    let pause = ProvinceCommand::Pause { operator: "li".to_owned(), reason: "move".to_owned() };
    let answer = stage.registrar.ask(ask(What::Province { province, command: pause })).await;
    assert_eq!(recorded(answer)[0].version.0, 2);
}
