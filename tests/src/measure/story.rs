//! Histories to measure on: whole cases of all provinces, decided by the real rules, sealed and signed
//! like real ones, interleaved as they would be.

use std::collections::VecDeque;
use std::sync::Arc;

use ed25519_dalek::SigningKey;
use events::case::{CaseEvent, CaseResult, CaseSubmitted};
use events::envelope::{Actor, Envelope, Event, Evidence, Version};
use events::ids::{
    CaseId, CaseNumber, DivisionCode, ProvinceCode, ReportId, RequestId, StreamName,
};
use events::proof::signature::{self, Purpose};
use events::proof::{Hash, seal};
use events::province::{KeyPurpose, KeyRegistered, ProvinceEnrolled, ProvinceEvent};
use events::report::{News, Report, ReportMessage};
use events::vocabulary::{Category, Channel, DueDay, IssuingAuthority, Item, Outcome, Reason};
use events::wire::{event_to_bytes, report_to_bytes};
use events::work::WorkKind;
use hub::log::{Append, Expected, SenderKey};
use hub::vault::Sealer;
use hub_core::case::{Case, decide, evolve};
use hub_core::command::{Command, Submit};
use hub_core::deadlines::Rules;
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::people;
use super::raw::Ids;

/// The log that all histories belong to.
pub const ORIGIN: &str = "hub.bench/log";
/// The national system that hands everything in.
pub const CLIENT: &str = "national";
/// Cases that are open at the same time.
const OPEN_CASES: usize = 4_096;
/// Told time between two events, in milliseconds: some ten million events a month.
const PACE_MS: i64 = 250;
/// Where cases stop that stay open: after being submitted, forwarded, delivered, accepted.
const STOPS: u128 = 4;
/// Events of a case, about, where most stop on their way.
pub const EVENTS_OF_OPEN: u64 = 4;
const THREE_WEEKS_MS: i64 = 21 * 24 * 3_600 * 1_000;
/// Told time from a case's last step until somebody looks whether its day has passed.
const NOTED_AFTER: SignedDuration = SignedDuration::from_hours(6 * 24);

/// The key with which a province signs.
pub fn sign_key(province: ProvinceCode) -> SigningKey {
    SigningKey::from_bytes(&[province.number(); 32])
}

/// A submitted case whose body has so many bytes.
pub fn body_of(bytes: usize) -> Envelope {
    let case = CaseId(Uuid::from_u128(1));
    let day = jiff::civil::date(2026, 3, 2);
    let due =
        DueDay { day, papers: vec!["国办发明电〔2025〕7号".into()], provisional: false };
    let mut submitted = CaseSubmitted {
        number: CaseNumber::of(case, day),
        client: CLIENT.into(),
        client_reference: Some(String::new()),
        item: Item::IntegrityAssessment,
        category: Category::GeneralFreight,
        channel: Channel::Web,
        authority: IssuingAuthority {
            code: None, name: "长春市交通运输局".into(), division: None
        },
        submitted_at: Timestamp::UNIX_EPOCH,
        digest: Hash([7; 32]),
        due,
        counted: None,
        late_intake: false,
    };
    let envelope = |submitted: &CaseSubmitted| Envelope {
        id: Ids::default().one_more(),
        stream: StreamName::Case(case),
        occurred_at: Timestamp::UNIX_EPOCH,
        actor: Actor::National(CLIENT.into()),
        caused_by: None,
        event: Event::Case(submitted.clone().into()),
        sealed: None,
        evidence: None,
    };
    let short = event_to_bytes(&envelope(&submitted)).len();
    submitted.client_reference = Some("x".repeat(bytes.saturating_sub(short)));
    envelope(&submitted)
}

/// A case on its way.
struct Tale {
    id: CaseId,
    state: Option<Case>,
    version: u64,
    step: usize,
    /// After this step nothing happens to it any more.
    stops_after: usize,
}

/// Tells histories, for ever.
pub struct Teller {
    rules: Rules,
    divisions: Vec<DivisionCode>,
    sealer: Sealer,
    ids: Ids,
    open: VecDeque<Tale>,
    told_cases: u128,
    at: Timestamp,
    signed: bool,
    reports: u128,
    /// Of a hundred cases so many stop on their way and stay open.
    open_percent: u128,
    pace: SignedDuration,
    /// Cases that are on their way at the same time.
    under_way: usize,
    /// Those that stopped, until their day has passed and that is noted.
    stopped: VecDeque<(Timestamp, Tale)>,
}

impl Teller {
    /// Begins before the first event. Unless `signed`, no report keeps what the province signed.
    pub fn new(sealer: Sealer, signed: bool) -> Self {
        let mut rules = Rules::default();
        for (revision, year) in (1..).zip(hub::reference::calendars()) {
            rules.calendar.publish(revision, &year).expect("the shipped calendars are usable");
        }
        let routes = hub::reference::routes();
        let known = |it: &DivisionCode| ProvinceCode::new(it.province_part()).is_some();
        let divisions = routes.current.iter().copied().filter(known).collect();
        rules.routes = Arc::new(routes);
        Self {
            rules,
            divisions,
            sealer,
            ids: Ids::default(),
            open: VecDeque::new(),
            told_cases: 0,
            at: "2026-03-02T01:00:00Z".parse().expect("it is a moment"),
            signed,
            reports: 0,
            open_percent: 0,
            pace: SignedDuration::from_millis(PACE_MS),
            under_way: OPEN_CASES,
            stopped: VecDeque::new(),
        }
    }

