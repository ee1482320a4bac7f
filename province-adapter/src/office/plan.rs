//! The road of one case through the simulated office. A step depends on nothing but the plan, so a
//! crash repeats it word for word.

use events::ids::{ProvinceCode, RequestId};
use events::report::News;
use events::vocabulary::{Item, Outcome, Reason, SuspensionGround};
use events::work::WorkKind;
use jiff::civil::Date;
use jiff::{Span, Timestamp};
use serde::{Deserialize, Serialize};

use super::fate::{Answer, Fate};
use super::hours::shanghai;

/// For the applicant to bring what is missing.
const CORRECTION_DAYS: i64 = 15;

/// What has been done with a case and what comes next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Plan {
    /// Work that was taken: the same again changes nothing.
    pub(super) taken: Vec<(RequestId, WorkKind)>,
    pub(super) province: ProvinceCode,
    pub(super) item: Item,
    pub(super) fate: Fate,
    pub(super) next: Step,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Step {
    Answer,
    AwaitCorrection,
    Accept,
    OpenHearing,
    CloseHearing,
    Decide,
    /// Decided then, told only now.
    TellDecision(Timestamp),
    DecideOtherwise,
    IssueCertificate,
    Rest,
}

/// What a step tells, and when the next one is due.
pub(super) struct Done {
    pub(super) news: Option<(News, Timestamp, Option<String>)>,
    pub(super) next: Step,
    pub(super) after_s: Option<i64>,
}

impl Done {
    fn tell(news: News, at: Timestamp, next: Step, after_s: Option<i64>) -> Self {
        Self { news: Some((news, at, None)), next, after_s }
    }

    fn with_text(mut self, text: String) -> Self {
        if let Some(news) = &mut self.news {
            news.2 = Some(text);
        }
        self
    }
}

impl Plan {
    /// Carries out the step that was due at `at`. Depends on nothing but the plan.
    pub(super) fn step(&self, at: Timestamp) -> Done {
        let fate = &self.fate;
        match &self.next {
            Step::Answer => self.answer(at),
            Step::Accept => {
                let (next, after_s) = match fate.hearing_after_s {
                    Some(after_s) => (Step::OpenHearing, after_s),
                    None => (Step::Decide, fate.complete_after_s),
                };
                let acceptance_number = self.paper("受", at, fate.serial);
                Done::tell(News::Accepted { acceptance_number }, at, next, Some(after_s))
            }
            Step::OpenHearing => {
                let news = News::Suspended { ground: SuspensionGround::Hearing };
                Done::tell(news, at, Step::CloseHearing, Some(fate.hearing_takes_s))
            }
            Step::CloseHearing => {
                Done::tell(News::Resumed, at, Step::Decide, Some(fate.complete_after_s))
            }
            Step::Decide => match fate.report_late_by_s {
                Some(by_s) => {
                    Done { news: None, next: Step::TellDecision(at), after_s: Some(by_s) }
                }
                None => self.decide(at),
            },
            Step::TellDecision(decided_at) => self.decide(*decided_at),
            Step::DecideOtherwise => {
                let (next, after_s) = self.certificate();
                Done::tell(self.other_decision(at), at, next, after_s)
            }
            Step::IssueCertificate => {
                let certificate_id =
                    format!("{}{:08}{:04}", self.province, fate.serial, fate.serial % 9973);
                Done::tell(News::CertificateIssued { certificate_id }, at, Step::Rest, None)
            }
            Step::AwaitCorrection | Step::Rest => {
                Done { news: None, next: self.next.clone(), after_s: None }
            }
        }
    }

    fn answer(&self, at: Timestamp) -> Done {
        match &self.fate.answer {
            Answer::Accept => Self { next: Step::Accept, ..self.clone() }.step(at),
            Answer::Decline(reason) => {
                let news = News::Declined { reason: *reason };
                Done::tell(news, at, Step::Rest, None)
                    .with_text(format!("不予受理：{}。", reason.zh()))
            }
            Answer::Return(division) => {
                let news =
                    News::Returned { reason: Reason::NotThisAuthority, division: Some(*division) };
                Done::tell(news, at, Step::Rest, None)
            }
            Answer::Correct(missing) => {
                let until = day(at).saturating_add(Span::new().days(CORRECTION_DAYS));
                let names: Vec<&str> = missing.iter().map(|it| it.zh()).collect();
                let news = News::CorrectionRequested { missing: missing.clone(), until };
                Done::tell(news, at, Step::AwaitCorrection, None)
                    .with_text(format!("请于{until}前补齐：{}。", names.join("、")))
            }
        }
    }

    fn decide(&self, at: Timestamp) -> Done {
        let (next, after_s) = if self.fate.second_decision {
            (Step::DecideOtherwise, Some(600))
        } else {
            self.certificate()
        };
        let done = Done::tell(self.decision(at), at, next, after_s);
        match self.fate.denied {
            Some(reason) => done.with_text(format!("不予通过：{}。", reason.zh())),
            None => done,
        }
    }

    fn certificate(&self) -> (Step, Option<i64>) {
        if self.fate.certificate_follows(self.item) {
            (Step::IssueCertificate, Some(self.fate.certificate_after_s))
        } else {
            (Step::Rest, None)
        }
    }

    pub(super) fn decision(&self, at: Timestamp) -> News {
        News::Completed {
            outcome: self.fate.outcome(),
            decision_number: self.paper("决", at, self.fate.serial),
            reasons: self.fate.denied.into_iter().collect(),
            result: self.fate.result(self.item, day(at)),
        }
    }

    /// What must never happen, and does: the opposite, under a number of its own.
    fn other_decision(&self, at: Timestamp) -> News {
        let (outcome, reasons) = match self.fate.outcome() {
            Outcome::Approved => (Outcome::Denied, vec![Reason::Other]),
            Outcome::Denied => (Outcome::Approved, Vec::new()),
        };
        News::Completed {
            outcome,
            decision_number: self.paper("决", at, self.fate.serial.wrapping_add(1)),
            reasons,
            result: events::case::CaseResult::default(),
        }
    }

    pub(super) fn paper(&self, kind: &str, at: Timestamp, serial: u32) -> String {
        format!("{}交运{kind}〔{}〕{serial:08}号", self.province, day(at).year())
    }
}

fn day(at: Timestamp) -> Date {
    at.to_zoned(shanghai()).date()
}
