//! Given, when, then: a story is told event by event, and every command is given twice.

use events::case::CaseEvent;
use events::ids::{CaseId, CaseNumber, DivisionCode, ProvinceCode};
use events::proof::Digest;
use events::reference::{CalendarYear, Paper};
use events::report::{News, Report, ReportMessage};
use events::vocabulary::{Category, Channel, IssuingAuthority, Item};
use events::work::WorkKind;
use hub_core::calendar::Calendar;
use hub_core::case::{Case, decide, evolve};
use hub_core::command::{Command, Submit};
use hub_core::deadlines::{Rules, ServiceStandards};
use hub_core::refusal::Refusal;
use hub_core::routes::Routes;
use jiff::Timestamp;
use jiff::civil::{Date, date};

/// One case, the rules it lives under, and the hub's clock.
#[derive(Debug, Clone)]
pub(crate) struct Story {
    pub(crate) case: Option<Case>,
    pub(crate) events: Vec<CaseEvent>,
    pub(crate) rules: Rules,
    pub(crate) now: Timestamp,
    ids: u32,
}

/// An id that is easy to tell apart.
pub(crate) fn id<T: std::str::FromStr>(number: u32) -> T
where
    T::Err: std::fmt::Debug,
{
    format!("00000000-0000-7000-8000-{number:012x}").parse().unwrap()
}

pub(crate) fn digest(byte: u8) -> Digest {
    events::proof::Hash([byte; 32])
}

pub(crate) fn province(code: u8) -> ProvinceCode {
    ProvinceCode::new(code).unwrap()
}

pub(crate) fn division(code: &str) -> DivisionCode {
    code.parse().unwrap()
}

/// A moment by the clock on the wall in Shanghai, e.g. `2026-03-02T10:00`.
pub(crate) fn moment(text: &str) -> Timestamp {
    format!("{text}:00+08:00").parse().unwrap()
}

/// 2026 as far as these stories need it: the Spring Festival and its make-up days.
pub(crate) fn year_2026() -> CalendarYear {
    CalendarYear {
        year: 2026,
        holidays: (15..=23).map(|day| date(2026, 2, day)).collect(),
        makeup_workdays: vec![date(2026, 2, 14), date(2026, 2, 28)],
        papers: vec![Paper { number: "国办发明电〔2025〕7号".to_owned(), url: None }],
    }
}

pub(crate) fn rules() -> Rules {
    let mut calendar = Calendar::default();
    calendar.publish(1, &year_2026()).unwrap();
    let routes = Routes {
        current: ["220100", "230100", "500100", "110101", "511403"].map(division).into(),
        retired: [
            (division("512201"), vec![division("500100")]),
            (division("511422"), vec![division("500100"), division("511403")]),
            // A renaming, and two steps to the code that is in use.
            (division("511128"), vec![division("511128"), division("513823")]),
            (division("513823"), vec![division("511403")]),
        ]
        .into(),
        listed: [("长白山管委会".to_owned(), province(22))].into(),
    };
    Rules { calendar, standards: ServiceStandards::default(), routes: routes.into() }
}

pub(crate) fn submission() -> Submit {
    let case: CaseId = id(1);
    Submit {
        case,
        number: CaseNumber::of(case, date(2026, 3, 2)),
        request: id(2),
        client: "national".to_owned(),
        client_reference: None,
        item: Item::Renewal,
        category: Category::GeneralFreight,
        channel: Channel::App,
        authority: IssuingAuthority {
            code: None,
            name: "长春市交通运输局".to_owned(),
            division: Some(division("220100")),
        },
        submitted_at: moment("2026-03-02T10:00"),
        digest: digest(1),
    }
}

impl Story {
    /// Nothing yet; it is Monday, 2026-03-02, in the morning.
    pub(crate) fn empty() -> Self {
        let now = moment("2026-03-02T10:01");
        Self { case: None, events: Vec::new(), rules: rules(), now, ids: 100 }
    }

    /// Handed in on Monday for Jilin: due on Wednesday, 2026-03-04.
    pub(crate) fn submitted() -> Self {
        let mut story = Self::empty();
        story.yields(&Command::Submit(submission()), &["submitted", "routed"]);
        story
    }

