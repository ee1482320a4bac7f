//! A hub in which every field that somebody else fills in says what a test wants: provinces, national systems, operators, strays.

use events::envelope::{Actor, Event, Position};
use events::ids::{CaseId, CaseNumber, ProvinceCode, RedriveId, ReportId, RequestId, StreamName};
use events::keeping::alerts::{
    AlertMessageGivenUp, AlertMessagePlanned, AlertNotice, AlertScope, AlertsAcknowledged,
    AlertsAssigned, AlertsSilenced, NoticeWhy,
};
use events::keeping::redrive::{RedriveOf, RedriveOrdered, RedriveSelection};
use events::keeping::{KeepingEvent, OperatorActed, PersonalDataRead, StatisticsIssued};
use events::proof::Hash;
use events::province::{
    AdapterCertified, KeyPurpose, KeyRegistered, MaintenanceDeclared, PublicityStated,
};
use events::publicity::{Fulfilment, Statement};
use events::report::{News, Report, ReportMessage};
use events::vocabulary::{AlertKind, Category, Channel, IssuingAuthority, Item, Outcome, Stage};
use hub::accounts::{Account, Role};
use hub::quarantine::Stray;
use hub::registrar::{Ask, What};
use hub_core::case::{Case, evolve};
use hub_core::command::{Command, Submit};
use hub_core::province::ProvinceCommand;
use hub_core::redrive::RedriveCommand;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;
use uuid::Uuid;

use crate::console::{Console, PASSWORD};

/// The case that is late, that which is parked, and that which is decided; of one text.
pub(crate) struct Cases {
    pub(crate) late: String,
    pub(crate) parked: String,
    pub(crate) decided: String,
}

/// A hub that is being filled in.
pub(crate) struct Furnished {
    pub(crate) console: Console,
    made: u128,
    /// What holds control characters is refused here and there; then it is nowhere to be seen.
    may_be_refused: bool,
}

impl Furnished {
    pub(crate) async fn open() -> Self {
        Self { console: Console::open().await, made: 0, may_be_refused: false }
    }

    /// Everything that can hold words holds `text` and a name of its own field: `text#name#`.
    pub(crate) async fn say(&mut self, text: &str, code: u8) -> Cases {
        let word = |name: &str| format!("{text}#{name}#");
        self.may_be_refused = text.chars().any(char::is_control);
        self.clock("2026-02-13T01:30:00Z");
        let decided = self.decided(&word).await;
        let parked = self.submitted(&word).await;
        let operator = word("park-operator");
        self.case(parked.0, Command::Park { operator }).await;
        let late = self.submitted(&word).await;
        self.clock("2026-02-25T01:30:00Z");
        self.aftercare(late.0, &word).await;
        self.province(ProvinceCode::new(code).unwrap(), &word).await;
        self.keeping(late.0, parked.0, &word).await;
        self.redrive(&word).await;
        self.kept_aside(&word).await;
        self.clock("2026-02-25T02:30:00Z");
        Cases { late: late.1, parked: parked.1, decided }
    }

    /// Waits until the views have read everything.
    pub(crate) async fn seen(&self) {
        let head = self.console.hub.readers.read(|log| log.head()).unwrap().unwrap().0;
        tests::broker::wait_for("the views to read on", async || {
            (self.console.hub.views.position().unwrap() >= head).then_some(())
        })
        .await;
    }

    pub(crate) fn clock(&self, at: &str) {
        self.console.hub.clock.advance_to(at.parse().unwrap());
    }

    fn now(&self) -> Timestamp {
        self.console.hub.clock.now()
    }

    fn id(&mut self) -> Uuid {
        self.made += 1;
        Uuid::from_u128(0x019c_0000_0000_7000_8000 << 48 | self.made)
    }

    pub(crate) async fn told(&self, actor: Actor, what: What) {
        let occurred_at = self.now();
        let said = format!("{what:?}");
        let ask = Ask { actor, occurred_at, caused_by: None, what };
        let answer = self.console.hub.registrar.ask(ask).await.unwrap();
        let refused = matches!(answer, hub::registrar::Answer::Refused(_));
        assert!(!refused || self.may_be_refused, "{answer:?}: {said}");
    }

    pub(crate) async fn case(&self, case: CaseId, command: Command) {
        let what = What::Case { case, command, personal: None, evidence: None, key: None };
        self.told(Actor::Operator("operator".to_owned()), what).await;
    }

