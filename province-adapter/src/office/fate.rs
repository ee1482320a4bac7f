//! What becomes of a case in the simulated office: drawn once from the seed and the case's id, so
//! that neither the order of arrival nor a crash changes any story.

use events::case::CaseResult;
use events::ids::{DivisionCode, ProvinceCode};
use events::proof::seal;
use events::vocabulary::{Category, Grade, Item, Material, Outcome, Reason};
use events::work::Work;
use jiff::Span;
use jiff::civil::Date;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde::{Deserialize, Serialize};

use super::settings::Settings;

/// The whole story, decided beforehand. Work times are seconds at the desk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fate {
    pub(crate) answer: Answer,
    pub(crate) answer_after_s: i64,
    pub(crate) corrected_after_s: i64,
    pub(crate) hearing_after_s: Option<i64>,
    pub(crate) hearing_takes_s: i64,
    pub(crate) complete_after_s: i64,
    pub(crate) denied: Option<Reason>,
    pub(crate) report_late_by_s: Option<i64>,
    pub(crate) certificate_after_s: i64,
    pub(crate) second_decision: bool,
    pub(crate) grade: Grade,
    /// For the numbers on the papers.
    pub(crate) serial: u32,
}

/// The first answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Answer {
    Accept,
    Decline(Reason),
    Return(DivisionCode),
    Correct(Vec<Material>),
}

const HOUR_S: i64 = 3600;

/// Reasons with their weights, by item (domain notes on refusals).
const fn reasons(item: Item) -> &'static [(Reason, u32)] {
    use Reason::*;
    match item {
        Item::IntegrityAssessment => &[
            (AssessmentNotDue, 45),
            (DuplicateApplication, 25),
            (EducationIncomplete, 15),
            (DataMismatch, 10),
            (CertificateVoid, 5),
        ],
        Item::Renewal => &[
            (RenewalNotDue, 35),
            (EducationIncomplete, 20),
            (DuplicateApplication, 15),
            (PhotoUnacceptable, 12),
            (LicenceInvalid, 6),
            (CertificateVoid, 5),
            (OverAge, 4),
            (DataMismatch, 3),
        ],
        Item::Reissue => &[
            (PhotoUnacceptable, 35),
            (DuplicateApplication, 30),
            (DataMismatch, 20),
            (CertificateVoid, 15),
        ],
        Item::Change => {
            &[(DataMismatch, 40), (DuplicateApplication, 30), (LicenceInvalid, 15), (Other, 15)]
        }
        Item::Cancellation => {
            &[(DuplicateApplication, 45), (CertificateVoid, 35), (DataMismatch, 20)]
        }
    }
}

/// Why a decision may be a no; a major accident counts for passengers and dangerous goods only.
const fn denials(category: Category) -> &'static [(Reason, u32)] {
    match category {
        Category::Passenger | Category::DangerousGoods => {
            &[(Reason::LicenceInvalid, 40), (Reason::MajorAccident, 35), (Reason::DataMismatch, 25)]
        }
        Category::GeneralFreight => &[(Reason::LicenceInvalid, 60), (Reason::DataMismatch, 40)],
    }
}

const fn materials(item: Item) -> &'static [Material] {
    match item {
        Item::Reissue => &[Material::Photo, Material::LossStatement, Material::RegistrationForm],
        Item::Renewal => &[Material::Photo, Material::OldCertificate, Material::EducationRecord],
        Item::Change => &[Material::ProofOfChange, Material::RegistrationForm],
        Item::Cancellation => &[Material::OldCertificate, Material::IdentityCard],
        Item::IntegrityAssessment => &[Material::EducationRecord, Material::OldCertificate],
    }
}

/// Where a file may have moved to when it is not ours: prefectures that take many drivers.
const ELSEWHERE: [&str; 6] = ["510100", "440300", "410100", "370200", "500103", "130100"];

