//! A province in the simulation: the adapter's real inbox and outbox, an office, and a life in danger.

use std::path::PathBuf;

use events::ids::ProvinceCode;
use hub::intake::reports::Message;
use hub::router::connector::Outgoing;
use jiff::Timestamp;
use province_adapter::by_hand::ByHand;
use province_adapter::keys::Identity;
use province_adapter::outbox::Pace;
use rand::Rng as _;
use rand::rngs::StdRng;

use super::bus::Bus;
use super::office::Office;
use crate::stage::province::{Keys, message};
use crate::stage::{HUB_KEY_ID, ORIGIN, hub_key};

/// Messages that one step moves at most.
const AT_ONCE_MAX: usize = 1_000;

/// A fault that may happen here, in per cent.
const CRASH_PERCENT: u32 = 6;

/// One province's side.
pub(super) struct Province {
    pub(super) code: ProvinceCode,
    pub(super) office: Office,
    pub(super) letters: Bus<Outgoing>,
    pub(super) reports: Bus<Message>,
    /// Every message that ever left, to be said again.
    pub(super) said: Vec<Message>,
    path: PathBuf,
    hand: ByHand,
}

/// An adapter moved by hand, with the keys that its province registers.
pub fn open(path: &std::path::Path, code: ProvinceCode) -> ByHand {
    let keys = Keys::of(code);
    let identity = Identity {
        province: code,
        origin: ORIGIN.to_owned(),
        sign_key_id: keys.sign_id(),
        seal_key_id: keys.seal_id(),
        sign_key: keys.sign,
        seal_key: keys.seal_private,
        other_seal_keys: Default::default(),
        hub_key: hub_key().verifying_key(),
        hub_key_id: HUB_KEY_ID.to_owned(),
    };
    let minutes = |it: u64| std::time::Duration::from_secs(it * 60);
    // Without jitter: a seed must always tell the same story.
    let pace = Pace::new(vec![minutes(1), minutes(90), minutes(600)], 0).expect("steps");
    ByHand::open(path, identity, pace).expect("the adapter's store opens")
}

impl Province {
    pub(super) fn new(seed: u64, code: ProvinceCode, folder: &std::path::Path) -> Self {
        let path = folder.join(format!("adapter-{code}.db"));
        let hand = open(&path, code);
        let office = Office::new(seed, code);
        Self {
            code,
            office,
            letters: Bus::new(),
            reports: Bus::new(),
            said: Vec::new(),
            path,
            hand,
        }
    }

    fn crash(&mut self) -> &'static str {
        self.hand = open(&self.path, self.code);
        "crash of an adapter"
    }

    /// One round: letters in, work to the office, news out. Returns the faults that were met.
    pub(super) fn step(
        &mut self,
        now: Timestamp,
        mut faults: Option<&mut StdRng>,
    ) -> Vec<&'static str> {
        let mut met = Vec::new();
        self.receive(now, faults.as_deref_mut(), &mut met);
        self.hand_over(now, faults.as_deref_mut(), &mut met);
        self.speak(now, faults.as_deref_mut(), &mut met);
        self.send(now, faults, &mut met);
        met
    }

    fn receive(
        &mut self,
        now: Timestamp,
        mut faults: Option<&mut StdRng>,
        met: &mut Vec<&'static str>,
    ) {
        for letter in self.letters.take(now, faults.as_deref_mut()) {
            if dies(&mut faults) {
                met.push(self.crash());
                self.letters.give_back(letter);
                continue;
            }
            let Outgoing { payload, signature, .. } = letter.message.clone();
            self.hand
                .arrive(payload, Some(signature), letter.redelivered, now)
                .expect("the store keeps it");
            // Durable, and dead before the acknowledgement.
            if dies(&mut faults) {
                met.push(self.crash());
                self.letters.give_back(letter);
            }
        }
    }

    fn hand_over(
        &mut self,
        now: Timestamp,
        mut faults: Option<&mut StdRng>,
        met: &mut Vec<&'static str>,
    ) {
        for (row, taken) in self.hand.waiting(now, AT_ONCE_MAX).expect("the store is read") {
            self.office.take(&taken.work, now);
            if dies(&mut faults) {
                met.push(self.crash());
                continue;
            }
            self.hand.taken(row, now).expect("the store keeps it");
        }
    }

    fn speak(
        &mut self,
        now: Timestamp,
        mut faults: Option<&mut StdRng>,
        met: &mut Vec<&'static str>,
    ) {
        for item in self.office.due(now) {
            self.hand
                .report(item.case, item.news.clone(), item.at, None, now)
                .expect("the office speaks of work that arrived");
            // Said, and dead before the office knows: it says it again.
            if dies(&mut faults) {
                met.push(self.crash());
                continue;
            }
            self.office.strike(&item);
        }
    }

    fn send(
        &mut self,
        now: Timestamp,
        mut faults: Option<&mut StdRng>,
        met: &mut Vec<&'static str>,
    ) {
        for posted in self.hand.due(now, AT_ONCE_MAX).expect("the store is read") {
            if dies(&mut faults) {
                met.push(self.crash());
                return;
            }
            let message = message(self.code, &posted.token, posted.body, &posted.signature);
            self.said.push(message.clone());
            met.extend(self.reports.put(message, now, faults.as_deref_mut()));
        }
    }

    /// Nothing is on its way, planned or unsigned.
    pub(super) fn rests(&self) -> bool {
        let idle = self.letters.is_empty() && self.reports.is_empty();
        idle && self.office.agenda.is_empty() && self.unreceipted().is_none()
    }

    pub(super) fn unreceipted(&self) -> Option<Timestamp> {
        self.hand.next_due().expect("the store is read")
    }
}

fn dies(faults: &mut Option<&mut StdRng>) -> bool {
    faults.as_deref_mut().is_some_and(|it| it.random_ratio(CRASH_PERCENT, 100))
}
