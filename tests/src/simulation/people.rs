//! National systems, applicants and operators of the simulation: they act, ask twice, and give up late.

use events::case::AgainGround;
use events::envelope::Actor;
use events::ids::{CaseId, ProvinceCode, RequestId};
use events::reference::CalendarPublished;
use events::vocabulary::{Rating, Stage};
use hub::registrar::{Answer, What};
use hub_core::case::parts::CaseStage;
use hub_core::command::Command;
use jiff::SignedDuration;
use rand::Rng as _;

use super::world::World;
use crate::invariants;
use crate::stage::national::{CLIENT, Handed, case_id, correct, sibling, withdraw};

impl World {
    /// A national system hands a case in, or one again that it heard nothing about.
    pub(super) fn hand_in(&mut self) {
        let again = !self.handed.is_empty() && self.chance.random_bool(0.3);
        if !again && (self.handed.len() as u64) < self.size.cases {
            let nth = self.handed.len() as u64 + 1;
            let to = self.codes()[self.chance.random_range(0..self.provinces.len())];
            let ago = self.chance.random_range(0..40);
            let submitted_at = self.hub.clock.now() - SignedDuration::from_hours(ago);
            self.handed.push((Handed::new(nth, to, submitted_at), false));
        }
        let Some(last) = self.handed.len().checked_sub(1) else { return };
        let which = if again { self.chance.random_range(0..=last) } else { last };
        self.hand_in_one(which);
    }

    /// What nobody answered yet is handed in again.
    pub(super) fn hand_in_unanswered(&mut self) {
        for which in 0..self.handed.len() {
            if !self.handed[which].1 {
                self.hand_in_one(which);
            }
        }
    }

    fn hand_in_one(&mut self, which: usize) {
        self.tries += 1;
        let (handed, _) = self.handed[which].clone();
        // An intake draws a new id for every try; the key finds the first.
        let case = case_id(handed.nth * 1_000 + self.tries % 1_000);
        if let Ok(Answer::Recorded(events) | Answer::NothingNew(events)) =
            handed.hand_in(&self.hub, case)
        {
            let first = events.first().and_then(invariants::case_event).map(|it| it.0);
            self.answered.extend(first);
            self.handed[which].1 = true;
        }
    }

    /// Whoever has something to say about a case says it, sometimes twice.
    pub(super) fn act(&mut self) {
        let cases: Vec<CaseId> = self.answered.iter().copied().collect();
        for case in cases {
            if self.chance.random_bool(0.3) {
                self.act_on(case);
            }
        }
        if self.chance.random_bool(0.04) {
            self.publish();
        }
    }

    fn act_on(&mut self, id: CaseId) {
        let Some(case) = self.hub.case(id) else { return };
        let now = self.hub.clock.now();
        let operator = "operator-1".to_owned();
        let tell = |command| drop(self.hub.tell(id, command));
        match self.chance.random_range(0..12) {
            0..4 if case.stage == CaseStage::AwaitingCorrection => {
                drop(correct(&self.hub, id, case.corrections.len() as u16, now));
            }
            4 if self.chance.random_bool(0.15) => drop(withdraw(&self.hub, id, now)),
            5 if self.chance.random_bool(0.15) => tell(Command::Park { operator }),
            6 if !case.is_open() => tell(Command::Rate(Rating::ALL[id.0.as_u128() as usize % 5])),
            6 => tell(Command::Note { operator, note: "called the office".to_owned() }),
            7 => {
                let (reference, channel) = ("12328-1".to_owned(), "12328".to_owned());
                tell(Command::FileComplaint { reference, channel });
            }
            8 => tell(Command::AnswerComplaint { reference: "12328-1".to_owned() }),
            9 if !case.is_open() => tell(Command::Archive { reference: "档-1".to_owned() }),
            10 if case.breached.contains(&Stage::Acceptance) => {
                let note = "the office was flooded".to_owned();
                tell(Command::ExplainBreach { stage: Stage::Acceptance, operator, note });
            }
            11 if !case.is_open() => self.confirm(id),
            _ => {}
        }
    }

    fn confirm(&self, case: CaseId) {
        let (client, way) = (CLIENT.to_owned(), "feed".to_owned());
        let command = Command::ConfirmFeedback { client, way };
        let what = What::Case { case, command, personal: None, evidence: None, key: None };
        drop(self.hub.ask(Actor::National(CLIENT.to_owned()), what));
    }

    /// Operators let go on what is parked; where nobody wants it, they choose.
    pub(super) fn release(&mut self) {
        for id in self.answered.clone() {
            let Some(case) = self.hub.case(id) else { continue };
            if case.parked.is_none() || !case.is_open() {
                continue;
            }
            let request = RequestId(sibling(id, 300 + case.releases as u16));
            let codes = self.codes();
            let mut free = codes.iter().copied().filter(|it| !case.returned_by.contains(it));
            let somebody: Option<ProvinceCode> = free.next_back().or(codes.first().copied());
            let route_to = somebody.filter(|_| case.returned);
            let (operator, note) = ("operator-1".to_owned(), "looked into it".to_owned());
            drop(self.hub.tell(id, Command::Release { operator, note, route_to, request }));
        }
    }

    /// An operator thinks that an adapter lost a case; mostly it did not, and says so.
    pub(super) fn ask_again(&mut self) {
        for id in self.answered.clone() {
            let Some(province) = self.hub.case(id).and_then(|it| it.province()) else { continue };
            if self.chance.random_bool(0.1) {
                let (operator, note) = ("operator-1".to_owned(), "looked into it".to_owned());
                let because = AgainGround::Operator { operator, note };
                drop(self.hub.tell(id, Command::AskAgain { province, because }));
            }
        }
    }

    /// A calendar is corrected in the middle of the year: one more holiday.
    fn publish(&mut self) {
        let mut calendar = hub::reference::calendars().pop().expect("2026 is shipped");
        let ahead = jiff::Span::new().days(self.chance.random_range(1..5));
        let day = self.hub.clock.today() + ahead;
        if !calendar.holidays.contains(&day) {
            calendar.holidays.push(day);
            calendar.holidays.sort_unstable();
        }
        if self.hub_is_well() {
            let published = CalendarPublished { revision: 0, calendar };
            drop(self.hub.ask(Actor::Operator("o".to_owned()), What::Reference(published.into())));
        }
    }
}
