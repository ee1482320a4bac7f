//! Where scripts are played: one hub, all 32 provinces, a day that passes midnight by midnight.

use std::collections::{BTreeMap, BTreeSet};

use events::case::CaseResult;
use events::ids::{CaseId, ProvinceCode, RequestId};
use events::reference::{CalendarPublished, CalendarYear, Paper};
use events::report::News;
use events::vocabulary::Outcome;
use hub::intake::reports::{Fate, Message};
use hub::registrar::starting::StartWith;
use hub::registrar::{Answer, Unavailable};
use hub::router::connector::Outgoing;
use hub_core::calendar::shanghai_date;
use hub_core::command::Command;
use hub_core::refusal::Refusal;
use jiff::Timestamp;
use jiff::civil::date;

use super::words;
use crate::stage::national::{Handed, correct, sibling, withdraw};
use crate::stage::province::FakeProvince;
use crate::stage::{Setup, TestHub};

/// Looks after which everything must be quiet.
const LOOKS_MAX: usize = 50;

/// The stage and who is on it.
pub(super) struct ScriptStage {
    pub(super) hub: TestHub,
    provinces: BTreeMap<ProvinceCode, FakeProvince>,
    away: BTreeSet<ProvinceCode>,
    backwards: BTreeSet<ProvinceCode>,
    letters: Vec<(ProvinceCode, Outgoing)>,
    cases: BTreeMap<String, CaseId>,
    /// Everything that was ever reported, to be said again.
    said: BTreeMap<ProvinceCode, Vec<Message>>,
    last_news: BTreeMap<(ProvinceCode, CaseId), News>,
    made: u16,
}

