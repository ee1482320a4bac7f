//! WHAT WAITS FOR A PERSON: parked cases and quarantined reports, in groups and one by one; let in again on order.
//!
//! [`run`] carries orders out. What it needs of the intake it gets as [`TakeAgain`].

mod config;
pub mod run;
#[cfg(test)]
mod tests;

pub use config::RedriveConfig;

use events::ids::{CaseId, CaseNumber, ProvinceCode};
use events::keeping::redrive::{RedriveOf, RedriveSelection};
use jiff::Timestamp;

use crate::quarantine::{KeptFilter, Quarantine, QuarantineError, Stray};
use crate::views::parked::ParkedFilter;
use crate::views::reader::{ViewError, ViewReader};

/// What became of a stray that was let in again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Again {
    /// It is on record, or was before: the intake's word, and the code if it is on record as refused.
    Taken(&'static str, Option<String>),
    /// It is no better, for this reason.
    Back(String),
    /// Nothing can be said now.
    NotNow,
}

/// The intake, as far as it takes something in again: by the same rules as if it had just come.
pub trait TakeAgain: Send + Sync {
    /// Takes `stray` of `province` in. Again: the same answer.
    fn take_again(
        &self,
        province: ProvinceCode,
        stray: &Stray,
    ) -> impl Future<Output = Again> + Send;
}

/// Why nobody can say what waits.
#[derive(Debug, thiserror::Error)]
pub enum WaitingError {
    /// The views failed.
    #[error("cannot look for parked cases")]
    Views(#[from] ViewError),
    /// The quarantine failed.
    #[error("cannot look into the quarantine")]
    Quarantine(#[from] QuarantineError),
}

/// How many wait in one province for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// Of what.
    pub of: RedriveOf,
    /// Of which province.
    pub province: Option<ProvinceCode>,
    /// The word of the reason.
    pub why: String,
    /// How many.
    pub count: u64,
    /// How many of them can be let in again.
    pub able: u64,
    /// The oldest.
    pub oldest: Timestamp,
    /// The newest.
    pub newest: Timestamp,
}

/// One that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its number; grows.
    pub item: u64,
    /// Of which province.
    pub province: Option<ProvinceCode>,
    /// The word of the reason.
    pub why: String,
    /// Since when.
    pub at: Timestamp,
    /// What it is.
    pub what: Thing,
}

/// What waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Thing {
    /// A parked case.
    Case(CaseId, CaseNumber),
    /// A report in quarantine: its subject, its size, how often it was let in again in vain, and
    /// whether it can be at all.
    Report(String, u64, u32, bool),
}

/// Where both lie.
#[derive(Clone)]
pub struct Waiting {
    /// Parked cases.
    pub views: ViewReader,
    /// Quarantined reports.
    pub quarantine: Quarantine,
}

/// The name of a province in the quarantine.
fn source(province: ProvinceCode) -> String {
    format!("province:{province}")
}

/// What the headers of a stray are sealed under, beside what came.
pub fn headers_label(source: &str) -> String {
    format!("{source} headers")
}

/// The province of a source, if it is one.
pub fn province_of(source: &str) -> Option<ProvinceCode> {
    source.strip_prefix("province:")?.parse().ok()
}

fn kept(selection: &RedriveSelection, after: u64) -> KeptFilter {
    KeptFilter {
        source: selection.province.map(source),
        reason: selection.why.clone(),
        since: selection.since,
        after,
        until: Some(selection.until),
        only: selection.only.clone(),
        whole_only: true,
    }
}

fn parked(selection: &RedriveSelection, after: u64) -> ParkedFilter {
    ParkedFilter {
        province: selection.province,
        why: selection.why.clone(),
        since: selection.since,
        after,
        until: Some(selection.until),
        only: selection.only.clone(),
    }
}

impl Waiting {
    /// All groups: parked cases first, by province and reason.
    pub fn groups(&self) -> Result<Vec<Group>, WaitingError> {
        let cases = self.views.parked_groups()?.into_iter().map(|it| Group {
            of: RedriveOf::ParkedCases,
            province: it.province,
            why: it.why,
            count: it.count,
            able: it.count,
            oldest: it.oldest,
            newest: it.newest,
        });
        let reports = self.quarantine.groups()?.into_iter().map(|it| Group {
            of: RedriveOf::QuarantinedReports,
            province: province_of(&it.source),
            why: it.reason,
            count: it.count,
            able: it.whole,
            oldest: it.oldest,
            newest: it.newest,
        });
        Ok(cases.chain(reports).collect())
    }

    /// The last item that there is now: what comes later is not meant.
    pub fn last(&self, of: RedriveOf) -> Result<u64, WaitingError> {
        Ok(match of {
            RedriveOf::ParkedCases => self.views.position()?.0,
            RedriveOf::QuarantinedReports => self.quarantine.last_number()?,
        })
    }

    /// How many a re-drive would let in, and the oldest of them.
    pub fn count(
        &self,
        selection: &RedriveSelection,
    ) -> Result<(u64, Option<Timestamp>), WaitingError> {
        Ok(match selection.of {
            RedriveOf::ParkedCases => self.views.parked_count(&parked(selection, 0))?,
            RedriveOf::QuarantinedReports => self.quarantine.count(&kept(selection, 0))?,
        })
    }

    /// What a re-drive would let in behind `after`, in its order.
    pub fn items(
        &self,
        selection: &RedriveSelection,
        after: u64,
        count_max: usize,
    ) -> Result<Vec<Item>, WaitingError> {
        match selection.of {
            RedriveOf::ParkedCases => {
                let rows = self.views.parked(&parked(selection, after), count_max)?;
                let item = |it: crate::views::parked::ParkedRow| Item {
                    item: it.position.0,
                    province: it.province,
                    why: it.why,
                    at: it.at,
                    what: Thing::Case(it.case, it.number),
                };
                Ok(rows.into_iter().map(item).collect())
            }
            RedriveOf::QuarantinedReports => {
                self.reports(&kept(selection, after), false, count_max)
            }
        }
    }

    /// Reports in quarantine, also those that can only be looked at.
    pub fn reports(
        &self,
        filter: &KeptFilter,
        newest_first: bool,
        count_max: usize,
    ) -> Result<Vec<Item>, WaitingError> {
        let rows = self.quarantine.kept(filter, newest_first, count_max)?;
        let item = |it: crate::quarantine::Kept| Item {
            item: it.number,
            province: province_of(&it.source),
            why: it.reason,
            at: it.at,
            what: Thing::Report(it.subject, it.size_bytes, it.tries, it.whole),
        };
        Ok(rows.into_iter().map(item).collect())
    }
}
