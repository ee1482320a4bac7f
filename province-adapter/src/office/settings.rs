//! How the simulated office works and misbehaves: data, checked before anything starts.

use jiff::Timestamp;
use jiff::civil::Date;
use serde::Deserialize;

use super::hours::OfficeHours;

/// How it works and misbehaves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// The same seed and case give the same story.
    pub seed: u64,
    /// Realistic, or at once.
    pub mode: Mode,
    /// How much faster than a usual office.
    pub speed: f64,
    /// Spans in Shanghai, e.g. `09:00-12:00`.
    pub hours: Vec<String>,
    /// Weekdays that are not worked.
    pub closed_days: Vec<Date>,
    /// Weekend days that are worked.
    pub open_days: Vec<Date>,
    /// When it neither takes nor reports.
    pub outages: Vec<Outage>,
    /// Not accepted.
    pub decline_percent: f64,
    /// Not ours.
    pub return_percent: f64,
    /// Something is missing.
    pub correction_percent: f64,
    /// A hearing.
    pub suspension_percent: f64,
    /// Decided against the applicant.
    pub denial_percent: f64,
    /// Too late.
    pub slow_percent: f64,
    /// Decided in time and told too late.
    pub late_report_percent: f64,
    /// About one case in so many gets a second, different decision; 0 for never.
    pub duplicate_decision_of: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            mode: Mode::Realistic,
            speed: 1.0,
            hours: vec!["09:00-12:00".to_owned(), "14:00-18:00".to_owned()],
            closed_days: Vec::new(),
            open_days: Vec::new(),
            outages: Vec::new(),
            decline_percent: 4.0,
            return_percent: 0.3,
            correction_percent: 5.0,
            suspension_percent: 1.0,
            denial_percent: 2.0,
            slow_percent: 2.0,
            late_report_percent: 1.5,
            duplicate_decision_of: 0,
        }
    }
}

/// How time passes in the office.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mode {
    /// In office hours, with delays.
    Realistic,
    /// Accepts and completes in the moment of taking, for measuring.
    Instant,
}

/// An interval of told time.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outage {
    /// Its first moment.
    pub from: Timestamp,
    /// The first moment after it.
    pub until: Timestamp,
}

impl Settings {
    /// What is wrong with them, one sentence each.
    pub(crate) fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for (name, value) in [
            ("decline_percent", self.decline_percent),
            ("return_percent", self.return_percent),
            ("correction_percent", self.correction_percent),
            ("suspension_percent", self.suspension_percent),
            ("denial_percent", self.denial_percent),
            ("slow_percent", self.slow_percent),
            ("late_report_percent", self.late_report_percent),
        ] {
            if !(0.0..=100.0).contains(&value) {
                problems
                    .push(format!("`simulated.{name}` is {value}; it must lie between 0 and 100"));
            }
        }
        if !(0.01..=10_000.0).contains(&self.speed) {
            problems.push("`simulated.speed` must lie between 0.01 and 10000".to_owned());
        }
        if OfficeHours::new(&self.hours, &self.closed_days, &self.open_days).is_none() {
            problems.push("`simulated.hours` needs ascending spans like `09:00-12:00`".to_owned());
        }
        if self.outages.iter().any(|it| it.from >= it.until) {
            problems.push("`simulated.outages`: `from` must be before `until`".to_owned());
        }
        problems
    }
}