impl ScriptStage {
    pub(super) fn new() -> Self {
        let mut start_with = StartWith::shipped();
        // As it was before the extension of January 2020; a script publishes that itself.
        let before = include_str!("../../../schemas/calendars/2020-1.json");
        let before: CalendarYear = serde_json::from_str(before).expect("a calendar");
        start_with.calendars.retain(|it| it.year != 2020);
        start_with.calendars.insert(0, before);
        let at = words::moment(date(2020, 1, 2), words::MORNING);
        let hub = TestHub::new(Setup { start_with, ..Setup::at(at) });
        let provinces: BTreeMap<_, _> =
            ProvinceCode::all().map(|it| (it, FakeProvince::new(it))).collect();
        provinces.values().for_each(|it| it.keys.enrol(&hub));
        Self {
            hub,
            provinces,
            away: BTreeSet::new(),
            backwards: BTreeSet::new(),
            letters: Vec::new(),
            cases: BTreeMap::new(),
            said: BTreeMap::new(),
            last_news: BTreeMap::new(),
            made: 0,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.hub.clock.now()
    }

    pub(super) fn case(&self, name: &str) -> Result<CaseId, String> {
        self.cases.get(name).copied().ok_or_else(|| format!("there is no case {name}"))
    }

    pub(super) fn name(&self, case: CaseId) -> String {
        let found = self.cases.iter().find(|it| *it.1 == case);
        found.map_or_else(|| "?".to_owned(), |it| it.0.clone())
    }

    pub(super) fn province(&self, code: ProvinceCode) -> &FakeProvince {
        &self.provinces[&code]
    }

    /// Something happens, and everything that follows from it.
    pub(super) fn happen(&mut self, line: &str) -> Result<(), String> {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words.as_slice() {
            ["on", day] => {
                return self.pass_until(words::moment(words::date(day)?, words::MORNING));
            }
            ["on", day, time] => {
                let time = time.parse().map_err(|_| format!("`{time}` is not a time"))?;
                return self.pass_until(words::moment(words::date(day)?, time));
            }
            ["national", "submits", name, "to", province, "for", item] => {
                self.submit(name, province, item)?;
            }
            ["national", "submits", name, "again"] => self.submit_again(name)?,
            ["applicant", rest @ ..] => self.applicant(rest)?,
            ["operator", rest @ ..] => self.operator(rest)?,
            ["calendar", year, "is", "published"] => self.publish(year)?,
            [province, rest @ ..] => {
                let province = words::province(province)?;
                self.province_does(province, rest)?;
            }
            [] => {}
        }
        self.settle();
        Ok(())
    }

    /// Midnight by midnight, so that the watch sees every day begin.
    fn pass_until(&mut self, until: Timestamp) -> Result<(), String> {
        if until < self.now() {
            return Err("time does not go back".to_owned());
        }
        // What nobody waits for may be skipped: the calendar of 2020 is six years away.
        let open = !self.cases.is_empty();
        while open && shanghai_date(self.now()) < shanghai_date(until) {
            let next =
                shanghai_date(self.now()).tomorrow().expect("a script ends before time does");
            let midnight = words::moment(next, jiff::civil::time(0, 0, 1, 0));
            self.hub.clock.advance_to(midnight.min(until));
            self.settle();
        }
        self.hub.clock.advance_to(until);
        self.settle();
        Ok(())
    }

    fn submit(&mut self, name: &str, province: &str, item: &str) -> Result<(), String> {
        let nth = self.cases.len() as u64 + 1;
        let mut handed = Handed::new(nth, words::province(province)?, self.now());
        handed.item = words::item(item)?;
        self.cases.insert(name.to_owned(), handed.case());
        handed.submit(&self.hub);
        Ok(())
    }

    /// The same key and the same person, under another id, as a sender does that heard no answer.
    fn submit_again(&mut self, name: &str) -> Result<(), String> {
        let case = self.case(name)?;
        let before = self.hub.case(case).ok_or("there is no such case")?;
        let nth = self.cases.keys().position(|it| it == name).ok_or("no such case")? as u64 + 1;
        let mut handed = Handed::new(nth, words::province("22")?, before.submitted_at);
        handed.item = before.item;
        let again = CaseId(sibling(case, 7));
        match handed.hand_in(&self.hub, again) {
            Ok(Answer::NothingNew(_)) => Ok(()),
            other => Err(format!("it should be known: {other:?}")),
        }
    }

    fn applicant(&mut self, words: &[&str]) -> Result<(), String> {
        let now = self.now();
        self.made += 1;
        match words {
            ["corrects", name] => accepted(correct(&self.hub, self.case(name)?, self.made, now)),
            ["withdraws", name] => accepted(withdraw(&self.hub, self.case(name)?, now)),
            ["corrects", name, "and", "is", "refused:", code] => {
                refused(correct(&self.hub, self.case(name)?, self.made, now), code)
            }
            _ => Err("nobody understands this line".to_owned()),
        }
    }

    fn operator(&mut self, words: &[&str]) -> Result<(), String> {
        let operator = "operator-1".to_owned();
        self.made += 1;
        let (name, command) = match words {
            ["parks", name] => (name, Command::Park { operator }),
            ["releases", name] => (name, self.release(name, None)?),
            ["releases", name, "to", to] => (name, self.release(name, Some(words::province(to)?))?),
            _ => return Err("nobody understands this line".to_owned()),
        };
        accepted(self.hub.tell(self.case(name)?, command))
    }

    fn release(&self, name: &str, route_to: Option<ProvinceCode>) -> Result<Command, String> {
        let request = RequestId(sibling(self.case(name)?, 200 + self.made));
        let (operator, note) = ("operator-1".to_owned(), "looked into it".to_owned());
        Ok(Command::Release { operator, note, route_to, request })
    }

    fn publish(&mut self, year: &str) -> Result<(), String> {
        let calendar = match year {
            "2020-extended" => {
                serde_json::from_str(include_str!("../../../schemas/calendars/2020-2.json"))
                    .expect("a calendar")
            }
            "2027" => next_year(),
            _ => return Err(format!("there is no calendar {year}")),
        };
        match self.hub.publish(CalendarPublished { revision: 0, calendar }.into()) {
            Answer::Recorded(_) => Ok(()),
            other => Err(format!("it was not published: {other:?}")),
        }
    }

    fn province_does(&mut self, province: ProvinceCode, words: &[&str]) -> Result<(), String> {
        match words {
            ["goes", "away"] => drop(self.away.insert(province)),
            ["comes", "back"] => drop(self.away.remove(&province)),
            ["says", "everything", "again"] => {
                let batch = self.said.get(&province).cloned().unwrap_or_default();
                self.hub.take(province, &batch);
            }
            ["sends", "its", "reports", "in", "reverse"] => drop(self.backwards.insert(province)),
            ["says", "the", "opposite", "of", name] => {
                let case = self.case(name)?;
                let last =
                    self.last_news.get(&(province, case)).ok_or("it has not said anything")?;
                let news = opposite(last).ok_or("nothing is opposite to that")?;
                self.say(province, case, news)?;
            }
            [verb, name, rest @ ..] => {
                let (name, rest) = match (*verb, *name, rest) {
                    ("asks", "correction", ["of", name, rest @ ..]) => (*name, rest),
                    _ => (*name, rest),
                };
                let news = news(verb, rest)?;
                self.say(province, self.case(name)?, news)?;
            }
            _ => return Err("nobody understands this line".to_owned()),
        }
        Ok(())
    }

    fn say(&mut self, province: ProvinceCode, case: CaseId, news: News) -> Result<(), String> {
        let now = self.now();
        let speaker = self.provinces.get_mut(&province).ok_or("there is no such province")?;
        if !speaker.holds(case) {
            return Err(format!("{province} never got that case"));
        }
        speaker.say(case, news.clone(), now);
        self.last_news.insert((province, case), news);
        Ok(())
    }

    /// Lets everything go on until nothing does.
    fn settle(&mut self) {
        for _ in 0..LOOKS_MAX {
            self.hub.watch();
            self.hub.dispatch();
            self.letters.extend(self.hub.pipe.fetch());
            let delivered = self.deliver();
            let reported = self.report();
            if !delivered && !reported {
                return;
            }
        }
        panic!("it does not come to rest");
    }

    fn deliver(&mut self) -> bool {
        let now = self.now();
        let (waits, comes): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.letters).into_iter().partition(|it| self.away.contains(&it.0));
        self.letters = waits;
        for (province, letter) in &comes {
            let receiver = self.provinces.get_mut(province).expect("all provinces are on stage");
            receiver.arrive(letter, now);
        }
        !comes.is_empty()
    }