    pub(crate) async fn submitted(&mut self, word: &impl Fn(&str) -> String) -> (CaseId, String) {
        let case = CaseId(self.id());
        let number = CaseNumber::of(case, self.console.hub.clock.today());
        let command = Command::Submit(Submit {
            case,
            number: number.clone(),
            request: RequestId(self.id()),
            client: word("client"),
            client_reference: Some(word("client-reference")),
            item: Item::Renewal,
            category: Category::GeneralFreight,
            channel: Channel::Web,
            authority: IssuingAuthority {
                code: None,
                name: word("authority"),
                division: Some("220100".parse().unwrap()),
            },
            submitted_at: self.now(),
            digest: Hash([7; 32]),
        });
        let applicant = json!({"name": word("name"), "identity_number": word("identity"),
            "phone": word("phone"), "certificate_number": word("certificate")});
        let personal = serde_json::to_vec(&json!({"applicant": applicant})).ok();
        let what = What::Case { case, command, personal, evidence: None, key: None };
        self.told(Actor::National("web".to_owned()), what).await;
        (case, number.to_string())
    }

    /// One that its province accepted and decided: its number.
    async fn decided(&mut self, word: &impl Fn(&str) -> String) -> String {
        let (case, number) = self.submitted(word).await;
        let completed = News::Completed {
            outcome: Outcome::Approved,
            decision_number: word("decision"),
            reasons: vec![],
            result: Default::default(),
        };
        for news in [
            News::Accepted { acceptance_number: word("acceptance") },
            completed,
            News::CertificateIssued { certificate_id: word("e-certificate") },
        ] {
            self.reported(case, news, &word("adapter")).await;
        }
        self.case(case, Command::Archive { reference: word("archive") }).await;
        number
    }

    pub(crate) async fn reported(&mut self, case: CaseId, news: News, adapter: &str) {
        let stream = StreamName::Case(case);
        let story = self.console.hub.readers.read(move |log| log.read_stream(&stream)).unwrap();
        let state: Option<Case> = story.iter().fold(None, |state, it| match &it.envelope.event {
            Event::Case(event) => evolve(state, event),
            _ => state,
        });
        let state = state.unwrap();
        let asked = state.request().unwrap();
        let report = Report {
            origin: tests::http::ORIGIN.to_owned(),
            province: asked.province,
            case,
            request: asked.id,
            digest: asked.digest,
            number: state.next_report_number(asked.province),
            adapter: adapter.to_owned(),
            news,
            sealed_text: None,
        };
        let province = report.province;
        let message = ReportMessage { id: ReportId(self.id()), occurred_at: self.now(), report };
        let command = Command::Record { message, next_request: RequestId(self.id()) };
        let what = What::Case { case, command, personal: None, evidence: None, key: None };
        self.told(Actor::Province(province), what).await;
    }

    async fn aftercare(&mut self, case: CaseId, word: &impl Fn(&str) -> String) {
        let request = RequestId(self.id());
        for command in [
            Command::ObserveDate(self.console.hub.clock.today()),
            Command::ExplainBreach {
                stage: Stage::Acceptance,
                operator: word("explain-operator"),
                note: word("explain"),
            },
            Command::Note { operator: word("note-operator"), note: word("note") },
            Command::FileComplaint { reference: word("complaint"), channel: word("channel") },
            Command::AnswerComplaint { reference: word("complaint") },
            Command::Park { operator: word("park-operator") },
            Command::Release {
                operator: word("release-operator"),
                note: word("release"),
                route_to: None,
                request,
            },
        ] {
            self.case(case, command).await;
        }
    }

    async fn province(&self, province: ProvinceCode, word: &impl Fn(&str) -> String) {
        let operator = word("enroll-operator");
        let row = || Fulfilment { first: 1, second: 0, text: word("publicity") };
        let (from, until) = (self.now(), self.now() + SignedDuration::from_hours(4));
        let statement = Statement {
            month: "2026-02".parse().unwrap(),
            rows: (0..events::publicity::ROWS).map(|_| row()).collect(),
            carriers_told_share: None,
            knowledge_base: true,
        };
        let key = KeyRegistered {
            key_id: word("key"),
            purpose: KeyPurpose::Sign,
            algorithm: "ed25519".to_owned(),
            public_key: "AAAA".to_owned(),
        };
        let certified = AdapterCertified {
            adapter_version: word("adapter"),
            kit_version: word("kit"),
            result_digest: "00".repeat(32),
            expires_at: until,
        };
        let maintenance = MaintenanceDeclared { from, until, reason: word("maintenance") };
        for command in [
            ProvinceCommand::Enroll { operator: operator.clone() },
            ProvinceCommand::RegisterKey(key),
            ProvinceCommand::Certify(certified),
            ProvinceCommand::DeclareMaintenance(maintenance),
            ProvinceCommand::StatePublicity(PublicityStated {
                by: word("publicity-by"),
                statement,
                sent: None,
            }),
            ProvinceCommand::Pause { operator, reason: word("pause") },
        ] {
            self.told(Actor::Operator("operator".to_owned()), What::Province { province, command })
                .await;
        }
        let hub = &self.console.hub;
        let all = hub.readers.read(|log| log.read_all(Position(0), 100_000)).unwrap();
        all.iter().for_each(|it| hub.membership.apply(it));
    }