    /// And the adapter has signed for it.
    pub(crate) fn delivered() -> Self {
        let mut story = Self::submitted();
        let delivered = story.report(News::Delivered { work: WorkKind::Case });
        story.yields(&delivered, &["delivered"]);
        story
    }

    /// And Jilin took it on Tuesday: due on Friday, 2026-03-06.
    pub(crate) fn accepted() -> Self {
        let mut story = Self::delivered();
        story.at("2026-03-03T09:00");
        let accepted = story.report(News::Accepted { acceptance_number: "受-1".to_owned() });
        story.yields(&accepted, &["accepted"]);
        story
    }

    pub(crate) fn at(&mut self, text: &str) -> &mut Self {
        self.now = moment(text);
        self
    }

    pub(crate) fn new_id<T: std::str::FromStr>(&mut self) -> T
    where
        T::Err: std::fmt::Debug,
    {
        self.ids += 1;
        id(self.ids)
    }

    pub(crate) fn state(&self) -> &Case {
        self.case.as_ref().unwrap()
    }

    /// The next report of the province that has the case, about what it was asked last.
    pub(crate) fn message(&mut self, news: News) -> ReportMessage {
        let id = self.new_id();
        let request = self.state().request().unwrap();
        let report = Report {
            origin: "test".to_owned(),
            province: request.province,
            case: crate::story::id(1),
            request: request.id,
            digest: request.digest,
            number: self.state().next_report_number(request.province),
            adapter: "0.1.0".to_owned(),
            news,
            sealed_text: None,
        };
        ReportMessage { id, occurred_at: self.now, report }
    }

    pub(crate) fn report(&mut self, news: News) -> Command {
        let message = self.message(news);
        self.record(message)
    }

    pub(crate) fn record(&mut self, message: ReportMessage) -> Command {
        Command::Record { message, next_request: self.new_id() }
    }

    pub(crate) fn decide(&self, command: &Command) -> Result<Vec<CaseEvent>, Refusal> {
        decide(self.case.as_ref(), command, &self.rules, self.now)
    }

    /// The command leads to these events, and to nothing the second time.
    #[track_caller]
    pub(crate) fn yields(&mut self, command: &Command, kinds: &[&str]) -> &mut Self {
        let events = self.decide(command).unwrap_or_else(|it| panic!("refused: {}", it.code()));
        let yielded: Vec<_> = events.iter().map(kind).collect();
        assert_eq!(yielded, kinds, "{command:?}");
        for event in events {
            self.case = evolve(self.case.take(), &event);
            self.events.push(event);
        }
        match self.decide(command) {
            Ok(again) => assert_eq!(again, [], "the second time"),
            Err(refusal) => panic!("the second time it is refused: {}", refusal.code()),
        }
        self
    }

    /// The command leads to nothing, because all of it is known.
    #[track_caller]
    pub(crate) fn quiet(&self, command: &Command) {
        assert_eq!(self.decide(command), Ok(vec![]), "{command:?}");
    }

    #[track_caller]
    pub(crate) fn refuses(&self, command: &Command, code: &str) {
        let refused = self.decide(command).map_err(|it| it.code());
        assert_eq!(refused, Err(code), "{command:?}");
    }

    /// The report is recorded as refused, for this reason, and changes nothing else.
    #[track_caller]
    pub(crate) fn records_refusal(&mut self, command: &Command, code: &str) {
        let stage = self.state().stage;
        self.yields(command, &["report-refused"]);
        let Some(CaseEvent::ReportRefused(refused)) = self.events.last() else { unreachable!() };
        assert_eq!(refused.code, code);
        assert_eq!(self.state().stage, stage);
        assert_eq!(self.state().refusal_of(refused.report), Some(code));
    }

    #[track_caller]
    pub(crate) fn observes(&mut self, day: Date, kinds: &[&str]) {
        self.now = self.now.max(moment(&format!("{day}T00:01")));
        self.yields(&Command::ObserveDate(day), kinds);
    }
}

/// The short form of an event's type.
pub(crate) fn kind(event: &CaseEvent) -> &'static str {
    event.kind().trim_start_matches("case.").trim_end_matches(".v1")
}
