//! A hub with a varied history: reroutes, cases with no province, declined, withdrawn, decided, overdue, suspended, silent.

use std::collections::BTreeSet;

use events::case::CaseEvent;
use events::envelope::{Actor, Event, Position};
use events::ids::{CaseId, ProvinceCode, RequestId, StreamName};
use events::report::News;
use events::vocabulary::{Material, Outcome, Reason, SuspensionGround};
use events::work::WorkKind;
use hub::registrar::What;
use hub_core::command::Command;
use hub_core::province::ProvinceCommand;
use jiff::SignedDuration;
use serde_json::{Value, json};
use tests::http::submission;

use crate::furnished::Furnished;

/// More cases than a page of the list has.
const MANY: u32 = 60;

/// Cases in every state that a figure tells apart, of three days; the clock stands on the third.
pub(crate) struct Varied {
    pub(crate) furnished: Furnished,
    pub(crate) submitted: u32,
}

impl Varied {
    pub(crate) async fn new() -> Self {
        let mut it = Self { furnished: Furnished::open().await, submitted: 0 };
        it.enrolled().await;
        it.on_the_first_day().await;
        it.furnished.clock("2026-02-24T02:00:00Z");
        it.on_the_second_day().await;
        it.furnished.clock("2026-02-25T01:30:00Z");
        it.on_the_third_day().await;
        it.furnished.seen().await;
        it
    }

    /// Only what is connected has a tile that leads somewhere.
    async fn enrolled(&self) {
        for code in [22, 23, 44, 45] {
            let province = ProvinceCode::new(code).unwrap();
            let command = ProvinceCommand::Enroll { operator: "operator".to_owned() };
            let actor = Actor::Operator("operator".to_owned());
            self.furnished.told(actor, What::Province { province, command }).await;
        }
        let hub = &self.furnished.console.hub;
        let all = hub.readers.read(|log| log.read_all(Position(0), 100_000)).unwrap();
        all.iter().for_each(|it| hub.membership.apply(it));
    }

    /// A case of this division, by the national system's own door.
    async fn case(&mut self, division: &str) -> CaseId {
        self.submitted += 1;
        let hub = &self.furnished.console.hub;
        let mut body = submission(self.submitted);
        body["authority"] = json!({"name": "交通运输局", "division": division});
        body["submitted_at"] = hub.clock.now().to_string().into();
        let answer = hub.submit(&format!("figure-{:05}", self.submitted), body.to_string()).send();
        let receipt: Value = answer.await.unwrap().json().await.unwrap();
        let id = receipt["case_id"].as_str().unwrap_or_else(|| panic!("{receipt}"));
        id.parse().unwrap()
    }

    async fn says(&mut self, case: CaseId, news: News) {
        self.furnished.reported(case, news, "1.0.0").await;
    }

    async fn accepted(&mut self, division: &str) -> CaseId {
        let case = self.case(division).await;
        self.says(case, News::Delivered { work: WorkKind::Case }).await;
        self.says(case, News::Accepted { acceptance_number: "受-7".to_owned() }).await;
        case
    }

    async fn completed(&mut self, division: &str, outcome: Outcome) {
        let case = self.accepted(division).await;
        let reasons = if outcome == Outcome::Denied { vec![Reason::OverAge] } else { vec![] };
        let decision_number = "决-7".to_owned();
        let result = Default::default();
        self.says(case, News::Completed { outcome, decision_number, reasons, result }).await;
    }

    async fn withdrawn(&mut self, division: &str) {
        let case = self.case(division).await;
        let requested_at = self.furnished.console.hub.clock.now();
        let request = self.request();
        self.furnished.case(case, Command::Withdraw { requested_at, request }).await;
    }

    /// Returned by its province, to the one of `onward` if one is named.
    async fn returned(&mut self, division: &str, onward: Option<&str>) -> CaseId {
        let case = self.case(division).await;
        self.goes_on(case, onward).await;
        case
    }