    async fn keeping(&mut self, late: CaseId, parked: CaseId, word: &impl Fn(&str) -> String) {
        let (kind, province) = (AlertKind::AcceptanceOverdue, "22".parse().ok());
        let scope = AlertScope { kind, province, case: None, stage: None };
        let one = AlertScope { case: Some(late), stage: Some(Stage::Acceptance), ..scope };
        let (operator, until) = (word("operator"), self.now() + SignedDuration::from_hours(8));
        let notice = AlertNotice { kind, province, count: 1, why: NoticeWhy::First, since: until };
        let message = self.id();
        for event in [
            AlertsAcknowledged { scope, operator: operator.clone(), note: word("ack") }.into(),
            AlertsAcknowledged { scope: one, operator: operator.clone(), note: word("ack-one") }
                .into(),
            AlertsAssigned { scope, operator: operator.clone(), to: word("to") }.into(),
            AlertsAssigned { scope: one, operator: operator.clone(), to: word("to-one") }.into(),
            AlertsSilenced {
                scope: one,
                operator: operator.clone(),
                until,
                reason: word("silence-one"),
            }
            .into(),
            AlertsSilenced { scope, operator: operator.clone(), until, reason: word("silence") }
                .into(),
            AlertMessagePlanned {
                message,
                notices: vec![notice],
                carriers: vec![word("carrier")],
                quiet_until: None,
            }
            .into(),
            AlertMessageGivenUp {
                message,
                carrier: word("carrier"),
                attempts: 1,
                reason: word("given-up"),
            }
            .into(),
            KeepingEvent::PersonalDataRead(PersonalDataRead {
                case: parked,
                operator: operator.clone(),
                purpose: word("purpose"),
            }),
            KeepingEvent::OperatorActed(OperatorActed {
                operator: operator.clone(),
                action: word("action"),
                target: word("target"),
            }),
            KeepingEvent::StatisticsIssued(StatisticsIssued {
                kind: "monthly".to_owned(),
                period: "2026-02".to_owned(),
                province: None,
                revision: hub::statistics::REVISION,
                position: 1,
                csv_sha256: word("csv-digest"),
                operator,
            }),
        ] {
            self.told(Actor::Operator(word("actor")), What::Keeping(event)).await;
        }
    }

    async fn redrive(&mut self, word: &impl Fn(&str) -> String) {
        let order = RedriveOrdered {
            redrive: RedriveId(self.id()),
            operator: word("redrive-operator"),
            reason: word("redrive"),
            selection: RedriveSelection {
                of: RedriveOf::ParkedCases,
                province: "22".parse().ok(),
                why: Some(word("why")),
                since: None,
                until: 1,
                only: vec![],
            },
            count: 1,
            per_minute: 1,
            route_to: None,
            needs_second: true,
        };
        let command = RedriveCommand::Order { order, confirm_above: 0 };
        self.told(Actor::Operator(word("actor")), What::Redrive(command)).await;
    }

    /// What no event tells: an account, a stray.
    async fn kept_aside(&mut self, word: &impl Fn(&str) -> String) {
        let hub = &self.console.hub;
        let account = Account {
            name: format!("person-{}", self.made),
            display: word("display").chars().filter(|it| !it.is_control()).take(32).collect(),
            role: Role::of("operator", None).unwrap(),
            disabled: false,
            must_change: false,
        };
        hub.accounts.put(&account, Some(PASSWORD), self.now()).unwrap();
        let source = "province:22".to_owned();
        let payload = json!({word("stray-key"): word("stray-value"), "type": word("stray-type")});
        let headers = serde_json::to_vec(&[[word("header"), word("header-value")]]).unwrap();
        let label = hub::redrive::headers_label(&source);
        let stray = Stray {
            at: self.now(),
            subject: word("subject"),
            reason: word("reason"),
            sealed: hub.opener.seal_stray(&source, payload.to_string().as_bytes()),
            headers: Some(hub.opener.seal_stray(&label, &headers)),
            source,
        };
        hub.quarantine.keep(&[stray]).unwrap();
    }
}
