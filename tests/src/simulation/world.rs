//! The world of one seed: who is there, how time passes, and what goes wrong.

use std::collections::{BTreeMap, BTreeSet};

use events::ids::{CaseId, ProvinceCode};
use hub::intake::reports::{Fate, Message};
use hub_core::calendar::shanghai_date;
use jiff::SignedDuration;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use super::Size;
use super::adapter::Province;
use super::bus::OnTheWay;
use crate::stage::national::Handed;
use crate::stage::pipe::Mood;
use crate::stage::province::Keys;
use crate::stage::unlucky::Mishap;
use crate::stage::{Setup, TestHub};

/// Provinces on stage; those that offices name are among them.
const PROVINCES: [&str; 4] = ["22", "43", "50", "66"];
/// Steps without faults after which everything must be at rest.
const STEPS_TO_REST_MAX: u32 = 400;

/// Everything there is.
pub(super) struct World {
    pub(super) hub: TestHub,
    pub(super) provinces: BTreeMap<ProvinceCode, Province>,
    /// Handed in, and whether somebody answered.
    pub(super) handed: Vec<(Handed, bool)>,
    pub(super) answered: BTreeSet<CaseId>,
    pub(super) faults: BTreeMap<&'static str, u64>,
    pub(super) chance: StdRng,
    pub(super) size: Size,
    pub(super) tries: u64,
    /// The registrar may have stopped since.
    unlucky: bool,
}

impl World {
    pub(super) fn new(seed: u64, size: Size) -> Self {
        // Shortly before the Spring Festival of 2026, so that holidays and worked Saturdays count.
        let at = "2026-02-09T01:00:00Z".parse().expect("a moment");
        let hub = TestHub::new(Setup::at(at));
        let codes = PROVINCES.map(|it| it.parse::<ProvinceCode>().expect("a province"));
        codes.iter().for_each(|it| Keys::of(*it).enrol(&hub));
        let provinces =
            codes.iter().map(|it| (*it, Province::new(seed, *it, hub.folder.path()))).collect();
        Self {
            hub,
            provinces,
            handed: Vec::new(),
            answered: BTreeSet::new(),
            faults: BTreeMap::new(),
            chance: StdRng::seed_from_u64(seed),
            size,
            tries: 0,
            unlucky: false,
        }
    }

    pub(super) fn codes(&self) -> Vec<ProvinceCode> {
        self.provinces.keys().copied().collect()
    }

    /// Nothing was planned that may have stopped it.
    pub(super) fn hub_is_well(&self) -> bool {
        !self.unlucky
    }

    fn met(&mut self, fault: &'static str) {
        *self.faults.entry(fault).or_default() += 1;
    }

    fn crash_hub(&mut self, fault: &'static str) {
        self.met(fault);
        self.hub.restart();
        self.unlucky = false;
    }

    fn pass(&mut self, minutes: i64) -> bool {
        let before = shanghai_date(self.hub.clock.now());
        let now = self.hub.clock.now() + SignedDuration::from_mins(minutes);
        self.hub.clock.advance_to(now);
        shanghai_date(now) != before
    }

    /// The part with faults.
    pub(super) fn live_badly(&mut self) {
        for _ in 0..self.size.steps {
            let minutes = self.chance.random_range(1..720);
            let midnight = self.pass(minutes);
            self.choose_mishap();
            if self.chance.random_bool(0.4) {
                self.hand_in();
            }
            self.act();
            if self.chance.random_bool(0.2) {
                self.release();
                self.ask_again();
            }
            self.recover();
            if midnight && self.chance.random_bool(0.9) {
                self.hub.watch();
            }
            self.dispatch_badly();
            self.provinces_step(true);
            self.choose_mishap();
            self.reports_badly();
            self.recover();
            self.after_the_step();
        }
    }

    fn choose_mishap(&mut self) {
        let mishap = match self.chance.random_range(0..80) {
            0..2 => Mishap::BeforeWriting,
            2..4 => Mishap::AfterWriting,
            _ => return,
        };
        self.hub.luck.expect(mishap);
        self.unlucky = true;
    }

    fn dispatch_badly(&mut self) {
        let mood = match self.chance.random_range(0..20) {
            0 => Mood::Away,
            1 => Mood::Swallows,
            2 => Mood::TakesAndKills,
            _ => Mood::Works,
        };
        self.hub.pipe.set(mood);
        match mood {
            Mood::Away => self.met("the broker is away"),
            Mood::Swallows => self.met("swallowed by the broker"),
            _ => {}
        }
        if !self.hub.dispatch() {
            self.crash_hub("crash of the hub between publishing and noting");
        }
        self.hub.pipe.set(Mood::Works);
        self.carry(true);
    }