    async fn goes_on(&mut self, case: CaseId, onward: Option<&str>) {
        let division = onward.map(|it| it.parse().unwrap());
        self.says(case, News::Returned { reason: Reason::NotThisAuthority, division }).await;
    }

    fn request(&self) -> RequestId {
        RequestId(uuid::Uuid::from_u128(
            0x019c_0000_0000_7000_9000 << 48 | u128::from(self.submitted),
        ))
    }

    async fn on_the_first_day(&mut self) {
        self.completed("220100", Outcome::Approved).await;
        self.completed("220100", Outcome::Denied).await;
        self.completed("440100", Outcome::Approved).await;
        let declined = self.case("220100").await;
        self.says(declined, News::Declined { reason: Reason::RenewalNotDue }).await;
        self.withdrawn("220100").await;
        self.withdrawn("450100").await;
        // Overdue later on, each held by somebody else.
        self.returned("220100", Some("440100")).await;
        self.returned("220100", None).await;
        self.case("450100").await;
        self.accepted("220100").await;
        let suspended = self.accepted("220100").await;
        self.says(suspended, News::Suspended { ground: SuspensionGround::Hearing }).await;
        let lapsing = self.case("440100").await;
        let until = "2026-02-14".parse().unwrap();
        let missing = vec![Material::Photo];
        self.says(lapsing, News::CorrectionRequested { missing, until }).await;
        let parked = self.case("440100").await;
        self.furnished.case(parked, Command::Park { operator: "operator".to_owned() }).await;
    }

    async fn on_the_second_day(&mut self) {
        // Due on the next working day but one.
        self.case("220100").await;
        self.case("440100").await;
        let asked = self.case("220100").await;
        let until = "2026-03-10".parse().unwrap();
        let missing = vec![Material::Photo];
        self.says(asked, News::CorrectionRequested { missing, until }).await;
    }

    async fn on_the_third_day(&mut self) {
        self.overdue().await;
        self.completed("220100", Outcome::Approved).await;
        self.completed("450100", Outcome::Denied).await;
        self.withdrawn("220100").await;
        // Twice elsewhere, and once to nobody before an operator finds somebody.
        let round = self.returned("220100", Some("440100")).await;
        self.goes_on(round, Some("450100")).await;
        let found = self.returned("220100", None).await;
        let (operator, note) = ("operator".to_owned(), "call".to_owned());
        let route_to = ProvinceCode::new(23);
        let request = self.request();
        self.furnished.case(found, Command::Release { operator, note, route_to, request }).await;
        self.returned("450100", None).await;
        for _ in 0..MANY {
            self.case("220100").await;
        }
        // Sent, and nobody signs for it.
        let silent = self.case("440100").await;
        let hub = &self.furnished.console.hub;
        let stream = StreamName::Case(silent);
        let story = hub.readers.read(move |log| log.read_stream(&stream)).unwrap();
        let request = story.iter().find_map(|it| match &it.envelope.event {
            Event::Case(CaseEvent::CaseRouted(it)) => Some(it.request),
            _ => None,
        });
        let (province, work) = (ProvinceCode::new(44).unwrap(), WorkKind::Case);
        let request = request.unwrap();
        let note = Command::NoteForwarded { province, work, request, attempt: 1 };
        self.furnished.case(silent, note).await;
        let later = self.furnished.console.hub.clock.now() + SignedDuration::from_mins(20);
        self.furnished.clock(&later.to_string());
    }

    /// What the watch notes when the day has come.
    async fn overdue(&mut self) {
        self.furnished.seen().await;
        let hub = &self.furnished.console.hub;
        let today = hub.clock.today();
        let due = hub.views.due_before(today, None, 100).unwrap();
        let lapsed = hub.views.lapsing_before(today, 100).unwrap();
        let cases: BTreeSet<CaseId> =
            due.iter().map(|it| it.case).chain(lapsed.iter().map(|it| it.case)).collect();
        assert!(cases.len() > 4, "{cases:?}");
        for case in cases {
            self.furnished.case(case, Command::ObserveDate(today)).await;
        }
    }
}
