//! The rules as published: the `reference` stream, folded. What is published again is nothing new.

use std::collections::BTreeMap;
use std::sync::Arc;

use events::envelope::{Event, Recorded};
use events::reference::{
    CalendarYear, ReferenceEvent, RouteTablePublished, ServiceStandardPublished,
};
use hub_core::deadlines::{Rules, ServiceStandards};
use hub_core::refusal::Refusal;
use hub_core::routes::Routes;

/// Longest clock, in working days; far above any that the law knows.
const WORKING_DAYS_MAX: u32 = 366;

/// What is published, and the rules that follow from it.
pub(super) struct Published {
    version: u64,
    years: BTreeMap<i16, CalendarYear>,
    standards: Option<ServiceStandardPublished>,
    routes: Option<RouteTablePublished>,
    rules: Arc<Rules>,
}

impl Published {
    /// What `story` says, with the configured routes.
    pub(super) fn of(story: &[Recorded], routes: Arc<Routes>) -> Self {
        let mut published = Self {
            version: 0,
            years: BTreeMap::new(),
            standards: None,
            routes: None,
            rules: Arc::new(Rules { routes, ..Rules::default() }),
        };
        for recorded in story {
            if let Event::Reference(event) = &recorded.envelope.event {
                published.evolve(event);
            }
        }
        published
    }

    pub(super) fn version(&self) -> u64 {
        self.version
    }

    pub(super) fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// The event with its number, or nothing if all of it is known already.
    pub(super) fn decide(&self, event: &ReferenceEvent) -> Result<Option<ReferenceEvent>, Refusal> {
        let mut event = event.clone();
        match &mut event {
            ReferenceEvent::CalendarPublished(it) => {
                if self.years.get(&it.calendar.year) == Some(&it.calendar) {
                    return Ok(None);
                }
                it.revision = self.rules.calendar.revision() + 1;
                self.rules.calendar.clone().publish(it.revision, &it.calendar)?;
            }
            ReferenceEvent::ServiceStandardPublished(it) => {
                let last = self.standards.as_ref();
                it.revision = last.map_or(0, |it| it.revision);
                if last == Some(it) {
                    return Ok(None);
                }
                it.revision += 1;
                check(it)?;
            }
            ReferenceEvent::RouteTablePublished(it) => {
                let last = self.routes.as_ref();
                if last.is_some_and(|last| last.digest == it.digest) {
                    return Ok(None);
                }
                it.revision = last.map_or(0, |it| it.revision) + 1;
            }
        }
        Ok(Some(event))
    }

    /// Total: what is recorded counts.
    pub(super) fn evolve(&mut self, event: &ReferenceEvent) {
        self.version += 1;
        match event {
            ReferenceEvent::CalendarPublished(it) => {
                let rules = Arc::make_mut(&mut self.rules);
                if let Err(refusal) = rules.calendar.publish(it.revision, &it.calendar) {
                    tracing::error!(year = it.calendar.year, %refusal, "a recorded calendar is not usable");
                }
                self.years.insert(it.calendar.year, it.calendar.clone());
            }
            ReferenceEvent::ServiceStandardPublished(it) => {
                Arc::make_mut(&mut self.rules).standards = ServiceStandards {
                    acceptance_working_days: it.acceptance_working_days,
                    completion_working_days: it.completion_working_days,
                    urged_after_working_days: it.urged_after_working_days,
                    serious_after_working_days: it.serious_after_working_days,
                    deemed_after_working_days: it.deemed_after_working_days,
                };
                self.standards = Some(it.clone());
            }
            ReferenceEvent::RouteTablePublished(it) => self.routes = Some(it.clone()),
        }
    }
}

fn check(standards: &ServiceStandardPublished) -> Result<(), Refusal> {
    let all = [
        ("acceptance_working_days", standards.acceptance_working_days),
        ("completion_working_days", standards.completion_working_days),
        ("urged_after_working_days", standards.urged_after_working_days),
        ("serious_after_working_days", standards.serious_after_working_days),
        ("deemed_after_working_days", standards.deemed_after_working_days),
    ];
    match all.into_iter().find(|it| !(1..=WORKING_DAYS_MAX).contains(&it.1)) {
        Some((field, _)) => Err(Refusal::OutOfBounds { field }),
        None => Ok(()),
    }
}