    /// From the hub's pipe onto the bus.
    fn carry(&mut self, badly: bool) {
        let now = self.hub.clock.now();
        for (province, letter) in self.hub.pipe.fetch() {
            let faults = badly.then_some(&mut self.chance);
            let receiver = self.provinces.get_mut(&province).expect("it is on stage");
            if let Some(fault) = receiver.letters.put(letter, now, faults) {
                self.met(fault);
            }
        }
    }

    fn provinces_step(&mut self, badly: bool) {
        let now = self.hub.clock.now();
        let mut met = Vec::new();
        for province in self.provinces.values_mut() {
            // Out of reach for a step, now and then.
            if badly && self.chance.random_bool(0.15) {
                met.push("a province is out of reach");
                continue;
            }
            met.extend(province.step(now, badly.then_some(&mut self.chance)));
        }
        met.into_iter().for_each(|it| self.met(it));
    }

    fn reports_badly(&mut self) {
        for code in self.codes() {
            let now = self.hub.clock.now();
            let province = self.provinces.get_mut(&code).expect("it is on stage");
            let arrived = province.reports.take(now, Some(&mut self.chance));
            let forgets = !arrived.is_empty() && self.chance.random_ratio(1, 15);
            self.take(code, arrived, forgets);
            if forgets {
                self.crash_hub("crash of the hub between append and acknowledgement");
            }
        }
        self.hub.send_receipts();
        self.carry(true);
    }

    fn take(&mut self, code: ProvinceCode, arrived: Vec<OnTheWay<Message>>, forgets: bool) {
        // One by one where a mishap is near, for the same reason; otherwise as they came.
        let at_once = if self.unlucky { 1 } else { arrived.len().max(1) };
        let batch: Vec<Message> = arrived.iter().map(|it| it.message.clone()).collect();
        let settled: Vec<_> =
            batch.chunks(at_once).flat_map(|it| self.hub.take(code, it)).collect();
        let province = self.provinces.get_mut(&code).expect("it is on stage");
        for (it, settled) in arrived.into_iter().zip(settled) {
            let done = matches!(settled.fate, Fate::Acknowledge | Fate::Terminate);
            if forgets || !done {
                province.reports.give_back(it);
            }
        }
    }

    /// Before many ask at once: which of them would meet the mishap, only their race could tell, and
    /// a seed must always tell the same story.
    fn recover(&mut self) {
        if self.unlucky {
            self.crash_hub("a log that does not know what it wrote");
        }
    }

    fn after_the_step(&mut self) {
        match self.chance.random_range(0..60) {
            0 => {
                self.provinces.values_mut().for_each(|it| {
                    it.letters.wipe();
                    it.reports.wipe();
                });
                self.met("the broker's disk is gone");
            }
            1 => self.crash_hub("crash of the hub"),
            2 => {
                self.hub.crash();
                for file in ["views.db", "views.db-wal", "views.db-shm"] {
                    // Not every one of them need be there.
                    let _ = std::fs::remove_file(self.hub.path(file));
                }
                self.crash_hub("the views are gone");
            }
            _ => {}
        }
    }

    /// The part without faults. Whether it comes to rest.
    pub(super) fn live_well(&mut self) -> bool {
        self.hub.luck.get_better();
        for _ in 0..STEPS_TO_REST_MAX {
            self.pass(240);
            self.hand_in_unanswered();
            self.release();
            self.hub.watch();
            self.hub.dispatch();
            self.carry(false);
            self.provinces_step(false);
            for code in self.codes() {
                let now = self.hub.clock.now();
                let province = self.provinces.get_mut(&code).expect("it is on stage");
                let arrived = province.reports.take(now, None);
                self.take(code, arrived, false);
            }
            self.hub.send_receipts();
            self.carry(false);
            self.act_at_rest();
            if self.rests() {
                return true;
            }
        }
        false
    }

    /// Without an applicant's answer a correction lapses; without an office's a case would stay open.
    fn act_at_rest(&mut self) {
        if self.chance.random_bool(0.1) {
            self.act();
        }
    }

    fn rests(&mut self) -> bool {
        self.hub.catch_up();
        let quiet = self.provinces.values().all(Province::rests);
        let log = self.hub.events();
        quiet
            && crate::invariants::ended(&log).is_empty()
            && crate::invariants::delivered(&self.hub).is_empty()
    }

    /// "receipted": the hub has signed for every report.
    pub(super) fn unreceipted(&self) -> Vec<String> {
        let waiting = self.provinces.values().filter(|it| it.unreceipted().is_some());
        waiting.map(|it| format!("receipted: {} still reports", it.code)).collect()
    }

    /// "replayed": every message that ever left a province comes once more, and nothing changes.
    pub(super) fn say_everything_again(&mut self) -> Vec<String> {
        let head = self.hub.events().len();
        for code in self.codes() {
            let said = self.provinces[&code].said.clone();
            self.hub.take(code, &said);
        }
        let more = self.hub.events().len() - head;
        if more == 0 { vec![] } else { vec![format!("replayed: {more} events more")] }
    }
}