    fn report(&mut self) -> bool {
        let mut any = false;
        for (code, speaker) in &mut self.provinces {
            if self.away.contains(code) || speaker.outbox.is_empty() {
                continue;
            }
            let mut batch: Vec<Message> = speaker.outbox.iter().map(|it| it.1.clone()).collect();
            self.said.entry(*code).or_default().extend(batch.clone());
            if self.backwards.contains(code) {
                batch.reverse();
            }
            let settled = self.hub.take(*code, &batch);
            // What is kept as a stray without a receipt is never said again.
            let ends = |at: usize| settled[at].fate == Fate::Terminate;
            let ended: Vec<usize> = (0..batch.len()).filter(|it| ends(*it)).collect();
            let payloads: Vec<_> = ended.iter().map(|it| batch[*it].payload.clone()).collect();
            speaker.outbox.retain(|it| !payloads.contains(&it.1.payload));
            any = true;
        }
        self.hub.send_receipts();
        any
    }
}

fn news(verb: &str, words: &[&str]) -> Result<News, String> {
    Ok(match (verb, words) {
        ("accepts", ["as", number]) => News::Accepted { acceptance_number: (*number).to_owned() },
        ("declines", ["because", reason]) => News::Declined { reason: words::reason(reason)? },
        ("returns", []) => {
            News::Returned { reason: words::reason("not-this-authority")?, division: None }
        }
        ("returns", ["naming", division]) => News::Returned {
            reason: words::reason("not-this-authority")?,
            division: Some(words::division(division)?),
        },
        ("asks", ["for", material, "until", day]) => News::CorrectionRequested {
            missing: vec![words::material(material)?],
            until: words::date(day)?,
        },
        ("suspends", ["for", ground]) => News::Suspended { ground: words::ground(ground)? },
        ("resumes", []) => News::Resumed,
        ("completes", ["approved", "as", number]) => completed(Outcome::Approved, number, vec![]),
        ("completes", ["denied", "as", number, "because", reason]) => {
            completed(Outcome::Denied, number, vec![words::reason(reason)?])
        }
        _ => return Err("nobody understands this line".to_owned()),
    })
}

fn completed(outcome: Outcome, number: &str, reasons: Vec<events::vocabulary::Reason>) -> News {
    let (decision_number, result) = (number.to_owned(), CaseResult::default());
    News::Completed { outcome, decision_number, reasons, result }
}

fn opposite(news: &News) -> Option<News> {
    Some(match news {
        News::Completed { outcome: Outcome::Approved, decision_number, .. } => {
            completed(Outcome::Denied, decision_number, vec![events::vocabulary::Reason::Other])
        }
        News::Completed { decision_number, .. } => {
            completed(Outcome::Approved, decision_number, vec![])
        }
        News::Accepted { .. } => News::Declined { reason: events::vocabulary::Reason::Other },
        News::Declined { .. } => News::Accepted { acceptance_number: "受-0".to_owned() },
        _ => return None,
    })
}

/// What the State Council might publish for 2027: New Year's Day with the two days after it.
fn next_year() -> CalendarYear {
    let day = |it| date(2027, 1, it);
    let paper = Paper { number: "国办发明电〔2026〕?号 (invented)".to_owned(), url: None };
    let makeup_workdays = vec![day(9)];
    CalendarYear {
        year: 2027,
        holidays: (1..=3).map(day).collect(),
        makeup_workdays,
        papers: vec![paper],
    }
}

fn accepted(answer: Result<Answer, Unavailable>) -> Result<(), String> {
    match answer {
        Ok(Answer::Recorded(_)) => Ok(()),
        other => Err(format!("the hub does not record it: {other:?}")),
    }
}

fn refused(answer: Result<Answer, Unavailable>, code: &str) -> Result<(), String> {
    let refusal: Option<Refusal> = match answer {
        Ok(Answer::Refused(refusal)) => Some(refusal),
        _ => None,
    };
    match refusal {
        Some(it) if it.code() == code => Ok(()),
        Some(it) => Err(format!("it is refused as {}", it.code())),
        None => Err("it is not refused".to_owned()),
    }
}