    /// The same, but of a hundred cases so many stop at some step before the last and stay open; `cases` of
    /// them take three told weeks, so that what stopped at first is overdue at the end.
    pub fn leaving_open(mut self, percent: u64, cases: u64) -> Self {
        self.open_percent = percent.into();
        let events = i64::try_from(cases * EVENTS_OF_OPEN).unwrap_or(i64::MAX);
        self.pace = SignedDuration::from_millis(THREE_WEEKS_MS / events.max(1));
        let some = usize::try_from(cases / 10).unwrap_or(OPEN_CASES);
        self.under_way = some.clamp(1, OPEN_CASES);
        self
    }

    /// What comes before any case: every province is enrolled, with its key.
    pub fn beginning(&mut self) -> Vec<Append> {
        ProvinceCode::all().map(|it| self.enrolment(it)).collect()
    }

    /// The moment of the last step.
    pub fn now(&self) -> Timestamp {
        self.at
    }

    /// The next `steps` steps of as many cases.
    pub fn next(&mut self, steps: usize) -> Vec<Append> {
        (0..steps).map(|_| self.step()).collect()
    }

    /// Makes the keys of what was told durable, as the registrar does before it appends.
    pub fn make_durable(&mut self) {
        self.sealer.make_durable().expect("there is room for the keys");
    }

    fn enrolment(&mut self, province: ProvinceCode) -> Append {
        let registered = KeyRegistered {
            key_id: format!("{province}-sign-1"),
            purpose: KeyPurpose::Sign,
            algorithm: "ed25519".into(),
            public_key: signature::public_key_text(&sign_key(province).verifying_key()),
        };
        let enrolled = ProvinceEnrolled { operator: "operator".into() };
        let stream = StreamName::Province(province);
        let all: [ProvinceEvent; 2] = [enrolled.into(), registered.into()];
        let events = all
            .into_iter()
            .map(|it| {
                self.envelope(stream, Actor::Operator("operator".into()), Event::Province(it))
            })
            .collect();
        Append { stream, expected: Expected::NoStream, recorded_at: self.at, events, key: None }
    }

    fn envelope(&mut self, stream: StreamName, actor: Actor, event: Event) -> Envelope {
        self.at += self.pace;
        let (id, occurred_at) = (self.ids.one_more(), self.at);
        let (sealed, evidence) = (None, None);
        Envelope { id, stream, occurred_at, actor, caused_by: None, event, sealed, evidence }
    }

    fn step(&mut self) -> Append {
        if let Some(append) = self.passed_day() {
            return append;
        }
        let next = if self.open.len() < self.under_way { None } else { self.open.pop_front() };
        let mut tale = match next {
            Some(tale) => tale,
            None => self.new_tale(),
        };
        let (command, evidence) = self.command(&tale);
        let events = decide(tale.state.as_ref(), &command, &self.rules, self.at);
        let events = events.expect("the stories told here are in order");
        assert!(!events.is_empty(), "every step of a story says something new");
        let append = self.append(&mut tale, &command, events, evidence);
        tale.step += 1;
        if tale.step < tale.stops_after {
            self.open.push_back(tale);
        } else if tale.step < STEPS {
            self.stopped.push_back((self.at + NOTED_AFTER, tale));
        }
        append
    }

    /// What the watch notes of a case that stopped, when its day has passed.
    fn passed_day(&mut self) -> Option<Append> {
        while self.stopped.front().is_some_and(|it| it.0 <= self.at) {
            let (_, mut tale) = self.stopped.pop_front()?;
            let today = hub_core::calendar::shanghai_date(self.at);
            let command = Command::ObserveDate(today);
            let events = decide(tale.state.as_ref(), &command, &self.rules, self.at);
            let events = events.expect("a day may be noted of any case");
            if !events.is_empty() {
                return Some(self.append(&mut tale, &command, events, None));
            }
        }
        None
    }

    fn new_tale(&mut self) -> Tale {
        self.told_cases += 1;
        // As a UUIDv7: the moment first, then what nobody else has.
        let moment = (self.at.as_millisecond() as u128) << 80;
        let id = CaseId(Uuid::from_u128(moment | 0x7000_8000 << 48 | self.told_cases));
        // Submitted only, forwarded, delivered or accepted, in turn; nobody stops after the last step.
        let stops = self.told_cases % 100 < self.open_percent;
        let stops_after = if stops { 1 + (self.told_cases / 100 % STOPS) as usize } else { STEPS };
        Tale { id, state: None, version: 0, step: 0, stops_after }
    }

