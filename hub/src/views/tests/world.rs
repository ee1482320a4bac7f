//! Random histories of a few cases, as the rules allow them: what the views' laws are checked on.

use std::collections::BTreeMap;

use events::case::{AgainGround, CaseResult};
use events::envelope::{Actor, Event};
use events::ids::{CaseId, CaseNumber, ReportId, RequestId, StreamName};
use events::proof::Hash;
use events::reference::{CalendarYear, Paper};
use events::report::{News, Report, ReportMessage};
use events::vocabulary::{
    Category, Channel, IssuingAuthority, Item, Material, Outcome, Reason, SuspensionGround,
};
use events::work::WorkKind;
use hub_core::calendar::shanghai_date;
use hub_core::case::{Case, decide, evolve};
use hub_core::command::{Command, Submit};
use hub_core::deadlines::Rules;
use hub_core::routes::Routes;
use jiff::SignedDuration;
use jiff::civil::date;
use uuid::Uuid;

use super::stage::{Stage, case, province};

/// How many cases live at once.
pub(crate) const CASES: u8 = 3;

/// Cases under one set of rules and one clock, told to one log.
pub(crate) struct World {
    pub(crate) stage: Stage,
    pub(crate) rules: Rules,
    pub(crate) cases: BTreeMap<CaseId, Case>,
    ids: u128,
}

/// One thing that is tried: of which case, what, and a twist.
pub(crate) type Step = (u8, u8, u8);

impl World {
    pub(crate) fn new() -> Self {
        let codes = ["220100", "230100"].map(|it| it.parse().unwrap());
        let routes = Routes { current: codes.into(), ..Routes::default() };
        let mut rules = Rules { routes: routes.into(), ..Rules::default() };
        rules.calendar.publish(1, &year(&[])).unwrap();
        Self { stage: Stage::new(), rules, cases: BTreeMap::new(), ids: 1_000 }
    }

    fn id(&mut self) -> Uuid {
        self.ids += 1;
        Uuid::from_u128(self.ids)
    }

    /// Tries the step; what the rules refuse does not happen.
    pub(crate) fn give(&mut self, step: Step) {
        let (number, what, twist) = step;
        let id = case(u128::from(number % CASES) + 1);
        let Some(command) = self.command(id, what, twist) else { return };
        let Ok(told) = decide(self.cases.get(&id), &command, &self.rules, self.stage.now) else {
            return;
        };
        self.stage.actor = match &command {
            Command::Record { message, .. } => Actor::Province(message.report.province),
            _ => Actor::Hub,
        };
        for event in told {
            if let Some(evolved) = evolve(self.cases.remove(&id), &event) {
                self.cases.insert(id, evolved);
            }
            self.stage.tell(StreamName::Case(id), Event::Case(event));
        }
    }

    fn command(&mut self, id: CaseId, what: u8, twist: u8) -> Option<Command> {
        if !self.cases.contains_key(&id) {
            return Some(Command::Submit(self.submission(id)));
        }
        let operator = "operator".to_owned();
        Some(match what % 21 {
            0..=9 => self.report(id, twist)?,
            10 => {
                let request = self.cases.get(&id)?.request()?.clone();
                Command::NoteForwarded {
                    province: request.province,
                    work: request.work,
                    request: request.id,
                    attempt: request.attempts + 1,
                }
            }
            11 => Command::Park { operator },
            12 => {
                let route_to =
                    twist.is_multiple_of(2).then(|| province(if twist < 128 { 22 } else { 23 }));
                let request = RequestId(self.id());
                Command::Release { operator, note: "note".to_owned(), route_to, request }
            }
            13..=15 => {
                self.stage.now += SignedDuration::from_hours(24 * i64::from(twist % 5));
                Command::ObserveDate(shanghai_date(self.stage.now))
            }
            16 => {
                let days: Vec<i8> = if twist.is_multiple_of(2) { vec![9, 10, 11] } else { vec![] };
                let revision = self.rules.calendar.revision() + 1;
                self.rules.calendar.publish(revision, &year(&days)).unwrap();
                Command::Revise
            }
            17 | 18 if twist < 220 => Command::SubmitCorrection {
                digest: Hash([twist; 32]),
                submitted_at: self.stage.now,
                request: RequestId(self.id()),
            },
            17 | 18 => {
                let request = RequestId(self.id());
                Command::Withdraw { requested_at: self.stage.now, request }
            }
            20 => Command::AskAgain {
                province: self.cases.get(&id)?.request()?.province,
                because: AgainGround::Reconciliation,
            },
            _ => Command::ConfirmFeedback { client: "national".into(), way: "feed".into() },
        })
    }

    fn submission(&mut self, case: CaseId) -> Submit {
        Submit {
            case,
            number: CaseNumber::of(case, date(2026, 3, 2)),
            request: RequestId(self.id()),
            client: "national".to_owned(),
            client_reference: None,
            item: Item::Renewal,
            category: Category::GeneralFreight,
            channel: Channel::App,
            authority: IssuingAuthority {
                code: None,
                name: "authority".to_owned(),
                division: Some("220100".parse().unwrap()),
            },
            submitted_at: self.stage.now,
            digest: Hash([1; 32]),
        }
    }

    fn report(&mut self, id: CaseId, twist: u8) -> Option<Command> {
        let report = ReportId(self.id());
        let next_request = RequestId(self.id());
        let case = self.cases.get(&id)?;
        let asked = case.request()?;
        // Some claim to have decided yesterday: then the lateness is one of reporting.
        let ago = SignedDuration::from_hours(if twist >= 128 { 20 } else { 0 });
        let told = Report {
            origin: "test".to_owned(),
            province: asked.province,
            case: id,
            request: asked.id,
            digest: asked.digest,
            number: case.next_report_number(asked.province),
            adapter: "0.1.0".to_owned(),
            news: self.news(asked.work, twist),
            sealed_text: None,
        };
        let occurred_at = self.stage.now - ago;
        let message = ReportMessage { id: report, occurred_at, report: told };
        Some(Command::Record { message, next_request })
    }

    fn news(&self, asked: WorkKind, twist: u8) -> News {
        let reason = Reason::NotThisAuthority;
        let completed = |outcome| News::Completed {
            outcome,
            decision_number: "number".to_owned(),
            reasons: vec![Reason::OverAge],
            result: CaseResult::default(),
        };
        match twist % 16 {
            0..=3 => News::Delivered { work: asked },
            4 => News::Returned { reason, division: None },
            5 => News::Returned { reason, division: Some("230100".parse().unwrap()) },
            6 | 7 => News::CorrectionRequested {
                missing: vec![Material::Photo],
                until: shanghai_date(self.stage.now).saturating_add(jiff::Span::new().days(4)),
            },
            8 | 9 => News::Accepted { acceptance_number: "number".to_owned() },
            10 => News::Declined { reason: Reason::RenewalNotDue },
            11 => News::Suspended { ground: SuspensionGround::Hearing },
            12 => News::Resumed,
            13 => completed(Outcome::Approved),
            14 => completed(Outcome::Denied),
            _ => News::CertificateIssued { certificate_id: "certificate".to_owned() },
        }
    }
}

/// 2026 with these days of March as holidays.
fn year(march: &[i8]) -> CalendarYear {
    CalendarYear {
        year: 2026,
        holidays: march.iter().map(|it| date(2026, 3, *it)).collect(),
        makeup_workdays: vec![],
        papers: vec![Paper { number: "paper".to_owned(), url: None }],
    }
}