/// The same settings and the same case give the same fate.
pub(crate) fn draw(settings: &Settings, work: &Work) -> Fate {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&settings.seed.to_le_bytes());
    let mut rng = StdRng::from_seed(seal::derive(&seed, &format!("fate {}", work.case)));
    let slow = percent(&mut rng, settings.slow_percent);
    let slow_by_s = rng.random_range(14 * HOUR_S..35 * HOUR_S);
    let slow_at_answer = rng.random_bool(0.5);
    let hearing = percent(&mut rng, settings.suspension_percent);
    let hearing_after_s = rng.random_range(HOUR_S..4 * HOUR_S);
    let denied = percent(&mut rng, settings.denial_percent);
    let denial = weighted(&mut rng, denials(work.category));
    let late = percent(&mut rng, settings.late_report_percent);
    let late_by_s = rng.random_range(21 * HOUR_S..35 * HOUR_S);
    let delay_s = |when: bool| if slow && when { slow_by_s } else { 0 };
    Fate {
        // Most are answered early in the two days: the shorter of two draws.
        answer_after_s: shorter(&mut rng, HOUR_S / 4, 10 * HOUR_S) + delay_s(slow_at_answer),
        corrected_after_s: rng.random_range(HOUR_S / 2..6 * HOUR_S),
        hearing_after_s: hearing.then_some(hearing_after_s),
        hearing_takes_s: rng.random_range(7 * HOUR_S..21 * HOUR_S),
        complete_after_s: shorter(&mut rng, HOUR_S / 2, 18 * HOUR_S) + delay_s(!slow_at_answer),
        denied: denied.then_some(denial),
        report_late_by_s: late.then_some(late_by_s),
        certificate_after_s: rng.random_range(HOUR_S / 2..14 * HOUR_S),
        second_decision: one_in(&mut rng, settings.duplicate_decision_of),
        grade: weighted(
            &mut rng,
            &[(Grade::Aaa, 45), (Grade::Aa, 40), (Grade::A, 13), (Grade::B, 2)],
        ),
        serial: rng.random_range(0..100_000_000),
        answer: answer(&mut rng, settings, work),
    }
}

fn answer(rng: &mut StdRng, settings: &Settings, work: &Work) -> Answer {
    let missing = materials(work.item);
    let count = rng.random_range(1..=missing.len());
    let reason = weighted(rng, reasons(work.item));
    let elsewhere = elsewhere(rng, work.province);
    if percent(rng, settings.decline_percent) {
        return Answer::Decline(reason);
    }
    // What another province returned to us is not returned once more.
    let ours =
        work.authority.division.is_none_or(|it| it.province_part() == work.province.number());
    if percent(rng, settings.return_percent) && ours {
        return Answer::Return(elsewhere);
    }
    if percent(rng, settings.correction_percent) {
        return Answer::Correct(missing[..count].to_vec());
    }
    Answer::Accept
}

fn elsewhere(rng: &mut StdRng, here: ProvinceCode) -> DivisionCode {
    let others = ELSEWHERE.iter().filter(|it| !it.starts_with(&here.to_string()));
    let others: Vec<DivisionCode> = others.filter_map(|it| it.parse().ok()).collect();
    others[rng.random_range(0..others.len())]
}

impl Fate {
    pub(crate) fn outcome(&self) -> Outcome {
        if self.denied.is_some() { Outcome::Denied } else { Outcome::Approved }
    }

    /// What the driver gets on `day`.
    pub(crate) fn result(&self, item: Item, day: Date) -> CaseResult {
        if self.denied.is_some() {
            return CaseResult::default();
        }
        let years = |it: i64| Some(day.saturating_add(Span::new().years(it)));
        match item {
            Item::IntegrityAssessment => {
                CaseResult { grade: Some(self.grade), next_due: years(1), ..CaseResult::default() }
            }
            Item::Renewal => CaseResult { valid_until: years(6), ..CaseResult::default() },
            Item::Reissue | Item::Change | Item::Cancellation => CaseResult::default(),
        }
    }

    /// Does a certificate follow the decision?
    pub(crate) fn certificate_follows(&self, item: Item) -> bool {
        self.denied.is_none() && matches!(item, Item::Reissue | Item::Renewal | Item::Change)
    }
}

fn percent(rng: &mut StdRng, percent: f64) -> bool {
    rng.random_bool((percent / 100.0).clamp(0.0, 1.0))
}

fn one_in(rng: &mut StdRng, count: u32) -> bool {
    let draw: u32 = rng.random_range(0..u32::MAX);
    count > 0 && draw.is_multiple_of(count)
}

fn shorter(rng: &mut StdRng, from: i64, until: i64) -> i64 {
    rng.random_range(from..until).min(rng.random_range(from..until))
}

fn weighted<T: Copy>(rng: &mut StdRng, of: &[(T, u32)]) -> T {
    let total: u32 = of.iter().map(|it| it.1).sum();
    let mut draw = rng.random_range(0..total);
    for (value, weight) in of {
        if draw < *weight {
            return *value;
        }
        draw -= weight;
    }
    of[of.len() - 1].0
}
