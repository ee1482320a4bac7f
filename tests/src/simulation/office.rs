//! An office that decides by lot, keeps its agenda through every crash, and is not always right.

use std::collections::BTreeSet;

use events::case::CaseResult;
use events::ids::{CaseId, ProvinceCode, RequestId};
use events::report::News;
use events::vocabulary::{Material, Outcome, Reason, SuspensionGround};
use events::work::{Work, WorkKind};
use hub_core::calendar::shanghai_date;
use jiff::{SignedDuration, Timestamp};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Something that the office will say.
#[derive(Debug, Clone)]
pub(super) struct Item {
    pub(super) at: Timestamp,
    pub(super) case: CaseId,
    pub(super) news: News,
}

/// An office and its agenda; on paper, so to say: crashes of the adapter do not touch it.
#[derive(Debug)]
pub(super) struct Office {
    seed: u64,
    province: ProvinceCode,
    taken: BTreeSet<(CaseId, RequestId, WorkKind)>,
    pub(super) agenda: Vec<Item>,
}

fn hours(hours: i64) -> SignedDuration {
    SignedDuration::from_hours(hours)
}

impl Office {
    pub(super) fn new(seed: u64, province: ProvinceCode) -> Self {
        Self { seed, province, taken: BTreeSet::new(), agenda: Vec::new() }
    }

    /// The same work again opens no second file.
    pub(super) fn take(&mut self, work: &Work, now: Timestamp) {
        if !self.taken.insert((work.case, work.request, work.kind)) {
            return;
        }
        let case = work.case.0.as_u128() as u64;
        let mark = self.seed ^ case ^ u64::from(self.province.number()) << 32;
        let mut chance = StdRng::seed_from_u64(mark ^ self.taken.len() as u64);
        match work.kind {
            WorkKind::Case => self.begin(work.case, now, &mut chance),
            WorkKind::Correction => self.go_on(work.case, now, &mut chance),
            // What is on the agenda crosses the withdrawal, as it would on a desk.
            WorkKind::Withdrawal => {}
        }
    }

    fn note(&mut self, case: CaseId, at: Timestamp, news: News) {
        self.agenda.push(Item { at, case, news });
    }

    fn begin(&mut self, case: CaseId, now: Timestamp, chance: &mut StdRng) {
        let soon = now + hours(chance.random_range(1..40));
        let late = now + hours(chance.random_range(24 * 9..24 * 16));
        match chance.random_range(0..100) {
            0..10 => self.note(case, soon, News::Declined { reason: Reason::RenewalNotDue }),
            10..24 => {
                let named = [None, Some("500101"), Some("220100"), Some("430100"), Some("660000")];
                let division = named[chance.random_range(0..named.len())];
                let division = division.map(|it| it.parse().expect("six digits"));
                self.note(
                    case,
                    soon,
                    News::Returned { reason: Reason::NotThisAuthority, division },
                );
            }
            24..44 => self.ask(case, soon, Material::Photo),
            44..54 => self.decide(case, late, chance),
            54..60 => {
                // The decision before the acceptance: refused, and then done in order.
                self.note(case, soon, completed(case, Outcome::Approved));
                self.decide(case, soon + hours(10), chance);
            }
            _ => self.decide(case, soon, chance),
        }
    }

    fn go_on(&mut self, case: CaseId, now: Timestamp, chance: &mut StdRng) {
        let soon = now + hours(chance.random_range(1..30));
        if chance.random_bool(0.2) {
            self.ask(case, soon, Material::IdentityCard);
        } else {
            self.decide(case, soon, chance);
        }
    }

    fn ask(&mut self, case: CaseId, at: Timestamp, material: Material) {
        let until = shanghai_date(at + hours(24 * 6));
        self.note(case, at, News::CorrectionRequested { missing: vec![material], until });
    }

    fn decide(&mut self, case: CaseId, at: Timestamp, chance: &mut StdRng) {
        self.note(case, at, News::Accepted { acceptance_number: format!("受-{}", self.province) });
        let mut end = at + hours(chance.random_range(1..24 * 13));
        if chance.random_bool(0.25) {
            let from = at + hours(2);
            end = from + hours(chance.random_range(30..200));
            self.note(case, from, News::Suspended { ground: SuspensionGround::Hearing });
            self.note(case, end - hours(1), News::Resumed);
        }
        let outcome = if chance.random_bool(0.8) { Outcome::Approved } else { Outcome::Denied };
        self.note(case, end, completed(case, outcome));
        if chance.random_bool(0.2) {
            let other = match outcome {
                Outcome::Approved => Outcome::Denied,
                Outcome::Denied => Outcome::Approved,
            };
            self.note(case, end + hours(3), completed(case, other));
        }
        if outcome == Outcome::Approved && chance.random_bool(0.5) {
            let certificate_id = "电子证照-1".to_owned();
            self.note(case, end + hours(9), News::CertificateIssued { certificate_id });
        }
    }

    /// What is to be said by `now`, in order.
    pub(super) fn due(&self, now: Timestamp) -> Vec<Item> {
        let mut due: Vec<Item> = self.agenda.iter().filter(|it| it.at <= now).cloned().collect();
        due.sort_by_key(|it| (it.at, it.case));
        due
    }

    /// It is said.
    pub(super) fn strike(&mut self, item: &Item) {
        self.agenda.retain(|it| (it.at, it.case, &it.news) != (item.at, item.case, &item.news));
    }
}

fn completed(case: CaseId, outcome: Outcome) -> News {
    News::Completed {
        outcome,
        decision_number: format!("决-{}", case.0.as_u128() as u16),
        reasons: match outcome {
            Outcome::Approved => vec![],
            Outcome::Denied => vec![Reason::EducationIncomplete],
        },
        result: CaseResult::default(),
    }
}