    fn append(
        &mut self,
        tale: &mut Tale,
        command: &Command,
        events: Vec<CaseEvent>,
        evidence: Option<Evidence>,
    ) -> Append {
        let stream = StreamName::Case(tale.id);
        let actor = match command {
            Command::Submit(_) | Command::ConfirmFeedback { .. } => Actor::National(CLIENT.into()),
            Command::Record { message, .. } => Actor::Province(message.report.province),
            _ => Actor::Hub,
        };
        let expected = match tale.version {
            0 => Expected::NoStream,
            version => Expected::At(Version(version)),
        };
        let mut envelopes = Vec::with_capacity(events.len());
        for event in events {
            tale.state = evolve(tale.state.take(), &event);
            envelopes.push(self.envelope(stream, actor.clone(), Event::Case(event)));
        }
        tale.version += envelopes.len() as u64;
        let mut key = None;
        // What passed days led to is the hub's; the province's word comes after it.
        let own = envelopes
            .iter_mut()
            .find(|it| !matches!(&it.event, Event::Case(it) if it.is_of_time()));
        if let Some(own) = own {
            own.evidence = evidence;
        }
        if tale.step == 0 {
            let personal = people::personal(self.told_cases).to_string();
            let sealed = self.sealer.seal(tale.id, envelopes[0].id, personal.as_bytes());
            envelopes[0].sealed = Some(sealed.expect("the vault makes keys"));
            key = Some(SenderKey(seal::derive(&[1; 32], &tale.id.to_string())));
        }
        Append { stream, expected, recorded_at: self.at, events: envelopes, key }
    }

    fn command(&mut self, tale: &Tale) -> (Command, Option<Evidence>) {
        let case = tale.state.as_ref();
        let request = case.and_then(Case::request);
        let number = self.told_cases;
        let news = match (tale.step, request) {
            (0, _) | (_, None) => return (self.submit(tale.id), None),
            (1, Some(it)) => {
                let (province, work, request) = (it.province, it.work, it.id);
                return (Command::NoteForwarded { province, work, request, attempt: 1 }, None);
            }
            (2, _) => News::Delivered { work: WorkKind::Case },
            (3, _) => News::Accepted { acceptance_number: format!("受-{number}") },
            (4, _) => completed(number),
            _ => {
                let (client, way) = (CLIENT.to_owned(), "feed".to_owned());
                return (Command::ConfirmFeedback { client, way }, None);
            }
        };
        self.record(tale, news)
    }

    fn record(&mut self, tale: &Tale, news: News) -> (Command, Option<Evidence>) {
        let case = tale.state.as_ref().expect("it was submitted");
        let request = case.request().expect("it was routed");
        self.reports += 1;
        let report = Report {
            origin: ORIGIN.into(),
            province: request.province,
            case: tale.id,
            request: request.id,
            digest: request.digest,
            number: case.next_report_number(request.province),
            adapter: "1.0.0".into(),
            news,
            sealed_text: None,
        };
        let id = ReportId(Uuid::from_u128(0x0190_0000_0000_7000_8000 << 48 | self.reports));
        let message = ReportMessage { id, occurred_at: self.at, report };
        let evidence = self.signed.then(|| signed(&message));
        let next_request = RequestId(Uuid::nil());
        (Command::Record { message, next_request }, evidence)
    }

    fn submit(&self, case: CaseId) -> Command {
        let nth = self.told_cases as usize;
        let division = self.divisions[nth * 7 % self.divisions.len()];
        let day = hub_core::calendar::shanghai_date(self.at);
        Command::Submit(Submit {
            case,
            number: CaseNumber::of(case, day),
            request: RequestId(Uuid::from_u128(case.0.as_u128() ^ 1 << 90)),
            client: CLIENT.into(),
            client_reference: Some(format!("YSFW-2026-{nth:09}")),
            item: Item::ALL[nth % Item::ALL.len()],
            category: Category::ALL[nth % Category::ALL.len()],
            channel: Channel::ALL[nth % Channel::ALL.len()],
            authority: IssuingAuthority {
                code: None,
                name: hub::reference::division_name(division).unwrap_or("某地").to_owned(),
                division: Some(division),
            },
            submitted_at: self.at,
            digest: Hash(seal::derive(&[2; 32], &case.to_string())),
        })
    }
}

/// Submitted, forwarded, delivered, accepted, completed, fed back: seven events.
const STEPS: usize = 6;

fn completed(number: u128) -> News {
    let denied = number.is_multiple_of(20);
    News::Completed {
        outcome: if denied { Outcome::Denied } else { Outcome::Approved },
        decision_number: format!("决-{number}"),
        reasons: if denied { vec![Reason::EducationIncomplete] } else { vec![] },
        result: CaseResult::default(),
    }
}

fn signed(message: &ReportMessage) -> Evidence {
    let bytes = report_to_bytes(message);
    let province = message.report.province;
    let key_id = format!("{province}-sign-1");
    let signature = signature::sign(&sign_key(province), &key_id, Purpose::Report, &bytes);
    Evidence { bytes, signature }
}
